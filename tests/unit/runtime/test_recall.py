"""Where an id is in a program, by comparison with the same program for a filler."""

from __future__ import annotations

from orlop.runtime.recall import differences, plain


def test_every_place_of_the_id_is_found() -> None:
    assert differences(b"a/box/b/box", b"a/~~~/b/~~~", "box") == [2, 8]


def test_two_ids_side_by_side_are_two() -> None:
    assert differences(b"boxbox", b"~~~~~~", "box") == [0, 3]


def test_a_program_without_the_id_has_no_places() -> None:
    assert differences(b"same", b"same", "box") == []


def test_tildes_of_the_config_are_left_alone() -> None:
    assert differences(b"~~~~x/box", b"~~~~x/~~~", "box") == [6]


def test_tildes_right_before_the_id_are_told_apart() -> None:
    assert differences(b"~~box", b"~~~~~", "box") == [2]


def test_a_word_of_the_config_that_happens_to_be_the_id_stays() -> None:
    assert differences(b"box/box", b"box/~~~", "box") == [4]


def test_programs_that_differ_in_more_than_the_id_are_not_kept() -> None:
    assert differences(b"1/box", b"2/~~~", "box") is None
    assert differences(b"1/box", b"1/~~~/", "box") is None


def test_objects_are_compared_by_what_is_in_them() -> None:
    class Inner:
        __slots__ = ("words",)

        def __init__(self, *words: str) -> None:
            self.words = words

    class Outer:
        __slots__ = ("inner", "number")

        def __init__(self, number: int, inner: Inner) -> None:
            self.number = number
            self.inner = inner

    assert plain(Outer(1, Inner("a"))) == plain(Outer(1, Inner("a"))) == ((("a",),), 1)
    assert plain(Outer(1, Inner("a"))) != plain(Outer(1, Inner("b")))
