/* test_mask.c - steps of prune and recover in a make-believe training, against a twin that sorts
 *
 * The twin of a step is plain: sort the pruned units by what their rule says, take the first, sort the active ones by size,
 * keep the first that fit. Masks, weights, momentum, moments and memory must agree with it bit for bit. A unit is a weight, a kernel, or a block of four output
 * channels' weights at one place; the twin has them as lists.
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

enum { MOST = 6, MOST_WEIGHTS = 1200 };

struct world {
    struct prune_tensor tensors[MOST];
    float weights[MOST][MOST_WEIGHTS], momentum[MOST][MOST_WEIGHTS], moment1[MOST][MOST_WEIGHTS], moment2[MOST][MOST_WEIGHTS], memory[MOST][MOST_WEIGHTS];
    uint8_t mask[MOST][MOST_WEIGHTS];
    int n;
};

static struct world world, twin;
static int by_kernel, by_block, in_groups;      /* what add() makes */
enum { WHOLE_BLOCKS = 1, SHORT_BLOCKS };        /* by_block: in build_world() */
static enum prune_criterion worth;

static void add(int connected, int out, int in, int k, int adam, int remembers, float limit)
{
    int t = world.n++;
    struct prune_tensor *tensor = &world.tensors[t];
    *tensor = (struct prune_tensor){ .name = "test", .layer = t, .kind = connected ? PRUNE_CONNECTED : PRUNE_CONVOLUTIONAL, .out = out, .in = in, .kh = k,
                                     .kw = k, .weights = world.weights[t], .momentum = world.momentum[t], .mask = world.mask[t], .limit = limit };
    tensor->n = tensor->active = (size_t)(out * in * k * k);
    tensor->unit = by_kernel ? k * k : t % 2;   /* 0 and 1 are the same */
    tensor->groups = in_groups;
    if (by_block) prune_tensor_divide(tensor, PRUNE_BLOCK4);
    tensor->criterion = worth;
    assert_true(tensor->n <= MOST_WEIGHTS);
    memset(tensor->mask, 1, tensor->n);
    if (adam) {
        tensor->moment1 = world.moment1[t];
        tensor->moment2 = world.moment2[t];
    }
    if (remembers) tensor->memory = world.memory[t];
    for (size_t i = 0; i < tensor->n; i++) {
        tensor->weights[i] = random_bell() * (1 + (float)t);
        tensor->momentum[i] = random_bell();
        world.moment1[t][i] = random_bell();
        world.moment2[t][i] = random_bell();
        world.memory[t][i] = 0;
    }
}

static void copy_world(struct world *to, const struct world *from)
{
    *to = *from;
    for (int t = 0; t < to->n; t++) {
        struct prune_tensor *tensor = &to->tensors[t];
        tensor->weights = to->weights[t];
        tensor->momentum = to->momentum[t];
        tensor->mask = to->mask[t];
        if (tensor->moment1) tensor->moment1 = to->moment1[t];
        if (tensor->moment2) tensor->moment2 = to->moment2[t];
        if (tensor->memory) tensor->memory = to->memory[t];
    }
}

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static void assert_same_floats(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bits_of(a[i]) != bits_of(b[i])) fail_msg("%zu: %g is not %g", i, (double)a[i], (double)b[i]);
}

static void assert_same_world(void)
{
    for (int t = 0; t < world.n; t++) {
        const struct prune_tensor *a = &world.tensors[t], *b = &twin.tensors[t];
        assert_memory_equal(a->mask, b->mask, a->n);
        assert_int_equal(a->active, b->active);
        assert_same_floats(a->weights, b->weights, a->n);
        assert_same_floats(a->momentum, b->momentum, a->n);
        assert_same_floats(world.moment1[t], twin.moment1[t], a->n);
        assert_same_floats(world.moment2[t], twin.moment2[t], a->n);
        assert_same_floats(world.memory[t], twin.memory[t], a->n);
    }
}

static size_t count_active(const struct prune_tensor *tensor)
{
    size_t n = 0;
    for (size_t i = 0; i < tensor->n; i++) n += tensor->mask[i] == 1;
    return n;
}

static size_t rounded(double x) { return (size_t)floor(x + 0.5); }
static size_t min_of(size_t a, size_t b) { return a < b ? a : b; }
static size_t max_of(size_t a, size_t b) { return a > b ? a : b; }

static struct group groups[MOST_WEIGHTS];

/* (1-target) of the tensor's units, in weights. */
static size_t survivors_of(const struct prune_tensor *tensor, double target)
{
    return rounded((1 - target) * (double)(tensor->n / grain_of(tensor))) * grain_of(tensor);
}

/* ------------------------------------------------------------------------------------------------- the twin of a step -- */

struct candidate {
    double size;
    size_t i;                   /* its place among the groups; among several tensors, behind those of the tensors before */
    size_t weights;
};

static int larger_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (isnan(x->size) != isnan(y->size)) return isnan(y->size) - isnan(x->size);
    if (!isnan(x->size) && x->size != y->size) return x->size < y->size ? 1 : -1;
    return (x->i > y->i) - (x->i < y->i);
}

