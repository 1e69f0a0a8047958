/* pool_template.h - layers that move floats about, as kernel templates: maxpool, upsample, reorg
 *
 * In and out: layers.h, whose plain twins give the same bits. A simd_*.h comes before.
 *
 * Memory bounds them all, so planes are read and written once, in order. A maxpool first takes the largest along rows, then along columns; both keep the first of equal ones, so the
 * sign of a zero too is as in the twin.
 */
#ifndef POOL_TEMPLATE_H
#define POOL_TEMPLATE_H

#include "layers.h"

#include <float.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------- words -- */

/* v_max: a > b ? a : b, so b where one is NaN. v_evens, v_odds: every other float of a, then b. v_zip_low, v_zip_high: a0 b0 a1 b1 ..., its first and second V floats. */
#if V == 16
INLINE __m512i v_every_other(int first) { return _mm512_add_epi32(_mm512_set1_epi32(first), _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)); }
INLINE __m512i v_zipped(int first) { return _mm512_add_epi32(_mm512_set1_epi32(first), _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)); }
INLINE vec v_max(vec a, vec b) { return _mm512_max_ps(a, b); }
INLINE vec v_evens(vec a, vec b) { return _mm512_permutex2var_ps(a, v_every_other(0), b); }
INLINE vec v_odds(vec a, vec b) { return _mm512_permutex2var_ps(a, v_every_other(1), b); }
INLINE vec v_zip_low(vec a, vec b) { return _mm512_permutex2var_ps(a, v_zipped(0), b); }
INLINE vec v_zip_high(vec a, vec b) { return _mm512_permutex2var_ps(a, v_zipped(8), b); }
#elif V == 8
INLINE vec v_in_order(vec x) { return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(x), 0xd8)); }
INLINE vec v_max(vec a, vec b) { return _mm256_max_ps(a, b); }
INLINE vec v_evens(vec a, vec b) { return v_in_order(_mm256_shuffle_ps(a, b, 0x88)); }
INLINE vec v_odds(vec a, vec b) { return v_in_order(_mm256_shuffle_ps(a, b, 0xdd)); }
INLINE vec v_zip_low(vec a, vec b) { return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x20); }
INLINE vec v_zip_high(vec a, vec b) { return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x31); }
#else
INLINE vec v_max(vec a, vec b) { return v_where_gt(a, b, a, b); }
INLINE vec v_evens(vec a, vec b) { return vuzp1q_f32(a, b); }
INLINE vec v_odds(vec a, vec b) { return vuzp2q_f32(a, b); }
INLINE vec v_zip_low(vec a, vec b) { return vzip1q_f32(a, b); }
INLINE vec v_zip_high(vec a, vec b) { return vzip2q_f32(a, b); }
#endif

INLINE int fewer(int a, int b) { return a < b ? a : b; }
INLINE int more(int a, int b) { return a > b ? a : b; }

/* Lanes of the vector at p of which n floats are left: all of them, or a few, or none. */
INLINE vec v_load_left(const float *p, int n) { return n >= V ? v_loadu(p) : n > 0 ? v_load_n(p, n) : v_zero(); }
INLINE void v_store_left(float *p, vec x, int n)
{
    if (n >= V) v_storeu(p, x);
    else if (n > 0) v_store_n(p, x, n);
}

/* ----------------------------------------------------------------------------------------------------- maxpool -- */

enum {
    POOL_STRIP = 64,            /* columns of the output at a time */
    POOL_LINES = 32,            /* rows of the input at a time: with POOL_STRIP, what the first-level cache holds */
    POOL_SIZE = 16,             /* the largest window that is done in strips */
    POOL_WIDTH = 2 * POOL_STRIP + POOL_SIZE + 2 * V
};

struct pool_strip {
    _Alignas(64) float lines[POOL_LINES][POOL_WIDTH];       /* rows of the input, -FLT_MAX where they end */
    _Alignas(64) float most[POOL_LINES][POOL_STRIP];        /* the largest of the window in each of them */
};

