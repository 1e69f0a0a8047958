/* test_train_dense.c - dense layers by oneDNN against sums in double: all passes, all layouts, parts in threads of their own
 *
 * oneDNN can be held to vectors of 8 only once for a process: the program runs itself anew for them, as `test_train_dense 8`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "train_dense.h"
#include "random.h"

#ifdef PRUNE_ONEDNN

#include <omp.h>

enum { GUARD = 64, PARTS_MOST = 3, STRANGE_THREADS = 5 };       /* GUARD: floats before and behind an array that nobody may write */

static int vector = 16;

/* ------------------------------------------------------------------------------------------------------ arrays -- */

static float *new_array(size_t n)
{
    float *room = aligned_alloc(64, (n + 2 * GUARD) / 16 * 64 + 64);
    assert_non_null(room);
    for (size_t i = 0; i < n + 2 * GUARD; i++) room[i] = 1234;
    return room + GUARD;
}

static void free_array(float *array, size_t n)
{
    for (size_t i = 1; i <= GUARD; i++) assert_true(array[-(ptrdiff_t)i] == 1234 && array[n + i - 1] == 1234);
    free(array - GUARD);
}

static float *new_bells(size_t n, double size)
{
    float *array = new_array(n);
    for (size_t i = 0; i < n; i++) array[i] = (float)(size * random_bell());
    return array;
}

static float *new_relus(size_t n)
{
    float *array = new_bells(n, 1);
    for (size_t i = 0; i < n; i++) array[i] = array[i] > 0 ? array[i] : 0;
    return array;
}

/* Images as they lie in train.h. */
struct planes {
    enum prune_layout layout;
    int images, channels;
    size_t pixels;
};

static size_t laid(const struct planes *p)
{
    int v = p->layout == PRUNE_CHANNELS ? vector : 1;
    return (size_t)p->images * (size_t)((p->channels + v - 1) / v * v) * p->pixels;
}

static size_t plain(const struct planes *p)
{
    return (size_t)p->images * (size_t)p->channels * p->pixels;
}

static size_t at(const struct planes *p, int image, int channel, size_t pixel)
{
    if (p->layout == PRUNE_PLAIN) return ((size_t)image * (size_t)p->channels + (size_t)channel) * p->pixels + pixel;
    size_t v = (size_t)vector, blocks = ((size_t)p->channels + v - 1) / v;
    return (((size_t)image * blocks + (size_t)channel / v) * p->pixels + pixel) * v + (size_t)channel % v;
}

/* With garbage behind the last channel. */
static float *new_laid(const struct planes *p, const float *from)
{
    float *array = new_bells(laid(p), 1000);
    for (int image = 0; image < p->images; image++)
        for (int channel = 0; channel < p->channels; channel++)
            for (size_t pixel = 0; pixel < p->pixels; pixel++) array[at(p, image, channel, pixel)] = *from++;
    return array;
}

static double worst;    /* error of all, over its largest value */

static void check_close(double error, double largest, double tolerance)
{
    if (error / largest > worst) worst = error / largest;
    assert_true(error <= tolerance * largest);
}

static void check_laid(const struct planes *p, const float *got, const float *expected, double tolerance)
{
    double error = 0, largest = 1e-30;
    for (size_t i = 0; i < laid(p); i++) assert_true(isfinite(got[i]));         /* also behind the last channel */
    for (int image = 0; image < p->images; image++)
        for (int channel = 0; channel < p->channels; channel++)
            for (size_t pixel = 0; pixel < p->pixels; pixel++, expected++) {
                error = fmax(error, fabs((double)got[at(p, image, channel, pixel)] - (double)*expected));
                largest = fmax(largest, fabs((double)*expected));
            }
    check_close(error, largest, tolerance);
}

static void check_same(size_t n, const float *got, const float *expected, double tolerance)
{
    double error = 0, largest = 1e-30;
    for (size_t i = 0; i < n; i++) {
        assert_true(isfinite(got[i]));
        error = fmax(error, fabs((double)got[i] - (double)expected[i]));
        largest = fmax(largest, fabs((double)expected[i]));
    }
    check_close(error, largest, tolerance);
}

