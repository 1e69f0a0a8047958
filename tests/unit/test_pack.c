/* test_pack.c - packed weights: all that goes in comes out, bit for bit; the sparse form is the dense one; sizes are near their limits */
#include "small_network.h"
#include "random.h"

#include "packing.h"

#include <math.h>

/* Convolutions with batch-norm, groups and kernels; connected; recurrent; local; a lone batch-norm; all that lies in one file. */
#define MIXED NET(8, 8, 6) \
    "[conv]\nfilters=12\nsize=3\npad=1\nbatch_normalize=1\nactivation=leaky\n" \
    "[conv]\nfilters=12\nsize=3\npad=1\ngroups=3\nactivation=linear\n" \
    "[batchnorm]\n" \
    "[local]\nfilters=4\nsize=3\nstride=2\npad=1\nactivation=linear\n" \
    "[connected]\noutput=40\nbatch_normalize=1\nactivation=relu\n" \
    "[connected]\noutput=10\nactivation=linear\n"
#define RECURRENT "[net]\nbatch=1\ninputs=20\n[lstm]\noutput=24\nbatch_normalize=1\n[gru]\noutput=16\n[rnn]\noutput=12\nactivation=relu\n[connected]\noutput=5\nactivation=linear\n"
#define ONE_CONNECTED NET(1, 1, 1024) "[connected]\noutput=1024\nactivation=linear\n"

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Numbers that a careless writer loses. */
static float odd_value(void)
{
    static const uint32_t odd[] = { 0x80000000, 0x7fc00001, 0xffc12345, 0x7f800001, 0x7f800000, 0xff800000, 1, 0x807fffff, 0x7f7fffff, 0x00800000, 0x33800000, 0x477fe000 };
    return float_of(odd[random_below(sizeof odd / sizeof *odd)]);
}

enum mask { SINGLE, ROWS, COLUMNS, KERNELS, BLOCKS, MASKS };
enum kind { BELL, HALVES, FEW, SAME, ANY_BITS, KINDS };

static float draw_value(enum kind kind)
{
    static const float few[] = { -.5F, -.25F, .125F, .3F, .7F };
    uint32_t bits;
    float value = random_bell() * .1F;
    switch (kind) {
    case HALVES:
        memcpy(&bits, &value, sizeof bits);
        return float_of(bits & 0xffffe000);
    case FEW: return few[random_below(5)];
    case SAME: return -.375F;
    case ANY_BITS: return random_below(4) ? float_of((uint32_t)random_bits()) : odd_value();
    default: return value;
    }
}

static void draw_part(float *floats, const struct prune_part *part, double sparsity, enum mask mask, enum kind kind)
{
    uint32_t w = mask == KERNELS ? part->kernel : 1, h = mask == BLOCKS && part->rows % 4 == 0 ? 4 : 1;
    uint64_t seed = random_bits();
    for (uint32_t r = 0; r < part->rows; r++) {
        for (uint32_t c = 0; c < part->columns; c++) {
            uint64_t place = mask == ROWS ? r : mask == COLUMNS ? c : (uint64_t)(r / h) * part->columns + c / w;
            uint64_t z = (seed ^ place) * 0x9E3779B97F4A7C15U;
            z = (z ^ z >> 32) * 0xBF58476D1CE4E5B9U;
            floats[(size_t)r * part->columns + c] = (double)(z >> 11) * 0x1p-53 < sparsity ? 0 : draw_value(kind);
        }
    }
}

static void draw_weights(struct network *net, double sparsity, enum mask mask, enum kind kind)
{
    struct prune_part parts[PRUNE_PARTS_MOST];
    float *at = net->weights.floats;
    net->weights.raw = 1;
    for (int i = 0; i < net->graph.n_nodes; i++) {
        int n = prune_weights_parts(&net->graph, &net->weights, i, parts);
        size_t floats = 0;
        for (int p = 0; p < n; p++) {
            size_t size = (size_t)parts[p].rows * parts[p].columns;
            draw_part(at, &parts[p], parts[p].role == PRUNE_PART_WEIGHTS ? sparsity : 0, mask, kind);
            at += size;
            floats += size;
        }
        assert_int_equal(floats, net->graph.nodes[i].n_floats);
    }
}

