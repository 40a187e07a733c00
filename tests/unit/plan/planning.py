"""Plans for tests: a config in, and what its program does, as (name, arguments) with strings and structs read back."""

from __future__ import annotations

from orlop.plan.container import container_program
from orlop.plan.facts import Facts, Request
from orlop.plan.join import exec_program
from orlop.program.ops import Op, Program, Register
from orlop.program.verify import verify
from orlop.spec.template import default
from orlop.spec.types import Process, Spec


def spec(**process: object) -> Spec:
    """The template, with these members of its process changed."""
    made = default(cgroup2=True)
    made["process"].update(process)  # type: ignore[typeddict-item]
    return made


class Plan:
    """A program that has been verified."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.ops = program.ops()
        assert verify(program) == []

    def calls(self, field: str, name: str | None = None) -> list[Op]:
        """The system calls for a field."""
        return [op for op in self.ops if op.purpose.field == field and op.name and name in (None, op.name)]

    def only(self, field: str, name: str) -> Op:
        (found,) = self.calls(field, name)
        return found

    def text(self, op: Op, index: int) -> str:
        return self.program.string_at(number(op, index))

    def memory(self, op: Op, index: int, size: int) -> bytes:
        return self.program.bytes_at(number(op, index), size)

    def first(self, name: str) -> int:
        """The index of the first call of a name."""
        return next(op.index for op in self.ops if op.name == name)

    def last(self, name: str) -> int:
        return max(op.index for op in self.ops if op.name == name)


def number(op: Op, index: int) -> int:
    arg = op.args[index]
    assert not isinstance(arg, Register)
    return arg


def container(config: Spec, *, facts: Facts | None = None, request: Request | None = None) -> Plan:
    return Plan(container_program(config, facts or Facts(unified=True), request or Request(container_id="box")))


def exec_(
    config: Spec, process: Process | None = None, *, facts: Facts | None = None, request: Request | None = None
) -> Plan:
    chosen = process or config["process"]
    return Plan(exec_program(config, chosen, facts or Facts(), request or Request(new_keyring=False)))
