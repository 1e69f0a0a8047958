# The commands of structured pruning: what they refuse, in one line and without an output; what they write; criteria that look at images, scan and the automatic
# limit; filters, channels, kernels and blocks of four that go while Darknet trains.
. tests/tap.sh
need_tree "$DARKNET" "$SANITIZED" "$REFERENCE/libdarknet.a" "$PRISTINE/cfg" "$MNIST"
S=$SCRATCH
p() { "$SANITIZED" prune "$@"; }        # what is quick, under the sanitizers
d() { "$DARKNET" prune "$@"; }
for program in random_weights same_outputs; do
    check "$program.c compiles" gcc -O2 -Wall -Werror -Wl,--wrap=rand_normal -I"$REFERENCE/include" tests/host/$program.c "$REFERENCE/libdarknet.a" -lm -pthread -o "$S/$program"
done
mnist_part 1000 "$S/d"
D=$S/d/mnist.data
big="$(printf 'a%.0s' $(seq 120))"
mkdir -p "$S/in" "$S/$big"

cat >"$S/in/n.cfg" <<'EOF'
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
EOF
N=$S/in/n.cfg W=$S/in/n.weights F="-granularity filter"
check "random weights" "$S/random_weights" "$N" "$W" 3
same() { "$S/same_outputs" "$@"; }      # in the unpatched Darknet, and the bytes of the second file
macs() { p report "$@" -json | jq .total.macs; }

# ------------------------------------------------------------------------------------------------------ wrong command lines
usage() { refused "status 2: $1" 2 "$2" p "${@:3}"; }
usage "no weights" "needs <cfg> <weights>" "$N"
usage "a word too many" "one word too many: x" "$N" "$W" x
usage "unknown option" "unknown option -frob" "$N" "$W" -frob 1
usage "unknown verb" "no verb frob" frob
usage "an option without its value" "-sparsity needs a value" "$N" "$W" -sparsity
usage "-out without a name" "-out needs a value" "$N" "$W" -out
usage "-masked without a name" "-masked needs a value" "$N" "$W" -masked
for option in sparsity:1 sparsity:-.1 sparsity:x macs:2 macs:x weights:-1 round:0 round:x seed:-1 images:0 images:x; do
    usage "-${option/:/ }" "-${option%:*}" "$N" "$W" -granularity filter "-${option%:*}" "${option#*:}"
done
usage "unknown criterion" "must be magnitude | l1" "$N" "$W" -granularity filter -criterion frob
usage "unknown scope" "must be layer | global" "$N" "$W" -granularity filter -scope frob
usage "unknown granularity" "must be weight | kernel | block4 | filter | channel" "$N" "$W" -granularity frob
usage "-limit that is not auto" "must be auto" "$N" "$W" -limit .5
usage "-limit without a value" "must be auto" "$N" "$W" -limit
usage "-limit auto without -data" "-data" "$N" "$W" -limit auto
usage "-drop without -limit auto" "-limit auto" "$N" "$W" -drop 1
usage "-limit auto and a budget" "-limit auto finds the budget, and -sparsity gives one" "$N" "$W" -limit auto -data "$D" -sparsity .5
usage "-groups and -json" "-groups is a table" report "$N" -groups -json
usage "-drop 101" "0 to 100" "$N" "$W" -limit auto -data "$D" -drop 101
for criterion in apoz entropy taylor; do usage "criterion $criterion without -data" "-data" "$N" "$W" -granularity filter -criterion $criterion; done
usage "compact: no weights" "compact needs <cfg> <weights>" compact "$N"
usage "compact: an option that is not its own" "unknown option -sparsity" compact "$N" "$W" -sparsity .5
usage "compact: a word too many" "one word too many" compact "$N" "$W" x
usage "scan: too few words" "scan needs <data> <cfg> <weights>" scan "$D" "$N"
usage "scan: unknown option" "unknown option -frob" scan "$D" "$N" "$W" -frob
usage "scan: a drop that is none" "-drop" scan "$D" "$N" "$W" -drop x
usage "report -groups of too much" "one word too many" report "$N" "$W" "$N" -groups
check "wrong command lines write nothing" test "$(ls "$S/in" | tr '\n' ' ')" = "n.cfg n.weights "

