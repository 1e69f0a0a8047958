/* sparse.c - one network in Darknet, timed in turns with others (turns.h); bench/sparse links it with this project's library and with the unpatched one
 *
 * sparse <cfg> <weights> [<threads>]: batch 1, through the functions that every program with Darknet in it calls. With <threads>, the caches of so many processors are emptied
 * before each prediction.
 */
#include "darknet.h"
#include "turns.h"

struct subject {
    network *net;
    float *image;
    int threads;
};

static void predict(void *context)
{
    struct subject *subject = context;
    network_predict(subject->net, subject->image);
}

static void flush(void *context)
{
    flush_caches(((struct subject *)context)->threads);
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    struct subject subject = { .net = load_network(argv[1], argv[2], 0), .threads = argc > 3 ? atoi(argv[3]) : 0 };
    set_batch_network(subject.net, 1);
    subject.image = calloc((size_t)subject.net->inputs, sizeof *subject.image);
    if (!subject.image) return 1;
    for (int i = 0; i < subject.net->inputs; i++) subject.image[i] = (float)rand() / (float)RAND_MAX;
    int status = take_turns(predict, subject.threads ? flush : NULL, &subject);
    free(subject.image);
    return status;
}
