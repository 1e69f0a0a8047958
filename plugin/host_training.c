/* host_training.c - the fast path in Darknet's training: the layers' forward and backward pointers point to it while the network is trained
 *
 * The first layer's forward is a door. When a network comes through that is being trained, its layers are planned and the pointers of all of them are changed; layers without a twin keep Darknet's
 * own code, and find what they need in l.output and l.delta. Updates are made at the hook before Darknet's. When Darknet resizes the network, changes its batch or loads other weights,
 * everything is put back, and planned anew.
 *
 * Which path a layer takes depends on shapes, masks and the number of threads alone, so that the same seed gives the same bits, in a resumed training too.
 */
#include "host_training.h"

#include <stdlib.h>
#include <string.h>

static void training_forward(layer l, network net);
static void training_backward(layer l, network net);

static struct prune_training *training_of(const network *net)
{
    return net->engines ? net->engines->training : NULL;
}

/* ---------------------------------------------------------------------------------------------------------------- kinds -- */

static int activation_of(const struct layer *l, enum prune_activation *activation)
{
    switch (l->activation) {
    case LINEAR: *activation = PRUNE_LINEAR_ACTIVATION; return 1;
    case RELU: *activation = PRUNE_RELU; return 1;
    case LEAKY: *activation = PRUNE_LEAKY; return 1;
    case LOGISTIC: *activation = PRUNE_LOGISTIC_ACTIVATION; return 1;
    default: return 0;
    }
}

static struct prune_planes planes_of(const struct layer *l)
{
    struct prune_planes planes = { l->out_c, l->out_w * l->out_h };
    if (l->type == CONNECTED || (long)planes.c * planes.pixels != l->outputs || planes.c < 1) planes = (struct prune_planes){ l->outputs, 1 };
    return planes;
}

static int same_planes(struct prune_planes a, int c, int pixels)
{
    return a.c == c && a.pixels == pixels;
}

/* [dropout] changes the output of the layer before it in place. A layer whose derivative is taken from that, and a shortcut that reads it, have to see it. */
static int dropout_follows(const network *net, int i)
{
    return i + 1 < net->n && net->layers[i + 1].type == DROPOUT;
}

static enum prune_trained_kind kind_of(const struct prune_training *training, int i, enum prune_activation *activation)
{
    const network *net = training->net;
    const struct layer *l = &net->layers[i];
    struct prune_planes before = i > 0 ? training->layers[i - 1].planes : training->input_planes;
    int shaped = same_planes(before, l->c, l->h * l->w), known;
    *activation = PRUNE_LINEAR_ACTIVATION;
    known = activation_of(l, activation) && !(l->activation == LOGISTIC && dropout_follows(net, i));
    if (training->layers[i].known < 0) return PRUNE_TRAINED_OWN;
    switch (l->type) {
    case CONVOLUTIONAL: return !l->binary && !l->xnor && known && shaped ? PRUNE_TRAINED_CONV : PRUNE_TRAINED_OWN;
    case CONNECTED: return known && (long)before.c * before.pixels == l->inputs ? PRUNE_TRAINED_CONNECTED : PRUNE_TRAINED_OWN;
    case MAXPOOL: return shaped && i > 0 ? PRUNE_TRAINED_MAXPOOL : PRUNE_TRAINED_OWN;
    case AVGPOOL: return shaped && i > 0 ? PRUNE_TRAINED_AVGPOOL : PRUNE_TRAINED_OWN;
    case ACTIVE: return known && i > 0 && (long)before.c * before.pixels == l->outputs ? PRUNE_TRAINED_ACTIVATE : PRUNE_TRAINED_OWN;
    case SHORTCUT:
        if (!known || i == 0 || dropout_follows(net, l->index) || !same_planes(before, l->out_c, l->out_w * l->out_h)) return PRUNE_TRAINED_OWN;
        return same_planes(training->layers[l->index].planes, l->out_c, l->out_w * l->out_h) && l->w == l->out_w && l->h == l->out_h ? PRUNE_TRAINED_SHORTCUT : PRUNE_TRAINED_OWN;
    case SOFTMAX: return !l->softmax_tree && i > 0 ? PRUNE_TRAINED_SOFTMAX : PRUNE_TRAINED_OWN;
    default: return PRUNE_TRAINED_OWN;
    }
}

