/* packed.h - what the two halves of the reader of packed weights share: packed.c reads sections and layers, packed_chunks.c what the arrays hold */
#ifndef PRUNE_PACKED_H
#define PRUNE_PACKED_H

#include "packing.h"

/* "file: damaged at byte n (layer l): <message>" */
int prune_packed_damaged(const struct prune_packed *packed, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The next section, checked, into packed->payload. */
int prune_packed_section(struct prune_packed *packed);

/* Places in a whole chunk of the array. */
static inline uint32_t prune_chunk_places(const struct prune_packed_array *array)
{
    return CHUNK_WEIGHTS / (array->tile_rows * array->tile_columns);
}

static inline uint32_t prune_u16_at(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8;
}

static inline uint32_t prune_u32_at(const uint8_t *bytes)
{
    return prune_u16_at(bytes) | prune_u16_at(bytes + 2) << 16;
}

#endif
