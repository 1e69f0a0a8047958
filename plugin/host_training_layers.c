/* host_training_layers.c - a layer's forward and backward pass and its update, over the whole batch, on all threads
 *
 * In: outputs of the layers before, or gradients from the layers behind, in whatever layout they have. Out: the same of this layer, and its weight_updates, bias_updates and scale_updates. The
 * mathematics are those of Darknet's own layers.
 */
#include "host_training.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void softmax_x_ent_cpu(int n, float *pred, float *truth, float *delta, float *error);      /* Darknet's, in headers that it keeps to itself */

enum { HUGE_PAGE = 2 << 20 };

static const layer *layer_of(const struct prune_training *training, int i)
{
    return &training->net->layers[i];
}

/* -------------------------------------------------------------------------------------------------------------- memory -- */

float *prune_room_of(struct prune_room *room, size_t n)
{
    if (n <= room->n) return room->floats;
    free(room->floats);
    size_t bytes = n * sizeof(float), alignment = bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : 64;
    room->floats = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (!room->floats) exit(-prune_fail(PRUNE_ERR_NOMEM, "out of memory for training"));
    if (alignment == HUGE_PAGE) madvise(room->floats, bytes, MADV_HUGEPAGE);
    memset(room->floats, 0, bytes);
    room->n = n;
    return room->floats;
}

static float *temporary(struct prune_training *training, int i, enum prune_layout layout, struct prune_planes planes)
{
    return prune_room_of(&training->temporary[i], prune_array_floats(&training->batch, layout, planes));
}

const float *prune_trained_value(struct prune_training *training, int i, enum prune_layout layout)
{
    enum prune_layout own = i < 0 ? PRUNE_PLAIN : training->layers[i].layout;
    const float *out = i < 0 ? training->input : training->layers[i].out;
    if (own == layout) return out;
    struct prune_planes planes = i < 0 ? training->input_planes : training->layers[i].planes;
    struct prune_room *room = i < 0 ? &training->input_as[layout] : &training->layers[i].as_room[layout];
    int *is = i < 0 ? training->input_is : training->layers[i].as;
    float *values = prune_room_of(room, prune_array_floats(&training->batch, layout, planes));
    if (!is[layout]) prune_convert(&training->batch, planes, own, out, layout, 0, values);
    is[layout] = 1;
    return values;
}

/* ------------------------------------------------------------------------------------------- gradients to the layer before -- */

struct gift {                   /* a gradient on its way to the layer that it is for */
    struct prune_training *training;
    struct prune_trained *to;
    enum prune_layout layout;
    float *values;              /* where it is to be written */
    int direct;                 /* that is the layer's own delta */
    int first;                  /* it is to be written, not added */
};

/* `adds`: the giver can add as well as write. */
static struct gift gift_for(struct prune_training *training, int to, enum prune_layout layout, int adds)
{
    struct prune_trained *receiver = &training->layers[to];
    struct gift gift = { training, receiver, layout, receiver->delta, receiver->layout == layout && (adds || !receiver->delta_begun), !receiver->delta_begun };
    if (gift.direct) return gift;
    gift.values = temporary(training, 0, layout, receiver->planes);
    gift.first = 1;
    return gift;
}

static void give(const struct gift *gift)
{
    struct prune_trained *to = gift->to;
    int begun = to->delta_begun;
    to->delta_begun = 1;
    if (gift->direct) return;
    const struct prune_batch *batch = &gift->training->batch;
    enum prune_layout layout = gift->layout;
    const float *values = gift->values;
    if (begun && layout == PRUNE_PLAIN && to->layout != PRUNE_PLAIN) {
        float *converted = temporary(gift->training, 1, to->layout, to->planes);
        prune_convert(batch, to->planes, layout, values, to->layout, 0, converted);
        values = converted;
        layout = to->layout;
    }
    prune_convert(batch, to->planes, layout, values, to->layout, begun, to->delta);
}

/* Whether the layer before wants a gradient at all. */
static int wants_gradient(const struct prune_training *training, int to)
{
    return to >= 0 && training->layers[to].delta;
}

/* ----------------------------------------------------------------------------------------------------------------- jobs -- */

struct job {
    struct prune_training *training;
    struct prune_trained *layer;
    const struct layer *l;
    const float *in;            /* in the layout that the layer wants */
    float *sums;                /* where a weighted layer's sums of products go */
    const float *delta;         /* what its gradients are taken from; of a shortcut: the other layer's output */
    struct gift gift;           /* values NULL: nobody wants it */
    float factor;               /* of a gift */
    int failed[1024];           /* by part; prune_threads has no more */
};

