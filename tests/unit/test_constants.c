/* test_constants.c - channels that fall silent, channels that nothing needs, and constants that get into the biases of what reads them */
#include "small_network.h"

#include <math.h>

/* The network's outputs, and so the last layer's channels, are pinned. */
static void kill_dead(struct network *net)
{
    listen_stderr();
    int code = prune_dead(&net->channels, net->params, net->removed, &net->folding);
    heard_stderr();
    assert_int_equal(code, PRUNE_OK);
    assert_string_equal(said, "");
}

static void fold(struct network *net)
{
    assert_int_equal(prune_fold(&net->channels, net->params, net->removed, &net->folding), PRUNE_OK);
}

/* --------------------------------------------------------------------------------------------------------- silence -- */

static void silence_makes_members_zero_and_nothing_else(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(4, 4, 2) "[conv]\nfilters=3\nsize=3\nactivation=relu\nbatch_normalize=1\n[batchnorm]\n[deconv]\nfilters=2\nsize=2\nactivation=relu\n"
                 "[local]\nfilters=2\nsize=2\nactivation=relu\n[connected]\noutput=3\nactivation=relu\n[connected]\noutput=2\nactivation=linear\n", PRUNE_THIS_DARKNET);
    for (size_t k = 0; k < net.weights.n_floats; k++) net.weights.floats[k] = 7;
    remove_channel(&net, 0, 1);
    remove_channel(&net, 2, 0);
    remove_channel(&net, 3, 1);
    remove_channel(&net, 4, 2);
    prune_silence(&net.channels, net.params, net.removed);
    const struct prune_params *p = net.params;
    for (size_t k = 0; k < 3 * 18; k++) assert_true(p[0].weights[k] == (k / 18 == 1 ? 0 : 7));
    for (int layer = 0; layer < 2; layer++)
        for (int k = 0; k < 3; k++) {
            assert_true(p[layer].scales[k] == (k == 1 ? 0 : 7));
            assert_true(p[layer].means[k] == (k == 1 ? 0 : 7));
            assert_true(p[layer].variances[k] == (k == 1 ? 1 : 7));
        }
    assert_true(p[0].biases[1] == 0 && p[0].biases[0] == 7 && p[0].biases[2] == 7);
    for (size_t k = 0; k < 3 * 2 * 4; k++) assert_true(p[2].weights[k] == (k / 4 % 2 == 0 ? 0 : 7));        /* (c, filters, 2, 2) */
    size_t places = net.graph.nodes[3].outputs / 2;
    for (size_t k = 0; k < places * 2 * 8; k++) assert_true(p[3].weights[k] == (k / 8 % 2 == 1 ? 0 : 7));   /* (place, filters, c, 2, 2) */
    for (size_t k = 0; k < 2 * places; k++) assert_true(p[3].biases[k] == (k / places == 1 ? 0 : 7));
    for (size_t k = 0; k < 3 * 2 * places; k++) assert_true(p[4].weights[k] == (k / (2 * places) == 2 ? 0 : 7));
    for (size_t k = 0; k < 2 * 3; k++) assert_true(p[5].weights[k] == 7);
    network_free(&net);

    network_make(&net, NET(2, 2, 1) CONV(2, "") CONV(2, "") "[shortcut]\nfrom=0\nactivation=linear\nweights_type=per_channel\n" CONV(1, ""), PRUNE_ALEXEYAB);
    remove_channel(&net, 2, 1);
    prune_silence(&net.channels, net.params, net.removed);
    const float expected[] = { 1, 0, 1, 0 };
    assert_memory_equal(net.params[2].weights, expected, sizeof expected);
    network_free(&net);
}

/* ---------------------------------------------------------------------------------------------------- nothing reads it -- */

