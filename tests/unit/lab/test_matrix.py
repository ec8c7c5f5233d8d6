"""A fault counts as found only if the drill failed, ended as the fault says and named it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dalp_dr_lab import matrix
from dalp_dr_lab.faults.fault import Fault, nothing
from dalp_dr_lab.lab import Lab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("DALP_DR_HOME", str(tmp_path))
    return Lab.load()


def _fault(outcome: str) -> Fault:
    return Fault("one-wei", "a balance differs", ("chain.balances",), nothing, nothing, outcome=outcome)


def _summary(decision: str = "FIX", outcome: str = "normal", *checks: str) -> dict[str, Any]:
    return {"decision": decision, "outcome": outcome, "verdict": "fail", "reasons": [{"check": check} for check in checks]}


@pytest.mark.parametrize(
    ("expected", "status", "summary", "passed"),
    [
        pytest.param("FIX", 1, _summary("FIX", "normal", "chain.balances", "more"), True, id="found and named"),
        pytest.param("refused", 1, _summary("FIX", "refused", "chain.balances"), True, id="refused as it should be"),
        pytest.param("refused", 1, _summary("FIX", "normal", "chain.balances"), False, id="not refused"),
        pytest.param("FIX", 1, _summary("FIX", "normal", "another"), False, id="another reason only"),
        pytest.param("FIX", 1, _summary("FIX", "normal"), False, id="no reason"),
        pytest.param("FIX", 0, _summary("READY", "normal", "chain.balances"), False, id="said READY"),
        pytest.param("FIX", 0, _summary("FIX", "normal", "chain.balances"), False, id="exit status 0"),
        pytest.param("FIX", 1, None, False, id="no summary"),
    ],
)
def test_judgement(lab: Lab, expected: str, status: int, summary: dict[str, Any] | None, passed: bool) -> None:
    found = matrix.row(lab, _fault(expected), lambda lab, name: (status, summary))
    assert found.passed is passed
    assert found.fault == "one-wei"
