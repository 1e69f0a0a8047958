/* kind_cases.h - a small network for every kind of section, for test_kinds.c
 *
 * The kind is in the middle. How many groups can go, and what is pinned for which reason, is worked out by hand.
 */
#ifndef KIND_CASES_H
#define KIND_CASES_H

#include "prune.h"

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
    { PRUNE_UNKNOWN, "a section of no known kind", PRUNE_PJREDDIE,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(6, 3, leaky, PAD) "[mystery]\nfilters=4\n", 8, { { 1, PRUNE_PIN_UNKNOWN } } },

    { PRUNE_CONVOLUTIONAL, "plain", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 3, relu, PAD) END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "stride and no padding", OWN,
      NET(9, 8, 3) CONV(8, 3, elu, "stride=2\n" BN) CONV(5, 2, tanh, "padding=1\n") END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "groups=2", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(6, 3, relu, PAD BN "groups=2\n") END, 7, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "groups=4 of few", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(12, 3, relu, PAD "groups=4\n") END, 5, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "depthwise", OWN,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(8, 3, leaky, PAD BN "groups=8\n") CONV(5, 1, relu, "") END, 13, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "depthwise with multiplier 2", OWN,
      NET(6, 6, 3) CONV(6, 3, leaky, PAD BN) CONV(12, 3, relu, PAD "groups=6\n") END, 6, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "depthwise of depthwise", OWN,
      NET(6, 6, 3) CONV(6, 3, leaky, PAD) CONV(12, 3, relu, PAD "groups=6\n") CONV(12, 3, selu, PAD BN "groups=12\n") END, 6, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "depthwise of the network's input", OWN,
      NET(6, 6, 3) CONV(6, 3, leaky, PAD "groups=3\n") CONV(5, 1, relu, "") END, 5, { { 0, PRUNE_PIN_INPUT } } },
    { PRUNE_CONVOLUTIONAL, "logistic before an unpadded one", OWN,
      NET(6, 6, 3) CONV(8, 3, logistic, PAD BN) CONV(5, 3, leaky, BN) END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "logistic before a padded one", OWN,
      NET(6, 6, 3) CONV(8, 3, logistic, PAD BN) CONV(5, 3, leaky, PAD) END, 5, { { 0, PRUNE_PIN_CONSTANT } } },
    { PRUNE_CONVOLUTIONAL, "plse before two readers", OWN,
      NET(6, 6, 3) CONV(8, 3, plse, PAD) CONV(5, 1, leaky, "") ROUTE("0", "") CONV(4, 1, leaky, BN) ROUTE("1,3", "") END, 17, { { 5, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "logistic before depthwise", OWN,
      NET(6, 6, 3) CONV(8, 3, logistic, PAD BN) CONV(8, 3, leaky, PAD BN "groups=8\n") END, 8, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "logistic before groups=2", OWN,
      NET(6, 6, 3) CONV(8, 3, logistic, PAD BN) CONV(6, 3, leaky, "groups=2\n") END, 7, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "flipped", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD "flipped=1\n") END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "xnor", OWN,
      NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD "xnor=1\n") END, 7, { { 1, PRUNE_PIN_BINARY }, { 2, PRUNE_PIN_BINARY } } },
    { PRUNE_CONVOLUTIONAL, "binary", OWN,
      NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD "binary=1\n")
          END, 7, { { 1, PRUNE_PIN_BINARY }, { 2, PRUNE_PIN_BINARY } } },
    { PRUNE_CONVOLUTIONAL, "dontload and dontsave", OWN,
      NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(8, 3, leaky, PAD) CONV(5, 3, leaky, PAD "dontload=1\ndontsave=1\n")
          END, 7, { { 1, PRUNE_PIN_UNSAVED }, { 2, PRUNE_PIN_UNSAVED } } },
    { PRUNE_CONVOLUTIONAL, "prune=0", OWN, NET(6, 6, 3) CONV(8, 3, leaky, PAD BN "prune=0\n") CONV(5, 3, leaky, PAD) END, 5, { { 0, PRUNE_PIN_EXEMPT } } },
    { PRUNE_CONVOLUTIONAL, "stride_x, stride_y", AB,
      NET(8, 9, 3) CONV(8, 3, mish, PAD BN "stride_x=2\nstride_y=1\n") CONV(5, 3, swish, PAD "stride_x=1\nstride_y=3\n") END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "dilation", AB,
      NET(8, 8, 3) CONV(8, 3, hard_mish, PAD BN "dilation=2\n") CONV(5, 3, gelu, PAD "dilation=3\nstride=2\n") END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "antialiasing=1", AB,
      NET(8, 8, 3) CONV(8, 3, relu6, PAD BN "stride=2\nantialiasing=1\n") CONV(5, 3, leaky, PAD) END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "antialiasing=2", AB,
      NET(8, 8, 3) CONV(8, 3, leaky, PAD BN "stride=2\nantialiasing=2\n") CONV(5, 3, leaky, PAD) END, 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "logistic, blurred with zeros around", AB,
      NET(8, 8, 3) CONV(8, 3, logistic, PAD "stride=2\nantialiasing=1\n") END, 0, { { 0, PRUNE_PIN_CONSTANT } } },
    { PRUNE_CONVOLUTIONAL, "logistic, blurred without zeros around", AB,
      NET(8, 8, 3) CONV(8, 3, logistic, PAD "stride=2\nantialiasing=2\n") END, 8, { { 1, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "share_index", AB,
      NET(6, 6, 3) CONV(6, 3, leaky, PAD BN) CONV(6, 3, leaky, PAD BN) CONV(6, 3, relu, PAD BN "share_index=1\n") END, 6, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "share_index over branches", AB,
      NET(6, 6, 3) CONV(5, 3, leaky, PAD BN) CONV(6, 3, leaky, PAD) ROUTE("0", "") CONV(4, 3, mish, PAD) ROUTE("0", "")
          CONV(6, 3, leaky, PAD "share_index=1\n") ROUTE("3,5,1", "") END, 15, { { 7, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONVOLUTIONAL, "share_index with logistic", AB,
      NET(6, 6, 3) CONV(6, 3, logistic, PAD BN) CONV(6, 1, logistic, "") CONV(6, 1, logistic, "share_index=1\n") END, 0, { { 0, PRUNE_PIN_CONSTANT } } },
    { PRUNE_CONVOLUTIONAL, "bin_output", AB,
      NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD "xnor=1\nbin_output=1\n")
          END, 7, { { 1, PRUNE_PIN_BINARY }, { 2, PRUNE_PIN_BINARY } } },
    { PRUNE_CONVOLUTIONAL, "sway", AB,
      NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD "sway=1\n")
          END, 7, { { 1, PRUNE_PIN_SPATIAL }, { 2, PRUNE_PIN_SPATIAL } } },
    { PRUNE_CONVOLUTIONAL, "normalize_channels", AB,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 3, normalize_channels, PAD) CONV(4, 3, normalize_channels_softmax, PAD)
          CONV(4, 3, normalize_channels_softmax_maxval, PAD) END, 8,
      { { 1, PRUNE_PIN_NEIGHBOURS }, { 2, PRUNE_PIN_NEIGHBOURS }, { 3, PRUNE_PIN_NEIGHBOURS } } },

    { PRUNE_DECONVOLUTIONAL, "plain", OWN,
      NET(4, 4, 3) CONV(6, 3, leaky, PAD) "[deconvolutional]\nfilters=5\nsize=2\nstride=2\nactivation=relu\n" END, 11, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_DECONVOLUTIONAL, "padded, with batch-norm", OWN,
      NET(4, 4, 3) CONV(6, 3, leaky, PAD) "[deconvolutional]\nfilters=5\nsize=3\nstride=2\npadding=1\nactivation=leaky\n" BN END, 11, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_DECONVOLUTIONAL, "behind logistic", OWN,
      NET(4, 4, 3) CONV(6, 3, logistic, PAD) "[deconvolutional]\nfilters=5\nsize=2\nstride=2\nactivation=relu\n" END, 5, { { 0, PRUNE_PIN_CONSTANT } } },

    { PRUNE_CONNECTED, "behind an image", OWN, NET(4, 5, 3) CONV(6, 3, leaky, PAD) CONN(7, relu, "") CONN(4, linear, ""), 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONNECTED, "behind a flat row, batch-norm", OWN, FLAT(12) CONN(8, leaky, BN) CONN(7, tanh, BN) CONN(4, linear, ""), 15, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONNECTED, "behind logistic", OWN, NET(4, 5, 3) CONV(6, 3, logistic, PAD) CONN(7, logistic, BN) CONN(4, linear, ""), 13, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CONNECTED, "behind logistic, AlexeyAB", AB,
      NET(4, 5, 3) CONV(6, 3, logistic, PAD) CONN(7, logistic, BN) CONN(4, linear, ""), 13, { { 2, PRUNE_PIN_OUTPUT } } },

    { PRUNE_LOCAL, "padded", OWN, NET(4, 5, 3) CONV(5, 3, leaky, PAD) "[local]\nfilters=4\nsize=3\npad=1\nactivation=relu\n" END, 9, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_LOCAL, "not padded, between logistics", OWN,
      NET(5, 5, 3) CONV(5, 3, logistic, PAD) "[local]\nfilters=4\nsize=3\nstride=2\nactivation=logistic\n" END, 9, { { 2, PRUNE_PIN_OUTPUT } } },
    { PRUNE_LOCAL, "padded, behind logistic", OWN,
      NET(5, 5, 3) CONV(5, 3, logistic, PAD) "[local]\nfilters=4\nsize=3\npad=1\nactivation=leaky\n" END, 9, { { 2, PRUNE_PIN_OUTPUT } } },

    { PRUNE_BATCHNORM, "without biases in the file", OWN,
      NET(5, 5, 3) CONV(6, 3, leaky, PAD) "[batchnorm]\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_BATCHNORM, "with biases in the file", AB,
      NET(5, 5, 3) CONV(6, 3, leaky, PAD) "[batchnorm]\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_BATCHNORM, "behind logistic, it makes 0 of it", OWN,
      NET(5, 5, 3) CONV(6, 3, logistic, PAD) "[batchnorm]\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_BATCHNORM, "first", OWN, NET(5, 5, 3) "[batchnorm]\n" CONV(5, 3, relu, PAD) END, 5, { { 0, PRUNE_PIN_INPUT } } },

    { PRUNE_MAXPOOL, "2/2", OWN, NET(7, 6, 3) CONV(6, 3, leaky, PAD BN) "[maxpool]\nsize=2\nstride=2\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_MAXPOOL, "2/1 and 3/1, logistic", OWN,
      NET(7, 6, 3) CONV(6, 3, logistic, PAD BN) "[maxpool]\nsize=2\nstride=1\n[maxpool]\nsize=3\nstride=1\n" CONV(5, 3, relu, "")
          END, 11, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_MAXPOOL, "stride_x, stride_y", AB,
      NET(7, 6, 3) CONV(6, 3, leaky, PAD BN) "[maxpool]\nsize=2\nstride_x=2\nstride_y=1\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_MAXPOOL, "antialiasing=1", AB,
      NET(8, 8, 3) CONV(6, 3, leaky, PAD BN) "[maxpool]\nsize=2\nstride=2\nantialiasing=1\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_MAXPOOL, "antialiasing=1 behind logistic", AB,
      NET(8, 8, 3) CONV(6, 3, logistic, PAD BN) "[maxpool]\nsize=2\nstride=2\nantialiasing=1\n" END, 0, { { 0, PRUNE_PIN_CONSTANT } } },
    { PRUNE_MAXPOOL, "maxpool_depth", AB,
      NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(6, 3, leaky, PAD BN) "[maxpool]\nmaxpool_depth=1\nout_channels=2\nsize=1\nstride=1\n" CONV(5, 3, relu, PAD)
          END, 12, { { 1, PRUNE_PIN_SPATIAL }, { 2, PRUNE_PIN_SPATIAL } } },

    { PRUNE_AVGPOOL, "before connected", OWN,
      NET(5, 4, 3) CONV(6, 3, logistic, PAD BN) "[avgpool]\n" CONN(5, relu, "") CONN(2, linear, ""), 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_LOCAL_AVGPOOL, "3/2", AB,
      NET(7, 6, 3) CONV(6, 3, leaky, PAD BN) "[local_avgpool]\nsize=3\nstride=2\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_LOCAL_AVGPOOL, "3/1 behind logistic", AB,
      NET(7, 6, 3) CONV(6, 3, logistic, PAD BN) "[local_avgpool]\nsize=3\nstride=1\n" CONV(5, 3, relu, "") END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_DROPOUT, "of images and rows", OWN,
      NET(5, 4, 3) CONV(6, 3, leaky, PAD) "[dropout]\nprobability=.5\n" CONN(5, relu, "") "[dropout]\n" CONN(2, linear, ""), 11, { { 4, PRUNE_PIN_OUTPUT } } },

    { PRUNE_SOFTMAX, "at the end", OWN,
      NET(5, 4, 3) CONV(6, 3, leaky, PAD) CONV(4, 1, linear, "") "[avgpool]\n[softmax]\n", 6, { { 1, PRUNE_PIN_HEAD }, { 3, PRUNE_PIN_HEAD } } },
    { PRUNE_SOFTMAX, "groups, temperature, in the middle", OWN,
      NET(5, 4, 3) CONV(6, 3, leaky, PAD) CONN(8, linear, "") "[softmax]\ngroups=2\ntemperature=2\n" CONN(5, relu, "")
          CONN(2, linear, ""), 11, { { 1, PRUNE_PIN_HEAD }, { 2, PRUNE_PIN_HEAD } } },
    { PRUNE_COST, "behind softmax", OWN,
      NET(5, 4, 3) CONV(6, 3, leaky, PAD) CONN(4, linear, "") "[softmax]\n[cost]\ntype=sse\n", 6, { { 1, PRUNE_PIN_HEAD }, { 3, PRUNE_PIN_HEAD } } },
    { PRUNE_COST, "of features", OWN, NET(5, 4, 3) CONV(6, 3, leaky, PAD) CONV(4, 3, leaky, PAD) "[cost]\ntype=L1\n", 6, { { 1, PRUNE_PIN_HEAD } } },

    { PRUNE_CROP, "noadjust", OWN,
      NET(8, 7, 3) CONV(6, 3, leaky, PAD) "[crop]\ncrop_width=5\ncrop_height=4\nnoadjust=1\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CROP, "makes -1 of 0, which a padded reader cannot take", OWN,
      NET(8, 7, 3) CONV(6, 3, leaky, PAD) "[crop]\ncrop_width=5\ncrop_height=4\n" CONV(5, 3, relu, PAD) END, 5, { { 0, PRUNE_PIN_CONSTANT } } },
    { PRUNE_CROP, "makes -1 of 0, which an unpadded reader can take", OWN,
      NET(8, 7, 3) CONV(6, 3, leaky, PAD) "[crop]\ncrop_width=5\ncrop_height=4\n" CONV(5, 3, relu, "") END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CROP, "makes 0 of .5", OWN,
      NET(8, 7, 3) CONV(6, 3, logistic, PAD) "[crop]\ncrop_width=5\ncrop_height=4\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_CROP, "of the input", OWN, NET(8, 7, 3) "[crop]\ncrop_width=5\ncrop_height=4\n" CONV(5, 3, relu, PAD) END, 5, { { 0, PRUNE_PIN_INPUT } } },

    { PRUNE_ROUTE, "of one", OWN,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(5, 3, leaky, PAD) ROUTE("-2", "") CONV(4, 3, relu, PAD) ROUTE("-3,3", "") END, 17, { { 5, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ROUTE, "of four, as in SPP", OWN,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) "[maxpool]\nstride=1\nsize=3\n" ROUTE("-2", "") "[maxpool]\nstride=1\nsize=5\n" ROUTE("-4", "")
          CONV(5, 3, relu, PAD) ROUTE("-1,-3,-5,-6", "") CONV(6, 1, leaky, BN) END, 19,
      { { 8, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ROUTE, "of the same layer twice", OWN,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(5, 3, leaky, PAD) ROUTE("0,1,0", "") CONV(4, 3, relu, PAD) END, 17, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ROUTE, "of routes", OWN,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(5, 3, leaky, PAD) ROUTE("1,0", "") CONV(4, 3, relu, PAD) ROUTE("2,3,0", "") CONV(4, 1, relu, "")
          END, 21, { { 6, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ROUTE, "of unequal sizes, as a row", OWN,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD) CONV(5, 3, leaky, PAD "stride=2\n") CONV(4, 3, leaky, PAD) ROUTE("1,0", "") CONN(7, relu, "")
          CONN(2, linear, ""), 7, { { 0, PRUNE_PIN_SPATIAL }, { 1, PRUNE_PIN_SPATIAL }, { 3, PRUNE_PIN_SPATIAL } } },
    { PRUNE_ROUTE, "groups=2", AB,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) ROUTE("-1", "groups=2\ngroup_id=1\n") CONV(4, 3, leaky, PAD) ROUTE("-1,-3", "") END, 8, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ROUTE, "groups=4", AB,
      NET(6, 6, 3) CONV(12, 3, leaky, PAD BN) ROUTE("0", "groups=4\ngroup_id=3\n") CONV(4, 3, leaky, PAD) END, 7, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ROUTE, "groups=2 of several", AB,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(6, 3, mish, PAD) ROUTE("0,1,0", "groups=2\ngroup_id=0\n") CONV(4, 3, leaky, PAD)
          END, 11, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ROUTE, "groups=2 of a route", AB,
      NET(6, 6, 3) CONV(4, 3, leaky, PAD BN) CONV(8, 3, mish, PAD) ROUTE("0,1", "") ROUTE("2", "groups=2\ngroup_id=1\n") CONV(4, 3, leaky, PAD)
          END, 10, { { 5, PRUNE_PIN_OUTPUT } } },

    { PRUNE_SHORTCUT, "equal", OWN,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 1, leaky, BN) CONV(8, 3, leaky, PAD) SHORTCUT("-3", "") END, 13, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "nested", OWN,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(8, 1, leaky, BN) SHORTCUT("0", "") CONV(5, 3, leaky, PAD) CONV(8, 3, leaky, PAD) SHORTCUT("2", "")
          SHORTCUT("1", "") END, 13, { { 7, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "adds fewer channels", OWN,
      NET(6, 6, 3) CONV(5, 3, leaky, PAD BN) CONV(8, 3, leaky, PAD) SHORTCUT("0", "") CONV(4, 3, leaky, PAD) END, 12, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "adds more channels", OWN,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD) SHORTCUT("0", "") CONV(4, 3, leaky, PAD) END, 12, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "chain of truncations", OWN,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(5, 3, leaky, PAD) SHORTCUT("0", "") CONV(10, 3, leaky, PAD) SHORTCUT("2", "") CONV(7, 3, leaky, PAD)
          SHORTCUT("4", "") SHORTCUT("0", "") END, 11, { { 8, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "adds every second place", OWN,
      NET(8, 8, 3) CONV(8, 3, leaky, PAD BN) CONV(8, 3, leaky, PAD "stride=2\n") SHORTCUT("0", "") END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "adds to every second place", OWN,
      NET(8, 8, 3) CONV(8, 3, leaky, PAD "stride=2\n") "[upsample]\nstride=2\n" CONV(8, 3, leaky, PAD) SHORTCUT("0", "") END, 8, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "alpha and beta", OWN,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(8, 3, leaky, PAD) SHORTCUT("0", "alpha=.5\nbeta=.25\n") END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "of logistics, alpha and beta", OWN,
      NET(6, 6, 3) CONV(8, 3, logistic, PAD BN) CONV(8, 3, logistic, "") "[upsample]\nstride=3\n" CONV(8, 7, logistic, "")
          SHORTCUT("0", "alpha=.5\nbeta=.25\n") END, 16, { { 5, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "activation logistic", OWN,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(8, 3, leaky, PAD) "[shortcut]\nfrom=0\nactivation=logistic\n" CONV(4, 3, leaky, "")
          END, 12, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "of a logistic and a constant place", OWN,
      NET(6, 6, 3) CONV(8, 3, logistic, PAD "stride=2\n") "[upsample]\nstride=2\n" CONV(8, 3, leaky, PAD BN "prune=0\n") CONV(8, 1, leaky, "")
          SHORTCUT("0", "") END, 0, { { 0, PRUNE_PIN_CONSTANT } } },
    { PRUNE_SHORTCUT, "of three", AB,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(6, 3, mish, PAD) CONV(8, 3, leaky, PAD) SHORTCUT("0,1", "") END, 8, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "no alpha and beta in AlexeyAB's", AB,
      NET(6, 6, 3) CONV(8, 3, logistic, PAD BN) CONV(8, 1, logistic, "") SHORTCUT("0", "alpha=.5\nbeta=.25\n") END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "per_feature", AB,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(6, 3, mish, PAD) CONV(8, 3, leaky, PAD)
          SHORTCUT("0,1", "weights_type=per_feature\nweights_normalization=none\n") END, 8, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "per_feature relu", AB,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(8, 3, leaky, PAD) SHORTCUT("0", "weights_type=per_feature\nweights_normalization=relu\n")
          END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "per_channel", AB,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(6, 3, mish, PAD) CONV(8, 3, leaky, PAD)
          SHORTCUT("0,1", "weights_type=per_channel\nweights_normalization=none\n") CONV(4, 3, leaky, PAD) END, 12, { { 5, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SHORTCUT, "per_channel softmax", AB,
      NET(6, 6, 3) CONV(8, 3, leaky, PAD BN) CONV(6, 3, mish, PAD) CONV(8, 3, leaky, PAD)
          SHORTCUT("0,1", "weights_type=per_channel\nweights_normalization=softmax\n") END, 8, { { 4, PRUNE_PIN_OUTPUT } } },

    { PRUNE_UPSAMPLE, "2", OWN, NET(4, 3, 3) CONV(6, 3, leaky, PAD) "[upsample]\nstride=2\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_UPSAMPLE, "scale, logistic", OWN,
      NET(4, 3, 3) CONV(6, 3, logistic, PAD) "[upsample]\nstride=2\nscale=.5\n" CONV(5, 3, relu, "") END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_UPSAMPLE, "down, logistic", OWN,
      NET(8, 6, 3) CONV(6, 3, logistic, PAD) "[upsample]\nstride=-2\nscale=.5\n" CONV(5, 3, relu, "") END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_UPSAMPLE, "AlexeyAB's", AB, NET(4, 3, 3) CONV(6, 3, mish, PAD) "[upsample]\nstride=2\n" CONV(5, 3, relu, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },

    { PRUNE_REORG, "6x6", OWN, NET(6, 6, 3) CONV(12, 3, leaky, PAD BN) "[reorg]\nstride=2\n" CONV(5, 3, relu, PAD) END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG, "26x26", OWN, NET(26, 26, 1) CONV(8, 1, leaky, "") "[reorg]\nstride=2\n" CONV(5, 1, relu, "") END, 7, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG, "10x6", OWN, NET(10, 6, 3) CONV(12, 3, leaky, PAD) "[reorg]\nstride=2\n" CONV(5, 3, relu, PAD) END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG, "9x9 by 3", OWN, NET(9, 9, 3) CONV(27, 3, leaky, PAD) "[reorg]\nstride=3\n" CONV(5, 1, relu, "") END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG, "as in yolov2, with a route", OWN,
      NET(12, 12, 3) CONV(4, 3, leaky, PAD "stride=2\n") CONV(5, 3, leaky, PAD "stride=2\n") ROUTE("0", "") CONV(8, 1, leaky, BN) "[reorg]\nstride=2\n"
          ROUTE("-1,1", "") CONV(6, 3, leaky, PAD) END, 17, { { 7, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG, "reverse", OWN,
      NET(3, 5, 3) CONV(12, 3, leaky, PAD BN) "[reorg]\nstride=2\nreverse=1\n" CONV(5, 3, relu, PAD) END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG, "logistic", OWN, NET(6, 6, 3) CONV(12, 3, logistic, PAD BN) "[reorg]\nstride=2\n" CONV(5, 3, relu, "") END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG, "flatten", OWN,
      NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(8, 3, leaky, PAD) "[reorg]\nstride=2\nflatten=1\n" CONV(5, 3, relu, PAD)
          END, 12, { { 1, PRUNE_PIN_SPATIAL }, { 2, PRUNE_PIN_SPATIAL } } },
    { PRUNE_REORG, "extra", OWN,
      NET(6, 6, 3) CONV(7, 3, leaky, PAD) CONV(8, 3, leaky, PAD) "[reorg]\nextra=4\n" CONN(5, relu, "")
          CONN(2, linear, ""), 12, { { 1, PRUNE_PIN_SPATIAL }, { 2, PRUNE_PIN_SPATIAL } } },
    { PRUNE_REORG, "AlexeyAB's", AB, NET(10, 6, 3) CONV(12, 3, mish, PAD) "[reorg]\nstride=2\n" CONV(5, 3, relu, PAD) END, 8, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG3D, "6x6", AB, NET(6, 6, 3) CONV(7, 3, leaky, PAD BN) "[reorg3d]\nstride=2\n" CONV(5, 3, relu, PAD) END, 12, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG3D, "9x6 by 3, logistic", AB,
      NET(9, 6, 3) CONV(2, 3, logistic, PAD BN) "[reorg3d]\nstride=3\n" CONV(5, 1, relu, "") END, 7, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_REORG3D, "reverse", AB,
      NET(3, 3, 3) CONV(7, 3, leaky, PAD) CONV(16, 3, leaky, PAD) "[reorg3d]\nstride=2\nreverse=1\n" CONV(5, 3, relu, PAD)
          END, 12, { { 1, PRUNE_PIN_SPATIAL }, { 2, PRUNE_PIN_SPATIAL } } },

    { PRUNE_ACTIVATION, "logistic", OWN,
      NET(5, 5, 3) CONV(6, 3, linear, PAD) "[activation]\nactivation=logistic\n" CONV(5, 3, relu, "") END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_ACTIVATION, "logistic before a padded reader", OWN,
      NET(5, 5, 3) CONV(6, 3, linear, PAD) "[activation]\nactivation=logistic\n" CONV(5, 3, relu, PAD) END, 5, { { 0, PRUNE_PIN_CONSTANT } } },
    { PRUNE_ACTIVATION, "tanh of a row", OWN,
      FLAT(9) CONN(6, linear, "") "[activation]\nactivation=tanh\n" CONN(5, relu, "") CONN(2, linear, ""), 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_LOGISTIC, "of an image", OWN, NET(5, 5, 3) CONV(6, 3, linear, PAD) "[logistic]\n" CONV(5, 3, relu, "") END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_LOGISTIC, "of a row", OWN, FLAT(9) CONN(6, linear, "") "[logistic]\n" CONN(5, relu, "") CONN(2, linear, ""), 11, { { 3, PRUNE_PIN_OUTPUT } } },
    { PRUNE_L2NORM, "in the middle", OWN,
      NET(5, 5, 3) CONV(7, 3, leaky, PAD) CONV(6, 3, linear, PAD) "[l2norm]\n" CONV(5, 3, relu, PAD)
          END, 12, { { 1, PRUNE_PIN_NEIGHBOURS }, { 2, PRUNE_PIN_NEIGHBOURS } } },
    { PRUNE_NORMALIZATION, "in the middle", OWN,
      NET(5, 5, 3) CONV(7, 3, leaky, PAD) CONV(6, 3, linear, PAD) "[normalization]\nalpha=.1\nsize=3\n" CONV(5, 3, relu, PAD)
          END, 12, { { 1, PRUNE_PIN_NEIGHBOURS }, { 2, PRUNE_PIN_NEIGHBOURS } } },

    { PRUNE_DETECTION, "behind connected", OWN,
      NET(5, 5, 3) CONV(7, 3, leaky, PAD) CONN(6, leaky, "") CONN(24, linear, "")
          "[detection]\nclasses=1\ncoords=4\nnum=1\nside=2\n", 13, { { 2, PRUNE_PIN_HEAD } } },
    { PRUNE_REGION, "one", OWN,
      NET(5, 5, 3) CONV(7, 3, leaky, PAD BN) CONV(14, 1, linear, "") "[region]\nclasses=2\ncoords=4\nnum=2\n", 7, { { 1, PRUNE_PIN_HEAD } } },
    { PRUNE_YOLO, "two heads", OWN,
      NET(8, 8, 3) CONV(7, 3, leaky, PAD BN) CONV(6, 3, leaky, PAD BN "stride=2\n") CONV(12, 1, linear, "") "[yolo]\nmask=2,3\nclasses=1\nnum=4\n"
          ROUTE("-3", "") CONV(4, 1, leaky, BN) "[upsample]\nstride=2\n" ROUTE("-1,0", "")
      CONV(5, 3, leaky, PAD BN) CONV(6, 1, linear, "") "[yolo]\nmask=0\nclasses=1\nnum=4\n", 22, { { 2, PRUNE_PIN_HEAD }, { 9, PRUNE_PIN_HEAD } } },
    { PRUNE_YOLO, "behind a shortcut", OWN,
      NET(8, 8, 3) CONV(7, 3, leaky, PAD BN) CONV(6, 3, leaky, PAD) CONV(6, 1, linear, "") SHORTCUT("1", "")
          "[yolo]\nclasses=1\n", 7, { { 1, PRUNE_PIN_HEAD }, { 2, PRUNE_PIN_HEAD } } },
    { PRUNE_GAUSSIAN_YOLO, "one", AB,
      NET(5, 5, 3) CONV(7, 3, leaky, PAD BN) CONV(10, 1, linear, "") "[Gaussian_yolo]\nclasses=1\nnum=1\n", 7, { { 1, PRUNE_PIN_HEAD } } },
    { PRUNE_ISEG, "one", OWN, NET(5, 5, 3) CONV(7, 3, leaky, PAD BN) CONV(5, 1, linear, "") "[iseg]\nclasses=2\nids=3\n", 7, { { 1, PRUNE_PIN_HEAD } } },
    { PRUNE_CONTRASTIVE, "behind yolo", AB,
      NET(5, 5, 3) CONV(5, 3, leaky, PAD BN) CONV(4, 1, linear, "") ROUTE("0", "") CONV(6, 1, linear, "") "[yolo]\nclasses=1\nnum=1\nembedding_layer=1\n"
          ROUTE("1", "") "[contrastive]\nclasses=1\nyolo_layer=4\n", 5,
      { { 1, PRUNE_PIN_HEAD }, { 3, PRUNE_PIN_HEAD } } },

    { PRUNE_RNN, "between connected layers", OWN,
      FLAT(9) CONN(7, leaky, "") CONN(6, leaky, BN) "[rnn]\noutput=5\nbatch_normalize=1\n" CONN(4, leaky, "")
          CONN(2, linear, ""), 11, { { 1, PRUNE_PIN_RECURRENT }, { 2, PRUNE_PIN_RECURRENT } } },
    { PRUNE_RNN, "AlexeyAB's", AB,
      FLAT(9) CONN(7, leaky, "") CONN(6, leaky, "") "[rnn]\noutput=5\nhidden=3\n" CONN(4, leaky, "")
          CONN(2, linear, ""), 11, { { 1, PRUNE_PIN_RECURRENT }, { 2, PRUNE_PIN_RECURRENT } } },
    { PRUNE_GRU, "between connected layers", OWN,
      FLAT(9) CONN(7, leaky, "") CONN(6, leaky, "") "[gru]\noutput=5\n" CONN(4, leaky, "")
          CONN(2, linear, ""), 11, { { 1, PRUNE_PIN_RECURRENT }, { 2, PRUNE_PIN_RECURRENT } } },
    { PRUNE_LSTM, "between connected layers", OWN,
      FLAT(9) CONN(7, leaky, "") CONN(6, leaky, "") "[lstm]\noutput=5\nbatch_normalize=1\n" CONN(4, leaky, "")
          CONN(2, linear, ""), 11, { { 1, PRUNE_PIN_RECURRENT }, { 2, PRUNE_PIN_RECURRENT } } },
    { PRUNE_CRNN, "between convolutions", OWN,
      NET(5, 5, 3) CONV(7, 3, leaky, PAD) CONV(6, 3, leaky, PAD) "[crnn]\nhidden_filters=4\noutput_filters=5\nbatch_normalize=1\n" CONV(4, 3, leaky, PAD)
          END, 11, { { 1, PRUNE_PIN_RECURRENT }, { 2, PRUNE_PIN_RECURRENT } } },
    { PRUNE_CONV_LSTM, "between convolutions", AB,
      NET(5, 5, 3) CONV(7, 3, leaky, PAD) CONV(6, 3, leaky, PAD) "[conv_lstm]\noutput=5\nsize=3\npad=1\npeephole=1\n" CONV(4, 3, leaky, PAD)
          END, 11, { { 1, PRUNE_PIN_RECURRENT }, { 2, PRUNE_PIN_RECURRENT } } },
    { PRUNE_HISTORY, "between convolutions", AB,
      NET(5, 5, 3) CONV(7, 3, leaky, PAD) CONV(6, 3, leaky, PAD) "[history]\nhistory_size=2\n" CONV(4, 3, leaky, PAD)
          END, 11, { { 1, PRUNE_PIN_RECURRENT }, { 2, PRUNE_PIN_RECURRENT } } },

    { PRUNE_SCALE_CHANNELS, "squeeze and excite", AB,
      NET(6, 5, 3) CONV(8, 3, swish, PAD BN) "[avgpool]\n" CONV(4, 1, relu, "") CONV(8, 1, logistic, "") "[scale_channels]\nfrom=-4\n"
          CONV(5, 3, leaky, PAD) END, 17, { { 6, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SCALE_CHANNELS, "squeeze and excite in a residual block", AB,
      NET(6, 5, 3) CONV(6, 3, swish, PAD BN) CONV(8, 1, swish, BN) CONV(8, 3, swish, PAD BN "groups=8\n") "[avgpool]\n" CONV(4, 1, swish, "")
          CONV(8, 1, logistic, "") "[scale_channels]\nfrom=-4\nactivation=linear\n" CONV(6, 1, linear, BN)
      SHORTCUT("0", "") END, 18, { { 9, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SCALE_CHANNELS, "scale_wh", AB,
      NET(6, 5, 3) CONV(8, 3, leaky, PAD BN) CONV(1, 1, logistic, "") "[scale_channels]\nfrom=0\nscale_wh=1\n" CONV(5, 3, leaky, PAD)
          END, 13, { { 1, PRUNE_PIN_SPATIAL } } },
    { PRUNE_SAM, "as in yolov4", AB,
      NET(6, 5, 3) CONV(8, 3, leaky, PAD BN) CONV(8, 1, logistic, BN) "[sam]\nfrom=-2\n" CONV(5, 3, leaky, PAD) END, 13, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_SAM, "of two logistics", AB,
      NET(6, 5, 3) CONV(8, 3, logistic, PAD BN) CONV(8, 1, logistic, BN) "[sam]\nfrom=-2\nactivation=logistic\n" CONV(5, 3, leaky, "")
          END, 13, { { 4, PRUNE_PIN_OUTPUT } } },
    { PRUNE_IMPLICIT, "times pooled channels", AB,
      NET(5, 5, 3) CONV(7, 3, leaky, PAD) CONV(6, 3, leaky, PAD) "[implicit]\nfilters=6\n" ROUTE("1", "") "[avgpool]\n[sam]\nfrom=2\n" CONV(4, 1, leaky, "")
          END, 11, { { 1, PRUNE_PIN_OWN_WEIGHTS }, { 2, PRUNE_PIN_OWN_WEIGHTS } } },
    { PRUNE_EMPTY, "in the middle", AB, NET(5, 5, 3) CONV(6, 3, leaky, PAD) "[empty]\n" CONV(5, 3, leaky, PAD) END, 11, { { 3, PRUNE_PIN_OUTPUT } } },
};
enum { N_CASES = sizeof cases / sizeof *cases };

#endif
