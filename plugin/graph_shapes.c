/* graph_shapes.c - what each kind of layer makes of its input: output, weights, biases
 *
 * In: the keys of one section and the shape before it. Out: struct prune_layer. One function per kind, after the parse_*
 * and make_* functions of Darknet's src (pjreddie 61c9d02e, AlexeyAB 59596d7 for what only that has), whose asserts, divisions and unchecked
 * indices are the faults here. Keys that do not change a shape are only looked at by graph.c. Heads, recurrent layers and those that read several others
 * have files of their own.
 */
#include "graph_layer.h"

#include <limits.h>

/* filters, size, stride, padding and activation of a convolution or deconvolution. */
static int filter_keys(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int code;
    if ((code = prune_layer_size(layer, "filters", &node->filters))) return code;
    if ((code = prune_layer_size(layer, "size", &node->size))) return code;
    if ((code = prune_layer_size(layer, "stride", &node->stride))) return code;
    if ((code = prune_layer_padding(layer))) return code;
    if ((code = prune_layer_batch_normalize(layer))) return code;
    if ((code = prune_layer_activation(layer, PRUNE_LOGISTIC_ACTIVATION))) return code;
    return prune_layer_needs_image(layer);
}

/* stride_x and stride_y, each instead of stride, and antialiasing (AlexeyAB). */
static int stride_keys(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int blur, code;
    if ((code = prune_layer_whole(layer, "stride_x", node->stride, 1, INT_MAX, &node->stride_x))) return code;
    if ((code = prune_layer_whole(layer, "stride_y", node->stride, 1, INT_MAX, &node->stride_y))) return code;
    node->stride = node->stride_x;
    if ((code = prune_cfg_int(layer->cfg, layer->section, "antialiasing", 0, &blur))) return code;
    node->antialiasing = blur == 2 ? 2 : blur != 0;
    return PRUNE_OK;
}

/* The output so far, which was made with stride 1, under the blur that has the stride: 3x3 with a border, or 2x2 without. */
static int blur(struct prune_layer *layer)
{
    const struct prune_node *node = layer->node;
    int size = node->antialiasing == 2 ? 2 : 3, border = size == 3 ? 2 : 0;
    if (layer->out_w + border < size || layer->out_h + border < size)
        return FAIL(layer, PRUNE_ERR_SHAPE, "antialiasing", "antialiasing=%d: its output of %lldx%lld is smaller than the %dx%d blur", node->antialiasing,
                    (long long)layer->out_w, (long long)layer->out_h, size, size);
    layer->out_w = (layer->out_w + border - size) / node->stride_x + 1;
    layer->out_h = (layer->out_h + border - size) / node->stride_y + 1;
    return PRUNE_OK;
}

/* prune_layer_places, but with stride 1 where a blur has the stride. */
static int places_before_blur(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int stride_x = node->stride_x, stride_y = node->stride_y;
    if (node->antialiasing) node->stride_x = node->stride_y = 1;
    int code = prune_layer_places(layer);
    node->stride_x = stride_x;
    node->stride_y = stride_y;
    return code;
}

/* The weights of an earlier convolution in place of its own (AlexeyAB). */
static int share_weights(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int written, at, code;
    if (!prune_cfg_find(layer->section, "share_index")) return PRUNE_OK;
    if ((code = prune_cfg_int(layer->cfg, layer->section, "share_index", 0, &written))) return code;
    if ((code = prune_layer_earlier(layer, "share_index", written, &at))) return code;
    const struct prune_node *owner = &layer->graph->nodes[at];
    if (owner->kind != PRUNE_CONVOLUTIONAL)
        return FAIL(layer, PRUNE_ERR_SHAPE, "share_index", "layer %d is %.40s; only the weights of a convolution can be shared", at, owner->section->kind);
    if (owner->size != node->size || owner->c != node->c || owner->filters != node->filters || owner->n_weights != (uint64_t)layer->n_weights)
        return FAIL(layer, PRUNE_ERR_SHAPE, "share_index", "the weights of layer %d are %d filters of %d/%dx%dx%d, its own %d of %d/%dx%dx%d; must be equal", at,
                    owner->filters, owner->c, owner->groups, owner->size, owner->size, node->filters, node->c, node->groups, node->size, node->size);
    if (node->batch_normalize && !owner->batch_normalize)
        return FAIL(layer, PRUNE_ERR_SHAPE, "share_index", "has batch_normalize=1 and layer %d, whose scales it would share, has not", at);
    node->share = owner->share >= 0 ? owner->share : at;
    return PRUNE_OK;
}

