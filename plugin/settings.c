/* settings.c - the pruning keys: one table for cfg files, the command line and the help text */
#include "prune.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum value_type { WHOLE, REAL, WORD };

struct setting {
    const char *name;           /* option -name; in a cfg file prune_name */
    enum value_type type;
    size_t offset;              /* in struct prune_settings */
    double low, high;           /* allowed, both included */
    const char *const *words;   /* WORD: the allowed ones in the order of their enum, then NULL */
    const char *meaning;
    const char *otherwise;      /* the default in words, where it is no plain value */
};

static const char *const curves[] = { "log", "cubic", "linear", "geometric", NULL };
static const char *const scopes[] = { "layer", "global", "lamp", "erk", NULL };
static const char *const criteria[] = { "magnitude", "l1", "l2", "apoz", "entropy", "gamma", "folded", "taylor", "fpgm", "random", NULL };
static const char *const granularities[] = { "weight", "kernel", "block4", "filter", "channel", NULL };
static const char *const rules[] = { "none", "gradient", "restore", "shadow", NULL };
static const char *const orders[] = { "together", "convolutional,connected", NULL };

#define AT(member) offsetof(struct prune_settings, member)
#define MAX_SPARSITY (1 - 1e-7)   /* "below 1" after rounding to float */
#define MAX_ITERATION 1e9

static const struct setting table[] = {
    { "sparsity", REAL, AT(sparsity), 0, MAX_SPARSITY, NULL, "final fraction of zeros among prunable weights, or of channels that are gone", "0.9; filter, channel: 0.5" },
    { "weights", REAL, AT(weights), 0, 1, NULL, "filter, channel: in place of sparsity, the share of all weights that stays", "not given" },
    { "macs", REAL, AT(macs), 0, 1, NULL, "filter, channel: in place of sparsity, the share of all multiply-accumulates that stays", "not given" },
    { "steps", WHOLE, AT(steps), 1, 10000, NULL, "number of prune-and-recover steps", NULL },
    { "recover", REAL, AT(recover), 0, 1, NULL, "largest share of a step's survivors that may be weights coming back", NULL },
    { "start", WHOLE, AT(start), 0, MAX_ITERATION, NULL, "iteration after which steps begin", NULL },
    { "end", WHOLE, AT(end), 1, MAX_ITERATION, NULL, "iteration of the last step (0.7 * max_batches)", "0.7 * max_batches" },
    { "curve", WORD, AT(curve), 0, 0, curves, "how the sparsity grows over the steps", NULL },
    { "scope", WORD, AT(scope), 0, 0, scopes, "how the layers share the budget", "lamp; filter, channel: layer" },
    { "rule", WORD, AT(rule), 0, 0, rules, "which pruned weights come back", NULL },
    { "order", WORD, AT(order), 0, 0, orders, "both kinds of layer at once, or one after the other", NULL },
    { "criterion", WORD, AT(criterion), 0, 0, criteria, "what makes a weight, kernel, block or channel worth keeping", "magnitude; filter, channel: l1" },
    { "granularity", WORD, AT(granularity), 0, 0, granularities, "what is pruned as one", NULL },
    { "round", WHOLE, AT(round), 1, 1024, NULL, "filter, channel: layers keep a multiple of so many channels, where they have them", NULL },
};
enum { TABLE_ROWS = sizeof table / sizeof *table };

void prune_settings_default(struct prune_settings *settings)
{
    *settings = (struct prune_settings){
        .sparsity = 0.9F, .steps = 20, .recover = 0.1F, .start = 0, .end = -1,
        .curve = PRUNE_LOG, .scope = PRUNE_LAMP, .criterion = PRUNE_MAGNITUDE, .rule = PRUNE_RESTORE, .order = PRUNE_TOGETHER,
        .granularity = PRUNE_WEIGHT, .round = 8,
    };
}

static int is_given(const struct prune_settings *settings, const char *name)
{
    for (int i = 0; i < TABLE_ROWS; i++)
        if (!strcmp(table[i].name, name)) return settings->given >> i & 1;
    return 0;
}

