/* check_train.c - the training kernels against their plain twins, exactly; the twins against sums in double and against what train.h says
 *
 * Every buffer is tried with a page that cannot be touched behind its end, and one before its start; arrays of vectors are aligned either way.
 */
#include "check.h"
#include "kernels.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const enum prune_activation trained[] = { PRUNE_LINEAR_ACTIVATION, PRUNE_RELU, PRUNE_LEAKY, PRUNE_LOGISTIC_ACTIVATION };
enum { N_TRAINED = sizeof trained / sizeof *trained, MOST_V = 16 };
static const int pixel_counts[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 49, 66 };
enum { N_PIXEL_COUNTS = sizeof pixel_counts / sizeof *pixel_counts };

/* Random floats; `wild`: some infinities, NaNs, and the least float. */
static float *random_floats(size_t n, int left, int wild)
{
    static const float odd[] = { NAN, INFINITY, -INFINITY, -FLT_MAX, 0, -0.0f };
    float *floats = check_guarded(n, left);
    for (size_t i = 0; i < n; i++) floats[i] = wild && check_random() % 8 == 0 ? odd[check_random() % 6] : check_random_float();
    return floats;
}

/* Floats of which many are equal; zeros of both signs. */
static float *few_values(size_t n, int left)
{
    static const float values[] = { 0, -0.0f, 1, -1, .5f };
    float *floats = check_guarded(n, left);
    for (size_t i = 0; i < n; i++) floats[i] = values[check_random() % 5];
    return floats;
}

static float *copy_of(const float *floats, size_t n, int left)
{
    float *copy = check_guarded(n, left);
    for (size_t i = 0; i < n; i++) copy[i] = floats[i];
    return copy;
}

static float *random_mask(int v, int left)
{
    float *mask = check_guarded((size_t)v, left);
    for (int i = 0; i < v; i++) mask[i] = (float)(check_random() % 2);
    return mask;
}

/* ----------------------------------------------------------------------------------------- batch normalisation, bias -- */

/* What a call gets. Each case has other numbers of blocks and planes, guards, and values. */
struct norm_case {
    struct prune_vectors shape;
    int v, left, wild, has_mask, has_scale;
    size_t n, n_planes;         /* floats of an array, and of the planes' numbers */
    float *x, *delta, *scale, *shift, *mean, *a, *b, *c, *mask;
};

static struct norm_case new_case(int v, int pixels, int variant)
{
    struct norm_case t = { .shape = { .blocks = variant / 8 % 4, .planes = 1 + variant % 5, .pixels = pixels }, .v = v, .left = variant % 2, .wild = variant / 2 % 4 == 3 };
    t.has_mask = variant / 2 % 2;
    t.has_scale = variant / 4 % 2;
    t.n_planes = (size_t)(t.shape.planes * v);
    t.n = (size_t)(t.shape.blocks * pixels) * t.n_planes;
    t.x = random_floats(t.n, t.left, t.wild);
    t.delta = random_floats(t.n, t.left, t.wild);
    float **numbers[] = { &t.scale, &t.shift, &t.mean, &t.a, &t.b, &t.c };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) *numbers[i] = random_floats(t.n_planes, t.left, 0);
    if (!t.has_scale) t.scale = NULL;
    t.mask = t.has_mask ? random_mask(v, t.left) : NULL;
    return t;
}
enum { N_VARIANTS = 32 };

static int is_moments_right(const struct prune_train_kernels *k, const struct norm_case *t)
{
    float *mean = check_guarded(t->n_planes, t->left), *m2 = check_guarded(t->n_planes, t->left);
    float *expected_mean = check_guarded(t->n_planes, t->left), *expected_m2 = check_guarded(t->n_planes, t->left);
    prune_moments_plain(t->v, &t->shape, t->x, expected_mean, expected_m2);
    k->moments(&t->shape, t->x, mean, m2);
    return check_same(mean, expected_mean, t->n_planes) && check_same(m2, expected_m2, t->n_planes);
}

static int is_normalise_right(const struct prune_train_kernels *k, const struct norm_case *t, enum prune_activation f, int in_place)
{
    float *expected = check_guarded(t->n, t->left), *x = copy_of(t->x, t->n, t->left), *out = in_place ? x : check_guarded(t->n, t->left);
    prune_normalise_plain(t->v, &t->shape, t->x, t->scale, t->shift, f, t->mask, expected);
    k->normalise(&t->shape, x, t->scale, t->shift, f, t->mask, out);
    return check_same(out, expected, t->n);
}

