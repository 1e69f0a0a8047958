/* kernels.h - the tables of vector kernels, one for each instruction set, and which one this machine has
 *
 * DARKNET_CPU in the environment switches instruction sets off: DARKNET_CPU=-avx512 or DARKNET_CPU=-avx512,-avx2. Each table gives the same bits as the plain C twins.
 */
#ifndef PRUNE_KERNELS_H
#define PRUNE_KERNELS_H

#include "conv.h"
#include "connected.h"
#include "gradient.h"
#include "layers.h"
#include "train.h"

struct prune_kernels {
    const char *name;           /* "avx512", "avx2", "neon" */
    int vector;                 /* floats in a vector */
    struct prune_conv_kernels conv;
    struct prune_connected_kernels connected;
    struct prune_layer_kernels layers;
    struct prune_train_kernels train;
    struct prune_gradient_kernels gradient;
};

#if defined(__x86_64__)
extern const struct prune_kernels prune_kernels_avx512, prune_kernels_avx2;
#elif defined(__aarch64__)
extern const struct prune_kernels prune_kernels_neon;
#endif

/* The best that this CPU has and that is not switched off, or NULL: then Darknet's own code runs. */
const struct prune_kernels *prune_kernels_best(void);

/* By name; NULL when it is not compiled in, the CPU or the system has it not, or it is switched off. */
const struct prune_kernels *prune_kernels_named(const char *name);

#endif
