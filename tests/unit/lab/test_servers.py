"""The servers beside the cluster: which port follows which file, and who may do what."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from dalp_dr_lab import servers
from dalp_dr_lab.lab import IDENTITIES, Lab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("DALP_DR_HOME", str(tmp_path))
    return Lab.load()


def test_an_endpoint_is_pointed_elsewhere_and_back(lab: Lab) -> None:
    servers.point_rpc(lab, "secondary", "127.0.0.1:1")
    assert lab.rpc_target_file("secondary").read_text() == "127.0.0.1:1"
    servers.point_rpc(lab, "secondary")
    assert lab.rpc_target_file("secondary").read_text() == f"127.0.0.1:{lab.ports['anvil']}"


def test_endpoints_follow_the_chain_to_its_new_port(lab: Lab) -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", lab.ports["anvil"]))
        other.listen()
        moved = servers.renew_ports(lab)
    assert moved.ports["anvil"] != lab.ports["anvil"]
    for role in servers.RPC_ROLES:
        assert lab.rpc_target_file(role).read_text() == f"127.0.0.1:{moved.ports['anvil']}"


def test_only_the_lab_itself_is_administrator(lab: Lab) -> None:
    assert set(IDENTITIES) - set(servers.GRANTS) == {"admin"}
    for name in servers.GRANTS:
        actions = servers._identity(lab, name)["actions"]
        assert isinstance(actions, list)
        assert actions
        assert all(":" in action for action in actions), "an action without a bucket holds for every bucket"
