/* check_connected.c - the kernels of fully connected layers against their plain twins, exactly; the twins against sums in double; matrices against what they were made of
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
    enum prune_form form;
    const char *name;
} forms[] = { { PRUNE_FORM_DENSE, "dense" }, { PRUNE_FORM_WEIGHT, "weight" }, { PRUNE_FORM_BLOCK4, "block4" } };
enum { N_FORMS = sizeof forms / sizeof *forms };

static const enum prune_activation activations[] = { PRUNE_LINEAR_ACTIVATION, PRUNE_RELU, PRUNE_LEAKY, PRUNE_LOGISTIC_ACTIVATION, PRUNE_MISH };
enum { N_ACTIVATIONS = sizeof activations / sizeof *activations };

static const struct { int outputs, inputs; } shapes[] = {
    { 1, 1 }, { 1, 300 }, { 2, 15 }, { 3, 16 }, { 4, 17 }, { 5, 3 }, { 15, 1 }, { 16, 31 }, { 17, 127 }, { 31, 128 }, { 33, 129 }, { 18, 256 }, { 100, 257 }, { 257, 143 }, { 600, 40 }, { 64, 1000 },
    { 21, 65536 }, { 6, 70001 }, { 3, 131100 }
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

/* How the weights that are not 0 lie. */
enum pattern { EVEN, IN_FOURS, UNEVEN_ROWS, APART, N_PATTERNS };
static const char *const patterns[N_PATTERNS] = { "zeros anywhere", "zeros in fours of rows", "rows from empty to full", "rows whose weights lie far apart" };

static float random_weight(void)
{
    float x = check_random_float();
    return x != 0 ? x : .5f;
}

static float chance(void) { return (float)(check_random() >> 8) * 0x1p-24f; }

static float *random_weights(int outputs, int inputs, enum pattern pattern, float sparsity, int left)
{
    size_t n = (size_t)outputs * (size_t)inputs;
    float *weights = check_guarded(n, left);
    for (int o = 0; o < outputs; o++)
        for (int i = 0; i < inputs; i++) {
            float *w = &weights[(size_t)o * (size_t)inputs + (size_t)i], zeros = sparsity;
            if (pattern == UNEVEN_ROWS) zeros = o % 7 == 0 ? 1 : o % 7 == 1 ? 0 : sparsity * (float)(o % 7) / 6;
            if (pattern == APART && (i < inputs / 2) == o % 2) zeros = 1;
            int live = pattern == IN_FOURS && o % 4 ? w[-inputs] != 0 : chance() >= zeros;
            *w = live ? random_weight() : check_random() % 8 ? 0 : -0.0f;
        }
    return weights;
}

static float *random_floats(size_t n, int left, int wild)
{
    static const float odd[] = { NAN, INFINITY, -INFINITY, -FLT_MAX };
    float *floats = check_guarded(n, left);
    for (size_t i = 0; i < n; i++) floats[i] = wild && check_random() % 64 == 0 ? odd[check_random() % 4] : check_random_float();
    return floats;
}

static void fill(float *floats, size_t n)
{
    for (size_t i = 0; i < n; i++) floats[i] = 12345;
}

/* ------------------------------------------------------------------------------------------------- against the twin -- */

/* The whole layer; a range of strips, which must write its rows and no others; and parts one after the other. */
static int is_layer_right(prune_connected_kernel *kernel, const struct prune_connected *matrix, const struct prune_finish *finish, const float *input, int left)
{
    size_t n = (size_t)matrix->outputs;
    prune_connected_kernel *twin = prune_connected_choose(&prune_connected_plain, matrix->form);
    float *out = check_guarded(n, left), *expected = check_guarded(n, left);
    int first = (int)(check_random() % (unsigned)matrix->strips), last = first + (int)(check_random() % (unsigned)(matrix->strips - first + 1)), parts = 1 + (int)(check_random() % 5);
    fill(out, n);
    fill(expected, n);
    kernel(matrix, input, finish, out, first, last);
    twin(matrix, input, finish, expected, first, last);
    int good = check_same(out, expected, n);
    twin(matrix, input, finish, expected, 0, matrix->strips);
    kernel(matrix, input, finish, out, 0, matrix->strips);
    good &= check_same(out, expected, n);
    fill(out, n);
    for (int p = 0; p < parts; p++) kernel(matrix, input, finish, out, prune_connected_part(matrix, p, parts), prune_connected_part(matrix, p + 1, parts));
    return good & check_same(out, expected, n);
}

