"""The mount option remount, and options of whole trees on file systems that are new."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import Runtime

pytestmark = pytest.mark.usefixtures("clean_host")

LINES = "grep ' /srv ' /proc/self/mountinfo | cut -d' ' -f6-"


def flags(line: str) -> set[str]:
    return {*line.split()[0].split(",")} - {"relatime"}


def test_a_remount_with_bind_gives_the_mount_that_is_there_these_flags(runtime: Runtime, bundle: Bundle) -> None:
    bundle.mount("/srv", "tmpfs", "tmpfs", "nosuid").mount("/srv", "bind", "", "bind", "remount", "ro", "noexec")
    (line,) = runtime.shell(bundle, LINES)
    assert flags(line) == {"ro", "noexec"}


def test_a_remount_gives_the_file_system_other_options(runtime: Runtime, bundle: Bundle) -> None:
    bundle.mount("/srv", "tmpfs", "tmpfs", "nosuid", "size=1m").mount("/srv", "tmpfs", "tmpfs", "remount", "size=64k")
    (line,) = runtime.shell(bundle, LINES)
    assert "size=64k" in line
    if runtime.is_orlop:  # flags that are not named stay as they are
        assert flags(line) == {"rw", "nosuid"}


def test_a_remount_that_is_read_only_leaves_the_file_system_of_others_writable(
    runtime: Runtime, bundle: Bundle
) -> None:
    bundle.mount("/srv", "tmpfs", "tmpfs").bind(bundle.rootfs / "srv", "/tmp", "bind")
    bundle.mount("/srv", "tmpfs", "tmpfs", "remount", "ro")
    script = "touch /srv/x 2>/dev/null || echo refused; echo right > /tmp/x; cat /srv/x"
    assert runtime.shell(bundle.writable(), script) == ["refused", "right"]


@pytest.mark.parametrize("words", [("remount", "ro"), ("remount", "bind", "ro")], ids=" ".join)
def test_a_remount_where_nothing_is_mounted_is_an_error(
    words: tuple[str, ...], runtime: Runtime, bundle: Bundle
) -> None:
    line = runtime.refuses(bundle.mount("/etc", "tmpfs", "tmpfs", *words).args("true"))
    assert '"/etc"' in line and "invalid argument" in line
    if runtime.is_orlop:
        assert "nothing is mounted right at the destination" in line


def test_a_remount_with_bind_in_a_user_namespace_keeps_what_is_locked(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    bundle.user_namespace().bind(place, "/srv", "bind").mount("/srv", "bind", "", "bind", "remount", "ro")
    assert "ro" in flags(runtime.shell(bundle, LINES)[0])


@pytest.mark.parametrize(
    ("words", "expected"),
    [(("rro", "rnosuid"), {"ro", "nosuid"}), (("noexec", "rexec", "rnodev"), {"rw", "nodev"})],
    ids=str,
)
def test_options_of_a_tree_are_those_of_a_new_file_system(
    words: tuple[str, ...], expected: set[str], runtime: Runtime, bundle: Bundle
) -> None:
    if not runtime.is_orlop:
        pytest.skip("runc has them for bind mounts only")
    (line,) = runtime.shell(bundle.mount("/srv", "tmpfs", "tmpfs", *words), LINES)
    assert flags(line) == expected
