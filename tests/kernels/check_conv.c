/* check_conv.c - sparse convolution against its plain twin, exactly, for every plan; the twin against sums in double; weights against what they were made of
 *
 * Every buffer is tried with a page that cannot be touched behind its end, and one before its start.
 */
#include "check.h"
#include "kernels.h"
#include "layers.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    struct prune_conv_shape shape;
    const char *name;
} shapes[] = {              /* c, h, w, n, size, stride, pad, groups */
    { { 5, 13, 13, 7, 3, 1, 1, 1, 0, 0 }, "3x3" },
    { { 3, 9, 31, 6, 3, 1, 1, 1, 0, 0 }, "3x3 on a wide plane" },
    { { 2, 35, 5, 5, 3, 1, 0, 1, 0, 0 }, "3x3 without pad on a high plane" },
    { { 4, 17, 19, 9, 3, 2, 1, 1, 0, 0 }, "3x3 stride 2" },
    { { 6, 9, 17, 10, 1, 1, 0, 1, 0, 0 }, "1x1" },
    { { 3, 1, 1, 5, 1, 1, 0, 1, 0, 0 }, "1x1 on one pixel" },
    { { 6, 11, 18, 9, 1, 2, 0, 3, 0, 0 }, "1x1 stride 2 in groups" },
    { { 2, 7, 7, 3, 1, 1, 1, 1, 0, 0 }, "1x1 with pad" },
    { { 3, 39, 37, 6, 11, 4, 2, 1, 0, 0 }, "11x11 stride 4" },
    { { 3, 11, 9, 5, 5, 3, 4, 1, 0, 0 }, "5x5 stride 3 with a wide pad" },
    { { 2, 15, 15, 4, 7, 2, 3, 1, 0, 0 }, "7x7 stride 2" },
    { { 3, 8, 8, 4, 2, 2, 0, 1, 0, 0 }, "2x2 stride 2" },
    { { 3, 10, 10, 4, 2, 3, 0, 1, 0, 0 }, "2x2 stride 3" },
    { { 8, 10, 11, 8, 3, 1, 1, 8, 0, 0 }, "depthwise" },
    { { 8, 10, 10, 12, 3, 1, 1, 2, 0, 0 }, "two groups of 6" },
    { { 3, 3, 3, 17, 3, 1, 1, 1, 0, 0 }, "3x3 on 3x3" },
    { { 70, 5, 6, 18, 3, 1, 1, 1, 0, 0 }, "many channels" },
    { { 1, 40, 61, 1, 3, 1, 1, 1, 0, 0 }, "one filter" },
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes, ALL_PLANS = 2048, MOST_THREADS = 4 };

static const enum prune_activation activations[] = { PRUNE_LINEAR_ACTIVATION, PRUNE_RELU, PRUNE_LEAKY, PRUNE_LOGISTIC_ACTIVATION, PRUNE_MISH };

struct layer {
    struct prune_conv_shape shape;
    size_t n_weights, each, inputs, outputs;
    float *weights, *scale, *bias, *in, *out, *expected;
    struct prune_numbers numbers;
};

static float *random_floats(size_t n, int left)
{
    float *values = check_guarded(n, left);
    for (size_t i = 0; i < n; i++) values[i] = check_random_float();
    return values;
}

static struct layer random_layer(const struct prune_conv_shape *shape, double sparsity, int in_fours, int left)
{
    struct layer layer = { .shape = *shape };
    struct prune_conv_shape *s = &layer.shape;
    s->out_h = (s->h + 2 * s->pad - s->size) / s->stride + 1;
    s->out_w = (s->w + 2 * s->pad - s->size) / s->stride + 1;
    layer.each = (size_t)(s->c / s->groups * s->size * s->size);
    layer.n_weights = layer.each * (size_t)s->n;
    layer.inputs = (size_t)s->c * (size_t)s->h * (size_t)s->w;
    layer.outputs = (size_t)s->n * (size_t)s->out_h * (size_t)s->out_w;
    layer.weights = random_floats(layer.n_weights, left);
    for (size_t i = 0; i < layer.n_weights; i++) {
        int follows = in_fours && i / layer.each % 4;
        if (follows ? layer.weights[i - layer.each] == 0 : check_random() % 1000 < sparsity * 1000) layer.weights[i] = 0;
        else if (layer.weights[i] == 0) layer.weights[i] = .5f;
    }
    layer.scale = random_floats((size_t)s->n, left);
    layer.bias = random_floats((size_t)s->n, left);
    layer.in = random_floats(layer.inputs, left);
    layer.out = check_guarded(layer.outputs, left);
    layer.expected = check_guarded(layer.outputs, left);
    layer.numbers = (struct prune_numbers){ layer.weights, layer.scale, layer.bias, activations[check_random() % 5] };
    prune_conv_plain(s, &layer.numbers, layer.in, layer.expected);
    return layer;
}

