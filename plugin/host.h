/* host.h - what the host files share: pruning as it hangs on a Darknet network (net->prune) */
#ifndef PRUNE_HOST_H
#define PRUNE_HOST_H

#include "prune.h"
#include "prune_hooks.h"

char *get_layer_string(LAYER_TYPE type);    /* Darknet's, in a header that it keeps to itself */

/* Pruning of filters and channels (host_structure.c). */
struct prune_coupled {
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_channels channels;
    struct prune_structure structure;
    float *groups;                  /* (group, 2), as in the state: whether it is silent, its score */
};

struct prune {
    struct prune_settings settings;
    struct prune_coupled *coupled;  /* granularity filter and channel; else NULL */
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
    struct prune_codebook *codebooks;       /* n layers: values that weights share, while they are trained (host_finetune.c); else NULL */
};

/* Hangs pruning on a network that Darknet has parsed from `cfg`; replaces what hung there. With settings that are not configured
 * nothing is pruned, but the state (momentum and the like) is still kept beside saved weights, so that `prune train` resumes. */
int prune_attach(network *net, const struct prune_cfg *cfg, const struct prune_settings *settings);

/* Fraction of zeros among prunable weights, or of what the budget is in that is gone; and what the steps so far have aimed at. */
double prune_sparsity_now(const struct prune *prune);
double prune_target_now(const struct prune *prune);

/* Masks from what is exactly zero, for weights that come without a .prune file. */
void prune_masks_from_zeros(struct prune *prune);

int prune_coupled_attach(struct prune *prune, const network *net, const char *cfg_path);
void prune_coupled_free(struct prune *prune);
void prune_coupled_to_state(struct prune_coupled *coupled);
int prune_coupled_from_state(struct prune_coupled *coupled);    /* returns whether the weights agree with it */
int prune_coupled_step(struct prune *prune, network *net, int t, struct prune_step *done);
/* After name_final.weights or name.weights is saved (name: the cfg's): writes name_compact.cfg and .weights; does nothing for other names. */
int prune_coupled_compact(const struct prune_coupled *coupled, const char *filename);

/* What computes in place of Darknet's layers; net->engines, or NULL. */
struct prune_engines {
    struct prune_inference *inference;
    struct prune_training *training;
};

struct prune_engines *prune_engines_of(network *net);       /* makes it where there is none */

/* The fast path in a network's training (host_training.c). */
int prune_training_arm(network *net, int pruning);          /* DARKNET_FASTTRAIN: 0 off, 1 on, else on when `pruning`; begins with the first forward pass of a training. Returns whether it will. */
void prune_training_detach(network *net);                   /* Darknet's own pointers and arrays are back; it begins anew with the next pass */
void prune_training_free(network *net);
void prune_training_masks_changed(network *net);
int prune_training_spares(const network *net, const struct prune_tensor *tensor);   /* whether the pruned weights have no gradient in this iteration: nothing is to be zeroed */
void prune_training_update(network *net);                   /* before Darknet's own updates, which are left out for the layers that have had theirs */
void prune_training_outputs(network *net);                  /* brings the layers' l.output up to date */

/* Whether the recovery rule wants gradients to pruned weights in the iteration whose forward pass begins now, and whether it wants them in every one for some time. */
int prune_gradients_wanted(network *net);
int prune_gradients_always(const struct prune *prune);

/* The engine in a network's forward pass (host_inference.c). */
void prune_inference_restore(network *net);         /* dense weights and deltas as they were; planned anew when it comes to predict */
void prune_inference_loaded(network *net, const char *path);    /* the weights are those of that file: the engine looks at them when the network comes to its next forward pass */
void prune_inference_free(network *net);
const char *prune_inference_reason(const network *net, int layer);  /* what computes a layer, and why */
const char *prune_inference_kernels(const network *net);            /* their name; NULL where the engine does not run */
int prune_inference_threads(const network *net);
int prune_inference_save(const network *net, FILE *out);            /* its plans */

/* Values of options; `name` as the user types it. Usage errors name it and what is allowed. */
int prune_option_whole(const char *name, const char *value, long low, long high, long *number);
int prune_option_text(const char *name, const char *value, const char **text);

