"""The last steps: the environment, the program, the wait for start, execve."""

from __future__ import annotations

from errno import EACCES, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOEXEC, ENOTDIR

from orlop.plan import events
from orlop.plan.seccomp import listens, load_filter
from orlop.program import linux
from orlop.program.builder import OPEN_HOW_SIZE
from orlop.program.layout import WHEN_ERROR
from orlop.program.ops import Label, Register

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HOME_SIZE = 4096
PASSWD_SIZE = 128 * 1024  # a message must fit the socket's buffer: net.core.wmem_default, 208 KiB
NOT_EXECUTED = 255  # the status that engines show of a container whose program could not be executed; runc's


def environment(c: Construction) -> list[str]:
    """process.env and what the caller adds; of duplicates the last is left, in its place."""
    merged: dict[str, str] = {}
    for entry in [*(c.process.get("env") or []), *c.request.extra_env]:
        name = entry.partition("=")[0]
        merged.pop(name, None)
        merged[name] = entry
    return list(merged.values())


def environment_block(c: Construction, home_entry: int | None) -> int:
    """The address of envp, with the answered HOME."""
    entries = [c.b.string(entry) for entry in environment(c) if home_entry is None or not entry.startswith("HOME=")]
    if home_entry is not None:
        entries.append(home_entry)
    return c.b.pointers(entries)


def home(c: Construction) -> int | None:
    """Without HOME in the environment it comes from the container's /etc/passwd: the supervisor is sent the file and
    answers.

    The address of the entry, or None where the config has one.
    """
    if any(entry.startswith("HOME=") and len(entry) > 5 for entry in environment(c)):
        return None
    b = c.b
    b.purpose("process.env", "unable to read /etc/passwd in the container for HOME")
    content, entry = b.space(PASSWD_SIZE), b.space(HOME_SIZE)
    flags = linux.O_RDONLY | linux.O_NONBLOCK | linux.O_NOCTTY | linux.O_CLOEXEC
    size = b.register()
    b.set(size, 0)
    ask = Label()
    # A magic link could lead to what the executor itself has open.
    how = b.open_how(flags, 0, linux.RESOLVE_NO_MAGICLINKS)
    file = b.get("openat2", linux.AT_FDCWD, "/etc/passwd", how, OPEN_HOW_SIZE, on={WHEN_ERROR: ask})
    failed = Label()
    b.do("read", file, content, PASSWD_SIZE, result=size.number, on={WHEN_ERROR: failed})
    b.jump(ask)
    b.place(failed)
    b.set(size, 0)
    b.place(ask)
    b.event(events.HOME, payload=content, size=size)
    b.do("close", file, on={WHEN_ERROR: (after := Label())})
    b.place(after)
    b.free(file, size)
    return entry


def await_home(c: Construction, entry: int | None) -> None:
    """Take the answer, for which there was time until now."""
    if entry is not None:
        c.b.purpose("process.env", "unable to learn HOME")
        c.b.wait(entry, HOME_SIZE)


def find_program(c: Construction) -> Register:
    """Look args[0] up as execvp(3) would, with the credentials and in the directory it will run with.

    The register holds the address of the path that was found: the very one that is executed later.
    """
    b = c.b
    program = (c.process.get("args") or [""])[0]
    found = b.register()
    b.purpose("process.args[0]", f'exec: "{program}"')
    if "/" in program or program == "":
        _check(c, program)
        b.set(found, b.string(program))
        return found
    chosen = Label()
    path = next((entry[5:] for entry in environment(c) if entry.startswith("PATH=")), DEFAULT_PATH)
    for directory in path.split(":"):
        following = Label()
        candidate = f"{directory or '.'}/{program}"
        b.do("faccessat2", linux.AT_FDCWD, candidate, linux.X_OK, linux.AT_EACCESS, on={WHEN_ERROR: following})
        probe, is_file = linux.O_PATH | linux.O_DIRECTORY | linux.O_CLOEXEC, Label()
        handle = b.get("openat", linux.AT_FDCWD, candidate, probe, 0, on={ENOTDIR: is_file, WHEN_ERROR: following})
        b.close(handle)  # a directory is not a program
        b.jump(following)
        b.place(is_file)
        b.set(found, b.string(candidate))
        b.jump(chosen)
        b.place(following)
    b.fail(ENOENT)
    b.place(chosen)
    return found


