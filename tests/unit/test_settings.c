/* test_settings.c - the pruning keys: what is taken, what is refused and how it is called in the fault line */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "prune.h"
#include "random.h"

#define EACH(i, array) for (size_t i = 0; i < sizeof(array) / sizeof *(array); i++)

static struct prune_settings defaults(void)
{
    struct prune_settings settings;
    memset(&settings, 0x5a, sizeof settings);
    prune_settings_default(&settings);
    return settings;
}

static void assert_same(const struct prune_settings *a, const struct prune_settings *b)
{
    assert_true(a->sparsity == b->sparsity && a->recover == b->recover);
    assert_int_equal(a->configured, b->configured);
    assert_int_equal(a->steps, b->steps);
    assert_int_equal(a->start, b->start);
    assert_int_equal(a->end, b->end);
    assert_int_equal(a->curve, b->curve);
    assert_int_equal(a->scope, b->scope);
    assert_int_equal(a->rule, b->rule);
    assert_int_equal(a->order, b->order);
    assert_int_equal(a->criterion, b->criterion);
    assert_int_equal(a->granularity, b->granularity);
    assert_true(a->weights == b->weights && a->macs == b->macs);
    assert_int_equal(a->round, b->round);
}

/* Reads `text` as a cfg and takes its settings; the first line of the fault in `fault`, and exactly one line when it failed. */
static int from_text(const char *text, struct prune_settings *settings, char *fault, size_t bytes)
{
    char path[] = "/tmp/prune-settings-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    close(file);
    struct prune_cfg cfg;
    int code = prune_cfg_read(&cfg, path);
    unlink(path);
    assert_int_equal(code, PRUNE_OK);
    hush();
    code = prune_settings_from_cfg(settings, &cfg);
    int lines = heard(fault, bytes);
    assert_int_equal(lines, code ? 1 : 0);
    if (code) assert_non_null(strstr(fault, path));
    prune_cfg_free(&cfg);
    return code;
}

static void the_defaults(void **state)
{
    (void)state;
    struct prune_settings s = defaults();
    assert_int_equal(s.configured, 0);
    assert_true(s.sparsity == 0.9F);
    assert_int_equal(s.steps, 20);
    assert_true(s.recover == 0.1F);
    assert_int_equal(s.start, 0);
    assert_int_equal(s.end, -1);
    assert_int_equal(s.curve, PRUNE_LOG);
    assert_int_equal(s.order, PRUNE_TOGETHER);
    assert_int_equal(s.criterion, PRUNE_MAGNITUDE);
    assert_int_equal(s.granularity, PRUNE_WEIGHT);
    assert_int_equal(s.round, 8);
    assert_true(s.weights == 0 && s.macs == 0);
    assert_in_range(s.scope, PRUNE_LAYER, PRUNE_ERK);   /* which of them: by experiment */
    assert_in_range(s.rule, PRUNE_NONE, PRUNE_SHADOW);
}

static double field(const struct prune_settings *s, const char *name)
{
    if (!strcmp(name, "sparsity")) return (double)s->sparsity;
    if (!strcmp(name, "steps")) return s->steps;
    if (!strcmp(name, "recover")) return (double)s->recover;
    if (!strcmp(name, "start")) return s->start;
    if (!strcmp(name, "end")) return s->end;
    if (!strcmp(name, "curve")) return (double)s->curve;
    if (!strcmp(name, "scope")) return (double)s->scope;
    if (!strcmp(name, "rule")) return (double)s->rule;
    if (!strcmp(name, "order")) return (double)s->order;
    if (!strcmp(name, "criterion")) return (double)s->criterion;
    if (!strcmp(name, "granularity")) return (double)s->granularity;
    if (!strcmp(name, "weights")) return (double)s->weights;
    if (!strcmp(name, "macs")) return (double)s->macs;
    if (!strcmp(name, "round")) return s->round;
    fail_msg("no field %s", name);
    return 0;
}

