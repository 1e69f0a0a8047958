/* compact.c - a network without some of its channels, as a cfg and a weight file that every Darknet loads
 *
 * In: coupled groups, weights, and which groups go. Out: the cfg with smaller filters=, groups= and output=, and the weight file that goes with it.
 *
 * Both are complete under temporary names before the first is renamed, and the weight file is as long as the new text says, which is read again to be sure.
 */
#include "rows.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct writer {
    FILE *file;
    const struct prune_channels *channels;  /* NULL: all stay */
    const struct prune_graph *graph;
    const uint8_t *removed;
    float *row;                 /* room for the longest run of floats written at once */
    size_t n;                   /* floats in it */
};

static int is_transposed(const struct prune_weights *weights)
{
    return weights->major > 1000 || weights->minor > 1000;
}

static int is_flipped(const struct prune_graph *graph, const struct prune_node *node)
{
    int value;
    return node->kind == PRUNE_CONVOLUTIONAL && !prune_cfg_int(graph->cfg, node->section, "flipped", 0, &value) && value;
}

/* ---------------------------------------------------------------------------------------------------------- header -- */

/* The version and width of `seen` that the new file has; checks that it fits. */
static int choose_header(const struct prune_weights *weights, int version1, struct prune_weights *header)
{
    *header = (struct prune_weights){ .major = weights->major, .minor = weights->minor, .revision = weights->revision, .seen = weights->seen };
    if (version1) header->major = 0, header->minor = 1, header->revision = 0;
    else if (is_transposed(weights)) header->major = 0, header->minor = 2, header->revision = 0;
    header->header_bytes = prune_weights_header_bytes(header->major, header->minor);
    if (header->header_bytes == 16 && header->seen > UINT32_MAX)
        return prune_fail(PRUNE_ERR_RANGE, "the weights have seen %" PRIu64 " images; version %" PRId32 ".%" PRId32 " has room for %" PRIu32, header->seen, header->major,
                          header->minor, UINT32_MAX);
    return PRUNE_OK;
}

static void write_header(FILE *file, const struct prune_weights *header)
{
    const int32_t version[] = { header->major, header->minor, header->revision };
    uint32_t narrow = (uint32_t)header->seen;
    fwrite(version, sizeof version, 1, file);
    if (header->header_bytes == 20) fwrite(&header->seen, sizeof header->seen, 1, file);
    else fwrite(&narrow, sizeof narrow, 1, file);
}

/* ---------------------------------------------------------------------------------------------------------- floats -- */

static int goes(const struct writer *writer, int layer, int channel)
{
    return writer->removed[writer->channels->group[layer][channel]];
}

static void put(struct writer *writer, const float *values, size_t n)
{
    memcpy(writer->row + writer->n, values, n * sizeof *values);
    writer->n += n;
}

static void flush(struct writer *writer)
{
    fwrite(writer->row, sizeof *writer->row, writer->n, writer->file);
    writer->n = 0;
}

/* So many arrays one behind the other, with `each` floats for each output channel. Returns the floats behind them. */
static const float *write_arrays(struct writer *writer, int layer, const float *at, int arrays, size_t each)
{
    int n = writer->channels->n_channels[layer];
    for (int a = 0; a < arrays; a++)
        for (int i = 0; i < n; i++, at += each)
            if (!goes(writer, layer, i)) fwrite(at, sizeof *at, each, writer->file);
    return at;
}

/* The columns of a row that stay. */
static void put_row(struct writer *writer, const struct prune_rows *rows, const int *in, const float *weights, int place, int row)
{
    int first = prune_rows_first(rows, row);
    for (int column = 0; column < rows->columns; column++)
        if (!writer->removed[in[first + column]]) put(writer, weights + prune_rows_at(rows, place, row, column), rows->block);
}

static const float *write_rows(struct writer *writer, int layer, const struct prune_rows *rows, const float *weights)
{
    int n_in;
    const int *in = prune_channels_in(writer->channels, layer, &n_in);
    if (writer->graph->nodes[layer].kind == PRUNE_DECONVOLUTIONAL) {    /* column by column */
        for (int column = 0; column < rows->columns; column++, flush(writer))
            for (int row = 0; !writer->removed[in[column]] && row < rows->n; row++)
                if (!goes(writer, layer, row)) put(writer, weights + prune_rows_at(rows, 0, row, column), rows->block);
    } else {
        for (int place = 0; place < rows->places; place++)
            for (int row = 0; row < rows->n; row++, flush(writer))
                if (!goes(writer, layer, row)) put_row(writer, rows, in, weights, place, row);
    }
    return weights + writer->graph->nodes[layer].n_weights;
}

