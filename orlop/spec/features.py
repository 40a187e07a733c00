"""The `features` document: what this version of orlop implements, whatever the host has."""

from __future__ import annotations

from orlop.spec.capabilities import CAPABILITIES
from orlop.spec.hooks import HOOK_NAMES
from orlop.spec.linux import NAMESPACES
from orlop.spec.seccomp import ACTIONS, ARCHITECTURES, FLAGS, OPERATORS
from orlop.spec.tuning import MEMORY_FLAGS, MEMORY_MODES
from orlop.version import RUNC_VERSION, SPEC_VERSION, VERSION

# Of libseccomp 2.6; a filter for them is an error with 2.5.
_NEW_ARCHITECTURES = ("SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB")


def features(libseccomp: str = "") -> dict[str, object]:
    """Return the document of `orlop features`.  Source: runtime-spec 1.3, features.md and features-linux.md.

    `libseccomp` is the version of the library that would be loaded.  What is not built yet is listed as not enabled, so
    that an engine does not rely on it.
    """
    from orlop.plan.mount_options import ALL_WORDS

    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": SPEC_VERSION,
        "hooks": list(HOOK_NAMES),
        "mountOptions": list(ALL_WORDS),
        "linux": {
            "namespaces": list(NAMESPACES),
            "capabilities": list(CAPABILITIES),
            "cgroup": {"v1": True, "v2": True, "systemd": True, "systemdUser": True, "rdma": True},
            "seccomp": {
                "enabled": True,
                "actions": list(ACTIONS),
                "operators": list(OPERATORS),
                "archs": [name for name in ARCHITECTURES if name not in _NEW_ARCHITECTURES],
                "knownFlags": list(FLAGS),
                "supportedFlags": list(FLAGS),
            },
            "apparmor": {"enabled": True},
            "selinux": {"enabled": True},
            "intelRdt": {"enabled": True, "schemata": True, "monitoring": True},
            "memoryPolicy": {"modes": list(MEMORY_MODES), "flags": list(MEMORY_FLAGS)},
            "mountExtensions": {"idmap": {"enabled": True}},
            "netDevices": {"enabled": True},
        },
        "annotations": {
            **({"io.github.seccomp.libseccomp.version": libseccomp} if libseccomp else {}),
            "org.opencontainers.runc.checkpoint.enabled": "false",
            # Engines compare this one against the versions of runc that they know.
            "org.opencontainers.runc.version": RUNC_VERSION,
            "run.orlop.version": VERSION,
        },
        "potentiallyUnsafeConfigAnnotations": ["bundle", "org.systemd.property.", "org.criu.config"],
    }
