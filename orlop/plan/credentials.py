"""Who the process is: umask, ids, groups, capabilities, no_new_privs.

bounding set shrunk, capabilities kept over the change of ids ──▶ groups, gid, uid ──▶ working directory
    ──▶ the four other sets exactly as the config says ──▶ no_new_privs
"""

from __future__ import annotations

from _struct import pack
from errno import EACCES, EEXIST, EINVAL, ENOENT, ENOTDIR, EPERM

from orlop.plan import paths
from orlop.plan.seccomp import kept_capabilities
from orlop.program import linux
from orlop.program.builder import OPEN_HOW_SIZE
from orlop.program.ops import Label
from orlop.spec.capabilities import known_capability

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.construction import Construction
    from orlop.program.ops import Register

DEFAULT_UMASK = 0o022
_UNMAPPED = {EINVAL: "the id has no mapping in the container's user namespace"}
_DENIED = "to set them, or to drop those of the caller, takes CAP_SETGID"


def _capability_set(c: Construction, name: str) -> int:
    """What the kernel knows and the runtime has: what it cannot grant is worth a warning and no error (runtime-spec,
    "Linux Process").  In a user namespace the process has everything."""
    capabilities = c.process.get("capabilities") or {}
    bits = 0
    for word in capabilities.get(name) or []:  # type: ignore[attr-defined]
        number = known_capability(word)
        if number is not None and number <= c.facts.last_capability:
            bits |= 1 << number
    return bits if "user" in c.namespaces else bits & c.facts.capabilities


def shrink_bounding_set(c: Construction) -> None:
    """Without an object `capabilities` nothing is changed."""
    if c.process.get("capabilities") is None:
        return
    b = c.b
    b.purpose("process.capabilities.bounding", "unable to drop capabilities from the bounding set")
    bounding = _capability_set(c, "bounding")
    for number in range(c.facts.last_capability + 1):
        if not bounding >> number & 1:
            b.do("prctl", linux.PR_CAPBSET_DROP, number, 0, 0, 0)


def change_user(c: Construction) -> None:
    """umask, groups, gid, uid; the capabilities are kept for the steps after."""
    b = c.b
    user = c.process.get("user") or {}
    uid, gid = user.get("uid") or 0, user.get("gid") or 0
    umask = user.get("umask")
    b.purpose("process.user.umask", "unable to set the umask")
    b.do("umask", DEFAULT_UMASK if umask is None else umask)
    b.purpose("process.user", "unable to keep capabilities while the user changes")
    b.do("prctl", linux.PR_SET_KEEPCAPS, 1, 0, 0, 0)
    groups = list(dict.fromkeys(user.get("additionalGids") or []))
    b.purpose("process.user.additionalGids", "unable to set supplementary groups", {**_UNMAPPED, EPERM: _DENIED})
    # Where a user namespace denies setgroups(2) nothing can be done about those of the caller (user_namespaces(7)).
    denied = not groups and ("user" in c.namespaces or not c.facts.keeps_groups)
    b.do("setgroups", len(groups), pack(f"<{len(groups)}I", *groups) or b"\0", ignore=(EPERM,) if denied else ())
    b.purpose("process.user.gid", f"unable to set gid {gid}", _UNMAPPED)
    b.do("setresgid", gid, gid, gid)
    b.purpose("process.user.uid", f"unable to set uid {uid}", _UNMAPPED)
    b.do("setresuid", uid, uid, uid)


def make_working_directory(c: Construction) -> None:
    """A working directory that is missing is made, while the root file system can be written to."""
    cwd = paths.clean(c.process.get("cwd") or "/")
    if cwd == ".":
        return
    assert c.root is not None
    b = c.b
    b.purpose("process.cwd", f'unable to make the working directory "/{cwd}"')
    missing, there = Label(), Label()
    handle = paths.look_up(b, c.root, cwd, on={ENOENT: missing, EACCES: there})
    b.close(handle)
    b.jump(there)
    b.place(missing)
    parent, name = paths.make_parents(b, c.root, cwd)
    b.do("mkdirat", parent, name, 0o755, ignore=(EEXIST,))
    if parent is not c.root:
        b.close(parent)
    b.place(there)


