/* mask.c - one step of prune and recover, and what keeps pruned weights at zero between steps */
#include "units.h"

#include <stdlib.h>
#include <string.h>

enum { PRUNED = 0, ACTIVE = 1, RETURNING = 2, STAYING = 3 };    /* the last two only inside a step */

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

static uint32_t key_of(float positive)
{
    uint32_t key;
    memcpy(&key, &positive, sizeof key);
    return key;
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

/* Comparisons that fail with NaN, so that it is never a candidate. */
static uint32_t key_gradient(const struct prune_tensor *tensor, size_t i, float bar)
{
    struct prune_unit unit = prune_unit_at(tensor, i);
    float sum = prune_unit_size(&unit, PRUNE_L2, tensor->memory);
    return tensor->mask[unit.first] == PRUNED && sum > bar ? key_of(sum) : 0;
}

static uint32_t key_restore(const struct prune_tensor *tensor, size_t i, float bar)
{
    struct prune_unit unit = prune_unit_at(tensor, i);
    float fall = predicted_fall(tensor, &unit);
    return tensor->mask[unit.first] == PRUNED && fall > bar ? key_of(fall) : 0;
}

static uint32_t key_shadow(const struct prune_tensor *tensor, size_t i, float bar)
{
    struct prune_unit unit = prune_unit_at(tensor, i);
    float size = prune_unit_size(&unit, tensor->criterion, tensor->memory);
    return tensor->mask[unit.first] == PRUNED && size > bar * SHADOW_BAND ? key_of(size) : 0;
}

/* What the weakest unit is worth that would survive without recovery; `keep` is no more than are active. */
static float weakest_of(struct prune_tensor *tensor, size_t keep)
{
    struct prune_cut cut;
    prune_select_cut(&tensor, 1, prune_key_active, 0, keep, &cut);
    uint32_t key = cut.key;
    size_t units = prune_units(tensor);
    for (size_t i = 0; i < units && cut.candidates <= keep; i++) {      /* all survive: the cut has no key, and it is the smallest */
        uint32_t other = prune_key_active(tensor, i, 0);
        if (other && (!key || other < key)) key = other;
    }
    key -= key > 0;                     /* back to the bits of the float */
    float size;
    memcpy(&size, &key, sizeof size);
    return size;
}

/* Marks the best candidates, of `most` weights together, as returning; returns how many weights there were to mark. */
static size_t mark_returning(struct prune_tensor *tensor, enum prune_rule rule, size_t keep, size_t most)
{
    static const prune_key_function keys[] = { NULL, key_gradient, key_restore, key_shadow };
    if (rule == PRUNE_NONE || most == 0) return 0;
    float bar = 0;
    struct prune_cut cut;
    if (rule == PRUNE_SHADOW) bar = weakest_of(tensor, keep);
    prune_select_cut(&tensor, 1, keys[rule], bar, most, &cut);
    size_t ties = most - cut.above, marked = 0, units = prune_units(tensor);
    for (size_t i = 0; i < units; i++) {
        uint32_t key = keys[rule](tensor, i, bar);
        if (!key || key < cut.key) continue;
        struct prune_unit unit = prune_unit_at(tensor, i);
        size_t weights = unit.rows * unit.columns;
        if (key == cut.key) {
            if (weights > ties) continue;
            ties -= weights;
        }
        set_mask(tensor, &unit, RETURNING);
        marked += weights;
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

/* Where the next unit in order does not fit into what is left, a smaller one of the same layer may: marks the best that fits as staying, and again. */
static void keep_smaller(struct prune_tensor *tensor, const struct prune_cut *cut, size_t room)
{
    size_t units = prune_units(tensor);
    if (prune_tensor_grain(tensor, 0) == prune_tensor_unit(tensor)) return;     /* all have one size */
    for (size_t i = 0; i < units; i++) {
        size_t weights = prune_unit_weights(tensor, i);
        if (weights <= room && prune_key_active(tensor, i, 0) == cut->key) room -= weights;
    }
    for (uint32_t best = 1; best && room;) {
        size_t at = 0;
        best = 0;
        for (size_t i = 0; i < units; i++) {
            if (prune_unit_weights(tensor, i) > room) continue;
            uint32_t key = prune_key_active(tensor, i, 0);
            if (key <= best || key >= cut->key) continue;
            best = key;
            at = i;
        }
        if (!best) continue;
        struct prune_unit unit = prune_unit_at(tensor, at);
        set_mask(tensor, &unit, STAYING);
        room -= unit.rows * unit.columns;
    }
}

/* Keeps the largest active units of a tensor, of `keep` weights together; ties go to the first. Returns how many weights were pruned. */
static size_t prune_smallest(struct prune_tensor *tensor, enum prune_rule rule, size_t keep)
{
    struct prune_cut cut;
    prune_select_cut(&tensor, 1, prune_key_active, 0, keep, &cut);
    if (cut.candidates <= keep) return 0;
    size_t ties = keep - cut.above, pruned = 0, units = prune_units(tensor);
    keep_smaller(tensor, &cut, ties);
    for (size_t i = 0; i < units; i++) {
        struct prune_unit unit = prune_unit_at(tensor, i);
        size_t weights = unit.rows * unit.columns;
        uint32_t key = prune_key_active(tensor, i, 0);
        if (tensor->mask[unit.first] == STAYING) set_mask(tensor, &unit, ACTIVE);
        if (!key || key > cut.key) continue;
        if (key == cut.key && weights <= ties) {
            ties -= weights;
            continue;
        }
        for (size_t r = 0; r < unit.rows; r++) {
            size_t first = unit.first + r * unit.stride;
            for (size_t j = first; j < first + unit.columns; j++) {
                if (tensor->memory) tensor->memory[j] = rule == PRUNE_GRADIENT ? 0 : tensor->weights[j];
                tensor->mask[j] = PRUNED;
                forget(tensor, j);
            }
        }
        pruned += weights;
    }
    return pruned;
}

static void bring_back(struct prune_tensor *tensor, enum prune_rule rule)
{
    for (size_t i = 0; i < tensor->n; i++) {
        if (tensor->mask[i] != RETURNING) continue;
        forget(tensor, i);
        if (rule != PRUNE_GRADIENT) tensor->weights[i] = tensor->memory[i];
        tensor->mask[i] = ACTIVE;
        tensor->memory[i] = 0;
    }
}

static void step_tensor(struct prune_tensor *tensor, enum prune_rule rule, size_t keep, double rho, struct prune_step *done)
{
    size_t unit = prune_tensor_unit(tensor);
    size_t returning = mark_returning(tensor, rule, keep, (size_t)(rho * (double)(keep / unit)) * unit);
    size_t pruned = prune_smallest(tensor, rule, keep - returning);
    done->recovered += returning;
    done->pruned += pruned;
    tensor->active = tensor->active - pruned + returning;
    if (returning) bring_back(tensor, rule);
    if (rule == PRUNE_GRADIENT)         /* the next step judges what happens from here on */
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

int prune_mask_step(struct prune_tensor *tensors, int n_tensors, const struct prune_settings *settings, int t, struct prune_step *done)
{
    struct prune_phase phase = prune_schedule_phase(settings, t);
    double rho = prune_schedule_recover(settings->recover, phase.t, phase.steps);
    double target = prune_schedule_target(settings->curve, (double)settings->sparsity, phase.t, phase.steps);
    int code = PRUNE_OK;
    *done = (struct prune_step){ .t = t };

    /* Tensors with a limit of their own are judged alone, the others share. */
    struct prune_tensor **sharing = calloc((size_t)n_tensors + 1, sizeof *sharing);
    size_t *keep = calloc((size_t)n_tensors + 1, sizeof *keep);
    if (!sharing || !keep) {
        code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        goto end;
    }
    int n_sharing = 0;
    for (int i = 0; i < n_tensors; i++)
        if (tensors[i].limit < 0 && (phase.kind == PRUNE_UNKNOWN || phase.kind == tensors[i].kind)) sharing[n_sharing++] = &tensors[i];
    if ((code = prune_scope_keep(settings->scope, target, sharing, n_sharing, keep))) goto end;
    for (int i = 0; i < n_sharing; i++) step_tensor(sharing[i], settings->rule, keep[i], rho, done);

    for (int i = 0; i < n_tensors; i++) {
        struct prune_tensor *alone = &tensors[i];
        if (alone->limit < 0 || (phase.kind != PRUNE_UNKNOWN && phase.kind != alone->kind)) continue;
        double own = prune_schedule_target(settings->curve, (double)alone->limit, phase.t, phase.steps);
        if ((code = prune_scope_keep(PRUNE_LAYER, own, &alone, 1, keep))) goto end;
        step_tensor(alone, settings->rule, keep[0], rho, done);
    }

    double zeros = 0;
    for (int i = 0; i < n_tensors; i++) {
        zeros += (double)(tensors[i].n - tensors[i].active);
        done->n += tensors[i].n;
    }
    done->target = prune_mask_target(tensors, n_tensors, settings, t);
    done->achieved = done->n ? zeros / (double)done->n : 0;
end:
    free(sharing);
    free(keep);
    return code;
}
