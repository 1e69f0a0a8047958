/* budget.c - which coupled groups go, so that what stays is just within a budget
 *
 * In: a score per group, the budget, what is settled before. Out: removed[], and the size of what stays.
 *
 * In each family the groups stand in an order: those that stay, then the others by falling score, then those that go. A family keeps the first so many of them:
 * multiples of what makes `round` channels in its most populous layer, or all. From one such level to the next is a chunk. Every family begins at its
 * lowest level; the chunks above that stand in one order, in which a family's own never change places, and are added from the front as long as they fit.
 * One that does not fit ends its family, and the next is tried, until 99 % of the budget is used. Scopes differ in the order alone:
 *   layer   by the share of its family that the middle of the chunk is at: rounding to nearest, with the same share for all
 *   global  by the chunk's mean score, over the mean score of its family
 */
#include "prune.h"

#include <math.h>
#include <stdlib.h>

#define NEAR_ENOUGH 0.99        /* weights and MACs: less than 1 % below the budget */

struct rank {                   /* a free group and its place */
    int group, family;
    enum prune_fate fate;
    double score;
};

struct chunk {                  /* ranks [first, first + n) of a family */
    int family, first, n;
    double share;               /* that its family reaches half-way through it */
    double worth;               /* mean score, over the mean score of the family; 1 for all where that is 0 */
};

struct choice {
    const struct prune_channels *channels;
    const struct prune_budget *budget;
    uint8_t *removed;
    struct rank *ranks;         /* by family, then by their order in it */
    int n_ranks;
    int *family_first, *family_n; /* of each family's ranks */
    struct chunk *chunks;
    int n_chunks;
    uint64_t *cost;             /* channels: per group, 0 for those that take no part in the shared budget */
    uint8_t *full;              /* per family: its next chunk did not fit */
    double most;                /* the budget in channels, weights or MACs */
};

static const char *const units[] = { "channels", "weights", "MACs" };

/* ---------------------------------------------------------------------------------------------------------- amount -- */

static uint64_t channels_of(const struct prune_channels *channels, const struct prune_group *group)
{
    uint64_t n = 0;
    for (int i = 0; i < group->n_members; i++)
        n += (uint64_t)prune_kind_has_filters(channels->graph->nodes[channels->members[group->first_member + i].layer].kind);
    return n;
}

/* What stays, in what the budget is given in. */
static double amount(const struct choice *choice)
{
    struct prune_size size;
    uint64_t n = 0;
    if (choice->budget->kind != PRUNE_OF_CHANNELS) {
        prune_channels_size(choice->channels, choice->removed, &size, NULL);
        return (double)(choice->budget->kind == PRUNE_OF_MACS ? size.macs : size.weights);
    }
    for (int g = 0; g < choice->channels->n_groups; g++) n += choice->removed[g] ? 0 : choice->cost[g];
    return (double)n;
}

static void set_removed(const struct choice *choice, int first, int n, uint8_t removed)
{
    for (int i = first; i < first + n; i++) choice->removed[choice->ranks[i].group] = removed;
}

/* ------------------------------------------------------------------------------------------------------ the ranks -- */

static int place_of(enum prune_fate fate)
{
    return fate == PRUNE_STAYS ? 0 : fate == PRUNE_OPEN ? 1 : 2;
}

static int by_rank(const void *x, const void *y)
{
    const struct rank *a = x, *b = y;
    if (a->family != b->family) return a->family < b->family ? -1 : 1;
    if (a->fate != b->fate) return place_of(a->fate) < place_of(b->fate) ? -1 : 1;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    return (a->group > b->group) - (a->group < b->group);
}

/* Groups that are pinned, or that no layer has numbers for, stay and stand in no rank. */
static void rank_groups(struct choice *choice, const double *scores, const uint8_t *fates)
{
    const struct prune_channels *channels = choice->channels;
    for (int g = 0; g < channels->n_groups; g++) {
        const struct prune_group *group = &channels->groups[g];
        choice->removed[g] = 0;
        if (group->pin != PRUNE_FREE || !group->n_members) continue;
        choice->ranks[choice->n_ranks++] = (struct rank){ g, group->family, fates ? (enum prune_fate)fates[g] : PRUNE_OPEN, isnan(scores[g]) ? 0 : scores[g] };
    }
    qsort(choice->ranks, (size_t)choice->n_ranks, sizeof *choice->ranks, by_rank);
    for (int i = choice->n_ranks - 1; i >= 0; i--) {
        choice->family_first[choice->ranks[i].family] = i;
        choice->family_n[choice->ranks[i].family]++;
    }
}

/* ----------------------------------------------------------------------------------------------------- the levels -- */

static int divisor(int a, int b)
{
    return b ? divisor(b, a % b) : a;
}

