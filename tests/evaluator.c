/* evaluator.c - a plain, slow forward pass for the tests, in double precision
 *
 * In: a graph and where its numbers are. Out: every layer's output for one image.
 *
 * The other side of "masked equals compact", written after what Darknet's forward functions compute and not after the plugin: it shares only the shapes
 * (struct prune_node) and the reader of cfg keys with it. tests/integration/evaluator.sh compares it with an unpatched Darknet.
 */
#include "evaluator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct step {                   /* one layer at work */
    const struct prune_graph *graph;
    const struct prune_node *node;
    const struct prune_params *params;
    const double *in;
    double *const *outputs;     /* of the layers before */
    double *out;                /* zeros */
};

static int whole_key(const struct step *step, const char *name, int fallback)
{
    int value;
    return prune_cfg_int(step->graph->cfg, step->node->section, name, fallback, &value) ? fallback : value;
}

static double real_key(const struct step *step, const char *name, float fallback)
{
    float value;
    return prune_cfg_float(step->graph->cfg, step->node->section, name, fallback, &value) ? (double)fallback : (double)value;
}

/* ----------------------------------------------------------------------------------------------------- activations -- */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double stair(double x)
{
    double n = floor(x);
    return fmod(n, 2) == 0 ? floor(x / 2) : x - n + floor(x / 2);
}

static double activated(enum prune_activation activation, double x)
{
    switch (activation) {
    case PRUNE_LINEAR_ACTIVATION: return x;
    case PRUNE_LOGISTIC_ACTIVATION: return sigmoid(x);
    case PRUNE_LOGGY: return 2 * sigmoid(x) - 1;
    case PRUNE_RELU: return x > 0 ? x : 0;
    case PRUNE_ELU: return x >= 0 ? x : exp(x) - 1;
    case PRUNE_SELU: return x >= 0 ? 1.0507 * x : 1.0507 * 1.6732 * (exp(x) - 1);
    case PRUNE_RELIE: return x > 0 ? x : .01 * x;
    case PRUNE_RAMP: return x > 0 ? 1.1 * x : .1 * x;
    case PRUNE_LEAKY:
    case PRUNE_REVLEAKY: return x > 0 ? x : .1 * x;
    case PRUNE_TANH: return tanh(x);
    case PRUNE_PLSE: return x < -4 ? .01 * (x + 4) : x > 4 ? .01 * (x - 4) + 1 : .125 * x + .5;
    case PRUNE_STAIR: return stair(x);
    case PRUNE_HARDTAN: return x < -1 ? -1 : x > 1 ? 1 : x;
    case PRUNE_LHTAN: return x < 0 ? .001 * x : x > 1 ? .001 * (x - 1) + 1 : x;
    case PRUNE_SWISH: return x * sigmoid(x);
    case PRUNE_MISH: return x * tanh(log1p(exp(x)));
    case PRUNE_HARD_MISH: return x > 0 ? x : x > -2 ? x * x / 2 + x : 0;
    case PRUNE_GELU: return .5 * x * (1 + tanh(.797885 * x + .035677 * x * x * x));
    case PRUNE_RELU6: return x < 0 ? 0 : x > 6 ? 6 : x;
    case PRUNE_NORM_CHANNELS:
    case PRUNE_NORM_CHANNELS_SOFTMAX:
    case PRUNE_NORM_CHANNELS_SOFTMAX_MAXVAL: break;
    }
    return NAN;
}

/* The activations that divide by a sum over all channels of a place. */
static void normalize_channels(enum prune_activation activation, double *x, int channels, size_t places)
{
    for (size_t p = 0; p < places; p++) {
        double sum = .0001, largest = 0;
        if (activation == PRUNE_NORM_CHANNELS_SOFTMAX_MAXVAL) {
            largest = -INFINITY;
            for (int c = 0; c < channels; c++) largest = fmax(largest, x[(size_t)c * places + p]);
        }
        for (int c = 0; c < channels; c++) {
            double *value = &x[(size_t)c * places + p];
            *value = activation == PRUNE_NORM_CHANNELS ? fmax(*value, 0) : exp(*value - largest);
            sum += *value;
        }
        for (int c = 0; c < channels; c++) x[(size_t)c * places + p] /= sum;
    }
}

