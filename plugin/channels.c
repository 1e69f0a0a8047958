/* channels.c - which channels can only go together
 *
 * In: struct prune_graph. Out: struct prune_channels: every channel of every layer's output with its coupled group, and the groups that are
 * pinned, with the reason. The rules are in prune.h.
 *
 * Every layer that makes channels of its own gets fresh ids; the others pass on the ids that they read, in their own order. Union-find
 * joins ids that can only go together (after Fang et al., 2023, "DepGraph", with channels in place of layers, so that concatenations, slices and truncations
 * need no index arithmetic later on). A group is a class of ids.
 */
#include "constants.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_CHANNELS = 1 << 24 };  /* over all layers; Darknet's largest networks have a hundredth of that */

struct builder {
    struct prune_channels *channels;
    const struct prune_graph *graph;
    int *parent;                /* union-find over ids */
    uint8_t *pin;               /* enum prune_pin of each id, PRUNE_FREE if none */
    int *pin_layer;
    int n_ids;
};

/* ------------------------------------------------------------------------------------------------------ union-find -- */

static int root_of(struct builder *builder, int id)
{
    while (builder->parent[id] != id) {
        builder->parent[id] = builder->parent[builder->parent[id]];
        id = builder->parent[id];
    }
    return id;
}

/* The smaller number becomes the root, so that groups are numbered in the order of the layers. */
static void join(struct builder *builder, int a, int b)
{
    a = root_of(builder, a);
    b = root_of(builder, b);
    if (a < b) builder->parent[b] = a;
    else builder->parent[a] = b;
}

/* The first reason stays. */
static void pin(struct builder *builder, const int *ids, int n, enum prune_pin why, int layer)
{
    for (int i = 0; i < n; i++) {
        if (builder->pin[ids[i]] != PRUNE_FREE) continue;
        builder->pin[ids[i]] = (uint8_t)why;
        builder->pin_layer[ids[i]] = layer;
    }
}

static void fresh(struct builder *builder, int *ids, int n)
{
    for (int i = 0; i < n; i++) ids[i] = builder->n_ids++;
}

/* ---------------------------------------------------------------------------------------------------------- layers -- */

static int any_key(const struct builder *builder, const struct prune_node *node, const char *const *names)
{
    for (; *names; names++)
        if (prune_cfg_is_set(builder->graph->cfg, node->section, *names)) return 1;
    return 0;
}

/* Ids at the same place of each of n equal slices go together. */
static void join_slices(struct builder *builder, const int *ids, int n_ids, int slices)
{
    int part = n_ids / slices;
    for (int i = part; i < slices * part; i++) join(builder, ids[i % part], ids[i]);
}

static int is_depthwise(const struct prune_node *node)
{
    return node->groups > 1 && node->groups == node->c;
}

static void convolutional(struct builder *builder, int layer, const int *in, int n_in, int *out)
{
    static const char *const binary[] = { "xnor", "binary", "bin_output", NULL };
    static const char *const deform[] = { "sway", "rotate", "stretch", "stretch_sway", NULL };
    const struct prune_node *node = &builder->graph->nodes[layer];
    int n = node->filters;
    fresh(builder, out, n);
    if (is_depthwise(node)) {
        for (int i = 0; i < n; i++) join(builder, in[i / (n / n_in)], out[i]);
    } else if (node->groups > 1) {
        join_slices(builder, in, n_in, node->groups);
        join_slices(builder, out, n, node->groups);
    }
    if (node->share >= 0) {
        int n_owner_in;
        const int *owner_in = prune_channels_in(builder->channels, node->share, &n_owner_in);
        const int *owner_out = builder->channels->group[node->share];
        for (int i = 0; i < n_in && i < n_owner_in; i++) join(builder, owner_in[i], in[i]);
        for (int i = 0; i < n; i++) join(builder, owner_out[i], out[i]);
    }
    enum prune_pin why = any_key(builder, node, binary) ? PRUNE_PIN_BINARY : any_key(builder, node, deform) ? PRUNE_PIN_SPATIAL : PRUNE_FREE;
    if (why == PRUNE_FREE) return;
    pin(builder, in, n_in, why, layer);
    pin(builder, out, n, why, layer);
}

