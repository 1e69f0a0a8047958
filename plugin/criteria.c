/* criteria.c - what a coupled group is worth
 *
 * In: struct prune_channels, the layers' numbers, and what a criterion needs beside them (gradients, observed outputs, a seed). Out: a score per group, the
 * sum over its members. The criteria are in prune.h.
 *
 * A member's share that is not finite (a NaN or an infinity among its numbers) counts 0, so that a broken filter is the first to go and spoils no other. With
 * share_index, weights and their gradients belong to their owner and count once; outputs are each layer's own.
 */
#include "prune.h"
#include "rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VARIANCE_FLOOR 0.000001 /* what Darknet adds to the root of the variance */
enum { BINS = 100 };

struct scoring {
    enum prune_criterion criterion;
    const struct prune_channels *channels;
    const struct prune_graph *graph;
    const struct prune_params *params;
    const struct prune_evidence *evidence;
    double *scores;
};

static int is_free(const struct scoring *scoring, int group)
{
    return scoring->channels->groups[group].pin == PRUNE_FREE;
}

static void add(const struct scoring *scoring, int group, double share)
{
    if (is_free(scoring, group) && isfinite(share)) scoring->scores[group] += share;
}

static int any_free(const struct scoring *scoring, const int *groups, int n)
{
    for (int i = 0; i < n; i++)
        if (is_free(scoring, groups[i])) return 1;
    return 0;
}

/* ---------------------------------------------------------------------------------------------------------- slices -- */

/* The weights that make or read one channel: so many runs, a step apart. */
struct slice {
    size_t first, runs, step, length;
};

/* The filter or row that makes output channel `channel`. */
static struct slice filter_of(const struct prune_rows *rows, int channel)
{
    size_t first = (size_t)channel * rows->row_step, columns = (size_t)rows->columns;
    if (rows->column_step != rows->block) return (struct slice){ first, columns, rows->column_step, rows->block };     /* deconvolutional */
    return (struct slice){ first, (size_t)rows->places, rows->place_step, columns * rows->block };
}

/* The weights that input channel `channel` meets: in the rows of one slice, at all places, which are rows as far apart. */
static struct slice column_of(const struct prune_rows *rows, int channel)
{
    int row = channel / rows->columns * rows->slice, column = channel % rows->columns;
    size_t first = prune_rows_at(rows, 0, row, column), n = (size_t)rows->slice * (size_t)rows->places;
    return (struct slice){ first, n, rows->row_step, rows->block };
}

/* Whether the layer has weights of its own that make channels. */
static int own_rows(const struct scoring *scoring, int layer, struct prune_rows *rows)
{
    return scoring->graph->nodes[layer].share < 0 && scoring->params[layer].weights && prune_rows_of(rows, scoring->channels, layer);
}

static double sum_of_sizes(const float *weights, const struct slice *slice)
{
    double sum = 0;
    for (size_t r = 0; r < slice->runs; r++)
        for (size_t i = 0; i < slice->length; i++) sum += fabs((double)weights[slice->first + r * slice->step + i]);
    return sum;
}

static double sum_of_products(const float *a, const float *b, const struct slice *slice)
{
    double sum = 0;
    for (size_t r = 0; r < slice->runs; r++) {
        size_t at = slice->first + r * slice->step;
        for (size_t i = 0; i < slice->length; i++) sum += (double)a[at + i] * (double)b[at + i];
    }
    return sum;
}

static double length_of(const float *weights, const struct slice *slice)
{
    return sqrt(sum_of_products(weights, weights, slice));
}

/* -------------------------------------------------------------------------------------------------- one at a time -- */

/* Gradient times value over n numbers; 0 where either is not there. */
static double taylor_term(const float *gradients, const float *values, size_t n)
{
    return gradients && values ? sum_of_products(gradients, values, &(struct slice){ 0, 1, n, n }) : 0;
}

/* Of a filter with its bias and scale. */
static double taylor_of_filter(const struct scoring *scoring, int layer, int channel, const struct slice *slice)
{
    const struct prune_node *node = &scoring->graph->nodes[layer];
    const struct prune_params *values = &scoring->params[layer], *gradients = &scoring->evidence->gradients[layer];
    size_t n = (size_t)scoring->channels->n_channels[layer], at = (size_t)channel;
    size_t places = node->kind == PRUNE_LOCAL ? node->outputs / n : 1;  /* biases of one filter */
    double sum = gradients->weights ? sum_of_products(gradients->weights, values->weights, slice) : 0;
    if (gradients->biases && values->biases) sum += taylor_term(gradients->biases + at * places, values->biases + at * places, places);
    if (gradients->scales && values->scales) sum += taylor_term(gradients->scales + at, values->scales + at, 1);
    return sum * sum;
}

