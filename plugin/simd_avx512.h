/* simd_avx512.h - the words of the kernel templates for AVX-512 (F, VL, BW, DQ): 16 floats a vector, 32 registers
 *
 * Every simd_*.h defines the same words, so that a template is written once:
 *   V, vec                   floats in a vector, and its type
 *   TARGET                   attribute of all functions: files are compiled without flags of their own
 *   KERNEL(name)             the name of a function of this instruction set
 *   REGISTERS                how many vectors there are
 *   v_load, v_store          aligned to sizeof(vec);  v_loadu, v_storeu: not aligned
 *   v_load_n, v_store_n      the first n lanes, 0 <= n <= V; the others are read as 0, or not written; memory beyond is not touched
 *   v_load_part              lanes skip .. skip + n - 1, from p[skip] on; the others are 0; memory beside is not touched
 *   v_fma(a, b, c)           a * b + c, rounded once, as fmaf
 *   v_where_gt(a, b, x, y)   a > b ? x : y, lane by lane
 *   v_where_eq(a, b, x, y)   a == b ? x : y
 *   v_round                  to the nearest whole number, ties to even
 *   v_scale2(x, n)           x * 2^n; n holds whole numbers from -126 to 127
 *   v_gather(base, index)    base[index[lane]] of V 16-bit indices
 *   v_keep(x)                x stays in a register
 *   v_transpose(r)           r[i] lane j becomes r[j] lane i, of V vectors
 */
#ifndef SIMD_H
#define SIMD_H

#include <immintrin.h>
#include <stdint.h>

#define V 16
#define REGISTERS 32
#define KERNEL(name) prune_avx512_##name
#define TARGET __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")))
#define INLINE static inline __attribute__((always_inline, unused)) TARGET

typedef __m512 vec;

/* A value that stays in its register: gcc 12 would fold its load into each use. */
#define v_keep(x) __asm__("" : "+v"(x))

INLINE vec v_zero(void) { return _mm512_setzero_ps(); }
INLINE vec v_set1(float x) { return _mm512_set1_ps(x); }
INLINE vec v_load(const float *p) { return _mm512_load_ps(p); }
INLINE vec v_loadu(const float *p) { return _mm512_loadu_ps(p); }
INLINE void v_store(float *p, vec x) { _mm512_store_ps(p, x); }
INLINE void v_storeu(float *p, vec x) { _mm512_storeu_ps(p, x); }
INLINE vec v_load_n(const float *p, int n) { return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }
INLINE vec v_load_part(const float *p, int skip, int n) { return _mm512_maskz_loadu_ps((__mmask16)(((1u << n) - 1) << skip), p); }
INLINE void v_store_n(float *p, vec x, int n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), x); }
INLINE vec v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
INLINE vec v_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
INLINE vec v_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
INLINE vec v_div(vec a, vec b) { return _mm512_div_ps(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vec v_where_gt(vec a, vec b, vec x, vec y) { return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), y, x); }
INLINE vec v_where_eq(vec a, vec b, vec x, vec y) { return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), y, x); }
INLINE vec v_round(vec x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
INLINE vec v_scale2(vec x, vec n)
{
    __m512i power = _mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23);
    return _mm512_mul_ps(x, _mm512_castsi512_ps(power));
}
INLINE vec v_gather(const float *base, const uint16_t *index)
{
    return _mm512_i32gather_ps(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)index)), base, 4);
}

INLINE void v_transpose(vec r[V])
{
    vec t[V];
#pragma GCC unroll 4
    for (int i = 0; i < V; i += 4) {        /* 4 x 4 within each 128-bit lane */
        vec a = _mm512_unpacklo_ps(r[i], r[i + 1]), b = _mm512_unpackhi_ps(r[i], r[i + 1]);
        vec c = _mm512_unpacklo_ps(r[i + 2], r[i + 3]), d = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
        t[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(c)));
        t[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(c)));
        t[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(b), _mm512_castps_pd(d)));
        t[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(b), _mm512_castps_pd(d)));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {           /* then the 128-bit lanes themselves */
        vec a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x44), b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xee);
        vec c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x44), d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xee);
        r[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        r[i + 4] = _mm512_shuffle_f32x4(a, c, 0xdd);
        r[i + 8] = _mm512_shuffle_f32x4(b, d, 0x88);
        r[i + 12] = _mm512_shuffle_f32x4(b, d, 0xdd);
    }
}

#endif
