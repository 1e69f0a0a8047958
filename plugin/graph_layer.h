/* graph_layer.h - between graph.c, which walks the layers, and graph_shapes.c, which knows what each kind of layer makes of its input */
#ifndef PRUNE_GRAPH_LAYER_H
#define PRUNE_GRAPH_LAYER_H

#include "prune.h"

/* A layer on its way to a struct prune_node. Sizes are 64 bits wide and products of them end at INT64_MAX instead of
 * overflowing, so that graph.c can look once, at the end, for what Darknet's 32-bit arithmetic would not hold. */
struct prune_layer {
    const struct prune_cfg *cfg;
    const struct prune_section *section;
    const struct prune_graph *graph;    /* its nodes up to `index` are complete */
    struct prune_node *node;            /* kind, section, w, h, c and inputs are set on entry */
    int index;
    int64_t out_w, out_h, out_c;        /* all 0 when the output is flat */
    int64_t outputs;                    /* only read when the output is flat */
    int64_t n_weights, n_biases;
    int64_t uses;                       /* multiply-accumulates per weight and image */
};

/* Fills everything of the layer from its keys and its input. */
int prune_layer_shape(struct prune_layer *layer);

#endif
