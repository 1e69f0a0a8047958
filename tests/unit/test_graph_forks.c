/* test_graph_forks.c - what only other forks know: shapes and counts by AlexeyAB's rules, what marks a cfg as foreign, and every fault
 *
 * The expected numbers follow the make_* and save_* functions of AlexeyAB's src (59596d7), worked out by hand in the comments.
 */
#include "reading.h"

static int build_as(struct prune_cfg *cfg, struct prune_graph *graph, const char *text, enum prune_dialect dialect)
{
    assert_int_equal(read_cfg_text(cfg, text), PRUNE_OK);
    listen_stderr();
    int code = prune_graph_build(graph, cfg, dialect);
    heard_stderr();
    return code;
}

/* AlexeyAB's, as prune_graph_build_any finds out by itself; `foreign` is the index of the section that it says so for. */
static void build_foreign(struct prune_cfg *cfg, struct prune_graph *graph, const char *text, int foreign)
{
    assert_int_equal(read_cfg_text(cfg, text), PRUNE_OK);
    listen_stderr();
    int code = prune_graph_build_any(graph, cfg, 0);
    heard_stderr();
    if (code) fail_msg("refused: %s", said);
    assert_string_equal(said, "");
    assert_int_equal(graph->dialect, PRUNE_ALEXEYAB);
    assert_ptr_equal(graph->foreign, &cfg->sections[foreign]);
}

/* Refused in both foreign dialects, with the same line. */
static void assert_foreign_fault(const char *text, int code, const char *part)
{
    const enum prune_dialect dialects[] = { PRUNE_PJREDDIE, PRUNE_ALEXEYAB };
    for (int i = 0; i < 2; i++) {
        struct prune_cfg cfg;
        struct prune_graph graph;
        int got = build_as(&cfg, &graph, text, dialects[i]);
        if (got != code) fail_msg("dialect %d: expected code %d with \"%s\", got %d with \"%s\"", (int)dialects[i], code, part, got, said);
        assert_said(part);
        assert_null(graph.nodes);
        free_both(&cfg, &graph);
    }
}

static void assert_output(const struct prune_node *node, int c, int h, int w)
{
    assert_int_equal(node->out_c, c);
    assert_int_equal(node->out_h, h);
    assert_int_equal(node->out_w, w);
    assert_int_equal(node->outputs, (size_t)c * (size_t)h * (size_t)w);
}

static void assert_counts(const struct prune_node *node, size_t n_weights, size_t n_biases, size_t n_floats, uint64_t macs)
{
    assert_int_equal(node->n_weights, n_weights);
    assert_int_equal(node->n_biases, n_biases);
    assert_int_equal(node->n_floats, n_floats);
    assert_int_equal(node->macs, macs);
}

/* ------------------------------------------------------------------------------------------------------- good cfgs -- */

static void strides_dilation_and_blur(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_foreign(&cfg, &graph, NET(40, 36, 3)
                  "[conv]\nfilters=8\nsize=3\npad=1\nstride_x=2\nstride_y=1\nbatch_normalize=1\nactivation=mish\n" /* 0: 8x36x20 */
                  "[conv]\nfilters=12\nsize=3\nstride=2\npad=1\ngroups=4\nantialiasing=1\nactivation=swish\n" /* 1: convolved 36x20, blurred 18x10 */
                  "[conv]\nfilters=12\nsize=3\npad=1\nantialiasing=2\nactivation=relu6\n"   /* 2: blurred without a border: 17x9 */
                  "[conv]\nfilters=4\nsize=5\npad=1\ndilation=2\nactivation=gelu\n"         /* 3: 17x9 */
                  "[conv]\nfilters=4\nsize=1\ndilation=3\ncbn=1\nactivation=normalize_channels_softmax\n", 1);
    const struct prune_node *n = graph.nodes;
    assert_output(&n[0], 8, 36, 20);
    assert_int_equal(n[0].stride_x, 2);
    assert_int_equal(n[0].stride_y, 1);
    assert_int_equal(n[0].share, -1);
    assert_int_equal(n[0].activation, PRUNE_MISH);
    assert_counts(&n[0], 8 * 27, 32, 8 * 27 + 32, 8 * 27 * 36 * 20);
    assert_output(&n[1], 12, 18, 10);
    assert_int_equal(n[1].antialiasing, 1);
    assert_int_equal(n[1].stride, 2);
    assert_counts(&n[1], 12 * 2 * 9, 12, 12 * 2 * 9 + 12, 12 * 2 * 9 * 36 * 20);    /* the convolution itself has stride 1; the blur is not in the file */
    assert_output(&n[2], 12, 17, 9);
    assert_int_equal(n[2].antialiasing, 2);
    assert_int_equal(n[2].macs, 12 * 12 * 9 * 18 * 10);
    assert_output(&n[3], 4, 17, 9);
    assert_int_equal(n[3].dilation, 2);
    assert_int_equal(n[3].pad, 4);              /* 2 * 2 */
    assert_output(&n[4], 4, 17, 9);
    assert_int_equal(n[4].dilation, 1);         /* has no meaning with size=1 */
    assert_int_equal(n[4].batch_normalize, 1);
    assert_int_equal(n[4].activation, PRUNE_NORM_CHANNELS_SOFTMAX);
    assert_counts(&n[4], 16, 16, 32, 16 * 17 * 9);
    free_both(&cfg, &graph);
}

