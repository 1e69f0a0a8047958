#define TRAIN_KERNELS { 0 }
