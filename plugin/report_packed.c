/* report_packed.c - the report's second table: what each layer takes in .weights and packed, and the least that it could
 *
 * In: graph and weights. The limits are those of weights that know nothing of each other; where zeros gather in rows, columns or kernels, positions come out below theirs.
 */
#include "packing.h"
#include "report.h"

#include <stdlib.h>

int prune_report_sizes(const struct prune_graph *graph, const struct prune_weights *weights, struct prune_packed_size **sizes)
{
    *sizes = calloc((size_t)graph->n_nodes + 1, sizeof **sizes);
    if (!*sizes) return prune_fail(PRUNE_ERR_NOMEM, "%s: no memory for the report", graph->cfg->path);
    return prune_pack_write(NULL, NULL, graph, weights, *sizes);
}

struct prune_packed_size prune_report_sizes_total(const struct prune_graph *graph, const struct prune_weights *weights, const struct prune_packed_size *sizes)
{
    struct prune_packed_size sum = { .dense = 8 * (uint64_t)weights->header_bytes, .packed = 8 * PACKED_HEAD_BYTES };
    for (int i = 0; i < graph->n_nodes; i++) {
        sum.dense += sizes[i].dense;
        sum.packed += sizes[i].packed;
        sum.positions += sizes[i].positions;
        sum.values += sizes[i].values;
        sum.positions_limit += sizes[i].positions_limit;
        sum.values_limit += sizes[i].values_limit;
    }
    return sum;
}

static void print_row(FILE *out, const char *layer, const struct prune_packed_size *size)
{
    char c[6][27];
    double limit = size->positions_limit + size->values_limit;
    fprintf(out, "%-21s %13s %13s %7.2f %13s %13s %13s %13s %7.3f\n", layer, prune_report_thousands(size->dense / 8, c[0]), prune_report_thousands(size->packed / 8, c[1]),
            (double)size->dense / (double)size->packed, prune_report_thousands(size->positions / 8, c[2]), prune_report_thousands((uint64_t)(size->positions_limit / 8), c[3]),
            prune_report_thousands(size->values / 8, c[4]), prune_report_thousands((uint64_t)(size->values_limit / 8), c[5]), limit > 0 ? (double)size->packed / limit : 0);
}

int prune_report_packed_text(FILE *out, const struct prune_graph *graph, const struct prune_weights *weights)
{
    struct prune_packed_size *sizes, total;
    int code = prune_report_sizes(graph, weights, &sizes);
    if (code) goto done;
    fprintf(out, "\n%-21s %13s %13s %7s %27s %27s %7s\n", "bytes in files", "", "", "", "-------- positions --------", "---------- values ---------", "packed");
    fprintf(out, "%-21s %13s %13s %7s %13s %13s %13s %13s %7s\n", "layer", ".weights", ".pweights", "ratio", "packed", "limit", "packed", "limit", "/ limit");
    for (int i = 0; i < graph->n_nodes; i++) {
        char layer[48];
        if (!sizes[i].dense) continue;
        snprintf(layer, sizeof layer, "%4d %s", i, prune_kind_name(graph->nodes[i].kind));
        print_row(out, layer, &sizes[i]);
    }
    total = prune_report_sizes_total(graph, weights, sizes);
    print_row(out, "total, with header", &total);
    fputs("\n.pweights: as `darknet prune pack` writes these weights, without loss. Limits are entropies: of a mask with as many zeros in no order, and of the values, signs and\n"
          "mantissas plain. Zeros in whole rows, columns or kernels take less than the limit.\n", out);
    code = prune_report_written(out);
done:
    free(sizes);
    return code;
}
