"""The system calls that programs use: one row each, for both architectures.

Only calls of the generic table (the `*at` forms) are here, so both architectures have the same rows with other numbers.
The last column names the arguments, with the kind by which they are shown and checked, and says which calls give a
descriptor; see program/signature.py.
Source: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
"""

from __future__ import annotations

ARCHITECTURES = ("x86_64", "aarch64")

# name: (x86_64, aarch64, arguments)
CALLS: dict[str, tuple[int, int, str]] = {
    "bpf": (321, 280, "cmd:bpf attr:ptr size"),
    "capget": (125, 90, "header:cap_header data:cap_data"),
    "capset": (126, 91, "header:cap_header data:cap_data"),
    "chdir": (80, 49, "path:str"),
    "chroot": (161, 51, "path:str"),
    "clone": (56, 220, "flags:clone stack:ptr pidfd:ptr child_tid:ptr tls:ptr"),
    "clone3": (435, 435, "args:clone_args size"),
    "close": (3, 57, "fd:fd"),
    "close_range": (436, 436, "first:fd last:fd flags:close_range"),
    "clock_gettime": (228, 113, "clock time:buf"),
    "dup3": (292, 24, "old:fd new:fd flags:dup -> fd"),
    "execve": (59, 221, "path:str argv:strv envp:strv"),
    "execveat": (322, 281, "dir:fd path:str argv:strv envp:strv flags:at"),
    "exit_group": (231, 94, "status"),
    "faccessat2": (439, 439, "dir:fd path:str mode:access flags:at"),
    "fallocate": (285, 47, "fd:fd mode offset size"),
    "fchdir": (81, 50, "fd:fd"),
    "fchmod": (91, 52, "fd:fd mode:mode"),
    "fchmodat": (268, 53, "dir:fd path:str mode:mode"),
    "fchown": (93, 55, "fd:fd uid:id gid:id"),
    "fchownat": (260, 54, "dir:fd path:str uid:id gid:id flags:at"),
    "fcntl": (72, 25, "fd:fd cmd arg"),
    "flock": (73, 32, "fd:fd operation:flock"),
    "fsconfig": (431, 431, "fd:fd cmd:fsconfig key:str value:str aux"),
    "fsetxattr": (190, 7, "fd:fd name:str value:bytes size flags"),
    "fsmount": (432, 432, "fd:fd flags:fsmount attributes:attributes -> fd"),
    "fsopen": (430, 430, "type:str flags:fsopen -> fd"),
    "fspick": (433, 433, "dir:fd path:str flags:fspick -> fd"),
    "fstatfs": (138, 44, "fd:fd buf:statfs_buf"),
    "getpid": (39, 172, ""),
    "ioctl": (16, 29, "fd:fd request:ioctl arg"),
    "ioprio_set": (251, 30, "which who ioprio:hex"),
    "keyctl": (250, 219, "operation:keyctl arg2:any arg3:any arg4:any"),
    "kill": (62, 129, "pid signal:signal"),
    "lseek": (8, 62, "fd:fd offset whence"),
    "memfd_create": (319, 279, "name:str flags:memfd -> fd"),
    "mkdirat": (258, 34, "dir:fd path:str mode:mode"),
    "mknodat": (259, 33, "dir:fd path:str mode:node device:device"),
    "mmap": (9, 222, "address:hex size prot:prot flags:map fd:fd offset"),
    "mount": (165, 40, "source:str target:str type:str flags:hex data:str"),
    "mount_setattr": (442, 442, "dir:fd path:str flags:at attr:mount_attr size"),
    "move_mount": (429, 429, "from:fd from_path:str to:fd to_path:str flags:move_mount"),
    "open_tree": (428, 428, "dir:fd path:str flags:open_tree -> fd"),
    "openat": (257, 56, "dir:fd path:str flags:open mode:mode -> fd"),
    "openat2": (437, 437, "dir:fd path:str how:open_how size -> fd"),
    "personality": (135, 92, "persona:hex"),
    "pidfd_getfd": (438, 438, "pidfd:fd target flags -> fd"),
    "pidfd_open": (434, 434, "pid flags -> fd"),
    "pidfd_send_signal": (424, 424, "pidfd:fd signal:signal info:ptr flags"),
    "pivot_root": (155, 41, "new_root:str put_old:str"),
    "ppoll": (271, 73, "fds:pollfd count timeout:timespec mask:ptr size"),
    "prctl": (157, 167, "option:prctl arg2:any arg3:any arg4:any arg5:any"),
    "prlimit64": (302, 261, "pid resource:resource new:rlimit old:ptr"),
    "read": (0, 63, "fd:fd buf:buf size"),
    "recvfrom": (45, 207, "fd:fd buf:buf size flags:message addr:ptr len:ptr"),
    "renameat2": (316, 276, "from:fd from_path:str to:fd to_path:str flags"),
    "rt_sigaction": (13, 134, "signal:signal action:sigaction old:ptr set_size"),
    "rt_sigprocmask": (14, 135, "how:sigmask set:signals old:ptr set_size"),
    "sched_setaffinity": (203, 122, "pid size mask:bits"),
    "sched_setattr": (314, 274, "pid attr:sched_attr flags"),
    "seccomp": (317, 277, "operation:seccomp flags:filter_flags args:sock_fprog"),
    "sendmsg": (46, 211, "fd:fd message:ptr flags"),
    "sendto": (44, 206, "fd:fd buf:bytes size flags:message addr:ptr len"),
    "set_mempolicy": (238, 237, "mode:hex nodes:bits max"),
    "setdomainname": (171, 162, "name:str size"),
    "setgroups": (116, 159, "count groups:u32v"),
    "sethostname": (170, 161, "name:str size"),
    "setns": (308, 268, "fd:fd type:clone"),
    "setresgid": (119, 149, "real:id effective:id saved:id"),
    "setresuid": (117, 147, "real:id effective:id saved:id"),
    "setsid": (112, 157, ""),
    "signalfd4": (289, 74, "fd:fd set:signals set_size flags:signalfd -> fd"),
    "socket": (41, 198, "domain:family type:socket_type protocol -> fd"),
    "socketpair": (53, 199, "domain:family type:socket_type protocol pair:pair"),
    "statx": (332, 291, "dir:fd path:str flags:at mask:statx buf:statx_buf"),
    "symlinkat": (266, 36, "target:str dir:fd path:str"),
    "umask": (95, 166, "mask:mode"),
    "umount2": (166, 39, "path:str flags:umount"),
    "unlinkat": (263, 35, "dir:fd path:str flags:unlink"),
    "unshare": (272, 97, "flags:clone"),
    "wait4": (61, 260, "pid status:ptr options rusage:ptr"),
    "waitid": (247, 95, "which:idtype id:fd info:siginfo options:wait rusage:ptr"),
    "write": (1, 64, "fd:fd buf:bytes size"),
}

_numbers: dict[str, dict[str, int]] = {}


def numbers(architecture: str) -> dict[str, int]:
    """Name to number, for one architecture."""
    found = _numbers.get(architecture)
    if found is None:
        column = ARCHITECTURES.index(architecture)
        found = _numbers[architecture] = {name: row[column] for name, row in CALLS.items()}  # type: ignore[misc]
    return found
