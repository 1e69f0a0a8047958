/* host_structure.c - filters and channels pruned in Darknet's training loop: views of its layers for structure.c, and its place in the hooks */
#include "host.h"

#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------------------------------------------------------------- attach -- */

void prune_view_layer(const layer *l, struct prune_params *params, struct prune_params *updates)
{
    int convolutional = l->type == CONVOLUTIONAL || l->type == DECONVOLUTIONAL, norm = l->batch_normalize || l->type == BATCHNORM;
    if (!convolutional && l->type != CONNECTED && l->type != LOCAL && l->type != BATCHNORM) return;
    *params = (struct prune_params){ .weights = l->weights, .biases = l->biases };
    *updates = (struct prune_params){ .weights = l->weight_updates, .biases = l->bias_updates };
    if (l->type == BATCHNORM) params->weights = updates->weights = NULL;
    if (!norm) return;
    params->scales = l->scales;
    params->means = l->rolling_mean;
    params->variances = l->rolling_variance;
    updates->scales = l->scale_updates;
}

static int add_memory(struct prune *prune, int layer, const struct prune_node *node, size_t channels)
{
    const struct prune_params *memory = &prune->coupled->structure.memory[layer];
    const struct prune_array arrays[] = {
        { layer, PRUNE_SILENT_WEIGHTS, node->n_weights, memory->weights, NULL },
        { layer, PRUNE_SILENT_BIASES, node->kind == PRUNE_LOCAL ? node->n_biases : channels, memory->biases, NULL },
        { layer, PRUNE_SILENT_SCALES, channels, memory->scales, NULL },
        { layer, PRUNE_SILENT_MEANS, channels, memory->means, NULL },
        { layer, PRUNE_SILENT_VARIANCES, channels, memory->variances, NULL },
    };
    int n = 0;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        if (arrays[i].values) prune->arrays[prune->n_arrays++] = arrays[i], n++;
    return n;
}

static int open_coupled(struct prune_coupled *coupled, const network *net, const char *cfg_path)
{
    int code = prune_cfg_read(&coupled->cfg, cfg_path);
    if (!code) code = prune_graph_build(&coupled->graph, &coupled->cfg, PRUNE_THIS_DARKNET);
    if (!code && coupled->graph.n_nodes != net->n) code = prune_fail(PRUNE_ERR_SHAPE, "%s has changed while it was read", cfg_path);
    if (!code) code = prune_channels_build(&coupled->channels, &coupled->graph);
    if (!code) code = prune_structure_open(&coupled->structure, &coupled->channels);
    if (code) return code;
    for (int i = 0; i < net->n; i++) prune_view_layer(&net->layers[i], &coupled->structure.params[i], &coupled->structure.updates[i]);
    if (!coupled->structure.whole.channels)
        return prune_fail(PRUNE_ERR_UNSUPPORTED, "%s: no channel of it can be pruned; darknet prune report <cfg> -groups says why", cfg_path);
    coupled->groups = calloc(2 * (size_t)coupled->channels.n_groups + 1, sizeof *coupled->groups);
    return coupled->groups ? PRUNE_OK : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
}

/* A budget that cannot be reached is refused before the training, not in the middle of it. */
static int check_budget(const struct prune_coupled *coupled, const struct prune_settings *settings)
{
    struct prune_budget budget = prune_budget_of(settings);
    size_t groups = (size_t)coupled->channels.n_groups + 1;
    struct prune_size size;
    uint8_t *removed = calloc(groups, 1);
    double *scores = calloc(groups, sizeof *scores);
    int code = removed && scores ? prune_budget_choose(&coupled->channels, scores, &budget, NULL, removed, &size) : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    free(removed);
    free(scores);
    return code;
}

int prune_coupled_attach(struct prune *prune, const network *net, const char *cfg_path)
{
    prune->coupled = calloc(1, sizeof *prune->coupled);
    if (!prune->coupled) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    struct prune_coupled *coupled = prune->coupled;
    int code = open_coupled(coupled, net, cfg_path);
    if (!code) code = check_budget(coupled, &prune->settings);
    if (!code && prune->settings.rule != PRUNE_NONE) code = prune_structure_remember(&coupled->structure);
    if (code) return code;
    for (int i = 0; i < net->n; i++) add_memory(prune, i, &coupled->graph.nodes[i], (size_t)coupled->channels.n_channels[i]);
    prune->arrays[prune->n_arrays++] = (struct prune_array){ net->n, PRUNE_GROUPS, 2 * (size_t)coupled->channels.n_groups, coupled->groups, NULL };
    return PRUNE_OK;
}

