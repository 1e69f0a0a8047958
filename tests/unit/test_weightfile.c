/* test_weightfile.c - headers, lengths, and where each layer's weights lie */
#include "reading.h"

enum { MOST_FLOATS = 4000 };

struct file {
    unsigned char bytes[20 + 4 * MOST_FLOATS + 8];
    size_t n;
};

/* A weight file whose float k is k+1; `seen_bytes` is 8 or 4. */
static struct file numbered(int32_t major, int32_t minor, int32_t revision, uint64_t seen, size_t seen_bytes, size_t n_floats)
{
    struct file file = { .n = 12 + seen_bytes + 4 * n_floats };
    const int32_t version[] = { major, minor, revision };
    assert_true(n_floats <= MOST_FLOATS);
    memcpy(file.bytes, version, 12);
    memcpy(file.bytes + 12, &seen, seen_bytes);
    for (size_t k = 0; k < n_floats; k++) {
        float x = (float)(k + 1);
        memcpy(file.bytes + 12 + seen_bytes + 4 * k, &x, 4);
    }
    return file;
}

/* In the dialect that the cfg, or a file of so many bytes, tells. */
static void build_any(struct prune_cfg *cfg, struct prune_graph *graph, const char *text, uint64_t bytes)
{
    assert_int_equal(read_cfg_text(cfg, text), PRUNE_OK);
    listen_stderr();
    int code = prune_graph_build_any(graph, cfg, bytes);
    heard_stderr();
    if (code) fail_msg("refused: %s", said);
}

static int read_weights(struct prune_weights *weights, const struct prune_graph *graph, const struct file *file, size_t n)
{
    char path[256];
    write_scratch(path, file->bytes, n);
    listen_stderr();
    int code = prune_weights_read(weights, graph, path);
    heard_stderr();
    unlink(path);
    return code;
}

static int check_weights(const struct prune_graph *graph, const struct file *file, size_t n, int partial)
{
    char path[256];
    write_scratch(path, file->bytes, n);
    listen_stderr();
    int code = prune_weights_check(graph, path, partial);
    heard_stderr();
    unlink(path);
    return code;
}

/* conv 2 filters of 3x1x1 with batch-norm: 2 biases, 6 batch-norm, 6 weights; pool; connected 8 -> 2: 2 biases, 16 weights */
#define SMALL NET(2, 2, 3) "[conv]\nfilters=2\nbatch_normalize=1\nactivation=linear\n[max]\n[connected]\noutput=2\nactivation=linear\n"
enum { SMALL_CONV = 14, SMALL_FLOATS = 32 };

static void floats_in_file_order(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights;
    build_good(&cfg, &graph, SMALL);
    struct file file = numbered(0, 2, 5, 6000000000, 8, SMALL_FLOATS);
    assert_int_equal(read_weights(&weights, &graph, &file, file.n), PRUNE_OK);
    assert_string_equal(said, "");
    assert_int_equal(weights.major, 0);
    assert_int_equal(weights.minor, 2);
    assert_int_equal(weights.revision, 5);
    assert_int_equal(weights.seen, 6000000000);
    assert_int_equal(weights.header_bytes, 20);
    assert_int_equal(weights.n_floats, SMALL_FLOATS);
    for (int k = 0; k < SMALL_FLOATS; k++) assert_true(weights.floats[k] == (float)(k + 1));
    assert_ptr_equal(weights.weights[0], weights.floats + 8);
    assert_null(weights.weights[1]);
    assert_ptr_equal(weights.weights[2], weights.floats + SMALL_CONV + 2);
    assert_int_equal(prune_weights_nonzero(&weights, &graph, 0), 6);
    weights.floats[0] = 0;      /* a bias: not counted */
    weights.floats[8] = 0;
    weights.floats[9] = -0.0F;
    assert_int_equal(prune_weights_nonzero(&weights, &graph, 0), 4);
    assert_int_equal(prune_weights_nonzero(&weights, &graph, 1), 0);
    assert_int_equal(prune_weights_nonzero(&weights, &graph, 2), 16);
    prune_weights_free(&weights);
    prune_weights_free(&weights);
    free_both(&cfg, &graph);
}