/* Windows of 2 x 2, stride 2, from the first place on: whole ones straight from two rows, and half a one at the end of an odd row. */
static TARGET void pool_pairs(const struct prune_pool *pool, const float *in, float *out)
{
    int whole = fewer(pool->out_w, pool->w / 2);
    vec lowest = v_set1(-FLT_MAX);
    for (int y = 0; y < pool->out_h; y++, in += 2 * pool->w, out += pool->out_w) {
        const float *next = 2 * y + 1 < pool->h ? in + pool->w : in;        /* twice the same row is once */
        for (int x = 0; x < whole; x += V) {
            int left = 2 * (whole - x);
            vec a = v_load_left(in + 2 * x, left), b = v_load_left(in + 2 * x + V, left - V);
            vec c = v_load_left(next + 2 * x, left), d = v_load_left(next + 2 * x + V, left - V);
            vec most = v_max(v_odds(a, b), v_max(v_evens(a, b), lowest));
            v_store_left(out + x, v_max(v_odds(c, d), v_max(v_evens(c, d), most)), whole - x);
        }
        if (whole < pool->out_w) {
            float most = in[2 * whole] > -FLT_MAX ? in[2 * whole] : -FLT_MAX;
            out[whole] = next[2 * whole] > most ? next[2 * whole] : most;
        }
    }
}

/* A row from place x on as a line of `width` floats (a multiple of V). */
INLINE void pool_line(const float *row, int w, int x, int width, float *line)
{
    int first = more(-x, 0), n = fewer(w - x, width) - first;
    for (int i = 0; i < width; i += V) v_store(line + i, v_set1(-FLT_MAX));
    for (int i = 0; i < n; i += V) v_store_left(line + first + i, v_load_left(row + x + first + i, n - i), n - i);
}

INLINE vec pool_window(const float *line, int size)
{
    vec most = v_set1(-FLT_MAX);
    for (int m = 0; m < size; m++) most = v_max(v_loadu(line + m), most);
    return most;
}

INLINE void pool_rows(struct pool_strip *strip, int lines, int columns, int size, int stride)
{
    for (int i = 0; i < lines; i++)
        for (int x = 0; x < columns; x += V) {
            const float *line = strip->lines[i] + x * stride;
            vec most = pool_window(line, size);
            if (stride == 2) most = v_evens(most, pool_window(line + V, size));
            v_store(strip->most[i] + x, most);
        }
}

/* Output columns from `column` on, of rows first <= y < last. */
static TARGET void pool_band(const struct prune_pool *pool, struct pool_strip *strip, const float *in, int column, int columns, int first, int last, float *out)
{
    int start = -(pool->pad / 2), stride = pool->stride, size = pool->size;
    int top = more(start + first * stride, 0), lines = fewer(start + (last - 1) * stride + size, pool->h) - top;
    int width = ((columns + V - 1) / V * V * stride + size + V - 1) / V * V;
    for (int i = 0; i < lines; i++) pool_line(in + (size_t)(top + i) * (size_t)pool->w, pool->w, start + column * stride, width, strip->lines[i]);
    if (stride == 1) {
        if (size == 2) pool_rows(strip, lines, columns, 2, 1);
        else if (size == 5) pool_rows(strip, lines, columns, 5, 1);
        else if (size == 9) pool_rows(strip, lines, columns, 9, 1);
        else if (size == 13) pool_rows(strip, lines, columns, 13, 1);
        else pool_rows(strip, lines, columns, size, 1);
    } else {
        if (size == 3) pool_rows(strip, lines, columns, 3, 2);
        else pool_rows(strip, lines, columns, size, 2);
    }
    for (int y = first; y < last; y++) {
        int from = more(start + y * stride - top, 0), to = fewer(start + y * stride + size - top, lines);
        for (int x = 0; x < columns; x += V) {
            vec most = v_set1(-FLT_MAX);
            for (int i = from; i < to; i++) most = v_max(v_load(strip->most[i] + x), most);
            v_store_left(out + (size_t)y * (size_t)pool->out_w + (size_t)(column + x), most, columns - x);
        }
    }
}

/* Any window, stride and pad. */
static TARGET void pool_any(const struct prune_pool *pool, const float *in, float *out)
{
    int start = -(pool->pad / 2);
    for (int y = 0; y < pool->out_h; y++)
        for (int x = 0; x < pool->out_w; x++) {
            int top = start + y * pool->stride, left = start + x * pool->stride;
            float most = -FLT_MAX;
            for (int n = more(top, 0); n < fewer(top + pool->size, pool->h); n++)
                for (int m = more(left, 0); m < fewer(left + pool->size, pool->w); m++) {
                    float value = in[(size_t)n * (size_t)pool->w + (size_t)m];
                    most = value > most ? value : most;
                }
            *out++ = most;
        }
}

