"""The kernel's structs that programs pass by address: what is where in them."""

from __future__ import annotations

# Kind: (name, kind, bytes) of each member, in order; all unsigned unless the width is negative.
STRUCTS: dict[str, tuple[tuple[str, str, int], ...]] = {
    # uapi/linux/bpf.h, the parts of union bpf_attr
    "bpf_prog_attach": (
        ("target_fd", "fd", 4), ("attach_bpf_fd", "fd", 4), ("attach_type", "attach_type", 4),
        ("attach_flags", "attach", 4),
    ),
    "bpf_prog_load": (
        ("prog_type", "prog_type", 4), ("insn_cnt", "", 4), ("insns", "code", 8), ("license", "str", 8),
    ),
    # uapi/linux/capability.h
    "cap_header": (("version", "hex", 4), ("pid", "", 4)),
    # uapi/linux/sched.h
    "clone_args": (
        ("flags", "clone", 8), ("pidfd", "ptr", 8), ("child_tid", "ptr", 8), ("parent_tid", "ptr", 8),
        ("exit_signal", "signal", 8), ("stack", "ptr", 8), ("stack_size", "", 8), ("tls", "ptr", 8),
        ("set_tid", "ptr", 8), ("set_tid_size", "", 8), ("cgroup", "fd", 8),
    ),
    "int": (("value", "", -4),),
    # uapi/linux/mount.h
    "mount_attr": (
        ("attr_set", "attributes", 8), ("attr_clr", "attributes", 8), ("propagation", "propagation", 8),
        ("userns_fd", "fd", 8),
    ),
    # uapi/linux/openat2.h
    "open_how": (("flags", "open", 8), ("mode", "mode", 8), ("resolve", "resolve", 8)),
    # socketpair(2)
    "pair": (("one", "fd", -4), ("other", "fd", -4)),
    "pollfd": (("fd", "fd", -4), ("events", "poll", 2), ("revents", "poll", 2)),
    "rlimit": (("rlim_cur", "limit", 8), ("rlim_max", "limit", 8)),
    # uapi/linux/sched/types.h
    "sched_attr": (
        ("size", "", 4), ("sched_policy", "scheduler", 4), ("sched_flags", "hex", 8), ("sched_nice", "", -4),
        ("sched_priority", "", 4), ("sched_runtime", "", 8), ("sched_deadline", "", 8), ("sched_period", "", 8),
        ("sched_util_min", "", 4), ("sched_util_max", "", 4),
    ),
    # uapi/asm-generic/signal.h
    "sigaction": (
        ("handler", "handler", 8), ("flags", "sigaction_flags", 8), ("restorer", "handler", 8), ("mask", "hex", 8),
    ),
    # uapi/asm-generic/siginfo.h, as waitid(2) fills it
    "siginfo": (
        ("si_signo", "", -4), ("si_errno", "", -4), ("si_code", "", -4), ("pad", "", 4), ("si_pid", "", -4),
        ("si_uid", "id", 4), ("si_status", "", -4),
    ),
    # uapi/asm-generic/signal.h, a bit for each from 1 on
    "signals": (("set", "hex", 8),),
    # uapi/linux/filter.h; two bytes and a gap
    "sock_fprog": (("len", "", 8), ("filter", "code", 8)),
    # uapi/linux/stat.h, as far as programs read it
    "statx_buf": (
        ("stx_mask", "", 4), ("stx_blksize", "", 4), ("stx_attributes", "hex", 8), ("stx_nlink", "", 4),
        ("stx_uid", "id", 4), ("stx_gid", "id", 4), ("stx_mode", "mode", 4), ("stx_ino", "", 8), ("stx_size", "", 8),
        ("stx_blocks", "", 8), ("stx_attributes_mask", "hex", 8), ("stx_atime", "", 16), ("stx_btime", "", 16),
        ("stx_ctime", "", 16), ("stx_mtime", "", 16), ("stx_rdev_major", "", 4), ("stx_rdev_minor", "", 4),
    ),
    # uapi/asm-generic/statfs.h, as far as programs read it
    "statfs_buf": (("f_type", "hex", 8),),
    "timespec": (("tv_sec", "", -8), ("tv_nsec", "", -8)),
    "winsize": (("ws_row", "", 2), ("ws_col", "", 2), ("ws_xpixel", "", 2), ("ws_ypixel", "", 2)),
}  # fmt: skip

# Of these every member is shown; of the others those that are not zero, as the kernel's structs are mostly empty.
WHOLE = frozenset(("int", "rlimit", "timespec", "winsize"))

# What the kernel may touch at the address, where the members above are not all of it.
SIZES = {"cap_data": 24, "ifreq": 40, "siginfo": 128, "sock_fprog": 16, "statfs_buf": 120, "statx_buf": 256}


def size(kind: str) -> int:
    """How many bytes a struct has; 0 for a kind that is none."""
    return SIZES.get(kind) or sum(abs(width) for _name, _kind, width in STRUCTS.get(kind, ()))


def member(kind: str, offset: int) -> tuple[str, str] | None:
    """Name and kind of the member at an offset."""
    at = 0
    for name, member_kind, width in STRUCTS.get(kind, ()):
        if at == offset:
            return name, member_kind
        at += abs(width)
    return None
