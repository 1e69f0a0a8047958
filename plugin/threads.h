/* threads.h - a pool of threads that work on the parts of one thing after another
 *
 * One application thread at a time may use a pool; several pools may be in use at once. In a child made by fork() a pool goes on
 * without its threads: the caller works on all parts.
 */
#ifndef PRUNE_THREADS_H
#define PRUNE_THREADS_H

struct prune_threads;

/* n >= 1 threads, of which the caller of prune_threads_run is one. NULL when there is no memory, the system gives no threads, or n < 1. */
struct prune_threads *prune_threads_new(int n);
void prune_threads_free(struct prune_threads *threads);     /* ends its threads; NULL is nothing */

int prune_threads_count(const struct prune_threads *threads);

/* Calls work(context, part, parts) for each part from 0 to parts - 1, where parts is prune_threads_count: part 0 on the calling thread, each other one always on the same
 * thread, so that a core finds again what it wrote. Returns when all are done; what the parts wrote is then visible. Not to be called from within `work`. */
void prune_threads_run(struct prune_threads *threads, void (*work)(void *context, int part, int parts), void *context);

/* How many threads to use: DARKNET_THREADS, else OMP_NUM_THREADS (the first number, where it is a list), else the CPUs that this process may use. What is not a whole number from
 * 1 to 1024 is passed over with a note. */
int prune_threads_default(void);

#endif
