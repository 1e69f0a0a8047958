/* test_compact.c - a smaller cfg and weight file: which bytes stay, and that nothing is left behind when something goes wrong */
#include "small_network.h"

#include <sys/stat.h>

static char folder[] = "/tmp/prune-compact-XXXXXX";
static char cfg_path[120], weights_path[120];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(cfg_path, sizeof cfg_path, "%s/new.cfg", folder);
    snprintf(weights_path, sizeof weights_path, "%s/new.weights", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);                       /* fails if a test left anything in it */
}

/* Float k of the file is k. */
static void number(struct network *net)
{
    for (size_t k = 0; k < net->weights.n_floats; k++) net->weights.floats[k] = (float)k;
}

static int compact(struct network *net, int version1)
{
    listen_stderr();
    int code = prune_compact_write(&net->channels, &net->weights, net->removed, cfg_path, weights_path, version1);
    heard_stderr();
    return code;
}

struct bytes {
    unsigned char data[8192];
    size_t n;
};

static void read_and_unlink(const char *path, struct bytes *bytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    bytes->n = fread(bytes->data, 1, sizeof bytes->data - 1, file);
    bytes->data[bytes->n] = '\0';
    fclose(file);
    unlink(path);
}

static void assert_cfg(const char *expected)
{
    struct bytes text;
    read_and_unlink(cfg_path, &text);
    assert_string_equal((char *)text.data, expected);
}

/* Behind a header of 20 bytes: these floats and no more. */
static void assert_floats(const int *expected, size_t n)
{
    struct bytes file;
    read_and_unlink(weights_path, &file);
    assert_int_equal(file.n, 20 + 4 * n);
    for (size_t k = 0; k < n; k++) {
        float x;
        memcpy(&x, file.data + 20 + 4 * k, 4);
        if (x != (float)expected[k]) fail_msg("float %zu is %g, expected %d", k, (double)x, expected[k]);
    }
}

static void assert_compact(struct network *net, const char *cfg, const int *floats, size_t n)
{
    if (compact(net, 0)) fail_msg("refused: %s", said);
    assert_string_equal(said, "");
    assert_cfg(cfg);
    assert_floats(floats, n);
    network_free(net);
}

#define FLOATS(...) (const int[]){ __VA_ARGS__ }, sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int)

/* ----------------------------------------------------------------------------------------------------------- kinds -- */

static void convolutions_lose_rows_and_columns(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 2, 1) "# first\n[conv]\nfilters = 3\nsize=1\nbatch_normalize=1\nactivation=relu\nprune=1\n[conv]\nsize=1\n filters=2 # two\nactivation=linear\n", PRUNE_THIS_DARKNET);
    number(&net);               /* 3 biases, scales, means, variances, weights; 2 biases, 6 weights */
    remove_channel(&net, 0, 1);
    assert_compact(&net, NET(2, 2, 1) "# first\n[conv]\nfilters=2\nsize=1\nbatch_normalize=1\nactivation=relu\n[conv]\nsize=1\nfilters=2 # two\nactivation=linear\n",
                   FLOATS(0, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 16, 17, 19, 20, 22));

    network_make(&net, NET(3, 3, 1) CONV(3, "") "[conv]\nfilters=2\nsize=2\nactivation=linear\n", PRUNE_THIS_DARKNET);
    number(&net);               /* 3 biases, 3 weights; 2 biases, (2, 3, 4) weights from 8 on */
    remove_channel(&net, 0, 0);
    assert_compact(&net, NET(3, 3, 1) CONV(2, "") "[conv]\nfilters=2\nsize=2\nactivation=linear\n",
                   FLOATS(1, 2, 4, 5, 6, 7, 12, 13, 14, 15, 16, 17, 18, 19, 24, 25, 26, 27, 28, 29, 30, 31));
}

