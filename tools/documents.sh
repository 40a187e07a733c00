#!/bin/sh
# Makes a manual (documents.sh manual DIRECTORY) or a completion (documents.sh SHELL FILE); for meson, also installs
# one (documents.sh install SHELL PLACE, below $MESON_INSTALL_DESTDIR_PREFIX).
set -eu
root=$(dirname "$(dirname "$(readlink -f "$0")")")
case $1 in
manual)
	exec python3 "$root/tools/manual.py" "$2"
	;;
install)
	mkdir -p "$(dirname "$MESON_INSTALL_DESTDIR_PREFIX/$3")"
	exec install -m 644 "$MESON_BUILD_ROOT/completion.$2" "$MESON_INSTALL_DESTDIR_PREFIX/$3"
	;;
*)
	PYTHONPATH=$root exec python3 -m orlop completion "$1" > "$2"
	;;
esac
