/* layers_plain.c - the plain twins of the layer kernels: what they compute, bit for bit
 *
 * In and out: layers.h. Scalar, and never called where a vector kernel is: simple is worth more than fast here. A result that depends on an order of sums has it in its
 * docstring; multiply-adds are fmaf, as those of the kernels.
 */
#include "layers.h"

#include <float.h>
#include <math.h>

enum { LANES = 16 };            /* of a sum */

int prune_activation_fused(enum prune_activation a)
{
    return a == PRUNE_LINEAR_ACTIVATION || a == PRUNE_RELU || a == PRUNE_LEAKY || a == PRUNE_LOGISTIC_ACTIVATION || a == PRUNE_MISH;
}

static float scale2(float x, float n) { return x * ldexpf(1, (int)n); }

/* e^x = (what it returns) * 2^*rest. x is no NaN. */
static float exp_parts(float x, float *rest)
{
    x = EXP_LEAST > x ? EXP_LEAST : x;
    x = x > EXP_MOST ? EXP_MOST : x;
    float n = rintf(x * EXP_LOG2_E), half = rintf(n * .5f);
    float r = fmaf(n, -EXP_LN2_LOW, fmaf(n, -EXP_LN2_HIGH, x));
    static const float coefficients[] = { EXP_P0, EXP_P1, EXP_P2, EXP_P3, EXP_P4, EXP_P5, 1, 1 };
    float p = coefficients[0];
    for (int i = 1; i < 8; i++) p = fmaf(p, r, coefficients[i]);
    *rest = n - half;
    return scale2(p, half);
}

static float exp_plain(float x)
{
    float rest, part;
    if (isnan(x)) return x;
    part = exp_parts(x, &rest);
    return scale2(part, rest);
}

static float logistic(float x)
{
    float e = exp_plain(x > 0 ? 0 - x : x);
    return (x > 0 ? 1 : e) / (e + 1);
}

static float mish(float x)
{
    float rest, part, e;
    if (isnan(x)) return x;
    x = EXP_LEAST > x ? EXP_LEAST : x;
    part = exp_parts(x > 0 ? 0 - x : x, &rest);
    e = scale2(part, rest);
    if (x > 0) {
        float up = fmaf(e, 2, 1);
        return x * (up / fmaf(e + e, e, up));
    }
    return scale2(x * part * ((e + 2) / fmaf(e, e + 2, 2)), rest);
}

float prune_activate_plain(float x, enum prune_activation a)
{
    switch ((int)a) {
    case PRUNE_LEAKY: return x > 0 ? x : x * .1f;
    case PRUNE_RELU: return 0 > x ? 0 : x;
    case PRUNE_LOGISTIC_ACTIVATION: return logistic(x);
    case PRUNE_MISH: return mish(x);
    default: return x;
    }
}

void prune_activate_array_plain(size_t n, const float *in, enum prune_activation f, float *out)
{
    for (size_t i = 0; i < n; i++) out[i] = prune_activate_plain(in[i], f);
}

void prune_maxpool_plain(const struct prune_pool *pool, int planes, const float *in, float *out)
{
    int start = -(pool->pad / 2);
    for (int k = 0; k < planes; k++)
        for (int y = 0; y < pool->out_h; y++)
            for (int x = 0; x < pool->out_w; x++) {
                float most = -FLT_MAX;
                for (int n = 0; n < pool->size; n++)
                    for (int m = 0; m < pool->size; m++) {
                        int from_y = start + y * pool->stride + n, from_x = start + x * pool->stride + m;
                        if (from_y < 0 || from_y >= pool->h || from_x < 0 || from_x >= pool->w) continue;
                        float value = in[((size_t)k * (size_t)pool->h + (size_t)from_y) * (size_t)pool->w + (size_t)from_x];
                        most = value > most ? value : most;
                    }
                *out++ = most;
            }
}

static float sum_lanes(float lanes[LANES])
{
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
    return lanes[0];
}

void prune_avgpool_plain(int planes, size_t n, const float *in, float *out)
{
    for (int k = 0; k < planes; k++, in += n) {
        float lanes[LANES] = { 0 };
        for (size_t i = 0; i < n; i++) lanes[i % LANES] += in[i];
        out[k] = sum_lanes(lanes) / (float)n;
    }
}

void prune_upsample_plain(int planes, int w, int h, int stride, float scale, const float *in, float *out)
{
    for (int k = 0; k < planes; k++)
        for (int y = 0; y < h * stride; y++)
            for (int x = 0; x < w * stride; x++) *out++ = scale * in[((size_t)k * (size_t)h + (size_t)(y / stride)) * (size_t)w + (size_t)(x / stride)];
}

void prune_add_plain(size_t n, float s1, const float *a, float s2, const float *b, enum prune_activation f, float *out)
{
    for (size_t i = 0; i < n; i++) out[i] = prune_activate_plain(fmaf(s1, a[i], s2 * b[i]), f);
}

static int least(int a, int b) { return a < b ? a : b; }

void prune_shortcut_plain(const struct prune_shortcut *s, int first, int last, const float *add, float *out)
{
    int stride = s->w1 / s->w2 > 1 ? s->w1 / s->w2 : 1, sample = s->w2 / s->w1 > 1 ? s->w2 / s->w1 : 1;
    for (int k = first; k < least(last, s->c1); k++)
        for (int y = 0; y < least(s->h1, s->h2); y++)
            for (int x = 0; x < least(s->w1, s->w2); x++) {
                const float *from = add + ((size_t)k * (size_t)s->h1 + (size_t)(y * stride)) * (size_t)s->w1 + (size_t)(x * stride);
                float *to = out + ((size_t)k * (size_t)s->h2 + (size_t)(y * sample)) * (size_t)s->w2 + (size_t)(x * sample);
                *to = fmaf(s->s1, *to, s->s2 * *from);
            }
}

void prune_reorg_plain(const struct prune_reorg *r, int first, int last, const float *in, float *out)
{
    int s = r->stride, deep = r->c / (s * s);
    for (int k = 0; k < r->c; k++) {
        int k2 = k % deep, phase = k / deep, plane = r->forward ? k2 : k;
        if (plane < first || plane >= last) continue;
        for (int y = 0; y < r->h; y++)
            for (int x = 0; x < r->w; x++) {
                size_t one = ((size_t)k * (size_t)r->h + (size_t)y) * (size_t)r->w + (size_t)x;
                size_t other = ((size_t)k2 * (size_t)(r->h * s) + (size_t)(y * s + phase / s)) * (size_t)(r->w * s) + (size_t)(x * s + phase % s);
                if (r->forward) out[other] = in[one];
                else out[one] = in[other];
            }
    }
}

void prune_softmax_plain(size_t n, const float *in, float temperature, float *out)
{
    float lanes[LANES] = { 0 }, most = -FLT_MAX, sum;
    for (size_t i = 0; i < n; i++) most = in[i] > most ? in[i] : most;
    for (size_t i = 0; i < n; i++) {
        out[i] = exp_plain(in[i] / temperature - most / temperature);
        lanes[i % LANES] += out[i];
    }
    sum = sum_lanes(lanes);
    for (size_t i = 0; i < n; i++) out[i] /= sum;
}
