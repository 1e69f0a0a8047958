/* train_arrays.c - arrays of a batch's activations: sizes, parts, and the way from one layout to another
 *
 * In: an array of one layout. Out: the same numbers in another, each thread its part of the images.
 */
#include "train_arrays.h"

#include <string.h>

static size_t up(size_t n, size_t v)
{
    return (n + v - 1) / v;
}

static size_t vector_of(const struct prune_batch *batch)
{
    return (size_t)batch->kernels->vector;
}

size_t prune_array_floats(const struct prune_batch *batch, enum prune_layout layout, struct prune_planes planes)
{
    size_t v = vector_of(batch), images = (size_t)batch->images, c = (size_t)planes.c, pixels = (size_t)planes.pixels;
    switch (layout) {
    case PRUNE_CHANNELS: return images * up(c, v) * v * pixels;
    case PRUNE_IMAGES: return up(images, v) * v * c * pixels;
    default: return images * c * pixels;
    }
}

/* Of `n` things, those of a part. */
static void share(int n, int part, int parts, int *first, int *end)
{
    *first = (int)((long)n * part / parts);
    *end = (int)((long)n * (part + 1) / parts);
}

struct prune_share prune_part_of(const struct prune_batch *batch, enum prune_layout layout, struct prune_planes planes, int part)
{
    size_t v = vector_of(batch);
    int channels = layout == PRUNE_CHANNELS, n = channels ? batch->images : (int)up((size_t)batch->images, v), first, end;
    int in_block = channels ? (int)up((size_t)planes.c, v) : planes.c;
    share(n, part, batch->parts, &first, &end);
    int rest = !channels && end == n && end > first && (size_t)batch->images % v;
    size_t floats = (size_t)in_block * (size_t)planes.pixels * v;
    return (struct prune_share){ { end - first - rest, in_block, planes.pixels }, { rest, in_block, planes.pixels }, (size_t)first * floats, (size_t)(end - rest) * floats };
}

void prune_lane_mask(const struct prune_batch *batch, float *mask)
{
    int v = batch->kernels->vector, used = (batch->images - 1) % v + 1;
    for (int i = 0; i < v; i++) mask[i] = i < used ? 1 : 0;
}

/* ------------------------------------------------------------------------------------------------------ converting -- */

struct conversion {
    const struct prune_batch *batch;
    struct prune_planes planes;
    enum prune_layout from_layout, to_layout;
    const float *from;
    float *to;
    int add;
};

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Between PRUNE_PLAIN and PRUNE_CHANNELS, some images. */
static void plain_and_channels(const struct conversion *way, int first, int end)
{
    const struct prune_train_kernels *kernels = &way->batch->kernels->train;
    int v = way->batch->kernels->vector, c = way->planes.c;
    size_t pixels = (size_t)way->planes.pixels, groups = up((size_t)c, (size_t)v);
    for (int i = first; i < end; i++)
        for (int channel = 0; channel < c; channel += v) {
            size_t plain = ((size_t)i * (size_t)c + (size_t)channel) * pixels, vectors = ((size_t)i * groups + (size_t)(channel / v)) * pixels * (size_t)v;
            int lanes = smaller(v, c - channel);
            if (way->from_layout == PRUNE_PLAIN) kernels->to_vectors(way->from + plain, pixels, pixels, lanes, way->to + vectors);
            else kernels->from_vectors(way->from + vectors, pixels, lanes, way->add, way->to + plain, pixels);
        }
}

/* Between PRUNE_PLAIN and PRUNE_IMAGES, some blocks. */
static void plain_and_images(const struct conversion *way, int first, int end)
{
    const struct prune_train_kernels *kernels = &way->batch->kernels->train;
    int v = way->batch->kernels->vector;
    size_t image = (size_t)way->planes.c * (size_t)way->planes.pixels;
    for (int b = first; b < end; b++) {
        size_t at = (size_t)b * (size_t)v * image;
        int lanes = smaller(v, way->batch->images - b * v);
        if (way->from_layout == PRUNE_PLAIN) kernels->to_vectors(way->from + at, image, image, lanes, way->to + at);
        else kernels->from_vectors(way->from + at, image, lanes, way->add, way->to + at, image);
    }
}

/* Between PRUNE_CHANNELS and PRUNE_IMAGES, some blocks. */
static void channels_and_images(const struct conversion *way, int first, int end)
{
    const struct prune_train_kernels *kernels = &way->batch->kernels->train;
    int v = way->batch->kernels->vector, c = way->planes.c;
    size_t pixels = (size_t)way->planes.pixels, plane = pixels * (size_t)v, image = up((size_t)c, (size_t)v) * plane;
    for (int b = first; b < end; b++)
        for (int channel = 0; channel < c; channel += v) {
            size_t channels = (size_t)b * (size_t)v * image + (size_t)(channel / v) * plane, images = ((size_t)b * (size_t)c + (size_t)channel) * plane;
            int in_block = smaller(v, way->batch->images - b * v), lanes = smaller(v, c - channel);
            if (way->from_layout == PRUNE_CHANNELS) kernels->exchange(way->from + channels, image, in_block, pixels, way->add, way->to + images, plane, lanes);
            else kernels->exchange(way->from + images, plane, lanes, pixels, way->add, way->to + channels, image, in_block);
        }
}

static void same_layout(const struct conversion *way, int part, int parts)
{
    size_t n = prune_array_floats(way->batch, way->from_layout, way->planes), v = vector_of(way->batch);
    size_t first = n / v * (size_t)part / (size_t)parts * v, end = part + 1 == parts ? n : n / v * ((size_t)part + 1) / (size_t)parts * v;
    if (way->add) way->batch->kernels->layers.add(end - first, 1, way->to + first, 1, way->from + first, PRUNE_LINEAR_ACTIVATION, way->to + first);
    else memcpy(way->to + first, way->from + first, (end - first) * sizeof(float));
}

static void convert_part(void *context, int part, int parts)
{
    const struct conversion *way = context;
    int images = way->from_layout == PRUNE_IMAGES || way->to_layout == PRUNE_IMAGES, first, end;
    share(images ? (int)up((size_t)way->batch->images, vector_of(way->batch)) : way->batch->images, part, parts, &first, &end);
    if (way->from_layout == way->to_layout) same_layout(way, part, parts);
    else if (!images) plain_and_channels(way, first, end);
    else if (way->from_layout == PRUNE_PLAIN || way->to_layout == PRUNE_PLAIN) plain_and_images(way, first, end);
    else channels_and_images(way, first, end);
}

void prune_convert(const struct prune_batch *batch, struct prune_planes planes, enum prune_layout from_layout, const float *from, enum prune_layout to_layout, int add, float *to)
{
    struct conversion way = { batch, planes, from_layout, to_layout, from, to, add };
    prune_threads_run(batch->threads, convert_part, &way);
}
