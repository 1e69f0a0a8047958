# The engine in Darknet's forward pass: every cfg of Debian's package at 0, 50, 90 and 99 % zeros (the largest at 0 and 90 %, unless ENGINE_ALL=1) against Darknet's own dense code, all layers to 1e-4 of their largest output; detections of yolov3; the same bits for
# every number of threads and instruction set; training, saving, loading and resizing after predictions; two networks at once; options, environment and `darknet prune bench`.
. tests/tap.sh
need_tree "$DARKNET" "$HOOKED/libdarknet.a" "$FIXES/darknet" "$REFERENCE/libdarknet.a" "$PRISTINE/cfg"
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
S=$SCRATCH cfgs=$(absolute "$PRISTINE")/cfg darknet=$(absolute "$DARKNET") fixes=$(absolute "$FIXES") hooked=$(absolute "$HOOKED") sanitized=$(absolute "$SANITIZED")
unset DARKNET_CPU DARKNET_THREADS DARKNET_SPARSE
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1
check "random_weights.c compiles" gcc -O2 -Wall -Werror -Wl,--wrap=rand_normal -I"$REFERENCE/include" tests/host/random_weights.c "$REFERENCE/libdarknet.a" -lm -pthread -o "$S/random_weights"
check "engine.c compiles" gcc -O2 -std=gnu11 -Wall -Wextra -Werror -Wl,--wrap=rand_normal -isystem "$HOOKED/include" -Iplugin tests/host/engine.c "$HOOKED/libdarknet.a" $LIBS -o "$S/engine"
cd "$REFERENCE" || exit 1               # where data/9k.tree is

# Width and height, or nothing where the cfg's stay.
size_of() {
    case $1 in
    cifar* | go* | jnet-conv | alexnet | rnn* | gru) ;;
    vgg-16 | strided | writing | yolov1*) echo 128 ;;
    *) echo 64 ;;
    esac
}
net_of() { # NAME FOLDER: cfg and random weights for one image
    local size
    size=$(size_of "$1")
    sed -e 's/\r$//' -e '/^ *batch *=/c batch=1' -e '/^ *subdivisions *=/c subdivisions=1' -e '/^ *time_steps *=/c time_steps=1' -e 's/^\(crop_[a-z]*\) *=.*/\1=96/' ${size:+-e "s/^ *\(width\|height\) *=.*/\1=$size/"} "$cfgs/$1.cfg" >"$2/net.cfg"
    "$S/random_weights" "$2/net.cfg" "$2/net.weights" 7 >>"$LOG" 2>&1
}
# close <file> <lines> <bound>: so many lines "<what> <difference> ...", each attached and within the bound
close() { awk -v n="$2" -v bound="$3" '{ lines++; if ($1 == "not-attached" || !($2 + 0 <= bound) || $2 !~ /^[0-9]/) bad = 1 } END { exit bad || lines != n }' "$1"; }

