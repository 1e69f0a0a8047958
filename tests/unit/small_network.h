/* small_network.h - a network made by hand for a test, with its weights in memory and its cfg in a scratch file */
#ifndef SMALL_NETWORK_H
#define SMALL_NETWORK_H

#include "reading.h"

struct network {
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_channels channels;
    struct prune_weights weights;
    struct prune_params *params;
    uint8_t *removed;
    struct prune_folding folding;
};

/* Weights and scales 1, variances 4, biases and means 0. */
static inline void network_make(struct network *net, const char *text, enum prune_dialect dialect)
{
    char path[256];
    memset(net, 0, sizeof *net);
    write_scratch(path, text, strlen(text));
    listen_stderr();
    int code = prune_cfg_read(&net->cfg, path);
    if (!code) code = prune_graph_build(&net->graph, &net->cfg, dialect);
    if (!code) code = prune_channels_build(&net->channels, &net->graph);
    heard_stderr();
    if (code) fail_msg("refused: %s", said);
    size_t layers = (size_t)net->graph.n_nodes;
    net->weights = (struct prune_weights){ .minor = 2, .header_bytes = 20 };
    for (size_t i = 0; i < layers; i++) net->weights.n_floats += net->graph.nodes[i].n_floats;
    net->weights.floats = calloc(net->weights.n_floats + 1, sizeof(float));
    net->params = calloc(layers + 1, sizeof *net->params);
    net->removed = calloc((size_t)net->channels.n_groups + 1, 1);
    net->folding.inexact_in = calloc(layers + 1, 1);
    assert_true(net->weights.floats && net->params && net->removed && net->folding.inexact_in);
    prune_weights_params(&net->weights, &net->graph, net->params);
    for (size_t i = 0; i < layers; i++) {
        for (size_t k = 0; net->params[i].weights && k < net->graph.nodes[i].n_weights; k++) net->params[i].weights[k] = 1;
        for (int k = 0; net->params[i].scales && k < net->channels.n_channels[i]; k++) net->params[i].scales[k] = 1;
        for (int k = 0; net->params[i].variances && k < net->channels.n_channels[i]; k++) net->params[i].variances[k] = 4;
    }
}

static inline void network_free(struct network *net)
{
    if (net->cfg.path) unlink(net->cfg.path);
    free(net->folding.inexact_in);
    free(net->removed);
    free(net->params);
    prune_weights_free(&net->weights);
    prune_channels_free(&net->channels);
    free_both(&net->cfg, &net->graph);
}

/* The group of an output channel. */
static inline int group_of(const struct network *net, int layer, int channel)
{
    return net->channels.group[layer][channel];
}

static inline void remove_channel(struct network *net, int layer, int channel)
{
    net->removed[group_of(net, layer, channel)] = 1;
}

/* "1010": which channels of the layer are removed. */
static inline void assert_removed(const struct network *net, int layer, const char *expected)
{
    char found[100] = "";
    for (int i = 0; i < net->channels.n_channels[layer]; i++) found[i] = net->removed[group_of(net, layer, i)] ? '1' : '0';
    assert_string_equal(found, expected);
}

static inline void assert_folding(const struct network *net, int constants, int folded, int inexact, int dropped)
{
    const struct prune_folding *f = &net->folding;
    if (f->constants == constants && f->folded == folded && f->inexact == inexact && f->dropped == dropped) return;
    fail_msg("%d constants, %d folded, %d inexact, %d dropped; expected %d %d %d %d", f->constants, f->folded, f->inexact, f->dropped, constants, folded, inexact, dropped);
}

static inline void assert_near(double found, double expected)
{
    double error = found - expected;
    if (error > 1e-6 || error < -1e-6) fail_msg("%.9g, expected %.9g", found, expected);
}

/* The (row, column) block of a convolution without groups, or of a connected layer: `n` weights become `value`. */
static inline void set_weights(struct network *net, int layer, int row, int column, float value)
{
    const struct prune_node *node = &net->graph.nodes[layer];
    int n_in;
    prune_channels_in(&net->channels, layer, &n_in);
    size_t n = node->n_weights / (size_t)net->channels.n_channels[layer] / (size_t)(n_in / node->groups);
    for (size_t k = 0; k < n; k++) net->params[layer].weights[((size_t)row * (size_t)(n_in / node->groups) + (size_t)column) * n + k] = value;
}

static inline void set_row(struct network *net, int layer, int row, float value)
{
    int n_in;
    prune_channels_in(&net->channels, layer, &n_in);
    for (int column = 0; column < n_in / net->graph.nodes[layer].groups; column++) set_weights(net, layer, row, column, value);
}

static inline void set_column(struct network *net, int layer, int column, float value)
{
    for (int row = 0; row < net->channels.n_channels[layer]; row++) set_weights(net, layer, row, column, value);
}

#define CONV(n, more) "[conv]\nfilters=" #n "\nsize=1\nactivation=linear\n" more

#endif