static void activate_all(const struct step *step, double *x, size_t n, int channels)
{
    enum prune_activation activation = step->node->activation;
    if (activation >= PRUNE_NORM_CHANNELS) {
        normalize_channels(activation, x, channels, n / (size_t)channels);
        return;
    }
    for (size_t i = 0; i < n; i++) x[i] = activated(activation, x[i]);
}

/* ---------------------------------------------------------------------------------------------- layers with weights -- */

/* Batch-norm, or the biases alone. The forks differ in where the epsilon stands. */
static void normalize(const struct step *step, double *x, int channels, size_t places)
{
    const struct prune_params *params = step->params;
    int normalized = step->node->batch_normalize || step->node->kind == PRUNE_BATCHNORM;
    for (int c = 0; c < channels; c++) {
        double bias = params->biases ? (double)params->biases[c] : 0, scale = 1, mean = 0;
        if (normalized) {
            double variance = (double)params->variances[c];
            double deviation = step->graph->dialect == PRUNE_ALEXEYAB ? sqrt(variance + .00001) : sqrt(variance) + .000001;
            scale = (double)params->scales[c] / deviation;
            mean = (double)params->means[c];
        }
        for (size_t p = 0; p < places; p++) {
            double *value = &x[(size_t)c * places + p];
            *value = (*value - mean) * scale + bias;
        }
    }
}

/* One filter's kernel of one input channel, over a whole image. */
struct kernel {
    int size, dilation, stride_x, stride_y, pad_x, pad_y;
    int w, h, out_w, out_h;
};

static void convolve(const struct kernel *k, const double *in, const double *weights, double *out)
{
    for (int ky = 0; ky < k->size; ky++) {
        for (int kx = 0; kx < k->size; kx++) {
            double weight = weights[ky * k->size + kx];
            for (int y = 0; y < k->out_h; y++) {
                int from_y = y * k->stride_y + ky * k->dilation - k->pad_y;
                if (from_y < 0 || from_y >= k->h) continue;
                for (int x = 0; x < k->out_w; x++) {
                    int from_x = x * k->stride_x + kx * k->dilation - k->pad_x;
                    if (from_x >= 0 && from_x < k->w) out[y * k->out_w + x] += weight * in[from_y * k->w + from_x];
                }
            }
        }
    }
}

/* The fixed blur behind a layer with antialiasing=1 (3x3, padded) or 2 (2x2, not padded), channel by channel. `x` is (channels, h, w). */
static void blur(const struct step *step, const double *x, int w, int h)
{
    static const double three[9] = { 1 / 16., 2 / 16., 1 / 16., 2 / 16., 4 / 16., 2 / 16., 1 / 16., 2 / 16., 1 / 16. };
    static const double two[4] = { .25, .25, .25, .25 };
    const struct prune_node *node = step->node;
    int small = node->antialiasing == 2;
    struct kernel k = { .size = small ? 2 : 3, .dilation = 1, .stride_x = node->stride_x, .stride_y = node->stride_y, .pad_x = !small, .pad_y = !small,
                        .w = w, .h = h, .out_w = node->out_w, .out_h = node->out_h };
    for (int c = 0; c < node->out_c; c++)
        convolve(&k, x + (size_t)c * (size_t)w * (size_t)h, small ? two : three, step->out + (size_t)c * (size_t)node->out_w * (size_t)node->out_h);
}

