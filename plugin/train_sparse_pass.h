/* train_sparse_pass.h - the three passes of a sparse layer in training: how each is cut into regions and tiles, and its list of weights
 *
 * train_sparse_plan.c plans, from shapes, images and density alone; train_sparse.c lists the weights and computes.
 */
#ifndef TRAIN_SPARSE_PASS_H
#define TRAIN_SPARSE_PASS_H

#include "train_sparse.h"

enum { PRUNE_PASS_BYTES = 40 << 10 };   /* of packed input under a tile: stays in the L1 cache */


struct prune_pass {
    /* What is summed. Sources are the planes that are read, targets those that are written, or whose gradient is known. */
    int sources, h, w, targets, out_h, out_w;
    int kernel_h, kernel_w, stride_y, stride_x, pad_y, pad_x;
    int dilate_y, dilate_x;             /* distance of neighbours of the source, zeros between them */
    /* How. */
    int side;                           /* image blocks side by side */
    int th, tw;                         /* largest tile: rows, columns */
    int columns;                        /* largest region: th rows of so many columns */
    int channels;                       /* sources in a block */
    int phases, phase_vectors, row, plane;      /* vectors of a phase, a row and a source of the packed region */
    /* The list. */
    int n_blocks;
    uint32_t *starts;                   /* n_blocks + 1: first run */
    struct prune_conv_run *runs;        /* and one more that ends the last; ascending targets in a block; every target has a run in block 0 */
    struct prune_conv_entry *entries;
    uint32_t *slots;                    /* the entry of each copy of a weight */
    /* Gradients alone: the targets and the blocks are cut so that the sums of the entries of one piece stay near. */
    int target_pieces, block_pieces;
    size_t most_entries;                /* of a piece */
};

struct prune_sparse_conv {
    struct prune_conv_shape shape;
    const struct prune_kernels *kernels;
    int blocks, parts, v;
    int unrolled, backward;
    size_t n_survivors, n_copies;
    uint8_t *meeting;                   /* size * size: whether that place of the kernel meets anything but the border */
    uint32_t *survivors;                /* their places in the weights array, ascending */
    uint32_t *copies;                   /* the same of what is in the lists: a survivor several times where rows are unrolled, and not if it meets nothing but the border */
    struct prune_pass forward, back, gradient;
    float **sums;                       /* for each part, the sum of each entry of `gradient` */
};

/* Whether the rows of so small a plane are planes of their own. */
int prune_pass_is_unrolled(const struct prune_conv_shape *shape);

/* Whether a kernel's row (or column) k meets anything but the border. */
int prune_pass_meets(int k, int in, int out, int stride, int pad);

/* What is summed in a pass; back: the one to the input. */
struct prune_pass prune_pass_of(const struct prune_conv_shape *shape, int unrolled, int back);

/* How, for tiles of at most `most` vectors and `cache` bytes of input under them. */
void prune_pass_plan(struct prune_pass *pass, int v, int most, int blocks, double density, int cache);

/* Whether one region is the whole plane, of all image blocks. */
int prune_pass_is_one_region(const struct prune_pass *pass, int blocks);

#endif
