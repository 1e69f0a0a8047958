/* dataset.c - data files, and the labelled images they lead to
 *
 * In:  a data file as Darknet's: key=value lines, a line that starts with `#` or `;` is a comment. Blanks are dropped everywhere, the first of two equal keys
 *      counts, unknown keys (names, top, results, ...) are other commands' and ignored: all as Darknet does. Paths are relative to the
 *      current folder.
 * Out: all images of a set and their labels, in memory (idx, cifar), or their paths and classes (list).
 *
 *   idx    big-endian: uint32 0x00000803, n, rows, columns, then n * rows * columns bytes; labels: uint32 0x00000801, n, then n bytes
 *   cifar  records of 1 label byte and 32 * 32 bytes of red, of green, of blue; several files are one set
 *   list   a text file of image paths, one a line; a path's class is the line of `labels` that is a part of it
 *
 * Both binary forms may be gzipped: zlib reads plain files as they are.
 *
 * A header may announce more than any memory holds. So memory grows with what has been read, never with what was announced.
 * Where Darknet reads on over a short file or prints a line and trains with a wrong label, this stops.
 */
#include "prune.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    BYTE_CLASSES_MAX = 256,     /* a label is one byte */
    CIFAR_SIDE = 32,
    CIFAR_CHANNELS = 3,
    CIFAR_IMAGE_BYTES = CIFAR_CHANNELS * CIFAR_SIDE * CIFAR_SIDE,
    CIFAR_RECORD_BYTES = 1 + CIFAR_IMAGE_BYTES,
    CIFAR_CLASSES = 10,
    CIFAR_IMAGES_MAX = 1 << 20, /* 3 GiB */
    IDX_IMAGES = 0x00000803,    /* 08: unsigned bytes; 03: dimensions */
    IDX_LABELS = 0x00000801,
    IDX_HEADER_MAX = 16,
    IDX_SIDE_MAX = 1 << 15,     /* rows * columns fits an int, n * rows * columns 64 bits */
    FIRST_BYTES = 1 << 20,      /* what is allocated before anything was read */
    READ_BYTES = 1 << 17        /* zlib's buffer */
};

/* A gzip file of megabytes can hold terabytes of zeros. 16 GiB is 350 times MNIST. */
static const uint64_t IDX_BYTES_MAX = UINT64_C(1) << 34;

/* ---- text ---- */

static char *copy_text(const char *text)
{
    char *copy = strdup(text);
    if (!copy) prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    return copy;
}

static void free_lines(char **lines, int n)
{
    for (int i = 0; i < n; i++) free(lines[i]);
    free(lines);
}

/* The lines of a text file without their ends. On a fault too, what is in `lines` and `n` is the caller's to free. */
static int read_lines(const char *path, char ***lines, int *n)
{
    char *line = NULL;
    size_t line_room = 0;
    ssize_t length;
    int room = 0, result = PRUNE_OK;

    FILE *file = fopen(path, "r");
    if (!file) return prune_fail(PRUNE_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    while (result == PRUNE_OK && (length = getline(&line, &line_room, file)) >= 0) {
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) line[--length] = '\0';
        if (*n == room) {
            room = room ? 2 * room : 64;
            char **larger = room <= INT_MAX / 2 ? realloc(*lines, (size_t)room * sizeof **lines) : NULL;
            if (!larger) {
                result = prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory for %d lines", path, room);
                break;
            }
            *lines = larger;
        }
        (*lines)[*n] = copy_text(line);
        if ((*lines)[*n]) ++*n;
        else result = PRUNE_ERR_NOMEM;
    }
    if (result == PRUNE_OK && !feof(file)) result = prune_fail(PRUNE_ERR_IO, "%s: cannot read: %s", path, strerror(errno));
    free(line);
    fclose(file);
    return result;
}

/* ---- data file ---- */

