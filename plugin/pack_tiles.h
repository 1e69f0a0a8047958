/* pack_tiles.h - a matrix cut into tiles, as the writer of packed weights sees it */
#ifndef PRUNE_PACK_TILES_H
#define PRUNE_PACK_TILES_H

#include "packing.h"

struct tiles {
    const struct prune_part *part;
    const float *floats;        /* rows * columns */
    uint32_t h, w;              /* of a tile */
    uint32_t n_rows, n_columns; /* of tiles */
    uint64_t live, nonzero;     /* tiles, weights */
    uint8_t *live_rows, *live_columns;  /* 1 where there is a live tile */
    uint32_t dead_rows, dead_columns;
    int rows_flagged, columns_flagged;  /* there is a bitmap: only live rows or columns have places */
    uint32_t n_live_rows, n_live_columns;   /* with places */
    uint32_t *place_of;         /* tile column: how many with places are before it */
    uint8_t *mark;
    uint32_t *list;             /* what prune_tiles_row found */
};

/* Looks through the matrix. 1; 0 when it gave up since the live tiles hold more than twice the non-zero weights and `most`; negative: no memory (no line). */
int prune_tiles_survey(struct tiles *tiles, const struct prune_part *part, const float *floats, uint32_t h, uint32_t w, uint64_t most);
/* Which bitmaps there are to be; after a survey there are none. */
void prune_tiles_flag(struct tiles *tiles, int rows, int columns);
void prune_tiles_free(struct tiles *tiles);

/* The live tiles of a row of tiles, as tile columns in tiles->list; returns how many. */
uint32_t prune_tiles_row(struct tiles *tiles, uint32_t tile_row, uint32_t *n_nonzero);

#endif
