/* check_layers.c - the layer kernels against their plain twins, exactly; activations and softmax against double too
 *
 * Every buffer is tried with a page that cannot be touched behind its end, and one before its start.
 */
#include "check.h"
#include "kernels.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const enum prune_activation activations[] = { PRUNE_LINEAR_ACTIVATION, PRUNE_RELU, PRUNE_LEAKY, PRUNE_LOGISTIC_ACTIVATION, PRUNE_MISH };
enum { N_ACTIVATIONS = sizeof activations / sizeof *activations };
static const int lengths[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 15, 16, 17, 19, 23, 24, 25, 31, 32, 33, 40, 47, 49, 63, 64, 65, 100, 169, 255 };
enum { N_LENGTHS = sizeof lengths / sizeof *lengths };

/* Random floats; `wild`: some infinities, NaNs, and the least float. */
static float *random_floats(size_t n, int left, int wild)
{
    static const float odd[] = { NAN, INFINITY, -INFINITY, -FLT_MAX, 0, -0.0f };
    float *floats = check_guarded(n, left);
    for (size_t i = 0; i < n; i++) floats[i] = wild && check_random() % 8 == 0 ? odd[check_random() % 6] : check_random_float();
    return floats;
}

static float *copy_of(const float *floats, size_t n, int left)
{
    float *copy = check_guarded(n, left);
    for (size_t i = 0; i < n; i++) copy[i] = floats[i];
    return copy;
}

/* ----------------------------------------------------------------------------------------------------- pooling -- */

static int is_pool_right(const struct prune_layer_kernels *k, const struct prune_pool *pool, int planes, int left, int wild)
{
    size_t n_in = (size_t)(planes * pool->w * pool->h), n_out = (size_t)(planes * pool->out_w * pool->out_h);
    float *in = random_floats(n_in, left, wild), *out = check_guarded(n_out, left), *expected = check_guarded(n_out, left);
    prune_maxpool_plain(pool, planes, in, expected);
    k->maxpool(pool, planes, in, out);
    int good = check_same(out, expected, n_out);
    check_release();
    return good;
}

static void check_maxpool(const struct prune_layer_kernels *k)
{
    static const int strides[] = { 1, 2, 3, 5 }, shapes[][2] = { { 1, 1 }, { 2, 2 }, { 3, 5 }, { 7, 7 }, { 13, 13 }, { 14, 9 }, { 15, 16 }, { 17, 33 }, { 32, 6 }, { 55, 55 }, { 63, 4 },
                                                      { 64, 65 }, { 65, 3 }, { 127, 5 }, { 131, 40 }, { 140, 3 }, { 300, 2 }, { 2, 70 } };
    for (int size = 1; size <= 18; size += size < 13 ? 1 : 5) {
        int good = 1, tried = 0;
        for (size_t s = 0; s < sizeof strides / sizeof *strides; s++)
            for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
                for (int p = 0; p < 5; p++) {
                    int pads[] = { 0, 1, size - 1, size, 2 * size + 3 };       /* with the last, whole windows are outside */
                    struct prune_pool pool = { .w = shapes[i][0], .h = shapes[i][1], .size = size, .stride = strides[s], .pad = pads[p] };
                    if (pool.w + pool.pad < size || pool.h + pool.pad < size) continue;
                    pool.out_w = (pool.w + pool.pad - size) / pool.stride + 1;
                    pool.out_h = (pool.h + pool.pad - size) / pool.stride + 1;
                    for (int left = 0; left < 2; left++) good &= is_pool_right(k, &pool, 1 + (int)i % 3, left, (p + left) % 2);
                    tried += 2;
                }
        check_that(good, "maxpool %d x %d, strides 1, 2, 3, 5, %d shapes and pads", size, size, tried);
    }

    static const struct prune_pool two = { .w = 3, .h = 3, .out_w = 2, .out_h = 2, .size = 2, .stride = 2, .pad = 1 };
    static const float in[9] = { 1, -5, -7, NAN, -2, NAN, -INFINITY, 3, -INFINITY }, expected[4] = { 1, -7, 3, -FLT_MAX };
    float out[4];
    k->maxpool(&two, 1, in, out);
    check_that(check_same(out, expected, 4), "maxpool passes over NaN and -inf");
}