static int convolutional(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int flipped, code = filter_keys(layer);
    if (code) return code;
    if ((code = stride_keys(layer))) return code;
    if ((code = prune_layer_groups(layer))) return code;
    if ((code = prune_cfg_int(layer->cfg, layer->section, "flipped", 0, &flipped))) return code;
    if (flipped && node->groups > 1 &&
        (code = FOREIGN(layer, PRUNE_ERR_UNSUPPORTED, "flipped", "flipped=1 with groups=%d: Darknet would read past the weights", node->groups)))
        return code;
    if ((code = places_before_blur(layer))) return code;
    layer->out_c = node->filters;
    layer->n_weights = times(times3(node->filters, node->c / node->groups, node->size), node->size);
    layer->n_biases = prune_layer_biases(layer, node->filters);
    layer->uses = times(layer->out_w, layer->out_h);
    if ((code = share_weights(layer))) return code;
    return node->antialiasing ? blur(layer) : PRUNE_OK;
}

static int window_too_large(struct prune_layer *layer, int64_t w, int64_t h)
{
    return FAIL(layer, PRUNE_ERR_SHAPE, "size", "size=%d is larger than its input, which is %lldx%lld with padding", layer->node->size,
                (long long)w, (long long)h);
}

static int deconvolutional(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int code = filter_keys(layer);
    if (code) return code;
    int64_t more = (int64_t)node->size - 2 * (int64_t)node->pad;
    layer->out_w = times(node->w - 1, node->stride) + more;
    layer->out_h = times(node->h - 1, node->stride) + more;
    layer->out_c = node->filters;
    layer->n_weights = times(times3(node->c, node->filters, node->size), node->size);
    layer->n_biases = prune_layer_biases(layer, node->filters);
    layer->uses = times(node->w, node->h);
    return PRUNE_OK;
}

/* A convolution with filters of its own at every place. `pad` is here a number of pixels to im2col, and a switch for "one output per
 * stride" to the layer; they only agree when im2col makes as many places as the layer has. */
static int local(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int code;
    if ((code = prune_layer_size(layer, "filters", &node->filters))) return code;
    if ((code = prune_layer_size(layer, "size", &node->size))) return code;
    if ((code = prune_layer_size(layer, "stride", &node->stride))) return code;
    if ((code = prune_layer_whole(layer, "pad", 0, 0, INT_MAX, &node->pad))) return code;
    if ((code = prune_layer_activation(layer, PRUNE_LOGISTIC_ACTIVATION))) return code;
    if ((code = prune_layer_needs_image(layer))) return code;
    int64_t w = (int64_t)node->w + 2 * (int64_t)node->pad, h = (int64_t)node->h + 2 * (int64_t)node->pad;
    if (w < node->size || h < node->size) return window_too_large(layer, w, h);
    int less = node->pad ? 1 : node->size;
    layer->out_w = (node->w - less) / node->stride + 1;
    layer->out_h = (node->h - less) / node->stride + 1;
    layer->out_c = node->filters;
    if ((w - node->size) / node->stride + 1 != layer->out_w || (h - node->size) / node->stride + 1 != layer->out_h)
        return FAIL(layer, PRUNE_ERR_SHAPE, "pad", "pad=%d does not go with size=%d and stride=%d: must be 0, or 1 with size=3", node->pad,
                    node->size, node->stride);
    layer->n_weights = times3(times(node->filters, node->c), times(node->size, node->size), times(layer->out_w, layer->out_h));
    layer->n_biases = times3(layer->out_w, layer->out_h, node->filters);
    layer->uses = 1;
    return PRUNE_OK;
}

