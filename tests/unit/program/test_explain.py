"""How operations read: names of what is in registers, structs, flags, outcomes."""

from __future__ import annotations

from collections.abc import Callable
from errno import EEXIST, ENOENT, ENOTDIR
from struct import pack

import pytest

from orlop.program import linux
from orlop.program.builder import CLONE_ARGS_CGROUP, MOUNT_ATTR_SIZE, OPEN_HOW_SIZE, Builder
from orlop.program.explain import explain, lines
from orlop.program.layout import WHEN_ERROR, WHEN_NOT_ZERO
from orlop.program.ops import Label
from orlop.program.words import Vocabulary, condition, device, flags, mode, open_flags

PATH = linux.O_PATH | linux.O_CLOEXEC
WORDS = Vocabulary(
    events=("failed", "pid"),
    capabilities=("CAP_A", "CAP_B"),
    limits={"RLIMIT_X": 7},
    device_filter=lambda code: "r0 = 1\nexit",
)
Make = Callable[[Builder], object]


def texts(make: Make, machine: str = "x86_64") -> list[str]:
    """The operations in words, without the exit that ends each program."""
    b = Builder(machine, 3)
    b.purpose("field", "it failed")
    make(b)
    b.do("exit_group", 0)
    return [line.text for line in lines(b.finish(), WORDS)[:-1]]


def text(make: Make, machine: str = "x86_64") -> str:
    return texts(make, machine)[-1]


def page(make: Make) -> list[str]:
    b = Builder("x86_64", 3)
    b.purpose("field", "it failed")
    make(b)
    b.do("exit_group", 0)
    return list(explain(b.finish(), WORDS))


SAID: dict[str, Make] = {
    'openat(AT_FDCWD, "/a", O_WRONLY|O_CLOEXEC|O_CREAT, 0644)': lambda b: b.do(
        "openat", linux.AT_FDCWD, "/a", linux.O_WRONLY | linux.O_CREAT | linux.O_CLOEXEC, 0o644
    ),
    "rt_sigaction(SIGTERM, {handler: exit with 128 + signal, flags: SA_RESTORER, restorer: exit with 128 + signal}, "
    "NULL, 8)": lambda b: b.do("rt_sigaction", linux.SIGTERM, b.end_on_signal(), 0, linux.SIGNAL_SET_SIZE),
    'openat(5, "a", O_RDONLY)': lambda b: b.do("openat", 5, "a", 0, 0),
    'openat2(5, "a", {flags: O_PATH|O_DIRECTORY, resolve: RESOLVE_IN_ROOT})': lambda b: b.do(
        "openat2", 5, "a", b.open_how(linux.O_PATH | linux.O_DIRECTORY, 0, linux.RESOLVE_IN_ROOT), OPEN_HOW_SIZE
    ),
    'mount_setattr(5, "", AT_EMPTY_PATH, {attr_set: MOUNT_ATTR_RDONLY, propagation: MS_PRIVATE})': lambda b: b.do(
        "mount_setattr", 5, "", linux.AT_EMPTY_PATH, b.mount_attr(1, 0, linux.MS_PRIVATE), MOUNT_ATTR_SIZE
    ),
    'fsconfig(5, FSCONFIG_SET_STRING, "mode", "755")': lambda b: b.do(
        "fsconfig", 5, linux.FSCONFIG_SET_STRING, "mode", "755", 0
    ),
    "fsconfig(5, FSCONFIG_CMD_CREATE)": lambda b: b.do("fsconfig", 5, linux.FSCONFIG_CMD_CREATE, 0, 0, 0),
    'mknodat(5, "tun", S_IFCHR|0660, 10:200)': lambda b: b.do(
        "mknodat", 5, "tun", linux.S_IFCHR | 0o660, 10 << 8 | 200
    ),
    "fchown(1, 1000, -1)": lambda b: b.do("fchown", 1, 1000, 0xFFFF_FFFF),
    "setgroups(2, [5, 27])": lambda b: b.do("setgroups", 2, pack("<2I", 5, 27)),
    "prctl(PR_CAPBSET_DROP, CAP_B)": lambda b: b.do("prctl", linux.PR_CAPBSET_DROP, 1, 0, 0, 0),
    "prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)": lambda b: b.do(
        "prctl", linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0
    ),
    "capset({version: 0x20080522}, {effective: CAP_A, permitted: CAP_A|CAP_B, inheritable: none})": lambda b: b.do(
        "capset", pack("<II", linux.LINUX_CAPABILITY_VERSION_3, 0), pack("<6I", 1, 3, 0, 0, 0, 0)
    ),
    "prlimit64(0, RLIMIT_X, {rlim_cur: 1024, rlim_max: unlimited}, NULL)": lambda b: b.do(
        "prlimit64", 0, 7, pack("<QQ", 1024, 2**64 - 1), 0
    ),
    "unshare(CLONE_NEWTIME|CLONE_NEWUSER)": lambda b: b.do("unshare", linux.CLONE_NEWUSER | linux.CLONE_NEWTIME),
    "umask(022)": lambda b: b.do("umask", 0o22),
    "umask(0)": lambda b: b.do("umask", 0),
    'write(1, "a\\n\\"b\\"", 5)': lambda b: b.do("write", 1, 'a\n"b"', 5),
    "write(1, 2 bytes fffe, 2)": lambda b: b.do("write", 1, b"\xff\xfe", 2),
    "close_range(3, ~0, CLOSE_RANGE_CLOEXEC)": lambda b: b.do("close_range", 3, 0xFFFF_FFFF, 4),
    'execve("/a", ["a", "ü"], [])': lambda b: b.do("execve", "/a", b.strings(["a", "ü"]), b.strings([])),
    "ioctl(5, TIOCSWINSZ, {ws_row: 25, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0})": lambda b: b.do(
        "ioctl", 5, linux.TIOCSWINSZ, pack("<HHHH", 25, 80, 0, 0)
    ),
    "event pid: 5": lambda b: b.event(1, 5),
    "event 9: 3 bytes at &0x10000040, 4": lambda b: b.event(9, payload=b.constant(b"abc"), size=3, fds=(4,)),
    "wait for the answer (8 bytes at most)": lambda b: b.wait(b.space(8), 8),
}


