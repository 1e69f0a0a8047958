/* pack_values.c - how an array's values are written: as f32, as f16, or by a codebook, whichever is smallest and exact */
#include "pack_values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CODE_LENGTH_BITS = 4 };

static uint32_t slot_of(const struct distinct *distinct, uint32_t bits)
{
    uint32_t slot = (bits * UINT32_C(2654435769)) >> 22;        /* Knuth's multiplicative hash; 1024 slots */
    while (distinct->used[slot] && distinct->bits[slot] != bits) slot = (slot + 1) % DISTINCT_SLOTS;
    return slot;
}

static void count_distinct(struct distinct *distinct, uint32_t bits)
{
    uint32_t slot = slot_of(distinct, bits);
    if (!distinct->used[slot]) {
        if (distinct->n++ == PRUNE_CODEBOOK_MOST) return;       /* one too many: there is no codebook */
        distinct->used[slot] = 1;
        distinct->bits[slot] = bits;
    }
    distinct->counts[slot]++;
}

void prune_values_count(struct value_counts *counts, uint32_t bits)
{
    uint16_t half;
    counts->n++;
    counts->f32[bits >> 23 & 255]++;
    if (!counts->not_half) {
        if (prune_half_exact(bits, &half)) counts->f16[half >> 10 & 31]++;
        else counts->not_half = 1;
    }
    if (counts->distinct.n <= PRUNE_CODEBOOK_MOST) count_distinct(&counts->distinct, bits);
}

/* ------------------------------------------------------------------------------------------------------- choosing -- */

/* Bits of all symbols and of the code's own table, coded or not. */
static uint64_t symbols_cost(struct value_form *form, const uint64_t counts[256])
{
    uint64_t n = 0, coded = 0;
    int first = 256, last = 0, used = 0;
    prune_code_lengths(counts, form->lengths);
    for (int s = 0; s < 256; s++) {
        if (!counts[s]) continue;
        if (first == 256) first = s;
        last = s;
        used++;
        n += counts[s];
        coded += counts[s] * form->lengths[s];
    }
    if (used == 1) coded = 0;
    if (used) coded += 16 + 8 * (uint64_t)((last - first) / 2 + 1);
    form->first = first;
    form->last = last;
    form->coded = used > 0 && coded < n * (uint64_t)form->symbol_bits;
    return form->coded ? coded : n * (uint64_t)form->symbol_bits;
}

static double entropy_bits(const uint64_t counts[256])
{
    double sum = 0, n = 0;
    for (int s = 0; s < 256; s++) n += (double)counts[s];
    for (int s = 0; s < 256; s++)
        if (counts[s]) sum -= (double)counts[s] * log2((double)counts[s] / n);
    return sum;
}

static int by_bits(const void *a, const void *b)
{
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void make_entries(struct value_form *form, const struct distinct *distinct, uint64_t counts[256])
{
    memset(counts, 0, 256 * sizeof *counts);
    form->n_entries = 0;
    for (int slot = 0; slot < DISTINCT_SLOTS; slot++)
        if (distinct->used[slot]) form->entries[form->n_entries++] = distinct->bits[slot];
    qsort(form->entries, (size_t)form->n_entries, sizeof *form->entries, by_bits);
    form->distinct = *distinct;
    for (int i = 0; i < form->n_entries; i++) {
        uint32_t slot = slot_of(distinct, form->entries[i]);
        form->distinct.index[slot] = (uint8_t)i;
        counts[i] = distinct->counts[slot];
    }
}

static int width_of(int n_entries)
{
    int width = 0;
    while (1 << width < n_entries) width++;
    return width;
}

static void price(struct value_form *form, const uint64_t counts[256], uint64_t n)
{
    form->bits = symbols_cost(form, counts) + n * (uint64_t)form->plain_bits + 32 * (uint64_t)form->n_entries + (form->values == VALUES_CODEBOOK ? 16 : 0);
    form->limit_bits = entropy_bits(counts) + (double)n * form->plain_bits;
    if (form->coded) prune_code_words(form->lengths, form->words);
    if (form->coded && form->first == form->last) form->only = 1;
}

void prune_values_choose(struct value_form *form, const struct value_counts *counts)
{
    *form = (struct value_form){ .values = VALUES_F32, .symbol_bits = 8, .plain_bits = 24 };
    price(form, counts->f32, counts->n);
    if (!counts->not_half) {
        struct value_form other = { .values = VALUES_F16, .symbol_bits = 5, .plain_bits = 11 };
        price(&other, counts->f16, counts->n);
        if (other.bits < form->bits) *form = other;
    }
    if (counts->n && counts->distinct.n <= PRUNE_CODEBOOK_MOST) {
        uint64_t of_entries[256];
        struct value_form other = { .values = VALUES_CODEBOOK };
        make_entries(&other, &counts->distinct, of_entries);
        other.symbol_bits = width_of(other.n_entries);
        price(&other, of_entries, counts->n);
        if (other.bits < form->bits) *form = other;
    }
}

/* -------------------------------------------------------------------------------------------------------- writing -- */

void prune_values_put_tables(const struct value_form *form, struct bits_out *out)
{
    if (form->values == VALUES_CODEBOOK) {
        bits_put(out, (uint32_t)form->n_entries, 16);
        for (int i = 0; i < form->n_entries; i++) bits_put(out, form->entries[i], 32);
    }
    if (form->coded) {
        bits_put(out, (uint32_t)form->first, 8);
        bits_put(out, (uint32_t)form->last, 8);
        for (int s = form->first; s <= form->last; s++) bits_put(out, form->lengths[s], CODE_LENGTH_BITS);
    }
    bits_align(out);
}

static void put_symbol(const struct value_form *form, struct bits_out *out, uint32_t symbol)
{
    if (!form->coded) bits_put(out, symbol, form->symbol_bits);
    else if (!form->only) bits_put(out, form->words[symbol], form->lengths[symbol]);
}

void prune_values_put(const struct value_form *form, struct bits_out *out, uint32_t bits)
{
    uint16_t half = 0;
    switch (form->values) {
    case VALUES_F32:
        put_symbol(form, out, bits >> 23 & 255);
        bits_put(out, (bits & 0x7fffff) | bits >> 31 << 23, 24);
        break;
    case VALUES_F16:
        prune_half_exact(bits, &half);
        put_symbol(form, out, half >> 10 & 31);
        bits_put(out, (half & 0x3ffU) | (uint32_t)half >> 15 << 10, 11);
        break;
    default:
        put_symbol(form, out, form->distinct.index[slot_of(&form->distinct, bits)]);
    }
}
