"""events: what the files of the cgroup say, again and again; lack of memory; the end of the container."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from orlop.host.cgroups import layout
from tests.system.bundles import Bundle
from tests.system.command import PATIENCE, Container, Runtime, error_line, wait
from tests.system.limits import DRIVERS, need

pytestmark = [pytest.mark.usefixtures("clean_host"), DRIVERS]

UNIFIED = layout().unified
MEGABYTE = 1 << 20
SETTLED = ("shmem", "file_mapped", "file_dirty", "file_writeback", "unevictable")  # in memory.stat of a frozen cgroup
IO = {"Read": "rbytes", "Write": "wbytes"}
HOG = "tail -c 300m /dev/zero >/dev/null"  # keeps as much as it is told to


def cgroup_file(container: Container, name: str) -> Path:
    """A file of the cgroup of a container, found through the host's own eyes and not the runtime's."""
    controller = name.partition(".")[0]
    for line in Path(f"/proc/{container.pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for each in layout().hierarchies:
            if (controllers.split(",") == list(each.controllers) and controller in each.controllers) or (
                UNIFIED and not controllers
            ):
                return Path(each.mount + path[len(each.root.rstrip("/")) :], name)
    raise AssertionError(f"no hierarchy has {name}")


def statistics(container: Container) -> dict[str, dict[str, object]]:
    (line,) = container.runtime("events", "--stats", container.id).lines
    event = json.loads(line)
    assert (event["type"], event["id"]) == ("stats", container.id)
    found = event["data"]
    assert isinstance(found, dict)
    return found


def limit_memory(bundle: Bundle, megabytes: int) -> Bundle:
    need("memory")
    size = megabytes * MEGABYTE
    return bundle.set("linux.resources.memory", {"limit": size, "swap": size})


def test_statistics_are_what_the_files_say(runtime: Runtime, bundle: Bundle) -> None:
    need("pids")
    limit_memory(bundle, 64).set("linux.resources.pids", {"limit": 33}).args("sleep", "1000")
    with runtime.running(bundle) as container:
        runtime("pause", container.id)  # so that nothing changes between two looks
        data = statistics(container)
        assert data["pids"] == {"current": 1, "limit": 33}
        names = ("memory.max", "memory.current") if UNIFIED else ("memory.limit_in_bytes", "memory.usage_in_bytes")
        usage = data["memory"]["usage"]
        assert isinstance(usage, dict)
        limit, now = (int(cgroup_file(container, name).read_text()) for name in names)
        assert usage["limit"] == limit
        # Each processor holds up to 64 pages for later, which the kernel gives back when it likes.
        assert abs(usage["usage"] - now) <= 64 * os.sysconf("SC_PAGESIZE") * (os.cpu_count() or 1)
        lines = cgroup_file(container, "memory.stat").read_text().splitlines()
        raw = data["memory"]["raw"]
        assert isinstance(raw, dict)
        assert list(raw) == sorted(line.split()[0] for line in lines)
        if UNIFIED:
            counted = dict(line.split() for line in lines)
            assert {name: str(raw[name]) for name in SETTLED} == {name: counted[name] for name in SETTLED}
        total = data["cpu"]["usage"]["total"]  # type: ignore[index]
        if UNIFIED:
            stat = dict(line.split() for line in cgroup_file(container, "cpu.stat").read_text().splitlines())
            assert total == 1000 * int(stat["usage_usec"])
            used = data["cpu"]["usage"]
            assert isinstance(used, dict)
            assert (used["user"], used["kernel"]) == (1000 * int(stat["user_usec"]), 1000 * int(stat["system_usec"]))
            assert [set(data[name]["psi"]) for name in ("cpu", "memory", "blkio")] == [{"some", "full"}] * 3  # type: ignore[call-overload]
        else:
            assert total == int(cgroup_file(container, "cpuacct.usage").read_text())
            assert set(data["cpuset"]["cpus"]) <= set(os.sched_getaffinity(0))  # type: ignore[call-overload]
        runtime("resume", container.id)


def test_input_and_output_and_huge_pages_are_what_the_files_say(runtime: Runtime, bundle: Bundle, place: Path) -> None:
    need("blkio", "hugetlb")
    with open(place / "file", "wb") as file:
        file.write(os.urandom(MEGABYTE))
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    bundle.bind(place, "/mnt").args("sleep", "1000")
    with runtime.running(bundle) as container:
        container.exec("sh", "-c", "cat /mnt/file >/dev/null")
        runtime("pause", container.id)
        data = statistics(container)
        found: set[tuple[object, ...]] = set()
        wanted: set[tuple[object, ...]] = set()
        rows = data["blkio"].get("ioServiceBytesRecursive", [])
        assert isinstance(rows, list)
        if UNIFIED:
            for line in cgroup_file(container, "io.stat").read_text().splitlines():
                device, *pairs = line.split()
                numbers = dict(pair.split("=") for pair in pairs)
                wanted |= {(device, name, int(numbers[key])) for name, key in IO.items() if key in numbers}
            found = {(f"{row.get('major', 0)}:{row.get('minor', 0)}", row["op"], row.get("value", 0)) for row in rows}
            assert found == wanted
        for size, used in data["hugetlb"].items():
            assert isinstance(used, dict)
            name = f"hugetlb.{size}.rsvd.{'current' if UNIFIED else 'usage_in_bytes'}"
            assert used.get("usage", 0) == int(cgroup_file(container, name).read_text())
        runtime("resume", container.id)


def test_a_busy_loop_under_a_quota_is_throttled(runtime: Runtime, bundle: Bundle) -> None:
    need("cpu")
    bundle.set("linux.resources.cpu", {"quota": 1000, "period": 20000}).args("sleep", "1000")
    with runtime.running(bundle) as container:
        container.shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
        before = _throttled_periods(container)  # the last period may still end
        throttling = statistics(container)["cpu"]["throttling"]
        assert isinstance(throttling, dict)
        assert 0 < throttling["throttledPeriods"] <= throttling["periods"]  # not the time: a busy host takes it anyway
        assert before <= throttling["throttledPeriods"] <= _throttled_periods(container)


def _throttled_periods(container: Container) -> int:
    stat = dict(line.split() for line in cgroup_file(container, "cpu.stat").read_text().splitlines())
    return int(stat["nr_throttled"])


class Stream:
    """The lines of `events`, as they come."""

    def __init__(self, container: Container, *flags: str) -> None:
        self._kept = b""
        self.process = subprocess.Popen(
            container.runtime.command("events", *flags, container.id),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    def _line(self) -> bytes:
        """The next line; empty at the end."""
        assert self.process.stdout is not None
        while b"\n" not in self._kept:
            assert select.select([self.process.stdout], [], [], PATIENCE)[0], "no event came"
            part = os.read(self.process.stdout.fileno(), 65536)
            if not part:
                return b""
            self._kept += part
        line, _, self._kept = self._kept.partition(b"\n")
        return line

    def next(self) -> dict[str, object]:
        event = json.loads(self._line())
        assert isinstance(event, dict)
        return event

    def until(self, kind: str) -> dict[str, object]:
        """The next event of this type."""
        patience = time.monotonic() + PATIENCE
        while (event := self.next())["type"] != kind:
            assert time.monotonic() < patience, f"no event {kind} came"
        return event

    def rest(self) -> list[dict[str, object]]:
        found = []
        while line := self._line():
            found.append(json.loads(line))
        assert self.process.stdout is not None
        self.process.stdout.close()
        assert self.process.wait(PATIENCE) == 0
        return found


def test_a_stream_repeats_the_statistics_and_ends_with_the_container(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        stream = Stream(container, "--interval", "20ms")
        for _ in range(3):
            event = stream.next()
            assert (event["type"], event["id"], bool(event["data"])) == ("stats", container.id, True)
        container.kill()
        assert {event["type"] for event in stream.rest()} <= {"stats"}


def test_a_stream_goes_on_while_another_process_of_the_host_s_pid_namespace_lives(
    runtime: Runtime, bundle: Bundle
) -> None:
    with runtime.running(bundle.namespace("pid", None).shell("sleep 1000 & sleep 1000")) as container:
        stream = Stream(container, "--interval", "20ms")
        stream.next()
        with container.handle() as pidfd:
            os.kill(container.pid, signal.SIGKILL)  # this one only
            wait(pidfd)
        stream.next()
        runtime("delete", "--force", container.id)
        stream.rest()


def test_lack_of_memory_is_told_once_for_each_kill(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(limit_memory(bundle, 32).args("sleep", "1000")) as container:
        stream = Stream(container, "--interval", "20ms")
        assert stream.next()["type"] == "stats"
        container.exec("sh", "-c", f"{HOG}; true")
        assert stream.until("oom") == {"type": "oom", "id": container.id}
        container.kill()
        assert {event["type"] for event in stream.rest()} <= {"stats"}


def test_lack_of_memory_that_ends_the_container_is_told_before_the_end(runtime: Runtime, bundle: Bundle) -> None:
    script = f"read line < /go; exec {HOG}"
    limit_memory(bundle, 32).writable().shell(script)
    os.mkfifo(bundle.rootfs / "go")
    with runtime.running(bundle) as container:
        stream = Stream(container, "--interval", "20ms")
        assert stream.next()["type"] == "stats"
        (bundle.rootfs / "go").write_text("\n")
        assert "oom" in {event["type"] for event in stream.rest()}


def test_a_created_container_has_statistics(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.created(bundle.args("sleep", "1000")) as container:
        assert statistics(container)["pids"]["current"] == 1


def test_events_of_a_container_that_has_stopped_are_refused(runtime: Runtime, bundle: Bundle) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        container.kill()
        for flags in ((), ("--stats",)):
            said = error_line(runtime("events", *flags, container.id, status=1))
            assert f"container with id {container.id} is not running" in said


def test_events_of_a_container_that_does_not_exist_are_refused(runtime: Runtime) -> None:
    assert "container does not exist" in error_line(runtime("events", "no-such", status=1))


@pytest.mark.parametrize("interval", ["0", "0s", "-1s"])
def test_an_interval_that_is_not_positive_is_refused(runtime: Runtime, bundle: Bundle, interval: str) -> None:
    with runtime.running(bundle.args("sleep", "1000")) as container:
        said = error_line(runtime("events", "--interval", interval, container.id, status=1))
        assert "duration interval must be greater than 0" in said


def test_an_interval_without_a_unit_is_named_in_the_error(runtime: Runtime) -> None:
    done = runtime("events", "--interval", "5", "any", status=1)
    assert done.lines[0] == 'Incorrect Usage: invalid value "5" for flag -interval: parse error'
