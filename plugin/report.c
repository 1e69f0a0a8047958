/* report.c - what a network costs, all weights kept and zeros left out: figures, text table, JSON
 *
 * In: graph and weights. Out: a table for people, or an object for programs. Both show the same struct prune_cost rows.
 */
#include "report.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Picojoules of one 32-bit operation in a 45 nm process: M. Horowitz, "Computing's energy problem", ISSCC 2014, in the form of
 * Han et al., "Learning both weights and connections for efficient neural networks", NIPS 2015, table 1. */
#define MULTIPLY_PJ 3.7
#define ADD_PJ 0.9
#define SRAM_PJ 5.0
#define DRAM_PJ 640.0

static double energy_pj(uint64_t macs, uint64_t floats)
{
    return (double)macs * (MULTIPLY_PJ + ADD_PJ + 2 * SRAM_PJ) + (double)floats * DRAM_PJ;
}

struct prune_cost prune_report_layer(const struct prune_graph *graph, const struct prune_weights *weights, int layer)
{
    const struct prune_node *node = &graph->nodes[layer];
    struct prune_cost cost = { .weights = node->n_weights, .biases = node->n_biases, .macs = node->macs };
    if (node->n_weights) {
        cost.nonzero = prune_weights_nonzero(weights, graph, layer);
        cost.macs_nonzero = node->macs / node->n_weights * cost.nonzero;    /* each weight is used equally often */
    }
    cost.bytes = 4 * (cost.weights + cost.biases);
    cost.bytes_nonzero = 4 * (cost.nonzero + cost.biases);
    cost.energy_pj = energy_pj(cost.macs, cost.weights + cost.biases);
    cost.energy_nonzero_pj = energy_pj(cost.macs_nonzero, cost.nonzero + cost.biases);
    return cost;
}

struct prune_cost prune_report_total(const struct prune_graph *graph, const struct prune_weights *weights)
{
    struct prune_cost total = {0};
    for (int i = 0; i < graph->n_nodes; i++) {
        struct prune_cost cost = prune_report_layer(graph, weights, i);
        total.weights += cost.weights;
        total.nonzero += cost.nonzero;
        total.biases += cost.biases;
        total.macs += cost.macs;
        total.macs_nonzero += cost.macs_nonzero;
        total.bytes += cost.bytes;
        total.bytes_nonzero += cost.bytes_nonzero;
        total.energy_pj += cost.energy_pj;
        total.energy_nonzero_pj += cost.energy_nonzero_pj;
    }
    return total;
}

/* -------------------------------------------------------------------------------------------------------- shared -- */

int prune_report_written(FILE *out)
{
    if (!ferror(out) && !fflush(out)) return PRUNE_OK;
    return prune_fail(PRUNE_ERR_IO, "the report cannot be written: %s", strerror(errno));
}

char *prune_report_thousands(uint64_t n, char *text)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)n), used = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0) text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

