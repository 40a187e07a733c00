from __future__ import annotations

import pytest

from orlop.errors import ConfigError
from orlop.plan.unsupported import refuse_unsupported
from orlop.spec.types import Spec
from tests.unit.plan.planning import container, spec


def intel_rdt(config: Spec) -> None:
    config["linux"]["intelRdt"] = {}


CASES = {
    "linux.intelRdt: resctrl is not available yet": intel_rdt,
}


@pytest.mark.parametrize("message", CASES)
def test_what_is_not_available_is_refused_by_name(message: str) -> None:
    config = spec()
    CASES[message](config)
    with pytest.raises(ConfigError) as caught:
        container(config)
    assert str(caught.value) == message


def test_a_listener_without_a_rule_that_asks_it_is_ignored() -> None:
    config = spec()
    agent = {"listenerPath": "/run/agent", "listenerMetadata": "x"}
    config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", **agent}  # type: ignore[typeddict-item]
    refuse_unsupported(config)


def test_an_empty_config_asks_for_nothing() -> None:
    refuse_unsupported({"ociVersion": "1.3.0", "root": {"path": "rootfs"}})
