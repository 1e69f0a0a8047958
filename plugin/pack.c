/* pack.c - weights to .pweights: arrays to tiles, tiles to chunks, chunks to sections
 *
 * In: a network's floats. Out: the file that docs/pweights.md specifies. Of each array the tilings that may pay are tried, and of each chunk the ways to say positions; what takes the
 * fewest bits is written. Nothing depends on threads, time or the machine.
 */
#include "pack_tiles.h"
#include "pack_values.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct packer {
    FILE *out;                  /* NULL: only sizes are wanted */
    const char *path;
    const struct prune_graph *graph;
    const struct prune_weights *weights;
    uint64_t bytes;             /* written so far */
    uint32_t n_layers, text_crc;
    struct bits_out layer, chunk, values;
    uint32_t *places;           /* of the chunk's live tiles, from its begin */
    uint32_t n_places;
    uint8_t *symbols;           /* of the chunk's values */
    size_t n_symbols;
    uint16_t *words;            /* into which they are coded */
    struct prune_packed_size *size;     /* of the layer under way */
};

/* ------------------------------------------------------------------------------------------------------- sections -- */

static int put_bytes(struct packer *packer, const void *bytes, size_t n)
{
    packer->bytes += n;
    if (!packer->out || fwrite(bytes, 1, n, packer->out) == n) return PRUNE_OK;
    return prune_fail(PRUNE_ERR_IO, "cannot write %s: %s", packer->path, strerror(errno));
}

static int put_section(struct packer *packer, struct bits_out *payload)
{
    uint8_t head[SECTION_BYTES];
    if (payload->failed) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    if (payload->n > SECTION_MOST) return prune_fail(PRUNE_ERR_UNSUPPORTED, "a section of %zu bytes is more than the format holds", payload->n);
    uint32_t length = htole32((uint32_t)payload->n);
    uint32_t crc = packer->out ? htole32(prune_crc32c(prune_crc32c(0, &length, 4), payload->bytes, payload->n)) : 0;
    memcpy(head, &length, 4);
    memcpy(head + 4, &crc, 4);
    if (packer->size) packer->size->packed += 8 * (SECTION_BYTES + payload->n);
    int code = put_bytes(packer, head, sizeof head);
    return code ? code : put_bytes(packer, payload->bytes, payload->n);
}

static void put_u64(struct bits_out *out, uint64_t value)
{
    bits_put(out, (uint32_t)value, 32);
    bits_put(out, (uint32_t)(value >> 32), 32);
}

/* --------------------------------------------------------------------------------------------------------- chunks -- */

static uint64_t rice_bits(const uint32_t *places, uint32_t n, int k)
{
    uint64_t bits = (uint64_t)n * (uint64_t)(k + 1);
    for (uint32_t i = 0, next = 0; i < n; next = places[i++] + 1) bits += (places[i] - next) >> k;
    return bits;
}

/* The best way to say them, among `all` places of the chunk. */
static uint64_t choose_positions(const uint32_t *places, uint32_t n, uint32_t all, int *way, int *k)
{
    *k = 0;
    *way = POSITIONS_ALL;
    if (n == all) return 0;
    *way = POSITIONS_BITMAP;
    uint64_t best = all;
    int around = 0;                 /* log2 of the mean gap */
    while (around < 20 && (uint64_t)n << around < all - n) around++;
    for (int try = around > 2 ? around - 2 : 0; try <= around + 1; try++) {
        uint64_t bits = rice_bits(places, n, try);
        if (bits >= best) continue;
        best = bits;
        *way = POSITIONS_GAPS;
        *k = try;
    }
    return best;
}

static void put_positions(struct bits_out *out, const uint32_t *places, uint32_t n, uint32_t all, int way, int k)
{
    uint32_t next = 0;
    for (uint32_t i = 0; i < n && way != POSITIONS_ALL; next = places[i++] + 1) {
        uint32_t gap = places[i] - next, zeros = way == POSITIONS_GAPS ? gap >> k : gap;
        for (; zeros >= 31; zeros -= 31) bits_put(out, 0, 31);
        bits_put(out, UINT32_C(1) << zeros, (int)zeros + 1);
        if (way == POSITIONS_GAPS) bits_put(out, gap & ((UINT32_C(1) << k) - 1), k);
    }
    for (; way == POSITIONS_BITMAP && next < all; next++) bits_put(out, 0, 1);
    bits_align(out);
}

static void put_words(struct packer *packer, struct bits_out *out, const struct value_form *form)
{
    size_t n;
    uint32_t code_state;
    prune_ans_encode(&form->code, packer->symbols, packer->n_symbols, packer->words, &n, &code_state);
    bits_put(out, code_state, 32);
    for (size_t i = 0; i < n; i++) bits_put(out, packer->words[i], 16);
    bits_align(out);
}

