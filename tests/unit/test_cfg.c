/* test_cfg.c - reading cfg text: what Darknet reads, and what it should have refused */
#include "reading.h"

static void blanks_comments_and_first_key(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    assert_int_equal(read_cfg_text(&cfg, "# a network\n\n [ net ] \n batch = 1 2\t\n;x=1\n  # y=2\nbatch=7\n\n[conv]\nfilters=32 # wide\na=b=c"), PRUNE_OK);
    assert_int_equal(cfg.n_sections, 2);
    assert_string_equal(cfg.sections[0].kind, "[net]");
    assert_int_equal(cfg.sections[0].line, 3);
    assert_int_equal(cfg.sections[0].n_keys, 2);
    assert_string_equal(prune_cfg_find(&cfg.sections[0], "batch"), "12");
    assert_int_equal(cfg.sections[0].keys[1].line, 7);
    assert_string_equal(cfg.sections[1].kind, "[conv]");
    assert_string_equal(prune_cfg_find(&cfg.sections[1], "a"), "b=c"); /* and the last line may lack its end */
    assert_null(prune_cfg_find(&cfg.sections[1], "batch"));
    int n;
    assert_int_equal(prune_cfg_int(&cfg, &cfg.sections[1], "filters", 1, &n), PRUNE_OK);
    assert_int_equal(n, 32);
    prune_cfg_free(&cfg);
    prune_cfg_free(&cfg);
}

static void windows_line_ends(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    assert_int_equal(read_cfg_text(&cfg, "[net]\r\nbatch=64\r\n\r\n[softmax]\r\n# end\r"), PRUNE_OK);
    assert_string_equal(cfg.sections[0].kind, "[net]");
    assert_string_equal(prune_cfg_find(&cfg.sections[0], "batch"), "64");
    assert_string_equal(cfg.sections[1].kind, "[softmax]");
    prune_cfg_free(&cfg);
}

static void network_is_another_name_of_net(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    assert_int_equal(read_cfg_text(&cfg, "[network]\n"), PRUNE_OK);
    prune_cfg_free(&cfg);
}

static void long_lines_and_many_keys(void **state)
{
    (void)state;
    enum { N = 100000 };
    struct prune_cfg cfg;
    char *text = malloc(20 * N);
    assert_non_null(text);
    size_t used = (size_t)sprintf(text, "[net]\nlong=");
    for (int i = 0; i < N; i++) text[used++] = 'x';
    text[used++] = '\n';
    for (int i = 0; i < 1000; i++) used += (size_t)sprintf(text + used, "k%d=%d\n[s%d]\n", i, i, i);
    assert_int_equal(read_cfg_bytes(&cfg, text, used), PRUNE_OK);
    assert_int_equal(strlen(prune_cfg_find(&cfg.sections[0], "long")), N);
    assert_int_equal(cfg.n_sections, 1001);
    assert_string_equal(prune_cfg_find(&cfg.sections[999], "k999"), "999");
    prune_cfg_free(&cfg);
    free(text);
}

static void faults_of_text(void **state)
{
    (void)state;
    assert_cfg_fault("", PRUNE_ERR_FORMAT, "no section");
    assert_cfg_fault("# nothing\n", PRUNE_ERR_FORMAT, "no section");
    assert_cfg_fault("batch=1\n[net]\n", PRUNE_ERR_FORMAT, ":1: \"batch=1\" stands before any section");
    assert_cfg_fault("[conv]\nfilters=1\n", PRUNE_ERR_FORMAT, ":1: the first section is [conv]");
    assert_cfg_fault("[net]\n\nbatch\n", PRUNE_ERR_FORMAT, ":3: \"batch\" is neither");
    assert_cfg_fault("[net]\nbatch=\n", PRUNE_ERR_FORMAT, ":2: \"batch=\" is neither");
    assert_cfg_fault("[net]\n=1\n", PRUNE_ERR_FORMAT, ":2: \"=1\" is neither");
    assert_cfg_fault("[net\nbatch=1\n", PRUNE_ERR_FORMAT, ":1: \"[net\": a section");
    assert_cfg_fault("[net]\n[]\n", PRUNE_ERR_FORMAT, ":2: \"[]\": a section");
    assert_cfg_fault("[net] first\n", PRUNE_ERR_FORMAT, ":1: \"[net]first\": a section");
    assert_cfg_fault("[net]\na=\x1b[31m\n", PRUNE_ERR_FORMAT, ":2: byte 0x1b");
    assert_cfg_fault("[net]\ra=1\r", PRUNE_ERR_FORMAT, ":1: byte 0x0d");
    assert_cfg_fault("\xEF\xBB\xBF[net]\n", PRUNE_ERR_FORMAT, ":1: begins with a byte order mark");
}

