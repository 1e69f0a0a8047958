/* host_finetune.c - the values of codebooks trained in Darknet's loop
 *
 * In: a network whose matrices have few distinct values, and the training set. Out: the same with better values. Which weights are zero and which are equal stays; each value goes by the
 * mean gradient of its weights (Han et al., ICLR 2016, 3.3, who take the sum). Biases and batch-norm are trained by Darknet's own update. A run depends on its seed and thread count alone,
 * in the same way as prune train's.
 */
#include "host.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ITERATIONS_MOST = 1000000000 };

void openblas_set_num_threads(int n) __attribute__((weak));     /* absent in a build with BLAS=0 */

/* ----------------------------------------------------------------------------------------------------------- hooks -- */

/* weight_updates are the gradients alone here: Darknet adds decay in its update, and nothing of an earlier one is left in them. */
void prune_codebooks_before_update(network *net)
{
    int batch = net->batch * net->subdivisions;
    float rate = get_current_rate(net);
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        struct prune_codebook *codebook = &net->prune->codebooks[i];
        if (codebook->n) prune_codebook_step(codebook, l->weights, l->weight_updates, rate * l->learning_rate_scale, net->momentum, batch);
    }
}

/* Decay has moved the weights meanwhile. */
void prune_codebooks_after_update(network *net)
{
    for (int i = 0; i < net->n; i++) {
        const struct prune_codebook *codebook = &net->prune->codebooks[i];
        if (!codebook->n) continue;
        prune_codebook_apply(codebook, net->layers[i].weights);
        memset(net->layers[i].weight_updates, 0, codebook->n * sizeof(float));
    }
}

void prune_codebooks_free(network *net)
{
    struct prune_codebook *codebooks = net->prune->codebooks;
    for (int i = 0; codebooks && i < net->n; i++) prune_codebook_free(&codebooks[i]);
    free(codebooks);
    net->prune->codebooks = NULL;
}

/* ----------------------------------------------------------------------------------------------------------- floats -- */

static float *view(const struct prune_params *params, enum prune_part_role role)
{
    switch (role) {
    case PRUNE_PART_WEIGHTS: return params->weights;
    case PRUNE_PART_BIASES: return params->biases;
    case PRUNE_PART_SCALES: return params->scales;
    case PRUNE_PART_MEANS: return params->means;
    case PRUNE_PART_VARIANCES: return params->variances;
    }
    return NULL;
}

/* Between an array as the file has it, which may lie transposed, and the network's. */
static void copy_part(const struct prune_part *part, float *file, float *network, int to_network)
{
    size_t rows = part->transposed ? part->rows : 1, columns = part->transposed ? part->columns : (size_t)part->rows * part->columns;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
            float *a = &file[r * columns + c], *b = &network[c * rows + r];
            if (to_network) *b = *a;
            else *a = *b;
        }
}

static void copy_weights(struct prune_live *live, struct prune_model *model, int to_network)
{
    float *at = model->weights.floats;
    for (int i = 0; i < model->graph.n_nodes; i++) {
        struct prune_part parts[PRUNE_PARTS_MOST];
        int n = prune_weights_parts(&model->graph, &model->weights, i, parts);
        for (int p = 0; p < n; p++) {
            copy_part(&parts[p], at, view(&live->params[i], parts[p].role), to_network);
            at += (size_t)parts[p].rows * parts[p].columns;
        }
    }
}

/* --------------------------------------------------------------------------------------------------------- network -- */

static int check_graph(const struct prune_graph *graph)
{
    enum prune_kind last = graph->nodes[graph->n_nodes - 1].kind;
    if (last == PRUNE_YOLO || last == PRUNE_REGION || last == PRUNE_DETECTION)
        return prune_fail(PRUNE_ERR_UNSUPPORTED, "%s: -finetune needs labelled images of classes, and a detector's have boxes: it goes without", graph->cfg->path);
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct prune_node *node = &graph->nodes[i];
        if (node->kind == PRUNE_RNN || node->kind == PRUNE_GRU || node->kind == PRUNE_LSTM || node->kind == PRUNE_CRNN)
            return prune_cfg_fail(PRUNE_ERR_UNSUPPORTED, graph->cfg, node->section, NULL, "recurrent layers cannot be fine-tuned: pack goes without -finetune");
        if (node->kind == PRUNE_BATCHNORM || node->kind == PRUNE_LOCAL)     /* Darknet itself crashes on them, training or not */
            return prune_cfg_fail(PRUNE_ERR_UNSUPPORTED, graph->cfg, node->section, NULL, "Darknet cannot train such a layer on the CPU: pack goes without -finetune");
    }
    return PRUNE_OK;
}

/* Hangs the codebooks on the network. `most`: its matrices have no more distinct values than that, so that each value is an entry. */
static int attach(network *net, const struct prune_model *model, int most)
{
    net->prune = calloc(1, sizeof *net->prune);
    if (net->prune) net->prune->codebooks = calloc((size_t)net->n + 1, sizeof *net->prune->codebooks);
    if (!net->prune || !net->prune->codebooks) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    int code = PRUNE_OK;
    for (int i = 0; !code && i < net->n; i++) {
        const struct prune_node *node = &model->graph.nodes[i];
        if (prune_kind_has_filters(node->kind) && node->n_floats)
            code = prune_codebook_make(&net->prune->codebooks[i], net->layers[i].weights, node->n_weights, most);
    }
    if (code == PRUNE_ERR_RANGE) prune_fail(code, "%s: weights that are no numbers", model->cfg.path);
    return code;
}

