/* prune.h - pruning for Darknet: the public interface, in the order in which data flows
 *
 *   cfg text -> graph -> weight files -> output files -> settings -> schedule -> tensors -> selection -> scope -> mask -> state -> data -> report
 *
 * Nothing here knows darknet.h: the core works on plain arrays, cfg text and weight files, so that every part can be
 * tested alone. Only the files named host_*.c see Darknet's own structures.
 *
 * Manners. Functions return PRUNE_OK or a negative PRUNE_ERR_*; the one that finds a fault has already printed one
 * line about it (prune_fail). Strings and arrays in a struct belong to it and go with its _free function, which may be called on a struct that
 * was only zeroed. Shapes are written as (n, c, kh, kw). "Weights" are the entries of weight
 * matrices and filters; biases and batch-norm are never pruned and never counted as weights.
 */
#ifndef PRUNE_H
#define PRUNE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------------- messages -- */

enum prune_error {
    PRUNE_OK = 0,
    PRUNE_ERR_NOMEM = -1,       /* out of memory */
    PRUNE_ERR_IO = -2,          /* a file cannot be opened, read, written, synced or renamed */
    PRUNE_ERR_FORMAT = -3,      /* a file's bytes are not what its format says, or it is too short or too long */
    PRUNE_ERR_RANGE = -4,       /* a value is outside of what is allowed */
    PRUNE_ERR_SHAPE = -5,       /* two things that must fit together do not */
    PRUNE_ERR_UNSUPPORTED = -6, /* known, and refused */
    PRUNE_ERR_USAGE = -7,       /* the command line is wrong (exit 2; everything else is exit 1) */
    PRUNE_ERR_STOPPED = -8      /* a signal asked for the end; what was done is saved */
};

/* Prints "prune: <message>" as one line on stderr and returns `code`, so that a fault reads `return prune_fail(...)`. */
int prune_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints one line on stderr that is no fault. */
void prune_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---------------------------------------------------------------------------------------------------- cfg text -- */

struct prune_key {
    char *name, *value;         /* blanks removed everywhere, as Darknet's reader does */
    int line;                   /* 1-based */
};

struct prune_section {
    char *kind;                 /* "[convolutional]", as written */
    int line;
    struct prune_key *keys;     /* in file order */
    int n_keys;
};

struct prune_cfg {
    char *path;
    struct prune_section *sections; /* [0] is [net] */
    int n_sections;
};

/* Reads a cfg of any Darknet fork. Refuses what is no cfg: a key before any section, a line without '=', no [net]. */
int prune_cfg_read(struct prune_cfg *cfg, const char *path);
void prune_cfg_free(struct prune_cfg *cfg);

/* The value of the first key of that name (Darknet takes the first), or NULL. */
const char *prune_cfg_find(const struct prune_section *section, const char *name);

/* Whole numbers and reals; `fallback` when the key is absent. A value that is no number is a fault (Darknet reads it as 0); a # comment behind
 * the number is none. */
int prune_cfg_int(const struct prune_cfg *cfg, const struct prune_section *section, const char *name, int fallback, int *value);
int prune_cfg_float(const struct prune_cfg *cfg, const struct prune_section *section, const char *name, float fallback, float *value);

/* The numbers of a comma-separated value, all whole or all real, in a new array that the caller frees; NULL and 0 when the key is absent. */
int prune_cfg_list(const struct prune_cfg *cfg, const struct prune_section *section, const char *name, int whole, double **values, int *n_values);

/* prune_fail with the place in front: "net.cfg:12: layer 3 [convolutional]: <message>". The line is that of the section's key `name`, or of its head when
 * `name` is NULL or no key. */
