"""What is asked of the host, whose users choose some of the names in the answers."""

from __future__ import annotations

import pytest

from orlop.host import mountinfo, probe

LINES = """\
21 1 0:20 / /proc rw - proc proc rw
22 1 0:21 / /sys rw shared:7 - sysfs sysfs rw
23 1 0:22 / /home/me/a\x0cb\u2028c rw - fuse.x x rw
24 1 0:23 / /home/me/caf\u00e9\\040x/proc rw - proc proc rw
25 1 0:24 / /home/me/\udcff/proc rw - proc proc rw
"""


def test_mounts_of_proc_are_found_among_any_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mountinfo, "read", lambda path: LINES)
    assert probe._proc_mounts() == ("/sys", "/proc", "/home/me/\udcff/proc", "/home/me/caf\u00e9 x/proc")
