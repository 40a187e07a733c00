"""Hooks: when they run, where, what they are told, and what a failure does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Runtime, error_line, poll, wait

pytestmark = pytest.mark.usefixtures("clean_host")

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
OUTSIDE = ("prestart", "createRuntime", "poststart", "poststop")
BEFORE_START = ("prestart", "createRuntime", "createContainer")


def noted(bundle: Bundle, place: Path, kinds: tuple[str, ...] = KINDS) -> None:
    """Let each kind of hook note its name and its state in files of `place`, which is /out in the container."""
    bundle.bind(place, "/out")
    for kind in kinds:
        out = "/out" if kind == "startContainer" else place
        bundle.hook(kind, f"cat > {out}/{kind}; echo {kind} >> {out}/order")


@pytest.mark.parametrize("flags", [(), ("--preserve-fds", "2")], ids=["not-handed-over", "handed-over"])
def test_hooks_have_no_descriptors_but_their_streams(
    runtime: Runtime, bundle: Bundle, place: Path, flags: tuple[str, ...]
) -> None:
    bundle.bind(place, "/out").args("true")
    for kind in KINDS:
        out = "/out" if kind == "startContainer" else place
        bundle.hook(kind, f"exec ls -l /proc/self/fd > {out}/{kind}", inside=kind == "startContainer")
    words = runtime.command("run", "-b", bundle.path, *flags, runtime.new_id())
    opened = "3</dev/zero 4</dev/zero 7</dev/zero"
    subprocess.run(["sh", "-c", f'exec "$0" "$@" {opened}', *words], check=True, timeout=PATIENCE)
    for kind in KINDS:
        assert "/dev/zero" not in (place / kind).read_text(), kind


def state(place: Path, kind: str) -> dict[str, object]:
    found = json.loads((place / kind).read_text())
    assert isinstance(found, dict)
    return found


def test_hooks_of_all_kinds_run_in_their_order(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    noted(bundle, place)
    runtime.run(bundle.shell("echo program >> /out/order"))
    order = (place / "order").read_text().split()
    # The program and the poststart hooks run beside each other.
    assert [kind for kind in order if kind != "program"] == list(KINDS)
    assert order.index("startContainer") < order.index("program") < order.index("poststop")


def test_hooks_run_at_create_start_and_delete(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    noted(bundle, place)
    order = place / "order"
    with runtime.created(bundle.args("sleep", "1000")) as container:
        assert order.read_text().split() == list(BEFORE_START)
        container.start()
        assert order.read_text().split() == list(KINDS[:5])
    assert order.read_text().split() == list(KINDS)


def test_poststart_hooks_wait_until_the_program_is_executed(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    os.mkfifo(place / "go")
    bundle.bind(place, "/out").hook("startContainer", "cat /out/go").hook("poststart", f"touch {place}/done")
    with runtime.created(bundle.args("sleep", "1000")) as container:
        start = runtime.start("start", container.id)
        with (place / "go").open("w"):  # the startContainer hook runs
            assert not (place / "done").exists()
        start.communicate()
        assert start.returncode == 0 and (place / "done").exists()


@pytest.mark.rule("H-1")
def test_hooks_of_a_kind_run_in_the_order_of_the_config(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.bind(place, "/out")
    for kind in KINDS:
        for number in range(3):
            out = "/out" if kind == "startContainer" else place
            bundle.hook(kind, f"echo {number} >> {out}/{kind}")
    runtime.run(bundle.args("true"))
    for kind in KINDS:
        assert (place / kind).read_text().split() == ["0", "1", "2"], kind


@pytest.mark.rule("H-2", "H-3")
@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("prestart", "creating"),
        ("createRuntime", "creating"),
        ("createContainer", "creating"),
        ("startContainer", "created"),
        ("poststart", "running"),
        ("poststop", "stopped"),
    ],
)
def test_a_hook_reads_the_state_on_its_standard_input(
    runtime: Runtime, bundle: Bundle, place: Path, kind: str, status: str
) -> None:
    noted(bundle.set("annotations", {"org.example.colour": "blue"}), place, (kind,))
    with runtime.created(bundle.args("sleep", "1000")) as container:
        pid = container.pid
        container.start()
        poll(lambda: kind == "poststop" or (place / "order").exists())  # that of the container runs after `start`
    found = state(place, kind)
    assert found["status"] == status
    assert (found["id"], found["bundle"]) == (container.id, str(bundle.path))
    assert found["annotations"] == {"org.example.colour": "blue"}
    assert str(found["ociVersion"]).startswith("1.")
    expected = {"createContainer": 1, "startContainer": 1, "poststop": 0}.get(kind, pid)
    assert found.get("pid", 0) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_runs_in_the_right_namespaces(runtime: Runtime, bundle: Bundle, place: Path, kind: str) -> None:
    out = "/out" if kind == "startContainer" else place
    bundle.bind(place, "/out").hook(
        kind, f"readlink /proc/self/ns/net > {out}/net; readlink /proc/self/ns/mnt > {out}/mnt"
    )
    runtime.run(bundle.args("true"))
    for name in ("net", "mnt"):
        own = os.readlink(f"/proc/self/ns/{name}")
        assert ((place / name).read_text().strip() == own) == (kind in OUTSIDE)


def test_a_create_container_hook_sees_the_root_file_system_being_made(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    bundle.hook("createContainer", f"pwd > {place}/cwd; ls proc/self/status dev/null > {place}/ls; mkdir -p etc/made")
    assert runtime.shell(bundle.writable(), "ls -d /etc/made") == ["/etc/made"]
    assert (place / "cwd").read_text().strip() == str(bundle.rootfs)
    assert (place / "ls").read_text().split() == ["dev/null", "proc/self/status"]


def test_a_start_container_hook_runs_in_the_containers_root(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.bind(place, "/out").set("process.user", {"uid": 0, "gid": 7})
    bundle.hook("startContainer", "ls / > /out/ls; id -g > /out/gid; echo $$ > /out/pid")
    runtime.run(bundle.args("true"))
    assert "bin" in (place / "ls").read_text().split()
    assert (place / "gid").read_text() == "7\n"


def test_a_mount_that_a_create_runtime_hook_makes_in_the_container_is_there(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    # What network hooks do: enter the namespaces of the pid in the state.
    script = 'pid=$(sed "s/.*\\"pid\\": *\\([0-9]*\\).*/\\1/"); nsenter -t $pid -n ip link set lo mtu 1234'
    bundle.hook("createRuntime", script)
    assert "mtu 1234" in runtime.shell(bundle, "ip -o link show lo")[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_has_the_environment_of_its_own(runtime: Runtime, bundle: Bundle, place: Path, kind: str) -> None:
    out = "/out" if kind == "startContainer" else place
    bundle.bind(place, "/out").hook(kind, f"env > {out}/env")
    bundle.set(f"hooks.{kind}[0].env", ["PATH=/bin:/usr/bin", "ONLY=this"])
    runtime.run(bundle.args("true"))
    lines = (place / "env").read_text().splitlines()
    assert "ONLY=this" in lines
    assert not [line for line in lines if line.startswith(("HOME=", "TERM=", "LANG="))]


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"])
def test_a_failing_hook_undoes_everything(runtime: Runtime, bundle: Bundle, kind: str) -> None:
    bundle.hook(kind, "echo from the hook; echo and its trouble >&2; exit 3")
    line = runtime.refuses(bundle.args("sleep", "1000"))
    assert f"error running {kind} hook #0" in line
    assert "exit status 3" in line and "from the hook" in line and "and its trouble" in line


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_failing_hook_makes_create_fail_and_poststop_hooks_run(
    runtime: Runtime, bundle: Bundle, place: Path, kind: str
) -> None:
    bundle.hook(kind, "exit 1").hook("poststop", f"touch {place}/stopped")
    error_line(runtime("create", "-b", bundle.args("true").path, runtime.new_id(), status=1))
    assert (place / "stopped").exists()


def test_a_failing_start_container_hook_ends_the_container(runtime: Runtime, bundle: Bundle) -> None:
    bundle.hook("startContainer", "exit 1")
    with runtime.created(bundle.args("sleep", "1000")) as container, container.handle() as pidfd:
        runtime("start", container.id, status=None)
        wait(pidfd)


HOW = {
    "exit 3": "exit status 3, stdout: from the hook\n, stderr: and its trouble\n",
    "kill -TERM $$; sleep 1000": "signal: terminated, stdout: from the hook\n, stderr: and its trouble\n",
    "exec sleep 1000": "hook ran past specified timeout of 1.0s",
}


@pytest.mark.parametrize("kind", ["startContainer", "poststart"])
@pytest.mark.parametrize("end", HOW)
def test_a_hook_that_fails_at_start_is_told_and_nothing_is_left(
    runtime: Runtime, bundle: Bundle, place: Path, kind: str, end: str
) -> None:
    if not runtime.is_orlop:
        pytest.skip("runc says nothing of the one, and runs the other at create")
    bundle.hook(kind, "true").hook(kind, f"echo from the hook; echo and its trouble >&2; {end}", timeout=1)
    bundle.hook("poststop", f"touch {place}/stopped").bind(place, "/out").args("touch", "/out/program")
    if kind == "poststart":
        bundle.args("sleep", "1000")
    with runtime.created(bundle) as container:
        line = error_line(runtime("start", container.id, status=1))
        assert f"error running {kind} hook #1: {HOW[end]}" in line
        assert "does not exist" in error_line(runtime("state", container.id, status=1))
    assert [each.name for each in place.iterdir()] == ["stopped"]


def test_a_start_container_hook_that_writes_much_is_told_of_at_start(runtime: Runtime, bundle: Bundle) -> None:
    bundle.hook("startContainer", "seq 1 300000; echo the end; echo another >&2; exit 1")
    with runtime.created(bundle.args("true")) as container:
        done = runtime("start", container.id, status=None)
        if runtime.is_orlop:
            line = error_line(done)
            assert "another" in line and len(line) < 20000


def test_start_waits_for_start_container_hooks(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    if not runtime.is_orlop:
        pytest.skip("runc does not wait")
    os.mkfifo(place / "go")
    bundle.bind(place, "/out").hook("startContainer", "cat /out/go; touch /out/hook").args("sleep", "1000")
    with runtime.created(bundle) as container:
        start = runtime.start("start", container.id)
        with (place / "go").open("w"):  # the hook runs
            assert start.poll() is None
        start.communicate()
        assert start.returncode == 0 and (place / "hook").exists()
        assert container.status == "running"


def test_a_later_hook_does_not_run_after_a_failure(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.hook("createRuntime", "exit 1").hook("createRuntime", f"touch {place}/second")
    bundle.hook("createContainer", f"touch {place}/third")
    runtime.refuses(bundle.args("true"))
    assert list(place.iterdir()) == []


def test_a_failing_poststop_hook_is_only_a_warning(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.hook("poststop", "exit 1").hook("poststop", f"touch {place}/second")
    done = runtime.run(bundle.shell("exit 7"), status=7)
    assert "level=warning" in done.stderr and "error running poststop hook #0" in done.stderr
    assert (place / "second").exists()


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"])
def test_a_hook_that_hangs_is_killed_when_its_time_is_over(runtime: Runtime, bundle: Bundle, kind: str) -> None:
    bundle.hook(kind, "exec sleep 1000", timeout=1)
    line = runtime.refuses(bundle.args("sleep", "1000"))
    assert f"error running {kind} hook #0" in line and "timeout of 1.0s" in line


@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_within_its_time_is_fine(runtime: Runtime, bundle: Bundle, kind: str) -> None:
    bundle.hook(kind, "true", timeout=100)
    assert runtime.run(bundle.args("true")).stderr == ""


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer", "startContainer", "poststart"])
def test_a_hook_that_does_not_exist_is_named(runtime: Runtime, bundle: Bundle, kind: str) -> None:
    bundle.hook(kind, "true").set(f"hooks.{kind}[0].path", "/nowhere/hook")
    line = runtime.refuses(bundle.args("sleep", "1000"))
    assert f"error running {kind} hook #0" in line
    assert "/nowhere/hook" in line and "no such file" in line


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer", "startContainer"])
@pytest.mark.parametrize(("signal", "told"), [("KILL", "killed"), ("TERM", "terminated"), ("PIPE", "broken pipe")])
def test_a_hook_that_a_signal_ends_is_told(runtime: Runtime, bundle: Bundle, kind: str, signal: str, told: str) -> None:
    line = runtime.refuses(bundle.hook(kind, f"kill -{signal} $$; sleep 1000").args("true"))
    assert f"error running {kind} hook #0" in line and f"signal: {told}" in line


def test_a_start_container_hook_without_environment_has_the_programs(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.env", ["PATH=/usr/bin:/bin", "ONE=1"]).set("process.user", {"uid": 0, "gid": 0})
    bundle.hook("startContainer", 'echo "$ONE$HOME"; exit 1').drop("hooks.startContainer[0].env")
    line = runtime.refuses(bundle.args("true"))
    assert "stdout: 1/root" in line


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer", "startContainer"])
def test_a_hook_that_writes_much_does_not_block(runtime: Runtime, bundle: Bundle, kind: str) -> None:
    line = runtime.refuses(bundle.hook(kind, "seq 1 100000; echo the end; exit 1").args("true"))
    assert "the end" in line and len(line) < 20000


@pytest.mark.rule("FD-1")
@pytest.mark.parametrize("kind", KINDS)
def test_a_hook_gets_no_descriptor_but_its_streams(runtime: Runtime, bundle: Bundle, place: Path, kind: str) -> None:
    out = "/out" if kind == "startContainer" else place
    bundle.bind(place, "/out").hook(kind, f"exec ls /proc/self/fd > {out}/fds")
    runtime.run(bundle.args("true"))
    assert (place / "fds").read_text().split() == ["0", "1", "2", "3"]  # the last is the directory that is listed


@pytest.mark.parametrize("kind", ["createContainer", "startContainer"])
def test_each_hook_has_its_time_for_itself(runtime: Runtime, bundle: Bundle, kind: str) -> None:
    # The kernel writes the time that is left where the timeout was read from.
    for _ in range(3):
        bundle.hook(kind, "sleep 1.2", timeout=3)
    assert runtime.run(bundle.args("true")).stderr == ""


def test_a_signal_that_comes_when_the_container_has_ended_does_not_change_its_status(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    os.mkfifo(place / "here")
    os.mkfifo(place / "go")
    bundle.hook("poststop", f"echo > {place}/here; read word < {place}/go").args("sh", "-c", "exit 3")
    process = runtime.start("run", "-b", bundle.path, runtime.new_id())
    (place / "here").read_text()
    process.send_signal(signal.SIGUSR1)
    (place / "go").write_text("go\n")
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 3


def test_a_run_can_be_stopped_while_a_poststop_hook_hangs(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    os.mkfifo(place / "here")
    bundle.hook("poststop", f"echo > {place}/here; exec sleep 1000").args("true")
    process = runtime.start("run", "-b", bundle.path, runtime.new_id())
    (place / "here").read_text()
    process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 128 + signal.SIGTERM
    finally:
        process.kill()


def test_poststop_hooks_run_once_though_a_run_and_a_delete_find_the_end(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    bundle.hook("poststop", f"sleep 0.2; echo stopped >> {place}/order").args("sleep", "1000")
    for _ in range(3):
        container = runtime.new_id()
        process = runtime.start("run", "-b", bundle.path, container)
        poll(lambda: runtime("state", container, status=None).status == 0)  # noqa: B023
        poll(lambda: '"running"' in runtime("state", container).stdout)  # noqa: B023
        runtime("delete", "--force", container)
        process.communicate(timeout=PATIENCE)
        assert (place / "order").read_text() == "stopped\n"
        (place / "order").unlink()
