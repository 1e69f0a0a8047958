/* test_graph.c - shapes and counts by hand, and every fault that the graph refuses
 *
 * DARKNET_CFGS: a folder; every *.cfg in it must be accepted (Darknet's own are what that is for).
 */
#include "reading.h"

#include <dirent.h>

static size_t total_weights(const struct prune_graph *graph)
{
    size_t sum = 0;
    for (int i = 0; i < graph->n_nodes; i++) sum += graph->nodes[i].n_weights;
    return sum;
}

static void assert_output(const struct prune_node *node, int c, int h, int w)
{
    assert_int_equal(node->out_c, c);
    assert_int_equal(node->out_h, h);
    assert_int_equal(node->out_w, w);
    assert_int_equal(node->outputs, (size_t)c * (size_t)h * (size_t)w);
}

static void lenet_300_100(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_good(&cfg, &graph, LENET_300_100);
    assert_int_equal(graph.n_nodes, 4);
    assert_int_equal(graph.inputs, 784);
    assert_int_equal(total_weights(&graph), 266200);            /* 784*300 + 300*100 + 100*10 */
    assert_int_equal(graph.nodes[0].n_weights, 235200);
    assert_int_equal(graph.nodes[0].n_floats, 235500);
    assert_int_equal(graph.nodes[0].macs, 235200);
    assert_output(&graph.nodes[0], 300, 1, 1);
    assert_int_equal(graph.nodes[3].kind, PRUNE_SOFTMAX);
    assert_int_equal(graph.nodes[3].outputs, 10);
    assert_int_equal(graph.nodes[3].out_c, 0);
    free_both(&cfg, &graph);
    free_both(&cfg, &graph);
}

static void lenet_5(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_good(&cfg, &graph, LENET_5);
    assert_int_equal(total_weights(&graph), 430500);            /* 500 + 25000 + 800*500 + 500*10 */
    assert_output(&graph.nodes[0], 20, 24, 24);
    assert_output(&graph.nodes[1], 20, 12, 12);
    assert_output(&graph.nodes[2], 50, 8, 8);
    assert_output(&graph.nodes[3], 50, 4, 4);
    assert_int_equal(graph.nodes[4].inputs, 800);
    assert_int_equal(graph.nodes[0].macs, 24 * 24 * 500);
    assert_int_equal(graph.nodes[2].macs, 8 * 8 * 25000);
    assert_int_equal(graph.nodes[4].n_floats, 400500);
    assert_int_equal(graph.nodes[1].n_floats, 0);
    free_both(&cfg, &graph);
}

static void grouped_and_normalized_convolution(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_good(&cfg, &graph, "[net]\nbatch=64\nsubdivisions=8\nmax_batches=500\nwidth=15\nheight=11\nchannels=8\n"
               "[conv]\nfilters=12\nsize=3\nstride=2\npad=1\npadding=7\ngroups=4\nbatch_normalize=1\nactivation=leaky\n");
    const struct prune_node *node = &graph.nodes[0];
    assert_int_equal(graph.batch, 64);
    assert_int_equal(graph.subdivisions, 8);
    assert_int_equal(graph.max_batches, 500);
    assert_int_equal(node->kind, PRUNE_CONVOLUTIONAL);
    assert_int_equal(node->pad, 1);                             /* pad=1 wins over padding */
    assert_int_equal(node->groups, 4);
    assert_int_equal(node->batch_normalize, 1);
    assert_output(node, 12, 6, 8);
    assert_int_equal(node->n_weights, 12 * 2 * 9);
    assert_int_equal(node->n_biases, 4 * 12);
    assert_int_equal(node->n_floats, 12 * 2 * 9 + 48);
    assert_int_equal(node->macs, 6 * 8 * 12 * 2 * 9);
    free_both(&cfg, &graph);
}

