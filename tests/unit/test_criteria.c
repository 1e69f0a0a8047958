/* test_criteria.c - scores of coupled groups, against twins that visit every weight in file order, and against values by hand */
#include "reading.h"
#include "random.h"

#include <math.h>

struct net {
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_channels channels;
    struct prune_params *params, *gradients;    /* n_nodes; every array in them is this test's own */
};

/* ------------------------------------------------------------------------------------------------------------ nets -- */

static float *random_floats(size_t n, int positive)
{
    float *values = malloc((n + 1) * sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < n; i++) values[i] = positive ? (float)(random_unit() + 0.01) : 0.3F * random_bell();
    return values;
}

/* As prune_weights_params has it, with numbers of no file. */
static struct prune_params *random_params(const struct prune_graph *graph, int gradients)
{
    struct prune_params *params = calloc((size_t)graph->n_nodes, sizeof *params);
    assert_non_null(params);
    for (int l = 0; l < graph->n_nodes; l++) {
        const struct prune_node *node = &graph->nodes[l];
        if (node->share >= 0) {
            params[l] = params[node->share];
            continue;
        }
        size_t n = node->kind == PRUNE_LOCAL ? node->outputs : (size_t)node->out_c;
        if (node->n_weights) params[l].weights = random_floats(node->n_weights, 0);
        if (node->n_biases) params[l].biases = random_floats(n, 0);
        if (!node->batch_normalize && node->kind != PRUNE_BATCHNORM) continue;
        params[l].scales = random_floats(n, 0);
        if (gradients) continue;
        params[l].means = random_floats(n, 0);
        params[l].variances = random_floats(n, 1);
    }
    return params;
}

static void free_params(const struct prune_graph *graph, struct prune_params *params)
{
    for (int l = 0; l < graph->n_nodes; l++) {
        if (graph->nodes[l].share >= 0) continue;
        free(params[l].weights);
        free(params[l].biases);
        free(params[l].scales);
        free(params[l].means);
        free(params[l].variances);
    }
    free(params);
}

static void build(struct net *net, const char *text, enum prune_dialect dialect)
{
    assert_int_equal(read_cfg_text(&net->cfg, text), PRUNE_OK);
    assert_int_equal(prune_graph_build(&net->graph, &net->cfg, dialect), PRUNE_OK);
    assert_int_equal(prune_channels_build(&net->channels, &net->graph), PRUNE_OK);
    net->params = random_params(&net->graph, 0);
    net->gradients = random_params(&net->graph, 1);
}

static void free_net(struct net *net)
{
    free_params(&net->graph, net->params);
    free_params(&net->graph, net->gradients);
    prune_channels_free(&net->channels);
    free_both(&net->cfg, &net->graph);
}

enum { CHAIN, SUMS, SHARED, KINDS };

