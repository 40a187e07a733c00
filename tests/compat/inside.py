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


# What runc makes of masks, which every config of the template has, and what orlop does; docs/differences.md says why.
# Place in the container, and the file system and its options: these lines are compared without them.
_MASKED = "/proc/(?:acpi|keys|timer_list|scsi|latency_stats|sched_debug)|/sys/firmware|/etc/passwd|/tmp"
_ALWAYS = (
    (
        re.compile(
            r" (/proc/(?:acpi|keys|timer_list|scsi|latency_stats|sched_debug)|/sys/firmware|/etc/passwd|/tmp) .*"
        ),
        r" \1 masked",
    ),
    (re.compile(r"- sysfs sysfs r[ow]$"), "- sysfs sysfs"),
    (re.compile(r" /sys/fs/cgroup r[ow],"), " /sys/fs/cgroup "),
)


def sections(text: str, container_id: str, bundle: str) -> dict[str, list[str]]:
    """The sections of what SCRIPT printed."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    text = text.replace(",inode64", "")
    for line in text.replace(container_id, "<id>").replace(bundle, "<bundle>").splitlines():
        if line.startswith("## "):
            lines = found.setdefault(line[3:], [])
        else:
            lines.append(line)
    found["mountinfo"] = mounts(found.get("mountinfo", []))
    return found


def mounts(lines: list[str]) -> list[str]:
    """Mounts without the numbers that the kernel gave them: a parent is told by its own place."""
    places = {line.split()[0]: line.split()[4] for line in lines}
    out = []
    for line in lines:
        before, _, after = line.partition(" - ")
        _own, parent, number, root, place, options, *tags = before.split()
        number = re.sub(r"^0:\d+$", "0:*", number)
        tags = [tag.partition(":")[0] for tag in tags]
        kept = " ".join([places.get(parent, "-"), number, root, place, options, *tags, "-", after])
        for pattern, instead in _ALWAYS:
            kept = pattern.sub(instead, kept)
        out.append(kept)
    return sorted(out)  # the masks come before the read-only paths, or after them
