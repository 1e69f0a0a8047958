/* test_quantise.c - binary16: against the nearest of all halves, searched for in double */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "prune.h"
#include "random.h"

enum { HALVES = 0x7c00 };       /* that are finite, without sign; the last is 65504 */

static double halves[HALVES + 1];       /* and what would come next, 65536 */

static int list_halves(void **state)
{
    (void)state;
    for (int i = 0; i <= HALVES; i++) halves[i] = i < 1024 ? ldexp(i, -24) : ldexp(1024 + i % 1024, i / 1024 - 25);
    return 0;
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The nearest half, of two equally near ones the one with an even number; negative when it is beyond the last. */
static double twin(double size)
{
    int best = 0, low = 0, high = HALVES;
    while (low < high) {                        /* the last that is not above */
        int middle = (low + high + 1) / 2;
        if (halves[middle] <= size) low = middle;
        else high = middle - 1;
    }
    for (int i = low; i <= low + 1 && i <= HALVES; i++) {
        double distance = fabs(halves[i] - size), before = fabs(halves[best] - size);
        if (i == low || distance < before || (!(distance > before) && i % 2 == 0)) best = i;
    }
    return best == HALVES ? -1 : halves[best];
}

static void check_one(float x)
{
    float made = x;
    int taken = prune_quantise_half(&made, 1);
    double expected = isfinite(x) ? twin(fabs((double)x)) : -1;
    assert_int_equal(taken, expected >= 0);
    if (!taken) assert_int_equal(bits_of(made), bits_of(x));
    else assert_int_equal(bits_of(made), bits_of((float)expected) | (bits_of(x) & 0x80000000));
}

static void all_halves_stay(void **state)
{
    (void)state;
    for (int i = 0; i < HALVES; i++) {
        float positive = (float)halves[i], negative = -positive;
        assert_true(prune_quantise_half(&positive, 1) && prune_quantise_half(&negative, 1));
        assert_int_equal(bits_of(positive), bits_of((float)halves[i]));
        assert_int_equal(bits_of(negative), bits_of((float)-halves[i]));
    }
}

/* Half-way between two neighbours, and the floats around it. */
static void ties_go_to_the_even_one(void **state)
{
    (void)state;
    for (int i = 0; i < HALVES; i++) {
        float middle = (float)((halves[i] + halves[i + 1]) / 2);        /* exactly */
        for (int sign = 0; sign < 2; sign++)
            for (uint32_t step = 0; step < 3; step++) check_one(float_of((bits_of(middle) - 1 + step) | (uint32_t)sign << 31));
    }
    float tie = 0x1p-25F;                       /* half of the least one: 0 is even */
    assert_true(prune_quantise_half(&tie, 1));
    assert_int_equal(bits_of(tie), 0);
    tie = 1 + 0x1p-11F;
    assert_true(prune_quantise_half(&tie, 1));
    assert_true(tie == 1);
    tie = 1 + 3 * 0x1p-11F;
    assert_true(prune_quantise_half(&tie, 1));
    assert_true(tie == 1 + 0x1p-9F);
}

static void any_bits_become_the_nearest_half(void **state)
{
    (void)state;
    random_seed(1);
    for (int i = 0; i < 2000000; i++) check_one(float_of((uint32_t)random_bits()));
    for (int i = 0; i < 2000000; i++)           /* exponents from 2^-27 to 2^17 */
        check_one(float_of((uint32_t)(random_bits() & 0x807fffff) | (uint32_t)(100 + random_below(45)) << 23));
}

static void zeros_and_subnormals_keep_their_sign(void **state)
{
    (void)state;
    float values[] = { 0, -0.0F, 1e-45F, -1e-45F, 0x1p-24F, -0x1p-24F, 1.5F * 0x1p-25F, -0x1p-14F };
    const float expected[] = { 0, -0.0F, 0, -0.0F, 0x1p-24F, -0x1p-24F, 0x1p-24F, -0x1p-14F };
    assert_int_equal(prune_quantise_half(values, 8), 1);
    assert_memory_equal(values, expected, sizeof expected);
}

static void what_is_too_large_leaves_the_array_as_it_is(void **state)
{
    (void)state;
    const float fit[] = { 65504, 65519, 65519.99F, -65519.99F }, not[] = { 65520, -65520, 65536, 3.4e38F, -3.4e38F, INFINITY, -INFINITY, NAN, -NAN };
    for (size_t i = 0; i < sizeof fit / sizeof *fit; i++) {
        float value = fit[i];
        assert_int_equal(prune_quantise_half(&value, 1), 1);
        assert_true(fabsf(value) == 65504);
    }
    for (size_t i = 0; i < sizeof not / sizeof *not; i++)
        for (size_t at = 0; at < 5; at++) {
            float values[5] = { 0.1F, -0.2F, 1e-9F, 1234.567F, 3 }, before[5];
            values[at] = not[i];
            memcpy(before, values, sizeof before);
            assert_int_equal(prune_quantise_half(values, 5), 0);
            assert_memory_equal(values, before, sizeof before);
        }
    assert_int_equal(prune_quantise_half(NULL, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_halves_stay),
        cmocka_unit_test(ties_go_to_the_even_one),
        cmocka_unit_test(any_bits_become_the_nearest_half),
        cmocka_unit_test(zeros_and_subnormals_keep_their_sign),
        cmocka_unit_test(what_is_too_large_leaves_the_array_as_it_is),
    };
    return cmocka_run_group_tests(tests, list_halves, NULL);
}