static void pools(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_foreign(&cfg, &graph, NET(21, 18, 6)
                  "[max]\nsize=2\nstride=2\nstride_x=1\n"               /* 0: 6x9x21; padding=1 */
                  "[max]\nsize=3\nstride=2\nantialiasing=1\n"           /* 1: pooled with stride 1, then ceil(9/2), ceil(21/2) */
                  "[max]\nsize=2\nstride=2\npadding=0\nantialiasing=2\n" /* 2: pooled 4x10, blurred (4-2)/2+1, (10-2)/2+1 */
                  "[max]\nmaxpool_depth=1\nout_channels=4\nsize=3\nstride=2\n"
                  "[local_avg]\nsize=2\nstride=1\nstride_x=2\n"
                  "[empty]\n[silence]\n", 1);
    assert_output(&graph.nodes[0], 6, 9, 21);
    assert_output(&graph.nodes[1], 6, 5, 11);
    assert_output(&graph.nodes[2], 6, 2, 5);
    assert_output(&graph.nodes[3], 4, 2, 5);
    assert_output(&graph.nodes[4], 4, 2, 3);
    assert_int_equal(graph.nodes[4].kind, PRUNE_LOCAL_AVGPOOL);
    assert_output(&graph.nodes[6], 4, 2, 3);
    assert_int_equal(graph.nodes[6].kind, PRUNE_EMPTY);
    assert_string_equal(prune_kind_name(graph.nodes[6].kind), "empty");
    free_both(&cfg, &graph);
}

static void links(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_foreign(&cfg, &graph, NET(8, 6, 4)
                  "[conv]\nfilters=12\nactivation=linear\n"                         /* 0 */
                  "[conv]\nfilters=8\nactivation=linear\n"                          /* 1 */
                  "[route]\nlayers=-1,0\ngroups=4\ngroup_id=3\n"                    /* 2: 8/4 + 12/4 */
                  "[conv]\nfilters=8\nactivation=linear\n"                          /* 3 */
                  "[shortcut]\nfrom=-3,0\nweights_type=per_channel\nweights_normalization=softmax\nactivation=mish\n" /* 4: (2 + 1) * 8 */
                  "[shortcut]\nfrom=1\nweights_type=per_feature\nweights_normalization=avg_relu\n" /* 5: 1 + 1 */
                  "[shortcut]\nfrom=1,0,3\n"                                        /* 6 */
                  "[avg]\n"                                                         /* 7 */
                  "[scale_channels]\nfrom=-2\nactivation=relu\n"                    /* 8 */
                  "[conv]\nfilters=1\nactivation=logistic\n"                        /* 9 */
                  "[scale_channels]\nfrom=0\nscale_wh=1\n"                          /* 10: 12x6x8 */
                  "[conv]\nfilters=8\nactivation=logistic\n"                        /* 11 */
                  "[sam]\nfrom=8\nactivation=linear\n", 3);
    const struct prune_node *n = graph.nodes;
    assert_output(&n[2], 5, 6, 8);
    assert_int_equal(n[2].groups, 4);
    assert_int_equal(n[2].group_id, 3);
    assert_output(&n[4], 8, 6, 8);
    assert_int_equal(n[4].n_from, 2);
    assert_int_equal(n[4].from[0], 1);
    assert_int_equal(n[4].from[1], 0);
    assert_int_equal(n[4].per_channel, 1);
    assert_int_equal(n[4].normalization, 2);
    assert_counts(&n[4], 24, 0, 24, 24 * 6 * 8);
    assert_int_equal(n[5].per_channel, 0);
    assert_int_equal(n[5].normalization, 1);
    assert_counts(&n[5], 2, 0, 2, 2 * 8 * 6 * 8);
    assert_int_equal(n[6].n_from, 3);
    assert_counts(&n[6], 0, 0, 0, 0);
    assert_output(&n[8], 8, 6, 8);
    assert_int_equal(n[8].from[0], 6);
    assert_int_equal(n[8].activation, PRUNE_RELU);
    assert_output(&n[10], 12, 6, 8);
    assert_int_equal(n[10].scale_wh, 1);
    assert_output(&n[12], 8, 6, 8);
    assert_int_equal(n[12].from[0], 8);
    free_both(&cfg, &graph);
}

static void shared_weights(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_foreign(&cfg, &graph, NET(8, 6, 4)
                  "[conv]\nfilters=4\nsize=3\npad=1\nbatch_normalize=1\nactivation=leaky\n"
                  "[conv]\nfilters=4\nsize=3\npad=1\nbatch_normalize=1\nactivation=leaky\nshare_index=-1\n"
                  "[conv]\nfilters=4\nsize=3\npad=1\ndilation=2\nactivation=linear\nshare_index=1\n", 2);
    assert_counts(&graph.nodes[0], 144, 16, 160, 144 * 48);
    assert_int_equal(graph.nodes[1].share, 0);
    assert_counts(&graph.nodes[1], 144, 16, 0, 144 * 48);
    assert_int_equal(graph.nodes[2].share, 0);  /* whose they really are */
    assert_counts(&graph.nodes[2], 144, 4, 0, 144 * 48);
    free_both(&cfg, &graph);
}

