/* graph_links.c - the layers that read others than the one before: route, shortcut, and AlexeyAB's scale_channels and sam
 *
 * In: the keys of one section and the layers before it. Out: struct prune_layer, with the layers that it reads. After the parse_* and make_*
 * functions of Darknet's src (pjreddie 61c9d02e, AlexeyAB 59596d7).
 */
#include "graph_layer.h"

#include <stdlib.h>
#include <string.h>

/* Reads the list of layers `name` into the node: all, or only its first. */
static int link_to(struct prune_layer *layer, const char *name, const char *missing, int only_first)
{
    struct prune_node *node = layer->node;
    double *list = NULL;
    int n = 1, first, code;
    if (!prune_cfg_find(layer->section, name)) return FAIL(layer, PRUNE_ERR_FORMAT, NULL, "%s= is missing: %s", name, missing);
    code = only_first ? prune_cfg_int(layer->cfg, layer->section, name, 0, &first) : prune_cfg_list(layer->cfg, layer->section, name, 1, &list, &n);
    if (code) return code;
    node->from = calloc((size_t)n, sizeof *node->from);
    if (!node->from) {
        code = FAIL(layer, PRUNE_ERR_NOMEM, NULL, "out of memory");
        goto done;
    }
    node->n_from = n;
    for (int i = 0; i < n; i++) {
        if ((code = prune_layer_earlier(layer, name, list ? (int64_t)list[i] : first, &node->from[i]))) goto done;
        const struct prune_node *from = &layer->graph->nodes[node->from[i]];
        if (from->kind == PRUNE_UNKNOWN)
            code = FAIL(layer, PRUNE_ERR_UNSUPPORTED, name, "reads layer %d %.40s, whose kind is not known", node->from[i], from->section->kind);
        else if (from->antialiasing && (from->antialiasing == 2 || from->stride_x != 1 || from->stride_y != 1))
            code = FAIL(layer, PRUNE_ERR_SHAPE, name, "layer %d blurs its output (antialiasing=%d), and Darknet would take the size from before that", node->from[i],
                        from->antialiasing);
        if (code) goto done;
    }

done:
    free(list);
    return code;
}

/* Several layers behind each other; channels when they have one width and height, else a flat row of numbers. Of each only a slice, with groups= (AlexeyAB). */
int prune_layer_route(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int flat = 0, code;
    if ((code = link_to(layer, "layers", "the layers to route from", 0))) return code;
    if ((code = prune_layer_size(layer, "groups", &node->groups))) return code;
    if ((code = prune_cfg_int(layer->cfg, layer->section, "group_id", 0, &node->group_id))) return code;
    if (node->group_id < 0 || node->group_id >= node->groups)
        return FAIL(layer, PRUNE_ERR_RANGE, "group_id", "group_id=%d: must be one of the %d groups, 0 to %d", node->group_id, node->groups, node->groups - 1);
    for (int i = 0; i < node->n_from; i++) {
        const struct prune_node *first = &layer->graph->nodes[node->from[0]], *next = &layer->graph->nodes[node->from[i]];
        flat |= next->out_w < 1 || next->out_w != first->out_w || next->out_h != first->out_h;
        size_t parts = next->out_c ? (size_t)next->out_c : next->outputs;
        if (parts % (size_t)node->groups)
            return FAIL(layer, PRUNE_ERR_SHAPE, "groups", "groups=%d must divide the %zu channels of layer %d", node->groups, parts, node->from[i]);
        layer->out_c = plus(layer->out_c, next->out_c / node->groups);
        layer->outputs = plus(layer->outputs, (int64_t)next->outputs / node->groups);
        layer->out_w = next->out_w;
        layer->out_h = next->out_h;
    }
    if (flat) layer->out_w = layer->out_h = layer->out_c = 0;
    return PRUNE_OK;
}

