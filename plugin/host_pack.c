/* host_pack.c - `darknet prune pack` and `darknet prune unpack`: weights in less room, and back
 *
 * In: a cfg of any fork and its weights. Out: name.pweights (docs/pweights.md) with the same floats or, if that was asked for, with rounded ones; or the .weights file that was packed.
 */
#include "host.h"
#include "report.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum values { AS_THEY_ARE, HALF, CODEBOOK };

struct options {
    const char *words[2];           /* cfg, weights */
    const char *out, *data;
    enum values values;
    long bits, epochs, seed, threads;   /* 0: not given (seed: -1) */
};

/* ---------------------------------------------------------------------------------------------------------- options -- */

static int parse_values(const char *value, enum values *values)
{
    static const char *const names[] = { "f32", "f16", "codebook" };
    for (int i = 0; value && i < 3; i++)
        if (!strcmp(value, names[i])) return *values = (enum values)i, PRUNE_OK;
    return prune_fail(PRUNE_ERR_USAGE, "-values %s: must be f32, f16 or codebook", value ? value : "(nothing)");
}

/* One option, of two words. */
static int parse_option(struct options *options, const char *name, const char *value, const char *verb)
{
    if (!strcmp(name, "out")) return prune_option_text("-out", value, &options->out);
    if (!strcmp(verb, "unpack")) return prune_fail(PRUNE_ERR_USAGE, "unknown option -%s (see darknet prune help unpack)", name);
    if (!strcmp(name, "values")) return parse_values(value, &options->values);
    if (!strcmp(name, "bits")) return prune_option_whole("-bits", value, 1, 8, &options->bits);
    if (!strcmp(name, "data")) return prune_option_text("-data", value, &options->data);
    if (!strcmp(name, "finetune")) return prune_option_whole("-finetune", value, 1, 100000, &options->epochs);
    if (!strcmp(name, "seed")) return prune_option_whole("-seed", value, 0, 0x7fffffff, &options->seed);
    if (!strcmp(name, "threads")) return prune_option_whole("-threads", value, 1, 1024, &options->threads);
    return prune_fail(PRUNE_ERR_USAGE, "unknown option -%s (see darknet prune help pack)", name);
}

static int parse_words(struct options *options, int argc, char **argv)
{
    int n = 0, code;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1]) {
            if ((code = parse_option(options, argv[i] + 1, i + 1 < argc ? argv[i + 1] : NULL, argv[0]))) return code;
            i++;
        } else if (n == 2) {
            return prune_fail(PRUNE_ERR_USAGE, "one word too many: %s", argv[i]);
        } else {
            options->words[n++] = argv[i];
        }
    }
    if (n < 2) return prune_fail(PRUNE_ERR_USAGE, "%s needs <cfg> <%s>", argv[0], strcmp(argv[0], "unpack") ? "weights" : "file");
    if (options->bits && options->values != CODEBOOK) return prune_fail(PRUNE_ERR_USAGE, "-bits goes with -values codebook");
    if (options->epochs && options->values != CODEBOOK) return prune_fail(PRUNE_ERR_USAGE, "-finetune goes with -values codebook");
    if (options->epochs && !options->data) return prune_fail(PRUNE_ERR_USAGE, "-finetune needs -data <file>");
    if (options->data && !options->epochs) return prune_fail(PRUNE_ERR_USAGE, "-data goes with -finetune");
    if ((options->seed >= 0 || options->threads) && !options->epochs) return prune_fail(PRUNE_ERR_USAGE, "-%s goes with -finetune", options->threads ? "threads" : "seed");
    return PRUNE_OK;
}

/* ---------------------------------------------------------------------------------------------------------- rounding -- */

struct change {                     /* what rounding did to weights and biases */
    double largest, squares;
    uint64_t n;
};

static void measure(struct change *change, const float *before, const float *after, size_t n)
{
    if (!memcmp(before, after, n * sizeof *after)) n = 0;       /* an array that stays as it is may have NaN in it */
    for (size_t i = 0; i < n; i++) {
        double by = fabs((double)after[i] - (double)before[i]);
        if (by > change->largest) change->largest = by;
        change->squares += by * by;
    }
    change->n += n;
}

