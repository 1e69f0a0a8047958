/* report.h - what the forms of the report share: the figures are in report.c, packed sizes in report_packed.c, the drawing in report_svg.c */
#ifndef PRUNE_REPORT_H
#define PRUNE_REPORT_H

#include "prune.h"

/* A copy for XML and JSON: what is no UTF-8 or no printable character becomes '?'. NULL when out of memory. */
char *prune_report_clean(const char *text);

/* 1234567 as "1,234,567"; `text` has room for 27 characters. Returns text. */
char *prune_report_thousands(uint64_t n, char *text);

/* PRUNE_OK, or the fault that `out` could not be written. */
int prune_report_written(FILE *out);

/* What packing each layer comes to: n_nodes sizes; the caller frees them, also after a fault. */
int prune_report_sizes(const struct prune_graph *graph, const struct prune_weights *weights, struct prune_packed_size **sizes);

/* Their sum; `dense` and `packed` with the files' headers, so that they are the sizes of the files. */
struct prune_packed_size prune_report_sizes_total(const struct prune_graph *graph, const struct prune_weights *weights, const struct prune_packed_size *sizes);

#endif
