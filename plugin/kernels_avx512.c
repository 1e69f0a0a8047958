/* kernels_avx512.c - the kernels for AVX-512 (F, VL, BW, DQ): each template once more, in the words of simd_avx512.h */
#include "kernels.h"

#if defined(__x86_64__)
#include "simd_avx512.h"
#if __has_include("conv_template.h")
#include "conv_template.h"
#endif
#if __has_include("connected_template.h")
#include "connected_template.h"
#endif
#if __has_include("layers_template.h")
#include "layers_template.h"
#endif

const struct prune_kernels prune_kernels_avx512 = {
    .name = "avx512", .vector = V,
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