/* Packs into a new scratch file. */
static void pack(struct network *net, char path[256], struct prune_packed_size *sizes)
{
    write_scratch(path, "", 0);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(prune_pack_write(file, "packed", &net->graph, &net->weights, sizes), PRUNE_OK);
    assert_int_equal(fclose(file), 0);
}

static void assert_same_floats(const float *found, const float *expected, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&found[i], &expected[i], sizeof *found)) fail_msg("float %zu is %a, expected %a", i, (double)found[i], (double)expected[i]);
}

/* The sparse form of every array, made dense again by its plain definition. */
static void assert_sparse_is_dense(const char *path, const float *expected)
{
    struct prune_packed packed;
    struct prune_sparse sparse;
    assert_int_equal(prune_packed_open(&packed, path), PRUNE_OK);
    int more;
    while ((more = prune_packed_next(&packed)) > 0) {
        for (int i = 0; i < packed.n_arrays; i++) {
            assert_int_equal(prune_packed_sparse(&packed, &sparse), PRUNE_OK);
            size_t n = (size_t)sparse.rows * sparse.columns, area = (size_t)sparse.tile_rows * sparse.tile_columns;
            float *dense = calloc(n, sizeof *dense);
            assert_non_null(dense);
            assert_int_equal(sparse.starts[sparse.rows / sparse.tile_rows], sparse.n_tiles);
            for (uint32_t r = 0; r < sparse.rows / sparse.tile_rows; r++) {
                for (size_t t = sparse.starts[r]; t < sparse.starts[r + 1]; t++) {
                    assert_true(t == sparse.starts[r] || sparse.at[t] > sparse.at[t - 1]);
                    for (size_t v = 0; v < area; v++)
                        dense[((size_t)r * sparse.tile_rows + v / sparse.tile_columns) * sparse.columns + (size_t)sparse.at[t] * sparse.tile_columns + v % sparse.tile_columns] = sparse.values[t * area + v];
                }
            }
            assert_same_floats(dense, expected, n);
            expected += n;
            free(dense);
            prune_sparse_free(&sparse);
        }
    }
    assert_int_equal(more, 0);
    prune_packed_close(&packed);
}

/* Header and floats as the stream gives them, in pieces of any length. */
static void assert_stream_is_file(const char *path, const struct prune_weights *weights)
{
    struct prune_unpacking unpacking;
    size_t bytes = weights->header_bytes + 4 * weights->n_floats, used = 0;
    uint8_t *expected = malloc(bytes), *found = malloc(bytes + 16);
    assert_true(expected && found);
    const int32_t version[] = { weights->major, weights->minor, weights->revision };
    memcpy(expected, version, 12);
    memcpy(expected + 12, &weights->seen, weights->header_bytes - 12);
    memcpy(expected + weights->header_bytes, weights->floats, 4 * weights->n_floats);
    assert_int_equal(prune_unpack_open(&unpacking, path), PRUNE_OK);
    long got;
    while ((got = prune_unpack_read(&unpacking, found + used, used + 5000 < bytes ? 1 + random_below(5000) : bytes + 16 - used)) > 0) used += (size_t)got;
    assert_int_equal(got, 0);
    assert_int_equal(used, bytes);
    assert_memory_equal(found, expected, bytes);
    prune_unpack_close(&unpacking);
    free(expected);
    free(found);
}