static void *scratch_of(const struct job *job, int part)
{
    return job->training->scratch + (size_t)part * job->training->scratch_bytes;
}

static void run(struct job *job, void (*work)(void *, int, int))
{
    prune_threads_run(job->training->batch.threads, work, job);
    for (int part = 0; part < job->training->batch.parts; part++)
        if (job->failed[part]) exit(1);
}

static struct prune_norm_numbers numbers_of(const struct layer *l)
{
    return (struct prune_norm_numbers){ l->scales, l->biases, l->mean, l->variance, l->rolling_mean, l->rolling_variance, l->scale_updates, l->bias_updates };
}

/* -------------------------------------------------------------------------------------------- convolutional and connected -- */

/* oneDNN has some convolutions only for Darknet's own layout. */
static int is_plain(const struct prune_trained *layer)
{
    return layer->kind == PRUNE_TRAINED_CONV && !layer->sparse && prune_dense_conv_out(layer->dense_conv) == PRUNE_PLAIN;
}

static void take_weights(void *context, int part, int parts)
{
    struct job *job = context;
    struct prune_trained *layer = job->layer;
    (void)parts;
    if (layer->sparse) prune_sparse_conv_weights(layer->sparse_conv, job->l->weights, part);
    else job->failed[part] = prune_dense_conv_weights(layer->dense_conv, job->l->weights, part);
}

static void first_of_norm(void *context, int part, int parts)
{
    struct job *job = context;
    struct prune_trained *layer = job->layer;
    (void)parts;
    if (!layer->norm.normalised) prune_norm_apply(&layer->norm, layer->x, layer->out, part);
    else if (job->training->statistics) prune_norm_moments(&layer->norm, layer->x, part);
}

static void weighted_forward(void *context, int part, int parts)
{
    struct job *job = context;
    struct prune_trained *layer = job->layer;
    (void)parts;
    if (layer->sparse) prune_sparse_conv_forward(layer->sparse_conv, job->in, job->sums, scratch_of(job, part), part);
    else if (layer->kind == PRUNE_TRAINED_CONV) job->failed[part] = prune_dense_conv_forward(layer->dense_conv, job->in, job->sums, scratch_of(job, part), part);
    else job->failed[part] = prune_dense_connected_forward(&layer->dense_connected, job->l->weights, job->in, job->sums, part);
    if (job->sums == layer->x) first_of_norm(context, part, parts);
}

static void normalise(void *context, int part, int parts)
{
    struct job *job = context;
    (void)parts;
    prune_norm_apply(&job->layer->norm, job->layer->x, job->layer->out, part);
}

static void forward_weighted(struct job *job)
{
    struct prune_trained *layer = job->layer;
    struct prune_norm_numbers numbers = numbers_of(job->l);
    if (layer->sparse || layer->kind == PRUNE_TRAINED_CONV) run(job, take_weights);
    if (!layer->norm.normalised) prune_norm_settle(&layer->norm, &numbers, 0);
    job->sums = is_plain(layer) ? temporary(job->training, 1, PRUNE_PLAIN, layer->planes) : layer->x;
    run(job, weighted_forward);
    if (job->sums != layer->x) {
        prune_convert(&job->training->batch, layer->planes, PRUNE_PLAIN, job->sums, layer->layout, 0, layer->x);
        run(job, first_of_norm);
    }
    if (!layer->norm.normalised) return;
    prune_norm_settle(&layer->norm, &numbers, job->training->statistics);
    run(job, normalise);
}

/* A recovery rule looks at gradients that the sparse path does not compute. */
static int wants_all(const struct job *job)
{
    return job->training->all_gradients && !job->layer->complete;
}

static void back_sums(void *context, int part, int parts)
{
    struct job *job = context;
    (void)parts;
    prune_norm_back_sums(&job->layer->norm, job->layer->x, job->layer->out, job->layer->delta, part);
}

static void back_normalise(void *context, int part, int parts)
{
    struct job *job = context;
    (void)parts;
    prune_norm_back_apply(&job->layer->norm, job->layer->x, job->layer->delta, part);
}

