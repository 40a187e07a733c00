"""The `features` document: what this version of orlop implements, whatever the host has."""

from __future__ import annotations

from orlop.spec.capabilities import CAPABILITIES
from orlop.spec.hooks import HOOK_NAMES
from orlop.spec.linux import NAMESPACES
from orlop.version import RUNC_VERSION, SPEC_VERSION, VERSION


def features() -> dict[str, object]:
    """Return the document of `orlop features`.  Source: runtime-spec 1.3, features.md and features-linux.md.

    What is not built yet is listed as not enabled, so that an engine does not rely on it.
    """
    from orlop.plan.mount_options import ALL_WORDS

    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": SPEC_VERSION,
        "hooks": list(HOOK_NAMES),
        "mountOptions": sorted({*ALL_WORDS} - {"idmap", "ridmap"}),  # with mountExtensions below
        "linux": {
            "namespaces": list(NAMESPACES),
            "capabilities": list(CAPABILITIES),
            "cgroup": {"v1": True, "v2": True, "systemd": False, "systemdUser": False, "rdma": False},
            "seccomp": {"enabled": False},
            "apparmor": {"enabled": False},
            "selinux": {"enabled": False},
            "intelRdt": {"enabled": False, "schemata": False, "monitoring": False},
            "memoryPolicy": {"modes": [], "flags": []},
            "mountExtensions": {"idmap": {"enabled": False}},
            "netDevices": {"enabled": False},
        },
        "annotations": {
            # Engines compare this one against the versions of runc that they know.
            "org.opencontainers.runc.version": RUNC_VERSION,
            "run.orlop.version": VERSION,
        },
        "potentiallyUnsafeConfigAnnotations": ["bundle", "org.systemd.property.", "org.criu.config"],
    }