static int to_codebook(float *floats, size_t n, int most, const char *cfg_path, int layer, const char *kind)
{
    struct prune_codebook codebook;
    int code = prune_codebook_make(&codebook, floats, n, most);
    if (code == PRUNE_ERR_RANGE) return prune_fail(code, "%s: layer %d [%s] has weights that are no numbers: only -values f32 keeps those", cfg_path, layer, kind);
    if (code) return code;
    prune_codebook_apply(&codebook, floats);
    prune_codebook_free(&codebook);
    return PRUNE_OK;
}

/* A shortcut's or an implicit layer's weights are no matrix, but numbers of their own, as biases are. */
static int is_matrix(const struct prune_node *node, const struct prune_part *part)
{
    return part->role == PRUNE_PART_WEIGHTS && node->kind != PRUNE_SHORTCUT && node->kind != PRUNE_IMPLICIT;
}

/* Rounds one array. `change`, if not NULL, learns of it, and so does the user. */
static int round_part(const struct prune_model *model, const struct options *options, int layer, const struct prune_part *part, float *floats, struct change *change)
{
    const struct prune_node *node = &model->graph.nodes[layer];
    size_t n = (size_t)part->rows * part->columns;
    if (options->values == AS_THEY_ARE || (part->role != PRUNE_PART_WEIGHTS && part->role != PRUNE_PART_BIASES)) return PRUNE_OK;
    float *before = malloc(n * sizeof *before);
    if (!before) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    memcpy(before, floats, n * sizeof *before);
    int code = PRUNE_OK;
    if (options->values == CODEBOOK && is_matrix(node, part))
        code = to_codebook(floats, n, 1 << options->bits, model->cfg.path, layer, prune_kind_name(node->kind));
    else if (!prune_quantise_half(floats, n) && change)
        prune_note("layer %d [%s]: its %s stay f32, some are no numbers, or beyond what f16 holds", layer, prune_kind_name(node->kind), part->role == PRUNE_PART_BIASES ? "biases" : "weights");
    if (!code && change) measure(change, before, floats, n);
    free(before);
    return code;
}

static int round_all(struct prune_model *model, const struct options *options, struct change *change)
{
    float *at = model->weights.floats;
    int code = PRUNE_OK;
    for (int i = 0; !code && i < model->graph.n_nodes; i++) {
        struct prune_part parts[PRUNE_PARTS_MOST];
        int n = prune_weights_parts(&model->graph, &model->weights, i, parts);
        for (int p = 0; !code && p < n; p++) {
            code = round_part(model, options, i, &parts[p], at, change);
            at += (size_t)parts[p].rows * parts[p].columns;
        }
    }
    return code;
}

/* Values that were trained are codebooks already; biases are not halves any more. */
static int quantise(struct prune_model *model, const struct options *options, struct change *change)
{
    int code = round_all(model, options, change);
    if (code || !options->epochs) return code;
    struct prune_tuning tuning = { options->words[1], options->data, 1 << options->bits, (int)options->epochs, (uint64_t)options->seed, (int)options->threads };
    code = prune_finetune(model, &tuning);
    return code ? code : round_all(model, options, NULL);
}

/* ------------------------------------------------------------------------------------------------------------ files -- */

static int check_output(const struct options *options, const char *path)
{
    const char *const inputs[] = { options->words[0], options->words[1], options->data };
    return prune_output_check(path, inputs, 3);
}

static int open_graph(struct prune_model *model, const struct options *options)
{
    uint64_t bytes;
    int code = prune_cfg_read(&model->cfg, options->words[0]);
    if (!code) code = prune_weights_bytes(options->words[1], &bytes);
    return code ? code : prune_graph_build_any(&model->graph, &model->cfg, bytes);
}

static uint64_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) ? 0 : (uint64_t)info.st_size;
}

static int printed(const char *path)
{
    return fflush(stdout) ? prune_fail(PRUNE_ERR_IO, "%s is written, but standard output cannot be: %s", path, strerror(errno)) : PRUNE_OK;
}

