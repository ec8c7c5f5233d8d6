"""A restore or a backup of somebody else goes first."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.isolation import load
from dalp_dr.model.check import Verdict
from sandbox_sample import PLAN, ours


def one(name: str, phase: str | None, labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels or {}}, "status": {"phase": phase} if phase else {}}


@pytest.mark.parametrize(
    ("found", "busy"),
    [
        ([one("a", "Completed"), one("b", "PartiallyFailed"), one("c", "Failed"), one("d", "FailedValidation")], ()),
        ([one("a", "InProgress"), one("b", "Finalizing"), one("c", None)], ("a", "b", "c")),
        ([one("mine", "InProgress", ours())], ()),
        ([one("older", "InProgress", ours() | {"dalp-dr/drill-id": "d-20260101-00000000"})], ("older",)),
    ],
)
def test_who_is_busy(found: list[dict[str, Any]], busy: tuple[str, ...]) -> None:
    assert load.busy(found, PLAN.drill_id) == busy


@pytest.mark.parametrize(
    ("facts", "verdict", "finding"),
    [
        (load.VeleroLoad((), (), 3, 0.1, 60), Verdict.PASS, ""),
        (load.VeleroLoad(("production",), (), 3, 60.2, 60), Verdict.FAIL, "Restore production is under way"),
        (load.VeleroLoad((), ("nightly",), 3, 60.2, 60), Verdict.FAIL, "Backup nightly is under way"),
        (load.VeleroLoad((), (), 0, 0.1, 60), Verdict.INCONCLUSIVE, ""),
    ],
)
def test_judgement(facts: load.VeleroLoad, verdict: Verdict, finding: str) -> None:
    result = load.velero_idle(facts, PLAN)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)
