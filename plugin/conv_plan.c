/* conv_plan.c - how a convolution may be laid out in lanes and tiles, and which ways are worth timing
 *
 * In: a shape, what the kernels can do, the density of the weights. Out: plans, the likeliest to be fast first.
 */
#include "conv.h"

#include <stdlib.h>
#include <string.h>

enum { L1_BYTES = 32 << 10, L2_BYTES = 1 << 20, LEAST_BAND = 4 };

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }
static int up(int a, int b) { return (a + b - 1) / b; }

int prune_conv_is_flat(const struct prune_conv_shape *shape)
{
    return shape->size == 1 && shape->stride == 1 && shape->pad == 0;
}

void prune_conv_plan_finish(struct prune_conv_plan *plan, const struct prune_conv_shape *shape, int vector)
{
    int unit = plan->form == PRUNE_FORM_WEIGHT ? 1 : 4, flat = prune_conv_is_flat(shape);
    plan->regions = larger(1, plan->regions);
    plan->parts = larger(1, plan->parts);
    plan->channels = larger(1, smaller(plan->channels, shape->c));
    if (flat) {
        int pixels = shape->out_h * shape->out_w;
        plan->gx = plan->gy = 0;
        plan->region_rows = up(up(pixels, plan->regions), vector) * vector;
        plan->tw = plan->bw = smaller(plan->tw, plan->region_rows / vector);
        plan->th = 1;
        plan->bh = up(plan->region_rows / vector, plan->bw);
        plan->phases = 1;
        plan->phase_columns = plan->row = plan->bw;
        plan->band = plan->rows_in = 1;
    } else {
        plan->region_rows = up(shape->out_h, plan->regions);
        plan->bw = up(shape->out_w, plan->gx);
        plan->bh = up(plan->region_rows, plan->gy);
        plan->tw = smaller(plan->tw, plan->bw);
        while (plan->th > plan->bh) plan->th /= 2;
        plan->phases = smaller(shape->size, shape->stride);
        plan->phase_columns = plan->bw + (shape->size - 1) / shape->stride;
        plan->row = plan->phases * plan->phase_columns;
        size_t row_bytes = (size_t)plan->row * (size_t)shape->stride * (size_t)shape->c * (size_t)vector * sizeof(float);
        plan->band = smaller(plan->bh, larger(up(LEAST_BAND, plan->th), (int)(L2_BYTES / row_bytes) / plan->th) * plan->th);
        plan->rows_in = (plan->band - 1) * shape->stride + shape->size;
    }
    plan->plane = (plan->rows_in * plan->row) | 1;      /* an odd number of vectors: channels do not meet in the same cache sets */
    plan->packed_floats = (size_t)plan->plane * (size_t)shape->c * (size_t)vector;
    plan->group = flat ? 1 : smaller(up(plan->bw, plan->tw), up(vector, plan->tw));
    size_t tile = (size_t)(unit * plan->th * plan->tw * plan->group * vector), units = (size_t)up(up(shape->n, unit), plan->parts) + 1;
    plan->sums_floats = plan->channels < shape->c ? tile * units : tile > PRUNE_SUMS_FLOATS ? tile : PRUNE_SUMS_FLOATS;
}

/* Bytes of one channel that a tile reads. */
static int tile_bytes(const struct prune_conv_plan *plan, const struct prune_conv_shape *shape, int vector)
{
    int rows = (plan->th - 1) * shape->stride + shape->size, columns = plan->phases * (plan->tw + (shape->size - 1) / shape->stride);
    if (!plan->gx) return plan->tw * vector * (int)sizeof(float);
    return rows * columns * vector * (int)sizeof(float);
}

/* A guess at the nanoseconds of one thread. The numbers were fitted (least squares of relative errors, none negative) to 4151 plans of 22 layers, timed with AVX-512 on an AMD
 * Zen 4; only which plan comes before which matters, and the likeliest ones are timed. */
