/* packed_chunks.c - the arrays of .pweights: chunks to live tiles, and these to dense or sparse matrices
 *
 * The layer's shapes have been compared with the cfg before. A chunk at a time is in memory, with its places and values.
 */
#include "bits.h"
#include "packed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* --------------------------------------------------------------------------------------------------------- chunks -- */

/* The array under way, chunk by chunk. */
struct decoder {
    struct prune_packed *packed;
    const struct prune_packed_array *array;
    uint32_t *rows, *columns;       /* numbers of the live tile rows and columns, or NULL: all are */
    uint32_t *places;               /* of the live tiles of the chunk, from its begin */
    float *values;                  /* theirs, if they are not decoded elsewhere */
    uint32_t n, allocated;          /* live tiles in the chunk */
    uint64_t begin, live;           /* places and live tiles before this chunk */
    uint32_t row, column;           /* of place `begin`, among the live ones */
    struct bits_in in;
};

/* The numbers of the bits that are set; NULL for no bitmap. */
static int list_bits(const uint8_t *bitmap, uint32_t n, uint32_t set, uint32_t **list)
{
    uint32_t found = 0;
    if (!bitmap) return PRUNE_OK;
    *list = malloc(((size_t)set + 1) * sizeof **list);
    if (!*list) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < n; i++)
        if (bitmap[i / 8] >> i % 8 & 1) (*list)[found++] = i;
    return PRUNE_OK;
}

static int start_array(struct prune_packed *packed, struct decoder *decoder)
{
    *decoder = (struct decoder){ .packed = packed };
    if (packed->next_array >= packed->n_arrays) return prune_fail(PRUNE_ERR_RANGE, "%s: layer %d has no array %d", packed->path, packed->layer, packed->next_array);
    const struct prune_packed_array *array = decoder->array = &packed->arrays[packed->next_array];
    int code = list_bits(array->row_bitmap, array->part.rows / array->tile_rows, array->n_rows, &decoder->rows);
    return code ? code : list_bits(array->column_bitmap, array->part.columns / array->tile_columns, array->n_columns, &decoder->columns);
}

static void free_decoder(struct decoder *decoder)
{
    free(decoder->rows);
    free(decoder->columns);
    free(decoder->places);
    free(decoder->values);
}

static int get_gaps(struct decoder *decoder, uint32_t all, int k)
{
    struct bits_in *in = &decoder->in;
    uint32_t next = 0;
    for (uint32_t i = 0; i < decoder->n; i++) {
        uint64_t gap = 0;
        bits_refill(in);
        while (!(in->window & UINT32_MAX)) {        /* 32 zeros and more */
            bits_take(in, 32);
            gap += 32;
            if (gap > all || bits_overrun(in)) return 0;
            bits_refill(in);
        }
        int zeros = __builtin_ctzll(in->window);
        bits_take(in, zeros);
        bits_take(in, 1);
        bits_refill(in);
        gap = (gap + (uint64_t)zeros) << k | bits_take(in, k);
        if (gap >= all - next) return 0;
        decoder->places[i] = next + (uint32_t)gap;
        next += (uint32_t)gap + 1;
    }
    return 1;
}

static int get_positions_bitmap(struct decoder *decoder, uint32_t all)
{
    struct bits_in *in = &decoder->in;
    uint32_t found = 0;
    for (uint32_t i = 0; i < all; i += 32) {
        bits_refill(in);
        uint32_t bits = bits_take(in, all - i < 32 ? (int)(all - i) : 32);
        for (; bits; bits &= bits - 1) {
            if (found == decoder->n) return 0;
            decoder->places[found++] = i + (uint32_t)__builtin_ctz(bits);
        }
    }
    return found == decoder->n;
}

/* The next chunk: its live tiles' places; the values are next in decoder->in. 1, or 0 behind the last. */
static int next_chunk(struct decoder *decoder)
{
    struct prune_packed *packed = decoder->packed;
    const struct prune_packed_array *array = decoder->array;
    uint64_t places = (uint64_t)array->n_rows * array->n_columns, left = places - decoder->begin;
    uint32_t all = left < prune_chunk_places(array) ? (uint32_t)left : prune_chunk_places(array);
    if (!all) return decoder->live == array->tiles ? 0 : prune_packed_damaged(packed, "fewer live tiles than were told");
    int code = prune_packed_section(packed);
    if (code) return code;
    const uint8_t *head = packed->payload;
    if (packed->payload_bytes < 8 || head[0] > POSITIONS_GAPS || head[1] > 31 || (head[0] != POSITIONS_GAPS && head[1]) || prune_u16_at(head + 2)) return prune_packed_damaged(packed, "a chunk that cannot be");
    decoder->n = prune_u32_at(head + 4);
    if (decoder->n > all || decoder->n > array->tiles - decoder->live || (head[0] == POSITIONS_ALL && decoder->n != all)) return prune_packed_damaged(packed, "a chunk with %" PRIu32 " live tiles", decoder->n);
    if (decoder->n > decoder->allocated) {
        free(decoder->places);
        decoder->allocated = decoder->n;
        decoder->places = malloc((size_t)decoder->n * sizeof *decoder->places);
        if (!decoder->places) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    }
    decoder->in = (struct bits_in){ .at = packed->payload + 8, .end = packed->payload + packed->payload_bytes };
    int right = 1;
    if (head[0] == POSITIONS_GAPS) right = get_gaps(decoder, all, head[1]);
    else if (head[0] == POSITIONS_BITMAP) right = get_positions_bitmap(decoder, all);
    else for (uint32_t i = 0; i < all; i++) decoder->places[i] = i;
    if (!right || bits_overrun(&decoder->in) || !bits_next_byte(&decoder->in)) return prune_packed_damaged(packed, "positions that cannot be");
    decoder->row = (uint32_t)(decoder->begin / array->n_columns);
    decoder->column = (uint32_t)(decoder->begin % array->n_columns);
    decoder->begin += all;
    decoder->live += decoder->n;
    return 1;
}

