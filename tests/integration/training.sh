# Masks hold through Darknet's own training loop: every rule, scope, curve, order, learning-rate policy, sub-batches, burn-in, Adam,
# groups, batch-norm, dropout; looked at after every update (tests/host/training.c), under sanitizers.
. tests/tap.sh
export OPENBLAS_NUM_THREADS=1
check "training.c compiles" gcc -fsanitize=address,undefined -O1 -g -Iplugin -I"$BUILD/sanitized/include" tests/host/training.c "$BUILD/sanitized/libdarknet.a" $LIBS -o "$SCRATCH/training"

# network <[net] lines>: a small net with every prunable kind of layer, on standard output
network() {
    printf '[net]\nbatch=4\nheight=12\nwidth=12\nchannels=2\nmax_batches=60\nlearning_rate=.05\nmomentum=.9\ndecay=.01\n'
    printf '%b\n' "$1"
    printf '[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=1\npad=1\nactivation=leaky\n\n'
    printf '[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\ngroups=4\nactivation=relu\n%b\n' "${2:-}"
    printf '[maxpool]\nsize=2\nstride=2\n\n[dropout]\nprobability=.2\n\n'
    printf '[connected]\noutput=16\nbatch_normalize=1\nactivation=relu\n%b\n[connected]\noutput=5\nactivation=linear\n\n[softmax]\n' "${3:-}"
}

trains() {
    local name=$1
    network "$2" "${3:-}" "${4:-}" >"$SCRATCH/$name.cfg"
    check "masks hold: $name" "$SCRATCH/training" "$SCRATCH/$name.cfg" 60
}

for rule in none gradient restore shadow; do
    for scope in layer global lamp erk; do
        trains "rule-$rule-scope-$scope" "prune_sparsity=.9\nprune_steps=7\nprune_recover=.3\nprune_rule=$rule\nprune_scope=$scope"
    done
    trains "rule-$rule-ordered" "prune_sparsity=.8\nprune_steps=7\nprune_rule=$rule\nprune_order=convolutional,connected"
done
for curve in cubic linear geometric; do trains "curve-$curve" "prune_curve=$curve\nprune_sparsity=.95"; done
trains policy-constant "policy=constant\nprune_sparsity=.9"
trains policy-step "policy=step\nstep=10\nscale=.5\nprune_sparsity=.9"
trains policy-steps "policy=steps\nsteps=10,30\nscales=.1,.1\nprune_sparsity=.9"
trains policy-exp "policy=exp\ngamma=.99\nprune_sparsity=.9"
trains policy-poly "policy=poly\npower=4\nprune_sparsity=.9"
trains policy-sigmoid "policy=sigmoid\ngamma=.1\nstep=30\nprune_sparsity=.9"
trains policy-random "policy=random\nprune_sparsity=.9"
trains burn-in "burn_in=20\npower=2\nprune_sparsity=.9"
trains subdivisions "subdivisions=2\nprune_sparsity=.9"
trains adam "adam=1\nprune_sparsity=.9"
trains start-and-end "prune_start=5\nprune_end=60\nprune_sparsity=.9"
trains more-steps-than-iterations "prune_start=0\nprune_end=10\nprune_steps=40\nprune_sparsity=.9"
trains one-step "prune_steps=1\nprune_sparsity=.9"
trains sparsity-0 "prune_sparsity=0"
trains almost-all "prune_sparsity=.999"
trains exempt-layer "prune_sparsity=.9" "prune=0\n"
trains own-limit "prune_sparsity=.9" "prune_sparsity=.5\n" "prune_sparsity=.97\n"

# What pruning holds in memory: a byte per weight for the mask, a float more for rules that remember.
compile_host() { gcc -O1 -Iplugin -I"$HOOKED/include" "tests/host/$1.c" "$HOOKED/libdarknet.a" $LIBS -o "$SCRATCH/$1" >>"$LOG" 2>&1; }
check "memory.c compiles" compile_host memory
for rule in none:1 restore:5 gradient:5 shadow:5; do
    printf '[net]\nbatch=1\ninputs=1500\nmax_batches=10\nprune_sparsity=.9\nprune_steps=1\nprune_end=2\nprune_rule=%s\n[connected]\noutput=1500\nactivation=relu\n[connected]\noutput=10\nactivation=linear\n[softmax]\n' "${rule%:*}" >"$SCRATCH/memory.cfg"
    bytes=$(DARKNET_FASTTRAIN=0 "$SCRATCH/memory" "$SCRATCH/memory.cfg" 2>>"$LOG")     # what pruning holds, not what the fast path does
    check "memory: rule ${rule%:*} holds $bytes bytes per weight, at most ${rule#*:}" awk -v bytes="$bytes" -v most="${rule#*:}" 'BEGIN { exit !(bytes > 0.9 * most && bytes < 1.01 * most) }'
done

# refuses <name> <layer lines> <text>
refuses() {
    { printf '[net]\nbatch=1\nheight=12\nwidth=12\nchannels=2\nmax_batches=60\nprune_sparsity=.9\n%b' "$2"; } >"$SCRATCH/$1.cfg"
    "$SCRATCH/training" "$SCRATCH/$1.cfg" 1 >"$SCRATCH/out" 2>"$SCRATCH/err"
    check "refused by name: $1" grep -q "^prune: .*$3" "$SCRATCH/err"
}
refuses xnor '[convolutional]\nfilters=4\nsize=3\nxnor=1\nactivation=leaky\n' 'layer 0 \[convolutional\]: xnor'
refuses binary '[convolutional]\nfilters=4\nsize=3\nbinary=1\nactivation=leaky\n' 'layer 0 \[convolutional\]: binary'
for kind in rnn gru lstm; do
    refuses $kind "[$kind]\noutput=8\nhidden=8\nbatch_normalize=0\nactivation=leaky\n" "layer 0 \\[$kind\\]: recurrent"
done
refuses crnn '[crnn]\noutput_filters=4\nhidden_filters=4\nactivation=leaky\n' 'layer 0 \[crnn\]: recurrent'
refuses nothing '[maxpool]\nsize=2\nstride=2\n' 'nothing to prune'
finish