static void remove_blanks(char *text)
{
    char *to = text;
    for (; *text; text++)
        if (!isspace((unsigned char)*text)) *to++ = *text;
    *to = '\0';
}

static int parse_classes(struct prune_data *data, const char *text)
{
    char *end;
    const long max = data->format == PRUNE_LIST ? INT_MAX : BYTE_CLASSES_MAX;

    errno = 0;
    const long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < 1 || value > max)
        return prune_fail(PRUNE_ERR_RANGE, "%s: classes=%s: expected a whole number in 1..%ld", data->path, text, max);
    data->classes = (int)value;
    return PRUNE_OK;
}

static int parse_format(struct prune_data *data, const char *text)
{
    if (!text || !strcmp(text, "list")) data->format = PRUNE_LIST;
    else if (!strcmp(text, "idx")) data->format = PRUNE_IDX;
    else if (!strcmp(text, "cifar")) data->format = PRUNE_CIFAR;
    else return prune_fail(PRUNE_ERR_RANGE, "%s: format=%s: expected idx, cifar or list", data->path, text);
    return PRUNE_OK;
}

int prune_data_read(struct prune_data *data, const char *path, int training)
{
    char **lines = NULL, *format = NULL, *classes = NULL;
    int n_lines = 0, result = PRUNE_ERR_NOMEM;
    enum { IDX = 1 << PRUNE_IDX, CIFAR = 1 << PRUNE_CIFAR, LIST = 1 << PRUNE_LIST };
    const int train_idx = training ? IDX : 0, train_any = training ? IDX | CIFAR | LIST : 0;
    const struct { const char *name; char **value; int needed_by; } keys[] = {
        {"format", &format, 0},
        {"classes", &classes, IDX | CIFAR | LIST},
        {"train", &data->train, train_any},
        {"train_labels", &data->train_labels, train_idx},
        {"valid", &data->valid, IDX | CIFAR | LIST},
        {"valid_labels", &data->valid_labels, IDX},
        {"labels", &data->labels, LIST},
        {"backup", &data->backup, 0},
    };
    const size_t n_keys = sizeof keys / sizeof *keys;

    memset(data, 0, sizeof *data);
    data->path = copy_text(path);
    if (!data->path) goto end;
    result = read_lines(path, &lines, &n_lines);
    if (result < 0) goto end;

    for (int i = 0; i < n_lines; i++) {
        char *line = lines[i];
        remove_blanks(line);
        if (!*line || *line == '#' || *line == ';') continue;
        char *value = strchr(line, '=');
        if (!value || value == line || !value[1]) {
            result = prune_fail(PRUNE_ERR_FORMAT, "%s:%d: expected key=value, found '%.80s'", path, i + 1, line);
            goto end;
        }
        *value++ = '\0';
        for (size_t k = 0; k < n_keys; k++) {
            if (strcmp(line, keys[k].name) || *keys[k].value) continue;
            *keys[k].value = copy_text(value);
            if (!*keys[k].value) {
                result = PRUNE_ERR_NOMEM;
                goto end;
            }
        }
    }
    result = parse_format(data, format);
    for (size_t k = 0; k < n_keys && result == PRUNE_OK; k++)
        if (keys[k].needed_by >> data->format & 1 && !*keys[k].value)
            result = prune_fail(PRUNE_ERR_FORMAT, "%s: key '%s' is missing, which format=%s needs", path, keys[k].name, format ? format : "list");
    if (result == PRUNE_OK) result = parse_classes(data, classes);

end:
    free_lines(lines, n_lines);
    free(format);
    free(classes);
    if (result < 0) prune_data_free(data);
    return result;
}

void prune_data_free(struct prune_data *data)
{
    free(data->path);
    free(data->backup);
    free(data->train);
    free(data->train_labels);
    free(data->valid);
    free(data->valid_labels);
    free(data->labels);
    memset(data, 0, sizeof *data);
}

/* ---- bytes, plain or gzipped ---- */

