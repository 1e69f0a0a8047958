/* conv_template.h - the kernels of conv.h for one instruction set; included after its simd_*.h */
#ifndef CONV_TEMPLATE_H
#define CONV_TEMPLATE_H

#include "activate_template.h"
#include "conv.h"

/* ---------------------------------------------------------------------------------------------------------- tiles -- */

enum { MOST_WEIGHT = REGISTERS == 32 ? 28 : 12, MOST_BLOCK4 = REGISTERS == 32 ? 6 : 3 };

/* An address that stays in its register: gcc 12 would keep the distance of each vector in one of its own, of which there are too few. */
#define keep_pointer(x) __asm__("" : "+r"(x))

INLINE void tile_weight(const struct prune_tile *tile, const int th, const int tw)
{
    const struct prune_conv_run *run = tile->runs;
    const char *input = (const char *)tile->input;
    const size_t row = tile->row_floats, sums_row = tile->sums_row;
    const int first = tile->first;
    for (size_t i = 0; i < tile->n_runs; i++, run++) {
        float *sums = tile->sums + (size_t)(run->filter - tile->filter_0) * tile->sums_plane;
        vec acc[PRUNE_TILE_MOST];
        float *line = sums;
#pragma GCC unroll 4
        for (int y = 0; y < th; y++, line += sums_row) {
            keep_pointer(line);
#pragma GCC unroll 28
            for (int r = 0; r < tw; r++) acc[y * tw + r] = first ? v_zero() : v_load(line + r * V);
        }
        const struct prune_conv_entry *end = tile->entries + run[1].start;
        for (const struct prune_conv_entry *e = tile->entries + run->start; e < end; e++) {
            const float *x = (const float *)(const void *)(input + e->offset);
            vec w = v_set1(e->weight);
#pragma GCC unroll 4
            for (int y = 0; y < th; y++, x += row) {
                keep_pointer(x);
#pragma GCC unroll 28
                for (int r = 0; r < tw; r++) acc[y * tw + r] = v_fma(w, v_load(x + r * V), acc[y * tw + r]);
            }
        }
        line = sums;
#pragma GCC unroll 4
        for (int y = 0; y < th; y++, line += sums_row) {
            keep_pointer(line);
#pragma GCC unroll 28
            for (int r = 0; r < tw; r++) v_store(line + r * V, acc[y * tw + r]);
        }
    }
}

INLINE void tile_block4(const struct prune_tile *tile, const int th, const int tw)
{
    const struct prune_conv_run *run = tile->runs;
    const char *input = (const char *)tile->input;
    const size_t row = tile->row_floats, sums_row = tile->sums_row;
    const int first = tile->first;
    for (size_t i = 0; i < tile->n_runs; i++, run++) {
        float *sums = tile->sums + (size_t)(run->filter - tile->filter_0) * 4 * tile->sums_plane;
        vec acc[4][MOST_BLOCK4];
#pragma GCC unroll 4
        for (int f = 0; f < 4; f++)
#pragma GCC unroll 4
            for (int y = 0; y < th; y++)
#pragma GCC unroll 6
                for (int r = 0; r < tw; r++) acc[f][y * tw + r] = first ? v_zero() : v_load(sums + (size_t)f * tile->sums_plane + (size_t)y * sums_row + r * V);
        for (size_t e = run->start; e < run[1].start; e++) {
            const float *x = (const float *)(const void *)(input + tile->offsets[e]), *w = tile->weights + 4 * e;
            vec inputs[MOST_BLOCK4];
#pragma GCC unroll 4
            for (int y = 0; y < th; y++)
#pragma GCC unroll 6
                for (int r = 0; r < tw; r++) {
                    inputs[y * tw + r] = v_load(x + (size_t)y * row + r * V);
                    v_keep(inputs[y * tw + r]);
                }
#pragma GCC unroll 4
            for (int f = 0; f < 4; f++) {
                vec weight = v_set1(w[f]);
                v_keep(weight);
#pragma GCC unroll 6
                for (int r = 0; r < th * tw; r++) acc[f][r] = v_fma(weight, inputs[r], acc[f][r]);
            }
        }
#pragma GCC unroll 4
        for (int f = 0; f < 4; f++)
#pragma GCC unroll 4
            for (int y = 0; y < th; y++)
#pragma GCC unroll 6
                for (int r = 0; r < tw; r++) v_store(sums + (size_t)f * tile->sums_plane + (size_t)y * sums_row + r * V, acc[f][y * tw + r]);
    }
}

