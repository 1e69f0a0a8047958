/* trial.c - one network with random weights, and what must hold when channels of it go
 *
 * In: cfg text and a seed. Out: whether "masked equals compact" holds for it, as a result and not as an assertion, so that the shrinker can ask again and again.
 */
#include "trial.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evaluator.h"

/* Of the largest output of a layer; and of the network's largest number, which is what rounding a bias to a float can do to a layer that is all but zero. */
static const double tolerance = 1e-5, rounding = 1e-7;

/* ------------------------------------------------------------------------------------------------------------ chance -- */

static double unit(struct prune_test_trial *trial)  /* splitmix64, to [0,1) */
{
    uint64_t z = trial->state += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static double between(struct prune_test_trial *trial, double low, double high)
{
    return low + (high - low) * unit(trial);
}

static int likely(struct prune_test_trial *trial, double share)
{
    return unit(trial) < share;
}

/* -------------------------------------------------------------------------------------------------------- scratch files -- */

__attribute__((format(printf, 2, 3))) static int faulty(struct prune_test_trial *trial, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(trial->fault, sizeof trial->fault, format, list);
    va_end(list);
    return -1;
}

int prune_test_folder(char *folder)
{
    const char *memory = "/dev/shm", *given = getenv("TMPDIR");
    snprintf(folder, 64, "%.40s/prune-trial-XXXXXX", access(memory, W_OK) ? given ? given : "/tmp" : memory);
    return mkdtemp(folder) ? 0 : -1;
}

static const char *const scratch_names[] = { "in.cfg", "in.weights", "out.cfg", "out.weights" };

static const char *scratch(const struct prune_test_trial *trial, int which, char *path)
{
    snprintf(path, 128, "%s/%s", trial->folder, scratch_names[which]);
    return path;
}

enum { IN_CFG, IN_WEIGHTS, OUT_CFG, OUT_WEIGHTS };

void prune_test_folder_remove(const char *folder)
{
    char path[128];
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, scratch_names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static int write_file(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    if (!file) return -1;
    size_t written = fwrite(bytes, 1, n, file);
    return fclose(file) || written != n ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------------------- opening -- */

/* A weight file of zeros with a header of version 0.2.5 and 12,345,678,901 images seen; reading it gives a struct prune_weights to be filled. */
static int write_zeros(const struct prune_test_trial *trial, const char *path)
{
    const int32_t version[] = { 0, 2, 5 };
    const uint64_t seen = 12345678901U;
    size_t n = 0;
    for (int i = 0; i < trial->graph.n_nodes; i++) n += trial->graph.nodes[i].n_floats;
    unsigned char *bytes = calloc(20 + 4 * n, 1);
    if (!bytes) return -1;
    memcpy(bytes, version, sizeof version);
    memcpy(bytes + 12, &seen, sizeof seen);
    int code = write_file(path, bytes, 20 + 4 * n);
    free(bytes);
    return code;
}

static void fill(struct prune_test_trial *trial, float *values, size_t n, double low, double high)
{
    for (size_t i = 0; values && i < n; i++) values[i] = (float)between(trial, low, high);
}

/* How many biases a layer has; scales, means and variances are as many, but for local. */
static size_t biases_of(const struct prune_node *node)
{
    if (node->kind == PRUNE_BATCHNORM) return (size_t)node->c;
    return node->batch_normalize ? node->n_biases / 4 : node->n_biases;
}

static void draw_weights(struct prune_test_trial *trial)
{
    fill(trial, trial->weights.floats, trial->weights.n_floats, -.5, .5);       /* those that are in no array: recurrent layers */
    for (int i = 0; i < trial->graph.n_nodes; i++) {
        const struct prune_node *node = &trial->graph.nodes[i];
        const struct prune_params *params = &trial->params[i];
        size_t n = biases_of(node), taps = (size_t)(node->c / (node->groups > 0 ? node->groups : 1)) * (size_t)(node->size * node->size);
        if (node->kind == PRUNE_CONNECTED) taps = node->inputs;
        double reach = node->kind == PRUNE_SHORTCUT || node->kind == PRUNE_IMPLICIT ? 1 : sqrt(6. / (double)(taps ? taps : 1));
        if (node->share >= 0 && node->kind == PRUNE_CONVOLUTIONAL) continue;
        fill(trial, params->weights, node->n_weights, -reach, reach);
        fill(trial, params->biases, n, -.5, .5);
        fill(trial, params->scales, n, -1, 1.5);
        fill(trial, params->means, n, -.5, .5);
        fill(trial, params->variances, n, .3, 2);
    }
}

static int can_be_evaluated(const struct prune_graph *graph)
{
    for (int i = 0; i < graph->n_nodes; i++) {
        enum prune_kind kind = graph->nodes[i].kind;
        if (graph->nodes[i].n_weights && !graph->nodes[i].n_floats && (kind != PRUNE_CONVOLUTIONAL || graph->nodes[i].share < 0)) return 0; /* dontsave */
        if (kind == PRUNE_UNKNOWN || (kind >= PRUNE_RNN && kind <= PRUNE_CRNN) || kind == PRUNE_CONV_LSTM || kind == PRUNE_HISTORY || kind == PRUNE_CONTRASTIVE) return 0;
    }
    return 1;
}

int prune_test_trial_open(struct prune_test_trial *trial, const char *text, enum prune_dialect dialect, uint64_t seed)
{
    char path[128];
    trial->state = seed * 0x9E3779B97F4A7C15U + 77;
    if (write_file(scratch(trial, IN_CFG, path), text, strlen(text))) return faulty(trial, "%s cannot be written", path);
    if (prune_cfg_read(&trial->cfg, path)) return faulty(trial, "the cfg is none");
    if (prune_graph_build(&trial->graph, &trial->cfg, dialect)) return faulty(trial, "the graph is refused");
    if (prune_channels_build(&trial->channels, &trial->graph)) return faulty(trial, "its channels cannot be followed");
    if (write_zeros(trial, scratch(trial, IN_WEIGHTS, path)) || prune_weights_read(&trial->weights, &trial->graph, path))
        return faulty(trial, "its weights cannot be made");
    trial->params = calloc((size_t)trial->graph.n_nodes + 1, sizeof *trial->params);
    trial->removed = calloc((size_t)trial->channels.n_groups + 1, 1);
    trial->input = calloc(trial->graph.inputs + 1, sizeof *trial->input);
    if (!trial->params || !trial->removed || !trial->input) return faulty(trial, "out of memory");
    prune_weights_params(&trial->weights, &trial->graph, trial->params);
    draw_weights(trial);
    for (size_t i = 0; i < trial->graph.inputs; i++) trial->input[i] = between(trial, -.5, 1);
    if (!can_be_evaluated(&trial->graph)) return 0;
    trial->outputs = calloc((size_t)trial->graph.n_nodes + 1, sizeof *trial->outputs);
    if (!trial->outputs || prune_evaluate(&trial->graph, trial->params, trial->input, trial->outputs)) return faulty(trial, "it cannot be evaluated");
    return 0;
}

void prune_test_trial_close(struct prune_test_trial *trial)
{
    if (trial->outputs) prune_evaluate_free(&trial->graph, trial->outputs);
    free(trial->outputs);
    free(trial->input);
    free(trial->removed);
    free(trial->params);
    prune_weights_free(&trial->weights);
    prune_channels_free(&trial->channels);
    prune_graph_free(&trial->graph);
    prune_cfg_free(&trial->cfg);
    struct prune_test_trial empty = { .damage = trial->damage };
    memcpy(empty.folder, trial->folder, sizeof empty.folder);
    memcpy(empty.fault, trial->fault, sizeof empty.fault);
    *trial = empty;
}

/* ------------------------------------------------------------------------------------------- a copy that may be changed -- */

struct copy {                   /* the trial's weights, to be silenced and folded */
    struct prune_weights weights;
    struct prune_params *params;
    double **outputs;
    const struct prune_graph *graph;
};

static int copy_open(struct copy *copy, const struct prune_test_trial *trial)
{
    const struct prune_weights *from = &trial->weights;
    *copy = (struct copy){ .weights = *from, .graph = &trial->graph };
    copy->weights.floats = malloc((from->n_floats + 1) * sizeof *from->floats);
    copy->weights.weights = calloc((size_t)trial->graph.n_nodes + 1, sizeof *from->weights);
    copy->params = calloc((size_t)trial->graph.n_nodes + 1, sizeof *copy->params);
    copy->outputs = calloc((size_t)trial->graph.n_nodes + 1, sizeof *copy->outputs);
    if (!copy->weights.floats || !copy->weights.weights || !copy->params || !copy->outputs) return -1;
    memcpy(copy->weights.floats, from->floats, from->n_floats * sizeof *from->floats);
    for (int i = 0; i < trial->graph.n_nodes; i++)
        if (from->weights[i]) copy->weights.weights[i] = copy->weights.floats + (from->weights[i] - from->floats);
    prune_weights_params(&copy->weights, &trial->graph, copy->params);
    return 0;
}

static int copy_evaluate(struct copy *copy, const struct prune_test_trial *trial)
{
    return prune_evaluate(copy->graph, copy->params, trial->input, copy->outputs);
}

static void copy_close(struct copy *copy)
{
    if (copy->outputs && copy->graph) prune_evaluate_free(copy->graph, copy->outputs);
    free(copy->outputs);
    free(copy->params);
    free(copy->weights.floats);
    free(copy->weights.weights);
}

/* ----------------------------------------------------------------------------------------------------------- comparing -- */

/* No layer reads it. */
static int is_output(const struct prune_graph *graph, int layer)
{
    if (layer + 1 < graph->n_nodes && graph->nodes[layer + 1].kind != PRUNE_ROUTE && graph->nodes[layer + 1].kind != PRUNE_IMPLICIT) return 0;
    for (int i = layer + 1; i < graph->n_nodes; i++)
        for (int f = 0; f < graph->nodes[i].n_from; f++)
            if (graph->nodes[i].from[f] == layer) return 0;
    return 1;
}

enum extent { COMPACT, WHOLE, WHOLE_OUTPUTS };  /* `found` has only the channels that stay; has all; and only the network's outputs are to be equal */

/* Layer by layer, the channels that stay. */
static int compare(struct prune_test_trial *trial, const char *what, double *const *expected, double *const *found, const struct prune_graph *found_graph,
                   enum extent extent)
{
    const struct prune_channels *channels = &trial->channels;
    int whole = extent != COMPACT;
    double all = 0;
    for (int l = 0; l < trial->graph.n_nodes; l++)
        for (size_t i = 0; i < trial->graph.nodes[l].outputs; i++) {
            if (!isfinite(expected[l][i])) return 0;        /* an l2norm of zeros: what is made of it says nothing */
            all = fmax(all, fabs(expected[l][i]));
        }
    for (int l = 0; l < trial->graph.n_nodes; l++) {
        if (extent == WHOLE_OUTPUTS && !is_output(&trial->graph, l)) continue;
        const char *kind = prune_kind_name(trial->graph.nodes[l].kind);
        int n = channels->n_channels[l];
        size_t places = trial->graph.nodes[l].outputs / (size_t)n, kept = 0;
        double largest = 0;
        for (size_t i = 0; i < trial->graph.nodes[l].outputs; i++) largest = fmax(largest, fabs(expected[l][i]));
        for (int c = 0; c < n; c++) {
            if (trial->removed[channels->group[l][c]]) continue;
            for (size_t p = 0; p < places; p++) {
                size_t at = (whole ? (size_t)c : kept) * places + p;
                double x = expected[l][(size_t)c * places + p], y = at < found_graph->nodes[l].outputs ? found[l][at] : NAN;
                if (fabs(x - y) <= tolerance * largest + rounding * all) continue;
                return faulty(trial, "%s: layer %d [%s] channel %d place %zu is %.9g, not %.9g (largest %.3g)", what, l, kind, c, p, y, x, largest);
            }
            kept++;
        }
        if (!whole && kept * places != found_graph->nodes[l].outputs)
            return faulty(trial, "%s: layer %d [%s] has %zu outputs, not %zu", what, l, kind, found_graph->nodes[l].outputs, kept * places);
    }
    return 0;
}

/* What the compact network has must be what prune_channels_size said. */
static int compare_sizes(struct prune_test_trial *trial, const struct prune_graph *compact, const struct prune_weights *weights, const char *path)
{
    struct prune_size size;
    struct stat info;
    uint64_t n_weights = 0, floats = 0, macs = 0;
    prune_channels_size(&trial->channels, trial->removed, &size, NULL);
    for (int i = 0; i < compact->n_nodes; i++) {
        n_weights += compact->nodes[i].n_weights;
        floats += compact->nodes[i].n_floats;
        macs += compact->nodes[i].macs;
    }
    if (n_weights != size.weights || floats != size.floats || macs != size.macs)
        return faulty(trial, "the compact network has %" PRIu64 " weights, %" PRIu64 " floats, %" PRIu64 " MACs; prune_channels_size says %" PRIu64 ", %" PRIu64 ", %" PRIu64,
                      n_weights, floats, macs, size.weights, size.floats, size.macs);
    if (stat(path, &info) || (uint64_t)info.st_size != 20 + 4 * floats)
        return faulty(trial, "the weight file has %" PRIu64 " bytes, not 20 + 4 * %" PRIu64, (uint64_t)info.st_size, floats);
    if (weights->major != 0 || weights->minor != 2 || weights->revision != 5 || weights->seen != trial->weights.seen) return faulty(trial, "the header is another one");
    return 0;
}

/* Recurrent layers are not evaluated; their floats must be there as they were. */
static int compare_recurrent(struct prune_test_trial *trial, const struct prune_weights *before, const struct prune_graph *compact, const struct prune_weights *after)
{
    size_t from = 0, to = 0;
    for (int i = 0; i < trial->graph.n_nodes; i++) {
        size_t n = trial->graph.nodes[i].n_floats, m = compact->nodes[i].n_floats;
        enum prune_kind kind = trial->graph.nodes[i].kind;
        int whole = (kind >= PRUNE_RNN && kind <= PRUNE_CRNN) || kind == PRUNE_CONV_LSTM || kind == PRUNE_HISTORY || kind == PRUNE_IMPLICIT || kind == PRUNE_CONTRASTIVE;
        if (whole && (n != m || memcmp(before->floats + from, after->floats + to, n * sizeof(float))))
            return faulty(trial, "layer %d [%s] is not copied whole", i, prune_kind_name(kind));
        from += n;
        to += m;
    }
    return 0;
}

/* Wrong on purpose. */
static void damage(const struct prune_test_trial *trial, const struct prune_graph *graph, struct prune_params *params)
{
    for (int i = 1; i < graph->n_nodes; i++) {
        const struct prune_node *node = &graph->nodes[i];
        int first = graph->n_nodes;
        if (trial->damage == PRUNE_TEST_WRONG_CHANNEL && node->kind == PRUNE_SHORTCUT) first = i - 1;
        if (trial->damage == PRUNE_TEST_WRONG_BIAS && node->kind == PRUNE_ROUTE) first = i + 1;
        if (first >= graph->n_nodes || graph->nodes[first].kind != PRUNE_CONVOLUTIONAL || !params[first].biases) continue;
        if (trial->damage == PRUNE_TEST_WRONG_BIAS) params[first].biases[0] += .125F;
        size_t row = graph->nodes[first].n_weights / (size_t)graph->nodes[first].filters;
        for (size_t k = 0; trial->damage == PRUNE_TEST_WRONG_CHANNEL && graph->nodes[first].filters > 1 && k < row; k++) {
            float first_row = params[first].weights[k];
            params[first].weights[k] = params[first].weights[row + k];
            params[first].weights[row + k] = first_row;
        }
    }
}

/* Writes the copy without trial->removed, reads it back and compares with `expected` (NULL: is not evaluated). */
static int compact(struct prune_test_trial *trial, const struct copy *copy, double *const *expected, const char *what)
{
    char cfg_path[128], weights_path[128];
    struct prune_cfg cfg = { 0 };
    struct prune_graph graph = { 0 };
    struct prune_weights weights = { 0 };
    struct prune_params *params = NULL;
    double **outputs = NULL;
    int code = -1;
    scratch(trial, OUT_CFG, cfg_path);
    scratch(trial, OUT_WEIGHTS, weights_path);
    if (prune_compact_write(&trial->channels, &copy->weights, trial->removed, cfg_path, weights_path, 0)) {
        faulty(trial, "%s: cannot be written", what);
    } else if (prune_cfg_read(&cfg, cfg_path) || prune_graph_build(&graph, &cfg, trial->graph.dialect) || graph.n_nodes != trial->graph.n_nodes) {
        faulty(trial, "%s: the written cfg is refused", what);
    } else if (prune_weights_read(&weights, &graph, weights_path)) {
        faulty(trial, "%s: the written weights are refused", what);
    } else if (!(params = calloc((size_t)graph.n_nodes + 1, sizeof *params)) || !(outputs = calloc((size_t)graph.n_nodes + 1, sizeof *outputs))) {
        faulty(trial, "out of memory");
    } else if (!compare_sizes(trial, &graph, &weights, weights_path) && !compare_recurrent(trial, &copy->weights, &graph, &weights)) {
        prune_weights_params(&weights, &graph, params);
        damage(trial, &graph, params);
        if (!expected) code = 0;
        else if (prune_evaluate(&graph, params, trial->input, outputs)) faulty(trial, "%s: cannot be evaluated", what);
        else code = compare(trial, what, expected, outputs, &graph, COMPACT);
    }
    if (outputs) prune_evaluate_free(&graph, outputs);
    free(outputs);
    free(params);
    prune_weights_free(&weights);
    prune_graph_free(&graph);
    prune_cfg_free(&cfg);
    return code;
}

/* ------------------------------------------------------------------------------------------------------------- trials -- */

/* Free groups, by chance; the last of a family stays. */
static void choose(struct prune_test_trial *trial, double share)
{
    const struct prune_channels *channels = &trial->channels;
    memset(trial->removed, 0, (size_t)channels->n_groups);
    for (int f = 0; f < channels->n_families; f++) {
        int left = channels->families[f].n_groups;
        for (int g = 0; g < channels->n_groups; g++) {
            if (channels->groups[g].family != f || channels->groups[g].pin != PRUNE_FREE || left < 2 || !likely(trial, share)) continue;
            trial->removed[g] = 1;
            left--;
        }
    }
}

int prune_test_removed_is_compact(struct prune_test_trial *trial)
{
    struct copy copy;
    struct prune_folding folding = { 0 };
    int code = -1;
    if (copy_open(&copy, trial)) {
        faulty(trial, "out of memory");
        goto done;
    }
    prune_silence(&trial->channels, copy.params, trial->removed);
    if (trial->outputs && copy_evaluate(&copy, trial)) {
        faulty(trial, "masked: cannot be evaluated");
        goto done;
    }
    /* what silent channels give is 0, or a constant that their readers can take: all others are pinned */
    if (prune_fold(&trial->channels, copy.params, trial->removed, &folding)) {
        faulty(trial, "prune_fold: fails");
        goto done;
    }
    if (folding.inexact || folding.dropped) {
        faulty(trial, "act(0) of silent channels: %d inexact, %d dropped", folding.inexact, folding.dropped);
        goto done;
    }
    code = compact(trial, &copy, trial->outputs ? copy.outputs : NULL, "compact against masked");
done:
    copy_close(&copy);
    return code;
}

int prune_test_masked_is_compact(struct prune_test_trial *trial, double share)
{
    choose(trial, share);
    return prune_test_removed_is_compact(trial);
}

/* Where a layer's rows and columns are: (row, column) has `area` weights, `step` apart from the next row or column. */
struct matrix {
    size_t rows, columns, area, row_step, column_step, places, place_step;
};

static int matrix_of(const struct prune_node *node, struct matrix *matrix)
{
    size_t area = (size_t)(node->size * node->size), n = (size_t)node->filters, c = (size_t)node->c;
    *matrix = (struct matrix){ .rows = n, .columns = c, .area = area, .places = 1 };
    switch (node->kind) {
    case PRUNE_CONVOLUTIONAL:
        if (node->share >= 0) return 0;
        matrix->columns = c / (size_t)node->groups;
        matrix->row_step = matrix->columns * area;
        matrix->column_step = area;
        return 1;
    case PRUNE_DECONVOLUTIONAL:
        matrix->row_step = area;
        matrix->column_step = n * area;
        return 1;
    case PRUNE_LOCAL:
        matrix->places = (size_t)(node->out_w * node->out_h);
        matrix->place_step = n * c * area;
        matrix->row_step = c * area;
        matrix->column_step = area;
        return 1;
    case PRUNE_CONNECTED:
        matrix->rows = node->outputs;
        matrix->area = node->c ? (size_t)(node->w * node->h) : 1;
        matrix->columns = node->inputs / matrix->area;
        matrix->row_step = node->inputs;
        matrix->column_step = matrix->area;
        return 1;
    default:
        return 0;
    }
}

static void clear_block(const struct matrix *matrix, float *weights, size_t row, size_t column)
{
    for (size_t p = 0; p < matrix->places; p++)
        memset(weights + p * matrix->place_step + row * matrix->row_step + column * matrix->column_step, 0, matrix->area * sizeof *weights);
}

static void clear_row(const struct matrix *matrix, float *weights, size_t row)
{
    for (size_t column = 0; column < matrix->columns; column++) clear_block(matrix, weights, row, column);
}

/* Zeros as an unstructured pruning leaves them: single weights everywhere, and some whole rows and columns. */
static void scatter_zeros(struct prune_test_trial *trial, struct prune_params *params)
{
    double whole = between(trial, 0, .3);
    for (int i = 0; i < trial->graph.n_nodes; i++) {
        struct matrix matrix;
        const struct prune_node *node = &trial->graph.nodes[i];
        if (!params[i].weights || !matrix_of(node, &matrix)) continue;
        double sparsity = likely(trial, .3) ? .95 : .4;
        for (size_t k = 0; k < node->n_weights; k++)
            if (likely(trial, sparsity)) params[i].weights[k] = 0;
        for (size_t row = 0; row < matrix.rows; row++) {
            if (likely(trial, whole)) clear_row(&matrix, params[i].weights, row);
            if (likely(trial, whole / 2) && params[i].scales) params[i].scales[row] = 0;
            if (likely(trial, .3) && node->kind != PRUNE_LOCAL && params[i].biases) params[i].biases[row] = 0;
        }
        for (size_t column = 0; column < matrix.columns; column++) {
            if (!likely(trial, whole)) continue;
            for (size_t row = 0; row < matrix.rows; row++) clear_block(&matrix, params[i].weights, row, column);
        }
    }
}

int prune_test_dead_is_compact(struct prune_test_trial *trial)
{
    struct copy before, after;
    struct prune_folding folding = { 0 };
    int code = copy_open(&before, trial) | copy_open(&after, trial);
    if (code) {
        faulty(trial, "out of memory");
        goto done;
    }
    code = -1;
    memset(trial->removed, 0, (size_t)trial->channels.n_groups);
    scatter_zeros(trial, before.params);
    memcpy(after.weights.floats, before.weights.floats, trial->weights.n_floats * sizeof *before.weights.floats);
    if (prune_dead(&trial->channels, after.params, trial->removed, &folding)) {
        faulty(trial, "prune_dead: fails");
        goto done;
    }
    if (folding.inexact || folding.dropped) {
        faulty(trial, "prune_dead: %d inexact, %d dropped", folding.inexact, folding.dropped);
        goto done;
    }
    if (trial->outputs && (copy_evaluate(&before, trial) || copy_evaluate(&after, trial))) {
        faulty(trial, "dead: cannot be evaluated");
        goto done;
    }
    if (trial->outputs && compare(trial, "whole shape after prune_dead", before.outputs, after.outputs, &trial->graph, WHOLE_OUTPUTS)) goto done;
    code = compact(trial, &after, trial->outputs ? after.outputs : NULL, "compact after prune_dead");   /* inside, the last of a family may have fallen silent */
    for (int g = 0; !code && g < trial->channels.n_groups; g++)
        if (trial->removed[g] && trial->channels.groups[g].pin != PRUNE_FREE) code = faulty(trial, "prune_dead: group %d is pinned and went", g);
done:
    copy_close(&before);
    copy_close(&after);
    for (int g = 0; code >= 0 && g < trial->channels.n_groups; g++) code += trial->removed[g];
    return code;
}

int prune_test_fold_is_exact(struct prune_test_trial *trial, double share)
{
    const struct prune_channels *channels = &trial->channels;
    struct copy before, after;
    struct prune_folding folding = { 0 };
    int code = copy_open(&before, trial) | copy_open(&after, trial);
    if (code) {
        faulty(trial, "out of memory");
        goto done;
    }
    code = -1;
    choose(trial, share);
    for (int g = 0; g < channels->n_groups; g++)
        for (int m = 0; trial->removed[g] && m < channels->groups[g].n_members; m++) {
            struct prune_member member = channels->members[channels->groups[g].first_member + m];
            struct prune_params *params = &before.params[member.layer];
            struct matrix matrix;
            if (params->weights && matrix_of(&trial->graph.nodes[member.layer], &matrix)) clear_row(&matrix, params->weights, (size_t)member.channel);
            if (params->scales) params->scales[member.channel] = 0;
        }
    memcpy(after.weights.floats, before.weights.floats, trial->weights.n_floats * sizeof *before.weights.floats);
    if (prune_fold(channels, after.params, trial->removed, &folding)) {
        faulty(trial, "prune_fold: fails");
        goto done;
    }
    prune_silence(channels, after.params, trial->removed);
    if (folding.inexact || folding.dropped || !trial->outputs) {
        code = 0;
        goto done;
    }
    if (copy_evaluate(&before, trial) || copy_evaluate(&after, trial)) {
        faulty(trial, "fold: cannot be evaluated");
        goto done;
    }
    code = compare(trial, "silent after prune_fold", before.outputs, after.outputs, &trial->graph, WHOLE) ? -1 : 1;
done:
    copy_close(&before);
    copy_close(&after);
    return code;
}
