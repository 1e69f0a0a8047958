/* test_channels.c - coupled groups and pins of small nets, by hand; what is left of weights and MACs */
#include "reading.h"

static struct prune_cfg cfg;
static struct prune_graph graph;
static struct prune_channels channels;

#define CONV(n) "[convolutional]\nfilters=" #n "\nsize=3\npad=1\nactivation=leaky\n"
#define POINT(n) "[convolutional]\nfilters=" #n "\nsize=1\nactivation=leaky\n"
#define TAIL "[avgpool]\n[connected]\noutput=4\nactivation=linear\n[softmax]\n"

static void build(const char *text, enum prune_dialect dialect)
{
    assert_int_equal(read_cfg_text(&cfg, text), PRUNE_OK);
    listen_stderr();
    int code = prune_graph_build(&graph, &cfg, dialect);
    if (!code) code = prune_channels_build(&channels, &graph);
    heard_stderr();
    if (code) fail_msg("refused: %s", said);
    assert_string_equal(said, "");
}

static void done(void)
{
    prune_channels_free(&channels);
    free_both(&cfg, &graph);
}

static int group(int layer, int channel)
{
    assert_in_range(channel, 0, channels.n_channels[layer] - 1);
    return channels.group[layer][channel];
}

static void assert_coupled(int a_layer, int a, int b_layer, int b)
{
    if (group(a_layer, a) != group(b_layer, b)) fail_msg("channel %d of layer %d and channel %d of layer %d are not coupled", a, a_layer, b, b_layer);
}

static void assert_apart(int a_layer, int a, int b_layer, int b)
{
    if (group(a_layer, a) == group(b_layer, b)) fail_msg("channel %d of layer %d and channel %d of layer %d are coupled", a, a_layer, b, b_layer);
}

static void assert_pin(int layer, int channel, enum prune_pin pin, int by)
{
    const struct prune_group *g = &channels.groups[group(layer, channel)];
    if (g->pin != pin || (pin != PRUNE_FREE && g->pin_layer != by))
        fail_msg("channel %d of layer %d: pin %d by layer %d, expected %d by %d", channel, layer, (int)g->pin, g->pin_layer, (int)pin, by);
}

static void assert_free(int layer, int channel)
{
    assert_pin(layer, channel, PRUNE_FREE, 0);
}

static void lenet_5(void **state)
{
    (void)state;
    build(LENET_5, PRUNE_THIS_DARKNET);
    assert_free(0, 0);
    assert_apart(0, 0, 0, 1);
    assert_coupled(0, 7, 1, 7);                 /* pooling passes on */
    assert_free(4, 499);
    assert_pin(5, 0, PRUNE_PIN_HEAD, 6);
    assert_int_equal(channels.groups[channels.input[0]].pin, PRUNE_PIN_INPUT);
    const struct prune_family *family = &channels.families[channels.groups[group(2, 0)].family];
    assert_int_equal(family->n_groups, 50);
    assert_int_equal(family->first_layer, 2);
    assert_int_equal(family->per_layer, 1);
    assert_false(family->pinned);
    done();
}

static void shortcuts_join_the_same_channels(void **state)
{
    (void)state;
    build(NET(8, 8, 3) CONV(4) CONV(6) CONV(4) "[shortcut]\nfrom=-3\nactivation=linear\n" CONV(5) TAIL, PRUNE_THIS_DARKNET);
    for (int i = 0; i < 4; i++) {
        assert_coupled(0, i, 2, i);
        assert_coupled(3, i, 2, i);
        assert_free(3, i);
    }
    assert_apart(0, 0, 2, 1);
    assert_int_equal(channels.groups[group(0, 1)].n_members, 2);
    done();
}

static void truncating_shortcuts_join_the_prefix(void **state)
{
    (void)state;
    build(NET(8, 8, 3) CONV(6) CONV(4) "[shortcut]\nfrom=-2\nactivation=linear\n" CONV(8) "[shortcut]\nfrom=-2\nactivation=linear\n" TAIL, PRUNE_THIS_DARKNET);
    for (int i = 0; i < 4; i++) {
        assert_coupled(0, i, 1, i);             /* 6 onto 4 */
        assert_coupled(3, i, 2, i);             /* 4 onto 8, chained */
        assert_coupled(3, i, 0, i);
    }
    assert_int_equal(channels.groups[group(0, 5)].n_members, 1);
    assert_int_equal(channels.groups[group(3, 7)].n_members, 1);
    assert_apart(0, 5, 3, 5);
    assert_free(3, 7);
    done();
}

