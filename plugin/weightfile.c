/* weightfile.c - .weights files: header, length, floats
 *
 *   offset  bytes
 *   0       12     int32 major, minor, revision
 *   12      8 | 4  seen: 64 bits when major*10+minor >= 2 and both are below 1000, else 32
 *   20 | 16 4*n    floats, layer by layer (order: prune.h)
 *
 * Little-endian, as every machine writes that Darknet runs on. The file says nothing of the network it belongs to: its
 * length is the only check there is, so it must be exactly right. Major or minor above 1000 marks files of 2014 and
 * earlier, whose connected weights are transposed; they are turned on reading, as Darknet does, and so are the filters of a
 * convolution with flipped=1.
 *
 * Some keys make Darknet load other floats than it saves (numload, dontload without dontsave, ...). Whether a given file
 * comes from before or after cannot be told from it, so such networks are refused by name.
 */
#include "prune.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { HEADER_MOST = 20 };

/* --------------------------------------------------------------------------------------------------------- parts -- */

struct parts {
    struct prune_part *list;
    int n;
    int norm;                   /* with scales, means and variances */
};

static void add_part(struct parts *parts, enum prune_part_role role, size_t rows, size_t columns)
{
    if (rows && columns) parts->list[parts->n++] = (struct prune_part){ .role = role, .rows = (uint32_t)rows, .columns = (uint32_t)columns, .kernel = 1 };
}

static void add_norm(struct parts *parts, size_t channels)
{
    add_part(parts, PRUNE_PART_SCALES, 1, channels);
    add_part(parts, PRUNE_PART_MEANS, 1, channels);
    add_part(parts, PRUNE_PART_VARIANCES, 1, channels);
}

static void add_connected(struct parts *parts, size_t rows, size_t columns)
{
    add_part(parts, PRUNE_PART_BIASES, 1, rows);
    add_part(parts, PRUNE_PART_WEIGHTS, rows, columns);
    if (parts->norm) add_norm(parts, rows);
}

static void add_convolution(struct parts *parts, size_t filters, size_t rows, size_t columns, size_t area)
{
    add_part(parts, PRUNE_PART_BIASES, 1, filters);
    if (parts->norm) add_norm(parts, filters);
    add_part(parts, PRUNE_PART_WEIGHTS, rows, columns);
    parts->list[parts->n - 1].kernel = (uint32_t)area;
}

/* lstm: wf wi wg wo on the state, uf ui ug uo on the input; gru: wz wr wh on the state, uz ur uh on the input (AlexeyAB: the input's first). */
static void add_gates(const struct prune_graph *graph, const struct prune_node *node, struct parts *parts)
{
    int gates = node->kind == PRUNE_LSTM ? 4 : 3;
    int input_first = node->kind == PRUNE_GRU && graph->dialect == PRUNE_ALEXEYAB;
    for (int i = 0; i < 2 * gates; i++) add_connected(parts, node->outputs, (i < gates) == input_first ? node->inputs : node->outputs);
}

/* On the cell with peephole, on the state (one for both with bottleneck), on the input. */
static void add_conv_lstm(const struct prune_graph *graph, const struct prune_node *node, struct parts *parts)
{
    size_t area = (size_t)node->size * (size_t)node->size, groups = (size_t)node->groups, filters = (size_t)node->filters;
    size_t state = filters / groups * area, input = (size_t)node->c / groups * area;
    int bottleneck = prune_cfg_is_set(graph->cfg, node->section, "bottleneck"), on_cell = prune_cfg_is_set(graph->cfg, node->section, "peephole") ? 3 : 0;
    for (int i = 0; i < on_cell; i++) add_convolution(parts, filters, filters, state, area);
    for (int i = 0; i < (bottleneck ? 1 : 4); i++) add_convolution(parts, filters, filters, bottleneck ? 2 * state : state, area);
    for (int i = 0; i < 4; i++) add_convolution(parts, filters, filters, input, area);
}

