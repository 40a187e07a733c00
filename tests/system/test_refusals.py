"""A kernel refusal at any operation: each operation of a program fails in turn, and the host is clean after each.

The program is what the planner makes; in its encoded form the operation is replaced by one that fails with an errno,
so the supervisor sees what it sees when the kernel refuses.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orlop.errors import OrlopError
from orlop.program.encode import encode
from orlop.program.layout import ARGUMENTS, CALL, EVENT, FAIL, OP_SIZE, WAIT
from orlop.program.ops import OP_STRUCT, Program
from orlop.runtime.create import create
from orlop.runtime.delete import delete
from orlop.runtime.exec import ExecRequest, exec_process
from orlop.runtime.options import Options
from orlop.runtime.run import run
from tests.system.bundles import Bundle
from tests.system.command import Runtime, poll
from tests.system.snapshot import Snapshot, children, reap
from tests.system.terminals import console_socket

pytestmark = [pytest.mark.usefixtures("clean_host"), pytest.mark.slow]


def failing(program: Program, index: int, error: int) -> Program:
    """The program with one operation that fails; what the program does about failures of that operation stays."""
    kind, result, _registers, count, number, *rest = OP_STRUCT.unpack_from(program.code, index * OP_SIZE)
    assert kind in (CALL, EVENT, WAIT)
    code = bytearray(program.code)
    arguments = [error] + [0] * (ARGUMENTS - 1)
    OP_STRUCT.pack_into(code, index * OP_SIZE, FAIL, result, 0, count, number, *arguments, *rest[ARGUMENTS:])
    return Program(
        program.architecture,
        program.control,
        bytes(code),
        program.data,
        program.scratch,
        program.names,
        program.purposes,
    )


class Injector:
    """Takes the place of the encoder: lets the operation `index` fail with `error`, and notes the operations there
    are; of the programs that clone a container's process, or, with `helper`, of the others."""

    def __init__(self) -> None:
        self.helper = False
        self.index = -1
        self.error = errno.EPERM
        self.kinds: list[int] = []
        self.names: list[str] = []

    def encode(self, program: Program) -> bytes:
        if ("clone3" in program.names) == self.helper:
            return encode(program)
        kinds = [op.kind for op in program.ops()]
        if self.index >= 0 and kinds != self.kinds:
            return encode(program)  # another attempt, in another way, after the refusal
        self.kinds = kinds
        self.names = program.names
        return encode(program if self.index < 0 else failing(program, self.index, self.error))

    @property
    def told(self) -> int:
        """The operation that tells the pid of what was cloned."""
        return -1 if self.helper else self.kinds.index(EVENT, self.names.index("clone3"))

    def points(self) -> list[int]:
        """The operations that ask the kernel for something."""
        return [index for index, kind in enumerate(self.kinds) if kind in (CALL, EVENT, WAIT)]


@pytest.fixture
def injector(monkeypatch: pytest.MonkeyPatch) -> Injector:
    found = Injector()
    monkeypatch.setattr(Program, "encoded", lambda program: found.encode(program))
    for module in ("recall", "exec_planning"):
        monkeypatch.setattr(f"orlop.runtime.{module}.own_code", lambda: None)  # each time anew, and not from memory
    return found


