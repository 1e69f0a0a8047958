/* units.h - where the weights are that share one fate: a single weight, a kernel, or four output channels' weights at one place
 *
 * In: a tensor and the number of one of its units. Out: a block of `rows` x `columns` weights. Units are numbered row of blocks by row of blocks, from left to right, so
 * that of two units the first is also the first in memory.
 */
#ifndef PRUNE_UNITS_H
#define PRUNE_UNITS_H

#include "prune.h"

#include <math.h>

struct prune_unit {
    size_t first;               /* of its weights: row r has first + r * stride ... + columns - 1 */
    size_t rows, columns, stride;
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
    if (tensor->unit_rows <= 1) return (struct prune_unit){ i * columns, 1, columns, 0 };
    size_t most = (size_t)tensor->unit_rows, slice = prune_unit_slice(tensor), blocks = prune_unit_blocks(tensor);
    size_t stride = tensor->n / (size_t)tensor->out, across = stride / columns, block = i / across;
    size_t above = block % blocks * most, left = slice - above;     /* rows of the same group before it, and from it on */
    return (struct prune_unit){ (block / blocks * slice + above) * stride + i % across * columns, left < most ? left : most, columns, stride };
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

#endif
