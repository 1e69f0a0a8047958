/* trap.c - shortcuts that AlexeyAB's Darknet would compute out of bounds
 *
 * Its shortcut takes a short way when the *input* of the layer that it adds has the shape of the sum, and then reads as many channels as the sum has, also when that layer's output has
 * fewer. (src/shortcut_layer.c, forward_shortcut_layer; seen in its versions of 2019 to 2025.) A network without such a coincidence may get one when channels go, so one
 * of them is kept then.
 */
#include "prune.h"

#include <stdlib.h>

static int count_kept(const struct prune_channels *channels, int layer, const uint8_t *removed)
{
    int n = layer < 0 ? channels->n_input : channels->n_channels[layer], kept = 0;
    const int *groups = layer < 0 ? channels->input : channels->group[layer];
    for (int i = 0; i < n; i++) kept += !removed || !removed[groups[i]];
    return kept;
}

/* `removed` NULL: the network as it is. */
static int is_trap(const struct prune_channels *channels, int layer, const uint8_t *removed)
{
    const struct prune_node *node = &channels->graph->nodes[layer], *from = node->n_from ? &channels->graph->nodes[node->from[0]] : NULL;
    if (node->kind != PRUNE_SHORTCUT || node->n_from != 1 || node->n_weights || from->w != node->w || from->h != node->h) return 0;
    int sum = count_kept(channels, layer, removed);
    return count_kept(channels, node->from[0], removed) < sum && count_kept(channels, node->from[0] - 1, removed) == sum;
}

/* Keeps one removed group of those channels of the sum that nothing is added to: then it is one channel wider than the input that it was mistaken for. */
static void widen(const struct prune_channels *channels, int layer, uint8_t *removed)
{
    int from = channels->graph->nodes[layer].from[0];
    for (int pass = 0; pass < 2; pass++) {      /* else any of its channels */
        for (int i = pass ? 0 : channels->n_channels[from]; i < channels->n_channels[layer]; i++) {
            uint8_t *gone = &removed[channels->group[layer][i]];
            if (!*gone) continue;
            *gone = 0;
            if (!is_trap(channels, layer, removed)) return;
            *gone = 1;
        }
    }
}

int prune_trap_avoid(const struct prune_channels *channels, uint8_t *removed)
{
    int found = 0;
    for (int pass = 0; pass < channels->graph->n_nodes; pass++) {       /* what helps one shortcut may bring another into it */
        int here = 0;
        for (int i = 1; i < channels->graph->n_nodes; i++) {
            if (!is_trap(channels, i, removed) || is_trap(channels, i, NULL)) continue;
            widen(channels, i, removed);
            here = 1;
        }
        if (!here) return found;
        found = 1;
    }
    return found;
}
