/* train_plain_conv.c - dense convolutions in training: the twins of train_dense.c
 *
 * In: weights (n, c / groups, size, size), images (n, c, h, w) in Darknet's order. Out: outputs and both gradients. Slow; what they give is the definition: sums in double, rounded
 * once.
 */
#include "train_dense.h"

/* One weight and the plane that it is used on. */
struct use {
    int filter, channel;        /* of all, not of the group */
    int ky, kx;
};

static size_t use_of(const struct prune_conv_shape *shape, int filter, int channel, int ky, int kx, struct use *use)
{
    int channels = shape->c / shape->groups;
    *use = (struct use){ filter, filter / (shape->n / shape->groups) * channels + channel, ky, kx };
    return (((size_t)filter * (size_t)channels + (size_t)channel) * (size_t)shape->size + (size_t)ky) * (size_t)shape->size + (size_t)kx;
}

/* Where output (y, x) of an image finds its input by that weight; negative: in the padding. */
static ptrdiff_t input_of(const struct prune_conv_shape *shape, const struct use *use, int y, int x)
{
    int row = y * shape->stride + use->ky - shape->pad, column = x * shape->stride + use->kx - shape->pad;
    if (row < 0 || row >= shape->h || column < 0 || column >= shape->w) return -1;
    return ((ptrdiff_t)use->channel * shape->h + row) * shape->w + column;
}

static size_t inputs_of(const struct prune_conv_shape *shape)
{
    return (size_t)shape->c * (size_t)shape->h * (size_t)shape->w;
}

static size_t outputs_of(const struct prune_conv_shape *shape)
{
    return (size_t)shape->n * (size_t)shape->out_h * (size_t)shape->out_w;
}

static size_t output_at(const struct prune_conv_shape *shape, int filter, int y, int x)
{
    return ((size_t)filter * (size_t)shape->out_h + (size_t)y) * (size_t)shape->out_w + (size_t)x;
}

static double output_sum(const struct prune_conv_shape *shape, const float *weights, const float *in, int filter, int y, int x)
{
    double sum = 0;
    for (int channel = 0; channel < shape->c / shape->groups; channel++)
        for (int ky = 0; ky < shape->size; ky++)
            for (int kx = 0; kx < shape->size; kx++) {
                struct use use;
                size_t weight = use_of(shape, filter, channel, ky, kx, &use);
                ptrdiff_t input = input_of(shape, &use, y, x);
                if (input >= 0) sum += (double)weights[weight] * (double)in[input];
            }
    return sum;
}

void prune_train_conv_plain(const struct prune_conv_shape *shape, int images, const float *weights, const float *in, float *out)
{
    for (int image = 0; image < images; image++, in += inputs_of(shape), out += outputs_of(shape))
        for (int filter = 0; filter < shape->n; filter++)
            for (int y = 0; y < shape->out_h; y++)
                for (int x = 0; x < shape->out_w; x++) out[output_at(shape, filter, y, x)] = (float)output_sum(shape, weights, in, filter, y, x);
}

/* From all outputs that read the input at (row, column) of a channel. */
static double input_sum(const struct prune_conv_shape *shape, const float *weights, const float *delta, int channel, int row, int column)
{
    int filters = shape->n / shape->groups, channels = shape->c / shape->groups, first = channel / channels * filters;
    double sum = 0;
    for (int filter = first; filter < first + filters; filter++)
        for (int ky = 0; ky < shape->size; ky++)
            for (int kx = 0; kx < shape->size; kx++) {
                int y = row + shape->pad - ky, x = column + shape->pad - kx;    /* times stride */
                if (y < 0 || x < 0 || y % shape->stride || x % shape->stride || y / shape->stride >= shape->out_h || x / shape->stride >= shape->out_w) continue;
                struct use use;
                size_t weight = use_of(shape, filter, channel % channels, ky, kx, &use);
                sum += (double)weights[weight] * (double)delta[output_at(shape, filter, y / shape->stride, x / shape->stride)];
            }
    return sum;
}

void prune_train_conv_back_input_plain(const struct prune_conv_shape *shape, int images, const float *weights, const float *delta, float *in_delta)
{
    for (int image = 0; image < images; image++, delta += outputs_of(shape))
        for (int channel = 0; channel < shape->c; channel++)
            for (int row = 0; row < shape->h; row++)
                for (int column = 0; column < shape->w; column++) *in_delta++ = (float)input_sum(shape, weights, delta, channel, row, column);
}

static double weight_sum(const struct prune_conv_shape *shape, int images, const float *in, const float *delta, const struct use *use)
{
    double sum = 0;
    for (int image = 0; image < images; image++, in += inputs_of(shape), delta += outputs_of(shape))
        for (int y = 0; y < shape->out_h; y++)
            for (int x = 0; x < shape->out_w; x++) {
                ptrdiff_t input = input_of(shape, use, y, x);
                if (input >= 0) sum += (double)in[input] * (double)delta[output_at(shape, use->filter, y, x)];
            }
    return sum;
}

void prune_train_conv_back_weights_plain(const struct prune_conv_shape *shape, int images, const float *in, const float *delta, float *updates)
{
    for (int filter = 0; filter < shape->n; filter++)
        for (int channel = 0; channel < shape->c / shape->groups; channel++)
            for (int ky = 0; ky < shape->size; ky++)
                for (int kx = 0; kx < shape->size; kx++) {
                    struct use use;
                    size_t weight = use_of(shape, filter, channel, ky, kx, &use);
                    updates[weight] = (float)((double)updates[weight] + weight_sum(shape, images, in, delta, &use));
                }
}