/* What only makes sense for some granularities: fills the defaults that depend on it, and refuses the rest. */
int prune_settings_resolve(struct prune_settings *settings)
{
    int channels = settings->granularity == PRUNE_FILTER || settings->granularity == PRUNE_CHANNEL;
    const char *granularity = granularities[settings->granularity], *criterion = criteria[settings->criterion];
    if (!channels) {
        if (is_given(settings, "macs") || is_given(settings, "weights") || is_given(settings, "round"))
            return prune_fail(PRUNE_ERR_RANGE, "macs, weights and round are for granularity filter and channel, not %s", granularity);
        int alone = settings->granularity == PRUNE_WEIGHT;
        int fits = settings->criterion == PRUNE_MAGNITUDE || (!alone && (settings->criterion == PRUNE_L1 || settings->criterion == PRUNE_L2));
        if (!fits) return prune_fail(PRUNE_ERR_RANGE, "criterion=%s does not go with granularity=%s: must be %s", criterion, granularity,
                                     alone ? "magnitude" : "magnitude, l1 or l2");
        return PRUNE_OK;
    }
    if (is_given(settings, "macs") + is_given(settings, "weights") + is_given(settings, "sparsity") > 1)
        return prune_fail(PRUNE_ERR_RANGE, "sparsity, weights and macs are three ways to give one budget: only one of them can be given");
    if ((is_given(settings, "macs") && settings->macs <= 0) || (is_given(settings, "weights") && settings->weights <= 0))
        return prune_fail(PRUNE_ERR_RANGE, "%s=0: something has to stay", settings->macs <= 0 && is_given(settings, "macs") ? "macs" : "weights");
    if (!is_given(settings, "sparsity")) settings->sparsity = 0.5F;
    if (!is_given(settings, "scope")) settings->scope = PRUNE_LAYER;
    if (!is_given(settings, "criterion")) settings->criterion = PRUNE_L1;
    if (settings->scope == PRUNE_LAMP || settings->scope == PRUNE_ERK)
        return prune_fail(PRUNE_ERR_RANGE, "scope=%s does not go with granularity=%s: must be layer or global", scopes[settings->scope], granularity);
    if (settings->criterion == PRUNE_MAGNITUDE) return prune_fail(PRUNE_ERR_RANGE, "criterion=magnitude is for weights; for %ss it is l1 or l2", granularity);
    if (settings->rule == PRUNE_GRADIENT || settings->rule == PRUNE_SHADOW)
        return prune_fail(PRUNE_ERR_RANGE, "rule=%s does not go with granularity=%s, as a silent channel has no gradient: must be none or restore", rules[settings->rule], granularity);
    if (settings->order != PRUNE_TOGETHER) return prune_fail(PRUNE_ERR_RANGE, "order=%s does not go with granularity=%s", orders[settings->order], granularity);
    return PRUNE_OK;
}

double prune_settings_removed(const struct prune_settings *settings)
{
    if (settings->macs > 0) return 1 - (double)settings->macs;
    if (settings->weights > 0) return 1 - (double)settings->weights;
    return (double)settings->sparsity;
}

static void list_words(const char *const *words, char *text, size_t bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; words[i] && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, "%s%s", i ? " | " : "", words[i]);
}

/* Some keep comments behind values; Darknet's own numbers survive that, so ours do, and words too. */
static void cut_comment(char *text, size_t bytes, const char *value)
{
    snprintf(text, bytes, "%.*s", (int)strcspn(value, "#;"), value);
}

/* `where` says for the fault line where the value stands: "net.cfg:12: prune_steps" or "-steps". */
static int set_value(struct prune_settings *settings, const struct setting *row, const char *where, const char *given)
{
    char *field = (char *)settings + row->offset, value[128];
    cut_comment(value, sizeof value, given);
    if (row->type == WORD) {
        for (int i = 0; row->words[i]; i++) {
            if (strcmp(row->words[i], value)) continue;
            memcpy(field, &i, sizeof i);    /* enums of this project have the size of int */
            settings->configured = 1;
            settings->given |= 1U << (row - table);
            return PRUNE_OK;
        }
        char words[200];
        list_words(row->words, words, sizeof words);
        return prune_fail(PRUNE_ERR_RANGE, "%s=%s: must be %s", where, value, words);
    }
    char *rest;
    errno = 0;
    double number = strtod(value, &rest);
    int whole = row->type == WHOLE;
    if (rest == value || *rest || errno == ERANGE || !(number >= row->low && number <= row->high) || (whole && number != floor(number))) {
        if (row->offset == AT(sparsity))
            return prune_fail(PRUNE_ERR_RANGE, "%s=%s: must be at least 0 and below 1", where, value);
        return prune_fail(PRUNE_ERR_RANGE, "%s=%s: must be a %s from %.0f to %.0f", where, value, whole ? "whole number" : "number", row->low, row->high);
    }
    if (whole) {
        int n = (int)number;
        memcpy(field, &n, sizeof n);
    } else {
        float x = (float)number;
        memcpy(field, &x, sizeof x);
    }
    settings->configured = 1;
    settings->given |= 1U << (row - table);
    return PRUNE_OK;
}