static int is_sums_right(const struct prune_train_kernels *k, const struct norm_case *t, enum prune_activation f)
{
    float *sums = check_guarded(t->n_planes, t->left), *products = check_guarded(t->n_planes, t->left);
    float *expected_sums = check_guarded(t->n_planes, t->left), *expected_products = check_guarded(t->n_planes, t->left);
    prune_normalise_sums_plain(t->v, &t->shape, t->x, t->delta, t->scale, t->shift, f, t->mean, expected_sums, expected_products);
    k->normalise_sums(&t->shape, t->x, t->delta, t->scale, t->shift, f, t->mean, sums, products);
    return check_same(sums, expected_sums, t->n_planes) && check_same(products, expected_products, t->n_planes);
}

static int is_back_right(const struct prune_train_kernels *k, const struct norm_case *t, enum prune_activation f)
{
    float *expected = copy_of(t->delta, t->n, t->left), *delta = copy_of(t->delta, t->n, t->left);
    prune_normalise_back_plain(t->v, &t->shape, t->x, t->scale, t->shift, f, t->mean, t->a, t->b, t->c, t->mask, expected);
    k->normalise_back(&t->shape, t->x, t->scale, t->shift, f, t->mean, t->a, t->b, t->c, t->mask, delta);
    return check_same(delta, expected, t->n);
}

static int is_activate_back_right(const struct prune_train_kernels *k, const struct norm_case *t, enum prune_activation f, int summing)
{
    float *expected = copy_of(t->delta, t->n, t->left), *delta = copy_of(t->delta, t->n, t->left);
    float *sums = check_guarded(t->n_planes, t->left), *expected_sums = check_guarded(t->n_planes, t->left);
    prune_activate_back_plain(t->v, &t->shape, t->x, f, expected, summing ? expected_sums : NULL);
    k->activate_back(&t->shape, t->x, f, delta, summing ? sums : NULL);
    return check_same(delta, expected, t->n) && (!summing || check_same(sums, expected_sums, t->n_planes));
}

static void check_norm(const struct prune_train_kernels *k, int v)
{
    int moments = 1;
    for (int i = 0; i < N_PIXEL_COUNTS; i++)
        for (int variant = 0; variant < N_VARIANTS; variant++) {
            struct norm_case t = new_case(v, pixel_counts[i], variant);
            moments &= is_moments_right(k, &t);
            check_release();
        }
    check_that(moments, "moments, %d shapes, 0 blocks too", N_PIXEL_COUNTS * N_VARIANTS);
    for (int f = 0; f < N_TRAINED; f++) {
        const char *name = prune_activation_name(trained[f]);
        int normalise = 1, sums = 1, back = 1, activate = 1;
        for (int i = 0; i < N_PIXEL_COUNTS; i++)
            for (int variant = 0; variant < N_VARIANTS; variant++) {
                struct norm_case t = new_case(v, pixel_counts[i], variant);
                normalise &= is_normalise_right(k, &t, trained[f], 0) && is_normalise_right(k, &t, trained[f], 1);
                sums &= is_sums_right(k, &t, trained[f]);
                back &= is_back_right(k, &t, trained[f]);
                activate &= is_activate_back_right(k, &t, trained[f], 0) && is_activate_back_right(k, &t, trained[f], 1);
                check_release();
            }
        check_that(normalise, "normalise, %s, in place too", name);
        check_that(sums, "normalise_sums, %s", name);
        check_that(back, "normalise_back, %s", name);
        check_that(activate, "activate_back, %s, with sums and without", name);
    }
}

/* Of x and y that are no extremes. */
static int is_near(float x, double exact, double error) { return fabs((double)x - exact) <= error * (1 + fabs(exact)); }

