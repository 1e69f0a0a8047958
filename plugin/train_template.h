/* train_template.h - the kernels of train.h for one instruction set; included after its simd_*.h
 *
 * In and out: train.h, whose plain twins (train_plain.c) give the same bits. Out as well: TRAIN_KERNELS, the table's part.
 *
 * Memory bounds most of them: each goes over its arrays once and in order (the moments twice over a plane, which is in cache the second time), with the plane's numbers in
 * registers and the activation known to the compiler.
 */
#ifndef TRAIN_TEMPLATE_H
#define TRAIN_TEMPLATE_H

#include "activate_template.h"
#include "layers_template.h"
#include "train.h"

/* ------------------------------------------------------------------------------------------------- planes and sums -- */

/* step(i, j) for each pixel i, in order; j = i mod 4 is a constant, so that sums[j] is a register. */
#define FOR_PIXELS(pixels, step) \
    do { \
        size_t pixel = 0; \
        for (; pixel + 4 <= (pixels); pixel += 4) { \
            step(pixel, 0) \
            step(pixel + 1, 1) \
            step(pixel + 2, 2) \
            step(pixel + 3, 3) \
        } \
        if (pixel < (pixels)) step(pixel, 0) \
        if (pixel + 1 < (pixels)) step(pixel + 1, 1) \
        if (pixel + 2 < (pixels)) step(pixel + 2, 2) \
    } while (0)

#define FOR_TRAINED(f, call) \
    switch ((int)(f)) { \
    case PRUNE_RELU: call(PRUNE_RELU); break; \
    case PRUNE_LEAKY: call(PRUNE_LEAKY); break; \
    case PRUNE_LOGISTIC_ACTIVATION: call(PRUNE_LOGISTIC_ACTIVATION); break; \
    default: call(PRUNE_LINEAR_ACTIVATION); \
    }

INLINE void sums_begin(vec sums[4])
{
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) sums[j] = v_zero();
}

INLINE vec sums_joined(const vec sums[4]) { return v_add(v_add(sums[0], sums[1]), v_add(sums[2], sums[3])); }

INLINE void add_to(float *p, vec x) { v_store(p, v_add(v_load(p), x)); }

/* x, or 1 where there is none: times 1 changes nothing, and fma(x, 1, y) is x + y */
INLINE vec load_or_1(const float *p, size_t at) { return p ? v_load(p + at) : v_set1(1); }

INLINE void fill_planes(float *p, size_t planes, vec x)
{
    for (size_t i = 0; i < planes; i++) v_store(p + i * V, x);
}

INLINE vec plane_sum(const float *x, size_t pixels)
{
    vec sums[4];
    sums_begin(sums);
#define STEP(i, j) { sums[j] = v_add(sums[j], v_load(x + (i) * V)); }
    FOR_PIXELS(pixels, STEP);
#undef STEP
    return sums_joined(sums);
}

/* The squares of x - mean; the sum of the next plane in the same loop, so that it is fetched from memory meanwhile. No next plane: x once more. */
INLINE vec plane_squares(const float *x, size_t pixels, vec mean, const float *next, vec *next_sum)
{
    vec squares[4], sums[4];
    sums_begin(squares);
    sums_begin(sums);
#define STEP(i, j) { \
        vec d = v_sub(v_load(x + (i) * V), mean); \
        squares[j] = v_fma(d, d, squares[j]); \
        sums[j] = v_add(sums[j], v_load(next + (i) * V)); \
    }
    FOR_PIXELS(pixels, STEP);
#undef STEP
    *next_sum = sums_joined(sums);
    return sums_joined(squares);
}

/* ----------------------------------------------------------------------------------------- batch normalisation, bias -- */

