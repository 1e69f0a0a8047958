/* gradient.h - gradients to surviving weights: the kernels that train_sparse.c walks over a batch with
 *
 * The sum for a weight is in V lanes; a tile, th x tw vectors of delta, adds to it t = (t0 + t1) + (t2 + t3), where tk sums by fma the tile's vectors number k, k + 4, .. (row by row), each begun
 * at 0. The plain twin is prune_gradient_plain; same bits.
 */
#ifndef GRADIENT_H
#define GRADIENT_H

#include "conv.h"

struct prune_gradient_tile {    /* the weights of some filters in one block of channels */
    const struct prune_conv_run *runs;          /* of one filter each, as in conv.h */
    size_t n_runs;
    const struct prune_conv_entry *entries;     /* their offsets; their weights are not looked at */
    const float *input;                         /* the tile's first vector in the block's first channel, packed */
    size_t row_floats;                          /* from a row of outputs to the next in it */
    const float *delta;                         /* [filter - filter_0][th][tw], with these distances in floats */
    size_t delta_plane, delta_row;
    uint32_t filter_0;
    float *sums;                                /* V floats for each entry, at (entry - runs[0].start) * V; added to */
};

typedef void prune_gradient_kernel(const struct prune_gradient_tile *tile);

struct prune_gradient_kernels {
    int most;                   /* vectors in a tile */
    prune_gradient_kernel *const *tiles;        /* [th: 1, 2, 4 -> 0, 1, 2][tw] at index * (PRUNE_TILE_MOST + 1) + tw; NULL where there is none */
};

void prune_gradient_plain(int v, int th, int tw, const struct prune_gradient_tile *tile);

#endif
