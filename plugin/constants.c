/* constants.c - channels that always have the same value, and who can take it into its biases
 *
 * In: coupled groups and the numbers of every layer. Out: for each channel of each layer's output whether it varies, or the one number that it always is; that number
 * added to what reads it.
 *
 * A constant begins at a row of zeros (or a batch-norm scale of 0) and goes through every layer that does the same at all places. All is worked out in double.
 */
#include "constants.h"

#include <math.h>
#include <stdlib.h>

static const struct prune_constant varies = { PRUNE_VARIES, 0 };

static struct prune_constant always(double value)
{
    if (!isfinite(value)) return varies;
    return (struct prune_constant){ PRUNE_EVERYWHERE, value };
}

static int is_zero(struct prune_constant constant)
{
    return constant.where == PRUNE_EVERYWHERE && constant.value == 0;
}

static enum prune_constancy weaker(enum prune_constancy a, enum prune_constancy b)
{
    return a < b ? a : b;
}

/* in * factor + more */
static struct prune_constant scaled(struct prune_constant in, double factor, double more)
{
    double value = in.value * factor + more;
    if (in.where == PRUNE_VARIES || !isfinite(value)) return varies;
    return (struct prune_constant){ in.where, value };
}

static struct prune_constant product(struct prune_constant a, struct prune_constant b)
{
    if (is_zero(a) || is_zero(b)) return always(0);
    a.where = weaker(a.where, b.where);
    return scaled(a, b.value, 0);
}

static struct prune_constant activated(enum prune_activation activation, struct prune_constant in)
{
    if (in.where == PRUNE_VARIES || activation >= PRUNE_NORM_CHANNELS) return varies;
    in.value = prune_activate(activation, in.value);
    return scaled(in, 1, 0);
}

/* Antialiasing: a blur of 3x3 that pads with zeros, or of 2x2 that does not. */
static struct prune_constant blurred(const struct prune_node *node, struct prune_constant in)
{
    if (node->antialiasing && node->antialiasing != 2 && !is_zero(in)) in.where = weaker(in.where, PRUNE_INSIDE);
    return in;
}

static double real_key(const struct prune_graph *graph, const struct prune_node *node, const char *name)
{
    float value;
    return prune_cfg_float(graph->cfg, node->section, name, 1, &value) ? 1 : (double)value;
}

static const struct prune_constant *outputs_of(const struct prune_values *values, int layer)
{
    return values->of[layer + 1];               /* -1: the network's input */
}

/* ------------------------------------------------------------------------------------------ what a kernel's taps see -- */

enum sight { NEVER, SOMETIMES, ALWAYS };        /* a tap lies inside of the input, not on its padding */

static enum sight sight_along(int n_in, int64_t n_out, int stride, int64_t first)
{
    int64_t last = first + (n_out - 1) * stride;
    int64_t start = first < 0 ? first + (-first + stride - 1) / stride * stride : first;   /* the first place that is not before the input */
    if (start >= n_in || start > last) return NEVER;
    return first >= 0 && last < n_in ? ALWAYS : SOMETIMES;
}

static int64_t places_along(int n_in, int pad, int64_t reach, int stride)
{
    return ((int64_t)n_in + 2 * (int64_t)pad - reach) / stride + 1;
}

static enum sight tap_sight(const struct prune_node *node, int tap)
{
    int stride_x = node->antialiasing ? 1 : node->stride_x, stride_y = node->antialiasing ? 1 : node->stride_y;
    int64_t dilation = node->dilation, reach = (node->size - 1) * dilation + 1;
    int64_t first_x = tap % node->size * dilation - node->pad, first_y = tap / node->size * dilation - node->pad;
    enum sight x = sight_along(node->w, places_along(node->w, node->pad, reach, stride_x), stride_x, first_x);
    enum sight y = sight_along(node->h, places_along(node->h, node->pad, reach, stride_y), stride_y, first_y);
    return x < y ? x : y;
}

int prune_values_owner(const struct prune_graph *graph, int layer)
{
    while (graph->nodes[layer].share >= 0) layer = graph->nodes[layer].share;
    return layer;
}