/* All parts of a plan, the last first; and the weights back again. */
static int plan_is_right(const struct prune_kernels *kernels, const struct layer *layer, const struct prune_conv_plan *plan, int left)
{
    struct prune_conv conv;
    if (prune_conv_make(&conv, &layer->shape, plan, &kernels->conv, &layer->numbers)) return 0;
    size_t vector = (size_t)kernels->vector, floats = (conv.plan.packed_floats + conv.plan.sums_floats + vector - 1) / vector * vector;
    float *scratch = check_guarded((floats + 15) / 16 * 16, left), *restored = check_guarded(layer->n_weights, left);
    memset(layer->out, 0xff, layer->outputs * sizeof(float));
    for (int part = plan->regions * plan->parts; part-- > 0;) prune_conv_run(&conv, layer->in, layer->out, scratch, part);
    int same = check_same(layer->out, layer->expected, layer->outputs);
    prune_conv_restore(&conv, restored);
    same = same && check_same(restored, layer->weights, layer->n_weights);
    if (!same)
        printf("# form %d, lanes %dx%d, tile %dx%d, %d channels, %d regions, %d parts\n", (int)plan->form, plan->gx, plan->gy, plan->tw, plan->th, plan->channels, plan->regions, plan->parts);
    prune_conv_free(&conv);
    return same;
}

static void check_shape(const struct prune_kernels *kernels, int index, enum prune_form form)
{
    static const double sparsities[] = { 0, .5, .9, 1 };
    struct prune_conv_plan *plans = malloc(ALL_PLANS * sizeof *plans);
    int good = plans != NULL, tried = 0;
    for (int i = 0; good && i < 4; i++)
        for (int threads = 1; good && threads <= MOST_THREADS; threads++) {
            struct layer layer = random_layer(&shapes[index].shape, sparsities[i], form == PRUNE_FORM_BLOCK4, threads % 2);
            int n = prune_conv_plans(plans, ALL_PLANS, &layer.shape, &kernels->conv, form, 1 - sparsities[i], threads);
            int step = i == 0 && threads == 1 ? 1 : 1 + n / 12;         /* every plan once, and some of them often */
            for (int p = 0; good && p < n; p += step, tried++) good = plan_is_right(kernels, &layer, &plans[p], threads % 2);
            good = good && n > 0;
            check_release();
        }
    free(plans);
    check_that(good, "convolution %s, form %s: equal to the twin (%d plans)", shapes[index].name, form == PRUNE_FORM_WEIGHT ? "weight" : "block4", tried);
}

/* A sum of k products, each rounded once: within k halves of an ulp of the sum of their magnitudes. */
static void check_twin(void)
{
    int good = 1;
    for (int index = 0; index < N_SHAPES; index++) {
        struct layer layer = random_layer(&shapes[index].shape, .3, 0, 0);
        const struct prune_conv_shape *s = &layer.shape;
        for (size_t i = 0; i < layer.n_weights; i++) layer.weights[i] = fmaxf(-1, fminf(1, layer.weights[i]));
        for (size_t i = 0; i < layer.inputs; i++) layer.in[i] = fmaxf(-1, fminf(1, layer.in[i]));
        layer.numbers.scale = NULL;
        layer.numbers.activation = PRUNE_LINEAR_ACTIVATION;
        prune_conv_plain(s, &layer.numbers, layer.in, layer.expected);
        int cg = s->c / s->groups;
        for (size_t o = 0; o < layer.outputs; o++) {
            int n = (int)(o / (size_t)(s->out_h * s->out_w)), y = (int)(o / (size_t)s->out_w) % s->out_h, x = (int)(o % (size_t)s->out_w);
            double sum = layer.bias[n], size = fabs(sum);
            for (size_t i = 0; i < layer.each; i++) {
                int c = (int)i / (s->size * s->size), in_y = y * s->stride - s->pad + (int)i / s->size % s->size, in_x = x * s->stride - s->pad + (int)i % s->size;
                if (in_y < 0 || in_x < 0 || in_y >= s->h || in_x >= s->w) continue;
                double product = (double)layer.weights[(size_t)n * layer.each + i] * (double)layer.in[((size_t)(n / (s->n / s->groups) * cg + c) * (size_t)s->h + (size_t)in_y) * (size_t)s->w + (size_t)in_x];
                sum += product;
                size += fabs(product);
            }
            good = good && fabs(layer.expected[o] - sum) <= (double)(layer.each + 1) * FLT_EPSILON / 2 * size + FLT_TRUE_MIN * (double)layer.each;
        }
        check_release();
    }
    check_that(good, "convolution: the twin is within k/2 ulp of the magnitudes' sum of k + 1 products summed in double");
}

