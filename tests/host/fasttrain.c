/* fasttrain.c - training as Darknet means it, in double precision and plain loops, against what the linked Darknet computes
 *
 * fasttrain check <cfg> <iterations> [<words>]             random images; each iteration begins with the network's own numbers, so that errors don't add up
 * fasttrain masked <cfg> <density> <iterations> [<words>]  with masks that stay: random zeros, a schedule that is through
 * fasttrain stepped <cfg> <iterations> [<words>]           the cfg's own pruning keys; at each step the gradients that the rule looks at are compared too
 * fasttrain same <cfg> <iterations> <threads> [<words>]    a checksum of all that training changes, after so many iterations in all
 *
 * Words: predict        another batch is predicted (and its outputs compared) between iterations
 *        batch=<n>      every second iteration has so many images (not more than the cfg's)
 *        resize=<n>     every second iteration has images so wide and high; also resize=<w>x<h>
 *        change         the surviving weights are changed in place between iterations, another batch is predicted then
 *        clear=<n>      iterations count anew after so many
 *        list=<path>    a line for each weight that a step brings back is added there
 *        sparse=<d>     a layer of a density below <d> is computed sparsely, in place of what the plugin thinks faster; 2: all that have masks
 *        reload=<path>  weights are saved after the first iteration and come back after the third
 *        rule=<n>       masked: the recovery rule, by its number
 *        wrong=<what>   decay, delta, variance or momentum: the double computation makes that mistake, which has to be seen
 *        save=<weights> load=<weights>    same: afterwards, and before
 *
 * The first three print "<layer> <kind> <error> <array>" with a layer's worst array, its error relative to the array's largest magnitude; "loss", "output", "step" and "predicted" in
 * the same form; "distance kink <d>" and "distance pool <d>": how near a value came to a kink of its activation, and a window's largest value to the next, by the layer's root mean
 * square; "others <n>": how many convolutional and connected layers are not run by Darknet's own functions; "fast <n> <m>" and "sparse <n> <m>": how many layers' forward pass the fast path,
 * and of them the sparse one, computed in an iteration: fewest and most. `same` prints the last three too.
 *
 * Before an iteration the biases are moved a little, so that no value lies at a kink, where rounding alone decides about a gradient; images with a tie in a pooling window are drawn
 * anew.
 */
#include "host_training.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define KINK_APART 5e-4         /* wanted, in a layer's root mean squares */
#define POOL_APART 2e-5
#define DRAWS 200

/* Darknet's own, in headers that it keeps to itself. */
void forward_convolutional_layer(layer l, network net);
void forward_connected_layer(layer l, network net);

__typeof__(prune_sparse_conv_crossover) __real_prune_sparse_conv_crossover, __wrap_prune_sparse_conv_crossover;
__typeof__(prune_sparse_conv_forward) __real_prune_sparse_conv_forward, __wrap_prune_sparse_conv_forward;
__typeof__(prune_trained_forward) __real_prune_trained_forward, __wrap_prune_trained_forward;
__typeof__(prune_mask_step) __real_prune_mask_step, __wrap_prune_mask_step;

enum array { WEIGHTS, BIASES, SCALES, WEIGHT_UPDATES, BIAS_UPDATES, SCALE_UPDATES, ROLLING_MEAN, ROLLING_VARIANCE, MEMORY, ARRAYS };
static const char *const array_names[ARRAYS] = { "weights", "biases", "scales", "weight_updates", "bias_updates", "scale_updates", "rolling_mean", "rolling_variance", "memory" };

struct worst {
    double error;
    const char *array;
};

struct twin {                   /* a layer's numbers in double */
    double *arrays[ARRAYS];     /* NULL: the layer has none */
    struct prune_tensor *tensor;
    double *out, *delta, *x, *x_norm, *mean, *variance;
    int *indexes;
    struct worst worst;
};

struct count {                  /* of layers, in an iteration */
    int now, fewest, most;
};

enum wrong { NOTHING, DECAY, DELTA, VARIANCE, MOMENTUM };

struct words {
    int predict, batch, width, height, change, clear, rule;
    enum wrong wrong;
    double sparse;
    const char *save, *load, *reload, *list;
};

static struct reference {
    network *net;
    struct twin *twins;
    double *input, *truth, cost;
    double kink, pool;          /* smallest distances of this draw */
    double worst_kink, worst_pool;
    struct worst loss, output, predicted, step;
    struct count fast, sparse;
    int iterations;
    struct words words;
    unsigned state, seed;       /* of our own numbers, and of Darknet's in this iteration */
} ref;

static void *numbers(size_t n, size_t bytes)
{
    void *array = calloc(n + 1, bytes);
    if (!array) abort();
    return array;
}

static double *doubles(int n) { return numbers((size_t)n, sizeof(double)); }

static double uniform(double low, double high)
{
    ref.state = ref.state * 1664525U + 1013904223U;
    return low + (high - low) * (double)(ref.state >> 8) / (1 << 24);
}

static int has_weights(const layer *l) { return l->type == CONVOLUTIONAL || l->type == CONNECTED; }
static int rows_of(const layer *l) { return l->type == CONVOLUTIONAL ? l->n : l->outputs; }
static int weights_of(const layer *l) { return l->type == CONVOLUTIONAL ? l->nweights : l->outputs * l->inputs; }

static float *floats_of(const layer *l, const struct prune_tensor *tensor, enum array a)
{
    if (!has_weights(l)) return NULL;
    switch (a) {
    case WEIGHTS: return l->weights;
    case BIASES: return l->biases;
    case SCALES: return l->scales;
    case WEIGHT_UPDATES: return l->weight_updates;
    case BIAS_UPDATES: return l->bias_updates;
    case SCALE_UPDATES: return l->scale_updates;
    case ROLLING_MEAN: return l->rolling_mean;
    case ROLLING_VARIANCE: return l->rolling_variance;
    default: return tensor ? tensor->memory : NULL;
    }
}

