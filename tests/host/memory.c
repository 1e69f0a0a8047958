/* memory.c - bytes per weight that pruning holds while it trains: memory <cfg> prints them, from the allocator's own account */
#include "host.h"

#include <malloc.h>

static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    network *net = parse_network_cfg(argv[1]);
    if (!net->prune) return 1;
    size_t weights = 0;
    for (int i = 0; i < net->prune->n_tensors; i++) weights += net->prune->tensors[i].n;
    for (int i = 0; i < 3; i++) train_network_datum(net);       /* past the only step */
    if (net->prune->state.step != 1) return 1;
    size_t with = in_use();
    prune_net_free(net);
    printf("%.4f\n", (double)(with - in_use()) / (double)weights);
    return 0;
}
