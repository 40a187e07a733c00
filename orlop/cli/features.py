"""`features`: show what this runtime can do."""

from __future__ import annotations

from orlop.cli.flags import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.cli.flags import Args


def run(args: Args) -> int:
    from orlop.cli.output import put
    from orlop.cli.version import libseccomp_version
    from orlop.spec.features import features
    from orlop.spec.json import dump

    put(dump(features(libseccomp_version()), "    ") + "\n")
    return 0


COMMAND = Command(
    run,
    (),
    (0, 0),
    "",
    """\
Prints the features structure that the runtime-spec defines: namespaces, mount
options, capabilities, seccomp and what else a config.json may ask for.
""",
)
