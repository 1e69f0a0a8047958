/* graphs.c - random networks as cfg text, and the smallest one that still fails
 *
 * In: a seed. Out: struct prune_test_net, sections with their keys, which are easier to take apart than text; its text.
 *
 * The generator follows the shapes as it goes, so that every net it draws is one that the graph accepts. The shrinker knows nothing of shapes: it tries, and
 * what is no network does not count as a failure.
 */
#include "graphs.h"

#include <stdlib.h>
#include <string.h>

struct drawing {
    struct prune_test_net *net;
    uint64_t state;
    int w, h, c;                /* output of the last layer */
    int fork;                   /* kinds of other forks too */
};

static uint64_t bits(struct drawing *drawing)  /* splitmix64 */
{
    uint64_t z = drawing->state += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static int below(struct drawing *drawing, int n)
{
    return (int)(bits(drawing) % (uint64_t)n);
}

static int one_in(struct drawing *drawing, int n)
{
    return below(drawing, n) == 0;
}

/* ---------------------------------------------------------------------------------------------------------- pieces -- */

static struct prune_test_layer *add(struct drawing *drawing, const char *kind)
{
    struct prune_test_layer *layer = &drawing->net->layers[drawing->net->n_layers++];
    *layer = (struct prune_test_layer){ .kind = kind };
    return layer;
}

static void number(struct prune_test_layer *layer, const char *name, int value)
{
    layer->keys[layer->n_keys++] = (struct prune_test_key){ name, NULL, value };
}

static void word(struct prune_test_layer *layer, const char *name, const char *text)
{
    layer->keys[layer->n_keys++] = (struct prune_test_key){ name, text, 0 };
}

static void shape(struct drawing *drawing, struct prune_test_layer *layer, int w, int h, int c)
{
    layer->w = drawing->w = w;
    layer->h = drawing->h = h;
    layer->c = drawing->c = c;
}

static int room(const struct drawing *drawing)
{
    return PRUNE_TEST_LAYERS - drawing->net->n_layers;
}

static const char *any_activation(struct drawing *drawing)
{
    static const char *const usual[] = { "leaky", "relu", "linear", "logistic" };
    static const char *const names[] = { "elu", "selu", "relie", "ramp", "tanh", "loggy", "plse", "stair", "hardtan", "lhtan",
                                         "swish", "mish", "hard_mish", "gelu", "relu6" };   /* the last five: other forks' */
    if (!one_in(drawing, 3)) return usual[one_in(drawing, 4) ? 3 : below(drawing, 3)];
    return names[below(drawing, drawing->fork ? 15 : 10)];
}

/* Divisors of both numbers, at least 2; 1 if there are none. */
static int common_divisor(struct drawing *drawing, int a, int b)
{
    int found[64], n = 0;
    for (int d = 2; d <= a && d <= b && n < 64; d++)
        if (a % d == 0 && b % d == 0) found[n++] = d;
    return n ? found[below(drawing, n)] : 1;
}

/* ---------------------------------------------------------------------------------------------------------- layers -- */

static struct prune_test_layer *plain_conv(struct drawing *drawing, int filters, int size, const char *activation)
{
    struct prune_test_layer *layer = add(drawing, "convolutional");
    number(layer, "filters", filters);
    number(layer, "size", size);
    number(layer, "pad", 1);
    word(layer, "activation", activation);
    shape(drawing, layer, drawing->w, drawing->h, filters);
    return layer;
}

static int earlier_conv(struct drawing *drawing)
{
    int found[PRUNE_TEST_LAYERS], n = 0;
    for (int i = 0; i < drawing->net->n_layers - 1; i++) {
        const struct prune_test_layer *layer = &drawing->net->layers[i];
        int c = i ? layer[-1].c : drawing->net->c;
        if (layer->n_keys == 4 && !strcmp(layer->kind, "convolutional") && layer->keys[3].word && c == drawing->c) found[n++] = i;
    }
    return n ? found[below(drawing, n)] : -1;
}

/* The weights of a plain convolution again, which has the keys filters, size, pad and activation. */
static int shared_conv(struct drawing *drawing)
{
    int owner = earlier_conv(drawing);
    if (owner < 0) return 0;
    struct prune_test_layer of = drawing->net->layers[owner];
    struct prune_test_layer *layer = plain_conv(drawing, of.keys[0].value, of.keys[1].value, of.keys[3].word);
    number(layer, "share_index", owner);
    return 1;
}

static int conv(struct drawing *drawing)
{
    int w = drawing->w, h = drawing->h, c = drawing->c;
    if (drawing->fork && one_in(drawing, 8) && shared_conv(drawing)) return 1;
    int filters = one_in(drawing, 3) ? 4 * (1 + below(drawing, 4)) : 1 + below(drawing, one_in(drawing, 4) ? 24 : 12), size = 1, stride = 1, groups = 1, dilation = 1;
    int side = w < h ? w : h, pad = !one_in(drawing, 4);
    if (!one_in(drawing, 3)) size = side >= 5 && one_in(drawing, 8) ? 5 : side >= 3 ? 3 : 1;
    if (size > 1 && side >= 4 && one_in(drawing, 5)) stride = 2;
    if (side < 6 && !one_in(drawing, 4)) pad = 1;
    if (c > 1 && one_in(drawing, 5)) {
        groups = c;
        filters = c * (c <= 12 && one_in(drawing, 3) ? 2 : 1);
    } else if (one_in(drawing, 5)) {
        groups = common_divisor(drawing, c, filters);
    }
    if (w * h * c / groups * filters * size * size > 60000) return 0;
    struct prune_test_layer *layer = add(drawing, "convolutional");
    number(layer, "filters", filters);
    number(layer, "size", size);
    if (pad) number(layer, "pad", 1);
    word(layer, "activation", any_activation(drawing));
    if (one_in(drawing, 2)) number(layer, "batch_normalize", 1);
    if (groups > 1) number(layer, "groups", groups);
    int stride_x = stride, stride_y = stride, antialiasing = 0;
    if (drawing->fork && stride > 1 && one_in(drawing, 3)) {
        stride_x = 1;
        number(layer, "stride_x", 1);
        number(layer, "stride_y", stride);
    } else if (stride > 1) {
        number(layer, "stride", stride);
    }
    if (drawing->fork && size == 3 && pad && stride == 1 && side >= 5 && one_in(drawing, 6)) number(layer, "dilation", dilation = 2);
    if (drawing->fork && dilation == 1 && side >= 5 && size < 5 && one_in(drawing, 10)) number(layer, "antialiasing", antialiasing = 1 + below(drawing, 2));
    int edge = pad ? size / 2 : 0;
    w += 2 * edge - size;                       /* with dilation the padding grows as the kernel does */
    h += 2 * edge - size;
    if (antialiasing == 1) w = (w + 1 + 2 - 3) / stride_x + 1, h = (h + 1 + 2 - 3) / stride_y + 1;
    else if (antialiasing) w = (w + 1 - 2) / stride_x + 1, h = (h + 1 - 2) / stride_y + 1;
    else w = w / stride_x + 1, h = h / stride_y + 1;
    shape(drawing, layer, w, h, filters);
    /* no other layer may read it: Darknet takes its size from before the blur */
    if (antialiasing == 2 || (antialiasing && (stride_x > 1 || stride_y > 1))) layer->w = 0;
    return 1;
}

static int local(struct drawing *drawing)
{
    int side = drawing->w < drawing->h ? drawing->w : drawing->h, filters = 1 + below(drawing, 6);
    if (side < 3 || drawing->w * drawing->h * drawing->c * filters > 2000) return 0;
    struct prune_test_layer *layer = add(drawing, "local");
    int pad = below(drawing, 2), less = pad ? 0 : 2;
    number(layer, "filters", filters);
    number(layer, "size", 3);
    number(layer, "pad", pad);
    word(layer, "activation", any_activation(drawing));
    shape(drawing, layer, drawing->w - less, drawing->h - less, filters);
    return 1;
}

static int deconv(struct drawing *drawing)
{
    int filters = 1 + below(drawing, 8), size = 2 + below(drawing, 2);
    if (drawing->w > 8 || drawing->h > 8 || drawing->c > 16) return 0;
    struct prune_test_layer *layer = add(drawing, "deconvolutional");
    number(layer, "filters", filters);
    number(layer, "size", size);
    number(layer, "stride", 2);
    word(layer, "activation", any_activation(drawing));
    if (one_in(drawing, 2)) number(layer, "batch_normalize", 1);
    shape(drawing, layer, (drawing->w - 1) * 2 + size, (drawing->h - 1) * 2 + size, filters);
    return 1;
}

static int maxpool(struct drawing *drawing)
{
    int w = drawing->w, h = drawing->h, c = drawing->c;
    if (w < 2 || h < 2) return 0;
    struct prune_test_layer *layer = add(drawing, "maxpool");
    if (drawing->fork && c > 2 && one_in(drawing, 10)) {
        int few = 1 + below(drawing, c - 1);
        number(layer, "maxpool_depth", 1);
        number(layer, "out_channels", few);
        shape(drawing, layer, w, h, few);
        return 1;
    }
    if (drawing->fork && one_in(drawing, 6)) {
        number(layer, "size", 2);
        number(layer, "stride_x", 2);
        number(layer, "stride_y", 1);
        shape(drawing, layer, (w - 1) / 2 + 1, h, c);
        return 1;
    }
    int stride = 1 + below(drawing, 2), size = stride == 2 ? 2 : one_in(drawing, 4) && w >= 5 && h >= 5 ? 5 : w >= 3 && h >= 3 ? 3 : 2;
    number(layer, "size", size);
    number(layer, "stride", stride);
    shape(drawing, layer, (w - 1) / stride + 1, (h - 1) / stride + 1, c);
    return 1;
}

static int local_avgpool(struct drawing *drawing)
{
    if (drawing->w < 3 || drawing->h < 3) return 0;
    struct prune_test_layer *layer = add(drawing, "local_avgpool");
    int stride = 1 + below(drawing, 2);
    number(layer, "size", 1 + stride);
    number(layer, "stride", stride);
    shape(drawing, layer, (drawing->w - 1) / stride + 1, (drawing->h - 1) / stride + 1, drawing->c);
    return 1;
}

static int upsample(struct drawing *drawing)
{
    int w = drawing->w, h = drawing->h, down = w % 2 == 0 && h % 2 == 0 && one_in(drawing, 4);
    if (!down && (w > 8 || h > 8 || w * h * drawing->c > 600)) return 0;
    struct prune_test_layer *layer = add(drawing, "upsample");
    number(layer, "stride", down ? -2 : 2);
    if (one_in(drawing, 4)) word(layer, "scale", "0.5");
    shape(drawing, layer, down ? w / 2 : 2 * w, down ? h / 2 : 2 * h, drawing->c);
    return 1;
}

/* reorg in three forms out of four, in both directions; reorg3d. A reorg needs whole blocks of four channels, so a convolution makes them. */
static int reorg(struct drawing *drawing)
{
    int w = drawing->w, h = drawing->h;
    int reverse = one_in(drawing, 3), plain = !drawing->fork || one_in(drawing, 2);
    if (reverse ? w > 8 || h > 8 : w % 2 || h % 2 || w < 2 || h < 2) return 0;
    int least = !plain && reverse ? 16 : 4;
    if (drawing->c % 4 || drawing->c > 16 || drawing->c < least) plain_conv(drawing, least == 16 ? 16 : 4 * (1 + below(drawing, 3)), 1, "leaky");
    struct prune_test_layer *layer = add(drawing, plain ? "reorg" : "reorg3d");
    number(layer, "stride", 2);
    if (reverse) number(layer, "reverse", 1);
    shape(drawing, layer, reverse ? 2 * w : w / 2, reverse ? 2 * h : h / 2, reverse ? drawing->c / 4 : drawing->c * 4);
    return 1;
}

/* Any earlier layer of the same width and height, or -1; with `scaled` also one that is larger or smaller by a whole factor. */
static int earlier(struct drawing *drawing, int w, int h, int scaled)
{
    int found[PRUNE_TEST_LAYERS], n = 0;
    for (int i = 0; i < drawing->net->n_layers; i++) {
        const struct prune_test_layer *layer = &drawing->net->layers[i];
        if (layer->w < 1) continue;
        int same = layer->w == w && layer->h == h;
        int larger = layer->w % w == 0 && layer->h % h == 0 && layer->w / w == layer->h / h;
        int smaller = w % layer->w == 0 && h % layer->h == 0 && w / layer->w == h / layer->h;
        if (same || (scaled && (larger || smaller))) found[n++] = i;
    }
    return n ? found[below(drawing, n)] : -1;
}

static int shortcut(struct drawing *drawing)
{
    int n = drawing->fork && one_in(drawing, 3) ? 2 + below(drawing, 2) : 1, from[PRUNE_TEST_FROM];
    for (int i = 0; i < n; i++)
        if ((from[i] = earlier(drawing, drawing->w, drawing->h, !drawing->fork)) < 0) return 0;
    struct prune_test_layer *layer = add(drawing, "shortcut");
    memcpy(layer->from, from, sizeof from);
    layer->n_from = n;
    word(layer, "activation", one_in(drawing, 3) ? any_activation(drawing) : "linear");
    if (drawing->fork && one_in(drawing, 3)) {
        static const char *const types[] = { "per_feature", "per_channel" }, *const norms[] = { "relu", "softmax" };
        word(layer, "weights_type", types[below(drawing, 2)]);
        word(layer, "weights_normalization", norms[below(drawing, 2)]);
    } else if (!drawing->fork && one_in(drawing, 3)) {
        word(layer, "alpha", "0.5");
        word(layer, "beta", "0.75");
    }
    shape(drawing, layer, drawing->w, drawing->h, drawing->c);
    return 1;
}

static int route(struct drawing *drawing)
{
    int n = one_in(drawing, 3) ? 1 : 2 + below(drawing, 4), from[PRUNE_TEST_FROM], groups = 1, all = 0, w = drawing->w, h = drawing->h;
    from[0] = drawing->net->n_layers - 1;
    if (one_in(drawing, 3)) {                   /* back to somewhere else */
        from[0] = below(drawing, drawing->net->n_layers);
        w = drawing->net->layers[from[0]].w;
        h = drawing->net->layers[from[0]].h;
    }
    if (w < 1 || drawing->net->layers[from[0]].w < 1) return 0;
    if (drawing->fork && one_in(drawing, 2)) groups = one_in(drawing, 4) ? 4 : 2;
    for (int i = 0; i < n; i++) {
        if (i) from[i] = earlier(drawing, w, h, 0);
        int c = drawing->net->layers[from[i]].c;
        if (c % groups) {
            if (i == 0) return 0;
            n = i;
            break;
        }
        all += c / groups;
    }
    if (all > 48 || w * h * all > 4000) return 0;
    struct prune_test_layer *layer = add(drawing, "route");
    memcpy(layer->from, from, sizeof from);
    layer->n_from = n;
    if (groups > 1) {
        number(layer, "groups", groups);
        number(layer, "group_id", below(drawing, groups));
    }
    shape(drawing, layer, w, h, all);
    return 1;
}

static int pass(struct drawing *drawing)
{
    static const char *const kinds[] = { "dropout", "batchnorm", "activation", "logistic", "normalization", "l2norm", "crop", "empty" };
    int kind = below(drawing, 14), w = drawing->w, h = drawing->h;
    if (kind > 7) kind = kind < 10 ? 1 : kind < 12 ? 2 : 0;
    if (kind == 7 && !drawing->fork) kind = 0;
    if (kind == 5 && drawing->fork) kind = 1;
    if (kind == 3 && drawing->fork) kind = 2;
    if (kind == 4 && drawing->c < 3) kind = 1;
    if (kind == 6 && (w < 4 || h < 4)) kind = 2;
    struct prune_test_layer *layer = add(drawing, kinds[kind]);
    if (kind == 2) word(layer, "activation", any_activation(drawing));
    if (kind == 4) word(layer, "alpha", "0.1");
    if (kind == 6) {
        number(layer, "crop_width", w -= 1);
        number(layer, "crop_height", h -= 2);
        if (one_in(drawing, 2)) number(layer, "noadjust", 1);
    }
    shape(drawing, layer, w, h, drawing->c);
    return 1;
}

/* Squeeze and excite: a gate per channel out of the channels' averages. */
static int excite(struct drawing *drawing)
{
    int of = drawing->net->n_layers - 1, w = drawing->w, h = drawing->h, c = drawing->c;
    if (drawing->net->layers[of].w < 1 || room(drawing) < 8) return 0;
    struct prune_test_layer *layer = add(drawing, "avgpool");
    shape(drawing, layer, 1, 1, c);
    plain_conv(drawing, 1 + c / 2, 1, one_in(drawing, 2) ? "relu" : "swish");
    plain_conv(drawing, c, 1, "logistic");
    layer = add(drawing, "scale_channels");
    layer->from[layer->n_from++] = of;
    shape(drawing, layer, w, h, c);
    return 1;
}

static int spatial(struct drawing *drawing)
{
    int of = drawing->net->n_layers - 1;
    if (drawing->net->layers[of].w < 1 || room(drawing) < 8 || drawing->w * drawing->h * drawing->c * drawing->c > 20000) return 0;
    int scale = one_in(drawing, 4), c = drawing->c;
    plain_conv(drawing, scale ? 1 : c, 1, "logistic");
    struct prune_test_layer *layer = add(drawing, scale ? "scale_channels" : "sam");
    layer->from[layer->n_from++] = of;
    if (scale) number(layer, "scale_wh", 1);
    shape(drawing, layer, drawing->w, drawing->h, c);
    return 1;
}

/* A head, and back to where the rest goes on. */
static int head(struct drawing *drawing)
{
    int of = drawing->net->n_layers - 1, w = drawing->w, h = drawing->h, c = drawing->c;
    if (drawing->net->layers[of].w < 1 || room(drawing) < 8) return 0;
    plain_conv(drawing, 6, 1, one_in(drawing, 2) ? "linear" : "leaky");
    struct prune_test_layer *layer = add(drawing, "yolo");
    number(layer, "classes", 1);
    shape(drawing, layer, w, h, 6);
    layer = add(drawing, "route");
    layer->from[layer->n_from++] = of;
    shape(drawing, layer, w, h, c);
    return 1;
}

/* Connected layers to the end. */
static void tail(struct drawing *drawing)
{
    struct prune_test_layer *layer;
    if (drawing->w * drawing->h * drawing->c > 300 || one_in(drawing, 2)) {
        layer = add(drawing, "avgpool");
        shape(drawing, layer, 1, 1, drawing->c);
    }
    int n = 1 + below(drawing, 3);
    for (int i = 0; i < n; i++) {
        int output = 2 + below(drawing, 10);
        layer = add(drawing, "connected");
        number(layer, "output", output);
        word(layer, "activation", any_activation(drawing));
        if (one_in(drawing, 3)) number(layer, "batch_normalize", 1);
        shape(drawing, layer, 1, 1, output);
        if (one_in(drawing, 4)) shape(drawing, add(drawing, "dropout"), 1, 1, output);
    }
    if (one_in(drawing, 2)) shape(drawing, add(drawing, "softmax"), 0, 0, drawing->c);
}

void prune_test_net_draw(struct prune_test_net *net, enum prune_dialect dialect, uint64_t seed)
{
    static int (*const blocks[])(struct drawing *) = { maxpool, upsample, reorg, shortcut, shortcut, route, route, pass, local, head, deconv,
                                                       excite, spatial, local_avgpool };
    struct drawing drawing = { .net = net, .state = seed * 0x9E3779B97F4A7C15U + 1, .fork = dialect != PRUNE_THIS_DARKNET };
    *net = (struct prune_test_net){ .dialect = dialect };
    net->w = drawing.w = 4 + below(&drawing, one_in(&drawing, 4) ? 13 : 5);
    net->h = drawing.h = one_in(&drawing, 2) ? net->w : 4 + below(&drawing, 5);
    net->c = drawing.c = 1 + below(&drawing, 4);
    int layers = 5 + below(&drawing, 21);
    plain_conv(&drawing, 2 + below(&drawing, 10), 3, any_activation(&drawing));
    while (net->n_layers < layers) {
        /* deconvolutional is pjreddie's alone, the last three are other forks' */
        int block = below(&drawing, drawing.fork ? 14 : 11);
        if (one_in(&drawing, 2) || (drawing.fork && block == 10) || !blocks[block](&drawing)) conv(&drawing);
    }
    if (one_in(&drawing, 3)) tail(&drawing);
    else if (one_in(&drawing, 2)) head(&drawing);
}

/* ------------------------------------------------------------------------------------------------------------ text -- */

char *prune_test_net_text(const struct prune_test_net *net)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (!out) return NULL;
    fprintf(out, "[net]\nwidth=%d\nheight=%d\nchannels=%d\n", net->w, net->h, net->c);
    for (int i = 0; i < net->n_layers; i++) {
        const struct prune_test_layer *layer = &net->layers[i];
        fprintf(out, "\n[%s]\n", layer->kind);
        if (layer->n_from) fprintf(out, "%s=", strcmp(layer->kind, "route") ? "from" : "layers");
        for (int f = 0; f < layer->n_from; f++) fprintf(out, f ? ",%d" : "%d", layer->from[f]);
        if (layer->n_from) fputc('\n', out);
        for (int k = 0; k < layer->n_keys; k++) {
            if (layer->keys[k].word) fprintf(out, "%s=%s\n", layer->keys[k].name, layer->keys[k].word);
            else fprintf(out, "%s=%d\n", layer->keys[k].name, layer->keys[k].value);
        }
    }
    return fclose(out) ? NULL : text;
}

