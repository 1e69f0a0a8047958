/* check_sparse.c - training of sparse layers against sums in double; the kernels of gradients against their twin, exactly
 *
 * Buffers, scratch too, end or begin at pages that cannot be touched and are NaN at first, as the weights are where they are pruned: nothing of that may show.
 */
#include "check.h"
#include "kernels.h"
#include "train_sparse.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float plain_random(void) { return (float)((int32_t)check_random() >> 8) * 0x1p-23f; }

/* ----------------------------------------------------------------------------------------------------- gradient tiles -- */

enum { FILTERS = 5, PLANES = 6 };

static void check_tile(const struct prune_kernels *kernels, prune_gradient_kernel *kernel, int th, int tw, int left)
{
    size_t v = (size_t)kernels->vector, row = (size_t)(tw + 2) * v, plane = (size_t)(th + 2) * row, delta_row = (size_t)(tw + 1) * v, delta_plane = (size_t)th * delta_row;
    float *input = check_guarded(PLANES * plane, left), *delta = check_guarded(FILTERS * delta_plane - v, left);
    for (size_t i = 0; i < PLANES * plane; i++) input[i] = check_random_float();
    for (size_t i = 0; i < FILTERS * delta_plane - v; i++) delta[i] = check_random_float();
    struct prune_conv_entry entries[3 * FILTERS * 7];
    struct prune_conv_run runs[FILTERS + 1];
    uint32_t n = check_random() % 7, n_runs = 0, first = n;
    for (uint32_t f = 0; f < FILTERS; f++) {
        if (f == 2) continue;
        runs[n_runs++] = (struct prune_conv_run){ f + 3, n };
        for (uint32_t i = f == 1 ? 0 : 1 + check_random() % 12; i; i--) {
            uint32_t c = f == 4 && i == 1 ? PLANES - 1 : check_random() % PLANES, y = f == 4 && i == 1 ? 2 : check_random() % 3, x = f == 4 && i == 1 ? 2 : check_random() % 3;
            entries[n++] = (struct prune_conv_entry){ NAN, (uint32_t)((c * plane + y * row + x * v) * sizeof(float)) };
        }
    }
    runs[n_runs] = (struct prune_conv_run){ FILTERS + 3, n };
    size_t n_sums = (n - first) * v;
    float *sums = check_guarded(n_sums, left), *expected = check_guarded(n_sums, left);
    for (size_t i = 0; i < n_sums; i++) sums[i] = expected[i] = check_random_float();
    struct prune_gradient_tile tile = { runs, n_runs, entries, input, row, delta, delta_plane, delta_row, 3, expected };
    prune_gradient_plain(kernels->vector, th, tw, &tile);
    tile.sums = sums;
    kernel(&tile);
    check_that(check_same(sums, expected, n_sums), "gradient tile %d x %d, guard %s: same bits as the twin", th, tw, left ? "before" : "behind");
    check_release();
}

static void check_tiles(const struct prune_kernels *kernels)
{
    int there = 1;
    for (int i = 0; i < 3; i++)
        for (int tw = 1; tw <= PRUNE_TILE_MOST; tw++) {
            prune_gradient_kernel *kernel = kernels->gradient.tiles[i * (PRUNE_TILE_MOST + 1) + tw];
            there &= !kernel == ((1 << i) * tw > kernels->gradient.most);
            for (int left = 0; kernel && left < 2; left++) check_tile(kernels, kernel, 1 << i, tw, left);
        }
    check_that(there, "there is a gradient tile of each shape up to %d vectors", kernels->gradient.most);
}

/* -------------------------------------------------------------------------------------------------------------- layers -- */

struct layer {
    struct prune_conv_shape shape;
    int images, v;
    size_t n_weights, inputs, outputs;          /* floats of an image */
    uint8_t *mask;
    float *weights, *updates;                   /* NaN where pruned, and what is expected to stay there */
    float *in, *delta;                          /* plain, and */
    float *in_lanes, *delta_lanes;
    double *out, *in_delta, *gradient;          /* expected, plain */
};

static size_t lanes_of(const struct layer *layer, size_t each) { return (size_t)((layer->images + layer->v - 1) / layer->v * layer->v) * each; }

static size_t lane_at(const struct layer *layer, size_t image, size_t each, size_t i)
{
    size_t v = (size_t)layer->v;
    return (image / v * each + i) * v + image % v;
}

