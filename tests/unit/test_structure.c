/* test_structure.c - filters that fall silent and come back in the course of a training */
#include "reading.h"

#include <math.h>

#define TEXT NET(8, 8, 1) "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\npad=1\nactivation=leaky\n" \
    "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\npad=1\ngroups=8\nactivation=leaky\n" \
    "[convolutional]\nfilters=6\nsize=1\nactivation=relu\n[connected]\noutput=3\nactivation=linear\n[softmax]\n"
enum { LAYERS = 4 };                            /* with numbers of their own */

static struct prune_cfg cfg;
static struct prune_graph graph;
static struct prune_channels channels;
static struct prune_structure structure;
static struct prune_settings settings;
static float *arrays[2 * LAYERS * 5];

static float *numbers(size_t n, int at)
{
    arrays[at] = malloc(n * sizeof(float));
    assert_non_null(arrays[at]);
    for (size_t i = 0; i < n; i++) arrays[at][i] = 0.5F + (float)((i * 7919 + (size_t)at * 104729) % 1000) / 1000;
    return arrays[at];
}

static int open_all(void **state)
{
    (void)state;
    build_good(&cfg, &graph, TEXT);
    assert_int_equal(prune_channels_build(&channels, &graph), PRUNE_OK);
    assert_int_equal(prune_structure_open(&structure, &channels), PRUNE_OK);
    for (int i = 0; i < LAYERS; i++) {
        const struct prune_node *node = &graph.nodes[i];
        struct prune_params *both[2] = { &structure.params[i], &structure.updates[i] };
        for (int k = 0; k < 2; k++) {
            int at = (2 * i + k) * 5;
            both[k]->weights = numbers(node->n_weights, at);
            both[k]->biases = numbers((size_t)node->out_c, at + 1);
            if (!node->batch_normalize) continue;
            both[k]->scales = numbers((size_t)node->out_c, at + 2);
            if (k) continue;
            both[k]->means = numbers((size_t)node->out_c, at + 3);
            both[k]->variances = numbers((size_t)node->out_c, at + 4);
        }
    }
    assert_int_equal(prune_structure_remember(&structure), PRUNE_OK);
    prune_settings_default(&settings);
    assert_int_equal(prune_settings_option(&settings, "granularity", "filter"), 1);
    assert_int_equal(prune_settings_option(&settings, "round", "1"), 1);
    assert_int_equal(prune_settings_option(&settings, "steps", "4"), 1);
    assert_int_equal(prune_settings_resolve(&settings), PRUNE_OK);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    prune_structure_free(&structure);
    prune_channels_free(&channels);
    free_both(&cfg, &graph);
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        free(arrays[i]);
        arrays[i] = NULL;
    }
    return 0;
}

/* Filter i of layer l becomes so large. */
static void set_filter(int l, int i, float value)
{
    size_t n = graph.nodes[l].n_weights / (size_t)graph.nodes[l].out_c;
    for (size_t k = 0; k < n; k++) structure.params[l].weights[(size_t)i * n + k] = value;
}

/* The depthwise filter that goes with a filter of layer 0 counts too. */
static void rank_first_layer(const int *order)
{
    for (int i = 0; i < 8; i++) {
        set_filter(0, order[i], (float)(i + 1));
        set_filter(1, order[i], (float)(i + 1));
    }
}

static int silent(int layer, int channel)
{
    return structure.removed[channels.group[layer][channel]];
}

static void assert_silent(int layer, int i)
{
    const struct prune_params *params = &structure.params[layer], *updates = &structure.updates[layer];
    size_t n = graph.nodes[layer].n_weights / (size_t)graph.nodes[layer].out_c;
    for (size_t k = 0; k < n; k++) {
        assert_true(params->weights[(size_t)i * n + k] == 0);
        assert_true(updates->weights[(size_t)i * n + k] == 0);
    }
    assert_true(params->biases[i] == 0 && updates->biases[i] == 0);
    if (!params->scales) return;
    assert_true(params->scales[i] == 0 && updates->scales[i] == 0 && params->means[i] == 0);
    assert_true(params->variances[i] == 1);
}