static void narrow_header(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights;
    build_good(&cfg, &graph, SMALL);
    const int32_t versions[][2] = { { 0, 1 }, { 0, 0 }, { 0, 1000 }, { 1000, 0 } };     /* none of them transposed */
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        struct file file = numbered(versions[i][0], versions[i][1], 0, 0xfffffff0, 4, SMALL_FLOATS);
        assert_int_equal(read_weights(&weights, &graph, &file, file.n), PRUNE_OK);
        assert_int_equal(weights.header_bytes, 16);
        assert_int_equal(weights.seen, 0xfffffff0);
        assert_true(weights.weights[2][1] == 18);
        prune_weights_free(&weights);
    }
    struct file wide = numbered(1, 0, 0, 77, 8, SMALL_FLOATS);      /* 1.0 is above 0.2 */
    assert_int_equal(read_weights(&weights, &graph, &wide, wide.n), PRUNE_OK);
    assert_int_equal(weights.seen, 77);
    prune_weights_free(&weights);
    free_both(&cfg, &graph);
}

static void transposed_files_are_turned(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights;
    build_good(&cfg, &graph, SMALL);
    struct file file = numbered(0, 1001, 0, 1, 4, SMALL_FLOATS);
    assert_int_equal(read_weights(&weights, &graph, &file, file.n), PRUNE_OK);
    assert_true(weights.weights[0][1] == 10);       /* convolutions are not */
    for (int out = 0; out < 2; out++)
        for (int in = 0; in < 8; in++) assert_true(weights.weights[2][out * 8 + in] == (float)(17 + in * 2 + out));
    prune_weights_free(&weights);
    free_both(&cfg, &graph);

    build_good(&cfg, &graph, "[net]\ninputs=2\n[rnn]\noutput=1\nactivation=tanh\n");
    file = numbered(2000, 0, 0, 1, 4, 7);
    assert_int_equal(read_weights(&weights, &graph, &file, file.n), PRUNE_OK);
    assert_null(weights.weights[0]);                /* not in one piece */
    assert_int_equal(prune_weights_nonzero(&weights, &graph, 0), 4);
    prune_weights_free(&weights);
    free_both(&cfg, &graph);

    build_good(&cfg, &graph, NET(1, 1, 3) "[conv]\nfilters=2\nflipped=1\n");
    file = numbered(0, 2, 0, 1, 8, 8);
    assert_int_equal(read_weights(&weights, &graph, &file, file.n), PRUNE_OK);
    for (int n = 0; n < 2; n++)
        for (int c = 0; c < 3; c++) assert_true(weights.weights[0][n * 3 + c] == (float)(3 + c * 2 + n));
    prune_weights_free(&weights);
    free_both(&cfg, &graph);
}

static void recurrent_weights_are_counted(void **state)
{
    (void)state;
    const struct { const char *text; size_t floats, weights; } nets[] = {
        { "[net]\ninputs=3\n[rnn]\noutput=2\nbatch_normalize=1\n", 3 * 8 + 6 + 4 + 4, 14 },
        { "[net]\ninputs=3\n[gru]\noutput=2\n", 6 * 2 + 3 * (6 + 4), 30 },
        { "[net]\ninputs=3\n[lstm]\noutput=2\nbatch_normalize=1\n", 8 * 8 + 4 * (6 + 4), 40 },
        { NET(2, 2, 1) "[crnn]\nhidden_filters=2\noutput_filters=3\nbatch_normalize=1\n", 4 * 7 + 9 * (2 + 4 + 6), 108 },
        /* AlexeyAB's */
        { "[net]\ninputs=3\n[rnn]\noutput=2\nhidden=4\nbatch_normalize=1\n", 4 * 10 + 4 * (3 + 4 + 2), 36 },
        { "[net]\ninputs=3\npolicy=sgdr\n[gru]\noutput=2\nbatch_normalize=1\n", 6 * 8 + 3 * (6 + 4), 30 },
        { NET(2, 2, 4) "[crnn]\nhidden=2\noutput=6\ngroups=2\nsize=1\nbatch_normalize=1\n", 4 * 10 + 2 * 2 + 2 * 1 + 6 * 1, 12 },
        { NET(2, 2, 4) "[conv_lstm]\noutput=2\ngroups=2\nsize=1\npeephole=1\nbatch_normalize=1\n", 11 * 8 + 2 * (3 + 4 + 4 * 2), 30 },
        { NET(2, 2, 2) "[conv_lstm]\noutput=2\nsize=1\nbottleneck=1\n", 5 * 2 + 2 * 4 + 4 * 4, 24 },
    };
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        struct prune_cfg cfg;
        struct prune_graph graph;
        struct prune_weights weights;
        build_any(&cfg, &graph, nets[i].text, 0);
        assert_int_equal(graph.nodes[0].n_floats, nets[i].floats);
        struct file file = numbered(0, 2, 0, 0, 8, nets[i].floats);
        assert_int_equal(read_weights(&weights, &graph, &file, file.n), PRUNE_OK);
        assert_int_equal(prune_weights_nonzero(&weights, &graph, 0), nets[i].weights);
        size_t zeros = 0;       /* every float in turn: it counts as a weight or it does not */
        for (size_t k = 0; k < nets[i].floats; k++) {
            float kept = weights.floats[k];
            weights.floats[k] = 0;
            zeros += nets[i].weights - prune_weights_nonzero(&weights, &graph, 0);
            weights.floats[k] = kept;
        }
        assert_int_equal(zeros, nets[i].weights);
        prune_weights_free(&weights);
        free_both(&cfg, &graph);
    }
}

