/* conv.c - convolution by direct sums over non-zero weights: the compressed weights, and the loops around the kernels
 *
 * In: weights (n, c / groups, size, size), a plan (conv_plan.c), input (c, h, w). Out: output (n, out_h, out_w). conv.h tells the layouts.
 */
#include "conv.h"

#include <stdlib.h>
#include <string.h>

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }
static int up(int a, int b) { return (a + b - 1) / b; }

/* ------------------------------------------------------------------------------------------------------ compressing -- */

static int unit_filters(const struct prune_conv *conv) { return conv->plan.form == PRUNE_FORM_WEIGHT ? 1 : 4; }

/* Bytes from a tile's first vector to the vector that position (c, ky, kx) of the block's channel c meets. */
static uint32_t offset_of(const struct prune_conv *conv, int c, int ky, int kx)
{
    const struct prune_conv_plan *plan = &conv->plan;
    int vectors = c * plan->plane + ky * plan->row + kx % conv->shape.stride * plan->phase_columns + kx / conv->shape.stride;
    return (uint32_t)vectors * (uint32_t)conv->kernels->vector * (uint32_t)sizeof(float);
}

/* Index into the weights of filter n at absolute channel c, ky = kx = 0; negative if they are of different groups or there is no such filter. */
static ptrdiff_t weights_at(const struct prune_conv_shape *shape, int n, int c)
{
    int channels = shape->c / shape->groups;
    if (n >= shape->n || n / (shape->n / shape->groups) != c / channels) return -1;
    return ((ptrdiff_t)n * channels + c % channels) * shape->size * shape->size;
}

/* The values of up to four filters at one position; whether it is to be kept. */
static int values_at(const struct prune_conv *conv, const float *weights, const ptrdiff_t at[4], int tap, float values[4])
{
    int some = 0;
    for (int f = 0; f < unit_filters(conv); f++) {
        values[f] = at[f] < 0 ? 0 : weights[at[f] + tap];
        some |= values[f] != 0;
    }
    return some;
}

/* Goes through all positions in the order of blocks, filters, (c, ky, kx): with `fill` 0 it only counts. */
static void compress(struct prune_conv *conv, const float *weights, int fill, size_t *n_runs, size_t *n_entries)
{
    const struct prune_conv_shape *shape = &conv->shape;
    int taps = shape->size * shape->size, filters = unit_filters(conv), units = up(shape->n, filters);
    size_t runs = 0, entries = 0;
    for (int b = 0; b < conv->n_blocks; b++) {
        int first = b * conv->plan.channels, last = smaller(first + conv->plan.channels, shape->c);
        if (fill) conv->block_starts[b] = (uint32_t)runs;
        for (int u = 0; u < units; u++) {
            size_t start = entries;
            for (int c = first; c < last; c++) {
                ptrdiff_t at[4] = { -1, -1, -1, -1 };
                int some = 0;
                for (int f = 0; f < filters; f++) some |= (at[f] = weights_at(shape, u * filters + f, c)) >= 0;
                for (int tap = 0; some && tap < taps; tap++) {
                    float values[4];
                    if (!values_at(conv, weights, at, tap, values)) continue;
                    if (fill) {
                        uint32_t offset = offset_of(conv, c - first, tap / shape->size, tap % shape->size);
                        if (conv->entries) conv->entries[entries] = (struct prune_conv_entry){ values[0], offset };
                        else {
                            conv->offsets[entries] = offset;
                            memcpy(conv->weights + 4 * entries, values, sizeof values);
                        }
                    }
                    entries++;
                }
            }
            if (entries == start && b > 0) continue;
            if (fill) conv->runs[runs] = (struct prune_conv_run){ (uint32_t)u, (uint32_t)start };
            runs++;
        }
    }
    if (fill) {
        conv->block_starts[conv->n_blocks] = (uint32_t)runs;
        conv->runs[runs] = (struct prune_conv_run){ (uint32_t)units, (uint32_t)entries };
    }
    *n_runs = runs;
    *n_entries = entries;
}

