/* host_scan.c - how much each layer can lose: `darknet prune scan`, and the limit that is found by itself (-limit auto)
 *
 * In: trained weights and a validation set. Out: the accuracy with one layer (weights, kernels, blocks) or one family of coupled channels pruned at a time, at ten
 * levels; from these curves, one tolerance for all layers gives each its own share, and the largest is looked for that the whole network bears.
 * Nothing is trained in between, so what is found is what can go at once; with training it is more.
 */
#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const double scan_levels[] = { .1, .2, .3, .4, .5, .6, .7, .8, .9, .95 };

struct bench {                      /* a network on which pruning is tried and taken back */
    struct prune_model *model;
    const struct prune_settings *settings;
    struct prune_live live;
    size_t images;
    float *saved;                   /* the weights as they were */
    double *scores;                 /* filter, channel: of the groups */
    struct prune_scan scan;
};

static int by_channels(const struct bench *bench)
{
    return bench->settings->granularity == PRUNE_FILTER || bench->settings->granularity == PRUNE_CHANNEL;
}

/* ----------------------------------------------------------------------------------------------------------- bench -- */

static void take_back(struct bench *bench)
{
    memcpy(bench->model->weights.floats, bench->saved, bench->model->weights.n_floats * sizeof *bench->saved);
    memset(bench->model->removed, 0, (size_t)bench->model->channels.n_groups);
}

/* The things that are tried one by one, with names. */
static int list_units(struct bench *bench)
{
    const struct prune_graph *graph = &bench->model->graph;
    const struct prune_channels *channels = &bench->model->channels;
    struct prune_scan *scan = &bench->scan;
    size_t most = (size_t)graph->n_nodes + (size_t)channels->n_families + 1;
    scan->units = calloc(most, sizeof *scan->units);
    if (!scan->units) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    for (int i = 0; i < graph->n_nodes && !by_channels(bench); i++) {
        const struct prune_node *node = &graph->nodes[i];
        float limit;
        if ((node->kind != PRUNE_CONVOLUTIONAL && node->kind != PRUNE_CONNECTED) || !node->n_floats || !prune_settings_layer(node->section, &limit)) continue;
        scan->units[scan->n_units++] = (struct prune_scan_unit){ .layer = i, .family = -1, .kind = prune_kind_name(node->kind) };
    }
    for (int f = 0; f < channels->n_families && by_channels(bench); f++) {
        const struct prune_family *family = &channels->families[f];
        if (family->pinned || family->n_groups < 2 || family->first_layer < 0) continue;
        scan->units[scan->n_units++] = (struct prune_scan_unit){ .layer = family->first_layer, .family = f, .kind = prune_kind_name(graph->nodes[family->first_layer].kind) };
    }
    return scan->n_units ? PRUNE_OK : prune_fail(PRUNE_ERR_UNSUPPORTED, "%s: there is nothing in it that could be pruned", bench->model->cfg.path);
}

static int open_bench(struct bench *bench, struct prune_model *model, const struct prune_limit_options *options)
{
    *bench = (struct bench){ .model = model, .settings = options->settings, .images = options->images };
    size_t groups = (size_t)model->channels.n_groups + 1;
    int code = prune_live_open(&bench->live, model, options->weights_path, options->data_path, 0, "measuring accuracy");
    if (code) return code;
    if (bench->live.detector) return prune_fail(PRUNE_ERR_UNSUPPORTED, "%s is a detector: accuracy is only measured of classifiers", model->cfg.path);
    set_batch_network(bench->live.net, bench->live.net->batch);
    bench->saved = malloc((model->weights.n_floats + 1) * sizeof *bench->saved);
    bench->scores = calloc(groups, sizeof *bench->scores);
    if (!bench->saved || !bench->scores) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    memcpy(bench->saved, model->weights.floats, model->weights.n_floats * sizeof *bench->saved);
    struct prune_evidence evidence = { .seed = 1 };
    if (by_channels(bench)) {
        enum prune_criterion criterion = options->settings->criterion;
        if (criterion == PRUNE_APOZ || criterion == PRUNE_ENTROPY || criterion == PRUNE_TAYLOR)
            return prune_fail(PRUNE_ERR_UNSUPPORTED, "scan and -limit auto rank by weights alone: criterion l1, l2, gamma, folded, fpgm or random");
        code = prune_criteria_score(criterion, options->settings->granularity, &model->channels, model->params, &evidence, bench->scores);
    }
    if (!code) code = list_units(bench);
    return code;
}

