/* connected.h - fully connected layers in inference: y = f(scale W x + bias), W (outputs, inputs) dense or with its zeros left out
 *
 * Outputs go in strips of 16, one lane each; threads share a layer by its strips. One image at a time. The order of each sum is part of the form, so that all instruction sets give the
 * bits of the plain twins; multiply-adds are rounded once, the last one is fma(sum, scale, bias).
 *
 *   dense    The rows as they are. Sum i of 16 adds up columns i, i + 16, i + 32 ..., the row filled up with zeros to a multiple of 16; then sum i takes sum i + 8, then i + 4, i + 2, i + 1.
 *   weight   Steps of 16 non-zero weights, one of each row of the strip (SELL-C-sigma: Kreutzer et al., SIAM J. Sci. Comput. 36(5), 2014). A row's weights come in the order of
 *            columns, and its sum adds them up in that order. Two steps share a window of 128 inputs that begins where the row that lags most stands; a row whose next weight lies beyond
 *            it waits, with a 0 times the first input of the window. So an index takes one byte, and the inputs can be looked up in registers: gathers of the CPUs are no faster than
 *            loads one by one, and slower than memory.
 *   block4   The same with rows in fours 4i .. 4i + 3, which share the columns where any of the four is not 0: a step is a column of each of four fours, and the window is 65536 inputs.
 *
 * Rows of a strip must have about as many weights, as the fullest sets the steps: within each 256 rows, rows (or fours) are sorted by that number.
 */
#ifndef CONNECTED_H
#define CONNECTED_H

#include "conv.h"               /* enum prune_form, struct prune_finish */

enum { PRUNE_STRIP = 16, PRUNE_WINDOW_STEPS = 2, PRUNE_WINDOW_WEIGHT = 128, PRUNE_WINDOW_BLOCK4 = 65536, PRUNE_SORTED_ROWS = 256 };

struct prune_connected {
    enum prune_form form;
    int outputs, inputs;
    int strips;                 /* outputs / 16, rounded up */
    const float *weights;       /* dense: (outputs, inputs), the caller's; else NULL */
    /* the others: one piece of memory, that of values */
    float *values;              /* (steps, 16), aligned to 64 bytes */
    uint8_t *near;              /* weight: (steps, 16), columns from the window's first on */
    uint16_t *far;              /* block4: (steps, 4), the same */
    uint32_t *windows;          /* (steps / 2): first column */
    size_t *starts;             /* strips + 1: first step */
    uint32_t *rows;             /* (strips, 16): outputs of the lanes; `outputs` where a lane has none */
    size_t bytes;
};

/* Strips first <= k < last: input (inputs), output (outputs), of which those strips' rows are written. No array needs to be aligned, none is touched outside of its bounds. Finish:
 * scale may be NULL (1), the activation must be a fused one. */
typedef void prune_connected_kernel(const struct prune_connected *connected, const float *input, const struct prune_finish *finish, float *output, int first, int last);

struct prune_connected_kernels {
    prune_connected_kernel *dense, *weight, *block4;
};

/* The twins (connected_plain.c), which say what the kernels compute. */
extern const struct prune_connected_kernels prune_connected_plain;

/* Of weights (outputs, inputs), at least one of each. Form dense keeps the pointer; the others keep no part of it. The result goes with prune_connected_free. */
int prune_connected_make(struct prune_connected *connected, const float *weights, int outputs, int inputs, enum prune_form form);
void prune_connected_free(struct prune_connected *connected);

/* The weights it was made from; what was a zero comes as +0. With form dense they are copied, unless they are there. */
void prune_connected_restore(const struct prune_connected *connected, float *weights);

/* First strip of part 0 <= part < parts, when threads share the work evenly; the next part's first strip is its end, and that of part `parts` the number of strips. */
int prune_connected_part(const struct prune_connected *connected, int part, int parts);

/* The kernel of its form. */
prune_connected_kernel *prune_connected_choose(const struct prune_connected_kernels *kernels, enum prune_form form);

#endif