struct levels {                 /* of one family */
    int n, step;                /* groups, and how many of them make a multiple of `round` channels */
    int top, bottom;            /* the highest level and the lowest */
};

static int next_level(const struct levels *levels, int level)
{
    int next = (level / levels->step + 1) * levels->step;
    return next < levels->top ? next : levels->top;
}

static struct levels levels_of(const struct choice *choice, int family)
{
    const struct rank *ranks = &choice->ranks[choice->family_first[family]];
    int per_layer = choice->channels->families[family].per_layer, round = choice->budget->round, stays = 0, goes = 0;
    struct levels levels = { .n = choice->family_n[family], .step = round / divisor(round, per_layer > 0 ? per_layer : 1) };
    for (int i = 0; i < levels.n; i++) {
        stays += ranks[i].fate == PRUNE_STAYS;
        goes += ranks[i].fate == PRUNE_GOES;
    }
    levels.top = levels.n - goes;
    if (goes && levels.top > levels.step) levels.top -= levels.top % levels.step;       /* all that is left is no whole family */
    if (levels.top < stays) levels.top = stays;
    if (levels.top < 1) levels.top = 1;
    do levels.bottom = next_level(&levels, levels.bottom);
    while (levels.bottom < stays);
    return levels;
}

/* A family with a limit of its own: the level nearest to that. */
static int limited_level(const struct choice *choice, const struct levels *levels, double limit)
{
    double progress = choice->budget->progress > 0 ? fmin(choice->budget->progress, 1) : 1;
    double share = (1 - limit * progress) * (double)levels->n;
    int level = levels->bottom;
    while (level < levels->top && (double)(level + next_level(levels, level)) / 2 <= share) level = next_level(levels, level);
    return level;
}

/* ----------------------------------------------------------------------------------------------------- the chunks -- */

/* Of ranks [first, first + n). */
static double mean_score(const struct choice *choice, int first, int n)
{
    double sum = 0;
    for (int i = first; i < first + n; i++) sum += choice->ranks[i].score;
    return sum / (double)n;
}

static void add_chunks(struct choice *choice, int family, const struct levels *levels)
{
    int first = choice->family_first[family];
    double mean = mean_score(choice, first, levels->n), worth = INFINITY;
    for (int level = levels->bottom; level < levels->top;) {
        int next = next_level(levels, level);
        double own = mean > 0 && isfinite(mean) ? mean_score(choice, first + level, next - level) / mean : 1;
        worth = fmin(worth, own);       /* it falls, up to the last bit of a mean */
        choice->chunks[choice->n_chunks++] = (struct chunk){ family, first + level, next - level, (double)(level + next) / 2 / (double)levels->n, worth };
        level = next;
    }
}

static int by_worth(const void *x, const void *y)
{
    const struct chunk *a = x, *b = y;
    if (a->worth != b->worth) return a->worth > b->worth ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);      /* ranks stand by family */
}

static int by_share(const void *x, const void *y)
{
    const struct chunk *a = x, *b = y;
    if (a->share != b->share) return a->share < b->share ? -1 : 1;
    return by_worth(x, y);
}

/* Every family at its lowest level, or at its own limit; the rest removed and in chunks. */
static void begin(struct choice *choice)
{
    for (int f = 0; f < choice->channels->n_families; f++) {
        if (!choice->family_n[f]) continue;
        struct levels levels = levels_of(choice, f);
        double limit = (double)choice->channels->families[f].limit;
        int level = limit >= 0 ? limited_level(choice, &levels, limit) : levels.bottom;
        set_removed(choice, choice->family_first[f], level, 0);
        set_removed(choice, choice->family_first[f] + level, levels.n - level, 1);
        if (limit < 0) add_chunks(choice, f, &levels);
    }
    qsort(choice->chunks, (size_t)choice->n_chunks, sizeof *choice->chunks, choice->budget->scope == PRUNE_GLOBAL ? by_worth : by_share);
}

/* ------------------------------------------------------------------------------------------------------- the fill -- */

/* Sets removed[] for the chunks in [at, end) whose families are not full; the last of them in `last`. */
static void set_chunks(const struct choice *choice, int at, int end, uint8_t removed, int *last)
{
    for (int i = at; i < end; i++) {
        if (choice->full[choice->chunks[i].family]) continue;
        set_removed(choice, choice->chunks[i].first, choice->chunks[i].n, removed);
        *last = i;
    }
}

/* The place behind the next `n` chunks from `at` on whose families are not full. */
static int behind(const struct choice *choice, int at, int n)
{
    while (at < choice->n_chunks && n > 0) n -= !choice->full[choice->chunks[at++].family];
    return at;
}

/* Adds what fits, one after the other; but tries twice as many at a time until too many, then half as many: that finds the longest row that fits in 2*log2(n)
 * looks, and a look can take a millisecond. A single chunk that does not fit ends its family, as what has been too much once stays too much. */
