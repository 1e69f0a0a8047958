/* test_budget.c - which groups go: exact counts by hand, against a twin that adds chunk by chunk, and what must hold of every choice
 *
 * DARKNET_CFGS: a folder; some of Darknet's large networks are in it.
 */
#include "reading.h"
#include "random.h"

#include <math.h>
#include <time.h>

struct net {
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_channels channels;
    double *scores;
    uint8_t *fates, *removed;
    struct prune_size whole, size;
};

/* ------------------------------------------------------------------------------------------------------------ nets -- */

static void finish(struct net *net)
{
    assert_int_equal(prune_channels_build(&net->channels, &net->graph), PRUNE_OK);
    size_t n = (size_t)net->channels.n_groups + 1;
    net->scores = calloc(n, sizeof *net->scores);
    net->fates = calloc(n, 1);
    net->removed = calloc(n, 1);
    assert_true(net->scores && net->fates && net->removed);
    prune_channels_size(&net->channels, net->removed, &net->whole, NULL);
    for (int g = 0; g < net->channels.n_groups; g++) net->scores[g] = random_unit();
}

static void build(struct net *net, const char *text)
{
    *net = (struct net){ 0 };
    build_good(&net->cfg, &net->graph, text);
    finish(net);
}

static void free_net(struct net *net)
{
    free(net->scores);
    free(net->fates);
    free(net->removed);
    prune_channels_free(&net->channels);
    free_both(&net->cfg, &net->graph);
}

static char text[20000];
static size_t text_used;

static void say(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    text_used += (size_t)vsnprintf(text + text_used, sizeof text - text_used, format, list);
    va_end(list);
    assert_true(text_used < sizeof text);
}

/* A row of blocks: plain, grouped and depthwise convolutions, sums of equal and of unequal widths, concatenations, squeezes; some layers with limits of their own. */
static void random_text(int limits)
{
    int n = 2 + (int)random_below(6), width = 1 + (int)random_below(40), at = 0;
    text_used = 0;
    say(NET(16, 16, 3) "[convolutional]\nfilters=%d\nsize=3\npad=1\nbatch_normalize=1\nactivation=leaky\n", width);
    for (int i = 0; i < n; i++) {
        int next = 1 + (int)random_below(random_below(3) ? 40 : 130);
        switch (random_below(6)) {
        case 0:                                 /* residual */
            say("[convolutional]\nfilters=%d\nsize=1\nactivation=relu\n", next);
            say("[convolutional]\nfilters=%d\nsize=3\npad=1\nactivation=linear\n[shortcut]\nfrom=-3\nactivation=relu\n", width);
            at += 3;
            next = width;
            break;
        case 1:                                 /* a sum of unequal widths */
            say("[convolutional]\nfilters=%d\nsize=3\npad=1\nactivation=relu\n[shortcut]\nfrom=-2\nactivation=linear\n", next);
            at += 2;
            break;
        case 2:                                 /* depthwise, then pointwise */
            say("[convolutional]\nfilters=%d\nsize=3\npad=1\ngroups=%d\nbatch_normalize=1\nactivation=relu\n[convolutional]\nfilters=%d\nsize=1\nactivation=relu\n", width, width, next);
            at += 2;
            break;
        case 3:                                 /* two groups */
            say("[convolutional]\nfilters=%d\nsize=1\nactivation=relu\n[convolutional]\nfilters=%d\nsize=3\npad=1\ngroups=2\nactivation=relu\n", 2 * width, 2 * next);
            at += 2;
            next *= 2;
            break;
        case 4:                                 /* dense */
            say("[convolutional]\nfilters=%d\nsize=3\npad=1\nactivation=relu\n[route]\nlayers=-1,-2\n", next);
            at += 2;
            next += width;
            break;
        default:
            say("[convolutional]\nfilters=%d\nsize=3\npad=1\nactivation=relu\n", next);
            if (limits && !random_below(2)) say("prune_sparsity=0.%d\n", (int)random_below(10));
            at += 1;
            break;
        }
        width = next;
        if (random_below(3) == 0 && at < 12) say("[maxpool]\nsize=2\nstride=1\n"), at++;
    }
    say("[connected]\noutput=%d\nactivation=relu\n[connected]\noutput=4\nactivation=linear\n[softmax]\n", 1 + (int)random_below(60));
}