/* ----------------------------------------------------------------------------------------------------- parts -- */

enum call { WEIGHTS, FORWARD, BACK_INPUT, BACK_WEIGHTS, ADD_UPDATES, CONNECTED_FORWARD, CONNECTED_BACK_INPUT, CONNECTED_BACK_WEIGHTS };

struct job {                    /* one call by all parts */
    enum call call;
    struct prune_dense_conv *conv;
    const struct prune_dense_connected *connected;
    const float *weights, *a, *b;
    float *to;
};

struct worker {
    pthread_t thread;
    const struct job *job;
    int part, code, threads_after;
};

static int call_one(const struct job *job, void *scratch, int part)
{
    switch (job->call) {
        case WEIGHTS: return prune_dense_conv_weights(job->conv, job->weights, part);
        case FORWARD: return prune_dense_conv_forward(job->conv, job->a, job->to, scratch, part);
        case BACK_INPUT: return prune_dense_conv_back_input(job->conv, job->a, job->to, scratch, part);
        case BACK_WEIGHTS: return prune_dense_conv_back_weights(job->conv, job->a, job->b, scratch, part);
        case ADD_UPDATES: return prune_dense_conv_add_updates(job->conv, job->to, part);
        case CONNECTED_FORWARD: return prune_dense_connected_forward(job->connected, job->weights, job->a, job->to, part);
        case CONNECTED_BACK_INPUT: return prune_dense_connected_back_input(job->connected, job->weights, job->a, job->to, part);
        default: return prune_dense_connected_back_weights(job->connected, job->a, job->b, job->to, part);
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    size_t n = worker->job->conv ? (prune_dense_conv_scratch(worker->job->conv) + 3) / 4 : 0;
    float *scratch = new_bells(n, 1000);
    omp_set_num_threads(STRANGE_THREADS);
    worker->code = call_one(worker->job, scratch, worker->part);
    worker->threads_after = omp_get_max_threads();
    free_array(scratch, n);
    return NULL;
}

static void run(struct job job, int parts)
{
    struct worker workers[PARTS_MOST];
    for (int i = 0; i < parts; i++) {
        workers[i] = (struct worker){ .job = &job, .part = i, .code = 1 };
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < parts; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].code, PRUNE_OK);
        assert_int_equal(workers[i].threads_after, STRANGE_THREADS);
    }
}

/* ---------------------------------------------------------------------------------------------- convolutions -- */

struct arrays {                 /* of one layer, in Darknet's order */
    size_t n_weights;
    float *weights, *in, *delta, *updates;
    float *out, *in_delta, *new_updates;        /* expected */
};

static struct prune_conv_shape shape_of(int c, int h, int w, int n, int size, int stride, int pad, int groups)
{
    return (struct prune_conv_shape){ c, h, w, n, size, stride, pad, groups, (h + 2 * pad - size) / stride + 1, (w + 2 * pad - size) / stride + 1 };
}

static struct arrays new_arrays(const struct prune_conv_shape *s, int images, size_t ins, size_t outs)
{
    struct arrays a = { .n_weights = (size_t)s->n * (size_t)(s->c / s->groups * s->size * s->size) };
    a.weights = new_bells(a.n_weights, sqrt(2. / (s->size * s->size * s->c / s->groups)));
    a.in = new_relus(ins);
    a.delta = new_bells(outs, 1);
    a.updates = new_bells(a.n_weights, 1);
    a.out = new_array(outs);
    a.in_delta = new_array(ins);
    a.new_updates = new_array(a.n_weights);
    memcpy(a.new_updates, a.updates, a.n_weights * sizeof(float));
    prune_train_conv_plain(s, images, a.weights, a.in, a.out);
    prune_train_conv_back_input_plain(s, images, a.weights, a.delta, a.in_delta);
    prune_train_conv_back_weights_plain(s, images, a.in, a.delta, a.new_updates);
    return a;
}

