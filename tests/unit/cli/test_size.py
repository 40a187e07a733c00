from __future__ import annotations

import pytest

from orlop.cli.size import size


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("1000", 1000),
        ("32b", 32),
        ("32B", 32),
        ("64M", 64 << 20),
        ("64m", 64 << 20),
        ("64mb", 64 << 20),
        ("64MiB", 64 << 20),
        ("1.5g", 3 << 29),
        (".5k", 512),
        ("2 GB", 2 << 30),
        ("1T", 1 << 40),
        ("1p", 1 << 50),
    ],
)
def test_a_size_is_read_as_docker_reads_it(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "-1", "M", "1x", "1bb", "1mi", "1kbs", "1..5g", "1e3", "0x10", "+1", "9999999p"])
def test_what_is_no_size_is_refused(text: str) -> None:
    assert size(text) is None
