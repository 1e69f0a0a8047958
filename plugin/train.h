/* train.h - training over a whole batch: how activations lie in memory, and the kernels that go over them
 *
 * Between layers an array of activations or of their gradients is made of vectors of V floats, [blocks][planes][pixels][V]. What a lane is decides the rest:
 *
 *   PRUNE_PLAIN      Darknet's own (n, c, h, w), without vectors
 *   PRUNE_CHANNELS   lane = channel: blocks = images, planes = c / V rounded up; the lanes behind the last channel hold anything finite. oneDNN's nChw16c and nChw8c.
 *   PRUNE_IMAGES     lane = image: blocks = images / V rounded up, planes = c; the lanes behind the last image hold zeros. A sparse kernel meets each weight with V images at once, whatever
 *                    the plane's size, and no load is misaligned.
 *
 * A connected layer's numbers are planes of one pixel. A kernel sees only vectors, and numbers for each plane and lane, (planes, V); so one kernel does for both. Threads share a layer by
 * blocks: part p of a pool of t works on the images (of PRUNE_IMAGES: on the blocks) from p * n / t to (p + 1) * n / t, in all layers, so that a core finds what it wrote.
 *
 * Every kernel is there for each instruction set (struct prune_train_kernels) and as a plain twin (train_plain.c), which takes V and says what it computes, bit for bit; NaN stays NaN.
 * Arrays are aligned to V floats unless they are PRUNE_PLAIN. Multiply-adds written as fma are rounded once, all else as written.
 */
#ifndef TRAIN_H
#define TRAIN_H

#include "layers.h"
#include "prune.h"

enum prune_layout { PRUNE_PLAIN, PRUNE_CHANNELS, PRUNE_IMAGES };

struct prune_vectors {          /* what a call goes over: whole blocks that follow each other */
    int blocks, planes, pixels;
};

/* f'(y) of linear, relu, leaky and logistic: 1; y > 0 ? 1 : 0; y > 0 ? 1 : .1f; s (1 - s) with s = logistic(y). From f(y) it is the same, with s = f(y). */

struct prune_train_kernels {
    /* Mean and sum of squared distances from it, of each plane and lane, over blocks and pixels. Each block by itself first: its sum in 4 sums (pixel i in sum i mod 4; (s0 + s1) + (s2 + s3)),
     * its mean = sum * (1 / pixels), then the squares of x - mean the same way, by fma; blocks are joined in order as Chan, Golub and LeVeque (1979): with d = mean of the block - mean so far,
     * b blocks before: mean += d * (1 / (b + 1)); m2 += m2 of the block + d * d * (pixels * b / (b + 1)). mean, m2: (planes, V), written. */
    void (*moments)(const struct prune_vectors *shape, const float *x, float *mean, float *m2);

    /* out = f(fma(x, scale, shift)), times mask. scale NULL: f(x + shift). scale, shift: (planes, V); mask: V floats, each 0 or 1, for all vectors, or NULL. In place. */
    void (*normalise)(const struct prune_vectors *shape, const float *x, const float *scale, const float *shift, enum prune_activation f, const float *mask, float *out);

    /* g = delta * f'(fma(x, scale, shift)); sums: of g; products: of g * (x - mean), by fma. Over blocks and pixels: each block in 4 sums as above, blocks in order. (planes, V), written. */
    void (*normalise_sums)(const struct prune_vectors *shape, const float *x, const float *delta, const float *scale, const float *shift, enum prune_activation f, const float *mean,
                           float *sums, float *products);

    /* delta = fma(a, g, fma(b, x - mean, c)), times mask, with g as above. a, b, c, mean: (planes, V). */
    void (*normalise_back)(const struct prune_vectors *shape, const float *x, const float *scale, const float *shift, enum prune_activation f, const float *mean, const float *a,
                           const float *b, const float *c, const float *mask, float *delta);

    /* delta = delta * f'(y), from out = f(y); sums of the new delta as above, or NULL: none. */
    void (*activate_back)(const struct prune_vectors *shape, const float *out, enum prune_activation f, float *delta, float *sums);