static void check_moments_exact(const struct prune_train_kernels *k, int v)
{
    struct prune_vectors shape = { .blocks = 7, .planes = 3, .pixels = 121 };
    size_t n_planes = (size_t)(shape.planes * v), n = n_planes * (size_t)(shape.blocks * shape.pixels), of_block = n_planes * (size_t)shape.pixels;
    float *x = check_guarded(n, 1), *mean = check_guarded(n_planes, 1), *m2 = check_guarded(n_planes, 1);
    /* Means far from 0, and of each block another. */
    for (size_t i = 0; i < n; i++) x[i] = (float)(check_random() % 4096) / 4096 + 8 * (float)(i % (size_t)v) + (float)(i / of_block);
    k->moments(&shape, x, mean, m2);
    int good = 1;
    for (size_t p = 0; p < n_planes; p++) {
        double sum = 0, squares = 0, count = shape.blocks * shape.pixels;
        for (int pass = 0; pass < 2; pass++)
            for (size_t b = 0; b < (size_t)shape.blocks; b++)
                for (size_t i = 0; i < (size_t)shape.pixels; i++) {
                    double value = (double)x[b * of_block + (p / (size_t)v * (size_t)shape.pixels + i) * (size_t)v + p % (size_t)v];
                    if (pass) squares += (value - sum / count) * (value - sum / count);
                    else sum += value;
                }
        good &= is_near(mean[p], sum / count, 1e-6) && is_near(m2[p], squares, 2e-5);
    }
    check_that(good, "moments near those in double");
    check_release();
}

/* One lane of one pixel at a time, so that every number is checked for itself: in double, from prune_activate. */
static void check_formulas(const struct prune_train_kernels *k, int v)
{
    struct prune_vectors one = { .blocks = 1, .planes = 1, .pixels = 1 };
    size_t n = (size_t)v;
    int derivative = 1, of_out = 1, normalise = 1, sums_right = 1, back = 1;
    for (int variant = 0; variant < 200; variant++) {
        enum prune_activation f = trained[variant % N_TRAINED];
        float *numbers[9];
        for (int j = 0; j < 9; j++) {
            numbers[j] = check_guarded(n, 1);
            for (size_t i = 0; i < n; i++) numbers[j][i] = (float)(check_random() % 8192) / 1024 - 4 + 1.f / 4096;
        }
        float *x = numbers[0], *scale = numbers[1], *shift = numbers[2], *mean = numbers[3], *delta = numbers[4], *out = numbers[5];
        const float *a = numbers[6], *b = numbers[7], *c = numbers[8];
        float *sums = check_guarded(n, 1), *products = check_guarded(n, 1), *old = copy_of(delta, n, 1), *mask = random_mask(v, 1);
        k->normalise(&one, x, scale, shift, f, mask, out);
        k->normalise_sums(&one, x, delta, scale, shift, f, mean, sums, products);
        k->normalise_back(&one, x, scale, shift, f, mean, a, b, c, mask, delta);
        for (size_t i = 0; i < n; i++) {
            double y = fma((double)x[i], (double)scale[i], (double)shift[i]), step = 1e-5;
            double slope = y * (y + step) < 0 || y * (y - step) < 0 ? NAN : (prune_activate(f, y + step) - prune_activate(f, y - step)) / (2 * step);
            double g = (double)old[i] * slope, from_mean = (double)(x[i] - mean[i]);
            if (isnan(slope)) continue;
            derivative &= is_near(prune_derivative_plain((float)y, f), slope, 1e-5);
            of_out &= is_near(prune_derivative_of_plain((float)prune_activate(f, y), f), slope, 1e-5);
            normalise &= is_near(out[i], (double)mask[i] * prune_activate(f, y), 1e-5);
            sums_right &= is_near(sums[i], g, 1e-5) && is_near(products[i], g * from_mean, 1e-5);
            back &= is_near(delta[i], (double)mask[i] * ((double)a[i] * g + (double)b[i] * from_mean + (double)c[i]), 1e-4);
        }
        check_release();
    }
    check_that(derivative && of_out, "the derivatives are those of the activations");
    check_that(normalise && sums_right && back, "normalise, its sums and its gradient as train.h says");
    int at_zero = 1;
    for (int sign = 0; sign < 2; sign++) {
        float zero = sign ? -0.0f : 0;
        at_zero &= prune_derivative_plain(zero, PRUNE_RELU) == 0 && prune_derivative_plain(zero, PRUNE_LEAKY) == .1f && prune_derivative_of_plain(zero, PRUNE_RELU) == 0;
    }
    check_that(at_zero, "the derivatives at 0 are those from below");
}

/* --------------------------------------------------------------------------------------------------------- pooling -- */

