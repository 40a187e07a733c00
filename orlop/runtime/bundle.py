"""A bundle: the directory with config.json, and what its relative paths mean."""

from __future__ import annotations

import _stat as stat
import errno

from orlop import system as os
from orlop.errors import ConfigError, Problem
from orlop.host.cache import place
from orlop.runtime.recall import recall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from orlop.runtime.recall import Question
    from orlop.spec.predraft import DeviceOf
    from orlop.spec.types import Spec

CONFIG = "config.json"


class Bundle:
    """An opened bundle: `data` is the text of its config, `rootfs` the absolute path of the root file system.

    `asked` is what its program is looked up by, and `entry` what was found (runtime/recall.py).
    """

    __slots__ = ("asked", "data", "entry", "path", "rootfs", "spec")

    def __init__(self, path: str | None, config: str | None, question: Callable[[str, bytes], Question | None]) -> None:
        """Read and check it, unless this very config was checked before.

        `config` is another file than config.json in it.  Raises ConfigError.
        """
        self.path = os.path.abspath(path or ".")
        if not self.path.isascii():
            _check_text(self.path)
        self.data = self._read(os.path.join(self.path, config or CONFIG))
        self.asked = question(self.path, self.data)
        self.entry = recall(self.asked, place("programs")) if self.asked is not None else None
        self.spec: Spec
        if self.entry is not None:
            self.spec = self.entry.spec
        else:
            self.spec = self._load(config or CONFIG)
        if b"pre-draft" in self.data:
            self.data = _converted(self.spec)
        self.rootfs = self._rootfs()
        resolve(self.spec, self.path, self.rootfs)

    def _load(self, file: str) -> Spec:
        from orlop.spec.load import load

        where = os.path.basename(file)
        try:
            return load(self.data, where, device=_device)
        except ConfigError as error:
            from orlop.spec.spelling import corrected

            data = corrected(self.data, error)
            if data is None:
                raise
        self.data, self.asked = data, None  # what is kept is read again without a check
        return load(data, where, device=_device)

    def _read(self, file: str) -> bytes:
        try:
            fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR):
                hint = "make one with the command `spec`, or name the bundle with --bundle"
                message = f"JSON specification file {os.path.basename(file)} not found in {os.path.dirname(file)}"
                raise ConfigError(message, hint=hint) from None
            raise ConfigError(f"unable to read {file}: {(error.strerror or '').lower()}") from None
        try:
            parts = []
            while part := os.read(fd, 1 << 16):
                parts.append(part)
            return b"".join(parts)
        except OSError as error:
            raise ConfigError(f"unable to read {file}: {(error.strerror or '').lower()}") from None
        finally:
            os.close(fd)

    def _rootfs(self) -> str:
        path = os.path.normpath(os.path.join(self.path, self.spec["root"]["path"]))
        try:
            mode = os.lstat(path).st_mode
        except OSError as error:
            raise _bad_root(path, (error.strerror or "").lower(), "unpack a root file system there") from None
        if stat.S_ISLNK(mode):
            raise _bad_root(path, "is a symbolic link", "name the directory itself")
        if not stat.S_ISDIR(mode):
            raise _bad_root(path, "is not a directory", "name the directory that is to be the root")
        return path


def _device() -> DeviceOf:
    from orlop.host.device import device

    return device


def _converted(spec: Spec) -> bytes:
    """What is kept of a pre-draft config: its devices are then those that the host had when it was read."""
    from orlop.spec.json import dump

    return dump(spec).encode()


def _bad_root(path: str, what: str, hint: str) -> ConfigError:
    return ConfigError([Problem("root.path", f"invalid rootfs: {path}: {what}", hint)])


def _check_text(path: str) -> None:
    """Refuse a path that the state and its hooks' document, which are UTF-8, cannot hold."""
    data = os.fsencode(path)
    try:
        data.decode()
    except UnicodeDecodeError:
        text = data.decode("utf-8", "backslashreplace")
        raise ConfigError(f"the path of the bundle is not UTF-8: {text}", hint="rename the directory") from None


def resolve(spec: Spec, bundle: str, rootfs: str) -> None:
    """Make the sources of bind mounts absolute, and see that they are there; but for those in the root file system,
    which an earlier mount may make.  A destination may be told with the host's path of the root before it, as runc
    takes it."""
    problems = []
    inside = f"{rootfs}/"
    for index, mount in enumerate(spec.get("mounts") or []):
        destination = mount.get("destination") or ""
        if destination.startswith(inside):
            mount["destination"] = destination[len(rootfs) :]
        options = mount.get("options") or []
        if ("bind" not in options and "rbind" not in options) or "remount" in options:
            continue
        source = os.path.join(bundle, mount.get("source") or "")
        mount["source"] = source
        if source.startswith(inside):
            continue
        try:
            os.stat(source)
        except FileNotFoundError:
            message = f'error mounting "{source}" to rootfs at "{mount["destination"]}": no such file or directory'
            problems.append(Problem(f"mounts[{index}].source", message, "the source of a bind mount must exist"))
        except OSError:
            continue  # the container's process may see what this one may not
    if problems:
        raise ConfigError(problems)
