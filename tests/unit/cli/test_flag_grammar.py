"""The grammar of flags: each row of section 1.1 of what is known of runc."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orlop.cli.context import Context
from orlop.cli.duration import nanoseconds
from orlop.cli.flags import Args, UsageError, check_positionals, parse

if TYPE_CHECKING:
    from orlop.cli.flags import Flag

FLAGS: tuple[Flag, ...] = (
    ("bundle", "b", "text", "", "a text"),
    ("detach", "d", "bool", False, "a bool"),
    ("env", "e", "texts", None, "texts"),
    ("gid", "g", "ints", None, "ints"),
    ("fds", "", "int", 7, "an int"),
    ("interval", "", "duration", 5_000_000_000, "a duration"),
)


def read(*words: str, flags_first: bool = False) -> Args:
    return parse(Context("orlop"), FLAGS, words, flags_first=flags_first)


def refusal(*words: str) -> str:
    with pytest.raises(UsageError) as caught:
        read(*words)
    return caught.value.message


@pytest.mark.parametrize(
    "words",
    [("--bundle", "x"), ("-bundle", "x"), ("--bundle=x",), ("-bundle=x",), ("-b", "x"), ("--b", "x"), ("-b=x",)],
)
def test_a_value_follows_one_or_two_dashes_after_a_blank_or_an_equals_sign(words: tuple[str, ...]) -> None:
    assert read(*words).text("bundle") == "x"


@pytest.mark.parametrize(
    "word", ["-d", "--detach", "--d", "-d=true", "--detach=1", "-d=T", "-d=TRUE", "-d=True", "-d=t"]
)
def test_a_bool_is_true_alone_and_with_each_of_gos_true_words(word: str) -> None:
    assert read(word).flag("detach")


@pytest.mark.parametrize("word", ["-d=false", "--detach=0", "-d=F", "-d=FALSE", "-d=False", "-d=f"])
def test_a_bool_is_false_with_each_of_gos_false_words(word: str) -> None:
    args = read("-d", word)
    assert not args.flag("detach")
    assert "detach" in args.given


def test_a_bool_takes_no_value_from_the_next_word() -> None:
    args = read("-d", "false")
    assert args.flag("detach")
    assert args.rest == ["false"]


@pytest.mark.parametrize("value", ["yes", "tRUE", "2", ""])
def test_another_word_for_a_bool_is_named_in_the_error(value: str) -> None:
    assert refusal(f"-d={value}") == f'invalid boolean value "{value}" for -d: parse error'


def test_short_flags_are_not_bundled() -> None:
    assert refusal("-db", "x") == "flag provided but not defined: -db"


def test_a_value_may_look_like_a_flag_or_like_the_end_of_flags() -> None:
    assert read("--bundle", "--detach").text("bundle") == "--detach"
    assert read("--bundle", "--").text("bundle") == "--"


def test_a_value_keeps_what_follows_its_first_equals_sign() -> None:
    assert read("-e=A=1=2").texts("env") == ["A=1=2"]


def test_an_empty_value_after_an_equals_sign_is_a_value() -> None:
    args = read("--bundle=")
    assert args.text("bundle") == ""
    assert "bundle" in args.given


def test_the_last_of_two_values_counts() -> None:
    assert read("-b", "x", "--bundle", "y").text("bundle") == "y"


def test_texts_are_repeated_and_not_split_at_commas() -> None:
    assert read("-e", "A=1,B=2", "--env", "C=3").texts("env") == ["A=1,B=2", "C=3"]


def test_numbers_are_repeated() -> None:
    assert read("-g", "1", "-g=0x10").numbers("gid") == [1, 16]


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("10", 10), ("0x10", 16), ("0X1f", 31), ("010", 8), ("0o17", 15), ("0b101", 5), ("-3", -3), ("+3", 3),
     ("-010", -8), ("1_000", 1000), ("0_7", 7), ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63))],
)  # fmt: skip
def test_an_int_is_read_with_base_0(text: str, number: int) -> None:
    assert read("--fds", text).number("fds") == number


@pytest.mark.parametrize(
    "text", ["", "x", "1x", " 1", "1 ", "0x", "08", "1__0", "_1", "--1", "+-1", "1.0", "٣", "0x 1", "1\n"]
)
def test_what_is_not_an_int_is_named_in_the_error(text: str) -> None:
    assert refusal("--fds", text) == f'invalid value "{text}" for flag -fds: parse error'


@pytest.mark.parametrize("text", ["9223372036854775808", "-9223372036854775809"])
def test_an_int_beyond_64_bits_is_out_of_range(text: str) -> None:
    assert refusal(f"--fds={text}") == f'invalid value "{text}" for flag -fds: value out of range'


@pytest.mark.parametrize(
    ("text", "result"),
    [("5s", 5_000_000_000), ("100ms", 100_000_000), ("1h30m", 5_400_000_000_000), ("1.5s", 1_500_000_000), ("0", 0),
     ("-2m", -120_000_000_000), ("+1us", 1_000), ("1µs", 1_000), ("1μs", 1_000), (".5s", 500_000_000), ("7ns", 7)],
)  # fmt: skip
def test_a_duration_is_read_as_go_writes_it(text: str, result: int) -> None:
    assert nanoseconds(text) == result
    assert read("--interval", text).number("interval") == result


@pytest.mark.parametrize("text", ["5", "", "s", ".s", "5x", "1s5", "-", "5 s", "1e3s", "9999999h"])
def test_a_duration_without_a_unit_is_an_error(text: str) -> None:
    assert refusal("--interval", text) == f'invalid value "{text}" for flag -interval: parse error'


def test_flags_may_follow_positionals() -> None:
    args = read("ID", "-d", "-b", "DIR", "more")
    assert args.flag("detach")
    assert args.text("bundle") == "DIR"
    assert args.rest == ["ID", "more"]


def test_the_first_positional_ends_the_flags_of_a_command_that_passes_the_rest_on() -> None:
    args = read("-d", "ID", "ls", "-b", "--", "-e", flags_first=True)
    assert args.flag("detach")
    assert args.rest == ["ID", "ls", "-b", "--", "-e"]


@pytest.mark.parametrize("flags_first", [False, True])
def test_two_dashes_end_the_flags(flags_first: bool) -> None:
    args = read("-d", "--", "-b", "--", flags_first=flags_first)
    assert args.rest == ["-b", "--"]


def test_two_dashes_behind_a_positional_end_the_flags_too() -> None:
    assert read("ID", "--", "-d").rest == ["ID", "-d"]


def test_a_single_dash_and_an_empty_word_are_positionals() -> None:
    assert read("-", "").rest == ["-", ""]


def test_an_unknown_flag_is_named_with_one_dash() -> None:
    assert refusal("--bogus=1") == "flag provided but not defined: -bogus"


def test_a_missing_value_is_an_error() -> None:
    assert refusal("ID", "--bundle") == "flag needs an argument: -bundle"


@pytest.mark.parametrize("word", ["---x", "--=x", "-=x", "----"])
def test_bad_syntax_is_an_error(word: str) -> None:
    assert refusal(word) == f"bad flag syntax: {word}"


@pytest.mark.parametrize("word", ["-h", "--help", "-help", "--h"])
def test_every_command_knows_help(word: str) -> None:
    assert read(word).flag("help")


def test_defaults_hold_for_what_is_not_given() -> None:
    args = read()
    assert args.number("fds") == 7
    assert args.number("interval") == 5_000_000_000
    assert args.texts("env") == []
    assert args.given == set()


def test_two_calls_share_no_values() -> None:
    read("-e", "A=1")
    assert read("-e", "B=1").texts("env") == ["B=1"]


@pytest.mark.parametrize(
    ("count", "positionals", "message"),
    [
        (0, (1, 1), "exactly 1"), (2, (1, 1), "exactly 1"), (1, (0, 0), "exactly 0"),
        (0, (1, None), "a minimum of 1"), (0, (1, 2), "a minimum of 1"), (3, (1, 2), "a maximum of 2"),
    ],
)  # fmt: skip
def test_a_wrong_number_of_positionals_names_the_rule(
    count: int, positionals: tuple[int, int | None], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        check_positionals("orlop", "cmd", count, positionals)
    assert caught.value.message == f'orlop: "cmd" requires {message} argument(s)'


@pytest.mark.parametrize(("count", "positionals"), [(1, (1, 1)), (0, (0, 0)), (9, (1, None)), (1, (1, 2)), (2, (1, 2))])
def test_a_right_number_of_positionals_passes(count: int, positionals: tuple[int, int | None]) -> None:
    check_positionals("orlop", "cmd", count, positionals)
