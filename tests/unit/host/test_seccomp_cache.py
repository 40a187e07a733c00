from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orlop import system
from orlop.host import seccomp_cache
from orlop.host.seccomp_cache import Cache, checked, describe_library, entry_key, entry_name, maker
from orlop.spec.types import Seccomp
from tests.system.seccomp_profile import engine_profile

PROGRAM = bytes(range(8)) * 40
PROFILE: Seccomp = engine_profile()  # type: ignore[assignment]


class Kept:
    """A cache with one entry, of a library that is a file of the test's."""

    def __init__(self, path: Path) -> None:
        self.file = path / "libseccomp.so.2.5.4"
        self.file.write_bytes(b"a library")
        self.directory = path / "run/cache/seccomp"
        self.directory.parents[1].mkdir()
        self.cache = Cache(str(self.directory))
        self.library = describe_library(str(self.file), "2.5.4")
        self.cache.put(PROFILE, self.library, PROGRAM)

    @property
    def entry(self) -> Path:
        return self.directory / entry_name(self.key)

    @property
    def key(self) -> bytes:
        return entry_key(PROFILE, self.library)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_what_was_put_is_got_with_its_maker(kept: Kept) -> None:
    assert kept.cache.get(PROFILE) == (PROGRAM, maker(kept.library))


def test_nothing_but_entry_and_library_is_left_in_the_directory(kept: Kept) -> None:
    kept.cache.put(PROFILE, kept.library, PROGRAM)
    assert {path.name for path in kept.directory.iterdir()} == {"library", kept.entry.name}


def test_the_files_are_their_owners_alone(kept: Kept) -> None:
    assert kept.directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in kept.directory.iterdir()} == {0o600}


def test_another_profile_is_another_entry(kept: Kept) -> None:
    other: Seccomp = {**PROFILE, "defaultErrnoRet": 38}
    assert kept.cache.get(other) is None
    kept.cache.put(other, kept.library, PROGRAM[8:])
    made_by = maker(kept.library)
    assert (kept.cache.get(PROFILE), kept.cache.get(other)) == ((PROGRAM, made_by), (PROGRAM[8:], made_by))


