#!/bin/sh
# Compiles the two native programs.  The only place that knows how: make and meson.build both call it.
#
#   tools/native.sh executor OUTPUT [CC ...]
#   tools/native.sh launcher OUTPUT [CC ...]
set -eu

what=$1
output=$2
shift 2
test $# -gt 0 || set -- "${CC:-cc}"
source=$(cd "$(dirname "$0")/.." && pwd)

# Static and without a libc: no loader, no start-up code, no thread-local storage (which the stack protector needs).
flags="-std=gnu11 -Os -ffreestanding -fno-builtin -fno-stack-protector -fno-pie -fomit-frame-pointer
    -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-ident -fcf-protection=none
    -Wall -Wextra -Werror -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unknown-warning-option
    -nostdlib -static -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,norelro"

case $("$@" -dumpmachine) in
    x86_64*) ;;
    aarch64*)
        # -fcf-protection is x86's; the atomics' out-of-line helpers would come from libgcc, which is not linked.
        flags="$(echo "$flags" | sed 's/-fcf-protection=none//') -mno-outline-atomics" ;;
    *)
        echo "$0: orlop is for x86-64 and AArch64, and '$*' compiles for $("$@" -dumpmachine)" >&2
        exit 1 ;;
esac

case $what in
    # The linker script gives the fixed layout; pages may hold both text and data, so the file stays a few KB.
    executor) set -- "$@" -Wl,-T,"$source/orlop/executor/executor.ld" "$source/orlop/executor/init.c" ;;
    launcher) set -- "$@" -Wl,-z,noseparate-code "$source/launcher/launcher.c" "$source/launcher/replay.c" ;;
    *) echo "$0: nothing is called '$what'" >&2; exit 1 ;;
esac

mkdir -p "$(dirname "$output")"
# Made beside its place and renamed: a running container runtime never sees half a program.
temporary=$output.$$
trap 'rm -f "$temporary"' EXIT
# shellcheck disable=SC2086  # the flags are words
"$@" $flags -s -o "$temporary"
chmod 755 "$temporary"
mv -f "$temporary" "$output"