static float *random_plain(const struct layer *layer, size_t each, float **lanes, int left)
{
    size_t n = (size_t)layer->images * each;
    float *plain = malloc(n * sizeof *plain);
    *lanes = check_guarded(lanes_of(layer, each), left);
    if (!plain) exit(1);
    memset(*lanes, 0, lanes_of(layer, each) * sizeof **lanes);
    for (size_t i = 0; i < n; i++) (*lanes)[lane_at(layer, i / each, each, i % each)] = plain[i] = plain_random();
    return plain;
}

/* What one weight does in one image. */
static void add_weight(const struct layer *layer, size_t image, size_t index, int n, int c, int ky, int kx)
{
    const struct prune_conv_shape *s = &layer->shape;
    size_t in_plane = image * layer->inputs + (size_t)c * (size_t)(s->h * s->w), out_plane = image * layer->outputs + (size_t)n * (size_t)(s->out_h * s->out_w);
    double weight = (double)layer->weights[index];
    for (int y = 0; y < s->out_h; y++)
        for (int x = 0; x < s->out_w; x++) {
            int in_y = y * s->stride + ky - s->pad, in_x = x * s->stride + kx - s->pad;
            if (in_y < 0 || in_y >= s->h || in_x < 0 || in_x >= s->w) continue;
            size_t in = in_plane + (size_t)(in_y * s->w + in_x), out = out_plane + (size_t)(y * s->out_w + x);
            layer->out[out] += weight * (double)layer->in[in];
            layer->in_delta[in] += weight * (double)layer->delta[out];
            layer->gradient[index] += (double)layer->delta[out] * (double)layer->in[in];
        }
}

static void expect(const struct layer *layer)
{
    const struct prune_conv_shape *s = &layer->shape;
    int channels = s->c / s->groups, filters = s->n / s->groups;
    size_t index = 0;
    for (int n = 0; n < s->n; n++)
        for (int c = 0; c < channels; c++)
            for (int tap = 0; tap < s->size * s->size; tap++, index++)
                for (size_t image = 0; layer->mask[index] && image < (size_t)layer->images; image++)
                    add_weight(layer, image, index, n, n / filters * channels + c, tap / s->size, tap % s->size);
}

static void prune_some(struct layer *layer, double density, int left)
{
    const struct prune_conv_shape *s = &layer->shape;
    size_t each = (size_t)(s->c / s->groups * s->size * s->size), taps = (size_t)(s->size * s->size);
    layer->mask = malloc(layer->n_weights);
    layer->weights = check_guarded(layer->n_weights, left);
    layer->updates = check_guarded(layer->n_weights, left);
    if (!layer->mask) exit(1);
    for (size_t i = 0; i < layer->n_weights; i++) {
        layer->mask[i] = check_random() % 10000 < density * 10000;
        if (density > 0 && density < .5) layer->mask[i] &= i / each % 5 != 1 && i % each / taps % 7 != 2;      /* empty filters and channels */
        if (!layer->mask[i]) continue;
        layer->weights[i] = plain_random();
        layer->updates[i] = plain_random();
    }
}

static struct layer random_layer(const struct prune_kernels *kernels, const struct prune_conv_shape *shape, int images, double density, int left)
{
    struct layer layer = { .shape = *shape, .images = images, .v = kernels->vector };
    struct prune_conv_shape *s = &layer.shape;
    s->out_h = (s->h + 2 * s->pad - s->size) / s->stride + 1;
    s->out_w = (s->w + 2 * s->pad - s->size) / s->stride + 1;
    layer.n_weights = (size_t)(s->n * (s->c / s->groups) * s->size * s->size);
    layer.inputs = (size_t)(s->c * s->h * s->w);
    layer.outputs = (size_t)(s->n * s->out_h * s->out_w);
    prune_some(&layer, density, left);
    layer.in = random_plain(&layer, layer.inputs, &layer.in_lanes, left);
    layer.delta = random_plain(&layer, layer.outputs, &layer.delta_lanes, left);
    layer.out = calloc((size_t)images * layer.outputs, sizeof(double));
    layer.in_delta = calloc((size_t)images * layer.inputs, sizeof(double));
    layer.gradient = calloc(layer.n_weights, sizeof(double));
    if (!layer.out || !layer.in_delta || !layer.gradient) exit(1);
    expect(&layer);
    return layer;
}