static const struct setting *find_row(const char *name)
{
    for (int i = 0; i < TABLE_ROWS; i++)
        if (!strcmp(table[i].name, name)) return &table[i];
    return NULL;
}

static int refuse_key(const struct prune_cfg *cfg, const struct prune_key *key, const char *allowed)
{
    return prune_fail(PRUNE_ERR_RANGE, "%s:%d: %s is no pruning key %s", cfg->path, key->line, key->name, allowed);
}

static int can_be_pruned(const char *kind)
{
    static const char *const kinds[] = { "[convolutional]", "[conv]", "[connected]", "[conn]" };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i], kind)) return 1;
    return 0;
}

/* The two keys that a layer may have. */
static int check_layer_key(const struct prune_cfg *cfg, const struct prune_section *section, const struct prune_key *key)
{
    char where[300], value[128];
    snprintf(where, sizeof where, "%s:%d: %s", cfg->path, key->line, key->name);
    cut_comment(value, sizeof value, key->value);
    int exempts = !strcmp(key->name, "prune");
    if (!exempts && strcmp(key->name, "prune_sparsity")) return refuse_key(cfg, key, "of a layer (prune, prune_sparsity)");
    if (exempts && !strcmp(value, "0")) return PRUNE_OK;        /* true of every kind of layer */
    if (!can_be_pruned(section->kind))
        return prune_fail(PRUNE_ERR_UNSUPPORTED, "%s=%s: %s has no weights that are pruned", where, value, section->kind);
    if (exempts && !strcmp(value, "1")) return PRUNE_OK;
    if (exempts) return prune_fail(PRUNE_ERR_RANGE, "%s=%s: must be 0 or 1", where, value);
    struct prune_settings scratch;
    prune_settings_default(&scratch);
    return set_value(&scratch, find_row("sparsity"), where, key->value);
}

int prune_settings_from_cfg(struct prune_settings *settings, const struct prune_cfg *cfg)
{
    for (int s = 0; s < cfg->n_sections; s++) {
        const struct prune_section *section = &cfg->sections[s];
        for (int k = 0; k < section->n_keys; k++) {
            const struct prune_key *key = &section->keys[k];
            if (strncmp(key->name, "prune", 5)) continue;
            for (int earlier = 0; earlier < k; earlier++)
                if (!strcmp(section->keys[earlier].name, key->name))
                    return prune_fail(PRUNE_ERR_FORMAT, "%s:%d: %s is given twice", cfg->path, key->line, key->name);
            int code;
            if (s > 0) {
                code = check_layer_key(cfg, section, key);
                if (!strcmp(key->name, "prune_sparsity")) settings->layer_limits = 1;
            } else {
                const struct setting *row = strncmp(key->name, "prune_", 6) ? NULL : find_row(key->name + 6);
                char where[300];
                snprintf(where, sizeof where, "%s:%d: %s", cfg->path, key->line, key->name);
                code = row ? set_value(settings, row, where, key->value) : refuse_key(cfg, key, "of [net]; see darknet prune help keys");
            }
            if (code) return code;
        }
    }
    settings->from_cfg = settings->given;
    return PRUNE_OK;
}

int prune_settings_layer(const struct prune_section *section, float *limit)
{
    const char *prune = prune_cfg_find(section, "prune");
    const char *sparsity = prune_cfg_find(section, "prune_sparsity");
    *limit = sparsity ? strtof(sparsity, NULL) : -1;
    return !prune || *prune != '0';
}

/* Takes back what the cfg says of these keys. */
static void forget_cfg(struct prune_settings *settings, const char *const *names)
{
    struct prune_settings defaults;
    prune_settings_default(&defaults);
    for (; *names; names++) {
        const struct setting *row = find_row(*names);
        unsigned bit = 1U << (row - table);
        if (!(settings->from_cfg & bit)) continue;
        memcpy((char *)settings + row->offset, (const char *)&defaults + row->offset, sizeof(int));     /* all fields have that size */
        settings->given &= ~bit;
        settings->from_cfg &= ~bit;
    }
}