static void assert_comes_back(struct network *net)
{
    char path[256], again[256];
    struct prune_packed_size sizes[16];
    struct prune_weights back;
    pack(net, path, sizes);
    assert_true(prune_packed_is(path));
    assert_int_equal(prune_weights_check(&net->graph, path, 0), PRUNE_OK);
    assert_int_equal(prune_weights_read_raw(&back, &net->graph, path), PRUNE_OK);
    assert_int_equal(back.n_floats, net->weights.n_floats);
    assert_same_floats(back.floats, net->weights.floats, back.n_floats);
    assert_true(back.major == net->weights.major && back.minor == net->weights.minor && back.revision == net->weights.revision && back.seen == net->weights.seen);
    assert_sparse_is_dense(path, net->weights.floats);
    assert_stream_is_file(path, &net->weights);

    /* What was read packs to the same bytes, and the sizes told are the file's. */
    FILE *first = fopen(path, "rb"), *second;
    write_scratch(again, "", 0);
    second = fopen(again, "wb");
    assert_true(first && second);
    assert_int_equal(prune_pack_write(second, "packed", &net->graph, &back, NULL), PRUNE_OK);
    assert_int_equal(fclose(second), 0);
    second = fopen(again, "rb");
    assert_non_null(second);
    uint64_t bytes = 0, told = MAGIC_BYTES + SECTION_BYTES + HEADER_BYTES;
    int a, b;
    do {
        a = getc(first);
        b = getc(second);
        assert_int_equal(a, b);
        bytes += a != EOF;
    } while (a != EOF);
    for (int i = 0; i < net->graph.n_nodes; i++) told += sizes[i].packed / 8;
    assert_int_equal(told, bytes);
    fclose(first);
    fclose(second);
    unlink(path);
    unlink(again);
    prune_weights_free(&back);
}

static void everything_comes_back_bit_for_bit(void **state)
{
    (void)state;
    static const double sparsities[] = { 0, .3, .5, .9, .99, 1 };
    const char *const texts[] = { MIXED, RECURRENT };
    random_seed(11);
    for (int t = 0; t < 2; t++) {
        struct network net;
        network_make(&net, texts[t], PRUNE_THIS_DARKNET);
        for (int mask = 0; mask < MASKS; mask++)
            for (int kind = 0; kind < KINDS; kind++)
                for (size_t s = 0; s < sizeof sparsities / sizeof *sparsities; s++) {
                    net.weights.seen = random_bits();
                    draw_weights(&net, sparsities[s], (enum mask)mask, (enum kind)kind);
                    assert_comes_back(&net);
                }
        network_free(&net);
    }
}

/* More than one chunk, chunks without a live tile, and gaps from one chunk into the next. */
static void many_chunks_come_back(void **state)
{
    (void)state;
    struct network net;
    random_seed(12);
    network_make(&net, ONE_CONNECTED, PRUNE_THIS_DARKNET);
    draw_weights(&net, .9, SINGLE, BELL);
    assert_comes_back(&net);
    draw_weights(&net, 0, SINGLE, ANY_BITS);
    assert_comes_back(&net);
    memset(net.weights.floats, 0, net.weights.n_floats * sizeof(float));
    for (int i = 0; i < 9; i++) net.weights.floats[1024 + random_below(1024 * 1024)] = random_bell();
    assert_comes_back(&net);
    draw_weights(&net, .95, BLOCKS, FEW);
    assert_comes_back(&net);
    network_free(&net);
}