/* ----------------------------------------------------------------------------------------------------------- train -- */

struct run {
    const struct prune_tuning *tuning;
    network *net;
    struct prune_batches *batches;
    int iterations, on_terminal;
    double started;
};

/* A tenth of the cfg's learning rate, falling to 0 in a straight line: the values are near where they belong. */
static int plan(struct run *run)
{
    network *net = run->net;
    uint64_t per_iteration = (uint64_t)net->batch * (uint64_t)net->subdivisions, images = (uint64_t)run->batches->images->n * (uint64_t)run->tuning->epochs;
    uint64_t iterations = (images + per_iteration - 1) / per_iteration;
    if (iterations > ITERATIONS_MOST) return prune_fail(PRUNE_ERR_RANGE, "-finetune %d: %" PRIu64 " iterations, and %d are the most", run->tuning->epochs, iterations, ITERATIONS_MOST);
    run->iterations = (int)iterations;
    net->max_batches = run->iterations + 1;     /* the last iteration is none for nothing */
    net->learning_rate /= 10;
    net->policy = POLY;
    net->power = 1;
    net->burn_in = 0;
    *net->seen = 0;
    return PRUNE_OK;
}

static void print_progress(const struct run *run, int iteration, double loss)
{
    int left = (int)((prune_seconds_now() - run->started) / iteration * (run->iterations - iteration));
    fprintf(stderr, "\riteration %d/%d  loss %.4f  ETA %d:%02d:%02d \033[K", iteration, run->iterations, loss, left / 3600, left / 60 % 60, left % 60);
}

static int train(struct run *run)
{
    network *net = run->net;
    uint64_t images = (uint64_t)run->batches->images->n, per_iteration = (uint64_t)net->batch * (uint64_t)net->subdivisions;
    double sum = 0, loss = 0, shown;
    int since = 0, code = plan(run);
    run->started = shown = prune_seconds_now();
    for (int done = 0; !code && done < run->iterations;) {
        if ((code = prune_train_iteration(run->net, run->batches, run->tuning->seed, (uint64_t)done, &loss))) break;
        done++;
        sum += loss;
        since++;
        if (done == run->iterations || *net->seen / images != (*net->seen - per_iteration) / images) {
            int epoch = done == run->iterations ? run->tuning->epochs : (int)(*net->seen / images);
            fprintf(stderr, "%sepoch %d/%d iteration %d/%d loss %.4f\n", run->on_terminal ? "\r\033[K" : "", epoch, run->tuning->epochs, done, run->iterations, sum / since);
            sum = 0;
            since = 0;
        } else if (run->on_terminal && prune_seconds_now() - shown > 0.2) {
            shown = prune_seconds_now();
            print_progress(run, done, loss);
        }
    }
    return code;
}

int prune_finetune(struct prune_model *model, const struct prune_tuning *tuning)
{
    struct prune_live live = { 0 };
    struct prune_images valid = { 0 };
    struct prune_batches valid_batches = { 0 };
    struct prune_score given, rounded, tuned;
    int code = check_graph(&model->graph);
    if (code) return code;
    if (openblas_set_num_threads && tuning->threads) openblas_set_num_threads(tuning->threads);
    srand((unsigned)tuning->seed);
    if ((code = prune_live_open(&live, model, tuning->weights_path, tuning->data_path, 1, "-finetune"))) goto done;
#ifdef GPU
    if (live.net->gpu_index >= 0) code = prune_fail(PRUNE_ERR_UNSUPPORTED, "-finetune runs on the CPU: add -nogpu");
    if (code) goto done;
#endif
    prune_batches_free(&live.batches);
    struct run run = { .tuning = tuning, .net = live.net, .batches = &live.batches, .on_terminal = isatty(STDERR_FILENO) };
    if ((code = prune_batches_open(&live.batches, live.net, &live.data, &live.images, 1, tuning->seed))) goto done;
    if ((code = prune_images_read(&valid, &live.data, 0))) goto done;
    if ((code = prune_batches_open(&valid_batches, live.net, &live.data, &valid, 0, 0))) goto done;
    if ((code = prune_evaluate(live.net, &valid_batches, &given))) goto done;
    copy_weights(&live, model, 1);
    if ((code = attach(live.net, model, tuning->most))) goto done;
    if ((code = prune_evaluate(live.net, &valid_batches, &rounded))) goto done;
    if ((code = train(&run))) goto done;
    if ((code = prune_evaluate(live.net, &valid_batches, &tuned))) goto done;
    copy_weights(&live, model, 0);
    printf("top1 %.2f %%  loss %.5f  as given\ntop1 %.2f %%  loss %.5f  with codebooks\ntop1 %.2f %%  loss %.5f  fine-tuned\n", given.top1, given.loss, rounded.top1, rounded.loss,
           tuned.top1, tuned.loss);
done:
    prune_batches_free(&valid_batches);
    prune_images_free(&valid);
    prune_live_free(&live);
    return code;
}
