/* graph_keys.c - reading of a layer's keys, with the limits that many kinds share
 *
 * In: the section of a struct prune_layer. Out: numbers for its node, or one line about the first that Darknet could not work with.
 */
#include "graph_layer.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

int prune_layer_whole(struct prune_layer *layer, const char *name, int fallback, int low, int high, int *value)
{
    int code = prune_cfg_int(layer->cfg, layer->section, name, fallback, value);
    if (code) return code;
    if (*value < low) return FAIL(layer, PRUNE_ERR_RANGE, name, "%s=%d: must be at least %d", name, *value, low);
    if (*value > high) return FAIL(layer, PRUNE_ERR_RANGE, name, "%s=%d: must be at most %d", name, *value, high);
    return PRUNE_OK;
}

int prune_layer_size(struct prune_layer *layer, const char *name, int *value)
{
    return prune_layer_whole(layer, name, 1, 1, INT_MAX, value);
}

int prune_layer_needs_image(struct prune_layer *layer)
{
    const struct prune_node *node = layer->node, *before = layer->index ? node - 1 : NULL;
    if (before && (before->kind == PRUNE_RNN || before->kind == PRUNE_LSTM)) prune_graph_is_foreign(layer->graph, layer->section);  /* only AlexeyAB's are images */
    if (node->w > 0 && node->h > 0 && node->c > 0) return PRUNE_OK;
    return FAIL(layer, PRUNE_ERR_SHAPE, NULL, "needs an image (width, height, channels) before it, and gets a flat %zu", node->inputs);
}

static int is_one_of(const char *value, const char *words)
{
    size_t length = strlen(value);
    for (const char *word = words; *word; word += strspn(word, " ")) {
        size_t n = strcspn(word, " ");
        if (n == length && !memcmp(word, value, n)) return 1;
        word += n;
    }
    return 0;
}

int prune_layer_one_of(struct prune_layer *layer, const char *name, const char *words)
{
    const char *value = prune_cfg_find(layer->section, name);
    if (!value || is_one_of(value, words)) return PRUNE_OK;
    return FAIL(layer, PRUNE_ERR_RANGE, name, "%s=%.40s: must be one of %s", name, value, words);
}

int prune_layer_activation(struct prune_layer *layer, enum prune_activation fallback)
{
    static const char known[] = "linear leaky relu logistic tanh elu selu ramp relie loggy plse stair hardtan lhtan";
    static const char others[] = "swish mish hard_mish gelu relu6 revleaky normalize_channels normalize_channels_softmax normalize_channels_softmax_maxval";
    const char *value = prune_cfg_find(layer->section, "activation");
    layer->node->activation = fallback;
    if (!value) return PRUNE_OK;
    if (prune_activation_find(value, &layer->node->activation)) {
        if (layer->node->activation < PRUNE_SWISH) return PRUNE_OK;
        return FOREIGN(layer, PRUNE_ERR_RANGE, "activation", "activation=%.40s: must be one of %s", value, known);
    }
    int foreign = layer->graph->dialect != PRUNE_THIS_DARKNET;
    return FAIL(layer, PRUNE_ERR_RANGE, "activation", "activation=%.40s: must be one of %s%s%s", value, known, foreign ? " " : "", foreign ? others : "");
}

int prune_layer_batch_normalize(struct prune_layer *layer)
{
    int value, cross = 0, code = prune_cfg_int(layer->cfg, layer->section, "batch_normalize", 0, &value);
    if (!code && layer->node->kind == PRUNE_CONVOLUTIONAL) code = prune_cfg_int(layer->cfg, layer->section, "cbn", 0, &cross);
    layer->node->batch_normalize = value || cross;  /* over several passes; the file is the same */
    return code;
}

int64_t prune_layer_biases(const struct prune_layer *layer, int64_t n)
{
    return layer->node->batch_normalize ? times(4, n) : n;
}

void prune_layer_same_shape(struct prune_layer *layer)
{
    layer->out_w = layer->node->w;
    layer->out_h = layer->node->h;
    layer->out_c = layer->node->c;
    layer->outputs = (int64_t)layer->node->inputs;
}

