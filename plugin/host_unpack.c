/* host_unpack.c - packed weights for Darknet's own reader: a stream that gives the bytes of the .weights file they stand for
 *
 * So whatever reads weights reads packed ones too, with its own rules for cut-offs, transposed matrices and devices. No file is unpacked on disk, and no more than one array in memory.
 */
#include "host.h"

#include <stdlib.h>
#include <string.h>

/* numload: Darknet reads so many filters, whatever the layer has. */
static int filters_read(const layer *l)
{
    return l->numload ? l->numload : l->n;
}

static size_t filter_floats(const layer *l)
{
    return (size_t)(l->c / (l->groups ? l->groups : 1)) * (size_t)l->size * (size_t)l->size;
}

static size_t convolutional_floats(const layer *l)
{
    return (size_t)filters_read(l) * (filter_floats(l) + (l->batch_normalize && !l->dontloadscales ? 4 : 1));
}

static size_t connected_floats(const layer *l)
{
    return (size_t)l->outputs * (size_t)l->inputs + (size_t)l->outputs * (l->batch_normalize && !l->dontloadscales ? 4 : 1);
}

/* What load_weights_upto reads for a layer. */
static size_t layer_floats(const layer *l)
{
    switch (l->type) {
    case CONVOLUTIONAL:
    case DECONVOLUTIONAL: return convolutional_floats(l);
    case CONNECTED: return connected_floats(l);
    case BATCHNORM: return 3 * (size_t)l->c;
    case CRNN: return convolutional_floats(l->input_layer) + convolutional_floats(l->self_layer) + convolutional_floats(l->output_layer);
    case RNN: return connected_floats(l->input_layer) + connected_floats(l->self_layer) + connected_floats(l->output_layer);
    case LSTM: return 4 * connected_floats(l->wf) + 4 * connected_floats(l->uf);
    case GRU: return 3 * connected_floats(l->wz) + 3 * connected_floats(l->uz);
    case LOCAL: return (size_t)l->outputs + (size_t)l->size * (size_t)l->size * (size_t)l->c * (size_t)l->n * (size_t)l->out_w * (size_t)l->out_h;
    default: return 0;
    }
}

/* The next layer that takes weights from a file, from `i` on. */
static int next_with_floats(const network *net, int i, int cutoff)
{
    while (i < net->n && i < cutoff && (net->layers[i].dontload || !layer_floats(&net->layers[i]))) i++;
    return i;
}

/* Kind, number of floats and, where it is one matrix, its shape. */
static int fits(const layer *l, const struct prune_packed *packed)
{
    size_t floats = 0, rows = 0, columns = 0;
    for (int p = 0; p < packed->n_arrays; p++) {
        const struct prune_part *part = &packed->arrays[p].part;
        floats += (size_t)part->rows * part->columns;
        if (part->role != PRUNE_PART_WEIGHTS) continue;
        rows = part->transposed ? part->columns : part->rows;
        columns = part->transposed ? part->rows : part->columns;
    }
    if (floats != layer_floats(l) || strcmp(get_layer_string(l->type), packed->name)) return 0;
    if (l->type == CONVOLUTIONAL) return rows == (size_t)filters_read(l) && columns == filter_floats(l);
    return l->type != CONNECTED || (rows == (size_t)l->outputs && columns == (size_t)l->inputs);
}

/* Darknet reads a file's floats one after the other and cannot tell whose they are; here every layer says what it has. As with other files, fewer layers than the network's, or more, are
 * Darknet's affair. */
static int check_layers(struct prune_packed *packed, const network *net, int cutoff)
{
    int i = next_with_floats(net, 0, cutoff), more;
    if (!packed->n_layers && i < net->n && i < cutoff) return prune_fail(PRUNE_ERR_SHAPE, "%s: packed from another network: there are no weights in it", packed->path);
    while ((more = prune_packed_next(packed)) > 0 && i < net->n && i < cutoff) {
        const layer *l = &net->layers[i];
        if (i != packed->layer || !fits(l, packed))
            return prune_fail(PRUNE_ERR_SHAPE, "%s: packed from another network: its layer %d [%s] is not this network's layer %d [%s], or has another shape", packed->path, packed->layer,
                              packed->name, i, get_layer_string(l->type));
        i = next_with_floats(net, i + 1, cutoff);
    }
    while (more > 0) more = prune_packed_next(packed);
    return more ? more : prune_packed_rewind(packed);
}

/* Darknet would say of a fault that the file is truncated, and has no other way to end. */
static ssize_t read_stream(void *cookie, char *buffer, size_t n)
{
    long got = prune_unpack_read(cookie, buffer, n);
    if (got < 0) exit(1);
    return got;
}

static int close_stream(void *cookie)
{
    prune_unpack_close(cookie);
    free(cookie);
    return 0;
}

FILE *prune_open_weights(FILE *fp, network *net, char *filename, int cutoff)
{
    prune_inference_restore(net);
    if (!fp || !prune_packed_is(filename)) return fp;
    fclose(fp);
    fputc('\n', stderr);                /* "Loading weights from ..." stands there without an end */
    struct prune_unpacking *unpacking = calloc(1, sizeof *unpacking);
    if (!unpacking) exit(-prune_fail(PRUNE_ERR_NOMEM, "out of memory"));
    if (prune_unpack_open(unpacking, filename) || check_layers(&unpacking->packed, net, cutoff)) exit(1);
    FILE *stream = fopencookie(unpacking, "r", (cookie_io_functions_t){ .read = read_stream, .close = close_stream });
    if (!stream) exit(-prune_fail(PRUNE_ERR_NOMEM, "out of memory"));
    return stream;
}
