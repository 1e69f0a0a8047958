/* pack_tiles.c - which tiles of a matrix are live: a row of tiles at a time, and over the whole matrix
 *
 * A weight is zero if all its bits are: -0 is stored.
 */
#include "pack_tiles.h"

#include <stdlib.h>
#include <string.h>

/* Without a branch: where zeros are is what no processor can foresee. */
static uint32_t nonzero_in(const float *row, uint32_t columns, uint32_t *list)
{
    uint32_t n = 0;
    for (uint32_t c = 0; c < columns; c++) {
        uint32_t bits;
        memcpy(&bits, &row[c], sizeof bits);
        list[n] = c;
        n += bits != 0;
    }
    return n;
}

uint32_t prune_tiles_row(struct tiles *tiles, uint32_t tile_row, uint32_t *n_nonzero)
{
    size_t columns = tiles->part->columns;
    const float *row = tiles->floats + (size_t)tile_row * tiles->h * columns;
    if (tiles->h == 1 && tiles->w == 1) return *n_nonzero = nonzero_in(row, tiles->part->columns, tiles->list);
    *n_nonzero = 0;
    for (uint32_t i = 0; i < tiles->h; i++, row += columns) {
        uint32_t n = nonzero_in(row, tiles->part->columns, tiles->list);
        for (uint32_t j = 0; j < n; j++) tiles->mark[tiles->list[j] / tiles->w] = 1;
        *n_nonzero += n;
    }
    uint32_t n = 0;
    for (uint32_t c = 0; c < tiles->n_columns; c++) {
        tiles->list[n] = c;
        n += tiles->mark[c];
        tiles->mark[c] = 0;
    }
    return n;
}

static uint32_t count(const uint8_t *flags, uint32_t n)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++) sum += flags[i];
    return sum;
}

void prune_tiles_flag(struct tiles *tiles, int rows, int columns)
{
    uint32_t place = 0;
    tiles->rows_flagged = rows;
    tiles->columns_flagged = columns;
    tiles->n_live_rows = rows ? count(tiles->live_rows, tiles->n_rows) : tiles->n_rows;
    tiles->n_live_columns = columns ? count(tiles->live_columns, tiles->n_columns) : tiles->n_columns;
    for (uint32_t c = 0; c < tiles->n_columns; c++) {
        tiles->place_of[c] = place;
        place += columns ? tiles->live_columns[c] : 1;
    }
}

int prune_tiles_survey(struct tiles *tiles, const struct prune_part *part, const float *floats, uint32_t h, uint32_t w, uint64_t most)
{
    *tiles = (struct tiles){ .part = part, .floats = floats, .h = h, .w = w, .n_rows = part->rows / h, .n_columns = part->columns / w };
    tiles->live_rows = calloc(tiles->n_rows, 1);
    tiles->live_columns = calloc(tiles->n_columns, 1);
    tiles->mark = calloc(tiles->n_columns, 1);
    tiles->list = malloc(((size_t)part->columns + 1) * sizeof *tiles->list);
    tiles->place_of = malloc((size_t)tiles->n_columns * sizeof *tiles->place_of);
    if (!tiles->live_rows || !tiles->live_columns || !tiles->mark || !tiles->list || !tiles->place_of) return PRUNE_ERR_NOMEM;
    uint64_t seen = 0;
    for (uint32_t r = 0; r < tiles->n_rows; r++) {
        uint32_t nonzero, n = prune_tiles_row(tiles, r, &nonzero);
        tiles->live += n;
        tiles->live_rows[r] = n > 0;
        for (uint32_t i = 0; i < n; i++) tiles->live_columns[tiles->list[i]] = 1;
        seen += nonzero;
        if (tiles->live * h * w > 2 * seen + most) return 0;
    }
    tiles->nonzero = seen;
    tiles->dead_rows = tiles->n_rows - count(tiles->live_rows, tiles->n_rows);
    tiles->dead_columns = tiles->n_columns - count(tiles->live_columns, tiles->n_columns);
    prune_tiles_flag(tiles, 0, 0);
    return 1;
}

void prune_tiles_free(struct tiles *tiles)
{
    free(tiles->live_rows);
    free(tiles->live_columns);
    free(tiles->mark);
    free(tiles->list);
    free(tiles->place_of);
    *tiles = (struct tiles){ 0 };
}
