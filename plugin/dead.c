/* dead.c - channels that can go without any output changing
 *
 * In: coupled groups and the numbers of every layer, with zeros in them. Out: the groups that nothing depends on, or whose values are constants that every reader has taken over.
 *
 * What pinned groups depend on is followed backwards through all weights that are not 0; what is not reached goes, cycles and all. Then constants go where that is exact. Both
 * can make room for the other, so they take turns until nothing is left to do.
 */
#include "constants.h"

#include <stdlib.h>
#include <string.h>

struct search {
    const struct prune_channels *channels;
    const struct prune_params *params;
    struct prune_values values;
    uint8_t *gone;              /* groups that are silent: removed, or the last of their family and only there for the shape */
    uint8_t *going;             /* those of them that are found just now */
    uint8_t *live;
    int *stack;
    int *left;                  /* per family: groups that are not removed */
};

/* Groups that the row depends on and that were not known to be live go on the stack. */
static void follow_row(struct search *search, int layer, int row, int *n_stack)
{
    const struct prune_params *params = &search->params[layer];
    struct prune_rows rows;
    int n_in;
    const int *in = prune_channels_in(search->channels, layer, &n_in);
    if (!prune_rows_of(&rows, search->channels, layer) || (params->scales && params->scales[row] == 0)) return;
    in += prune_rows_first(&rows, row);
    for (int column = 0; column < rows.columns; column++) {
        int group = in[column];
        if (search->live[group] || (params->weights && !prune_rows_read(&rows, params->weights, row, column))) continue;
        search->live[group] = 1;
        search->stack[(*n_stack)++] = group;
    }
}

/* Fills `going` with the groups that no pinned one depends on; returns how many. */
static int find_unread(struct search *search)
{
    const struct prune_channels *channels = search->channels;
    int n_stack = 0, n = 0;
    for (int g = 0; g < channels->n_groups; g++) {
        search->live[g] = channels->groups[g].pin != PRUNE_FREE && !search->gone[g];
        if (search->live[g]) search->stack[n_stack++] = g;
    }
    while (n_stack) {
        const struct prune_group *group = &channels->groups[search->stack[--n_stack]];
        for (int i = 0; i < group->n_members; i++) {
            struct prune_member member = channels->members[group->first_member + i];
            follow_row(search, member.layer, member.channel, &n_stack);
        }
    }
    for (int g = 0; g < channels->n_groups; g++) n += search->going[g] = !search->live[g] && !search->gone[g];
    return n;
}

/* Fills `going` with the groups whose constants all readers can take exactly. */
static int find_constant(struct search *search)
{
    const struct prune_channels *channels = search->channels;
    int n = 0;
    prune_values_work_out(&search->values);
    for (int g = 0; g < channels->n_groups; g++) search->going[g] = channels->groups[g].pin == PRUNE_FREE && !search->gone[g];
    for (int layer = 0; layer < channels->graph->n_nodes; layer++) {
        struct prune_rows rows;
        int n_in;
        const int *in = prune_channels_in(channels, layer, &n_in);
        if (prune_values_owner(channels->graph, layer) != layer || !prune_rows_of(&rows, channels, layer)) continue;
        for (int i = 0; i < n_in; i++)
            if (search->going[in[i]] && prune_values_taking(&search->values, layer, i, search->gone) > PRUNE_TAKES_EXACTLY) search->going[in[i]] = 0;
    }
    for (int g = 0; g < channels->n_groups; g++) n += search->going[g];
    return n;
}

/* Lets the groups in `going` go, but for the last of a family, which only falls silent. */
static int let_go(struct search *search, uint8_t *removed, struct prune_folding *folding)
{
    const struct prune_channels *channels = search->channels;
    for (int g = 0; g < channels->n_groups; g++) search->gone[g] |= search->going[g];
    int code = prune_values_take(&search->values, search->going, search->gone, folding);
    if (code) return code;
    prune_silence(channels, search->params, search->going);
    for (int g = 0; g < channels->n_groups; g++) {
        int *left = &search->left[channels->groups[g].family];
        if (!search->going[g] || removed[g] || *left < 2) continue;
        removed[g] = 1;
        (*left)--;
    }
    return PRUNE_OK;
}

int prune_dead(const struct prune_channels *channels, const struct prune_params *params, uint8_t *removed, struct prune_folding *folding)
{
    size_t groups = (size_t)channels->n_groups + 1;
    struct search search = { .channels = channels, .params = params };
    int code = PRUNE_OK;
    search.gone = calloc(groups, 1);
    search.going = calloc(groups, 1);
    search.live = calloc(groups, 1);
    search.stack = calloc(groups, sizeof *search.stack);
    search.left = calloc((size_t)channels->n_families + 1, sizeof *search.left);
    if (!search.gone || !search.going || !search.live || !search.stack || !search.left) {
        code = prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", channels->graph->cfg->path);
        goto done;
    }
    if ((code = prune_values_open(&search.values, channels, params, NULL))) goto done;
    prune_values_work_out(&search.values);
    for (int g = 0; g < channels->n_groups; g++) {
        search.going[g] = removed[g] != 0;
        search.left[channels->groups[g].family] += !removed[g];
    }
    code = let_go(&search, removed, folding);
    while (!code) {
        if (find_unread(&search) && (code = let_go(&search, removed, folding))) break;
        if (!find_constant(&search)) break;
        code = let_go(&search, removed, folding);
    }
done:
    prune_values_free(&search.values);
    free(search.gone);
    free(search.going);
    free(search.live);
    free(search.stack);
    free(search.left);
    return code;
}
