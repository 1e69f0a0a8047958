/* packed.c - .pweights to weights: the file, its sections, its layers and whether they are a cfg's
 *
 * In: the file that docs/pweights.md specifies, from its begin to its end. Nothing in it is trusted: checksums come first, then every number is held against what it may be. Until a
 * layer has been compared with the cfg, what is allocated is no more than the file is long; then packed_chunks.c decodes it.
 */
#include "bits.h"
#include "packed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>

/* --------------------------------------------------------------------------------------------------------- faults -- */

int prune_packed_damaged(const struct prune_packed *packed, const char *format, ...)
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
    return prune_packed_damaged(packed, "the file ends inside a section");
}

static uint64_t u64_at(const uint8_t *bytes)
{
    return prune_u32_at(bytes) | (uint64_t)prune_u32_at(bytes + 4) << 32;
}

static int section_length(struct prune_packed *packed, uint8_t head[SECTION_BYTES], size_t *length)
{
    int code = get_bytes(packed, head, SECTION_BYTES);
    if (code) return code;
    *length = prune_u32_at(head);
    if (*length < 1 || *length > SECTION_MOST || *length > packed->bytes - packed->at) return prune_packed_damaged(packed, "a section of %zu bytes", *length);
    return PRUNE_OK;
}

/* The next section's payload, checked. */
int prune_packed_section(struct prune_packed *packed)
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
    if (prune_crc32c(prune_crc32c(0, head, 4), packed->payload, length) != prune_u32_at(head + 4)) return prune_packed_damaged(packed, "the checksum of the section that ends there is wrong");
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
    int code = prune_packed_section(packed);
    if (code) return code;
    if (packed->payload_bytes != HEADER_BYTES) return prune_packed_damaged(packed, "a header of %zu bytes", packed->payload_bytes);
    at = packed->payload;
    if (prune_u16_at(at) != PACKED_VERSION)
        return prune_fail(PRUNE_ERR_UNSUPPORTED, "%s: packed in version %" PRIu32 " of the format; this program reads version %d", packed->path, prune_u16_at(at), PACKED_VERSION);
    packed->major = (int32_t)prune_u32_at(at + 4);
    packed->minor = (int32_t)prune_u32_at(at + 8);
    packed->revision = (int32_t)prune_u32_at(at + 12);
    packed->seen = u64_at(at + 16);
    packed->n_floats = u64_at(at + 24);
    packed->n_layers = prune_u32_at(at + 40);
    packed->fingerprint = prune_u32_at(at + 44);
    if (prune_u16_at(at + 2) || packed->major < 0 || packed->minor < 0) return prune_packed_damaged(packed, "a header that cannot be");
    if (packed->seen > UINT32_MAX && prune_weights_header_bytes(packed->major, packed->minor) == 16) return prune_packed_damaged(packed, "more images seen than the version has room for");
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
    if (!stat(path, &info) && !S_ISREG(info.st_mode)) {         /* before it is opened: a pipe would wait for its writer */
        code = prune_fail(PRUNE_ERR_IO, "%s: is not a regular file", path);
        goto done;
    }
    packed->file = fopen(path, "rb");
    if (!packed->file || fstat(fileno(packed->file), &info)) {
        code = prune_fail(PRUNE_ERR_IO, "%s: %s", path, strerror(errno));
        goto done;
    }
    packed->bytes = (uint64_t)info.st_size;
    if (packed->bytes < PACKED_HEAD_BYTES) {
        code = prune_fail(PRUNE_ERR_FORMAT, "%s: too short for packed weights: %" PRIu64 " bytes", path, packed->bytes);
        goto done;
    }
    if ((code = get_bytes(packed, magic, sizeof magic))) goto done;
    if (memcmp(magic, PACKED_MAGIC, sizeof magic))
        code = prune_fail(PRUNE_ERR_FORMAT, prune_packed_is(path) ? "%s: damaged at byte 0: these are not quite the first bytes of packed weights" : "%s: these are not packed weights", path);
    if (!code) code = get_header(packed);
done:
    if (code) prune_packed_close(packed);
    return code;
}

static void free_arrays(struct prune_packed *packed)
{
    for (int i = 0; i < packed->n_arrays; i++) {
        struct prune_packed_array *array = &packed->arrays[i];
        free(array->row_bitmap);
        free(array->column_bitmap);
        free(array->code);
        array->row_bitmap = array->column_bitmap = NULL;
        array->code = NULL;
    }
    packed->n_arrays = 0;
}