static int open_bytes(gzFile *file, const char *path)
{
    errno = 0;
    *file = gzopen(path, "rb");
    if (!*file) return errno ? prune_fail(PRUNE_ERR_IO, "%s: cannot open: %s", path, strerror(errno)) : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    gzbuffer(*file, READ_BYTES);
    return PRUNE_OK;
}

/* Reads `wanted` bytes, fewer only at the end of the file. */
static int read_bytes(gzFile file, const char *path, uint8_t *bytes, size_t wanted, size_t *found)
{
    int code = Z_OK;

    *found = 0;
    while (*found < wanted) {
        const size_t left = wanted - *found;
        const int got = gzread(file, bytes + *found, left < INT_MAX ? (unsigned)left : INT_MAX);
        if (got <= 0) break;
        *found += (size_t)got;
    }
    if (*found == wanted) return PRUNE_OK;
    const char *message = gzerror(file, &code); /* a gzip stream that breaks off is no error to gzread */
    if (code == Z_OK || code == Z_STREAM_END) return PRUNE_OK;
    if (code == Z_ERRNO) return prune_fail(PRUNE_ERR_IO, "%s: cannot read: %s", path, strerror(errno));
    return prune_fail(PRUNE_ERR_FORMAT, "%s: damaged gzip file: %s", path, message);
}

/* Reads until the file ends or `limit` bytes are there. On a fault too, `bytes` is the caller's to free. */
static int read_rest(gzFile file, const char *path, size_t limit, uint8_t **bytes, size_t *found)
{
    size_t room = 0, got;

    for (*found = 0; *found == room && room < limit; *found += got) {
        room = room ? 2 * room : FIRST_BYTES;
        if (room > limit) room = limit;
        uint8_t *larger = realloc(*bytes, room);
        if (!larger) return prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory for %zu bytes", path, room);
        *bytes = larger;
        const int result = read_bytes(file, path, *bytes + *found, room - *found, &got);
        if (result < 0) return result;
    }
    return PRUNE_OK;
}

/* ---- IDX ---- */

static uint32_t big_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* `sizes`: n, and for images rows and columns; `bytes`: their product. */
static int read_idx_header(gzFile file, const char *path, uint32_t magic, uint32_t *sizes, size_t *bytes)
{
    static const char *const names[] = {"count", "rows", "columns"};
    uint8_t header[IDX_HEADER_MAX];
    const size_t n_sizes = magic & 0xff, header_bytes = 4 + 4 * n_sizes;
    uint64_t product = 1;
    size_t found;

    int result = read_bytes(file, path, header, header_bytes, &found);
    if (result < 0) return result;
    if (found < header_bytes) return prune_fail(PRUNE_ERR_FORMAT, "%s: too short: expected an IDX header of %zu bytes, found %zu", path, header_bytes, found);
    if (big_endian(header) != magic)
        return prune_fail(PRUNE_ERR_FORMAT, "%s: is no IDX file of %s: expected magic 0x%08x, found 0x%08x", path,
                          magic == IDX_IMAGES ? "images" : "labels", magic, big_endian(header));
    for (size_t i = 0; i < n_sizes; i++) {
        const uint32_t max = i ? IDX_SIDE_MAX : INT_MAX;
        sizes[i] = big_endian(header + 4 + 4 * i);
        if (sizes[i] < 1 || sizes[i] > max) return prune_fail(PRUNE_ERR_RANGE, "%s: %s: expected 1..%u, found %u", path, names[i], max, sizes[i]);
        product *= sizes[i];
    }
    if (product > IDX_BYTES_MAX || product >= SIZE_MAX)
        return prune_fail(PRUNE_ERR_RANGE, "%s: expected a header that announces at most %llu bytes, found %llu", path,
                          (unsigned long long)IDX_BYTES_MAX, (unsigned long long)product);
    *bytes = (size_t)product;
    return PRUNE_OK;
}