static void free_arrays(struct arrays *a, size_t ins, size_t outs)
{
    free_array(a->weights, a->n_weights);
    free_array(a->in, ins);
    free_array(a->delta, outs);
    free_array(a->updates, a->n_weights);
    free_array(a->out, outs);
    free_array(a->in_delta, ins);
    free_array(a->new_updates, a->n_weights);
}

/* All passes, twice: the second time with the bits of the first. `wrong` weights were there before. */
static void check_passes(struct prune_dense_conv *conv, const struct arrays *a, const struct planes *ins, const struct planes *outs, int parts, int backward, double tolerance)
{
    float *in = new_laid(ins, a->in), *delta = new_laid(outs, a->delta), *out[2], *in_delta[2], *updates[2], *wrong = new_bells(a->n_weights, 1);
    for (int i = 0; i < 2; i++) {
        out[i] = new_array(laid(outs));
        in_delta[i] = new_array(laid(ins));
        updates[i] = new_array(a->n_weights);
        memcpy(updates[i], a->updates, a->n_weights * sizeof(float));
        run((struct job){ .call = WEIGHTS, .conv = conv, .weights = wrong }, parts);
        run((struct job){ .call = WEIGHTS, .conv = conv, .weights = a->weights }, parts);
        run((struct job){ .call = FORWARD, .conv = conv, .a = in, .to = out[i] }, parts);
        if (backward == 2) run((struct job){ .call = BACK_INPUT, .conv = conv, .a = delta, .to = in_delta[i] }, parts);
        if (backward) run((struct job){ .call = BACK_WEIGHTS, .conv = conv, .a = in, .b = delta }, parts);
        if (backward) run((struct job){ .call = ADD_UPDATES, .conv = conv, .to = updates[i] }, parts);
    }
    check_laid(outs, out[0], a->out, tolerance);
    if (backward == 2) check_laid(ins, in_delta[0], a->in_delta, tolerance);
    if (backward) check_same(a->n_weights, updates[0], a->new_updates, tolerance);
    assert_memory_equal(out[0], out[1], laid(outs) * sizeof(float));
    assert_memory_equal(in_delta[0], in_delta[1], laid(ins) * sizeof(float));
    assert_memory_equal(updates[0], updates[1], a->n_weights * sizeof(float));
    for (int i = 0; i < 2; i++) {
        free_array(out[i], laid(outs));
        free_array(in_delta[i], laid(ins));
        free_array(updates[i], a->n_weights);
    }
    free_array(in, laid(ins));
    free_array(delta, laid(outs));
    free_array(wrong, a->n_weights);
}

static void check_conv(struct prune_conv_shape s, int images, int parts, int backward, double tolerance)
{
    struct prune_dense_conv *conv;
    omp_set_num_threads(STRANGE_THREADS);
    assert_int_equal(prune_dense_conv_new(&conv, &s, images, parts, vector, backward), PRUNE_OK);
    assert_int_equal(omp_get_max_threads(), STRANGE_THREADS);
    struct planes ins = { prune_dense_conv_in(conv), images, s.c, (size_t)(s.h * s.w) }, outs = { prune_dense_conv_out(conv), images, s.n, (size_t)(s.out_h * s.out_w) };
    assert_true(ins.layout != PRUNE_IMAGES && outs.layout != PRUNE_IMAGES);
    struct arrays arrays = new_arrays(&s, images, plain(&ins), plain(&outs));
    check_passes(conv, &arrays, &ins, &outs, parts, backward, tolerance);
    free_arrays(&arrays, plain(&ins), plain(&outs));
    prune_dense_conv_free(conv);
}

static const double direct = 2e-6;      /* of the largest value */