static void check_kernels(const struct prune_connected_kernels *kernels)
{
    static const float sparsities[] = { 0, .5f, .9f, .99f, 1 };
    for (int f = 0; f < N_FORMS; f++)
        for (int p = 0; p < N_PATTERNS; p++) {
            int good = 1, tried = 0;
            for (int s = 0; s < N_SHAPES; s++)
                for (int i = 0; i < 5; i++)
                    for (int left = 0; left < 2; left++) {
                        int outputs = shapes[s].outputs, inputs = shapes[s].inputs, luck = (int)(check_random() % 16);
                        if (inputs > 2000 && (i != 2 || p == IN_FOURS)) continue;
                        struct prune_connected matrix;
                        float *weights = random_weights(outputs, inputs, (enum pattern)p, sparsities[i], left);
                        struct prune_finish finish = { luck & 1 ? random_floats((size_t)outputs, left, 0) : NULL, random_floats((size_t)outputs, left, 0), activations[tried % N_ACTIVATIONS] };
                        int made = !prune_connected_make(&matrix, weights, outputs, inputs, forms[f].form);
                        good &= made && is_layer_right(prune_connected_choose(kernels, forms[f].form), &matrix, &finish, random_floats((size_t)inputs, left, luck == 2), left);
                        prune_connected_free(&matrix);
                        check_release();
                        tried++;
                    }
            check_that(good, "%s, %s: whole, a range, parts; %d layers", forms[f].name, patterns[p], tried);
        }
}

/* ------------------------------------------------------------------------------------------------ matrix and the twin -- */

/* Weights go in and come out; parts share the steps. */
static void check_matrices(void)
{
    for (int f = 0; f < N_FORMS; f++) {
        int same = 1, shared = 1;
        for (int s = 0; s < N_SHAPES; s++)
            for (int p = 0; p < N_PATTERNS; p++) {
                int outputs = shapes[s].outputs, inputs = shapes[s].inputs, left = p % 2;
                size_t n = (size_t)outputs * (size_t)inputs;
                struct prune_connected matrix;
                float *weights = random_weights(outputs, inputs, (enum pattern)p, .8f, left), *restored = check_guarded(n, left);
                if (prune_connected_make(&matrix, weights, outputs, inputs, forms[f].form)) {
                    same = shared = 0;
                    continue;
                }
                prune_connected_restore(&matrix, restored);
                for (size_t i = 0; i < n; i++)
                    if (weights[i] == 0) weights[i] = 0;
                same &= !memcmp(restored, weights, n * sizeof *weights);
                for (int parts = 1; parts < 9; parts++) {
                    size_t all = matrix.starts ? matrix.starts[matrix.strips] : 0, fullest = 0;
                    for (int i = 0; matrix.starts && i < matrix.strips; i++)
                        if (matrix.starts[i + 1] - matrix.starts[i] > fullest) fullest = matrix.starts[i + 1] - matrix.starts[i];
                    shared &= prune_connected_part(&matrix, 0, parts) == 0 && prune_connected_part(&matrix, parts, parts) == matrix.strips;
                    for (int i = 0; i < parts; i++) {
                        int first = prune_connected_part(&matrix, i, parts), end = prune_connected_part(&matrix, i + 1, parts);
                        size_t steps = matrix.starts ? matrix.starts[end] - matrix.starts[first] : 0, strips = (size_t)matrix.strips, most = (all + strips) / (size_t)parts + fullest + 2;
                        shared &= first <= end && steps + (size_t)(end - first) <= most;
                    }
                }
                prune_connected_free(&matrix);
                check_release();
            }
        check_that(same, "%s: the weights come back, zeros as +0", forms[f].name);
        check_that(shared, "%s: no part has more than its share and a strip", forms[f].name);
    }
}

/* The twin's sums differ from exact ones by no more than the roundings of its longest chain of additions: with n of them, n u / (1 - n u) times the sum of |w x|, u = 2^-24
 * (Higham, Accuracy and Stability of Numerical Algorithms, 2002, 3.1), n 2^-149 where products are denormal, and the last fma's own. */
static void check_twin(void)
{
    for (int f = 0; f < N_FORMS; f++) {
        double worst = 0;
        for (int s = 0; s < N_SHAPES; s++) {
            int outputs = shapes[s].outputs, inputs = shapes[s].inputs;
            struct prune_connected matrix;
            float *weights = random_weights(outputs, inputs, (enum pattern)(s % N_PATTERNS), .7f, 0), *input = random_floats((size_t)inputs, 0, 0), *out = check_guarded((size_t)outputs, 0);
            struct prune_finish finish = { random_floats((size_t)outputs, 0, 0), random_floats((size_t)outputs, 0, 0), PRUNE_LINEAR_ACTIVATION };
            for (size_t i = 0; i < (size_t)outputs * (size_t)inputs; i++) weights[i] = fminf(fmaxf(weights[i], -1), 1);     /* no 1e30, beside which errors vanish */
            for (int i = 0; i < inputs; i++) input[i] = fminf(fmaxf(input[i], -1), 1);
            if (prune_connected_make(&matrix, weights, outputs, inputs, forms[f].form)) worst = INFINITY;
            else prune_connected_choose(&prune_connected_plain, forms[f].form)(&matrix, input, &finish, out, 0, matrix.strips);
            for (int o = 0; o < outputs; o++) {
                double sum = 0, sizes = 0, scale = (double)finish.scale[o], bias = (double)finish.bias[o], u = 0x1p-24;
                int four = o / 4 * 4, live = 0;
                for (int i = 0; i < inputs; i++) {
                    double product = (double)weights[(size_t)o * (size_t)inputs + (size_t)i] * (double)input[i];
                    sum += product;
                    sizes += fabs(product);
                    for (int r = four; r < four + 4 && r < outputs; r++)        /* block4 adds where any of the four is not 0 */
                        if (weights[(size_t)r * (size_t)inputs + (size_t)i] != 0) {
                            live++;
                            break;
                        }
                }
                double n = forms[f].form == PRUNE_FORM_DENSE ? inputs / 16 + 5 : live, error = n * u / (1 - n * u) * sizes + n * 0x1p-149, right = scale * sum + bias;
                double bound = fabs(scale) * error + u * (fabs(right) + fabs(scale) * error) + 0x1p-149 + 1e-13 * (fabs(scale) * sizes + fabs(bias));
                worst = fmax(worst, fabs((double)out[o] - right) / bound);
            }
            prune_connected_free(&matrix);
            check_release();
        }
        check_that(worst > 0.01 && worst <= 1, "%s: the twin is within its bound of sums in double (%.2f of it)", forms[f].name, worst);
    }
}