static void fill(struct choice *choice)
{
    double near = choice->budget->kind == PRUNE_OF_CHANNELS ? choice->most : NEAR_ENOUGH * choice->most, used = amount(choice);
    int at = 0, n = 1, growing = 1, blocked = 0;
    while (at < choice->n_chunks && !(blocked && used >= near)) {
        int end = behind(choice, at, n), last = -1;
        set_chunks(choice, at, end, 0, &last);
        if (last < 0) break;
        double now = amount(choice);
        int too_far = blocked && n > 1 && now >= near;  /* fewer may be near enough */
        if (now <= choice->most && !too_far) {
            used = now;
            at = end;
            n = growing ? n < choice->n_chunks ? 2 * n : n : n > 1 ? n / 2 : 1;
            continue;
        }
        set_chunks(choice, at, end, 1, &last);
        growing = 0;
        if (n > 1) {
            n /= 2;
            continue;
        }
        choice->full[choice->chunks[last].family] = 1;
        at = end;
        blocked = growing = 1;
    }
}

/* ---------------------------------------------------------------------------------------------------------- public -- */

static int check(const struct prune_budget *budget)
{
    if (budget->scope != PRUNE_LAYER && budget->scope != PRUNE_GLOBAL)
        return prune_fail(PRUNE_ERR_UNSUPPORTED, "scope lamp and erk are for weights; for filters and channels it is layer or global");
    if (!(budget->keep >= 0)) return prune_fail(PRUNE_ERR_RANGE, "a budget of %g %% of the %s is no share", 100 * budget->keep, units[budget->kind]);
    if (budget->round < 1) return prune_fail(PRUNE_ERR_RANGE, "channels cannot be rounded to multiples of %d", budget->round);
    return PRUNE_OK;
}

static int allocate(struct choice *choice)
{
    size_t groups = (size_t)choice->channels->n_groups + 1, families = (size_t)choice->channels->n_families + 1;
    choice->ranks = calloc(groups, sizeof *choice->ranks);
    choice->chunks = calloc(groups, sizeof *choice->chunks);
    choice->cost = calloc(groups, sizeof *choice->cost);
    choice->family_first = calloc(families, sizeof *choice->family_first);
    choice->family_n = calloc(families, sizeof *choice->family_n);
    choice->full = calloc(families, 1);
    if (choice->ranks && choice->chunks && choice->cost && choice->family_first && choice->family_n && choice->full) return PRUNE_OK;
    return prune_fail(PRUNE_ERR_NOMEM, "out of memory for a choice among %d groups of channels", choice->channels->n_groups);
}

/* Channels are counted in the families that share the budget, weights and MACs everywhere. */
static double whole_amount(struct choice *choice)
{
    const struct prune_channels *channels = choice->channels;
    for (int i = 0; i < choice->n_ranks; i++) {
        const struct rank *rank = &choice->ranks[i];
        if (channels->families[rank->family].limit < 0) choice->cost[rank->group] = channels_of(channels, &channels->groups[rank->group]);
    }
    return amount(choice);
}

struct prune_budget prune_budget_of(const struct prune_settings *settings)
{
    struct prune_budget budget = { .kind = PRUNE_OF_CHANNELS, .keep = 1 - prune_settings_removed(settings), .scope = settings->scope, .round = settings->round };
    if (settings->macs > 0) budget.kind = PRUNE_OF_MACS;
    else if (settings->weights > 0) budget.kind = PRUNE_OF_WEIGHTS;
    return budget;
}

int prune_budget_choose(const struct prune_channels *channels, const double *scores, const struct prune_budget *budget, const uint8_t *fates,
                        uint8_t *removed, struct prune_size *size)
{
    struct choice choice = { .channels = channels, .budget = budget, .removed = removed };
    int code = check(budget);
    if (code) goto done;
    if ((code = allocate(&choice))) goto done;
    rank_groups(&choice, scores, fates);
    double whole = whole_amount(&choice);
    choice.most = budget->kind == PRUNE_OF_CHANNELS ? floor(budget->keep * whole + 0.5) : budget->keep * whole;
    begin(&choice);
    double least = amount(&choice);
    if (least > choice.most) {
        code = prune_fail(PRUNE_ERR_RANGE, "a budget of %g %% of the %s cannot be reached; the closest is %g %%", 100 * budget->keep, units[budget->kind],
                          ceil(1e5 * least / whole) / 1e3);
        goto done;
    }
    fill(&choice);
    if (size) prune_channels_size(channels, removed, size, NULL);
done:
    free(choice.ranks);
    free(choice.chunks);
    free(choice.cost);
    free(choice.family_first);
    free(choice.family_n);
    free(choice.full);
    return code;
}
