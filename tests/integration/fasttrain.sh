# Training by the fast path, and by Darknet's own, against double precision (tests/host/fasttrain.c): networks of every kind of layer, forward, all gradients and the update to 1e-4; dense,
# with masks at 5, 30 and 100 % density, through the steps of a schedule; 1, 2 and 3 threads; with and without AVX-512; predictions, other batches, sizes and weights between iterations; the same
# bits when repeated, resumed, and where it is off; how many layers the fast path, and the sparse one, compute. And whether the comparison sees mistakes.
. tests/tap.sh
case " $LIBS " in
*' -ldnnl '*) ;;
*)
    echo "ok - fast training # skip built without oneDNN"
    finish
    ;;
esac
need_tree "$HOOKED/libdarknet.a" "$BUILD/sanitized/libdarknet.a"
S=$SCRATCH
unset DARKNET_CPU DARKNET_THREADS DARKNET_SPARSE DARKNET_FASTTRAIN
compile() { # TREE OUTPUT FLAGS...
    local tree=$1 output=$2
    shift 2
    gcc -std=c11 -D_GNU_SOURCE -ffp-contract=off -Wall -Wextra -Werror -Wl,--wrap=prune_mask_step,--wrap=prune_sparse_conv_crossover,--wrap=prune_sparse_conv_forward,--wrap=prune_trained_forward "$@" -isystem "$tree/include" -Iplugin tests/host/fasttrain.c "$tree/libdarknet.a" $LIBS -o "$output"
}
check "fasttrain.c compiles" compile "$HOOKED" "$S/fasttrain" -O3
check "fasttrain.c compiles with sanitizers" compile "$BUILD/sanitized" "$S/sanitized" -O1 -g -fsanitize=address,undefined

