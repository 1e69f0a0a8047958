/* hooks.c - what pruning costs a training iteration: the same network trained with its hooks off and on, in turn
 *
 * hooks <case> <cfg> <pairs>: prints "case,ms_off,ms_on,ratio": medians of the times, and the median of the ratios of neighbouring iterations.
 * Masks are at their final sparsity, so that every update has to hold them; steps themselves are not in the time.
 */
#include "host.h"
#include "timing.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static double iteration(network *net)
{
    double start = milliseconds();
    train_network_datum(net);
    return milliseconds() - start;
}

int main(int argc, char **argv)
{
    if (argc < 4) return 2;
    int pairs = atoi(argv[3]);
    srand(1);
    network *net = parse_network_cfg(argv[2]);
    struct prune *prune = net->prune;
    double *off = calloc((size_t)pairs, sizeof *off), *on = calloc((size_t)pairs, sizeof *on), *ratio = calloc((size_t)pairs, sizeof *ratio);
    if (!prune || !off || !on || !ratio) return 1;
    for (int i = 0; i < net->inputs * net->batch; i++) net->input[i] = (float)rand() / (float)RAND_MAX;
    for (int b = 0; b < net->batch; b++) net->truth[b * net->truths + rand() % net->truths] = 1;
    while (prune->state.step < prune->settings.steps) train_network_datum(net);
    for (int i = 0; i < pairs; i++) {
        int on_first = i % 2;   /* neither always has the warmer caches */
        for (int half = 0; half < 2; half++) {
            int with = half == !on_first;
            net->prune = with ? prune : NULL;
            double ms = iteration(net);
            if (with) on[i] = ms;
            else off[i] = ms;
        }
        ratio[i] = on[i] / off[i];
    }
    printf("%s,%.3f,%.3f,%.4f\n", argv[1], median(off, pairs), median(on, pairs), median(ratio, pairs));
    return 0;
}