static TARGET void KERNEL(moments)(const struct prune_vectors *shape, const float *x, float *mean, float *m2)
{
    size_t planes = (size_t)shape->planes, pixels = (size_t)shape->pixels;
    float n = (float)shape->pixels;
    vec per_pixel = v_set1(1 / n), sum = shape->blocks ? plane_sum(x, pixels) : v_zero();
    fill_planes(mean, planes, v_zero());
    fill_planes(m2, planes, v_zero());
    for (int b = 0; b < shape->blocks; b++) {
        float before = (float)b, after = (float)(b + 1);
        vec share = v_set1(1 / after), weight = v_set1(n * before / after);
        for (size_t p = 0; p < planes; p++, x += pixels * V) {
            int is_last = p + 1 == planes && b + 1 == shape->blocks;
            vec own = v_mul(sum, per_pixel), squares = plane_squares(x, pixels, own, is_last ? x : x + pixels * V, &sum), d = v_sub(own, v_load(mean + p * V));
            add_to(mean + p * V, v_mul(d, share));
            add_to(m2 + p * V, v_add(squares, v_mul(v_mul(d, d), weight)));
        }
    }
}

/* f'(y) from out = f(y) */
INLINE vec v_derivative_of(vec out, enum prune_activation f)
{
    if (f == PRUNE_RELU) return v_where_gt(out, v_zero(), v_set1(1), v_zero());
    if (f == PRUNE_LEAKY) return v_where_gt(out, v_zero(), v_set1(1), v_set1(.1f));
    if (f == PRUNE_LOGISTIC_ACTIVATION) return v_mul(out, v_sub(v_set1(1), out));
    return v_set1(1);
}

INLINE vec v_derivative(vec y, enum prune_activation f) { return v_derivative_of(f == PRUNE_LOGISTIC_ACTIVATION ? v_logistic(y) : y, f); }

INLINE void normalise_planes(const struct prune_vectors *shape, const float *x, const float *scale, const float *shift, const float *mask, float *out, enum prune_activation f)
{
    size_t planes = (size_t)shape->planes, floats = (size_t)shape->pixels * V;
    vec keep = load_or_1(mask, 0);
    for (int b = 0; b < shape->blocks; b++)
        for (size_t p = 0; p < planes; p++, x += floats, out += floats) {
            vec factor = load_or_1(scale, p * V), offset = v_load(shift + p * V);
#pragma GCC unroll 4
            for (size_t i = 0; i < floats; i += V) v_store(out + i, v_mul(v_activate(v_fma(v_load(x + i), factor, offset), f), keep));
        }
}

static TARGET void KERNEL(normalise)(const struct prune_vectors *shape, const float *x, const float *scale, const float *shift, enum prune_activation f, const float *mask,
                                     float *out)
{
#define CALL(activation) normalise_planes(shape, x, scale, shift, mask, out, activation)
    FOR_TRAINED(f, CALL)
#undef CALL
}

INLINE void normalise_sums_planes(const struct prune_vectors *shape, const float *x, const float *delta, const float *scale, const float *shift, const float *mean, float *sums,
                                  float *products, enum prune_activation f)
{
    size_t planes = (size_t)shape->planes, pixels = (size_t)shape->pixels;
    fill_planes(sums, planes, v_zero());
    fill_planes(products, planes, v_zero());
    for (int b = 0; b < shape->blocks; b++)
        for (size_t p = 0; p < planes; p++, x += pixels * V, delta += pixels * V) {
            vec factor = load_or_1(scale, p * V), offset = v_load(shift + p * V), middle = v_load(mean + p * V), of_g[4], of_products[4];
            sums_begin(of_g);
            sums_begin(of_products);
#define STEP(i, j) { \
                vec value = v_load(x + (i) * V), g = v_mul(v_load(delta + (i) * V), v_derivative(v_fma(value, factor, offset), f)); \
                of_g[j] = v_add(of_g[j], g); \
                of_products[j] = v_fma(g, v_sub(value, middle), of_products[j]); \
            }
            FOR_PIXELS(pixels, STEP);
#undef STEP
            add_to(sums + p * V, sums_joined(of_g));
            add_to(products + p * V, sums_joined(of_products));
        }
}

