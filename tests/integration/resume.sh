# A `prune train` that is killed at any moment, and started again, ends in the same bits as one that was never stopped.
. tests/tap.sh
RANDOM=2026
KILLS=24
mnist_part 300 "$SCRATCH/data"

cat >"$SCRATCH/net.cfg" <<'END'
[net]
batch=10
subdivisions=2
height=28
width=28
channels=1
max_batches=150
learning_rate=.02
momentum=.9
decay=.001
policy=random
burn_in=10
prune_sparsity=.9
prune_steps=12
prune_recover=.2
prune_rule=restore

[convolutional]
batch_normalize=1
filters=6
size=5
stride=2
activation=leaky

[dropout]
probability=.3

[connected]
output=40
batch_normalize=1
activation=relu

[connected]
output=10
activation=linear

[softmax]
END

# train <backup> [<options>]: with a checkpoint after every iteration, so that kills hit the writing of files too
train() {
    local backup=$1
    shift
    "$DARKNET" prune train "$SCRATCH/data/mnist.data" "$SCRATCH/net.cfg" -seed 5 -threads 1 -checkpoint 1 -backup "$SCRATCH/$backup" "$@"
}

same_run() {
    local file
    for file in net_final.weights net_final.prune net_last.weights net_last.prune net_best.weights net_log.csv; do
        cmp "$SCRATCH/$1/$file" "$SCRATCH/$2/$file" || return 1
    done
}

check "a run is repeatable: first" train whole
check "a run is repeatable: second" train again
check "a run is repeatable: the same bits" same_run whole again
seconds=$( { TIMEFORMAT=%R && time train again -restart >>"$LOG" 2>&1; } 2>&1)
check "_best is among the weights at the final sparsity" sh -c "'$DARKNET' prune report '$SCRATCH/net.cfg' '$SCRATCH/whole/net_best.weights' -json | jq -e '.total.nonzero == ((.total.weights * 0.1) | round)'"
check "-restart begins anew and ends in the same bits" same_run whole again

killed=0 rounds=0 finished=0
while [ $killed -lt $KILLS ] && [ $rounds -lt 200 ]; do
    rounds=$((rounds + 1))
    setsid "$DARKNET" prune train "$SCRATCH/data/mnist.data" "$SCRATCH/net.cfg" -seed 5 -threads 1 -checkpoint 1 -backup "$SCRATCH/killed" >>"$LOG" 2>&1 &
    pid=$!
    # Between 2 % and 60 % of a whole run: most kills hit training, some the start or the end.
    sleep "$(echo "$seconds $RANDOM" | awk '{ printf "%.3f", $1 * (0.02 + 0.58 * $2 / 32767) }')"
    if kill -KILL $pid 2>/dev/null; then
        wait $pid 2>/dev/null
        killed=$((killed + 1))
        echo "killed at iteration $(tail -1 "$SCRATCH/killed/net_log.csv" 2>/dev/null | cut -d, -f1)" >>"$LOG"
    elif wait $pid; then
        finished=$((finished + 1))
        same_run whole killed >>"$LOG" 2>&1 || { check "killed $killed times so far: the same bits" false; break; }
        rm -rf "$SCRATCH/killed"        # a run came to its end: the next one is killed from its start
    fi
done
check "$KILLS kills at random moments" test $killed -ge $KILLS
check "the killed run goes on to its end" train killed
check "killed $killed times: the same bits" same_run whole killed

# Killed at a chosen rename, then again at each of the next run's first three, where the only good state may still have its temporary name.
check "kill.c compiles" gcc -shared -fPIC -O1 tests/host/kill.c -o "$SCRATCH/kill.so" -ldl
for first in 2 3 4 5 6 7; do
    rm -rf "$SCRATCH/twice"
    for at in $first 1 2 3; do
        KILL_RENAME=$at LD_PRELOAD=$SCRATCH/kill.so setsid "$DARKNET" prune train "$SCRATCH/data/mnist.data" "$SCRATCH/net.cfg" -seed 5 -threads 1 -checkpoint 1 -backup "$SCRATCH/twice" >>"$LOG" 2>&1
        echo "killed at rename $at: status $?" >>"$LOG"
    done
    check "killed at rename $first, then at 1, 2 and 3: it goes on" train twice
    check "killed at rename $first, then at 1, 2 and 3: the same bits" same_run whole twice
done

