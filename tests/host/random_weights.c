/* random_weights.c - saves weights for a cfg that are random and yet make sane outputs
 *
 * random_weights <cfg> <weights> <seed>: weights of either sign, batch-norm with variances from .5 to 1.5, means and biases that are not 0, and every layer scaled so that
 * its outputs on a random image have a root mean square of 1: nothing explodes or vanishes however deep the network is. Link with
 * -Wl,--wrap=rand_normal: Darknet's own first weights are not wanted, and drawing them takes most of the time.
 */
#include "darknet.h"

#include <math.h>

float __wrap_rand_normal(void)
{
    return 0;
}

static unsigned state;

static float uniform(float low, float high)
{
    state = state * 1664525U + 1013904223U;
    return low + (high - low) * (float)(state >> 8) / (float)(1 << 24);
}

static void fill(float *values, size_t n, float low, float high)
{
    for (size_t i = 0; i < n; i++) values[i] = uniform(low, high);
}

static void shrink(float *values, size_t n, float by)
{
    for (size_t i = 0; i < n; i++) values[i] /= by;
}

static float root_mean_square(const float *values, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)values[i] * (double)values[i];
    return (float)sqrt(sum / (double)n);
}

/* How many weights, and how many biases and the like, a layer has; 0 if it has none, or none in one piece. */
static size_t count_weights(const layer *l, size_t *channels)
{
    switch (l->type) {
    case CONVOLUTIONAL:
        *channels = (size_t)l->n;
        return (size_t)(l->c / l->groups) * (size_t)l->n * (size_t)l->size * (size_t)l->size;
    case CONNECTED:
        *channels = (size_t)l->outputs;
        return (size_t)l->inputs * (size_t)l->outputs;
    case LOCAL:
        *channels = (size_t)l->outputs;
        return (size_t)l->size * (size_t)l->size * (size_t)l->c * (size_t)l->n * (size_t)l->out_w * (size_t)l->out_h;
    default:
        return 0;
    }
}

static void randomize(layer *l, network net)
{
    size_t channels = 0, n = count_weights(l, &channels);
    if (n) {
        float range = sqrtf(3.0F * (float)(l->type == LOCAL ? l->outputs : (int)channels) / (float)n);   /* variance 1 / fan-in */
        if (l->type == LOCAL) range = sqrtf(3.0F / (float)(l->size * l->size * l->c));
        fill(l->weights, n, -range, range);
        fill(l->biases, channels, -.3F, .3F);
        if (l->batch_normalize) {
            fill(l->scales, channels, .5F, 1.5F);
            fill(l->rolling_mean, channels, -.3F, .3F);
            fill(l->rolling_variance, channels, .5F, 1.5F);
        }
    }
    l->forward(*l, net);
    int proportional = l->activation == LINEAR || l->activation == LEAKY || l->activation == RELU;
    if (!n || !proportional) return;
    float size = root_mean_square(l->output, (size_t)l->outputs);
    if (!(size > 0)) return;
    shrink(l->biases, channels, size);
    if (l->batch_normalize) shrink(l->scales, channels, size);
    else shrink(l->weights, n, size);
    l->forward(*l, net);
}

int main(int argc, char **argv)
{
    if (argc < 4) return 2;
    state = (unsigned)atoi(argv[3]);
    network *net = parse_network_cfg(argv[1]);
    set_batch_network(net, 1);
    float *image = calloc((size_t)net->inputs, sizeof *image);
    if (!image) return 1;
    fill(image, (size_t)net->inputs, 0, 1);
    network at = *net;
    at.input = image;
    at.truth = NULL;
    at.train = 0;
    for (int i = 0; i < at.n; i++) {
        at.index = i;
        randomize(&at.layers[i], at);
        at.input = at.layers[i].output;
    }
    *net->seen = 12345;
    save_weights(net, argv[2]);
    free(image);
    return 0;
}