static void check_avgpool(const struct prune_layer_kernels *k)
{
    int good = 1, near = 1;
    for (int i = 1; i < N_LENGTHS; i++)
        for (int left = 0; left < 2; left++) {
            int planes = 1 + i % 4;
            size_t n = (size_t)lengths[i], n_in = (size_t)planes * n;
            float *in = random_floats(n_in, left, i % 5 == 0), *out = check_guarded((size_t)planes, left), *expected = check_guarded((size_t)planes, left);
            prune_avgpool_plain(planes, n, in, expected);
            k->avgpool(planes, n, in, out);
            good &= check_same(out, expected, (size_t)planes);
            for (size_t j = 0; j < n_in; j++) in[j] = fabsf(check_random_float());
            k->avgpool(planes, n, in, out);
            for (int p = 0; p < planes; p++) {
                double mean = 0;
                for (size_t j = 0; j < n; j++) mean += (double)in[(size_t)p * n + j] / (double)n;
                near &= fabs((double)out[p] - mean) <= 1e-6 * mean;
            }
            check_release();
        }
    check_that(good, "avgpool, %d sizes", N_LENGTHS - 1);
    check_that(near, "avgpool within 1e-6 of the mean in double");
}

static void check_upsample(const struct prune_layer_kernels *k)
{
    int good = 1;
    for (int stride = 1; stride <= 4; stride++)
        for (int i = 1; i < N_LENGTHS; i++)
            for (int left = 0; left < 2; left++) {
                int w = lengths[i], h = 1 + i % 5, planes = 1 + i % 3;
                float scale = i % 2 ? 1 : 0.3f;
                size_t n = (size_t)(planes * w * h), n_out = n * (size_t)(stride * stride);
                float *in = random_floats(n, left, i % 2), *out = check_guarded(n_out, left), *expected = check_guarded(n_out, left);
                prune_upsample_plain(planes, w, h, stride, scale, in, expected);
                k->upsample(planes, w, h, stride, scale, in, out);
                good &= check_same(out, expected, n_out);
                check_release();
            }
    check_that(good, "upsample by 1 to 4, %d widths", N_LENGTHS - 1);
}

static void check_reorg(const struct prune_layer_kernels *k)
{
    for (int forward = 0; forward < 2; forward++) {
        int good = 1;
        for (int stride = 1; stride <= 3; stride++)
            for (int i = 1; i < N_LENGTHS; i++)
                for (int left = 0; left < 2; left++) {
                    struct prune_reorg r = { .w = lengths[i], .h = 1 + i % 4, .c = stride * stride * (1 + i % 3), .stride = stride, .forward = forward };
                    size_t n = (size_t)(r.w * r.h * r.c);
                    int planes = forward ? r.c / (stride * stride) : r.c, cut = (int)(check_random() % (unsigned)(planes + 1));
                    float *in = random_floats(n, left, 1), *out = check_guarded(n, left), *expected = check_guarded(n, left);
                    prune_reorg_plain(&r, 0, planes, in, expected);
                    k->reorg(&r, cut, planes, in, out);
                    size_t done = n / (size_t)planes * (size_t)cut;
                    for (size_t j = 0; j < done; j++) out[j] = 777;
                    good &= check_same(out + done, expected + done, n - done);
                    k->reorg(&r, 0, cut, in, out);
                    good &= check_same(out, expected, n);
                    check_release();
                }
        check_that(good, "reorg%s by 1 to 3, %d widths, in two parts", forward ? ", reversed" : "", N_LENGTHS - 1);
    }
}

/* ------------------------------------------------------------------------------------------- sums and activations -- */