static void reordering(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_foreign(&cfg, &graph, NET(8, 6, 3)
                  "[reorg3d]\nstride=2\n"                               /* 0: the 3 channels need not be in blocks of 4 */
                  "[reorg3d]\nstride=2\nreverse=1\n"
                  "[upsample]\nstride=-2\n"
                  "[implicit]\nfilters=5\natoms=2\n"
                  "[implicit]\n"
                  "[history]\nhistory_size=3\n", 1);
    assert_output(&graph.nodes[0], 12, 3, 4);
    assert_output(&graph.nodes[1], 3, 6, 8);
    assert_int_equal(graph.nodes[1].reverse, 1);
    assert_output(&graph.nodes[2], 3, 3, 4);
    assert_int_equal(graph.nodes[2].reverse, 1);
    assert_int_equal(graph.nodes[2].stride, 2);
    assert_output(&graph.nodes[3], 5, 2, 1);
    assert_int_equal(graph.nodes[3].inputs, 0);
    assert_counts(&graph.nodes[3], 10, 0, 10, 0);
    assert_output(&graph.nodes[4], 128, 1, 1);
    assert_output(&graph.nodes[5], 384, 1, 1);
    assert_counts(&graph.nodes[5], 0, 0, 0, 0);
    free_both(&cfg, &graph);
}

static void memories(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_foreign(&cfg, &graph, NET(12, 8, 12)
                  "[conv_lstm]\noutput=8\npeephole=1\npad=1\nbatch_normalize=1\ngroups=2\n"
                  "[conv_lstm]\noutput=6\nsize=1\n"
                  "[conv_lstm]\noutput=6\nbottleneck=1\npad=1\n"
                  "[crnn]\nhidden=6\noutput=4\nsize=5\ndilation=2\npad=1\ngroups=2\nbatch_normalize=1\n"
                  "[lstm]\noutput=3\n[gru]\noutput=4\n[rnn]\noutput=5\nhidden=3\nbatch_normalize=1\n", 1);
    const struct prune_node *n = graph.nodes;
    assert_output(&n[0], 8, 8, 12);             /* u: 4 of 8 filters of 12/2 x 3x3; w and v: 7 of 8 of 8/2 x 3x3 */
    assert_counts(&n[0], 4 * 8 * 6 * 9 + 7 * 8 * 4 * 9, 11 * 4 * 8, 4 * 8 * 6 * 9 + 7 * 8 * 4 * 9 + 352, (4 * 8 * 6 * 9 + 7 * 8 * 4 * 9) * 96);
    assert_counts(&n[1], 4 * 6 * 8 + 4 * 6 * 6, 8 * 6, 336 + 48, 336 * 96);
    assert_counts(&n[2], 4 * 6 * 6 * 9 + 6 * 12 * 9, 5 * 6, 1944 + 30, 1944 * 96);
    assert_output(&n[3], 4, 8, 12);             /* 6 filters of 3x5x5, 6 of 3x5x5, 4 of 3x5x5 */
    assert_counts(&n[3], 16 * 3 * 25, 4 * 16, 1200 + 64, 1200 * 96);
    assert_output(&n[4], 3, 1, 1);
    assert_int_equal(n[4].n_weights, 4 * (384 * 3 + 9));
    assert_int_equal(n[5].out_c, 0);            /* flat */
    assert_int_equal(n[5].outputs, 4);
    assert_output(&n[6], 5, 1, 1);
    assert_counts(&n[6], 4 * 3 + 3 * 3 + 3 * 5, 4 * 11, 36 + 44, 36);
    free_both(&cfg, &graph);
}

static void foreign_heads(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_foreign(&cfg, &graph, NET(13, 13, 28) "[Gaussian_yolo]\nclasses=5\nnum=3\nmask=0,2\nanchors=1,2,3,4,5,6\nmax=500\nrandom=1.2\n", 1); /* 2 * (5 + 9) */
    assert_output(&graph.nodes[0], 28, 13, 13);
    free_both(&cfg, &graph);
    build_foreign(&cfg, &graph, NET(13, 13, 21) "[yolo]\nclasses=2\nnum=3\nmax=200\n", 1);
    free_both(&cfg, &graph);
    build_foreign(&cfg, &graph, NET(13, 13, 16) "[region]\nclasses=3\nnum=2\nmax=31\n", 1);
    free_both(&cfg, &graph);
    build_foreign(&cfg, &graph, NET(13, 13, 21) "[yolo]\nclasses=2\nnum=3\nmask=3,4,5\nanchors=1,2,3\n", 1); /* as cspx-p7-mish.cfg has it */
    free_both(&cfg, &graph);
    build_foreign(&cfg, &graph, NET(12, 8, 4)
                  "[conv]\nfilters=36\nactivation=linear\n"
                  "[conv]\nfilters=18\nactivation=linear\n"
                  "[yolo]\nclasses=1\nnum=3\nembedding_layer=-2\nnew_coords=1\n"
                  "[route]\nlayers=0\n"
                  "[contrastive]\nyolo_layer=-2\n", 3);
    assert_int_equal(graph.nodes[4].outputs, 36 * 96);
    assert_int_equal(graph.nodes[4].out_c, 0);
    free_both(&cfg, &graph);
}

static void net_keys(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_foreign(&cfg, &graph, NET(8, 8, 4) "policy=sgdr\nsgdr_cycle=9\nmosaic=1\nletter_box=1\n[conv]\n", 0);
    free_both(&cfg, &graph);
    build_foreign(&cfg, &graph, NET(8, 8, 4) "batch=1\nsubdivisions=8\n[conv]\n", 0);
    assert_int_equal(graph.batch, 1);
    assert_int_equal(graph.subdivisions, 8);
    free_both(&cfg, &graph);
    build_foreign(&cfg, &graph, NET(8, 8, 4) "policy=steps\nsteps=1,2\nscales=.1,.1,.1\n[conv]\n", 0);
    free_both(&cfg, &graph);
    assert_int_equal(build_as(&cfg, &graph, NET(1000, 1000, 4) "batch=1000\n[conv]\nfilters=3\n", PRUNE_PJREDDIE), PRUNE_OK);    /* not to be run here */
    assert_null(graph.foreign);
    free_both(&cfg, &graph);
}

