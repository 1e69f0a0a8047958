/* test_state.c - name.prune: written and read to the same bits, and refused when it is not the one that belongs */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "prune.h"
#include "random.h"

enum { TENSORS = 3, ARRAYS = 6, MOST = 5000 };

static char folder[] = "/tmp/prune-state-XXXXXX";
static char weights[100], path[100], temporary[110];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(weights, sizeof weights, "%s/net.weights", folder);
    snprintf(path, sizeof path, "%s/net.prune", folder);
    snprintf(temporary, sizeof temporary, "%s/net.prune.tmp", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(weights);
    unlink(path);
    unlink(temporary);
    return rmdir(folder);
}

/* ------------------------------------------------------------------------------------------------ a training's state -- */

struct training {
    struct prune_state state;
    struct prune_tensor tensors[TENSORS];
    struct prune_array arrays[ARRAYS];
    uint8_t mask[TENSORS][MOST];
    float values[ARRAYS][MOST];
};

static struct training saved, loaded;

/* 0: updates of tensor 0, 1: its memory, 2: biases, 3: moments of tensor 1, 4: memory of tensor 2, 5: nothing at all */
static void shape(struct training *training, const size_t *n)
{
    memset(training, 0, sizeof *training);
    for (int t = 0; t < TENSORS; t++)
        training->tensors[t] = (struct prune_tensor){ .name = "test", .layer = 2 * t, .kind = PRUNE_CONVOLUTIONAL, .n = n[t], .mask = training->mask[t], .limit = -1 };
    const struct prune_tensor *t = training->tensors;
    const struct prune_array arrays[ARRAYS] = {
        { 0, PRUNE_WEIGHT_UPDATES, n[0], training->values[0], &t[0] }, { 0, PRUNE_MEMORY, n[0], training->values[1], &t[0] },
        { 1, PRUNE_BIAS_UPDATES, 13, training->values[2], NULL },      { 2, PRUNE_MOMENT1, n[1], training->values[3], &t[1] },
        { 4, PRUNE_MEMORY, n[2], training->values[4], &t[2] },         { 5, PRUNE_SCALE_MOMENT2, 0, training->values[5], NULL },
    };
    memcpy(training->arrays, arrays, sizeof arrays);
}

/* Every float is drawn by its bits: NaNs with payloads, -0 and denormals are among them. */
static void draw(struct training *training)
{
    static const uint32_t strange[] = { 0x80000000, 0x7fc12345, 0x7f800001, 0xffffffff, 0x7f800000, 0xff800000, 1, 0x80000001, 0x3f800000 };
    for (int t = 0; t < TENSORS; t++) {
        struct prune_tensor *tensor = &training->tensors[t];
        tensor->active = 0;
        for (size_t i = 0; i < tensor->n; i++) {
            tensor->mask[i] = (uint8_t)random_below(2);
            tensor->active += tensor->mask[i];
        }
    }
    for (int a = 0; a < ARRAYS; a++) {
        const struct prune_array *array = &training->arrays[a];
        for (size_t i = 0; i < array->n; i++) {
            uint32_t bits = random_below(2) ? strange[random_below(9)] : (uint32_t)random_bits();
            int is_stored = !array->tensor || array->tensor->mask[i] == (array->role != PRUNE_MEMORY);
            if (!is_stored) bits = 0;
            memcpy(&array->values[i], &bits, sizeof bits);
        }
    }
    struct prune_state *state = &training->state;
    uint32_t payload = 0xffc00123;
    *state = (struct prune_state){ .seed = random_bits(), .threads = (int32_t)random_bits(), .step = (int32_t)random_bits(), .optimizer_t = (int32_t)random_bits(),
                                   .loss_sum = 1.0 / 3 * random_unit(), .loss_iterations = random_bits() };
    memcpy(&state->best_top1, &payload, sizeof payload);
    strcpy(state->settings, "sparsity=0.9 steps=20");
}

static void put_file(const char *name, const void *bytes, size_t n)
{
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static uint8_t contents[1 << 20];

static size_t get_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    size_t n = fread(contents, 1, sizeof contents, file);
    fclose(file);
    return n;
}

