/* prune.h - pruning for Darknet: the public interface, in the order in which data flows
 *
 *   cfg text -> graph -> channels -> weight files -> output files -> settings -> schedule
 *   weights:  -> tensors -> selection -> scope -> mask -> state
 *   channels: -> criteria -> budget -> silence -> constants -> compaction
 *   weights:  -> quantisation -> packed weights
 *   -> data -> report
 *   weights:  -> predictions: engine.h, which plans and runs layers by the kernels of conv.h, connected.h and layers.h
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

/* Whether a numeric key is there and not 0, for cfgs of which a graph was built: it has checked that it is a number. */
int prune_cfg_is_set(const struct prune_cfg *cfg, const struct prune_section *section, const char *name);

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
    PRUNE_RNN, PRUNE_GRU, PRUNE_LSTM, PRUNE_CRNN,
    /* of AlexeyAB's and hank-ai's forks alone; their [reorg] is PRUNE_REORG, their [reorg3d] is this one */
    PRUNE_REORG3D, PRUNE_SCALE_CHANNELS, PRUNE_SAM, PRUNE_LOCAL_AVGPOOL, PRUNE_IMPLICIT, PRUNE_GAUSSIAN_YOLO, PRUNE_CONTRASTIVE,
    PRUNE_CONV_LSTM, PRUNE_HISTORY, PRUNE_EMPTY
};

enum prune_activation {         /* names as in cfgs; those from PRUNE_SWISH on are other forks' */
    PRUNE_LINEAR_ACTIVATION, PRUNE_LOGISTIC_ACTIVATION, PRUNE_LOGGY, PRUNE_RELU, PRUNE_ELU, PRUNE_SELU, PRUNE_RELIE, PRUNE_RAMP, PRUNE_LEAKY,
    PRUNE_TANH, PRUNE_PLSE, PRUNE_STAIR, PRUNE_HARDTAN, PRUNE_LHTAN,
    PRUNE_SWISH, PRUNE_MISH, PRUNE_HARD_MISH, PRUNE_GELU, PRUNE_RELU6, PRUNE_REVLEAKY,
    PRUNE_NORM_CHANNELS, PRUNE_NORM_CHANNELS_SOFTMAX, PRUNE_NORM_CHANNELS_SOFTMAX_MAXVAL  /* of all channels together, so prune_activate knows them not */
};

enum prune_dialect {            /* whose cfg it is */
    PRUNE_THIS_DARKNET,         /* pjreddie's, which this Darknet is: what it does not know is a fault */
    PRUNE_PJREDDIE,             /* a cfg that is only rewritten, never run: kinds and keys of all forks are understood, and unknown kinds are let through */
    PRUNE_ALEXEYAB              /* the same; and a [batchnorm] saves biases too, before its scales, a gru its input's matrices first, an rnn has hidden=1 unless said, xnor
                                 * switches groups off, and dontsave, numload, and a reorg's flatten and extra are not known */
};

struct prune_node {             /* one layer, as the cfg text says it */
    enum prune_kind kind;
    const struct prune_section *section;
    int w, h, c;                /* input (c, h, w): the output of the layer before, or the network's input; all 0 when it is flat */
    int out_w, out_h, out_c;    /* output; all 0 when it is flat */
    size_t inputs, outputs;     /* floats per image */
    int filters, size, stride, pad, groups; /* convolutional and the like; pad in pixels (with dilation: spread by it; maxpool: both sides together);
                                 * yolo: filters is the boxes per place; groups 1 unless said; of a route the slices that each input is cut into, of which it
                                 * takes number group_id */
    int stride_x, stride_y, dilation;   /* = stride, stride, 1 unless said */
    int group_id;
    int antialiasing;           /* a blur that takes over the stride follows, inside of the layer, whose own stride is 1: 1 is 3x3 with a border, 2 is 2x2 without */
    int reverse;                /* reorg, reorg3d, upsample with a negative stride (then `stride` is its opposite) */
    int share;                  /* convolutional: the layer whose weights (and biases and batch-norm) it uses and does not save, or -1 */
    int per_channel;            /* shortcut with weights: n_weights = (n_from + 1) * out_c, block by block, else n_from + 1 */
    int normalization;          /* shortcut's weights are used as: 0 they are, 1 relu and sum, 2 softmax over the inputs */
    int scale_wh;               /* scale_channels: the layer before is (1, h, w) and scales places, not channels */
    enum prune_activation activation;
    int batch_normalize;
    int *from, n_from;          /* route, shortcut, scale_channels, sam: absolute layer indices */
    size_t n_weights;           /* entries of weight matrices: convolutional filters * c/groups * size * size, connected outputs * inputs */
    size_t n_biases;            /* all others in a .weights file: biases, and scales, means and variances where batch_normalize */
    size_t n_floats;            /* what the layer takes in a .weights file; 0 with dontsave, and with share, whose n_weights and n_biases are what it uses */
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
    enum prune_dialect dialect;
    const struct prune_section *foreign; /* the first section with a kind, key or value that this Darknet does not know, or NULL */
};

const char *prune_kind_name(enum prune_kind kind); /* "convolutional" */
const char *prune_activation_name(enum prune_activation activation);

/* Layers with filters or rows: convolutional, deconvolutional, connected, local. */
int prune_kind_has_filters(enum prune_kind kind);

/* f(x), as Darknet computes it, in double. */
double prune_activate(enum prune_activation activation, double x);

/* Works out every layer's shape from the text alone. What Darknet would crash on, read out of bounds or silently take for something
 * else is refused in one line with file, line and layer: an unknown section, groups that do not divide, a route or shortcut to a layer that is not
 * there, steps without as many scales, batch < subdivisions, anchors that do not fit, an activation it does not know, keys of other forks that change
 * shapes, sizes below 1 or beyond what its ints hold. `cfg` must outlive the graph.
 * In a dialect that is not this Darknet's, an unknown section is taken for a layer without weights and without an output; that another layer reads it is a fault. */
