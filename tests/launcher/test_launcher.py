"""The launcher finds its package and interpreter, and passes on what it was given."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.launcher.tree import INTERPRETER, ROOT, VERSION, Tree, give_interpreter, make


@pytest.mark.parametrize(
    ("package", "launcher", "interpreter"),
    [
        pytest.param(f"lib/{VERSION}/site-packages", "bin/orlop", VERSION, id="a virtual environment"),
        pytest.param(f"lib64/{VERSION}/site-packages", "bin/orlop", VERSION, id="lib64"),
        pytest.param(f"lib/{VERSION}/dist-packages", "bin/orlop", VERSION, id="Debian's pip"),
        pytest.param("lib/python3/dist-packages", "bin/orlop", "python3", id="Debian's package"),
        pytest.param(".", "bin/orlop", "python3", id="pip's --target"),
        pytest.param(".", "build/orlop", "python3", id="a checkout"),
    ],
)
def test_the_package_is_found_from_where_the_launcher_is(
    package: str, launcher: str, interpreter: str, tmp_path: Path, built: Path
) -> None:
    tree = make(tmp_path / package, tmp_path / launcher, built)
    python = give_interpreter(tmp_path / "bin", interpreter)
    seen = tree.run("state", "x")
    assert seen["word"] == "first"
    assert seen["file"] == os.path.normpath(tree.other)
    assert seen["python"] == str(python)
    assert seen["argv"] == [str(tree.launcher), "state", "x"]


def test_the_newest_version_that_has_both_package_and_interpreter_is_taken(tree: Tree, built: Path) -> None:
    prefix = tree.launcher.parent.parent
    newer = make(prefix / "lib" / "python3.29" / "site-packages", prefix / "elsewhere", built)
    newer.say("newer")
    assert tree.run()["word"] == "first"  # there is no python3.29
    give_interpreter(prefix / "bin", "python3.29")
    assert tree.run()["word"] == "newer"


def test_the_interpreter_that_a_file_beside_the_launcher_names_is_taken(tree: Tree, tmp_path: Path) -> None:
    named = give_interpreter(tmp_path / "other place")
    Path(f"{tree.launcher}.python").write_text(f"{named}\n")
    assert tree.run()["python"] == str(named)


def test_an_interpreter_is_looked_for_in_the_search_path_last(tmp_path: Path, built: Path) -> None:
    tree = make(tmp_path / "lib" / "python3.28" / "site-packages", tmp_path / "bin" / "orlop", built)
    python = give_interpreter(tmp_path / "far" / "away", "python3.28")
    env = {"PATH": f"/nonexistent::relative:{python.parent}", "LANG": "C.UTF-8"}
    assert tree.run(env=env)["python"] == str(python)


def test_a_named_interpreter_that_this_user_cannot_run_is_passed_over(tree: Tree) -> None:
    before = tree.run()["python"]
    Path(f"{tree.launcher}.python").write_text("/nonexistent/python3\n")
    assert tree.run()["python"] == before


def test_without_a_package_the_launcher_says_so(tmp_path: Path, built: Path) -> None:
    launcher = Path(shutil.copy(built, tmp_path / "orlop"))
    done = subprocess.run([launcher, "state", "x"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    message = f"orlop: no package of orlop with a Python 3.11 or newer was found for {launcher}\n"
    assert done.stderr == message


def test_a_link_of_another_name_works_and_the_name_arrives(tree: Tree, tmp_path: Path) -> None:
    link = tmp_path / "some" / "runc"
    link.parent.mkdir()
    link.symlink_to(tree.launcher)
    done = subprocess.run([link, "--version"], capture_output=True, text=True)
    assert f'"argv": ["{link}", "--version"]' in done.stdout
    assert tree.run("--version", name="runc")["argv"] == ["runc", "--version"]


@pytest.mark.parametrize("arguments", [[], [""], ["-c", "--", "-V", "a b", "ä", "\n"], ["x"] * 5000])
def test_arguments_are_passed_on_as_they_are(arguments: list[str], tree: Tree) -> None:
    assert tree.run(*arguments)["argv"] == [str(tree.launcher), *arguments]


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"LC_CTYPE": "C"},
        {"LC_CTYPE": "C.UTF-8"},
        {"LC_ALL": "C"},
        {"LANG": "C.UTF-8", "EMPTY": "", "PATH": "/bin", "PYTHONHOME": "/nonexistent", "PYTHONPATH": "/nonexistent"},
    ],
    ids=str,
)
def test_the_environment_is_passed_on_as_it_is(env: dict[str, str], tree: Tree) -> None:
    assert tree.run(env=env)["environment"] == env


@pytest.mark.parametrize("command", ["state", "list"])
def test_no_descriptor_is_left_open(tree: Tree, command: str) -> None:
    tree.run()  # writes the pack
    descriptors = tree.run(command)["descriptors"]
    assert isinstance(descriptors, dict)
    assert sorted(descriptors) == ["0", "1", "2"]


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "de_DE.ISO-8859-1"])
def test_text_is_utf_8_in_every_locale(tree: Tree, locale: str) -> None:
    assert tree.run(env={"LC_ALL": locale})["utf8"] == 1


def test_it_says_that_no_module_of_a_hot_command_has_changed(tree: Tree) -> None:
    assert [tree.run(command)["fresh"] for command in ("state", "state", "list")] == [False, True, False]
    source = tree.other.stat()
    os.utime(tree.other, ns=(source.st_atime_ns, source.st_mtime_ns + 1))
    assert not tree.run("state")["fresh"]
    tree.run("state")
    assert tree.run("state")["fresh"]
    tree.other.write_text(tree.other.read_text() + "\n")
    os.utime(tree.other, ns=(source.st_atime_ns, source.st_mtime_ns + 1))
    assert not tree.run("state")["fresh"]


@pytest.mark.parametrize(
    ("arguments", "some"),
    [
        (["--systemd-cgroup", "run", "x"], True),
        (["--debug", "--systemd-cgroup", "create", "x"], True),
        (["run", "x"], False),
        (["--systemd-cgroup", "state", "x"], False),
        (["--systemd-cgroups", "run"], False),
        (["--systemd-cgroup", "runs"], False),
    ],
)
def test_for_a_scope_of_systemds_a_child_goes_ahead_and_moves_to_where_it_is(
    arguments: list[str], some: bool, tree: Tree
) -> None:
    possible = any(os.access(f"{mount}{_own_cgroup()}/cgroup.procs", os.W_OK) for mount in _MOUNTS)
    assert tree.run(*arguments)["ahead"] == ([0] if some and possible else [])


_MOUNTS = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")


def _own_cgroup() -> str:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    return next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "/nowhere")


def test_neither_site_nor_the_variables_of_python_nor_the_current_directory_are_looked_at(tree: Tree) -> None:
    seen = tree.run()
    assert (seen["isolated"], seen["site"]) == (1, False)
    path = seen["path"]
    assert isinstance(path, list)
    assert path[-1] == str(tree.root)  # last: nothing beside us can stand in for a module of Python's own
    assert "" not in path


def test_the_compiled_boot_file_is_used_while_it_fits(tree: Tree) -> None:
    assert tree.run()["boot"] == str(tree.package / "boot.py")
    compiled = tree.package / "__pycache__" / f"boot.cpython-3{VERSION.partition('.')[2]}.pyc"
    assert tree.run()["boot"] == str(compiled)
    with (tree.package / "boot.py").open("a") as file:
        file.write("# changed\n")
    assert tree.run()["boot"] == str(tree.package / "boot.py")


def test_the_launcher_needs_no_other_file_to_start(built: Path) -> None:
    headers = subprocess.run(["readelf", "--wide", "--segments", built], capture_output=True, text=True, check=True)
    assert "INTERP" not in headers.stdout and "DYNAMIC" not in headers.stdout
    assert "RWE" not in headers.stdout
    assert built.stat().st_size < 8192


@pytest.mark.skipif(shutil.which("aarch64-linux-gnu-gcc") is None, reason="needs aarch64-linux-gnu-gcc")
def test_the_launcher_for_the_other_architecture_finds_its_package_too(tmp_path: Path) -> None:
    qemu = shutil.which("qemu-aarch64-static")
    if qemu is None:
        pytest.skip("needs qemu-aarch64-static")
    built = tmp_path / "built"
    subprocess.run([ROOT / "tools" / "native.sh", "launcher", built, "aarch64-linux-gnu-gcc"], check=True)
    tree = make(tmp_path / "lib" / VERSION / "site-packages", tmp_path / "bin" / "orlop", built)
    # It starts this machine's own interpreter: an emulated process may execute a file of the host.
    Path(f"{tree.launcher}.python").write_text(f"{INTERPRETER}\n")
    for fresh in ("false", "true"):  # the first writes the pack
        done = subprocess.run([qemu, "-0", "runc", tree.launcher, "state", "b"], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (7, "")
        assert '"argv": ["runc", "state", "b"]' in done.stdout
        assert f'"fresh": {fresh}' in done.stdout
