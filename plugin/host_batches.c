/* host_batches.c - images as the floats that a network takes, in an order that depends on the seed alone
 *
 * Training reads one endless stream: image `at` belongs to epoch at / n. Every epoch shuffles anew from (seed, epoch), so a run that was
 * stopped anywhere goes on with the same images.
 */
#include "host.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Steele, Lea and Flood, 2014 (splitmix64): one call gives one well-mixed number, whatever the seed. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15U);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

static void shuffle(struct prune_batches *batches, uint64_t epoch)
{
    uint64_t state = batches->seed;
    state = next_random(&state) ^ epoch;
    for (int i = 0; i < batches->images->n; i++) batches->order[i] = i;
    for (int i = batches->images->n - 1; i > 0; i--) {
        int j = (int)(next_random(&state) % (uint64_t)(i + 1));
        int swap = batches->order[i];
        batches->order[i] = batches->order[j];
        batches->order[j] = swap;
    }
    batches->epoch = epoch;
}

int prune_batches_open(struct prune_batches *batches, const network *net, const struct prune_data *data, const struct prune_images *images, int shuffled, uint64_t seed)
{
    memset(batches, 0, sizeof *batches);
    batches->images = images;
    batches->classes = data->classes;
    batches->w = net->w;
    batches->h = net->h;
    batches->c = net->c;
    batches->inputs = (size_t)net->inputs;
    batches->seed = seed;
    if (images->n < 1) return prune_fail(PRUNE_ERR_SHAPE, "%s: a set has no images", data->path);
    if (net->truths != data->classes || net->outputs != data->classes)
        return prune_fail(PRUNE_ERR_SHAPE, "%s has classes=%d, but the network ends in %d outputs", data->path, data->classes, net->outputs);
    if (images->paths && !(net->w && net->h && net->c))
        return prune_fail(PRUNE_ERR_SHAPE, "images need a network with width, height and channels");
    if (images->pixels && (size_t)images->w * (size_t)images->h * (size_t)images->c != batches->inputs)
        return prune_fail(PRUNE_ERR_SHAPE, "%s has images of %dx%dx%d, but the network takes %dx%dx%d", data->path, images->w, images->h, images->c, net->w, net->h, net->c);
    if (images->pixels && net->w && (images->w != net->w || images->h != net->h))
        return prune_fail(PRUNE_ERR_SHAPE, "%s has images of %dx%dx%d, but the network takes %dx%dx%d", data->path, images->w, images->h, images->c, net->w, net->h, net->c);
    for (int i = 0; images->paths && i < images->n; i++)        /* now, not hours into the training */
        if (access(images->paths[i], R_OK)) return prune_fail(PRUNE_ERR_IO, "cannot read %s: %s", images->paths[i], strerror(errno));
    int costs = 0;
    for (int i = 0; i < net->n; i++) costs += net->layers[i].cost != NULL;
    if (shuffled && !costs) return prune_fail(PRUNE_ERR_SHAPE, "the network cannot be trained: it has no layer with a loss, such as [softmax] or [cost]");
    if (!shuffled) return PRUNE_OK;
    batches->order = malloc((size_t)images->n * sizeof *batches->order);
    if (!batches->order) return prune_fail(PRUNE_ERR_NOMEM, "out of memory");
    shuffle(batches, 0);
    return PRUNE_OK;
}

void prune_batches_free(struct prune_batches *batches)
{
    free(batches->order);
    memset(batches, 0, sizeof *batches);
}

static int read_image(const struct prune_batches *batches, const char *path, float *input)
{
    image picture = load_image((char *)path, batches->w, batches->h, batches->c);
    if (picture.c != batches->c || picture.w != batches->w || picture.h != batches->h) {
        free_image(picture);
        return prune_fail(PRUNE_ERR_FORMAT, "%s cannot be read as an image of %dx%dx%d", path, batches->w, batches->h, batches->c);
    }
    memcpy(input, picture.data, batches->inputs * sizeof *input);
    free_image(picture);
    return PRUNE_OK;
}

int prune_batches_get(struct prune_batches *batches, uint64_t at, float *input, float *truth)
{
    const struct prune_images *images = batches->images;
    uint64_t epoch = at / (uint64_t)images->n;
    int i = (int)(at % (uint64_t)images->n);
    if (batches->order) {
        if (epoch != batches->epoch) shuffle(batches, epoch);
        i = batches->order[i];
    }
    if (images->pixels) {
        const uint8_t *pixels = images->pixels + (size_t)i * batches->inputs;
        for (size_t j = 0; j < batches->inputs; j++) input[j] = (float)pixels[j] / 255.0F;
    } else {
        int code = read_image(batches, images->paths[i], input);
        if (code) return code;
    }
    int label = images->pixels ? images->labels[i] : images->path_labels[i];
    if (truth) {
        memset(truth, 0, (size_t)batches->classes * sizeof *truth);
        truth[label] = 1;
    }
    return label;
}