static void save_as(const char *name, const struct training *training)
{
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(prune_state_write(file, &training->state, weights, training->tensors, TENSORS, training->arrays, ARRAYS), PRUNE_OK);
    assert_int_equal(ferror(file), 0);
    assert_int_equal(fclose(file), 0);
}

/* A training of the same network that has not begun: all active, rubbish in every array. */
static void fresh(struct training *training, const struct training *like)
{
    size_t n[TENSORS];
    for (int t = 0; t < TENSORS; t++) n[t] = like->tensors[t].n;
    shape(training, n);
    for (int t = 0; t < TENSORS; t++) {
        memset(training->mask[t], 1, n[t]);
        training->tensors[t].active = n[t];
    }
    for (int a = 0; a < ARRAYS; a++)
        for (size_t i = 0; i < MOST; i++) training->values[a][i] = 7;
    strcpy(training->state.settings, like->state.settings);
}

static int load(struct training *training)
{
    return prune_state_read(&training->state, weights, training->tensors, TENSORS, training->arrays, ARRAYS);
}

static int load_quietly(struct training *training, int *lines)
{
    hush();
    int code = load(training);
    *lines = heard(NULL, 0);
    return code;
}

static void assert_fault(struct training *training, int expected)
{
    int lines, code = load_quietly(training, &lines);
    assert_int_equal(code, expected);
    assert_int_equal(lines, 1);
}

static void assert_same(const struct training *a, const struct training *b)
{
    assert_true(a->state.seed == b->state.seed && a->state.loss_iterations == b->state.loss_iterations);
    assert_int_equal(a->state.threads, b->state.threads);
    assert_int_equal(a->state.step, b->state.step);
    assert_int_equal(a->state.optimizer_t, b->state.optimizer_t);
    assert_memory_equal(&a->state.best_top1, &b->state.best_top1, sizeof a->state.best_top1);
    assert_memory_equal(&a->state.loss_sum, &b->state.loss_sum, sizeof a->state.loss_sum);
    assert_string_equal(a->state.settings, b->state.settings);
    for (int t = 0; t < TENSORS; t++) {
        assert_int_equal(a->tensors[t].active, b->tensors[t].active);
        if (a->tensors[t].n) assert_memory_equal(a->mask[t], b->mask[t], a->tensors[t].n);
    }
    for (int i = 0; i < ARRAYS; i++)
        if (a->arrays[i].n) assert_memory_equal(a->values[i], b->values[i], a->arrays[i].n * sizeof(float));
    for (int i = 0; i < ARRAYS; i++) assert_true(b->arrays[i].n == MOST || b->values[i][b->arrays[i].n] == 7);  /* nothing beyond the end */
}

static int is_untouched(const struct training *training)
{
    for (int t = 0; t < TENSORS; t++) {
        if (training->tensors[t].active != training->tensors[t].n) return 0;
        for (size_t i = 0; i < training->tensors[t].n; i++)
            if (training->mask[t][i] != 1) return 0;
    }
    for (int a = 0; a < ARRAYS; a++)
        for (size_t i = 0; i < training->arrays[a].n; i++)
            if (training->values[a][i] != 7) return 0;
    return 1;
}

static void assert_untouched(const struct training *training) { assert_true(is_untouched(training)); }

static void begin(uint64_t seed, size_t n0, size_t n1, size_t n2)
{
    static const char bytes[] = "these are the weights";
    unlink(path);
    unlink(temporary);
    put_file(weights, bytes, sizeof bytes);
    random_seed(seed);
    shape(&saved, (size_t[]){ n0, n1, n2 });
    draw(&saved);
}

/* ------------------------------------------------------------------------------------------------------------ tests -- */

static void comes_back_bit_for_bit(void **state)
{
    (void)state;
    static const size_t sizes[][3] = { { 1, 2, 3 }, { 7, 8, 9 }, { 15, 16, 17 }, { 5, 64, 1001 }, { 1024, 1023, 1025 }, { MOST, 4096, 4097 }, { 0, 1, 0 }, { 2048, 31, 3 } };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (uint64_t round = 0; round < 5; round++) {
            begin(100 * s + round, sizes[s][0], sizes[s][1], sizes[s][2]);
            save_as(path, &saved);
            fresh(&loaded, &saved);
            assert_int_equal(load(&loaded), PRUNE_TAKEN);
            assert_same(&saved, &loaded);
        }
    for (int all = 0; all < 2; all++) {         /* nothing pruned, everything pruned; the longest settings */
        begin(77, 100, 9, 40000 / 8);
        for (int t = 0; t < TENSORS; t++) {
            memset(saved.mask[t], all, saved.tensors[t].n);
            saved.tensors[t].active = all ? saved.tensors[t].n : 0;
        }
        memset(saved.values, 0, sizeof saved.values);
        memset(saved.state.settings, 's', sizeof saved.state.settings - 1);
        save_as(path, &saved);
        fresh(&loaded, &saved);
        assert_int_equal(load(&loaded), PRUNE_TAKEN);
        assert_same(&saved, &loaded);
    }
}