static TARGET void KERNEL(normalise_sums)(const struct prune_vectors *shape, const float *x, const float *delta, const float *scale, const float *shift, enum prune_activation f,
                                          const float *mean, float *sums, float *products)
{
#define CALL(activation) normalise_sums_planes(shape, x, delta, scale, shift, mean, sums, products, activation)
    FOR_TRAINED(f, CALL)
#undef CALL
}

INLINE void normalise_back_planes(const struct prune_vectors *shape, const float *x, const float *scale, const float *shift, const float *mean, const float *a, const float *b,
                                  const float *c, const float *mask, float *delta, enum prune_activation f)
{
    size_t planes = (size_t)shape->planes, floats = (size_t)shape->pixels * V;
    vec keep = load_or_1(mask, 0);
    for (int block = 0; block < shape->blocks; block++)
        for (size_t p = 0; p < planes; p++, x += floats, delta += floats) {
            vec factor = load_or_1(scale, p * V), offset = v_load(shift + p * V), middle = v_load(mean + p * V);
            vec of_g = v_load(a + p * V), of_x = v_load(b + p * V), rest = v_load(c + p * V);
#pragma GCC unroll 4
            for (size_t i = 0; i < floats; i += V) {
                vec value = v_load(x + i), g = v_mul(v_load(delta + i), v_derivative(v_fma(value, factor, offset), f));
                v_store(delta + i, v_mul(v_fma(of_g, g, v_fma(of_x, v_sub(value, middle), rest)), keep));
            }
        }
}

static TARGET void KERNEL(normalise_back)(const struct prune_vectors *shape, const float *x, const float *scale, const float *shift, enum prune_activation f, const float *mean,
                                          const float *a, const float *b, const float *c, const float *mask, float *delta)
{
#define CALL(activation) normalise_back_planes(shape, x, scale, shift, mean, a, b, c, mask, delta, activation)
    FOR_TRAINED(f, CALL)
#undef CALL
}

INLINE void activate_back_planes(const struct prune_vectors *shape, const float *out, float *delta, float *sums, enum prune_activation f)
{
    size_t planes = (size_t)shape->planes, pixels = (size_t)shape->pixels;
    if (sums) fill_planes(sums, planes, v_zero());
    if (!sums && f == PRUNE_LINEAR_ACTIVATION) return;
    for (int b = 0; b < shape->blocks; b++)
        for (size_t p = 0; p < planes; p++, out += pixels * V, delta += pixels * V) {
            vec of_g[4];
            sums_begin(of_g);
#define STEP(i, j) { \
                vec g = v_load(delta + (i) * V); \
                if (f != PRUNE_LINEAR_ACTIVATION) { \
                    g = v_mul(g, v_derivative_of(v_load(out + (i) * V), f)); \
                    v_store(delta + (i) * V, g); \
                } \
                of_g[j] = v_add(of_g[j], g); \
            }
            FOR_PIXELS(pixels, STEP);
#undef STEP
            if (sums) add_to(sums + p * V, sums_joined(of_g));
        }
}

static TARGET void KERNEL(activate_back)(const struct prune_vectors *shape, const float *out, enum prune_activation f, float *delta, float *sums)
{
#define CALL(activation) activate_back_planes(shape, out, delta, sums, activation)
    FOR_TRAINED(f, CALL)
#undef CALL
}

/* --------------------------------------------------------------------------------------------------------- pooling -- */

/* Windows of 2 x 2 that cover each place once. */
INLINE int is_halving(const struct prune_pool *pool)
{
    return pool->size == 2 && pool->stride == 2 && pool->pad / 2 == 0 && pool->w == 2 * pool->out_w && pool->h == 2 * pool->out_h;
}

INLINE void pool_halve(const struct prune_pool *pool, const float *in, float *out)
{
    size_t row = (size_t)pool->w * V;
    vec lowest = v_set1(-FLT_MAX);
    for (int y = 0; y < pool->out_h; y++, in += row)
        for (int x = 0; x < pool->out_w; x++, in += 2 * V, out += V) {
            vec most = v_max(v_load(in + V), v_max(v_load(in), lowest));
            v_store(out, v_max(v_load(in + row + V), v_max(v_load(in + row), most)));
        }
}