void prune_coupled_free(struct prune *prune)
{
    if (!prune->coupled) return;
    prune_structure_free(&prune->coupled->structure);
    prune_channels_free(&prune->coupled->channels);
    prune_graph_free(&prune->coupled->graph);
    prune_cfg_free(&prune->coupled->cfg);
    free(prune->coupled->groups);
    free(prune->coupled);
    prune->coupled = NULL;
}

/* ----------------------------------------------------------------------------------------------------------- state -- */

void prune_coupled_to_state(struct prune_coupled *coupled)
{
    for (int g = 0; g < coupled->channels.n_groups; g++) {
        coupled->groups[2 * g] = coupled->structure.removed[g];
        coupled->groups[2 * g + 1] = (float)coupled->structure.scores[g];
    }
}

int prune_coupled_from_state(struct prune_coupled *coupled)
{
    for (int g = 0; g < coupled->channels.n_groups; g++) {
        coupled->structure.removed[g] = coupled->groups[2 * g] != 0 && coupled->channels.groups[g].pin == PRUNE_FREE;
        coupled->structure.scores[g] = (double)coupled->groups[2 * g + 1];
    }
    return prune_structure_agrees(&coupled->structure);
}

/* ------------------------------------------------------------------------------------------------------------ step -- */

/* Criteria that look at outputs see those of the step's own batch, so that a resumed training sees the same. */
int prune_coupled_step(struct prune *prune, network *net, int t, struct prune_step *done)
{
    struct prune_coupled *coupled = prune->coupled;
    struct prune_observed observed = { 0 };
    struct prune_evidence evidence = { .gradients = coupled->structure.updates, .observed = &observed, .seed = prune->state.seed };
    int looks = prune->settings.criterion == PRUNE_APOZ || prune->settings.criterion == PRUNE_ENTROPY, code = PRUNE_OK;
    float **outputs = calloc((size_t)net->n + 1, sizeof *outputs);
    if (!outputs) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    if (looks) prune_training_outputs(net);
    for (int i = 0; i < net->n; i++)
        outputs[i] = (size_t)net->layers[i].outputs == coupled->graph.nodes[i].outputs ? net->layers[i].output : NULL;
    for (int i = 0; looks && i < net->n; i++)   /* random=1 has resized the network: other places, and perhaps fewer than the cfg says */
        if (!outputs[i]) code = prune_fail(PRUNE_ERR_UNSUPPORTED, "criteria apoz and entropy do not go with random=1 in a training, which changes the layers' sizes");
    if (looks && !code) {
        code = prune_observed_open(&observed, &coupled->channels, (size_t)net->batch);
        if (!code) prune_observed_add(&observed, outputs, net->batch);
    }
    if (!code) code = prune_structure_step(&coupled->structure, &prune->settings, t, &evidence, done);
    if (looks) prune_observed_free(&observed);
    free(outputs);
    return code;
}

/* What trainers save at their end, name_final.weights or name.weights, and not what they save on the way; gives the folder and name in front of that. */
static char *base_of_final(const struct prune_coupled *coupled, const char *filename)
{
    const char *slash = strrchr(filename, '/'), *name = slash ? slash + 1 : filename;
    char *base = basecfg(coupled->cfg.path), *found = NULL;
    size_t length = strlen(base);
    if (!strncmp(name, base, length) && (!strcmp(name + length, "_final.weights") || !strcmp(name + length, ".weights")))
        found = strndup(filename, (size_t)(name - filename) + length);
    free(base);
    return found;
}

int prune_coupled_compact(const struct prune_coupled *coupled, const char *filename)
{
    char *base = base_of_final(coupled, filename);
    if (!base) return PRUNE_OK;
    char *cfg = prune_path_with(base, "_compact.cfg"), *weights = prune_path_with(base, "_compact.weights");
    int code = cfg && weights ? prune_compact_files(stderr, coupled->cfg.path, filename, cfg, weights, 0) : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    if (!code) prune_note("the pruned network is %s with %s", cfg, weights);
    free(base);
    free(cfg);
    free(weights);
    return code;
}
