# Bad input gets one line and status 1 or 2, under AddressSanitizer and UBSan; help goes to standard output; nothing half-written is left.
. tests/tap.sh
mnist_part 60 "$SCRATCH/d"
D=$SCRATCH/d/mnist.data
S=$SCRATCH
p() { "$SANITIZED" prune "$@"; }

cat >"$S/ok.cfg" <<'END'
[net]
batch=10
height=28
width=28
channels=1
max_batches=12
learning_rate=.05
prune_sparsity=.9

[connected]
output=12
activation=relu

[connected]
output=10
activation=linear

[softmax]
END

# ------------------------------------------------------------------------------------------------ what works
help_is() { p help "$@" >"$S/help" 2>"$S/help.err" && [ -s "$S/help" ] && ! [ -s "$S/help.err" ]; }
check "help on standard output" help_is
for verb in train eval report help keys; do check "help $verb" help_is "$verb"; done
p >"$S/out" 2>"$S/err"
check "no verb: usage on stderr, status 2" test $? -eq 2 -a ! -s "$S/out" -a -s "$S/err"
check "train on a small part of MNIST" p train "$D" "$S/ok.cfg" -backup "$S/good"
W=$S/good/ok_final.weights
check "eval -json has its four fields" sh -c "'$SANITIZED' prune eval '$D' '$S/ok.cfg' '$W' -json 2>/dev/null | jq -e '.images==60 and .top1>=0 and .top1<=100 and .loss>=0 and .ms_per_image>0'"
check "report is one table" p report "$S/ok.cfg" "$W"
check "report -json counts what survives" sh -c "'$SANITIZED' prune report '$S/ok.cfg' '$W' -json | jq -e '.total.weights==9528 and .total.nonzero==953'"
check "report -svg" sh -c "'$SANITIZED' prune report '$S/ok.cfg' '$W' -svg '$S/r.svg' && grep -q '</svg>' '$S/r.svg'"
check "charts as SVG and PNG" sh -c "grep -q '</svg>' '$S/good/ok_chart.svg' && head -c 4 '$S/good/ok_chart.png' | grep -q PNG"
check "a terminal gets progress with the time left" sh -c "script -qec \"'$DARKNET' prune train '$D' '$S/ok.cfg' -iterations 400 -end 10 -backup '$S/tty'\" /dev/null | grep -q 'iteration [0-9]*/400 .*images/s  ETA [0-9]*:[0-9]*'"
check "a run without pruning has a chart too" sh -c "sed '/^prune_/d' '$S/ok.cfg' >'$S/dense.cfg' && '$SANITIZED' prune train '$D' '$S/dense.cfg' -backup '$S/good' && grep -q '</svg>' '$S/good/dense_chart.svg'"
check "options override keys" sh -c "'$SANITIZED' prune train '$D' '$S/ok.cfg' -sparsity .5 -backup '$S/half' && '$SANITIZED' prune report '$S/ok.cfg' '$S/half/ok_final.weights' -json | jq -e '.total.nonzero==4764'"
sed 's/prune_sparsity=.9/prune_sparsity=.9 # all but a tenth/; s/$/\r/' "$S/ok.cfg" >"$S/crlf.cfg"
check "Windows line ends and a comment behind a value" p train "$D" "$S/crlf.cfg" -backup "$S/good"
check "and they change nothing" cmp "$W" "$S/good/crlf_final.weights"
check "-iterations and -start override a cfg whose own schedule makes no sense" sh -c "sed 's/max_batches=12/prune_start=11/' '$S/ok.cfg' >'$S/odd.cfg' && '$SANITIZED' prune train '$D' '$S/odd.cfg' -iterations 12 -start 0 -backup '$S/good'"
check "eval needs no training set" sh -c "sed '/^train/d' '$D' >'$S/valid.data' && '$SANITIZED' prune eval '$S/valid.data' '$S/odd.cfg' '$S/good/odd_final.weights'"
check "a quote in the path costs the chart, not the run" p train "$D" "$S/ok.cfg" -backup "$S/it's"
gzip -kf "$S/d/train-images" "$S/d/train-labels"
sed 's/\(train-[a-z]*\)$/\1.gz/' "$D" >"$S/gz.data"
check "gzipped IDX files" p train "$S/gz.data" "$S/ok.cfg" -backup "$S/gz"
check "gzipped IDX files: the same bits" cmp "$W" "$S/gz/ok_final.weights"

