/* test_cfg_write.c - a cfg's own text with some values changed */
#include "reading.h"

/* Writes the text anew into `written`; returns the code, and what was printed in `said`. `changed`, if not NULL, gets into the file before it is read for the second time. */
static char written[4096];

static int rewrite(const char *text, const struct prune_edit *edits, int n_edits, const char *changed)
{
    struct prune_cfg cfg;
    char path[256], *out_text = NULL;
    size_t bytes = 0;
    write_scratch(path, text, strlen(text));
    listen_stderr();
    int code = prune_cfg_read(&cfg, path);
    if (!code && changed) {
        FILE *file = fopen(path, "wb");
        if (file) fputs(changed, file);
        if (file) fclose(file);
    }
    FILE *out = open_memstream(&out_text, &bytes);
    if (!code && out) code = prune_cfg_write(out, &cfg, edits, n_edits);
    if (out) fclose(out);
    heard_stderr();
    snprintf(written, sizeof written, "%s", out_text ? out_text : "");
    free(out_text);
    prune_cfg_free(&cfg);
    unlink(path);
    return code;
}

static void assert_rewritten(const char *text, const struct prune_edit *edits, int n_edits, const char *expected)
{
    if (rewrite(text, edits, n_edits, NULL)) fail_msg("refused: %s", said);
    assert_string_equal(said, "");
    assert_string_equal(written, expected);
}

static void nothing_changes_without_need(void **state)
{
    (void)state;
    const char *const plain = "# A network\n\n[net]\nwidth=4\n\n  ; twice  \n#x\n[convolutional]\nfilters=8\nunknown_key=a,b,c\n\n\n[yolo]\n";
    assert_rewritten(plain, NULL, 0, plain);
}

static void blanks_go_and_comments_stay(void **state)
{
    (void)state;
    assert_rewritten("\t# first \t\n[ n e t ]  \n  width = 4 5\nsteps = 1, 2 ,3 \n   \n\t[conv]\t\nfilters = 32   # wide  enough\t\nsize=3;no blank\nactivation = leaky ; # both\n", NULL, 0,
                     "\t# first \t\n[net]\nwidth=45\nsteps=1,2,3\n   \n[conv]\nfilters=32 # wide  enough\t\nsize=3 ;no blank\nactivation=leaky ; # both\n");
}

static void lines_end_in_lf(void **state)
{
    (void)state;
    assert_rewritten("[net]\r\nwidth=4\r\n\r\n# a comment \r\n[conv]\r\nfilters=2 # b\r\nsize=3\r", NULL, 0, "[net]\nwidth=4\n\n# a comment \n[conv]\nfilters=2 # b\nsize=3\n");
    assert_rewritten("[net]\nwidth=4", NULL, 0, "[net]\nwidth=4\n");
    assert_rewritten("[net]\n[conv]", NULL, 0, "[net]\n[conv]\n");
    assert_rewritten("[net]\n# the end", NULL, 0, "[net]\n# the end\n");
}

static void pruning_keys_go(void **state)
{
    (void)state;
    assert_rewritten("[net]\nprune_sparsity=.9 # much\nwidth=4\n prune_steps = 3\npruned=1\n[conv]\nprune=0\nfilters=2\nprune_sparsity=.5", NULL, 0,
                     "[net]\nwidth=4\npruned=1\n[conv]\nfilters=2\n");
}

static void edits_change_the_first_key_of_their_section(void **state)
{
    (void)state;
    const char *const text = "[net]\nfilters=1\n[conv]\nfilters=64 # was 64\nfilters=5\nsize=1\n[conv]\nsize=1\n filters=7\n[conv]\nsize=3\n[connected]\noutput= 10";
    const struct prune_edit edits[] = { { 1, "filters", 48 }, { 3, "filters", 9 }, { 4, "output", 4 }, { 3, "groups", 2 } };
    assert_rewritten(text, edits, 4,
                     "[net]\nfilters=1\n[conv]\nfilters=48 # was 64\nfilters=5\nsize=1\n[conv]\nsize=1\nfilters=7\n[conv]\nfilters=9\ngroups=2\nsize=3\n[connected]\noutput=4\n");
}

