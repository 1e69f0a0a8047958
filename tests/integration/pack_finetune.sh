# darknet prune pack and unpack on a network that was trained: what their options refuse, in one line and without an output; rounding to f16 and to codebooks; the values of codebooks
# trained on while zeros and equal weights stay what they are, to the same bits each time.
# shellcheck disable=SC2086 # where two words stand for two arguments
. tests/tap.sh
need_tree "$DARKNET" "$SANITIZED" "$PRISTINE/cfg" "$MNIST"
S=$SCRATCH
p() { "$SANITIZED" prune "$@"; }        # what is quick, under the sanitizers
d() { "$DARKNET" prune "$@"; }
mnist_part 1000 "$S/d"
D=$S/d/mnist.data
sed "s|^valid=.*|valid=$S/d/train-images|; s|^valid_labels=.*|valid_labels=$S/d/train-labels|" "$D" >"$S/train.data"     # for eval: the training set
mkdir "$S/in" "$S/made" "$S/said"

cat >"$S/in/n.cfg" <<'END'
[net]
batch=20
subdivisions=2
height=28
width=28
channels=1
max_batches=200
learning_rate=.05
momentum=.9
decay=.0005
policy=steps
steps=1
scales=.5
burn_in=10

[convolutional]
batch_normalize=1
filters=12
size=5
stride=2
pad=0
activation=leaky

[dropout]
probability=.2

[connected]
output=64
activation=relu

[connected]
output=10
learning_rate=.5
activation=linear

[softmax]
END
N=$S/in/n.cfg W=$S/in/n_final.weights P=$S/in/n_final.pweights
check "a network trains" d train "$D" "$N" -sparsity .8 -seed 1 -threads 1 -backup "$S/in"
bytes=$(stat -c %s "$W")

# ------------------------------------------------------------------------------------------------------ wrong command lines
usage() { SCRATCH=$S/said refused "status 2: $1" 2 "$2" p "${@:3}"; }
usage "pack: no weights" "pack needs <cfg> <weights>" pack "$N"
usage "pack: a word too many" "one word too many: x" pack "$N" "$W" x
usage "pack: unknown option" "unknown option -frob" pack "$N" "$W" -frob 1
usage "pack: -out without a name" "-out needs a value" pack "$N" "$W" -out
for values in f8 F32 ""; do usage "pack: -values '$values'" "must be f32, f16 or codebook" pack "$N" "$W" -values "$values"; done
usage "pack: -values without a value" "must be f32, f16 or codebook" pack "$N" "$W" -values
for bits in 0 9 -1 x 5x ""; do usage "pack: -bits '$bits'" "must be a whole number from 1 to 8" pack "$N" "$W" -values codebook -bits "$bits"; done
for values in f32 f16; do
    usage "pack: -bits with $values" "-bits goes with -values codebook" pack "$N" "$W" -values $values -bits 4
    usage "pack: -finetune with $values" "-finetune goes with -values codebook" pack "$N" "$W" -values $values -data "$D" -finetune 1
done
usage "pack: -finetune without -data" "-finetune needs -data" pack "$N" "$W" -values codebook -finetune 1
usage "pack: -data without -finetune" "-data goes with -finetune" pack "$N" "$W" -values codebook -data "$D"
usage "pack: -seed without -finetune" "-seed goes with -finetune" pack "$N" "$W" -values codebook -seed 2
usage "pack: -threads without -finetune" "-threads goes with -finetune" pack "$N" "$W" -threads 1
for epochs in 0 -1 x; do usage "pack: -finetune $epochs" "must be a whole number from 1" pack "$N" "$W" -values codebook -data "$D" -finetune $epochs; done
usage "unpack: no file" "unpack needs <cfg> <file>" unpack "$N"
usage "unpack: an option that is not its own" "unknown option -values" unpack "$N" "$W" -values f16
check "wrong command lines write nothing" test ! -e "$P"