# ------------------------------------------------------------------------------------------------ lists of images
mkdir -p "$S/l" && for i in 1 2 3 4; do { printf 'P5\n28 28\n255\n'; tail -c +$((17 + i * 784)) "$S/d/t10k-images" | head -c 784; } >"$S/l/c$((i % 2))_$i.png"; done
ls "$S"/l/*.png >"$S/l/list" && printf 'c0_\nc1_\n' >"$S/l/labels"
printf 'classes=2\ntrain=%s\nvalid=%s\nlabels=%s\n' "$S/l/list" "$S/l/list" "$S/l/labels" >"$S/l/list.data"
sed 's/output=10/output=2/' "$S/ok.cfg" >"$S/two.cfg"
check "grey images from a list" p train "$S/l/list.data" "$S/two.cfg" -backup "$S/l/backup"
echo nothing >"$S/l/c1_3.png"
refused "list: a broken image" 1 "c1_3.png" p train "$S/l/list.data" "$S/two.cfg" -backup "$S/l/backup2"
rm "$S/l/c1_3.png"
refused "list: a missing image" 1 "c1_3.png" p train "$S/l/list.data" "$S/two.cfg" -backup "$S/l/backup2"

# ------------------------------------------------------------------------------------------------ command line
refused "unknown verb" 2 "no verb fly" p fly
refused "unknown option" 2 "-speed" p train "$D" "$S/ok.cfg" -speed 3
refused "unknown option of eval" 2 "-fast" p eval "$D" "$S/ok.cfg" "$W" -fast
refused "unknown option of report" 2 "-xml" p report "$S/ok.cfg" "$W" -xml
refused "option without its value" 2 "-sparsity" p train "$D" "$S/ok.cfg" -sparsity
refused "sparsity of 1" 2 "-sparsity=1: must be at least 0 and below 1" p train "$D" "$S/ok.cfg" -sparsity 1
refused "sparsity that is no number" 2 "-sparsity=much" p train "$D" "$S/ok.cfg" -sparsity much
refused "sparsity nan" 2 "-sparsity=nan" p train "$D" "$S/ok.cfg" -sparsity nan
refused "steps 0" 2 "-steps=0: must be a whole number from 1 to 10000" p train "$D" "$S/ok.cfg" -steps 0
refused "steps 2.5" 2 "-steps=2.5" p train "$D" "$S/ok.cfg" -steps 2.5
refused "recover above 1" 2 "-recover=2" p train "$D" "$S/ok.cfg" -recover 2
refused "unknown curve" 2 "must be log | cubic | linear | geometric" p train "$D" "$S/ok.cfg" -curve round
refused "start after end" 1 "prune_start=9 must be below prune_end=8" p train "$D" "$S/ok.cfg" -start 9
refused "end after max_batches" 1 "prune_end=13" p train "$D" "$S/ok.cfg" -end 13
refused "threads 0" 2 "-threads 0" p train "$D" "$S/ok.cfg" -threads 0
refused "seed that is no number" 2 "-seed x" p train "$D" "$S/ok.cfg" -seed x
refused "too few words" 2 "train needs" p train "$D"
refused "eval without weights" 2 "eval needs" p eval "$D" "$S/ok.cfg"
refused "-clear without weights" 2 "-clear is about" p train "$D" "$S/ok.cfg" -clear
refused "DARKNET_SEED that is no number" 2 "DARKNET_SEED x" env DARKNET_SEED=x "$SANITIZED" prune train "$D" "$S/ok.cfg"
check "-nogpu and -i are Darknet's, and do no harm" sh -c "'$SANITIZED' prune report '$S/ok.cfg' '$W' -nogpu && '$SANITIZED' prune report '$S/ok.cfg' '$W' -i 0"
refused "one word too many" 2 "one word too many: w2" p train "$D" "$S/ok.cfg" "$W" w2

# -------------------------------------------------------------------------------------------------------- cfg
# bad_cfg <name> <text> <sed commands on ok.cfg>
bad_cfg() {
    sed "$3" "$S/ok.cfg" >"$S/bad.cfg"
    refused "cfg: $1" 1 "$2" p train "$D" "$S/bad.cfg" -backup "$S/bad"
}
bad_cfg "unknown pruning key" "bad.cfg:8: prune_sparsety" 's/prune_sparsity=.9/prune_sparsety=.9/'
bad_cfg "key out of range" "bad.cfg:8: prune_sparsity=1.5" 's/prune_sparsity=.9/prune_sparsity=1.5/'
bad_cfg "unknown rule" "prune_rule=best: must be none | gradient | restore | shadow" 's/prune_sparsity=.9/prune_rule=best/'
bad_cfg "criterion for filters alone" "criterion=taylor does not go with granularity=weight: must be magnitude" 's/prune_sparsity=.9/prune_criterion=taylor/'
bad_cfg "pruning key twice" "given twice" 's/prune_sparsity=.9/&\n&/'
bad_cfg "layer key out of range" "prune_sparsity=2" '0,/output=12/s//output=12\nprune_sparsity=2/'
bad_cfg "unknown layer key" "prune_steps" '0,/output=12/s//output=12\nprune_steps=2/'
bad_cfg "pruning key of a layer without weights" "[softmax] has no weights" 's/\[softmax\]/&\nprune_sparsity=.5/'
bad_cfg "layer keys without one of [net]" "[net] has no pruning key" '/^prune_/d; 0,/output=12/s//output=12\nprune_sparsity=.5/'
bad_cfg "no loss to train with" "no layer with a loss" '/softmax/d'
bad_cfg "unknown section" "sam" 's/\[softmax\]/[sam]/'
bad_cfg "a key before any section" "bad.cfg:1" '1i batch=3'
bad_cfg "a line without =" "bad.cfg:3" 's/height=28/height/'
bad_cfg "batch below subdivisions" "subdivisions" 's/batch=10/batch=10\nsubdivisions=20/'
bad_cfg "steps without scales" "scales" 's/batch=10/batch=10\npolicy=steps\nsteps=1,2,3\nscales=.1/'
bad_cfg "a number that is none" "output" 's/output=12/output=many/'
bad_cfg "no output" "output" 's/output=12/output=0/'
bad_cfg "no input" "" 's/height=28/height=0/'
bad_cfg "route to nowhere" "route" 's/\[softmax\]/[route]\nlayers=-9\n\n[softmax]/'
bad_cfg "shortcut without from" "shortcut" 's/\[softmax\]/[shortcut]\nactivation=linear\n\n[softmax]/'
bad_cfg "no end" "max_batches" 's/max_batches=12/max_batches=0/'
bad_cfg "nothing to prune" "nothing to prune" 's/activation=.*/&\nprune=0/'
bad_cfg "another output than classes" "classes=10" 's/output=10/output=9/'
bad_cfg "another input than the images" "28x28x1" 's/height=28/height=20/'
refused "cfg: missing" 1 "nothere.cfg" p train "$D" "$S/nothere.cfg"
: >"$S/empty.cfg"
refused "cfg: empty" 1 "empty.cfg" p train "$D" "$S/empty.cfg"
refused "cfg: a folder" 1 "$S" p train "$D" "$S"
head -c 3000 /dev/urandom >"$S/noise.cfg"
refused "cfg: noise" 1 "noise.cfg" p report "$S/noise.cfg" "$W"