static int length_of(const layer *l, enum array a) { return a == WEIGHTS || a == WEIGHT_UPDATES || a == MEMORY ? weights_of(l) : rows_of(l); }

static struct prune_tensor *tensor_of(int index)
{
    struct prune *prune = ref.net->prune;
    for (int i = 0; prune && i < prune->n_tensors; i++)
        if (prune->tensors[i].layer == index) return &prune->tensors[i];
    return NULL;
}

static int is_pruned(const struct twin *twin, int weight) { return twin->tensor && !twin->tensor->mask[weight]; }

/* ------------------------------------------------------------------------------------------- from the network and back -- */

static void load_arrays(int index)
{
    const layer *l = &ref.net->layers[index];
    struct twin *twin = &ref.twins[index];
    for (int a = 0; a < ARRAYS; a++) {
        const float *from = floats_of(l, twin->tensor, (enum array)a);
        if (!from) continue;
        for (int i = 0; i < length_of(l, (enum array)a); i++) twin->arrays[a][i] = (double)from[i];
    }
}

static void take(void)
{
    for (int i = 0; i < ref.net->n; i++) {
        const layer *l = &ref.net->layers[i];
        struct twin *twin = &ref.twins[i];
        int n = l->outputs * l->batch, rows = has_weights(l) ? rows_of(l) : 0;
        twin->tensor = tensor_of(i);
        for (int a = 0; a < ARRAYS; a++)
            if (floats_of(l, twin->tensor, (enum array)a)) twin->arrays[a] = doubles(length_of(l, (enum array)a));
        twin->out = l->type == DROPOUT ? twin[-1].out : doubles(n);       /* it works in place */
        twin->delta = l->type == DROPOUT ? twin[-1].delta : doubles(n);
        twin->x = doubles(n);
        twin->x_norm = doubles(n);
        twin->mean = doubles(rows);
        twin->variance = doubles(rows);
        twin->indexes = numbers((size_t)n, sizeof(int));
        load_arrays(i);
    }
    ref.input = doubles(ref.net->inputs * ref.net->batch);
    ref.truth = doubles(ref.net->truths * ref.net->batch);
}

static void give_back(void)
{
    for (int i = 0; i < ref.net->n; i++) {
        struct twin *twin = &ref.twins[i];
        for (int a = 0; a < ARRAYS; a++) free(twin->arrays[a]);
        if (ref.net->layers[i].type != DROPOUT) {
            free(twin->out);
            free(twin->delta);
        }
        free(twin->x);
        free(twin->x_norm);
        free(twin->mean);
        free(twin->variance);
        free(twin->indexes);
        *twin = (struct twin){ .worst = twin->worst };
    }
    free(ref.input);
    free(ref.truth);
}

/* `only`: where it is 0, nothing is compared. */
static void compare(struct worst *worst, const char *name, const float *got, const double *want, int n, const uint8_t *only)
{
    double largest = 0, difference = 0;
    for (int i = 0; i < n; i++) {
        if (only && !only[i]) continue;
        double d = fabs((double)got[i] - want[i]);
        if (!(d <= difference)) difference = isnan(d) ? INFINITY : d;
        largest = fmax(largest, fabs(want[i]));
    }
    double error = difference == 0 ? 0 : difference / largest;
    if (!worst->array || !(error <= worst->error)) *worst = (struct worst){ isnan(error) ? INFINITY : error, name };
}

/* ------------------------------------------------------------------------------------------------------------ forward -- */

static double activate(double x, ACTIVATION f)
{
    switch (f) {
    case LINEAR: return x;
    case RELU: return x > 0 ? x : 0;
    case LEAKY: return x > 0 ? x : .1 * x;
    case LOGISTIC: return 1 / (1 + exp(-x));
    case TANH: return tanh(x);
    case ELU: return x >= 0 ? x : exp(x) - 1;
    default: abort();
    }
}

static double gradient(double out, ACTIVATION f)
{
    switch (f) {
    case LINEAR: return 1;
    case RELU: return out > 0 ? 1 : 0;
    case LEAKY: return out > 0 ? 1 : .1;
    case LOGISTIC: return (1 - out) * out;
    case TANH: return 1 - out * out;
    case ELU: return out >= 0 ? 1 : out + 1;
    default: abort();
    }
}

static double root_mean_square(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum / n) + 1e-30;
}

static void convolve(const layer *l, const double *weights, const double *in, double *out)
{
    int rows = l->n / l->groups, channels = l->c / l->groups;
    for (int b = 0; b < l->batch; b++)
        for (int f = 0; f < l->n; f++)
            for (int c = 0; c < channels; c++)
                for (int ky = 0; ky < l->size; ky++)
                    for (int kx = 0; kx < l->size; kx++) {
                        double w = weights[((f * channels + c) * l->size + ky) * l->size + kx];
                        if (w == 0) continue;
                        const double *plane = in + (b * l->c + f / rows * channels + c) * l->h * l->w;
                        for (int y = 0; y < l->out_h; y++) {
                            int from = y * l->stride + ky - l->pad;
                            if (from < 0 || from >= l->h) continue;
                            double *to = out + ((b * l->n + f) * l->out_h + y) * l->out_w;
                            for (int x = 0; x < l->out_w; x++) {
                                int at = x * l->stride + kx - l->pad;
                                if (at >= 0 && at < l->w) to[x] += w * plane[from * l->w + at];
                            }
                        }
                    }
}

