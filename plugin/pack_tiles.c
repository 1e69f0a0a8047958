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

/* Whether a bitmap of the lines is worth its bits: without it, a dead line costs some 1/0.7 bits for each live tile that an average line has. */
static int is_worth(uint64_t dead, uint64_t lines, uint64_t live_tiles)
{
    return dead > 0 && (double)dead * (double)live_tiles >= 0.7 * (double)lines * (double)lines;
}

static uint32_t count(const uint8_t *flags, uint32_t n)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++) sum += flags[i];
    return sum;
}

/* All flags 1 where a bitmap is not worth it, so that places are counted over all lines. */
static uint32_t settle(uint8_t *flags, uint32_t n, uint64_t live_tiles, int *flagged)
{
    uint32_t live = count(flags, n);
    *flagged = is_worth(n - live, n, live_tiles);
    if (*flagged) return live;
    memset(flags, 1, n);
    return n;
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
    if (tiles->live == 0) {         /* the shorter bitmap says it */
        tiles->rows_flagged = tiles->n_rows <= tiles->n_columns;
        tiles->columns_flagged = !tiles->rows_flagged;
    } else {
        tiles->n_live_rows = settle(tiles->live_rows, tiles->n_rows, tiles->live, &tiles->rows_flagged);
        tiles->n_live_columns = settle(tiles->live_columns, tiles->n_columns, tiles->live, &tiles->columns_flagged);
    }
    uint32_t place = 0;
    for (uint32_t c = 0; c < tiles->n_columns; c++) {
        tiles->place_of[c] = place;
        place += tiles->live_columns[c];
    }
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
