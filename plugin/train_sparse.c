/* train_sparse.c - convolutional and connected layers in training where most weights are pruned
 *
 * In: activations as PRUNE_IMAGES, weights (n, c / groups, size, size) and their mask. Out: outputs, gradients to the input, and gradients to the surviving weights.
 *
 * Each of the three passes goes over the plane of its outputs (of delta, for the weights) in regions, as high as a tile and one or more tiles wide. What a block of channels has of a region's
 * input is packed with its border of zeros,
 *
 *   packed input      [channel][row][phase][column][image block] of vectors      phase: column mod stride; image blocks: several, side by side, where planes are small
 *
 * and the tiles of all filters pass over it. A pass has its own list of the surviving weights, by blocks of channels, filters, and places in the weights array.
 *
 * Of planes so small that a kernel mostly meets the border, the rows are planes of their own ("unrolled"): a weight is then in the list once for each pair of rows that it joins, and the rows
 * of the border are not there.
 */
#include "train_sparse_pass.h"

#include <stdlib.h>
#include <string.h>

enum {
    SUMS_BYTES = 384 << 10,             /* of sums of gradients, to which several regions add: likewise */
    ONCE_BYTES = 16 << 10               /* of those to which one region adds: as much as the L1 cache has room for beside the input */
};

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }
static int up(int a, int b) { return (a + b - 1) / b; }
static int share(int n, int part, int parts) { return (int)((long long)part * n / parts); }
static size_t share_of(size_t n, int part, int parts) { return n / (size_t)parts * (size_t)part + n % (size_t)parts * (size_t)part / (size_t)parts; }

/* ----------------------------------------------------------------------------------------------------------- lists -- */

/* Where a weight meets: of the channels and rows c, n, and of the kernel. */
struct copy {
    int n, c, ky, kx, y, in_y;          /* rows: unrolled alone */
    uint32_t place;                     /* in the weights array */
};

typedef void copy_function(void *context, const struct copy *copy);

/* Compiled anew for each function, and without a branch that depends on the mask: a call or a wrong guess for each of millions of weights would be most of the work. Halves keep the products
 * with reciprocals on the right side of whole numbers. */
static inline __attribute__((always_inline)) void for_each_copy(const struct prune_sparse_conv *conv, copy_function *function, void *context)
{
    const struct prune_conv_shape *s = &conv->shape;
    int channels = s->c / s->groups, filters = s->n / s->groups, taps = s->size * s->size;
    double per_tap = 1. / taps, per_channel = 1. / channels, per_row = 1. / s->size, per_filter = 1. / filters;
    for (size_t i = 0; i < conv->n_survivors; i++) {
        int place = (int)conv->survivors[i], kernel = (int)((place + .5) * per_tap), tap = place - kernel * taps, n = (int)((kernel + .5) * per_channel), ky = (int)((tap + .5) * per_row);
        struct copy copy = { .n = n, .c = (int)((n + .5) * per_filter) * channels + kernel - n * channels, .ky = ky, .kx = tap - ky * s->size, .place = (uint32_t)place };
        if (!conv->meeting[tap]) continue;
        if (!conv->unrolled) {
            function(context, &copy);
            continue;
        }
        for (copy.y = 0; copy.y < s->out_h; copy.y++) {
            copy.in_y = copy.y * s->stride + copy.ky - s->pad;
            if (copy.in_y >= 0 && copy.in_y < s->h) function(context, &copy);
        }
    }
}

/* Which places of the kernel meet anything but the border. */
static int note_meeting(struct prune_sparse_conv *conv)
{
    const struct prune_conv_shape *s = &conv->shape;
    conv->meeting = malloc((size_t)s->size * (size_t)s->size);
    if (!conv->meeting) return prune_fail(PRUNE_ERR_NOMEM, "out of memory for a sparse convolution");
    for (int ky = 0; ky < s->size; ky++)
        for (int kx = 0; kx < s->size; kx++)
            conv->meeting[ky * s->size + kx] = (uint8_t)(prune_pass_meets(ky, s->h, s->out_h, s->stride, s->pad) && prune_pass_meets(kx, s->w, s->out_w, s->stride, s->pad));
    return PRUNE_OK;
}

