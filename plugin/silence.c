/* silence.c - channels that give nothing any more, and the weights of a layer as rows of channels
 *
 * In: coupled groups and where the numbers of each layer are. Out: the numbers of the members of some groups, set so that each gives exactly 0 before its activation.
 */
#include "rows.h"

#include <string.h>

int prune_rows_of(struct prune_rows *rows, const struct prune_channels *channels, int layer)
{
    const struct prune_node *node = &channels->graph->nodes[layer];
    size_t area = (size_t)node->size * (size_t)node->size;
    int n = channels->n_channels[layer], n_in;
    prune_channels_in(channels, layer, &n_in);
    *rows = (struct prune_rows){ 0 };
    if (n < 1 || n_in < 1 || !node->n_weights) return 0;
    switch (node->kind) {
    case PRUNE_CONVOLUTIONAL:
        rows->columns = n_in / node->groups;
        rows->row_step = (size_t)rows->columns * area;
        rows->column_step = rows->block = area;
        break;
    case PRUNE_DECONVOLUTIONAL:
        rows->columns = n_in;
        rows->row_step = rows->block = area;
        rows->column_step = (size_t)n * area;
        break;
    case PRUNE_CONNECTED:
        rows->columns = n_in;
        rows->row_step = node->inputs;
        rows->column_step = rows->block = node->inputs / (size_t)n_in;
        break;
    case PRUNE_LOCAL:
        rows->columns = n_in;
        rows->row_step = (size_t)n_in * area;
        rows->column_step = rows->block = area;
        rows->place_step = (size_t)n * rows->row_step;
        break;
    default:
        return 0;
    }
    rows->n = n;
    rows->slice = node->kind == PRUNE_CONVOLUTIONAL ? n / node->groups : n;
    rows->places = node->kind == PRUNE_LOCAL ? node->out_w * node->out_h : 1;
    return 1;
}

static void silence_member(const struct prune_channels *channels, const struct prune_params *params, struct prune_member member)
{
    const struct prune_node *node = &channels->graph->nodes[member.layer];
    struct prune_rows rows;
    size_t i = (size_t)member.channel, n = (size_t)channels->n_channels[member.layer];
    int has_rows = prune_rows_of(&rows, channels, member.layer);
    for (int column = 0; params->weights && column < rows.columns; column++) prune_rows_clear(&rows, params->weights, member.channel, column);
    if (params->weights && node->kind == PRUNE_SHORTCUT && node->per_channel)
        for (size_t source = 0; source <= (size_t)node->n_from; source++) params->weights[source * n + i] = 0;
    size_t places = has_rows ? (size_t)rows.places : 1;
    if (params->biases) memset(params->biases + i * places, 0, places * sizeof *params->biases);
    if (params->scales) params->scales[i] = 0;
    if (params->means) params->means[i] = 0;
    if (params->variances) params->variances[i] = 1;
}

void prune_silence(const struct prune_channels *channels, const struct prune_params *params, const uint8_t *removed)
{
    for (int g = 0; g < channels->n_groups; g++) {
        const struct prune_group *group = &channels->groups[g];
        for (int i = 0; removed[g] && i < group->n_members; i++) {
            struct prune_member member = channels->members[group->first_member + i];
            silence_member(channels, &params[member.layer], member);
        }
    }
}
