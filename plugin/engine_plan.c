/* engine_plan.c - chooses the kernel of a layer: the likely plans are timed, and what was found is remembered
 *
 * In: shapes and weights. Out: compressed weights with the plan that was fastest. Plans can be written and read as text, one line a shape:
 *   conv <c> <h> <w> <n> <size> <stride> <pad> <groups> <density of weights> <of blocks>  <form> <gx> <tw> <th> <channels> <regions> <parts>  <ms>
 */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIMED_PLANS = 6, TIMED_RUNS = 3, DENSITY_STEPS = 40, SMALL_WORK = 4 << 20 };

static const char *const form_names[] = { [PRUNE_FORM_DENSE] = "dense", [PRUNE_FORM_WEIGHT] = "weight", [PRUNE_FORM_BLOCK4] = "block4" };

struct density {
    double weights, blocks;     /* shares of weights that are not 0, and of fours of filters that have such a weight */
};

struct prune_remembered {
    struct prune_conv_shape shape;
    int weights, blocks;        /* densities, in steps */
    struct prune_conv_plan plan;
    double ms;                  /* of the whole layer */
};

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static struct density density_of(const float *weights, int n, size_t each)
{
    size_t weight = 0, block = 0, blocks = 0;
    for (int f = 0; f < n; f += 4) {
        int rows = n - f < 4 ? n - f : 4;
        for (size_t i = 0; i < each; i++) {
            int some = 0;
            for (int r = 0; r < rows; r++) some += weights[(size_t)(f + r) * each + i] != 0;
            weight += (size_t)some;
            block += some > 0;
        }
        blocks += each;
    }
    return (struct density){ (double)weight / ((double)n * (double)each), (double)block / (double)blocks };
}

static int steps_of(double density) { return (int)(density * DENSITY_STEPS + .5); }

static struct prune_remembered *remembered(const struct prune_engine *engine, const struct prune_conv_shape *shape, struct density density)
{
    for (int i = 0; i < engine->n_remembered; i++) {
        struct prune_remembered *known = &engine->remembered[i];
        if (!memcmp(&known->shape, shape, sizeof *shape) && known->weights == steps_of(density.weights) && known->blocks == steps_of(density.blocks)) return known;
    }
    return NULL;
}

static int remember(struct prune_engine *engine, const struct prune_remembered *new)
{
    struct prune_remembered *more = realloc(engine->remembered, ((size_t)engine->n_remembered + 1) * sizeof *more);
    if (!more) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    engine->remembered = more;
    more[engine->n_remembered++] = *new;
    return PRUNE_OK;
}

/* ---------------------------------------------------------------------------------------------------------- timing -- */

struct timing {                 /* a share of a layer's filters, on some input */
    struct prune_conv_shape shape;
    struct prune_numbers numbers;
    float *in, *out;
};

static int time_plan(struct prune_engine *engine, const struct timing *timing, const struct prune_conv_plan *plan, double most, double *best)
{
    struct prune_op op = { .kind = PRUNE_OP_CONV, .batch = 1 };
    int code = prune_conv_make(&op.conv, &timing->shape, plan, &engine->kernels->conv, &timing->numbers);
    if (code) return code;
    *best = 0;
    for (int i = 0; i <= TIMED_RUNS && !code; i++) {
        double start = now_ms();
        code = prune_engine_run(engine, &op, timing->in, timing->out);
        double ms = now_ms() - start;
        if (i == 1 || (i > 1 && ms < *best)) *best = ms;        /* the first run only warms up */
        if (i == 1 && ms > 2 * most) break;
    }
    prune_op_free(&op);
    return code;
}

/* The likely plans of the forms that can win. */
static int likely_plans(const struct prune_engine *engine, const struct prune_conv_shape *shape, struct density density, struct prune_conv_plan *plans)
{
    const struct prune_conv_kernels *kernels = &engine->kernels->conv;
    int n = 0, threads = engine->n_threads;
    double ratio = density.weights > 0 ? density.blocks / density.weights : 4;
    if (ratio > 1.2) n += prune_conv_plans(plans, TIMED_PLANS, shape, kernels, PRUNE_FORM_WEIGHT, density.weights, threads);
    if (ratio < 2.5) n += prune_conv_plans(plans + n, TIMED_PLANS, shape, kernels, PRUNE_FORM_BLOCK4, density.blocks, threads);
    double work = (double)shape->n * shape->c / shape->groups * shape->size * shape->size * shape->out_h * shape->out_w * density.weights;
    if (threads > 1 && work < SMALL_WORK)       /* another thread may cost more than it does */
        n += prune_conv_plans(plans + n, 1, shape, kernels, ratio > 1.5 ? PRUNE_FORM_WEIGHT : PRUNE_FORM_BLOCK4, ratio > 1.5 ? density.weights : density.blocks, 1);
    return n;
}