struct listing {
    const struct prune_sparse_conv *conv;
    struct prune_pass *pass;
    int back;
    uint32_t *next;                     /* for each block and target: how many entries; then, where the next one goes */
    struct place_of_source {
        uint32_t block, in_block;       /* number of its block times targets; its place there */
    } *sources;
    size_t n;
};

static size_t key_of(const struct listing *listing, const struct copy *copy, int *source)
{
    const struct prune_conv_shape *s = &listing->conv->shape;
    int in = listing->conv->unrolled ? copy->c * s->h + copy->in_y : copy->c, out = listing->conv->unrolled ? copy->n * s->out_h + copy->y : copy->n;
    int from = listing->back ? out : in, to = listing->back ? in : out;
    *source = (int)listing->sources[from].in_block;
    return (size_t)listing->sources[from].block + (size_t)to;
}

static void count_copy(void *context, const struct copy *copy)
{
    struct listing *listing = context;
    int source;
    listing->next[key_of(listing, copy, &source)]++;
    listing->n++;
}

static void place_copy(void *context, const struct copy *copy)
{
    struct listing *listing = context;
    const struct prune_pass *pass = listing->pass;
    int source, last = listing->conv->shape.size - 1, v = listing->conv->v;
    uint32_t entry = listing->next[key_of(listing, copy, &source)]++;
    int ky = listing->conv->unrolled ? 0 : listing->back ? last - copy->ky : copy->ky, kx = listing->back ? last - copy->kx : copy->kx;
    int vectors = source * pass->plane + ky * pass->row + kx % pass->stride_x * pass->phase_vectors + kx / pass->stride_x * pass->side;
    pass->entries[entry].offset = (uint32_t)vectors * (uint32_t)v * (uint32_t)sizeof(float);
    pass->entries[entry].weight = 0;
    pass->slots[listing->n++] = entry;
}

static int list_pass(const struct prune_sparse_conv *conv, struct prune_pass *pass, int back)
{
    size_t keys = (size_t)pass->n_blocks * (size_t)pass->targets, n_runs = 0;
    struct listing listing = { conv, pass, back, calloc(keys + 1, sizeof *listing.next), malloc(((size_t)pass->sources + 1) * sizeof *listing.sources), 0 };
    int code = PRUNE_OK;
    pass->starts = malloc(((size_t)pass->n_blocks + 1) * sizeof *pass->starts);
    pass->entries = malloc((conv->n_copies + 1) * sizeof *pass->entries);
    pass->slots = malloc((conv->n_copies + 1) * sizeof *pass->slots);
    if (!listing.next || !listing.sources || !pass->starts || !pass->entries || !pass->slots) goto no_memory;
    for (int i = 0; i < pass->sources; i++) listing.sources[i] = (struct place_of_source){ (uint32_t)(i / pass->channels * pass->targets), (uint32_t)(i % pass->channels) };
    for_each_copy(conv, count_copy, &listing);
    for (size_t i = 0; i < keys; i++) n_runs += listing.next[i] || i < (size_t)pass->targets;
    pass->runs = malloc((n_runs + 1) * sizeof *pass->runs);
    if (!pass->runs) goto no_memory;
    uint32_t run = 0, entry = 0;
    for (int block = 0; block < pass->n_blocks; block++) {
        pass->starts[block] = run;
        for (int target = 0; target < pass->targets; target++) {
            uint32_t *next = &listing.next[(size_t)block * (size_t)pass->targets + (size_t)target], n = *next;
            *next = entry;
            if (n || !block) pass->runs[run++] = (struct prune_conv_run){ (uint32_t)target, entry };
            entry += n;
        }
    }
    pass->starts[pass->n_blocks] = run;
    pass->runs[run] = (struct prune_conv_run){ (uint32_t)pass->targets, entry };
    listing.n = 0;
    for_each_copy(conv, place_copy, &listing);
    goto done;
no_memory:
    code = prune_fail(PRUNE_ERR_NOMEM, "out of memory for a convolution's surviving weights");
done:
    free(listing.sources);
    free(listing.next);
    return code;
}

static int tile_at(int th, int tw) { return th / 2 * (PRUNE_TILE_MOST + 1) + tw; }

