/* check.c - every vector kernel against its plain C twin, bit by bit: check [-bench] [conv | connected | layers | train | sparse]
 *
 * For each instruction set that the machine has and DARKNET_CPU does not switch off, each unit. Buffers end at pages that cannot be touched. With -bench, microbenchmarks too.
 */
#include "check.h"
#include "kernels.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct unit {
    const char *name;
    void (*check)(const struct prune_kernels *);
} units[] = { { "conv", check_conv }, { "connected", check_connected }, { "layers", check_layers }, { "train", check_train }, { "sparse", check_sparse } };
enum { N_UNITS = sizeof units / sizeof *units };

int check_benching;
static char place[64] = "check";        /* "avx2: ", as lines begin */
static int good_checks, bad_checks;

void check_that(int good, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%sok - %s", good ? "" : "not ", place);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    good_checks += good != 0;
    bad_checks += !good;
}

/* --------------------------------------------------------------------------------------------------------- memory -- */

enum { POISON = 0x7fa5a5a5 };       /* a NaN */

static struct guarded {
    unsigned char *map;
    size_t bytes;                   /* with both pages */
    float *floats;
    size_t n;
} *guarded;
static size_t n_guarded, room_guarded;

static void give_up(const char *what)
{
    printf("not ok - %sno memory for %s\n", place, what);
    exit(1);
}

float *check_guarded(size_t n, int left)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (n * sizeof(float) + page - 1) / page * page;
    if (n_guarded == room_guarded) {
        room_guarded = 2 * room_guarded + 64;
        guarded = realloc(guarded, room_guarded * sizeof *guarded);
        if (!guarded) give_up("a list");
    }
    struct guarded *new = &guarded[n_guarded++];
    *new = (struct guarded){ .bytes = inner + 2 * page, .n = n };
    new->map = mmap(NULL, new->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (new->map == MAP_FAILED) give_up("guarded floats");
    uint32_t *words = (uint32_t *)(void *)(new->map + page);
    for (size_t i = 0; i < inner / sizeof *words; i++) words[i] = POISON;
    if (mprotect(new->map, page, PROT_NONE) || mprotect(new->map + page + inner, page, PROT_NONE)) give_up("pages that cannot be touched");
    new->floats = (float *)(void *)(new->map + page + (left ? 0 : inner - n * sizeof(float)));
    return new->floats;
}

/* The floats of the inner pages that were not asked for. */
static int is_untouched(const struct guarded *buffer)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (buffer->bytes - 2 * page) / sizeof(float);
    const uint32_t *words = (const uint32_t *)(const void *)(buffer->map + page), *own = (const uint32_t *)(const void *)buffer->floats;
    for (size_t i = 0; i < n; i++) {
        if (&words[i] == own) i += buffer->n;
        if (i < n && words[i] != POISON) return 0;
    }
    return 1;
}

void check_release(void)
{
    for (size_t i = 0; i < n_guarded; i++) {
        if (!is_untouched(&guarded[i])) check_that(0, "nothing is written outside of %zu floats", guarded[i].n);
        munmap(guarded[i].map, guarded[i].bytes);
    }
    n_guarded = 0;
}

/* How a child ends that touches one float: 0, or the signal. */
static int touch(volatile float *at, int write)
{
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        struct rlimit none = { 0, 0 };
        setrlimit(RLIMIT_CORE, &none);
        signal(SIGSEGV, SIG_DFL);
        if (write) *at = 1;
        else (void)*at;
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void check_guards(void)
{
    static const size_t sizes[] = { 0, 1, 7, 1024, 1500 };
    int inside = 1, outside = 1;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int left = 0; left < 2; left++) {
            size_t n = sizes[i];
            float *floats = check_guarded(n, left), *beyond = left ? floats - 1 : floats + n;
            for (int write = 0; write < 2; write++) {
                outside &= touch(beyond, write) == SIGSEGV;
                if (n) inside &= !touch(floats, write) && !touch(floats + n - 1, write);
            }
        }
    check_that(inside, "guarded floats can be read and written");
    check_that(outside, "the next float beyond a guarded end cannot");
    float *floats = check_guarded(10, 1);
    int before = is_untouched(&guarded[n_guarded - 1]);
    floats[10] = 0;
    check_that(before && !is_untouched(&guarded[n_guarded - 1]), "what is written beyond the other end is seen");
    uint32_t poison = POISON;
    memcpy(&floats[10], &poison, sizeof poison);
    check_release();
}

/* A kernel that runs into a guard: its place is told, and then the fault takes its course. */
static struct sigaction before_fault;

static void report_fault(int signal, siginfo_t *info, void *context)
{
    char line[128];
    (void)context;
    int n = snprintf(line, sizeof line, "not ok - %ssignal %d, touching %p\n", place, signal, info->si_addr);
    if (write(STDOUT_FILENO, line, (size_t)n) != n) _exit(1);
    sigaction(signal, &before_fault, NULL);
}

