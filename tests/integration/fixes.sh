#!/bin/bash
# Each fix of patches 0001-0008: a check that the fixed tree passes and the unpatched one fails.
. tests/fixes/trees.sh
need_tree "$REFERENCE/darknet" "$REFERENCE/libdarknet.a" "$FIXES/darknet" "$FIXES/libdarknet.a"
FIXES=$(realpath "$FIXES")
REFERENCE=$(realpath "$REFERENCE")

# Every test program once for each tree: $SCRATCH/bin/<tree's name>/<program>.
for tree in "$FIXES" "$REFERENCE"; do
    mkdir -p "$SCRATCH/bin/${tree##*/}"
    for program in conv1x1 weights loaders gemm; do
        compile $program.c "$tree" "$SCRATCH/bin/${tree##*/}/$program" >>"$LOG" 2>&1 ||
            { not_ok "fixes: $program.c compiles against ${tree##*/}"; finish; }
    done
done
$CC -O1 -o "$SCRATCH/bin/make_images" tests/fixes/make_images.c >>"$LOG" 2>&1 || { not_ok "fixes: make_images.c compiles"; finish; }
cd "$SCRATCH" || exit 1

run() { local program=$1; shift; timeout 60 "$SCRATCH/bin/${T##*/}/$program" "$@"; }

#### 0001
both "fix 0001: a 1x1 convolution with stride 2 reads the right pixels" run conv1x1 stride
both "fix 0001: a 1x1 convolution with padding is padded" run conv1x1 padding
both "fix 0001: a 1x1 convolution with stride 2 sends gradients to the pixels it read" run conv1x1 gradient
both "fix 0001: a 1x1 convolution adds to the delta a shortcut left" run conv1x1 accumulate

#### 0002
cat >net.cfg <<'CFG'
[net]
batch=1
height=4
width=4
channels=3

[convolutional]
batch_normalize=1
filters=4
size=3
stride=1
pad=1
activation=leaky

[convolutional]
filters=8
size=3
stride=2
pad=1
activation=leaky

[connected]
output=2
activation=linear
CFG
# Header 20 bytes; layer 0: 4 x 4 + 4 x 27 floats = 496; layer 1: 8 + 8 x 36 floats = 1184; layer 2: 2 + 2 x 32 floats = 264.
T=$FIXES
run weights save net.cfg full.weights >>"$LOG" 2>&1
check "fix 0002: the file has the size worked out by hand" [ "$(stat -c %s full.weights)" = 1964 ]
head -c 1000 full.weights >inside.weights
head -c 516 full.weights >layer1.weights
head -c 7 full.weights >header.weights
: >empty.weights
{ cat full.weights; echo more; } >longer.weights

load_says() { says "$1" run weights load net.cfg "$2"; }
both "fix 0002: a file that ends inside a layer is an error" load_says \
    'inside.weights: layer 1 (convolutional) takes 1184 bytes, found 484' inside.weights
both "fix 0002: a file that ends inside the header is an error" load_says 'header.weights: it ends inside the header' header.weights
both "fix 0002: an empty file is an error" load_says 'empty.weights: it ends inside the header' empty.weights
{ printf '\376\377\377\377'; tail -c +5 full.weights; } >negative.weights
both "fix 0002: a file with a negative version is an error" load_says 'Not a weights file: negative.weights: version -2' negative.weights
both "fix 0002: a directory is an error" load_says 'it ends inside the header' .

partial_loads() {
    run weights load net.cfg layer1.weights >out 2>err || return 1
    cat out err
    grep -q '^0 1$' out && ! grep -q '^1 2$' out && [ "$(grep -c 'ends before layer 1 (convolutional)' err)" = 1 ]
}
both "fix 0002: a file that ends at a layer's start loads, with a note" partial_loads
longer_loads() {
    run weights load net.cfg longer.weights >out 2>err || return 1
    cat out err
    grep -q '^2 3$' out && [ "$(grep -c 'longer.weights holds more than' err)" = 1 ]
}
both "fix 0002: bytes after the last layer are a warning" longer_loads
cut_loads() {
    run weights upto net.cfg full.weights 1 >out 2>err || return 1
    cat out err
    grep -q '^0 1$' out && ! grep -q '^1 2$' out && ! grep -qi 'warning\|note' err
}
check "fix 0002: a load that is cut off on purpose says nothing" cut_loads
full_loads() {
    run weights load net.cfg full.weights >out 2>err || return 1
    cat out err
    grep -q '^2 3$' out && ! grep -qi 'warning\|note' err
}
check "fix 0002: a complete file loads without a word" full_loads

