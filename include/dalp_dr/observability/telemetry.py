"""Is the restored telemetry really there? A known metric, log line and trace are asked of the restored store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.plan import DrillPlan


@dataclass(frozen=True)
class SignalAnswer:
    """The answer to one query. `found`: the known text was in it; the body itself is kept only as size and digest."""

    kind: str
    path: str
    status: int | None
    found: bool
    size_bytes: int
    sha256: str
    error: str = ""


@dataclass(frozen=True)
class Telemetry:
    """One answer per signal of the environment."""

    signals: tuple[SignalAnswer, ...]


def facts_from(plan: DrillPlan, answers: Iterable[Mapping[str, Any]]) -> Telemetry:
    """From `{"kind", "path", "status", "body", "error"}` per query; the text to look for is the environment's."""
    known = {(s.kind, s.path): s.contains for s in plan.environment.observability.signals}
    return Telemetry(tuple(_answer(a, known.get((a["kind"], a["path"]))) for a in answers))


def _answer(answer: Mapping[str, Any], contains: str | None) -> SignalAnswer:
    body = str(answer.get("body") or "").encode()
    return SignalAnswer(
        answer["kind"],
        answer["path"],
        answer.get("status"),
        contains is not None and contains.encode() in body,
        len(body),
        hashlib.sha256(body).hexdigest(),
        str(answer.get("error") or "")[:200],
    )


def telemetry_queryable(facts: Telemetry, plan: DrillPlan) -> CheckResult:
    """Each known signal is found in the restored data."""
    answers = {(s.kind, s.path): s for s in facts.signals}
    wanted = [(s.kind, s.path) for s in plan.environment.observability.signals]
    silent = [
        f"{kind} {path}: {answers[kind, path].error or 'no answer' if (kind, path) in answers else 'not asked'}"
        for kind, path in wanted
        if (kind, path) not in answers or answers[kind, path].status is None
    ]
    wrong = [
        f"{s.kind} {s.path}: status {s.status}, {'found' if s.found else 'not found'} in {s.size_bytes} bytes"
        for s in facts.signals
        if s.status is not None and not (200 <= s.status < 300 and s.found)
    ]
    expected = f"{len(wanted)} known signals found"
    if wrong or not silent:
        return expect(not wrong, expected, f"{sum(s.found for s in facts.signals)} found", wrong + silent)
    return inconclusive(expected, f"{len(silent)} without an answer", silent)
