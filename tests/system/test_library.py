"""orlop.Container in programs that have threads, signal handlers and children of their own; and commands that are
started in strange places."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import orlop
from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Runtime

pytestmark = pytest.mark.usefixtures("clean_host")

THREADS = 50
EVERY = [number for number in range(1, 65) if number not in (32, 33)]


def at_once(work: Callable[[int], object]) -> dict[int, object]:
    """What `work` returns in each of many threads, or the error that it raises."""
    found: dict[int, object] = {}

    def one(number: int) -> None:
        try:
            found[number] = work(number)
        except BaseException as error:
            found[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.fixture
def undisturbed(clean_host: None) -> Iterator[None]:
    """The program is afterwards as it was before: descriptors, handlers, mask, directory, environment, threads, and a
    child of its own."""

    def state() -> tuple[object, ...]:
        mask = os.umask(0o77)
        os.umask(mask)
        handlers = [signal.getsignal(number) for number in EVERY]
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        descriptors = len(os.listdir("/proc/self/fd"))
        environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
        return descriptors, handlers, blocked, os.getcwd(), environment, mask, threading.active_count()

    with subprocess.Popen(["sh", "-c", "read word; exit 5"], stdin=subprocess.PIPE) as child:
        before = state()
        yield
        assert state() == before
        child.communicate()
        assert child.returncode == 5


@pytest.mark.usefixtures("undisturbed")
def test_containers_of_one_bundle_from_many_threads_tell_the_truth(runtime: Runtime, bundle: Bundle) -> None:
    bundle.shell("exit 7")
    names = [runtime.new_id() for _ in range(THREADS)]

    def work(number: int) -> object:
        with orlop.Container.create(names[number], str(bundle.path), root=str(runtime.root)) as box:
            box.start()
            code = box.wait(timeout=PATIENCE)
            assert box.account is not None
            return code, box.account.exit_code, box.account.reason

    assert at_once(work) == dict.fromkeys(range(THREADS), (7, 7, "exit"))


@pytest.mark.usefixtures("undisturbed")
def test_processes_from_many_threads_tell_the_truth(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        box = orlop.Container(container.id, root=str(runtime.root))
        told = at_once(lambda number: box.exec("sh", "-c", f"exit {number}"))
    assert told == {number: number for number in range(THREADS)}


@pytest.mark.usefixtures("undisturbed")
def test_of_many_threads_that_want_one_id_one_gets_it(runtime: Runtime, bundle: Bundle) -> None:
    bundle.args("sleep", "1000")
    name = runtime.new_id()
    told = at_once(lambda _: orlop.Container.create(name, str(bundle.path), root=str(runtime.root)))
    made = [each for each in told.values() if isinstance(each, orlop.Container)]
    for each in made:
        each.delete(force=True)
    assert len(made) == 1
    others = [each for each in told.values() if isinstance(each, orlop.StateError)]
    assert len(others) == THREADS - 1


def _reap_all(number: int, frame: object) -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


@pytest.mark.parametrize("handler", [signal.SIG_IGN, _reap_all], ids=["ignores", "reaps"])
def test_a_program_that_reaps_every_child_is_told_that_nobody_knows_the_end(
    runtime: Runtime, bundle: Bundle, handler: signal.Handlers
) -> None:
    """Unless there is a monitor; and nothing is left behind."""
    root, path = str(runtime.root), str(bundle.path)
    before = signal.signal(signal.SIGCHLD, handler)
    try:
        bundle.shell("exit 3")
        with orlop.Container.create(runtime.new_id(), path, root=root, monitor=True) as box:
            box.start()
            assert box.wait(timeout=PATIENCE) == 3
        with pytest.raises(orlop.StateError, match="reaped by another part of this program") as caught:
            orlop.Container.run(runtime.new_id(), path, root=root)
        assert "monitor=True" in str(caught.value.hint)
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_program_that_ignores_its_children_is_told_that_nobody_knows_the_end_of_a_process(
    runtime: Runtime, bundle: Bundle
) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            with pytest.raises(orlop.StateError, match="reaped by another part of this program"):
                orlop.Container(container.id, root=str(runtime.root)).exec("true")
        finally:
            signal.signal(signal.SIGCHLD, before)


def closing(closed: tuple[int, ...], then: str, *words: str) -> int:
    """The exit status of a program that closes some of its standard streams first."""
    script = f"import os, sys; [os.close(number) for number in {closed}]; {then}"
    done = subprocess.run(
        [sys.executable, "-c", script, *words], check=False, timeout=PATIENCE, cwd=Path(__file__).parents[2]
    )
    return done.returncode


def are_null(closed: tuple[int, ...]) -> str:
    return " && ".join(f"[ /proc/self/fd/{number} -ef /dev/null ]" for number in closed)


@pytest.mark.parametrize("closed", [(0,), (1, 2), (0, 1, 2)], ids=str)
def test_a_daemon_whose_streams_are_closed_gives_its_containers_dev_null(
    runtime: Runtime, bundle: Bundle, closed: tuple[int, ...]
) -> None:
    bundle.hook("createRuntime", "cat > /dev/null").shell(f"{are_null(closed)} || exit 3; exit 7")
    call = f"orlop.Container.run({runtime.new_id()!r}, {str(bundle.path)!r}, root={str(runtime.root)!r})"
    assert closing(closed, f"import orlop; os._exit({call})") == 7


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_a_command_whose_streams_are_closed_has_dev_null_for_them(
    runtime: Runtime, bundle: Bundle, closed: tuple[int, ...]
) -> None:
    bundle.shell(f"{are_null(closed)} || exit 3; exit 7")
    words = runtime.command("run", "-b", bundle.path, runtime.new_id())
    assert closing(closed, "os.execv(sys.argv[1], sys.argv[1:])", *words) == 7


def test_a_command_whose_parent_ignores_sigchld_still_knows_how_it_ended(runtime: Runtime, bundle: Bundle) -> None:
    then = "import signal; signal.signal(17, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    assert closing((), then, *runtime.command("run", "-b", bundle.shell("exit 7").path, runtime.new_id())) == 7
    with runtime.running(bundle.args("sleep", "1000")) as container:
        assert closing((), then, *runtime.command("exec", container.id, "sh", "-c", "exit 3")) == 3


@pytest.mark.usefixtures("clean_host")
def test_signals_of_an_event_loop_restart_system_calls_afterwards_too(runtime: Runtime, bundle: Bundle) -> None:
    """asyncio asks for that (siginterrupt(3)), and what is written in C may depend on it; other handlers do not."""
    runtime.root.mkdir(exist_ok=True)
    numbers = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT)

    async def work() -> int:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: None)
        before = [_restarts(number) for number in numbers]
        code = orlop.Container.run(runtime.new_id(), str(bundle.args("true").path), root=str(runtime.root))
        assert [_restarts(number) for number in numbers] == before == [True, False, False]
        return code

    handler = signal.signal(signal.SIGUSR2, lambda *_: None)
    try:
        assert asyncio.run(work()) == 0
    finally:
        signal.signal(signal.SIGUSR2, handler)


class _Action(ctypes.Structure):
    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_byte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


def _restarts(number: int) -> bool:
    """Are system calls restarted after this signal (sigaction(2))?"""
    action = _Action()
    assert ctypes.CDLL(None).sigaction(number, None, ctypes.byref(action)) == 0
    return bool(action.flags & 0x1000_0000)
