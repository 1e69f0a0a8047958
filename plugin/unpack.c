/* unpack.c - .pweights as the stream of bytes of the .weights file that it stands for */
#include "packing.h"

#include <stdlib.h>
#include <string.h>

int prune_unpack_open(struct prune_unpacking *unpacking, const char *path)
{
    *unpacking = (struct prune_unpacking){ 0 };
    struct prune_packed *packed = &unpacking->packed;
    int code = prune_packed_open(packed, path);
    if (code) return code;
    const int32_t version[3] = { packed->major, packed->minor, packed->revision };
    uint32_t narrow = (uint32_t)packed->seen;
    memcpy(unpacking->header, version, sizeof version);
    unpacking->bytes = prune_weights_header_bytes(packed->major, packed->minor);
    if (unpacking->bytes == 20) memcpy(unpacking->header + 12, &packed->seen, sizeof packed->seen);
    else memcpy(unpacking->header + 12, &narrow, sizeof narrow);
    return PRUNE_OK;
}

/* The next array becomes what is ready: 1, or 0 when there is none. */
static int next_array(struct prune_unpacking *unpacking)
{
    struct prune_packed *packed = &unpacking->packed;
    if (packed->next_array == packed->n_arrays) {
        int more = prune_packed_next(packed);
        if (more <= 0) return more;
    }
    const struct prune_part *part = &packed->arrays[packed->next_array].part;
    size_t n = (size_t)part->rows * part->columns;
    free(unpacking->floats);
    unpacking->floats = calloc(n, sizeof *unpacking->floats);
    if (!unpacking->floats) return prune_fail(PRUNE_ERR_NOMEM, "%s: no memory for the %zu floats of layer %d", packed->path, n, packed->layer);
    int code = prune_packed_dense(packed, unpacking->floats);
    unpacking->in_array = 1;
    unpacking->bytes = n * sizeof *unpacking->floats;
    unpacking->used = 0;
    return code ? code : 1;
}

long prune_unpack_read(struct prune_unpacking *unpacking, void *buffer, size_t n)
{
    size_t given = 0;
    while (given < n && !unpacking->ended) {
        size_t ready = unpacking->bytes - unpacking->used, part = ready < n - given ? ready : n - given;
        const char *from = unpacking->in_array ? (const char *)unpacking->floats : (const char *)unpacking->header;
        memcpy((char *)buffer + given, from + unpacking->used, part);
        unpacking->used += part;
        given += part;
        if (unpacking->used < unpacking->bytes) continue;
        int more = next_array(unpacking);
        if (more < 0) return more;
        unpacking->ended = !more;
    }
    return (long)given;
}

void prune_unpack_close(struct prune_unpacking *unpacking)
{
    prune_packed_close(&unpacking->packed);
    free(unpacking->floats);
    unpacking->floats = NULL;
}