/* Bytes of the UTF-8 character at `text` if it is a printable one, else 0. */
static size_t character_bytes(const unsigned char *text)
{
    if (text[0] < 0x80) return text[0] >= 0x20 && text[0] != 0x7f;
    size_t n = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    uint32_t code = text[0] & (0xffU >> (n + 1));
    if (text[0] < 0xc2 || text[0] > 0xf4) return 0;     /* a continuation, an overlong form, or beyond Unicode */
    for (size_t i = 1; i < n; i++) {                    /* ends at the terminating 0 at the latest */
        if ((text[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    int overlong = (n == 3 && code < 0x800) || (n == 4 && code < 0x10000);
    int forbidden = code < 0xa0 || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff || (code & 0xfffe) == 0xfffe;
    return overlong || forbidden ? 0 : n;
}

char *prune_report_clean(const char *text)
{
    char *clean = strdup(text);
    if (!clean) return NULL;
    for (unsigned char *at = (unsigned char *)clean; *at;) {
        size_t n = character_bytes(at);
        if (!n) *at = '?';
        at += n ? n : 1;
    }
    return clean;
}

/* ---------------------------------------------------------------------------------------------------------- text -- */

enum { CELL_BYTES = 32 };

/* Three digits that count and a unit: scaled(1234, "B") is "1.23 kB". */
static char *scaled(double value, const char *unit, char *cell)
{
    const char *const prefixes[] = { "", "k", "M", "G", "T", "P", "E" };
    int p = 0;
    while (value >= 999.5 && p < 6) {
        value /= 1000;
        p++;
    }
    int decimals = !p && value == (double)(uint64_t)value ? 0 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    const char *gap = *unit || *prefixes[p] ? " " : "";
    snprintf(cell, CELL_BYTES, "%.*f%s%s%s", decimals, value, gap, prefixes[p], unit);
    return cell;
}

/* 0.1 pJ is the finest step of the model; microjoules are the scale of a whole small network. */
static char *microjoules(double pj, char *cell)
{
    double uj = pj * 1e-6;
    if (uj >= 999.5) return scaled(uj * 1e-3, uj * 1e-3 >= 999.5 ? "J" : "mJ", cell);
    snprintf(cell, CELL_BYTES, "%.*f uJ", uj < 9.995 ? 2 : uj < 99.95 ? 1 : 0, uj);
    return cell;
}

/* Zeros among weights in percent; never rounded up to 100 %. */
static char *zeros(const struct prune_cost *cost, char *cell)
{
    if (!cost->weights) return strcpy(cell, "-");
    double percent = 100 * (1 - (double)cost->nonzero / (double)cost->weights);
    if (percent > 99.99 && cost->nonzero) percent = 99.99;
    snprintf(cell, CELL_BYTES, "%.2f %%", percent);
    return cell;
}

static void print_row(FILE *out, const char *layer, const char *output, const struct prune_cost *cost)
{
    char c[9][CELL_BYTES];
    fprintf(out, "%-21s %12s %13s %13s %8s %8s %8s %8s %8s %8s %8s\n", layer, output, prune_report_thousands(cost->weights, c[0]),
            prune_report_thousands(cost->nonzero, c[1]), zeros(cost, c[2]), scaled((double)cost->macs, "", c[3]),
            scaled((double)cost->macs_nonzero, "", c[4]), scaled((double)cost->bytes, "B", c[5]), scaled((double)cost->bytes_nonzero, "B", c[6]),
            microjoules(cost->energy_pj, c[7]), microjoules(cost->energy_nonzero_pj, c[8]));
}

int prune_report_text(FILE *out, const struct prune_graph *graph, const struct prune_weights *weights)
{
    char line[140];
    memset(line, '-', sizeof line);
    int left_out = 0, width = 125;
    fprintf(out, "%s\n\n", graph->cfg->path);
    fprintf(out, "%-21s %12s %36s %17s %17s %17s\n", "", "", "---------- weights ---------", "----- MACs ----", "---- bytes ----", "---- energy ---");
    fprintf(out, "%-21s %12s %13s %13s %8s %8s %8s %8s %8s %8s %8s\n", "layer", "output", "all", "non-zero", "zeros", "all", "non-zero", "all", "non-zero", "all",
            "non-zero");
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct prune_node *node = &graph->nodes[i];
        char layer[48], output[48];
        if (!node->n_weights && !node->n_biases) {
            left_out++;
            continue;
        }
        struct prune_cost cost = prune_report_layer(graph, weights, i);
        snprintf(layer, sizeof layer, "%4d %s", i, prune_kind_name(node->kind));
        if (node->out_w > 1 || node->out_h > 1) snprintf(output, sizeof output, "%dx%dx%d", node->out_w, node->out_h, node->out_c);
        else snprintf(output, sizeof output, "%zu", node->outputs);
        print_row(out, layer, output, &cost);
    }
    struct prune_cost total = prune_report_total(graph, weights);
    fprintf(out, "%.*s\n", width, line);
    print_row(out, "total", "", &total);

    fputc('\n', out);
    if (left_out) fprintf(out, "%d layer%s without weights %s not shown.\n", left_out, left_out == 1 ? "" : "s", left_out == 1 ? "is" : "are");
    if (total.nonzero && total.nonzero < total.weights)
        fprintf(out, "%.2f times fewer weights, %.2f times fewer multiply-accumulates than with all weights.\n", (double)total.weights / (double)total.nonzero,
                (double)total.macs / (double)total.macs_nonzero);
    fprintf(out,
            "\"non-zero\" is what would remain if every zero were skipped. Biases and batch-norm count as bytes, not as weights.\n"
            "MACs: multiply-accumulates for one image (recurrent: one time step) in layers with weights.\n"
            "Bytes: 4 per weight and bias; where the non-zero ones stand is not counted.\n"
            "Energy: an estimate for one image on a 45 nm chip with 32-bit floats. Each weight and bias is read from DRAM once (%.0f pJ);\n"
            "each MAC is a multiplication (%.1f pJ), an addition (%.1f pJ) and two reads from SRAM, weight and input (%.0f pJ each).\n"
            "Inputs and outputs in DRAM, the index of non-zero weights and everything that is no MAC are not counted.\n",
            DRAM_PJ, MULTIPLY_PJ, ADD_PJ, SRAM_PJ);
    return prune_report_written(out);
}

/* ---------------------------------------------------------------------------------------------------------- JSON -- */

static int add_number(cJSON *object, const char *name, double value)
{
    return cJSON_AddNumberToObject(object, name, value) != NULL;
}

static int add_cost(cJSON *object, const struct prune_cost *cost)
{
    double sparsity = cost->weights ? 1 - (double)cost->nonzero / (double)cost->weights : 0;
    return add_number(object, "weights", (double)cost->weights) && add_number(object, "nonzero", (double)cost->nonzero) &&
           add_number(object, "sparsity", sparsity) && add_number(object, "biases", (double)cost->biases) && add_number(object, "macs", (double)cost->macs) &&
           add_number(object, "macs_nonzero", (double)cost->macs_nonzero) && add_number(object, "bytes", (double)cost->bytes) &&
           add_number(object, "bytes_nonzero", (double)cost->bytes_nonzero) && add_number(object, "energy_uj", cost->energy_pj * 1e-6) &&
           add_number(object, "energy_nonzero_uj", cost->energy_nonzero_pj * 1e-6);
}

static int add_packed(cJSON *object, const struct prune_packed_size *size)
{
    return add_number(object, "packed_bytes", (double)(size->packed / 8)) && add_number(object, "positions_bytes", (double)(size->positions / 8)) &&
           add_number(object, "positions_limit_bytes", size->positions_limit / 8) && add_number(object, "values_bytes", (double)(size->values / 8)) &&
           add_number(object, "values_limit_bytes", size->values_limit / 8);
}

static int add_layer(cJSON *layers, const struct prune_graph *graph, const struct prune_weights *weights, const struct prune_packed_size *size, int i)
{
    const struct prune_node *node = &graph->nodes[i];
    struct prune_cost cost = prune_report_layer(graph, weights, i);
    const int output[] = { node->out_c, node->out_h, node->out_w };
    cJSON *layer = cJSON_CreateObject();
    if (!layer || !cJSON_AddItemToArray(layers, layer)) {
        cJSON_Delete(layer);
        return 0;
    }
    if (!add_number(layer, "layer", i) || !cJSON_AddStringToObject(layer, "kind", prune_kind_name(node->kind))) return 0;
    if (!add_number(layer, "inputs", (double)node->inputs) || !add_number(layer, "outputs", (double)node->outputs)) return 0;
    if (node->out_w) {
        cJSON *shape = cJSON_CreateIntArray(output, 3);
        if (!shape || !cJSON_AddItemToObject(layer, "output_chw", shape)) {
            cJSON_Delete(shape);
            return 0;
        }
    }
    return add_cost(layer, &cost) && add_packed(layer, size);
}

int prune_report_json(FILE *out, const struct prune_graph *graph, const struct prune_weights *weights)
{
    struct prune_packed_size *sizes = NULL;
    int code = prune_report_sizes(graph, weights, &sizes);
    if (code) {
        free(sizes);
        return code;
    }
    code = PRUNE_ERR_NOMEM;
    char *text = NULL, *path = prune_report_clean(graph->cfg->path);
    struct prune_cost sum = prune_report_total(graph, weights);
    struct prune_packed_size all;
    cJSON *report = cJSON_CreateObject(), *layers, *total;
    if (!report || !path || !cJSON_AddStringToObject(report, "network", path)) goto done;
    if (!(layers = cJSON_AddArrayToObject(report, "layers"))) goto done;
    for (int i = 0; i < graph->n_nodes; i++)
        if (!add_layer(layers, graph, weights, &sizes[i], i)) goto done;
    if (!(total = cJSON_AddObjectToObject(report, "total")) || !add_cost(total, &sum)) goto done;
    all = prune_report_sizes_total(graph, weights, sizes);
    if (!add_packed(total, &all)) goto done;
    if (!(text = cJSON_Print(report))) goto done;
    fprintf(out, "%s\n", text);
    code = prune_report_written(out);

done:
    if (code == PRUNE_ERR_NOMEM) prune_fail(code, "%s: no memory for the report", graph->cfg->path);
    cJSON_free(text);
    cJSON_Delete(report);
    free(path);
    free(sizes);
    return code;
}