static int convolutional(const struct step *step)
{
    const struct prune_node *node = step->node;
    int size = node->size, dilation = size == 1 ? 1 : node->dilation, per_group = node->c / node->groups, filters = node->filters / node->groups;
    int pad = node->pad, reach = dilation * (size - 1) + 1;
    struct kernel k = { .size = size, .dilation = dilation, .stride_x = node->stride_x, .stride_y = node->stride_y, .pad_x = pad, .pad_y = pad,
                        .w = node->w, .h = node->h };
    if (node->antialiasing) k.stride_x = k.stride_y = 1;
    k.out_w = (node->w + 2 * pad - reach) / k.stride_x + 1;
    k.out_h = (node->h + 2 * pad - reach) / k.stride_y + 1;
    if (!node->antialiasing && (k.out_w != node->out_w || k.out_h != node->out_h)) return PRUNE_ERR_SHAPE;
    size_t places = (size_t)k.out_w * (size_t)k.out_h, n = places * (size_t)node->filters, taps = (size_t)(size * size);
    double *sums = calloc(n, sizeof *sums), *kernel = calloc(taps, sizeof *kernel);
    if (!sums || !kernel) {
        free(sums);
        free(kernel);
        return PRUNE_ERR_NOMEM;
    }
    for (int f = 0; f < node->filters; f++) {
        for (int c = 0; c < per_group; c++) {
            for (size_t t = 0; t < taps; t++) kernel[t] = (double)step->params->weights[((size_t)f * (size_t)per_group + (size_t)c) * taps + t];
            convolve(&k, step->in + (size_t)(f / filters * per_group + c) * (size_t)node->w * (size_t)node->h, kernel, sums + (size_t)f * places);
        }
    }
    normalize(step, sums, node->filters, places);
    activate_all(step, sums, n, node->filters);
    if (node->antialiasing) blur(step, sums, k.out_w, k.out_h);
    else memcpy(step->out, sums, n * sizeof *sums);
    free(sums);
    free(kernel);
    return PRUNE_OK;
}

/* Every input lays its kernel, times its value, onto the output. */
static int deconvolutional(const struct step *step)
{
    const struct prune_node *node = step->node;
    int size = node->size;
    for (int c = 0; c < node->c; c++)
        for (int y = 0; y < node->h; y++)
            for (int x = 0; x < node->w; x++)
                for (int f = 0; f < node->filters; f++)
                    for (int ky = 0; ky < size; ky++)
                        for (int kx = 0; kx < size; kx++) {
                            int to_y = y * node->stride + ky - node->pad, to_x = x * node->stride + kx - node->pad;
                            if (to_y < 0 || to_x < 0 || to_y >= node->out_h || to_x >= node->out_w) continue;
                            double weight = (double)step->params->weights[((c * node->filters + f) * size + ky) * size + kx];
                            step->out[(f * node->out_h + to_y) * node->out_w + to_x] += weight * step->in[(c * node->h + y) * node->w + x];
                        }
    normalize(step, step->out, node->filters, (size_t)node->out_w * (size_t)node->out_h);
    activate_all(step, step->out, node->outputs, node->filters);
    return PRUNE_OK;
}

static int connected(const struct step *step)
{
    const struct prune_node *node = step->node;
    for (size_t o = 0; o < node->outputs; o++)
        for (size_t i = 0; i < node->inputs; i++) step->out[o] += (double)step->params->weights[o * node->inputs + i] * step->in[i];
    normalize(step, step->out, (int)node->outputs, 1);
    activate_all(step, step->out, node->outputs, (int)node->outputs);
    return PRUNE_OK;
}

static int local(const struct step *step)
{
    const struct prune_node *node = step->node;
    int size = node->size, places = node->out_w * node->out_h;
    for (int p = 0; p < places; p++)
        for (int f = 0; f < node->filters; f++) {
            double sum = (double)step->params->biases[f * places + p];
            for (int c = 0; c < node->c; c++)
                for (int ky = 0; ky < size; ky++)
                    for (int kx = 0; kx < size; kx++) {
                        int y = p / node->out_w * node->stride + ky - node->pad, x = p % node->out_w * node->stride + kx - node->pad;
                        if (y < 0 || x < 0 || y >= node->h || x >= node->w) continue;
                        size_t at = (((size_t)(p * node->filters + f) * (size_t)node->c + (size_t)c) * (size_t)size + (size_t)ky) * (size_t)size + (size_t)kx;
                        sum += (double)step->params->weights[at] * step->in[(c * node->h + y) * node->w + x];
                    }
            step->out[f * places + p] = sum;
        }
    activate_all(step, step->out, node->outputs, node->filters);
    return PRUNE_OK;
}