/* The words of an array's code, behind the plain bits. */
struct words {
    const uint8_t *at, *end;
    uint32_t state;
    int cut;
};

static int start_words(struct decoder *decoder, size_t n, struct words *words)
{
    const struct prune_packed_array *array = decoder->array;
    uint64_t plain = (uint64_t)n * (array->values == VALUES_F32 ? 24 : array->values == VALUES_F16 ? 11 : 0);
    const uint8_t *begin = decoder->in.end - bits_left(&decoder->in);
    if (bits_left(&decoder->in) < (plain + 7) / 8 + 4) return prune_packed_damaged(decoder->packed, "a chunk that is cut");
    words->at = begin + (plain + 7) / 8;
    words->end = decoder->in.end;
    words->state = prune_u32_at(words->at);
    words->at += 4;
    decoder->in = (struct bits_in){ .at = begin, .end = words->at - 4 };
    return words->state < ANS_LOW ? prune_packed_damaged(decoder->packed, "a code's state that cannot be") : PRUNE_OK;
}

static inline uint32_t next_symbol(struct words *words, const struct prune_ans *code)
{
    uint32_t symbol = prune_ans_step(code, &words->state);
    if (words->state < ANS_LOW) {
        if (words->end - words->at >= 2) {
            words->state = words->state << 16 | prune_u16_at(words->at);
            words->at += 2;
        } else {
            words->cut = 1;
            words->state |= ANS_LOW;
        }
    }
    return symbol;
}

/* The bits of a float. */
static inline uint32_t join(const struct prune_packed_array *array, struct bits_in *in, uint32_t symbol)
{
    if (array->values == VALUES_CODEBOOK) return array->entries[symbol];
    uint32_t plain = bits_take(in, array->values == VALUES_F32 ? 24 : 11);
    if (array->values == VALUES_F32) return plain >> 23 << 31 | symbol << 23 | (plain & 0x7fffff);
    return prune_half_widen((uint16_t)(plain >> 10 << 15 | symbol << 10 | (plain & 0x3ff)));
}

/* The n values of the chunk, to its end. */
static int get_values(struct decoder *decoder, float *values, size_t n)
{
    const struct prune_packed_array *array = decoder->array;
    const struct prune_ans *code = array->code;
    struct words words = { 0 };
    int with_words = code && code->first < code->last && n, status = PRUNE_OK;
    if (with_words && (status = start_words(decoder, n, &words))) return status;
    struct bits_in in = decoder->in;
    for (size_t i = 0; i < n; i++) {
        bits_refill(&in);
        uint32_t symbol = with_words ? next_symbol(&words, code) : code ? (uint32_t)code->first : bits_take(&in, array->symbol_bits);
        if (!code && array->values == VALUES_CODEBOOK && symbol >= (uint32_t)array->n_entries) return prune_packed_damaged(decoder->packed, "an entry that the codebook has not");
        uint32_t bits = join(array, &in, symbol);
        memcpy(&values[i], &bits, sizeof bits);
    }
    if (bits_overrun(&in) || !bits_next_byte(&in) || bits_left(&in)) return prune_packed_damaged(decoder->packed, "values that do not fill their chunk");
    if (with_words && (words.cut || words.at != words.end || words.state != ANS_LOW)) return prune_packed_damaged(decoder->packed, "a code that does not end as it began");
    return PRUNE_OK;
}

/* Row and column, among the live ones, of a place of the chunk; places rise. */
static inline void go_to(const struct prune_packed_array *array, uint32_t *row, uint32_t *column, uint32_t steps)
{
    uint64_t at = (uint64_t)*column + steps;
    if (at >= array->n_columns) {
        *row += (uint32_t)(at / array->n_columns);
        at %= array->n_columns;
    }
    *column = (uint32_t)at;
}

