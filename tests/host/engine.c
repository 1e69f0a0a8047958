/* engine.c - the engine in Darknet's forward pass against Darknet's own: outputs of all layers, detections, training and saving afterwards, two networks at once
 *
 * engine outputs <cfg> <weights> <temporary> [few]   a line for each sparsity: "<what> <largest difference of a layer by its largest output> <layer>"; few: dense and 90 % alone
 * engine boxes <cfg> <weights> <image> <temporary>   the same of the detections' boxes and probabilities at 90 % zeros, before any threshold
 * engine bits <cfg> <weights>                        the outputs' bits, and how many layers the engine computes
 * engine train <cfg> <weights> <saved> [predict]     predicts first, with `predict`; trains two batches; saves
 * engine save <cfg> <weights> <saved>                predicts, saves
 * engine resize <cfg> <weights> <width>              predicts, resizes, predicts; the same by a network that was that wide at first: the largest difference
 * engine batch <cfg> <weights> <images>              several images at once, loaded twice, switched off by the third load: the largest difference
 * engine both <cfg> <weights>                        two networks in two threads at once, and one after the other: whether all bits are equal
 */
#include "host.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

float __wrap_rand_normal(void) { return 0; }    /* Darknet's first weights are not wanted, and drawing them takes most of the time */

static network *load_batch(const char *cfg, const char *weights, const char *sparse, int batch)
{
    setenv("DARKNET_SPARSE", sparse, 1);
    network *net = parse_network_cfg((char *)cfg);
    load_weights(net, (char *)weights);
    set_batch_network(net, batch);
    return net;
}

static network *load(const char *cfg, const char *weights, const char *sparse) { return load_batch(cfg, weights, sparse, 1); }

static float *random_input(const network *net)
{
    size_t n = (size_t)net->inputs * (size_t)net->batch;
    float *input = malloc(n * sizeof *input);
    unsigned state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525U + 1013904223U;
        input[i] = (float)(state >> 8) / (float)(1 << 24);
    }
    return input;
}

/* Further weights become 0, until about that share is. With `in_fours`, four filters at a time. */
static void make_sparse(network *net, double sparsity, int in_fours)
{
    unsigned state = 7;
    for (int i = 0; i < net->n; i++) {
        layer *l = &net->layers[i];
        if (l->type != CONVOLUTIONAL && l->type != CONNECTED) continue;
        size_t rows = (size_t)(l->type == CONVOLUTIONAL ? l->n : l->outputs), each = (l->type == CONVOLUTIONAL ? (size_t)l->nweights : (size_t)l->outputs * (size_t)l->inputs) / rows;
        for (size_t r = 0; r < rows; r++)
            for (size_t j = 0; j < each; j++) {
                state = state * 1664525U + 1013904223U;
                float *w = &l->weights[r * each + j];
                if (in_fours && r % 4 ? w[-(ptrdiff_t)each] == 0 : (state >> 8) < sparsity * (1 << 24)) *w = 0;
            }
    }
}

/* Of each layer: the largest difference by its largest output. */
static double compare(const network *own, const network *engine, int *layer_index)
{
    double worst = 0;
    for (int i = 0; i < own->n; i++) {
        const layer *a = &own->layers[i], *b = &engine->layers[i];
        double most = 1e-30, difference = 0;
        if (a->type == COST || !a->output) continue;
        for (int j = 0; j < a->outputs * a->batch; j++) {
            if (isfinite(a->output[j])) most = fmax(most, fabs((double)a->output[j]));
            if (isnan(a->output[j]) && isnan(b->output[j])) continue;       /* a region layer with a tree, which is Darknet's own, has some for random weights */
            double d = a->output[j] == b->output[j] ? 0 : fabs((double)a->output[j] - (double)b->output[j]);
            if (!(d <= difference)) difference = isnan(d) ? INFINITY : d;
        }
        if (difference / most <= worst) continue;
        worst = difference / most;
        *layer_index = i;
    }
    return worst;
}