# ---------------------------------------------------------------------------------------------------------------- bad input
# bad <name> <text> <cfg> <weights> [<options>]: status 1, one line, and no new file
bad() {
    local name=$1 text=$2
    rm -rf "$S/made" && mkdir "$S/made"
    shift 2
    SCRATCH=$S/said
    refused "status 1: $name" 1 "$text" p "$@" -out "$S/made/z" -masked "$S/made/masked"
    SCRATCH=$S
    [ -z "$(ls "$S/made")" ] || { ls "$S/made" >>"$LOG"; not_ok "no output: $name"; }
}
mkdir "$S/said"
bytes=$(stat -c %s "$W")
# shellcheck disable=SC2086 # $F is two words
{
    head -c 5000 "$W" >"$S/short.weights"
    bad "weights too short: bytes and layer" "layer 1 [convolutional] ends at 15796 bytes, the file has 5000 of $bytes" "$N" "$S/short.weights" $F
    head -c -4 "$W" >"$S/short.weights"
    bad "weights 4 bytes too short" "layer 3 [connected] ends at $bytes bytes, the file has $((bytes - 4))" "$N" "$S/short.weights" $F
    head -c 10 "$W" >"$S/short.weights"
    bad "weights without a header" "too short for the header" "$N" "$S/short.weights" $F
    { cat "$W"; printf more; } >"$S/long.weights"
    bad "weights 4 bytes too long" "layer 3 [connected] ends it at $bytes bytes, the file has $((bytes + 4))" "$N" "$S/long.weights" $F
    bad "weights missing" "none.weights" "$N" "$S/none.weights" $F
    bad "cfg missing" "none.cfg" "$S/none.cfg" "$W" $F
    bad "weights in place of the cfg" "no cfg" "$W" "$W" $F
    bad "an empty cfg" "no section" /dev/null "$W" $F
    bad "a folder for a cfg" "$S" "$S" "$W" $F
    bad "a folder for weights" "$S" "$N" "$S" $F
    refused "status 1: compact: weights too long" 1 "$((bytes + 4))" p compact "$N" "$S/long.weights" -out "$S/made/z"

    net='[net]\nwidth=8\nheight=8\nchannels=3\n' conv='[convolutional]\nfilters=4\n'
    # bad_cfg <name> <text> <sections> [<net>]
    bad_cfg() {
        # shellcheck disable=SC2059 # the format holds line ends
        printf "${4-$net}$3" >"$S/bad.cfg"
        bad "cfg: $1" "$2" "$S/bad.cfg" "$W" $F
    }
    bad_cfg "a route forwards" "layers=2 is layer 2" "${conv}[route]\nlayers=2\n${conv}[softmax]\n"
    bad_cfg "a route to itself" "layers=1 is layer 1" "${conv}[route]\nlayers=1\n[softmax]\n"
    bad_cfg "a route before the first layer" "is layer -8" "${conv}[route]\nlayers=-9\n[softmax]\n"
    bad_cfg "a route of nothing" "layer 1 [route]" "${conv}[route]\n[softmax]\n"
    bad_cfg "a shortcut forwards" "from=3 is layer 3" "${conv}[shortcut]\nfrom=3\n${conv}[softmax]\n"
    bad_cfg "a shortcut before the first layer" "from=-3" "${conv}[shortcut]\nfrom=-3\n[softmax]\n"
    bad_cfg "an index beyond all ints" "layer 1 [route]" "${conv}[route]\nlayers=99999999999999999999\n[softmax]\n"
    bad_cfg "groups that do not divide" "layer 0 [convolutional]" '[convolutional]\nfilters=4\ngroups=2\n[softmax]\n'
    bad_cfg "no filters" "filters=0" '[convolutional]\nfilters=0\n[softmax]\n'
    bad_cfg "filters below 0" "filters=-4" '[convolutional]\nfilters=-4\n[softmax]\n'
    bad_cfg "too many filters" "layer 0 [convolutional]" '[convolutional]\nfilters=999999999\n[softmax]\n'
    bad_cfg "a filter of a size beyond all memory" "layer 0 [convolutional]" '[convolutional]\nfilters=4\nsize=2000000000\n[softmax]\n'
    bad_cfg "no stride" "stride=0" '[convolutional]\nfilters=4\nstride=0\n[softmax]\n'
    bad_cfg "no width" "[net]" "${conv}[softmax]\n" '[net]\nwidth=0\nheight=8\nchannels=3\n'
    bad_cfg "a huge width" "[net]" "${conv}[softmax]\n" '[net]\nwidth=90000000\nheight=90000000\nchannels=3\n'
    bad_cfg "no [net]" "[net]" "${conv}[softmax]\n" ''
    bad_cfg "nothing but [net]" "bad.cfg" "" "$net"
    bad_cfg "a pruning key that is none" "prune_frob" "[convolutional]\nbatch_normalize=1\nfilters=16\nsize=5\nstride=2\npad=1\n[convolutional]\nfilters=24\nsize=3\nstride=2\npad=1\n[connected]\noutput=30\n[connected]\noutput=10\n[softmax]\n" '[net]\nwidth=28\nheight=28\nchannels=1\nprune_frob=1\n'

    bad "a budget of MACs that cannot be reached: the closest" "the closest is" "$N" "$W" $F -macs .001
    bad "a budget of weights that cannot be reached: the closest" "the closest is" "$N" "$W" $F -weights .001
    bad "MACs for weights one by one" "for granularity filter and channel" "$N" "$W" -macs .5
    bad "two budgets" "only one of them" "$N" "$W" $F -macs .5 -sparsity .5
    bad "scope lamp for filters" "must be layer or global" "$N" "$W" $F -scope lamp
    bad "scope erk for channels" "must be layer or global" "$N" "$W" -granularity channel -scope erk
    bad "criterion magnitude for filters" "l1 or l2" "$N" "$W" $F -criterion magnitude
    bad "criterion l1 for weights" "must be magnitude" "$N" "$W" -criterion l1
    bad "criterion fpgm for kernels" "must be magnitude, l1 or l2" "$N" "$W" -granularity kernel -criterion fpgm
    bad "MACs for blocks" "for granularity filter and channel, not block4" "$N" "$W" -granularity block4 -macs .5
    sed 's/activation=leaky/activation=mish/' "$N" >"$S/mish.cfg"
    for criterion in apoz entropy taylor; do
        bad "criterion $criterion on a network of AlexeyAB's: its layer" "mish.cfg:7: layer 0 [convolutional]" "$S/mish.cfg" "$W" $F -criterion $criterion -data "$D"
    done
    bad "a data file that is missing" "none.data" "$N" "$W" $F -criterion apoz -data "$S/none.data"
    sed 's/=28$/=32/' "$N" >"$S/n32.cfg"
    check "random weights for 32 x 32" "$S/random_weights" "$S/n32.cfg" "$S/n32.weights" 3
    bad "images of another size" "28" "$S/n32.cfg" "$S/n32.weights" $F -criterion apoz -data "$D"
    printf '[net]\ninputs=8\nbatch=1\n[connected]\noutput=4\n[softmax]\n' >"$S/pinned.cfg"
    check "random weights for a network of one layer" "$S/random_weights" "$S/pinned.cfg" "$S/pinned.weights" 3
    bad "nothing that could go" "nothing in it that could be pruned" "$S/pinned.cfg" "$S/pinned.weights" $F

    # Outputs that cannot be, or that would fall on something.
    refused "a folder that is not there" 1 "nothere" p "$N" "$W" $F -out "$S/nothere/z" -masked "$S/made/masked"
    refused "a folder that nobody can write to" 1 "/proc/z" p "$N" "$W" $F -out /proc/z
    refused "-masked into a folder that is not there" 1 "nothere" p "$N" "$W" $F -out "$S/made/z" -masked "$S/nothere/masked"
    refused "compact: a folder that is not there" 1 "nothere" p compact "$N" "$W" -out "$S/nothere/z"
    refused "an output that is the input" 1 "would be written over" p "$N" "$W" $F -out "$S/in/n"
    cp "$N" "$S/in/other.cfg"
    mkdir -p "$S/in/n2"
    refused "an output that is the input's weights" 1 "would be written over" p "$S/in/other.cfg" "$W" $F -out "$S/in/n"
    refused "the same, by another way" 1 "would be written over" p "$S/in/other.cfg" "$W" $F -out "$S/in/n2/../n"
    refused "compact: an output that is the input" 1 "would be written over" p compact "$N" "$W" -out "$S/in/n"
    refused "compact: an output that is the input's weights" 1 "would be written over" p compact "$S/in/other.cfg" "$W" -out "$S/in/n"
    refused "-masked that is the input" 1 "would be written over" p "$N" "$W" $F -out "$S/made/z" -masked "$W"
    refused "-masked that is the cfg" 1 "would be written over" p "$N" "$W" $F -out "$S/made/z" -masked "$N"
    refused "-masked that is the other output" 1 "would be written over" p "$N" "$W" $F -out "$S/made/z" -masked "$S/made/z.weights"
    refused "-masked that is the other output, written otherwise" 1 "would be written over" p "$N" "$W" $F -out "$S/made/z" -masked "$S/made/../made/z.weights"
    refused "-masked that is the new cfg" 1 "would be written over" p "$N" "$W" $F -out "$S/made/z" -masked "$S/made/z.cfg"
    check "none of this has written anything" test -z "$(ls "$S/made")"
    check "nor touched the input" test "$(stat -c %s "$W")" -eq "$bytes"
}
rm -rf "$S/made" "$S"/*.weights "$S"/*.cfg && mkdir "$S/made"

# ---------------------------------------------------------------------------------------------------------- what is written
header() { od -An -v -tu4 -N"$2" "$1" | tr -s ' \n' ' '; }
half="$F -sparsity .5"
# shellcheck disable=SC2086
{
    check "filters go" p "$N" "$W" $half -masked "$S/made/masked.weights"
    check "the names are those of the weights" test -s "$S/in/n_pruned.cfg" -a -s "$S/in/n_pruned.weights"
    check "the unpatched Darknet gives the masked outputs" same "$N" "$S/made/masked.weights" "$S/in/n_pruned.cfg" "$S/in/n_pruned.weights"
    check "seen is kept, the header is the input's" test "$(header "$W" 20)" = "$(header "$S/in/n_pruned.weights" 20)"
    check "and it is 12345" test "$(header "$S/in/n_pruned.weights" 20)" = " 0 2 0 12345 0 "
    check "-version1" p "$N" "$W" $half -out "$S/made/one" -version1
    check "-version1: the header has 16 bytes, 0.1.0 and seen in 32 bits" test "$(header "$S/made/one.weights" 16)" = " 0 1 0 12345 "
    check "-version1: the report tells the file's bytes" test "$(p "$N" "$W" $half -out "$S/made/one" -version1 2>>"$LOG" | sed -n 's/^file bytes.*-> *\([0-9,]*\) .*/\1/p' | tr -d ,)" -eq "$(stat -c %s "$S/made/one.weights")"
    check "-version1: what follows is the same" cmp <(tail -c +17 "$S/made/one.weights") <(tail -c +21 "$S/in/n_pruned.weights")
    check "-version1: the unpatched Darknet loads it" same "$N" "$S/made/masked.weights" "$S/made/one.cfg" "$S/made/one.weights"
    check "compact -version1" p compact "$N" "$S/made/masked.weights" -out "$S/made/two" -version1
    check "compact finds what was pruned" cmp "$S/made/one.cfg" "$S/made/two.cfg"
    check "compact -version1: the header has 16 bytes" test "$(header "$S/made/two.weights" 16)" = " 0 1 0 12345 "
    check "a second run gives the same bits" p "$N" "$W" $half -out "$S/made/again"
    check "yes, the same" cmp "$S/made/again.weights" "$S/in/n_pruned.weights"
    for criterion in l1 l2 gamma folded fpgm random; do
        check "criterion $criterion" p "$N" "$W" $half -criterion $criterion -round 1 -masked "$S/made/m-$criterion" -out "$S/made/$criterion"
        check "criterion $criterion: the masked outputs" same "$N" "$S/made/m-$criterion" "$S/made/$criterion.cfg" "$S/made/$criterion.weights"
    done
    check "criterion random with another seed" p "$N" "$W" $half -criterion random -round 1 -seed 2 -out "$S/made/random2"
    check "the criteria choose differently" test "$(md5sum "$S"/made/{l1,gamma,fpgm,random,random2}.weights | cut -c1-32 | sort -u | wc -l)" -eq 5
    check "channels go" p "$N" "$W" -granularity channel -sparsity .5 -masked "$S/made/m-channel" -out "$S/made/channel"
    check "channels: the masked outputs" same "$N" "$S/made/m-channel" "$S/made/channel.cfg" "$S/made/channel.weights"
    check "scope global" p "$N" "$W" $half -scope global -round 1 -masked "$S/made/m-global" -out "$S/made/global"
    check "scope global: the masked outputs" same "$N" "$S/made/m-global" "$S/made/global.cfg" "$S/made/global.weights"
    check "names of more than 100 characters" p "$N" "$W" $half -out "$S/$big/$big"
    check "names of more than 100 characters: they are there" test -s "$S/$big/$big.cfg" -a -s "$S/$big/$big.weights"
    cp "$N" "$S/$big/$big$big.cfg" && cp "$W" "$S/$big/$big.w" && p compact "$S/$big/$big$big.cfg" "$S/$big/$big.w" >>"$LOG" 2>&1
    check "weights whose name does not end in .weights" test -s "$S/$big/${big}.w_compact.weights"
}

