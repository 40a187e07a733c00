from __future__ import annotations

from tests.system.conftest import bundle, clean_host, make_bundle, place, root, runtime, workshop

__all__ = ["bundle", "clean_host", "make_bundle", "place", "root", "runtime", "workshop"]
