/* constants.h - between constants.c, which knows which channels always have the same value and who can take that into its biases, and dead.c, which lets channels go by it */
#ifndef PRUNE_CONSTANTS_H
#define PRUNE_CONSTANTS_H

#include "rows.h"

enum prune_constancy {          /* in this order: the weaker of two is the smaller */
    PRUNE_VARIES,
    PRUNE_INSIDE,               /* the same number for all images and places, but not at the border */
    PRUNE_EVERYWHERE
};

struct prune_constant {
    enum prune_constancy where;
    double value;
};

struct prune_values {
    const struct prune_channels *channels;
    const struct prune_params *params;
    const uint8_t *assumed;     /* groups whose members are taken to give act(bias), and all others to vary; NULL: what the weights say */
    struct prune_constant **of; /* of[layer + 1]: the layer's output channels; of[0]: the network's input */
    uint8_t **sight;            /* per convolution: which taps see the input always, never, or only at some places */
};

int prune_values_open(struct prune_values *values, const struct prune_channels *channels, const struct prune_params *params, const uint8_t *assumed);
void prune_values_work_out(struct prune_values *values);
void prune_values_free(struct prune_values *values);

/* What a layer can do about the constant of an input channel. */
enum prune_taking {
    PRUNE_TAKES_NOTHING,        /* no weight reads the channel, or it is always 0 */
    PRUNE_TAKES_EXACTLY,
    PRUNE_TAKES_INEXACTLY,      /* right but for the border */
    PRUNE_CANNOT_TAKE
};

/* Only rows of groups that are not in `gone`, and not in the channel's own group, count. Layers that share weights are asked through their owner and all have to agree; is asked
 * only about owners (prune_values_owner(graph, layer) == layer). */
enum prune_taking prune_values_taking(const struct prune_values *values, int layer, int channel, const uint8_t *gone);
int prune_values_owner(const struct prune_graph *graph, int layer);

/* Of every input channel in one of the groups `going`: takes its constant into the biases or means of the rows that are not in `gone` (which holds `going` too), counts that, and
 * makes the weights that read it 0. */
int prune_values_take(const struct prune_values *values, const uint8_t *going, const uint8_t *gone, struct prune_folding *folding);

#endif