static int connected(struct prune_layer *layer)
{
    int output, code;
    if ((code = prune_layer_size(layer, "output", &output))) return code;
    if ((code = prune_layer_batch_normalize(layer))) return code;
    if ((code = prune_layer_activation(layer, PRUNE_LOGISTIC_ACTIVATION))) return code;
    layer->out_w = layer->out_h = 1;
    layer->out_c = output;
    layer->n_weights = times((int64_t)layer->node->inputs, output);
    layer->n_biases = prune_layer_biases(layer, output);
    layer->uses = 1;
    return PRUNE_OK;
}

/* A layer of its own: scales, means and variances are saved, its biases only by AlexeyAB's. */
static int batchnorm(struct prune_layer *layer)
{
    prune_layer_same_shape(layer);
    layer->n_biases = times(layer->graph->dialect == PRUNE_ALEXEYAB ? 4 : 3, layer->node->c);
    return prune_layer_needs_image(layer);
}

/* The largest of each place's channels with the same remainder (AlexeyAB's maxpool_depth); the window and the stride are not used. */
static int maxpool_depth(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int channels, code = prune_layer_size(layer, "out_channels", &channels);
    if (code) return code;
    if (channels > node->c)
        return FAIL(layer, PRUNE_ERR_SHAPE, "out_channels", "out_channels=%d: must be at most the input's %d channels", channels, node->c);
    if (node->antialiasing)
        return FAIL(layer, PRUNE_ERR_UNSUPPORTED, "antialiasing", "antialiasing=%d with maxpool_depth: Darknet would change the size and not blur",
                    node->antialiasing);
    prune_layer_same_shape(layer);
    layer->out_c = channels;
    return PRUNE_OK;
}

/* maxpool, and AlexeyAB's local_avgpool, which has its windows. */
static int pool(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int depth = 0, code;
    if ((code = prune_layer_size(layer, "stride", &node->stride))) return code;
    if ((code = prune_layer_whole(layer, "size", node->stride, 1, INT_MAX, &node->size))) return code;
    if ((code = prune_layer_whole(layer, "padding", node->size - 1, 0, INT_MAX, &node->pad))) return code;
    if ((code = stride_keys(layer))) return code;
    if (node->kind == PRUNE_LOCAL_AVGPOOL) node->antialiasing = 0;
    else if ((code = prune_cfg_int(layer->cfg, layer->section, "maxpool_depth", 0, &depth))) return code;
    if ((code = prune_layer_needs_image(layer))) return code;
    if (depth) return maxpool_depth(layer);
    int64_t w = (int64_t)node->w + node->pad, h = (int64_t)node->h + node->pad; /* padding counts both sides together */
    int stride_x = node->antialiasing ? 1 : node->stride_x, stride_y = node->antialiasing ? 1 : node->stride_y;
    if (w < node->size || h < node->size) return window_too_large(layer, w, h);
    layer->out_w = (w - node->size) / stride_x + 1;
    layer->out_h = (h - node->size) / stride_y + 1;
    layer->out_c = node->c;
    int64_t before = node->pad / 2;
    int64_t last_w = (layer->out_w - 1) * stride_x - before, last_h = (layer->out_h - 1) * stride_y - before;
    if (before >= node->size || last_w >= node->w || last_h >= node->h)
        return FAIL(layer, PRUNE_ERR_SHAPE, "padding", "padding=%d with size=%d: a window would lie in the padding alone, and its maximum nowhere", node->pad,
                    node->size);
    return node->antialiasing ? blur(layer) : PRUNE_OK;
}

static int avgpool(struct prune_layer *layer)
{
    layer->out_w = layer->out_h = 1;
    layer->out_c = layer->node->c;
    return prune_layer_needs_image(layer);
}

/* dropout and AlexeyAB's empty share their arrays with the layer before them. */
static int alias(struct prune_layer *layer)
{
    prune_layer_same_shape(layer);
    if (!layer->index) return FAIL(layer, PRUNE_ERR_SHAPE, NULL, "needs a layer before it");
    return PRUNE_OK;
}