/* The first run of a block whose target is not below `target`. */
static uint32_t run_from(const struct prune_pass *pass, int block, int target)
{
    uint32_t low = pass->starts[block], high = pass->starts[block + 1];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (pass->runs[middle].filter < (uint32_t)target) low = middle + 1;
        else high = middle;
    }
    return low;
}

static size_t entries_of_piece(const struct prune_pass *pass, int target, int end_target, int block, int end_block)
{
    size_t n = 0;
    for (; block < end_block; block++) n += pass->runs[run_from(pass, block, end_target)].start - pass->runs[run_from(pass, block, target)].start;
    return n;
}

/* Pieces about as wide (in targets) as they are high (in sources), as each repeats the reading of both. With one region alone, a block of sources is packed once for all targets. */
static void plan_pieces(struct prune_pass *pass, size_t n_entries, int v, int once)
{
    size_t most = (size_t)(once ? ONCE_BYTES : SUMS_BYTES) / sizeof(float) / (size_t)v;
    pass->target_pieces = 1;
    pass->block_pieces = once ? pass->n_blocks : 1;
    while (n_entries / ((size_t)pass->target_pieces * (size_t)pass->block_pieces) > most) {
        int wide = pass->targets / pass->target_pieces, high = pass->sources / pass->block_pieces;
        if (pass->block_pieces < pass->n_blocks && (high >= wide || wide < 2)) pass->block_pieces++;
        else if (pass->target_pieces < pass->targets) pass->target_pieces++;
        else break;
    }
    for (int t = 0; t < pass->target_pieces; t++)
        for (int b = 0; b < pass->block_pieces; b++) {
            size_t n = entries_of_piece(pass, share(pass->targets, t, pass->target_pieces), share(pass->targets, t + 1, pass->target_pieces), share(pass->n_blocks, b, pass->block_pieces),
                                        share(pass->n_blocks, b + 1, pass->block_pieces));
            if (n > pass->most_entries) pass->most_entries = n;
        }
}

/* --------------------------------------------------------------------------------------------------------- making -- */

static void count_any(void *context, const struct copy *copy)
{
    (void)copy;
    ++*(size_t *)context;
}

static void note_place(void *context, const struct copy *copy)
{
    uint32_t **next = context;
    *(*next)++ = copy->place;
}

static size_t weights_of(const struct prune_conv_shape *s) { return (size_t)s->n * (size_t)(s->c / s->groups) * (size_t)s->size * (size_t)s->size; }

static int note_survivors(struct prune_sparse_conv *conv, const uint8_t *mask)
{
    size_t n = weights_of(&conv->shape);
    if (n > UINT32_MAX / 2) return prune_fail(PRUNE_ERR_UNSUPPORTED, "a convolution of %zu weights is too large", n);
    for (size_t i = 0; i < n; i++) conv->n_survivors += mask[i] != 0;
    conv->survivors = malloc((conv->n_survivors + 1) * sizeof *conv->survivors);
    uint32_t *next = conv->survivors;
    for (size_t i = 0; next && i < n; i++) {        /* what is written for a pruned one is written over */
        *next = (uint32_t)i;
        next += mask[i] != 0;
    }
    if (next) for_each_copy(conv, count_any, &conv->n_copies);
    conv->copies = malloc((conv->n_copies + 1) * sizeof *conv->copies);
    if (!next || !conv->copies) return prune_fail(PRUNE_ERR_NOMEM, "out of memory for a convolution's surviving weights");
    next = conv->copies;
    for_each_copy(conv, note_place, &next);
    return PRUNE_OK;
}

/* At most. */
static int blocks_of_part(const struct prune_sparse_conv *conv) { return up(conv->blocks, conv->parts); }

static int make_pass(struct prune_sparse_conv *conv, struct prune_pass *pass, int back)
{
    *pass = prune_pass_of(&conv->shape, conv->unrolled, back);
    prune_pass_plan(pass, conv->v, conv->kernels->conv.most_weight, blocks_of_part(conv), (double)conv->n_survivors / (double)weights_of(&conv->shape), PRUNE_PASS_BYTES);
    return list_pass(conv, pass, back);
}