static void routes_and_shortcuts(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_good(&cfg, &graph, NET(8, 8, 3)
               "[conv]\nfilters=4\nsize=1\nactivation=linear\n"        /* 0: 4x8x8 */
               "[conv]\nfilters=6\nsize=3\nstride=2\npad=1\nactivation=linear\n" /* 1: 6x4x4 */
               "[shortcut]\nfrom=0\nactivation=linear\n"               /* 2: 6x4x4 */
               "[route]\nlayers=-1,1\n"                                /* 3: 12x4x4 */
               "[route]\nlayers=0 , -2\n"                              /* 4: flat 256 + 96 */
               "[connected]\noutput=5\n");
    assert_output(&graph.nodes[2], 6, 4, 4);
    assert_int_equal(graph.nodes[2].n_from, 1);
    assert_int_equal(graph.nodes[2].from[0], 0);
    assert_output(&graph.nodes[3], 12, 4, 4);
    assert_int_equal(graph.nodes[3].n_from, 2);
    assert_int_equal(graph.nodes[3].from[0], 2);
    assert_int_equal(graph.nodes[3].from[1], 1);
    assert_int_equal(graph.nodes[4].from[1], 2);
    assert_int_equal(graph.nodes[4].outputs, 352);
    assert_int_equal(graph.nodes[4].out_w, 0);
    assert_int_equal(graph.nodes[5].n_weights, 352 * 5);
    free_both(&cfg, &graph);
}

static void other_kinds(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_good(&cfg, &graph, NET(12, 12, 4)
               "[deconv]\nfilters=8\nsize=4\nstride=2\npadding=1\n"    /* 0: 8x24x24 */
               "[max]\nstride=2\n"                                     /* 1: 8x12x12 */
               "[reorg]\nstride=2\n"                                   /* 2: 32x6x6 */
               "[upsample]\nstride=2\n"                                /* 3: 32x12x12 */
               "[batchnorm]\n"                                         /* 4 */
               "[local]\nfilters=2\nsize=3\nstride=3\n"                /* 5: 2x4x4 */
               "[dropout]\n[avg]\n[lrn]\nsize=1\n[soft]\ngroups=2\n[cost]\n");
    assert_output(&graph.nodes[0], 8, 24, 24);
    assert_int_equal(graph.nodes[0].n_weights, 4 * 8 * 16);
    assert_int_equal(graph.nodes[0].macs, 12 * 12 * 4 * 8 * 16);
    assert_output(&graph.nodes[1], 8, 12, 12);
    assert_output(&graph.nodes[2], 32, 6, 6);
    assert_output(&graph.nodes[3], 32, 12, 12);
    assert_int_equal(graph.nodes[4].n_floats, 3 * 32);
    assert_output(&graph.nodes[5], 2, 4, 4);
    assert_int_equal(graph.nodes[5].n_weights, 32 * 2 * 9 * 16);
    assert_int_equal(graph.nodes[5].macs, 32 * 2 * 9 * 16);
    assert_int_equal(graph.nodes[5].n_biases, 32);
    assert_output(&graph.nodes[6], 2, 4, 4);
    assert_output(&graph.nodes[7], 2, 1, 1);
    free_both(&cfg, &graph);

    build_good(&cfg, &graph, "[net]\nbatch=8\ntime_steps=4\ninputs=7\n[rnn]\noutput=5\n[gru]\noutput=4\nbatch_normalize=1\n[lstm]\noutput=3\n");
    assert_int_equal(graph.nodes[0].n_weights, 7 * 5 + 5 * 5 + 5 * 5);
    assert_int_equal(graph.nodes[0].n_biases, 15);
    assert_int_equal(graph.nodes[0].macs, graph.nodes[0].n_weights);
    assert_int_equal(graph.nodes[1].n_weights, 3 * (5 * 4 + 4 * 4));
    assert_int_equal(graph.nodes[1].n_biases, 6 * 4 * 4);
    assert_int_equal(graph.nodes[2].n_weights, 4 * (4 * 3 + 3 * 3));
    assert_int_equal(graph.nodes[2].n_biases, 8 * 3);
    free_both(&cfg, &graph);

    build_good(&cfg, &graph, NET(5, 5, 2) "[crnn]\nhidden_filters=3\noutput_filters=4\n[conv]\ndontsave=1\n");
    assert_output(&graph.nodes[0], 4, 5, 5);
    assert_int_equal(graph.nodes[0].n_weights, 9 * (2 * 3 + 3 * 3 + 3 * 4));
    assert_int_equal(graph.nodes[0].n_biases, 3 + 3 + 4);
    assert_int_equal(graph.nodes[0].macs, 25 * graph.nodes[0].n_weights);
    assert_int_equal(graph.nodes[1].n_weights, 4);
    assert_int_equal(graph.nodes[1].n_floats, 0);
    free_both(&cfg, &graph);
}

