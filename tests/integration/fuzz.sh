# The fuzz target of the cfg reader over its seeds and some thousand mutations of each, under sanitizers. `make fuzz` is the real search.
. tests/tap.sh
# shellcheck disable=SC2046 # file names without blanks
check "the fuzz target compiles" gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -Iplugin \
    tests/fuzz/cfg.c tests/fuzz/replay.c $(ls plugin/*.c | grep -v /host_) -lcjson -lz -lm -o "$SCRATCH/replay"
replay() {
    ASAN_OPTIONS="detect_leaks=1:log_path=$SCRATCH/asan:allocator_may_return_null=1" UBSAN_OPTIONS="print_stacktrace=1:log_path=$SCRATCH/ubsan" "$SCRATCH/replay" 2000 tests/fuzz/seeds/*
    local status=$?
    cat "$SCRATCH"/asan* "$SCRATCH"/ubsan* 2>/dev/null
    return $status
}
check "seeds and mutations of them do no harm" replay
check "as many inputs as were asked for" grep -q '^[0-9]\{4,\} inputs$' "$LOG"
finish
