/* structure.c - filters and channels pruned while training goes on
 *
 * In: the coupled groups of a network and views into its running training. Out: at each step some groups fall silent and some come back; between steps
 * silent channels are exactly 0, and so are their momentum and what batch-norm has gathered about them.
 *
 * The weights that read a silent channel are left alone: they see zeros, so their gradient is 0, and they are there should the channel come back.
 */
#include "prune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RETURN_BAND (1.1 / 0.9) /* Guo et al., 2016, as in rule shadow: who comes back must be clearly better than who it replaces */

/* ----------------------------------------------------------------------------------------------------- one member -- */

typedef int (*visit)(float *to, const float *from, size_t n);

static int copy(float *to, const float *from, size_t n)
{
    memcpy(to, from, n * sizeof *to);
    return 0;
}

static int clear(float *to, const float *from, size_t n)
{
    (void)from;
    memset(to, 0, n * sizeof *to);
    return 0;
}

static int has_nonzero(float *to, const float *from, size_t n)
{
    (void)from;
    for (size_t i = 0; i < n; i++)
        if (to[i] != 0) return 1;
    return 0;
}

static int visit_at(visit call, float *to, const float *from, size_t at, size_t n)
{
    if (call == copy && !from) return 0;        /* rule none remembers nothing */
    return to ? call(to + at, from ? from + at : NULL, n) : 0;
}

/* Calls with every number that the member has of its own, in `to` and at the same place in `from`. Returns whether any call did not return 0. */
static int visit_member(const struct prune_channels *channels, struct prune_member member, visit call, const struct prune_params *to, const struct prune_params *from)
{
    const struct prune_node *node = &channels->graph->nodes[member.layer];
    size_t i = (size_t)member.channel, n = (size_t)channels->n_channels[member.layer];
    size_t area = (size_t)node->size * (size_t)node->size, c = (size_t)node->c, places = (size_t)node->out_w * (size_t)node->out_h;
    int any = 0;
    switch (node->kind) {
    case PRUNE_DECONVOLUTIONAL:
        for (size_t k = 0; k < c; k++) any |= visit_at(call, to->weights, from->weights, (k * n + i) * area, area);
        break;
    case PRUNE_LOCAL:
        for (size_t place = 0; place < places; place++) any |= visit_at(call, to->weights, from->weights, (place * n + i) * c * area, c * area);
        return any | visit_at(call, to->biases, from->biases, i * places, places);
    case PRUNE_CONVOLUTIONAL:
    case PRUNE_CONNECTED:
        any |= visit_at(call, to->weights, from->weights, node->n_weights / n * i, node->n_weights / n);
        break;
    default:                                    /* batchnorm */
        break;
    }
    any |= visit_at(call, to->biases, from->biases, i, 1);
    any |= visit_at(call, to->scales, from->scales, i, 1);
    any |= visit_at(call, to->means, from->means, i, 1);
    return any | visit_at(call, to->variances, from->variances, i, 1);
}

static int visit_group(struct prune_structure *structure, int group, visit call, const struct prune_params *to, const struct prune_params *from)
{
    const struct prune_params none = { 0 };
    int any = 0;
    const struct prune_group *g = &structure->channels->groups[group];
    for (int i = 0; i < g->n_members; i++) {
        struct prune_member member = structure->channels->members[g->first_member + i];
        any |= visit_member(structure->channels, member, call, &to[member.layer], from ? &from[member.layer] : &none);
    }
    return any;
}

/* ------------------------------------------------------------------------------------------------------- open, free -- */

int prune_structure_open(struct prune_structure *structure, const struct prune_channels *channels)
{
    *structure = (struct prune_structure){ .channels = channels };
    size_t groups = (size_t)channels->n_groups + 1, layers = (size_t)channels->graph->n_nodes + 1;
    structure->params = calloc(layers, sizeof *structure->params);
    structure->updates = calloc(layers, sizeof *structure->updates);
    structure->memory = calloc(layers, sizeof *structure->memory);
    structure->removed = calloc(groups, sizeof *structure->removed);
    structure->scores = calloc(groups, sizeof *structure->scores);
    if (!structure->params || !structure->updates || !structure->memory || !structure->removed || !structure->scores) {
        prune_structure_free(structure);
        return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    }
    prune_channels_size(channels, structure->removed, &structure->whole, NULL);
    return PRUNE_OK;
}

static float *like(const float *values, size_t n, int *missing)
{
    if (!values) return NULL;
    float *room = calloc(n + 1, sizeof *room);
    if (!room) *missing = 1;
    return room;
}

