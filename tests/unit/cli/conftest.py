"""The command line on a runtime that only takes notes: nothing here starts a container or needs a privilege."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from orlop import system

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Protocol

    class Function(Protocol):
        def __call__(self, *args: object, **keywords: object) -> object: ...

    class Call(Protocol):
        def __call__(self, *words: str, program: str = ...) -> Outcome: ...


class Notes:
    """What the runtime was called with, and what it shall answer."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[object, ...], dict[str, object]]] = []
        self.answers: dict[str, object] = {}

    def record(self, name: str) -> Function:
        def function(*args: object, **keywords: object) -> object:
            self.calls.append((name, args, keywords))
            answer = self.answers.get(name)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return function

    @property
    def options(self) -> Bag:
        """The options of the only call."""
        ((_, args, _),) = self.calls
        (options,) = (each for each in args if isinstance(each, Bag) and hasattr(each, "root"))
        return options

    @property
    def request(self) -> Bag:
        ((_, args, _),) = self.calls
        (request,) = (each for each in args if isinstance(each, Bag) and hasattr(each, "caps"))
        return request


class Bag:
    """Stands for Options and ExecRequest: keeps the keywords as attributes."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> object: ...

    def __init__(self, **keywords: object) -> None:
        self.__dict__.update(keywords)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Notes:
    """Put a runtime that takes notes in the place of the real one."""
    notes = Notes()
    modules: dict[str, dict[str, object]] = {
        "orlop.runtime.options": {"Options": Bag},
        "orlop.runtime.create": {"create": notes.record("create")},
        "orlop.runtime.run": {"run": notes.record("run")},
        "orlop.runtime.start": {"start": notes.record("start")},
        "orlop.runtime.exec": {"ExecRequest": Bag, "exec_process": notes.record("exec_process")},
        "orlop.runtime.kill": {"kill": notes.record("kill")},
        "orlop.runtime.delete": {"delete": notes.record("delete")},
        "orlop.runtime.state": {"state": notes.record("state")},
        "orlop.runtime.listing": {"containers": notes.record("containers")},
    }
    for name, names in modules.items():
        module = ModuleType(name)
        module.__dict__.update(names)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("orlop.cli.options.check_host", lambda: None)
    notes.answers.update(run=0, exec_process=0, containers=[], state={})
    return notes


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in an empty directory, with nothing of the caller's session in the environment."""
    for name in ("XDG_RUNTIME_DIR", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID"):
        monkeypatch.delitem(system.environment, name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Outcome:
    """What a call of the command line left: exit status and the text on both outputs."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err


@pytest.fixture
def orlop(elsewhere: Path, capfd: pytest.CaptureFixture[str]) -> Call:
    """Call the command line; the program is named orlop unless `program` says otherwise."""
    from orlop.cli.main import main

    def call(*words: str, program: str = "/usr/bin/orlop") -> Outcome:
        status = main([program, *words])
        captured = capfd.readouterr()
        return Outcome(status, captured.out, captured.err)

    return call