static int is_pool_right(const struct prune_train_kernels *k, int v, const struct prune_pool *pool, int planes, int left, int values)
{
    size_t n_in = (size_t)(planes * pool->w * pool->h * v), n_out = (size_t)(planes * pool->out_w * pool->out_h * v);
    float *in = values == 2 ? few_values(n_in, left) : random_floats(n_in, left, values), *out = check_guarded(n_out, left), *expected = check_guarded(n_out, left);
    prune_train_maxpool_plain(v, pool, planes, in, expected);
    k->maxpool(pool, planes, in, out);
    int good = check_same(out, expected, n_out);
    for (int first = 0; first < 2; first++) {
        float *delta = random_floats(n_out, left, 0), *before = first ? check_guarded(n_in, left) : few_values(n_in, left);
        float *in_delta = copy_of(before, n_in, left), *expected_delta = copy_of(before, n_in, left);
        prune_train_maxpool_back_plain(v, pool, planes, in, out, delta, first, expected_delta);
        k->maxpool_back(pool, planes, in, out, delta, first, in_delta);
        good &= check_same(in_delta, expected_delta, n_in);
    }
    check_release();
    return good;
}

static void check_maxpool(const struct prune_train_kernels *k, int v)
{
    static const int strides[] = { 1, 2, 3 }, shapes[][2] = { { 1, 1 }, { 2, 2 }, { 4, 2 }, { 3, 5 }, { 6, 6 }, { 7, 7 }, { 8, 14 }, { 13, 4 }, { 1, 6 }, { 4, 5 } };
    for (int size = 1; size <= 5; size++) {
        int good = 1, tried = 0;
        for (size_t s = 0; s < sizeof strides / sizeof *strides; s++)
            for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
                for (int p = 0; p < 5; p++) {
                    int pads[] = { 0, 1, size - 1, size, 2 * size + 3 };       /* with the last, whole windows are outside */
                    struct prune_pool pool = { .w = shapes[i][0], .h = shapes[i][1], .size = size, .stride = strides[s], .pad = pads[p] };
                    if (pool.w + pool.pad < size || pool.h + pool.pad < size) continue;
                    pool.out_w = (pool.w + pool.pad - size) / pool.stride + 1;
                    pool.out_h = (pool.h + pool.pad - size) / pool.stride + 1;
                    for (int variant = 0; variant < 6; variant++) good &= is_pool_right(k, v, &pool, 1 + (int)i % 3, variant % 2, variant / 2);
                    tried++;
                }
        check_that(good, "maxpool and its gradient, %d x %d, strides 1, 2, 3, %d shapes and pads", size, size, tried);
    }
    static const struct prune_pool shifted = { .w = 4, .h = 4, .out_w = 2, .out_h = 2, .size = 2, .stride = 2, .pad = 2 };
    check_that(is_pool_right(k, v, &shifted, 2, 0, 0) && is_pool_right(k, v, &shifted, 2, 1, 1), "maxpool and its gradient, shifted by a pad");
}

/* One plane, with these values in lane 0 and random ones in the others: what comes out in lane 0. */
static int is_pooled(const struct prune_train_kernels *k, int v, const struct prune_pool *pool, const float *in, const float *delta, const float *expected_out,
                     const float *expected_delta)
{
    int n_in = pool->w * pool->h, n_out = pool->out_w * pool->out_h, good = 1;
    float *vectors = random_floats((size_t)(n_in * v), 1, 0), *out = check_guarded((size_t)(n_out * v), 1), *deltas = random_floats((size_t)(n_out * v), 1, 0);
    float *in_delta = check_guarded((size_t)(n_in * v), 1);
    for (int i = 0; i < n_in; i++) vectors[i * v] = in[i];
    for (int i = 0; i < n_out; i++) deltas[i * v] = delta[i];
    k->maxpool(pool, 1, vectors, out);
    k->maxpool_back(pool, 1, vectors, out, deltas, 1, in_delta);
    for (int i = 0; i < n_out; i++) good &= check_same(&out[i * v], &expected_out[i], 1);
    for (int i = 0; i < n_in; i++) good &= check_same(&in_delta[i * v], &expected_delta[i], 1);
    check_release();
    return good;
}

