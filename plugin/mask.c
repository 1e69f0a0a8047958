/* mask.c - one step of prune and recover, and what keeps pruned weights at zero between steps */
#include "threads.h"
#include "units.h"

#include <stdlib.h>
#include <string.h>

enum { PRUNED = 0, ACTIVE = 1, RETURNING = 2, STAYING = 3 };    /* the last two only inside a step */

enum { MUCH_WORK = 1 << 20 };          /* weights */

#define SHADOW_BAND (1.1F / 0.9F)       /* Guo et al., 2016: prune below 0.9, splice above 1.1 of the threshold */

/* Chosen, not multiplied: 0 * NaN is NaN, and a pruned weight must be 0 whatever became of it. */
static void zero_pruned(float *values, const uint8_t *mask, size_t n)
{
    for (size_t i = 0; i < n; i++) values[i] = mask[i] ? values[i] : 0.0F;
}

static void zero_all_pruned(struct prune_tensor *tensor)
{
    zero_pruned(tensor->weights, tensor->mask, tensor->n);
    zero_pruned(tensor->momentum, tensor->mask, tensor->n);
    if (tensor->moment1) zero_pruned(tensor->moment1, tensor->mask, tensor->n);
    if (tensor->moment2) zero_pruned(tensor->moment2, tensor->mask, tensor->n);
}

static void set_mask(struct prune_tensor *tensor, const struct prune_unit *unit, int value)
{
    for (size_t r = 0; r < unit->rows; r++) memset(&tensor->mask[unit->first + r * unit->stride], value, unit->columns);
}

static int all_zero(const struct prune_tensor *tensor, const struct prune_unit *unit)
{
    for (size_t r = 0; r < unit->rows; r++) {
        const float *row = &tensor->weights[unit->first + r * unit->stride];
        for (size_t i = 0; i < unit->columns; i++)
            if (row[i] != 0) return 0;
    }
    return 1;
}

void prune_mask_from_zeros(struct prune_tensor *tensor)
{
    size_t units = prune_units(tensor);
    tensor->active = 0;
    for (size_t i = 0; i < units; i++) {
        struct prune_unit unit = prune_unit_at(tensor, i);
        int active = !all_zero(tensor, &unit);
        set_mask(tensor, &unit, active ? ACTIVE : PRUNED);
        tensor->active += active ? unit.rows * unit.columns : 0;
    }
    if (tensor->memory) memset(tensor->memory, 0, tensor->n * sizeof *tensor->memory);
    zero_all_pruned(tensor);            /* -0 becomes 0 */
}

/* --------------------------------------------------------------------------------------------------- around updates -- */

/* Without a gradient, plain SGD leaves a zero at zero: weight decay and momentum of 0 are 0. So one array is gone through here and
 * none after the update, which halves what pruning costs an iteration. */
void prune_mask_before_update(struct prune_tensor *tensor, enum prune_rule rule)
{
    if (tensor->active == tensor->n) return;
    if (rule == PRUNE_SHADOW) {
        for (size_t i = 0; i < tensor->n; i++) tensor->weights[i] = tensor->mask[i] ? tensor->weights[i] : tensor->memory[i];
        return;
    }
    if (rule == PRUNE_GRADIENT)
        for (size_t i = 0; i < tensor->n; i++) tensor->memory[i] += tensor->mask[i] ? 0.0F : tensor->momentum[i];
    zero_pruned(tensor->momentum, tensor->mask, tensor->n);
}

void prune_mask_after_update(struct prune_tensor *tensor, enum prune_rule rule)
{
    if (tensor->active == tensor->n) return;
    if (rule == PRUNE_SHADOW)
        for (size_t i = 0; i < tensor->n; i++) tensor->memory[i] = tensor->mask[i] ? 0.0F : tensor->weights[i];
    if (rule == PRUNE_SHADOW || tensor->moment1) zero_all_pruned(tensor);
}

/* ------------------------------------------------------------------------------------------------------- recovery -- */

/* Not &&: both are cheap, and the loops have no branches. A comparison that fails with NaN, so that it is never a candidate. */
static inline uint32_t key_of(uint8_t mask, float worth, float bar)
{
    uint32_t key;
    memcpy(&key, &worth, sizeof key);
    return (mask == PRUNED) & (worth > bar) ? key : 0;
}

