"""list: all containers below a root."""

from __future__ import annotations

from orlop import system as os
from orlop.errors import OrlopError
from orlop.runtime.container import Found
from orlop.runtime.state import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.runtime.options import Options


def containers(options: Options) -> list[dict[str, object]]:
    """Their state documents, by id; what cannot be read is told to `options.log` and left out.

    Raises FileNotFoundError when the root does not exist.
    """
    documents = []
    root = os.path.abspath(options.root)
    for name in sorted(os.listdir(root)):
        try:
            found = Found(name, options)
            documents.append(describe(found, _owner(os.stat(found.store.path).st_uid)))
        except (OrlopError, OSError) as error:
            if os.path.isdir(f"{root}/{name}"):
                options.log("warning", f"load container {name}: {error}")
    return documents


def _owner(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"
