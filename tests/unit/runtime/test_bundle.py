"""A bundle is named in documents that are UTF-8."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orlop.errors import ConfigError
from orlop.runtime.bundle import Bundle


def test_a_bundle_whose_path_no_document_can_hold_is_refused_by_name(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/b\xff"
    os.mkdir(path)
    (tmp_path / "caf\u00e9").mkdir()
    with pytest.raises(ConfigError, match=r"^the path of the bundle is not UTF-8: /.*/b\\xff$"):
        Bundle(os.fsdecode(path), None, lambda _path, _data: None)
    with pytest.raises(ConfigError, match=r"config.json not found in /.*/café$"):
        Bundle(str(tmp_path / "caf\u00e9"), None, lambda _path, _data: None)