one() {
    local name=$1 f=$S/$1 few=
    mkdir "$f"
    LOG=$f/log
    check "$name: random weights" net_of "$name" "$f"
    case $name in
    resnet101 | resnet152 | resnext101* | resnext152* | densenet201 | yolo9000 | yolov1 | darknet53_448 | yolov3-openimages | yolov3-spp | yolov3-voc | vgg-conv) [ "${ENGINE_ALL:-0}" = 1 ] || few=few ;;
    esac
    DARKNET_THREADS=2 timeout 300 "$S/engine" outputs "$f/net.cfg" "$f/net.weights" "$f/sparse.weights" $few >"$f/differences" 2>>"$LOG"
    cat "$f/differences" >>"$LOG"
    check "$name: at ${few:+some of }0, 50, 90 (also in fours) and 99 % zeros the engine's layers are Darknet's to 1e-4" close "$f/differences" "$([ "$few" ] && echo 2 || echo 5)" 1e-4
    rm -f "$f"/*.weights
}
for path in $(ls -S "$cfgs"/*.cfg); do
    free_cores
    one "$(basename "$path" .cfg)" >"$S/$(basename "$path" .cfg).tap" 2>&1 &
done
gather
LOG=$ROOT/$BUILD/tests/$NAME.log

#### Detections
sed -e '/^ *batch *=/c batch=1' -e '/^ *subdivisions *=/c subdivisions=1' -e 's/^ *\(width\|height\) *=.*/\1=416/' "$cfgs/yolov3.cfg" >"$S/yolov3.cfg"
check "yolov3: random weights" "$S/random_weights" "$S/yolov3.cfg" "$S/yolov3.weights" 3
"$S/engine" boxes "$S/yolov3.cfg" "$S/yolov3.weights" "$PWD/data/dog.jpg" "$S/sparse.weights" >"$S/boxes" 2>>"$LOG"
cat "$S/boxes" >>"$LOG"
check "yolov3 on data/dog.jpg: boxes and probabilities are Darknet's" close "$S/boxes" 1 1e-4
check "yolov3 on data/dog.jpg: all of its places have boxes" awk '{ exit !($1 == (13 * 13 + 26 * 26 + 52 * 52) * 3) }' "$S/boxes"
rm -f "$S"/*.weights

#### A small network with all that the engine computes, 90 % pruned
conv() { printf '[convolutional]\nfilters=%s\nsize=%s\nstride=%s\npad=1\nactivation=%s\n%s\n\n' "$@"; }
{
    printf '[net]\nbatch=4\nsubdivisions=1\nheight=40\nwidth=40\nchannels=3\nlearning_rate=.01\nmomentum=.9\nmax_batches=100\n\n'
    conv 600 3 1 leaky batch_normalize=1
    printf '[maxpool]\nsize=2\nstride=2\n\n'
    conv 52 3 2 relu ''
    conv 52 1 1 logistic groups=2
    printf '[shortcut]\nfrom=-2\nactivation=leaky\n\n[upsample]\nstride=2\n\n[route]\nlayers=-1,-5\n\n'
    conv 28 5 3 linear batch_normalize=1
    printf '[reorg]\nstride=7\n\n'
    conv 2048 1 1 leaky ''
    printf '[avgpool]\n\n[connected]\noutput=130\nactivation=leaky\n\n[dropout]\nprobability=.5\n\n[connected]\noutput=10\nactivation=linear\n\n[softmax]\ngroups=1\n\n[cost]\ntype=sse\n'
} >"$S/net.cfg"
sed -i 's/^stride=7$/stride=1/' "$S/net.cfg"
check "random weights" "$S/random_weights" "$S/net.cfg" "$S/dense.weights" 5
check "90 % of the weights go" "$darknet" prune "$S/net.cfg" "$S/dense.weights" -sparsity .9 -out "$S/sparse"
W=$S/sparse.weights N=$S/net.cfg
check "they are packed" "$darknet" prune pack "$N" "$W" -out "$S/packed"

# bits <file> <weights> [<variables>]: the outputs' bits; prints how many layers the engine computed
bits() {
    local file=$1 weights=$2
    shift 2
    env "$@" "$S/engine" bits "$N" "$weights" 2>"$S/err" >"$file" && sed -n 's/^computed //p' "$S/err"
}
same_bits() { # WEIGHTS VARIABLES...: as with one thread and the best instruction set, and the engine took part
    local computed
    computed=$(bits "$S/other" "$@")
    echo "computed $computed"
    [ "$computed" -ge 14 ] && cmp "$S/one" "$S/other"
}
bits "$S/one" "$W" DARKNET_THREADS=1 >/dev/null
check "the outputs are numbers" sh -c "! grep -qi '^[7f]f[89a-f]' '$S/one' && [ \$(wc -l <'$S/one') -eq 10 ]"
for threads in 2 3 7; do check "the same bits with $threads threads" same_bits "$W" DARKNET_THREADS=$threads; done
check "the same bits with OMP_NUM_THREADS" same_bits "$W" OMP_NUM_THREADS=2
check "the same bits from packed weights" same_bits "$S/packed.pweights" DARKNET_THREADS=2
if grep -qw avx2 /proc/cpuinfo; then check "the same bits without AVX-512" same_bits "$W" DARKNET_CPU=-avx512; fi
off() { [ "$(bits "$S/other" "$@")" = 0 ]; }
check "DARKNET_SPARSE=0: Darknet's own code" off "$W" DARKNET_SPARSE=0
check "no instruction set: Darknet's own code" off "$W" DARKNET_CPU=-avx512,-avx2,-neon
check "not pruned: Darknet's own code" off "$S/dense.weights" DARKNET_THREADS=1
on() { [ "$(bits "$S/other" "$@")" -ge 14 ]; }
check "DARKNET_SPARSE=2: a note" sh -c "DARKNET_SPARSE=2 '$S/engine' bits '$N' '$W' 2>&1 >/dev/null | grep -q 'DARKNET_SPARSE=2 is neither 0 nor 1'"
check "not pruned, DARKNET_SPARSE=1: the engine" on "$S/dense.weights" DARKNET_SPARSE=1

#### What comes after a prediction
for words in "" "predict"; do
    # shellcheck disable=SC2086
    check "trains${words:+ after a prediction}" "$S/engine" train "$N" "$W" "$S/trained${words:+-after}" $words
done
check "a prediction changes nothing about training" cmp "$S/trained" "$S/trained-after"
check "saves after a prediction" "$S/engine" save "$N" "$W" "$S/saved"
check "the saved weights are those that were loaded" sh -c "tail -c +21 '$W' >'$S/a'; tail -c +21 '$S/saved' >'$S/b'; cmp '$S/a' '$S/b'"
yolo=$S/tiny.cfg
sed -e '/^ *batch *=/c batch=1' -e '/^ *subdivisions *=/c subdivisions=1' -e 's/^ *\(width\|height\) *=.*/\1=96/' "$cfgs/yolov3-tiny.cfg" >"$yolo"
check "yolov3-tiny: random weights" "$S/random_weights" "$yolo" "$S/tiny.weights" 3
check "yolov3-tiny: pruned" "$darknet" prune "$yolo" "$S/tiny.weights" -sparsity .9 -out "$S/tiny-pruned"
"$S/engine" resize "$yolo" "$S/tiny-pruned.weights" 160 >"$S/resized" 2>>"$LOG"
check "a network that is resized is planned anew" close "$S/resized" 1 1e-4
"$S/engine" batch "$N" "$W" 4 >"$S/batch" 2>>"$LOG"
cat "$S/batch" >>"$LOG"
check "four images at once, weights loaded again, the engine switched off by the last load" sh -c "grep -q '^batch ' '$S/batch'"
check "four images at once: Darknet's outputs" close "$S/batch" 1 1e-4
check "two networks in two threads at once" env DARKNET_THREADS=2 "$S/engine" both "$N" "$W"

