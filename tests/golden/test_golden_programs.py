"""The program of each config, as text that a reviewer reads: what will happen, and for which field."""

from __future__ import annotations

from pathlib import Path

import pytest

from orlop.plan.commands import delete_program, start_program
from orlop.plan.container import container_program
from orlop.plan.join import exec_program
from orlop.plan.supervisor import supervisor_program
from orlop.program.encode import encode
from orlop.program.ops import Program
from orlop.program.verify import verify
from orlop.runtime.explain import text
from tests.golden.configs import CASES, Case
from tests.golden.supervision import ABOUT, SUPERVISION, command

PROGRAMS = Path(__file__).parent / "programs"


def program(case: Case) -> Program:
    if case.process is not None:
        return exec_program(case.spec, case.process, case.facts, case.request)
    return container_program(case.spec, case.facts, case.request)


@pytest.mark.parametrize("name", CASES)
def test_the_program_is_the_one_that_was_reviewed(name: str, update_golden: bool) -> None:
    case = CASES[name]
    compare(name, f"{case.about}\n\n{text(program(case))}", update_golden=update_golden)


SUPERVISORS = {
    "supervisor": (ABOUT, supervisor_program(SUPERVISION)),
    "start": ("`start` of a container with a brief.", start_program(command("start"), "exec.fifo")),
    "delete": (
        "`delete` of a container with a brief.",
        delete_program(command("delete"), ("config.json", "brief", "state.json"), ("programs",)),
    ),
}


@pytest.mark.parametrize("name", SUPERVISORS)
def test_what_needs_no_interpreter_is_what_was_reviewed(name: str, update_golden: bool) -> None:
    about, made = SUPERVISORS[name]
    compare(name, f"{about}\n\n{text(made)}", update_golden=update_golden)
    assert verify(made, supervisor=True) == []


def compare(name: str, made: str, *, update_golden: bool) -> None:
    file = PROGRAMS / f"{name}.txt"
    if update_golden:
        file.write_text(made)
    assert file.exists(), "no golden program yet: python3 -m pytest tests/golden --update-golden"
    assert made == file.read_text(), "if this is meant: python3 -m pytest tests/golden --update-golden, and review"


@pytest.mark.parametrize("name", CASES)
def test_the_verifier_finds_nothing(name: str) -> None:
    assert verify(program(CASES[name])) == []


@pytest.mark.parametrize("name", CASES)
def test_the_plan_is_the_same_each_time(name: str) -> None:
    assert encode(program(CASES[name])) == encode(program(CASES[name]))


def test_there_is_no_golden_program_without_a_config(update_golden: bool) -> None:
    stale = {file for file in PROGRAMS.iterdir() if file.stem not in {*CASES, *SUPERVISORS}}
    if update_golden:
        for file in stale:
            file.unlink()
    else:
        assert stale == set()


def test_a_plan_leaves_its_config_as_it_was() -> None:
    from copy import deepcopy

    for case in CASES.values():
        before = deepcopy(case.spec)
        program(case)
        assert case.spec == before
