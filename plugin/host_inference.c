/* host_inference.c - the engine in Darknet's forward pass: the layers' `forward` pointers point to it while a pruned network is not trained
 *
 * The first layer's forward is a door. When a network that is not being trained comes through, its layers are planned, their dense weights given back to the system, and the pointers
 * of all that the engine computes are changed. When it is trained, or its weights are loaded or saved, everything is put back as it was.
 */
#include "host.h"
#include "engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef void forward_function(layer, network);

struct prune_inference {
    struct prune_engine engine;
    int open, planned, off;
    int all;                    /* it also takes networks that are not pruned */
    int n;                      /* layers */
    struct prune_op *ops;       /* n */
    forward_function **own;     /* n: Darknet's */
    uint8_t *released;          /* n: the dense weights are gone */
    int batch;                  /* of the network when it was planned */
    int most_batch;             /* that it had so far: arrays for training must have room for it */
    uintptr_t layout;           /* of its outputs in memory, then */
    char *weights_path;         /* or NULL */
};

enum { RELEASE_BYTES = 1 << 20 };

static void engine_layer(layer l, network net);
static void engine_door(layer l, network net);

struct prune_engines *prune_engines_of(network *net)
{
    if (!net->engines) net->engines = calloc(1, sizeof *net->engines);
    if (!net->engines) exit(-prune_fail(PRUNE_ERR_NOMEM, "out of memory"));
    return net->engines;
}

static struct prune_inference *inference_of(const network *net)
{
    return net->engines ? net->engines->inference : NULL;
}

/* ------------------------------------------------------------------------------------------------------------ ops -- */

static void fold(const layer *l, int n, float *scale, float *bias)
{
    for (int i = 0; i < n; i++) {
        double factor = l->batch_normalize ? l->scales[i] / (sqrt((double)l->rolling_variance[i]) + .000001) : 1;
        scale[i] = (float)factor;
        bias[i] = l->batch_normalize ? (float)(l->biases[i] - l->rolling_mean[i] * factor) : l->biases[i];
    }
}

/* Darknet's numbers of activations in the plugin's. */
static enum prune_activation activation_of(const layer *l)
{
    switch (l->activation) {
    case LINEAR: return PRUNE_LINEAR_ACTIVATION;
    case RELU: return PRUNE_RELU;
    case LEAKY: return PRUNE_LEAKY;
    case LOGISTIC: return PRUNE_LOGISTIC_ACTIVATION;
    default: return PRUNE_SWISH;        /* not one of the engine's */
    }
}

static int make_weighted(struct prune_inference *inference, const layer *l, struct prune_op *op)
{
    int n = l->type == CONVOLUTIONAL ? l->n : l->outputs, code;
    float *scale = malloc((size_t)n * sizeof *scale), *bias = malloc((size_t)n * sizeof *bias);
    if (!scale || !bias) code = prune_fail(PRUNE_ERR_NOMEM, "out of memory for a layer");
    else {
        struct prune_numbers numbers = { l->weights, scale, bias, activation_of(l) };
        fold(l, n, scale, bias);
        if (l->type == CONVOLUTIONAL) {
            struct prune_conv_shape shape = { l->c, l->h, l->w, l->n, l->size, l->stride, l->pad, l->groups, l->out_h, l->out_w };
            code = prune_engine_conv(&inference->engine, &shape, &numbers, op);
        } else code = prune_engine_connected(l->outputs, l->inputs, &numbers, op);
    }
    free(scale);
    free(bias);
    return code;
}

static int make_route(const network *net, const layer *l, struct prune_op *op)
{
    op->routes = malloc((size_t)l->n * sizeof *op->routes);
    op->route_sizes = malloc((size_t)l->n * sizeof *op->route_sizes);
    if (!op->routes || !op->route_sizes) return prune_fail(PRUNE_ERR_NOMEM, "out of memory for a layer");
    for (int i = 0; i < l->n; i++) {
        op->routes[i] = net->layers[l->input_layers[i]].output;
        op->route_sizes[i] = (size_t)l->input_sizes[i];
    }
    op->n_routes = l->n;
    op->kind = PRUNE_OP_ROUTE;
    return PRUNE_OK;
}