static void free_layer(struct layer *layer)
{
    free(layer->mask);
    free(layer->in);
    free(layer->delta);
    free(layer->out);
    free(layer->in_delta);
    free(layer->gradient);
}

/* Largest distance over the largest value; infinite if a lane without image is not 0. */
static double lanes_error(const struct layer *layer, const float *lanes, size_t each, const double *expected)
{
    double worst = 0, largest = 1e-30;
    size_t images = lanes_of(layer, 1);
    for (size_t image = 0; image < images; image++)
        for (size_t i = 0; i < each; i++) {
            float got = lanes[lane_at(layer, image, each, i)];
            if (image >= (size_t)layer->images) {
                if (got != 0) return INFINITY;
                continue;
            }
            double wanted = expected[image * each + i], distance = fabs((double)got - wanted);
            if (!(distance <= worst)) worst = isnan(distance) ? INFINITY : distance;
            if (fabs(wanted) > largest) largest = fabs(wanted);
        }
    return worst / largest;
}

/* Of updates, from `layer->updates` + gradient at the surviving weights; infinite if another has changed. */
static double updates_error(const struct layer *layer, const float *updates)
{
    double worst = 0, largest = 1;
    for (size_t i = 0; i < layer->n_weights; i++) {
        if (!layer->mask[i]) {
            if (memcmp(&updates[i], &layer->updates[i], sizeof *updates)) return INFINITY;
            continue;
        }
        double distance = fabs((double)updates[i] - (double)layer->updates[i] - layer->gradient[i]);
        if (!(distance <= worst)) worst = isnan(distance) ? INFINITY : distance;
        if (fabs(layer->gradient[i]) > largest) largest = fabs(layer->gradient[i]);
    }
    return worst / largest;
}

struct passes {                 /* what the passes gave */
    float *out, *in_delta, *updates, *weights;
};

static void run_passes(struct prune_sparse_conv *conv, const struct layer *layer, const struct passes *to, int backward, int parts, int left)
{
    float *scratch[8];
    size_t weights_bytes = layer->n_weights * sizeof(float);
    memcpy(to->updates, layer->updates, weights_bytes);
    memcpy(to->weights, layer->weights, weights_bytes);
    for (int p = 0; p < parts; p++) scratch[p] = check_guarded((prune_sparse_conv_scratch(conv) + 63) / 64 * 16, left);
    for (int p = 0; p < parts; p++) prune_sparse_conv_weights(conv, layer->weights, p);
    for (int p = parts; p--;) prune_sparse_conv_forward(conv, layer->in_lanes, to->out, scratch[p], p);
    for (int p = 0; p < parts && backward > 1; p++) prune_sparse_conv_back_input(conv, layer->delta_lanes, to->in_delta, scratch[p], p);
    for (int p = parts; p-- && backward;) prune_sparse_conv_back_weights(conv, layer->in_lanes, layer->delta_lanes, scratch[p], p);
    for (int p = 0; p < parts && backward; p++) prune_sparse_conv_add_updates(conv, to->updates, p);
}

static struct passes room_for(const struct layer *layer, int left)
{
    return (struct passes){ check_guarded(lanes_of(layer, layer->outputs), left), check_guarded(lanes_of(layer, layer->inputs), left), check_guarded(layer->n_weights, left),
                            check_guarded(layer->n_weights, left) };
}

static int same_passes(const struct layer *layer, const struct passes *a, const struct passes *b, int backward)
{
    return check_same(a->out, b->out, lanes_of(layer, layer->outputs)) && (backward < 2 || check_same(a->in_delta, b->in_delta, lanes_of(layer, layer->inputs))) &&
           check_same(a->updates, b->updates, layer->n_weights);
}

static int steps_right(const struct prune_sparse_conv *conv, const struct layer *layer, const struct passes *got, int parts)
{
    const float decay = .001f, rate = .01f, momentum = .9f;
    size_t bytes = layer->n_weights * sizeof(float);
    float *weights = malloc(bytes), *updates = malloc(bytes);
    if (!weights || !updates) exit(1);
    memcpy(weights, got->weights, bytes);
    memcpy(updates, got->updates, bytes);
    for (size_t i = 0; i < layer->n_weights; i++) {
        if (!layer->mask[i]) continue;
        updates[i] += -decay * weights[i];
        weights[i] += rate * updates[i];
        updates[i] *= momentum;
    }
    for (int p = 0; p < parts; p++) prune_sparse_conv_update(conv, decay, rate, momentum, got->weights, got->updates, p);
    int same = !memcmp(weights, got->weights, bytes) && !memcmp(updates, got->updates, bytes);
    free(weights);
    free(updates);
    return same;
}

