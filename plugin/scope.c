/* scope.c - how the layers share the budget: from one target to a number of survivors per tensor
 *
 * The network-wide scopes fill the budget in rounds: whoever would fall below its floor gets the floor and leaves the round.
 * Budgets, floors and shares are counted in weights; those of a tensor are multiples of its grain, what divides all of its units.
 */
#include "units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FLOOR_OF_AVERAGE 0.1    /* a layer's density is never below a tenth of the network's */
enum { FLOOR_UNITS = 32 };

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

/* ------------------------------------------------------------------------------------------------- global, lamp -- */

/* The active units of a tensor as scores: those of the full size in ascending order, then, where the last blocks of rows have fewer, theirs. */
struct ranking {
    float *scores;
    size_t n[2], unit[2];       /* how many, and of how many weights */
};

static uint32_t digit_of(const float *value, int shift)
{
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    return bits >> shift & 0x7ff;
}

/* Least significant digit first: 3 passes of 11 bits over the bits of non-negative floats, which order like the floats. The last pass ends in `room`, of
 * the same size. qsort takes ten times as long on the layers of VGG-16. */
static void sort_ascending(float *values, float *room, size_t n)
{
    for (int pass = 0; pass < 3; pass++) {
        size_t start[0x801] = { 0 };
        for (size_t i = 0; i < n; i++) start[digit_of(&values[i], 11 * pass) + 1]++;
        for (int digit = 0; digit < 0x800; digit++) start[digit + 1] += start[digit];
        for (size_t i = 0; i < n; i++) room[start[digit_of(&values[i], 11 * pass)]++] = values[i];
        float *swap = values;
        values = room;
        room = swap;
    }
}

/* Scores within a tensor rise with what a unit is worth (|w|), so ranking them is sorting that, and taking the two sizes from the top together. */
static int rank_lamp(struct ranking *ranking, const struct prune_tensor *tensor)
{
    size_t units = prune_units(tensor);
    *ranking = (struct ranking){ .unit = { prune_tensor_unit(tensor), 1 } };
    ranking->scores = malloc((units + 1) * sizeof *ranking->scores);
    float *sizes = malloc((units + 1) * sizeof *sizes);
    if (!ranking->scores || !sizes) {
        free(sizes);
        return prune_fail(PRUNE_ERR_NOMEM, "out of memory for the scores of layer %s", tensor->name);
    }
    for (size_t i = 0; i < units; i++) {
        struct prune_unit unit = prune_unit_at(tensor, i);
        if (!tensor->mask[unit.first]) continue;
        float size = prune_unit_size(&unit, tensor->criterion, tensor->weights);
        int less = unit.rows * unit.columns < ranking->unit[0];
        if (less) ranking->unit[1] = unit.rows * unit.columns;
        sizes[less ? units - ++ranking->n[1] : ranking->n[0]++] = isnan(size) ? INFINITY : size;
    }
    float *full = ranking->scores, *short_of = full + ranking->n[0];
    sort_ascending(sizes, full, ranking->n[0]);
    sort_ascending(sizes + units - ranking->n[1], short_of, ranking->n[1]);
    free(sizes);
    double sum = 0;
    for (size_t i = ranking->n[0], j = ranking->n[1]; i + j > 0;) {
        float *score = j == 0 || (i > 0 && full[i - 1] >= short_of[j - 1]) ? &full[--i] : &short_of[--j];
        double square = (double)*score * (double)*score;
        sum += square;
        *score = sum > 0 && isfinite(sum) ? (float)(square / sum) : (float)(square > 0);
    }
    return PRUNE_OK;
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
    for (int i = 0; i < n; i++) {
        if (settled[i]) continue;
        keep[i] = 0;
        size_t units = prune_units(tensors[i]);
        for (size_t j = 0; j < units; j++) {
            uint32_t key = prune_key_active(tensors[i], j, 0);
            size_t unit = prune_unit_weights(tensors[i], j);
            if (key > cut.key) keep[i] += unit;
            else if (key && key == cut.key && ties >= unit) {
                keep[i] += unit;
                ties -= unit;
            }
        }
    }
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

static int share_network(enum prune_scope scope, size_t budget, struct prune_tensor *const *tensors, int n, const size_t *active, const size_t *floors, size_t *keep)
{
    int code = PRUNE_OK;
    struct ranking *rankings = calloc((size_t)n, sizeof *rankings);
    int *settled = calloc((size_t)n, sizeof *settled);
    if (!rankings || !settled) {
        code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        goto done;
    }
    for (int i = 0; i < n && scope == PRUNE_LAMP; i++)
        if ((code = rank_lamp(&rankings[i], tensors[i]))) goto done;
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
    code = share_network(scope, budget, tensors, n_tensors, active, floors, keep);
done:
    free(active);
    free(floors);
    return code;
}