/* Every so-manieth four of filters. */
static int take_share(const struct prune_conv_shape *whole, const struct prune_numbers *numbers, int threads, struct timing *timing, float **copy)
{
    int n = whole->n / whole->groups, least = 16 * threads;
    timing->shape = *whole;
    timing->numbers = *numbers;
    *copy = NULL;
    if (whole->groups > 1 || n / 4 < least) return PRUNE_OK;
    timing->shape.n = n / 4 / 4 * 4;
    size_t four = 4 * (size_t)(whole->c * whole->size * whole->size);
    *copy = malloc((size_t)(timing->shape.n / 4) * four * sizeof **copy);
    if (!*copy) return prune_fail(PRUNE_ERR_NOMEM, "out of memory for timing a convolution");
    for (int f = 0; f < timing->shape.n / 4; f++) memcpy(*copy + (size_t)f * four, numbers->weights + (size_t)(4 * f) * four, four * sizeof **copy);
    timing->numbers.weights = *copy;
    return PRUNE_OK;
}

static int choose_plan(struct prune_engine *engine, const struct prune_conv_shape *shape, const struct prune_numbers *numbers, struct density density, struct prune_remembered *best)
{
    struct prune_conv_plan plans[2 * TIMED_PLANS + 1];
    struct timing timing = { 0 };
    float *copy;
    int code = take_share(shape, numbers, engine->n_threads, &timing, &copy);
    if (code) return code;
    size_t inputs = (size_t)shape->c * (size_t)shape->h * (size_t)shape->w, outputs = (size_t)timing.shape.n * (size_t)shape->out_h * (size_t)shape->out_w;
    timing.in = malloc(inputs * sizeof *timing.in);
    timing.out = malloc(outputs * sizeof *timing.out);
    if (!timing.in || !timing.out) code = prune_fail(PRUNE_ERR_NOMEM, "out of memory for timing a convolution");
    for (size_t i = 0; i < inputs && !code; i++) timing.in[i] = (float)(i * 2654435761u % 1024) / 1024;    /* no denormals, which are slow */
    int n = code ? 0 : likely_plans(engine, &timing.shape, density, plans);
    if (!code && !n) code = prune_fail(PRUNE_ERR_NOMEM, "out of memory for planning a convolution");
    best->ms = 1e30;
    for (int i = 0; i < n && !code; i++) {
        double ms;
        code = time_plan(engine, &timing, &plans[i], best->ms, &ms);
        if (code || ms >= best->ms) continue;
        best->ms = ms;
        best->plan = plans[i];
    }
    best->ms *= (double)shape->n / timing.shape.n;
    free(copy);
    free(timing.in);
    free(timing.out);
    return code;
}

int prune_engine_conv(struct prune_engine *engine, const struct prune_conv_shape *shape, const struct prune_numbers *numbers, struct prune_op *op)
{
    struct density density = density_of(numbers->weights, shape->n, (size_t)(shape->c / shape->groups * shape->size * shape->size));
    struct prune_remembered *known = remembered(engine, shape, density), new = { .shape = *shape, .weights = steps_of(density.weights), .blocks = steps_of(density.blocks) };
    int code = PRUNE_OK;
    if (!known) {
        code = choose_plan(engine, shape, numbers, density, &new);
        if (!code) code = remember(engine, &new);
        known = &new;
    }
    if (code) return code;
    struct prune_conv_plan plan = known->plan;          /* from a file, maybe */
    prune_conv_plan_finish(&plan, shape, engine->kernels->vector);
    code = prune_conv_make(&op->conv, shape, &plan, &engine->kernels->conv, numbers);
    if (code) return code;
    op->kind = PRUNE_OP_CONV;
    snprintf(op->reason, sizeof op->reason, "%s: %.1f %% zeros, %.1f %% of fours empty; lanes %dx%d, tile %dx%d, %d channels, %d x %d threads",
             plan.form == PRUNE_FORM_BLOCK4 && density.blocks > .95 ? "dense" : form_names[plan.form], 100 - 100 * density.weights, 100 - 100 * density.blocks, plan.gx, plan.gy,
             plan.tw, plan.th, plan.channels, plan.regions, plan.parts);
    return PRUNE_OK;
}

int prune_engine_connected(int outputs, int inputs, const struct prune_numbers *numbers, struct prune_op *op)
{
    struct density density = density_of(numbers->weights, outputs, (size_t)inputs);
    /* Bytes to read decide, as nothing else is as slow: 4 for a weight of a dense matrix, 5 (and what waits) for one of form weight, 18 for four of form block4. */
    double dense = 4, weight = 5.6 * density.weights, block4 = 18.5 / 4 * density.blocks;
    enum prune_form form = dense <= weight && dense <= block4 ? PRUNE_FORM_DENSE : weight <= block4 ? PRUNE_FORM_WEIGHT : PRUNE_FORM_BLOCK4;
    int code = prune_connected_make(&op->connected, numbers->weights, outputs, inputs, form);
    if (code) return code;
    op->scale = malloc((size_t)outputs * sizeof *op->scale);
    op->bias = malloc((size_t)outputs * sizeof *op->bias);
    if (!op->scale || !op->bias) return prune_fail(PRUNE_ERR_NOMEM, "out of memory for a connected layer");
    for (int i = 0; i < outputs; i++) {
        op->scale[i] = numbers->scale ? numbers->scale[i] : 1;
        op->bias[i] = numbers->bias[i];
    }
    op->kind = PRUNE_OP_CONNECTED;
    op->activation = numbers->activation;
    snprintf(op->reason, sizeof op->reason, "%s: %.1f %% zeros, %.1f %% of fours empty; least to read", form_names[form], 100 - 100 * density.weights, 100 - 100 * density.blocks);
    return PRUNE_OK;
}

