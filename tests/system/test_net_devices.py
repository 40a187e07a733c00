"""linux.netDevices: interfaces that the container is given.  The pairs are made in a network namespace of the test's
own, in which the runtime then runs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.bundles import Bundle
from tests.system.command import Runtime

pytestmark = pytest.mark.usefixtures("clean_host")


def ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
    return done.stdout


def addresses(text: str) -> dict[str, list[str]]:
    """Global addresses by interface, of `ip -o addr`."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        words = line.split()
        if "global" in words:
            found.setdefault(words[1], []).append(words[3])
    return found


@pytest.fixture
def network() -> Iterator[None]:
    """A network namespace of the test's own, with a pair outside0 and peer0."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    libc_unshare(0x40000000)
    try:
        ip("link", "add", "outside0", "type", "veth", "peer", "name", "peer0")
        yield
    finally:
        setns(before)
        os.close(before)


def libc_unshare(flags: int) -> None:
    import ctypes

    if ctypes.CDLL(None, use_errno=True).unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare")


def setns(fd: int) -> None:
    import ctypes

    if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def named(path: Path) -> Iterator[Path]:
    """A network namespace that a container can join by its path."""
    path.touch()
    subprocess.run(["unshare", f"--net={path}", "true"], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


def devices(bundle: Bundle, **names: str | None) -> Bundle:
    rows = {name: {} if inside is None else {"name": inside} for name, inside in names.items()}
    return bundle.set("linux.netDevices", rows)


@pytest.mark.usefixtures("network")
class TestInANetworkOfItsOwn:
    @pytest.mark.rule("ND-1", "ND-4")
    def test_a_device_is_moved_and_up(self, runtime: Runtime, bundle: Bundle) -> None:
        lines = runtime.shell(devices(bundle, outside0=None), "ip -o link")
        (line,) = [line for line in lines if "outside0" in line]
        assert ",UP" in line
        assert [line for line in lines if "lo:" in line and "UP" in line]

    @pytest.mark.rule("ND-5")
    def test_nothing_moves_a_device_back(self, runtime: Runtime, bundle: Bundle) -> None:
        with runtime.running(devices(bundle, outside0=None).args("sleep", "1000")) as container:
            assert any("outside0" in line for line in container.shell("ip -o link"))
            assert "outside0" not in {name for _, name in socket.if_nameindex()}
        assert "outside0" not in {name for _, name in socket.if_nameindex()}

    def test_a_device_is_renamed(self, runtime: Runtime, bundle: Bundle) -> None:
        text = "\n".join(runtime.shell(devices(bundle, outside0="eth7"), "ip -o link"))
        assert "eth7" in text and "outside0" not in text

    @pytest.mark.rule("ND-3")
    @pytest.mark.parametrize("user", [False, True], ids=["host", "user namespace"])
    def test_permanent_global_addresses_are_kept(self, runtime: Runtime, bundle: Bundle, user: bool) -> None:
        ip("addr", "add", "10.99.0.5/24", "dev", "outside0")
        ip("addr", "add", "10.99.0.6/24", "dev", "outside0")
        ip("addr", "add", "10.98.0.1", "peer", "10.98.0.2/32", "dev", "outside0")
        ip("addr", "add", "fd99::5/64", "dev", "outside0", "nodad")
        ip("addr", "add", "10.97.0.1/24", "dev", "outside0", "scope", "link")
        ip("addr", "add", "10.96.0.1/24", "dev", "outside0", "valid_lft", "1000", "preferred_lft", "1000")
        ip("link", "set", "outside0", "up")
        if user:
            bundle.user_namespace()
        text = "\n".join(runtime.shell(devices(bundle, outside0="eth0"), "ip -o addr"))
        found = sorted(addresses(text)["eth0"])
        assert found == ["10.98.0.1", "10.99.0.5/24", "10.99.0.6/24", "fd99::5/64"]
        assert "10.98.0.1 peer 10.98.0.2/32" in text

    @pytest.mark.rule("ND-3")
    def test_attributes_are_kept(self, runtime: Runtime, bundle: Bundle) -> None:
        ip("link", "set", "outside0", "mtu", "1789", "address", "02:11:22:33:44:55")
        text = "\n".join(runtime.shell(devices(bundle, outside0=None), "ip -o link show outside0"))
        assert "mtu 1789" in text and "02:11:22:33:44:55" in text

    @pytest.mark.rule("ND-2")
    def test_a_template_takes_the_next_free_name(self, runtime: Runtime, bundle: Bundle) -> None:
        both = devices(bundle, outside0="net%d", peer0="net%d")
        text = "\n".join(runtime.shell(both, "ip -o link"))
        assert "net0" in text and "net1" in text

    def test_a_namespace_that_is_joined(self, runtime: Runtime, bundle: Bundle, place: Path) -> None:
        with named(place / "net") as path:
            devices(bundle.namespace("network", str(path)), outside0="eth3")
            assert "eth3" in "\n".join(runtime.shell(bundle, "ip -o link"))
            taken = runtime.refuses(devices(bundle, peer0="eth3"))
            assert 'the network device "peer0" into the container as "eth3": file exists' in taken
            assert "peer0" in ip("-o", "link")

    def test_a_device_that_is_missing_is_named(self, runtime: Runtime, bundle: Bundle) -> None:
        assert 'unable to move the network device "nothing0"' in runtime.refuses(devices(bundle, nothing0=None))

    def test_a_device_that_cannot_be_moved_is_named(self, runtime: Runtime, bundle: Bundle) -> None:
        assert 'unable to move the network device "lo"' in runtime.refuses(devices(bundle, lo="eth0"))

    @pytest.mark.rule("ND-2")
    def test_a_name_that_the_container_has_is_refused(self, runtime: Runtime, bundle: Bundle) -> None:
        line = runtime.refuses(devices(bundle, outside0="lo"))
        assert "file exists" in line and "%d" in line
        assert "outside0" in ip("-o", "link")

    @pytest.mark.parametrize("later", ["missing device", "hook", "program"])
    def test_a_failure_gives_the_devices_back(self, runtime: Runtime, bundle: Bundle, later: str) -> None:
        ip("addr", "add", "10.99.0.5/24", "dev", "outside0")
        ip("link", "set", "outside0", "up")
        if later == "missing device":
            devices(bundle, outside0="eth0", nothing0=None)
        else:
            devices(bundle, outside0="eth0")
        if later == "hook":
            bundle.hook("createRuntime", "exit 1")
        if later == "program":
            bundle.args("/nowhere")
        runtime.refuses(bundle)
        (link,) = json.loads(ip("-j", "addr", "show", "outside0"))
        assert "UP" in link["flags"]
        assert [row["local"] for row in link["addr_info"] if row["scope"] == "global"] == ["10.99.0.5"]

    def test_a_created_container_has_its_devices(self, runtime: Runtime, bundle: Bundle) -> None:
        with runtime.created(devices(bundle, outside0="eth0").args("sleep", "1000")) as container:
            assert "eth0" in "\n".join(container.shell("ip -o link"))
            assert "outside0" not in ip("-o", "link")
            container.start()
            assert container.status == "running"


def test_without_a_network_namespace_it_is_refused(runtime: Runtime, bundle: Bundle) -> None:
    devices(bundle.namespace("network", None), eth0=None)
    assert "network devices need a private network namespace" in runtime.refuses(bundle)
