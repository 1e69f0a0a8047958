/* check.h - what the kernel tests share; one unit each in check_*.c, run by check.c for every instruction set that the machine has */
#ifndef CHECK_H
#define CHECK_H

#include <stddef.h>
#include <stdint.h>

struct prune_kernels;

/* n floats, all NaN at first, with a page that cannot be touched directly behind the last (left = 0) or directly before the first (left = 1). n may be 0. The start is aligned to
 * a page with left = 1; with left = 0 to 4 bytes, and to 64 if n is a multiple of 16. Between the floats and the page on the other side lie NaN as well: check_release, which frees
 * all at once, reports where they were written. Ends the program when there is no memory. */
float *check_guarded(size_t n, int left);
void check_release(void);

/* Repeatable: each unit begins with the same seed for each instruction set. */
uint32_t check_random(void);
float check_random_float(void);     /* in [-1, 1); one in 64 is 0, -0, a denormal or the least normal; one in 16384 is +-1e30: more of them and all sums were NaN, which equal each other */

/* Whether all have equal bits, or are both NaN. */
int check_same(const float *a, const float *b, size_t n);

/* Prints `ok - <instruction set>: <text>` or `not ok - ...` and counts. */
void check_that(int good, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* With -bench: the units call check_bench too. It runs `run` for about 0.1 s and prints the median time of one call and how much work that is a second: `work` is
 * what one call does in units of `unit` ("flop", "byte"). */
extern int check_benching;
void check_bench(const char *name, double work, const char *unit, void (*run)(void *), void *context);

double check_seconds(void);             /* of a clock that only goes forward */
void check_sort(double *values, size_t n);      /* ascending */

void check_conv(const struct prune_kernels *kernels);
void check_connected(const struct prune_kernels *kernels);
void check_layers(const struct prune_kernels *kernels);
void check_train(const struct prune_kernels *kernels);
void check_sparse(const struct prune_kernels *kernels);

#endif