# The text: comments, order and unknown keys stay, pruning keys go, blanks go, lines end in LF.
printf '# first\r\n[net]\r\n  batch = 1\n; second\nheight=28\nwidth= 28\nchannels=1\nprune_granularity=filter\nprune_sparsity = .5\nfrob=7\n\n[convolutional]\nactivation=relu\n# third\nfilters = 16 # why\nsize=3\nprune_sparsity=.5\nstride=2\npad=1\n\n[connected]\noutput=10\nprune=0\nactivation=linear\nnothing=to do\n\n[softmax]\n' >"$S/in/text.cfg"
printf '# first\n[net]\nbatch=1\n; second\nheight=28\nwidth=28\nchannels=1\nfrob=7\n\n[convolutional]\nactivation=relu\n# third\nfilters=8 # why\nsize=3\nstride=2\npad=1\n\n[connected]\noutput=10\nactivation=linear\nnothing=todo\n\n[softmax]\n' >"$S/in/wanted.cfg"
check "random weights for a cfg with comments" "$S/random_weights" <(tr -d '\r' <"$S/in/text.cfg") "$S/in/text.weights" 3
check "it is pruned by its own keys" p "$S/in/text.cfg" "$S/in/text.weights" -out "$S/made/text"
diff "$S/in/wanted.cfg" "$S/made/text.cfg" >>"$LOG"
check "comments, order and unknown keys are kept, pruning keys gone, filters=8" cmp "$S/in/wanted.cfg" "$S/made/text.cfg"
check "options win over the cfg's keys" p "$S/in/text.cfg" "$S/in/text.weights" -granularity weight -sparsity .25 -out "$S/made/options"
check "options win over the cfg's keys: all filters stay" grep -q '^filters=16 ' "$S/made/options.cfg"