/* ------------------------------------------------------------------------------------------------------ weighted layers -- */

struct prune_conv_shape prune_trained_shape(const struct layer *l)
{
    if (l->type == CONNECTED) return (struct prune_conv_shape){ l->inputs, 1, 1, l->outputs, 1, 1, 0, 1, 1, 1 };
    return (struct prune_conv_shape){ l->c, l->h, l->w, l->n, l->size, l->stride, l->pad, l->groups, l->out_h, l->out_w };
}

/* How far back its backward pass goes: to the weights alone, or to the input too. */
static int reach_of(const struct prune_training *training, int i)
{
    return i > 0 && training->layers[i - 1].own_delta ? 2 : 1;
}

int prune_trained_dense(struct prune_training *training, int i)
{
    struct prune_trained *layer = &training->layers[i];
    struct prune_conv_shape shape = prune_trained_shape(&training->net->layers[i]);
    if (layer->dense_conv) return PRUNE_OK;
    int code = prune_dense_conv_new(&layer->dense_conv, &shape, training->batch.images, training->batch.parts, training->batch.kernels->vector, reach_of(training, i));
    if (code) return code;
    size_t bytes = (prune_dense_conv_scratch(layer->dense_conv) + 63) / 64 * 64;
    if (bytes <= training->scratch_bytes) return PRUNE_OK;
    free(training->scratch);
    training->scratch_bytes = bytes;
    training->scratch = aligned_alloc(64, bytes * (size_t)training->batch.parts);
    return training->scratch ? PRUNE_OK : prune_fail(PRUNE_ERR_NOMEM, "out of memory for training");
}

void prune_trained_drop_dense(struct prune_trained *layer)
{
    prune_dense_conv_free(layer->dense_conv);
    layer->dense_conv = NULL;
}

static const struct prune_tensor *tensor_of(const network *net, int layer)
{
    for (int i = 0; net->prune && i < net->prune->n_tensors; i++)
        if (net->prune->tensors[i].layer == layer) return &net->prune->tensors[i];
    return NULL;
}

static int make_sparse(struct prune_training *training, int i, const uint8_t *mask)
{
    struct prune_trained *layer = &training->layers[i];
    struct prune_conv_shape shape = prune_trained_shape(&training->net->layers[i]);
    layer->sparse = 1;
    return prune_sparse_conv_new(&layer->sparse_conv, &shape, training->batch.images, training->batch.parts, training->batch.kernels, mask, reach_of(training, i));
}

static int is_sparse_enough(const struct prune_training *training, int i)
{
    const struct prune_tensor *tensor = training->layers[i].tensor;
    struct prune_conv_shape shape = prune_trained_shape(&training->net->layers[i]);
    return tensor && (double)tensor->active < prune_sparse_conv_crossover(&shape, training->batch.images, training->batch.parts, training->batch.kernels->vector) * (double)tensor->n;
}

/* Layers are compressed side by side: a step changes the masks of all. */
struct compressing {
    struct prune_training *training;
    _Atomic int next;
    _Atomic int code;
};

static void compress_layers(void *context, int part, int parts)
{
    struct compressing *job = context;
    (void)part, (void)parts;
    for (int i; (i = job->next++) < job->training->n;) {
        struct prune_trained *layer = &job->training->layers[i];
        prune_sparse_conv_free(layer->sparse_conv);
        layer->sparse_conv = NULL;
        layer->sparse = 0;
        if ((layer->kind != PRUNE_TRAINED_CONV && layer->kind != PRUNE_TRAINED_CONNECTED) || !is_sparse_enough(job->training, i)) continue;
        int code = make_sparse(job->training, i, layer->tensor->mask);
        if (code) job->code = code;
    }
}

/* oneDNN is slow at some grouped convolutions; our kernels are not, with or without zeros. */
static int replace_grouped(struct prune_training *training, int i)
{
    struct prune_trained *layer = &training->layers[i];
    size_t n = (size_t)training->net->layers[i].nweights;
    uint8_t *all = layer->tensor ? NULL : malloc(n);
    if (all) memset(all, 1, n);
    const uint8_t *mask = layer->tensor ? layer->tensor->mask : all;
    int code = mask ? make_sparse(training, i, mask) : prune_fail(PRUNE_ERR_NOMEM, "out of memory for training");
    free(all);
    return code;
}