static void groups_lose_the_same_places(void **state)
{
    (void)state;
    build(NET(8, 8, 3) CONV(8) "[convolutional]\nfilters=12\nsize=3\npad=1\ngroups=4\nactivation=relu\n" TAIL, PRUNE_THIS_DARKNET);
    for (int k = 1; k < 4; k++) {
        assert_coupled(0, 0, 0, 2 * k);
        assert_coupled(0, 1, 0, 2 * k + 1);
        assert_coupled(1, 2, 1, 3 * k + 2);
    }
    assert_apart(0, 0, 0, 1);
    assert_apart(0, 0, 1, 0);
    assert_int_equal(channels.families[channels.groups[group(1, 0)].family].per_layer, 4);
    done();
}

static void depthwise_follows_its_input(void **state)
{
    (void)state;
    build(NET(8, 8, 3) CONV(6) "[convolutional]\nfilters=12\nsize=3\npad=1\ngroups=6\nactivation=relu\n" TAIL, PRUNE_THIS_DARKNET);
    for (int j = 0; j < 12; j++) assert_coupled(1, j, 0, j / 2);
    assert_apart(0, 0, 0, 1);
    assert_int_equal(channels.groups[group(0, 3)].n_members, 3);
    done();
}

static void routes_pass_on(void **state)
{
    (void)state;
    build(NET(8, 8, 3) CONV(4) CONV(3) CONV(5) CONV(2) "[route]\nlayers=-1,0,-3,2\n" CONV(4) TAIL, PRUNE_THIS_DARKNET);
    assert_int_equal(channels.n_channels[4], 14);
    assert_coupled(4, 0, 3, 0);
    assert_coupled(4, 2, 0, 0);
    assert_coupled(4, 6, 1, 0);
    assert_coupled(4, 13, 2, 4);
    assert_free(4, 13);
    done();
}

static void route_slices_go_together(void **state)
{
    (void)state;
    build(NET(8, 8, 3) CONV(8) "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n" CONV(4) "[route]\nlayers=-1,-3\n" TAIL, PRUNE_ALEXEYAB);
    assert_int_equal(channels.n_channels[1], 4);
    for (int i = 0; i < 4; i++) {
        assert_coupled(1, i, 0, 4 + i);
        assert_coupled(0, i, 0, 4 + i);
    }
    assert_apart(0, 0, 0, 1);
    done();
}

static void reorg_goes_by_blocks(void **state)
{
    (void)state;
    build(NET(8, 8, 3) CONV(8) "[reorg]\nstride=2\n" CONV(4) TAIL, PRUNE_THIS_DARKNET);
    for (int i = 0; i < 8; i++) assert_coupled(0, i, 0, i / 4 * 4);
    assert_apart(0, 0, 0, 4);
    for (int q = 0; q < 32; q++) assert_coupled(1, q, 0, q / 4 % 2 * 4);
    done();
    build(NET(8, 8, 3) CONV(8) "[reorg]\nstride=2\nreverse=1\n" CONV(4) TAIL, PRUNE_THIS_DARKNET);
    for (int i = 0; i < 8; i++) assert_coupled(0, i, 1, i % 2);
    assert_apart(1, 0, 1, 1);
    done();
    build(NET(8, 8, 3) CONV(8) "[reorg3d]\nstride=2\n" CONV(4) TAIL, PRUNE_ALEXEYAB);
    for (int q = 0; q < 32; q++) assert_coupled(1, q, 0, q % 8);
    assert_apart(0, 0, 0, 1);
    done();
}