static const struct { const char *name, *value; double expected; } good[] = {
    { "sparsity", "0", 0 }, { "sparsity", ".95", 0.95 }, { "sparsity", "0.9", 0.9 }, { "sparsity", "9.5e-1", 0.95 }, { "sparsity", "0.9999", 0.9999 },
    { "sparsity", "0.9999998", 0.9999998 }, { "steps", "1", 1 }, { "steps", "20", 20 }, { "steps", "10000", 10000 }, { "steps", "1e3", 1000 },
    { "recover", "0", 0 }, { "recover", "1", 1 }, { "recover", "0.25", 0.25 },
    { "start", "0", 0 }, { "start", "1000000000", 1e9 }, { "end", "1", 1 }, { "end", "1000000000", 1e9 },
    { "curve", "log", PRUNE_LOG }, { "curve", "cubic", PRUNE_CUBIC }, { "curve", "linear", PRUNE_LINEAR }, { "curve", "geometric", PRUNE_GEOMETRIC },
    { "scope", "layer", PRUNE_LAYER }, { "scope", "global", PRUNE_GLOBAL }, { "scope", "lamp", PRUNE_LAMP }, { "scope", "erk", PRUNE_ERK },
    { "rule", "none", PRUNE_NONE }, { "rule", "gradient", PRUNE_GRADIENT }, { "rule", "restore", PRUNE_RESTORE }, { "rule", "shadow", PRUNE_SHADOW },
    { "order", "together", PRUNE_TOGETHER }, { "order", "convolutional,connected", PRUNE_CONVOLUTIONAL_THEN_CONNECTED },
    { "criterion", "magnitude", PRUNE_MAGNITUDE }, { "granularity", "weight", PRUNE_WEIGHT },
    { "criterion", "l1", PRUNE_L1 }, { "criterion", "l2", PRUNE_L2 }, { "criterion", "apoz", PRUNE_APOZ }, { "criterion", "entropy", PRUNE_ENTROPY },
    { "criterion", "gamma", PRUNE_GAMMA }, { "criterion", "folded", PRUNE_FOLDED }, { "criterion", "taylor", PRUNE_TAYLOR }, { "criterion", "fpgm", PRUNE_FPGM },
    { "criterion", "random", PRUNE_RANDOM },
    { "granularity", "kernel", PRUNE_KERNEL }, { "granularity", "block4", PRUNE_BLOCK4 }, { "granularity", "filter", PRUNE_FILTER }, { "granularity", "channel", PRUNE_CHANNEL },
    { "weights", "0.5", 0.5 }, { "macs", ".25", 0.25 }, { "macs", "1", 1 }, { "round", "1", 1 }, { "round", "1024", 1024 },
};

/* No value that is not among them may be taken; the first letters name the key. */
static const char *const bad[][2] = {
    { "sparsity", "1" }, { "sparsity", "-0.1" }, { "sparsity", "1.5" }, { "sparsity", "0.99999999" }, { "sparsity", "nan" }, { "sparsity", "inf" },
    { "sparsity", "-inf" }, { "sparsity", "0.9x" }, { "sparsity", "x" }, { "sparsity", "90%" }, { "sparsity", "0,9" }, { "sparsity", "1e400" },
    { "sparsity", "." }, { "sparsity", "-" }, { "sparsity", "0.9 " }, { "sparsity", "0.5.5" },
    { "steps", "0" }, { "steps", "-1" }, { "steps", "10001" }, { "steps", "2.5" }, { "steps", "nan" }, { "steps", "inf" }, { "steps", "many" },
    { "steps", "99999999999999999999" }, { "steps", "4294967297" },
    { "recover", "-0.01" }, { "recover", "1.01" }, { "recover", "nan" }, { "recover", "inf" }, { "recover", "half" },
    { "start", "-1" }, { "start", "0.5" }, { "start", "nan" }, { "start", "1000000001" }, { "start", "1e300" },
    { "end", "0" }, { "end", "-1" }, { "end", "1.5" }, { "end", "inf" }, { "end", "2147483648" },
    { "curve", "Log" }, { "curve", "exp" }, { "curve", "0" }, { "curve", "logs" }, { "curve", "lo" },
    { "scope", "lamp,erk" }, { "scope", "each" }, { "rule", "yes" }, { "rule", "shadow," }, { "order", "connected,convolutional" },
    { "order", "connected" }, { "criterion", "l3" }, { "granularity", "filters" }, { "granularity", "block" }, { "granularity", "block8" },
    { "weights", "1.1" }, { "weights", "-0.1" }, { "macs", "half" }, { "macs", "50%" }, { "round", "0" }, { "round", "2.5" }, { "round", "1025" },
};