static void every_wrong_length_is_refused(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights;
    build_good(&cfg, &graph, SMALL);
    struct file file = numbered(0, 2, 0, 0, 8, SMALL_FLOATS);
    for (size_t n = 0; n <= file.n + 8; n++) {
        int code = read_weights(&weights, &graph, &file, n);
        assert_int_equal(code, n == file.n ? PRUNE_OK : PRUNE_ERR_FORMAT);
        if (code) {
            assert_said(n < 20 ? "too short for the header" : n < file.n ? "too short for " : "too long for ");
            assert_null(weights.floats);
        }
        prune_weights_free(&weights);
        assert_int_equal(check_weights(&graph, &file, n, 0), code);
        int border = n == file.n || n == 20 + 4 * SMALL_CONV;
        assert_int_equal(check_weights(&graph, &file, n, 1), border ? PRUNE_OK : PRUNE_ERR_FORMAT);
    }
    assert_int_equal(check_weights(&graph, &file, 100, 0), PRUNE_ERR_FORMAT);
    assert_said("layer 2 [connected] ends at 148 bytes, the file has 100 of 148");
    assert_int_equal(check_weights(&graph, &file, 30, 0), PRUNE_ERR_FORMAT);
    assert_said("layer 0 [convolutional] ends at 76 bytes, the file has 30 of 148");
    assert_int_equal(check_weights(&graph, &file, 152, 0), PRUNE_ERR_FORMAT);
    assert_said("layer 2 [connected] ends it at 148 bytes, the file has 152");
    free_both(&cfg, &graph);
}

static void no_weight_file(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights;
    build_good(&cfg, &graph, SMALL);
    struct file file = numbered(-1, 2, 0, 0, 8, SMALL_FLOATS);
    assert_int_equal(read_weights(&weights, &graph, &file, file.n), PRUNE_ERR_FORMAT);
    assert_said("version -1.2: this is no weight file");
    file = numbered(INT32_MAX, INT32_MAX, 0, 0, 4, SMALL_FLOATS);   /* no overflow in major*10+minor */
    assert_int_equal(read_weights(&weights, &graph, &file, file.n), PRUNE_OK);
    prune_weights_free(&weights);

    const char *const paths[] = { "no/such.weights", "." };
    for (int i = 0; i < 2; i++) {
        listen_stderr();
        int code = prune_weights_read(&weights, &graph, paths[i]);
        heard_stderr();
        assert_int_equal(code, PRUNE_ERR_IO);
        assert_said(paths[i]);
    }
    free_both(&cfg, &graph);
}

static void keys_that_make_load_and_save_differ(void **state)
{
    (void)state;
    const struct { const char *keys, *part; } nets[] = {
        { "numload=1\n", ":8: layer 0 [conv]: with numload= Darknet" },
        { "batch_normalize=1\ndontloadscales=1\n", ":9: layer 0 [conv]: with dontloadscales= Darknet" },
        { "dontload=1\n", "with dontload= Darknet" },
        { "dontsave=1\n", "with dontsave= Darknet" },
        { "dontloadscales=1\nnumload=0\n", NULL },  /* no scales to load */
    };
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        struct prune_cfg cfg;
        struct prune_graph graph;
        struct prune_weights weights;
        char text[200];
        snprintf(text, sizeof text, "%s%s", NET(2, 2, 1) "[conv]\nfilters=2\nactivation=linear\n", nets[i].keys);
        build_good(&cfg, &graph, text);
        struct file file = numbered(0, 2, 0, 0, 8, 4);
        int code = read_weights(&weights, &graph, &file, file.n);
        assert_int_equal(code, nets[i].part ? PRUNE_ERR_UNSUPPORTED : PRUNE_OK);
        if (nets[i].part) assert_said(nets[i].part);
        prune_weights_free(&weights);
        free_both(&cfg, &graph);
    }
}