/* The taps of every convolution; of those that share weights together. */
static int look_through_kernels(struct prune_values *values)
{
    const struct prune_graph *graph = values->channels->graph;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct prune_node *node = &graph->nodes[i];
        int owner = prune_values_owner(graph, i), area = node->size * node->size;
        if (node->kind != PRUNE_CONVOLUTIONAL) continue;
        if (owner == i && !(values->sight[i] = malloc((size_t)area + 1))) return PRUNE_ERR_NOMEM;
        for (int tap = 0; tap < area; tap++) {
            uint8_t sight = (uint8_t)tap_sight(node, tap), *shared = &values->sight[owner][tap];
            *shared = owner == i || *shared == sight ? sight : SOMETIMES;
        }
    }
    return PRUNE_OK;
}

/* The weights of one row on one channel, summed over the taps that see it; *inexact is set if some do only at some places. */
static double row_sum(const struct prune_values *values, int layer, const struct prune_rows *rows, int row, int column, int *inexact)
{
    const struct prune_graph *graph = values->channels->graph;
    const float *block = values->params[layer].weights + prune_rows_at(rows, 0, row, column);
    const uint8_t *sight = graph->nodes[layer].kind == PRUNE_CONVOLUTIONAL ? values->sight[prune_values_owner(graph, layer)] : NULL;
    double sum = 0;
    for (size_t tap = 0; tap < rows->block; tap++) {
        if (block[tap] == 0 || (sight && sight[tap] == NEVER)) continue;
        if (sight && sight[tap] == SOMETIMES) *inexact = 1;
        sum += (double)block[tap];
    }
    return sum;
}

/* The same of a local layer at one place, where a tap sees the channel or does not. */
static double local_sum(const struct prune_node *node, const struct prune_rows *rows, const float *weights, int place, int row, int column)
{
    const float *block = weights + prune_rows_at(rows, place, row, column);
    int left = place % node->out_w * node->stride - node->pad, top = place / node->out_w * node->stride - node->pad;
    double sum = 0;
    for (int tap = 0; tap < node->size * node->size; tap++) {
        int x = left + tap % node->size, y = top + tap / node->size;
        if (x >= 0 && x < node->w && y >= 0 && y < node->h) sum += (double)block[tap];
    }
    return sum;
}

/* ------------------------------------------------------------------------------------------------- rows of weights -- */

/* What becomes of a weighted sum that is the same everywhere: batch-norm or bias, activation, blur. */
static struct prune_constant finish_row(const struct prune_graph *graph, int layer, const struct prune_params *params, int row, struct prune_constant sum)
{
    const struct prune_node *node = &graph->nodes[layer];
    double value = sum.value, bias = params->biases ? (double)params->biases[row] : 0;
    if (sum.where == PRUNE_VARIES) return varies;
    if (params->scales) {
        double variance = (double)params->variances[row];
        double deviation = graph->dialect == PRUNE_ALEXEYAB ? sqrt(variance + 1e-5) : sqrt(variance) + 1e-6;
        value = (double)params->scales[row] * (value - (double)params->means[row]) / deviation;
    }
    sum.value = value + bias;
    if (node->kind == PRUNE_BATCHNORM) return scaled(sum, 1, 0);
    return blurred(node, activated(node->activation, sum));
}

/* act(bias), whatever the weights are. */
static struct prune_constant bias_alone(const struct prune_values *values, int layer, int row)
{
    const struct prune_node *node = &values->channels->graph->nodes[layer];
    struct prune_params bias = { .biases = values->params[layer].biases };
    if (node->kind == PRUNE_LOCAL && bias.biases) {
        size_t places = (size_t)node->out_w * (size_t)node->out_h;
        bias.biases += (size_t)row * places;
        for (size_t place = 1; place < places; place++)
            if (bias.biases[place] != bias.biases[0]) return varies;
        return always(prune_activate(node->activation, (double)bias.biases[0]));
    }
    return finish_row(values->channels->graph, layer, &bias, row, always(0));
}

/* A local row gives one value if sum and bias come to the same at all places. */
static struct prune_constant local_row(const struct prune_values *values, int layer, const struct prune_rows *rows, int row)
{
    const struct prune_node *node = &values->channels->graph->nodes[layer];
    const struct prune_params *params = &values->params[layer];
    const struct prune_constant *in = outputs_of(values, layer - 1);
    float first = 0;
    for (int place = 0; place < rows->places; place++) {
        double sum = params->biases ? (double)params->biases[row * rows->places + place] : 0;
        for (int column = 0; column < rows->columns; column++)
            if (!is_zero(in[column])) sum += in[column].value * local_sum(node, rows, params->weights, place, row, column);
        if (place == 0) first = (float)sum;
        if ((float)sum != first) return varies;
    }
    return always(prune_activate(node->activation, (double)first));
}