static void route(struct builder *builder, int layer, int *out, int n_out)
{
    const struct prune_node *node = &builder->graph->nodes[layer];
    int **group = builder->channels->group, at = 0, all = 0;
    for (int f = 0; f < node->n_from; f++) all += builder->channels->n_channels[node->from[f]] / node->groups;
    if (all != n_out) {                         /* layers of unequal width or height, put behind each other as plain numbers */
        for (int f = 0; f < node->n_from; f++) pin(builder, group[node->from[f]], builder->channels->n_channels[node->from[f]], PRUNE_PIN_SPATIAL, layer);
        fresh(builder, out, n_out);
        pin(builder, out, n_out, PRUNE_PIN_SPATIAL, layer);
        return;
    }
    for (int f = 0; f < node->n_from; f++) {
        const int *from = group[node->from[f]];
        int n = builder->channels->n_channels[node->from[f]], part = n / node->groups;
        if (node->groups > 1) join_slices(builder, from, n, node->groups);
        memcpy(out + at, from + node->group_id * part, (size_t)part * sizeof *out);
        at += part;
    }
}

static void reorg(struct builder *builder, int layer, const int *in, int n_in, int *out, int n_out)
{
    static const char *const others[] = { "flatten", "extra", NULL };
    const struct prune_node *node = &builder->graph->nodes[layer];
    if (any_key(builder, node, others)) {
        pin(builder, in, n_in, PRUNE_PIN_SPATIAL, layer);
        fresh(builder, out, n_out);
        pin(builder, out, n_out, PRUNE_PIN_SPATIAL, layer);
        return;
    }
    int area = node->stride * node->stride, blocks = n_in / area;       /* divides n_in: the graph has checked it */
    if (node->reverse) {
        for (int i = 0; i < n_in; i++) join(builder, in[i % blocks], in[i]);
        memcpy(out, in, (size_t)n_out * sizeof *out);
        return;
    }
    for (int i = 0; i < n_in; i++) join(builder, in[i / area * area], in[i]);
    for (int i = 0; i < n_out; i++) out[i] = in[i / area % blocks * area];
}

/* Passes on what it reads; if it counts it otherwise (an image as plain numbers), both sides are fixed. */
static void pass(struct builder *builder, int layer, const int *in, int n_in, int *out, int n_out, enum prune_pin otherwise)
{
    if (n_in == n_out) {
        memcpy(out, in, (size_t)n_out * sizeof *out);
        return;
    }
    pin(builder, in, n_in, otherwise, layer);
    fresh(builder, out, n_out);
    pin(builder, out, n_out, otherwise, layer);
}

/* Reads all and makes something of its own. */
static void opaque(struct builder *builder, int layer, const int *in, int n_in, int *out, int n_out, enum prune_pin why)
{
    pin(builder, in, n_in, why, layer);
    fresh(builder, out, n_out);
    pin(builder, out, n_out, why, layer);
}

/* A tracker's [yolo] cuts the channels of another layer into one slice per box. */
static void pin_embedding(struct builder *builder, int layer)
{
    const struct prune_node *node = &builder->graph->nodes[layer];
    int at = layer;
    if (prune_cfg_int(builder->graph->cfg, node->section, "embedding_layer", layer, &at)) return;
    if (at < 0) at += layer;
    if (at >= 0 && at < layer) pin(builder, builder->channels->group[at], builder->channels->n_channels[at], PRUNE_PIN_HEAD, layer);
}

