/* test_codebook.c - k-means against plain Lloyd over every weight and centroid; steps against arithmetic by hand; what the entries may never become */
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

enum { MOST_WEIGHTS = 3000 };

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* ------------------------------------------------------------------------------------------------------------ twin -- */

struct twin {
    long double centroids[PRUNE_CODEBOOK_MOST];
    size_t counts[PRUNE_CODEBOOK_MOST];
    int entry[MOST_WEIGHTS];    /* -1: a zero */
};

static void rounds(struct twin *twin, const float *weights, size_t n, int k)
{
    for (int round = 0; round < 300; round++) {
        long double sums[PRUNE_CODEBOOK_MOST] = { 0 };
        int changed = 0;
        memset(twin->counts, 0, sizeof twin->counts);
        for (size_t i = 0; i < n; i++) {
            if (weights[i] == 0) continue;
            int best = 0;
            for (int j = 1; j < k; j++)
                if (fabsl((long double)weights[i] - twin->centroids[j]) < fabsl((long double)weights[i] - twin->centroids[best])) best = j;
            changed |= twin->entry[i] != best;
            twin->entry[i] = best;
            twin->counts[best]++;
            sums[best] += (long double)weights[i];
        }
        if (!changed) return;
        for (int j = 0; j < k; j++)
            if (twin->counts[j]) twin->centroids[j] = sums[j] / (long double)twin->counts[j];
    }
}

/* Clusters without weights go, and as many are split off those with the largest squared error, at their centroids. */
static void refill(struct twin *twin, const float *weights, size_t n, int k)
{
    int left = 0, number[PRUNE_CODEBOOK_MOST];
    for (int j = 0; j < k; j++) {
        number[j] = left;
        if (!twin->counts[j]) continue;
        twin->counts[left] = twin->counts[j];
        twin->centroids[left++] = twin->centroids[j];
    }
    if (left == k) return;
    for (size_t i = 0; i < n; i++)
        if (twin->entry[i] >= 0) twin->entry[i] = number[twin->entry[i]];
    for (; left < k; left++) {
        double errors[PRUNE_CODEBOOK_MOST] = { 0 };
        long double low = 0, high = 0;
        size_t lows = 0, highs = 0;
        int worst = 0;
        for (size_t i = 0; i < n; i++)
            if (twin->entry[i] >= 0) errors[twin->entry[i]] += (double)((weights[i] - twin->centroids[twin->entry[i]]) * (weights[i] - twin->centroids[twin->entry[i]]));
        for (int j = 1; j < left; j++)
            if (errors[j] > errors[worst]) worst = j;
        for (size_t i = 0; i < n; i++) {
            if (twin->entry[i] > worst) twin->entry[i]++;
            if (twin->entry[i] != worst) continue;
            if (weights[i] > twin->centroids[worst]) {
                twin->entry[i]++;
                high += weights[i];
                highs++;
            } else {
                low += weights[i];
                lows++;
            }
        }
        for (int j = left; j > worst + 1; j--) twin->centroids[j] = twin->centroids[j - 1];
        twin->centroids[worst] = low / (long double)lows;
        twin->centroids[worst + 1] = high / (long double)highs;
    }
    rounds(twin, weights, n, k);
}

static void lloyd(struct twin *twin, const float *weights, size_t n, int k)
{
    float low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        twin->entry[i] = -1;
        if (weights[i] == 0) continue;
        low = fminf(low, weights[i]);
        high = fmaxf(high, weights[i]);
    }
    for (int j = 0; j < k; j++) twin->centroids[j] = low + ((double)high - (double)low) * j / (k - 1);
    rounds(twin, weights, n, k);
    refill(twin, weights, n, k);
}

/* The twin's clusters that have weights are the codebook's entries, and its weights are theirs. */
static void same_as_twin(const struct prune_codebook *codebook, const struct twin *twin, const float *weights, size_t n, int k)
{
    int number[PRUNE_CODEBOOK_MOST], entries = 0;
    for (int j = 0; j < k; j++) number[j] = twin->counts[j] ? entries++ : -1;
    assert_int_equal(codebook->n_entries, entries);
    for (int j = 0; j < k; j++) {
        if (number[j] < 0) continue;
        float expected = (float)twin->centroids[j], found = codebook->entries[number[j]];
        assert_int_equal(codebook->counts[number[j]], twin->counts[j]);
        assert_true(fabsf(found - expected) <= 1.2e-7F * fabsf(expected) + 1e-12F);      /* the last bit: the sums are in another order */
    }
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(codebook->nonzero[i], weights[i] != 0);
        assert_int_equal(codebook->index[i], weights[i] != 0 ? number[twin->entry[i]] : 0);
    }
}