/* ------------------------------------------------------------------------------------------------------------ text -- */

static const char head[] = "darknet-prune plans 1";

int prune_engine_save_plans(const struct prune_engine *engine, FILE *out)
{
    fprintf(out, "%s %s %d\n", head, engine->kernels->name, engine->n_threads);
    for (int i = 0; i < engine->n_remembered; i++) {
        const struct prune_remembered *known = &engine->remembered[i];
        const struct prune_conv_shape *s = &known->shape;
        const struct prune_conv_plan *p = &known->plan;
        fprintf(out, "conv %d %d %d %d %d %d %d %d %d %d %s %d %d %d %d %d %d %.3f\n", s->c, s->h, s->w, s->n, s->size, s->stride, s->pad, s->groups, known->weights, known->blocks,
                form_names[p->form], p->gx, p->tw, p->th, p->channels, p->regions, p->parts, known->ms);
    }
    return ferror(out) ? prune_fail(PRUNE_ERR_IO, "cannot write the plans: %s", strerror(errno)) : PRUNE_OK;
}

/* One line; whether it makes sense for these kernels. */
static int parse_line(const struct prune_engine *engine, const char *line, struct prune_remembered *known)
{
    struct prune_conv_shape *s = &known->shape;
    struct prune_conv_plan *p = &known->plan;
    char form[16];
    int end = 0;
    memset(known, 0, sizeof *known);
    int read = sscanf(line, "conv %d %d %d %d %d %d %d %d %d %d %15s %d %d %d %d %d %d %lf %n", &s->c, &s->h, &s->w, &s->n, &s->size, &s->stride, &s->pad, &s->groups, &known->weights,
                      &known->blocks, form, &p->gx, &p->tw, &p->th, &p->channels, &p->regions, &p->parts, &known->ms, &end);
    if (read != 18 || line[end]) return 0;
    int block4 = !strcmp(form, form_names[PRUNE_FORM_BLOCK4]), most = block4 ? engine->kernels->conv.most_block4 : engine->kernels->conv.most_weight, vector = engine->kernels->vector;
    if (!block4 && strcmp(form, form_names[PRUNE_FORM_WEIGHT])) return 0;
    enum { MOST = 1 << 24 };
    if (s->c < 1 || s->h < 1 || s->w < 1 || s->n < 1 || s->size < 1 || s->stride < 1 || s->pad < 0 || s->groups < 1 || s->h > MOST || s->w > MOST || s->pad > MOST) return 0;
    if (s->h + 2 * s->pad < s->size || s->w + 2 * s->pad < s->size) return 0;
    s->out_h = (s->h + 2 * s->pad - s->size) / s->stride + 1;
    s->out_w = (s->w + 2 * s->pad - s->size) / s->stride + 1;
    int flat = prune_conv_is_flat(s);
    if (flat ? p->gx != 0 : p->gx < 1 || p->gx > vector || vector % p->gx) return 0;
    if ((p->th != 1 && p->th != 2 && p->th != 4) || p->tw < 1 || p->tw > most / p->th || p->channels < 1 || p->regions < 1 || p->parts < 1) return 0;
    if (p->regions > engine->n_threads || p->parts > engine->n_threads || p->regions * p->parts > engine->n_threads) return 0;
    p->form = block4 ? PRUNE_FORM_BLOCK4 : PRUNE_FORM_WEIGHT;
    p->gy = flat ? 0 : vector / p->gx;
    return 1;
}

int prune_engine_load_plans(struct prune_engine *engine, const char *path)
{
    char line[256], want[64];
    FILE *file = fopen(path, "r");
    if (!file) return errno == ENOENT ? 0 : prune_fail(PRUNE_ERR_IO, "%s: %s", path, strerror(errno));
    snprintf(want, sizeof want, "%s %s %d\n", head, engine->kernels->name, engine->n_threads);
    int code = 0;
    if (fgets(line, sizeof line, file) && !strcmp(line, want)) {
        code = 1;
        while (code > 0 && fgets(line, sizeof line, file)) {
            struct prune_remembered known;
            if (!parse_line(engine, line, &known)) code = prune_fail(PRUNE_ERR_FORMAT, "%s: this is no plan for these kernels: %.*s", path, (int)strcspn(line, "\n"), line);
            else if (remember(engine, &known)) code = PRUNE_ERR_NOMEM;
        }
    }
    fclose(file);
    return code;
}
