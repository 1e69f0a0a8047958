/* test_random_graphs.c - masked equals compact on 2,000 random networks, and the shrinker that makes a failure small */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator.h"
#include "graphs.h"
#include "random.h"
#include "trial.h"

enum { GRAPHS = 1000 };         /* of each dialect */

static char folder[64];

struct question {               /* what is asked of a net */
    uint64_t seed;
    enum prune_test_damage damage;
    double share;
    char fault[400];            /* the answer, if it fails */
    int free, masked, dead;     /* groups that can go; that went; that were found dead */
    int exact;                  /* the fold said that it was */
    int hollow;                 /* outputs that are no numbers, and so say nothing */
};

static int is_hollow(const struct prune_test_trial *trial)
{
    const struct prune_node *last = &trial->graph.nodes[trial->graph.n_nodes - 1];
    for (size_t i = 0; i < last->outputs; i++)
        if (!isfinite(trial->outputs[trial->graph.n_nodes - 1][i])) return 1;
    return 0;
}

/* 0: all holds, -1: a fault, 1: it is no network. */
static int ask(const struct prune_test_net *net, struct question *question)
{
    struct prune_test_trial trial = { .damage = question->damage };
    memcpy(trial.folder, folder, sizeof folder);
    char *text = prune_test_net_text(net);
    int code = text && !prune_test_trial_open(&trial, text, net->dialect, question->seed) ? 0 : 1;
    if (!code) question->hollow = is_hollow(&trial);
    if (!code) code = prune_test_masked_is_compact(&trial, question->share);
    for (int g = 0; !code && g < trial.channels.n_groups; g++) {
        question->free += trial.channels.groups[g].pin == PRUNE_FREE;
        question->masked += trial.removed[g];
    }
    if (!code) code = (question->dead = prune_test_dead_is_compact(&trial)) < 0 ? -1 : 0;
    if (!code) code = (question->exact = prune_test_fold_is_exact(&trial, question->share / 4)) < 0 ? -1 : 0;
    memcpy(question->fault, trial.fault, sizeof question->fault);
    prune_test_trial_close(&trial);
    free(text);
    return code;
}

/* Other weights may show what these do not, once the net is another. */
static int fails(const struct prune_test_net *net, void *context)
{
    struct question *question = context;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct question again = *question;
        again.seed += seed * 1000003;
        if (ask(net, &again) >= 0) continue;
        memcpy(question->fault, again.fault, sizeof again.fault);
        return 1;
    }
    return 0;
}

/* A text as long as this is cut off in an assertion's message. */
static void print_net(const struct prune_test_net *net)
{
    char *text = prune_test_net_text(net);
    fprintf(stderr, "%s\n", text ? text : "");
    free(text);
}

static void report_smallest(struct prune_test_net *net, struct question *question)
{
    char first[400];
    memcpy(first, question->fault, sizeof first);
    int before = net->n_layers;
    hush();
    prune_test_net_shrink(net, fails, question);
    heard(NULL, 0);
    print_net(net);
    fail_msg("seed %llu, %d layers: %s; shrunk to the %d on stderr: %s", (unsigned long long)question->seed, before, first, net->n_layers, question->fault);
}

static void check_graphs(enum prune_dialect dialect, uint64_t first_seed)
{
    static struct prune_test_net net;
    long can_go = 0, masked = 0, dead = 0, exact = 0, layers = 0, hollow = 0;
    for (uint64_t i = 0; i < GRAPHS; i++) {
        struct question question = { .seed = first_seed + i, .share = .1 + .8 * (double)(i % 9) / 8 };
        prune_test_net_draw(&net, dialect, first_seed + i);
        int code = ask(&net, &question);
        if (code > 0) {
            print_net(&net);
            fail_msg("seed %llu, on stderr, is no network: %s", (unsigned long long)question.seed, question.fault);
        }
        if (code < 0) report_smallest(&net, &question);
        can_go += question.free;
        masked += question.masked;
        dead += question.dead;
        exact += question.exact;
        hollow += question.hollow;
        layers += net.n_layers;
    }
    /* the nets are not trivial, and neither is what was found in them */
    assert_true(layers > 15 * GRAPHS);
    assert_true(can_go > 30 * GRAPHS);
    assert_true(masked > can_go / 3);
    assert_true(dead > can_go / 3);
    assert_true(exact > GRAPHS / 3);
    assert_true(hollow < GRAPHS / 50);
}

static void masked_is_compact_in_pjreddies_dialect(void **state)
{
    (void)state;
    check_graphs(PRUNE_THIS_DARKNET, 1);
}

static void masked_is_compact_in_alexeyabs_dialect(void **state)
{
    (void)state;
    check_graphs(PRUNE_ALEXEYAB, 100001);
}

