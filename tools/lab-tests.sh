#!/bin/sh
# Runs the tests of containers on another machine: LAB is a command that starts one with this directory in it as /work,
# and runs there what follows its `--`; it may get flags, such as `LAB="lab run --timeout 580"` or `... --user`.
#
#     LAB="lab run --ns" tools/lab-tests.sh tests/system/test_systemd.py
#
# The machine has Python, and neither a compiler nor a network: what was built here and pytest are taken along.
set -eu

: "${LAB:?set it to a command that runs another in a machine, with this directory as /work}"
cd "$(dirname "$0")/.."
test -x build/orlop || make
python=${PYTEST_PYTHON:-build/venv/bin/python}
test -x $python || python=python3
site=build/lab-site
rm -rf $site
mkdir -p $site
for module in pytest _pytest py pluggy iniconfig packaging pygments hypothesis sortedcontainers; do
    from=$($python -c "import $module; print($module.__file__.removesuffix('/__init__.py'))")
    cp -r "$from" $site/
done
test $# -gt 0 || set -- tests/system
# shellcheck disable=SC2086,SC2016  # LAB is a command with flags; the script is the other machine's
exec $LAB -- sh -c '
    cd /work
    export ORLOP_TEST_CYCLES='"${ORLOP_TEST_CYCLES:-20}"'
    test ! -w build/orlop.python || python3 tools/interpreter.py > build/orlop.python
    export PYTHONPATH=/work/build/lab-site PYTHONDONTWRITEBYTECODE=1
    exec python3 -m pytest -q -p no:cacheprovider "$@"' sh "$@"