static void close_bench(struct bench *bench)
{
    prune_live_free(&bench->live);
    prune_scan_free(&bench->scan);
    free(bench->saved);
    free(bench->scores);
}

/* ---------------------------------------------------------------------------------------------------------- try out -- */

/* Prunes the model by each unit's share. */
static int prune_units(struct bench *bench, const double *shares, struct prune_folding *folding)
{
    struct prune_model *model = bench->model;
    if (by_channels(bench)) {
        struct prune_budget budget = { .kind = PRUNE_OF_CHANNELS, .keep = 1, .scope = PRUNE_LAYER, .round = bench->settings->round };
        struct prune_size size;
        for (int u = 0; u < bench->scan.n_units; u++) model->channels.families[bench->scan.units[u].family].limit = (float)shares[u];
        int code = prune_budget_choose(&model->channels, bench->scores, &budget, NULL, model->removed, &size);
        if (code) return code;
        prune_trap_avoid(&model->channels, model->removed);
        code = prune_fold(&model->channels, model->params, model->removed, folding);
        if (!code) prune_silence(&model->channels, model->params, model->removed);
        return code;
    }
    double *limits = calloc((size_t)model->graph.n_nodes + 1, sizeof *limits);
    if (!limits) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    for (int u = 0; u < bench->scan.n_units; u++) limits[bench->scan.units[u].layer] = shares[u];
    int code = prune_once_weights(model, bench->settings, limits);
    free(limits);
    return code;
}

static int measure(struct bench *bench, const double *shares, double *top1)
{
    struct prune_folding folding = { 0 };
    struct prune_score score;
    int code = prune_units(bench, shares, &folding);
    prune_live_load(&bench->live, bench->model->params);
    if (!code) code = prune_live_score(&bench->live, bench->images, &score);
    if (!code) *top1 = score.top1;
    take_back(bench);
    return code;
}

static int run_scan(struct bench *bench)
{
    struct prune_scan *scan = &bench->scan;
    double *shares = calloc((size_t)scan->n_units + 1, sizeof *shares);
    int code = shares ? PRUNE_OK : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    scan->levels = scan_levels;
    scan->n_levels = (int)(sizeof scan_levels / sizeof *scan_levels);
    if (!code) code = measure(bench, shares, &scan->dense_top1);
    for (int u = 0; u < scan->n_units && !code; u++) {
        for (int i = 0; i < scan->n_levels && !code; i++) {
            shares[u] = scan_levels[i];
            code = measure(bench, shares, &scan->units[u].top1[i]);
        }
        shares[u] = 0;
    }
    free(shares);
    return code;
}

/* ----------------------------------------------------------------------------------------------------------- limit -- */

/* What has really gone of a unit: whole channels, rounded. */
static double share_gone(const struct bench *bench, int unit, double share)
{
    const struct prune_channels *channels = &bench->model->channels;
    int family = bench->scan.units[unit].family, gone = 0;
    if (family < 0) return share;
    for (int g = 0; g < channels->n_groups; g++) gone += channels->groups[g].family == family && bench->model->removed[g];
    return (double)gone / channels->families[family].n_groups;
}

static int report_limit(const struct bench *bench, const double *shares, double top1)
{
    const struct prune_scan *scan = &bench->scan;
    printf("top1 %.2f %% of %.2f %% with every layer at its own limit:\n", top1, scan->dense_top1);
    for (int u = 0; u < scan->n_units; u++) printf("  layer %d %s: prune_sparsity=%.3f\n", scan->units[u].layer, scan->units[u].kind, share_gone(bench, u, shares[u]));
    return PRUNE_OK;
}

/* One number for all layers: from 1 to 2 it is a tolerance of 0 to 50 percentage points that a layer alone may cost; layers that cost nothing one by one may still cost together, so
 * below 1 it is the part of what they can lose at no cost. */
static double far_as(const struct prune_scan *scan, int unit, double far)
{
    return far < 1 ? far * prune_scan_share(scan, unit, 0) : prune_scan_share(scan, unit, 50 * (far - 1));
}

