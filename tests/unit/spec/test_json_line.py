"""JSON on one line without the C encoder: what it writes is what the C encoder writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orlop.spec.json import dump
from orlop.spec.json_line import line

_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_DOCUMENTS)
def test_it_writes_what_the_encoder_writes(document: object) -> None:
    assert line(document) == dump(document)


def test_text_with_quotes_controls_and_other_alphabets_is_kept() -> None:
    document = {'a"b': ["\\", "\n", "\x7f", "ü", "\udc80", ""]}
    assert line(document) == dump(document)


def test_what_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes"):
        line({"a": b""})
