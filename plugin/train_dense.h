/* train_dense.h - dense convolutional and connected layers in training, by oneDNN
 *
 * In: activations as in train.h, weights in Darknet's order. Out: outputs, gradients to the input, gradients to the weights added to Darknet's weight_updates.
 *
 * oneDNN runs with one thread in each part of our own pool: a primitive is made for a part's images, so no thread of oneDNN's spins beside ours, and the bits depend on the number of parts
 * alone. 3 x 3 kernels of stride 1 are computed by Winograd's algorithm, F(4 x 4, 3 x 3) (Lavin and Gray, 2016), where that measured faster (see prune_dense_conv_new).
 */
#ifndef TRAIN_DENSE_H
#define TRAIN_DENSE_H

#include "conv.h"
#include "train.h"

struct prune_dense_conv;

/* Whether oneDNN is compiled in and has fast code for this CPU. `vector`: V of the kernels in use; holds oneDNN to the instruction set whose V that is, once for the process. */
int prune_dense_available(int vector);

/* For `images` images in `parts` parts (parts <= images; part p has the images p * images / parts .. (p + 1) * images / parts - 1). backward: 0: forward only; 1: also to the weights; 2: also to
 * the input. PRUNE_ERR_UNSUPPORTED where oneDNN has only its reference code for the shape: Darknet's own is better then. */
int prune_dense_conv_new(struct prune_dense_conv **conv, const struct prune_conv_shape *shape, int images, int parts, int vector, int backward);
void prune_dense_conv_free(struct prune_dense_conv *conv);              /* NULL is nothing */

enum prune_layout prune_dense_conv_in(const struct prune_dense_conv *conv);     /* PRUNE_CHANNELS or PRUNE_PLAIN */
enum prune_layout prune_dense_conv_out(const struct prune_dense_conv *conv);

size_t prune_dense_conv_scratch(const struct prune_dense_conv *conv);   /* bytes that a part needs in each of the calls below, aligned to 64 */

/* Each call is made by all parts, each with its own number and scratch; arrays are whole ones, of all images. Between two calls all parts have to be done. */
int prune_dense_conv_weights(struct prune_dense_conv *conv, const float *weights, int part);    /* takes over changed weights, (n, c / groups, size, size); before the next pass */
int prune_dense_conv_forward(struct prune_dense_conv *conv, const float *in, float *out, void *scratch, int part);
int prune_dense_conv_back_input(struct prune_dense_conv *conv, const float *delta, float *in_delta, void *scratch, int part);       /* writes in_delta */
int prune_dense_conv_back_weights(struct prune_dense_conv *conv, const float *in, const float *delta, void *scratch, int part);     /* each part's sum stays with it */
int prune_dense_conv_add_updates(struct prune_dense_conv *conv, float *updates, int part);                           /* the sums of all parts, in order, += */

/* A connected layer: weights (outputs, inputs); rows of in, out and their gradients lie in_row and out_row floats apart. */
struct prune_dense_connected {
    int inputs, outputs, images, parts;
    size_t in_row, out_row;
};

int prune_dense_connected_forward(const struct prune_dense_connected *connected, const float *weights, const float *in, float *out, int part);             /* the part's images */
int prune_dense_connected_back_input(const struct prune_dense_connected *connected, const float *weights, const float *delta, float *in_delta, int part);  /* writes in_delta */
/* updates += delta^T in, over all images; a part does its share of the outputs */
int prune_dense_connected_back_weights(const struct prune_dense_connected *connected, const float *in, const float *delta, float *updates, int part);

/* The twins (train_plain_conv.c): sums in double, rounded once; images (n, c, h, w) in Darknet's order. in_delta is written, updates are added to. */
void prune_train_conv_plain(const struct prune_conv_shape *shape, int images, const float *weights, const float *in, float *out);
void prune_train_conv_back_input_plain(const struct prune_conv_shape *shape, int images, const float *weights, const float *delta, float *in_delta);
void prune_train_conv_back_weights_plain(const struct prune_conv_shape *shape, int images, const float *in, const float *delta, float *updates);

#endif