static void add_layer(struct builder *builder, int layer)
{
    const struct prune_node *node = &builder->graph->nodes[layer];
    int n_in, *out = builder->channels->group[layer], n_out = builder->channels->n_channels[layer];
    const int *in = prune_channels_in(builder->channels, layer, &n_in);
    const int *from = node->n_from ? builder->channels->group[node->from[0]] : NULL;
    switch (node->kind) {
    case PRUNE_CONVOLUTIONAL:
        convolutional(builder, layer, in, n_in, out);
        break;
    case PRUNE_DECONVOLUTIONAL:
    case PRUNE_CONNECTED:
    case PRUNE_LOCAL:
        fresh(builder, out, n_out);
        break;
    case PRUNE_BATCHNORM:
    case PRUNE_MAXPOOL:
    case PRUNE_AVGPOOL:
    case PRUNE_LOCAL_AVGPOOL:
    case PRUNE_DROPOUT:
    case PRUNE_CROP:
    case PRUNE_UPSAMPLE:
    case PRUNE_ACTIVATION:
    case PRUNE_LOGISTIC:
    case PRUNE_EMPTY:
        if (prune_cfg_is_set(builder->graph->cfg, node->section, "maxpool_depth")) opaque(builder, layer, in, n_in, out, n_out, PRUNE_PIN_SPATIAL);
        else pass(builder, layer, in, n_in, out, n_out, PRUNE_PIN_SPATIAL);
        break;
    case PRUNE_NORMALIZATION:
    case PRUNE_L2NORM:
        pin(builder, in, n_in, PRUNE_PIN_NEIGHBOURS, layer);
        pass(builder, layer, in, n_in, out, n_out, PRUNE_PIN_NEIGHBOURS);
        break;
    case PRUNE_ROUTE:
        route(builder, layer, out, n_out);
        break;
    case PRUNE_SHORTCUT:
        pass(builder, layer, in, n_in, out, n_out, PRUNE_PIN_SPATIAL);
        for (int f = 0; f < node->n_from; f++)
            for (int i = 0; i < n_out && i < builder->channels->n_channels[node->from[f]]; i++) join(builder, in[i], builder->channels->group[node->from[f]][i]);
        break;
    case PRUNE_SCALE_CHANNELS:
    case PRUNE_SAM:
        if (node->scale_wh) pin(builder, in, n_in, PRUNE_PIN_SPATIAL, layer);
        for (int i = 0; i < n_in && !node->scale_wh; i++) join(builder, from[i], in[i]);
        memcpy(out, from, (size_t)n_out * sizeof *out);
        break;
    case PRUNE_REORG:
        reorg(builder, layer, in, n_in, out, n_out);
        break;
    case PRUNE_REORG3D:
        if (node->reverse) opaque(builder, layer, in, n_in, out, n_out, PRUNE_PIN_SPATIAL);
        else for (int i = 0; i < n_out; i++) out[i] = in[i % n_in];
        break;
    case PRUNE_SOFTMAX:
    case PRUNE_COST:
    case PRUNE_DETECTION:
    case PRUNE_REGION:
    case PRUNE_YOLO:
    case PRUNE_GAUSSIAN_YOLO:
    case PRUNE_ISEG:
    case PRUNE_CONTRASTIVE:
        opaque(builder, layer, in, n_in, out, n_out, PRUNE_PIN_HEAD);
        pin_embedding(builder, layer);
        break;
    case PRUNE_RNN:
    case PRUNE_GRU:
    case PRUNE_LSTM:
    case PRUNE_CRNN:
    case PRUNE_CONV_LSTM:
    case PRUNE_HISTORY:
        opaque(builder, layer, in, n_in, out, n_out, PRUNE_PIN_RECURRENT);
        break;
    case PRUNE_IMPLICIT:                        /* reads nothing */
        opaque(builder, layer, NULL, 0, out, n_out, PRUNE_PIN_OWN_WEIGHTS);
        break;
    case PRUNE_UNKNOWN:
        opaque(builder, layer, in, n_in, out, n_out, PRUNE_PIN_UNKNOWN);
        break;
    }
    if (node->activation >= PRUNE_NORM_CHANNELS) pin(builder, out, n_out, PRUNE_PIN_NEIGHBOURS, layer);
}

/* ------------------------------------------------------------------------------------------------------------ pins -- */

