/* host_training.h - fast training of a Darknet network: what its layers are, and where their numbers lie (host_training.c plans, host_training_layers.c computes) */
#ifndef PRUNE_HOST_TRAINING_H
#define PRUNE_HOST_TRAINING_H

#include "host.h"
#include "train_arrays.h"
#include "train_dense.h"
#include "train_norm.h"
#include "train_sparse.h"

enum prune_trained_kind {
    PRUNE_TRAINED_OWN,          /* Darknet's own code: reads and writes l.output and l.delta, which are kept up for it */
    PRUNE_TRAINED_CONV, PRUNE_TRAINED_CONNECTED, PRUNE_TRAINED_MAXPOOL, PRUNE_TRAINED_AVGPOOL, PRUNE_TRAINED_ACTIVATE, PRUNE_TRAINED_SHORTCUT, PRUNE_TRAINED_SOFTMAX
};

/* Memory that only grows: new layouts find it there, and no page is touched for the first time twice. */
struct prune_room {
    float *floats;
    size_t n;
};

struct prune_trained {          /* a layer */
    enum prune_trained_kind kind;
    struct prune_planes planes; /* of its output */
    enum prune_layout layout;   /* of out and delta; PRUNE_PLAIN: they are l.output and l.delta */
    float *x, *out, *delta;     /* x: what is normalised; else it is out */
    struct prune_room rooms[3], as_room[3];
    int as[3];                  /* the output is there in this layout too, in as_room */
    int delta_begun;            /* something has been written to delta in this backward pass */
    int plain_out, plain_delta; /* Darknet's code reads l.output, adds to l.delta */
    int source, from;           /* layers that it reads: the one before (-1: the network's input), and of a shortcut the other */
    enum prune_layout in_layout;
    enum prune_activation activation;
    struct prune_norm norm;
    int sparse;                 /* the sparse path computes it; then dense_conv is for gradients to all weights */
    int complete;               /* and it has all of its weights */
    struct prune_dense_conv *dense_conv;
    struct prune_sparse_conv *sparse_conv;
    struct prune_dense_connected dense_connected;
    const struct prune_tensor *tensor;  /* or NULL: it is not pruned */
    float *own_delta;           /* Darknet's pointers, put back in the end */
    void (*own_forward)(struct layer, struct network);
    void (*own_backward)(struct layer, struct network);
    void (*own_update)(struct layer, update_args);
    float *seen_output, *seen_delta;    /* l.output and l.delta as they were planned */
    int seen_outputs, seen_w, seen_h;
    int known;                  /* oneDNN was asked for its shape: 1 has fast code, -1 has none */
};

struct prune_training {
    network *net;
    int n;
    struct prune_trained *layers;
    int attached, refused;
    void (*door_forward)(struct layer, struct network);    /* of the first layer, before the door */
    struct prune_batch batch;
    int seen_batch;
    int replan;                 /* masks have changed */
    int statistics;             /* the newest forward pass was one of training */
    int all_gradients;          /* a recovery rule wants gradients to pruned weights in this iteration */
    const float *input;         /* of the network, and its shape */
    struct prune_planes input_planes;
    struct prune_room input_as[3];
    int input_is[3];
    struct prune_room temporary[3];
    char *scratch;              /* (parts, scratch_bytes) */
    size_t scratch_bytes;
};

/* Room for n floats, zeros where it is new; exits without memory, as nothing can go on. */
float *prune_room_of(struct prune_room *room, size_t n);

/* A layer's output in a layout; layer -1: the network's input. */
const float *prune_trained_value(struct prune_training *training, int layer, enum prune_layout layout);

void prune_trained_forward(struct prune_training *training, int layer, const network *net);
void prune_trained_backward(struct prune_training *training, int layer);
void prune_trained_update(struct prune_training *training);

/* A convolutional or connected layer as a convolution. */
struct prune_conv_shape prune_trained_shape(const layer *l);

/* The dense path for a convolutional layer; made when it is first needed. */
int prune_trained_dense(struct prune_training *training, int layer);
void prune_trained_drop_dense(struct prune_trained *layer);

#endif