# yolov3-tiny: budgets, and multiples of 8.
T=$PRISTINE/cfg/yolov3-tiny.cfg
check "random weights for yolov3-tiny" "$S/random_weights" "$T" "$S/in/tiny.weights" 5
# kept <unit>: the share that the last command said; share <unit> <low> <high>
kept() { sed -n "s/^$1  *\([0-9,]*\) -> *\([0-9,]*\).*/\2 \1/p" "$S/said/kept" | tr -d , | awk '{ printf "%.6f", $1 / $2 }'; }
share() { echo "$1: $(kept "$1")" >>"$LOG"; jq -ne "$(kept "$1") | . >= $2 and . <= $3" >>"$LOG"; }
# shellcheck disable=SC2086
for options in "-macs .5" "-macs .5 -round 1" "-weights .5" "-weights .5 -round 1" "-macs .5 -scope global" "-weights .5 -scope global"; do
    unit=$([ "${options#-macs}" = "$options" ] && echo weights || echo MACs)
    d "$T" "$S/in/tiny.weights" $F $options -out "$S/made/tiny" >"$S/said/kept" 2>>"$LOG"
    check "yolov3-tiny $options: within 1 % below it" share $unit .495 .5
    others=$(sed -n 's/^filters=//p' "$S/made/tiny.cfg" | grep -v '^255$' | awk '$1 % 8' | wc -l)
    case $options in
    *round*) check "yolov3-tiny $options: not multiples of 8" test "$others" -gt 0 ;;
    *) check "yolov3-tiny $options: multiples of 8" test "$others" -eq 0 ;;
    esac