/* ---------------------------------------------------------------------------------------------------------- dialects -- */

static void every_foreign_thing_is_a_fault_here(void **state)
{
    (void)state;
    static const char *const things[] = {
        "[conv]\nactivation=mish\n", "[conv]\nstride_x=2\n", "[conv]\nstride_y=1\n", "[conv]\nsize=3\npad=1\ndilation=2\n", "[conv]\nantialiasing=1\n",
        "[conv]\nfilters=4\n[conv]\nfilters=4\nshare_index=0\n", "[conv]\ncbn=1\n", "[conv]\nbin_output=1\n", "[conv]\nsize=3\npad=1\nrotate=1\n", "[conv]\nfilters=4\ngroups=2\nflipped=1\n",
        "[max]\nstride_x=1\n", "[max]\nantialiasing=2\n", "[max]\nmaxpool_depth=1\nout_channels=2\n", "[conv]\n[route]\nlayers=0\ngroup_id=0\n",
        "[conv]\nfilters=4\n[route]\nlayers=0\ngroups=2\n", "[conv]\n[shortcut]\nfrom=0\nweights_type=per_layer\n", "[conv]\n[shortcut]\nfrom=0,0\n",
        "[crnn]\nhidden=2\noutput=2\npad=1\n", "[rnn]\nhidden=2\noutput=3\n", "[yolo]\nclasses=1\nnum=1\n" /* refused anyway: 4 channels */,
        "[reorg3d]\n", "[conv]\n[scale_channels]\nfrom=0\nscale_wh=1\n", "[conv]\n[sam]\nfrom=0\n", "[local_avgpool]\n", "[implicit]\n", "[conv_lstm]\npad=1\n", "[history]\n",
        "[conv]\n[empty]\n", "[novelty]\n[implicit]\n",
    };
    for (size_t i = 0; i < sizeof things / sizeof *things; i++) {
        struct prune_cfg cfg;
        struct prune_graph graph;
        char text[300];
        snprintf(text, sizeof text, "%s%s", NET(8, 8, 4), things[i]);
        int code = build_as(&cfg, &graph, text, PRUNE_THIS_DARKNET);
        if (!code) fail_msg("accepted here: %s", text);
        assert_said("layer");
        free_both(&cfg, &graph);
        if (strstr(text, "[yolo]")) continue;
        if (build_as(&cfg, &graph, text, PRUNE_PJREDDIE)) fail_msg("refused: %s for %s", said, text);
        if (!graph.foreign) fail_msg("not foreign: %s", text);
        assert_int_equal(graph.dialect, PRUNE_PJREDDIE);
        free_both(&cfg, &graph);
        if (build_as(&cfg, &graph, text, PRUNE_ALEXEYAB)) fail_msg("refused by AlexeyAB's rules: %s for %s", said, text);
        free_both(&cfg, &graph);
    }
    assert_graph_fault(NET(8, 8, 4) "[rnn]\nhidden=2\noutput=3\n", PRUNE_ERR_UNSUPPORTED, ":6: layer 0 [rnn]: hidden=2 is not known to this Darknet");
    assert_graph_fault(NET(8, 8, 4) "[yolo]\nnew_coords=1\n", PRUNE_ERR_UNSUPPORTED, "new_coords=1 is not known to this Darknet, which would ignore it");
    assert_graph_fault(NET(8, 8, 4) "[conv]\n[empty]\n", PRUNE_ERR_UNSUPPORTED, ":6: layer 1 [empty] is not known to this Darknet");
}

static void what_all_know_is_not_foreign(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    static const char *const texts[] = {
        LENET_5, "[net]\ninputs=4\n[rnn]\nhidden=3\noutput=3\n", NET(8, 8, 4) "[conv]\ndilation=1\nantialiasing=0\n[shortcut]\nfrom=0\nweights_type=none\n",
        NET(5, 5, 2) "[crnn]\nhidden_filters=3\noutput_filters=4\n[yolo]\nclasses=1\nnum=1\n",
    };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read_cfg_text(&cfg, texts[i]), PRUNE_OK);
        assert_int_equal(prune_graph_build_any(&graph, &cfg, 0), PRUNE_OK);
        assert_int_equal(graph.dialect, PRUNE_PJREDDIE);
        assert_null(graph.foreign);
        free_both(&cfg, &graph);
    }
    build_good(&cfg, &graph, texts[0]);
    assert_int_equal(graph.dialect, PRUNE_THIS_DARKNET);
    assert_int_equal(graph.nodes[0].stride_x, 1);
    assert_int_equal(graph.nodes[1].stride_y, 2);
    assert_int_equal(graph.nodes[0].dilation, 1);
    assert_int_equal(graph.nodes[0].share, -1);
    assert_int_equal(graph.nodes[4].activation, PRUNE_RELU);
    assert_int_equal(graph.nodes[5].activation, PRUNE_LINEAR_ACTIVATION);
    free_both(&cfg, &graph);
}