static void groups_shrink_where_each_channel_is_one(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(1, 1, 1) CONV(3, "") "[conv]\nfilters=6\nsize=1\ngroups=3\nactivation=linear\n" CONV(1, ""), PRUNE_THIS_DARKNET);
    number(&net);               /* 0: 3 biases, 3 weights; 1: 6 biases from 6, 6 weights; 2: 1 bias at 18, 6 weights */
    remove_channel(&net, 0, 1);
    assert_compact(&net, NET(1, 1, 1) CONV(2, "") "[conv]\nfilters=4\nsize=1\ngroups=2\nactivation=linear\n" CONV(1, ""),
                   FLOATS(0, 2, 3, 5, 6, 7, 10, 11, 12, 13, 16, 17, 18, 19, 20, 23, 24));

    network_make(&net, NET(1, 1, 1) CONV(4, "") "[conv]\nfilters=4\nsize=1\ngroups=2\nactivation=linear\n" CONV(1, ""), PRUNE_THIS_DARKNET);
    number(&net);               /* 0: 4 biases, 4 weights; 1: 4 biases from 8, (4, 2) weights from 12; 2: bias at 20, 4 weights */
    remove_channel(&net, 0, 1); /* and 3 */
    remove_channel(&net, 1, 0); /* and 2 */
    assert_compact(&net, NET(1, 1, 1) CONV(2, "") "[conv]\nfilters=2\nsize=1\ngroups=2\nactivation=linear\n" CONV(1, ""),
                   FLOATS(0, 2, 4, 6, 9, 11, 14, 18, 20, 22, 24));
}

static void connected_layers_lose_whole_units_of_columns(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 1, 1) CONV(2, "") "[connected]\noutput=2\nactivation=relu\nbatch_normalize=1\n[connected]\noutput=1\nactivation=linear\n", PRUNE_THIS_DARKNET);
    number(&net);               /* 0: 2 biases, 2 weights; 1: 2 biases from 4, (2, 4) weights from 6, scales 14, means 16, variances 18; 2: bias 20, 2 weights */
    remove_channel(&net, 0, 0);
    remove_channel(&net, 1, 1);
    assert_compact(&net, NET(2, 1, 1) CONV(1, "") "[connected]\noutput=1\nactivation=relu\nbatch_normalize=1\n[connected]\noutput=1\nactivation=linear\n",
                   FLOATS(1, 3, 4, 8, 9, 14, 16, 18, 20, 21));
}

static void deconvolutions_lose_columns_first(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(1, 1, 1) CONV(2, "") "[deconv]\nfilters=3\nsize=2\nactivation=relu\n" CONV(1, ""), PRUNE_THIS_DARKNET);
    number(&net);               /* 0: 4; 1: 3 biases from 4, (2, 3, 4) weights from 7; 2: bias 31, 3 weights */
    remove_channel(&net, 0, 0);
    remove_channel(&net, 1, 1);
    assert_compact(&net, NET(1, 1, 1) CONV(1, "") "[deconv]\nfilters=2\nsize=2\nactivation=relu\n" CONV(1, ""),
                   FLOATS(1, 3, 4, 6, 19, 20, 21, 22, 27, 28, 29, 30, 31, 32, 34));
}

static void local_layers_lose_biases_at_every_place(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 1, 1) CONV(2, "") "[local]\nfilters=2\nsize=1\nactivation=relu\n" CONV(1, ""), PRUNE_THIS_DARKNET);
    number(&net);               /* 0: 4; 1: biases (2, 2 places) from 4, weights (2 places, 2, 2) from 8; 2: bias 16, 2 weights */
    remove_channel(&net, 0, 1);
    remove_channel(&net, 1, 0);
    assert_compact(&net, NET(2, 1, 1) CONV(1, "") "[local]\nfilters=1\nsize=1\nactivation=relu\n" CONV(1, ""), FLOATS(0, 2, 6, 7, 10, 14, 16, 18));
}