/* The window's part inside the plane: rows top <= y < bottom, columns left <= x < right. */
struct pool_part {
    int top, bottom, left, right;
};

INLINE struct pool_part pool_part_of(const struct prune_pool *pool, int out_y, int out_x)
{
    int y = out_y * pool->stride - pool->pad / 2, x = out_x * pool->stride - pool->pad / 2;
    return (struct pool_part){ .top = more(y, 0), .bottom = fewer(y + pool->size, pool->h), .left = more(x, 0), .right = fewer(x + pool->size, pool->w) };
}

/* Of windows of size 2 and 3 those that are whole have loops that the compiler unrolls. */
#define FOR_POOL_SIZE(call) \
    switch (pool->size) { \
    case 2: call(2); break; \
    case 3: call(3); break; \
    default: call(0); \
    }

INLINE int is_whole(const struct pool_part *part, int size) { return part->bottom - part->top == size && part->right - part->left == size; }

INLINE vec window_most(const float *in, size_t row, const int height, const int width)
{
    vec most = v_set1(-FLT_MAX);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) most = v_max(v_load(in + (size_t)y * row + x * V), most);
    return most;
}

INLINE void pool_windows_of(const struct prune_pool *pool, const float *in, float *out, const int size)
{
    size_t row = (size_t)pool->w * V;
    for (int y = 0; y < pool->out_h; y++)
        for (int x = 0; x < pool->out_w; x++, out += V) {
            struct pool_part part = pool_part_of(pool, y, x);
            const float *from = in + (size_t)part.top * row + (size_t)part.left * V;
            v_store(out, size && is_whole(&part, size) ? window_most(from, row, size, size) : window_most(from, row, part.bottom - part.top, part.right - part.left));
        }
}

static TARGET void pool_windows(const struct prune_pool *pool, const float *in, float *out)
{
#define CALL(size) pool_windows_of(pool, in, out, size)
    FOR_POOL_SIZE(CALL)
#undef CALL
}

static TARGET void KERNEL(train_maxpool)(const struct prune_pool *pool, int planes, const float *in, float *out)
{
    size_t n_in = (size_t)pool->w * (size_t)pool->h * V, n_out = (size_t)pool->out_w * (size_t)pool->out_h * V;
    for (int p = 0; p < planes; p++, in += n_in, out += n_out) {
        if (is_halving(pool)) pool_halve(pool, in, out);
        else pool_windows(pool, in, out);
    }
}

/* The share of `left` that goes to this place: all of it where it is the first that is equal, else -0, which changes nothing that it is added to, not even -0. */
INLINE vec pool_take(vec value, vec most, vec *left)
{
    vec nothing = v_set1(-0.0f), taken = v_where_eq(value, most, *left, nothing);
    *left = v_where_eq(value, most, nothing, *left);
    return taken;
}

INLINE void pool_back_halve(const struct prune_pool *pool, const float *in, const float *out, const float *delta, const int first, float *in_delta)
{
    size_t row = (size_t)pool->w * V;
    const size_t at[4] = { 0, V, row, row + V };
    for (int y = 0; y < pool->out_h; y++, in += row, in_delta += row)
        for (int x = 0; x < pool->out_w; x++, in += 2 * V, in_delta += 2 * V, out += V, delta += V) {
            vec most = v_load(out), left = v_load(delta);
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) {
                vec taken = pool_take(v_load(in + at[j]), most, &left);
                v_store(in_delta + at[j], v_add(first ? v_zero() : v_load(in_delta + at[j]), taken));
            }
        }
}

INLINE void window_back(const float *in, vec most, vec left, float *in_delta, size_t row, const int height, const int width)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            size_t at = (size_t)y * row + (size_t)(x * V);
            add_to(in_delta + at, pool_take(v_load(in + at), most, &left));
        }
}