static void heads(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    struct prune_graph graph;
    build_good(&cfg, &graph, NET(13, 13, 21) "[yolo]\nclasses=2\nnum=4\nmask=1,2,3\nanchors=1,2, 3,4, 5,6, 7,8\n");
    assert_output(&graph.nodes[0], 21, 13, 13);
    free_both(&cfg, &graph);
    build_good(&cfg, &graph, NET(13, 13, 21) "[yolo]\nclasses=2\nnum=3\n");
    free_both(&cfg, &graph);
    build_good(&cfg, &graph, NET(13, 13, 16) "[region]\nclasses=3\nnum=2\nanchors=1,2,3,4\n");
    free_both(&cfg, &graph);
    build_good(&cfg, &graph, "[net]\ninputs=81\n[detection]\nclasses=4\ncoords=4\nside=3\nnum=1\n"); /* 3 * 3 * (1 * 5 + 4) */
    assert_int_equal(graph.nodes[0].outputs, 81);
    free_both(&cfg, &graph);
}

static void numbers_and_words(void **state)
{
    (void)state;
    assert_graph_fault("[net]\nbatch=x\n", PRUNE_ERR_FORMAT, ":2: [net]: batch=x: must be a whole number");
    assert_graph_fault("[net]\nlearning_rate=fast\n", PRUNE_ERR_FORMAT, ":2: [net]: learning_rate=fast: must be a number");
    assert_graph_fault("[net]\ninputs=3\nmax_batches=5e5\n[conn]\n", PRUNE_ERR_FORMAT, ":3: [net]: max_batches=5e5");
    assert_graph_fault(NET(8, 8, 1) "[conv]\nfilters=many\n", PRUNE_ERR_FORMAT, ":6: layer 0 [conv]: filters=many");
    assert_graph_fault(NET(8, 8, 1) "[conv]\nbatch_normalize=yes\n", PRUNE_ERR_FORMAT, "batch_normalize=yes");
    assert_graph_fault(NET(8, 8, 1) "[conv]\ndontsave=no\n", PRUNE_ERR_FORMAT, "dontsave=no");
    assert_graph_fault(NET(8, 8, 1) "[conv]\nlearning_rate=1x\n", PRUNE_ERR_FORMAT, "learning_rate=1x");
    assert_graph_fault(NET(8, 8, 1) "[conv]\n[dropout]\nprobability=half\n", PRUNE_ERR_FORMAT, ":7: layer 1 [dropout]: probability=half");
    assert_graph_fault(NET(8, 8, 1) "[conv]\nactivation=mish\n", PRUNE_ERR_RANGE, ":6: layer 0 [conv]: activation=mish: must be one of linear leaky");
    assert_graph_fault(NET(8, 8, 1) "[conv]\nactivation=lea\n", PRUNE_ERR_RANGE, "activation=lea: must");
    assert_graph_fault(NET(8, 8, 1) "[cost]\ntype=huber\n", PRUNE_ERR_RANGE, "type=huber: must be one of sse");
}

static void unknown_kinds(void **state)
{
    (void)state;
    assert_graph_fault(NET(8, 8, 1) "[conv]\n[sam]\nfrom=-2\n", PRUNE_ERR_UNSUPPORTED, ":6: layer 1 [sam] is not known to this Darknet");
    assert_graph_fault(NET(8, 8, 1) "[net]\n", PRUNE_ERR_UNSUPPORTED, "layer 0 [net]");
    assert_graph_fault(NET(8, 8, 1) "[Convolutional]\n", PRUNE_ERR_UNSUPPORTED, "layer 0 [Convolutional]");
    assert_graph_fault(NET(8, 8, 1) "[conv]\n[route]\nlayers=-1\ngroups=2\ngroup_id=1\n", PRUNE_ERR_UNSUPPORTED, ":8: layer 1 [route]: groups=2 is not known");
    assert_graph_fault(NET(8, 8, 1) "[conv]\nstride_x=2\n", PRUNE_ERR_UNSUPPORTED, "stride_x=2 is not known");
}