static void headers_of_all_versions_come_back(void **state)
{
    (void)state;
    struct network net;
    random_seed(13);
    network_make(&net, MIXED, PRUNE_THIS_DARKNET);
    draw_weights(&net, .5, SINGLE, BELL);
    net.weights.minor = 1, net.weights.header_bytes = 16, net.weights.seen = 123456789;
    assert_comes_back(&net);
    net.weights.major = 1, net.weights.minor = 0, net.weights.revision = -7, net.weights.header_bytes = 20, net.weights.seen = UINT64_MAX;
    assert_comes_back(&net);
    net.weights.major = 1042, net.weights.header_bytes = 16, net.weights.seen = 5;
    char path[256];
    struct prune_weights back;
    pack(&net, path, NULL);         /* connected matrices lie transposed: the sparse form refuses them, and all else holds */
    assert_int_equal(prune_weights_read_raw(&back, &net.graph, path), PRUNE_OK);
    assert_same_floats(back.floats, net.weights.floats, back.n_floats);
    prune_weights_free(&back);
    assert_stream_is_file(path, &net.weights);
    assert_int_equal(prune_weights_read(&back, &net.graph, path), PRUNE_OK);
    const float *plain = net.weights.floats, *turned = back.floats;
    size_t matrix = net.weights.n_floats - 10 - 400, found = 0;         /* the last: 10 outputs of 40 inputs */
    for (size_t i = 0; i < 40; i++)
        for (size_t o = 0; o < 10; o++) found += memcmp(&turned[matrix + 10 + o * 40 + i], &plain[matrix + 10 + i * 10 + o], 4) == 0;
    assert_int_equal(found, 400);
    struct prune_packed packed;
    struct prune_sparse sparse;
    int refused = 0, more;
    assert_int_equal(prune_packed_open(&packed, path), PRUNE_OK);
    listen_stderr();
    while ((more = prune_packed_next(&packed)) > 0)
        for (int i = 0; i < packed.n_arrays && !refused; i++) {
            refused = prune_packed_sparse(&packed, &sparse) == PRUNE_ERR_UNSUPPORTED;
            prune_sparse_free(&sparse);
        }
    heard_stderr();
    assert_true(refused);
    assert_said("lie transposed");
    prune_packed_close(&packed);
    prune_weights_free(&back);
    unlink(path);
    network_free(&net);
}

/* Which form an array is written in. */
static void forms_are_the_smallest(void **state)
{
    (void)state;
    static const struct {
        enum mask mask;
        enum kind kind;
        uint32_t h, w;
        int values;
    } cases[] = {
        { SINGLE, BELL, 1, 1, VALUES_F32 }, { KERNELS, BELL, 1, 9, VALUES_F32 }, { BLOCKS, BELL, 4, 1, VALUES_F32 },
        { SINGLE, HALVES, 1, 1, VALUES_F16 }, { SINGLE, FEW, 1, 1, VALUES_CODEBOOK }, { KERNELS, SAME, 1, 9, VALUES_CODEBOOK },
    };
    random_seed(14);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct network net;
        struct prune_packed packed;
        char path[256];
        network_make(&net, NET(8, 8, 64) "[conv]\nfilters=64\nsize=3\npad=1\nactivation=linear\n", PRUNE_THIS_DARKNET);
        draw_weights(&net, .9, cases[i].mask, cases[i].kind);
        pack(&net, path, NULL);
        assert_int_equal(prune_packed_open(&packed, path), PRUNE_OK);
        assert_int_equal(prune_packed_next(&packed), 1);
        const struct prune_packed_array *array = &packed.arrays[1];
        if (array->tile_rows != cases[i].h || array->tile_columns != cases[i].w || array->values != cases[i].values)
            fail_msg("case %zu: tiles %u x %u, values %d", i, array->tile_rows, array->tile_columns, array->values);
        prune_packed_close(&packed);
        unlink(path);
        network_free(&net);
    }
}

/* A million independent weights: positions and values are within 2 % of their entropy at every density. The entropy is worked out here once more, from the weights. */
static void random_masks_are_near_their_entropy(void **state)
{
    (void)state;
    static const double sparsities[] = { .5, .8, .9, .95, .98, .99 };
    random_seed(15);
    for (size_t s = 0; s < sizeof sparsities / sizeof *sparsities; s++) {
        struct network net;
        struct prune_packed_size size;
        network_make(&net, ONE_CONNECTED, PRUNE_THIS_DARKNET);
        draw_weights(&net, sparsities[s], SINGLE, BELL);
        assert_int_equal(prune_pack_write(NULL, NULL, &net.graph, &net.weights, &size), PRUNE_OK);
        double n = 1024 * 1024, nonzero = 0, counts[256] = { 0 };
        for (size_t i = 1024; i < net.weights.n_floats; i++) {
            uint32_t bits;
            memcpy(&bits, &net.weights.floats[i], sizeof bits);
            nonzero += bits != 0;
            counts[bits >> 23 & 255] += bits != 0;
        }
        double p = nonzero / n, positions = -n * (p * log2(p) + (1 - p) * log2(1 - p)), values = 24 * nonzero;
        for (int e = 0; e < 256; e++) values -= counts[e] ? counts[e] * log2(counts[e] / nonzero) : 0;
        assert_true(fabs(size.positions_limit - positions) < 1e-6 * positions);
        assert_true(size.values_limit > values && size.values_limit < values + 1024 * 33);      /* and 1024 biases */
        double ratio = (double)size.packed / (size.positions_limit + size.values_limit);
        if (ratio > 1.02 || ratio < 1) fail_msg("at %g: %g of the limit", sparsities[s], ratio);
        network_free(&net);
    }
}