int prune_graph_build(struct prune_graph *graph, const struct prune_cfg *cfg, enum prune_dialect dialect);
void prune_graph_free(struct prune_graph *graph);

/* The dialect for a cfg that is only rewritten: AlexeyAB's if something in it is only known there, or if only so a weight file of `weights_bytes` (0: not known) fits a
 * [batchnorm]; else pjreddie's. Builds the graph with it. */
int prune_graph_build_any(struct prune_graph *graph, const struct prune_cfg *cfg, uint64_t weights_bytes);

/* ---------------------------------------------------------------------------------------------------- channels -- */

/* Which channels can only go together. A layer's output is a row of channels: out_c of them, or where it is flat, its outputs one by one. Every channel belongs to one
 * coupled group; a group goes as a whole or stays, and then what is left still fits together in every Darknet:
 *   convolutional     channels of its own. groups=: channels at the same place of each group are one group, of the input and of the output. Depthwise (groups = input
 *                     channels): output j goes with input j*c/n, and groups= shrinks
 *   share_index       its inputs and outputs go with those of the layer whose weights it uses
 *   shortcut          channel k goes with channel k of every input, as far as both have it
 *   route             passes on; groups=: channels at the same place of each slice go together
 *   reorg             blocks of stride^2 input channels and all that is made of them (reverse: output j with inputs j + t*c/stride^2)
 *   reorg3d           input i with outputs i + m*c
 *   scale_channels    channel i of what is scaled with gate i; sam the same
 *   batchnorm, pooling, upsample, dropout, activation, crop, logistic, empty: pass on
 * and some groups are pinned, for a reason that stands in the group. */

enum prune_pin {
    PRUNE_FREE,
    PRUNE_PIN_INPUT,            /* the network's input */
    PRUNE_PIN_OUTPUT,           /* no layer reads it: the network's output */
    PRUNE_PIN_HEAD,             /* a head (yolo, region, detection, softmax, ...) fixes their number */
    PRUNE_PIN_NEIGHBOURS,       /* normalization, l2norm and normalize_channels mix neighbours */
    PRUNE_PIN_RECURRENT,        /* read or made by a recurrent layer */
    PRUNE_PIN_BINARY,           /* xnor, binary, bin_output: a zero is no zero there */
    PRUNE_PIN_SPATIAL,          /* the layer moves numbers between channels and places: reorg3d with reverse, reorg with flatten or extra, maxpool_depth, scale_wh, a route of unequal sizes, deform */
    PRUNE_PIN_OWN_WEIGHTS,      /* implicit, history, contrastive: not understood well enough to be sliced */
    PRUNE_PIN_UNSAVED,          /* weights are not in the file (dontsave, dontload), or are not trained */
    PRUNE_PIN_CONSTANT,         /* an activation makes something else than 0 of 0, and a later layer cannot take that into its biases exactly */
    PRUNE_PIN_EXEMPT,           /* prune=0 */
    PRUNE_PIN_UNKNOWN           /* a section kind that is not known */
};

struct prune_member {           /* a channel that a layer has numbers of its own for: a filter, a row, a scale */
    int layer, channel;
};

struct prune_group {
    enum prune_pin pin;
    int pin_layer;              /* the layer that asks for it, -1 the network's input */
    int family;
    int first_member, n_members; /* in channels->members; by layer, then channel */
};

/* Groups with as many members in the same layers: they compete with each other, and their number is what filters= says. */
struct prune_family {
    int n_groups;
    int pinned;                 /* all of them are (families do not mix) */
    int first_layer;            /* lowest layer with a member, -1 when there is none */
    int per_layer;              /* channels that one group has in its most populous layer */
    float limit;                /* prune_sparsity of a member's layer (the largest), or negative */
};

struct prune_channels {
    const struct prune_graph *graph;
    int *input;                 /* graph->c groups (graph->inputs when it is flat): the network's input */
    int n_input;
    int **group;                /* per layer: n_channels[layer] group numbers */
    int *n_channels;            /* per layer: out_c, or outputs when it is flat */
    struct prune_group *groups;
    int n_groups;
    struct prune_member *members;
    int n_members;
    struct prune_family *families;
    int n_families;
};

int prune_channels_build(struct prune_channels *channels, const struct prune_graph *graph);
void prune_channels_free(struct prune_channels *channels);

/* The group of each channel that the layer reads from the one before it (or from the network's input), and how many. */
const int *prune_channels_in(const struct prune_channels *channels, int layer, int *n);

/* Why a group is pinned, as text: "layer 106 [yolo] fixes their number". Returns text. */
char *prune_pin_text(const struct prune_channels *channels, const struct prune_group *group, char *text, size_t bytes);

/* What is left without the groups of which removed[group] is not 0. `kept`, if not NULL, has n_nodes entries: the output channels that each layer keeps. */
struct prune_size {
    uint64_t channels;          /* members' channels of groups that are not pinned */
    uint64_t weights, floats, macs; /* as in struct prune_node, over all layers */
};
void prune_channels_size(const struct prune_channels *channels, const uint8_t *removed, struct prune_size *size, int *kept);

/* The families as a table: layers, channels, what they are coupled with, why pinned. */
int prune_channels_print(FILE *out, const struct prune_channels *channels);

/* ------------------------------------------------------------------------------------------------ weight files -- */

/* The order of floats in a .weights file, per layer:
 *   convolutional, deconvolutional: biases, [scales, means, variances], weights
 *   connected: biases, weights, [scales, means, variances]
 *   batchnorm: scales, means, variances (AlexeyAB: biases first);  local: biases, weights;  recurrent: their inner layers in turn
 *   shortcut with weights_type, implicit: weights
 * before them: int32 major, minor, revision, then seen: 64 bits if major*10+minor >= 2 (and both < 1000), else 32. */

