/* threads.c - the pool of threads, and how many there are: threads [-bench]
 *
 * For ThreadSanitizer: what the parts write and the caller reads are plain variables, so that a missing order is a race. Linked with --wrap for pthread_create and aligned_alloc.
 */
#include "threads.h"
#include "kernels.h"
#include "../unit/random.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 8, BACK_TO_BACK = 10000 };

static int bad_checks;

static void check(int good, const char *name)
{
    printf("%sok - %s\n", good ? "" : "not ", name);
    bad_checks += !good;
}

/* ---------------------------------------------------------------------------------------------------- made faults -- */

static int threads_until_none = -1, no_memory;

int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*start)(void *), void *argument);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
    if (!threads_until_none) return 11;     /* EAGAIN */
    if (threads_until_none > 0) threads_until_none--;
    return __real_pthread_create(id, attributes, start, argument);
}

void *__real_aligned_alloc(size_t, size_t);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return no_memory ? NULL : __real_aligned_alloc(alignment, bytes);
}

/* ----------------------------------------------------------------------------------------------------------- work -- */

static void pause_for(long microseconds)
{
    struct timespec time = { microseconds / 1000000, microseconds % 1000000 * 1000 };
    nanosleep(&time, NULL);
}

static double process_seconds(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

struct record {
    pthread_t caller, ran_on[MOST];
    int parts, calls[MOST];         /* how often each part was called */
    unsigned seen[MOST], own[MOST]; /* a round's numbers: of the round before, of the next part; and one's own, all plain */
    unsigned round;
    int wrong;                      /* written by the caller */
    int wrongs[MOST];
    long delays[MOST];              /* microseconds that each part takes */
};

static void work(void *context, int part, int parts)
{
    struct record *record = context;
    int next = (part + 1) % parts;
    if (parts != record->parts || (part == 0) != pthread_equal(pthread_self(), record->caller)) record->wrongs[part]++;
    if (record->calls[part] && !pthread_equal(record->ran_on[part], pthread_self())) record->wrongs[part]++;
    record->ran_on[part] = pthread_self();
    record->calls[part]++;
    record->seen[part] = record->round;
    if (record->delays[part]) pause_for(record->delays[part]);
    if (record->round % 2) record->own[part] = record->round;           /* odd rounds write, even ones read what another thread wrote */
    else if (record->own[next] != record->round - 1) record->wrongs[part]++;
}

/* One run with its checks; 1 when all is right. */
static int run(struct prune_threads *threads, struct record *record)
{
    record->round++;
    prune_threads_run(threads, work, record);
    for (int i = 0; i < record->parts; i++)
        if (record->seen[i] != record->round || record->calls[i] != (int)record->round || record->wrongs[i]) record->wrong = 1;
    for (int i = record->parts; i < MOST; i++)
        if (record->calls[i]) record->wrong = 1;
    return !record->wrong;
}

static struct record record_for(struct prune_threads *threads)
{
    return (struct record){ .caller = pthread_self(), .parts = prune_threads_count(threads) };
}

static int are_different(const struct record *record)
{
    for (int i = 0; i < record->parts; i++)
        for (int j = 0; j < i; j++)
            if (pthread_equal(record->ran_on[i], record->ran_on[j])) return 0;
    return 1;
}

/* ---------------------------------------------------------------------------------------------------------- tests -- */

static void check_counts(void)
{
    int good = 1;
    for (int n = 1; n <= MOST; n++) {
        struct prune_threads *threads = prune_threads_new(n);
        good &= threads && prune_threads_count(threads) == n;
        if (!threads) break;
        struct record record = record_for(threads);
        for (int i = 0; i < 50; i++) good &= run(threads, &record);
        good &= are_different(&record);
        prune_threads_free(threads);
    }
    check(good, "1 to 8 threads: each part once a run, on a thread of its own that stays, part 0 on the caller");
}

static void check_back_to_back(void)
{
    static const int counts[] = { 1, 2, 3, 8 };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct prune_threads *threads = prune_threads_new(counts[i]);
        int good = threads != NULL;
        if (threads) {
            struct record record = record_for(threads);
            for (int run_number = 0; run_number < BACK_TO_BACK; run_number++) good &= run(threads, &record);
        }
        prune_threads_free(threads);
        char name[80];
        snprintf(name, sizeof name, "%d runs back to back of %d threads", BACK_TO_BACK, counts[i]);
        check(good, name);
    }
}

