# `make`: a second one does nothing, a wrong checksum stops it, without a network it says what is missing, and DARKNET_SRC is only read.
. tests/tap.sh
cache=$PWD/$BUILD/packages
tree=$SCRATCH/tree
mkdir -p "$tree" && cp -a Makefile patches plugin "$tree"
unset MAKEFLAGS MAKELEVEL MFLAGS
in_tree() { make -C "$tree" "$@"; }

one_line() { # one_line <text>: the last command's stderr, without make's own lines, is one line that holds the text
    grep -v '^make' "$SCRATCH/err" >"$SCRATCH/lines"
    [ "$(wc -l <"$SCRATCH/lines")" -eq 1 ] && grep -qF -- "$1" "$SCRATCH/lines"
}

# An empty folder of apt sources is what a machine without a network amounts to: nothing can be fetched.
mkdir -p "$SCRATCH/etc/sources.list.d"
DARKNET_APT_ETC=$SCRATCH/etc in_tree >"$SCRATCH/out" 2>"$SCRATCH/err"
check "without network and package: make fails" test $? -ne 0
check "without network and package: one line says what to do" one_line "could not be fetched"

mkdir -p "$tree/build/packages" && cp "$cache"/*.xz "$tree/build/packages" && printf x >>"$(ls "$tree"/build/packages/*.debian.tar.xz)"
in_tree >"$SCRATCH/out" 2>"$SCRATCH/err"
check "a wrong checksum: make fails" test $? -ne 0
check "a wrong checksum: one line names the file" one_line "has the wrong SHA-256"

cp "$cache"/*.xz "$tree/build/packages"
check "make builds from the cached package, OPTS overridden" in_tree OPTS=-O0
check "darknet, libdarknet.a and libdarknet.so are there" test -x "$tree/darknet/darknet" -a -f "$tree/darknet/libdarknet.a" -a -f "$tree/darknet/libdarknet.so"
check "OpenBLAS is linked in" sh -c "ldd '$tree/darknet/darknet' | grep -q openblas"
check "OPTS reached Darknet" sh -c "grep -q -- '-O0 -c ./src/gemm.c' '$tree/build/darknet.log'"
check "Darknet's OPTS do not reach the plugin" sh -c "! grep 'plugin/mask.c' '$tree/build/darknet.log' | grep -q -- '-O0\|-Ofast\|fast-math'"
touch "$SCRATCH/stamp"
in_tree OPTS=-O0 >"$SCRATCH/out" 2>&1
check "a second make does nothing" sh -c "[ -z \"\$(find '$tree/darknet' -newer '$SCRATCH/stamp' -type f)\" ] && ! grep -q built '$SCRATCH/out'"

# An own checkout: pjreddie's tree without Debian's patches, git's history, and a file that Darknet does not have.
own=$SCRATCH/own
mkdir -p "$own/.git" && tar -C "$own" --strip-components=1 -xf "$(ls "$cache"/*.orig.tar.xz)" && echo history >"$own/.git/HEAD" && echo mine >"$own/cfg/mine.cfg"
(cd "$own" && find . -type f -exec sha256sum {} + | sort) >"$SCRATCH/before"
chmod -R a-w "$own"
check "DARKNET_SRC builds" in_tree OPTS=-O0 DARKNET_SRC="$own"
chmod -R u+w "$own"
(cd "$own" && find . -type f -exec sha256sum {} + | sort) >"$SCRATCH/after"
check "DARKNET_SRC is not written into" cmp "$SCRATCH/before" "$SCRATCH/after"
check "DARKNET_SRC's own files are in the patched copy" test -f "$tree/darknet/cfg/mine.cfg" -a -x "$tree/darknet/darknet"
cp "$own/src/network.c" "$SCRATCH/network.c"
sed -i 's/^    ++\*net.t;/    *net.t += 1;/' "$own/src/network.c"
in_tree DARKNET_SRC="$own" clean >"$SCRATCH/out" 2>&1
in_tree DARKNET_SRC="$own" >"$SCRATCH/out" 2>"$SCRATCH/err"
check "DARKNET_SRC that was changed where a hook goes: make fails" test $? -ne 0
check "and names the patch" grep -q "0012-hook-training.patch does not apply" "$SCRATCH/err"
check "and leaves no half-patched tree" test ! -e "$tree/darknet"
cp "$SCRATCH/network.c" "$own/src/network.c"
echo "network_state" >>"$own/include/darknet.h"
in_tree DARKNET_SRC="$own" clean >"$SCRATCH/out" 2>&1
in_tree DARKNET_SRC="$own" >"$SCRATCH/out" 2>"$SCRATCH/err"
check "DARKNET_SRC of another fork: make fails" test $? -ne 0
check "DARKNET_SRC of another fork: one line names it" one_line "AlexeyAB"
in_tree DARKNET_SRC="$SCRATCH/etc" >"$SCRATCH/out" 2>"$SCRATCH/err"
check "DARKNET_SRC that is no Darknet: one line says so" one_line "is no Darknet checkout"
finish
