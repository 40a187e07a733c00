#!/bin/sh
# Lists the package's files that are installed as they are, for meson.build.
cd "$(dirname "$0")/.."
find orlop -name '*.py' -o -name py.typed | LC_ALL=C sort
