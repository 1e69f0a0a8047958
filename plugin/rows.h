/* rows.h - the weights of a layer as rows that read columns, whatever their order in memory
 *
 * In: a layer of a graph. Out: where the weights are with which output channel `row` reads input channel `column`: a block of `block` floats at each of `places` places.
 */
#ifndef PRUNE_ROWS_H
#define PRUNE_ROWS_H

#include "prune.h"

struct prune_rows {
    int n;                      /* output channels */
    int columns;                /* input channels that each of them reads */
    int slice;                  /* so many rows in turn read the same columns; the next ones the columns that follow (groups=) */
    int places;                 /* local: filters of their own at each place; else 1 */
    size_t block;               /* size * size; connected: the inputs that one channel has */
    size_t place_step, row_step, column_step; /* floats from one to the next */
};

/* Returns 0 and all zeros if the layer's weights are no such matrix (or it has none). */
int prune_rows_of(struct prune_rows *rows, const struct prune_channels *channels, int layer);

/* The input channel that is column 0 of a row. */
static inline int prune_rows_first(const struct prune_rows *rows, int row)
{
    return row / rows->slice * rows->columns;
}

static inline size_t prune_rows_at(const struct prune_rows *rows, int place, int row, int column)
{
    return (size_t)place * rows->place_step + (size_t)row * rows->row_step + (size_t)column * rows->column_step;
}

/* Whether any of these weights is not 0. */
static inline int prune_rows_read(const struct prune_rows *rows, const float *weights, int row, int column)
{
    for (int place = 0; place < rows->places; place++) {
        const float *block = weights + prune_rows_at(rows, place, row, column);
        for (size_t i = 0; i < rows->block; i++)
            if (block[i] != 0) return 1;
    }
    return 0;
}

static inline void prune_rows_clear(const struct prune_rows *rows, float *weights, int row, int column)
{
    for (int place = 0; place < rows->places; place++) {
        float *block = weights + prune_rows_at(rows, place, row, column);
        for (size_t i = 0; i < rows->block; i++) block[i] = 0;
    }
}

#endif