static void good_values_are_taken(void **state)
{
    (void)state;
    EACH(i, good) {
        char text[200], fault[1000];
        snprintf(text, sizeof text, "[net]\nbatch=1\n prune_%s = %s \n[convolutional]\nfilters=2\n", good[i].name, good[i].value);
        struct prune_settings from_cfg = defaults(), from_option = defaults(), expected = defaults();
        assert_int_equal(from_text(text, &from_cfg, fault, sizeof fault), PRUNE_OK);
        assert_int_equal(prune_settings_option(&from_option, good[i].name, good[i].value), 1);
        assert_true(fabs(field(&from_cfg, good[i].name) - good[i].expected) < 1e-7);
        assert_int_equal(from_cfg.configured, 1);
        assert_same(&from_cfg, &from_option);
        assert_true(from_cfg.sparsity < 1);
        EACH(j, good) {                         /* the other fields are left alone */
            if (!strcmp(good[i].name, good[j].name)) continue;
            assert_true(field(&from_cfg, good[j].name) == field(&expected, good[j].name));
        }
    }
}

static void bad_values_are_refused_by_name(void **state)
{
    (void)state;
    EACH(i, bad) {
        char text[200], fault[1000], key[100];
        struct prune_settings s = defaults(), untouched = defaults();
        snprintf(key, sizeof key, "prune_%s", bad[i][0]);
        if (!strchr(bad[i][1], ' ')) {          /* the cfg reader drops blanks */
            snprintf(text, sizeof text, "[net]\nbatch=1\n%s=%s\n", key, bad[i][1]);
            assert_int_equal(from_text(text, &s, fault, sizeof fault), PRUNE_ERR_RANGE);
            assert_non_null(strstr(fault, key));
            assert_non_null(strstr(fault, bad[i][1]));
            assert_non_null(strstr(fault, ":3:"));
            assert_non_null(strstr(fault, "must be"));
        }
        s = defaults();
        snprintf(key, sizeof key, "-%s", bad[i][0]);
        hush();
        int code = prune_settings_option(&s, bad[i][0], bad[i][1]), lines = heard(fault, sizeof fault);
        if (code != PRUNE_ERR_USAGE) fail_msg("-%s %s gives %d", bad[i][0], bad[i][1], code);
        assert_int_equal(lines, 1);
        assert_non_null(strstr(fault, key));
        assert_same(&s, &untouched);
    }
    static const char *const numbers[] = { "sparsity", "steps", "recover", "start", "end", "curve", "scope", "rule", "order", "criterion", "granularity", "weights", "macs", "round" };
    EACH(i, numbers) {
        struct prune_settings s = defaults();
        hush();
        int empty = prune_settings_option(&s, numbers[i], ""), none = prune_settings_option(&s, numbers[i], NULL), lines = heard(NULL, 0);
        assert_int_equal(empty, PRUNE_ERR_USAGE);
        assert_int_equal(none, PRUNE_ERR_USAGE);
        assert_int_equal(lines, 2);
    }
}

static void options_of_others_are_not_ours(void **state)
{
    (void)state;
    static const char *const others[] = { "", "prune_sparsity", "prune", "Sparsity", "sparsit", "sparsity ", "gpus", "-sparsity" };
    EACH(i, others) {
        struct prune_settings s = defaults(), untouched = defaults();
        assert_int_equal(prune_settings_option(&s, others[i], "0.5"), 0);
        assert_same(&s, &untouched);
    }
}