#### Networks
net() { printf '[net]\nbatch=%s\nsubdivisions=%s\nheight=%s\nwidth=%s\nchannels=%s\nlearning_rate=.05\nmomentum=.9\ndecay=.01\nmax_batches=100\n\n' "$@"; }
conv() { printf '[convolutional]\nfilters=%s\nsize=%s\nstride=%s\npad=1\nactivation=%s\n%b\n\n' "$1" "$2" "$3" "$4" "${5:-}"; }
connected() { printf '[connected]\noutput=%s\nactivation=%s\n%b\n\n' "$1" "$2" "${3:-}"; }
maxpool() { printf '[maxpool]\nsize=%s\nstride=%s\n%b\n\n' "$1" "$2" "${3:-}"; }
shortcut() { printf '[shortcut]\nfrom=%s\nactivation=%s\n%b\n\n' "$1" "$2" "${3:-}"; }
activation() { printf '[activation]\nactivation=%s\n\n' "$1"; }
dropout() { printf '[dropout]\nprobability=%s\n\n' "$1"; }
avgpool() { printf '[avgpool]\n\n'; }
softmax() { printf '[softmax]\n%b\n\n' "${1:-}"; }
cost() { printf '[cost]\ntype=sse\n%b\n\n' "${1:-}"; }
normal=batch_normalize=1
network() {
    case $1 in
    biases) net 3 1 9 9 3 && conv 5 3 1 relu && conv 7 5 1 leaky && conv 3 3 1 logistic && cost ;;
    batchnorm) net 4 1 8 8 3 && conv 20 3 1 leaky $normal && conv 3 1 1 relu $normal && conv 16 3 1 logistic $normal && connected 10 linear && softmax ;;
    strides) net 3 1 15 13 3 && conv 5 7 2 relu $normal && conv 6 3 2 leaky && conv 20 1 2 relu && connected 7 linear && softmax ;;
    unpadded) net 4 1 11 11 5 && conv 12 3 1 relu pad=0 && conv 9 5 2 leaky "pad=0\n$normal" && conv 8 3 1 relu padding=2 && avgpool && softmax ;;
    groups) net 4 1 8 8 4 && conv 12 3 1 relu && conv 20 3 1 leaky "groups=4\n$normal" && conv 8 3 2 relu groups=2 && conv 6 1 1 relu groups=2 && connected 5 linear && softmax ;;
    grouped) net 16 1 8 8 4 && conv 12 3 1 relu && conv 20 3 1 leaky "groups=4\n$normal" && conv 8 3 2 relu groups=2 && conv 6 1 1 relu groups=2 && connected 5 linear && softmax ;;
    one-image) net 1 1 12 12 3 && conv 16 3 1 relu $normal && maxpool 2 2 && conv 20 3 1 leaky && connected 10 linear && softmax ;;
    pools) net 4 1 18 18 3 && conv 8 3 1 relu && maxpool 2 2 && conv 6 3 1 relu && maxpool 3 2 && conv 5 3 1 relu && maxpool 2 1 && maxpool 3 3 padding=0 && conv 20 1 1 leaky && maxpool 2 2 padding=0 && connected 10 linear && softmax ;;
    lenet) net 5 1 16 16 1 && conv 20 5 1 relu && maxpool 2 2 && conv 50 5 1 relu && maxpool 2 2 && connected 50 relu && connected 10 linear && softmax ;;
    vgg) net 16 1 8 8 3 && conv 16 3 1 relu $normal && conv 16 3 1 relu $normal && maxpool 2 2 && conv 24 3 1 relu $normal && conv 24 3 1 relu $normal && maxpool 2 2 && connected 32 relu $normal && connected 10 linear && softmax ;;
    mobilenet) net 16 1 16 16 3 && conv 20 3 2 relu $normal && conv 20 3 1 relu "groups=20\n$normal" && conv 50 1 1 relu $normal && conv 50 3 2 relu "groups=50\n$normal" && conv 24 1 1 relu $normal && avgpool && connected 10 linear && softmax ;;
    resnet) net 6 1 8 8 3 && conv 16 3 1 relu $normal && conv 16 3 1 relu $normal && conv 16 3 1 linear $normal && shortcut -3 relu && conv 8 1 1 leaky $normal && conv 16 3 1 linear $normal && shortcut -3 leaky "alpha=.7\nbeta=1.3" && conv 20 3 2 linear $normal && shortcut -1 linear && avgpool && connected 10 linear && softmax ;;
    yolo) net 3 1 16 16 3 && conv 8 3 1 leaky $normal && conv 16 3 2 leaky $normal && conv 8 1 1 leaky $normal && conv 16 3 1 leaky $normal && shortcut -3 linear && conv 20 3 2 leaky $normal && conv 8 1 1 leaky $normal && printf '[upsample]\nstride=2\nscale=.8\n\n[route]\nlayers=-1,-4\n\n' && conv 12 3 1 leaky $normal && conv 5 1 1 linear && activation logistic && cost ;;
    resized) net 3 1 16 16 3 && conv 8 3 1 relu $normal && maxpool 2 2 && conv 16 3 1 leaky && conv 16 1 1 linear $normal && shortcut -2 leaky && conv 12 3 2 leaky $normal && printf '[upsample]\nstride=2\n\n[route]\nlayers=-1,-3\n\n' && conv 5 3 1 logistic && cost ;;
    swapped) net 3 1 24 16 3 && conv 8 3 1 relu $normal && maxpool 2 2 && conv 16 3 1 leaky && conv 16 1 1 linear $normal && shortcut -2 leaky && conv 12 3 1 tanh $normal && conv 12 3 2 leaky $normal && printf '[upsample]\nstride=2\n\n[route]\nlayers=-1,-3\n\n' && maxpool 2 2 && conv 8 3 1 elu && conv 5 3 1 logistic && cost ;;
    apart) net 3 1 24 16 3 && conv 8 3 1 relu && conv 8 3 1 tanh $normal && maxpool 2 2 && conv 8 3 1 elu $normal && conv 5 3 1 logistic && cost ;; # all arrays stay where they are when it is resized
    winograd) net 16 1 16 16 3 && conv 32 1 1 leaky && conv 32 3 1 leaky $normal && conv 64 1 1 leaky && conv 64 3 1 relu $normal && avgpool && connected 10 linear && softmax ;;
    dropout) net 4 1 8 8 3 && conv 8 3 1 leaky && dropout .3 && conv 8 3 1 logistic && dropout .2 && conv 8 3 1 linear && shortcut -5 leaky && conv 8 3 1 linear && shortcut -4 relu && maxpool 2 2 && dropout .3 && conv 8 3 1 linear && activation leaky && dropout .3 && connected 20 leaky && dropout .5 && connected 10 linear && softmax ;;
    connected) net 20 1 1 1 30 && connected 20 relu && connected 50 leaky $normal && connected 17 logistic && connected 3 linear && cost ;;
    connected-small) net 3 1 5 1 1 && connected 5 leaky && connected 3 relu && connected 2 linear && softmax ;;
    activations) net 4 1 7 7 3 && conv 8 3 1 linear && activation leaky && conv 6 3 1 linear $normal && activation relu && conv 20 3 1 linear && activation logistic && connected 12 linear && softmax "groups=3\ntemperature=2" && cost scale=.5 ;;
    unknown) net 4 1 8 8 3 && conv 8 3 1 leaky && conv 16 3 1 elu $normal && conv 6 3 1 tanh && conv 6 1 1 relu && activation elu && connected 20 tanh && connected 10 linear && softmax ;;
    lost-gradient) net 4 1 8 8 3 && conv 8 3 1 linear && activation leaky && conv 8 3 1 linear && shortcut -3 leaky && connected 5 linear && softmax ;;
    subdivisions) net 40 2 6 6 3 && conv 16 3 1 relu $normal && conv 16 3 1 leaky && avgpool && connected 20 relu && connected 10 linear && softmax ;;
    esac
}
names="biases batchnorm strides unpadded groups one-image pools lenet vgg mobilenet resnet yolo resized connected connected-small activations unknown lost-gradient subdivisions dropout grouped"
for name in $names swapped apart winograd; do network "$name" >"$S/$name.cfg"; done

