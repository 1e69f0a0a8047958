/* test_scope.c - how the layers share the budget, against sorting everything and against the formulas
 *
 * The twins know the rounds of floors ("whoever would fall below its floor gets the floor and leaves the round"), but no
 * histogram, no bisection and no cascade.
 */
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
#include "unit_lists.h"

enum { MOST = 40, MOST_DRAWN = 7, MOST_WEIGHTS = 8000 };

struct net {
    struct prune_tensor tensors[MOST], *list[MOST];
    float weights[MOST][MOST_WEIGHTS];
    uint8_t mask[MOST][MOST_WEIGHTS];
    int n;
    size_t all, active;
};

static struct net net;
static int by_kernel, by_block, in_groups;      /* what add() makes */
static struct group groups[MOST_WEIGHTS];
static enum prune_criterion worth;

static void add(int connected, int out, int in, int k)
{
    struct prune_tensor *tensor = &net.tensors[net.n];
    *tensor = (struct prune_tensor){ .name = "test", .kind = connected ? PRUNE_CONNECTED : PRUNE_CONVOLUTIONAL, .out = out, .in = in, .kh = k, .kw = k,
                                     .weights = net.weights[net.n], .mask = net.mask[net.n], .limit = -1 };
    tensor->n = tensor->active = (size_t)(out * in * k * k);
    tensor->unit = by_kernel ? k * k : net.n % 2;       /* 0 and 1 are the same */
    tensor->groups = in_groups;
    if (by_block) prune_tensor_divide(tensor, PRUNE_BLOCK4);
    tensor->criterion = worth;
    assert_true(tensor->n <= MOST_WEIGHTS);
    memset(tensor->mask, 1, tensor->n);
    net.list[net.n] = tensor;
    net.n++;
    net.all += tensor->n;
    net.active += tensor->n;
}

static void clear(void)
{
    net.n = 0;
    net.all = net.active = 0;
}

static void prune_one(struct prune_tensor *tensor, size_t i)
{
    tensor->weights[i] = 0;
    net.active -= tensor->mask[i];
    tensor->active -= tensor->mask[i];
    tensor->mask[i] = 0;
}

enum values { BELL, TIES, EQUAL, ZERO, STRANGE, VALUES };

/* By kernel: of several sizes, or with `alike` all of that size. */
static void random_net(enum values values, int largest, int alike)
{
    clear();
    int n = 1 + (int)random_below(MOST_DRAWN);
    for (int t = 0; t < n; t++) {
        int connected = (int)random_below(2), k = connected ? 1 : (int)(2 * random_below(2) + 1);
        if (by_kernel && !alike && !connected) k = 1 + (int)random_below(4);
        if (by_kernel && alike) k = alike;
        if (by_block && k > 2) k = 2;
        int out = 1 + (int)random_below((size_t)largest), in = 1 + (int)random_below((size_t)largest);
        if (!random_below(5)) {                 /* a single weight, or unit */
            out = in = 1;
            if (!alike) k = 1;
        }
        if (by_block && alike) out = (out + 3) / 4 * 4;         /* no short blocks */
        in_groups = by_block && !connected ? 1 + (int)random_below(3) : 0;
        if (in_groups) out *= in_groups;
        add(connected && k == 1, out, in, k);
        struct prune_tensor *tensor = &net.tensors[t];
        float scale = powf(10, 2 * random_bell());
        int kept = random_below(3) ? 100 : (int)random_below(101);      /* percent: some tensors are partly pruned, a few wholly */
        for (size_t i = 0; i < tensor->n; i++) {
            float x = scale * random_bell();
            if (values == TIES) x = (float)((int)random_below(7) - 3) * 0.25F;
            if (values == EQUAL) x = random_below(2) ? 0.5F : -0.5F;
            if (values == ZERO) x = random_below(2) ? 0.0F : -0.0F;
            if (values == STRANGE && !random_below(30)) x = (const float[]){ INFINITY, -INFINITY, NAN, 1e-44F, 0 }[random_below(5)];
            tensor->weights[i] = x;
        }
        for (size_t g = 0, n_groups = list_groups(tensor, groups); g < n_groups; g++) {
            if ((int)random_below(100) < kept) continue;
            for (size_t j = 0; j < groups[g].n; j++) prune_one(tensor, groups[g].at[j]);
        }
    }
}

static size_t rounded(double x) { return (size_t)floor(x + 0.5); }
static size_t min_of(size_t a, size_t b) { return a < b ? a : b; }
static size_t max_of(size_t a, size_t b) { return a > b ? a : b; }

