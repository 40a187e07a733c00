"""linux.seccomp in containers: what the kernel does with the calls that a profile names, and the cache of filters."""

from __future__ import annotations

import itertools
import os
import platform
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from orlop.host.cache import place
from orlop.host.seccomp_cache import Cache, entry_key, entry_name
from orlop.spec.types import Seccomp
from tests.system.bundles import Bundle
from tests.system.command import Runtime
from tests.system.seccomp_profile import engine_profile

pytestmark = pytest.mark.usefixtures("clean_host")

_profiles = itertools.count(os.getpid() * 1000)


def profile(*rules: Mapping[str, object], default: str = "SCMP_ACT_ALLOW", **more: object) -> dict[str, object]:
    return {"defaultAction": default, "syscalls": list(rules), **more}


def refuse(*names: str, **more: object) -> dict[str, object]:
    return {"names": list(names), "action": "SCMP_ACT_ERRNO", **more}


MKDIR = ("mkdir", "mkdirat")


@pytest.fixture
def guarded(bundle: Bundle) -> Bundle:
    """May not make directories."""
    return bundle.writable().set("linux.seccomp", profile(refuse(*MKDIR)))


@pytest.fixture
def compiled(tmp_path: Path) -> Iterator[Path]:
    """A static program that makes the system calls whose numbers it is given and prints their errnos."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    source = tmp_path / "call.c"
    source.write_text(CALL)
    subprocess.run([compiler, "-static", "-o", tmp_path / "call", source], check=True)
    yield tmp_path / "call"


CALL = """
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf("%d\\n", syscall(atol(argv[i]), -1, -1, -1, -1, -1, -1) < 0 ? errno : 0);
}
"""


@pytest.mark.parametrize("no_new_privileges", [True, False])
@pytest.mark.parametrize("uid", [0, 1000])
def test_a_filter_holds_with_and_without_no_new_privileges(
    runtime: Runtime, guarded: Bundle, uid: int, no_new_privileges: bool
) -> None:
    guarded.set("process.noNewPrivileges", no_new_privileges).set("process.user", {"uid": uid, "gid": uid})
    done = runtime.run(guarded.shell("grep -E '^(NoNewPrivs|Seccomp)' /proc/self/status; mkdir /tmp/d"), status=1)
    assert done.lines == [f"NoNewPrivs:\t{int(no_new_privileges)}", "Seccomp:\t2", "Seccomp_filters:\t1"]
    assert done.stderr == "mkdir: can't create directory '/tmp/d': Operation not permitted\n"


@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.parametrize("with_object", [True, False])
def test_loading_a_filter_changes_no_capability(runtime: Runtime, bundle: Bundle, uid: int, with_object: bool) -> None:
    bundle.set("process.noNewPrivileges", False).set("process.user", {"uid": uid, "gid": uid})
    if not with_object:
        bundle.drop("process.capabilities")
    script = "grep ^Cap /proc/self/status"
    without = runtime.shell(bundle, script)
    assert runtime.shell(bundle.set("linux.seccomp", profile(refuse(*MKDIR))), script) == without


def test_without_a_profile_there_is_no_filter(runtime: Runtime, bundle: Bundle) -> None:
    assert runtime.shell(bundle, "grep Seccomp: /proc/self/status") == ["Seccomp:\t0"]


def test_an_errno_of_the_profile_is_what_the_program_gets(runtime: Runtime, bundle: Bundle) -> None:
    bundle.writable().set("linux.seccomp", profile(refuse(*MKDIR, errnoRet=28)))
    done = runtime.run(bundle.args("mkdir", "/tmp/d"), status=1)
    assert done.stderr == "mkdir: can't create directory '/tmp/d': No space left on device\n"


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS"])
def test_a_killed_process_has_the_status_of_sigsys(runtime: Runtime, bundle: Bundle, action: str) -> None:
    rule = {"names": list(MKDIR), "action": action}
    bundle.writable().set("linux.seccomp", profile(rule)).args("mkdir", "/tmp/d")
    runtime.run(bundle, status=128 + signal.SIGSYS)


def test_a_condition_decides_about_a_call(runtime: Runtime, bundle: Bundle) -> None:
    kill_zero = {"index": 1, "value": 0, "op": "SCMP_CMP_EQ"}
    bundle.set("linux.seccomp", profile(refuse("kill", args=[kill_zero])))
    done = runtime.run(bundle.shell("kill -0 $$ || echo refused; kill -CONT $$ && echo done"))
    assert done.lines == ["refused", "done"]


def test_several_conditions_on_one_argument_are_alternatives(runtime: Runtime, bundle: Bundle) -> None:
    signals = [{"index": 1, "value": number, "op": "SCMP_CMP_EQ"} for number in (0, 18)]
    bundle.set("linux.seccomp", profile(refuse("kill", args=signals)))
    done = runtime.run(bundle.shell("for s in 0 18 17; do kill -$s $$ 2>/dev/null; echo $?; done"))
    assert done.lines == ["1", "1", "0"]


def test_calls_that_are_newer_than_the_profile_do_not_exist(runtime: Runtime, bundle: Bundle, compiled: Path) -> None:
    engine = engine_profile()
    bundle.bind(compiled, "/call").set("linux.seccomp", engine)
    mount = {"x86_64": 165, "aarch64": 40}[platform.machine()]
    assert runtime.run(bundle.args("/call", str(mount), "5000")).lines == ["1", "38"]


def test_a_program_of_another_architecture_of_the_profile_is_filtered(
    runtime: Runtime, bundle: Bundle, tmp_path: Path
) -> None:
    if platform.machine() != "x86_64" or shutil.which("cc") is None:
        pytest.skip("needs a C compiler for x86-64")
    source = tmp_path / "small.c"
    # mkdir("/tmp/d") and exit with its errno, by the numbers of 32-bit x86.
    source.write_text(
        'void _start(void) { long r; __asm__ volatile("int $0x80" : "=a"(r) : "0"(39), "b"("/tmp/d"), "c"(0755));\n'
        '__asm__ volatile("int $0x80" : : "a"(1), "b"(-r)); }\n'
    )
    command = ["cc", "-m32", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector", "-o"]
    if subprocess.run([*command, tmp_path / "small", source], capture_output=True).returncode:
        pytest.skip("the C compiler makes no 32-bit programs")
    bundle.writable().bind(tmp_path / "small", "/small").args("/small")
    runtime.run(bundle, status=0)
    (bundle.rootfs / "tmp/d").rmdir()
    rule = refuse(*MKDIR, errnoRet=28)
    runtime.run(bundle.set("linux.seccomp", profile(rule, architectures=["SCMP_ARCH_X86"])), status=28)
    runtime.run(bundle.set("linux.seccomp", profile(rule)), status=128 + signal.SIGSYS)


def test_an_ordinary_program_runs_under_the_profile_of_an_engine(runtime: Runtime, bundle: Bundle) -> None:
    bundle.writable().set("linux.seccomp", engine_profile()).set("process.noNewPrivileges", False)
    done = runtime.run(
        bundle.shell("mkdir /tmp/d && echo one | tee /tmp/d/f | wc -l; unshare -m true || ls -l /proc/self/fd >&2")
    )
    assert done.lines == ["1"]


def test_a_profile_need_allow_no_more_than_the_program_calls(runtime: Runtime, bundle: Bundle, tmp_path: Path) -> None:
    """What the runtime itself calls before the program does not pass through the filter."""
    if platform.machine() != "x86_64" or shutil.which("cc") is None:
        pytest.skip("needs a C compiler for x86-64")
    source = tmp_path / "quick.c"
    source.write_text('void _start(void) { __asm__ volatile("syscall" : : "a"(60), "D"(7)); }\n')
    command = ["cc", "-nostdlib", "-static", "-fno-stack-protector", "-o"]
    subprocess.run([*command, tmp_path / "quick", source], check=True, capture_output=True)
    allowed = {"names": ["execve", "exit"], "action": "SCMP_ACT_ALLOW"}
    bundle.bind(tmp_path / "quick", "/quick").args("/quick")
    bundle.set("linux.seccomp", profile(allowed, default="SCMP_ACT_KILL"))
    for no_new_privileges in (True, False):
        runtime.run(bundle.set("process.noNewPrivileges", no_new_privileges), status=7)


def test_an_exec_is_filtered_too(runtime: Runtime, guarded: Bundle) -> None:
    guarded.args("sleep", "100")
    with runtime.running(guarded) as container:
        for no_new_privileges in (True, False):
            flags = ["--no-new-privs"] if no_new_privileges else []
            done = container.exec("mkdir", "/tmp/d", flags=flags, status=1)
            assert done.stderr == "mkdir: can't create directory '/tmp/d': Operation not permitted\n"


def test_a_container_that_was_created_has_its_filter_when_it_starts(runtime: Runtime, guarded: Bundle) -> None:
    guarded.shell("mkdir /tmp/d; echo $? > /tmp/status")
    with runtime.created(guarded) as container, container.handle() as pidfd:
        container.start()
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
        assert (guarded.rootfs / "tmp/status").read_text() == "1\n"


def test_a_user_namespace_may_load_a_filter(runtime: Runtime, guarded: Bundle) -> None:
    guarded.user_namespace().set("process.noNewPrivileges", False)
    assert runtime.shell(guarded, "grep Seccomp: /proc/self/status; mkdir /tmp/d 2>/dev/null || echo refused") == [
        "Seccomp:\t2",
        "refused",
    ]


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_start_container_hooks_are_filtered(runtime: Runtime, guarded: Bundle, no_new_privileges: bool) -> None:
    guarded.set("process.noNewPrivileges", no_new_privileges)
    guarded.hook("startContainer", "mkdir /tmp/d", inside=True)
    assert "error running startContainer hook #0: exit status 1" in runtime.refuses(guarded)


def test_hooks_outside_are_not_filtered(runtime: Runtime, guarded: Bundle, place: Path) -> None:
    guarded.hook("createRuntime", f"mkdir {place}/d")
    runtime.run(guarded.args("true"))
    assert (place / "d").is_dir()


@pytest.mark.parametrize(
    ("flags", "bits"),
    [
        (None, 4),
        ([], 0),
        (["SECCOMP_FILTER_FLAG_LOG"], 2),
        (["SECCOMP_FILTER_FLAG_SPEC_ALLOW"], 4),
        (["SECCOMP_FILTER_FLAG_TSYNC"], 0),
        (["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"], 6),
    ],
)
def test_the_flags_are_told_to_who_wants_to_know(
    runtime: Runtime, bundle: Bundle, flags: list[str] | None, bits: int
) -> None:
    wanted = profile(refuse(*MKDIR))
    if flags is not None:
        wanted["flags"] = flags
    bundle.set("linux.seccomp", wanted).args("true")
    done = runtime("--debug", "run", "-b", bundle.path, runtime.new_id())
    assert f'"seccomp filter flags: {bits}"' in done.stderr


# The cache


class Cached:
    """A profile that no other test has, and the entry of its filter."""

    def __init__(self) -> None:
        # A rule that matches nothing makes the profile unlike all others.
        never = {"index": 5, "value": next(_profiles), "op": "SCMP_CMP_EQ"}
        self.profile = profile(refuse(*MKDIR, errnoRet=28), refuse("reboot", args=[never]))
        self.directory = Path(Cache().path)

    @property
    def entry(self) -> Path:
        library = (self.directory / "library").read_bytes()
        wanted: Seccomp = self.profile  # type: ignore[assignment]
        return self.directory / entry_name(entry_key(wanted, library))


@pytest.fixture
def cached(bundle: Bundle) -> Iterator[Cached]:
    made = Cached()
    bundle.writable().set("linux.seccomp", made.profile).args("mkdir", "/tmp/d")
    yield made
    made.entry.unlink(missing_ok=True)


def check(runtime: Runtime, bundle: Bundle) -> None:
    """A container that is planned: the filter of one that is recalled is kept with its program."""
    for program in Path(place("programs")).glob("*"):
        program.unlink()
    check_again(runtime, bundle)


def check_again(runtime: Runtime, bundle: Bundle) -> None:
    assert "No space left on device" in runtime.run(bundle, status=1).stderr


def test_a_compiled_filter_is_kept_and_used(runtime: Runtime, bundle: Bundle, cached: Cached) -> None:
    check(runtime, bundle)
    first = cached.entry.stat()
    assert (first.st_uid, first.st_mode & 0o777) == (0, 0o600)
    check(runtime, bundle)
    assert cached.entry.stat().st_mtime_ns == first.st_mtime_ns


def test_the_cache_is_no_container(runtime: Runtime, bundle: Bundle, cached: Cached) -> None:
    check(runtime, bundle)
    assert runtime("list", "-q").stdout == ""


def test_a_filter_that_is_damaged_in_the_cache_is_never_loaded(
    runtime: Runtime, bundle: Bundle, cached: Cached
) -> None:
    check(runtime, bundle)
    good = cached.entry.read_bytes()
    allow_all = bytes.fromhex("060000000000ff7f")
    for bad in (good[:-8] + allow_all, good + allow_all, good[:-8], good[: len(good) // 2], b"", bytes(len(good))):
        cached.entry.write_bytes(bad)
        check(runtime, bundle)
        assert cached.entry.read_bytes() == good


def test_a_filter_that_somebody_else_could_write_is_never_loaded(
    runtime: Runtime, bundle: Bundle, cached: Cached
) -> None:
    check(runtime, bundle)
    for uid, mode in ((0, 0o666), (1000, 0o600)):
        cached.entry.chmod(mode)
        os.chown(cached.entry, uid, uid)
        check(runtime, bundle)
        found = cached.entry.stat()
        assert (found.st_uid, found.st_mode & 0o777) == (0, 0o600)


def test_a_cached_filter_needs_no_ctypes(runtime: Runtime, bundle: Bundle, cached: Cached) -> None:
    if not runtime.is_orlop:
        pytest.skip("of orlop only")
    check(runtime, bundle)
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace")
    argv = [strace, "-f", "-e", "trace=openat", *runtime.command("run", "-b", bundle.path, runtime.new_id())]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert "libseccomp" not in done.stderr and "_ctypes" not in done.stderr


def test_a_recalled_program_has_its_filter_with_it(runtime: Runtime, bundle: Bundle, cached: Cached) -> None:
    if not runtime.is_orlop:
        pytest.skip("of orlop only")
    check(runtime, bundle)
    cached.entry.unlink()
    check_again(runtime, bundle)
    assert not cached.entry.exists()  # and none was compiled


def test_a_profile_that_allows_not_even_execve_ends_the_container(runtime: Runtime, bundle: Bundle) -> None:
    bundle.set("linux.seccomp", profile(default="SCMP_ACT_ERRNO")).args("true")
    assert runtime.run(bundle, status=None).status != 0