# ---------------------------------------------------------------------------------------------------- weights
refused "weights: missing" 1 "nothere.weights" p eval "$D" "$S/ok.cfg" "$S/nothere.weights"
for n in 0 3 15 19 20 100 $(($(stat -c %s "$W") - 1)); do
    head -c $n "$W" >"$S/short.weights"
    refused "weights: cut to $n bytes (eval)" 1 "short.weights" p eval "$D" "$S/ok.cfg" "$S/short.weights"
done
head -c -1 "$W" >"$S/short.weights"
refused "weights: cut (report)" 1 "short.weights" p report "$S/ok.cfg" "$S/short.weights"
refused "weights: cut (train)" 1 "short.weights" p train "$D" "$S/ok.cfg" "$S/short.weights" -backup "$S/bad"
{ cat "$W"; printf 'more'; } >"$S/long.weights"
refused "weights: too long (eval)" 1 "long.weights" p eval "$D" "$S/ok.cfg" "$S/long.weights"
refused "weights: too long (report)" 1 "long.weights" p report "$S/ok.cfg" "$S/long.weights"
refused "weights: at max_batches already" 1 "-clear counts from 0" p train "$D" "$S/ok.cfg" "$W" -backup "$S/bad"
refused "weights: a folder" 1 "" p report "$S/ok.cfg" "$S"
cp "$W" "$S/flip.weights" && cp "$S/good/ok_final.prune" "$S/flip.prune" && printf x | dd of="$S/flip.prune" bs=1 seek=200 conv=notrunc 2>/dev/null
refused ".prune: damaged" 1 "damaged" p eval "$D" "$S/ok.cfg" "$S/flip.weights"