static void batchnorm_layers_are_sliced_as_their_dialect_has_them(void **state)
{
    (void)state;
    struct network net;
    for (int dialect = PRUNE_THIS_DARKNET; dialect <= PRUNE_ALEXEYAB; dialect++) {
        network_make(&net, NET(1, 1, 1) CONV(2, "") "[batchnorm]\n" CONV(1, ""), (enum prune_dialect)dialect);
        number(&net);           /* 0: 4; 1: scales from 4, means, variances (AlexeyAB: biases first) */
        remove_channel(&net, 0, 0);
        const char *const cfg = NET(1, 1, 1) CONV(1, "") "[batchnorm]\n" CONV(1, "");
        if (dialect == PRUNE_ALEXEYAB) assert_compact(&net, cfg, FLOATS(1, 3, 5, 7, 9, 11, 12, 14));
        else assert_compact(&net, cfg, FLOATS(1, 3, 5, 7, 9, 10, 12));
    }
}

static void shortcuts_keep_what_is_not_per_channel(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(1, 1, 1) CONV(2, "") CONV(2, "") "[shortcut]\nfrom=0\nactivation=linear\nweights_type=per_channel\n" CONV(1, ""), PRUNE_ALEXEYAB);
    number(&net);               /* 0: 4; 1: 2 + 4 from 4; 2: (2, 2) from 10; 3: bias 14, 2 weights */
    remove_channel(&net, 0, 1);
    assert_compact(&net, NET(1, 1, 1) CONV(1, "") CONV(1, "") "[shortcut]\nfrom=0\nactivation=linear\nweights_type=per_channel\n" CONV(1, ""), FLOATS(0, 2, 4, 6, 10, 12, 14, 15));

    network_make(&net, NET(1, 1, 1) CONV(2, "") CONV(2, "") "[shortcut]\nfrom=0\nactivation=linear\nweights_type=per_feature\n" CONV(1, ""), PRUNE_ALEXEYAB);
    number(&net);
    remove_channel(&net, 0, 1);
    assert_compact(&net, NET(1, 1, 1) CONV(1, "") CONV(1, "") "[shortcut]\nfrom=0\nactivation=linear\nweights_type=per_feature\n" CONV(1, ""), FLOATS(0, 2, 4, 6, 10, 11, 12, 13));
}

static void shared_weights_are_written_once_and_edited_twice(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(1, 1, 1) CONV(2, "") CONV(2, "") CONV(2, "share_index=1\n") CONV(1, ""), PRUNE_ALEXEYAB);
    number(&net);               /* 0: 4; 1: 2 + 4 from 4; 3: bias 10, 2 weights; all channels of 0, 1 and 2 go together */
    remove_channel(&net, 1, 0);
    assert_removed(&net, 0, "10");
    assert_compact(&net, NET(1, 1, 1) CONV(1, "") CONV(1, "") CONV(1, "share_index=1\n") CONV(1, ""), FLOATS(1, 3, 5, 9, 10, 12));
}

static void what_is_not_understood_is_copied_whole(void **state)
{
    (void)state;
    struct network net;
    const char *const rest = "[connected]\noutput=2\nactivation=linear\n[gru]\noutput=1\n";
    char before[300], after[300];
    snprintf(before, sizeof before, NET(1, 1, 1) CONV(2, "") "%s", rest);
    snprintf(after, sizeof after, NET(1, 1, 1) CONV(1, "") "%s", rest);
    network_make(&net, before, PRUNE_THIS_DARKNET);
    number(&net);               /* 0: 4; 1: 2 + 4 from 4; 2: 15 from 10 */
    assert_int_equal(net.weights.n_floats, 25);
    remove_channel(&net, 0, 0);
    assert_compact(&net, after, FLOATS(1, 3, 4, 5, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24));
}