/* A layer that is sparse needs its dense path at steps alone, and it is made then; rules that always want all gradients keep it. */
static int plan_weighted(struct prune_training *training, int i)
{
    struct prune_trained *layer = &training->layers[i];
    int conv = layer->kind == PRUNE_TRAINED_CONV, code = PRUNE_OK, partial = training->batch.images < training->batch.kernels->vector;
    if (conv && (!layer->sparse || !layer->known)) code = prune_trained_dense(training, i);     /* a recovery rule may want it of a sparse layer too */
    if (conv) layer->known = code == PRUNE_ERR_UNSUPPORTED ? -1 : 1;
    if (!code && conv && !layer->sparse && training->net->layers[i].groups > 1 && prune_dense_conv_out(layer->dense_conv) == PRUNE_PLAIN && !partial) code = replace_grouped(training, i);
    layer->complete = layer->sparse && (!layer->tensor || layer->tensor->active == layer->tensor->n);
    if (layer->sparse && !prune_gradients_always(training->net->prune)) prune_trained_drop_dense(layer);
    if (code) return code;
    enum prune_layout before = i > 0 ? training->layers[i - 1].layout : PRUNE_PLAIN;
    struct prune_planes planes = i > 0 ? training->layers[i - 1].planes : training->input_planes;
    if (layer->sparse) layer->in_layout = layer->layout = PRUNE_IMAGES;
    else if (conv) {
        layer->in_layout = prune_dense_conv_in(layer->dense_conv);
        layer->layout = PRUNE_CHANNELS;
    } else {
        layer->in_layout = planes.pixels == 1 && before != PRUNE_PLAIN ? PRUNE_CHANNELS : PRUNE_PLAIN;
        layer->layout = PRUNE_CHANNELS;
    }
    size_t v = (size_t)training->batch.kernels->vector, inputs = (size_t)training->net->layers[i].inputs, outputs = (size_t)training->net->layers[i].outputs;
    if (!conv && layer->sparse)         /* for gradients to all weights, on plain copies */
        layer->dense_connected = (struct prune_dense_connected){ (int)inputs, (int)outputs, training->batch.images, training->batch.parts, inputs, outputs };
    else if (!conv)
        layer->dense_connected = (struct prune_dense_connected){ (int)inputs, (int)outputs, training->batch.images, training->batch.parts,
                                                                 layer->in_layout == PRUNE_CHANNELS ? (inputs + v - 1) / v * v : inputs, (outputs + v - 1) / v * v };
    return PRUNE_OK;
}

/* ----------------------------------------------------------------------------------------------------------------- plan -- */

/* Pooling and the like take the layout that there is. The lanes without an image are zeros, which a logistic function would not keep. */
static enum prune_layout layout_after(const struct prune_training *training, int i)
{
    enum prune_layout before = training->layers[i - 1].layout;
    int partial = training->batch.images % training->batch.kernels->vector != 0;
    if (before == PRUNE_IMAGES && partial && training->layers[i].activation == PRUNE_LOGISTIC_ACTIVATION) return PRUNE_CHANNELS;
    return before == PRUNE_PLAIN ? PRUNE_CHANNELS : before;
}

static void find_kind(struct prune_training *training, int i)
{
    struct prune_trained *layer = &training->layers[i];
    const struct layer *l = &training->net->layers[i];
    layer->planes = planes_of(l);
    layer->source = i - 1;
    layer->from = l->type == SHORTCUT ? l->index : -1;
    layer->kind = kind_of(training, i, &layer->activation);
    layer->tensor = tensor_of(training->net, i);
}

