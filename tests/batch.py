"""A plugin of pytest for machines that are thrown away: it tells each result as it comes, and ends a batch in time.

tools/lab_tests.py reads what is told: `lab: WHAT NAME: REASON`.  What it has learnt is not run again.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.conftest import skip_reason

_END = time.monotonic() + float(os.environ["ORLOP_BATCH_SECONDS"])
_OUT = os.dup(1)  # the one that is not captured
_KNOWN = set(Path(os.environ["ORLOP_BATCH_KNOWN"]).read_text().splitlines())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    known = [item for item in items if item.nodeid in _KNOWN]
    items[:] = [item for item in items if item.nodeid not in _KNOWN]
    config.hook.pytest_deselected(items=known)
    _tell("total", str(len(items) + len(known)))


def pytest_runtest_logstart(nodeid: str) -> None:
    _tell("started", nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        _tell("failed", report.nodeid, report.longreprtext)
    elif report.skipped:
        _tell("skipped", report.nodeid, skip_reason(report.longrepr))
    elif report.when == "teardown":
        _tell("ended", report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    if time.monotonic() > _END:
        item.session.shouldstop = "the time of this batch is over"


def _tell(what: str, name: str, reason: str = "") -> None:
    os.write(_OUT, f"\nlab: {what} {name!r}: {reason!r}\n".encode())
