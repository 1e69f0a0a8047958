/* observed.c - what the criteria apoz and entropy have seen of the layers' outputs
 *
 * In: struct prune_channels, then batches of outputs as the network computes them. Out: struct prune_observed: per channel how many outputs were 0 or below, and
 * its mean over each image.
 *
 * Kept are the layers that make channels of their own, as far as any of these can go. 4 bytes per image and channel.
 */
#include "prune.h"

#include <stdlib.h>

static int is_looked_at(const struct prune_channels *channels, int layer)
{
    if (!prune_kind_has_filters(channels->graph->nodes[layer].kind)) return 0;
    for (int i = 0; i < channels->n_channels[layer]; i++)
        if (channels->groups[channels->group[layer][i]].pin == PRUNE_FREE) return 1;
    return 0;
}

int prune_observed_open(struct prune_observed *observed, const struct prune_channels *channels, size_t images)
{
    size_t layers = (size_t)channels->graph->n_nodes;
    *observed = (struct prune_observed){ .channels = channels, .most = images };
    observed->zeros = calloc(layers + 1, sizeof *observed->zeros);
    observed->means = calloc(layers + 1, sizeof *observed->means);
    int enough = observed->zeros && observed->means;
    for (int l = 0; enough && l < channels->graph->n_nodes; l++) {
        size_t n = (size_t)channels->n_channels[l];
        if (!is_looked_at(channels, l)) continue;
        observed->zeros[l] = calloc(n, sizeof **observed->zeros);
        observed->means[l] = calloc(images ? images : 1, n * sizeof **observed->means);
        enough = observed->zeros[l] && observed->means[l];
    }
    if (enough) return PRUNE_OK;
    prune_observed_free(observed);
    return prune_fail(PRUNE_ERR_NOMEM, "out of memory for what %zu images make of each channel", images);
}

static void add_image(struct prune_observed *observed, int layer, const float *outputs)
{
    size_t n = (size_t)observed->channels->n_channels[layer], places = observed->channels->graph->nodes[layer].outputs / n;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        size_t zeros = 0;
        for (size_t p = 0; p < places; p++) {
            sum += (double)outputs[i * places + p];
            zeros += outputs[i * places + p] <= 0;
        }
        observed->zeros[layer][i] += zeros;
        observed->means[layer][observed->images * n + i] = (float)(sum / (double)places);
    }
}

void prune_observed_add(struct prune_observed *observed, float *const *outputs, int batch)
{
    const struct prune_graph *graph = observed->channels->graph;
    for (int b = 0; b < batch && observed->images < observed->most; b++, observed->images++)
        for (int l = 0; l < graph->n_nodes; l++)
            if (observed->zeros[l] && outputs[l]) add_image(observed, l, outputs[l] + (size_t)b * graph->nodes[l].outputs);
}

void prune_observed_free(struct prune_observed *observed)
{
    for (int l = 0; observed->channels && l < observed->channels->graph->n_nodes; l++) {
        if (observed->zeros) free(observed->zeros[l]);
        if (observed->means) free(observed->means[l]);
    }
    free(observed->zeros);
    free(observed->means);
    *observed = (struct prune_observed){ 0 };
}
