/* graphs.h - random networks as cfg text, and the smallest one that still fails, for the tests */
#ifndef PRUNE_TEST_GRAPHS_H
#define PRUNE_TEST_GRAPHS_H

#include "prune.h"

enum { PRUNE_TEST_LAYERS = 48, PRUNE_TEST_KEYS = 10, PRUNE_TEST_FROM = 5 };

struct prune_test_key {
    const char *name;
    const char *word;           /* the value when it is no number, else NULL */
    int value;
};

struct prune_test_layer {
    const char *kind;           /* "convolutional" */
    struct prune_test_key keys[PRUNE_TEST_KEYS];
    int n_keys;
    int from[PRUNE_TEST_FROM], n_from;  /* layers= or from=, absolute */
    int w, h, c;                /* output, only for the generator; w is 0 where no other layer may read it */
};

struct prune_test_net {
    int w, h, c;
    enum prune_dialect dialect;
    struct prune_test_layer layers[PRUNE_TEST_LAYERS];
    int n_layers;
};

/* The same net for the same seed: input 4..16 wide, channels 1..24, 5 to 25 layers and sometimes a few more to end a block. PRUNE_THIS_DARKNET: only what this Darknet
 * knows; PRUNE_ALEXEYAB: his kinds and keys too. */
void prune_test_net_draw(struct prune_test_net *net, enum prune_dialect dialect, uint64_t seed);

/* The net as cfg text; the caller frees it. NULL: out of memory. */
char *prune_test_net_text(const struct prune_test_net *net);

/* Makes the net smaller for as long as `fails` says that what is left fails too: without layers, without keys and inputs, with smaller numbers, plain activations, a
 * smaller image. A net that is no network any more must be "does not fail". */
void prune_test_net_shrink(struct prune_test_net *net, int (*fails)(const struct prune_test_net *net, void *context), void *context);

#endif
