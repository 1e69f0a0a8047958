/* pack_values.h - statistics of an array's values, and the form in which they are written */
#ifndef PRUNE_PACK_VALUES_H
#define PRUNE_PACK_VALUES_H

#include "bits.h"
#include "packing.h"

enum { DISTINCT_SLOTS = 1024 };

struct distinct {               /* the bits of up to PRUNE_CODEBOOK_MOST different values, in a hash table */
    int n;                      /* PRUNE_CODEBOOK_MOST + 1: there are more */
    uint8_t used[DISTINCT_SLOTS], index[DISTINCT_SLOTS];
    uint32_t bits[DISTINCT_SLOTS];
    uint64_t counts[DISTINCT_SLOTS];
};

struct value_counts {
    uint64_t n;
    uint64_t f32[256], f16[256];        /* by exponent field */
    int not_half;               /* some value is no binary16 */
    struct distinct distinct;
};

void prune_values_count(struct value_counts *counts, uint32_t bits);

struct value_form {
    int values;                 /* VALUES_* */
    int symbol_bits, plain_bits;
    int coded;                  /* symbols are coded by `code`; else they take symbol_bits */
    struct prune_ans code;
    uint32_t entries[PRUNE_CODEBOOK_MOST];
    int n_entries;
    struct distinct distinct;
    uint64_t table_bits, bits;  /* of codebook and code; of all values too (with a code: about) */
    double limit_bits;          /* entropy of the symbols, and the plain bits */
};

/* The smallest. */
void prune_values_choose(struct value_form *form, const struct value_counts *counts);

void prune_values_put_tables(const struct value_form *form, struct bits_out *out);

/* The symbol goes to `symbols` if it is coded; all else to `out`. */
void prune_values_put(const struct value_form *form, struct bits_out *out, uint8_t *symbol, uint32_t bits);

#endif