struct prune_weights {
    int32_t major, minor, revision;
    uint64_t seen;              /* images trained on */
    size_t header_bytes;        /* 16 or 20 */
    float *floats;              /* everything after the header, in file order */
    size_t n_floats;
    int raw;                    /* matrices that lie transposed in the file do so here */
    const float **weights;      /* per node, into `floats`: its n_weights weights, or NULL where it has none, or not in one piece (recurrent) */
};

/* Reads and checks: the length must be exactly the graph's. `prune_weights_check` only looks at the header and the length. With `partial`, a file
 * that ends at a layer's border is right too (darknet53.conv.74). The fault names file, layer, expected and found bytes. Weights that lie transposed
 * in the file (version above 1000, flipped=1) are turned. Packed weights are read the same; of them the check looks at the header and what it says of the layers. Keys that make Darknet load other floats than it saves are refused: numload, dontloadscales, and
 * dontload and dontsave unless both. */
int prune_weights_check(const struct prune_graph *graph, const char *path, int partial);
int prune_weights_read(struct prune_weights *weights, const struct prune_graph *graph, const char *path);

/* Of the .weights file that it is, or that it stands for if it is packed; 0 for a file that is not there. */
int prune_weights_bytes(const char *path, uint64_t *bytes);
void prune_weights_free(struct prune_weights *weights);

/* Where a layer's numbers are: views into a weight file's floats or into a running network; NULL where it has none, or not in one piece (recurrent). A layer with
 * share_index has those of the layer it shares. */
struct prune_params {
    float *weights;             /* n_weights: convolutional (filters, c/groups, size, size); deconvolutional (c, filters, size, size); connected (outputs, inputs);
                                 * local (place, filters, c, size, size); shortcut (n_from + 1[, out_c]) */
    float *biases;              /* out_c; local (filters, place) */
    float *scales, *means, *variances; /* out_c each, with batch-norm */
};

/* Fills params[0..n_nodes). */
void prune_weights_params(const struct prune_weights *weights, const struct prune_graph *graph, struct prune_params *params);

/* How many of a layer's n_weights are not 0; all, where the file does not have them (dontsave). */
size_t prune_weights_nonzero(const struct prune_weights *weights, const struct prune_graph *graph, int layer);

/* -------------------------------------------------------------------------------------------------- output files -- */

/* An output is written under a temporary name beside its own, synced, then renamed, so that a reader meets the old file or the new one. */
struct prune_output {
    FILE *file;
    char *path, *temporary;     /* temporary: path + ".tmp" */
};

/* Before any work: `path` must be no folder and, like its temporary name, none of the other files (entries may be NULL), whatever they are called. */
int prune_output_check(const char *path, const char *const *others, int n_others);
int prune_output_open(struct prune_output *out, const char *path);
int prune_output_sync(struct prune_output *out);    /* flush, check, fsync, close: all of it is on the disk under the temporary name */
int prune_output_commit(struct prune_output *out);  /* sync if that is still to do, rename, sync the folder; frees `out` */
void prune_output_abandon(struct prune_output *out); /* removes the temporary file; frees `out`; does nothing after a commit */

/* ---------------------------------------------------------------------------------------------------- settings -- */

enum prune_curve { PRUNE_LOG, PRUNE_CUBIC, PRUNE_LINEAR, PRUNE_GEOMETRIC };
enum prune_scope { PRUNE_LAYER, PRUNE_GLOBAL, PRUNE_LAMP, PRUNE_ERK };
enum prune_criterion {
    PRUNE_MAGNITUDE, PRUNE_L1, PRUNE_L2, PRUNE_APOZ, PRUNE_ENTROPY, PRUNE_GAMMA, PRUNE_FOLDED, PRUNE_TAYLOR, PRUNE_FPGM, PRUNE_RANDOM
};
enum prune_rule { PRUNE_NONE, PRUNE_GRADIENT, PRUNE_RESTORE, PRUNE_SHADOW };
enum prune_order { PRUNE_TOGETHER, PRUNE_CONVOLUTIONAL_THEN_CONNECTED };
enum prune_granularity { PRUNE_WEIGHT, PRUNE_KERNEL, PRUNE_BLOCK4, PRUNE_FILTER, PRUNE_CHANNEL };

struct prune_settings {
    int configured;             /* some prune_* key of [net] or option was given */
    int layer_limits;           /* some layer has a prune_sparsity of its own */
    unsigned given, from_cfg;   /* which rows of the table in settings.c, and of them those that the cfg gave: some defaults depend on the granularity */
    float sparsity;             /* s_max in [0,1): final fraction of zeros among prunable weights; filter, channel: of free channels that are gone */
    float weights, macs;        /* filter, channel: share of all weights, or MACs, that stays, in place of sparsity; 0: not given */
    int steps;                  /* T, 1..10000 */
    float recover;              /* rho in [0,1]: largest share of a step's survivors that may be weights that come back */
    int start, end;             /* iterations; end -1 = 0.7 * max_batches */
    enum prune_curve curve;
    enum prune_scope scope;
    enum prune_criterion criterion;
    enum prune_rule rule;
    enum prune_order order;
    enum prune_granularity granularity;
    int round;                  /* filter, channel: layers keep a multiple of so many channels, where they have them */
};

void prune_settings_default(struct prune_settings *settings);

/* The prune_* keys of [net]. Every key that starts with "prune" and is not known, in [net] or in a layer, is a fault that names it. */
int prune_settings_from_cfg(struct prune_settings *settings, const struct prune_cfg *cfg);