static void check_pool_places(const struct prune_train_kernels *k, int v)
{
    static const struct prune_pool overlapping = { .w = 3, .h = 2, .out_w = 2, .out_h = 1, .size = 2, .stride = 1 };
    static const struct prune_pool half = { .w = 2, .h = 2, .out_w = 1, .out_h = 1, .size = 2, .stride = 2 };
    static const struct prune_pool outside = { .w = 2, .h = 1, .out_w = 3, .out_h = 3, .size = 1, .stride = 2, .pad = 4 };
    check_that(is_pooled(k, v, &overlapping, (float[]){ 1, 7, 2, 3, 7, 4 }, (float[]){ 10, 200 }, (float[]){ 7, 7 }, (float[]){ 0, 210, 0, 0, 0, 0 }),
               "two windows' gradients meet in the first of the largest");
    check_that(is_pooled(k, v, &half, (float[]){ -1, -0.0f, 0, -2 }, (float[]){ 5 }, (float[]){ -0.0f }, (float[]){ 0, 5, 0, 0 }), "-0 and 0 are equal: the first of them");
    check_that(is_pooled(k, v, &half, (float[]){ NAN, NAN, -INFINITY, NAN }, (float[]){ 5 }, (float[]){ -FLT_MAX }, (float[]){ 0, 0, 0, 0 }), "no gradient to NaN and -inf");
    check_that(is_pooled(k, v, &half, (float[]){ NAN, -3, -4, NAN }, (float[]){ 5 }, (float[]){ -3 }, (float[]){ 0, 5, 0, 0 }), "a gradient beside NaN");
    check_that(is_pooled(k, v, &outside, (float[]){ 3, 4 }, (float[]){ 1, 2, 4, 8, 16, 32, 64, 128, 256 },
                         (float[]){ -FLT_MAX, -FLT_MAX, -FLT_MAX, -FLT_MAX, 3, -FLT_MAX, -FLT_MAX, -FLT_MAX, -FLT_MAX }, (float[]){ 16, 0 }),
               "no gradient from windows outside of the plane");
}

static void check_avgpool(const struct prune_train_kernels *k, int v)
{
    int good = 1, near = 1;
    for (int i = 0; i < N_PIXEL_COUNTS; i++)
        for (int variant = 0; variant < 8; variant++) {
            int planes = 1 + variant / 2 + i % 2, left = variant % 2, pixels = pixel_counts[i];
            size_t n_out = (size_t)(planes * v), n = n_out * (size_t)pixels;
            float *in = random_floats(n, left, variant / 4), *out = check_guarded(n_out, left), *expected = check_guarded(n_out, left), *delta = random_floats(n_out, left, 0);
            prune_train_avgpool_plain(v, planes, pixels, in, expected);
            k->avgpool(planes, pixels, in, out);
            good &= check_same(out, expected, n_out);
            for (int first = 0; first < 2; first++) {
                float *in_delta = first ? check_guarded(n, left) : copy_of(in, n, left), *expected_delta = copy_of(in, n, left);
                prune_train_avgpool_back_plain(v, planes, pixels, delta, first, expected_delta);
                k->avgpool_back(planes, pixels, delta, first, in_delta);
                good &= check_same(in_delta, expected_delta, n);
                near &= !first || is_near(in_delta[n - 1], (double)delta[n_out - 1] / pixels, 1e-6);
            }
            for (size_t j = 0; j < n; j++) in[j] = (float)(check_random() % 1024) / 1024;
            k->avgpool(planes, pixels, in, out);
            double sum = 0;
            for (int j = 0; j < pixels; j++) sum += (double)in[n - 1 - (size_t)(j * v)];
            near &= is_near(out[n_out - 1], sum / pixels, 1e-6);
            check_release();
        }
    check_that(good, "avgpool and its gradient, %d shapes", N_PIXEL_COUNTS * 8);
    check_that(near, "avgpool is the mean of the last lane too");
}

/* ------------------------------------------------------------------------------------------------ updates, layouts -- */

static void check_update(const struct prune_train_kernels *k)
{
    int good = 1, near = 1;
    for (size_t n = 0; n < 70; n++)
        for (int variant = 0; variant < 4; variant++) {
            int left = variant % 2;
            float decay = 0.0005f * 16, rate = 0.001f / 16, momentum = 0.9f;
            float *weights = random_floats(n, left, variant / 2), *updates = random_floats(n, left, variant / 2);
            float *old_weights = copy_of(weights, n, left), *old_updates = copy_of(updates, n, left);
            float *expected_weights = copy_of(weights, n, left), *expected_updates = copy_of(updates, n, left);
            prune_update_plain(n, decay, rate, momentum, expected_weights, expected_updates);
            k->update(n, decay, rate, momentum, weights, updates);
            good &= check_same(weights, expected_weights, n) && check_same(updates, expected_updates, n);
            for (size_t i = 0; i < n && !(variant / 2); i++) {
                double with_decay = (double)old_updates[i] - (double)decay * (double)old_weights[i];
                near &= is_near(weights[i], (double)old_weights[i] + (double)rate * with_decay, 1e-6) && is_near(updates[i], (double)momentum * with_decay, 1e-6);
            }
            check_release();
        }
    check_that(good, "update, 0 to 69 floats");
    check_that(near, "update is the step that train.h says");
}