enum scores { EVEN, BELL, TIES, EQUAL, ZERO, STRANGE, SCORES };

static void random_scores(struct net *net, enum scores scores)
{
    for (int f = 0; f < net->channels.n_families; f++) {
        double scale = pow(10, 2 * (double)random_bell());
        for (int g = 0; g < net->channels.n_groups; g++) {
            if (net->channels.groups[g].family != f) continue;
            double x = random_unit() * scale;
            if (scores == BELL) x = exp(2 * (double)random_bell()) * scale;
            if (scores == TIES) x = (double)random_below(4);
            if (scores == EQUAL) x = 0.1;
            if (scores == ZERO) x = 0;
            if (scores == STRANGE && !random_below(6)) x = (const double[]){ NAN, INFINITY, 1e300, 0, 1e-300 }[random_below(5)];
            net->scores[g] = x;
        }
    }
}

/* ------------------------------------------------------------------------------------------------------------ twin -- */

/* What a family may keep, as the sentence says: multiples of `round` channels in its most populous layer, or all of it; if some groups go, all that is left only if no
 * multiple is there. */
static int is_level(const struct prune_budget *budget, const struct prune_family *family, int kept, int stays, int goes)
{
    int left = family->n_groups - goes, some = 0;
    for (int m = 1; m <= left; m++) some |= m * family->per_layer % budget->round == 0;
    if (left < 1) return kept == 1;
    if (kept < 1 || kept < stays || kept > left) return 0;
    if (kept * family->per_layer % budget->round == 0) return 1;
    int multiple_holds_stays = 0;
    for (int m = stays > 1 ? stays : 1; m <= left; m++) multiple_holds_stays |= m * family->per_layer % budget->round == 0;
    if (kept == left && (!goes || !some)) return 1;
    return goes && some && kept == stays && !multiple_holds_stays;
}

static double amount(const struct net *net, const struct prune_budget *budget, const uint8_t *removed)
{
    struct prune_size size;
    double n = 0;
    prune_channels_size(&net->channels, removed, &size, NULL);
    if (budget->kind != PRUNE_OF_CHANNELS) return (double)(budget->kind == PRUNE_OF_MACS ? size.macs : size.weights);
    for (int m = 0; m < net->channels.n_members; m++) {         /* in the families that share the budget */
        const struct prune_member *member = &net->channels.members[m];
        int g = net->channels.group[member->layer][member->channel];
        enum prune_kind kind = net->graph.nodes[member->layer].kind;
        if (removed[g] || net->channels.groups[g].pin != PRUNE_FREE || net->channels.families[net->channels.groups[g].family].limit >= 0) continue;
        n += kind == PRUNE_CONVOLUTIONAL || kind == PRUNE_CONNECTED;
    }
    return n;
}

struct family {                 /* its groups, the best first */
    int n, *groups, kept, stays, goes, full;
};

static double sane(double score)
{
    return isnan(score) ? 0 : score;
}

static int is_better(const struct net *net, int a, int b)
{
    static const int place[] = { [PRUNE_OPEN] = 1, [PRUNE_STAYS] = 0, [PRUNE_GOES] = 2 };
    if (net->fates[a] != net->fates[b]) return place[net->fates[a]] < place[net->fates[b]];
    if (sane(net->scores[a]) != sane(net->scores[b])) return sane(net->scores[a]) > sane(net->scores[b]);
    return a < b;
}

static struct family *list_families(const struct net *net)
{
    struct family *families = calloc((size_t)net->channels.n_families + 1, sizeof *families);
    for (int f = 0; f < net->channels.n_families; f++) {
        struct family *family = &families[f];
        if (net->channels.families[f].pinned) continue;
        family->groups = calloc((size_t)net->channels.families[f].n_groups, sizeof *family->groups);
        for (int g = 0; g < net->channels.n_groups; g++) {
            if (net->channels.groups[g].family != f) continue;
            int at = family->n++;
            for (; at > 0 && is_better(net, g, family->groups[at - 1]); at--) family->groups[at] = family->groups[at - 1];
            family->groups[at] = g;
            family->stays += net->fates[g] == PRUNE_STAYS;
            family->goes += net->fates[g] == PRUNE_GOES;
        }
    }
    return families;
}