#### Comparisons
# computed <cfg>: how many layers the fast path computes, how many of them have weights, and how many of those are grouped. Darknet's own code computes the others: kinds and activations that
# the fast path doesn't know; logistic functions, and shortcuts from layers, that [dropout] follows.
computed() {
    awk -F= '
        /^\[/ { kind[++n] = $1 }
        $1 == "activation" { activation[n] = $2 }
        $1 == "groups" { groups[n] = $2 }
        $1 == "from" { from[n] = $2 }
        END {
            for (i = 1; i <= n; i++) {
                if (kind[i] !~ /^\[(convolutional|connected|maxpool|avgpool|activation|shortcut|softmax)\]$/ || activation[i] ~ /^(elu|tanh)$/) continue
                if ((activation[i] == "logistic" && kind[i + 1] == "[dropout]") || (kind[i] == "[shortcut]" && kind[i + from[i] + 1] == "[dropout]")) continue
                fast++
                weighted += kind[i] ~ /^\[con/
                grouped += kind[i] == "[convolutional]" && groups[i] > 1
            }
            print fast + 0, weighted + 0, grouped + 0
        }' "$1"
}
# close <file> <cfg> <fast> <mode> <words>: all layers are there, loss and outputs within 1e-4; away from kinks and ties, so that this means something; computed by Darknet's own functions (0), or
# all that can be by the fast path (1), in every iteration; and sparsely all that have masks where this is forced, none without masks but grouped convolutions that oneDNN is slow at
close() {
    local file=$1 cfg=$2 fast=$3 mode=$4 layers weighted grouped fewest=0 most
    read -r layers weighted grouped < <(computed "$cfg")
    shift 4
    most=$weighted
    case "$mode $*" in
    masked*' sparse=2'*) fewest=$weighted ;;
    check*) most=$grouped ;;
    esac
    [ "$fast" = 1 ] || layers=0 fewest=0 most=0
    awk -v layers="$(grep -c '^\[conv\|^\[connected' "$cfg")" -v hooked="$fast" -v fast="$layers" -v fewest="$fewest" -v most="$most" '
        $1 == "distance" { distances += $3 == "inf" || $3 >= ($2 == "kink" ? 1e-4 : 1e-5); next }
        $1 == "others" { counts++; if (hooked ? $2 != layers : $2 != 0) bad = 1; next }
        $1 == "fast" { counts++; if ($2 != fast || $3 != fast) bad = 1; next }
        $1 == "sparse" { counts++; if ($2 < fewest || $3 > most) bad = 1; next }
        NF != 4 || $3 !~ /^[0-9]/ || $3 > 1e-4 { bad = 1 }
        $1 ~ /^[0-9]+$/ { found++ }
        $1 == "loss" || $1 == "output" { ends++ }
        END { exit bad || found != layers || ends != 2 || distances != 2 || counts != 3 }' "$file"
}
# computes <name> <cfg> <fast> <variables> -- <mode> <words>: runs it on the cfg and looks at what it prints, which stays in <cfg>.out
computes() {
    local label=$1 cfg=$2 fast=$3 variables=() mode
    shift 3
    while [ "$1" != -- ]; do
        variables+=("$1")
        shift
    done
    mode=$2
    shift 2
    env "${variables[@]}" "$S/fasttrain" "$mode" "$cfg" "$@" >"$cfg.out" 2>>"$LOG"
    echo "== $label" >>"$LOG"
    cat "$cfg.out" >>"$LOG"
    check "$label" close "$cfg.out" "$cfg" "$fast" "$mode" "$@"
}

