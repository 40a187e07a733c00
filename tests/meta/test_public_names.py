"""The public names are those of `orlop.__all__`; a module promises nothing else."""

from __future__ import annotations

import subprocess
import sys

import orlop
from tests.meta.sources import ROOT


def test_the_listed_names_are_sorted_and_all_that_dir_shows() -> None:
    assert dir(orlop) == orlop.__all__ == sorted(orlop.__all__)


def test_every_public_name_can_be_had() -> None:
    assert [name for name in orlop.__all__ if getattr(orlop, name, None) is None] == []


def test_a_name_that_is_not_public_is_refused_as_python_does() -> None:
    try:
        orlop.no_such_name  # noqa: B018
    except AttributeError as error:
        assert str(error) == "module 'orlop' has no attribute 'no_such_name'"
    else:
        raise AssertionError("it was there")


def test_importing_the_library_imports_nothing_else() -> None:
    program = "import sys; before = set(sys.modules); import orlop; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - {"__future__"} == {"orlop"}
