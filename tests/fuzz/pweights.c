/* pweights.c - fuzz target: any bytes as packed weights
 *
 * Every input is read three times: as it is; with checksums and the file's length put right, so that what is behind them is met; and with floats, layers and fingerprint put right too, so that
 * it can be read to its end. Dense and sparse forms must agree, and the stream must give what they give, or fail where they do. The seeds, besides the
 * golden files, were made by tests/pweights_write.py.
 */
#include "packing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { FLOATS_AT = 24, LENGTH_AT = 32, LAYERS_AT = 40, FINGERPRINT_AT = 44 }; /* in the header's payload */

#define MOST_FLOATS (UINT64_C(1) << 20)     /* of a file; more is no fault, but takes time */

static void demand(int truth)
{
    if (!truth) abort();
}

/* ---------------------------------------------------------------------------------------------------- putting right -- */

static uint32_t get_u32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put(uint8_t *at, uint64_t value, int n)
{
    for (int i = 0; i < n; i++) at[i] = (uint8_t)(value >> 8 * i);
}

/* A section that is longer than what is left gets what is left. */
static void mend_sections(uint8_t *bytes, size_t n)
{
    if (n < MAGIC_BYTES + SECTION_BYTES + HEADER_BYTES) return;
    memcpy(bytes, PACKED_MAGIC, MAGIC_BYTES);
    put(bytes + MAGIC_BYTES, HEADER_BYTES, 4);
    put(bytes + MAGIC_BYTES + SECTION_BYTES + LENGTH_AT, n, 8);
    for (size_t at = MAGIC_BYTES; n - at > SECTION_BYTES;) {
        size_t length = get_u32(bytes + at), left = n - at - SECTION_BYTES;
        if (length < 1 || length > left) length = left;
        put(bytes + at, length, 4);
        put(bytes + at + 4, prune_crc32c(prune_crc32c(0, bytes + at, 4), bytes + at + SECTION_BYTES, length), 4);
        at += SECTION_BYTES + length;
    }
}

static void open_memory(const uint8_t *bytes, size_t n, char path[64], int *descriptor)
{
    *descriptor = memfd_create("pweights", 0);
    demand(*descriptor >= 0 && write(*descriptor, bytes, n) == (ssize_t)n);
    snprintf(path, 64, "/proc/self/fd/%d", *descriptor);
}

/* As if the layers that can be read were what the header speaks of. */
static void mend_header(uint8_t *bytes, size_t n)
{
    struct prune_packed packed;
    char path[64];
    int descriptor;
    uint8_t *header = bytes + MAGIC_BYTES + SECTION_BYTES;
    if (n < MAGIC_BYTES + SECTION_BYTES + HEADER_BYTES) return;
    put(header + FLOATS_AT, UINT64_MAX, 8);
    put(header + LAYERS_AT, UINT32_MAX, 4);
    mend_sections(bytes, n);
    open_memory(bytes, n, path, &descriptor);
    if (!prune_packed_open(&packed, path)) {
        while (prune_packed_next(&packed) > 0) continue;
        put(header + FLOATS_AT, packed.floats_read, 8);
        put(header + LAYERS_AT, packed.layers_read, 4);
        put(header + FINGERPRINT_AT, packed.text_crc, 4);
        prune_packed_close(&packed);
    }
    close(descriptor);
    mend_sections(bytes, n);
}

/* ---------------------------------------------------------------------------------------------------------- reading -- */

static uint64_t hash(uint64_t before, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < n; i++) before = (before ^ at[i]) * UINT64_C(0x100000001b3);    /* FNV-1a */
    return before;
}

static void compare(const struct prune_sparse *sparse, const float *dense)
{
    size_t h = sparse->tile_rows, w = sparse->tile_columns, columns = sparse->columns, n = sparse->rows * columns;
    float *made = calloc(n, sizeof *made);
    demand(made && sparse->starts[0] == 0 && sparse->starts[sparse->rows / h] == sparse->n_tiles);
    for (size_t r = 0; r < sparse->rows / h; r++) {
        demand(sparse->starts[r] <= sparse->starts[r + 1]);
        for (size_t t = sparse->starts[r]; t < sparse->starts[r + 1]; t++) {
            demand(sparse->at[t] < columns / w && (t == sparse->starts[r] || sparse->at[t] > sparse->at[t - 1]));
            for (size_t y = 0; y < h; y++) memcpy(made + (r * h + y) * columns + sparse->at[t] * w, sparse->values + (t * h + y) * w, w * sizeof *made);
        }
    }
    demand(!memcmp(made, dense, n * sizeof *made));
    free(made);
}

