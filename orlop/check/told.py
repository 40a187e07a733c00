"""What to do about each kind of error, where the value alone does not tell it: words of its message, and the remedy.

`{value}` stands for what is there, `{name}` for the last name of the path.
"""

from __future__ import annotations

# What is missing, by the end of its path.
ADDITIONS = {
    "ociVersion": 'add "ociVersion": "1.3.0"',
    "root": 'add "root": {"path": "rootfs"}',
    "root.path": 'add "path": "rootfs"',
    "process": 'add "process": {"cwd": "/", "args": ["sh"]}',
    "process.cwd": 'add "cwd": "/"',
    "process.args": 'name a program and its arguments: "args": ["sh"]',
    "destination": 'say where it is to be: add "destination": "/somewhere"',
    "defaultAction": 'add "defaultAction": "SCMP_ACT_ERRNO"',
    "memoryPolicy.mode": 'add "mode": "MPOL_BIND", or another one',
    "scheduler.policy": 'add "policy": "SCHED_OTHER", or another one',
    "ioPriority.class": 'add "class": "IOPRIO_CLASS_BE", or another one',
    "personality.domain": 'add "domain": "LINUX" or "LINUX32"',
}
_NS = 'add {{"type": "{}"}} to linux.namespaces, or leave it out'
_RANGE = "write it like 0-3,7"

# The first row whose words are in the message counts.
REMEDIES: tuple[tuple[str, str], ...] = (
    ("is not a version", 'write "1.3.0"'),
    ("is not supported, only 1.x", 'write "1.3.0"'),
    ("must have both uid and gid mappings", "give both, uidMappings and gidMappings"),
    ("idmap needs mappings", "add uidMappings and gidMappings to the mount, or leave the option out"),
    ("only supported for bind-mounts", 'add the option "bind" or "rbind", without "remount"; or leave the maps out'),
    ("Cwd must be an absolute path", 'write "/{value}"'),
    ("must be an absolute path", "write the whole path, from / on"),
    ("must not contain a comma", "join it by a path that has none"),
    ("is there twice", "leave one out"),
    ("duplicated ns", "leave one out"),
    ("is above the hard limit", "lower it, or raise hard"),
    ("must not have an empty name", "give it a name, or leave it out"),
    ("two devices are to be called", "give one of them another name; one that ends in %d gets a free number"),
    ("leads out of the cgroup hierarchy", "write a path without .."),
    ("one of weight and leafWeight", "add weight"),
    ("must be like 64KB", "write a number, and KB, MB or GB behind it"),
    ("one of hcaHandles and hcaObjects", "add one of them"),
    ("must be one line", "write one line; more go into schemata, each an entry of its own"),
    ('must begin with "MB:"', 'write "MB:{value}"'),
    ("requires at least one node", 'add "nodes": "0"'),
    ("requires 0 nodes", "leave the nodes out, or take another mode"),
    ("invalid memory policy nodes", _RANGE),
    ("bad CPUAffinity", _RANGE),
    ("no personality flag is defined", "leave it out"),
    ("has no meaning without listenerPath", "add listenerPath, or leave it out"),
    ("has no meaning for", "leave it out, or take SCMP_ACT_ERRNO"),
    ("must name a system call", "name one, or leave the rule out"),
    (
        "cannot be used for the write syscall",
        "leave write out: the process has to write until it is started",
    ),
    ("cannot be used as default action", "take SCMP_ACT_ERRNO or SCMP_ACT_ALLOW, and name the calls in a rule"),
    ("seccomp listenerPath is not set", "add listenerPath, the path of the agent's socket"),
    ("without a private UTS namespace", _NS.format("uts")),
    ("without a private MNT namespace", _NS.format("mount")),
    ("user namespace isn't enabled", _NS.format("user")),
    ("need a private network namespace", _NS.format("network")),
    ("both namespace path and time offsets", "leave out either the path or the offsets"),
    ("conflicts with the field hostname", "leave it out, and set hostname"),
    ("is not the name of a sysctl", "write it like net.ipv4.ip_forward"),
    ("on the top of rootfs", "mount below the root; root.path names the root itself"),
    ("a bind mount needs a source", "add source, a path of the host's"),
    ("must not be 0", "write how many ids there are"),
    ("ids go beyond 32 bits", "lower it"),
    ("overlaps with", "give each line ids of its own"),
    ("lines, the kernel takes", "join lines that follow each other"),
    ("device access at", 'add "access": "rwm"'),
    ("must be made of r, w and m", 'write "rwm", or a part of it'),
    ("is above the quota", "lower it, or raise quota"),
    ("must be a file name (no slashes)", "write the name of a file of the cgroup, such as memory.high"),
    ("in the form CONTROLLER.PARAMETER", "write the name of a file of the cgroup, such as memory.high"),
    ("is for SCHED_", "leave it out, or take that policy"),
    ("is no name of a resctrl group", "write a name without a slash"),
    ("NUL character", "take the NUL character out"),
    ("longer than 15 bytes", "write a shorter name"),
    ("is no name for an interface", "write a name without blanks, colons and slashes"),
    ("has no offset", "take boottime or monotonic"),
    ("name cannot be empty", "write NAME=VALUE"),
    ("unable to set swap limit without memory limit", "add memory.limit"),
    ("memory+swap limit should be", "raise it: it is memory and swap together"),
    ("must not be empty", "write a value, or leave it out"),
)
