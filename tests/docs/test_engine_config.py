"""tools/engine-config.sh prints what each engine reads, and docs/engines.md tells of each."""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools/engine-config.sh"
ENGINES = ("docker", "containerd", "containerd3", "podman", "crio", "kubernetes")
PATH = "/opt/orlop-1.0/bin/orlop"


def script(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", str(SCRIPT), *arguments], capture_output=True, text=True, check=False)


def printed(engine: str, path: str = PATH) -> str:
    done = script(engine, path)
    assert done.returncode == 0, done
    return done.stdout


def test_docker_gets_a_daemon_json_with_orlop_as_default() -> None:
    assert json.loads(printed("docker")) == {"runtimes": {"orlop": {"path": PATH}}, "default-runtime": "orlop"}


@pytest.mark.parametrize(
    ("engine", "version", "plugin"),
    [("containerd", 2, "io.containerd.grpc.v1.cri"), ("containerd3", 3, "io.containerd.cri.v1.runtime")],
)
def test_containerd_gets_a_runtime_of_the_runc_shim(engine: str, version: int, plugin: str) -> None:
    config = tomllib.loads(printed(engine))
    assert config["version"] == version
    runtime = config["plugins"][plugin]["containerd"]["runtimes"]["orlop"]
    options = {"BinaryName": PATH, "SystemdCgroup": Path("/run/systemd/system").is_dir()}
    assert runtime == {"runtime_type": "io.containerd.runc.v2", "options": options}


def test_containerd_1_has_to_have_it_in_its_own_file() -> None:
    assert "config.toml" in script("containerd", PATH).stderr
    assert script("containerd3", PATH).stderr == ""


def test_podman_finds_orlop_and_reads_its_json_logs() -> None:
    engine = tomllib.loads(printed("podman"))["engine"]
    assert (engine["runtime"], engine["runtimes"]) == ("orlop", {"orlop": [PATH]})
    assert {"orlop", "runc", "crun"} <= set(engine["runtime_supports_json"]), "the list replaces podman's own"


def test_crio_gets_a_runtime_with_a_root_of_its_own() -> None:
    runtime = tomllib.loads(printed("crio"))["crio"]["runtime"]["runtimes"]["orlop"]
    assert runtime == {"runtime_path": PATH, "runtime_type": "oci", "runtime_root": "/run/orlop-crio"}


def test_kubernetes_gets_a_runtime_class_of_the_handler_orlop() -> None:
    lines = printed("kubernetes").splitlines()
    assert lines == ["apiVersion: node.k8s.io/v1", "kind: RuntimeClass", "metadata:", "  name: orlop", "handler: orlop"]


def test_without_a_path_it_is_that_of_an_orlop_that_is_there() -> None:
    assert json.loads(script("docker").stdout)["runtimes"]["orlop"]["path"].endswith("/orlop")


@pytest.mark.parametrize("path", ["orlop", "bin/orlop", '/a"b', "/a b", "/a\nb", "/a$(b)", "/a\\b"])
def test_a_path_that_would_need_quotes_is_refused(path: str) -> None:
    done = script("docker", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "not an absolute path" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("lxc",), ("lxc", PATH)])
def test_an_unknown_engine_gets_the_usage(arguments: tuple[str, ...]) -> None:
    done = script(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert "usage: engine-config.sh " + "|".join(ENGINES) in done.stderr


def test_the_page_has_a_row_for_each_engine() -> None:
    page = (ROOT / "docs/engines.md").read_text()
    assert [engine for engine in ENGINES if f"| `{engine}` |" not in page] == []