one() {
    local name=$1 f=$S/$1.d/net.cfg threads density
    mkdir "$S/$name.d"
    LOG=$S/$name/log
    mkdir "$S/$name"
    cp "$S/$name.cfg" "$f"
    computes "$name: Darknet's own path" "$f" 0 DARKNET_FASTTRAIN=0 -- check 4
    computes "$name: Darknet's own path, density .3" "$f" 0 DARKNET_FASTTRAIN=0 -- masked .3 4
    for threads in 1 2 3; do computes "$name: fast, $threads threads" "$f" 1 DARKNET_FASTTRAIN=1 DARKNET_THREADS=$threads -- check 4; done
    [ "$name" = grouped ] && cp "$f.out" "$S/replaced"
    for density in .05 .3 1; do
        computes "$name: fast, density $density" "$f" 1 DARKNET_FASTTRAIN=1 DARKNET_THREADS=2 -- masked $density 4
        for threads in 1 2 3; do computes "$name: sparse, density $density, $threads threads" "$f" 1 DARKNET_FASTTRAIN=1 DARKNET_THREADS=$threads -- masked $density 4 sparse=2; done
    done
    computes "$name: some sparse, predictions between" "$f" 1 DARKNET_FASTTRAIN=1 DARKNET_THREADS=2 -- masked .3 4 sparse=.3 predict
    computes "$name: fast, predictions between" "$f" 1 DARKNET_FASTTRAIN=1 DARKNET_THREADS=2 -- check 3 predict
    computes "$name: fast, sparse, predictions between" "$f" 1 DARKNET_FASTTRAIN=1 DARKNET_THREADS=3 -- masked .1 3 predict sparse=2
    grep -qw avx2 /proc/cpuinfo || return
    computes "$name: fast, without AVX-512" "$f" 1 DARKNET_FASTTRAIN=1 DARKNET_THREADS=2 DARKNET_CPU=-avx512 -- check 3
    computes "$name: sparse, without AVX-512" "$f" 1 DARKNET_FASTTRAIN=1 DARKNET_THREADS=3 DARKNET_CPU=-avx512 -- masked .1 3 sparse=2
}
# Convolutions that oneDNN computes by Winograd's algorithm; where layers have masks but are not sparse enough, too.
large() {
    local f=$S/winograd.d/net.cfg threads
    mkdir "$S/winograd" "$S/winograd.d"
    LOG=$S/winograd/log
    cp "$S/winograd.cfg" "$f"
    for threads in 1 2; do
        computes "winograd: fast, $threads threads" "$f" 1 DARKNET_FASTTRAIN=1 DARKNET_THREADS=$threads -- check 2
        computes "winograd: density .3, $threads threads" "$f" 1 DARKNET_FASTTRAIN=1 DARKNET_THREADS=$threads -- masked .3 1 sparse=.1
        computes "winograd: sparse, density .1, $threads threads" "$f" 1 DARKNET_FASTTRAIN=1 DARKNET_THREADS=$threads -- masked .1 1 sparse=2
        ! grep -qw avx512bw /proc/cpuinfo || check "winograd: oneDNN takes it, $threads threads" winograd $threads
    done
}
winograd() { # both layers, all three passes
    DNNL_VERBOSE=1 ONEDNN_VERBOSE=1 DARKNET_FASTTRAIN=1 "$S/fasttrain" same "$S/winograd.cfg" 1 "$1" >"$S/winograd.verbose" 2>>"$LOG"
    awk -F, '/convolution,[a-z0-9_:]*wino/ { for (i = 1; i < NF; i++) if ($i ~ /^(forward|backward_)/) seen[$i " " $(NF - 1)] } END { for (i in seen) { print i; n++ } exit n != 6 }' "$S/winograd.verbose"
}
free_cores
large >"$S/winograd.tap" 2>&1 &
for name in $names; do
    free_cores
    one "$name" >"$S/$name.tap" 2>&1 &