static void shapes(void **state)
{
    (void)state;
    random_seed(1);
    check_conv(shape_of(16, 9, 11, 32, 3, 1, 1, 1), 3, 2, 2, direct);
    check_conv(shape_of(32, 17, 13, 16, 3, 2, 1, 1), 5, 3, 2, direct);
    check_conv(shape_of(16, 8, 8, 16, 3, 1, 0, 1), 2, 1, 2, direct);
    check_conv(shape_of(48, 7, 5, 32, 1, 1, 0, 1), 5, 2, 2, direct);
    check_conv(shape_of(32, 8, 6, 64, 1, 2, 0, 1), 3, 3, 2, direct);
    check_conv(shape_of(64, 16, 16, 64, 1, 2, 0, 1), 2, 1, 2, direct);
    check_conv(shape_of(16, 13, 12, 16, 5, 1, 2, 1), 2, 2, 2, direct);
    check_conv(shape_of(16, 12, 12, 16, 4, 3, 1, 1), 2, 1, 2, direct);
    check_conv(shape_of(64, 1, 1, 32, 1, 1, 0, 1), 32, 3, 2, direct);
    check_conv(shape_of(32, 1, 1, 32, 3, 1, 1, 1), 1, 1, 2, direct);
    check_conv(shape_of(32, 2, 2, 32, 3, 1, 1, 1), 32, 2, 2, direct);
}

static void channels_that_fill_no_vector(void **state)
{
    (void)state;
    random_seed(2);
    check_conv(shape_of(20, 12, 12, 50, 5, 1, 0, 1), 3, 2, 2, direct);
    check_conv(shape_of(30, 6, 7, 50, 3, 1, 1, 1), 5, 3, 2, direct);
    check_conv(shape_of(17, 9, 5, 33, 3, 2, 1, 1), 3, 1, 2, direct);
    check_conv(shape_of(64, 4, 4, 10, 1, 1, 0, 1), 5, 2, 2, direct);
    check_conv(shape_of(9, 4, 4, 70, 1, 2, 0, 1), 3, 2, 2, direct);
    check_conv(shape_of(5, 9, 9, 7, 3, 1, 1, 1), 2, 2, 2, direct);
}

static void check_layouts(struct prune_conv_shape s, int backward, enum prune_layout in, enum prune_layout out)
{
    struct prune_dense_conv *conv;
    assert_int_equal(prune_dense_conv_new(&conv, &s, 2, 1, vector, backward), PRUNE_OK);
    assert_int_equal(prune_dense_conv_in(conv), in);
    assert_int_equal(prune_dense_conv_out(conv), out);
    prune_dense_conv_free(conv);
}

static void images_as_they_come(void **state)
{
    (void)state;
    random_seed(3);
    check_layouts(shape_of(3, 16, 16, 32, 3, 1, 1, 1), 1, PRUNE_PLAIN, PRUNE_CHANNELS);
    if (vector == 16) check_layouts(shape_of(3, 16, 16, 32, 3, 1, 1, 1), 2, PRUNE_PLAIN, PRUNE_PLAIN);         /* all others have only reference code */
    for (int backward = 0; backward <= 2; backward++) {
        check_conv(shape_of(3, 17, 13, 32, 3, 1, 1, 1), 3, 2, backward, direct);
        check_conv(shape_of(1, 28, 28, 20, 5, 1, 0, 1), 3, 3, backward, direct);
        check_conv(shape_of(3, 39, 35, 16, 11, 4, 2, 1), 2, 1, backward, direct);
        check_conv(shape_of(3, 15, 15, 20, 7, 2, 3, 1), 2, 2, backward, direct);
    }
}