/* As a file holds them in which nothing lies transposed. Layers that use another's weights, or do not save theirs, have none. */
static int list_parts(const struct prune_graph *graph, const struct prune_node *node, struct prune_part *list)
{
    struct parts parts = { .list = list, .norm = node->batch_normalize };
    size_t per_row = node->batch_normalize ? 4 : 1, filters = (size_t)node->filters, groups = (size_t)node->groups, area = (size_t)node->size * (size_t)node->size;
    if (!node->n_floats) return 0;
    switch (node->kind) {
    case PRUNE_CONNECTED:
        add_connected(&parts, node->outputs, node->inputs);
        break;
    case PRUNE_RNN: {                               /* input, self, output; the biases alone give the number of hidden outputs */
        size_t hidden = (node->n_biases / per_row - node->outputs) / 2;
        add_connected(&parts, hidden, node->inputs);
        add_connected(&parts, hidden, hidden);
        add_connected(&parts, node->outputs, hidden);
        break;
    }
    case PRUNE_LSTM:
    case PRUNE_GRU:
        add_gates(graph, node, &parts);
        break;
    case PRUNE_CRNN: {                              /* the same of convolutions */
        size_t hidden = (node->n_biases / per_row - filters) / 2;
        add_convolution(&parts, hidden, hidden, (size_t)node->c / groups * area, area);
        add_convolution(&parts, hidden, hidden, hidden / groups * area, area);
        add_convolution(&parts, filters, filters, hidden / groups * area, area);
        break;
    }
    case PRUNE_CONV_LSTM:
        add_conv_lstm(graph, node, &parts);
        break;
    case PRUNE_CONVOLUTIONAL:
        add_convolution(&parts, filters, filters, node->n_weights / filters, area);
        break;
    case PRUNE_DECONVOLUTIONAL:
        add_convolution(&parts, filters, (size_t)node->c, node->n_weights / (size_t)node->c, area);
        break;
    case PRUNE_BATCHNORM:
        if (graph->dialect == PRUNE_ALEXEYAB) add_part(&parts, PRUNE_PART_BIASES, 1, node->n_biases / 4);
        add_norm(&parts, node->n_biases / (graph->dialect == PRUNE_ALEXEYAB ? 4 : 3));
        break;
    case PRUNE_LOCAL:
        add_part(&parts, PRUNE_PART_BIASES, 1, node->n_biases);
        add_part(&parts, PRUNE_PART_WEIGHTS, node->n_weights / ((size_t)node->c * area), (size_t)node->c * area);
        break;
    default:
        add_part(&parts, PRUNE_PART_BIASES, 1, node->n_biases);
        add_part(&parts, PRUNE_PART_WEIGHTS, 1, node->n_weights);
        break;
    }
    return parts.n;
}

static int is_connected(enum prune_kind kind)
{
    return kind == PRUNE_CONNECTED || kind == PRUNE_RNN || kind == PRUNE_GRU || kind == PRUNE_LSTM;
}

static int is_transposed(const struct prune_weights *weights)
{
    return weights->major > 1000 || weights->minor > 1000;
}

static int lies_transposed(const struct prune_graph *graph, const struct prune_weights *weights, const struct prune_node *node)
{
    if (!weights->raw) return 0;
    if (is_connected(node->kind)) return is_transposed(weights);
    return node->kind == PRUNE_CONVOLUTIONAL && prune_cfg_is_set(graph->cfg, node->section, "flipped");
}

int prune_weights_parts(const struct prune_graph *graph, const struct prune_weights *weights, int layer, struct prune_part *parts)
{
    const struct prune_node *node = &graph->nodes[layer];
    int n = list_parts(graph, node, parts), turned = lies_transposed(graph, weights, node);
    for (int i = 0; i < n; i++) {
        struct prune_part *part = &parts[i];
        if (!turned || part->role != PRUNE_PART_WEIGHTS) continue;
        *part = (struct prune_part){ .role = part->role, .rows = part->columns, .columns = part->rows, .kernel = 1, .transposed = 1 };
    }
    return n;
}

/* -------------------------------------------------------------------------------------------------------- checks -- */

/* Keys that make load and save disagree. */
static int check_keys(const struct prune_graph *graph)
{
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct prune_node *node = &graph->nodes[i];
        if (!(node->n_weights + node->n_biases) || node->share >= 0) continue;
        const char *name = NULL;
        int own = graph->dialect != PRUNE_ALEXEYAB; /* whose fork has no dontsave and no numload */
        int has_scales = node->batch_normalize && (node->kind == PRUNE_CONVOLUTIONAL || node->kind == PRUNE_DECONVOLUTIONAL || node->kind == PRUNE_CONNECTED);
        int filtered = node->kind == PRUNE_CONVOLUTIONAL || node->kind == PRUNE_DECONVOLUTIONAL;
        int saves = !own || !prune_cfg_is_set(graph->cfg, node->section, "dontsave"), loads = !prune_cfg_is_set(graph->cfg, node->section, "dontload");
        if (saves != loads) name = saves ? "dontload" : "dontsave";
        else if (own && loads && filtered && prune_cfg_is_set(graph->cfg, node->section, "numload")) name = "numload";
        else if (loads && has_scales && prune_cfg_is_set(graph->cfg, node->section, "dontloadscales")) name = "dontloadscales";
        if (name)
            return prune_cfg_fail(PRUNE_ERR_UNSUPPORTED, graph->cfg, node->section, name,
                                  "with %s= Darknet loads other floats than it saves, so what a file holds cannot be told; remove the key", name);
    }
    return PRUNE_OK;
}

