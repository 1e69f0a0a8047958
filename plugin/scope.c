/* scope.c - how the layers share the budget: from one target to a number of survivors per tensor
 *
 * The network-wide scopes fill the budget in rounds: whoever would fall below its floor gets the floor and leaves the round.
 * Budgets, floors and shares are counted in weights; those of a tensor are multiples of its grain, what divides all of its units.
 */
#include "threads.h"
#include "units.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FLOOR_OF_AVERAGE 0.1    /* a layer's density is never below a tenth of the network's */
enum { FLOOR_UNITS = 32, AT_ONCE = 256, LARGE_PAGE = 1 << 21 };

static size_t survivors(double target, size_t n, size_t grain)
{
    return (size_t)llround((1 - target) * (double)(n / grain)) * grain;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t grain_of(const struct prune_tensor *tensor)
{
    return prune_tensor_grain(tensor, 0);
}

/* As many of the weights as make whole grains. */
static size_t whole(size_t weights, const struct prune_tensor *tensor)
{
    return weights - weights % grain_of(tensor);
}

/* ------------------------------------------------------------------------------------------------------ threads -- */

struct each {
    void (*work)(void *context, int i, int part);
    void *context;
    atomic_int left;
};

static void work_on_each(void *context, int part, int parts)
{
    (void)parts;
    struct each *each = context;
    for (int i; (i = atomic_fetch_sub(&each->left, 1) - 1) >= 0;) each->work(each->context, i, part);
}

void prune_tensors_each(struct prune_threads *threads, int n, void (*work)(void *context, int i, int part), void *context)
{
    struct each each = { work, context, n };
    if (threads) prune_threads_run(threads, work_on_each, &each);
    else work_on_each(&each, 0, 1);
}

/* ------------------------------------------------------------------------------------------------- global, lamp -- */

/* The active units of a tensor as scores: those of the full size in ascending order, then, where the last blocks of rows have fewer, theirs. */
struct ranking {
    float *scores;
    size_t n[2], unit[2];       /* how many, and of how many weights */
    int failed;                 /* there was no memory for them */
};

enum { DIGITS = 3, BINS = 1 << 11 };
static const int shift[DIGITS] = { 0, 11, 21 };

static uint32_t digit_of(const float *value, int digit)
{
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    return bits >> shift[digit] & (digit == 0 ? 0x7ff : 0x3ff);
}

/* Least significant digit first: 3 passes of 11, 10 and 10 bits over the bits of non-negative floats, which order like the floats. The last pass ends in `room`, of
 * the same size. qsort takes ten times as long on the layers of VGG-16. */
static void sort_ascending(float *values, float *room, size_t n)
{
    size_t start[DIGITS][BINS + 1] = { 0 };
    for (size_t i = 0; i < n; i++)
        for (int digit = 0; digit < DIGITS; digit++) start[digit][digit_of(&values[i], digit) + 1]++;
    for (int digit = 0; digit < DIGITS; digit++) {
        size_t *to = start[digit];
        for (int bin = 0; bin < BINS; bin++) to[bin + 1] += to[bin];
        for (size_t i = 0; i < n; i++) room[to[digit_of(&values[i], digit)]++] = values[i];
        float *swap = values;
        values = room;
        room = swap;
    }
}

/* Of the key of an active unit. NaN is as large as infinity. */
static float size_of(uint32_t key)
{
    uint32_t bits = key - 1 < 0x7f800000U ? key - 1 : 0x7f800000U;
    float size;
    memcpy(&size, &bits, sizeof size);
    return size;
}

/* Appends what the active ones of the units from `first` on are worth: of those of the full size at the beginning of `sizes`, of the others at its end. */
static void gather_sizes(struct ranking *ranking, const struct prune_tensor *tensor, size_t first, const uint32_t *keys, const uint16_t *places, size_t n, float *sizes)
{
    size_t units = prune_units(tensor);
    int differ = prune_units_differ(tensor);
    float *full = &sizes[ranking->n[0]];
    for (size_t i = 0; i < n && !differ; i++) full[i] = size_of(keys[places[i]]);
    ranking->n[0] += differ ? 0 : n;
    for (size_t i = 0; i < n && differ; i++) {
        size_t weights = differ ? prune_unit_weights(tensor, first + places[i]) : ranking->unit[0];
        int less = weights < ranking->unit[0];
        if (less) ranking->unit[1] = weights;
        sizes[less ? units - ++ranking->n[1] : ranking->n[0]++] = size_of(keys[places[i]]);
    }
}

static float score_of(double square, double sum)
{
    return sum > 0 && sum <= DBL_MAX ? (float)(square / sum) : (float)(square > 0);
}

/* The sums wait for each other, the divisions need not. */
static void score_one_size(float *sizes, size_t n)
{
    double sum = 0, sums[AT_ONCE];
    for (size_t end = n; end > 0;) {
        size_t first = end > AT_ONCE ? end - AT_ONCE : 0;
        for (size_t i = end; i-- > first;) {
            sum += (double)sizes[i] * (double)sizes[i];
            sums[i - first] = sum;
        }
        int plain = sums[end - 1 - first] > 0 && sums[0] <= DBL_MAX;    /* the smallest and the largest of them */
        for (size_t i = first; i < end && plain; i++) sizes[i] = (float)((double)sizes[i] * (double)sizes[i] / sums[i - first]);
        for (size_t i = first; i < end && !plain; i++) sizes[i] = score_of((double)sizes[i] * (double)sizes[i], sums[i - first]);
        end = first;
    }
}

static void score_two_sizes(float *full, size_t n_full, float *short_of, size_t n_short)
{
    double sum = 0;
    for (size_t i = n_full, j = n_short; i + j > 0;) {
        float *score = j == 0 || (i > 0 && full[i - 1] >= short_of[j - 1]) ? &full[--i] : &short_of[--j];
        double square = (double)*score * (double)*score;
        sum += square;
        *score = score_of(square, sum);
    }
}

/* Scores within a tensor rise with what a unit is worth (|w|), so ranking them is sorting that, and taking the two sizes from the top together. `sizes` has room for all units. */
static void rank_lamp(struct ranking *ranking, const struct prune_tensor *tensor, float *sizes)
{
    size_t units = prune_units(tensor);
    uint32_t keys[PRUNE_UNITS_AT_ONCE];
    uint16_t places[PRUNE_UNITS_AT_ONCE];
    for (size_t first = 0; first < units; first += PRUNE_UNITS_AT_ONCE) {
        size_t n = prune_units_from(first, units);
        prune_key_active(tensor, first, n, 0, keys);
        gather_sizes(ranking, tensor, first, keys, places, prune_keys_there(keys, n, places), sizes);
    }
    float *full = ranking->scores, *short_of = full + ranking->n[0];
    sort_ascending(sizes, full, ranking->n[0]);
    if (ranking->n[1]) sort_ascending(sizes + units - ranking->n[1], short_of, ranking->n[1]);
    if (ranking->n[1]) score_two_sizes(full, ranking->n[0], short_of, ranking->n[1]);
    else score_one_size(full, ranking->n[0]);
}

/* Room for so many floats; in large pages where it is large. */
static float *floats(size_t n)
{
    size_t bytes = n * sizeof(float);
    if (bytes < LARGE_PAGE) return malloc(bytes);
    bytes = (bytes + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
    float *room = aligned_alloc(LARGE_PAGE, bytes);
    if (room) madvise(room, bytes, MADV_HUGEPAGE);
    return room;
}

struct lamp {
    struct prune_tensor *const *tensors;
    struct ranking *rankings;
    float **rooms;              /* of each thread: made when it needs it, for the tensor with the most units */
    size_t most;
};

static void rank_one(void *context, int i, int part)
{
    struct lamp *lamp = context;
    if (!lamp->rooms[part]) lamp->rooms[part] = floats(lamp->most + 1);
    struct ranking *ranking = &lamp->rankings[i];
    *ranking = (struct ranking){ .unit = { prune_tensor_unit(lamp->tensors[i]), 1 } };
    ranking->scores = floats(prune_units(lamp->tensors[i]) + 1);
    if (lamp->rooms[part] && ranking->scores) rank_lamp(ranking, lamp->tensors[i], lamp->rooms[part]);
    else ranking->failed = 1;
}

static int rank_all(struct prune_threads *threads, struct prune_tensor *const *tensors, int n, struct ranking *rankings)
{
    int parts = threads ? prune_threads_count(threads) : 1, code = PRUNE_OK;
    struct lamp lamp = { tensors, rankings, calloc((size_t)parts, sizeof(float *)), 0 };
    if (!lamp.rooms) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    for (int i = 0; i < n; i++) lamp.most = prune_units(tensors[i]) > lamp.most ? prune_units(tensors[i]) : lamp.most;
    prune_tensors_each(threads, n, rank_one, &lamp);
    for (int i = 0; i < n && !code; i++)
        if (rankings[i].failed) code = prune_fail(PRUNE_ERR_NOMEM, "out of memory for the scores of layer %s", tensors[i]->name);
    for (int part = 0; part < parts; part++) free(lamp.rooms[part]);
    free(lamp.rooms);
    return code;
}

/* How many weights are in units of one size that reach `threshold`. */
static size_t count_reaching(const struct ranking *ranking, int size, float threshold)
{
    const float *scores = ranking->scores + (size ? ranking->n[0] : 0);
    size_t low = 0, high = ranking->n[size];    /* the scores below `low` do not reach it, those from `high` on do */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (scores[middle] >= threshold) high = middle;
        else low = middle + 1;
    }
    return (ranking->n[size] - low) * ranking->unit[size];
}

/* Bisects on the bits of the score, which order like the score: the largest threshold that at least k reach, and from it k, or of units of several sizes as
 * many as fit in k. */
static void share_by_rank(const struct ranking *rankings, int n, const int *settled, size_t k, size_t *keep)
{
    uint32_t low = 0, high = 0x7f800001U;       /* at least k reach `low` (or all do), fewer than k reach `high` */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        float threshold;
        memcpy(&threshold, &middle, sizeof threshold);
        size_t reaching = 0;
        for (int i = 0; i < n; i++)
            if (!settled[i]) reaching += count_reaching(&rankings[i], 0, threshold) + count_reaching(&rankings[i], 1, threshold);
        if (reaching >= k) low = middle;
        else high = middle;
    }
    float reached, missed;
    memcpy(&reached, &low, sizeof reached);
    memcpy(&missed, &high, sizeof missed);
    size_t sum = 0;
    for (int i = 0; i < n; i++) {
        if (settled[i]) continue;
        keep[i] = high > 0x7f800000U ? 0 : count_reaching(&rankings[i], 0, missed) + count_reaching(&rankings[i], 1, missed);
        sum += keep[i];
    }
    for (int i = 0; i < n && sum < k; i++) {    /* scores that tie at the threshold: in the order of the layers */
        for (int size = 0; size < 2 && !settled[i]; size++) {
            size_t above = high > 0x7f800000U ? 0 : count_reaching(&rankings[i], size, missed), unit = rankings[i].unit[size];
            size_t more = smaller(count_reaching(&rankings[i], size, reached) - above, (k - sum) / unit * unit);
            keep[i] += more;
            sum += more;
        }
    }
}

