/* units.h - where the weights are that share one fate: a single weight, a kernel, or four output channels' weights at one place
 *
 * In: a tensor and the number of one of its units. Out: a block of `rows` x `columns` weights. Units are numbered row of blocks by row of blocks, from left to right, so
 * that of two units the first is also the first in memory. Where units are gone through, their keys are made for PRUNE_UNITS_AT_ONCE at a time, which stay in the first cache.
 */
#ifndef PRUNE_UNITS_H
#define PRUNE_UNITS_H

#include "prune.h"

#include <math.h>

enum { PRUNE_UNITS_AT_ONCE = 1024 };

struct prune_unit {
    size_t first;               /* of its weights: row r has first + r * stride ... + columns - 1 */
    size_t rows, columns, stride;
    size_t right;               /* so many units follow in the same row of blocks */
};

static inline size_t prune_unit_columns(const struct prune_tensor *tensor)
{
    return tensor->unit > 1 ? (size_t)tensor->unit : 1;
}

/* Output channels that one group of a convolution makes. */
static inline size_t prune_unit_slice(const struct prune_tensor *tensor)
{
    return (size_t)(tensor->groups > 1 ? tensor->out / tensor->groups : tensor->out);
}

/* Blocks below one another in such a group; the last of them may have fewer rows. */
static inline size_t prune_unit_blocks(const struct prune_tensor *tensor)
{
    size_t rows = (size_t)tensor->unit_rows;
    return (prune_unit_slice(tensor) + rows - 1) / rows;
}

static inline size_t prune_units(const struct prune_tensor *tensor)
{
    size_t columns = prune_unit_columns(tensor);
    if (tensor->unit_rows <= 1) return tensor->n / columns;
    return (size_t)tensor->out / prune_unit_slice(tensor) * prune_unit_blocks(tensor) * (tensor->n / (size_t)tensor->out / columns);
}

static inline struct prune_unit prune_unit_at(const struct prune_tensor *tensor, size_t i)
{
    size_t columns = prune_unit_columns(tensor);
    if (tensor->unit_rows <= 1) return (struct prune_unit){ i * columns, 1, columns, 0, SIZE_MAX };     /* one row holds all */
    size_t most = (size_t)tensor->unit_rows, slice = prune_unit_slice(tensor), blocks = prune_unit_blocks(tensor);
    size_t stride = tensor->n / (size_t)tensor->out, across = stride / columns, block = i / across;
    size_t above = block % blocks * most, left = slice - above;     /* rows of the same group before it, and from it on */
    size_t column = i % across;
    return (struct prune_unit){ (block / blocks * slice + above) * stride + column * columns, left < most ? left : most, columns, stride, across - 1 - column };
}

/* From unit i to the one after it. */
static inline void prune_unit_next(const struct prune_tensor *tensor, size_t i, struct prune_unit *unit)
{
    if (unit->right == 0) {
        *unit = prune_unit_at(tensor, i + 1);
        return;
    }
    unit->first += unit->columns;
    unit->right--;
}

/* Each weight is a unit: the common case, for which loops are plain enough to become vector instructions. */
static inline int prune_unit_is_weight(const struct prune_tensor *tensor)
{
    return tensor->unit <= 1 && tensor->unit_rows <= 1;
}

/* How many units there are from `first` on, up to as many as are looked at together. */
static inline size_t prune_units_from(size_t first, size_t units)
{
    return units - first < PRUNE_UNITS_AT_ONCE ? units - first : PRUNE_UNITS_AT_ONCE;
}

/* What is read after this: a processor that sees reads in order fetches ahead within a page alone, and the next units are on the next one. It may be beyond the end of an array. */
static inline void prune_soon(const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i += 64) __builtin_prefetch((const char *)bytes + i);
}

/* Which of n keys are from `low` to `high`; their places in order. Without a branch: no processor guesses what is pruned. */
static inline size_t prune_keys_between(const uint32_t *keys, size_t n, uint32_t low, uint32_t high, uint16_t *places)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        places[found] = (uint16_t)i;
        found += keys[i] - low <= high - low;
    }
    return found;
}

/* Which of n keys are those of candidates: sooner done where all are, as before the first step. */
static inline size_t prune_keys_there(const uint32_t *keys, size_t n, uint16_t *places)
{
    uint32_t missing = 0;
    for (size_t i = 0; i < n; i++) missing += keys[i] == 0;
    if (missing) return prune_keys_between(keys, n, 1, UINT32_MAX, places);
    for (size_t i = 0; i < n; i++) places[i] = (uint16_t)i;
    return n;
}

static inline size_t prune_unit_weights(const struct prune_tensor *tensor, size_t i)
{
    if (tensor->unit_rows <= 1) return prune_unit_columns(tensor);
    struct prune_unit unit = prune_unit_at(tensor, i);
    return unit.rows * unit.columns;
}

/* What a unit's values in an array of the tensor's shape are worth. */
static inline float prune_unit_size(const struct prune_unit *unit, enum prune_criterion criterion, const float *values)
{
    if (unit->rows * unit->columns == 1) return fabsf(values[unit->first]);     /* without a call: there are many */
    return prune_tensor_size(criterion, &values[unit->first], unit->rows, unit->columns, unit->stride);
}

/* Whether a tensor has units of two sizes: the last rows of a group are fewer than the others. */
static inline int prune_units_differ(const struct prune_tensor *tensor)
{
    return tensor->unit_rows > 1 && prune_tensor_grain(tensor, 0) != prune_tensor_unit(tensor);
}

struct prune_threads;

/* Calls work(context, i, part) for each i below n, on all threads of the pool (NULL: on this one, which is part 0). The last goes first: the large layers of a network are
 * rather at its end, and a thread that takes one last would be waited for. */
void prune_tensors_each(struct prune_threads *threads, int n, void (*work)(void *context, int i, int part), void *context);

/* prune_scope_keep on a pool of threads, or with NULL on this one. */
int prune_scope_keep_on(struct prune_threads *threads, enum prune_scope scope, double target, struct prune_tensor *const *tensors, int n_tensors, size_t *keep);

#endif
