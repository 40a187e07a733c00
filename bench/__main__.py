"""Measures orlop beside the runc and crun of this machine, in pairs, in one run.

    python3 -m bench [--runs 30] [--json FILE] [--orlop PATH] [--runc PATH] [--crun PATH]

Every figure is a median over rounds in which all runtimes take turns, so that a machine whose speed drifts is fair
to all.  What to look at are the ratios.  Needs root.

crun refuses hosts with both cgroup versions, so a second table is made in a mount namespace of its own, in which only
cgroup2 is mounted.  Where systemd runs, another one is made with its driver.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.measure import MEASURES, ONLY_ORLOP, WITHOUT_FLAGS, Runtime, works
from bench.table import table
from tests.system.seccomp_profile import engine_profile

ONLY_CGROUP2 = "mount --make-rprivate / && umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup"
OTHERS = ("runc", "crun")
HERE = Path(__file__).resolve().parent.parent


def main() -> int:
    args = arguments()
    if os.geteuid() != 0:
        print("the benchmark makes containers as root: run it as root", file=sys.stderr)
        return 1
    if args.inner:
        print(json.dumps(figures(args)))
        return 0
    report: dict[str, object] = {"machine": machine(), "versions": versions(args), "runs": args.runs, "figures": {}}
    print(", ".join(versions(args)), end="\n\n")
    tables: dict[str, dict[str, dict[str, float]]] = {}
    hybrid = not Path("/sys/fs/cgroup/cgroup.controllers").exists()
    if hybrid:
        tables["cgroup v1 and v2, as on this host"] = figures(args)
    tables["cgroup v2 only"] = in_cgroup2(args) if hybrid else figures(args)
    if Path("/run/systemd/system").is_dir():
        tables["the systemd driver"] = figures(args, "--systemd-cgroup")
    for title, rows in tables.items():
        print(table(title, rows))
    report["figures"] = tables
    if args.json:
        Path(args.json).write_text(json.dumps(report, indent=2) + "\n")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=30, help="rounds for each figure (default 30)")
    parser.add_argument("--json", help="write all figures to this file")
    parser.add_argument(
        "--orlop", default=str(HERE / "build/orlop"), help="the orlop to measure (default: build/orlop)"
    )
    for name in OTHERS:
        parser.add_argument(f"--{name}", default=name, help=f"the {name} to measure (default: that of this machine)")
    parser.add_argument("--inner", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def machine() -> dict[str, object]:
    return {"kernel": platform.release(), "architecture": platform.machine(), "processors": os.cpu_count()}


def versions(args: argparse.Namespace) -> list[str]:
    """Of what there is to measure."""
    paths = [shutil.which(getattr(args, name)) for name in ("orlop", *OTHERS)]
    return [Runtime("", path, "").version() for path in paths if path]


def in_cgroup2(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """The same in a private mount namespace with only cgroup2: nothing of it is seen outside."""
    command = f'{ONLY_CGROUP2} && exec "$@"'
    paths = [word for name in ("orlop", *OTHERS) for word in (f"--{name}", getattr(args, name))]
    inner = [sys.executable, "-m", "bench", "--inner", "--runs", str(args.runs), *paths]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", command, "sh", *inner], cwd=HERE, stdout=subprocess.PIPE, check=True
    )
    found: dict[str, dict[str, float]] = json.loads(done.stdout)
    return found


def figures(args: argparse.Namespace, *flags: str) -> dict[str, dict[str, float]]:
    """Measure → runtime → median: milliseconds, or KiB for memory."""
    with tempfile.TemporaryDirectory(prefix="orlop-bench-") as work:
        bundle = make_bundle(Path(work), args.orlop)
        runtimes = [Runtime("orlop", args.orlop, work, *flags)]
        for name in OTHERS:
            path = shutil.which(getattr(args, name))
            if path and works(Runtime(name, path, work, *flags), bundle):
                runtimes.append(Runtime(name, path, work, *flags))
        rows: dict[str, dict[str, float]] = {}
        for label, measure in MEASURES.items():
            if flags and label in WITHOUT_FLAGS:
                continue
            chosen = runtimes[:1] if label in ONLY_ORLOP else runtimes
            samples: dict[str, list[float]] = {runtime.name: [] for runtime in chosen}
            for _ in range(args.runs + 1):
                for runtime in chosen:
                    samples[runtime.name].append(measure(runtime, bundle))
            rows[label] = {name: statistics.median(values[1:]) for name, values in samples.items()}
        return rows


def make_bundle(work: Path, orlop: str) -> Path:
    """The default config with busybox, no terminal, and `true` to run."""
    bundle = work / "bundle"
    (bundle / "rootfs/bin").mkdir(parents=True)
    busybox = shutil.which("busybox")
    if busybox is None:
        sys.exit("busybox is missing: install Debian's busybox-static")
    shutil.copy(busybox, bundle / "rootfs/bin/busybox")
    for name in ("true", "sleep"):
        (bundle / "rootfs/bin" / name).symlink_to("busybox")
    subprocess.run([orlop, "spec", "--bundle", bundle], check=True)
    config = json.loads((bundle / "config.json").read_text())
    config["process"].update(terminal=False, args=["/bin/true"])
    (bundle / "config.json").write_text(json.dumps(config))
    shutil.copytree(bundle, work / "waiting", symlinks=True)
    config["process"]["args"] = ["/bin/sleep", "1000"]
    (work / "waiting/config.json").write_text(json.dumps(config))
    shutil.copytree(bundle, work / "filtered", symlinks=True)
    config["process"]["args"] = ["/bin/true"]
    config["linux"]["seccomp"] = engine_profile()
    (work / "filtered/config.json").write_text(json.dumps(config))
    return bundle


if __name__ == "__main__":
    sys.exit(main())
