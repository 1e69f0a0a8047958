/* test_packing.c - what packed weights are made of: checksum, prefix code, binary16, bit streams; each against a slow twin */
#include "reading.h"
#include "random.h"

#include "bits.h"
#include "packing.h"

#include <math.h>

/* ------------------------------------------------------------------------------------------------------- checksum -- */

static uint32_t crc_bit_by_bit(const uint8_t *bytes, size_t n)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < 8 * n; i++) {
        uint32_t bit = (bytes[i / 8] >> i % 8 ^ crc) & 1;
        crc = crc >> 1 ^ (bit ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

static void checksum_of_the_standard_text(void **state)
{
    (void)state;
    assert_int_equal(prune_crc32c(0, "123456789", 9), 0xe3069283);      /* RFC 3720, B.4 has others of the same polynomial */
    uint8_t zeros[32] = { 0 };
    assert_int_equal(prune_crc32c(0, zeros, 32), 0x8a9136aa);
}

static void checksum_equals_its_twin_at_every_length_and_cut(void **state)
{
    (void)state;
    static uint8_t bytes[6000];
    random_seed(1);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)random_bits();
    for (size_t n = 0; n < sizeof bytes; n += n < 40 || (n > 2030 && n < 2070) ? 1 : 97) {
        assert_int_equal(prune_crc32c(0, bytes, n), crc_bit_by_bit(bytes, n));
        size_t cut = n ? random_below(n) : 0;
        assert_int_equal(prune_crc32c(prune_crc32c(0, bytes, cut), bytes + cut, n - cut), crc_bit_by_bit(bytes, n));
    }
}

/* ---------------------------------------------------------------------------------------------------- prefix code -- */

static uint64_t cost_of(const uint64_t counts[256], const uint8_t lengths[256])
{
    uint64_t sum = 0;
    for (int s = 0; s < 256; s++) sum += counts[s] * lengths[s];
    return sum;
}

/* Huffman's own way: the two rarest become one, until one is left. The cost is the sum of all that was merged. Lengths are not limited. */
static uint64_t huffman_cost(const uint64_t counts[256], int *deepest)
{
    uint64_t list[256], total = 0;
    int depth[256], n = 0;
    for (int s = 0; s < 256; s++)
        if (counts[s]) depth[n] = 0, list[n++] = counts[s];
    for (; n > 1; n--) {
        for (int k = 0; k < 2; k++)
            for (int i = k + 1; i < n; i++)
                if (list[i] < list[k]) {
                    uint64_t count = list[i];
                    int d = depth[i];
                    list[i] = list[k], depth[i] = depth[k];
                    list[k] = count, depth[k] = d;
                }
        list[0] += list[1];
        depth[0] = 1 + (depth[0] > depth[1] ? depth[0] : depth[1]);
        total += list[0];
        list[1] = list[n - 1], depth[1] = depth[n - 1];
    }
    *deepest = n ? depth[0] : 0;
    return total;
}

static void draw_counts(uint64_t counts[256])
{
    memset(counts, 0, 256 * sizeof *counts);
    size_t n = 1 + random_below(256), steepness = random_below(40);
    for (size_t i = 0; i < n; i++) counts[random_below(256)] = 1 + (random_bits() >> (24 + random_below(steepness + 1)));
}

static void code_is_optimal_where_its_limit_does_not_bind(void **state)
{
    (void)state;
    int bound = 0, unbound = 0;
    random_seed(2);
    for (int round = 0; round < 300; round++) {
        uint64_t counts[256];
        uint8_t lengths[256];
        int deepest, used = 0;
        uint32_t kraft = 0;
        draw_counts(counts);
        prune_code_lengths(counts, lengths);
        uint64_t best = huffman_cost(counts, &deepest);
        for (int s = 0; s < 256; s++) {
            assert_int_equal(lengths[s] > 0, counts[s] > 0);
            assert_true(lengths[s] <= PRUNE_CODE_BITS_MOST);
            used += counts[s] > 0;
            kraft += lengths[s] ? 1U << (PRUNE_CODE_BITS_MOST - lengths[s]) : 0;
        }
        if (used == 1) continue;
        assert_int_equal(kraft, 1U << PRUNE_CODE_BITS_MOST);
        if (deepest <= PRUNE_CODE_BITS_MOST) assert_int_equal(cost_of(counts, lengths), best), unbound++;
        else assert_true(cost_of(counts, lengths) >= best), bound++;
    }
    assert_true(bound > 20 && unbound > 20);
}

/* All ways to give 5 symbols lengths of a complete code, by trying them: none is cheaper. The limit is 12, so 5 symbols never meet it; 14 with Fibonacci counts do. */
static void code_at_its_limit_is_no_worse_than_any_complete_one_nearby(void **state)
{
    (void)state;
    uint64_t counts[256] = { 0 };
    uint8_t lengths[256], other[256];
    uint64_t a = 1, b = 1;
    for (int s = 0; s < 16; s++) {
        counts[s] = a;
        b += a;
        a = b - a;
    }
    prune_code_lengths(counts, lengths);
    uint64_t cost = cost_of(counts, lengths);
    int tried = 0;
    /* Complete codes next to it: one leaf is split off another's place (x+1, and two of y+1 become y). */
    for (int x = 0; x < 16; x++)
        for (int y = 0; y < 16; y++)
            for (int z = 0; z < 16; z++) {
                if (x == y || y == z || x == z) continue;
                memcpy(other, lengths, sizeof other);
                other[x]++, other[y]++, other[z]--;
                uint32_t kraft = 0;
                int right = 1;
                for (int s = 0; s < 16; s++) {
                    right &= other[s] >= 1 && other[s] <= PRUNE_CODE_BITS_MOST;
                    kraft += 1U << (PRUNE_CODE_BITS_MOST - (other[s] > 12 ? 12 : other[s]));
                }
                if (!right || kraft > 1U << PRUNE_CODE_BITS_MOST) continue;
                assert_true(cost_of(counts, other) >= cost);
                tried++;
            }
    assert_true(tried > 10);
}

static void table_decodes_what_words_say(void **state)
{
    (void)state;
    static uint16_t table[1 << PRUNE_CODE_BITS_MOST];
    random_seed(3);
    for (int round = 0; round < 100; round++) {
        uint64_t counts[256];
        uint8_t lengths[256];
        uint16_t words[256];
        draw_counts(counts);
        prune_code_lengths(counts, lengths);
        prune_code_words(lengths, words);
        assert_true(prune_code_table(lengths, table));
        int used = 0;
        for (int s = 0; s < 256; s++) used += lengths[s] > 0;
        for (int s = 0; s < 256; s++) {
            if (!lengths[s]) continue;
            unsigned behind = (unsigned)random_bits() << lengths[s];
            uint16_t entry = table[(words[s] | behind) & ((1U << PRUNE_CODE_BITS_MOST) - 1)];
            assert_int_equal(entry >> 4, s);
            assert_int_equal(entry & 15, used == 1 ? 0 : lengths[s]);
        }
    }
}

static void codes_that_are_not_complete_are_refused(void **state)
{
    (void)state;
    static uint16_t table[1 << PRUNE_CODE_BITS_MOST];
    uint8_t none[256] = { 0 }, two[256] = { 1, 2 }, three[256] = { 1, 1, 1 }, lone[256] = { [7] = 2 }, fine[256] = { 1, 2, 2 }, long_one[256] = { 1, 2, 13, 13 };
    assert_false(prune_code_table(none, table));
    assert_false(prune_code_table(two, table));
    assert_false(prune_code_table(three, table));
    assert_false(prune_code_table(lone, table));
    assert_false(prune_code_table(long_one, table));
    assert_true(prune_code_table(fine, table));
}

/* -------------------------------------------------------------------------------------------------------- binary16 -- */

/* By arithmetic: what a binary16 is worth. */
static float half_value(uint16_t half)
{
    int exponent = half >> 10 & 31, mantissa = half & 0x3ff;
    double value = exponent == 31 ? (mantissa ? NAN : INFINITY) : exponent ? ldexp(1024 + mantissa, exponent - 25) : ldexp(mantissa, -24);
    return (float)(half & 0x8000 ? -value : value);
}

static void every_half_widens_to_its_value_and_comes_back(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint32_t bits = prune_half_widen((uint16_t)h);
        float widened, value = half_value((uint16_t)h);
        uint16_t back;
        memcpy(&widened, &bits, sizeof widened);
        if (isnan(value)) assert_true(isnan(widened));
        else assert_true(widened == value && signbit(widened) == signbit(value));
        assert_true(prune_half_exact(bits, &back));
        assert_int_equal(back, h);
    }
}