#define WEIGHT(th, tw) static TARGET void weight_##th##_##tw(const struct prune_tile *tile) { tile_weight(tile, th, tw); }
#define BLOCK4(th, tw) static TARGET void block4_##th##_##tw(const struct prune_tile *tile) { tile_block4(tile, th, tw); }
#define ONE_TO_3(X, th) X(th, 1) X(th, 2) X(th, 3)
#define FOUR_TO_6(X, th) X(th, 4) X(th, 5) X(th, 6)
#define SEVEN_TO_12(X, th) X(th, 7) X(th, 8) X(th, 9) X(th, 10) X(th, 11) X(th, 12)
#define THIRTEEN_14(X, th) X(th, 13) X(th, 14)
#define FIFTEEN_TO_28(X, th) X(th, 15) X(th, 16) X(th, 17) X(th, 18) X(th, 19) X(th, 20) X(th, 21) X(th, 22) X(th, 23) X(th, 24) X(th, 25) X(th, 26) X(th, 27) X(th, 28)

#if REGISTERS == 32
#define WEIGHT_TILES(X) ONE_TO_3(X, 1) FOUR_TO_6(X, 1) SEVEN_TO_12(X, 1) THIRTEEN_14(X, 1) FIFTEEN_TO_28(X, 1) \
    ONE_TO_3(X, 2) FOUR_TO_6(X, 2) SEVEN_TO_12(X, 2) THIRTEEN_14(X, 2) ONE_TO_3(X, 4) FOUR_TO_6(X, 4) X(4, 7)
#define BLOCK4_TILES(X) ONE_TO_3(X, 1) FOUR_TO_6(X, 1) ONE_TO_3(X, 2) X(4, 1)
#else
#define WEIGHT_TILES(X) ONE_TO_3(X, 1) FOUR_TO_6(X, 1) SEVEN_TO_12(X, 1) ONE_TO_3(X, 2) FOUR_TO_6(X, 2) ONE_TO_3(X, 4)
#define BLOCK4_TILES(X) ONE_TO_3(X, 1) X(2, 1)
#endif
WEIGHT_TILES(WEIGHT)
BLOCK4_TILES(BLOCK4)

#define AT(th, tw) ((th) / 2 * (PRUNE_TILE_MOST + 1) + (tw))
#define WEIGHT_ENTRY(th, tw) [AT(th, tw)] = weight_##th##_##tw,
#define BLOCK4_ENTRY(th, tw) [AT(th, tw)] = block4_##th##_##tw,
static prune_tile_kernel *const weight_tiles[3 * (PRUNE_TILE_MOST + 1)] = { WEIGHT_TILES(WEIGHT_ENTRY) };
static prune_tile_kernel *const block4_tiles[3 * (PRUNE_TILE_MOST + 1)] = { BLOCK4_TILES(BLOCK4_ENTRY) };

/* -------------------------------------------------------------------------------------------- into lanes and back -- */

INLINE void pack_columns(const struct prune_lane_columns *columns, const float *in, float *packed)
{
    vec r[V];
#pragma GCC unroll 16
    for (int l = 0; l < V; l++) {
        int count = columns->count[l];
        const float *from = (const float *)((uintptr_t)in + (uintptr_t)columns->from[l] * sizeof(float));
        r[l] = count == V ? v_loadu(from) : count ? v_load_part(from, columns->skip[l], count) : v_zero();
    }
    v_transpose(r);
#pragma GCC unroll 16
    for (int j = 0; j < V; j++)
        if (columns->at[j] >= 0) v_store(packed + columns->at[j] * V, r[j]);
}

