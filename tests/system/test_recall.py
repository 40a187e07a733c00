"""A program that was planned before is used again for the same config, and only for that."""

from __future__ import annotations

import itertools
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

_numbers = itertools.count(1)

pytestmark = pytest.mark.usefixtures("clean_host")


@pytest.fixture(autouse=True)
def of_orlop(runtime: Runtime) -> None:
    if not runtime.is_orlop:
        pytest.skip("of orlop only")
    runtime("--version")  # the first start after a change of the code packs it anew


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
        project = Path(__file__).parents[2]
        seen.append(subprocess.run(argv, cwd=project, capture_output=True, text=True, check=True).stdout)
    assert seen == ["0 4\n", "0 0\n"]


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
    done = subprocess.run(argv, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    expected = ["first 3 1", "first 3 2", "first 3 0", "other 4 1", "first 3 0", "other 4 2"]
    assert done.stdout.split() == " ".join(expected).split()


def test_a_planner_that_has_changed_plans_again(
    runtime: Runtime, bundle: Bundle, entries: Path, tmp_path: Path
) -> None:
    """Although the second container of a config does without it."""
    project = Path(__file__).parents[2]
    if not (project / "build/orlop").exists():
        pytest.skip("needs orlop to be built in place")
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(project / "orlop", tmp_path / "orlop", ignore=skipped)
    shutil.copytree(
        project / "build", tmp_path / "build", ignore=lambda _place, names: {*names} - {"orlop", "orlop.python"}
    )
    copy = Runtime([str(tmp_path / "build/orlop")], runtime.root, runtime.marker)
    copy("--version")  # writes the pack
    bundle.args("true")
    found = [recalled(run(copy, bundle)) for _ in range(2)]
    planner = tmp_path / "orlop/plan/masks.py"
    planner.write_text(planner.read_text() + "\n")
    found += [recalled(run(copy, bundle)) for _ in range(4)]  # drops the pack, writes it, remembers
    assert found == [False, True, False, False, False, True]
