/* quantise.c - floats rounded to IEEE 754 binary16
 *
 * In whole numbers alone: what the processor does with subnormal floats depends on how the program was linked (-Ofast switches them off), and a packed file must not.
 */
#include "packing.h"

#include <string.h>

enum { MANTISSA_LOST = 13, LEAST_NORMAL = 113, LEAST = 102 };   /* exponent fields of 2^-14, the least half that is not subnormal, and of 2^-25, which is half of the least one */

static const uint32_t too_large = 0x477ff000;   /* 65520, half-way between the largest half and what would be the next */

/* `size`: bits of a float, without sign, below too_large. */
static uint16_t narrow(uint32_t size)
{
    uint32_t exponent = size >> 23, lost = MANTISSA_LOST, whole = size;
    if (exponent < LEAST) return 0;
    if (exponent < LEAST_NORMAL) {              /* counted in steps of 2^-24 */
        lost = MANTISSA_LOST + LEAST_NORMAL - exponent;
        whole = (size & 0x7fffff) | 0x800000;
    } else {
        whole -= (uint32_t)(LEAST_NORMAL - 1) << 23;
    }
    uint32_t half = 1U << (lost - 1);
    return (uint16_t)((whole + half - 1 + (whole >> lost & 1)) >> lost);    /* a carry out of the mantissa raises the exponent, as it should */
}

int prune_quantise_half(float *values, size_t n)
{
    uint32_t bits;
    for (size_t i = 0; i < n; i++) {
        memcpy(&bits, &values[i], sizeof bits);
        if ((bits & 0x7fffffff) >= too_large) return 0;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(&bits, &values[i], sizeof bits);
        bits = (bits & 0x80000000) | prune_half_widen(narrow(bits & 0x7fffffff));
        memcpy(&values[i], &bits, sizeof bits);
    }
    return 1;
}