/* ---------------------------------------------------------------------------------------- what holds in every case -- */

/* The greatest number that divides all units, found by trying. */
static size_t divisor(void)
{
    for (size_t g = 100; g > 1; g--) {
        int all = 1;
        for (int i = 0; i < net.n; i++) all &= grain_of(&net.tensors[i]) % g == 0;
        if (all) return g;
    }
    return 1;
}

static size_t largest_unit(void)
{
    size_t most = 1;
    for (int i = 0; i < net.n; i++) most = max_of(most, unit_of(&net.tensors[i]));
    return most;
}

static size_t budget_of(double target) { return min_of(rounded((1 - target) * (double)(net.all / divisor())) * divisor(), net.active); }

/* In units: a tenth of the average density, and 32 or an even share of half the budget; one each where there is not more. */
static void floors_of(double target, size_t *floors)
{
    size_t budget = budget_of(target), n = 0;
    for (int i = 0; i < net.n; i++) n += unit_of(&net.tensors[i]);
    for (int i = 0; i < net.n; i++) {
        size_t unit = unit_of(&net.tensors[i]);
        size_t tenth = (size_t)(0.1 * (1 - target) * (double)(net.tensors[i].n / unit)), least = min_of(32, budget / 2 / n);
        floors[i] = min_of(net.tensors[i].active, unit * (budget >= 2 * n ? max_of(tenth, least) : budget >= n));
    }
}

static size_t fell_short;       /* cases in which units of several sizes did not fill the budget */

static void check_promises(enum prune_scope scope, double target, const size_t *keep)
{
    size_t sum = 0, floors[MOST], one_each = 0;
    floors_of(target, floors);
    for (int i = 0; i < net.n; i++) one_each += unit_of(&net.tensors[i]);
    for (int i = 0; i < net.n; i++) {
        size_t active = net.tensors[i].active, unit = unit_of(&net.tensors[i]);
        assert_true(keep[i] <= active && keep[i] % grain_of(&net.tensors[i]) == 0);
        sum += keep[i];
        if (scope == PRUNE_LAYER) {
            size_t grain = grain_of(&net.tensors[i]);
            assert_int_equal(keep[i], min_of(rounded((1 - target) * (double)(net.tensors[i].n / grain)) * grain, active));
            continue;
        }
        assert_true(keep[i] >= floors[i]);
        if (budget_of(target) >= one_each && active) assert_true(keep[i] >= min_of(unit, active));
    }
    if (scope == PRUNE_LAYER) return;
    size_t largest = largest_unit(), budget = budget_of(target);
    if (divisor() == largest) assert_int_equal(sum, budget);
    else assert_true(sum <= budget && sum + largest > budget);
    fell_short += sum < budget;
}

/* ------------------------------------------------------------------------------------------------------------ twins -- */

struct candidate {
    double size;                /* NaN ranks as more than infinity */
    int nan, tensor;
    size_t i, weights;
};

static int larger_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->nan != y->nan) return y->nan - x->nan;
    if (!x->nan && x->size != y->size) return x->size < y->size ? 1 : -1;
    if (x->tensor != y->tensor) return x->tensor - y->tensor;
    return (x->i > y->i) - (x->i < y->i);
}

static double size_of(const struct prune_tensor *tensor, const struct group *group)
{
    double sum = 0;
    if (group->n == 1) return fabs((double)tensor->weights[group->at[0]]);
    for (size_t j = 0; j < group->n; j++) {
        double x = (double)tensor->weights[group->at[j]];
        sum += tensor->criterion == PRUNE_L1 ? fabs(x) : x * x;
    }
    return (double)(float)(tensor->criterion == PRUNE_L1 ? sum : sqrt(sum));
}