static void dialects_differ(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    const char *text = NET(4, 4, 6) "[batchnorm]\n[conv]\nfilters=2\ndontsave=1\ndontload=1\nxnor=1\ngroups=2\n[shortcut]\nfrom=0\n[reorg]\nstride=1\nextra=4\n";
    assert_int_equal(build_as(&cfg, &graph, text, PRUNE_PJREDDIE), PRUNE_OK);
    assert_int_equal(graph.nodes[0].n_floats, 18);
    assert_int_equal(graph.nodes[1].n_weights, 2 * 3);
    assert_int_equal(graph.nodes[1].n_floats, 0);
    assert_int_equal(graph.nodes[3].outputs, 2 * 16 + 4);
    free_both(&cfg, &graph);
    assert_int_equal(build_as(&cfg, &graph, text, PRUNE_ALEXEYAB), PRUNE_OK);
    assert_int_equal(graph.nodes[0].n_floats, 24);
    assert_int_equal(graph.nodes[1].n_weights, 2 * 6);          /* xnor has no groups */
    assert_int_equal(graph.nodes[1].n_floats, 14);              /* saved: there is no dontsave */
    assert_output(&graph.nodes[3], 2, 4, 4);
    free_both(&cfg, &graph);

    build_foreign(&cfg, &graph, "[net]\ninputs=4\n[lstm]\noutput=3\n[conv]\nfilters=2\n", 2);   /* only AlexeyAB's gives an image */
    assert_output(&graph.nodes[1], 2, 1, 1);
    free_both(&cfg, &graph);
    assert_graph_fault("[net]\ninputs=4\n[lstm]\noutput=3\n[conv]\nfilters=2\n", PRUNE_ERR_SHAPE, "needs an image");

    const char *smaller = NET(8, 8, 4) "[conv]\n[max]\nstride=2\n[shortcut]\nfrom=0\n";
    assert_int_equal(build_as(&cfg, &graph, smaller, PRUNE_PJREDDIE), PRUNE_OK);
    free_both(&cfg, &graph);
    assert_int_equal(build_as(&cfg, &graph, smaller, PRUNE_ALEXEYAB), PRUNE_ERR_SHAPE);
    assert_said("layer 0 is 8x8 and cannot be laid over 4x4");
    free_both(&cfg, &graph);
}

/* A [batchnorm] of 6 channels and a convolution of 2 * 6 + 2 floats: 18 + 14 floats in pjreddie's file, 24 + 14 in AlexeyAB's. */
static void the_file_tells_the_dialect(void **state)
{
    (void)state;
    const struct { uint64_t bytes; enum prune_dialect dialect; } files[] = {
        { 0, PRUNE_PJREDDIE }, { 20 + 4 * 32, PRUNE_PJREDDIE }, { 16 + 4 * 32, PRUNE_PJREDDIE }, { 20 + 4 * 38, PRUNE_ALEXEYAB }, { 16 + 4 * 38, PRUNE_ALEXEYAB },
        { 20 + 4 * 35, PRUNE_PJREDDIE }, { 21 + 4 * 38, PRUNE_PJREDDIE },
    };
    struct prune_cfg cfg;
    struct prune_graph graph;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_int_equal(read_cfg_text(&cfg, NET(4, 4, 6) "[batchnorm]\n[conv]\nfilters=2\n"), PRUNE_OK);
        assert_int_equal(prune_graph_build_any(&graph, &cfg, files[i].bytes), PRUNE_OK);
        assert_int_equal(graph.dialect, files[i].dialect);
        assert_null(graph.foreign);
        free_both(&cfg, &graph);
    }
    assert_int_equal(read_cfg_text(&cfg, NET(4, 4, 1) "[batchnorm]\n"), PRUNE_OK);
    assert_int_equal(prune_graph_build_any(&graph, &cfg, 32), PRUNE_OK);    /* 20 + 3 floats, or 16 + 4: told by what this Darknet writes */
    assert_int_equal(graph.dialect, PRUNE_PJREDDIE);
    free_both(&cfg, &graph);
    assert_int_equal(read_cfg_text(&cfg, NET(4, 4, 1) "[conv]\nsize=9\n"), PRUNE_OK);
    listen_stderr();
    assert_int_equal(prune_graph_build_any(&graph, &cfg, 0), PRUNE_ERR_SHAPE);
    heard_stderr();
    assert_said("size=9 is larger");
    assert_null(graph.nodes);
    free_both(&cfg, &graph);
}

static void unknown_kinds_are_let_through(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_foreign(&cfg, &graph, NET(8, 8, 4) "[conv]\nfilters=2\n[novelty]\nsize=x\n[wonder]\n[route]\nlayers=0\n[novelty]\n", 2);
    assert_int_equal(graph.nodes[1].kind, PRUNE_UNKNOWN);
    assert_int_equal(graph.nodes[1].outputs, 0);
    assert_int_equal(graph.nodes[1].n_floats, 0);
    assert_output(&graph.nodes[3], 2, 8, 8);
    free_both(&cfg, &graph);
    assert_foreign_fault(NET(8, 8, 4) "[conv]\n[novelty]\n[conv]\n", PRUNE_ERR_UNSUPPORTED, ":7: layer 2 [conv]: reads layer 1 [novelty], whose kind is not known");
    assert_foreign_fault(NET(8, 8, 4) "[conv]\n[novelty]\n[route]\nlayers=0,-1\n", PRUNE_ERR_UNSUPPORTED, "layer 2 [route]: reads layer 1 [novelty]");
    assert_foreign_fault(NET(8, 8, 4) "[novelty]\n[implicit]\n[shortcut]\nfrom=0\n", PRUNE_ERR_UNSUPPORTED, "layer 2 [shortcut]: reads layer 0 [novelty]");
    assert_foreign_fault(NET(8, 8, 4) "[novelty]\n[cost]\n", PRUNE_ERR_UNSUPPORTED, "layer 1 [cost]: reads layer 0");
}

