/* select.c - units of weights and what they are worth; the k largest keys of several tensors, in three passes and 16 kB
 *
 * A sort would need a copy of the weights; pruning a network of 138 M weights must not need half a gigabyte more for that.
 */
#include "prune.h"

#include <math.h>
#include <string.h>

enum { DIGITS = 3, BINS = 1 << 11 };
static const int shift[DIGITS] = { 21, 10, 0 };
static const int bits[DIGITS] = { 11, 11, 10 };

size_t prune_tensor_unit(const struct prune_tensor *tensor)
{
    return tensor->unit > 1 ? (size_t)tensor->unit : 1;
}

/* Squares of floats are exact in double and neither overflow nor vanish there. All NaNs become the same one: which of several is left is up to the compiler. */
float prune_tensor_size(enum prune_criterion criterion, const float *values, size_t unit)
{
    if (unit == 1) return fabsf(*values);
    double sum = 0;
    if (criterion == PRUNE_L1) {
        for (size_t i = 0; i < unit; i++) sum += (double)fabsf(values[i]);
    } else {
        for (size_t i = 0; i < unit; i++) sum += (double)values[i] * (double)values[i];
        sum = sqrt(sum);
    }
    return isnan(sum) ? NAN : (float)sum;
}

/* The bits of a non-negative float order like the float. One more, so that a zero is a candidate too. */
uint32_t prune_key_active(const struct prune_tensor *tensor, size_t i, float bar)
{
    (void)bar;
    uint32_t key;
    if (tensor->unit > 1) {
        size_t unit = (size_t)tensor->unit;
        if (tensor->mask[i * unit] != 1) return 0;
        float size = prune_tensor_size(tensor->criterion, &tensor->weights[i * unit], unit);
        memcpy(&key, &size, sizeof key);
    } else {
        if (tensor->mask[i] != 1) return 0;
        memcpy(&key, &tensor->weights[i], sizeof key);
    }
    return (key & 0x7fffffffU) + 1;
}

void prune_select_cut(struct prune_tensor *const *tensors, int n_tensors, prune_key key, float bar, size_t k, struct prune_cut *cut)
{
    uint32_t prefix = 0, known = 0;     /* digits of the k-th largest key found so far, and which bits those are */
    *cut = (struct prune_cut){ 0 };
    for (int digit = 0; digit < DIGITS; digit++) {
        size_t count[BINS] = { 0 };
        const int down = shift[digit];
        const uint32_t largest = (1U << bits[digit]) - 1;
        for (int t = 0; t < n_tensors; t++) {
            size_t unit = prune_tensor_unit(tensors[t]), units = tensors[t]->n / unit;
            for (size_t i = 0; i < units; i++) {
                uint32_t x = key(tensors[t], i, bar);
                if (x && (x & known) == prefix) count[x >> down & largest] += unit;
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
