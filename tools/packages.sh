#!/bin/sh
# Installs the Debian packages that the tests use and this machine lacks.  Who is not root, or not on Debian, is told.
set -eu

wanted="busybox-static fish gcc-aarch64-linux-gnu groff jq libseccomp2 python3-venv qemu-user-static runc strace zsh"
missing=
for package in $wanted; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
test -n "$missing" || exit 0

if ! command -v apt-get >/dev/null || test "$(id -u)" -ne 0; then
    echo "The tests also want, as Debian names them:$missing" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq </dev/null
# shellcheck disable=SC2086  # the packages are words
apt-get install -qq --yes --no-install-recommends $missing </dev/null
