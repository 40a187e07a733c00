"""What the launcher starts: `python3 -I -S .../orlop/boot.py NAME ARGUMENTS`, NAME being the command's own argv[0].
With `-X fresh` no source of what the command imports has changed since the pack was made.

Uses the pack of modules if it fits (orlop/pack.py tells what that is), then runs the command line.  It is short,
because where its .pyc could not be written it is compiled at each start.
"""

import gc
import posix
import sys

gc.disable()  # a command is over before it has made garbage in cycles; the searches for it took a millisecond
del sys.argv[0]
root = __file__.rpartition("/orlop/")[0]  # of boot.py, or of its .pyc in __pycache__
sys.path.append(root)

# In the locale C the interpreter sets LC_CTYPE (PEP 538), and hooks would inherit it.
if posix.environ.get(b"LC_CTYPE") in (b"C.UTF-8", b"C.utf8", b"UTF-8"):
    with open("/proc/self/environ", "rb") as given:
        caller = dict(each.partition(b"=")[::2] for each in given.read().split(b"\0"))
    del posix.environ[b"LC_CTYPE"]
    posix.unsetenv(b"LC_CTYPE")
    if b"LC_CTYPE" in caller:
        posix.environ[b"LC_CTYPE"] = caller[b"LC_CTYPE"]
        posix.putenv(b"LC_CTYPE", caller[b"LC_CTYPE"])

try:
    from _frozen_importlib_external import MAGIC_NUMBER
    from _imp import source_hash
    from marshal import loads

    directory = f"{root}/orlop/__pycache__"
    place = f"{directory}/hot.{sys.implementation.cache_tag}.pack"
    file = posix.open(place, posix.O_CLOEXEC | posix.O_NOFOLLOW)
    try:
        whole = posix.fstat(file)
        start = posix.pread(file, 152, 0)
        head = posix.pread(file, int.from_bytes(start[16:20], "little"), 152)
        for owned in posix.stat(directory), whole:
            if owned.st_uid not in (0, posix.geteuid()) or owned.st_mode & 0o22:
                raise ValueError
        if start[:8] != b"orlop\0\0\7" or start[8:16] != source_hash(whole.st_size, start[20:] + head):
            raise ValueError
        made_from, source, groups, index, code = loads(head)
        if made_from != (root, MAGIC_NUMBER):
            raise ValueError
        fresh = "fresh" in sys._xoptions
        if not fresh:
            now = posix.stat(f"{root}/orlop/pack.py")
            if source != (now.st_mtime_ns, now.st_size):
                raise ValueError
        pack = sys.modules["orlop.pack"] = type(sys)("orlop.pack")
        exec(loads(code), pack.__dict__)
        pack.serve(root, place, 152 + len(head), index, start[8:16], fresh)
        pack.preload(file, 152 + len(head), next((groups[word] for word in sys.argv[1:] if word in groups), None))
    finally:
        posix.close(file)
except (ImportError, OSError, ValueError, EOFError, TypeError):
    from orlop.packing import write

    write(root)

from orlop.__main__ import _leave
from orlop.cli.main import main

_leave(main(sys.argv))