INLINE void pool_back_windows_of(const struct prune_pool *pool, const float *in, const float *out, const float *delta, float *in_delta, const int size)
{
    size_t row = (size_t)pool->w * V;
    for (int y = 0; y < pool->out_h; y++)
        for (int x = 0; x < pool->out_w; x++, out += V, delta += V) {
            struct pool_part part = pool_part_of(pool, y, x);
            size_t at = (size_t)part.top * row + (size_t)part.left * V;
            if (size && is_whole(&part, size)) window_back(in + at, v_load(out), v_load(delta), in_delta + at, row, size, size);
            else window_back(in + at, v_load(out), v_load(delta), in_delta + at, row, part.bottom - part.top, part.right - part.left);
        }
}

static TARGET void pool_back_windows(const struct prune_pool *pool, const float *in, const float *out, const float *delta, float *in_delta)
{
#define CALL(size) pool_back_windows_of(pool, in, out, delta, in_delta, size)
    FOR_POOL_SIZE(CALL)
#undef CALL
}

static TARGET void KERNEL(train_maxpool_back)(const struct prune_pool *pool, int planes, const float *in, const float *out, const float *delta, int first, float *in_delta)
{
    size_t places = (size_t)pool->w * (size_t)pool->h, n_in = places * V, n_out = (size_t)pool->out_w * (size_t)pool->out_h * V;
    for (int p = 0; p < planes; p++, in += n_in, in_delta += n_in, out += n_out, delta += n_out) {
        if (is_halving(pool) && first) pool_back_halve(pool, in, out, delta, 1, in_delta);
        else if (is_halving(pool)) pool_back_halve(pool, in, out, delta, 0, in_delta);
        else {
            if (first) fill_planes(in_delta, places, v_zero());
            pool_back_windows(pool, in, out, delta, in_delta);
        }
    }
}

static TARGET void KERNEL(train_avgpool)(int planes, int pixels, const float *in, float *out)
{
    size_t n = (size_t)pixels;
    vec per_pixel = v_set1(1 / (float)pixels);
    for (int p = 0; p < planes; p++, in += n * V, out += V) v_store(out, v_mul(plane_sum(in, n), per_pixel));
}

static TARGET void KERNEL(train_avgpool_back)(int planes, int pixels, const float *delta, int first, float *in_delta)
{
    size_t n = (size_t)pixels;
    vec per_pixel = v_set1(1 / (float)pixels);
    for (int p = 0; p < planes; p++, delta += V, in_delta += n * V) {
        vec share = v_mul(v_load(delta), per_pixel);
        if (first) fill_planes(in_delta, n, share);
        else
            for (size_t i = 0; i < n; i++) add_to(in_delta + i * V, share);
    }
}

/* --------------------------------------------------------------------------------------------------------- updates -- */

struct update_factors {
    vec decay, rate, momentum;
};

INLINE void update_vector(const struct update_factors *factors, vec *weights, vec *updates)
{
    *updates = v_add(*updates, v_mul(factors->decay, *weights));
    *weights = v_add(*weights, v_mul(factors->rate, *updates));
    *updates = v_mul(*updates, factors->momentum);
}

static TARGET void KERNEL(update)(size_t n, float decay, float rate, float momentum, float *weights, float *updates)
{
    struct update_factors factors = { .decay = v_set1(-decay), .rate = v_set1(rate), .momentum = v_set1(momentum) };
    size_t i = 0;
    for (; n - i >= V; i += V) {
        vec w = v_loadu(weights + i), u = v_loadu(updates + i);
        update_vector(&factors, &w, &u);
        v_storeu(weights + i, w);
        v_storeu(updates + i, u);
    }
    if (i < n) {
        int left = left_of(n, i);
        vec w = v_load_n(weights + i, left), u = v_load_n(updates + i, left);
        update_vector(&factors, &w, &u);
        v_store_n(weights + i, w, left);
        v_store_n(updates + i, u, left);
    }
}

/* --------------------------------------------------------------------------------------------------------- layouts -- */

