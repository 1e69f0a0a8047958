/* state.c - name.prune: what a stopped training needs, besides its weights, to go on to the same bits
 *
 *   8  bytes  "dnprune" and a newline
 *   u32       version, 1
 *   u32       0x01020304 in the writer's byte order: a machine of the other order refuses the file
 *   u64, u32  bytes and CRC-32 of the .weights file that it belongs to
 *   struct prune_state, field by field; the settings as u32 length and text
 *   u32       tensors, then for each:  i32 layer, u64 weights, mask as bits (weight i: byte i/8, bit i%8)
 *   u32       arrays, then for each:   i32 layer, u32 role, u64 floats that follow, the floats
 *   u32       CRC-32 of everything before
 *
 * CRC-32 is zlib's. A .prune file is for the machine that trains: it is written and read there, in its own byte order.
 */
#include "prune.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static const char magic[8] = { 'd', 'n', 'p', 'r', 'u', 'n', 'e', '\n' };
enum { VERSION = 1, BYTE_ORDER_MARK = 0x01020304, CHUNK_BYTES = 1 << 20 };

char *prune_state_path(const char *weights)
{
    static const char ending[] = ".weights";
    size_t length = strlen(weights), cut = length;
    if (length >= sizeof ending - 1 && !strcmp(weights + length - (sizeof ending - 1), ending)) cut -= sizeof ending - 1;
    char *path = malloc(cut + sizeof ".prune");
    if (path) sprintf(path, "%.*s.prune", (int)cut, weights);
    return path;
}

int prune_fingerprint_take(struct prune_fingerprint *print, const char *path)
{
    *print = (struct prune_fingerprint){ 0, (uint32_t)crc32(0, NULL, 0) };
    unsigned char *chunk = malloc(CHUNK_BYTES);
    FILE *file = chunk ? fopen(path, "rb") : NULL;
    int code = PRUNE_OK;
    if (!file) {
        code = chunk ? prune_fail(PRUNE_ERR_IO, "cannot read %s: %s", path, strerror(errno)) : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        goto done;
    }
    size_t got;
    while ((got = fread(chunk, 1, CHUNK_BYTES, file)) > 0) {
        print->crc = (uint32_t)crc32(print->crc, chunk, (uInt)got);
        print->bytes += got;
    }
    if (ferror(file)) code = prune_fail(PRUNE_ERR_IO, "cannot read %s: %s", path, strerror(errno));
done:
    if (file) fclose(file);
    free(chunk);
    return code;
}

/* -------------------------------------------------------------------------------------------------------- writing -- */

struct writer {
    FILE *file;
    uint32_t crc;
};

static void put(struct writer *to, const void *bytes, size_t n)
{
    fwrite(bytes, 1, n, to->file);      /* errors are seen once, by ferror at the end */
    to->crc = (uint32_t)crc32_z(to->crc, bytes, n);
}

static void put_u32(struct writer *to, uint32_t value) { put(to, &value, sizeof value); }
static void put_u64(struct writer *to, uint64_t value) { put(to, &value, sizeof value); }

static int stored(const struct prune_array *array, size_t i)
{
    if (!array->tensor) return 1;
    return array->tensor->mask[i] == (array->role != PRUNE_MEMORY);
}

static size_t count_stored(const struct prune_array *array)
{
    if (!array->tensor) return array->n;
    return array->role == PRUNE_MEMORY ? array->n - array->tensor->active : array->tensor->active;
}

static void put_mask(struct writer *to, const struct prune_tensor *tensor)
{
    put_u32(to, (uint32_t)tensor->layer);
    put_u64(to, tensor->n);
    uint8_t buffer[4096] = { 0 };
    size_t used = 0;
    for (size_t i = 0; i < tensor->n; i++) {
        buffer[used] = (uint8_t)(buffer[used] | tensor->mask[i] << (i % 8));
        if (i % 8 == 7 || i + 1 == tensor->n) used++;
        if (used == sizeof buffer || i + 1 == tensor->n) {
            put(to, buffer, used);
            memset(buffer, 0, sizeof buffer);
            used = 0;
        }
    }
}

static void put_array(struct writer *to, const struct prune_array *array)
{
    put_u32(to, (uint32_t)array->layer);
    put_u32(to, (uint32_t)array->role);
    put_u64(to, count_stored(array));
    float buffer[1024];
    size_t used = 0;
    for (size_t i = 0; i < array->n; i++) {
        if (!stored(array, i)) continue;
        buffer[used++] = array->values[i];
        if (used < sizeof buffer / sizeof *buffer) continue;
        put(to, buffer, sizeof buffer);
        used = 0;
    }
    put(to, buffer, used * sizeof *buffer);
}