static void wrong_keys_are_faults(void **state)
{
    (void)state;
    static const struct { const char *text, *key, *line; int code; } cases[] = {
        { "[net]\nprune=1\n", "prune", ":2:", PRUNE_ERR_RANGE },
        { "[net]\nprune_sparsty=0.9\n", "prune_sparsty", ":2:", PRUNE_ERR_RANGE },
        { "[net]\nprune_=0.9\n", "prune_", ":2:", PRUNE_ERR_RANGE },
        { "[net]\nprunesparsity=0.9\n", "prunesparsity", ":2:", PRUNE_ERR_RANGE },
        { "[net]\npruning=0.9\n", NULL, NULL, PRUNE_OK },
        { "[net]\n[convolutional]\nprune_steps=3\n", "prune_steps", ":3:", PRUNE_ERR_RANGE },
        { "[net]\n[convolutional]\nprune_rule=none\n", "prune_rule", ":3:", PRUNE_ERR_RANGE },
        { "[net]\n[convolutional]\nprune_none=1\n", "prune_none", ":3:", PRUNE_ERR_RANGE },
        { "[net]\n[maxpool]\nprunes=1\n", "prunes", ":3:", PRUNE_ERR_RANGE },
        { "[net]\n[convolutional]\nprune=2\n", "prune=2", ":3:", PRUNE_ERR_RANGE },
        { "[net]\n[convolutional]\nprune=no\n", "prune=no", ":3:", PRUNE_ERR_RANGE },
        { "[net]\n[convolutional]\nprune=01\n", "prune=01", ":3:", PRUNE_ERR_RANGE },
        { "[net]\n[convolutional]\nprune_sparsity=1\n", "prune_sparsity=1", ":3:", PRUNE_ERR_RANGE },
        { "[net]\n[convolutional]\nprune_sparsity=nan\n", "prune_sparsity=nan", ":3:", PRUNE_ERR_RANGE },
        { "[net]\n[convolutional]\nprune_sparsity=-1\n", "prune_sparsity=-1", ":3:", PRUNE_ERR_RANGE },
        { "[net]\nprune_steps=3\nbatch=1\nprune_steps=3\n", "prune_steps", ":4:", PRUNE_ERR_FORMAT },
        { "[net]\n[connected]\nprune=1\nprune=1\n", "prune", ":4:", PRUNE_ERR_FORMAT },
        { "[net]\n[connected]\nprune_sparsity=.5\nprune_sparsity=.6\n", "prune_sparsity", ":4:", PRUNE_ERR_FORMAT },
        { "[net]\nbatch=1\nbatch=2\n", NULL, NULL, PRUNE_OK },                  /* not ours */
        { "[net]\nprune_sparsity=.5\n[connected]\nprune_sparsity=.6\n[connected]\nprune_sparsity=.7\n", NULL, NULL, PRUNE_OK },
    };
    EACH(i, cases) {
        struct prune_settings s = defaults();
        char fault[1000];
        int code = from_text(cases[i].text, &s, fault, sizeof fault);
        if (code != cases[i].code) fail_msg("%s gives %d", cases[i].text, code);
        if (cases[i].key) assert_non_null(strstr(fault, cases[i].key));
        if (cases[i].line) assert_non_null(strstr(fault, cases[i].line));
    }
}

static void what_configures(void **state)
{
    (void)state;
    static const struct { const char *text; int configured, layer_limits; } cases[] = {
        { "[net]\nbatch=1\n[connected]\noutput=3\n", 0, 0 },
        { "[net]\nprune_sparsity=0.9\n", 1, 0 },
        { "[net]\nprune_curve=log\n", 1, 0 },
        { "[net]\n[connected]\nprune=0\n", 0, 0 },      /* exempt from nothing */
        { "[net]\n[softmax]\nprune=0\n", 0, 0 },        /* true of every layer */
        { "[net]\n[connected]\nprune_sparsity=0.5\n", 0, 1 },
        { "[net]\nprune_steps=3\n[conv]\nprune_sparsity=0.5\n", 1, 1 },
    };
    EACH(i, cases) {
        struct prune_settings s = defaults();
        char fault[1000];
        assert_int_equal(from_text(cases[i].text, &s, fault, sizeof fault), PRUNE_OK);
        assert_int_equal(s.configured, cases[i].configured);
        assert_int_equal(s.layer_limits, cases[i].layer_limits);
        assert_true(s.sparsity == 0.9F);        /* a layer's limit is not the network's */
    }
}

static void layers_have_their_own_limit(void **state)
{
    (void)state;
    struct prune_key keys[3] = { { "filters", "3", 1 }, { "prune", "0", 2 }, { "prune_sparsity", ".25", 3 } };
    struct prune_section section = { "[convolutional]", 1, keys, 1 };
    float limit = 7;
    assert_int_equal(prune_settings_layer(&section, &limit), 1);
    assert_true(limit < 0);
    section.n_keys = 2;
    assert_int_equal(prune_settings_layer(&section, &limit), 0);
    assert_true(limit < 0);
    section.n_keys = 3;
    assert_int_equal(prune_settings_layer(&section, &limit), 0);
    assert_true(limit == 0.25F);
    keys[1].value = "1";
    assert_int_equal(prune_settings_layer(&section, &limit), 1);
    assert_true(limit == 0.25F);
    keys[2].value = "0";
    assert_int_equal(prune_settings_layer(&section, &limit), 1);
    assert_true(limit == 0);
    section.n_keys = 0;
    section.keys = NULL;
    assert_int_equal(prune_settings_layer(&section, &limit), 1);
    assert_true(limit < 0);
}