static void connect(const layer *l, const double *weights, const double *in, double *out)
{
    for (int b = 0; b < l->batch; b++)
        for (int o = 0; o < l->outputs; o++)
            for (int i = 0; i < l->inputs; i++) out[b * l->outputs + o] += weights[o * l->inputs + i] * in[b * l->inputs + i];
}

/* Mean and variance of each row over images and pixels, then x_norm, then scale and bias; without training the rolling ones. */
static void normalise(const layer *l, struct twin *twin, int train)
{
    int rows = rows_of(l), pixels = l->outputs / rows, n = l->batch * pixels;
    memcpy(twin->x, twin->out, sizeof(double) * (size_t)(l->outputs * l->batch));
    for (int r = 0; r < rows; r++) {
        double mean = 0, variance = 0;
        for (int b = 0; b < l->batch; b++)
            for (int p = 0; p < pixels; p++) mean += twin->x[(b * rows + r) * pixels + p] / n;
        for (int b = 0; b < l->batch; b++)
            for (int p = 0; p < pixels; p++) variance += pow(twin->x[(b * rows + r) * pixels + p] - mean, 2) / (ref.words.wrong == VARIANCE ? n : n - 1);
        twin->mean[r] = train ? mean : twin->arrays[ROLLING_MEAN][r];
        twin->variance[r] = train ? variance : twin->arrays[ROLLING_VARIANCE][r];
        for (int b = 0; b < l->batch; b++)
            for (int p = 0; p < pixels; p++) {
                int i = (b * rows + r) * pixels + p;
                twin->x_norm[i] = (twin->x[i] - twin->mean[r]) / (sqrt(twin->variance[r]) + .000001);
                twin->out[i] = twin->x_norm[i] * twin->arrays[SCALES][r];
            }
    }
}

static void add_biases(const layer *l, struct twin *twin)
{
    int rows = rows_of(l), pixels = l->outputs / rows;
    for (int i = 0; i < l->outputs * l->batch; i++) twin->out[i] += twin->arrays[BIASES][i / pixels % rows];
}

static void pool_largest(const layer *l, struct twin *twin, const double *in)
{
    double rms = root_mean_square(in, l->inputs * l->batch);
    int offset = -l->pad / 2;
    for (int o = 0; o < l->outputs * l->batch; o++) {
        int x = o % l->out_w, y = o / l->out_w % l->out_h, plane = o / l->out_w / l->out_h;
        double largest = -INFINITY, next = -INFINITY;
        for (int n = 0; n < l->size; n++)
            for (int m = 0; m < l->size; m++) {
                int h = offset + y * l->stride + n, w = offset + x * l->stride + m, at = w + l->w * (h + l->h * plane);
                if (h < 0 || h >= l->h || w < 0 || w >= l->w) continue;
                if (in[at] > largest) {
                    next = largest;
                    largest = in[at];
                    twin->indexes[o] = at;
                } else {
                    next = fmax(next, in[at]);
                }
            }
        twin->out[o] = largest;
        if (next < largest) ref.pool = fmin(ref.pool, (largest - next) / rms);     /* exactly equal ones, as after relu, are equal in float */
    }
}

static void pool_mean(const layer *l, struct twin *twin, const double *in)
{
    for (int o = 0; o < l->outputs * l->batch; o++)
        for (int p = 0; p < l->h * l->w; p++) twin->out[o] += in[o * l->h * l->w + p] / (l->h * l->w);
}

static void softmax_of(const layer *l, struct twin *twin, const double *in)
{
    int n = l->inputs / l->groups;
    for (int g = 0; g < l->groups * l->batch; g++) {
        double largest = -INFINITY, sum = 0;
        for (int i = 0; i < n; i++) largest = fmax(largest, in[g * n + i]);
        for (int i = 0; i < n; i++) sum += twin->out[g * n + i] = exp((in[g * n + i] - largest) / (double)l->temperature);
        for (int i = 0; i < n; i++) twin->out[g * n + i] /= sum;
    }
}

static void route_from(const layer *l, struct twin *twin)
{
    for (int i = 0, offset = 0; i < l->n; offset += l->input_sizes[i++])
        for (int b = 0; b < l->batch; b++)
            memcpy(twin->out + b * l->outputs + offset, ref.twins[l->input_layers[i]].out + b * l->input_sizes[i], sizeof(double) * (size_t)l->input_sizes[i]);
}

/* Darknet draws in this order too. */
static void drop(const layer *l, struct twin *twin)
{
    for (int i = 0; i < l->inputs * l->batch; i++) {
        twin->x[i] = rand_uniform(0, 1) < l->probability ? 0 : (double)l->scale;
        twin->out[i] *= twin->x[i];
    }
}