static int softmax(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int code = prune_layer_size(layer, "groups", &node->groups);
    if (code) return code;
    layer->outputs = (int64_t)node->inputs;
    if (node->inputs % (size_t)node->groups)
        return FAIL(layer, PRUNE_ERR_SHAPE, "groups", "groups=%d must divide the %zu inputs", node->groups, node->inputs);
    return PRUNE_OK;
}

static int cost(struct prune_layer *layer)
{
    layer->outputs = (int64_t)layer->node->inputs;
    return prune_layer_one_of(layer, "type", "sse masked smooth L1 seg wgan");
}

static int crop(struct prune_layer *layer)
{
    int w, h, code;
    if ((code = prune_layer_size(layer, "crop_width", &w))) return code;
    if ((code = prune_layer_size(layer, "crop_height", &h))) return code;
    if ((code = prune_layer_needs_image(layer))) return code;
    if (w > layer->node->w || h > layer->node->h)
        return FAIL(layer, PRUNE_ERR_SHAPE, NULL, "cannot crop %dx%d out of %dx%d", w, h, layer->node->w, layer->node->h);
    layer->out_w = w;
    layer->out_h = h;
    layer->out_c = layer->node->c;
    return PRUNE_OK;
}

/* A negative stride makes smaller. */
static int upsample(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int code;
    if ((code = prune_layer_whole(layer, "stride", 2, -INT_MAX, INT_MAX, &node->stride))) return code;
    if ((code = prune_layer_needs_image(layer))) return code;
    if (!node->stride) return FAIL(layer, PRUNE_ERR_RANGE, "stride", "stride=0: must be a factor, or negative for its inverse");
    layer->out_c = node->c;
    if (node->stride > 0) {
        layer->out_w = times(node->w, node->stride);
        layer->out_h = times(node->h, node->stride);
        return PRUNE_OK;
    }
    int by = -node->stride;
    if (node->w % by || node->h % by)
        return FAIL(layer, PRUNE_ERR_SHAPE, "stride", "stride=%d: %d must divide the input's %dx%d", node->stride, by, node->w, node->h);
    node->stride = by;
    node->reverse = 1;
    layer->out_w = node->w / by;
    layer->out_h = node->h / by;
    return PRUNE_OK;
}

/* Trades width and height for channels, or with `reverse` the other way. The channels must be in whole blocks in both cases, but for AlexeyAB's reorg3d,
 * which needs that only in reverse. flatten= and extra= are not known to AlexeyAB's. */
static int reorg(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int extra = 0, code;
    if ((code = prune_layer_size(layer, "stride", &node->stride))) return code;
    if ((code = prune_cfg_int(layer->cfg, layer->section, "reverse", 0, &node->reverse))) return code;
    node->reverse = node->reverse != 0;
    if (node->kind == PRUNE_REORG && layer->graph->dialect != PRUNE_ALEXEYAB && (code = prune_layer_whole(layer, "extra", 0, 0, INT_MAX, &extra))) return code;
    if ((code = prune_layer_needs_image(layer))) return code;
    if (extra) {                                /* no reordering at all: room for more numbers behind each image */
        layer->outputs = (int64_t)node->inputs + extra;
        return PRUNE_OK;
    }
    int64_t block = times(node->stride, node->stride);
    if (node->c % block && (node->reverse || node->kind == PRUNE_REORG))
        return FAIL(layer, PRUNE_ERR_SHAPE, "stride", "stride=%d: the input's %d channels must be a multiple of %lld", node->stride, node->c, (long long)block);
    if (node->reverse) {
        layer->out_w = times(node->w, node->stride);
        layer->out_h = times(node->h, node->stride);
        layer->out_c = node->c / block;
        return PRUNE_OK;
    }
    if (node->w % node->stride || node->h % node->stride)
        return FAIL(layer, PRUNE_ERR_SHAPE, "stride", "stride=%d must divide the input's %dx%d", node->stride, node->w, node->h);
    layer->out_w = node->w / node->stride;
    layer->out_h = node->h / node->stride;
    layer->out_c = times(node->c, block);
    return PRUNE_OK;
}