static double cost_of(const struct prune_conv_plan *plan, const struct prune_conv_shape *shape, int vector, double density)
{
    int one = plan->form == PRUNE_FORM_WEIGHT, flat = !plan->gx;
    int unit = one ? 1 : 4, across = flat ? 1 : up(plan->bw, plan->tw);
    double vectors = flat ? (double)plan->tw * plan->bh : (double)plan->bw * plan->bh, tiles = flat ? plan->bh : (double)across * up(plan->bh, plan->th), in_tile = vectors / tiles;
    double blocks = up(shape->c, plan->channels), units = (double)up(shape->n, unit) / plan->parts, runs = tiles * units * blocks;
    double positions = (double)(shape->c / shape->groups * shape->size * shape->size) * density * units * tiles;
    double beyond_l1 = tile_bytes(plan, shape, vector) * (double)plan->channels / L1_BYTES - .6;
    double sums = runs * in_tile * unit * (blocks > 1 ? one ? .41 : .45 : one ? 1.6 : 1.3);
    double sum = positions * ((one ? .175 : .32) + in_tile * ((one ? .38 : .27 * 4) + (one ? .06 : .013) * (beyond_l1 < 0 ? 0 : beyond_l1 > 1 ? 1 : beyond_l1)));
    double packing = flat ? .05 * vectors * shape->c : 5 * vectors * shape->c * shape->stride * shape->stride;
    int columns = smaller(plan->bw, plan->tw * plan->group);
    double unpacking = 1.7 * vectors * unit * units * (flat ? 1 : (double)up(columns, vector) * vector / columns);
    return sums + sum + packing + unpacking;
}

struct candidate {
    struct prune_conv_plan plan;
    double cost;
};

static int by_cost(const void *a, const void *b)
{
    double x = ((const struct candidate *)a)->cost, y = ((const struct candidate *)b)->cost;
    return (x > y) - (x < y);
}

int prune_conv_plans(struct prune_conv_plan *plans, int most, const struct prune_conv_shape *shape, const struct prune_conv_kernels *kernels, enum prune_form form, double density,
                     int threads)
{
    enum { ALL = 4096 };
    struct candidate *all = malloc(ALL * sizeof *all);
    int n = 0, vector = kernels->vector, flat = prune_conv_is_flat(shape), widest = form == PRUNE_FORM_WEIGHT ? kernels->most_weight : kernels->most_block4;
    if (!all) return 0;
    for (int parts = 1; parts <= threads; parts++) {
        if (threads % parts) continue;
        for (int gx = 1; gx <= (flat ? 1 : vector); gx *= 2)
            for (int th = 1; th <= (flat ? 1 : 4) && th <= widest; th *= 2)
                for (int tw = 1; tw <= widest / th; tw++)
                    for (int share = 0; share < 6; share++) {
                        struct candidate *c = &all[n];
                        struct prune_conv_plan *plan = &c->plan;
                        *plan = (struct prune_conv_plan){ .form = form, .gx = gx, .gy = vector / gx, .tw = tw, .th = th, .channels = shape->c, .regions = threads / parts,
                                                          .parts = parts };
                        prune_conv_plan_finish(plan, shape, vector);
                        if (plan->tw != tw || plan->th != th) break;
                        int across = up(plan->bw, tw);
                        if (!flat && up(plan->bw, across) != tw) break;         /* a narrower tile cuts the block into as many */
                        static const double shares[] = { 0, .5, .75, 1, 1.5, 3 };
                        if (share) plan->channels = larger(1, (int)(shares[share] * L1_BYTES / tile_bytes(plan, shape, vector)));
                        if (share && plan->channels >= shape->c) break;
                        prune_conv_plan_finish(plan, shape, vector);
                        c->cost = cost_of(plan, shape, vector, density);
                        if (++n == ALL) goto sort;
                    }
    }
sort:
    qsort(all, (size_t)n, sizeof *all, by_cost);
    if (n > most) n = most;
    for (int i = 0; i < n; i++) plans[i] = all[i].plan;
    free(all);
    return n;
}