@pytest.mark.parametrize(("part", "value"), [("release", "9.9.9"), ("machine", "riscv64")])
def test_another_kernel_or_machine_is_another_entry(
    kept: Kept, part: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = os.uname()
    names = ("sysname", "nodename", "release", "version", "machine")
    changed = os.uname_result([value if name == part else getattr(now, name) for name in names])
    monkeypatch.setattr(system, "uname", lambda: changed)
    assert kept.cache.get(PROFILE) is None


def test_another_compiler_of_ours_is_another_entry(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp_cache, "COMPILER", seccomp_cache.COMPILER + 1)
    assert kept.cache.get(PROFILE) is None


def test_an_updated_library_makes_all_entries_anew(kept: Kept) -> None:
    kept.file.write_bytes(b"another library")
    assert kept.cache.get(PROFILE) is None


def test_a_library_that_is_gone_makes_all_entries_anew(kept: Kept) -> None:
    kept.file.unlink()
    assert kept.cache.get(PROFILE) is None


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "magic": lambda data: flipped(data, 0),
    "hash": lambda data: flipped(data, 9),
    "size of the key": lambda data: flipped(data, 16),
    "key": lambda data: flipped(data, 100),
    "first instruction": lambda data: flipped(data, len(data) - len(PROGRAM)),
    "last instruction": lambda data: flipped(data, len(data) - 1),
    "an instruction short": lambda data: data[:-8],
    "a byte short": lambda data: data[:-1],
    "an instruction more": lambda data: data + data[-8:],
    "no instruction": lambda data: data[: -len(PROGRAM)],
    "only a magic": lambda data: data[:8],
    "far too long": lambda data: data * 100,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_entry_is_not_used(kept: Kept, how: str) -> None:
    kept.entry.write_bytes(DAMAGE[how](kept.entry.read_bytes()))
    assert kept.cache.get(PROFILE) is None


def test_no_flipped_bit_goes_unnoticed(kept: Kept) -> None:
    data = kept.entry.read_bytes()
    for at in range(len(data)):
        with pytest.raises(ValueError, match="damaged"):
            checked(kept.key, flipped(data, at))


def test_no_truncated_entry_is_used(kept: Kept) -> None:
    data = kept.entry.read_bytes()
    for length in range(len(data)):
        with pytest.raises(ValueError, match="damaged"):
            checked(kept.key, data[:length])


def test_a_good_filter_of_another_profile_is_not_used(kept: Kept) -> None:
    other: Seccomp = {**PROFILE, "defaultErrnoRet": 38}
    kept.cache.put(other, kept.library, PROGRAM[8:])
    (kept.directory / entry_name(entry_key(other, kept.library))).rename(kept.entry)
    assert kept.cache.get(PROFILE) is None


def test_a_directory_that_is_a_link_is_not_used(kept: Kept) -> None:
    away = kept.directory.rename(kept.directory.parent / "away")
    kept.directory.symlink_to(away)
    assert kept.cache.get(PROFILE) is None


def test_an_entry_under_another_name_is_not_used(kept: Kept) -> None:
    other: Seccomp = {**PROFILE, "defaultErrnoRet": 38}
    kept.entry.rename(kept.directory / entry_name(entry_key(other, kept.library)))
    assert kept.cache.get(other) is None


@pytest.mark.parametrize("mode", [0o602, 0o620, 0o604])
def test_an_entry_that_others_may_touch_is_not_used(kept: Kept, mode: int) -> None:
    kept.entry.chmod(mode)
    assert kept.cache.get(PROFILE) is None


@pytest.mark.parametrize("mode", [0o702, 0o720, 0o705])
def test_a_directory_that_others_may_touch_is_not_used(kept: Kept, mode: int) -> None:
    kept.directory.chmod(mode)
    assert kept.cache.get(PROFILE) is None
    before = kept.entry.read_bytes()
    kept.cache.put(PROFILE, kept.library, PROGRAM[8:])
    assert kept.entry.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("what", ["directory", "entry", "library"])
def test_what_belongs_to_somebody_else_is_not_used(kept: Kept, what: str) -> None:
    path = {"directory": kept.directory, "entry": kept.entry, "library": kept.directory / "library"}[what]
    os.chown(path, 1000, 1000)
    assert kept.cache.get(PROFILE) is None


@pytest.mark.parametrize("strange", ["link", "fifo", "directory"])
def test_an_entry_that_is_no_file_is_not_used(kept: Kept, strange: str) -> None:
    away = kept.entry.rename(kept.directory / "away")
    if strange == "link":
        kept.entry.symlink_to(away)
    elif strange == "fifo":
        os.mkfifo(kept.entry, 0o600)
    else:
        kept.entry.mkdir(0o700)
    assert kept.cache.get(PROFILE) is None


@pytest.mark.parametrize("text", [b"", b"\xff\xfe", b"one line", b"/nowhere\n1 2 3\n2.5.4\n", b"\n" * 20, b"\0\n\n\n"])
def test_a_library_note_that_makes_no_sense_is_no_error(kept: Kept, text: bytes) -> None:
    (kept.directory / "library").write_bytes(text)
    assert kept.cache.get(PROFILE) is None


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    cache = Cache(str(tmp_path / "not/there/seccomp"))
    cache.put(PROFILE, b"", PROGRAM)
    assert cache.get(PROFILE) is None


def test_a_cache_never_grows_without_end(kept: Kept) -> None:
    for number in range(300):
        kept.cache.put({**PROFILE, "defaultErrnoRet": number}, kept.library, PROGRAM)
    assert len(list(kept.directory.iterdir())) < 300
    assert kept.cache.get({**PROFILE, "defaultErrnoRet": 299}) == (PROGRAM, maker(kept.library))
