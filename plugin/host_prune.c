/* host_prune.c - `darknet prune <cfg> <weights>` and `darknet prune compact`: trained weights are pruned without training
 *
 * In: a cfg of any fork and its weights. Out: name_pruned.cfg and .weights: with granularity filter and channel a smaller network, with weight, kernel
 * and block4 the same one with zeros in it.
 */
#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
    const char *words[2];           /* cfg, weights */
    const char *out, *masked, *data, *budget;   /* budget: the option that gave one */
    struct prune_settings settings;
    long images, seed;
    int version1, limit_auto;
    float drop;                     /* negative: not given */
};

/* ---------------------------------------------------------------------------------------------------------- options -- */

static int points(const char *value, float *drop)
{
    char *rest;
    *drop = value ? strtof(value, &rest) : -1;
    if (!value || !*value || *rest || !(*drop >= 0 && *drop <= 100))
        return prune_fail(PRUNE_ERR_USAGE, "-drop %s: must be percentage points of accuracy, 0 to 100", value ? value : "(nothing)");
    return PRUNE_OK;
}

/* One option; `*used` says how many words it took. `compacting`: only -out and -version1 make sense. */
static int parse_option(struct options *options, const char *name, const char *value, int compacting, int *used)
{
    *used = 1;
    if (!strcmp(name, "version1")) return options->version1 = 1, PRUNE_OK;
    *used = 2;
    if (!strcmp(name, "out")) return prune_option_text("-out", value, &options->out);
    if (compacting) return prune_fail(PRUNE_ERR_USAGE, "unknown option -%s (see darknet prune help compact)", name);
    if (!strcmp(name, "masked")) return prune_option_text("-masked", value, &options->masked);
    if (!strcmp(name, "data")) return prune_option_text("-data", value, &options->data);
    if (!strcmp(name, "images")) return prune_option_whole("-images", value, 1, 100000000, &options->images);
    if (!strcmp(name, "seed")) return prune_option_whole("-seed", value, 0, 0x7fffffff, &options->seed);
    if (!strcmp(name, "drop")) return points(value, &options->drop);
    if (!strcmp(name, "limit")) {
        options->limit_auto = 1;
        if (value && !strcmp(value, "auto")) return PRUNE_OK;
        return prune_fail(PRUNE_ERR_USAGE, "-limit %s: must be auto (for a limit of your own there is -sparsity)", value ? value : "(nothing)");
    }
    if (!strcmp(name, "sparsity") || !strcmp(name, "weights") || !strcmp(name, "macs")) options->budget = name;
    int taken = prune_settings_option(&options->settings, name, value);
    if (taken == 0) return prune_fail(PRUNE_ERR_USAGE, "unknown option -%s (see darknet prune help)", name);
    return taken < 0 ? taken : PRUNE_OK;
}

static int parse_words(struct options *options, int argc, char **argv, int compacting)
{
    int n = 0;
    for (int i = 0; i < argc;) {
        int used = 1, code = PRUNE_OK;
        if (argv[i][0] == '-' && argv[i][1]) code = parse_option(options, argv[i] + 1, i + 1 < argc ? argv[i + 1] : NULL, compacting, &used);
        else if (n == 2) code = prune_fail(PRUNE_ERR_USAGE, "one word too many: %s", argv[i]);
        else options->words[n++] = argv[i];
        if (code) return code;
        i += used;
    }
    if (n < 2) return prune_fail(PRUNE_ERR_USAGE, "%s needs <cfg> <weights>", compacting ? "compact" : "prune");
    if (options->drop >= 0 && !options->limit_auto && !compacting) return prune_fail(PRUNE_ERR_USAGE, "-drop goes with -limit auto");
    return PRUNE_OK;
}

/* ------------------------------------------------------------------------------------------------- weights, kernels, blocks -- */