@pytest.fixture
def quiet(place: Path) -> Iterator[None]:
    """Containers write to a file instead of where the tests write."""
    saved = os.dup(1), os.dup(2)
    out = os.open(place / "output", os.O_WRONLY | os.O_CREAT, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(out)
    yield
    for number, fd in enumerate(saved, 1):
        os.dup2(fd, number)
        os.close(fd)


def rich(bundle: Bundle, place: Path) -> Bundle:
    """A config that uses most of what there is."""
    (place / "file").touch()
    (bundle.rootfs / "data").mkdir()
    (bundle.rootfs / "data/below").touch()
    bundle.bind(place / "file", "/etc/bound", "bind", "ro").bind(place, "/srv", "rbind", "rro", "rslave")
    bundle.mount("/data", "tmpfs", "tmpfs", "tmpcopyup", "ro").mount("/new/deep", "tmpfs", "tmpfs")
    bundle.namespace("cgroup").namespace("time").set("linux.timeOffsets", {"boottime": {"secs": 5}})
    bundle.bind(place, "/mapped", "bind", "ro")
    mapped = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.set("mounts[-1].uidMappings", mapped).set("mounts[-1].gidMappings", mapped)
    bundle.set("linux.devices", [{"path": "/dev/more/fuse", "type": "c", "major": 10, "minor": 229, "uid": 5}])
    bundle.set("linux.sysctl", {"net.ipv4.ip_forward": "1"}).set("linux.rootfsPropagation", "rshared")
    bundle.set("process.oomScoreAdj", 500).set("process.cwd", "/made").set("root.readonly", False)
    bundle.set("process.user", {"uid": 1000, "gid": 1000, "additionalGids": [5]})
    bundle.set("domainname", "example").set("linux.personality", {"domain": "LINUX"})
    for kind in ("createRuntime", "createContainer", "startContainer"):
        bundle.hook(kind, "exit 0", timeout=20)
    return bundle


def in_turn(
    runtime: Runtime, injector: Injector, attempt: Callable[[str], object], error: int = errno.EPERM, step: int = 1
) -> dict[int, str]:
    """Let every operation fail in turn; the messages by operation, of those attempts that failed."""
    injector.index = -1
    attempt(runtime.new_id())
    points = injector.points()
    assert len(points) > (1 if injector.helper else 50)
    injector.error = error
    reap()
    before = Snapshot(runtime.marker, runtime.root)
    messages = {}
    for injector.index in points[::step]:
        try:
            attempt(runtime.new_id())
        except OrlopError as found:
            messages[injector.index] = str(found)
            assert str(found) and "\n" not in str(found)
        if injector.index == injector.told:
            # Whom the executor cannot tell of ends by itself, and is reaped by who reaps the supervisor's orphans.
            # Looked at first: it may end between the two, and is then no process any more, but to be reaped.
            poll(lambda: not (Snapshot(runtime.marker, runtime.root).changes(before) or reap()))
        left = [name for _, name, letter in children() if letter == "Z"]
        assert left == [], f"operation {injector.index} leaves a dead process"
        assert Snapshot(runtime.marker, runtime.root).changes(before) == [], f"operation {injector.index}"
    injector.index = -1
    return messages


@pytest.mark.parametrize(("error", "step"), [(errno.EPERM, 1), (errno.ENOMEM, 3), (errno.ENOENT, 3), (errno.EINTR, 7)])
def test_run_with_the_default_config(
    runtime: Runtime, bundle: Bundle, injector: Injector, quiet: None, error: int, step: int
) -> None:
    options = Options(root=str(runtime.root), bundle=str(bundle.args("true").path))
    messages = in_turn(runtime, injector, lambda identity: run(identity, options), error, step)
    assert len(messages) > 100 / step
    if step > 1:
        return
    everything = " ".join(messages.values())
    for words in (
        'error mounting "proc" to rootfs at "/proc"',
        'error mounting "tmpfs" to rootfs at "/dev"',
        "error preparing rootfs",
        "error jailing process inside rootfs",
        'unable to set hostname "runc"',
        "unable to set uid 0",
        "operation not permitted",
    ):
        assert words in everything


@pytest.mark.parametrize("user", [False, True], ids=["host", "user namespace"])
def test_run_with_a_rich_config(
    runtime: Runtime, bundle: Bundle, place: Path, injector: Injector, quiet: None, user: bool
) -> None:
    rich(bundle, place)
    if user:
        bundle.user_namespace().set("linux.devices", [])
    options = Options(root=str(runtime.root), bundle=str(bundle.args("true").path))
    messages = in_turn(runtime, injector, lambda identity: run(identity, options), step=2 if user else 1)
    assert len(messages) > 50


def test_the_helper_of_an_id_mapped_mount(
    runtime: Runtime, bundle: Bundle, place: Path, injector: Injector, quiet: None
) -> None:
    mapped = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.bind(place, "/mapped").set("mounts[-1].uidMappings", mapped).set("mounts[-1].gidMappings", mapped)
    options = Options(root=str(runtime.root), bundle=str(bundle.args("true").path))
    injector.helper = True
    messages = in_turn(runtime, injector, lambda identity: run(identity, options))
    assert "unable to make a user namespace for an id-mapped mount: unshare" in " ".join(messages.values())


def test_create_with_a_terminal(runtime: Runtime, bundle: Bundle, place: Path, injector: Injector, quiet: None) -> None:
    bundle.set("process.terminal", True).args("true")
    with console_socket(place) as console:
        options = Options(root=str(runtime.root), bundle=str(bundle.path), console_socket=str(console.path))

        def attempt(identity: str) -> None:
            # The answer is in the socket's queue before `create` returns, or there is none.
            create(identity, options)
            os.close(console.receive()[0])
            delete(identity, options)
            reap()

        in_turn(runtime, injector, attempt, step=3)


def test_exec_leaves_the_container_alone(runtime: Runtime, bundle: Bundle, injector: Injector, quiet: None) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        options = Options(root=str(runtime.root))
        request = ExecRequest(args=["true"], cwd="/tmp", user=(1000, 1000))
        messages = in_turn(runtime, injector, lambda _: exec_process(container.id, request, options))
        assert len(messages) > 50
        assert len(container.shell("echo /proc/[0-9]*")[0].split()) == 2
