/* connected_template.h - the kernels of connected.h for one instruction set; included after its simd_*.h */
#ifndef CONNECTED_TEMPLATE_H
#define CONNECTED_TEMPLATE_H

#include "activate_template.h"
#include "connected.h"

#include <string.h>

enum { STRIP_VECTORS = PRUNE_STRIP / V, DENSE_ROWS = 4, AHEAD = 64 };   /* AHEAD: steps that are fetched before their time */

/* ------------------------------------------------------------------------------------------------- input of lanes -- */

/* The window of form weight, loaded whole, and the inputs that V lanes take from it: window[index[lane]].
 * Then inputs of form block4: the four lanes 4i .. 4i + 3 take x[index[i]]. */
#if V == 16
typedef struct { vec x[PRUNE_WINDOW_WEIGHT / V]; } v_window;

INLINE v_window v_open_window(const float *x)
{
    v_window w;
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) w.x[i] = v_loadu(x + i * V);
    return w;
}

INLINE vec v_pick(const v_window *w, const uint8_t *index)      /* vpermi2ps looks at the lowest 5 bits */
{
    __m512i i = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)index));
    __mmask16 odd = _mm512_test_epi32_mask(i, _mm512_set1_epi32(32)), high = _mm512_test_epi32_mask(i, _mm512_set1_epi32(64));
    vec a = _mm512_permutex2var_ps(w->x[0], i, w->x[1]), b = _mm512_permutex2var_ps(w->x[2], i, w->x[3]);
    vec c = _mm512_permutex2var_ps(w->x[4], i, w->x[5]), d = _mm512_permutex2var_ps(w->x[6], i, w->x[7]);
    return _mm512_mask_blend_ps(high, _mm512_mask_blend_ps(odd, a, b), _mm512_mask_blend_ps(odd, c, d));
}

INLINE vec v_spread4(const float *x, const uint16_t *index)
{
    vec y = v_set1(x[index[0]]);
    y = _mm512_mask_broadcastss_ps(y, 0x00f0, _mm_load_ss(x + index[1]));
    y = _mm512_mask_broadcastss_ps(y, 0x0f00, _mm_load_ss(x + index[2]));
    return _mm512_mask_broadcastss_ps(y, 0xf000, _mm_load_ss(x + index[3]));
}
#elif V == 8
typedef const float *v_window;

INLINE v_window v_open_window(const float *x) { return x; }

INLINE __m128 v_pick4(const float *x, const uint8_t *index)
{
    __m128 y = _mm_insert_ps(_mm_load_ss(x + index[0]), _mm_load_ss(x + index[1]), 0x10);
    return _mm_insert_ps(_mm_insert_ps(y, _mm_load_ss(x + index[2]), 0x20), _mm_load_ss(x + index[3]), 0x30);
}
INLINE vec v_pick(const v_window *w, const uint8_t *index) { return _mm256_set_m128(v_pick4(*w, index + 4), v_pick4(*w, index)); }
INLINE vec v_spread4(const float *x, const uint16_t *index) { return _mm256_blend_ps(v_set1(x[index[0]]), v_set1(x[index[1]]), 0xf0); }
#else
typedef const float *v_window;

INLINE v_window v_open_window(const float *x) { return x; }
INLINE vec v_pick(const v_window *w, const uint8_t *index)
{
    vec y = vld1q_dup_f32(*w + index[0]);
    y = vld1q_lane_f32(*w + index[1], y, 1);
    y = vld1q_lane_f32(*w + index[2], y, 2);
    return vld1q_lane_f32(*w + index[3], y, 3);
}
INLINE vec v_spread4(const float *x, const uint16_t *index) { return vld1q_dup_f32(x + index[0]); }
#endif

/* -------------------------------------------------------------------------------------------------------- kernels -- */

/* The last pass over a strip; lanes whose row is not below `outputs` have none. */
static TARGET void connected_finish(const float sums[PRUNE_STRIP], const uint32_t rows[PRUNE_STRIP], uint32_t outputs, const struct prune_finish *finish, float *output)
{
    float scale[PRUNE_STRIP], bias[PRUNE_STRIP], out[PRUNE_STRIP];
    for (int i = 0; i < PRUNE_STRIP; i++) {
        uint32_t row = rows[i] < outputs ? rows[i] : 0;
        scale[i] = finish->scale ? finish->scale[row] : 1;
        bias[i] = finish->bias[row];
    }
    for (int i = 0; i < PRUNE_STRIP; i += V) v_storeu(out + i, v_activate(v_fma(v_loadu(sums + i), v_loadu(scale + i), v_loadu(bias + i)), finish->activation));
    for (int i = 0; i < PRUNE_STRIP; i++)
        if (rows[i] < outputs) output[rows[i]] = out[i];
}

