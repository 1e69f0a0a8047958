# Darknet's own trainers prune: `classifier train`, `cifar train` and `detector train` on a cfg with prune_ keys, nothing else changed.
. tests/tap.sh
export DARKNET_SEED=3 DARKNET_LOADERS=1
darknet=$PWD/$DARKNET
cd "$SCRATCH" || exit 1
mkdir -p images labels backup data/cifar/cifar-10-batches-bin

# ppm <file> <number>: a 16 x 16 image whose colour depends on the number (Darknet goes by the bytes, not by the name)
ppm() {
    { printf 'P6\n16 16\n255\n'; for _ in $(seq 256); do printf "\\$(printf %03o $(($2 * 37 % 256)))\\$(printf %03o $(($2 * 91 % 256)))\\$(printf %03o $(($2 * 53 % 256)))"; done; } >"$1"
}
for i in $(seq 12); do
    ppm "images/c$((i % 2))_$i.png" "$i"
    echo "$((i % 2)) .5 .5 .4 .6" >"labels/c$((i % 2))_$i.txt"
done
ls -d "$PWD"/images/*.png >train.list
printf 'c0_\nc1_\n' >labels.list
printf 'classes=2\ntrain=train.list\nvalid=train.list\nlabels=labels.list\nnames=labels.list\nbackup=backup\n' >small.data

keys='prune_sparsity=.9\nprune_steps=5\nprune_recover=.2\n'
net() { printf '[net]\nbatch=4\nsubdivisions=2\nheight=16\nwidth=16\nchannels=3\nmax_batches=20\nlearning_rate=.001\n%b' "$keys"; }
body() { printf '[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=leaky\n\n[convolutional]\nfilters=%s\nsize=1\nstride=1\nactivation=linear\n\n' "$1"; }
{ net; body 2; printf '[avgpool]\n\n[softmax]\n'; } >classifier.cfg
{ net; body 14; printf '[yolo]\nmask=0,1\nanchors=4,4,8,8\nclasses=2\nnum=2\n'; } >detector.cfg
{ net | sed 's/=16$/=32/'; body 10; printf '[avgpool]\n\n[softmax]\n'; } >cifar.cfg

# pruned <cfg> <weights> <steps logged in>: five step lines with their fields, and exactly the survivors that .9 leaves
pruned() {
    local cfg=$1 weights=$2 output=$3
    [ "$(grep -c '^prune: step [1-5]/5 iteration [0-9]* target 0\.[0-9]* achieved 0\.[0-9]* pruned [0-9]* recovered [0-9]* loss ' "$output")" -eq 5 ] &&
        "$darknet" prune report "$cfg" "$weights" -json | jq -e '.total.nonzero == ((.total.weights * 0.1) | round)'
}

"$darknet" classifier train small.data classifier.cfg >classifier.out 2>&1
check "classifier train ends well" test $? -eq 0
check "classifier train prunes to exactly 90 %" pruned classifier.cfg backup/classifier.weights classifier.out
check "a .prune file stands beside its weights" test -s backup/classifier.prune

# The users' own build, with Darknet's -Ofast, and the sanitized one (but for Darknet's find_replace, whose sprintf reads what it writes).
"$ROOT/darknet/darknet" classifier train small.data classifier.cfg >ofast.out 2>&1
check "classifier train of the -Ofast build prunes to exactly 90 %" pruned classifier.cfg backup/classifier.weights ofast.out
cp detector.cfg sanitized.cfg
ASAN_OPTIONS=$ASAN_OPTIONS:replace_str=0 "$ROOT/$SANITIZED" detector train small.data sanitized.cfg >sanitized.out 2>&1
check "detector train under sanitizers prunes to exactly 90 %" pruned sanitized.cfg backup/sanitized_final.weights sanitized.out
"$darknet" classifier train small.data classifier.cfg >classifier.out 2>&1
"$darknet" detector train small.data detector.cfg >detector.out 2>&1
check "detector train ends well" test $? -eq 0
check "detector train prunes to exactly 90 %" pruned detector.cfg backup/detector_final.weights detector.out

head -c 30730000 /dev/zero >data/cifar/cifar-10-batches-bin/data_batch_1.bin
for i in 2 3 4 5; do ln -s data_batch_1.bin data/cifar/cifar-10-batches-bin/data_batch_$i.bin; done
printf '%s\n' 0 1 2 3 4 5 6 7 8 9 >data/cifar/labels.txt
"$darknet" cifar train cifar.cfg >cifar.out 2>&1
check "cifar train ends well" test $? -eq 0
check "cifar train prunes to exactly 90 %" pruned cifar.cfg backup/cifar.weights cifar.out
rm -rf data

# `prune train` and `eval` on the two kinds of data that are not IDX.
keys="${keys}prune_curve=cubic\n"
{ net; body 2; printf '[avgpool]\n\n[softmax]\n'; } >list.cfg
{ net | sed 's/=16$/=32/'; body 10; printf '[avgpool]\n\n[softmax]\n'; } >bytes.cfg
for i in $(seq 30); do printf "\\$(printf %03o $((i % 10)))"; head -c 3072 /dev/zero | tr '\0' "\\$(printf %03o $((i * 8)))"; done >some.bin
printf 'format=cifar\nclasses=10\ntrain=some.bin,some.bin\nvalid=some.bin\nbackup=backup\n' >bytes.data
for pair in small.data:list:12 bytes.data:bytes:30; do
    IFS=: read -r data name images <<<"$pair"
    "$darknet" prune train $data $name.cfg >$name.out 2>&1
    check "prune train on $data ends well" test $? -eq 0
    check "prune train on $data prunes to exactly 90 %" pruned $name.cfg backup/${name}_final.weights $name.out
    check "prune eval on $data sees $images images" sh -c "'$darknet' prune eval $data $name.cfg backup/${name}_final.weights -json | jq -e '.images == $images'"
done

# Going on from a half-pruned checkpoint: the masks hold, the schedule continues, -clear begins anew.
sed 's/max_batches=20/max_batches=30/; s/prune_steps=5/prune_steps=5\nprune_end=28/' classifier.cfg >longer.cfg
cp backup/classifier.weights dense90.weights
check "going on without a .prune file takes the masks from the zeros" "$darknet" classifier train small.data longer.cfg dense90.weights
check "going on keeps exactly 90 %" sh -c "'$darknet' prune report longer.cfg backup/longer.weights -json | jq -e '.total.nonzero == ((.total.weights * 0.1) | round)'"
"$darknet" classifier train small.data classifier.cfg backup/classifier.weights -clear >clear.out 2>&1
check "-clear runs the schedule again and never un-prunes" pruned classifier.cfg backup/classifier.weights clear.out

# A file of the first layers has no masks of its own; averaged weights have other zeros than the masks beside them.
check "darknet partial" "$darknet" partial classifier.cfg backup/classifier.weights first.conv.1 1
check "a partial file gets no .prune file" test ! -e first.conv.1.prune
"$darknet" classifier train small.data classifier.cfg first.conv.1 -clear >partial.out 2>&1
check "training from it prunes to exactly 90 %" pruned classifier.cfg backup/classifier.weights partial.out
check "darknet average" "$darknet" average classifier.cfg averaged.weights backup/classifier.weights dense90.weights
"$darknet" classifier train small.data classifier.cfg averaged.weights -clear >averaged.out 2>&1
check "training from averaged weights: what is pruned is 0" sh -c "[ \"\$('$darknet' prune report classifier.cfg backup/classifier.weights -json | jq .total.nonzero)\" -le 24 ]"
sed 's/filters=2$/filters=3/' classifier.cfg >three.cfg
printf 'c0_\nc1_\nc2_\n' >three.list && sed 's/classes=2/classes=3/; s/labels.list/three.list/' small.data >three.data
check "weights of a net with another head" "$darknet" partial classifier.cfg backup/classifier.weights head.weights 1
check "train a net with another head" "$darknet" classifier train three.data three.cfg head.weights -clear

# The schedule lies behind the weights' iteration: it is said, and done at once.
sed 's/max_batches=20/max_batches=30/; s/prune_steps=5/prune_steps=5\nprune_end=10/' classifier.cfg >late.cfg
"$darknet" classifier train small.data late.cfg backup/classifier.weights >late.out 2>&1
check "a schedule that is past is done at once, and said" grep -q "what the schedule has missed" late.out

# A .prune file of other weights.
cp backup/detector_final.prune backup/classifier.prune
"$darknet" classifier train small.data classifier.cfg backup/classifier.weights >refused.out 2>&1
check "classifier train refuses a .prune file of other weights, status 1" test $? -eq 1
check "and says why" grep -q "^prune: .*does not belong" refused.out
finish
