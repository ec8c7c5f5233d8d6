"""The ground remembers its cluster: the same one finds its data, a new one begins empty, and evidence stays.

Real SeaweedFS, anvil and RPC endpoints on a given cluster whose identity is played; neither root nor cluster.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

import pytest

from dalp_dr_lab import ground, operators, processes
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import BUCKETS, Lab

pytestmark = pytest.mark.lab


@pytest.fixture
def lab(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    monkeypatch.setenv("DALP_DR_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("LAB_HOST_ADDRESS", "127.0.0.1")
    monkeypatch.setenv("LAB_KUBECONFIG", "/given/kubeconfig")
    monkeypatch.setattr(operators, "connect_backups", lambda lab: None)
    _play(monkeypatch, "first")
    found = Lab.load()
    try:
        ground.up(found)
        yield found
    finally:
        ground.down(found)
        assert not processes.alive(found.folder)


def _play(monkeypatch: pytest.MonkeyPatch, uid: str) -> None:
    monkeypatch.setattr(ground, "_cluster_uid", lambda lab: uid)


def _rpc(url: str, method: str, *params: object) -> object:
    call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, call, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["result"]


def _fill(lab: Lab) -> None:
    for bucket in BUCKETS.values():
        lab.s3("admin").put_object(Bucket=bucket, Key="kept", Body=b"1")
    _rpc(lab.chain_url, "anvil_mine", "0x5")


def _buckets_with_data(lab: Lab) -> set[str]:
    return {b for b in BUCKETS.values() if "Versions" in lab.s3("admin").list_object_versions(Bucket=b)}


def test_both_endpoints_serve_the_chain(lab: Lab) -> None:
    assert [_rpc(url, "eth_chainId") for url in lab.rpc_urls] == ["0x7a69", "0x7a69"]


def test_a_second_up_adopts_what_runs(lab: Lab) -> None:
    _fill(lab)
    before = processes.alive(lab.folder)
    ground.up(lab)
    assert processes.alive(lab.folder) == before
    assert _buckets_with_data(lab) == set(BUCKETS.values())


def test_the_same_cluster_finds_its_data_after_down(lab: Lab) -> None:
    _fill(lab)
    head = _rpc(lab.chain_url, "eth_getBlockByNumber", "0x5", False)
    ground.down(lab)
    ground.up(lab)
    assert _buckets_with_data(lab) == set(BUCKETS.values())
    assert _rpc(lab.rpc_urls[1], "eth_getBlockByNumber", "0x5", False) == head


def test_a_new_cluster_begins_empty_but_evidence_stays(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(lab)
    _play(monkeypatch, "second")
    ground.up(lab)
    assert _buckets_with_data(lab) == {BUCKETS["evidence"]}
    assert _rpc(lab.rpc_urls[0], "eth_blockNumber") == "0x0"


def test_a_given_cluster_needs_an_address_for_its_pods(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_HOST_ADDRESS")
    with pytest.raises(LabError, match="LAB_HOST_ADDRESS"):
        ground.up(lab)


def test_a_killed_server_is_started_again_with_its_data(lab: Lab) -> None:
    _fill(lab)
    processes.kill([processes.alive(lab.folder)["weed"]], processes.signal.SIGKILL, 10)
    ground.up(lab)
    assert _buckets_with_data(lab) == set(BUCKETS.values())