/* Rows of plain floats, `stride` apart: the floats between them and behind the last must not change. */
static void check_vectors(const struct prune_train_kernels *k, int v)
{
    static const size_t gaps[] = { 0, 1, 5 };
    int to = 1, from = 1, back = 1;
    for (size_t n = 0; n <= (size_t)(2 * v + 3); n++)
        for (int lanes = 1; lanes <= v; lanes++)
            for (int variant = 0; variant < 6; variant++) {
                int left = variant % 2;
                size_t stride = n + gaps[variant / 2], n_plain = n ? (size_t)(lanes - 1) * stride + n : 0, n_vectors = n * (size_t)v;
                float *plain = random_floats(n_plain, left, 0), *vectors = check_guarded(n_vectors, left), *expected = check_guarded(n_vectors, left);
                prune_to_vectors_plain(v, plain, stride, n, lanes, expected);
                k->to_vectors(plain, stride, n, lanes, vectors);
                to &= check_same(vectors, expected, n_vectors);
                for (size_t i = 0; i < n_vectors; i++) to &= i % (size_t)v < (size_t)lanes ? vectors[i] == plain[i % (size_t)v * stride + i / (size_t)v] : vectors[i] == 0;
                for (int add = 0; add < 2; add++) {
                    float *other = random_floats(n_plain, left, 0), *expected_other = copy_of(other, n_plain, left), *more = random_floats(n_vectors, left, 0);
                    prune_from_vectors_plain(v, more, n, lanes, add, expected_other, stride);
                    k->from_vectors(more, n, lanes, add, other, stride);
                    from &= check_same(other, expected_other, n_plain);
                    if (add) continue;
                    k->from_vectors(vectors, n, lanes, 0, other, stride);
                    for (size_t i = 0; i < n_plain; i++) back &= check_same(&other[i], i % stride >= n ? &expected_other[i] : &plain[i], 1);
                }
                check_release();
            }
    check_that(to && from, "to_vectors and from_vectors, 0 to %d vectors, all numbers of lanes, strides", 2 * v + 3);
    check_that(back, "there and back is nothing");
}

static void check_exchange(const struct prune_train_kernels *k, int v)
{
    int good = 1, right = 1;
    for (size_t n = 0; n < 6; n++)
        for (int in_rows = 1; in_rows <= v; in_rows += v > 8 && in_rows > 2 && in_rows < 14 ? 3 : 1)
            for (int out_rows = 1; out_rows <= v; out_rows += v > 8 && out_rows > 2 && out_rows < 14 ? 3 : 1)
                for (int variant = 0; variant < 4; variant++) {
                    int left = variant % 2;
                    size_t of_row = n * (size_t)v, in_stride = of_row + (variant / 2 ? (size_t)v : 0), out_stride = of_row + (variant / 2 ? (size_t)(3 * v) : 0);
                    size_t n_in = n ? (size_t)(in_rows - 1) * in_stride + of_row : 0, n_out = n ? (size_t)(out_rows - 1) * out_stride + of_row : 0;
                    float *in = random_floats(n_in, left, 0), *before = random_floats(n_out, left, 0);
                    for (int add = 0; add < 2; add++) {
                        float *out = copy_of(before, n_out, left), *expected = copy_of(before, n_out, left);
                        prune_exchange_plain(v, in, in_stride, in_rows, n, add, expected, out_stride, out_rows);
                        k->exchange(in, in_stride, in_rows, n, add, out, out_stride, out_rows);
                        good &= check_same(out, expected, n_out);
                        if (add || !n) continue;
                        size_t i = check_random() % n, one = check_random() % (unsigned)v, other = check_random() % (unsigned)out_rows;
                        right &= out[other * out_stride + i * (size_t)v + one] == (one < (size_t)in_rows ? in[one * in_stride + i * (size_t)v + other] : 0);
                    }
                    check_release();
                }
    check_that(good, "exchange, 0 to 5 vectors, numbers of rows, strides");
    check_that(right, "exchange puts lanes where train.h says");
}

