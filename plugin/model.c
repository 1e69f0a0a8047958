/* model.c - a cfg of any fork with its weights, and what becomes of it when channels go
 *
 * In: two files. Out: everything that is worked out from them, in one struct; `darknet prune compact` as a whole.
 */
#include "prune.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

int prune_model_open(struct prune_model *model, const char *cfg_path, const char *weights_path)
{
    *model = (struct prune_model){ 0 };
    struct prune_settings settings;
    prune_settings_default(&settings);
    uint64_t bytes = 0;
    int code = prune_cfg_read(&model->cfg, cfg_path);
    if (!code) code = prune_settings_from_cfg(&settings, &model->cfg);
    if (!code && weights_path) code = prune_weights_bytes(weights_path, &bytes);
    if (!code) code = prune_graph_build_any(&model->graph, &model->cfg, bytes);
    if (!code) code = prune_channels_build(&model->channels, &model->graph);
    if (!code && weights_path) code = prune_weights_read(&model->weights, &model->graph, weights_path);
    if (code) goto done;
    model->params = calloc((size_t)model->graph.n_nodes + 1, sizeof *model->params);
    model->removed = calloc((size_t)model->channels.n_groups + 1, 1);
    if (!model->params || !model->removed) code = prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", cfg_path);
    else if (weights_path) prune_weights_params(&model->weights, &model->graph, model->params);
done:
    if (code) prune_model_free(model);
    return code;
}

void prune_model_free(struct prune_model *model)
{
    free(model->params);
    free(model->removed);
    prune_weights_free(&model->weights);
    prune_channels_free(&model->channels);
    prune_graph_free(&model->graph);
    prune_cfg_free(&model->cfg);
    *model = (struct prune_model){ 0 };
}

char *prune_path_with(const char *weights_path, const char *ending)
{
    static const char *const tails[] = { ".weights", ".pweights" };
    size_t length = strlen(weights_path), whole = length;
    for (int i = 0; i < 2; i++) {
        size_t tail = strlen(tails[i]);
        if (whole > tail && !strcmp(weights_path + whole - tail, tails[i])) length = whole - tail;
    }
    char *path = malloc(length + strlen(ending) + 1);
    if (path) sprintf(path, "%.*s%s", (int)length, weights_path, ending);
    return path;
}

/* ---------------------------------------------------------------------------------------------------------- report -- */

static void print_ratio(FILE *out, const char *what, uint64_t before, uint64_t after)
{
    char first[27], second[27];
    fprintf(out, "%-12s %16s -> %16s  %6.2f %%\n", what, prune_report_thousands(before, first), prune_report_thousands(after, second),
            before ? 100 * (double)after / (double)before : 100.0);
}

static void print_folding(FILE *out, const struct prune_model *model, const struct prune_folding *folding)
{
    if (!folding || !folding->constants) return;
    fprintf(out, "constants of channels that went, taken into later layers: %d of %d", folding->folded, folding->constants);
    if (folding->dropped) fprintf(out, "; %d could not be", folding->dropped);
    if (folding->inexact) {
        fprintf(out, "; %d not exactly at padded borders, in layers", folding->inexact);
        for (int i = 0; folding->inexact_in && i < model->graph.n_nodes; i++)
            if (folding->inexact_in[i]) fprintf(out, " %d", i);
    }
    fputc('\n', out);
}

int prune_report_removed(FILE *out, const struct prune_model *model, const struct prune_folding *folding, int version1)
{
    const struct prune_graph *graph = &model->graph;
    struct prune_size whole, left;
    int *before = calloc((size_t)graph->n_nodes + 1, sizeof *before), *after = calloc((size_t)graph->n_nodes + 1, sizeof *after);
    uint8_t *none = calloc((size_t)model->channels.n_groups + 1, 1);
    int code = PRUNE_OK;
    if (!before || !after || !none) {
        code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
        goto done;
    }
    prune_channels_size(&model->channels, none, &whole, before);
    prune_channels_size(&model->channels, model->removed, &left, after);
    fputs("layer                    channels     kept\n", out);
    for (int i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i].n_weights && before[i] != after[i]) fprintf(out, "%5d %-18s %8d %8d\n", i, prune_kind_name(graph->nodes[i].kind), before[i], after[i]);
    print_ratio(out, "channels", whole.channels, left.channels);
    print_ratio(out, "weights", whole.weights, left.weights);
    print_ratio(out, "MACs", whole.macs, left.macs);
    print_ratio(out, "file bytes", model->weights.header_bytes + 4 * whole.floats, (version1 ? 16 : model->weights.header_bytes) + 4 * left.floats);
    print_folding(out, model, folding);
    code = prune_report_written(out);
done:
    free(before);
    free(after);
    free(none);
    return code;
}

int prune_compact_files(FILE *out, const char *cfg_path, const char *weights_path, const char *new_cfg, const char *new_weights, int version1)
{
    struct prune_model model;
    struct prune_folding folding = { 0 };
    int code = prune_compact_check(cfg_path, weights_path, new_cfg, new_weights);
    if (!code) code = prune_model_open(&model, cfg_path, weights_path);
    if (code) return code;
    code = prune_dead(&model.channels, model.params, model.removed, &folding);
    if (!code) prune_trap_avoid(&model.channels, model.removed);        /* what it keeps is silent */
    if (!code) code = prune_compact_write(&model.channels, &model.weights, model.removed, new_cfg, new_weights, version1);
    if (!code) code = prune_report_removed(out, &model, &folding, version1);
    prune_model_free(&model);
    return code;
}
