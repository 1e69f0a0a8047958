#!/bin/bash
# The patch set itself: its form, that it applies and reverts exactly, and that every prefix of the series builds.
. tests/fixes/trees.sh
need_tree "$PRISTINE/Makefile" "$PLUGIN/plugin.mk"
PRISTINE=$(realpath "$PRISTINE")
PLUGIN=$(realpath "$PLUGIN")
SET=$ROOT/patches/pjreddie
HOOKS_FROM=0009
mapfile -t series <"$SET/series"

#### The files
listing_is_series() { (cd "$SET" && printf '%s\n' *.patch) | diff "$SET/series" -; }
check "patches: series lists exactly the patch files, in order" listing_is_series
numbered() {
    local n=0 patch
    for patch in "${series[@]}"; do
        n=$((n + 1))
        [[ $patch =~ ^[0-9]{4}-[a-z0-9-]+\.patch$ ]] && [ "${patch%%-*}" = "$(printf %04d $n)" ] || { echo "$patch"; return 1; }
    done
}
check "patches: they are numbered without gaps" numbered
upstream_reads() (
    unset package version orig_sha256 debian_sha256 debian_patches
    . "$SET/UPSTREAM"
    [ -n "$package" ] && [ -n "$version" ] && [[ $orig_sha256 =~ ^[0-9a-f]{64}$ ]] && [[ $debian_sha256 =~ ^[0-9a-f]{64}$ ]] && [ "$(wc -w <<<"$debian_patches")" = 3 ]
)
check "patches: UPSTREAM reads as shell variables" upstream_reads

header() { # PATCH: DEP-3 fields, an empty line, why and what, in lines that fit
    local text
    text=$(sed '/^--- a\//,$d' "$SET/$1")
    printf '%s\n' "$text"
    [[ $text =~ ^From:\ [^$'\n']+$'\n'Subject:\ [a-z0-9]+:\ [^$'\n']+$'\n'Forwarded:\ (no|not-needed|https?:)[^$'\n']*$'\n'Last-Update:\ [0-9]{4}-[0-9]{2}-[0-9]{2}$'\n'$'\n'Why:\ .*$'\n'What:\ . ]] &&
        [ "$(wc -L <<<"$text")" -le 120 ]
}
form() { # PATCH: nothing made new or removed, a/ and b/, no index or time, no blanks at the end of an added line
    local added
    added=$(grep '^+[^+]' "$SET/$1" | grep -n '[ 	]$')
    [ -z "$added" ] && ! grep -n '^Index:\|^diff \|^[-+]\{3\} /dev/null\|^[-+]\{3\} .*	' "$SET/$1" && grep -q '^--- a/' "$SET/$1" && ! grep -n '^--- [^a]\|^+++ [^b]' "$SET/$1"
}
for patch in "${series[@]}"; do
    check "patches: $patch has its DEP-3 header" header "$patch"
    check "patches: $patch is in the agreed form" form "$patch"
done

