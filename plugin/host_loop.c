/* host_loop.c - what the training loops of train and of pack's fine-tuning share: an iteration that depends on its seed and number alone, and a clock */
#include "host.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

double prune_seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static uint64_t mix(uint64_t seed, uint64_t iteration)
{
    uint64_t z = (seed << 32 ^ iteration) * 0x9e3779b97f4a7c15U;
    return z ^ z >> 29;
}

int prune_train_iteration(network *net, struct prune_batches *batches, uint64_t seed, uint64_t iteration, double *loss)
{
    size_t classes = (size_t)batches->classes;
    double sum = 0;
    srand((unsigned)mix(seed, iteration));
    for (int s = 0; s < net->subdivisions; s++) {
        for (int i = 0; i < net->batch; i++) {
            int label = prune_batches_get(batches, *net->seen + (size_t)i, net->input + (size_t)i * batches->inputs, net->truth + (size_t)i * classes);
            if (label < 0) return label;
        }
        sum += (double)train_network_datum(net);
    }
    *loss = sum / net->batch / net->subdivisions;
    if (!isfinite(*loss)) return prune_fail(PRUNE_ERR_RANGE, "the loss is %f at iteration %" PRIu64 ": lower learning_rate", *loss, iteration + 1);
    return PRUNE_OK;
}