static int put_chunk(struct packer *packer, const struct value_form *form, uint32_t all)
{
    int way, k;
    uint64_t bits = choose_positions(packer->places, packer->n_places, all, &way, &k);
    struct bits_out *out = &packer->chunk;
    out->n = 0;
    bits_put(out, (uint32_t)way, 8);
    bits_put(out, (uint32_t)k, 8);
    bits_put(out, 0, 16);
    bits_put(out, packer->n_places, 32);
    put_positions(out, packer->places, packer->n_places, all, way, k);
    size_t before = out->n;
    bits_align(&packer->values);
    out->failed |= packer->values.failed;
    bits_append(out, packer->values.bytes, packer->values.n);
    if (form->coded && form->code.first < form->code.last && packer->n_symbols) put_words(packer, out, form);
    packer->size->positions += bits;
    packer->size->values += 8 * (out->n - before);
    packer->values.n = 0;
    packer->n_symbols = 0;
    packer->n_places = 0;
    return put_section(packer, out);
}

/* Calls for every live tile, chunk by chunk: what a chunk is made of, or only what its positions take. */
struct walk {
    struct packer *packer;
    struct tiles *tiles;
    const struct value_form *form;      /* NULL: nothing is written, bits of positions are added up */
    uint64_t positions;
    uint64_t chunk_places, places, begin;   /* places in a whole chunk, in the matrix, before this chunk */
};

static int end_chunk(struct walk *walk)
{
    uint64_t left = walk->places - walk->begin;
    uint32_t all = (uint32_t)(left < walk->chunk_places ? left : walk->chunk_places);
    walk->begin += all;
    if (walk->form) return put_chunk(walk->packer, walk->form, all);
    int way, k;
    walk->positions += choose_positions(walk->packer->places, walk->packer->n_places, all, &way, &k);
    walk->packer->n_places = 0;
    return PRUNE_OK;
}

static void put_tile(struct walk *walk, uint32_t tile_row, uint32_t tile_column)
{
    const struct tiles *tiles = walk->tiles;
    for (uint32_t i = 0; i < tiles->h; i++) {
        size_t at = ((size_t)tile_row * tiles->h + i) * tiles->part->columns + (size_t)tile_column * tiles->w;
        for (uint32_t j = 0; j < tiles->w; j++) {
            uint32_t bits;
            memcpy(&bits, &tiles->floats[at + j], sizeof bits);
            prune_values_put(walk->form, &walk->packer->values, &walk->packer->symbols[walk->packer->n_symbols++], bits);
        }
    }
}

static int walk_tiles(struct walk *walk)
{
    struct tiles *tiles = walk->tiles;
    uint32_t area = tiles->h * tiles->w, live_row = 0;
    walk->chunk_places = CHUNK_WEIGHTS / area;
    walk->places = (uint64_t)tiles->n_live_rows * tiles->n_live_columns;
    walk->begin = 0;
    walk->packer->n_places = 0;
    int code = PRUNE_OK;
    for (uint32_t r = 0; r < tiles->n_rows && walk->places; r++) {
        if (tiles->rows_flagged && !tiles->live_rows[r]) continue;
        uint32_t nonzero, n = prune_tiles_row(tiles, r, &nonzero);
        uint64_t first = (uint64_t)live_row++ * tiles->n_live_columns;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t place = first + tiles->place_of[tiles->list[i]];
            while (place >= walk->begin + walk->chunk_places)
                if ((code = end_chunk(walk))) return code;
            walk->packer->places[walk->packer->n_places++] = (uint32_t)(place - walk->begin);
            if (walk->form) put_tile(walk, r, tiles->list[i]);
        }
    }
    while (walk->begin < walk->places)
        if ((code = end_chunk(walk))) return code;
    return PRUNE_OK;
}

/* --------------------------------------------------------------------------------------------------------- arrays -- */

static void count_values(struct tiles *tiles, struct value_counts *counts)
{
    memset(counts, 0, sizeof *counts);
    for (uint32_t r = 0; r < tiles->n_rows && tiles->live; r++) {
        uint32_t nonzero, n = prune_tiles_row(tiles, r, &nonzero);
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t y = 0; y < tiles->h; y++) {
                size_t at = ((size_t)r * tiles->h + y) * tiles->part->columns + (size_t)tiles->list[i] * tiles->w;
                for (uint32_t x = 0; x < tiles->w; x++) {
                    uint32_t bits;
                    memcpy(&bits, &tiles->floats[at + x], sizeof bits);
                    prune_values_count(counts, bits);
                }
            }
        }
    }
}