int prune_layer_earlier(struct prune_layer *layer, const char *name, int64_t written, int *at)
{
    int64_t index = written < 0 ? written + layer->index : written;
    if (index < 0 || index >= layer->index) {
        if (!layer->index) return FAIL(layer, PRUNE_ERR_RANGE, name, "%s=%lld: there is no layer before it", name, (long long)written);
        return FAIL(layer, PRUNE_ERR_RANGE, name, "%s=%lld is layer %lld; must be an earlier one, 0 to %d (or -%d to -1)", name, (long long)written,
                    (long long)index, layer->index - 1, layer->index);
    }
    *at = (int)index;
    return PRUNE_OK;
}

int prune_layer_padding(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int pad, code;
    if ((code = prune_layer_whole(layer, "padding", 0, 0, INT_MAX, &node->pad))) return code;
    if ((code = prune_cfg_int(layer->cfg, layer->section, "pad", 0, &pad))) return code;
    if (pad) node->pad = node->size / 2;
    if ((code = prune_layer_whole(layer, "dilation", 1, 1, INT_MAX, &node->dilation))) return code;
    if (node->size == 1 && node->kind == PRUNE_CONVOLUTIONAL) node->dilation = 1;
    int64_t spread = times(node->pad, node->dilation);
    if (spread > INT_MAX) return FAIL(layer, PRUNE_ERR_RANGE, "dilation", "dilation=%d: padding * dilation is beyond %d", node->dilation, INT_MAX);
    node->pad = (int)spread;
    return PRUNE_OK;
}

int prune_layer_places(struct prune_layer *layer)
{
    const struct prune_node *node = layer->node;
    int64_t w = (int64_t)node->w + 2 * (int64_t)node->pad, h = (int64_t)node->h + 2 * (int64_t)node->pad;
    int64_t span = plus(times(node->size - 1, node->dilation), 1);
    if (w < span || h < span) {
        char dilated[48] = "";
        if (node->dilation > 1) snprintf(dilated, sizeof dilated, " with dilation=%d", node->dilation);
        return FAIL(layer, PRUNE_ERR_SHAPE, "size", "size=%d%s is larger than its input, which is %lldx%lld with padding", node->size, dilated,
                    (long long)w, (long long)h);
    }
    layer->out_w = (w - span) / node->stride_x + 1;
    layer->out_h = (h - span) / node->stride_y + 1;
    if (node->dilation == 1) return PRUNE_OK;

    /* the layer's size is worked out without the dilation, the convolution's with it: they only agree when padding is half of the window */
    int64_t padding = 2 * (int64_t)(node->pad / node->dilation) - node->size;
    int64_t places_w = (node->w + padding) / node->stride_x + 1, places_h = (node->h + padding) / node->stride_y + 1;
    if (places_w == layer->out_w && places_h == layer->out_h) return PRUNE_OK;
    return FAIL(layer, PRUNE_ERR_SHAPE, "dilation",
                "dilation=%d does not go with this padding: Darknet would fill %lldx%lld places with %lldx%lld; must be pad=1 and an odd size", node->dilation,
                (long long)places_w, (long long)places_h, (long long)layer->out_w, (long long)layer->out_h);
}

int prune_layer_groups(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int xnor, code;
    if ((code = prune_layer_size(layer, "groups", &node->groups))) return code;
    if ((code = prune_cfg_int(layer->cfg, layer->section, "xnor", 0, &xnor))) return code;
    if (xnor && layer->graph->dialect == PRUNE_ALEXEYAB) node->groups = 1;  /* as it does without a word */
    if (node->c % node->groups)
        return FAIL(layer, PRUNE_ERR_SHAPE, "groups", "groups=%d must divide the input's %d channels", node->groups, node->c);
    if (node->filters % node->groups)
        return FAIL(layer, PRUNE_ERR_SHAPE, "groups", "groups=%d must divide filters=%d", node->groups, node->filters);
    return PRUNE_OK;
}
