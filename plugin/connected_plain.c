/* connected_plain.c - fully connected layers: the twins of the kernels of connected.h
 *
 * In: a matrix in one of its forms, input (inputs). Out: output (outputs), the rows of some strips. Slow; what they give is the definition.
 */
#include "connected.h"
#include "layers.h"

#include <math.h>

static void finish_row(const struct prune_finish *finish, float *output, size_t row, float sum)
{
    output[row] = prune_activate_plain(fmaf(sum, finish->scale ? finish->scale[row] : 1, finish->bias[row]), finish->activation);
}

static void plain_dense(const struct prune_connected *connected, const float *input, const struct prune_finish *finish, float *output, int first, int last)
{
    int end = last < connected->strips ? last * PRUNE_STRIP : connected->outputs, filled = (connected->inputs + 15) / 16 * 16;
    for (int row = first * PRUNE_STRIP; row < end; row++) {
        const float *weights = connected->weights + (size_t)row * (size_t)connected->inputs;
        float sums[16] = { 0 };
        for (int i = 0; i < filled; i++) {
            int there = i < connected->inputs;
            sums[i % 16] = fmaf(there ? weights[i] : 0, there ? input[i] : 0, sums[i % 16]);
        }
        for (int half = 8; half; half /= 2)
            for (int i = 0; i < half; i++) sums[i] += sums[i + half];
        finish_row(finish, output, (size_t)row, sums[0]);
    }
}

/* Forms weight and block4: lanes in ones or in fours share a column. */
static void plain_sparse(const struct prune_connected *connected, const float *input, const struct prune_finish *finish, float *output, int first, int last)
{
    for (int s = first; s < last; s++) {
        float sums[PRUNE_STRIP] = { 0 };
        for (size_t i = connected->starts[s] * PRUNE_STRIP; i < connected->starts[s + 1] * PRUNE_STRIP; i++) {
            const float *window = input + connected->windows[i / (PRUNE_STRIP * PRUNE_WINDOW_STEPS)];
            float x = window[connected->near ? connected->near[i] : connected->far[i / 4]];
            sums[i % PRUNE_STRIP] = fmaf(connected->values[i], x, sums[i % PRUNE_STRIP]);
        }
        for (int i = 0; i < PRUNE_STRIP; i++) {
            uint32_t row = connected->rows[s * PRUNE_STRIP + i];
            if (row < (uint32_t)connected->outputs) finish_row(finish, output, row, sums[i]);
        }
    }
}

const struct prune_connected_kernels prune_connected_plain = { plain_dense, plain_sparse, plain_sparse };