static struct prune_constant row_value(const struct prune_values *values, int layer, const struct prune_rows *rows, int row)
{
    const struct prune_node *node = &values->channels->graph->nodes[layer];
    const struct prune_params *params = &values->params[layer];
    const struct prune_constant *in = outputs_of(values, layer - 1) + prune_rows_first(rows, row);
    struct prune_constant sum = always(0);
    if (!params->weights) return varies;
    if (params->scales && params->scales[row] == 0) return finish_row(values->channels->graph, layer, params, row, sum);
    for (int column = 0; column < rows->columns; column++) {
        int inexact = 0;
        if (is_zero(in[column]) || !prune_rows_read(rows, params->weights, row, column)) continue;
        if (in[column].where == PRUNE_VARIES || node->kind == PRUNE_DECONVOLUTIONAL) return varies;   /* whose taps differ from place to place */
        if (node->kind == PRUNE_LOCAL) {
            if (in[column].where != PRUNE_EVERYWHERE) return varies;
            continue;
        }
        sum.value += in[column].value * row_sum(values, layer, rows, row, column, &inexact);
        sum.where = weaker(sum.where, inexact ? PRUNE_INSIDE : in[column].where);
    }
    return node->kind == PRUNE_LOCAL ? local_row(values, layer, rows, row) : finish_row(values->channels->graph, layer, params, row, sum);
}

/* ---------------------------------------------------------------------------------------------------- other layers -- */

static struct prune_constant shortcut_value(const struct prune_values *values, int layer, int channel)
{
    const struct prune_graph *graph = values->channels->graph;
    const struct prune_node *node = &graph->nodes[layer];
    const float *weights = values->params[layer].weights;
    struct prune_constant sum = always(0);
    double all = 1e-4, largest = -INFINITY;
    size_t step = node->per_channel ? (size_t)node->out_c : 1, at = node->per_channel ? (size_t)channel : 0;
    const struct prune_node *added = &graph->nodes[node->from[0]];
    int sampled = added->out_w < node->w || added->out_h < node->h;     /* a smaller one is added at some places only, and only there alpha counts */
    int silent = 1;
    for (int s = 0; s <= node->n_from; s++) {
        int source = s ? node->from[s - 1] : layer - 1;
        if (channel < values->channels->n_channels[source] && !is_zero(outputs_of(values, source)[channel])) silent = 0;
    }
    if (silent) return activated(node->activation, sum);        /* whatever the weights, which may not be known */
    if (node->n_weights && !weights) return varies;
    for (size_t s = 0; node->n_weights && s <= (size_t)node->n_from; s++) largest = fmax(largest, (double)weights[s * step + at]);
    for (size_t s = 0; node->n_weights && s <= (size_t)node->n_from; s++) {
        double w = (double)weights[s * step + at];
        all += node->normalization == 2 ? exp(w - largest) : fmax(w, 0);
    }
    for (int s = 0; s <= node->n_from; s++) {
        int source = s ? node->from[s - 1] : layer - 1;
        double factor = 1;
        if (s && channel >= values->channels->n_channels[source]) continue;
        if (node->n_weights) {
            double w = (double)weights[(size_t)s * step + at];
            factor = node->normalization == 2 ? exp(w - largest) / all : node->normalization ? fmax(w, 0) / all : w;
        } else if (graph->dialect != PRUNE_ALEXEYAB && channel < values->channels->n_channels[node->from[0]]) {
            factor = real_key(graph, node, s ? "beta" : "alpha");
        }
        struct prune_constant in = outputs_of(values, source)[channel];
        if (factor == 0 || is_zero(in)) continue;
        if (in.where == PRUNE_VARIES) return varies;
        if (sampled && (s || factor != 1)) return varies;
        sum.value += factor * in.value;
        sum.where = weaker(sum.where, in.where);
    }
    return activated(node->activation, sum);
}

/* Channels that a reorg mixes: the same value if all have the same. */
static struct prune_constant common(const struct prune_constant *in, int first, int step, int n)
{
    for (int i = 0; i < n; i++)
        if (in[first + i * step].where != PRUNE_EVERYWHERE || in[first + i * step].value != in[first].value) return varies;
    return in[first];
}