static int make_gradient(struct prune_sparse_conv *conv)
{
    struct prune_pass *pass = &conv->gradient;
    double density = (double)conv->n_survivors / (double)weights_of(&conv->shape);
    int most = conv->kernels->gradient.most, blocks = blocks_of_part(conv), p = 0;
    *pass = prune_pass_of(&conv->shape, conv->unrolled, 0);
    prune_pass_plan(pass, conv->v, most, blocks, density, PRUNE_PASS_BYTES);
    int once = prune_pass_is_one_region(pass, blocks);
    if (once) {
        *pass = prune_pass_of(&conv->shape, conv->unrolled, 0);
        prune_pass_plan(pass, conv->v, most, blocks, density, PRUNE_PASS_BYTES - ONCE_BYTES);
    }
    int code = list_pass(conv, pass, 0);
    if (code) return code;
    plan_pieces(pass, conv->n_copies, conv->v, once);
    conv->sums = calloc((size_t)conv->parts, sizeof *conv->sums);
    while (conv->sums && p < conv->parts && (conv->sums[p] = malloc((conv->n_copies + 1) * sizeof **conv->sums))) p++;
    return p == conv->parts ? PRUNE_OK : prune_fail(PRUNE_ERR_NOMEM, "out of memory for a convolution's gradients");
}

int prune_sparse_conv_new(struct prune_sparse_conv **made, const struct prune_conv_shape *shape, int images, int parts, const struct prune_kernels *kernels, const uint8_t *mask, int backward)
{
    struct prune_sparse_conv *conv = calloc(1, sizeof *conv);
    int code;
    *made = NULL;
    if (!conv) return prune_fail(PRUNE_ERR_NOMEM, "out of memory for a sparse convolution");
    conv->shape = *shape;
    conv->kernels = kernels;
    conv->v = kernels->vector;
    conv->blocks = up(images, conv->v);
    conv->parts = parts;
    conv->backward = backward;
    conv->unrolled = prune_pass_is_unrolled(shape);
    code = note_meeting(conv);
    if (!code) code = note_survivors(conv, mask);
    if (!code) code = make_pass(conv, &conv->forward, 0);
    if (!code && backward >= 2) code = make_pass(conv, &conv->back, 1);
    if (!code && backward) code = make_gradient(conv);
    if (code) prune_sparse_conv_free(conv);
    else *made = conv;
    return code;
}

static void free_pass(struct prune_pass *pass)
{
    free(pass->starts);
    free(pass->runs);
    free(pass->entries);
    free(pass->slots);
}

void prune_sparse_conv_free(struct prune_sparse_conv *conv)
{
    if (!conv) return;
    free(conv->meeting);
    free_pass(&conv->forward);
    free_pass(&conv->back);
    free_pass(&conv->gradient);
    for (int p = 0; p < conv->parts && conv->sums; p++) free(conv->sums[p]);
    free(conv->sums);
    free(conv->survivors);
    free(conv->copies);
    free(conv);
}

static size_t packed_floats(const struct prune_sparse_conv *conv, const struct prune_pass *pass) { return (size_t)pass->channels * (size_t)pass->plane * (size_t)conv->v; }

/* Sums of all targets, where image blocks are side by side: then a region is a whole plane. */
static size_t region_floats(const struct prune_sparse_conv *conv, const struct prune_pass *pass)
{
    return pass->side > 1 ? (size_t)pass->targets * (size_t)(pass->out_h * pass->out_w * pass->side * conv->v) : 0;
}

/* Delta with image blocks side by side, of a whole part; 0: it is read where it lies. */
static size_t delta_floats(const struct prune_sparse_conv *conv)
{
    const struct prune_pass *pass = &conv->gradient;
    if (pass->side < 2) return 0;
    return (size_t)(up(blocks_of_part(conv), pass->side) * pass->side) * (size_t)pass->targets * (size_t)(pass->out_h * pass->out_w * conv->v);
}

size_t prune_sparse_conv_scratch(const struct prune_sparse_conv *conv)
{
    size_t forward = packed_floats(conv, &conv->forward) + region_floats(conv, &conv->forward), back = 0, gradient = 0;
    if (conv->backward) gradient = packed_floats(conv, &conv->gradient) + conv->gradient.most_entries * (size_t)conv->v + delta_floats(conv);
    if (conv->backward >= 2) back = packed_floats(conv, &conv->back) + region_floats(conv, &conv->back);
    size_t most = forward > back ? forward : back;
    return (most > gradient ? most : gradient) * sizeof(float);
}

