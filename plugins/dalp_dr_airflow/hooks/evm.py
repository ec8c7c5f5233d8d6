"""An RPC node of the EVM chain, asked in raw JSON-RPC batches."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import msgspec
from airflow.sdk import BaseHook

from dalp_dr.errors import FactError
from dalp_dr_airflow.hooks.connections import endpoint
from dalp_dr_airflow.hooks.errors import CallError, RetryPolicy, call_error, redact, translate

Request = tuple[str, Sequence[Any]]
Envelope = dict[str, Any]
BATCH_REQUESTS = 100
TIMEOUT_SECONDS = 30.0
RATE_LIMITED = frozenset({-32005, -32029, -32097, 429})  # what nodes and gateways say inside a batch when asked too fast
_TOO_LARGE = (400, 413)


class EvmHook(BaseHook):
    """Reads only: `eth_send*`, `personal_*`, `anvil_*` and everything else that is not a read is refused before it is
    sent.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "dalp_rpc_primary"
    conn_type = "http"
    hook_name = "DALP EVM node (read only)"
    READS = frozenset(
        {
            "eth_chainId",
            "eth_blockNumber",
            "eth_getBlockByNumber",
            "eth_getBlockByHash",
            "eth_getLogs",
            "eth_call",
            "eth_getTransactionByHash",
            "eth_getTransactionReceipt",
            "eth_getTransactionCount",
            "eth_getCode",
            "eth_getStorageAt",
            "eth_getBalance",
            "eth_syncing",
            "net_version",
            "web3_clientVersion",
        }
    )

    def __init__(self, conn_id: str, retries: RetryPolicy | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.retries = retries or RetryPolicy()

    def batch(self, requests: Sequence[Request]) -> list[Envelope]:
        """One answer a request, in the order asked: `{"result": ...}` or `{"error": {"code"?, "message"}}`.

        A node that does not answer, answers something else than JSON-RPC, or leaves an answer out, gives an error in
        its place; a missing answer is never an empty one. Batches a node finds too large are halved, rate limits are
        waited out.
        """
        for method, _ in requests:
            if method not in self.READS:
                raise FactError(
                    f"{method} was about to be sent to the chain, which is only ever read.",
                    "This is a defect of the drill.",
                )
        found: list[Envelope] = []
        for start in range(0, len(requests), BATCH_REQUESTS):
            found += self._answers(requests[start : start + BATCH_REQUESTS])
        return found

    def _answers(self, requests: Sequence[Request]) -> list[Envelope]:
        try:
            return self.retries.call(lambda: self._once(requests))
        except CallError as error:
            if error.status in _TOO_LARGE and len(requests) > 1:
                half = len(requests) // 2
                return self._answers(requests[:half]) + self._answers(requests[half:])
            return [{"error": {"message": str(error)}} for _ in requests]

    def _once(self, requests: Sequence[Request]) -> list[Envelope]:
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)} for number, (method, params) in enumerate(requests)
        ]
        with translate("ask", self.name):
            answer = self._session.post(
                self._url,
                data=json.dumps(body),
                timeout=TIMEOUT_SECONDS,
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            )
        if answer.status_code != 200:
            raise call_error("ask", self.name, answer.status_code, answer.text, answer.headers.get("Retry-After"))
        try:
            found = msgspec.json.decode(answer.content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise CallError(f"{self.name} answered something that is not JSON.", "Look at what answers at this address.") from None
        envelopes = aligned(found, len(requests))
        if any(_code(envelope) in RATE_LIMITED and not _too_many(envelope) for envelope in envelopes):
            raise CallError(
                f"{self.name} limits the rate of questions: {_said(envelopes)}",
                "Ask for a higher limit or use another node.",
                status=429,
                transient=True,
            )
        return envelopes

    @property
    def name(self) -> str:
        """How errors name the node: never its URL, which often holds a key."""
        return f"the RPC node of connection {self.conn_id}"

    @cached_property
    def _url(self) -> str:
        return endpoint(self.conn_id)

    @cached_property
    def _session(self) -> Any:
        from requests import Session

        session = Session()
        session.trust_env = False
        return session


def aligned(answer: Any, count: int) -> list[Envelope]:
    """The envelopes of a batch in the order of its ids. An error object in place of the batch is the error of each."""
    if isinstance(answer, dict):
        return [_envelope(answer) for _ in range(count)]
    if not isinstance(answer, list):
        return [_error(f"a batch was answered with a {type(answer).__name__}") for _ in range(count)]
    by_id = {item.get("id"): item for item in answer if isinstance(item, dict)}
    return [_envelope(by_id[number]) if number in by_id else _error("the node left this answer out") for number in range(count)]


def _envelope(item: dict[str, Any]) -> Envelope:
    if item.get("error") is not None:
        error = item["error"]
        said = error if isinstance(error, dict) else {"message": str(error)}
        return {"error": {**said, "message": redact(str(said.get("message", "")))}}
    return {"result": item["result"]} if "result" in item else _error("the answer has neither result nor error")


def _error(message: str) -> Envelope:
    return {"error": {"message": message}}


def _code(envelope: Envelope) -> Any:
    return envelope.get("error", {}).get("code")


def _too_many(envelope: Envelope) -> bool:
    """The answer would be too large: waiting does not help, a smaller range does. Some nodes use a rate limit's code for it."""
    return re.search(r"results|block range|range (is )?too|response size", str(envelope["error"].get("message", "")), re.I) is not None


def _said(envelopes: Sequence[Envelope]) -> str:
    return next(str(e["error"].get("message", "")) for e in envelopes if _code(e) in RATE_LIMITED)