static TARGET void pack(const struct prune_lane_columns *columns, int n, const float *in, size_t plane, int channels, float *packed, size_t packed_plane)
{
    for (int c = 0; c < channels; c++, in += plane, packed += packed_plane)
        for (int i = 0; i < n; i++) pack_columns(&columns[i], in, packed);
}

static TARGET void pack_flat(const float *in, size_t plane, int pixels, int channels, float *packed, size_t packed_plane)
{
    for (int c = 0; c < channels; c++, in += plane, packed += packed_plane) {
        int i = 0;
        for (; i + V <= pixels; i += V) v_store(packed + i, v_loadu(in + i));
        if (i < pixels) v_store(packed + i, v_load_n(in + i, pixels - i));
    }
}

INLINE void unpack_columns(const struct prune_lane_columns *columns, const float *sums, vec scale, vec bias, float *out, enum prune_activation activation)
{
    vec r[V];
#pragma GCC unroll 16
    for (int j = 0; j < V; j++) r[j] = j < columns->n ? v_activate(v_fma(v_load(sums + j * V), scale, bias), activation) : v_zero();
    v_transpose(r);
#pragma GCC unroll 16
    for (int l = 0; l < V; l++) {
        int count = columns->count[l];
        if (count == V) v_storeu(out + columns->from[l], r[l]);
        else if (count) v_store_n(out + columns->from[l], r[l], count);
    }
}

INLINE void unpack_lanes(const struct prune_lane_columns *columns, int n, const float *sums, size_t sums_plane, int filters, const struct prune_finish *finish, float *out, size_t plane,
                         enum prune_activation activation)
{
    for (int f = 0; f < filters; f++, sums += sums_plane, out += plane) {
        vec scale = v_set1(finish->scale[f]), bias = v_set1(finish->bias[f]);
        for (int i = 0; i < n; i++) unpack_columns(&columns[i], sums + columns[i].at[0] * V, scale, bias, out, activation);
    }
}

INLINE void unpack_pixels(const float *sums, size_t sums_plane, int pixels, int filters, const struct prune_finish *finish, float *out, size_t plane, enum prune_activation activation)
{
    for (int f = 0; f < filters; f++, sums += sums_plane, out += plane) {
        vec scale = v_set1(finish->scale[f]), bias = v_set1(finish->bias[f]);
        int i = 0;
        for (; i + V <= pixels; i += V) v_storeu(out + i, v_activate(v_fma(v_load(sums + i), scale, bias), activation));
        if (i < pixels) v_store_n(out + i, v_activate(v_fma(v_load(sums + i), scale, bias), activation), pixels - i);
    }
}

/* With the activation known to the compiler. */
#define FOR_ACTIVATION(call) \
    switch (finish->activation) { \
    case PRUNE_RELU: call(PRUNE_RELU); break; \
    case PRUNE_LEAKY: call(PRUNE_LEAKY); break; \
    case PRUNE_LOGISTIC_ACTIVATION: call(PRUNE_LOGISTIC_ACTIVATION); break; \
    case PRUNE_MISH: call(PRUNE_MISH); break; \
    default: call(PRUNE_LINEAR_ACTIVATION); \
    }

static TARGET void unpack(const struct prune_lane_columns *columns, int n, const float *sums, size_t sums_plane, int filters, const struct prune_finish *finish, float *out,
                          size_t plane)
{
#define CALL(activation) unpack_lanes(columns, n, sums, sums_plane, filters, finish, out, plane, activation)
    FOR_ACTIVATION(CALL)
#undef CALL
}

static TARGET void unpack_flat(const float *sums, size_t sums_plane, int pixels, int filters, const struct prune_finish *finish, float *out, size_t plane)
{
#define CALL(activation) unpack_pixels(sums, sums_plane, pixels, filters, finish, out, plane, activation)
    FOR_ACTIVATION(CALL)
#undef CALL
}

#define CONV_KERNELS { V, MOST_WEIGHT, MOST_BLOCK4, weight_tiles, block4_tiles, pack, pack_flat, unpack, unpack_flat }

#endif
