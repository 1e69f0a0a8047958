/* report_groups.c - `darknet prune report -groups`: which channels are coupled, and why some cannot go
 *
 * In: struct prune_channels. Out: one line per family, in the order of the layers.
 */
#include "prune.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

static const char *const reasons[] = {
    [PRUNE_FREE] = "",
    [PRUNE_PIN_INPUT] = "the network's input",
    [PRUNE_PIN_OUTPUT] = "the network's output: no layer reads it",
    [PRUNE_PIN_HEAD] = "fixes their number",
    [PRUNE_PIN_NEIGHBOURS] = "mixes neighbouring channels",
    [PRUNE_PIN_RECURRENT] = "is recurrent",
    [PRUNE_PIN_BINARY] = "has binary weights, where a zero is no zero",
    [PRUNE_PIN_SPATIAL] = "moves numbers between channels and places",
    [PRUNE_PIN_OWN_WEIGHTS] = "has weights of another kind",
    [PRUNE_PIN_UNSAVED] = "does not save or does not load its weights",
    [PRUNE_PIN_CONSTANT] = "would see another constant than 0, which its biases cannot take exactly",
    [PRUNE_PIN_EXEMPT] = "has prune=0",
    [PRUNE_PIN_UNKNOWN] = "is of an unknown kind",
};

char *prune_pin_text(const struct prune_channels *channels, const struct prune_group *group, char *text, size_t bytes)
{
    const char *reason = reasons[group->pin];
    if (group->pin == PRUNE_FREE || group->pin == PRUNE_PIN_INPUT || group->pin_layer < 0) snprintf(text, bytes, "%s", reason);
    else snprintf(text, bytes, "layer %d %.40s %s", group->pin_layer, channels->graph->nodes[group->pin_layer].section->kind,
                  group->pin == PRUNE_PIN_OUTPUT ? "is the network's output: no layer reads it" : reason);
    return text;
}

/* "3 5 9x2": the layers in which a group has members, and how many there if more than one. */
static void print_layers(FILE *out, const struct prune_channels *channels, const struct prune_group *group)
{
    for (int i = 0; i < group->n_members;) {
        int layer = channels->members[group->first_member + i].layer, n = 0;
        while (i < group->n_members && channels->members[group->first_member + i].layer == layer) i++, n++;
        fprintf(out, i == n ? "%d" : " %d", layer);
        if (n > 1) fprintf(out, "x%d", n);
    }
}

struct line {                   /* a family and one of its groups */
    int family, group;
};

static int by_layer(const void *x, const void *y, void *context)
{
    const struct line *a = x, *b = y;
    const struct prune_channels *channels = context;
    int first = channels->families[a->family].first_layer, second = channels->families[b->family].first_layer;
    if (first != second) return first < second ? -1 : 1;
    return (a->group > b->group) - (a->group < b->group);
}

int prune_channels_print(FILE *out, const struct prune_channels *channels)
{
    struct line *lines = calloc((size_t)channels->n_families + 1, sizeof *lines);
    if (!lines) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    int n = 0;
    for (int g = channels->n_groups - 1; g >= 0; g--) lines[channels->groups[g].family] = (struct line){ channels->groups[g].family, g };
    for (int f = 0; f < channels->n_families; f++)
        if (channels->groups[lines[f].group].n_members) lines[n++] = lines[f];
    qsort_r(lines, (size_t)n, sizeof *lines, by_layer, (void *)channels);
    fputs("  groups  channels each  pruned  layers with filters, rows or scales of them, and why they stay\n", out);
    for (int i = 0; i < n; i++) {
        const struct prune_family *family = &channels->families[lines[i].family];
        const struct prune_group *group = &channels->groups[lines[i].group];
        fprintf(out, "%8d  %13d  %-6s  ", family->n_groups, group->n_members, family->pinned ? "no" : "yes");
        print_layers(out, channels, group);
        if (family->pinned) {
            char text[200];
            fprintf(out, ": %s", prune_pin_text(channels, group, text, sizeof text));
        }
        fputc('\n', out);
    }
    free(lines);
    return prune_report_written(out);
}
