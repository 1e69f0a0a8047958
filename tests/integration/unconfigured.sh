#!/bin/bash
# Without prune keys in the cfg, the hooked tree trains and predicts bit for bit as the tree with the fixes alone.
. tests/fixes/trees.sh
need_tree "$FIXES/darknet" "$FIXES/libdarknet.a" "$HOOKED/darknet" "$HOOKED/libdarknet.a"
FIXES=$(realpath "$FIXES")
HOOKED=$(realpath "$HOOKED")
$CC -O1 -o "$SCRATCH/make_images" tests/fixes/make_images.c >>"$LOG" 2>&1 || { not_ok "unconfigured: make_images.c compiles"; finish; }
for tree in "$FIXES" "$HOOKED"; do
    compile predict.c "$tree" "$SCRATCH/predict-${tree##*/}" >>"$LOG" 2>&1 || { not_ok "unconfigured: predict.c compiles against ${tree##*/}"; finish; }
done
cd "$SCRATCH" || exit 1

mkdir -p data/cifar/cifar-10-batches-bin
./make_images 24 40 36 3 >train.list
printf 'c0_\nc1_\nc2_\n' >labels.list
printf 'classes=3\ntrain=train.list\nvalid=train.list\nlabels=labels.list\nnames=labels.list\nbackup=backup\ntop=2\n' >set.data
# One file serves as all five batches.
printf '%s\n' a b c d e f g h i j >data/cifar/labels.txt
./make_images cifar 10000 >data/cifar/cifar-10-batches-bin/data_batch_1.bin
for i in 2 3 4 5; do ln -sf data_batch_1.bin data/cifar/cifar-10-batches-bin/data_batch_$i.bin; done

# What differs between the cfgs: plain SGD with burn-in and batch-norm, Adam, subdivisions, steps; a yolo head and a shortcut.
net() { # BATCHES KEYS...: the [net] section
    printf '[net]\nbatch=8\nsubdivisions=2\nheight=32\nwidth=32\nchannels=3\nmomentum=0.9\ndecay=0.0005\nlearning_rate=0.05\nmax_batches=%s\n' "$1"
    shift
    printf '%s\n' "$@" ''
}
conv() { printf '[convolutional]\nfilters=%s\nsize=%s\nstride=%s\npad=1\nactivation=%s\n%s\n\n' "$@"; }
head_of() { printf '[avgpool]\n\n[connected]\noutput=%s\nactivation=linear\n\n[softmax]\ngroups=1\n' "$1"; }
body() {
    conv 8 3 2 leaky batch_normalize=1
    conv 8 1 1 leaky batch_normalize=1
    conv 8 3 1 leaky groups=2
    printf '[shortcut]\nfrom=-3\nactivation=leaky\n\n'
    conv 12 1 2 relu batch_normalize=1
    printf '[dropout]\nprobability=.2\n\n'
}
{ net 12 policy=steps steps=6,9 scales=.1,.5 burn_in=4 hue=.1 saturation=.75 exposure=.75 angle=7 aspect=.75; body; head_of 3; } >sgd.cfg
{ net 6 policy=constant adam=1 B1=.9 B2=.999 eps=.0001; body; head_of 3; } >adam.cfg
{ net 5 policy=poly burn_in=2; body; head_of 10; } >cifar.cfg
{ net 6 burn_in=3; body; conv 16 1 1 linear ''; printf '[yolo]\nmask=0,1\nanchors=8,8, 16,16\nclasses=3\nnum=2\njitter=.2\nignore_thresh=.5\n'; } >yolo.cfg

export DARKNET_SEED=11 DARKNET_LOADERS=1
train() { # TREE COMMAND...: trains, and leaves all files saved in <tree's name>.backup and the losses in <tree's name>.losses
    local tree=$1 name=${1##*/}
    shift
    rm -rf backup "$name.backup"
    mkdir backup
    timeout 120 "$tree/darknet" "$@" >out || return 1
    mv backup "$name.backup"
    # Losses, and the yolo head's own figures, without the times.
    grep -o '^[0-9]*[,:].* avg\|^Region.*' out >"$name.losses"
    [ -s "$name.losses" ]
}
same_training() {
    train "$FIXES" "$@" && train "$HOOKED" "$@" && diff -r "${FIXES##*/}.backup" "${HOOKED##*/}.backup" && cmp "${FIXES##*/}.losses" "${HOOKED##*/}.losses"
}
# Training that did nothing, or gave NaN, would be equal too.
learnt() {
    local cfg=$1 weights=$2
    head -c 1000 "$weights" | od -An -f | grep -qi nan && return 1
    ./predict-"${FIXES##*/}" "$cfg" "$weights" images/c0_000.png >a 2>/dev/null && ./predict-"${FIXES##*/}" "$cfg" '' images/c0_000.png >b 2>/dev/null && ! cmp -s a b && ! grep -qi nan a
}
same_prediction() {
    local cfg=$1 weights=$2 image
    for image in images/c0_000.png images/c1_010.png images/c2_023.png; do
        ./predict-"${FIXES##*/}" "$cfg" "$weights" $image >a && ./predict-"${HOOKED##*/}" "$cfg" "$weights" $image >b && [ -s a ] && cmp a b || return 1
    done
}
same_output() {
    timeout 60 "$FIXES/darknet" "$@" >a && timeout 60 "$HOOKED/darknet" "$@" >b && [ -s a ] && cmp a b
}
for run in "classifier train set.data sgd.cfg" "classifier train set.data adam.cfg" "detector train set.data yolo.cfg" "cifar train cifar.cfg"; do
    cfg=${run##* }
    check "unconfigured: $run writes the same weights and losses" same_training $run
    base=${cfg%.cfg}
    for kept in "${FIXES##*/}.backup/$base.weights" "${FIXES##*/}.backup/${base}_final.weights"; do [ -e "$kept" ] && cp "$kept" "$base.weights"; done
    check "unconfigured: $cfg has learnt something" learnt "$cfg" "$base.weights"
    check "unconfigured: inference of $cfg gives the same bits" same_prediction "$cfg" "$base.weights"
done
check "unconfigured: classifier valid prints the same" same_output classifier valid set.data sgd.cfg sgd.weights
check "unconfigured: classifier predict prints the same" same_output classifier predict set.data sgd.cfg sgd.weights images/c1_001.png

# Nothing but the weights: no file beside them, and the cfg's report on stderr without a new word.
no_trace() {
    [ -z "$(find . -name '*.prune*' -o -name '*.tmp')" ] || return 1
    "$FIXES/darknet" ops sgd.cfg >a 2>&1 && "$HOOKED/darknet" ops sgd.cfg >b 2>&1 && cmp a b
}
check "unconfigured: no file and no message is added" no_trace
{ cat sgd.cfg; printf '\na line without an equals sign\n'; } >odd.cfg
odd_cfg() { timeout 60 "$FIXES/darknet" ops odd.cfg >a 2>&1 && timeout 60 "$HOOKED/darknet" ops odd.cfg >b 2>&1 && cmp a b; }
check "unconfigured: a cfg with a bad line is Darknet's affair" odd_cfg
piped_cfg() { timeout 60 "$FIXES/darknet" ops <(cat sgd.cfg) >a 2>&1 && timeout 60 "$HOOKED/darknet" ops <(cat sgd.cfg) >b 2>&1 && cmp a b; }
check "unconfigured: a cfg from a pipe is read once" piped_cfg
resumes() { same_training classifier train set.data sgd.cfg sgd.weights -clear; }
check "unconfigured: training that goes on from a file writes the same weights" resumes
rm -rf data
finish
