/* ans.c - range asymmetric numeral systems (Duda, 2013) with a 32-bit state and 16-bit words: symbols in as many bits as their entropy
 *
 * A prefix code would cost 3 % of a file here: exponents of pruned weights have an entropy of about one bit, and no code word is shorter than that.
 * Decoding goes forward through the words, so encoding goes backward through the symbols.
 */
#include "packing.h"

#include <string.h>

enum { SYMBOLS = 256, FRACTION = 16 };

/* 2^16 * log2(n), rounded down somewhere below it: the same on every machine, unlike a library's log2. */
static uint64_t log2_fixed(uint32_t n)
{
    int whole = 31 - __builtin_clz(n);
    uint64_t log = (uint64_t)whole << FRACTION, x = (uint64_t)n << (31 - whole);    /* 1 <= x / 2^31 < 2 */
    for (int bit = FRACTION - 1; bit >= 0; bit--) {
        x = x * x >> 31;
        if (x >> 32) {
            x >>= 1;
            log |= UINT64_C(1) << bit;
        }
    }
    return log;
}

/* Frequencies that come to 2^scale, at least 1 for a symbol that occurs. Returns 0 if there are too many symbols for that. */
static int set_frequencies(const uint64_t counts[SYMBOLS], int scale, uint16_t frequencies[SYMBOLS])
{
    uint64_t total = 0;
    uint32_t sum = 0, whole = 1U << scale;
    int used = 0;
    for (int s = 0; s < SYMBOLS; s++) {
        total += counts[s];
        used += counts[s] > 0;
    }
    if ((uint32_t)used > whole / 2) return 0;
    for (int s = 0; s < SYMBOLS; s++) {
        uint64_t share = counts[s] >> 40 ? counts[s] / (total >> scale) : (counts[s] << scale) / total;     /* 64 bits hold it */
        frequencies[s] = (uint16_t)(counts[s] && !share ? 1 : share);
        sum += frequencies[s];
    }
    while (sum != whole) {          /* the largest can best afford it, and gains most from what is over */
        int largest = 0;
        for (int s = 1; s < SYMBOLS; s++)
            if (frequencies[s] > frequencies[largest]) largest = s;
        if (sum < whole) {
            frequencies[largest] = (uint16_t)(frequencies[largest] + (whole - sum));
            sum = whole;
        } else {
            frequencies[largest]--;
            sum--;
        }
    }
    return 1;
}

uint64_t prune_ans_choose(const uint64_t counts[SYMBOLS], struct prune_ans *code)
{
    uint64_t best = UINT64_MAX;
    struct prune_ans other;
    memset(code, 0, sizeof *code);
    memset(&other, 0, sizeof other);
    other.first = SYMBOLS;
    for (int s = 0; s < SYMBOLS; s++) {
        if (!counts[s]) continue;
        if (other.first == SYMBOLS) other.first = s;
        other.last = s;
    }
    if (other.first >= other.last) {        /* one symbol, or none */
        *code = other;
        return other.first < SYMBOLS ? ANS_HEAD_BITS : UINT64_MAX;
    }
    for (other.scale = ANS_SCALE_LEAST; other.scale <= ANS_SCALE_MOST; other.scale++) {
        if (!set_frequencies(counts, other.scale, other.frequencies)) continue;
        uint64_t bits = 0;
        for (int s = other.first; s <= other.last; s++)
            if (counts[s]) bits += counts[s] * (((uint64_t)other.scale << FRACTION) - log2_fixed(other.frequencies[s]));
        bits = (bits >> FRACTION) + ANS_HEAD_BITS + ANS_STATE_BITS + (uint64_t)((other.last - other.first + 1) * other.scale);
        if (bits >= best) continue;
        best = bits;
        *code = other;
    }
    return best;
}

int prune_ans_table(struct prune_ans *code)
{
    uint32_t start = 0;
    if (code->first == code->last) return 1;
    for (int s = code->first; s <= code->last; s++) {
        if (start + code->frequencies[s] > 1U << code->scale) return 0;
        for (uint32_t i = 0; i < code->frequencies[s]; i++) code->symbol_of[start + i] = (uint8_t)s;
        code->starts[s] = (uint16_t)start;
        start += code->frequencies[s];
    }
    return start == 1U << code->scale;
}

void prune_ans_encode(const struct prune_ans *code, const uint8_t *symbols, size_t n, uint16_t *words, size_t *n_words, uint32_t *state)
{
    uint32_t x = ANS_LOW;
    size_t used = 0;
    while (n-- > 0) {
        uint32_t frequency = code->frequencies[symbols[n]];
        if (x >= (uint64_t)frequency << (32 - code->scale)) {
            words[used++] = (uint16_t)x;
            x >>= 16;
        }
        x = (x / frequency << code->scale) + x % frequency + code->starts[symbols[n]];
    }
    for (size_t i = 0; i < used / 2; i++) {         /* the last one is the first to be read */
        uint16_t word = words[i];
        words[i] = words[used - 1 - i];
        words[used - 1 - i] = word;
    }
    *n_words = used;
    *state = x;
}