/* As flipped=1 wants it: (c * size * size, filters). Such a layer has one slice. */
static void write_flipped(struct writer *writer, int layer, const float *weights)
{
    const struct prune_node *node = &writer->graph->nodes[layer];
    size_t n = (size_t)node->filters, columns = node->n_weights / n, area = (size_t)node->size * (size_t)node->size;
    const int *in = NULL;
    int n_in;
    if (writer->channels) in = prune_channels_in(writer->channels, layer, &n_in);
    for (size_t column = 0; column < columns; column++, flush(writer)) {
        int depthwise = node->groups > 1 && node->groups == node->c;   /* every filter reads a channel of its own */
        if (in && !depthwise && writer->removed[in[column / area]]) continue;
        for (size_t row = 0; row < n; row++)
            if (!in || !goes(writer, layer, (int)row)) put(writer, weights + row * columns + column, 1);
    }
}

/* Everything of one layer, in file order, without what goes. `at`: its floats. */
static void write_layer(struct writer *writer, int layer, const float *at)
{
    const struct prune_node *node = &writer->graph->nodes[layer];
    struct prune_rows rows = { 0 };
    int flipped = is_flipped(writer->graph, node), norm = node->batch_normalize ? 3 : 0;
    if (writer->channels) prune_rows_of(&rows, writer->channels, layer);
    if (writer->channels && (rows.n || node->kind == PRUNE_BATCHNORM || (node->kind == PRUNE_SHORTCUT && node->per_channel))) {
        switch (node->kind) {
        case PRUNE_CONNECTED:
            at = write_arrays(writer, layer, at, 1, 1);
            at = write_rows(writer, layer, &rows, at);
            write_arrays(writer, layer, at, norm, 1);
            break;
        case PRUNE_LOCAL:
            at = write_arrays(writer, layer, at, 1, (size_t)rows.places);
            write_rows(writer, layer, &rows, at);
            break;
        case PRUNE_BATCHNORM:
            write_arrays(writer, layer, at, (int)(node->n_biases / (size_t)node->c), 1);
            break;
        case PRUNE_SHORTCUT:
            write_arrays(writer, layer, at, node->n_from + 1, 1);
            break;
        default:
            at = write_arrays(writer, layer, at, 1 + norm, 1);
            if (flipped) write_flipped(writer, layer, at);
            else write_rows(writer, layer, &rows, at);
        }
    } else if (flipped) {
        fwrite(at, sizeof *at, node->n_biases, writer->file);
        write_flipped(writer, layer, at + node->n_biases);
    } else {
        fwrite(at, sizeof *at, node->n_floats, writer->file);
    }
}

/* The whole weight file. */
static int write_weights(struct writer *writer, const struct prune_weights *weights, const struct prune_weights *header)
{
    const float *at = weights->floats;
    size_t longest = 1;
    for (int i = 0; i < writer->graph->n_nodes; i++) {
        const struct prune_node *node = &writer->graph->nodes[i];
        size_t n = (size_t)node->filters;
        struct prune_rows rows;
        if (writer->channels && prune_rows_of(&rows, writer->channels, i))
            n = rows.block * (size_t)(node->kind == PRUNE_DECONVOLUTIONAL || is_flipped(writer->graph, node) ? rows.n : rows.columns);
        if (n > longest) longest = n;
    }
    writer->row = malloc(longest * sizeof *writer->row);
    if (!writer->row) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    write_header(writer->file, header);
    for (int i = 0; i < writer->graph->n_nodes; i++) {
        if (writer->graph->nodes[i].n_floats) write_layer(writer, i, at);
        at += writer->graph->nodes[i].n_floats;
    }
    free(writer->row);
    return PRUNE_OK;
}

int prune_weights_write(const struct prune_graph *graph, const struct prune_weights *weights, const char *path, int version1)
{
    struct prune_weights header;
    struct prune_output out = { 0 };
    int code = choose_header(weights, version1, &header);
    if (!code) code = prune_output_open(&out, path);
    if (code) return code;
    struct writer writer = { .file = out.file, .graph = graph };
    code = write_weights(&writer, weights, &header);
    if (!code) code = prune_output_commit(&out);
    prune_output_abandon(&out);
    return code;
}

/* ----------------------------------------------------------------------------------------------------------- edits -- */

/* The values that change. Returns how many; `edits` has room for 2 per layer. */
static int list_edits(const struct prune_channels *channels, const int *kept, struct prune_edit *edits)
{
    const struct prune_graph *graph = channels->graph;
    int n = 0;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct prune_node *node = &graph->nodes[i];
        int has_filters = node->kind == PRUNE_CONVOLUTIONAL || node->kind == PRUNE_DECONVOLUTIONAL || node->kind == PRUNE_LOCAL;
        if (kept[i] != channels->n_channels[i] && (has_filters || node->kind == PRUNE_CONNECTED))
            edits[n++] = (struct prune_edit){ i + 1, has_filters ? "filters" : "output", kept[i] };
        if (node->kind == PRUNE_CONVOLUTIONAL && node->groups > 1 && node->groups == node->c && i && kept[i - 1] != node->c)
            edits[n++] = (struct prune_edit){ i + 1, "groups", kept[i - 1] };
    }
    return n;
}