int prune_state_write(FILE *out, const struct prune_state *state, const char *weights, const struct prune_tensor *tensors, int n_tensors,
                      const struct prune_array *arrays, int n_arrays)
{
    struct prune_fingerprint print;
    int code = prune_fingerprint_take(&print, weights);
    if (code) return code;
    struct writer to = { out, (uint32_t)crc32(0, NULL, 0) };
    put(&to, magic, sizeof magic);
    put_u32(&to, VERSION);
    put_u32(&to, BYTE_ORDER_MARK);
    put_u64(&to, print.bytes);
    put_u32(&to, print.crc);
    put_u64(&to, state->seed);
    put_u32(&to, (uint32_t)state->threads);
    put_u32(&to, (uint32_t)state->step);
    put_u32(&to, (uint32_t)state->optimizer_t);
    put(&to, &state->best_top1, sizeof state->best_top1);
    put(&to, &state->loss_sum, sizeof state->loss_sum);
    put_u64(&to, state->loss_iterations);
    size_t length = strnlen(state->settings, sizeof state->settings);
    put_u32(&to, (uint32_t)length);
    put(&to, state->settings, length);
    put_u32(&to, (uint32_t)n_tensors);
    for (int i = 0; i < n_tensors; i++) put_mask(&to, &tensors[i]);
    put_u32(&to, (uint32_t)n_arrays);
    for (int i = 0; i < n_arrays; i++) put_array(&to, &arrays[i]);
    uint32_t crc = to.crc;
    put_u32(&to, crc);
    return PRUNE_OK;
}

/* -------------------------------------------------------------------------------------------------------- reading -- */

struct reader {
    const char *path;
    uint8_t *bytes;
    size_t n, at;
    int short_of;               /* something was read past the end: all later reads give zeros */
};

static void get(struct reader *from, void *bytes, size_t n)
{
    if (from->short_of || n > from->n - from->at) {
        from->short_of = 1;
        memset(bytes, 0, n);
        return;
    }
    memcpy(bytes, from->bytes + from->at, n);
    from->at += n;
}

static uint32_t get_u32(struct reader *from) { uint32_t value; get(from, &value, sizeof value); return value; }
static uint64_t get_u64(struct reader *from) { uint64_t value; get(from, &value, sizeof value); return value; }

/* The whole file, its magic and its checksum. PRUNE_ABSENT (0) when there is no such file, 1 when it is read. */
static int open_reader(struct reader *from, const char *path, int quiet)
{
    memset(from, 0, sizeof *from);
    from->path = path;
    FILE *file = fopen(path, "rb");
    if (!file) return errno == ENOENT || quiet ? 0 : prune_fail(PRUNE_ERR_IO, "cannot read %s: %s", path, strerror(errno));
    int code = 0;
    struct stat info;
    if (fstat(fileno(file), &info) || !S_ISREG(info.st_mode)) {
        if (!quiet) code = prune_fail(PRUNE_ERR_IO, "cannot read %s: not a regular file", path);
        goto done;
    }
    from->n = (size_t)info.st_size;
    from->bytes = malloc(from->n + 1);
    if (!from->bytes) {
        code = prune_fail(PRUNE_ERR_NOMEM, "out of memory for %s", path);
        goto done;
    }
    int damaged = from->n < sizeof magic + 4 || fread(from->bytes, 1, from->n, file) != from->n || memcmp(from->bytes, magic, sizeof magic);
    if (!damaged) {
        uint32_t crc;
        from->n -= sizeof crc;
        memcpy(&crc, from->bytes + from->n, sizeof crc);
        damaged = crc != (uint32_t)crc32_z(crc32(0, NULL, 0), from->bytes, from->n);
    }
    if (!damaged) {
        from->at = sizeof magic;
        uint32_t version = get_u32(from), order = get_u32(from);
        damaged = version != VERSION || order != BYTE_ORDER_MARK;
    }
    if (!damaged) code = 1;
    else if (!quiet) code = prune_fail(PRUNE_ERR_FORMAT, "%s is damaged or no .prune file of this version", path);
done:
    if (code != 1) {
        free(from->bytes);
        from->bytes = NULL;
    }
    fclose(file);
    return code;
}

static void get_mask(struct reader *from, struct prune_tensor *tensor)
{
    size_t bytes = (tensor->n + 7) / 8;
    if (from->short_of || bytes > from->n - from->at) {
        from->short_of = 1;
        return;
    }
    tensor->active = 0;
    for (size_t i = 0; i < tensor->n; i++) {
        tensor->mask[i] = from->bytes[from->at + i / 8] >> (i % 8) & 1;
        tensor->active += tensor->mask[i];
    }
    from->at += bytes;
}