static void net_section(void **state)
{
    (void)state;
    assert_graph_fault("[net]\nbatch=4\n[conn]\n", PRUNE_ERR_FORMAT, ":1: [net]: width, height and channels, or inputs");
    assert_graph_fault("[net]\nwidth=4\nheight=4\n[conn]\n", PRUNE_ERR_FORMAT, "width, height and channels");
    assert_graph_fault("[net]\nwidth=-4\nheight=-4\nchannels=1\n[conn]\n", PRUNE_ERR_RANGE, ":2: [net]: width=-4: must be at least 0");
    assert_graph_fault(NET(4, 4, 1) "inputs=17\n[conn]\n", PRUNE_ERR_SHAPE, "inputs=17 is not width * height * channels, 16");
    assert_graph_fault(NET(50000, 50000, 3) "[conn]\n", PRUNE_ERR_RANGE, "beyond 2147483647");
    assert_graph_fault(NET(4, 4, 1) "batch=0\n[conn]\n", PRUNE_ERR_RANGE, "batch=0: must be at least 1");
    assert_graph_fault(NET(4, 4, 1) "subdivisions=0\n[conn]\n", PRUNE_ERR_RANGE, "subdivisions=0: must be at least 1");
    assert_graph_fault(NET(4, 4, 1) "batch=4\nsubdivisions=8\n[conn]\n", PRUNE_ERR_RANGE, ":5: [net]: batch=4 is below subdivisions=8");
    assert_graph_fault(NET(4, 4, 1) "time_steps=0\n[conn]\n", PRUNE_ERR_RANGE, "time_steps=0");
    assert_graph_fault(NET(4, 4, 1) "batch=2000000000\ntime_steps=9\n[conn]\n", PRUNE_ERR_RANGE, "time_steps is beyond");
    assert_graph_fault(NET(4, 4, 1), PRUNE_ERR_SHAPE, "no layer after it");
    assert_graph_fault(NET(4, 4, 1) "[cost]\n", PRUNE_ERR_SHAPE, "no layer but [cost] after it");
    assert_graph_fault(NET(4, 4, 1) "policy=sgdr\n[conn]\n", PRUNE_ERR_RANGE, ":5: [net]: policy=sgdr: must be one of constant");
    assert_graph_fault(NET(4, 4, 1) "policy=steps\n[conn]\n", PRUNE_ERR_FORMAT, "policy=steps needs steps=");
    assert_graph_fault(NET(4, 4, 1) "policy=steps\nsteps=1,2\n[conn]\n", PRUNE_ERR_FORMAT, "policy=steps needs scales=");
    assert_graph_fault(NET(4, 4, 1) "policy=steps\nsteps=1,2,3\nscales=.1,.1\n[conn]\n", PRUNE_ERR_SHAPE, "scales= has 2 numbers for the 3 of steps=");
    assert_graph_fault(NET(4, 4, 1) "policy=steps\nsteps=1,b\nscales=.1,.1\n[conn]\n", PRUNE_ERR_FORMAT, "value 2 of 2");
    assert_graph_fault(NET(4, 4, 1) "policy=step\nstep=0\n[conn]\n", PRUNE_ERR_RANGE, "step=0: must be at least 1");
}

