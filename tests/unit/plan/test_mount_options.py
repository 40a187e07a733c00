"""The words of a mount, and what the kernel is asked for."""

from __future__ import annotations

import pytest

from orlop.plan.mount_options import MountOptions
from orlop.program import linux

ACCESS = linux.MOUNT_ATTR__ATIME | linux.MOUNT_ATTR_NODIRATIME


@pytest.mark.parametrize("word", ["atime", "diratime", "norelatime", "nostrictatime"])
def test_to_take_an_access_time_setting_back_leaves_what_there_is(word: str) -> None:
    options = MountOptions(["bind", word])
    assert options.touched and not options.on & ACCESS and not options.off & ACCESS


@pytest.mark.parametrize(
    ("words", "on"),
    [
        (["relatime"], 0),
        (["noatime"], linux.MOUNT_ATTR_NOATIME),
        (["nodiratime"], linux.MOUNT_ATTR_NODIRATIME),
        (["nodiratime", "strictatime"], linux.MOUNT_ATTR_NODIRATIME | linux.MOUNT_ATTR_STRICTATIME),
        (["noatime", "nodiratime"], linux.MOUNT_ATTR_NODIRATIME | linux.MOUNT_ATTR_NOATIME),
        (["nodiratime", "norelatime"], linux.MOUNT_ATTR_NODIRATIME),
        (["strictatime", "noatime"], linux.MOUNT_ATTR_NOATIME),
        (["noatime", "strictatime"], linux.MOUNT_ATTR_STRICTATIME),
    ],
)
def test_to_give_one_access_time_setting_replaces_all_of_them(words: list[str], on: int) -> None:
    options = MountOptions(["bind", *words])
    assert options.on & ACCESS == on
    assert options.off & ACCESS == ACCESS & ~(on & linux.MOUNT_ATTR_NODIRATIME)


def test_for_a_whole_tree_atime_is_the_kernels_default() -> None:
    options = MountOptions(["rbind", "ratime"])
    assert options.recursive_off == linux.MOUNT_ATTR__ATIME and options.recursive_on == linux.MOUNT_ATTR_RELATIME


@pytest.mark.parametrize("words", [["noatime", "atime"], ["strictatime", "nostrictatime"], ["nodiratime", "diratime"]])
def test_an_access_time_setting_that_is_taken_back_was_never_given(words: list[str]) -> None:
    options = MountOptions(words)
    assert not options.on & ACCESS and not options.off & ACCESS


@pytest.mark.parametrize(
    ("words", "data"),
    [
        (["mode=0777,size=8k", "noswap"], [("mode", "0777"), ("size", "8k"), ("noswap", None)]),
        (["", ",", "mode=,"], [("mode", "")]),
        (
            [r"lowerdir=/a\,b:/c,upperdir=/d\\,index=off"],
            [("lowerdir", r"/a\,b:/c"), ("upperdir", r"/d\\"), ("index", "off")],
        ),
        (['context="u:r:t:s0:c1,c2",size=8k'], [("context", "u:r:t:s0:c1,c2"), ("size", "8k")]),
    ],
)  # fmt: skip
def test_a_word_of_the_file_system_may_be_several_as_for_mount(
    words: list[str], data: list[tuple[str, str | None]]
) -> None:
    assert MountOptions(words).data == data
