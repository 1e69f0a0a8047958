/* layers_template.h - the layer kernels, as templates: mean, sum, activation and softmax here, those that move floats about in pool_template.h
 *
 * In and out: layers.h, whose plain twins give the same bits. A simd_*.h comes before. Out as well: LAYER_KERNELS, the table's part.
 */
#ifndef LAYERS_TEMPLATE_H
#define LAYERS_TEMPLATE_H

#include "activate_template.h"
#include "layers.h"
#include "pool_template.h"

enum { SUM_LANES = 16, SUM_VECTORS = SUM_LANES / V };

INLINE int left_of(size_t n, size_t i) { return n - i < V ? (int)(n - i) : V; }

/* The 16 lanes, halved until one is left. */
INLINE float sum_lanes(const vec sums[SUM_VECTORS])
{
    float lanes[SUM_LANES];
    for (int j = 0; j < SUM_VECTORS; j++) v_storeu(lanes + j * V, sums[j]);
    for (int half = SUM_LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
    return lanes[0];
}

static TARGET void KERNEL(avgpool)(int planes, size_t n, const float *in, float *out)
{
    for (int k = 0; k < planes; k++, in += n) {
        vec sums[SUM_VECTORS];
        size_t i = 0;
        for (int j = 0; j < SUM_VECTORS; j++) sums[j] = v_zero();
        for (; n - i >= SUM_LANES; i += SUM_LANES)
            for (int j = 0; j < SUM_VECTORS; j++) sums[j] = v_add(sums[j], v_loadu(in + i + j * V));
        for (int j = 0; j < SUM_VECTORS && i < n; j++, i += V) sums[j] = v_add(sums[j], v_load_n(in + i, left_of(n, i)));
        out[k] = sum_lanes(sums) / (float)n;
    }
}

static TARGET void KERNEL(add)(size_t n, float s1, const float *a, float s2, const float *b, enum prune_activation f, float *out)
{
    vec first = v_set1(s1), second = v_set1(s2);
    size_t i = 0;
    for (; n - i >= V; i += V) v_storeu(out + i, v_activate(v_fma(first, v_loadu(a + i), v_mul(second, v_loadu(b + i))), f));
    if (i < n) {
        int left = left_of(n, i);
        v_store_n(out + i, v_activate(v_fma(first, v_load_n(a + i, left), v_mul(second, v_load_n(b + i, left))), f), left);
    }
}

static TARGET void KERNEL(shortcut)(const struct prune_shortcut *s, int first, int last, const float *add, float *out)
{
    int stride = more(s->w1 / s->w2, 1), sample = more(s->w2 / s->w1, 1), w = fewer(s->w1, s->w2), h = fewer(s->h1, s->h2);
    for (int k = first; k < fewer(last, s->c1); k++)
        for (int y = 0; y < h; y++) {
            const float *from = add + ((size_t)k * (size_t)s->h1 + (size_t)(y * stride)) * (size_t)s->w1;
            float *to = out + ((size_t)k * (size_t)s->h2 + (size_t)(y * sample)) * (size_t)s->w2;
            if (stride == 1 && sample == 1) {
                KERNEL(add)((size_t)w, s->s1, to, s->s2, from, PRUNE_LINEAR_ACTIVATION, to);
                continue;
            }
            for (int x = 0; x < w; x++) to[x * sample] = __builtin_fmaf(s->s1, to[x * sample], s->s2 * from[x * stride]);
        }
}

static TARGET void KERNEL(activate)(size_t n, const float *in, enum prune_activation f, float *out)
{
    size_t i = 0;
    for (; n - i >= V; i += V) v_storeu(out + i, v_activate(v_loadu(in + i), f));
    if (i < n) v_store_n(out + i, v_activate(v_load_n(in + i, left_of(n, i)), f), left_of(n, i));
}

static TARGET void KERNEL(softmax)(size_t n, const float *in, float temperature, float *out)
{
    vec most = v_set1(-FLT_MAX), t = v_set1(temperature), sums[SUM_VECTORS];
    float lanes[V], largest = -FLT_MAX, sum;
    size_t i = 0;
    for (; n - i >= V; i += V) most = v_max(v_loadu(in + i), most);
    for (; i < n; i++) largest = in[i] > largest ? in[i] : largest;
    v_storeu(lanes, most);
    for (int j = 0; j < V; j++) largest = lanes[j] > largest ? lanes[j] : largest;

    most = v_set1(largest / temperature);
    for (int j = 0; j < SUM_VECTORS; j++) sums[j] = v_zero();
    for (i = 0; i < n; i += SUM_LANES)
        for (int j = 0; j < SUM_VECTORS; j++) {
            size_t at = i + (size_t)(j * V);
            if (at >= n) break;
            int left = left_of(n, at);
            vec e = v_exp(v_sub(v_div(v_load_left(in + at, left), t), most));
            v_store_left(out + at, e, left);
            sums[j] = v_add(sums[j], left < V ? v_load_n(out + at, left) : e);     /* lanes beyond the end hold e^-most */
        }
    sum = sum_lanes(sums);
    t = v_set1(sum);
    for (i = 0; i < n; i += V) v_store_left(out + i, v_div(v_load_left(out + i, left_of(n, i)), t), left_of(n, i));
}

#define LAYER_KERNELS { \
    .maxpool = KERNEL(maxpool), .avgpool = KERNEL(avgpool), .upsample = KERNEL(upsample), .add = KERNEL(add), .shortcut = KERNEL(shortcut), .activate = KERNEL(activate), \
    .reorg = KERNEL(reorg), .softmax = KERNEL(softmax), \
}

#endif