static void check_add(const struct prune_layer_kernels *k)
{
    for (int f = 0; f < N_ACTIVATIONS; f++) {
        int good = 1;
        for (int i = 0; i < N_LENGTHS; i++)
            for (int variant = 0; variant < 12; variant++) {
                int left = variant % 2, in_place = variant / 2 % 3;
                size_t n = (size_t)lengths[i];
                float s1 = variant < 6 ? 1 : 0.7f, s2 = variant < 6 ? 1 : -1.3f;
                float *a = random_floats(n, left, i % 2), *b = random_floats(n, left, i % 2), *expected = check_guarded(n, left);
                float *out = in_place == 0 ? check_guarded(n, left) : in_place == 1 ? a : b;
                prune_add_plain(n, s1, a, s2, b, activations[f], expected);
                k->add(n, s1, a, s2, b, activations[f], out);
                good &= check_same(out, expected, n);
                check_release();
            }
        check_that(good, "add, %s, in place too, %d lengths", prune_activation_name(activations[f]), N_LENGTHS);
    }
}

static void check_shortcut(const struct prune_layer_kernels *k)
{
    static const struct prune_shortcut cases[] = {
        { 13, 13, 5, 13, 13, 5, 1, 1 }, { 14, 9, 3, 14, 9, 7, .5f, 2 }, { 14, 9, 7, 14, 9, 3, 1, 1 }, { 56, 56, 2, 28, 28, 4, 1, 1 }, { 28, 28, 4, 56, 56, 2, 1, -1 }, { 33, 9, 2, 11, 3, 2, 2, 3 },
        { 5, 3, 3, 15, 9, 6, 1, .1f }, { 17, 17, 2, 13, 13, 2, 1, 1 }, { 1, 1, 4, 1, 1, 4, 1, 1 },
    };
    int good = 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int left = 0; left < 2; left++) {
            const struct prune_shortcut *s = &cases[i];
            size_t n_add = (size_t)(s->w1 * s->h1 * s->c1), n = (size_t)(s->w2 * s->h2 * s->c2);
            float *add = random_floats(n_add, left, left), *out = random_floats(n, left, left), *expected = copy_of(out, n, left);
            int cut = (int)(check_random() % (unsigned)(s->c2 + 1));
            prune_shortcut_plain(s, 0, s->c2, add, expected);
            k->shortcut(s, cut, s->c2, add, out);
            k->shortcut(s, 0, cut, add, out);
            good &= check_same(out, expected, n);
            check_release();
        }
    check_that(good, "shortcut of equal and unequal shapes, in two parts");
}

/* How far from the exact value, in units of the last place of a float there. */
static double ulps(float x, double exact)
{
    int exponent;
    if (isinf(exact) || isnan(exact)) return check_same(&x, &(float){ (float)exact }, 1) ? 0 : INFINITY;
    frexp(exact, &exponent);
    return fabs((double)x - exact) / ldexp(1, exponent - 24 > -149 ? exponent - 24 : -149);
}

static double exact_of(enum prune_activation f, float x)
{
    double d = (double)x;
    if (f == PRUNE_MISH) return d < -1000 ? -0.0 : d * tanh(log1p(exp(d)));     /* not 0 * inf */
    return prune_activate(f, d);
}