/* ------------------------------------------------------------------------------------------------------ benchmarks -- */

struct bench {
    struct prune_conv conv;
    const float *in;
    float *out, *scratch;
};

static void run_bench(void *context)
{
    struct bench *bench = context;
    prune_conv_run(&bench->conv, bench->in, bench->out, bench->scratch, 0);
}

static void bench_shape(const struct prune_kernels *kernels, int c, int n, int w, int size, double sparsity, int block4)
{
    struct prune_conv_shape s = { c, w, w, n, size, 1, size / 2, 1, w, w };
    enum prune_form form = block4 ? PRUNE_FORM_BLOCK4 : PRUNE_FORM_WEIGHT;
    size_t each = (size_t)(c * size * size), n_weights = (size_t)n * each, inputs = (size_t)(c * w * w), outputs = (size_t)(n * w * w), live = 0;
    float *weights = calloc(n_weights, sizeof *weights), *in = malloc(inputs * sizeof *in), *out = malloc(outputs * sizeof *out), *bias = calloc((size_t)n, sizeof *bias);
    struct prune_conv_plan plan;
    struct bench bench = { .in = in, .out = out };
    if (!weights || !in || !out || !bias) exit(1);
    for (size_t i = 0; i < n_weights; i++) {
        if (block4 && i / each % 4 ? weights[i - each] != 0 : check_random() % 1000 >= sparsity * 1000) weights[i] = (float)(1 + check_random() % 100) / 100;
        live += weights[i] != 0;
    }
    for (size_t i = 0; i < inputs; i++) in[i] = (float)(check_random() % 100) / 100;
    prune_conv_plans(&plan, 1, &s, &kernels->conv, form, 1 - sparsity, 1);
    struct prune_numbers numbers = { weights, NULL, bias, PRUNE_LEAKY };
    if (prune_conv_make(&bench.conv, &s, &plan, &kernels->conv, &numbers)) exit(1);
    size_t bytes = (bench.conv.plan.packed_floats + bench.conv.plan.sums_floats) * sizeof(float);
    bench.scratch = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!bench.scratch) exit(1);
    memset(bench.scratch, 0, bytes);
    char name[100];
    snprintf(name, sizeof name, "convolution %d->%d %dx%d %dx%d, %s, %.0f %% zeros", c, n, w, w, size, size, block4 ? "block4" : "weight", 100 * sparsity);
    check_bench(name, 2 * (double)live * w * w, "flop", run_bench, &bench);
    prune_conv_free(&bench.conv);
    free(bench.scratch);
    free(weights);
    free(in);
    free(out);
    free(bias);
}

void check_conv(const struct prune_kernels *kernels)
{
    for (int i = 0; i < N_SHAPES; i++) {
        check_shape(kernels, i, PRUNE_FORM_WEIGHT);
        check_shape(kernels, i, PRUNE_FORM_BLOCK4);
    }
    check_twin();
    if (!check_benching) return;
    for (int block4 = 0; block4 < 2; block4++) {
        bench_shape(kernels, 256, 256, 56, 3, .9, block4);
        bench_shape(kernels, 512, 512, 14, 3, .9, block4);
        bench_shape(kernels, 512, 1024, 13, 3, .9, block4);
        bench_shape(kernels, 512, 256, 26, 1, .9, block4);
    }
}