static void free_families(const struct net *net, struct family *families)
{
    for (int f = 0; f < net->channels.n_families; f++) free(families[f].groups);
    free(families);
}

/* The next level above `kept`, or 0. */
static int level_above(const struct net *net, const struct prune_budget *budget, const struct family *families, int f, int kept)
{
    for (int level = kept + 1; level <= families[f].n; level++)
        if (is_level(budget, &net->channels.families[f], level, families[f].stays, families[f].goes)) return level;
    return 0;
}

static double mean_of(const struct net *net, const struct family *family, int first, int end)
{
    double sum = 0;
    for (int i = first; i < end; i++) sum += sane(net->scores[family->groups[i]]);
    return sum / (end - first);
}

/* Mean score of groups [first, end) of a family in units of the family's own; it cannot be above that of the chunk before. */
static double worth_of(const struct net *net, const struct prune_budget *budget, const struct family *families, int f, int first, int end)
{
    double mean = mean_of(net, &families[f], 0, families[f].n), worth = INFINITY;
    for (int level = level_above(net, budget, families, f, 0), next; level < end; level = next) {
        next = level_above(net, budget, families, f, level);
        double own = mean > 0 && isfinite(mean) ? mean_of(net, &families[f], level, next) / mean : 1;
        if (own < worth) worth = own;
        if (level == first) break;
    }
    return worth;
}

static void keep(const struct family *family, uint8_t *removed)
{
    for (int i = 0; i < family->n; i++) removed[family->groups[i]] = i >= family->kept;
}

/* Chunk by chunk in the order that the scope says; one that does not fit ends its family; after that, 99 % are enough. Returns 0 if the lowest levels are too much. */
static int choose_slowly(const struct net *net, const struct prune_budget *budget, uint8_t *removed)
{
    struct family *families = list_families(net);
    memset(removed, 0, (size_t)net->channels.n_groups);
    double most = budget->keep * amount(net, budget, removed);
    if (budget->kind == PRUNE_OF_CHANNELS) most = floor(most + 0.5);
    for (int f = 0; f < net->channels.n_families; f++) {
        struct family *family = &families[f];
        if (!family->n) continue;
        family->kept = level_above(net, budget, families, f, 0);
        if (net->channels.families[f].limit >= 0) {             /* the nearest level, the higher one of two */
            double want = (1 - (double)net->channels.families[f].limit * (budget->progress > 0 ? budget->progress : 1)) * family->n;
            for (int next = family->kept; next; next = level_above(net, budget, families, f, next))
                if (fabs(next - want) <= fabs(family->kept - want)) family->kept = next;
            family->full = 1;
        }
        keep(family, removed);
    }
    double used = amount(net, budget, removed);
    int fits = used <= most, blocked = 0;
    while (fits && !(blocked && used >= (budget->kind == PRUNE_OF_CHANNELS ? most : 0.99 * most))) {
        int best = -1, best_next = 0;
        double best_share = 0, best_worth = 0;
        for (int f = 0; f < net->channels.n_families; f++) {
            const struct family *family = &families[f];
            int next = family->n && !family->full ? level_above(net, budget, families, f, family->kept) : 0;
            if (!next) continue;
            double share = budget->scope == PRUNE_GLOBAL ? 0 : (family->kept + next) / 2.0 / family->n, worth = worth_of(net, budget, families, f, family->kept, next);
            if (best >= 0 && (share > best_share || (share == best_share && worth <= best_worth))) continue;
            best = f;
            best_next = next;
            best_share = share;
            best_worth = worth;
        }
        if (best < 0) break;
        int before = families[best].kept;
        families[best].kept = best_next;
        keep(&families[best], removed);
        double now = amount(net, budget, removed);
        if (now <= most) {
            used = now;
            continue;
        }
        blocked = families[best].full = 1;
        families[best].kept = before;
        keep(&families[best], removed);
    }
    free_families(net, families);
    return fits;
}

/* ----------------------------------------------------------------------------------------------------------- checks -- */

static int choose(struct net *net, const struct prune_budget *budget)
{
    memset(net->removed, 0x5a, (size_t)net->channels.n_groups);
    listen_stderr();
    int code = prune_budget_choose(&net->channels, net->scores, budget, net->fates, net->removed, &net->size);
    heard_stderr();
    return code;
}