/* The content has the bytes that the header announces, no fewer and no more. */
static int read_idx(const char *path, uint32_t magic, uint32_t *sizes, uint8_t **content)
{
    gzFile file;
    size_t expected = 0, found = 0;

    int result = open_bytes(&file, path);
    if (result < 0) return result;
    result = read_idx_header(file, path, magic, sizes, &expected);
    if (result == PRUNE_OK) result = read_rest(file, path, expected + 1, content, &found);
    gzclose(file);
    if (result == PRUNE_OK && found != expected)
        result = prune_fail(PRUNE_ERR_FORMAT, "%s: expected %zu bytes after the header, found %s%zu", path, expected,
                            found > expected ? "at least " : "", found);
    return result;
}

static int check_labels(const char *path, const uint8_t *labels, int n, int classes)
{
    for (int i = 0; i < n; i++)
        if (labels[i] >= classes) return prune_fail(PRUNE_ERR_RANGE, "%s: label of image %d: expected 0..%d, found %d", path, i, classes - 1, labels[i]);
    return PRUNE_OK;
}

static int read_idx_set(struct prune_images *images, const char *path, const char *labels_path, int classes)
{
    uint32_t sizes[3], n_labels;

    int result = read_idx(path, IDX_IMAGES, sizes, &images->pixels);
    if (result < 0) return result;
    result = read_idx(labels_path, IDX_LABELS, &n_labels, &images->labels);
    if (result < 0) return result;
    if (sizes[0] != n_labels) return prune_fail(PRUNE_ERR_SHAPE, "%s: expected %u labels, one for each image of %s, found %u", labels_path, sizes[0], path, n_labels);
    images->n = (int)sizes[0];
    images->h = (int)sizes[1];
    images->w = (int)sizes[2];
    images->c = 1;
    return check_labels(labels_path, images->labels, images->n, classes);
}

/* ---- CIFAR ---- */

/* Appends a file's records: labels to labels, pixels to pixels. */
static int append_records(struct prune_images *images, const uint8_t *records, int n)
{
    const size_t before = (size_t)images->n, after = before + (size_t)n;
    uint8_t *pixels = realloc(images->pixels, after * CIFAR_IMAGE_BYTES);
    if (pixels) images->pixels = pixels;
    uint8_t *labels = realloc(images->labels, after);
    if (labels) images->labels = labels;
    if (!pixels || !labels) return prune_fail(PRUNE_ERR_NOMEM, "out of memory for %zu images", after);

    for (size_t i = before; i < after; i++, records += CIFAR_RECORD_BYTES) {
        labels[i] = records[0];
        memcpy(pixels + i * CIFAR_IMAGE_BYTES, records + 1, CIFAR_IMAGE_BYTES);
    }
    images->n = (int)after;
    return PRUNE_OK;
}

static int read_cifar(struct prune_images *images, const char *path, int classes)
{
    uint8_t *records = NULL;
    const int before = images->n, room = CIFAR_IMAGES_MAX - before;
    size_t bytes = 0;
    gzFile file;

    int result = open_bytes(&file, path);
    if (result < 0) return result;
    result = read_rest(file, path, (size_t)room * CIFAR_RECORD_BYTES + 1, &records, &bytes);
    gzclose(file);
    if (result < 0) goto end;
    if (bytes > (size_t)room * CIFAR_RECORD_BYTES)
        result = prune_fail(PRUNE_ERR_RANGE, "%s: expected at most %d images in a set, found more", path, CIFAR_IMAGES_MAX);
    else if (!bytes || bytes % CIFAR_RECORD_BYTES)
        result = prune_fail(PRUNE_ERR_FORMAT, "%s: expected a multiple of %d bytes, found %zu", path, CIFAR_RECORD_BYTES, bytes);
    else result = append_records(images, records, (int)(bytes / CIFAR_RECORD_BYTES));
    if (result == PRUNE_OK) result = check_labels(path, images->labels + before, images->n - before, classes);

end:
    free(records);
    return result;
}

