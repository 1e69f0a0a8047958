/* test_kinds.c - for every kind of section: masked equals compact, what is coupled, and what never goes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "evaluator.h"
#include "kind_cases.h"
#include "trial.h"

static char folder[64];

static void open_text(struct prune_test_trial *trial, const char *name, enum prune_dialect dialect, const char *text, uint64_t seed)
{
    *trial = (struct prune_test_trial){ .damage = PRUNE_TEST_NO_DAMAGE };
    memcpy(trial->folder, folder, sizeof folder);
    if (prune_test_trial_open(trial, text, dialect, seed)) fail_msg("%s: %s\n%s", name, trial->fault, text);
}

/* A case's fault does not keep the others from being looked at. */
static int complaints;

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    char line[1000];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    print_error("%s\n", line);
    complaints++;
}

static void no_complaints(void)
{
    int n = complaints;
    complaints = 0;
    assert_int_equal(n, 0);
}

static const char *case_name(const struct kind_case *of, char *name, size_t bytes)
{
    snprintf(name, bytes, "[%s] %s", prune_kind_name(of->kind), of->name);
    return name;
}

/* ------------------------------------------------------------------------------------------------------- every kind -- */

static void every_kind_has_a_case(void **state)
{
    (void)state;
    int last = 0;
    for (int kind = PRUNE_UNKNOWN; kind == PRUNE_UNKNOWN || strcmp(prune_kind_name((enum prune_kind)kind), "unknown"); kind++) {
        int n = 0;
        for (int i = 0; i < N_CASES; i++) n += cases[i].kind == (enum prune_kind)kind;
        if (!n) complain("no case for [%s]", prune_kind_name((enum prune_kind)kind));
        last = kind;
    }
    assert_true(last >= PRUNE_EMPTY);
    for (int i = 0; i < N_CASES; i++) {         /* and the case has the kind that it says */
        struct prune_test_trial trial;
        char name[200];
        int n = 0;
        open_text(&trial, case_name(&cases[i], name, sizeof name), cases[i].dialect, cases[i].text, 1);
        for (int l = 0; l < trial.graph.n_nodes; l++) n += trial.graph.nodes[l].kind == cases[i].kind;
        if (!n) complain("%s: has no such layer", name);
        prune_test_trial_close(&trial);
    }
    no_complaints();
}

static void check_groups(const struct prune_test_trial *trial, const struct kind_case *of, const char *name)
{
    const struct prune_channels *channels = &trial->channels;
    int free_groups = 0;
    for (int g = 0; g < channels->n_groups; g++) free_groups += channels->groups[g].pin == PRUNE_FREE;
    if (free_groups != of->free) complain("%s: %d groups can go; must be %d", name, free_groups, of->free);
    for (int p = 0; p < 3 && of->pins[p].pin != PRUNE_FREE; p++) {
        int layer = of->pins[p].layer;
        assert_true(layer < trial->graph.n_nodes && channels->n_channels[layer] > 0);
        for (int c = 0; c < channels->n_channels[layer]; c++) {
            const struct prune_group *group = &channels->groups[channels->group[layer][c]];
            char text[200] = "";
            if (group->pin == of->pins[p].pin) continue;
            prune_pin_text(channels, group, text, sizeof text);
            complain("%s: channel %d of layer %d is pinned for \"%s\" (%d), not for %d", name, c, layer, text, (int)group->pin, (int)of->pins[p].pin);
        }
    }
}

static void what_is_coupled_and_what_is_pinned(void **state)
{
    (void)state;
    for (int i = 0; i < N_CASES; i++) {
        struct prune_test_trial trial;
        char name[200];
        open_text(&trial, case_name(&cases[i], name, sizeof name), cases[i].dialect, cases[i].text, 1);
        check_groups(&trial, &cases[i], name);
        prune_test_trial_close(&trial);
    }
    no_complaints();
}