static float predicted_fall(const struct prune_tensor *tensor, const struct prune_unit *unit)
{
    if (unit->rows * unit->columns == 1) return tensor->memory[unit->first] * tensor->momentum[unit->first];
    double sum = 0;
    for (size_t r = 0; r < unit->rows; r++) {
        const float *memory = &tensor->memory[unit->first + r * unit->stride], *momentum = &tensor->momentum[unit->first + r * unit->stride];
        for (size_t i = 0; i < unit->columns; i++) sum += (double)memory[i] * (double)momentum[i];
    }
    return (float)sum;
}

static void key_restore(const struct prune_tensor *tensor, size_t first, size_t n, float bar, uint32_t *keys)
{
    if (prune_unit_is_weight(tensor)) {
        const float *memory = &tensor->memory[first], *momentum = &tensor->momentum[first];
        const uint8_t *mask = &tensor->mask[first];
        prune_soon(&memory[n], n * sizeof *memory);
        prune_soon(&momentum[n], n * sizeof *momentum);
        prune_soon(&mask[n], n);
        for (size_t i = 0; i < n; i++) keys[i] = key_of(mask[i], memory[i] * momentum[i], bar);
        return;
    }
    struct prune_unit unit = prune_unit_at(tensor, first);
    for (size_t i = 0; i < n; i++) {
        uint8_t mask = tensor->mask[unit.first];
        keys[i] = mask == PRUNED ? key_of(mask, predicted_fall(tensor, &unit), bar) : 0;
        prune_unit_next(tensor, first + i, &unit);
    }
}

static void keys_of_memory(const struct prune_tensor *tensor, size_t first, size_t n, enum prune_criterion criterion, float bar, uint32_t *keys)
{
    if (prune_unit_is_weight(tensor)) {
        const float *memory = &tensor->memory[first];
        const uint8_t *mask = &tensor->mask[first];
        prune_soon(&memory[n], n * sizeof *memory);
        prune_soon(&mask[n], n);
        for (size_t i = 0; i < n; i++) keys[i] = key_of(mask[i], fabsf(memory[i]), bar);
        return;
    }
    struct prune_unit unit = prune_unit_at(tensor, first);
    for (size_t i = 0; i < n; i++) {
        uint8_t mask = tensor->mask[unit.first];
        keys[i] = mask == PRUNED ? key_of(mask, prune_unit_size(&unit, criterion, tensor->memory), bar) : 0;
        prune_unit_next(tensor, first + i, &unit);
    }
}

static void key_gradient(const struct prune_tensor *tensor, size_t first, size_t n, float bar, uint32_t *keys)
{
    keys_of_memory(tensor, first, n, PRUNE_L2, bar, keys);
}

static void key_shadow(const struct prune_tensor *tensor, size_t first, size_t n, float bar, uint32_t *keys)
{
    keys_of_memory(tensor, first, n, tensor->criterion, bar * SHADOW_BAND, keys);
}

/* The smallest key of an active unit. */
static uint32_t smallest_key(const struct prune_tensor *tensor)
{
    size_t units = prune_units(tensor);
    uint32_t keys[PRUNE_UNITS_AT_ONCE], smallest = UINT32_MAX;  /* less one, so that what is no candidate is the largest */
    for (size_t first = 0; first < units; first += PRUNE_UNITS_AT_ONCE) {
        size_t n = prune_units_from(first, units);
        prune_key_active(tensor, first, n, 0, keys);
        for (size_t i = 0; i < n; i++) smallest = keys[i] - 1 < smallest ? keys[i] - 1 : smallest;
    }
    return smallest + 1;
}

/* What the weakest unit is worth that would survive without recovery; `keep` is no more than are active. */
static float weakest_of(struct prune_tensor *tensor, size_t keep)
{
    struct prune_cut cut;
    prune_select_cut(&tensor, 1, prune_key_active, 0, keep, &cut);
    uint32_t key = cut.candidates <= keep ? smallest_key(tensor) : cut.key;     /* all survive: the cut has no key */
    key -= key > 0;                     /* back to the bits of the float */
    float size;
    memcpy(&size, &key, sizeof size);
    return size;
}

