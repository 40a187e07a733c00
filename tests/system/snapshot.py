"""What the host is like, as far as a container can change it; equal before and after each test."""

from __future__ import annotations

import os
from pathlib import Path

from orlop.host.cgroups import layout


class Snapshot:
    """Our children (we are a subreaper, so all processes that our commands left), mounts, cgroups of our containers,
    entries of the state directory, and our own descriptors."""

    def __init__(self, marker: str, state: Path) -> None:
        self.parts: dict[str, set[str]] = {
            "processes": {name for pid, name, letter in children() if letter != "Z"},
            "mounts": mounts(),
            "cgroups": cgroups(marker),
            "state": {entry.name for entry in state.iterdir()} if state.is_dir() else set(),
            "descriptors": descriptors(),
        }

    def changes(self, before: Snapshot) -> list[str]:
        """What has come or gone since, one line each."""
        lines = []
        for part, now in self.parts.items():
            then = before.parts[part]
            lines += [f"{part}: left behind: {each}" for each in sorted(now - then)]
            lines += [f"{part}: gone: {each}" for each in sorted(then - now)]
        return lines


def children() -> list[tuple[int, str, str]]:
    """Pid, description and state of our children."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            text = Path("/proc", entry, "stat").read_text()
            before, _, after = text.rpartition(")")
            letter, parent, *_ = after.split()
            if int(parent) == os.getpid():
                line = Path("/proc", entry, "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                found.append((int(entry), f"{entry} {before.partition('(')[2]}: {line}", letter))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def reap() -> list[str]:
    """Reap our dead children; what they were."""
    dead = [(pid, name) for pid, name, letter in children() if letter == "Z"]
    for pid, _ in dead:
        os.waitpid(pid, 0)
    return [name for _, name in dead]


def mounts() -> set[str]:
    return set(Path("/proc/self/mountinfo").read_text().splitlines())


def cgroups(marker: str) -> set[str]:
    """The cgroups, in all hierarchies, whose path holds the marker."""
    found = set()
    for hierarchy in layout().hierarchies:
        for directory, names, _ in os.walk(hierarchy.mount):
            found |= {f"{directory}/{name}" for name in names if marker in f"{directory}/{name}"}
    return found


def descriptors() -> set[str]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
    return found