/* -------------------------------------------------------------------------------------------------------- shrinking -- */

/* Without layer `at`: who read it reads the one before it. */
static int drop_layer(struct prune_test_net *net, int at)
{
    memmove(&net->layers[at], &net->layers[at + 1], (size_t)(net->n_layers - at - 1) * sizeof net->layers[0]);
    net->n_layers--;
    for (int i = at; i < net->n_layers; i++) {
        struct prune_test_layer *layer = &net->layers[i];
        for (int f = 0; f < layer->n_from; f++)
            if (layer->from[f] >= at && --layer->from[f] < 0) return 0;
        for (int k = 0; k < layer->n_keys; k++)
            if (!strcmp(layer->keys[k].name, "share_index") && layer->keys[k].value >= at && --layer->keys[k].value < 0) return 0;
    }
    return net->n_layers > 0;
}

static int drop_key(struct prune_test_layer *layer, int at)
{
    memmove(&layer->keys[at], &layer->keys[at + 1], (size_t)(layer->n_keys - at - 1) * sizeof layer->keys[0]);
    layer->n_keys--;
    return 1;
}

static int drop_from(struct prune_test_layer *layer, int at)
{
    if (layer->n_from < 2) return 0;
    memmove(&layer->from[at], &layer->from[at + 1], (size_t)(layer->n_from - at - 1) * sizeof layer->from[0]);
    layer->n_from--;
    return 1;
}