/* Bytes that are read for each weight that is not 0: a wide layer at 90 % zeros. */
static void check_bytes(void)
{
    static const double most[N_FORMS] = { 0, 6.1, 4.7 };
    enum { OUTPUTS = 512, INPUTS = 9216 };
    for (int f = 1; f < N_FORMS; f++) {
        struct prune_connected matrix;
        float *weights = random_weights(OUTPUTS, INPUTS, forms[f].form == PRUNE_FORM_BLOCK4 ? IN_FOURS : EVEN, .9f, 0);
        size_t live = 0;
        for (size_t i = 0; i < (size_t)OUTPUTS * INPUTS; i++) live += weights[i] != 0;
        double bytes = prune_connected_make(&matrix, weights, OUTPUTS, INPUTS, forms[f].form) ? INFINITY : (double)matrix.starts[matrix.strips] * (forms[f].form == PRUNE_FORM_WEIGHT ? 82 : 74);
        check_that(bytes / (double)live <= most[f] && matrix.bytes >= (size_t)bytes, "%s: %.2f bytes for each weight at 90 %% zeros", forms[f].name, bytes / (double)live);
        prune_connected_free(&matrix);
        check_release();
    }
}

/* ---------------------------------------------------------------------------------------------------------- bench -- */

/* A layer of AlexNet with its weights not in the caches, as in a network: other memory is read between runs. */
static void bench_form(const struct prune_kernels *kernels, int f, float sparsity)
{
    enum { OUTPUTS = 4096, INPUTS = 9216, RUNS = 15, OTHER = 1 << 26 };
    struct prune_connected matrix;
    float *weights = random_weights(OUTPUTS, INPUTS, forms[f].form == PRUNE_FORM_BLOCK4 ? IN_FOURS : EVEN, sparsity, 1), *other = random_floats(OTHER, 1, 0);
    float *input = random_floats(INPUTS, 1, 0), *out = check_guarded(OUTPUTS, 1);
    struct prune_finish finish = { NULL, random_floats(OUTPUTS, 1, 0), PRUNE_RELU };
    double times[RUNS], live = 0;
    for (size_t i = 0; i < (size_t)OUTPUTS * INPUTS; i++) live += weights[i] != 0;
    double make = check_seconds();
    if (!prune_connected_make(&matrix, weights, OUTPUTS, INPUTS, forms[f].form)) {
        make = check_seconds() - make;
        for (int r = 0; r < RUNS; r++) {
            volatile float sum = 0;
            for (size_t i = 0; i < OTHER; i += 16) sum += other[i];
            times[r] = check_seconds();
            prune_connected_choose(&kernels->connected, forms[f].form)(&matrix, input, &finish, out, 0, matrix.strips);
            times[r] = check_seconds() - times[r];
        }
        check_sort(times, RUNS);
        double bytes = matrix.starts ? (double)matrix.starts[matrix.strips] * (forms[f].form == PRUNE_FORM_WEIGHT ? 82 : 74) : 4. * OUTPUTS * INPUTS;
        printf("# %s: %s %dx%d, %.0f %% zeros, cold: median %.3f ms, least %.3f ms, %.1f GB/s, %.2f weights/ns; made in %.0f ms\n", kernels->name, forms[f].name, OUTPUTS, INPUTS,
               100 * (double)sparsity, 1e3 * times[RUNS / 2], 1e3 * times[0], 1e-9 * bytes / times[RUNS / 2], 1e-9 * live / times[RUNS / 2], 1e3 * make);
    }
    prune_connected_free(&matrix);
    check_release();
}

static void bench(const struct prune_kernels *kernels)
{
    static const float sparsities[] = { 0, .5f, .8f, .9f, .95f };
    bench_form(kernels, 0, 0);
    for (int f = 1; f < N_FORMS; f++)
        for (int i = 0; i < 5; i++) bench_form(kernels, f, sparsities[i]);
}

void check_connected(const struct prune_kernels *kernels)
{
    check_kernels(&kernels->connected);
    check_matrices();
    check_twin();
    check_bytes();
    if (check_benching) bench(kernels);
}