static void groups(void **state)
{
    (void)state;
    random_seed(4);
    check_layouts(shape_of(32, 9, 7, 32, 3, 1, 1, 2), 2, PRUNE_CHANNELS, PRUNE_CHANNELS);
    check_layouts(shape_of(64, 9, 7, 64, 3, 1, 1, 64), 2, PRUNE_CHANNELS, PRUNE_CHANNELS);
    if (vector == 16) check_layouts(shape_of(48, 9, 9, 48, 3, 1, 1, 6), 2, PRUNE_PLAIN, PRUNE_PLAIN);
    check_conv(shape_of(32, 9, 7, 32, 3, 1, 1, 2), 3, 2, 2, direct);
    check_conv(shape_of(64, 5, 5, 32, 1, 1, 0, 2), 3, 3, 2, direct);
    check_conv(shape_of(48, 9, 9, 48, 3, 2, 1, 6), 2, 2, 2, direct);
    check_conv(shape_of(12, 6, 6, 18, 3, 1, 1, 3), 2, 1, 2, direct);
    check_conv(shape_of(64, 9, 7, 64, 3, 1, 1, 64), 3, 2, 2, direct);
    check_conv(shape_of(32, 9, 8, 32, 3, 2, 1, 32), 5, 3, 2, direct);
    check_conv(shape_of(20, 6, 6, 20, 3, 1, 1, 20), 2, 2, 2, direct);
    check_conv(shape_of(16, 5, 5, 32, 3, 1, 1, 16), 2, 2, 2, direct);
}

static int uses_winograd(struct prune_conv_shape s, int images, int parts, int backward)    /* its scratch tells */
{
    struct prune_dense_conv *conv;
    assert_int_equal(prune_dense_conv_new(&conv, &s, images, parts, vector, backward), PRUNE_OK);
    size_t scratch = prune_dense_conv_scratch(conv);
    prune_dense_conv_free(conv);
    return scratch > 1 << 20;
}

static void winograd(void **state)
{
    (void)state;
    random_seed(5);
    struct prune_conv_shape even = shape_of(32, 16, 16, 32, 3, 1, 1, 1), odd = shape_of(40, 18, 11, 60, 3, 1, 1, 1), tiny = shape_of(64, 2, 2, 64, 3, 1, 1, 1);
    for (int backward = 0; backward <= 2; backward++) {
        assert_int_equal(uses_winograd(even, 11, 2, backward), vector == 16);
        assert_int_equal(uses_winograd(odd, 7, 1, backward), vector == 16);
        assert_int_equal(uses_winograd(even, 3, 3, backward), 0);       /* too few images for the weights' transform */
        assert_int_equal(uses_winograd(tiny, 32, 1, backward), 0);
    }
    check_conv(even, 11, 2, 2, 5e-6);
    check_conv(odd, 7, 1, 2, 5e-6);
}

/* Each part's images go by themselves: a part alone gives the same bits as among others. */
static void bits_depend_on_parts_alone(void **state)
{
    (void)state;
    random_seed(6);
    struct prune_conv_shape s = shape_of(32, 6, 6, 32, 3, 1, 1, 1);
    struct planes all = { PRUNE_CHANNELS, 4, 32, 36 }, half = { PRUNE_CHANNELS, 2, 32, 36 };
    float *weights = new_bells(32 * 32 * 9, 0.1), *in = new_relus(plain(&all)), *out = new_array(laid(&all)), *alone = new_array(laid(&half));
    struct prune_dense_conv *two, *one;
    assert_int_equal(prune_dense_conv_new(&two, &s, 4, 2, vector, 0), PRUNE_OK);
    assert_int_equal(prune_dense_conv_new(&one, &s, 2, 1, vector, 0), PRUNE_OK);
    run((struct job){ .call = WEIGHTS, .conv = two, .weights = weights }, 2);
    run((struct job){ .call = WEIGHTS, .conv = one, .weights = weights }, 1);
    run((struct job){ .call = FORWARD, .conv = two, .a = in, .to = out }, 2);
    run((struct job){ .call = FORWARD, .conv = one, .a = in + laid(&half), .to = alone }, 1);
    assert_memory_equal(alone, out + laid(&half), laid(&half) * sizeof(float));
    prune_dense_conv_free(two);
    prune_dense_conv_free(one);
    free_array(weights, 32 * 32 * 9);
    free_array(in, plain(&all));
    free_array(out, laid(&all));
    free_array(alone, laid(&half));
}