static void check_activations(const struct prune_layer_kernels *k)
{
    enum { STEP = 16381, LINEAR = 1 << 17 };
    static const float odd[] = { 0, -0.0f, INFINITY, -INFINITY, NAN, -NAN, FLT_MAX, -FLT_MAX, FLT_MIN, -FLT_MIN, FLT_TRUE_MIN, -FLT_TRUE_MIN };
    enum { N_ODD = sizeof odd / sizeof *odd };
    size_t n = UINT32_MAX / STEP + 1 + LINEAR + N_ODD, i = 0;
    float *in = check_guarded(n, 0), *out = check_guarded(n, 0), *expected = check_guarded(n, 0);
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += STEP) memcpy(&in[i++], &(uint32_t){ (uint32_t)bits }, 4);      /* all exponents, both signs */
    for (int j = 0; j < LINEAR; j++) in[i++] = (float)(j - LINEAR / 2) * (1.f / 512) + 1e-3f;                       /* -128 to 128, where they are not flat */
    for (int j = 0; j < N_ODD; j++) in[i++] = odd[j];
    for (int f = 0; f < N_ACTIVATIONS; f++) {
        const char *name = prune_activation_name(activations[f]);
        double worst = 0;
        int nans = 1;
        prune_activate_array_plain(n, in, activations[f], expected);
        k->activate(n, in, activations[f], out);
        check_that(i == n && check_same(out, expected, n), "activate, %s, %zu floats of all kinds", name, n);
        for (size_t j = 0; j < n; j++) {
            if (isnan(in[j])) nans &= isnan(out[j]);
            else worst = fmax(worst, ulps(out[j], exact_of(activations[f], in[j])));
        }
        check_that(nans && worst <= 4, "activate, %s, at most %.2f ulp from double, NaN kept", name, worst);
    }
    check_release();

    int good = 1;
    for (int f = 0; f < N_ACTIVATIONS; f++)
        for (int j = 0; j < N_LENGTHS; j++)
            for (int variant = 0; variant < 4; variant++) {
                size_t few = (size_t)lengths[j];
                float *from = random_floats(few, variant % 2, 1), *to = variant < 2 ? check_guarded(few, variant % 2) : from, *as = check_guarded(few, variant % 2);
                prune_activate_array_plain(few, from, activations[f], as);
                k->activate(few, from, activations[f], to);
                good &= check_same(to, as, few);
                check_release();
            }
    check_that(good, "activate, in place too, %d lengths", N_LENGTHS);

    int fused = 0;
    for (int f = 0; f <= (int)PRUNE_NORM_CHANNELS_SOFTMAX_MAXVAL; f++) fused += prune_activation_fused((enum prune_activation)f);
    for (int f = 0; f < N_ACTIVATIONS; f++) good &= prune_activation_fused(activations[f]);
    check_that(good && fused == N_ACTIVATIONS, "these are the fused activations");
}

/* ----------------------------------------------------------------------------------------------------- softmax -- */

static int is_near_softmax(const float *in, const float *out, size_t n, size_t step, double t)
{
    float most = -FLT_MAX;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        if (in[i * step] > most) most = in[i * step];
    for (size_t i = 0; i < n; i++) sum += exp((double)(in[i * step] - most) / t);
    for (size_t i = 0; i < n; i++) {
        double exact = exp((double)(in[i * step] - most) / t) / sum;
        if (fabs((double)out[i * step] - exact) > 5e-6 * exact + FLT_MIN) return 0;        /* in / t is rounded: 1e-6 for values of about 16 */
    }
    return 1;
}

static void check_softmax(const struct prune_layer_kernels *k)
{
    int good = 1, near = 1;
    for (int i = 0; i < N_LENGTHS; i++)
        for (int variant = 0; variant < 8; variant++) {
            int left = variant % 2, tame = variant / 4;
            size_t n = (size_t)lengths[i];
            float t = variant / 2 % 2 ? 1 : 2.5f, *in = random_floats(n, left, !tame), *expected = check_guarded(n, left), *first;
            for (size_t j = 0; j < n && tame; j++) in[j] = (float)(check_random() % 2049) / 64 - 16;
            first = copy_of(in, n, left);
            float *out = i % 2 ? in : check_guarded(n, left);
            prune_softmax_plain(n, in, t, expected);
            k->softmax(n, in, t, out);
            good &= check_same(out, expected, n);
            near &= !tame || is_near_softmax(first, out, n, 1, (double)t);
            check_release();
        }
    check_that(good, "softmax, in place too, %d lengths", N_LENGTHS);
    check_that(near, "softmax near the one in double");
}

/* ------------------------------------------------------------------------------------------------------- bench -- */