# ---------------------------------------------------------------------------------------------------------------- bad input
# bad <name> <text> <verb> <cfg> <file> [<options>]: status 1, one line, and no new file
bad() {
    local name=$1 text=$2
    rm -rf "$S/made" && mkdir "$S/made"
    shift 2
    SCRATCH=$S/said refused "status 1: $name" 1 "$text" p "$@" -out "$S/made/z"
    [ -z "$(ls "$S/made")" ] || { ls "$S/made" >>"$LOG"; not_ok "no output: $name"; }
}
# with <float at> <bytes>: the weights with another float
with() { head -c $((20 + 4 * $1)) "$W"; printf '%b' "$2"; tail -c +$((25 + 4 * $1)) "$W"; }
tune="-values codebook -finetune 1 -data $D"
with 100 '\0\0\0300\0177' >"$S/nan.weights"
with 200 '\0\0\0200\0377' >"$S/infinity.weights"
{
    bad "codebook of NaN" "layer 0 [convolutional] has weights that are no numbers" pack "$N" "$S/nan.weights" -values codebook
    bad "codebook of infinity, fine-tuned" "layer 0 [convolutional] has weights that are no numbers" pack "$N" "$S/infinity.weights" $tune
    head -c 5000 "$W" >"$S/short.weights"
    bad "weights too short" "layer 2 [connected]" pack "$N" "$S/short.weights"
    bad "weights missing" "none.weights" pack "$N" "$S/none.weights"
    bad "cfg missing" "none.cfg" pack "$S/none.cfg" "$W"
    sed 's/^output=64/output=65/' "$N" >"$S/other.cfg"
    bad "a cfg of another network" "other.cfg" pack "$S/other.cfg" "$W"
    bad "data file missing" "none.data" pack "$N" "$W" -values codebook -finetune 1 -data "$S/none.data"
    grep -v '^train=' "$D" >"$S/no_train.data"
    bad "data file without a training set" "train" pack "$N" "$W" -values codebook -finetune 1 -data "$S/no_train.data"
    sed 's/^learning_rate=.05/learning_rate=1e9/' "$N" >"$S/wild.cfg"
    SCRATCH=$S/said
    p pack "$S/wild.cfg" "$W" $tune -bits 2 -out "$S/made/z" >"$S/said/out" 2>"$S/said/err"
    check "a loss that explodes: status 1" test $? -eq 1
    check "a loss that explodes: it says so" grep -q '^prune: the loss is .* lower learning_rate' "$S/said/err"
    SCRATCH=$S
    check "a loss that explodes: no output" test -z "$(ls "$S/made")"
    printf '[net]\nheight=8\nwidth=8\nchannels=3\n[convolutional]\nfilters=14\nsize=1\nstride=1\nactivation=linear\n[yolo]\nmask=0,1\nanchors=4,4,8,8\nclasses=2\nnum=2\n' >"$S/yolo.cfg"
    { head -c 20 "$W"; head -c $((4 * (14 + 42))) /dev/zero; } >"$S/yolo.weights"
    bad "-finetune of a detector" "a detector's have boxes" pack "$S/yolo.cfg" "$S/yolo.weights" $tune
    check "a detector without -finetune" p pack "$S/yolo.cfg" "$S/yolo.weights" -values codebook -out "$S/made/yolo"
    printf '[net]\ninputs=6\n[rnn]\nhidden=3\noutput=2\nactivation=tanh\n[softmax]\n' >"$S/rnn.cfg"
    { head -c 20 "$W"; head -c $((4 * (18 + 3 + 9 + 3 + 6 + 2))) /dev/zero; } >"$S/rnn.weights"
    bad "-finetune of a recurrent layer" "recurrent layers cannot be fine-tuned" pack "$S/rnn.cfg" "$S/rnn.weights" $tune
    check "a recurrent layer without -finetune" p pack "$S/rnn.cfg" "$S/rnn.weights" -values codebook -out "$S/made/rnn"
    sed 's/^activation=relu/activation=mish/' "$N" >"$S/foreign.cfg"
    bad "-finetune of a network that is not this Darknet's" "is not of this Darknet" pack "$S/foreign.cfg" "$W" $tune
    check "another fork's network without -finetune" p pack "$S/foreign.cfg" "$W" -values codebook -out "$S/made/foreign"
}
bad "unpacking weights that are not packed" "n_final.weights" unpack "$N" "$W"
check "packed" p pack "$N" "$W"
bad "unpacking with the cfg of another network" "packed from another network" unpack "$S/other.cfg" "$P"
head -c -1 "$P" >"$S/cut.pweights"
bad "unpacking a file that is cut" "cut.pweights" unpack "$N" "$S/cut.pweights"