/* V x V floats: `n` columns of `rows` rows. */
INLINE void rows_to_vectors(const float *plain, size_t stride, const int n, const int rows, float *vectors)
{
    vec r[V];
#pragma GCC unroll 16
    for (int k = 0; k < V; k++) r[k] = k >= rows ? v_zero() : n == V ? v_loadu(plain + (size_t)k * stride) : v_load_n(plain + (size_t)k * stride, n);
    v_transpose(r);
#pragma GCC unroll 16
    for (int i = 0; i < V; i++)
        if (i < n) v_store(vectors + i * V, r[i]);
}

static TARGET void KERNEL(to_vectors)(const float *plain, size_t stride, size_t n, int lanes, float *vectors)
{
    size_t i = 0;
    if (lanes == V)
        for (; n - i >= V; i += V) rows_to_vectors(plain + i, stride, V, V, vectors + i * V);
    for (; i < n; i += V) rows_to_vectors(plain + i, stride, left_of(n, i), lanes, vectors + i * V);
}

INLINE void vectors_to_rows(const float *vectors, const int n, const int rows, const int add, float *plain, size_t stride)
{
    vec r[V];
#pragma GCC unroll 16
    for (int i = 0; i < V; i++) r[i] = i < n ? v_load(vectors + i * V) : v_zero();
    v_transpose(r);
#pragma GCC unroll 16
    for (int k = 0; k < V; k++) {
        float *row = plain + (size_t)k * stride;
        if (k >= rows) continue;
        if (n == V) v_storeu(row, add ? v_add(v_loadu(row), r[k]) : r[k]);
        else v_store_n(row, add ? v_add(v_load_n(row, n), r[k]) : r[k], n);
    }
}

static TARGET void KERNEL(from_vectors)(const float *vectors, size_t n, int lanes, int add, float *plain, size_t stride)
{
    size_t i = 0;
    if (lanes == V && add)
        for (; n - i >= V; i += V) vectors_to_rows(vectors + i * V, V, V, 1, plain + i, stride);
    else if (lanes == V)
        for (; n - i >= V; i += V) vectors_to_rows(vectors + i * V, V, V, 0, plain + i, stride);
    for (; i < n; i += V) vectors_to_rows(vectors + i * V, left_of(n, i), lanes, add, plain + i, stride);
}

INLINE void exchange_vectors(const float *in, size_t in_stride, const int in_rows, size_t n, const int add, float *out, size_t out_stride, const int out_rows)
{
    for (size_t i = 0; i < n; i++, in += V, out += V) {
        vec r[V];
#pragma GCC unroll 16
        for (int k = 0; k < V; k++) r[k] = k < in_rows ? v_load(in + (size_t)k * in_stride) : v_zero();
        v_transpose(r);
#pragma GCC unroll 16
        for (int j = 0; j < V; j++) {
            if (j >= out_rows) continue;
            if (add) add_to(out + (size_t)j * out_stride, r[j]);
            else v_store(out + (size_t)j * out_stride, r[j]);
        }
    }
}

static TARGET void KERNEL(exchange)(const float *in, size_t in_stride, int in_rows, size_t n, int add, float *out, size_t out_stride, int out_rows)
{
    if (in_rows < V || out_rows < V) exchange_vectors(in, in_stride, in_rows, n, add, out, out_stride, out_rows);
    else if (add) exchange_vectors(in, in_stride, V, n, 1, out, out_stride, V);
    else exchange_vectors(in, in_stride, V, n, 0, out, out_stride, V);
}

#define TRAIN_KERNELS { \
    .moments = KERNEL(moments), .normalise = KERNEL(normalise), .normalise_sums = KERNEL(normalise_sums), .normalise_back = KERNEL(normalise_back), \
    .activate_back = KERNEL(activate_back), .maxpool = KERNEL(train_maxpool), .maxpool_back = KERNEL(train_maxpool_back), .avgpool = KERNEL(train_avgpool), \
    .avgpool_back = KERNEL(train_avgpool_back), .update = KERNEL(update), .to_vectors = KERNEL(to_vectors), .from_vectors = KERNEL(from_vectors), .exchange = KERNEL(exchange), \
}

#endif