/* ----------------------------------------------------------------------------------------------------------- bench -- */

struct train_bench {
    const struct prune_train_kernels *kernels;
    struct prune_vectors shape;
    struct prune_pool pool;
    enum prune_activation f;
    int first, planes;
    size_t n, row;              /* floats of an array, of a lane */
    float *x, *y, *numbers, *sums, *more_sums;
};

static void run_copy(void *context)
{
    struct train_bench *b = context;
    memcpy(b->y, b->x, b->n * sizeof *b->x);
}

static void run_moments(void *context)
{
    struct train_bench *b = context;
    b->kernels->moments(&b->shape, b->x, b->sums, b->more_sums);
}

static void run_normalise(void *context)
{
    struct train_bench *b = context;
    b->kernels->normalise(&b->shape, b->x, b->numbers, b->numbers, b->f, NULL, b->y);
}

static void run_normalise_sums(void *context)
{
    struct train_bench *b = context;
    b->kernels->normalise_sums(&b->shape, b->x, b->y, b->numbers, b->numbers, b->f, b->numbers, b->sums, b->more_sums);
}

static void run_normalise_back(void *context)
{
    struct train_bench *b = context;
    b->kernels->normalise_back(&b->shape, b->x, b->numbers, b->numbers, b->f, b->numbers, b->numbers, b->numbers, b->numbers, NULL, b->y);
}

static void run_activate_back(void *context)
{
    struct train_bench *b = context;
    b->kernels->activate_back(&b->shape, b->x, b->f, b->y, b->sums);
}

static void run_maxpool(void *context)
{
    struct train_bench *b = context;
    b->kernels->maxpool(&b->pool, b->planes, b->x, b->y);
}

static void run_maxpool_back(void *context)
{
    struct train_bench *b = context;
    b->kernels->maxpool_back(&b->pool, b->planes, b->x, b->sums, b->more_sums, b->first, b->y);
}

static void run_avgpool(void *context)
{
    struct train_bench *b = context;
    b->kernels->avgpool(b->planes, b->shape.pixels, b->x, b->sums);
}

static void run_avgpool_back(void *context)
{
    struct train_bench *b = context;
    b->kernels->avgpool_back(b->planes, b->shape.pixels, b->numbers, b->first, b->y);
}

static void run_update(void *context)
{
    struct train_bench *b = context;
    b->kernels->update(b->n, 0, 0, 1, b->x, b->y);
}

/* Block by block, as a layer does: the rows are the planes' lanes, or the images'. */
static void run_to_vectors(void *context)
{
    struct train_bench *b = context;
    size_t lanes = (size_t)b->planes, block = lanes * b->row;
    for (size_t i = 0; i < b->n; i += block) b->kernels->to_vectors(b->x + i, b->row, b->row, b->planes, b->y + i);
}

static void run_from_vectors(void *context)
{
    struct train_bench *b = context;
    size_t lanes = (size_t)b->planes, block = lanes * b->row;
    for (size_t i = 0; i < b->n; i += block) b->kernels->from_vectors(b->x + i, b->row, b->planes, !b->first, b->y + i, b->row);
}

static void run_exchange(void *context)
{
    struct train_bench *b = context;
    size_t row = b->n / (size_t)b->planes;
    b->kernels->exchange(b->x, row, b->planes, row / (size_t)b->planes, !b->first, b->y, row, b->planes);
}

