/* host.h - what the host files share: pruning as it hangs on a Darknet network (net->prune) */
#ifndef PRUNE_HOST_H
#define PRUNE_HOST_H

#include "prune.h"
#include "prune_hooks.h"

struct prune {
    struct prune_settings settings;
    struct prune_tensor *tensors;   /* of the layers that are pruned; none if pruning is not configured */
    int n_tensors;
    struct prune_array *arrays;     /* what the optimizer and the recovery rule hold, for the state */
    int n_arrays;
    struct prune_state state;
    int checked;                    /* the schedule was found to make sense for this training */
    enum prune_belongs found;       /* what the last load found beside the weights */
    struct prune_step last;         /* what the newest step did */
    float *rates;                   /* n layers: learning_rate_scale of those held fixed, while an update runs */
    struct prune_output pending;    /* the .prune file that waits for its weights to be renamed */
};

/* Hangs pruning on a network that Darknet has parsed from `cfg`; replaces what hung there. With settings that are not configured
 * nothing is pruned, but the state (momentum and the like) is still kept beside saved weights, so that `prune train` resumes. */
int prune_attach(network *net, const struct prune_cfg *cfg, const struct prune_settings *settings);

/* Fraction of zeros among prunable weights. */
double prune_sparsity_now(const struct prune *prune);

/* Verbs; argv[0] is the verb. Each returns PRUNE_OK or an error. */
int prune_train_command(int argc, char **argv);
int prune_eval_command(int argc, char **argv);

/* The training and the validation sets as batches (host_batches.c). */
struct prune_batches {
    const struct prune_images *images;
    int classes, w, h, c;
    size_t inputs;
    uint64_t seed;
    uint64_t epoch;                 /* whose order `order` is */
    int *order;                     /* n images shuffled for `epoch`, or NULL: file order */
};

/* Checks that images, classes and network fit together. `shuffle` gives every epoch an order of its own, from `seed` alone. */
int prune_batches_open(struct prune_batches *batches, const network *net, const struct prune_data *data, const struct prune_images *images, int shuffle, uint64_t seed);
void prune_batches_free(struct prune_batches *batches);

/* Image number `at` of the endless stream of epochs: its floats (inputs), and its class as one-hot `truth` (classes) if not NULL. Returns the class or an error. */
int prune_batches_get(struct prune_batches *batches, uint64_t at, float *input, float *truth);

struct prune_score {
    int images;
    double top1;                    /* percent */
    double loss;                    /* mean of -ln p(class) */
    double ms_per_image;
};

/* Accuracy over the whole set, `net->batch` images at a time. */
int prune_evaluate(network *net, struct prune_batches *batches, struct prune_score *score);

/* What a training run writes down, and draws (chart.c). */
struct prune_log_row {
    int iteration;
    double loss, rate, target, sparsity;
    double recovered;               /* weights brought back by the step at this iteration; negative: no step */
    double top1, valid_loss;        /* negative: not evaluated here */
};

int prune_chart(const char *csv, const char *base, const char *title);

#endif
