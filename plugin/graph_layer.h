/* graph_layer.h - between graph.c, which walks the layers, and the files that know what each kind of layer makes of its input */
#ifndef PRUNE_GRAPH_LAYER_H
#define PRUNE_GRAPH_LAYER_H

#include "prune.h"

/* A layer on its way to a struct prune_node. Sizes are 64 bits wide and products of them end at INT64_MAX instead of
 * overflowing, so that graph.c can look once, at the end, for what Darknet's 32-bit arithmetic would not hold. */
struct prune_layer {
    const struct prune_cfg *cfg;
    const struct prune_section *section;
    struct prune_graph *graph;          /* its nodes up to `index` are complete */
    struct prune_node *node;            /* kind, section, w, h, c and inputs are set on entry */
    int index;
    int64_t out_w, out_h, out_c;        /* all 0 when the output is flat */
    int64_t outputs;                    /* only read when the output is flat */
    int64_t n_weights, n_biases;
    int64_t uses;                       /* multiply-accumulates per weight and image */
};

#define FAIL(layer, code, name, ...) prune_cfg_fail(code, (layer)->cfg, (layer)->section, name, __VA_ARGS__)

/* What only another fork understands: a fault in this Darknet, else the graph remembers the first section that has such a thing. */
int prune_graph_is_foreign(struct prune_graph *graph, const struct prune_section *section);
#define FOREIGN(layer, code, name, ...) \
    (prune_graph_is_foreign((layer)->graph, (layer)->section) ? PRUNE_OK : FAIL(layer, code, name, __VA_ARGS__))

/* Products and sums of sizes that are not negative; too large is INT64_MAX. */
static inline int64_t times(int64_t a, int64_t b)
{
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

static inline int64_t times3(int64_t a, int64_t b, int64_t c)
{
    return times(times(a, b), c);
}

static inline int64_t plus(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* Fills everything of the layer from its keys and its input. */
int prune_layer_shape(struct prune_layer *layer);

/* One function per kind (the rest are in graph_shapes.c). graph_heads.c: what stands at the end of a network and fixes what it reads. */
int prune_layer_detection(struct prune_layer *layer);
int prune_layer_region(struct prune_layer *layer);
int prune_layer_yolo(struct prune_layer *layer);
int prune_layer_iseg(struct prune_layer *layer);
int prune_layer_contrastive(struct prune_layer *layer);

/* graph_recurrent.c: layers with a memory. */
int prune_layer_rnn(struct prune_layer *layer);
int prune_layer_gru(struct prune_layer *layer);
int prune_layer_lstm(struct prune_layer *layer);
int prune_layer_crnn(struct prune_layer *layer);
int prune_layer_conv_lstm(struct prune_layer *layer);
int prune_layer_history(struct prune_layer *layer);

/* graph_links.c: layers that read others than the one before. */
int prune_layer_route(struct prune_layer *layer);
int prune_layer_shortcut(struct prune_layer *layer);
int prune_layer_scale_channels(struct prune_layer *layer);
int prune_layer_sam(struct prune_layer *layer);

/* graph_keys.c: reading of keys, with the limits that many kinds share. */

/* A whole number that must lie in low..high. */
int prune_layer_whole(struct prune_layer *layer, const char *name, int fallback, int low, int high, int *value);

/* A size: at least 1, 1 when the key is absent. */
int prune_layer_size(struct prune_layer *layer, const char *name, int *value);

int prune_layer_needs_image(struct prune_layer *layer);

/* The value of `name` must be one of the words; Darknet would go on with another one. */
int prune_layer_one_of(struct prune_layer *layer, const char *name, const char *words);

int prune_layer_activation(struct prune_layer *layer, enum prune_activation fallback);
int prune_layer_batch_normalize(struct prune_layer *layer);

/* Biases of n channels; with batch-norm also their scales, means and variances. */
int64_t prune_layer_biases(const struct prune_layer *layer, int64_t n);

/* The output is like the input. */
void prune_layer_same_shape(struct prune_layer *layer);

/* A layer index as cfgs write it, counted from the first layer, or back from this one; must be an earlier layer. */
int prune_layer_earlier(struct prune_layer *layer, const char *name, int64_t written, int *at);

/* filters= and size of a window: pad=1 is a switch for size/2, padding= the pixels, which dilation= spreads like the window (AlexeyAB). */
int prune_layer_padding(struct prune_layer *layer);

/* The places that a window of size, stride_x, stride_y, pad and dilation (as in the node) has: out_w and out_h. */
int prune_layer_places(struct prune_layer *layer);

/* groups= must divide the channels read and the filters. */
int prune_layer_groups(struct prune_layer *layer);

/* activation.c: its number by its name; 0 if there is none of that name. */
int prune_activation_find(const char *name, enum prune_activation *activation);

#endif
