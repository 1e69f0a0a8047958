/* graph.c - the layers of a network, worked out from its cfg text
 *
 * In: struct prune_cfg. Out: struct prune_graph, every layer with its shape and its place in a .weights file; or one line
 * about the first thing that Darknet would crash on, read out of bounds or silently take for something else.
 *
 * [net] and what all layers have in common is here; what a kind makes of its input is in graph_shapes.c, _links.c, _recurrent.c and _heads.c.
 */
#include "graph_layer.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* -------------------------------------------------------------------------------------------------------- tables -- */

struct kind_row {
    const char *name;
    const char *alias;          /* Darknet's short form, or NULL */
    const char *wholes, *reals; /* numeric keys besides those that say the shape */
    const char *switches;       /* whole here, real in AlexeyAB's */
};

static const struct kind_row kinds[] = {
    [PRUNE_UNKNOWN] = { "unknown", NULL, "", "", "" },
    [PRUNE_CONVOLUTIONAL] = { "convolutional", "conv", "binary xnor bin_output sway rotate stretch stretch_sway", "dot", "" },
    [PRUNE_DECONVOLUTIONAL] = { "deconvolutional", "deconv", "", "", "" },
    [PRUNE_CONNECTED] = { "connected", "conn", "", "", "" },
    [PRUNE_LOCAL] = { "local", NULL, "", "", "" },
    [PRUNE_BATCHNORM] = { "batchnorm", NULL, "", "", "" },
    [PRUNE_MAXPOOL] = { "maxpool", "max", "", "", "" },
    [PRUNE_AVGPOOL] = { "avgpool", "avg", "", "", "" },
    [PRUNE_DROPOUT] = { "dropout", NULL, "", "probability", "" },
    [PRUNE_SOFTMAX] = { "softmax", "soft", "noloss", "temperature spatial", "" },
    [PRUNE_COST] = { "cost", NULL, "", "scale ratio noobj thresh", "" },
    [PRUNE_CROP] = { "crop", NULL, "flip noadjust", "angle saturation exposure shift", "" },
    [PRUNE_ROUTE] = { "route", NULL, "", "", "" },
    [PRUNE_SHORTCUT] = { "shortcut", NULL, "", "alpha beta", "" },
    [PRUNE_UPSAMPLE] = { "upsample", NULL, "", "scale", "" },
    [PRUNE_REORG] = { "reorg", NULL, "flatten extra", "", "" },
    [PRUNE_ACTIVATION] = { "activation", NULL, "", "", "" },
    [PRUNE_LOGISTIC] = { "logistic", NULL, "", "", "" },
    [PRUNE_L2NORM] = { "l2norm", NULL, "", "", "" },
    [PRUNE_NORMALIZATION] = { "normalization", "lrn", "", "alpha beta kappa", "" },
    [PRUNE_DETECTION] = { "detection", NULL, "rescore softmax sqrt max forced reorg", "coord_scale object_scale noobject_scale class_scale jitter", "random" },
    [PRUNE_REGION] = { "region", NULL, "log sqrt softmax background rescore classfix absolute bias_match",
                       "jitter thresh coord_scale object_scale noobject_scale mask_scale class_scale", "random" },
    [PRUNE_YOLO] = { "yolo", NULL, "", "jitter ignore_thresh truth_thresh", "random" },
    [PRUNE_ISEG] = { "iseg", NULL, "", "", "" },
    [PRUNE_RNN] = { "rnn", NULL, "shortcut", "", "" },
    [PRUNE_GRU] = { "gru", NULL, "tanh", "", "" },
    [PRUNE_LSTM] = { "lstm", NULL, "", "", "" },
    [PRUNE_CRNN] = { "crnn", NULL, "shortcut", "", "" },
    [PRUNE_REORG3D] = { "reorg3d", NULL, "", "", "" },
    [PRUNE_SCALE_CHANNELS] = { "scale_channels", NULL, "", "", "" },
    [PRUNE_SAM] = { "sam", NULL, "", "", "" },
    [PRUNE_LOCAL_AVGPOOL] = { "local_avgpool", "local_avg", "", "", "" },
    [PRUNE_IMPLICIT] = { "implicit", NULL, "", "mean std", "" },
    [PRUNE_GAUSSIAN_YOLO] = { "Gaussian_yolo", NULL, "", "jitter ignore_thresh truth_thresh", "random" },
    [PRUNE_CONTRASTIVE] = { "contrastive", NULL, "", "temperature", "" },
    [PRUNE_CONV_LSTM] = { "conv_lstm", NULL, "shortcut", "", "" },
    [PRUNE_HISTORY] = { "history", NULL, "", "", "" },
    [PRUNE_EMPTY] = { "empty", "silence", "", "", "" },
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static const char net_wholes[] = "batch subdivisions time_steps notruth random adam height width channels inputs max_crop min_crop center burn_in step max_batches";
static const char net_reals[] = "learning_rate momentum decay B1 B2 eps max_ratio min_ratio clip angle aspect saturation exposure hue power scale gamma";
static const char layer_wholes[] = "truth onlyforward stopbackward dontsave dontload numload dontloadscales";
static const char layer_reals[] = "learning_rate smooth";

/* Keys by which other forks give a layer another shape or another meaning, and which this Darknet only lists as unused. */
static const struct foreign_key {
    enum prune_kind kind;
    const char *name, *neutral; /* the value that changes nothing, or NULL */
} foreign_keys[] = {
    { PRUNE_ROUTE, "groups", "1" }, { PRUNE_ROUTE, "group_id", NULL },
    { PRUNE_SHORTCUT, "weights_type", "none" },
    { PRUNE_CONVOLUTIONAL, "stride_x", NULL }, { PRUNE_CONVOLUTIONAL, "stride_y", NULL }, { PRUNE_CONVOLUTIONAL, "dilation", "1" },
    { PRUNE_CONVOLUTIONAL, "antialiasing", "0" }, { PRUNE_CONVOLUTIONAL, "share_index", NULL }, { PRUNE_CONVOLUTIONAL, "cbn", "0" },
    { PRUNE_CONVOLUTIONAL, "bin_output", "0" }, { PRUNE_CONVOLUTIONAL, "sway", "0" }, { PRUNE_CONVOLUTIONAL, "rotate", "0" },
    { PRUNE_CONVOLUTIONAL, "stretch", "0" }, { PRUNE_CONVOLUTIONAL, "stretch_sway", "0" },
    { PRUNE_MAXPOOL, "stride_x", NULL }, { PRUNE_MAXPOOL, "stride_y", NULL }, { PRUNE_MAXPOOL, "maxpool_depth", "0" },
    { PRUNE_MAXPOOL, "antialiasing", "0" },
    { PRUNE_CRNN, "hidden", NULL }, { PRUNE_CRNN, "output", NULL }, { PRUNE_YOLO, "new_coords", "0" },
};
enum { N_FOREIGN_KEYS = sizeof foreign_keys / sizeof *foreign_keys };

int prune_kind_has_filters(enum prune_kind kind)
{
    return kind == PRUNE_CONVOLUTIONAL || kind == PRUNE_DECONVOLUTIONAL || kind == PRUNE_CONNECTED || kind == PRUNE_LOCAL;
}

const char *prune_kind_name(enum prune_kind kind)
{
    return (int)kind < 0 || (int)kind >= N_KINDS ? kinds[PRUNE_UNKNOWN].name : kinds[kind].name;
}

/* `text` is "[conv]". */
static enum prune_kind kind_of(const char *text)
{
    size_t length = strlen(text);
    if (length < 3) return PRUNE_UNKNOWN;
    for (int k = PRUNE_UNKNOWN + 1; k < N_KINDS; k++) {
        const char *names[] = { kinds[k].name, kinds[k].alias };
        for (int i = 0; i < 2; i++)
            if (names[i] && strlen(names[i]) == length - 2 && !memcmp(names[i], text + 1, length - 2)) return (enum prune_kind)k;
    }
    return PRUNE_UNKNOWN;
}

/* -------------------------------------------------------------------------------------------- checks on key texts -- */

/* Each of the space-separated names, where the section has it, must be a number. */
static int check_numbers(const struct prune_cfg *cfg, const struct prune_section *section, const char *names, int whole)
{
    while (*names) {
        char name[32];
        size_t length = strcspn(names, " ");
        memcpy(name, names, length);            /* the tables are ours: no name is longer than 31 */
        name[length] = '\0';
        int n, code;
        float x;
        code = whole ? prune_cfg_int(cfg, section, name, 0, &n) : prune_cfg_float(cfg, section, name, 0, &x);
        if (code) return code;
        names += length;
        names += strspn(names, " ");
    }
    return PRUNE_OK;
}

int prune_graph_is_foreign(struct prune_graph *graph, const struct prune_section *section)
{
    if (graph->dialect == PRUNE_THIS_DARKNET) return 0;
    if (!graph->foreign) graph->foreign = section;
    return 1;
}

static int check_foreign(struct prune_graph *graph, const struct prune_section *section, enum prune_kind kind)
{
    for (int i = 0; i < N_FOREIGN_KEYS; i++) {
        const struct foreign_key *key = &foreign_keys[i];
        const char *value = key->kind == kind ? prune_cfg_find(section, key->name) : NULL;
        if (value && (!key->neutral || strcmp(value, key->neutral)) && !prune_graph_is_foreign(graph, section))
            return prune_cfg_fail(PRUNE_ERR_UNSUPPORTED, graph->cfg, section, key->name, "%s=%.40s is not known to this Darknet, which would ignore it",
                                  key->name, value);
    }
    return PRUNE_OK;
}

/* ---------------------------------------------------------------------------------------------------------- [net] -- */

static int net_int(const struct prune_cfg *cfg, const char *name, int fallback, int low, int *value)
{
    int code = prune_cfg_int(cfg, &cfg->sections[0], name, fallback, value);
    if (code || *value >= low) return code;
    return prune_cfg_fail(PRUNE_ERR_RANGE, cfg, &cfg->sections[0], name, "%s=%d: must be at least %d", name, *value, low);
}

static int check_policy(struct prune_graph *graph)
{
    const struct prune_cfg *cfg = graph->cfg;
    const struct prune_section *net = &cfg->sections[0];
    const char *const known[] = { "constant", "step", "steps", "exp", "poly", "sigmoid", "random", NULL };
    const char *policy = prune_cfg_find(net, "policy");
    if (!policy) return PRUNE_OK;
    int i = 0, step, code;
    while (known[i] && strcmp(known[i], policy)) i++;
    if (!known[i]) {
        int sgdr = !strcmp(policy, "sgdr") && prune_graph_is_foreign(graph, net);
        if (sgdr) return PRUNE_OK;
        return prune_cfg_fail(PRUNE_ERR_RANGE, cfg, net, "policy", "policy=%.40s: must be one of constant step steps exp poly sigmoid random%s", policy,
                              graph->dialect == PRUNE_THIS_DARKNET ? "" : " sgdr");
    }
    if (!strcmp(policy, "step")) return net_int(cfg, "step", 1, 1, &step);
    if (strcmp(policy, "steps")) return PRUNE_OK;

    double *steps = NULL, *scales = NULL;
    int n_steps, n_scales;
    if ((code = prune_cfg_list(cfg, net, "steps", 1, &steps, &n_steps))) goto done;
    if ((code = prune_cfg_list(cfg, net, "scales", 0, &scales, &n_scales))) goto done;
    if (!steps || !scales)
        code = prune_cfg_fail(PRUNE_ERR_FORMAT, cfg, net, "policy", "policy=steps needs %s=", steps ? "scales" : "steps");
    else if (n_steps != n_scales && !(n_steps < n_scales && prune_graph_is_foreign(graph, net)))    /* AlexeyAB's does not look at more */
        code = prune_cfg_fail(PRUNE_ERR_SHAPE, cfg, net, "scales", "scales= has %d numbers for the %d of steps=; must be as many", n_scales, n_steps);
done:
    free(steps);
    free(scales);
    return code;
}

/* Also gives the images per pass of one layer, which Darknet multiplies with its outputs in an int; 1 if it is not to be run here. */
static int build_net(struct prune_graph *graph, int *images)
{
    const struct prune_cfg *cfg = graph->cfg;
    const struct prune_section *net = &cfg->sections[0];
    int inputs, time_steps, code;
    if ((code = check_numbers(cfg, net, net_wholes, 1))) return code;
    if ((code = check_numbers(cfg, net, net_reals, 0))) return code;
    if ((code = net_int(cfg, "batch", 1, 1, &graph->batch))) return code;
    if ((code = net_int(cfg, "subdivisions", 1, 1, &graph->subdivisions))) return code;
    if ((code = net_int(cfg, "time_steps", 1, 1, &time_steps))) return code;
    if ((code = net_int(cfg, "max_batches", 0, 0, &graph->max_batches))) return code;
    if ((code = net_int(cfg, "width", 0, 0, &graph->w))) return code;
    if ((code = net_int(cfg, "height", 0, 0, &graph->h))) return code;
    if ((code = net_int(cfg, "channels", 0, 0, &graph->c))) return code;
    if ((code = net_int(cfg, "inputs", 0, 0, &inputs))) return code;
    if (graph->batch < graph->subdivisions && !prune_graph_is_foreign(graph, net))      /* AlexeyAB's takes 1 image per pass then */
        return prune_cfg_fail(PRUNE_ERR_RANGE, cfg, net, "batch", "batch=%d is below subdivisions=%d; must be at least that", graph->batch, graph->subdivisions);
    *images = 1;
    if (graph->dialect == PRUNE_THIS_DARKNET && __builtin_mul_overflow(graph->batch / graph->subdivisions, time_steps, images))
        return prune_cfg_fail(PRUNE_ERR_RANGE, cfg, net, "time_steps", "batch / subdivisions * time_steps is beyond %d", INT_MAX);

    int pixels;
    if (__builtin_mul_overflow(graph->w, graph->h, &pixels) || __builtin_mul_overflow(pixels, graph->c, &pixels))
        return prune_cfg_fail(PRUNE_ERR_RANGE, cfg, net, "width", "width * height * channels is beyond %d", INT_MAX);
    if (!pixels && !inputs)
        return prune_cfg_fail(PRUNE_ERR_FORMAT, cfg, net, NULL, "width, height and channels, or inputs, must be given and at least 1");
    if (pixels && inputs && pixels != inputs)
        return prune_cfg_fail(PRUNE_ERR_SHAPE, cfg, net, "inputs", "inputs=%d is not width * height * channels, %d", inputs, pixels);
    graph->inputs = (size_t)(inputs ? inputs : pixels);
    return check_policy(graph);
}

/* --------------------------------------------------------------------------------------------------------- layers -- */

static int too_large(const struct prune_layer *layer, const char *what)
{
    return prune_cfg_fail(PRUNE_ERR_RANGE, layer->cfg, layer->section, NULL, "more than %d %s, where Darknet's arithmetic overflows", INT_MAX, what);
}

/* From the wide numbers of `layer` to its node. */
static int finish_node(struct prune_layer *layer, int images)
{
    struct prune_node *node = layer->node;
    int flat = !layer->out_w && !layer->out_h && !layer->out_c;
    if (!flat && (layer->out_w < 1 || layer->out_h < 1 || layer->out_c < 1))
        return prune_cfg_fail(PRUNE_ERR_SHAPE, layer->cfg, layer->section, NULL, "its output would be %lldx%lldx%lld; every side must be at least 1",
                              (long long)layer->out_w, (long long)layer->out_h, (long long)layer->out_c);
    int64_t outputs = layer->outputs, all;
    if (!flat && (__builtin_mul_overflow(layer->out_w, layer->out_h, &outputs) || __builtin_mul_overflow(outputs, layer->out_c, &outputs)))
        return too_large(layer, "outputs");
    if (outputs > INT_MAX) return too_large(layer, "outputs");
    if (outputs < 1 && node->kind != PRUNE_UNKNOWN) return prune_cfg_fail(PRUNE_ERR_SHAPE, layer->cfg, layer->section, NULL, "has no output");
    if (__builtin_mul_overflow(outputs, images, &all) || all > INT_MAX) return too_large(layer, "outputs in one pass (times batch / subdivisions * time_steps)");
    if (layer->n_weights > INT_MAX) return too_large(layer, "weights");
    if (layer->n_biases > INT_MAX) return too_large(layer, "biases");

    node->out_w = (int)layer->out_w;            /* no side is larger than the product */
    node->out_h = (int)layer->out_h;
    node->out_c = (int)layer->out_c;
    node->outputs = (size_t)outputs;
    node->n_weights = (size_t)layer->n_weights;
    node->n_biases = (size_t)layer->n_biases;
    node->macs = (uint64_t)layer->n_weights * (uint64_t)layer->uses;   /* below 2^62: uses are pixels of an input or output */
    if (node->kind == PRUNE_ROUTE) node->inputs = node->outputs;
    int dontsave, code = prune_cfg_int(layer->cfg, layer->section, "dontsave", 0, &dontsave);
    int saved = node->share < 0 && (!dontsave || layer->graph->dialect == PRUNE_ALEXEYAB);  /* whose save knows no such key */
    node->n_floats = saved ? node->n_weights + node->n_biases : 0;
    return code;
}

static int build_node(struct prune_graph *graph, int index, int images)
{
    const struct prune_cfg *cfg = graph->cfg;
    const struct prune_section *section = &cfg->sections[index + 1];
    struct prune_node *node = &graph->nodes[index];
    const struct prune_node *before = index ? node - 1 : NULL;
    int numload, code;

    node->section = section;
    node->kind = kind_of(section->kind);
    if ((node->kind == PRUNE_UNKNOWN || node->kind >= PRUNE_REORG3D) && !prune_graph_is_foreign(graph, section))
        return prune_fail(PRUNE_ERR_UNSUPPORTED, "%s:%d: layer %d %.40s is not known to this Darknet", cfg->path, section->line, index, section->kind);
    node->w = before ? before->out_w : graph->w;
    node->h = before ? before->out_h : graph->h;
    node->c = before ? before->out_c : graph->c;
    node->inputs = before ? before->outputs : graph->inputs;

    int reads = node->kind != PRUNE_ROUTE && node->kind != PRUNE_IMPLICIT && node->kind != PRUNE_UNKNOWN;
    if (before && before->kind == PRUNE_UNKNOWN && reads)
        return prune_cfg_fail(PRUNE_ERR_UNSUPPORTED, cfg, section, NULL, "reads layer %d %.40s, whose kind is not known", index - 1, before->section->kind);

    if ((code = check_numbers(cfg, section, kinds[node->kind].wholes, 1))) return code;
    if ((code = check_numbers(cfg, section, kinds[node->kind].switches, graph->dialect == PRUNE_THIS_DARKNET))) return code;
    if ((code = check_numbers(cfg, section, kinds[node->kind].reals, 0))) return code;
    if ((code = check_numbers(cfg, section, layer_wholes, 1))) return code;
    if ((code = check_numbers(cfg, section, layer_reals, 0))) return code;
    if ((code = check_foreign(graph, section, node->kind))) return code;

    struct prune_layer layer = { .cfg = cfg, .section = section, .graph = graph, .node = node, .index = index };
    if ((code = prune_layer_shape(&layer))) return code;
    if ((code = finish_node(&layer, images))) return code;

    if ((code = prune_cfg_int(cfg, section, "numload", 0, &numload))) return code;
    if (node->kind == PRUNE_CONVOLUTIONAL && graph->dialect != PRUNE_ALEXEYAB && (numload < 0 || numload > node->filters))
        return prune_cfg_fail(PRUNE_ERR_RANGE, cfg, section, "numload", "numload=%d: must be 0 to filters=%d", numload, node->filters);
    return PRUNE_OK;
}

int prune_graph_build(struct prune_graph *graph, const struct prune_cfg *cfg, enum prune_dialect dialect)
{
    int images = 0, costs = 0, code;
    *graph = (struct prune_graph){ .cfg = cfg, .dialect = dialect };
    if ((code = build_net(graph, &images))) goto done;

    int n = cfg->n_sections - 1;
    graph->nodes = calloc(n ? (size_t)n : 1, sizeof *graph->nodes);
    if (!graph->nodes) {
        code = prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", cfg->path);
        goto done;
    }
    for (int i = 0; i < n; i++) {
        graph->n_nodes = i + 1;                 /* before the node is built: it may own memory when it fails */
        if ((code = build_node(graph, i, images))) goto done;
        costs += graph->nodes[i].kind == PRUNE_COST;
    }
    if (costs == n)                             /* Darknet looks for the last layer that is no cost, and would find none */
        code = prune_cfg_fail(PRUNE_ERR_SHAPE, cfg, &cfg->sections[0], NULL, "no layer %safter it", n ? "but [cost] " : "");

done:
    if (code) prune_graph_free(graph);
    return code;
}

/* A weight file of so many bytes, with the short or the long header. */
static int has_floats(uint64_t bytes, uint64_t floats)
{
    return bytes == 16 + 4 * floats || bytes == 20 + 4 * floats;
}

int prune_graph_build_any(struct prune_graph *graph, const struct prune_cfg *cfg, uint64_t weights_bytes)
{
    uint64_t floats = 0, more = 0;
    int code = prune_graph_build(graph, cfg, PRUNE_PJREDDIE);
    if (code) return code;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct prune_node *node = &graph->nodes[i];
        floats += node->n_floats;
        if (node->kind == PRUNE_BATCHNORM) more += (uint64_t)node->c;      /* biases, which only AlexeyAB's saves */
    }
    if (!graph->foreign && (has_floats(weights_bytes, floats) || !has_floats(weights_bytes, floats + more))) return PRUNE_OK;
    prune_graph_free(graph);
    return prune_graph_build(graph, cfg, PRUNE_ALEXEYAB);
}

void prune_graph_free(struct prune_graph *graph)
{
    for (int i = 0; i < graph->n_nodes; i++) free(graph->nodes[i].from);
    free(graph->nodes);
    *graph = (struct prune_graph){0};
}
