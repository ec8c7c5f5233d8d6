"""The user's first steps must show the reconciled values."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.model.check import Verdict
from dalp_dr.services import journey
from sandbox_sample import PLAN

RECONCILED = journey.Reconciled("0xAbC", "100000000000000000001", "0xdef", "42", "7", "e" * 64, 12)
GOOD: dict[str, dict[str, Any]] = {
    "me": {"status": 200, "seconds": 0.1, "json": {"data": {"id": 14, "name": "Reader"}}},
    "tokens": {
        "status": 200,
        "json": {
            "data": [
                {"id": "0xother", "totalSupplyExact": "1"},
                {"id": "0xabc", "totalSupplyExact": "100000000000000000001"},
            ]
        },
    },
    "balance": {"status": 200, "json": {"data": {"balanceExact": "42"}}},
    "document": {"status": 200, "body_sha256": "e" * 64, "size_bytes": 12},
}


def test_requests_are_those_of_the_api() -> None:
    assert [(r.name, r.path) for r in journey.requests("0xabc", "0xdef", "7")] == [
        ("me", "/api/v2/me"),
        ("tokens", "/api/v2/tokens"),
        ("balance", "/api/v2/tokens/0xabc/holder-balances?holderAddress=0xdef"),
        ("document", "/api/v2/documents/7/content"),
    ]


@pytest.mark.parametrize(
    ("step", "answer", "verdict", "finding"),
    [
        ("me", GOOD["me"], Verdict.PASS, ""),
        ("me", {"status": 401, "json": {"error": {"code": "DALP-0002"}}}, Verdict.FAIL, "me: status 401"),
        ("me", {"status": 200, "json": {"data": None}}, Verdict.FAIL, "value none where known"),
        ("tokens", {"status": 200, "json": {"data": []}}, Verdict.FAIL, "tokens: status 200, value none"),
        (
            "tokens",
            {"status": 200, "json": {"data": [{"id": "0xabc", "totalSupplyExact": "100000000000000000000"}]}},
            Verdict.FAIL,
            "100000000000000000000 where",
        ),
        ("balance", {"status": 200, "json": {"data": {"balanceExact": "43"}}}, Verdict.FAIL, "value 43 where 42"),
        ("balance", {"status": 200, "json": ["odd"]}, Verdict.FAIL, "balance"),
        ("document", {"status": 200, "body_sha256": "f" * 64, "size_bytes": 12}, Verdict.FAIL, "document: status 200"),
        ("document", {"status": 502, "json": {"error": {}}}, Verdict.FAIL, "document: status 502"),
        ("document", {"status": None, "error": "no route"}, Verdict.INCONCLUSIVE, "document: no route"),
    ],
)
def test_judgement(step: str, answer: dict[str, Any], verdict: Verdict, finding: str) -> None:
    result = journey.journey_reads_reconciled_values(journey.facts_from(PLAN, {**GOOD, step: answer}, RECONCILED), PLAN)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)


def test_a_step_that_was_not_asked_is_inconclusive() -> None:
    facts = journey.facts_from(PLAN, {k: v for k, v in GOOD.items() if k != "document"}, RECONCILED)
    assert journey.journey_reads_reconciled_values(facts, PLAN).verdict is Verdict.INCONCLUSIVE


def test_no_personal_data_is_kept() -> None:
    assert "Reader" not in repr(journey.facts_from(PLAN, GOOD, RECONCILED))