static int reads_before(enum prune_kind kind)
{
    return kind != PRUNE_ROUTE && kind != PRUNE_IMPLICIT;
}

static int pin_outputs(struct builder *builder)
{
    const struct prune_graph *graph = builder->graph;
    uint8_t *read = calloc((size_t)graph->n_nodes + 1, 1);
    if (!read) return prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", graph->cfg->path);
    for (int i = 0; i < graph->n_nodes; i++) {
        if (i && reads_before(graph->nodes[i].kind)) read[i - 1] = 1;
        for (int f = 0; f < graph->nodes[i].n_from; f++) read[graph->nodes[i].from[f]] = 1;
    }
    for (int i = 0; i < graph->n_nodes; i++)
        if (!read[i] || prune_cfg_is_set(graph->cfg, graph->nodes[i].section, "truth")) pin(builder, builder->channels->group[i], builder->channels->n_channels[i], PRUNE_PIN_OUTPUT, i);
    free(read);
    return PRUNE_OK;
}

static void pin_by_keys(struct builder *builder)
{
    static const char *const unsaved[] = { "dontsave", "dontload", NULL };
    for (int i = 0; i < builder->graph->n_nodes; i++) {
        const struct prune_node *node = &builder->graph->nodes[i];
        int n_in, *out = builder->channels->group[i], n_out = builder->channels->n_channels[i];
        const int *in = prune_channels_in(builder->channels, i, &n_in);
        float limit;
        if (node->n_weights + node->n_biases && any_key(builder, node, unsaved)) {
            pin(builder, in, n_in, PRUNE_PIN_UNSAVED, i);
            pin(builder, out, n_out, PRUNE_PIN_UNSAVED, i);
        }
        if (prune_kind_has_filters(node->kind) && !prune_settings_layer(node->section, &limit)) pin(builder, out, n_out, PRUNE_PIN_EXEMPT, i);
    }
}

/* ---------------------------------------------------------------------------------------------------------- groups -- */

/* Layers that have numbers of their own for each channel. */
static int has_members(const struct prune_node *node)
{
    return prune_kind_has_filters(node->kind) || node->kind == PRUNE_BATCHNORM || (node->kind == PRUNE_SHORTCUT && node->per_channel);
}

/* From ids to groups: numbers the classes, writes them in the ids' place and gives each its reason. */
static int number_groups(struct builder *builder)
{
    struct prune_channels *channels = builder->channels;
    int *number = malloc(((size_t)builder->n_ids + 1) * sizeof *number);
    if (!number) return prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", builder->graph->cfg->path);
    for (int id = 0; id < builder->n_ids; id++) {
        int root = root_of(builder, id);        /* not above id, so it has its number */
        if (root == id) number[id] = channels->n_groups++;
        else number[id] = number[root];
    }
    channels->groups = calloc((size_t)channels->n_groups + 1, sizeof *channels->groups);
    if (!channels->groups) {
        free(number);
        return prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", builder->graph->cfg->path);
    }
    for (int id = 0; id < builder->n_ids; id++) {
        struct prune_group *group = &channels->groups[number[id]];
        if (group->pin != PRUNE_FREE) continue;
        group->pin = (enum prune_pin)builder->pin[id];
        group->pin_layer = builder->pin_layer[id];
    }
    for (int i = 0; i < channels->n_input; i++) channels->input[i] = number[channels->input[i]];
    for (int l = 0; l < builder->graph->n_nodes; l++)
        for (int i = 0; i < channels->n_channels[l]; i++) channels->group[l][i] = number[channels->group[l][i]];
    free(number);
    return PRUNE_OK;
}

