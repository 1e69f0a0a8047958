/* select.c - units of weights and what they are worth; the k largest keys of several tensors, in three passes and 16 kB
 *
 * A sort would need a copy of the weights; pruning a network of 138 M weights must not need half a gigabyte more for that.
 */
#include "units.h"

#include <math.h>
#include <string.h>

enum { DIGITS = 3, BINS = 1 << 11 };
static const int shift[DIGITS] = { 21, 10, 0 };
static const int bits[DIGITS] = { 11, 11, 10 };

/* ---------------------------------------------------------------------------------------------------------- units -- */

void prune_tensor_divide(struct prune_tensor *tensor, enum prune_granularity granularity)
{
    tensor->unit = granularity == PRUNE_KERNEL ? tensor->kh * tensor->kw : 1;
    tensor->unit_rows = granularity == PRUNE_BLOCK4 ? 4 : 1;
}

size_t prune_tensor_unit(const struct prune_tensor *tensor)
{
    return prune_unit_weights(tensor, 0);
}

static size_t common_divisor(size_t a, size_t b)
{
    while (b) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

size_t prune_tensor_grain(const struct prune_tensor *tensor, size_t other)
{
    size_t grain = common_divisor(prune_tensor_unit(tensor), other);
    if (tensor->unit_rows > 1) grain = common_divisor(prune_unit_slice(tensor) % (size_t)tensor->unit_rows * prune_unit_columns(tensor), grain);
    return grain;
}

/* Squares of floats are exact in double and neither overflow nor vanish there. All NaNs become the same one: which of several is left is up to the compiler. */
float prune_tensor_size(enum prune_criterion criterion, const float *values, size_t rows, size_t columns, size_t stride)
{
    if (rows * columns == 1) return fabsf(*values);
    double sum = 0;
    for (size_t r = 0; r < rows; r++) {
        const float *row = &values[r * stride];
        if (criterion == PRUNE_L1)
            for (size_t i = 0; i < columns; i++) sum += (double)fabsf(row[i]);
        else
            for (size_t i = 0; i < columns; i++) sum += (double)row[i] * (double)row[i];
    }
    if (criterion != PRUNE_L1) sum = sqrt(sum);
    return isnan(sum) ? NAN : (float)sum;
}

/* ------------------------------------------------------------------------------------------------------ selection -- */

/* The bits of a non-negative float order like the float. One more, so that a zero is a candidate too. */
uint32_t prune_key_active(const struct prune_tensor *tensor, size_t i, float bar)
{
    (void)bar;
    struct prune_unit unit = prune_unit_at(tensor, i);
    if (tensor->mask[unit.first] != 1) return 0;
    float size = prune_unit_size(&unit, tensor->criterion, tensor->weights);
    uint32_t key;
    memcpy(&key, &size, sizeof key);
    return (key & 0x7fffffffU) + 1;
}

void prune_select_cut(struct prune_tensor *const *tensors, int n_tensors, prune_key_function key, float bar, size_t k, struct prune_cut *cut)
{
    uint32_t prefix = 0, known = 0;     /* digits of the k-th largest key found so far, and which bits those are */
    *cut = (struct prune_cut){ 0 };
    for (int digit = 0; digit < DIGITS; digit++) {
        size_t count[BINS] = { 0 };
        const int down = shift[digit];
        const uint32_t largest = (1U << bits[digit]) - 1;
        for (int t = 0; t < n_tensors; t++) {
            size_t units = prune_units(tensors[t]);
            for (size_t i = 0; i < units; i++) {
                uint32_t x = key(tensors[t], i, bar);
                if (x && (x & known) == prefix) count[x >> down & largest] += prune_unit_weights(tensors[t], i);
            }
        }
        if (digit == 0) {
            for (int bin = 0; bin < BINS; bin++) cut->candidates += count[bin];
            if (cut->candidates <= k) {
                cut->above = cut->candidates;
                return;
            }
        }
        uint32_t bin = largest;
        while (bin && cut->above + count[bin] < k) cut->above += count[bin--];
        prefix |= bin << down;
        known |= largest << down;
    }
    cut->key = prefix;
}
