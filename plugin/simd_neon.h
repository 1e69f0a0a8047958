/* simd_neon.h - the words of the kernel templates (see simd_avx512.h) for NEON on 64-bit ARM: 4 floats a vector, 32 registers */
#ifndef SIMD_H
#define SIMD_H

#include <arm_neon.h>
#include <stdint.h>

#define V 4
#define REGISTERS 32
#define KERNEL(name) prune_neon_##name
#define TARGET
#define INLINE static inline __attribute__((always_inline, unused))

typedef float32x4_t vec;

/* A value that stays in its register: gcc 12 would fold its load into each use. */
#define v_keep(x) __asm__("" : "+w"(x))

INLINE vec v_zero(void) { return vdupq_n_f32(0); }
INLINE vec v_set1(float x) { return vdupq_n_f32(x); }
INLINE vec v_load(const float *p) { return vld1q_f32(p); }
INLINE vec v_loadu(const float *p) { return vld1q_f32(p); }
INLINE void v_store(float *p, vec x) { vst1q_f32(p, x); }
INLINE void v_storeu(float *p, vec x) { vst1q_f32(p, x); }
INLINE vec v_load_n(const float *p, int n)
{
    float lanes[V] = { 0 };
    for (int i = 0; i < n; i++) lanes[i] = p[i];
    return vld1q_f32(lanes);
}
INLINE vec v_load_part(const float *p, int skip, int n)
{
    float lanes[V] = { 0 };
    for (int i = skip; i < skip + n; i++) lanes[i] = p[i];
    return vld1q_f32(lanes);
}
INLINE void v_store_n(float *p, vec x, int n)
{
    float lanes[V];
    vst1q_f32(lanes, x);
    for (int i = 0; i < n; i++) p[i] = lanes[i];
}
INLINE vec v_add(vec a, vec b) { return vaddq_f32(a, b); }
INLINE vec v_sub(vec a, vec b) { return vsubq_f32(a, b); }
INLINE vec v_mul(vec a, vec b) { return vmulq_f32(a, b); }
INLINE vec v_div(vec a, vec b) { return vdivq_f32(a, b); }
INLINE vec v_fma(vec a, vec b, vec c) { return vfmaq_f32(c, a, b); }
INLINE vec v_where_gt(vec a, vec b, vec x, vec y) { return vbslq_f32(vcgtq_f32(a, b), x, y); }
INLINE vec v_where_eq(vec a, vec b, vec x, vec y) { return vbslq_f32(vceqq_f32(a, b), x, y); }
INLINE vec v_round(vec x) { return vrndnq_f32(x); }
INLINE vec v_scale2(vec x, vec n)
{
    int32x4_t power = vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23);
    return vmulq_f32(x, vreinterpretq_f32_s32(power));
}
INLINE vec v_gather(const float *base, const uint16_t *index)
{
    float lanes[V] = { base[index[0]], base[index[1]], base[index[2]], base[index[3]] };
    return vld1q_f32(lanes);
}

INLINE void v_transpose(vec r[V])
{
    float32x4x2_t a = vtrnq_f32(r[0], r[1]), b = vtrnq_f32(r[2], r[3]);
    r[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    r[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    r[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    r[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}

#endif