/* ---------------------------------------------------------------------------------------------------------- checks -- */

int prune_compact_check(const char *cfg_path, const char *weights_path, const char *new_cfg, const char *new_weights)
{
    const char *const beside_cfg[] = { cfg_path, weights_path, new_weights }, *const beside_weights[] = { cfg_path, weights_path, new_cfg };
    int code = prune_output_check(new_cfg, beside_cfg, 3);
    return code ? code : prune_output_check(new_weights, beside_weights, 3);
}

/* Reads the new cfg again: every layer must have the channels that were kept, and the weight file exactly what it asks for. */
static int check_written(const struct prune_channels *channels, const int *kept, const struct prune_size *size, const char *cfg_path, const char *weights_path, size_t header_bytes)
{
    struct prune_cfg cfg = { 0 };
    struct prune_graph graph = { 0 };
    struct stat info;
    uint64_t floats = 0;
    int wrong = -1, code = prune_cfg_read(&cfg, cfg_path);
    if (!code) code = prune_graph_build(&graph, &cfg, channels->graph->dialect);
    if (code) goto done;
    for (int i = 0; i < graph.n_nodes && i < channels->graph->n_nodes; i++) {
        const struct prune_node *node = &graph.nodes[i];
        if (wrong < 0 && (node->out_c ? node->out_c : (int)node->outputs) != kept[i]) wrong = i;
        floats += node->n_floats;
    }
    if (graph.n_nodes != channels->graph->n_nodes || wrong >= 0)
        code = prune_fail(PRUNE_ERR_SHAPE, "internal fault: layer %d of the new cfg has not the %d channels that were kept; nothing was written", wrong, wrong < 0 ? 0 : kept[wrong]);
    else if (stat(weights_path, &info))
        code = prune_fail(PRUNE_ERR_IO, "%s: %s", weights_path, strerror(errno));
    else if (floats != size->floats || (uint64_t)info.st_size != header_bytes + 4 * floats)
        code = prune_fail(PRUNE_ERR_SHAPE, "internal fault: the new cfg asks for %" PRIu64 " floats, %" PRIu64 " were kept, the file has %" PRIu64 " bytes; nothing was written", floats,
                          size->floats, (uint64_t)info.st_size);
done:
    prune_graph_free(&graph);
    prune_cfg_free(&cfg);
    return code;
}

/* ----------------------------------------------------------------------------------------------------------- write -- */

int prune_compact_write(const struct prune_channels *channels, const struct prune_weights *weights, const uint8_t *removed, const char *cfg_path,
                        const char *weights_path, int version1)
{
    const struct prune_graph *graph = channels->graph;
    size_t layers = (size_t)graph->n_nodes + 1;
    struct prune_output cfg_out = { 0 }, weights_out = { 0 };
    struct prune_weights header;
    struct prune_size size;
    int *kept = calloc(layers, sizeof *kept), code;
    struct prune_edit *edits = calloc(2 * layers, sizeof *edits);
    if (!kept || !edits) {
        code = prune_fail(PRUNE_ERR_NOMEM, "%s: out of memory", graph->cfg->path);
        goto done;
    }
    if ((code = prune_compact_check(graph->cfg->path, NULL, cfg_path, weights_path))) goto done;
    if ((code = choose_header(weights, version1, &header))) goto done;
    prune_channels_size(channels, removed, &size, kept);
    int n_edits = list_edits(channels, kept, edits);
    if ((code = prune_output_open(&cfg_out, cfg_path))) goto done;
    if ((code = prune_output_open(&weights_out, weights_path))) goto done;
    struct writer writer = { .file = weights_out.file, .channels = channels, .graph = graph, .removed = removed };
    if ((code = prune_cfg_write(cfg_out.file, graph->cfg, edits, n_edits))) goto done;
    if ((code = write_weights(&writer, weights, &header))) goto done;
    if ((code = prune_output_sync(&cfg_out))) goto done;
    if ((code = prune_output_sync(&weights_out))) goto done;
    if ((code = check_written(channels, kept, &size, cfg_out.temporary, weights_out.temporary, header.header_bytes))) goto done;
    if ((code = prune_output_commit(&weights_out))) goto done;
    if ((code = prune_output_commit(&cfg_out))) unlink(weights_path);
done:
    prune_output_abandon(&cfg_out);
    prune_output_abandon(&weights_out);
    free(kept);
    free(edits);
    return code;
}