/* The next array of both readers, in both forms. */
static int read_array(struct prune_packed *one, struct prune_packed *other, const struct prune_part *part, uint64_t *sum)
{
    struct prune_sparse sparse;
    size_t n = (size_t)part->rows * part->columns;
    float *dense = calloc(n, sizeof *dense), *again = calloc(n, sizeof *again);
    demand(dense && again);
    int code = prune_packed_dense(one, dense), other_code = prune_packed_sparse(other, &sparse);
    if (part->transposed) {
        demand(other_code == PRUNE_ERR_UNSUPPORTED);
        demand(prune_packed_dense(other, again) == code);
    } else {
        demand(code == other_code);
        if (!code) compare(&sparse, dense);
        prune_sparse_free(&sparse);
    }
    if (!code) *sum = hash(*sum, dense, n * sizeof *dense);
    free(dense);
    free(again);
    return code;
}

enum end { WHOLE, FAULT, TOO_LARGE };

static enum end read_layer(struct prune_packed *one, struct prune_packed *other, uint64_t *sum)
{
    if (one->floats_read > MOST_FLOATS) return TOO_LARGE;
    demand(one->n_arrays >= 1 && one->n_arrays <= PRUNE_PARTS_MOST && one->n_arrays == other->n_arrays);
    for (int i = 0; i < one->n_arrays; i++)
        if (read_array(one, other, &one->arrays[i].part, sum)) return FAULT;
    return WHOLE;
}

/* Both readers side by side to the end, or to the first fault. */
static enum end read_both(const char *path, uint64_t *sum)
{
    struct prune_packed one, other;
    enum end end = WHOLE;
    int more = 0, code = prune_packed_open(&one, path);
    demand(prune_packed_open(&other, path) == code);
    if (code) return FAULT;
    while (end == WHOLE && (more = prune_packed_next(&one)) > 0) {
        demand(prune_packed_next(&other) == more);
        end = read_layer(&one, &other, sum);
    }
    if (end == WHOLE) demand(prune_packed_next(&other) == more);
    if (more < 0) end = FAULT;
    prune_packed_close(&one);
    prune_packed_close(&other);
    return end;
}

/* The stream in pieces of odd lengths: what it gives behind the header. */
static enum end read_stream(const char *path, uint64_t *sum)
{
    struct prune_unpacking unpacking;
    uint8_t buffer[1013];
    if (prune_unpack_open(&unpacking, path)) return FAULT;
    size_t header = prune_weights_header_bytes(unpacking.packed.major, unpacking.packed.minor);
    long got = prune_unpack_read(&unpacking, buffer, header);
    demand(got < 0 || got == (long)header);
    while (got > 0) {
        got = prune_unpack_read(&unpacking, buffer, sizeof buffer);
        if (got > 0) *sum = hash(*sum, buffer, (size_t)got);
    }
    prune_unpack_close(&unpacking);
    return got < 0 ? FAULT : WHOLE;
}

static void try_bytes(const uint8_t *bytes, size_t n)
{
    char path[64];
    int descriptor;
    uint64_t sum = 0, stream_sum = 0;
    open_memory(bytes, n, path, &descriptor);
    enum end end = read_both(path, &sum);
    if (end != TOO_LARGE) demand(read_stream(path, &stream_sum) == end);
    if (end == WHOLE) demand(sum == stream_sum);
    close(descriptor);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    uint8_t *mended = malloc(n + 1);
    demand(mended != NULL);
    try_bytes(bytes, n);
    if (n) memcpy(mended, bytes, n);
    mend_sections(mended, n);
    try_bytes(mended, n);
    mend_header(mended, n);
    try_bytes(mended, n);
    free(mended);
    return 0;
}