static int finish(int start, int end, int max_batches, int *result)
{
    struct prune_settings s = defaults();
    s.start = start;
    s.end = end;
    hush();
    int code = prune_settings_finish(&s, max_batches), lines = heard(NULL, 0);
    assert_int_equal(lines, code ? 1 : 0);
    if (!code) assert_int_equal(s.start, start);
    *result = s.end;
    return code;
}

static void finish_fills_and_checks(void **state)
{
    (void)state;
    int end;
    assert_int_equal(finish(0, -1, 1000, &end), PRUNE_OK);
    assert_int_equal(end, 700);
    assert_int_equal(finish(699, -1, 1000, &end), PRUNE_OK);
    assert_int_equal(finish(700, -1, 1000, &end), PRUNE_ERR_RANGE);
    assert_int_equal(finish(0, -1, 1, &end), PRUNE_OK);
    assert_int_equal(end, 1);
    assert_int_equal(finish(0, -1, 0, &end), PRUNE_ERR_RANGE);
    assert_int_equal(finish(0, -1, -5, &end), PRUNE_ERR_RANGE);
    assert_int_equal(finish(0, 50, 0, &end), PRUNE_OK);         /* max_batches unknown: nothing to compare with */
    assert_int_equal(end, 50);
    assert_int_equal(finish(0, 1000, 1000, &end), PRUNE_OK);
    assert_int_equal(finish(0, 1001, 1000, &end), PRUNE_ERR_RANGE);
    assert_int_equal(finish(50, 50, 1000, &end), PRUNE_ERR_RANGE);
    assert_int_equal(finish(51, 50, 1000, &end), PRUNE_ERR_RANGE);
    assert_int_equal(finish(49, 50, 1000, &end), PRUNE_OK);
    assert_int_equal(finish(0, -1, 2147483647, &end), PRUNE_OK);
    assert_int_equal(end, 1503238552);
    for (int n = 2; n < 2000; n++) {            /* 0.7 as people mean it: 63 of 90, although 0.7 * 90 < 63 in floating point */
        struct prune_settings s = defaults();
        assert_int_equal(prune_settings_finish(&s, n), PRUNE_OK);
        assert_int_equal(s.end, n * 7 / 10);
    }
}

static void an_order_needs_two_steps(void **state)
{
    (void)state;
    struct prune_settings s = defaults();
    s.order = PRUNE_CONVOLUTIONAL_THEN_CONNECTED;
    s.steps = 1;                                /* the second kind would have no step and never be pruned */
    hush();
    int code = prune_settings_finish(&s, 100), lines = heard(NULL, 0);
    assert_int_equal(code, PRUNE_ERR_RANGE);
    assert_int_equal(lines, 1);
    s.steps = 2;
    assert_int_equal(prune_settings_finish(&s, 100), PRUNE_OK);
    s.steps = 1;
    s.order = PRUNE_TOGETHER;
    assert_int_equal(prune_settings_finish(&s, 100), PRUNE_OK);
}

