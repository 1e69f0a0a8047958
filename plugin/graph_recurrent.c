/* graph_recurrent.c - the layers with a memory: rnn, gru, lstm, crnn, and AlexeyAB's conv_lstm and history
 *
 * In: the keys of one section and the shape before it. Out: struct prune_layer. After the parse_* and make_* functions of Darknet's src (pjreddie
 * 61c9d02e, AlexeyAB 59596d7). Where the forks read other keys for the same kind, the keys that are there tell whose it is.
 */
#include "graph_layer.h"

#include <limits.h>

/* A flat row, or AlexeyAB's rnn and lstm a 1x1 image, which is taken for one in all cfgs that are not to be run here: it is as many numbers. */
static void row_of(struct prune_layer *layer, int output)
{
    layer->outputs = output;
    layer->uses = 1;
    if (layer->node->kind == PRUNE_GRU || layer->graph->dialect == PRUNE_THIS_DARKNET) return;
    layer->out_w = layer->out_h = 1;
    layer->out_c = output;
}

/* gru and lstm: so many matrices (outputs, inputs) and so many (outputs, outputs), a bias vector each. */
static int gated(struct prune_layer *layer, int gates)
{
    int output, code;
    if ((code = prune_layer_size(layer, "output", &output))) return code;
    if ((code = prune_layer_batch_normalize(layer))) return code;
    row_of(layer, output);
    layer->n_weights = times3(gates, output, plus((int64_t)layer->node->inputs, output));
    layer->n_biases = times(2 * gates, prune_layer_biases(layer, output));
    return PRUNE_OK;
}

int prune_layer_gru(struct prune_layer *layer) { return gated(layer, 3); }
int prune_layer_lstm(struct prune_layer *layer) { return gated(layer, 4); }

/* Input to hidden, hidden to hidden, hidden to output. Only AlexeyAB's has a hidden= of its own. */
int prune_layer_rnn(struct prune_layer *layer)
{
    int output, hidden, code;
    if ((code = prune_layer_size(layer, "output", &output))) return code;
    if ((code = prune_layer_whole(layer, "hidden", layer->graph->dialect == PRUNE_ALEXEYAB ? 1 : output, 1, INT_MAX, &hidden))) return code;
    if (hidden != output &&
        (code = FOREIGN(layer, PRUNE_ERR_UNSUPPORTED, "hidden", "hidden=%d is not known to this Darknet, which would take output=%d for it", hidden, output)))
        return code;
    if ((code = prune_layer_batch_normalize(layer))) return code;
    if ((code = prune_layer_activation(layer, PRUNE_LOGISTIC_ACTIVATION))) return code;
    row_of(layer, output);
    layer->n_weights = times(hidden, plus((int64_t)layer->node->inputs, plus(hidden, output)));
    layer->n_biases = prune_layer_biases(layer, 2 * (int64_t)hidden + output);
    return PRUNE_OK;
}

/* size, stride, dilation and padding of the convolutions inside of AlexeyAB's crnn and conv_lstm; what they make of the state must be as large as it. */
static int inner_windows(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int code;
    if ((code = prune_layer_whole(layer, "size", 3, 1, INT_MAX, &node->size))) return code;
    if ((code = prune_layer_size(layer, "stride", &node->stride))) return code;
    node->stride_x = node->stride_y = node->stride;
    if ((code = prune_layer_padding(layer))) return code;
    if ((code = prune_layer_needs_image(layer))) return code;
    if ((code = prune_layer_groups(layer))) return code;
    if ((code = prune_layer_places(layer))) return code;
    if (layer->out_w == node->w && layer->out_h == node->h) return PRUNE_OK;
    return FAIL(layer, PRUNE_ERR_SHAPE, NULL, "its state of %dx%d would become %lldx%lld; size, stride and pad must keep it", node->w, node->h,
                (long long)layer->out_w, (long long)layer->out_h);
}

/* Three convolutions: input to hidden, hidden to hidden, hidden to output. */
int prune_layer_crnn(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int forks = prune_cfg_find(layer->section, "hidden") || prune_cfg_find(layer->section, "output");   /* a fault before, in this Darknet */
    int hidden, code;
    if ((code = prune_layer_size(layer, forks ? "hidden" : "hidden_filters", &hidden))) return code;
    if ((code = prune_layer_size(layer, forks ? "output" : "output_filters", &node->filters))) return code;
    if ((code = prune_layer_batch_normalize(layer))) return code;
    if ((code = prune_layer_activation(layer, PRUNE_LOGISTIC_ACTIVATION))) return code;
    if (forks) {
        if ((code = inner_windows(layer))) return code;
        if (hidden % node->groups)
            return FAIL(layer, PRUNE_ERR_SHAPE, "groups", "groups=%d must divide hidden=%d", node->groups, hidden);
    } else {
        if ((code = prune_layer_needs_image(layer))) return code;
        if (node->w != node->h)
            return FAIL(layer, PRUNE_ERR_UNSUPPORTED, NULL, "its input is %dx%d; it must be square, because Darknet swaps width and height here", node->w, node->h);
        node->size = 3;
        node->stride = node->pad = 1;
        layer->out_w = node->w;
        layer->out_h = node->h;
    }
    layer->out_c = node->filters;
    int64_t area = times(node->size, node->size), slice = hidden / node->groups;
    layer->n_weights = times(area, plus(times(node->c / node->groups, hidden), times(slice, plus(hidden, node->filters))));
    layer->n_biases = prune_layer_biases(layer, 2 * (int64_t)hidden + node->filters);
    layer->uses = times(node->w, node->h);
    return PRUNE_OK;
}

/* Convolutions on the input (4), on the state (4, or with bottleneck one that reads state and input) and, with peephole, on the cell (3). */
int prune_layer_conv_lstm(struct prune_layer *layer)
{
    struct prune_node *node = layer->node;
    int peephole, bottleneck, code;
    if ((code = prune_layer_size(layer, "output", &node->filters))) return code;
    if ((code = prune_layer_batch_normalize(layer))) return code;
    if ((code = prune_layer_activation(layer, PRUNE_LINEAR_ACTIVATION))) return code;
    if ((code = prune_cfg_int(layer->cfg, layer->section, "peephole", 0, &peephole))) return code;
    if ((code = prune_cfg_int(layer->cfg, layer->section, "bottleneck", 0, &bottleneck))) return code;
    if ((code = inner_windows(layer))) return code;
    if (bottleneck && node->c != node->filters)
        return FAIL(layer, PRUNE_ERR_SHAPE, "bottleneck", "bottleneck=1 puts %d channels of state and %d of input together; must be as many", node->filters,
                    node->c);
    layer->out_c = node->filters;
    int64_t area = times(node->size, node->size), slice = node->filters / node->groups;
    int on_state = bottleneck ? 1 : 4, on_cell = peephole ? 3 : 0;
    int64_t read = plus(times(4, node->c / node->groups), times((bottleneck ? 2 : 4) + on_cell, slice));
    layer->n_weights = times3(area, node->filters, read);
    layer->n_biases = times(4 + on_state + on_cell, prune_layer_biases(layer, node->filters));
    layer->uses = times(node->w, node->h);
    return PRUNE_OK;
}

/* The inputs of the last time steps behind each other. */
int prune_layer_history(struct prune_layer *layer)
{
    int steps, code = prune_layer_whole(layer, "history_size", 4, 1, INT_MAX, &steps);
    if (code) return code;
    prune_layer_same_shape(layer);
    layer->out_c = times(layer->node->c, steps);
    return prune_layer_needs_image(layer);
}