int prune_packed_rewind(struct prune_packed *packed)
{
    free_arrays(packed);
    packed->at = PACKED_HEAD_BYTES;
    packed->layer = -1;
    packed->next_array = 0;
    packed->layers_read = packed->text_crc = 0;
    packed->floats_read = 0;
    return fseeko(packed->file, (off_t)packed->at, SEEK_SET) ? prune_fail(PRUNE_ERR_IO, "%s: %s", packed->path, strerror(errno)) : PRUNE_OK;
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
    array->n_entries = at ? (int)prune_u16_at(at) : 0;
    if (array->n_entries < 1 || array->n_entries > PRUNE_CODEBOOK_MOST) return prune_packed_damaged(packed, "a codebook of %d entries", array->n_entries);
    for (int i = 0; i < array->n_entries; i++) {
        if (!(at = take(rest, 4))) return prune_packed_damaged(packed, "a codebook that is cut");
        array->entries[i] = prune_u32_at(at);
        if (i && array->entries[i] <= array->entries[i - 1]) return prune_packed_damaged(packed, "a codebook that does not rise");
    }
    array->symbol_bits = prune_entry_bits(array->n_entries);
    return PRUNE_OK;
}

static int get_code(struct prune_packed *packed, struct rest *rest, struct prune_packed_array *array)
{
    const uint8_t *at = take(rest, 3);
    int symbols = array->values == VALUES_CODEBOOK ? array->n_entries : 1 << array->symbol_bits;
    struct prune_ans *code = array->code = calloc(1, sizeof *code);
    if (!code) return prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", packed->path);
    if (!at || at[2] < at[1] || at[2] >= symbols) return prune_packed_damaged(packed, "a code for symbols that there are not");
    code->scale = at[0];
    code->first = at[1];
    code->last = at[2];
    if (code->first == code->last) return code->scale ? prune_packed_damaged(packed, "a code of one symbol with a scale") : PRUNE_OK;
    if (code->scale < ANS_SCALE_LEAST || code->scale > ANS_SCALE_MOST) return prune_packed_damaged(packed, "a code of scale %d", code->scale);
    size_t bytes = ((size_t)(code->last - code->first + 1) * (size_t)code->scale + 7) / 8;
    if (!(at = take(rest, bytes))) return prune_packed_damaged(packed, "a code that is cut");
    struct bits_in in = { .at = at, .end = at + bytes };
    for (int s = code->first; s <= code->last; s++) {
        bits_refill(&in);
        code->frequencies[s] = (uint16_t)bits_take(&in, code->scale);
    }
    if (!bits_next_byte(&in)) return prune_packed_damaged(packed, "bits that must be 0");
    if (!code->frequencies[code->first] || !code->frequencies[code->last] || !prune_ans_table(code)) return prune_packed_damaged(packed, "a code that is not whole");
    return PRUNE_OK;
}

/* A copy of it, and how many bits are set. */
static int get_bitmap(struct prune_packed *packed, struct rest *rest, uint32_t n, uint8_t **bitmap, uint32_t *set)
{
    size_t bytes = ((size_t)n + 7) / 8;
    const uint8_t *at = take(rest, bytes);
    if (!at) return prune_packed_damaged(packed, "a bitmap that is cut");
    if (n % 8 && at[n / 8] >> n % 8) return prune_packed_damaged(packed, "bits that must be 0");
    *bitmap = malloc(bytes);
    if (!*bitmap) return prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", packed->path);
    memcpy(*bitmap, at, bytes);
    *set = 0;
    for (size_t i = 0; i < bytes; i++) *set += (uint32_t)__builtin_popcount(at[i]);
    return PRUNE_OK;
}

static int get_array(struct prune_packed *packed, struct rest *rest, struct prune_packed_array *array)
{
    const uint8_t *at = take(rest, 24);
    int code = PRUNE_OK;
    if (!at) return prune_packed_damaged(packed, "a layer that is cut");
    int flags = at[3];
    array->part.role = (enum prune_part_role)at[0];
    array->part.kernel = 1;
    array->part.transposed = (flags & FLAG_TRANSPOSED) != 0;
    array->values = at[1];
    int coded = at[2];
    uint32_t rows = array->part.rows = prune_u32_at(at + 4), columns = array->part.columns = prune_u32_at(at + 8);
    uint32_t h = array->tile_rows = prune_u16_at(at + 12), w = array->tile_columns = prune_u16_at(at + 14);
    array->tiles = u64_at(at + 16);
    if (at[0] > PRUNE_PART_VARIANCES || array->values > VALUES_CODEBOOK || coded > 1 || flags > 7) return prune_packed_damaged(packed, "an array that cannot be");
    if (rows < 1 || rows > INT32_MAX || columns < 1 || columns > INT32_MAX) return prune_packed_damaged(packed, "an array of %" PRIu32 " x %" PRIu32, rows, columns);
    if (array->part.role != PRUNE_PART_WEIGHTS && (rows != 1 || array->part.transposed)) return prune_packed_damaged(packed, "biases or batch-norm with rows");
    if (h < 1 || w < 1 || h * w > TILE_MOST || rows % h || columns % w) return prune_packed_damaged(packed, "tiles of %" PRIu32 " x %" PRIu32, h, w);
    if ((uint64_t)rows * columns > packed->n_floats - packed->floats_read) return prune_packed_damaged(packed, "more weights than the header says");
    packed->floats_read += (uint64_t)rows * columns;
    array->symbol_bits = array->values == VALUES_F32 ? 8 : 5;
    if (array->values == VALUES_CODEBOOK && (code = get_entries(packed, rest, array))) return code;
    if (coded && (code = get_code(packed, rest, array))) return code;
    array->n_rows = rows / h;
    array->n_columns = columns / w;
    if (flags & FLAG_LIVE_ROWS && (code = get_bitmap(packed, rest, rows / h, &array->row_bitmap, &array->n_rows))) return code;
    if (flags & FLAG_LIVE_COLUMNS && (code = get_bitmap(packed, rest, columns / w, &array->column_bitmap, &array->n_columns))) return code;
    if (array->tiles > (uint64_t)array->n_rows * array->n_columns) return prune_packed_damaged(packed, "more live tiles than there are tiles");
    return PRUNE_OK;
}

