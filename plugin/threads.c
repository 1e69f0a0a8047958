/* threads.c - a pool of threads that work on the parts of one thing after another
 *
 * In: a number of threads, and functions. Out: they were called. A layer takes 20 us to 5 ms and the next one follows at once, while a sleeping thread takes up to 50 us to wake: so who
 * waits spins for longer than that before it sleeps. It yields all the while: a thread that was just woken is often put on the very CPU of the one that waits for it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE     /* sched_getaffinity */
#endif
#include "threads.h"
#include "prune.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { CACHE_LINE = 64, SPIN_NANOSECONDS = 100000, LOOKS_PER_YIELD = 16, MOST_THREADS = 1024 };

/* A number that only counts up, and those who wait for it to reach a value. */
struct gate {
    _Alignas(CACHE_LINE) atomic_uint value;
    void (*work)(void *context, int part, int parts);       /* beside the value: one cache line brings all */
    void *context;
    _Alignas(CACHE_LINE) atomic_uint sleepers;
    pthread_mutex_t mutex;
    pthread_cond_t reached;
};

struct worker {
    struct prune_threads *threads;
    pthread_t id;
    int part;
};

struct prune_threads {
    struct gate begun, done;    /* rounds begun; parts done by workers, of all rounds */
    int n;                      /* with the caller */
    pid_t process;              /* a child made by fork() has the pool without its threads */
    struct worker workers[];    /* n - 1 */
};

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int open_gate(struct gate *gate)
{
    if (pthread_mutex_init(&gate->mutex, NULL)) return 0;
    if (!pthread_cond_init(&gate->reached, NULL)) return 1;
    pthread_mutex_destroy(&gate->mutex);
    return 0;
}

static void close_gate(struct gate *gate)
{
    pthread_cond_destroy(&gate->reached);
    pthread_mutex_destroy(&gate->mutex);
}

static void wait_for(struct gate *gate, unsigned value)
{
    if (atomic_load_explicit(&gate->value, memory_order_acquire) == value) return;
    int64_t end = now() + SPIN_NANOSECONDS;
    do {
        for (int i = 0; i < LOOKS_PER_YIELD; i++) {
            if (atomic_load_explicit(&gate->value, memory_order_acquire) == value) return;
            relax();
        }
        sched_yield();
    } while (now() < end);
    /* Here `sleepers` is written, then `value` read; in wake() it is the other way round: all four are sequentially consistent, so that one of the two sees the other. */
    pthread_mutex_lock(&gate->mutex);
    atomic_fetch_add(&gate->sleepers, 1);
    while (atomic_load(&gate->value) != value) pthread_cond_wait(&gate->reached, &gate->mutex);
    atomic_fetch_sub(&gate->sleepers, 1);
    pthread_mutex_unlock(&gate->mutex);
}

/* After `value` was changed. A sleeper that has not seen it holds the mutex until it listens. */
static void wake(struct gate *gate)
{
    if (!atomic_load(&gate->sleepers)) return;
    pthread_mutex_lock(&gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
    pthread_cond_broadcast(&gate->reached);
}

/* What a round's work is, is written before the round begins and not again before all have done it. No work is the end. */
static void begin_round(struct prune_threads *threads, void (*work)(void *, int, int), void *context)
{
    threads->begun.work = work;
    threads->begun.context = context;
    atomic_fetch_add(&threads->begun.value, 1);
    wake(&threads->begun);
}

static void *follow(void *argument)
{
    struct worker *worker = argument;
    struct prune_threads *threads = worker->threads;
    for (unsigned round = 1; ; round++) {
        wait_for(&threads->begun, round);
        if (!threads->begun.work) return NULL;
        unsigned others = (unsigned)threads->n - 1;
        threads->begun.work(threads->begun.context, worker->part, threads->n);
        if (atomic_fetch_add(&threads->done.value, 1) + 1 == round * others) wake(&threads->done);
    }
}

static int usable_cpus(void)
{
    cpu_set_t set;
    long n = sched_getaffinity(0, sizeof set, &set) ? sysconf(_SC_NPROCESSORS_ONLN) : CPU_COUNT(&set);    /* fails where there are more than the set holds */
    return n < 1 ? 1 : n > MOST_THREADS ? MOST_THREADS : (int)n;
}

struct prune_threads *prune_threads_new(int n)
{
    if (n < 1 || n > MOST_THREADS) return NULL;
    size_t bytes = sizeof(struct prune_threads) + (size_t)(n - 1) * sizeof(struct worker);
    bytes = (bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    struct prune_threads *threads = aligned_alloc(CACHE_LINE, bytes);
    if (!threads) return NULL;
    memset(threads, 0, bytes);
    threads->process = getpid();
    if (!open_gate(&threads->begun)) {
        free(threads);
        return NULL;
    }
    if (!open_gate(&threads->done)) {
        close_gate(&threads->begun);
        free(threads);
        return NULL;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);        /* signals are for the application's own threads */
    for (threads->n = 1; threads->n < n; threads->n++) {
        struct worker *worker = &threads->workers[threads->n - 1];
        worker->threads = threads;
        worker->part = threads->n;
        if (pthread_create(&worker->id, NULL, follow, worker)) break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (threads->n == n) return threads;
    prune_threads_free(threads);
    return NULL;
}

void prune_threads_free(struct prune_threads *threads)
{
    if (!threads) return;
    if (threads->process == getpid()) {
        begin_round(threads, NULL, NULL);
        for (int i = 0; i < threads->n - 1; i++) pthread_join(threads->workers[i].id, NULL);
        close_gate(&threads->begun);
        close_gate(&threads->done);
    }
    free(threads);
}

int prune_threads_count(const struct prune_threads *threads)
{
    return threads->n;
}

void prune_threads_run(struct prune_threads *threads, void (*work)(void *context, int part, int parts), void *context)
{
    if (threads->n == 1 || threads->process != getpid()) {
        for (int part = 0; part < threads->n; part++) work(context, part, threads->n);
        return;
    }
    begin_round(threads, work, context);
    unsigned all = atomic_load_explicit(&threads->begun.value, memory_order_relaxed) * ((unsigned)threads->n - 1);
    work(context, 0, threads->n);
    wait_for(&threads->done, all);
}

/* 0 when the variable is not set, is empty, or is no number of threads; `list`: a comma may follow. */
static int threads_from(const char *variable, int list)
{
    const char *text = getenv(variable);
    if (!text || !*text) return 0;
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (end != text && !errno && n >= 1 && n <= MOST_THREADS && (!*end || (list && *end == ','))) return (int)n;
    prune_note("%s=%.64s is not a number of threads from 1 to %d; it is passed over", variable, text, MOST_THREADS);
    return 0;
}

int prune_threads_default(void)
{
    int n = threads_from("DARKNET_THREADS", 0);
    if (!n) n = threads_from("OMP_NUM_THREADS", 1);
    return n ? n : usable_cpus();
}
