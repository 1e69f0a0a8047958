/* train_dense.c - dense convolutional and connected layers in training, by oneDNN
 *
 * In: activations and gradients as in train.h, weights in Darknet's order. Out: outputs, gradients to the input, gradients to the weights.
 *
 * A convolution has primitives for each part, made for the part's images, so that no two threads share one. Weights are copied into the formats that the passes want, once for all
 * parts; each part keeps its own sum of gradients. Each part brings a slice of them, of their first dimension, from Darknet's order and back, cut between blocks of the formats.
 */
#include "train_dense.h"

#ifdef PRUNE_ONEDNN

#include <dnnl.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum pass { FORWARD, BACK_INPUT, BACK_WEIGHTS, PASSES };
enum { COPIES = 2, CACHE_LINE = 64 };   /* the copies of weights are those of FORWARD and BACK_INPUT, which may be one */

struct part {
    int images;
    size_t in, out;             /* floats from the first image of all */
    float *sums;                /* gradients to the weights */
    dnnl_stream_t stream;
    dnnl_primitive_t primitives[PASSES];
    dnnl_memory_t scratch[PASSES];
    dnnl_memory_t in_memory, out_memory, weights[PASSES];
    /* its slice of the weights, NULL where there is none */
    dnnl_primitive_t take[COPIES], add;
    dnnl_memory_t plain, copies[COPIES], slice_sums;
};

struct prune_dense_conv {
    struct prune_conv_shape shape;
    int n_parts, vector, backward;
    enum prune_layout in, out;
    dnnl_engine_t engine;
    dnnl_alg_kind_t algorithms[PASSES];
    dnnl_memory_desc_t formats[PASSES];         /* of weights; of their gradients */
    float *copies[COPIES];
    size_t scratch;
    struct part *parts;
};

/* oneDNN makes and runs primitives with as many threads as OpenMP would use on this thread: one. Returns how many there were. */
static int hold_threads(void)
{
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    return threads;
}

static int fault(dnnl_status_t status, const char *what)
{
    if (status == dnnl_success) return PRUNE_OK;
    if (status == dnnl_out_of_memory) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    return prune_fail(PRUNE_ERR_UNSUPPORTED, "oneDNN: no %s (status %d)", what, (int)status);
}

int prune_dense_available(int vector)
{
    if (vector == 8) dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);   /* refused once oneDNN was used; what holds is looked at */
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    if (vector == 16) return (isa & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
    return vector == 8 && isa == dnnl_cpu_isa_avx2;
}

/* ------------------------------------------------------------------------------------------ shapes and layouts -- */

static int first_image(int images, int parts, int part)
{
    return (int)((int64_t)part * images / parts);
}

