/* prefix_code.c - Huffman codes of limited length: their lengths, words, and the table that decodes them */
#include "packing.h"

#include <string.h>

enum { SYMBOLS = 256, BITS_MOST = PRUNE_CODE_BITS_MOST };

struct leaf {
    uint64_t count;
    int symbol;
};

/* By count, then by symbol: the same counts give the same code everywhere. */
static int list_leaves(const uint64_t counts[SYMBOLS], struct leaf leaves[SYMBOLS])
{
    int n = 0;
    for (int s = 0; s < SYMBOLS; s++) {
        if (!counts[s]) continue;
        int at = n++;
        for (; at > 0 && leaves[at - 1].count > counts[s]; at--) leaves[at] = leaves[at - 1];
        leaves[at] = (struct leaf){ counts[s], s };
    }
    return n;
}

/* Each level's list is the leaves merged with the pairs of the level below; the code is in the first 2(n-1) of the last. Going back down, the leaves among those that are taken are the
 * rarest ones, and each gets a bit. */
void prune_code_lengths(const uint64_t counts[SYMBOLS], uint8_t lengths[SYMBOLS])
{
    struct leaf leaves[SYMBOLS];
    uint64_t list[2 * SYMBOLS], below[2 * SYMBOLS];
    uint8_t is_leaf[BITS_MOST][2 * SYMBOLS];
    int n = list_leaves(counts, leaves), n_below = 0;
    memset(lengths, 0, SYMBOLS);
    if (n == 1) lengths[leaves[0].symbol] = 1;
    if (n < 2) return;
    for (int level = 0; level < BITS_MOST; level++) {
        int leaf = 0, pair = 0, size = 0;
        while (leaf < n || pair + 1 < n_below) {
            uint64_t of_pair = pair + 1 < n_below ? below[pair] + below[pair + 1] : UINT64_MAX;
            int takes_leaf = leaf < n && leaves[leaf].count <= of_pair;
            is_leaf[level][size] = (uint8_t)takes_leaf;
            list[size++] = takes_leaf ? leaves[leaf].count : of_pair;
            if (takes_leaf) leaf++;
            else pair += 2;
        }
        memcpy(below, list, (size_t)size * sizeof *below);
        n_below = size;
    }
    int taken = 2 * (n - 1);
    for (int level = BITS_MOST - 1; level >= 0; level--) {
        int from_leaves = 0;
        for (int i = 0; i < taken; i++) from_leaves += is_leaf[level][i];
        for (int i = 0; i < from_leaves; i++) lengths[leaves[i].symbol]++;
        taken = 2 * (taken - from_leaves);
    }
}

static int count_symbols(const uint8_t lengths[SYMBOLS])
{
    int n = 0;
    for (int s = 0; s < SYMBOLS; s++) n += lengths[s] > 0;
    return n;
}

void prune_code_words(const uint8_t lengths[SYMBOLS], uint16_t words[SYMBOLS])
{
    unsigned code = 0;
    memset(words, 0, SYMBOLS * sizeof *words);
    for (int length = 1; length <= BITS_MOST; length++, code *= 2) {
        for (int s = 0; s < SYMBOLS; s++) {
            if (lengths[s] != length) continue;
            for (int bit = 0; bit < length; bit++) words[s] |= (uint16_t)((code >> bit & 1) << (length - 1 - bit));
            code++;
        }
    }
}

int prune_code_table(const uint8_t lengths[SYMBOLS], uint16_t table[1 << BITS_MOST])
{
    uint16_t words[SYMBOLS];
    unsigned filled = 0;
    int only = count_symbols(lengths) == 1;
    for (int s = 0; s < SYMBOLS; s++) {
        if (lengths[s] > BITS_MOST || (only && lengths[s] > 1)) return 0;
        if (lengths[s]) filled += only ? 1U << BITS_MOST : 1U << (BITS_MOST - lengths[s]);
    }
    if (filled != 1U << BITS_MOST) return 0;
    prune_code_words(lengths, words);
    for (int s = 0; s < SYMBOLS; s++) {
        if (!lengths[s]) continue;
        int bits = only ? 0 : lengths[s];
        for (unsigned i = only ? 0 : words[s]; i < 1U << BITS_MOST; i += 1U << bits) table[i] = (uint16_t)(s << 4 | bits);
    }
    return 1;
}