/* What must hold of every codebook. */
static void sound(const struct prune_codebook *codebook, const float *weights, size_t n, int most)
{
    size_t counted = 0, nonzero = 0;
    assert_in_range(codebook->n_entries, 0, most);
    for (int j = 0; j < codebook->n_entries; j++) {
        assert_true(bits_of(codebook->entries[j]) << 1);
        assert_true(codebook->counts[j] > 0);
        if (j) assert_true(codebook->entries[j] > codebook->entries[j - 1]);
        counted += codebook->counts[j];
    }
    for (size_t i = 0; i < n; i++) nonzero += weights[i] != 0;
    assert_int_equal(counted, nonzero);
}

enum fill { BELL, SPARSE, LATTICE, TWO_HILLS, SUBNORMAL, FILLS };

static float draw(enum fill fill)
{
    switch (fill) {
    case SPARSE: return random_below(10) ? random_below(2) ? 0 : -0.0F : random_bell() / 20;
    case LATTICE: return (float)((int)random_below(2001) - 1000) / 1024;
    case TWO_HILLS: return (random_below(2) ? 1 : -1) * (0.2F + 0.02F * random_bell());
    case SUBNORMAL: return random_bell() * 1e-43F;
    default: return random_bell() / 20;
    }
}

static void entries_are_those_of_plain_lloyd(void **state)
{
    (void)state;
    static struct twin twin;
    static float weights[MOST_WEIGHTS];
    for (int fill = BELL; fill < SUBNORMAL; fill++)
        for (int round = 0; round < 24; round++) {
            random_seed((uint64_t)(100 * fill + round));
            size_t n = 600 + random_below(MOST_WEIGHTS - 599);
            int k = 2 << random_below(round % 4 ? 5 : 8);
            struct prune_codebook codebook;
            for (size_t i = 0; i < n; i++) weights[i] = draw((enum fill)fill);
            assert_int_equal(prune_codebook_make(&codebook, weights, n, k), PRUNE_OK);
            sound(&codebook, weights, n, k);
            lloyd(&twin, weights, n, k);
            if (fill == SPARSE && k >= 128) {   /* may have fewer distinct values than entries */
                prune_codebook_free(&codebook);
                continue;
            }
            same_as_twin(&codebook, &twin, weights, n, k);
            prune_codebook_free(&codebook);
        }
}

static void subnormal_weights_are_weights(void **state)
{
    (void)state;
    float weights[500];
    for (int round = 0; round < 20; round++) {
        random_seed((uint64_t)round);
        struct prune_codebook codebook;
        for (size_t i = 0; i < 500; i++) weights[i] = draw(SUBNORMAL);
        assert_int_equal(prune_codebook_make(&codebook, weights, 500, 2 << round % 8), PRUNE_OK);
        sound(&codebook, weights, 500, 2 << round % 8);
        prune_codebook_free(&codebook);
    }
}

static void few_values_stay_as_they_are(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        random_seed((uint64_t)round);
        int most = 2 << random_below(8), distinct = 1 + (int)random_below((size_t)most);
        float values[PRUNE_CODEBOOK_MOST], weights[1000], made[1000];
        for (int j = 0; j < distinct; j++) {
            uint32_t any = (uint32_t)random_bits();
            memcpy(&values[j], &any, sizeof any);
            if (!isfinite(values[j])) values[j] = 1;
        }
        for (size_t i = 0; i < 1000; i++) weights[i] = random_below(3) ? values[random_below((size_t)distinct)] : 0;
        struct prune_codebook codebook;
        assert_int_equal(prune_codebook_make(&codebook, weights, 1000, most), PRUNE_OK);
        sound(&codebook, weights, 1000, most);
        memcpy(made, weights, sizeof made);
        prune_codebook_apply(&codebook, made);
        for (size_t i = 0; i < 1000; i++) assert_int_equal(bits_of(made[i]), weights[i] == 0 ? 0 : bits_of(weights[i]));
        prune_codebook_free(&codebook);
    }
}

