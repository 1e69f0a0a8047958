/* test_activation.c - names and values of the activation functions */
#include "reading.h"

#include <math.h>

static void values_and_names(void **state)
{
    (void)state;
    const struct { enum prune_activation activation; const char *name; double at[4]; } rows[] = {  /* at -3, 0, 0.5, 7 */
        { PRUNE_LINEAR_ACTIVATION, "linear", { -3, 0, .5, 7 } },
        { PRUNE_LOGISTIC_ACTIVATION, "logistic", { .047425873, .5, .622459331, .999088949 } },
        { PRUNE_LOGGY, "loggy", { -.905148254, 0, .244918662, .998177898 } },
        { PRUNE_RELU, "relu", { 0, 0, .5, 7 } },
        { PRUNE_ELU, "elu", { -.950212932, 0, .5, 7 } },
        { PRUNE_SELU, "selu", { -1.670504018, 0, .52535, 7.3549 } },
        { PRUNE_RELIE, "relie", { -.03, 0, .5, 7 } },
        { PRUNE_RAMP, "ramp", { -.3, 0, .55, 7.7 } },
        { PRUNE_LEAKY, "leaky", { -.3, 0, .5, 7 } },
        { PRUNE_TANH, "tanh", { -.995054754, 0, .462117157, .999998337 } },
        { PRUNE_PLSE, "plse", { .125, .5, .5625, 1.03 } },
        { PRUNE_STAIR, "stair", { -2, 0, 0, 3 } },
        { PRUNE_HARDTAN, "hardtan", { -1, 0, .5, 1 } },
        { PRUNE_LHTAN, "lhtan", { -.003, 0, .5, 1.006 } },
        { PRUNE_SWISH, "swish", { -.142277620, 0, .311229666, 6.993622642 } },
        { PRUNE_MISH, "mish", { -.145647461, 0, .375245211, 6.999988380 } },
        { PRUNE_HARD_MISH, "hard_mish", { 0, 0, .5, 7 } },
        { PRUNE_GELU, "gelu", { -.003637, 0, .345714, 7 } },
        { PRUNE_RELU6, "relu6", { 0, 0, .5, 6 } },
        { PRUNE_REVLEAKY, "revleaky", { -.3, 0, .5, 7 } },
    };
    const double xs[] = { -3, 0, .5, 7 };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        assert_string_equal(prune_activation_name(rows[r].activation), rows[r].name);
        for (int i = 0; i < 4; i++) {
            double got = prune_activate(rows[r].activation, xs[i]);
            if (!(fabs(got - rows[r].at[i]) < 1e-6)) fail_msg("%s(%g) is %.9f, expected %.9f", rows[r].name, xs[i], got, rows[r].at[i]);
        }
    }
    assert_true(fabs(prune_activate(PRUNE_STAIR, 1.25) - .25) < 1e-12);
    assert_true(fabs(prune_activate(PRUNE_HARD_MISH, -1) + .5) < 1e-12);
    assert_true(fabs(prune_activate(PRUNE_MISH, 1000) - 1000) < 1e-9);
    assert_true(fabs(prune_activate(PRUNE_TANH, 1000) - 1) < 1e-12);
    assert_true(isnan(prune_activate(PRUNE_NORM_CHANNELS, 0)));
    assert_string_equal(prune_activation_name(PRUNE_NORM_CHANNELS_SOFTMAX_MAXVAL), "normalize_channels_softmax_maxval");
    assert_string_equal(prune_activation_name((enum prune_activation)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(values_and_names) };
    return cmocka_run_group_tests_name("activation", tests, NULL, NULL);
}