/* Random widths. */
static void build_random(struct net *net, int kind)
{
    static char text[4000];
    int a = 1 + (int)random_below(6), b = 1 + (int)random_below(6), c = 1 + (int)random_below(9);
    if (kind == CHAIN)                          /* grouped and depthwise convolutions, an image read by connected */
        snprintf(text, sizeof text, NET(8, 6, 3)
                 "[convolutional]\nfilters=%d\nsize=3\npad=1\nbatch_normalize=1\nactivation=leaky\n"
                 "[maxpool]\nsize=2\nstride=2\n"
                 "[convolutional]\nfilters=%d\nsize=3\npad=1\ngroups=%d\nactivation=relu\n"
                 "[convolutional]\nfilters=%d\nsize=3\npad=1\ngroups=%d\nbatch_normalize=1\nactivation=relu\n"
                 "[convolutional]\nfilters=%d\nsize=1\nactivation=relu\n"
                 "[connected]\noutput=%d\nbatch_normalize=1\nactivation=relu\n[connected]\noutput=%d\nactivation=relu\n[connected]\noutput=3\nactivation=linear\n[softmax]\n",
                 2 * a, 2 * b, a > 1 ? 2 : 1, 4 * b, 2 * b, c, a + c, b + 1);
    if (kind == SUMS)                           /* shortcuts, one of them of unequal widths; batchnorm, deconvolutional, local, a route that reads a layer twice */
        snprintf(text, sizeof text, NET(6, 6, 2)
                 "[convolutional]\nfilters=%d\nsize=3\npad=1\nbatch_normalize=1\nactivation=relu\n"
                 "[convolutional]\nfilters=%d\nsize=1\nactivation=relu\n"
                 "[shortcut]\nfrom=-2\nactivation=relu\n"
                 "[convolutional]\nfilters=%d\nsize=3\npad=1\nbatch_normalize=1\nactivation=linear\n"
                 "[shortcut]\nfrom=-3\nactivation=leaky\n"
                 "[batchnorm]\n"
                 "[local]\nfilters=%d\nsize=3\nactivation=relu\n"
                 "[route]\nlayers=-1,-1\n"
                 "[convolutional]\nfilters=4\nsize=1\nactivation=relu\n"
                 "[deconvolutional]\nfilters=%d\nsize=2\nstride=2\nbatch_normalize=1\nactivation=relu\n"
                 "[convolutional]\nfilters=5\nsize=1\nactivation=relu\n[avgpool]\n[softmax]\n",
                 a + 1, a + 1, a + b, c, b);
    if (kind == SHARED)
        snprintf(text, sizeof text, NET(6, 6, 3)
                 "[convolutional]\nfilters=%d\nsize=3\npad=1\nbatch_normalize=1\nactivation=mish\n"
                 "[convolutional]\nfilters=%d\nsize=3\npad=1\nbatch_normalize=1\nactivation=mish\n"
                 "[convolutional]\nshare_index=1\nfilters=%d\nsize=3\npad=1\nbatch_normalize=1\nactivation=mish\n"
                 "[shortcut]\nfrom=-3\nweights_type=per_channel\nactivation=linear\n"
                 "[convolutional]\nfilters=%d\nsize=1\nactivation=swish\n"
                 "[convolutional]\nfilters=4\nsize=1\nactivation=linear\n[avgpool]\n[softmax]\n",
                 a, a, a, b);
    build(net, text, kind == SHARED ? PRUNE_ALEXEYAB : PRUNE_THIS_DARKNET);
    if (kind == SHARED) assert_true(net->graph.nodes[2].share == 1 && net->graph.nodes[3].per_channel && net->graph.nodes[3].n_weights == 2 * (size_t)a);
}

/* ------------------------------------------------------------------------------------------------------------ twins -- */

/* Visits all weights of a layer in the order in which they lie, with the output channel that each makes and the input channel that it reads. */
typedef void visitor(void *context, size_t i, int out, int in);

static void visit(const struct net *net, int layer, visitor *see, void *context)
{
    const struct prune_node *node = &net->graph.nodes[layer];
    int n_in, n_out = net->channels.n_channels[layer], area = node->size * node->size, places;
    prune_channels_in(&net->channels, layer, &n_in);
    size_t i = 0;
    switch (node->kind) {
    case PRUNE_CONVOLUTIONAL:
        for (int f = 0; f < n_out; f++)
            for (int c = 0; c < n_in / node->groups; c++)
                for (int k = 0; k < area; k++) see(context, i++, f, f * node->groups / n_out * (n_in / node->groups) + c);
        break;
    case PRUNE_DECONVOLUTIONAL:
        for (int c = 0; c < n_in; c++)
            for (int f = 0; f < n_out; f++)
                for (int k = 0; k < area; k++) see(context, i++, f, c);
        break;
    case PRUNE_CONNECTED:
        places = (int)node->inputs / n_in;
        for (int f = 0; f < n_out; f++)
            for (int c = 0; c < n_in; c++)
                for (int k = 0; k < places; k++) see(context, i++, f, c);
        break;
    case PRUNE_LOCAL:
        places = node->out_w * node->out_h;
        for (int p = 0; p < places; p++)
            for (int f = 0; f < n_out; f++)
                for (int c = 0; c < n_in; c++)
                    for (int k = 0; k < area; k++) see(context, i++, f, c);
        break;
    default:
        return;
    }
    assert_int_equal(i, node->n_weights);
}

struct sums {                   /* by channel */
    const float *weights, *gradients;
    int columns;
    double sizes[200], squares[200], products[200];
};

static void see_sums(void *context, size_t i, int out, int in)
{
    struct sums *sums = context;
    int at = sums->columns ? in : out;
    sums->sizes[at] += fabs((double)sums->weights[i]);
    sums->squares[at] += (double)sums->weights[i] * (double)sums->weights[i];
    sums->products[at] += (double)sums->weights[i] * (double)sums->gradients[i];
}