int prune_cfg_fail(int code, const struct prune_cfg *cfg, const struct prune_section *section, const char *name, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* ------------------------------------------------------------------------------------------------------- graph -- */

enum prune_kind {               /* what a layer is; names as in prune_kind_name */
    PRUNE_UNKNOWN, PRUNE_CONVOLUTIONAL, PRUNE_DECONVOLUTIONAL, PRUNE_CONNECTED, PRUNE_LOCAL, PRUNE_BATCHNORM, PRUNE_MAXPOOL,
    PRUNE_AVGPOOL, PRUNE_DROPOUT, PRUNE_SOFTMAX, PRUNE_COST, PRUNE_CROP, PRUNE_ROUTE, PRUNE_SHORTCUT, PRUNE_UPSAMPLE, PRUNE_REORG,
    PRUNE_ACTIVATION, PRUNE_LOGISTIC, PRUNE_L2NORM, PRUNE_NORMALIZATION, PRUNE_DETECTION, PRUNE_REGION, PRUNE_YOLO, PRUNE_ISEG,
    PRUNE_RNN, PRUNE_GRU, PRUNE_LSTM, PRUNE_CRNN
};

struct prune_node {             /* one layer, as the cfg text says it */
    enum prune_kind kind;
    const struct prune_section *section;
    int w, h, c;                /* input (c, h, w): the output of the layer before, or the network's input; all 0 when it is flat */
    int out_w, out_h, out_c;    /* output; all 0 when it is flat */
    size_t inputs, outputs;     /* floats per image */
    int filters, size, stride, pad, groups; /* convolutional and the like; pad in pixels (maxpool: both sides together); groups 1 unless said */
    int batch_normalize;
    int *from, n_from;          /* route and shortcut: absolute layer indices */
    size_t n_weights;           /* entries of weight matrices: convolutional filters * c/groups * size * size, connected outputs * inputs */
    size_t n_biases;            /* all others in a .weights file: biases, and scales, means and variances where batch_normalize */
    size_t n_floats;            /* what the layer takes in a .weights file; 0 with dontsave */
    uint64_t macs;              /* multiply-accumulates per image (recurrent: per time step), all weights non-zero, also those that meet padding: n_weights times
                                 * the places where each is used. Batch-norm, biases, activations and pooling are not counted. */
};

struct prune_graph {
    const struct prune_cfg *cfg;
    struct prune_node *nodes;   /* [0] is the first layer after [net] */
    int n_nodes;
    int batch, subdivisions, max_batches; /* as the cfg says them */
    int w, h, c;                /* network input */
    size_t inputs;
};

const char *prune_kind_name(enum prune_kind kind); /* "convolutional" */

/* Works out every layer's shape from the text alone. What Darknet would crash on, read out of bounds or silently take for something
 * else is refused in one line with file, line and layer: an unknown section, groups that do not divide, a route or shortcut to a layer that is not
 * there, steps without as many scales, batch < subdivisions, anchors that do not fit, an activation it does not know, keys of other forks that change
 * shapes, sizes below 1 or beyond what its ints hold. `cfg` must outlive the graph. */
int prune_graph_build(struct prune_graph *graph, const struct prune_cfg *cfg);
void prune_graph_free(struct prune_graph *graph);

/* ------------------------------------------------------------------------------------------------ weight files -- */

/* The order of floats in a .weights file, per layer:
 *   convolutional, deconvolutional: biases, [scales, means, variances], weights
 *   connected: biases, weights, [scales, means, variances]
 *   batchnorm: scales, means, variances;  local: biases, weights;  recurrent: their inner layers in turn
 * before them: int32 major, minor, revision, then seen: 64 bits if major*10+minor >= 2 (and both < 1000), else 32. */

struct prune_weights {
    int32_t major, minor, revision;
    uint64_t seen;              /* images trained on */
    size_t header_bytes;        /* 16 or 20 */
    float *floats;              /* everything after the header, in file order */
    size_t n_floats;
    const float **weights;      /* per node, into `floats`: its n_weights weights, or NULL where it has none, or not in one piece (recurrent) */
};

/* Reads and checks: the length must be exactly the graph's. `prune_weights_check` only looks at the header and the length. With `partial`, a file
 * that ends at a layer's border is right too (darknet53.conv.74). The fault names file, layer, expected and found bytes. Weights that lie transposed
 * in the file (version above 1000, flipped=1) are turned. Keys that make Darknet load other floats than it saves are refused: numload, dontloadscales, and
 * dontload and dontsave unless both. */
int prune_weights_check(const struct prune_graph *graph, const char *path, int partial);
int prune_weights_read(struct prune_weights *weights, const struct prune_graph *graph, const char *path);
void prune_weights_free(struct prune_weights *weights);

/* How many of a layer's n_weights are not 0; all, where the file does not have them (dontsave). */
size_t prune_weights_nonzero(const struct prune_weights *weights, const struct prune_graph *graph, int layer);

/* -------------------------------------------------------------------------------------------------- output files -- */

/* An output is written under a temporary name beside its own, synced, then renamed, so that a reader meets the old file or the new one. */
struct prune_output {
    FILE *file;
    char *path, *temporary;     /* temporary: path + ".tmp" */
};

int prune_output_open(struct prune_output *out, const char *path);
int prune_output_sync(struct prune_output *out);    /* flush, check, fsync, close: all of it is on the disk under the temporary name */
int prune_output_commit(struct prune_output *out);  /* sync if that is still to do, rename, sync the folder; frees `out` */
void prune_output_abandon(struct prune_output *out); /* removes the temporary file; frees `out`; does nothing after a commit */

/* ---------------------------------------------------------------------------------------------------- settings -- */

enum prune_curve { PRUNE_LOG, PRUNE_CUBIC, PRUNE_LINEAR, PRUNE_GEOMETRIC };
enum prune_scope { PRUNE_LAYER, PRUNE_GLOBAL, PRUNE_LAMP, PRUNE_ERK };
enum prune_criterion { PRUNE_MAGNITUDE };
enum prune_rule { PRUNE_NONE, PRUNE_GRADIENT, PRUNE_RESTORE, PRUNE_SHADOW };
enum prune_order { PRUNE_TOGETHER, PRUNE_CONVOLUTIONAL_THEN_CONNECTED };
enum prune_granularity { PRUNE_WEIGHT };

struct prune_settings {
    int configured;             /* some prune_* key of [net] or option was given */
    int layer_limits;           /* some layer has a prune_sparsity of its own */
    float sparsity;             /* s_max in [0,1): final fraction of zeros among prunable weights */
    int steps;                  /* T, 1..10000 */
    float recover;              /* rho in [0,1]: largest share of a step's survivors that may be weights that come back */
    int start, end;             /* iterations; end -1 = 0.7 * max_batches */
    enum prune_curve curve;
    enum prune_scope scope;
    enum prune_criterion criterion;
    enum prune_rule rule;
    enum prune_order order;
    enum prune_granularity granularity;
};

void prune_settings_default(struct prune_settings *settings);

/* The prune_* keys of [net]. Every key that starts with "prune" and is not known, in [net] or in a layer, is a fault that names it. */
int prune_settings_from_cfg(struct prune_settings *settings, const struct prune_cfg *cfg);

/* Whether the layer of that (checked) section is to be pruned, and its own s_max in `limit`, negative if it has none. */
int prune_settings_layer(const struct prune_section *section, float *limit);

/* One option of the command line, its name without dash: `sparsity`, `steps`, ... (the keys without "prune_"). Returns 1 if it was one of ours and taken, 0 if the name is unknown, negative on a bad value. */
int prune_settings_option(struct prune_settings *settings, const char *name, const char *value);

/* Fills `end` where it was not given. */
void prune_settings_default_end(struct prune_settings *settings, int max_batches);

/* The same, and checks what only the whole can tell: start < end <= max_batches, and a step for each kind if there is an order. For training:
 * a network that is only looked at needs no schedule. */
int prune_settings_finish(struct prune_settings *settings, int max_batches);

/* Writes the settings as one line of key=value, the same line for the same settings: progress, .prune files. `bytes` is the size of `line`. */
void prune_settings_line(const struct prune_settings *settings, char *line, size_t bytes);

/* The keys and options with range, default and meaning, for `darknet prune help`. */
void prune_settings_help(FILE *out);

/* ---------------------------------------------------------------------------------------------------- schedule -- */

/* Sparsity that step t of T (0..T) aims at; 0 at t = 0, s_max at t = T.
 *   log        s_max * ln(1+t)/ln(1+T)             the paper's curve as this project reconstructs it
 *   cubic      s_max * (1-(1-t/T)^3)               Zhu and Gupta, 2017 ("To prune, or not to prune")
 *   linear     s_max * t/T
 *   geometric  1-(1-s_max)^(t/T)                   the same share of survivors goes at every step */
double prune_schedule_target(enum prune_curve curve, double s_max, int t, int steps);

/* Iteration at which step t (1..T) runs: start + t*(end-start)/T, rounded down: evenly, the last at `end`. */
int prune_schedule_iteration(const struct prune_settings *settings, int t);

/* The last step due at or before `iteration` (0 if none). */
int prune_schedule_step(const struct prune_settings *settings, int iteration);

/* rho_t: rho * max(0, 1 - t/(0.8*T)): recovery fades and the last fifth of the steps recover nothing. */
double prune_schedule_recover(double rho, int t, int steps);

struct prune_phase {            /* what step t of T is about */
    enum prune_kind kind;       /* the kind of layer that it prunes; PRUNE_UNKNOWN: both */
    int t, steps;               /* its place on that kind's own curve */
};

/* With order convolutional,connected the kinds have the two halves of the steps; else every step is about both. */
struct prune_phase prune_schedule_phase(const struct prune_settings *settings, int t);

/* The kind of layer whose weights are held fixed in `iteration` because it is the other kind's turn; PRUNE_UNKNOWN: none. */
enum prune_kind prune_schedule_fixed(const struct prune_settings *settings, int iteration);

/* ----------------------------------------------------------------------------------------------------- tensors -- */

/* One prunable weight array of the network and what pruning keeps beside it. The arrays that training owns are views. */
struct prune_tensor {
    const char *name;           /* "3 convolutional" */
    int layer;                  /* index in the network */
    enum prune_kind kind;       /* PRUNE_CONVOLUTIONAL or PRUNE_CONNECTED */
    int out, in, kh, kw;        /* (out, in, kh, kw); `in` per group; connected: kh = kw = 1 */
    size_t n;                   /* out * in * kh * kw */
    float *weights;             /* n, view */
    float *momentum;            /* n, view: Darknet's weight_updates, which holds momentum * old + (negative gradient) between backward and update */
    float *moment1, *moment2;   /* n, views: Adam's, or NULL */
    uint8_t *mask;              /* n: 1 active, 0 pruned */
    size_t active;              /* number of ones in mask */
    float *memory;              /* n, or NULL with rule none: of a pruned weight, what its recovery rule remembers */
    float limit;                /* own s_max (layer key prune_sparsity), or negative: shares the network's */
};

/* ---------------------------------------------------------------------------------------------------- selection -- */

/* The k largest of many without sorting or copying them: a radix histogram over 32-bit keys, three passes (11, 11 and 10 bits).
 * A key function gives candidate i of a tensor its key, or 0 when i is no candidate; `bar` is whatever it compares with. */
typedef uint32_t (*prune_key)(const struct prune_tensor *tensor, size_t i, float bar);

uint32_t prune_key_active(const struct prune_tensor *tensor, size_t i, float bar); /* active weights by |w| */

struct prune_cut {
    uint32_t key;               /* fewer than k candidates have a larger key, at least k have this or a larger one; 0 if there are no more than k */
    size_t above;               /* candidates with a larger key */
    size_t candidates;
};

void prune_select_cut(struct prune_tensor *const *tensors, int n_tensors, prune_key key, float bar, size_t k, struct prune_cut *cut);

/* ------------------------------------------------------------------------------------------------------- scope -- */

/* How many weights each tensor keeps, so that exactly round((1-target)*n) survive: of all that share the budget, or with scope `layer` of each.
 * Only active weights compete: keep[i] never exceeds tensor i's active count (then fewer survive). In the network-wide scopes no tensor
 * ends with none: each keeps a tenth of the average density and 32 weights, as far as it has them and the budget allows.
 *   layer   every tensor the same sparsity
 *   global  one threshold on |w|
 *   lamp    one threshold on w_u^2 / sum of w_v^2 over w_u and what ranks above it             Lee et al., 2021, eq. 5
 *   erk     density in proportion to (out + in + kh + kw) / n, connected (out + in) / n       Mocanu et al., 2018; Evci et al., 2020
 * While it runs, lamp holds 4 bytes more per weight, and 4 more per weight of the largest tensor. */
int prune_scope_keep(enum prune_scope scope, double target, struct prune_tensor *const *tensors, int n_tensors, size_t *keep);

/* -------------------------------------------------------------------------------------------------------- mask -- */

/* What each recovery rule remembers of a pruned weight in `memory`, and which pruned weights it brings back, at most rho_t of a tensor's survivors:
 *   none      nothing, none
 *   gradient  the sum of its negative gradients since the last step; where that is largest, starting again from 0     Evci et al., 2020
 *   restore   its value when pruned; where the predicted fall of the loss, negative gradient * value, is largest and above 0, at that value
 *   shadow    a value that goes on training; where it has grown past the weights it would replace, by the band 1.1/0.9     Guo et al., 2016 */

struct prune_step {             /* what one step did, summed over tensors */
    int t;
    double target, achieved;    /* fraction of zeros among prunable weights */
    size_t n, pruned, recovered;
};

/* What step t aims at over all tensors, each by its own limit and turn. */
double prune_mask_target(const struct prune_tensor *tensors, int n_tensors, const struct prune_settings *settings, int t);

/* Step t: recover, then prune, so that each tensor has exactly its share of survivors. Runs after backward and before the update,
 * when `momentum` of a pruned weight is the plain negative gradient. */
int prune_mask_step(struct prune_tensor *tensors, int n_tensors, const struct prune_settings *settings, int t, struct prune_step *done);

/* Before an optimizer update, after the step if one is due: takes the gradient of pruned weights away, so that plain SGD leaves them at 0; rule gradient adds
 * it up, rule shadow puts the shadow in the weight's place instead, to be trained. */
void prune_mask_before_update(struct prune_tensor *tensor, enum prune_rule rule);

/* After it: rule shadow takes the shadow out again; with Adam, pruned weights and moments are set to 0. From here to the next backward pass
 * pruned weights, their momentum and their moments are exactly 0. */
void prune_mask_after_update(struct prune_tensor *tensor, enum prune_rule rule);

/* Mask from exact zeros, for weights that come without a .prune file. */
void prune_mask_from_zeros(struct prune_tensor *tensor);

/* ------------------------------------------------------------------------------------------------------- state -- */

/* name.prune beside name.weights: all that a stopped training needs, besides the weights, to go on to the same bits.
 * The layout is told at the head of state.c. */

enum prune_role {               /* what an array of a layer is; the numbers stand in files */
    PRUNE_WEIGHT_UPDATES = 1, PRUNE_BIAS_UPDATES, PRUNE_SCALE_UPDATES, PRUNE_MOMENT1, PRUNE_MOMENT2, PRUNE_BIAS_MOMENT1, PRUNE_BIAS_MOMENT2,
    PRUNE_SCALE_MOMENT1, PRUNE_SCALE_MOMENT2, PRUNE_MEMORY
};

struct prune_array {            /* an array of the optimizer or of a recovery rule; a view */
    int layer;
    enum prune_role role;
    size_t n;
    float *values;
    const struct prune_tensor *tensor;  /* if set: only the active weights' values are stored, or with PRUNE_MEMORY only the pruned ones'; the others are 0 */
};

struct prune_state {
    uint64_t seed;
    int32_t threads;
    int32_t step;               /* last step that was run */
    int32_t optimizer_t;        /* Darknet's *net->t */
    float best_top1;            /* percent, of the weights kept as _best; negative: none yet */
    double loss_sum;            /* of the epoch under way */
    uint64_t loss_iterations;
    char settings[512];         /* prune_settings_line */
};

/* The .prune file's name for a weight file: ".weights" at the end becomes ".prune", any other name gets it appended. Caller frees; NULL: out of memory. */
char *prune_state_path(const char *weights);

/* Writes a state that belongs to the bytes of the file `weights`. */
int prune_state_write(FILE *out, const struct prune_state *state, const char *weights, const struct prune_tensor *tensors, int n_tensors,
                      const struct prune_array *arrays, int n_arrays);

/* Before a new temporary file is written for `weights`: gives the one that is there its name, if it belongs to the weights of now. A run that was
 * killed between the two renames has its only state there. */
int prune_state_adopt(const char *weights);

/* CRC-32 and length of a file. */
struct prune_fingerprint {
    uint64_t bytes;
    uint32_t crc;
};
int prune_fingerprint_take(struct prune_fingerprint *print, const char *path);

enum prune_belongs { PRUNE_ABSENT, PRUNE_OTHER_SETTINGS, PRUNE_TAKEN };

/* Finds the state that belongs to `weights`, under its name or, if the training was killed between its two renames, under its temporary one, and takes
 * masks, arrays and `state` from it. Returns PRUNE_ABSENT if there is none, PRUNE_OTHER_SETTINGS if state->settings (set by the
 * caller) are not those it was written with: then nothing but `state` is changed. A .prune that is damaged, belongs to other bytes or to another network is a fault. */
int prune_state_read(struct prune_state *state, const char *weights, struct prune_tensor *tensors, int n_tensors, const struct prune_array *arrays, int n_arrays);

/* -------------------------------------------------------------------------------------------------------- data -- */

enum prune_data_format { PRUNE_IDX, PRUNE_CIFAR, PRUNE_LIST };

struct prune_images {           /* one labelled set; bytes are kept as they are on disk and become floats per batch */
    int n, w, h, c;
    uint8_t *pixels;            /* (n, c, h, w), planar; NULL for a list */
    uint8_t *labels;            /* n, < classes; NULL for a list: uint8_t holds up to 256 classes */
    char **paths;               /* n, for a list; else NULL */
    int *path_labels;           /* n, for a list */
};

struct prune_data {             /* a data file: key=value lines as in Darknet's .data files */
    char *path;
    enum prune_data_format format;
    int classes;
    char *backup;               /* folder for weights; NULL if not given */
    char *train, *train_labels, *valid, *valid_labels, *labels; /* paths as written; lists of files for cifar are comma separated */
};

/* Keys: format=idx|cifar|list (default list), classes, train, valid, backup; idx: train_labels, valid_labels; list: labels. A missing key is a fault that
 * names it; those of the training set are only needed with `training`. */
int prune_data_read(struct prune_data *data, const char *path, int training);
void prune_data_free(struct prune_data *data);

/* Reads a set whole (idx, plain or gzip; cifar: records of 1 + 3072 bytes; list: the paths and the class of each). Checks magic, counts, lengths and labels. */
int prune_images_read(struct prune_images *images, const struct prune_data *data, int training);
void prune_images_free(struct prune_images *images);

/* -------------------------------------------------------------------------------------------------- report, charts -- */

/* What a layer or a network costs with all its weights, and what it would if every zero were skipped.
 * Energy is an estimate for one image on a 45 nm chip with 32-bit floats (Horowitz, ISSCC 2014; Han et al., NIPS 2015): each weight and bias is read from
 * DRAM once, 640 pJ; each multiply-accumulate is a multiplication, 3.7 pJ, an addition, 0.9 pJ, and two reads from SRAM (weight, input), 5 pJ each. Inputs and
 * outputs in DRAM, the positions of non-zero weights and everything that is no multiply-accumulate are not counted. */
struct prune_cost {
    uint64_t weights, nonzero, biases;  /* biases: with batch-norm's scales, means and variances */
    uint64_t macs, macs_nonzero;        /* multiply-accumulates per image; of a layer: macs * nonzero / weights */
    uint64_t bytes, bytes_nonzero;      /* 4 * (weights or nonzero + biases) */
    double energy_pj, energy_nonzero_pj;
};

struct prune_cost prune_report_layer(const struct prune_graph *graph, const struct prune_weights *weights, int layer);
struct prune_cost prune_report_total(const struct prune_graph *graph, const struct prune_weights *weights);

/* Write the report to `out`: a table of the layers that have weights and the total, for people; an object with all layers, for programs; a picture with a
 * bar per layer. */
int prune_report_text(FILE *out, const struct prune_graph *graph, const struct prune_weights *weights);
int prune_report_json(FILE *out, const struct prune_graph *graph, const struct prune_weights *weights);
int prune_report_svg(FILE *out, const struct prune_graph *graph, const struct prune_weights *weights);

#ifdef __cplusplus
}
#endif
#endif