static void channels_that_nothing_reads_go_with_all_that_makes_them(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 2, 1) CONV(4, "") "[maxpool]\nsize=2\nstride=2\n" CONV(3, "") "[upsample]\n" CONV(2, ""), PRUNE_THIS_DARKNET);
    set_column(&net, 4, 1, 0);
    set_weights(&net, 2, 0, 2, 0);              /* channel 2 of layer 0 is now only read by what goes */
    set_weights(&net, 2, 2, 2, 0);
    net.params[2].biases[1] = 5;
    kill_dead(&net);
    assert_removed(&net, 0, "0010");
    assert_removed(&net, 2, "010");
    assert_removed(&net, 4, "00");
    assert_folding(&net, 0, 0, 0, 0);
    assert_true(net.params[2].biases[1] == 0 && net.params[4].biases[0] == 0);
    network_free(&net);
}

static void a_cycle_that_nothing_else_reads_goes(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 2, 1) CONV(2, "") CONV(2, "") CONV(2, "") "[shortcut]\nfrom=0\nactivation=linear\n" CONV(2, "") CONV(2, "") "[shortcut]\nfrom=3\nactivation=linear\n"
                 CONV(1, ""), PRUNE_THIS_DARKNET);
    for (int layer = 1; layer < 6; layer++) {   /* each channel depends on its namesakes alone */
        if (net.graph.nodes[layer].kind != PRUNE_CONVOLUTIONAL) continue;
        set_weights(&net, layer, 0, 1, 0);
        set_weights(&net, layer, 1, 0, 0);
    }
    set_column(&net, 7, 1, 0);
    kill_dead(&net);
    for (int layer = 0; layer < 7; layer++) assert_removed(&net, layer, "01");
    network_free(&net);
}

static void what_is_pinned_stays(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 2, 2) CONV(2, "") "[softmax]\n", PRUNE_THIS_DARKNET);
    set_row(&net, 0, 1, 0);
    set_column(&net, 0, 0, 0);
    kill_dead(&net);
    assert_removed(&net, 0, "00");
    assert_folding(&net, 0, 0, 0, 0);
    network_free(&net);
}

static void the_last_of_a_family_stays_for_the_shape(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 2, 1) CONV(3, "") CONV(3, "") CONV(1, ""), PRUNE_THIS_DARKNET);
    for (int column = 0; column < 3; column++) set_column(&net, 2, column, 0);
    net.params[1].biases[2] = 3;
    kill_dead(&net);
    assert_removed(&net, 0, "110");
    assert_removed(&net, 1, "110");
    for (int k = 0; k < 9; k++) assert_true(net.params[1].weights[k] == 0);
    assert_true(net.params[1].biases[2] == 0);
    network_free(&net);
}

static void a_depthwise_filter_does_not_keep_its_channel(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(4, 4, 1) CONV(3, "") "[conv]\nfilters=3\nsize=3\npad=1\ngroups=3\nactivation=linear\n" CONV(1, ""), PRUNE_THIS_DARKNET);
    set_column(&net, 2, 1, 0);
    kill_dead(&net);
    assert_removed(&net, 0, "010");
    assert_removed(&net, 1, "010");
    network_free(&net);
}

static void a_scale_of_zero_reads_nothing(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 2, 1) CONV(2, "") CONV(2, "batch_normalize=1\n") CONV(1, ""), PRUNE_THIS_DARKNET);
    set_weights(&net, 1, 0, 1, 0);              /* channel 1 of layer 0 is read by row 1 alone */
    net.params[1].scales[1] = 0;
    net.params[1].biases[1] = 2;
    net.params[2].weights[1] = 3;
    kill_dead(&net);
    assert_removed(&net, 0, "01");
    assert_removed(&net, 1, "01");
    assert_folding(&net, 1, 1, 0, 0);
    assert_near((double)net.params[2].biases[0], 6);
    network_free(&net);
}

/* ------------------------------------------------------------------------------------------------------- constants -- */

static void zeros_go_whatever_reads_them(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(4, 4, 1) "[conv]\nfilters=2\nsize=1\nactivation=leaky\n[conv]\nfilters=2\nsize=3\npad=1\nactivation=linear\n", PRUNE_THIS_DARKNET);
    set_row(&net, 0, 0, 0);
    kill_dead(&net);
    assert_removed(&net, 0, "10");
    assert_folding(&net, 0, 0, 0, 0);
    network_free(&net);
}