/* The network's prunable matrices as tensors on the file's floats. What training would need beside them is one empty array for all. */
static int make_tensors(const struct prune_model *model, const struct prune_settings *settings, struct prune_tensor *tensors, int *n_tensors, float **scratch)
{
    static const char *const binary[] = { "xnor", "binary", "bin_output", NULL };
    size_t largest = 0;
    for (int i = 0; i < model->graph.n_nodes; i++)
        if (model->graph.nodes[i].n_weights > largest) largest = model->graph.nodes[i].n_weights;
    *scratch = calloc(largest + 1, sizeof **scratch);
    if (!*scratch) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    for (int i = 0; i < model->graph.n_nodes; i++) {
        const struct prune_node *node = &model->graph.nodes[i];
        struct prune_tensor *tensor = &tensors[*n_tensors];
        int convolutional = node->kind == PRUNE_CONVOLUTIONAL;
        if ((!convolutional && node->kind != PRUNE_CONNECTED) || !node->n_floats) continue;
        if (!prune_settings_layer(node->section, &tensor->limit)) continue;
        for (int k = 0; binary[k]; k++) {
            int value;
            if (!prune_cfg_int(&model->cfg, node->section, binary[k], 0, &value) && value)
                return prune_cfg_fail(PRUNE_ERR_UNSUPPORTED, &model->cfg, node->section, binary[k], "binary weights cannot be pruned (a zero becomes -mean): prune=0 leaves the layer out");
        }
        *n_tensors += 1;
        tensor->name = node->section->kind;
        tensor->layer = i;
        tensor->kind = node->kind;
        tensor->out = convolutional ? node->filters : (int)node->outputs;
        tensor->in = convolutional ? node->c / node->groups : (int)node->inputs;
        tensor->kh = tensor->kw = convolutional ? node->size : 1;
        tensor->n = node->n_weights;
        tensor->groups = convolutional ? node->groups : 1;
        prune_tensor_divide(tensor, settings->granularity);
        tensor->criterion = settings->criterion;
        tensor->weights = model->params[i].weights;
        tensor->momentum = *scratch;
        tensor->mask = malloc(tensor->n);
        if (!tensor->mask) return prune_fail(PRUNE_ERR_NOMEM, "out of memory for the mask of layer %d", i);
        prune_mask_from_zeros(tensor);
    }
    return *n_tensors ? PRUNE_OK : prune_fail(PRUNE_ERR_UNSUPPORTED, "%s: no convolutional or connected layer that could be pruned", model->cfg.path);
}

int prune_once_weights(struct prune_model *model, const struct prune_settings *given, const double *limits)
{
    struct prune_settings settings = *given;
    struct prune_tensor *tensors = calloc((size_t)model->graph.n_nodes + 1, sizeof *tensors);
    struct prune_step done;
    float *scratch = NULL;
    int n = 0, code = tensors ? PRUNE_OK : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    settings.steps = 1;
    settings.rule = PRUNE_NONE;
    settings.order = PRUNE_TOGETHER;
    if (!code) code = make_tensors(model, &settings, tensors, &n, &scratch);
    for (int i = 0; !code && limits && i < n; i++) tensors[i].limit = (float)limits[tensors[i].layer];
    if (!code) code = prune_mask_step(tensors, n, &settings, 1, &done);
    for (int i = 0; i < n; i++) free(tensors[i].mask);
    free(tensors);
    free(scratch);
    return code;
}

/* ------------------------------------------------------------------------------------------------- filters, channels -- */

static int evidence_scores(struct prune_model *model, const struct options *options, double *scores)
{
    const struct prune_settings *settings = &options->settings;
    struct prune_evidence evidence = { .seed = (uint64_t)options->seed };
    int looks = settings->criterion == PRUNE_APOZ || settings->criterion == PRUNE_ENTROPY;
    if (!looks && settings->criterion != PRUNE_TAYLOR)
        return prune_criteria_score(settings->criterion, settings->granularity, &model->channels, model->params, &evidence, scores);
    struct prune_live live;
    struct prune_observed observed = { 0 };
    int code = prune_live_open(&live, model, options->words[1], options->data, 1, "this criterion");
    if (code) return code;
    if (looks) {
        code = prune_observed_open(&observed, &model->channels, (size_t)options->images);
        if (!code) code = prune_live_observe(&live, &observed);
        evidence.observed = &observed;
        if (!code) code = prune_criteria_score(settings->criterion, settings->granularity, &model->channels, model->params, &evidence, scores);
        prune_observed_free(&observed);
    } else {
        code = prune_live_taylor(&live, settings->granularity, (size_t)options->images, scores);
    }
    prune_live_free(&live);
    return code;
}