/* Where an upsampled value comes from. */
static int upsampled(const layer *l, int o)
{
    int x = o % l->out_w, y = o / l->out_w % l->out_h, plane = o / l->out_w / l->out_h;
    return (plane * l->h + y / l->stride) * l->w + x / l->stride;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* By how much all values must move for none to be nearer to 0 than `apart`: the middle of the widest gap near 0 goes there. */
static double shift_of(double *values, int n, double apart)
{
    double nearest = INFINITY, widest = 0, middle = 0;
    int at = 0, reach = n / 8 + 2;
    qsort(values, (size_t)n, sizeof *values, ascending);
    for (int i = 0; i < n; i++) {
        nearest = fmin(nearest, fabs(values[i]));
        at += values[i] < 0;
    }
    if (nearest >= apart) return 0;
    for (int i = at > reach ? at - reach : 0; i + 1 < n && i < at + reach; i++) {
        if (values[i + 1] - values[i] <= widest) continue;
        widest = values[i + 1] - values[i];
        middle = (values[i + 1] + values[i]) / 2;
    }
    return widest >= 2 * apart ? -middle : 10 * apart - values[0];
}

/* Moves biases, in the network too: the layer's own, or those of the linear layer before a shortcut or an activation layer. */
static void move_from_kinks(int index, double rms)
{
    const layer *l = &ref.net->layers[index], *owner = has_weights(l) ? l : l - 1;
    struct twin *twin = &ref.twins[index], *owners = &ref.twins[owner - ref.net->layers];
    if (!has_weights(owner) || (owner != l && owner->activation != LINEAR)) return;
    double slope = l->type == SHORTCUT ? (double)l->alpha : 1;
    int rows = rows_of(owner), pixels = l->outputs / rows, n = l->batch * pixels;
    double *values = doubles(n);
    for (int r = 0; r < rows; r++) {
        for (int i = 0; i < n; i++) values[i] = twin->out[(i / pixels * rows + r) * pixels + i % pixels];
        double shift = shift_of(values, n, KINK_APART * rms), before = (double)owner->biases[r];
        if (shift == 0) continue;
        owner->biases[r] = (float)(before + shift / slope);
        owners->arrays[BIASES][r] = (double)owner->biases[r];
        shift = owners->arrays[BIASES][r] - before;
        for (int i = 0; i < n; i++) {
            int at = (i / pixels * rows + r) * pixels + i % pixels;
            if (owner != l) owners->out[at] += shift;
            twin->out[at] += slope * shift;
        }
    }
    free(values);
}

static void activate_all(int index, int move)
{
    const layer *l = &ref.net->layers[index];
    double *out = ref.twins[index].out, rms = root_mean_square(out, l->outputs * l->batch);
    int kinked = l->activation == RELU || l->activation == LEAKY;
    if (kinked && move) move_from_kinks(index, rms);
    for (int i = 0; i < l->outputs * l->batch; i++) {
        if (kinked && out[i] != 0) ref.kink = fmin(ref.kink, fabs(out[i]) / rms);
        out[i] = activate(out[i], l->activation);
    }
}

static void forward_layer(int index, int train, int move)
{
    const layer *l = &ref.net->layers[index];
    struct twin *twin = &ref.twins[index];
    const double *in = index ? twin[-1].out : ref.input;
    int n = l->outputs * l->batch;
    if (l->type != DROPOUT) memset(twin->out, 0, sizeof(double) * (size_t)n);
    memset(twin->delta, 0, sizeof(double) * (size_t)n);
    switch (l->type) {
    case CONVOLUTIONAL:
    case CONNECTED:
        if (l->type == CONVOLUTIONAL) convolve(l, twin->arrays[WEIGHTS], in, twin->out);
        else connect(l, twin->arrays[WEIGHTS], in, twin->out);
        if (l->batch_normalize) normalise(l, twin, train);
        add_biases(l, twin);
        activate_all(index, move);
        break;
    case MAXPOOL: pool_largest(l, twin, in); break;
    case AVGPOOL: pool_mean(l, twin, in); break;
    case ACTIVE:
        memcpy(twin->out, in, sizeof(double) * (size_t)n);
        activate_all(index, move);
        break;
    case SHORTCUT:
        for (int i = 0; i < n; i++) twin->out[i] = (double)l->alpha * in[i] + (double)l->beta * ref.twins[l->index].out[i];
        activate_all(index, move);
        break;
    case ROUTE: route_from(l, twin); break;
    case UPSAMPLE:
        for (int i = 0; i < n; i++) twin->out[i] = (double)l->scale * in[upsampled(l, i)];
        break;
    case DROPOUT:
        if (train) drop(l, twin);
        break;
    case SOFTMAX: softmax_of(l, twin, in); break;
    case COST: break;
    default:
        fprintf(stderr, "no double twin of layer %d\n", index);
        exit(2);
    }
}

/* Losses, and the gradients that begin there. */
static void judge(int index, double *sum, int *losses)
{
    const layer *l = &ref.net->layers[index];
    struct twin *twin = &ref.twins[index];
    if (l->type != SOFTMAX && l->type != COST) return;
    ++*losses;
    for (int i = 0; i < l->inputs * l->batch; i++) {
        double t = ref.truth[i], p = l->type == SOFTMAX ? twin->out[i] : twin[-1].out[i];
        twin->delta[i] = t - p;
        if (l->type == COST) *sum += (t - p) * (t - p);
        else if (t != 0) *sum -= log(p);
    }
}

static void forward(int train, int move)
{
    double sum = 0;
    int losses = 0;
    ref.kink = ref.pool = INFINITY;
    srand(ref.seed);
    for (int i = 0; i < ref.net->n; i++) {
        forward_layer(i, train, move);
        if (train) judge(i, &sum, &losses);
    }
    ref.cost = sum / losses;
}

/* ----------------------------------------------------------------------------------------------------------- backward -- */

static void activate_back(const layer *l, struct twin *twin)
{
    for (int i = 0; i < l->outputs * l->batch; i++) twin->delta[i] *= gradient(twin->out[i], l->activation);
}

static void normalise_back(const layer *l, struct twin *twin)
{
    int rows = rows_of(l), pixels = l->outputs / rows, n = l->batch * pixels;
    for (int r = 0; r < rows; r++) {
        double sum = 0, product = 0, scale = twin->arrays[SCALES][r], inside = twin->variance[r] + .00001;
        for (int i = 0; i < n; i++) {
            int at = (i / pixels * rows + r) * pixels + i % pixels;
            sum += twin->delta[at];
            product += twin->delta[at] * (twin->x[at] - twin->mean[r]);
            twin->arrays[SCALE_UPDATES][r] += twin->delta[at] * twin->x_norm[at];
        }
        twin->arrays[BIAS_UPDATES][r] += sum;
        double mean_delta = -scale * sum / sqrt(inside), variance_delta = -.5 * scale * product * pow(inside, -1.5);
        for (int i = 0; i < n; i++) {
            int at = (i / pixels * rows + r) * pixels + i % pixels;
            twin->delta[at] = scale * twin->delta[at] / sqrt(inside) + variance_delta * 2 * (twin->x[at] - twin->mean[r]) / n + mean_delta / n;
        }
    }
}

static void biases_back(const layer *l, struct twin *twin)
{
    int rows = rows_of(l), pixels = l->outputs / rows;
    for (int i = 0; i < l->outputs * l->batch; i++) twin->arrays[BIAS_UPDATES][i / pixels % rows] += twin->delta[i];
}

static void convolve_back(const layer *l, struct twin *twin, const double *in, double *in_delta)
{
    int rows = l->n / l->groups, channels = l->c / l->groups;
    for (int b = 0; b < l->batch; b++)
        for (int f = 0; f < l->n; f++)
            for (int c = 0; c < channels; c++)
                for (int ky = 0; ky < l->size; ky++)
                    for (int kx = 0; kx < l->size; kx++) {
                        int weight = ((f * channels + c) * l->size + ky) * l->size + kx, first = (b * l->c + f / rows * channels + c) * l->h * l->w;
                        double w = twin->arrays[WEIGHTS][weight], sum = 0;
                        for (int y = 0; y < l->out_h; y++) {
                            int from = y * l->stride + ky - l->pad;
                            if (from < 0 || from >= l->h) continue;
                            const double *delta = twin->delta + ((b * l->n + f) * l->out_h + y) * l->out_w;
                            for (int x = 0; x < l->out_w; x++) {
                                int at = x * l->stride + kx - l->pad;
                                if (at < 0 || at >= l->w) continue;
                                sum += delta[x] * in[first + from * l->w + at];
                                if (in_delta) in_delta[first + from * l->w + at] += w * delta[x];
                            }
                        }
                        twin->arrays[WEIGHT_UPDATES][weight] += sum;
                    }
}

static void connect_back(const layer *l, struct twin *twin, const double *in, double *in_delta)
{
    for (int b = 0; b < l->batch; b++)
        for (int o = 0; o < l->outputs; o++)
            for (int i = 0; i < l->inputs; i++) {
                double delta = twin->delta[b * l->outputs + o];
                twin->arrays[WEIGHT_UPDATES][o * l->inputs + i] += delta * in[b * l->inputs + i];
                if (in_delta) in_delta[b * l->inputs + i] += delta * twin->arrays[WEIGHTS][o * l->inputs + i];
            }
}

static void roll(const layer *l, struct twin *twin)
{
    for (int r = 0; r < rows_of(l); r++) {
        twin->arrays[ROLLING_MEAN][r] = .99 * twin->arrays[ROLLING_MEAN][r] + .01 * twin->mean[r];
        twin->arrays[ROLLING_VARIANCE][r] = .99 * twin->arrays[ROLLING_VARIANCE][r] + .01 * twin->variance[r];
    }
}

static void weights_back(const layer *l, struct twin *twin, const double *in, double *in_delta)
{
    activate_back(l, twin);
    if (l->batch_normalize) {
        roll(l, twin);
        normalise_back(l, twin);
    } else {
        biases_back(l, twin);
    }
    if (l->type == CONVOLUTIONAL) convolve_back(l, twin, in, in_delta);
    else connect_back(l, twin, in, in_delta);
}

static void route_back(const layer *l, const struct twin *twin)
{
    for (int i = 0, offset = 0; i < l->n; offset += l->input_sizes[i++])
        for (int b = 0; b < l->batch; b++)
            for (int j = 0; j < l->input_sizes[i]; j++) ref.twins[l->input_layers[i]].delta[b * l->input_sizes[i] + j] += twin->delta[b * l->outputs + offset + j];
}

static void backward_layer(int index)
{
    const layer *l = &ref.net->layers[index];
    struct twin *twin = &ref.twins[index];
    const double *in = index ? twin[-1].out : ref.input;
    double *in_delta = index ? twin[-1].delta : NULL;
    int n = l->outputs * l->batch;
    if (has_weights(l)) weights_back(l, twin, in, in_delta);
    if (l->type == ROUTE) route_back(l, twin);
    if (l->type == SHORTCUT || l->type == ACTIVE) activate_back(l, twin);
    for (int i = 0; i < n && in_delta; i++) {
        double delta = twin->delta[i];
        switch (l->type) {
        case MAXPOOL: in_delta[twin->indexes[i]] += delta; break;
        case ACTIVE: in_delta[i] = delta; break;        /* what a later layer had added there is lost, as in Darknet */
        case DROPOUT: in_delta[i] *= twin->x[i]; break;
        case UPSAMPLE: in_delta[upsampled(l, i)] += (double)l->scale * delta; break;
        case SOFTMAX: in_delta[i] += delta; break;
        case COST: in_delta[i] += (double)l->scale * delta; break;
        case SHORTCUT:
            in_delta[i] += (double)l->alpha * delta;
            ref.twins[l->index].delta[i] += (double)l->beta * delta;
            break;
        case AVGPOOL:
            for (int p = 0; p < l->h * l->w; p++) in_delta[i * l->h * l->w + p] += delta / (l->h * l->w);
            break;
        default: break;
        }
    }
    if (ref.words.wrong == DELTA && in_delta && has_weights(l)) in_delta[0] += 1e-3 * fabs(in_delta[0]) + .1 * root_mean_square(in_delta, l->inputs * l->batch);
}

/* ------------------------------------------------------------------------------------------------------------- update -- */

static void step_rows(double *values, double *updates, int n, double rate, double momentum)
{
    for (int i = 0; i < n; i++) {
        values[i] += rate * updates[i];
        updates[i] *= momentum;
    }
}

static void update_layer(const layer *l, struct twin *twin, enum prune_rule rule)
{
    double batch = (double)ref.net->batch * ref.net->subdivisions, rate = (double)ref.net->learning_rate * (double)l->learning_rate_scale / batch;
    double momentum = (double)ref.net->momentum * (ref.words.wrong == MOMENTUM ? .99 : 1), decay = (double)ref.net->decay * batch * (ref.words.wrong != DECAY);
    double *weights = twin->arrays[WEIGHTS], *updates = twin->arrays[WEIGHT_UPDATES], *memory = twin->arrays[MEMORY];
    int n = weights_of(l);
    step_rows(twin->arrays[BIASES], twin->arrays[BIAS_UPDATES], rows_of(l), rate, momentum);
    if (l->batch_normalize) step_rows(twin->arrays[SCALES], twin->arrays[SCALE_UPDATES], rows_of(l), rate, momentum);
    for (int i = 0; i < n; i++) {
        if (!is_pruned(twin, i)) {
            updates[i] -= decay * weights[i];
            continue;
        }
        if (rule == PRUNE_GRADIENT) memory[i] += updates[i];
        if (rule == PRUNE_SHADOW) memory[i] += rate * (updates[i] - decay * memory[i]);
        updates[i] = 0;
    }
    step_rows(weights, updates, n, rate, momentum);
}

double __wrap_prune_sparse_conv_crossover(const struct prune_conv_shape *shape, int images, int parts, int vector)
{
    return ref.words.sparse > 0 ? ref.words.sparse : __real_prune_sparse_conv_crossover(shape, images, parts, vector);
}

void __wrap_prune_sparse_conv_forward(const struct prune_sparse_conv *conv, const float *in, float *out, void *scratch, int part)
{
    if (part == 0) ref.sparse.now++;
    __real_prune_sparse_conv_forward(conv, in, out, scratch, part);
}

void __wrap_prune_trained_forward(struct prune_training *training, int layer, const network *net)
{
    ref.fast.now++;
    __real_prune_trained_forward(training, layer, net);
}

static void enter(struct count *count)
{
    if (ref.iterations == 0 || count->now < count->fewest) count->fewest = count->now;
    if (count->now > count->most) count->most = count->now;
}

static void train(void)
{
    ref.fast.now = ref.sparse.now = 0;
    train_network_datum(ref.net);
    enter(&ref.fast);
    enter(&ref.sparse);
    ref.iterations++;
}

/* A step of the schedule stands between gradients and update. Afterwards weights that went or came back are what the step made them. */
int __wrap_prune_mask_step(struct prune_tensor *tensors, int n_tensors, const struct prune_settings *settings, int t, struct prune_step *done)
{
    uint8_t **before = numbers((size_t)n_tensors, sizeof *before);
    for (int i = 0; i < n_tensors; i++) {
        struct prune_tensor *tensor = &tensors[i];
        const double *updates = ref.twins ? ref.twins[tensor->layer].arrays[WEIGHT_UPDATES] : NULL;
        before[i] = numbers(tensor->n, 1);
        for (size_t j = 0; j < tensor->n; j++) before[i][j] = !tensor->mask[j];
        if (!updates) continue;
        compare(&ref.step, "momentum", tensor->momentum, updates, (int)tensor->n, tensor->mask);
        if (settings->rule != PRUNE_NONE) compare(&ref.step, "momentum", tensor->momentum, updates, (int)tensor->n, before[i]);
    }
    int code = __real_prune_mask_step(tensors, n_tensors, settings, t, done);
    FILE *list = ref.words.list ? fopen(ref.words.list, "a") : NULL;
    for (int i = 0; i < n_tensors; i++) {
        struct twin *twin = ref.twins ? &ref.twins[tensors[i].layer] : NULL;
        for (size_t j = 0; j < tensors[i].n; j++) {
            if (list && tensors[i].mask[j] && before[i][j]) fprintf(list, "iteration %zu layer %d weight %zu\n", get_current_batch(ref.net), tensors[i].layer, j);
            if (!twin) continue;
            if (twin->arrays[MEMORY]) twin->arrays[MEMORY][j] = (double)tensors[i].memory[j];
            if (tensors[i].mask[j] != before[i][j]) continue;       /* neither went nor came */
            twin->arrays[WEIGHTS][j] = (double)tensors[i].weights[j];
            twin->arrays[WEIGHT_UPDATES][j] = (double)tensors[i].momentum[j];
        }
        free(before[i]);
    }
    free(before);
    if (list) fclose(list);
    return code;
}

/* --------------------------------------------------------------------------------------------------------- iterations -- */

static int one_hot(const network *net)
{
    return net->layers[net->n - 1].type == SOFTMAX || (net->n > 1 && net->layers[net->n - 2].type == SOFTMAX);
}

static void draw(void)
{
    network *net = ref.net;
    const layer *l = &net->layers[net->n - 1];
    int n = net->truths * net->batch, each = one_hot(net) ? net->truths / (l->type == SOFTMAX ? l->groups : l[-1].groups) : 1;
    for (int i = 0; i < net->inputs * net->batch; i++) net->input[i] = (float)uniform(-1, 1);
    for (int i = 0; i < n; i++) net->truth[i] = one_hot(net) ? 0 : (float)uniform(0, 1);
    for (int i = 0; i < n && one_hot(net); i += each) net->truth[i + (int)uniform(0, each)] = 1;
}

static void draw_doubles(void)
{
    draw();
    for (int i = 0; i < ref.net->inputs * ref.net->batch; i++) ref.input[i] = (double)ref.net->input[i];
    for (int i = 0; i < ref.net->truths * ref.net->batch; i++) ref.truth[i] = (double)ref.net->truth[i];
}

static void iterate(void)
{
    network *net = ref.net;
    enum prune_rule rule = net->prune ? net->prune->settings.rule : PRUNE_NONE;
    take();
    ref.seed++;
    for (int i = 0; i < DRAWS; i++) {
        draw_doubles();
        forward(1, 1);
        if (ref.kink > KINK_APART / 5 && ref.pool > POOL_APART) break;
    }
    ref.worst_kink = fmin(ref.worst_kink, ref.kink);
    ref.worst_pool = fmin(ref.worst_pool, ref.pool);
    for (int i = net->n - 1; i >= 0; i--) backward_layer(i);
    srand(ref.seed);
    train();
    int updated = *net->seen / (size_t)net->batch % (size_t)net->subdivisions == 0;
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        struct twin *twin = &ref.twins[i];
        if (updated && has_weights(l)) update_layer(l, twin, rule);
        for (int a = 0; a < ARRAYS; a++) {
            const uint8_t *only = a == WEIGHT_UPDATES && !updated && twin->tensor ? twin->tensor->mask : NULL;      /* until an update, pruned ones may gather or not */
            if (!twin->arrays[a] || (a == MEMORY && net->prune->state.step >= net->prune->settings.steps)) continue;     /* no step will ask for that memory */
            compare(&twin->worst, array_names[a], floats_of(l, twin->tensor, (enum array)a), twin->arrays[a], length_of(l, (enum array)a), only);
        }
    }
    compare(&ref.loss, "cost", net->cost, &ref.cost, 1, NULL);
    compare(&ref.output, "output", net->output, ref.twins[net->layers[net->n - 1].type == COST ? net->n - 2 : net->n - 1].out, net->outputs * net->batch, NULL);
    give_back();
}