static void route_values(const struct prune_values *values, int layer, struct prune_constant *out, int n_out)
{
    const struct prune_channels *channels = values->channels;
    const struct prune_node *node = &channels->graph->nodes[layer];
    int all = 0;
    for (int f = 0; f < node->n_from; f++) all += channels->n_channels[node->from[f]] / node->groups;
    for (int f = 0, at = 0; f < node->n_from; f++) {
        int part = channels->n_channels[node->from[f]] / node->groups;
        const struct prune_constant *from = outputs_of(values, node->from[f]) + node->group_id * part;
        for (int i = 0; all == n_out && i < part; i++) out[at++] = from[i];     /* else a row of plain numbers: all vary */
    }
}

/* Channel `i` of a layer without rows of weights that has as many channels as it reads. */
static struct prune_constant passed(const struct prune_values *values, int layer, const struct prune_constant *in, int i)
{
    const struct prune_graph *graph = values->channels->graph;
    const struct prune_node *node = &graph->nodes[layer];
    const struct prune_params *params = &values->params[layer];
    switch (node->kind) {
    case PRUNE_BATCHNORM:
        return finish_row(graph, layer, params, i, params->scales && params->scales[i] == 0 ? always(0) : in[i]);
    case PRUNE_MAXPOOL:
    case PRUNE_LOCAL_AVGPOOL:
        return blurred(node, in[i]);
    case PRUNE_AVGPOOL:                         /* of an inexact one only about its value, and nowhere exactly */
    case PRUNE_DROPOUT:
    case PRUNE_COST:
    case PRUNE_EMPTY:
        return in[i];
    case PRUNE_CROP:                            /* makes -1..1 of 0..1 */
        return prune_cfg_is_set(graph->cfg, node->section, "noadjust") ? in[i] : scaled(in[i], 2, -1);
    case PRUNE_UPSAMPLE:
        return scaled(in[i], real_key(graph, node, "scale") * (node->reverse ? (double)node->stride * (double)node->stride : 1), 0);
    case PRUNE_ACTIVATION:
        return activated(node->activation, in[i]);
    case PRUNE_LOGISTIC:
        return activated(PRUNE_LOGISTIC_ACTIVATION, in[i]);
    case PRUNE_SHORTCUT:
        return shortcut_value(values, layer, i);
    default:
        return varies;
    }
}

static void layer_values(struct prune_values *values, int layer)
{
    const struct prune_channels *channels = values->channels;
    const struct prune_node *node = &channels->graph->nodes[layer];
    const struct prune_constant *in = outputs_of(values, layer - 1), *from = node->n_from ? outputs_of(values, node->from[0]) : NULL;
    struct prune_constant *out = values->of[layer + 1];
    struct prune_rows rows;
    int n_in, n_out = channels->n_channels[layer];
    int area = node->kind == PRUNE_REORG && node->out_c > 0 && !prune_cfg_is_set(channels->graph->cfg, node->section, "flatten") ? node->stride * node->stride : 0;
    prune_channels_in(channels, layer, &n_in);
    int has_rows = prune_rows_of(&rows, channels, layer);
    if (node->kind == PRUNE_CONVOLUTIONAL && (prune_cfg_is_set(channels->graph->cfg, node->section, "xnor") || prune_cfg_is_set(channels->graph->cfg, node->section, "bin_output"))) has_rows = 0;
    for (int i = 0; i < n_out; i++) {
        out[i] = varies;
        if (values->assumed && (has_rows || node->kind == PRUNE_BATCHNORM)) {
            if (values->assumed[channels->group[layer][i]]) out[i] = bias_alone(values, layer, i);
        } else if (has_rows) {
            out[i] = row_value(values, layer, &rows, i);
        } else if (node->kind == PRUNE_SCALE_CHANNELS && (node->scale_wh ? n_in == 1 : n_in == n_out)) {
            out[i] = activated(node->activation, product(in[node->scale_wh ? 0 : i], from[i]));
        } else if (node->kind == PRUNE_SAM && n_in == n_out) {
            out[i] = activated(node->activation, product(in[i], from[i]));
        } else if (area && !node->reverse && n_out == n_in * area) {
            out[i] = common(in, i / area % (n_in / area) * area, 1, area);
        } else if (area && node->reverse && n_in == n_out * area) {
            out[i] = common(in, i, n_out, area);
        } else if (node->kind == PRUNE_REORG3D && !node->reverse && n_in) {
            out[i] = in[i % n_in];
        } else if (n_in == n_out) {
            out[i] = passed(values, layer, in, i);
        }
    }
    if (node->kind == PRUNE_ROUTE) route_values(values, layer, out, n_out);
}