static uint64_t bitmap_bits(const struct tiles *tiles)
{
    return (tiles->rows_flagged ? ((uint64_t)tiles->n_rows + 7) / 8 * 8 : 0) + (tiles->columns_flagged ? ((uint64_t)tiles->n_columns + 7) / 8 * 8 : 0);
}

static uint64_t positions_bits(struct packer *packer, struct tiles *tiles)
{
    struct walk walk = { .packer = packer, .tiles = tiles };
    walk_tiles(&walk);
    return walk.positions + bitmap_bits(tiles);
}

/* With the bitmaps that pay; returns what positions and bitmaps take. Without a live tile the shorter bitmap says so. */
static uint64_t choose_bitmaps(struct packer *packer, struct tiles *tiles)
{
    int best = 0;
    uint64_t least = UINT64_MAX;
    for (int which = 0; which < 4; which++) {
        int rows = which & 1, columns = which >> 1;
        if ((rows && !tiles->dead_rows) || (columns && !tiles->dead_columns)) continue;
        if (!tiles->live && (rows == columns || rows != (tiles->n_rows <= tiles->n_columns))) continue;
        prune_tiles_flag(tiles, rows, columns);
        uint64_t bits = positions_bits(packer, tiles);
        if (bits >= least) continue;
        least = bits;
        best = which;
    }
    prune_tiles_flag(tiles, best & 1, best >> 1);
    return least;
}

/* The tiling in which positions and values together are smallest, if each value took as much as it does on the average of single weights. */
static int choose_tiles(struct packer *packer, const struct prune_part *part, const float *floats, struct tiles *best, const struct value_form *single)
{
    uint32_t shapes[3][2] = { { 1, part->kernel }, { 4, 1 }, { 4, part->kernel } };
    uint64_t nonzero = best->nonzero, bits = choose_bitmaps(packer, best);
    if (part->role != PRUNE_PART_WEIGHTS || !nonzero || nonzero == (uint64_t)part->rows * part->columns) return PRUNE_OK;
    double each = (double)single->bits / (double)nonzero;
    double least = (double)bits + (double)single->bits;
    for (int i = 0; i < 3; i++) {
        struct tiles tiles;
        uint32_t h = shapes[i][0], w = shapes[i][1];
        if (h * w == 1 || h * w > TILE_MOST || part->rows % h || part->columns % w || (i == 2 && w == 1)) continue;
        int whole = prune_tiles_survey(&tiles, part, floats, h, w, 4096);
        double all = whole == 1 ? (double)choose_bitmaps(packer, &tiles) + each * (double)(tiles.live * h * w) : least;
        if (all < least) {
            least = all;
            prune_tiles_free(best);
            *best = tiles;
        } else {
            prune_tiles_free(&tiles);
        }
        if (whole < 0) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    }
    return PRUNE_OK;
}

static void put_bitmap(struct bits_out *out, const uint8_t *flags, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) bits_put(out, flags[i], 1);
    bits_align(out);
}

static void put_array(struct packer *packer, const struct tiles *tiles, const struct value_form *form)
{
    const struct prune_part *part = tiles->part;
    struct bits_out *out = &packer->layer;
    int flags = (tiles->rows_flagged ? FLAG_LIVE_ROWS : 0) | (tiles->columns_flagged ? FLAG_LIVE_COLUMNS : 0) | (part->transposed ? FLAG_TRANSPOSED : 0);
    bits_put(out, (uint32_t)part->role, 8);
    bits_put(out, (uint32_t)form->values, 8);
    bits_put(out, (uint32_t)form->coded, 8);
    bits_put(out, (uint32_t)flags, 8);
    bits_put(out, part->rows, 32);
    bits_put(out, part->columns, 32);
    bits_put(out, tiles->h, 16);
    bits_put(out, tiles->w, 16);
    put_u64(out, tiles->live);
    prune_values_put_tables(form, out);
    if (tiles->rows_flagged) put_bitmap(out, tiles->live_rows, tiles->n_rows);
    if (tiles->columns_flagged) put_bitmap(out, tiles->live_columns, tiles->n_columns);
}

static double mask_entropy_bits(double n, double nonzero)
{
    double p = nonzero / n;
    return nonzero > 0 && nonzero < n ? -n * (p * log2(p) + (1 - p) * log2(1 - p)) : 0;
}

struct array {                  /* an array with all that is decided about it */
    struct tiles tiles;
    struct value_form form;
};

