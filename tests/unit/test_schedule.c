/* test_schedule.c - curves, iterations, recovery and phases against plain formulas and brute force */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "prune.h"

static const int step_counts[] = { 1, 2, 3, 4, 5, 7, 20, 21, 100, 999, 10000 };
static const double limits[] = { 0, 1e-6, 0.1, 0.5, 0.9, 0.99, 0.9999999 };
#define EACH(i, array) for (size_t i = 0; i < sizeof(array) / sizeof *(array); i++)

static void near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-12)) fail_msg("%.17g is not %.17g", a, b);
}

static double curve_twin(enum prune_curve curve, double s, double t, double T)
{
    if (curve == PRUNE_LOG) return s * (log(1 + t) / log(1 + T));
    if (curve == PRUNE_CUBIC) return s * (1 - (1 - t / T) * (1 - t / T) * (1 - t / T));
    if (curve == PRUNE_LINEAR) return s * t / T;
    return 1 - exp(t / T * log(1 - s));
}

static void curves_are_their_formulas(void **state)
{
    (void)state;
    for (int curve = PRUNE_LOG; curve <= PRUNE_GEOMETRIC; curve++)
        EACH(a, step_counts) EACH(b, limits) {
            int T = step_counts[a], places[] = { 0, 1, T / 2, T - 1, T };
            EACH(p, places) near(prune_schedule_target(curve, limits[b], places[p], T), curve_twin(curve, limits[b], places[p], T));
        }
    /* and by hand */
    near(prune_schedule_target(PRUNE_LOG, 0.5, 10, 20), 0.5 * 0.7876096569652562);
    near(prune_schedule_target(PRUNE_LOG, 0.9, 1, 3), 0.45);
    near(prune_schedule_target(PRUNE_CUBIC, 0.8, 2, 4), 0.7);
    near(prune_schedule_target(PRUNE_LINEAR, 0.8, 1, 4), 0.2);
    near(prune_schedule_target(PRUNE_GEOMETRIC, 0.99, 1, 2), 0.9);
}

static void curves_rise_from_0_to_exactly_the_limit(void **state)
{
    (void)state;
    for (int curve = PRUNE_LOG; curve <= PRUNE_GEOMETRIC; curve++)
        EACH(a, step_counts) EACH(b, limits) {
            int T = step_counts[a];
            double before = 0;
            assert_true(prune_schedule_target(curve, limits[b], 0, T) == 0);
            assert_true(prune_schedule_target(curve, limits[b], -1, T) == 0);
            for (int t = 1; t <= T; t++) {
                double now = prune_schedule_target(curve, limits[b], t, T);
                assert_true(limits[b] > 0 ? now > before : now == 0);
                assert_true(now <= limits[b]);
                before = now;
            }
            assert_true(before == limits[b]);
            assert_true(prune_schedule_target(curve, limits[b], T + 1, T) == limits[b]);
        }
    for (int t = 1; t <= 20; t++) {             /* geometric: the same share of survivors goes at every step */
        double was = 1 - prune_schedule_target(PRUNE_GEOMETRIC, 0.95, t - 1, 20), is = 1 - prune_schedule_target(PRUNE_GEOMETRIC, 0.95, t, 20);
        near(is / was, pow(0.05, 1.0 / 20));
    }
}

static struct prune_settings settings_of(int start, int end, int steps)
{
    struct prune_settings settings;
    prune_settings_default(&settings);
    settings.start = start;
    settings.end = end;
    settings.steps = steps;
    return settings;
}

static const int spans[][2] = { { 0, 1 }, { 0, 7 }, { 0, 100 }, { 5, 12 }, { 50, 51 }, { 100, 1000 }, { 3, 500 } };

static void iterations_are_even_and_end_at_end(void **state)
{
    (void)state;
    EACH(a, step_counts) EACH(s, spans) {
        int start = spans[s][0], end = spans[s][1], T = step_counts[a], range = end - start, before = start;
        struct prune_settings settings = settings_of(start, end, T);
        int whole = 0, part = 0;                /* t * range / T by adding up, as in Bresenham's line */
        for (int t = 1; t <= T; t++) {
            whole += range / T;
            part += range % T;
            if (part >= T) {
                part -= T;
                whole++;
            }
            int now = prune_schedule_iteration(&settings, t);
            assert_int_equal(now, start + whole);
            assert_in_range(now - before, range / T, range / T + 1);
            before = now;
        }
        assert_int_equal(before, end);
    }
    struct prune_settings far = settings_of(1000, 1000000000, 10000);
    assert_int_equal(prune_schedule_iteration(&far, 10000), 1000000000);
    assert_int_equal(prune_schedule_iteration(&far, 5000), 500000500);
    assert_int_equal(prune_schedule_step(&far, 999999999), 9999);
    assert_int_equal(prune_schedule_step(&far, 1000000000), 10000);
}

static int step_twin(const struct prune_settings *settings, int iteration)
{
    int last = 0;
    for (int t = 1; t <= settings->steps; t++)
        if (prune_schedule_iteration(settings, t) <= iteration) last = t;
    return last;
}

