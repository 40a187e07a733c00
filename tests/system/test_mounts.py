"""Mounts as the container sees them: option words, propagation, binds, masks, devices; and what a hostile image
tries."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import Container, Runtime, error_line
from tests.system.limits import UNIFIED, cgroup_file, need

pytestmark = pytest.mark.usefixtures("clean_host")


class Seen:
    """A line of /proc/self/mountinfo."""

    def __init__(self, line: str) -> None:
        before, _, after = line.partition(" - ")
        fields = before.split()
        self.root, self.point = fields[3], fields[4]
        self.options = set(fields[5].split(","))
        self.tags = [field.split(":")[0] for field in fields[6:]]
        self.kind, self.source, data = after.split()
        self.data = set(data.split(","))


def mounts(runtime: Runtime, bundle: Bundle) -> dict[str, Seen]:
    """The mounts in the container by their place; of several on one, the last."""
    lines = runtime.run(bundle.args("cat", "/proc/self/mountinfo")).lines
    return {seen.point: seen for seen in map(Seen, lines)}


@contextmanager
def mounted(place: Path, *words: str) -> Iterator[Path]:
    """A tmpfs of the host's."""
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", *words, "orlop-test", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-R", str(place)], check=True)


# Option words


FLAG_WORDS = ["ro", "nosuid", "nodev", "noexec", "nodiratime", "noatime", "relatime", "nosymfollow"]


@pytest.mark.rule("M-4")
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
@pytest.mark.parametrize("word", FLAG_WORDS)
def test_a_flag_is_in_force(runtime: Runtime, bundle: Bundle, place: Path, kind: str, word: str) -> None:
    if kind == "tmpfs":
        bundle.mount("/tmp", "tmpfs", "tmpfs", word)
    else:
        bundle.bind(place, "/tmp", "rbind", word)
    assert word in mounts(runtime, bundle)["/tmp"].options


@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_strict_access_times_are_in_force(runtime: Runtime, bundle: Bundle, place: Path, kind: str) -> None:
    if kind == "tmpfs":
        bundle.mount("/tmp", "tmpfs", "tmpfs", "strictatime")
    else:
        bundle.bind(place, "/tmp", "rbind", "strictatime")
    assert not {"relatime", "noatime"} & mounts(runtime, bundle)["/tmp"].options


@pytest.mark.rule("M-4")
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ro", "rw"),
        ("nosuid", "suid"),
        ("nodev", "dev"),
        ("noexec", "exec"),
        ("noatime", "atime"),
        ("nosymfollow", "symfollow"),
    ],
)
def test_the_later_of_two_words_wins(runtime: Runtime, bundle: Bundle, first: str, second: str) -> None:
    bundle.mount("/tmp", "tmpfs", "tmpfs", first, second).mount("/etc", "tmpfs", "tmpfs", second, first)
    seen = mounts(runtime, bundle)
    assert first not in seen["/tmp"].options
    assert first in seen["/etc"].options