/* Verbs; argv[0] is the verb. Each returns PRUNE_OK or an error. */
int prune_train_command(int argc, char **argv);
int prune_eval_command(int argc, char **argv);
int prune_scan_command(int argc, char **argv);
int prune_bench_command(int argc, char **argv);
int prune_compact_command(int argc, char **argv);
int prune_pack_command(int argc, char **argv);
int prune_unpack_command(int argc, char **argv);
int prune_once_command(int argc, char **argv);      /* `darknet prune <cfg> <weights>`: argv[0] is the cfg */

/* A part of the last, for the automatic limit: weights and kernels; masks model->weights, with limits[layer] in place of the settings' sparsity if not NULL. */
int prune_once_weights(struct prune_model *model, const struct prune_settings *settings, const double *limits);

struct prune_limit_options {
    const char *weights_path, *data_path;
    const struct prune_settings *settings;
    double drop;                    /* percentage points of accuracy that may be lost */
    size_t images;                  /* of the validation set, the first so many */
};

/* Prunes as far as the accuracy allows (host_scan.c): changes model->weights and model->removed, ready to be written. */
int prune_limit_auto(struct prune_model *model, const struct prune_limit_options *options, struct prune_folding *folding);

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

/* Of a clock that only goes forward. */
double prune_seconds_now(void);

/* One iteration of Darknet's own training on the next batches of the stream. What dropout and the like draw with rand() depends on seed and iteration alone. A loss that is no
 * number is a fault. */
int prune_train_iteration(network *net, struct prune_batches *batches, uint64_t seed, uint64_t iteration, double *loss);

struct prune_score {
    int images;
    double top1;                    /* percent */
    double loss;                    /* mean of -ln p(class) */
    double ms_per_image;
};

/* Accuracy over the whole set, `net->batch` images at a time. */
int prune_evaluate(network *net, struct prune_batches *batches, struct prune_score *score);

/* A network in memory that is only looked at (host_live.c). */
struct prune_live {
    const struct prune_model *model;
    network *net;
    struct prune_params *params, *updates;  /* n layers: views into it */
    struct prune_data data;
    struct prune_images images;
    struct prune_batches batches;
    int detector;                           /* its images come from `paths` and have no class */
    char **paths;
    int n_paths;
};

/* `training`: the training set, shuffled, or the validation set in its order. `why` names what needs it, for the fault line. */
int prune_live_open(struct prune_live *live, const struct prune_model *model, const char *weights_path, const char *data_path, int training, const char *why);
void prune_live_free(struct prune_live *live);
void prune_live_load(struct prune_live *live, const struct prune_params *params);   /* copies them into the network */
int prune_live_observe(struct prune_live *live, struct prune_observed *observed);   /* until it is full */
int prune_live_taylor(struct prune_live *live, enum prune_granularity granularity, size_t images, double *scores); /* batch-norm's statistics change */
int prune_live_score(struct prune_live *live, size_t images, struct prune_score *score); /* over the first `images`, 0: all */

/* Values of codebooks, trained (host_finetune.c). */
struct prune_tuning {
    const char *weights_path, *data_path;
    int most;                       /* distinct values that a matrix of the model has, at most */
    int epochs;
    uint64_t seed;
    int threads;                    /* of BLAS; 0: its choice */
};

/* `model` has a graph and raw weights, whose matrices are codebooks already; those of weights_path are only looked at for their accuracy. Prints accuracy before and after on stdout. */
int prune_finetune(struct prune_model *model, const struct prune_tuning *tuning);
void prune_codebooks_before_update(network *net);
void prune_codebooks_after_update(network *net);
void prune_codebooks_free(network *net);

/* Where a layer's numbers are; NULL where it has none. */
void prune_view_layer(const layer *l, struct prune_params *params, struct prune_params *updates);

/* What a training run writes down, and draws (chart.c). */
struct prune_log_row {
    int iteration;
    double loss, rate, target, sparsity;
    double recovered;               /* weights brought back by the step at this iteration; negative: no step */
    double top1, valid_loss;        /* negative: not evaluated here */
};

int prune_chart(const char *csv, const char *base, const char *title);

#endif
