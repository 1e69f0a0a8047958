/* test_select.c - what units are worth; the histogram's cut against a sort */
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

enum { MOST_TENSORS = 5, MOST_WEIGHTS = 400, MANY = 70001 };

struct bench {
    struct prune_tensor tensors[MOST_TENSORS], *list[MOST_TENSORS];
    float weights[MOST_TENSORS][MOST_WEIGHTS];
    uint8_t mask[MOST_TENSORS][MOST_WEIGHTS];
    int n;
    size_t all;
};

static int descending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x < y) - (x > y);
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Every 32-bit pattern is a key, 0 is no candidate. */
static void key_raw(const struct prune_tensor *tensor, size_t first, size_t n, float bar, uint32_t *keys)
{
    (void)bar;
    for (size_t i = 0; i < n; i++) keys[i] = bits_of(tensor->weights[first + i]);
}

static void key_above_bar(const struct prune_tensor *tensor, size_t first, size_t n, float bar, uint32_t *keys)
{
    for (size_t i = 0; i < n; i++) keys[i] = tensor->weights[first + i] > bar ? bits_of(tensor->weights[first + i]) : 0;
}

static uint32_t key_at(prune_key_function key, const struct prune_tensor *tensor, size_t i, float bar)
{
    uint32_t one;
    key(tensor, i, 1, bar, &one);
    return one;
}

static uint32_t active_key(const struct prune_tensor *tensor, size_t i)
{
    return key_at(prune_key_active, tensor, i, 0);
}

static void check_cut(struct bench *bench, prune_key_function key, float bar, size_t k)
{
    static uint32_t keys[2 * MANY];
    size_t n = 0, above = 0;
    for (int t = 0; t < bench->n; t++)
        for (size_t i = 0; i < bench->tensors[t].n; i++) {      /* every weight has the key of its unit */
            uint32_t x = key_at(key, &bench->tensors[t], bench->tensors[t].unit ? i / (size_t)bench->tensors[t].unit : i, bar);
            if (x) keys[n++] = x;
        }
    qsort(keys, n, sizeof *keys, descending);
    struct prune_cut cut;
    memset(&cut, 0x5a, sizeof cut);
    prune_select_cut(bench->list, bench->n, key, bar, k, &cut);
    assert_int_equal(cut.candidates, n);
    if (n <= k) {
        assert_int_equal(cut.key, 0);
        assert_int_equal(cut.above, n);
    } else if (k == 0) {                        /* nothing is above it */
        assert_int_equal(cut.above, 0);
        assert_true(keys[0] <= cut.key);
    } else {
        while (keys[above] > keys[k - 1]) above++;
        assert_int_equal(cut.key, keys[k - 1]);
        assert_int_equal(cut.above, above);
    }
}

static void check_all(struct bench *bench, prune_key_function key, float bar)
{
    size_t ks[] = { 0, 1, 2, bench->all / 2, bench->all ? bench->all - 1 : 0, bench->all, bench->all + 1, SIZE_MAX, 0, 0, 0 };
    for (size_t i = 8; i < 11; i++) ks[i] = random_below(bench->all + 1);
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++) check_cut(bench, key, bar, ks[i]);
}

enum fill { BELL, TIES, ZEROS, DENORMAL, STRANGE, ANY_BITS, NEIGHBOURS, FILLS };

static float draw(enum fill fill)
{
    static const float strange[] = { 0, -0.0F, INFINITY, -INFINITY, NAN, -NAN, 1e-45F, -1e-45F, 3.4028235e38F, 1, -1 };
    uint32_t any = (uint32_t)random_bits();
    float x;
    switch (fill) {
    case BELL: return random_bell();
    case TIES: return (float)(int)random_below(5) - 2;
    case ZEROS: return random_below(10) ? 0 : random_bell();
    case DENORMAL: return (float)random_bell() * 1e-44F;
    case STRANGE: return strange[random_below(sizeof strange / sizeof *strange)];
    case NEIGHBOURS: any = 0x3f800000U + (any & 0x7ff); break;  /* differ only in the last digit of the radix, and its border */
    default: break;
    }
    memcpy(&x, &any, sizeof x);
    return x;
}