static void the_smallest_fall_silent(void **state)
{
    (void)state;
    static const int order[8] = { 3, 5, 0, 7, 1, 2, 4, 6 };
    struct prune_step step;
    rank_first_layer(order);
    settings.rule = PRUNE_NONE;
    assert_int_equal(prune_structure_step(&structure, &settings, 4, NULL, &step), PRUNE_OK);
    for (int i = 0; i < 8; i++) assert_int_equal(silent(0, order[i]), i < 4);
    for (int i = 0; i < 4; i++) {
        assert_silent(0, order[i]);
        assert_silent(1, order[i]);             /* coupled */
    }
    int rest = 0;
    for (int i = 0; i < 6; i++) rest += silent(2, i);
    assert_int_equal(rest, 3);
    assert_int_equal(silent(3, 0), 0);          /* pinned by [softmax] */
    assert_int_equal(step.pruned, 7);
    assert_float_equal(step.achieved, 0.5, 1e-9);
    assert_float_equal(prune_structure_share(&structure, &settings), 0.5, 1e-9);
}

static void each_step_meets_its_target(void **state)
{
    (void)state;
    struct prune_step step;
    double last = 0;
    settings.rule = PRUNE_NONE;
    for (int t = 1; t <= 4; t++) {
        uint8_t before[64];
        assert_true(channels.n_groups < 64);
        memcpy(before, structure.removed, (size_t)channels.n_groups);
        assert_int_equal(prune_structure_step(&structure, &settings, t, NULL, &step), PRUNE_OK);
        assert_float_equal(step.target, 0.5 * log(1 + t) / log(5), 1e-6);
        assert_true(step.achieved >= last && fabs(step.achieved - step.target) < 0.08);
        for (int g = 0; g < channels.n_groups; g++) assert_true(structure.removed[g] >= before[g]);   /* nothing comes back */
        last = step.achieved;
    }
    assert_float_equal(last, 0.5, 1e-9);
}

