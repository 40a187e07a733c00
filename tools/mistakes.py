"""Write docs/mistakes.md from real runs of Docker: `ORLOP_ENGINE_PEER=RUNC PYTHONPATH=. python tools/mistakes.py`."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.engines.engine import PEER, docker
from tests.engines.mistakes import MISTAKES, prepare

HEAD = """# What a mistake looks like

The commonest mistakes of users of `docker run`, and what Docker then shows: with {peer}, and with orlop. The words are
those of real runs (`tools/mistakes.py`); Docker's own beginning, `Error response from daemon: failed to create shim
task: OCI runtime create failed:`, is left out. Where only Docker speaks, both are alike. The phrases that engines look
for, and so the exit statuses, are runc's. A command line of orlop's own adds the remedy, as `hint` in a log of JSON.
"""
BEGINNING = "docker: Error response from daemon: failed to create shim task: OCI runtime create failed: "


def words(text: str, place: str) -> str:
    """What was said, without what differs from run to run."""
    text = re.sub(r"\n+(Usage:.*)?Run 'docker run --help'.*", "", text.strip(), flags=re.DOTALL)
    text = re.sub(r"\.?\ntime=\S+ level=error msg=.error waiting for container.*", "", text)  # an older client
    text = text.replace(BEGINNING, "").replace(place, "/place")
    return re.sub(r"[0-9a-f]{64}", "ID", text) or "(nothing)"


def main() -> None:
    version = subprocess.run([PEER, "--version"], capture_output=True, text=True, check=True).stdout
    pieces = [HEAD.format(peer=version.splitlines()[0].replace("version ", ""))]
    with docker() as engine:
        prepare(engine.place)
        engine.do("create", "--name", "gone", "local/box")
        for title, args in MISTAKES.items():
            pieces.append(f"\n## {title[0].upper()}{title[1:]}\n\n")
            filled = [word.format(place=engine.place) for word in args]
            shown = " ".join(filled).replace(str(engine.place), "/place").replace("local/box", "IMAGE")
            pieces.append(f"`docker run {shown}`\n\n| with | status | words |\n|---|---|---|\n")
            for name, runtime in (("runc", "peer"), ("orlop", "tested")):
                done = engine("run", "--rm", "--network", "none", "--runtime", runtime, *filled)
                said = words(done.stderr, str(engine.place)).replace("|", "\\|").replace("\n", " ")
                pieces.append(f"| {name} | {done.status} | `{said}` |\n")
    Path("docs/mistakes.md").write_text("".join(pieces), "utf-8")


if __name__ == "__main__":
    main()