/* ---------------------------------------------------------------------------------------------------------- values -- */

int prune_values_open(struct prune_values *values, const struct prune_channels *channels, const struct prune_params *params, const uint8_t *assumed)
{
    *values = (struct prune_values){ .channels = channels, .params = params, .assumed = assumed };
    int n = channels->graph->n_nodes, code = PRUNE_OK;
    values->of = calloc((size_t)n + 1, sizeof *values->of);
    values->sight = calloc((size_t)n + 1, sizeof *values->sight);
    if (!values->of || !values->sight) code = PRUNE_ERR_NOMEM;
    for (int i = 0; !code && i <= n; i++) {
        int here = i ? channels->n_channels[i - 1] : channels->n_input;
        values->of[i] = calloc((size_t)here + 1, sizeof **values->of);      /* all vary */
        if (!values->of[i]) code = PRUNE_ERR_NOMEM;
    }
    if (!code) code = look_through_kernels(values);
    if (!code) return PRUNE_OK;
    prune_values_free(values);
    return prune_fail(code, "%s: out of memory", channels->graph->cfg->path);
}

void prune_values_work_out(struct prune_values *values)
{
    for (int i = 0; i < values->channels->graph->n_nodes; i++) layer_values(values, i);
}

void prune_values_free(struct prune_values *values)
{
    int n = values->channels ? values->channels->graph->n_nodes : 0;
    for (int i = 0; values->of && i <= n; i++) free(values->of[i]);
    for (int i = 0; values->sight && i < n; i++) free(values->sight[i]);
    free(values->of);
    free(values->sight);
    *values = (struct prune_values){ 0 };
}

/* ---------------------------------------------------------------------------------------------------------- taking -- */

/* The constant of an input channel in all layers that use these weights. */
static struct prune_constant shared_value(const struct prune_values *values, int owner, int channel)
{
    const struct prune_graph *graph = values->channels->graph;
    struct prune_constant value = outputs_of(values, owner - 1)[channel];
    for (int user = owner + 1; user < graph->n_nodes; user++) {
        if (graph->nodes[user].share < 0 || prune_values_owner(graph, user) != owner) continue;
        struct prune_constant other = outputs_of(values, user - 1)[channel];
        if (other.value != value.value || graph->nodes[user].batch_normalize != graph->nodes[owner].batch_normalize) return varies;
        value.where = weaker(value.where, other.where);
    }
    return value;
}

/* Whether the row stays, once the groups in `gone` and the channel's own are out of the way, and reads the channel. */
static int row_matters(const struct prune_values *values, int layer, const struct prune_rows *rows, int row, int channel, const uint8_t *gone)
{
    int n_in, group = values->channels->group[layer][row], own = prune_channels_in(values->channels, layer, &n_in)[channel];
    const struct prune_params *params = &values->params[layer];
    if (gone[group] || group == own) return 0;
    if (!params->weights) return 1;
    if (params->scales && params->scales[row] == 0) return 0;
    return prune_rows_read(rows, params->weights, row, channel - prune_rows_first(rows, row));
}

/* The rows that could read a channel. */
static int first_row(const struct prune_rows *rows, int channel)
{
    return channel / rows->columns * rows->slice;
}

enum prune_taking prune_values_taking(const struct prune_values *values, int layer, int channel, const uint8_t *gone)
{
    const struct prune_node *node = &values->channels->graph->nodes[layer];
    const struct prune_params *params = &values->params[layer];
    struct prune_constant value = shared_value(values, layer, channel);
    struct prune_rows rows;
    enum prune_taking taking = PRUNE_TAKES_NOTHING;
    if (is_zero(value) || !prune_rows_of(&rows, values->channels, layer)) return PRUNE_TAKES_NOTHING;
    int first = first_row(&rows, channel), inexact = 0;
    for (int row = first; row < first + rows.slice; row++) {
        if (!row_matters(values, layer, &rows, row, channel, gone)) continue;
        taking = PRUNE_TAKES_EXACTLY;
        if (value.where == PRUNE_VARIES || node->kind == PRUNE_DECONVOLUTIONAL || !params->weights || !(params->means || params->biases)) return PRUNE_CANNOT_TAKE;
        if (node->kind == PRUNE_CONVOLUTIONAL && !inexact) row_sum(values, layer, &rows, row, channel - prune_rows_first(&rows, row), &inexact);
    }
    return taking == PRUNE_TAKES_EXACTLY && (inexact || value.where == PRUNE_INSIDE) ? PRUNE_TAKES_INEXACTLY : taking;
}