static int choose(struct prune_model *model, const struct prune_settings *settings, const double *scores, struct prune_size *size)
{
    struct prune_budget budget = prune_budget_of(settings);
    int code = prune_budget_choose(&model->channels, scores, &budget, NULL, model->removed, size);
    if (!code && prune_trap_avoid(&model->channels, model->removed)) prune_channels_size(&model->channels, model->removed, size, NULL);
    return code;
}

static void warn_of_budget(const struct prune_model *model, const struct prune_settings *settings, const struct prune_size *size)
{
    uint8_t *none = calloc((size_t)model->channels.n_groups + 1, 1);
    struct prune_size whole;
    if (!none) return;
    prune_channels_size(&model->channels, none, &whole, NULL);
    free(none);
    double wanted = settings->macs > 0 ? (double)settings->macs : (double)settings->weights;
    double got = settings->macs > 0 ? (double)size->macs / (double)whole.macs : (double)size->weights / (double)whole.weights;
    if (wanted > 0 && got < 0.99 * wanted)
        prune_note("%s %.4g: whole channels%s come no closer than %.4g", settings->macs > 0 ? "macs" : "weights", wanted, settings->round > 1 ? " in multiples (-round 1 is finer)" : "", got);
}

static int prune_channels_once(struct prune_model *model, const struct options *options, struct prune_folding *folding)
{
    struct prune_size size;
    double *scores = calloc((size_t)model->channels.n_groups + 1, sizeof *scores);
    if (!scores) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    prune_channels_size(&model->channels, model->removed, &size, NULL);
    int code = size.channels ? PRUNE_OK : prune_fail(PRUNE_ERR_UNSUPPORTED, "%s: there is nothing in it that could be pruned (darknet prune report %s -groups)", model->cfg.path, model->cfg.path);
    if (!code) code = evidence_scores(model, options, scores);
    if (!code) code = choose(model, &options->settings, scores, &size);
    if (!code) warn_of_budget(model, &options->settings, &size);
    if (!code) code = prune_fold(&model->channels, model->params, model->removed, folding);
    if (!code) prune_silence(&model->channels, model->params, model->removed);
    free(scores);
    return code;
}

/* --------------------------------------------------------------------------------------------------------- commands -- */

static int report_zeros(const struct prune_model *model)
{
    uint64_t weights = 0, nonzero = 0;
    for (int i = 0; i < model->graph.n_nodes; i++) {
        weights += model->graph.nodes[i].n_floats ? model->graph.nodes[i].n_weights : 0;
        nonzero += model->graph.nodes[i].n_floats ? prune_weights_nonzero(&model->weights, &model->graph, i) : 0;
    }
    printf("%llu of %llu weights are zero (%.2f %%)\n", (unsigned long long)(weights - nonzero), (unsigned long long)weights,
           weights ? 100 * (double)(weights - nonzero) / (double)weights : 0.0);
    return PRUNE_OK;
}

static int prune_model_once(struct prune_model *model, const struct options *options, struct prune_folding *folding)
{
    int channels = options->settings.granularity == PRUNE_FILTER || options->settings.granularity == PRUNE_CHANNEL;
    if (options->limit_auto) {
        struct prune_limit_options limit = { options->words[1], options->data, &options->settings, options->drop < 0 ? 0.5 : (double)options->drop, (size_t)options->images };
        return prune_limit_auto(model, &limit, folding);
    }
    return channels ? prune_channels_once(model, options, folding) : prune_once_weights(model, &options->settings, NULL);
}

