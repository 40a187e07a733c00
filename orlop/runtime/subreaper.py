"""Be the parent of the orphans below: PR_SET_CHILD_SUBREAPER, prctl(2).

A container without a pid namespace of its own has no init that reaps.  Whoever runs it in the foreground does, as runc:
its orphans would go to the host's init otherwise, or stay zombies where that reaps nobody.  Imported only then, because
ctypes takes milliseconds.
"""

from __future__ import annotations

import ctypes

_PR_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> None:
    """From now on, and until it ends, this process is who orphans below it go to, and must reap them."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