static void masked_is_compact(void **state)
{
    (void)state;
    static const double shares[] = { .15, .5, .85 };
    for (int i = 0; i < N_CASES; i++) {
        struct prune_test_trial trial;
        char name[200];
        int gone = 0;
        case_name(&cases[i], name, sizeof name);
        for (uint64_t seed = 1; seed <= 4; seed++) {
            open_text(&trial, name, cases[i].dialect, cases[i].text, seed);
            for (int s = 0; s < 3; s++) {
                if (prune_test_masked_is_compact(&trial, shares[s])) complain("%s: %s", name, trial.fault);
                for (int g = 0; g < trial.channels.n_groups; g++) gone += trial.removed[g];
            }
            prune_test_trial_close(&trial);
        }
        if (!gone && cases[i].free > 1) complain("%s: nothing ever went", name);
    }
    no_complaints();
}

static void dead_channels_change_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < N_CASES; i++) {
        struct prune_test_trial trial;
        char name[200];
        int gone = 0;
        case_name(&cases[i], name, sizeof name);
        for (uint64_t seed = 11; seed <= 18; seed++) {
            open_text(&trial, name, cases[i].dialect, cases[i].text, seed);
            int n = prune_test_dead_is_compact(&trial);
            if (n < 0) complain("%s: %s", name, trial.fault);
            else gone += n;
            prune_test_trial_close(&trial);
        }
        if (!gone && cases[i].free > 4) complain("%s: nothing was found dead", name);
    }
    no_complaints();
}

static void folded_constants_are_exact(void **state)
{
    (void)state;
    int exact = 0;
    for (int i = 0; i < N_CASES; i++) {
        struct prune_test_trial trial;
        char name[200];
        case_name(&cases[i], name, sizeof name);
        for (uint64_t seed = 21; seed <= 23; seed++) {
            open_text(&trial, name, cases[i].dialect, cases[i].text, seed);
            int is_exact = prune_test_fold_is_exact(&trial, .3);
            if (is_exact < 0) complain("%s: %s", name, trial.fault);
            else exact += is_exact;
            prune_test_trial_close(&trial);
        }
    }
    no_complaints();
    assert_true(exact > N_CASES);               /* of three times as many */
}

static void the_network_never_loses_its_input_or_output(void **state)
{
    (void)state;
    for (int i = 0; i < N_CASES; i++) {
        struct prune_test_trial trial;
        char name[200];
        open_text(&trial, case_name(&cases[i], name, sizeof name), cases[i].dialect, cases[i].text, 1);
        const struct prune_channels *channels = &trial.channels;
        int last = trial.graph.n_nodes - 1;
        for (int c = 0; c < channels->n_input; c++) assert_int_not_equal(channels->groups[channels->input[c]].pin, PRUNE_FREE);
        for (int c = 0; c < channels->n_channels[last]; c++) assert_int_not_equal(channels->groups[channels->group[last][c]].pin, PRUNE_FREE);
        prune_test_trial_close(&trial);
    }
}

/* ---------------------------------------------------------------------------------- faults of earlier pruning tools -- */

static int kept_in(const struct prune_test_trial *trial, int layer, int channel)
{
    return !trial->removed[trial->channels.group[layer][channel]];
}

/* They kept as many channels on both sides of a shortcut, each side its own best. */
static void fault_shortcut_adds_other_channels(void **state)
{
    (void)state;
    struct prune_test_trial trial;
    open_text(&trial, "shortcut", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(6, 1, leaky, BN) CONV(8, 3, leaky, PAD BN) SHORTCUT("-3", "")
              CONV(10, 3, leaky, PAD) SHORTCUT("3", "") END, 1);
    for (int round = 0; round < 20; round++) {
        assert_int_equal(prune_test_masked_is_compact(&trial, .5), 0);
        for (int c = 0; c < 8; c++) {
            assert_int_equal(kept_in(&trial, 0, c), kept_in(&trial, 2, c));
            assert_int_equal(kept_in(&trial, 0, c), kept_in(&trial, 3, c));
            assert_int_equal(kept_in(&trial, 0, c), kept_in(&trial, 4, c));
        }
    }
    prune_test_trial_close(&trial);
}

