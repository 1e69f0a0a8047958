# Compares the tests' own forward pass (tests/evaluator.c), on which "masked equals compact" stands, with an unpatched Darknet, for every kind that it knows and
# that is not recurrent. Not in here: convolutions of size 1 with a stride, whose stride that Darknet forgets (patch 0001), heads, which the evaluator does not
# compute (only what they read is compared), and [iseg], which looks at the truth even where there is none.
. tests/tap.sh
need_tree "$REFERENCE/libdarknet.a"
scratch=$BUILD/tests/evaluator

$CC -std=gnu11 -O1 -g -Iplugin -Itests -isystem "$REFERENCE/include" -o "$scratch/evaluator_vs_darknet" tests/integration/evaluator_vs_darknet.c tests/evaluator.c tests/trial.c \
    $(ls plugin/*.c | grep -v /host_) "$REFERENCE/libdarknet.a" -lcjson -lz -lm -pthread >>"$LOG" 2>&1 || {
    not_ok "evaluator: build the comparison"
    exit 1
}

# same NAME: the cfg on stdin, without [net].
same() {
    { printf '[net]\nbatch=1\nwidth=%s\nheight=%s\nchannels=%s\n' "${2:-10}" "${3:-10}" "${4:-3}"; cat; } >"$scratch/net.cfg"
    if "$scratch/evaluator_vs_darknet" "$scratch/net.cfg" "$scratch" >"$scratch/out" 2>>"$LOG"; then
        ok "evaluator: $1"
    else
        cat "$scratch/out"
        not_ok "evaluator: $1"
    fi
}

conv() { printf '[convolutional]\nfilters=%s\nsize=%s\nactivation=%s\n%s\n' "$1" "$2" "$3" "${4:-}"; }
section() { printf '[%s]\n' "$1"; shift; printf '%s\n' "$@"; }

for activation in linear logistic loggy relu elu selu relie ramp leaky tanh plse stair hardtan lhtan; do
    conv 6 3 $activation pad=1 | same "convolutional, $activation"
done
{ conv 8 3 leaky "pad=1
batch_normalize=1"; conv 6 5 leaky "padding=1
stride=2
batch_normalize=1"; conv 4 1 linear; } | same "convolutional, sizes, strides and batch-norm" 11 9 2
{ conv 8 3 leaky pad=1; conv 12 3 relu "pad=1
groups=4
batch_normalize=1"; conv 12 3 leaky "pad=1
groups=12"; conv 24 3 leaky "pad=1
groups=12
stride=2"; } | same "convolutional, groups and depthwise"
{ conv 8 3 leaky pad=1; section batchnorm; conv 4 3 leaky; } | same "batchnorm, given the memory that Darknet forgets"
{ conv 6 3 leaky stride=2; section deconvolutional filters=5 size=3 stride=2 activation=leaky padding=1 batch_normalize=1
  section deconvolutional filters=4 size=2 stride=2 activation=relu; } | same "deconvolutional, with weights that are copied into its memory"
{ conv 6 3 leaky; section connected output=7 activation=leaky batch_normalize=1; section connected output=5 activation=logistic; section softmax; section cost; } | same "connected, softmax and cost"
{ section connected output=12 activation=linear; section softmax groups=3 temperature=2; } | same "softmax with groups and temperature"
{ section local filters=4 size=3 pad=1 activation=leaky; section local filters=3 size=3 stride=2 activation=relu; } | same "local, given the memory that Darknet forgets" 7 8
{ conv 6 3 leaky pad=1; section maxpool size=2 stride=2; section maxpool size=3 stride=1; section maxpool size=3 stride=2 padding=1; section avgpool; } | same "maxpool and avgpool" 11 12
{ section maxpool size=5 stride=1; section maxpool size=2 stride=2 padding=0; section maxpool size=2 stride=1; } | same "maxpool with paddings" 9 11
{ section crop crop_width=7 crop_height=6; conv 5 3 leaky; section crop crop_width=3 crop_height=3 noadjust=1; } | same "crop" 10 9
{ conv 6 3 leaky pad=1; section dropout probability=.5; conv 5 3 leaky pad=1; section dropout; } | same "dropout"
{ conv 6 3 leaky pad=1; conv 5 3 leaky pad=1; section route layers=-1,0; conv 4 3 leaky stride=2; section route layers=2,0,-4; section route layers=3,0; section connected output=4 activation=linear; } | same "route, of equal and unequal sizes"
{ conv 6 3 leaky pad=1; conv 6 3 linear pad=1; section shortcut from=0 activation=leaky; conv 9 3 leaky pad=1; section shortcut from=2 activation=linear alpha=.5 beta=2; conv 4 3 linear pad=1
  section shortcut from=-2 activation=tanh; } | same "shortcut, equal and with more or fewer channels, alpha and beta"
{ conv 6 3 leaky pad=1; conv 5 3 leaky "pad=1
stride=2"; section shortcut from=0 activation=linear alpha=.5; section upsample stride=2; section shortcut from=1 activation=linear beta=.25; } | same "shortcut, of other sizes" 8 12
{ conv 6 3 leaky pad=1; section upsample stride=2 scale=.5; section upsample stride=-2; section upsample stride=3; section upsample stride=-3 scale=2; } | same "upsample, up and down" 4 3
{ conv 12 3 leaky pad=1; section reorg stride=2; conv 8 1 leaky; section reorg stride=2 reverse=1; } | same "reorg and back, 6x6" 6 6
{ conv 8 3 leaky pad=1; section reorg stride=2; } | same "reorg, 26x26" 26 26
{ conv 18 3 leaky pad=1; section reorg stride=3; } | same "reorg, 9x15 by 3" 9 15
{ conv 8 3 leaky pad=1; section reorg stride=2 flatten=1; } | same "reorg, flatten" 6 4
{ conv 8 3 leaky pad=1; section reorg extra=5; section connected output=3 activation=linear; } | same "reorg, extra" 6 4
{ conv 6 3 linear pad=1; section activation activation=elu; section logistic; section connected output=5 activation=linear; section activation activation=tanh; } | same "activation and logistic"
{ conv 6 3 leaky pad=1; section l2norm; conv 5 3 leaky pad=1; } | same "l2norm"
{ conv 9 3 leaky pad=1; section normalization alpha=.01 beta=.75 kappa=2 size=5; section normalization alpha=.02 kappa=2 size=3; section lrn alpha=.02 kappa=2 size=4; } | same "normalization"
{ conv 8 3 leaky "pad=1
stride=2"; conv 14 1 linear; section yolo classes=2 num=2; section route layers=0; section upsample; conv 7 1 linear; section yolo classes=2; } | same "yolo heads, what they read"
{ conv 14 1 linear; section region classes=2 num=2 coords=4; } | same "region, what it reads"
{ section connected output=24 activation=linear; section detection classes=1 coords=4 num=1 side=2; } | same "detection, what it reads"
finish
