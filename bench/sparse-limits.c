/* sparse-limits.c - what nothing can beat, and BLAS, timed in turns with others (turns.h)
 *
 * sparse-limits fma                                  LIMITS_FLOP operations in fused multiply-adds of registers alone, on one processor, in its widest vectors
 * sparse-limits sgemv <rows> <columns> <threads>     a dense matrix times a vector; the caches of so many processors are emptied before
 */
#include "turns.h"

#include <cblas.h>

#define LIMITS_FLOP 2e8                         /* bench/sparse knows this number too */

/* 14 chains: a multiply-add takes four cycles and two begin in each. They tend to b / (1 - a), far from infinity and from denormals. */
enum { CHAINS = 14 };

#define FMA_LOOP(name, bytes, target)                                                           \
    target static float name(float a, float b)                                                  \
    {                                                                                           \
        typedef float vector __attribute__((vector_size(bytes)));                               \
        enum { LANES = bytes / sizeof(float) };                                                 \
        vector x[CHAINS], va, vb, sum;                                                          \
        for (int j = 0; j < LANES; j++) va[j] = a, vb[j] = b, sum[j] = 0;                       \
        _Pragma("GCC unroll 14") for (int k = 0; k < CHAINS; k++) x[k] = vb * (float)k;         \
        for (long i = (long)(LIMITS_FLOP / (2 * CHAINS * LANES)); i > 0; i--)                   \
            _Pragma("GCC unroll 14") for (int k = 0; k < CHAINS; k++) x[k] = x[k] * va + vb;    \
        _Pragma("GCC unroll 14") for (int k = 0; k < CHAINS; k++) sum += x[k];                  \
        return sum[0];                                                                          \
    }

#ifdef __x86_64__
FMA_LOOP(loop_avx512, 64, __attribute__((target("avx512f"))))
FMA_LOOP(loop_avx2, 32, __attribute__((target("avx2,fma"))))
#endif
FMA_LOOP(loop_plain, 16, )

static void fma_peak(void *context)
{
    volatile float *value = context;
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f")) *value = loop_avx512(.5F, *value);
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) *value = loop_avx2(.5F, *value);
    else
#endif
        *value = loop_plain(.5F, *value);
    *value = 1;
}

struct subject {
    int rows, columns, threads;
    float *matrix, *in, *out;
};

static void sgemv(void *context)
{
    struct subject *s = context;
    cblas_sgemv(CblasRowMajor, CblasNoTrans, s->rows, s->columns, 1, s->matrix, s->columns, s->in, 1, 0, s->out, 1);
}

static void flush(void *context)
{
    flush_caches(((struct subject *)context)->threads);
}

static int run_sgemv(char **words)
{
    struct subject s = { .rows = atoi(words[0]), .columns = atoi(words[1]), .threads = atoi(words[2]) };
    size_t n = (size_t)s.rows * (size_t)s.columns;
    s.matrix = malloc(n * sizeof *s.matrix);
    s.in = calloc((size_t)s.columns, sizeof *s.in);
    s.out = calloc((size_t)s.rows, sizeof *s.out);
    if (!s.matrix || !s.in || !s.out) return 1;
    for (size_t i = 0; i < n; i++) s.matrix[i] = (float)rand() / (float)RAND_MAX - .5F;
    for (int i = 0; i < s.columns; i++) s.in[i] = (float)rand() / (float)RAND_MAX;
    openblas_set_num_threads(s.threads);
    return take_turns(sgemv, flush, &s);
}

int main(int argc, char **argv)
{
    float value = 1;
    if (argc == 2 && !strcmp(argv[1], "fma")) return take_turns(fma_peak, NULL, &value);
    if (argc == 5 && !strcmp(argv[1], "sgemv")) return run_sgemv(argv + 2);
    return 2;
}