/* Whether the layer of that (checked) section is to be pruned, and its own s_max in `limit`, negative if it has none. */
int prune_settings_layer(const struct prune_section *section, float *limit);

/* One option of the command line, its name without dash: `sparsity`, `steps`, ... (the keys without "prune_"). Returns 1 if it was one of ours and taken, 0 if the name is unknown, negative on a bad value. */
int prune_settings_option(struct prune_settings *settings, const char *name, const char *value);

/* Once all is given: fills what depends on the granularity and was not given, and refuses what does not go with it. */
int prune_settings_resolve(struct prune_settings *settings);

/* 1 - the share that stays in the end, of whatever the budget is given in. */
double prune_settings_removed(const struct prune_settings *settings);

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
    int groups;                 /* of the convolution, out / groups output channels each; 0 and 1: one */
    int unit;                   /* so many weights in a row share one fate; divides n / out. 0 and 1: each has its own; kh * kw: kernels (Mao et al., 2017) */
    int unit_rows;              /* and in so many output channels, one after the other and of one group, at the same place; the last of a group share with fewer. 0 and 1: one; 4: block4 */
    enum prune_criterion criterion; /* what a unit of several is worth: PRUNE_L1 the sum of |w|, all others the root of the sum of w^2 */
    float *weights;             /* n, view */
    float *momentum;            /* n, view: Darknet's weight_updates, which holds momentum * old + (negative gradient) between backward and update */
    float *moment1, *moment2;   /* n, views: Adam's, or NULL */
    uint8_t *mask;              /* n: 1 active, 0 pruned */
    size_t active;              /* number of ones in mask */
    float *memory;              /* n, or NULL with rule none: of a pruned weight, what its recovery rule remembers */
    float limit;                /* own s_max (layer key prune_sparsity), or negative: shares the network's */
};

/* Sets unit and unit_rows, for a granularity that works on weights. Masks of one unit are equal outside of prune_mask_step. */
void prune_tensor_divide(struct prune_tensor *tensor, enum prune_granularity granularity);

/* Weights of its largest unit. */
size_t prune_tensor_unit(const struct prune_tensor *tensor);

/* The greatest number that divides all its units, and `other` (0: nothing else): the unit, but where the last rows of a group are fewer. So it divides `active`. */
size_t prune_tensor_grain(const struct prune_tensor *tensor, size_t other);

/* What rows x columns numbers are worth together, the rows `stride` apart: PRUNE_L1 the sum of their sizes, else the root of the sum of their squares; of one, its size. Added up
 * in double; NaN if one of them is. */
float prune_tensor_size(enum prune_criterion criterion, const float *values, size_t rows, size_t columns, size_t stride);

/* ---------------------------------------------------------------------------------------------------- selection -- */

/* The k largest of many without sorting or copying them: a radix histogram over 32-bit keys, two passes of 16 bits, or where there are few units three (11, 11 and 10).
 * A key function gives n units of a tensor, from unit `first` on, their keys, or 0 to what is no candidate; `bar` is whatever it compares with. */
typedef void (*prune_key_function)(const struct prune_tensor *tensor, size_t first, size_t n, float bar, uint32_t *keys);

/* Active units by what they are worth; weights by |w|. */
void prune_key_active(const struct prune_tensor *tensor, size_t first, size_t n, float bar, uint32_t *keys);

struct prune_cut {              /* in weights: a unit counts as many as it has */
    uint32_t key;               /* fewer than k have a larger key, at least k have this or a larger one; 0 if there are no more than k */
    size_t above;               /* with a larger key */
    size_t candidates;
};

void prune_select_cut(struct prune_tensor *const *tensors, int n_tensors, prune_key_function key, float bar, size_t k, struct prune_cut *cut);

/* ------------------------------------------------------------------------------------------------------- scope -- */

/* How many weights each tensor keeps, at most, and a multiple of its grain, so that exactly round((1-target)*n/unit) units survive: of all that share the budget, or with scope
 * `layer` of each tensor. Where units of several sizes share a budget, and g is the greatest number that divides them all: no more than round((1-target)*n/g)*g weights
 * survive, and less than the largest unit is missing from that.
 * Only active units compete: keep[i] never exceeds tensor i's active count (then fewer survive). In the network-wide scopes no tensor
 * ends with none: each keeps a tenth of the average density and 32 units, as far as it has them and the budget allows.
 *   layer   every tensor the same sparsity
 *   global  one threshold on |w|, or on what a unit is worth
 *   lamp    one threshold on w_u^2 / sum of w_v^2 over w_u and what ranks above it (of units: of what they are worth)     Lee et al., 2021, eq. 5
 *   erk     density in proportion to (out + in + kh + kw) / n, connected (out + in) / n       Mocanu et al., 2018; Evci et al., 2020
 * While it runs, lamp holds 4 bytes more per unit, and 4 more per unit of the tensor with the most (in prune_mask_step on each thread). */
int prune_scope_keep(enum prune_scope scope, double target, struct prune_tensor *const *tensors, int n_tensors, size_t *keep);

/* -------------------------------------------------------------------------------------------------------- mask -- */

/* What each recovery rule remembers of a pruned weight in `memory`, and which pruned weights it brings back, at most rho_t of a tensor's survivors:
 *   none      nothing, none
 *   gradient  the sum of its negative gradients since the last step; where that is largest, starting again from 0     Evci et al., 2020
 *   restore   its value when pruned; where the predicted fall of the loss, negative gradient * value, is largest and above 0, at that value
 *   shadow    a value that goes on training; where it has grown past the weights it would replace, by the band 1.1/0.9     Guo et al., 2016
 * Units come back whole, judged by the root of the sum of the squares of their weights' sums (gradient), by the sum of their weights' falls (restore) and by what the trained
 * values are worth together (shadow). */

