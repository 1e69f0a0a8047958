/* graph_vs_darknet.c - does the graph that the plugin works out from the text equal the network that Darknet builds from it?
 *
 *   graph_vs_darknet <cfg> <scratch>
 *
 * Compares every layer's outputs and shape, has Darknet save its (random) weights to <scratch>, and compares the file's length
 * and every layer's weights with Darknet's arrays. Prints the first differences and exits 1, or nothing and exits 0.
 * Links with the unpatched libdarknet.a; the only test program here that sees darknet.h.
 */
#include "darknet.h"
#include "prune.h"

static int differences;

static void compare(int layer, const char *kind, const char *what, long long ours, long long theirs)
{
    if (ours == theirs) return;
    if (differences++ < 10) printf("# layer %d [%s]: %s %lld, Darknet has %lld\n", layer, kind, what, ours, theirs);
}

/* Over the layers inside of a recurrent one: connected ones, in a crnn convolutions. */
static long long count_nonzero(layer *parts[], int n)
{
    long long nonzero = 0;
    for (int p = 0; p < n; p++) {
        int weights = parts[p]->type == CONNECTED ? parts[p]->inputs * parts[p]->outputs : parts[p]->nweights;
        for (int i = 0; i < weights; i++) nonzero += parts[p]->weights[i] != 0;
    }
    return nonzero;
}

static void compare_weights(const struct prune_graph *graph, const struct prune_weights *weights, network *net)
{
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct prune_node *node = &graph->nodes[i];
        layer l = net->layers[i];
        const char *kind = prune_kind_name(node->kind);
        if (!node->n_floats || !node->n_weights) continue;
        if (weights->weights[i]) compare(i, kind, "weights differ from", memcmp(weights->weights[i], l.weights, node->n_weights * sizeof(float)) != 0, 0);
        layer *rnn[] = { l.input_layer, l.self_layer, l.output_layer };
        layer *lstm[] = { l.wi, l.wf, l.wo, l.wg, l.ui, l.uf, l.uo, l.ug };
        layer *gru[] = { l.wz, l.wr, l.wh, l.uz, l.ur, l.uh };
        long long nonzero = (long long)prune_weights_nonzero(weights, graph, i);
        if (l.type == RNN || l.type == CRNN) compare(i, kind, "non-zero", nonzero, count_nonzero(rnn, 3));
        if (l.type == LSTM) compare(i, kind, "non-zero", nonzero, count_nonzero(lstm, 8));
        if (l.type == GRU) compare(i, kind, "non-zero", nonzero, count_nonzero(gru, 6));
    }
}

int main(int argc, char **argv)
{
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights;
    if (argc != 3) return 2;
    if (prune_cfg_read(&cfg, argv[1]) || prune_graph_build(&graph, &cfg, PRUNE_THIS_DARKNET)) return 1;

    gpu_index = -1;
    network *net = parse_network_cfg(argv[1]);
    compare(-1, "net", "layers", graph.n_nodes, net->n);
    compare(-1, "net", "inputs", (long long)graph.inputs, net->inputs);
    compare(-1, "net", "max_batches", graph.max_batches, net->max_batches);
    size_t floats = 0;
    for (int i = 0; i < graph.n_nodes && i < net->n; i++) {
        const struct prune_node *node = &graph.nodes[i];
        layer l = net->layers[i];
        const char *kind = prune_kind_name(node->kind);
        compare(i, kind, "out_w", node->out_w, l.out_w);
        compare(i, kind, "out_h", node->out_h, l.out_h);
        compare(i, kind, "out_c", node->out_c, l.out_c);
        compare(i, kind, "outputs", (long long)node->outputs, l.outputs);
        if (l.type != SHORTCUT && l.type != AVGPOOL) compare(i, kind, "inputs", (long long)node->inputs, l.inputs);
        if (l.type == CONVOLUTIONAL || l.type == DECONVOLUTIONAL) compare(i, kind, "weights", (long long)node->n_weights, l.nweights);
        if (l.type == CONVOLUTIONAL || l.type == MAXPOOL) compare(i, kind, "pad", node->pad, l.pad);
        floats += node->n_floats;
    }

    save_weights(net, argv[2]);
    FILE *file = fopen(argv[2], "rb");
    if (!file) return 1;
    fseek(file, 0, SEEK_END);
    compare(-1, "net", "bytes", (long long)(20 + 4 * floats), ftell(file));
    fclose(file);
    if (prune_weights_check(&graph, argv[2], 0)) differences++;
    if (prune_weights_read(&weights, &graph, argv[2])) return 1;
    compare_weights(&graph, &weights, net);
    prune_weights_free(&weights);
    prune_graph_free(&graph);
    prune_cfg_free(&cfg);
    return differences ? 1 : 0;
}
