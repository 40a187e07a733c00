"""The labels of security modules: process.apparmorProfile, process.selinuxLabel, linux.mountLabel.

A process tells its module through files of its own below /proc.  They are reached from the host's /proc, opened before
any namespace is entered: nothing that an image or a volume puts on /proc can stand in for them (CVE-2019-16884,
CVE-2023-28642), and a user namespace, where the kernel refuses a new procfs beside a masked one, is no obstacle.
"""

from __future__ import annotations

from errno import EACCES, EINVAL, ENOENT, EPERM

from orlop.errors import ConfigError, Problem
from orlop.plan import paths
from orlop.program import linux
from orlop.program.builder import OPEN_HOW_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction
    from orlop.program.ops import Register

_PROC = "/proc"
_NO_SELINUX = "selinux label is specified in config, but selinux is disabled or not supported"
_NO_APPARMOR = "apparmor: config provided but apparmor not supported"
_BOOT_SELINUX = "boot with SELinux and load a policy, or leave the label out"
_BOOT_APPARMOR = "boot with AppArmor, or leave the profile out"
_PROFILE_HINTS = {
    ENOENT: "no profile of this name is loaded: see aa-status(8) and apparmor_parser(8)",
    EACCES: "the profile that confines the runtime does not let it change to this one",
    EPERM: "the profile that confines the runtime does not let it change to this one",
}
_LABEL_HINTS = {
    EINVAL: "the loaded policy knows no such context",
    EACCES: "the policy does not let the runtime's domain set it",
}
# proc and sysfs are labelled by path; cgroup and cgroup2 belong to more than this container; mqueue takes no options.
_UNLABELLED = ("proc", "sysfs", "mqueue", "cgroup", "cgroup2")


def check_mount_label(c: Construction) -> None:
    """Refuse a label for mounts without SELinux."""
    if c.linux.get("mountLabel") and not c.facts.selinux:
        raise ConfigError([Problem("linux.mountLabel", _NO_SELINUX, _BOOT_SELINUX)])


def _check(c: Construction) -> None:
    problems = []
    if c.process.get("apparmorProfile") and not c.facts.apparmor:
        problems.append(Problem("process.apparmorProfile", _NO_APPARMOR, _BOOT_APPARMOR))
    if c.process.get("selinuxLabel") and not c.facts.selinux:
        problems.append(Problem("process.selinuxLabel", _NO_SELINUX, _BOOT_SELINUX))
    if problems:
        raise ConfigError(problems)


def open_procfs(c: Construction) -> None:
    """Keep the host's /proc for later, if there is a label to write.

    A label for a module that the kernel has not is refused: one that is not applied protects nothing.
    """
    _check(c)
    if c.process.get("apparmorProfile") or c.process.get("selinuxLabel"):
        c.b.purpose("process", "unable to open /proc for the labels of the process")
        flags = linux.O_PATH | linux.O_DIRECTORY | linux.O_CLOEXEC
        c.opened[_PROC] = c.b.get("openat", linux.AT_FDCWD, _PROC, flags, 0)


def label_keyring(c: Construction) -> None:
    """The session keyring that is made next has the label of the process; execve(2) ends this."""
    label = c.process.get("selinuxLabel")
    if label and c.request.new_keyring:
        c.b.purpose("process.selinuxLabel", f'error setting key label "{label}"', _LABEL_HINTS)
        _write(c, "keycreate", label)


def set_labels(c: Construction) -> None:
    """The next execve(2), be it of a startContainer hook or of the program, changes to the profile and the label."""
    profile, label = c.process.get("apparmorProfile"), c.process.get("selinuxLabel")
    if profile:
        c.b.purpose("process.apparmorProfile", f'unable to apply apparmor profile "{profile}"', _PROFILE_HINTS)
        _write(c, "apparmor/exec", f"exec {profile}")
    if label:
        c.b.purpose("process.selinuxLabel", f'error setting exec label "{label}"', _LABEL_HINTS)
        _write(c, "exec", label)
    if profile or label:
        c.b.close(c.opened.pop(_PROC))


def _write(c: Construction, name: str, text: str) -> None:
    b = c.b
    how = b.open_how(linux.O_WRONLY | linux.O_CLOEXEC, 0, paths.IN_ROOT)
    fd = b.get("openat2", c.opened[_PROC], f"self/attr/{name}", how, OPEN_HOW_SIZE)
    b.do("write", fd, text, len(text.encode()))
    b.close(fd)


def mount_context(c: Construction, kind: str) -> list[tuple[str, str | None]]:
    """linux.mountLabel as an option of a new file system of this type."""
    label = c.linux.get("mountLabel")
    return [("context", label)] if label and kind not in _UNLABELLED else []


def label_queues(c: Construction, made: Register) -> None:
    """linux.mountLabel for a file system of message queues, which takes it as an attribute of its root."""
    label = c.linux.get("mountLabel")
    if label:
        flags = linux.O_RDONLY | linux.O_DIRECTORY | linux.O_CLOEXEC
        top = c.b.get("openat", made, ".", flags, 0)
        text = label.encode()
        c.b.do("fsetxattr", top, "security.selinux", text, len(text), 0)
        c.b.close(top)