static double filter_share(const struct scoring *scoring, const struct prune_rows *rows, int layer, int channel)
{
    const struct prune_params *params = &scoring->params[layer];
    const struct slice slice = filter_of(rows, channel);
    switch (scoring->criterion) {
    case PRUNE_L1:
        return sum_of_sizes(params->weights, &slice);
    case PRUNE_GAMMA:
        return params->scales ? fabs((double)params->scales[channel]) : length_of(params->weights, &slice);
    case PRUNE_FOLDED:
        if (!params->scales || !params->variances) return length_of(params->weights, &slice);
        return length_of(params->weights, &slice) * fabs((double)params->scales[channel]) / (sqrt((double)params->variances[channel]) + VARIANCE_FLOOR);
    case PRUNE_TAYLOR:
        return taylor_of_filter(scoring, layer, channel, &slice);
    default:
        return length_of(params->weights, &slice);
    }
}

/* The shares of members by their own numbers. */
static void score_filters(const struct scoring *scoring)
{
    for (int l = 0; l < scoring->graph->n_nodes; l++) {
        const struct prune_node *node = &scoring->graph->nodes[l];
        const struct prune_params *params = &scoring->params[l];
        const int *groups = scoring->channels->group[l], n = scoring->channels->n_channels[l];
        struct prune_rows rows;
        if (own_rows(scoring, l, &rows))
            for (int i = 0; i < n; i++)
                if (is_free(scoring, groups[i])) add(scoring, groups[i], filter_share(scoring, &rows, l, i));
        if (scoring->criterion == PRUNE_GAMMA && node->kind == PRUNE_BATCHNORM && params->scales)
            for (int i = 0; i < n; i++) add(scoring, groups[i], fabs((double)params->scales[i]));
        const float *gradients = scoring->criterion == PRUNE_TAYLOR ? scoring->evidence->gradients[l].weights : NULL;
        if (node->kind == PRUNE_SHORTCUT && node->per_channel && params->weights && gradients) {
            for (int i = 0; i < n; i++) {       /* one weight per channel for each of its inputs */
                struct slice slice = { (size_t)i, node->n_weights / (size_t)n, (size_t)n, 1 };
                double sum = sum_of_products(gradients, params->weights, &slice);
                add(scoring, groups[i], sum * sum);
            }
        }
    }
}

/* ------------------------------------------------------------------------------------------------- those that read -- */

static double column_share(const struct scoring *scoring, int layer, const struct slice *slice)
{
    const float *weights = scoring->params[layer].weights;
    if (scoring->criterion == PRUNE_L1) return sum_of_sizes(weights, slice);
    if (scoring->criterion == PRUNE_L2) return length_of(weights, slice);
    const float *gradients = scoring->evidence->gradients[layer].weights;
    double sum = gradients ? sum_of_products(gradients, weights, slice) : 0;
    return sum * sum;
}

static void score_columns(const struct scoring *scoring)
{
    for (int l = 0; l < scoring->graph->n_nodes; l++) {
        struct prune_rows rows;
        int n;
        const int *groups = prune_channels_in(scoring->channels, l, &n);
        if (!own_rows(scoring, l, &rows)) continue;
        for (int i = 0; i < n; i++) {
            const struct slice slice = column_of(&rows, i);
            if (is_free(scoring, groups[i])) add(scoring, groups[i], column_share(scoring, l, &slice));
        }
    }
}

/* ------------------------------------------------------------------------------------------------------------ fpgm -- */

/* Distances of all pairs of filters by way of their products, |a - b|^2 = |a|^2 + |b|^2 - 2 a.b. In double, so that a pair of equal filters is within
 * 1e-7 of 0. n * n/2 * k multiply-adds for n filters of k weights: 5e9, some seconds, for 1024 filters of 3x3 on 1024 channels; minutes for
 * the connected layers of VGG-16. */
enum { TILE_FILTERS = 32, TILE_WEIGHTS = 256, UNROLLED = 8 };   /* so many filters against all, so many weights at a time: a tile stays in the cache */

struct distances {
    size_t n, k, pitch;         /* filters, weights in each, doubles in a row of `columns` and `products` */
    double *columns;            /* (weight, filter): some weights of all filters, turned and widened */
    double *products;           /* (filter of the tile, filter) */
    double *squares, *sums;     /* per filter: |a|^2, sum of its distances */
    uint8_t *broken;            /* per filter: has weights that are not finite; it is no one's neighbour */
};

static double weight_at(const float *weights, const struct slice *slice, size_t i)
{
    return (double)weights[slice->first + i / slice->length * slice->step + i % slice->length];
}