static void place_tile(const struct decoder *decoder, float *floats, uint32_t row, uint32_t column, const float *tile)
{
    const struct prune_packed_array *array = decoder->array;
    size_t h = array->tile_rows, w = array->tile_columns, columns = array->part.columns;
    size_t r = decoder->rows ? decoder->rows[row] : row, c = decoder->columns ? decoder->columns[column] : column;
    float *to = floats + r * h * columns + c * w;
    if (h * w == 1) *to = *tile;
    else for (size_t y = 0; y < h; y++) memcpy(to + y * columns, tile + y * w, w * sizeof *to);
}

int prune_packed_dense(struct prune_packed *packed, float *floats)
{
    struct decoder decoder;
    int code = start_array(packed, &decoder), more = 0;
    const struct prune_packed_array *array = decoder.array;
    if (code) goto done;
    size_t area = (size_t)array->tile_rows * array->tile_columns;
    uint64_t most = array->tiles * area < CHUNK_WEIGHTS ? array->tiles * area : CHUNK_WEIGHTS;
    decoder.values = malloc((size_t)(most + 1) * sizeof *decoder.values);
    if (!decoder.values) code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    while (!code && (more = next_chunk(&decoder)) > 0) {
        uint32_t row = decoder.row, column = decoder.column, at = 0;
        if ((code = get_values(&decoder, decoder.values, decoder.n * area))) break;
        for (uint32_t i = 0; i < decoder.n; at = decoder.places[i++]) {
            go_to(array, &row, &column, decoder.places[i] - at);
            place_tile(&decoder, floats, row, column, decoder.values + i * area);
        }
    }
    if (!code && more < 0) code = more;
    packed->next_array++;
done:
    free_decoder(&decoder);
    return code;
}

/* --------------------------------------------------------------------------------------------------------- sparse -- */

void prune_sparse_free(struct prune_sparse *sparse)
{
    free(sparse->starts);
    free(sparse->at);
    free(sparse->values);
    *sparse = (struct prune_sparse){ 0 };
}

/* On large pages where they are to be had: touching fresh memory for the first time takes longer than decoding into it. For free(). */
static void *large_room(uint64_t n, size_t each)
{
    enum { LARGE_PAGE = 1 << 21 };
    if (n >= (SIZE_MAX - LARGE_PAGE) / each - 1) return NULL;
    size_t bytes = (size_t)(n + 1) * each;
    if (bytes < 2 * LARGE_PAGE) return malloc(bytes);
    void *room = aligned_alloc(LARGE_PAGE, (bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE);
    if (room) madvise(room, bytes, MADV_HUGEPAGE);
    return room;
}

int prune_packed_sparse(struct prune_packed *packed, struct prune_sparse *sparse)
{
    struct decoder decoder;
    *sparse = (struct prune_sparse){ 0 };
    int code = start_array(packed, &decoder), more = 0;
    const struct prune_packed_array *array = decoder.array;
    if (code) goto done;
    if (array->part.transposed) {
        code = prune_fail(PRUNE_ERR_UNSUPPORTED, "%s: the weights of layer %d lie transposed: unpack it, load and save it once", packed->path, packed->layer);
        goto done;
    }
    uint32_t h = array->tile_rows, w = array->tile_columns, filled = 0;
    size_t area = (size_t)h * w;
    *sparse = (struct prune_sparse){ .rows = array->part.rows, .columns = array->part.columns, .tile_rows = h, .tile_columns = w };
    sparse->starts = calloc((size_t)(sparse->rows / h) + 1, sizeof *sparse->starts);
    sparse->at = large_room(array->tiles, sizeof *sparse->at);
    sparse->values = large_room(array->tiles, area * sizeof *sparse->values);
    if (!sparse->starts || !sparse->at || !sparse->values) code = prune_fail(PRUNE_ERR_NOMEM, "%s: no memory for %" PRIu64 " live tiles", packed->path, array->tiles);
    while (!code && (more = next_chunk(&decoder)) > 0) {
        uint32_t row = decoder.row, column = decoder.column, at = 0;
        size_t first = sparse->n_tiles;
        for (uint32_t i = 0; i < decoder.n; at = decoder.places[i++]) {
            go_to(array, &row, &column, decoder.places[i] - at);
            uint32_t tile_row = decoder.rows ? decoder.rows[row] : row;
            while (filled < tile_row) sparse->starts[++filled] = sparse->n_tiles;
            sparse->at[sparse->n_tiles++] = decoder.columns ? decoder.columns[column] : column;
        }
        code = get_values(&decoder, sparse->values + first * area, decoder.n * area);
    }
    if (!code && more < 0) code = more;
    if (!code)
        while (filled < sparse->rows / h) sparse->starts[++filled] = sparse->n_tiles;
    packed->next_array++;
done:
    free_decoder(&decoder);
    if (code) prune_sparse_free(sparse);
    return code;
}
