/* train_norm.h - batch normalisation and biases over a batch whose images are shared by threads
 *
 * As Darknet computes them (batchnorm_layer.c): variance over n - 1, 1e-6 beside the root in the forward pass, 1e-5 under it in the backward pass, rolling averages of .99 and .01. Each part sums
 * over its blocks; the parts are joined in order, in double.
 */
#ifndef TRAIN_NORM_H
#define TRAIN_NORM_H

#include "train_arrays.h"

/* Of one layer. Its arrays: (parts or planes, V) floats, aligned. */
struct prune_norm {
    const struct prune_batch *batch;
    enum prune_layout layout;
    struct prune_planes planes;
    enum prune_activation activation;
    int normalised;             /* else only a bias is added */
    size_t n;                   /* floats that have one for each plane and lane */
    float *sums;                /* (parts, 4, n): what parts bring to a join */
    float *scale, *shift, *mean;        /* n each, of the newest forward pass */
    float *a, *b, *c;           /* n each, of the backward pass */
    float *mask;                /* V */
    double *gathered;           /* (2, c) */
};

/* Numbers of the layer, as Darknet has them: c floats each. */
struct prune_norm_numbers {
    const float *scales, *biases;       /* scales NULL where nothing is normalised */
    float *mean, *variance;             /* written by a forward pass in training */
    float *rolling_mean, *rolling_variance;
    float *scale_updates, *bias_updates;
};

int prune_norm_new(struct prune_norm *norm, const struct prune_batch *batch, enum prune_layout layout, struct prune_planes planes, enum prune_activation activation, int normalised);
void prune_norm_free(struct prune_norm *norm);

/* Forward: every part calls `moments` when its x is there (in training, normalised); then one thread `settle`; then every part `apply`, which writes out = f(norm(x)). Without normalisation the
 * order is settle, apply; x may be out. */
void prune_norm_moments(const struct prune_norm *norm, const float *x, int part);
void prune_norm_settle(struct prune_norm *norm, const struct prune_norm_numbers *numbers, int training);
void prune_norm_apply(const struct prune_norm *norm, const float *x, float *out, int part);

/* Backward: every part `back_sums`, one thread `back_settle`, which adds to scale_updates and bias_updates, then every part `back_apply`, which makes delta that of x. Without normalisation
 * back_sums does it all but bias_updates, which back_settle adds to. statistics: 1 the batch's, 0 the rolling ones (of a forward pass that was none of training). */
void prune_norm_back_sums(const struct prune_norm *norm, const float *x, const float *out, float *delta, int part);
void prune_norm_back_settle(struct prune_norm *norm, const struct prune_norm_numbers *numbers, int statistics);
void prune_norm_back_apply(const struct prune_norm *norm, const float *x, float *delta, int part);

#endif