# over <name> <verb> <words>: an output that would fall on an input
over() {
    sum=$(cat "$N" "$W" "$P" | md5sum)
    SCRATCH=$S/said refused "$1" 1 "would be written over" p "${@:2}"
    check "$1: it is as it was" test "$(cat "$N" "$W" "$P" | md5sum)" = "$sum"
}
over "pack of a packed file on itself" pack "$N" "$P"
ln "$P" "$S/in/link.weights"
over "unpack over the file by another name" unpack "$N" "$P" -out "$S/in/./link"
cp "$P" "$S/in/x.weights"
over "unpack of a packed file with a .weights name on itself" unpack "$N" "$S/in/x.weights" -out "$S/in/x"
ln "$W" "$S/in/hard.pweights"
over "pack over the weights by another name" pack "$N" "$W" -out "$S/in/hard"
ln -s n.cfg "$S/in/z.pweights.tmp"
over "a temporary name that is the cfg" pack "$N" "$W" -out "$S/in/z"
rm "$S/in/hard.pweights" "$S/in/z.pweights.tmp"
mkdir "$S/in/folder.pweights"
SCRATCH=$S/said refused "an output that is a folder" 1 "is a folder" p pack "$N" "$W" -out "$S/in/folder"

# ---------------------------------------------------------------------------------------------------------------- lossless
check "unpack" p unpack "$N" "$P"
check "what was packed comes back, to the bit" cmp "$W" "$S/in/n_final_unpacked.weights"
check "a packed file is packed again to the same bytes" p pack "$N" "$P" -out "$S/made/again"
check "yes, the same" cmp "$P" "$S/made/again.pweights"
p pack "$N" "$W" -out "$S/made/said" >"$S/said/line" 2>>"$LOG"
check "the line tells the sizes" grep -q "^wrote $S/made/said.pweights: [0-9,]* bytes, [0-9.]* times smaller than $(printf "%'d" "$bytes" | sed ':a; s/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/; ta') of .weights$" "$S/said/line"
with 100 '\0\0\0300\0177' >"$S/nan.weights"
check "NaN is packed as f32" p pack "$N" "$S/nan.weights" -out "$S/made/nan"
check "NaN is unpacked" p unpack "$N" "$S/made/nan.pweights" -out "$S/made/nan"
check "NaN comes back, to the bit" cmp "$S/nan.weights" "$S/made/nan.weights"

# ---------------------------------------------------------------------------------------------------------------- rounding
# words <file> <first float> <floats>: each as hexadecimal, a line each
words() { tail -c +$((21 + 4 * $2)) "$1" | head -c $((4 * $3)) | od -An -v -tx4 -w4 | tr -d ' '; }
zeros() { words "$@" | sed 's/^[08]0000000$/0/; t; s/.*/1/'; }
distinct() { words "$@" | grep -v '^[08]0000000$' | sort -u | wc -l; }
# where the matrices and the rest are in the file
matrices="48:300 412:110592 111014:640" biases="0:12 348:64 111004:10" norm="12:36"
unpacked() { d unpack "$N" "$S/made/$1.pweights" -out "$S/made/$1"; }
same_zeros() { for m in $matrices; do cmp <(zeros "$W" ${m/:/ }) <(zeros "$S/made/$1.weights" ${m/:/ }) || return 1; done; }
few_values() { for m in $matrices; do distinct "$S/made/$1.weights" ${m/:/ } | awk -v most="$2" '{ print; exit !($1 && $1 <= most) }' || return 1; done; }
# The last 13 bits of a mantissa are 0.
halves() { for b in $2; do words "$S/made/$1.weights" ${b/:/ } | awk '!/[02468ace]000$/ { bad = 1 } END { exit bad || !NR }' || return 1; done; }
loss() { d eval "$S/train.data" "$N" "$1" -json 2>>"$LOG" | jq .loss; }