/* How many weights of a tensor are in units above the cut, or tie with it and fit into `ties`, from which they are taken. */
static size_t reaching(const struct prune_tensor *tensor, uint32_t cut, size_t *ties)
{
    size_t units = prune_units(tensor), unit = prune_tensor_unit(tensor), keep = 0;
    int differ = prune_units_differ(tensor);
    uint32_t keys[PRUNE_UNITS_AT_ONCE];
    uint16_t places[PRUNE_UNITS_AT_ONCE];
    for (size_t first = 0; first < units; first += PRUNE_UNITS_AT_ONCE) {
        size_t n = prune_units_from(first, units);
        prune_key_active(tensor, first, n, 0, keys);
        size_t found = prune_keys_between(keys, n, cut > 0 ? cut : 1, UINT32_MAX, places);
        for (size_t i = 0; i < found; i++) {
            size_t weights = differ ? prune_unit_weights(tensor, first + places[i]) : unit;
            if (keys[places[i]] == cut) {
                if (weights > *ties) continue;
                *ties -= weights;
            }
            keep += weights;
        }
    }
    return keep;
}

static int share_global(struct prune_tensor *const *tensors, int n, const int *settled, size_t k, size_t *keep)
{
    struct prune_tensor **open = calloc((size_t)n, sizeof *open);
    if (!open) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    int n_open = 0;
    for (int i = 0; i < n; i++)
        if (!settled[i]) open[n_open++] = tensors[i];
    struct prune_cut cut;
    prune_select_cut(open, n_open, prune_key_active, 0, k, &cut);
    size_t ties = k > cut.above ? k - cut.above : 0;
    for (int i = 0; i < n; i++)
        if (!settled[i]) keep[i] = reaching(tensors[i], cut.key, &ties);
    free(open);
    return PRUNE_OK;
}