static void filters_and_windows(void **state)
{
    (void)state;
    assert_graph_fault(NET(8, 8, 4) "[conv]\nfilters=0\n", PRUNE_ERR_RANGE, "layer 0 [conv]: filters=0: must be at least 1");
    assert_graph_fault(NET(8, 8, 4) "[conv]\nsize=0\n", PRUNE_ERR_RANGE, "size=0");
    assert_graph_fault(NET(8, 8, 4) "[conv]\nstride=-1\n", PRUNE_ERR_RANGE, "stride=-1");
    assert_graph_fault(NET(8, 8, 4) "[conv]\npadding=-1\n", PRUNE_ERR_RANGE, "padding=-1");
    assert_graph_fault(NET(8, 8, 4) "[conv]\nfilters=4\ngroups=0\n", PRUNE_ERR_RANGE, "groups=0");
    assert_graph_fault(NET(8, 8, 4) "[conv]\nfilters=6\ngroups=3\n", PRUNE_ERR_SHAPE, ":7: layer 0 [conv]: groups=3 must divide the input's 4 channels");
    assert_graph_fault(NET(8, 8, 4) "[conv]\nfilters=6\ngroups=4\n", PRUNE_ERR_SHAPE, "groups=4 must divide filters=6");
    assert_graph_fault(NET(8, 8, 4) "[conv]\nfilters=4\ngroups=2\nflipped=1\n", PRUNE_ERR_UNSUPPORTED, "flipped=1 with groups=2");
    assert_graph_fault(NET(8, 8, 4) "[conv]\nsize=9\n", PRUNE_ERR_SHAPE, "size=9 is larger than its input, which is 8x8 with padding");
    assert_graph_fault(NET(8, 8, 4) "[conv]\nnumload=2\n", PRUNE_ERR_RANGE, "numload=2: must be 0 to filters=1");
    assert_graph_fault(NET(8, 8, 4) "[deconv]\nsize=2\npadding=9\n", PRUNE_ERR_SHAPE, "its output would be -9x-9x1");
    assert_graph_fault(NET(8, 8, 4) "[local]\nsize=5\npad=1\n", PRUNE_ERR_SHAPE, "pad=1 does not go with size=5");
    assert_graph_fault(NET(8, 8, 4) "[local]\nsize=9\n", PRUNE_ERR_SHAPE, "size=9 is larger");
    assert_graph_fault(NET(8, 8, 4) "[max]\nstride=0\n", PRUNE_ERR_RANGE, "stride=0");
    assert_graph_fault(NET(8, 8, 4) "[max]\nsize=20\npadding=0\n", PRUNE_ERR_SHAPE, "size=20 is larger");
    assert_graph_fault(NET(8, 8, 4) "[max]\nsize=2\npadding=4\n", PRUNE_ERR_SHAPE, "would lie in the padding alone");
    assert_graph_fault(NET(8, 8, 4) "[crop]\ncrop_width=9\ncrop_height=8\n", PRUNE_ERR_SHAPE, "cannot crop 9x8 out of 8x8");
    assert_graph_fault(NET(8, 8, 4) "[reorg]\nstride=4\n", PRUNE_ERR_SHAPE, "4 channels must be a multiple of 16");
    assert_graph_fault(NET(7, 8, 4) "[reorg]\nstride=2\n", PRUNE_ERR_SHAPE, "stride=2 must divide the input's 7x8");
    assert_graph_fault(NET(8, 8, 4) "[upsample]\nstride=0\n", PRUNE_ERR_RANGE, "stride=0");
    assert_graph_fault(NET(8, 8, 4) "[upsample]\nstride=-3\n", PRUNE_ERR_SHAPE, "3 must divide the input's 8x8");
    assert_graph_fault(NET(8, 8, 4) "[lrn]\nsize=10\n", PRUNE_ERR_SHAPE, "size=10 reaches beyond the input's 4 channels");
    assert_graph_fault(NET(8, 8, 4) "[conn]\noutput=0\n", PRUNE_ERR_RANGE, "output=0: must be at least 1");
    assert_graph_fault(NET(8, 8, 4) "[softmax]\ngroups=5\n", PRUNE_ERR_SHAPE, "groups=5 must divide the 256 inputs");
    assert_graph_fault(NET(8, 8, 4) "[softmax]\ngroups=0\n", PRUNE_ERR_RANGE, "groups=0");
    assert_graph_fault(NET(8, 9, 4) "[crnn]\n", PRUNE_ERR_UNSUPPORTED, "its input is 8x9; it must be square");
}

static void images_after_flat_layers(void **state)
{
    (void)state;
    const char *const kinds[] = { "conv", "deconv", "local", "max", "avg", "crop", "reorg", "upsample", "batchnorm", "lrn", "l2norm", "crnn", "yolo", "region", "iseg" };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char text[100];
        snprintf(text, sizeof text, "[net]\ninputs=6\n[softmax]\n[%s]\n", kinds[i]);
        assert_graph_fault(text, PRUNE_ERR_SHAPE, ":4: layer 1");
        assert_said("needs an image (width, height, channels) before it, and gets a flat 6");
    }
}

