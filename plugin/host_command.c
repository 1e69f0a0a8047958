/* host_command.c - `darknet prune <verb>`: dispatch, help, and the verbs that need no network in memory */
#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int report_command(int argc, char **argv);
static int help_command(int argc, char **argv);

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *words, *summary, *details;
} verbs[] = {
    { "train", prune_train_command, "<data> <cfg> [<weights>]", "train with pruning; repeatable and resumable",
      "The pruning keys come from [net] of the cfg (prune_sparsity=.95, ...) or from options (-sparsity .95); options win.\n"
      "Writes name_last, name_best (best validation accuracy at the final sparsity) and name_final.weights, each with a\n"
      "name.prune, and name_log.csv and name_chart.svg/.png. The same command after a stop goes on to the same bits.\n"
      "\n"
      "  -seed n        order of images, first weights, dropout [DARKNET_SEED or 1]\n"
      "  -threads n     BLAS threads; the same number gives the same bits [all]\n"
      "  -iterations n  in place of max_batches\n"
      "  -backup dir    where to write [backup= of the data file, or backup]\n"
      "  -checkpoint n  save name_last every n iterations too [every epoch]\n"
      "  -clear         with <weights>: count iterations from 0\n"
      "  -restart       ignore the checkpoint of an earlier run\n"
      "and the pruning keys without prune_ (see darknet prune help keys)\n"
      "\n"
      "example: darknet prune train mnist.data lenet.cfg dense.weights -clear -sparsity .95\n" },
    { "eval", prune_eval_command, "<data> <cfg> <weights>", "accuracy, loss and time per image on the validation set",
      "  -json       one line: {\"images\":n,\"top1\":percent,\"loss\":mean -ln p,\"ms_per_image\":batch 1}\n"
      "  -threads n  BLAS threads [all]\n"
      "\n"
      "example: darknet prune eval mnist.data lenet.cfg lenet_final.weights -json\n" },
    { "compact", prune_compact_command, "<cfg> <weights>", "what can go without any output changing goes, for any Darknet",
      "Looks for channels that are always the same (rows of zeros, what follows from them) or that nothing reads (columns of zeros), takes what\n"
      "they add into later biases, and removes them. Weights pruned in training, by weight, kernel, block, filter or channel, become smaller so.\n"
      "Writes name_compact.cfg and name_compact.weights beside <weights>.\n"
      "\n"
      "  -out name  writes name.cfg and name.weights\n"
      "  -version1  header with a 32-bit count of images, for 32-bit builds of Darknet\n"
      "\n"
      "example: darknet prune compact lenet.cfg lenet_final.weights\n" },
    { "pack", prune_pack_command, "<cfg> <weights>", "the same weights in a much smaller file, which loads as they do",
      "Writes name.pweights beside <weights> (format: docs/pweights.md): zeros as positions, values as they are, bit for bit. Reads cfgs of all forks.\n"
      "\n"
      "  -values f16       weights and biases rounded to 16 bits, where they fit; batch-norm stays f32\n"
      "  -values codebook  each matrix's weights rounded to few values that they share, by k-means; biases to f16\n"
      "  -bits n           with codebook: 2^n values a matrix, n from 1 to 8 [5]\n"
      "  -finetune epochs  with codebook: the values are trained on, zeros stay zeros; a tenth of the cfg's\n"
      "                    learning_rate, falling linearly to 0. Classifiers only\n"
      "  -data file        for -finetune, a data file as for train\n"
      "  -seed n           for -finetune: order of images, dropout [1]\n"
      "  -threads n        for -finetune: BLAS threads; the same number gives the same bits [all]\n"
      "  -out name         writes name.pweights\n"
      "\n"
      "example: darknet prune pack lenet.cfg lenet_final.weights -values codebook -data mnist.data -finetune 5\n" },
    { "unpack", prune_unpack_command, "<cfg> <file>", "the weights that were packed, for any Darknet",
      "Writes name_unpacked.weights beside <file>. After -values f32 it is what was packed, bit for bit.\n"
      "\n"
      "  -out name  writes name.weights\n"
      "\n"
      "example: darknet prune unpack lenet.cfg lenet_final.pweights\n" },
    { "scan", prune_scan_command, "<data> <cfg> <weights>", "accuracy with one layer pruned at a time, and a limit for each",
      "  -granularity g  weight, kernel, block4: layers; filter, channel: families of coupled channels [weight]\n"
      "  -criterion c    what goes first (see darknet prune help keys)\n"
      "  -drop points    what a layer alone may cost, in percentage points of accuracy [0.5]\n"
      "  -images n       of the validation set, the first n [all]\n"
      "  -json           the table as JSON\n"
      "  -svg file       and a chart\n"
      "\n"
      "example: darknet prune scan mnist.data lenet.cfg lenet_final.weights -granularity filter\n" },
    { "bench", prune_bench_command, "<cfg> <weights>", "time per layer, in Darknet and in the engine for sparse inference",
      "The table says which kernel computes each layer, and why.\n"
      "\n"
      "  -threads n  of the engine [DARKNET_THREADS, OMP_NUM_THREADS, or all cores]\n"
      "  -repeat n   the least time of n images [10]\n"
      "  -json       the table as JSON\n"
      "  -save       writes <weights>.plan: Darknet need not time its kernels when it loads these weights\n"
      "\n"
      "example: darknet prune bench yolov3.cfg yolov3_pruned.weights\n" },
    { "report", report_command, "<cfg> [<weights>]", "weights, zeros, MACs, energy and bytes, packed and not, per layer",
      "Reads cfgs of all forks.\n"
      "  -groups    which channels are coupled, and why some cannot be pruned; needs no <weights>\n"
      "  -json      the same as JSON\n"
      "  -svg file  and a chart of the layers\n"
      "\n"
      "example: darknet prune report lenet.cfg lenet_final.weights\n" },
    { "help", help_command, "[<verb> | once | keys]", "this, or more about a verb, pruning without one, or the pruning keys", "" },
};
enum { N_VERBS = sizeof verbs / sizeof *verbs };