static int halve(int *value, int least)
{
    if (*value <= least) return 0;
    *value = *value / 2 > least ? *value / 2 : least;
    return 1;
}

static int decrease(int *value, int least)
{
    if (*value <= least) return 0;
    --*value;
    return 1;
}

static int make_plain(struct prune_test_key *key, int linear)
{
    if (!key->word || strcmp(key->name, "activation") || !strcmp(key->word, "linear")) return 0;
    if (!linear && !strcmp(key->word, "logistic")) return 0;
    key->word = linear ? "linear" : "logistic";
    return 1;
}

struct shrinking {
    struct prune_test_net *net;
    int (*fails)(const struct prune_test_net *net, void *context);
    void *context;
    int smaller;                /* something worked in this round */
};

/* `changed` is whether the copy is another net at all. */
static int accept(struct shrinking *shrinking, const struct prune_test_net *copy, int changed)
{
    if (!changed || !shrinking->fails(copy, shrinking->context)) return 0;
    *shrinking->net = *copy;
    shrinking->smaller = 1;
    return 1;
}

static void shrink_keys(struct shrinking *shrinking, int layer)
{
    struct prune_test_net *net = shrinking->net, copy;
    for (int f = net->layers[layer].n_from - 1; f >= 0; f--) {
        copy = *net;
        accept(shrinking, &copy, drop_from(&copy.layers[layer], f));
    }
    for (int k = net->layers[layer].n_keys - 1; k >= 0; k--) {
        copy = *net;
        if (strcmp(copy.layers[layer].keys[k].name, "filters") && strcmp(copy.layers[layer].keys[k].name, "activation") &&
            accept(shrinking, &copy, drop_key(&copy.layers[layer], k))) continue;
        for (int linear = 1; linear >= 0; linear--) {
            copy = *net;
            accept(shrinking, &copy, make_plain(&copy.layers[layer].keys[k], linear));
        }
        if (net->layers[layer].keys[k].word) continue;
        do copy = *net;
        while (accept(shrinking, &copy, halve(&copy.layers[layer].keys[k].value, 1)));
        do copy = *net;
        while (accept(shrinking, &copy, decrease(&copy.layers[layer].keys[k].value, 1)));
    }
}