static void wrong_links(void **state)
{
    (void)state;
    const char *conv = NET(8, 8, 4) "[conv]\n";
    char text[300];
    const struct { const char *rest; int code; const char *part; } faults[] = {
        { "[route]\n", PRUNE_ERR_FORMAT, ":6: layer 1 [route]: layers= is missing" },
        { "[route]\nlayers=-2\n", PRUNE_ERR_RANGE, ":7: layer 1 [route]: layers=-2 is layer -1; must be an earlier one, 0 to 0" },
        { "[route]\nlayers=1\n", PRUNE_ERR_RANGE, "layers=1 is layer 1" },
        { "[route]\nlayers=0,2\n", PRUNE_ERR_RANGE, "layers=2 is layer 2" },
        { "[route]\nlayers=-2147483648\n", PRUNE_ERR_RANGE, "layers=-2147483648" },
        { "[route]\nlayers=0,\n", PRUNE_ERR_FORMAT, "value 2 of 2 is not" },
        { "[route]\nlayers=last\n", PRUNE_ERR_FORMAT, "value 1 of 1 is not" },
        { "[shortcut]\n", PRUNE_ERR_FORMAT, "from= is missing" },
        { "[shortcut]\nfrom=1\n", PRUNE_ERR_RANGE, "from=1 is layer 1" },
        { "[shortcut]\nfrom=-2\n", PRUNE_ERR_RANGE, "from=-2 is layer -1" },
        { "[shortcut]\nfrom=-1,-2\n", PRUNE_ERR_FORMAT, "from=-1,-2: must be a whole number" },
        { "[softmax]\n[shortcut]\nfrom=0\n", PRUNE_ERR_SHAPE, "needs an image" },
        { "[softmax]\n[route]\nlayers=0\n[shortcut]\nfrom=1\n", PRUNE_ERR_SHAPE, "layer 1 gives a flat 64" },
        { "[crop]\ncrop_width=4\ncrop_height=8\n[shortcut]\nfrom=0\n", PRUNE_ERR_SHAPE, "layer 0 is 8x8 and cannot be laid over 4x8" },
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        snprintf(text, sizeof text, "%s%s", conv, faults[i].rest);
        assert_graph_fault(text, faults[i].code, faults[i].part);
    }
    assert_graph_fault(NET(8, 8, 4) "[dropout]\n", PRUNE_ERR_SHAPE, "layer 0 [dropout]: needs a layer before it");
    assert_graph_fault(NET(8, 8, 4) "[route]\nlayers=-1\n", PRUNE_ERR_RANGE, "there is no layer before it");
    assert_graph_fault(NET(8, 8, 4) "[shortcut]\nfrom=0\n", PRUNE_ERR_RANGE, "there is no layer before it");
}

static void wrong_heads(void **state)
{
    (void)state;
    assert_graph_fault(NET(8, 8, 20) "[yolo]\nclasses=2\nnum=3\n", PRUNE_ERR_SHAPE, "layer 0 [yolo]: needs 21 channels (anchors in mask * (classes + 5)) and gets 20");
    assert_graph_fault(NET(8, 8, 21) "[yolo]\nclasses=2\nnum=3\nmask=1,2,3\n", PRUNE_ERR_RANGE, ":8: layer 0 [yolo]: mask= has 3; must be an anchor, 0 to 2 (num=3)");
    assert_graph_fault(NET(8, 8, 21) "[yolo]\nclasses=2\nnum=3\nmask=-1,2,0\n", PRUNE_ERR_RANGE, "mask= has -1");
    assert_graph_fault(NET(8, 8, 21) "[yolo]\nclasses=2\nnum=3\nanchors=1,2,3,4,5,6,7\n", PRUNE_ERR_SHAPE, "anchors= has 7 numbers; num=3 needs 6");
    assert_graph_fault(NET(8, 8, 21) "[yolo]\nclasses=2\nnum=3\nanchors=1,2,3,4,5\n", PRUNE_ERR_SHAPE, "anchors= has 5 numbers");
    assert_graph_fault(NET(8, 8, 21) "[yolo]\nclasses=2\nnum=3\nanchors=1,2,3,4,5,x\n", PRUNE_ERR_FORMAT, "value 6 of 6");
    assert_graph_fault(NET(8, 8, 21) "[yolo]\nclasses=2\nnum=3\nmax=200\n", PRUNE_ERR_RANGE, "max=200: must be at most 90");
    assert_graph_fault(NET(8, 8, 21) "[region]\nclasses=2\nnum=2\n", PRUNE_ERR_SHAPE, "layer 0 [region]: needs 14 channels (num * (classes + coords + 1)) and gets 21");
    assert_graph_fault(NET(8, 8, 14) "[region]\nclasses=2\nnum=2\nanchors=1,2\n", PRUNE_ERR_SHAPE, "anchors= has 2 numbers; num=2 needs 4");
    assert_graph_fault(NET(8, 8, 3) "[iseg]\nclasses=2\nids=2\n", PRUNE_ERR_SHAPE, "needs 4 channels (classes + ids) and gets 3");
    assert_graph_fault(NET(8, 8, 3) "[detection]\nside=2\n", PRUNE_ERR_SHAPE, "needs 12 inputs (side * side * (num * (coords + 1) + classes)) and gets 192");
}