/* ------------------------------------------------------------------------------------------------------------- faults -- */

static void wrong_convolutions(void **state)
{
    (void)state;
    assert_foreign_fault(NET(8, 8, 4) "[conv]\nstride_x=0\n", PRUNE_ERR_RANGE, ":6: layer 0 [conv]: stride_x=0: must be at least 1");
    assert_foreign_fault(NET(8, 8, 4) "[conv]\nstride_y=-2\n", PRUNE_ERR_RANGE, "stride_y=-2");
    assert_foreign_fault(NET(8, 8, 4) "[conv]\nsize=3\ndilation=0\n", PRUNE_ERR_RANGE, "dilation=0");
    assert_foreign_fault(NET(8, 8, 4) "[conv]\nsize=3\ndilation=2\n", PRUNE_ERR_SHAPE, "dilation=2 does not go with this padding: Darknet would fill 6x6 places with 4x4");
    assert_foreign_fault(NET(8, 8, 4) "[conv]\nsize=3\ndilation=4\n", PRUNE_ERR_SHAPE, "size=3 with dilation=4 is larger than its input, which is 8x8");
    assert_foreign_fault(NET(8, 8, 4) "[conv]\nsize=3\npadding=2147483647\ndilation=2\n", PRUNE_ERR_RANGE, "padding * dilation is beyond 2147483647");
    assert_foreign_fault(NET(8, 8, 4) "[conv]\nsize=2147483647\ndilation=2147483647\n", PRUNE_ERR_SHAPE, "is larger than its input");
    assert_foreign_fault(NET(1, 1, 4) "[conv]\nantialiasing=2\n", PRUNE_ERR_SHAPE, "its output of 1x1 is smaller than the 2x2 blur");
    assert_foreign_fault(NET(8, 8, 4) "[conv]\nantialiasing=yes\n", PRUNE_ERR_FORMAT, "antialiasing=yes: must be a whole number");
    assert_foreign_fault(NET(8, 8, 4) "[conv]\nactivation=gelü\n", PRUNE_ERR_RANGE, "must be one of linear leaky");
    assert_said("normalize_channels_softmax_maxval");
    assert_foreign_fault(NET(8, 8, 4) "[conv]\nfilters=4\ngroups=3\nactivation=mish\n", PRUNE_ERR_SHAPE, "groups=3 must divide the input's 4 channels");
    assert_foreign_fault(NET(8, 8, 4) "[conv]\nsway=x\n", PRUNE_ERR_FORMAT, "sway=x");

    static const char *const owner = NET(8, 8, 4) "[conv]\nfilters=4\nsize=3\npad=1\n[conv]\nfilters=8\n";
    const struct { const char *rest; int code; const char *part; } shares[] = {
        { "[conv]\nfilters=4\nsize=3\nshare_index=2\n", PRUNE_ERR_RANGE, "share_index=2 is layer 2; must be an earlier one" },
        { "[conv]\nfilters=4\nsize=3\nshare_index=-3\n", PRUNE_ERR_RANGE, "share_index=-3 is layer -1" },
        { "[conv]\nfilters=4\nsize=3\nshare_index=0\n", PRUNE_ERR_SHAPE, "the weights of layer 0 are 4 filters of 4/1x3x3, its own 4 of 8/1x3x3; must be equal" },
        { "[conv]\nfilters=8\nshare_index=-1\n", PRUNE_ERR_SHAPE, "must be equal" },
        { "[route]\nlayers=0\n[conv]\nfilters=4\ngroups=2\nsize=3\nshare_index=0\n", PRUNE_ERR_SHAPE, "must be equal" },
        { "[route]\nlayers=0\n[conv]\nfilters=4\nsize=3\nshare_index=2\n", PRUNE_ERR_SHAPE, "layer 2 is [route]; only the weights of a convolution can be shared" },
        { "[route]\nlayers=0\n[conv]\nfilters=8\nbatch_normalize=1\nshare_index=1\n", PRUNE_ERR_SHAPE, "batch_normalize=1 and layer 1, whose scales it would share, has not" },
    };
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        char text[300];
        snprintf(text, sizeof text, "%s%s", owner, shares[i].rest);
        assert_foreign_fault(text, shares[i].code, shares[i].part);
    }
}

