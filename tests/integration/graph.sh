# Compares the plugin's graph and weight reader with an unpatched Darknet, on its own cfgs and on cfgs made here that reach the
# kinds its own do not. Run from the repository's root. REFERENCE: folder of the built, unpatched Darknet. GRAPH_ALL=1: every
# cfg of it (minutes, and gigabytes of scratch for one file at a time), else those that are quick.
. tests/tap.sh
need_tree "$REFERENCE/libdarknet.a"
scratch=build/tests/graph

$CC -std=gnu11 -O2 -g -Iplugin -isystem "$REFERENCE/include" -o "$scratch/graph_vs_darknet" tests/integration/graph_vs_darknet.c \
    $(ls plugin/*.c | grep -v /host_) "$REFERENCE/libdarknet.a" -lcjson -lz -lm -pthread || {
    not_ok "graph: build the comparison"
    exit 1
}

# compare NAME CFG: CFG is relative to the root. Runs inside of the reference, where cfgs find their trees.
compare() {
    if (cd "$REFERENCE" && "$ROOT/$scratch/graph_vs_darknet" "$ROOT/$2" "$ROOT/$scratch/net.weights") >"$scratch/out" 2>"$scratch/err"; then
        ok "graph: $1"
    else
        cat "$scratch/out"
        grep '^prune:' "$scratch/err"
        not_ok "graph: $1"
    fi
    rm -f "$scratch/net.weights"
}

# small_batch CFG: a copy with batch 1, since Darknet allocates every layer's output for the whole batch.
small_batch() {
    sed -e 's/^ *batch *=.*/batch=1/' -e 's/^ *subdivisions *=.*/subdivisions=1/' -e 's/^ *time_steps *=.*/time_steps=1/' "$1" >"$scratch/net.cfg"
}

quick="cifar darknet tiny go gru rnn rnn.train writing jnet-conv resnet18 resnext50 densenet201 yolov3-tiny yolov1-tiny"
if [ "${GRAPH_ALL:-0}" = 1 ]; then
    names=$(cd "$REFERENCE/cfg" && ls -- *.cfg | sed 's/\.cfg$//')
else
    names=$quick
fi
for name in $names; do
    small_batch "$REFERENCE/cfg/$name.cfg"
    compare "$name.cfg as Darknet builds it" "$scratch/net.cfg"
done

made() {
    cat >"$scratch/net.cfg"
    compare "$1 as Darknet builds it" "$scratch/net.cfg"
}

made "windows, crop, lrn, groups, deconv, batchnorm, local" <<'CFG'
[net]
batch=2
width=33
height=29
channels=3
[crop]
crop_width=31
crop_height=27
[conv]
filters=8
size=5
stride=2
pad=1
batch_normalize=1
activation=leaky
[conv]
filters=12
size=3
padding=2
groups=4
activation=relu
[lrn]
size=5
[max]
size=3
stride=2
padding=0
[max]
stride=2
[deconv]
filters=6
size=4
stride=2
padding=1
batch_normalize=1
activation=linear
[batchnorm]
[local]
filters=5
size=3
pad=1
activation=tanh
[local]
filters=4
size=2
stride=2
activation=elu
[dropout]
[activation]
activation=selu
[conn]
output=11
batch_normalize=1
activation=logistic
[l2norm]
[logistic]
[cost]
type=smooth
CFG

made "route, shortcut, reorg, upsample, avgpool, dontsave" <<'CFG'
[net]
batch=4
subdivisions=2
width=24
height=16
channels=4
[convolutional]
filters=8
size=3
pad=1
[reorg]
stride=2
[reorg]
stride=2
reverse=1
[shortcut]
from=-3
activation=leaky
[upsample]
stride=-2
[convolutional]
filters=16
size=1
dontsave=1
dontload=1
[shortcut]
from=0
activation=linear
[upsample]
stride=3
[route]
layers=-2,5
[route]
layers=0,-1
[connected]
output=24
[route]
layers=-3
[avgpool]
[softmax]
groups=4
CFG

made "lstm, gru, rnn with batch-norm" <<'CFG'
[net]
batch=6
subdivisions=2
time_steps=3
inputs=7
[lstm]
output=5
batch_normalize=1
[gru]
output=4
batch_normalize=1
[lstm]
output=3
[rnn]
output=6
batch_normalize=1
activation=tanh
[connected]
output=7
[softmax]
CFG

made "crnn, iseg" <<'CFG'
[net]
width=9
height=9
channels=2
[crnn]
hidden_filters=3
output_filters=5
batch_normalize=1
activation=relu
[crnn]
hidden_filters=2
output_filters=9
[iseg]
classes=4
ids=5
CFG

made "region" <<'CFG'
[net]
width=13
height=13
channels=21
[region]
classes=3
coords=3
num=3
anchors=1,2, 3,4, 5,6
CFG

rm -f "$scratch/net.cfg" "$scratch/out" "$scratch/err"
finish