/* Sorted by group (counting sort), within it by layer and channel, as they come. */
static int list_members(struct prune_channels *channels)
{
    const struct prune_graph *graph = channels->graph;
    for (int l = 0; l < graph->n_nodes; l++)
        for (int i = 0; has_members(&graph->nodes[l]) && i < channels->n_channels[l]; i++) channels->groups[channels->group[l][i]].n_members++;
    for (int g = 0; g < channels->n_groups; g++) {
        channels->groups[g].first_member = channels->n_members;
        channels->n_members += channels->groups[g].n_members;
        channels->groups[g].n_members = 0;
    }
    channels->members = calloc((size_t)channels->n_members + 1, sizeof *channels->members);
    if (!channels->members) return prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", graph->cfg->path);
    for (int l = 0; l < graph->n_nodes; l++) {
        for (int i = 0; has_members(&graph->nodes[l]) && i < channels->n_channels[l]; i++) {
            struct prune_group *group = &channels->groups[channels->group[l][i]];
            channels->members[group->first_member + group->n_members++] = (struct prune_member){ l, i };
        }
    }
    return PRUNE_OK;
}

/* A reader that adds a constant to its biases is right only if every place of its output sees all of the kernel, and no other layer has the same weights. */
static int takes_constants(const struct prune_graph *graph, int layer)
{
    const struct prune_node *node = &graph->nodes[layer];
    if (node->kind == PRUNE_CONNECTED || node->kind == PRUNE_LOCAL) return 1;
    for (int i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].share == layer) return 0;
    return node->kind == PRUNE_CONVOLUTIONAL && node->share < 0 && !node->pad;
}

/* Pins what is not 0 when it is silent, and read by a layer that cannot make up for that. */
static int pin_constants(struct prune_channels *channels)
{
    const struct prune_graph *graph = channels->graph;
    struct prune_values values = { 0 };
    struct prune_params *nothing = calloc((size_t)graph->n_nodes + 1, sizeof *nothing);        /* no numbers at all: act(0) everywhere */
    uint8_t *free_ones = calloc((size_t)channels->n_groups + 1, 1);
    int code = nothing && free_ones ? PRUNE_OK : prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", graph->cfg->path);
    for (int g = 0; !code && g < channels->n_groups; g++) free_ones[g] = channels->groups[g].pin == PRUNE_FREE;
    if (!code) code = prune_values_open(&values, channels, nothing, free_ones);
    if (code) goto done;
    prune_values_work_out(&values);
    for (int i = 1; i < graph->n_nodes; i++) {
        int n_in, takes = takes_constants(graph, i);
        const int *in = prune_channels_in(channels, i, &n_in);
        if (!prune_kind_has_filters(graph->nodes[i].kind) || is_depthwise(&graph->nodes[i])) continue;
        for (int k = 0; k < n_in; k++) {
            struct prune_group *group = &channels->groups[in[k]];
            const struct prune_constant *constant = &values.of[i][k];
            if (group->pin != PRUNE_FREE || (constant->where == PRUNE_EVERYWHERE && (takes || constant->value == 0))) continue;
            group->pin = PRUNE_PIN_CONSTANT;
            group->pin_layer = i;
        }
    }
done:
    prune_values_free(&values);
    free(nothing);
    free(free_ones);
    return code;
}

/* Orders groups by pinned or not, then by their members' layers; groups that compare equal are one family. */
static int compare_layers(const struct prune_channels *channels, const struct prune_group *a, const struct prune_group *b)
{
    if ((a->pin == PRUNE_FREE) != (b->pin == PRUNE_FREE)) return a->pin == PRUNE_FREE ? -1 : 1;
    if (a->pin != b->pin || (a->pin != PRUNE_FREE && a->pin_layer != b->pin_layer)) return a->pin != b->pin ? (a->pin < b->pin ? -1 : 1) : a->pin_layer < b->pin_layer ? -1 : 1;
    for (int i = 0; i < a->n_members && i < b->n_members; i++) {
        int x = channels->members[a->first_member + i].layer, y = channels->members[b->first_member + i].layer;
        if (x != y) return x < y ? -1 : 1;
    }
    return (a->n_members > b->n_members) - (a->n_members < b->n_members);
}

