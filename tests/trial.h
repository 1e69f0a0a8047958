/* trial.h - one network with random weights, and what must hold when channels of it go, for the tests */
#ifndef PRUNE_TEST_TRIAL_H
#define PRUNE_TEST_TRIAL_H

#include "prune.h"

enum prune_test_damage {        /* a compaction made wrong on purpose, to see that it is found */
    PRUNE_TEST_NO_DAMAGE,
    PRUNE_TEST_WRONG_CHANNEL,   /* the layer before a shortcut keeps others than those that it adds to */
    PRUNE_TEST_WRONG_BIAS       /* a constant gets into the biases behind a route that does not have it */
};

struct prune_test_trial {
    struct prune_cfg cfg;
    struct prune_graph graph;
    struct prune_channels channels;
    struct prune_weights weights;
    struct prune_params *params;
    double *input;
    double **outputs;           /* of the weights as they were drawn */
    uint8_t *removed;           /* the last check's groups */
    uint64_t state;
    enum prune_test_damage damage;
    char folder[64];            /* scratch files are here; set by the caller */
    char fault[400];            /* what is wrong, of the function that returned negative */
};

/* The folder for scratch files, in memory if the machine has such a place: every output is synced. It is made, and its name written to `folder` (64 bytes). */
int prune_test_folder(char *folder);
void prune_test_folder_remove(const char *folder);

/* From cfg text to random weights, a random input and the outputs. `trial` is zeroed but for `folder` and `damage`. In dialect PRUNE_THIS_DARKNET the graph is built for it,
 * else as prune_graph_build does in that one. Kinds that cannot be evaluated leave `outputs` NULL. Non-zero: no network; `fault` says why. */
int prune_test_trial_open(struct prune_test_trial *trial, const char *text, enum prune_dialect dialect, uint64_t seed);
void prune_test_trial_close(struct prune_test_trial *trial);

/* Random free groups go, `share` of them, but not all of a family. Masked equals compact: silenced and evaluated, and written, read back and evaluated, all layers give the same
 * in the channels that stay. The files are as large as prune_channels_size says. Returns 0, or -1 with a fault. */
int prune_test_masked_is_compact(struct prune_test_trial *trial, double share);

/* The same for groups that the caller has set in `removed`. */
int prune_test_removed_is_compact(struct prune_test_trial *trial);

/* Random rows, columns and single weights become 0. What prune_dead then removes, and takes into the biases, changes no output: neither of the network in its whole shape nor of the
 * compact one. Returns the number of groups that went, or -1 with a fault. */
int prune_test_dead_is_compact(struct prune_test_trial *trial);

/* The rows of random groups become 0, so that their channels are constant; prune_fold takes them into the biases. Where it says that nothing was inexact or dropped, no
 * output changes. Returns 1 if it said so, 0 if not, or -1 with a fault. */
int prune_test_fold_is_exact(struct prune_test_trial *trial, double share);

#endif
