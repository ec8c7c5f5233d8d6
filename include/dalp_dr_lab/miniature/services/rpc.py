"""JSON-RPC to an EVM node by plain HTTP."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from typing import Any

TIMEOUT_SECONDS = 10


class RpcError(Exception):
    """The node refused a call, or could not be reached."""


def post(url: str, payload: object) -> Any:
    """POST JSON and return the parsed answer; RpcError when there is none."""
    request = urllib.request.Request(url, json.dumps(payload).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as reply:
            return json.load(reply)
    except (OSError, ValueError) as error:
        raise RpcError(f"RPC endpoint {url} does not answer: {error}") from error


def call(url: str, method: str, *params: object) -> Any:
    """One call's result."""
    return _result(post(url, {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}), method)


def batch(url: str, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
    """The results of several calls, in their order."""
    if not calls:
        return []
    payload = [{"jsonrpc": "2.0", "id": i, "method": m, "params": list(p)} for i, (m, p) in enumerate(calls)]
    answers = post(url, payload)
    if not isinstance(answers, list):
        raise RpcError(f"RPC endpoint {url} refused a batch: {answers}")
    ordered = {answer.get("id"): answer for answer in answers}
    return [_result(ordered.get(i, {}), method) for i, (method, _) in enumerate(calls)]


def _result(answer: dict[str, Any], method: str) -> Any:
    if "result" not in answer:
        raise RpcError(f"{method}: {answer.get('error') or 'no result'}")
    return answer["result"]


def check_chain(url: str, chain_id: int) -> None:
    """Raise unless the endpoint answers and is on the expected network."""
    found = int(call(url, "eth_chainId"), 16)
    if found != chain_id:
        raise RpcError(f"the RPC endpoint is on chain {found}, settings say {chain_id}")