/* Marks the best candidates, of `most` weights together, as returning; returns how many weights there were to mark. */
static size_t mark_returning(struct prune_tensor *tensor, enum prune_rule rule, size_t keep, size_t most)
{
    static const prune_key_function key_functions[] = { NULL, key_gradient, key_restore, key_shadow };
    if (rule == PRUNE_NONE || most == 0 || tensor->active == tensor->n) return 0;
    float bar = 0;
    struct prune_cut cut;
    if (rule == PRUNE_SHADOW) bar = weakest_of(tensor, keep);
    prune_select_cut(&tensor, 1, key_functions[rule], bar, most, &cut);
    size_t ties = most - cut.above, marked = 0, units = prune_units(tensor);
    uint32_t keys[PRUNE_UNITS_AT_ONCE];
    uint16_t places[PRUNE_UNITS_AT_ONCE];
    for (size_t first = 0; first < units && cut.candidates > 0; first += PRUNE_UNITS_AT_ONCE) {
        size_t n = prune_units_from(first, units);
        key_functions[rule](tensor, first, n, bar, keys);
        size_t found = prune_keys_between(keys, n, cut.key > 0 ? cut.key : 1, UINT32_MAX, places);
        for (size_t i = 0; i < found; i++) {
            struct prune_unit unit = prune_unit_at(tensor, first + places[i]);
            size_t weights = unit.rows * unit.columns;
            if (keys[places[i]] == cut.key) {
                if (weights > ties) continue;
                ties -= weights;
            }
            set_mask(tensor, &unit, RETURNING);
            marked += weights;
        }
    }
    return marked;
}

/* ----------------------------------------------------------------------------------------------------------- step -- */

static void forget(struct prune_tensor *tensor, size_t i)
{
    tensor->weights[i] = 0;
    tensor->momentum[i] = 0;
    if (tensor->moment1) tensor->moment1[i] = 0;
    if (tensor->moment2) tensor->moment2[i] = 0;
}

/* The best active unit of those that are worth less than `below` and have no more than `room` weights; 0 if there is none. */
static uint32_t best_that_fits(const struct prune_tensor *tensor, uint32_t below, size_t room, size_t *at)
{
    size_t units = prune_units(tensor);
    uint32_t keys[PRUNE_UNITS_AT_ONCE], best = 0;
    for (size_t first = 0; first < units; first += PRUNE_UNITS_AT_ONCE) {
        size_t n = prune_units_from(first, units);
        prune_key_active(tensor, first, n, 0, keys);
        for (size_t i = 0; i < n; i++) {
            if (keys[i] <= best || keys[i] >= below || prune_unit_weights(tensor, first + i) > room) continue;
            best = keys[i];
            *at = first + i;
        }
    }
    return best;
}

/* What of `room` is left when the units with that key, in order, have taken what they fit into. */
static size_t room_behind(const struct prune_tensor *tensor, uint32_t key, size_t room)
{
    size_t units = prune_units(tensor);
    uint32_t keys[PRUNE_UNITS_AT_ONCE];
    for (size_t first = 0; first < units && room; first += PRUNE_UNITS_AT_ONCE) {
        size_t n = prune_units_from(first, units);
        prune_key_active(tensor, first, n, 0, keys);
        for (size_t i = 0; i < n; i++) {
            size_t weights = keys[i] == key ? prune_unit_weights(tensor, first + i) : 0;
            if (weights <= room) room -= weights;
        }
    }
    return room;
}

/* Where the next unit in order does not fit into what is left, a smaller one of the same layer may: marks the best that fits as staying, and again. */
static void keep_smaller(struct prune_tensor *tensor, const struct prune_cut *cut, size_t room)
{
    room = room_behind(tensor, cut->key, room);
    for (size_t at; room && best_that_fits(tensor, cut->key, room, &at);) {
        struct prune_unit unit = prune_unit_at(tensor, at);
        set_mask(tensor, &unit, STAYING);
        room -= unit.rows * unit.columns;
    }
}

static void replace(struct prune_tensor *tensor, int from, int to)
{
    for (size_t i = 0; i < tensor->n; i++) tensor->mask[i] = (uint8_t)(tensor->mask[i] == from ? to : tensor->mask[i]);
}