check "f16" p pack "$N" "$W" -values f16 -out "$S/made/half"
check "f16: unpacked" unpacked half
check "f16: weights and biases are halves" halves half "$matrices $biases"
check "f16: batch-norm is as it was" cmp <(words "$W" ${norm/:/ }) <(words "$S/made/half.weights" ${norm/:/ })
check "f16: the zeros are the same" same_zeros half
check "f16: smaller than f32" test "$(stat -c %s "$S/made/half.pweights")" -lt "$(stat -c %s "$P")"
with 0 '\0\0\0200\0111' >"$S/large.weights"     # 2^20
p pack "$N" "$S/large.weights" -values f16 -out "$S/made/large" >"$S/said/out" 2>"$S/said/err"
check "f16: a bias that does not fit: a note names the layer" grep -q '^prune: layer 0 \[convolutional\]: its biases stay f32' "$S/said/err"
check "f16: a bias that does not fit: unpacked" unpacked large
check "f16: a bias that does not fit: they are as they were" cmp <(words "$S/large.weights" 0 12) <(words "$S/made/large.weights" 0 12)

for bits in 1 3 8; do
    check "codebook of $bits bits" p pack "$N" "$W" -values codebook -bits $bits -out "$S/made/book"
    check "codebook of $bits bits: unpacked" unpacked book
    check "codebook of $bits bits: $((1 << bits)) values a matrix at most" few_values book $((1 << bits))
    check "codebook of $bits bits: the zeros are the same" same_zeros book
    check "codebook of $bits bits: biases are halves" halves book "$biases"
    check "codebook of $bits bits: batch-norm is as it was" cmp <(words "$W" ${norm/:/ }) <(words "$S/made/book.weights" ${norm/:/ })
done
check "codebook without -bits" p pack "$N" "$W" -values codebook -out "$S/made/default"
check "codebook without -bits: unpacked" unpacked default
check "codebook without -bits: 32 values in the large matrix" test "$(distinct "$S/made/default.weights" 412 110592)" -eq 32

# -------------------------------------------------------------------------------------------------------------- fine-tuning
# tuned <name> <options>
tuned() { d pack "$N" "$W" -values codebook -finetune 2 -data "$D" -threads 1 -out "$S/made/$1" "${@:2}" >"$S/said/$1" 2>"$S/said/$1.err"; }
for bits in 2 5; do
    check "codebook of $bits bits" d pack "$N" "$W" -values codebook -bits $bits -out "$S/made/book$bits"
    check "codebook of $bits bits: unpacked" unpacked book$bits
    check "fine-tuned, $bits bits" tuned tuned$bits -bits $bits
    check "fine-tuned, $bits bits: a line for each epoch" test "$(grep -cE '^epoch [12]/2 iteration (50|100)/100 loss [0-9.]+$' "$S/said/tuned$bits.err")" -eq 2
    check "fine-tuned, $bits bits: accuracy as given, with codebooks and fine-tuned" test "$(grep -cE '^top1 [0-9.]+ %  loss [0-9.]+  (as given|with codebooks|fine-tuned)$' "$S/said/tuned$bits")" -eq 3
    check "fine-tuned, $bits bits: unpacked" unpacked tuned$bits
    check "fine-tuned, $bits bits: $((1 << bits)) values a matrix at most" few_values tuned$bits $((1 << bits))
    check "fine-tuned, $bits bits: the zeros are the same" same_zeros tuned$bits
    check "fine-tuned, $bits bits: biases are halves" halves tuned$bits "$biases"
    check "fine-tuned, $bits bits: no larger than 1.02 times the codebook that was not" test "$(stat -c %s "$S/made/tuned$bits.pweights")" -le $(($(stat -c %s "$S/made/book$bits.pweights") * 102 / 100))
    before=$(loss "$S/made/book$bits.pweights") after=$(loss "$S/made/tuned$bits.pweights")
    check "fine-tuned, $bits bits: the loss on the training set is lower ($before to $after)" jq -ne "$after < $before"
    check "fine-tuned, $bits bits: the last line of accuracy is that of the file" test "$(d eval "$D" "$N" "$S/made/tuned$bits.pweights" 2>>"$LOG" | grep -o 'top1 [0-9.]* %' || echo none)" = "$(grep -o 'top1 [0-9.]* %' <(tail -3 "$S/said/tuned$bits" | grep fine-tuned))"
