"""The version, written once: packaging, `--version`, `features` and the documentation read it here."""

from __future__ import annotations

VERSION = "0.1.0"

# The commit of a release build, which the build writes here; from a checkout it is read from .git (cli/version.py).
COMMIT = ""

# The runtime-spec that we implement, and the runc whose command line and behaviour we follow.  Engines compare both.
SPEC_VERSION = "1.3.0"
RUNC_VERSION = "1.5.1"