static int batchnorm(const struct step *step)
{
    const struct prune_node *node = step->node;
    memcpy(step->out, step->in, node->outputs * sizeof *step->out);
    normalize(step, step->out, node->c, (size_t)node->w * (size_t)node->h);
    return PRUNE_OK;
}

static int implicit(const struct step *step)
{
    for (size_t i = 0; i < step->node->outputs; i++) step->out[i] = (double)step->params->weights[i];
    return PRUNE_OK;
}

/* --------------------------------------------------------------------------------------------------------- pooling -- */

static int maxpool_depth(const struct step *step)
{
    const struct prune_node *node = step->node;
    int places = node->w * node->h;
    for (int p = 0; p < places; p++)
        for (int o = 0; o < node->out_c; o++) {
            double largest = -INFINITY;
            for (int c = o; c < node->c; c += node->out_c) largest = fmax(largest, step->in[c * places + p]);
            step->out[o * places + p] = largest;
        }
    return PRUNE_OK;
}

/* Maximum or average over windows; places in the padding do not count. */
static int pool(const struct step *step, int average)
{
    const struct prune_node *node = step->node;
    if (!average && whole_key(step, "maxpool_depth", 0)) return maxpool_depth(step);
    int stride_x = node->antialiasing ? 1 : node->stride_x, stride_y = node->antialiasing ? 1 : node->stride_y;
    int w = (node->w + node->pad - node->size) / stride_x + 1, h = (node->h + node->pad - node->size) / stride_y + 1;
    double *pooled = calloc((size_t)w * (size_t)h * (size_t)node->c, sizeof *pooled);
    if (!pooled) return PRUNE_ERR_NOMEM;
    for (int c = 0; c < node->c; c++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                double largest = -INFINITY, sum = 0;
                int n = 0;
                for (int ky = 0; ky < node->size; ky++)
                    for (int kx = 0; kx < node->size; kx++) {
                        int from_y = y * stride_y + ky - node->pad / 2, from_x = x * stride_x + kx - node->pad / 2;
                        if (from_y < 0 || from_x < 0 || from_y >= node->h || from_x >= node->w) continue;
                        double value = step->in[(c * node->h + from_y) * node->w + from_x];
                        largest = fmax(largest, value);
                        sum += value;
                        n++;
                    }
                pooled[(c * h + y) * w + x] = average ? sum / n : largest;
            }
    if (node->antialiasing) blur(step, pooled, w, h);
    else memcpy(step->out, pooled, node->outputs * sizeof *pooled);
    free(pooled);
    return PRUNE_OK;
}

static int avgpool(const struct step *step)
{
    const struct prune_node *node = step->node;
    int places = node->w * node->h;
    for (int c = 0; c < node->c; c++) {
        for (int p = 0; p < places; p++) step->out[c] += step->in[c * places + p];
        step->out[c] /= places;
    }
    return PRUNE_OK;
}

/* ------------------------------------------------------------------------------------- layers that move numbers about -- */

static int identity(const struct step *step)
{
    memcpy(step->out, step->in, step->node->outputs * sizeof *step->out);
    return PRUNE_OK;
}

/* From the middle, and from 0..1 to -1..1 unless noadjust. */
static int crop(const struct step *step)
{
    const struct prune_node *node = step->node;
    int left = (node->w - node->out_w) / 2, top = (node->h - node->out_h) / 2, noadjust = whole_key(step, "noadjust", 0);
    for (int c = 0; c < node->c; c++)
        for (int y = 0; y < node->out_h; y++)
            for (int x = 0; x < node->out_w; x++) {
                double value = step->in[(c * node->h + y + top) * node->w + x + left];
                step->out[(c * node->out_h + y) * node->out_w + x] = noadjust ? value : 2 * value - 1;
            }
    return PRUNE_OK;
}