static void predict(void)
{
    network *net = ref.net;
    take();
    draw_doubles();
    float *input = numbers((size_t)(net->inputs * net->batch), sizeof *input);
    memcpy(input, net->input, sizeof(float) * (size_t)(net->inputs * net->batch));
    forward(0, 0);
    network_predict(net, input);
    compare(&ref.predicted, "output", net->output, ref.twins[net->layers[net->n - 1].type == COST ? net->n - 2 : net->n - 1].out, net->outputs * net->batch, NULL);
    free(input);
    give_back();
}

/* Numbers as they may be in the midst of a training. */
static void randomise(network *net)
{
    for (int i = 0; i < net->n; i++) {
        layer *l = &net->layers[i];
        for (int a = 0; a < ARRAYS && has_weights(l); a++) {
            float *values = floats_of(l, NULL, (enum array)a);
            for (int j = 0; values && j < length_of(l, (enum array)a); j++) {
                double x = uniform(-1, 1);
                if (a == SCALES) x = 1 + .3 * x;
                else if (a == ROLLING_VARIANCE) x = 1 + .5 * x;
                else if (a == WEIGHTS) x = (double)values[j];
                else x *= a == BIASES ? .2 : .5;
                values[j] = (float)x;
            }
        }
    }
}

static void open_network(const char *cfg)
{
    srand(7);
    ref.state = 11;
    ref.net = parse_network_cfg((char *)cfg);
    if (ref.net->policy != CONSTANT || ref.net->burn_in || ref.net->adam) exit(2);
    randomise(ref.net);
    ref.worst_kink = ref.worst_pool = INFINITY;
}