static void nul_bytes(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    assert_int_equal(read_cfg_bytes(&cfg, "[net]\nbatch=1\0002\n", 16), PRUNE_ERR_FORMAT);
    assert_said(":2: byte 0x00");
    assert_int_equal(read_cfg_bytes(&cfg, "[net]\n\0\n", 8), PRUNE_ERR_FORMAT);
    assert_int_equal(read_cfg_bytes(&cfg, "[net]\n# \0\n", 10), PRUNE_ERR_FORMAT);
}

static void no_such_file(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    listen_stderr();
    int code = prune_cfg_read(&cfg, "no/such.cfg");
    heard_stderr();
    assert_int_equal(code, PRUNE_ERR_IO);
    assert_said("no/such.cfg: ");
    listen_stderr();
    code = prune_cfg_read(&cfg, ".");
    heard_stderr();
    assert_int_equal(code, PRUNE_ERR_IO);
    assert_said(".: ");
}

static void number_values(void **state)
{
    (void)state;
    const struct { const char *text; int code, value; } wholes[] = {
        { "0", PRUNE_OK, 0 }, { "-7", PRUNE_OK, -7 }, { "+7", PRUNE_OK, 7 }, { "007", PRUNE_OK, 7 }, { "2147483647", PRUNE_OK, 2147483647 },
        { "-2147483648", PRUNE_OK, -2147483647 - 1 }, { "32;x", PRUNE_OK, 32 }, { "32#", PRUNE_OK, 32 }, { "2147483648", PRUNE_ERR_RANGE, 5 },
        { "99999999999999999999", PRUNE_ERR_RANGE, 5 }, { "abc", PRUNE_ERR_FORMAT, 5 }, { "1.5", PRUNE_ERR_FORMAT, 5 }, { "1e3", PRUNE_ERR_FORMAT, 5 },
        { "0x10", PRUNE_ERR_FORMAT, 5 }, { "-", PRUNE_ERR_FORMAT, 5 }, { "#1", PRUNE_ERR_FORMAT, 5 }, { "1,2", PRUNE_ERR_FORMAT, 5 },
        { "32x", PRUNE_ERR_FORMAT, 5 }, { "--1", PRUNE_ERR_FORMAT, 5 }, { "1-1", PRUNE_ERR_FORMAT, 5 },
    };
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++) {
        struct prune_cfg cfg;
        char text[100];
        int value;
        snprintf(text, sizeof text, "[net]\n\nsteps=%s\n", wholes[i].text);
        assert_int_equal(read_cfg_text(&cfg, text), PRUNE_OK);
        listen_stderr();
        int code = prune_cfg_int(&cfg, &cfg.sections[0], "steps", 5, &value);
        heard_stderr();
        if (code != wholes[i].code || value != wholes[i].value) fail_msg("%s: code %d, value %d", wholes[i].text, code, value);
        if (code) assert_said(":3: [net]: steps=");
        prune_cfg_free(&cfg);
    }

    const struct { const char *text; int code; float value; } reals[] = {
        { ".5", PRUNE_OK, .5F }, { "-1e-3", PRUNE_OK, -1e-3F }, { "3.", PRUNE_OK, 3 }, { "1e38", PRUNE_OK, 1e38F }, { "1e-60", PRUNE_OK, 0 },
        { "0.1#x", PRUNE_OK, .1F }, { "1e39", PRUNE_ERR_RANGE, 5 }, { "1e999", PRUNE_ERR_RANGE, 5 }, { "inf", PRUNE_ERR_FORMAT, 5 },
        { "nan", PRUNE_ERR_FORMAT, 5 }, { "0x1p3", PRUNE_ERR_FORMAT, 5 }, { "1.2.3", PRUNE_ERR_FORMAT, 5 }, { ".", PRUNE_ERR_FORMAT, 5 }, { "1e", PRUNE_ERR_FORMAT, 5 },
    };
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        struct prune_cfg cfg;
        char text[100];
        float value;
        snprintf(text, sizeof text, "[net]\n[conv]\n[conv]\nx=%s\n", reals[i].text);
        assert_int_equal(read_cfg_text(&cfg, text), PRUNE_OK);
        listen_stderr();
        int code = prune_cfg_float(&cfg, &cfg.sections[2], "x", 5, &value);
        heard_stderr();
        if (code != reals[i].code || value != reals[i].value) fail_msg("%s: code %d, value %g", reals[i].text, code, (double)value);
        if (code) assert_said(":4: layer 1 [conv]: x=");
        prune_cfg_free(&cfg);
    }
}

