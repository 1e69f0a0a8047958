/* report_svg.c - the report as a picture: a bar per layer, its weights in grey and over them the non-zero ones
 *
 * In: graph and weights. Out: one SVG 1.1 file without scripts, fonts or links, drawn on white so that it can be read on any page.
 * Lengths are linear: a bar twice as long is twice as many weights.
 */
#include "report.h"

#include <stdlib.h>

enum { WIDTH = 960, LEFT = 190, BAR_MOST = 480, ROW = 22, BAR = 14, TOP = 74, BOTTOM = 18 };
static const char grey[] = "#c9ced6", colour[] = "#1f6feb", ink[] = "#24292f";

static void print_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        default: fputc(*text, out);
        }
    }
}

/* A bar that stands for something is at least half a pixel long. */
static double bar_length(uint64_t n, uint64_t most)
{
    double length = BAR_MOST * (double)n / (double)most;
    return n && length < 0.5 ? 0.5 : length;
}

static void print_bar(FILE *out, int y, double length, const char *fill)
{
    fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"%s\"/>\n", LEFT, y, length, BAR, fill);
}

static void print_layer(FILE *out, const struct prune_graph *graph, int layer, const struct prune_cost *cost, uint64_t most, int y)
{
    char nonzero[32], all[32];
    double length = bar_length(cost->weights, most), percent = 100 * (1 - (double)cost->nonzero / (double)cost->weights);
    if (percent > 99.9 && cost->nonzero) percent = 99.9;
    prune_report_thousands(cost->nonzero, nonzero);
    prune_report_thousands(cost->weights, all);
    fprintf(out, "<g><title>layer %d, %s: %s of %s weights are not zero</title>\n", layer, prune_kind_name(graph->nodes[layer].kind), nonzero, all);
    fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%d %s</text>\n", LEFT - 8, y + BAR - 2, layer, prune_kind_name(graph->nodes[layer].kind));
    print_bar(out, y, length, grey);
    if (cost->nonzero) print_bar(out, y, bar_length(cost->nonzero, most), colour);
    fprintf(out, "<text x=\"%.2f\" y=\"%d\">%s / %s (%.1f %% zeros)</text></g>\n", LEFT + length + 8, y + BAR - 2, nonzero, all, percent);
}

int prune_report_svg(FILE *out, const struct prune_graph *graph, const struct prune_weights *weights)
{
    char nonzero[32], all[32];
    char *path = prune_report_clean(graph->cfg->path);
    if (!path) return prune_fail(PRUNE_ERR_NOMEM, "%s: no memory for the report", graph->cfg->path);

    int rows = 0;
    uint64_t most = 1;
    for (int i = 0; i < graph->n_nodes; i++) {
        uint64_t n = graph->nodes[i].n_weights;
        rows += n > 0;
        if (n > most) most = n;
    }
    struct prune_cost total = prune_report_total(graph, weights);
    int64_t height = TOP + (int64_t)rows * ROW + BOTTOM;
    fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%lld\" viewBox=\"0 0 %d %lld\" font-family=\"sans-serif\" font-size=\"12\" fill=\"%s\" stroke=\"none\">\n",
            WIDTH, (long long)height, WIDTH, (long long)height, ink);
    fprintf(out, "<rect width=\"%d\" height=\"%lld\" fill=\"#ffffff\"/>\n<text x=\"16\" y=\"26\" font-size=\"16\" font-weight=\"bold\">", WIDTH, (long long)height);
    print_escaped(out, path);
    fprintf(out, "</text>\n<text x=\"16\" y=\"48\">%s of %s weights are not zero</text>\n", prune_report_thousands(total.nonzero, nonzero),
            prune_report_thousands(total.weights, all));
    fprintf(out, "<rect x=\"%d\" y=\"38\" width=\"12\" height=\"12\" fill=\"%s\"/><text x=\"%d\" y=\"48\">non-zero</text>\n", WIDTH - 190, colour, WIDTH - 172);
    fprintf(out, "<rect x=\"%d\" y=\"38\" width=\"12\" height=\"12\" fill=\"%s\"/><text x=\"%d\" y=\"48\">all weights</text>\n", WIDTH - 100, grey, WIDTH - 82);
    int y = TOP;
    for (int i = 0; i < graph->n_nodes; i++) {
        if (!graph->nodes[i].n_weights) continue;
        struct prune_cost cost = prune_report_layer(graph, weights, i);
        print_layer(out, graph, i, &cost, most, y);
        y += ROW;
    }
    fprintf(out, "</svg>\n");
    free(path);
    return prune_report_written(out);
}