/* Every eighth filter loses all its weights. The others keep two, of channels that are not constant: batch normalisation makes rounding alone of a constant, and of the gradient to a
 * filter's only weight. */
static void attach_masks(const char *cfg_path, double density)
{
    struct prune_cfg cfg;
    struct prune_settings settings;
    prune_settings_default(&settings);
    settings.configured = settings.steps = settings.end = 1;
    settings.rule = (enum prune_rule)ref.words.rule;
    if (prune_cfg_read(&cfg, cfg_path) || prune_attach(ref.net, &cfg, &settings)) exit(1);
    prune_cfg_free(&cfg);
    struct prune *prune = ref.net->prune;
    for (int t = 0; t < prune->n_tensors; t++) {
        struct prune_tensor *tensor = &prune->tensors[t];
        int kernel = tensor->kh * tensor->kw, each = tensor->in * kernel;
        for (int i = 0; i < (int)tensor->n; i++) {
            int row = i / each, at = i % each, channel = tensor->in > 2 ? 1 + row % ((tensor->in + 1) / 4) * 4 : 0;
            int first = channel * kernel + row % kernel, second = (channel + (tensor->in > 2)) * kernel + (row + 4) % kernel;
            int held = at == first || at == second, dead = row % 8 == 0 && density < .5;
            if (dead || (uniform(0, 1) > density && !held)) tensor->weights[i] = 0;
        }
    }
    prune_masks_from_zeros(prune);
    prune->state.step = settings.steps;
}