/* The third and fourth input of a route were looked up where the second is. */
static void fault_route_of_four_takes_wrong_offsets(void **state)
{
    (void)state;
    struct prune_test_trial trial;
    open_text(&trial, "route", OWN, NET(6, 6, 3) CONV(4, 3, leaky, PAD) CONV(5, 3, leaky, PAD) CONV(6, 3, leaky, PAD) CONV(7, 3, leaky, PAD)
              ROUTE("3,2,1,0", "") CONV(5, 3, leaky, PAD) END, 1);
    for (int round = 0; round < 20; round++) {
        if (prune_test_masked_is_compact(&trial, .5)) fail_msg("%s", trial.fault);
        const int sizes[] = { 7, 6, 5, 4 };
        for (int f = 0, at = 0; f < 4; at += sizes[f++])
            for (int c = 0; c < sizes[f]; c++) assert_int_equal(kept_in(&trial, 4, at + c), kept_in(&trial, 3 - f, c));
    }
    prune_test_trial_close(&trial);
}

/* groups= and group_id= of a route were not looked at. */
static void fault_route_groups_are_ignored(void **state)
{
    (void)state;
    struct prune_test_trial trial;
    open_text(&trial, "route groups", AB, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) ROUTE("-1", "groups=2\ngroup_id=1\n") CONV(4, 3, leaky, PAD BN)
              CONV(4, 3, leaky, PAD BN) ROUTE("-1,-2", "") CONV(8, 1, leaky, BN) ROUTE("-6,-1", "") END, 1);
    for (int round = 0; round < 20; round++) {
        if (prune_test_masked_is_compact(&trial, .5)) fail_msg("%s", trial.fault);
        for (int c = 0; c < 4; c++) {
            assert_int_equal(kept_in(&trial, 1, c), kept_in(&trial, 0, 4 + c));
            assert_int_equal(kept_in(&trial, 0, c), kept_in(&trial, 0, 4 + c)); /* else the boundary between the slices would move */
        }
    }
    prune_test_trial_close(&trial);
}

/* A bias was taken through a relu, whatever the layer's activation is. */
static void fault_every_bias_goes_through_relu(void **state)
{
    (void)state;
    for (int activation = PRUNE_LINEAR_ACTIVATION; activation < PRUNE_NORM_CHANNELS; activation++) {
        struct prune_test_trial trial;
        char text[600];
        snprintf(text, sizeof text, NET(6, 6, 3) "[convolutional]\nfilters=8\nsize=3\npad=1\nbatch_normalize=1\nactivation=%s\n" CONV(6, 3, leaky, BN) CONV(4, 3, linear, "") END,
                 prune_activation_name((enum prune_activation)activation));
        open_text(&trial, text, AB, text, 1);
        int code = prune_test_fold_is_exact(&trial, .5);
        if (code != 1) fail_msg("%s: %s", prune_activation_name((enum prune_activation)activation), code ? trial.fault : "is said not to be exact");
        prune_test_trial_close(&trial);
    }
}

/* Only the next layer got the constant of a pruned channel; those behind a pooling, a route or a shortcut did not. */
static void fault_second_reader_does_not_get_the_constant(void **state)
{
    (void)state;
    static const char *const texts[] = {
        NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(5, 1, leaky, "") ROUTE("0", "") CONV(4, 3, leaky, BN) END,
        NET(6, 6, 3) CONV(8, 3, leaky, PAD) "[maxpool]\nsize=2\nstride=2\n" CONV(5, 1, leaky, "") "[upsample]\nstride=2\n" ROUTE("-1,0", "") CONV(4, 1, leaky, BN) END,
        NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(8, 1, tanh, "") SHORTCUT("0", "") CONV(4, 1, leaky, BN) ROUTE("2", "") CONN(5, leaky, "") CONN(2, linear, ""),
    };
    for (int i = 0; i < 3; i++)
        for (uint64_t seed = 1; seed < 9; seed++) {
            struct prune_test_trial trial;
            open_text(&trial, "second reader", OWN, texts[i], seed);
            int code = prune_test_fold_is_exact(&trial, .4);
            if (code != 1) fail_msg("text %d: %s", i, code ? trial.fault : "is said not to be exact");
            prune_test_trial_close(&trial);
        }
}

