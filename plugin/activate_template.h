/* activate_template.h - activation functions of a vector, for the kernel templates
 *
 * In: a simd_*.h before it, a vector and a function. Out: the function of each lane. Lane by lane the same bits as prune_activate_plain (layers_plain.c), which has the same steps.
 */
#ifndef ACTIVATE_TEMPLATE_H
#define ACTIVATE_TEMPLATE_H

#include "layers.h"

/* e^x = (what it returns) * 2^*rest, two factors, as neither alone can reach the denormals and infinity. Within 2 ulp. */
INLINE vec v_exp_parts(vec x, vec *rest)
{
    x = v_where_gt(v_set1(EXP_LEAST), x, v_set1(EXP_LEAST), x);
    x = v_where_gt(x, v_set1(EXP_MOST), v_set1(EXP_MOST), x);      /* NaN passes both */
    vec n = v_round(v_mul(x, v_set1(EXP_LOG2_E)));
    vec r = v_fma(n, v_set1(-EXP_LN2_HIGH), x);
    r = v_fma(n, v_set1(-EXP_LN2_LOW), r);
    vec p = v_set1(EXP_P0);
    p = v_fma(p, r, v_set1(EXP_P1));
    p = v_fma(p, r, v_set1(EXP_P2));
    p = v_fma(p, r, v_set1(EXP_P3));
    p = v_fma(p, r, v_set1(EXP_P4));
    p = v_fma(p, r, v_set1(EXP_P5));
    p = v_fma(p, r, v_set1(1));
    p = v_fma(p, r, v_set1(1));
    vec half = v_round(v_mul(n, v_set1(.5f)));
    *rest = v_sub(n, half);
    return v_scale2(p, half);
}

INLINE vec v_exp(vec x)
{
    vec rest, part = v_exp_parts(x, &rest);
    return v_scale2(part, rest);
}

/* -|x| */
INLINE vec v_below_zero(vec x)
{
    return v_where_gt(x, v_zero(), v_sub(v_zero(), x), x);
}

/* 1 / (1 + e^-x), of e^-|x|, which does not overflow: for x <= 0 it is e^x / (1 + e^x) */
INLINE vec v_logistic(vec x)
{
    vec e = v_exp(v_below_zero(x));
    return v_div(v_where_gt(x, v_zero(), v_set1(1), e), v_add(e, v_set1(1)));
}

/* x tanh(log(1 + e^x)): with e = e^-|x| it is x (1 + 2e) / (1 + 2e + 2e^2) for x > 0, else x e (e + 2) / (e (e + 2) + 2): no term cancels another. The last scaling comes last, so
 * that x e is not rounded twice where e alone would be denormal. */
INLINE vec v_mish(vec x)
{
    vec rest, part, e, up, low, above, below, down;
    x = v_where_gt(v_set1(EXP_LEAST), x, v_set1(EXP_LEAST), x);    /* -inf times 0 */
    part = v_exp_parts(v_below_zero(x), &rest);
    e = v_scale2(part, rest);
    up = v_fma(e, v_set1(2), v_set1(1));
    low = v_add(e, v_set1(2));
    above = v_where_gt(x, v_zero(), up, low);
    below = v_where_gt(x, v_zero(), v_fma(v_add(e, e), e, up), v_fma(e, low, v_set1(2)));
    down = v_where_gt(x, v_zero(), v_set1(1), part);
    return v_scale2(v_mul(v_mul(x, down), v_div(above, below)), v_where_gt(x, v_zero(), v_zero(), rest));
}

/* Linear, relu, leaky, logistic and mish (prune_activation_fused). NaN stays NaN in all of them. Comparisons rather than a switch, as gcc moves only these out of a loop. */
INLINE vec v_activate(vec x, enum prune_activation a)
{
    if (a == PRUNE_LEAKY) return v_where_gt(x, v_zero(), x, v_mul(x, v_set1(.1f)));
    if (a == PRUNE_RELU) return v_where_gt(v_zero(), x, v_zero(), x);
    if (a == PRUNE_LOGISTIC_ACTIVATION) return v_logistic(x);
    if (a == PRUNE_MISH) return v_mish(x);
    return x;
}

#endif