struct filters {
    const float *weights;
    int n[200];
    double values[200][3000];
};

static void see_filters(void *context, size_t i, int out, int in)
{
    struct filters *filters = context;
    (void)in;
    filters->values[out][filters->n[out]++] = (double)filters->weights[i];
}

static double distance(const struct filters *filters, int a, int b)
{
    double sum = 0;
    for (int i = 0; i < filters->n[a]; i++) {
        double less = filters->values[a][i] - filters->values[b][i];
        sum += less * less;
    }
    return sqrt(sum);
}

static double twin_share(const struct net *net, enum prune_criterion criterion, int layer, int channel, const struct sums *sums)
{
    const struct prune_params *values = &net->params[layer], *gradients = &net->gradients[layer];
    double l2 = sqrt(sums->squares[channel]), product = sums->products[channel];
    size_t n = (size_t)net->channels.n_channels[layer];
    switch (criterion) {
    case PRUNE_L1: return sums->sizes[channel];
    case PRUNE_GAMMA: return values->scales ? fabs((double)values->scales[channel]) : l2;
    case PRUNE_FOLDED: return values->scales ? l2 * fabs((double)values->scales[channel]) / (sqrt((double)values->variances[channel]) + 1e-6) : l2;
    case PRUNE_TAYLOR:
        for (size_t i = 0; i < net->graph.nodes[layer].outputs && !sums->columns; i++) {       /* biases: (filter, place) or (filter) */
            size_t places = net->graph.nodes[layer].kind == PRUNE_LOCAL ? net->graph.nodes[layer].outputs / n : 1;
            if (i < n * places && i / places == (size_t)channel) product += (double)values->biases[i] * (double)gradients->biases[i];
        }
        if (values->scales && !sums->columns) product += (double)values->scales[channel] * (double)gradients->scales[channel];
        return product * product;
    default: return l2;
    }
}

static void twin(const struct net *net, enum prune_criterion criterion, int columns, double *scores)
{
    static struct filters filters;
    for (int g = 0; g < net->channels.n_groups; g++) scores[g] = 0;
    for (int l = 0; l < net->graph.n_nodes; l++) {
        const struct prune_node *node = &net->graph.nodes[l];
        const float *weights = net->params[l].weights;
        int n = net->channels.n_channels[l];
        const int *groups = columns ? prune_channels_in(&net->channels, l, &n) : net->channels.group[l];
        int made = node->kind == PRUNE_CONVOLUTIONAL || node->kind == PRUNE_DECONVOLUTIONAL || node->kind == PRUNE_CONNECTED || node->kind == PRUNE_LOCAL;
        if (node->kind == PRUNE_BATCHNORM && criterion == PRUNE_GAMMA)
            for (int i = 0; i < n; i++) scores[groups[i]] += fabs((double)net->params[l].scales[i]);
        if (node->kind == PRUNE_SHORTCUT && node->per_channel && criterion == PRUNE_TAYLOR && !columns)
            for (int i = 0; i < n; i++) {
                double sum = (double)weights[i] * (double)net->gradients[l].weights[i] + (double)weights[n + i] * (double)net->gradients[l].weights[n + i];
                scores[groups[i]] += sum * sum;
            }
        if (!made || node->share >= 0) continue;
        if (criterion == PRUNE_FPGM) {
            filters = (struct filters){ .weights = weights };
            visit(net, l, see_filters, &filters);
            for (int a = 0; a < n; a++)
                for (int b = 0; b < n; b++) scores[groups[a]] += distance(&filters, a, b);
            continue;
        }
        struct sums sums = { .weights = weights, .gradients = net->gradients[l].weights, .columns = columns };
        visit(net, l, see_sums, &sums);
        for (int i = 0; i < n; i++) scores[groups[i]] += twin_share(net, criterion, l, i, &sums);
    }
    for (int g = 0; g < net->channels.n_groups; g++)
        if (net->channels.groups[g].pin != PRUNE_FREE) scores[g] = 0;
}

static int count_free(const struct net *net)
{
    int n = 0;
    for (int g = 0; g < net->channels.n_groups; g++) n += net->channels.groups[g].pin == PRUNE_FREE;
    return n;
}