/* The key stays, so the file must have them as Darknet will turn them: what is read back is what was in memory. */
static void flipped_weights_are_flipped_back(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(2, 2, 2) CONV(3, "") "[conv]\nfilters=2\nsize=1\nactivation=linear\nflipped=1\n" CONV(1, ""), PRUNE_THIS_DARKNET);
    number(&net);               /* 0: 3 + 6; 1: 2 biases from 9, in memory (2, 3) from 11; 2: bias 17, 2 weights */
    remove_channel(&net, 0, 1);
    struct network same;
    network_make(&same, NET(2, 2, 2) CONV(3, "") "[conv]\nfilters=2\nsize=1\nactivation=linear\nflipped=1\n" CONV(1, ""), PRUNE_THIS_DARKNET);
    number(&same);
    assert_compact(&net, NET(2, 2, 2) CONV(2, "") "[conv]\nfilters=2\nsize=1\nactivation=linear\nflipped=1\n" CONV(1, ""),
                   FLOATS(0, 2, 3, 4, 7, 8, 9, 10, 11, 14, 13, 16, 17, 18, 19));
    struct prune_weights back;
    assert_int_equal(prune_weights_write(&same.graph, &same.weights, weights_path, 0), PRUNE_OK);
    assert_int_equal(prune_weights_read(&back, &same.graph, weights_path), PRUNE_OK);
    assert_memory_equal(back.floats, same.weights.floats, same.weights.n_floats * sizeof(float));
    prune_weights_free(&back);
    assert_floats(FLOATS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 12, 15, 13, 16, 17, 18, 19));
    network_free(&same);
}

static void nothing_removed_is_the_same_file(void **state)
{
    (void)state;
    struct network net;
    struct bytes compacted, whole;
    const char *const text = NET(3, 3, 2) CONV(4, "batch_normalize=1\n") "[conv]\nfilters=4\nsize=3\npad=1\ngroups=2\nactivation=relu\n[deconv]\nfilters=2\nsize=2\nactivation=relu\n"
        "[batchnorm]\n[local]\nfilters=2\nsize=2\nactivation=relu\n[connected]\noutput=3\nactivation=relu\n[rnn]\noutput=2\n";
    network_make(&net, text, PRUNE_THIS_DARKNET);
    number(&net);
    net.weights.seen = 123456789012;
    assert_int_equal(compact(&net, 0), PRUNE_OK);
    read_and_unlink(weights_path, &compacted);
    assert_int_equal(prune_weights_write(&net.graph, &net.weights, weights_path, 0), PRUNE_OK);
    read_and_unlink(weights_path, &whole);
    assert_int_equal(whole.n, 20 + 4 * net.weights.n_floats);
    assert_int_equal(compacted.n, whole.n);
    assert_memory_equal(compacted.data, whole.data, whole.n);
    assert_memory_equal(whole.data + 20, net.weights.floats, 4 * net.weights.n_floats);
    assert_cfg(text);
    network_free(&net);
}

/* ---------------------------------------------------------------------------------------------------------- header -- */

static void headers_are_kept_but_for_transposed_ones(void **state)
{
    (void)state;
    const struct { int32_t before[3]; uint64_t seen; int version1; int32_t after[3]; size_t bytes; int code; } headers[] = {
        { { 0, 2, 5 }, 6000000000, 0, { 0, 2, 5 }, 20, PRUNE_OK },
        { { 0, 1, 0 }, 70, 0, { 0, 1, 0 }, 16, PRUNE_OK },
        { { 1, 0, 3 }, 70, 0, { 1, 0, 3 }, 20, PRUNE_OK },
        { { 0, 1000, 0 }, 70, 0, { 0, 1000, 0 }, 16, PRUNE_OK },
        { { 0, 1001, 0 }, 70, 0, { 0, 2, 0 }, 20, PRUNE_OK },
        { { 2000, 0, 1 }, 70, 0, { 0, 2, 0 }, 20, PRUNE_OK },
        { { 0, 2, 5 }, 4294967295, 1, { 0, 1, 0 }, 16, PRUNE_OK },
        { { 2000, 0, 1 }, 70, 1, { 0, 1, 0 }, 16, PRUNE_OK },
        { { 0, 2, 5 }, 4294967296, 1, { 0, 0, 0 }, 0, PRUNE_ERR_RANGE },
        { { 0, 1, 0 }, 4294967296, 0, { 0, 0, 0 }, 0, PRUNE_ERR_RANGE },
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        for (int whole = 0; whole < 2; whole++) {
            struct network net;
            struct bytes file;
            network_make(&net, NET(1, 1, 1) CONV(1, ""), PRUNE_THIS_DARKNET);
            net.weights.major = headers[i].before[0];
            net.weights.minor = headers[i].before[1];
            net.weights.revision = headers[i].before[2];
            net.weights.seen = headers[i].seen;
            listen_stderr();
            int code = whole ? prune_weights_write(&net.graph, &net.weights, weights_path, headers[i].version1)
                             : prune_compact_write(&net.channels, &net.weights, net.removed, cfg_path, weights_path, headers[i].version1);
            heard_stderr();
            network_free(&net);
            assert_int_equal(code, headers[i].code);
            if (code) {
                assert_said("the weights have seen 4294967296 images");
                assert_true(access(weights_path, F_OK) && access(cfg_path, F_OK));
                continue;
            }
            if (!whole) unlink(cfg_path);
            uint64_t seen = 0;
            read_and_unlink(weights_path, &file);
            assert_int_equal(file.n, headers[i].bytes + 8);
            assert_memory_equal(file.data, headers[i].after, 12);
            memcpy(&seen, file.data + 12, headers[i].bytes - 12);
            assert_int_equal(seen, headers[i].seen);
        }
    }
}

