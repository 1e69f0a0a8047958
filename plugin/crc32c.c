/* crc32c.c - CRC-32C (Castagnoli), eight bytes at a time (slicing: Kounavis and Berry, 2005)
 *
 * Its tables are made anew for each call that is long enough: some microseconds, against no table in the source and none that threads share.
 */
#include "packing.h"

#include <endian.h>
#include <string.h>

#define POLYNOMIAL UINT32_C(0x82f63b78)

enum { WORTH_TABLES = 2048 };

static uint32_t shift_byte(uint32_t crc)
{
    for (int i = 0; i < 8; i++) crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
    return crc;
}

/* tables[j][b]: what byte b does to the checksum with j bytes behind it. */
static void make_tables(uint32_t tables[8][256])
{
    for (uint32_t b = 0; b < 256; b++) tables[0][b] = shift_byte(b);
    for (int j = 1; j < 8; j++)
        for (int b = 0; b < 256; b++) tables[j][b] = tables[j - 1][b] >> 8 ^ tables[0][tables[j - 1][b] & 255];
}

uint32_t prune_crc32c(uint32_t crc, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    crc = ~crc;
    if (n >= WORTH_TABLES) {
        uint32_t t[8][256];
        make_tables(t);
        for (; n >= 8; n -= 8, at += 8) {
            uint64_t word;
            memcpy(&word, at, sizeof word);
            word = le64toh(word) ^ crc;
            crc = t[7][word & 255] ^ t[6][word >> 8 & 255] ^ t[5][word >> 16 & 255] ^ t[4][word >> 24 & 255] ^ t[3][word >> 32 & 255] ^ t[2][word >> 40 & 255] ^
                  t[1][word >> 48 & 255] ^ t[0][word >> 56];
        }
    }
    for (; n; n--) crc = crc >> 8 ^ shift_byte((crc ^ *at++) & 255);
    return ~crc;
}
