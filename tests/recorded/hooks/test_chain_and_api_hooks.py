"""The RPC node and the restored API, against a scripted server."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from dalp_dr.errors import FactError, InputError
from dalp_dr_airflow.hooks.dalp import DalpHook
from dalp_dr_airflow.hooks.errors import RetryPolicy
from dalp_dr_airflow.hooks.evm import EvmHook
from fake_http import FakeHttp

BLOCKS = [("eth_getBlockByNumber", [hex(n), False]) for n in range(3)]


@pytest.fixture
def node(server: FakeHttp, monkeypatch: pytest.MonkeyPatch) -> EvmHook:
    monkeypatch.setenv("AIRFLOW_CONN_RPC", json.dumps({"conn_type": "http", "host": f"{server.url}/v3/secret-project-key"}))
    return EvmHook("rpc", RetryPolicy(attempts=2, sleep=lambda _: None))


def reply(server: FakeHttp, body: Any, status: int = 200, **headers: str) -> None:
    server.answer("POST", "/v3/secret-project-key", body, status, **headers)


def result(number: int, value: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": value}


def test_answers_stand_in_the_order_asked_also_null_ones(server: FakeHttp, node: EvmHook) -> None:
    reply(server, [result(2, {"hash": "0x2"}), result(0, {"hash": "0x0"}), result(1, None)])
    assert node.batch(BLOCKS) == [{"result": {"hash": "0x0"}}, {"result": None}, {"result": {"hash": "0x2"}}]
    assert [r["method"] for r in server.asked[0].body] == ["eth_getBlockByNumber"] * 3


def test_an_answer_left_out_is_an_error_and_not_empty(server: FakeHttp, node: EvmHook) -> None:
    reply(server, [result(0, 1), {"jsonrpc": "2.0", "id": 2, "error": {"code": -32000, "message": "pruned"}}])
    found = node.batch(BLOCKS)
    assert found[0] == {"result": 1}
    assert "left this answer out" in found[1]["error"]["message"]
    assert found[2] == {"error": {"code": -32000, "message": "pruned"}}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batch not supported"}},
            "batch not supported",
        ),
        ("a string", "answered with a str"),
        (b"<html>", "not JSON"),
        ([{"id": 0}, {"id": 1}, {"id": 2}], "neither result nor error"),
        ([], "left this answer out"),
    ],
)
def test_what_is_no_batch_is_an_error_of_each(body: Any, said: str, server: FakeHttp, node: EvmHook) -> None:
    reply(server, body)
    found = node.batch(BLOCKS)
    assert len(found) == 3
    assert all(said in f["error"]["message"] for f in found)


@pytest.mark.parametrize("status", [401, 403, 500, 502])
def test_a_status_is_an_error_of_each_without_the_nodes_key(status: int, server: FakeHttp, node: EvmHook) -> None:
    reply(server, {"error": "no"}, status)
    found = node.batch(BLOCKS)
    assert all(f"{status}" in f["error"]["message"] for f in found)
    assert "secret-project-key" not in json.dumps(found)


def test_no_answer_is_an_error_without_the_nodes_key(server: FakeHttp, node: EvmHook) -> None:
    _ = node._url
    server.__exit__()
    found = node.batch(BLOCKS)
    assert len(found) == 3
    assert "secret-project-key" not in json.dumps(found)


def test_a_batch_too_large_is_halved(server: FakeHttp, node: EvmHook) -> None:
    reply(server, {"error": "too large"}, 413)
    reply(server, [result(0, "a")])
    reply(server, [result(0, "b"), result(1, "c")])
    assert [f["result"] for f in node.batch(BLOCKS)] == ["a", "b", "c"]


def test_many_questions_are_sent_in_bounded_batches(server: FakeHttp, node: EvmHook) -> None:
    reply(server, [result(n, n) for n in range(100)])
    assert len(node.batch(BLOCKS * 70)) == 210
    assert [len(a.body) for a in server.asked] == [100, 100, 10]


def test_a_rate_limit_inside_a_batch_is_waited_out(server: FakeHttp, node: EvmHook) -> None:
    reply(server, [result(0, 1), {"id": 1, "error": {"code": -32005, "message": "rate limited"}}, result(2, 3)])
    reply(server, [result(0, 1), result(1, 2), result(2, 3)])
    assert [f["result"] for f in node.batch(BLOCKS)] == [1, 2, 3]


@pytest.mark.parametrize(
    "method",
    [
        "eth_sendRawTransaction",
        "eth_sendTransaction",
        "eth_sign",
        "anvil_setBalance",
        "personal_unlockAccount",
        "evm_mine",
    ],
)
def test_the_chain_is_only_read(method: str, server: FakeHttp, node: EvmHook) -> None:
    with pytest.raises(FactError, match="only ever read"):
        node.batch([("eth_chainId", []), (method, ["0x"])])
    assert server.asked == []


def test_the_api_is_asked_with_the_connections_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_API", json.dumps({"conn_type": "http", "password": "a-read-key"}))
    asked: list[Any] = []
    sandbox: Any = SimpleNamespace(service_request=lambda *where, **how: asked.append((where, how)))
    DalpHook("api", sandbox, "dalp-drill-1-app", "dapi", 3000).request("/api/v2/me")
    assert asked == [
        (
            ("dalp-drill-1-app", "dapi", 3000, "/api/v2/me"),
            {"headers": {"X-Api-Key": "a-read-key"}, "timeout_seconds": 20.0},
        )
    ]


def test_a_connection_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox: Any = SimpleNamespace(service_request=lambda *where, **how: None)
    monkeypatch.setenv("AIRFLOW_CONN_API", json.dumps({"conn_type": "http"}))
    with pytest.raises(InputError, match="no API key"):
        DalpHook("api", sandbox, "n", "s", 1).request("/")