static void too_large(void **state)
{
    (void)state;
    assert_graph_fault("[net]\ninputs=100000\n[conn]\noutput=100000\n", PRUNE_ERR_RANGE, "layer 0 [conn]: more than 2147483647 weights");
    assert_graph_fault(NET(8, 8, 4) "[conv]\nfilters=2147483647\nsize=2147483647\npadding=2147483647\n", PRUNE_ERR_RANGE, "more than 2147483647");
    assert_graph_fault(NET(1000, 1000, 4) "[conv]\nfilters=3000\n", PRUNE_ERR_RANGE, "more than 2147483647 outputs");
    assert_graph_fault(NET(1000, 1000, 4) "batch=1000\n[conv]\nfilters=3\n", PRUNE_ERR_RANGE, "more than 2147483647 outputs in one pass");
    assert_graph_fault(NET(8, 8, 4) "[upsample]\nstride=2147483647\n", PRUNE_ERR_RANGE, "more than 2147483647 outputs");
    assert_graph_fault(NET(8, 8, 4) "[reorg]\nstride=2147483647\n", PRUNE_ERR_SHAPE, "channels must be a multiple of");
    assert_graph_fault(NET(8, 8, 4) "[upsample]\nstride=-2147483648\n", PRUNE_ERR_RANGE, "stride=-2147483648");
    assert_graph_fault(NET(8, 8, 4) "[deconv]\nstride=2147483647\nsize=2147483647\n", PRUNE_ERR_RANGE, "more than 2147483647");
    assert_graph_fault(NET(8, 8, 4) "[lstm]\noutput=2147483647\n", PRUNE_ERR_RANGE, "more than 2147483647");
    assert_graph_fault(NET(8, 8, 4) "[crnn]\nhidden_filters=2147483647\noutput_filters=2147483647\nbatch_normalize=1\n", PRUNE_ERR_RANGE, "more than 2147483647");
    assert_graph_fault(NET(8, 8, 4) "[yolo]\nclasses=2147483647\nnum=2147483647\n", PRUNE_ERR_SHAPE, "channels");
    assert_graph_fault(NET(8, 8, 4) "[detection]\nclasses=2147483647\nnum=2147483647\ncoords=2147483647\nside=2147483647\n", PRUNE_ERR_SHAPE, "needs 9223372036854775807 inputs");
    assert_graph_fault(NET(8, 8, 4) "[conv]\nfilters=4294967297\n", PRUNE_ERR_RANGE, "filters=4294967297: too large");
}

static void names_of_kinds(void **state)
{
    (void)state;
    assert_string_equal(prune_kind_name(PRUNE_CONVOLUTIONAL), "convolutional");
    assert_string_equal(prune_kind_name(PRUNE_CRNN), "crnn");
    assert_string_equal(prune_kind_name((enum prune_kind)1000), "unknown");
}

static void cfgs_of_a_folder(void **state)
{
    (void)state;
    const char *folder = getenv("DARKNET_CFGS");
    if (!folder) skip();
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int n = 0;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name);
        if (length < 4 || strcmp(entry->d_name + length - 4, ".cfg")) continue;
        char path[1024];
        struct prune_cfg cfg;
        struct prune_graph graph;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        assert_int_equal(prune_cfg_read(&cfg, path), PRUNE_OK);
        assert_int_equal(prune_graph_build(&graph, &cfg, PRUNE_THIS_DARKNET), PRUNE_OK);
        free_both(&cfg, &graph);
        n++;
    }
    closedir(dir);
    assert_true(n > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lenet_300_100), cmocka_unit_test(lenet_5), cmocka_unit_test(grouped_and_normalized_convolution),
        cmocka_unit_test(routes_and_shortcuts), cmocka_unit_test(other_kinds), cmocka_unit_test(heads), cmocka_unit_test(numbers_and_words),
        cmocka_unit_test(unknown_kinds), cmocka_unit_test(net_section), cmocka_unit_test(filters_and_windows), cmocka_unit_test(images_after_flat_layers),
        cmocka_unit_test(wrong_links), cmocka_unit_test(wrong_heads), cmocka_unit_test(too_large), cmocka_unit_test(names_of_kinds),
        cmocka_unit_test(cfgs_of_a_folder),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