/* -------------------------------------------------------------------------------------------------------- packing -- */

struct region {
    int block, blocks;                  /* image blocks: the first, and how many of the places side by side are used */
    int y, x, rows, columns;            /* of outputs */
};

struct walk {
    const struct prune_sparse_conv *conv;
    const struct prune_pass *pass;
    const float *in;
    float *packed;
    struct region region;               /* what lies in `packed`; its border of zeros stays for all blocks of sources. No blocks: nothing */
    int block;                          /* of sources */
};

/* Copies `vectors` vectors for each of n channels. */
static void copy_vectors(const struct walk *walk, const float *from, size_t from_plane, int vectors, int n, float *to, size_t to_plane)
{
    walk->conv->kernels->conv.pack_flat(from, from_plane, vectors * walk->conv->v, n, to, to_plane);
}

/* The place in a source of coordinate i of a region that begins at output `first`; -1: the border, or between neighbours. */
static int place_of(int first, int i, int stride, int pad, int dilate, int n)
{
    int place = first * stride - pad + i;
    return place < 0 || place % dilate || place / dilate >= n ? -1 : place / dilate;
}

/* One row of the region, of n sources. */
static void pack_row(const struct walk *walk, const struct region *region, const float *in, float *to, int n)
{
    const struct prune_pass *pass = walk->pass;
    size_t v = (size_t)walk->conv->v, plane = (size_t)(pass->h * pass->w) * v, packed_plane = (size_t)pass->plane * v, block = plane * (size_t)pass->sources;
    if (pass->side == 1 && pass->stride_x == 1 && pass->dilate_x == 1) {
        int x = region->x - pass->pad_x, first = larger(0, -x), end = smaller(region->columns + pass->kernel_w - 1, pass->w - x);
        if (end > first) copy_vectors(walk, in + (size_t)(x + first) * v, plane, end - first, n, to + (size_t)first * v, packed_plane);
        return;
    }
    for (int i = 0; i < (region->columns - 1) * pass->stride_x + pass->kernel_w; i++) {
        int phase = i % pass->stride_x, x = place_of(region->x, i, pass->stride_x, pass->pad_x, pass->dilate_x, pass->w);
        if (phase >= pass->phases || x < 0) continue;
        for (int b = 0; b < region->blocks; b++)
            copy_vectors(walk, in + (size_t)b * block + (size_t)x * v, plane, 1, n, to + (size_t)(phase * pass->phase_vectors + i / pass->stride_x * pass->side + b) * v, packed_plane);
    }
}

static void pack_region(struct walk *walk, const struct region *region, int block)
{
    const struct prune_pass *pass = walk->pass;
    size_t v = (size_t)walk->conv->v, row = (size_t)pass->w * v, plane = row * (size_t)pass->h;
    int first = block * pass->channels, n = smaller(pass->channels, pass->sources - first), rows = (region->rows - 1) * pass->stride_y + pass->kernel_h;
    const float *in = walk->in + ((size_t)region->block * (size_t)pass->sources + (size_t)first) * plane;
    const struct region *r = &walk->region;
    int same = r->blocks == region->blocks && r->y == region->y && r->x == region->x && r->rows == region->rows && r->columns == region->columns;
    if (same && r->block == region->block && walk->block == block) return;
    if (!same) memset(walk->packed, 0, packed_floats(walk->conv, pass) * sizeof *walk->packed);
    walk->region = *region;
    walk->block = block;
    for (int i = 0; i < rows; i++) {
        int y = place_of(region->y, i, pass->stride_y, pass->pad_y, pass->dilate_y, pass->h);
        if (i % pass->stride_y < pass->kernel_h && y >= 0) pack_row(walk, region, in + (size_t)y * row, walk->packed + (size_t)(i * pass->row) * v, n);
    }
}

