"""A signal whose handler raises, at each moment of a command: the container is made whole, or not at all."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.meta.sources import ROOT
from tests.system.bundles import Bundle
from tests.system.command import Runtime

pytestmark = pytest.mark.usefixtures("clean_host")

# Interrupts `work` at the moment that is `at` calls after its beginning, by the profiler, which Python asks between
# any call and the storing of its result.
_PROGRAM = """
import json, os, signal, sys, threading
source, root, bundle, name, what, how, points = sys.argv[1:]
sys.path.insert(0, source)
import orlop
from orlop.runtime import exec_planning, launch, recall
from orlop.runtime.exec import ExecRequest, spawn_in
from orlop.runtime.options import Options

launch._GLANCE = 1000.0  # a busy machine makes the same calls as a quiet one

def create():
    orlop.Container.create(name, bundle, root=root)

def execute():
    spawn_in(name, ExecRequest(args=["sleep", "1000"]), Options(root=root))

def interrupted(work, at):
    # Do it with an interrupt; which calls there were, and whether it was interrupted.
    calls = []
    def profiler(frame, event, argument):
        if event in ("call", "c_return"):
            calls.append(getattr(argument, "__name__", ""))
            if len(calls) == at:
                signal.raise_signal(signal.SIGINT)
    sys.setprofile(profiler)
    try:
        work()
        return calls, False
    except KeyboardInterrupt:
        return calls, True
    finally:
        sys.setprofile(None)

def rest():
    # End what there is; how many processes that was.
    before = len(reaped(os.WNOHANG))
    if what == "create" and os.path.exists(f"{root}/{name}"):
        box = orlop.Container(name, root=root)
        assert box.status == "created", box.status
        box.delete(force=True)
        before += len(reaped(0))
    elif what == "execute":
        children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
        for pid in children:
            if int(pid) != box_pid:
                os.kill(int(pid), 9)
                os.waitpid(int(pid), 0)
                before += 1
    return before

def reaped(how):
    pids = []
    while True:
        try:
            pid, _ = os.waitpid(-1, how)
        except ChildProcessError:
            return pids
        if not pid:
            return pids
        pids.append(pid)

handler = signal.getsignal(signal.SIGINT)
box_pid = 0
if what == "execute":
    container = orlop.Container.create(name, bundle, root=root)
    container.start()
    box_pid = container.state()["pid"]
work = {"create": create, "execute": execute}[what]
if how == "planned":
    recall.own_code = exec_planning.own_code = lambda: None
for _ in range(2):  # what is planned a second time is remembered
    interrupted(work, 0)
    rest()
calls, _ = interrupted(work, 0)
assert rest() == 1
chosen = {at for at, call in enumerate(calls, 1) if call in ("posix_spawn", "recvmsg", "waitpid", "socketpair")}
chosen |= set(range(1, len(calls) + 1, max(1, len(calls) // int(points))))
found = []
for at in sorted(chosen):
    _, stopped = interrupted(work, at)
    assert signal.getsignal(signal.SIGINT) is handler
    found.append((at, calls[at - 1], stopped, rest()))
if what == "execute":
    container.delete(force=True)
print(json.dumps(found))
"""


HOW = pytest.mark.parametrize("how", ["planned", "recalled"])


@HOW
def test_a_create_that_is_interrupted_at_any_moment_loses_no_process(
    runtime: Runtime, bundle: Bundle, how: str
) -> None:
    found = _interrupted(runtime, bundle.args("true"), "create", how)
    assert [row for row in found if row[1] == "posix_spawn"] and [row for row in found if row[1] == "recvmsg"]
    # One interrupt may come when all is done: as the call returns.
    whole = [row for row in found if row[2] and row[3]]
    assert len(whole) <= 10 and all(row[0] > found[-1][0] * 0.7 for row in whole), whole
    assert [row for row in found if row[2] and not row[3]]
    spawned = [row for row in found if row[1] in ("posix_spawn", "recvmsg")]
    assert all(stopped and left == 0 for _, _, stopped, left in spawned), spawned


@HOW
def test_an_exec_that_is_interrupted_at_any_moment_loses_no_process(runtime: Runtime, bundle: Bundle, how: str) -> None:
    found = _interrupted(runtime, bundle.args("sleep", "1000"), "execute", how)
    spawned = [row for row in found if row[1] in ("posix_spawn", "recvmsg")]
    assert spawned and all(stopped and left == 0 for _, _, stopped, left in spawned), spawned


def _interrupted(runtime: Runtime, bundle: Bundle, what: str, how: str) -> list[tuple[int, str, bool, int]]:
    """For each moment: which it was, after which call, was the caller told, how many processes were left."""
    runtime.root.mkdir(exist_ok=True)
    names = [str(ROOT), str(runtime.root), str(bundle.path), runtime.new_id(), what, how, "60"]
    argv = [sys.executable, "-c", _PROGRAM, *names]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [(at, call, stopped, left) for at, call, stopped, left in json.loads(done.stdout)]
