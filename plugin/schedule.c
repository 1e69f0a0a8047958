/* schedule.c - how sparse each step aims to be, when it runs, and how much it may bring back */
#include "prune.h"

#include <math.h>

double prune_schedule_target(enum prune_curve curve, double s_max, int t, int steps)
{
    if (t <= 0) return 0;
    if (t >= steps) return s_max;       /* exactly, whatever the curve rounds to */
    double x = (double)t / steps;
    switch (curve) {
    case PRUNE_LOG: return s_max * log1p(t) / log1p(steps);
    case PRUNE_CUBIC: return s_max * (1 - pow(1 - x, 3));
    case PRUNE_LINEAR: return s_max * x;
    case PRUNE_GEOMETRIC: return 1 - pow(1 - s_max, x);
    }
    return s_max;
}

int prune_schedule_iteration(const struct prune_settings *settings, int t)
{
    return settings->start + (int)((int64_t)t * (settings->end - settings->start) / settings->steps);
}

int prune_schedule_step(const struct prune_settings *settings, int iteration)
{
    if (iteration >= settings->end) return settings->steps;
    if (iteration < settings->start) return 0;
    int t = (int)((int64_t)(iteration - settings->start) * settings->steps / (settings->end - settings->start));
    while (t < settings->steps && prune_schedule_iteration(settings, t + 1) <= iteration) t++;
    return t;
}

double prune_schedule_recover(double rho, int t, int steps)
{
    return rho * fmax(0, 1 - t / (0.8 * steps));
}

/* With an order, the first kind has the first half of the steps (the larger half if T is odd) and a curve of its own over
 * them, then the second kind the rest. */
struct prune_phase prune_schedule_phase(const struct prune_settings *settings, int t)
{
    struct prune_phase phase = { PRUNE_UNKNOWN, t, settings->steps };
    if (settings->order == PRUNE_CONVOLUTIONAL_THEN_CONNECTED) {
        int first = (settings->steps + 1) / 2;
        phase.kind = t <= first ? PRUNE_CONVOLUTIONAL : PRUNE_CONNECTED;
        phase.t = t <= first ? t : t - first;
        phase.steps = t <= first ? first : settings->steps - first;
    }
    return phase;
}

enum prune_kind prune_schedule_fixed(const struct prune_settings *settings, int iteration)
{
    if (settings->order == PRUNE_TOGETHER || iteration <= settings->start || iteration > settings->end) return PRUNE_UNKNOWN;
    int next = prune_schedule_step(settings, iteration - 1) + 1;    /* the step that this iteration works towards */
    return prune_schedule_phase(settings, next).kind == PRUNE_CONVOLUTIONAL ? PRUNE_CONNECTED : PRUNE_CONVOLUTIONAL;
}