static void make_shortcut(const network *net, const layer *l, struct prune_op *op)
{
    op->shortcut = (struct prune_shortcut){ l->w, l->h, l->c, l->out_w, l->out_h, l->out_c, l->alpha, l->beta };
    op->from = net->layers[l->index].output;
    op->planes = l->out_c;
    op->kind = l->w == l->out_w && l->h == l->out_h && l->c == l->out_c ? PRUNE_OP_ADD : PRUNE_OP_SHORTCUT;
}

/* What the engine does for a layer; PRUNE_OP_NONE: nothing. */
static int make_op(struct prune_inference *inference, const network *net, int index, struct prune_op *op)
{
    const layer *l = &net->layers[index];
    *op = (struct prune_op){ .batch = l->batch, .inputs = (size_t)l->inputs, .outputs = (size_t)l->outputs, .activation = activation_of(l), .planes = l->c };
    struct prune_pool pool = { l->w, l->h, l->out_w, l->out_h, l->size, l->stride, l->pad };
    int fused = prune_activation_fused(op->activation);
    op->pool = pool;
    switch (l->type) {
    case CONVOLUTIONAL: return l->binary || l->xnor || !fused ? PRUNE_OK : make_weighted(inference, l, op);
    case CONNECTED: return fused ? make_weighted(inference, l, op) : PRUNE_OK;
    case MAXPOOL: op->kind = PRUNE_OP_MAXPOOL; break;
    case AVGPOOL: op->kind = PRUNE_OP_AVGPOOL; break;
    case UPSAMPLE:
        op->kind = l->reverse ? PRUNE_OP_NONE : PRUNE_OP_UPSAMPLE;
        op->factor = l->scale;
        break;
    case SHORTCUT: if (fused) make_shortcut(net, l, op); break;
    case ROUTE: return make_route(net, l, op);
    case ACTIVE: op->kind = fused ? PRUNE_OP_ACTIVATE : PRUNE_OP_NONE; break;
    case REORG:
        op->kind = l->flatten || l->extra || l->c % (l->stride * l->stride) ? PRUNE_OP_NONE : PRUNE_OP_REORG;
        op->reorg = (struct prune_reorg){ l->w, l->h, l->c, l->stride, l->reverse };
        op->planes = l->reverse ? l->c / (l->stride * l->stride) : l->c;
        break;
    case SOFTMAX:
        op->kind = l->softmax_tree ? PRUNE_OP_NONE : PRUNE_OP_SOFTMAX;
        op->factor = l->temperature;
        op->groups = l->groups;
        break;
    case YOLO:
        op->kind = PRUNE_OP_YOLO;
        op->groups = l->n;
        op->planes = l->n * (l->classes + 5);
        break;
    default: break;
    }
    return PRUNE_OK;
}

/* --------------------------------------------------------------------------------------------------- dense weights -- */

static size_t weight_floats(const layer *l)
{
    return l->type == CONVOLUTIONAL ? (size_t)l->nweights : (size_t)l->outputs * (size_t)l->inputs;
}

/* The pages go back to the system; the array stays where it is, full of zeros. */
static void release(struct prune_inference *inference, const layer *l, int index)
{
    const struct prune_op *op = &inference->ops[index];
    size_t bytes = weight_floats(l) * sizeof(float), page = (size_t)sysconf(_SC_PAGESIZE);
    if (bytes < RELEASE_BYTES || (op->kind == PRUNE_OP_CONNECTED && op->connected.form == PRUNE_FORM_DENSE)) return;
    uintptr_t begin = ((uintptr_t)l->weights + page - 1) / page * page, end = ((uintptr_t)l->weights + bytes) / page * page;
    if (madvise((void *)begin, end - begin, MADV_DONTNEED) == 0) inference->released[index] = 1;
}

static void restore(struct prune_inference *inference, const layer *l, int index)
{
    if (!inference->released[index]) return;
    if (l->type == CONVOLUTIONAL) prune_conv_restore(&inference->ops[index].conv, l->weights);
    else prune_connected_restore(&inference->ops[index].connected, l->weights);
    inference->released[index] = 0;
}

/* A layer's delta is only for training, and Darknet fills it with zeros before each forward pass. A dropout layer has that of the layer before. */
static void free_delta(network *net, int index)
{
    float *delta = net->layers[index].delta;
    for (int i = 0; i < net->n; i++)
        if (net->layers[i].delta == delta) net->layers[i].delta = NULL;
    free(delta);
}

