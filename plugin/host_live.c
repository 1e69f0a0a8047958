/* host_live.c - a network in memory that is only looked at: what its channels give on real images, what its loss says of them, how good it is
 *
 * In: cfg, weights and data file. Out: evidence for the criteria (criteria.c), accuracy for scan and the automatic limit (host_scan.c).
 */
#include "host.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------------ open -- */

static int ends_in_detector(const struct prune_graph *graph)
{
    enum prune_kind last = graph->nodes[graph->n_nodes - 1].kind;
    return last == PRUNE_YOLO || last == PRUNE_REGION || last == PRUNE_DETECTION;
}

/* A detector's data file: `train` is a list of images. Their boxes are not looked at. */
static int read_detector_paths(struct prune_live *live, const char *data_path)
{
    list *options = read_data_cfg((char *)data_path);
    char *train = options ? option_find_str(options, "train", NULL) : NULL;
    FILE *file = train ? fopen(train, "r") : NULL;
    if (file) fclose(file);
    if (!file) return prune_fail(PRUNE_ERR_IO, train ? "%s: cannot read its list of images, %s" : "%s: train= is missing: a list of images", data_path, train);
    list *paths = get_paths(train);
    live->paths = (char **)list_to_array(paths);
    live->n_paths = paths->size;
    if (live->n_paths < 1) return prune_fail(PRUNE_ERR_SHAPE, "%s: %s names no images", data_path, train);
    return PRUNE_OK;
}

int prune_live_open(struct prune_live *live, const struct prune_model *model, const char *weights_path, const char *data_path, int training, const char *why)
{
    const struct prune_cfg *cfg = &model->cfg;
    *live = (struct prune_live){ .model = model };
    if (model->graph.foreign) {
        const struct prune_section *foreign = model->graph.foreign;
        return prune_cfg_fail(PRUNE_ERR_UNSUPPORTED, cfg, foreign, NULL, "is not of this Darknet, which so cannot run the network; %s needs it to", why);
    }
    if (!data_path) return prune_fail(PRUNE_ERR_USAGE, "%s needs -data <file>", why);
    live->detector = ends_in_detector(&model->graph);
    int code = PRUNE_OK;
    if (live->detector) {
        code = read_detector_paths(live, data_path);
    } else {
        code = prune_data_read(&live->data, data_path, training);
        if (!code) code = prune_images_read(&live->images, &live->data, training);
    }
    if (code) goto done;
    live->net = parse_network_cfg(cfg->path);
    prune_net_free(live->net);                  /* its pruning keys are about training */
    load_weights(live->net, (char *)weights_path);
    live->params = calloc((size_t)live->net->n + 1, sizeof *live->params);
    live->updates = calloc((size_t)live->net->n + 1, sizeof *live->updates);
    if (!live->params || !live->updates) code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    for (int i = 0; !code && i < live->net->n; i++) prune_view_layer(&live->net->layers[i], &live->params[i], &live->updates[i]);
    if (!code && live->detector && live->net->c != 3) code = prune_fail(PRUNE_ERR_UNSUPPORTED, "%s takes %d channels, and a detector's images have 3", cfg->path, live->net->c);
    if (!code && !live->detector) code = prune_batches_open(&live->batches, live->net, &live->data, &live->images, training, 1);
done:
    if (code) prune_live_free(live);
    return code;
}

void prune_live_free(struct prune_live *live)
{
    prune_batches_free(&live->batches);
    prune_images_free(&live->images);
    prune_data_free(&live->data);
    if (live->net) free_network(live->net);
    free(live->params);
    free(live->updates);
    free(live->paths);
    *live = (struct prune_live){ 0 };
}

/* --------------------------------------------------------------------------------------------------------- weights -- */

static void copy(float *to, const float *from, size_t n)
{
    if (to && from) memcpy(to, from, n * sizeof *to);
}

void prune_live_load(struct prune_live *live, const struct prune_params *params)
{
    for (int i = 0; i < live->net->n; i++) {
        const struct prune_node *node = &live->model->graph.nodes[i];
        size_t n = (size_t)live->model->channels.n_channels[i];
        copy(live->params[i].weights, params[i].weights, node->n_weights);
        copy(live->params[i].biases, params[i].biases, node->kind == PRUNE_LOCAL ? node->n_biases : n);
        copy(live->params[i].scales, params[i].scales, n);
        copy(live->params[i].means, params[i].means, n);
        copy(live->params[i].variances, params[i].variances, n);
    }
}

