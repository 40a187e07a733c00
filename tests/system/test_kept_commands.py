"""`start` and `delete` that came before need no interpreter; nobody can tell but by the time that they take."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orlop.host.cache import place
from orlop.program.layout import OP_SIZE
from tests.system.bundles import Bundle
from tests.system.command import Container, Done, Runtime, poll
from tests.system.snapshot import Snapshot, reap
from tests.system.test_replay import calls, entries, failing

__all__ = ["entries"]
_numbers = itertools.count(1)

pytestmark = pytest.mark.usefixtures("packed", "launched", "clean_host")


def new_id(runtime: Runtime) -> str:
    """An id that is as long as all others."""
    return f"{runtime.marker}-kept-{next(_numbers):04}"


def create(runtime: Runtime, bundle: Bundle) -> Container:
    container = Container(runtime, bundle, new_id(runtime))
    runtime("create", "-b", bundle.path, container.id)
    return container


def ended(container: Container) -> None:
    poll(lambda: container.status == "stopped")


def known(path: Path) -> set[str]:
    return {each.name for each in path.iterdir()} if path.exists() else set()


@pytest.fixture
def kept(runtime: Runtime, bundle: Bundle) -> Iterator[Bundle]:
    """A bundle; `start` and `delete` are kept."""
    bundle.args("true")
    container = create(runtime, bundle)
    container.start()
    ended(container)
    runtime("delete", container.id)
    assert len(known(Path(place("runs")))) == len(("start", "delete"))
    yield bundle
    reap()


def traced(runtime: Runtime, *words: str) -> Done:
    """A command whose system calls are in the file `trace` of the state root's parent."""
    trace = runtime.root.parent / "trace"
    other = Runtime(["strace", "-f", "-o", str(trace), "-e", "execve", *runtime.argv], runtime.root, runtime.marker)
    done = other(*words)
    assert "python" not in "".join(trace.read_text().splitlines()[1:])
    trace.unlink()
    return done


def test_they_need_no_interpreter(runtime: Runtime, kept: Bundle) -> None:
    container = create(runtime, kept)
    traced(runtime, "start", container.id)
    ended(container)
    traced(runtime, "delete", container.id)
    assert not (runtime.root / container.id).exists()


def test_start_lets_the_program_run(runtime: Runtime, kept: Bundle) -> None:
    container = create(runtime, kept.args("sleep", "1000"))
    assert container.status == "created"
    container.start()
    assert container.status == "running"
    refused = runtime("start", container.id, status=1)
    assert "cannot start an already running container" in refused.stderr
    refused = runtime("delete", container.id, status=1)
    assert "is not stopped" in refused.stderr and container.status == "running"
    container.kill()
    runtime("delete", container.id)


def test_a_paused_container_is_not_started(runtime: Runtime, kept: Bundle) -> None:
    container = create(runtime, kept.args("sleep", "1000"))
    runtime("pause", container.id)
    refused = runtime("start", container.id, status=1)
    assert "cannot start a container in the paused state" in refused.stderr
    runtime("resume", container.id)
    container.start()
    runtime("delete", "--force", container.id)


def test_a_container_whose_process_is_dead_is_not_started(runtime: Runtime, kept: Bundle) -> None:
    container = create(runtime, kept)
    container.kill()
    reap()
    assert "cannot start a container that has stopped" in runtime("start", container.id, status=1).stderr
    runtime("delete", container.id)


def test_a_created_container_is_deleted(runtime: Runtime, kept: Bundle) -> None:
    container = create(runtime, kept)
    runtime("delete", container.id)
    assert not (runtime.root / container.id).exists()


def test_an_unknown_id_is_told_of(runtime: Runtime, kept: Bundle) -> None:
    for command in ("start", "delete"):
        assert "container does not exist" in runtime(command, new_id(runtime), status=1).stderr


def test_what_an_exec_and_an_update_have_left_is_removed_too(runtime: Runtime, kept: Bundle) -> None:
    container = create(runtime, kept.args("sleep", "1000"))
    container.start()
    runtime("update", "--pids-limit", "100", container.id)
    for _ in range(2):
        container.exec("true")
    container.kill()
    runtime("delete", container.id)
    assert not (runtime.root / container.id).exists()


def test_hooks_are_run(runtime: Runtime, kept: Bundle, place: Path) -> None:
    for kind in ("poststart", "poststop"):
        kept.hook(kind, f"touch {place}/{kind}")
    container = create(runtime, kept)
    container.start()
    ended(container)
    assert (place / "poststart").exists() and not (place / "poststop").exists()
    runtime("delete", container.id)
    assert (place / "poststop").exists()


def test_engines_name_files_by_the_id(runtime: Runtime, kept: Bundle, place: Path) -> None:
    """As containerd calls: each container has a log of its own."""
    for number in range(3):
        container = create(runtime, kept)
        log = ["--log", f"{place}/{container.id}/log.json", "--log-format", "json"]
        (place / container.id).mkdir()
        run = (lambda *words: traced(runtime, *words)) if number else runtime
        run(*log, "start", container.id)
        ended(container)
        run(*log, "delete", container.id)


def test_another_root_is_another_container(runtime: Runtime, kept: Bundle, place: Path) -> None:
    other = Runtime(runtime.argv, place / "root", runtime.marker)
    container = create(other, kept)
    assert "container does not exist" in runtime("start", container.id, status=1).stderr
    container.start()
    ended(container)
    other("delete", container.id)


@pytest.mark.slow
@pytest.mark.parametrize("command", ["start", "delete"])
def test_whatever_the_kernel_refuses_it_is_done(runtime: Runtime, bundle: Bundle, command: str) -> None:
    directory = Path(place("runs"))
    container = create(runtime, bundle.args("true"))
    before = Snapshot(runtime.marker, runtime.root)
    for each in ("start", "delete"):
        seen = known(directory)
        runtime(each, container.id)
        poll(lambda: not (runtime.root / container.id).exists() or container.status == "stopped")
        if each == command:
            (entry,) = (directory / name for name in known(directory) - seen)
    whole = entry.read_bytes()
    first, found = calls(whole)
    assert len(found) > 10
    reap()
    before = Snapshot(runtime.marker, runtime.root)
    for index in found:
        container = create(runtime, bundle)
        entry.write_bytes(failing(whole, first + index * OP_SIZE))
        os.utime(entry)
        assert runtime("start", container.id).stderr == "", f"operation {index}"
        ended(container)
        reap()
        assert runtime("delete", container.id).stderr == "", f"operation {index}"
        assert Snapshot(runtime.marker, runtime.root).changes(before) == [], f"operation {index}"