static void check_close(const struct net *net, enum prune_criterion criterion, enum prune_granularity granularity, double tolerance)
{
    struct prune_evidence evidence = { .gradients = net->gradients };
    double *expected = calloc((size_t)net->channels.n_groups, sizeof *expected), *scores = calloc((size_t)net->channels.n_groups, sizeof *scores);
    assert_int_equal(prune_criteria_score(criterion, granularity, &net->channels, net->params, &evidence, scores), PRUNE_OK);
    twin(net, criterion, granularity == PRUNE_CHANNEL && (criterion == PRUNE_L1 || criterion == PRUNE_L2 || criterion == PRUNE_TAYLOR), expected);
    int positive = 0;
    for (int g = 0; g < net->channels.n_groups; g++) {
        if (!(fabs(scores[g] - expected[g]) <= tolerance * (1 + fabs(expected[g]))))
            fail_msg("criterion %d, granularity %d, group %d: %.12g, and not %.12g", criterion, granularity, g, scores[g], expected[g]);
        positive += scores[g] > 0;
    }
    if (criterion != PRUNE_FPGM) assert_true(2 * positive >= count_free(net));  /* a comparison of zeros would be none */
    free(expected);
    free(scores);
}

static void weights_are_summed_over_members(void **state)
{
    (void)state;
    static const enum prune_criterion criteria[] = { PRUNE_L1, PRUNE_L2, PRUNE_GAMMA, PRUNE_FOLDED, PRUNE_TAYLOR, PRUNE_FPGM };
    for (int kind = CHAIN; kind < KINDS; kind++)
        for (int round = 0; round < 25; round++) {
            struct net net;
            random_seed((uint64_t)(100 * kind + round));
            build_random(&net, kind);
            assert_true(count_free(&net) > 0);
            for (size_t i = 0; i < sizeof criteria / sizeof *criteria; i++)
                for (int granularity = PRUNE_FILTER; granularity <= PRUNE_CHANNEL; granularity++)
                    check_close(&net, criteria[i], (enum prune_granularity)granularity, criteria[i] == PRUNE_FPGM ? 1e-7 : 1e-12);
            free_net(&net);
        }
}

/* More filters and weights than one tile of the distances has, neither a multiple of it. */
static void distances_cross_tiles(void **state)
{
    (void)state;
    struct net net;
    random_seed(7);
    build(&net, NET(5, 5, 31) "[convolutional]\nfilters=75\nsize=3\nactivation=relu\n[connected]\noutput=70\nactivation=relu\n[connected]\noutput=2\nactivation=linear\n[softmax]\n",
          PRUNE_THIS_DARKNET);
    for (int i = 0; i < 31 * 9; i++) net.params[0].weights[40 * 31 * 9 + i] = net.params[0].weights[3 * 31 * 9 + i];    /* two equal filters */
    check_close(&net, PRUNE_FPGM, PRUNE_FILTER, 1e-7);
    double *scores = calloc((size_t)net.channels.n_groups, sizeof *scores);
    assert_int_equal(prune_criteria_score(PRUNE_FPGM, PRUNE_FILTER, &net.channels, net.params, NULL, scores), PRUNE_OK);
    assert_true(fabs(scores[net.channels.group[0][3]] - scores[net.channels.group[0][40]]) < 1e-5);
    free(scores);
    free_net(&net);
}

/* ---------------------------------------------------------------------------------------------------------- by hand -- */

#define SMALL NET(2, 1, 1) "[connected]\noutput=3\nactivation=relu\n[connected]\noutput=2\nactivation=linear\n[softmax]\n"

static double score_of(const struct net *net, enum prune_criterion criterion, const struct prune_evidence *evidence, int layer, int channel)
{
    double scores[100];
    assert_true(net->channels.n_groups <= 100);
    assert_int_equal(prune_criteria_score(criterion, PRUNE_FILTER, &net->channels, net->params, evidence, scores), PRUNE_OK);
    for (int g = 0; g < net->channels.n_groups; g++)
        if (net->channels.groups[g].pin != PRUNE_FREE) assert_true(scores[g] == 0);
    return scores[net->channels.group[layer][channel]];
}

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) < 1e-7)) fail_msg("%.12g, and not %.12g", a, b);
}

