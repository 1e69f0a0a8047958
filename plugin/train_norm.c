/* train_norm.c - batch normalisation and biases over a batch whose images are shared by threads
 *
 * In: what a layer's sums of products are (x), or the gradient to its output. Out: its output, or the gradient to x, and the gradients to scales and biases.
 */
#include "train_norm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 4 };             /* of a part: mean and m2 of its whole blocks and of the rest, or two sums */

static float *floats(size_t n)
{
    float *values = aligned_alloc(64, (n * sizeof(float) + 63) / 64 * 64);
    if (values) memset(values, 0, n * sizeof(float));
    return values;
}

int prune_norm_new(struct prune_norm *norm, const struct prune_batch *batch, enum prune_layout layout, struct prune_planes planes, enum prune_activation activation, int normalised)
{
    size_t v = (size_t)batch->kernels->vector;
    *norm = (struct prune_norm){ .batch = batch, .layout = layout, .planes = planes, .activation = activation, .normalised = normalised };
    norm->n = layout == PRUNE_CHANNELS ? ((size_t)planes.c + v - 1) / v * v : (size_t)planes.c * v;
    norm->sums = floats((size_t)batch->parts * SLOTS * norm->n);
    norm->gathered = malloc(2 * (size_t)planes.c * sizeof *norm->gathered);
    norm->mask = floats(v);
    float **arrays[] = { &norm->shift, &norm->scale, &norm->mean, &norm->a, &norm->b, &norm->c };
    int missing = !norm->sums || !norm->gathered || !norm->mask;
    for (int i = 0; i < (normalised ? 6 : 1); i++) missing |= !(*arrays[i] = floats(norm->n));
    if (missing) {
        prune_norm_free(norm);
        return prune_fail(PRUNE_ERR_NOMEM, "out of memory for a layer's training");
    }
    prune_lane_mask(batch, norm->mask);
    return PRUNE_OK;
}

void prune_norm_free(struct prune_norm *norm)
{
    float *arrays[] = { norm->sums, norm->scale, norm->shift, norm->mean, norm->a, norm->b, norm->c, norm->mask };
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) free(arrays[i]);
    free(norm->gathered);
    memset(norm, 0, sizeof *norm);
}

/* One number of each channel, for all its planes and lanes. */
static void set_channel(const struct prune_norm *norm, float *values, int channel, double value)
{
    int v = norm->batch->kernels->vector;
    if (norm->layout == PRUNE_CHANNELS) values[channel] = (float)value;
    else for (int lane = 0; lane < v; lane++) values[channel * v + lane] = (float)value;
}

static struct prune_share part_of(const struct prune_norm *norm, int part)
{
    return prune_part_of(norm->batch, norm->layout, norm->planes, part);
}

static float *slot(const struct prune_norm *norm, int part, int i)
{
    return norm->sums + ((size_t)part * SLOTS + (size_t)i) * norm->n;
}

/* ---------------------------------------------------------------------------------------------------------- forward -- */

void prune_norm_moments(const struct prune_norm *norm, const float *x, int part)
{
    struct prune_share at = part_of(norm, part);
    const struct prune_train_kernels *kernels = &norm->batch->kernels->train;
    if (at.whole.blocks) kernels->moments(&at.whole, x + at.first, slot(norm, part, 0), slot(norm, part, 1));
    if (at.rest.blocks) kernels->moments(&at.rest, x + at.rest_first, slot(norm, part, 2), slot(norm, part, 3));
}

struct moments {
    double n, mean, m2;
};

/* Chan, Golub and LeVeque, 1979. */
static void join(struct moments *all, double n, double mean, double m2)
{
    double distance = mean - all->mean, together = all->n + n;
    all->mean += distance * n / together;
    all->m2 += m2 + distance * distance * all->n * n / together;
    all->n = together;
}

static struct moments moments_of(const struct prune_norm *norm, int channel)
{
    int v = norm->batch->kernels->vector, images = norm->layout == PRUNE_IMAGES, used = (norm->batch->images - 1) % v + 1;
    struct moments all = { 0, 0, 0 };
    for (int part = 0; part < norm->batch->parts; part++) {
        struct prune_share at = part_of(norm, part);
        const struct prune_vectors *blocks[2] = { &at.whole, &at.rest };
        for (int i = 0; i < 2; i++) {
            const float *mean = slot(norm, part, 2 * i), *m2 = slot(norm, part, 2 * i + 1);
            int lanes = !blocks[i]->blocks ? 0 : !images ? 1 : i ? used : v;
            for (int lane = 0; lane < lanes; lane++) {
                int j = images ? channel * v + lane : channel;
                join(&all, (double)blocks[i]->blocks * blocks[i]->pixels, (double)mean[j], (double)m2[j]);
            }
        }
    }
    return all;
}

