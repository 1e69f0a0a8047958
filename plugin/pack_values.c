/* pack_values.c - how an array's values are written: as f32, as f16, or by a codebook, whichever is smallest and exact */
#include "pack_values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static void price(struct value_form *form, const uint64_t counts[256], uint64_t n)
{
    uint64_t fixed = n * (uint64_t)form->symbol_bits, coded = prune_ans_choose(counts, &form->code);
    form->coded = coded < fixed;
    form->table_bits = form->values == VALUES_CODEBOOK ? 16 + 32 * (uint64_t)form->n_entries : 0;
    form->bits = form->table_bits + n * (uint64_t)form->plain_bits + (form->coded ? coded : fixed);
    if (form->coded) form->table_bits += ANS_HEAD_BITS + (uint64_t)((form->code.last - form->code.first + 1) * form->code.scale + 7) / 8 * 8;
    form->limit_bits = entropy_bits(counts) + (double)n * form->plain_bits;
    if (form->coded) prune_ans_table(&form->code);
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
        other.symbol_bits = prune_entry_bits(other.n_entries);
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
        bits_put(out, (uint32_t)form->code.scale, 8);
        bits_put(out, (uint32_t)form->code.first, 8);
        bits_put(out, (uint32_t)form->code.last, 8);
        for (int s = form->code.first; s <= form->code.last; s++) bits_put(out, form->code.frequencies[s], form->code.scale);
    }
    bits_align(out);
}

void prune_values_put(const struct value_form *form, struct bits_out *out, uint8_t *symbol, uint32_t bits)
{
    uint16_t half = 0;
    uint32_t plain = 0;
    switch (form->values) {
    case VALUES_F32:
        *symbol = (uint8_t)(bits >> 23);
        plain = (bits & 0x7fffff) | bits >> 31 << 23;
        break;
    case VALUES_F16:
        prune_half_exact(bits, &half);
        *symbol = half >> 10 & 31;
        plain = (half & 0x3ffU) | (uint32_t)half >> 15 << 10;
        break;
    default:
        *symbol = form->distinct.index[slot_of(&form->distinct, bits)];
    }
    if (!form->coded) bits_put(out, *symbol, form->symbol_bits);
    bits_put(out, plain, form->plain_bits);
}