static void conv_gradients(void *context, int part, int parts)
{
    struct job *job = context;
    struct prune_trained *layer = job->layer;
    const float *delta = job->delta;
    float *in_delta = job->gift.values;
    void *scratch = scratch_of(job, part);
    (void)parts;
    if (delta == layer->delta) prune_norm_back_apply(&layer->norm, layer->x, layer->delta, part);
    if (layer->sparse) {
        if (!wants_all(job)) prune_sparse_conv_back_weights(layer->sparse_conv, job->in, delta, scratch, part);
        if (in_delta) prune_sparse_conv_back_input(layer->sparse_conv, delta, in_delta, scratch, part);
        return;
    }
    job->failed[part] = prune_dense_conv_back_weights(layer->dense_conv, job->in, delta, scratch, part);
    if (!job->failed[part] && in_delta) job->failed[part] = prune_dense_conv_back_input(layer->dense_conv, delta, in_delta, scratch, part);
}

static void conv_updates(void *context, int part, int parts)
{
    struct job *job = context;
    (void)parts;
    if (job->layer->sparse) prune_sparse_conv_add_updates(job->layer->sparse_conv, job->l->weight_updates, part);
    else job->failed[part] = prune_dense_conv_add_updates(job->layer->dense_conv, job->l->weight_updates, part);
}

static void connected_gradients(void *context, int part, int parts)
{
    struct job *job = context;
    const struct prune_dense_connected *connected = &job->layer->dense_connected;
    (void)parts;
    job->failed[part] = prune_dense_connected_back_weights(connected, job->in, job->layer->delta, job->l->weight_updates, part);
    if (!job->failed[part] && job->gift.values) job->failed[part] = prune_dense_connected_back_input(connected, job->l->weights, job->layer->delta, job->gift.values, part);
}

static void dense_gradient(void *context, int part, int parts)
{
    struct job *job = context;
    (void)parts;
    if (job->layer->kind == PRUNE_TRAINED_CONNECTED)
        job->failed[part] = prune_dense_connected_back_weights(&job->layer->dense_connected, job->in, job->delta, job->l->weight_updates, part);
    else job->failed[part] = prune_dense_conv_back_weights(job->layer->dense_conv, job->in, job->delta, scratch_of(job, part), part);
}

static void dense_updates(void *context, int part, int parts)
{
    struct job *job = context;
    (void)parts;
    job->failed[part] = prune_dense_conv_add_updates(job->layer->dense_conv, job->l->weight_updates, part);
}

/* A sparse layer's gradient to all of its weights: the dense path, on copies in its layouts. */
static void gradient_to_all(struct job *job, int i)
{
    struct prune_training *training = job->training;
    struct prune_trained *layer = job->layer;
    int connected = layer->kind == PRUNE_TRAINED_CONNECTED;
    if (!connected && prune_trained_dense(training, i)) exit(1);
    struct prune_planes in_planes = { job->l->c, job->l->h * job->l->w };
    if (connected) in_planes = (struct prune_planes){ job->l->inputs, 1 };
    enum prune_layout in_layout = connected ? PRUNE_PLAIN : prune_dense_conv_in(layer->dense_conv), layout = connected ? PRUNE_PLAIN : prune_dense_conv_out(layer->dense_conv);
    float *in = temporary(training, 1, in_layout, in_planes), *delta = temporary(training, 2, layout, layer->planes);
    prune_convert(&training->batch, in_planes, layer->in_layout, job->in, in_layout, 0, in);
    prune_convert(&training->batch, layer->planes, layer->layout, layer->delta, layout, 0, delta);
    job->in = in;
    job->delta = delta;
    run(job, dense_gradient);
    if (connected) return;
    run(job, dense_updates);
    if (!prune_gradients_always(training->net->prune)) prune_trained_drop_dense(layer);
}

static void backward_weighted(struct job *job, int i)
{
    struct prune_training *training = job->training;
    struct prune_trained *layer = job->layer;
    struct prune_norm_numbers numbers = numbers_of(job->l);
    int conv = layer->sparse || layer->kind == PRUNE_TRAINED_CONV;
    run(job, back_sums);
    prune_norm_back_settle(&layer->norm, &numbers, training->statistics);
    if (wants_gradient(training, layer->source)) job->gift = gift_for(training, layer->source, layer->in_layout, 0);
    job->delta = layer->delta;
    if (conv) {
        if (is_plain(layer)) {
            float *plain = temporary(training, 1, PRUNE_PLAIN, layer->planes);
            if (layer->norm.normalised) run(job, back_normalise);
            prune_convert(&training->batch, layer->planes, layer->layout, layer->delta, PRUNE_PLAIN, 0, plain);
            job->delta = plain;
        }
        run(job, conv_gradients);
        if (!layer->sparse || !wants_all(job)) run(job, conv_updates);
    } else {
        if (layer->norm.normalised) run(job, back_normalise);
        run(job, connected_gradients);
    }
    if (job->gift.values) give(&job->gift);
    if (layer->sparse && wants_all(job)) gradient_to_all(job, i);
}