static void only_halves_are_exact(void **state)
{
    (void)state;
    random_seed(4);
    int exact = 0;
    for (int round = 0; round < 2000000; round++) {
        uint32_t bits = (uint32_t)random_bits();
        uint16_t half;
        if (round % 2) bits &= ~UINT32_C(0) << random_below(24);        /* short mantissas, to meet some */
        if (round % 4 == 3) bits = (bits & 0x80ffffff) | (uint32_t)(100 + random_below(50)) << 23;
        if (!prune_half_exact(bits, &half)) {
            /* The only candidate is the one with the same sign and, in double, the same value. */
            float value;
            memcpy(&value, &bits, sizeof value);
            double steps = ldexp(fabs((double)value), 24);
            int fits_grid = isfinite(value) && steps == floor(steps) && fabs((double)value) <= 65504;
            if (fits_grid) {
                int exponent;
                frexp((double)value, &exponent);
                double ulps = ldexp(fabs((double)value), 11 - exponent);
                if (ulps == floor(ulps)) fail_msg("%08x is a half", bits);
            }
            continue;
        }
        assert_int_equal(prune_half_widen(half), bits);
        exact++;
    }
    assert_true(exact > 1000);
}

/* ----------------------------------------------------------------------------------------------------- bit streams -- */

static void bits_come_back_and_the_end_is_found(void **state)
{
    (void)state;
    random_seed(5);
    for (int round = 0; round < 200; round++) {
        struct bits_out out = { 0 };
        uint32_t values[400];
        int widths[400], n = 1 + (int)random_below(400);
        for (int i = 0; i < n; i++) {
            widths[i] = (int)random_below(33);
            values[i] = (uint32_t)(random_bits() & ((UINT64_C(1) << widths[i]) - 1));
            bits_put(&out, values[i], widths[i]);
        }
        bits_align(&out);
        assert_false(out.failed);
        uint8_t *exact = malloc(out.n + 1);     /* so that a read behind the end is seen */
        assert_non_null(exact);
        memcpy(exact, out.bytes, out.n);
        struct bits_in in = { .at = exact, .end = exact + out.n };
        for (int i = 0; i < n; i++) {
            bits_refill(&in);
            assert_true(in.available >= 56);
            assert_int_equal(bits_take(&in, widths[i]), values[i]);
        }
        assert_true(bits_next_byte(&in));
        assert_false(bits_overrun(&in));
        assert_int_equal(bits_left(&in), 0);
        bits_refill(&in);
        assert_int_equal(bits_take(&in, 8), 0);
        assert_true(bits_overrun(&in));
        free(exact);
        free(out.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_of_the_standard_text),
        cmocka_unit_test(checksum_equals_its_twin_at_every_length_and_cut),
        cmocka_unit_test(code_is_optimal_where_its_limit_does_not_bind),
        cmocka_unit_test(code_at_its_limit_is_no_worse_than_any_complete_one_nearby),
        cmocka_unit_test(table_decodes_what_words_say),
        cmocka_unit_test(codes_that_are_not_complete_are_refused),
        cmocka_unit_test(every_half_widens_to_its_value_and_comes_back),
        cmocka_unit_test(only_halves_are_exact),
        cmocka_unit_test(bits_come_back_and_the_end_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
