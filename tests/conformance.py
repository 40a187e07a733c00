"""Which test shows that a field, or a rule of the runtime-spec, is kept.  docs/conformance.md is made of this.

A field without a row of its own is shown by the row of what is around it.  Tests are named `file::function`, the file
below tests/.  What shows a rule is marked with it, and found by it: `pytest -k CG-1`.
"""

from __future__ import annotations

import ast
from pathlib import Path

_TESTS = Path(__file__).parent

_IGNORED = "unit/cgroup/test_fields.py::test_kernel_memory_and_hierarchy_are_ignored_as_the_specification_says"
_WEIGHT = "system/test_resources.py::test_a_block_weight_is_in_the_file_of_whoever_hands_out_weights"

FIELDS = {
    "ociVersion": "unit/spec/test_spec_tolerance.py::test_versions_of_major_one_pass",
    "root": "system/test_bad_input.py::test_a_root_that_cannot_be",
    "root.readonly": "system/test_mounts.py::test_a_read_only_root_cannot_be_written",
    "process": "unit/spec/test_spec_rules.py::test_a_bad_config_is_refused_with_the_field",
    "process.terminal": "system/test_terminal.py::test_a_terminal_is_the_controlling_one_and_all_three_streams",
    "process.consoleSize": "system/test_terminal.py::test_the_size_of_the_config*",
    "process.cwd": "system/test_identity.py::test_the_working_directory_is_entered",
    "process.env": "system/test_identity.py::test_the_environment_is_that_of_the_config_and_no_other",
    "process.args": "system/test_identity.py::test_arguments_may_hold_anything",
    "process.user": "system/test_identity.py::test_all_ids_are_those_of_the_config",
    "process.user.umask": "system/test_identity.py::test_the_umask_is_0022_or_as_the_config_says",
    "process.rlimits": "system/test_identity.py::test_resource_limits_are_set",
    "process.capabilities": "system/test_identity.py::test_a_capability_set_is_exactly_what_the_config_says",
    "process.noNewPrivileges": "system/test_identity.py::test_no_new_privileges_is_as_the_config_says",
    "process.apparmorProfile": "unit/plan/test_labels.py::*",
    "process.selinuxLabel": "unit/plan/test_labels.py::*",
    "process.oomScoreAdj": "system/test_identity.py::test_the_oom_score_is_set",
    "process.scheduler": "unit/plan/test_scheduling.py::test_a_scheduler_is_the_kernels_struct",
    "process.ioPriority": "system/test_scheduling.py::test_an_io_priority_is_that_of_the_config",
    "process.execCPUAffinity": "system/test_scheduling.py::test_an_exec_runs_on_the_processors_of_its_affinity",
    "hostname": "system/test_namespaces.py::test_hostname_and_domainname_are_set",
    "domainname": "system/test_namespaces.py::test_hostname_and_domainname_are_set",
    "mounts": "system/test_mounts.py::test_mounts_are_made_in_their_order",
    "mounts[].source": "system/test_mounts.py::test_a_relative_source_begins_at_the_bundle",
    "mounts[].options": "compat/test_side_by_side.py::test_a_container_looks_the_same_as_with_runc",
    "mounts[].uidMappings": "system/test_idmapped_mounts.py::*",
    "mounts[].gidMappings": "system/test_idmapped_mounts.py::*",
    "hooks": "system/test_hooks.py::test_hooks_of_all_kinds_run_in_their_order",
    "annotations": "system/test_hooks.py::test_a_hook_reads_the_state_on_its_standard_input",
    "linux": "system/test_must_tolerate.py::test_must_tolerate_18_6_no_linux_and_no_mounts",
    "linux.uidMappings": "system/test_namespaces.py::test_a_user_namespace_has_the_maps_of_the_config",
    "linux.gidMappings": "system/test_namespaces.py::test_a_user_namespace_has_the_maps_of_the_config",
    "linux.sysctl": "system/test_identity.py::test_a_sysctl*",
    "linux.resources": "system/test_resources.py::test_a_field_is_in_its_file_and_follows_an_update",
    "linux.resources.devices": "system/test_mounts.py::test_the_device_rules_are_in_force",
    "linux.resources.memory.kernel": _IGNORED,
    "linux.resources.memory.kernelTCP": _IGNORED,
    "linux.resources.memory.useHierarchy": _IGNORED,
    "linux.resources.memory.checkBeforeUpdate": "system/test_update.py::test_a_limit_below_the_use*",
    "linux.resources.blockIO": "system/test_resources.py::test_throttles_of_a_block_device_are_in_their_files",
    "linux.resources.blockIO.weight": _WEIGHT,
    "linux.resources.blockIO.leafWeight": "unit/cgroup/test_fields.py::*",
    "linux.resources.blockIO.weightDevice": _WEIGHT,
    "linux.resources.hugepageLimits": "system/test_resources.py::test_huge_pages_are_limited_with_their_reservations",
    "linux.resources.network": "unit/cgroup/test_fields.py::test_traffic_classes_and_priorities_are_those_of_version_1",
    "linux.resources.pids": "system/test_cgroup_room.py::test_the_pids_limit_stops_a_fork",
    "linux.resources.rdma": "unit/cgroup/test_fields.py::test_rdma_limits_name_only_what_is_given",
    "linux.resources.unified": "system/test_resources.py::test_unified_files_are_written_line_by_line",
    "linux.cgroupsPath": "system/test_bad_input.py::test_a_cgroup_path_that_leads_out",
    "linux.namespaces": "system/test_namespaces.py::test_a_new_namespace_is_not_the_runtimes",
    "linux.namespaces[].path": "system/test_namespaces.py::test_a_namespace_is_joined_by_its_path",
    "linux.devices": "system/test_mounts.py::test_devices_of_the_config_are_made",
    "linux.netDevices": "system/test_net_devices.py::test_a_device_is_moved_and_up",
    "linux.netDevices{}.name": "system/test_net_devices.py::test_a_device_is_renamed",
    "linux.seccomp": "system/test_seccomp.py::test_an_ordinary_program_runs_under_the_profile_of_an_engine",
    "linux.seccomp.architectures": "system/test_seccomp.py::test_a_program_of_another_architecture*",
    "linux.seccomp.flags": "system/test_seccomp.py::test_the_flags_are_told_to_who_wants_to_know",
    "linux.seccomp.listenerPath": "system/test_seccomp_listener.py::test_the_agent_decides",
    "linux.seccomp.listenerMetadata": "system/test_seccomp_listener.py::test_the_message_holds_the_state",
    "linux.seccomp.syscalls[].errnoRet": "system/test_seccomp.py::test_an_errno_of_the_profile*",
    "linux.seccomp.defaultErrnoRet": "system/test_seccomp.py::test_an_errno_of_the_profile_is_what_the_program_gets",
    "linux.seccomp.syscalls[].args": "system/test_seccomp.py::test_a_condition_decides_about_a_call",
    "linux.rootfsPropagation": "system/test_mounts.py::test_the_root_has_the_propagation_asked_for",
    "linux.maskedPaths": "system/test_mounts.py::test_masked_paths_are_empty",
    "linux.readonlyPaths": "system/test_mounts.py::test_readonly_paths_are_read_only",
    "linux.mountLabel": "unit/plan/test_labels.py::*",
    "linux.intelRdt": "unit/host/test_resctrl.py::test_schemata_are_written_in_the_order_of_the_specification",
    "linux.intelRdt.closID": "unit/host/test_resctrl.py::test_a_class_alone_must_be_there",
    "linux.intelRdt.enableMonitoring": "unit/host/test_resctrl.py::test_monitoring",
    "linux.memoryPolicy": "system/test_scheduling.py::test_a_memory_policy_is_that_of_the_config",
    "linux.personality": "system/test_identity.py::test_the_personality_is_set",
    "linux.timeOffsets": "system/test_namespaces.py::test_time_offsets_are_in_force",
}

