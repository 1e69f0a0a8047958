# Packed weights that are damaged, made to harm, or for another network: one line that names the file, exit 1, little memory, nothing written. And `pack` and `unpack` killed at any moment.
. tests/tap.sh
need_tree "$DARKNET" "$SANITIZED" "$MNIST"
RANDOM=2026
KILLS=20
export PYTHONDONTWRITEBYTECODE=1
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
darknet=$(absolute "$DARKNET") sanitized=$(absolute "$SANITIZED") cfg=$PWD/tests/golden/foreign.cfg files=$SCRATCH/files

#### Every cut, every bit, every rule
check "files that break one rule each are written, and tests/pweights.py refuses them all" python3 tests/integration/pack_hostile.py "$files"
# shellcheck disable=SC2046 # file names without blanks
check "the program that reads damaged files compiles" gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
    -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc -Iplugin tests/integration/pack_hostile.c $(ls plugin/*.c | grep -v /host_) -lcjson -lz -lm -o "$SCRATCH/hostile"
hostile() {
    ASAN_OPTIONS="detect_leaks=1:log_path=$SCRATCH/asan" UBSAN_OPTIONS="print_stacktrace=1:log_path=$SCRATCH/ubsan" "$SCRATCH/hostile" "$cfg" "$files/good.pweights" "$files"/rules/* -- "$files"/bombs/*
    local status=$?
    cat "$SCRATCH"/asan* "$SCRATCH"/ubsan* 2>/dev/null
    return $status
}
check "cut at any byte, any bit flipped, any rule broken: refused in one line, in bounded memory" hostile
check "as many damaged files as there should be" sh -c "grep -q '^9[0-9][0-9][0-9] damaged files, 0 failures' '$LOG'"

#### The commands
cd "$SCRATCH" || exit 1
# hurt <from> <to> <how>: cut at a byte, or with one bit of a byte flipped
hurt() { python3 -c '
import sys
data, how, at = bytearray(open(sys.argv[1], "rb").read()), sys.argv[3][0], int(sys.argv[3][1:])
at %= len(data)
if how == "c": data = data[:at]
else: data[at] ^= 1 << at % 8
open(sys.argv[2], "wb").write(data)' "$@"; }
good=$(wc -c <"$files/good.pweights")
unpacks_none() {
    local i how
    for i in $(seq 40); do
        how=$([ $((i % 3)) -eq 0 ] && echo c || echo b)$((i * good / 41))
        hurt "$files/good.pweights" damaged.pweights $how
        "$1" prune unpack "$cfg" damaged.pweights -out none >out 2>err
        [ $? -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q '^prune: damaged.pweights: ' err && [ ! -s out ] && [ ! -e none.weights ] && [ ! -e none.weights.tmp ] && continue
        echo "$how:" && cat out err && ls none* && return 1
    done
}
check "unpack of 40 damaged files: one line each, and nothing is written" unpacks_none "$darknet"
check "the same under sanitizers" unpacks_none "$sanitized"
check "the undamaged one is read" "$darknet" prune unpack "$cfg" "$files/good.pweights" -out whole
check "its weights are as they were" cmp whole.weights "$files/good.weights"
bombs_in_little_memory() {
    local bomb
    for bomb in "$files"/bombs/*; do
        (ulimit -v 1000000 && "$darknet" prune "$@" "$cfg" "$bomb" >out 2>err)
        [ $? -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] && grep -qF "$bomb: " err && continue
        echo "$bomb:" && cat err && return 1
    done
}
check "unpack refuses files for other networks, however large, in less than a gigabyte with all libraries" bombs_in_little_memory unpack
check "report does so too" bombs_in_little_memory report

ln -s "$ROOT/$MNIST" mnist
printf '%s\n' format=idx classes=10 train=mnist/train-images-idx3-ubyte train_labels=mnist/train-labels-idx1-ubyte valid=mnist/t10k-images-idx3-ubyte valid_labels=mnist/t10k-labels-idx1-ubyte backup=. >idx.data
net() { printf '[net]\nbatch=1\nsubdivisions=1\nwidth=28\nheight=28\nchannels=%d\nmax_batches=10\n[convolutional]\nbatch_normalize=1\nfilters=6\nsize=3\nstride=2\npad=1\nactivation=leaky\n' "$1"; }
{ net 1; printf '[connected]\noutput=10\nactivation=linear\n[softmax]\n'; } >grey.cfg
{ net 3; printf '[connected]\noutput=10\nactivation=linear\n[softmax]\n'; } >colour.cfg
{ net 3; printf '[convolutional]\nfilters=18\nsize=1\nactivation=linear\n[yolo]\nmask=0,1,2\nanchors=4,4, 8,8, 16,16\nclasses=1\nnum=3\n'; } >boxes.cfg
python3 - <<'END'
import random
import struct
rng = random.Random(4)
for name, floats in ("grey", 4 * 6 + 6 * 9 + 10 + 10 * 6 * 14 * 14), ("colour", 4 * 6 + 6 * 27 + 10 + 10 * 6 * 14 * 14), ("boxes", 4 * 6 + 6 * 27 + 18 + 18 * 6):
    with open(name + ".weights", "wb") as file:
        file.write(struct.pack("<iiiQ%df" % floats, 0, 2, 5, 0, *(rng.uniform(.01, .5) if rng.random() < .3 else 0 for _ in range(floats))))
rows = bytes(rng.randrange(256) for _ in range(28 * 28 * 3))
with open("image.bmp", "wb") as file:
    file.write(b"BM" + struct.pack("<IHHI", 54 + len(rows), 0, 0, 54) + struct.pack("<IiiHHIIiiII", 40, 28, 28, 1, 24, 0, len(rows), 0, 0, 0, 0) + rows)
END
echo image.bmp >list
seq 0 9 >names
printf '%s\n' classes=10 train=list valid=list labels=names names=names top=2 backup=. >list.data
printf '%s\n' classes=1 train=list valid=list names=names backup=. results=. >boxes.data
cp -r "$ROOT/$PRISTINE/data" data
for name in grey colour boxes; do check "a small network is packed: $name" "$darknet" prune pack $name.cfg $name.weights; done

# all_refuse <verb> <net> <command with FILE>: with six kinds of damage, and those for other networks in little memory
all_refuse() {
    local verb=$1 net=$2 bytes how text
    shift 2
    bytes=$(wc -c <$net.pweights)
    check "$verb reads the whole file" "${@//FILE/$net.pweights}" </dev/null
    for how in c70 c$((bytes - 1)) b3 b50 b90 b$((bytes - 2)); do
        hurt $net.pweights damaged.pweights $how
        text=$([ $how = b90 ] && echo checksum || echo damaged.pweights)
        refused "$verb of a file that was damaged ($how)" 1 "$text" "${@//FILE/damaged.pweights}" </dev/null
    done
    for how in row matrix-lying no-layers; do
        refused "$verb of a file for another network ($how)" 1 "$how.pweights: " bash -c 'ulimit -v $LIMIT && exec "$@"' bash "${@//FILE/$files/bombs/$how.pweights}" </dev/null
    done
}
export LIMIT=1000000
all_refuse "prune eval" grey "$darknet" prune eval idx.data grey.cfg FILE
all_refuse "prune report" grey "$darknet" prune report grey.cfg FILE
all_refuse "prune compact" grey "$darknet" prune compact grey.cfg FILE -out compacted
all_refuse "classifier predict" colour "$darknet" classifier predict list.data colour.cfg FILE image.bmp
all_refuse "detector test" boxes "$darknet" detector test boxes.data boxes.cfg FILE image.bmp
LIMIT=unlimited              # sanitizers take terabytes that they never touch
all_refuse "classifier predict under sanitizers" colour env ASAN_OPTIONS=detect_leaks=0 "$sanitized" classifier predict list.data colour.cfg FILE image.bmp

#### Killed
printf '[net]\nbatch=1\nsubdivisions=1\ninputs=3000\n[connected]\noutput=4000\nactivation=linear\n' >large.cfg
python3 - <<'END'
import random
import struct
for name in "old", "new":
    floats = 4000 * 3001
    data, part = bytearray(4 * floats), random.Random(name).randbytes(floats // 10)
    for byte in range(4):
        data[byte::40] = part[:len(data[byte::40])]
    with open(name + ".weights", "wb") as file:
        file.write(struct.pack("<iiiQ", 0, 2, 5, 0) + data)
END
for name in old new; do check "a large network is packed: $name" "$darknet" prune pack large.cfg $name.weights -out $name; done

# killed_often <pack or unpack> <input> <ending>: at random moments, in turn with an old file there and with none. What stands under the name is that, or the complete new one.
killed_often() {
    local verb=$1 input=$2 ending=$3 seconds killed=0 rounds=0 middle=0 before pid
    seconds=$( { TIMEFORMAT=%R && time "$darknet" prune "$verb" large.cfg "$input" -out killed >>"$LOG" 2>&1; } 2>&1)
    cmp killed."$ending" new."$ending" || return 1
    while [ $killed -lt $KILLS ] && [ $rounds -lt 200 ]; do
        rounds=$((rounds + 1))
        rm -f killed."$ending" killed."$ending".tmp
        before=$([ $((rounds % 2)) -eq 0 ] && echo old || echo none)
        [ $before = none ] || cp old."$ending" killed."$ending"
        "$darknet" prune "$verb" large.cfg "$input" -out killed >>"$LOG" 2>&1 &
        pid=$!
        sleep "$(echo "$seconds $RANDOM" | awk '{ printf "%.3f", $1 * $2 / 32767 }')"
        kill -KILL $pid
        wait $pid
        [ $? -eq 137 ] && killed=$((killed + 1))
        [ -e "killed.$ending.tmp" ] && middle=$((middle + 1))
        if [ -e killed."$ending" ]; then
            cmp -s killed."$ending" new."$ending" || { [ $before = old ] && cmp -s killed."$ending" old."$ending"; } || { echo "killed after $before: a third thing" && return 1; }
        elif [ $before = old ]; then
            echo "the old file is gone" && return 1
        fi
    done
    echo "$verb: $seconds s, $killed kills, $middle in the middle of writing"
    [ $killed -ge $KILLS ] && [ $middle -ge 1 ] || return 1
    echo "of a run that was killed" >killed."$ending".tmp
    "$darknet" prune "$verb" large.cfg "$input" -out killed && cmp killed."$ending" new."$ending" && [ ! -e "killed.$ending.tmp" ]
}
check "pack killed $KILLS times: the old file or the new one" killed_often pack new.weights pweights
check "unpack killed $KILLS times: the old file or the new one" killed_often unpack new.pweights weights
check "kill.c compiles" gcc -shared -fPIC -O1 "$ROOT/tests/host/kill.c" -o kill.so -ldl
for verb in pack unpack; do
    ending=$([ $verb = pack ] && echo pweights || echo weights) input=$([ $verb = pack ] && echo new.weights || echo new.pweights)
    cp old.$ending killed.$ending
    KILL_RENAME=1 LD_PRELOAD=./kill.so setsid -w "$darknet" prune $verb large.cfg $input -out killed >>"$LOG" 2>&1
    check "$verb killed right before the new file gets its name: status" test $? -eq 137
    check "$verb killed right before the new file gets its name: the old one is there" cmp killed.$ending old.$ending
    check "$verb killed right before the new file gets its name: that one is complete" cmp killed.$ending.tmp new.$ending
done
rm -f ./*.weights ./*.pweights ./*.tmp
finish
