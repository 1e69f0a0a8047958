/* pack_hostile.c - damaged packed weights: every one is refused in one line that names it, and no allocation is larger than the network asks for
 *
 * pack_hostile <cfg> <good file> <bad file> ... -- <file for another network> ...: reads the good file cut at every byte, with every single bit flipped, then the others; the bad ones without the
 * cfg too, so that it is not the cfg that tells. Link with -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc: what a file may cost is told by what is asked for, whether or not
 * it is ever touched.
 */
#include "prune.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);

static size_t asked;            /* bytes, by the read under way */
static long failures;

static int add(size_t n)
{
    if (__builtin_add_overflow(asked, n, &asked)) asked = SIZE_MAX;
    return n < (size_t)1 << 32; /* more is not even tried */
}

void *__wrap_malloc(size_t n)
{
    return add(n) ? __real_malloc(n) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    size_t bytes;
    return add(__builtin_mul_overflow(n, size, &bytes) ? SIZE_MAX : bytes) ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *old, size_t n)
{
    return add(n) ? __real_realloc(old, n) : NULL;
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
    return add(n) ? __real_aligned_alloc(alignment, n) : NULL;
}

struct trial {
    struct prune_graph *graph;
    size_t most;                /* that a read may ask for */
    int said;                   /* descriptor that stands for stderr */
};

static void fail(const char *what, const char *why)
{
    failures++;
    printf("%s: %s\n", what, why);
}

/* What a read of `path` does, which goes by the name `what` here. */
static void expect_refusal(const struct trial *trial, const char *path, const char *what)
{
    struct prune_weights weights = { 0 };
    char said[1024];
    if (ftruncate(trial->said, 0) || lseek(trial->said, 0, SEEK_SET)) abort();
    asked = 0;
    int code = prune_weights_read(&weights, trial->graph, path);
    ssize_t n = pread(trial->said, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    if (!code) fail(what, "was read");
    else if (weights.floats) fail(what, "left memory behind");
    else if (!n || strchr(said, '\n') != said + n - 1) fail(what, "was not refused in one line");
    else if (!strstr(said, path)) fail(what, "was refused without its name");
    if (asked > trial->most) fail(what, "took too much memory");
    prune_weights_free(&weights);
}

/* The next array, dense or sparse. */
static int read_array(struct prune_packed *packed, const struct prune_part *part, int dense)
{
    struct prune_sparse sparse;
    size_t n = (size_t)part->rows * part->columns;
    float *floats = dense && n <= 1 << 20 ? calloc(n, sizeof *floats) : NULL;
    if (dense && !floats) return 1;     /* none of the bad files is to come so far */
    int code = dense ? prune_packed_dense(packed, floats) : prune_packed_sparse(packed, &sparse);
    if (!dense && !code) prune_sparse_free(&sparse);
    free(floats);
    return code;
}

/* Without the cfg, to the end or a fault. */
static void expect_refusal_alone(const struct trial *trial, const char *path, int dense)
{
    struct prune_packed packed;
    asked = 0;
    int more = 0, code = prune_packed_open(&packed, path);
    if (code) return;
    while (!code && (more = prune_packed_next(&packed)) > 0)
        for (int i = 0; !code && i < packed.n_arrays; i++) code = read_array(&packed, &packed.arrays[i].part, dense);
    prune_packed_close(&packed);
    if (!code && !more) fail(path, "was read by a reader that knows no cfg");
    if (code > 0) fail(path, "has an array that no reader should have come to");
    if (asked > trial->most) fail(path, "took too much memory of a reader that knows no cfg");
}

static void expect_bytes_refused(const struct trial *trial, const uint8_t *bytes, size_t n, const char *what)
{
    char path[64];
    int descriptor = memfd_create("damaged", 0);
    if (descriptor < 0 || write(descriptor, bytes, n) != (ssize_t)n) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    expect_refusal(trial, path, what);
    close(descriptor);
}

static size_t damage(const struct trial *trial, const char *path)
{
    static uint8_t good[1 << 16];
    char what[64];
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(good, 1, sizeof good, file) : 0;
    if (!file || n == sizeof good || n < 64) abort();
    fclose(file);
    for (size_t length = 0; length < n; length++) {
        snprintf(what, sizeof what, "cut at byte %zu", length);
        expect_bytes_refused(trial, good, length, what);
    }
    for (size_t bit = 0; bit < 8 * n; bit++) {
        snprintf(what, sizeof what, "bit %zu of byte %zu flipped", bit % 8, bit / 8);
        good[bit / 8] ^= (uint8_t)(1U << bit % 8);
        expect_bytes_refused(trial, good, n, what);
        good[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    return 9 * n;
}

int main(int argc, char **argv)
{
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights;
    if (argc < 4 || prune_cfg_read(&cfg, argv[1]) || prune_graph_build(&graph, &cfg, PRUNE_THIS_DARKNET)) return 2;
    asked = 0;
    if (prune_weights_read(&weights, &graph, argv[2])) return 2;
    prune_weights_free(&weights);
    struct trial trial = { &graph, asked + (1 << 20), memfd_create("stderr", 0) };
    printf("the good file takes %zu bytes of memory\n", asked);
    if (trial.said < 0 || dup2(trial.said, 2) < 0) return 2;
    size_t tried = damage(&trial, argv[2]);
    int others = 0;
    for (int i = 3; i < argc; i++) {
        if (!strcmp(argv[i], "--")) {
            others = 1;
            continue;
        }
        expect_refusal(&trial, argv[i], argv[i]);
        if (!others) expect_refusal_alone(&trial, argv[i], 1);
        if (!others) expect_refusal_alone(&trial, argv[i], 0);
        tried++;
    }
    prune_graph_free(&graph);
    prune_cfg_free(&cfg);
    printf("%zu damaged files, %ld failures\n", tried, failures);
    return failures > 0;
}