static int tie(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static struct candidate candidates[MOST_WEIGHTS];

static double size_of(const struct group *group, const float *values, int l1)
{
    double sum = 0;
    for (size_t j = 0; j < group->n; j++) {
        double x = (double)values[group->at[j]];
        sum += l1 ? fabs(x) : x * x;
    }
    return group->n == 1 ? fabs((double)values[group->at[0]]) : (double)(float)(l1 ? sum : sqrt(sum));
}

static size_t sort_active(const struct prune_tensor *tensor, size_t n_groups)
{
    size_t n = 0;
    for (size_t g = 0; g < n_groups; g++)
        if (tensor->mask[groups[g].at[0]]) candidates[n++] = (struct candidate){ size_of(&groups[g], tensor->weights, tensor->criterion == PRUNE_L1), g, groups[g].n };
    qsort(candidates, n, sizeof *candidates, larger_first);
    return n;
}

static double falls_of(const struct prune_tensor *tensor, const struct group *group)
{
    double sum = 0;
    if (group->n == 1) return (double)(tensor->memory[group->at[0]] * tensor->momentum[group->at[0]]);
    for (size_t j = 0; j < group->n; j++) sum += (double)tensor->memory[group->at[j]] * (double)tensor->momentum[group->at[j]];
    return (double)(float)sum;
}

static void lose(struct prune_tensor *tensor, size_t i)
{
    tensor->momentum[i] = 0;
    if (tensor->moment1) tensor->moment1[i] = 0;
    if (tensor->moment2) tensor->moment2[i] = 0;
}

/* Of the sorted candidates the first, until one does not fit, and those of the same size that do: how many weights. Moves them to the front. */
static size_t take_in_order(size_t n, size_t room, size_t *taken)
{
    size_t weights = 0;
    double stop = -1;
    *taken = 0;
    for (size_t c = 0; c < n && room > weights && (stop == -1 || tie(candidates[c].size, stop)); c++) {
        if (candidates[c].weights > room - weights) {
            stop = candidates[c].size;
            continue;
        }
        struct candidate one = candidates[c];
        memmove(&candidates[*taken + 1], &candidates[*taken], (c - *taken) * sizeof one);
        candidates[(*taken)++] = one;
        weights += one.weights;
    }
    return weights;
}

static void step_twin(struct prune_tensor *tensor, enum prune_rule rule, size_t keep, double rho, struct prune_step *done)
{
    static size_t returning[MOST_WEIGHTS];
    size_t unit = unit_of(tensor), most = (size_t)floor(rho * (double)(keep / unit)) * unit, n = 0, back = 0, n_groups = list_groups(tensor, groups);
    float weakest = 0;
    n = sort_active(tensor, n_groups);
    for (size_t c = 0, sum = 0; c < n && sum < keep; c++) {
        weakest = (float)candidates[c].size;    /* that would survive if none came back */
        sum += candidates[c].weights;
    }
    n = 0;
    for (size_t g = 0; g < n_groups; g++) {
        if (tensor->mask[groups[g].at[0]] || rule == PRUNE_NONE) continue;
        double gain = rule == PRUNE_RESTORE ? falls_of(tensor, &groups[g]) : size_of(&groups[g], tensor->memory, rule == PRUNE_SHADOW && tensor->criterion == PRUNE_L1);
        float bar = rule == PRUNE_SHADOW ? weakest * (1.1F / 0.9F) : 0;
        if (gain > (double)bar) candidates[n++] = (struct candidate){ gain, g, groups[g].n };
    }
    qsort(candidates, n, sizeof *candidates, larger_first);
    size_t n_returning, returned = take_in_order(n, most, &n_returning);
    for (; back < n_returning; back++) returning[back] = candidates[back].i;

    n = sort_active(tensor, n_groups);
    size_t first, room = keep - returned;
    room -= take_in_order(n, room, &first);
    for (int again = 1; again;) {               /* smaller ones, as long as one fits */
        again = 0;
        for (size_t c = first; c < n && !again; c++) {
            if (candidates[c].weights > room) continue;
            struct candidate one = candidates[c];
            memmove(&candidates[first + 1], &candidates[first], (c - first) * sizeof one);
            candidates[first++] = one;
            room -= one.weights;
            again = 1;
        }
    }
    for (size_t c = first; c < n; c++)
        for (size_t j = 0; j < candidates[c].weights; j++) {
            size_t i = groups[candidates[c].i].at[j];
            if (tensor->memory) tensor->memory[i] = rule == PRUNE_GRADIENT ? 0 : tensor->weights[i];
            tensor->weights[i] = 0;
            tensor->mask[i] = 0;
            lose(tensor, i);
            done->pruned++;
        }
    for (size_t r = 0; r < n_returning; r++)
        for (size_t j = 0; j < groups[returning[r]].n; j++) {
            size_t i = groups[returning[r]].at[j];
            tensor->weights[i] = rule == PRUNE_GRADIENT ? 0 : tensor->memory[i];
            tensor->memory[i] = 0;
            tensor->mask[i] = 1;
            lose(tensor, i);
            done->recovered++;
        }
    for (size_t i = 0; rule == PRUNE_GRADIENT && i < tensor->n; i++) tensor->memory[i] = 0;
    tensor->active = count_active(tensor);
}

/* The shares of those that share a budget. Global by sorting all, up to what does not fit; lamp and erk have twins of their own in test_scope.c. */
static void shares_twin(enum prune_scope scope, double target, struct prune_tensor **sharing, int n, size_t *keep)
{
    static struct candidate all[MOST * MOST_WEIGHTS];
    size_t total = 0, weights = 0, units = 0;
    if (scope == PRUNE_LAYER) {
        for (int t = 0; t < n; t++) keep[t] = min_of(survivors_of(sharing[t], target), sharing[t]->active);
        return;
    }
    if (scope != PRUNE_GLOBAL) {
        assert_int_equal(prune_scope_keep(scope, target, sharing, n, keep), PRUNE_OK);
        return;
    }
    int settled[MOST] = { 0 };
    size_t floors[MOST];
    size_t g = grain_of(sharing[0]);            /* divides all: in these worlds it is the same for all, or 1 */
    for (int t = 0; t < n; t++) {
        weights += sharing[t]->n;
        total += sharing[t]->active;
        units += unit_of(sharing[t]);
        if (grain_of(sharing[t]) != g) g = 1;
    }
    size_t left = min_of(rounded((1 - target) * (double)(weights / g)) * g, total), count = 0;
    for (int t = 0; t < n; t++) {
        size_t unit = unit_of(sharing[t]), least = min_of(32, left / units / 2), tenth = (size_t)(0.1 * (1 - target) * (double)(sharing[t]->n / unit));
        floors[t] = min_of(max_of(least, tenth) * unit, sharing[t]->active);
        size_t n_groups = list_groups(sharing[t], groups), n_active = sort_active(sharing[t], n_groups);
        for (size_t c = 0; c < n_active; c++) all[count++] = (struct candidate){ candidates[c].size, (size_t)t * MOST_WEIGHTS + candidates[c].i, candidates[c].weights };
    }
    qsort(all, count, sizeof *all, larger_first);       /* ties: by tensor */
    for (int again = 1; again;) {
        again = 0;
        size_t room = left;
        for (int t = 0; t < n; t++)
            if (!settled[t]) keep[t] = 0;
        double stop = -1;                       /* where one does not fit, smaller units that tie with it may */
        for (size_t c = 0; c < count && room && (stop == -1 || tie(all[c].size, stop)); c++) {
            size_t tensor = all[c].i / MOST_WEIGHTS;
            if (settled[tensor]) continue;
            if (all[c].weights > room) {
                stop = all[c].size;
                continue;
            }
            keep[tensor] += all[c].weights;
            room -= all[c].weights;
        }
        for (int t = 0; t < n; t++) {
            if (settled[t] || keep[t] >= floors[t]) continue;
            left -= keep[t] = floors[t];
            settled[t] = again = 1;
        }
    }
}

static void whole_step_twin(const struct prune_settings *settings, int t, struct prune_step *done)
{
    int half = (settings->steps + 1) / 2, kind = PRUNE_UNKNOWN, place = t, T = settings->steps;
    if (settings->order == PRUNE_CONVOLUTIONAL_THEN_CONNECTED) {
        kind = t <= half ? PRUNE_CONVOLUTIONAL : PRUNE_CONNECTED;
        place = t <= half ? t : t - half;
        T = t <= half ? half : settings->steps - half;
    }
    double rho = (double)settings->recover * fmax(0, 1 - place / (0.8 * T));
    struct prune_tensor *sharing[MOST];
    size_t keep[MOST], shared[MOST];
    int n = 0;
    *done = (struct prune_step){ .t = t };
    double wanted = 0, zeros = 0;
    for (int i = 0; i < twin.n; i++) {
        struct prune_tensor *tensor = &twin.tensors[i];
        double own = tensor->limit < 0 ? (double)settings->sparsity : (double)tensor->limit;
        double aim = prune_schedule_target(settings->curve, own, place, T);
        int turn = kind == PRUNE_UNKNOWN || kind == (int)tensor->kind;
        keep[i] = tensor->active;
        if (turn && tensor->limit >= 0) keep[i] = min_of(survivors_of(tensor, aim), tensor->active);
        if (turn && tensor->limit < 0) sharing[n++] = tensor;
        if (!turn) aim = kind == PRUNE_CONVOLUTIONAL ? 0 : own; /* its turn is to come, or has been */
        wanted += aim * (double)tensor->n;
        done->n += tensor->n;
    }
    if (n) shares_twin(settings->scope, prune_schedule_target(settings->curve, (double)settings->sparsity, place, T), sharing, n, shared);
    for (int s = 0; s < n; s++) keep[sharing[s]->layer] = shared[s];       /* in this test a tensor's layer is its index */
    for (int i = 0; i < twin.n; i++) {
        if (kind == PRUNE_UNKNOWN || kind == (int)twin.tensors[i].kind) step_twin(&twin.tensors[i], settings->rule, keep[i], rho, done);
        zeros += (double)(twin.tensors[i].n - twin.tensors[i].active);
    }
    done->target = wanted / (double)done->n;
    done->achieved = zeros / (double)done->n;
}

/* -------------------------------------------------------------------------------------------------- a training -- */

static void assert_zero(const float *values, const uint8_t *mask, size_t n)
{
    for (size_t i = 0; values && i < n; i++)
        if (!mask[i] && bits_of(values[i])) fail_msg("%zu: pruned, and %g", i, (double)values[i]);
}

static void assert_pruned_are_zero(void)
{
    for (int t = 0; t < world.n; t++) {
        const struct prune_tensor *tensor = &world.tensors[t];
        assert_int_equal(tensor->active, count_active(tensor));
        assert_zero(tensor->weights, tensor->mask, tensor->n);
        assert_zero(tensor->momentum, tensor->mask, tensor->n);
        assert_zero(tensor->moment1, tensor->mask, tensor->n);
        assert_zero(tensor->moment2, tensor->mask, tensor->n);
    }
}

static void backward(int ties)
{
    for (int t = 0; t < world.n; t++) {
        struct prune_tensor *tensor = &world.tensors[t];
        for (size_t i = 0; i < tensor->n; i++) tensor->momentum[i] = 0.9F * tensor->momentum[i] + (ties ? (float)((int)random_below(3) - 1) * 0.5F : random_bell());
    }
}

/* The update, and now and then what an accident of training leaves at pruned places, where one can happen. */
static void update(int strange, enum prune_rule rule)
{
    static const float accidents[] = { NAN, -NAN, INFINITY, -INFINITY, -0.0F, 1e-44F };
    for (int t = 0; t < world.n; t++) {
        struct prune_tensor *tensor = &world.tensors[t];
        int accidents_happen = strange && (tensor->moment1 || rule == PRUNE_SHADOW);
        for (size_t i = 0; i < tensor->n; i++) {
            tensor->weights[i] += 0.6F * tensor->momentum[i] - 0.1F * tensor->weights[i];
            world.moment1[t][i] += random_bell();
            world.moment2[t][i] += 1;
            if (!accidents_happen || tensor->mask[i] || random_below(20)) continue;
            float accident = accidents[random_below(6)];
            tensor->weights[i] = accident;
            tensor->momentum[i] = accident;
            world.moment1[t][i] = accident;
            world.moment2[t][i] = accident;
        }
    }
    for (int t = 0; t < world.n; t++)           /* arrays that a tensor does not have are left as they were */
        if (!world.tensors[t].moment1) {
            memset(world.moment1[t], 0, sizeof world.moment1[t]);
            memset(world.moment2[t], 0, sizeof world.moment2[t]);
        }
}

static void build_world(int adam, int remembers)
{
    world.n = 0;
    if (by_block) {
        int tails = by_block == SHORT_BLOCKS;
        add(0, 8 - tails, 3, 3, adam, remembers, -1);           /* 216, or 189: 4 and 3 */
        in_groups = 2;
        add(0, 16 - 4 * tails, 3, 3, 0, remembers, -1);         /* 432, or 324: twice 4 and 2 */
        in_groups = 4;
        add(0, 16 - 4 * tails, 12, 1, adam, remembers, 0.5F);   /* 192, or 144: four times 3, its own limit */
        in_groups = 0;
        add(1, 32 - tails, 36, 1, adam, remembers, -1);         /* 1152, or 1116: 4 and 3 */
        add(1, 12 - 2 * tails, 30, 1, 0, remembers, -1);        /* 360, or 300: 4 and 2 */
        add(1, 4 + tails, 11, 1, adam, remembers, 0.25F);       /* 44, or 55: 4 and 1, its own limit */
        return;
    }
    add(0, 6, 3, 3, adam, remembers, -1);       /* 162 */
    add(0, 12, 6, 3, 0, remembers, -1);         /* 648 */
    add(0, 7, 12, 1, adam, remembers, 0.5F);    /* 84, its own limit */
    add(1, 30, 40, 1, adam, remembers, -1);     /* 1200 */
    add(1, 10, 30, 1, 0, remembers, -1);        /* 300 */
    add(1, 5, 11, 1, adam, remembers, 0);       /* 55, its own limit is 0 */
}

/* With units of one size exactly those survive; else less than the largest may be missing. */
static void assert_survivors(const struct prune_tensor *tensor, double target)
{
    size_t due = survivors_of(tensor, target), missing = grain_of(tensor) == unit_of(tensor) ? 0 : unit_of(tensor) - 1;
    assert_in_range(tensor->active + missing, due, due + missing);
}

/* n weights, of which the tensors of that kind without a limit (or all: PRUNE_UNKNOWN) share a budget; how many of them survive */
static void check_survivors(const struct prune_settings *s, double target, enum prune_kind kind)
{
    size_t n = 0, active = 0, largest = 1, smallest = MOST_WEIGHTS, missing = 0;
    for (int t = 0; t < world.n; t++) {
        const struct prune_tensor *tensor = &world.tensors[t];
        if (tensor->limit >= 0 || (kind != PRUNE_UNKNOWN && tensor->kind != kind)) continue;
        n += tensor->n;
        active += tensor->active;
        largest = max_of(largest, unit_of(tensor));
        smallest = min_of(smallest, grain_of(tensor));
        if (grain_of(tensor) < unit_of(tensor)) missing += unit_of(tensor) - 1;
        if (s->scope == PRUNE_LAYER) assert_survivors(tensor, target);
        assert_true(tensor->active > 0);
    }
    if (s->scope == PRUNE_LAYER) return;
    if (largest == smallest) assert_int_equal(active, rounded((1 - target) * (double)(n / largest)) * largest);
    else assert_in_range(active + largest - 1 + missing, rounded((1 - target) * (double)n) - (by_block ? 1 : 0), rounded((1 - target) * (double)n) + largest - 1 + missing + (by_block ? 1 : 0));
}

static size_t recovered_in_all, recovered_by_rule[4];

static void train(const struct prune_settings *s, int adam, int strange, int ties)
{
    int last = 0, half = (s->steps + 1) / 2;
    build_world(adam, s->rule != PRUNE_NONE);
    recovered_in_all = 0;
    for (int iteration = 1; iteration <= s->end + 3; iteration++) {
        backward(ties);
        int due = prune_schedule_step(s, iteration);
        if (due > last) {
            assert_int_equal(due, last + 1);
            last = due;
            copy_world(&twin, &world);
            static struct world before;
            copy_world(&before, &world);
            struct prune_step done, expected;
            assert_int_equal(prune_mask_step(world.tensors, world.n, s, due, &done), PRUNE_OK);
            whole_step_twin(s, due, &expected);
            assert_same_world();
            assert_int_equal(done.t, due);
            assert_int_equal(done.n, expected.n);
            assert_int_equal(done.pruned, expected.pruned);
            assert_int_equal(done.recovered, expected.recovered);
            assert_true(fabs(done.target - expected.target) < 1e-12);
            assert_true(fabs(done.achieved - expected.achieved) < 1e-12);

            /* and without the twin: how many survive, come back, go; what newly pruned ones hold */
            int connected = s->order == PRUNE_CONVOLUTIONAL_THEN_CONNECTED && due > half;
            enum prune_kind turn = s->order == PRUNE_TOGETHER ? PRUNE_UNKNOWN : connected ? PRUNE_CONNECTED : PRUNE_CONVOLUTIONAL;
            int place = connected ? due - half : due, T = s->order == PRUNE_TOGETHER ? s->steps : connected ? s->steps - half : half;
            check_survivors(s, prune_schedule_target(s->curve, (double)s->sparsity, place, T), turn);
            if (connected) check_survivors(s, (double)s->sparsity, PRUNE_CONVOLUTIONAL);
            double rho = prune_schedule_recover((double)s->recover, place, T);
            size_t back = 0, gone = 0;
            for (int t = 0; t < world.n; t++) {
                const struct prune_tensor *tensor = &world.tensors[t];
                size_t here = 0;
                assert_int_equal(tensor->active, count_active(tensor));
                assert_zero(tensor->weights, tensor->mask, tensor->n);
                for (size_t i = 0; i < tensor->n; i++) {
                    assert_true(tensor->mask[i] <= 1);
                    here += tensor->mask[i] && !before.mask[t][i];
                    if (tensor->mask[i] || !before.mask[t][i]) continue;
                    gone++;
                    assert_int_equal(bits_of(tensor->momentum[i]), 0);
                    if (tensor->moment1) assert_int_equal(bits_of(tensor->moment1[i]) | bits_of(tensor->moment2[i]), 0);
                }
                for (size_t g = list_groups(tensor, groups); g-- > 0;)
                    for (size_t j = 0; j < groups[g].n; j++) assert_int_equal(tensor->mask[groups[g].at[j]], tensor->mask[groups[g].at[0]]);
                assert_true((double)here <= rho * (double)(tensor->active + (grain_of(tensor) < unit_of(tensor) ? unit_of(tensor) - 1 : 0)));
                if (turn != PRUNE_UNKNOWN && tensor->kind != turn) assert_memory_equal(tensor->mask, before.mask[t], tensor->n);
                if (tensor->limit >= 0 && turn == PRUNE_UNKNOWN)
                    assert_survivors(tensor, prune_schedule_target(s->curve, (double)tensor->limit, place, T));
                back += here;
            }
            assert_int_equal(done.recovered, back);
            assert_int_equal(done.pruned, gone);
            if (s->rule == PRUNE_NONE) assert_int_equal(back, 0);
            if (5 * place >= 4 * T) assert_int_equal(back, 0);
            recovered_in_all += back;
        }
        for (int t = 0; t < world.n; t++) prune_mask_before_update(&world.tensors[t], s->rule);
        update(strange, s->rule);
        for (int t = 0; t < world.n; t++) prune_mask_after_update(&world.tensors[t], s->rule);
        assert_pruned_are_zero();
    }
    assert_int_equal(last, s->steps);
    recovered_by_rule[s->rule] += recovered_in_all;
    if (s->rule != PRUNE_NONE && !recovered_in_all && !by_block) fail_msg("rule %d scope %d order %d: nothing came back", (int)s->rule, (int)s->scope, (int)s->order);
}

static struct prune_settings settings_of(enum prune_rule rule, enum prune_scope scope, enum prune_order order, int steps)
{
    struct prune_settings s;
    prune_settings_default(&s);
    s.configured = 1;
    s.rule = rule;
    s.scope = scope;
    s.order = order;
    s.steps = steps;
    s.end = 2 * steps + 3;
    return s;
}

static void whole_schedules(void **state)
{
    (void)state;
    memset(recovered_by_rule, 0, sizeof recovered_by_rule);
    for (int rule = PRUNE_NONE; rule <= PRUNE_SHADOW; rule++)
        for (int scope = PRUNE_LAYER; scope <= PRUNE_ERK; scope++)
            for (int order = PRUNE_TOGETHER; order <= PRUNE_CONVOLUTIONAL_THEN_CONNECTED; order++) {
                struct prune_settings s = settings_of(rule, scope, order, 15);
                if (by_kernel || by_block) worth = (scope + order) % 2 ? PRUNE_L1 : PRUNE_L2;
                random_seed((uint64_t)(100 * rule + 10 * scope + order));
                s.curve = (enum prune_curve)((rule + scope + order) % 4);
                s.sparsity = scope % 2 ? 0.95F : 0.9F;
                s.recover = order ? 0.3F : 0.1F;
                train(&s, rule % 2, 0, 0);
                train(&s, 1, 1, 0);             /* NaN and infinity at pruned places */
            }
    for (int rule = PRUNE_GRADIENT; rule <= PRUNE_SHADOW; rule++)               /* shadows of four grow past others too seldom for every single training */
        if (recovered_by_rule[rule] < 100) fail_msg("rule %d: only %zu came back in all trainings", rule, recovered_by_rule[rule]);
}

static void with_ties(void **state)
{
    (void)state;
    for (int rule = PRUNE_GRADIENT; rule <= PRUNE_SHADOW; rule++) {
        struct prune_settings s = settings_of(rule, PRUNE_LAYER, PRUNE_TOGETHER, 10);
        random_seed((uint64_t)rule);
        s.recover = 1;
        train(&s, 1, 0, 1);
    }
    /* a single step on weights that are all of a few sizes, with half of them pruned */
    for (int round = 0; round < 200; round++) {
        random_seed((uint64_t)(9000 + round));
        struct prune_settings s = settings_of((enum prune_rule)(round % 4), (enum prune_scope)(round / 4 % 4), PRUNE_TOGETHER, 10);
        s.recover = 0.8F;
        build_world(1, s.rule != PRUNE_NONE);
        for (int t = 0; t < world.n; t++) {
            struct prune_tensor *tensor = &world.tensors[t];
            for (size_t g = 0, n = list_groups(tensor, groups); g < n; g++) {
                int active = random_below(2) != 0;
                for (size_t j = 0; j < groups[g].n; j++) {
                    size_t i = groups[g].at[j];
                    float x = (float)((int)random_below(7) - 3), m = (float)((int)random_below(9) - 4);
                    tensor->mask[i] = (uint8_t)active;
                    tensor->weights[i] = active ? x : 0;
                    tensor->momentum[i] = x;
                    if (tensor->memory) tensor->memory[i] = active ? 0 : m;
                }
            }
            tensor->active = count_active(tensor);
        }
        copy_world(&twin, &world);
        struct prune_step done, expected;
        int t = 1 + (int)random_below(10);
        assert_int_equal(prune_mask_step(world.tensors, world.n, &s, t, &done), PRUNE_OK);
        whole_step_twin(&s, t, &expected);
        assert_same_world();
        assert_int_equal(done.recovered, expected.recovered);
        assert_int_equal(done.pruned, expected.pruned);
    }
}

/* ------------------------------------------------------------------------------------------- by hand, rule by rule -- */

/* Eight weights, or four units of two: 0-3 active with sizes 4 3 2 1, 4-7 pruned. One step that keeps four, with room for two to come back. */
static void eight(enum prune_rule rule, const float *memory, const float *momentum, const char *mask, const float *weights, size_t recovered)
{
    world.n = 0;
    random_seed(1);
    add(1, 2, 4, 1, 1, rule != PRUNE_NONE, -1);
    struct prune_tensor *tensor = &world.tensors[0];
    if (by_kernel) tensor->unit = 2;
    for (size_t i = 0; i < 8; i++) {
        tensor->mask[i] = i < 4;
        tensor->weights[i] = i < 4 ? (float)(4 - (int)i) * (i % 2 ? -1 : 1) : 0;
        tensor->momentum[i] = momentum[i];
        world.memory[0][i] = memory[i];
    }
    tensor->active = 4;
    struct prune_settings s = settings_of(rule, PRUNE_LAYER, PRUNE_TOGETHER, 8);
    s.curve = PRUNE_LINEAR;
    s.sparsity = 0.5F;                          /* s_2 = 0.125 would leave 7, but only 4 are active */
    s.recover = 1;                              /* rho_2 = 1 - 2/6.4 = 0.6875: of 4 that is 2.75, so 2 may come back */
    struct prune_step done;
    assert_int_equal(prune_mask_step(world.tensors, 1, &s, 2, &done), PRUNE_OK);
    for (size_t i = 0; i < 8; i++) {
        if (tensor->mask[i] != mask[i] - '0' || tensor->weights[i] != weights[i])
            fail_msg("rule %d weight %zu: mask %d weight %g", (int)rule, i, tensor->mask[i], (double)tensor->weights[i]);
    }
    assert_int_equal(done.recovered, recovered);
    assert_int_equal(done.pruned, recovered);
    assert_int_equal(tensor->active, 4);
}

static void what_each_rule_restores(void **state)
{
    (void)state;
    const float none[8] = { 0 }, ones[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    eight(PRUNE_NONE, none, ones, "11110000", (float[]){ 4, -3, 2, -1, 0, 0, 0, 0 }, 0);
    /* gradient: the two largest sums, from 0; whatever the momentum and the sign */
    eight(PRUNE_GRADIENT, (float[]){ 9, 9, 9, 9, 0.2F, -0.5F, 0, 0.3F }, none, "11000101", (float[]){ 4, -3, 0, 0, 0, 0, 0, 0 }, 2);
    eight(PRUNE_GRADIENT, (float[]){ 0, 0, 0, 0, 0, 0, NAN, 1e-44F }, ones, "11100001", (float[]){ 4, -3, 2, 0, 0, 0, 0, 0 }, 1);
    for (int i = 0; i < 8; i++) assert_int_equal(bits_of(world.memory[0][i]), 0);       /* the next step judges anew */
    /* restore: value * negative gradient: 1, -2, 0.5, 0.6 */
    eight(PRUNE_RESTORE, (float[]){ 0, 0, 0, 0, 0.5F, 1, -0.25F, 6 }, (float[]){ 9, 9, 9, 9, 2, -2, -2, 0.1F }, "11001001", (float[]){ 4, -3, 0, 0, 0.5F, 0, 0, 6 }, 2);
    assert_true(world.memory[0][2] == 2 && world.memory[0][3] == -1);                   /* what went is remembered */
    assert_true(world.memory[0][4] == 0 && world.memory[0][7] == 0 && world.memory[0][5] == 1);
    eight(PRUNE_RESTORE, (float[]){ 0, 0, 0, 0, 1, 1, 1, 1 }, (float[]){ 1, 1, 1, 1, 0, -1, -5, NAN }, "11110000", (float[]){ 4, -3, 2, -1, 0, 0, 0, 0 }, 0);
    eight(PRUNE_RESTORE, (float[]){ 0, 0, 0, 0, 1, 0, 1, 1 }, (float[]){ 1, 1, 1, 1, 0, 9, -5, 1e-3F }, "11100001", (float[]){ 4, -3, 2, 0, 0, 0, 0, 1 }, 1);
    /* shadow: beyond 1.1/0.9 of the weakest of those that stay (1): 1.2222 */
    eight(PRUNE_SHADOW, (float[]){ 0, 0, 0, 0, 1.25F, 1.2F, -1.3F, NAN }, ones, "11001010", (float[]){ 4, -3, 0, 0, 1.25F, 0, -1.3F, 0 }, 2);
    assert_true(world.memory[0][2] == 2 && world.memory[0][3] == -1 && world.memory[0][5] == 1.2F);
    eight(PRUNE_SHADOW, (float[]){ 0, 0, 0, 0, 1.2F, -1.22F, 0.5F, 1.0F }, ones, "11110000", (float[]){ 4, -3, 2, -1, 0, 0, 0, 0 }, 0);
    eight(PRUNE_SHADOW, (float[]){ 0, 0, 0, 0, 1.2F, -1.23F, 0.5F, 1.0F }, ones, "11100100", (float[]){ 4, -3, 2, 0, 0, -1.23F, 0, 0 }, 1);
}

/* Units of two: (4, -3) and (2, -1) are active, worth 5 and the root of 5, by l1 7 and 3; one may come back. */
static void what_each_rule_restores_by_unit(void **state)
{
    (void)state;
    const float none[8] = { 0 }, ones[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    eight(PRUNE_NONE, none, ones, "11110000", (float[]){ 4, -3, 2, -1, 0, 0, 0, 0 }, 0);
    /* gradient: (0, 3) is more than (2, -2), whose sizes have the larger sum; l1 is no criterion of gradients */
    for (int l1 = 0; l1 < 2; l1++) {
        worth = l1 ? PRUNE_L1 : PRUNE_MAGNITUDE;
        eight(PRUNE_GRADIENT, (float[]){ 9, 9, 9, 9, 2, -2, 0, 3 }, none, "11000011", (float[]){ 4, -3, 0, 0, 0, 0, 0, 0 }, 2);
        eight(PRUNE_GRADIENT, (float[]){ 9, 9, 9, 9, 2, -2.25F, 0, 3 }, none, "11001100", (float[]){ 4, -3, 0, 0, 0, 0, 0, 0 }, 2);
    }
    worth = PRUNE_MAGNITUDE;
    eight(PRUNE_GRADIENT, (float[]){ 0, 0, 0, 0, NAN, 5, 0, 1e-44F }, none, "11000011", (float[]){ 4, -3, 0, 0, 0, 0, 0, 0 }, 2);
    /* restore: the sums 2 - 1.5 and 0.25 + 0.125; what pulls away as much as it pulls back does not come */
    eight(PRUNE_RESTORE, (float[]){ 0, 0, 0, 0, 1, 1, 0.25F, 0.5F }, (float[]){ 1, 1, 1, 1, 2, -1.5F, 1, 0.25F }, "11001100", (float[]){ 4, -3, 0, 0, 1, 1, 0, 0 }, 2);
    assert_true(world.memory[0][2] == 2 && world.memory[0][3] == -1 && world.memory[0][4] == 0 && world.memory[0][7] == 0.5F);
    for (int i = 2; i < 6; i++) assert_int_equal(bits_of(world.momentum[0][i]) | bits_of(world.moment1[0][i]) | bits_of(world.moment2[0][i]), 0);
    eight(PRUNE_RESTORE, (float[]){ 0, 0, 0, 0, 1, 1, -1, 2 }, (float[]){ 1, 1, 1, 1, 9, -9, 2, -0.5F }, "11110000", (float[]){ 4, -3, 2, -1, 0, 0, 0, 0 }, 0);
    /* shadow: beyond 1.1/0.9 of the root of 5, 2.733; by l1 of 3, 3.667 */
    eight(PRUNE_SHADOW, (float[]){ 0, 0, 0, 0, 2, -1.8F, -2.75F, 0 }, ones, "11000011", (float[]){ 4, -3, 0, 0, 0, 0, -2.75F, 0 }, 2);
    eight(PRUNE_SHADOW, (float[]){ 0, 0, 0, 0, 2, -1.8F, -2.7F, 0 }, ones, "11110000", (float[]){ 4, -3, 2, -1, 0, 0, 0, 0 }, 0);
    worth = PRUNE_L1;
    eight(PRUNE_SHADOW, (float[]){ 0, 0, 0, 0, 2, -1.8F, -2.75F, 0 }, ones, "11001100", (float[]){ 4, -3, 0, 0, 2, -1.8F, 0, 0 }, 2);
    eight(PRUNE_SHADOW, (float[]){ 0, 0, 0, 0, 2, -1.6F, -3.6F, 0 }, ones, "11110000", (float[]){ 4, -3, 2, -1, 0, 0, 0, 0 }, 0);
}

/* What goes first: (3, 0) is worth less than (2, 2.5) by the root of the squares, and than (1.75, 1.75) only by l1. */
static void criteria_of_units(void **state)
{
    (void)state;
    static const float weights[8] = { 1.75F, -1.75F, 3, 0, 2, -2.5F, 8, 8 };
    static const char *const masks[] = { "00111111", "00001111", "00000011", "11001111", "00001111", "00000011" };   /* 6, 4, 2 survive; the same by l1 */
    struct prune_settings s = settings_of(PRUNE_NONE, PRUNE_LAYER, PRUNE_TOGETHER, 1);
    for (int c = 0; c < 6; c++) {
        world.n = 0;
        worth = c < 3 ? PRUNE_L2 : PRUNE_L1;
        add(1, 2, 4, 1, 0, 0, -1);
        world.tensors[0].unit = 2;
        memcpy(world.weights[0], weights, sizeof weights);
        s.sparsity = 0.25F * (float)(1 + c % 3);
        struct prune_step done;
        assert_int_equal(prune_mask_step(world.tensors, 1, &s, 1, &done), PRUNE_OK);
        for (size_t i = 0; i < 8; i++)
            if (world.mask[0][i] != masks[c][i] - '0') fail_msg("case %d weight %zu: mask %d", c, i, world.mask[0][i]);
        assert_int_equal(done.pruned, 2 * (1 + c % 3));
        assert_true(done.achieved == (double)s.sparsity);
        assert_pruned_are_zero();
    }
}

static void momentum_of_the_returned_is_zero(void **state)
{
    (void)state;
    eight(PRUNE_RESTORE, (float[]){ 0, 0, 0, 0, 1, 1, 0, 0 }, (float[]){ 1, 1, 1, 1, 1, 1, 1, 1 }, "11001100", (float[]){ 4, -3, 0, 0, 1, 1, 0, 0 }, 2);
    for (int i = 2; i < 6; i++) {
        assert_int_equal(bits_of(world.momentum[0][i]), 0);
        assert_int_equal(bits_of(world.moment1[0][i]), 0);
        assert_int_equal(bits_of(world.moment2[0][i]), 0);
    }
    assert_true(world.momentum[0][0] == 1 && world.moment1[0][0] != 0);
}

static void around_updates(void **state)
{
    (void)state;
    for (int rule = PRUNE_NONE; rule <= PRUNE_SHADOW; rule++)
        for (int adam = 0; adam < 2; adam++) {
            random_seed(5);
            world.n = 0;
            add(1, 3, 5, 1, adam, rule != PRUNE_NONE, -1);
            struct prune_tensor *tensor = &world.tensors[0];
            copy_world(&twin, &world);
            prune_mask_before_update(tensor, rule);     /* nothing is pruned: nothing happens */
            prune_mask_after_update(tensor, rule);
            assert_same_world();
            for (size_t i = 0; i < 15; i++) {
                tensor->mask[i] = i % 3 == 0;
                if (!tensor->mask[i]) tensor->weights[i] = 0;
                world.memory[0][i] = tensor->mask[i] ? 0 : (float)i + 0.5F;
            }
            tensor->active = 5;
            copy_world(&twin, &world);
            prune_mask_before_update(tensor, rule);
            for (size_t i = 0; i < 15; i++) {
                if (tensor->mask[i]) continue;
                if (rule == PRUNE_GRADIENT) twin.memory[0][i] += twin.momentum[0][i];
                if (rule == PRUNE_SHADOW) twin.weights[0][i] = twin.memory[0][i];
                else twin.momentum[0][i] = 0;
            }
            assert_same_world();
            for (size_t i = 0; i < 15; i++) {           /* training: a number, or an accident */
                float x = (const float[]){ 0.25F, NAN, INFINITY, -0.0F, -INFINITY }[i % 5];
                if (tensor->mask[i]) x = 0.25F;
                else if (rule != PRUNE_SHADOW && !adam) x = 0;      /* plain SGD without a gradient */
                tensor->weights[i] = tensor->weights[i] + x;
                tensor->momentum[i] = x;
                world.moment1[0][i] = x;
                world.moment2[0][i] = x;
            }
            copy_world(&twin, &world);
            prune_mask_after_update(tensor, rule);
            for (size_t i = 0; i < 15; i++) {
                if (rule == PRUNE_SHADOW) twin.memory[0][i] = tensor->mask[i] ? 0 : twin.weights[0][i];
                if (tensor->mask[i]) continue;
                if (rule == PRUNE_SHADOW || adam) twin.weights[0][i] = twin.momentum[0][i] = 0;
                if (adam) twin.moment1[0][i] = twin.moment2[0][i] = 0;
            }
            assert_same_world();
            assert_pruned_are_zero();
            if (rule != PRUNE_SHADOW) continue;         /* round trip: what was trained comes out again */
            prune_mask_before_update(tensor, rule);
            for (size_t i = 0; i < 15; i++)
                if (!tensor->mask[i]) assert_int_equal(bits_of(tensor->weights[i]), bits_of(world.memory[0][i]));
            assert_true(tensor->weights[5] == 5.75F && tensor->weights[10] == 10.75F);
            prune_mask_after_update(tensor, rule);
            assert_same_world();
        }
}

static void masks_from_zeros(void **state)
{
    (void)state;
    for (int remembers = 0; remembers < 2; remembers++) {
        world.n = 0;
        add(1, 3, 3, 1, 1, remembers, -1);
        struct prune_tensor *tensor = &world.tensors[0];
        static const float weights[9] = { 0, 1, -0.0F, 1e-45F, NAN, INFINITY, 0, -2, 0 };
        static const uint8_t mask[9] = { 0, 1, 0, 1, 1, 1, 0, 1, 0 };
        memcpy(tensor->weights, weights, sizeof weights);
        for (size_t i = 0; i < 9; i++) world.memory[0][i] = 3;
        prune_mask_from_zeros(tensor);
        assert_memory_equal(tensor->mask, mask, 9);
        assert_int_equal(tensor->active, 5);
        for (size_t i = 0; i < 9; i++) assert_true(world.memory[0][i] == (remembers ? 0.0F : 3.0F));
        assert_pruned_are_zero();               /* also the -0, and the momentum */
    }
}

static void masks_of_units_from_zeros(void **state)
{
    (void)state;
    world.n = 0;
    add(0, 3, 2, 2, 1, 1, -1);
    struct prune_tensor *tensor = &world.tensors[0];
    static const float weights[24] = { 0, 0, 0, 0, 0, -0.0F, 0, 0, 0, 0, 0, 1e-45F, -0.0F, -0.0F, -0.0F, -0.0F, NAN, 0, 0, 0, 1, 2, 3, 4 };
    static const uint8_t units[6] = { 0, 0, 1, 0, 1, 1 };
    memcpy(tensor->weights, weights, sizeof weights);
    prune_mask_from_zeros(tensor);
    for (size_t i = 0; i < 24; i++) assert_int_equal(tensor->mask[i], units[i / 4]);
    assert_int_equal(tensor->active, 12);
    assert_pruned_are_zero();
    assert_true(tensor->momentum[9] != 0 && tensor->moment1[9] != 0);           /* a zero in an active unit is active */
    copy_world(&twin, &world);
    prune_mask_from_zeros(tensor);
    assert_same_world();
}

/* Blocks of seven channels: four rows, and the three that are left; in two groups of three they are of three, in groups of six of four and two. A block is pruned if all of it is 0. */
static void masks_of_blocks_from_zeros(void **state)
{
    (void)state;
    static const struct { int out, groups; float weights[24]; const char *mask; } cases[] = {
        { 7, 1, { 0, 1, 0,  0, 0, 0,  0, -0.0F, 0,  0, 0, 1e-45F,  0, 0, 0,  0, 0, 0,  2, 0, -0.0F }, "011011011011100100100" },
        { 6, 2, { 0, 1, 0,  0, 0, 0,  0, 0, 0,  0, 0, NAN,  0, 0, 0,  0, 0, 0 }, "010010010001001001" },
        { 6, 1, { 0, 1, 0,  0, 0, 0,  0, 0, 0,  0, 0, NAN,  0, 0, 0,  0, 0, 0 }, "011011011011000000" },
        { 4, 4, { 0, 1, 0,  0, 0, 1,  1, 0, 0,  0, 0, 0 }, "010001100000" },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        world.n = 0;
        in_groups = cases[c].groups;
        add(0, cases[c].out, 3, 1, 1, 1, -1);
        in_groups = 0;
        struct prune_tensor *tensor = &world.tensors[0];
        memcpy(tensor->weights, cases[c].weights, tensor->n * sizeof(float));
        prune_mask_from_zeros(tensor);
        for (size_t i = 0; i < tensor->n; i++)
            if (tensor->mask[i] != cases[c].mask[i] - '0') fail_msg("case %zu weight %zu: mask %d", c, i, tensor->mask[i]);
        assert_int_equal(tensor->active, count_active(tensor));
        assert_pruned_are_zero();
        assert_true(tensor->momentum[1] != 0 || !tensor->mask[1]);
    }
}

/* Seven channels that read three inputs: blocks of four worth 5, 3 and 4, of three worth 2, 6 and 1. */
static void blocks_by_hand(void **state)
{
    (void)state;
    static const float weights[21] = { 3, 3, 0,  4, 0, 4,  0, 0, 0,  0, 0, 0,  0, 6, 1,  2, 0, 0,  0, 0, 0 };
    static const struct { float sparsity; const char *mask; } cases[] = {
        { 0.1F, "111111111111110110110" },      /* 19 of 21: all but the smallest, which has three */
        { 0.25F, "111111111111010010010" },     /* 16: 3 + 4 + 4 + 4, and nothing has one weight */
        { 0.35F, "101101101101110110110" },     /* 14: 3 + 4 + 4 is 11, and then the three that are worth 2 in place of the four that are worth 3 */
        { 0.6F, "100100100100010010010" },      /* 8: 3 + 4 */
        { 0.9F, "000000000000000000000" },      /* 2: not even three */
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        world.n = 0;
        add(1, 7, 3, 1, 0, 0, -1);
        memcpy(world.weights[0], weights, sizeof weights);
        struct prune_settings s = settings_of(PRUNE_NONE, PRUNE_LAYER, PRUNE_TOGETHER, 1);
        s.sparsity = cases[c].sparsity;
        struct prune_step done;
        assert_int_equal(prune_mask_step(world.tensors, 1, &s, 1, &done), PRUNE_OK);
        for (size_t i = 0; i < 21; i++)
            if (world.mask[0][i] != cases[c].mask[i] - '0') fail_msg("case %zu weight %zu: mask %d", c, i, world.mask[0][i]);
        assert_int_equal(done.pruned, 21 - count_active(&world.tensors[0]));
        assert_pruned_are_zero();
    }
}

/* Weights that are NaN or infinite are the largest there are: pruning does not hide that a training has gone wrong. */
static void broken_weights_stay(void **state)
{
    (void)state;
    random_seed(8);
    world.n = 0;
    add(1, 10, 10, 1, 0, 1, -1);
    struct prune_tensor *tensor = &world.tensors[0];
    tensor->weights[17] = NAN;
    tensor->weights[71] = -INFINITY;
    struct prune_settings s = settings_of(PRUNE_RESTORE, PRUNE_LAMP, PRUNE_TOGETHER, 1);
    s.sparsity = 0.97F;
    struct prune_step done;
    assert_int_equal(prune_mask_step(world.tensors, 1, &s, 1, &done), PRUNE_OK);
    assert_int_equal(tensor->active, 3);
    assert_true(tensor->mask[17] == 1 && tensor->mask[71] == 1);

    world.n = 0;                                /* and a unit with one of them */
    add(1, 10, 10, 1, 0, 1, -1);
    tensor->unit = 4;
    tensor->weights[17] = NAN;
    tensor->weights[71] = -INFINITY;
    s.sparsity = 0.92F;
    assert_int_equal(prune_mask_step(world.tensors, 1, &s, 1, &done), PRUNE_OK);
    assert_int_equal(tensor->active, 8);
    assert_true(tensor->mask[16] == 1 && tensor->mask[17] == 1 && tensor->mask[71] == 1);
}

static void nothing_to_do(void **state)
{
    (void)state;
    struct prune_settings s = settings_of(PRUNE_NONE, PRUNE_LAMP, PRUNE_TOGETHER, 5);
    struct prune_step done;
    assert_int_equal(prune_mask_step(NULL, 0, &s, 5, &done), PRUNE_OK);
    assert_true(done.t == 5 && done.n == 0 && done.target == 0 && done.achieved == 0);
    random_seed(9);
    world.n = 0;
    add(1, 10, 10, 1, 0, 0, -1);
    s.sparsity = 0;
    copy_world(&twin, &world);
    for (int t = 1; t <= 5; t++) {
        assert_int_equal(prune_mask_step(world.tensors, 1, &s, t, &done), PRUNE_OK);
        assert_same_world();
    }
    s.sparsity = 0.5F;                          /* the same step twice: the second finds it done */
    assert_int_equal(prune_mask_step(world.tensors, 1, &s, 3, &done), PRUNE_OK);
    copy_world(&twin, &world);
    assert_int_equal(prune_mask_step(world.tensors, 1, &s, 3, &done), PRUNE_OK);
    assert_int_equal(done.pruned, 0);
    assert_same_world();
}

/* ------------------------------------------------------------------------------------------------- several threads -- */

enum { MANY_TENSORS = 5, MANY = 600000 };

static struct many {
    struct prune_tensor tensors[MANY_TENSORS];
    float weights[MANY_TENSORS][MANY], momentum[MANY_TENSORS][MANY], memory[MANY_TENSORS][MANY];
    uint8_t mask[MANY_TENSORS][MANY];
} alone, together;

/* 1.25 million weights, a little more than is needed for the pool: weights, kernels and blocks with a short last one. */
static void build_many(struct many *many, int remembers)
{
    static const struct { int out, in, k; enum prune_granularity granularity; } shapes[MANY_TENSORS] = {
        { 16, 3, 3, PRUNE_WEIGHT }, { 100, 250, 3, PRUNE_KERNEL }, { 402, 500, 1, PRUNE_BLOCK4 }, { 600, 1000, 1, PRUNE_WEIGHT }, { 450, 500, 1, PRUNE_WEIGHT } };
    random_seed(77);
    for (int t = 0; t < MANY_TENSORS; t++) {
        struct prune_tensor *tensor = &many->tensors[t];
        *tensor = (struct prune_tensor){ .name = "test", .kind = PRUNE_CONVOLUTIONAL, .out = shapes[t].out, .in = shapes[t].in, .kh = shapes[t].k, .kw = shapes[t].k,
                                         .criterion = PRUNE_L1, .weights = many->weights[t], .momentum = many->momentum[t], .mask = many->mask[t],
                                         .memory = remembers ? many->memory[t] : NULL, .limit = t == 4 ? 0.7F : -1 };
        tensor->n = tensor->active = (size_t)(tensor->out * tensor->in * tensor->kh * tensor->kw);
        prune_tensor_divide(tensor, shapes[t].granularity);
        memset(tensor->mask, 1, tensor->n);
        memset(many->memory[t], 0, sizeof many->memory[t]);
        for (size_t i = 0; i < tensor->n; i++) tensor->weights[i] = (float)(random_unit() + random_unit() - 1) * (1 + (float)t);
    }
}

static void backward_many(struct many *many, const struct prune_settings *s, int t)
{
    random_seed((uint64_t)t);
    for (int i = 0; i < MANY_TENSORS; i++) {
        struct prune_tensor *tensor = &many->tensors[i];
        for (size_t j = 0; j < tensor->n; j++) tensor->momentum[j] = (float)(random_unit() - 0.5);
        for (size_t j = 0; j < tensor->n && s->rule == PRUNE_SHADOW && t > 1; j++) tensor->memory[j] *= tensor->mask[j] ? 1 : 3;
        if (s->rule == PRUNE_GRADIENT) prune_mask_before_update(tensor, s->rule);
    }
}

static int step_many(struct many *many, const struct prune_settings *s, int t, const char *threads, struct prune_step *done)
{
    backward_many(many, s, t);
    setenv("DARKNET_THREADS", threads, 1);
    return prune_mask_step(many->tensors, MANY_TENSORS, s, t, done);
}

/* The largest are kept: no weight that is gone was larger than one that is left. */
static void assert_largest_left(const struct prune_tensor *tensor, const float *before)
{
    float smallest = INFINITY, largest = 0;
    for (size_t i = 0; i < tensor->n; i++) {
        if (tensor->mask[i]) smallest = fminf(smallest, fabsf(before[i]));
        else largest = fmaxf(largest, fabsf(before[i]));
    }
    assert_true(smallest >= largest);
    assert_int_equal(tensor->active, count_active(tensor));
}

static void the_same_on_any_number_of_threads(void **state)
{
    (void)state;
    static float before[MANY];
    const char *set = getenv("DARKNET_THREADS");
    char *saved = set ? strdup(set) : NULL;
    for (int rule = PRUNE_NONE; rule <= PRUNE_SHADOW; rule++) {
        struct prune_settings s = settings_of((enum prune_rule)rule, rule == PRUNE_NONE ? PRUNE_GLOBAL : PRUNE_LAMP, PRUNE_TOGETHER, 4);
        s.recover = 0.5F;
        build_many(&alone, rule != PRUNE_NONE);
        build_many(&together, rule != PRUNE_NONE);
        size_t recovered = 0;
        for (int t = 1; t <= 2; t++) {
            struct prune_step done, expected;
            memcpy(before, together.weights[3], sizeof before);
            assert_int_equal(step_many(&alone, &s, t, "1", &expected), PRUNE_OK);
            assert_int_equal(step_many(&together, &s, t, "3", &done), PRUNE_OK);
            size_t gone = 0;
            for (int i = 0; i < MANY_TENSORS; i++) {
                assert_int_equal(together.tensors[i].active, alone.tensors[i].active);
                assert_int_equal(together.tensors[i].active, count_active(&together.tensors[i]));
                gone += together.tensors[i].n - together.tensors[i].active;
            }
            assert_memory_equal(together.mask, alone.mask, sizeof alone.mask);
            assert_memory_equal(together.weights, alone.weights, sizeof alone.weights);
            assert_memory_equal(together.momentum, alone.momentum, sizeof alone.momentum);
            assert_memory_equal(together.memory, alone.memory, sizeof alone.memory);
            assert_true(done.n == expected.n && done.pruned == expected.pruned && done.recovered == expected.recovered);
            assert_true(done.target == expected.target && done.achieved == expected.achieved && done.achieved == (double)gone / (double)done.n);
            assert_true(gone > 0 && (t > 1 || done.pruned == gone));
            if (rule == PRUNE_NONE || t == 1) assert_largest_left(&together.tensors[3], before);
            recovered += done.recovered;
        }
        assert_true((recovered > 0) == (rule != PRUNE_NONE));
    }
    if (saved) setenv("DARKNET_THREADS", saved, 1);
    else unsetenv("DARKNET_THREADS");
    free(saved);
}

static void use(int kernels, int blocks)
{
    by_kernel = kernels;
    by_block = blocks;
    in_groups = 0;
    worth = PRUNE_MAGNITUDE;
}

static int use_kernels(void **state) { (void)state; return use(1, 0), 0; }
static int use_whole_blocks(void **state) { (void)state; return use(0, WHOLE_BLOCKS), 0; }
static int use_short_blocks(void **state) { (void)state; return use(0, SHORT_BLOCKS), 0; }
static int use_weights(void **state) { (void)state; return use(0, 0), 0; }

#define by_kernels(test) { #test "_by_kernel", test, use_kernels, use_weights, NULL }
#define by_blocks(test) { #test "_by_block", test, use_whole_blocks, use_weights, NULL }, { #test "_by_short_block", test, use_short_blocks, use_weights, NULL }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_each_rule_restores),
        cmocka_unit_test(momentum_of_the_returned_is_zero),
        cmocka_unit_test(around_updates),
        cmocka_unit_test(masks_from_zeros),
        cmocka_unit_test(broken_weights_stay),
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(with_ties),
        cmocka_unit_test(whole_schedules),
        cmocka_unit_test_setup_teardown(criteria_of_units, use_kernels, use_weights),
        cmocka_unit_test_setup_teardown(what_each_rule_restores_by_unit, use_kernels, use_weights),
        cmocka_unit_test_setup_teardown(masks_of_units_from_zeros, use_kernels, use_weights),
        by_kernels(with_ties),
        by_kernels(whole_schedules),
        cmocka_unit_test_setup_teardown(masks_of_blocks_from_zeros, use_short_blocks, use_weights),
        cmocka_unit_test_setup_teardown(blocks_by_hand, use_short_blocks, use_weights),
        by_blocks(with_ties),
        by_blocks(whole_schedules),
        cmocka_unit_test(the_same_on_any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