done
rm -f "$S/made/"* "$S/in/tiny.weights"

# ------------------------------------------------------------------------------------------------ a LeNet, trained and pruned
cat >"$S/lenet.cfg" <<'EOF'
[net]
batch=20
height=28
width=28
channels=1
max_batches=400
learning_rate=.05
momentum=.9
decay=.0005
policy=poly
power=1

[convolutional]
batch_normalize=1
filters=12
size=5
stride=1
pad=0
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
filters=24
size=5
stride=1
pad=0
activation=relu

[maxpool]
size=2
stride=2

[connected]
output=64
activation=relu

[connected]
output=10
activation=linear

[softmax]
EOF
check "a LeNet trains" d train "$D" "$S/lenet.cfg" -sparsity 0 -seed 1 -threads 1 -backup "$S"
L=$S/lenet.cfg LW=$S/lenet_final.weights
top1() { d eval "$D" "$@" -json 2>>"$LOG" | jq .top1; }
dense=$(top1 "$L" "$LW")
check "it has learned something: $dense %" jq -ne "$dense > 80"

check "unstructured: 95 % of its weights go" d "$L" "$LW" -sparsity .95 -out "$S/made/sparse"
check "unstructured: compact" d compact "$S/made/sparse.cfg" "$S/made/sparse.weights" -out "$S/made/small"
check "unstructured: compact is smaller" test "$(stat -c %s "$S/made/small.weights")" -lt "$(stat -c %s "$S/made/sparse.weights")"
check "unstructured: the same outputs in the unpatched Darknet" same "$S/made/sparse.cfg" "$S/made/sparse.weights" "$S/made/small.cfg" "$S/made/small.weights"

for criterion in apoz entropy taylor l1; do
    check "criterion $criterion looks at images" d "$L" "$LW" -granularity filter -sparsity .3 -round 1 -criterion $criterion -data "$D" -images 20 -masked "$S/made/m-$criterion" -out "$S/made/$criterion"
    check "criterion $criterion: the masked outputs" same "$L" "$S/made/m-$criterion" "$S/made/$criterion.cfg" "$S/made/$criterion.weights"
done
check "the criteria choose differently" test "$(md5sum "$S"/made/{apoz,entropy,taylor,l1}.weights | cut -c1-32 | sort -u | wc -l)" -eq 4
check "criterion apoz under the sanitizers" p "$L" "$LW" -granularity filter -sparsity .5 -round 1 -criterion apoz -data "$D" -images 200 -out "$S/made/again"
check "criterion taylor under the sanitizers" p "$L" "$LW" -granularity channel -sparsity .5 -criterion taylor -data "$D" -images 50 -out "$S/made/again"

# scan <granularity> <units>: table, JSON, SVG
scan() {
    check "scan $1: a table" sh -c "'$DARKNET' prune scan '$D' '$L' '$LW' -granularity $1 -images 200 -svg '$S/made/scan.svg' >'$S/made/scan.txt' 2>>'$LOG'"
    check "scan $1: a line for each of $2" test "$(grep -cE '^ *[0-9]+ +(convolutional|connected)' "$S/made/scan.txt")" -eq "$2"
    check "scan $1: a picture" grep -q '<svg' "$S/made/scan.svg"
    rm -f "$S/made/scan.svg"
    check "scan $1: JSON" sh -c "'$DARKNET' prune scan '$D' '$L' '$LW' -granularity $1 -images 200 -json 2>>'$LOG' | jq -e '(.. | arrays | select(length == $2)) != null and (.. | numbers | . >= 0)'"
}
scan weight 4
scan kernel 4
scan block4 4
scan filter 3
scan channel 3

# limit <granularity> [<options>]: the accuracy stays within a point, and something goes
limit() {
    local after
    check "-limit auto, $1" d "$L" "$LW" -granularity "$@" -limit auto -drop 1 -data "$D" -out "$S/made/limit"
    after=$(top1 "$S/made/limit.cfg" "$S/made/limit.weights")
    check "-limit auto, $1: top-1 is at most 1 point below $dense %" jq -ne "$dense - $after <= 1 + 1e-6"
    check "-limit auto, $1: something has gone" jq -ne "$(d report "$S/made/limit.cfg" "$S/made/limit.weights" -json | jq .total.nonzero) < .9 * $(d report "$L" "$LW" -json | jq .total.nonzero)"
}
limit weight
limit kernel
limit block4
limit filter
check "-limit auto, filter: rounded to 8" test "$(sed -n 's/^\(filters\|output\)=//p' "$S/made/limit.cfg" | awk '$1 % 8 && $1 != 10 && $1 != 12' | wc -l)" -eq 0
limit channel
rm -rf "$S/made" && mkdir "$S/made"

