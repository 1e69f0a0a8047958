#define GRADIENT_KERNELS { 0, 0 }