/* NaNs are all larger than infinity; among themselves they rank by bits, and the cases here have one kind only. */
static void naive_global(double target, size_t *keep)
{
    static struct candidate sorted[MOST * MOST_WEIGHTS];
    size_t n = 0, floors[MOST], left = budget_of(target);
    int settled[MOST] = { 0 };
    floors_of(target, floors);
    for (int t = 0; t < net.n; t++)
        for (size_t g = 0, n_groups = list_groups(&net.tensors[t], groups); g < n_groups; g++) {
            double size = size_of(&net.tensors[t], &groups[g]);
            if (net.mask[t][groups[g].at[0]]) sorted[n++] = (struct candidate){ size, isnan(size) != 0, t, g, groups[g].n };
        }
    qsort(sorted, n, sizeof *sorted, larger_first);
    for (int again = 1; again;) {
        again = 0;
        size_t room = left;
        for (int t = 0; t < net.n; t++)
            if (!settled[t]) keep[t] = 0;
        const struct candidate *stop = NULL;    /* the first that does not fit: smaller units that tie with it may */
        for (size_t c = 0; c < n && room; c++) {
            if (settled[sorted[c].tensor]) continue;
            if (stop && (sorted[c].nan != stop->nan || (!stop->nan && sorted[c].size != stop->size))) break;
            if (sorted[c].weights > room) {
                stop = &sorted[c];
                continue;
            }
            keep[sorted[c].tensor] += sorted[c].weights;
            room -= sorted[c].weights;
        }
        for (int t = 0; t < net.n; t++) {
            if (settled[t] || keep[t] >= floors[t]) continue;
            keep[t] = floors[t];
            left -= floors[t];
            settled[t] = again = 1;
        }
    }
}

struct share {
    double rest;
    int tensor;
};

static int larger_rest_first(const void *a, const void *b)
{
    const struct share *x = a, *y = b;
    if (x->rest != y->rest) return x->rest < y->rest ? 1 : -1;
    return x->tensor - y->tensor;
}

static double erk_twin_weight(const struct prune_tensor *t)
{
    double weights = (double)t->out * t->in * t->kh * t->kw;
    double density = (t->kind == PRUNE_CONNECTED ? (double)t->out + t->in : (double)t->out + t->in + t->kh + t->kw) / weights;
    return round(density * weights);            /* whole; the division and back loses its last bit */
}

static void naive_erk(double target, size_t *keep)
{
    size_t floors[MOST], left = budget_of(target);
    int settled[MOST] = { 0 };
    floors_of(target, floors);
    for (int again = 1; again;) {
        again = 0;
        int full[MOST] = { 0 };
        double exact[MOST] = { 0 };
        size_t room = left;
        for (int more = 1; more;) {             /* all that would be too dense become full at once */
            more = 0;
            double sum = 0;
            for (int t = 0; t < net.n; t++)
                if (!settled[t] && !full[t]) sum += erk_twin_weight(&net.tensors[t]);
            size_t shared = room;
            for (int t = 0; t < net.n; t++) {
                if (settled[t] || full[t]) continue;
                exact[t] = (double)shared * erk_twin_weight(&net.tensors[t]) / sum;
                if (exact[t] >= (double)net.tensors[t].active) {
                    full[t] = more = 1;
                    keep[t] = net.tensors[t].active;
                    room -= keep[t];
                }
            }
        }
        struct share shares[MOST];
        size_t n = 0;
        for (int t = 0; t < net.n; t++) {
            if (settled[t] || full[t]) continue;
            double grain = (double)grain_of(&net.tensors[t]);
            keep[t] = (size_t)(floor(exact[t] / grain) * grain);
            room -= keep[t];
            shares[n++] = (struct share){ exact[t] / grain - floor(exact[t] / grain), t };
        }
        for (int more = 1; more;) {             /* a unit to the one that lacks most, among those of which one fits; and again */
            more = 0;
            qsort(shares, n, sizeof *shares, larger_rest_first);
            for (size_t s = 0; s < n && !more; s++) {
                size_t t = (size_t)shares[s].tensor, grain = grain_of(&net.tensors[t]);
                if (grain > room || keep[t] == net.tensors[t].active) continue;
                keep[t] += grain;
                room -= grain;
                shares[s].rest -= 1;
                more = 1;
            }
        }
        for (int t = 0; t < net.n; t++) {
            if (settled[t] || keep[t] >= floors[t]) continue;
            keep[t] = floors[t];
            left -= floors[t];
            settled[t] = again = 1;
        }
    }
}

/* The score of every active unit by the definition, O(n^2): w_u^2 over the sum of the squares of those that come after it in
 * ascending order, itself among them (equal ones in any order: here the first is the smaller). */
static size_t lamp_scores(const struct prune_tensor *tensor, struct candidate *scores)
{
    static double squares[MOST_WEIGHTS];
    size_t n = 0, n_groups = list_groups(tensor, groups);
    for (size_t u = 0; u < n_groups; u++) squares[u] = size_of(tensor, &groups[u]) * size_of(tensor, &groups[u]);
    for (size_t u = 0; u < n_groups; u++) {
        if (!tensor->mask[groups[u].at[0]]) continue;
        double square = squares[u], sum = 0;
        for (size_t v = 0; v < n_groups; v++) {
            double other = squares[v];
            if (tensor->mask[groups[v].at[0]] && (other > square || (other == square && v >= u))) sum += other;
        }
        scores[n++] = (struct candidate){ sum > 0 ? square / sum : 0, 0, 0, u, groups[u].n };
    }
    return n;
}

