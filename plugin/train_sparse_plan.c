/* train_sparse_plan.c - how the passes of a sparse layer are cut, and from which density on they are slower than dense ones
 *
 * In: shapes, images, density. Out: regions, tiles and blocks of channels that fit into the caches; the density at which both paths take as long.
 */
#include "train_sparse_pass.h"

enum {
    REGION_BYTES = 320 << 10,           /* of packed input under a region: stays in the L2 cache */
    OUTPUT_BYTES = 256 << 10,           /* of outputs of a region, to which each block of channels adds: likewise */
    RUN_ENTRIES = 8,                    /* entries that a filter should have in a block of channels, as its sums are read and written for them */
    UNROLLED_MOST = 2,                  /* rows of a plane that is unrolled */
    TILE_VECTORS = 16,                  /* wider ones need input that takes the L1 cache from the other channels */
    SIDE_MOST = 4                       /* image blocks side by side */
};

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }
static double larger_double(double a, double b) { return a > b ? a : b; }
static int up(int a, int b) { return (a + b - 1) / b; }

/* Whether a kernel's row (or column) k meets anything but the border. */
int prune_pass_meets(int k, int in, int out, int stride, int pad)
{
    for (int y = 0; y < out; y++)
        if (y * stride + k - pad >= 0 && y * stride + k - pad < in) return 1;
    return 0;
}

/* ----------------------------------------------------------------------------------------------------------- plans -- */

int prune_pass_is_unrolled(const struct prune_conv_shape *s) { return s->h <= UNROLLED_MOST && s->out_h <= UNROLLED_MOST && s->size > 1; }

/* Forward: in -> out. back: delta -> in_delta, a convolution of stride 1 with the turned kernel over delta with stride - 1 zeros between its rows and columns. */
struct prune_pass prune_pass_of(const struct prune_conv_shape *s, int unrolled, int back)
{
    struct prune_pass pass = { .sources = back ? s->n : s->c, .targets = back ? s->c : s->n, .h = back ? s->out_h : s->h, .w = back ? s->out_w : s->w, .out_h = back ? s->h : s->out_h,
                         .out_w = back ? s->w : s->out_w, .kernel_h = s->size, .kernel_w = s->size };
    pass.stride_y = pass.stride_x = back ? 1 : s->stride;
    pass.dilate_y = pass.dilate_x = back ? s->stride : 1;
    pass.pad_y = pass.pad_x = back ? s->size - 1 - s->pad : s->pad;
    if (unrolled) {
        pass.sources *= pass.h;
        pass.targets *= pass.out_h;
        pass.h = pass.out_h = pass.kernel_h = pass.stride_y = pass.dilate_y = 1;
        pass.pad_y = 0;
    }
    return pass;
}

/* Vectors of packed input under so many columns of one source. */
static int plane_under(const struct prune_pass *pass, int columns)
{
    return ((pass->th - 1) * pass->stride_y + pass->kernel_h) * smaller(pass->stride_x, pass->kernel_w) * (columns + (pass->kernel_w - 1) / pass->stride_x) * pass->side;
}

/* A tile about as wide as it is high meets the least input for its size. */
static void plan_tile(struct prune_pass *pass, int most, int blocks)
{
    int vectors = smaller(most, TILE_VECTORS);
    pass->th = vectors >= 16 && pass->out_h >= 4 ? 4 : pass->out_h >= 2 ? 2 : 1;
    pass->tw = up(pass->out_w, up(pass->out_w, vectors / pass->th));
    pass->side = 1;
    if (pass->tw < pass->out_w || pass->th < pass->out_h) return;
    int most_side = larger(1, smaller(smaller(SIDE_MOST, blocks), vectors / (pass->th * pass->tw)));
    pass->side = up(blocks, up(blocks, most_side));
}

/* So many sources that their input under a tile stays in the L1 cache; up to twice as many where a filter has few weights in them. */
static void plan_channels(struct prune_pass *pass, int v, double density, int cache)
{
    int most = larger(1, cache / (int)sizeof(float) / v / plane_under(pass, pass->tw));
    double wanted = RUN_ENTRIES / (pass->kernel_h * pass->kernel_w * larger_double(density, 1e-6));
    if (wanted > most) most = wanted < 2. * most ? (int)wanted : 2 * most;
    pass->channels = up(pass->sources, up(pass->sources, most));
    pass->n_blocks = up(pass->sources, pass->channels);
}

/* As many tiles as keep both the packed input and what they sum near. */
static void plan_region(struct prune_pass *pass, int v)
{
    int tiles = up(pass->out_w, pass->tw), vector = (int)sizeof(float) * v;
    long long outputs = pass->n_blocks > 1 ? (long long)pass->targets * pass->th * vector : 0;
    for (;; tiles--) {
        pass->columns = up(pass->out_w, up(pass->out_w, tiles * pass->tw));
        if (tiles == 1 || (plane_under(pass, pass->columns) <= REGION_BYTES / vector / pass->channels && outputs * pass->columns <= OUTPUT_BYTES)) break;
    }
    pass->phases = smaller(pass->stride_x, pass->kernel_w);
    pass->phase_vectors = (pass->columns + (pass->kernel_w - 1) / pass->stride_x) * pass->side;
    pass->row = pass->phases * pass->phase_vectors;
    pass->plane = plane_under(pass, pass->columns);
}

