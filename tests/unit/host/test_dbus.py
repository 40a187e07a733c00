"""The D-Bus client against a made-up peer, and its bytes against those of another implementation."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orlop.host import dbus_wire as wire
from orlop.host import systemd
from orlop.host.dbus import Bus, BusError, CallError, SilentError, unix_addresses
from orlop.host.systemd import Manager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.host.dbus_wire import Value

# StartTransientUnit of a scope, as jeepney 0.9 writes it.
MESSAGE = bytes.fromhex(
    "6c010001d000000007000000b600000001016f00190000002f6f72672f667265656465736b746f702f73797374656d643100000000000000"
    "02017300200000006f72672e667265656465736b746f702e73797374656d64312e4d616e6167657200000000000000000301730012000000"
    "53746172745472616e7369656e74556e697400000000000006017300180000006f72672e667265656465736b746f702e73797374656d6431"
    "000000000000000008016700107373612873762961287361287376292900000009000000626f782e73636f7065000000070000007265706c"
    "61636500a800000004000000504944730002617500000000040000002a0000000800000044656c65676174650001620001000000000000000b"
    "000000416c6c6f7765644350557300026179000100000005000000000000000b000000446576696365416c6c6f7700056128737329000018"
    "00000000000000090000002f6465762f6e756c6c0000000300000072776d00090000004d656d6f72794d6178000174000000000000000"
    "0ffffffffffffffff0000000000000000"
)
PROPERTIES: list[Value] = [
    ("PIDs", ("au", [42])),
    ("Delegate", ("b", True)),
    ("AllowedCPUs", ("ay", b"\x05")),
    ("DeviceAllow", ("a(ss)", [("/dev/null", "rwm")])),
    ("MemoryMax", ("t", 2**64 - 1)),
]
JOB = "/org/freedesktop/systemd1/job/7"
FAILED = "org.freedesktop.systemd1."


class Peer:
    """Answers each call with what `answers` has for its method: bodies of a reply, or an error; and signals."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.calls: list[tuple[str, list[Value]]] = []
        self.answers: dict[str, Callable[[], bytes]] = {}
        self.greeting = b"DATA\r\nOK 0123\r\n"
        self.serial = 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        # Whoever waits in accept is woken by a last connection.
        with socket.socket(socket.AF_UNIX) as last:
            try:
                last.connect(str(self.path))
            except OSError:
                pass
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            data = b""
            while not data.endswith(b"BEGIN\r\n"):
                part = connection.recv(4096)
                if not part:
                    return
                data += part
            connection.sendall(self.greeting)
            data = b""
            while part := connection.recv(65536):
                data += part
                while len(data) >= wire.HEAD and len(data) >= wire.size(data):
                    whole = wire.size(data)
                    message, data = wire.parse(data[:whole]), data[whole:]
                    if self._answer(connection, message):
                        return

    def _answer(self, connection: socket.socket, message: wire.Message) -> bool:
        member = str(message.fields[wire.MEMBER])
        self.calls.append((member, message.body))
        self.serial = message.serial
        answer = self.answers[member]()
        if not answer:
            return True
        connection.sendall(answer)
        return False

    def reply(self, signature: str = "", *body: Value) -> bytes:
        return wire.call(1, {wire.REPLY_SERIAL: self.serial}, signature, body, wire.RETURN)

    def error(self, name: str, text: str) -> bytes:
        return wire.call(1, {wire.REPLY_SERIAL: self.serial, wire.ERROR_NAME: name}, "s", [text], wire.ERROR)

    def removed(self, job: str, result: str) -> bytes:
        fields: dict[int, str | int] = {wire.PATH: "/x", wire.INTERFACE: "y", wire.MEMBER: "JobRemoved"}
        return wire.call(2, fields, "uoss", [7, job, "box.scope", result], wire.SIGNAL)


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    made = Peer(tmp_path / "socket")
    yield made
    made.close()


