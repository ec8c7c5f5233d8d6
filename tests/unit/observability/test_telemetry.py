"""Known signals must be found in the restored data."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.model.check import Verdict
from dalp_dr.observability import telemetry
from sandbox_sample import PLAN

SIGNALS = PLAN.environment.observability.signals


def answers(**changes: Any) -> list[dict[str, Any]]:
    """An answer per signal; `changes` apply to the first."""
    made = [{"kind": s.kind, "path": s.path, "status": 200, "body": f'{{"data": ["{s.contains}"]}}'} for s in SIGNALS]
    made[0].update(changes)
    return made


@pytest.mark.parametrize(
    ("given", "verdict", "finding"),
    [
        (answers(), Verdict.PASS, ""),
        (answers(body='{"data": []}'), Verdict.FAIL, "not found in 12 bytes"),
        (answers(status=503), Verdict.FAIL, "status 503"),
        (answers(status=None, body="", error="no route"), Verdict.INCONCLUSIVE, "no route"),
        (answers()[1:], Verdict.INCONCLUSIVE, "not asked"),
        ([], Verdict.INCONCLUSIVE, "not asked"),
        (answers(path="/other"), Verdict.FAIL, "/other: status 200, not found"),
    ],
)
def test_judgement(given: list[dict[str, Any]], verdict: Verdict, finding: str) -> None:
    result = telemetry.telemetry_queryable(telemetry.facts_from(PLAN, given), PLAN)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)


def test_the_telemetry_itself_is_not_kept() -> None:
    assert "secret line" not in repr(telemetry.facts_from(PLAN, answers(body="secret line")))
