/* sparse-alexeyab.c - one network in AlexeyAB's Darknet, timed in turns with others (turns.h)
 *
 * sparse-alexeyab <cfg> <weights>: batch 1, batch-norm folded, as its own detector does; OMP_NUM_THREADS says the threads
 */
#include "darknet.h"
#include "turns.h"

struct subject {
    network *net;
    float *image;
};

static void predict(void *context)
{
    struct subject *subject = context;
    network_predict_ptr(subject->net, subject->image);
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    struct subject subject = { .net = load_network_custom(argv[1], argv[2], 0, 1) };
    size_t inputs = (size_t)subject.net->w * (size_t)subject.net->h * (size_t)subject.net->c;
    fuse_conv_batchnorm(*subject.net);
    subject.image = calloc(inputs, sizeof *subject.image);
    if (!subject.image) return 1;
    for (size_t i = 0; i < inputs; i++) subject.image[i] = (float)rand() / (float)RAND_MAX;
    int status = take_turns(predict, NULL, &subject);
    free(subject.image);
    return status;
}
