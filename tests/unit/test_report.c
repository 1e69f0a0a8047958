/* test_report.c - the figures by hand, and the three forms they are written in */
#include "reading.h"
#include "report.h"

#include <cjson/cJSON.h>

/* A network with weights in memory: all 1, or 0 where `zero` says so. */
struct network {
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_weights weights;
};

static void make(struct network *network, const char *text, int (*zero)(size_t k))
{
    char path[256];
    const int32_t version[] = { 0, 2, 0 };
    const uint64_t seen = 0;
    build_good(&network->cfg, &network->graph, text);
    size_t n = 0;
    for (int i = 0; i < network->graph.n_nodes; i++) n += network->graph.nodes[i].n_floats;
    unsigned char *bytes = malloc(20 + 4 * n);
    assert_non_null(bytes);
    memcpy(bytes, version, 12);
    memcpy(bytes + 12, &seen, 8);
    for (size_t k = 0; k < n; k++) {
        float x = zero && zero(k) ? 0 : 1;
        memcpy(bytes + 20 + 4 * k, &x, 4);
    }
    write_scratch(path, bytes, 20 + 4 * n);
    free(bytes);
    assert_int_equal(prune_weights_read(&network->weights, &network->graph, path), PRUNE_OK);
    unlink(path);
}

static void release(struct network *network)
{
    prune_weights_free(&network->weights);
    free_both(&network->cfg, &network->graph);
}

static char *written(const struct network *network, int (*report)(FILE *, const struct prune_graph *, const struct prune_weights *))
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    assert_int_equal(report(out, &network->graph, &network->weights), PRUNE_OK);
    fclose(out);
    return text;
}

static int nine_of_ten(size_t k)
{
    return k % 10 != 0;
}

static int always(size_t k)
{
    (void)k;
    return 1;
}

static void figures_of_one_layer(void **state)
{
    (void)state;
    struct network network;
    make(&network, LENET_5, nine_of_ten);
    struct prune_cost cost = prune_report_layer(&network.graph, &network.weights, 0);
    assert_int_equal(cost.weights, 500);
    assert_int_equal(cost.biases, 20);
    assert_int_equal(cost.nonzero, 50);                     /* floats 20..519 of the file: 20, 30, .. 510 */
    assert_int_equal(cost.macs, 288000);                    /* 24 * 24 * 500 */
    assert_int_equal(cost.macs_nonzero, 28800);
    assert_int_equal(cost.bytes, 2080);
    assert_int_equal(cost.bytes_nonzero, 280);
    /* 288000 * (3.7 + 0.9 + 2 * 5) + 520 * 640 = 4,204,800 + 332,800;  28800 * 14.6 + 70 * 640 = 420,480 + 44,800 */
    assert_true(cost.energy_pj > 4537599.99 && cost.energy_pj < 4537600.01);
    assert_true(cost.energy_nonzero_pj > 465279.99 && cost.energy_nonzero_pj < 465280.01);

    cost = prune_report_layer(&network.graph, &network.weights, 1);
    assert_int_equal(cost.weights + cost.nonzero + cost.biases + cost.macs + cost.bytes, 0);
    assert_true(cost.energy_pj == 0);

    cost = prune_report_total(&network.graph, &network.weights);
    assert_int_equal(cost.weights, 430500);
    assert_int_equal(cost.biases, 580);
    assert_int_equal(cost.macs, 288000 + 1600000 + 400000 + 5000);
    assert_int_equal(cost.bytes, 4 * 431080);
    release(&network);
}

static void thousands(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(prune_report_thousands(0, text), "0");
    assert_string_equal(prune_report_thousands(999, text), "999");
    assert_string_equal(prune_report_thousands(1000, text), "1,000");
    assert_string_equal(prune_report_thousands(430500, text), "430,500");
    assert_string_equal(prune_report_thousands(UINT64_MAX, text), "18,446,744,073,709,551,615");
}