#### Darknet's own commands
printf 'classes=10\nlabels=%s/labels\nnames=%s/labels\ntop=3\nvalid=%s/valid\n' "$S" "$S" "$S" >"$S/set.data"
printf 'c%s\n' 0 1 2 3 4 5 6 7 8 9 >"$S/labels"
sed 's/^batch=4/batch=1/' "$N" >"$S/one.cfg"
check "classifier predict" sh -c "'$darknet' classifier predict '$S/set.data' '$S/one.cfg' '$W' data/dog.jpg >'$S/with' 2>>'$LOG' && grep -q '%' '$S/with'"
check "classifier predict -nosparse -threads 1" sh -c "'$darknet' classifier predict '$S/set.data' '$S/one.cfg' '$W' data/dog.jpg -nosparse -threads 1 >'$S/without' 2>>'$LOG'"
check "the same classes" sh -c "grep '%' '$S/with' | sed 's/:.*//' >'$S/a'; grep '%' '$S/without' | sed 's/:.*//' >'$S/b'; [ -s '$S/a' ] && cmp '$S/a' '$S/b'"
refused "-threads without a number" 2 "-threads" "$darknet" classifier predict "$S/set.data" "$S/one.cfg" "$W" data/dog.jpg -threads
refused "-threads 0" 2 "-threads 0: must be a whole number from 1 to 1024" "$darknet" classifier predict "$S/set.data" "$S/one.cfg" "$W" data/dog.jpg -threads 0

