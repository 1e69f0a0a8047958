/* graph_shapes.c - what each kind of layer makes of its input: output, weights, biases
 *
 * In: the keys of one section and the shape before it. Out: struct prune_layer. One function per kind, after the parse_*
 * and make_* functions of Darknet's src (pjreddie 61c9d02e), whose asserts, divisions and unchecked indices are the
 * faults here. Keys that do not change a shape are only looked at by graph.c.
 */
#include "graph_layer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FAIL(layer, code, name, ...) prune_cfg_fail(code, (layer)->cfg, (layer)->section, name, __VA_ARGS__)

/* Products and sums of sizes that are not negative; too large is INT64_MAX. */
static int64_t times(int64_t a, int64_t b)
{
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

static int64_t times3(int64_t a, int64_t b, int64_t c)
{
    return times(times(a, b), c);
}

static int64_t plus(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* A whole number that must lie in low..high. */
static int whole(struct prune_layer *layer, const char *name, int fallback, int low, int high, int *value)
{
    int code = prune_cfg_int(layer->cfg, layer->section, name, fallback, value);
    if (code) return code;
    if (*value < low) return FAIL(layer, PRUNE_ERR_RANGE, name, "%s=%d: must be at least %d", name, *value, low);
    if (*value > high) return FAIL(layer, PRUNE_ERR_RANGE, name, "%s=%d: must be at most %d", name, *value, high);
    return PRUNE_OK;
}

/* A size: at least 1, 1 when the key is absent. */
static int at_least_1(struct prune_layer *layer, const char *name, int *value)
{
    return whole(layer, name, 1, 1, INT_MAX, value);
}

static int needs_image(struct prune_layer *layer)
{
    const struct prune_node *node = layer->node;
    if (node->w > 0 && node->h > 0 && node->c > 0) return PRUNE_OK;
    return FAIL(layer, PRUNE_ERR_SHAPE, NULL, "needs an image (width, height, channels) before it, and gets a flat %zu", node->inputs);
}

/* The value of `name` must be one of the words; Darknet would go on with another one. */
static int one_of(struct prune_layer *layer, const char *name, const char *words)
{
    const char *value = prune_cfg_find(layer->section, name);
    if (!value) return PRUNE_OK;
    size_t length = strlen(value);
    for (const char *word = words; *word; word += strspn(word, " ")) {
        size_t n = strcspn(word, " ");
        if (n == length && !memcmp(word, value, n)) return PRUNE_OK;
        word += n;
    }
    return FAIL(layer, PRUNE_ERR_RANGE, name, "%s=%.40s: must be one of %s", name, value, words);
}

static int activation(struct prune_layer *layer)
{
    return one_of(layer, "activation", "linear leaky relu logistic tanh elu selu ramp relie loggy plse stair hardtan lhtan");
}

static void same_shape(struct prune_layer *layer)
{
    layer->out_w = layer->node->w;
    layer->out_h = layer->node->h;
    layer->out_c = layer->node->c;
    layer->outputs = (int64_t)layer->node->inputs;
}

static int batch_normalize(struct prune_layer *layer)
{
    int value, code = prune_cfg_int(layer->cfg, layer->section, "batch_normalize", 0, &value);
    layer->node->batch_normalize = value != 0;
    return code;
}

/* Biases of n channels; with batch-norm also their scales, means and variances. */
static int64_t biases(const struct prune_layer *layer, int64_t n)
{
    return layer->node->batch_normalize ? times(4, n) : n;
}

/* filters, size, stride, pad and activation of a convolution or deconvolution. `pad` is a switch for size/2, `padding` the pixels. */
static int filter_keys(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int code, pad;
    if ((code = at_least_1(layer, "filters", &node->filters))) return code;
    if ((code = at_least_1(layer, "size", &node->size))) return code;
    if ((code = at_least_1(layer, "stride", &node->stride))) return code;
    if ((code = whole(layer, "padding", 0, 0, INT_MAX, &node->pad))) return code;
    if ((code = prune_cfg_int(layer->cfg, layer->section, "pad", 0, &pad))) return code;
    if (pad) node->pad = node->size / 2;
    if ((code = batch_normalize(layer))) return code;
    if ((code = activation(layer))) return code;
    return needs_image(layer);
}

static int window_too_large(struct prune_layer *layer, int64_t w, int64_t h)
{
    return FAIL(layer, PRUNE_ERR_SHAPE, "size", "size=%d is larger than its input, which is %lldx%lld with padding", layer->node->size,
                (long long)w, (long long)h);
}

static int convolutional(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int code = filter_keys(layer);
    if (code) return code;
    if ((code = at_least_1(layer, "groups", &node->groups))) return code;
    if (node->c % node->groups)
        return FAIL(layer, PRUNE_ERR_SHAPE, "groups", "groups=%d must divide the input's %d channels", node->groups, node->c);
    if (node->filters % node->groups)
        return FAIL(layer, PRUNE_ERR_SHAPE, "groups", "groups=%d must divide filters=%d", node->groups, node->filters);
    int flipped;
    if ((code = prune_cfg_int(layer->cfg, layer->section, "flipped", 0, &flipped))) return code;
    if (flipped && node->groups > 1)
        return FAIL(layer, PRUNE_ERR_UNSUPPORTED, "flipped", "flipped=1 with groups=%d: Darknet would read past the weights", node->groups);

    int64_t w = (int64_t)node->w + 2 * (int64_t)node->pad, h = (int64_t)node->h + 2 * (int64_t)node->pad;
    if (w < node->size || h < node->size) return window_too_large(layer, w, h);
    layer->out_w = (w - node->size) / node->stride + 1;
    layer->out_h = (h - node->size) / node->stride + 1;
    layer->out_c = node->filters;
    layer->n_weights = times(times3(node->filters, node->c / node->groups, node->size), node->size);
    layer->n_biases = biases(layer, node->filters);
    layer->uses = times(layer->out_w, layer->out_h);
    return PRUNE_OK;
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
    layer->n_biases = biases(layer, node->filters);
    layer->uses = times(node->w, node->h);
    return PRUNE_OK;
}

/* A convolution with filters of its own at every place. `pad` is here a number of pixels to im2col, and a switch for "one output per
 * stride" to the layer; they only agree when im2col makes as many places as the layer has. */
static int local(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int code;
    if ((code = at_least_1(layer, "filters", &node->filters))) return code;
    if ((code = at_least_1(layer, "size", &node->size))) return code;
    if ((code = at_least_1(layer, "stride", &node->stride))) return code;
    if ((code = whole(layer, "pad", 0, 0, INT_MAX, &node->pad))) return code;
    if ((code = activation(layer))) return code;
    if ((code = needs_image(layer))) return code;
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
    if ((code = at_least_1(layer, "output", &output))) return code;
    if ((code = batch_normalize(layer))) return code;
    if ((code = activation(layer))) return code;
    layer->out_w = layer->out_h = 1;
    layer->out_c = output;
    layer->n_weights = times((int64_t)layer->node->inputs, output);
    layer->n_biases = biases(layer, output);
    layer->uses = 1;
    return PRUNE_OK;
}

/* rnn, gru and lstm: so many matrices (outputs, inputs) and so many (outputs, outputs), a bias vector each. */
static int recurrent(struct prune_layer *layer, int from_input, int from_state)
{
    int output, code;
    if ((code = at_least_1(layer, "output", &output))) return code;
    if ((code = batch_normalize(layer))) return code;
    if (layer->node->kind == PRUNE_RNN && (code = activation(layer))) return code;
    layer->outputs = output;
    layer->n_weights = plus(times3(from_input, (int64_t)layer->node->inputs, output), times3(from_state, output, output));
    layer->n_biases = times(from_input + from_state, biases(layer, output));
    layer->uses = 1;
    return PRUNE_OK;
}

static int rnn(struct prune_layer *layer) { return recurrent(layer, 1, 2); }
static int gru(struct prune_layer *layer) { return recurrent(layer, 3, 3); }
static int lstm(struct prune_layer *layer) { return recurrent(layer, 4, 4); }

/* Three 3x3 convolutions: input to hidden, hidden to hidden, hidden to output. */
static int crnn(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int hidden, code;
    if ((code = at_least_1(layer, "hidden_filters", &hidden))) return code;
    if ((code = at_least_1(layer, "output_filters", &node->filters))) return code;
    if ((code = batch_normalize(layer))) return code;
    if ((code = activation(layer))) return code;
    if ((code = needs_image(layer))) return code;
    if (node->w != node->h)
        return FAIL(layer, PRUNE_ERR_UNSUPPORTED, NULL, "its input is %dx%d; it must be square, because Darknet swaps width and height here", node->w, node->h);
    node->size = 3;
    node->stride = node->pad = 1;
    layer->out_w = node->w;
    layer->out_h = node->h;
    layer->out_c = node->filters;
    layer->n_weights = times(9, plus(times(node->c, hidden), plus(times(hidden, hidden), times(hidden, node->filters))));
    layer->n_biases = biases(layer, 2 * (int64_t)hidden + node->filters);
    layer->uses = times(node->w, node->h);
    return PRUNE_OK;
}

/* A layer of its own: scales, means and variances are saved, its biases are not. */
static int batchnorm(struct prune_layer *layer)
{
    same_shape(layer);
    layer->n_biases = times(3, layer->node->c);
    return needs_image(layer);
}

static int maxpool(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int code;
    if ((code = at_least_1(layer, "stride", &node->stride))) return code;
    if ((code = whole(layer, "size", node->stride, 1, INT_MAX, &node->size))) return code;
    if ((code = whole(layer, "padding", node->size - 1, 0, INT_MAX, &node->pad))) return code;
    if ((code = needs_image(layer))) return code;
    int64_t w = (int64_t)node->w + node->pad, h = (int64_t)node->h + node->pad; /* padding counts both sides together */
    if (w < node->size || h < node->size) return window_too_large(layer, w, h);
    layer->out_w = (w - node->size) / node->stride + 1;
    layer->out_h = (h - node->size) / node->stride + 1;
    layer->out_c = node->c;
    int64_t before = node->pad / 2;
    int64_t last_w = (layer->out_w - 1) * node->stride - before, last_h = (layer->out_h - 1) * node->stride - before;
    if (before >= node->size || last_w >= node->w || last_h >= node->h)
        return FAIL(layer, PRUNE_ERR_SHAPE, "padding", "padding=%d with size=%d: a window would lie in the padding alone, and its maximum nowhere", node->pad, node->size);
    return PRUNE_OK;
}

static int avgpool(struct prune_layer *layer)
{
    layer->out_w = layer->out_h = 1;
    layer->out_c = layer->node->c;
    return needs_image(layer);
}

/* Shares its arrays with the layer before it. */
static int dropout(struct prune_layer *layer)
{
    same_shape(layer);
    if (!layer->index) return FAIL(layer, PRUNE_ERR_SHAPE, NULL, "needs a layer before it");
    return PRUNE_OK;
}

static int softmax(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int code = at_least_1(layer, "groups", &node->groups);
    if (code) return code;
    layer->outputs = (int64_t)node->inputs;
    if (node->inputs % (size_t)node->groups)
        return FAIL(layer, PRUNE_ERR_SHAPE, "groups", "groups=%d must divide the %zu inputs", node->groups, node->inputs);
    return PRUNE_OK;
}

static int cost(struct prune_layer *layer)
{
    layer->outputs = (int64_t)layer->node->inputs;
    return one_of(layer, "type", "sse masked smooth L1 seg wgan");
}

static int crop(struct prune_layer *layer)
{
    int w, h, code;
    if ((code = at_least_1(layer, "crop_width", &w))) return code;
    if ((code = at_least_1(layer, "crop_height", &h))) return code;
    if ((code = needs_image(layer))) return code;
    if (w > layer->node->w || h > layer->node->h)
        return FAIL(layer, PRUNE_ERR_SHAPE, NULL, "cannot crop %dx%d out of %dx%d", w, h, layer->node->w, layer->node->h);
    layer->out_w = w;
    layer->out_h = h;
    layer->out_c = layer->node->c;
    return PRUNE_OK;
}

/* A layer index as cfgs write it: counted from the first layer, or back from this one. */
static int earlier_layer(struct prune_layer *layer, const char *name, int64_t written, int *from)
{
    int64_t at = written < 0 ? written + layer->index : written;
    if (at < 0 || at >= layer->index) {
        if (!layer->index) return FAIL(layer, PRUNE_ERR_RANGE, name, "%s=%lld: there is no layer before it", name, (long long)written);
        return FAIL(layer, PRUNE_ERR_RANGE, name, "%s=%lld is layer %lld; must be an earlier one, 0 to %d (or -%d to -1)", name, (long long)written,
                    (long long)at, layer->index - 1, layer->index);
    }
    *from = (int)at;
    return PRUNE_OK;
}

/* Several layers behind each other; channels when they have one width and height, else a flat row of numbers. */
static int route(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    double *list;
    int n, code = prune_cfg_list(layer->cfg, layer->section, "layers", 1, &list, &n);
    if (code) return code;
    if (!list) return FAIL(layer, PRUNE_ERR_FORMAT, NULL, "layers= is missing: the layers to route from");
    node->from = calloc((size_t)n, sizeof *node->from);
    if (!node->from) {
        code = FAIL(layer, PRUNE_ERR_NOMEM, NULL, "out of memory");
        goto done;
    }
    node->n_from = n;
    int flat = 0;
    for (int i = 0; i < n; i++) {
        if ((code = earlier_layer(layer, "layers", (int64_t)list[i], &node->from[i]))) goto done;
        const struct prune_node *first = &layer->graph->nodes[node->from[0]], *next = &layer->graph->nodes[node->from[i]];
        flat |= next->out_w < 1 || next->out_w != first->out_w || next->out_h != first->out_h;
        layer->out_c = plus(layer->out_c, next->out_c);
        layer->outputs = plus(layer->outputs, (int64_t)next->outputs);
        layer->out_w = next->out_w;
        layer->out_h = next->out_h;
    }
    if (flat) layer->out_w = layer->out_h = layer->out_c = 0;

done:
    free(list);
    return code;
}

/* Adds an earlier layer to the one before. They may differ in channels, and in size by a whole factor, the same in both directions. */
static int shortcut(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int written, code;
    if (!prune_cfg_find(layer->section, "from")) return FAIL(layer, PRUNE_ERR_FORMAT, NULL, "from= is missing: the layer to add");
    if ((code = prune_cfg_int(layer->cfg, layer->section, "from", 0, &written))) return code;
    node->from = calloc(1, sizeof *node->from);
    if (!node->from) return FAIL(layer, PRUNE_ERR_NOMEM, NULL, "out of memory");
    node->n_from = 1;
    if ((code = earlier_layer(layer, "from", written, node->from))) return code;
    if ((code = activation(layer))) return code;
    if ((code = needs_image(layer))) return code;
    same_shape(layer);
    const struct prune_node *from = &layer->graph->nodes[*node->from];
    if (from->out_w < 1 || from->out_h < 1 || from->out_c < 1)
        return FAIL(layer, PRUNE_ERR_SHAPE, "from", "layer %d gives a flat %zu; only an image can be added", *node->from, from->outputs);
    if (from->out_w / node->w != from->out_h / node->h || node->w / from->out_w != node->h / from->out_h)
        return FAIL(layer, PRUNE_ERR_SHAPE, "from", "layer %d is %dx%d and cannot be laid over %dx%d", *node->from, from->out_w, from->out_h, node->w, node->h);
    return PRUNE_OK;
}

/* A negative stride makes smaller. */
static int upsample(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int code;
    if ((code = whole(layer, "stride", 2, -INT_MAX, INT_MAX, &node->stride))) return code;
    if ((code = needs_image(layer))) return code;
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
    layer->out_w = node->w / by;
    layer->out_h = node->h / by;
    return PRUNE_OK;
}

/* Trades width and height for channels, or with `reverse` the other way. The channels must be in whole blocks in both cases. */
static int reorg(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int reverse, extra, code;
    if ((code = at_least_1(layer, "stride", &node->stride))) return code;
    if ((code = prune_cfg_int(layer->cfg, layer->section, "reverse", 0, &reverse))) return code;
    if ((code = whole(layer, "extra", 0, 0, INT_MAX, &extra))) return code;
    if ((code = needs_image(layer))) return code;
    if (extra) {                                /* no reordering at all: room for more numbers behind each image */
        layer->outputs = (int64_t)node->inputs + extra;
        return PRUNE_OK;
    }
    int64_t block = times(node->stride, node->stride);
    if (node->c % block)
        return FAIL(layer, PRUNE_ERR_SHAPE, "stride", "stride=%d: the input's %d channels must be a multiple of %lld", node->stride, node->c, (long long)block);
    if (reverse) {
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

static int activation_layer(struct prune_layer *layer)
{
    same_shape(layer);
    return activation(layer);
}

static int logistic(struct prune_layer *layer)
{
    same_shape(layer);
    return PRUNE_OK;
}

static int l2norm(struct prune_layer *layer)
{
    same_shape(layer);
    return needs_image(layer);                  /* flat, it would do nothing and say nothing */
}

static int normalization(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int code = whole(layer, "size", 5, 1, INT_MAX, &node->size);
    if (code) return code;
    same_shape(layer);
    if ((code = needs_image(layer))) return code;
    if (node->size / 2 > node->c)
        return FAIL(layer, PRUNE_ERR_SHAPE, "size", "size=%d reaches beyond the input's %d channels", node->size, node->c);
    return PRUNE_OK;
}

/* The last convolution of a detector must have exactly the filters that its head reads. */
static int head_fits(struct prune_layer *layer, int64_t needed, const char *formula)
{
    int code = needs_image(layer);
    same_shape(layer);
    if (code || needed == layer->node->c) return code;
    return FAIL(layer, PRUNE_ERR_SHAPE, NULL, "needs %lld channels (%s) and gets %d", (long long)needed, formula, layer->node->c);
}

/* anchors=, when given, must be pairs for all of num: fewer leaves boxes of half a pixel behind, more writes past Darknet's array. */
static int anchors_fit(struct prune_layer *layer, int num)
{
    double *anchors;
    int n, code = prune_cfg_list(layer->cfg, layer->section, "anchors", 0, &anchors, &n);
    int given = anchors != NULL;
    free(anchors);
    if (code || !given || (int64_t)n == 2 * (int64_t)num) return code;
    return FAIL(layer, PRUNE_ERR_SHAPE, "anchors", "anchors= has %d numbers; num=%d needs %lld", n, num, 2LL * num);
}

static int yolo(struct prune_layer *layer)
{
    int classes, num, max, n, code;
    double *mask;
    if ((code = whole(layer, "classes", 20, 1, INT_MAX, &classes))) return code;
    if ((code = at_least_1(layer, "num", &num))) return code;
    if ((code = whole(layer, "max", 90, 1, 90, &max))) return code; /* Darknet has room for 90 boxes, whatever max says */
    if ((code = prune_cfg_list(layer->cfg, layer->section, "mask", 1, &mask, &n))) return code;
    for (int i = 0; i < n && !code; i++)
        if (mask[i] < 0 || mask[i] >= num)
            code = FAIL(layer, PRUNE_ERR_RANGE, "mask", "mask= has %.0f; must be an anchor, 0 to %d (num=%d)", mask[i], num - 1, num);
    int used = mask ? n : num;
    free(mask);
    if (code) return code;
    if ((code = anchors_fit(layer, num))) return code;
    return head_fits(layer, times(used, (int64_t)classes + 5), "anchors in mask * (classes + 5)");
}

static int region(struct prune_layer *layer)
{
    int classes, num, coords, max, code;
    if ((code = whole(layer, "classes", 20, 1, INT_MAX, &classes))) return code;
    if ((code = whole(layer, "coords", 4, 1, INT_MAX, &coords))) return code;
    if ((code = at_least_1(layer, "num", &num))) return code;
    if ((code = whole(layer, "max", 30, 1, 30, &max))) return code;
    if ((code = anchors_fit(layer, num))) return code;
    return head_fits(layer, times(num, (int64_t)classes + coords + 1), "num * (classes + coords + 1)");
}

static int iseg(struct prune_layer *layer)
{
    int classes, ids, code;
    if ((code = whole(layer, "classes", 20, 1, INT_MAX, &classes))) return code;
    if ((code = whole(layer, "ids", 32, 0, INT_MAX, &ids))) return code;
    return head_fits(layer, (int64_t)classes + ids, "classes + ids");
}

static int detection(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int classes, coords, num, side, code;
    if ((code = at_least_1(layer, "classes", &classes))) return code;
    if ((code = at_least_1(layer, "coords", &coords))) return code;
    if ((code = at_least_1(layer, "num", &num))) return code;
    if ((code = whole(layer, "side", 7, 1, INT_MAX, &side))) return code;
    layer->outputs = (int64_t)node->inputs;
    int64_t needed = times3(side, side, plus(times((int64_t)coords + 1, num), classes));
    if (needed == layer->outputs) return PRUNE_OK;
    return FAIL(layer, PRUNE_ERR_SHAPE, NULL, "needs %lld inputs (side * side * (num * (coords + 1) + classes)) and gets %zu", (long long)needed, node->inputs);
}

static int (*const shapes[])(struct prune_layer *) = {
    [PRUNE_CONVOLUTIONAL] = convolutional, [PRUNE_DECONVOLUTIONAL] = deconvolutional, [PRUNE_CONNECTED] = connected, [PRUNE_LOCAL] = local,
    [PRUNE_BATCHNORM] = batchnorm, [PRUNE_MAXPOOL] = maxpool, [PRUNE_AVGPOOL] = avgpool, [PRUNE_DROPOUT] = dropout, [PRUNE_SOFTMAX] = softmax,
    [PRUNE_COST] = cost, [PRUNE_CROP] = crop, [PRUNE_ROUTE] = route, [PRUNE_SHORTCUT] = shortcut, [PRUNE_UPSAMPLE] = upsample,
    [PRUNE_REORG] = reorg, [PRUNE_ACTIVATION] = activation_layer, [PRUNE_LOGISTIC] = logistic, [PRUNE_L2NORM] = l2norm,
    [PRUNE_NORMALIZATION] = normalization, [PRUNE_DETECTION] = detection, [PRUNE_REGION] = region, [PRUNE_YOLO] = yolo, [PRUNE_ISEG] = iseg,
    [PRUNE_RNN] = rnn, [PRUNE_GRU] = gru, [PRUNE_LSTM] = lstm, [PRUNE_CRNN] = crnn,
};

int prune_layer_shape(struct prune_layer *layer)
{
    layer->node->groups = 1;
    return shapes[layer->node->kind](layer);
}
