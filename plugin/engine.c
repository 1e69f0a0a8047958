/* engine.c - runs layers on a pool of threads
 *
 * In: ops (engine_plan.c, host_inference.c), input (batch, inputs). Out: output (batch, outputs). A thread takes rows of outputs or filters of a convolution, as its plan says, and
 * planes or floats of other layers.
 */
#include "engine.h"

#include <stdlib.h>
#include <string.h>

int prune_engine_open(struct prune_engine *engine, int n_threads)
{
    *engine = (struct prune_engine){ .kernels = prune_kernels_best(), .n_threads = n_threads ? n_threads : prune_threads_default() };
    if (!engine->kernels) return PRUNE_ERR_UNSUPPORTED;
    engine->threads = prune_threads_new(engine->n_threads);
    engine->scratch = calloc((size_t)engine->n_threads, sizeof *engine->scratch);
    if (engine->threads && engine->scratch) return PRUNE_OK;
    prune_engine_close(engine);
    return prune_fail(PRUNE_ERR_NOMEM, "cannot start %d threads", engine->n_threads);
}

void prune_engine_close(struct prune_engine *engine)
{
    for (int i = 0; engine->scratch && i < engine->n_threads; i++) free(engine->scratch[i]);
    free(engine->scratch);
    free(engine->remembered);
    prune_threads_free(engine->threads);
    memset(engine, 0, sizeof *engine);
}

void prune_op_free(struct prune_op *op)
{
    if (op->kind == PRUNE_OP_CONV) prune_conv_free(&op->conv);
    if (op->kind == PRUNE_OP_CONNECTED) prune_connected_free(&op->connected);
    free(op->scale);
    free(op->bias);
    free(op->routes);
    free(op->route_sizes);
    memset(op, 0, sizeof *op);
}

/* Zeroed when it grows: lanes that no pixel fills are computed too, and must not be slow numbers. */
static int reserve(struct prune_engine *engine, size_t floats)
{
    if (floats <= engine->scratch_floats) return PRUNE_OK;
    size_t bytes = (floats * sizeof(float) + 63) / 64 * 64;
    for (int i = 0; i < engine->n_threads; i++) {
        free(engine->scratch[i]);
        engine->scratch_floats = 0;
        engine->scratch[i] = aligned_alloc(64, bytes);
        if (!engine->scratch[i]) return prune_fail(PRUNE_ERR_NOMEM, "out of memory for a layer's input in lanes");
        memset(engine->scratch[i], 0, bytes);
    }
    engine->scratch_floats = floats;
    return PRUNE_OK;
}

struct job {
    const struct prune_engine *engine;
    const struct prune_op *op;
    const float *in;
    float *out;
};

static size_t share(size_t n, int part, int parts) { return n * (size_t)part / (size_t)parts; }

static void run_route(const struct prune_op *op, int image, float *out, int part, int parts)
{
    size_t begin = share(op->outputs, part, parts), end = share(op->outputs, part + 1, parts), at = 0;
    for (int i = 0; i < op->n_routes; i++) {
        size_t size = op->route_sizes[i], from = begin > at ? begin - at : 0, to = end > at ? end - at : 0;
        if (to > size) to = size;
        if (from < to) memcpy(out + at + from, op->routes[i] + (size_t)image * size + from, (to - from) * sizeof(float));
        at += size;
    }
}

/* x, y and from the fourth on all entries of each box are logistic; w and h are copied. */
static void run_yolo(const struct prune_layer_kernels *kernels, const struct prune_op *op, const float *in, float *out, int part, int parts)
{
    size_t places = op->outputs / (size_t)op->planes, entries = (size_t)op->planes / (size_t)op->groups;
    for (size_t plane = share((size_t)op->planes, part, parts); plane < share((size_t)op->planes, part + 1, parts); plane++) {
        size_t entry = plane % entries;
        if (entry == 2 || entry == 3) memcpy(out + plane * places, in + plane * places, places * sizeof(float));
        else kernels->activate(places, in + plane * places, PRUNE_LOGISTIC_ACTIVATION, out + plane * places);
    }
}

