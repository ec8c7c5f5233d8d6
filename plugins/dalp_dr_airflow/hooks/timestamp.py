"""A time-stamping authority (RFC 3161), asked over HTTP."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable

from dalp_dr.evidence import timestamp
from dalp_dr_airflow.hooks.errors import RetryPolicy, translate

SECONDS = 20
MOST_BYTES = 1 << 20


def send(request: urllib.request.Request) -> bytes:
    """One answer of the authority."""
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        data: bytes = answer.read(MOST_BYTES)
        return data


def stamp(url: str, statement: bytes, transport: Callable[[urllib.request.Request], bytes] = send) -> bytes:
    """The authority's answer for a signed statement, DER. CallError when it cannot be had, EvidenceError when it is no stamp of it."""

    def once() -> bytes:
        headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
        with translate("ask the time-stamping authority", "POST"):
            return transport(urllib.request.Request(url, timestamp.question(statement), headers, method="POST"))

    token = RetryPolicy(attempts=3).call(once)
    timestamp.moment(token, statement, "the authority's answer")
    return token