/* --------------------------------------------------------------------------------------------------------- values -- */

static uint64_t random_state;

uint32_t check_random(void)         /* splitmix64 */
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

float check_random_float(void)
{
    static const float small[4] = { 0, -0.0f, 0x1.8p-140f, 0x1p-126f };
    uint32_t bits = check_random(), luck = bits & 0x3fff;
    if (!luck) return bits >> 31 ? -1e30f : 1e30f;
    if (luck % 64 == 1) return small[bits >> 30];
    return (float)((int32_t)bits >> 8) * 0x1p-23f;
}

int check_same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) && !(isnan(a[i]) && isnan(b[i]))) return 0;
    return 1;
}

static void check_values(void)
{
    int in_range = 1, zeros = 0, denormals = 0, huge = 0;
    double sum = 0;
    for (int i = 0; i < 1 << 18; i++) {
        float x = check_random_float();
        int extreme = fabsf(x) == 1e30f;
        in_range &= extreme || (x >= -1 && x < 1);
        zeros += x == 0;
        denormals += x != 0 && fabsf(x) < 0x1p-126f;
        huge += extreme;
        if (!extreme) sum += (double)x;
    }
    check_that(in_range && zeros > 1000 && denormals > 500 && huge > 4 && huge < 64 && fabs(sum) < 2000, "random floats have the range and the extremes they should");
    float a[4] = { 0, 1, NAN, 2 }, b[4] = { 0, 1, -NAN, 2 };
    int same = check_same(a, b, 4);
    b[0] = -0.0f;
    same &= !check_same(a, b, 4) && check_same(a + 1, b + 1, 3);
    b[3] = nextafterf(2, 3);
    check_that(same && !check_same(a + 1, b + 1, 3) && check_same(a + 1, b + 1, 2) && !check_same(a + 1, a + 2, 1), "floats are the same when all bits are, or both are NaN");
}

/* ---------------------------------------------------------------------------------------------------------- bench -- */

double check_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void check_sort(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_size);
}

void check_bench(const char *name, double work, const char *unit, void (*run)(void *), void *context)
{
    enum { MOST_SAMPLES = 999 };
    static double samples[MOST_SAMPLES];
    int calls = 1, n = 0;
    for (double took = 0; took < 2e-5; calls = took < 2e-5 ? 2 * calls : calls) {     /* so many that the clock does not matter; it warms up too */
        double begin = check_seconds();
        for (int i = 0; i < calls; i++) run(context);
        took = check_seconds() - begin;
    }
    double end = check_seconds() + 0.1;
    do {
        double begin = check_seconds();
        for (int i = 0; i < calls; i++) run(context);
        samples[n++] = (check_seconds() - begin) / calls;
    } while (n < MOST_SAMPLES && (n < 5 || check_seconds() < end));
    check_sort(samples, (size_t)n);
    printf("# %s%-48s %10.2f us %9.2f G%s/s\n", place, name, 1e6 * samples[n / 2], 1e-9 * work / samples[n / 2], unit);
}

/* ----------------------------------------------------------------------------------------------------------- main -- */

static void check_all(const struct prune_kernels *kernels, const char *only)
{
    for (int i = 0; i < N_UNITS; i++) {
        if (only && strcmp(only, units[i].name)) continue;
        snprintf(place, sizeof place, "%s: %s: ", kernels->name, units[i].name);
        random_state = 1;
        int checks = good_checks + bad_checks;
        units[i].check(kernels);
        check_release();
        if (good_checks + bad_checks == checks) check_that(0, "checked nothing");
    }
}

int main(int argc, char **argv)
{
    static const char *const names[] = { "avx512", "avx2", "neon" };
    const char *only = NULL;
    const struct prune_kernels *best = NULL;
    int known = 1;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-bench")) check_benching = 1;
        else only = argv[i];
    }
    if (only) {
        known = 0;
        for (int i = 0; i < N_UNITS; i++) known |= !strcmp(only, units[i].name);
    }
    if (!known) {
        fprintf(stderr, "usage: check [-bench] [conv | connected | layers | train | sparse]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    snprintf(place, sizeof place, "check: ");
    check_guards();
    check_values();
    struct sigaction fault = { .sa_sigaction = report_fault, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &fault, &before_fault);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct prune_kernels *kernels = prune_kernels_named(names[i]);
        if (!kernels) continue;
        if (!best) best = kernels;
        snprintf(place, sizeof place, "%s: ", names[i]);
        check_that(!strcmp(kernels->name, names[i]) && kernels->vector >= 4, "the table has its name");
        check_all(kernels, only);
    }
    snprintf(place, sizeof place, "check: ");
    check_that(prune_kernels_best() == best, "the best kernels are %s", best ? best->name : "none");
    check_that(!prune_kernels_named("sse") && !prune_kernels_named(""), "there are no others");
    free(guarded);
    return bad_checks > 0;
}
