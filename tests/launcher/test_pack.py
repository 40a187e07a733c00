"""The pack of modules: used when it fits, never when it does not, and written again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launcher.tree import INTERPRETER, VERSION, Tree

# `state` is a hot command, whose modules come in one piece; those of any other are found one by one.
COMMANDS = ["state", "list"]


def from_pack(tree: Tree, command: str) -> bool:
    """Was the module `other` taken from the pack?"""
    loader = tree.run(command)["cached"]
    return loader != "SourceFileLoader"


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_the_first_start_writes_the_pack_and_the_second_uses_it(tree: Tree, command: str) -> None:
    assert not from_pack(tree, command)
    assert tree.pack.stat().st_mode & 0o777 == 0o644
    assert from_pack(tree, command)


def test_a_changed_module_is_taken_from_its_source_and_the_pack_written_again(tree: Tree, command: str) -> None:
    tree.run()
    tree.say("other")  # of the same length: only the time differs
    os.utime(tree.other, ns=(1, 1))
    assert tree.run(command)["word"] == "other"
    assert not tree.pack.exists()
    tree.run(command)
    assert from_pack(tree, command)
    assert tree.run(command)["word"] == "other"


def test_a_new_module_is_found(tree: Tree, command: str) -> None:
    tree.run()
    (tree.package / "cli" / "more.py").write_text("WORD = 'more'\n")
    main = tree.package / "cli" / "main.py"
    main.write_text(main.read_text().replace("\n\n\ndef", "\nfrom orlop.cli.more import WORD\n\n\ndef"))
    assert tree.run(command)["word"] == "more"


def test_a_module_that_has_been_removed_is_not_found_in_the_pack(tree: Tree, command: str) -> None:
    tree.run()
    tree.other.unlink()
    done = tree.start(command)
    assert done.returncode != 0
    assert "No module named 'orlop.cli.other'" in done.stderr


def test_what_a_unit_of_systemds_takes_is_made_at_once_when_the_first_module_of_it_is_asked_for(tree: Tree) -> None:
    cgroup = tree.package / "cgroup"
    cgroup.mkdir()
    (cgroup / "__init__.py").touch()
    (cgroup / "bus.py").write_text("WORD = 'bus'\n")
    (cgroup / "systemd_choice.py").write_text("from orlop.cgroup.bus import WORD\n")
    main = tree.package / "cli" / "main.py"
    text = main.read_text().replace('WORD_MODULE = "orlop.cli.other"', 'WORD_MODULE = "orlop.cgroup.bus"')
    begin = "    descriptors = {}"
    main.write_text(text.replace(begin, f"    import orlop.cgroup.systemd_choice\n{begin}"))
    assert [tree.run("state")["cached"] for _ in range(2)] == ["SourceFileLoader", "NoneType"]
    assert tree.run("list")["cached"] == "PackLoader"
    (cgroup / "bus.py").write_text("WORD = 'other'\n")
    assert [tree.run("state")["cached"] for _ in range(3)] == ["SourceFileLoader", "SourceFileLoader", "NoneType"]


@pytest.mark.parametrize("at", range(28))
def test_a_pack_that_is_damaged_at_its_start_is_not_used(at: int, tree: Tree) -> None:
    tree.run()
    whole = bytearray(tree.pack.read_bytes())
    whole[at] ^= 0x55
    tree.pack.write_bytes(whole)
    assert not from_pack(tree, "list")
    assert from_pack(tree, "list")


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.99])
def test_a_pack_that_is_cut_off_is_not_used(part: float, tree: Tree, command: str) -> None:
    tree.run()
    whole = tree.pack.read_bytes()
    tree.pack.write_bytes(whole[: int(len(whole) * part)])
    assert not from_pack(tree, command)
    assert from_pack(tree, command)


def test_a_module_that_is_damaged_in_the_pack_is_taken_from_its_source(tree: Tree) -> None:
    tree.run()
    whole = tree.pack.read_bytes()
    assert b"first" in whole
    tree.pack.write_bytes(whole.replace(b"first", b"worse"))
    assert tree.run("list")["word"] == "first"


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777])
def test_a_directory_that_others_may_write_to_is_neither_used_nor_written(mode: int, tree: Tree, command: str) -> None:
    tree.run()
    before = tree.pack.read_bytes()
    tree.pack.parent.chmod(mode)
    assert not from_pack(tree, command)
    tree.pack.unlink()
    tree.run(command)
    assert not tree.pack.exists()
    tree.pack.write_bytes(before)
    tree.pack.parent.chmod(0o755)
    assert from_pack(tree, command)


def test_a_pack_that_others_may_write_to_is_not_used(tree: Tree, command: str) -> None:
    tree.run()
    tree.pack.chmod(0o666)
    assert not from_pack(tree, command)
    assert tree.pack.stat().st_mode & 0o777 == 0o644


def test_a_link_in_place_of_the_pack_is_not_followed(tree: Tree, tmp_path: Path) -> None:
    tree.run()
    elsewhere = tmp_path / "elsewhere"
    tree.pack.rename(elsewhere)
    tree.pack.symlink_to(elsewhere)
    assert not from_pack(tree, "list")
    assert not tree.pack.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_pack_of_another_user_is_not_used(tree: Tree, command: str) -> None:
    tree.run()
    os.chown(tree.pack.parent, 12345, 12345)
    assert not from_pack(tree, command)


def test_a_pack_does_not_fit_a_package_that_has_been_moved(tree: Tree, tmp_path: Path) -> None:
    tree.run()
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path / "lib", moved / "lib", symlinks=True)
    shutil.copytree(tmp_path / "bin", moved / "bin", symlinks=True)
    copy = Tree(moved / "lib" / VERSION / "site-packages", moved / "bin" / "orlop")
    assert copy.pack.exists()
    seen = copy.run("list")
    assert seen["cached"] == "SourceFileLoader"
    assert seen["file"] == str(copy.other)


def test_a_module_that_cannot_be_compiled_is_left_out(tree: Tree, command: str) -> None:
    (tree.package / "broken.py").write_text("def\n")
    tree.run(command)
    assert from_pack(tree, command)


def test_where_the_pack_cannot_be_written_commands_work_all_the_same(tree: Tree) -> None:
    (tree.package / "__pycache__").symlink_to("/proc/self/nonexistent")
    assert tree.run()["word"] == "first"


def test_an_error_in_a_module_of_the_pack_shows_its_line(tree: Tree, command: str) -> None:
    tree.other.write_text("WORD = 'first'\n\n\ndef fail() -> None:\n    raise LookupError('here')\n")
    main = tree.package / "cli" / "main.py"
    main.write_text(
        main.read_text().replace(
            "    descriptors = {}", "    if argv[2:]: sys.modules[WORD_MODULE].fail()\n    descriptors = {}"
        )
    )
    tree.run(command)
    assert from_pack(tree, command)
    done = tree.start(command, "fail")
    assert f'File "{tree.other}", line 5, in fail\n    raise LookupError(' in done.stderr


def test_an_error_while_a_module_is_made_is_that_error(tree: Tree, command: str) -> None:
    tree.run(command)
    tree.other.write_text("raise ValueError('of the module')\n")
    for _ in range(3):  # with the old pack, without one, and with a new one
        done = tree.start(command)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == "ValueError: of the module"
        assert done.stderr.count("Traceback") == 1


def test_a_program_that_imports_the_library_does_not_use_the_pack(tree: Tree) -> None:
    tree.run()
    program = "import orlop.cli.other as other; print(type(other.__loader__).__name__)"
    done = subprocess.run([INTERPRETER, "-c", program], cwd=tree.root, capture_output=True, text=True, check=True)
    assert done.stdout == "SourceFileLoader\n"


def test_packs_of_two_versions_of_python_do_not_meet(tree: Tree) -> None:
    tree.run()
    assert sys.implementation.cache_tag in tree.pack.name
