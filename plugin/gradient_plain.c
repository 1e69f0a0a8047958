/* gradient_plain.c - the twin of gradient.h's kernels
 *
 * In: a tile of delta and the packed input, as gradient.h lays them out, with vectors of v floats. Out: what the tile adds to the sums of its weights. Slow; what it gives is the definition.
 */
#include "gradient.h"

#include <math.h>

static float sum_of_tile(int v, int th, int tw, const struct prune_gradient_tile *tile, const float *delta, const float *input)
{
    float t[4] = { 0 };
    for (int y = 0; y < th; y++)
        for (int r = 0; r < tw; r++) {
            int k = (y * tw + r) % 4;
            t[k] = fmaf(delta[(size_t)y * tile->delta_row + (size_t)(r * v)], input[(size_t)y * tile->row_floats + (size_t)(r * v)], t[k]);
        }
    return (t[0] + t[1]) + (t[2] + t[3]);
}

void prune_gradient_plain(int v, int th, int tw, const struct prune_gradient_tile *tile)
{
    const struct prune_conv_run *run = tile->runs;
    float *sums = tile->sums;
    for (size_t i = 0; i < tile->n_runs; i++, run++)
        for (uint32_t e = run->start; e < run[1].start; e++, sums += v) {
            const float *delta = tile->delta + (size_t)(run->filter - tile->filter_0) * tile->delta_plane;
            const float *input = tile->input + tile->entries[e].offset / sizeof(float);
            for (int lane = 0; lane < v; lane++) sums[lane] += sum_of_tile(v, th, tw, tile, delta + lane, input + lane);
        }
}
