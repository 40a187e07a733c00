"""What is known of a `run` that came before, and from which its supervisor's program is made (plan/supervisor.py)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Path, size, modification time (ns) and inode of a file.
    Identity = tuple[str, int, int, int]
    # What was done to cgroup files, in order: ("make" | "read" | "write", path, text).
    Step = tuple[str, str, str]


class Supervision:
    """What holds for a container, and is looked at again; what is made for it; and what is heard of it.

    `files` are paths and what is in them, `identities` paths with size, modification time (ns) and inode, `sources`
    those of bind mounts and whether they are directories, `capabilities` what capget(2) gives, `limits` what
    prlimit64(2) gives for all, where that matters.  `steps` make the cgroup, `cgroups` are removed in the end.  `stat`
    is the file that tells of the first process (state/replayed.py).  `heard` is each event and what was answered.
    `python` is the interpreter, `again` its arguments for this very command, `attend` those for what is left of it, but
    for pid and status.
    """

    __slots__ = (
        "again", "architecture", "attend", "capabilities", "cgroups", "config", "control", "directory", "files",
        "heard", "identities", "limits", "python", "record", "sources", "stat", "steps",
    )  # fmt: skip

    def __init__(
        self,
        architecture: str,
        *,
        directory: str,
        record: bytes,
        config: bytes,
        stat: str,
        control: int,
        python: str,
        again: list[str],
        attend: list[str],
        files: tuple[tuple[str, bytes], ...] = (),
        identities: tuple[Identity, ...] = (),
        sources: tuple[tuple[str, bool], ...] = (),
        capabilities: bytes = b"",
        limits: bytes = b"",
        steps: tuple[Step, ...] = (),
        cgroups: tuple[str, ...] = (),
        heard: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        self.architecture = architecture
        self.directory = directory
        self.record = record
        self.config = config
        self.stat = stat
        self.control = control
        self.python = python
        self.again = again
        self.attend = attend
        self.files = files
        self.identities = identities
        self.sources = sources
        self.capabilities = capabilities
        self.limits = limits
        self.steps = steps
        self.cgroups = cgroups
        self.heard = heard
