from __future__ import annotations

import importlib
import json
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import orlop.spec.json
from orlop.errors import ConfigError, OrlopError
from orlop.spec.json import dump, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@pytest.fixture(params=["C scanner", "public fall-back"], autouse=True)
def _both(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run every test here a second time on an interpreter that has no `_json`."""
    if request.param == "public fall-back":
        names = [name for name in sys.modules if name == "json" or name.startswith("json.")]
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, "_json", None)
            for name in names:
                patch.delitem(sys.modules, name)
            importlib.import_module("json")
            yield
            for name in [name for name in sys.modules if name == "json" or name.startswith("json.")]:
                if name not in names:
                    patch.delitem(sys.modules, name)
    else:
        yield


def refusal(data: bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(data, "config.json")
    return str(caught.value)


def test_a_document_is_read_with_blanks_around_it() -> None:
    assert parse(b' \t\r\n{"a": [1, 2.5, "\xc3\xa9", true, null]}\n\n', "x") == {"a": [1, 2.5, "é", True, None]}


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_what_is_written_is_read_back(value: object) -> None:
    for indent in (None, "\t", "    "):
        try:
            text = dump(value, indent).encode()
        except UnicodeEncodeError:
            continue
        assert parse(text, "x") == value
        assert json.loads(text) == value


def test_text_that_is_not_ascii_survives_as_it_is() -> None:
    assert dump({"naïve": "日本\u2028"}) == '{"naïve":"日本\u2028"}'
    assert dump(["é"], "\t") == '[\n\t"é"\n]'


def test_indented_text_is_laid_out_as_go_does() -> None:
    assert dump({"a": [], "b": {}, "c": [1, {"d": None}]}, "\t") == (
        '{\n\t"a": [],\n\t"b": {},\n\t"c": [\n\t\t1,\n\t\t{\n\t\t\t"d": null\n\t\t}\n\t]\n}'
    )


def test_an_object_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="set"):
        dump({"a": {1}})


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "config.json: is empty"),
        (b" \n ", "config.json: is empty"),
        (b'{"a": \xff}', "config.json: line 1 column 7: not UTF-8"),
        (b'{\n"\xed\xa0\x80": 1}', "config.json: line 2 column 2: not UTF-8"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": }', "config.json: line 1 column 7: a value is missing"),
        (b'{"a": 1,\n "b" 2}', "config.json: line 2 column 6: expecting ':' delimiter"),
        (b'{"a": "x\ny"}', ": invalid control character"),
        (b'["open', "config.json: line 1 column 2: unterminated string"),
        (b'{}\n{"second": 1}', "config.json: line 2 column 1: more text after the end"),
        (b"{} x", "config.json: line 1 column 4: more text after the end"),
        (b'{"a": 1,\n "b": {"c": "NaN", "d": NaN}}', "config.json: line 2 column 25: NaN is not a number"),
        (b"[-Infinity]", "config.json: line 1 column 2: -Infinity is not a number"),
        (b"[1e999]", "config.json: line 1 column 2: 1e999 is not a number"),
        (b'{"a": {"b": 1, "c": "b:", "b": 2}}', 'config.json: line 1 column 27: member "b" is there twice'),
        (b'{"a": 1,\n "\\u0061": 2}', 'config.json: line 2 column 2: member "a" is there twice'),
        (b'[{"b": 1}, {"b": "\\"}", "c": [{}],\n"b": 3}]', 'config.json: line 2 column 1: member "b" is there twice'),
        (b'["\\ud800"]', "half of a surrogate pair"),
        (b"[" + b"9" * 5000 + b"]", "config.json: a number is too long"),
        (b"[" * 100_000, "config.json: is nested too deeply"),
        (b'{"a":' * 100_000, "config.json: is nested too deeply"),
    ],
)
def test_a_bad_text_is_refused_with_its_place(data: bytes, text: str) -> None:
    assert text in refusal(data)


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse(b'"\\ud83d\\ude00"', "x") == "😀"


def test_a_document_too_deep_to_write_is_a_clean_error() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    for indent in (None, "\t"):
        with pytest.raises(OrlopError, match="nested too deeply"):
            dump(value, indent)


def test_the_module_does_not_import_the_json_package() -> None:
    assert not hasattr(orlop.spec.json, "json")
