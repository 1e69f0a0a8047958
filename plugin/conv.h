/* conv.h - convolution by direct sums over non-zero weights, without im2col
 *
 * The plane of outputs is cut into V blocks (V: floats in a vector), gx across and gy down, and lane l of every vector belongs to block l: the vector at (y, x) holds the
 * pixels (y, x) of all blocks. Input is packed the same way, each block with its border of neighbours, so that a shift in y or x is another vector and no load ever crosses a
 * line. Columns of a stride s are kept in s runs: those that lie s apart are neighbours. For 1 x 1 kernels without stride or pad a vector is V pixels in a row ("flat").
 *
 *   packed input      [channel][row][phase][column] of vectors      phase: column mod stride
 *   accumulators      [filter][tile row][column of the tiles of a group] of vectors
 *
 * A tile, th x tw vectors of outputs, stays in registers while the non-zero weights of one filter (form weight) or of four (form block4) pass: for each, one broadcast weight
 * and one offset into the packed input.
 * Input channels go in blocks that, over one tile, fit into the L1 cache.
 *
 * The sum of an output is acc = 0; acc = fma(w, x, acc) over its weights in the order (c, ky, kx); then fma(acc, scale, bias) and the activation. Neither tiles nor blocks nor
 * threads change that order, so all plans and all instruction sets give the same bits for finite input.
 */
#ifndef CONV_H
#define CONV_H

#include "prune.h"

enum { PRUNE_LANES_MOST = 16, PRUNE_TILE_MOST = 28, PRUNE_SUMS_FLOATS = 16 << 10 };

struct prune_conv_shape {
    int c, h, w;                /* input (c, h, w) */
    int n, size, stride, pad, groups;   /* weights (n, c / groups, size, size) */
    int out_h, out_w;           /* output (n, out_h, out_w) */
};

enum prune_form { PRUNE_FORM_DENSE, PRUNE_FORM_WEIGHT, PRUNE_FORM_BLOCK4 };     /* a dense convolution is one of form block4 */

struct prune_numbers {          /* of a layer: f(scale * sum + bias) for each output channel */
    const float *weights;
    const float *scale, *bias;  /* scale NULL: 1 */
    enum prune_activation activation;   /* a fused one */
};

struct prune_conv_plan {
    enum prune_form form;
    int gx, gy;                 /* lanes across and down; gx * gy = V; flat: 0, 0 */
    int bw, bh;                 /* block of a lane, in outputs; flat: vectors of a tile, tiles */
    int tw, th;                 /* tile, in vectors */
    int channels;               /* in a block of input channels */
    int regions, parts;         /* the plane is cut into regions (rows, or flat pixels), the filters into parts; regions * parts = threads */
    /* follow from these */
    int region_rows;            /* outputs; flat: pixels */
    int phases, phase_columns;  /* columns kept of each stride, vectors of each phase */
    int row;                    /* vectors in a packed row */
    int band;                   /* rows of outputs whose input is packed at a time, so that it stays in the L2 cache */
    int rows_in;                /* packed rows of a band */
    int plane;                  /* vectors from channel to channel */
    int group;                  /* tiles side by side whose sums are finished together: as many as make whole vectors in the output */
    size_t packed_floats, sums_floats;  /* scratch of a thread */
};

struct prune_conv_entry {       /* a non-zero weight */
    float weight;
    uint32_t offset;            /* bytes from the first vector of its tile in the first channel of its block */
};

struct prune_conv_run {         /* the weights of one filter (or of four) in one block of channels */
    uint32_t filter;            /* or filter / 4 */
    uint32_t start;             /* first entry; the next run's is the end */
};

struct prune_conv {
    struct prune_conv_shape shape;
    struct prune_conv_plan plan;
    const struct prune_conv_kernels *kernels;
    int n_blocks;
    uint32_t *block_starts;     /* n_blocks + 1: first run */
    struct prune_conv_run *runs;        /* and one more that ends the last; ascending filters in a block; every filter has a run in block 0 */
    struct prune_conv_entry *entries;   /* form weight */
    uint32_t *offsets;          /* form block4 */
    float *weights;             /* 4 for each offset */
    size_t n_entries;
    float *scale, *bias;        /* n each */
    enum prune_activation activation;   /* a fused one */
};