static int plan_layer(struct prune_training *training, int i)
{
    struct prune_trained *layer = &training->layers[i];
    const struct layer *l = &training->net->layers[i];
    layer->layout = layer->in_layout = PRUNE_PLAIN;
    layer->plain_out = layer->plain_delta = 0;
    prune_norm_free(&layer->norm);
    int code = PRUNE_OK;
    switch (layer->kind) {
    case PRUNE_TRAINED_CONV:
    case PRUNE_TRAINED_CONNECTED:
        code = plan_weighted(training, i);
        if (code == PRUNE_ERR_UNSUPPORTED) {
            layer->kind = PRUNE_TRAINED_OWN;
            layer->sparse = 0;
            code = PRUNE_OK;
        } else if (!code) code = prune_norm_new(&layer->norm, &training->batch, layer->layout, layer->planes, layer->activation, l->batch_normalize);
        break;
    case PRUNE_TRAINED_MAXPOOL:
    case PRUNE_TRAINED_AVGPOOL:
    case PRUNE_TRAINED_ACTIVATE:
    case PRUNE_TRAINED_SHORTCUT:
        layer->layout = layer->in_layout = layout_after(training, i);
        break;
    default: break;
    }
    return code;
}

/* Darknet's own code reads the output of layer i, and adds to its delta. */
static void keep_plain(struct prune_training *training, int i)
{
    if (i < 0) return;
    training->layers[i].plain_out = 1;
    training->layers[i].plain_delta = 1;
}

static void find_readers(struct prune_training *training)
{
    const network *net = training->net;
    int output = net->n - 1;
    while (output > 0 && net->layers[output].type == COST) output--;
    for (int i = 0; i < training->n; i++) {
        const struct layer *l = &net->layers[i];
        if (i == output || l->truth) training->layers[i].plain_out = 1;
        if (training->layers[i].kind != PRUNE_TRAINED_OWN) continue;
        keep_plain(training, i - 1);
        if (l->type == SHORTCUT) keep_plain(training, l->index);
        for (int j = 0; l->type == ROUTE && j < l->n; j++) keep_plain(training, l->input_layers[j]);
    }
}

static void lay_out(struct prune_training *training, int i)
{
    struct prune_trained *layer = &training->layers[i];
    struct layer *l = &training->net->layers[i];
    if (layer->layout == PRUNE_PLAIN) {
        layer->x = layer->out = l->output;
        layer->delta = layer->own_delta;
    } else {
        size_t n = prune_array_floats(&training->batch, layer->layout, layer->planes);
        layer->out = prune_room_of(&layer->rooms[0], n);
        layer->delta = layer->own_delta ? prune_room_of(&layer->rooms[1], n) : NULL;
        layer->x = layer->norm.normalised ? prune_room_of(&layer->rooms[2], n) : layer->out;
    }
    /* Darknet fills l.delta with zeros before each forward pass: only where it is in use */
    l->delta = layer->layout == PRUNE_PLAIN || layer->plain_delta ? layer->own_delta : NULL;
    layer->seen_output = l->output;
    layer->seen_delta = l->delta;
    layer->seen_outputs = l->outputs;
    layer->seen_w = l->w;
    layer->seen_h = l->h;
}

static int make_scratch(struct prune_training *training)
{
    size_t most = training->scratch_bytes;
    for (int i = 0; i < training->n; i++) {
        size_t bytes = training->layers[i].sparse ? prune_sparse_conv_scratch(training->layers[i].sparse_conv) : 0;
        if (bytes > most) most = (bytes + 63) / 64 * 64;
    }
    if (most == training->scratch_bytes) return PRUNE_OK;
    free(training->scratch);
    training->scratch_bytes = most;
    training->scratch = aligned_alloc(64, most * (size_t)training->batch.parts);
    return training->scratch ? PRUNE_OK : prune_fail(PRUNE_ERR_NOMEM, "out of memory for training");
}

static void free_room(struct prune_room *room)
{
    free(room->floats);
    *room = (struct prune_room){ NULL, 0 };
}

/* Copies in other layouts: the next plan needs others. */
static void free_copies(struct prune_training *training)
{
    for (int i = 0; i < 3; i++) {
        free_room(&training->input_as[i]);
        free_room(&training->temporary[i]);
        for (int j = 0; j < training->n; j++) free_room(&training->layers[j].as_room[i]);
    }
}

static int plan(struct prune_training *training)
{
    const network *net = training->net;
    int code = PRUNE_OK;
    free_copies(training);
    training->input_planes = (struct prune_planes){ net->c, net->h * net->w };
    if ((long)net->c * net->h * net->w != net->inputs || net->c < 1) training->input_planes = (struct prune_planes){ net->inputs, 1 };
    for (int i = 0; i < training->n; i++) find_kind(training, i);
    struct compressing job = { training, 0, PRUNE_OK };
    prune_threads_run(training->batch.threads, compress_layers, &job);
    code = job.code;
    for (int i = 0; !code && i < training->n; i++) code = plan_layer(training, i);
    if (!code) code = make_scratch(training);
    if (code) return code;
    find_readers(training);
    for (int i = 0; i < training->n; i++) lay_out(training, i);
    training->replan = 0;
    return PRUNE_OK;
}