# SIGTERM: the iteration is finished, a checkpoint written, the status says that it is not done.
rm -rf "$SCRATCH/stopped"
"$DARKNET" prune train "$SCRATCH/data/mnist.data" "$SCRATCH/net.cfg" -seed 5 -threads 1 -checkpoint 1 -backup "$SCRATCH/stopped" >>"$LOG" 2>&1 &
pid=$!
while [ ! -f "$SCRATCH/stopped/net_last.prune" ]; do sleep 0.02; done
kill -TERM $pid
wait $pid
check "SIGTERM ends with status 1" test $? -eq 1
rm -rf "$SCRATCH/threads"                               # OpenBLAS has begun a thread of its own by then, which could take the signal
OPENBLAS_NUM_THREADS=2 "$DARKNET" prune train "$SCRATCH/data/mnist.data" "$SCRATCH/net.cfg" -seed 5 -threads 2 -checkpoint 1 -backup "$SCRATCH/threads" >>"$LOG" 2>&1 &
pid=$!
while [ ! -f "$SCRATCH/threads/net_last.prune" ]; do sleep 0.02; done
kill -TERM $pid
wait $pid
check "SIGTERM with two BLAS threads ends with status 1" test $? -eq 1
check "after SIGTERM it goes on" train stopped
check "after SIGTERM: the same bits" same_run whole stopped

# Between the two renames of a checkpoint: new weights, and their state still under its temporary name.
rm -rf "$SCRATCH/between" && cp -a "$SCRATCH/stopped" "$SCRATCH/between"
"$DARKNET" prune train "$SCRATCH/data/mnist.data" "$SCRATCH/net.cfg" -seed 7 -threads 1 -iterations 75 -end 70 -backup "$SCRATCH/half" >>"$LOG" 2>&1
refused "a state of other settings is not gone on with" 1 "from another run" train stopped -sparsity .8
sed 's/learning_rate=.02/learning_rate=.03/' "$SCRATCH/net.cfg" >"$SCRATCH/other.cfg" && mkdir -p "$SCRATCH/other" && cp "$SCRATCH/stopped/net_last.weights" "$SCRATCH/other/other_last.weights" && cp "$SCRATCH/stopped/net_last.prune" "$SCRATCH/other/other_last.prune"
refused "a run of another cfg is not gone on with" 1 "from another run" "$DARKNET" prune train "$SCRATCH/data/mnist.data" "$SCRATCH/other.cfg" -seed 5 -threads 1 -backup "$SCRATCH/other"
rm "$SCRATCH/other/other_last.prune"
mkdir -p "$SCRATCH/lost" && cp "$SCRATCH/stopped/net_last.weights" "$SCRATCH/lost"
refused "weights that have lost their .prune file are not gone on with" 1 "lost its .prune file" "$DARKNET" prune train "$SCRATCH/data/mnist.data" "$SCRATCH/net.cfg" -seed 5 -threads 1 -backup "$SCRATCH/lost"
refused "a run of another seed is not gone on with" 1 "from another run" train stopped -seed 6
cp "$SCRATCH/half/net_last.weights" "$SCRATCH/stopped/net_last.weights" 2>>"$LOG"
refused "a .prune that does not belong to its .weights is refused" 1 "does not belong" train stopped
cp "$SCRATCH/between/net_best.prune" "$SCRATCH/between/net_last.prune.old" && mv "$SCRATCH/between/net_last.prune" "$SCRATCH/between/net_last.prune.tmp"
[ -f "$SCRATCH/between/net_best.weights" ] && cp "$SCRATCH/whole/net_best.prune" "$SCRATCH/between/net_last.prune"
check "killed between the two renames: it goes on" train between
check "killed between the two renames: the same bits" same_run whole between

# Weights whose `seen` lies in the middle of an iteration of this cfg: the run begins at a whole one, and resumes to the same bits.
sed -e 's/batch=10/batch=9/' -e 's/subdivisions=2/subdivisions=3/' -e 's/max_batches=150/max_batches=7/' -e '/^prune_/d' "$SCRATCH/net.cfg" >"$SCRATCH/first.cfg"
sed -e 's/max_batches=150/max_batches=40/' -e 's/prune_rule=restore/prune_rule=gradient/' "$SCRATCH/net.cfg" >"$SCRATCH/second.cfg"
check "weights with another batch" "$DARKNET" prune train "$SCRATCH/data/mnist.data" "$SCRATCH/first.cfg" -threads 1 -backup "$SCRATCH/seen"
second() { "$DARKNET" prune train "$SCRATCH/data/mnist.data" "$SCRATCH/second.cfg" "$SCRATCH/seen/first_final.weights" -threads 1 -checkpoint 1 -backup "$1"; }
check "go on with them" second "$SCRATCH/seen"
for at in 9 12 15; do KILL_RENAME=$at LD_PRELOAD=$SCRATCH/kill.so setsid "$DARKNET" prune train "$SCRATCH/data/mnist.data" "$SCRATCH/second.cfg" "$SCRATCH/seen/first_final.weights" -threads 1 -checkpoint 1 -backup "$SCRATCH/seen2" >>"$LOG" 2>&1; done
check "go on with them, killed three times" second "$SCRATCH/seen2"
check "to the same bits" cmp "$SCRATCH/seen/second_final.weights" "$SCRATCH/seen2/second_final.weights"
finish
