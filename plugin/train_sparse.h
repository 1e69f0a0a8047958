/* train_sparse.h - convolutional and connected layers in training where most weights are pruned
 *
 * In: activations as PRUNE_IMAGES (train.h), weights in Darknet's order and their mask. Out: outputs, gradients to the input, and gradients to the surviving weights alone: the work of all
 * three passes is that of the weights that are left.
 *
 * Forward and the gradient to the input run conv.h's tile kernels (forms weight): lanes are images, so a part of an image block, with its border of zeros, is all that has to be packed. The
 * gradient to the input of a stride s is a convolution of the outputs' gradient with s - 1 zeros between its rows and columns. The gradient to a weight w(n, c, ky, kx) is the sum over
 * images and outputs of delta[n][y][x] * in[c][y s + ky - pad][x s + kx - pad]: a tile of delta stays in registers while the surviving weights of its filter pass.
 *
 * A connected layer is a convolution of one pixel. Where planes are smaller than a tile, the vectors of several image blocks lie side by side in it.
 *
 * Bits depend on the mask, the weights, the number of images, parts and V alone.
 */
#ifndef TRAIN_SPARSE_H
#define TRAIN_SPARSE_H

#include "kernels.h"
#include "train.h"

struct prune_sparse_conv;

/* For `images` images, whose ceil(images / V) blocks are shared by `parts` parts (part p: blocks p * blocks / parts ..; some parts may have none). mask (n, c / groups, size, size): 0 is pruned; it
 * is not looked at afterwards. backward: 0: forward only; 1: also to the weights; 2: also to the input. */
int prune_sparse_conv_new(struct prune_sparse_conv **conv, const struct prune_conv_shape *shape, int images, int parts, const struct prune_kernels *kernels, const uint8_t *mask, int backward);
void prune_sparse_conv_free(struct prune_sparse_conv *conv);            /* NULL is nothing */

size_t prune_sparse_conv_scratch(const struct prune_sparse_conv *conv); /* bytes that a part needs in each of the calls below, aligned to 64 */

/* Each call is made by all parts, each with its own number and scratch; arrays are whole ones, of all blocks. Between two calls all parts have to be done. */
void prune_sparse_conv_weights(struct prune_sparse_conv *conv, const float *weights, int part);     /* takes over changed weights; before the next pass */
void prune_sparse_conv_forward(const struct prune_sparse_conv *conv, const float *in, float *out, void *scratch, int part);
void prune_sparse_conv_back_input(const struct prune_sparse_conv *conv, const float *delta, float *in_delta, void *scratch, int part);      /* writes in_delta */
void prune_sparse_conv_back_weights(struct prune_sparse_conv *conv, const float *in, const float *delta, void *scratch, int part);          /* each part's sums stay with it */
void prune_sparse_conv_add_updates(const struct prune_sparse_conv *conv, float *updates, int part);  /* the sums of all parts, in order, += at the surviving weights; a part does its share of them */

/* The optimizer's step (prune_update_plain) at the surviving weights alone: a pruned one has weight and update 0, and keeps them. A part does its share. */
void prune_sparse_conv_update(const struct prune_sparse_conv *conv, float decay, float rate, float momentum, float *weights, float *updates, int part);

/* The density (share of weights that are left) from which on the dense path is the faster one for this layer, with so many images in so many parts, from a cost model whose constants come from bench/train's
 * measurements; at most a half, as each weight takes several words there. Depends on its arguments alone. */
double prune_sparse_conv_crossover(const struct prune_conv_shape *shape, int images, int parts, int vector);

#endif