static void fill_bench(struct bench *bench, enum fill fill, int largest_unit)
{
    bench->n = (int)random_below(MOST_TENSORS + 1);
    bench->all = 0;
    for (int t = 0; t < bench->n; t++) {
        size_t n = random_below(3) ? random_below(MOST_WEIGHTS + 1) : random_below(3);
        int unit = largest_unit ? 1 + (int)random_below((size_t)largest_unit) : 0;
        if (unit > 1) n -= n % (size_t)unit;
        bench->tensors[t] = (struct prune_tensor){ .n = n, .unit = unit, .weights = bench->weights[t], .mask = bench->mask[t] };
        if (largest_unit) bench->tensors[t].criterion = random_below(2) ? PRUNE_L1 : PRUNE_L2;
        bench->list[t] = &bench->tensors[t];
        bench->all += n;
        for (size_t i = 0; i < n; i++) {
            bench->weights[t][i] = draw(fill);
            bench->mask[t][i] = random_below(4) ? 1 : random_below(2) ? 0 : 2;  /* 2: only inside a step, no candidate */
            if (unit > 1 && i % (size_t)unit) bench->mask[t][i] = bench->mask[t][i - 1];
        }
    }
}

static void cut_is_the_sorted_one(void **state)
{
    (void)state;
    static struct bench bench;
    for (int fill = BELL; fill < FILLS; fill++)
        for (int round = 0; round < 60; round++) {
            random_seed((uint64_t)(1000 * fill + round));
            fill_bench(&bench, fill, 0);
            check_all(&bench, prune_key_active, 0);
            check_all(&bench, key_raw, 0);
            check_all(&bench, key_above_bar, 0.5F);
        }
}

static void cut_of_units_is_the_sorted_one(void **state)
{
    (void)state;
    static struct bench bench;
    for (int fill = BELL; fill < FILLS; fill++)
        for (int round = 0; round < 60; round++) {
            random_seed((uint64_t)(1000 * fill + round + 500));
            fill_bench(&bench, fill, round % 3 ? 9 : 25);
            check_all(&bench, prune_key_active, 0);
            check_all(&bench, key_above_bar, 0.5F);
        }
}

/* So many units that digits are wide, and more than are looked at together. */
static void cut_of_many_is_the_sorted_one(void **state)
{
    (void)state;
    static struct bench bench;
    static float weights[2][MANY];
    static uint8_t mask[2][MANY];
    for (int fill = BELL; fill < FILLS; fill++) {
        random_seed((uint64_t)(fill + 7000));
        bench.n = 2;
        bench.all = 0;
        for (int t = 0; t < 2; t++) {
            size_t n = t ? 1025 : MANY;
            bench.tensors[t] = (struct prune_tensor){ .n = n, .weights = weights[t], .mask = mask[t] };
            bench.list[t] = &bench.tensors[t];
            bench.all += n;
            for (size_t i = 0; i < n; i++) {
                weights[t][i] = draw((enum fill)fill);
                mask[t][i] = i < n / 2 || random_below(3);      /* first all, as before the first step */
            }
        }
        for (int round = 0; round < 3; round++) {
            check_cut(&bench, prune_key_active, 0, random_below(bench.all / 2));
            check_cut(&bench, key_raw, 0, random_below(bench.all / 2));
        }
        check_cut(&bench, prune_key_active, 0, 0);
        check_cut(&bench, prune_key_active, 0, 1);
        check_cut(&bench, prune_key_active, 0, bench.all);
    }
}

