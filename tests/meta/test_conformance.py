"""docs/conformance.md is what the tables say, and the tests that it names are there."""

from __future__ import annotations

import ast
import importlib.util
from fnmatch import fnmatchcase
from types import ModuleType

import pytest

from orlop.spec.table import rows
from tests.conformance import FIELDS, LISTED, OPEN, RULES, shown_by
from tests.meta.sources import ROOT

TESTS = sorted({*FIELDS.values(), *LISTED.values()})


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("conformance_page", ROOT / "tools/conformance.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date() -> None:
    made = generator().page()
    assert made == (ROOT / "docs/conformance.md").read_text("utf-8"), "run python3 tools/conformance.py"


@pytest.mark.parametrize("name", TESTS)
def test_a_test_that_shows_something_is_there(name: str) -> None:
    file, _, pattern = name.partition("::")
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert any(each.startswith("test_") and fnmatchcase(each, pattern) for each in names)


def test_no_row_is_about_a_field_that_is_gone() -> None:
    assert set(FIELDS) - {row.path for row in rows()} == set()


def test_every_rule_is_shown_by_a_test_that_is_marked_with_it() -> None:
    assert set(shown_by()) == {*RULES, *LISTED}


def test_every_number_of_both_lists_is_there() -> None:
    listed = {*RULES, *LISTED}
    assert {f"17.{number}" for number in range(1, 59)} - listed == set()
    assert {f"18.{number}" for number in range(1, 17)} - listed == set()
    assert listed & set(OPEN) == set()


def test_a_rule_of_a_list_has_a_case_of_its_number() -> None:
    for number, file in (("17", "test_must_reject"), ("18", "test_must_tolerate")):
        text = (ROOT / f"tests/system/{file}.py").read_text("utf-8")
        for rule, test in LISTED.items():
            if rule.startswith(f"{number}.") and test.endswith(f"::{file}"):
                assert f'"{rule} ' in text or rule == "18.16", rule