static void restore_deltas(network *net)
{
    for (int i = 0; i < inference_of(net)->n; i++) {
        layer *l = &net->layers[i];
        if (l->delta || !inference_of(net)->ops || inference_of(net)->ops[i].kind == PRUNE_OP_NONE) continue;
        size_t batch = (size_t)(l->batch > inference_of(net)->most_batch ? l->batch : inference_of(net)->most_batch);
        l->delta = calloc(batch * (size_t)l->outputs, sizeof *l->delta);
        if (!l->delta) exit(-prune_fail(PRUNE_ERR_NOMEM, "out of memory for training"));
    }
    for (int i = 1; i < inference_of(net)->n; i++)
        if (net->layers[i].type == DROPOUT && !net->layers[i].delta) net->layers[i].delta = net->layers[i - 1].delta;
}

/* ------------------------------------------------------------------------------------------------- plan and undo -- */

/* Share of zeros from which a network counts as pruned: chance and initialisation give none. */
static int is_sparse(const layer *l)
{
    if ((l->type != CONVOLUTIONAL && l->type != CONNECTED) || l->binary || l->xnor) return 0;
    size_t n = weight_floats(l), zeros = 0;
    for (size_t i = 0; i < n; i++) zeros += l->weights[i] == 0;
    return zeros > n / 4;
}

static void put_back(network *net)
{
    struct prune_inference *inference = inference_of(net);
    if (!inference->planned) return;
    restore_deltas(net);
    for (int i = 0; i < inference->n; i++) {
        restore(inference, &net->layers[i], i);
        if (i > 0) net->layers[i].forward = inference->own[i];
        prune_op_free(&inference->ops[i]);
    }
    inference->planned = 0;
}

static void turn_off(network *net)
{
    put_back(net);
    net->layers[0].forward = inference_of(net)->own[0];
    inference_of(net)->off = 1;
}

static void plan_path(const struct prune_inference *inference, char *path, size_t n)
{
    snprintf(path, n, "%s.plan", inference->weights_path);
}

/* Another one when Darknet has resized layers, even if they have their old sizes again. */
static uintptr_t layout_of(const network *net)
{
    uintptr_t sum = 0;
    for (int i = 0; i < net->n; i++) sum = 31 * sum + (uintptr_t)net->layers[i].output + (uintptr_t)net->layers[i].outputs;
    return sum;
}

static int plan(network *net)
{
    struct prune_inference *inference = inference_of(net);
    if (!inference->open) {
        int code = prune_engine_open(&inference->engine, 0);
        if (code) return code;
        inference->open = 1;
        char path[4096];
        if (inference->weights_path) {
            plan_path(inference, path, sizeof path);
            code = prune_engine_load_plans(&inference->engine, path);
            if (code < 0) return code;
        }
    }
    inference->planned = 1;
    inference->layout = layout_of(net);
    inference->batch = net->batch;
    for (int i = 0; i < net->n; i++) {
        int code = make_op(inference, net, i, &inference->ops[i]);
        if (code) return code;
        layer *l = &net->layers[i];
        if (inference->ops[i].kind == PRUNE_OP_NONE) continue;
        if (l->type == CONVOLUTIONAL || l->type == CONNECTED) release(inference, l, i);
        if (i > 0) l->forward = engine_layer;
        if (l->type != SOFTMAX) free_delta(net, i);     /* Darknet's softmax writes it where there is a truth */
    }
    return PRUNE_OK;
}

static int wanted(const network *net)
{
    if (inference_of(net)->all) return 1;
    for (int i = 0; i < net->n; i++)
        if (is_sparse(&net->layers[i])) return 1;
    return 0;
}

static int changed(const network *net)
{
    const struct prune_inference *inference = inference_of(net);
    return inference->batch != net->batch || inference->layout != layout_of(net);
}

static void run(layer l, network net)
{
    struct prune_inference *inference = net.engines->inference;
    const struct prune_op *op = &inference->ops[net.index];
    if (op->kind == PRUNE_OP_NONE || (op->kind == PRUNE_OP_SOFTMAX && net.truth)) inference->own[net.index](l, net);
    else if (prune_engine_run(&inference->engine, op, net.input, l.output)) exit(1);
}

static void engine_layer(layer l, network net)
{
    run(l, net);
}

static void engine_door(layer l, network net)
{
    struct prune_inference *inference = net.engines->inference;
    if (inference->planned && changed(&net)) put_back(&net);
    int train = net.train || net.delta;         /* `darknet nightmare` goes back through a network without saying that it trains */
    if (!train && !inference->planned && wanted(&net)) {
        int code = plan(&net);
        if (code && code != PRUNE_ERR_UNSUPPORTED) exit(1);
    }
    if (train || !inference->planned) {
        turn_off(&net);
        net.layers[0].forward(l, net);
        return;
    }
    run(net.layers[0], net);
}