/* One threshold: the least score that any tensor keeps above its floor is no smaller than the largest that any has lost, but for rounding. */
static void check_lamp(double target, const size_t *keep)
{
    static struct candidate scores[MOST_WEIGHTS];
    size_t floors[MOST];
    floors_of(target, floors);
    double least_kept = INFINITY, most_lost = -1;
    for (int t = 0; t < net.n; t++) {
        size_t n = lamp_scores(&net.tensors[t], scores), kept = 0, c = 0;
        qsort(scores, n, sizeof *scores, larger_first);
        for (; c < n && kept + scores[c].weights <= keep[t]; c++) kept += scores[c].weights;
        if (c && keep[t] > floors[t] && scores[c - 1].size < least_kept) least_kept = scores[c - 1].size;
        if (c < n && kept == keep[t] && scores[c].size > most_lost) most_lost = scores[c].size; /* else what ties with it has one size, and what fits is another's */
    }
    if (least_kept < most_lost * (1 - 1e-6)) fail_msg("a score of %g is kept, one of %g is not", least_kept, most_lost);
}

/* ------------------------------------------------------------------------------------------------------------ tests -- */

static double random_target(void)
{
    static const double some[] = { 0, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999999 };
    return random_below(3) ? some[random_below(8)] : random_unit();
}

static size_t tight, at_floor, spread;          /* that the random cases are not all of one kind */

static void check_case(double target)
{
    size_t keep[MOST + 1], twin[MOST], floors[MOST];
    floors_of(target, floors);
    for (int scope = PRUNE_LAYER; scope <= PRUNE_ERK; scope++) {
        memset(keep, 0x5a, sizeof keep);
        size_t guard = keep[net.n];
        assert_int_equal(prune_scope_keep(scope, target, net.list, net.n, keep), PRUNE_OK);
        assert_true(keep[net.n] == guard);
        check_promises(scope, target, keep);
        if (scope == PRUNE_GLOBAL) naive_global(target, twin);
        else if (scope == PRUNE_ERK) naive_erk(target, twin);
        else continue;
        for (int i = 0; i < net.n; i++) {
            assert_int_equal(keep[i], twin[i]);
            at_floor += keep[i] == floors[i] && keep[i];
            spread += keep[i] > floors[i] && keep[i] < net.tensors[i].active;
        }
        tight += budget_of(target) < 2 * (size_t)net.n;
    }
}

static void random_nets(void **state)
{
    (void)state;
    tight = at_floor = spread = 0;
    for (int values = BELL; values < VALUES; values++)
        for (int round = 0; round < 120; round++) {
            random_seed((uint64_t)(values * 1000 + round));
            random_net(values, round % 2 ? 20 : 4, 0);
            for (int again = 0; again < 4; again++) check_case(random_target());
        }
    assert_true(tight > 100 && at_floor > 500 && spread > 1000);
}

static void lamp_by_its_definition(void **state)
{
    (void)state;
    for (int values = BELL; values < STRANGE; values++)
        for (int round = 0; round < 100; round++) {
            random_seed((uint64_t)(7000 + values * 1000 + round));
            if (by_kernel || by_block) worth = round % 2 ? PRUNE_L1 : PRUNE_L2;
            random_net(values, 7, (by_kernel || by_block) && round % 3 == 0 ? 3 : 0);
            double target = random_target();
            size_t keep[MOST];
            assert_int_equal(prune_scope_keep(PRUNE_LAMP, target, net.list, net.n, keep), PRUNE_OK);
            check_promises(PRUNE_LAMP, target, keep);
            check_lamp(target, keep);
        }
}

/* More units than are looked at together. */
static void large_tensors(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        random_seed((uint64_t)(8000 + round));
        clear();
        add(1, 80, 100, 1);
        add(1, 41, 25, 1);
        for (int t = 0; t < net.n; t++)
            for (size_t i = 0; i < net.tensors[t].n; i++) {
                net.tensors[t].weights[i] = random_bell() * (1 + (float)t);
                if (round > 1 && random_below(50) == 0) net.tensors[t].weights[i] = round == 2 ? 0.5F : NAN;
                if (round && random_below(3) == 0) prune_one(&net.tensors[t], i);
            }
        double target = round % 2 ? 0.55 : 0.2;
        size_t keep[MOST];
        check_case(target);
        assert_int_equal(prune_scope_keep(PRUNE_LAMP, target, net.list, net.n, keep), PRUNE_OK);
        if (round < 3) check_lamp(target, keep);
    }
}

