/* select.c - units of weights and what they are worth; the k largest keys of several tensors, in two passes and half a megabyte
 *
 * A sort would need a copy of the weights; pruning a network of 138 M weights must not need half a gigabyte more for that.
 */
#include "units.h"

#include <math.h>
#include <string.h>

enum { BITS = 16, BINS = 1 << BITS, FEW_BITS = 11 };    /* of a digit; clearing the wide one's bins costs more than a third pass over few units */

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
static inline uint32_t key_of(uint8_t mask, float size)
{
    uint32_t key;
    memcpy(&key, &size, sizeof key);
    return mask == 1 ? (key & 0x7fffffffU) + 1 : 0;
}

void prune_key_active(const struct prune_tensor *tensor, size_t first, size_t n, float bar, uint32_t *keys)
{
    (void)bar;
    if (prune_unit_is_weight(tensor)) {
        const float *weights = &tensor->weights[first];
        const uint8_t *mask = &tensor->mask[first];
        prune_soon(&weights[n], n * sizeof *weights);
        prune_soon(&mask[n], n);
        for (size_t i = 0; i < n; i++) keys[i] = key_of(mask[i], weights[i]);
        return;
    }
    struct prune_unit unit = prune_unit_at(tensor, first);
    for (size_t i = 0; i < n; i++) {
        keys[i] = tensor->mask[unit.first] == 1 ? key_of(1, prune_unit_size(&unit, tensor->criterion, tensor->weights)) : 0;
        prune_unit_next(tensor, first + i, &unit);
    }
}

/* The digits of the k-th largest key found so far, and which bits those are; the digit that is counted now. */
struct digits {
    uint32_t prefix, known;
    int down, bits;
};

/* Adds up the weights of the units whose keys begin with the prefix, by their next digit. */
static void count_digits(const struct prune_tensor *tensor, prune_key_function key, float bar, const struct digits *digits, size_t *count)
{
    size_t units = prune_units(tensor), unit = prune_tensor_unit(tensor);
    const uint32_t largest = (1U << digits->bits) - 1, low = digits->prefix ? digits->prefix : 1, high = digits->prefix | ~digits->known;
    const int down = digits->down, differ = prune_units_differ(tensor);
    uint32_t keys[PRUNE_UNITS_AT_ONCE];
    uint16_t places[PRUNE_UNITS_AT_ONCE];
    for (size_t first = 0; first < units; first += PRUNE_UNITS_AT_ONCE) {
        size_t n = prune_units_from(first, units);
        key(tensor, first, n, bar, keys);
        size_t found = digits->known ? prune_keys_between(keys, n, low, high, places) : prune_keys_there(keys, n, places);
        for (size_t i = 0; i < found; i++) count[keys[places[i]] >> down & largest] += differ ? prune_unit_weights(tensor, first + places[i]) : unit;
    }
}

void prune_select_cut(struct prune_tensor *const *tensors, int n_tensors, prune_key_function key, float bar, size_t k, struct prune_cut *cut)
{
    size_t count[BINS], units = 0;
    for (int t = 0; t < n_tensors; t++) units += prune_units(tensors[t]);
    const int wide = units < BINS ? FEW_BITS : BITS;
    struct digits digits = { .down = 32 };
    *cut = (struct prune_cut){ 0 };
    while (digits.down > 0) {
        digits.bits = digits.down < wide ? digits.down : wide;
        digits.down -= digits.bits;
        const uint32_t largest = (1U << digits.bits) - 1;
        memset(count, 0, (largest + (size_t)1) * sizeof *count);
        for (int t = 0; t < n_tensors; t++) count_digits(tensors[t], key, bar, &digits, count);
        if (digits.known == 0) {
            for (uint32_t bin = 0; bin <= largest; bin++) cut->candidates += count[bin];
            if (cut->candidates <= k) {
                cut->above = cut->candidates;
                return;
            }
        }
        uint32_t bin = largest;
        while (bin && cut->above + count[bin] < k) cut->above += count[bin--];
        digits.prefix |= bin << digits.down;
        digits.known |= largest << digits.down;
    }
    cut->key = digits.prefix;
}
