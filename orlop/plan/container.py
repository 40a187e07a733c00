"""A container, as a list of steps: its table of contents.

Each step adds operations for a part of the config.  Steps before the clone run in the runtime's namespaces.
"""

from __future__ import annotations

from orlop.plan.clone import (
    clone,
    join_cgroup,
    join_namespaces,
    map_stamps,
    mapped_root,
    only_known_descriptors,
    oom_score,
    open_cgroup,
    protect,
    reset_affinity,
    time_offsets,
    unshare_first,
)
from orlop.plan.command import end_on_signals, execute, open_fifo, wait_for_start
from orlop.plan.console import open_console, take_console
from orlop.plan.construction import Construction
from orlop.plan.credentials import (
    make_working_directory,
)
from orlop.plan.devices import make_devices
from orlop.plan.events import ROOTFS
from orlop.plan.hooks import create_container_hooks, open_report, start_container_hooks
from orlop.plan.labels import check_mount_label, label_keyring, open_procfs
from orlop.plan.limits import raise_limits, set_limits
from orlop.plan.masks import mask_paths, read_only_paths
from orlop.plan.mounts import finish_dev, mount_all, open_sources
from orlop.plan.process import become_the_process
from orlop.plan.rootfs import cut_propagation, enter_root, open_root, read_only, set_sysctls
from orlop.plan.seccomp import listens
from orlop.plan.streams import reopen_null
from orlop.plan.system import loopback, names, network_devices, new_session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orlop.plan.facts import Facts, Request
    from orlop.program.ops import Program, Register
    from orlop.spec.types import Spec


def in_the_host(c: Construction) -> Register | None:
    """Returns the fifo on which the container will wait for start."""
    map_stamps(c)
    only_known_descriptors(c)
    unshare_first(c)
    fifo = open_fifo(c)
    open_report(c)
    oom_score(c)
    raise_limits(c)
    open_procfs(c)
    open_cgroup(c)
    if c.request.idmaps:
        from orlop.plan.idmap import open_idmapped

        open_idmapped(c)
    time_offsets(c)
    join_namespaces(c)
    return fifo


def in_new_namespaces(c: Construction) -> None:
    join_cgroup(c)
    reset_affinity(c)
    open_sources(c)
    mapped_root(c)
    protect(c)
    label_keyring(c)
    new_session(c, first=True)
    loopback(c)
    network_devices(c)
    names(c)


def build_the_root(c: Construction) -> None:
    cut_propagation(c)
    open_root(c)
    mount_all(c)
    make_devices(c)
    reopen_null(c)
    host_hooks(c)
    create_container_hooks(c)
    open_console(c)
    finish_dev(c)
    set_sysctls(c)
    make_working_directory(c)
    mask_paths(c)
    read_only_paths(c)
    read_only(c)


def host_hooks(c: Construction) -> None:
    """prestart and createRuntime hooks are the supervisor's: tell it, and wait."""
    hooks = c.spec.get("hooks") or {}
    if hooks.get("prestart") or hooks.get("createRuntime"):
        c.b.purpose("hooks", "the runtime's hooks did not finish")
        c.b.event(ROOTFS)
        c.b.wait(c.b.space(8), 8)


def start_and_execute(c: Construction, fifo: Register | None, found: Register, entry: int | None) -> None:
    """Wait for start, then become the program."""
    end_on_signals(c)
    if listens(c):
        from orlop.plan.listener import load_and_wait

        load_and_wait(c, fifo)
        start_container_hooks(c, entry)
    else:
        wait_for_start(c, fifo)
        start_container_hooks(c, entry)
        set_limits(c)
    execute(c, found, entry)


def container_program(spec: Spec, facts: Facts, request: Request) -> Program:
    """The program that makes the container of this config and runs its process."""
    c = Construction(spec, spec["process"], facts, request)
    check_mount_label(c)
    fifo = in_the_host(c)
    clone(c)
    in_new_namespaces(c)
    build_the_root(c)
    enter_root(c)
    take_console(c)
    found, entry = become_the_process(c)
    start_and_execute(c, fifo, found, entry)
    return c.b.finish()
