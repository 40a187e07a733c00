#!/bin/sh
# Prints the version, for meson.build; orlop/version.py is where it is written.
sed -n 's/^VERSION = "\(.*\)"$/\1/p' "$(dirname "$0")/../orlop/version.py"