static uint64_t count_chunks(const struct prune_packed_array *array)
{
    uint64_t places = (uint64_t)array->n_rows * array->n_columns, each = prune_chunk_places(array);
    return places / each + (places % each != 0);
}

static int get_layer(struct prune_packed *packed)
{
    struct rest rest;
    int before = packed->layer, code = prune_packed_section(packed);
    if (code) return code;
    rest = (struct rest){ packed->payload, packed->payload + packed->payload_bytes };
    const uint8_t *at = take(&rest, 8), *name;
    if (!at) return prune_packed_damaged(packed, "a layer that is cut");
    uint32_t layer = prune_u32_at(at);
    int n_arrays = at[4], name_bytes = at[5];
    if (layer > LAYER_MOST || (int)layer <= before || n_arrays < 1 || n_arrays > PRUNE_PARTS_MOST || name_bytes < 1 || name_bytes > NAME_MOST || prune_u16_at(at + 6))
        return prune_packed_damaged(packed, "a layer that cannot be");
    packed->layer = (int)layer;
    if (!(name = take(&rest, (size_t)name_bytes))) return prune_packed_damaged(packed, "a layer that is cut");
    memcpy(packed->name, name, (size_t)name_bytes);
    packed->name[name_bytes] = '\0';
    if (strspn(packed->name, "abcdefghijklmnopqrstuvwxyz0123456789_") != (size_t)name_bytes) return prune_packed_damaged(packed, "a name that cannot be");
    memset(packed->arrays, 0, sizeof packed->arrays);
    struct prune_part parts[PRUNE_PARTS_MOST];
    for (int i = 0; i < n_arrays; i++) {
        packed->n_arrays = i + 1;           /* so that its lists are freed, whatever comes */
        if ((code = get_array(packed, &rest, &packed->arrays[i]))) return code;
        parts[i] = packed->arrays[i].part;
    }
    if (rest.at != rest.end) return prune_packed_damaged(packed, "a layer that is longer than its arrays");
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
    if (packed->at != packed->bytes) return prune_packed_damaged(packed, "more than the header's %" PRIu32 " layers", packed->n_layers);
    if (packed->floats_read != packed->n_floats) return prune_packed_damaged(packed, "%" PRIu64 " weights, and %" PRIu64 " in the header", packed->floats_read, packed->n_floats);
    if (packed->text_crc != packed->fingerprint) return prune_packed_damaged(packed, "the layers are not those of the header's fingerprint");
    return 0;
}

/* ------------------------------------------------------------------------------------------------------- for a cfg -- */

int prune_packed_for(const struct prune_packed *packed, const struct prune_graph *graph)
{
    struct prune_weights version = { .major = packed->major, .minor = packed->minor, .raw = 1 };
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
    if (floats == packed->n_floats && n_layers == packed->n_layers)
        return prune_fail(PRUNE_ERR_SHAPE, "%s: packed from another network than %s: as many weights, in layers of other kinds or shapes", packed->path, graph->cfg->path);
    return prune_fail(PRUNE_ERR_SHAPE, "%s: packed from another network than %s: %" PRIu32 " layers with %" PRIu64 " weights, biases and the like; the cfg has %" PRIu32 " with %" PRIu64,
                      packed->path, graph->cfg->path, packed->n_layers, packed->n_floats, n_layers, floats);
}

int prune_packed_begins(struct prune_packed *packed, const struct prune_graph *graph)
{
    int more, layer = 0;
    while ((more = prune_packed_next(packed)) > 0) {
        while (layer < graph->n_nodes && !graph->nodes[layer].n_floats) layer++;
        if (packed->layer != layer++)
            return prune_fail(PRUNE_ERR_SHAPE, "%s: packed from another network than %s: it has layer %d [%s] where the cfg has layer %d", packed->path, graph->cfg->path, packed->layer, packed->name, layer - 1);
        int code = prune_packed_fits(packed, graph);
        if (code) return code;
    }
    return more < 0 ? more : prune_packed_rewind(packed);
}

int prune_packed_fits(const struct prune_packed *packed, const struct prune_graph *graph)
{
    struct prune_weights version = { .major = packed->major, .minor = packed->minor, .raw = 1 };
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