static void text_table(void **state)
{
    (void)state;
    struct network network;
    make(&network, LENET_5, nine_of_ten);
    char *text = written(&network, prune_report_text);
    assert_non_null(strstr(text, "   0 convolutional        24x24x20           500            50  90.00 %    288 k   28.8 k  2.08 kB    280 B  4.54 uJ  0.47 uJ\n"));
    assert_non_null(strstr(text, "   5 connected                  10         5,000           500  90.00 %   5.00 k      500  20.0 kB  2.04 kB"));
    assert_non_null(strstr(text, "\ntotal                                    430,500        43,050  90.00 %"));
    assert_non_null(strstr(text, "\n3 layers without weights are not shown.\n10.00 times fewer weights"));
    assert_null(strstr(text, "maxpool"));
    free(text);
    release(&network);

    make(&network, LENET_300_100, always);
    text = written(&network, prune_report_text);
    assert_non_null(strstr(text, " 100.00 %"));
    assert_null(strstr(text, "times fewer"));
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    free(text);
    release(&network);

    make(&network, "[net]\ninputs=4\n[softmax]\n", NULL);
    text = written(&network, prune_report_text);
    assert_non_null(strstr(text, "1 layer without weights is not shown."));
    assert_null(strstr(text, "nan"));
    free(text);
    release(&network);
}

static double number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static void json_object(void **state)
{
    (void)state;
    struct network network;
    make(&network, LENET_5, nine_of_ten);
    char *text = written(&network, prune_report_json);
    cJSON *report = cJSON_Parse(text);
    assert_non_null(report);
    assert_true(cJSON_IsString(cJSON_GetObjectItemCaseSensitive(report, "network")));
    const cJSON *layers = cJSON_GetObjectItemCaseSensitive(report, "layers");
    assert_int_equal(cJSON_GetArraySize(layers), 7);
    const cJSON *conv = cJSON_GetArrayItem(layers, 2), *softmax = cJSON_GetArrayItem(layers, 6);
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(conv, "kind")->valuestring, "convolutional");
    assert_true(number(conv, "layer") == 2 && number(conv, "weights") == 25000 && number(conv, "nonzero") == 2500 && number(conv, "macs") == 1600000);
    assert_true(number(conv, "inputs") == 2880 && number(conv, "outputs") == 3200);
    assert_int_equal(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(conv, "output_chw"), 0)->valueint, 50);
    assert_null(cJSON_GetObjectItemCaseSensitive(softmax, "output_chw"));
    const cJSON *total = cJSON_GetObjectItemCaseSensitive(report, "total");
    assert_true(number(total, "weights") == 430500 && number(total, "bytes") == 1724320 && number(total, "sparsity") > .8999 && number(total, "sparsity") < .9001);
    assert_non_null(strstr(text, "\"weights\":\t430500,"));
    cJSON_Delete(report);
    free(text);
    release(&network);

    make(&network, NET(6000, 6000, 1) "[conv]\nfilters=50\nsize=21\npad=1\n", NULL);    /* 793,800,000,000 MACs: no exponent, every digit */
    text = written(&network, prune_report_json);
    assert_non_null(strstr(text, "\"macs\":\t793800000000,"));
    free(text);
    release(&network);
}

static void svg_picture(void **state)
{
    (void)state;
    struct network network;
    make(&network, LENET_5, nine_of_ten);
    free(network.cfg.path);
    network.cfg.path = strdup("a<b>&\"c\xC3\xA9\xFF\x01.cfg");
    char *text = written(&network, prune_report_svg);
    assert_non_null(strstr(text, "a&lt;b&gt;&amp;&quot;c\xC3\xA9??.cfg</text>"));
    assert_non_null(strstr(text, "43,050 of 430,500 weights are not zero"));
    assert_non_null(strstr(text, "width=\"480.00\""));       /* layer 4, the largest */
    assert_non_null(strstr(text, "40,000 / 400,000 (90.0 % zeros)"));
    assert_non_null(strstr(text, "width=\"6.00\""));         /* 5000 / 400000 of 480 */
    assert_null(strstr(text, "maxpool"));
    size_t groups = 0;
    for (const char *at = text; (at = strstr(at, "<g>")); at++) groups++;
    assert_int_equal(groups, 4);
    free(text);
    release(&network);

    make(&network, "[net]\ninputs=4\n[softmax]\n", NULL);
    text = written(&network, prune_report_svg);
    assert_non_null(strstr(text, "0 of 0 weights"));
    assert_non_null(strstr(text, "</svg>\n"));
    free(text);
    release(&network);
}