static int output_paths(const char *base, const char *weights, const char *ending, char **new_cfg, char **new_weights)
{
    char endings[2][32];
    snprintf(endings[0], sizeof endings[0], "%s.cfg", base ? "" : ending);
    snprintf(endings[1], sizeof endings[1], "%s.weights", base ? "" : ending);
    *new_cfg = prune_path_with(base ? base : weights, endings[0]);
    *new_weights = prune_path_with(base ? base : weights, endings[1]);
    return *new_cfg && *new_weights ? PRUNE_OK : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
}

/* Before any work: no output may fall on an input or on another output. */
static int check_outputs(const struct options *options, const char *new_cfg, const char *new_weights)
{
    int code = prune_compact_check(options->words[0], options->words[1], new_cfg, new_weights);
    if (!code && options->masked) code = prune_compact_check(options->words[0], options->words[1], new_cfg, options->masked);
    if (!code && options->masked) code = prune_compact_check(options->masked, NULL, new_cfg, new_weights);
    return code;
}

static int said(const char *cfg, const char *weights)
{
    printf("wrote %s and %s\n", cfg, weights);
    return fflush(stdout) ? prune_fail(PRUNE_ERR_IO, "cannot write the report: %s", strerror(errno)) : PRUNE_OK;
}

int prune_once_command(int argc, char **argv)
{
    struct options options = { .images = 1000, .seed = 1, .drop = -1 };
    struct prune_model model = { 0 };
    struct prune_folding folding = { 0 };
    char *new_cfg = NULL, *new_weights = NULL;
    prune_settings_default(&options.settings);
    int code = parse_words(&options, argc, argv, 0);
    if (!code) code = output_paths(options.out, options.words[1], "_pruned", &new_cfg, &new_weights);
    if (!code) code = check_outputs(&options, new_cfg, new_weights);
    if (!code) code = prune_model_open(&model, options.words[0], options.words[1]);
    if (code) goto done;
    prune_settings_default(&options.settings);          /* the cfg's keys first, so that options win */
    code = prune_settings_from_cfg(&options.settings, &model.cfg);
    if (!code) code = parse_words(&options, argc, argv, 0);
    if (!code) code = prune_settings_resolve(&options.settings);
    if (!code && options.limit_auto && options.budget) code = prune_fail(PRUNE_ERR_USAGE, "-limit auto finds the budget, and -%s gives one: leave one of them out", options.budget);
    if (!code && !(folding.inexact_in = calloc((size_t)model.graph.n_nodes + 1, 1))) code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    if (!code) code = prune_model_once(&model, &options, &folding);
    if (!code && options.masked) code = prune_weights_write(&model.graph, &model.weights, options.masked, options.version1);
    if (!code && (code = prune_compact_write(&model.channels, &model.weights, model.removed, new_cfg, new_weights, options.version1)) && options.masked) unlink(options.masked);
    if (!code) {
        int channels = options.settings.granularity == PRUNE_FILTER || options.settings.granularity == PRUNE_CHANNEL;
        code = channels ? prune_report_removed(stdout, &model, &folding, options.version1) : report_zeros(&model);
    }
    if (!code) code = said(new_cfg, new_weights);
done:
    free(folding.inexact_in);
    free(new_cfg);
    free(new_weights);
    prune_model_free(&model);
    return code;
}

int prune_compact_command(int argc, char **argv)
{
    struct options options = { .out = NULL };
    char *new_cfg = NULL, *new_weights = NULL;
    int code = parse_words(&options, argc - 1, argv + 1, 1);
    if (!code) code = output_paths(options.out, options.words[1], "_compact", &new_cfg, &new_weights);
    if (!code) code = prune_compact_files(stdout, options.words[0], options.words[1], new_cfg, new_weights, options.version1);
    if (!code) code = said(new_cfg, new_weights);
    free(new_cfg);
    free(new_weights);
    return code;
}
