"""The kernel's log is read record by record, as /dev/kmsg gives it."""

from __future__ import annotations

import _socket
from collections.abc import Iterator

import pytest

from orlop.host import kernel_log

OLD = b"6,1,1000000,-;boot\n"
KILL = b"3,2,9000000,-;Memory cgroup out of memory: Killed process 77 (tail) total-vm:1kB\n"


@pytest.fixture
def log() -> Iterator[tuple[int, _socket.socket]]:
    """A descriptor that gives one record a read, and fails when there is none."""
    reader, writer = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    reader.setblocking(False)
    yield reader.fileno(), writer
    reader.close()
    writer.close()


@pytest.mark.parametrize(
    ("records", "pid", "said"),
    [
        ([OLD, KILL], 77, True),
        ([OLD, KILL], 7, False),
        ([OLD, KILL], 777, False),
        ([KILL], 77, True),
        ([KILL], 78, None),  # the log does not reach back to the beginning of the process
        ([], 77, None),
        ([OLD, KILL.replace(b"9000000", b"2000000")], 77, False),  # another process that had this pid before
    ],
)
def test_a_kill_is_found_by_the_pid(
    log: tuple[int, _socket.socket], records: list[bytes], pid: int, said: bool | None
) -> None:
    descriptor, writer = log
    for record in records:
        writer.send(record)
    assert kernel_log.search(descriptor, pid, 5.0) is said


@pytest.mark.parametrize(
    "record",
    [
        b"6,2,9000000,-;oom-kill:constraint=CONSTRAINT_MEMCG,oom_memcg=/out of memory: Killed process 77 (x,pid=5\n",
        b"6,2,9000000,-;Memory cgroup stats for /box: Killed process 77 (x:\n",
        b"12,2,9000000,-;Memory cgroup out of memory: Killed process 77 (x) total-vm:1kB\n",  # written to /dev/kmsg
    ],
)
def test_nobody_else_can_say_that_a_process_was_killed(log: tuple[int, _socket.socket], record: bytes) -> None:
    descriptor, writer = log
    for each in (OLD, record):
        writer.send(each)
    assert kernel_log.search(descriptor, 77, 5.0) is False


@pytest.mark.parametrize(
    "text",
    [
        b"3,2,9000000,-,caller=T9;Memory cgroup out of memory: Killed process 77 (tail) total-vm:1kB\n",
        b"3,2,9000000,-;Out of memory: Killed process 77 (a;b) total-vm:1kB\n",
        b"3,2,9000000,-;Out of memory (oom_kill_allocating_task): Killed process 77 (tail) total-vm:1kB\n",
    ],
)
def test_the_kernel_has_more_than_one_way_to_say_it(log: tuple[int, _socket.socket], text: bytes) -> None:
    descriptor, writer = log
    writer.send(text)
    assert kernel_log.search(descriptor, 77, 5.0) is True
