"""Containers for real: needs root, a cgroup hierarchy that can be written to, and a static busybox.

Every test but those of the cgroup room uses `clean_host`, which fails a test that leaves anything behind.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orlop.host import cache
from tests.system.bundles import BUSYBOX, Bundle, Root
from tests.system.command import Runtime, default_argv
from tests.system.snapshot import Snapshot, children, reap

PROJECT = Path(__file__).parents[2]
LAUNCHER = PROJECT / "build/orlop"
_PR_SET_CHILD_SUBREAPER = 36
_CLONE_NEWNS = 0x20000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than some seconds")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:  # by nohup or `&`: a command would ignore it too, and wait
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session")
def workshop() -> Iterator[Path]:
    """A directory that every user may pass through: a user namespace must find its root file system."""
    if os.geteuid():
        pytest.skip("needs root")
    if not os.path.exists(BUSYBOX):
        pytest.skip(f"needs {BUSYBOX}, static (Debian: busybox-static)")
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what a command leaves behind becomes our child
    # Mounts of ours alone: those of other programs come and go.
    if libc.unshare(_CLONE_NEWNS) or libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None):
        pytest.skip("needs a mount namespace")
    # And a cache of our own: other tests of this machine, of another tree, write to the host's.
    kept = cache.place("").rstrip("/")
    os.makedirs(kept, 0o700, exist_ok=True)
    if libc.mount(b"orlop-tests", kept.encode(), b"tmpfs", 0, b"mode=0700"):
        pytest.skip("needs a mount namespace")
    path = Path(tempfile.mkdtemp(prefix="orlop-tests-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def root(workshop: Path) -> Root:
    return Root(workshop / "root")


@pytest.fixture(scope="session")
def runtime(workshop: Path, request: pytest.FixtureRequest) -> Runtime:
    """The command.  With limits.DRIVERS a test has it once for each driver of cgroups."""
    flags = ["--systemd-cgroup"] if getattr(request, "param", "") == "systemd" else []
    return Runtime([*default_argv(), *flags], workshop / "state", f"orlop-test-{os.getpid()}")


@pytest.fixture(scope="module")
def packed(runtime: Runtime) -> None:
    """With a pack that fits: after a change of the code the first start drops it, and only the second writes one."""
    if not runtime.is_orlop:
        pytest.skip("of orlop only")
    if Path(runtime.argv[0]) == LAUNCHER:
        interpreter = LAUNCHER.with_suffix(".python").read_text().strip()
        command = [interpreter, "-m", "orlop.packing"]
        subprocess.run(command, cwd=PROJECT, stdout=subprocess.DEVNULL, check=True)


@pytest.fixture(scope="module")
def launched(runtime: Runtime) -> None:
    """By the launcher of this tree."""
    if Path(runtime.argv[0]) != LAUNCHER:
        pytest.skip("needs the launcher of this tree")


@pytest.fixture
def make_bundle(workshop: Path, root: Root) -> Iterator[Callable[[], Bundle]]:
    """Makes bundles; they are removed after the test."""
    made: list[Path] = []

    def make() -> Bundle:
        path = Path(tempfile.mkdtemp(prefix="bundle-", dir=workshop))
        made.append(path)
        return Bundle(path, root)

    yield make
    for path in made:
        shutil.rmtree(path)


@pytest.fixture
def bundle(make_bundle: Callable[[], Bundle]) -> Bundle:
    return make_bundle()


@pytest.fixture
def place(workshop: Path) -> Iterator[Path]:
    """A directory for what a test needs besides its bundle."""
    path = Path(tempfile.mkdtemp(prefix="place-", dir=workshop))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def clean_host(runtime: Runtime, bundle: Bundle, place: Path) -> Iterator[None]:
    """Nothing is left behind: looked at before the bundle is removed, and tidied up after, for the tests that
    follow."""
    runtime.root.mkdir(exist_ok=True, mode=0o700)
    reap()
    before = Snapshot(runtime.marker, runtime.root)
    yield
    reap()  # a detached container is our child: runtimes leave it to us
    after = Snapshot(runtime.marker, runtime.root)
    changes = after.changes(before)
    if changes:
        for entry in runtime.root.iterdir():
            runtime("delete", "--force", entry.name, status=None)
        known = before.parts["processes"]
        for pid, name, _ in children():
            if name not in known:
                os.kill(pid, 9)
        reap()
    assert changes == []