/* Numbers of its own, whatever is before it (AlexeyAB). */
static int implicit(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int atoms, code;
    if ((code = prune_layer_whole(layer, "filters", 128, 1, INT_MAX, &node->filters))) return code;
    if ((code = prune_layer_size(layer, "atoms", &atoms))) return code;
    node->inputs = 0;
    layer->out_w = 1;
    layer->out_h = atoms;
    layer->out_c = node->filters;
    layer->n_weights = times(node->filters, atoms);
    return PRUNE_OK;
}

static int unknown(struct prune_layer *layer)
{
    (void)layer;
    return PRUNE_OK;
}

static int activation_layer(struct prune_layer *layer)
{
    prune_layer_same_shape(layer);
    return prune_layer_activation(layer, PRUNE_LINEAR_ACTIVATION);
}

static int logistic(struct prune_layer *layer)
{
    prune_layer_same_shape(layer);
    layer->node->activation = PRUNE_LOGISTIC_ACTIVATION;
    return PRUNE_OK;
}

static int l2norm(struct prune_layer *layer)
{
    prune_layer_same_shape(layer);
    return prune_layer_needs_image(layer);                  /* flat, it would do nothing and say nothing */
}

static int normalization(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int code = prune_layer_whole(layer, "size", 5, 1, INT_MAX, &node->size);
    if (code) return code;
    prune_layer_same_shape(layer);
    if ((code = prune_layer_needs_image(layer))) return code;
    if (node->size / 2 > node->c)
        return FAIL(layer, PRUNE_ERR_SHAPE, "size", "size=%d reaches beyond the input's %d channels", node->size, node->c);
    return PRUNE_OK;
}

static int (*const shapes[])(struct prune_layer *) = {
    [PRUNE_UNKNOWN] = unknown, [PRUNE_CONVOLUTIONAL] = convolutional, [PRUNE_DECONVOLUTIONAL] = deconvolutional, [PRUNE_CONNECTED] = connected,
    [PRUNE_LOCAL] = local, [PRUNE_BATCHNORM] = batchnorm, [PRUNE_MAXPOOL] = pool, [PRUNE_AVGPOOL] = avgpool, [PRUNE_DROPOUT] = alias,
    [PRUNE_SOFTMAX] = softmax, [PRUNE_COST] = cost, [PRUNE_CROP] = crop, [PRUNE_ROUTE] = prune_layer_route, [PRUNE_SHORTCUT] = prune_layer_shortcut,
    [PRUNE_UPSAMPLE] = upsample, [PRUNE_REORG] = reorg, [PRUNE_ACTIVATION] = activation_layer, [PRUNE_LOGISTIC] = logistic, [PRUNE_L2NORM] = l2norm,
    [PRUNE_NORMALIZATION] = normalization, [PRUNE_DETECTION] = prune_layer_detection, [PRUNE_REGION] = prune_layer_region,
    [PRUNE_YOLO] = prune_layer_yolo, [PRUNE_ISEG] = prune_layer_iseg, [PRUNE_RNN] = prune_layer_rnn, [PRUNE_GRU] = prune_layer_gru,
    [PRUNE_LSTM] = prune_layer_lstm, [PRUNE_CRNN] = prune_layer_crnn, [PRUNE_REORG3D] = reorg, [PRUNE_SCALE_CHANNELS] = prune_layer_scale_channels,
    [PRUNE_SAM] = prune_layer_sam, [PRUNE_LOCAL_AVGPOOL] = pool, [PRUNE_IMPLICIT] = implicit, [PRUNE_GAUSSIAN_YOLO] = prune_layer_yolo,
    [PRUNE_CONTRASTIVE] = prune_layer_contrastive, [PRUNE_CONV_LSTM] = prune_layer_conv_lstm, [PRUNE_HISTORY] = prune_layer_history, [PRUNE_EMPTY] = alias,
};

int prune_layer_shape(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    node->groups = node->dilation = 1;
    node->share = -1;
    int code = shapes[node->kind](layer);
    if (!node->stride_x) node->stride_x = node->stride_y = node->stride;
    return code;
}