printf '[net]\nbatch=1\nheight=4\nwidth=4\nchannels=1\n[deconvolutional]\nfilters=2\nsize=2\nstride=2\nactivation=linear\n' >deconv.cfg
deconv_loads() {
    run weights keep deconv.cfg deconv.weights && run weights load deconv.cfg deconv.weights
}
both "fix 0002: a deconvolutional layer's weights load" deconv_loads

#### 0003
# A limit on the file's size stands for a full disk; the signal has to be ignored for write to fail with EFBIG.
save_on_full_disk() {
    local status
    cp full.weights kept.weights
    rm -f kept.weights.tmp
    (trap '' XFSZ; ulimit -f 1; run weights keep net.cfg kept.weights >out 2>err)
    status=$?
    cat out err
    [ $status = 1 ] && [ "$(grep -c "Couldn't save weights to kept.weights: File too large" err)" = 1 ] &&
        cmp full.weights kept.weights && [ ! -e kept.weights.tmp ]
}
both "fix 0003: a save that fails leaves the old file, no temporary, status 1" save_on_full_disk
save_over_device() {
    ln -sf /dev/full device.weights
    says "Couldn't save weights to device.weights: not a regular file" run weights keep net.cfg device.weights
}
both "fix 0003: a save to what is no file is refused" save_over_device
save_nowhere() { says "Couldn't open file: nowhere/x.weights.tmp: No such file" run weights keep net.cfg nowhere/x.weights; }
both "fix 0003: a save to a folder that is missing is an error" save_nowhere
same_bytes() {
    T=$FIXES run weights keep net.cfg a.weights && T=$REFERENCE run weights keep net.cfg b.weights && cmp a.weights b.weights && [ ! -e a.weights.tmp ]
}
check "fix 0003: a save that works writes the same bytes as before" same_bytes

#### 0004
"$SCRATCH/bin/make_images" 12 20 16 2 >train.list
printf 'c0_\nc1_\n' >labels.list
mkdir -p backup
printf 'classes=2\ntrain=train.list\nvalid=train.list\nlabels=labels.list\nnames=labels.list\nbackup=backup\n' >set.data
cat >tiny.cfg <<'CFG'
[net]
batch=4
subdivisions=2
height=16
width=16
channels=3
learning_rate=0.05
momentum=0.9
decay=0.0005
policy=constant
max_batches=3
hue=.1
saturation=.75
exposure=.75

[convolutional]
batch_normalize=1
filters=4
size=3
stride=2
pad=1
activation=leaky

[avgpool]

[connected]
output=2
activation=linear

[softmax]
groups=1
CFG
echo 'not an image' >broken.png
darknet_says() { local pattern=$1; shift; says "$pattern" timeout 60 "$T/darknet" "$@"; }
both "fix 0004: a file that is missing" darknet_says "Couldn't open file: none.cfg: No such file" classifier predict set.data none.cfg
both "fix 0004: a broken image" darknet_says 'Cannot load image "broken.png"' classifier predict set.data tiny.cfg '' broken.png
both "fix 0004: an unknown command" darknet_says 'Not an option: nosuch' nosuch
both "fix 0004: an unknown second word" darknet_says 'Not an option: classifier nosuch' classifier nosuch set.data tiny.cfg
both "fix 0004: no command" darknet_says '^usage'
both "fix 0004: a command without its arguments" darknet_says '^usage' cifar train
both "fix 0004: classifier without a cfg" darknet_says '^usage' classifier train set.data
both "fix 0004: partial without arguments" darknet_says '^usage' partial
printf '[convolutional]\nfilters=1\n' >nonet.cfg
both "fix 0004: error() ends with its line, not a core dump" darknet_says '^First section must be \[net\] or \[network\]$' ops nonet.cfg
bad_line() {
    timeout 60 "$T/darknet" ops "$1" >out 2>err
    local status=$?
    cat out err
    [ $status = 0 ] && [ "$(grep -c 'Config file error line' err)" = 1 ]
}
{ echo batch=1; cat tiny.cfg; } >early.cfg
both "fix 0004: a key before the first section is reported" bad_line early.cfg
sed 's/^momentum=.*/momentum/' tiny.cfg >noequals.cfg
both "fix 0004: a line without = is reported" bad_line noequals.cfg
cat >yolo.cfg <<'CFG'
[net]
batch=4
subdivisions=2
height=32
width=32
channels=3
learning_rate=0.01
max_batches=2

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky

[dropout]
probability=.3

[convolutional]
size=1
stride=1
pad=1
filters=14
activation=linear

[yolo]
mask=0,1
anchors=8,8, 16,16
classes=2
num=2
jitter=.2
ignore_thresh=.5
CFG
mv labels hidden
both "fix 0004: a label file that is missing" darknet_says "Couldn't open file: labels/" detector train set.data yolo.cfg
mv hidden labels

#### 0005
# The networks have dropout and, for the classifier, random rates and sizes: all the users of rand() there are in a trainer.
sed 's/^policy=constant/policy=random/; s/^\[avgpool\]/[dropout]\nprobability=.5\n\n[avgpool]/' tiny.cfg >seeded.cfg
# The clock has to move on by a second between two runs, or the reference's seeds could be equal by chance.
train_with() { # SEED LOADERS OUTPUT COMMAND...
    local seed=$1 loaders=$2 output=$3
    shift 3
    DARKNET_SEED=$seed DARKNET_LOADERS=$loaders timeout 60 "$T/darknet" "$@" || return 1
    local cfg=${*: -1}
    cp "backup/$(basename "$cfg" .cfg)$FINAL.weights" "$output"
}
repeats() {
    train_with 7 1 one.weights "$@" && sleep 1.1 && train_with 7 1 two.weights "$@" && cmp one.weights two.weights || return 1
    train_with 8 1 three.weights "$@" && ! cmp -s one.weights three.weights
}
FINAL=
both "fix 0005: classifier train repeats with a seed and one loader, with dropout and random rates" repeats classifier train set.data seeded.cfg
FINAL=_final
both "fix 0005: detector train repeats with a seed and one loader, with dropout" repeats detector train set.data yolo.cfg
FINAL=
several_loaders() { DARKNET_LOADERS=3 timeout 60 "$FIXES/darknet" classifier train set.data tiny.cfg; }
check "fix 0005: three loaders train" several_loaders
env_refused() { # COMMAND CFG
    export "$bad"
    darknet_says "^${bad%=*}=.*must be a whole number from" "$1" train set.data "$2"
    local status=$?
    unset DARKNET_SEED DARKNET_LOADERS
    return $status
}
for bad in DARKNET_SEED=x DARKNET_SEED= DARKNET_SEED=-1 DARKNET_SEED=4294967296 DARKNET_SEED=1.5 DARKNET_LOADERS=0 DARKNET_LOADERS=65 DARKNET_LOADERS=2x; do
    both "fix 0005: classifier train refuses $bad" env_refused classifier tiny.cfg
done
for bad in DARKNET_SEED=x DARKNET_LOADERS=x; do both "fix 0005: detector train refuses $bad" env_refused detector yolo.cfg; done
# The other trainers need data that nobody has; so read them. Blocks that are commented out start with /* in the first column.
no_clock() {
    local sources
    sources=$(sed -n 's/^EXECOBJA=//p' "$T/Makefile" | tr ' ' '\n' | sed -n "s|\(.*\)\.o|$T/examples/\1.c|p")
    awk '/^\/\*/ {comment = 1} /\*\// {comment = 0}
         /^[a-z].*\(.*\)[ \t]*$/ {trainer = / train_/}
         trainer && !comment && /srand\(/ {seeds++}
         trainer && !comment && /srand\(time\(0\)\)/ {print FILENAME ": " $0; bad++}
         END {print seeds, "seeds"; exit !(seeds > 20 && !bad)}' $sources
}
both "fix 0005: no trainer of the binary seeds from the clock" no_clock

#### 0006
sed 's/^channels=3/channels=1/' tiny.cfg >grey.cfg
both "fix 0006: a row of data is as wide as a 1-channel network" run loaders width grey.cfg images/c0_000.png
sed 's/^channels=3/channels=1/; s/^width=16/width=20/' tiny.cfg >grey20.cfg
both "fix 0006: one channel is the image's luma" run loaders grey grey20.cfg images/c0_000.png
both "fix 0006: distortion takes an image without colour" run loaders distort grey.cfg
grey_runs() {
    export DARKNET_SEED=3 DARKNET_LOADERS=2
    "$FIXES/darknet" classifier train set.data grey.cfg && "$FIXES/darknet" classifier valid set.data grey.cfg backup/grey.weights >out &&
        tail -1 out | grep '^11: top 1:' && "$FIXES/darknet" classifier predict set.data grey.cfg backup/grey.weights images/c1_001.png | grep '%: c'
    local status=$?
    unset DARKNET_SEED DARKNET_LOADERS
    return $status
}
check "fix 0006: a 1-channel network trains, validates and predicts" grey_runs
sed 's/^height=16/height=32/' tiny.cfg >tall.cfg
both "fix 0006: training a non-square network is refused" darknet_says '^Data with 768 inputs and 2 truths' classifier train set.data tall.cfg

#### 0007
mkdir -p data/cifar/cifar-10-batches-bin away
B=data/cifar/cifar-10-batches-bin
printf '%s\n' a b c d e f g h i j >data/cifar/labels.txt
cat >cifar.cfg <<'CFG'
[net]
batch=8
height=32
width=32
channels=3
learning_rate=0.1
max_batches=1

[convolutional]
filters=4
size=3
stride=2
pad=1
activation=leaky

[avgpool]

[connected]
output=10
activation=linear

[softmax]
groups=1
CFG
# 10000 records of 3073 zero bytes: label 0, black.
head -c 30730000 /dev/zero >$B/data_batch_1.bin
for i in 2 3 4 5; do ln -sf data_batch_1.bin $B/data_batch_$i.bin; done
cifar_saves() {
    rm -rf backup
    "$T/darknet" cifar train cifar.cfg && [ -s backup/cifar.weights ]
}
both "fix 0007: cifar train saves to backup, which it makes" cifar_saves
head -c 12300 /dev/zero >$B/test_batch.bin
both "fix 0007: a short batch is an error" darknet_says 'test_batch.bin: record 4 has 8 bytes, must have 3073' cifar test cifar.cfg
{ head -c 3073 /dev/zero; printf '\012'; head -c 30726926 /dev/zero; } >$B/test_batch.bin
both "fix 0007: a label above 9 is an error" darknet_says 'test_batch.bin: record 1 has label 10, must be 0 to 9' cifar test cifar.cfg
rm -f $B/data_batch_3.bin
head -c 3073 /dev/zero >$B/data_batch_3.bin
both "fix 0007: a short training batch is an error" darknet_says 'data_batch_3.bin: record 1 has 0 bytes, must have 3073' cifar train cifar.cfg
rm -rf backup
: >backup
T=$FIXES
check "fix 0007: a backup that is no folder is an error before training" darknet_says "Couldn't make directory backup" cifar train cifar.cfg
rm -rf backup $B
mkdir -p backup

#### 0008
both "fix 0008: gemm with BETA=0 does not keep a NaN" run gemm nan
T=$FIXES
check "fix 0008: cblas_sgemm multiplies as the loops do, in every caller's form" run gemm product
uses_blas() { nm "$T/libdarknet.a" 2>/dev/null | grep -q 'U cblas_sgemm'; }
both "fix 0008: the library calls cblas_sgemm" uses_blas
# The same library with the loops in place of BLAS, for every kind of layer, forward and backward.
layers_agree() {
    (cd "$ROOT" && compile layers.c "$FIXES" "$SCRATCH/layers-blas" &&
        $CC -O1 -c -I"$FIXES/include" -I"$FIXES/src" "$FIXES/src/gemm.c" -o "$SCRATCH/gemm-loops.o" &&
        compile layers.c "$FIXES" "$SCRATCH/layers-loops" "$SCRATCH/gemm-loops.o") || return 1
    ./layers-blas >blas.txt && ./layers-loops >loops.txt || return 1
    paste -d' ' blas.txt loops.txt | awk '
        $1 != $5 || $2 != $6 || $3 != $7 {bad++}
        {d = $4 - $8; if (d < 0) d = -d; s = $4 < 0 ? -$4 : $4; if (!(d <= 1e-4*(1 + s))) {bad++; print}}
        $4 != 0 {some++}
        END {print NR, "numbers,", some, "not zero,", bad + 0, "differ"; exit !(NR > 1000 && some > NR/2 && !bad)}'
}
check "fix 0008: BLAS and loops give the same outputs and gradients in conv, grouped, 1x1, deconv, local and connected layers" layers_agree
blas_off() { make -n -B -C "$FIXES" BLAS=0 | grep -q 'gemm.o' && ! make -n -B -C "$FIXES" BLAS=0 | grep -q -- '-lopenblas\|-DBLAS'; }
check "fix 0008: BLAS=0 builds without it" blas_off

finish