/* --------------------------------------------------------------------------------------------------------- other layers -- */

/* A part's blocks, all of them, of an array. */
static struct prune_vectors blocks_of(const struct job *job, enum prune_layout layout, struct prune_planes planes, int part, size_t *first)
{
    struct prune_share share = prune_part_of(&job->training->batch, layout, planes, part);
    *first = share.first;
    share.whole.blocks += share.rest.blocks;
    return share.whole;
}

static size_t floats_in(const struct job *job, const struct prune_vectors *blocks)
{
    return (size_t)blocks->blocks * (size_t)blocks->planes * (size_t)blocks->pixels * (size_t)job->training->batch.kernels->vector;
}

static struct prune_planes planes_before(const struct prune_training *training, int i)
{
    return i < 0 ? training->input_planes : training->layers[i].planes;
}

/* A part's planes, and where they begin in input and output. */
struct pooling {
    struct prune_pool pool;
    int planes, pixels;         /* pixels of the input */
    size_t in, out;
};

static struct pooling pooling_of(const struct job *job, int part)
{
    const struct layer *l = job->l;
    struct pooling pooling = { .pool = { l->w, l->h, l->out_w, l->out_h, l->size, l->stride, l->pad } };
    struct prune_vectors from = blocks_of(job, job->layer->layout, planes_before(job->training, job->layer->source), part, &pooling.in);
    blocks_of(job, job->layer->layout, job->layer->planes, part, &pooling.out);
    pooling.planes = from.blocks * from.planes;
    pooling.pixels = from.pixels;
    return pooling;
}

static void pool_forward(void *context, int part, int parts)
{
    const struct job *job = context;
    const struct prune_trained *layer = job->layer;
    const struct prune_train_kernels *kernels = &job->training->batch.kernels->train;
    struct pooling at = pooling_of(job, part);
    (void)parts;
    if (layer->kind == PRUNE_TRAINED_MAXPOOL) kernels->maxpool(&at.pool, at.planes, job->in + at.in, layer->out + at.out);
    else kernels->avgpool(at.planes, at.pixels, job->in + at.in, layer->out + at.out);
}

static void pool_back(void *context, int part, int parts)
{
    const struct job *job = context;
    const struct prune_trained *layer = job->layer;
    const struct prune_train_kernels *kernels = &job->training->batch.kernels->train;
    const struct gift *gift = &job->gift;
    struct pooling at = pooling_of(job, part);
    (void)parts;
    if (layer->kind == PRUNE_TRAINED_MAXPOOL) kernels->maxpool_back(&at.pool, at.planes, job->in + at.in, layer->out + at.out, layer->delta + at.out, gift->first, gift->values + at.in);
    else kernels->avgpool_back(at.planes, at.pixels, layer->delta + at.out, gift->first, gift->values + at.in);
}

static void activate_forward(void *context, int part, int parts)
{
    const struct job *job = context;
    size_t first;
    struct prune_vectors blocks = blocks_of(job, job->layer->layout, job->layer->planes, part, &first);
    (void)parts;
    job->training->batch.kernels->layers.activate(floats_in(job, &blocks), job->in + first, job->layer->activation, job->layer->out + first);
}

static void shortcut_forward(void *context, int part, int parts)
{
    const struct job *job = context;
    size_t first;
    struct prune_vectors blocks = blocks_of(job, job->layer->layout, job->layer->planes, part, &first);
    (void)parts;
    job->training->batch.kernels->layers.add(floats_in(job, &blocks), job->l->alpha, job->in + first, job->l->beta, job->delta + first, job->layer->activation, job->layer->out + first);
}

static void activate_back(void *context, int part, int parts)
{
    const struct job *job = context;
    size_t first;
    struct prune_vectors blocks = blocks_of(job, job->layer->layout, job->layer->planes, part, &first);
    (void)parts;
    if (blocks.blocks) job->training->batch.kernels->train.activate_back(&blocks, job->layer->out + first, job->layer->activation, job->layer->delta + first, NULL);
}