/* A comment sign that is not preceded by a blank, or stands in the name, or follows nothing: what Darknet reads of it must not change. */
static void what_is_written_reads_the_same(void **state)
{
    (void)state;
    const char *const text = "[net]\na#b=3#c=d\nmean = x;y # z\nempty=#\nurl=a=b\n[conv]\n";
    struct prune_cfg before, after;
    assert_int_equal(rewrite(text, NULL, 0, NULL), PRUNE_OK);
    assert_int_equal(read_cfg_text(&before, text), PRUNE_OK);
    assert_int_equal(read_cfg_text(&after, written), PRUNE_OK);
    assert_int_equal(before.n_sections, after.n_sections);
    for (int s = 0; s < before.n_sections; s++) {
        assert_string_equal(before.sections[s].kind, after.sections[s].kind);
        assert_int_equal(before.sections[s].n_keys, after.sections[s].n_keys);
        for (int k = 0; k < before.sections[s].n_keys; k++) {
            assert_string_equal(before.sections[s].keys[k].name, after.sections[s].keys[k].name);
            assert_string_equal(before.sections[s].keys[k].value, after.sections[s].keys[k].value);
        }
    }
    assert_int_equal(before.sections[0].n_keys, 4);
    prune_cfg_free(&before);
    prune_cfg_free(&after);
}

static void a_second_time_changes_nothing(void **state)
{
    (void)state;
    char first[sizeof written];
    assert_int_equal(rewrite("[net]\nwidth = 4 # a\nprune=1\n\n ;b\n[conv]\nfilters =3\r\n", NULL, 0, NULL), PRUNE_OK);
    memcpy(first, written, sizeof first);
    assert_rewritten(first, NULL, 0, first);
}

static void a_file_that_changed_is_a_fault(void **state)
{
    (void)state;
    const char *const text = "[net]\nwidth=4\n# c\n[conv]\nfilters=2\n";
    const struct { const char *changed, *part; } faults[] = {
        { "[net]\nwidth=5\n# c\n[conv]\nfilters=2\n", ":2: the file was changed" },
        { "[net]\nwidth=4\n[conv]\nfilters=2\n", ":3: the file was changed" },
        { "[net]\nwidth=4\n# c\n[local]\nfilters=2\n", ":4: the file was changed" },
        { "[net]\nwidth=4\n# c\n[conv]\n", "became shorter" },
        { "", "became shorter" },
        { "[net]\nwidth=4\n# c\n[conv]\nfilters=2\nsize=1\n", ":6: the file was changed" },
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        assert_int_equal(rewrite(text, NULL, 0, faults[i].changed), PRUNE_ERR_FORMAT);
        assert_said(faults[i].part);
    }
}

static void a_file_that_is_gone_or_full_is_a_fault(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    FILE *out = fopen("/dev/full", "w");
    char path[256];
    write_scratch(path, "[net]\nwidth=4\n", 14);
    assert_int_equal(prune_cfg_read(&cfg, path), PRUNE_OK);
    assert_non_null(out);
    setvbuf(out, NULL, _IONBF, 0);
    listen_stderr();
    int code = prune_cfg_write(out, &cfg, NULL, 0);
    heard_stderr();
    assert_int_equal(code, PRUNE_ERR_IO);
    assert_said("cannot be written");
    unlink(path);
    listen_stderr();
    code = prune_cfg_write(out, &cfg, NULL, 0);
    heard_stderr();
    assert_int_equal(code, PRUNE_ERR_IO);
    assert_said("No such file");
    fclose(out);
    prune_cfg_free(&cfg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_changes_without_need), cmocka_unit_test(blanks_go_and_comments_stay), cmocka_unit_test(lines_end_in_lf), cmocka_unit_test(pruning_keys_go),
        cmocka_unit_test(edits_change_the_first_key_of_their_section), cmocka_unit_test(what_is_written_reads_the_same), cmocka_unit_test(a_second_time_changes_nothing),
        cmocka_unit_test(a_file_that_changed_is_a_fault), cmocka_unit_test(a_file_that_is_gone_or_full_is_a_fault),
    };
    return cmocka_run_group_tests_name("cfg_write", tests, NULL, NULL);
}