# The rules, and what each says.  Those of the lists 17 (must be refused) and 18 (must be tolerated) stand in LISTED.
RULES = {
    "B-1": "a bundle has config.json at its root",
    "B-2": "config.json is UTF-8",
    "B-3": "no object has a name twice",
    "B-4": "the order of members means nothing",
    "V1": "unknown members are ignored",
    "V2": "invalid values are errors",
    "V3": "a config can be checked without running",
    "M-1": "the options make a bind mount, never the type",
    "M-2": "mounts are made in order",
    "M-3": "unknown options are the file system's",
    "M-4": "words mean what mount(8) says",
    "M-5": "idmap and ridmap",
    "H-1": "hooks run in order",
    "H-2": "hooks read the state",
    "H-3": "the status is that of the moment",
    "N-1": "a type that is not listed is shared",
    "N-2": "no type is listed twice",
    "D-1": "devices are there",
    "D-2": "a device twice is no error",
    "D-3": "other devices cannot be used",
    "D-4": "default devices",
    "ND-1": "network devices are moved",
    "ND-2": "names that clash",
    "ND-3": "addresses are kept",
    "ND-4": "network devices are up",
    "ND-5": "nothing is moved back",
    "CG-1": "one path, one cgroup",
    "CG-2": "a default path",
    "CG-3": "invalid paths are errors",
    "CG-4": "missing cgroups are made",
    "CG-5": "more controllers may be joined",
    "CG-6": "unfit cgroups are refused",
    "CG-7": "who owns the cgroup",
    "RS-1": "settings of v1 on v2",
    "RDT-1": "the process is in the class",
    "RDT-2": "the order of schemata",
    "RDT-3": "own classes are removed, others stay",
    "RDT-4": "schemata are compared",
    "RDT-5": "a class alone must be there",
    "RDT-6": "monitoring",
    "FD-1": "only three descriptors are open",
    "SL-1": "the links of /dev",
    "FS-1": "/proc, /sys, /dev/pts, /dev/shm",
    "17.28": "must be refused: an unfit cgroup",
    "17.29": "must be refused: a limit below the use",
    "17.34": "must be refused: v1 on v2",
    "17.37": "must be refused: a class that is missing",
    "17.38": "must be refused: schemata that differ",
    "17.39": "must be refused: no monitoring",
    "18.8": "must be tolerated: a file of /sys/kernel/cgroup/delegate that the cgroup has not",
}

