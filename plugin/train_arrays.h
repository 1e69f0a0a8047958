/* train_arrays.h - arrays of a batch's activations in the layouts of train.h: their sizes, each thread's part, and the way from one layout to another */
#ifndef TRAIN_ARRAYS_H
#define TRAIN_ARRAYS_H

#include "kernels.h"
#include "threads.h"

struct prune_batch {
    const struct prune_kernels *kernels;
    struct prune_threads *threads;
    int images, parts;          /* parts: the threads, at most as many as images */
};

struct prune_planes {           /* of one image */
    int c, pixels;
};

/* Floats of an array of the whole batch. */
size_t prune_array_floats(const struct prune_batch *batch, enum prune_layout layout, struct prune_planes planes);

/* The blocks of one part in an array of vectors. `whole` has all lanes in use; `rest` is the one block behind them whose last lanes have no image, or none (0 blocks). */
struct prune_share {
    struct prune_vectors whole, rest;
    size_t first, rest_first;   /* floats from the array's beginning */
};

struct prune_share prune_part_of(const struct prune_batch *batch, enum prune_layout layout, struct prune_planes planes, int part);

/* 1 in lanes that have an image in the last block, else 0: V floats. */
void prune_lane_mask(const struct prune_batch *batch, float *mask);

/* to = from, or with add = 1 to += from, where `from` is not PRUNE_PLAIN or `to` has its layout. Layouts may be the same. */
void prune_convert(const struct prune_batch *batch, struct prune_planes planes, enum prune_layout from_layout, const float *from, enum prune_layout to_layout, int add, float *to);

#endif