done
gather
LOG=$ROOT/$BUILD/tests/$NAME.log
check "grouped: our kernels replace oneDNN's slow ones" awk '$1 == "sparse" { seen = $2 > 0 } END { exit !seen }' "$S/replaced"

#### What a comparison must see
sees() { # MISTAKE ARRAY CFG FAST: errors above 1e-3, in that array
    DARKNET_FASTTRAIN=$4 "$S/fasttrain" check "$3" 2 "wrong=$1" >"$S/out" 2>>"$LOG"
    cat "$S/out" >>"$LOG"
    awk -v array="$2" '$3 > 1e-3 && $4 == array { seen = 1 } END { exit !seen }' "$S/out" && ! close "$S/out" "$3" "$4" check
}
for fast in 0 1; do
    check "a wrong decay is seen (DARKNET_FASTTRAIN=$fast)" sees decay weight_updates "$S/vgg.cfg" $fast
    check "a wrong momentum is seen (DARKNET_FASTTRAIN=$fast)" sees momentum bias_updates "$S/lenet.cfg" $fast
    check "a wrong gradient of one input is seen (DARKNET_FASTTRAIN=$fast)" sees delta weight_updates "$S/resnet.cfg" $fast
    check "a wrong variance is seen (DARKNET_FASTTRAIN=$fast)" sees variance bias_updates "$S/batchnorm.cfg" $fast
done

#### Between iterations
for fast in 0 1; do
    V=("DARKNET_FASTTRAIN=$fast" DARKNET_THREADS=2)
    computes "batches of 16 and 5 in turn (DARKNET_FASTTRAIN=$fast)" "$S/vgg.cfg" $fast "${V[@]}" -- check 5 batch=5
    computes "groups: batches of 16 and 5 in turn (DARKNET_FASTTRAIN=$fast)" "$S/grouped.cfg" $fast "${V[@]}" -- check 4 batch=5
    computes "batches of 16 and 3 in turn, density .1 (DARKNET_FASTTRAIN=$fast)" "$S/mobilenet.cfg" $fast "${V[@]}" -- masked .1 5 batch=3 sparse=2
    computes "batches of 16 and 1, predictions between (DARKNET_FASTTRAIN=$fast)" "$S/lenet.cfg" $fast "${V[@]}" -- check 4 batch=1 predict
    computes "sizes 16 and 24 in turn (DARKNET_FASTTRAIN=$fast)" "$S/resized.cfg" $fast "${V[@]}" -- check 5 resize=24
    computes "sizes 16 and 8 in turn, density .1, predictions between (DARKNET_FASTTRAIN=$fast)" "$S/resized.cfg" $fast "${V[@]}" -- masked .1 5 resize=8 predict sparse=.2
    computes "24 x 16 and 16 x 24 in turn (DARKNET_FASTTRAIN=$fast)" "$S/swapped.cfg" $fast "${V[@]}" -- check 4 resize=24x16
    computes "24 x 16 and 16 x 24 in turn, density .1, predictions between (DARKNET_FASTTRAIN=$fast)" "$S/swapped.cfg" $fast "${V[@]}" -- masked .1 4 resize=24x16 sparse=2 predict
    computes "24 x 16 and 16 x 24 in turn, layers apart (DARKNET_FASTTRAIN=$fast)" "$S/apart.cfg" $fast "${V[@]}" -- check 4 resize=24x16
    computes "weights changed in place between (DARKNET_FASTTRAIN=$fast)" "$S/vgg.cfg" $fast "${V[@]}" -- check 3 change
    computes "weights changed in place between, sparse (DARKNET_FASTTRAIN=$fast)" "$S/resnet.cfg" $fast "${V[@]}" -- masked .2 3 change sparse=2
    computes "weights loaded between (DARKNET_FASTTRAIN=$fast)" "$S/vgg.cfg" $fast "${V[@]}" -- check 5 reload="$S/between.weights"
    computes "weights loaded between, sparse (DARKNET_FASTTRAIN=$fast)" "$S/lenet.cfg" $fast "${V[@]}" -- masked .1 5 reload="$S/between.weights" sparse=2