/* The layer's gradient, times a factor, to another layer of the same shape. */
static void pass_on(void *context, int part, int parts)
{
    const struct job *job = context;
    size_t first;
    struct prune_vectors blocks = blocks_of(job, job->layer->layout, job->layer->planes, part, &first);
    const float *delta = job->layer->delta + first;
    float *to = job->gift.values + first;
    (void)parts;
    job->training->batch.kernels->layers.add(floats_in(job, &blocks), job->gift.first ? 0 : 1, job->gift.first ? delta : to, job->factor, delta, PRUNE_LINEAR_ACTIVATION, to);
}

static void give_scaled(struct job *job, int to, float factor)
{
    if (!wants_gradient(job->training, to)) return;
    job->gift = gift_for(job->training, to, job->layer->layout, 1);
    job->factor = factor;
    run(job, pass_on);
    give(&job->gift);
}

static void softmax_forward(void *context, int part, int parts)
{
    const struct job *job = context;
    int groups = job->l->groups, n = job->l->inputs / groups, images = job->l->batch;
    for (int i = (int)((long)images * part / parts); i < (int)((long)images * (part + 1) / parts); i++)
        for (int g = 0; g < groups; g++) {
            size_t at = (size_t)i * (size_t)job->l->inputs + (size_t)g * (size_t)n;
            job->training->batch.kernels->layers.softmax((size_t)n, job->in + at, job->l->temperature, job->l->output + at);
        }
}

static void forward_softmax(struct job *job, const network *net)
{
    const struct layer *l = job->l;
    int n = l->batch * l->inputs;
    run(job, softmax_forward);
    if (!net->truth || l->noloss) return;
    softmax_x_ent_cpu(n, l->output, net->truth, l->delta, l->loss);
    l->cost[0] = sum_array(l->loss, n);
}

static void softmax_back(void *context, int part, int parts)
{
    const struct job *job = context;
    size_t n = (size_t)job->l->batch * (size_t)job->l->inputs, first = n * (size_t)part / (size_t)parts, end = n * ((size_t)part + 1) / (size_t)parts;
    const float *delta = job->l->delta + first;
    float *to = job->gift.values + first;
    job->training->batch.kernels->layers.add(end - first, job->gift.first ? 0 : 1, job->gift.first ? delta : to, 1, delta, PRUNE_LINEAR_ACTIVATION, to);
}

/* -------------------------------------------------------------------------------------------------------------- passes -- */

void prune_trained_forward(struct prune_training *training, int i, const network *net)
{
    struct prune_trained *layer = &training->layers[i];
    const struct layer *l = layer_of(training, i);
    struct job job = { .training = training, .layer = layer, .l = l, .in = prune_trained_value(training, layer->source, layer->in_layout) };
    switch (layer->kind) {
    case PRUNE_TRAINED_CONV:
    case PRUNE_TRAINED_CONNECTED: forward_weighted(&job); break;
    case PRUNE_TRAINED_MAXPOOL:
    case PRUNE_TRAINED_AVGPOOL: run(&job, pool_forward); break;
    case PRUNE_TRAINED_ACTIVATE: run(&job, activate_forward); break;
    case PRUNE_TRAINED_SHORTCUT:
        job.delta = prune_trained_value(training, layer->from, layer->layout);
        run(&job, shortcut_forward);
        break;
    case PRUNE_TRAINED_SOFTMAX: forward_softmax(&job, net); break;
    default: break;
    }
    if (layer->plain_out && layer->layout != PRUNE_PLAIN) prune_convert(&training->batch, layer->planes, layer->layout, layer->out, PRUNE_PLAIN, 0, l->output);
}

/* All that has come to its delta, in its own layout. */
static void complete_delta(struct prune_training *training, int i)
{
    struct prune_trained *layer = &training->layers[i];
    if (layer->layout == PRUNE_PLAIN) return;
    if (layer->plain_delta) {
        struct gift gift = gift_for(training, i, PRUNE_PLAIN, 0);
        gift.values = layer_of(training, i)->delta;
        give(&gift);
    }
    if (!layer->delta_begun) memset(layer->delta, 0, prune_array_floats(&training->batch, layer->layout, layer->planes) * sizeof(float));
    layer->delta_begun = 1;
}