static size_t graph_floats(const struct prune_graph *graph)
{
    size_t sum = 0;
    for (int i = 0; i < graph->n_nodes; i++) sum += graph->nodes[i].n_floats;
    return sum;
}

/* A file of `bytes` is not as long as it must be: says which layer it breaks off in, or where the last one ends. */
static int wrong_length(const struct prune_graph *graph, const char *path, uint64_t header_bytes, uint64_t bytes, int partial)
{
    uint64_t end = header_bytes, expected = header_bytes + 4 * (uint64_t)graph_floats(graph);
    int at = 0;
    for (int i = 0; i < graph->n_nodes; i++) {
        if (!graph->nodes[i].n_floats) continue;
        at = i;
        end += 4 * (uint64_t)graph->nodes[i].n_floats;
        if (end > bytes) break;
    }
    const char *kind = graph->n_nodes ? prune_kind_name(graph->nodes[at].kind) : "net";
    if (bytes > expected)
        return prune_fail(PRUNE_ERR_FORMAT, "%s: too long for %s: layer %d [%s] ends it at %" PRIu64 " bytes, the file has %" PRIu64, path, graph->cfg->path, at,
                          kind, expected, bytes);
    return prune_fail(PRUNE_ERR_FORMAT, "%s: too short for %s: layer %d [%s] ends at %" PRIu64 " bytes%s, the file has %" PRIu64 " of %" PRIu64, path,
                      graph->cfg->path, at, kind, end, partial ? " and is cut" : "", bytes, expected);
}

static int check_length(const struct prune_graph *graph, const char *path, uint64_t header_bytes, uint64_t bytes, int partial)
{
    uint64_t end = header_bytes;
    int some = 0;                                   /* a header alone is no partial file */
    if (bytes == header_bytes + 4 * (uint64_t)graph_floats(graph)) return PRUNE_OK;
    for (int i = 0; partial && i < graph->n_nodes && end < bytes; i++) {
        end += 4 * (uint64_t)graph->nodes[i].n_floats;
        some |= graph->nodes[i].n_floats > 0;
        if (some && end == bytes) return PRUNE_OK;
    }
    return wrong_length(graph, path, header_bytes, bytes, partial);
}

/* ------------------------------------------------------------------------------------------------------- reading -- */

size_t prune_weights_header_bytes(int32_t major, int32_t minor)
{
    return (int64_t)major * 10 + minor >= 2 && major < 1000 && minor < 1000 ? 20 : 16;
}

static int read_header(struct prune_weights *weights, FILE *file, const char *path)
{
    unsigned char bytes[HEADER_MOST];
    int32_t version[3];
    if (fread(bytes, 1, 12, file) != 12) goto cut;
    memcpy(version, bytes, sizeof version);
    weights->major = version[0];
    weights->minor = version[1];
    weights->revision = version[2];
    if (weights->major < 0 || weights->minor < 0)
        return prune_fail(PRUNE_ERR_FORMAT, "%s: version %" PRId32 ".%" PRId32 ": this is no weight file", path, weights->major, weights->minor);
    weights->header_bytes = prune_weights_header_bytes(weights->major, weights->minor);
    if (fread(bytes + 12, 1, weights->header_bytes - 12, file) != weights->header_bytes - 12) goto cut;
    if (weights->header_bytes == 20) {
        memcpy(&weights->seen, bytes + 12, 8);
    } else {
        uint32_t seen;
        memcpy(&seen, bytes + 12, 4);
        weights->seen = seen;
    }
    return PRUNE_OK;

cut:
    if (ferror(file)) return prune_fail(PRUNE_ERR_IO, "%s: %s", path, strerror(errno));
    return prune_fail(PRUNE_ERR_FORMAT, "%s: too short for the header of a weight file (16 or 20 bytes)", path);
}

/* Opens and checks; on success *file stands behind the header. */
static int open_checked(struct prune_weights *weights, const struct prune_graph *graph, const char *path, int partial, FILE **file)
{
    struct stat info;
    int code;
    if ((code = check_keys(graph))) return code;
    if (!stat(path, &info) && !S_ISREG(info.st_mode)) return prune_fail(PRUNE_ERR_IO, "%s: is not a regular file", path);   /* a pipe would wait for its writer */
    *file = fopen(path, "rb");
    if (!*file || fstat(fileno(*file), &info)) return prune_fail(PRUNE_ERR_IO, "%s: %s", path, strerror(errno));
    if ((code = read_header(weights, *file, path))) return code;
    return check_length(graph, path, weights->header_bytes, (uint64_t)info.st_size, partial);
}