struct prune_step {             /* what one step did, summed over tensors */
    int t;
    double target, achieved;    /* fraction of zeros among prunable weights */
    size_t n, pruned, recovered;
};

/* What step t aims at over all tensors, each by its own limit and turn. */
double prune_mask_target(const struct prune_tensor *tensors, int n_tensors, const struct prune_settings *settings, int t);

/* Step t: recover, then prune, so that each tensor has exactly its share of survivors; of a tensor whose units have two sizes less than the largest may be missing, if there is no
 * smaller one that fits. Runs after backward and before the update, when `momentum` of a pruned weight is the plain negative gradient.
 * With more than a million weights the tensors are worked on by prune_threads_default() threads, which notes a number of threads that is none, or by this one if there are no
 * others to be had. The result is the same on any number. */
int prune_mask_step(struct prune_tensor *tensors, int n_tensors, const struct prune_settings *settings, int t, struct prune_step *done);

/* Before an optimizer update, after the step if one is due: takes the gradient of pruned weights away, so that plain SGD leaves them at 0; rule gradient adds
 * it up, rule shadow puts the shadow in the weight's place instead, to be trained. */
void prune_mask_before_update(struct prune_tensor *tensor, enum prune_rule rule);

/* After it: rule shadow takes the shadow out again; with Adam, pruned weights and moments are set to 0. From here to the next backward pass
 * pruned weights, their momentum and their moments are exactly 0. */
void prune_mask_after_update(struct prune_tensor *tensor, enum prune_rule rule);

/* Mask from exact zeros, for weights that come without a .prune file. A unit is pruned if all of its weights are 0. */
void prune_mask_from_zeros(struct prune_tensor *tensor);

/* ---------------------------------------------------------------------------------------------------- criteria -- */

/* What a coupled group is worth: the sum over its members, in each of which m is
 *   l1      sum of |w| over the filter (row)                                Li et al., 2017
 *   l2      root of the sum of w^2
 *   apoz    1 - average percentage of zeros of its output (where the activation lets values below 0 through, those count as zeros)     Hu et al., 2016
 *   entropy -sum p log p of its output's mean over each image, in 100 bins from smallest to largest     Luo and Wu, 2017
 *   gamma   |batch-norm scale|; without batch-norm l2                       Liu et al., 2017
 *   folded  l2 * |scale| / sqrt(variance), the filter as it is once batch-norm is folded into it; without batch-norm l2
 *   taylor  (sum of g * w over filter, bias and scale)^2                    Molchanov et al., 2019, eq. 8
 *   fpgm    sum of the distances to all other filters of its layer          He et al., 2019
 *   random  uniform from the seed, one draw for the group
 * With granularity channel, l1, l2 and taylor look at the weights that read the channel (columns) in place of those that make it. */

/* What apoz and entropy have seen of every layer's outputs. */
struct prune_observed {
    const struct prune_channels *channels;
    size_t images;              /* so far */
    size_t most;                /* room for so many; further ones are not looked at */
    uint64_t **zeros;           /* per layer with members: (channel) outputs that were 0 or below */
    float **means;              /* per layer with members: (image, channel) mean of the output */
};
int prune_observed_open(struct prune_observed *observed, const struct prune_channels *channels, size_t images);
/* outputs[layer]: (batch, outputs) as the network computed it; NULL entries are left out. */
void prune_observed_add(struct prune_observed *observed, float *const *outputs, int batch);
void prune_observed_free(struct prune_observed *observed);

struct prune_evidence {         /* what criteria look at beside the weights; each may be NULL where its criterion is not asked for */
    const struct prune_params *gradients;   /* taylor: as params, any sign, any common factor */
    const struct prune_observed *observed;  /* apoz, entropy */
    uint64_t seed;                          /* random */
};

/* scores: n_groups; pinned groups get 0. The sign is such that small goes first. */
int prune_criteria_score(enum prune_criterion criterion, enum prune_granularity granularity, const struct prune_channels *channels,
                         const struct prune_params *params, const struct prune_evidence *evidence, double *scores);

/* ------------------------------------------------------------------------------------------------------ budget -- */

enum prune_budget_kind { PRUNE_OF_CHANNELS, PRUNE_OF_WEIGHTS, PRUNE_OF_MACS };

struct prune_budget {
    enum prune_budget_kind kind;
    double keep;                /* share that may stay: of the channels of free groups; of all weights; of all MACs */
    enum prune_scope scope;     /* layer: every family the same share; global: one order over all families, by score / mean score of the family */
    int round;                  /* channels per layer are kept in multiples of this where the family has that many; 1: any number */
    double progress;            /* in a training, the share of their own limits that families with one have to reach by now, above 0; 0 and 1: all of it */
};

enum prune_fate { PRUNE_OPEN, PRUNE_STAYS, PRUNE_GOES };   /* a group whose fate is settled before */

/* The budget that settings (resolved) end in. */
struct prune_budget prune_budget_of(const struct prune_settings *settings);

/* Which groups go, so that no more than the budget stays and as much as fits of it: lowest scores first, at least one group of each family stays, families with a limit
 * of their own by that. `fates` (n_groups) may be NULL. With PRUNE_OF_WEIGHTS and _MACS the result is within 1 % below the budget, or as close as whole (rounded) groups come. A budget below
 * what the pinned and the last groups need is PRUNE_ERR_RANGE; the line says the closest there is. */
int prune_budget_choose(const struct prune_channels *channels, const double *scores, const struct prune_budget *budget, const uint8_t *fates,
                        uint8_t *removed, struct prune_size *size);

/* --------------------------------------------------------------------------------------- silence and constants -- */

/* Makes the members of removed groups give exactly 0 before their activation: weights, biases, scales and means 0, variances 1. */
void prune_silence(const struct prune_channels *channels, const struct prune_params *params, const uint8_t *removed);

