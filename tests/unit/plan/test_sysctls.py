from __future__ import annotations

import pytest

from tests.unit.plan.planning import container, spec


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "sys/net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "sys/net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/100.rp_filter", "sys/net/ipv4/conf/eth0.100/rp_filter"),
        ("net/ipv4/conf/eth0.100/rp_filter", "sys/net/ipv4/conf/eth0.100/rp_filter"),
    ],
)
def test_a_sysctl_is_the_file_that_its_name_was_checked_for(name: str, path: str) -> None:
    config = spec()
    config["linux"]["sysctl"] = {name: "1"}
    plan = container(config)
    opened = plan.only(f"linux.sysctl.{name}", "openat2")
    assert plan.text(opened, 1) == path