# ------------------------------------------------------------------------------------------------------------- in training
# of <cfg> <cfg of the compact network>: "filters kept" for each layer that has any
of() { paste <(sed -n 's/^\(filters\|output\)=//p' "$1") <(sed -n 's/^\(filters\|output\)=//p' "$2"); }

# silent <granularity> <cfg> <weights> <compact cfg>: of every layer, only the rows (or columns) of the channels that stay have weights that are not 0
silent() {
    d report "$2" "$3" -json | jq -r '.layers[] | select(.weights > 0) | "\(.weights) \(.nonzero)"' >"$S/made/nonzero"
    of "$2" "$4" | paste - "$S/made/nonzero" | awk '{ print; if ($4 > $3 * $2 / $1) bad = 1; if ($2 < $1) gone++ } END { exit bad || !gone }'
}
# short <backup> <granularity> [<options>]: 40 iterations, pruned in the first 28
short() { d train "$D" "$L" "$LW" -clear -iterations 40 -steps 4 -seed 3 -threads 1 -granularity "$2" -backup "$S/$1" "${@:3}"; }
for granularity in filter channel; do
    B=$S/$granularity
    check "train with granularity $granularity" short $granularity $granularity -sparsity .5 -round 4
    check "$granularity: the compact network is there" test -s "$B/lenet_compact.cfg" -a -s "$B/lenet_compact.weights"
    check "$granularity: half of the filters of each layer stay, in multiples of 4" test "$(of "$L" "$B/lenet_compact.cfg" | awk '{ printf "%s ", $2 }')" = "4 12 32 10 "
    check "$granularity: silent channels are exactly 0 in the last weights" silent $granularity "$L" "$B/lenet_final.weights" "$B/lenet_compact.cfg"
    check "$granularity: masked and compact give the same outputs in the unpatched Darknet" same "$L" "$B/lenet_final.weights" "$B/lenet_compact.cfg" "$B/lenet_compact.weights"
    check "$granularity: compact by hand gives the same" d compact "$L" "$B/lenet_final.weights" -out "$S/made/hand"
    check "$granularity: yes, the same" cmp "$S/made/hand.weights" "$B/lenet_compact.weights"
done
check "train with granularity kernel" short kernel kernel -sparsity .8
check "kernel: of the filters whole kernels are 0" sh -c "'$DARKNET' prune report '$L' '$S/kernel/lenet_final.weights' -json | jq -e '[.layers[] | select(.kind == \"convolutional\") | .nonzero % 25 == 0] | all and length == 2'"
check "kernel: a fifth of all weights stays" sh -c "'$DARKNET' prune report '$L' '$S/kernel/lenet_final.weights' -json | jq -e '.total.nonzero / .total.weights | . <= .2 and . > .199'"
check "kernel: compact" d compact "$L" "$S/kernel/lenet_final.weights" -out "$S/made/kernel"
check "kernel: the same outputs in the unpatched Darknet" same "$L" "$S/kernel/lenet_final.weights" "$S/made/kernel.cfg" "$S/made/kernel.weights"