/* What became of constants that are not 0, added up over the layers that read them: a channel counts once for each layer with weights on it. Starts from what is in it. */
struct prune_folding {
    int constants;              /* = folded + dropped */
    int folded, inexact;        /* taken into the reader's biases (or means); of these not exactly so, at its padded border */
    int dropped;                /* not taken, because the reader cannot */
    uint8_t *inexact_in;        /* n_nodes: readers with inexact ones; may be NULL */
};

/* One-shot: before the members of removed groups are silenced, what they give on average, act(bias), is added to the biases (or, with batch-norm, subtracted from the means)
 * of every layer that reads it, through pooling, upsampling, routes and shortcuts. The weights that read it become 0, so that what is left does not depend on it any more. */
int prune_fold(const struct prune_channels *channels, const struct prune_params *params, const uint8_t *removed, struct prune_folding *folding);

/* Finds every group that can go without any output changing: nothing reads it (columns of zeros), or it always has the same value (rows of zeros, and what follows from them) and
 * every reader can take that exactly. Repeats until none is left; changes `params` (folds, silences, makes the weights that read such groups 0) so that the network of the
 * whole shape gives the same outputs as before. At least one group of each family stays; if none were needed, it is silent. Groups that are in `removed` before go in any case. */
int prune_dead(const struct prune_channels *channels, const struct prune_params *params, uint8_t *removed, struct prune_folding *folding);

/* ---------------------------------------------------------------------------------------------------- structure -- */

/* Filters and channels that are pruned while training goes on. */
struct prune_structure {
    const struct prune_channels *channels;
    struct prune_params *params;        /* n_nodes; the caller sets the views */
    struct prune_params *updates;       /* n_nodes; the caller's views of Darknet's *_updates; means and variances NULL */
    struct prune_params *memory;        /* n_nodes: of silent channels, what they were */
    uint8_t *removed;                   /* n_groups: 1 silent */
    double *scores;                     /* n_groups: now, or when it fell silent */
    struct prune_size whole;            /* with nothing removed */
};

int prune_structure_open(struct prune_structure *structure, const struct prune_channels *channels);
/* Makes the memory, once the params are set; for rules other than none. */
int prune_structure_remember(struct prune_structure *structure);
void prune_structure_free(struct prune_structure *structure);

/* Groups whose members are all zeros are silent: for weights that come without a .prune file. */
void prune_structure_from_zeros(struct prune_structure *structure);

/* Whether every group that is said to be silent is. */
int prune_structure_agrees(const struct prune_structure *structure);

/* Before each update: silent channels are 0, in weights, biases, batch-norm and updates. */
void prune_structure_hold(struct prune_structure *structure);

/* Step t: some groups come back (rule restore: those whose score, when they went, is above that of the weakest of their family that would stay by 1.1/0.9; at most
 * rho_t of the groups that stay), then the lowest scores go until the budget of this step is met. After the last step, with rule restore, as many come back as still fit
 * the budget: earlier steps may have taken more than it asks for, since channels go in whole chunks. Counts groups. */
int prune_structure_step(struct prune_structure *structure, const struct prune_settings *settings, int t, const struct prune_evidence *evidence, struct prune_step *done);

/* The share of channels, weights or MACs, whichever the settings' budget is in, that is gone now. */
double prune_structure_share(const struct prune_structure *structure, const struct prune_settings *settings);

/* -------------------------------------------------------------------------------------------------- compaction -- */

/* Takes groups out of `removed` again until no shortcut is left that AlexeyAB's Darknet would compute out of bounds where it did not before (trap.c). Returns whether there was one. */
int prune_trap_avoid(const struct prune_channels *channels, uint8_t *removed);

struct prune_edit {             /* one value in a cfg text */
    int section;
    const char *name;
    int value;
};

/* The cfg's own text with some values changed: order, comments and unknown keys kept; pruning keys left out; key=value without blanks; lines end in LF. */
int prune_cfg_write(FILE *out, const struct prune_cfg *cfg, const struct prune_edit *edits, int n_edits);

/* Refuses names under which the outputs (or their temporary files) would fall on the inputs or on each other, and folders. An input may be NULL. */
int prune_compact_check(const char *cfg_path, const char *weights_path, const char *new_cfg, const char *new_weights);

/* Writes the network without the removed groups as a cfg and a weight file, both under temporary names until both are complete. The weight file is exactly as long as the
 * new cfg says, its version that of the input (0.2.0 if that was a transposed one); `version1` writes 0.1.0 with a 32-bit seen, for 32-bit builds. Whatever the removed groups
 * still give is lost: prune_fold or prune_dead come before. */
int prune_compact_write(const struct prune_channels *channels, const struct prune_weights *weights, const uint8_t *removed, const char *cfg_path,
                        const char *weights_path, int version1);

/* The weights in their own shape, whatever was changed in them. */
int prune_weights_write(const struct prune_graph *graph, const struct prune_weights *weights, const char *path, int version1);

/* A cfg of any fork and its weights, open to be changed. */
struct prune_model {
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_channels channels;
    struct prune_weights weights;
    struct prune_params *params;        /* n_nodes, views into weights */
    uint8_t *removed;                   /* n_groups */
};

/* Without `weights_path` (NULL) there are no weights and params are all NULL. */
int prune_model_open(struct prune_model *model, const char *cfg_path, const char *weights_path);
void prune_model_free(struct prune_model *model);

/* "dir/name.weights" and "_compact.cfg" make "dir/name_compact.cfg". Caller frees; NULL: out of memory. */
char *prune_path_with(const char *weights_path, const char *ending);

/* The whole of `darknet prune compact`: what can go without any output changing goes; prints what became of the sizes to `out`. */
int prune_compact_files(FILE *out, const char *cfg_path, const char *weights_path, const char *new_cfg, const char *new_weights, int version1);

