/* select.c - the k largest keys of several tensors, in three passes and 8 kB
 *
 * A sort would need a copy of the weights; pruning a network of 138 M weights must not need half a gigabyte more for that.
 */
#include "prune.h"

#include <string.h>

enum { DIGITS = 3, BINS = 1 << 11 };
static const int shift[DIGITS] = { 21, 10, 0 };
static const int bits[DIGITS] = { 11, 11, 10 };

/* The bits of a non-negative float order like the float. One more, so that a zero is a candidate too. */
uint32_t prune_key_active(const struct prune_tensor *tensor, size_t i, float bar)
{
    (void)bar;
    if (tensor->mask[i] != 1) return 0;
    uint32_t key;
    memcpy(&key, &tensor->weights[i], sizeof key);
    return (key & 0x7fffffffU) + 1;
}

void prune_select_cut(struct prune_tensor *const *tensors, int n_tensors, prune_key key, float bar, size_t k, struct prune_cut *cut)
{
    uint32_t prefix = 0, known = 0;     /* digits of the k-th largest key found so far, and which bits those are */
    *cut = (struct prune_cut){ 0 };
    for (int digit = 0; digit < DIGITS; digit++) {
        size_t count[BINS] = { 0 };
        for (int t = 0; t < n_tensors; t++) {
            for (size_t i = 0; i < tensors[t]->n; i++) {
                uint32_t x = key(tensors[t], i, bar);
                if (x && (x & known) == prefix) count[x >> shift[digit] & ((1U << bits[digit]) - 1)]++;
            }
        }
        if (digit == 0) {
            for (int bin = 0; bin < BINS; bin++) cut->candidates += count[bin];
            if (cut->candidates <= k) {
                cut->above = cut->candidates;
                return;
            }
        }
        uint32_t bin = (1U << bits[digit]) - 1;
        while (bin && cut->above + count[bin] < k) cut->above += count[bin--];
        prefix |= bin << shift[digit];
        known |= ((1U << bits[digit]) - 1) << shift[digit];
    }
    cut->key = prefix;
}