static void constants_get_into_biases_or_means(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(4, 4, 1) "[conv]\nfilters=2\nsize=1\nactivation=leaky\n[conv]\nfilters=2\nsize=2\nactivation=linear\n[route]\nlayers=0\n"
                 CONV(1, "batch_normalize=1\n") "[route]\nlayers=0\n[connected]\noutput=2\nactivation=linear\n", PRUNE_THIS_DARKNET);
    set_row(&net, 0, 1, 0);
    net.params[0].biases[1] = -5;               /* leaky: -0.5 */
    set_weights(&net, 1, 0, 1, 2);
    set_weights(&net, 5, 1, 1, 3);
    kill_dead(&net);
    assert_removed(&net, 0, "01");
    assert_folding(&net, 3, 3, 0, 0);
    assert_near((double)net.params[1].biases[0], -.5 * 2 * 4);
    assert_near((double)net.params[1].biases[1], -.5 * 4);
    assert_near((double)net.params[3].means[0], .5);
    assert_near((double)net.params[3].biases[0], 0);
    assert_near((double)net.params[5].biases[0], -.5 * 16);
    assert_near((double)net.params[5].biases[1], -.5 * 3 * 16);
    assert_true(net.params[0].biases[1] == 0 && net.params[3].weights[1] == 0 && net.params[5].weights[31] == 0);
    kill_dead(&net);                            /* and that is all */
    assert_folding(&net, 3, 3, 0, 0);
    network_free(&net);
}

static void a_padded_reader_keeps_a_constant_unless_its_taps_stay_inside(void **state)
{
    (void)state;
    struct network net;
    const char *const text = NET(4, 4, 1) "[conv]\nfilters=2\nsize=1\nactivation=relu\n[conv]\nfilters=2\nsize=3\npad=1\nactivation=linear\n";
    network_make(&net, text, PRUNE_THIS_DARKNET);
    set_row(&net, 0, 0, 0);
    net.params[0].biases[0] = 2;
    kill_dead(&net);
    assert_removed(&net, 0, "00");
    assert_near((double)net.params[0].biases[0], 2);
    for (int row = 0; row < 2; row++) {
        set_weights(&net, 1, row, 0, 0);
        net.params[1].weights[row * 18 + 4] = 3;
    }
    kill_dead(&net);
    assert_removed(&net, 0, "10");
    assert_near((double)net.params[1].biases[1], 6);
    network_free(&net);

    network_make(&net, NET(1, 1, 1) "[conv]\nfilters=2\nsize=1\nactivation=relu\n[conv]\nfilters=1\nsize=3\npad=1\nactivation=linear\n", PRUNE_THIS_DARKNET);
    set_row(&net, 0, 0, 0);                     /* only the middle tap ever sees the one pixel */
    net.params[0].biases[0] = 2;
    kill_dead(&net);
    assert_removed(&net, 0, "10");
    assert_near((double)net.params[1].biases[0], 2);
    network_free(&net);

    network_make(&net, NET(2, 2, 1) "[conv]\nfilters=2\nsize=1\nactivation=relu\n[conv]\nfilters=1\nsize=3\npad=1\nactivation=linear\ndilation=2\n", PRUNE_ALEXEYAB);
    set_row(&net, 0, 0, 0);                     /* two pixels away from each of the two there is none */
    net.params[0].biases[0] = 2;
    kill_dead(&net);
    assert_removed(&net, 0, "10");
    assert_near((double)net.params[1].biases[0], 2);
    network_free(&net);
}

