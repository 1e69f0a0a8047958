# tests/tap.sh - sourced by the integration tests: one line `ok - name` or `not ok - name` for each check
#
# A script runs from the repository's root. $SCRATCH is its own empty folder, $LOG takes what its commands print.
set -u
NAME=$(basename "$0" .sh)
BUILD=${BUILD:-build}
DARKNET=${DARKNET:-$BUILD/hooked-O2/darknet}            # what users get, built so that its arithmetic is plain
SANITIZED=${SANITIZED:-$BUILD/sanitized/darknet}        # the same under AddressSanitizer and UBSan
REFERENCE=${REFERENCE:-$BUILD/reference}                # unpatched and built
PRISTINE=${PRISTINE:-$BUILD/pristine}                   # unpatched, as unpacked
FIXES=${FIXES:-$BUILD/fixes-O2}                         # with the fixes alone
HOOKED=${HOOKED:-$BUILD/hooked-O2}
PLUGIN=${PLUGIN:-plugin}
CC=${CC:-cc}
ROOT=$PWD
MNIST=$BUILD/data/mnist
LIBS=$(make -s --no-print-directory libs)              # of a program with libdarknet.a
export ASAN_OPTIONS=detect_leaks=0:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 # Darknet itself never frees all
export LC_ALL=C OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
unset DARKNET_SEED DARKNET_LOADERS                      # a run is repeatable unless a test says otherwise
SCRATCH=$PWD/$BUILD/tests/$NAME
LOG=$PWD/$BUILD/tests/$NAME.log
FAILED=0
rm -rf "$SCRATCH" && mkdir -p "$SCRATCH" && : >"$LOG"

ok() { echo "ok - $1"; }
not_ok() { echo "not ok - $1"; FAILED=1; }
finish() { exit $FAILED; }

# need_tree <path> ...: without the trees nothing can be said, and a script that checks nothing must not pass.
need_tree() {
    local path
    for path; do
        [ -e "$path" ] && continue
        not_ok "$NAME: $path is there"
        finish
    done
}

# check <name> <command> [<words>]: passes when the command succeeds.
check() {
    local name=$1
    shift
    echo "== $name: $*" >>"$LOG"
    if "$@" >>"$LOG" 2>&1; then ok "$name"; else not_ok "$name"; fi
}

# refused <name> <exit status> <text> <command>: the command fails with that status and exactly one line on stderr, which holds the text.
refused() {
    local name=$1 status=$2 text=$3 found lines
    shift 3
    echo "== $name: $*" >>"$LOG"
    "$@" >"$SCRATCH/out" 2>"$SCRATCH/err"
    found=$?
    cat "$SCRATCH/err" >>"$LOG"
    lines=$(grep -vc "^Loading weights\|^layer \|^conv \|^ *[0-9][0-9]* [a-z]\|: Using default '" "$SCRATCH/err") # Darknet's own chatter while it parses
    if [ $found -eq "$status" ] && [ "$lines" -eq 1 ] && grep -qF -- "$text" "$SCRATCH/err" && ! grep -q 'Sanitizer\|runtime error' "$SCRATCH/err"; then
        ok "$name"
    else
        echo "status $found (wanted $status), $lines lines (wanted 1), text wanted: $text" >>"$LOG"
        not_ok "$name"
    fi
}

# A part of MNIST as IDX files: mnist_part <images> <folder>
mnist_part() {
    local n=$1 to=$2 set
    mkdir -p "$to"
    for set in train t10k; do
        { head -c 4 "$MNIST/$set-images-idx3-ubyte"; big_endian "$n"; tail -c +9 "$MNIST/$set-images-idx3-ubyte" | head -c $((8 + n * 784)); } >"$to/$set-images"
        { head -c 4 "$MNIST/$set-labels-idx1-ubyte"; big_endian "$n"; tail -c +9 "$MNIST/$set-labels-idx1-ubyte" | head -c "$n"; } >"$to/$set-labels"
    done
    cat >"$to/mnist.data" <<END
format=idx
classes=10
train=$to/train-images
train_labels=$to/train-labels
valid=$to/t10k-images
valid_labels=$to/t10k-labels
backup=$to/backup
END
}

# Networks one by one in the background, one a core, each printing into $SCRATCH/<name>.tap and logging into $SCRATCH/<name>/log: free_cores before each, gather at the end.
free_cores() { while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done; }
gather() {
    wait
    cat "$SCRATCH"/*.tap
    cat "$SCRATCH"/*/log >>"$LOG"
    grep -q '^not ok' "$SCRATCH"/*.tap && FAILED=1
}

big_endian() {
    # shellcheck disable=SC2059 # the format is made of octal escapes
    printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255)))"
}
