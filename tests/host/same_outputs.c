/* same_outputs.c - compares the outputs of two networks on the same random image; compiles against a patched and an unpatched Darknet
 *
 * same_outputs <cfg> <weights> <other cfg> <other weights>: of every layer that no layer reads, the largest difference relative to the largest output, at
 * most 1e-5 or the status is 1. The second weight file must have exactly the bytes that its layers, as Darknet has set them up, ask for. Link with
 * -Wl,--wrap=rand_normal: the first weights are read over, and drawing them takes most of the time.
 */
#include "darknet.h"

#include <math.h>
#include <sys/stat.h>

float __wrap_rand_normal(void)
{
    return 0;
}

static unsigned long long count_parameters(const network *net)
{
    unsigned long long sum = 0;
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        unsigned long long n = (unsigned long long)l->n, area = (unsigned long long)l->size * (unsigned long long)l->size, c = (unsigned long long)l->c;
        unsigned long long outputs = (unsigned long long)l->outputs;
        if (l->type == CONVOLUTIONAL) sum += n * area * (c / (unsigned long long)l->groups) + (l->batch_normalize ? 4 : 1) * n;
        if (l->type == CONNECTED) sum += (unsigned long long)l->inputs * outputs + (l->batch_normalize ? 4 : 1) * outputs;
        if (l->type == LOCAL) sum += outputs * area * c + outputs;
        if (l->type == BATCHNORM) sum += 3 * c;
    }
    return sum;
}

static int has_exact_length(const network *net, const char *path)
{
    int version[3] = { 0 };
    struct stat info;
    FILE *file = fopen(path, "rb");
    if (!file || fread(version, sizeof *version, 3, file) != 3 || fstat(fileno(file), &info)) return 0;
    fclose(file);
    unsigned long long wanted = (version[0] * 10 + version[1] >= 2 ? 20 : 16) + 4 * count_parameters(net);
    printf("%s: %llu bytes, %llu wanted\n", path, (unsigned long long)info.st_size, wanted);
    return (unsigned long long)info.st_size == wanted;
}

/* Heads: what a detector reads at the end, and the last layer that is no cost. */
static int is_head(const network *net, int i)
{
    int last = net->n - 1;
    while (last > 0 && net->layers[last].type == COST) last--;
    LAYER_TYPE type = net->layers[i].type;
    return i == last || type == YOLO || type == REGION || type == DETECTION;
}

static int same_layer(int i, const layer *a, const layer *b)
{
    double worst = 0, largest = 0, least = INFINITY;
    if (a->outputs != b->outputs) return 0;
    for (int j = 0; j < a->outputs; j++) {
        double size = fabs((double)a->output[j]), difference = fabs((double)a->output[j] - (double)b->output[j]);
        if (!(difference <= worst)) worst = difference;     /* NaN too */
        if (size > largest) largest = size;
        if (size < least) least = size;
    }
    printf("layer %d: %d outputs of %g to %g, worst difference %g\n", i, a->outputs, least, largest, worst);
    return largest > 0 && (largest > least || a->outputs == 1) && largest < 1e6 && worst <= 1e-5 * largest;
}

int main(int argc, char **argv)
{
    if (argc < 5) return 2;
    network *first = load_network(argv[1], argv[2], 0), *second = load_network(argv[3], argv[4], 0);
    set_batch_network(first, 1);
    set_batch_network(second, 1);
    float *image = calloc((size_t)first->inputs, sizeof *image);
    unsigned state = 1;
    int good = image && first->n == second->n && first->inputs == second->inputs && has_exact_length(second, argv[4]);
    for (int i = 0; good && i < first->inputs; i++) {
        state = state * 1664525U + 1013904223U;
        image[i] = (float)(state >> 8) / (float)(1 << 24);
    }
    if (good) network_predict(first, image);
    if (good) network_predict(second, image);
    for (int i = 0; good && i < first->n; i++)
        if (is_head(first, i)) good = same_layer(i, &first->layers[i], &second->layers[i]);
    free(image);
    return !good;
}