@pytest.mark.parametrize("said", SAID)
def test_an_operation_is_said_as(said: str) -> None:
    assert text(SAID[said]) == said


def test_no_control_character_of_a_config_is_shown() -> None:
    def make(b: Builder) -> None:
        b.purpose("hostname", 'unable to set hostname "\x1b[2J\nb"')
        b.do("sethostname", "\x1b[2J\nb", 6)

    shown = page(make)
    assert all(line.isprintable() for line in shown)
    assert any("\\x1b[2J\\nb" in line for line in shown)


def test_two_flags_of_open_have_other_values_on_aarch64() -> None:
    def make(b: Builder) -> None:
        b.do("openat", 5, "a", PATH | linux.O_DIRECTORY | linux.O_NOFOLLOW, 0)

    assert text(make, "aarch64") == 'openat(5, "a", O_PATH|O_CLOEXEC|O_NOFOLLOW|O_DIRECTORY)'


def test_a_member_that_was_stored_is_shown_in_the_struct() -> None:
    def make(b: Builder) -> None:
        directory = b.get("openat", linux.AT_FDCWD, "/sys/fs/cgroup/c", PATH, 0)
        args = b.clone_args(linux.CLONE_INTO_CGROUP, 0)
        b.store(args + CLONE_ARGS_CGROUP, 8, directory)
        b.do("clone3", args, linux.CLONE_ARGS_SIZE)

    assert texts(make)[1:] == [
        "clone_args.cgroup = <c>",
        "clone3({flags: CLONE_INTO_CGROUP, cgroup: <c>})",
    ]


def test_a_comparison_is_told_as_one() -> None:
    def make(b: Builder) -> None:
        handle = b.get("openat", linux.AT_FDCWD, "/somewhere", PATH, 0)
        buffer, status = b.space(120), b.space(256)
        other = Label()
        b.do("fstatfs", handle, buffer)
        b.jump_unless(b.load(buffer, 8), linux.PROC_SUPER_MAGIC, other)
        b.do("statx", handle, "", linux.AT_EMPTY_PATH, linux.STATX_TYPE, status)
        b.jump_unless(b.load(status + 28, 4), linux.S_IFCHR, other, mask=linux.S_IFMT)
        b.place(other)

    found = texts(make)
    assert found[1:4] == [
        "fstatfs(<somewhere>, &statfs_buf)",
        "<f_type> = statfs_buf.f_type",
        "if <f_type> is not 0x9fa0, go to 7",
    ]
    assert found[6] == "if <mode> & 0o170000 is not 0o20000, go to 7"


def test_the_instructions_of_a_device_filter_follow_the_call() -> None:
    def make(b: Builder) -> None:
        code, licence = b.constant(bytes(16)), b.string("GPL")
        attr = b.constant(pack("<IIQQ96x", linux.BPF_PROG_TYPE_CGROUP_DEVICE, 2, code, licence))
        b.close(b.get("bpf", linux.BPF_PROG_LOAD, attr, 120))

    found = page(make)
    at = next(index for index, line in enumerate(found) if "bpf(" in line)
    assert [line.strip() for line in found[at + 1 : at + 3]] == ["r0 = 1", "exit"]


# Names


def test_a_file_system_its_mount_and_the_place_have_names_of_their_own() -> None:
    def make(b: Builder) -> None:
        root = b.get("openat", linux.AT_FDCWD, "/bundle/rootfs", PATH, 0)
        fs = b.get("fsopen", "proc", linux.FSOPEN_CLOEXEC)
        mount = b.get("fsmount", fs, linux.FSMOUNT_CLOEXEC, 0)
        b.close(fs)
        place = b.get("openat2", root, "proc", b.open_how(PATH, 0, 0), OPEN_HOW_SIZE)
        b.do("move_mount", mount, "", place, "", linux.MOVE_MOUNT_F_EMPTY_PATH)

    assert [each.partition(" = ")[0] for each in texts(make)[:3]] == ["<rootfs>", "<proc fs>", "<proc>"]
    assert text(make) == 'move_mount(<proc>, "", </proc>, "", MOVE_MOUNT_F_EMPTY_PATH)'