done

#### Recovery rules: what they remember of pruned weights, and the gradients of all weights when a step chooses
for fast in 0 1; do
    V=("DARKNET_FASTTRAIN=$fast" DARKNET_THREADS=2)
    for rule in 1 2 3; do computes "rule $rule, masks that stay (DARKNET_FASTTRAIN=$fast)" "$S/groups.cfg" $fast "${V[@]}" -- masked .1 3 rule=$rule sparse=2; done
    for rule in none gradient restore shadow; do
        for name in lenet subdivisions; do
            sed "s/^max_batches=100/&\nprune_sparsity=.9\nprune_steps=4\nprune_end=8\nprune_rule=$rule/" "$S/$name.cfg" >"$S/stepped.cfg"
            computes "$name: four steps by rule $rule (DARKNET_FASTTRAIN=$fast)" "$S/stepped.cfg" $fast "${V[@]}" -- stepped 18 sparse=.5
            check "$name: and the steps saw all gradients (rule $rule, DARKNET_FASTTRAIN=$fast)" grep -q '^step gradients ' "$S/stepped.cfg.out"
        done
    done
done

#### Iterations that count anew after the last step, as with -clear: the schedule begins anew at once, on layers that are sparse, and steps need the gradients again. A sparse layer's memory for the rules
#### gradient and shadow rests after the last step: by these the same weights come back when there is no iteration between.
alike() { # FILE FILE: 99 lines of 100 are in both; rounding chooses between weights whose gradients are close
    local first second both
    first=$(wc -l <"$1") second=$(wc -l <"$2") both=$(comm -12 <(sort "$1") <(sort "$2") | wc -l)
    echo "$both of $first and $second"
    [ "$first" -gt 100 ] && [ $((both * 100)) -ge $((first * 99)) ] && [ $((both * 100)) -ge $((second * 99)) ]
}
for rule in gradient restore shadow; do
    rm -f "$S/came.0" "$S/came.1"
    at=8
    [ $rule = restore ] && at=11
    sed "s/^max_batches=100/&\nprune_sparsity=.9\nprune_steps=8\nprune_end=8\nprune_rule=$rule/" "$S/lenet.cfg" >"$S/cleared.cfg"
    for fast in 0 1; do
        computes "cleared, by rule $rule (DARKNET_FASTTRAIN=$fast)" "$S/cleared.cfg" $fast DARKNET_FASTTRAIN=$fast DARKNET_THREADS=2 -- stepped 16 clear=11 sparse=2
        check "cleared: and the steps saw all gradients (rule $rule, DARKNET_FASTTRAIN=$fast)" grep -q '^step gradients ' "$S/cleared.cfg.out"
        DARKNET_FASTTRAIN=$fast "$S/fasttrain" same "$S/cleared.cfg" 16 2 clear=$at sparse=2 list="$S/came.$fast" >>"$LOG" 2>&1
    done
    check "cleared: the weights come back that come back by Darknet's own path (rule $rule)" alike "$S/came.0" "$S/came.1"
done