static void random_nets_of_units(void **state)
{
    (void)state;
    tight = at_floor = spread = fell_short = 0;
    for (int values = BELL; values < VALUES; values++)
        for (int round = 0; round < 120; round++) {
            random_seed((uint64_t)(values * 1000 + round + 400));
            worth = round % 2 ? PRUNE_L1 : PRUNE_L2;
            int alike = round % 3 == 0 ? 1 + round / 3 % 4 : 0;
            random_net(values, round / 2 % 2 ? 20 : 4, alike);
            size_t before = fell_short;
            for (int again = 0; again < 4; again++) check_case(random_target());
            if (alike && divisor() == largest_unit()) assert_int_equal(fell_short, before);
        }
    assert_true(tight > 100 && at_floor > 500 && spread > 1000 && fell_short > 100);
}

/* Multiplying a layer by a number changes nothing for lamp, and everything for global. */
static void lamp_is_blind_to_scale(void **state)
{
    (void)state;
    size_t before[3], after[3];
    random_seed(3);
    clear();
    add(0, 8, 4, 3);
    add(0, 16, 8, 3);
    add(1, 10, 100, 1);
    for (int t = 0; t < 3; t++)
        for (size_t i = 0; i < net.tensors[t].n; i++) net.weights[t][i] = random_bell();
    for (int scope = PRUNE_GLOBAL; scope <= PRUNE_LAMP; scope++) {
        assert_int_equal(prune_scope_keep(scope, 0.8, net.list, 3, before), PRUNE_OK);
        for (size_t i = 0; i < net.tensors[1].n; i++) net.weights[1][i] *= 16;
        assert_int_equal(prune_scope_keep(scope, 0.8, net.list, 3, after), PRUNE_OK);
        for (size_t i = 0; i < net.tensors[1].n; i++) net.weights[1][i] /= 16;
        if (scope == PRUNE_LAMP) assert_memory_equal(before, after, sizeof before);
        else assert_true(after[1] > before[1]);
    }
}

static void by_hand(void **state)
{
    (void)state;
    size_t keep[3];
    /* lamp, two equal layers of equal weights: scores 1, 1/2, 1/3 ... in both, ties to the first */
    clear();
    add(1, 2, 50, 1);
    add(1, 2, 50, 1);
    for (size_t i = 0; i < 100; i++) net.weights[0][i] = net.weights[1][i] = 1;
    assert_int_equal(prune_scope_keep(PRUNE_LAMP, 0.495, net.list, 2, keep), PRUNE_OK);
    assert_int_equal(keep[0], 51);
    assert_int_equal(keep[1], 50);
    /* global: ties to the first layers, the floor of 20 * 0.1 * 0.5 = 1 against min(32, 20/4) = 5 */
    clear();
    add(1, 4, 5, 1);
    add(1, 4, 5, 1);
    for (size_t i = 0; i < 20; i++) net.weights[0][i] = net.weights[1][i] = 0.5F;
    assert_int_equal(prune_scope_keep(PRUNE_GLOBAL, 0.5, net.list, 2, keep), PRUNE_OK);
    assert_int_equal(keep[0], 15);
    assert_int_equal(keep[1], 5);
    /* erk: 3x3 of 4 to 8 weighs 18, 1x1 of 8 to 8 weighs 18, connected 64 to 10 weighs 74: of 352 that are kept 57.6, 57.6 and 236.8.
     * 1x1 has 64, and all is below its size: 57.6 -> 58, 57.6 -> 57, 236.8 -> 237 */
    clear();
    add(0, 8, 4, 3);
    add(0, 8, 8, 1);
    add(1, 10, 64, 1);
    size_t all = net.all;                       /* 992 */
    assert_int_equal(all, 992);
    for (int t = 0; t < 3; t++)
        for (size_t i = 0; i < net.tensors[t].n; i++) net.weights[t][i] = random_bell();
    assert_int_equal(prune_scope_keep(PRUNE_ERK, 1 - 352.0 / 992, net.list, 3, keep), PRUNE_OK);
    /* weights 8+4+3+3 = 18, 8+8+1+1 = 18, 74: sum 110; 352 * 18 / 110 = 57.6; 352 * 74 / 110 = 236.8 */
    assert_int_equal(keep[0], 58);
    assert_int_equal(keep[1], 57);
    assert_int_equal(keep[2], 237);
    /* target 0.4: 595 kept; 595*18/110 = 97.36 > 64 makes 1x1 full; 531 * 18/92 = 103.89, 531 * 74/92 = 427.11 */
    assert_int_equal(prune_scope_keep(PRUNE_ERK, 0.4, net.list, 3, keep), PRUNE_OK);
    assert_int_equal(keep[0], 104);
    assert_int_equal(keep[1], 64);
    assert_int_equal(keep[2], 427);
}