static int up_to(int n, int multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

static size_t floats_of_image(const struct prune_dense_conv *conv, enum prune_layout layout, int channels, int h, int w)
{
    return (size_t)(layout == PRUNE_PLAIN ? channels : up_to(channels, conv->vector)) * (size_t)h * (size_t)w;
}

static dnnl_status_t describe_plane(const struct prune_dense_conv *conv, enum prune_layout layout, int images, int channels, int h, int w, dnnl_memory_desc_t *described)
{
    dnnl_dims_t dims = { images, channels, h, w };
    dnnl_format_tag_t tag = layout == PRUNE_PLAIN ? dnnl_nchw : conv->vector == 16 ? dnnl_nChw16c : dnnl_nChw8c;
    return dnnl_memory_desc_init_by_tag(described, 4, dims, dnnl_f32, tag);
}

static dnnl_status_t describe_in(const struct prune_dense_conv *conv, int images, dnnl_memory_desc_t *described)
{
    return describe_plane(conv, conv->in, images, conv->shape.c, conv->shape.h, conv->shape.w, described);
}

static dnnl_status_t describe_out(const struct prune_dense_conv *conv, int images, dnnl_memory_desc_t *described)
{
    return describe_plane(conv, conv->out, images, conv->shape.n, conv->shape.out_h, conv->shape.out_w, described);
}

/* Darknet's order, or any. */
static dnnl_status_t describe_weights(const struct prune_conv_shape *shape, int plain, dnnl_memory_desc_t *described)
{
    int grouped = shape->groups > 1;
    dnnl_dims_t dims = { shape->groups, shape->n / shape->groups, shape->c / shape->groups, shape->size, shape->size };
    if (!grouped) memmove(dims, dims + 1, 4 * sizeof *dims);
    return dnnl_memory_desc_init_by_tag(described, 4 + grouped, dims, dnnl_f32, !plain ? dnnl_format_tag_any : grouped ? dnnl_goihw : dnnl_oihw);
}

/* ------------------------------------------------------------------------------------ primitives of the passes -- */

/* A pass over `images` images; weights NULL: in any format. Reference code counts as none. */
static dnnl_status_t describe_pass(const struct prune_dense_conv *conv, enum pass pass, dnnl_alg_kind_t algorithm, int images, const dnnl_memory_desc_t *weights,
                                   dnnl_primitive_desc_t *described)
{
    const struct prune_conv_shape *shape = &conv->shape;
    dnnl_dims_t strides = { shape->stride, shape->stride }, pad = { shape->pad, shape->pad };
    dnnl_memory_desc_t in, out, any;
    dnnl_convolution_desc_t forward, backward;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t hint = NULL;
    const char *name;
    *described = NULL;
    dnnl_status_t status = describe_in(conv, images, &in);
    if (!status) status = describe_out(conv, images, &out);
    if (!status) status = describe_weights(shape, 0, &any);
    if (!weights) weights = &any;
    if (!status) status = dnnl_primitive_attr_create(&attributes);
    if (!status) status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (!status) status = dnnl_primitive_attr_set_fpmath_mode(attributes, dnnl_fpmath_mode_strict);
    if (!status && pass == FORWARD) status = dnnl_convolution_forward_desc_init(&forward, dnnl_forward_training, algorithm, &in, weights, NULL, &out, strides, pad, pad);
    if (!status && pass != FORWARD) status = dnnl_convolution_forward_desc_init(&forward, dnnl_forward_training, dnnl_convolution_direct, &in, &any, NULL, &out, strides, pad, pad);
    if (!status) status = dnnl_primitive_desc_create(pass == FORWARD ? described : &hint, &forward, attributes, conv->engine, NULL);
    if (!status && pass == BACK_INPUT) status = dnnl_convolution_backward_data_desc_init(&backward, algorithm, &in, weights, &out, strides, pad, pad);
    if (!status && pass == BACK_WEIGHTS) status = dnnl_convolution_backward_weights_desc_init(&backward, algorithm, &in, weights, NULL, &out, strides, pad, pad);
    if (!status && pass != FORWARD) status = dnnl_primitive_desc_create(described, &backward, attributes, conv->engine, hint);
    if (!status) status = dnnl_primitive_desc_query(*described, dnnl_query_impl_info_str, 0, &name);
    if (!status && strstr(name, "ref")) status = dnnl_unimplemented;
    if (status && *described) {
        dnnl_primitive_desc_destroy(*described);
        *described = NULL;
    }
    dnnl_primitive_desc_destroy(hint);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

/* Whether it is there for the images of all parts, whose numbers are two at most. Sets the pass's format of weights, which is one for all parts. */
static dnnl_status_t offered(struct prune_dense_conv *conv, enum pass pass, dnnl_alg_kind_t algorithm, int images)
{
    dnnl_primitive_desc_t fewer, more;
    dnnl_status_t status = describe_pass(conv, pass, algorithm, images / conv->n_parts, NULL, &fewer);
    if (status) return status;
    dnnl_memory_desc_t format = *dnnl_primitive_desc_query_md(fewer, pass == BACK_WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    dnnl_primitive_desc_destroy(fewer);
    if (images % conv->n_parts) {
        status = describe_pass(conv, pass, algorithm, images / conv->n_parts + 1, &format, &more);
        if (status) return status;
        dnnl_primitive_desc_destroy(more);
    }
    conv->formats[pass] = format;
    conv->algorithms[pass] = algorithm;
    return dnnl_success;
}

static int wanted(const struct prune_dense_conv *conv, enum pass pass)
{
    return pass == FORWARD || conv->backward == 2 || (conv->backward && pass == BACK_WEIGHTS);
}

/* The first layouts with which no wanted pass is left to reference code. Few channels are worth no vectors; oneDNN reads planes of them. */
static dnnl_status_t choose_layouts(struct prune_dense_conv *conv, int images)
{
    static const enum prune_layout layouts[][2] = { { PRUNE_PLAIN, PRUNE_CHANNELS }, { PRUNE_CHANNELS, PRUNE_CHANNELS }, { PRUNE_PLAIN, PRUNE_PLAIN } };
    int few = conv->shape.groups == 1 && conv->shape.c < conv->vector;
    dnnl_status_t status = dnnl_unimplemented;
    for (size_t i = few ? 0 : 1; i < sizeof layouts / sizeof *layouts; i++) {
        conv->in = layouts[i][0];
        conv->out = layouts[i][1];
        status = dnnl_success;
        for (int pass = 0; pass < PASSES && !status; pass++)
            if (wanted(conv, (enum pass)pass)) status = offered(conv, (enum pass)pass, dnnl_convolution_direct, images);
        if (!status) break;
    }
    return status;
}

/* A model of a part's time, as a multiple of c * n multiply-adds of a direct convolution. F(4 x 4, 3 x 3) takes 36 multiply-adds for each tile, whose transforms go over 36 (c + n)
 * numbers; the weights' transform goes over 36 c n numbers whatever the images. */
static int winograd_pays(const struct prune_dense_conv *conv, enum pass pass, int images)
{
    static const struct { double multiply, tiles, weights; } costs[PASSES] = { { 1.8, 21, 60 }, { 1.8, 21, 60 }, { 0.6, 27, 50 } };
    const struct prune_conv_shape *shape = &conv->shape;
    if (shape->size != 3 || shape->stride != 1 || shape->groups != 1 || conv->vector != 16 || conv->in != PRUNE_CHANNELS || conv->out != PRUNE_CHANNELS) return 0;
    double tiles = (double)images * up_to(shape->out_h, 4) * up_to(shape->out_w, 4) / 16, pixels = (double)images * shape->out_h * shape->out_w;
    double transforms = tiles * (1. / up_to(shape->c, 16) + 1. / up_to(shape->n, 16));
    return 36 * (costs[pass].multiply * tiles + costs[pass].tiles * transforms + costs[pass].weights) < 9 * pixels;
}

static void choose_algorithms(struct prune_dense_conv *conv, int images)
{
    for (int pass = 0; pass < PASSES; pass++)
        if (wanted(conv, (enum pass)pass) && winograd_pays(conv, (enum pass)pass, images / conv->n_parts))
            offered(conv, (enum pass)pass, dnnl_convolution_winograd, images);  /* else it stays direct */
}

/* ------------------------------------------------------------------------------------------- memory of weights -- */

/* Channels that only fill a format's blocks have to be zeros: then what stands in such lanes of activations does no harm. */
static float *zeros(const dnnl_memory_desc_t *format)
{
    size_t bytes = (dnnl_memory_desc_get_size(format) + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    float *room = aligned_alloc(CACHE_LINE, bytes);
    if (room) memset(room, 0, bytes);
    return room;
}

static int shares_copy(const struct prune_dense_conv *conv)
{
    return conv->backward == 2 && dnnl_memory_desc_equal(&conv->formats[FORWARD], &conv->formats[BACK_INPUT]);
}

static int copies_of(const struct prune_dense_conv *conv)
{
    return conv->backward == 2 && !shares_copy(conv) ? 2 : 1;
}

static dnnl_status_t allocate_weights(struct prune_dense_conv *conv)
{
    for (int i = 0; i < copies_of(conv); i++)
        if (!(conv->copies[i] = zeros(&conv->formats[i]))) return dnnl_out_of_memory;
    for (int i = 0; i < conv->n_parts && conv->backward; i++)
        if (!(conv->parts[i].sums = zeros(&conv->formats[BACK_WEIGHTS]))) return dnnl_out_of_memory;
    return dnnl_success;
}

/* Steps of the first dimension between which a format may be cut. */
static dnnl_dim_t step_of(const dnnl_memory_desc_t *format)
{
    dnnl_dim_t step = 1;
    if (format->format_kind != dnnl_blocked) return format->dims[0];
    for (int i = 0; i < format->format_desc.blocking.inner_nblks; i++)
        if (format->format_desc.blocking.inner_idxs[i] == 0) step *= format->format_desc.blocking.inner_blks[i];
    return step;
}

/* The part's slice of the first dimension: dims and offset of it. Returns whether there is any. */
static int slice_of(const struct prune_dense_conv *conv, int part, dnnl_dims_t dims, dnnl_dims_t offsets)
{
    const dnnl_memory_desc_t *any = &conv->formats[FORWARD];
    dnnl_dim_t step = 1;
    for (int pass = 0; pass < PASSES; pass++)
        if (wanted(conv, (enum pass)pass) && step_of(&conv->formats[pass]) > step) step = step_of(&conv->formats[pass]);    /* powers of two */
    dnnl_dim_t steps = (any->dims[0] + step - 1) / step, first = steps * part / conv->n_parts * step, end = steps * (part + 1) / conv->n_parts * step;
    if (end > any->dims[0]) end = any->dims[0];
    memcpy(dims, any->dims, sizeof(dnnl_dims_t));
    memset(offsets, 0, sizeof(dnnl_dims_t));
    dims[0] = end - first;
    offsets[0] = first;
    return end > first;
}

/* ------------------------------------------------------------------------------------------------------- parts -- */

static dnnl_status_t make_reorder(dnnl_engine_t engine, const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to, int add, dnnl_primitive_t *reorder)
{
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t sum = NULL;
    dnnl_primitive_desc_t described = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&attributes);
    if (!status && add) status = dnnl_post_ops_create(&sum);
    if (!status && add) status = dnnl_post_ops_append_sum(sum, 1);
    if (!status && add) status = dnnl_primitive_attr_set_post_ops(attributes, sum);
    if (!status) status = dnnl_reorder_primitive_desc_create(&described, from, engine, to, engine, attributes);
    if (!status) status = dnnl_primitive_create(reorder, described);
    dnnl_primitive_desc_destroy(described);
    dnnl_post_ops_destroy(sum);
    dnnl_primitive_attr_destroy(attributes);
    return status;
}

/* Slices of the weights in Darknet's order and in `format`, and the primitive that goes between them. */
static dnnl_status_t make_slice(struct prune_dense_conv *conv, const dnnl_memory_desc_t *format, const dnnl_dims_t dims, const dnnl_dims_t offsets, float *data, int add,
                                dnnl_memory_t *plain, dnnl_memory_t *memory, dnnl_primitive_t *reorder)
{
    dnnl_memory_desc_t whole, plain_slice, slice;
    dnnl_status_t status = describe_weights(&conv->shape, 1, &whole);
    if (!status) status = dnnl_memory_desc_init_submemory(&plain_slice, &whole, dims, offsets);
    if (!status) status = dnnl_memory_desc_init_submemory(&slice, format, dims, offsets);
    if (!status) status = add ? make_reorder(conv->engine, &slice, &plain_slice, 1, reorder) : make_reorder(conv->engine, &plain_slice, &slice, 0, reorder);
    if (!status && !*plain) status = dnnl_memory_create(plain, &plain_slice, conv->engine, DNNL_MEMORY_NONE);
    if (!status) status = dnnl_memory_create(memory, &slice, conv->engine, data);
    return status;
}

static dnnl_status_t make_slices(struct prune_dense_conv *conv, int number)
{
    struct part *part = &conv->parts[number];
    dnnl_dims_t dims, offsets;
    dnnl_status_t status = dnnl_success;
    if (!slice_of(conv, number, dims, offsets)) return dnnl_success;
    for (int i = 0; i < copies_of(conv) && !status; i++)
        status = make_slice(conv, &conv->formats[i], dims, offsets, conv->copies[i], 0, &part->plain, &part->copies[i], &part->take[i]);
    if (!status && conv->backward) status = make_slice(conv, &conv->formats[BACK_WEIGHTS], dims, offsets, part->sums, 1, &part->plain, &part->slice_sums, &part->add);
    return status;
}

static dnnl_status_t make_pass(struct prune_dense_conv *conv, struct part *part, enum pass pass)
{
    dnnl_primitive_desc_t described = NULL;
    float *weights = pass == BACK_WEIGHTS ? part->sums : pass == BACK_INPUT && !shares_copy(conv) ? conv->copies[BACK_INPUT] : conv->copies[FORWARD];
    dnnl_status_t status = describe_pass(conv, pass, conv->algorithms[pass], part->images, &conv->formats[pass], &described);
    if (!status) status = dnnl_primitive_create(&part->primitives[pass], described);
    if (!status) status = dnnl_memory_create(&part->weights[pass], &conv->formats[pass], conv->engine, weights);
    if (!status) {
        const dnnl_memory_desc_t *scratch = dnnl_primitive_desc_query_md(described, dnnl_query_scratchpad_md, 0);
        size_t bytes = dnnl_memory_desc_get_size(scratch);
        if (bytes > conv->scratch) conv->scratch = bytes;
        status = dnnl_memory_create(&part->scratch[pass], scratch, conv->engine, DNNL_MEMORY_NONE);
    }
    dnnl_primitive_desc_destroy(described);
    return status;
}

static dnnl_status_t make_part(struct prune_dense_conv *conv, int images, int number)
{
    struct part *part = &conv->parts[number];
    const struct prune_conv_shape *shape = &conv->shape;
    dnnl_memory_desc_t in, out;
    int first = first_image(images, conv->n_parts, number);
    part->images = first_image(images, conv->n_parts, number + 1) - first;
    part->in = (size_t)first * floats_of_image(conv, conv->in, shape->c, shape->h, shape->w);
    part->out = (size_t)first * floats_of_image(conv, conv->out, shape->n, shape->out_h, shape->out_w);
    dnnl_status_t status = dnnl_stream_create(&part->stream, conv->engine, dnnl_stream_default_flags);
    if (!status) status = describe_in(conv, part->images, &in);
    if (!status) status = describe_out(conv, part->images, &out);
    if (!status) status = dnnl_memory_create(&part->in_memory, &in, conv->engine, DNNL_MEMORY_NONE);
    if (!status) status = dnnl_memory_create(&part->out_memory, &out, conv->engine, DNNL_MEMORY_NONE);
    for (int pass = 0; pass < PASSES && !status; pass++)
        if (wanted(conv, (enum pass)pass)) status = make_pass(conv, part, (enum pass)pass);
    if (!status) status = make_slices(conv, number);
    return status;
}

static void free_part(struct part *part)
{
    for (int pass = 0; pass < PASSES; pass++) {
        dnnl_primitive_destroy(part->primitives[pass]);
        dnnl_memory_destroy(part->scratch[pass]);
        dnnl_memory_destroy(part->weights[pass]);
    }
    for (int i = 0; i < COPIES; i++) {
        dnnl_primitive_destroy(part->take[i]);
        dnnl_memory_destroy(part->copies[i]);
    }
    dnnl_primitive_destroy(part->add);
    dnnl_memory_destroy(part->plain);
    dnnl_memory_destroy(part->slice_sums);
    dnnl_memory_destroy(part->in_memory);
    dnnl_memory_destroy(part->out_memory);
    dnnl_stream_destroy(part->stream);
    free(part->sums);
}

/* ----------------------------------------------------------------------------------------------------- a layer -- */

static dnnl_status_t make(struct prune_dense_conv *conv, int images)
{
    dnnl_status_t status = dnnl_engine_create(&conv->engine, dnnl_cpu, 0);
    if (!status) status = choose_layouts(conv, images);
    if (!status) choose_algorithms(conv, images);
    if (!status) status = allocate_weights(conv);
    for (int i = 0; i < conv->n_parts && !status; i++) status = make_part(conv, images, i);
    return status;
}

int prune_dense_conv_new(struct prune_dense_conv **conv, const struct prune_conv_shape *shape, int images, int parts, int vector, int backward)
{
    *conv = NULL;
    if (parts < 1 || images < parts) return prune_fail(PRUNE_ERR_RANGE, "%d images in %d parts", images, parts);
    if (!prune_dense_available(vector)) return prune_fail(PRUNE_ERR_UNSUPPORTED, "oneDNN has no fast code for this CPU with vectors of %d", vector);
    struct prune_dense_conv *made = calloc(1, sizeof *made);
    if (made) made->parts = calloc((size_t)parts, sizeof *made->parts);
    if (!made || !made->parts) {
        free(made);
        return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    }
    made->shape = *shape;
    made->n_parts = parts;
    made->vector = vector;
    made->backward = backward;
    int threads = hold_threads();
    dnnl_status_t status = make(made, images);
    omp_set_num_threads(threads);
    if (status) prune_dense_conv_free(made);
    else *conv = made;
    return fault(status, "fast convolution of this shape");
}

void prune_dense_conv_free(struct prune_dense_conv *conv)
{
    if (!conv) return;
    for (int i = 0; i < conv->n_parts; i++) free_part(&conv->parts[i]);
    for (int i = 0; i < COPIES; i++) free(conv->copies[i]);
    dnnl_engine_destroy(conv->engine);
    free(conv->parts);
    free(conv);
}

enum prune_layout prune_dense_conv_in(const struct prune_dense_conv *conv)
{
    return conv->in;
}

enum prune_layout prune_dense_conv_out(const struct prune_dense_conv *conv)
{
    return conv->out;
}

size_t prune_dense_conv_scratch(const struct prune_dense_conv *conv)
{
    return conv->scratch;
}

static dnnl_status_t run(dnnl_primitive_t primitive, struct part *part, const dnnl_exec_arg_t *arguments, int n)
{
    int threads = hold_threads();
    dnnl_status_t status = dnnl_primitive_execute(primitive, part->stream, n, arguments);
    if (!status) status = dnnl_stream_wait(part->stream);
    omp_set_num_threads(threads);
    return status;
}

static dnnl_status_t run_reorder(dnnl_primitive_t reorder, struct part *part, dnnl_memory_t from, dnnl_memory_t to)
{
    dnnl_exec_arg_t arguments[] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } };
    return run(reorder, part, arguments, 2);
}

/* oneDNN's handles are not const, also where it only reads. */
static dnnl_status_t run_pass(struct prune_dense_conv *conv, int number, enum pass pass, const float *in, const float *out, void *scratch)
{
    static const int names[PASSES][3] = { { DNNL_ARG_SRC, DNNL_ARG_DST, DNNL_ARG_WEIGHTS }, { DNNL_ARG_DIFF_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS },
                                          { DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS } };
    struct part *part = &conv->parts[number];
    dnnl_exec_arg_t arguments[] = { { names[pass][0], part->in_memory }, { names[pass][1], part->out_memory }, { names[pass][2], part->weights[pass] },
                                    { DNNL_ARG_SCRATCHPAD, part->scratch[pass] } };
    dnnl_status_t status = dnnl_memory_set_data_handle(part->in_memory, (void *)(in + part->in));
    if (!status) status = dnnl_memory_set_data_handle(part->out_memory, (void *)(out + part->out));
    if (!status) status = dnnl_memory_set_data_handle(part->scratch[pass], scratch);
    return status ? status : run(part->primitives[pass], part, arguments, 4);
}

int prune_dense_conv_weights(struct prune_dense_conv *conv, const float *weights, int part)
{
    struct part *own = &conv->parts[part];
    if (!own->plain) return PRUNE_OK;
    dnnl_status_t status = dnnl_memory_set_data_handle(own->plain, (void *)weights);
    for (int i = 0; i < copies_of(conv) && !status; i++) status = run_reorder(own->take[i], own, own->plain, own->copies[i]);
    return fault(status, "copy of weights");
}

int prune_dense_conv_forward(struct prune_dense_conv *conv, const float *in, float *out, void *scratch, int part)
{
    return fault(run_pass(conv, part, FORWARD, in, out, scratch), "convolution");
}

int prune_dense_conv_back_input(struct prune_dense_conv *conv, const float *delta, float *in_delta, void *scratch, int part)
{
    return fault(run_pass(conv, part, BACK_INPUT, in_delta, delta, scratch), "gradient to a convolution's input");
}

int prune_dense_conv_back_weights(struct prune_dense_conv *conv, const float *in, const float *delta, void *scratch, int part)
{
    return fault(run_pass(conv, part, BACK_WEIGHTS, in, delta, scratch), "gradient to a convolution's weights");
}

int prune_dense_conv_add_updates(struct prune_dense_conv *conv, float *updates, int part)
{
    struct part *own = &conv->parts[part];
    if (!own->plain) return PRUNE_OK;
    dnnl_status_t status = dnnl_memory_set_data_handle(own->plain, updates);
    for (int i = 0; i < conv->n_parts && !status; i++) {
        status = dnnl_memory_set_data_handle(own->slice_sums, conv->parts[i].sums);
        if (!status) status = run_reorder(own->add, own, own->slice_sums, own->plain);
    }
    return fault(status, "sum of gradients");
}

/* -------------------------------------------------------------------------------------------- connected layers -- */

/* c (m, n) = a (m, k) b (k, n) + beta c, with 'T' from what lies transposed; distances of rows in floats. */
struct product {
    char transpose_a, transpose_b;
    int m, n, k;
    const float *a, *b;
    size_t row_a, row_b;
    float beta;
    float *c;
    size_t row_c;
};

static int multiply(const struct product *p)
{
    if (p->m < 1) return PRUNE_OK;
    int threads = hold_threads();
    dnnl_dim_t row_a = (dnnl_dim_t)p->row_a, row_b = (dnnl_dim_t)p->row_b, row_c = (dnnl_dim_t)p->row_c;
    dnnl_status_t status = dnnl_sgemm(p->transpose_a, p->transpose_b, p->m, p->n, p->k, 1, p->a, row_a, p->b, row_b, p->beta, p->c, row_c);
    omp_set_num_threads(threads);
    return fault(status, "product of matrices");
}

int prune_dense_connected_forward(const struct prune_dense_connected *connected, const float *weights, const float *in, float *out, int part)
{
    int first = first_image(connected->images, connected->parts, part), end = first_image(connected->images, connected->parts, part + 1);
    struct product product = { 'N', 'T', end - first, connected->outputs, connected->inputs, in + (size_t)first * connected->in_row, weights, connected->in_row,
                               (size_t)connected->inputs, 0, out + (size_t)first * connected->out_row, connected->out_row };
    return multiply(&product);
}

int prune_dense_connected_back_input(const struct prune_dense_connected *connected, const float *weights, const float *delta, float *in_delta, int part)
{
    int first = first_image(connected->images, connected->parts, part), end = first_image(connected->images, connected->parts, part + 1);
    struct product product = { 'N', 'N', end - first, connected->inputs, connected->outputs, delta + (size_t)first * connected->out_row, weights, connected->out_row,
                               (size_t)connected->inputs, 0, in_delta + (size_t)first * connected->in_row, connected->in_row };
    return multiply(&product);
}

int prune_dense_connected_back_weights(const struct prune_dense_connected *connected, const float *in, const float *delta, float *updates, int part)
{
    int first = first_image(connected->outputs, connected->parts, part), end = first_image(connected->outputs, connected->parts, part + 1);
    struct product product = { 'T', 'N', end - first, connected->inputs, connected->images, delta + first, in, connected->out_row, connected->in_row,
                               1, updates + (size_t)first * (size_t)connected->inputs, (size_t)connected->inputs };
    return multiply(&product);
}

#else

static int absent(void)
{
    return prune_fail(PRUNE_ERR_UNSUPPORTED, "compiled without oneDNN");
}

int prune_dense_available(int vector)
{
    (void)vector;
    return 0;
}

int prune_dense_conv_new(struct prune_dense_conv **conv, const struct prune_conv_shape *shape, int images, int parts, int vector, int backward)
{
    (void)shape, (void)images, (void)parts, (void)vector, (void)backward;
    *conv = NULL;
    return absent();
}

void prune_dense_conv_free(struct prune_dense_conv *conv)
{
    (void)conv;
}

enum prune_layout prune_dense_conv_in(const struct prune_dense_conv *conv)
{
    (void)conv;
    return PRUNE_PLAIN;
}

enum prune_layout prune_dense_conv_out(const struct prune_dense_conv *conv)
{
    (void)conv;
    return PRUNE_PLAIN;
}

size_t prune_dense_conv_scratch(const struct prune_dense_conv *conv)
{
    (void)conv;
    return 0;
}

int prune_dense_conv_weights(struct prune_dense_conv *conv, const float *weights, int part)
{
    (void)conv, (void)weights, (void)part;
    return absent();
}

int prune_dense_conv_forward(struct prune_dense_conv *conv, const float *in, float *out, void *scratch, int part)
{
    (void)conv, (void)in, (void)out, (void)scratch, (void)part;
    return absent();
}

int prune_dense_conv_back_input(struct prune_dense_conv *conv, const float *delta, float *in_delta, void *scratch, int part)
{
    (void)conv, (void)delta, (void)in_delta, (void)scratch, (void)part;
    return absent();
}

int prune_dense_conv_back_weights(struct prune_dense_conv *conv, const float *in, const float *delta, void *scratch, int part)
{
    (void)conv, (void)in, (void)delta, (void)scratch, (void)part;
    return absent();
}

int prune_dense_conv_add_updates(struct prune_dense_conv *conv, float *updates, int part)
{
    (void)conv, (void)updates, (void)part;
    return absent();
}

int prune_dense_connected_forward(const struct prune_dense_connected *connected, const float *weights, const float *in, float *out, int part)
{
    (void)connected, (void)weights, (void)in, (void)out, (void)part;
    return absent();
}

int prune_dense_connected_back_input(const struct prune_dense_connected *connected, const float *weights, const float *delta, float *in_delta, int part)
{
    (void)connected, (void)weights, (void)delta, (void)in_delta, (void)part;
    return absent();
}

int prune_dense_connected_back_weights(const struct prune_dense_connected *connected, const float *in, const float *delta, float *updates, int part)
{
    (void)connected, (void)in, (void)delta, (void)updates, (void)part;
    return absent();
}

#endif