static void check_layer(const struct prune_kernels *kernels, const struct prune_conv_shape *shape, int images, int parts, double density, int backward, int left)
{
    struct layer layer = random_layer(kernels, shape, images, density, left);
    const struct prune_conv_shape *s = &layer.shape;
    struct prune_sparse_conv *conv = NULL;
    char name[160];
    snprintf(name, sizeof name, "%d x %d x %d -> %d, size %d stride %d pad %d groups %d, %d images in %d parts, density %g, backward %d", s->c, s->h, s->w, s->n, s->size, s->stride,
             s->pad, s->groups, images, parts, density, backward);
    int code = prune_sparse_conv_new(&conv, s, images, parts, kernels, layer.mask, backward);
    if (code) check_that(0, "%s: %d", name, code);
    else {
        struct passes got = room_for(&layer, left), again = room_for(&layer, left);
        run_passes(conv, &layer, &got, backward, parts, left);
        run_passes(conv, &layer, &again, backward, parts, left);
        double errors[3] = { lanes_error(&layer, got.out, layer.outputs, layer.out), backward > 1 ? lanes_error(&layer, got.in_delta, layer.inputs, layer.in_delta) : 0,
                             backward ? updates_error(&layer, got.updates) : 0 };
        check_that(errors[0] < 1e-5 && errors[1] < 1e-5 && errors[2] < 1e-5 && same_passes(&layer, &got, &again, backward) && steps_right(conv, &layer, &got, parts),
                   "%s: forward %.1e, to the input %.1e, to the weights %.1e", name, errors[0], errors[1], errors[2]);
    }
    prune_sparse_conv_free(conv);
    free_layer(&layer);
    check_release();
}

static const struct prune_conv_shape shapes[] = {     /* c, h, w, n, size, stride, pad, groups */
    { 5, 8, 8, 6, 3, 1, 1, 1, 0, 0 },
    { 4, 20, 33, 5, 3, 1, 1, 1, 0, 0 },
    { 3, 7, 19, 4, 3, 1, 0, 1, 0, 0 },
    { 3, 5, 6, 4, 3, 1, 3, 1, 0, 0 },
    { 40, 4, 4, 33, 3, 1, 1, 1, 0, 0 },
    { 40, 2, 2, 33, 3, 1, 1, 1, 0, 0 },
    { 9, 1, 1, 11, 3, 1, 1, 1, 0, 0 },
    { 70, 1, 1, 19, 1, 1, 0, 1, 0, 0 },
    { 7, 2, 1, 5, 5, 1, 2, 1, 0, 0 },
    { 4, 2, 2, 3, 3, 2, 1, 1, 0, 0 },
    { 3, 2, 9, 4, 2, 1, 0, 1, 0, 0 },
    { 3, 1, 13, 4, 3, 1, 1, 1, 0, 0 },
    { 3, 13, 1, 4, 3, 1, 1, 1, 0, 0 },
    { 6, 9, 11, 8, 1, 1, 0, 1, 0, 0 },
    { 6, 9, 10, 9, 1, 2, 0, 3, 0, 0 },
    { 3, 5, 4, 4, 1, 1, 2, 1, 0, 0 },
    { 4, 11, 10, 5, 3, 2, 1, 1, 0, 0 },
    { 4, 12, 9, 5, 3, 2, 0, 1, 0, 0 },
    { 4, 10, 12, 4, 3, 3, 1, 1, 0, 0 },
    { 3, 10, 10, 4, 2, 3, 0, 1, 0, 0 },
    { 3, 9, 8, 4, 2, 2, 1, 1, 0, 0 },
    { 3, 11, 9, 5, 5, 3, 3, 1, 0, 0 },
    { 3, 6, 7, 4, 4, 1, 2, 1, 0, 0 },
    { 2, 15, 14, 4, 7, 2, 3, 1, 0, 0 },
    { 3, 25, 23, 3, 11, 3, 2, 1, 0, 0 },
    { 2, 12, 11, 3, 6, 1, 3, 1, 0, 0 },
    { 8, 7, 6, 8, 3, 1, 1, 8, 0, 0 },
    { 8, 6, 6, 16, 3, 2, 1, 8, 0, 0 },
    { 8, 5, 5, 12, 3, 1, 1, 2, 0, 0 },
    { 3, 3, 3, 17, 3, 1, 1, 1, 0, 0 },
    { 20, 5, 100, 3, 3, 1, 1, 1, 0, 0 },
    { 9, 7, 200, 3, 3, 2, 1, 1, 0, 0 },
};