/* Gaps around the time after which waiting threads go to sleep, before a run, in a worker's part and in the caller's. */
static void check_gaps(void)
{
    struct prune_threads *threads = prune_threads_new(2);
    int good = threads != NULL, after_worker = good, after_caller = good;
    if (!good) return check(0, "a pool for gaps");
    struct record record = record_for(threads);
    for (long gap = 0; gap < 400; gap++) {
        pause_for(gap % 20 ? gap / 2 : 3000);
        good &= run(threads, &record);
    }
    for (long gap = 0; gap < 300; gap++) {
        record.delays[1] = gap % 20 ? gap / 2 : 2000;
        after_worker &= run(threads, &record);
    }
    record.delays[1] = 0;
    for (long gap = 0; gap < 300; gap++) {
        record.delays[0] = gap % 20 ? gap / 2 : 2000;
        after_caller &= run(threads, &record);
    }
    prune_threads_free(threads);
    check(good, "runs with idle gaps of 0 to 3000 us");
    check(after_worker, "runs in which a worker takes 0 to 2000 us longer");
    check(after_caller, "runs in which the caller takes 0 to 2000 us longer");
}

static void check_idle(void)
{
    struct prune_threads *threads[3] = { prune_threads_new(2), prune_threads_new(2), prune_threads_new(5) };
    int good = 1;
    for (int i = 0; i < 3; i++) {
        struct record record = record_for(threads[i]);
        good &= run(threads[i], &record);
    }
    double before = process_seconds(CLOCK_PROCESS_CPUTIME_ID);
    pause_for(300000);
    double used = process_seconds(CLOCK_PROCESS_CPUTIME_ID) - before;
    for (int i = 0; i < 3; i++) prune_threads_free(threads[i]);
    check(good && used < 0.03, "idle pools take no CPU time");
}

struct application {
    int n, runs, good;
    long gap;
};

static void *application(void *argument)
{
    struct application *own = argument;
    struct prune_threads *threads = prune_threads_new(own->n);
    own->good = threads != NULL;
    if (!threads) return NULL;
    struct record record = record_for(threads);
    for (int i = 0; i < own->runs; i++) {
        if (own->gap && i % 8 == 0) pause_for(own->gap);
        own->good &= run(threads, &record);
    }
    prune_threads_free(threads);
    return NULL;
}

static void check_two(void)
{
    static const struct application cases[][2] = {
        { { 2, 3000, 0, 0 }, { 2, 3000, 0, 0 } }, { { 2, 2000, 0, 150 }, { 3, 2000, 0, 0 } }, { { 4, 1000, 0, 90 }, { 1, 5000, 0, 0 } },
    };
    int good = 1;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct application one = cases[i][0], other = cases[i][1];
        pthread_t id;
        if (pthread_create(&id, NULL, application, &other)) good = 0;
        application(&one);
        if (good) pthread_join(id, NULL);
        good &= one.good && other.good;
    }
    check(good, "two pools in use by two application threads at once");
}

static void count_part(void *context, int part, int parts)
{
    int *calls = context;
    calls[part] += parts;
}

/* The child has the pool's memory and none of its threads. */
static void check_fork(void)
{
    struct prune_threads *threads = prune_threads_new(3);
    if (!threads) return check(0, "a pool and a child");
    struct record record = record_for(threads);
    int good = run(threads, &record), status = -1;
    pid_t child = fork();
    if (child == 0) {
        int calls[3] = { 0 };
        alarm(10);
        prune_threads_run(threads, count_part, calls);
        prune_threads_free(threads);
        _exit(!(calls[0] == 3 && calls[1] == 3 && calls[2] == 3));
    }
    good &= child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0 && run(threads, &record);
    prune_threads_free(threads);
    check(good, "a child made by fork() works on all parts by itself, and its parent goes on");
}

static void check_lives(void)
{
    int good = 1;
    for (int n = 1; n <= MOST; n++) prune_threads_free(prune_threads_new(n));
    check(1, "a pool can be freed at once, without a run");
    for (int i = 0; i < 200; i++) {
        struct prune_threads *threads = prune_threads_new(1 + i % 3);
        if (!threads) return check(0, "200 pools one after another");
        struct record record = record_for(threads);
        if (i % 2) pause_for(i);
        good &= run(threads, &record);
        if (i % 4 > 1) pause_for(i);
        prune_threads_free(threads);
    }
    check(good, "200 pools one after another, freed right after a run or later");
    prune_threads_free(NULL);
    check(!prune_threads_new(0) && !prune_threads_new(-1) && !prune_threads_new(1 << 30), "no pool of 0, -1 or 2^30 threads");
    for (int k = 0; k < 4; k++) {
        threads_until_none = k;
        good &= !prune_threads_new(5);
    }
    threads_until_none = -1;
    check(good, "no pool when the system gives fewer threads, and those it gave are ended");
    no_memory = 1;
    good = !prune_threads_new(2);
    no_memory = 0;
    check(good, "no pool without memory");
}