static int route(const struct step *step)
{
    const struct prune_node *node = step->node;
    double *to = step->out;
    for (int f = 0; f < node->n_from; f++) {
        size_t part = step->graph->nodes[node->from[f]].outputs / (size_t)node->groups;
        memcpy(to, step->outputs[node->from[f]] + (size_t)node->group_id * part, part * sizeof *to);
        to += part;
    }
    return to == step->out + node->outputs ? PRUNE_OK : PRUNE_ERR_SHAPE;
}

/* pjreddie's: one input, which may have more or fewer channels (what both have is added) and may be larger or smaller (places are skipped). */
static void add_one(const struct step *step)
{
    const struct prune_node *node = step->node, *from = &step->graph->nodes[node->from[0]];
    const double *add = step->outputs[node->from[0]];
    int stride = from->out_w > node->w ? from->out_w / node->w : 1, sample = node->w > from->out_w ? node->w / from->out_w : 1;
    double alpha = real_key(step, "alpha", 1), beta = real_key(step, "beta", 1);
    for (int c = 0; c < node->c && c < from->out_c; c++)
        for (int y = 0; y < node->h && y < from->out_h; y++)
            for (int x = 0; x < node->w && x < from->out_w; x++) {
                double *sum = &step->out[(c * node->h + y * sample) * node->w + x * sample];
                *sum = alpha * *sum + beta * add[(c * from->out_h + y * stride) * from->out_w + x * stride];
            }
}

/* The weight of input `input` (0: the layer before) for channel `c`. */
static double shortcut_weight(const struct step *step, int input, int c)
{
    const struct prune_node *node = step->node;
    if (!node->n_weights) return 1;
    int blocks = node->per_channel ? node->out_c : 1, at = node->per_channel ? c : 0;
    const float *weights = step->params->weights + at;
    double sum = .0001, largest = -INFINITY, weight = (double)weights[input * blocks];
    for (int i = 0; i <= node->n_from; i++) largest = fmax(largest, (double)weights[i * blocks]);
    for (int i = 0; i <= node->n_from; i++) sum += node->normalization == 1 ? fmax((double)weights[i * blocks], 0) : exp((double)weights[i * blocks] - largest);
    if (node->normalization == 1) return fmax(weight, 0) / sum;
    if (node->normalization == 2) return exp(weight - largest) / sum;
    return weight;
}

/* AlexeyAB's: several inputs of one size, perhaps with weights; alpha and beta are not known there. */
static void add_several(const struct step *step)
{
    const struct prune_node *node = step->node;
    int places = node->w * node->h;
    for (int c = 0; c < node->c; c++) {
        double own = shortcut_weight(step, 0, c);
        for (int p = 0; p < places; p++) step->out[c * places + p] *= own;
        for (int f = 0; f < node->n_from; f++) {
            if (c >= step->graph->nodes[node->from[f]].out_c) continue;
            double weight = shortcut_weight(step, f + 1, c);
            for (int p = 0; p < places; p++) step->out[c * places + p] += weight * step->outputs[node->from[f]][c * places + p];
        }
    }
}

static int shortcut(const struct step *step)
{
    identity(step);
    if (step->graph->dialect == PRUNE_ALEXEYAB || step->node->n_from > 1 || step->node->n_weights) add_several(step);
    else add_one(step);
    activate_all(step, step->out, step->node->outputs, step->node->out_c);
    return PRUNE_OK;
}

/* Backwards it adds up what lies over each place. */
static int upsample(const struct step *step)
{
    const struct prune_node *node = step->node;
    int by = abs(node->stride);
    double scale = real_key(step, "scale", 1);
    int large_w = node->reverse ? node->w : node->out_w, large_h = node->reverse ? node->h : node->out_h;
    int small_w = large_w / by, small_h = large_h / by;
    for (int c = 0; c < node->c; c++)
        for (int y = 0; y < large_h; y++)
            for (int x = 0; x < large_w; x++) {
                int large = (c * large_h + y) * large_w + x, small = (c * small_h + y / by) * small_w + x / by;
                if (node->reverse) step->out[small] += scale * step->in[large];
                else step->out[large] = scale * step->in[small];
            }
    return PRUNE_OK;
}