static void check_shapes(const struct prune_kernels *kernels)
{
    static const double densities[] = { .3, 1, .02, 0 };
    static const int images[] = { 70, 1, 17, 35, 16, 3, 64, 33 };
    unsigned i = 0;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int d = 0; d < 4; d++, i++) {
            int large = shapes[s].c * shapes[s].n * shapes[s].h * shapes[s].w > 6000, n = images[(i + s) % 8];
            check_layer(kernels, &shapes[s], large && n > 35 ? 35 : n, (int)(i % 3) + 1, densities[d], i % 5 < 3 ? 2 : (int)(i % 5) - 3, (int)(i / 2 % 2));
        }
    check_layer(kernels, &shapes[5], 70, 1, 1, 2, 0);
    check_layer(kernels, &shapes[4], 5, 3, .3, 2, 1);
}

/* A new weights array is taken over, and the old one's gradients are forgotten. */
static void check_second_step(const struct prune_kernels *kernels)
{
    struct layer layer = random_layer(kernels, &shapes[0], 20, .5, 0);
    struct prune_sparse_conv *conv = NULL;
    if (prune_sparse_conv_new(&conv, &layer.shape, 20, 2, kernels, layer.mask, 2)) exit(1);
    struct passes got = room_for(&layer, 0);
    run_passes(conv, &layer, &got, 2, 2, 0);
    for (size_t i = 0; i < layer.n_weights; i++) layer.weights[i] *= -2;
    run_passes(conv, &layer, &got, 2, 2, 0);
    for (size_t i = 0; i < 20 * layer.outputs; i++) layer.out[i] *= -2;
    double forward = lanes_error(&layer, got.out, layer.outputs, layer.out), updates = updates_error(&layer, got.updates);
    check_that(forward < 1e-5 && updates < 1e-5, "a second step with other weights: forward %.1e, to the weights %.1e", forward, updates);
    prune_sparse_conv_free(conv);
    free_layer(&layer);
    check_release();
}

static void check_crossover(const struct prune_kernels *kernels)
{
    struct prune_conv_shape vgg = { 256, 8, 8, 256, 3, 1, 1, 1, 8, 8 }, one = { 256, 8, 8, 256, 1, 1, 0, 1, 8, 8 }, depthwise = { 256, 8, 8, 256, 3, 1, 1, 256, 8, 8 };
    int v = kernels->vector;
    double full = prune_sparse_conv_crossover(&vgg, 8 * v, 1, v), few = prune_sparse_conv_crossover(&vgg, v / 4, 1, v), flat = prune_sparse_conv_crossover(&one, 8 * v, 1, v);
    check_that(full > .1 && full < .6 && few < full / 2 && flat > full && flat < 1,
               "the dense path is the faster one from a density of %.2f on; with a quarter of the lanes %.2f; 1x1 %.2f", full, few, flat);
    check_that(prune_sparse_conv_crossover(&vgg, 8 * v, 16, v) < full && prune_sparse_conv_crossover(&vgg, 8 * v, 2, v) == full, "half of the threads without a block of images make it later");
    check_that(prune_sparse_conv_crossover(&depthwise, 8 * v, 1, v) == 0, "a depthwise layer is never sparse");
}

/* --------------------------------------------------------------------------------------------------------------- bench -- */

struct bench {
    struct prune_sparse_conv *conv;
    const float *in, *delta;
    float *out, *in_delta, *weights, *updates, *scratch;
};

static void run_forward(void *context)
{
    struct bench *b = context;
    prune_sparse_conv_forward(b->conv, b->in, b->out, b->scratch, 0);
}

static void run_back_input(void *context)
{
    struct bench *b = context;
    prune_sparse_conv_back_input(b->conv, b->delta, b->in_delta, b->scratch, 0);
}

static void run_back_weights(void *context)
{
    struct bench *b = context;
    prune_sparse_conv_back_weights(b->conv, b->in, b->delta, b->scratch, 0);
}

