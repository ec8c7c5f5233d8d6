"""Tries, from inside a sandbox, every connection that must not work, and one that must. Standard library only.

All attempts run side by side, the positive control among them, so that the control shows the network of the same
moment. Settings: TARGETS, a JSON object {"targets": [{name, address, port}], "control": {address, port}, "rpc_url",
"timeout_seconds"}. Writes JSON lines: one per attempt, then chain_send, chain_read, and an end line with the number
of attempts.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPERM, errno.EACCES}
REFUSAL = "refused: the gateway of a recovery drill only reads"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def connect(target: dict[str, Any], timeout_seconds: float) -> dict[str, Any]:
    """One TCP connection: connected, timeout, unreachable, reset (somebody answered), unresolved or error."""
    begun = time.monotonic()
    outcome, detail = "connected", ""
    try:
        socket.create_connection((target["address"], target["port"]), timeout=timeout_seconds).close()
    except socket.gaierror as error:
        outcome, detail = "unresolved", str(error)
    except TimeoutError:
        outcome = "timeout"
    except OSError as error:
        known = {errno.ECONNREFUSED: "reset", errno.ECONNRESET: "reset", errno.ETIMEDOUT: "timeout"}
        outcome = "unreachable" if error.errno in UNREACHABLE else known.get(error.errno or 0, "error")
        detail = str(error)
    return {
        "event": "connect",
        "name": target["name"],
        "address": target["address"],
        "port": target["port"],
        "outcome": outcome,
        "seconds": round(time.monotonic() - begun, 3),
        "detail": detail,
    }


def call(url: str, method: str, params: list[Any], timeout_seconds: float) -> dict[str, Any]:
    """One JSON-RPC call: its answer, or {"failure": why}."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"}, method="POST")
    try:
        with _DIRECT.open(request, timeout=timeout_seconds) as reply:
            answer = json.loads(reply.read())
    except (OSError, ValueError) as error:
        return {"failure": f"{type(error).__name__}: {error}"}
    return answer if isinstance(answer, dict) else {"failure": "not a JSON-RPC answer"}


def chain_send(url: str, timeout_seconds: float) -> dict[str, Any]:
    """Try to send a transaction (one that no node can accept): refused by our gateway, passed_on, or error."""
    answer = call(url, "eth_sendRawTransaction", ["0x00"], timeout_seconds)
    if "failure" in answer:
        return {"event": "chain_send", "outcome": "error", "detail": answer["failure"]}
    message = str((answer.get("error") or {}).get("message", ""))
    return {
        "event": "chain_send",
        "outcome": "refused" if message.startswith(REFUSAL) else "passed_on",
        "detail": message[:200],
    }


def chain_read(url: str, timeout_seconds: float) -> dict[str, Any]:
    """Read the chain id through the gateway, so that a silent chain is not taken for a closed one."""
    answer = call(url, "eth_chainId", [], timeout_seconds)
    outcome = "answered" if isinstance(answer.get("result"), str) else "error"
    return {
        "event": "chain_read",
        "outcome": outcome,
        "detail": str(answer.get("result") or answer.get("failure") or answer)[:200],
    }


def run(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Every attempt, then the two calls to the gateway."""
    seconds = settings["timeout_seconds"]
    targets = [*settings["targets"], {**settings["control"], "name": "control"}]
    with ThreadPoolExecutor(len(targets)) as pool:
        lines = list(pool.map(lambda target: connect(target, seconds), targets))
    lines += [chain_send(settings["rpc_url"], 10), chain_read(settings["rpc_url"], 10)]
    return [*lines, {"event": "end", "attempts": len(targets)}]


if __name__ == "__main__":
    for line in run(json.loads(os.environ["TARGETS"])):
        print(json.dumps(line), flush=True)