/* ---------------------------------------------------------------------------------------------------------- erk -- */

static double erk_weight(const struct prune_tensor *tensor)
{
    if (tensor->kind == PRUNE_CONNECTED) return (double)tensor->out + tensor->in;
    return (double)tensor->out + tensor->in + tensor->kh + tensor->kw;
}

/* How far a tensor is from its exact share, in grains of its own. */
static double missing(double exact, size_t keep, const struct prune_tensor *tensor)
{
    return (exact - (double)keep) / (double)grain_of(tensor);
}

/* Tensors that would be denser than they are become full and leave; the rest share what remains. Whole grains by largest remainder, as long as one fits. */
static int share_erk(struct prune_tensor *const *tensors, int n, const int *settled, const size_t *active, size_t k, size_t *keep)
{
    double *exact = calloc((size_t)n, sizeof *exact);
    int *full = calloc((size_t)n, sizeof *full);
    int code = PRUNE_OK;
    if (!exact || !full) {
        code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        goto done;
    }
    size_t left = k;
    for (int again = 1; again;) {
        again = 0;
        double sum = 0;
        for (int i = 0; i < n; i++)
            if (!settled[i] && !full[i]) sum += erk_weight(tensors[i]);
        for (int i = 0; i < n && !again; i++) {
            if (settled[i] || full[i]) continue;
            exact[i] = (double)left * erk_weight(tensors[i]) / sum;
            if (exact[i] < (double)active[i]) continue;
            full[i] = again = 1;
            keep[i] = whole(smaller(active[i], left), tensors[i]);
            left -= keep[i];
        }
    }
    for (int i = 0; i < n; i++) {
        if (settled[i] || full[i]) continue;
        keep[i] = whole(smaller((size_t)exact[i], left), tensors[i]);
        left -= keep[i];
    }
    while (left > 0) {
        int most = -1;
        for (int i = 0; i < n; i++) {
            if (settled[i] || full[i] || keep[i] >= active[i] || grain_of(tensors[i]) > left) continue;
            if (most < 0 || missing(exact[i], keep[i], tensors[i]) > missing(exact[most], keep[most], tensors[most])) most = i;
        }
        if (most < 0) break;    /* everything that is active is kept, or no grain fits */
        keep[most] += grain_of(tensors[most]);
        left -= grain_of(tensors[most]);
    }
done:
    free(exact);
    free(full);
    return code;
}