static int other_network(const struct reader *from)
{
    return prune_fail(PRUNE_ERR_SHAPE, "%s is the state of another network", from->path);
}

static int get_all(struct reader *from, struct prune_state *state, struct prune_tensor *tensors, int n_tensors, const struct prune_array *arrays, int n_arrays)
{
    char settings[sizeof state->settings] = { 0 };
    state->seed = get_u64(from);
    state->threads = (int32_t)get_u32(from);
    state->step = (int32_t)get_u32(from);
    state->optimizer_t = (int32_t)get_u32(from);
    get(from, &state->best_top1, sizeof state->best_top1);
    get(from, &state->loss_sum, sizeof state->loss_sum);
    state->loss_iterations = get_u64(from);
    uint32_t length = get_u32(from);
    if (length >= sizeof settings) return prune_fail(PRUNE_ERR_FORMAT, "%s is damaged", from->path);
    get(from, settings, length);
    if (strcmp(settings, state->settings)) {
        memcpy(state->settings, settings, sizeof settings);
        return PRUNE_OTHER_SETTINGS;
    }
    if (get_u32(from) != (uint32_t)n_tensors) return other_network(from);
    for (int i = 0; i < n_tensors; i++) {
        uint32_t layer = get_u32(from);
        if (layer != (uint32_t)tensors[i].layer || get_u64(from) != tensors[i].n) return other_network(from);
        get_mask(from, &tensors[i]);
    }
    if (get_u32(from) != (uint32_t)n_arrays) return other_network(from);
    for (int i = 0; i < n_arrays; i++) {
        const struct prune_array *array = &arrays[i];
        uint32_t layer = get_u32(from), role = get_u32(from);
        if (layer != (uint32_t)array->layer || role != (uint32_t)array->role || get_u64(from) != count_stored(array)) return other_network(from);
        for (size_t j = 0; j < array->n; j++) {
            if (stored(array, j)) get(from, &array->values[j], sizeof array->values[j]);
            else array->values[j] = 0;
        }
    }
    if (from->short_of || from->at != from->n) return prune_fail(PRUNE_ERR_FORMAT, "%s is damaged", from->path);
    return PRUNE_TAKEN;
}

static int belongs(struct reader *from, const struct prune_fingerprint *print)
{
    uint64_t bytes = get_u64(from);
    uint32_t crc = get_u32(from);
    return bytes == print->bytes && crc == print->crc;
}

/* The .prune file's own name and its temporary one; the caller frees both. */
static int names_for(const char *weights, char **path, char **temporary)
{
    *path = prune_state_path(weights);
    *temporary = *path ? malloc(strlen(*path) + sizeof ".tmp") : NULL;
    if (!*temporary) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    sprintf(*temporary, "%s.tmp", *path);
    return PRUNE_OK;
}

int prune_state_adopt(const char *weights)
{
    struct reader from = { 0 };
    struct prune_fingerprint print;
    char *path = NULL, *temporary = NULL;
    int code = names_for(weights, &path, &temporary);
    if (code) goto done;
    if (access(weights, R_OK) || open_reader(&from, temporary, 1) != 1) goto done;
    if ((code = prune_fingerprint_take(&print, weights))) goto done;
    if (belongs(&from, &print) && rename(temporary, path))
        code = prune_fail(PRUNE_ERR_IO, "cannot rename %s to %s: %s", temporary, path, strerror(errno));
done:
    free(from.bytes);
    free(path);
    free(temporary);
    return code;
}

int prune_state_read(struct prune_state *state, const char *weights, struct prune_tensor *tensors, int n_tensors, const struct prune_array *arrays, int n_arrays)
{
    struct reader from = { 0 };
    struct prune_fingerprint print;
    char *path = NULL, *temporary = NULL;
    int code = names_for(weights, &path, &temporary);
    if (code) goto done;
    if ((code = prune_fingerprint_take(&print, weights))) goto done;

    int first = open_reader(&from, path, 0);
    if (first < 0) {
        code = first;
        goto done;
    }
    if (first == 1 && belongs(&from, &print)) {
        code = get_all(&from, state, tensors, n_tensors, arrays, n_arrays);
        goto done;
    }
    free(from.bytes);
    if (open_reader(&from, temporary, 1) == 1 && belongs(&from, &print)) {
        code = get_all(&from, state, tensors, n_tensors, arrays, n_arrays);
        goto done;
    }
    code = first == 0 ? PRUNE_ABSENT
                      : prune_fail(PRUNE_ERR_SHAPE, "%s does not belong to %s (it was saved with other weights): remove it to take the masks from the zeros", path, weights);
done:
    free(from.bytes);
    free(path);
    free(temporary);
    return code;
}
