"""What the kernel's log says of processes that it killed for want of memory (mm/oom_kill.c)."""

from __future__ import annotations

import time

from orlop import system as os

_LOG = "/dev/kmsg"
_RECORD = 8192  # the longest record that the kernel gives
# Why; a record is the kernel's word on a kill only if it begins so.  Others hold names that a container chooses: of its
# cgroups, of its programs.
_REASONS = (b"Memory cgroup out of memory", b"Out of memory", b"Out of memory (oom_kill_allocating_task)")
_KERNEL = 8  # priorities from here on: of a program, by writing to /dev/kmsg
_INITIAL = "pid:[4026531836]"  # include/linux/proc_ns.h, PROC_PID_INIT_INO
_TICKS = 100
_SLACK = 2.0  # seconds: the log has a clock of its own


def oom_killed(pid: int, start: int) -> bool | None:
    """Did the kernel kill this process for want of memory?  None where its log cannot tell.

    `start` is in clock ticks since boot (proc_pid_stat(5)).  The log numbers processes as the initial pid namespace
    does, and forgets its oldest records.  Reads all of it; does not block.
    """
    try:
        if os.readlink("/proc/self/ns/pid") != _INITIAL:
            return None
        descriptor = os.open(_LOG, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - start / _TICKS
    try:
        return search(descriptor, pid, time.monotonic() - age - _SLACK)
    finally:
        os.close(descriptor)


def search(descriptor: int, pid: int, since: float) -> bool | None:
    """Look through the log for this pid, in records that are not older than `since` (in seconds, as the log has it)."""
    complete = False
    beginnings = tuple(b"%s: Killed process %d (" % (reason, pid) for reason in _REASONS)
    while True:
        try:
            record = os.read(descriptor, _RECORD)
        except BrokenPipeError:  # overwritten while we read: go on with the oldest that there is
            continue
        except OSError:  # EAGAIN: that was all; or nobody may read it
            break
        if not record:
            break
        head, _, text = record.partition(b";")
        stamp = head.split(b",")
        moment = int(stamp[2]) / 1e6 if len(stamp) > 2 and stamp[2].isdigit() else 0.0
        if moment < since:
            complete = True
        elif text.startswith(beginnings) and stamp[0].isdigit() and int(stamp[0]) < _KERNEL:
            return True
    return False if complete else None
