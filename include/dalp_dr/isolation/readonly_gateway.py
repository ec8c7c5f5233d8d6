"""A JSON-RPC gateway that passes reads on and refuses everything else. Runs in a sandbox pod; standard library only.

Methods are allowed by name: what is not on the list is refused, whatever it is called. A batch is taken apart:
allowed calls are forwarded, refused ones answered here. Each refusal is logged as one JSON line (method and client,
never parameters). Settings: UPSTREAM_URL, PORT.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ALLOWED = frozenset(
    (
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_createAccessList",
        "eth_estimateGas",
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getBlockReceipts",
        "eth_getBlockTransactionCountByHash",
        "eth_getBlockTransactionCountByNumber",
        "eth_getCode",
        "eth_getLogs",
        "eth_getProof",
        "eth_getStorageAt",
        "eth_getTransactionByBlockHashAndIndex",
        "eth_getTransactionByBlockNumberAndIndex",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "eth_maxPriorityFeePerGas",
        "eth_syncing",
        "net_listening",
        "net_peerCount",
        "net_version",
        "web3_clientVersion",
        "web3_sha3",
    )
)
REFUSAL = "refused: the gateway of a recovery drill only reads"
LIMIT_BYTES = 8 * 1024 * 1024
UPSTREAM_SECONDS = 30

Post = Callable[[bytes], bytes]
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answer(body: bytes, post: Post, refused: Callable[[str], None]) -> bytes:
    """The answer to one request or batch; `refused` hears the name of each method that was not passed on."""
    try:
        asked = json.loads(body)
    except ValueError:
        return _encode(_error(None, -32700, "not JSON"))
    if isinstance(asked, list):
        return _encode(_batch(asked, post, refused))
    if not isinstance(asked, dict):
        return _encode(_error(None, -32600, "not a request"))
    refusal = _refusal(asked, refused)
    return _encode(refusal) if refusal else post(_encode(asked))


def _batch(asked: list[Any], post: Post, refused: Callable[[str], None]) -> list[Any]:
    answers: list[Any] = []
    passed: list[Any] = []
    for call in asked:
        refusal = _refusal(call, refused) if isinstance(call, dict) else _error(None, -32600, "not a request")
        if refusal is None:
            passed.append(call)
        else:
            answers.append(refusal)
    if passed:
        upstream = json.loads(post(_encode(passed)))
        answers.extend(upstream if isinstance(upstream, list) else [upstream])
    return answers


def _refusal(call: dict[str, Any], refused: Callable[[str], None]) -> dict[str, Any] | None:
    method = call.get("method")
    if isinstance(method, str) and method in ALLOWED:
        return None
    refused(str(method)[:100])
    return _error(call.get("id"), -32601, f"{REFUSAL} ({str(method)[:100]})")


def _error(identifier: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identifier, "error": {"code": code, "message": message}}


def _encode(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def post_to(url: str) -> Post:
    """A function that posts a body to the RPC node. Raises OSError when it cannot be reached."""

    def post(body: bytes) -> bytes:
        request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"}, method="POST")
        try:
            with _DIRECT.open(request, timeout=UPSTREAM_SECONDS) as reply:
                return bytes(reply.read())
        except urllib.error.HTTPError as error:
            raise OSError(f"HTTP {error.code}") from error

    return post


def server(port: int, post: Post, log: Callable[[dict[str, str]], None]) -> ThreadingHTTPServer:
    """The gateway, bound to `port` of every address, not yet serving."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply(200 if self.path == "/health" else 404, b"{}")

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if not 0 < length <= LIMIT_BYTES:
                self.close_connection = True
                self.reply(413, _encode(_error(None, -32600, "no length given, or too long")))
                return
            body = self.rfile.read(length)
            try:
                self.reply(200, answer(body, post, self.refused))
            except (OSError, ValueError) as error:
                self.reply(502, _encode(_error(None, -32000, f"the RPC node did not answer: {type(error).__name__}")))

        def refused(self, method: str) -> None:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            log({"event": "refused", "at": now, "method": method, "client": self.client_address[0]})

        def reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Requests are not logged; refusals are."""

    return ThreadingHTTPServer(("", port), Handler)


def _print(line: dict[str, str]) -> None:
    print(json.dumps(line), file=sys.stdout, flush=True)


if __name__ == "__main__":
    server(int(os.environ["PORT"]), post_to(os.environ["UPSTREAM_URL"]), _print).serve_forever()