static void the_line_is_stable(void **state)
{
    (void)state;
    char line[512], again[512];
    struct prune_settings s = defaults();
    s.scope = PRUNE_GLOBAL;
    s.rule = PRUNE_NONE;
    prune_settings_line(&s, line, sizeof line);
    assert_string_equal(line, "sparsity=0.9 weights=0 macs=0 steps=20 recover=0.1 start=0 end=-1 curve=log scope=global rule=none order=together "
                              "criterion=magnitude granularity=weight round=8");
    s.configured = 1;                           /* how the settings came about is none of them */
    prune_settings_line(&s, again, sizeof again);
    assert_string_equal(line, again);
    EACH(i, good) {                             /* another setting, another line; and the line says the setting */
        struct prune_settings other = defaults();
        assert_int_equal(prune_settings_option(&other, good[i].name, good[i].value), 1);
        struct prune_settings plain = defaults();
        prune_settings_line(&other, again, sizeof again);
        prune_settings_line(&plain, line, sizeof line);
        if (field(&other, good[i].name) == field(&plain, good[i].name)) assert_string_equal(line, again);
        else assert_string_not_equal(line, again);
        struct prune_settings back = defaults();
        for (char *word = strtok(again, " "); word; word = strtok(NULL, " ")) {
            char *value = strchr(word, '=');
            assert_non_null(value);
            *value++ = '\0';
            if (strcmp(value, "-1")) assert_int_equal(prune_settings_option(&back, word, value), 1);
        }
        other.configured = back.configured;
        assert_same(&other, &back);
    }
    struct prune_settings longest = defaults(); /* fits the field of struct prune_state */
    longest.sparsity = 0.1234567F;
    longest.recover = 1.234567e-8F;
    longest.start = 999999999;
    longest.end = 1000000000;
    longest.steps = 10000;
    longest.order = PRUNE_CONVOLUTIONAL_THEN_CONNECTED;
    longest.curve = PRUNE_GEOMETRIC;
    longest.rule = PRUNE_GRADIENT;
    prune_settings_line(&longest, line, sizeof line);
    assert_true(strlen(line) < 400);
    for (size_t bytes = 1; bytes < strlen(line) + 2; bytes++) {         /* never beyond the buffer */
        char *small = malloc(bytes);
        prune_settings_line(&longest, small, bytes);
        assert_true(strlen(small) < bytes);
        assert_true(strncmp(small, line, strlen(small)) == 0);
        free(small);
    }
}

/* "name=value name=value" as options, then resolved. */
static int resolve(const char *options, struct prune_settings *settings, char *fault, size_t bytes)
{
    char copy[200];
    *settings = defaults();
    snprintf(copy, sizeof copy, "%s", options);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = '\0';
        assert_int_equal(prune_settings_option(settings, word, value), 1);
    }
    hush();
    int code = prune_settings_resolve(settings), lines = heard(fault, bytes);
    assert_int_equal(lines, code ? 1 : 0);
    return code;
}

static void granularity_decides_defaults(void **state)
{
    (void)state;
    struct prune_settings s, plain = defaults();
    char fault[1000];
    assert_int_equal(resolve("steps=20", &s, fault, sizeof fault), PRUNE_OK);
    plain.configured = 1;
    assert_same(&s, &plain);
    assert_int_equal(resolve("granularity=filter", &s, fault, sizeof fault), PRUNE_OK);
    assert_true(s.sparsity == 0.5F);
    assert_int_equal(s.scope, PRUNE_LAYER);
    assert_int_equal(s.criterion, PRUNE_L1);
    struct prune_settings again = s;
    assert_int_equal(prune_settings_resolve(&again), PRUNE_OK);         /* once more changes nothing */
    assert_same(&s, &again);
    assert_int_equal(resolve("granularity=channel sparsity=.9 scope=global criterion=gamma", &s, fault, sizeof fault), PRUNE_OK);
    assert_true(s.sparsity == 0.9F);
    assert_int_equal(s.scope, PRUNE_GLOBAL);
    assert_int_equal(s.criterion, PRUNE_GAMMA);
    assert_true(fabs(prune_settings_removed(&s) - 0.9) < 1e-6);
    assert_int_equal(resolve("granularity=filter macs=.25", &s, fault, sizeof fault), PRUNE_OK);
    assert_true(fabs(prune_settings_removed(&s) - 0.75) < 1e-6);
    assert_int_equal(resolve("granularity=filter weights=.4", &s, fault, sizeof fault), PRUNE_OK);
    assert_true(fabs(prune_settings_removed(&s) - 0.6) < 1e-6);
    assert_int_equal(resolve("granularity=kernel criterion=l1", &s, fault, sizeof fault), PRUNE_OK);
    assert_int_equal(resolve("granularity=block4 criterion=l2 rule=shadow scope=erk order=convolutional,connected", &s, fault, sizeof fault), PRUNE_OK);
    assert_int_equal(resolve("granularity=block4", &s, fault, sizeof fault), PRUNE_OK);
    assert_true(s.sparsity == 0.9F && s.scope == PRUNE_LAMP && s.criterion == PRUNE_MAGNITUDE && s.rule == PRUNE_RESTORE);     /* as for weights */
}