int prune_limit_auto(struct prune_model *model, const struct prune_limit_options *options, struct prune_folding *folding)
{
    struct bench bench;
    double *shares = NULL, *best = NULL, best_top1 = 0;
    int code = open_bench(&bench, model, options);
    if (!code) code = run_scan(&bench);
    if (code) goto done;
    shares = calloc((size_t)bench.scan.n_units + 1, sizeof *shares);
    best = calloc((size_t)bench.scan.n_units + 1, sizeof *best);
    if (!shares || !best) {
        code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        goto done;
    }
    best_top1 = bench.scan.dense_top1;
    double low = 0, high = 2;                   /* how far the layers go, by far_as */
    for (int step = 0; step < 12; step++) {
        double middle = (low + high) / 2, top1;
        for (int u = 0; u < bench.scan.n_units; u++) shares[u] = far_as(&bench.scan, u, middle);
        if ((code = measure(&bench, shares, &top1))) goto done;
        if (bench.scan.dense_top1 - top1 <= options->drop) {
            low = middle;
            best_top1 = top1;
            memcpy(best, shares, (size_t)bench.scan.n_units * sizeof *best);
        } else {
            high = middle;
        }
    }
    code = prune_units(&bench, best, folding);
    if (!code) code = report_limit(&bench, best, best_top1);
done:
    free(shares);
    free(best);
    close_bench(&bench);
    return code;
}

/* --------------------------------------------------------------------------------------------------------- command -- */

struct scan_words {
    const char *words[3], *svg;
    int n, json;
    double drop;
    long images;
    struct prune_settings settings;
};

static int parse_scan(struct scan_words *words, int argc, char **argv)
{
    words->n = 0;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        char *rest = "";
        if (!strcmp(argv[i], "-json")) {
            words->json = 1;
        } else if (!strcmp(argv[i], "-svg")) {
            if (!value) return prune_fail(PRUNE_ERR_USAGE, "-svg needs a file");
            words->svg = argv[++i];
        } else if (!strcmp(argv[i], "-drop")) {
            words->drop = value ? strtod(value, &rest) : -1;
            if (!value || *rest || !(words->drop >= 0 && words->drop <= 100)) return prune_fail(PRUNE_ERR_USAGE, "-drop: must be percentage points, 0 to 100");
            i++;
        } else if (!strcmp(argv[i], "-images")) {
            words->images = value ? strtol(value, &rest, 10) : -1;
            if (!value || *rest || words->images < 1) return prune_fail(PRUNE_ERR_USAGE, "-images: must be a whole number from 1");
            i++;
        } else if (argv[i][0] == '-' && argv[i][1]) {
            int taken = prune_settings_option(&words->settings, argv[i] + 1, value);
            if (taken == 0) return prune_fail(PRUNE_ERR_USAGE, "unknown option %s (see darknet prune help scan)", argv[i]);
            if (taken < 0) return taken;
            i++;
        } else if (words->n == 3) {
            return prune_fail(PRUNE_ERR_USAGE, "one word too many: %s", argv[i]);
        } else {
            words->words[words->n++] = argv[i];
        }
    }
    return words->n == 3 ? PRUNE_OK : prune_fail(PRUNE_ERR_USAGE, "scan needs <data> <cfg> <weights>");
}

int prune_scan_command(int argc, char **argv)
{
    struct scan_words words = { .drop = 0.5 };
    struct prune_model model;
    struct bench bench;
    prune_settings_default(&words.settings);
    int code = parse_scan(&words, argc, argv);
    if (!code) code = prune_model_open(&model, words.words[1], words.words[2]);
    if (code) return code;
    prune_settings_default(&words.settings);            /* the cfg's keys first, so that options win */
    code = prune_settings_from_cfg(&words.settings, &model.cfg);
    if (!code) code = parse_scan(&words, argc, argv);
    if (!code) code = prune_settings_resolve(&words.settings);
    struct prune_limit_options options = { words.words[2], words.words[0], &words.settings, words.drop, (size_t)words.images };
    if (code) goto done;
    code = open_bench(&bench, &model, &options);
    if (!code) code = run_scan(&bench);
    if (!code) code = words.json ? prune_scan_json(stdout, &bench.scan, words.drop) : prune_scan_text(stdout, &bench.scan, words.drop);
    if (!code && fflush(stdout)) code = prune_fail(PRUNE_ERR_IO, "cannot write the table: %s", strerror(errno));
    if (!code && words.svg) code = prune_scan_svg(&bench.scan, words.svg, words.words[1]);
    close_bench(&bench);
done:
    prune_model_free(&model);
    return code;
}
