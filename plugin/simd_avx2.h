/* simd_avx2.h - the words of the kernel templates (see simd_avx512.h) for AVX2 with FMA: 8 floats a vector, 16 registers */
#ifndef SIMD_H
#define SIMD_H

#include <immintrin.h>
#include <stdint.h>

#define V 8
#define REGISTERS 16
#define KERNEL(name) prune_avx2_##name
#define TARGET __attribute__((target("avx2,fma")))
#define INLINE static inline __attribute__((always_inline, unused)) TARGET

typedef __m256 vec;

INLINE __m256i v_first(int n)       /* all bits of the first n lanes */
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* A value that stays in its register: gcc 12 would fold its load into each use. */
#define v_keep(x) __asm__("" : "+x"(x))

INLINE vec v_zero(void) { return _mm256_setzero_ps(); }
INLINE vec v_set1(float x) { return _mm256_set1_ps(x); }
INLINE vec v_load(const float *p) { return _mm256_load_ps(p); }
INLINE vec v_loadu(const float *p) { return _mm256_loadu_ps(p); }
INLINE void v_store(float *p, vec x) { _mm256_store_ps(p, x); }
INLINE void v_storeu(float *p, vec x) { _mm256_storeu_ps(p, x); }
INLINE vec v_load_n(const float *p, int n) { return _mm256_maskload_ps(p, v_first(n)); }
INLINE vec v_load_part(const float *p, int skip, int n) { return _mm256_maskload_ps(p, _mm256_andnot_si256(v_first(skip), v_first(skip + n))); }
INLINE void v_store_n(float *p, vec x, int n) { _mm256_maskstore_ps(p, v_first(n), x); }
INLINE vec v_add(vec a, vec b) { return _mm256_add_ps(a, b); }
INLINE vec v_sub(vec a, vec b) { return _mm256_sub_ps(a, b); }
INLINE vec v_mul(vec a, vec b) { return _mm256_mul_ps(a, b); }
INLINE vec v_div(vec a, vec b) { return _mm256_div_ps(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vec v_where_gt(vec a, vec b, vec x, vec y) { return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_GT_OQ)); }
INLINE vec v_where_eq(vec a, vec b, vec x, vec y) { return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_EQ_OQ)); }
INLINE vec v_round(vec x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vec v_scale2(vec x, vec n)
{
    __m256i power = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
    return _mm256_mul_ps(x, _mm256_castsi256_ps(power));
}
INLINE vec v_gather(const float *base, const uint16_t *index)
{
    return _mm256_i32gather_ps(base, _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)index)), 4);
}

INLINE void v_transpose(vec r[V])
{
    vec t[V];
#pragma GCC unroll 4
    for (int i = 0; i < V; i += 4) {        /* 4 x 4 within each 128-bit lane */
        vec a = _mm256_unpacklo_ps(r[i], r[i + 1]), b = _mm256_unpackhi_ps(r[i], r[i + 1]);
        vec c = _mm256_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm256_unpackhi_ps(r[i + 2], r[i + 3]);
        t[i] = _mm256_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
        t[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        r[i] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
    }
}

#endif