static void load_columns(struct distances *distances, const struct prune_rows *rows, const float *weights, size_t first_filter, size_t first, size_t n)
{
    size_t padded = (n + UNROLLED - 1) / UNROLLED * UNROLLED;
    for (size_t f = first_filter; f < distances->n; f++) {
        const struct slice slice = filter_of(rows, (int)f);
        for (size_t i = 0; i < padded; i++)
            distances->columns[i * distances->pitch + f] = i < n && !distances->broken[f] ? weight_at(weights, &slice, first + i) : 0;
    }
}

/* products[j] += eight weights of one filter times those of every filter j from `first` on; j innermost and eight products to a store, so that it runs in vectors. */
static void multiply(double *restrict products, const double *restrict columns, size_t pitch, size_t filter, size_t first, size_t n)
{
    const double *c0 = columns, *c1 = c0 + pitch, *c2 = c1 + pitch, *c3 = c2 + pitch, *c4 = c3 + pitch, *c5 = c4 + pitch, *c6 = c5 + pitch, *c7 = c6 + pitch;
    double w0 = c0[filter], w1 = c1[filter], w2 = c2[filter], w3 = c3[filter], w4 = c4[filter], w5 = c5[filter], w6 = c6[filter], w7 = c7[filter];
    for (size_t j = first; j < n; j++)
        products[j] += ((w0 * c0[j] + w1 * c1[j]) + (w2 * c2[j] + w3 * c3[j])) + ((w4 * c4[j] + w5 * c5[j]) + (w6 * c6[j] + w7 * c7[j]));
}

static void add_tile(struct distances *distances, size_t tile, size_t end)
{
    for (size_t i = tile; i < end; i++) {
        for (size_t j = i + 1; j < distances->n; j++) {
            if (distances->broken[i] || distances->broken[j]) continue;
            double square = distances->squares[i] + distances->squares[j] - 2 * distances->products[(i - tile) * distances->pitch + j];
            double distance = square > 0 ? sqrt(square) : 0;
            distances->sums[i] += distance;
            distances->sums[j] += distance;
        }
    }
}

static void measure(struct distances *distances, const struct prune_rows *rows, const float *weights)
{
    for (size_t f = 0; f < distances->n; f++) {
        const struct slice slice = filter_of(rows, (int)f);
        distances->squares[f] = sum_of_products(weights, weights, &slice);
        if (!isfinite(distances->squares[f])) distances->broken[f] = 1;
    }
    for (size_t tile = 0; tile < distances->n; tile += TILE_FILTERS) {
        size_t end = tile + TILE_FILTERS < distances->n ? tile + TILE_FILTERS : distances->n;
        memset(distances->products, 0, TILE_FILTERS * distances->pitch * sizeof *distances->products);
        for (size_t at = 0; at < distances->k; at += TILE_WEIGHTS) {
            size_t n = at + TILE_WEIGHTS < distances->k ? TILE_WEIGHTS : distances->k - at;
            load_columns(distances, rows, weights, tile, at, n);
            for (size_t u = 0; u < n; u += UNROLLED)
                for (size_t i = tile; i < end; i++)
                    multiply(&distances->products[(i - tile) * distances->pitch], &distances->columns[u * distances->pitch], distances->pitch, i, tile, distances->n);
        }
        add_tile(distances, tile, end);
    }
}

static int score_distances(const struct scoring *scoring, const struct prune_rows *rows, int layer)
{
    const int *groups = scoring->channels->group[layer];
    size_t n = (size_t)rows->n;
    struct distances distances = { .n = n, .k = scoring->graph->nodes[layer].n_weights / n, .pitch = n + 8 };  /* off the powers of two, which all fall in one part of the cache */
    distances.columns = malloc(TILE_WEIGHTS * distances.pitch * sizeof *distances.columns);
    distances.products = malloc(TILE_FILTERS * distances.pitch * sizeof *distances.products);
    distances.squares = calloc(n, sizeof *distances.squares);
    distances.sums = calloc(n, sizeof *distances.sums);
    distances.broken = calloc(n, 1);
    int code = PRUNE_OK;
    if (!distances.columns || !distances.products || !distances.squares || !distances.sums || !distances.broken) {
        code = prune_fail(PRUNE_ERR_NOMEM, "out of memory for the distances of %zu filters of layer %d", n, layer);
        goto done;
    }
    measure(&distances, rows, scoring->params[layer].weights);
    for (size_t f = 0; f < n; f++) add(scoring, groups[f], distances.sums[f]);
done:
    free(distances.columns);
    free(distances.products);
    free(distances.squares);
    free(distances.sums);
    free(distances.broken);
    return code;
}

static int score_fpgm(const struct scoring *scoring)
{
    int code = PRUNE_OK;
    for (int l = 0; l < scoring->graph->n_nodes && !code; l++) {
        struct prune_rows rows;
        if (!own_rows(scoring, l, &rows)) continue;
        if (any_free(scoring, scoring->channels->group[l], rows.n)) code = score_distances(scoring, &rows, l);
    }
    return code;
}