static void units_by_hand(void **state)
{
    (void)state;
    size_t keep[3];
    /* layer: 12 kernels of 9 and 40 weights, a target of 0.54: 5.52 and 18.4 */
    clear();
    add(0, 4, 3, 3);
    add(1, 4, 10, 1);
    for (size_t i = 0; i < 108; i++) net.weights[0][i] = 1;
    for (size_t i = 0; i < 40; i++) net.weights[1][i] = i < 20 ? 4 : 2;
    assert_int_equal(prune_scope_keep(PRUNE_LAYER, 0.54, net.list, 2, keep), PRUNE_OK);
    assert_int_equal(keep[0], 54);
    assert_int_equal(keep[1], 18);
    /* global: kernels are worth 3, or 9 by l1. Of 148, 50 stay: 20 fours, then 3 kernels, and a fourth does not fit; by l1 5 kernels, a sixth does not fit, and the fours have
     * their floor: each = 50 / 10, half of that is 2 */
    assert_int_equal(prune_scope_keep(PRUNE_GLOBAL, 98.0 / 148, net.list, 2, keep), PRUNE_OK);
    assert_int_equal(keep[0], 27);
    assert_int_equal(keep[1], 20);
    net.tensors[0].criterion = PRUNE_L1;
    assert_int_equal(prune_scope_keep(PRUNE_GLOBAL, 98.0 / 148, net.list, 2, keep), PRUNE_OK);
    assert_int_equal(keep[0], 45);
    assert_int_equal(keep[1], 2);
    /* of 1x1 and 3x3 that are all worth the same, 3 kernels and what ties with them fills the rest */
    for (size_t i = 0; i < 40; i++) net.weights[1][i] = 9;
    assert_int_equal(prune_scope_keep(PRUNE_GLOBAL, 118.0 / 148, net.list, 2, keep), PRUNE_OK);
    assert_int_equal(keep[0] + keep[1], 30);
    assert_int_equal(keep[0], 27);
    /* 2x2 and 4x4: budgets are multiples of 4. (1-target) * 192 = 73.9 is 18.5 fours: 72 */
    clear();
    add(0, 4, 4, 2);
    add(0, 2, 4, 4);
    assert_int_equal(divisor(), 4);
    for (size_t i = 0; i < 64; i++) net.weights[0][i] = 1;      /* worth 2 */
    for (size_t i = 0; i < 128; i++) net.weights[1][i] = 1;     /* worth 4 */
    assert_int_equal(prune_scope_keep(PRUNE_GLOBAL, 1 - 73.9 / 192, net.list, 2, keep), PRUNE_OK);
    assert_int_equal(keep[0], 4 * 1);           /* its floor: each = 72 / 20 = 3, at least 1 */
    assert_int_equal(keep[1], 64);              /* 68 are left: four, and four weights missing */
    /* erk: they weigh 12 and 14; 72 * 12 / 26 = 33.2 = 8.3 units, 38.8 = 2.4 units; of the 72 - 32 - 32 = 8 that are left a large unit does not fit */
    assert_int_equal(prune_scope_keep(PRUNE_ERK, 1 - 73.9 / 192, net.list, 2, keep), PRUNE_OK);
    assert_int_equal(keep[0], 40);
    assert_int_equal(keep[1], 32);
}