/* What a model loses: layers with fewer channels, and the totals before and after; with what folding could not do. */
int prune_report_removed(FILE *out, const struct prune_model *model, const struct prune_folding *folding, int version1);

/* ------------------------------------------------------------------------------------------------ quantisation -- */

/* Rounds to the nearest binary16, ties to even. Returns 0 and changes nothing if a value is beyond what it holds (or NaN): then the array stays as it is. */
int prune_quantise_half(float *values, size_t n);

enum { PRUNE_CODEBOOK_MOST = 256 };

/* Values that weights share; the zeros of an array stay zeros and are in none. */
struct prune_codebook {
    int n_entries;              /* 0: the array has no non-zero weight */
    float entries[PRUNE_CODEBOOK_MOST];     /* rising */
    uint32_t counts[PRUNE_CODEBOOK_MOST];   /* weights of each */
    float *velocity;            /* n_entries: what momentum has gathered while they are trained */
    uint8_t *index;             /* n: entry of each weight; of zeros: 0 */
    uint8_t *nonzero;           /* n */
    size_t n;
};

/* k-means in one dimension (Lloyd, 1982) over the non-zero weights, from `most` (2..256) centroids spaced evenly from the smallest to the largest, as Deep Compression (Han et al.,
 * ICLR 2016, 3.2) has it, until no weight changes its entry, 300 rounds at most. Entries without a weight, as outliers cause them, are used to split the clusters with the largest squared error, and k-means goes on. Fewer distinct values
 * are taken as they are. The
 * same input gives the same entries on every machine. NaN and infinity are PRUNE_ERR_RANGE, without a line: the caller knows the layer. */
int prune_codebook_make(struct prune_codebook *codebook, const float *weights, size_t n, int most);
void prune_codebook_free(struct prune_codebook *codebook);

/* weights[i] = entry, 0 stays 0. */
void prune_codebook_apply(const struct prune_codebook *codebook, float *weights);

/* One step of SGD for the entries. `updates` (n) holds the negative gradients of a batch, summed over its images (Darknet's weight_updates); they are set to 0 afterwards. The gradient of an entry is
 * the sum of its weights' gradients; its step is that divided by their number (a step in the weights' own metric: the cfg's learning rate means what it did):
 * v = momentum * v + sum / count / batch; entry += rate * v; then the weights are made anew. Entries may not become 0 or change order: their numbers are what counts. */
void prune_codebook_step(struct prune_codebook *codebook, float *weights, float *updates, float rate, float momentum, int batch);

/* ---------------------------------------------------------------------------------------------- packed weights -- */

/* name.pweights holds what name.weights holds, bit for bit, in less room. docs/pweights.md is the format; the words are its own: section, array, tile, place, chunk. */

enum prune_part_role { PRUNE_PART_WEIGHTS, PRUNE_PART_BIASES, PRUNE_PART_SCALES, PRUNE_PART_MEANS, PRUNE_PART_VARIANCES }; /* the numbers stand in files */

struct prune_part {             /* one array of a layer's floats */
    enum prune_part_role role;
    uint32_t rows, columns;     /* row by row, as the file holds them */
    uint32_t kernel;            /* weights of a convolution: size * size, else 1: so many columns belong together */
    int transposed;             /* (inputs, outputs) in the file: version above 1000, flipped=1 */
};
enum { PRUNE_PARTS_MOST = 64 };

/* The arrays that a layer's n_floats consist of, in file order, as these weights have them; returns how many. */
int prune_weights_parts(const struct prune_graph *graph, const struct prune_weights *weights, int layer, struct prune_part *parts);

/* As prune_weights_read, but matrices that lie transposed stay as the file has them. */
int prune_weights_read_raw(struct prune_weights *weights, const struct prune_graph *graph, const char *path);

/* Of a .weights file's header in that version: 20 or 16. */
size_t prune_weights_header_bytes(int32_t major, int32_t minor);

/* Whether a file is to be read as packed: its first eight bytes are the magic, or all but two of them, so that a damaged one is not taken for weights. */
int prune_packed_is(const char *path);

/* What packing comes to, in bits: of a layer, or summed. The limits are of independent weights: the entropy of a mask of the same density, n H(nnz / n); and of each value
 * its sign and mantissa and the entropy of its exponent, or of its codebook entry, over the array. */
struct prune_packed_size {
    uint64_t dense;             /* of the floats in a .weights file */
    uint64_t packed;            /* with all that is said about the layer */
    uint64_t positions, values; /* parts of it */
    double positions_limit, values_limit;   /* of all of the layer's arrays */
};

/* Writes weights (from prune_weights_read_raw, so that the file comes back) as .pweights; each array in the smallest lossless form there is. `out` must be seekable, and `path` its
 * name for faults; NULL: only the sizes are wanted. `sizes`: n_nodes, or NULL. */
int prune_pack_write(FILE *out, const char *path, const struct prune_graph *graph, const struct prune_weights *weights, struct prune_packed_size *sizes);

struct prune_ans;               /* packing.h: the code of an array's symbols */

struct prune_packed_array {
    struct prune_part part;     /* kernel is 1 */
    int values;                 /* 0 f32, 1 f16, 2 codebook */
    int symbol_bits;            /* width of symbols that are not coded */
    struct prune_ans *code;     /* or NULL */
    uint32_t tile_rows, tile_columns;
    uint64_t tiles;             /* live ones */
    uint32_t entries[PRUNE_CODEBOOK_MOST];  /* bits of floats */
    int n_entries;
    uint8_t *row_bitmap, *column_bitmap;    /* of live tile rows and columns, or NULL: all are */
    uint32_t n_rows, n_columns; /* live ones */
};