static void layers_that_are_never_saved(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights;
    build_good(&cfg, &graph, NET(2, 2, 1) "[conv]\nfilters=2\ndontsave=1\ndontload=1\n[conv]\nfilters=3\n");
    struct file file = numbered(0, 2, 0, 0, 8, 9);
    assert_int_equal(read_weights(&weights, &graph, &file, file.n), PRUNE_OK);
    assert_null(weights.weights[0]);
    assert_ptr_equal(weights.weights[1], weights.floats + 3);
    assert_int_equal(prune_weights_nonzero(&weights, &graph, 0), 2);
    prune_weights_free(&weights);
    free_both(&cfg, &graph);
}

static void networks_without_weights(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights;
    build_good(&cfg, &graph, "[net]\ninputs=4\n[softmax]\n");
    struct file file = numbered(0, 2, 0, 0, 8, 1);
    assert_int_equal(read_weights(&weights, &graph, &file, 20), PRUNE_OK);
    prune_weights_free(&weights);
    assert_int_equal(read_weights(&weights, &graph, &file, 24), PRUNE_ERR_FORMAT);
    assert_int_equal(check_weights(&graph, &file, 24, 1), PRUNE_ERR_FORMAT);
    free_both(&cfg, &graph);
}

/* Where in the file (-1: NULL) each of a layer's arrays must begin. */
struct places {
    long weights, biases, scales, means, variances;
};

static void assert_place(const struct prune_weights *weights, const float *array, long place, int layer, const char *what)
{
    if (place < 0 ? array != NULL : array != weights->floats + place)
        fail_msg("layer %d: %s at %ld, expected %ld", layer, what, array ? (long)(array - weights->floats) : -1L, place);
}

static void assert_params(const char *text, uint64_t bytes, const struct places *places, int n, size_t n_floats)
{
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights;
    struct prune_params params[8];
    build_any(&cfg, &graph, text, bytes);
    assert_int_equal(graph.n_nodes, n);
    struct file file = numbered(0, 2, 5, 0, 8, n_floats);
    int code = read_weights(&weights, &graph, &file, file.n);
    if (code) fail_msg("refused: %s", said);
    prune_weights_params(&weights, &graph, params);
    for (int i = 0; i < n; i++) {
        assert_place(&weights, params[i].weights, places[i].weights, i, "weights");
        assert_place(&weights, params[i].biases, places[i].biases, i, "biases");
        assert_place(&weights, params[i].scales, places[i].scales, i, "scales");
        assert_place(&weights, params[i].means, places[i].means, i, "means");
        assert_place(&weights, params[i].variances, places[i].variances, i, "variances");
        assert_ptr_equal(weights.weights[i], params[i].weights);
    }
    prune_weights_free(&weights);
    free_both(&cfg, &graph);
}

