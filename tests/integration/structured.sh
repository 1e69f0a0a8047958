# All cfgs of Debian's package with random weights, filters pruned at 30 % and 70 %: the masked weights under the old cfg and the compact network give the same outputs to
# 1e-5 of the largest, in the patched and in the unpatched Darknet, and the compact file has exactly the bytes that its layers ask for. The images are smaller
# than the cfgs say, where no layer counts on their size, and eight of the largest are pruned at one of the two rates.
. tests/tap.sh
need_tree "$DARKNET" "$REFERENCE/libdarknet.a" "$HOOKED/libdarknet.a" "$PRISTINE/cfg"
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
S=$SCRATCH darknet=$(absolute "$DARKNET") cfgs=$(absolute "$PRISTINE")/cfg
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1     # most of the time goes into memory that is touched for the first time
check "random_weights.c compiles" gcc -O2 -Wall -Werror -Wl,--wrap=rand_normal -I"$REFERENCE/include" tests/host/random_weights.c "$REFERENCE/libdarknet.a" -lm -pthread -o "$S/random_weights"
check "same_outputs.c compiles, unpatched" gcc -O2 -Wall -Werror -Wl,--wrap=rand_normal -I"$REFERENCE/include" tests/host/same_outputs.c "$REFERENCE/libdarknet.a" -lm -pthread -o "$S/same_unpatched"
check "same_outputs.c compiles, patched" gcc -O2 -Wall -Werror -Wl,--wrap=rand_normal -I"$HOOKED/include" -Iplugin tests/host/same_outputs.c "$HOOKED/libdarknet.a" $LIBS -o "$S/same_patched"
cd "$REFERENCE" || exit 1               # where data/9k.tree is

# Width and height, or nothing where the cfg's stay; and at which rates.
size_of() {
    case $1 in
    cifar* | go* | jnet-conv | alexnet) ;;
    vgg-16 | strided | writing | yolov1*) echo 128 ;;
    *) echo 64 ;;
    esac
}
rates_of() {
    if [ "${STRUCTURED_ALL:-0}" = 1 ]; then
        echo 30 70
        return
    fi
    case $1 in
    resnet152 | resnext152* | yolov1 | darknet53_448) echo 30 ;;
    resnet101 | yolov3-openimages | yolov3-spp | yolo9000) echo 70 ;;
    *) echo 30 70 ;;
    esac
}

# one <name>: prints its lines
one() {
    local name=$1 size rate f=$S/$1
    size=$(size_of "$name")
    local at=${size:+ at $size x $size}
    mkdir "$f"
    LOG=$f/log
    sed -e 's/\r$//' -e '/^ *batch *=/c batch=1' -e '/^ *subdivisions *=/c subdivisions=1' -e 's/^\(crop_[a-z]*\) *=.*/\1=96/' ${size:+-e "s/^ *\(width\|height\) *=.*/\1=$size/"} "$cfgs/$name.cfg" >"$f/net.cfg"
    check "$name$at: random weights" "$S/random_weights" "$f/net.cfg" "$f/net.weights" 7
    for rate in $(rates_of "$name"); do
        check "$name$at: $rate % of the filters go" "$darknet" prune "$f/net.cfg" "$f/net.weights" -granularity filter -sparsity .$rate -round 1 -masked "$f/masked.weights" -out "$f/compact"
        check "$name$at: $rate %: the file is smaller" test "$(stat -c %s "$f/compact.weights")" -lt "$(stat -c %s "$f/net.weights")"
        for tree in patched unpatched; do
            check "$name$at: $rate %: the same outputs and the exact bytes, $tree" "$S/same_$tree" "$f/net.cfg" "$f/masked.weights" "$f/compact.cfg" "$f/compact.weights"
        done
        [ "$name $rate" = "yolov3-tiny 30" ] &&
            check "$name$at: $rate %: the outputs are not the unpruned ones" sh -c "'$S/same_patched' '$f/net.cfg' '$f/net.weights' '$f/compact.cfg' '$f/compact.weights' >'$f/out'; [ \$? -eq 1 ] && grep -q 'worst difference' '$f/out'"
        rm -f "$f"/masked.weights "$f"/compact.*
    done
    rm -f "$f/net.weights"
}

# Recurrent networks: there is nothing in them that could go.
recurrent() {
    local name=$1 f=$S/$1
    mkdir "$f"
    LOG=$f/log
    sed -e '/^ *batch *=/c batch=1' -e '/^ *time_steps *=/c time_steps=1' "$cfgs/$name.cfg" >"$f/net.cfg"
    check "$name: random weights" "$S/random_weights" "$f/net.cfg" "$f/net.weights" 7
    SCRATCH=$f
    refused "$name: it is said that nothing can be pruned" 1 "nothing in it that could be pruned" "$darknet" prune "$f/net.cfg" "$f/net.weights" -granularity filter -sparsity .3 -out "$f/compact"
    check "$name: and nothing is written" sh -c "[ ! -e '$f/compact.cfg' ] && [ ! -e '$f/compact.weights' ]"
}

# Two at a time, the largest first; each prints into a file of its own, so that lines and memory stay apart.
for path in $(ls -S "$cfgs"/*.cfg); do
    name=$(basename "$path" .cfg)
    free_cores
    case $name in
    gru | rnn | rnn.train) recurrent "$name" >"$S/$name.tap" 2>&1 & ;;
    *) one "$name" >"$S/$name.tap" 2>&1 & ;;
    esac
done
gather
finish