static void constants_go_on_through_rows_that_see_only_constants(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 2, 1) CONV(2, "") CONV(2, "batch_normalize=1\n") CONV(1, ""), PRUNE_THIS_DARKNET);
    set_row(&net, 0, 0, 0);
    net.params[0].biases[0] = 3;
    set_weights(&net, 1, 0, 1, 0);              /* row 0 sees the constant alone */
    set_weights(&net, 1, 1, 0, 0);
    net.params[1].means[0] = 1;
    net.params[1].biases[0] = .25F;
    kill_dead(&net);
    assert_removed(&net, 0, "10");
    assert_removed(&net, 1, "10");
    assert_near((double)net.params[2].biases[0], (3 - 1) / (2 + 1e-6) + .25);
    network_free(&net);

    const char *const norm = NET(2, 2, 1) CONV(2, "batch_normalize=1\n") CONV(1, "");
    for (int dialect = PRUNE_THIS_DARKNET; dialect <= PRUNE_ALEXEYAB; dialect++) {
        network_make(&net, norm, (enum prune_dialect)dialect);
        set_row(&net, 0, 1, 0);
        net.params[0].means[1] = 1;
        net.params[0].variances[1] = 1e-6F;
        kill_dead(&net);
        assert_removed(&net, 0, "01");
        double found = (double)net.params[1].biases[0], expected = -1 / (dialect == PRUNE_ALEXEYAB ? sqrt(1.1e-5) : 1e-3 + 1e-6);
        assert_true(fabs(found - expected) < 1e-5 * fabs(expected));
        network_free(&net);
    }
}

/* One layer between a convolution, whose channel 1 is always 2, and a connected one without padding. */
static void passes(const char *layer, enum prune_dialect dialect, double expected)
{
    struct network net;
    char text[500];
    snprintf(text, sizeof text, NET(4, 4, 1) CONV(2, "") "%s[avgpool]\n[connected]\noutput=1\nactivation=linear\n", layer);
    network_make(&net, text, dialect);
    for (int i = 0; i < net.graph.n_nodes; i++) {
        if (net.graph.nodes[i].kind != PRUNE_CONVOLUTIONAL) continue;
        set_row(&net, i, 1, 0);
        net.params[i].biases[1] = 2;
    }
    kill_dead(&net);
    assert_removed(&net, 0, "01");
    assert_near((double)net.params[net.graph.n_nodes - 1].biases[0], expected);
    network_free(&net);
}

static void constants_go_through_layers_that_treat_all_places_alike(void **state)
{
    (void)state;
    passes("", PRUNE_THIS_DARKNET, 2);
    passes("[maxpool]\nsize=3\nstride=1\n", PRUNE_THIS_DARKNET, 2);
    passes("[dropout]\n", PRUNE_THIS_DARKNET, 2);
    passes("[upsample]\nscale=1.5\n", PRUNE_THIS_DARKNET, 3);
    passes("[upsample]\nstride=-2\nscale=.5\n", PRUNE_THIS_DARKNET, 4);
    passes("[activation]\nactivation=logistic\n", PRUNE_THIS_DARKNET, 1 / (1 + exp(-2)));
    passes("[logistic]\n", PRUNE_THIS_DARKNET, 1 / (1 + exp(-2)));
    passes("[crop]\ncrop_width=2\ncrop_height=2\n", PRUNE_THIS_DARKNET, 3);
    passes("[crop]\ncrop_width=2\ncrop_height=2\nnoadjust=1\n", PRUNE_THIS_DARKNET, 2);
    passes("[batchnorm]\n", PRUNE_THIS_DARKNET, 2 / (2 + 1e-6));
    passes("[route]\nlayers=-1\n", PRUNE_THIS_DARKNET, 2);
    passes(CONV(2, "") "[shortcut]\nfrom=0\nactivation=relu\n", PRUNE_THIS_DARKNET, 4);
    passes(CONV(2, "") "[shortcut]\nfrom=0\nactivation=linear\nalpha=.5\nbeta=3\n", PRUNE_THIS_DARKNET, 7);
    passes("[local_avgpool]\nsize=3\nstride=1\n", PRUNE_ALEXEYAB, 2);
    passes("[maxpool]\nsize=2\nstride=1\nantialiasing=2\n", PRUNE_ALEXEYAB, 2);
    passes(CONV(2, "") "[shortcut]\nfrom=0\nactivation=linear\nalpha=.5\n", PRUNE_ALEXEYAB, 4);
    passes(CONV(2, "") "[shortcut]\nfrom=0\nactivation=linear\nweights_type=per_feature\n", PRUNE_ALEXEYAB, 4);
    passes(CONV(2, "") "[shortcut]\nfrom=0\nactivation=linear\nweights_type=per_channel\nweights_normalization=relu\n", PRUNE_ALEXEYAB, 4 / 2.0001);
    passes(CONV(2, "") "[sam]\nfrom=0\nactivation=linear\n", PRUNE_ALEXEYAB, 4);
}

