# The vector kernels of each instruction set against their plain C twins, bit by bit, on guarded buffers; the pool of threads under ThreadSanitizer; NEON under qemu where the machine
# is no ARM.
. tests/tap.sh
unset DARKNET_CPU DARKNET_THREADS
machine=$(uname -m)
flags="-std=c11 -D_GNU_SOURCE -ffp-contract=off -Wall -Wextra -Wshadow -Wconversion -Werror -g"     # no -m flags: functions have their own targets
all=$(ls plugin/*.c | grep -v /host_)
kernels=$(ls plugin/{message,activation,threads}.c plugin/{kernels,conv,connected,layers,train_plain,train_sparse,gradient}*.c)       # what kernels and their twins need: neither zlib nor cjson
tests=$(ls tests/kernels/check*.c)

# build <folder> <compiler> <flags> <sources> <what to link>: $SCRATCH/<folder>/program. What is linked may be a source too: tests/kernels/threads.c, beside plugin/threads.c
build() {
    local folder=$SCRATCH/$1 compiler=$2 options=$3 sources=$4 libraries=$5
    mkdir -p "$folder"
    # shellcheck disable=SC2086 # flags and file names are words
    (cd "$folder" && printf "$ROOT/%s\n" $sources | xargs -P "$(nproc)" -n 1 "$compiler" $flags $options -I"$ROOT/plugin" -c && "$compiler" $flags $options -I"$ROOT/plugin" ./*.o $libraries -o program)
}

# forward <prefix> <command>: the program's own lines. A program that dies, or says nothing, is a failure.
forward() {
    local prefix=$1 status
    shift
    echo "== $prefix: $*" >>"$LOG"
    timeout 100 "$@" >"$SCRATCH/out" 2>"$SCRATCH/err"
    status=$?
    cat "$SCRATCH/out" "$SCRATCH/err" >>"$LOG"
    sed -n "s/^\(ok\|not ok\) - /&$prefix: /p" "$SCRATCH/out"
    if grep -q '^not ok' "$SCRATCH/out"; then FAILED=1
    elif [ $status -ne 0 ] || ! grep -q '^ok' "$SCRATCH/out"; then
        echo "status $status" >>"$LOG"
        not_ok "$prefix: ends with status $status"
    fi
}
# best <name> <notes>: which kernels the program that was forwarded last found best, and how many lines it wrote to stderr
best() { grep -qx "ok - check: the best kernels are $1" "$SCRATCH/out" && [ "$(wc -l <"$SCRATCH/err")" -eq "$2" ]; }
ran() { grep -q "ok - $1: " "$SCRATCH/out"; }

#### This machine
check "all of the core and the kernel tests compile without flags for the machine" build plain "$CC" -O2 "$all $tests" "-lcjson -lz -lm -pthread"
plain=$SCRATCH/plain/program
forward "-O2" "$plain"
found=$(sed -n 's/^ok - check: the best kernels are //p' "$SCRATCH/out")
case $machine in x86_64) sets="avx512 avx2" ;; aarch64) sets=neon ;; *) sets= ;; esac
for set in $sets; do ran "$set" || ! ran check || echo "ok - $set # skip this machine has it not"; done

forward "DARKNET_CPU=-avx512" env DARKNET_CPU=-avx512 "$plain"
check "DARKNET_CPU=-avx512: no AVX-512 runs" eval 'ran check && ! ran avx512 && { [ "$found" != avx2 ] || ran avx2; }'
forward "DARKNET_CPU with all" env DARKNET_CPU=-avx512,-avx2,-neon "$plain"
check "DARKNET_CPU with all: no kernels" eval 'best none 0 && ! ran avx512 && ! ran avx2 && ! ran neon'
DARKNET_CPU="avx512,-sse,, -" "$plain" layers >"$SCRATCH/out" 2>"$SCRATCH/err"
check "DARKNET_CPU: a note for each word that it does not know, once, and nothing is switched off" best "$found" 3
check "check refuses a unit that it does not know" eval '"$plain" frob 2>&1 | grep -q ^usage'

check "the kernels compile under AddressSanitizer and UBSan" build sanitized "$CC" "-O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer" "$kernels $tests" "-lm -pthread"
forward "sanitized" env ASAN_OPTIONS=detect_leaks=1 "$SCRATCH/sanitized/program"

#### Threads
linked="$ROOT/tests/kernels/threads.c -Wl,--wrap=pthread_create,--wrap=aligned_alloc -lm -pthread"
check "the thread tests compile under ThreadSanitizer" build threads "$CC" "-O1 -fsanitize=thread" "$kernels" "$linked"
forward "ThreadSanitizer" env TSAN_OPTIONS=halt_on_error=0 "$SCRATCH/threads/program"
check "the thread tests compile as they are" build threads-plain "$CC" -O2 "$kernels" "$linked"
forward "threads" "$SCRATCH/threads-plain/program"

#### NEON
if [ "$machine" != aarch64 ]; then
    check "the kernels compile for 64-bit ARM" build arm aarch64-linux-gnu-gcc "-O2 -static" "$kernels $tests" "-lm -pthread"
    forward "ARM" qemu-aarch64 "$SCRATCH/arm/program"
    check "ARM: NEON was found, and ran" eval 'best neon "$(wc -l <"$SCRATCH/err")" && ran neon'
    forward "ARM, DARKNET_CPU=-neon" env DARKNET_CPU=-neon qemu-aarch64 "$SCRATCH/arm/program"
    check "ARM, DARKNET_CPU=-neon: no kernels" eval 'best none "$(wc -l <"$SCRATCH/err")" && ! ran neon'
fi
finish
