"""A system call that takes for ever, of the executor or of the process that it has cloned: who waits for it can stop.

To open a fifo that nobody writes to takes for ever; so does a file of a server that does not answer (NFS, FUSE).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Runtime
from tests.system.snapshot import reap

pytestmark = pytest.mark.usefixtures("clean_host")
SIGNALS = pytest.mark.parametrize("name", ["HUP", "INT", "TERM"])
OF_ORLOP = "runc waits for ever"


@contextmanager
def hanging(words: Sequence[str], place: str, given: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A command, when a child of it waits at a place of the kernel; `given` is to be its descriptor 3."""
    script = "exec" if given is None else f"exec 3<&{given}; exec"
    process = subprocess.Popen(
        ["bash", "-c", f'{script} "$@"', "bash", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=[] if given is None else [given],
    )
    try:
        until(process, lambda: place in waiting(process.pid))
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def until(process: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None and time.monotonic() < deadline


def waiting(pid: int) -> list[str]:
    """Where in the kernel the children of a process are."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            found.append(Path(f"/proc/{child}/wchan").read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


FIFO, SERVER = "wait_for_partner", "fuse_get_req"


@pytest.fixture
def fifo(bundle: Bundle, place: Path) -> Bundle:
    """A bundle whose executor hangs: it opens the network namespace."""
    os.mkfifo(place / "namespace")
    return bundle.namespace("network", str(place / "namespace")).args("true")


@pytest.fixture
def server(bundle: Bundle) -> Iterator[int]:
    """The descriptor to be given to a container of the bundle: that of the server of /mnt, which does not answer."""
    try:
        found = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        pytest.skip("needs /dev/fuse")
    bundle.mount("/mnt", "fuse", "silent", "fd=3", "rootmode=40000", "user_id=0", "group_id=0")
    yield found
    os.close(found)


def test_an_executor_that_hangs_is_given_up(runtime: Runtime, fifo: Bundle) -> None:
    with hanging(runtime.command("create", "-b", fifo.path, runtime.new_id()), FIFO) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130


@SIGNALS
def test_a_run_whose_executor_hangs_can_be_stopped(runtime: Runtime, fifo: Bundle, name: str) -> None:
    if not runtime.is_orlop:
        pytest.skip(OF_ORLOP)
    number = getattr(signal, f"SIG{name}")
    with hanging(runtime.command("run", "-b", fifo.path, runtime.new_id()), FIFO) as process:
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number


def test_a_run_with_a_terminal_that_hangs_can_be_stopped(runtime: Runtime, fifo: Bundle) -> None:
    if not runtime.is_orlop:
        pytest.skip(OF_ORLOP)
    fifo.set("process.terminal", True)
    with hanging(runtime.command("run", "-b", fifo.path, runtime.new_id()), FIFO) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM


@SIGNALS
def test_a_run_whose_process_hangs_can_be_stopped(runtime: Runtime, bundle: Bundle, server: int, name: str) -> None:
    if not runtime.is_orlop:
        pytest.skip(OF_ORLOP)
    number = getattr(signal, f"SIG{name}")
    bundle.set("process.cwd", "/mnt/below").args("true")
    words = runtime.command("run", "--preserve-fds", "1", "-b", bundle.path, runtime.new_id())
    with hanging(words, SERVER, server) as process:
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number


@SIGNALS
def test_an_exec_whose_process_hangs_can_be_stopped(runtime: Runtime, bundle: Bundle, server: int, name: str) -> None:
    if not runtime.is_orlop:
        pytest.skip(OF_ORLOP)
    number, container = getattr(signal, f"SIG{name}"), runtime.new_id()
    words = runtime.command("run", "-d", "--preserve-fds", "1", "-b", bundle.args("sleep", "1000").path, container)
    subprocess.run(["bash", "-c", f'exec 3<&{server}; exec "$@"', "bash", *words], pass_fds=[server], check=True)
    try:
        with hanging(runtime.command("exec", "--cwd", "/mnt/below", container, "true"), SERVER) as process:
            process.send_signal(number)
            assert process.wait(PATIENCE) == 128 + number
        pid = json.loads(runtime("state", container).stdout)["pid"]
        assert json.loads(runtime("ps", "-f", "json", container).stdout) == [pid]
    finally:
        runtime("delete", "--force", container)
        reap()