/* What a tile kernel gets: runs of one block. */
struct prune_tile {
    const struct prune_conv_run *runs;
    size_t n_runs;
    int first;                  /* the sums begin at 0 */
    const struct prune_conv_entry *entries;
    const uint32_t *offsets;
    const float *weights;
    const float *input;         /* the tile's first vector in the block's first channel */
    size_t row_floats;          /* from a row of outputs to the next, in the packed input */
    float *sums;                /* [filter - filter_0][th][tw], with these distances in floats */
    size_t sums_plane, sums_row;
    uint32_t filter_0;          /* in the unit of the runs */
};

/* Up to V columns of one packed row, of all lanes: where they come from, and where they go. */
struct prune_lane_columns {
    int n;                      /* columns */
    ptrdiff_t from[PRUNE_LANES_MOST];   /* of each lane's column 0 in a plane; may lie outside of it */
    uint8_t skip[PRUNE_LANES_MOST], count[PRUNE_LANES_MOST];    /* columns skip .. skip + count - 1 are there, the others are 0 (packing) or not written (unpacking: skip is 0) */
    int at[PRUNE_LANES_MOST];   /* vector of each column in the packed plane; negative: not kept. Unpacking: at[0] is the vector of the first one in the sums */
};

typedef void prune_tile_kernel(const struct prune_tile *tile);

struct prune_finish {           /* the last pass over sums */
    const float *scale, *bias;  /* of the first filter */
    enum prune_activation activation;
};

struct prune_conv_kernels {
    int vector;                 /* V */
    int most_weight, most_block4;       /* vectors in a tile */
    prune_tile_kernel *const *weight;   /* [th: 1, 2, 4 -> 0, 1, 2][tw] at index * (PRUNE_TILE_MOST + 1) + tw; NULL where there is none */
    prune_tile_kernel *const *block4;
    /* n columns of each channel. in: plane (floats) from channel to channel; packed: floats from channel to channel */
    void (*pack)(const struct prune_lane_columns *columns, int n, const float *in, size_t plane, int channels, float *packed, size_t packed_plane);
    void (*pack_flat)(const float *in, size_t plane, int pixels, int channels, float *packed, size_t packed_plane);
    /* n columns of each filter. sums: floats from filter to filter */
    void (*unpack)(const struct prune_lane_columns *columns, int n, const float *sums, size_t sums_plane, int filters, const struct prune_finish *finish, float *out, size_t plane);
    void (*unpack_flat)(const float *sums, size_t sums_plane, int pixels, int filters, const struct prune_finish *finish, float *out, size_t plane);
};

/* Fills in what follows from form, gx, gy, bw (flat), tw, th, channels, regions, parts; what is too large for the shape is made to fit. */
void prune_conv_plan_finish(struct prune_conv_plan *plan, const struct prune_conv_shape *shape, int vector);

int prune_conv_is_flat(const struct prune_conv_shape *shape);

/* Plans that could be the fastest for weights of that density (of positions, for block4), the likeliest first; at most `most`. Returns how many. */
int prune_conv_plans(struct prune_conv_plan *plans, int most, const struct prune_conv_shape *shape, const struct prune_conv_kernels *kernels, enum prune_form form, double density,
                     int threads);

/* Takes what it needs of the layer's numbers. */
int prune_conv_make(struct prune_conv *conv, const struct prune_conv_shape *shape, const struct prune_conv_plan *plan, const struct prune_conv_kernels *kernels,
                    const struct prune_numbers *numbers);
void prune_conv_free(struct prune_conv *conv);

/* The weights it was made from; what was a zero comes as +0. */
void prune_conv_restore(const struct prune_conv *conv, float *weights);

/* Part `part` of plan.regions * plan.parts; one image. scratch: plan.packed_floats + plan.sums_floats, aligned to 64 bytes, of this thread alone. */
void prune_conv_run(const struct prune_conv *conv, const float *in, float *out, float *scratch, int part);

/* The twin (conv_plain.c): the definition of the sums. */
void prune_conv_plain(const struct prune_conv_shape *shape, const struct prune_numbers *numbers, const float *in, float *out);

#endif
