/* packing.h - what the writer and the reader of packed weights share (docs/pweights.md) */
#ifndef PRUNE_PACKING_H
#define PRUNE_PACKING_H

#include "prune.h"

#define PACKED_MAGIC "PW\xff\xff\r\n\x1a\n"

enum {
    MAGIC_BYTES = 8, SECTION_BYTES = 8, HEADER_BYTES = 48, PACKED_VERSION = 1,
    CHUNK_WEIGHTS = 1 << 18, TILE_MOST = 1 << 12, LAYER_MOST = 1 << 20, NAME_MOST = 32
};
#define SECTION_MOST (UINT32_C(1) << 28)

enum { VALUES_F32, VALUES_F16, VALUES_CODEBOOK };
enum { FLAG_LIVE_ROWS = 1, FLAG_LIVE_COLUMNS = 2, FLAG_TRANSPOSED = 4 };
enum { POSITIONS_ALL, POSITIONS_BITMAP, POSITIONS_GAPS };

/* CRC-32C of bytes behind those that `crc` is of; 0 to begin with. */
uint32_t prune_crc32c(uint32_t crc, const void *bytes, size_t n);

/* The fingerprint's text goes on with a layer's line. */
uint32_t prune_packed_line(uint32_t crc, int layer, const char *name, const struct prune_part *parts, int n_parts);

/* The bits of the binary16 that is exactly the float with these bits, if there is one. */
int prune_half_exact(uint32_t bits, uint16_t *half);
uint32_t prune_half_widen(uint16_t half);

/* Lengths of an optimal prefix code of at most PRUNE_CODE_BITS_MOST bits (Larmore and Hirschberg, 1990: package-merge); 0 where the count is 0, 1 for an only symbol. */
void prune_code_lengths(const uint64_t counts[256], uint8_t lengths[256]);

/* Canonical codes, turned so that the first bit to be sent is the lowest. */
void prune_code_words(const uint8_t lengths[256], uint16_t words[256]);

/* entry: symbol << 4 | bits that its code takes, by the next PRUNE_CODE_BITS_MOST bits. Returns 0 if the code is not complete. */
int prune_code_table(const uint8_t lengths[256], uint16_t table[1 << PRUNE_CODE_BITS_MOST]);

#endif