/* ------------------------------------------------------------------------------------------------------ for hooks -- */

void prune_take_options(int argc, char **argv)
{
    for (int i = 2; i < argc && argv[i]; i++) {
        int words = 0;
        if (!strcmp(argv[i], "-nosparse") || !strcmp(argv[i], "-sparse")) {
            setenv("DARKNET_SPARSE", argv[i][1] == 'n' ? "0" : "1", 1);
            words = 1;
        } else if (!strcmp(argv[i], "-threads")) {
            long threads;
            if (prune_option_whole("-threads", i + 1 < argc ? argv[i + 1] : NULL, 1, 1024, &threads)) exit(2);
            setenv("DARKNET_THREADS", argv[i + 1], 1);
            words = 2;
        }
        if (!words) continue;
        memmove(argv + i, argv + i + words, (size_t)(argc - i - words) * sizeof *argv);
        for (int j = argc - words; j < argc; j++) argv[j] = NULL;      /* as Darknet's find_arg */
        i--;
    }
}

static void arm(network *net)
{
    struct prune_inference *inference = calloc(1, sizeof *inference);
    if (inference) {
        inference->n = net->n;
        inference->ops = calloc((size_t)net->n, sizeof *inference->ops);
        inference->own = calloc((size_t)net->n, sizeof *inference->own);
        inference->released = calloc((size_t)net->n, sizeof *inference->released);
    }
    if (!inference || !inference->ops || !inference->own || !inference->released) exit(-prune_fail(PRUNE_ERR_NOMEM, "out of memory"));
    for (int i = 0; i < net->n; i++) inference->own[i] = net->layers[i].forward;
    prune_engines_of(net)->inference = inference;
}

static void off(network *net)
{
    if (inference_of(net) && !inference_of(net)->off) turn_off(net);
}

void prune_inference_free(network *net)
{
    struct prune_inference *inference = inference_of(net);
    if (!inference) return;
    off(net);
    if (inference->open) prune_engine_close(&inference->engine);
    free(inference->ops);
    free(inference->own);
    free(inference->released);
    free(inference->weights_path);
    free(inference);
    net->engines->inference = NULL;
}

void prune_inference_restore(network *net)
{
    if (inference_of(net)) put_back(net);
}

/* DARKNET_SPARSE: 0 the engine is off, 1 it also takes networks that are not pruned; else only pruned ones. A network that was only parsed may get any weights from its program: there is no telling when they are complete. */
void prune_inference_loaded(network *net, const char *path)
{
    const char *word = getenv("DARKNET_SPARSE");
    if (word && *word && strcmp(word, "0") && strcmp(word, "1")) prune_note("DARKNET_SPARSE=%.20s is neither 0 nor 1; it is passed over", word);
#ifdef GPU
    if (net->gpu_index >= 0) return;
#endif
    prune_training_detach(net);
    if (inference_of(net)) off(net);
    if (net->n == 0 || (word && !strcmp(word, "0"))) return;
    if (!inference_of(net)) arm(net);
    struct prune_inference *inference = inference_of(net);
    if (inference->open) prune_engine_close(&inference->engine);
    inference->open = inference->off = 0;
    inference->all = word && !strcmp(word, "1");
    free(inference->weights_path);
    inference->weights_path = strdup(path);
    if (net->batch > inference->most_batch) inference->most_batch = net->batch;
    net->layers[0].forward = engine_door;
}

const char *prune_inference_reason(const network *net, int layer)
{
    const struct prune_inference *inference = inference_of(net);
    if (!inference || !inference->planned || inference->ops[layer].kind == PRUNE_OP_NONE) return "Darknet's own";
    return inference->ops[layer].reason[0] ? inference->ops[layer].reason : "vectors and threads";
}

const char *prune_inference_kernels(const network *net)
{
    return inference_of(net) && inference_of(net)->planned ? inference_of(net)->engine.kernels->name : NULL;
}

int prune_inference_threads(const network *net)
{
    return inference_of(net) && inference_of(net)->planned ? inference_of(net)->engine.n_threads : 0;
}

int prune_inference_save(const network *net, FILE *out)
{
    return prune_engine_save_plans(&inference_of(net)->engine, out);
}