/* More bytes of mask than the writer's buffer holds. */
static void a_large_mask(void **state)
{
    (void)state;
    enum { N = 70001 };
    begin(5, 1, 1, 1);
    uint8_t *mask = malloc(N), *copy = malloc(N);
    assert_true(mask && copy);
    struct prune_tensor tensor = { .name = "large", .layer = 3, .n = N, .mask = mask, .limit = -1 };
    for (size_t i = 0; i < N; i++) tensor.active += copy[i] = mask[i] = (uint8_t)random_below(2);
    size_t active = tensor.active;
    FILE *file = fopen(path, "wb");
    assert_int_equal(prune_state_write(file, &saved.state, weights, &tensor, 1, NULL, 0), PRUNE_OK);
    fclose(file);
    memset(mask, 1, N);
    tensor.active = N;
    struct prune_state back = { 0 };
    strcpy(back.settings, saved.state.settings);
    assert_int_equal(prune_state_read(&back, weights, &tensor, 1, NULL, 0), PRUNE_TAKEN);
    assert_memory_equal(mask, copy, N);
    assert_int_equal(tensor.active, active);
    free(mask);
    free(copy);
}

/* The layout as the head of state.c tells it, byte by byte: a file written today must be read tomorrow. */
static void the_layout(void **state)
{
    (void)state;
    begin(1, 1, 1, 1);
    uint8_t mask[11] = { 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1 };
    float updates[11] = { 1, 0, 0, 2, 3, 0, 0, 0, 0, 4, 5 }, memory[11] = { 0, 6, 7, 0, 0, 8, 9, 10, 11, 0, 0 };
    struct prune_tensor tensor = { .name = "t", .layer = 4, .n = 11, .mask = mask, .active = 5, .limit = -1 };
    struct prune_array arrays[2] = { { 4, PRUNE_WEIGHT_UPDATES, 11, updates, &tensor }, { 4, PRUNE_MEMORY, 11, memory, &tensor } };
    struct prune_state s = { .seed = 0x1122334455667788, .threads = 3, .step = 9, .optimizer_t = 500, .best_top1 = 98.5F, .loss_sum = 0.25, .loss_iterations = 60,
                             .settings = "a=1" };
    FILE *file = fopen(path, "wb");
    assert_int_equal(prune_state_write(file, &s, weights, &tensor, 1, arrays, 2), PRUNE_OK);
    fclose(file);

    uint8_t expected[300];
    size_t n = 0;
#define PUT(type, value) do { type put_ = (value); memcpy(expected + n, &put_, sizeof put_); n += sizeof put_; } while (0)
    size_t weight_bytes = get_file(weights);
    uint32_t weight_crc = (uint32_t)crc32(0, contents, (uInt)weight_bytes);
    memcpy(expected, "dnprune\n", 8);
    n = 8;
    PUT(uint32_t, 1);
    PUT(uint32_t, 0x01020304);
    PUT(uint64_t, weight_bytes);
    PUT(uint32_t, weight_crc);
    PUT(uint64_t, s.seed);
    PUT(int32_t, 3);
    PUT(int32_t, 9);
    PUT(int32_t, 500);
    PUT(float, 98.5F);
    PUT(double, 0.25);
    PUT(uint64_t, 60);
    PUT(uint32_t, 3);
    memcpy(expected + n, "a=1", 3);
    n += 3;
    PUT(uint32_t, 1);
    PUT(int32_t, 4);
    PUT(uint64_t, 11);
    PUT(uint8_t, 0x19);
    PUT(uint8_t, 0x06);
    PUT(uint32_t, 2);
    PUT(int32_t, 4);
    PUT(uint32_t, 1);
    PUT(uint64_t, 5);
    for (int i = 1; i <= 5; i++) PUT(float, (float)i);
    PUT(int32_t, 4);
    PUT(uint32_t, 10);
    PUT(uint64_t, 6);
    for (int i = 6; i <= 11; i++) PUT(float, (float)i);
    uint32_t crc = (uint32_t)crc32(0, expected, (uInt)n);
    PUT(uint32_t, crc);
    assert_int_equal(get_file(path), n);
    assert_memory_equal(contents, expected, n);
}