/* A filter was taken to have c * size * size weights in a grouped convolution too. */
static void fault_grouped_filters_have_fewer_weights(void **state)
{
    (void)state;
    struct prune_test_trial trial;
    open_text(&trial, "groups", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(12, 3, leaky, PAD BN "groups=4\n") CONV(12, 3, leaky, PAD BN "groups=12\n") END, 1);
    assert_int_equal(trial.graph.nodes[1].n_weights, 12 * 2 * 9);
    memset(trial.removed, 0, (size_t)trial.channels.n_groups);
    trial.removed[trial.channels.group[1][1]] = 1;  /* and so 4 and 7 and 10 of layer 1, and of the depthwise layer behind it */
    trial.removed[trial.channels.group[0][0]] = 1;  /* and so 2 and 4 and 6 */
    if (prune_test_removed_is_compact(&trial)) fail_msg("%s", trial.fault);
    struct prune_size size;
    int kept[4];
    prune_channels_size(&trial.channels, trial.removed, &size, kept);
    assert_int_equal(kept[0], 4);
    assert_int_equal(kept[1], 8);
    assert_int_equal(kept[2], 8);
    assert_int_equal(size.weights, 4 * 3 * 9 + 8 * 1 * 9 + 8 * 9 + 3 * 8);
    prune_test_trial_close(&trial);
}

/* The first layer's mask was for three channels. */
static void fault_input_of_other_than_three_channels(void **state)
{
    (void)state;
    static const char *const texts[] = { NET(6, 6, 1) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD) END,
                                         NET(6, 6, 4) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD) END,
                                         NET(6, 6, 17) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD) END };
    for (int i = 0; i < 3; i++) {
        struct prune_test_trial trial;
        open_text(&trial, "channels", OWN, texts[i], 1);
        for (int round = 0; round < 5; round++)
            if (prune_test_masked_is_compact(&trial, .5)) fail_msg("%s", trial.fault);
        prune_test_trial_close(&trial);
    }
}

static void remove_some(struct prune_test_trial *trial)
{
    memset(trial->removed, 0, (size_t)trial->channels.n_groups);
    trial->removed[trial->channels.group[0][2]] = trial->removed[trial->channels.group[1][0]] = 1;
}

/* `seen` was written as 0. */
static void fault_seen_becomes_zero(void **state)
{
    (void)state;
    struct prune_test_trial trial;
    struct prune_weights found = { 0 };
    struct prune_cfg cfg;
    struct prune_graph graph;
    char cfg_path[128], weights_path[128];
    snprintf(cfg_path, sizeof cfg_path, "%s/out.cfg", folder);
    snprintf(weights_path, sizeof weights_path, "%s/out.weights", folder);
    open_text(&trial, "seen", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD) END, 1);
    remove_some(&trial);
    assert_int_equal(prune_compact_write(&trial.channels, &trial.weights, trial.removed, cfg_path, weights_path, 0), 0);
    assert_int_equal(prune_cfg_read(&cfg, cfg_path), 0);
    assert_int_equal(prune_graph_build(&graph, &cfg, OWN), 0);
    assert_int_equal(prune_weights_read(&found, &graph, weights_path), 0);
    assert_int_equal(found.seen, 12345678901U);
    assert_int_equal(found.revision, 5);
    prune_weights_free(&found);
    prune_graph_free(&graph);
    prune_cfg_free(&cfg);
    prune_test_trial_close(&trial);
}

/* The name of the new cfg had room for 100 characters. */
static void fault_long_file_names(void **state)
{
    (void)state;
    struct prune_test_trial trial;
    char cfg_path[400], weights_path[400], name[201];
    memset(name, 'n', sizeof name);
    name[200] = '\0';
    snprintf(cfg_path, sizeof cfg_path, "%s/%s.cfg", folder, name);
    snprintf(weights_path, sizeof weights_path, "%s/%s.weights", folder, name);
    open_text(&trial, "names", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD) END, 1);
    remove_some(&trial);
    assert_int_equal(prune_compact_write(&trial.channels, &trial.weights, trial.removed, cfg_path, weights_path, 0), 0);
    assert_int_equal(unlink(cfg_path), 0);
    assert_int_equal(unlink(weights_path), 0);
    prune_test_trial_close(&trial);
}

/* ---------------------------------------------------------------------------------------------------------- borders -- */