static void step_is_the_last_one_due(void **state)
{
    (void)state;
    EACH(a, step_counts) EACH(s, spans) {
        if (step_counts[a] > 1000 && spans[s][1] > 100) continue;
        struct prune_settings settings = settings_of(spans[s][0], spans[s][1], step_counts[a]);
        for (int i = settings.start - 3; i <= settings.end + 3; i++)
            assert_int_equal(prune_schedule_step(&settings, i), step_twin(&settings, i));
    }
}

static void recovery_fades_and_ends_before_the_last_fifth(void **state)
{
    (void)state;
    near(prune_schedule_recover(0.1, 0, 20), 0.1);
    near(prune_schedule_recover(0.1, 4, 20), 0.075);
    near(prune_schedule_recover(1, 8, 20), 0.5);
    near(prune_schedule_recover(0.4, 15, 20), 0.025);
    near(prune_schedule_recover(0.5, 1, 1), 0);
    EACH(a, step_counts) {
        int T = step_counts[a];
        double before = 0.3;
        for (int t = 1; t <= T; t++) {
            double now = prune_schedule_recover(0.3, t, T);
            assert_true(now >= 0 && (now < before || before < 1e-15));
            if (5 * t >= 4 * T) assert_true(now < 1e-15);       /* whatever 0.8 * T rounds to */
            else assert_true(now > 1e-6);
            before = now;
        }
    }
    for (int t = 0; t <= 20; t++) assert_true(prune_schedule_recover(0, t, 20) == 0);
}

static void phases_are_the_two_halves(void **state)
{
    (void)state;
    EACH(a, step_counts) {
        struct prune_settings settings = settings_of(0, 100, step_counts[a]);
        int T = settings.steps, first = T / 2 + T % 2;
        for (int t = 1; t <= T; t++) {
            settings.order = PRUNE_TOGETHER;
            struct prune_phase both = prune_schedule_phase(&settings, t);
            assert_int_equal(both.kind, PRUNE_UNKNOWN);
            assert_int_equal(both.t, t);
            assert_int_equal(both.steps, T);
            settings.order = PRUNE_CONVOLUTIONAL_THEN_CONNECTED;
            struct prune_phase half = prune_schedule_phase(&settings, t);
            assert_int_equal(half.kind, t <= first ? PRUNE_CONVOLUTIONAL : PRUNE_CONNECTED);
            assert_int_equal(half.steps, t <= first ? first : T - first);
            assert_int_equal(half.t, t <= first ? t : t - first);
        }
        if (T > 1) {                            /* both kinds arrive */
            struct prune_phase middle = prune_schedule_phase(&settings, first), last = prune_schedule_phase(&settings, T);
            assert_int_equal(middle.t, middle.steps);
            assert_int_equal(last.t, last.steps);
            assert_int_equal(last.kind, PRUNE_CONNECTED);
        }
    }
}

static void the_other_kind_is_fixed(void **state)
{
    (void)state;
    EACH(a, step_counts) EACH(s, spans) {
        if (step_counts[a] > 1000 && spans[s][1] > 100) continue;
        struct prune_settings settings = settings_of(spans[s][0], spans[s][1], step_counts[a]);
        for (int i = settings.start - 3; i <= settings.end + 3; i++) {
            settings.order = PRUNE_TOGETHER;
            assert_int_equal(prune_schedule_fixed(&settings, i), PRUNE_UNKNOWN);
            settings.order = PRUNE_CONVOLUTIONAL_THEN_CONNECTED;
            enum prune_kind fixed = prune_schedule_fixed(&settings, i);
            if (i <= settings.start || i > settings.end) {
                assert_int_equal(fixed, PRUNE_UNKNOWN);
                continue;
            }
            int towards = 1;                    /* the first step that is not over before this iteration */
            while (prune_schedule_iteration(&settings, towards) < i) towards++;
            assert_int_equal(fixed, towards <= (settings.steps + 1) / 2 ? PRUNE_CONNECTED : PRUNE_CONVOLUTIONAL);
        }
    }
    struct prune_settings settings = settings_of(10, 20, 2);    /* by hand: convolutional until 15, connected until 20 */
    settings.order = PRUNE_CONVOLUTIONAL_THEN_CONNECTED;
    assert_int_equal(prune_schedule_fixed(&settings, 10), PRUNE_UNKNOWN);
    assert_int_equal(prune_schedule_fixed(&settings, 11), PRUNE_CONNECTED);
    assert_int_equal(prune_schedule_fixed(&settings, 15), PRUNE_CONNECTED);
    assert_int_equal(prune_schedule_fixed(&settings, 16), PRUNE_CONVOLUTIONAL);
    assert_int_equal(prune_schedule_fixed(&settings, 20), PRUNE_CONVOLUTIONAL);
    assert_int_equal(prune_schedule_fixed(&settings, 21), PRUNE_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curves_are_their_formulas),
        cmocka_unit_test(curves_rise_from_0_to_exactly_the_limit),
        cmocka_unit_test(iterations_are_even_and_end_at_end),
        cmocka_unit_test(step_is_the_last_one_due),
        cmocka_unit_test(recovery_fades_and_ends_before_the_last_fifth),
        cmocka_unit_test(phases_are_the_two_halves),
        cmocka_unit_test(the_other_kind_is_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