static int read_cifar_set(struct prune_images *images, const char *paths, int classes)
{
    int result = PRUNE_OK;
    char *copy = copy_text(paths), *next = copy;

    if (!copy) return PRUNE_ERR_NOMEM;
    images->w = images->h = CIFAR_SIDE;
    images->c = CIFAR_CHANNELS;
    while (next && result == PRUNE_OK) {
        const char *path = strsep(&next, ",");
        if (*path) result = read_cifar(images, path, classes < CIFAR_CLASSES ? classes : CIFAR_CLASSES);
        else result = prune_fail(PRUNE_ERR_FORMAT, "'%s': expected paths with single commas between them", paths);
    }
    free(copy);
    return result;
}

/* ---- list ---- */

/* Editors and exports leave blank lines behind; Darknet takes one for a label that is a part of every path. */
static int read_entries(const char *path, char ***lines, int *n)
{
    int kept = 0, result = read_lines(path, lines, n);

    for (int i = 0; i < *n; i++) {
        char *line = (*lines)[i];
        if (line[strspn(line, " \t")]) (*lines)[kept++] = line;
        else free(line);
    }
    *n = kept;
    if (result < 0) return result;
    return kept ? PRUNE_OK : prune_fail(PRUNE_ERR_FORMAT, "%s: expected one entry a line, found none", path);
}

/* The one class whose label is a part of the path: Darknet's rule, but without its going on when that is none or several. */
static int class_of_path(const char *path, char *const *labels, int classes, int *class)
{
    *class = -1;
    for (int i = 0; i < classes; i++) {
        if (!strstr(path, labels[i])) continue;
        if (*class >= 0) return prune_fail(PRUNE_ERR_FORMAT, "%s: expected one label in this path, found '%s' and '%s'", path, labels[*class], labels[i]);
        *class = i;
    }
    return *class >= 0 ? PRUNE_OK : prune_fail(PRUNE_ERR_FORMAT, "%s: expected one label in this path, found none of %d", path, classes);
}

static int read_list_set(struct prune_images *images, const char *path, const char *labels_path, int classes)
{
    char **labels = NULL;
    int n_labels = 0;

    int result = read_entries(labels_path, &labels, &n_labels);
    if (result < 0) goto end;
    if (n_labels < classes) {
        result = prune_fail(PRUNE_ERR_SHAPE, "%s: expected %d labels, one a line for each class, found %d", labels_path, classes, n_labels);
        goto end;
    }
    result = read_entries(path, &images->paths, &images->n);
    if (result < 0) goto end;
    images->path_labels = malloc((size_t)images->n * sizeof *images->path_labels);
    if (!images->path_labels) {
        result = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        goto end;
    }
    for (int i = 0; i < images->n && result == PRUNE_OK; i++) result = class_of_path(images->paths[i], labels, classes, &images->path_labels[i]);

end:
    free_lines(labels, n_labels);
    return result;
}

/* ---- all ---- */

int prune_images_read(struct prune_images *images, const struct prune_data *data, int training)
{
    const char *path = training ? data->train : data->valid;
    const char *labels_path = training ? data->train_labels : data->valid_labels;
    int result = PRUNE_ERR_UNSUPPORTED;

    memset(images, 0, sizeof *images);
    switch (data->format) {
    case PRUNE_IDX: result = read_idx_set(images, path, labels_path, data->classes); break;
    case PRUNE_CIFAR: result = read_cifar_set(images, path, data->classes); break;
    case PRUNE_LIST: result = read_list_set(images, path, data->labels, data->classes); break;
    }
    if (result < 0) prune_images_free(images);
    return result;
}

void prune_images_free(struct prune_images *images)
{
    free_lines(images->paths, images->paths ? images->n : 0);
    free(images->pixels);
    free(images->labels);
    free(images->path_labels);
    memset(images, 0, sizeof *images);
}