static void bench_elements(struct train_bench *b, const char *size, int v)
{
    char name[64];
    double bytes = 4 * (double)b->n;
    snprintf(name, sizeof name, "memcpy, %s", size);
    check_bench(name, 2 * bytes, "byte", run_copy, b);
    snprintf(name, sizeof name, "moments, %s", size);
    check_bench(name, bytes, "byte", run_moments, b);
    for (int i = 0; i < N_TRAINED; i++) {
        const struct { const char *name; void (*run)(void *); double arrays; } kernels[] = {
            { "normalise", run_normalise, 2 }, { "normalise_sums", run_normalise_sums, 2 }, { "normalise_back", run_normalise_back, 3 },
            { "activate_back", run_activate_back, trained[i] == PRUNE_LINEAR_ACTIVATION ? 1 : 3 },
        };
        b->f = trained[i];
        for (size_t j = 0; j < sizeof kernels / sizeof *kernels; j++) {
            snprintf(name, sizeof name, "%s, %s, %s", kernels[j].name, prune_activation_name(b->f), size);
            memset(b->y, 0, b->n * sizeof *b->y);       /* a gradient that passed a thousand times would be denormal */
            check_bench(name, kernels[j].arrays * bytes, "byte", kernels[j].run, b);
        }
    }
    memset(b->y, 0, b->n * sizeof *b->y);
    snprintf(name, sizeof name, "update, %s", size);
    check_bench(name, 4 * bytes, "byte", run_update, b);
    b->planes = v;
    b->row = (size_t)b->shape.pixels;
    for (b->first = 1; b->first >= 0; b->first--) {
        const char *adding = b->first ? "" : " adding";
        if (b->first) snprintf(name, sizeof name, "to_vectors, %s", size);
        if (b->first) check_bench(name, 2 * bytes, "byte", run_to_vectors, b);
        snprintf(name, sizeof name, "from_vectors%s, %s", adding, size);
        check_bench(name, (b->first ? 2 : 3) * bytes, "byte", run_from_vectors, b);
        snprintf(name, sizeof name, "exchange%s, %s", adding, size);
        check_bench(name, (b->first ? 2 : 3) * bytes, "byte", run_exchange, b);
    }
}

static void bench_pools(struct train_bench *b, const char *size)
{
    char name[64];
    double bytes = 4 * (double)b->n;
    b->planes = b->shape.blocks * b->shape.planes;
    static const struct prune_pool pools[] = { { 32, 32, 16, 16, 2, 2, 1 }, { 32, 32, 32, 32, 2, 1, 1 }, { 32, 32, 16, 16, 3, 2, 2 }, { 32, 32, 32, 32, 5, 1, 4 } };
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        b->pool = pools[i];
        double pooled = bytes / (b->pool.stride * b->pool.stride);
        snprintf(name, sizeof name, "maxpool %d x %d stride %d, %s", b->pool.size, b->pool.size, b->pool.stride, size);
        check_bench(name, bytes + pooled, "byte", run_maxpool, b);
        b->kernels->maxpool(&b->pool, b->planes, b->x, b->sums);
        for (b->first = 1; b->first >= 0; b->first--) {
            snprintf(name, sizeof name, "maxpool_back %d x %d stride %d%s, %s", b->pool.size, b->pool.size, b->pool.stride, b->first ? "" : " adding", size);
            check_bench(name, (b->first ? 2 : 3) * bytes + 2 * pooled, "byte", run_maxpool_back, b);
        }
    }
    snprintf(name, sizeof name, "avgpool, %s", size);
    check_bench(name, bytes, "byte", run_avgpool, b);
    for (b->first = 1; b->first >= 0; b->first--) {
        snprintf(name, sizeof name, "avgpool_back%s, %s", b->first ? "" : " adding", size);
        check_bench(name, (b->first ? 1 : 2) * bytes, "byte", run_avgpool_back, b);
    }
}

static void bench_train(const struct prune_train_kernels *k, int v)
{
    static const struct { const char *name; size_t bytes; } sizes[] = { { "128 KB", 128 << 10 }, { "8 MB", 8 << 20 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct train_bench b = { .kernels = k, .n = sizes[i].bytes / sizeof(float) };
        int planes = (int)b.n / v / 1024;
        b.shape = (struct prune_vectors){ .blocks = 2, .planes = planes / 2, .pixels = 1024 };
        float **arrays[] = { &b.x, &b.y, &b.numbers, &b.sums, &b.more_sums };
        for (size_t j = 0; j < sizeof arrays / sizeof *arrays; j++) {
            *arrays[j] = check_guarded(b.n, 1);
            for (size_t n = 0; n < b.n; n++) (*arrays[j])[n] = (float)(check_random() % 4096) / 1024 - 2;
        }
        bench_elements(&b, sizes[i].name, v);
        bench_pools(&b, sizes[i].name);
        check_release();
    }
}

void check_train(const struct prune_kernels *kernels)
{
    const struct prune_train_kernels *k = &kernels->train;
    int v = kernels->vector;
    check_norm(k, v);
    check_moments_exact(k, v);
    check_formulas(k, v);
    check_maxpool(k, v);
    check_pool_places(k, v);
    check_avgpool(k, v);
    check_update(k);
    check_vectors(k, v);
    check_exchange(k, v);
    if (check_benching) bench_train(k, v);
}