static int compare_groups(const void *x, const void *y, void *context)
{
    int a = *(const int *)x, b = *(const int *)y;
    const struct prune_channels *channels = context;
    int order = compare_layers(channels, &channels->groups[a], &channels->groups[b]);
    return order ? order : (a > b) - (a < b);
}

static void describe_family(const struct prune_channels *channels, const struct prune_group *group, struct prune_family *family)
{
    *family = (struct prune_family){ .pinned = group->pin != PRUNE_FREE, .first_layer = -1, .limit = -1 };
    int same = 0;
    for (int i = 0; i < group->n_members; i++) {
        const struct prune_member *member = &channels->members[group->first_member + i];
        float limit;
        if (i == 0) family->first_layer = member->layer;
        same = i && member->layer == member[-1].layer ? same + 1 : 1;
        if (same > family->per_layer) family->per_layer = same;
        if (prune_settings_layer(channels->graph->nodes[member->layer].section, &limit) && limit > family->limit) family->limit = limit;
    }
}

static int find_families(struct prune_channels *channels)
{
    int *order = malloc(((size_t)channels->n_groups + 1) * sizeof *order);
    channels->families = calloc((size_t)channels->n_groups + 1, sizeof *channels->families);
    if (!order || !channels->families) {
        free(order);
        return prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", channels->graph->cfg->path);
    }
    for (int g = 0; g < channels->n_groups; g++) order[g] = g;
    qsort_r(order, (size_t)channels->n_groups, sizeof *order, compare_groups, channels);
    for (int i = 0; i < channels->n_groups; i++) {
        struct prune_group *group = &channels->groups[order[i]];
        if (!i || compare_layers(channels, &channels->groups[order[i - 1]], group)) describe_family(channels, group, &channels->families[channels->n_families++]);
        group->family = channels->n_families - 1;
        channels->families[group->family].n_groups++;
    }
    free(order);
    return PRUNE_OK;
}

/* ---------------------------------------------------------------------------------------------------------- public -- */

static int allocate(struct builder *builder)
{
    struct prune_channels *channels = builder->channels;
    const struct prune_graph *graph = builder->graph;
    size_t ids = 0;
    channels->n_input = graph->c ? graph->c : (int)graph->inputs;
    ids += (size_t)channels->n_input;
    channels->input = calloc((size_t)channels->n_input + 1, sizeof *channels->input);
    channels->group = calloc((size_t)graph->n_nodes + 1, sizeof *channels->group);
    channels->n_channels = calloc((size_t)graph->n_nodes + 1, sizeof *channels->n_channels);
    if (!channels->input || !channels->group || !channels->n_channels) return PRUNE_ERR_NOMEM;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct prune_node *node = &graph->nodes[i];
        channels->n_channels[i] = node->out_c ? node->out_c : (int)node->outputs;
        channels->group[i] = calloc((size_t)channels->n_channels[i] + 1, sizeof **channels->group);
        if (!channels->group[i]) return PRUNE_ERR_NOMEM;
        ids += (size_t)channels->n_channels[i];
    }
    if (ids > MOST_CHANNELS) return PRUNE_ERR_RANGE;
    builder->parent = malloc((ids + 1) * sizeof *builder->parent);
    builder->pin = calloc(ids + 1, 1);
    builder->pin_layer = calloc(ids + 1, sizeof *builder->pin_layer);
    if (!builder->parent || !builder->pin || !builder->pin_layer) return PRUNE_ERR_NOMEM;
    for (size_t i = 0; i < ids; i++) builder->parent[i] = (int)i;
    return PRUNE_OK;
}