static void who_was_better_comes_back_as_it_was(void **state)
{
    (void)state;
    static const int order[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    struct prune_step step;
    rank_first_layer(order);
    settings.rule = PRUNE_RESTORE;
    settings.recover = 1;
    structure.params[0].biases[3] = 0.25F;
    structure.params[0].variances[3] = 0.75F;
    settings.steps = 20;
    settings.sparsity = 0.9F;                   /* step 3 of 20: 41 % */
    assert_int_equal(prune_structure_step(&structure, &settings, 3, NULL, &step), PRUNE_OK);
    assert_int_equal(step.recovered, 0);
    assert_int_equal(silent(0, 0), 1);
    int last = 0;
    while (silent(0, last + 1)) last++;         /* the best of those that went */
    structure.updates[0].biases[last] = 3;      /* what a backward pass leaves */
    prune_structure_hold(&structure);
    assert_silent(0, last);
    for (int i = last + 1; i < 8; i++) {        /* the others have shrunk since */
        set_filter(0, i, 0.01F * (float)i);
        set_filter(1, i, 0.01F * (float)i);
    }
    assert_int_equal(prune_structure_step(&structure, &settings, 4, NULL, &step), PRUNE_OK);
    assert_true(step.recovered > 0);
    assert_int_equal(silent(0, last), 0);
    size_t n = graph.nodes[0].n_weights / 8;
    for (size_t k = 0; k < n; k++) {
        assert_true(structure.params[0].weights[(size_t)last * n + k] == (float)(last + 1));
        assert_true(structure.updates[0].weights[(size_t)last * n + k] == 0);
        assert_true(structure.memory[0].weights[(size_t)last * n + k] == 0);
    }
    if (last == 3) {
        assert_true(structure.params[0].biases[3] == 0.25F);
        assert_true(structure.params[0].variances[3] == 0.75F);
    }
}

static void rho_bounds_who_comes_back(void **state)
{
    (void)state;
    static const int order[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    struct prune_step step;
    rank_first_layer(order);
    settings.recover = 0;
    settings.steps = 20;
    settings.sparsity = 0.9F;
    assert_int_equal(prune_structure_step(&structure, &settings, 3, NULL, &step), PRUNE_OK);
    for (int i = 0; i < 8; i++)
        if (!silent(0, i)) set_filter(0, i, 0.001F);
    assert_int_equal(prune_structure_step(&structure, &settings, 4, NULL, &step), PRUNE_OK);
    assert_int_equal(step.recovered, 0);
}

static void zeros_say_who_is_silent(void **state)
{
    (void)state;
    struct prune_step step;
    uint8_t before[64];
    assert_int_equal(prune_structure_step(&structure, &settings, 4, NULL, &step), PRUNE_OK);
    memcpy(before, structure.removed, (size_t)channels.n_groups);
    memset(structure.removed, 0, (size_t)channels.n_groups);
    prune_structure_from_zeros(&structure);
    assert_memory_equal(structure.removed, before, (size_t)channels.n_groups);
    assert_true(prune_structure_agrees(&structure));
    for (int i = 0; i < 8; i++)
        if (silent(0, i)) structure.params[0].biases[i] = 1;
    assert_false(prune_structure_agrees(&structure));
}

static void budgets_in_macs(void **state)
{
    (void)state;
    struct prune_step step;
    struct prune_size size;
    settings.macs = 0.5F;
    assert_int_equal(prune_structure_step(&structure, &settings, 4, NULL, &step), PRUNE_OK);
    prune_channels_size(&channels, structure.removed, &size, NULL);
    assert_true(2 * size.macs <= structure.whole.macs);
    assert_float_equal(step.achieved, 1 - (double)size.macs / (double)structure.whole.macs, 1e-9);
}

/* Whatever the steps on the way have taken: in the end nothing is gone that the budget has room for. */
static void the_last_step_fills_the_budget(void **state)
{
    (void)state;
    struct prune_step step;
    struct prune_size size;
    settings.macs = 0.6F;
    settings.sparsity = 0.9F;
    settings.rule = PRUNE_RESTORE;
    for (int t = 1; t < 4; t++) assert_int_equal(prune_structure_step(&structure, &settings, t, NULL, &step), PRUNE_OK);
    for (int i = 0; i < 4; i++) {               /* one more of each went than had to */
        structure.removed[channels.group[0][i]] = 1;
        structure.removed[channels.group[2][i]] = 1;
    }
    prune_structure_hold(&structure);
    assert_int_equal(prune_structure_step(&structure, &settings, 4, NULL, &step), PRUNE_OK);
    prune_channels_size(&channels, structure.removed, &size, NULL);
    double limit = 0.6 * (double)structure.whole.macs;
    assert_true((double)size.macs <= limit + 1);
    if ((double)size.macs >= 0.99 * limit) return;
    for (int g = 0; g < channels.n_groups; g++) {
        struct prune_size more;
        if (!structure.removed[g]) continue;
        structure.removed[g] = 0;
        prune_channels_size(&channels, structure.removed, &more, NULL);
        structure.removed[g] = 1;
        if ((double)more.macs <= limit) fail_msg("group %d has gone, and the budget has room for it: %.0f of %.0f", g, (double)more.macs, limit);
    }
}

/* A layer's own limit follows the curve also where the others lose nothing. */
static void limits_follow_the_curve(void **state)
{
    (void)state;
    struct prune_step step;
    channels.families[channels.groups[channels.group[0][0]].family].limit = 0.75F;
    settings.sparsity = 0;
    settings.rule = PRUNE_NONE;
    int before = 0;
    for (int t = 1; t <= 4; t++) {
        int gone = 0;
        assert_int_equal(prune_structure_step(&structure, &settings, t, NULL, &step), PRUNE_OK);
        for (int i = 0; i < 8; i++) gone += silent(0, i);
        assert_true(gone >= before && (t == 4 || gone < 6));
        before = gone;
    }
    assert_int_equal(before, 6);
    for (int i = 0; i < 6; i++) assert_int_equal(silent(2, i), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_smallest_fall_silent, open_all, close_all),
        cmocka_unit_test_setup_teardown(each_step_meets_its_target, open_all, close_all),
        cmocka_unit_test_setup_teardown(who_was_better_comes_back_as_it_was, open_all, close_all),
        cmocka_unit_test_setup_teardown(rho_bounds_who_comes_back, open_all, close_all),
        cmocka_unit_test_setup_teardown(zeros_say_who_is_silent, open_all, close_all),
        cmocka_unit_test_setup_teardown(budgets_in_macs, open_all, close_all),
        cmocka_unit_test_setup_teardown(the_last_step_fills_the_budget, open_all, close_all),
        cmocka_unit_test_setup_teardown(limits_follow_the_curve, open_all, close_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