static int kept_in(const struct net *net, int layer)
{
    int n = 0;
    for (int i = 0; i < net->channels.n_channels[layer]; i++) n += !net->removed[net->channels.group[layer][i]];
    return n;
}

/* What must hold of every choice, and need not be compared with anything. */
static void check_choice(const struct net *net, const struct prune_budget *budget)
{
    struct prune_size size;
    struct family *families = list_families(net);
    uint8_t *none = calloc((size_t)net->channels.n_groups + 1, 1), *other = calloc((size_t)net->channels.n_groups + 1, 1);
    double whole = amount(net, budget, none), most = budget->kind == PRUNE_OF_CHANNELS ? floor(budget->keep * whole + 0.5) : budget->keep * whole;
    double used = amount(net, budget, net->removed);
    prune_channels_size(&net->channels, net->removed, &size, NULL);
    assert_memory_equal(&size, &net->size, sizeof size);
    assert_true(used <= most);
    for (int g = 0; g < net->channels.n_groups; g++) {
        assert_true(net->removed[g] <= 1);
        if (net->channels.groups[g].pin != PRUNE_FREE || net->fates[g] == PRUNE_STAYS) assert_int_equal(net->removed[g], 0);
    }
    for (int f = 0; f < net->channels.n_families; f++) {
        struct family *family = &families[f];
        if (!family->n) continue;
        for (int i = 0; i < family->n; i++) family->kept += !net->removed[family->groups[i]];
        for (int i = 0; i < family->n; i++) assert_int_equal(net->removed[family->groups[i]], i >= family->kept);
        assert_true(is_level(budget, &net->channels.families[f], family->kept, family->stays, family->goes));
        int next = level_above(net, budget, families, f, family->kept);
        if (!next || net->channels.families[f].limit >= 0 || used >= (budget->kind == PRUNE_OF_CHANNELS ? most : 0.99 * most)) continue;
        memcpy(other, net->removed, (size_t)net->channels.n_groups);    /* then nothing more fits */
        for (int i = family->kept; i < next; i++) other[family->groups[i]] = 0;
        assert_true(amount(net, budget, other) > most);
    }
    free(none);
    free(other);
    free_families(net, families);
}

static int check(struct net *net, const struct prune_budget *budget)
{
    uint8_t *expected = calloc((size_t)net->channels.n_groups + 1, 1);
    int fits = choose_slowly(net, budget, expected), code = choose(net, budget);
    assert_int_equal(code, fits ? PRUNE_OK : PRUNE_ERR_RANGE);
    if (fits) {
        assert_string_equal(said, "");
        check_choice(net, budget);
        assert_memory_equal(net->removed, expected, (size_t)net->channels.n_groups);
    } else {
        assert_said("cannot be reached; the closest is ");
        double closest = strtod(strstr(said, "closest is ") + 11, NULL) / 100;
        struct prune_budget nearer = *budget;
        nearer.keep = closest * (1 + 1e-5);     /* %g has six digits */
        assert_true(closest > budget->keep);
        assert_int_equal(choose(net, &nearer), PRUNE_OK);
        nearer.keep = closest - 2e-5 - closest * 1e-5;
        if (budget->kind != PRUNE_OF_CHANNELS) assert_int_equal(choose(net, &nearer), PRUNE_ERR_RANGE);
    }
    free(expected);
    return fits;
}

static struct prune_budget random_budget(void)
{
    struct prune_budget budget = { .kind = (enum prune_budget_kind)random_below(3), .keep = random_below(8) ? random_unit() : (double)random_below(2),
                                   .scope = random_below(2) ? PRUNE_GLOBAL : PRUNE_LAYER, .round = (const int[]){ 1, 8, 4, 3, 16 }[random_below(5)] };
    if (!random_below(4)) budget.progress = random_unit() + 0.01;
    if (budget.progress > 1) budget.progress = 1;
    return budget;
}

/* ----------------------------------------------------------------------------------------------------------- random -- */