/* -------------------------------------------------------------------------------------------------------- evidence -- */

static int next_batch(struct prune_live *live, uint64_t first, float *input, float *truth)
{
    network *net = live->net;
    for (int i = 0; i < net->batch; i++) {
        float *at = input + (size_t)i * (size_t)net->inputs;
        if (live->detector) {
            image read = load_image_color(live->paths[(first + (uint64_t)i) % (uint64_t)live->n_paths], 0, 0);
            image fitted = letterbox_image(read, net->w, net->h);
            memcpy(at, fitted.data, (size_t)net->inputs * sizeof *at);
            free_image(read);
            free_image(fitted);
            continue;
        }
        int label = prune_batches_get(&live->batches, first + (uint64_t)i, at, truth ? truth + (size_t)i * (size_t)net->truths : NULL);
        if (label < 0) return label;
    }
    return PRUNE_OK;
}

int prune_live_observe(struct prune_live *live, struct prune_observed *observed)
{
    network *net = live->net;
    float *input = calloc((size_t)net->batch * (size_t)net->inputs, sizeof *input), **outputs = calloc((size_t)net->n + 1, sizeof *outputs);
    int code = input && outputs ? PRUNE_OK : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    while (!code && observed->images < observed->most) {
        if ((code = next_batch(live, observed->images, input, NULL))) break;
        network_predict(net, input);
        for (int i = 0; i < net->n; i++) outputs[i] = net->layers[i].output;
        prune_observed_add(observed, outputs, net->batch);
    }
    free(input);
    free(outputs);
    return code;
}

static void clear_updates(struct prune_live *live)
{
    for (int i = 0; i < live->net->n; i++) {
        const struct prune_node *node = &live->model->graph.nodes[i];
        struct prune_params *updates = &live->updates[i];
        size_t n = (size_t)live->model->channels.n_channels[i];
        if (updates->weights) memset(updates->weights, 0, node->n_weights * sizeof(float));
        if (updates->biases) memset(updates->biases, 0, (node->kind == PRUNE_LOCAL ? node->n_biases : n) * sizeof(float));
        if (updates->scales) memset(updates->scales, 0, n * sizeof(float));
    }
}

/* The criterion's square is of each batch's gradient; scores are the sum over batches. */
int prune_live_taylor(struct prune_live *live, enum prune_granularity granularity, size_t images, double *scores)
{
    network *net = live->net, before = *net;
    const struct prune_channels *channels = &live->model->channels;
    struct prune_evidence evidence = { .gradients = live->updates };
    int code = PRUNE_OK;
    if (live->detector) return prune_fail(PRUNE_ERR_UNSUPPORTED, "criterion taylor needs labelled images of classes, not a detector's");
    double *once = calloc((size_t)channels->n_groups + 1, sizeof *once);
    float *input = calloc((size_t)net->batch * (size_t)net->inputs, sizeof *input), *truth = calloc((size_t)net->batch * (size_t)net->truths, sizeof *truth);
    if (!once || !input || !truth) code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    memset(scores, 0, (size_t)channels->n_groups * sizeof *scores);
    net->train = 1;
    for (size_t first = 0; !code && first < images; first += (size_t)net->batch) {
        if ((code = next_batch(live, first, input, truth))) break;
        net->input = input;
        net->truth = truth;
        net->delta = NULL;
        clear_updates(live);
        forward_network(net);
        backward_network(net);
        code = prune_criteria_score(PRUNE_TAYLOR, granularity, channels, live->params, &evidence, once);
        for (int g = 0; !code && g < channels->n_groups; g++) scores[g] += once[g];
    }
    free(once);
    free(input);
    free(truth);
    *net = before;
    return code;
}

int prune_live_score(struct prune_live *live, size_t images, struct prune_score *score)
{
    struct prune_images part = live->images;    /* the first of them */
    if (images && images < (size_t)part.n) part.n = (int)images;
    struct prune_batches batches = live->batches;
    batches.images = &part;
    return prune_evaluate(live->net, &batches, score);
}