int prune_conv_make(struct prune_conv *conv, const struct prune_conv_shape *shape, const struct prune_conv_plan *plan, const struct prune_conv_kernels *kernels,
                    const struct prune_numbers *numbers)
{
    *conv = (struct prune_conv){ .shape = *shape, .plan = *plan, .kernels = kernels, .activation = numbers->activation };
    size_t n_runs, n_filters = (size_t)shape->n;
    conv->n_blocks = up(shape->c, plan->channels);
    compress(conv, numbers->weights, 0, &n_runs, &conv->n_entries);
    if (conv->n_entries > UINT32_MAX / 2) return prune_fail(PRUNE_ERR_UNSUPPORTED, "a convolution of %zu weights is too large", conv->n_entries);
    conv->block_starts = malloc(((size_t)conv->n_blocks + 1) * sizeof *conv->block_starts);
    conv->runs = malloc((n_runs + 1) * sizeof *conv->runs);
    if (plan->form == PRUNE_FORM_WEIGHT) conv->entries = malloc((conv->n_entries + 1) * sizeof *conv->entries);
    else {
        conv->offsets = malloc((conv->n_entries + 1) * sizeof *conv->offsets);
        conv->weights = malloc((4 * conv->n_entries + 1) * sizeof *conv->weights);
    }
    conv->scale = malloc(n_filters * sizeof *conv->scale);
    conv->bias = malloc(n_filters * sizeof *conv->bias);
    if (!conv->block_starts || !conv->runs || (!conv->entries && (!conv->offsets || !conv->weights)) || !conv->scale || !conv->bias) {
        prune_conv_free(conv);
        return prune_fail(PRUNE_ERR_NOMEM, "out of memory for a convolution's non-zero weights");
    }
    compress(conv, numbers->weights, 1, &n_runs, &conv->n_entries);
    for (size_t i = 0; i < n_filters; i++) {
        conv->scale[i] = numbers->scale ? numbers->scale[i] : 1;
        conv->bias[i] = numbers->bias[i];
    }
    return PRUNE_OK;
}

void prune_conv_free(struct prune_conv *conv)
{
    free(conv->block_starts);
    free(conv->runs);
    free(conv->entries);
    free(conv->offsets);
    free(conv->weights);
    free(conv->scale);
    free(conv->bias);
    memset(conv, 0, sizeof *conv);
}

void prune_conv_restore(const struct prune_conv *conv, float *weights)
{
    const struct prune_conv_shape *shape = &conv->shape;
    int taps = shape->size * shape->size, filters = unit_filters(conv);
    memset(weights, 0, (size_t)shape->n * (size_t)(shape->c / shape->groups) * (size_t)taps * sizeof *weights);
    for (int b = 0; b < conv->n_blocks; b++)
        for (uint32_t i = conv->block_starts[b]; i < conv->block_starts[b + 1]; i++)
            for (uint32_t e = conv->runs[i].start; e < conv->runs[i + 1].start; e++) {
                int vectors = (int)((conv->entries ? conv->entries[e].offset : conv->offsets[e]) / ((uint32_t)conv->kernels->vector * sizeof(float)));
                int c = vectors / conv->plan.plane, in_plane = vectors % conv->plan.plane;
                int ky = in_plane / conv->plan.row, in_row = in_plane % conv->plan.row;
                int kx = in_row / conv->plan.phase_columns + in_row % conv->plan.phase_columns * shape->stride;
                for (int f = 0; f < filters; f++) {
                    ptrdiff_t at = weights_at(shape, (int)conv->runs[i].filter * filters + f, b * conv->plan.channels + c);
                    if (at >= 0) weights[at + ky * shape->size + kx] = conv->entries ? conv->entries[e].weight : conv->weights[4 * e + (uint32_t)f];
                }
            }
}

/* --------------------------------------------------------------------------------------------------------- running -- */

/* One part's walk over its region. */
struct walk {
    const struct prune_conv *conv;
    const float *in;
    float *out, *packed, *sums;
    int first_row, end_row;     /* outputs of the region; flat: pixels */
    int first_unit, end_unit;   /* filters, in units of one or four */
};

/* Columns ix, ix + 1 .. of row iy of the band that begins at the lanes' row `band`. */
static struct prune_lane_columns columns_of(const struct walk *walk, int band, int iy, int ix, int n)
{
    const struct prune_conv_shape *shape = &walk->conv->shape;
    const struct prune_conv_plan *plan = &walk->conv->plan;
    struct prune_lane_columns columns = { .n = n };
    int v = walk->conv->kernels->vector;
    for (int j = 0; j < v; j++) {
        int phase = (ix + j) % shape->stride;
        columns.at[j] = j < n && phase < plan->phases ? iy * plan->row + phase * plan->phase_columns + (ix + j) / shape->stride : -1;
    }
    for (int l = 0; l < v; l++) {
        int y = (walk->first_row + l / plan->gx * plan->bh + band) * shape->stride + iy - shape->pad;
        int x = l % plan->gx * plan->bw * shape->stride - shape->pad + ix;
        int skip = larger(0, -x), end = smaller(n, shape->w - x);
        if (y < 0 || y >= shape->h || end <= skip) continue;
        columns.from[l] = (ptrdiff_t)y * shape->w + x;
        columns.skip[l] = (uint8_t)skip;
        columns.count[l] = (uint8_t)(end - skip);
    }
    return columns;
}