static void gates_go_with_what_they_scale(void **state)
{
    (void)state;
    build(NET(8, 8, 3) CONV(6) "[avgpool]\n" POINT(2) "[convolutional]\nfilters=6\nsize=1\nactivation=logistic\n[scale_channels]\nfrom=0\n" CONV(3) TAIL, PRUNE_ALEXEYAB);
    for (int i = 0; i < 6; i++) assert_coupled(0, i, 3, i);
    assert_free(0, 0);                          /* 0 * 0.5 is 0: the gate's constant does no harm */
    assert_free(2, 1);
    done();
    build(NET(8, 8, 3) CONV(6) POINT(6) "[sam]\nfrom=0\n" TAIL, PRUNE_ALEXEYAB);
    for (int i = 0; i < 6; i++) assert_coupled(0, i, 1, i);
    done();
}

static void shared_weights_go_together(void **state)
{
    (void)state;
    build(NET(8, 8, 3) CONV(4) "[convolutional]\nfilters=4\nsize=3\npad=1\nactivation=leaky\n[convolutional]\nfilters=4\nsize=3\npad=1\nactivation=leaky\nshare_index=1\n" TAIL, PRUNE_ALEXEYAB);
    for (int i = 0; i < 4; i++) {
        assert_coupled(0, i, 1, i);             /* both read the same columns */
        assert_coupled(1, i, 2, i);
    }
    assert_free(0, 0);
    done();
}

static void pins_have_reasons(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum prune_dialect dialect;
        int layer;
        enum prune_pin pin;
        int by;
        const char *says;
    } cases[] = {
        { NET(8, 8, 3) CONV(4) "[normalization]\n" TAIL, PRUNE_THIS_DARKNET, 0, PRUNE_PIN_NEIGHBOURS, 1, "layer 1 [normalization] mixes neighbouring channels" },
        { NET(8, 8, 3) CONV(4) "[l2norm]\n" TAIL, PRUNE_THIS_DARKNET, 0, PRUNE_PIN_NEIGHBOURS, 1, "layer 1 [l2norm]" },
        { NET(8, 8, 3) CONV(4) "[crnn]\nhidden_filters=3\noutput_filters=5\n" TAIL, PRUNE_THIS_DARKNET, 0, PRUNE_PIN_RECURRENT, 1, "layer 1 [crnn] is recurrent" },
        { NET(8, 8, 3) CONV(4) "[crnn]\nhidden_filters=3\noutput_filters=5\n" TAIL, PRUNE_THIS_DARKNET, 1, PRUNE_PIN_RECURRENT, 1, "layer 1 [crnn] is recurrent" },
        { NET(8, 8, 3) CONV(32) "[convolutional]\nfilters=32\nsize=3\npad=1\nxnor=1\nactivation=leaky\n" TAIL, PRUNE_THIS_DARKNET, 0, PRUNE_PIN_BINARY, 1, "a zero is no zero" },
        { NET(8, 8, 3) CONV(4) "[convolutional]\nfilters=4\nsize=1\nactivation=leaky\nprune=0\n" TAIL, PRUNE_THIS_DARKNET, 1, PRUNE_PIN_EXEMPT, 1, "layer 1 [convolutional] has prune=0" },
        { NET(8, 8, 3) CONV(4) "[convolutional]\nfilters=4\nsize=1\nactivation=leaky\ndontsave=1\ndontload=1\n" TAIL, PRUNE_THIS_DARKNET, 0, PRUNE_PIN_UNSAVED, 1, "does not save" },
        { NET(8, 8, 3) CONV(4) CONV(24) "[yolo]\nclasses=3\nnum=3\nmask=0,1,2\nanchors=1,1,2,2,3,3\n", PRUNE_THIS_DARKNET, 1, PRUNE_PIN_HEAD, 2, "layer 2 [yolo] fixes their number" },
        { NET(8, 8, 3) CONV(4) CONV(24) "[yolo]\nclasses=3\nnum=3\nmask=0,1,2\nanchors=1,1,2,2,3,3\nembedding_layer=0\n", PRUNE_ALEXEYAB, 0, PRUNE_PIN_HEAD, 2, "layer 2 [yolo] fixes their number" },
        { NET(8, 8, 3) CONV(4) CONV(5), PRUNE_THIS_DARKNET, 1, PRUNE_PIN_OUTPUT, 1, "layer 1 [convolutional] is the network's output" },
        { NET(8, 8, 3) CONV(8) "[reorg3d]\nstride=2\nreverse=1\n" CONV(4) TAIL, PRUNE_ALEXEYAB, 0, PRUNE_PIN_SPATIAL, 1, "layer 1 [reorg3d] moves" },
        { NET(8, 8, 3) CONV(4) "[convolutional]\nfilters=4\nsize=1\nactivation=normalize_channels\n" TAIL, PRUNE_ALEXEYAB, 1, PRUNE_PIN_NEIGHBOURS, 1, "layer 1 [convolutional] mixes" },
        { NET(8, 8, 3) CONV(4) "[made_up]\n", PRUNE_ALEXEYAB, 0, PRUNE_PIN_UNKNOWN, 1, "layer 1 [made_up] is of an unknown kind" },
        { NET(8, 8, 3) "[convolutional]\nfilters=4\nsize=1\nactivation=logistic\n" CONV(4) TAIL, PRUNE_THIS_DARKNET, 0, PRUNE_PIN_CONSTANT, 1, "layer 1 [convolutional] would see another constant" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        build(cases[i].text, cases[i].dialect);
        assert_pin(cases[i].layer, 0, cases[i].pin, cases[i].by);
        prune_pin_text(&channels, &channels.groups[group(cases[i].layer, 0)], text, sizeof text);
        if (!strstr(text, cases[i].says)) fail_msg("case %zu: \"%s\" lacks \"%s\"", i, text, cases[i].says);
        done();
    }
}

