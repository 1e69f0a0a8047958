/* bits.h - bit streams of packed weights: from the least significant bit of the first byte upwards */
#ifndef PRUNE_BITS_H
#define PRUNE_BITS_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------- writing -- */

struct bits_out {
    uint8_t *bytes;
    size_t n, allocated;
    uint64_t pending;           /* `used` bits that are not in bytes yet; fewer than 32 between calls */
    int used;
    int failed;                 /* out of memory: what is put is lost */
};

static inline int bits_reserve(struct bits_out *out, size_t more)
{
    if (out->n + more <= out->allocated) return 1;
    size_t wanted = 2 * (out->n + more) + 64;
    uint8_t *bytes = realloc(out->bytes, wanted);
    if (!bytes) {
        out->failed = 1;
        return 0;
    }
    out->bytes = bytes;
    out->allocated = wanted;
    return 1;
}

/* The n (0..32) low bits of value; the others must be 0. */
static inline void bits_put(struct bits_out *out, uint32_t value, int n)
{
    out->pending |= (uint64_t)value << out->used;
    out->used += n;
    if (out->used < 32) return;
    uint32_t word = htole32((uint32_t)out->pending);
    if (bits_reserve(out, sizeof word)) {
        memcpy(out->bytes + out->n, &word, sizeof word);
        out->n += sizeof word;
    }
    out->pending >>= 32;
    out->used -= 32;
}

/* Pads to a byte. */
static inline void bits_align(struct bits_out *out)
{
    while (out->used > 0 && bits_reserve(out, 1)) {
        out->bytes[out->n++] = (uint8_t)out->pending;
        out->pending >>= 8;
        out->used -= 8;
    }
    out->pending = 0;
    out->used = 0;
}

/* Whole bytes, at a byte's border. */
static inline void bits_append(struct bits_out *out, const void *bytes, size_t n)
{
    if (!n || !bits_reserve(out, n)) return;
    memcpy(out->bytes + out->n, bytes, n);
    out->n += n;
}

/* ------------------------------------------------------------------------------------------------------- reading -- */

struct bits_in {
    const uint8_t *at, *end;
    uint64_t window;            /* `available` bits that are next, lowest first */
    int available;
    int beyond;                 /* zero bits that were made up behind the end */
};

/* 56 bits or more are available afterwards; behind the end they are 0. */
static inline void bits_refill(struct bits_in *in)
{
    if (in->end - in->at >= 8) {
        uint64_t word;
        memcpy(&word, in->at, sizeof word);
        in->window |= le64toh(word) << in->available;
        in->at += (63 - in->available) >> 3;
        in->available |= 56;
        return;
    }
    while (in->available <= 56) {
        if (in->at < in->end) in->window |= (uint64_t)*in->at++ << in->available;
        else in->beyond += 8;
        in->available += 8;
    }
}

/* n (0..32) of the available bits. */
static inline uint32_t bits_take(struct bits_in *in, int n)
{
    uint32_t value = (uint32_t)(in->window & ((UINT64_C(1) << n) - 1));
    in->window >>= n;
    in->available -= n;
    return value;
}

/* Whether more was taken than there was. */
static inline int bits_overrun(const struct bits_in *in)
{
    return in->beyond > in->available;
}

/* Goes on at the next byte. Returns 0 if a bit that is left out is not 0. */
static inline int bits_next_byte(struct bits_in *in)
{
    return bits_take(in, in->available & 7) == 0;
}

/* Whole bytes that are left. */
static inline size_t bits_left(const struct bits_in *in)
{
    return (size_t)(in->end - in->at) + (size_t)(in->available - in->beyond) / 8;
}

#endif