def test_a_bind_mount_without_flags_keeps_those_of_its_source(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    with mounted(place / "fs", "-o", "nosuid,noexec,noatime") as source:
        bundle.bind(source, "/tmp", "rbind")
        assert {"nosuid", "noexec", "noatime", "rw"} <= mounts(runtime, bundle)["/tmp"].options


def test_a_bind_mount_with_flags_has_exactly_these(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    with mounted(place / "fs", "-o", "nosuid,noexec") as source:
        bundle.bind(source, "/tmp", "rbind", "nodev")
        options = mounts(runtime, bundle)["/tmp"].options
        assert "nodev" in options and not {"nosuid", "noexec"} & options


def test_a_bind_mount_is_not_recursive_unless_it_is_rbind(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    with mounted(place / "fs") as source, mounted(source / "inner") as inner:
        (inner / "file").touch()
        bundle.bind(source, "/tmp", "bind").bind(source, "/etc", "rbind")
        assert runtime.shell(bundle, "ls /tmp/inner; ls /etc/inner") == ["file"]


def test_a_plain_read_only_word_covers_only_the_top(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    with mounted(place / "fs") as source, mounted(source / "inner"):
        seen = mounts(runtime, bundle.bind(source, "/tmp", "rbind", "ro"))
        assert "ro" in seen["/tmp"].options
        assert "rw" in seen["/tmp/inner"].options


@pytest.mark.parametrize("word", ["ro", "nosuid", "nodev", "noexec", "noatime"])
def test_a_recursive_word_covers_the_whole_tree(runtime: Runtime, bundle: Bundle, place: Path, word: str) -> None:
    with mounted(place / "fs") as source, mounted(source / "inner"):
        seen = mounts(runtime, bundle.bind(source, "/tmp", "rbind", "r" + word))
        assert word in seen["/tmp"].options and word in seen["/tmp/inner"].options


def test_a_recursive_word_can_clear_a_flag_in_the_whole_tree(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    with mounted(place / "fs", "-o", "noexec") as source, mounted(source / "inner", "-o", "noexec"):
        seen = mounts(runtime, bundle.bind(source, "/tmp", "rbind", "rexec"))
        assert "noexec" not in seen["/tmp"].options and "noexec" not in seen["/tmp/inner"].options


def test_the_data_of_a_file_system_gets_there(runtime: Runtime, bundle: Bundle) -> None:
    bundle.mount("/tmp", "tmpfs", "scratch", "size=64k", "mode=1700", "uid=3", "gid=4", "nr_inodes=10")
    seen = mounts(runtime, bundle)["/tmp"]
    assert seen.source == "scratch"
    assert {"size=64k", "mode=1700", "uid=3", "gid=4", "nr_inodes=10"} <= seen.data


@pytest.mark.parametrize("mapped", [False, True])
def test_an_option_may_be_longer_than_fsconfig_takes(
    runtime: Runtime, bundle: Bundle, place: Path, mapped: bool
) -> None:
    if "overlay" not in Path("/proc/filesystems").read_text():
        pytest.skip("the kernel has no overlay")
    layers = [place / f"{number}" / ("x" * 200) for number in range(3)]
    for layer in layers:
        layer.mkdir(parents=True)
        (layer / layer.parent.name).write_text("")
    if mapped:
        bundle.user_namespace()
    lower = "lowerdir=" + ":".join(map(str, layers))
    bundle.mount("/srv", "overlay", "s" * 300, lower, "noexec", "ro", "rprivate").set("root.readonly", True)
    lines = runtime.shell(bundle, "ls /srv; grep ' /srv ' /proc/self/mountinfo; grep -c ' /proc ' /proc/self/mountinfo")
    assert lines[:3] == ["0", "1", "2"] and lines[4] == "1"
    fields = lines[3].split()
    assert fields[5] == "ro,noexec,relatime" and fields[6:8] == ["-", "overlay"] and lower in fields[9]
    assert fields[9].split(",")[0] == "ro"


def test_all_options_of_a_mount_must_fit_a_page(runtime: Runtime, bundle: Bundle) -> None:
    line = runtime.refuses(bundle.mount("/srv", "overlay", "overlay", "lowerdir=" + "/x" * 2100).args("true"))
    assert "mounts[7].options" in line and "4095" in line


def test_an_option_may_be_several_or_none(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.mount("/srv", "tmpfs", "tmpfs", "mode=0711,size=64k", "").bind(place, "/tmp", "rbind", "")
    assert runtime.shell(bundle, "stat -c %a /srv; grep -c size=64k /proc/self/mountinfo") == ["711", "1"]


def test_an_option_that_the_file_system_does_not_know_is_refused(runtime: Runtime, bundle: Bundle) -> None:
    line = runtime.refuses(bundle.mount("/tmp", "tmpfs", "tmpfs", "flavour=sweet").args("true"))
    assert 'error mounting "tmpfs" to rootfs at "/tmp"' in line and "flavour" in line


def test_an_unknown_word_for_a_bind_mount_is_refused(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    line = runtime.refuses(bundle.bind(place, "/tmp", "rbind", "rorw").args("true"))
    assert "bind mounts cannot have any filesystem-specific options" in line and "rorw" in line


def test_an_unknown_file_system_is_named(runtime: Runtime, bundle: Bundle) -> None:
    line = runtime.refuses(bundle.mount("/tmp", "cloudfs", "x").args("true"))
    assert "cloudfs" in line and "/tmp" in line and "no such device" in line


def test_tmpcopyup_copies_what_the_tmpfs_covers(runtime: Runtime, bundle: Bundle) -> None:
    source = bundle.rootfs / "data"
    (source / "deep").mkdir(parents=True)
    (source / "file").write_text("content\n")
    (source / "file").chmod(0o640)
    (source / "link").symlink_to("file")
    (source / "deep/other").write_text("other\n")
    os.chown(source / "deep", 7, 8)
    bundle.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
    script = (
        "cat /data/link /data/deep/other; stat -c '%a' /data/file; stat -c '%u %g' /data/deep; echo new > /data/new"
    )
    assert runtime.shell(bundle, script) == ["content", "other", "640", "7 8"]
    assert not (source / "new").exists()


def test_what_tmpcopyup_copies_is_the_containers_memory(runtime: Runtime, bundle: Bundle) -> None:
    need("memory")
    source = bundle.rootfs / "data"
    source.mkdir()
    for number in range(70):  # more than are copied at once
        (source / f"small {number}").write_text(f"content {number}")
    (source / "large").touch()
    os.truncate(source / "large", 64 << 20)  # sparse: it takes nothing in the image
    bundle.mount("/data", "tmpfs", "tmpfs", "tmpcopyup").set("linux.resources.memory", {"limit": 96 << 20})
    script = "cat /data/small* | wc -c; stat -c %s /data/large; du -m /data/large; read line"
    with runtime.start("run", "-b", bundle.shell(script).path, name := runtime.new_id()) as process:
        assert process.stdout is not None
        assert [process.stdout.readline().split()[0] for _ in range(3)] == ["690", str(64 << 20), "64"]
        file = "memory.current" if UNIFIED else "memory.usage_in_bytes"
        used = cgroup_file(Container(runtime, bundle, name), "memory", file)
        assert int(used.read_text()) > 64 << 20
        process.communicate("go on\n")
    bundle.set("linux.resources.memory.limit", 32 << 20)
    assert "memory" in runtime.refuses(bundle)


def test_tmpcopyup_works_in_a_user_namespace(runtime: Runtime, bundle: Bundle) -> None:
    source = bundle.rootfs / "data"
    (source / "deep").mkdir(parents=True)
    (source / "deep/mine").write_text("mine\n")
    (source / "link").symlink_to("deep/mine")
    bundle.user_namespace().mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
    os.chown(source / "deep", 100007, 100008)
    (source / "hosts").write_text("of an id without a mapping\n")
    script = "cat /data/link; stat -c '%u %g' /data/deep /data/deep/mine /data/hosts"
    assert runtime.shell(bundle, script) == ["mine", "7 8", "0 0", "65534 65534"]


def test_a_tmpfs_takes_the_mode_of_the_directory_it_covers(runtime: Runtime, bundle: Bundle) -> None:
    (bundle.rootfs / "tmp").chmod(0o1751)
    bundle.mount("/tmp", "tmpfs", "tmpfs", "nodev")
    assert runtime.shell(bundle, "stat -c %a /tmp") == ["1751"]


# Propagation


@pytest.mark.parametrize(
    ("word", "tags"),
    [("rprivate", []), ("private", []), ("rslave", ["master"]), ("slave", ["master"]), ("rshared", ["shared"])],
)
def test_a_bind_mount_has_the_propagation_asked_for(
    runtime: Runtime, bundle: Bundle, place: Path, word: str, tags: list[str]
) -> None:
    with mounted(place / "fs") as source:
        subprocess.run(["mount", "--make-shared", str(source)], check=True)
        assert mounts(runtime, bundle.bind(source, "/tmp", "rbind", word))["/tmp"].tags == tags


def test_a_mount_of_the_host_reaches_a_slave_in_a_running_container(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    with mounted(place / "fs") as source:
        subprocess.run(["mount", "--make-shared", str(source)], check=True)
        (source / "later").mkdir()
        bundle.bind(source, "/tmp", "rbind", "rslave").args("sleep", "1000")
        with runtime.running(bundle) as container, mounted(source / "later") as later:
            (later / "file").touch()
            assert container.shell("ls /tmp/later") == ["file"]


def test_a_mount_in_a_container_does_not_reach_the_host(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    with mounted(place / "fs") as source:
        subprocess.run(["mount", "--make-shared", str(source)], check=True)
        (source / "sub").mkdir()
        bundle.bind(source, "/tmp", "rbind").mount("/tmp/sub", "tmpfs", "tmpfs").args("touch", "/tmp/sub/file")
        runtime.run(bundle)
        assert list((source / "sub").iterdir()) == []


@pytest.mark.parametrize(
    ("word", "tags"),
    [
        ("shared", ["shared"]),
        ("rshared", ["shared"]),
        ("rslave", []),
        ("rprivate", []),
        ("unbindable", ["unbindable"]),
        ("", []),
    ],
)
def test_the_root_has_the_propagation_asked_for(runtime: Runtime, bundle: Bundle, word: str, tags: list[str]) -> None:
    bundle.set("linux.rootfsPropagation", word)
    seen = mounts(runtime, bundle)["/"].tags
    assert [tag for tag in seen if tag not in ("master", "propagate_from")] == tags


# Binds


def test_a_file_is_bound_onto_a_file(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    (place / "hosts").write_text("bound\n")
    assert runtime.shell(bundle.bind(place / "hosts", "/etc/hosts"), "cat /etc/hosts") == ["bound"]


def test_a_place_that_is_missing_is_made(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    (place / "file").write_text("bound\n")
    bundle.bind(place / "file", "/new/deep/file").bind(place, "/other/dir")
    assert runtime.shell(bundle, "cat /new/deep/file /other/dir/file") == ["bound", "bound"]


def test_a_directory_is_not_bound_onto_a_file(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    line = runtime.refuses(bundle.bind(place, "/etc/passwd").args("true"))
    assert "/etc/passwd" in line and "not a directory" in line


def test_a_relative_source_begins_at_the_bundle(runtime: Runtime, bundle: Bundle) -> None:
    (bundle.path / "data").mkdir()
    (bundle.path / "data/file").write_text("mine\n")
    assert runtime.shell(bundle.bind("data", "/tmp"), "cat /tmp/file") == ["mine"]


def test_a_source_may_be_a_symbolic_link_of_the_host(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    (place / "dir").mkdir()
    (place / "dir/file").write_text("there\n")
    (place / "link").symlink_to("dir")
    assert runtime.shell(bundle.bind(place / "link", "/tmp"), "cat /tmp/file") == ["there"]


def test_a_source_that_only_root_can_reach_is_bound_in_a_user_namespace(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    (place / "closed/data").mkdir(parents=True)
    (place / "closed").chmod(0o700)
    (place / "closed/data/file").write_text("reached\n")
    assert runtime.shell(bundle.user_namespace().bind(place / "closed/data", "/tmp"), "cat /tmp/file") == ["reached"]


def test_a_device_node_is_bound(runtime: Runtime, bundle: Bundle) -> None:
    bundle.bind("/dev/zero", "/dev/nought", "bind")
    assert runtime.shell(bundle, "head -c 3 /dev/nought | wc -c") == ["3"]


@pytest.mark.rule("M-2")
def test_mounts_are_made_in_their_order(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    (place / "below").touch()
    bundle.bind(place, "/tmp").mount("/tmp", "tmpfs", "tmpfs").bind(place, "/tmp/inner")
    assert runtime.shell(bundle, "ls /tmp; ls /tmp/inner") == ["inner", "below"]


def test_a_read_only_tmpfs_takes_mounts_within_it(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.mount("/tmp", "tmpfs", "tmpfs", "ro").bind(place, "/tmp/inner")
    assert runtime.shell(bundle, "touch /tmp/x 2>/dev/null || echo refused; ls /tmp") == ["refused", "inner"]


def test_many_mounts_are_no_obstacle(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    for number in range(300):
        bundle.bind(place, f"/tmp/{number}", "bind", "ro")
    assert runtime.shell(bundle, "ls /tmp | wc -l; cut -d' ' -f5 /proc/self/mountinfo | grep -c ^/tmp/") == [
        "300",
        "300",
    ]


@pytest.mark.parametrize("word", ["rbind", "idmap"])
def test_many_mounts_are_no_obstacle_in_a_user_namespace(
    runtime: Runtime, bundle: Bundle, place: Path, word: str
) -> None:
    bundle.user_namespace()
    for number in range(300):
        bundle.bind(place, f"/tmp/{number}", "bind", "ro", word)
        if word == "idmap":
            maps = [{"containerID": 0, "hostID": 200000 + number % 2, "size": 65536}]
            bundle.set("mounts[-1].uidMappings", maps).set("mounts[-1].gidMappings", maps)
    assert runtime.shell(bundle, "cut -d' ' -f5 /proc/self/mountinfo | grep -c ^/tmp/") == ["300"]


def test_many_read_only_file_systems_are_no_obstacle(runtime: Runtime, bundle: Bundle) -> None:
    for number in range(200):
        bundle.mount(f"/tmp/{number}", "tmpfs", "tmpfs", "ro")
    assert runtime.shell(bundle, "cut -d' ' -f5,6 /proc/self/mountinfo | grep -c '^/tmp/.* ro'") == ["200"]


# The root


def test_a_read_only_root_cannot_be_written(runtime: Runtime, bundle: Bundle) -> None:
    done = runtime.run(bundle.args("touch", "/file"), status=1)
    assert "Read-only file system" in done.stderr


def test_a_writable_root_can_be_written(runtime: Runtime, bundle: Bundle) -> None:
    runtime.run(bundle.writable().args("touch", "/file"))
    assert (bundle.rootfs / "file").exists()


def test_the_hosts_mounts_are_not_in_the_container(runtime: Runtime, bundle: Bundle) -> None:
    expected = {"/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"}
    points = set(mounts(runtime, bundle))
    assert {point for point in points if not point.startswith(("/proc/", "/sys/"))} == expected - {"/sys/fs/cgroup"}
    assert "/sys/fs/cgroup" in points


def test_mounts_below_the_root_file_system_come_along(runtime: Runtime, bundle: Bundle) -> None:
    with mounted(bundle.rootfs / "data") as data:
        (data / "file").touch()
        assert runtime.shell(bundle, "ls /data") == ["file"]


def test_no_pivot_enters_the_root_as_well(runtime: Runtime, bundle: Bundle) -> None:
    done = runtime.run(bundle.shell("ls / | head -1; cut -d' ' -f5 /proc/self/mountinfo"), "--no-pivot")
    assert done.lines[0] == "bin"
    assert "/proc" in done.lines


# Masks


def test_masked_paths_are_empty(runtime: Runtime, bundle: Bundle) -> None:
    (bundle.rootfs / "secrets").mkdir()
    (bundle.rootfs / "secrets/key").write_text("key")
    (bundle.rootfs / "etc/secret").write_text("secret")
    bundle.set(
        "linux.maskedPaths", ["/secrets", "/etc/secret", "/proc/keys", "/sys/firmware", "/not/there", "/etc/passwd/x"]
    )
    script = "ls /secrets; cat /etc/secret; cat /proc/keys; ls /sys/firmware; touch /secrets/new 2>/dev/null || echo no"
    assert runtime.shell(bundle.writable(), script) == ["no"]


def test_readonly_paths_are_read_only(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    bundle.writable().bind(place, "/data").set("linux.readonlyPaths", ["/data", "/tmp", "/not/there", "/etc/passwd"])
    script = "for each in /data/x /tmp/x /etc/passwd; do (echo x > $each) 2>/dev/null || echo no; done; echo y > /etc/y"
    assert runtime.shell(bundle, script) == ["no", "no", "no"]


def test_what_a_masked_link_leads_to_is_masked(runtime: Runtime, bundle: Bundle) -> None:
    (bundle.rootfs / "secrets").mkdir()
    (bundle.rootfs / "secrets/key").write_text("key")
    (bundle.rootfs / "etc/secret").write_text("secret")
    (bundle.rootfs / "file").symlink_to("../../etc/secret")
    (bundle.rootfs / "directory").symlink_to("/secrets")
    bundle.set("linux.maskedPaths", ["/file", "/directory"])
    assert runtime.shell(bundle, "cat /etc/secret; ls /secrets; readlink /file; readlink /directory") == [
        "../../etc/secret",
        "/secrets",
    ]


def test_what_a_read_only_link_leads_to_is_read_only(runtime: Runtime, bundle: Bundle) -> None:
    (bundle.rootfs / "link").symlink_to("/tmp")
    bundle.set("linux.readonlyPaths", ["/link"]).writable()
    assert runtime.shell(bundle, "touch /etc/x; touch /tmp/x 2>/dev/null || echo no") == ["no"]


@pytest.mark.parametrize("target", ["/", "/volume", "../volume/."])
def test_a_read_only_link_may_lead_to_the_root_of_a_mount(
    runtime: Runtime, bundle: Bundle, place: Path, target: str
) -> None:
    (bundle.rootfs / "etc/link").symlink_to(target)
    bundle.bind(place, "/volume").set("linux.readonlyPaths", ["/etc/link"]).writable()
    script = f"touch {target.strip('.')}/x 2>/dev/null || echo no; echo x > /dev/shm/x"
    assert runtime.shell(bundle, script) == ["no"]


def test_what_masks_a_file_cannot_be_changed(runtime: Runtime, bundle: Bundle) -> None:
    """It is the host's /dev/null, which the container's root owns."""
    bundle.set("linux.maskedPaths", ["/proc/keys"])
    script = "chmod 666 /proc/keys || chown 0:0 /proc/keys || echo neither; echo x > /proc/keys"
    done = runtime.run(bundle.shell(script))
    assert done.stdout == "neither\n"
    assert done.stderr.count("Read-only file system") == 2


@pytest.mark.parametrize("field", ["linux.maskedPaths", "linux.readonlyPaths"])
def test_a_link_to_nothing_is_as_a_path_that_is_missing(runtime: Runtime, bundle: Bundle, field: str) -> None:
    (bundle.rootfs / "file").symlink_to("/run/nowhere")
    (bundle.rootfs / "directory").symlink_to("nowhere")
    (bundle.rootfs / "etc/secret").write_text("seen\n")
    bundle.set("linux.maskedPaths", []).set("linux.readonlyPaths", []).writable()
    bundle.set(field, ["/file", "/directory/below", "/directory"])
    script = "cat /etc/secret; readlink /file; readlink /directory; ls -d /run 2>/dev/null || echo none"
    assert runtime.shell(bundle, script) == ["seen", "/run/nowhere", "nowhere", "none"]


@pytest.mark.parametrize("path", ["/", "/../."])
def test_the_root_is_a_path_that_can_be_read_only(runtime: Runtime, bundle: Bundle, path: str) -> None:
    bundle.set("linux.readonlyPaths", [path]).writable()
    assert runtime.shell(bundle, "touch /file 2>/dev/null || echo no; echo x > /dev/shm/x") == ["no"]


def test_the_defaults_protect_proc(runtime: Runtime, bundle: Bundle) -> None:
    script = "cat /proc/timer_list /proc/keys 2>/dev/null; (echo 1 > /proc/sys/kernel/panic) 2>&1 | head -1"
    lines = runtime.shell(bundle, script)
    assert len(lines) == 1 and "Read-only" in lines[0]


# Devices


@pytest.mark.rule("D-4", "SL-1")
def test_the_default_devices_and_links_are_there(runtime: Runtime, bundle: Bundle) -> None:
    script = "cd /dev; stat -c '%n %t:%T %a %F' null zero full random urandom tty; "
    lines = runtime.shell(bundle, script + "for each in fd stdin stdout stderr ptmx; do readlink $each; done")
    numbers = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
    assert lines[:6] == [f"{name} {number} 666 character special file" for name, number in numbers.items()]
    assert lines[6:] == ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx"]


def test_core_leads_to_the_kernels_memory_where_the_host_shows_it(runtime: Runtime, bundle: Bundle) -> None:
    lines = runtime.shell(bundle, "readlink /dev/core || echo none; ls /dev")
    there = Path("/proc/kcore").exists()
    assert lines[0] == ("/proc/kcore" if there else "none")
    assert ("core" in lines) == there


@pytest.mark.rule("D-1")
def test_devices_of_the_config_are_made(runtime: Runtime, bundle: Bundle) -> None:
    rows = [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 5, "gid": 6},
        {"path": "/dev/deep/disk", "type": "b", "major": 7, "minor": 3},
        {"path": "/dev/queue", "type": "p", "fileMode": 0o600},
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600},
        {"path": "/dev/large", "type": "c", "major": 300, "minor": 70000},
    ]
    bundle.set("linux.devices", rows)
    lines = runtime.shell(bundle, "cd /dev; stat -c '%n %t:%T %a %u:%g %F' fuse deep/disk queue null large")
    assert lines == [
        "fuse a:e5 640 5:6 character special file",
        "deep/disk 7:3 666 0:0 block special file",
        "queue 0:0 600 0:0 fifo",
        "null 1:3 600 0:0 character special file",
        "large 12c:11170 666 0:0 character special file",
    ]


@pytest.mark.rule("D-3")
def test_the_device_rules_are_in_force(runtime: Runtime, bundle: Bundle) -> None:
    rows = [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11}]
    bundle.set("linux.devices", rows).shell("cat /dev/null && head -c 1 /dev/kmsg")
    assert "not permitted" in runtime.run(bundle, status=1).stderr


def test_a_dev_that_is_the_hosts_is_left_alone(runtime: Runtime, bundle: Bundle) -> None:
    if not os.path.exists("/dev/kmsg"):
        pytest.skip("needs a host with /dev/kmsg")
    bundle.without_mount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue").bind("/dev", "/dev", "rbind")
    rows = [{"path": f"{place}/mine", "type": "c", "major": 1, "minor": 5} for place in ("/dev", "/run/elsewhere")]
    bundle.set("linux.devices", rows)
    script = "ls -d /dev/kmsg; ls /dev/mine 2>/dev/null; ls /run/elsewhere 2>/dev/null"
    made = ["mine"] if runtime.is_orlop else []
    assert runtime.shell(bundle, script) == ["/dev/kmsg", *made]


def test_a_device_in_a_user_namespace_is_the_hosts_of_this_path_and_a_pipe_is_new(
    runtime: Runtime, bundle: Bundle
) -> None:
    pipe = {"path": "/dev/queue", "type": "p", "fileMode": 0o640, "uid": 5, "gid": 6}
    zero = {"path": "/dev/zero", "type": "c", "major": 1, "minor": 5}
    bundle.user_namespace().set("linux.devices", [zero, *([pipe] if runtime.is_orlop else [])])
    lines = runtime.shell(bundle, "cd /dev; stat -c '%n %t:%T %F' zero; stat -c '%n %a %u:%g %F' queue 2>/dev/null")
    assert lines[0] == "zero 1:5 character special file"
    assert lines[1:] == (["queue 640 5:6 fifo"] if runtime.is_orlop else [])


def test_a_node_of_the_host_that_is_another_device_is_refused_in_a_user_namespace(
    runtime: Runtime, bundle: Bundle
) -> None:
    if not runtime.is_orlop:
        pytest.skip("runc binds what there is")
    bundle.user_namespace().set("linux.devices", [{"path": "/dev/zero", "type": "c", "major": 1, "minor": 3}])
    assert "the host's of this path is another one" in runtime.refuses(bundle.args("true"))
    bundle.set("linux.devices", [{"path": "/dev/no-such", "type": "c", "major": 1, "minor": 3}])
    assert "the host has none at this path" in runtime.refuses(bundle)


def test_a_ptmx_that_the_image_holds_is_replaced(runtime: Runtime, bundle: Bundle) -> None:
    (bundle.rootfs / "dev").mkdir()
    (bundle.rootfs / "dev/ptmx").write_text("not a device")
    bundle.without_mount("/dev").writable()
    assert runtime.shell(bundle, "readlink /dev/ptmx") == ["pts/ptmx"]


# A hostile image


@pytest.mark.parametrize("target", ["/etc", "/", "../../../../../../etc", "/proc/self/root/etc", "/proc/1/root/etc"])
def test_a_destination_that_is_a_link_stays_in_the_root(
    runtime: Runtime, bundle: Bundle, place: Path, target: str
) -> None:
    (place / "mark").touch()
    (bundle.rootfs / "trap").symlink_to(target)
    before = sorted(os.listdir("/etc"))
    done = runtime.run(bundle.bind(place, "/trap/inner").shell("ls /etc/inner"), status=None)
    assert sorted(os.listdir("/etc")) == before
    assert not os.path.exists("/inner")
    if done.status == 0:
        assert done.lines == ["mark"]
    else:
        assert done.status in (1, 2) and len(done.stderr.splitlines()) == 1


def test_a_destination_with_dots_stays_in_the_root(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    (place / "mark").touch()
    assert runtime.shell(bundle.bind(place, "/../../../tmp/../etc/dots"), "ls /etc/dots") == ["mark"]
    assert not os.path.exists("/etc/dots")


def test_a_file_that_is_made_does_not_follow_a_link_out(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    (place / "source").write_text("source")
    (bundle.rootfs / "etc/out").symlink_to(place / "made")
    runtime.run(bundle.bind(place / "source", "/etc/out").args("true"), status=None)
    assert not (place / "made").exists()


@pytest.mark.parametrize("name", ["proc", "sys", "dev"])
def test_a_system_directory_that_is_a_link_is_refused(runtime: Runtime, bundle: Bundle, name: str) -> None:
    (bundle.rootfs / "elsewhere").mkdir()
    (bundle.rootfs / name).symlink_to("elsewhere")
    line = runtime.refuses(bundle.args("true"))
    assert f'to rootfs at "/{name}"' in line and "symbolic link" in line


def test_a_dev_that_is_a_link_is_refused_even_without_a_mount(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    (bundle.rootfs / "dev").symlink_to(place)
    bundle.without_mount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue").writable()
    line = runtime.refuses(bundle.args("true"))
    assert "/dev" in line and "symbolic link" in line
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("there", "row"),
    [
        ("file", {"type": "c", "major": 1, "minor": 3}),
        ("link", {"type": "c", "major": 1, "minor": 3}),
        ("c 1 5", {"type": "c", "major": 1, "minor": 3}),
        ("c 5 3", {"type": "c", "major": 1, "minor": 3}),
        ("b 1 3", {"type": "c", "major": 1, "minor": 3}),
        ("c 1 3", {"type": "b", "major": 1, "minor": 3}),
        ("c 1 259", {"type": "c", "major": 1, "minor": 3}),
        ("file", {"type": "p"}),
    ],
)
def test_a_device_is_not_made_where_something_else_is(
    runtime: Runtime, bundle: Bundle, there: str, row: dict[str, object]
) -> None:
    # runtime-spec, "Devices": a file that is there already and is not the device is an error.
    path = bundle.rootfs / "etc/node"
    if there == "file":
        path.write_text("")
    elif there == "link":
        path.symlink_to("/dev/null")
    else:
        kind, major, minor = there.split()
        os.mknod(path, 0o600 | {"c": stat.S_IFCHR, "b": stat.S_IFBLK}[kind], os.makedev(int(major), int(minor)))
    before = path.lstat()
    line = runtime.refuses(bundle.set("linux.devices", [{"path": "/etc/node", **row}]).writable())
    assert 'error creating device "/etc/node": file exists' in line
    assert (path.lstat().st_mode, path.lstat().st_rdev) == (before.st_mode, before.st_rdev)


@pytest.mark.parametrize(
    ("mode", "number", "row"),
    [
        (stat.S_IFCHR, (1, 3), {"type": "c", "major": 1, "minor": 3}),
        (stat.S_IFCHR, (1, 3), {"type": "u", "major": 1, "minor": 3}),
        (stat.S_IFBLK, (259, 70000), {"type": "b", "major": 259, "minor": 70000}),
        (stat.S_IFIFO, (0, 0), {"type": "p"}),
    ],
)
def test_a_device_that_is_there_already_stays(
    runtime: Runtime, bundle: Bundle, mode: int, number: tuple[int, int], row: dict[str, object]
) -> None:
    os.mknod(bundle.rootfs / "etc/node", mode | 0o600, os.makedev(*number))
    bundle.set("linux.devices", [{"path": "/etc/node", **row}]).writable()
    runtime.run(bundle.args("test", "-e", "/etc/node"))


def test_devices_are_not_made_through_a_link(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    (bundle.rootfs / "trap").symlink_to(place)
    bundle.set("linux.devices", [{"path": "/trap/disk", "type": "b", "major": 7, "minor": 3}])
    runtime.run(bundle.writable().args("true"), status=None)
    assert list(place.iterdir()) == []


def test_a_source_in_the_root_file_system_does_not_lead_out_of_it(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    (place / "file").write_text("of the host\n")
    (bundle.rootfs / "mine").mkdir()
    (bundle.rootfs / "mine/file").write_text("of the image\n")
    (bundle.rootfs / "way").symlink_to("/mine")
    (bundle.rootfs / "out").symlink_to(place)
    bundle.bind(bundle.rootfs / "way", "/tmp")
    assert runtime.shell(bundle, "cat /tmp/file") == ["of the image"]
    line = runtime.refuses(bundle.bind(bundle.rootfs / "out", "/etc"))
    assert "no such file" in line


def test_a_masked_path_that_is_a_link_masks_what_is_in_the_root(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    (place / "file").write_text("host")
    (bundle.rootfs / "link").symlink_to(place / "file")
    runtime.run(bundle.set("linux.maskedPaths", ["/link"]).args("true"))
    assert (place / "file").read_text() == "host"


def test_a_null_device_of_the_image_is_not_what_masks(runtime: Runtime, bundle: Bundle) -> None:
    # CVE-2025-31133
    (bundle.rootfs / "dev").mkdir()
    (bundle.rootfs / "dev/null").symlink_to("/proc/sys/kernel/core_pattern")
    (bundle.rootfs / "etc/secret").write_text("secret")
    bundle.without_mount("/dev", "/dev/pts", "/dev/shm", "/dev/mqueue").writable()
    bundle.set("linux.maskedPaths", ["/etc/secret"])
    done = runtime.run(bundle.args("stat", "-c", "%t:%T", "/etc/secret"), status=None)
    if done.status == 0:
        assert done.lines == ["1:3"]
    else:
        assert "/dev/null" in error_line(done)


def test_a_sysctl_does_not_go_through_a_mount_of_the_container(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    # CVE-2025-52881: a proc that is no procfs takes the write.
    fake = bundle.rootfs / "proc/sys/net/ipv4"
    fake.mkdir(parents=True)
    (fake / "ip_forward").write_text("untouched")
    bundle.without_mount("/proc").set("linux.sysctl", {"net.ipv4.ip_forward": "1"}).writable()
    bundle.set("linux.maskedPaths", []).set("linux.readonlyPaths", [])
    runtime.run(bundle.args("true"))
    assert (fake / "ip_forward").read_text() == "untouched"


def test_a_busy_null_device_is_a_device(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        found = os.stat(f"/proc/{container.pid}/root/dev/null")
        assert stat.S_ISCHR(found.st_mode) and found.st_rdev == os.makedev(1, 3)


def test_a_cgroup_mount_is_read_only_and_holds_the_controllers(runtime: Runtime, bundle: Bundle) -> None:
    lines = runtime.shell(bundle, "ls /sys/fs/cgroup; mkdir /sys/fs/cgroup/x 2>/dev/null || echo refused")
    assert "refused" in lines
    assert {"memory", "pids"} <= set(lines) or "cgroup.procs" in lines


# Mounts on /proc


@pytest.mark.parametrize("place_in_proc", ["/proc/sys/kernel", "/proc/self", "/proc/../proc/1/attr", "proc/keys"])
@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_nothing_else_is_mounted_inside_proc(
    runtime: Runtime, bundle: Bundle, place: Path, place_in_proc: str, kind: str
) -> None:
    if kind == "bind":
        bundle.bind(place, place_in_proc)
    else:
        bundle.mount(place_in_proc, "tmpfs", "tmpfs")
    done = runtime.run(bundle, status=1)
    assert "cannot be mounted because it is inside /proc" in done.stderr


def test_proc_is_of_type_proc(runtime: Runtime, bundle: Bundle) -> None:
    bundle.without_mount("/proc").mount("/proc", "tmpfs", "tmpfs")
    assert "cannot be mounted because it is not of type proc" in runtime.refuses(bundle)


@pytest.mark.parametrize("name", ["meminfo", "uptime", "sys/crypto/fips_enabled"])
def test_a_view_of_its_own_may_cover_a_file_of_proc(runtime: Runtime, bundle: Bundle, place: Path, name: str) -> None:
    if not Path("/proc", name).exists():
        pytest.skip("this kernel has no such file")
    (place / "view").write_text("a view\n")
    bundle.bind(place / "view", f"/proc/{name}", "bind", "ro").set("linux.readonlyPaths", [])
    assert runtime.shell(bundle, f"cat /proc/{name}") == ["a view"]


@pytest.mark.parametrize("target", ["/proc/self/attr", "../proc/sys/kernel", "/proc"])
@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_a_link_of_the_image_leads_no_mount_into_proc(
    runtime: Runtime, bundle: Bundle, place: Path, kind: str, target: str
) -> None:
    # CVE-2019-19921: what the path does not show, the descriptor does.
    (bundle.rootfs / "etc/link").symlink_to(target)
    bundle.set("linux.maskedPaths", []).set("linux.readonlyPaths", [])
    if kind == "bind":
        bundle.bind(place, "/etc/link")
    else:
        bundle.mount("/etc/link", "tmpfs", "tmpfs")
    line = runtime.refuses(bundle.args("true"))
    assert '"/etc/link" cannot be mounted because it is inside /proc' in line


def test_a_link_of_a_volume_leads_no_mount_into_proc(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    # CVE-2019-16884 and others: the second mount lies in what the first one brought.
    (place / "link").symlink_to("/proc/self")
    bundle.bind(place, "/srv").bind(place, "/srv/link")
    assert "inside /proc" in runtime.refuses(bundle.args("true"))


def test_a_link_of_a_volume_below_a_tmpfs_leads_no_mount_into_proc(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    # The volume is put there by another name of the directory, which the image has.
    (place / "link").symlink_to("/proc/self")
    (bundle.rootfs / "var").mkdir()
    (bundle.rootfs / "var/run").symlink_to("/run")
    bundle.mount("/run", "tmpfs", "tmpfs").bind(place, "/var/run/volume").bind(place, "/run/volume/link/attr")
    assert "inside /proc" in runtime.refuses(bundle.args("true"))


@pytest.mark.parametrize("kind", ["proc", "tmpfs"])
def test_what_the_type_of_a_bind_mount_says_of_it_is_nothing(
    runtime: Runtime, bundle: Bundle, place: Path, kind: str
) -> None:
    (place / "link").symlink_to("/proc/self")
    bundle.mount("/srv", kind, str(place), "rbind").mount("/srv", kind, "", "remount", "nosuid")
    assert "inside /proc" in runtime.refuses(bundle.bind(place, "/srv/link/attr").args("true"))
    bundle.set("mounts[-3].destination", "/srv/volume").set("mounts[-2].destination", "/srv/volume")
    bundle.set("mounts[-1].destination", "/srv/volume/link/attr")
    assert "inside /proc" in runtime.refuses(bundle.args("true"))


def test_only_procfs_is_bound_to_proc(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    # CVE-2019-16884
    line = runtime.refuses(bundle.bind(place, "/proc"))
    assert '"/proc" cannot be mounted because it is not of type proc' in line


def test_a_procfs_that_the_config_has_put_elsewhere_may_be_mounted_on(
    runtime: Runtime, bundle: Bundle, place: Path
) -> None:
    (place / "text").write_text("covered\n")
    bundle.bind("/proc", "/srv/proc", "rbind").bind(place / "text", "/srv/proc/version")
    assert runtime.shell(bundle, "cat /srv/proc/version") == ["covered"]


def test_the_hosts_proc_can_be_bound(runtime: Runtime, bundle: Bundle) -> None:
    bundle.without_mount("/proc").namespace("pid", None).bind("/proc", "/proc", "rbind")
    bundle.set("linux.maskedPaths", []).set("linux.readonlyPaths", [])
    assert runtime.shell(bundle, "cat /proc/1/comm") == [Path("/proc/1/comm").read_text().strip()]


def test_without_pivot_root_nobody_inside_can_make_an_unmasked_proc(runtime: Runtime, bundle: Bundle) -> None:
    script = "unshare -mrpf sh -c 'mount -t proc none /tmp && echo shown' || echo refused"
    more = ["CAP_KILL", "CAP_SETFCAP"]
    for kind in ("bounding", "permitted", "effective"):
        bundle.set(f"process.capabilities.{kind}", more)
    assert "refused" in runtime.run(bundle.shell(script), "--no-pivot").lines


def test_a_read_only_dev_has_its_devices(runtime: Runtime, bundle: Bundle) -> None:
    mounts = bundle.get("mounts")
    assert isinstance(mounts, list)
    index = next(index for index, row in enumerate(mounts) if row["destination"] == "/dev")
    bundle.set(f"mounts[{index}].options", ["nosuid", "strictatime", "mode=755", "ro"])
    assert runtime.shell(bundle, "echo 1 > /dev/null && touch /dev/x 2>/dev/null || echo refused") == ["refused"]


@pytest.mark.parametrize("directory", [False, True])
@pytest.mark.parametrize("link", ["/run/deep/down", "../../run/deep/down", "/jump/down"])
def test_what_a_link_to_nothing_names_is_made_in_the_root(
    runtime: Runtime, bundle: Bundle, place: Path, link: str, directory: bool
) -> None:
    (place / "file").write_text("bound")
    (bundle.rootfs / "etc/place").symlink_to(link)
    (bundle.rootfs / "jump").symlink_to("/../run/deep")
    bundle.bind(place if directory else place / "file", "/etc/place")
    made = "/run/deep/down/file" if directory else "/run/deep/down"
    assert runtime.shell(bundle, f"cat {made} /etc/place{'/file' if directory else ''}") == ["boundbound"]
    assert (bundle.rootfs / "run/deep/down").is_dir() == directory


def test_links_that_lead_in_a_circle_are_refused(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    (bundle.rootfs / "one").symlink_to("/two")
    (bundle.rootfs / "two").symlink_to("/one")
    assert "symbolic links" in runtime.refuses(bundle.bind(place, "/one/place").args("true"))


def test_a_source_in_the_root_is_what_earlier_mounts_make_of_it(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    (place / "sub").mkdir()
    (place / "sub/file").write_text("here")
    bundle.bind(place, "/first").bind(bundle.rootfs / "first/sub", f"{bundle.rootfs}/second")
    assert runtime.shell(bundle, "cat /second/file") == ["here"]


def test_without_a_mount_namespace_all_mounts_lie_in_one_that_can_be_unmounted(
    runtime: Runtime, bundle: Bundle
) -> None:
    bundle.namespace("mount", None).set("linux.maskedPaths", []).set("linux.readonlyPaths", [])
    try:
        runtime.run(bundle.args("true"))
    finally:
        done = subprocess.run(["umount", "-R", "-l", bundle.rootfs], check=False)
    assert done.returncode == 0
    assert str(bundle.rootfs) not in Path("/proc/self/mountinfo").read_text()