static void an_option_overrides_the_cfg(void **state)
{
    (void)state;
    struct prune_settings s = defaults();
    char fault[1000];
    assert_int_equal(from_text("[net]\nprune_granularity=filter\nprune_macs=.5\nprune_round=4\n", &s, fault, sizeof fault), PRUNE_OK);
    assert_int_equal(prune_settings_option(&s, "sparsity", ".3"), 1);   /* another budget */
    assert_int_equal(prune_settings_resolve(&s), PRUNE_OK);
    assert_true(s.macs == 0 && s.sparsity == 0.3F);
    assert_int_equal(s.round, 4);
    s = defaults();
    assert_int_equal(from_text("[net]\nprune_granularity=filter\nprune_macs=.5\nprune_round=4\n", &s, fault, sizeof fault), PRUNE_OK);
    assert_int_equal(prune_settings_option(&s, "granularity", "weight"), 1);    /* for which macs and round mean nothing */
    assert_int_equal(prune_settings_resolve(&s), PRUNE_OK);
    assert_int_equal(s.round, 8);
    assert_int_equal(s.granularity, PRUNE_WEIGHT);
    assert_true(s.macs == 0 && s.sparsity == 0.9F);
}

static void what_does_not_go_with_a_granularity(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        { "macs=.5", "for granularity filter and channel" }, { "granularity=kernel round=8", "for granularity filter and channel" },
        { "criterion=l1", "criterion=l1 does not go with granularity=weight" }, { "granularity=kernel criterion=apoz", "must be magnitude, l1 or l2" },
        { "granularity=block4 macs=.5", "for granularity filter and channel, not block4" }, { "granularity=block4 criterion=gamma", "must be magnitude, l1 or l2" },
        { "granularity=filter scope=lamp", "scope=lamp does not go with granularity=filter" }, { "granularity=channel scope=erk", "scope=erk" },
        { "granularity=filter criterion=magnitude", "criterion=magnitude is for weights" }, { "granularity=filter rule=shadow", "rule=shadow" },
        { "granularity=channel rule=gradient", "rule=gradient" }, { "granularity=filter order=convolutional,connected", "order=convolutional,connected" },
        { "granularity=filter macs=.5 sparsity=.5", "only one of them" }, { "granularity=filter macs=.5 weights=.5", "only one of them" },
        { "granularity=filter macs=0", "macs=0: something has to stay" }, { "granularity=filter weights=0", "weights=0: something has to stay" },
    };
    EACH(i, cases) {
        struct prune_settings s;
        char fault[1000];
        assert_int_equal(resolve(cases[i][0], &s, fault, sizeof fault), PRUNE_ERR_RANGE);
        if (!strstr(fault, cases[i][1])) fail_msg("%s: \"%s\" lacks \"%s\"", cases[i][0], fault, cases[i][1]);
    }
}

static void help_tells_every_key(void **state)
{
    (void)state;
    char text[8000] = { 0 };
    FILE *out = tmpfile();
    prune_settings_help(out);
    rewind(out);
    assert_true(fread(text, 1, sizeof text - 1, out) > 0);
    fclose(out);
    EACH(i, good) assert_non_null(strstr(text, good[i].name));
    static const char *const words[] = { "geometric", "lamp", "shadow", "convolutional,connected", "[0.9; filter, channel: 0.5]", "[20]", "[0.7 * max_batches]", "0 to below 1", "1 to 10000" };
    EACH(i, words) assert_non_null(strstr(text, words[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults),
        cmocka_unit_test(good_values_are_taken),
        cmocka_unit_test(bad_values_are_refused_by_name),
        cmocka_unit_test(options_of_others_are_not_ours),
        cmocka_unit_test(wrong_keys_are_faults),
        cmocka_unit_test(what_configures),
        cmocka_unit_test(layers_have_their_own_limit),
        cmocka_unit_test(finish_fills_and_checks),
        cmocka_unit_test(an_order_needs_two_steps),
        cmocka_unit_test(the_line_is_stable),
        cmocka_unit_test(granularity_decides_defaults),
        cmocka_unit_test(an_option_overrides_the_cfg),
        cmocka_unit_test(what_does_not_go_with_a_granularity),
        cmocka_unit_test(help_tells_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