static void constants_are_taken_where_that_is_exact(void **state)
{
    (void)state;
    build(NET(8, 8, 3) "[convolutional]\nfilters=4\nsize=1\nactivation=logistic\n" POINT(4) TAIL, PRUNE_THIS_DARKNET);
    assert_free(0, 0);                          /* a 1x1 convolution sees 0.5 everywhere */
    done();
    build(NET(8, 8, 3) "[convolutional]\nfilters=4\nsize=1\nactivation=logistic\n[connected]\noutput=3\nactivation=linear\n[softmax]\n", PRUNE_THIS_DARKNET);
    assert_free(0, 0);
    done();
    build(NET(8, 8, 3) CONV(4) "[activation]\nactivation=plse\n[maxpool]\nsize=2\nstride=2\n" CONV(4) TAIL, PRUNE_THIS_DARKNET);
    assert_pin(0, 0, PRUNE_PIN_CONSTANT, 3);    /* through pooling */
    done();
}

static void sizes_are_what_is_left(void **state)
{
    (void)state;
    build(NET(8, 8, 3) CONV(8) "[convolutional]\nbatch_normalize=1\nfilters=12\nsize=3\npad=1\ngroups=4\nactivation=relu\n[connected]\noutput=4\nactivation=linear\n[softmax]\n", PRUNE_THIS_DARKNET);
    uint8_t *removed = calloc((size_t)channels.n_groups, 1);
    int kept[4];
    struct prune_size size;
    prune_channels_size(&channels, removed, &size, kept);
    assert_int_equal(size.weights, 8 * 27 + 12 * 2 * 9 + 4 * 12 * 64);
    assert_int_equal(size.floats, size.weights + 8 + 4 * 12 + 4);
    assert_int_equal(size.macs, 64 * (8 * 27 + 12 * 2 * 9) + 4 * 12 * 64);
    assert_int_equal(size.channels, 8 + 12);    /* the four outputs are pinned */
    removed[group(0, 1)] = 1;                   /* one of two places in each of the 4 groups of inputs */
    removed[group(1, 0)] = 1;                   /* one of three in each of the 4 groups of outputs */
    prune_channels_size(&channels, removed, &size, kept);
    assert_int_equal(kept[0], 4);
    assert_int_equal(kept[1], 8);
    assert_int_equal(kept[2], 4);
    assert_int_equal(size.weights, 4 * 27 + 8 * 1 * 9 + 4 * 8 * 64);
    assert_int_equal(size.floats, size.weights + 4 + 4 * 8 + 4);
    assert_int_equal(size.macs, 64 * (4 * 27 + 8 * 1 * 9) + 4 * 8 * 64);
    assert_int_equal(size.channels, 4 + 8);
    free(removed);
    done();
}