/* ---------------------------------------------------------------------------------------------------- attach and detach -- */

static void free_layer_plans(struct prune_trained *layer)
{
    prune_dense_conv_free(layer->dense_conv);
    prune_sparse_conv_free(layer->sparse_conv);
    prune_norm_free(&layer->norm);
    for (int i = 0; i < 3; i++) free(layer->rooms[i].floats);
    memset(layer, 0, sizeof *layer);
}

static void free_plans(struct prune_training *training)
{
    free_copies(training);
    for (int i = 0; i < training->n; i++) free_layer_plans(&training->layers[i]);
    free(training->scratch);
    training->scratch = NULL;
    training->scratch_bytes = 0;
    prune_threads_free(training->batch.threads);
    training->batch.threads = NULL;
}

/* Everything as it was, but for the door. An array that Darknet has made anew meanwhile stays. */
static void detach(struct prune_training *training)
{
    if (!training->attached) return;
    for (int i = 0; i < training->n; i++) {
        struct prune_trained *layer = &training->layers[i];
        struct layer *l = &training->net->layers[i];
        if (i > 0) l->forward = layer->own_forward;
        l->backward = layer->own_backward;
        l->update = layer->own_update;
        if (!l->delta) l->delta = layer->own_delta;
        else if (!layer->seen_delta && l->delta != layer->own_delta) free(layer->own_delta);
    }
    training->door_forward = training->layers[0].own_forward;
    free_plans(training);
    training->attached = 0;
}

static int attach(struct prune_training *training)
{
    network *net = training->net;
    int threads = prune_threads_default();
    training->batch.images = training->seen_batch = net->batch;
    training->batch.parts = threads < net->batch ? threads : net->batch;
    training->batch.threads = prune_threads_new(training->batch.parts);
    if (!training->batch.threads) return prune_fail(PRUNE_ERR_NOMEM, "no threads for training");
    for (int i = 0; i < training->n; i++) {
        struct prune_trained *layer = &training->layers[i];
        struct layer *l = &net->layers[i];
        layer->own_forward = i == 0 ? training->door_forward : l->forward;
        layer->own_backward = l->backward;
        layer->own_update = l->update;
        layer->own_delta = l->delta;
    }
    training->attached = 1;
    int code = plan(training), fast = 0;
    for (int i = 0; !code && i < training->n; i++) fast |= training->layers[i].kind == PRUNE_TRAINED_CONV || training->layers[i].kind == PRUNE_TRAINED_CONNECTED;
    if (!code && !fast) code = PRUNE_ERR_UNSUPPORTED;
    for (int i = 0; !code && i < training->n; i++) {
        struct layer *l = &net->layers[i];
        int weighted = training->layers[i].kind == PRUNE_TRAINED_CONV || training->layers[i].kind == PRUNE_TRAINED_CONNECTED;
        l->forward = training_forward;
        l->backward = training_backward;
        if (weighted && net->policy != RANDOM) l->update = NULL;        /* a random rate is drawn once */
    }
    if (code) detach(training);
    return code;
}

static int changed(const struct prune_training *training)
{
    const network *net = training->net;
    int other = net->batch != training->seen_batch;
    for (int i = 0; i < training->n; i++) {
        const struct prune_trained *layer = &training->layers[i];
        const struct layer *l = &net->layers[i];
        other |= l->output != layer->seen_output || l->delta != layer->seen_delta || l->outputs != layer->seen_outputs || l->w != layer->seen_w || l->h != layer->seen_h;
    }
    return other;
}

/* --------------------------------------------------------------------------------------------------------------- passes -- */