static void chosen_as_one_by_one(void **state)
{
    (void)state;
    int reached = 0, refused = 0;
    for (int round = 0; round < 150; round++) {
        struct net net;
        random_seed((uint64_t)round);
        random_text(round % 3 == 0);
        build(&net, text);
        for (int again = 0; again < 4; again++) {
            struct prune_budget budget = random_budget();
            random_scores(&net, (enum scores)random_below(SCORES));
            int settled = (int)random_below(4);
            for (int g = 0; g < net.channels.n_groups; g++) {
                net.fates[g] = PRUNE_OPEN;
                if (settled == 1 && !random_below(6)) net.fates[g] = (uint8_t)(random_below(2) ? PRUNE_STAYS : PRUNE_GOES);
                if (settled == 2 && random_below(4)) net.fates[g] = PRUNE_GOES;
                if (settled == 3) net.fates[g] = (uint8_t)(random_below(3) ? PRUNE_GOES : PRUNE_STAYS);
            }
            int fits = check(&net, &budget);
            reached += fits;
            refused += !fits;
        }
        free_net(&net);
    }
    assert_true(reached > 300 && refused > 50);
}

/* With single channels of wide layers the result is within 1 %. */
static void budgets_are_used_to_the_last_percent(void **state)
{
    (void)state;
    struct net net;
    random_seed(11);
    build(&net, NET(32, 32, 3) "[convolutional]\nfilters=40\nsize=3\npad=1\nactivation=relu\n[maxpool]\nsize=2\nstride=2\n"
          "[convolutional]\nfilters=80\nsize=3\npad=1\nactivation=relu\n[convolutional]\nfilters=60\nsize=1\nactivation=relu\n"
          "[convolutional]\nfilters=80\nsize=3\npad=1\nactivation=relu\n[shortcut]\nfrom=-3\nactivation=relu\n[maxpool]\nsize=2\nstride=2\n"
          "[convolutional]\nfilters=120\nsize=3\npad=1\nactivation=relu\n[connected]\noutput=200\nactivation=relu\n[connected]\noutput=10\nactivation=linear\n[softmax]\n");
    for (int round = 0; round < 200; round++) {
        struct prune_budget budget = { .kind = round % 2 ? PRUNE_OF_MACS : PRUNE_OF_WEIGHTS, .keep = 0.1 + 0.9 * random_unit(),
                                       .scope = round & 2 ? PRUNE_GLOBAL : PRUNE_LAYER, .round = 1 };
        random_scores(&net, (enum scores)random_below(EQUAL));
        assert_int_equal(choose(&net, &budget), PRUNE_OK);
        double used = round % 2 ? (double)net.size.macs / (double)net.whole.macs : (double)net.size.weights / (double)net.whole.weights;
        assert_true(used <= budget.keep && used >= 0.99 * budget.keep);
    }
    free_net(&net);
}

/* ---------------------------------------------------------------------------------------------------------- by hand -- */

#define CONV(filters) "[convolutional]\nfilters=" #filters "\nsize=3\npad=1\nactivation=relu\n"
#define END "[connected]\noutput=2\nactivation=linear\n[softmax]\n"

static void assert_keeps(struct net *net, const struct prune_budget *budget, const int *layers, const int *kept, int n)
{
    if (choose(net, budget)) fail_msg("refused: %s", said);
    check_choice(net, budget);
    for (int i = 0; i < n; i++)
        if (kept_in(net, layers[i]) != kept[i]) fail_msg("layer %d keeps %d, and not %d", layers[i], kept_in(net, layers[i]), kept[i]);
}