static void prune_one(const struct prune_tensor *tensor, const struct prune_unit *unit, enum prune_rule rule)
{
    float *weights = tensor->weights, *momentum = tensor->momentum, *memory = tensor->memory;    /* a store to the mask could change the tensor, for all that the compiler knows */
    float *moment1 = tensor->moment1, *moment2 = tensor->moment2;
    uint8_t *mask = tensor->mask;
    for (size_t r = 0; r < unit->rows; r++) {
        size_t first = unit->first + r * unit->stride;
        for (size_t j = first; j < first + unit->columns; j++) {
            if (memory) memory[j] = rule == PRUNE_GRADIENT ? 0 : weights[j];
            mask[j] = PRUNED;
            weights[j] = 0;
            momentum[j] = 0;
            if (moment1) moment1[j] = 0;
            if (moment2) moment2[j] = 0;
        }
    }
}

/* Keeps the largest active units of a tensor, of `keep` weights together; ties go to the first. Returns how many weights were pruned. */
static size_t prune_smallest(struct prune_tensor *tensor, enum prune_rule rule, size_t keep)
{
    struct prune_cut cut;
    prune_select_cut(&tensor, 1, prune_key_active, 0, keep, &cut);
    if (cut.candidates <= keep) return 0;
    size_t ties = keep - cut.above, pruned = 0, units = prune_units(tensor);
    int differ = prune_units_differ(tensor);
    uint32_t keys[PRUNE_UNITS_AT_ONCE];
    uint16_t places[PRUNE_UNITS_AT_ONCE];
    if (differ) keep_smaller(tensor, &cut, ties);
    for (size_t first = 0; first < units; first += PRUNE_UNITS_AT_ONCE) {
        size_t n = prune_units_from(first, units);
        prune_key_active(tensor, first, n, 0, keys);
        size_t found = prune_keys_between(keys, n, 1, cut.key, places);
        for (size_t i = 0; i < found; i++) {
            struct prune_unit unit = prune_unit_at(tensor, first + places[i]);
            size_t weights = unit.rows * unit.columns;
            if (keys[places[i]] == cut.key && weights <= ties) {
                ties -= weights;
                continue;
            }
            prune_one(tensor, &unit, rule);
            pruned += weights;
        }
    }
    if (differ) replace(tensor, STAYING, ACTIVE);
    return pruned;
}

static void bring_back(struct prune_tensor *tensor, enum prune_rule rule)
{
    const uint8_t *end = tensor->mask + tensor->n;
    for (uint8_t *at = tensor->mask; (at = memchr(at, RETURNING, (size_t)(end - at))); at++) {
        size_t i = (size_t)(at - tensor->mask);
        forget(tensor, i);
        if (rule != PRUNE_GRADIENT) tensor->weights[i] = tensor->memory[i];
        tensor->mask[i] = ACTIVE;
        tensor->memory[i] = 0;
    }
}

/* What a step does to one tensor. */
struct turn {
    struct prune_tensor *tensor;
    size_t keep, pruned, recovered;
};

struct turns {
    struct turn *list;
    enum prune_rule rule;
    double rho;
};

static void take_turn(void *context, int i, int part)
{
    (void)part;
    const struct turns *turns = context;
    struct turn *turn = &turns->list[i];
    struct prune_tensor *tensor = turn->tensor;
    size_t unit = prune_tensor_unit(tensor);
    turn->recovered = mark_returning(tensor, turns->rule, turn->keep, (size_t)(turns->rho * (double)(turn->keep / unit)) * unit);
    turn->pruned = prune_smallest(tensor, turns->rule, turn->keep - turn->recovered);
    tensor->active = tensor->active - turn->pruned + turn->recovered;
    if (turn->recovered) bring_back(tensor, turns->rule);
    if (turns->rule == PRUNE_GRADIENT)  /* the next step judges what happens from here on */
        memset(tensor->memory, 0, tensor->n * sizeof *tensor->memory);
}