static int said(const struct options *options, const char *path, uint64_t dense, const struct change *change)
{
    uint64_t bytes = size_of(path);
    char packed[27], whole_file[27];
    if (options->values != AS_THEY_ARE && change->n)
        printf("rounding changed weights and biases by %.3g at most, %.3g on average (root mean square)\n", change->largest, sqrt(change->squares / (double)change->n));
    printf("wrote %s: %s bytes, %.1f times smaller than %s of .weights\n", path, prune_report_thousands(bytes, packed), bytes ? (double)dense / (double)bytes : 0.0,
           prune_report_thousands(dense, whole_file));
    return printed(path);
}

int prune_pack_command(int argc, char **argv)
{
    struct options options = { .seed = -1 };
    struct prune_model model = { 0 };
    struct prune_output out = { 0 };
    struct change change = { 0 };
    char *path = NULL;
    int code = parse_words(&options, argc, argv);
    if (code) return code;
    if (!options.bits) options.bits = 5;
    if (options.seed < 0) options.seed = 1;
    path = prune_path_with(options.out ? options.out : options.words[1], ".pweights");
    code = path ? check_output(&options, path) : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    if (!code) code = open_graph(&model, &options);
    if (!code) code = prune_weights_read_raw(&model.weights, &model.graph, options.words[1]);
    if (!code) code = prune_output_open(&out, path);        /* before hours of fine-tuning, not after */
    if (!code) code = quantise(&model, &options, &change);
    if (!code) code = prune_pack_write(out.file, path, &model.graph, &model.weights, NULL);
    if (!code) code = prune_output_commit(&out);
    if (!code) code = said(&options, path, model.weights.header_bytes + 4 * (uint64_t)model.weights.n_floats, &change);
    prune_output_abandon(&out);
    prune_model_free(&model);
    free(path);
    return code;
}

/* ----------------------------------------------------------------------------------------------------------- unpack -- */

/* Every layer's kind and arrays are compared before anything is written. */
static int open_unpacking(struct prune_unpacking *unpacking, const struct prune_graph *graph, const char *path)
{
    struct prune_packed *packed = &unpacking->packed;
    int more, code = prune_unpack_open(unpacking, path);
    if (!code) code = prune_packed_for(packed, graph);
    while (!code && (more = prune_packed_next(packed)) != 0) code = more < 0 ? more : prune_packed_fits(packed, graph);
    return code ? code : prune_packed_rewind(packed);
}

static int copy_unpacked(FILE *out, struct prune_unpacking *unpacking)
{
    char buffer[1 << 16];
    long got;
    while ((got = prune_unpack_read(unpacking, buffer, sizeof buffer)) > 0)
        if (fwrite(buffer, 1, (size_t)got, out) != (size_t)got) break;  /* the commit says why */
    return got < 0 ? (int)got : PRUNE_OK;
}

int prune_unpack_command(int argc, char **argv)
{
    struct options options = { .seed = -1 };
    struct prune_model model = { 0 };
    struct prune_output out = { 0 };
    struct prune_unpacking unpacking = { 0 };
    char *path = NULL, bytes[27];
    int code = parse_words(&options, argc, argv);
    if (code) return code;
    path = prune_path_with(options.out ? options.out : options.words[1], options.out ? ".weights" : "_unpacked.weights");
    code = path ? check_output(&options, path) : prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    if (!code) code = open_graph(&model, &options);
    if (!code) code = open_unpacking(&unpacking, &model.graph, options.words[1]);
    if (!code) code = prune_output_open(&out, path);
    if (!code) code = copy_unpacked(out.file, &unpacking);
    if (!code) code = prune_output_commit(&out);
    if (!code) {
        printf("wrote %s: %s bytes\n", path, prune_report_thousands(size_of(path), bytes));
        code = printed(path);
    }
    prune_unpack_close(&unpacking);
    prune_output_abandon(&out);
    prune_model_free(&model);
    free(path);
    return code;
}
