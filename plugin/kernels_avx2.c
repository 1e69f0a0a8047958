/* kernels_avx2.c - the kernels for AVX2 with FMA: each template once more, in the words of simd_avx2.h */
#include "kernels.h"

#if defined(__x86_64__)
#include "simd_avx2.h"
#include "conv_template.h"
#include "connected_template.h"
#include "layers_template.h"
#include "train_template.h"
#include "gradient_template.h"

const struct prune_kernels prune_kernels_avx2 = { "avx2", V, CONV_KERNELS, CONNECTED_KERNELS, LAYER_KERNELS, TRAIN_KERNELS, GRADIENT_KERNELS };
#endif
