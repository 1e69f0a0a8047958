# Packed weights: all cfgs of Debian's package with random weights come back bit for bit, and the patched Darknet loads packed weights wherever it loads weights.
. tests/tap.sh
need_tree "$DARKNET" "$HOOKED/libdarknet.a" "$PRISTINE/cfg" "$MNIST"
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
darknet=$(absolute "$DARKNET") cfgs=$(absolute "$PRISTINE")/cfg mnist=$PWD/$MNIST
# shellcheck disable=SC2046 # file names without blanks
check "the program that packs and reads back compiles" gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 -Iplugin tests/integration/pack_roundtrip.c $(ls plugin/*.c | grep -v /host_) -lcjson -lz -lm -o "$SCRATCH/roundtrip"
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1     # most of the time goes into memory that is touched for the first time

#### All stock cfgs
one() {
    local name=$1 f=$SCRATCH/$1
    mkdir "$f"
    LOG=$f/log
    check "$name: what is packed comes back" "$SCRATCH/roundtrip" "$cfgs/$name.cfg" "$f/packed" 1
    rm -f "$f/packed"
}
for cfg in "$cfgs"/*.cfg; do
    name=$(basename "$cfg" .cfg)
    free_cores
    one "$name" >"$SCRATCH/$name.tap" &
done
gather

#### In Darknet's own commands
cd "$SCRATCH" || exit 1
cat >net.cfg <<'END'
[net]
batch=10
subdivisions=1
width=28
height=28
channels=1
max_batches=40
learning_rate=.01
momentum=.9
decay=.0005
[convolutional]
batch_normalize=1
filters=8
size=3
pad=1
stride=2
activation=leaky
[connected]
output=10
activation=linear
[softmax]
END
ln -s "$mnist" mnist
printf '%s\n' format=idx classes=10 train=mnist/train-images-idx3-ubyte train_labels=mnist/train-labels-idx1-ubyte valid=mnist/t10k-images-idx3-ubyte valid_labels=mnist/t10k-labels-idx1-ubyte backup=backup >idx.data
check "a small network is trained" "$darknet" prune train idx.data net.cfg -sparsity .8
check "it is packed" "$darknet" prune pack net.cfg backup/net_final.weights -out packed
mv packed.pweights packed.bin        # the name says nothing
eval_of() { "$darknet" prune eval idx.data net.cfg "$1" 2>>"$LOG" | sed 's/ *[0-9.]* ms.*//' | tee -a "$LOG"; }
same_eval() { [ "$(eval_of packed.bin)" = "$(eval_of backup/net_final.weights)" ] && eval_of packed.bin | grep -q top1; }
check "prune eval gives the same figures" same_eval
check "unpack gives the file back" sh -c "'$darknet' prune unpack net.cfg packed.bin -out back && cmp back.weights backup/net_final.weights"
refused "what is not packed cannot be unpacked" 1 "backup/net_final.weights: these are not packed weights" "$darknet" prune unpack net.cfg backup/net_final.weights
same_report() { "$darknet" prune report net.cfg packed.bin >report_packed && "$darknet" prune report net.cfg backup/net_final.weights >report_plain && cmp report_packed report_plain && grep -q '^total' report_packed; }
check "prune report says the same" same_report
report_is_size() { grep -q "^total.* $(stat -c %s packed.bin | sed ':a;s/\B[0-9]\{3\}\>/,&/;ta') " report_packed; }
check "prune report tells the packed file's size to the byte" report_is_size
check "prune compact takes it" sh -c "'$darknet' prune compact net.cfg packed.bin -out a && '$darknet' prune compact net.cfg backup/net_final.weights -out b && cmp a.weights b.weights && cmp a.cfg b.cfg"
check "pruning without training takes it" sh -c "'$darknet' prune net.cfg packed.bin -sparsity .9 -out a && '$darknet' prune net.cfg backup/net_final.weights -sparsity .9 -out b && cmp a.weights b.weights"
train_from() { "$darknet" prune train idx.data net.cfg "$1" -clear -sparsity .9 -backup "$2" -iterations 20; }
same_training() { train_from packed.bin from_packed && train_from backup/net_final.weights from_plain && cmp from_packed/net_final.weights from_plain/net_final.weights; }
check "training from it goes the same way" same_training

#### Stock commands: classifier, detector, partial
mkdir -p images labels
python3 - <<'END'
import struct
for i in range(4):
    with open('images/%d.bmp' % i, 'wb') as f:      # 28 x 28, 24 bits
        rows = b''.join(bytes((x * 9 + y * 5 + i * 40) % 256 for x in range(28) for c in range(3)) for y in range(28))
        f.write(b'BM' + struct.pack('<IHHI', 54 + len(rows), 0, 0, 54) + struct.pack('<IiiHHIIiiII', 40, 28, 28, 1, 24, 0, len(rows), 0, 0, 0, 0) + rows)
END
printf 'images/%d.bmp\n' 0 1 2 3 >list
seq -f '%g.bmp' 0 9 >names
printf '%s\n' classes=10 train=list valid=list labels=names names=names top=2 backup=stock >list.data
sed -e 's/channels=1/channels=3/' -e 's/batch=10/batch=4/' net.cfg >colour.cfg
check "the reference for random weights compiles" gcc -O2 -Wall -Werror -Wl,--wrap=rand_normal -I"$ROOT/$HOOKED/include" -I"$ROOT/plugin" "$ROOT/tests/host/random_weights.c" "$ROOT/$HOOKED/libdarknet.a" $LIBS -o random_weights
check "random weights for three channels" ./random_weights colour.cfg colour.weights 3
check "they are packed" "$darknet" prune pack colour.cfg colour.weights
same_output() { # <command with WEIGHTS in it>: the same on stdout
    local packed plain
    packed=$("${@//WEIGHTS/colour.pweights}" 2>>"$LOG" </dev/null | grep -v 'Predicted in\|Loading') || return 1
    plain=$("${@//WEIGHTS/colour.weights}" 2>>"$LOG" </dev/null | grep -v 'Predicted in\|Loading') || return 1
    echo "$packed"
    [ -n "$packed" ] && [ "$packed" = "$plain" ]
}
check "classifier predict says the same" same_output "$darknet" classifier predict list.data colour.cfg WEIGHTS images/1.bmp
check "classifier valid says the same" same_output "$darknet" classifier valid list.data colour.cfg WEIGHTS
same_partial() { "$darknet" partial colour.cfg colour.pweights p1 1 && "$darknet" partial colour.cfg colour.weights p2 1 && cmp p1 p2; }
check "partial takes the first layers of it" same_partial
stock_train() { DARKNET_SEED=1 DARKNET_LOADERS=1 "$darknet" classifier train list.data colour.cfg "$1" && mv stock/colour.weights "$2"; }
mkdir stock
sed -i 's/max_batches=40/max_batches=3/' colour.cfg
same_stock_training() { stock_train colour.pweights t1 && stock_train colour.weights t2 && cmp t1 t2; }
check "classifier train goes on from it the same way" same_stock_training

cat >yolo.cfg <<'END'
[net]
batch=1
subdivisions=1
width=32
height=32
channels=3
[convolutional]
filters=8
size=3
stride=2
pad=1
activation=leaky
[convolutional]
filters=18
size=1
activation=linear
[yolo]
mask=0,1,2
anchors=4,4, 8,8, 16,16
classes=1
num=3
END
echo thing >thing.names
printf '%s\n' classes=1 train=list valid=list names=thing.names backup=stock results=stock >yolo.data
cp -r "$ROOT/$PRISTINE/data" data
check "random weights for a detector" ./random_weights yolo.cfg colour.weights 5
check "the detector is packed" "$darknet" prune pack yolo.cfg colour.weights
boxes_of() { "$darknet" detector test yolo.data yolo.cfg "$1" images/2.bmp -thresh .01 2>>"$LOG" | grep '%'; }
same_boxes() { local boxes; boxes=$(boxes_of colour.pweights) && echo "$boxes" && [ "$boxes" = "$(boxes_of colour.weights)" ]; }
check "detector test finds the same" same_boxes
valid_of() { "$darknet" detector valid yolo.data yolo.cfg "$1" -out "$2" >>"$LOG" 2>&1 && cat stock/"$2"*; }
same_valid() { local found; found=$(valid_of colour.pweights a) && [ -n "$found" ] && [ "$found" = "$(valid_of colour.weights b)" ]; }
check "detector valid finds the same" same_valid
#### Every kind of layer that Darknet loads, and files that do not end where the network does
cat >kinds.cfg <<'END'
[net]
batch=1
subdivisions=1
width=16
height=16
channels=3
[convolutional]
batch_normalize=1
filters=8
size=3
pad=1
activation=leaky
[convolutional]
filters=8
groups=4
size=3
pad=1
activation=linear
[deconvolutional]
filters=4
size=2
stride=2
activation=leaky
[batchnorm]
[local]
filters=2
size=3
stride=2
pad=1
activation=leaky
[connected]
batch_normalize=1
output=12
activation=leaky
END
recurrent() { printf '%s\n' '[net]' batch=1 subdivisions=1 inputs=10 "[$1]" batch_normalize=1 output=12 activation=leaky '[connected]' output=5 activation=linear >"$1.cfg"; }
recurrent rnn
recurrent gru
recurrent lstm
sed -e '/^\[deconv/,$d' kinds.cfg | cat - <(printf '%s\n' '[crnn]' batch_normalize=1 output_filters=6 hidden_filters=4 activation=leaky) >crnn.cfg
loads_the_same() { # <cfg> <packed> <plain>: what Darknet has in memory after loading each
    "$darknet" partial "$1" "$2" loaded_packed 999 && "$darknet" partial "$1" "$3" loaded_plain 999 && cmp loaded_packed loaded_plain
}
head -c 20 colour.weights >header.weights
any_weights() { # <name>: a file as long as Darknet says, with any numbers in it; the network need not run
    "$darknet" partial "$1.cfg" header.weights "$1.weights" 999 && python3 -c 'import random, struct, sys; n = int(sys.argv[1]); random.seed(n); sys.stdout.buffer.write(struct.pack("<%df" % n, *(random.choice((0, random.gauss(0, 1))) for i in range(n))))' $((($(stat -c %s "$1.weights") - 20) / 4)) |
        cat header.weights - >any && mv any "$1.weights"
}
for kind in kinds rnn gru lstm crnn; do
    packs() { any_weights $kind && "$darknet" prune pack $kind.cfg $kind.weights; }
    check "$kind.cfg: packed" packs
    check "$kind.cfg: Darknet loads the same" loads_the_same $kind.cfg $kind.pweights $kind.weights
done
sed '/^\[deconv/,$d' kinds.cfg >first.cfg
check "the first layers alone are packed" sh -c "'$darknet' partial kinds.cfg kinds.weights first.weights 2 && '$darknet' prune pack first.cfg first.weights"
ends_early() { DARKNET_SEED=1 "$darknet" partial kinds.cfg first.pweights early_packed 999 2>early.log && DARKNET_SEED=1 "$darknet" partial kinds.cfg first.weights early_plain 999 && cmp early_packed early_plain && grep 'ends before layer 2' early.log; }
check "a file of the first layers starts a longer network, with Darknet's note" ends_early
goes_on() { "$darknet" partial first.cfg kinds.pweights longer_packed 999 2>longer.log && "$darknet" partial first.cfg kinds.weights longer_plain 999 && cmp longer_packed longer_plain && grep 'holds more' longer.log; }
check "a longer file gives a shorter network its first layers, with Darknet's warning" goes_on
sed -e '/^\[connected/,$d' net.cfg >start.cfg
starts_training() { "$darknet" partial net.cfg backup/net_final.weights start.weights 1 && "$darknet" prune pack start.cfg start.weights && train_from start.pweights start_packed && train_from start.weights start_plain && cmp start_packed/net_final.weights start_plain/net_final.weights; }
check "prune train starts from a file of the first layers" starts_training
printf '%s\n' '[net]' width=16 height=16 channels=11 '[convolutional]' filters=6 size=1 activation=linear >a.cfg
printf '%s\n' '[net]' width=16 height=16 channels=8 '[convolutional]' filters=8 size=1 activation=linear >b.cfg
check "as many weights in another shape: packed" sh -c "./random_weights a.cfg a.weights 4 && '$darknet' prune pack a.cfg a.weights"
refused "as many weights in another shape are refused" 1 "packed from another network" "$darknet" partial b.cfg a.pweights none 9
piped() { mkfifo pipe && { cat colour.pweights >pipe & } && "$darknet" partial yolo.cfg pipe none 9; }
refused "packed weights from a pipe are no weights" 1 "Not a weights file" piped
refused "a pipe is not waited for" 1 "is not a regular file" timeout 10 "$darknet" prune unpack net.cfg pipe

refused "a file of another network is refused by a stock command" 1 "packed from another network" "$darknet" detector test yolo.data yolo.cfg packed.bin images/2.bmp
finish