/* Darknet's one formula behind all of them, on flat arrays: place (x, y) of `wide` channel k and a place of an image that is `stride` times as large and has
 * c / stride^2 channels. reorg calls it with its input's sizes and so reads its input as if it were such an image, which mixes channels; reorg3d calls it
 * with its output's, which is a plain space-to-depth. */
static int reorganize(const struct step *step, int w, int h, int c, int to_large)
{
    int stride = step->node->stride, few = c / (stride * stride);
    if (few < 1) return PRUNE_ERR_UNSUPPORTED;
    for (int k = 0; k < c; k++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                int small = (k * h + y) * w + x, offset = k / few;
                int large = (k % few * h * stride + y * stride + offset / stride) * w * stride + x * stride + offset % stride;
                if (to_large) step->out[large] = step->in[small];
                else step->out[small] = step->in[large];
            }
    return PRUNE_OK;
}

static int reorg(const struct step *step)
{
    const struct prune_node *node = step->node;
    int places = node->w * node->h, known = step->graph->dialect != PRUNE_ALEXEYAB;
    if (known && whole_key(step, "flatten", 0)) {
        for (int c = 0; c < node->c; c++)
            for (int p = 0; p < places; p++) {
                if (node->reverse) step->out[c * places + p] = step->in[p * node->c + c];
                else step->out[p * node->c + c] = step->in[c * places + p];
            }
        return PRUNE_OK;
    }
    if (known && whole_key(step, "extra", 0)) {
        memcpy(step->out, step->in, node->inputs * sizeof *step->in);
        return PRUNE_OK;
    }
    return reorganize(step, node->w, node->h, node->c, node->reverse);
}

/* ---------------------------------------------------------------------------------------------------- elementwise -- */

static int activation_layer(const struct step *step)
{
    identity(step);
    activate_all(step, step->out, step->node->outputs, step->node->out_c ? step->node->out_c : (int)step->node->outputs);
    return PRUNE_OK;
}

static int logistic(const struct step *step)
{
    for (size_t i = 0; i < step->node->outputs; i++) step->out[i] = sigmoid(step->in[i]);
    return PRUNE_OK;
}

static int softmax(const struct step *step)
{
    const struct prune_node *node = step->node;
    if (prune_cfg_find(node->section, "tree")) return PRUNE_ERR_UNSUPPORTED;
    double temperature = real_key(step, "temperature", 1);
    size_t n = node->inputs / (size_t)node->groups;
    for (size_t g = 0; g < (size_t)node->groups; g++) {
        const double *in = step->in + g * n;
        double largest = -INFINITY, sum = 0;
        for (size_t i = 0; i < n; i++) largest = fmax(largest, in[i]);
        for (size_t i = 0; i < n; i++) sum += exp((in[i] - largest) / temperature);
        for (size_t i = 0; i < n; i++) step->out[g * n + i] = exp((in[i] - largest) / temperature) / sum;
    }
    return PRUNE_OK;
}

static int l2norm(const struct step *step)
{
    const struct prune_node *node = step->node;
    int places = node->w * node->h;
    for (int p = 0; p < places; p++) {
        double sum = 0;
        for (int c = 0; c < node->c; c++) sum += step->in[c * places + p] * step->in[c * places + p];
        for (int c = 0; c < node->c; c++) step->out[c * places + p] = step->in[c * places + p] / sqrt(sum);
    }
    return PRUNE_OK;
}

/* A running sum over neighbouring channels. As Darknet starts it, the channel at size/2 never comes in, though it goes out later. */
static int normalization(const struct step *step)
{
    const struct prune_node *node = step->node;
    int places = node->w * node->h, size = node->size;
    double alpha = real_key(step, "alpha", .0001f), beta = real_key(step, "beta", .75f), kappa = real_key(step, "kappa", 1);
    for (int p = 0; p < places; p++) {
        double sum = kappa;
        for (int c = 0; c < size / 2; c++) sum += alpha * step->in[c * places + p] * step->in[c * places + p];
        for (int c = 0; c < node->c; c++) {
            int leaves = c - (size - 1) / 2 - 1, enters = c + size / 2;
            if (c && leaves >= 0) sum -= alpha * step->in[leaves * places + p] * step->in[leaves * places + p];
            if (c && enters < node->c) sum += alpha * step->in[enters * places + p] * step->in[enters * places + p];
            step->out[c * places + p] = step->in[c * places + p] * pow(sum, -beta);
        }
    }
    return PRUNE_OK;
}