/* The next region of the blocks [first, end), in the order of blocks, rows and columns; the first after one without blocks. 0: there is none. */
static int next_region(const struct prune_pass *pass, int first, int end, struct region *region)
{
    int across = up(pass->out_w, pass->columns), index = 0;
    if (!region->blocks) *region = (struct region){ .block = first };
    else {
        index = region->columns ? (int)(((long long)(region->x + region->columns) * across + pass->out_w - 1) / pass->out_w) : 0;
        if (index == across) {
            index = 0;
            region->y += region->rows;
        }
        if (region->y == pass->out_h) {
            region->y = 0;
            region->block += pass->side;
        }
    }
    if (region->block >= end) return 0;
    region->blocks = smaller(pass->side, end - region->block);
    region->rows = pass->th;
    while (region->rows > pass->out_h - region->y) region->rows /= 2;
    region->x = share(pass->out_w, index, across);
    region->columns = share(pass->out_w, index + 1, across) - region->x;
    return 1;
}

/* ------------------------------------------------------------------------------------------- forward, and to the input -- */

/* From sums (targets, rows, columns, side) to the image blocks. */
static void unpack_region(const struct walk *walk, const struct region *region, const float *sums, float *out)
{
    const struct prune_pass *pass = walk->pass;
    int pixels = region->rows * region->columns;
    size_t v = (size_t)walk->conv->v, plane = (size_t)(pass->out_h * pass->out_w) * v;
    for (int b = 0; b < region->blocks; b++)
        for (int p = 0; p < pixels; p++)
            copy_vectors(walk, sums + (size_t)(p * pass->side + b) * v, (size_t)(pixels * pass->side) * v, 1, pass->targets,
                         out + (size_t)(region->block + b) * (size_t)pass->targets * plane + (size_t)p * v, plane);
}

static void sum_region(struct walk *walk, const struct region *region, float *sums, size_t sums_plane, size_t sums_row)
{
    const struct prune_pass *pass = walk->pass;
    size_t v = (size_t)walk->conv->v;
    int tiles = up(region->columns, pass->tw);
    for (int block = 0; block < pass->n_blocks; block++) {
        struct prune_tile tile = { .runs = pass->runs + pass->starts[block], .n_runs = pass->starts[block + 1] - pass->starts[block], .first = block == 0, .entries = pass->entries,
                                   .row_floats = (size_t)(pass->stride_y * pass->row) * v, .sums_plane = sums_plane, .sums_row = sums_row };
        pack_region(walk, region, block);
        for (int i = 0; i < tiles; i++) {
            int x = share(region->columns, i, tiles), columns = share(region->columns, i + 1, tiles) - x;
            tile.input = walk->packed + (size_t)(x * pass->side) * v;
            tile.sums = sums + (size_t)(x * pass->side) * v;
            walk->conv->kernels->conv.weight[tile_at(region->rows, columns * pass->side)](&tile);
        }
    }
}

static void run_pass(const struct prune_sparse_conv *conv, const struct prune_pass *pass, const float *in, float *out, float *scratch, int part)
{
    struct walk walk = { .conv = conv, .pass = pass, .in = in, .packed = scratch };
    float *sums = scratch + packed_floats(conv, pass);
    size_t v = (size_t)conv->v, plane = (size_t)(pass->out_h * pass->out_w) * v;
    struct region region = { 0 };
    while (next_region(pass, share(conv->blocks, part, conv->parts), share(conv->blocks, part + 1, conv->parts), &region)) {
        if (pass->side == 1) {
            float *to = out + (size_t)region.block * (size_t)pass->targets * plane + (size_t)(region.y * pass->out_w + region.x) * v;
            sum_region(&walk, &region, to, plane, (size_t)pass->out_w * v);
            continue;
        }
        size_t sums_row = (size_t)(region.columns * pass->side) * v;
        sum_region(&walk, &region, sums, (size_t)region.rows * sums_row, sums_row);
        unpack_region(&walk, &region, sums, out);
    }
}

void prune_sparse_conv_forward(const struct prune_sparse_conv *conv, const float *in, float *out, void *scratch, int part) { run_pass(conv, &conv->forward, in, out, scratch, part); }

void prune_sparse_conv_back_input(const struct prune_sparse_conv *conv, const float *delta, float *in_delta, void *scratch, int part)
{
    run_pass(conv, &conv->back, delta, in_delta, scratch, part);
}

/* ------------------------------------------------------------------------------------------------------ to the weights -- */

typedef float four __attribute__((vector_size(16)));
typedef int lanes __attribute__((vector_size(16)));