static void print_usage(FILE *out)
{
    fputs("usage: darknet prune <cfg> <weights> [options]   prune trained weights without training (darknet prune help once)\n"
          "       darknet prune <verb> ...\n\n", out);
    for (int i = 0; i < N_VERBS; i++) fprintf(out, "  %-7s %-25s %s\n", verbs[i].name, verbs[i].words, verbs[i].summary);
    fputs("\nDarknet's own trainers (classifier, detector, cifar) prune too, given a cfg with prune_ keys: darknet prune help keys\n", out);
}

static const struct verb *find_verb(const char *name)
{
    for (int i = 0; i < N_VERBS; i++)
        if (!strcmp(verbs[i].name, name)) return &verbs[i];
    return NULL;
}

static void print_keys(void)
{
    puts("keys of [net], with prune_ before them; as options of train with a dash:\n");
    prune_settings_help(stdout);
    puts("\nkeys of a layer:\n\n"
         "  prune=0         the layer is not pruned\n"
         "  prune_sparsity  the layer's own final sparsity; it then takes no part in the shared budget\n\n"
         "example:\n\n  [net]\n  prune_sparsity=.95\n  prune_steps=20\n  prune_recover=.1");
}

static void print_once(void)
{
    puts("darknet prune <cfg> <weights> [options]\n\n"
         "Prunes trained weights without training. Reads cfgs of all forks. Writes name_pruned.cfg and name_pruned.weights beside <weights>.\n"
         "With -granularity filter or channel the network becomes smaller and loads in every Darknet and in OpenCV; with weight, kernel\n"
         "or block4 it keeps its shape and has zeros in it.\n\n"
         "  -granularity g  weight, kernel, block4, filter or channel [weight]\n"
         "  -sparsity s     share that goes, of weights or of channels\n"
         "  -macs m         filter, channel: share of the multiply-accumulates that stays; -weights w the same of weights\n"
         "  -criterion c    what goes first; apoz, entropy and taylor look at images of -data\n"
         "  -scope s        how the layers share it\n"
         "  -round n        layers keep multiples of n channels, where they have them [8]\n"
         "  -limit auto     as much as the accuracy on -data's validation set allows\n"
         "  -drop points    with -limit auto: percentage points of accuracy that may be lost [0.5]\n"
         "  -data file      a data file, as for train\n"
         "  -images n       how many of its images are looked at [1000]\n"
         "  -seed n         for criterion random [1]\n"
         "  -out name       writes name.cfg and name.weights\n"
         "  -masked file    and the weights in their old shape, with zeros where channels went\n"
         "  -version1       header with a 32-bit count of images, for 32-bit builds of Darknet\n"
         "and the other pruning keys without prune_ (see darknet prune help keys)\n\n"
         "example: darknet prune yolov3.cfg yolov3.weights -granularity filter -sparsity .5");
}