/* One value more than entries. */
static void one_value_too_many_is_rounded(void **state)
{
    (void)state;
    float weights[] = { -1, -1, -1, 2, 2, 2.5F, -0.0F };
    struct prune_codebook codebook;
    assert_int_equal(prune_codebook_make(&codebook, weights, 7, 2), PRUNE_OK);
    assert_int_equal(codebook.n_entries, 2);
    prune_codebook_apply(&codebook, weights);
    const float expected[] = { -1, -1, -1, (float)(6.5 / 3), (float)(6.5 / 3), (float)(6.5 / 3), 0 };
    assert_memory_equal(weights, expected, sizeof expected);    /* -0 is a zero, and becomes +0 */
    prune_codebook_free(&codebook);
}

/* A mean of 0, and means of numbers that vanish in it. */
static void no_entry_is_zero(void **state)
{
    (void)state;
    float symmetric[] = { -10, -1, 1, 10, -0.5F, 0.5F, 0 }, tiny[] = { -10, 1e-45F, -1e-45F, 10 };
    struct prune_codebook codebook;
    assert_int_equal(prune_codebook_make(&codebook, symmetric, 7, 3), PRUNE_OK);
    sound(&codebook, symmetric, 7, 3);
    assert_int_equal(codebook.n_entries, 3);
    assert_true(codebook.entries[0] == -10 && codebook.entries[1] == 0.5F && codebook.entries[2] == 10);
    prune_codebook_free(&codebook);
    assert_int_equal(prune_codebook_make(&codebook, tiny, 4, 3), PRUNE_OK);
    assert_int_equal(codebook.n_entries, 3);
    assert_int_equal(bits_of(codebook.entries[1]), 1);
    prune_codebook_free(&codebook);
}

/* Evenly spaced centroids would nearly all lie where nothing is: as many entries are used as are allowed, and the common weights are as near to theirs as without the outlier. */
static void outliers_leave_no_entry_unused(void **state)
{
    (void)state;
    static float weights[4000];
    double errors[2];
    random_seed(77);
    for (int i = 0; i < 4000; i++) weights[i] = .04F * random_bell();
    for (int far = 0; far < 2; far++) {
        struct prune_codebook codebook;
        if (far) weights[123] = 5;
        assert_int_equal(prune_codebook_make(&codebook, weights, 4000, 32), PRUNE_OK);
        sound(&codebook, weights, 4000, 32);
        assert_int_equal(codebook.n_entries, 32);
        errors[far] = 0;
        for (int i = 0; i < 4000; i++) {
            double off = (double)weights[i] - (double)codebook.entries[codebook.index[i]];
            errors[far] += off * off;
        }
        prune_codebook_free(&codebook);
    }
    assert_true(errors[1] < 1.3 * errors[0]);
}

static void arrays_of_zeros_have_no_entries(void **state)
{
    (void)state;
    float zeros[] = { 0, -0.0F, 0 }, updates[] = { 1, 2, 3 };
    struct prune_codebook codebook;
    assert_int_equal(prune_codebook_make(&codebook, zeros, 3, 32), PRUNE_OK);
    assert_int_equal(codebook.n_entries, 0);
    prune_codebook_step(&codebook, zeros, updates, 1, 0.9F, 1);
    for (int i = 0; i < 3; i++) assert_true(bits_of(zeros[i]) == 0 && updates[i] == 0);
    prune_codebook_free(&codebook);
    assert_int_equal(prune_codebook_make(&codebook, NULL, 0, 32), PRUNE_OK);
    assert_int_equal(codebook.n_entries, 0);
    prune_codebook_free(&codebook);
}

static void what_is_no_number_is_refused_without_a_line(void **state)
{
    (void)state;
    const float strange[] = { NAN, -NAN, INFINITY, -INFINITY };
    for (int s = 0; s < 4; s++)
        for (int at = 0; at < 5; at++) {
            float weights[] = { 1, 0, 2, 3, 4 };
            struct prune_codebook codebook;
            weights[at] = strange[s];
            hush();
            int code = prune_codebook_make(&codebook, weights, 5, 2), lines = heard(NULL, 0);
            assert_int_equal(code, PRUNE_ERR_RANGE);
            assert_int_equal(lines, 0);
            assert_null(codebook.index);
        }
}

/* ------------------------------------------------------------------------------------------------------------ step -- */