static TARGET void KERNEL(maxpool)(const struct prune_pool *pool, int planes, const float *in, float *out)
{
    struct pool_strip strip;
    int pairs = pool->size == 2 && pool->stride == 2 && pool->pad / 2 == 0 && pool->out_w <= (pool->w + 1) / 2 && pool->out_h <= (pool->h + 1) / 2;
    int strips = pool->size <= POOL_SIZE && pool->stride <= 2, rows = (POOL_LINES - pool->size) / pool->stride + 1;
    for (int k = 0; k < planes; k++) {
        if (pairs) pool_pairs(pool, in, out);
        else if (!strips) pool_any(pool, in, out);
        else
            for (int x = 0; x < pool->out_w; x += POOL_STRIP)
                for (int y = 0; y < pool->out_h; y += rows) pool_band(pool, &strip, in, x, fewer(POOL_STRIP, pool->out_w - x), y, fewer(y + rows, pool->out_h), out);
        in += (size_t)pool->w * (size_t)pool->h;
        out += (size_t)pool->out_w * (size_t)pool->out_h;
    }
}

/* ---------------------------------------------------------------------------------------------------- upsample -- */

static TARGET void KERNEL(upsample)(int planes, int w, int h, int stride, float scale, const float *in, float *out)
{
    size_t wide = (size_t)w * (size_t)stride;
    vec factor = v_set1(scale);
    for (int y = 0; y < planes * h; y++, in += w, out += wide * (size_t)stride) {      /* a row */
        if (stride == 2) {
            for (int x = 0; x < w; x += V) {
                int left = 2 * (w - x);
                vec row = v_mul(v_load_left(in + x, w - x), factor), low = v_zip_low(row, row), high = v_zip_high(row, row);
                for (int i = 0; i < 2; i++) {
                    v_store_left(out + (size_t)i * wide + 2 * x, low, left);
                    v_store_left(out + (size_t)i * wide + 2 * x + V, high, left - V);
                }
            }
            continue;
        }
        for (int x = 0; x < w; x++)
            for (int i = 0; i < stride; i++) out[x * stride + i] = scale * in[x];
        for (int i = 1; i < stride; i++) memcpy(out + (size_t)i * wide, out, wide * sizeof *out);
    }
}

/* ------------------------------------------------------------------------------------------------------- reorg -- */

/* One of `stride` floats, from the first on. */
INLINE void reorg_take(const float *in, int n, int stride, float *out)
{
    for (int x = 0; x < n; x++) out[x] = in[x * stride];
}

INLINE void reorg_take_pairs(const float *in, int n, int odd, float *out)
{
    for (int x = 0; x < n; x += V) {
        vec a = v_load_left(in + 2 * x, 2 * (n - x)), b = v_load_left(in + 2 * x + V, 2 * (n - x) - V);
        v_store_left(out + x, odd ? v_odds(a, b) : v_evens(a, b), n - x);
    }
}

INLINE void reorg_zip(const float *a, const float *b, int n, float *out)
{
    for (int x = 0; x < n; x += V) {
        vec even = v_load_left(a + x, n - x), odd = v_load_left(b + x, n - x);
        v_store_left(out + 2 * x, v_zip_low(even, odd), 2 * (n - x));
        v_store_left(out + 2 * x + V, v_zip_high(even, odd), 2 * (n - x) - V);
    }
}

static TARGET void KERNEL(reorg)(const struct prune_reorg *r, int first, int last, const float *in, float *out)
{
    int s = r->stride, w = r->w, deep = r->c / (s * s);
    size_t plane = (size_t)w * (size_t)r->h, wide = (size_t)w * (size_t)s;
    for (int k = first; k < last; k++) {
        if (!r->forward) {
            int phase = k / deep;
            for (int y = 0; y < r->h; y++) {
                const float *from = in + (size_t)(k % deep) * plane * (size_t)(s * s) + (size_t)(y * s + phase / s) * wide;
                float *to = out + (size_t)k * plane + (size_t)(y * w);
                if (s == 2) reorg_take_pairs(from, w, phase % 2, to);
                else reorg_take(from + phase % s, w, s, to);
            }
            continue;
        }
        for (int y = 0; y < r->h * s; y++) {
            const float *from = in + (size_t)(y % s * s * deep + k) * plane + (size_t)(y / s * w);      /* the planes of the row's phases are `deep` planes apart */
            float *to = out + (size_t)k * plane * (size_t)(s * s) + (size_t)y * wide;
            if (s == 2) {
                reorg_zip(from, from + (size_t)deep * plane, w, to);
                continue;
            }
            for (int x = 0; x < w; x++)
                for (int i = 0; i < s; i++) to[x * s + i] = from[(size_t)(i * deep) * plane + (size_t)x];
        }
    }
}

#endif
