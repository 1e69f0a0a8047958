/* engine.h - layers in inference: which kernel computes each, planned by timing, and run on a pool of threads
 *
 * An engine belongs to one network in one application thread at a time; two networks have two.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "kernels.h"
#include "threads.h"

enum prune_op_kind {
    PRUNE_OP_NONE,              /* Darknet's own code */
    PRUNE_OP_CONV, PRUNE_OP_CONNECTED, PRUNE_OP_MAXPOOL, PRUNE_OP_AVGPOOL, PRUNE_OP_UPSAMPLE, PRUNE_OP_ADD, PRUNE_OP_SHORTCUT, PRUNE_OP_ROUTE, PRUNE_OP_ACTIVATE, PRUNE_OP_REORG,
    PRUNE_OP_SOFTMAX, PRUNE_OP_YOLO
};

struct prune_op {               /* one layer, one image after the other */
    enum prune_op_kind kind;
    int batch;
    size_t inputs, outputs;     /* floats of an image */
    enum prune_activation activation;
    int planes;
    struct prune_conv conv;
    struct prune_connected connected;
    float *scale, *bias;        /* connected: of each output */
    struct prune_pool pool;     /* maxpool; upsample and avgpool: its w, h, stride */
    struct prune_shortcut shortcut;     /* add, shortcut: `from` is what is added */
    const float *from;
    int n_routes;               /* route */
    const float **routes;
    size_t *route_sizes;
    struct prune_reorg reorg;
    float factor;               /* upsample: scale; softmax: temperature */
    int groups;                 /* softmax; yolo: boxes of a place */
    char reason[120];           /* why this kernel, for people */
};

struct prune_remembered;        /* what was timed already */

struct prune_engine {
    const struct prune_kernels *kernels;
    struct prune_threads *threads;
    int n_threads;
    float **scratch;            /* of each thread */
    size_t scratch_floats;
    struct prune_remembered *remembered;
    int n_remembered;
};

/* With n_threads 0: prune_threads_default. PRUNE_ERR_UNSUPPORTED, without a line, where the machine has none of the kernels. */
int prune_engine_open(struct prune_engine *engine, int n_threads);
void prune_engine_close(struct prune_engine *engine);

/* Chooses form and plan for a convolution by timing the likely ones on a share of its filters, and compresses it. Convolutions of the same shape and about the same density are timed
 * once. */
int prune_engine_conv(struct prune_engine *engine, const struct prune_conv_shape *shape, const struct prune_numbers *numbers, struct prune_op *op);

/* Of weights (outputs, inputs): the form with the least to read. */
int prune_engine_connected(int outputs, int inputs, const struct prune_numbers *numbers, struct prune_op *op);

/* Runs op->batch images: in (batch, inputs), out (batch, outputs). */
int prune_engine_run(struct prune_engine *engine, const struct prune_op *op, const float *in, float *out);

void prune_op_free(struct prune_op *op);

/* What was timed, as lines of text; and lines read back, so that it need not be timed again. A file for other kernels or another number of threads is passed over: returns whether it
 * was taken, or an error. */
int prune_engine_save_plans(const struct prune_engine *engine, FILE *out);
int prune_engine_load_plans(struct prune_engine *engine, const char *path);

#endif