static void change_weights(void)
{
    for (int i = 0; i < ref.net->n; i++) {
        const layer *l = &ref.net->layers[i];
        for (int j = 0; has_weights(l) && j < weights_of(l); j++) l->weights[j] *= (float)uniform(.5, 1.5);
    }
}

static void between(int iteration, int batch, int width, int height)
{
    if (iteration && ref.words.change) change_weights();
    if (iteration && (ref.words.predict || ref.words.change)) predict();
    if (iteration && iteration == ref.words.clear) *ref.net->seen = 0;
    if (ref.words.reload && iteration == 1) save_weights(ref.net, (char *)ref.words.reload);
    if (ref.words.reload && iteration == 3) load_weights(ref.net, (char *)ref.words.reload);
    if (ref.words.batch) set_batch_network(ref.net, iteration % 2 ? ref.words.batch : batch);
    if (ref.words.width && iteration) resize_network(ref.net, iteration % 2 ? ref.words.width : width, iteration % 2 ? ref.words.height : height);
}

static void print_worst(const char *what, const char *kind, const struct worst *worst)
{
    if (worst->array) printf("%s %s %.3g %s\n", what, kind, worst->error, worst->array);
}

static void print_counts(void)
{
    int others = 0;
    for (int i = 0; i < ref.net->n; i++) {
        const layer *l = &ref.net->layers[i];
        others += (l->type == CONVOLUTIONAL && l->forward != forward_convolutional_layer) || (l->type == CONNECTED && l->forward != forward_connected_layer);
    }
    printf("others %d\nfast %d %d\nsparse %d %d\n", others, ref.fast.fewest, ref.fast.most, ref.sparse.fewest, ref.sparse.most);
}