done
check "fine-tuned again" tuned again -bits 2
check "fine-tuned again: the same bytes" cmp "$S/made/tuned2.pweights" "$S/made/again.pweights"
check "fine-tuned with another seed" tuned other -bits 2 -seed 2
differ() { cmp "$1" "$2"; [ $? -eq 1 ]; }
check "fine-tuned with another seed: other bytes" differ "$S/made/tuned2.pweights" "$S/made/other.pweights"
check "fine-tuned from the packed file" d pack "$N" "$P" -values codebook -bits 2 -finetune 2 -data "$D" -threads 1 -out "$S/made/packed"
check "fine-tuned from the packed file: the same bytes" cmp "$S/made/tuned2.pweights" "$S/made/packed.pweights"
check "fine-tuned under the sanitizers" p pack "$N" "$W" -values codebook -bits 2 -finetune 1 -data "$D" -threads 1 -out "$S/made/sanitized"
# A learning rate of 0 in the last layer: its values are those of k-means.
sed 's/^learning_rate=.5$/learning_rate=0/' "$N" >"$S/held.cfg"
check "fine-tuned with a layer's learning_rate=0" d pack "$S/held.cfg" "$W" -values codebook -bits 2 -finetune 1 -data "$D" -threads 1 -out "$S/made/held"
check "a layer's learning_rate=0: unpacked" unpacked held
check "a layer's learning_rate=0: it stays as it was" cmp <(words "$S/made/held.weights" 111004 650) <(words "$S/made/book2.weights" 111004 650)
check "a layer's learning_rate=0: the others do not" differ <(words "$S/made/held.weights" 412 110592) <(words "$S/made/book2.weights" 412 110592)

# One step of all 20 images, against one of Darknet's own: a value moves by the mean of what its weights would, at a tenth of the rate that is half-way down.
mnist_part 20 "$S/few"
grep -v '^\(dropout\|\[dropout\]\|probability\|subdivisions\|policy\|steps\|scales\|burn_in\)' "$N" | sed 's/^learning_rate=.05/learning_rate=1/; s/^decay=.*/decay=0/' >"$S/step.cfg"
check "a step of Darknet's own" d train "$S/few/mnist.data" "$S/step.cfg" "$S/made/book2.weights" -clear -iterations 1 -threads 1 -backup "$S/made"
check "a step of the values" d pack "$S/step.cfg" "$S/made/book2.weights" -values codebook -bits 2 -finetune 1 -data "$S/few/mnist.data" -threads 1 -out "$S/made/stepped"
check "a step of the values: unpacked" d unpack "$S/step.cfg" "$S/made/stepped.pweights" -out "$S/made/stepped"
floats() { tail -c +$((21 + 4 * $2)) "$1" | head -c $((4 * $3)) | od -An -v -tf4 -w4; }
# moved <first float> <floats>: of each value (a line): what it was, its mean change in Darknet's step times 1/20, its change here
moved() { paste <(words "$S/made/book2.weights" "$@") <(floats "$S/made/book2.weights" "$@") <(floats "$S/made/step_final.weights" "$@") <(floats "$S/made/stepped.weights" "$@") |
    awk '$1 !~ /^[08]0000000$/ { n[$1]++; sum[$1] += $3 - $2; is[$1] = $4 - $2; was[$1] = $2 } END { for (v in n) printf "%.9g %.9g %.9g\n", was[v], sum[v] / n[v] / 20, is[v] }'; }
as_expected() { moved "$@" | awk '{ print; d = $2 - $3; e = $2 < 0 ? -$2 : $2; if (d < 0) d = -d; if (d > 1e-7 + .005 * e) bad = 1; if (e > 2e-6) moves++ } END { exit bad || NR != 4 || moves < 3 }'; }
for m in $matrices; do check "a step of the values is as expected: floats $m" as_expected ${m/:/ }; done
finish