static void steps_are_momentum_sgd_of_the_mean_gradient(void **state)
{
    (void)state;
    float weights[] = { 0.25F, 0, 0.75F, 0.25F, -1, 0.25F, -0.0F, 0.75F }, updates[8];
    const float gradients[] = { 4, 99, -2, 8, 16, -6, 99, 4 };
    struct prune_codebook codebook;
    assert_int_equal(prune_codebook_make(&codebook, weights, 8, 4), PRUNE_OK);
    memcpy(updates, gradients, sizeof updates);
    prune_codebook_step(&codebook, weights, updates, 0.125F, 0.5F, 2);
    /* sums: -1: 16; .25: 6; .75: 2. By count and batch: 8, 1, .5. Times the rate: 1, .125, .0625; the first one is stopped half-way to its neighbour, -.375, and its velocity spent */
    assert_true(codebook.entries[0] == -0.375F && codebook.entries[1] == 0.375F && codebook.entries[2] == 0.8125F);
    assert_true(codebook.velocity[0] == 0 && codebook.velocity[1] == 1 && codebook.velocity[2] == 0.5F);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(bits_of(updates[i]), 0);
        assert_true(weights[i] == (codebook.nonzero[i] ? codebook.entries[codebook.index[i]] : 0));
    }
    prune_codebook_step(&codebook, weights, updates, 0.0625F, 0.5F, 2);  /* no gradient: momentum alone: 0, .5, .25, times 1/16 */
    assert_true(codebook.entries[0] == -0.375F && codebook.entries[1] == 0.40625F && codebook.entries[2] == 0.828125F);
    prune_codebook_free(&codebook);
}

static void entries_stay_apart_in_order_and_not_zero(void **state)
{
    (void)state;
    float weights[400], updates[400];
    for (int round = 0; round < 200; round++) {
        random_seed((uint64_t)round);
        struct prune_codebook codebook;
        for (size_t i = 0; i < 400; i++) weights[i] = random_below(4) ? random_bell() / 20 : 0;
        if (round % 5 == 0)                     /* neighbouring floats: there is no room between them */
            for (uint32_t i = 0; i < 400; i++) {
                uint32_t bits = 0x3f7fffff + i % 5;
                memcpy(&weights[i], &bits, sizeof bits);
            }
        float before[400];
        memcpy(before, weights, sizeof before);
        assert_int_equal(prune_codebook_make(&codebook, weights, 400, 2 << round % 8), PRUNE_OK);
        for (int step = 0; step < 50; step++) {
            for (size_t i = 0; i < 400; i++) updates[i] = random_bell() * (random_below(20) ? 1 : 1e4F);
            prune_codebook_step(&codebook, weights, updates, 0.01F, 0.9F, 1);
            sound(&codebook, before, 400, 2 << round % 8);
            for (size_t i = 0; i < 400; i++) assert_int_equal(weights[i] != 0, before[i] != 0);
        }
        prune_codebook_free(&codebook);
    }
}

static void an_entry_that_would_become_zero_or_no_number_keeps_its_value(void **state)
{
    (void)state;
    float weights[] = { 0.5F, 2 }, updates[] = { -0.5F, NAN };
    struct prune_codebook codebook;
    assert_int_equal(prune_codebook_make(&codebook, weights, 2, 2), PRUNE_OK);
    prune_codebook_step(&codebook, weights, updates, 1, 0, 1);
    assert_true(weights[0] == 0.5F && weights[1] == 2);
    updates[0] = updates[1] = -0.25F;
    codebook.velocity[1] = 0;
    prune_codebook_step(&codebook, weights, updates, 1, 0, 1);
    assert_true(weights[0] == 0.25F && weights[1] == 1.75F);
    updates[0] = -0.75F;                        /* past 0 is allowed */
    prune_codebook_step(&codebook, weights, updates, 1, 0, 1);
    assert_true(weights[0] == -0.5F);
    prune_codebook_free(&codebook);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_those_of_plain_lloyd),
        cmocka_unit_test(subnormal_weights_are_weights),
        cmocka_unit_test(few_values_stay_as_they_are),
        cmocka_unit_test(one_value_too_many_is_rounded),
        cmocka_unit_test(no_entry_is_zero),
        cmocka_unit_test(outliers_leave_no_entry_unused),
        cmocka_unit_test(arrays_of_zeros_have_no_entries),
        cmocka_unit_test(what_is_no_number_is_refused_without_a_line),
        cmocka_unit_test(steps_are_momentum_sgd_of_the_mean_gradient),
        cmocka_unit_test(entries_stay_apart_in_order_and_not_zero),
        cmocka_unit_test(an_entry_that_would_become_zero_or_no_number_keeps_its_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
