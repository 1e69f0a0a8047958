/* gradient_template.h - the kernels of gradient.h for one instruction set; included after its simd_*.h and conv_template.h, whose lists of tiles it uses */
#ifndef GRADIENT_TEMPLATE_H
#define GRADIENT_TEMPLATE_H

#include "gradient.h"

/* The tile of delta stays in registers, beside 4 sums: input comes as the memory operand of its multiply-add. */
INLINE void tile_gradient(const struct prune_gradient_tile *tile, const int th, const int tw)
{
    const struct prune_conv_run *run = tile->runs;
    const char *input = (const char *)tile->input;
    const size_t row = tile->row_floats, delta_row = tile->delta_row;
    float *sums = tile->sums;
    for (size_t i = 0; i < tile->n_runs; i++, run++) {
        const float *from = tile->delta + (size_t)(run->filter - tile->filter_0) * tile->delta_plane;
        vec delta[PRUNE_TILE_MOST];
#pragma GCC unroll 4
        for (int y = 0; y < th; y++)
#pragma GCC unroll 28
            for (int r = 0; r < tw; r++) {
                delta[y * tw + r] = v_load(from + (size_t)y * delta_row + r * V);
                v_keep(delta[y * tw + r]);
            }
        const struct prune_conv_entry *end = tile->entries + run[1].start;
        for (const struct prune_conv_entry *e = tile->entries + run->start; e < end; e++, sums += V) {
            const float *x = (const float *)(const void *)(input + e->offset);
            vec t[4] = { v_zero(), v_zero(), v_zero(), v_zero() };
#pragma GCC unroll 4
            for (int y = 0; y < th; y++, x += row) {
                keep_pointer(x);
#pragma GCC unroll 28
                for (int r = 0; r < tw; r++) t[(y * tw + r) % 4] = v_fma(delta[y * tw + r], v_load(x + r * V), t[(y * tw + r) % 4]);
            }
            v_store(sums, v_add(v_load(sums), v_add(v_add(t[0], t[1]), v_add(t[2], t[3]))));
        }
    }
}

#if REGISTERS == 32
enum { MOST_GRADIENT = 24 };
#define GRADIENT_TILES(X) ONE_TO_3(X, 1) FOUR_TO_6(X, 1) SEVEN_TO_12(X, 1) THIRTEEN_14(X, 1) X(1, 15) X(1, 16) X(1, 17) X(1, 18) X(1, 19) X(1, 20) X(1, 21) X(1, 22) X(1, 23) X(1, 24) \
    ONE_TO_3(X, 2) FOUR_TO_6(X, 2) SEVEN_TO_12(X, 2) ONE_TO_3(X, 4) FOUR_TO_6(X, 4)
#else
enum { MOST_GRADIENT = 8 };
#define GRADIENT_TILES(X) ONE_TO_3(X, 1) FOUR_TO_6(X, 1) X(1, 7) X(1, 8) ONE_TO_3(X, 2) X(2, 4) X(4, 1) X(4, 2)
#endif
#define GRADIENT(th, tw) static TARGET void gradient_##th##_##tw(const struct prune_gradient_tile *tile) { tile_gradient(tile, th, tw); }
#define GRADIENT_ENTRY(th, tw) [AT(th, tw)] = gradient_##th##_##tw,
GRADIENT_TILES(GRADIENT)
static prune_gradient_kernel *const gradient_tiles[3 * (PRUNE_TILE_MOST + 1)] = { GRADIENT_TILES(GRADIENT_ENTRY) };

#define GRADIENT_KERNELS { MOST_GRADIENT, gradient_tiles }

#endif
