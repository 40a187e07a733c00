from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orlop.spec.template import default

if TYPE_CHECKING:
    from collections.abc import Callable

    Document = dict[str, object]


@pytest.fixture
def config() -> Document:
    """The template, to be broken by a test."""
    return {**default(cgroup2=True)}


@pytest.fixture
def put() -> Callable[[Document, str, object], None]:
    """Set `linux/namespaces/0/type` of a document, making objects on the way; Ellipsis takes a member away."""

    def put(document: Document, path: str, value: object) -> None:
        *parents, last = path.split("/")
        here: object = document
        for name in parents:
            if isinstance(here, list):
                here = here[int(name)]
            else:
                assert isinstance(here, dict)
                here = here.setdefault(name, {})
        if isinstance(here, list):
            here[int(last)] = value
            return
        assert isinstance(here, dict)
        if value is ...:
            del here[last]
        else:
            here[last] = value

    return put