#### darknet prune bench
B=("$darknet" prune bench "$S/one.cfg" "$W" -repeat 1)
check "bench: a table" sh -c "'$darknet' prune bench '$S/one.cfg' '$W' -repeat 1 -threads 2 >'$S/table' 2>>'$LOG'"
check "bench: every layer has its reason" awk 'NR > 1 && NF < 5 { bad = 1 } /zeros/ { zeros++ } END { exit bad || NR != 18 || zeros != 7 }' "$S/table"
check "bench: JSON" sh -c "'$darknet' prune bench '$S/one.cfg' '$W' -repeat 1 -json 2>>'$LOG' | jq -e '(.layers | length) == 16 and .engine_ms > 0 and .darknet_ms > 0 and (.layers | all(.engine_ms >= 0 and .why != \"\"))'"
check "bench: plans are saved" "${B[@]}" -save -threads 2
check "bench: and are lines of numbers" awk 'NR == 1 && !/^darknet-prune plans 1 [a-z0-9]* 2$/ { bad = 1 } NR > 1 && (NF != 19 || $1 != "conv") { bad = 1 } END { exit bad || NR < 5 }' "$W.plan"
check "saved plans give the same bits" same_bits "$W" DARKNET_THREADS=2
check "plans for another number of threads are passed over" same_bits "$W" DARKNET_THREADS=3
cp "$W.plan" "$S/good.plan"
for damage in '2s/weight\|block4/frob/' '2s/^conv [0-9]*/conv -1/' '3s/ [0-9]* [0-9.]*$/ 9 .1/' '$s/.*/conv/' '$s/$/ 1 2 3/' '2s/\(\(weight\|block4\) [0-9]*\) [0-9]*/\1 99/'; do
    sed "$damage" "$S/good.plan" >"$W.plan"
    cmp -s "$W.plan" "$S/good.plan" && { not_ok "plan: $damage changes it"; continue; }
    refused "a plan damaged by $damage" 1 "$W.plan: this is no plan for these kernels" env DARKNET_THREADS=2 "$S/engine" bits "$N" "$W"
done
rm -f "$W.plan"
refused "bench: without weights" 2 "bench needs <cfg> <weights>" "$darknet" prune bench "$N"
refused "bench: an unknown option" 2 "unknown option -frob" "$darknet" prune bench "$N" "$W" -frob
refused "bench: -repeat 0" 2 "-repeat 0" "$darknet" prune bench "$N" "$W" -repeat 0
refused "bench: weights that are too short" 1 "$S/short" sh -c "head -c 5000 '$W' >'$S/short'; exec '$darknet' prune bench '$N' '$S/short'"
refused "bench: no such cfg" 1 "$S/none.cfg" "$darknet" prune bench "$S/none.cfg" "$W"
refused "bench: a machine without the instruction sets" 1 "none of the engine's instruction sets" env DARKNET_CPU=-avx512,-avx2,-neon "$darknet" prune bench "$N" "$W"
check "bench under the sanitizers" sh -c "cd '$S' && DARKNET_THREADS=2 '$sanitized' prune bench '$S/one.cfg' '$W' -repeat 1 >'$S/table' 2>'$S/err' && ! grep -q 'Sanitizer\|runtime error' '$S/err'"
finish