static int report(void)
{
    for (int i = 0; i < ref.net->n; i++) {
        char index[16];
        snprintf(index, sizeof index, "%d", i);
        print_worst(index, get_layer_string(ref.net->layers[i].type), &ref.twins[i].worst);
    }
    print_worst("loss", "loss", &ref.loss);
    print_worst("output", "output", &ref.output);
    print_worst("predicted", "output", &ref.predicted);
    print_worst("step", "gradients", &ref.step);
    printf("distance kink %.3g\ndistance pool %.3g\n", ref.worst_kink, ref.worst_pool);
    print_counts();
    return 0;
}

static int check(int iterations)
{
    int batch = ref.net->batch, width = ref.net->w, height = ref.net->h;
    ref.twins = numbers((size_t)ref.net->n, sizeof *ref.twins);
    for (int i = 0; i < iterations; i++) {
        between(i, batch, width, height);
        iterate();
    }
    return report();
}

static int same(int iterations)
{
    network *net = ref.net;
    if (ref.words.load) load_weights(net, (char *)ref.words.load);
    for (int i = (int)get_current_batch(net) * net->subdivisions; i < iterations * net->subdivisions; i++) {
        ref.state = 1000U * (unsigned)i;
        if (i && i == ref.words.clear * net->subdivisions) *net->seen = 0;
        if (ref.words.predict) {
            draw();
            float *input = numbers((size_t)(net->inputs * net->batch), sizeof *input);
            memcpy(input, net->input, sizeof(float) * (size_t)(net->inputs * net->batch));
            network_predict(net, input);
            free(input);
            ref.state = 1000U * (unsigned)i;
        }
        draw();
        train();
    }
    uLong sum = crc32(0, NULL, 0);
    for (int i = 0; i < net->n; i++)
        for (int a = 0; a < ARRAYS; a++) {
            const float *values = floats_of(&net->layers[i], tensor_of(i), (enum array)a);
            if (values) sum = crc32(sum, (const Bytef *)values, (uInt)((size_t)length_of(&net->layers[i], (enum array)a) * sizeof *values));
        }
    printf("sum %08lx\n", sum);
    print_counts();
    if (ref.words.save) save_weights(net, (char *)ref.words.save);
    return 0;
}

static int read_words(int n, char **words)
{
    static const char *const wrongs[] = { "", "decay", "delta", "variance", "momentum" };
    for (int i = 0; i < n; i++) {
        const char *value = strchr(words[i], '=');
        value = value ? value + 1 : "";
        if (!strcmp(words[i], "predict")) ref.words.predict = 1;
        else if (!strncmp(words[i], "batch=", 6)) ref.words.batch = atoi(value);
        else if (!strcmp(words[i], "change")) ref.words.change = 1;
        else if (!strncmp(words[i], "clear=", 6)) ref.words.clear = atoi(value);
        else if (!strncmp(words[i], "resize=", 7)) {
            if (sscanf(value, "%dx%d", &ref.words.width, &ref.words.height) < 2) ref.words.height = ref.words.width;
        }
        else if (!strncmp(words[i], "rule=", 5)) ref.words.rule = atoi(value);
        else if (!strncmp(words[i], "sparse=", 7)) ref.words.sparse = atof(value);
        else if (!strncmp(words[i], "reload=", 7)) ref.words.reload = value;
        else if (!strncmp(words[i], "list=", 5)) ref.words.list = value;
        else if (!strncmp(words[i], "save=", 5)) ref.words.save = value;
        else if (!strncmp(words[i], "load=", 5)) ref.words.load = value;
        else if (!strncmp(words[i], "wrong=", 6)) {
            for (int w = 0; w < 5; w++)
                if (!strcmp(value, wrongs[w])) ref.words.wrong = (enum wrong)w;
            if (!ref.words.wrong) return 0;
        } else return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 3 ? argv[1] : "";
    int first = !strcmp(verb, "masked") || !strcmp(verb, "same") ? 5 : 4;
    if (argc < first || !read_words(argc - first, argv + first)) return 2;
    if (!strcmp(verb, "same")) setenv("DARKNET_THREADS", argv[4], 1);
    open_network(argv[2]);
    if (!strcmp(verb, "same")) return same(atoi(argv[3]));
    if (!strcmp(verb, "check") || !strcmp(verb, "stepped")) return check(atoi(argv[3]));
    if (strcmp(verb, "masked")) return 2;
    attach_masks(argv[2], atof(argv[3]));
    return check(atoi(argv[4]));
}