static void a_part_writes_its_images_alone(void **state)
{
    (void)state;
    random_seed(8);
    enum { IMAGES = 5, PARTS = 3, IMAGE = 32 * 25 };
    struct prune_conv_shape s = shape_of(32, 5, 5, 32, 3, 1, 1, 1);
    struct prune_dense_conv *conv;
    float *weights = new_bells(32 * 32 * 9, 0.1), *in = new_relus(IMAGES * IMAGE);
    assert_int_equal(prune_dense_conv_new(&conv, &s, IMAGES, PARTS, vector, 2), PRUNE_OK);
    run((struct job){ .call = WEIGHTS, .conv = conv, .weights = weights }, PARTS);
    for (int part = 0; part < PARTS; part++) {
        float *out = new_array(IMAGES * IMAGE), *scratch = new_array(prune_dense_conv_scratch(conv) / 4 + 1);
        for (int i = 0; i < IMAGES * IMAGE; i++) out[i] = NAN;
        assert_int_equal(prune_dense_conv_forward(conv, in, out, scratch, part), PRUNE_OK);
        for (int i = 0; i < IMAGES * IMAGE; i++) assert_int_equal(!isnan(out[i]), i / IMAGE >= part * IMAGES / PARTS && i / IMAGE < (part + 1) * IMAGES / PARTS);
        free_array(out, IMAGES * IMAGE);
        free_array(scratch, prune_dense_conv_scratch(conv) / 4 + 1);
    }
    prune_dense_conv_free(conv);
    free_array(weights, 32 * 32 * 9);
    free_array(in, IMAGES * IMAGE);
}

static int threads_of_this_process(void)
{
    int n = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *task; (task = readdir(tasks)); ) n += task->d_name[0] != '.';
    closedir(tasks);
    return n;
}

/* OpenMP's threads stay when their work is done: there must never have been any. */
static void no_threads_are_started(void **state)
{
    (void)state;
    random_seed(9);
    int before = threads_of_this_process();
    struct prune_conv_shape s = shape_of(64, 16, 16, 64, 3, 1, 1, 1);
    struct prune_dense_connected layer = { 512, 512, 64, 1, 512, 512 };
    struct prune_dense_conv *conv;
    size_t images = 64 * 64 * 256, square = 512 * 512;
    float *weights = new_bells(square, 1), *in = new_bells(images, 1), *out = new_array(images), *updates = new_bells(square, 1);
    omp_set_num_threads(STRANGE_THREADS);
    assert_int_equal(prune_dense_conv_new(&conv, &s, 64, 1, vector, 2), PRUNE_OK);
    size_t n_scratch = prune_dense_conv_scratch(conv) / 4 + 1;
    float *scratch = new_array(n_scratch);
    for (int call = WEIGHTS; call <= CONNECTED_BACK_WEIGHTS; call++) {
        float *to = call == BACK_WEIGHTS || call == ADD_UPDATES || call == CONNECTED_BACK_WEIGHTS ? updates : out;
        struct job job = { .call = (enum call)call, .conv = conv, .connected = &layer, .weights = weights, .a = in, .b = in, .to = to };
        assert_int_equal(call_one(&job, scratch, 0), PRUNE_OK);
        assert_int_equal(threads_of_this_process(), before);
    }
    prune_dense_conv_free(conv);
    free_array(scratch, n_scratch);
    free_array(weights, square);
    free_array(in, images);
    free_array(out, images);
    free_array(updates, square);
}

