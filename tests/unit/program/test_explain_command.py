"""`orlop explain`: the program of a bundle, without doing any of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

import orlop

ROOT = Path(orlop.__file__).parent.parent


def run_python(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("XDG_RUNTIME_DIR", None)
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def orlop_command(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run_python("-m", "orlop", *words, cwd=cwd)


def make_bundle(directory: Path) -> Path:
    (directory / "rootfs").mkdir()
    config = {
        "ociVersion": "1.3.0",
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["/bin/true"], "env": ["HOME=/"], "cwd": "/"},
        "root": {"path": "rootfs"},
        "hostname": "explained",
        "linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}]},
    }
    (directory / "config.json").write_text(json.dumps(config))
    return directory


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path)


def test_it_prints_every_operation_below_its_field(bundle: Path) -> None:
    done = orlop_command("explain", cwd=bundle)
    assert done.returncode == 0, done.stderr
    assert 'sethostname("explained", 9)' in done.stdout
    assert 'hostname    or: unable to set hostname "explained"' in done.stdout.splitlines()
    assert 'execve(<program>, ["/bin/true"], ["HOME=/"])' in done.stdout


def test_the_bundle_can_be_elsewhere_and_the_id_is_the_callers(
    bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    done = orlop_command("--root", "/run/mine", "explain", "--bundle", str(bundle), "abc", cwd=elsewhere)
    assert done.returncode == 0, done.stderr
    assert '"/run/mine/abc/exec.fifo"' in done.stdout
    assert f'"{bundle}/rootfs"' in done.stdout


def test_nothing_is_made(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("run") / "root"
    before = sorted(bundle.rglob("*"))
    assert orlop_command("--root", str(root), "explain", cwd=bundle).returncode == 0
    assert not root.exists()
    assert sorted(bundle.rglob("*")) == before


def test_json_has_the_same_operations(bundle: Path) -> None:
    done = orlop_command("explain", "--format", "json", cwd=bundle)
    document = json.loads(done.stdout)
    assert document["problems"] == []
    assert [row["index"] for row in document["operations"]] == list(range(len(document["operations"])))
    (row,) = (row for row in document["operations"] if row.get("call") == "sethostname")
    assert (row["field"], row["text"]) == ("hostname", 'sethostname("explained", 9)')


def test_a_format_that_is_unknown_is_refused(bundle: Path) -> None:
    done = orlop_command("explain", "--format", "yaml", cwd=bundle)
    assert (done.returncode, done.stdout) == (1, "")
    assert "invalid format option: yaml" in done.stderr


def test_a_config_is_refused_as_create_refuses_it(bundle: Path) -> None:
    (bundle / "config.json").unlink()
    done = orlop_command("explain", cwd=bundle)
    assert (done.returncode, done.stdout) == (1, "")
    assert "config.json not found" in done.stderr


AS_NOBODY = """
import os, sys
from orlop.cli.main import main
main(["orlop", "explain"])  # imports what is needed: another user might not be able to read the interpreter's files
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
os.write(1, b"as nobody:\\n")
sys.exit(main(["orlop", "explain"]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests are this one where they run without privilege")
def test_no_privilege_is_needed() -> None:
    with TemporaryDirectory() as directory:  # pytest's own are closed to others
        os.chmod(directory, 0o755)
        done = run_python("-c", AS_NOBODY, cwd=make_bundle(Path(directory)))
    assert done.returncode == 0, done.stderr
    assert 'sethostname("explained", 9)' in done.stdout.partition("as nobody:\n")[2]


def test_the_program_of_the_monitor_comes_first_where_it_is_asked_for(bundle: Path) -> None:
    alone = orlop_command("explain", cwd=bundle).stdout
    both = orlop_command("explain", "--monitor", cwd=bundle).stdout
    assert both.endswith("\n\n" + alone)
    monitor = both.removesuffix(alone)
    assert "waitid(" in monitor and '"orlop-monitor"' in monitor and "sethostname" not in monitor
    document = json.loads(orlop_command("explain", "--monitor", "--format", "json", cwd=bundle).stdout)
    names = [one["call"] for one in document["monitor"] if "call" in one]
    assert "waitid" in names and "sethostname" not in names
    assert document["operations"]