static int is_flat(const struct prune_pass *pass)
{
    return pass->kernel_h == 1 && pass->kernel_w == 1 && pass->stride_x == 1 && pass->stride_y == 1 && pass->dilate_x == 1 && pass->dilate_y == 1 && !pass->pad_x && !pass->pad_y;
}

void prune_pass_plan(struct prune_pass *pass, int v, int most, int blocks, double density, int cache)
{
    if (is_flat(pass)) {
        pass->w *= pass->h;
        pass->out_w *= pass->out_h;
        pass->h = pass->out_h = 1;
    }
    plan_tile(pass, most, blocks);
    plan_channels(pass, v, density, cache);
    plan_region(pass, v);
}

/* Whether a part's images are one region. */
int prune_pass_is_one_region(const struct prune_pass *pass, int blocks) { return pass->th == pass->out_h && pass->columns == pass->out_w && pass->side >= blocks; }

/* ------------------------------------------------------------------------------------------------------- cost model -- */

/* Nanoseconds, on the machine that bench/train's figures come from: for a vector of V floats, and beside it for an entry or a run. */
struct costs {
    double fma, entry;                  /* of an entry: each vector of its tile, and the rest */
    double sums;                        /* of a run: each vector of its tile */
    double packed, out;                 /* each vector that is packed; each that is written, or of delta */
};
static const struct costs sum_costs = { .18, .4, .6, 1.7, 2 }, gradient_costs = { .18, 1.3, .6, 1.7, 1 };

static int meeting(int size, int in, int out, int stride, int pad)
{
    int n = 0;
    for (int k = 0; k < size; k++) n += prune_pass_meets(k, in, out, stride, pad);
    return n;
}

/* Time of one pass over all images: with no weights, and what a density of 1 takes beside it. */
static void add_cost(const struct prune_conv_shape *s, const struct prune_pass *pass, int unrolled, int blocks, const struct costs *cost, double *fixed, double *rising)
{
    double planes = up(blocks, pass->side), vectors = (double)(pass->out_h * pass->out_w) * pass->side;
    double tiles = (double)up(pass->out_h, pass->th) * up(pass->out_w, pass->tw), regions = (double)up(pass->out_h, pass->th) * up(pass->out_w, pass->columns);
    double rows = meeting(s->size, s->h, s->out_h, s->stride, s->pad), entries = (double)s->n * (s->c / s->groups) * meeting(s->size, s->w, s->out_w, s->stride, s->pad);
    if (unrolled) {                     /* pairs of rows that a column of the kernel joins */
        rows = 0;
        for (int y = 0; y < s->out_h; y++)
            for (int ky = 0; ky < s->size; ky++) rows += y * s->stride + ky >= s->pad && y * s->stride + ky - s->pad < s->h;
    }
    *rising += planes * entries * rows * (vectors * cost->fma + tiles * cost->entry);
    *fixed += planes * ((double)pass->targets * vectors * (pass->n_blocks * cost->sums / s->groups + cost->out) + pass->sources * regions * pass->plane * cost->packed);
}

/* Flops a nanosecond of the dense path's three passes, with vectors of 16. */
static double dense_rate(const struct prune_conv_shape *s)
{
    int smallest = smaller(smaller(s->h, s->w), smaller(s->out_h, s->out_w));
    if (s->size == 1 && s->stride == 1 && s->groups == 1) return 200;
    if (s->size != 3 || s->stride != 1 || s->pad != 1 || s->groups != 1 || s->c < 32 || s->n < 32 || smallest < 4) return 180;
    return smallest >= 8 ? 430 : 320;
}

/* How much longer the busiest part works than if all shared evenly. */
static double unevenness(int things, int parts)
{
    return (double)up(things, parts) * parts / things;
}

double prune_sparse_conv_crossover(const struct prune_conv_shape *shape, int images, int parts, int vector)
{
    static const double density = .25, most_density = .5;       /* of the plan whose costs are taken; beyond which the lists of weights are too large */
    int unrolled = prune_pass_is_unrolled(shape), blocks = up(images, vector), most = vector == 8 ? 8 : TILE_VECTORS;
    double flops = 2. * images * (double)shape->n * (shape->c / shape->groups) * shape->size * shape->size * shape->out_h * shape->out_w;
    double dense = 3 * flops / (dense_rate(shape) * vector / 16), fixed = 0, rising = 0;
    if (shape->groups > 1 && shape->c / shape->groups < 8) return 0;
    for (int i = 0; i < 3; i++) {
        struct prune_pass pass = prune_pass_of(shape, unrolled, i == 1);
        prune_pass_plan(&pass, vector, most, blocks, density, PRUNE_PASS_BYTES);
        add_cost(shape, &pass, unrolled, blocks, i < 2 ? &sum_costs : &gradient_costs, &fixed, &rising);
    }
    dense *= unevenness(images, parts) / unevenness(blocks, parts);
    return dense <= fixed ? 0 : dense >= fixed + most_density * rising ? most_density : (dense - fixed) / rising;
}
