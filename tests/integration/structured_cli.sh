# The commands of structured pruning: what they refuse, in one line and without an output; what they write; criteria that look at images, scan and the automatic
# limit; filters, channels and kernels that go while Darknet trains.
. tests/tap.sh
need_tree "$DARKNET" "$SANITIZED" "$REFERENCE/libdarknet.a" "$PRISTINE/cfg" "$MNIST"
S=$SCRATCH
p() { "$SANITIZED" prune "$@"; }        # what is quick, under the sanitizers
d() { "$DARKNET" prune "$@"; }
for program in random_weights same_outputs; do
    check "$program.c compiles" gcc -O2 -Wall -Werror -Wl,--wrap=rand_normal -I"$REFERENCE/include" tests/host/$program.c "$REFERENCE/libdarknet.a" -lm -pthread -o "$S/$program"
done
mnist_part 2000 "$S/d"
D=$S/d/mnist.data
float() { od -An -tu8 -j12 -N8 "$1" | tr -d ' '; }      # the count of images in a header of 20 bytes

cat >"$S/n.cfg" <<'END'
[net]
batch=1
height=28
width=28
channels=1

[convolutional]
batch_normalize=1
filters=16
size=5
stride=2
pad=1
activation=leaky

[convolutional]
filters=24
size=3
stride=2
pad=1
activation=relu

[connected]
output=30
activation=relu

[connected]
output=10
activation=linear

[softmax]