def enter_as_root(c: Construction) -> None:
    """Into the working directory while the process may look everything up; where root may not (NFS), its user will."""
    cwd = paths.clean(c.process.get("cwd") or "/")
    b = c.b
    b.purpose("process.cwd", f'chdir to cwd ("/{cwd}") set in config.json failed', _CWD_HINTS)
    root = b.get("openat", linux.AT_FDCWD, "/", linux.O_PATH | linux.O_DIRECTORY | linux.O_CLOEXEC, 0)
    c.working = root
    if cwd == ".":
        b.do("fchdir", root)
        return
    refused, later = Label(), Label()
    c.inside = b.register()
    b.set(c.inside, 0)
    how = b.open_how(linux.O_PATH | linux.O_DIRECTORY | linux.O_CLOEXEC, 0, paths.IN_ROOT)
    handle = b.get("openat2", root, cwd, how, OPEN_HOW_SIZE, on={EACCES: later, EPERM: later})
    b.do("fchdir", handle, on={EACCES: refused, EPERM: refused})
    b.set(c.inside, 1)
    b.place(refused)
    b.close(handle)
    b.place(later)


def enter_working_directory(c: Construction) -> None:
    """Where root was refused, once more as the user, who may be allowed what root is not (NFS); it is looked up
    below the
    root, never through a magic link (CVE-2024-21626).  A process that root already put there stays there: its user need
    not be able to look the path up."""
    cwd = paths.clean(c.process.get("cwd") or "/")
    root: Register | None = c.working
    assert root is not None
    b = c.b
    if c.inside is not None:
        b.purpose("process.cwd", f'chdir to cwd ("/{cwd}") set in config.json failed', _CWD_HINTS)
        entered = Label()
        b.jump_if(c.inside, entered)
        b.free(c.inside)
        how = b.open_how(linux.O_PATH | linux.O_DIRECTORY | linux.O_CLOEXEC, 0, paths.IN_ROOT)
        handle = b.get("openat2", root, cwd, how, OPEN_HOW_SIZE)
        b.do("fchdir", handle)
        b.close(handle)
        b.place(entered)
    b.close(root)
    c.working = c.inside = None


_CWD_HINTS = {ENOTDIR: "process.cwd must name a directory", EACCES: "the user of the process may not enter it"}


def set_capabilities(c: Construction) -> None:
    """Effective, permitted, inheritable and ambient sets, exactly; but for what the seccomp filter needs until it is
    loaded."""
    b = c.b
    b.purpose("process.capabilities", "unable to set capabilities", _CAPSET_HINTS)
    if c.process.get("capabilities") is not None:
        effective, permitted, inheritable = (
            _capability_set(c, name) for name in ("effective", "permitted", "inheritable")
        )
        ambient = _capability_set(c, "ambient") & permitted & inheritable  # others cannot be raised: as runc, go on
        kept = kept_capabilities(c)
        effective, permitted = effective | kept, permitted | kept
        header = pack("<II", linux.LINUX_CAPABILITY_VERSION_3, 0)
        words = [part >> shift & 0xFFFF_FFFF for shift in (0, 32) for part in (effective, permitted, inheritable)]
        b.do("capset", header, pack("<6I", *words))
        b.do("prctl", linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        for number in range(c.facts.last_capability + 1):
            if ambient >> number & 1:
                b.do("prctl", linux.PR_CAP_AMBIENT, linux.PR_CAP_AMBIENT_RAISE, number, 0, 0, ignore=(EPERM, EINVAL))


_CAPSET_HINTS = {EPERM: "what is effective must be permitted, and what is permitted the runtime itself must have"}


def no_new_privileges(c: Construction) -> None:
    """process.noNewPrivileges."""
    if c.process.get("noNewPrivileges"):
        c.b.purpose("process.noNewPrivileges", "unable to set no_new_privs")
        c.b.do("prctl", linux.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
