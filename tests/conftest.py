"""An unexpected skip fails in CI: a test that has quietly stopped running protects nothing."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

# What a reason may begin with.  Each is something that CI's machine lacks, and that a person chose to do without.
EXPECTED = (
    "lab only",  # needs a virtual machine of shared/lab: pure cgroup v2, systemd
    "needs CAP_SYS_RESOURCE",
    "needs cgroup v2",
    "needs runc",
    "needs cgroup v1",
    "this host has no usable controller",
    "this is the run on only version 2",
    "there is no other part",
    "needs a host with",  # groff, fish, zsh
    "this kernel",  # ... does not account swap
    "the host's cgroup has no real-time bandwidth",
    "slow",
    "engines",  # tests/engines: a Docker of its own, only with ORLOP_ENGINES=1
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rule(id, ...): shows that these rules of the runtime-spec are kept")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tests are found by the rules that they show: `pytest -k CG-1`."""
    for mark in item.iter_markers("rule"):
        item.extra_keyword_matches.update(mark.args)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _judge(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _judge(report)
    return report


def _judge(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = skip_reason(report.longrepr)
    if not reason.startswith(EXPECTED):
        report.outcome = "failed"
        report.longrepr = f"skipped, and tests/conftest.py does not expect it: {reason}"


def skip_reason(longrepr: object) -> str:
    """Return why a test was skipped."""
    text = str(longrepr[2]) if isinstance(longrepr, tuple) else str(longrepr)
    return text.removeprefix("Skipped: ")
