/* scan.c - what a sensitivity scan has found, as a table, as JSON, as a picture; and how far each layer can go by it
 *
 * In: struct prune_scan, measured by host_scan.c.
 */
#include "prune.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

void prune_scan_free(struct prune_scan *scan)
{
    free(scan->units);
    *scan = (struct prune_scan){ 0 };
}

double prune_scan_share(const struct prune_scan *scan, int unit, double tolerance)
{
    double share = 0, drop = 0;
    for (int i = 0; i < scan->n_levels; i++) {
        double next = scan->dense_top1 - scan->units[unit].top1[i];
        if (next > tolerance) return share + (scan->levels[i] - share) * (tolerance - drop) / (next - drop);
        share = scan->levels[i];
        drop = next;
    }
    return share;
}

int prune_scan_text(FILE *out, const struct prune_scan *scan, double drop)
{
    fprintf(out, "top1 %.2f %% with nothing pruned; with one %s pruned, by the share of it that goes:\n", scan->dense_top1, scan->units[0].family < 0 ? "layer" : "family of channels");
    fputs("layer              ", out);
    for (int i = 0; i < scan->n_levels; i++) fprintf(out, " %6.0f%%", 100 * scan->levels[i]);
    fprintf(out, "   limit for -%.3g\n", drop);
    for (int u = 0; u < scan->n_units; u++) {
        fprintf(out, "%4d %-14s", scan->units[u].layer, scan->units[u].kind);
        for (int i = 0; i < scan->n_levels; i++) fprintf(out, " %7.2f", scan->units[u].top1[i]);
        fprintf(out, "   %.3f\n", prune_scan_share(scan, u, drop));
    }
    return prune_report_written(out);
}

int prune_scan_json(FILE *out, const struct prune_scan *scan, double drop)
{
    cJSON *object = cJSON_CreateObject(), *units = cJSON_AddArrayToObject(object, "layers");
    cJSON_AddNumberToObject(object, "top1", scan->dense_top1);
    cJSON_AddNumberToObject(object, "drop", drop);
    cJSON_AddItemToObject(object, "levels", cJSON_CreateDoubleArray(scan->levels, scan->n_levels));
    for (int u = 0; u < scan->n_units; u++) {
        cJSON *unit = cJSON_CreateObject();
        cJSON_AddItemToArray(units, unit);
        cJSON_AddNumberToObject(unit, "layer", scan->units[u].layer);
        cJSON_AddStringToObject(unit, "kind", scan->units[u].kind);
        cJSON_AddItemToObject(unit, "top1", cJSON_CreateDoubleArray(scan->units[u].top1, scan->n_levels));
        cJSON_AddNumberToObject(unit, "limit", prune_scan_share(scan, u, drop));
    }
    char *text = cJSON_Print(object);
    int code = text ? PRUNE_OK : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    if (text) fprintf(out, "%s\n", text);
    free(text);
    cJSON_Delete(object);
    return code ? code : prune_report_written(out);
}

static void draw(FILE *plot, const void *context)
{
    const struct prune_scan *scan = context;
    fputs("set key outside right\nset grid\nset xlabel 'share pruned (%)'\nset ylabel 'top-1 (%)'\nset yrange [0:100]\n", plot);
    for (int u = 0; u < scan->n_units; u++) {
        fprintf(plot, "$unit%d << EOD\n0 %.9g\n", u, scan->dense_top1);
        for (int i = 0; i < scan->n_levels; i++) fprintf(plot, "%.9g %.9g\n", 100 * scan->levels[i], scan->units[u].top1[i]);
        fputs("EOD\n", plot);
    }
    fputs("plot", plot);
    for (int u = 0; u < scan->n_units; u++)
        fprintf(plot, "%s $unit%d using 1:2 with linespoints pt 7 ps 0.3 title '%d %s'", u ? "," : "", u, scan->units[u].layer, scan->units[u].kind);
    fputs("\n", plot);
}

int prune_scan_svg(const struct prune_scan *scan, const char *path, const char *title)
{
    return prune_plot(path, "svg size 900,500 noenhanced background 'white'", title, draw, scan);
}
