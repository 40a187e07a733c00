"""The runtime under test, as a command; and a container that it made."""

from __future__ import annotations

import itertools
import json
import os
import re
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.system.bundles import Bundle
from tests.system.snapshot import reap

PATIENCE = 20.0  # seconds until a command that hangs fails its test

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')  # the values of a log line; the first is the time
_numbers = itertools.count(1)


class Done:
    """How a command ended."""

    def __init__(self, status: int, stdout: str, stderr: str) -> None:
        self.status = status
        self.stdout = stdout
        self.stderr = stderr

    @property
    def lines(self) -> list[str]:
        return self.stdout.splitlines()

    def __repr__(self) -> str:
        return f"status {self.status}\nstdout: {self.stdout}\nstderr: {self.stderr}"


class Runtime:
    """Calls the command with a state root of the tests' own.  Ids hold a marker, by which leftovers are found."""

    def __init__(self, argv: Sequence[str], root: Path, marker: str) -> None:
        self.argv = list(argv)
        self.root = root
        self.marker = marker

    @property
    def is_orlop(self) -> bool:
        """Is it orlop, whose very messages are tested, or another runtime to compare with?"""
        return "orlop" in " ".join(self.argv)

    def new_id(self) -> str:
        return f"{self.marker}-{next(_numbers)}"

    def command(self, *args: str | os.PathLike[str]) -> list[str]:
        return [*self.argv, "--root", str(self.root), *(os.fspath(arg) for arg in args)]

    def __call__(
        self,
        *args: str | os.PathLike[str],
        status: int | None = 0,
        stdin: str | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Done:
        """Run a command to its end.  `status` is the one that is expected, None for any."""
        # Files and not pipes: what a detached container inherits must not keep us waiting.
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            done = subprocess.run(
                self.command(*args),
                stdout=out,
                stderr=err,
                input=None if stdin is None else stdin.encode(),
                stdin=subprocess.DEVNULL if stdin is None else None,
                cwd=cwd,
                env=env,
                pass_fds=pass_fds,
                timeout=PATIENCE,
            )
            result = Done(done.returncode, _content(out), _content(err))
        assert status is None or result.status == status, f"{' '.join(str(arg) for arg in args)}: {result}"
        return result

    def start(self, *args: str | os.PathLike[str], stdin: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Begin a command; its streams are pipes."""
        return subprocess.Popen(
            self.command(*args), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
        )

    def run(
        self, bundle: Bundle, *flags: str | os.PathLike[str], status: int | None = 0, stdin: str | None = None
    ) -> Done:
        """`run` in the foreground, under a new id."""
        return self("run", "-b", bundle.path, *flags, self.new_id(), status=status, stdin=stdin)

    def shell(self, bundle: Bundle, script: str) -> list[str]:
        """The lines that a shell script prints in a container of this bundle."""
        done = self.run(bundle.shell(script))
        assert done.stderr == ""
        return done.lines

    def refuses(self, bundle: Bundle, *flags: str) -> str:
        """The one line that `run` says when it refuses a bundle."""
        done = self.run(bundle, *flags, status=1)
        return error_line(done)

    @contextmanager
    def created(self, bundle: Bundle, *flags: str | os.PathLike[str]) -> Iterator[Container]:
        """A created container, deleted at the end."""
        container = Container(self, bundle, self.new_id())
        self("create", "-b", bundle.path, *flags, container.id)
        try:
            yield container
        finally:
            self("delete", "--force", container.id)
            reap()  # until then, a pid namespace that it had joined cannot end

    @contextmanager
    def running(self, bundle: Bundle, *flags: str | os.PathLike[str]) -> Iterator[Container]:
        """A container that runs detached, deleted at the end."""
        container = Container(self, bundle, self.new_id())
        self("run", "-d", "-b", bundle.path, *flags, container.id)
        try:
            yield container
        finally:
            self("delete", "--force", container.id)
            reap()  # until then, a pid namespace that it had joined cannot end


class Container:
    """A container by its id."""

    def __init__(self, runtime: Runtime, bundle: Bundle, container_id: str) -> None:
        self.runtime = runtime
        self.bundle = bundle
        self.id = container_id

    def state(self) -> dict[str, object]:
        found = json.loads(self.runtime("state", self.id).stdout)
        assert isinstance(found, dict)
        return found

    @property
    def status(self) -> str:
        return str(self.state()["status"])

    @property
    def pid(self) -> int:
        return int(str(self.state()["pid"]))

    def start(self) -> None:
        self.runtime("start", self.id)

    def kill(self, signal: str = "KILL") -> None:
        """Kill it, and wait until its first process is dead."""
        with self.handle() as pidfd:
            self.runtime("kill", self.id, signal)
            wait(pidfd)

    def exec(self, *args: str, flags: Sequence[str] = (), status: int | None = 0) -> Done:
        return self.runtime("exec", *flags, self.id, *args, status=status)

    def shell(self, script: str) -> list[str]:
        done = self.exec("sh", "-c", script)
        assert done.stderr == ""
        return done.lines

    @contextmanager
    def handle(self) -> Iterator[int]:
        """A pidfd of its first process."""
        pidfd = os.pidfd_open(self.pid)
        try:
            yield pidfd
        finally:
            os.close(pidfd)


def wait(pidfd: int) -> None:
    """Wait until a process has ended, or a descriptor can be read."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(PATIENCE * 1000), "the process still lives"


def poll(condition: Callable[[], bool]) -> None:
    """Look again and again until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come"


def end(pid: int) -> None:
    """Kill and reap what a detached command left to us, as an engine's shim does.  Until it is reaped, its pid
    namespace does not end."""
    os.kill(pid, 9)
    os.waitpid(pid, 0)


def error_line(done: Done) -> str:
    """What a command that failed says, its message and its hint: exactly one line."""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done
    assert "internal error" not in lines[0] and "Traceback" not in lines[0], done
    return " ".join(json.loads(text) for text in _QUOTED.findall(lines[0])[1:]) or lines[0]


def _content(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def default_argv() -> list[str]:
    """$OCI_RUNTIME, or the launcher that was built, or the package with the tests' own interpreter."""
    given = os.environ.get("OCI_RUNTIME")
    if given:
        return [given]
    project = Path(__file__).parents[2]
    if (project / "build/orlop").exists():
        return [str(project / "build/orlop")]
    boot = f"import runpy, sys; sys.path.insert(0, {str(project)!r}); runpy.run_module('orlop', run_name='__main__')"
    return [sys.executable, "-I", "-S", "-c", boot]