#### The same bits
pruned() { sed "s/^max_batches=100/&\nprune_sparsity=.9\nprune_steps=3\nprune_end=6/" "$S/$1.cfg"; }
pruned vgg >"$S/pruned.cfg"
pruned subdivisions >"$S/halves.cfg"
# sum <cfg> <iterations> <threads> <words>: a line "<checksum> <layers with other functions than Darknet's> <layers that the fast path computes>"
sum() { "$S/fasttrain" same "$@" sparse=.5 2>>"$LOG" | awk '/^(sum|others|fast)/ { print $2 }' | paste -sd ' '; }
is() { echo "$1 is $2" && [ -n "$1" ] && [ "$1" = "$2" ]; }
for threads in 1 2 3; do
    for name in pruned halves mobilenet; do
        first=$(DARKNET_FASTTRAIN=1 sum "$S/$name.cfg" 9 $threads)
        check "$name, $threads threads: by the fast path" is "${first##* }" "$(computed "$S/$name.cfg" | cut -d ' ' -f 1)"
        check "$name, $threads threads: the same bits when repeated" is "$first" "$(DARKNET_FASTTRAIN=1 sum "$S/$name.cfg" 9 $threads)"
        check "$name, $threads threads: the same bits with predictions between" is "$first" "$(DARKNET_FASTTRAIN=1 sum "$S/$name.cfg" 9 $threads predict)"
        [ $name = mobilenet ] && continue       # momentum is saved with masks
        for at in 4 7; do
            DARKNET_FASTTRAIN=1 sum "$S/$name.cfg" $at $threads save="$S/at.weights" >/dev/null
            check "$name, $threads threads: the same bits when saved after $at iterations and resumed" is "$first" "$(DARKNET_FASTTRAIN=1 sum "$S/$name.cfg" 9 $threads load="$S/at.weights")"
            check "$name, $threads threads: and with predictions between" is "$first" "$(DARKNET_FASTTRAIN=1 sum "$S/$name.cfg" 9 $threads load="$S/at.weights" predict)"
        done
    done
done
off() { case $(DARKNET_FASTTRAIN=0 sum "$1" 5 2) in *' 0 0') true ;; *) false ;; esac }
for name in vgg pruned lenet yolo; do check "$name: DARKNET_FASTTRAIN=0 is Darknet's own path" off "$S/$name.cfg"; done
for name in vgg lenet mobilenet yolo connected; do
    check "$name: without pruning keys, the same bits as with DARKNET_FASTTRAIN=0" is "$(sum "$S/$name.cfg" 5 2)" "$(DARKNET_FASTTRAIN=0 sum "$S/$name.cfg" 5 2)"
done
for name in pruned halves; do
    check "$name: with pruning keys, the same bits as with DARKNET_FASTTRAIN=1" is "$(sum "$S/$name.cfg" 5 2)" "$(DARKNET_FASTTRAIN=1 sum "$S/$name.cfg" 5 2)"
done

#### Under the sanitizers
clean() { # MODE CFG WORDS...: within 1e-4, and no report
    local mode=$1 cfg=$2
    DARKNET_FASTTRAIN=1 DARKNET_THREADS=2 "$S/sanitized" "$@" >"$S/out" 2>"$S/err"
    cat "$S/out" "$S/err"
    shift 2
    close "$S/out" "$cfg" 1 "$mode" "$@" && ! grep -q 'Sanitizer\|runtime error' "$S/err"
}
for name in vgg mobilenet resnet yolo pools connected-small unknown; do
    check "$name: sanitizers" clean check "$S/$name.cfg" 2 predict
    check "$name: sanitizers, density .1" clean masked "$S/$name.cfg" .1 2 sparse=2
done
check "steps: sanitizers" clean stepped "$S/stepped.cfg" 18 sparse=.5
check "steps, cleared: sanitizers" clean stepped "$S/cleared.cfg" 16 clear=11 sparse=2
check "dropout: sanitizers" clean masked "$S/dropout.cfg" .3 2 sparse=2
check "width and height swapped: sanitizers" clean masked "$S/swapped.cfg" .1 4 resize=24x16 sparse=2
check "sizes: sanitizers" clean masked "$S/resized.cfg" .1 4 resize=24 sparse=2
check "batches: sanitizers" clean masked "$S/mobilenet.cfg" .1 4 batch=3 sparse=2
finish
