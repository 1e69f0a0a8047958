/* unit_lists.h - for the tests' twins: the units of a tensor as plain lists of weights */
#ifndef TEST_UNIT_LISTS_H
#define TEST_UNIT_LISTS_H

#include "prune.h"

struct group {
    size_t n, at[16];           /* its weights */
};

/* Output channels of one group of a convolution. */
static inline size_t slice_of(const struct prune_tensor *tensor)
{
    return (size_t)(tensor->out / (tensor->groups ? tensor->groups : 1));
}

/* How many; in the order of their first weights. `groups` has room for tensor->n. */
static inline size_t list_groups(const struct prune_tensor *tensor, struct group *groups)
{
    size_t n = 0, columns = tensor->unit ? (size_t)tensor->unit : 1, rows = tensor->unit_rows ? (size_t)tensor->unit_rows : 1;
    size_t across = tensor->n / (size_t)tensor->out;
    for (size_t row = 0; row < (size_t)tensor->out; row++) {
        size_t place = row % slice_of(tensor);
        if (place % rows) continue;             /* belongs to one above */
        for (size_t column = 0; column < across; column += columns) {
            struct group *group = &groups[n++];
            group->n = 0;
            for (size_t r = 0; r < rows && place + r < slice_of(tensor); r++)
                for (size_t c = 0; c < columns; c++) group->at[group->n++] = (row + r) * across + column + c;
        }
    }
    return n;
}

static inline size_t unit_of(const struct prune_tensor *tensor)        /* weights of the largest */
{
    size_t columns = tensor->unit ? (size_t)tensor->unit : 1, rows = tensor->unit_rows ? (size_t)tensor->unit_rows : 1;
    return columns * (rows < slice_of(tensor) ? rows : slice_of(tensor));
}

/* The greatest number that divides the sizes of all units. */
static inline size_t grain_of(const struct prune_tensor *tensor)
{
    size_t rows = tensor->unit_rows ? (size_t)tensor->unit_rows : 1, grain = unit_of(tensor), last = slice_of(tensor) % rows * (size_t)(tensor->unit ? tensor->unit : 1);
    while (grain > 1 && (unit_of(tensor) % grain || last % grain)) grain--;
    return grain;
}

#endif