/* Packed rows [first, end) of a band; several at a time, as memory likes neighbours. */
static void pack_rows(const struct walk *walk, int band, int first, int end)
{
    enum { AT_ONCE = 32 };
    const struct prune_conv *conv = walk->conv;
    const struct prune_conv_shape *shape = &conv->shape;
    struct prune_lane_columns columns[AT_ONCE];
    int v = conv->kernels->vector, width = (conv->plan.bw - 1) * shape->stride + shape->size, n = 0;
    for (int iy = first; iy < end; iy++)
        for (int ix = 0; ix < width; ix += v) {
            if (iy % shape->stride < shape->size) columns[n++] = columns_of(walk, band, iy, ix, smaller(v, width - ix));     /* else no row of the kernel meets it */
            if (n < AT_ONCE && (iy + 1 < end || ix + v < width)) continue;
            conv->kernels->pack(columns, n, walk->in, (size_t)shape->h * (size_t)shape->w, shape->c, walk->packed, (size_t)conv->plan.plane * (size_t)v);
            n = 0;
        }
}

/* The first run of a block whose unit is not below `unit`. */
static uint32_t run_from(const struct prune_conv *conv, int block, int unit)
{
    uint32_t low = conv->block_starts[block], high = conv->block_starts[block + 1];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (conv->runs[middle].filter < (uint32_t)unit) low = middle + 1;
        else high = middle;
    }
    return low;
}

static prune_tile_kernel *kernel_for(const struct prune_conv *conv, int th, int tw)
{
    prune_tile_kernel *const *tiles = conv->plan.form == PRUNE_FORM_WEIGHT ? conv->kernels->weight : conv->kernels->block4;
    return tiles[th / 2 * (PRUNE_TILE_MOST + 1) + tw];
}

/* All channels' sums of the units [first, end) over a tile, into a group's sums of `columns` columns. */
static void sum_tile(const struct walk *walk, const float *input, float *sums, int th, int tw, int columns, int first, int end)
{
    const struct prune_conv *conv = walk->conv;
    size_t v = (size_t)conv->kernels->vector;
    struct prune_tile tile = { .entries = conv->entries, .offsets = conv->offsets, .weights = conv->weights, .sums = sums, .filter_0 = (uint32_t)first, .sums_row = (size_t)columns * v,
                               .sums_plane = (size_t)(th * columns) * v, .row_floats = (size_t)conv->shape.stride * (size_t)conv->plan.row * v };
    prune_tile_kernel *kernel = kernel_for(conv, th, tw);
    for (int b = 0; b < conv->n_blocks; b++) {
        uint32_t run = run_from(conv, b, first);
        tile.runs = conv->runs + run;
        tile.n_runs = run_from(conv, b, end) - run;
        tile.first = b == 0;
        tile.input = input + (size_t)b * (size_t)conv->plan.channels * (size_t)conv->plan.plane * v;
        kernel(&tile);
    }
}

/* Units that are summed before they are finished: with one block of channels so few that their sums stay near. */
static int units_at_once(const struct prune_conv *conv, int units)
{
    int floats = unit_filters(conv) * conv->plan.tw * conv->plan.group * conv->plan.th * conv->kernels->vector;
    return conv->n_blocks > 1 ? units : larger(1, smaller(units, PRUNE_SUMS_FLOATS / floats));
}

/* Tiles [first_tile, end_tile) of the lanes' rows [row, row + th), whose input begins at row packed_row. */
static void run_group(const struct walk *walk, int row, int packed_row, int th, int first_tile, int end_tile, int tiles)
{
    const struct prune_conv *conv = walk->conv;
    const struct prune_conv_shape *shape = &conv->shape;
    const struct prune_conv_plan *plan = &conv->plan;
    int first_column = first_tile * plan->bw / tiles, n_columns = end_tile * plan->bw / tiles - first_column;
    int v = conv->kernels->vector, filters = unit_filters(conv), step = units_at_once(conv, walk->end_unit - walk->first_unit), vectors = up(n_columns, v);
    size_t plane = (size_t)shape->out_h * (size_t)shape->out_w, sums_plane = (size_t)(th * n_columns * v);
    struct prune_lane_columns columns[4 * PRUNE_TILE_MOST];
    for (int y = 0; y < th; y++)
        for (int g = 0; g < vectors; g++) {
            struct prune_lane_columns *to = &columns[y * vectors + g];
            *to = (struct prune_lane_columns){ .n = smaller(v, n_columns - g * v), .at[0] = y * n_columns + g * v };
            for (int l = 0; l < v; l++) {
                int out_y = walk->first_row + l / plan->gx * plan->bh + row + y, out_x = l % plan->gx * plan->bw + first_column + g * v;
                if (row + y >= plan->bh || out_y >= walk->end_row || out_x >= shape->out_w) continue;
                to->from[l] = (ptrdiff_t)out_y * shape->out_w + out_x;
                to->count[l] = (uint8_t)smaller(to->n, shape->out_w - out_x);
            }
        }
    const float *input = walk->packed + (size_t)packed_row * (size_t)plan->row * (size_t)v;
    for (int u = walk->first_unit; u < walk->end_unit; u += step) {
        int end = smaller(u + step, walk->end_unit), first = u * filters, n = smaller(end * filters, shape->n) - first;
        for (int i = first_tile; i < end_tile; i++) {
            int column = i * plan->bw / tiles;
            sum_tile(walk, input + (size_t)column * (size_t)v, walk->sums + (column - first_column) * v, th, (i + 1) * plan->bw / tiles - column, n_columns, u, end);
        }
        struct prune_finish finish = { conv->scale + first, conv->bias + first, conv->activation };
        conv->kernels->unpack(columns, th * vectors, walk->sums, sums_plane, n, &finish, walk->out + (size_t)first * plane, plane);
    }
}