#### Applying and reverting, by patch alone
exact() { # PATCH [-R]: applies to the working directory without fuzz or offset
    local said
    said=$(patch -p1 -F0 --no-backup-if-mismatch -s --verbose ${2:-} <"$SET/$1" 2>&1)
    local status=$?
    echo "$said"
    [ $status = 0 ] && ! grep -qi 'offset\|fuzz\|reject\|ignored' <<<"$said"
}
cp -a "$PRISTINE" "$SCRATCH/plain"
cd "$SCRATCH/plain" || exit 1
for patch in "${series[@]}"; do check "patches: $patch applies without fuzz or offset" exact "$patch"; done
reverts() {
    local i
    for ((i = ${#series[@]} - 1; i >= 0; i--)); do exact "${series[i]}" -R || return 1; done
    diff -r "$PRISTINE" .
}
check "patches: the series reversed restores the pristine tree" reverts

#### quilt, on copies, since a refresh writes into the folder of the patches
cp -a "$ROOT/patches" "$SCRATCH/patches"
cp -a "$PRISTINE" "$SCRATCH/quilt"
cd "$SCRATCH/quilt" || exit 1
# What dpkg-source leaves behind, and a user's own settings: neither may have a say.
mkdir -p .pc
echo debian/patches >.pc/.quilt_patches
export QUILT_PATCHES=debian/patches QUILT_PC=.pc QUILT_REFRESH_ARGS='-p1 --diffstat'
q() { quilt --quiltrc "$SCRATCH/patches/quiltrc" "$@"; }
refreshes() { q push -a --refresh && diff -r "$ROOT/patches" "$SCRATCH/patches"; }
check "patches: a refresh of the whole series changes no byte" refreshes
pops() { q pop -a && rm -rf .pc .pc-prune && diff -r "$PRISTINE" .; }
check "patches: quilt pop -a restores the pristine tree" pops
unset QUILT_PATCHES QUILT_PC QUILT_REFRESH_ARGS

#### Hooks: one line each
hook_patches() { local patch; for patch in "${series[@]}"; do [[ ${patch%%-*} < $HOOKS_FROM ]] || echo "$SET/$patch"; done; }
hook_names() { sed -n 's/^[A-Za-z ]*[ *]\(\(run_\)\{0,1\}prune[a-z_]*\)(.*);$/\1/p' "$PLUGIN/prune_hooks.h"; }
each_hook_once() {
    local name count some=0
    for name in $(hook_names); do
        some=1
        count=$(cat $(hook_patches) | grep -c "^+.*\b$name(.*;\$")
        echo "$name $count"
        [ "$count" = 1 ] || return 1
    done
    [ $some = 1 ]
}
check "patches: every hook of prune_hooks.h is called in exactly one line" each_hook_once
only_hooks() {
    local patch
    for patch in $(hook_patches); do
        [[ $patch = */$HOOKS_FROM-* ]] && continue
        grep '^+[^+]' "$patch" | grep -v '^+#include "prune_hooks.h"$\|^+ *prune_[a-z_]*([a-z, ]*);$\|^+ *fp = prune_open_weights(fp, net, filename, cutoff);$\|return run_prune(argc, argv);$' && return 1
    done
    return 0
}
check "patches: the hook patches add nothing but hooks and their header" only_hooks
nothing_removed() { ! grep -n '^-[^-]\|^-$' $(hook_patches); }
check "patches: the hook patches change and remove no line of Darknet" nothing_removed
few_lines() { local n; n=$(cat $(hook_patches) | grep -c '^+[^+]'); echo "$n lines"; [ "$n" -le 20 ]; }
check "patches: the hooks are at most 20 added lines" few_lines

#### Every prefix builds and starts; no patch brings a warning
cp -a "$PRISTINE" "$SCRATCH/prefix"
cd "$SCRATCH/prefix" || exit 1
printf '[net]\nheight=4\nwidth=4\nchannels=3\n[convolutional]\nfilters=2\nsize=3\npad=1\nactivation=leaky\n' >"$SCRATCH/tiny.cfg"
builds() {
    make -j2 OPTS=-O0 PLUGIN="$PLUGIN" >make.log 2>&1
    local status=$?
    tail -3 make.log
    [ $status = 0 ] && ./darknet ops "$SCRATCH/tiny.cfg" | grep 'Floating Point Operations'
}
warnings() { grep -h ' warning: ' make.log | sed 's/:[0-9]*:[0-9]*:/:/' | sort -u; }
check "patches: the pristine tree builds and starts" builds
warnings >"$SCRATCH/warnings"
for patch in "${series[@]}"; do
    exact "$patch" >>"$LOG" 2>&1
    check "patches: the series up to $patch builds and starts" builds
    warnings >>"$SCRATCH/warnings.new"
done
no_new_warnings() { ! grep -vxF -f "$SCRATCH/warnings" "$SCRATCH/warnings.new"; }
check "patches: no patch brings a compiler warning" no_new_warnings
knows_header() { make -n OPTS=-O0 PLUGIN="$PLUGIN" -W "$PLUGIN/prune_hooks.h" | grep -c -e '-o obj/parser.o' -e '-o obj/network.o' -e '-o obj/darknet.o' | grep -x 3; }
check "patches: a changed prune_hooks.h rebuilds the files that call hooks" knows_header
in_libraries() { nm libdarknet.a 2>/dev/null | grep -q 'T prune_net_ready' && nm -D libdarknet.so | grep -q 'T prune_net_ready'; }
check "patches: the plugin is in both libraries" in_libraries
finish