/* Header and fingerprint. */
static int open_packed(struct prune_packed *packed, struct prune_weights *weights, const struct prune_graph *graph, const char *path, int partial)
{
    int code = check_keys(graph);
    if (!code) code = prune_packed_open(packed, path);
    if (code) return code;
    weights->major = packed->major;
    weights->minor = packed->minor;
    weights->revision = packed->revision;
    weights->seen = packed->seen;
    weights->header_bytes = prune_weights_header_bytes(packed->major, packed->minor);
    return partial ? prune_packed_begins(packed, graph) : prune_packed_for(packed, graph);
}

int prune_weights_check(const struct prune_graph *graph, const char *path, int partial)
{
    struct prune_weights weights = {0};
    struct prune_packed packed = {0};
    FILE *file = NULL;
    int code = prune_packed_is(path) ? open_packed(&packed, &weights, graph, path, partial) : open_checked(&weights, graph, path, partial, &file);
    if (file) fclose(file);
    prune_packed_close(&packed);
    return code;
}

int prune_weights_bytes(const char *path, uint64_t *bytes)
{
    struct prune_packed packed;
    struct stat info;
    *bytes = 0;
    if (!prune_packed_is(path)) {
        if (!stat(path, &info)) *bytes = (uint64_t)info.st_size;
        return PRUNE_OK;
    }
    int code = prune_packed_open(&packed, path);
    if (code) return code;
    *bytes = prune_weights_header_bytes(packed.major, packed.minor) + 4 * packed.n_floats;
    prune_packed_close(&packed);
    return PRUNE_OK;
}

/* `from` was written (columns, rows); makes it (rows, columns). */
static int transpose(float *matrix, size_t rows, size_t columns)
{
    float *copy = malloc(rows * columns * sizeof *copy);
    if (!copy) return PRUNE_ERR_NOMEM;
    for (size_t c = 0; c < columns; c++)
        for (size_t r = 0; r < rows; r++) copy[r * columns + c] = matrix[c * rows + r];
    memcpy(matrix, copy, rows * columns * sizeof *copy);
    free(copy);
    return PRUNE_OK;
}

/* Room for the floats, all 0 (pages that are never written cost nothing). */
static int make_room(struct prune_weights *weights, const struct prune_graph *graph, const char *path)
{
    size_t n = graph_floats(graph);
    weights->floats = calloc(n ? n : 1, sizeof *weights->floats);
    weights->weights = calloc((size_t)graph->n_nodes + 1, sizeof *weights->weights);
    if (!weights->floats || !weights->weights) return prune_fail(PRUNE_ERR_NOMEM, "%s: no memory for %zu floats", path, n);
    weights->n_floats = n;
    return PRUNE_OK;
}

static int read_plain(struct prune_weights *weights, const struct prune_graph *graph, const char *path)
{
    FILE *file = NULL;
    int code = open_checked(weights, graph, path, 0, &file);
    if (!code) code = make_room(weights, graph, path);
    if (!code && fread(weights->floats, sizeof *weights->floats, weights->n_floats, file) != weights->n_floats)
        code = prune_fail(PRUNE_ERR_IO, "%s: %s", path, ferror(file) ? strerror(errno) : "became shorter while it was read");
    if (file) fclose(file);
    return code;
}

static int read_packed(struct prune_weights *weights, const struct prune_graph *graph, const char *path)
{
    struct prune_packed packed = { 0 };
    int code = open_packed(&packed, weights, graph, path, 0);
    if (!code) code = make_room(weights, graph, path);
    float *at = weights->floats;
    int more;
    while (!code && (more = prune_packed_next(&packed)) != 0) {
        code = more < 0 ? more : prune_packed_fits(&packed, graph);
        for (int i = 0; !code && i < packed.n_arrays; i++) {
            const struct prune_part *part = &packed.arrays[i].part;
            code = prune_packed_dense(&packed, at);
            at += (size_t)part->rows * part->columns;
        }
    }
    prune_packed_close(&packed);
    return code;
}

