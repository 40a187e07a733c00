"""`python -m orlop`, and what the launcher starts: run the command line and leave at once.

`os._exit` spares the interpreter's own teardown, a millisecond that a container's caller would wait for.
"""

from __future__ import annotations

import sys

from orlop import system as os


def _leave(status: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            pass  # the reader has gone; nobody is left to tell
    if "ahead" in sys._xoptions:
        from orlop.host.ahead import end

        end()
    os._exit(status)


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs an older one should read why it does not work
        sys.stderr.write(f"orlop: Python 3.11 or newer is needed, this is {sys.version.split()[0]}\n")
        _leave(1)
    from orlop.cli.main import main

    _leave(main(sys.argv))