static void lists(void **state)
{
    (void)state;
    const struct { const char *text; int whole, n; } good[] = { { "1", 1, 1 }, { "-1,2,3", 1, 3 }, { "1.5,.5#end", 0, 2 } };
    const struct { const char *text; int whole; const char *part; } bad[] = {
        { "1,,3", 1, "value 2 of 3 is not a whole number" }, { "1,2,", 1, "value 3 of 3 is not" }, { ",", 1, "value 1 of 2" }, { "1,2.5", 1, "value 2 of 2" },
        { "1,x", 0, "value 2 of 2 is not a number" }, { "1,2#a,b", 1, "value 2 of 3" }, { "3000000000", 1, "value 1 of 1 is too large" },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good + sizeof bad / sizeof *bad; i++) {
        size_t n_good = sizeof good / sizeof *good;
        int is_good = i < n_good;
        struct prune_cfg cfg;
        char text[100];
        double *values;
        int n;
        snprintf(text, sizeof text, "[net]\nx=%s\n", is_good ? good[i].text : bad[i - n_good].text);
        assert_int_equal(read_cfg_text(&cfg, text), PRUNE_OK);
        listen_stderr();
        int code = prune_cfg_list(&cfg, &cfg.sections[0], "x", is_good ? good[i].whole : bad[i - n_good].whole, &values, &n);
        heard_stderr();
        if (is_good) {
            assert_int_equal(code, PRUNE_OK);
            assert_int_equal(n, good[i].n);
            assert_non_null(values);
        } else {
            assert_true(code < 0);
            assert_said(bad[i - n_good].part);
            assert_null(values);
        }
        free(values);
        prune_cfg_free(&cfg);
    }
}

static void absent_keys_give_the_fallback(void **state)
{
    (void)state;
    struct prune_cfg cfg;
    double *values;
    int n;
    float x;
    assert_int_equal(read_cfg_text(&cfg, "[net]\n"), PRUNE_OK);
    assert_int_equal(prune_cfg_int(&cfg, &cfg.sections[0], "n", -3, &n), PRUNE_OK);
    assert_int_equal(n, -3);
    assert_int_equal(prune_cfg_float(&cfg, &cfg.sections[0], "x", .25F, &x), PRUNE_OK);
    assert_true(x == .25F);
    assert_int_equal(prune_cfg_list(&cfg, &cfg.sections[0], "l", 1, &values, &n), PRUNE_OK);
    assert_null(values);
    assert_int_equal(n, 0);
    prune_cfg_free(&cfg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blanks_comments_and_first_key), cmocka_unit_test(windows_line_ends), cmocka_unit_test(network_is_another_name_of_net),
        cmocka_unit_test(long_lines_and_many_keys), cmocka_unit_test(faults_of_text), cmocka_unit_test(nul_bytes), cmocka_unit_test(no_such_file),
        cmocka_unit_test(number_values), cmocka_unit_test(lists), cmocka_unit_test(absent_keys_give_the_fallback),
    };
    return cmocka_run_group_tests_name("cfg", tests, NULL, NULL);
}
