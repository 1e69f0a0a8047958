/* test_kinds.c - for every kind of section: masked equals compact, what is coupled, and what never goes
 *
 * Each case is a small network with that kind in the middle. The number of groups that can go is worked out by hand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "evaluator.h"
#include "random.h"
#include "trial.h"

#define NET(w, h, c) "[net]\nwidth=" #w "\nheight=" #h "\nchannels=" #c "\n"
#define FLAT(n) "[net]\ninputs=" #n "\n"
#define CONV(filters, size, activation, more) "[convolutional]\nfilters=" #filters "\nsize=" #size "\nactivation=" #activation "\n" more
#define PAD "pad=1\n"
#define BN "batch_normalize=1\n"
#define CONN(output, activation, more) "[connected]\noutput=" #output "\nactivation=" #activation "\n" more
#define ROUTE(layers, more) "[route]\nlayers=" layers "\n" more
#define SHORTCUT(from, more) "[shortcut]\nfrom=" from "\nactivation=linear\n" more
#define END CONV(3, 1, linear, "")

#define OWN PRUNE_THIS_DARKNET
#define AB PRUNE_ALEXEYAB

static const struct kind_case {
    enum prune_kind kind;
    const char *name;
    enum prune_dialect dialect;
    const char *text;
    int free;                   /* groups that can go */
    struct {
        int layer;              /* all of this one's channels ... */
        enum prune_pin pin;     /* ... are pinned for this; PRUNE_FREE ends the list */
    } pins[3];
} cases[] = {
    { PRUNE_UNKNOWN, "a section of no known kind", PRUNE_PJREDDIE, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(6, 3, leaky, PAD) "[mystery]\nfilters=4\n", 8, { { 1, PRUNE_PIN_UNKNOWN } } },

    { PRUNE_CONVOLUTIONAL, "plain", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 3, relu, PAD) END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "stride and no padding", OWN, NET(9, 8, 3) CONV(8, 3, elu, "stride=2\n" BN) CONV(5, 2, tanh, "padding=1\n") END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "groups=2", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(6, 3, relu, PAD BN "groups=2\n") END, 7, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "groups=4 of few", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(12, 3, relu, PAD "groups=4\n") END, 5, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "depthwise", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(8, 3, leaky, PAD BN "groups=8\n") CONV(5, 1, relu, "") END, 13, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "depthwise with multiplier 2", OWN, NET(6, 6, 3) CONV(6, 3, leaky, PAD BN) CONV(12, 3, relu, PAD "groups=6\n") END, 6, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "depthwise of depthwise", OWN, NET(6, 6, 3) CONV(6, 3, leaky, PAD) CONV(12, 3, relu, PAD "groups=6\n") CONV(12, 3, selu, PAD BN "groups=12\n") END, 6, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "depthwise of the network's input", OWN, NET(6, 6, 3) CONV(6, 3, leaky, PAD "groups=3\n") CONV(5, 1, relu, "") END, 5, { { 0, PRUNE_PIN_INPUT } } },
    { PRUNE_CONVOLUTIONAL, "logistic before an unpadded one", OWN, NET(6, 6, 3) CONV(8, 3, logistic, PAD BN) CONV(5, 3, leaky, BN) END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "logistic before a padded one", OWN, NET(6, 6, 3) CONV(8, 3, logistic, PAD BN) CONV(5, 3, leaky, PAD) END, 5, { { 0, PRUNE_PIN_CONSTANT } } },
    { PRUNE_CONVOLUTIONAL, "plse before two readers", OWN, NET(6, 6, 3) CONV(8, 3, plse, PAD) CONV(5, 1, leaky, "") ROUTE("0", "") CONV(4, 1, leaky, BN) ROUTE("1,3", "") END, 17, { { 5, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "logistic before depthwise", OWN, NET(6, 6, 3) CONV(8, 3, logistic, PAD BN) CONV(8, 3, leaky, PAD BN "groups=8\n") END, 8, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "logistic before groups=2", OWN, NET(6, 6, 3) CONV(8, 3, logistic, PAD BN) CONV(6, 3, leaky, "groups=2\n") END, 7, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "flipped", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD "flipped=1\n") END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "xnor", OWN, NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD "xnor=1\n") END, 7, { { 1, PRUNE_PIN_BINARY }, { 2, PRUNE_PIN_BINARY } } },
    { PRUNE_CONVOLUTIONAL, "binary", OWN, NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD "binary=1\n") END, 7, { { 1, PRUNE_PIN_BINARY }, { 2, PRUNE_PIN_BINARY } } },
    { PRUNE_CONVOLUTIONAL, "dontload and dontsave", OWN, NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(8, 3, leaky, PAD) CONV(5, 3, leaky, PAD "dontload=1\ndontsave=1\n") END, 7, { { 1, PRUNE_PIN_UNSAVED }, { 2, PRUNE_PIN_UNSAVED } } },
    { PRUNE_CONVOLUTIONAL, "prune=0", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN "prune=0\n") CONV(5, 3, leaky, PAD) END, 5, { { 0, PRUNE_PIN_EXEMPT } } },
    { PRUNE_CONVOLUTIONAL, "stride_x, stride_y", AB, NET(8, 9, 3) CONV(8, 3, mish, PAD BN "stride_x=2\nstride_y=1\n") CONV(5, 3, swish, PAD "stride_x=1\nstride_y=3\n") END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "dilation", AB, NET(8, 8, 3) CONV(8, 3, hard_mish, PAD BN "dilation=2\n") CONV(5, 3, gelu, PAD "dilation=3\nstride=2\n") END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "antialiasing=1", AB, NET(8, 8, 3) CONV(8, 3, relu6, PAD BN "stride=2\nantialiasing=1\n") CONV(5, 3, leaky, PAD) END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "antialiasing=2", AB, NET(8, 8, 3) CONV(8, 3, leaky, PAD BN "stride=2\nantialiasing=2\n") CONV(5, 3, leaky, PAD) END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "logistic, blurred with zeros around", AB, NET(8, 8, 3) CONV(8, 3, logistic, PAD "stride=2\nantialiasing=1\n") END, 0, { { 0, PRUNE_PIN_CONSTANT } } },
    { PRUNE_CONVOLUTIONAL, "logistic, blurred without zeros around", AB, NET(8, 8, 3) CONV(8, 3, logistic, PAD "stride=2\nantialiasing=2\n") END, 8, { { 1, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "share_index", AB, NET(6, 6, 3) CONV(6, 3, leaky, PAD BN) CONV(6, 3, leaky, PAD BN) CONV(6, 3, relu, PAD BN "share_index=1\n") END, 6, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "share_index over branches", AB, NET(6, 6, 3) CONV(5, 3, leaky, PAD BN) CONV(6, 3, leaky, PAD) ROUTE("0", "") CONV(4, 3, mish, PAD) ROUTE("0", "") CONV(6, 3, leaky, PAD "share_index=1\n") ROUTE("3,5,1", "") END, 15, { { 7, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "share_index with logistic", AB, NET(6, 6, 3) CONV(6, 3, logistic, PAD BN) CONV(6, 1, logistic, "") CONV(6, 1, logistic, "share_index=1\n") END, 0, { { 0, PRUNE_PIN_CONSTANT } } },
    { PRUNE_CONVOLUTIONAL, "bin_output", AB, NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD "xnor=1\nbin_output=1\n") END, 7, { { 1, PRUNE_PIN_BINARY }, { 2, PRUNE_PIN_BINARY } } },
    { PRUNE_CONVOLUTIONAL, "sway", AB, NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD "sway=1\n") END, 7, { { 1, PRUNE_PIN_SPATIAL }, { 2, PRUNE_PIN_SPATIAL } } },
    { PRUNE_CONVOLUTIONAL, "normalize_channels", AB, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 3, normalize_channels, PAD) CONV(4, 3, normalize_channels_softmax, PAD) CONV(4, 3, normalize_channels_softmax_maxval, PAD) END, 8,
      { { 1, PRUNE_PIN_NEIGHBOURS }, { 2, PRUNE_PIN_NEIGHBOURS }, { 3, PRUNE_PIN_NEIGHBOURS } } },

    { PRUNE_DECONVOLUTIONAL, "plain", OWN, NET(4, 4, 3) CONV(6, 3, leaky, PAD) "[deconvolutional]\nfilters=5\nsize=2\nstride=2\nactivation=relu\n" END, 11, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_DECONVOLUTIONAL, "padded, with batch-norm", OWN, NET(4, 4, 3) CONV(6, 3, leaky, PAD) "[deconvolutional]\nfilters=5\nsize=3\nstride=2\npadding=1\nactivation=leaky\n" BN END, 11, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_DECONVOLUTIONAL, "behind logistic", OWN, NET(4, 4, 3) CONV(6, 3, logistic, PAD) "[deconvolutional]\nfilters=5\nsize=2\nstride=2\nactivation=relu\n" END, 5, { { 0, PRUNE_PIN_CONSTANT } } },

    { PRUNE_CONNECTED, "behind an image", OWN, NET(4, 5, 3) CONV(6, 3, leaky, PAD) CONN(7, relu, "") CONN(4, linear, ""), 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONNECTED, "behind a flat row, batch-norm", OWN, FLAT(12) CONN(8, leaky, BN) CONN(7, tanh, BN) CONN(4, linear, ""), 15, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONNECTED, "behind logistic", OWN, NET(4, 5, 3) CONV(6, 3, logistic, PAD) CONN(7, logistic, BN) CONN(4, linear, ""), 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONNECTED, "behind logistic, AlexeyAB", AB, NET(4, 5, 3) CONV(6, 3, logistic, PAD) CONN(7, logistic, BN) CONN(4, linear, ""), 13, { { 2, PRUNE_PIN_OUTPUT } } },

    { PRUNE_LOCAL, "padded", OWN, NET(4, 5, 3) CONV(5, 3, leaky, PAD) "[local]\nfilters=4\nsize=3\npad=1\nactivation=relu\n" END, 9, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_LOCAL, "not padded, between logistics", OWN, NET(5, 5, 3) CONV(5, 3, logistic, PAD) "[local]\nfilters=4\nsize=3\nstride=2\nactivation=logistic\n" END, 9, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_LOCAL, "padded, behind logistic", OWN, NET(5, 5, 3) CONV(5, 3, logistic, PAD) "[local]\nfilters=4\nsize=3\npad=1\nactivation=leaky\n" END, 9, { { 2, PRUNE_PIN_OUTPUT } } },

    { PRUNE_BATCHNORM, "without biases in the file", OWN, NET(5, 5, 3) CONV(6, 3, leaky, PAD) "[batchnorm]\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_BATCHNORM, "with biases in the file", AB, NET(5, 5, 3) CONV(6, 3, leaky, PAD) "[batchnorm]\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_BATCHNORM, "behind logistic, it makes 0 of it", OWN, NET(5, 5, 3) CONV(6, 3, logistic, PAD) "[batchnorm]\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_BATCHNORM, "first", OWN, NET(5, 5, 3) "[batchnorm]\n" CONV(5, 3, relu, PAD) END, 5, { { 0, PRUNE_PIN_INPUT } } },

    { PRUNE_MAXPOOL, "2/2", OWN, NET(7, 6, 3) CONV(6, 3, leaky, PAD BN) "[maxpool]\nsize=2\nstride=2\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_MAXPOOL, "2/1 and 3/1, logistic", OWN, NET(7, 6, 3) CONV(6, 3, logistic, PAD BN) "[maxpool]\nsize=2\nstride=1\n[maxpool]\nsize=3\nstride=1\n" CONV(5, 3, relu, "") END, 11, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_MAXPOOL, "stride_x, stride_y", AB, NET(7, 6, 3) CONV(6, 3, leaky, PAD BN) "[maxpool]\nsize=2\nstride_x=2\nstride_y=1\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_MAXPOOL, "antialiasing=1", AB, NET(8, 8, 3) CONV(6, 3, leaky, PAD BN) "[maxpool]\nsize=2\nstride=2\nantialiasing=1\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_MAXPOOL, "antialiasing=1 behind logistic", AB, NET(8, 8, 3) CONV(6, 3, logistic, PAD BN) "[maxpool]\nsize=2\nstride=2\nantialiasing=1\n" END, 0, { { 0, PRUNE_PIN_CONSTANT } } },
    { PRUNE_MAXPOOL, "maxpool_depth", AB, NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(6, 3, leaky, PAD BN) "[maxpool]\nmaxpool_depth=1\nout_channels=2\nsize=1\nstride=1\n" CONV(5, 3, relu, PAD) END, 12, { { 1, PRUNE_PIN_SPATIAL }, { 2, PRUNE_PIN_SPATIAL } } },

    { PRUNE_AVGPOOL, "before connected", OWN, NET(5, 4, 3) CONV(6, 3, logistic, PAD BN) "[avgpool]\n" CONN(5, relu, "") CONN(2, linear, ""), 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_LOCAL_AVGPOOL, "3/2", AB, NET(7, 6, 3) CONV(6, 3, leaky, PAD BN) "[local_avgpool]\nsize=3\nstride=2\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_LOCAL_AVGPOOL, "3/1 behind logistic", AB, NET(7, 6, 3) CONV(6, 3, logistic, PAD BN) "[local_avgpool]\nsize=3\nstride=1\n" CONV(5, 3, relu, "") END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_DROPOUT, "of images and rows", OWN, NET(5, 4, 3) CONV(6, 3, leaky, PAD) "[dropout]\nprobability=.5\n" CONN(5, relu, "") "[dropout]\n" CONN(2, linear, ""), 11, { { 4, PRUNE_PIN_OUTPUT } } },

    { PRUNE_SOFTMAX, "at the end", OWN, NET(5, 4, 3) CONV(6, 3, leaky, PAD) CONV(4, 1, linear, "") "[avgpool]\n[softmax]\n", 6, { { 1, PRUNE_PIN_HEAD }, { 3, PRUNE_PIN_HEAD } } },
    { PRUNE_SOFTMAX, "groups, temperature, in the middle", OWN, NET(5, 4, 3) CONV(6, 3, leaky, PAD) CONN(8, linear, "") "[softmax]\ngroups=2\ntemperature=2\n" CONN(5, relu, "") CONN(2, linear, ""), 11, { { 1, PRUNE_PIN_HEAD }, { 2, PRUNE_PIN_HEAD } } },
    { PRUNE_COST, "behind softmax", OWN, NET(5, 4, 3) CONV(6, 3, leaky, PAD) CONN(4, linear, "") "[softmax]\n[cost]\ntype=sse\n", 6, { { 1, PRUNE_PIN_HEAD }, { 3, PRUNE_PIN_HEAD } } },
    { PRUNE_COST, "of features", OWN, NET(5, 4, 3) CONV(6, 3, leaky, PAD) CONV(4, 3, leaky, PAD) "[cost]\ntype=L1\n", 6, { { 1, PRUNE_PIN_HEAD } } },

    { PRUNE_CROP, "noadjust", OWN, NET(8, 7, 3) CONV(6, 3, leaky, PAD) "[crop]\ncrop_width=5\ncrop_height=4\nnoadjust=1\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CROP, "makes -1 of 0, which a padded reader cannot take", OWN, NET(8, 7, 3) CONV(6, 3, leaky, PAD) "[crop]\ncrop_width=5\ncrop_height=4\n" CONV(5, 3, relu, PAD) END, 5, { { 0, PRUNE_PIN_CONSTANT } } },
    { PRUNE_CROP, "makes -1 of 0, which an unpadded reader can take", OWN, NET(8, 7, 3) CONV(6, 3, leaky, PAD) "[crop]\ncrop_width=5\ncrop_height=4\n" CONV(5, 3, relu, "") END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CROP, "makes 0 of .5", OWN, NET(8, 7, 3) CONV(6, 3, logistic, PAD) "[crop]\ncrop_width=5\ncrop_height=4\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CROP, "of the input", OWN, NET(8, 7, 3) "[crop]\ncrop_width=5\ncrop_height=4\n" CONV(5, 3, relu, PAD) END, 5, { { 0, PRUNE_PIN_INPUT } } },

    { PRUNE_ROUTE, "of one", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(5, 3, leaky, PAD) ROUTE("-2", "") CONV(4, 3, relu, PAD) ROUTE("-3,3", "") END, 17, { { 5, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ROUTE, "of four, as in SPP", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) "[maxpool]\nstride=1\nsize=3\n" ROUTE("-2", "") "[maxpool]\nstride=1\nsize=5\n" ROUTE("-4", "") CONV(5, 3, relu, PAD) ROUTE("-1,-3,-5,-6", "") CONV(6, 1, leaky, BN) END, 19,
      { { 8, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ROUTE, "of the same layer twice", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(5, 3, leaky, PAD) ROUTE("0,1,0", "") CONV(4, 3, relu, PAD) END, 17, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ROUTE, "of routes", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(5, 3, leaky, PAD) ROUTE("1,0", "") CONV(4, 3, relu, PAD) ROUTE("2,3,0", "") CONV(4, 1, relu, "") END, 21, { { 6, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ROUTE, "of unequal sizes, as a row", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(5, 3, leaky, PAD "stride=2\n") CONV(4, 3, leaky, PAD) ROUTE("1,0", "") CONN(7, relu, "") CONN(2, linear, ""), 7, { { 0, PRUNE_PIN_SPATIAL }, { 1, PRUNE_PIN_SPATIAL }, { 3, PRUNE_PIN_SPATIAL } } },
    { PRUNE_ROUTE, "groups=2", AB, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) ROUTE("-1", "groups=2\ngroup_id=1\n") CONV(4, 3, leaky, PAD) ROUTE("-1,-3", "") END, 8, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ROUTE, "groups=4", AB, NET(6, 6, 3) CONV(12, 3, leaky, PAD BN) ROUTE("0", "groups=4\ngroup_id=3\n") CONV(4, 3, leaky, PAD) END, 7, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ROUTE, "groups=2 of several", AB, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(6, 3, mish, PAD) ROUTE("0,1,0", "groups=2\ngroup_id=0\n") CONV(4, 3, leaky, PAD) END, 11, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ROUTE, "groups=2 of a route", AB, NET(6, 6, 3) CONV(4, 3, leaky, PAD BN) CONV(8, 3, mish, PAD) ROUTE("0,1", "") ROUTE("2", "groups=2\ngroup_id=1\n") CONV(4, 3, leaky, PAD) END, 10, { { 5, PRUNE_PIN_OUTPUT } } },

    { PRUNE_SHORTCUT, "equal", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 1, leaky, BN) CONV(8, 3, leaky, PAD) SHORTCUT("-3", "") END, 13, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "nested", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(8, 1, leaky, BN) SHORTCUT("0", "") CONV(5, 3, leaky, PAD) CONV(8, 3, leaky, PAD) SHORTCUT("2", "") SHORTCUT("1", "") END, 13, { { 7, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "adds fewer channels", OWN, NET(6, 6, 3) CONV(5, 3, leaky, PAD BN) CONV(8, 3, leaky, PAD) SHORTCUT("0", "") CONV(4, 3, leaky, PAD) END, 12, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "adds more channels", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD) SHORTCUT("0", "") CONV(4, 3, leaky, PAD) END, 12, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "chain of truncations", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD) SHORTCUT("0", "") CONV(10, 3, leaky, PAD) SHORTCUT("2", "") CONV(7, 3, leaky, PAD) SHORTCUT("4", "") SHORTCUT("0", "") END, 11, { { 8, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "adds every second place", OWN, NET(8, 8, 3) CONV(8, 3, leaky, PAD BN) CONV(8, 3, leaky, PAD "stride=2\n") SHORTCUT("0", "") END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "adds to every second place", OWN, NET(8, 8, 3) CONV(8, 3, leaky, PAD "stride=2\n") "[upsample]\nstride=2\n" CONV(8, 3, leaky, PAD) SHORTCUT("0", "") END, 8, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "alpha and beta", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(8, 3, leaky, PAD) SHORTCUT("0", "alpha=.5\nbeta=.25\n") END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "of logistics, alpha and beta", OWN, NET(6, 6, 3) CONV(8, 3, logistic, PAD BN) CONV(8, 3, logistic, "") "[upsample]\nstride=3\n" CONV(8, 7, logistic, "") SHORTCUT("0", "alpha=.5\nbeta=.25\n") END, 16, { { 5, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "activation logistic", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(8, 3, leaky, PAD) "[shortcut]\nfrom=0\nactivation=logistic\n" CONV(4, 3, leaky, "") END, 12, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "of a logistic and a constant place", OWN, NET(6, 6, 3) CONV(8, 3, logistic, PAD "stride=2\n") "[upsample]\nstride=2\n" CONV(8, 3, leaky, PAD BN "prune=0\n") CONV(8, 1, leaky, "") SHORTCUT("0", "") END, 0, { { 0, PRUNE_PIN_CONSTANT } } },
    { PRUNE_SHORTCUT, "of three", AB, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(6, 3, mish, PAD) CONV(8, 3, leaky, PAD) SHORTCUT("0,1", "") END, 8, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "no alpha and beta in AlexeyAB's", AB, NET(6, 6, 3) CONV(8, 3, logistic, PAD BN) CONV(8, 1, logistic, "") SHORTCUT("0", "alpha=.5\nbeta=.25\n") END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "per_feature", AB, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(6, 3, mish, PAD) CONV(8, 3, leaky, PAD) SHORTCUT("0,1", "weights_type=per_feature\nweights_normalization=none\n") END, 8, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "per_feature relu", AB, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(8, 3, leaky, PAD) SHORTCUT("0", "weights_type=per_feature\nweights_normalization=relu\n") END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "per_channel", AB, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(6, 3, mish, PAD) CONV(8, 3, leaky, PAD) SHORTCUT("0,1", "weights_type=per_channel\nweights_normalization=none\n") CONV(4, 3, leaky, PAD) END, 12, { { 5, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "per_channel softmax", AB, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(6, 3, mish, PAD) CONV(8, 3, leaky, PAD) SHORTCUT("0,1", "weights_type=per_channel\nweights_normalization=softmax\n") END, 8, { { 4, PRUNE_PIN_OUTPUT } } },

    { PRUNE_UPSAMPLE, "2", OWN, NET(4, 3, 3) CONV(6, 3, leaky, PAD) "[upsample]\nstride=2\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_UPSAMPLE, "scale, logistic", OWN, NET(4, 3, 3) CONV(6, 3, logistic, PAD) "[upsample]\nstride=2\nscale=.5\n" CONV(5, 3, relu, "") END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_UPSAMPLE, "down, logistic", OWN, NET(8, 6, 3) CONV(6, 3, logistic, PAD) "[upsample]\nstride=-2\nscale=.5\n" CONV(5, 3, relu, "") END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_UPSAMPLE, "AlexeyAB's", AB, NET(4, 3, 3) CONV(6, 3, mish, PAD) "[upsample]\nstride=2\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },

    { PRUNE_REORG, "6x6", OWN, NET(6, 6, 3) CONV(12, 3, leaky, PAD BN) "[reorg]\nstride=2\n" CONV(5, 3, relu, PAD) END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG, "26x26", OWN, NET(26, 26, 1) CONV(8, 1, leaky, "") "[reorg]\nstride=2\n" CONV(5, 1, relu, "") END, 7, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG, "10x6", OWN, NET(10, 6, 3) CONV(12, 3, leaky, PAD) "[reorg]\nstride=2\n" CONV(5, 3, relu, PAD) END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG, "9x9 by 3", OWN, NET(9, 9, 3) CONV(27, 3, leaky, PAD) "[reorg]\nstride=3\n" CONV(5, 1, relu, "") END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG, "as in yolov2, with a route", OWN, NET(12, 12, 3) CONV(4, 3, leaky, PAD "stride=2\n") CONV(5, 3, leaky, PAD "stride=2\n") ROUTE("0", "") CONV(8, 1, leaky, BN) "[reorg]\nstride=2\n" ROUTE("-1,1", "") CONV(6, 3, leaky, PAD) END, 17, { { 7, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG, "reverse", OWN, NET(3, 5, 3) CONV(12, 3, leaky, PAD BN) "[reorg]\nstride=2\nreverse=1\n" CONV(5, 3, relu, PAD) END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG, "logistic", OWN, NET(6, 6, 3) CONV(12, 3, logistic, PAD BN) "[reorg]\nstride=2\n" CONV(5, 3, relu, "") END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG, "flatten", OWN, NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(8, 3, leaky, PAD) "[reorg]\nstride=2\nflatten=1\n" CONV(5, 3, relu, PAD) END, 12, { { 1, PRUNE_PIN_SPATIAL }, { 2, PRUNE_PIN_SPATIAL } } },
    { PRUNE_REORG, "extra", OWN, NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(8, 3, leaky, PAD) "[reorg]\nextra=4\n" CONN(5, relu, "") CONN(2, linear, ""), 12, { { 1, PRUNE_PIN_SPATIAL }, { 2, PRUNE_PIN_SPATIAL } } },
    { PRUNE_REORG, "AlexeyAB's", AB, NET(10, 6, 3) CONV(12, 3, mish, PAD) "[reorg]\nstride=2\n" CONV(5, 3, relu, PAD) END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG3D, "6x6", AB, NET(6, 6, 3) CONV(7, 3, leaky, PAD BN) "[reorg3d]\nstride=2\n" CONV(5, 3, relu, PAD) END, 12, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG3D, "9x6 by 3, logistic", AB, NET(9, 6, 3) CONV(2, 3, logistic, PAD BN) "[reorg3d]\nstride=3\n" CONV(5, 1, relu, "") END, 7, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG3D, "reverse", AB, NET(3, 3, 3) CONV(7, 3, leaky, PAD) CONV(16, 3, leaky, PAD) "[reorg3d]\nstride=2\nreverse=1\n" CONV(5, 3, relu, PAD) END, 12, { { 1, PRUNE_PIN_SPATIAL }, { 2, PRUNE_PIN_SPATIAL } } },

    { PRUNE_ACTIVATION, "logistic", OWN, NET(5, 5, 3) CONV(6, 3, linear, PAD) "[activation]\nactivation=logistic\n" CONV(5, 3, relu, "") END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ACTIVATION, "logistic before a padded reader", OWN, NET(5, 5, 3) CONV(6, 3, linear, PAD) "[activation]\nactivation=logistic\n" CONV(5, 3, relu, PAD) END, 5, { { 0, PRUNE_PIN_CONSTANT } } },
    { PRUNE_ACTIVATION, "tanh of a row", OWN, FLAT(9) CONN(6, linear, "") "[activation]\nactivation=tanh\n" CONN(5, relu, "") CONN(2, linear, ""), 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_LOGISTIC, "of an image", OWN, NET(5, 5, 3) CONV(6, 3, linear, PAD) "[logistic]\n" CONV(5, 3, relu, "") END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_LOGISTIC, "of a row", OWN, FLAT(9) CONN(6, linear, "") "[logistic]\n" CONN(5, relu, "") CONN(2, linear, ""), 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_L2NORM, "in the middle", OWN, NET(5, 5, 3) CONV(7, 3, leaky, PAD) CONV(6, 3, linear, PAD) "[l2norm]\n" CONV(5, 3, relu, PAD) END, 12, { { 1, PRUNE_PIN_NEIGHBOURS }, { 2, PRUNE_PIN_NEIGHBOURS } } },
    { PRUNE_NORMALIZATION, "in the middle", OWN, NET(5, 5, 3) CONV(7, 3, leaky, PAD) CONV(6, 3, linear, PAD) "[normalization]\nalpha=.1\nsize=3\n" CONV(5, 3, relu, PAD) END, 12, { { 1, PRUNE_PIN_NEIGHBOURS }, { 2, PRUNE_PIN_NEIGHBOURS } } },

    { PRUNE_DETECTION, "behind connected", OWN, NET(5, 5, 3) CONV(7, 3, leaky, PAD) CONN(6, leaky, "") CONN(24, linear, "") "[detection]\nclasses=1\ncoords=4\nnum=1\nside=2\n", 13, { { 2, PRUNE_PIN_HEAD } } },
    { PRUNE_REGION, "one", OWN, NET(5, 5, 3) CONV(7, 3, leaky, PAD BN) CONV(14, 1, linear, "") "[region]\nclasses=2\ncoords=4\nnum=2\n", 7, { { 1, PRUNE_PIN_HEAD } } },
    { PRUNE_YOLO, "two heads", OWN, NET(8, 8, 3) CONV(7, 3, leaky, PAD BN) CONV(6, 3, leaky, PAD BN "stride=2\n") CONV(12, 1, linear, "") "[yolo]\nmask=2,3\nclasses=1\nnum=4\n" ROUTE("-3", "") CONV(4, 1, leaky, BN) "[upsample]\nstride=2\n" ROUTE("-1,0", "")
      CONV(5, 3, leaky, PAD BN) CONV(6, 1, linear, "") "[yolo]\nmask=0\nclasses=1\nnum=4\n", 22, { { 2, PRUNE_PIN_HEAD }, { 9, PRUNE_PIN_HEAD } } },
    { PRUNE_YOLO, "behind a shortcut", OWN, NET(8, 8, 3) CONV(7, 3, leaky, PAD BN) CONV(6, 3, leaky, PAD) CONV(6, 1, linear, "") SHORTCUT("1", "") "[yolo]\nclasses=1\n", 7, { { 1, PRUNE_PIN_HEAD }, { 2, PRUNE_PIN_HEAD } } },
    { PRUNE_GAUSSIAN_YOLO, "one", AB, NET(5, 5, 3) CONV(7, 3, leaky, PAD BN) CONV(10, 1, linear, "") "[Gaussian_yolo]\nclasses=1\nnum=1\n", 7, { { 1, PRUNE_PIN_HEAD } } },
    { PRUNE_ISEG, "one", OWN, NET(5, 5, 3) CONV(7, 3, leaky, PAD BN) CONV(5, 1, linear, "") "[iseg]\nclasses=2\nids=3\n", 7, { { 1, PRUNE_PIN_HEAD } } },
    { PRUNE_CONTRASTIVE, "behind yolo", AB, NET(5, 5, 3) CONV(5, 3, leaky, PAD BN) CONV(4, 1, linear, "") ROUTE("0", "") CONV(6, 1, linear, "") "[yolo]\nclasses=1\nnum=1\nembedding_layer=1\n" ROUTE("1", "") "[contrastive]\nclasses=1\nyolo_layer=4\n", 5,
      { { 1, PRUNE_PIN_HEAD }, { 3, PRUNE_PIN_HEAD } } },

    { PRUNE_RNN, "between connected layers", OWN, FLAT(9) CONN(7, leaky, "") CONN(6, leaky, BN) "[rnn]\noutput=5\nbatch_normalize=1\n" CONN(4, leaky, "") CONN(2, linear, ""), 11, { { 1, PRUNE_PIN_RECURRENT }, { 2, PRUNE_PIN_RECURRENT } } },
    { PRUNE_RNN, "AlexeyAB's", AB, FLAT(9) CONN(7, leaky, "") CONN(6, leaky, "") "[rnn]\noutput=5\nhidden=3\n" CONN(4, leaky, "") CONN(2, linear, ""), 11, { { 1, PRUNE_PIN_RECURRENT }, { 2, PRUNE_PIN_RECURRENT } } },
    { PRUNE_GRU, "between connected layers", OWN, FLAT(9) CONN(7, leaky, "") CONN(6, leaky, "") "[gru]\noutput=5\n" CONN(4, leaky, "") CONN(2, linear, ""), 11, { { 1, PRUNE_PIN_RECURRENT }, { 2, PRUNE_PIN_RECURRENT } } },
    { PRUNE_LSTM, "between connected layers", OWN, FLAT(9) CONN(7, leaky, "") CONN(6, leaky, "") "[lstm]\noutput=5\nbatch_normalize=1\n" CONN(4, leaky, "") CONN(2, linear, ""), 11, { { 1, PRUNE_PIN_RECURRENT }, { 2, PRUNE_PIN_RECURRENT } } },
    { PRUNE_CRNN, "between convolutions", OWN, NET(5, 5, 3) CONV(7, 3, leaky, PAD) CONV(6, 3, leaky, PAD) "[crnn]\nhidden_filters=4\noutput_filters=5\nbatch_normalize=1\n" CONV(4, 3, leaky, PAD) END, 11, { { 1, PRUNE_PIN_RECURRENT }, { 2, PRUNE_PIN_RECURRENT } } },
    { PRUNE_CONV_LSTM, "between convolutions", AB, NET(5, 5, 3) CONV(7, 3, leaky, PAD) CONV(6, 3, leaky, PAD) "[conv_lstm]\noutput=5\nsize=3\npad=1\npeephole=1\n" CONV(4, 3, leaky, PAD) END, 11, { { 1, PRUNE_PIN_RECURRENT }, { 2, PRUNE_PIN_RECURRENT } } },
    { PRUNE_HISTORY, "between convolutions", AB, NET(5, 5, 3) CONV(7, 3, leaky, PAD) CONV(6, 3, leaky, PAD) "[history]\nhistory_size=2\n" CONV(4, 3, leaky, PAD) END, 11, { { 1, PRUNE_PIN_RECURRENT }, { 2, PRUNE_PIN_RECURRENT } } },

    { PRUNE_SCALE_CHANNELS, "squeeze and excite", AB, NET(6, 5, 3) CONV(8, 3, swish, PAD BN) "[avgpool]\n" CONV(4, 1, relu, "") CONV(8, 1, logistic, "") "[scale_channels]\nfrom=-4\n" CONV(5, 3, leaky, PAD) END, 17, { { 6, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SCALE_CHANNELS, "squeeze and excite in a residual block", AB, NET(6, 5, 3) CONV(6, 3, swish, PAD BN) CONV(8, 1, swish, BN) CONV(8, 3, swish, PAD BN "groups=8\n") "[avgpool]\n" CONV(4, 1, swish, "") CONV(8, 1, logistic, "") "[scale_channels]\nfrom=-4\nactivation=linear\n" CONV(6, 1, linear, BN)
      SHORTCUT("0", "") END, 18, { { 9, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SCALE_CHANNELS, "scale_wh", AB, NET(6, 5, 3) CONV(8, 3, leaky, PAD BN) CONV(1, 1, logistic, "") "[scale_channels]\nfrom=0\nscale_wh=1\n" CONV(5, 3, leaky, PAD) END, 13, { { 1, PRUNE_PIN_SPATIAL } } },
    { PRUNE_SAM, "as in yolov4", AB, NET(6, 5, 3) CONV(8, 3, leaky, PAD BN) CONV(8, 1, logistic, BN) "[sam]\nfrom=-2\n" CONV(5, 3, leaky, PAD) END, 13, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SAM, "of two logistics", AB, NET(6, 5, 3) CONV(8, 3, logistic, PAD BN) CONV(8, 1, logistic, BN) "[sam]\nfrom=-2\nactivation=logistic\n" CONV(5, 3, leaky, "") END, 13, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_IMPLICIT, "times pooled channels", AB, NET(5, 5, 3) CONV(7, 3, leaky, PAD) CONV(6, 3, leaky, PAD) "[implicit]\nfilters=6\n" ROUTE("1", "") "[avgpool]\n[sam]\nfrom=2\n" CONV(4, 1, leaky, "") END, 11, { { 1, PRUNE_PIN_OWN_WEIGHTS }, { 2, PRUNE_PIN_OWN_WEIGHTS } } },
    { PRUNE_EMPTY, "in the middle", AB, NET(5, 5, 3) CONV(6, 3, leaky, PAD) "[empty]\n" CONV(5, 3, leaky, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
};
enum { N_CASES = sizeof cases / sizeof *cases };

static char folder[64];

static void open_text(struct prune_test_trial *trial, const char *name, enum prune_dialect dialect, const char *text, uint64_t seed)
{
    *trial = (struct prune_test_trial){ .damage = PRUNE_TEST_NO_DAMAGE };
    memcpy(trial->folder, folder, sizeof folder);
    if (prune_test_trial_open(trial, text, dialect, seed)) fail_msg("%s: %s\n%s", name, trial->fault, text);
}

/* A case's fault does not keep the others from being looked at. */
static int complaints;

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
    char line[1000];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    print_error("%s\n", line);
    complaints++;
}

static void no_complaints(void)
{
    int n = complaints;
    complaints = 0;
    assert_int_equal(n, 0);
}

static const char *case_name(const struct kind_case *of, char *name, size_t bytes)
{
    snprintf(name, bytes, "[%s] %s", prune_kind_name(of->kind), of->name);
    return name;
}

/* ------------------------------------------------------------------------------------------------------- every kind -- */

static void every_kind_has_a_case(void **state)
{
    (void)state;
    int last = 0;
    for (int kind = PRUNE_UNKNOWN; kind == PRUNE_UNKNOWN || strcmp(prune_kind_name((enum prune_kind)kind), "unknown"); kind++) {
        int n = 0;
        for (int i = 0; i < N_CASES; i++) n += cases[i].kind == (enum prune_kind)kind;
        if (!n) complain("no case for [%s]", prune_kind_name((enum prune_kind)kind));
        last = kind;
    }
    assert_true(last >= PRUNE_EMPTY);
    for (int i = 0; i < N_CASES; i++) {         /* and the case has the kind that it says */
        struct prune_test_trial trial;
        char name[200];
        int n = 0;
        open_text(&trial, case_name(&cases[i], name, sizeof name), cases[i].dialect, cases[i].text, 1);
        for (int l = 0; l < trial.graph.n_nodes; l++) n += trial.graph.nodes[l].kind == cases[i].kind;
        if (!n) complain("%s: has no such layer", name);
        prune_test_trial_close(&trial);
    }
    no_complaints();
}

static void check_groups(const struct prune_test_trial *trial, const struct kind_case *of, const char *name)
{
    const struct prune_channels *channels = &trial->channels;
    int free_groups = 0;
    for (int g = 0; g < channels->n_groups; g++) free_groups += channels->groups[g].pin == PRUNE_FREE;
    if (free_groups != of->free) complain("%s: %d groups can go; must be %d", name, free_groups, of->free);
    for (int p = 0; p < 3 && of->pins[p].pin != PRUNE_FREE; p++) {
        int layer = of->pins[p].layer;
        assert_true(layer < trial->graph.n_nodes && channels->n_channels[layer] > 0);
        for (int c = 0; c < channels->n_channels[layer]; c++) {
            const struct prune_group *group = &channels->groups[channels->group[layer][c]];
            char text[200] = "";
            if (group->pin == of->pins[p].pin) continue;
            complain("%s: channel %d of layer %d is pinned for \"%s\" (%d), not for %d", name, c, layer, prune_pin_text(channels, group, text, sizeof text), (int)group->pin, (int)of->pins[p].pin);
        }
    }
}

static void what_is_coupled_and_what_is_pinned(void **state)
{
    (void)state;
    for (int i = 0; i < N_CASES; i++) {
        struct prune_test_trial trial;
        char name[200];
        open_text(&trial, case_name(&cases[i], name, sizeof name), cases[i].dialect, cases[i].text, 1);
        check_groups(&trial, &cases[i], name);
        prune_test_trial_close(&trial);
    }
    no_complaints();
}

static void masked_is_compact(void **state)
{
    (void)state;
    static const double shares[] = { .15, .5, .85 };
    for (int i = 0; i < N_CASES; i++) {
        struct prune_test_trial trial;
        char name[200];
        int gone = 0;
        case_name(&cases[i], name, sizeof name);
        for (uint64_t seed = 1; seed <= 4; seed++) {
            open_text(&trial, name, cases[i].dialect, cases[i].text, seed);
            for (int s = 0; s < 3; s++) {
                if (prune_test_masked_is_compact(&trial, shares[s])) complain("%s: %s", name, trial.fault);
                for (int g = 0; g < trial.channels.n_groups; g++) gone += trial.removed[g];
            }
            prune_test_trial_close(&trial);
        }
        if (!gone && cases[i].free > 1) complain("%s: nothing ever went", name);
    }
    no_complaints();
}

static void dead_channels_change_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < N_CASES; i++) {
        struct prune_test_trial trial;
        char name[200];
        int gone = 0;
        case_name(&cases[i], name, sizeof name);
        for (uint64_t seed = 11; seed <= 18; seed++) {
            open_text(&trial, name, cases[i].dialect, cases[i].text, seed);
            int n = prune_test_dead_is_compact(&trial);
            if (n < 0) complain("%s: %s", name, trial.fault);
            else gone += n;
            prune_test_trial_close(&trial);
        }
        if (!gone && cases[i].free > 4) complain("%s: nothing was found dead", name);
    }
    no_complaints();
}

static void folded_constants_are_exact(void **state)
{
    (void)state;
    int exact = 0;
    for (int i = 0; i < N_CASES; i++) {
        struct prune_test_trial trial;
        char name[200];
        case_name(&cases[i], name, sizeof name);
        for (uint64_t seed = 21; seed <= 23; seed++) {
            open_text(&trial, name, cases[i].dialect, cases[i].text, seed);
            int is_exact = prune_test_fold_is_exact(&trial, .3);
            if (is_exact < 0) complain("%s: %s", name, trial.fault);
            else exact += is_exact;
            prune_test_trial_close(&trial);
        }
    }
    no_complaints();
    assert_true(exact > N_CASES);               /* of three times as many */
}

static void the_network_never_loses_its_input_or_output(void **state)
{
    (void)state;
    for (int i = 0; i < N_CASES; i++) {
        struct prune_test_trial trial;
        char name[200];
        open_text(&trial, case_name(&cases[i], name, sizeof name), cases[i].dialect, cases[i].text, 1);
        const struct prune_channels *channels = &trial.channels;
        int last = trial.graph.n_nodes - 1;
        for (int c = 0; c < channels->n_input; c++) assert_int_not_equal(channels->groups[channels->input[c]].pin, PRUNE_FREE);
        for (int c = 0; c < channels->n_channels[last]; c++) assert_int_not_equal(channels->groups[channels->group[last][c]].pin, PRUNE_FREE);
        prune_test_trial_close(&trial);
    }
}

/* ---------------------------------------------------------------------------------- faults of earlier pruning tools -- */

static int kept_in(const struct prune_test_trial *trial, int layer, int channel)
{
    return !trial->removed[trial->channels.group[layer][channel]];
}

/* They kept as many channels on both sides of a shortcut, each side its own best. */
static void fault_shortcut_adds_other_channels(void **state)
{
    (void)state;
    struct prune_test_trial trial;
    open_text(&trial, "shortcut", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(6, 1, leaky, BN) CONV(8, 3, leaky, PAD BN) SHORTCUT("-3", "") CONV(10, 3, leaky, PAD) SHORTCUT("3", "") END, 1);
    for (int round = 0; round < 20; round++) {
        assert_int_equal(prune_test_masked_is_compact(&trial, .5), 0);
        for (int c = 0; c < 8; c++) {
            assert_int_equal(kept_in(&trial, 0, c), kept_in(&trial, 2, c));
            assert_int_equal(kept_in(&trial, 0, c), kept_in(&trial, 3, c));
            assert_int_equal(kept_in(&trial, 0, c), kept_in(&trial, 4, c));
        }
    }
    prune_test_trial_close(&trial);
}

/* The third and fourth input of a route were looked up where the second is. */
static void fault_route_of_four_takes_wrong_offsets(void **state)
{
    (void)state;
    struct prune_test_trial trial;
    open_text(&trial, "route", OWN, NET(6, 6, 3) CONV(4, 3, leaky, PAD) CONV(5, 3, leaky, PAD) CONV(6, 3, leaky, PAD) CONV(7, 3, leaky, PAD) ROUTE("3,2,1,0", "") CONV(5, 3, leaky, PAD) END, 1);
    for (int round = 0; round < 20; round++) {
        if (prune_test_masked_is_compact(&trial, .5)) fail_msg("%s", trial.fault);
        const int sizes[] = { 7, 6, 5, 4 };
        for (int f = 0, at = 0; f < 4; at += sizes[f++])
            for (int c = 0; c < sizes[f]; c++) assert_int_equal(kept_in(&trial, 4, at + c), kept_in(&trial, 3 - f, c));
    }
    prune_test_trial_close(&trial);
}

/* groups= and group_id= of a route were not looked at. */
static void fault_route_groups_are_ignored(void **state)
{
    (void)state;
    struct prune_test_trial trial;
    open_text(&trial, "route groups", AB, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) ROUTE("-1", "groups=2\ngroup_id=1\n") CONV(4, 3, leaky, PAD BN) CONV(4, 3, leaky, PAD BN) ROUTE("-1,-2", "") CONV(8, 1, leaky, BN) ROUTE("-6,-1", "") END, 1);
    for (int round = 0; round < 20; round++) {
        if (prune_test_masked_is_compact(&trial, .5)) fail_msg("%s", trial.fault);
        for (int c = 0; c < 4; c++) {
            assert_int_equal(kept_in(&trial, 1, c), kept_in(&trial, 0, 4 + c));
            assert_int_equal(kept_in(&trial, 0, c), kept_in(&trial, 0, 4 + c)); /* else the boundary between the slices would move */
        }
    }
    prune_test_trial_close(&trial);
}

/* A bias was taken through a relu, whatever the layer's activation is. */
static void fault_every_bias_goes_through_relu(void **state)
{
    (void)state;
    for (int activation = PRUNE_LINEAR_ACTIVATION; activation < PRUNE_NORM_CHANNELS; activation++) {
        struct prune_test_trial trial;
        char text[600];
        snprintf(text, sizeof text, NET(6, 6, 3) "[convolutional]\nfilters=8\nsize=3\npad=1\nbatch_normalize=1\nactivation=%s\n" CONV(6, 3, leaky, BN) CONV(4, 3, linear, "") END,
                 prune_activation_name((enum prune_activation)activation));
        open_text(&trial, text, AB, text, 1);
        int code = prune_test_fold_is_exact(&trial, .5);
        if (code != 1) fail_msg("%s: %s", prune_activation_name((enum prune_activation)activation), code ? trial.fault : "is said not to be exact");
        prune_test_trial_close(&trial);
    }
}

/* Only the next layer got the constant of a pruned channel; those behind a pooling, a route or a shortcut did not. */
static void fault_second_reader_does_not_get_the_constant(void **state)
{
    (void)state;
    static const char *const texts[] = {
        NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(5, 1, leaky, "") ROUTE("0", "") CONV(4, 3, leaky, BN) END,
        NET(6, 6, 3) CONV(8, 3, leaky, PAD) "[maxpool]\nsize=2\nstride=2\n" CONV(5, 1, leaky, "") "[upsample]\nstride=2\n" ROUTE("-1,0", "") CONV(4, 1, leaky, BN) END,
        NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(8, 1, tanh, "") SHORTCUT("0", "") CONV(4, 1, leaky, BN) ROUTE("2", "") CONN(5, leaky, "") CONN(2, linear, ""),
    };
    for (int i = 0; i < 3; i++)
        for (uint64_t seed = 1; seed < 9; seed++) {
            struct prune_test_trial trial;
            open_text(&trial, "second reader", OWN, texts[i], seed);
            int code = prune_test_fold_is_exact(&trial, .4);
            if (code != 1) fail_msg("text %d: %s", i, code ? trial.fault : "is said not to be exact");
            prune_test_trial_close(&trial);
        }
}

/* A filter was taken to have c * size * size weights in a grouped convolution too. */
static void fault_grouped_filters_have_fewer_weights(void **state)
{
    (void)state;
    struct prune_test_trial trial;
    open_text(&trial, "groups", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(12, 3, leaky, PAD BN "groups=4\n") CONV(12, 3, leaky, PAD BN "groups=12\n") END, 1);
    assert_int_equal(trial.graph.nodes[1].n_weights, 12 * 2 * 9);
    memset(trial.removed, 0, (size_t)trial.channels.n_groups);
    trial.removed[trial.channels.group[1][1]] = 1;  /* and so 4 and 7 and 10 of layer 1, and of the depthwise layer behind it */
    trial.removed[trial.channels.group[0][0]] = 1;  /* and so 2 and 4 and 6 */
    if (prune_test_removed_is_compact(&trial)) fail_msg("%s", trial.fault);
    struct prune_size size;
    int kept[4];
    prune_channels_size(&trial.channels, trial.removed, &size, kept);
    assert_int_equal(kept[0], 4);
    assert_int_equal(kept[1], 8);
    assert_int_equal(kept[2], 8);
    assert_int_equal(size.weights, 4 * 3 * 9 + 8 * 1 * 9 + 8 * 9 + 3 * 8);
    prune_test_trial_close(&trial);
}

/* The first layer's mask was for three channels. */
static void fault_input_of_other_than_three_channels(void **state)
{
    (void)state;
    static const char *const texts[] = { NET(6, 6, 1) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD) END, NET(6, 6, 4) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD) END,
                                         NET(6, 6, 17) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD) END };
    for (int i = 0; i < 3; i++) {
        struct prune_test_trial trial;
        open_text(&trial, "channels", OWN, texts[i], 1);
        for (int round = 0; round < 5; round++)
            if (prune_test_masked_is_compact(&trial, .5)) fail_msg("%s", trial.fault);
        prune_test_trial_close(&trial);
    }
}

static void remove_some(struct prune_test_trial *trial)
{
    memset(trial->removed, 0, (size_t)trial->channels.n_groups);
    trial->removed[trial->channels.group[0][2]] = trial->removed[trial->channels.group[1][0]] = 1;
}

/* `seen` was written as 0. */
static void fault_seen_becomes_zero(void **state)
{
    (void)state;
    struct prune_test_trial trial;
    struct prune_weights found = { 0 };
    struct prune_cfg cfg;
    struct prune_graph graph;
    char cfg_path[128], weights_path[128];
    snprintf(cfg_path, sizeof cfg_path, "%s/out.cfg", folder);
    snprintf(weights_path, sizeof weights_path, "%s/out.weights", folder);
    open_text(&trial, "seen", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD) END, 1);
    remove_some(&trial);
    assert_int_equal(prune_compact_write(&trial.channels, &trial.weights, trial.removed, cfg_path, weights_path, 0), 0);
    assert_int_equal(prune_cfg_read(&cfg, cfg_path), 0);
    assert_int_equal(prune_graph_build(&graph, &cfg, OWN), 0);
    assert_int_equal(prune_weights_read(&found, &graph, weights_path), 0);
    assert_int_equal(found.seen, 12345678901U);
    assert_int_equal(found.revision, 5);
    prune_weights_free(&found);
    prune_graph_free(&graph);
    prune_cfg_free(&cfg);
    prune_test_trial_close(&trial);
}

/* The name of the new cfg had room for 100 characters. */
static void fault_long_file_names(void **state)
{
    (void)state;
    struct prune_test_trial trial;
    char cfg_path[400], weights_path[400], name[201];
    memset(name, 'n', sizeof name);
    name[200] = '\0';
    snprintf(cfg_path, sizeof cfg_path, "%s/%s.cfg", folder, name);
    snprintf(weights_path, sizeof weights_path, "%s/%s.weights", folder, name);
    open_text(&trial, "names", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD) END, 1);
    remove_some(&trial);
    assert_int_equal(prune_compact_write(&trial.channels, &trial.weights, trial.removed, cfg_path, weights_path, 0), 0);
    assert_int_equal(unlink(cfg_path), 0);
    assert_int_equal(unlink(weights_path), 0);
    prune_test_trial_close(&trial);
}

/* ---------------------------------------------------------------------------------------------------------- borders -- */

/* Layer 1 reads constants with one tap of its 3x3 kernels. Says whether prune_fold calls that exact; where it does, it must be. */
static int fold_with_one_tap(const char *text, int tap)
{
    struct prune_test_trial trial;
    open_text(&trial, "one tap", AB, text, 3);
    for (size_t k = 0; k < trial.graph.nodes[1].n_weights; k++)
        if ((int)(k % 9) != tap) trial.params[1].weights[k] = 0;
    int code = prune_test_fold_is_exact(&trial, .5);
    if (code < 0) fail_msg("tap %d: %s", tap, trial.fault);
    prune_test_trial_close(&trial);
    return code;
}

/* Only what a tap sees at every place of the output can be added to a bias. */
static void taps_on_the_padding_are_not_exact(void **state)
{
    (void)state;
    static const char *const all_around[] = {
        NET(8, 8, 3) CONV(6, 1, leaky, "") CONV(4, 3, linear, PAD) END,
        NET(8, 8, 3) CONV(6, 1, leaky, "") CONV(4, 3, linear, PAD "dilation=2\n") END,
        NET(9, 9, 3) CONV(6, 1, leaky, "") CONV(4, 3, linear, PAD "dilation=3\nstride=2\n") END,
    };
    for (int i = 0; i < 3; i++)
        for (int tap = 0; tap < 9; tap++)
            if (fold_with_one_tap(all_around[i], tap) != (tap == 4)) fail_msg("text %d: tap %d is said %sto be exact", i, tap, tap == 4 ? "not " : "");
    /* an even width and stride 2: the kernel reaches over the left and upper border alone */
    for (int tap = 0; tap < 9; tap++)
        assert_int_equal(fold_with_one_tap(NET(8, 8, 3) CONV(6, 1, leaky, "") CONV(4, 3, linear, PAD "stride=2\n") END, tap), tap >= 3 && tap % 3 > 0);
}

/* ------------------------------------------------------------------------------------------------------- evaluator -- */

/* Written twice, by two hands: the plugin's activations and the evaluator's. */
static void evaluator_agrees_on_activations(void **state)
{
    (void)state;
    for (int activation = PRUNE_LINEAR_ACTIVATION; activation < PRUNE_NORM_CHANNELS; activation++) {
        struct prune_test_trial trial;
        char text[300];
        snprintf(text, sizeof text, FLAT(200) "[activation]\nactivation=%s\n", prune_activation_name((enum prune_activation)activation));
        open_text(&trial, text, AB, text, 1);
        double *out = NULL;
        for (size_t i = 0; i < trial.graph.inputs; i++) trial.input[i] = ((double)i - 99.5) / 11;
        assert_int_equal(prune_evaluate(&trial.graph, trial.params, trial.input, &out), 0);
        for (size_t i = 0; i < trial.graph.inputs; i++) {
            double expected = prune_activate((enum prune_activation)activation, trial.input[i]), error = out[i] - expected;
            if (!(error < 1e-6 && error > -1e-6)) fail_msg("%s(%g): %.9g and %.9g", prune_activation_name((enum prune_activation)activation), trial.input[i], expected, out[i]);
        }
        prune_evaluate_free(&trial.graph, &out);
        prune_test_trial_close(&trial);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_case),
        cmocka_unit_test(evaluator_agrees_on_activations),
        cmocka_unit_test(what_is_coupled_and_what_is_pinned),
        cmocka_unit_test(the_network_never_loses_its_input_or_output),
        cmocka_unit_test(masked_is_compact),
        cmocka_unit_test(dead_channels_change_nothing),
        cmocka_unit_test(folded_constants_are_exact),
        cmocka_unit_test(taps_on_the_padding_are_not_exact),
        cmocka_unit_test(fault_shortcut_adds_other_channels),
        cmocka_unit_test(fault_route_of_four_takes_wrong_offsets),
        cmocka_unit_test(fault_route_groups_are_ignored),
        cmocka_unit_test(fault_every_bias_goes_through_relu),
        cmocka_unit_test(fault_second_reader_does_not_get_the_constant),
        cmocka_unit_test(fault_grouped_filters_have_fewer_weights),
        cmocka_unit_test(fault_seen_becomes_zero),
        cmocka_unit_test(fault_long_file_names),
        cmocka_unit_test(fault_input_of_other_than_three_channels),
    };
    if (prune_test_folder(folder)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    prune_test_folder_remove(folder);
    return failed;
}