/* ---------------------------------------------------------------------------------------------------------- faults -- */

static void assert_nothing_there(void)
{
    char temporary[130];
    const char *const paths[] = { cfg_path, weights_path };
    for (int i = 0; i < 2; i++) {
        snprintf(temporary, sizeof temporary, "%s.tmp", paths[i]);
        if (!access(paths[i], F_OK) || !access(temporary, F_OK)) fail_msg("%s is there", paths[i]);
    }
}

static void put_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void inputs_are_not_written_over(void **state)
{
    (void)state;
    struct network net;
    char link_path[120], kept_cfg[120], kept_weights[120];
    memcpy(kept_cfg, cfg_path, sizeof kept_cfg);
    memcpy(kept_weights, weights_path, sizeof kept_weights);
    network_make(&net, NET(1, 1, 1) CONV(1, ""), PRUNE_THIS_DARKNET);
    snprintf(link_path, sizeof link_path, "%s/link", folder);

    snprintf(cfg_path, sizeof cfg_path, "%s", net.cfg.path);
    assert_int_equal(compact(&net, 0), PRUNE_ERR_RANGE);
    assert_said("would be written over");
    memcpy(cfg_path, kept_cfg, sizeof kept_cfg);

    assert_int_equal(symlink(net.cfg.path, link_path), 0);
    snprintf(weights_path, sizeof weights_path, "%s", link_path);
    assert_int_equal(compact(&net, 0), PRUNE_ERR_RANGE);
    assert_said("would be written over");
    unlink(link_path);

    snprintf(link_path, sizeof link_path, "%.90s.tmp", kept_weights);
    assert_int_equal(link(net.cfg.path, link_path), 0);
    memcpy(weights_path, kept_weights, sizeof kept_weights);
    assert_int_equal(compact(&net, 0), PRUNE_ERR_RANGE);
    assert_said("give another name");
    unlink(link_path);

    memcpy(weights_path, cfg_path, sizeof weights_path);
    assert_int_equal(compact(&net, 0), PRUNE_ERR_RANGE);
    assert_said("would be written over");
    snprintf(weights_path, sizeof weights_path, "%.90s.tmp", cfg_path);
    assert_int_equal(compact(&net, 0), PRUNE_ERR_RANGE);
    assert_said("give another name");
    memcpy(weights_path, kept_weights, sizeof kept_weights);
    assert_nothing_there();
    network_free(&net);

    put_text(cfg_path, "x");                    /* as `darknet prune compact` asks before it reads */
    put_text(weights_path, "y");
    listen_stderr();
    int code = prune_compact_check(cfg_path, weights_path, "/tmp/elsewhere.cfg", weights_path);
    heard_stderr();
    assert_int_equal(code, PRUNE_ERR_RANGE);
    assert_said("would be written over");
    listen_stderr();
    code = prune_compact_check(cfg_path, weights_path, "/tmp/elsewhere.cfg", "/tmp/elsewhere.weights");
    heard_stderr();
    assert_int_equal(code, PRUNE_OK);
    unlink(cfg_path);
    unlink(weights_path);
}