static void names_are_cleaned(void **state)
{
    (void)state;
    const char *const pairs[][2] = {
        { "plain.cfg", "plain.cfg" }, { "\xE2\x82\xAC", "\xE2\x82\xAC" }, { "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80" }, { "a\nb\x7f", "a?b?" },
        { "\xC0\x80", "??" }, { "\xE0\x80\x80", "???" }, { "\xED\xA0\x80", "???" }, { "\xF4\x90\x80\x80", "????" }, { "\xE2\x82", "??" },
        { "\xEF\xBF\xBF", "???" }, { "\x80", "?" }, { "\xC2\x85", "??" }, { "", "" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *clean = prune_report_clean(pairs[i][0]);
        assert_string_equal(clean, pairs[i][1]);
        free(clean);
    }
}

static void full_disk(void **state)
{
    (void)state;
    struct network network;
    FILE *full = fopen("/dev/full", "w");
    if (!full) skip();
    make(&network, LENET_300_100, NULL);
    int (*const reports[])(FILE *, const struct prune_graph *, const struct prune_weights *) = { prune_report_text, prune_report_json, prune_report_svg };
    for (int i = 0; i < 3; i++) {
        listen_stderr();
        int code = reports[i](full, &network.graph, &network.weights);
        heard_stderr();
        assert_int_equal(code, PRUNE_ERR_IO);
        assert_said("the report cannot be written");
    }
    fclose(full);
    release(&network);
}

/* A row for each layer with weights, and a total of their sums. */
static void packed_table(void **state)
{
    (void)state;
    struct network network;
    make(&network, LENET_5, nine_of_ten);
    struct prune_packed_size *sizes;
    assert_int_equal(prune_report_sizes(&network.graph, &network.weights, &sizes), PRUNE_OK);
    char *text = written(&network, prune_report_packed_text), expected[80], number[27];
    uint64_t dense = 0, packed = 0;
    int rows = 0;
    for (int i = 0; i < network.graph.n_nodes; i++) {
        if (!network.graph.nodes[i].n_floats) continue;
        assert_int_equal(sizes[i].dense, 32 * network.graph.nodes[i].n_floats);
        assert_true(sizes[i].positions + sizes[i].values < sizes[i].packed);
        snprintf(expected, sizeof expected, "\n%4d %-16s %13s ", i, prune_kind_name(network.graph.nodes[i].kind), prune_report_thousands(sizes[i].dense / 8, number));
        if (!strstr(text, expected)) fail_msg("no row \"%s\" in\n%s", expected, text);
        dense += sizes[i].dense;
        packed += sizes[i].packed;
        rows++;
    }
    assert_int_equal(rows, 4);
    snprintf(expected, sizeof expected, "\ntotal, with header    %13s ", prune_report_thousands(dense / 8 + 20, number));
    assert_non_null(strstr(text, expected));
    snprintf(expected, sizeof expected, " %13s ", prune_report_thousands(packed / 8 + 64, number));
    assert_non_null(strstr(strstr(text, "\ntotal"), expected));
    free(text);
    text = written(&network, prune_report_json);
    cJSON *report = cJSON_Parse(text), *layer = cJSON_GetArrayItem(cJSON_GetObjectItem(report, "layers"), 0);
    assert_int_equal(cJSON_GetObjectItem(layer, "packed_bytes")->valuedouble, sizes[0].packed / 8);
    assert_true(cJSON_GetObjectItem(layer, "positions_limit_bytes")->valuedouble == sizes[0].positions_limit / 8);
    cJSON_Delete(report);
    free(text);
    free(sizes);
    release(&network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_of_one_layer), cmocka_unit_test(thousands), cmocka_unit_test(text_table), cmocka_unit_test(packed_table), cmocka_unit_test(json_object),
        cmocka_unit_test(svg_picture), cmocka_unit_test(names_are_cleaned), cmocka_unit_test(full_disk),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