# ------------------------------------------------------------------------------------------------------- data
# bad_data <name> <text> <sed commands on the data file>
bad_data() {
    sed "$3" "$D" >"$S/bad.data"
    refused "data: $1" 1 "$2" p train "$S/bad.data" "$S/ok.cfg" -backup "$S/bad"
}
for key in classes train train_labels valid valid_labels; do bad_data "no $key" "$key" "/^$key=/d"; done
bad_data "unknown format" "format" 's/idx/png/'
bad_data "images missing" "nothere" 's/train-images/nothere/'
bad_data "labels in place of images" "train-labels" 's/train-images/train-labels/'
bad_data "images and labels of other counts" "labels" 's/train-labels/more-labels/' # more-labels does not exist: the fault names it
mnist_part 50 "$S/e"
bad_data "other counts" "50" "s#=$S/d/train-labels#=$S/e/train-labels#"
head -c 20000 "$S/d/train-images" >"$S/d/cut-images"
bad_data "images cut" "cut-images" 's/train-images/cut-images/'
{ cat "$S/d/train-images"; echo; } >"$S/d/long-images"
bad_data "images too long" "long-images" 's/train-images/long-images/'
head -c 1000 "$S/d/train-images.gz" >"$S/d/cut-images.gz"
bad_data "gzip cut" "cut-images.gz" 's/train-images/cut-images.gz/'
bad_data "label out of range" "label" 's/classes=10/classes=5/'
refused "data: missing" 1 "nothere.data" p train "$S/nothere.data" "$S/ok.cfg"

# ----------------------------------------------------------------------------------------------------- outputs
# nothing_left <folder>: no temporary file, and every weight file that is there is whole
nothing_left() { [ -z "$(find "$1" -name '*.tmp')" ] && [ -z "$(find "$1" -name '*.weights' ! -size "$(stat -c %s "$W")"c)" ]; }
refused "output: a folder that cannot be made" 1 "cannot make the folder" p train "$D" "$S/ok.cfg" -backup /proc/none/x
refused "output: a file in place of the folder" 1 "no folder" p train "$D" "$S/ok.cfg" -backup "$D"
mkdir -p "$S/small"
if mount -t tmpfs -o size=64k none "$S/small" 2>>"$LOG"; then
    p train "$D" "$S/ok.cfg" -backup "$S/small" >"$S/out" 2>"$S/err"
    check "output: full disk, status 1" test $? -eq 1
    check "output: full disk, a line that says so" grep -qi "no space left" "$S/err"
    check "output: full disk, nothing half-written" nothing_left "$S/small"
    umount "$S/small"
    mount -t tmpfs -o size=64k,ro none "$S/small" 2>>"$LOG"
    p train "$D" "$S/ok.cfg" -backup "$S/small" >"$S/out" 2>"$S/err"
    check "output: read-only folder, status 1" test $? -eq 1
    check "output: read-only folder, a line that says so" grep -qi "read-only" "$S/err"
    umount "$S/small"
else
    echo "ok - output: full disk # skip no permission to mount a tmpfs"
fi
refused "report: standard output full" 1 "No space left" sh -c "'$SANITIZED' prune report '$S/ok.cfg' '$W' >/dev/full"
refused "report: -svg into a missing folder" 1 "nothere" sh -c "'$SANITIZED' prune report '$S/ok.cfg' '$W' -svg '$S/nothere/x.svg' >/dev/null"
finish