static four four_at(const float *from)
{
    four x;
    memcpy(&x, from, sizeof x);
    return x;
}

static inline four fold(const float *sum, int v)
{
    four s = four_at(sum);
    for (int l = 4; l < v; l += 4) s += four_at(sum + l);
    return s;
}

static inline void add_lanes_of(const float *sums, size_t n, int v, float *to)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4, sums += 4 * v) {
        four a = fold(sums, v), b = fold(sums + v, v), c = fold(sums + 2 * v, v), d = fold(sums + 3 * v, v);
        four ab = __builtin_shuffle(a, b, (lanes){ 0, 4, 2, 6 }) + __builtin_shuffle(a, b, (lanes){ 1, 5, 3, 7 });
        four cd = __builtin_shuffle(c, d, (lanes){ 0, 4, 2, 6 }) + __builtin_shuffle(c, d, (lanes){ 1, 5, 3, 7 });
        four all = __builtin_shuffle(ab, cd, (lanes){ 0, 1, 4, 5 }) + __builtin_shuffle(ab, cd, (lanes){ 2, 3, 6, 7 });
        memcpy(to + i, &all, sizeof all);
    }
    for (; i < n; i++, sums += v) {
        four s = fold(sums, v);
        to[i] = (s[0] + s[1]) + (s[2] + s[3]);
    }
}

/* The lanes of n sums, v each: lane l in s(l mod 4), in order; (s0 + s1) + (s2 + s3). With v known to the compiler. */
static void add_lanes(const float *sums, size_t n, int v, float *to)
{
    if (v == 16) add_lanes_of(sums, n, 16, to);
    else if (v == 8) add_lanes_of(sums, n, 8, to);
    else add_lanes_of(sums, n, v, to);
}

/* Delta of the part's blocks [first, end), the blocks of a group side by side: (group, target, pixel, side). Places without a block are zeros, as their input is left as it was. */
static const float *pack_delta(const struct walk *walk, const float *delta, int first, int end, float *to)
{
    const struct prune_pass *pass = walk->pass;
    int pixels = pass->out_h * pass->out_w;
    size_t v = (size_t)walk->conv->v, plane = (size_t)pixels * v, block = (size_t)pass->targets * plane;
    float *begin = to;
    for (int b = first; b < end; b += pass->side, to += (size_t)pass->side * block) {
        if (end - b < pass->side) memset(to, 0, (size_t)pass->side * block * sizeof *to);
        for (int i = 0; i < smaller(pass->side, end - b); i++)
            for (int p = 0; p < pixels; p++)
                copy_vectors(walk, delta + (size_t)(b + i) * block + (size_t)p * v, plane, 1, pass->targets, to + (size_t)(p * pass->side + i) * v, plane * (size_t)pass->side);
    }
    return begin;
}

/* A region's share of the sums of targets [target, end_target) and blocks of sources [block, end_block); delta is that of the region's first output in target 0. */
static void add_region(struct walk *walk, const struct region *region, const float *delta, int target, int end_target, int block, int end_block, float *sums)
{
    const struct prune_pass *pass = walk->pass;
    const struct prune_gradient_kernels *kernels = &walk->conv->kernels->gradient;
    size_t v = (size_t)walk->conv->v;
    int tiles = up(region->columns, pass->tw);
    struct prune_gradient_tile tile = { .entries = pass->entries, .row_floats = (size_t)(pass->stride_y * pass->row) * v, .filter_0 = (uint32_t)target, .sums = sums };
    tile.delta_row = (size_t)(pass->out_w * pass->side) * v;
    tile.delta_plane = (size_t)pass->out_h * tile.delta_row;
    for (; block < end_block; block++) {
        uint32_t run = run_from(pass, block, target), end = run_from(pass, block, end_target);
        tile.runs = pass->runs + run;
        tile.n_runs = end - run;
        pack_region(walk, region, block);
        for (int i = 0; i < tiles; i++) {
            int x = share(region->columns, i, tiles), columns = share(region->columns, i + 1, tiles) - x;
            tile.input = walk->packed + (size_t)(x * pass->side) * v;
            tile.delta = delta + (size_t)target * tile.delta_plane + (size_t)(x * pass->side) * v;
            kernels->tiles[tile_at(region->rows, columns * pass->side)](&tile);
        }
        tile.sums += (size_t)(pass->runs[end].start - pass->runs[run].start) * v;
    }
}