/* The last rows of a band's input are the first ones of the next band's. */
static void carry_rows(const struct walk *walk, int from, int rows)
{
    const struct prune_conv_plan *plan = &walk->conv->plan;
    size_t row = (size_t)plan->row * (size_t)walk->conv->kernels->vector, plane = (size_t)plan->plane * (size_t)walk->conv->kernels->vector;
    for (int c = 0; c < walk->conv->shape.c; c++) memmove(walk->packed + (size_t)c * plane, walk->packed + (size_t)c * plane + (size_t)from * row, (size_t)rows * row * sizeof(float));
}

static void run_lanes(const struct walk *walk)
{
    const struct prune_conv_plan *plan = &walk->conv->plan;
    const struct prune_conv_shape *shape = &walk->conv->shape;
    int tiles = up(plan->bw, plan->tw), carried = larger(0, shape->size - shape->stride);
    for (int band = 0; band < plan->bh; band += plan->band) {
        int rows = smaller(plan->band, plan->bh - band);
        if (band > 0 && carried) carry_rows(walk, plan->band * shape->stride, carried);
        pack_rows(walk, band, band > 0 ? carried : 0, (rows - 1) * shape->stride + shape->size);
        for (int row = 0, th; row < rows; row += th) {
            for (th = plan->th; th > rows - row;) th /= 2;
            for (int i = 0; i < tiles; i += plan->group) run_group(walk, band + row, row * shape->stride, th, i, smaller(i + plan->group, tiles), tiles);
        }
    }
}

static void run_flat(const struct walk *walk)
{
    const struct prune_conv *conv = walk->conv;
    const struct prune_conv_shape *shape = &conv->shape;
    const struct prune_conv_plan *plan = &conv->plan;
    int v = conv->kernels->vector, filters = unit_filters(conv), step = units_at_once(conv, walk->end_unit - walk->first_unit);
    size_t plane = (size_t)shape->h * (size_t)shape->w;
    for (int pixel = walk->first_row; pixel < walk->end_row; pixel += plan->tw * v) {
        int pixels = smaller(plan->tw * v, walk->end_row - pixel), tw = up(pixels, v);
        conv->kernels->pack_flat(walk->in + pixel, plane, pixels, shape->c, walk->packed, (size_t)plan->plane * (size_t)v);
        for (int u = walk->first_unit; u < walk->end_unit; u += step) {
            int end = smaller(u + step, walk->end_unit), first = u * filters, n = smaller(end * filters, shape->n) - first;
            sum_tile(walk, walk->packed, walk->sums, 1, tw, tw, u, end);
            struct prune_finish finish = { conv->scale + first, conv->bias + first, conv->activation };
            conv->kernels->unpack_flat(walk->sums, (size_t)(tw * v), pixels, n, &finish, walk->out + (size_t)first * plane + pixel, plane);
        }
    }
}

void prune_conv_run(const struct prune_conv *conv, const float *in, float *out, float *scratch, int part)
{
    const struct prune_conv_plan *plan = &conv->plan;
    int units = up(conv->shape.n, unit_filters(conv)), region = part / plan->parts, share = part % plan->parts, flat = !plan->gx;
    int all = flat ? conv->shape.out_h * conv->shape.out_w : conv->shape.out_h;
    struct walk walk = { conv, in, out, scratch, scratch + plan->packed_floats, region * plan->region_rows, smaller((region + 1) * plan->region_rows, all),
                         (int)((long)units * share / plan->parts), (int)((long)units * (share + 1) / plan->parts) };
    if (walk.first_row >= walk.end_row || walk.first_unit >= walk.end_unit) return;
    if (flat) run_flat(&walk);
    else run_lanes(&walk);
}