static void wrong_pools_and_reorgs(void **state)
{
    (void)state;
    assert_foreign_fault(NET(8, 8, 4) "[max]\nstride_x=0\n", PRUNE_ERR_RANGE, "stride_x=0");
    assert_foreign_fault(NET(8, 8, 4) "[max]\nmaxpool_depth=1\nout_channels=5\n", PRUNE_ERR_SHAPE, "out_channels=5: must be at most the input's 4 channels");
    assert_foreign_fault(NET(8, 8, 4) "[max]\nmaxpool_depth=1\nout_channels=0\n", PRUNE_ERR_RANGE, "out_channels=0");
    assert_foreign_fault(NET(8, 8, 4) "[max]\nmaxpool_depth=1\nantialiasing=1\n", PRUNE_ERR_UNSUPPORTED, "antialiasing=1 with maxpool_depth");
    assert_foreign_fault(NET(8, 8, 4) "[local_avgpool]\nsize=20\npadding=0\n", PRUNE_ERR_SHAPE, "size=20 is larger");
    assert_foreign_fault(NET(8, 8, 4) "[local_avgpool]\nsize=2\npadding=4\n", PRUNE_ERR_SHAPE, "would lie in the padding alone");
    assert_foreign_fault(NET(7, 8, 4) "[reorg3d]\nstride=2\n", PRUNE_ERR_SHAPE, "stride=2 must divide the input's 7x8");
    assert_foreign_fault(NET(8, 8, 6) "[reorg3d]\nstride=2\nreverse=1\n", PRUNE_ERR_SHAPE, "6 channels must be a multiple of 4");
    assert_foreign_fault(NET(8, 8, 4) "[implicit]\nfilters=0\n", PRUNE_ERR_RANGE, "filters=0");
    assert_foreign_fault(NET(8, 8, 4) "[implicit]\nfilters=2147483647\natoms=2147483647\n", PRUNE_ERR_RANGE, "more than 2147483647");
    assert_foreign_fault(NET(8, 8, 4) "[history]\nhistory_size=0\n", PRUNE_ERR_RANGE, "history_size=0");
    assert_foreign_fault("[net]\ninputs=4\n[history]\n", PRUNE_ERR_SHAPE, "needs an image");
    assert_foreign_fault(NET(8, 8, 4) "[empty]\n", PRUNE_ERR_SHAPE, "layer 0 [empty]: needs a layer before it");
}

static void wrong_links(void **state)
{
    (void)state;
    static const char *const before = NET(8, 8, 4) "[conv]\nfilters=6\n[conv]\nfilters=4\n[conv]\nfilters=6\nstride=2\nantialiasing=1\n[avg]\n";
    const struct { const char *rest; int code; const char *part; } faults[] = {
        { "[route]\nlayers=0\ngroups=4\n", PRUNE_ERR_SHAPE, "groups=4 must divide the 6 channels of layer 0" },
        { "[route]\nlayers=0,1\ngroups=5\n", PRUNE_ERR_SHAPE, "groups=5 must divide the 6 channels of layer 0" },   /* though it divides 10 */
        { "[route]\nlayers=0\ngroups=2\ngroup_id=2\n", PRUNE_ERR_RANGE, "group_id=2: must be one of the 2 groups, 0 to 1" },
        { "[route]\nlayers=0\ngroups=2\ngroup_id=-1\n", PRUNE_ERR_RANGE, "group_id=-1" },
        { "[route]\nlayers=0\ngroups=0\n", PRUNE_ERR_RANGE, "groups=0" },
        { "[route]\nlayers=2\n", PRUNE_ERR_SHAPE, "layer 2 blurs its output (antialiasing=1)" },
        { "[shortcut]\nfrom=0,\n", PRUNE_ERR_FORMAT, "value 2 of 2" },
        { "[route]\nlayers=0\n[shortcut]\nfrom=1,4\nweights_type=per_pixel\n", PRUNE_ERR_RANGE, "weights_type=per_pixel: must be one of none per_feature" },
        { "[route]\nlayers=0\n[shortcut]\nfrom=1\nweights_type=per_layer\nweights_normalization=max\n", PRUNE_ERR_RANGE, "weights_normalization=max: must be" },
        { "[route]\nlayers=0\n[shortcut]\nfrom=1,3\n", PRUNE_ERR_SHAPE, "layer 3 is 1x1 and cannot be laid over 8x8" },
        { "[shortcut]\nfrom=1,5\n", PRUNE_ERR_RANGE, "from=5 is layer 5" },
        { "[scale_channels]\n", PRUNE_ERR_FORMAT, "from= is missing: the layer to scale" },
        { "[scale_channels]\nfrom=4\n", PRUNE_ERR_RANGE, "from=4 is layer 4" },
        { "[scale_channels]\nfrom=1\n", PRUNE_ERR_SHAPE, "layer 1 is 8x8x4, so its input must be 1x1x4; it is 1x1x6" },
        { "[scale_channels]\nfrom=1\nscale_wh=1\n", PRUNE_ERR_SHAPE, "its input must be 8x8x1; it is 1x1x6" },
        { "[sam]\nfrom=0\n", PRUNE_ERR_SHAPE, "layer 0 is 8x8x6, so its input must be 8x8x6; it is 1x1x6" },
        { "[softmax]\n[sam]\nfrom=4\n", PRUNE_ERR_SHAPE, "needs an image" },
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char text[300];
        snprintf(text, sizeof text, "%s%s", before, faults[i].rest);
        assert_foreign_fault(text, faults[i].code, faults[i].part);
    }
}

