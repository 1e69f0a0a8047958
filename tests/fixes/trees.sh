# What the tests of the patch set share, besides tests/tap.sh, which this sources.
. tests/tap.sh

# both NAME COMMAND...: the command, which finds its tree in $T, passes on the fixed tree AND fails on the unpatched one: a
# test that the unpatched tree passes too would prove nothing about the fix.
both() {
    local name=$1 fixed reference
    shift
    echo "== $name" >>"$LOG"
    T=$FIXES; "$@" >>"$LOG" 2>&1; fixed=$?
    echo "-- reference" >>"$LOG"
    T=$REFERENCE; "$@" >>"$LOG" 2>&1; reference=$?
    if [ $fixed = 0 ] && [ $reference != 0 ]; then
        ok "$name (and the reference fails)"
    else
        not_ok "$name (and the reference fails) # fixed tree: status $fixed, reference: status $reference"
    fi
}

# says PATTERN COMMAND...: the command ends with status 1, and exactly one line of its stderr matches.
says() {
    local pattern=$1 status lines
    shift
    "$@" >"$SCRATCH/out" 2>"$SCRATCH/err" </dev/null
    status=$?
    cat "$SCRATCH/out" "$SCRATCH/err"
    lines=$(grep -c -e "$pattern" "$SCRATCH/err")
    echo "status $status, $lines lines match: $pattern"
    [ $status = 1 ] && [ "$lines" = 1 ]
}

# compile SOURCE TREE OUTPUT [OBJECT...]: a test program against the library of a tree; objects given come first, so that
# they can stand in for members of the library.
compile() {
    local source=$1 tree=$2 output=$3 libs="-lm -pthread"
    shift 3
    nm "$tree/libdarknet.a" 2>/dev/null | grep -q 'U cblas_sgemm' && libs="$libs -lopenblas"
    nm "$tree/libdarknet.a" 2>/dev/null | grep -q 'T prune_net_ready' && libs="$libs $LIBS"
    $CC -O1 -g -Wall -Wno-unused-result -I"$tree/include" -I"$tree/src" "$ROOT/tests/fixes/$source" "$@" "$tree/libdarknet.a" -o "$output" $libs
}