int prune_structure_remember(struct prune_structure *structure)
{
    const struct prune_graph *graph = structure->channels->graph;
    int missing = 0;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct prune_node *node = &graph->nodes[i];
        const struct prune_params *params = &structure->params[i];
        struct prune_params *memory = &structure->memory[i];
        size_t n = (size_t)structure->channels->n_channels[i];
        memory->weights = like(params->weights, node->n_weights, &missing);
        memory->biases = like(params->biases, node->kind == PRUNE_LOCAL ? node->n_biases : n, &missing);
        memory->scales = like(params->scales, n, &missing);
        memory->means = like(params->means, n, &missing);
        memory->variances = like(params->variances, n, &missing);
    }
    return missing ? prune_fail(PRUNE_ERR_NOMEM, "out of memory for what silent channels were") : PRUNE_OK;
}

void prune_structure_free(struct prune_structure *structure)
{
    for (int i = 0; structure->memory && i < structure->channels->graph->n_nodes; i++) {
        free(structure->memory[i].weights);
        free(structure->memory[i].biases);
        free(structure->memory[i].scales);
        free(structure->memory[i].means);
        free(structure->memory[i].variances);
    }
    free(structure->params);
    free(structure->updates);
    free(structure->memory);
    free(structure->removed);
    free(structure->scores);
    *structure = (struct prune_structure){ 0 };
}

/* --------------------------------------------------------------------------------------------------- between steps -- */

void prune_structure_hold(struct prune_structure *structure)
{
    prune_silence(structure->channels, structure->params, structure->removed);
    for (int g = 0; g < structure->channels->n_groups; g++)
        if (structure->removed[g]) visit_group(structure, g, clear, structure->updates, NULL);
}

static int is_silent(const struct prune_structure *structure, const struct prune_group *group)
{
    for (int i = 0; i < group->n_members; i++) {
        struct prune_member member = structure->channels->members[group->first_member + i];
        struct prune_params params = structure->params[member.layer];
        params.variances = NULL;                /* 1 */
        if (visit_member(structure->channels, member, has_nonzero, &params, &params)) return 0;
    }
    return group->n_members > 0;
}

void prune_structure_from_zeros(struct prune_structure *structure)
{
    for (int g = 0; g < structure->channels->n_groups; g++) {
        const struct prune_group *group = &structure->channels->groups[g];
        structure->removed[g] = group->pin == PRUNE_FREE && is_silent(structure, group);
        structure->scores[g] = 0;
    }
}

int prune_structure_agrees(const struct prune_structure *structure)
{
    for (int g = 0; g < structure->channels->n_groups; g++)
        if (structure->removed[g] && !is_silent(structure, &structure->channels->groups[g])) return 0;
    return 1;
}

/* ------------------------------------------------------------------------------------------------------------ step -- */

static double share_gone(const struct prune_structure *structure, const struct prune_settings *settings, const struct prune_size *size)
{
    double now = (double)size->channels, whole = (double)structure->whole.channels;
    if (settings->macs > 0) now = (double)size->macs, whole = (double)structure->whole.macs;
    else if (settings->weights > 0) now = (double)size->weights, whole = (double)structure->whole.weights;
    return whole > 0 ? 1 - now / whole : 0;
}

double prune_structure_share(const struct prune_structure *structure, const struct prune_settings *settings)
{
    struct prune_size size;
    prune_channels_size(structure->channels, structure->removed, &size, NULL);
    return share_gone(structure, settings, &size);
}

struct candidate {
    int group;
    double ratio;               /* score when it went / score of the weakest of its family that stays */
};

static int by_ratio(const void *x, const void *y)
{
    const struct candidate *a = x, *b = y;
    if (a->ratio != b->ratio) return a->ratio > b->ratio ? -1 : 1;
    return (a->group > b->group) - (a->group < b->group);
}

/* Marks up to `most` groups as STAYS: those that were better, when they went, than what would stay without them, and in no family more than would stay there, so that the
 * budget can be met. `next` is the choice without recovery. */
static int choose_returning(const struct prune_structure *structure, const uint8_t *next, size_t most, uint8_t *fates)
{
    const struct prune_channels *channels = structure->channels;
    double *weakest = malloc(((size_t)channels->n_families + 1) * sizeof *weakest);
    struct candidate *candidates = malloc(((size_t)channels->n_groups + 1) * sizeof *candidates);
    int *room = calloc((size_t)channels->n_families + 1, sizeof *room), code = PRUNE_OK, n = 0;
    if (!weakest || !candidates || !room) {
        code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        goto done;
    }
    for (int f = 0; f < channels->n_families; f++) weakest[f] = INFINITY;
    for (int g = 0; g < channels->n_groups; g++) room[channels->groups[g].family] += !next[g];
    for (int g = 0; g < channels->n_groups; g++)
        if (!next[g] && structure->scores[g] < weakest[channels->groups[g].family]) weakest[channels->groups[g].family] = structure->scores[g];
    for (int g = 0; g < channels->n_groups; g++) {
        double bar = weakest[channels->groups[g].family];
        if (structure->removed[g] && structure->scores[g] > bar * RETURN_BAND) candidates[n++] = (struct candidate){ g, bar > 0 ? structure->scores[g] / bar : INFINITY };
    }
    qsort(candidates, (size_t)n, sizeof *candidates, by_ratio);
    for (int i = 0; i < n && most > 0; i++) {
        int group = candidates[i].group;
        if (room[channels->groups[group].family]-- <= 0) continue;
        fates[group] = PRUNE_STAYS;
        most--;
    }
done:
    free(room);
    free(weakest);
    free(candidates);
    return code;
}