static void wrong_memories_and_heads(void **state)
{
    (void)state;
    assert_foreign_fault(NET(8, 6, 4) "[conv_lstm]\noutput=4\n", PRUNE_ERR_SHAPE, "its state of 8x6 would become 6x4; size, stride and pad must keep it");
    assert_foreign_fault(NET(8, 6, 4) "[crnn]\noutput=4\nhidden=4\npad=1\nsize=3\nstride=2\n", PRUNE_ERR_SHAPE, "its state of 8x6 would become 4x3");
    assert_foreign_fault(NET(8, 6, 4) "[crnn]\noutput=4\nhidden=3\npad=1\ngroups=2\n", PRUNE_ERR_SHAPE, "groups=2 must divide hidden=3");
    assert_foreign_fault(NET(8, 6, 4) "[crnn]\noutput=4\nhidden=0\n", PRUNE_ERR_RANGE, "hidden=0");
    assert_foreign_fault(NET(8, 6, 4) "[conv_lstm]\noutput=6\npad=1\ngroups=4\n", PRUNE_ERR_SHAPE, "groups=4 must divide filters=6");
    assert_foreign_fault(NET(8, 6, 4) "[conv_lstm]\noutput=6\npad=1\nbottleneck=1\n", PRUNE_ERR_SHAPE, "bottleneck=1 puts 6 channels of state and 4 of input together");
    assert_foreign_fault(NET(8, 6, 4) "[conv_lstm]\noutput=2147483647\npad=1\n", PRUNE_ERR_RANGE, "more than 2147483647");
    assert_foreign_fault("[net]\ninputs=4\n[rnn]\noutput=3\nhidden=0\n", PRUNE_ERR_RANGE, "hidden=0");
    assert_foreign_fault(NET(8, 8, 21) "[Gaussian_yolo]\nclasses=2\nnum=3\n", PRUNE_ERR_SHAPE, "layer 0 [Gaussian_yolo]: needs 33 channels (anchors in mask * (classes + 9)) and gets 21");
    assert_foreign_fault(NET(8, 8, 33) "[Gaussian_yolo]\nclasses=2\nnum=3\nanchors=1,2,3,4,5,6,7\n", PRUNE_ERR_SHAPE, "anchors= has 7 numbers; num=3 needs 6");
    assert_foreign_fault(NET(8, 8, 21) "[yolo]\nclasses=2\nnum=3\nmask=-1,0,1\n", PRUNE_ERR_RANGE, "mask= has -1");
    assert_foreign_fault(NET(8, 8, 21) "[yolo]\nclasses=2\nnum=3\nmax=0\n", PRUNE_ERR_RANGE, "max=0");
    assert_foreign_fault(NET(8, 8, 21) "[yolo]\nclasses=2\nnum=3\nrandom=x\n", PRUNE_ERR_FORMAT, "random=x");
    assert_foreign_fault(NET(8, 8, 21) "[yolo]\nclasses=2\nnum=3\nembedding_layer=5\n", PRUNE_ERR_RANGE, "embedding_layer=5");

    static const char *const tracker = NET(12, 8, 4) "[conv]\nfilters=36\n[conv]\nfilters=18\n[yolo]\nclasses=1\nnum=3\nembedding_layer=-2\n";
    const struct { const char *rest, *part; } faults[] = {
        { "[contrastive]\n", "yolo_layer=0: must be an earlier [yolo]" },
        { "[contrastive]\nyolo_layer=1\n", "yolo_layer=1: must be an earlier [yolo]" },
        { "[contrastive]\nyolo_layer=2\n", "reads 18 channels for the 3 anchors of layer 2, whose embedding_layer has 36" },
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char text[300];
        snprintf(text, sizeof text, "%s%s", tracker, faults[i].rest);
        assert_foreign_fault(text, PRUNE_ERR_SHAPE, faults[i].part);
    }
    assert_foreign_fault(NET(12, 8, 18) "[yolo]\nclasses=1\nnum=3\n[contrastive]\nyolo_layer=2\n", PRUNE_ERR_RANGE, "yolo_layer=2 is layer 2");
}

static void wrong_net(void **state)
{
    (void)state;
    assert_foreign_fault(NET(8, 8, 4) "policy=cosine\n[conv]\n", PRUNE_ERR_RANGE, "policy=cosine: must be one of constant step steps exp poly sigmoid random sgdr");
    assert_foreign_fault(NET(8, 8, 4) "policy=steps\nsteps=1,2\nscales=.1\n[conv]\n", PRUNE_ERR_SHAPE, "scales= has 1 numbers for the 2 of steps=");
    assert_foreign_fault(NET(8, 8, 4) "batch=0\n[conv]\n", PRUNE_ERR_RANGE, "batch=0");
    assert_foreign_fault(NET(8, 8, 4) "subdivisions=0\n[conv]\n", PRUNE_ERR_RANGE, "subdivisions=0");
    assert_foreign_fault(NET(1000, 1000, 4) "[conv]\nfilters=3000\n", PRUNE_ERR_RANGE, "more than 2147483647 outputs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strides_dilation_and_blur), cmocka_unit_test(pools), cmocka_unit_test(links), cmocka_unit_test(shared_weights), cmocka_unit_test(reordering),
        cmocka_unit_test(memories), cmocka_unit_test(foreign_heads), cmocka_unit_test(net_keys), cmocka_unit_test(every_foreign_thing_is_a_fault_here),
        cmocka_unit_test(what_all_know_is_not_foreign), cmocka_unit_test(dialects_differ), cmocka_unit_test(the_file_tells_the_dialect),
        cmocka_unit_test(unknown_kinds_are_let_through), cmocka_unit_test(wrong_convolutions), cmocka_unit_test(wrong_pools_and_reorgs), cmocka_unit_test(wrong_links),
        cmocka_unit_test(wrong_memories_and_heads), cmocka_unit_test(wrong_net),
    };
    return cmocka_run_group_tests_name("graph of other forks", tests, NULL, NULL);
}
