"""dalp-erpc: the services' one way to the chain. Forwards JSON-RPC to UPSTREAM_URL; refuses writes if READ_ONLY."""

from __future__ import annotations

import json
import re

from . import rpc, server, settings

WRITES = re.compile(r"^(eth_send|personal_|admin_|miner_|anvil_|evm_|hardhat_|debug_set|qbft_propose|eth_sign)")


def refused(method: str, read_only: bool) -> bool:
    """Whether the gateway does not forward the method: node administration never, sends not in read-only mode."""
    return bool(WRITES.match(method)) and (read_only or not method.startswith("eth_sendRaw"))


def forward(request: server.Request) -> server.Answer:
    """Forward one call or one batch, unless a method in it is refused."""
    if request.path == "/healthcheck":
        ready()
        return server.Answer({"status": "ok"})
    if request.method != "POST":
        raise server.not_found(request)
    payload = json.loads(request.body)
    read_only = settings.required("READ_ONLY") == "true"
    for entry in payload if isinstance(payload, list) else [payload]:
        if refused(str(entry.get("method")), read_only):
            text = f"the gateway does not forward {entry.get('method')}"
            error = {"jsonrpc": "2.0", "id": entry.get("id"), "error": {"code": -32601, "message": text}}
            return server.Answer(error)
    return server.Answer(rpc.post(settings.required("UPSTREAM_URL"), payload))


def ready() -> None:
    """Ready when the upstream answers and is on the expected network."""
    settings.required("READ_ONLY")
    rpc.check_chain(settings.required("UPSTREAM_URL"), settings.number("CHAIN_ID"))


if __name__ == "__main__":
    server.serve(4000, forward, ready, "dalp-erpc")