/* After the last step: where earlier steps took more than the final budget asks for, because channels go in whole chunks, as many come back as fit. */
static int fill_budget(const struct prune_structure *structure, const struct prune_budget *budget, uint8_t *next, struct prune_size *size)
{
    size_t groups = (size_t)structure->channels->n_groups + 1;
    uint8_t *fates = calloc(groups, 1);
    if (!fates) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    for (int g = 0; g < structure->channels->n_groups; g++) fates[g] = next[g] ? PRUNE_OPEN : PRUNE_STAYS;
    int code = prune_budget_choose(structure->channels, structure->scores, budget, fates, next, size);
    free(fates);
    return code;
}

static void apply(struct prune_structure *structure, const uint8_t *next, struct prune_step *done)
{
    for (int g = 0; g < structure->channels->n_groups; g++) {
        if (structure->removed[g] == next[g]) continue;
        if (next[g]) {
            visit_group(structure, g, copy, structure->memory, structure->params);
            done->pruned++;
        } else {
            if (visit_group(structure, g, has_nonzero, structure->memory, NULL))       /* not if it came silent */
                visit_group(structure, g, copy, structure->params, structure->memory);
            visit_group(structure, g, clear, structure->memory, NULL);
            visit_group(structure, g, clear, structure->updates, NULL);
            done->recovered++;
        }
        structure->removed[g] = next[g];
    }
    prune_structure_hold(structure);
}

/* The scores of now, and of silent groups what they were when they went. */
static int score(struct prune_structure *structure, const struct prune_settings *settings, const struct prune_evidence *evidence, double *scores)
{
    int code = prune_criteria_score(settings->criterion, settings->granularity, structure->channels, structure->params, evidence, scores);
    for (int g = 0; !code && g < structure->channels->n_groups; g++)    /* as floats, which is what a .prune file holds */
        if (!structure->removed[g]) structure->scores[g] = (double)(float)scores[g];
    return code;
}

int prune_structure_step(struct prune_structure *structure, const struct prune_settings *settings, int t, const struct prune_evidence *evidence, struct prune_step *done)
{
    const struct prune_channels *channels = structure->channels;
    struct prune_budget budget = prune_budget_of(settings);
    struct prune_size size;
    size_t groups = (size_t)channels->n_groups + 1;
    uint8_t *fates = calloc(groups, 1), *next = calloc(groups, 1);
    double *scores = calloc(groups, sizeof *scores), rho = prune_schedule_recover(settings->recover, t, settings->steps);
    int code;
    *done = (struct prune_step){ .t = t };
    done->target = prune_schedule_target(settings->curve, prune_settings_removed(settings), t, settings->steps);
    budget.keep = 1 - done->target;
    double whole = prune_settings_removed(settings) > 0 ? prune_settings_removed(settings) : 0.5;    /* families may have limits where the others have none */
    budget.progress = prune_schedule_target(settings->curve, whole, t, settings->steps) / whole;
    if (!fates || !next || !scores) {
        code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        goto end;
    }
    if ((code = score(structure, settings, evidence, scores))) goto end;
    size_t kept = 0;
    for (int g = 0; g < channels->n_groups; g++) fates[g] = structure->removed[g] ? PRUNE_GOES : PRUNE_OPEN;
    if ((code = prune_budget_choose(channels, structure->scores, &budget, fates, next, &size))) goto end;
    for (int g = 0; g < channels->n_groups; g++) kept += channels->groups[g].pin == PRUNE_FREE && !next[g];
    size_t most = settings->rule == PRUNE_NONE ? 0 : (size_t)(rho * (double)kept);
    if (most) {
        if ((code = choose_returning(structure, next, most, fates))) goto end;
        if ((code = prune_budget_choose(channels, structure->scores, &budget, fates, next, &size))) goto end;
    }
    if (t == settings->steps && settings->rule != PRUNE_NONE && (code = fill_budget(structure, &budget, next, &size))) goto end;
    apply(structure, next, done);
    done->n = (size_t)structure->whole.channels;
    done->achieved = share_gone(structure, settings, &size);
end:
    free(fates);
    free(next);
    free(scores);
    return code;
}
