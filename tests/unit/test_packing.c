/* test_packing.c - what packed weights are made of: checksum, rANS code, binary16, bit streams; each against a slow twin */
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

/* ------------------------------------------------------------------------------------------------------ rANS code -- */

static void draw_counts(uint64_t counts[256])
{
    memset(counts, 0, 256 * sizeof *counts);
    size_t n = 1 + random_below(256), steepness = random_below(40);
    for (size_t i = 0; i < n; i++) counts[random_below(256)] = 1 + (random_bits() >> (24 + random_below(steepness + 1)));
}

static int count_used(const uint64_t counts[256])
{
    int used = 0;
    for (int s = 0; s < 256; s++) used += counts[s] > 0;
    return used;
}

static void frequencies_are_whole_and_leave_no_symbol_out(void **state)
{
    (void)state;
    static struct prune_ans code;
    random_seed(2);
    for (int round = 0; round < 500; round++) {
        uint64_t counts[256];
        uint32_t sum = 0;
        draw_counts(counts);
        assert_true(prune_ans_choose(counts, &code) < UINT64_MAX);
        if (count_used(counts) == 1) {
            assert_int_equal(code.first, code.last);
            assert_true(counts[code.first] > 0);
            continue;
        }
        for (int s = 0; s < 256; s++) {
            assert_int_equal(code.frequencies[s] > 0, counts[s] > 0);
            sum += code.frequencies[s];
        }
        assert_int_equal(sum, 1U << code.scale);
        assert_true(counts[code.first] && counts[code.last] && prune_ans_table(&code));
    }
    uint64_t none[256] = { 0 };
    assert_true(prune_ans_choose(none, &code) == UINT64_MAX);
}

/* The decoder by its definition: the symbol is searched for, nothing is looked up. */
static int search_symbol(const struct prune_ans *code, uint32_t slot, uint32_t *start)
{
    *start = 0;
    int s = code->first;
    while (slot >= *start + code->frequencies[s]) *start += code->frequencies[s++];
    return s;
}

/* Symbols of a skewed distribution: they come back, by the table and by the definition, and in as many bits as their entropy and a little. */
static void symbols_come_back_in_the_bits_of_their_entropy(void **state)
{
    (void)state;
    static struct prune_ans code;
    enum { MOST = 20000 };
    static uint8_t symbols[MOST];
    static uint16_t words[MOST];
    random_seed(3);
    int close = 0;
    for (int round = 0; round < 200; round++) {
        uint64_t counts[256] = { 0 };
        size_t n = round < 20 ? 1 + random_below(5) : 1 + random_below(MOST), spread = 1 + random_below(60), n_words, at = 0;
        uint32_t first;
        for (size_t i = 0; i < n; i++) {
            symbols[i] = (uint8_t)(100 + (random_below(spread) * random_below(spread) + random_below(2)) % 150);
            counts[symbols[i]]++;
        }
        uint64_t told = prune_ans_choose(counts, &code);
        if (count_used(counts) < 2) continue;
        assert_true(prune_ans_table(&code));
        prune_ans_encode(&code, symbols, n, words, &n_words, &first);
        uint32_t x = first, twin = first;
        for (size_t i = 0; i < n; i++) {
            uint32_t start, slot = twin & ((1U << code.scale) - 1);
            int symbol = search_symbol(&code, slot, &start);
            twin = code.frequencies[symbol] * (twin >> code.scale) + slot - start;
            assert_true(x >= ANS_LOW);
            assert_int_equal(prune_ans_step(&code, &x), symbols[i]);
            assert_int_equal(symbol, symbols[i]);
            assert_int_equal(x, twin);
            if (x < ANS_LOW) {
                assert_true(at < n_words);
                x = twin = x << 16 | words[at++];
            }
        }
        assert_int_equal(at, n_words);
        assert_int_equal(x, ANS_LOW);
        double entropy = 0, table = 24 + (code.last - code.first + 1) * code.scale;
        for (int s = 0; s < 256; s++) entropy -= counts[s] ? (double)counts[s] * log2((double)counts[s] / (double)n) : 0;
        double bits = 32 + 16 * (double)n_words;
        assert_true(bits <= entropy * 1.02 + 64);
        assert_true(fabs((double)told - table - bits) < 24 + .001 * bits);
        close += n > 5000 && bits < entropy * 1.005;
    }
    assert_true(close > 20);
}

static void frequencies_that_are_not_whole_are_refused(void **state)
{
    (void)state;
    static struct prune_ans code;
    code = (struct prune_ans){ .first = 3, .last = 5, .scale = 8, .frequencies = { [3] = 100, [5] = 156 } };
    assert_true(prune_ans_table(&code));
    code.frequencies[4] = 1;
    assert_false(prune_ans_table(&code));
    code.frequencies[4] = 0;
    code.frequencies[5] = 155;
    assert_false(prune_ans_table(&code));
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
        cmocka_unit_test(frequencies_are_whole_and_leave_no_symbol_out),
        cmocka_unit_test(symbols_come_back_in_the_bits_of_their_entropy),
        cmocka_unit_test(frequencies_that_are_not_whole_are_refused),
        cmocka_unit_test(every_half_widens_to_its_value_and_comes_back),
        cmocka_unit_test(only_halves_are_exact),
        cmocka_unit_test(bits_come_back_and_the_end_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