/* ------------------------------------------------------------------------------------------------- default number -- */

static int default_with(const char *darknet, const char *omp, int *notes)
{
    if (darknet) setenv("DARKNET_THREADS", darknet, 1);
    else unsetenv("DARKNET_THREADS");
    if (omp) setenv("OMP_NUM_THREADS", omp, 1);
    else unsetenv("OMP_NUM_THREADS");
    hush();
    int n = prune_threads_default();
    *notes = heard(NULL, 0);
    return n;
}

static void check_default(void)
{
    cpu_set_t before, one;
    CPU_ZERO(&before);
    CPU_ZERO(&one);
    int notes, good = 1;
    if (sched_getaffinity(0, sizeof before, &before)) return check(0, "the CPUs of this process");
    int cpus = CPU_COUNT(&before);
    size_t first = 0;
    static const struct {
        const char *darknet, *omp;
        int want, notes;            /* want 0: the CPUs */
    } cases[] = {
        { NULL, NULL, 0, 0 }, { "3", NULL, 3, 0 }, { "3", "5", 3, 0 }, { NULL, "5", 5, 0 }, { NULL, "6,2", 6, 0 }, { "", "5", 5, 0 }, { "", "", 0, 0 }, { "1024", NULL, 1024, 0 },
        { "0", "5", 5, 1 }, { "-2", "5", 5, 1 }, { "many", "5", 5, 1 }, { "4x", "5", 5, 1 }, { "4,2", "5", 5, 1 }, { "1025", "5", 5, 1 }, { "99999999999999999999", "5", 5, 1 },
        { NULL, "many", 0, 1 }, { NULL, ",4", 0, 1 }, { NULL, "0", 0, 1 }, { "x", "y", 0, 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int n = default_with(cases[i].darknet, cases[i].omp, &notes);
        if (n == (cases[i].want ? cases[i].want : cpus) && notes == cases[i].notes) continue;
        printf("# DARKNET_THREADS=%s OMP_NUM_THREADS=%s: %d threads, %d notes\n", cases[i].darknet ? cases[i].darknet : "(none)", cases[i].omp ? cases[i].omp : "(none)", n, notes);
        good = 0;
    }
    check(good, "the number of threads: DARKNET_THREADS, OMP_NUM_THREADS, the CPUs; a note for each that is none");
    while (!CPU_ISSET(first, &before)) first++;
    CPU_SET(first, &one);
    good = !sched_setaffinity(0, sizeof one, &one) && default_with(NULL, NULL, &notes) == 1;
    sched_setaffinity(0, sizeof before, &before);
    check(good, "a process that may use one CPU gets one thread");
}

/* The first use of the tables by two threads at once: this must come before any other. */
static void *ask(void *argument)
{
    *(const struct prune_kernels **)argument = prune_kernels_best();
    return NULL;
}

static void check_kernels(void)
{
    const struct prune_kernels *one = NULL, *other = NULL;
    pthread_t id;
    if (pthread_create(&id, NULL, ask, &other)) return check(0, "a thread");
    ask(&one);
    pthread_join(id, NULL);
    check(one == other && one == prune_kernels_best(), "two threads that ask for the kernels at once get the same");
}

/* ---------------------------------------------------------------------------------------------------------- bench -- */

static void nothing(void *context, int part, int parts)
{
    (void)context;
    (void)part;
    (void)parts;
}

static void bench(void)
{
    for (int n = 1; n <= 4; n++) {
        struct prune_threads *threads = prune_threads_new(n);
        if (!threads) return;
        double begin = process_seconds(CLOCK_MONOTONIC), slept = 0;
        for (int i = 0; i < BACK_TO_BACK; i++) prune_threads_run(threads, nothing, NULL);
        double each = (process_seconds(CLOCK_MONOTONIC) - begin) / BACK_TO_BACK;
        for (int i = 0; i < 200; i++) {
            pause_for(1000);
            begin = process_seconds(CLOCK_MONOTONIC);
            prune_threads_run(threads, nothing, NULL);
            slept += process_seconds(CLOCK_MONOTONIC) - begin;
        }
        printf("# %d threads: an empty run takes %.2f us back to back, %.2f us after a gap of 1 ms\n", n, 1e6 * each, 1e6 * slept / 200);
        prune_threads_free(threads);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "-bench")) {
        bench();
        return 0;
    }
    check_kernels();
    check_counts();
    check_back_to_back();
    check_gaps();
    check_idle();
    check_two();
    check_lives();
    check_fork();
    check_default();
    return bad_checks > 0;
}
