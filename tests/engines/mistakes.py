"""What users of `docker run` commonly get wrong, each with the arguments that make it happen."""

from __future__ import annotations

from pathlib import Path

from tests.engines.engine import IMAGE

# {place} is a directory of the engine's: it holds `file`, and `folder`.
MISTAKES: dict[str, tuple[str, ...]] = {
    "a command that is not in the image": (IMAGE, "no-such-command"),
    "a path that is not in the image": (IMAGE, "/no/such/file"),
    "a file that may not be executed": (IMAGE, "/etc/passwd"),
    "a directory as the command": (IMAGE, "/etc"),
    "a text file without an interpreter line": (IMAGE, "text"),
    "a script whose interpreter is missing": (IMAGE, "lost"),
    "a script with the line ends of DOS": (IMAGE, "dos"),
    "a program for another processor": (IMAGE, "foreign"),
    "a file mounted over a directory": ("-v", "{place}/file:/etc", IMAGE, "true"),
    "a directory mounted over a file": ("-v", "{place}/folder:/etc/passwd", IMAGE, "true"),
    "a working directory that is a file": ("-w", "/etc/passwd", IMAGE, "true"),
    "a working directory below a file": ("-w", "/etc/passwd/below", IMAGE, "true"),
    "too little memory": ("--memory", "6m", IMAGE, "sh", "-c", "tail /dev/zero"),
    "a sysctl that does not exist": ("--sysctl", "net.ipv4.no_such=1", IMAGE, "true"),
    "a value that a sysctl refuses": ("--sysctl", "net.ipv4.ip_unprivileged_port_start=lots", IMAGE, "true"),
    "a sysctl of the host's": ("--sysctl", "vm.swappiness=1", IMAGE, "true"),
    "a limit above the daemon's": ("--ulimit", "nofile=999999999:999999999", IMAGE, "true"),
    "processors that the machine lacks": ("--cpuset-cpus", "4096", IMAGE, "true"),
    "a seccomp profile with an unknown action": ("--security-opt", "seccomp={place}/seccomp.json", IMAGE, "true"),
    "an AppArmor profile that is not loaded": ("--security-opt", "apparmor=no-such", IMAGE, "true"),
    "a cgroup parent that is a unit, without systemd": ("--cgroup-parent", "a.slice", IMAGE, "true"),
    "one process too many": ("--pids-limit", "1", IMAGE, "sh", "-c", "true & wait"),
    "a read-only root and a mount point missing in it": ("--read-only", "--tmpfs", "/no/such", IMAGE, "true"),
    "a joined container that is gone": ("--pid", "container:gone", IMAGE, "true"),
}


def prepare(place: Path) -> None:
    """Make what the mistakes mount or name."""
    (place / "file").write_text("text\n")
    (place / "folder").mkdir()
    (place / "seccomp.json").write_text('{"defaultAction": "SCMP_ACT_NO"}')