static void places_of_params(void **state)
{
    (void)state;
    assert_params(NET(1, 1, 3) "[conv]\nfilters=2\nbatch_normalize=1\n[batchnorm]\n[max]\n[conn]\noutput=2\n[conn]\noutput=2\nbatch_normalize=1\n[rnn]\noutput=1\n", 0,
                  (struct places[]){
                      { 8, 0, 2, 4, 6 },
                      { -1, -1, 14, 16, 18 },
                      { -1, -1, -1, -1, -1 },
                      { 22, 20, -1, -1, -1 },
                      { 28, 26, 32, 34, 36 },
                      { -1, -1, -1, -1, -1 },       /* 3 biases and 4 weights, not in one piece */
                  }, 6, 38 + 7);
    assert_params(NET(2, 2, 1) "[local]\nfilters=3\nsize=1\n[deconv]\nfilters=2\n[conv]\ndontsave=1\ndontload=1\n", 0,
                  (struct places[]){ { 12, 0, -1, -1, -1 }, { 26, 24, -1, -1, -1 }, { -1, -1, -1, -1, -1 } }, 3, 32);
    assert_params(NET(2, 2, 4) "[batchnorm]\n[conv]\nfilters=4\nbatch_normalize=1\n[conv]\nfilters=4\nbatch_normalize=1\nshare_index=-1\n[conv]\nfilters=4\nshare_index=2\n"
                  "[shortcut]\nfrom=-2\nweights_type=per_channel\nweights_normalization=relu\n[implicit]\nfilters=4\n[scale_channels]\nfrom=-2\n"
                  "[conv]\nfilters=1\ndontsave=1\nnumload=1\n", 0,
                  (struct places[]){
                      { -1, 0, 4, 8, 12 },
                      { 32, 16, 20, 24, 28 },
                      { 32, 16, 20, 24, 28 },
                      { 32, 16, -1, -1, -1 },
                      { 48, -1, -1, -1, -1 },
                      { 56, -1, -1, -1, -1 },
                      { -1, -1, -1, -1, -1 },
                      { 61, 60, -1, -1, -1 },       /* AlexeyAB's knows neither dontsave nor numload */
                  }, 8, 65);
    assert_params(NET(1, 1, 3) "[batchnorm]\n[conn]\noutput=2\n", 20 + 4 * 20, (struct places[]){ { -1, 0, 3, 6, 9 }, { 14, 12, -1, -1, -1 } }, 2, 20);
}

static void shared_weights_are_counted_once_in_the_file(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights;
    build_any(&cfg, &graph, NET(2, 2, 2) "[conv]\nfilters=2\n[conv]\nfilters=2\nshare_index=0\n[conv]\nfilters=1\n", 0);
    struct file file = numbered(0, 2, 5, 0, 8, 6 + 3);
    assert_int_equal(read_weights(&weights, &graph, &file, file.n), PRUNE_OK);
    weights.floats[2] = 0;
    assert_int_equal(prune_weights_nonzero(&weights, &graph, 0), 3);
    assert_int_equal(prune_weights_nonzero(&weights, &graph, 1), 3);
    assert_int_equal(prune_weights_nonzero(&weights, &graph, 2), 2);
    prune_weights_free(&weights);
    assert_int_equal(check_weights(&graph, &file, file.n - 4, 0), PRUNE_ERR_FORMAT);
    assert_said("layer 2 [convolutional] ends at 56 bytes");
    free_both(&cfg, &graph);
}

/* Floats 6 and 7 of a gru with 3 inputs and 2 outputs: pjreddie's first matrix is (2, 2) on the state and they are biases behind it, AlexeyAB's
 * is (2, 3) on the input and they are its last weights. */
static void order_of_a_gru(void **state)
{
    (void)state;
    const char *const nets[] = { "[net]\ninputs=3\n[gru]\noutput=2\n", "[net]\ninputs=3\npolicy=sgdr\n[gru]\noutput=2\n" };
    for (int i = 0; i < 2; i++) {
        struct prune_cfg cfg;
        struct prune_graph graph;
        struct prune_weights weights;
        build_any(&cfg, &graph, nets[i], 0);
        struct file file = numbered(0, 2, 0, 0, 8, 42);
        assert_int_equal(read_weights(&weights, &graph, &file, file.n), PRUNE_OK);
        weights.floats[6] = weights.floats[7] = 0;
        assert_int_equal(prune_weights_nonzero(&weights, &graph, 0), i ? 28 : 30);
        prune_weights_free(&weights);
        free_both(&cfg, &graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_in_file_order), cmocka_unit_test(narrow_header), cmocka_unit_test(transposed_files_are_turned),
        cmocka_unit_test(recurrent_weights_are_counted), cmocka_unit_test(every_wrong_length_is_refused), cmocka_unit_test(no_weight_file),
        cmocka_unit_test(keys_that_make_load_and_save_differ), cmocka_unit_test(layers_that_are_never_saved), cmocka_unit_test(networks_without_weights),
        cmocka_unit_test(places_of_params), cmocka_unit_test(shared_weights_are_counted_once_in_the_file), cmocka_unit_test(order_of_a_gru),
    };
    return cmocka_run_group_tests_name("weightfile", tests, NULL, NULL);
}
