/* conv_plain.c - convolution as a sum of products: the twin of all kernels of conv.h
 *
 * In: weights (n, c / groups, size, size), input (c, h, w). Out: output (n, out_h, out_w). Slow; what it gives is the definition.
 */
#include "conv.h"
#include "layers.h"

#include <math.h>

static float sum_at(const struct prune_conv_shape *s, const float *weights, const float *in, int n, int y, int x)
{
    int channels = s->c / s->groups, first = n / (s->n / s->groups) * channels;
    float sum = 0;
    for (int c = 0; c < channels; c++)
        for (int ky = 0; ky < s->size; ky++)
            for (int kx = 0; kx < s->size; kx++) {
                int in_y = y * s->stride + ky - s->pad, in_x = x * s->stride + kx - s->pad;
                float weight = weights[(((size_t)n * (size_t)channels + (size_t)c) * (size_t)s->size + (size_t)ky) * (size_t)s->size + (size_t)kx];
                if (in_y < 0 || in_y >= s->h || in_x < 0 || in_x >= s->w) continue;
                sum = fmaf(weight, in[((size_t)(first + c) * (size_t)s->h + (size_t)in_y) * (size_t)s->w + (size_t)in_x], sum);
            }
    return sum;
}

void prune_conv_plain(const struct prune_conv_shape *shape, const struct prune_numbers *numbers, const float *in, float *out)
{
    for (int n = 0; n < shape->n; n++)
        for (int y = 0; y < shape->out_h; y++)
            for (int x = 0; x < shape->out_w; x++) {
                float sum = sum_at(shape, numbers->weights, in, n, y, x);
                *out++ = prune_activate_plain(fmaf(sum, numbers->scale ? numbers->scale[n] : 1, numbers->bias[n]), numbers->activation);
            }
}
