/* half.c - IEEE 754 binary16 where it is exactly a float, and back */
#include "packing.h"

enum { MANTISSA_LOST = 13 };    /* bits of a float's mantissa that a half has not */

int prune_half_exact(uint32_t bits, uint16_t *half)
{
    uint32_t sign = bits >> 16 & 0x8000, exponent = bits >> 23 & 255, mantissa = bits & 0x7fffff;
    uint32_t lost = (1U << MANTISSA_LOST) - 1;
    if (exponent == 0 && mantissa == 0) {
        *half = (uint16_t)sign;
        return 1;
    }
    if (exponent == 255 || (exponent >= 113 && exponent <= 142)) {
        uint32_t narrow = exponent == 255 ? 31 : exponent - 112;
        *half = (uint16_t)(sign | narrow << 10 | mantissa >> MANTISSA_LOST);
        return (mantissa & lost) == 0;
    }
    if (exponent < 103 || exponent > 112) return 0;
    uint32_t shift = 126 - exponent, whole = mantissa | 0x800000;  /* a multiple of 2^-24, the least half there is */
    *half = (uint16_t)(sign | whole >> shift);
    return (whole & ((1U << shift) - 1)) == 0;
}

uint32_t prune_half_widen(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 0x3ff;
    if (exponent == 31) return sign | 0x7f800000 | mantissa << MANTISSA_LOST;
    if (exponent) return sign | (exponent + 112) << 23 | mantissa << MANTISSA_LOST;
    if (!mantissa) return sign;
    exponent = 113;
    for (; !(mantissa & 0x400); mantissa <<= 1) exponent--;
    return sign | exponent << 23 | (mantissa & 0x3ff) << MANTISSA_LOST;
}