/* An option that gives the budget, or another granularity, stands in place of what the cfg says with other keys. */
static void override_cfg(struct prune_settings *settings, const char *name)
{
    static const char *const budgets[] = { "sparsity", "weights", "macs", NULL };
    static const char *const of_granularity[] = { "weights", "macs", "round", "criterion", "scope", "rule", "order", NULL };
    for (int i = 0; budgets[i]; i++)
        if (!strcmp(budgets[i], name)) forget_cfg(settings, budgets);
    if (!strcmp(name, "granularity")) forget_cfg(settings, of_granularity);
}

int prune_settings_option(struct prune_settings *settings, const char *name, const char *value)
{
    const struct setting *row = find_row(name);
    if (!row) return 0;
    if (!value) return prune_fail(PRUNE_ERR_USAGE, "-%s needs a value", name);
    char where[64];
    snprintf(where, sizeof where, "-%s", name);
    if (set_value(settings, row, where, value)) return PRUNE_ERR_USAGE;
    settings->from_cfg &= ~(1U << (row - table));
    override_cfg(settings, name);
    return 1;
}

void prune_settings_default_end(struct prune_settings *settings, int max_batches)
{
    if (settings->end >= 0 || max_batches <= 0) return;
    settings->end = (int)((int64_t)max_batches * 7 / 10);
    if (settings->end < 1) settings->end = 1;
}

int prune_settings_finish(struct prune_settings *settings, int max_batches)
{
    prune_settings_default_end(settings, max_batches);
    if (settings->end < 0) return prune_fail(PRUNE_ERR_RANGE, "prune_end must be given when max_batches is 0");
    if (settings->start >= settings->end)
        return prune_fail(PRUNE_ERR_RANGE, "prune_start=%d must be below prune_end=%d", settings->start, settings->end);
    if (max_batches > 0 && settings->end > max_batches)
        return prune_fail(PRUNE_ERR_RANGE, "prune_end=%d must not exceed max_batches=%d", settings->end, max_batches);
    if (settings->order == PRUNE_CONVOLUTIONAL_THEN_CONNECTED && settings->steps < 2)
        return prune_fail(PRUNE_ERR_RANGE, "prune_steps=1: prune_order=convolutional,connected needs at least 2, one for each kind");
    return PRUNE_OK;
}

static int print_value(const struct prune_settings *settings, const struct setting *row, char *text, size_t bytes)
{
    const char *field = (const char *)settings + row->offset;
    int n;
    memcpy(&n, field, sizeof n);
    if (row->type == WORD) return snprintf(text, bytes, "%s", row->words[n]);
    if (row->type == WHOLE) return snprintf(text, bytes, "%d", n);
    float x;
    memcpy(&x, field, sizeof x);
    return snprintf(text, bytes, "%.7g", (double)x);
}

void prune_settings_line(const struct prune_settings *settings, char *line, size_t bytes)
{
    size_t used = 0;
    line[0] = '\0';
    for (int i = 0; i < TABLE_ROWS && used < bytes; i++) {
        char value[64];
        print_value(settings, &table[i], value, sizeof value);
        used += (size_t)snprintf(line + used, bytes - used, "%s%s=%s", i ? " " : "", table[i].name, value);
    }
}

void prune_settings_help(FILE *out)
{
    struct prune_settings defaults;
    prune_settings_default(&defaults);
    for (int i = 0; i < TABLE_ROWS; i++) {
        const struct setting *row = &table[i];
        char allowed[200], value[64];
        if (row->type == WORD) list_words(row->words, allowed, sizeof allowed);
        else if (row->offset == AT(sparsity)) snprintf(allowed, sizeof allowed, "0 to below 1");
        else snprintf(allowed, sizeof allowed, row->high >= MAX_ITERATION ? "%.0f and up" : "%.0f to %.0f", row->low, row->high);
        print_value(&defaults, row, value, sizeof value);
        fprintf(out, "  %-12s %s: %s [%s]\n", row->name, row->meaning, allowed, row->otherwise ? row->otherwise : value);
    }
}
