/* host_bench.c - `darknet prune bench`: the time of each layer in Darknet and in the engine, and why the engine does what it does
 *
 * In: a cfg and weights. Out: a table or JSON on stdout; with -save, the plans beside the weights, so that Darknet need not time them when it loads these weights.
 */
#include "host.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct bench_options {
    const char *cfg, *weights;
    long repeat;
    int json, save;
};

struct bench_times {            /* milliseconds, the least of all repeats */
    double *layers;             /* n */
    double whole;               /* all layers of one image, one after the other */
};

/* As Darknet's forward_network, with a clock at each layer. */
static void forward_once(network *net, float *input, struct bench_times *times, int first)
{
    network copy = *net;
    double whole = 0;
    copy.input = input;
    copy.truth = copy.delta = NULL;
    copy.train = 0;
    for (int i = 0; i < copy.n; i++) {
        copy.index = i;
        layer l = copy.layers[i];
        double start = prune_seconds_now();
        if (l.delta) memset(l.delta, 0, (size_t)l.outputs * (size_t)l.batch * sizeof *l.delta);
        l.forward(l, copy);
        double ms = 1e3 * (prune_seconds_now() - start);
        copy.input = l.output;
        if (l.truth) copy.truth = l.output;
        if (first || ms < times->layers[i]) times->layers[i] = ms;
        whole += ms;
    }
    if (first || whole < times->whole) times->whole = whole;
}

static void measure(network *net, float *input, long repeat, struct bench_times *times)
{
    network_predict(net, input);        /* plans, and touches all memory */
    for (long i = 0; i < repeat; i++) forward_once(net, input, times, i == 0);
}

static void print_table(const network *net, const char **kinds, const struct bench_times *own, const struct bench_times *engine)
{
    printf("layer %-14s %10s %10s %7s  %s\n", "", "darknet ms", "engine ms", "ratio", "why");
    for (int i = 0; i < net->n; i++)
        printf("%5d %-14s %10.3f %10.3f %7.2f  %s\n", i, kinds[i], own->layers[i], engine->layers[i], own->layers[i] / engine->layers[i], prune_inference_reason(net, i));
    printf("%5s %-14s %10.3f %10.3f %7.2f  %d threads, %s\n", "", "all", own->whole, engine->whole, own->whole / engine->whole, prune_inference_threads(net),
           prune_inference_kernels(net));
}

static int print_json(const network *net, const char **kinds, const struct bench_times *own, const struct bench_times *engine)
{
    cJSON *root = cJSON_CreateObject(), *layers = cJSON_AddArrayToObject(root, "layers");
    cJSON_AddNumberToObject(root, "threads", prune_inference_threads(net));
    cJSON_AddStringToObject(root, "kernels", prune_inference_kernels(net));
    cJSON_AddNumberToObject(root, "darknet_ms", own->whole);
    cJSON_AddNumberToObject(root, "engine_ms", engine->whole);
    for (int i = 0; i < net->n; i++) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, "layer", i);
        cJSON_AddStringToObject(item, "kind", kinds[i]);
        cJSON_AddNumberToObject(item, "darknet_ms", own->layers[i]);
        cJSON_AddNumberToObject(item, "engine_ms", engine->layers[i]);
        cJSON_AddStringToObject(item, "why", prune_inference_reason(net, i));
        cJSON_AddItemToArray(layers, item);
    }
    char *text = cJSON_Print(root);
    cJSON_Delete(root);
    if (!text) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    puts(text);
    free(text);
    return PRUNE_OK;
}

static int save_plans(const network *net, const char *weights)
{
    struct prune_output out;
    char path[4096];
    snprintf(path, sizeof path, "%s.plan", weights);
    int code = prune_output_open(&out, path);
    if (code) return code;
    code = prune_inference_save(net, out.file);
    if (!code) return prune_output_commit(&out);
    prune_output_abandon(&out);
    return code;
}

/* The layers' names in the cfg; and the files are looked at, as Darknet's own reader would stop the program in its own words, or read on. */
static int list_kinds(const struct bench_options *options, const char ***kinds)
{
    struct prune_model model;
    int code = prune_model_open(&model, options->cfg, options->weights);
    if (code) return code;
    *kinds = malloc(((size_t)model.graph.n_nodes + 1) * sizeof **kinds);
    if (!*kinds) code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    for (int i = 0; !code && i < model.graph.n_nodes; i++) (*kinds)[i] = prune_kind_name(model.graph.nodes[i].kind);
    prune_model_free(&model);
    return code;
}

static int bench(const struct bench_options *options)
{
    const char **kinds;
    int code = list_kinds(options, &kinds);
    if (code) return code;
    setenv("DARKNET_SPARSE", "0", 1);
    network *net = load_network((char *)options->cfg, (char *)options->weights, 0);
    set_batch_network(net, 1);
    size_t n = (size_t)net->n, inputs = (size_t)net->inputs;
    float *input = malloc(inputs * sizeof *input);
    struct bench_times own = { .layers = calloc(n, sizeof(double)) }, engine = { .layers = calloc(n, sizeof(double)) };
    if (!input || !own.layers || !engine.layers) code = prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    else {
        for (size_t i = 0; i < inputs; i++) input[i] = (float)(i * 2654435761u % 1024) / 1024;
        measure(net, input, options->repeat, &own);
        setenv("DARKNET_SPARSE", "1", 1);
        prune_inference_loaded(net, options->weights);
        measure(net, input, options->repeat, &engine);
        if (!prune_inference_kernels(net))
            code = prune_fail(PRUNE_ERR_UNSUPPORTED, "this machine has none of the engine's instruction sets (AVX-512, AVX2 with FMA, NEON), or DARKNET_CPU switches them off");
        else if (options->json) code = print_json(net, kinds, &own, &engine);
        else print_table(net, kinds, &own, &engine);
        if (!code && fflush(stdout)) code = prune_fail(PRUNE_ERR_IO, "cannot write the times: %s", strerror(errno));
        if (!code && options->save) code = save_plans(net, options->weights);
    }
    free(kinds);
    free(input);
    free(own.layers);
    free(engine.layers);
    free_network(net);
    return code;
}

int prune_bench_command(int argc, char **argv)
{
    struct bench_options options = { .repeat = 10 };
    long threads = 0;
    int code = PRUNE_OK;
    for (int i = 1; i < argc && !code; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(argv[i], "-json")) options.json = 1;
        else if (!strcmp(argv[i], "-save")) options.save = 1;
        else if (!strcmp(argv[i], "-repeat")) code = prune_option_whole(argv[i++], value, 1, 1000000, &options.repeat);
        else if (!strcmp(argv[i], "-threads")) {
            code = prune_option_whole(argv[i++], value, 1, 1024, &threads);
            if (!code) setenv("DARKNET_THREADS", value, 1);
        } else if (argv[i][0] == '-') code = prune_fail(PRUNE_ERR_USAGE, "unknown option %s (see darknet prune help bench)", argv[i]);
        else if (!options.cfg) options.cfg = argv[i];
        else if (!options.weights) options.weights = argv[i];
        else code = prune_fail(PRUNE_ERR_USAGE, "one word too many: %s", argv[i]);
    }
    if (!code && !options.weights) code = prune_fail(PRUNE_ERR_USAGE, "bench needs <cfg> <weights>");
    return code ? code : bench(&options);
}