static void other_weights_are_refused(void **state)
{
    (void)state;
    begin(2, 10, 20, 30);
    save_as(path, &saved);
    uint8_t bytes[200];
    size_t n = get_file(weights);
    memcpy(bytes, contents, n);
    for (size_t i = 0; i < n; i++) {            /* any byte */
        bytes[i] ^= (uint8_t)(1 << (i % 8));
        put_file(weights, bytes, n);
        fresh(&loaded, &saved);
        assert_fault(&loaded, PRUNE_ERR_SHAPE);
        assert_untouched(&loaded);
        bytes[i] ^= (uint8_t)(1 << (i % 8));
    }
    put_file(weights, bytes, n - 1);
    fresh(&loaded, &saved);
    assert_fault(&loaded, PRUNE_ERR_SHAPE);
    bytes[n] = 0;
    put_file(weights, bytes, n + 1);
    fresh(&loaded, &saved);
    assert_fault(&loaded, PRUNE_ERR_SHAPE);
    unlink(weights);
    fresh(&loaded, &saved);
    assert_fault(&loaded, PRUNE_ERR_IO);
    put_file(weights, bytes, n);
    fresh(&loaded, &saved);
    assert_int_equal(load(&loaded), PRUNE_TAKEN);

    put_file(weights, "", 0);                   /* these four bytes have the CRC of no bytes */
    save_as(path, &saved);
    assert_int_equal(load(&loaded), PRUNE_TAKEN);
    put_file(weights, "\x9d\x0a\xd9\x6d", 4);
    fresh(&loaded, &saved);
    assert_fault(&loaded, PRUNE_ERR_SHAPE);
}

static uint8_t whole[4000], spoilt[4000];

/* Puts each of `n` spoilt files under name.prune; every one must be refused with one line, and change nothing. */
static void assert_all_refused(size_t n, void (*spoil)(size_t i, size_t bytes))
{
    begin(3, 3, 9, 5);
    save_as(path, &saved);
    size_t bytes = get_file(path);
    assert_in_range(bytes, 150, sizeof whole - 1);
    memcpy(whole, contents, bytes);
    if (!n) n = bytes;
    size_t wrong = 0, last = 0;
    hush();                                     /* once: a file for each line would take long */
    for (size_t i = 0; i < n; i++) {
        spoil(i, bytes);
        fresh(&loaded, &saved);
        if (load(&loaded) == PRUNE_ERR_FORMAT && is_untouched(&loaded)) continue;
        wrong++;
        last = i;
    }
    int lines = heard(NULL, 0);
    if (wrong) fail_msg("%zu are not refused, the last is number %zu", wrong, last);
    assert_int_equal(lines, n);
}

static void flip(size_t i, size_t bytes)
{
    memcpy(spoilt, whole, bytes);
    spoilt[i] ^= (uint8_t)(1 << random_below(8));
    put_file(path, spoilt, bytes);
}

static void cut(size_t i, size_t bytes)
{
    (void)bytes;
    put_file(path, whole, i);
}

static void lengthen(size_t i, size_t bytes)
{
    put_file(path, whole, bytes + 1 + i);
}

static void a_damaged_byte_is_refused(void **state)
{
    (void)state;
    assert_all_refused(0, flip);
}

static void a_short_or_long_file_is_refused(void **state)
{
    (void)state;
    assert_all_refused(0, cut);
    assert_all_refused(9, lengthen);
}

