/* kernels_neon.c - the kernels for NEON on 64-bit ARM: each template once more, in the words of simd_neon.h */
#include "kernels.h"

#if defined(__aarch64__)
#include "simd_neon.h"
#if __has_include("conv_template.h")
#include "conv_template.h"
#endif
#if __has_include("connected_template.h")
#include "connected_template.h"
#endif
#if __has_include("layers_template.h")
#include "layers_template.h"
#endif

const struct prune_kernels prune_kernels_neon = {
    .name = "neon", .vector = V,
#ifdef CONV_KERNELS
    .conv = CONV_KERNELS,
#endif
#ifdef CONNECTED_KERNELS
    .connected = CONNECTED_KERNELS,
#endif
#ifdef LAYER_KERNELS
    .layers = LAYER_KERNELS,
#endif
};
#endif