int prune_channels_build(struct prune_channels *channels, const struct prune_graph *graph)
{
    *channels = (struct prune_channels){ .graph = graph };
    struct builder builder = { .channels = channels, .graph = graph };
    int code = allocate(&builder);
    if (code) {
        prune_fail(code, code == PRUNE_ERR_RANGE ? "%s: more channels than can be looked after" : "%s: out of memory for its channels", graph->cfg->path);
        goto done;
    }
    fresh(&builder, channels->input, channels->n_input);
    pin(&builder, channels->input, channels->n_input, PRUNE_PIN_INPUT, -1);
    for (int i = 0; i < graph->n_nodes; i++) add_layer(&builder, i);
    pin_by_keys(&builder);
    if ((code = pin_outputs(&builder))) goto done;
    if ((code = number_groups(&builder))) goto done;
    if ((code = list_members(channels))) goto done;
    if ((code = pin_constants(channels))) goto done;
    code = find_families(channels);
done:
    free(builder.parent);
    free(builder.pin);
    free(builder.pin_layer);
    if (code) prune_channels_free(channels);
    return code;
}

void prune_channels_free(struct prune_channels *channels)
{
    for (int i = 0; channels->group && i < channels->graph->n_nodes; i++) free(channels->group[i]);
    free(channels->group);
    free(channels->n_channels);
    free(channels->input);
    free(channels->groups);
    free(channels->members);
    free(channels->families);
    *channels = (struct prune_channels){ 0 };
}

const int *prune_channels_in(const struct prune_channels *channels, int layer, int *n)
{
    *n = layer ? channels->n_channels[layer - 1] : channels->n_input;
    return layer ? channels->group[layer - 1] : channels->input;
}

/* ------------------------------------------------------------------------------------------------------------ size -- */

static int count_kept(const int *groups, int n, const uint8_t *removed)
{
    int kept = 0;
    for (int i = 0; i < n; i++) kept += !removed[groups[i]];
    return kept;
}

/* n_weights of a layer that keeps so many of the channels that it reads and makes. */
static uint64_t weights_left(const struct prune_channels *channels, int layer, int in, int out)
{
    const struct prune_node *node = &channels->graph->nodes[layer];
    int n_in, n_out = channels->n_channels[layer];
    prune_channels_in(channels, layer, &n_in);
    if (!node->n_weights) return 0;
    switch (node->kind) {
    case PRUNE_CONVOLUTIONAL:
        if (is_depthwise(node)) return node->n_weights / (uint64_t)n_out * (uint64_t)out;
        return node->n_weights / (uint64_t)n_out * (uint64_t)out / (uint64_t)n_in * (uint64_t)in;
    case PRUNE_DECONVOLUTIONAL:
    case PRUNE_CONNECTED:
    case PRUNE_LOCAL:
        return node->n_weights / ((uint64_t)n_out * (uint64_t)n_in) * (uint64_t)out * (uint64_t)in;
    case PRUNE_SHORTCUT:
        return node->per_channel ? node->n_weights / (uint64_t)n_out * (uint64_t)out : node->n_weights;
    default:
        return node->n_weights;
    }
}

void prune_channels_size(const struct prune_channels *channels, const uint8_t *removed, struct prune_size *size, int *kept)
{
    const struct prune_graph *graph = channels->graph;
    *size = (struct prune_size){ 0 };
    int in = count_kept(channels->input, channels->n_input, removed);
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct prune_node *node = &graph->nodes[i];
        int out = count_kept(channels->group[i], channels->n_channels[i], removed);
        uint64_t weights = weights_left(channels, i, in, out);
        uint64_t biases = has_members(node) && node->n_biases ? node->n_biases / (uint64_t)channels->n_channels[i] * (uint64_t)out : node->n_biases;
        size->weights += weights;
        size->floats += node->n_floats ? weights + biases : 0;
        uint64_t macs = node->n_weights ? node->macs / node->n_weights * weights : 0;
        if (node->kind == PRUNE_SHORTCUT && !node->per_channel && channels->n_channels[i]) macs = macs / (uint64_t)channels->n_channels[i] * (uint64_t)out;
        size->macs += macs;
        if (kept) kept[i] = out;
        in = out;
    }
    for (int m = 0; m < channels->n_members; m++) {
        const struct prune_member *member = &channels->members[m];
        int group = channels->group[member->layer][member->channel];
        size->channels += channels->groups[group].pin == PRUNE_FREE && !removed[group] && prune_kind_has_filters(graph->nodes[member->layer].kind);
    }
}
