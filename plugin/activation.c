/* activation.c - activation functions: their names in cfgs, and their values
 *
 * In: a name, or a function and x. Out: its number, or f(x) as Darknet's activations.h computes it (pjreddie 61c9d02e, AlexeyAB for
 * those from swish on), in double.
 */
#include "graph_layer.h"

#include <math.h>
#include <string.h>

static const char *const names[] = {
    [PRUNE_LINEAR_ACTIVATION] = "linear", [PRUNE_LOGISTIC_ACTIVATION] = "logistic", [PRUNE_LOGGY] = "loggy", [PRUNE_RELU] = "relu", [PRUNE_ELU] = "elu",
    [PRUNE_SELU] = "selu", [PRUNE_RELIE] = "relie", [PRUNE_RAMP] = "ramp", [PRUNE_LEAKY] = "leaky", [PRUNE_TANH] = "tanh", [PRUNE_PLSE] = "plse",
    [PRUNE_STAIR] = "stair", [PRUNE_HARDTAN] = "hardtan", [PRUNE_LHTAN] = "lhtan", [PRUNE_SWISH] = "swish", [PRUNE_MISH] = "mish",
    [PRUNE_HARD_MISH] = "hard_mish", [PRUNE_GELU] = "gelu", [PRUNE_RELU6] = "relu6", [PRUNE_REVLEAKY] = "revleaky",
    [PRUNE_NORM_CHANNELS] = "normalize_channels", [PRUNE_NORM_CHANNELS_SOFTMAX] = "normalize_channels_softmax",
    [PRUNE_NORM_CHANNELS_SOFTMAX_MAXVAL] = "normalize_channels_softmax_maxval",
};
enum { N_NAMES = sizeof names / sizeof *names };

const char *prune_activation_name(enum prune_activation activation)
{
    return (int)activation < 0 || (int)activation >= N_NAMES ? "unknown" : names[activation];
}

int prune_activation_find(const char *name, enum prune_activation *activation)
{
    for (int i = 0; i < N_NAMES; i++) {
        if (strcmp(names[i], name)) continue;
        *activation = (enum prune_activation)i;
        return 1;
    }
    return 0;
}

static double logistic(double x) { return 1 / (1 + exp(-x)); }

static double stair(double x)
{
    double below = floor(x);
    return fmod(below, 2) == 0 ? floor(x / 2) : x - below + floor(x / 2);
}

static double plse(double x)
{
    if (x < -4) return .01 * (x + 4);
    if (x > 4) return .01 * (x - 4) + 1;
    return .125 * x + .5;
}

static double lhtan(double x)
{
    if (x < 0) return .001 * x;
    if (x > 1) return .001 * (x - 1) + 1;
    return x;
}

static double mish(double x)
{
    double softplus = x > 20 ? x : x < -20 ? exp(x) : log(exp(x) + 1);
    return x * tanh(softplus);
}

static double hard_mish(double x)
{
    if (x > 0) return x;
    return x > -2 ? x * x / 2 + x : 0;
}

double prune_activate(enum prune_activation activation, double x)
{
    switch (activation) {
    case PRUNE_LINEAR_ACTIVATION: return x;
    case PRUNE_LOGISTIC_ACTIVATION: return logistic(x);
    case PRUNE_LOGGY: return 2 * logistic(x) - 1;
    case PRUNE_RELU: return x > 0 ? x : 0;
    case PRUNE_ELU: return x >= 0 ? x : exp(x) - 1;
    case PRUNE_SELU: return x >= 0 ? 1.0507 * x : 1.0507 * 1.6732 * (exp(x) - 1);
    case PRUNE_RELIE: return x > 0 ? x : .01 * x;
    case PRUNE_RAMP: return (x > 0 ? x : 0) + .1 * x;
    case PRUNE_LEAKY:
    case PRUNE_REVLEAKY: return x > 0 ? x : .1 * x;     /* they differ in the gradient */
    case PRUNE_TANH: return tanh(x);
    case PRUNE_PLSE: return plse(x);
    case PRUNE_STAIR: return stair(x);
    case PRUNE_HARDTAN: return x < -1 ? -1 : x > 1 ? 1 : x;
    case PRUNE_LHTAN: return lhtan(x);
    case PRUNE_SWISH: return x * logistic(x);
    case PRUNE_MISH: return mish(x);
    case PRUNE_HARD_MISH: return hard_mish(x);
    case PRUNE_GELU: return .5 * x * (1 + tanh(.797885 * x + .035677 * x * x * x));
    case PRUNE_RELU6: return x < 0 ? 0 : x > 6 ? 6 : x;
    case PRUNE_NORM_CHANNELS:
    case PRUNE_NORM_CHANNELS_SOFTMAX:
    case PRUNE_NORM_CHANNELS_SOFTMAX_MAXVAL: break;     /* not of one number alone */
    }
    return NAN;
}