static void reorg_needs_a_whole_block_of_the_same(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(4, 4, 1) CONV(8, "") "[reorg]\nstride=2\n" CONV(1, ""), PRUNE_THIS_DARKNET);
    for (int row = 0; row < 8; row++) set_row(&net, 0, row, row < 4 ? 0 : 1);
    for (int row = 0; row < 4; row++) net.params[0].biases[row] = 2;
    net.params[0].biases[3] = 1;
    kill_dead(&net);
    assert_removed(&net, 0, "00000000");
    net.params[0].biases[3] = 2;
    kill_dead(&net);
    assert_removed(&net, 0, "11110000");
    assert_near((double)net.params[2].biases[0], 2 * 16);
    network_free(&net);
}

static void a_gate_of_zero_closes_what_varies(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(4, 4, 1) CONV(2, "") "[avgpool]\n" CONV(2, "") "[scale_channels]\nfrom=0\n[conv]\nfilters=1\nsize=3\npad=1\nactivation=linear\n", PRUNE_ALEXEYAB);
    set_row(&net, 2, 1, 0);
    set_weights(&net, 2, 0, 1, 0);              /* else the other gate still reads the channel */
    kill_dead(&net);
    assert_removed(&net, 0, "01");
    assert_removed(&net, 3, "01");
    network_free(&net);
    network_make(&net, NET(4, 4, 1) CONV(2, "") "[avgpool]\n" CONV(2, "") "[scale_channels]\nfrom=0\n[conv]\nfilters=1\nsize=3\npad=1\nactivation=linear\n", PRUNE_ALEXEYAB);
    set_row(&net, 2, 1, 0);
    kill_dead(&net);
    assert_removed(&net, 0, "00");
    network_free(&net);
}

static void a_local_row_is_constant_if_it_is_at_all_places(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(3, 3, 1) CONV(2, "") "[local]\nfilters=2\nsize=2\nactivation=relu\n[connected]\noutput=1\nactivation=linear\n", PRUNE_THIS_DARKNET);
    for (int place = 0; place < 4; place++) {
        for (int k = 0; k < 8; k++) net.params[1].weights[place * 16 + k] = 0;
        net.params[1].biases[place] = (float)place;
    }
    kill_dead(&net);
    assert_removed(&net, 1, "00");
    for (int place = 0; place < 4; place++) net.params[1].biases[place] = 3;
    kill_dead(&net);
    assert_removed(&net, 1, "10");
    assert_near((double)net.params[2].biases[0], 12);
    network_free(&net);

    network_make(&net, NET(3, 3, 1) CONV(2, "") "[local]\nfilters=1\nsize=3\npad=1\nactivation=linear\n", PRUNE_THIS_DARKNET);
    set_row(&net, 0, 1, 0);
    net.params[0].biases[1] = .5F;
    kill_dead(&net);                            /* as a reader it has biases for each place, and so for its border too */
    assert_removed(&net, 0, "01");
    for (int place = 0; place < 9; place++)
        assert_near((double)net.params[1].biases[place], .5 * (place == 4 ? 9 : place % 2 ? 6 : 4));
    network_free(&net);
}

static void groups_that_are_removed_before_are_taken_along(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 2, 1) CONV(2, "") "[conv]\nfilters=3\nsize=1\nactivation=logistic\n[conv]\nfilters=1\nsize=1\nactivation=linear\n", PRUNE_THIS_DARKNET);
    set_weights(&net, 1, 1, 0, 0);
    set_weights(&net, 1, 2, 0, 0);
    remove_channel(&net, 1, 0);
    prune_silence(&net.channels, net.params, net.removed);      /* it gives 0.5 now */
    set_column(&net, 2, 0, 4);
    kill_dead(&net);
    assert_removed(&net, 0, "10");
    assert_removed(&net, 1, "100");
    assert_folding(&net, 1, 1, 0, 0);
    assert_near((double)net.params[2].biases[0], 2);
    assert_true(net.params[2].weights[0] == 0);
    network_free(&net);
}