/* One of AlexeyAB's words for a shortcut's weights; all others are faults. */
static int shortcut_weights(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    const char *type = prune_cfg_find(layer->section, "weights_type"), *use = prune_cfg_find(layer->section, "weights_normalization");
    int code;
    if (!type || !strcmp(type, "none")) return PRUNE_OK;
    if ((code = prune_layer_one_of(layer, "weights_type", "none per_feature per_layer per_channel"))) return code;
    if ((code = prune_layer_one_of(layer, "weights_normalization", "none relu avg_relu softmax"))) return code;
    node->per_channel = !strcmp(type, "per_channel");
    if (use && strcmp(use, "none")) node->normalization = strcmp(use, "softmax") ? 1 : 2;
    int64_t inputs = (int64_t)node->n_from + 1;
    layer->n_weights = times(inputs, node->per_channel ? node->c : 1);
    layer->uses = times3(node->w, node->h, node->per_channel ? 1 : node->c);
    return PRUNE_OK;
}

/* Adds earlier layers to the one before. They may differ in channels, and a single one in size by a whole factor, the same in both directions (AlexeyAB: not
 * at all). */
int prune_layer_shortcut(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int own = layer->graph->dialect == PRUNE_THIS_DARKNET, code;
    if ((code = link_to(layer, "from", "the layer to add", own))) return code;
    if (node->n_from > 1 && (code = FOREIGN(layer, PRUNE_ERR_FORMAT, "from", "more than one layer"))) return code;
    if ((code = prune_layer_activation(layer, PRUNE_LINEAR_ACTIVATION))) return code;
    if ((code = prune_layer_needs_image(layer))) return code;
    prune_layer_same_shape(layer);
    if (!own && (code = shortcut_weights(layer))) return code;
    int equal = layer->graph->dialect == PRUNE_ALEXEYAB || node->n_from > 1 || layer->n_weights;
    for (int i = 0; i < node->n_from; i++) {
        const struct prune_node *from = &layer->graph->nodes[node->from[i]];
        if (from->out_w < 1 || from->out_h < 1 || from->out_c < 1)
            return FAIL(layer, PRUNE_ERR_SHAPE, "from", "layer %d gives a flat %zu; only an image can be added", node->from[i], from->outputs);
        if (equal ? from->out_w != node->w || from->out_h != node->h
                  : from->out_w / node->w != from->out_h / node->h || node->w / from->out_w != node->h / from->out_h)
            return FAIL(layer, PRUNE_ERR_SHAPE, "from", "layer %d is %dx%d and cannot be laid over %dx%d", node->from[i], from->out_w, from->out_h, node->w,
                        node->h);
    }
    return PRUNE_OK;
}

/* An earlier layer times this one's input, whose shape must be (c, h, w). */
static int scaled(struct prune_layer *layer, int by_place, int by_channel)
{
    struct prune_node *node = layer->node;
    int code;
    if ((code = link_to(layer, "from", "the layer to scale", 1))) return code;
    if ((code = prune_layer_activation(layer, PRUNE_LINEAR_ACTIVATION))) return code;
    if ((code = prune_layer_needs_image(layer))) return code;
    const struct prune_node *from = &layer->graph->nodes[node->from[0]];
    int w = by_place ? from->out_w : 1, h = by_place ? from->out_h : 1, c = by_channel ? from->out_c : 1;
    if (node->w != w || node->h != h || node->c != c || from->out_c < 1)
        return FAIL(layer, PRUNE_ERR_SHAPE, "from", "layer %d is %dx%dx%d, so its input must be %dx%dx%d; it is %dx%dx%d", node->from[0], from->out_w, from->out_h,
                    from->out_c, w, h, c, node->w, node->h, node->c);
    layer->out_w = from->out_w;
    layer->out_h = from->out_h;
    layer->out_c = from->out_c;
    return PRUNE_OK;
}

int prune_layer_scale_channels(struct prune_layer *layer)
{
    int code = prune_cfg_int(layer->cfg, layer->section, "scale_wh", 0, &layer->node->scale_wh);
    return code ? code : scaled(layer, layer->node->scale_wh, !layer->node->scale_wh);
}

int prune_layer_sam(struct prune_layer *layer) { return scaled(layer, 1, 1); }