static void values_by_hand(void **state)
{
    (void)state;
    struct net net;
    random_seed(1);
    build(&net, SMALL, PRUNE_THIS_DARKNET);
    const float rows[] = { 0, 0, 3, -4, 0, -8 }, gradients[] = { 1, 1, 2, 0.5F, 0, -1 }, biases[] = { 1, 2, 3 }, bias_gradients[] = { -3, 0, 1 };
    memcpy(net.params[0].weights, rows, sizeof rows);
    memcpy(net.gradients[0].weights, gradients, sizeof gradients);
    memcpy(net.params[0].biases, biases, sizeof biases);
    memcpy(net.gradients[0].biases, bias_gradients, sizeof bias_gradients);
    const double l1[] = { 0, 7, 8 }, l2[] = { 0, 5, 8 }, fpgm[] = { 5 + 8, 5 + 5, 8 + 5 }, taylor[] = { 9, 16, 121 };
    struct prune_evidence evidence = { .gradients = net.gradients };
    for (int i = 0; i < 3; i++) {
        assert_near(score_of(&net, PRUNE_L1, NULL, 0, i), l1[i]);
        assert_near(score_of(&net, PRUNE_L2, NULL, 0, i), l2[i]);
        assert_near(score_of(&net, PRUNE_GAMMA, NULL, 0, i), l2[i]);
        assert_near(score_of(&net, PRUNE_FPGM, NULL, 0, i), fpgm[i]);
        assert_near(score_of(&net, PRUNE_TAYLOR, &evidence, 0, i), taylor[i]);
    }
    free_net(&net);
}

static void broken_weights_go_first_and_spoil_nothing(void **state)
{
    (void)state;
    static const float strange[] = { NAN, INFINITY, -INFINITY };
    static const enum prune_criterion criteria[] = { PRUNE_L1, PRUNE_L2, PRUNE_GAMMA, PRUNE_TAYLOR, PRUNE_FPGM };
    for (size_t s = 0; s < 3; s++)
        for (size_t c = 0; c < sizeof criteria / sizeof *criteria; c++) {
            struct net net;
            random_seed(2);
            build(&net, SMALL, PRUNE_THIS_DARKNET);
            const float rows[] = { 1, 2, 0, 0, 4, 6 };
            memcpy(net.params[0].weights, rows, sizeof rows);
            net.params[0].weights[3] = strange[s];
            struct prune_evidence evidence = { .gradients = net.gradients };
            assert_true(score_of(&net, criteria[c], &evidence, 0, 1) == 0);
            for (int i = 0; i < 3; i += 2) {
                double score = score_of(&net, criteria[c], &evidence, 0, i);
                assert_true(isfinite(score) && score > 0);
                if (criteria[c] == PRUNE_FPGM) assert_near(score, 5);   /* from the other sound one alone */
            }
            free_net(&net);
        }
}

static void random_scores_come_from_seed_and_group(void **state)
{
    (void)state;
    struct net net;
    random_seed(3);
    build(&net, NET(4, 4, 1) "[convolutional]\nfilters=80\nsize=3\nactivation=relu\n[connected]\noutput=2\nactivation=linear\n[softmax]\n", PRUNE_THIS_DARKNET);
    struct prune_evidence one = { .seed = 1 }, two = { .seed = 2 };
    double sum = 0, square = 0;
    int same = 0;
    for (int i = 0; i < 80; i++) {
        double x = score_of(&net, PRUNE_RANDOM, &one, 0, i);
        assert_true(x >= 0 && x < 1 && x == score_of(&net, PRUNE_RANDOM, &one, 0, i));
        same += x == score_of(&net, PRUNE_RANDOM, &two, 0, i);
        sum += x;
        square += x * x;
    }
    assert_int_equal(same, 0);
    assert_true(fabs(sum / 80 - 0.5) < 0.12 && fabs(square / 80 - 1.0 / 3) < 0.12);
    free_net(&net);
}

/* --------------------------------------------------------------------------------------------------------- observed -- */

