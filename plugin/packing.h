/* packing.h - what the writer and the reader of packed weights share (docs/pweights.md) */
#ifndef PRUNE_PACKING_H
#define PRUNE_PACKING_H

#include "prune.h"

#define PACKED_MAGIC "PW\xff\xff\r\n\x1a\n"

enum {
    MAGIC_BYTES = 8, SECTION_BYTES = 8, HEADER_BYTES = 48, PACKED_VERSION = 1,
    CHUNK_WEIGHTS = 1 << 18, TILE_MOST = 1 << 12, LAYER_MOST = 1 << 20, NAME_MOST = 32
};
#define PACKED_HEAD_BYTES (MAGIC_BYTES + SECTION_BYTES + HEADER_BYTES)
#define SECTION_MOST (UINT32_C(1) << 28)

enum { VALUES_F32, VALUES_F16, VALUES_CODEBOOK };
enum { FLAG_LIVE_ROWS = 1, FLAG_LIVE_COLUMNS = 2, FLAG_TRANSPOSED = 4 };
enum { POSITIONS_ALL, POSITIONS_BITMAP, POSITIONS_GAPS };

/* Bits that a number of an entry takes where it is not coded. */
static inline int prune_entry_bits(int n_entries)
{
    int bits = 0;
    while (1 << bits < n_entries) bits++;
    return bits;
}

/* CRC-32C of bytes behind those that `crc` is of; 0 to begin with. */
uint32_t prune_crc32c(uint32_t crc, const void *bytes, size_t n);

/* The fingerprint's text goes on with a layer's line. */
uint32_t prune_packed_line(uint32_t crc, int layer, const char *name, const struct prune_part *parts, int n_parts);

/* The bits of the binary16 that is exactly the float with these bits, if there is one. */
int prune_half_exact(uint32_t bits, uint16_t *half);
uint32_t prune_half_widen(uint16_t half);

enum { ANS_SCALE_LEAST = 8, ANS_SCALE_MOST = 12, ANS_HEAD_BITS = 24, ANS_STATE_BITS = 32 };
#define ANS_LOW (UINT32_C(1) << 16)     /* the state is never below it between symbols; it begins (encoding) and ends (decoding) there */

struct prune_ans {              /* how often each symbol is thought to occur, of 2^scale */
    int first, last;            /* symbols outside of these do not occur; equal: there is only that one, and it takes no bits */
    int scale;
    uint16_t frequencies[256];
    uint16_t starts[256];       /* prune_ans_table: the sum of those before */
    uint8_t symbol_of[1 << ANS_SCALE_MOST];
};

/* The code that takes the fewest bits together with its own table; returns about how many. UINT64_MAX: there is no symbol. */
uint64_t prune_ans_choose(const uint64_t counts[256], struct prune_ans *code);

/* Fills starts and symbol_of. Returns 0 if the frequencies do not come to 2^scale. */
int prune_ans_table(struct prune_ans *code);

/* For a code with more than one symbol. words: room for n; they, and the state before them, are what the decoder reads. */
void prune_ans_encode(const struct prune_ans *code, const uint8_t *symbols, size_t n, uint16_t *words, size_t *n_words, uint32_t *state);

/* The decoder's step: the symbol in the state; where the result is below ANS_LOW, the next word is to be shifted in from below. */
static inline uint32_t prune_ans_step(const struct prune_ans *code, uint32_t *state)
{
    uint32_t slot = *state & ((1U << code->scale) - 1), symbol = code->symbol_of[slot];
    *state = code->frequencies[symbol] * (*state >> code->scale) + slot - code->starts[symbol];
    return symbol;
}

#endif
