/* training.c - a network trained through Darknet's own API, with pruning looked at after every single update
 *
 * training <cfg> <iterations>: random images and classes; exits 1 with a line when a pruned weight, its momentum or its moments are not exactly 0, when a
 * step leaves another number of survivors than round((1-s_t)*n), or when nothing was pruned. Prints the number of updates looked at.
 */
#include "host.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int wrong(const char *what, const struct prune_tensor *tensor, size_t at, int iteration)
{
    printf("iteration %d layer %s: %s at %zu\n", iteration, tensor->name, what, at);
    return 1;
}

static int not_zero(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits != 0;
}

static int check_tensor(const struct prune_tensor *tensor, int iteration)
{
    size_t active = 0;
    for (size_t i = 0; i < tensor->n; i++) {
        active += tensor->mask[i];
        if (tensor->mask[i]) continue;
        if (not_zero(tensor->weights[i])) return wrong("a pruned weight is not 0", tensor, i, iteration);
        if (not_zero(tensor->momentum[i])) return wrong("momentum of a pruned weight is not 0", tensor, i, iteration);
        if (tensor->moment1 && not_zero(tensor->moment1[i])) return wrong("Adam's m of a pruned weight is not 0", tensor, i, iteration);
        if (tensor->moment2 && not_zero(tensor->moment2[i])) return wrong("Adam's v of a pruned weight is not 0", tensor, i, iteration);
    }
    if (active != tensor->active) return wrong("the count of active weights is wrong", tensor, active, iteration);
    return 0;
}

/* What must survive step t of tensors that share one budget; scope `layer` rounds per tensor. */
static size_t due(const struct prune *prune, int t)
{
    size_t sum = 0, shared = 0;
    double shared_target = 0;
    for (int i = 0; i < prune->n_tensors; i++) {
        const struct prune_tensor *tensor = &prune->tensors[i];
        double s_max = (double)(tensor->limit < 0 ? prune->settings.sparsity : tensor->limit);
        double target = prune_schedule_target(prune->settings.curve, s_max, t, prune->settings.steps);
        if (tensor->limit >= 0 || prune->settings.scope == PRUNE_LAYER) sum += (size_t)llround((1 - target) * (double)tensor->n);
        else {
            shared += tensor->n;
            shared_target = target;
        }
    }
    return sum + (size_t)llround((1 - shared_target) * (double)shared);
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    srand(7);
    network *net = parse_network_cfg(argv[1]);
    struct prune *prune = net->prune;
    int iterations = atoi(argv[2]), updates = 0, step = 0;
    float *before = calloc(1, sizeof *before);
    if (!prune || !prune->n_tensors) return puts("nothing is pruned"), 1;
    while (updates < iterations) {
        for (int i = 0; i < net->inputs * net->batch; i++) net->input[i] = (float)rand() / (float)RAND_MAX;
        memset(net->truth, 0, sizeof(float) * (size_t)net->truths * (size_t)net->batch);
        for (int b = 0; b < net->batch; b++) net->truth[b * net->truths + rand() % net->truths] = 1;
        enum prune_kind fixed = prune_schedule_fixed(&prune->settings, updates + 1);
        size_t bytes = 0;
        const struct prune_tensor *held = NULL;
        for (int i = 0; i < prune->n_tensors; i++)
            if (prune->tensors[i].kind == fixed) held = &prune->tensors[i];
        if (held) {
            bytes = held->n * sizeof(float);
            before = realloc(before, bytes);
            memcpy(before, held->weights, bytes);
        }
        train_network_datum(net);
        if ((int)get_current_batch(net) == updates) continue;   /* a sub-batch without an update */
        updates++;
        if (held && memcmp(before, held->weights, bytes)) return wrong("a weight that is held fixed moved", held, 0, updates);
        for (int i = 0; i < prune->n_tensors; i++)
            if (check_tensor(&prune->tensors[i], updates)) return 1;
        if (prune->state.step == step) continue;
        step = prune->state.step;
        size_t active = 0;
        for (int i = 0; i < prune->n_tensors; i++) active += prune->tensors[i].active;
        if (prune->settings.order == PRUNE_TOGETHER && active != due(prune, step))
            return printf("step %d: %zu weights survive, not %zu\n", step, active, due(prune, step)), 1;
        if (step == prune->settings.steps && active != due(prune, step))
            return printf("at the end %zu weights survive, not %zu\n", active, due(prune, step)), 1;
    }
    if (step != prune->settings.steps) return printf("only %d of %d steps ran\n", step, prune->settings.steps), 1;
    printf("%d updates\n", updates);
    free(before);
    free_network(net);
    return 0;
}