static int help_command(int argc, char **argv)
{
    if (argc > 2) return prune_fail(PRUNE_ERR_USAGE, "one word too many: %s", argv[2]);
    if (argc < 2) {
        print_usage(stdout);
        return PRUNE_OK;
    }
    if (!strcmp(argv[1], "keys")) {
        print_keys();
        return PRUNE_OK;
    }
    if (!strcmp(argv[1], "once")) {
        print_once();
        return PRUNE_OK;
    }
    const struct verb *verb = find_verb(argv[1]);
    if (!verb) return prune_fail(PRUNE_ERR_USAGE, "no verb %s (see darknet prune help)", argv[1]);
    printf("darknet prune %s %s\n\n%s.\n\n%s", verb->name, verb->words, verb->summary, verb->details);
    return PRUNE_OK;
}

static int write_svg(const char *path, const struct prune_graph *graph, const struct prune_weights *weights)
{
    struct prune_output out;
    int code = prune_output_open(&out, path);
    if (code) return code;
    code = prune_report_svg(out.file, graph, weights);
    if (!code) return prune_output_commit(&out);
    prune_output_abandon(&out);
    return code;
}

static int report_command(int argc, char **argv)
{
    const char *words[2] = { NULL, NULL }, *svg = NULL;
    int n_words = 0, json = 0, groups = 0;
    struct prune_model model;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "-json")) json = 1;
        else if (!strcmp(argv[i], "-groups")) groups = 1;
        else if (!strcmp(argv[i], "-svg")) {
            if (++i == argc) return prune_fail(PRUNE_ERR_USAGE, "-svg needs a file");
            svg = argv[i];
        } else if (argv[i][0] == '-') return prune_fail(PRUNE_ERR_USAGE, "unknown option %s (see darknet prune help report)", argv[i]);
        else if (n_words == 2) return prune_fail(PRUNE_ERR_USAGE, "one word too many: %s", argv[i]);
        else words[n_words++] = argv[i];
    }
    if (n_words < 2 && !(groups && n_words == 1)) return prune_fail(PRUNE_ERR_USAGE, "report needs <cfg> <weights>, or <cfg> -groups");
    if (groups && (json || svg)) return prune_fail(PRUNE_ERR_USAGE, "-groups is a table: it does not go with -json or -svg");
    int code = prune_model_open(&model, words[0], words[1]);
    if (code) return code;
    if (groups) code = prune_channels_print(stdout, &model.channels);
    else if (json) code = prune_report_json(stdout, &model.graph, &model.weights);
    else if (!(code = prune_report_text(stdout, &model.graph, &model.weights))) code = prune_report_packed_text(stdout, &model.graph, &model.weights);
    if (!code && fflush(stdout)) code = prune_fail(PRUNE_ERR_IO, "cannot write the report: %s", strerror(errno));
    if (!code && svg && words[1]) code = write_svg(svg, &model.graph, &model.weights);
    prune_model_free(&model);
    return code;
}

/* `darknet prune <cfg> <weights>` has no verb: what ends in .cfg, or is a file, is none. */
static int is_file(const char *word)
{
    size_t length = strlen(word);
    return access(word, F_OK) == 0 || (length > 4 && !strcmp(word + length - 4, ".cfg"));
}

int run_prune(int argc, char **argv)
{
    while (argc > 0 && !argv[argc - 1]) argc--;         /* Darknet's find_arg takes -nogpu and -i out of argv, not out of argc */
    if (argc < 3) {
        print_usage(stderr);
        return 2;
    }
    const struct verb *verb = find_verb(argv[2]);
    int code = verb ? verb->run(argc - 2, argv + 2) : is_file(argv[2]) ? prune_once_command(argc - 2, argv + 2) : prune_fail(PRUNE_ERR_USAGE, "no verb %s (see darknet prune help)", argv[2]);
    if (code == PRUNE_ERR_USAGE) return 2;
    return code ? 1 : 0;
}
