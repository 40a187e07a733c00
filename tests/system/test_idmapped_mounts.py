"""Id-mapped mounts: the owners of files as the container sees them, and of those that it makes as the host does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import Runtime
from tests.system.test_mounts import mounted

pytestmark = pytest.mark.usefixtures("clean_host")

BASE = 100000


def rows(host: int = BASE, size: int = 65536, inside: int = 0) -> list[object]:
    return [{"containerID": inside, "hostID": host, "size": size}]


def with_maps(bundle: Bundle, uids: list[object], gids: list[object] | None = None) -> Bundle:
    """Give the last mount maps of its own."""
    mounts = bundle.get("mounts")
    assert isinstance(mounts, list)
    mounts[-1]["uidMappings"], mounts[-1]["gidMappings"] = uids, gids or uids
    bundle.write()
    return bundle


@pytest.fixture
def source(place: Path) -> Path:
    """Files of user 0, 1 and 1000."""
    source = place / "source"
    source.mkdir(mode=0o777)
    source.chmod(0o777)
    for owner in (0, 1, 1000):
        (source / str(owner)).touch()
        os.chown(source / str(owner), owner, owner + 10 if owner else 0)
    return source


@contextmanager
def bound(place: Path) -> Iterator[Path]:
    """A directory of the disk as a mount of its own: a tmpfs can be id-mapped from Linux 6.3 on."""
    directory = place.with_name(f"{place.name}-itself")
    for each in (place, directory):
        each.mkdir()
    directory.chmod(0o777)
    subprocess.run(["mount", "--bind", directory, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-R", place], check=True)


OWNERS = "cd /data; stat -c %u:%g 0 1 1000"


@pytest.mark.rule("M-5")
def test_a_mount_with_maps_shows_other_owners(runtime: Runtime, bundle: Bundle, source: Path) -> None:
    with_maps(bundle.bind(source, "/data", "bind"), rows(5000), rows(7000))
    assert runtime.shell(bundle, OWNERS) == ["5000:7000", "5001:7011", "6000:8010"]


@pytest.mark.parametrize("words", [("bind",), ("bind", "idmap"), ("rbind", "ridmap")], ids=" ".join)
def test_a_container_with_a_user_namespace_sees_the_owners_on_the_disk(
    runtime: Runtime, bundle: Bundle, source: Path, words: tuple[str, ...]
) -> None:
    with_maps(bundle.bind(source, "/data", *words).user_namespace(BASE), rows())
    assert runtime.shell(bundle, OWNERS) == ["0:0", "1:11", "1000:1010"]


@pytest.mark.parametrize("word", ["idmap", "ridmap"])
def test_without_maps_of_its_own_a_mount_has_the_containers(
    runtime: Runtime, bundle: Bundle, source: Path, word: str
) -> None:
    bundle.bind(source, "/data", "rbind", word).user_namespace(BASE)
    assert runtime.shell(bundle, f"{OWNERS}; touch new; stat -c %u new") == ["0:0", "1:11", "1000:1010", "0"]
    assert (source / "new").stat().st_uid == 0


def test_the_maps_of_a_user_namespace_that_is_joined_are_taken(runtime: Runtime, bundle: Bundle, source: Path) -> None:
    with runtime.running(bundle.user_namespace(BASE).args("sleep", "1000")) as owner:
        bundle.namespace("user", f"/proc/{owner.pid}/ns/user").bind(source, "/data", "bind", "idmap")
        bundle.drop("linux.uidMappings").drop("linux.gidMappings")
        assert runtime.shell(bundle, OWNERS) == ["0:0", "1:11", "1000:1010"]


def test_maps_in_several_lines(runtime: Runtime, bundle: Bundle, source: Path) -> None:
    maps = [*rows(500, 1), *rows(900, 1, 1), *rows(10, 1, 1000)]
    with_maps(bundle.bind(source, "/data", "bind"), maps, rows(0, 65536))
    assert [line.partition(":")[0] for line in runtime.shell(bundle, OWNERS)] == ["500", "900", "10"]


def test_an_owner_without_a_map_is_nobody_and_cannot_make_files(runtime: Runtime, bundle: Bundle, source: Path) -> None:
    with_maps(bundle.bind(source, "/data", "bind"), rows(5000, 2))
    script = f"{OWNERS}; touch new 2>&1 || echo failed"
    lines = runtime.shell(bundle, script)
    assert lines[0] == "5000:5000" and lines[2] == "65534:65534" and lines[-1] == "failed"


@pytest.mark.rule("M-5")
def test_only_the_tree_of_ridmap_has_maps(runtime: Runtime, bundle: Bundle, source: Path) -> None:
    (source / "0").chmod(0o644)
    with bound(source / "below"):
        (source / "below/file").touch()
        with_maps(bundle.bind(source, "/data", "rbind", "idmap"), rows(5000))
        assert runtime.shell(bundle, "cd /data; stat -c %u 0 below/file") == ["5000", "0"]
        bundle.set(f"mounts[{len(bundle.config['mounts']) - 1}].options", ["rbind", "ridmap"])  # type: ignore[index]
        assert runtime.shell(bundle, "cd /data; stat -c %u 0 below/file") == ["5000", "5000"]


def test_two_mounts_of_one_source_have_maps_of_their_own(runtime: Runtime, bundle: Bundle, source: Path) -> None:
    bundle.user_namespace(BASE)
    with_maps(bundle.bind(source, "/one", "bind"), rows())
    with_maps(bundle.bind(source, "/two", "bind"), rows(BASE + 100, 10))
    bundle.bind(source, "/three", "bind")
    assert runtime.shell(bundle, "stat -c %u /one/1 /two/1 /three/1") == ["1", "101", "65534"]


@pytest.mark.parametrize("user_namespace", [False, True])
def test_a_source_may_be_what_earlier_mounts_make(
    runtime: Runtime, bundle: Bundle, source: Path, user_namespace: bool
) -> None:
    (source / "deep/1").mkdir(parents=True)
    (source / "deep/1/file").touch()
    if user_namespace:
        bundle.user_namespace(BASE)
    bundle.bind(source, "/mnt", "bind").bind(source / "deep", "/mnt/deep", "bind", "noexec")
    with_maps(bundle.bind(bundle.rootfs / "mnt", "/data", "rbind", "ridmap", "ro"), rows(BASE))
    with_maps(bundle.bind(bundle.rootfs / "mnt/deep", "/new/place", "rbind", "idmap"), rows(BASE + 50, 10))
    bundle.bind(bundle.rootfs / "data/deep", "/again", "bind")
    script = "stat -c %u /data/1 /data/deep/1/file /new/place/1/file /again/1/file /new"
    lines = runtime.shell(
        bundle, f"{script}; grep -c idmapped /proc/self/mountinfo; grep ' /data ' /proc/self/mountinfo"
    )
    base = 0 if user_namespace else BASE
    assert lines[:5] == [str(base + 1), str(base), str(base + 50), str(base), "0"]
    assert lines[5] == "4" and " ro," in lines[6]


def test_a_file_can_be_mapped(runtime: Runtime, bundle: Bundle, source: Path) -> None:
    with_maps(bundle.bind(source / "1000", "/etc/file", "bind", "ro"), rows(5000))
    script = "stat -c %u /etc/file; grep ' /etc/file ' /proc/self/mountinfo"
    owner, line = runtime.shell(bundle, script)
    assert owner == "6000" and " ro," in line and "idmapped" in line


def test_the_container_gets_no_descriptor_of_the_maps(runtime: Runtime, bundle: Bundle, source: Path) -> None:
    with_maps(bundle.bind(source, "/data", "bind").user_namespace(BASE), rows())
    lines = runtime.shell(bundle, "for fd in /proc/self/fd/*; do readlink $fd; done; true")
    assert not [line for line in lines if line.startswith(("user:", "mnt:"))]
    bundle.set("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": 20, "hard": 20}])
    for number in range(20):
        with_maps(bundle.bind(source, f"/more/{number}", "bind"), rows(BASE + number % 2))
    assert runtime.shell(bundle, "stat -c %u /more/18/1 /more/19/1") == ["1", "2"]


def test_nothing_mounted_below_reaches_the_host(runtime: Runtime, bundle: Bundle, source: Path) -> None:
    with bound(source / "shared"):
        subprocess.run(["mount", "--make-shared", str(source / "shared")], check=True)
        (source / "shared/below").mkdir()
        with_maps(bundle.bind(source, "/data", "rbind", "ridmap"), rows(0))
        bundle.mount("/data/shared/below", "tmpfs", "tmpfs")
        with runtime.running(bundle.args("sleep", "1000")) as container:
            assert container.shell("grep -c shared/below /proc/self/mountinfo") == ["1"]
            assert str(source / "shared/below") not in Path("/proc/self/mountinfo").read_text()


def test_a_file_system_that_cannot_is_named(runtime: Runtime, bundle: Bundle) -> None:
    with_maps(bundle.bind("/proc/sys", "/data", "bind"), rows(5000))
    line = runtime.refuses(bundle)
    assert 'error mounting "/proc/sys" to rootfs at "/data"' in line
    assert "doesn't support idmap mounts" in line


def test_idmap_without_any_maps_is_refused(runtime: Runtime, bundle: Bundle, source: Path) -> None:
    assert "idmap needs mappings" in runtime.refuses(bundle.bind(source, "/data", "bind", "idmap"))


ALLOWED = ["rw,nosuid,nodev,noexec", "ro,suid,nodev,noexec", "ro,nosuid,dev,noexec", "ro,nosuid,nodev,exec"]
WORDS = [("bind",), ("bind", "idmap"), ("rbind", "ridmap"), ("rbind", "ridmap", "rslave"), ("bind", "idmap", "noexec")]


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_what_the_host_forbids_cannot_be_allowed_in_a_user_namespace(
    runtime: Runtime, bundle: Bundle, source: Path, words: tuple[str, ...]
) -> None:
    (source / "1").chmod(0o666)
    capabilities = ["CAP_SYS_ADMIN", "CAP_CHOWN", "CAP_MKNOD"]
    bundle.set("process.capabilities", dict.fromkeys(("bounding", "effective", "permitted"), capabilities))
    with bound(source / "fs") as place:
        (place / "below").touch()
        subprocess.run(["mount", "-o", "remount,bind,ro,nosuid,nodev,noexec", place], check=True)
        bundle.bind(place, "/data", *words).bind(place / "below", "/etc/file", "bind", "idmap").user_namespace(BASE)
        again = [f"mount -o remount,bind,{flags} /data" for flags in ALLOWED] + ["mount -o remount,bind,rw /etc/file"]
        script = "; ".join(f"{command} 2>/dev/null || echo refused" for command in again)
        lines = runtime.shell(bundle, f"{script}; grep ' /data ' /proc/self/mountinfo")
        assert lines[:-1] == ["refused"] * 5
        assert {"ro", "nosuid", "nodev", "noexec"} <= set(lines[-1].split()[5].split(","))


@pytest.mark.parametrize("words", [("rbind", "ridmap"), ("rbind", "idmap", "rslave")], ids=" ".join)
def test_what_the_host_mounts_later_is_in_a_mapped_tree(
    runtime: Runtime, bundle: Bundle, source: Path, words: tuple[str, ...]
) -> None:
    with bound(source / "fs") as place:
        subprocess.run(["mount", "--make-shared", str(place)], check=True)
        (place / "later").mkdir()
        bundle.bind(place, "/data", *words).user_namespace(BASE)
        with runtime.running(bundle.args("sleep", "1000")) as container, mounted(place / "later") as later:
            (later / "file").touch()
            assert container.shell("ls /data/later") == ["file"]


def test_mapped_trees_are_in_nobody_elses_way(runtime: Runtime, bundle: Bundle, source: Path) -> None:
    """They may lie in each other and in plain ones; what they are set aside in may be bound, too."""
    (source / "inner").mkdir()
    (source / "inner/file").touch()
    bundle.user_namespace(BASE).bind(source, "/plain", "rbind").bind(runtime.root, "/state", "rbind")
    bundle.bind(source, "/outer", "bind", "idmap").bind(source / "inner", "/inner", "bind", "idmap")
    with runtime.running(bundle.args("sleep", "1000")) as container:
        assert container.shell("stat -c %u /plain/1 /outer/1 /inner/file") == ["65534", "1", "0"]