struct prune_packed {           /* a .pweights file, read from its begin to its end */
    FILE *file;
    char *path;
    int32_t major, minor, revision;
    uint64_t seen, n_floats, bytes;
    uint32_t n_layers, fingerprint;
    int layer;                  /* of the LAYER section read last; -1 before the first */
    char name[33];              /* its kind */
    int n_arrays;
    struct prune_packed_array arrays[PRUNE_PARTS_MOST];
    /* inner */
    int next_array;
    uint32_t layers_read, text_crc;
    uint64_t floats_read, at;
    uint8_t *payload;
    size_t payload_bytes, payload_allocated;
};

/* Opens and checks the header. A fault closes it. */
int prune_packed_open(struct prune_packed *packed, const char *path);
int prune_packed_rewind(struct prune_packed *packed);   /* to before the first layer */
void prune_packed_close(struct prune_packed *packed);

/* The next layer: 1, or 0 when there is none and the file ends as it should. What was not read of the layer before is skipped, unchecked. */
int prune_packed_next(struct prune_packed *packed);

/* Whether the file is for that graph, by fingerprint and number of floats; else a fault. */
int prune_packed_for(const struct prune_packed *packed, const struct prune_graph *graph);

/* The same for a file that may end early: that its layers are the graph's first ones. */
int prune_packed_begins(struct prune_packed *packed, const struct prune_graph *graph);

/* Whether layer, kind, roles and shapes are those of the graph; else a fault. */
int prune_packed_fits(const struct prune_packed *packed, const struct prune_graph *graph);

/* The next array of the layer, into rows * columns floats that are all 0. The caller has found its size right before. */
int prune_packed_dense(struct prune_packed *packed, float *floats);

/* A sparse matrix of tiles, compressed by rows; with tiles of 1 x 1: CSR. */
struct prune_sparse {
    uint32_t rows, columns, tile_rows, tile_columns;
    size_t n_tiles;
    size_t *starts;             /* rows / tile_rows + 1: the first tile of each tile row */
    uint32_t *at;               /* n_tiles: tile column */
    float *values;              /* n_tiles * tile_rows * tile_columns */
};

/* The next array without ever making it dense; what it takes beside the result is no more than a chunk and lists of rows and columns. Transposed ones are refused. */
int prune_packed_sparse(struct prune_packed *packed, struct prune_sparse *sparse);
void prune_sparse_free(struct prune_sparse *sparse);

/* The .weights file that it stands for, as a stream: up to n bytes of it; 0 at its end; negative: a fault. One array at a time is in memory. The caller first walks through
 * unpacking->packed, compares its layers with what they are for, and rewinds: what comes then is the same file. */
struct prune_unpacking {
    struct prune_packed packed;
    float *floats;              /* of one array */
    size_t bytes, used;         /* of what is ready: the header first, then array after array */
    uint8_t header[20];
    int in_array, ended;
};
int prune_unpack_open(struct prune_unpacking *unpacking, const char *path);
long prune_unpack_read(struct prune_unpacking *unpacking, void *buffer, size_t n);
void prune_unpack_close(struct prune_unpacking *unpacking);

/* ------------------------------------------------------------------------------------------------------- state -- */

/* name.prune beside name.weights: all that a stopped training needs, besides the weights, to go on to the same bits.
 * The layout is told at the head of state.c. */

enum prune_role {               /* what an array of a layer is; the numbers stand in files */
    PRUNE_WEIGHT_UPDATES = 1, PRUNE_BIAS_UPDATES, PRUNE_SCALE_UPDATES, PRUNE_MOMENT1, PRUNE_MOMENT2, PRUNE_BIAS_MOMENT1, PRUNE_BIAS_MOMENT2,
    PRUNE_SCALE_MOMENT1, PRUNE_SCALE_MOMENT2, PRUNE_MEMORY,
    /* filter, channel: what silent channels were; and of every group, whether it is silent and its score */
    PRUNE_SILENT_WEIGHTS, PRUNE_SILENT_BIASES, PRUNE_SILENT_SCALES, PRUNE_SILENT_MEANS, PRUNE_SILENT_VARIANCES, PRUNE_GROUPS
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

/* ------------------------------------------------------------------------------------------------------------ scan -- */

enum { PRUNE_SCAN_LEVELS = 16 };

struct prune_scan_unit {
    int layer, family;          /* family -1: the layer's own weights or kernels */
    const char *kind;           /* static */
    double top1[PRUNE_SCAN_LEVELS];     /* percent, at each level */
};

struct prune_scan {             /* accuracy with one layer or family pruned at a time */
    double dense_top1;
    const double *levels;       /* shares that go, rising; not owned */
    int n_levels, n_units;
    struct prune_scan_unit *units;
};

void prune_scan_free(struct prune_scan *scan);

/* The share of that unit that can go if it may cost `tolerance` percentage points, between the levels by straight lines. */
double prune_scan_share(const struct prune_scan *scan, int unit, double tolerance);

/* With each unit's limit for `drop` percentage points. */
int prune_scan_text(FILE *out, const struct prune_scan *scan, double drop);
int prune_scan_json(FILE *out, const struct prune_scan *scan, double drop);
int prune_scan_svg(const struct prune_scan *scan, const char *path, const char *title);

/* Has gnuplot draw one picture into `path`: `draw` writes the commands between setting the terminal and the end. Without gnuplot there is a note and no picture. */
int prune_plot(const char *path, const char *terminal, const char *title, void (*draw)(FILE *plot, const void *context), const void *context);

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
int prune_report_packed_text(FILE *out, const struct prune_graph *graph, const struct prune_weights *weights);  /* a second table: files, packed and not, and limits */
int prune_report_json(FILE *out, const struct prune_graph *graph, const struct prune_weights *weights);
int prune_report_svg(FILE *out, const struct prune_graph *graph, const struct prune_weights *weights);

#ifdef __cplusplus
}
#endif
#endif