    /* Largest of each window, as in layers.h: in (planes, h, w, V), out (planes, out_h, out_w, V). Back: what a window's output got goes to the first place that is equal to its largest value
     * (a place of its window inside the plane; where none is equal, as with NaN, nowhere); in_delta is added to, or with first = 1 written whole. */
    void (*maxpool)(const struct prune_pool *pool, int planes, const float *in, float *out);
    void (*maxpool_back)(const struct prune_pool *pool, int planes, const float *in, const float *out, const float *delta, int first, float *in_delta);

    /* Mean over the pixels of each plane: 4 sums as above, times 1 / pixels. Back: delta * (1 / pixels) is added to each pixel, or written. */
    void (*avgpool)(int planes, int pixels, const float *in, float *out);
    void (*avgpool_back)(int planes, int pixels, const float *delta, int first, float *in_delta);

    /* Darknet's stochastic gradient descent, each step rounded: updates += -decay * weights; weights += rate * updates; updates *= momentum. n floats, not aligned. */
    void (*update)(size_t n, float decay, float rate, float momentum, float *weights, float *updates);

    /* vectors[i][lane] = lane < lanes ? plain[lane * stride + i] : 0, for i < n; and back: plain[lane * stride + i] = vectors[i][lane] for lane < lanes, or += with add = 1. Plain is not aligned;
     * floats of it that are not named are not touched. */
    void (*to_vectors)(const float *plain, size_t stride, size_t n, int lanes, float *vectors);
    void (*from_vectors)(const float *vectors, size_t n, int lanes, int add, float *plain, size_t stride);

    /* Between PRUNE_CHANNELS and PRUNE_IMAGES: out[j * out_stride + i * V + lane k] = k < in_rows ? in[k * in_stride + i * V + lane j] : 0, for i < n and j < out_rows; or +=. Strides in floats. */
    void (*exchange)(const float *in, size_t in_stride, int in_rows, size_t n, int add, float *out, size_t out_stride, int out_rows);
};

void prune_moments_plain(int v, const struct prune_vectors *shape, const float *x, float *mean, float *m2);
void prune_normalise_plain(int v, const struct prune_vectors *shape, const float *x, const float *scale, const float *shift, enum prune_activation f, const float *mask, float *out);
void prune_normalise_sums_plain(int v, const struct prune_vectors *shape, const float *x, const float *delta, const float *scale, const float *shift, enum prune_activation f,
                                const float *mean, float *sums, float *products);
void prune_normalise_back_plain(int v, const struct prune_vectors *shape, const float *x, const float *scale, const float *shift, enum prune_activation f, const float *mean, const float *a,
                                const float *b, const float *c, const float *mask, float *delta);
void prune_activate_back_plain(int v, const struct prune_vectors *shape, const float *out, enum prune_activation f, float *delta, float *sums);
void prune_train_maxpool_plain(int v, const struct prune_pool *pool, int planes, const float *in, float *out);
void prune_train_maxpool_back_plain(int v, const struct prune_pool *pool, int planes, const float *in, const float *out, const float *delta, int first, float *in_delta);
void prune_train_avgpool_plain(int v, int planes, int pixels, const float *in, float *out);
void prune_train_avgpool_back_plain(int v, int planes, int pixels, const float *delta, int first, float *in_delta);
void prune_update_plain(size_t n, float decay, float rate, float momentum, float *weights, float *updates);
void prune_to_vectors_plain(int v, const float *plain, size_t stride, size_t n, int lanes, float *vectors);
void prune_from_vectors_plain(int v, const float *vectors, size_t n, int lanes, int add, float *plain, size_t stride);
void prune_exchange_plain(int v, const float *in, size_t in_stride, int in_rows, size_t n, int add, float *out, size_t out_stride, int out_rows);

/* f'(y); f one of linear, relu, leaky, logistic. */
float prune_derivative_plain(float y, enum prune_activation f);
float prune_derivative_of_plain(float out, enum prune_activation f);    /* the same from out = f(y) */

#endif
