/* train.c - seconds of training iterations, the same batch of random images again and again
 *
 * train <cfg> dense                              a network without pruning
 * train <cfg> static <sparsity>                  that share of the weights of every convolutional and connected layer is 0, at random places, and stays so
 * train <cfg> schedule <sparsity> <iterations>   pruned to there by the default schedule and rule in a run of so many iterations
 *
 * After two iterations to warm up it says "train: ready". Each line "go <n>" on stdin is answered with "train: seconds" and the times of n iterations. When stdin ends it checks that the loss
 * was always a number and has fallen (but on a schedule, where each step raises it), and that what is pruned is 0 and is as much as it should be; then it says "train: peak_mb <most memory that was used>".
 * A check that fails is a line on stderr and exit status 1.
 */
#include "host.h"
#include "timing.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

enum { WARM_UP = 2 };

struct run {
    network *net;
    double sparsity;            /* what was asked for; 0: dense */
    int iterations;             /* on a schedule, else 0 */
    int done;                   /* of them */
    double first_loss, loss;
    int is_finite;              /* every loss so far */
};

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33) % below;
}

/* Weights of a layer that is pruned; NULL for all others. */
static float *weights_of(const layer *l, size_t *n)
{
    if (l->type != CONVOLUTIONAL && l->type != CONNECTED) return NULL;
    *n = l->type == CONNECTED ? (size_t)l->inputs * (size_t)l->outputs : (size_t)l->nweights;
    return l->weights;
}

/* Calls for each weight in turn, with whether it is one of the zeros: exactly round(sparsity * n) of a layer, any choice as likely as any other, and the same at every call. */
static int for_each_weight(const struct run *run, int (*visit)(float *weight, int is_zero, float scale))
{
    state = 1;
    for (int i = 0; i < run->net->n; i++) {
        size_t n = 0;
        float *weights = weights_of(&run->net->layers[i], &n);
        size_t zeros = (size_t)llround(run->sparsity * (double)n);
        float scale = (float)sqrt(1 / (1 - run->sparsity));
        for (size_t left = n; weights && left; left--) {
            int is_zero = draw(left) < zeros;
            zeros -= (size_t)is_zero;
            if (!visit(weights + n - left, is_zero, scale)) return 0;
        }
    }
    return 1;
}

/* Those that are left are scaled, so that outputs are as large as those of the dense layer. */
static int set_zero(float *weight, int is_zero, float scale)
{
    *weight = is_zero ? 0 : *weight * scale;
    return 1;
}

static int is_as_set(float *weight, int is_zero, float scale)
{
    (void)scale;
    return (*weight == 0) == is_zero;
}

static void iterate(struct run *run)
{
    run->loss = (double)train_network_datum(run->net) / run->net->batch;
    run->is_finite &= isfinite(run->loss) != 0;
}

/* A schedule of one step that has run. */
static int attach_static(struct run *run, const struct prune_cfg *cfg, struct prune_settings *settings)
{
    settings->steps = settings->end = 1;
    for_each_weight(run, set_zero);
    if (prune_attach(run->net, cfg, settings)) return 0;
    prune_masks_from_zeros(run->net->prune);
    run->net->prune->state.step = settings->steps;
    return 1;
}

static int attach(struct run *run, const char *path)
{
    struct prune_cfg cfg = { 0 };
    struct prune_settings settings;
    char sparsity[32];
    prune_settings_default(&settings);
    snprintf(sparsity, sizeof sparsity, "%.7g", run->sparsity);
    int ok = !prune_cfg_read(&cfg, path) && prune_settings_option(&settings, "sparsity", sparsity) == 1;
    if (run->iterations) run->net->max_batches = run->iterations;
    if (ok) ok = run->iterations ? !prune_attach(run->net, &cfg, &settings) : attach_static(run, &cfg, &settings);
    prune_cfg_free(&cfg);
    return ok;
}

static void make_batch(network *net)
{
    state = 2;
    for (int i = 0; i < net->inputs * net->batch; i++) net->input[i] = (float)draw(1 << 24) / (1 << 24) - .5F;
    for (int b = 0; b < net->batch; b++) net->truth[b * net->truths + (int)draw((uint64_t)net->truths)] = 1;
}

static int warm_up(struct run *run)
{
    for (int i = 0; i < WARM_UP; i++) {
        iterate(run);
        if (i == 0) run->first_loss = run->loss;
    }
    if (!run->iterations) return 1;
    if (run->net->prune->state.step) {
        fprintf(stderr, "train: a schedule of %d iterations has a step in its first %d\n", run->iterations, WARM_UP);
        return 0;
    }
    *run->net->seen = 0;        /* the schedule begins with the first iteration that is timed */
    return 1;
}

static void take_turns(struct run *run)
{
    char line[64];
    int n;
    while (fgets(line, sizeof line, stdin) && sscanf(line, "go %d", &n) == 1) {
        printf("\ntrain: seconds");
        for (int i = 0; i < n; i++, run->done++) {
            double start = milliseconds();
            iterate(run);
            printf(" %.6f", 1e-3 * (milliseconds() - start));
        }
        printf("\n");
        fflush(stdout);
    }
}

static int zeros_hold(const struct prune *prune)
{
    for (int i = 0; i < prune->n_tensors; i++)
        for (size_t j = 0; j < prune->tensors[i].n; j++)
            if (!prune->tensors[i].mask[j] && prune->tensors[i].weights[j] != 0) return 0;
    return 1;
}

/* What is wrong with the network in the end, or NULL. */
static const char *fault(const struct run *run)
{
    const struct prune *prune = run->net->prune;
    if (!run->is_finite) return "a loss was no number";
    if (!run->iterations && run->loss >= run->first_loss) return "the loss has not fallen";
    if (run->sparsity > 0 && !run->iterations && !for_each_weight(run, is_as_set)) return "zeros have moved";
    if (!run->iterations) return NULL;
    if (!zeros_hold(prune)) return "a pruned weight is not 0";
    if (run->done < run->iterations) return "the schedule has not come to its end";
    return fabs(prune_sparsity_now(prune) - run->sparsity) < 1e-4 ? NULL : "the schedule has not reached its sparsity";
}

int main(int argc, char **argv)
{
    struct run run = { .is_finite = 1 };
    int is_dense = argc == 3 && !strcmp(argv[2], "dense"), is_static = argc == 4 && !strcmp(argv[2], "static");
    int is_schedule = argc == 5 && !strcmp(argv[2], "schedule");
    if (!is_dense && !is_static && !is_schedule) return 2;
    if (!is_dense) run.sparsity = atof(argv[3]);
    if (is_schedule) run.iterations = atoi(argv[4]);

    srand(1);
    run.net = parse_network_cfg(argv[1]);
    if (!is_dense && !attach(&run, argv[1])) return 1;
    make_batch(run.net);
    if (!warm_up(&run)) return 1;
    printf("\ntrain: ready\n");
    fflush(stdout);
    take_turns(&run);

    const char *wrong = fault(&run);
    if (wrong) {
        fprintf(stderr, "train: %s %s: %s (loss %g, at first %g)\n", argv[1], argv[2], wrong, run.loss, run.first_loss);
        return 1;
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("\ntrain: peak_mb %.1f\n", 1024e-6 * (double)usage.ru_maxrss);
    fprintf(stderr, "train: %s %s: loss %g, at first %g\n", argv[1], argv[2], run.loss, run.first_loss);
    return 0;
}