/* Rounded to float where Darknet stores a float. */
void prune_norm_settle(struct prune_norm *norm, const struct prune_norm_numbers *numbers, int training)
{
    for (int c = 0; c < norm->planes.c; c++) {
        if (!norm->normalised) {
            set_channel(norm, norm->shift, c, (double)numbers->biases[c]);
            continue;
        }
        if (training) {
            struct moments all = moments_of(norm, c);
            numbers->mean[c] = (float)all.mean;
            numbers->variance[c] = (float)(all.m2 / (all.n - 1));
            numbers->rolling_mean[c] = .99F * numbers->rolling_mean[c] + .01F * numbers->mean[c];
            numbers->rolling_variance[c] = .99F * numbers->rolling_variance[c] + .01F * numbers->variance[c];
        }
        double mean = (double)(training ? numbers->mean : numbers->rolling_mean)[c], variance = (double)(training ? numbers->variance : numbers->rolling_variance)[c];
        double scale = (double)numbers->scales[c] / (sqrt(variance) + .000001);
        set_channel(norm, norm->scale, c, scale);
        set_channel(norm, norm->shift, c, (double)numbers->biases[c] - mean * scale);
        set_channel(norm, norm->mean, c, mean);
    }
}

void prune_norm_apply(const struct prune_norm *norm, const float *x, float *out, int part)
{
    struct prune_share at = part_of(norm, part);
    const struct prune_train_kernels *kernels = &norm->batch->kernels->train;
    if (at.whole.blocks) kernels->normalise(&at.whole, x + at.first, norm->scale, norm->shift, norm->activation, NULL, out + at.first);
    if (at.rest.blocks) kernels->normalise(&at.rest, x + at.rest_first, norm->scale, norm->shift, norm->activation, norm->mask, out + at.rest_first);
}

/* --------------------------------------------------------------------------------------------------------- backward -- */

/* Delta is 0 in the lanes without an image, so whole blocks and the rest are one. */
void prune_norm_back_sums(const struct prune_norm *norm, const float *x, const float *out, float *delta, int part)
{
    struct prune_share at = part_of(norm, part);
    struct prune_vectors all = at.whole;
    all.blocks += at.rest.blocks;
    if (!all.blocks) return;
    const struct prune_train_kernels *kernels = &norm->batch->kernels->train;
    if (norm->normalised)
        kernels->normalise_sums(&all, x + at.first, delta + at.first, norm->scale, norm->shift, norm->activation, norm->mean, slot(norm, part, 0), slot(norm, part, 1));
    else kernels->activate_back(&all, out + at.first, norm->activation, delta + at.first, slot(norm, part, 0));
}

static void gather(const struct prune_norm *norm, int i, double *sums)
{
    int v = norm->batch->kernels->vector, images = norm->layout == PRUNE_IMAGES, lanes = images ? v : 1;
    memset(sums, 0, (size_t)norm->planes.c * sizeof *sums);
    for (int part = 0; part < norm->batch->parts; part++) {
        struct prune_share at = part_of(norm, part);
        const float *values = slot(norm, part, i);
        if (at.whole.blocks + at.rest.blocks == 0) continue;
        for (int c = 0; c < norm->planes.c; c++)
            for (int lane = 0; lane < lanes; lane++) sums[c] += (double)values[c * lanes + lane];
    }
}

void prune_norm_back_settle(struct prune_norm *norm, const struct prune_norm_numbers *numbers, int statistics)
{
    double *sums = norm->gathered, *products = norm->gathered + norm->planes.c, n = (double)norm->batch->images * norm->planes.pixels;
    gather(norm, 0, sums);
    for (int c = 0; c < norm->planes.c; c++) numbers->bias_updates[c] += (float)sums[c];
    if (!norm->normalised) return;
    gather(norm, 1, products);
    for (int c = 0; c < norm->planes.c; c++) {
        double variance = (double)(statistics ? numbers->variance : numbers->rolling_variance)[c], scale = (double)numbers->scales[c], root = sqrt(variance + (double).00001F);
        numbers->scale_updates[c] += (float)(products[c] / (sqrt(variance) + .000001));
        set_channel(norm, norm->a, c, scale / root);
        set_channel(norm, norm->b, c, -scale * products[c] / (root * root * root) / n);
        set_channel(norm, norm->c, c, -scale * sums[c] / root / n);
    }
}

void prune_norm_back_apply(const struct prune_norm *norm, const float *x, float *delta, int part)
{
    struct prune_share at = part_of(norm, part);
    const struct prune_train_kernels *kernels = &norm->batch->kernels->train;
    if (!norm->normalised) return;
    if (at.whole.blocks) kernels->normalise_back(&at.whole, x + at.first, norm->scale, norm->shift, norm->activation, norm->mean, norm->a, norm->b, norm->c, NULL, delta + at.first);
    if (at.rest.blocks)
        kernels->normalise_back(&at.rest, x + at.rest_first, norm->scale, norm->shift, norm->activation, norm->mean, norm->a, norm->b, norm->c, norm->mask, delta + at.rest_first);
}