@pytest.fixture
def manager(peer: Peer) -> Iterator[Manager]:
    made = Manager(Bus(str(peer.path), private=True), user=False)
    yield made
    made.close()


def test_a_message_is_that_of_another_implementation() -> None:
    fields: dict[int, str | int] = {
        wire.PATH: "/org/freedesktop/systemd1",
        wire.INTERFACE: "org.freedesktop.systemd1.Manager",
        wire.MEMBER: "StartTransientUnit",
        wire.DESTINATION: "org.freedesktop.systemd1",
    }
    assert wire.call(7, fields, "ssa(sv)a(sa(sv))", ["box.scope", "replace", PROPERTIES, []]) == MESSAGE


def test_a_message_is_read_as_it_was_written() -> None:
    message = wire.parse(MESSAGE)
    assert wire.size(MESSAGE[:16]) == len(MESSAGE)
    assert message.fields[wire.MEMBER] == "StartTransientUnit"
    assert message.body[:2] == ["box.scope", "replace"]
    assert message.body[2] == [(n, (s, list(v) if isinstance(v, bytes) else v)) for n, (s, v) in PROPERTIES]  # type: ignore[misc, str-unpack]


@pytest.mark.parametrize("damage", [(0, b"B"), (4, b"\xff\xff\xff\x7f"), (20, b"\xff\xff\xff"), (150, b"\xff" * 40)])
def test_damaged_bytes_are_an_error_of_their_own(damage: tuple[int, bytes]) -> None:
    at, other = damage
    data = MESSAGE[:at] + other + MESSAGE[at + len(other) :]
    with pytest.raises(wire.WireError):
        wire.size(data)
        wire.parse(data)


def test_every_cut_message_is_an_error_of_its_own() -> None:
    for size in range(len(MESSAGE)):
        with pytest.raises(wire.WireError):
            wire.parse(MESSAGE[:size])


@pytest.mark.parametrize(("signature", "value"), [("u", -1), ("y", 256), ("u", "text"), ("(ss)", ("a",)), ("k", 1)])
def test_a_value_that_does_not_fit_its_signature_is_refused(signature: str, value: Value) -> None:
    with pytest.raises(wire.WireError):
        wire.call(1, {}, signature, [value])


@pytest.mark.parametrize("signature", ["()", "a()", "(a())", "{}", "a", "(s", "((s)"])
def test_a_type_without_values_is_none(signature: str) -> None:
    """An array of structs without members would have no end: each takes up no bytes."""
    with pytest.raises(wire.WireError):
        wire.split(signature)


def test_a_unit_is_started_when_its_job_is_done(peer: Peer, manager: Manager) -> None:
    peer.answers["StartTransientUnit"] = lambda: (
        peer.removed("/other", "failed") + peer.reply("o", JOB) + peer.removed(JOB, "done")
    )
    manager.start("box.scope", [("PIDs", "au", [42])])
    assert peer.calls == [("StartTransientUnit", ["box.scope", "replace", [("PIDs", ("au", [42]))], []])]


def test_a_job_may_be_done_before_its_call_is_answered(peer: Peer, manager: Manager) -> None:
    peer.answers["StopUnit"] = lambda: peer.removed(JOB, "done") + peer.reply("o", JOB)
    manager.stop("box.scope")


def test_a_job_that_fails_is_told_with_its_result(peer: Peer, manager: Manager) -> None:
    peer.answers["StartTransientUnit"] = lambda: peer.reply("o", JOB) + peer.removed(JOB, "timeout")
    with pytest.raises(BusError, match=r"^error creating systemd unit `box.scope`: got `timeout`$") as caught:
        manager.start("box.scope", [])
    assert caught.value.hint == "its journal may tell more: systemctl status box.scope"