static void nothing_is_made_of_numbers_that_are_none(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 2, 1) CONV(2, "") CONV(1, ""), PRUNE_THIS_DARKNET);
    set_row(&net, 0, 1, 0);
    net.params[0].biases[1] = NAN;
    kill_dead(&net);
    assert_removed(&net, 0, "00");
    net.params[0].biases[1] = 0;
    set_row(&net, 0, 1, NAN);
    kill_dead(&net);
    assert_removed(&net, 0, "00");
    network_free(&net);
}

/* ------------------------------------------------------------------------------------------------------------ fold -- */

static void fold_adds_what_a_channel_gives_on_average(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(4, 4, 1) "[conv]\nfilters=3\nsize=3\npad=1\nactivation=leaky\nbatch_normalize=1\n[maxpool]\nsize=2\nstride=2\n"
                 "[conv]\nfilters=3\nsize=3\npad=1\nactivation=relu\n[route]\nlayers=1\n" CONV(2, "batch_normalize=1\n"), PRUNE_THIS_DARKNET);
    net.params[0].means[1] = 100;               /* does not matter: on average there is nothing left of it */
    net.params[0].biases[1] = -2;               /* leaky: -0.2 */
    net.params[0].biases[0] = 1;
    remove_channel(&net, 0, 1);
    fold(&net);
    assert_folding(&net, 2, 2, 1, 0);
    assert_true(net.folding.inexact_in[2] == 1 && net.folding.inexact_in[4] == 0 && net.folding.inexact_in[0] == 0);
    for (int row = 0; row < 3; row++) assert_near((double)net.params[2].biases[row], -.2 * 9);
    for (int row = 0; row < 2; row++) {
        assert_near((double)net.params[4].means[row], .2);
        assert_near((double)net.params[4].biases[row], 0);
        assert_true(net.params[4].weights[row * 3 + 1] == 0 && net.params[4].weights[row * 3] == 1);
    }
    assert_near((double)net.params[0].biases[1], -2);       /* is not silenced */
    network_free(&net);
}

static void fold_leaves_rows_alone_that_go_too(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 2, 1) CONV(2, "") CONV(3, "") CONV(1, ""), PRUNE_THIS_DARKNET);
    net.params[0].biases[0] = 1;
    net.params[1].biases[2] = 4;
    remove_channel(&net, 0, 0);
    remove_channel(&net, 1, 2);
    fold(&net);
    assert_near((double)net.params[1].biases[0], 1);
    assert_near((double)net.params[1].biases[2], 4);
    assert_near((double)net.params[2].biases[0], 4);        /* its bias as it was */
    assert_folding(&net, 2, 2, 0, 0);
    network_free(&net);
}

static void fold_stays_within_a_readers_groups(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 2, 1) CONV(4, "") "[conv]\nfilters=4\nsize=1\ngroups=2\nactivation=linear\n" CONV(1, ""), PRUNE_THIS_DARKNET);
    net.params[0].biases[1] = 1;                /* channels 1 and 3 go together */
    net.params[0].biases[3] = 10;
    remove_channel(&net, 0, 1);
    fold(&net);
    const double expected[] = { 1, 1, 10, 10 };
    for (int row = 0; row < 4; row++) assert_near((double)net.params[1].biases[row], expected[row]);
    network_free(&net);
}

