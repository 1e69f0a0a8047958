/* train_plain.c - the plain twins of the training kernels: what they compute, bit for bit
 *
 * In and out: train.h; v is V, the lanes of a vector. Scalar, and never called where a vector kernel is: simple is worth more than fast here.
 */
#include "train.h"

#include <float.h>
#include <math.h>
#include <string.h>

float prune_derivative_of_plain(float out, enum prune_activation f)
{
    switch ((int)f) {
    case PRUNE_RELU: return out > 0 ? 1 : 0;
    case PRUNE_LEAKY: return out > 0 ? 1 : .1f;
    case PRUNE_LOGISTIC_ACTIVATION: return out * (1 - out);
    default: return 1;
    }
}

float prune_derivative_plain(float y, enum prune_activation f)
{
    return prune_derivative_of_plain(f == PRUNE_LOGISTIC_ACTIVATION ? prune_activate_plain(y, f) : y, f);
}

/* ------------------------------------------------------------------------------------------------- planes and sums -- */

static float joined(const float sums[4]) { return (sums[0] + sums[1]) + (sums[2] + sums[3]); }

/* Of one lane: x[0], x[v], x[2 v] .. */
static float sum_of(int v, const float *x, int pixels)
{
    float sums[4] = { 0 };
    for (int i = 0; i < pixels; i++) sums[i % 4] += x[(size_t)i * (size_t)v];
    return joined(sums);
}

static float squares_of(int v, const float *x, int pixels, float mean)
{
    float sums[4] = { 0 };
    for (int i = 0; i < pixels; i++) {
        float d = x[(size_t)i * (size_t)v] - mean;
        sums[i % 4] = fmaf(d, d, sums[i % 4]);
    }
    return joined(sums);
}

static size_t in_planes(int v, const struct prune_vectors *shape) { return (size_t)shape->planes * (size_t)v; }

/* Where the plane's lane begins; number: plane * v + lane */
static size_t start_of(int v, const struct prune_vectors *shape, int block, size_t number)
{
    size_t plane = (size_t)block * (size_t)shape->planes + number / (size_t)v;
    return plane * (size_t)shape->pixels * (size_t)v + number % (size_t)v;
}

/* ----------------------------------------------------------------------------------------- batch normalisation, bias -- */

void prune_moments_plain(int v, const struct prune_vectors *shape, const float *x, float *mean, float *m2)
{
    float n = (float)shape->pixels;
    for (size_t k = 0; k < in_planes(v, shape); k++) {
        mean[k] = m2[k] = 0;
        for (int b = 0; b < shape->blocks; b++) {
            const float *from = x + start_of(v, shape, b, k);
            float before = (float)b, after = (float)(b + 1), own = sum_of(v, from, shape->pixels) * (1 / n), d = own - mean[k];
            mean[k] += d * (1 / after);
            m2[k] += squares_of(v, from, shape->pixels, own) + d * d * (n * before / after);
        }
    }
}

static float normalised(float x, const float *scale, const float *shift, size_t k) { return scale ? fmaf(x, scale[k], shift[k]) : x + shift[k]; }

void prune_normalise_plain(int v, const struct prune_vectors *shape, const float *x, const float *scale, const float *shift, enum prune_activation f, const float *mask, float *out)
{
    for (int b = 0; b < shape->blocks; b++)
        for (size_t k = 0; k < in_planes(v, shape); k++)
            for (int i = 0; i < shape->pixels; i++) {
                size_t at = start_of(v, shape, b, k) + (size_t)i * (size_t)v;
                out[at] = prune_activate_plain(normalised(x[at], scale, shift, k), f);
                if (mask) out[at] *= mask[k % (size_t)v];
            }
}

void prune_normalise_sums_plain(int v, const struct prune_vectors *shape, const float *x, const float *delta, const float *scale, const float *shift, enum prune_activation f,
                                const float *mean, float *sums, float *products)
{
    for (size_t k = 0; k < in_planes(v, shape); k++) {
        sums[k] = products[k] = 0;
        for (int b = 0; b < shape->blocks; b++) {
            float of_g[4] = { 0 }, of_products[4] = { 0 };
            for (int i = 0; i < shape->pixels; i++) {
                size_t at = start_of(v, shape, b, k) + (size_t)i * (size_t)v;
                float g = delta[at] * prune_derivative_plain(normalised(x[at], scale, shift, k), f);
                of_g[i % 4] += g;
                of_products[i % 4] = fmaf(g, x[at] - mean[k], of_products[i % 4]);
            }
            sums[k] += joined(of_g);
            products[k] += joined(of_products);
        }
    }
}

void prune_normalise_back_plain(int v, const struct prune_vectors *shape, const float *x, const float *scale, const float *shift, enum prune_activation f, const float *mean,
                                const float *a, const float *b, const float *c, const float *mask, float *delta)
{
    for (int block = 0; block < shape->blocks; block++)
        for (size_t k = 0; k < in_planes(v, shape); k++)
            for (int i = 0; i < shape->pixels; i++) {
                size_t at = start_of(v, shape, block, k) + (size_t)i * (size_t)v;
                float g = delta[at] * prune_derivative_plain(normalised(x[at], scale, shift, k), f);
                delta[at] = fmaf(a[k], g, fmaf(b[k], x[at] - mean[k], c[k]));
                if (mask) delta[at] *= mask[k % (size_t)v];
            }
}