/* Against sums in long double, backwards. */
static void what_units_are_worth(void **state)
{
    (void)state;
    float values[49];
    for (int fill = BELL; fill < FILLS; fill++)
        for (int round = 0; round < 2000; round++) {
            random_seed((uint64_t)(1000 * fill + round));
            size_t unit = 1 + random_below(49);
            long double sizes = 0, squares = 0;
            int nan = 0;
            for (size_t i = unit; i-- > 0;) {
                values[i] = draw((enum fill)fill);
                nan |= isnan(values[i]);
                sizes += fabsl((long double)values[i]);
                squares += (long double)values[i] * (long double)values[i];
            }
            for (int c = PRUNE_MAGNITUDE; c <= PRUNE_L2; c++) {
                float size = prune_tensor_size((enum prune_criterion)c, values, 1, unit, 0), expected = (float)(c == PRUNE_L1 ? sizes : sqrtl(squares));
                assert_true(nan == (isnan(size) != 0));
                if (nan && unit > 1) assert_int_equal(bits_of(size), bits_of(NAN));
                if (unit == 1) assert_int_equal(bits_of(size), bits_of(*values) & 0x7fffffffU);
                if (nan || size == expected) continue;
                assert_true(isfinite(size) && isfinite(expected));
                assert_in_range(bits_of(size) - bits_of(expected) + 1, 0, 2);   /* the last bit, at most */
            }
        }
    /* squares neither overflow nor vanish */
    assert_true(prune_tensor_size(PRUNE_L2, (float[]){ 3e30F, -4e30F }, 1, 2, 0) == 5e30F);
    assert_true(prune_tensor_size(PRUNE_L2, (float[]){ 0, -3e-40F, 0 }, 1, 3, 0) == 3e-40F);
    assert_true(prune_tensor_size(PRUNE_MAGNITUDE, (float[]){ 3, -4 }, 1, 2, 0) == 5);
    assert_true(prune_tensor_size(PRUNE_L1, (float[]){ 3, -4 }, 1, 2, 0) == 7);
    assert_true(isinf(prune_tensor_size(PRUNE_L1, (float[]){ -INFINITY, INFINITY }, 1, 2, 0)));
    /* rows that are apart, and what is between them */
    static const float apart[] = { 1, -2, 99, 4, -8, NAN, 2, 6 };
    assert_true(prune_tensor_size(PRUNE_L1, apart, 3, 2, 3) == 23);
    assert_true(prune_tensor_size(PRUNE_L1, apart, 3, 1, 3) == 7);
    assert_true(prune_tensor_size(PRUNE_L2, apart + 1, 2, 1, 3) == (float)sqrt(68));
    assert_true(prune_tensor_size(PRUNE_L2, apart + 4, 1, 1, 3) == 8);
    assert_true(isnan(prune_tensor_size(PRUNE_L2, apart + 2, 2, 1, 3)));
}

static void keys_of_units(void **state)
{
    (void)state;
    float weights[12] = { 0, -0.0F, 0, 1e-45F, 1.5F, 0, 1.25F, -1, -INFINITY, 0, 0, NAN };
    uint8_t mask[12] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    struct prune_tensor tensor = { .n = 12, .unit = 2, .weights = weights, .mask = mask };
    assert_int_not_equal(active_key(&tensor, 0), 0);    /* zeros are a candidate */
    for (size_t i = 1; i < 6; i++) assert_true(active_key(&tensor, i) > active_key(&tensor, i - 1));
    weights[4] = 1.75F;                         /* against (1.25, -1): more by the root of the squares, less by l1 */
    assert_true(active_key(&tensor, 2) > active_key(&tensor, 3));
    tensor.criterion = PRUNE_L1;
    assert_true(active_key(&tensor, 2) < active_key(&tensor, 3));
    mask[6] = mask[7] = 0;
    mask[8] = mask[9] = 2;
    assert_int_equal(active_key(&tensor, 3), 0);
    assert_int_equal(active_key(&tensor, 4), 0);
    for (int unit = 0; unit < 3; unit++) {
        tensor.unit = unit;
        assert_int_equal(prune_tensor_unit(&tensor), unit < 1 ? 1 : unit);
    }
}

static void active_keys_order_like_magnitudes(void **state)
{
    (void)state;
    float weights[] = { 0, -0.0F, 1e-45F, -3e-45F, -1e-38F, 0.5F, -0.75F, 1, -3.4e38F, INFINITY, NAN };
    uint8_t mask[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    struct prune_tensor tensor = { .n = 11, .weights = weights, .mask = mask };
    assert_int_not_equal(active_key(&tensor, 0), 0);    /* a zero is a candidate */
    assert_int_equal(active_key(&tensor, 0), active_key(&tensor, 1));
    for (size_t i = 2; i < 11; i++) assert_true(active_key(&tensor, i) > active_key(&tensor, i - 1));
    mask[5] = 0;
    mask[6] = 2;
    assert_int_equal(active_key(&tensor, 5), 0);
    assert_int_equal(active_key(&tensor, 6), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_is_the_sorted_one),
        cmocka_unit_test(active_keys_order_like_magnitudes),
        cmocka_unit_test(what_units_are_worth),
        cmocka_unit_test(keys_of_units),
        cmocka_unit_test(cut_of_units_is_the_sorted_one),
        cmocka_unit_test(cut_of_many_is_the_sorted_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
