"""A program that was planned before is used again for the same config, and only for that."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orlop.host.cache import place
from tests.system.bundles import Bundle
from tests.system.command import Done, Runtime
from tests.system.limits import DRIVERS
from tests.system.seccomp_profile import engine_profile

PROJECT = Path(__file__).parents[2]
_numbers = itertools.count(1)

pytestmark = pytest.mark.usefixtures("packed", "clean_host")


@pytest.fixture
def entries() -> Iterator[Path]:
    """The directory of the entries; those that a test makes are removed."""
    path = Path(place("programs"))
    before = set(path.iterdir()) if path.exists() else set()
    yield path
    for each in set(path.iterdir()) - before:
        each.unlink()


def new_id(runtime: Runtime) -> str:
    """An id that is as long as all others."""
    return f"{runtime.marker}-recall-{next(_numbers):04}"


def run(runtime: Runtime, bundle: Bundle, *flags: str, container_id: str | None = None, status: int = 0) -> Done:
    return runtime("--debug", "run", *flags, "-b", bundle.path, container_id or new_id(runtime), status=status)


def recalled(done: Done) -> bool:
    return "program recalled" in done.stderr


def only(entries: Path, before: set[str]) -> Path:
    (new,) = {each.name for each in entries.iterdir()} - before
    return entries / new


def names(entries: Path) -> set[str]:
    return {each.name for each in entries.iterdir()} if entries.exists() else set()


@DRIVERS
def test_the_second_container_of_a_config_is_not_planned_again(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    bundle.args("sh", "-c", "hostname; echo $((6 * 7))")
    first, second = run(runtime, bundle), run(runtime, bundle)
    assert (recalled(first), recalled(second)) == (False, True)
    assert first.stdout == second.stdout == "runc\n42\n"


@DRIVERS
def test_a_recalled_program_is_of_the_new_container(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    """Its cgroups are where the id is in a program without hooks."""
    bundle.namespace("cgroup", None).args("cat", "/proc/self/cgroup")
    run(runtime, bundle)
    container = new_id(runtime)
    second = run(runtime, bundle, container_id=container)
    assert recalled(second)
    ours = [line.rpartition("/")[2] for line in second.lines if runtime.marker in line.rpartition("/")[2]]
    assert set(ours) == {f"runc-{container}.scope" if "--systemd-cgroup" in runtime.argv else container}


def test_hooks_in_a_recalled_program_are_told_the_new_id(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    bundle.writable().args("cat", "/tmp/state")
    bundle.hook("startContainer", "cat > /tmp/state")
    run(runtime, bundle)
    container = new_id(runtime)
    second = run(runtime, bundle, container_id=container)
    assert recalled(second)
    assert f'"id":"{container}"' in second.stdout.replace(" ", "")


def test_created_containers_are_recalled_too(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    bundle.args("true")
    seen = []
    for _ in range(2):
        container = new_id(runtime)
        seen.append(recalled(runtime("--debug", "create", "-b", bundle.path, container)))
        runtime("delete", "--force", container)
    assert seen == [False, True]


def test_a_changed_config_is_planned(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    run(runtime, bundle.args("echo", "one"))
    second = run(runtime, bundle.args("echo", "two"))
    assert not recalled(second)
    assert second.stdout == "two\n"


@pytest.mark.skipif(not os.path.isdir("/run/systemd/system"), reason="lab only: needs a running systemd")
def test_another_driver_is_planned_for(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    bundle.args("true")
    run(runtime, bundle)
    other = Runtime([*runtime.argv, "--systemd-cgroup"], runtime.root, runtime.marker)
    assert not recalled(run(other, bundle))
    assert recalled(run(other, bundle)) and recalled(run(runtime, bundle))


@DRIVERS
def test_device_rules_hold_in_a_recalled_program_too(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    bundle.set("linux.devices", [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}])
    script = "head -c 1 /dev/kmsg >/dev/null 2>&1 && echo open || echo denied; head -c 1 /dev/zero | wc -c"
    bundle.args("sh", "-c", script)
    for again in (False, True):
        done = run(runtime, bundle)
        assert (recalled(done), done.lines) == (again, ["denied", "1"])


@pytest.mark.parametrize("flag", ["--no-pivot", "--no-new-keyring"])
def test_another_flag_is_planned_for(runtime: Runtime, bundle: Bundle, entries: Path, flag: str) -> None:
    bundle.args("true")
    run(runtime, bundle)
    assert not recalled(run(runtime, bundle, flag))
    assert recalled(run(runtime, bundle, flag))


def test_a_host_that_has_changed_is_planned_for(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    """What is bound was a directory, and is now a file: other operations make its mount point."""
    source = bundle.path / "source"
    source.mkdir()
    bundle.bind(source, "/mnt-source").writable().args("stat", "-c", "%F", "/mnt-source")
    assert run(runtime, bundle).stdout == "directory\n"
    source.rmdir()
    source.write_text("now a file")
    (bundle.rootfs / "mnt-source").rmdir()
    second = run(runtime, bundle)
    assert not recalled(second)
    assert second.stdout == "regular file\n"


def test_a_config_that_names_the_container_is_not_kept(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    before = names(entries)
    container = new_id(runtime)
    bundle.set("hostname", container).args("hostname")
    assert run(runtime, bundle, container_id=container).stdout == f"{container}\n"
    assert names(entries) == before


def test_a_program_that_failed_is_not_kept(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    before = names(entries)
    run(runtime, bundle.args("/no/such/program"), status=1)
    assert names(entries) == before


def test_a_recalled_program_that_fails_says_as_much_as_any(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    bundle.args("true")
    run(runtime, bundle)
    (bundle.rootfs / "bin/true").unlink()
    second = run(runtime, bundle, status=1)
    assert recalled(second)
    assert 'exec: \\"true\\": executable file not found in $PATH' in second.stderr


def test_a_damaged_entry_is_made_anew(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    before = names(entries)
    bundle.args("echo", "whole")
    run(runtime, bundle)
    entry = only(entries, before)
    good = entry.read_bytes()
    for bad in (b"", good[:-1], good + b"x", good[:100] + b"\0" + good[101:], bytes(len(good))):
        entry.write_bytes(bad)
        done = run(runtime, bundle)
        assert not recalled(done)
        assert done.stdout == "whole\n"
        assert recalled(run(runtime, bundle))


def test_an_entry_that_somebody_else_could_write_is_not_used(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    before = names(entries)
    bundle.args("true")
    run(runtime, bundle)
    entry = only(entries, before)
    for uid, mode in ((0, 0o660), (1000, 0o600)):
        entry.chmod(mode)
        os.chown(entry, uid, uid)
        assert not recalled(run(runtime, bundle))
        assert recalled(run(runtime, bundle))


def test_an_entry_of_another_question_is_not_used(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    """As if two configs had the same hash: the whole config is compared."""
    before = names(entries)
    run(runtime, bundle.args("echo", "first"))
    first = only(entries, before)
    content = first.read_bytes()
    run(runtime, bundle.args("echo", "other"))
    other = only(entries, before | {first.name})
    other.write_bytes(content)
    done = run(runtime, bundle)
    assert not recalled(done)
    assert done.stdout == "other\n"


@pytest.mark.parametrize("profile", [None, engine_profile()], ids=["no profile", "profile"])
def test_a_recalled_start_does_not_load_the_planner(
    runtime: Runtime, bundle: Bundle, entries: Path, profile: dict[str, object] | None
) -> None:
    code = (
        "import sys; sys.argv = ['orlop', *sys.argv[1:]]\n"
        "import orlop.pack, orlop.cli.main\n"
        "orlop.pack.code = lambda: b'tests'\n"
        "status = orlop.cli.main.main(sys.argv)\n"
        "planner = ('orlop.plan.container', 'orlop.plan.seccomp', 'orlop.spec.check', 'orlop.spec.json')\n"
        "print(status, sum(name in sys.modules for name in planner))\n"
    )
    bundle.args("true")
    if profile is not None:
        bundle.set("linux.seccomp", profile)
    seen = []
    for _ in range(2):
        argv: list[str | Path] = [
            sys.executable,
            "-c",
            code,
            "--root",
            str(runtime.root),
            "run",
            "-b",
            bundle.path,
            new_id(runtime),
        ]
        seen.append(subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=True).stdout)
    assert seen == ["0 4\n", "0 0\n"]


def test_what_a_runtime_cannot_grant_is_told_each_time(runtime: Runtime, bundle: Bundle, entries: Path) -> None:
    """One that lacks capabilities gets another program than one that has them, and both may be recalled."""
    for kind in ("bounding", "effective", "permitted"):
        bundle.set(f"process.capabilities.{kind}", ["CAP_KILL", "CAP_SYS_TIME"])
    bundle.args("sh", "-c", "grep CapEff /proc/self/status")
    lacking = Runtime(["setpriv", "--bounding-set=-sys_time", *runtime.argv], runtime.root, runtime.marker)
    warning = "ignoring unknown or unavailable capabilities: [CAP_SYS_TIME]"

    def seen(done: Done) -> tuple[bool, bool, int]:
        return recalled(done), warning in done.stderr, int(done.stdout.split()[1], 16)

    all_of_them, the_others = 1 << 5 | 1 << 25, 1 << 5
    assert seen(run(runtime, bundle)) == (False, False, all_of_them)
    assert seen(run(lacking, bundle)) == (False, True, the_others)
    assert seen(run(lacking, bundle)) == (True, True, the_others)
    assert seen(run(runtime, bundle)) == (False, False, all_of_them)
    with runtime.running(bundle.args("sleep", "1000")) as container:
        words = ("--debug", "exec", container.id, "grep", "CapEff", "/proc/self/status")
        assert seen(runtime(*words)) == (False, False, all_of_them)
        assert [seen(lacking(*words)) for _ in range(2)] == [(again, True, the_others) for again in (False, True)]
        assert seen(runtime(*words)) == (False, False, all_of_them)


def test_what_is_not_as_asked_for_is_told_of_a_recalled_container_too(
    runtime: Runtime, bundle: Bundle, entries: Path
) -> None:
    bundle.mount("tmp", "tmpfs", "tmpfs").args("true")
    for again in (False, True):
        done = run(runtime, bundle)
        assert recalled(done) == again and "destination tmp is not absolute" in done.stderr


def test_an_exec_that_comes_again_is_not_planned_again(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    process = place / "process.json"
    process.write_text(
        json.dumps({"args": ["sh", "-c", "id -u; exit 3"], "cwd": "/", "user": {"uid": 5}, "env": ["PATH=/bin"]})
    )
    with runtime.running(bundle.args("sleep", "1000")) as container:
        for flags in [("-p", process, container.id), (container.id, "sh", "-c", "id -u; exit 3")]:
            first, second = (runtime("--debug", "exec", *flags, status=3) for _ in range(2))
            assert (recalled(first), recalled(second)) == (False, True)
            assert first.lines == second.lines == ["5" if flags[0] == "-p" else "0"]


def test_another_exec_is_planned(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    def run(*flags: str | Path, file: str = "") -> list[str]:
        if file:
            (place / "process.json").write_text(json.dumps({"args": [file], "cwd": "/", "env": ["PATH=/bin"]}))
        done = runtime("--debug", "exec", *flags, *(() if file else (container.id, "sh", "-c", "id -u; pwd; echo $A")))
        assert not recalled(done)
        return done.lines

    with runtime.running(bundle.args("sleep", "1000")) as container:
        assert run() == ["0", "/", ""]
        assert run("--user", "7") == ["7", "/", ""]
        assert run("--cwd", "/tmp") == ["0", "/tmp", ""]
        assert run("--env", "A=b") == ["0", "/", "b"]
        assert run("--env", "A=c") == ["0", "/", "c"]
        assert run("-p", place / "process.json", container.id, file="pwd") == ["/"]
        assert run("-p", place / "process.json", container.id, file="id")[0].startswith("uid=0")


def test_an_exec_is_planned_again_where_the_host_has_changed(runtime: Runtime, bundle: Bundle) -> None:
    """The caller's own limits are part of a program that sets some: so are its standard streams."""
    bundle.set("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100}])
    with runtime.running(bundle.args("sleep", "1000")) as container:
        runtime("exec", container.id, "true")
        assert recalled(runtime("--debug", "exec", container.id, "true"))
        limited = Runtime(["prlimit", "--core=0", *runtime.argv], runtime.root, runtime.marker)
        assert not recalled(limited("--debug", "exec", container.id, "true"))


def test_what_is_kept_of_execs_is_little_and_goes_with_the_container(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        kept = runtime.root / container.id / "programs"
        for number in range(12):
            runtime("exec", container.id, "echo", str(number))
        assert 0 < len(list(kept.iterdir())) <= 5
        assert kept.stat().st_mode & 0o777 == 0o700
    assert not kept.exists()


@pytest.mark.parametrize("harm", ["damaged", "another's"])
def test_an_exec_that_was_kept_is_used_only_whole_and_if_it_is_ours_alone(
    runtime: Runtime, bundle: Bundle, harm: str
) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        runtime("exec", container.id, "echo", "first")
        (entry,) = (runtime.root / container.id / "programs").iterdir()
        if harm == "damaged":
            data = bytearray(entry.read_bytes())
            data[-100] ^= 1
            entry.write_bytes(data)
        else:
            entry.chmod(0o622)
        done = runtime("--debug", "exec", container.id, "echo", "first")
        assert done.lines == ["first"] and not recalled(done)


def test_an_exec_that_fails_again_says_as_much_as_before(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        runtime("exec", container.id, "sh", "-c", "exit 0")
        os.unlink(bundle.rootfs / "bin/sh")
        done = runtime("--debug", "exec", container.id, "sh", "-c", "exit 0", status=255)
        assert recalled(done) and 'exec: \\"sh\\": executable file not found in $PATH' in done.stderr


def test_a_program_plans_a_config_that_comes_again_no_more(runtime: Runtime, make_bundle: Callable[[], Bundle]) -> None:
    """In memory, for nobody knows whether the modules that it has loaded are those of the cache."""
    code = (
        "import sys, orlop, orlop.plan.container as planner\n"
        "plan, root, marker = planner.container_program, *sys.argv[1:3]\n"
        "made = []\n"
        "planner.container_program = lambda *args: made.append(args) or plan(*args)\n"
        "for number, bundle in enumerate(sys.argv[3:]):\n"
        "    made.clear()\n"
        "    status = orlop.Container.run(f'{marker}-memory-{number}', bundle, root=root)\n"
        "    print(status, len(made), flush=True)\n"
    )
    first, other = make_bundle().shell("echo first; exit 3"), make_bundle().shell("echo other; exit 4")
    order = [first, first, first, other, first, other]
    argv = [sys.executable, "-c", code, str(runtime.root), runtime.marker, *(str(each.path) for each in order)]
    done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=True)
    expected = ["first 3 1", "first 3 2", "first 3 0", "other 4 1", "first 3 0", "other 4 2"]
    assert done.stdout.split() == " ".join(expected).split()


def test_a_planner_that_has_changed_plans_again(
    runtime: Runtime, bundle: Bundle, entries: Path, tmp_path: Path
) -> None:
    """Although the second container of a config does without it."""
    if not (PROJECT / "build/orlop").exists():
        pytest.skip("needs orlop to be built in place")
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "orlop", tmp_path / "orlop", ignore=skipped)
    shutil.copytree(
        PROJECT / "build", tmp_path / "build", ignore=lambda _place, names: {*names} - {"orlop", "orlop.python"}
    )
    copy = Runtime([str(tmp_path / "build/orlop")], runtime.root, runtime.marker)
    copy("--version")  # writes the pack
    bundle.args("true")
    found = [recalled(run(copy, bundle)) for _ in range(2)]
    planner = tmp_path / "orlop/plan/masks.py"
    planner.write_text(planner.read_text() + "\n")
    found += [recalled(run(copy, bundle)) for _ in range(4)]  # drops the pack, writes it, remembers
    assert found == [False, True, False, False, False, True]
