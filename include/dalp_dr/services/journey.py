"""What a user would do first, read only: sign in, list tokens, look at a balance, open a document.

Each value is compared with the reconciled one, so that an API that answers 200 from somewhere else is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.plan import DrillPlan

BASE = "/api/v2"
STEPS = ("me", "tokens", "balance", "document")


@dataclass(frozen=True)
class Reconciled:
    """Values on which chain, index and database agreed. Amounts are decimal strings in base units."""

    token: str
    total_supply: str
    holder: str
    balance: str
    document_id: str
    document_sha256: str
    document_size_bytes: int


@dataclass(frozen=True)
class Step:
    """One request and what came back. `observed`: the value compared, "" when there is none."""

    name: str
    path: str
    status: int | None
    seconds: float
    observed: str
    expected: str
    detail: str = ""


@dataclass(frozen=True)
class UserJourney:
    """The steps in order."""

    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Request:
    """One GET of the journey, with its path at the API service."""

    name: str
    path: str


def requests(token: str, holder: str, document_id: str) -> tuple[Request, ...]:
    """The steps in order."""
    paths = (
        "me",
        "tokens",
        f"tokens/{quote(token)}/holder-balances?holderAddress={quote(holder)}",
        f"documents/{quote(document_id)}/content",
    )
    return tuple(Request(name, f"{BASE}/{path}") for name, path in zip(STEPS, paths, strict=True))


def facts_from(plan: DrillPlan, answers: Mapping[str, Mapping[str, Any]], reconciled: Reconciled) -> UserJourney:
    """From `{step: {"status", "seconds", "json", "body_sha256", "size_bytes", "error"}}`; the document is compared by
    digest and size whatever its type, the others by their JSON. No personal data is kept: of the caller only whether
    the API knew who it is."""
    paths = {r.name: r.path for r in requests(reconciled.token, reconciled.holder, reconciled.document_id)}
    expected = {
        "me": "known",
        "tokens": reconciled.total_supply,
        "balance": reconciled.balance,
        "document": f"{reconciled.document_sha256} {reconciled.document_size_bytes}",
    }
    steps = []
    for name in STEPS:
        answer = answers.get(name, {"error": "not asked"})
        steps.append(
            Step(
                name,
                paths[name],
                answer.get("status"),
                float(answer.get("seconds", 0)),
                _observed(name, answer, reconciled),
                expected[name],
                str(answer.get("error", ""))[:200],
            )
        )
    return UserJourney(tuple(steps))


def _observed(name: str, answer: Mapping[str, Any], reconciled: Reconciled) -> str:
    if name == "document":
        return f"{answer['body_sha256']} {answer['size_bytes']}" if "body_sha256" in answer else ""
    body = answer.get("json")
    data = body.get("data") if isinstance(body, dict) else None
    if name == "me":
        return "known" if isinstance(data, dict) and data.get("id") is not None else ""
    if name == "tokens":
        rows = data if isinstance(data, list) else []
        return next(
            (str(t.get("totalSupplyExact", "")) for t in rows if str(t.get("id", "")).lower() == reconciled.token.lower()),
            "",
        )
    return str(data.get("balanceExact", "")) if isinstance(data, dict) else ""


def journey_reads_reconciled_values(facts: UserJourney, plan: DrillPlan) -> CheckResult:
    """Every step answered 2xx with the reconciled value."""
    expected = f"{', '.join(STEPS)}: 2xx with the reconciled values"
    silent = [f"{s.name}: {s.detail or 'no answer'}" for s in facts.steps if s.status is None]
    wrong = [
        f"{s.name}: status {s.status}, value {s.observed or 'none'} where {s.expected} was reconciled"
        for s in facts.steps
        if s.status is not None and (not 200 <= s.status < 300 or s.observed != s.expected)
    ]
    if wrong or (not silent and len(facts.steps) == len(STEPS)):
        return expect(not wrong, expected, f"{len(facts.steps) - len(wrong) - len(silent)} of {len(STEPS)} steps", wrong + silent)
    return inconclusive(expected, f"{len(silent)} steps without an answer", silent)
