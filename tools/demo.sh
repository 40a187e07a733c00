#!/bin/sh
# Runs a container whose root is this machine's own /usr, and shows it from inside.  Nothing is downloaded.
set -eu

cd "$(dirname "$0")/.."
orlop=$PWD/build/orlop
bundle=$(mktemp -d)
trap 'rm -rf "$bundle"' EXIT
rootless=
test "$(id -u)" -eq 0 || rootless=--rootless
cd "$bundle"

say() { printf '\n$ %s\n' "$*"; }

inside='
echo "I am process $$, on $(hostname), and $(id)."
echo
echo "All processes here:"
ps -e -o pid,user,args
echo
echo "All mounts here:"
mount | awk "{ print \"  \" \$3, \$5, \$6 }"
echo
echo "May I write to /usr?"
touch /usr/orlop-was-here || true
'

say orlop spec $rootless --host -- sh -c ...
"$orlop" spec $rootless --host -- sh -c "$inside" </dev/null
say orlop run "demo-$$"
"$orlop" run "demo-$$" </dev/null