static void run_rest(void *context)
{
    struct bench *b = context;
    prune_sparse_conv_add_updates(b->conv, b->updates, 0);
    prune_sparse_conv_update(b->conv, .0005f, 1e-6f, .9f, b->weights, b->updates, 0);
    prune_sparse_conv_weights(b->conv, b->weights, 0);
}

static void bench_layer(const struct prune_kernels *kernels, const struct prune_conv_shape *shape, double density)
{
    enum { IMAGES = 64 };
    struct prune_conv_shape s = *shape;
    s.out_h = s.h + 2 * s.pad - s.size + 1;
    s.out_w = s.w + 2 * s.pad - s.size + 1;
    size_t n = (size_t)(s.n * s.c * s.size * s.size), survivors = 0, inputs = IMAGES * (size_t)(s.c * s.h * s.w), outputs = IMAGES * (size_t)(s.n * s.out_h * s.out_w);
    uint8_t *mask = malloc(n);
    struct bench b = { 0 };
    if (!mask) exit(1);
    b.weights = check_guarded(n, 1);
    b.updates = check_guarded(n, 1);
    for (size_t i = 0; i < n; i++) {
        survivors += mask[i] = check_random() % 10000 < density * 10000;
        b.weights[i] = mask[i] ? plain_random() : 0;
        b.updates[i] = 0;
    }
    float *in = check_guarded(inputs, 1), *delta = check_guarded(outputs, 1);
    for (size_t i = 0; i < inputs; i++) in[i] = plain_random();
    for (size_t i = 0; i < outputs; i++) delta[i] = plain_random();
    b.in = in;
    b.delta = delta;
    b.out = check_guarded(outputs, 1);
    b.in_delta = check_guarded(inputs, 1);
    if (prune_sparse_conv_new(&b.conv, &s, IMAGES, 1, kernels, mask, 2)) exit(1);
    b.scratch = check_guarded(prune_sparse_conv_scratch(b.conv) / sizeof(float), 1);
    prune_sparse_conv_weights(b.conv, b.weights, 0);
    static const struct {
        const char *name;
        void (*run)(void *);
    } passes[] = { { "forward", run_forward }, { "to the input", run_back_input }, { "to the weights", run_back_weights }, { "updates", run_rest } };
    for (int i = 0; i < 4; i++) {
        char name[96];
        snprintf(name, sizeof name, "%d -> %d, %d x %d, size %d, %g %%: %s", s.c, s.n, s.h, s.w, s.size, 100 * density, passes[i].name);
        if (i == 3) check_bench(name, (double)survivors, "weight", passes[i].run, &b);
        else check_bench(name, 2. * (double)survivors * s.out_h * s.out_w * IMAGES, "flop", passes[i].run, &b);
    }
    prune_sparse_conv_free(b.conv);
    free(mask);
    check_release();
}

static void bench_layers(const struct prune_kernels *kernels)
{
    static const struct prune_conv_shape vgg[] = {
        { 3, 32, 32, 64, 3, 1, 1, 1, 0, 0 },  { 64, 32, 32, 64, 3, 1, 1, 1, 0, 0 }, { 64, 16, 16, 128, 3, 1, 1, 1, 0, 0 }, { 128, 16, 16, 128, 3, 1, 1, 1, 0, 0 },
        { 128, 8, 8, 256, 3, 1, 1, 1, 0, 0 }, { 256, 8, 8, 256, 3, 1, 1, 1, 0, 0 }, { 256, 4, 4, 512, 3, 1, 1, 1, 0, 0 },  { 512, 4, 4, 512, 3, 1, 1, 1, 0, 0 },
        { 512, 2, 2, 512, 3, 1, 1, 1, 0, 0 }, { 512, 1, 1, 512, 1, 1, 0, 1, 0, 0 }, { 512, 1, 1, 10, 1, 1, 0, 1, 0, 0 },
    };
    for (int d = 0; d < 2; d++)
        for (size_t i = 0; i < sizeof vgg / sizeof *vgg; i++) bench_layer(kernels, &vgg[i], d ? .05 : .1);
}

void check_sparse(const struct prune_kernels *kernels)
{
    check_tiles(kernels);
    check_shapes(kernels);
    check_second_step(kernels);
    check_crossover(kernels);
    if (check_benching) bench_layers(kernels);
}