/* `n` rows at once, so that memory has several streams to read and an input is loaded once for all. */
INLINE void connected_dense_rows(const float *weights, const float *input, int inputs, float *sums, const int n)
{
    vec acc[DENSE_ROWS][STRIP_VECTORS];
    size_t row = (size_t)inputs;
    int i = 0;
    for (int r = 0; r < n; r++)
        for (int k = 0; k < STRIP_VECTORS; k++) acc[r][k] = v_zero();
    for (; i + 16 <= inputs; i += 16)
#pragma GCC unroll 4
        for (int k = 0; k < STRIP_VECTORS; k++) {
            vec x = v_loadu(input + i + k * V);
            v_keep(x);
#pragma GCC unroll 4
            for (int r = 0; r < n; r++) acc[r][k] = v_fma(v_loadu(weights + (size_t)r * row + i + k * V), x, acc[r][k]);
        }
    if (i < inputs)
        for (int k = 0; k < STRIP_VECTORS; k++) {
            int left = inputs - i - k * V, lanes = left < 0 ? 0 : left < V ? left : V;
            for (int r = 0; r < n; r++) acc[r][k] = v_fma(v_load_n(weights + (size_t)r * row + i + k * V, lanes), v_load_n(input + i + k * V, lanes), acc[r][k]);
        }
    for (int r = 0; r < n; r++) {
        float parts[16];
        for (int k = 0; k < STRIP_VECTORS; k++) v_storeu(parts + k * V, acc[r][k]);
        for (int half = 8; half; half /= 2)
            for (int k = 0; k < half; k++) parts[k] += parts[k + half];
        sums[r] = parts[0];
    }
}

static TARGET void KERNEL(connected_dense)(const struct prune_connected *connected, const float *input, const struct prune_finish *finish, float *output, int first, int last)
{
    for (int s = first; s < last; s++) {
        float sums[PRUNE_STRIP] = { 0 };
        uint32_t rows[PRUNE_STRIP];
        int left = connected->outputs - s * PRUNE_STRIP, n = left < PRUNE_STRIP ? left : PRUNE_STRIP, r = 0;
        const float *weights = connected->weights + (size_t)s * PRUNE_STRIP * (size_t)connected->inputs;
        for (; r + DENSE_ROWS <= n; r += DENSE_ROWS) connected_dense_rows(weights + (size_t)r * (size_t)connected->inputs, input, connected->inputs, sums + r, DENSE_ROWS);
        for (; r < n; r++) connected_dense_rows(weights + (size_t)r * (size_t)connected->inputs, input, connected->inputs, sums + r, 1);
        for (int i = 0; i < PRUNE_STRIP; i++) rows[i] = (uint32_t)(s * PRUNE_STRIP + i);
        connected_finish(sums, rows, (uint32_t)connected->outputs, finish, output);
    }
}

INLINE void connected_sparse(const struct prune_connected *connected, const float *input, const struct prune_finish *finish, float *output, int first, int last, const int block4)
{
    float few[PRUNE_WINDOW_WEIGHT] = { 0 };
    if (connected->inputs < PRUNE_WINDOW_WEIGHT) input = memcpy(few, input, (size_t)connected->inputs * sizeof *few);
    const size_t index_step = block4 ? PRUNE_STRIP / 4 * sizeof(uint16_t) : PRUNE_STRIP;
    const uint8_t *indices = block4 ? (const uint8_t *)connected->far : connected->near;
    for (int s = first; s < last; s++) {
        vec acc[STRIP_VECTORS];
        float sums[PRUNE_STRIP];
        for (int k = 0; k < STRIP_VECTORS; k++) acc[k] = v_zero();
        for (size_t step = connected->starts[s]; step < connected->starts[s + 1]; step += PRUNE_WINDOW_STEPS) {
            const float *x = input + connected->windows[step / PRUNE_WINDOW_STEPS], *values = connected->values + step * PRUNE_STRIP;
            const uint8_t *index = indices + step * index_step;
            v_window window = { 0 };
            if (!block4) window = v_open_window(x);
            __builtin_prefetch((const void *)((uintptr_t)index + AHEAD * index_step));
#pragma GCC unroll 4
            for (int i = 0; i < PRUNE_WINDOW_STEPS; i++, values += PRUNE_STRIP, index += index_step) {
                __builtin_prefetch((const void *)((uintptr_t)values + AHEAD * PRUNE_STRIP * sizeof *values));
#pragma GCC unroll 4
                for (int k = 0; k < STRIP_VECTORS; k++)
                    acc[k] = v_fma(v_load(values + k * V), block4 ? v_spread4(x, (const uint16_t *)(const void *)index + k * V / 4) : v_pick(&window, index + k * V), acc[k]);
            }
        }
        for (int k = 0; k < STRIP_VECTORS; k++) v_storeu(sums + k * V, acc[k]);
        connected_finish(sums, connected->rows + s * PRUNE_STRIP, (uint32_t)connected->outputs, finish, output);
    }
}

static TARGET void KERNEL(connected_weight)(const struct prune_connected *connected, const float *input, const struct prune_finish *finish, float *output, int first, int last)
{
    connected_sparse(connected, input, finish, output, first, last, 0);
}

static TARGET void KERNEL(connected_block4)(const struct prune_connected *connected, const float *input, const struct prune_finish *finish, float *output, int first, int last)
{
    connected_sparse(connected, input, finish, output, first, last, 1);
}

#define CONNECTED_KERNELS { KERNEL(connected_dense), KERNEL(connected_weight), KERNEL(connected_block4) }

#endif
