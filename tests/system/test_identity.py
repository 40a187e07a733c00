"""Who the process is and what it may: ids, groups, umask, directory, capabilities, limits, environment."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orlop.program.calls import numbers
from orlop.spec.capabilities import CAPABILITIES
from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Container, Runtime, error_line, poll

pytestmark = pytest.mark.usefixtures("clean_host")

SETS = {
    "bounding": "CapBnd",
    "effective": "CapEff",
    "inheritable": "CapInh",
    "permitted": "CapPrm",
    "ambient": "CapAmb",
}


def status(runtime: Runtime, bundle: Bundle) -> dict[str, list[str]]:
    """The fields of /proc/self/status in the container."""
    lines = runtime.run(bundle.args("cat", "/proc/self/status")).lines
    return {line.partition(":")[0]: line.partition(":")[2].split() for line in lines}


def bits(*names: str) -> int:
    return sum(1 << CAPABILITIES.index(name) for name in names)


def test_all_ids_are_those_of_the_config(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.user", {"uid": 1000, "gid": 1001, "additionalGids": [5, 6, 7]})
    found = status(runtime, bundle)
    assert (found["Uid"], found["Gid"], found["Groups"]) == (["1000"] * 4, ["1001"] * 4, ["5", "6", "7"])


def test_groups_of_the_caller_are_dropped(runtime: Runtime, bundle: Bundle) -> None:
    before = os.getgroups()
    os.setgroups([4, 24])
    try:
        assert status(runtime, bundle)["Groups"] == []
    finally:
        os.setgroups(before)


def test_groups_that_the_runtime_may_not_drop_are_refused(runtime: Runtime, bundle: Bundle) -> None:
    bundle.args("cat", "/proc/self/status")
    command = runtime.command("run", "-b", bundle.path, runtime.new_id())
    for groups, status in (("--groups=4,24", 1), ("--clear-groups", 0)):
        setpriv = ["setpriv", groups, "--inh-caps=-setgid", "--bounding-set=-setgid", *command]
        done = subprocess.run(setpriv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=PATIENCE)
        assert done.returncode == status, done
        assert ("unable to set supplementary groups" in done.stderr) is bool(status)


@pytest.mark.parametrize(("umask", "shown"), [(None, "0022"), (0o077, "0077"), (0, "0000")])
def test_the_umask_is_0022_or_as_the_config_says(
    runtime: Runtime, bundle: Bundle, umask: int | None, shown: str
) -> None:
    if umask is not None:
        bundle.set("process.user.umask", umask)
    before = os.umask(0o007)
    try:
        assert status(runtime, bundle)["Umask"] == [shown]
    finally:
        os.umask(before)


def test_the_working_directory_is_entered(runtime: Runtime, bundle: Bundle) -> None:
    assert runtime.shell(bundle.set("process.cwd", "/tmp"), "pwd; echo $PWD") == ["/tmp", "/tmp"]


def test_a_working_directory_that_is_missing_is_made(runtime: Runtime, bundle: Bundle) -> None:
    assert runtime.shell(bundle.writable().set("process.cwd", "/new/deep"), "pwd") == ["/new/deep"]
    assert (bundle.rootfs / "new/deep").is_dir()


def test_a_working_directory_that_cannot_be_made_is_named(runtime: Runtime, bundle: Bundle) -> None:
    line = runtime.refuses(bundle.set("process.cwd", "/proc/new").args("true"))
    assert "/proc/new" in line and "no such file or directory" in line


def test_a_working_directory_is_made_below_a_root_that_will_be_read_only(runtime: Runtime, bundle: Bundle) -> None:
    done = runtime.run(bundle.set("process.cwd", "/new/deep").set("root.readonly", True).args("pwd"))
    assert done.lines == ["/new/deep"]


def test_an_exec_does_not_make_its_working_directory(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.created(bundle.args("sleep", "1000")) as container:
        line = error_line(runtime("exec", "--cwd", "/new/deep", container.id, "true", status=255))
        assert "/new/deep" in line and "no such file or directory" in line


def test_a_working_directory_that_is_a_file_is_refused(runtime: Runtime, bundle: Bundle) -> None:
    line = runtime.refuses(bundle.set("process.cwd", "/etc/passwd").args("true"))
    assert "/etc/passwd" in line and "not a directory" in line


def test_a_working_directory_that_only_root_may_enter_can_be_given_to_a_user(runtime: Runtime, bundle: Bundle) -> None:
    (bundle.rootfs / "closed").mkdir(mode=0o700)
    bundle.set("process.cwd", "/closed").set("process.user", {"uid": 1000, "gid": 1000})
    done = runtime.run(bundle.args("/bin/busybox", "true"), status=None)
    assert done.status == 0, done


def test_a_working_directory_through_a_magic_link_is_refused(runtime: Runtime, bundle: Bundle) -> None:
    # CVE-2024-21626: a descriptor of the host's file system that was left open.
    for number in range(3, 12):
        line = runtime.refuses(bundle.set("process.cwd", f"/proc/self/fd/{number}").args("true"))
        assert f"/proc/self/fd/{number}" in line


# Capabilities


@pytest.mark.parametrize("name", SETS)
def test_a_capability_set_is_exactly_what_the_config_says(runtime: Runtime, bundle: Bundle, name: str) -> None:
    every = ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW", "CAP_SYS_PTRACE"]
    for kind in SETS:
        bundle.set(f"process.capabilities.{kind}", every)
    # A set may lack what those it is part of have.
    few = every if name in ("bounding", "permitted") else every[1:2]
    bundle.set(f"process.capabilities.{name}", few)
    if name in ("effective", "permitted", "inheritable"):
        bundle.set("process.capabilities.ambient", [])
    bundle.set("process.user", {"uid": 1000, "gid": 1000})
    found = status(runtime, bundle)
    if name == "ambient":
        assert int(found["CapAmb"][0], 16) == bits(*few)
        assert int(found["CapEff"][0], 16) == bits(*few)  # what execve gives to a user who is not root
    assert int(found["CapInh"][0], 16) == bits(*(few if name == "inheritable" else every))
    assert int(found["CapBnd"][0], 16) == bits(*every)


def test_root_gets_what_the_bounding_set_has(runtime: Runtime, bundle: Bundle) -> None:
    found = status(runtime, bundle)
    expected = bits("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")
    assert {name: int(found[SETS[name]][0], 16) for name in SETS} == {
        "bounding": expected,
        "effective": expected,
        "permitted": expected,
        "inheritable": 0,
        "ambient": 0,
    }


def test_a_user_who_is_not_root_gets_nothing_without_ambient_capabilities(runtime: Runtime, bundle: Bundle) -> None:
    found = status(runtime, bundle.set("process.user", {"uid": 1000, "gid": 1000}))
    assert int(found["CapEff"][0], 16) == int(found["CapPrm"][0], 16) == 0


def test_empty_sets_take_everything_away(runtime: Runtime, bundle: Bundle) -> None:
    found = status(runtime, bundle.set("process.capabilities", {}))
    assert {int(found[name][0], 16) for name in SETS.values()} == {0}


WITHOUT = ["setpriv", "--bounding-set=-sys_time,-wake_alarm"]  # before a command: it lacks these two then
LACKED = "ignoring unknown or unavailable capabilities: [CAP_SYS_TIME]"


def test_a_capability_that_the_runtime_lacks_is_only_a_warning(runtime: Runtime, bundle: Bundle) -> None:
    if not runtime.is_orlop:
        pytest.skip("runc fails")
    for kind in SETS:
        bundle.set(f"process.capabilities.{kind}", ["CAP_KILL", "CAP_SYS_TIME"])
    bundle.shell("cat /proc/self/status; exec sleep 1000")
    container = Container(runtime, bundle, runtime.new_id())
    words = [*WITHOUT, *runtime.command("run", "-d", "-b", bundle.path, container.id)]
    with (bundle.path / "out").open("w") as out, (bundle.path / "err").open("w") as err:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
    try:
        assert done.returncode == 0 and LACKED in (bundle.path / "err").read_text()
        poll(lambda: "Seccomp" in (bundle.path / "out").read_text())
        words = [*WITHOUT, *runtime.command("exec", container.id, "cat", "/proc/self/status")]
        added = subprocess.run(words, capture_output=True, text=True)
        assert added.returncode == 0 and LACKED in added.stderr
        for text in ((bundle.path / "out").read_text(), added.stdout):
            found = dict(re.findall(r"(Cap\w+):\s*(\w+)", text))
            assert {int(found[name], 16) for name in SETS.values()} == {bits("CAP_KILL")}
    finally:
        runtime("delete", "--force", container.id)


def test_a_score_below_the_runtimes_own_needs_a_capability(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.oomScoreAdj", -1000).args("true")
    words = ["setpriv", "--bounding-set=-sys_resource", *runtime.command("run", "-b", bundle.path, runtime.new_id())]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 1 and "oom_score_adj" in done.stderr
    if runtime.is_orlop:
        assert "needs CAP_SYS_RESOURCE" in done.stderr


def test_in_a_user_namespace_no_capability_is_lacking(runtime: Runtime, bundle: Bundle) -> None:
    for kind in ("bounding", "permitted", "effective"):
        bundle.set(f"process.capabilities.{kind}", ["CAP_SYS_TIME"])
    words = [*WITHOUT, *runtime.command("run", "-b", bundle.user_namespace().path, runtime.new_id())]
    bundle.args("cat", "/proc/self/status")
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert int(dict(re.findall(r"(Cap\w+):\s*(\w+)", done.stdout))["CapEff"], 16) == bits("CAP_SYS_TIME")


def test_an_unknown_capability_is_only_a_warning(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.capabilities.bounding", ["CAP_KILL", "CAP_FLY"]).args("true")
    done = runtime.run(bundle)
    assert "ignoring unknown or unavailable capabilities: [CAP_FLY]" in done.stderr


@pytest.mark.parametrize("given", [True, False])
def test_no_new_privileges_is_as_the_config_says(runtime: Runtime, bundle: Bundle, given: bool) -> None:
    found = status(runtime, bundle.set("process.noNewPrivileges", given))
    assert found["NoNewPrivs"] == [str(int(given))]


# Limits and scores


def test_resource_limits_are_set(runtime: Runtime, bundle: Bundle) -> None:
    rows = [
        {"type": "RLIMIT_NOFILE", "soft": 17, "hard": 18},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 4096},
        {"type": "RLIMIT_NPROC", "soft": 100, "hard": 200},
        {"type": "RLIMIT_CPU", "soft": 1000, "hard": 2000},
    ]
    lines = runtime.shell(bundle.set("process.rlimits", rows), "cat /proc/self/limits")
    found = {line[:26].strip(): line[26:].split()[:2] for line in lines}
    assert found["Max open files"] == ["17", "18"]
    assert found["Max core file size"] == ["0", "4096"]
    assert found["Max processes"] == ["100", "200"]
    assert found["Max cpu time"] == ["1000", "2000"]


def test_a_very_small_limit_of_open_files_is_no_obstacle_to_the_start(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": 3, "hard": 3}])
    assert runtime.run(bundle.args("echo", "started")).stdout == "started\n"


def test_a_hard_limit_above_the_runtimes_own_needs_the_capability(runtime: Runtime, bundle: Bundle) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    own = int(re.findall(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())[0], 16)
    bundle.set("process.rlimits", [{"type": "RLIMIT_NOFILE", "soft": 10, "hard": hard + 1}])
    if own & bits("CAP_SYS_RESOURCE"):
        assert runtime.shell(bundle, "ulimit -Hn") == [str(hard + 1)]
        return
    line = runtime.refuses(bundle.args("true"))
    assert "RLIMIT_NOFILE" in line and "CAP_SYS_RESOURCE" in line


def test_the_oom_score_is_set(runtime: Runtime, bundle: Bundle) -> None:
    assert runtime.shell(bundle.set("process.oomScoreAdj", 321), "cat /proc/self/oom_score_adj") == ["321"]


def test_the_oom_score_of_the_runtime_is_inherited_without_one(runtime: Runtime, bundle: Bundle) -> None:
    own = Path("/proc/self/oom_score_adj").read_text().strip()
    assert runtime.shell(bundle, "cat /proc/self/oom_score_adj") == [own]


def test_an_oom_score_that_is_refused_names_the_field(runtime: Runtime, bundle: Bundle) -> None:
    own = int(re.findall(r"CapEff:\s*(\w+)", Path("/proc/self/status").read_text())[0], 16)
    if own & bits("CAP_SYS_RESOURCE"):
        pytest.skip("we may lower the score")
    assert "oom_score_adj" in runtime.refuses(bundle.set("process.oomScoreAdj", -900).args("true"))


# Environment and program


def test_the_environment_is_that_of_the_config_and_no_other(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("process.env", ["PATH=/bin", "A=1", "HOME=/here", "A=2", "EMPTY="]).args("env")
    assert runtime.run(bundle).lines == ["PATH=/bin", "HOME=/here", "A=2", "EMPTY="]


@pytest.mark.parametrize(("uid", "home"), [(0, "/root"), (1000, "/home/guest"), (4242, "/")])
def test_home_comes_from_the_containers_passwd(runtime: Runtime, bundle: Bundle, uid: int, home: str) -> None:
    bundle.set("process.user.uid", uid).args("/bin/env")
    assert f"HOME={home}" in runtime.run(bundle).lines


@pytest.mark.parametrize("how", ["missing", "directory", "huge", "fifo", "link"])
def test_a_strange_passwd_is_no_obstacle(runtime: Runtime, bundle: Bundle, how: str) -> None:
    passwd = bundle.rootfs / "etc/passwd"
    passwd.unlink()
    if how == "directory":
        passwd.mkdir()
    elif how == "huge":
        passwd.write_bytes(b"x" * (1 << 20))
    elif how == "fifo":
        os.mkfifo(passwd)
    elif how == "link":
        passwd.symlink_to("/proc/self/mem")
    assert "HOME=/" in runtime.run(bundle.args("env")).lines


def test_the_program_is_looked_up_in_the_path_of_the_config(runtime: Runtime, bundle: Bundle) -> None:
    (bundle.rootfs / "first").mkdir()
    (bundle.rootfs / "second").mkdir()
    for name in ("first", "second"):
        script = bundle.rootfs / name / "tool"
        script.write_text(f"#!/bin/sh\necho {name}\n")
        script.chmod(0o755)
    bundle.set("process.env", ["PATH=/nowhere:/first:/second"])
    assert runtime.run(bundle.args("tool")).stdout == "first\n"
    (bundle.rootfs / "first/tool").chmod(0o644)
    assert runtime.run(bundle.args("tool")).stdout == "second\n"
    (bundle.rootfs / "first/tool").unlink()
    (bundle.rootfs / "first/tool").mkdir()
    assert runtime.run(bundle.args("tool")).stdout == "second\n"


def test_a_program_with_a_slash_is_not_looked_up(runtime: Runtime, bundle: Bundle) -> None:
    script = bundle.rootfs / "tool"
    script.write_text("#!/bin/sh\necho here $0 $1\n")
    script.chmod(0o755)
    assert runtime.run(bundle.args("./tool", "x")).stdout == "here ./tool x\n"
    assert runtime.run(bundle.set("process.cwd", "/tmp").args("../tool", "x")).stdout == "here ../tool x\n"


def test_arguments_may_hold_anything(runtime: Runtime, bundle: Bundle) -> None:
    words = ["", " ", "a b", "$HOME", "'", '"', "ü", "-n", "\n", "\\"]
    done = runtime.run(bundle.args("sh", "-c", 'for each; do echo "[$each]"; done', "sh", *words))
    assert done.stdout == "".join(f"[{word}]\n" for word in words)


def test_hundreds_of_long_arguments_get_through(runtime: Runtime, bundle: Bundle) -> None:
    words = [f"{number:04}" * 100 for number in range(1000)]
    done = runtime.run(bundle.args("sh", "-c", "echo $# ${#1000}", "sh", *words))
    assert done.stdout.split() == ["1000", "400"]


def test_a_sysctl_of_a_namespace_is_set(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("linux.sysctl", {"net.ipv4.ip_forward": "1", "kernel.msgmax": "7777", "net/ipv4/ip_default_ttl": "33"})
    names = ("net/ipv4/ip_forward", "kernel/msgmax", "net/ipv4/ip_default_ttl")
    assert runtime.shell(bundle, "; ".join(f"cat /proc/sys/{name}" for name in names)) == ["1", "7777", "33"]


def test_a_sysctl_that_does_not_exist_is_named(runtime: Runtime, bundle: Bundle) -> None:
    line = runtime.refuses(bundle.set("linux.sysctl", {"net.nothing": "1"}).args("true"))
    assert "net.nothing" in line


def test_the_personality_is_set(runtime: Runtime, bundle: Bundle) -> None:
    machine = {"x86_64": "i686", "aarch64": "armv8l"}[os.uname().machine]
    assert runtime.shell(bundle.set("linux.personality", {"domain": "LINUX32"}), "uname -m") == [machine]


def test_the_processor_affinity_of_the_caller_does_not_get_in(runtime: Runtime, bundle: Bundle) -> None:
    every = os.sched_getaffinity(0)
    if len(every) < 2:
        pytest.skip("needs two processors")
    os.sched_setaffinity(0, {min(every)})
    try:
        assert len(status(runtime, bundle)["Cpus_allowed_list"][0]) > 1
    finally:
        os.sched_setaffinity(0, every)


def test_signals_that_the_caller_ignores_or_blocks_are_default_in_the_container(
    runtime: Runtime, bundle: Bundle
) -> None:
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGHUP, signal.SIGPIPE)]
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        found = status(runtime, bundle)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        for number, handler in before:
            signal.signal(number, handler)
    threads = 1 << 31 | 1 << 32  # the C library's own, which nobody else may set
    assert [int(found[name][0], 16) & ~threads for name in ("SigBlk", "SigIgn", "SigCgt")] == [0, 0, 0]


def test_the_process_leads_a_session_of_its_own(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        fields = Path(f"/proc/{container.pid}/stat").read_text().rpartition(")")[2].split()
        assert fields[2] == fields[3] == str(container.pid)  # process group, session


def _session_keyrings(container_id: str, lines: list[str]) -> set[str]:
    """The serials of the container's keyrings among the lines of /proc/keys, which shows all that its reader may see:
    those of containers that ended just now, too."""
    return {line.split()[0] for line in lines if f" _ses.{container_id}:" in line}


def test_the_process_has_a_session_keyring_of_its_own(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("linux.maskedPaths", []).args("cat", "/proc/keys")
    container_id = runtime.new_id()
    assert len(_session_keyrings(container_id, runtime("run", "-b", bundle.path, container_id).lines)) == 1


@pytest.mark.parametrize("user_namespace", [False, True])
def test_what_exec_adds_shares_the_session_keyring(runtime: Runtime, bundle: Bundle, user_namespace: bool) -> None:
    if user_namespace:
        bundle.user_namespace()
    bundle.set("linux.maskedPaths", [])
    with runtime.running(bundle.args("sleep", "1000")) as container:
        for _ in range(2):
            assert len(_session_keyrings(container.id, container.shell("cat /proc/keys"))) == 1


# Runs a command that has a session keyring of its own, which only its holders see.
_WITH_KEYRING = """
import ctypes, os, sys
keyctl, join, set_permissions = int(sys.argv[1]), 1, 5
syscall = ctypes.CDLL(None, use_errno=True).syscall
keyring = syscall(keyctl, join, b"_ses.callers", 0, 0, 0)
assert keyring > 0 and syscall(keyctl, set_permissions, keyring, 0x3f000000, 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize("keep", [False, True])
def test_exec_gives_the_keys_of_its_caller_only_without_a_new_keyring(
    runtime: Runtime, bundle: Bundle, keep: bool
) -> None:
    bundle.set("linux.maskedPaths", [])
    flags = ["--no-new-keyring"] if keep else []
    with runtime.running(bundle.args("sleep", "1000"), *flags) as container:
        command = runtime.command("exec", container.id, "cat", "/proc/keys")
        number = str(numbers(os.uname().machine)["keyctl"])
        seen = subprocess.check_output([sys.executable, "-c", _WITH_KEYRING, number, *command], text=True)
    assert bool(_session_keyrings("callers", seen.splitlines())) == keep