static void files_for_other_networks_are_refused(void **state)
{
    (void)state;
    struct network net, other;
    struct prune_weights weights;
    char path[256];
    random_seed(16);
    network_make(&net, MIXED, PRUNE_THIS_DARKNET);
    draw_weights(&net, .5, SINGLE, BELL);
    pack(&net, path, NULL);
    /* As many weights in all, laid out differently. */
    network_make(&other, ONE_CONNECTED, PRUNE_THIS_DARKNET);
    listen_stderr();
    int code = prune_weights_read(&weights, &other.graph, path);
    heard_stderr();
    assert_int_equal(code, PRUNE_ERR_SHAPE);
    assert_said("packed from another network");
    listen_stderr();
    code = prune_weights_check(&other.graph, path, 0);
    heard_stderr();
    assert_int_equal(code, PRUNE_ERR_SHAPE);
    unlink(path);
    network_free(&net);
    network_free(&other);
}

static void the_same_floats_in_other_shapes_are_refused(void **state)
{
    (void)state;
    struct network net, other;
    struct prune_weights weights;
    char path[256];
    network_make(&net, NET(1, 1, 12) "[connected]\noutput=7\nactivation=linear\n[connected]\noutput=7\nactivation=linear\n", PRUNE_THIS_DARKNET);
    network_make(&other, NET(1, 1, 12) "[conv]\nfilters=7\nsize=1\nactivation=linear\n[conv]\nfilters=7\nsize=1\nactivation=linear\n", PRUNE_THIS_DARKNET);
    assert_int_equal(net.weights.n_floats, other.weights.n_floats);
    pack(&net, path, NULL);
    listen_stderr();
    int code = prune_weights_read(&weights, &other.graph, path);
    heard_stderr();
    assert_int_equal(code, PRUNE_ERR_SHAPE);
    assert_said("packed from another network");
    unlink(path);
    network_free(&net);
    network_free(&other);
}

/* Image size, activation and comments are no part of the fingerprint. */
static void the_same_weights_under_another_cfg_are_taken(void **state)
{
    (void)state;
    struct network net, other;
    struct prune_weights weights;
    char path[256];
    network_make(&net, NET(8, 8, 3) "[conv]\nfilters=7\nsize=3\nactivation=linear\n", PRUNE_THIS_DARKNET);
    network_make(&other, NET(32, 16, 3) "# larger\n[convolutional]\nsize=3\nfilters=7\npad=1\nstride=2\nactivation=leaky\nprune=0\n", PRUNE_THIS_DARKNET);
    pack(&net, path, NULL);
    assert_int_equal(prune_weights_read(&weights, &other.graph, path), PRUNE_OK);
    assert_same_floats(weights.floats, net.weights.floats, weights.n_floats);
    prune_weights_free(&weights);
    unlink(path);
    network_free(&net);
    network_free(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back_bit_for_bit),
        cmocka_unit_test(many_chunks_come_back),
        cmocka_unit_test(headers_of_all_versions_come_back),
        cmocka_unit_test(forms_are_the_smallest),
        cmocka_unit_test(random_masks_are_near_their_entropy),
        cmocka_unit_test(files_for_other_networks_are_refused),
        cmocka_unit_test(the_same_floats_in_other_shapes_are_refused),
        cmocka_unit_test(the_same_weights_under_another_cfg_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
