/* kernels_neon.c - the kernels for NEON on 64-bit ARM: each template once more, in the words of simd_neon.h */
#include "kernels.h"

#if defined(__aarch64__)
#include "simd_neon.h"
#include "conv_template.h"
#include "connected_template.h"
#include "layers_template.h"
#include "train_template.h"
#include "gradient_template.h"

const struct prune_kernels prune_kernels_neon = { "neon", V, CONV_KERNELS, CONNECTED_KERNELS, LAYER_KERNELS, TRAIN_KERNELS, GRADIENT_KERNELS };
#endif