/* A file that is wrong, but whose checksum is right: it must not be taken, nor read beyond its end. */
static void forged_files_are_not_taken(void **state)
{
    (void)state;
    begin(6, 3, 9, 5);
    save_as(path, &saved);
    size_t n = get_file(path) - 4, wrong = 0;   /* without its checksum */
    memcpy(whole, contents, n);
    int faults = 0;
    hush();
    for (size_t length = 8; length < n; length++) {
        memcpy(spoilt, whole, length);
        uint32_t crc = (uint32_t)crc32(0, spoilt, (uInt)length);
        memcpy(spoilt + length, &crc, 4);
        put_file(path, spoilt, length + 4);
        fresh(&loaded, &saved);
        int code = load(&loaded);
        wrong += code == PRUNE_TAKEN || code == PRUNE_ABSENT;
        faults += code < 0;
    }
    for (size_t i = 0; i < n; i++) {            /* where a flip leaves a file that can be taken, its masks are counted right */
        memcpy(spoilt, whole, n);
        spoilt[i] ^= 0x80;
        uint32_t crc = (uint32_t)crc32(0, spoilt, (uInt)n);
        memcpy(spoilt + n, &crc, 4);
        put_file(path, spoilt, n + 4);
        fresh(&loaded, &saved);
        faults += load(&loaded) < 0;
        for (int t = 0; t < TENSORS; t++) {
            size_t active = 0;
            for (size_t j = 0; j < loaded.tensors[t].n; j++) active += loaded.mask[t][j];
            wrong += loaded.tensors[t].active != active;
        }
    }
    int lines = heard(NULL, 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(lines, faults);
}

static void another_network_is_refused(void **state)
{
    (void)state;
    for (int change = 0; change < 10; change++) {
        begin(7, 11, 20, 30);
        save_as(path, &saved);
        fresh(&loaded, &saved);
        int n_tensors = TENSORS, n_arrays = ARRAYS;
        if (change == 0) loaded.tensors[1].n++;
        if (change == 1) loaded.tensors[1].layer++;
        if (change == 2) n_tensors--;
        if (change == 3) n_arrays--;
        if (change == 4) loaded.arrays[2].n++;
        if (change == 5) loaded.arrays[2].layer++;
        if (change == 6) loaded.arrays[3].role = PRUNE_MOMENT2;
        if (change == 7) loaded.tensors[TENSORS - 1].n -= 3;    /* as many bytes of mask */
        if (change == 8) n_arrays = 0;
        if (change == 9) loaded.arrays[ARRAYS - 1].n++;
        hush();
        int code = prune_state_read(&loaded.state, weights, loaded.tensors, n_tensors, loaded.arrays, n_arrays), lines = heard(NULL, 0);
        if (code != PRUNE_ERR_SHAPE) fail_msg("change %d: %d", change, code);
        assert_int_equal(lines, 1);
    }
}

static void other_settings_change_nothing(void **state)
{
    (void)state;
    begin(8, 11, 20, 30);
    for (int where = 0; where < 2; where++) {
        unlink(path);
        unlink(temporary);
        save_as(where ? temporary : path, &saved);
        fresh(&loaded, &saved);
        strcpy(loaded.state.settings, "sparsity=0.8 steps=20");
        int lines, code = load_quietly(&loaded, &lines);
        assert_int_equal(code, PRUNE_OTHER_SETTINGS);
        assert_int_equal(lines, 0);
        assert_untouched(&loaded);
        assert_string_equal(loaded.state.settings, saved.state.settings);   /* those it was written with */
    }
}

static void absent(void **state)
{
    (void)state;
    begin(9, 11, 20, 30);
    fresh(&loaded, &saved);
    int lines, code = load_quietly(&loaded, &lines);
    assert_int_equal(code, PRUNE_ABSENT);
    assert_int_equal(lines, 0);
    assert_untouched(&loaded);
    put_file(temporary, "half a st", 9);        /* killed while it wrote: the old pair is whole without it */
    code = load_quietly(&loaded, &lines);
    assert_int_equal(code, PRUNE_ABSENT);
    assert_int_equal(lines, 0);
    assert_untouched(&loaded);
    unlink(temporary);
    assert_int_equal(mkdir(path, 0700), 0);     /* there, and no file */
    code = load_quietly(&loaded, &lines);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(code, PRUNE_ERR_IO);
    assert_int_equal(lines, 1);
}

/* A training that is killed between its two renames leaves the new weights, and the new state under its temporary name. */
static void the_temporary_one_is_taken_if_it_alone_belongs(void **state)
{
    (void)state;
    static struct training old;
    begin(10, 11, 20, 30);
    save_as(temporary, &saved);                 /* the first save: there is no name.prune yet */
    fresh(&loaded, &saved);
    assert_int_equal(load(&loaded), PRUNE_TAKEN);
    assert_same(&saved, &loaded);

    begin(11, 11, 20, 30);                      /* a later one: name.prune is that of the weights before */
    save_as(path, &saved);
    put_file(weights, "the weights after more training", 31);
    draw(&saved);
    save_as(temporary, &saved);
    fresh(&loaded, &saved);
    assert_int_equal(load(&loaded), PRUNE_TAKEN);
    assert_same(&saved, &loaded);

    begin(12, 11, 20, 30);                      /* killed before the first rename: the old pair is the one */
    save_as(path, &saved);
    size_t n = get_file(weights);
    memcpy(whole, contents, n);
    old = saved;
    put_file(weights, "the next weights", 16);
    draw(&saved);
    save_as(temporary, &saved);
    put_file(weights, whole, n);
    fresh(&loaded, &saved);
    assert_int_equal(load(&loaded), PRUNE_TAKEN);
    for (int t = 0; t < TENSORS; t++) assert_memory_equal(loaded.mask[t], old.mask[t], old.tensors[t].n);
    assert_true(loaded.state.seed == old.state.seed);

    put_file(weights, "none of the two", 15);   /* neither belongs */
    fresh(&loaded, &saved);
    assert_fault(&loaded, PRUNE_ERR_SHAPE);
    assert_untouched(&loaded);
    unlink(path);                               /* and if only the temporary one is there, it is as good as none */
    int lines, code = load_quietly(&loaded, &lines);
    assert_int_equal(code, PRUNE_ABSENT);
    assert_int_equal(lines, 0);
    put_file(path, "", 0);                      /* damaged: a fault, whatever lies beside it */
    fresh(&loaded, &saved);
    assert_fault(&loaded, PRUNE_ERR_FORMAT);
}

static void a_full_disk_is_seen(void **state)
{
    (void)state;
    if (access("/dev/full", W_OK)) skip();
    begin(13, MOST, MOST, MOST);
    FILE *file = fopen("/dev/full", "wb");
    assert_non_null(file);
    prune_state_write(file, &saved.state, weights, saved.tensors, TENSORS, saved.arrays, ARRAYS);
    assert_true(fflush(file) || ferror(file));
    fclose(file);
    unlink(weights);
    file = fopen(path, "wb");
    hush();
    int code = prune_state_write(file, &saved.state, weights, saved.tensors, TENSORS, saved.arrays, ARRAYS), lines = heard(NULL, 0);
    fclose(file);
    assert_int_equal(code, PRUNE_ERR_IO);       /* there are no weights that it could belong to */
    assert_int_equal(lines, 1);
}

static void the_name(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        { "x.weights", "x.prune" }, { "backup/lenet_final.weights", "backup/lenet_final.prune" }, { "x.backup", "x.backup.prune" }, { "x", "x.prune" },
        { ".weights", ".prune" }, { "weights", "weights.prune" }, { "x.weights.tmp", "x.weights.tmp.prune" }, { "a.weights/x", "a.weights/x.prune" },
        { "x.weights.weights", "x.weights.prune" }, { "x.WEIGHTS", "x.WEIGHTS.prune" }, { "x%s.weights", "x%s.prune" }, { "", ".prune" },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *name = prune_state_path(names[i][0]);
        assert_string_equal(name, names[i][1]);
        free(name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name),
        cmocka_unit_test(comes_back_bit_for_bit),
        cmocka_unit_test(a_large_mask),
        cmocka_unit_test(the_layout),
        cmocka_unit_test(other_weights_are_refused),
        cmocka_unit_test(a_damaged_byte_is_refused),
        cmocka_unit_test(a_short_or_long_file_is_refused),
        cmocka_unit_test(forged_files_are_not_taken),
        cmocka_unit_test(another_network_is_refused),
        cmocka_unit_test(other_settings_change_nothing),
        cmocka_unit_test(absent),
        cmocka_unit_test(the_temporary_one_is_taken_if_it_alone_belongs),
        cmocka_unit_test(a_full_disk_is_seen),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