/* -------------------------------------------------------------------------------------------------------- public -- */

static int share_network(struct prune_threads *threads, enum prune_scope scope, size_t budget, struct prune_tensor *const *tensors, int n,
                         const size_t *active, const size_t *floors, size_t *keep)
{
    int code = PRUNE_OK;
    struct ranking *rankings = calloc((size_t)n, sizeof *rankings);
    int *settled = calloc((size_t)n, sizeof *settled);
    if (!rankings || !settled) {
        code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        goto done;
    }
    if (scope == PRUNE_LAMP && (code = rank_all(threads, tensors, n, rankings))) goto done;
    size_t left = budget;
    for (int again = 1; again;) {
        again = 0;
        if (scope == PRUNE_LAMP) share_by_rank(rankings, n, settled, left, keep);
        else if (scope == PRUNE_GLOBAL) code = share_global(tensors, n, settled, left, keep);
        else code = share_erk(tensors, n, settled, active, left, keep);
        if (code) goto done;
        for (int i = 0; i < n; i++) {
            if (settled[i] || keep[i] >= floors[i]) continue;
            keep[i] = floors[i];
            left -= floors[i];
            settled[i] = again = 1;
        }
    }
done:
    for (int i = 0; rankings && i < n; i++) free(rankings[i].scores);
    free(rankings);
    free(settled);
    return code;
}

int prune_scope_keep(enum prune_scope scope, double target, struct prune_tensor *const *tensors, int n_tensors, size_t *keep)
{
    return prune_scope_keep_on(NULL, scope, target, tensors, n_tensors, keep);
}

int prune_scope_keep_on(struct prune_threads *threads, enum prune_scope scope, double target, struct prune_tensor *const *tensors, int n_tensors, size_t *keep)
{
    if (n_tensors == 0) return PRUNE_OK;
    int code = PRUNE_OK;
    size_t n = 0, all_active = 0, divisor = 0, of_each = 0;     /* a unit of each tensor, in weights */
    size_t *active = calloc((size_t)n_tensors, sizeof *active);
    size_t *floors = calloc((size_t)n_tensors, sizeof *floors);
    if (!active || !floors) {
        code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        goto done;
    }
    for (int i = 0; i < n_tensors; i++) {
        active[i] = tensors[i]->active;
        all_active += active[i];
        n += tensors[i]->n;
        of_each += prune_tensor_unit(tensors[i]);
        divisor = prune_tensor_grain(tensors[i], divisor);
    }
    if (scope == PRUNE_LAYER) {
        for (int i = 0; i < n_tensors; i++) keep[i] = smaller(survivors(target, tensors[i]->n, grain_of(tensors[i])), active[i]);
        goto done;
    }
    size_t budget = smaller(survivors(target, n, divisor), all_active);
    size_t each = budget / of_each;     /* so many units for every tensor are in the budget */
    for (int i = 0; i < n_tensors; i++) {
        size_t unit = prune_tensor_unit(tensors[i]);
        size_t at_least = each < 2 ? each : smaller(FLOOR_UNITS, each / 2);             /* one each, or never more than half the budget */
        size_t share = each < 2 ? 0 : (size_t)(FLOOR_OF_AVERAGE * (1 - target) * (double)(tensors[i]->n / unit));
        floors[i] = smaller((share > at_least ? share : at_least) * unit, active[i]);
    }
    code = share_network(threads, scope, budget, tensors, n_tensors, active, floors, keep);
done:
    free(active);
    free(floors);
    return code;
}