/* All numbers of one name and value at once: coupled layers' filters= can often only shrink together. */
static void shrink_together(struct shrinking *shrinking)
{
    struct prune_test_net *net = shrinking->net, copy;
    for (int value = 32; value > 1; value--) {
        int changed = 0;
        copy = *net;
        for (int i = 0; i < copy.n_layers; i++)
            for (int k = 0; k < copy.layers[i].n_keys; k++) {
                struct prune_test_key *key = &copy.layers[i].keys[k];
                if (key->word || key->value != value || (strcmp(key->name, "filters") && strcmp(key->name, "groups"))) continue;
                key->value--;
                changed = 1;
            }
        accept(shrinking, &copy, changed);
    }
}

static int *side_of(struct prune_test_net *net, int side)
{
    return side == 0 ? &net->w : side == 1 ? &net->h : &net->c;
}

void prune_test_net_shrink(struct prune_test_net *net, int (*fails)(const struct prune_test_net *net, void *context), void *context)
{
    struct shrinking shrinking = { net, fails, context, 1 };
    struct prune_test_net copy;
    while (shrinking.smaller) {
        shrinking.smaller = 0;
        for (int n = net->n_layers / 2; n > 1; n /= 2)      /* the last half, quarter, ... */
            do {
                copy = *net;
                copy.n_layers -= n;
            } while (copy.n_layers > 0 && accept(&shrinking, &copy, 1));
        for (int i = net->n_layers - 1; i >= 0; i--) {
            copy = *net;
            accept(&shrinking, &copy, drop_layer(&copy, i));
        }
        for (int i = net->n_layers - 1; i > 0; i--) {       /* pairs: a block's parts may only go together */
            copy = *net;
            if (i < net->n_layers) accept(&shrinking, &copy, drop_layer(&copy, i) && drop_layer(&copy, i - 1));
        }
        for (int i = net->n_layers - 1; i >= 0; i--) shrink_keys(&shrinking, i);
        shrink_together(&shrinking);
        for (int side = 0; side < 3; side++) {
            do copy = *net;
            while (accept(&shrinking, &copy, halve(side_of(&copy, side), 1)));
            do copy = *net;
            while (accept(&shrinking, &copy, decrease(side_of(&copy, side), 1)));
        }
    }
}