/* Before the first layer. Returns whether the fast path computes this pass. */
static int begin_pass(struct prune_training *training, const network *net)
{
    if (training->attached && (changed(training) || net->delta)) detach(training);
    if (!training->attached && net->train && !net->delta && !training->refused) {
        int code = attach(training);
        if (code && code != PRUNE_ERR_UNSUPPORTED) exit(1);
        training->refused = code != PRUNE_OK;
    }
    if (!training->attached) return 0;
    if (training->replan && plan(training)) exit(1);
    training->input = net->input;
    training->statistics = net->train;
    training->all_gradients = net->train && prune_gradients_wanted(training->net);
    memset(training->input_is, 0, sizeof training->input_is);
    for (int i = 0; i < training->n; i++) {
        memset(training->layers[i].as, 0, sizeof training->layers[i].as);
        training->layers[i].delta_begun = training->layers[i].layout == PRUNE_PLAIN;       /* Darknet has filled it with zeros */
    }
    return 1;
}

static void training_forward(layer l, network net)
{
    struct prune_training *training = net.engines->training;
    int i = net.index;
    if (i == 0 && !begin_pass(training, &net)) {
        training->door_forward(l, net);
        return;
    }
    if (training->layers[i].kind == PRUNE_TRAINED_OWN) training->layers[i].own_forward(training->net->layers[i], net);
    else prune_trained_forward(training, i, &net);
}

static void training_backward(layer l, network net)
{
    struct prune_training *training = net.engines->training;
    int i = net.index;
    if (training->layers[i].kind == PRUNE_TRAINED_OWN) training->layers[i].own_backward(l, net);
    else prune_trained_backward(training, i);
}

/* ------------------------------------------------------------------------------------------------------------ for hooks -- */

int prune_training_arm(network *net, int pruning)
{
    const char *word = getenv("DARKNET_FASTTRAIN");
    int forced = word && !strcmp(word, "1");
    if (training_of(net)) return 1;
    if (word && *word && strcmp(word, "0") && !forced) prune_note("DARKNET_FASTTRAIN=%.20s is neither 0 nor 1; it is passed over", word);
    if ((word && !strcmp(word, "0")) || (!forced && !pruning) || net->n == 0) return 0;
#ifdef GPU
    if (net->gpu_index >= 0) return 0;
#endif
    const struct prune_kernels *kernels = prune_kernels_best();
    if (!kernels || !prune_dense_available(kernels->vector)) {
        if (forced) prune_note("DARKNET_FASTTRAIN=1: %s; Darknet's own code trains", kernels ? "this build or this CPU has no oneDNN for it" : "there are no vector kernels for this CPU");
        return 0;
    }
    struct prune_engines *engines = prune_engines_of(net);
    struct prune_training *training = calloc(1, sizeof *training);
    if (training) training->layers = calloc((size_t)net->n, sizeof *training->layers);
    if (!training || !training->layers) exit(-prune_fail(PRUNE_ERR_NOMEM, "out of memory"));
    training->net = net;
    training->n = net->n;
    training->batch.kernels = kernels;
    training->door_forward = net->layers[0].forward;
    net->layers[0].forward = training_forward;
    engines->training = training;
    return 1;
}

void prune_training_detach(network *net)
{
    struct prune_training *training = training_of(net);
    if (training) detach(training);
}

void prune_training_free(network *net)
{
    struct prune_training *training = training_of(net);
    if (!training) return;
    detach(training);
    if (net->layers[0].forward == training_forward) net->layers[0].forward = training->door_forward;
    free(training->layers);
    free(training);
    net->engines->training = NULL;
}

void prune_training_masks_changed(network *net)
{
    struct prune_training *training = training_of(net);
    if (training) training->replan = 1;
}

int prune_training_spares(const network *net, const struct prune_tensor *tensor)
{
    const struct prune_training *training = training_of(net);
    return training && training->attached && training->layers[tensor->layer].sparse && !training->all_gradients && !training->replan;
}

void prune_training_update(network *net)
{
    struct prune_training *training = training_of(net);
    if (training && training->attached && net->policy != RANDOM) prune_trained_update(training);
}

void prune_training_outputs(network *net)
{
    struct prune_training *training = training_of(net);
    if (!training || !training->attached) return;
    for (int i = 0; i < training->n; i++) {
        const struct prune_trained *layer = &training->layers[i];
        if (layer->layout != PRUNE_PLAIN && !layer->plain_out) prune_convert(&training->batch, layer->planes, layer->layout, layer->out, PRUNE_PLAIN, 0, net->layers[i].output);
    }
}