double prune_mask_target(const struct prune_tensor *tensors, int n_tensors, const struct prune_settings *settings, int t)
{
    struct prune_phase phase = prune_schedule_phase(settings, t);
    double wanted = 0, all = 0;
    for (int i = 0; i < n_tensors; i++) {
        const struct prune_tensor *tensor = &tensors[i];
        double s_max = (double)(tensor->limit < 0 ? settings->sparsity : tensor->limit);
        int turn = phase.kind == PRUNE_UNKNOWN || phase.kind == tensor->kind;
        int over = !turn && phase.kind == PRUNE_CONNECTED;      /* the other kind's turn has been, or is to come */
        double aim = turn ? prune_schedule_target(settings->curve, s_max, phase.t, phase.steps) : over ? s_max : 0;
        wanted += aim * (double)tensor->n;
        all += (double)tensor->n;
    }
    return all > 0 ? wanted / all : 0;
}

/* For so much work that others are soon worth their while, and no more threads than tensors. NULL: the caller does it alone. */
static struct prune_threads *threads_for(const struct prune_tensor *tensors, int n_tensors)
{
    size_t n = 0;
    for (int i = 0; i < n_tensors; i++) n += tensors[i].n;
    if (n <= MUCH_WORK || n_tensors < 2) return NULL;
    int threads = prune_threads_default();
    return threads < 2 ? NULL : prune_threads_new(threads < n_tensors ? threads : n_tensors);
}

/* How many weights each tensor whose turn it is keeps. Tensors with a limit of their own are judged alone, the others share. */
static int share_out(struct prune_threads *threads, struct prune_tensor *tensors, int n_tensors, const struct prune_settings *settings, const struct prune_phase *phase,
                     struct turn *list, int *n_turns)
{
    double target = prune_schedule_target(settings->curve, (double)settings->sparsity, phase->t, phase->steps);
    struct prune_tensor **sharing = calloc((size_t)n_tensors + 1, sizeof *sharing);
    size_t *keep = calloc((size_t)n_tensors + 1, sizeof *keep);
    int code = PRUNE_OK, n = 0;
    *n_turns = 0;
    if (!sharing || !keep) {
        code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        goto end;
    }
    for (int i = 0; i < n_tensors; i++)
        if (tensors[i].limit < 0 && (phase->kind == PRUNE_UNKNOWN || phase->kind == tensors[i].kind)) sharing[n++] = &tensors[i];
    if ((code = prune_scope_keep_on(threads, settings->scope, target, sharing, n, keep))) goto end;
    for (int i = 0, shared = 0; i < n_tensors; i++) {
        struct prune_tensor *tensor = &tensors[i];
        if (phase->kind != PRUNE_UNKNOWN && phase->kind != tensor->kind) continue;
        struct turn *turn = &list[(*n_turns)++];
        *turn = (struct turn){ .tensor = tensor };
        if (tensor->limit < 0) {
            turn->keep = keep[shared++];
            continue;
        }
        double own = prune_schedule_target(settings->curve, (double)tensor->limit, phase->t, phase->steps);
        if ((code = prune_scope_keep(PRUNE_LAYER, own, &tensor, 1, &turn->keep))) goto end;
    }
end:
    free(sharing);
    free(keep);
    return code;
}

int prune_mask_step(struct prune_tensor *tensors, int n_tensors, const struct prune_settings *settings, int t, struct prune_step *done)
{
    struct prune_phase phase = prune_schedule_phase(settings, t);
    int code = PRUNE_OK, n_turns;
    *done = (struct prune_step){ .t = t };
    struct prune_threads *threads = threads_for(tensors, n_tensors);
    struct turns turns = { calloc((size_t)n_tensors + 1, sizeof *turns.list), settings->rule, prune_schedule_recover(settings->recover, phase.t, phase.steps) };
    if (!turns.list) {
        code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        goto end;
    }
    if ((code = share_out(threads, tensors, n_tensors, settings, &phase, turns.list, &n_turns))) goto end;
    prune_tensors_each(threads, n_turns, take_turn, &turns);
    for (int i = 0; i < n_turns; i++) {
        done->recovered += turns.list[i].recovered;
        done->pruned += turns.list[i].pruned;
    }

    double zeros = 0;
    for (int i = 0; i < n_tensors; i++) {
        zeros += (double)(tensors[i].n - tensors[i].active);
        done->n += tensors[i].n;
    }
    done->target = prune_mask_target(tensors, n_tensors, settings, t);
    done->achieved = done->n ? zeros / (double)done->n : 0;
end:
    free(turns.list);
    prune_threads_free(threads);
    return code;
}