static void what_is_refused(void **state)
{
    (void)state;
    struct prune_conv_shape s = shape_of(16, 8, 8, 16, 3, 1, 1, 1), odd = s;
    struct prune_dense_conv *conv = (void *)&s;
    odd.out_w = 5;
    hush();
    int more_parts = prune_dense_conv_new(&conv, &s, 2, 3, vector, 2), no_parts = prune_dense_conv_new(&conv, &s, 2, 0, vector, 2);
    int other_vector = prune_dense_conv_new(&conv, &s, 2, 1, 4, 2), no_shape = prune_dense_conv_new(&conv, &odd, 2, 1, vector, 2);
    int lines = heard(NULL, 0);
    assert_int_equal(more_parts, PRUNE_ERR_RANGE);
    assert_int_equal(no_parts, PRUNE_ERR_RANGE);
    assert_int_equal(other_vector, PRUNE_ERR_UNSUPPORTED);
    assert_int_equal(no_shape, PRUNE_ERR_UNSUPPORTED);
    assert_null(conv);
    assert_int_equal(lines, 4);
    assert_int_equal(prune_dense_available(4), 0);
    if (vector == 16) assert_int_equal(prune_dense_available(8), 0);    /* it was used: it cannot be held any more */
    if (vector == 8) assert_int_equal(prune_dense_available(16), 0);
    assert_int_equal(prune_dense_available(vector), 1);
    prune_dense_conv_free(NULL);
}

/* -------------------------------------------------------------------------------------------- connected layers -- */

/* Rows of `n` floats, `row` apart; between them NaN. */
static float *new_rows(int images, int n, size_t row)
{
    float *array = new_array((size_t)images * row);
    for (size_t i = 0; i < (size_t)images * row; i++) array[i] = i % row < (size_t)n ? random_bell() : NAN;
    return array;
}

static double product(size_t n, const float *a, size_t step_a, const float *b, size_t step_b)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i * step_a] * (double)b[i * step_b];
    return sum;
}

static void check_rows(const float *got, const float *expected, int images, int n, size_t row)
{
    double error = 0, largest = 1e-30;
    for (size_t i = 0; i < (size_t)images * row; i++) {
        if (i % row >= (size_t)n) {
            assert_true(isnan(got[i]));         /* not touched */
            continue;
        }
        assert_true(isfinite(got[i]));
        error = fmax(error, fabs((double)got[i] - (double)expected[i]));
        largest = fmax(largest, fabs((double)expected[i]));
    }
    check_close(error, largest, direct);
}

static void check_connected(int inputs, int outputs, int images, int parts, size_t in_gap, size_t out_gap)
{
    struct prune_dense_connected layer = { inputs, outputs, images, parts, (size_t)inputs + in_gap, (size_t)outputs + out_gap };
    size_t n = (size_t)inputs, m = (size_t)outputs, all_in = (size_t)images * layer.in_row, all_out = (size_t)images * layer.out_row;
    float *weights = new_bells(n * m, 1), *updates = new_bells(n * m, 1), *new_updates = new_array(n * m);
    float *in = new_rows(images, inputs, layer.in_row), *delta = new_rows(images, outputs, layer.out_row), *out = new_array(all_out), *in_delta = new_array(all_in);
    float *expected_out = new_array(all_out), *expected_in_delta = new_array(all_in);
    for (size_t i = 0; i < all_out; i++) out[i] = NAN;          /* what is written does not depend on it */
    for (size_t i = 0; i < all_in; i++) in_delta[i] = NAN;
    for (size_t b = 0; b < (size_t)images; b++) {
        for (size_t o = 0; o < m; o++) expected_out[b * layer.out_row + o] = (float)product(n, weights + o * n, 1, in + b * layer.in_row, 1);
        for (size_t i = 0; i < n; i++) expected_in_delta[b * layer.in_row + i] = (float)product(m, weights + i, n, delta + b * layer.out_row, 1);
    }
    for (size_t o = 0; o < m; o++)
        for (size_t i = 0; i < n; i++) new_updates[o * n + i] = updates[o * n + i] + (float)product((size_t)images, delta + o, layer.out_row, in + i, layer.in_row);
    run((struct job){ .call = CONNECTED_FORWARD, .connected = &layer, .weights = weights, .a = in, .to = out }, parts);
    run((struct job){ .call = CONNECTED_BACK_INPUT, .connected = &layer, .weights = weights, .a = delta, .to = in_delta }, parts);
    run((struct job){ .call = CONNECTED_BACK_WEIGHTS, .connected = &layer, .a = in, .b = delta, .to = updates }, parts);
    check_rows(out, expected_out, images, outputs, layer.out_row);
    check_rows(in_delta, expected_in_delta, images, inputs, layer.in_row);
    check_same(n * m, updates, new_updates, direct);
    free_array(weights, n * m);
    free_array(updates, n * m);
    free_array(new_updates, n * m);
    free_array(in, all_in);
    free_array(delta, all_out);
    free_array(out, all_out);
    free_array(in_delta, all_in);
    free_array(expected_out, all_out);
    free_array(expected_in_delta, all_in);
}

