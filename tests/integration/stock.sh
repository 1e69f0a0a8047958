# The unpatched Darknet loads what pruning saves, and computes the same outputs to 1e-5 relative.
. tests/tap.sh
mnist_part 200 "$SCRATCH/data"
for tree in "$REFERENCE" "$BUILD/hooked-O2"; do
    libraries="-lm -pthread"
    [ "$tree" = "$REFERENCE" ] || libraries="$libraries $LIBS"
    # shellcheck disable=SC2086
    gcc -O1 -I"$tree/include" -Iplugin tests/host/outputs.c "$tree/libdarknet.a" $libraries -o "$SCRATCH/outputs-$(basename "$tree")" >>"$LOG" 2>&1
done

# The recipe's keys stay in the cfg: an unpatched Darknet must ignore those of [net].
same_outputs() {
    local cfg=$1 weights=$2
    "$SCRATCH/outputs-$(basename "$REFERENCE")" "$cfg" "$weights" >"$SCRATCH/reference.txt" 2>>"$LOG" &&
        "$SCRATCH/outputs-hooked-O2" "$cfg" "$weights" >"$SCRATCH/hooked.txt" 2>>"$LOG" &&
        [ -s "$SCRATCH/hooked.txt" ] &&
        paste "$SCRATCH/reference.txt" "$SCRATCH/hooked.txt" | awk '
            { d = $1 - $2; if (d < 0) d = -d; m = $1 < 0 ? -$1 : $1; if (m > max) max = m; if (d > worst) worst = d }
            END { print "worst difference", worst, "largest output", max; exit !(max > 0 && worst <= 1e-5 * max) }'
}
for net in lenet-300-100-prune95 lenet-5-prune98; do
    check "$net trains" "$DARKNET" prune train "$SCRATCH/data/mnist.data" "cfg/$net.cfg" -iterations 20 -end 14 -backup "$SCRATCH"
    check "$net: the reference gives the same outputs" same_outputs "cfg/$net.cfg" "$SCRATCH/${net}_final.weights"
done
cat >"$SCRATCH/bn.cfg" <<'END'
[net]
batch=10
height=28
width=28
channels=1
max_batches=20
learning_rate=.01
prune_sparsity=.8

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky

[convolutional]
batch_normalize=1
filters=8
size=3
stride=1
pad=1
groups=4
activation=leaky

[shortcut]
from=-2
activation=linear

[connected]
batch_normalize=1
output=10
activation=linear

[softmax]
END
check "batch-norm, groups and a shortcut train" "$DARKNET" prune train "$SCRATCH/data/mnist.data" "$SCRATCH/bn.cfg" -backup "$SCRATCH"
check "batch-norm, groups and a shortcut: the reference gives the same outputs" same_outputs "$SCRATCH/bn.cfg" "$SCRATCH/bn_final.weights"
finish