/* `amounts`: per row (and place) what its biases get. */
static void add_to_row(const struct prune_values *values, int layer, const struct prune_rows *rows, int row, int column, double value, double *amounts)
{
    const struct prune_node *node = &values->channels->graph->nodes[layer];
    int inexact;
    if (node->kind != PRUNE_LOCAL) amounts[row] += value * row_sum(values, layer, rows, row, column, &inexact);
    else for (int place = 0; place < rows->places; place++)
        amounts[row * rows->places + place] += value * local_sum(node, rows, values->params[layer].weights, place, row, column);
}

/* All at once, so that the sum is rounded to a float once. */
static void add_amounts(const struct prune_params *params, const double *amounts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (amounts[i] == 0) continue;
        if (params->means) params->means[i] = (float)((double)params->means[i] - amounts[i]);
        else params->biases[i] = (float)((double)params->biases[i] + amounts[i]);
    }
}

static void mark_inexact(const struct prune_graph *graph, int owner, uint8_t *inexact_in)
{
    for (int i = owner; inexact_in && i < graph->n_nodes; i++)
        if (prune_values_owner(graph, i) == owner) inexact_in[i] = 1;
}

static void take_channel(const struct prune_values *values, int layer, const struct prune_rows *rows, int channel, const uint8_t *gone, struct prune_folding *folding, double *amounts)
{
    enum prune_taking taking = prune_values_taking(values, layer, channel, gone);
    int first = first_row(rows, channel), column = channel % rows->columns, takes = taking == PRUNE_TAKES_EXACTLY || taking == PRUNE_TAKES_INEXACTLY;
    double value = outputs_of(values, layer - 1)[channel].value;
    folding->constants += taking != PRUNE_TAKES_NOTHING;
    folding->folded += takes;
    folding->inexact += taking == PRUNE_TAKES_INEXACTLY;
    folding->dropped += taking == PRUNE_CANNOT_TAKE;
    if (taking == PRUNE_TAKES_INEXACTLY) mark_inexact(values->channels->graph, layer, folding->inexact_in);
    for (int row = first; row < first + rows->slice; row++) {
        if (takes && row_matters(values, layer, rows, row, channel, gone)) add_to_row(values, layer, rows, row, column, value, amounts);
        if (values->params[layer].weights) prune_rows_clear(rows, values->params[layer].weights, row, column);
    }
}

int prune_values_take(const struct prune_values *values, const uint8_t *going, const uint8_t *gone, struct prune_folding *folding)
{
    const struct prune_graph *graph = values->channels->graph;
    for (int layer = 0; layer < graph->n_nodes; layer++) {
        struct prune_rows rows;
        int n_in;
        const int *in = prune_channels_in(values->channels, layer, &n_in);
        if (prune_values_owner(graph, layer) != layer || !prune_rows_of(&rows, values->channels, layer)) continue;
        size_t n = (size_t)rows.n * (size_t)rows.places;
        double *amounts = calloc(n, sizeof *amounts);
        if (!amounts) return prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", graph->cfg->path);
        for (int channel = 0; channel < n_in; channel++)
            if (going[in[channel]]) take_channel(values, layer, &rows, channel, gone, folding, amounts);
        add_amounts(&values->params[layer], amounts, n);
        free(amounts);
    }
    return PRUNE_OK;
}

int prune_fold(const struct prune_channels *channels, const struct prune_params *params, const uint8_t *removed, struct prune_folding *folding)
{
    struct prune_values values;
    int code = prune_values_open(&values, channels, params, removed);
    if (code) return code;
    prune_values_work_out(&values);
    code = prune_values_take(&values, removed, removed, folding);
    prune_values_free(&values);
    return code;
}