/* Kernels of one size are as if each were a weight. */
static void kernels_of_one_size_are_like_weights(void **state)
{
    (void)state;
    static float sizes[MOST][MOST_WEIGHTS];
    for (int round = 0; round < 60; round++) {
        random_seed((uint64_t)round);
        by_kernel = 1;
        random_net(BELL, 12, 3);
        size_t by_kernels[4][MOST], by_weights[MOST];
        int n = net.n, out[MOST], in[MOST];
        double target = random_target();
        for (int t = 0; t < n; t++) {
            out[t] = net.tensors[t].out;
            in[t] = net.tensors[t].in;
            for (size_t i = 0, kernels = list_groups(&net.tensors[t], groups); i < kernels; i++) sizes[t][i] = net.mask[t][9 * i] ? (float)size_of(&net.tensors[t], &groups[i]) : -1;
        }
        for (int scope = PRUNE_LAYER; scope < PRUNE_ERK; scope++)               /* erk knows kh and kw */
            assert_int_equal(prune_scope_keep((enum prune_scope)scope, target, net.list, n, by_kernels[scope]), PRUNE_OK);
        by_kernel = 0;
        clear();
        for (int t = 0; t < n; t++) {
            add(0, out[t], in[t], 1);
            for (size_t i = 0; i < net.tensors[t].n; i++) {
                net.weights[t][i] = sizes[t][i];
                if (sizes[t][i] < 0) prune_one(&net.tensors[t], i);
            }
        }
        for (int scope = PRUNE_LAYER; scope < PRUNE_ERK; scope++) {
            assert_int_equal(prune_scope_keep((enum prune_scope)scope, target, net.list, n, by_weights), PRUNE_OK);
            for (int t = 0; t < n; t++) assert_int_equal(by_kernels[scope][t], 9 * by_weights[t]);
        }
    }
}

static void nothing_dies(void **state)
{
    (void)state;
    size_t keep[MOST];
    for (int scope = PRUNE_GLOBAL; scope <= PRUNE_ERK; scope++)
        for (int n = 2; n <= MOST; n += 19)
            for (size_t budget = 0; budget < 3 * (size_t)n; budget++) {
                random_seed(budget);
                clear();
                add(1, 50, 100, 1);             /* nearly all weights, and all the large ones */
                for (int t = 1; t < n; t++) add(0, 2, 3, 1);
                for (int t = 0; t < n; t++)
                    for (size_t i = 0; i < net.tensors[t].n; i++) net.weights[t][i] = t ? 1e-6F * random_bell() : 10 + random_bell();
                double target = 1 - (double)budget / (double)net.all;
                assert_int_equal(budget_of(target), budget);
                assert_int_equal(prune_scope_keep(scope, target, net.list, net.n, keep), PRUNE_OK);
                size_t sum = 0;
                for (int t = 0; t < n; t++) {
                    if (budget >= (size_t)n) assert_true(keep[t] >= 1);
                    sum += keep[t];
                }
                assert_int_equal(sum, budget);
                check_promises(scope, target, keep);
            }
}

static void nothing_to_share(void **state)
{
    (void)state;
    size_t keep[MOST] = { 77, 77 };
    clear();
    for (int scope = PRUNE_LAYER; scope <= PRUNE_ERK; scope++) {
        assert_int_equal(prune_scope_keep(scope, 0.5, net.list, 0, keep), PRUNE_OK);
        assert_int_equal(keep[0], 77);
    }
    add(1, 3, 3, 1);
    add(1, 2, 2, 1);
    for (int t = 0; t < 2; t++)
        for (size_t i = 0; i < net.tensors[t].n; i++) prune_one(&net.tensors[t], i);
    for (int scope = PRUNE_LAYER; scope <= PRUNE_ERK; scope++) {
        assert_int_equal(prune_scope_keep(scope, 0.5, net.list, 2, keep), PRUNE_OK);
        assert_int_equal(keep[0] + keep[1], 0);
    }
}

static void no_kernel_layer_dies(void **state)
{
    (void)state;
    size_t keep[MOST];
    for (int scope = PRUNE_GLOBAL; scope <= PRUNE_ERK; scope++)
        for (int n = 3; n <= 9; n += 3)
            for (size_t budget = 0; budget < 60 * (size_t)n; budget += 1 + budget / 20) {
                random_seed(budget);
                clear();
                add(1, 50, 100, 1);
                for (int t = 1; t < n; t++) add(0, 2, 3, 1 + t % 3);            /* units of 4, 9, 1 */
                for (int t = 0; t < n; t++)
                    for (size_t i = 0; i < net.tensors[t].n; i++) net.weights[t][i] = t ? 1e-6F * random_bell() : 10 + random_bell();
                double target = 1 - (double)budget / (double)net.all;
                assert_int_equal(budget_of(target), budget);
                assert_int_equal(prune_scope_keep((enum prune_scope)scope, target, net.list, net.n, keep), PRUNE_OK);
                size_t one_each = 0;
                for (int t = 0; t < n; t++) one_each += unit_of(&net.tensors[t]);
                for (int t = 0; t < n; t++)
                    if (budget >= one_each) assert_true(keep[t] >= unit_of(&net.tensors[t]));
                check_promises((enum prune_scope)scope, target, keep);
            }
}

