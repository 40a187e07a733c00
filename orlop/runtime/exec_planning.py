"""The program of a further process in a container: recalled, or planned and then remembered.

It is kept in the container's directory and goes with it: a health check is the same process every few seconds.
"""

from __future__ import annotations

from orlop.host.probe import facts, grantable
from orlop.plan.facts import CgroupEntry, Request
from orlop.runtime.handover import listen_environment
from orlop.runtime.recall import keep, own_code, plain, recall, worth_it
from orlop.runtime.seccomp import seccomp_filter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.program.ops import Program
    from orlop.runtime.container import Found
    from orlop.runtime.exec import ExecRequest
    from orlop.runtime.options import Options
    from orlop.runtime.recall import Question, Recalled
    from orlop.spec.types import Process, Spec

DIRECTORY = "programs"
_MOST = 4  # a container has a handful of health checks; one is about 30 KB


class ExecPlanning:
    """What the planner is given: `spec` is the container's config, `process` what is to run, `waits` says that the
    executor must be brought into the cgroup.

    `directory` is a cgroup to join by its files.  Raises ConfigError and OrlopError.
    """

    __slots__ = (
        "_asked",
        "_facts",
        "_inputs",
        "_kept",
        "_made",
        "_options",
        "_recalled",
        "_request",
        "process",
        "spec",
        "waits",
    )

    def __init__(self, found: Found, request: ExecRequest, options: Options, directory: str | None) -> None:
        config = found.store.config()
        self._options = options
        self._kept = f"{found.store.path}/{DIRECTORY}"
        self._asked = _question(config, request, options)
        self._recalled = recall(self._asked, self._kept) if self._asked is not None else None
        self._made: Program | None = None
        self.spec: Spec
        self.process: Process
        if self._recalled is not None:
            self.spec, self.process = self._recalled.spec  # type: ignore[assignment]
        else:
            from orlop.runtime.exec_process import asked_for
            from orlop.spec.capabilities import doubts

            self.spec = found.config()
            self.process = asked_for(self.spec["process"], request)
            for doubt in doubts(self.process, lambda: grantable(self.spec)):
                self._asked = None  # it is to be told each time
                if directory is None:  # the first try
                    options.log("warning", doubt)
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
            seccomp=seccomp_filter(self.spec, options),
        )
        self._inputs = (plain(self._facts), plain(self._request))

    def program(self) -> Program | Recalled:
        """The program for the executor."""
        if self._recalled is not None:
            found = self._recalled.program(self._inputs, "", self._planned)
            if found is not None:
                self._options.log("debug", "program recalled")
                return found
        self._made = self._planned()
        return self._made

    def _planned(self) -> Program:
        from orlop.plan.join import exec_program

        return exec_program(self.spec, self.process, self._facts, self._request)

    def remember(self) -> None:
        """Keep the program for the next time, if it was not recalled.  Best done while the process runs."""
        if self._asked is not None and self._made is not None and worth_it(self._asked):
            keep(self._asked, (self.spec, self.process), self._inputs, self._made, self._kept, _MOST)


def _question(config: bytes, request: ExecRequest, options: Options) -> Question | None:
    """What a program is looked up by, whole; None where nobody knows what our own code is."""
    code = own_code()
    if code is None:
        return None
    return (code, options.control, options.listen_fds, request.asked(), request.file(), config)
