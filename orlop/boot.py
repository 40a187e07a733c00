"""What the launcher starts: `python3 -I -S .../orlop/boot.py NAME ARGUMENTS`, NAME being the command's own argv[0].

Compiled at each start, so it is short: use the pack of modules if it fits (orlop/pack.py), then run the command line.
"""

import sys

del sys.argv[0]
root = __file__.removesuffix("/orlop/boot.py")
sys.path.append(root)
try:
    from _frozen_importlib_external import MAGIC_NUMBER
    from _imp import source_hash
    from marshal import loads
    from posix import O_CLOEXEC, O_NOFOLLOW, close, fstat, geteuid, open, read, stat

    directory = f"{root}/orlop/__pycache__"
    place = f"{directory}/hot.{sys.implementation.cache_tag}.pack"
    file = open(place, O_CLOEXEC | O_NOFOLLOW)
    try:
        whole = fstat(file)
        start = read(file, 20)
        head = read(file, int.from_bytes(start[16:], "little"))
    finally:
        close(file)
    for owned in stat(directory), whole:
        if owned.st_uid not in (0, geteuid()) or owned.st_mode & 0o22:
            raise ValueError
    if start[:8] != b"orlop\0\0\1" or start[8:16] != source_hash(whole.st_size, head):
        raise ValueError
    made_from, index, code = loads(head)
    now = stat(f"{root}/orlop/pack.py")
    if made_from != (root, MAGIC_NUMBER, now.st_mtime_ns, now.st_size):
        raise ValueError
    pack = sys.modules["orlop.pack"] = type(sys)("orlop.pack")
    exec(loads(code), pack.__dict__)
    pack.serve(root, place, 20 + len(head), index)
except (ImportError, OSError, ValueError, EOFError, TypeError):
    from orlop.pack import write

    write(root)

from orlop.__main__ import _leave
from orlop.cli.main import main

_leave(main(sys.argv))