static void forget_delta(struct prune_training *training, int i)
{
    if (i < 0) return;
    struct prune_trained *layer = &training->layers[i];
    const struct layer *l = layer_of(training, i);
    layer->delta_begun = 0;
    if (layer->plain_delta && l->delta) memset(l->delta, 0, (size_t)l->batch * (size_t)l->outputs * sizeof(float));
}

void prune_trained_backward(struct prune_training *training, int i)
{
    struct prune_trained *layer = &training->layers[i];
    struct job job = { .training = training, .layer = layer, .l = layer_of(training, i), .in = prune_trained_value(training, layer->source, layer->in_layout) };
    complete_delta(training, i);
    switch (layer->kind) {
    case PRUNE_TRAINED_CONV:
    case PRUNE_TRAINED_CONNECTED: backward_weighted(&job, i); break;
    case PRUNE_TRAINED_MAXPOOL:
    case PRUNE_TRAINED_AVGPOOL:
        if (!wants_gradient(training, layer->source)) break;
        job.gift = gift_for(training, layer->source, layer->in_layout, 1);
        run(&job, pool_back);
        give(&job.gift);
        break;
    case PRUNE_TRAINED_ACTIVATE:
        run(&job, activate_back);
        forget_delta(training, layer->source);      /* as Darknet's: what others gave is written over */
        give_scaled(&job, layer->source, 1);
        break;
    case PRUNE_TRAINED_SHORTCUT:
        run(&job, activate_back);
        give_scaled(&job, layer->source, job.l->alpha);
        give_scaled(&job, layer->from, job.l->beta);
        break;
    case PRUNE_TRAINED_SOFTMAX:
        if (!wants_gradient(training, layer->source)) break;
        job.gift = gift_for(training, layer->source, PRUNE_PLAIN, 1);
        run(&job, softmax_back);
        give(&job.gift);
        break;
    default: break;
    }
}

/* -------------------------------------------------------------------------------------------------------------- update -- */

struct update {
    struct prune_training *training;
    float rate, decay, momentum, batch;
    int dense;                  /* weights that the sparse path does not know move too: a rule moves pruned ones, or a step has just brought some back */
};

static void update_slice(const struct update *update, const struct layer *l, size_t n, int part, int parts)
{
    size_t first = n * (size_t)part / (size_t)parts, end = n * ((size_t)part + 1) / (size_t)parts;
    update->training->batch.kernels->train.update(end - first, update->decay * update->batch, update->rate * l->learning_rate_scale / update->batch, update->momentum, l->weights + first,
                                                  l->weight_updates + first);
}

static void step_few(const struct update *update, const struct layer *l, float *values, float *updates)
{
    float rate = update->rate * l->learning_rate_scale / update->batch;
    int n = l->type == CONVOLUTIONAL ? l->n : l->outputs;
    for (int i = 0; i < n; i++) {
        values[i] += rate * updates[i];
        updates[i] *= update->momentum;
    }
}

static void update_part(void *context, int part, int parts)
{
    const struct update *update = context;
    const struct prune_training *training = update->training;
    for (int i = 0; i < training->n; i++) {
        const struct prune_trained *layer = &training->layers[i];
        const struct layer *l = layer_of(training, i);
        if ((layer->kind != PRUNE_TRAINED_CONV && layer->kind != PRUNE_TRAINED_CONNECTED) || l->update) continue;
        if (part == i % parts) {
            step_few(update, l, l->biases, l->bias_updates);
            if (l->batch_normalize) step_few(update, l, l->scales, l->scale_updates);
        }
        if (layer->sparse && !update->dense)
            prune_sparse_conv_update(layer->sparse_conv, update->decay * update->batch, update->rate * l->learning_rate_scale / update->batch, update->momentum, l->weights,
                                     l->weight_updates, part);
        else update_slice(update, l, layer->kind == PRUNE_TRAINED_CONV ? (size_t)l->nweights : (size_t)l->outputs * (size_t)l->inputs, part, parts);
    }
}

void prune_trained_update(struct prune_training *training)
{
    network *net = training->net;
    struct update update = { training, get_current_rate(net), net->decay, net->momentum, (float)(net->batch * net->subdivisions),
                             training->replan || (training->all_gradients && net->prune && net->prune->settings.rule == PRUNE_SHADOW) };
    prune_threads_run(training->batch.threads, update_part, &update);
}