static int outputs(const char *cfg, const char *weights, const char *temporary, int few)
{
    static const struct { double sparsity; int in_fours; const char *name; } cases[] = { { 0, 0, "dense" }, { .5, 0, "50%" }, { .9, 0, "90%" }, { .9, 1, "90%-in-fours" }, { .99, 0, "99%" } };
    for (int c = 0; c < 5; c++) {
        if (few && c != 0 && c != 2) continue;
        network *own = load(cfg, weights, "0");
        make_sparse(own, cases[c].sparsity, cases[c].in_fours);
        save_weights(own, (char *)temporary);
        network *engine = load(cfg, temporary, "1");
        float *input = random_input(own);
        int layer_index = -1;
        network_predict(own, input);
        network_predict(engine, input);
        double worst = compare(own, engine, &layer_index);
        printf("%s %.3g %d\n", prune_inference_kernels(engine) ? cases[c].name : "not-attached", worst, layer_index);
        free_network(own);
        free_network(engine);
        free(input);
    }
    return 0;
}

static int boxes(const char *cfg, const char *weights, const char *image_path, const char *temporary)
{
    network *nets[2];
    detection *found[2];
    int n[2];
    nets[0] = load(cfg, weights, "0");
    make_sparse(nets[0], .9, 0);
    save_weights(nets[0], (char *)temporary);
    nets[1] = load(cfg, temporary, "1");
    image im = load_image_color((char *)image_path, 0, 0), sized = letterbox_image(im, nets[0]->w, nets[0]->h);
    for (int i = 0; i < 2; i++) {
        network_predict(nets[i], sized.data);
        found[i] = get_network_boxes(nets[i], im.w, im.h, 0, 0, NULL, 0, &n[i]);
    }
    double worst = n[0] == n[1] && n[0] > 0 ? 0 : INFINITY;
    for (int i = 0; i < n[0] && worst < INFINITY; i++) {
        detection *a = &found[0][i], *b = &found[1][i];
        if (!isfinite(b->bbox.x + b->bbox.y + b->bbox.w + b->bbox.h)) worst = INFINITY;
        double size = fmax(fmax(a->bbox.w, a->bbox.h), 1e-30);
        worst = fmax(worst, fmax(fmax(fabs(a->bbox.x - b->bbox.x), fabs(a->bbox.y - b->bbox.y)), fmax(fabs(a->bbox.w - b->bbox.w), fabs(a->bbox.h - b->bbox.h))) / size);
        for (int k = 0; k < a->classes; k++) worst = isnan(b->prob[k]) ? INFINITY : fmax(worst, fabs(a->prob[k] - b->prob[k]));
    }
    printf("%d %.3g\n", n[0], worst);
    return 0;
}

static int bits(const char *cfg, const char *weights)
{
    network *net = parse_network_cfg((char *)cfg);
    load_weights(net, (char *)weights);
    set_batch_network(net, 1);
    float *input = random_input(net), *output = network_predict(net, input);
    int computed = 0;
    for (int i = 0; i < net->n; i++) computed += strcmp(prune_inference_reason(net, i), "Darknet's own") != 0;
    for (int i = 0; i < net->outputs; i++) {
        unsigned number;
        memcpy(&number, &output[i], sizeof number);
        printf("%08x\n", number);
    }
    fprintf(stderr, "\ncomputed %d\n", computed);
    free_network(net);
    free(input);
    return 0;
}

/* The cfg's own batch, twice: all layers, and again after the weights were loaded a second time. */
static int batch(const char *cfg, const char *weights, int images)
{
    network *own = load_batch(cfg, weights, "0", images), *engine = load_batch(cfg, weights, "1", images);
    float *input = random_input(own);
    int layer_index = -1;
    double worst = 0;
    network_predict(own, input);
    for (int i = 0; i < 2; i++) {
        network_predict(engine, input);
        worst = fmax(worst, compare(own, engine, &layer_index));
        if (i == 0) load_weights(engine, (char *)weights);
    }
    setenv("DARKNET_SPARSE", "0", 1);
    const char *name = prune_inference_kernels(engine) ? "batch" : "not-attached";
    load_weights(engine, (char *)weights);
    network_predict(engine, input);
    printf("%s %.3g %d\n", prune_inference_kernels(engine) ? "not-switched-off" : name, worst, layer_index);
    return 0;
}