/* -------------------------------------------------------------------------------------------------------- outputs -- */

static double apoz_share(const struct prune_observed *observed, int layer, int channel)
{
    size_t places = observed->channels->graph->nodes[layer].outputs / (size_t)observed->channels->n_channels[layer];
    return 1 - (double)observed->zeros[layer][channel] / ((double)observed->images * (double)places);
}

/* A channel that gives every image the same mean says nothing: 0. So does one with means that are no numbers. */
static double entropy_share(const struct prune_observed *observed, int layer, int channel)
{
    size_t n = (size_t)observed->channels->n_channels[layer], counts[BINS] = { 0 };
    const float *means = observed->means[layer] + channel;
    double low = INFINITY, high = -INFINITY, entropy = 0;
    for (size_t i = 0; i < observed->images; i++) {
        double mean = (double)means[i * n];
        if (!isfinite(mean)) return 0;
        low = fmin(low, mean);
        high = fmax(high, mean);
    }
    if (!(high > low)) return 0;
    for (size_t i = 0; i < observed->images; i++) {
        int bin = (int)(((double)means[i * n] - low) / (high - low) * BINS);
        counts[bin < BINS ? bin : BINS - 1]++;  /* the largest belongs to the last bin */
    }
    for (int b = 0; b < BINS; b++) {
        double p = (double)counts[b] / (double)observed->images;
        if (counts[b]) entropy -= p * log(p);
    }
    return entropy;
}

static void score_outputs(const struct scoring *scoring)
{
    const struct prune_observed *observed = scoring->evidence->observed;
    for (int l = 0; l < scoring->graph->n_nodes; l++) {
        const int *groups = scoring->channels->group[l];
        for (int i = 0; observed->zeros[l] && i < scoring->channels->n_channels[l]; i++)
            if (is_free(scoring, groups[i])) add(scoring, groups[i], scoring->criterion == PRUNE_APOZ ? apoz_share(observed, l, i) : entropy_share(observed, l, i));
    }
}

/* ---------------------------------------------------------------------------------------------------------- random -- */

/* Steele, Lea and Flood, 2014 (splitmix64), from a place of its own for each group, so that a group's draw does not depend on how many there are. */
static double draw(uint64_t seed, int group)
{
    uint64_t z = seed + ((uint64_t)group + 1) * 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* ---------------------------------------------------------------------------------------------------------- public -- */

static int check(enum prune_criterion criterion, const struct prune_evidence *evidence)
{
    if (criterion == PRUNE_MAGNITUDE) return prune_fail(PRUNE_ERR_UNSUPPORTED, "criterion magnitude is for weights; for filters and channels it is l1 or l2");
    if (criterion == PRUNE_TAYLOR && (!evidence || !evidence->gradients)) return prune_fail(PRUNE_ERR_USAGE, "criterion taylor needs gradients, so it needs images");
    if (criterion != PRUNE_APOZ && criterion != PRUNE_ENTROPY) return PRUNE_OK;
    const char *name = criterion == PRUNE_APOZ ? "apoz" : "entropy";
    if (!evidence || !evidence->observed) return prune_fail(PRUNE_ERR_USAGE, "criterion %s needs the layers' outputs, so it needs images", name);
    if (!evidence->observed->images) return prune_fail(PRUNE_ERR_RANGE, "criterion %s has not seen a single image", name);
    return PRUNE_OK;
}

int prune_criteria_score(enum prune_criterion criterion, enum prune_granularity granularity, const struct prune_channels *channels,
                         const struct prune_params *params, const struct prune_evidence *evidence, double *scores)
{
    const struct scoring scoring = { criterion, channels, channels->graph, params, evidence, scores };
    int code = check(criterion, evidence);
    if (code) return code;
    for (int g = 0; g < channels->n_groups; g++) scores[g] = 0;
    switch (criterion) {
    case PRUNE_L1:
    case PRUNE_L2:
    case PRUNE_TAYLOR:
        if (granularity == PRUNE_CHANNEL) score_columns(&scoring);
        else score_filters(&scoring);
        break;
    case PRUNE_APOZ:
    case PRUNE_ENTROPY:
        score_outputs(&scoring);
        break;
    case PRUNE_FPGM:
        code = score_fpgm(&scoring);
        break;
    case PRUNE_RANDOM:
        for (int g = 0; g < channels->n_groups; g++) add(&scoring, g, draw(evidence ? evidence->seed : 0, g));
        break;
    default:                                    /* gamma, folded */
        score_filters(&scoring);
        break;
    }
    return code;
}
