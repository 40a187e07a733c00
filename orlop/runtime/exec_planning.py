"""The program of a further process in a container: recalled, or planned and then remembered.

It is kept in the container's directory and goes with it: a health check is the same process every few seconds.
"""

from __future__ import annotations

from orlop.host.probe import facts
from orlop.plan.facts import CgroupEntry, Request
from orlop.runtime.handover import listen_environment
from orlop.runtime.recall import Sought, keep, own_code, plain, recall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from orlop.program.ops import Program
    from orlop.runtime.container import Found
    from orlop.runtime.exec import ExecRequest
    from orlop.runtime.options import Options
    from orlop.runtime.recall import Question
    from orlop.spec.types import Process, Spec

DIRECTORY = "programs"
_MOST = 4  # a container has a handful of health checks; one is about 30 KB


class ExecPlanning(Sought):
    """What the planner is given: `spec` is the container's config, `process` what is to run, `waits` says that the
    executor must be brought into the cgroup.

    `directory` is a cgroup to join by its files.  Raises ConfigError and OrlopError.
    """

    __slots__ = ("_facts", "_kept", "_request", "process", "spec", "waits")

    def __init__(self, found: Found, request: ExecRequest, options: Options, directory: str | None) -> None:
        config = found.store.config()
        self._kept = f"{found.store.path}/{DIRECTORY}"
        asked = _question(config, request, options)
        entry = recall(asked, self._kept) if asked is not None else None
        self.spec: Spec
        self.process: Process
        if entry is not None:
            self.spec, self.process = entry.spec  # type: ignore[assignment]
        else:
            from orlop.runtime.exec_process import asked_for

            self.spec = found.parsed(config)
            self.process = asked_for(self.spec["process"], request)
        super().__init__(self.spec, asked, entry, found.record.id, options)
        self.waits = found.cgroup.attaches(request.cgroup)
        self._facts = facts([], self.process, unified=False)
        self._request = Request(
            container_id=found.record.id,
            control=options.control,
            cgroup=CgroupEntry(
                tasks=found.cgroup.join_files(request.cgroup) + ((f"{directory}/cgroup.procs",) if directory else ()),
                directory=None if directory else found.cgroup.clone_into(request.cgroup),
                waits=self.waits,
            ),
            new_keyring=found.record.new_keyring,
            extra_env=listen_environment(options),
            seccomp=self.filter,
        )

    def inputs(self) -> object:
        return plain(self._facts), plain(self._request)

    def planned(self) -> Program:
        from orlop.plan.join import exec_program

        return exec_program(self.spec, self.process, self._facts, self._request)

    def doubted(self) -> Iterator[str]:
        from orlop.host.probe import grantable
        from orlop.spec.capabilities import doubts

        return doubts(self.process, lambda: grantable(self.spec))

    def keep(self, asked: Question, made: Program) -> None:
        keep(asked, (self.spec, self.process), self._inputs, self.doubts, self.filter, made, self._kept, _MOST)


def _question(config: bytes, request: ExecRequest, options: Options) -> Question | None:
    """What a program is looked up by, whole; None where nobody knows what our own code is."""
    code = own_code()
    if code is None:
        return None
    return (code, options.control, options.listen_fds, request.asked(), request.file(), config)