def _check(c: Construction, program: str) -> None:
    b = c.b
    fine, directory = Label(), Label()
    b.do("faccessat2", linux.AT_FDCWD, program, linux.X_OK, linux.AT_EACCESS)
    probe = linux.O_PATH | linux.O_DIRECTORY | linux.O_CLOEXEC
    handle = b.get("openat", linux.AT_FDCWD, program, probe, 0, on={ENOTDIR: fine})
    b.free(handle)
    b.place(directory)
    b.fail(EACCES)
    b.place(fine)


def open_fifo(c: Construction) -> Register | None:
    """The fifo on which a created container waits; read-write, so that a read blocks until somebody writes."""
    if c.request.fifo is None:
        return None
    c.b.purpose("process", "unable to open the fifo of the container")
    return c.b.get("openat", linux.AT_FDCWD, c.request.fifo, linux.O_RDWR | linux.O_CLOEXEC, 0)


def end_on_signals(c: Construction) -> None:
    """The init of a pid namespace gets no signal that it has no handler for (pid_namespaces(7)); until start it has the
    executor's, which execve(2) takes away.  Without the namespace a signal itself ends the process."""
    if c.request.fifo is None or not c.creates("pid"):
        return
    b = c.b
    b.purpose("process", "unable to let signals end the container before it is started")
    action = b.end_on_signal()
    for number in (linux.SIGHUP, linux.SIGINT, linux.SIGQUIT, linux.SIGTERM):
        b.do("rt_sigaction", number, action, 0, linux.SIGNAL_SET_SIZE)


def hooked(c: Construction) -> bool:
    """Does `start` wait until the program is executed?  The fifo tells it of that, by closing itself."""
    hooks = c.spec.get("hooks") or {}
    return bool(hooks.get("startContainer") or hooks.get("poststart"))


def wait_for_start(c: Construction, fifo: Register | None) -> None:
    """Say that the container is created, and wait: on the fifo, or for the supervisor."""
    b = c.b
    b.purpose("process", "container init was not started")
    b.event(events.CREATED)
    if fifo is None:
        b.wait(b.space(8), 8)
    else:
        b.do("close", c.request.control)
        b.do("read", fifo, b.space(8), 1)
        if not hooked(c):
            b.close(fifo)


def execute(c: Construction, found: Register, home_entry: int | None) -> None:
    """Nothing but the wanted descriptors is left, the filter is loaded, and the process becomes the program."""
    b = c.b
    args = c.process.get("args") or []
    b.purpose("process.args[0]", f"exec {args[0]}", _HINTS)
    if not listens(c):
        b.do("close_range", c.request.control, 0xFFFF_FFFF, linux.CLOSE_RANGE_CLOEXEC)
        load_filter(c)
    argv, envp = b.strings(args), environment_block(c, home_entry)
    if c.request.fifo is None:
        b.do("execve", found, argv, envp)
    else:
        _tell_of_failure(c, found, argv, envp)


def _tell_of_failure(c: Construction, found: Register, argv: int, envp: int) -> None:
    """After `create` nobody listens any more: what keeps the program from running goes to the standard error of the
    container, where engines keep it for `docker logs`.  The words are runc's; what must be looked at follows them: that
    the program itself is there was found out before `create` ended."""
    b = c.b
    program = (c.process.get("args") or [""])[0]
    labels = {error: Label() for error in _TOLD}
    b.do("execve", found, argv, envp, on=labels)
    for error, reason in _TOLD.items():
        b.place(labels[error])
        line = f"exec {program}: {reason}\n"
        b.do("write", 2, line, len(line.encode("utf-8", "surrogateescape")), on={WHEN_ERROR: (after := Label())})
        b.place(after)
        b.do("exit_group", NOT_EXECUTED)


_TOLD = {
    ENOENT: "no such file or directory (its interpreter: that of its ELF header, or of its #! line, to which a carriage"
    " return at the end belongs)",
    EACCES: "permission denied",
    ENOEXEC: "exec format error (no #! line, and no program for this machine's architecture)",
}
_HINTS = {
    ENOENT: "the program, or the interpreter that its first line or its ELF header names, is not in the container",
    EACCES: "the program is not executable for the user of the process, or lies on a mount with noexec",
    ENOEXEC: "the file is no program of this machine's architecture, and has no #! line",
    ELOOP: "too many symbolic links",
    ENAMETOOLONG: "the path is too long",
    EINVAL: "the program's ELF header is damaged",
}
