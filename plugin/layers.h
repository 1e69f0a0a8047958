/* layers.h - the layers beside convolutional and connected ones, in inference: pooling, upsample, shortcut, reorg, softmax, activations
 *
 * In: planes of floats as Darknet keeps them, (c, h, w), neither padded nor aligned. Out: the same. A call works on some planes, or some floats, so that threads share a layer; calls on
 * parts of a layer give the same bits as one call for the whole layer. Arrays must not overlap unless "in place" is said; then `out` may be the very array named.
 *
 * Every kernel is there for each instruction set (struct prune_layer_kernels) and as a plain twin, which says what it computes, bit for bit; NaN stays NaN, but its bits are not promised.
 * Multiply-adds are rounded once. The 16 lanes of a sum: lane i adds up elements i, i + 16, i + 32 ... of the array, then lane i takes lane i + 8, then i + 4, i + 2, i + 1.
 */
#ifndef LAYERS_H
#define LAYERS_H

#include "prune.h"

struct prune_pool {             /* a maxpool layer: planes (h, w) to planes (out_h, out_w) */
    int w, h, out_w, out_h;
    int size, stride;
    int pad;                    /* Darknet's: the first window starts at -(pad / 2) */
};

struct prune_shortcut {         /* as shortcut_cpu: (c1, h1, w1) is added to (c2, h2, w2) */
    int w1, h1, c1, w2, h2, c2;
    float s1, s2;               /* out = s1 out + s2 add */
};

struct prune_reorg {            /* as reorg_cpu: (c, h, w) and (c / stride^2, h stride, w stride); c must be a multiple of stride^2 */
    int w, h, c, stride;
    int forward;                /* 1 (a reversed layer): from (c, h, w) to the other; 0: from the other to (c, h, w). In both, Darknet puts the layer's input shape as (c, h, w). */
};

struct prune_layer_kernels {
    /* Largest of each window; a place outside of the plane, NaN and -inf count as -FLT_MAX; of equal ones the first. in (planes, h, w), out (planes, out_h, out_w). */
    void (*maxpool)(const struct prune_pool *pool, int planes, const float *in, float *out);

    /* Mean of each plane: the sum in 16 lanes, divided by n. in (planes, n), out (planes). */
    void (*avgpool)(int planes, size_t n, const float *in, float *out);

    /* out[y][x] = scale * in[y / stride][x / stride]. in (planes, h, w), out (planes, h stride, w stride). */
    void (*upsample)(int planes, int w, int h, int stride, float scale, const float *in, float *out);

    /* out = f(s1 a + (s2 b)), n floats; the product in brackets is rounded. In place of a or of b. */
    void (*add)(size_t n, float s1, const float *a, float s2, const float *b, enum prune_activation f, float *out);

    /* out = s1 out + (s2 add) where add has a place and a channel for it, in channels first <= k < last of out. add (c1, h1, w1), out (c2, h2, w2) whole. No activation. */
    void (*shortcut)(const struct prune_shortcut *shortcut, int first, int last, const float *add, float *out);

    /* out = f(in), n floats. In place. f must be a fused one. */
    void (*activate)(size_t n, const float *in, enum prune_activation f, float *out);

    /* Whole arrays; planes first <= k < last of the output: of c with forward 0, else of c / stride^2. */
    void (*reorg)(const struct prune_reorg *reorg, int first, int last, const float *in, float *out);

    /* e^(in / t - largest / t), divided by their sum, which is in 16 lanes; n floats. In place. About 1e-6 from Darknet's, which adds one by one. */
    void (*softmax)(size_t n, const float *in, float temperature, float *out);
};

/* e^x, x first held between the least and the most, whose powers are 0 and infinity: n = x log2(e), rounded, and a polynomial in r = x - n ln(2), P0 r^7 + P1 r^6 .. + r + 1 (Cephes's
 * expf). */
#define EXP_LEAST -120.f
#define EXP_MOST 100.f
#define EXP_LOG2_E 1.44269504f
#define EXP_LN2_HIGH 0x1.62e430p-1f
#define EXP_LN2_LOW -0x1.05c610p-29f
#define EXP_P0 1.9875691500e-4f
#define EXP_P1 1.3981999507e-3f
#define EXP_P2 8.3334519073e-3f
#define EXP_P3 4.1665795894e-2f
#define EXP_P4 1.6666665459e-1f
#define EXP_P5 5.0000001201e-1f

/* Whether kernels know it: linear, relu, leaky, logistic, mish. */
int prune_activation_fused(enum prune_activation a);

/* f(x) for the fused ones. Logistic and mish are within 4 ulp of the exact value everywhere, infinities and denormal results included (mish(-inf) = -0). Leaky is 0.1f * x for x <= 0;
 * relu of -0 is -0. NaN stays NaN. */
float prune_activate_plain(float x, enum prune_activation a);

void prune_maxpool_plain(const struct prune_pool *pool, int planes, const float *in, float *out);
void prune_avgpool_plain(int planes, size_t n, const float *in, float *out);
void prune_upsample_plain(int planes, int w, int h, int stride, float scale, const float *in, float *out);
void prune_add_plain(size_t n, float s1, const float *a, float s2, const float *b, enum prune_activation f, float *out);
void prune_shortcut_plain(const struct prune_shortcut *shortcut, int first, int last, const float *add, float *out);
void prune_activate_array_plain(size_t n, const float *in, enum prune_activation f, float *out);
void prune_reorg_plain(const struct prune_reorg *reorg, int first, int last, const float *in, float *out);
void prune_softmax_plain(size_t n, const float *in, float temperature, float *out);

#endif