void prune_activate_back_plain(int v, const struct prune_vectors *shape, const float *out, enum prune_activation f, float *delta, float *sums)
{
    size_t n = (size_t)shape->blocks * in_planes(v, shape) * (size_t)shape->pixels;
    for (size_t i = 0; i < n; i++) delta[i] *= prune_derivative_of_plain(out[i], f);
    for (size_t k = 0; sums && k < in_planes(v, shape); k++) {
        sums[k] = 0;
        for (int b = 0; b < shape->blocks; b++) sums[k] += sum_of(v, delta + start_of(v, shape, b, k), shape->pixels);
    }
}

/* --------------------------------------------------------------------------------------------------------- pooling -- */

/* Place n of a window (row by row), in floats from the plane's start; 0 if it is outside of the plane. */
static int find_place(int v, const struct prune_pool *pool, int out_y, int out_x, int n, size_t *at)
{
    int y = out_y * pool->stride - pool->pad / 2 + n / pool->size, x = out_x * pool->stride - pool->pad / 2 + n % pool->size;
    *at = ((size_t)y * (size_t)pool->w + (size_t)x) * (size_t)v;
    return y >= 0 && y < pool->h && x >= 0 && x < pool->w;
}

static float largest(int v, const struct prune_pool *pool, int out_y, int out_x, const float *plane)
{
    float most = -FLT_MAX;
    size_t at;
    for (int n = 0; n < pool->size * pool->size; n++)
        if (find_place(v, pool, out_y, out_x, n, &at) && plane[at] > most) most = plane[at];
    return most;
}

void prune_train_maxpool_plain(int v, const struct prune_pool *pool, int planes, const float *in, float *out)
{
    size_t n_in = (size_t)pool->w * (size_t)pool->h * (size_t)v;
    for (int p = 0; p < planes; p++, in += n_in)
        for (int y = 0; y < pool->out_h; y++)
            for (int x = 0; x < pool->out_w; x++)
                for (int lane = 0; lane < v; lane++) *out++ = largest(v, pool, y, x, in + lane);
}

static void give_back(int v, const struct prune_pool *pool, int out_y, int out_x, const float *plane, float most, float delta, float *in_delta)
{
    size_t at;
    for (int n = 0; n < pool->size * pool->size; n++) {
        if (!find_place(v, pool, out_y, out_x, n, &at) || plane[at] != most) continue;
        in_delta[at] += delta;
        return;
    }
}

void prune_train_maxpool_back_plain(int v, const struct prune_pool *pool, int planes, const float *in, const float *out, const float *delta, int first, float *in_delta)
{
    size_t n_in = (size_t)pool->w * (size_t)pool->h * (size_t)v;
    if (first) memset(in_delta, 0, (size_t)planes * n_in * sizeof *in_delta);
    for (int p = 0; p < planes; p++, in += n_in, in_delta += n_in)
        for (int y = 0; y < pool->out_h; y++)
            for (int x = 0; x < pool->out_w; x++)
                for (int lane = 0; lane < v; lane++) give_back(v, pool, y, x, in + lane, *out++, *delta++, in_delta + lane);
}

void prune_train_avgpool_plain(int v, int planes, int pixels, const float *in, float *out)
{
    for (int k = 0; k < planes * v; k++) out[k] = sum_of(v, in + (size_t)(k / v) * (size_t)pixels * (size_t)v + k % v, pixels) * (1 / (float)pixels);
}

void prune_train_avgpool_back_plain(int v, int planes, int pixels, const float *delta, int first, float *in_delta)
{
    for (int p = 0; p < planes; p++, delta += v)
        for (int i = 0; i < pixels; i++)
            for (int lane = 0; lane < v; lane++, in_delta++) {
                float share = delta[lane] * (1 / (float)pixels);
                *in_delta = first ? share : *in_delta + share;
            }
}

/* ------------------------------------------------------------------------------------------------ updates, layouts -- */

void prune_update_plain(size_t n, float decay, float rate, float momentum, float *weights, float *updates)
{
    for (size_t i = 0; i < n; i++) {
        updates[i] += -decay * weights[i];
        weights[i] += rate * updates[i];
        updates[i] *= momentum;
    }
}

void prune_to_vectors_plain(int v, const float *plain, size_t stride, size_t n, int lanes, float *vectors)
{
    for (size_t i = 0; i < n; i++)
        for (int lane = 0; lane < v; lane++) *vectors++ = lane < lanes ? plain[(size_t)lane * stride + i] : 0;
}

void prune_from_vectors_plain(int v, const float *vectors, size_t n, int lanes, int add, float *plain, size_t stride)
{
    for (size_t i = 0; i < n; i++)
        for (int lane = 0; lane < lanes; lane++) {
            float *to = &plain[(size_t)lane * stride + i], value = vectors[i * (size_t)v + (size_t)lane];
            *to = add ? *to + value : value;
        }
}

void prune_exchange_plain(int v, const float *in, size_t in_stride, int in_rows, size_t n, int add, float *out, size_t out_stride, int out_rows)
{
    for (size_t i = 0; i < n; i++)
        for (int j = 0; j < out_rows; j++)
            for (int k = 0; k < v; k++) {
                float *to = &out[(size_t)j * out_stride + i * (size_t)v + (size_t)k];
                float value = k < in_rows ? in[(size_t)k * in_stride + i * (size_t)v + (size_t)j] : 0;
                *to = add ? *to + value : value;
            }
}