def test_a_job_that_does_not_end_is_not_waited_for_longer(peer: Peer, manager: Manager) -> None:
    peer.answers["StartTransientUnit"] = lambda: peer.reply("o", JOB)
    peer.answers["StopUnit"] = lambda: peer.reply("o", "/other")
    with pytest.raises(BusError, match=r"^Timeout waiting for systemd to create box.scope$"):
        manager.start("box.scope", [], patience=0.05)
    assert peer.calls[1:] == [("StopUnit", ["box.scope", "replace"])]  # it is not made when systemd finds the time


def test_an_error_of_a_method_has_its_name(peer: Peer, manager: Manager) -> None:
    peer.answers["StartTransientUnit"] = lambda: peer.error(FAILED + "UnitExists", "Unit box.scope already exists.")
    with pytest.raises(CallError, match=r"already exists") as caught:
        manager.start("box.scope", [])
    assert caught.value.name == FAILED + "UnitExists"


def test_a_unit_that_is_gone_is_stopped(peer: Peer, manager: Manager) -> None:
    peer.answers["StopUnit"] = lambda: peer.error(FAILED + "NoSuchUnit", "Unit box.scope not loaded.")
    manager.stop("box.scope")


@pytest.mark.parametrize(
    ("text", "number"), [("252.39-1~deb12u2", 252), ("257", 257), ("v245.4-1.fc32", 245), ('"v244"', 244), ("main", 0)]
)
def test_the_release_of_systemd_is_a_number(peer: Peer, manager: Manager, text: str, number: int) -> None:
    peer.answers["Get"] = lambda: peer.reply("v", ("s", text))
    assert manager.version() == number


def test_a_bus_is_greeted_and_asked_for_signals(peer: Peer) -> None:
    peer.answers["Hello"] = lambda: peer.reply("s", ":1.1")
    peer.answers["AddMatch"] = peer.answers["Subscribe"] = peer.reply
    peer.answers["StopUnit"] = lambda: peer.reply("o", JOB) + peer.removed(JOB, "done")
    manager = Manager(Bus(str(peer.path)), user=True)
    manager.stop("box.scope")
    manager.close()
    assert [member for member, _ in peer.calls] == ["Hello", "AddMatch", "Subscribe", "StopUnit"]


def test_signals_that_nobody_has_asked_for_are_not_even_parsed(peer: Peer, manager: Manager) -> None:
    fields: dict[int, str | int] = {wire.PATH: "/x", wire.INTERFACE: "y", wire.MEMBER: "PropertiesChanged"}
    whole = wire.call(3, fields, "s", ["box.scope"], wire.SIGNAL)
    other = whole[:-2] + b"\xff\0"  # no text
    peer.answers["StopUnit"] = lambda: other + peer.reply("o", JOB) + other + peer.removed(JOB, "done") + other
    peer.answers["ResetFailedUnit"] = peer.reply
    manager.stop("box.scope")
    manager.forget("box.scope")


def test_a_peer_that_hangs_up_is_told(peer: Peer, manager: Manager) -> None:
    peer.answers["StopUnit"] = bytes
    with pytest.raises(BusError, match=r"socket closed the connection$"):
        manager.stop("box.scope")


def test_a_peer_that_does_not_let_us_in_is_told(peer: Peer) -> None:
    peer.greeting = b"REJECTED EXTERNAL\r\n"
    with pytest.raises(BusError, match=r"socket does not let us in: REJECTED EXTERNAL$"):
        Bus(str(peer.path))


def test_a_peer_that_speaks_another_language_is_told(peer: Peer, manager: Manager) -> None:
    peer.answers["StopUnit"] = lambda: b"HTTP/1.1 400 Bad Request\r\n"
    with pytest.raises(BusError, match=r"socket does not speak D-Bus: "):
        manager.stop("box.scope")


def test_a_peer_that_is_silent_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        with pytest.raises(BusError, match=r"socket does not answer$"):
            Bus(str(tmp_path / "socket"), patience=0.05)


