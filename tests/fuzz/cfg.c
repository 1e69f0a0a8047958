/* cfg.c - fuzz target: bytes as a cfg, through everything that only needs its text
 *
 * In every dialect: reading, graph, coupled channels, sizes, the table of families, and the text written again, which must be read as the same network.
 * `make fuzz` runs it with libFuzzer for FUZZ_SECONDS; `make test` compiles it with tests/fuzz/replay.c and runs it over the seeds and what they mutate to.
 */
#include "prune.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* A huge net is no fault, and no fuzzing either: it only takes memory. */
static int is_small(const struct prune_graph *graph)
{
    size_t channels = graph->inputs;
    for (int i = 0; i < graph->n_nodes; i++) channels += graph->nodes[i].outputs;
    return channels < 1000000;
}

/* The written text must be a cfg of the same shape, and writing it again must change nothing. */
static void write_again(const struct prune_cfg *cfg, const struct prune_graph *graph, enum prune_dialect dialect)
{
    struct prune_cfg again;
    struct prune_graph same;
    char path[64];
    int descriptor = memfd_create("cfg", 0);
    FILE *out = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    if (!out) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    if (prune_cfg_write(out, cfg, NULL, 0) || fflush(out)) abort();
    if (prune_cfg_read(&again, path) || prune_graph_build(&same, &again, dialect)) abort();
    if (same.n_nodes != graph->n_nodes) abort();
    for (int i = 0; i < same.n_nodes; i++)
        if (same.nodes[i].n_floats != graph->nodes[i].n_floats || same.nodes[i].outputs != graph->nodes[i].outputs) abort();
    prune_graph_free(&same);
    prune_cfg_free(&again);
    fclose(out);
}

static void try_channels(const struct prune_graph *graph, FILE *nowhere)
{
    struct prune_channels channels;
    struct prune_size whole, left;
    if (prune_channels_build(&channels, graph)) return;
    uint8_t *removed = calloc((size_t)channels.n_groups + 1, 1);
    if (!removed) abort();
    prune_channels_size(&channels, removed, &whole, NULL);
    for (int g = 0; g < channels.n_groups; g++) removed[g] = channels.groups[g].pin == PRUNE_FREE && g % 2;
    prune_channels_size(&channels, removed, &left, NULL);
    if (left.weights > whole.weights || left.macs > whole.macs || left.channels > whole.channels) abort();
    prune_channels_print(nowhere, &channels);
    free(removed);
    prune_channels_free(&channels);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static FILE *nowhere;
    char path[64];
    struct prune_cfg cfg;
    struct prune_settings settings;
    if (!nowhere && !(nowhere = fopen("/dev/null", "w"))) abort();
    int descriptor = memfd_create("cfg", 0);
    if (descriptor < 0 || write(descriptor, bytes, n) != (ssize_t)n) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    if (prune_cfg_read(&cfg, path) == PRUNE_OK) {
        prune_settings_default(&settings);
        prune_settings_from_cfg(&settings, &cfg);
        for (int dialect = PRUNE_THIS_DARKNET; dialect <= PRUNE_ALEXEYAB; dialect++) {
            struct prune_graph graph;
            if (prune_graph_build(&graph, &cfg, (enum prune_dialect)dialect)) continue;
            if (is_small(&graph)) {
                try_channels(&graph, nowhere);
                write_again(&cfg, &graph, (enum prune_dialect)dialect);
            }
            prune_graph_free(&graph);
        }
    }
    prune_cfg_free(&cfg);
    close(descriptor);
    return 0;
}