static void shares_round_to_the_nearest(void **state)
{
    (void)state;
    struct net net;
    random_seed(12);
    build(&net, NET(8, 8, 3) CONV(10) CONV(20) CONV(7) END);
    const int layers[] = { 0, 1, 2 };
    struct prune_budget budget = { .kind = PRUNE_OF_CHANNELS, .scope = PRUNE_LAYER, .round = 1 };
    static const struct { double keep; int kept[3]; } cases[] = {
        { 1, { 10, 20, 7 } }, { 0.5, { 5, 10, 4 } }, { 0.3, { 3, 6, 2 } }, { 0.1, { 1, 2, 1 } }, { 0.9, { 9, 18, 6 } }, { 0.99, { 10, 20, 7 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        budget.keep = cases[i].keep;
        assert_keeps(&net, &budget, layers, cases[i].kept, 3);
    }
    free_net(&net);
}

static void counts_are_multiples_of_round(void **state)
{
    (void)state;
    struct net net;
    random_seed(13);
    build(&net, NET(8, 8, 3) CONV(64) CONV(20) CONV(6) CONV(32) END);
    const int layers[] = { 0, 1, 2, 3 };
    struct prune_budget budget = { .kind = PRUNE_OF_CHANNELS, .scope = PRUNE_LAYER, .round = 8 };
    static const struct { double keep; int kept[4]; } cases[] = {
        { 1, { 64, 20, 6, 32 } },
        { 0.5, { 24, 8, 6, 16 } },              /* 61 of 122; eight more would be 62 */
        { 0.51, { 32, 8, 6, 16 } },             /* 62 */
        { 0.25, { 8, 8, 6, 8 } },               /* 30.5 rounds to 31 */
        { 0.97, { 56, 20, 6, 32 } },            /* 118; the last four of 20 are one chunk, all or none */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        budget.keep = cases[i].keep;
        assert_keeps(&net, &budget, layers, cases[i].kept, 4);
    }
    free_net(&net);

    build(&net, NET(8, 8, 3) CONV(24) "[convolutional]\nfilters=48\nsize=3\npad=1\ngroups=3\nactivation=relu\n" END);
    assert_int_equal(net.channels.families[net.channels.groups[net.channels.group[0][0]].family].per_layer, 3);
    budget.keep = 0.5;                          /* 24 is 8 groups of 3, so 3 is no part of a multiple of 8: all 24; 48 is 16 groups of 3, 8 of them make 24 */
    budget.kind = PRUNE_OF_MACS;
    assert_int_equal(choose(&net, &budget), PRUNE_ERR_RANGE);
    budget.keep = 0.7;
    assert_keeps(&net, &budget, layers, (const int[]){ 24, 24 }, 2);
    budget.round = 6;
    budget.keep = 0.3;
    assert_int_equal(choose(&net, &budget), PRUNE_OK);
    assert_int_equal(kept_in(&net, 0) % 6, 0);
    assert_int_equal(kept_in(&net, 1) % 6, 0);
    free_net(&net);
}

static void global_scope_ranks_all_families(void **state)
{
    (void)state;
    struct net net;
    random_seed(14);
    build(&net, NET(8, 8, 3) CONV(4) CONV(4) CONV(4) END);
    /* over their means 5, 50 and 0: 0.2 0.6 1.2 2; 0 0 0 4; and 1 each, as nothing tells them apart */
    const double scores[3][4] = { { 1, 3, 6, 10 }, { 0, 200, 0, 0 }, { 0, 0, 0, 0 } };
    for (int l = 0; l < 3; l++)
        for (int i = 0; i < 4; i++) net.scores[net.channels.group[l][i]] = scores[l][i];
    struct prune_budget budget = { .kind = PRUNE_OF_CHANNELS, .scope = PRUNE_GLOBAL, .round = 1 };
    static const int layers[] = { 0, 1, 2 };
    static const struct { double keep; int kept[3]; } cases[] = {
        { 3 / 12.0, { 1, 1, 1 } }, { 4 / 12.0, { 2, 1, 1 } }, { 7 / 12.0, { 2, 1, 4 } }, { 8 / 12.0, { 3, 1, 4 } }, { 9 / 12.0, { 4, 1, 4 } }, { 11 / 12.0, { 4, 3, 4 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        budget.keep = cases[i].keep;
        assert_keeps(&net, &budget, layers, cases[i].kept, 3);
        assert_int_equal(net.removed[net.channels.group[1][1]], 0);
        assert_int_equal(net.removed[net.channels.group[0][0]], cases[i].kept[0] < 4);
        assert_int_equal(net.removed[net.channels.group[2][0]], 0);     /* of equal ones the first stay */
    }
    free_net(&net);
}

static void limits_stand_outside(void **state)
{
    (void)state;
    struct net net;
    random_seed(15);
    build(&net, NET(8, 8, 3) CONV(20) "[convolutional]\nfilters=25\nsize=3\npad=1\nactivation=relu\nprune_sparsity=0.5\n" END);
    assert_keeps(&net, &(struct prune_budget){ .scope = PRUNE_LAYER, .round = 1, .keep = 0.5 }, (const int[]){ 0, 1 }, (const int[]){ 10, 13 }, 2);
    free_net(&net);
    build(&net, NET(8, 8, 3) CONV(20) "[convolutional]\nfilters=40\nsize=3\npad=1\nactivation=relu\nprune_sparsity=0.9\n" CONV(10) END);
    const int layers[] = { 0, 1, 2 };
    struct prune_budget budget = { .kind = PRUNE_OF_CHANNELS, .scope = PRUNE_LAYER, .round = 1, .keep = 0.5 };
    assert_keeps(&net, &budget, layers, (const int[]){ 10, 4, 5 }, 3);
    budget.progress = 0.5;
    assert_keeps(&net, &budget, layers, (const int[]){ 10, 22, 5 }, 3);
    budget.progress = 1;
    budget.keep = 1;
    assert_keeps(&net, &budget, layers, (const int[]){ 20, 4, 10 }, 3);
    budget.round = 8;
    assert_keeps(&net, &budget, layers, (const int[]){ 20, 8, 10 }, 3);
    budget.round = 1;
    for (int scope = PRUNE_LAYER; scope <= PRUNE_GLOBAL; scope++) {
        budget.scope = (enum prune_scope)scope;
        budget.kind = PRUNE_OF_MACS;
        budget.keep = 0.15;                     /* of all MACs, the limited layer's too */
        assert_int_equal(choose(&net, &budget), PRUNE_OK);
        check_choice(&net, &budget);
        assert_int_equal(kept_in(&net, 1), 4);
    }
    free_net(&net);
}

static void fates_are_settled_before(void **state)
{
    (void)state;
    struct net net;
    random_seed(16);
    build(&net, NET(8, 8, 3) CONV(16) CONV(24) END);
    const int *first = net.channels.group[0], *second = net.channels.group[1], layers[] = { 0, 1 };
    for (int i = 0; i < 16; i++) net.scores[first[i]] = i + 1;
    for (int i = 0; i < 24; i++) net.scores[second[i]] = i + 1;
    struct prune_budget budget = { .kind = PRUNE_OF_CHANNELS, .scope = PRUNE_LAYER, .round = 1, .keep = 0.5 };
    net.fates[first[0]] = net.fates[first[1]] = PRUNE_STAYS;    /* the worst */
    net.fates[second[23]] = PRUNE_GOES;         /* the best */
    assert_keeps(&net, &budget, layers, (const int[]){ 8, 12 }, 2);
    assert_true(!net.removed[first[0]] && !net.removed[first[1]] && net.removed[first[9]] && !net.removed[first[10]]);
    assert_true(net.removed[second[23]] && !net.removed[second[11]] && net.removed[second[10]]);
    budget.round = 8;
    budget.keep = 1;                            /* 23 are left, and 16 of them are a multiple */
    assert_keeps(&net, &budget, layers, (const int[]){ 16, 16 }, 2);
    for (int i = 0; i < 16; i++) net.fates[first[i]] = PRUNE_GOES;
    for (int i = 0; i < 24; i++) net.fates[second[i]] = (uint8_t)(i < 9 ? PRUNE_STAYS : PRUNE_OPEN);
    budget.keep = 0.5;                          /* one stays in any case, the best; nine make sixteen */
    assert_keeps(&net, &budget, layers, (const int[]){ 1, 16 }, 2);
    assert_int_equal(net.removed[first[15]], 0);
    for (int i = 0; i < 24; i++) net.fates[second[i]] = (uint8_t)(i < 17 ? PRUNE_STAYS : PRUNE_GOES);
    assert_keeps(&net, &budget, layers, (const int[]){ 1, 17 }, 2);     /* settled is settled, multiple or not */
    assert_int_equal(prune_budget_choose(&net.channels, net.scores, &budget, NULL, net.removed, NULL), PRUNE_OK);
    assert_int_equal(kept_in(&net, 0), 8);      /* without fates and size */
    free_net(&net);
}

static void assert_refused(struct net *net, const struct prune_budget *budget, int code, const char *part)
{
    assert_int_equal(choose(net, budget), code);
    assert_said(part);
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    struct net net;
    random_seed(17);
    build(&net, NET(1, 1, 3) "[convolutional]\nfilters=16\nsize=1\nactivation=relu\n[convolutional]\nfilters=16\nsize=1\nactivation=relu\n"
          "[convolutional]\nfilters=4\nsize=1\nactivation=linear\n[softmax]\n");
    assert_int_equal(net.whole.macs, 48 + 256 + 64);
    struct prune_budget budget = { .kind = PRUNE_OF_MACS, .scope = PRUNE_LAYER, .round = 1, .keep = 0.01 };
    assert_refused(&net, &budget, PRUNE_ERR_RANGE, "a budget of 1 % of the MACs cannot be reached; the closest is 2.174 %\n");       /* 3 + 1 + 4 of 368 */
    budget.keep = 0.02174;
    assert_int_equal(choose(&net, &budget), PRUNE_OK);
    assert_int_equal(net.size.macs, 8);
    budget.round = 8;
    assert_refused(&net, &budget, PRUNE_ERR_RANGE, "a budget of 2.174 % of the MACs cannot be reached; the closest is 32.609 %\n");  /* 24 + 64 + 32 */
    budget.kind = PRUNE_OF_WEIGHTS;
    assert_refused(&net, &budget, PRUNE_ERR_RANGE, "of the weights cannot be reached; the closest is 32.609 %\n");
    budget.kind = PRUNE_OF_CHANNELS;
    assert_refused(&net, &budget, PRUNE_ERR_RANGE, "of the channels cannot be reached; the closest is 50 %\n");
    budget.scope = PRUNE_LAMP;
    assert_refused(&net, &budget, PRUNE_ERR_UNSUPPORTED, "lamp and erk");
    budget.scope = PRUNE_ERK;
    assert_refused(&net, &budget, PRUNE_ERR_UNSUPPORTED, "lamp and erk");
    budget.scope = PRUNE_GLOBAL;
    budget.keep = NAN;
    assert_refused(&net, &budget, PRUNE_ERR_RANGE, "is no share");
    budget.keep = 0.5;
    budget.round = 0;
    assert_refused(&net, &budget, PRUNE_ERR_RANGE, "multiples of 0");
    free_net(&net);
}

/* ------------------------------------------------------------------------------------------------------ large networks -- */

static void large_networks_take_no_time(void **state)
{
    (void)state;
    static const char *const names[] = { "densenet201.cfg", "resnet152.cfg", "yolov3-spp.cfg", "vgg-16.cfg", "resnext50.cfg" };
    const char *folder = getenv("DARKNET_CFGS");
    int n = 0;
    for (size_t i = 0; folder && i < sizeof names / sizeof *names; i++) {
        char path[1000];
        struct net net = { 0 };
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (access(path, R_OK)) continue;
        random_seed(18);
        assert_int_equal(prune_cfg_read(&net.cfg, path), PRUNE_OK);
        assert_int_equal(prune_graph_build(&net.graph, &net.cfg, PRUNE_PJREDDIE), PRUNE_OK);
        finish(&net);
        for (int scope = PRUNE_LAYER; scope <= PRUNE_GLOBAL; scope++) {
            struct prune_budget budget = { .kind = scope == PRUNE_LAYER ? PRUNE_OF_MACS : PRUNE_OF_WEIGHTS, .scope = (enum prune_scope)scope, .round = 8, .keep = 0.5 };
            random_scores(&net, BELL);
            double began = (double)clock();
            assert_int_equal(choose(&net, &budget), PRUNE_OK);
            assert_true(((double)clock() - began) / CLOCKS_PER_SEC < 10);   /* far less without sanitizers */
            double used = scope == PRUNE_LAYER ? (double)net.size.macs / (double)net.whole.macs : (double)net.size.weights / (double)net.whole.weights;
            assert_true(used <= 0.5 && used >= 0.495);
        }
        free_net(&net);
        n++;
    }
    if (!n) skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chosen_as_one_by_one),
        cmocka_unit_test(budgets_are_used_to_the_last_percent),
        cmocka_unit_test(shares_round_to_the_nearest),
        cmocka_unit_test(counts_are_multiples_of_round),
        cmocka_unit_test(global_scope_ranks_all_families),
        cmocka_unit_test(limits_stand_outside),
        cmocka_unit_test(fates_are_settled_before),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(large_networks_take_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