def test_a_peer_whose_queue_is_full_is_waited_for_and_told(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        with pytest.raises(SilentError, match=r"socket does not answer$"):
            Bus(path, patience=0.05)


def test_a_socket_that_is_not_there_or_dead_is_told(tmp_path: Path) -> None:
    with pytest.raises(BusError, match=r"^cannot connect to .*/socket: no such file or directory$"):
        Bus(str(tmp_path / "socket"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    with pytest.raises(BusError, match=r"^cannot connect to .*/socket: connection refused$"):
        Bus(str(tmp_path / "socket"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("unix:path=/run/user/1000/bus", ["/run/user/1000/bus"]),
        ("unix:path=/a%20b,guid=12;tcp:host=x;unix:abstract=/tmp/bus", ["/a b", "\0/tmp/bus"]),
        ("", []),
        ("nonsense", []),
    ],
)
def test_addresses_are_those_of_unix_sockets(text: str, found: list[str]) -> None:
    assert unix_addresses(text) == found


def test_a_host_without_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "RUN", str(tmp_path))
    with pytest.raises(BusError, match=r"systemd not running on this host, cannot use systemd cgroups manager"):
        systemd.connect()


def test_a_user_without_a_systemd_of_their_own_is_told_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "RUN", str(tmp_path))
    monkeypatch.setattr("orlop.system.geteuid", lambda: 1000)
    (tmp_path / "systemd/system").mkdir(parents=True)
    with pytest.raises(
        BusError, match=r"cannot reach the user's systemd: cannot connect to .*/user/1000/bus: "
    ) as caught:
        systemd.connect()
    assert caught.value.hint and "loginctl enable-linger" in caught.value.hint


def test_who_has_knocked_is_let_in_on_that_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "RUN", str(tmp_path))
    (tmp_path / "systemd/system").mkdir(parents=True)
    peer = Peer(tmp_path / "systemd/private")
    knocked = systemd.knock()
    assert knocked is not None
    peer.answers["ResetFailedUnit"] = lambda: peer.reply()
    manager = systemd.connect(knocked=knocked)
    manager.forget("box.scope")
    assert peer.calls == [("ResetFailedUnit", ["box.scope"])]
    manager.close()
    peer.close()


def test_who_is_not_let_in_where_they_knocked_asks_the_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "RUN", str(tmp_path))
    (tmp_path / "systemd/system").mkdir(parents=True)
    (tmp_path / "dbus").mkdir()
    closed, bus = Peer(tmp_path / "systemd/private"), Peer(tmp_path / "dbus/system_bus_socket")
    closed.greeting = b"REJECTED EXTERNAL\r\n"
    bus.answers["Hello"] = lambda: bus.reply("s", ":1.1")
    knocked = systemd.knock()
    manager = systemd.connect(knocked=knocked)
    assert [name for name, _ in bus.calls] == ["Hello"]
    manager.close()
    closed.close()
    bus.close()


def test_where_nobody_is_at_home_nobody_has_knocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "RUN", str(tmp_path))
    assert systemd.knock() is None
    (tmp_path / "systemd/system").mkdir(parents=True)
    assert systemd.knock() is None


def test_what_is_done_meanwhile_is_done_before_the_answer_is_read(manager: Manager, peer: Peer) -> None:
    done: list[str] = []
    peer.answers["StartTransientUnit"] = lambda: peer.reply("o", "/job/7") + peer.removed("/job/7", "done")
    peer.answers["Subscribe"] = lambda: peer.reply()
    manager.start("box.scope", [], meanwhile=lambda: done.append("meanwhile"))
    assert done == ["meanwhile"]


def test_the_bus_of_the_session_is_used_where_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "RUN", str(tmp_path))
    monkeypatch.setattr("orlop.system.geteuid", lambda: 1000)
    (tmp_path / "systemd/system").mkdir(parents=True)
    peer = Peer(tmp_path / "session")
    peer.answers["Hello"] = lambda: peer.reply("s", ":1.1")
    manager = systemd.connect(f"unix:path={peer.path}", str(tmp_path / "runtime"))
    assert manager.user
    manager.close()
    peer.close()