/* All regions of the part, for one piece; then its lanes. */
static void sum_piece(struct walk *walk, const float *delta, int target, int end_target, int block, int end_block, float *sums, int part)
{
    const struct prune_sparse_conv *conv = walk->conv;
    const struct prune_pass *pass = walk->pass;
    size_t v = (size_t)conv->v, plane = (size_t)(pass->out_h * pass->out_w) * v;
    int first = share(conv->blocks, part, conv->parts), end = share(conv->blocks, part + 1, conv->parts);
    struct region region = { 0 };
    memset(sums, 0, entries_of_piece(pass, target, end_target, block, end_block) * v * sizeof *sums);
    while (next_region(pass, first, end, &region)) {
        size_t before = (size_t)(pass->side > 1 ? region.block - first : region.block) * (size_t)pass->targets * plane;
        add_region(walk, &region, delta + before + (size_t)((region.y * pass->out_w + region.x) * pass->side) * v, target, end_target, block, end_block, sums);
    }
    for (; block < end_block; block++) {
        uint32_t start = pass->runs[run_from(pass, block, target)].start, n = pass->runs[run_from(pass, block, end_target)].start - start;
        add_lanes(sums, n, conv->v, conv->sums[part] + start);
        sums += (size_t)n * v;
    }
}

void prune_sparse_conv_back_weights(struct prune_sparse_conv *conv, const float *in, const float *delta, void *scratch, int part)
{
    const struct prune_pass *pass = &conv->gradient;
    struct walk walk = { .conv = conv, .pass = pass, .in = in, .packed = scratch };
    float *sums = walk.packed + packed_floats(conv, pass), *room = sums + pass->most_entries * (size_t)conv->v;
    if (pass->side > 1) delta = pack_delta(&walk, delta, share(conv->blocks, part, conv->parts), share(conv->blocks, part + 1, conv->parts), room);
    for (int b = 0; b < pass->block_pieces; b++)
        for (int t = 0; t < pass->target_pieces; t++)
            sum_piece(&walk, delta, share(pass->targets, t, pass->target_pieces), share(pass->targets, t + 1, pass->target_pieces), share(pass->n_blocks, b, pass->block_pieces),
                      share(pass->n_blocks, b + 1, pass->block_pieces), sums, part);
}

/* --------------------------------------------------------------------------------------------------- surviving weights -- */

void prune_sparse_conv_weights(struct prune_sparse_conv *conv, const float *weights, int part)
{
    size_t end = share_of(conv->n_copies, part + 1, conv->parts);
    for (size_t i = share_of(conv->n_copies, part, conv->parts); i < end; i++) {
        float weight = weights[conv->copies[i]];
        conv->forward.entries[conv->forward.slots[i]].weight = weight;
        if (conv->back.entries) conv->back.entries[conv->back.slots[i]].weight = weight;
    }
}

void prune_sparse_conv_add_updates(const struct prune_sparse_conv *conv, float *updates, int part)
{
    /* A part has whole weights: all copies of one */
    size_t first = share_of(conv->n_copies, part, conv->parts), end = share_of(conv->n_copies, part + 1, conv->parts);
    while (first > 0 && first < conv->n_copies && conv->copies[first] == conv->copies[first - 1]) first++;
    while (end > 0 && end < conv->n_copies && conv->copies[end] == conv->copies[end - 1]) end++;
    for (size_t i = first; i < end; i++) {
        float sum = 0;
        for (int p = 0; p < conv->parts; p++) sum += conv->sums[p][conv->gradient.slots[i]];
        updates[conv->copies[i]] += sum;
    }
}

void prune_sparse_conv_update(const struct prune_sparse_conv *conv, float decay, float rate, float momentum, float *weights, float *updates, int part)
{
    size_t end = share_of(conv->n_survivors, part + 1, conv->parts);
    for (size_t i = share_of(conv->n_survivors, part, conv->parts); i < end; i++) {
        float *weight = &weights[conv->survivors[i]], *update = &updates[conv->survivors[i]];
        *update += -decay * *weight;
        *weight += rate * *update;
        *update *= momentum;
    }
}
