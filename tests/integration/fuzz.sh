# The fuzz targets over their seeds and some thousand mutations of each, under sanitizers. `make fuzz` is the real search.
. tests/tap.sh
replay() {
    local target=$1 mutations=$2
    shift 2
    ASAN_OPTIONS="detect_leaks=1:log_path=$SCRATCH/$target.asan:allocator_may_return_null=1" UBSAN_OPTIONS="print_stacktrace=1:log_path=$SCRATCH/$target.ubsan" "$SCRATCH/$target" "$mutations" "$@"
    local status=$?
    cat "$SCRATCH/$target".asan* "$SCRATCH/$target".ubsan* 2>/dev/null
    return $status
}
# target <name> <mutations of each seed> <seeds>
target() {
    local name=$1 mutations=$2
    shift 2
    # shellcheck disable=SC2046 # file names without blanks
    check "$name: the fuzz target compiles" gcc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -Iplugin \
        "tests/fuzz/$name.c" tests/fuzz/replay.c $(ls plugin/*.c | grep -v /host_) -lcjson -lz -lm -o "$SCRATCH/$name"
    check "$name: seeds and mutations of them do no harm" replay "$name" "$mutations" "$@"
    check "$name: as many inputs as were asked for" grep -qx "$(($# * (mutations + 1))) inputs" "$LOG"
}
target cfg 2000 tests/fuzz/cfg-seeds/*
target pweights 100 tests/fuzz/pweights-seeds/* tests/golden/*.pweights
finish
