"""The gateway forwards reads and nothing else, in single calls and in batches, over real HTTP."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from dalp_dr.isolation import readonly_gateway

WRITES = [
    "eth_sendRawTransaction",
    "eth_sendTransaction",
    "eth_sendUserOperation",
    "eth_signTransaction",
    "eth_sign",
    "personal_sign",
    "personal_unlockAccount",
    "admin_addPeer",
    "miner_start",
    "qbft_proposeValidatorVote",
    "debug_setHead",
    "anvil_setBalance",
    "evm_mine",
    "hardhat_impersonateAccount",
    "eth_sendrawtransaction",
    " eth_call",
    "eth_call\u0000",
    "",
    "ETH_CALL",
]


class Node:
    """A node that answers each call with its method and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def post(self, body: bytes) -> bytes:
        call = json.loads(body)
        self.asked.append(call)
        made = [{"jsonrpc": "2.0", "id": c["id"], "result": c["method"]} for c in (call if isinstance(call, list) else [call])]
        return json.dumps(made if isinstance(call, list) else made[0]).encode()


def ask(call: Any) -> tuple[Any, Node, list[str]]:
    node, refused = Node(), list[str]()
    answer = json.loads(readonly_gateway.answer(json.dumps(call).encode(), node.post, refused.append))
    return answer, node, refused


@pytest.mark.parametrize("method", sorted(readonly_gateway.ALLOWED))
def test_reads_are_forwarded(method: str) -> None:
    answer, node, refused = ask({"jsonrpc": "2.0", "id": 7, "method": method, "params": ["0x1"]})
    assert answer == {"jsonrpc": "2.0", "id": 7, "result": method}
    assert (node.asked[0]["params"], refused) == (["0x1"], [])


@pytest.mark.parametrize("method", WRITES)
def test_everything_else_is_refused_and_noted(method: str) -> None:
    answer, node, refused = ask({"jsonrpc": "2.0", "id": 7, "method": method, "params": []})
    assert (answer["id"], answer["error"]["code"]) == (7, -32601)
    assert (node.asked, refused) == ([], [method])


def test_a_batch_is_taken_apart() -> None:
    answer, node, refused = ask(
        [
            {"id": 1, "method": "eth_chainId"},
            {"id": 2, "method": "eth_sendRawTransaction"},
            5,
            {"id": 3, "method": "eth_blockNumber"},
        ]
    )
    assert sorted((a["id"] or 0, a.get("result", "refused")) for a in answer) == [
        (0, "refused"),
        (1, "eth_chainId"),
        (2, "refused"),
        (3, "eth_blockNumber"),
    ]
    assert [c["id"] for c in node.asked[0]] == [1, 3]
    assert refused == ["eth_sendRawTransaction"]


@pytest.mark.parametrize("call", [5, "eth_call", None, {"id": 1}, {"id": 1, "method": ["eth_call"]}])
def test_what_is_no_request_never_reaches_the_node(call: Any) -> None:
    answer, node, _ = ask(call)
    assert "error" in answer
    assert node.asked == []


def test_a_duplicate_method_cannot_smuggle_a_write() -> None:
    node, refused = Node(), list[str]()
    body = b'{"id": 1, "method": "eth_sendRawTransaction", "method": "eth_chainId"}'
    readonly_gateway.answer(body, node.post, refused.append)
    assert node.asked == [{"id": 1, "method": "eth_chainId"}]


def test_text_that_is_not_json_is_refused() -> None:
    assert json.loads(readonly_gateway.answer(b"{", Node().post, list[str]().append))["error"]["code"] == -32700


@pytest.fixture
def served() -> Iterator[tuple[str, Node, list[dict[str, str]]]]:
    node, lines = Node(), list[dict[str, str]]()
    server = readonly_gateway.server(0, node.post, lines.append)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", node, lines
    server.shutdown()
    server.server_close()
    thread.join()


def post(url: str, body: bytes) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, data=body, method="POST"), timeout=5) as reply:
        return json.loads(reply.read())


def test_over_http_a_refusal_is_logged_with_method_and_client_but_no_parameters(
    served: tuple[str, Node, list[dict[str, str]]],
) -> None:
    url, node, lines = served
    assert post(url, b'{"id": 1, "method": "eth_chainId"}')["result"] == "eth_chainId"
    assert "error" in post(url, b'{"id": 2, "method": "eth_sendRawTransaction", "params": ["0xsecret"]}')
    assert [(line["event"], line["method"], line["client"]) for line in lines] == [("refused", "eth_sendRawTransaction", "127.0.0.1")]
    assert "0xsecret" not in json.dumps(lines)
    assert len(node.asked) == 1


def test_a_request_without_a_body_is_refused(served: tuple[str, Node, list[dict[str, str]]]) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(served[0], b"")
    assert caught.value.code == 413


def test_a_silent_node_is_a_bad_gateway() -> None:
    def gone(body: bytes) -> bytes:
        raise OSError("unreachable")

    server = readonly_gateway.server(0, gone, list[dict[str, str]]().append)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    with pytest.raises(urllib.error.HTTPError) as caught:
        post(f"http://127.0.0.1:{server.server_address[1]}", b'{"id": 1, "method": "eth_chainId"}')
    thread.join()
    server.server_close()
    assert caught.value.code == 502