# blocks <weights> <layer> ...: in each layer the weights of four output channels at one place are all 0 or all not; where channels are no multiple of four, of the last two or
# three of each group of a convolution; and of the blocks of all layers there are both kinds. A layer is <floats before its weights>:<output channels>:<weights of one>:<groups>
blocks() {
    python3 - "$@" <<'END'
import array, sys
floats = array.array('f', open(sys.argv[1], 'rb').read()[20:])
at = live = dead = 0
for layer in sys.argv[2:]:
    before, channels, across, groups = map(int, layer.split(':'))
    at += before
    rows = [floats[at + r * across:at + (r + 1) * across] for r in range(channels)]
    at += channels * across
    share = channels // groups
    for group in range(groups):
        for first in range(0, share, 4):
            block = rows[group * share + first:group * share + min(first + 4, share)]
            for place in zip(*block):
                if any(place) and not all(place):
                    sys.exit('%s: channels from %d of group %d: %s' % (layer, first, group, place))
                live, dead = live + any(place), dead + (not any(place))
if at != len(floats) or not live or not dead:
    sys.exit('%d of %d floats, %d blocks live, %d are pruned' % (at, len(floats), live, dead))
END
}
nonzero() { d report "$1" "$2" -json | jq "${3:-.total.nonzero}"; }
lenet="48:12:25:1 24:24:300:1 64:64:384:1 10:10:64:1"   # 32716 weights, in blocks of four and two: of 20 % stay 6544, of 10 % 3272; without recovery, less than one block is missing
from_to() { echo "$1: from $2 to $3" >>"$LOG"; [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; }
# shellcheck disable=SC2086 # $lenet is four words
{
    check "block4 without training, 90 %" d "$L" "$LW" -granularity block4 -sparsity .9 -out "$S/made/block4"
    check "block4 without training: whole blocks are 0" blocks "$S/made/block4.weights" $lenet
    check "block4 without training: a tenth stays" from_to "$(nonzero "$L" "$S/made/block4.weights")" 3269 3272
    check "block4: weights with zeros train on" d train "$D" "$L" "$S/made/block4.weights" -clear -iterations 6 -steps 1 -end 5 -seed 3 -threads 1 -granularity block4 -sparsity .5 -rule none -backup "$S/zeros"
    check "block4: the masks come from the zeros" test "$(nonzero "$L" "$S/zeros/lenet_final.weights")" -eq "$(nonzero "$L" "$S/made/block4.weights")"
    check "block4: which stay whole blocks" blocks "$S/zeros/lenet_final.weights" $lenet
    for options in "-rule none" "-rule gradient -recover .3 -scope global" "-rule restore -recover .3" "-rule shadow -recover .3 -scope erk" "-scope layer -criterion l1" "-order convolutional,connected"; do
        check "train with granularity block4 $options" short block4 block4 -sparsity .8 $options
        check "block4 $options: whole blocks are 0" blocks "$S/block4/lenet_final.weights" $lenet
        check "block4 $options: a fifth of all weights stays" from_to "$(nonzero "$L" "$S/block4/lenet_final.weights")" 6530 6546
        rm -rf "$S/block4"
    done
    { sed '/^$/d; s/filters=12/filters=6\nprune_sparsity=.5/; s/filters=24/filters=18\ngroups=3/; s/output=64/output=13/; s/^momentum=/prune_granularity=block4\nmomentum=/' "$L" | sed '/output=10/i prune=0'; } >"$S/groups.cfg"
    check "block4: a network with groups of six channels trains" "$SANITIZED" prune train "$D" "$S/groups.cfg" -iterations 20 -steps 4 -seed 3 -threads 1 -sparsity .8 -backup "$S/groups"
    head -c -$((4 * 140)) "$S/groups/groups_final.weights" >"$S/groups/first.weights"
    check "block4: no block goes across two groups" blocks "$S/groups/first.weights" 24:6:25:1 18:18:50:3 13:13:288:1
    check "block4: a layer's own sparsity" test "$(nonzero "$S/groups.cfg" "$S/groups/groups_final.weights" '.layers[0].nonzero')" -eq 76      # round(.5 * 75) * 2
    check "block4: a layer with prune=0" test "$(nonzero "$S/groups.cfg" "$S/groups/groups_final.weights" '.layers[-2] | .weights - .nonzero')" -eq 0
}
check "train to half of the MACs" short macs filter -macs .5 -round 1
of_macs() { jq -ne "$(macs "$S/macs/lenet_compact.cfg" "$S/macs/lenet_compact.weights") / $(macs "$L" "$LW") | . <= .5 and . > .46"; }
check "to half of the MACs: half, less at most one filter (4 %)" of_macs
check "training under the sanitizers" p train "$D" "$L" "$LW" -clear -iterations 8 -steps 2 -end 6 -threads 1 -granularity filter -criterion taylor -backup "$S/sanitized"

# Stopped at any rename of a file, or by a signal, and started again: the same bits.
restore=("$DARKNET" prune train "$D" "$L" "$LW" -clear -iterations 40 -steps 4 -seed 3 -threads 1 -granularity filter -sparsity .5 -round 4 -rule restore -recover .3 -checkpoint 3 -backup)
check "kill.c compiles" gcc -shared -fPIC -O1 tests/host/kill.c -o "$S/kill.so" -ldl
check "rule restore: a whole run" "${restore[@]}" "$S/whole"
same_run() { for file in lenet_final.weights lenet_final.prune lenet_compact.cfg lenet_compact.weights lenet_log.csv; do cmp "$S/whole/$file" "$S/$1/$file" || return 1; done; }
for at in 4 9 14 20; do
    rm -rf "$S/killed"
    KILL_RENAME=$at LD_PRELOAD=$S/kill.so setsid "${restore[@]}" "$S/killed" >>"$LOG" 2>&1
    check "rule restore, killed at rename $at: it was" test ! -e "$S/killed/lenet_compact.weights"
    check "rule restore, killed at rename $at: it goes on" "${restore[@]}" "$S/killed"
    check "rule restore, killed at rename $at: the same bits" same_run killed
done
"${restore[@]}" "$S/stopped" >>"$LOG" 2>&1 &
pid=$!
while [ ! -f "$S/stopped/lenet_last.prune" ] && kill -0 $pid 2>>"$LOG"; do sleep .02; done
kill -TERM $pid
wait $pid
check "rule restore, stopped by SIGTERM: status 1" test $? -eq 1
check "rule restore, stopped by SIGTERM: it goes on" "${restore[@]}" "$S/stopped"
check "rule restore, stopped by SIGTERM: the same bits" same_run stopped
rm -rf "$S/killed" "$S/whole" "$S/stopped"
block4=("$DARKNET" prune train "$D" "$L" "$LW" -clear -iterations 40 -steps 4 -seed 3 -threads 1 -granularity block4 -sparsity .8 -recover .3 -checkpoint 3 -backup)
check "block4: a whole run" "${block4[@]}" "$S/whole"
same_blocks() { for file in lenet_final.weights lenet_final.prune lenet_log.csv; do cmp "$S/whole/$file" "$S/killed/$file" || return 1; done; }
for at in 7 12; do
    rm -rf "$S/killed"
    KILL_RENAME=$at LD_PRELOAD=$S/kill.so setsid "${block4[@]}" "$S/killed" >>"$LOG" 2>&1
    check "block4, killed at rename $at: it was" test ! -e "$S/killed/lenet_final.weights" -a -e "$S/killed/lenet_last.weights"
    check "block4, killed at rename $at: it goes on" "${block4[@]}" "$S/killed"
    check "block4, killed at rename $at: the same bits" same_blocks
done
rm -rf "$S/killed" "$S/whole"

# ------------------------------------------------------------------------------------------------------ Darknet's own trainers
export DARKNET_SEED=3 DARKNET_LOADERS=1
darknet=$(cd "$(dirname "$DARKNET")" && pwd)/darknet
mkdir -p "$S/stock/images" "$S/stock/backup" "$S/stock/data/cifar/cifar-10-batches-bin"
cd "$S/stock" || exit 1
for i in $(seq 12); do
    { printf 'P6\n16 16\n255\n'; for _ in $(seq 256); do printf "\\$(printf %03o $((i * 37 % 256)))\\$(printf %03o $((i * 91 % 256)))\\$(printf %03o $((i * 53 % 256)))"; done; } >"images/c$((i % 2))_$i.png"
done
ls -d "$PWD"/images/*.png >train.list
printf 'c0_\nc1_\n' >labels.list
printf 'classes=2\ntrain=train.list\nvalid=train.list\nlabels=labels.list\nnames=labels.list\nbackup=backup\n' >small.data
net() { printf '[net]\nbatch=4\nsubdivisions=2\nheight=%s\nwidth=%s\nchannels=3\nmax_batches=20\nlearning_rate=.001\nprune_granularity=filter\nprune_sparsity=.5\nprune_steps=4\nprune_round=1\n' "$1" "$1"; }
body() { printf '[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=leaky\n\n[convolutional]\nbatch_normalize=1\nfilters=12\nsize=3\nstride=1\npad=1\nactivation=leaky\n\n[convolutional]\nfilters=%s\nsize=1\nstride=1\nactivation=linear\n\n[avgpool]\n\n[softmax]\n' "$1"; }
{ net 16; body 2; } >classifier.cfg
{ net 32; body 10; } >cifar.cfg
half_gone() { [ "$(grep -c '^filters=' "$1")" -eq 3 ] && [ "$(sed -n 's/^filters=//p' "$1" | head -2 | tr '\n' ' ')" = "4 6 " ]; }

"$darknet" classifier train small.data classifier.cfg >classifier.out 2>&1
check "classifier train ends well" test $? -eq 0
check "classifier train: four steps" test "$(grep -c '^prune: step [1-4]/4 ' classifier.out)" -eq 4
check "classifier train: the compact network is there, with half of the filters" half_gone backup/classifier_compact.cfg
check "classifier train: the same outputs in the unpatched Darknet" "$S/same_outputs" classifier.cfg backup/classifier.weights backup/classifier_compact.cfg backup/classifier_compact.weights
{ net 16 | sed '/^prune_round/d; s/=filter$/=block4/'; body 2; } >blocks.cfg
"$darknet" classifier train small.data blocks.cfg >blocks.out 2>&1
check "classifier train, block4: four steps" test "$(grep -c '^prune: step [1-4]/4 ' blocks.out)" -eq 4
check "classifier train, block4: whole blocks are 0" blocks backup/blocks.weights 32:8:27:1 48:12:72:1 2:2:12:1
check "classifier train, block4: half of the weights stay" from_to "$("$darknet" prune report blocks.cfg backup/blocks.weights -json 2>/dev/null | jq .total.nonzero)" 549 552
{ net 16; body 14 | sed '/^.avgpool/,$d'; printf '[yolo]\nmask=0,1\nanchors=4,4,8,8\nclasses=2\nnum=2\n'; } >detector.cfg
mkdir labels
for i in $(seq 12); do echo "$((i % 2)) .5 .5 .4 .6" >"labels/c$((i % 2))_$i.txt"; done
"$darknet" detector train small.data detector.cfg >detector.out 2>&1
check "detector train ends well" test $? -eq 0
check "detector train: the compact network is there, with half of the filters" half_gone backup/detector_compact.cfg
check "detector train: the same outputs in the unpatched Darknet" "$S/same_outputs" detector.cfg backup/detector_final.weights backup/detector_compact.cfg backup/detector_compact.weights
head -c 30730000 /dev/zero >data/cifar/cifar-10-batches-bin/data_batch_1.bin
for i in 2 3 4 5; do ln -s data_batch_1.bin data/cifar/cifar-10-batches-bin/data_batch_$i.bin; done
printf '%s\n' 0 1 2 3 4 5 6 7 8 9 >data/cifar/labels.txt
"$darknet" cifar train cifar.cfg >cifar.out 2>&1
check "cifar train ends well" test $? -eq 0
check "cifar train: the compact network is there, with half of the filters" half_gone backup/cifar_compact.cfg
check "cifar train: the same outputs in the unpatched Darknet" "$S/same_outputs" cifar.cfg backup/cifar.weights backup/cifar_compact.cfg backup/cifar_compact.weights
rm -rf data
finish