static void fold_says_what_it_drops(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 2, 1) CONV(2, "") "[deconv]\nfilters=1\nsize=2\nactivation=linear\n", PRUNE_THIS_DARKNET);
    net.params[0].biases[0] = 1;
    remove_channel(&net, 0, 0);
    fold(&net);
    assert_folding(&net, 1, 0, 0, 1);
    assert_near((double)net.params[1].biases[0], 0);
    network_free(&net);

    network_make(&net, NET(4, 4, 1) "[local]\nfilters=2\nsize=1\nactivation=linear\n[connected]\noutput=1\nactivation=linear\n", PRUNE_THIS_DARKNET);
    net.params[0].biases[3] = 1;                /* at one place only */
    remove_channel(&net, 0, 0);
    fold(&net);
    assert_folding(&net, 1, 0, 0, 1);
    network_free(&net);

    network_make(&net, NET(8, 8, 1) "[conv]\nfilters=2\nsize=1\nactivation=linear\nantialiasing=1\nstride=2\n" CONV(1, ""), PRUNE_ALEXEYAB);
    net.params[0].biases[0] = 1;
    remove_channel(&net, 0, 0);
    fold(&net);
    assert_folding(&net, 1, 1, 1, 0);           /* the blur's border */
    assert_near((double)net.params[1].biases[0], 1);
    network_free(&net);
}

static void shared_weights_take_what_all_their_layers_want(void **state)
{
    (void)state;
    struct network net;
    const char *const text = NET(2, 2, 1) CONV(2, "") CONV(2, "") "[route]\nlayers=0\n" CONV(2, "") CONV(2, "share_index=1\n") CONV(1, "");
    network_make(&net, text, PRUNE_ALEXEYAB);
    assert_ptr_equal(net.params[4].biases, net.params[1].biases);
    net.params[0].biases[0] = net.params[3].biases[0] = 2;
    remove_channel(&net, 0, 0);                 /* goes with channel 0 of layer 3 */
    assert_removed(&net, 3, "10");
    fold(&net);
    assert_folding(&net, 2, 2, 0, 0);           /* layers 1 and 4 together, and layer 3 */
    assert_near((double)net.params[1].biases[1], 2);
    assert_true(net.params[4].weights[2] == 0 && net.params[4].weights[3] == 1);
    network_free(&net);

    network_make(&net, text, PRUNE_ALEXEYAB);
    net.params[0].biases[0] = 2;
    net.params[3].biases[0] = 3;
    remove_channel(&net, 0, 0);
    fold(&net);
    assert_folding(&net, 2, 1, 0, 1);
    assert_near((double)net.params[1].biases[1], 0);
    assert_near((double)net.params[3].biases[1], 2);
    network_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence_makes_members_zero_and_nothing_else), cmocka_unit_test(channels_that_nothing_reads_go_with_all_that_makes_them),
        cmocka_unit_test(a_cycle_that_nothing_else_reads_goes), cmocka_unit_test(what_is_pinned_stays), cmocka_unit_test(the_last_of_a_family_stays_for_the_shape),
        cmocka_unit_test(a_depthwise_filter_does_not_keep_its_channel), cmocka_unit_test(a_scale_of_zero_reads_nothing), cmocka_unit_test(zeros_go_whatever_reads_them),
        cmocka_unit_test(constants_get_into_biases_or_means), cmocka_unit_test(a_padded_reader_keeps_a_constant_unless_its_taps_stay_inside),
        cmocka_unit_test(constants_go_on_through_rows_that_see_only_constants), cmocka_unit_test(constants_go_through_layers_that_treat_all_places_alike),
        cmocka_unit_test(reorg_needs_a_whole_block_of_the_same), cmocka_unit_test(a_gate_of_zero_closes_what_varies),
        cmocka_unit_test(a_local_row_is_constant_if_it_is_at_all_places), cmocka_unit_test(groups_that_are_removed_before_are_taken_along),
        cmocka_unit_test(nothing_is_made_of_numbers_that_are_none), cmocka_unit_test(fold_adds_what_a_channel_gives_on_average),
        cmocka_unit_test(fold_leaves_rows_alone_that_go_too), cmocka_unit_test(fold_stays_within_a_readers_groups), cmocka_unit_test(fold_says_what_it_drops),
        cmocka_unit_test(shared_weights_take_what_all_their_layers_want),
    };
    return cmocka_run_group_tests_name("constants", tests, NULL, NULL);
}