/* scale_channels and sam: the layer named times the one before, which has one number per channel, per place, or per both. */
static int multiply(const struct step *step)
{
    const struct prune_node *node = step->node;
    const double *from = step->outputs[node->from[0]];
    size_t places = (size_t)node->out_w * (size_t)node->out_h;
    for (size_t i = 0; i < node->outputs; i++) {
        size_t at = node->kind == PRUNE_SAM ? i : node->scale_wh ? i % places : i / places;
        step->out[i] = step->in[at] * from[i];
    }
    activate_all(step, step->out, node->outputs, node->out_c);
    return PRUNE_OK;
}

/* ----------------------------------------------------------------------------------------------------------- public -- */

static int run(const struct step *step)
{
    const struct prune_node *node = step->node;
    switch (node->kind) {
    case PRUNE_CONVOLUTIONAL: return convolutional(step);
    case PRUNE_DECONVOLUTIONAL: return deconvolutional(step);
    case PRUNE_CONNECTED: return connected(step);
    case PRUNE_LOCAL: return local(step);
    case PRUNE_BATCHNORM: return batchnorm(step);
    case PRUNE_IMPLICIT: return implicit(step);
    case PRUNE_MAXPOOL: return pool(step, 0);
    case PRUNE_LOCAL_AVGPOOL: return pool(step, 1);
    case PRUNE_AVGPOOL: return avgpool(step);
    case PRUNE_SOFTMAX: return softmax(step);
    case PRUNE_CROP: return crop(step);
    case PRUNE_ROUTE: return route(step);
    case PRUNE_SHORTCUT: return shortcut(step);
    case PRUNE_UPSAMPLE: return upsample(step);
    case PRUNE_REORG: return reorg(step);
    case PRUNE_REORG3D: return reorganize(step, node->out_w, node->out_h, node->out_c, node->reverse);
    case PRUNE_ACTIVATION: return activation_layer(step);
    case PRUNE_LOGISTIC: return logistic(step);
    case PRUNE_L2NORM: return l2norm(step);
    case PRUNE_NORMALIZATION: return normalization(step);
    case PRUNE_SCALE_CHANNELS:
    case PRUNE_SAM: return multiply(step);
    case PRUNE_DROPOUT:
    case PRUNE_COST:
    case PRUNE_EMPTY:
    case PRUNE_DETECTION:
    case PRUNE_REGION:
    case PRUNE_YOLO:
    case PRUNE_GAUSSIAN_YOLO:
    case PRUNE_ISEG: return identity(step);
    case PRUNE_UNKNOWN:
    case PRUNE_RNN:
    case PRUNE_GRU:
    case PRUNE_LSTM:
    case PRUNE_CRNN:
    case PRUNE_CONV_LSTM:
    case PRUNE_HISTORY:
    case PRUNE_CONTRASTIVE: break;
    }
    return PRUNE_ERR_UNSUPPORTED;
}

int prune_evaluate(const struct prune_graph *graph, const struct prune_params *params, const double *input, double **outputs)
{
    int code = PRUNE_OK;
    for (int i = 0; i < graph->n_nodes; i++) outputs[i] = NULL;
    for (int i = 0; i < graph->n_nodes && !code; i++) {
        outputs[i] = calloc(graph->nodes[i].outputs + 1, sizeof **outputs);
        struct step step = { graph, &graph->nodes[i], &params[i], i ? outputs[i - 1] : input, outputs, outputs[i] };
        code = outputs[i] ? run(&step) : PRUNE_ERR_NOMEM;
    }
    if (code) prune_evaluate_free(graph, outputs);
    return code;
}

void prune_evaluate_free(const struct prune_graph *graph, double **outputs)
{
    for (int i = 0; i < graph->n_nodes; i++) {
        free(outputs[i]);
        outputs[i] = NULL;
    }
}