/* 8 of 16 channels read by the layer that is added, 4 of its own; the sum is 16 wide, 8 when half of it goes. */
#define TRAP(sum) NET(8, 8, 3) CONV(16) CONV(4) CONV(sum) "[shortcut]\nfrom=-2\nactivation=linear\n" TAIL

static void no_shortcut_becomes_a_trap(void **state)
{
    (void)state;
    build(TRAP(24), PRUNE_ALEXEYAB);
    uint8_t *removed = calloc((size_t)channels.n_groups, 1);
    assert_int_equal(prune_trap_avoid(&channels, removed), 0);
    for (int i = 0; i < 8; i++) removed[group(0, i)] = removed[group(2, 4 + i)] = 1;    /* the input keeps 8, the sum 16 */
    assert_int_equal(prune_trap_avoid(&channels, removed), 0);
    for (int i = 8; i < 16; i++) removed[group(2, 4 + i)] = 1;                          /* both keep 8: layer 1, with 4, would be read to 8 */
    assert_int_equal(prune_trap_avoid(&channels, removed), 1);
    int kept[7];
    struct prune_size size;
    prune_channels_size(&channels, removed, &size, kept);
    assert_int_equal(kept[0], 8);
    assert_int_equal(kept[1], 4);
    assert_int_equal(kept[3], 9);               /* one channel came back */
    assert_int_equal(prune_trap_avoid(&channels, removed), 0);
    free(removed);
    done();
    build(TRAP(16), PRUNE_ALEXEYAB);            /* was one before: not made worse, and left alone */
    removed = calloc((size_t)channels.n_groups, 1);
    assert_int_equal(prune_trap_avoid(&channels, removed), 0);
    free(removed);
    done();
}

static void layer_limits_reach_the_family(void **state)
{
    (void)state;
    build(NET(8, 8, 3) CONV(4) "[convolutional]\nfilters=4\nsize=1\nactivation=leaky\nprune_sparsity=.25\n[shortcut]\nfrom=-2\nactivation=linear\n" CONV(4) TAIL, PRUNE_THIS_DARKNET);
    assert_float_equal(channels.families[channels.groups[group(0, 0)].family].limit, 0.25, 1e-6);
    assert_true(channels.families[channels.groups[group(3, 0)].family].limit < 0);
    done();
}

static void table_of_families(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes = 0;
    build(NET(8, 8, 3) CONV(4) CONV(4) "[shortcut]\nfrom=-2\nactivation=linear\n" TAIL, PRUNE_THIS_DARKNET);
    FILE *out = open_memstream(&text, &bytes);
    assert_int_equal(prune_channels_print(out, &channels), PRUNE_OK);
    fclose(out);
    if (!strstr(text, "       4              2  yes     0 1\n")) fail_msg("no line for the coupled layers in:\n%s", text);
    if (!strstr(text, "  no      4: layer 5 [softmax] fixes their number\n")) fail_msg("no line for the pinned layer in:\n%s", text);
    free(text);
    done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lenet_5),
        cmocka_unit_test(shortcuts_join_the_same_channels),
        cmocka_unit_test(truncating_shortcuts_join_the_prefix),
        cmocka_unit_test(groups_lose_the_same_places),
        cmocka_unit_test(depthwise_follows_its_input),
        cmocka_unit_test(routes_pass_on),
        cmocka_unit_test(route_slices_go_together),
        cmocka_unit_test(reorg_goes_by_blocks),
        cmocka_unit_test(gates_go_with_what_they_scale),
        cmocka_unit_test(shared_weights_go_together),
        cmocka_unit_test(pins_have_reasons),
        cmocka_unit_test(constants_are_taken_where_that_is_exact),
        cmocka_unit_test(sizes_are_what_is_left),
        cmocka_unit_test(no_shortcut_becomes_a_trap),
        cmocka_unit_test(layer_limits_reach_the_family),
        cmocka_unit_test(table_of_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