/* Layer 1 reads constants with one tap of its 3x3 kernels. Says whether prune_fold calls that exact; where it does, it must be. */
static int fold_with_one_tap(const char *text, int tap)
{
    struct prune_test_trial trial;
    open_text(&trial, "one tap", AB, text, 3);
    for (size_t k = 0; k < trial.graph.nodes[1].n_weights; k++)
        if ((int)(k % 9) != tap) trial.params[1].weights[k] = 0;
    int code = prune_test_fold_is_exact(&trial, .5);
    if (code < 0) fail_msg("tap %d: %s", tap, trial.fault);
    prune_test_trial_close(&trial);
    return code;
}

/* Only what a tap sees at every place of the output can be added to a bias. */
static void taps_on_the_padding_are_not_exact(void **state)
{
    (void)state;
    static const char *const all_around[] = {
        NET(8, 8, 3) CONV(6, 1, leaky, "") CONV(4, 3, linear, PAD) END,
        NET(8, 8, 3) CONV(6, 1, leaky, "") CONV(4, 3, linear, PAD "dilation=2\n") END,
        NET(9, 9, 3) CONV(6, 1, leaky, "") CONV(4, 3, linear, PAD "dilation=3\nstride=2\n") END,
    };
    for (int i = 0; i < 3; i++)
        for (int tap = 0; tap < 9; tap++)
            if (fold_with_one_tap(all_around[i], tap) != (tap == 4)) fail_msg("text %d: tap %d is said %sto be exact", i, tap, tap == 4 ? "not " : "");
    /* an even width and stride 2: the kernel reaches over the left and upper border alone */
    for (int tap = 0; tap < 9; tap++)
        assert_int_equal(fold_with_one_tap(NET(8, 8, 3) CONV(6, 1, leaky, "") CONV(4, 3, linear, PAD "stride=2\n") END, tap), tap >= 3 && tap % 3 > 0);
}

/* ------------------------------------------------------------------------------------------------------- evaluator -- */

/* Written twice, by two hands: the plugin's activations and the evaluator's. */
static void evaluator_agrees_on_activations(void **state)
{
    (void)state;
    for (int activation = PRUNE_LINEAR_ACTIVATION; activation < PRUNE_NORM_CHANNELS; activation++) {
        struct prune_test_trial trial;
        char text[300];
        snprintf(text, sizeof text, FLAT(200) "[activation]\nactivation=%s\n", prune_activation_name((enum prune_activation)activation));
        open_text(&trial, text, AB, text, 1);
        double *out = NULL;
        for (size_t i = 0; i < trial.graph.inputs; i++) trial.input[i] = ((double)i - 99.5) / 11;
        assert_int_equal(prune_evaluate(&trial.graph, trial.params, trial.input, &out), 0);
        for (size_t i = 0; i < trial.graph.inputs; i++) {
            double expected = prune_activate((enum prune_activation)activation, trial.input[i]), error = out[i] - expected;
            if (error < 1e-6 && error > -1e-6) continue;
            fail_msg("%s(%g): %.9g and %.9g", prune_activation_name((enum prune_activation)activation), trial.input[i], expected, out[i]);
        }
        prune_evaluate_free(&trial.graph, &out);
        prune_test_trial_close(&trial);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_case),
        cmocka_unit_test(evaluator_agrees_on_activations),
        cmocka_unit_test(what_is_coupled_and_what_is_pinned),
        cmocka_unit_test(the_network_never_loses_its_input_or_output),
        cmocka_unit_test(masked_is_compact),
        cmocka_unit_test(dead_channels_change_nothing),
        cmocka_unit_test(folded_constants_are_exact),
        cmocka_unit_test(taps_on_the_padding_are_not_exact),
        cmocka_unit_test(fault_shortcut_adds_other_channels),
        cmocka_unit_test(fault_route_of_four_takes_wrong_offsets),
        cmocka_unit_test(fault_route_groups_are_ignored),
        cmocka_unit_test(fault_every_bias_goes_through_relu),
        cmocka_unit_test(fault_second_reader_does_not_get_the_constant),
        cmocka_unit_test(fault_grouped_filters_have_fewer_weights),
        cmocka_unit_test(fault_seen_becomes_zero),
        cmocka_unit_test(fault_long_file_names),
        cmocka_unit_test(fault_input_of_other_than_three_channels),
    };
    if (prune_test_folder(folder)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    prune_test_folder_remove(folder);
    return failed;
}
