/* gemm.c - gemm_cpu against double-precision loops, in all its forms and the odd strides of the local layer: gemm product|nan */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gemm.h"

static float *fill(int n)
{
    float *x = malloc(sizeof(float)*(size_t)n);
    for (int i = 0; i < n; i++) x[i] = (float)(rand() % 2001 - 1000)/1000;
    return x;
}

static int check(int ta, int tb, int m, int n, int k, int lda, int ldb, int ldc, float alpha, float beta)
{
    float *a = fill((ta ? k : m)*lda), *b = fill((tb ? n : k)*ldb), *c = fill(m*ldc), *want = malloc(sizeof(float)*(size_t)(m*ldc));
    memcpy(want, c, sizeof(float)*(size_t)(m*ldc));
    for (int i = 0; i < m; i++) for (int j = 0; j < n; j++) {
        double sum = 0;
        for (int q = 0; q < k; q++) sum += (double)(ta ? a[q*lda+i] : a[i*lda+q])*(tb ? b[j*ldb+q] : b[q*ldb+j]);
        want[i*ldc+j] = (float)(alpha*sum + beta*c[i*ldc+j]);
    }
    gemm_cpu(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    int bad = 0;
    /* The gaps between rows are part of the check: they must be left alone. */
    for (int i = 0; i < m*ldc; i++) bad += !(fabsf(c[i] - want[i]) <= 1e-4f*(1 + fabsf(want[i])));
    if (bad) printf("TA=%d TB=%d M=%d N=%d K=%d lda=%d ldb=%d ldc=%d beta=%g: %d wrong\n", ta, tb, m, n, k, lda, ldb, ldc, beta, bad);
    free(a); free(b); free(c); free(want);
    return bad;
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    if (!strcmp(argv[1], "nan")) {
        float a = 2, b = 3, c = NAN;
        gemm_cpu(0, 0, 1, 1, 1, 1, &a, 1, &b, 1, 0, &c, 1);
        printf("%g\n", c);
        return !(c == 6);
    }
    int bad = 0, sizes[][3] = {{1,1,1}, {3,5,7}, {17,33,9}, {64,1,27}, {1,64,27}, {8,40,1}};
    float betas[] = {0, 1, .5f};
    for (int s = 0; s < 6; s++) for (int f = 0; f < 4; f++) for (int e = 0; e < 3; e++) for (int pad = 0; pad < 4; pad += 3) {
        int m = sizes[s][0], n = sizes[s][1], k = sizes[s][2], ta = f & 1, tb = f >> 1;
        bad += check(ta, tb, m, n, k, (ta ? m : k) + pad, (tb ? k : n) + pad, n + pad, 1, betas[e]);
    }
    int locations = 36;
    bad += check(0, 0, 4, 1, 18, 18, locations, locations, 1, 1);
    bad += check(0, 1, 4, 18, 1, locations, locations, 18, 1, 1);
    bad += check(1, 0, 18, 1, 4, 18, locations, locations, 1, 0);
    return bad != 0;
}
