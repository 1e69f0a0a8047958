/* kernels_avx2.c - the kernels for AVX2 with FMA: each template once more, in the words of simd_avx2.h */
#include "kernels.h"

#if defined(__x86_64__)
#include "simd_avx2.h"
#if __has_include("conv_template.h")
#include "conv_template.h"
#endif
#if __has_include("connected_template.h")
#include "connected_template.h"
#endif
#if __has_include("layers_template.h")
#include "layers_template.h"
#endif

const struct prune_kernels prune_kernels_avx2 = {
    .name = "avx2", .vector = V,
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