struct layer_bench {
    const struct prune_layer_kernels *kernels;
    const struct prune_pool *pool;
    enum prune_activation activation;
    int planes, w, h;
    size_t n;
    const float *in, *other;
    float *out;
};

static void run_maxpool(void *context)
{
    struct layer_bench *b = context;
    b->kernels->maxpool(b->pool, b->planes, b->in, b->out);
}

static void run_upsample(void *context)
{
    struct layer_bench *b = context;
    b->kernels->upsample(b->planes, b->w, b->h, 2, 1, b->in, b->out);
}

static void run_avgpool(void *context)
{
    struct layer_bench *b = context;
    b->kernels->avgpool(b->planes, b->n, b->in, b->out);
}

static void run_add(void *context)
{
    struct layer_bench *b = context;
    b->kernels->add(b->n, 1, b->in, 1, b->other, b->activation, b->out);
}

static void run_activate(void *context)
{
    struct layer_bench *b = context;
    b->kernels->activate(b->n, b->in, b->activation, b->out);
}

static void bench_layers(const struct prune_layer_kernels *k)
{
    static const struct { int planes; struct prune_pool pool; } pools[] = {
        { 64, { 224, 224, 112, 112, 2, 2, 0 } }, { 96, { 55, 55, 28, 28, 3, 2, 2 } }, { 512, { 13, 13, 13, 13, 2, 1, 1 } },
        { 512, { 13, 13, 13, 13, 5, 1, 4 } }, { 512, { 13, 13, 13, 13, 9, 1, 8 } }, { 512, { 13, 13, 13, 13, 13, 1, 12 } },
    };
    enum { MOST = 64 * 224 * 224 };
    float *in = check_guarded(MOST, 1), *other = check_guarded(MOST, 1), *out = check_guarded(MOST, 1);
    for (int i = 0; i < MOST; i++) in[i] = other[i] = (float)(check_random() % 4096) / 1024 - 2;
    struct layer_bench b = { .kernels = k, .in = in, .other = other, .out = out };
    char name[64];
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        const struct prune_pool *p = b.pool = &pools[i].pool;
        b.planes = pools[i].planes;
        snprintf(name, sizeof name, "maxpool %dx%d stride %d, %d x %d x %d", p->size, p->size, p->stride, b.planes, p->h, p->w);
        check_bench(name, 4. * b.planes * (p->w * p->h + p->out_w * p->out_h), "byte", run_maxpool, &b);
    }
    b.planes = 256;
    b.w = b.h = 26;
    check_bench("upsample by 2, 256 x 26 x 26", 4. * 5 * b.planes * b.w * b.h, "byte", run_upsample, &b);
    b.planes = 1024;
    b.n = 13 * 13;
    check_bench("avgpool 1024 x 13 x 13", 4. * (double)b.n * b.planes, "byte", run_avgpool, &b);
    for (int f = 0; f < N_ACTIVATIONS; f++) {
        b.activation = activations[f];
        b.n = 256 * 52 * 52;
        snprintf(name, sizeof name, "add, %s, 256 x 52 x 52", prune_activation_name(b.activation));
        if (b.activation == PRUNE_LINEAR_ACTIVATION || b.activation == PRUNE_LEAKY) check_bench(name, 4. * 3 * (double)b.n, "byte", run_add, &b);
        b.n = 255 * 52 * 52;
        snprintf(name, sizeof name, "%s, 255 x 52 x 52", prune_activation_name(b.activation));
        check_bench(name, 4. * 2 * (double)b.n, "byte", run_activate, &b);
    }
    check_release();
}

void check_layers(const struct prune_kernels *kernels)
{
    const struct prune_layer_kernels *k = &kernels->layers;
    check_maxpool(k);
    check_avgpool(k);
    check_upsample(k);
    check_reorg(k);
    check_add(k);
    check_shortcut(k);
    check_activations(k);
    check_softmax(k);
    if (check_benching) bench_layers(k);
}
