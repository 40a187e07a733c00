"""The events that a container's program emits, beside FAILED (program/layout.py).

PID          value: the process that was cloned.  The executor itself exits.  With a new user namespace the process
             then waits until its id maps are written.
COPY_UP      descriptors: the directory below, the new tmpfs.  Waits until the one is copied into the other.
ROOTFS       mounts and devices are made; waits for the hooks of the runtime's namespaces.  Only with such hooks.
HOME         payload: the container's /etc/passwd.  Waits for `HOME=...` and a NUL.
CONSOLE      descriptor: the master of the terminal.
CREATED      all is done but the last step; waits on the fifo, or for the supervisor where there is none.
HOOK_FAILED  value: exit status or signal; payload: si_code, CLD_EXITED (1) for a status; descriptors: what the hook
             wrote.  HOOK_TIMEOUT: it was killed.
NETWORK      descriptor: a netlink socket of the container's network namespace; waits for linux.netDevices to be moved.
LISTENER     value: the descriptor, in the process that tells, of its seccomp filter's listener; stands for CREATED too.
DANGLING     value: 1 for a directory, 0 for a file; payload: a path; descriptor: the root that it is below.  A symbolic
             link of the path leads to nothing; waits until what it names is made.
IDMAP        value: the index of an id-mapped mount that a process of the host's root must make; waits for it.
MONITOR      value: the pid of the executor, which a monitor has cloned.  The first one, where there is a monitor.
"""

from __future__ import annotations

PID, COPY_UP, ROOTFS, HOME, CONSOLE, CREATED, HOOK_FAILED, HOOK_TIMEOUT = range(1, 9)
LISTENER, NETWORK, DANGLING, MONITOR, IDMAP = range(9, 14)
NAMES = (
    "failed",
    "pid",
    "copy up",
    "rootfs",
    "home",
    "console",
    "created",
    "hook failed",
    "hook timeout",
    "listener",
    "network",
    "dangling",
    "monitor",
    "idmap",
)