def test_what_was_found_or_made_has_one_name() -> None:
    def make(b: Builder) -> None:
        missing, found = Label(), Label()
        handle = b.get("openat", 5, "a", PATH, 0, on={ENOENT: missing})
        b.jump(found)
        b.place(missing)
        b.do("openat", 5, "b", PATH, 0, result=handle.number)
        b.place(found)
        b.close(handle)

    assert texts(make) == [
        '<a> = openat(5, "a", O_PATH|O_CLOEXEC)',
        "go to 3",
        '<a> = openat(5, "b", O_PATH|O_CLOEXEC)',
        "close(<a>)",
    ]


def test_a_register_that_is_used_again_has_another_name() -> None:
    def make(b: Builder) -> None:
        b.close(b.get("openat", 5, "a", PATH, 0))
        b.close(b.get("openat", 5, "b", PATH, 0))

    assert texts(make)[1::2] == ["close(<a>)", "close(<b>)"]


def test_as_much_of_a_path_is_told_as_there_must_be() -> None:
    def make(b: Builder) -> None:
        for path in ("/cg/memory/c/tasks", "/cg/pids/c/tasks", "/cg/pids/d"):
            b.get("openat", linux.AT_FDCWD, path, PATH, 0)

    assert [each.partition(" = ")[0] for each in texts(make)] == ["<memory/c/tasks>", "<pids/c/tasks>", "<d>"]


def test_two_of_one_name_are_numbered_while_both_are_held() -> None:
    def make(b: Builder) -> None:
        one, two = (b.get("fsopen", "tmpfs", linux.FSOPEN_CLOEXEC) for _ in range(2))
        b.close(one, two)
        b.close(b.get("fsopen", "tmpfs", linux.FSOPEN_CLOEXEC))

    said = texts(make)
    assert (said[2], said[3], said[5]) == ("close(<tmpfs fs>)", "close(<tmpfs fs #2>)", "close(<tmpfs fs>)")


# The page


def test_the_page_groups_operations_and_tells_outcomes() -> None:
    def make(b: Builder) -> None:
        b.do("mkdirat", 5, "a", 0o755, ignore=(EEXIST,))
        over, under = Label(), Label()
        b.do("chdir", "/", on={ENOENT: under, ENOTDIR: under, WHEN_ERROR: over})
        b.place(under)
        b.purpose("other")
        b.do("umask", 0)
        b.place(over)
        parent = Label()
        child = b.get("clone3", b.clone_args(0, linux.SIGCHLD), linux.CLONE_ARGS_SIZE, on={WHEN_NOT_ZERO: parent})
        b.place(parent)
        b.jump_if(child, last := Label())
        b.place(last)

    assert page(make) == [
        "6 operations for x86_64, 168 bytes of data; control socket: 3",
        "",
        "field    or: it failed",
        '     0  mkdirat(5, "a", 0755)  [EEXIST ignored]',
        '     1  chdir("/")  [ENOENT, ENOTDIR ignored; any error → 3]',
        "",
        "other",
        "     2  umask(0)",
        "→    3  <pid> = clone3({exit_signal: SIGCHLD})  [in the parent ignored]",
        "     4  if <pid> is not 0, go to 5",
        "     5  exit_group(0)",
    ]


def test_a_line_is_a_json_object_too() -> None:
    b = Builder("x86_64", 3)
    b.purpose("hostname", "unable to")
    b.do("sethostname", "a", 1, ignore=(EEXIST,))
    b.do("exit_group", 0)
    assert lines(b.finish())[0].document() == {
        "index": 0,
        "field": "hostname",
        "error": "unable to",
        "kind": "call",
        "call": "sethostname",
        "text": 'sethostname("a", 1)',
        "outcomes": {"EEXIST": 1},
    }


# Words


def test_bits_without_a_name_are_shown_as_a_number() -> None:
    assert flags("umount", 2 | 1 << 20) == "MNT_DETACH|0x100000"
    assert flags("umount", 0) == "0"
    assert open_flags(linux.O_RDWR | 1 << 30, "x86_64") == "O_RDWR|0x40000000"


def test_numbers_of_the_kernel_are_read_as_it_packs_them() -> None:
    assert device(0xFFF0_0000 | 7 << 8 | 0x2C) == "7:1048364"
    assert mode(linux.S_IFBLK | 0o600) == "S_IFBLK|0600"
    assert [condition(ENOENT), condition(WHEN_ERROR), condition(4000)] == ["ENOENT", "any error", "errno 4000"]


def test_without_a_vocabulary_numbers_are_shown() -> None:
    none = Vocabulary()
    assert [none.event(3), none.capability(9), none.capability_set(1 << 9)] == ["3", "9", "9"]