static int train_or_save(const char *cfg, const char *weights, const char *saved, int predict, int batches)
{
    network *net = parse_network_cfg((char *)cfg);
    load_weights(net, (char *)weights);
    float *input = random_input(net), *truth = calloc((size_t)net->truths, sizeof *truth);
    if (predict) {
        int batch = net->batch;
        set_batch_network(net, 1);
        network_predict(net, input);
        if (!prune_inference_kernels(net)) return 1;
        if (batches) save_weights(net, (char *)saved);      /* between: everything comes back for a batch of 1, and must have room for more */
        network_predict(net, input);
        set_batch_network(net, batch);
    }
    truth[1] = 1;
    for (int b = 0; b < batches; b++) {
        for (int i = 0; i < net->batch; i++) {
            memcpy(net->input + (size_t)i * (size_t)net->inputs, input, (size_t)net->inputs * sizeof *input);
            memcpy(net->truth + (size_t)i * (size_t)net->truths, truth, (size_t)net->truths * sizeof *truth);
        }
        train_network_datum(net);
        update_network(net);
    }
    save_weights(net, (char *)saved);
    return 0;
}

static int resize(const char *cfg, const char *weights, int width)
{
    network *first = load(cfg, weights, "1"), *second = load(cfg, weights, "0");
    float *input = random_input(first);
    network_predict(first, input);
    free(input);
    resize_network(first, width, width);
    resize_network(second, width, width);
    input = random_input(first);
    network_predict(first, input);
    network_predict(second, input);
    int layer_index = -1;
    double worst = compare(second, first, &layer_index);
    printf("%s %.3g %d\n", prune_inference_kernels(first) ? "resized" : "not-attached", worst, layer_index);
    return 0;
}

struct run {
    network *net;
    float *input, *output;
};

static void *predict_often(void *context)
{
    struct run *run = context;
    for (int i = 0; i < 20; i++) memcpy(run->output, network_predict(run->net, run->input), (size_t)run->net->outputs * sizeof *run->output);
    return NULL;
}

static int both(const char *cfg, const char *weights)
{
    struct run runs[3];
    pthread_t threads[2];
    for (int i = 0; i < 3; i++) {
        runs[i].net = load(cfg, weights, "1");
        runs[i].input = random_input(runs[i].net);
        runs[i].output = malloc((size_t)runs[i].net->outputs * sizeof *runs[i].output);
    }
    predict_often(&runs[2]);
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, predict_often, &runs[i]);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++)
        if (memcmp(runs[i].output, runs[2].output, (size_t)runs[2].net->outputs * sizeof *runs[2].output) || !prune_inference_kernels(runs[i].net)) return 1;
    for (int i = 0; i < 3; i++) free_network(runs[i].net);
    return 0;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 3 ? argv[1] : "";
    if (!strcmp(verb, "outputs") && argc > 4) return outputs(argv[2], argv[3], argv[4], argc > 5);
    if (!strcmp(verb, "boxes") && argc == 6) return boxes(argv[2], argv[3], argv[4], argv[5]);
    if (!strcmp(verb, "bits")) return bits(argv[2], argv[3]);
    if (!strcmp(verb, "train") && argc > 4) return train_or_save(argv[2], argv[3], argv[4], argc > 5, 2);
    if (!strcmp(verb, "save") && argc > 4) return train_or_save(argv[2], argv[3], argv[4], 1, 0);
    if (!strcmp(verb, "resize") && argc > 4) return resize(argv[2], argv[3], atoi(argv[4]));
    if (!strcmp(verb, "batch") && argc > 4) return batch(argv[2], argv[3], atoi(argv[4]));
    if (!strcmp(verb, "both")) return both(argv[2], argv[3]);
    return 2;
}