static int decide(struct packer *packer, const struct prune_part *part, const float *floats, struct array *array)
{
    struct value_counts *counts = malloc(sizeof *counts);
    int code = counts && prune_tiles_survey(&array->tiles, part, floats, 1, 1, UINT64_MAX / 2) == 1 ? PRUNE_OK : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    if (code) goto done;
    count_values(&array->tiles, counts);
    prune_values_choose(&array->form, counts);
    packer->size->positions_limit += mask_entropy_bits((double)part->rows * (double)part->columns, (double)array->tiles.nonzero);
    packer->size->values_limit += array->form.limit_bits;
    if ((code = choose_tiles(packer, part, floats, &array->tiles, &array->form))) goto done;
    if (array->tiles.h * array->tiles.w > 1) {
        count_values(&array->tiles, counts);
        prune_values_choose(&array->form, counts);
    }
    packer->size->positions += bitmap_bits(&array->tiles);
    packer->size->values += array->form.table_bits;
done:
    free(counts);
    return code;
}

/* --------------------------------------------------------------------------------------------------------- layers -- */

static int pack_layer(struct packer *packer, int layer, const float *floats)
{
    struct prune_part parts[PRUNE_PARTS_MOST];
    const char *kind = prune_kind_name(packer->graph->nodes[layer].kind);
    int n = prune_weights_parts(packer->graph, packer->weights, layer, parts), code = PRUNE_OK;
    struct array *arrays = calloc((size_t)n, sizeof *arrays);
    if (!arrays) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    packer->text_crc = prune_packed_line(packer->text_crc, layer, kind, parts, n);
    packer->n_layers++;
    packer->layer.n = 0;
    bits_put(&packer->layer, (uint32_t)layer, 32);
    bits_put(&packer->layer, (uint32_t)n, 8);
    bits_put(&packer->layer, (uint32_t)strlen(kind), 8);
    bits_put(&packer->layer, 0, 16);
    bits_align(&packer->layer);
    bits_append(&packer->layer, kind, strlen(kind));
    const float *at = floats;
    for (int i = 0; !code && i < n; i++) {
        code = decide(packer, &parts[i], at, &arrays[i]);
        if (!code) put_array(packer, &arrays[i].tiles, &arrays[i].form);
        packer->size->dense += 32 * (uint64_t)parts[i].rows * parts[i].columns;
        at += (size_t)parts[i].rows * parts[i].columns;
    }
    if (!code) code = put_section(packer, &packer->layer);
    for (int i = 0; !code && i < n; i++) {
        struct walk walk = { .packer = packer, .tiles = &arrays[i].tiles, .form = &arrays[i].form };
        code = walk_tiles(&walk);
    }
    for (int i = 0; i < n; i++) prune_tiles_free(&arrays[i].tiles);
    free(arrays);
    return code;
}

static int put_header(struct packer *packer, uint64_t file_bytes)
{
    const struct prune_weights *weights = packer->weights;
    struct bits_out *out = &packer->layer;
    out->n = 0;
    bits_put(out, PACKED_VERSION, 16);
    bits_put(out, 0, 16);
    bits_put(out, (uint32_t)weights->major, 32);
    bits_put(out, (uint32_t)weights->minor, 32);
    bits_put(out, (uint32_t)weights->revision, 32);
    put_u64(out, weights->seen);
    put_u64(out, weights->n_floats);
    put_u64(out, file_bytes);
    bits_put(out, packer->n_layers, 32);
    bits_put(out, packer->text_crc, 32);
    bits_align(out);
    return put_section(packer, out);
}

int prune_pack_write(FILE *out, const char *path, const struct prune_graph *graph, const struct prune_weights *weights, struct prune_packed_size *sizes)
{
    struct packer packer = { .out = out, .path = path, .graph = graph, .weights = weights };
    struct prune_packed_size unasked;
    const float *at = weights->floats;
    packer.places = malloc(CHUNK_WEIGHTS * sizeof *packer.places);
    packer.symbols = malloc(CHUNK_WEIGHTS);
    packer.words = malloc(CHUNK_WEIGHTS * sizeof *packer.words);
    int code = packer.places && packer.symbols && packer.words ? put_bytes(&packer, PACKED_MAGIC, MAGIC_BYTES) : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    if (!code) code = put_header(&packer, 0);               /* its place; what it says is known at the end */
    for (int i = 0; !code && i < graph->n_nodes; i++) {
        packer.size = sizes ? &sizes[i] : &unasked;
        *packer.size = (struct prune_packed_size){ 0 };
        if (!graph->nodes[i].n_floats) continue;
        code = pack_layer(&packer, i, at);
        at += graph->nodes[i].n_floats;
    }
    packer.size = NULL;
    if (!code && out && fseeko(out, MAGIC_BYTES, SEEK_SET)) code = prune_fail(PRUNE_ERR_IO, "cannot write %s: %s", path, strerror(errno));
    if (!code) code = put_header(&packer, packer.bytes);
    free(packer.places);
    free(packer.symbols);
    free(packer.words);
    free(packer.layer.bytes);
    free(packer.chunk.bytes);
    free(packer.values.bytes);
    return code;
}
