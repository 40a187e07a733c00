"""What a container looks like from inside, in sections; what differs from run to run is taken out."""

from __future__ import annotations

import re

SCRIPT = """
section() { echo "## $1"; }
section mountinfo; cat /proc/self/mountinfo
section status; grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:|(Cpus|Mems)_allowed_list)' /proc/self/status
section limits; cat /proc/self/limits
section dev; find /dev /srv -path /dev/host -prune -o -exec stat -c '%n %N %F %a %u %g %t:%T' {} + 2>/dev/null | sort
section environment; tr '\\0' '\\n' < /proc/self/environ
section cwd; pwd
section umask; umask
section oom; cat /proc/self/oom_score_adj
section names; hostname; cat /proc/sys/kernel/domainname
section sysctl
for name in net/ipv4/ip_forward net/ipv4/ip_unprivileged_port_start kernel/msgmax; do cat /proc/sys/$name; done
section cgroup; cat /proc/self/cgroup
section descriptors; ls /proc/self/fd | head -3
section personality; cat /proc/self/personality
section machine; uname -m
section maps; cat /proc/self/uid_map /proc/self/gid_map
section processes; cat /proc/1/comm; test $$ = 1 && echo first
section network; ls /sys/class/net; ifconfig lo | grep -o 'UP.*MTU'
section session; awk '{print ($5 == $6), $7}' /proc/self/stat
section root; ls -la / | awk '{print $1, $3, $4, $9, $10, $11}'
section write; touch /written 2>&1 && rm /written; touch /srv/written 2>&1 && rm /srv/written
"""


# What differs in every container, see docs/differences.md: what lines of mountinfo say behind the device, and what is
# compared in their place.  Any other mask than these is a difference.
Rules = tuple[tuple[str, str], ...]
_PEERS = r"(?: (?:shared|master):\d+)*"
RUNC: Rules = (
    (
        rf"/ (\S+) ro,relatime{_PEERS} - tmpfs tmpfs ro(?:,size=4k,nr_inodes=\d)?(?:,uid=\d+,gid=\d+)?$",
        r"masked directory \1",
    ),
    (rf"/null (\S+) \S+{_PEERS} - (?:tmpfs tmpfs rw,size=65536k,mode=755|devtmpfs \S+ rw,).*", r"masked file \1"),
    (rf"(/ /sys ro,\S+{_PEERS} - sysfs sysfs) ro", r"\1 rw"),
    (rf"(/ /sys/fs/cgroup) rw,(\S+{_PEERS} - tmpfs \S+ rw,mode=755.*)", r"\1 ro,\2"),
)
ORLOP: Rules = (
    (
        rf"/ (\S+) ro,nosuid,nodev,noexec,relatime{_PEERS} - tmpfs tmpfs rw,size=4k,nr_inodes=2.*",
        r"masked directory \1",
    ),
    (rf"/null (\S+) \S+{_PEERS} - devtmpfs \S+ rw,.*", r"masked file \1"),
    (
        rf"(/ /sys ro,\S+{_PEERS} - sysfs sysfs) ro",
        r"\1 rw",
    ),  # the file system is the host's without a network namespace
)


def sections(text: str, container_id: str, bundle: str, rules: Rules) -> dict[str, list[str]]:
    """The sections of what SCRIPT printed."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    text = text.replace(",inode64", "")
    for line in text.replace(container_id, "<id>").replace(bundle, "<bundle>").splitlines():
        if line.startswith("## "):
            lines = found.setdefault(line[3:], [])
        else:
            lines.append(line)
    found["mountinfo"] = mounts(found.get("mountinfo", []), rules)
    return found


def mounts(lines: list[str], rules: Rules) -> list[str]:
    """Mounts in their order, masks last, without the numbers that the kernel gave them: a parent is told by its place,
    a device and a group of peers by how many others came before it."""
    places = {line.split()[0]: line.split()[4] for line in lines}
    devices: dict[str, int] = {}
    groups: dict[str, int] = {}
    found: list[str] = []
    masks: list[str] = []
    for line in _by_controller(lines):
        _own, parent, device, rest = line.split(" ", 3)
        for pattern, instead in rules:
            rest = re.sub(pattern, instead, rest)
        rest = re.sub(r"(?<=(?:shared|master):)\d+", lambda found: str(groups.setdefault(found[0], len(groups))), rest)
        if rest.startswith("masked "):
            masks.append(f"{places.get(parent, '-')} {rest}")
            continue
        if device.startswith("0:"):
            device = f"0:{devices.setdefault(device, len(devices))}"
        found.append(f"{places.get(parent, '-')} {device} {rest}")
    return found + masks


def _by_controller(lines: list[str]) -> list[str]:
    """The same lines, the hierarchies of cgroup v1 among them in the order of their names."""
    found = [line for line in lines if " /sys/fs/cgroup/" in line and " - cgroup " in line]
    by_name = dict(zip(found, sorted(found, key=lambda line: line.split()[4]), strict=True))
    return [by_name.get(line, line) for line in lines]
