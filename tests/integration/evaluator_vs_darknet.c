/* evaluator_vs_darknet.c - does the tests' own forward pass compute what Darknet computes?
 *
 *   evaluator_vs_darknet <cfg> <scratch folder>
 *
 * Random weights and a random image; every layer's output in both, to 1e-4 of the layer's largest. Heads are left out: the evaluator hands on what they read. Weights go
 * through a file that prune_weights_write makes, but for networks with a [deconvolutional], which Debian's Darknet cannot load (it divides by its groups, 0): theirs are copied
 * into its arrays. Prints the first differences and exits 1, or what was compared and exits 0. Links with the unpatched libdarknet.a.
 */
#include "darknet.h"
#include "prune.h"
#include "trial.h"

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 65536);
    if (!file || !text) return NULL;
    fread(text, 1, 65535, file);
    fclose(file);
    return text;
}

static void copy_floats(float *to, const float *from, size_t n)
{
    if (to && from) memcpy(to, from, n * sizeof *to);
}

/* By hand what load_weights does. */
static void copy_weights(network *net, const struct prune_test_trial *trial)
{
    for (int i = 0; i < net->n; i++) {
        const struct prune_node *node = &trial->graph.nodes[i];
        const struct prune_params *params = &trial->params[i];
        layer *l = &net->layers[i];
        size_t norm = node->kind == PRUNE_BATCHNORM ? (size_t)node->c : node->n_biases / 4;
        copy_floats(l->weights, params->weights, node->n_weights);
        copy_floats(l->biases, params->biases, node->batch_normalize ? norm : node->n_biases);
        copy_floats(l->scales, params->scales, norm);
        copy_floats(l->rolling_mean, params->means, norm);
        copy_floats(l->rolling_variance, params->variances, norm);
    }
}

/* What Darknet forgets: room for the copy that a [batchnorm] makes of its input, and a workspace in floats, not bytes, for a [local]. */
static void make_room(network *net)
{
    net->workspace = calloc(1 << 20, sizeof *net->workspace);
    for (int i = 0; i < net->n; i++)
        if (net->layers[i].type == BATCHNORM && !net->layers[i].x) net->layers[i].x = calloc((size_t)(net->layers[i].outputs * net->layers[i].batch), sizeof(float));
}

/* A cost layer's output is a loss; dropout's is that of the layer before. */
static int hands_on(enum prune_kind kind)
{
    return kind == PRUNE_YOLO || kind == PRUNE_REGION || kind == PRUNE_DETECTION || kind == PRUNE_COST;
}

static int compare(const network *net, const struct prune_test_trial *trial)
{
    int differences = 0, compared = 0;
    for (int i = 0; i < trial->graph.n_nodes; i++) {
        const struct prune_node *node = &trial->graph.nodes[i];
        double largest = 0;
        if (hands_on(node->kind)) continue;
        for (size_t k = 0; k < node->outputs; k++) largest = fmax(largest, fabs(trial->outputs[i][k]));
        if (!(largest > 1e-3)) {
            printf("# layer %d [%s]: all but zero, which says nothing\n", i, prune_kind_name(node->kind));
            differences++;
        }
        for (size_t k = 0; k < node->outputs; k++) {
            double ours = trial->outputs[i][k], theirs = (double)net->layers[i].output[k];
            if (fabs(ours - theirs) <= 1e-4 * largest) continue;
            if (differences++ < 10) printf("# layer %d [%s] output %zu: %.9g, Darknet has %.9g\n", i, prune_kind_name(node->kind), k, ours, theirs);
        }
        compared++;
    }
    printf("# %d of %d layers compared\n", compared, trial->graph.n_nodes);
    return differences || !compared ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct prune_test_trial trial = { .damage = PRUNE_TEST_NO_DAMAGE };
    char path[200];
    if (argc != 3) return 2;
    char *text = read_text(argv[1]);
    snprintf(trial.folder, sizeof trial.folder, "%s", argv[2]);
    if (!text || prune_test_trial_open(&trial, text, PRUNE_THIS_DARKNET, 5) || !trial.outputs) {
        printf("# %s\n", trial.fault);
        return 1;
    }
    snprintf(path, sizeof path, "%s/net.weights", argv[2]);
    if (prune_weights_write(&trial.graph, &trial.weights, path, 0)) return 1;

    gpu_index = -1;
    network *net = parse_network_cfg(argv[1]);
    int by_hand = 0;
    for (int i = 0; i < net->n; i++) by_hand |= net->layers[i].type == DECONVOLUTIONAL;
    make_room(net);
    if (by_hand) copy_weights(net, &trial);
    else load_weights(net, path);
    set_batch_network(net, 1);
    float *input = calloc((size_t)net->inputs, sizeof *input);
    for (int i = 0; input && i < net->inputs; i++) input[i] = (float)trial.input[i];
    if (!input) return 1;
    network_predict(net, input);
    int code = compare(net, &trial);
    unlink(path);
    free(input);
    free(text);
    prune_test_trial_close(&trial);
    return code;
}
