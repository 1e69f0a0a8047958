/* packed.c - .pweights to weights: sections to layers and chunks, chunks to dense or sparse matrices
 *
 * In: the file that docs/pweights.md specifies, from its begin to its end. Nothing in it is trusted: checksums come first, then every number is held against what it may be, and what is
 * allocated is bounded by the file's own length, or by a shape that the caller has compared with the cfg.
 */
#include "bits.h"
#include "packing.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* --------------------------------------------------------------------------------------------------------- faults -- */

static int damaged(const struct prune_packed *packed, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int damaged(const struct prune_packed *packed, const char *format, ...)
{
    char what[160], where[48] = "";
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (packed->layer >= 0) snprintf(where, sizeof where, " (layer %d)", packed->layer);
    return prune_fail(PRUNE_ERR_FORMAT, "%s: damaged at byte %" PRIu64 "%s: %s", packed->path, packed->at, where, what);
}

/* ------------------------------------------------------------------------------------------------------- sections -- */

int prune_packed_is(const char *path)
{
    char bytes[MAGIC_BYTES];
    int like = 0;
    struct stat info;
    FILE *file = stat(path, &info) || !S_ISREG(info.st_mode) ? NULL : fopen(path, "rb");        /* a pipe can be read only once */
    if (!file) return 0;
    if (fread(bytes, 1, sizeof bytes, file) == sizeof bytes)
        for (int i = 0; i < MAGIC_BYTES; i++) like += bytes[i] == PACKED_MAGIC[i];
    fclose(file);
    return like >= MAGIC_BYTES - 2;
}

static int get_bytes(struct prune_packed *packed, void *bytes, size_t n)
{
    size_t got = fread(bytes, 1, n, packed->file);
    packed->at += got;
    if (got == n) return PRUNE_OK;
    if (ferror(packed->file)) return prune_fail(PRUNE_ERR_IO, "%s: %s", packed->path, strerror(errno));
    return damaged(packed, "the file ends inside a section");
}

static uint32_t u16_at(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t u32_at(const uint8_t *bytes)
{
    return u16_at(bytes) | u16_at(bytes + 2) << 16;
}

static uint64_t u64_at(const uint8_t *bytes)
{
    return u32_at(bytes) | (uint64_t)u32_at(bytes + 4) << 32;
}

static int section_length(struct prune_packed *packed, uint8_t head[SECTION_BYTES], size_t *length)
{
    int code = get_bytes(packed, head, SECTION_BYTES);
    if (code) return code;
    *length = u32_at(head);
    if (*length < 1 || *length > SECTION_MOST || *length > packed->bytes - packed->at) return damaged(packed, "a section of %zu bytes", *length);
    return PRUNE_OK;
}

/* The next section's payload, checked. */
static int get_section(struct prune_packed *packed)
{
    uint8_t head[SECTION_BYTES];
    size_t length;
    int code = section_length(packed, head, &length);
    if (code) return code;
    if (length > packed->payload_allocated) {
        free(packed->payload);
        packed->payload_allocated = 0;
        packed->payload = malloc(length);
        if (!packed->payload) return prune_fail(PRUNE_ERR_NOMEM, "%s: no memory for a section of %zu bytes", packed->path, length);
        packed->payload_allocated = length;
    }
    packed->payload_bytes = length;
    if ((code = get_bytes(packed, packed->payload, length))) return code;
    if (prune_crc32c(prune_crc32c(0, head, 4), packed->payload, length) != u32_at(head + 4)) return damaged(packed, "the checksum of the section that ends there is wrong");
    return PRUNE_OK;
}

static int skip_section(struct prune_packed *packed)
{
    uint8_t head[SECTION_BYTES];
    size_t length;
    int code = section_length(packed, head, &length);
    if (code) return code;
    if (fseeko(packed->file, (off_t)length, SEEK_CUR)) return prune_fail(PRUNE_ERR_IO, "%s: %s", packed->path, strerror(errno));
    packed->at += length;
    return PRUNE_OK;
}

/* --------------------------------------------------------------------------------------------------------- header -- */

static int get_header(struct prune_packed *packed)
{
    const uint8_t *at;
    int code = get_section(packed);
    if (code) return code;
    if (packed->payload_bytes != HEADER_BYTES) return damaged(packed, "a header of %zu bytes", packed->payload_bytes);
    at = packed->payload;
    if (u16_at(at) != PACKED_VERSION)
        return prune_fail(PRUNE_ERR_UNSUPPORTED, "%s: packed in version %" PRIu32 " of the format; this program reads version %d", packed->path, u16_at(at), PACKED_VERSION);
    packed->major = (int32_t)u32_at(at + 4);
    packed->minor = (int32_t)u32_at(at + 8);
    packed->revision = (int32_t)u32_at(at + 12);
    packed->seen = u64_at(at + 16);
    packed->n_floats = u64_at(at + 24);
    packed->n_layers = u32_at(at + 40);
    packed->fingerprint = u32_at(at + 44);
    if (u16_at(at + 2) || packed->major < 0 || packed->minor < 0) return damaged(packed, "a header that cannot be");
    if (packed->seen > UINT32_MAX && prune_weights_header_bytes(packed->major, packed->minor) == 16) return damaged(packed, "more images seen than the version has room for");
    uint64_t length = u64_at(at + 32);
    if (length != packed->bytes)
        return prune_fail(PRUNE_ERR_FORMAT, "%s: too %s: the file has %" PRIu64 " bytes and was written with %" PRIu64, packed->path, packed->bytes < length ? "short" : "long", packed->bytes, length);
    return PRUNE_OK;
}

int prune_packed_open(struct prune_packed *packed, const char *path)
{
    struct stat info;
    char magic[MAGIC_BYTES];
    *packed = (struct prune_packed){ .layer = -1, .path = strdup(path) };
    int code = packed->path ? PRUNE_OK : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    if (code) return code;
    packed->file = fopen(path, "rb");
    if (!packed->file || fstat(fileno(packed->file), &info)) {
        code = prune_fail(PRUNE_ERR_IO, "%s: %s", path, strerror(errno));
        goto done;
    }
    if (!S_ISREG(info.st_mode)) {
        code = prune_fail(PRUNE_ERR_IO, "%s: is not a regular file", path);
        goto done;
    }
    packed->bytes = (uint64_t)info.st_size;
    if (packed->bytes < MAGIC_BYTES + SECTION_BYTES + HEADER_BYTES) {
        code = prune_fail(PRUNE_ERR_FORMAT, "%s: too short for packed weights: %" PRIu64 " bytes", path, packed->bytes);
        goto done;
    }
    if ((code = get_bytes(packed, magic, sizeof magic))) goto done;
    if (memcmp(magic, PACKED_MAGIC, sizeof magic)) code = prune_fail(PRUNE_ERR_FORMAT, "%s: damaged at byte 0: these are not the first bytes of packed weights", path);
    if (!code) code = get_header(packed);
done:
    if (code) prune_packed_close(packed);
    return code;
}

static void free_arrays(struct prune_packed *packed)
{
    for (int i = 0; i < packed->n_arrays; i++) {
        free(packed->arrays[i].rows);
        free(packed->arrays[i].columns);
        free(packed->arrays[i].code);
        packed->arrays[i].rows = packed->arrays[i].columns = NULL;
        packed->arrays[i].code = NULL;
    }
    packed->n_arrays = 0;
}

void prune_packed_close(struct prune_packed *packed)
{
    free_arrays(packed);
    if (packed->file) fclose(packed->file);
    free(packed->path);
    free(packed->payload);
    packed->file = NULL;
    packed->path = NULL;
    packed->payload = NULL;
    packed->payload_allocated = 0;
}

/* --------------------------------------------------------------------------------------------------------- layers -- */

uint32_t prune_packed_line(uint32_t crc, int layer, const char *name, const struct prune_part *parts, int n_parts)
{
    char text[64];
    crc = prune_crc32c(crc, text, (size_t)snprintf(text, sizeof text, "%d %.*s:", layer, NAME_MOST, name));
    for (int i = 0; i < n_parts; i++) {
        uint32_t rows = parts[i].transposed ? parts[i].columns : parts[i].rows, columns = parts[i].transposed ? parts[i].rows : parts[i].columns;
        crc = prune_crc32c(crc, text, (size_t)snprintf(text, sizeof text, "%s %d %" PRIu32 "x%" PRIu32, i ? "," : "", (int)parts[i].role, rows, columns));
    }
    return prune_crc32c(crc, "\n", 1);
}

/* What is left of a LAYER payload. */
struct rest {
    const uint8_t *at, *end;
};

/* n bytes, or NULL if there are not so many. */
static const uint8_t *take(struct rest *rest, size_t n)
{
    const uint8_t *at = rest->at;
    if ((size_t)(rest->end - at) < n) return NULL;
    rest->at += n;
    return at;
}

static int get_entries(struct prune_packed *packed, struct rest *rest, struct prune_packed_array *array)
{
    const uint8_t *at = take(rest, 2);
    array->n_entries = at ? (int)u16_at(at) : 0;
    if (array->n_entries < 1 || array->n_entries > PRUNE_CODEBOOK_MOST) return damaged(packed, "a codebook of %d entries", array->n_entries);
    for (int i = 0; i < array->n_entries; i++) {
        if (!(at = take(rest, 4))) return damaged(packed, "a codebook that is cut");
        array->entries[i] = u32_at(at);
        if (i && array->entries[i] <= array->entries[i - 1]) return damaged(packed, "a codebook that does not rise");
    }
    array->symbol_bits = 0;
    while (1 << array->symbol_bits < array->n_entries) array->symbol_bits++;
    return PRUNE_OK;
}

static int get_code(struct prune_packed *packed, struct rest *rest, struct prune_packed_array *array)
{
    const uint8_t *at = take(rest, 3);
    int symbols = array->values == VALUES_CODEBOOK ? array->n_entries : 1 << array->symbol_bits;
    struct prune_ans *code = array->code = calloc(1, sizeof *code);
    if (!code) return prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", packed->path);
    if (!at || at[2] < at[1] || at[2] >= symbols) return damaged(packed, "a code for symbols that there are not");
    code->scale = at[0];
    code->first = at[1];
    code->last = at[2];
    if (code->first == code->last) return code->scale ? damaged(packed, "a code of one symbol with a scale") : PRUNE_OK;
    if (code->scale < ANS_SCALE_LEAST || code->scale > ANS_SCALE_MOST) return damaged(packed, "a code of scale %d", code->scale);
    size_t bytes = ((size_t)(code->last - code->first + 1) * (size_t)code->scale + 7) / 8;
    if (!(at = take(rest, bytes))) return damaged(packed, "a code that is cut");
    struct bits_in in = { .at = at, .end = at + bytes };
    for (int s = code->first; s <= code->last; s++) {
        bits_refill(&in);
        code->frequencies[s] = (uint16_t)bits_take(&in, code->scale);
    }
    if (!bits_next_byte(&in)) return damaged(packed, "bits that must be 0");
    if (!code->frequencies[code->first] || !code->frequencies[code->last] || !prune_ans_table(code)) return damaged(packed, "a code that is not whole");
    return PRUNE_OK;
}

/* The numbers of the bits that are set. */
static int get_bitmap(struct prune_packed *packed, struct rest *rest, uint32_t n, uint32_t **list, uint32_t *n_list)
{
    const uint8_t *at = take(rest, ((size_t)n + 7) / 8);
    uint32_t set = 0;
    if (!at) return damaged(packed, "a bitmap that is cut");
    if (n % 8 && at[n / 8] >> n % 8) return damaged(packed, "bits that must be 0");
    for (uint32_t i = 0; i < n; i++) set += at[i / 8] >> i % 8 & 1;
    *list = malloc(((size_t)set + 1) * sizeof **list);
    if (!*list) return prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", packed->path);
    *n_list = 0;
    for (uint32_t i = 0; i < n; i++)
        if (at[i / 8] >> i % 8 & 1) (*list)[(*n_list)++] = i;
    return PRUNE_OK;
}

static int get_array(struct prune_packed *packed, struct rest *rest, struct prune_packed_array *array)
{
    const uint8_t *at = take(rest, 24);
    int code = PRUNE_OK;
    if (!at) return damaged(packed, "a layer that is cut");
    int flags = at[3];
    array->part.role = (enum prune_part_role)at[0];
    array->part.kernel = 1;
    array->part.transposed = (flags & FLAG_TRANSPOSED) != 0;
    array->values = at[1];
    int coded = at[2];
    uint32_t rows = array->part.rows = u32_at(at + 4), columns = array->part.columns = u32_at(at + 8);
    uint32_t h = array->tile_rows = u16_at(at + 12), w = array->tile_columns = u16_at(at + 14);
    array->tiles = u64_at(at + 16);
    if (at[0] > PRUNE_PART_VARIANCES || array->values > VALUES_CODEBOOK || coded > 1 || flags > 7) return damaged(packed, "an array that cannot be");
    if (rows < 1 || rows > INT32_MAX || columns < 1 || columns > INT32_MAX) return damaged(packed, "an array of %" PRIu32 " x %" PRIu32, rows, columns);
    if (array->part.role != PRUNE_PART_WEIGHTS && (rows != 1 || array->part.transposed)) return damaged(packed, "biases or batch-norm with rows");
    if (h < 1 || w < 1 || h * w > TILE_MOST || rows % h || columns % w) return damaged(packed, "tiles of %" PRIu32 " x %" PRIu32, h, w);
    if ((uint64_t)rows * columns > packed->n_floats - packed->floats_read) return damaged(packed, "more weights than the header says");
    packed->floats_read += (uint64_t)rows * columns;
    array->symbol_bits = array->values == VALUES_F32 ? 8 : 5;
    if (array->values == VALUES_CODEBOOK && (code = get_entries(packed, rest, array))) return code;
    if (coded && (code = get_code(packed, rest, array))) return code;
    array->n_rows = rows / h;
    array->n_columns = columns / w;
    if (flags & FLAG_LIVE_ROWS && (code = get_bitmap(packed, rest, rows / h, &array->rows, &array->n_rows))) return code;
    if (flags & FLAG_LIVE_COLUMNS && (code = get_bitmap(packed, rest, columns / w, &array->columns, &array->n_columns))) return code;
    if (array->tiles > (uint64_t)array->n_rows * array->n_columns) return damaged(packed, "more live tiles than there are tiles");
    return PRUNE_OK;
}

static uint32_t chunk_places(const struct prune_packed_array *array)
{
    return CHUNK_WEIGHTS / (array->tile_rows * array->tile_columns);
}

static uint64_t count_chunks(const struct prune_packed_array *array)
{
    uint64_t places = (uint64_t)array->n_rows * array->n_columns, each = chunk_places(array);
    return places / each + (places % each != 0);
}

static int get_layer(struct prune_packed *packed)
{
    struct rest rest;
    int before = packed->layer, code = get_section(packed);
    if (code) return code;
    rest = (struct rest){ packed->payload, packed->payload + packed->payload_bytes };
    const uint8_t *at = take(&rest, 8), *name;
    if (!at) return damaged(packed, "a layer that is cut");
    uint32_t layer = u32_at(at);
    int n_arrays = at[4], name_bytes = at[5];
    if (layer > LAYER_MOST || (int)layer <= before || n_arrays < 1 || n_arrays > PRUNE_PARTS_MOST || name_bytes < 1 || name_bytes > NAME_MOST || u16_at(at + 6))
        return damaged(packed, "a layer that cannot be");
    packed->layer = (int)layer;
    if (!(name = take(&rest, (size_t)name_bytes))) return damaged(packed, "a layer that is cut");
    memcpy(packed->name, name, (size_t)name_bytes);
    packed->name[name_bytes] = '\0';
    if (strspn(packed->name, "abcdefghijklmnopqrstuvwxyz0123456789_") != (size_t)name_bytes) return damaged(packed, "a name that cannot be");
    memset(packed->arrays, 0, sizeof packed->arrays);
    struct prune_part parts[PRUNE_PARTS_MOST];
    for (int i = 0; i < n_arrays; i++) {
        packed->n_arrays = i + 1;           /* so that its lists are freed, whatever comes */
        if ((code = get_array(packed, &rest, &packed->arrays[i]))) return code;
        parts[i] = packed->arrays[i].part;
    }
    if (rest.at != rest.end) return damaged(packed, "a layer that is longer than its arrays");
    packed->text_crc = prune_packed_line(packed->text_crc, packed->layer, packed->name, parts, n_arrays);
    packed->next_array = 0;
    packed->layers_read++;
    return PRUNE_OK;
}

int prune_packed_next(struct prune_packed *packed)
{
    int code = PRUNE_OK;
    for (; packed->next_array < packed->n_arrays; packed->next_array++) {
        uint64_t chunks = count_chunks(&packed->arrays[packed->next_array]);
        for (uint64_t i = 0; i < chunks; i++)
            if ((code = skip_section(packed))) return code;
    }
    free_arrays(packed);
    if (packed->layers_read < packed->n_layers) return (code = get_layer(packed)) ? code : 1;
    packed->layer = -1;
    if (packed->at != packed->bytes) return damaged(packed, "more than the header's %" PRIu32 " layers", packed->n_layers);
    if (packed->floats_read != packed->n_floats) return damaged(packed, "%" PRIu64 " weights, and %" PRIu64 " in the header", packed->floats_read, packed->n_floats);
    if (packed->text_crc != packed->fingerprint) return damaged(packed, "the layers are not those of the header's fingerprint");
    return 0;
}

/* ------------------------------------------------------------------------------------------------------- for a cfg -- */

int prune_packed_for(const struct prune_packed *packed, const struct prune_graph *graph)
{
    struct prune_weights version = { .major = packed->major, .minor = packed->minor };
    struct prune_part parts[PRUNE_PARTS_MOST];
    uint64_t floats = 0;
    uint32_t crc = 0, n_layers = 0;
    for (int i = 0; i < graph->n_nodes; i++) {
        int n = prune_weights_parts(graph, &version, i, parts);
        if (!n) continue;
        n_layers++;
        floats += graph->nodes[i].n_floats;
        crc = prune_packed_line(crc, i, prune_kind_name(graph->nodes[i].kind), parts, n);
    }
    if (crc == packed->fingerprint && floats == packed->n_floats && n_layers == packed->n_layers) return PRUNE_OK;
    return prune_fail(PRUNE_ERR_SHAPE, "%s: packed from another network than %s: %" PRIu32 " layers with %" PRIu64 " weights, biases and the like; the cfg has %" PRIu32 " with %" PRIu64,
                      packed->path, graph->cfg->path, packed->n_layers, packed->n_floats, n_layers, floats);
}

int prune_packed_fits(const struct prune_packed *packed, const struct prune_graph *graph)
{
    struct prune_weights version = { .major = packed->major, .minor = packed->minor };
    struct prune_part parts[PRUNE_PARTS_MOST];
    int n = packed->layer < graph->n_nodes ? prune_weights_parts(graph, &version, packed->layer, parts) : 0;
    int fits = n == packed->n_arrays && !strcmp(packed->name, prune_kind_name(graph->nodes[packed->layer].kind));
    for (int i = 0; fits && i < n; i++) {
        const struct prune_part *is = &packed->arrays[i].part, *wanted = &parts[i];
        fits = is->role == wanted->role && is->rows == wanted->rows && is->columns == wanted->columns && is->transposed == wanted->transposed;
    }
    if (fits) return PRUNE_OK;
    return prune_fail(PRUNE_ERR_SHAPE, "%s: layer %d [%s] is not as %s has it", packed->path, packed->layer, packed->name, graph->cfg->path);
}

/* --------------------------------------------------------------------------------------------------------- chunks -- */

/* The array under way, chunk by chunk. */
struct decoder {
    struct prune_packed *packed;
    const struct prune_packed_array *array;
    uint32_t *places;               /* of the live tiles of the chunk, from its begin */
    float *values;                  /* theirs, if they are not decoded elsewhere */
    uint32_t n, allocated;          /* live tiles in the chunk */
    uint64_t begin, live;           /* places and live tiles before this chunk */
    uint32_t row, column;           /* of place `begin`, among the live ones */
    struct bits_in in;
};

static int start_array(struct prune_packed *packed, struct decoder *decoder)
{
    *decoder = (struct decoder){ .packed = packed, .array = &packed->arrays[packed->next_array] };
    if (packed->next_array >= packed->n_arrays) return prune_fail(PRUNE_ERR_RANGE, "%s: layer %d has no array %d", packed->path, packed->layer, packed->next_array);
    return PRUNE_OK;
}

static void free_decoder(struct decoder *decoder)
{
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
    uint32_t all = left < chunk_places(array) ? (uint32_t)left : chunk_places(array);
    if (!all) return decoder->live == array->tiles ? 0 : damaged(packed, "fewer live tiles than were told");
    int code = get_section(packed);
    if (code) return code;
    const uint8_t *head = packed->payload;
    if (packed->payload_bytes < 8 || head[0] > POSITIONS_GAPS || head[1] > 31 || (head[0] != POSITIONS_GAPS && head[1]) || u16_at(head + 2)) return damaged(packed, "a chunk that cannot be");
    decoder->n = u32_at(head + 4);
    if (decoder->n > all || decoder->n > array->tiles - decoder->live || (head[0] == POSITIONS_ALL && decoder->n != all)) return damaged(packed, "a chunk with %" PRIu32 " live tiles", decoder->n);
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
    if (!right || bits_overrun(&decoder->in) || !bits_next_byte(&decoder->in)) return damaged(packed, "positions that cannot be");
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
    if (bits_left(&decoder->in) < (plain + 7) / 8 + 4) return damaged(decoder->packed, "a chunk that is cut");
    words->at = begin + (plain + 7) / 8;
    words->end = decoder->in.end;
    words->state = u32_at(words->at);
    words->at += 4;
    decoder->in = (struct bits_in){ .at = begin, .end = words->at - 4 };
    return words->state < ANS_LOW ? damaged(decoder->packed, "a code's state that cannot be") : PRUNE_OK;
}

static inline uint32_t next_symbol(struct words *words, const struct prune_ans *code)
{
    uint32_t symbol = prune_ans_step(code, &words->state);
    if (words->state < ANS_LOW) {
        if (words->end - words->at >= 2) {
            words->state = words->state << 16 | u16_at(words->at);
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
        if (!code && array->values == VALUES_CODEBOOK && symbol >= (uint32_t)array->n_entries) return damaged(decoder->packed, "an entry that the codebook has not");
        uint32_t bits = join(array, &in, symbol);
        memcpy(&values[i], &bits, sizeof bits);
    }
    if (bits_overrun(&in) || !bits_next_byte(&in) || bits_left(&in)) return damaged(decoder->packed, "values that do not fill their chunk");
    if (with_words && (words.cut || words.at != words.end || words.state != ANS_LOW)) return damaged(decoder->packed, "a code that does not end as it began");
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

static void place_tile(const struct prune_packed_array *array, float *floats, uint32_t row, uint32_t column, const float *tile)
{
    size_t h = array->tile_rows, w = array->tile_columns, columns = array->part.columns;
    size_t r = array->rows ? array->rows[row] : row, c = array->columns ? array->columns[column] : column;
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
    decoder.values = malloc(CHUNK_WEIGHTS * sizeof *decoder.values);
    if (!decoder.values) code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    while (!code && (more = next_chunk(&decoder)) > 0) {
        uint32_t row = decoder.row, column = decoder.column, at = 0;
        if ((code = get_values(&decoder, decoder.values, decoder.n * area))) break;
        for (uint32_t i = 0; i < decoder.n; at = decoder.places[i++]) {
            go_to(array, &row, &column, decoder.places[i] - at);
            place_tile(array, floats, row, column, decoder.values + i * area);
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
    if (n >= SIZE_MAX / each - 1) return NULL;
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
            uint32_t tile_row = array->rows ? array->rows[row] : row;
            while (filled < tile_row) sparse->starts[++filled] = sparse->n_tiles;
            sparse->at[sparse->n_tiles++] = array->columns ? array->columns[column] : column;
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