static void connected(void **state)
{
    (void)state;
    random_seed(7);
    check_connected(300, 100, 32, 2, 0, 0);
    check_connected(300, 100, 32, 3, 4, 12);
    check_connected(785, 10, 5, 2, 0, 6);
    check_connected(64, 3, 7, 3, 16, 0);
    check_connected(33, 2, 3, 3, 0, 1);         /* fewer outputs than parts */
    check_connected(1, 1, 1, 1, 3, 2);
    check_connected(500, 130, 1, 1, 0, 0);
}

static void errors_are_small(void **state)
{
    (void)state;
    print_message("# largest error of all tests, over the largest value: %.1e\n", worst);
    assert_true(worst > 0);
}

static void the_same_with_vectors_of_8(void **state)
{
    (void)state;
    int status = -1;
    pid_t child = fork();
    if (!child) {
        dup2(2, 1);
        execl("/proc/self/exe", "test_train_dense", "8", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#define TESTS \
    cmocka_unit_test(shapes), cmocka_unit_test(channels_that_fill_no_vector), cmocka_unit_test(images_as_they_come), cmocka_unit_test(groups), cmocka_unit_test(winograd), \
    cmocka_unit_test(bits_depend_on_parts_alone), cmocka_unit_test(a_part_writes_its_images_alone), cmocka_unit_test(no_threads_are_started), cmocka_unit_test(what_is_refused), \
    cmocka_unit_test(connected), cmocka_unit_test(errors_are_small)

int main(int n, char **words)
{
    const struct CMUnitTest here[] = { TESTS }, all[] = { TESTS, cmocka_unit_test(the_same_with_vectors_of_8) }, eight[] = { cmocka_unit_test(the_same_with_vectors_of_8) };
    int can_8 = __builtin_cpu_supports("avx2"), can_16 = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    (void)words;
    if (n == 1) return can_16 ? cmocka_run_group_tests(all, NULL, NULL) : cmocka_run_group_tests(eight, NULL, NULL);
    vector = 8;
    if (!can_8) return 0;
    return prune_dense_available(8) ? cmocka_run_group_tests(here, NULL, NULL) : 1;
}

#else

static void all_is_refused_without_onednn(void **state)
{
    (void)state;
    struct prune_conv_shape shape = { 16, 8, 8, 16, 3, 1, 1, 1, 8, 8 };
    struct prune_dense_connected connected = { 1, 1, 1, 1, 1, 1 };
    struct prune_dense_conv *conv = (void *)&shape;
    float x = 1;
    assert_int_equal(prune_dense_available(16), 0);
    assert_int_equal(prune_dense_available(8), 0);
    hush();
    int code = prune_dense_conv_new(&conv, &shape, 1, 1, 16, 2), forward = prune_dense_connected_forward(&connected, &x, &x, &x, 0);
    int back_input = prune_dense_connected_back_input(&connected, &x, &x, &x, 0), back_weights = prune_dense_connected_back_weights(&connected, &x, &x, &x, 0);
    int lines = heard(NULL, 0);
    assert_null(conv);
    assert_int_equal(lines, 4);
    assert_true(code == PRUNE_ERR_UNSUPPORTED && forward == code && back_input == code && back_weights == code);
    prune_dense_conv_free(conv);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(all_is_refused_without_onednn) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