/* Seven channels of two inputs, and eight of two: blocks are of 4 and 3, and of 4. */
static void blocks_by_hand(void **state)
{
    (void)state;
    size_t keep[2];
    clear();
    add(0, 7, 2, 1);
    add(1, 8, 2, 1);
    static const float first[14] = { 8, 1, 0, 0, 0, 0, 0, 0,  6, 3, 0, 0, 0, 0 }, second[16] = { 7, 4, 0, 0, 0, 0, 0, 0,  5, 2, 0, 0, 0, 0, 0, 0 };
    memcpy(net.weights[0], first, sizeof first);
    memcpy(net.weights[1], second, sizeof second);
    assert_int_equal(divisor(), 1);
    /* layer: 7 of 14, 8 of 16 */
    assert_int_equal(prune_scope_keep(PRUNE_LAYER, 0.5, net.list, 2, keep), PRUNE_OK);
    assert_int_equal(keep[0], 7);
    assert_int_equal(keep[1], 8);
    /* global: of 30, 15 stay: 8, 7, 6, 5 have 4 + 4 + 3 + 4 weights */
    assert_int_equal(prune_scope_keep(PRUNE_GLOBAL, 0.5, net.list, 2, keep), PRUNE_OK);
    assert_int_equal(keep[0], 7);
    assert_int_equal(keep[1], 8);
    /* 14 of 30: 5 does not fit any more */
    assert_int_equal(prune_scope_keep(PRUNE_GLOBAL, 16.0 / 30, net.list, 2, keep), PRUNE_OK);
    assert_int_equal(keep[0], 7);
    assert_int_equal(keep[1], 4);
    /* lamp: 8 scores 1, 7 scores 1, 6 scores 36/100, 5 scores 25/74, 4 scores 16/90, ...: the same order here */
    assert_int_equal(prune_scope_keep(PRUNE_LAMP, 0.5, net.list, 2, keep), PRUNE_OK);
    assert_int_equal(keep[0], 7);
    assert_int_equal(keep[1], 8);
    for (int i = 0; i < 2; i++) assert_int_equal(prune_tensor_unit(&net.tensors[i]), 4);
    assert_int_equal(prune_tensor_grain(&net.tensors[0], 0), 1);
    assert_int_equal(prune_tensor_grain(&net.tensors[1], 0), 4);
    assert_int_equal(prune_tensor_grain(&net.tensors[1], 6), 2);
    net.tensors[1].groups = 2;                  /* and in groups of four channels: the same blocks; in groups of two: blocks of two */
    assert_int_equal(prune_tensor_unit(&net.tensors[1]), 4);
    net.tensors[1].groups = 4;
    assert_int_equal(prune_tensor_unit(&net.tensors[1]), 2);
    assert_int_equal(prune_tensor_grain(&net.tensors[1], 0), 2);
}

static void use(int kernels, int blocks)
{
    by_kernel = kernels;
    by_block = blocks;
    in_groups = 0;
    worth = PRUNE_MAGNITUDE;
}

static int use_kernels(void **state) { (void)state; return use(1, 0), 0; }
static int use_blocks(void **state) { (void)state; return use(0, 1), 0; }
static int use_weights(void **state) { (void)state; return use(0, 0), 0; }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(random_nets),
        cmocka_unit_test(large_tensors),
        cmocka_unit_test(lamp_by_its_definition),
        cmocka_unit_test(lamp_is_blind_to_scale),
        cmocka_unit_test(nothing_dies),
        cmocka_unit_test(nothing_to_share),
        cmocka_unit_test_setup_teardown(units_by_hand, use_kernels, use_weights),
        { "random_nets_by_kernel", random_nets_of_units, use_kernels, use_weights, NULL },
        { "random_nets_by_block", random_nets_of_units, use_blocks, use_weights, NULL },
        { "lamp_by_its_definition_by_block", lamp_by_its_definition, use_blocks, use_weights, NULL },
        cmocka_unit_test_setup_teardown(blocks_by_hand, use_blocks, use_weights),
        { "lamp_by_its_definition_by_kernel", lamp_by_its_definition, use_kernels, use_weights, NULL },
        cmocka_unit_test_setup_teardown(kernels_of_one_size_are_like_weights, use_kernels, use_weights),
        cmocka_unit_test_setup_teardown(no_kernel_layer_dies, use_kernels, use_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