static void apoz_and_entropy_by_hand(void **state)
{
    (void)state;
    enum { IMAGES = 4 };
    struct net net;
    random_seed(4);
    build(&net, NET(3, 1, 1) "[convolutional]\nfilters=4\nsize=1\nactivation=leaky\n[connected]\noutput=2\nactivation=linear\n[softmax]\n", PRUNE_THIS_DARKNET);
    float first[IMAGES][4][3] = {
        { { 0, -1, 2 }, { 5, 5, 5 }, { 0, 0, 0 }, { 1, 1, 1 } },
        { { 0, 0, 0 }, { 5, 5, 5 }, { 0, 0, 3 }, { 2, 2, 2 } },
        { { 1, 1, 1 }, { 5, 5, 5 }, { 0, 3, 0 }, { 3, 3, 3 } },
        { { -1, -2, -3 }, { 5, 5, 5 }, { 3, 0, 0 }, { 4, 4, 4 } },
    };
    float more[IMAGES][4][3] = { { { 0 } } };
    float *outputs[] = { &first[0][0][0], NULL, NULL }, *others[] = { &more[0][0][0], NULL, NULL };
    struct prune_observed observed;
    assert_int_equal(prune_observed_open(&observed, &net.channels, IMAGES), PRUNE_OK);
    prune_observed_add(&observed, outputs, 1);
    float *rest[] = { &first[1][0][0], NULL, NULL };
    prune_observed_add(&observed, rest, 3);
    prune_observed_add(&observed, others, IMAGES);      /* no room left */
    assert_int_equal(observed.images, IMAGES);
    struct prune_evidence evidence = { .observed = &observed };
    const double apoz[] = { 4.0 / 12, 1, 3.0 / 12, 1 };
    /* means: 1/3, 0, 1, -2: four bins; one value; 0 and three times 1; four bins */
    const double entropy[] = { log(4), 0, -0.25 * log(0.25) - 0.75 * log(0.75), log(4) };
    for (int i = 0; i < 4; i++) {
        assert_near(score_of(&net, PRUNE_APOZ, &evidence, 0, i), apoz[i]);
        assert_near(score_of(&net, PRUNE_ENTROPY, &evidence, 0, i), entropy[i]);
    }
    prune_observed_free(&observed);
    prune_observed_free(&observed);
    free_net(&net);
}

/* Bins as a sorted list of borders, zeros by counting; sums over members, among them a layer with the weights of another. */
static void outputs_are_summed_over_members(void **state)
{
    (void)state;
    for (int round = 0; round < 12; round++) {
        struct net net;
        struct prune_observed observed;
        random_seed((uint64_t)(500 + round));
        build_random(&net, round % KINDS);
        int images = 1 + (int)random_below(40), n_nodes = net.graph.n_nodes;
        float **outputs = calloc((size_t)n_nodes, sizeof *outputs), **batch = calloc((size_t)n_nodes, sizeof *batch);
        for (int l = 0; l < n_nodes; l++) {
            outputs[l] = random_floats((size_t)images * net.graph.nodes[l].outputs, 0);
            for (size_t i = 0; i < (size_t)images * net.graph.nodes[l].outputs; i++)
                if (!random_below(3)) outputs[l][i] = 0;
        }
        assert_int_equal(prune_observed_open(&observed, &net.channels, (size_t)images), PRUNE_OK);
        for (int at = 0; at < images; at += 3) {
            for (int l = 0; l < n_nodes; l++) batch[l] = outputs[l] + (size_t)at * net.graph.nodes[l].outputs;
            prune_observed_add(&observed, batch, images - at < 3 ? images - at : 3);
        }
        double *expected[2], *scores = calloc((size_t)net.channels.n_groups, sizeof *scores);
        for (int i = 0; i < 2; i++) expected[i] = calloc((size_t)net.channels.n_groups, sizeof **expected);
        for (int m = 0; m < net.channels.n_members; m++) {
            const struct prune_member *member = &net.channels.members[m];
            const struct prune_node *node = &net.graph.nodes[member->layer];
            int group = net.channels.group[member->layer][member->channel], zeros = 0, n = net.channels.n_channels[member->layer], places = (int)node->outputs / n;
            if (net.channels.groups[group].pin != PRUNE_FREE || node->kind == PRUNE_BATCHNORM || node->kind == PRUNE_SHORTCUT) continue;
            float means[40], low = INFINITY, high = -INFINITY;
            for (int i = 0; i < images; i++) {
                double sum = 0;
                for (int p = 0; p < places; p++) {
                    float x = outputs[member->layer][((size_t)i * (size_t)n + (size_t)member->channel) * (size_t)places + (size_t)p];
                    zeros += x <= 0;
                    sum += (double)x;
                }
                means[i] = (float)(sum / places);
                low = fminf(low, means[i]);
                high = fmaxf(high, means[i]);
            }
            expected[0][group] += 1 - (double)zeros / images / places;
            for (int b = 0; b < 100 && high > low; b++) {
                int count = 0;
                for (int i = 0; i < images; i++) {
                    double at = ((double)means[i] - (double)low) / ((double)high - (double)low) * 100;
                    count += at >= b && (at < b + 1 || b == 99);
                }
                if (count) expected[1][group] += -(double)count / images * log((double)count / images);
            }
        }
        for (int i = 0; i < 2; i++) {
            struct prune_evidence evidence = { .observed = &observed };
            assert_int_equal(prune_criteria_score(i ? PRUNE_ENTROPY : PRUNE_APOZ, PRUNE_CHANNEL, &net.channels, net.params, &evidence, scores), PRUNE_OK);
            for (int g = 0; g < net.channels.n_groups; g++) assert_near(scores[g], expected[i][g]);
            free(expected[i]);
        }
        for (int l = 0; l < n_nodes; l++) free(outputs[l]);
        free(outputs);
        free(batch);
        free(scores);
        prune_observed_free(&observed);
        free_net(&net);
    }
}