int prune_weights_read_raw(struct prune_weights *weights, const struct prune_graph *graph, const char *path)
{
    *weights = (struct prune_weights){ .raw = 1 };
    int code = prune_packed_is(path) ? read_packed(weights, graph, path) : read_plain(weights, graph, path);
    if (code) {
        prune_weights_free(weights);
        return code;
    }
    const float *at = weights->floats;
    for (int i = 0; i < graph->n_nodes; i++) {
        struct prune_part parts[PRUNE_PARTS_MOST];
        int n = prune_weights_parts(graph, weights, i, parts), matrices = 0;
        if (graph->nodes[i].share >= 0) weights->weights[i] = weights->weights[graph->nodes[i].share];
        for (int p = 0; p < n; p++) {
            if (parts[p].role == PRUNE_PART_WEIGHTS) weights->weights[i] = matrices++ ? NULL : at;
            at += (size_t)parts[p].rows * parts[p].columns;
        }
    }
    return PRUNE_OK;
}

int prune_weights_read(struct prune_weights *weights, const struct prune_graph *graph, const char *path)
{
    int code = prune_weights_read_raw(weights, graph, path);
    float *at = weights->floats;
    for (int i = 0; !code && i < graph->n_nodes; i++) {
        struct prune_part parts[PRUNE_PARTS_MOST];
        int n = prune_weights_parts(graph, weights, i, parts);
        for (int p = 0; !code && p < n; p++) {
            if (parts[p].transposed && transpose(at, parts[p].columns, parts[p].rows))
                code = prune_fail(PRUNE_ERR_NOMEM, "%s: no memory to turn the weights of layer %d", path, i);
            at += (size_t)parts[p].rows * parts[p].columns;
        }
    }
    weights->raw = 0;
    if (code) prune_weights_free(weights);
    return code;
}

/* Takes n floats, if the layer has them in the file. */
static float *take(float **at, size_t n)
{
    float *taken = n ? *at : NULL;
    *at += n;
    return taken;
}

/* Scales, means and variances of n channels. */
static void take_norm(float **at, size_t n, struct prune_params *params)
{
    params->scales = take(at, n);
    params->means = take(at, n);
    params->variances = take(at, n);
}

static void layer_params(const struct prune_graph *graph, const struct prune_node *node, float *at, struct prune_params *params)
{
    size_t channels = node->out_c ? (size_t)node->out_c : node->outputs, norm = node->batch_normalize ? channels : 0;
    switch (node->kind) {
    case PRUNE_CONVOLUTIONAL:
    case PRUNE_DECONVOLUTIONAL:
        params->biases = take(&at, channels);
        take_norm(&at, norm, params);
        params->weights = take(&at, node->n_weights);
        break;
    case PRUNE_CONNECTED:
        params->biases = take(&at, channels);
        params->weights = take(&at, node->n_weights);
        take_norm(&at, norm, params);
        break;
    case PRUNE_BATCHNORM:
        if (graph->dialect == PRUNE_ALEXEYAB) params->biases = take(&at, channels);
        take_norm(&at, channels, params);
        break;
    case PRUNE_LOCAL:
    case PRUNE_SHORTCUT:
    case PRUNE_IMPLICIT:
        params->biases = take(&at, node->n_biases);
        params->weights = take(&at, node->n_weights);
        break;
    default:                                        /* recurrent: not in one piece */
        break;
    }
}

void prune_weights_params(const struct prune_weights *weights, const struct prune_graph *graph, struct prune_params *params)
{
    float *at = weights->floats;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct prune_node *node = &graph->nodes[i];
        params[i] = (struct prune_params){ 0 };
        if (node->n_floats) layer_params(graph, node, at, &params[i]);
        if (node->share >= 0) params[i] = params[node->share];
        if (node->share >= 0 && !node->batch_normalize) params[i].scales = params[i].means = params[i].variances = NULL;
        at += node->n_floats;
    }
}

size_t prune_weights_nonzero(const struct prune_weights *weights, const struct prune_graph *graph, int layer)
{
    int owner = graph->nodes[layer].share >= 0 ? graph->nodes[layer].share : layer;
    const struct prune_node *node = &graph->nodes[owner];
    if (!node->n_floats) return node->n_weights;    /* dontsave: the file does not say */
    const float *at = weights->floats;
    for (int i = 0; i < owner; i++) at += graph->nodes[i].n_floats;
    struct prune_part parts[PRUNE_PARTS_MOST];
    int n_parts = list_parts(graph, node, parts);
    size_t nonzero = 0;
    for (int p = 0; p < n_parts; p++) {
        size_t n = (size_t)parts[p].rows * parts[p].columns;
        for (size_t i = 0; i < n && parts[p].role == PRUNE_PART_WEIGHTS; i++) nonzero += at[i] != 0;
        at += n;
    }
    return nonzero;
}

void prune_weights_free(struct prune_weights *weights)
{
    free(weights->floats);
    free(weights->weights);
    *weights = (struct prune_weights){0};
}
