"""Terminals: over a console socket, and in the foreground of the caller's own."""

from __future__ import annotations

import fcntl
import os
import subprocess
import termios
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Runtime, error_line, wait
from tests.system.terminals import console_socket, read_rest, read_until, seat

pytestmark = pytest.mark.usefixtures("clean_host")


def test_the_master_arrives_at_the_console_socket(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.set("process.terminal", True).shell("tty; stty size; read line; echo got $line")
    bundle.set("process.consoleSize", {"height": 33, "width": 99})
    with console_socket(place) as console, runtime.created(bundle, "--console-socket", console.path) as container:
        master, name = console.receive()
        assert name
        container.start()
        text = read_until(master, "33 99")
        assert "/dev/pts/0" in text or "/dev/console" in text
        os.write(master, b"hello\n")
        read_until(master, "got hello")
        assert "oops" not in read_rest(master)
        os.close(master)


def test_a_terminal_is_the_controlling_one_and_all_three_streams(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.set("process.terminal", True)
    script = "for each in 0 1 2; do readlink /proc/self/fd/$each; done; echo via tty > /dev/tty; "
    bundle.shell(script + "ls -l /dev/console; echo end")
    with console_socket(place) as console, runtime.created(bundle, "--console-socket", console.path) as container:
        master, _ = console.receive()
        container.start()
        lines = read_until(master, "end").splitlines()
        os.close(master)
    assert lines[:3] == ["/dev/pts/0"] * 3 or lines[:3] == ["/dev/console"] * 3
    assert lines[3] == "via tty"
    assert lines[4].startswith("crw")


def test_dev_console_is_the_terminal(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.set("process.terminal", True).shell("echo to the console > /dev/console; exec sleep 1000")
    with console_socket(place) as console, runtime.running(bundle, "--console-socket", console.path):
        master, _ = console.receive()
        read_until(master, "to the console")
        os.close(master)


def test_a_terminal_works_for_a_user_who_is_not_root(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.set("process.terminal", True).set("process.user", {"uid": 1000, "gid": 1000})
    bundle.shell("echo mine > /dev/stdout; echo also > /dev/pts/0; echo end")
    with console_socket(place) as console, runtime.created(bundle, "--console-socket", console.path) as container:
        master, _ = console.receive()
        container.start()
        assert read_until(master, "end").splitlines()[:2] == ["mine", "also"]
        os.close(master)


def test_a_terminal_works_in_a_user_namespace(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.user_namespace().set("process.terminal", True).shell("tty; echo x > /dev/console; echo end")
    with console_socket(place) as console, runtime.created(bundle, "--console-socket", console.path) as container:
        master, _ = console.receive()
        container.start()
        read_until(master, "end")
        os.close(master)


def test_exec_gets_a_terminal_of_its_own(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container, console_socket(place) as console:
        flags = ["-d", "-t", "--console-socket", str(console.path), "--pid-file", str(place / "pid")]
        container.exec("sh", "-c", "tty; echo end", flags=flags)
        master, _ = console.receive()
        assert "/dev/pts/0" in read_until(master, "end")
        os.close(master)
        os.waitpid(int((place / "pid").read_text()), 0)


def test_a_terminal_without_a_console_socket_is_refused_when_detached(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.terminal", True).args("true")
    done = runtime("create", "-b", bundle.path, runtime.new_id(), status=1)
    assert "cannot allocate tty if runc will detach without setting console socket" in error_line(done)


def test_a_console_socket_without_a_terminal_is_refused(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    with console_socket(place) as console:
        done = runtime("create", "--console-socket", console.path, "-b", bundle.path, runtime.new_id(), status=1)
        assert "cannot use console socket if runc will not detach or allocate tty" in error_line(done)


def test_nothing_is_done_where_nobody_listens_at_the_console_socket(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    bundle.set("process.terminal", True).hook("createRuntime", f"touch {place}/made")
    done = runtime("create", "--console-socket", place / "missing", "-b", bundle.path, runtime.new_id(), status=1)
    assert "no such file or directory" in error_line(done)
    assert not (place / "made").exists()


def test_a_console_socket_where_nobody_listens_undoes_the_container(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    bundle.set("process.terminal", True).args("true")
    missing = place / "missing.sock"
    done = runtime("create", "--console-socket", missing, "-b", bundle.path, runtime.new_id(), status=1)
    assert str(missing) in error_line(done)


def test_a_terminal_without_devpts_is_refused_with_the_remedy(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.terminal", True).without_mount("/dev/pts").args("true")
    line = error_line(runtime.run(bundle, status=1))
    assert "terminal" in line and "devpts" in line


# In the foreground, at a terminal of ours.


def test_a_dev_console_that_leads_elsewhere_is_refused(runtime: Runtime, bundle: Bundle) -> None:
    (bundle.rootfs / "dev").mkdir()
    (bundle.rootfs / "dev/console").symlink_to("/proc/sys/kernel/core_pattern")
    bundle.without_mount("/dev", "/dev/shm", "/dev/mqueue").writable().set("process.terminal", True)
    message = runtime.refuses(bundle.args("cat", "/proc/mounts"))
    assert "symbolic link" in message
    assert "/dev/console" in message


def test_a_foreground_run_is_at_the_callers_terminal(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.terminal", True).shell("stty size; tty; read line; echo got $line; exit 4")
    with seat(runtime.command("run", "-b", str(bundle.path), runtime.new_id()), rows=30, columns=100) as mine:
        mine.until("30 100")
        mine.type("hello\r")
        mine.until("got hello")
        assert mine.end() == 4
        assert mine.after == mine.before


def test_the_callers_terminal_is_raw_while_the_container_has_it(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.terminal", True).shell("echo ready; read line")
    with seat(runtime.command("run", "-b", str(bundle.path), runtime.new_id())) as mine:
        mine.until("ready")
        assert not termios.tcgetattr(mine.slave)[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
        mine.type("\r")
        assert mine.end() == 0
        assert mine.after == mine.before


def test_the_container_follows_the_size_of_the_callers_terminal(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.terminal", True).shell(
        "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done"
    )
    with seat(runtime.command("run", "-b", str(bundle.path), runtime.new_id())) as mine:
        mine.until("ready")
        mine.resize(41, 121)
        mine.until("41 121")
        assert mine.end() == 0


def test_the_size_of_the_config_is_that_of_the_terminal_until_the_callers_changes(
    runtime: Runtime, bundle: Bundle
) -> None:
    if not runtime.is_orlop:
        pytest.skip("runc sets the one and then the other, while the program runs")
    bundle.set("process.terminal", True).set("process.consoleSize", {"height": 12, "width": 34})
    bundle.shell("trap 'stty size; exit 0' WINCH; stty size; while :; do sleep 0.05; done")
    with seat(runtime.command("run", "-b", str(bundle.path), runtime.new_id()), rows=30, columns=100) as mine:
        mine.until("12 34")
        mine.resize(41, 121)
        mine.until("41 121")
        assert mine.end() == 0


def test_control_c_reaches_the_program_and_not_the_runtime(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.terminal", True).shell(
        "trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done"
    )
    with seat(runtime.command("run", "-b", str(bundle.path), runtime.new_id())) as mine:
        mine.until("ready")
        mine.type("\x03")
        mine.until("caught")
        assert mine.end() == 9
        assert mine.after == mine.before


def test_all_that_a_program_writes_at_last_is_seen(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.terminal", True).shell("seq 1 20000")
    with seat(runtime.command("run", "-b", str(bundle.path), runtime.new_id())) as mine:
        assert mine.until("\r\n20000\r\n").replace("\r\r", "\r") == "".join(f"{n}\r\n" for n in range(1, 20001))
        assert mine.end() == 0


def test_a_foreground_exec_is_at_the_callers_terminal(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        argv = runtime.command("exec", "-t", container.id, "sh", "-c", "stty size; exit 3")
        with seat(argv, rows=12, columns=34) as mine:
            mine.until("12 34")
            assert mine.end() == 3
            assert mine.after == mine.before


def test_a_terminal_is_given_back_when_the_container_cannot_start(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.terminal", True).args("nothing")
    with seat(runtime.command("run", "-b", str(bundle.path), runtime.new_id())) as mine:
        mine.until("executable file not found")
        assert mine.end() == 1
        assert mine.after == mine.before


def test_a_terminal_without_a_callers_terminal_copies_the_streams(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.terminal", True).shell("tty; exit 6")
    done = runtime.run(bundle, status=6)
    assert "/dev/pts/0" in done.stdout or "/dev/console" in done.stdout


def test_killing_the_program_of_a_terminal_ends_the_run(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.terminal", True).shell("echo ready; exec sleep 1000")
    identity = runtime.new_id()
    with seat(runtime.command("run", "-b", str(bundle.path), identity)) as mine:
        mine.until("ready")
        runtime("kill", identity, "KILL")
        assert mine.end() == 137
        assert mine.after == mine.before


def test_a_stopped_terminal_container_hangs_up_its_master(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.set("process.terminal", True).args("true")
    with console_socket(place) as console, runtime.created(bundle, "--console-socket", console.path) as container:
        master, _ = console.receive()
        with container.handle() as pidfd:
            container.start()
            wait(pidfd)
        assert read_rest(master) == ""
        os.close(master)


def test_a_run_whose_output_nobody_reads_any_more_goes_on(runtime: Runtime, bundle: Bundle) -> None:
    """As below `head`: it is no reason to kill the container."""
    bundle.set("process.terminal", True).args("sh", "-c", "seq 1 20000; exit 7")
    read, write = os.pipe()
    os.close(read)
    words = runtime.command("run", "-b", bundle.path, runtime.new_id())
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE, text=True) as process:
        os.close(write)
        _, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, told) == (7, "")


def test_a_run_writes_all_to_an_output_that_does_not_block(runtime: Runtime, bundle: Bundle) -> None:
    """A caller that shares a pipe or terminal with it may have set that: node does."""
    bundle.set("process.terminal", True).args("sh", "-c", "seq 1 20000; exit 7")
    read, write = os.pipe()
    os.set_blocking(write, False)
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    words = runtime.command("run", "-b", bundle.path, runtime.new_id())
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE, text=True) as process:
        os.close(write)
        with open(read) as output:
            assert output.read().split() == [str(number) for number in range(1, 20001)]
        _, told = process.communicate(timeout=PATIENCE)
    assert (process.returncode, told) == (7, "")


def test_a_run_waits_for_an_input_that_does_not_block(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.terminal", True).args("sh", "-c", "stty raw; echo ready; head -c 3; exit 7")
    read, write = os.pipe()
    os.set_blocking(read, False)
    words = runtime.command("run", "-b", bundle.path, runtime.new_id())
    with subprocess.Popen(words, stdin=read, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        os.close(read)
        assert process.stdout is not None
        read_until(process.stdout.fileno(), "ready")
        os.write(write, b"abc")
        out, told = process.communicate(timeout=PATIENCE)
        os.close(write)
    assert (process.returncode, told, b"abc" in out) == (7, b"", True)