_REJECT = "system/test_must_reject.py::test_must_reject"
_TOLERATE = "system/test_must_tolerate.py::test_must_tolerate"

# Rules whose number the name of their test, or of a case of it, begins with.
LISTED = {
    **{f"17.{number}": _REJECT for number in (*range(1, 18), *range(19, 28), *range(30, 34), 36)},
    **{f"17.{number}": _REJECT for number in (*range(40, 51), 57, 58)},
    **{f"17.{number}": f"{_REJECT}_17_{number}_*" for number in (18, 35, *range(51, 57))},
    **{f"18.{number}": _TOLERATE for number in (1, 2, 4, *range(11, 17))},
    **{f"18.{number}": f"{_TOLERATE}_18_{number}_*" for number in (3, 5, 6, 7, 9, 10)},
}

# What no test can show, and why.
OPEN = {
    "B-5": "the prose of the specification is what counts: nothing to run",
}


def shown_by() -> dict[str, list[str]]:
    """The tests of each rule: those that `@pytest.mark.rule` names it for, and those that are called after it."""
    found = {rule: [test] for rule, test in LISTED.items()}
    for path in sorted(_TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                for rule in _marked(node):
                    found.setdefault(rule, []).append(f"{path.relative_to(_TESTS)}::{node.name}")
    return found


def _marked(function: ast.FunctionDef) -> list[str]:
    calls = [each for each in function.decorator_list if isinstance(each, ast.Call)]
    rules = [each.args for each in calls if ast.unparse(each.func) == "pytest.mark.rule"]
    return [str(ast.literal_eval(arg)) for args in rules for arg in args]