static void a_failure_leaves_neither_file(void **state)
{
    (void)state;
    struct network net;
    char kept[120];
    memcpy(kept, weights_path, sizeof kept);
    network_make(&net, NET(1, 1, 1) CONV(2, "") CONV(1, ""), PRUNE_THIS_DARKNET);

    snprintf(weights_path, sizeof weights_path, "%s/none/new.weights", folder);
    assert_int_equal(compact(&net, 0), PRUNE_ERR_IO);
    assert_said("cannot write");
    memcpy(weights_path, kept, sizeof kept);
    assert_nothing_there();

    assert_int_equal(mkdir(weights_path, 0700), 0);
    assert_int_equal(compact(&net, 0), PRUNE_ERR_IO);
    assert_said("is a folder");
    rmdir(weights_path);
    assert_nothing_there();

    put_text(net.cfg.path, NET(1, 1, 1) CONV(3, "") CONV(1, ""));   /* another file by now */
    assert_int_equal(compact(&net, 0), PRUNE_ERR_FORMAT);
    assert_said("was changed after it was read");
    assert_nothing_there();
    network_free(&net);
}

/* A choice that breaks the rules of prune_channels_build, here a wrong number of channels in a group, must not become a file. */
static void what_does_not_fit_the_new_cfg_is_not_written(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(1, 1, 1) CONV(4, "") "[conv]\nfilters=4\nsize=1\ngroups=2\nactivation=linear\n" CONV(1, ""), PRUNE_THIS_DARKNET);
    int whole = net.channels.group[0][3], other = net.channels.group[0][0];
    net.channels.group[0][3] = other;           /* as if the channels were tied otherwise: three would stay */
    net.removed[whole] = 1;
    net.channels.group[0][1] = whole;
    net.channels.group[0][2] = other;
    assert_true(compact(&net, 0) < 0);
    assert_said("groups=2 must divide");
    assert_nothing_there();
    net.channels.group[0][3] = net.channels.group[0][1] = whole;
    net.channels.group[0][2] = other;
    network_free(&net);
}

static void old_outputs_are_replaced_whole(void **state)
{
    (void)state;
    struct network net;
    network_make(&net, NET(1, 1, 1) CONV(2, "") CONV(1, ""), PRUNE_THIS_DARKNET);
    number(&net);
    put_text(cfg_path, "something much longer than what will be there in the end, so that a rest of it would be seen, would it not? Yes, it would be, and it is long enough.");
    put_text(weights_path, "old");
    remove_channel(&net, 0, 0);
    assert_compact(&net, NET(1, 1, 1) CONV(1, "") CONV(1, ""), FLOATS(1, 3, 4, 6));
    assert_nothing_there();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_lose_rows_and_columns), cmocka_unit_test(groups_shrink_where_each_channel_is_one), cmocka_unit_test(connected_layers_lose_whole_units_of_columns),
        cmocka_unit_test(deconvolutions_lose_columns_first), cmocka_unit_test(local_layers_lose_biases_at_every_place),
        cmocka_unit_test(batchnorm_layers_are_sliced_as_their_dialect_has_them), cmocka_unit_test(shortcuts_keep_what_is_not_per_channel),
        cmocka_unit_test(shared_weights_are_written_once_and_edited_twice), cmocka_unit_test(what_is_not_understood_is_copied_whole),
        cmocka_unit_test(flipped_weights_are_flipped_back), cmocka_unit_test(nothing_removed_is_the_same_file), cmocka_unit_test(headers_are_kept_but_for_transposed_ones),
        cmocka_unit_test(inputs_are_not_written_over), cmocka_unit_test(a_failure_leaves_neither_file), cmocka_unit_test(what_does_not_fit_the_new_cfg_is_not_written),
        cmocka_unit_test(old_outputs_are_replaced_whole),
    };
    return cmocka_run_group_tests_name("compact", tests, make_folder, remove_folder);
}