/* Every kind and key that the generator is said to draw is drawn. */
static void generator_reaches_all_it_knows(void **state)
{
    (void)state;
    static const char *const wanted[] = { "[convolutional]", "[maxpool]", "[upsample]", "[reorg]", "[reorg3d]", "[avgpool]", "[connected]", "[yolo]", "[scale_channels]", "[sam]",
        "[dropout]", "[batchnorm]", "[shortcut]", "[route]", "[local]", "[deconvolutional]", "[softmax]", "[crop]", "[logistic]", "[activation]", "[normalization]", "[l2norm]",
        "[local_avgpool]", "[empty]", "group_id=3", "share_index=", "antialiasing=2", "dilation=2", "stride_x=1", "stride_y=1", "weights_type=per_channel", "maxpool_depth=1",
        "scale_wh=1", "alpha=0.5", "reverse=1", "stride=-2", "noadjust=1", "activation=mish", "activation=plse", "weights_normalization=softmax" };
    enum { WANTED = sizeof wanted / sizeof *wanted };
    static struct prune_test_net net;
    int seen[WANTED] = { 0 }, five = 0, heads = 0, multiplied = 0;
    for (uint64_t i = 0; i < 2 * GRAPHS; i++) {
        prune_test_net_draw(&net, i % 2 ? PRUNE_ALEXEYAB : PRUNE_THIS_DARKNET, i % 2 ? 100001 + i / 2 : 1 + i / 2);
        char *text = prune_test_net_text(&net);
        assert_non_null(text);
        for (int k = 0; k < WANTED; k++) seen[k] += strstr(text, wanted[k]) != NULL;
        int yolos = 0;
        for (int l = 0; l < net.n_layers; l++) {
            const struct prune_test_layer *layer = &net.layers[l];
            five += layer->n_from == 5;
            yolos += !strcmp(layer->kind, "yolo");
            int c = l ? layer[-1].c : net.c;
            for (int k = 0; k < layer->n_keys; k++) multiplied += !strcmp(layer->keys[k].name, "groups") && layer->keys[k].value == c && layer->c == 2 * c;
        }
        heads += yolos > 1;
        free(text);
    }
    for (int k = 0; k < WANTED; k++)
        if (seen[k] < 3) fail_msg("%s is only in %d networks", wanted[k], seen[k]);
    assert_true(five > 3 && heads > 50 && multiplied > 20);
}

static void same_seed_same_net(void **state)
{
    (void)state;
    static struct prune_test_net net;
    prune_test_net_draw(&net, PRUNE_ALEXEYAB, 7);
    char *first = prune_test_net_text(&net);
    prune_test_net_draw(&net, PRUNE_THIS_DARKNET, 8);
    char *other = prune_test_net_text(&net);
    prune_test_net_draw(&net, PRUNE_ALEXEYAB, 7);
    char *second = prune_test_net_text(&net);
    assert_string_equal(first, second);
    assert_string_not_equal(first, other);
    free(first);
    free(other);
    free(second);
}

/* A compaction that is made wrong on purpose must be found, and the net that shows it must become as small as that fault can be shown. */
static void find_and_shrink(enum prune_test_damage damage, const char *kind, int most_layers)
{
    static struct prune_test_net net;
    struct question question;
    for (uint64_t seed = 1;; seed++) {
        assert_true(seed < 100);
        question = (struct question){ .seed = seed, .share = .5, .damage = damage };
        prune_test_net_draw(&net, PRUNE_THIS_DARKNET, seed);
        if (net.n_layers > 10 && ask(&net, &question) < 0) break;
    }
    hush();
    prune_test_net_shrink(&net, fails, &question);
    heard(NULL, 0);
    char *text = prune_test_net_text(&net);
    if (net.n_layers > most_layers || !strstr(text, kind) || net.w > 2 || net.c > 1) fail_msg("shrunk only to %s", text);
    free(text);
    question.damage = PRUNE_TEST_NO_DAMAGE;
    assert_int_equal(ask(&net, &question), 0);  /* it is the damage that was found */
}

static void wrong_channels_before_a_shortcut_are_found(void **state)
{
    (void)state;
    find_and_shrink(PRUNE_TEST_WRONG_CHANNEL, "[shortcut]", 3);
}

static void wrong_bias_behind_a_route_is_found(void **state)
{
    (void)state;
    find_and_shrink(PRUNE_TEST_WRONG_BIAS, "[route]", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_net),
        cmocka_unit_test(generator_reaches_all_it_knows),
        cmocka_unit_test(wrong_channels_before_a_shortcut_are_found),
        cmocka_unit_test(wrong_bias_behind_a_route_is_found),
        cmocka_unit_test(masked_is_compact_in_pjreddies_dialect),
        cmocka_unit_test(masked_is_compact_in_alexeyabs_dialect),
    };
    if (prune_test_folder(folder)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    prune_test_folder_remove(folder);
    return failed;
}