static void run_image(const struct job *job, int image, int part, int parts)
{
    const struct prune_op *op = job->op;
    const struct prune_kernels *kernels = job->engine->kernels;
    const struct prune_layer_kernels *layers = &kernels->layers;
    const float *in = job->in + (size_t)image * op->inputs;
    float *out = job->out + (size_t)image * op->outputs;
    size_t in_plane = op->planes ? op->inputs / (size_t)op->planes : 0, out_plane = op->planes ? op->outputs / (size_t)op->planes : 0;
    size_t plane = share((size_t)op->planes, part, parts), planes = share((size_t)op->planes, part + 1, parts) - plane;
    size_t at = share(op->outputs, part, parts), n = share(op->outputs, part + 1, parts) - at;
    switch (op->kind) {
    case PRUNE_OP_CONV:
        if (part < op->conv.plan.regions * op->conv.plan.parts) prune_conv_run(&op->conv, in, out, job->engine->scratch[part], part);
        break;
    case PRUNE_OP_CONNECTED: {
        struct prune_finish finish = { op->scale, op->bias, op->activation };
        prune_connected_choose(&kernels->connected, op->connected.form)(&op->connected, in, &finish, out, prune_connected_part(&op->connected, part, parts),
                                                                         prune_connected_part(&op->connected, part + 1, parts));
        break;
    }
    case PRUNE_OP_MAXPOOL: layers->maxpool(&op->pool, (int)planes, in + plane * in_plane, out + plane * out_plane); break;
    case PRUNE_OP_AVGPOOL: layers->avgpool((int)planes, in_plane, in + plane * in_plane, out + plane); break;
    case PRUNE_OP_UPSAMPLE: layers->upsample((int)planes, op->pool.w, op->pool.h, op->pool.stride, op->factor, in + plane * in_plane, out + plane * out_plane); break;
    case PRUNE_OP_ADD:
        layers->add(n, op->shortcut.s1, in + at, op->shortcut.s2, op->from + (size_t)image * op->outputs + at, op->activation, out + at);
        break;
    case PRUNE_OP_SHORTCUT:
        memcpy(out + plane * out_plane, in + plane * out_plane, planes * out_plane * sizeof(float));
        layers->shortcut(&op->shortcut, (int)plane, (int)(plane + planes), op->from + (size_t)image * (size_t)op->shortcut.w1 * (size_t)op->shortcut.h1 * (size_t)op->shortcut.c1, out);
        layers->activate(planes * out_plane, out + plane * out_plane, op->activation, out + plane * out_plane);
        break;
    case PRUNE_OP_ROUTE: run_route(op, image, out, part, parts); break;
    case PRUNE_OP_ACTIVATE: layers->activate(n, in + at, op->activation, out + at); break;
    case PRUNE_OP_REORG: layers->reorg(&op->reorg, (int)plane, (int)(plane + planes), in, out); break;
    case PRUNE_OP_SOFTMAX:
        for (size_t g = share((size_t)op->groups, part, parts); g < share((size_t)op->groups, part + 1, parts); g++)
            layers->softmax(op->outputs / (size_t)op->groups, in + g * (op->outputs / (size_t)op->groups), op->factor, out + g * (op->outputs / (size_t)op->groups));
        break;
    case PRUNE_OP_YOLO: run_yolo(layers, op, in, out, part, parts); break;
    case PRUNE_OP_NONE: break;
    }
}

static void work(void *context, int part, int parts)
{
    const struct job *job = context;
    for (int image = 0; image < job->op->batch; image++) run_image(job, image, part, parts);
}

/* A layer that takes a core a few microseconds is not worth waking another one. */
static int is_small(const struct prune_op *op)
{
    if (op->kind == PRUNE_OP_CONV) return op->conv.plan.regions * op->conv.plan.parts == 1;
    if (op->kind == PRUNE_OP_CONNECTED) return (op->connected.weights ? (size_t)op->connected.outputs * (size_t)op->connected.inputs * sizeof(float) : op->connected.bytes) < 1 << 18;
    return (op->inputs + op->outputs) * (size_t)op->batch < 1 << 15;
}

int prune_engine_run(struct prune_engine *engine, const struct prune_op *op, const float *in, float *out)
{
    struct job job = { engine, op, in, out };
    if (op->kind == PRUNE_OP_CONV) {
        int code = reserve(engine, op->conv.plan.packed_floats + op->conv.plan.sums_floats);
        if (code) return code;
    }
    if (engine->n_threads == 1 || is_small(op)) work(&job, 0, 1);
    else prune_threads_run(engine->threads, work, &job);
    return PRUNE_OK;
}