static void constant_and_broken_channels_say_nothing(void **state)
{
    (void)state;
    struct net net;
    random_seed(6);
    build(&net, NET(2, 1, 1) "[convolutional]\nfilters=3\nsize=1\nactivation=relu\n[connected]\noutput=2\nactivation=linear\n[softmax]\n", PRUNE_THIS_DARKNET);
    float images[2][3][2] = { { { 1, 3 }, { NAN, 1 }, { 0, 0 } }, { { 2, 2 }, { 1, 1 }, { 0, INFINITY } } };
    float *outputs[] = { &images[0][0][0], NULL, NULL };
    struct prune_observed observed;
    assert_int_equal(prune_observed_open(&observed, &net.channels, 10), PRUNE_OK);
    prune_observed_add(&observed, outputs, 2);
    assert_int_equal(observed.images, 2);
    struct prune_evidence evidence = { .observed = &observed };
    for (int i = 0; i < 3; i++) assert_true(score_of(&net, PRUNE_ENTROPY, &evidence, 0, i) == 0);
    assert_near(score_of(&net, PRUNE_APOZ, &evidence, 0, 2), 0.25);
    prune_observed_free(&observed);
    free_net(&net);
}

/* ----------------------------------------------------------------------------------------------------------- faults -- */

static void assert_refused(const struct net *net, enum prune_criterion criterion, const struct prune_evidence *evidence, int code, const char *part)
{
    double scores[100];
    listen_stderr();
    int got = prune_criteria_score(criterion, PRUNE_FILTER, &net->channels, net->params, evidence, scores);
    heard_stderr();
    assert_int_equal(got, code);
    assert_said(part);
}

static void missing_evidence_is_named(void **state)
{
    (void)state;
    struct net net;
    random_seed(5);
    build(&net, SMALL, PRUNE_THIS_DARKNET);
    struct prune_evidence none = { 0 };
    struct prune_observed observed;
    assert_refused(&net, PRUNE_MAGNITUDE, &none, PRUNE_ERR_UNSUPPORTED, "magnitude");
    assert_refused(&net, PRUNE_TAYLOR, &none, PRUNE_ERR_USAGE, "taylor needs gradients");
    assert_refused(&net, PRUNE_TAYLOR, NULL, PRUNE_ERR_USAGE, "taylor needs gradients");
    assert_refused(&net, PRUNE_APOZ, &none, PRUNE_ERR_USAGE, "apoz needs");
    assert_refused(&net, PRUNE_ENTROPY, NULL, PRUNE_ERR_USAGE, "entropy needs");
    assert_int_equal(prune_observed_open(&observed, &net.channels, 0), PRUNE_OK);
    none.observed = &observed;
    assert_refused(&net, PRUNE_APOZ, &none, PRUNE_ERR_RANGE, "has not seen a single image");
    prune_observed_free(&observed);
    free_net(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_summed_over_members),
        cmocka_unit_test(distances_cross_tiles),
        cmocka_unit_test(values_by_hand),
        cmocka_unit_test(broken_weights_go_first_and_spoil_nothing),
        cmocka_unit_test(random_scores_come_from_seed_and_group),
        cmocka_unit_test(apoz_and_entropy_by_hand),
        cmocka_unit_test(outputs_are_summed_over_members),
        cmocka_unit_test(constant_and_broken_channels_say_nothing),
        cmocka_unit_test(missing_evidence_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
