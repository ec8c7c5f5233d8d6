"""A fault counts as found only if the drill failed, ended as the fault says and named it by a check of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dalp_dr import catalogue
from dalp_dr_lab import fault_table, matrix
from dalp_dr_lab.faults import registry
from dalp_dr_lab.faults.fault import Fault, nothing
from dalp_dr_lab.lab import Lab

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv("DALP_DR_HOME", str(tmp_path))
    return Lab.load()


def _fault(outcome: str = "FIX", name: str = "one-wei", checks: tuple[str, ...] = ("chain.balances",), verdict: str = "fail") -> Fault:
    return Fault(name, "A balance differs.", checks, nothing, nothing, outcome=outcome, verdict=verdict)


def _summary(decision: str = "FIX", outcome: str = "normal", *checks: str, **more: Any) -> dict[str, Any]:
    reasons = [{"check": check, "verdict": "fail", **more} for check in checks]
    return {"decision": decision, "outcome": outcome, "verdict": "fail", "reasons": reasons}


@pytest.mark.parametrize(
    ("expected", "status", "summary", "passed"),
    [
        pytest.param("FIX", 1, _summary("FIX", "normal", "chain.balances", "more"), True, id="found and named"),
        pytest.param("refused", 1, _summary("FIX", "refused", "chain.balances"), True, id="refused as it should be"),
        pytest.param("refused", 1, _summary("FIX", "normal", "chain.balances"), False, id="not refused"),
        pytest.param("FIX", 1, _summary("FIX", "normal", "another"), False, id="another reason only"),
        pytest.param("FIX", 1, _summary("FIX", "normal"), False, id="no reason"),
        pytest.param("FIX", 1, _summary("FIX", "normal", "chain.balances", ran=False), False, id="never reached"),
        pytest.param("FIX", 1, _summary("FIX", "normal", "chain.balances") | {"reasons": []}, False, id="nothing asked"),
        pytest.param("FIX", 0, _summary("READY", "normal", "chain.balances"), False, id="said READY"),
        pytest.param("FIX", 0, _summary("FIX", "normal", "chain.balances"), False, id="exit status 0"),
        pytest.param("FIX", 1, None, False, id="no summary"),
    ],
)
def test_judgement(lab: Lab, expected: str, status: int, summary: dict[str, Any] | None, passed: bool) -> None:
    [found] = matrix.together(lab, [_fault(expected)], lambda lab, names: (status, summary))
    assert found.passed is passed
    assert found.fault == "one-wei"


@pytest.mark.parametrize(("verdict", "passed"), [("fail", False), ("inconclusive", True)])
def test_the_verdict_must_be_the_faults(lab: Lab, verdict: str, passed: bool) -> None:
    summary = _summary("FIX", "normal", "chain.balances") | {"reasons": [{"check": "chain.balances", "verdict": verdict}]}
    [found] = matrix.together(lab, [_fault(verdict="inconclusive")], lambda lab, names: (1, summary))
    assert found.passed is passed


def test_a_check_that_another_fault_of_the_drill_explains_names_nothing(lab: Lab) -> None:
    faults = [_fault(checks=("shared", "own")), _fault(name="other", checks=("shared",))]
    first, second = matrix.together(lab, faults, lambda lab, names: (1, _summary("FIX", "normal", "shared", "own")))
    assert (first.named, first.passed, first.together_with) == (("own",), True, ("other",))
    assert (second.named, second.passed) == ((), False)


def test_in_every_group_each_fault_has_a_check_of_its_own_and_all_end_alike() -> None:
    for group in matrix.grouped(registry.FAULTS.values()):
        assert len({fault.outcome for fault in group}) == 1, [fault.name for fault in group]
        assert len([fault for fault in group if fault.asks]) <= 1
        for fault in group:
            others = {check for other in group if other is not fault for check in other.checks}
            assert set(fault.checks) - others, f"{fault.name} cannot be told apart in {[one.name for one in group]}"


def test_what_stops_a_drill_does_not_stand_beside_what_shows_later() -> None:
    """A drill that has no sandbox, or whose services must not start, cannot ask what comes after."""
    after_start = {c.id for c in catalogue.CHECKS if c.stage.value in ("start", "measure")}
    blocks = {"secrets_sealed", "canaries_refused", "default_deny_in_force", "database_recovered"}
    for group in matrix.grouped(registry.FAULTS.values()):
        late = [fault.name for fault in group if set(fault.checks) <= after_start]
        assert not late or not [fault.name for fault in group if set(fault.checks) & blocks], late


class Runs:
    """Plays drills: every one finds what the table says, and remembers what it ran on."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, lab: Lab, names: Sequence[str]) -> tuple[int, dict[str, Any]]:
        self.asked.append(list(names))
        faults = registry.named(names)
        reasons = [{"check": check, "verdict": fault.verdict} for fault in faults for check in fault.checks]
        return 1, {"decision": "FIX", "outcome": "refused" if faults[0].outcome == "refused" else "normal", "reasons": reasons}


def test_the_whole_matrix_takes_few_drills_and_can_be_resumed(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runs = Runs()
    monkeypatch.setattr(matrix, "drill", runs)
    assert matrix.main([]) == 0
    assert sorted(name for names in runs.asked for name in names) == sorted(registry.FAULTS)
    assert len(runs.asked) <= 14
    rows = json.loads((tmp_path / "faults.json").read_text())
    assert all(row["passed"] and row["code"] for row in rows)
    rows[0]["passed"] = False
    (tmp_path / "faults.json").write_text(json.dumps(rows))
    runs.asked.clear()
    assert matrix.main(["--resume"]) == 0
    assert runs.asked == [[rows[0]["fault"]]], "only what was not found yet"
    runs.asked.clear()
    assert matrix.main(["--only", "one-wei,wal-gap"]) == 0
    assert runs.asked == [["one-wei"], ["wal-gap"]] or runs.asked == [["wal-gap"], ["one-wei"]]
    assert len(json.loads((tmp_path / "faults.json").read_text())) == len(registry.FAULTS), "the others' rows stay"


def test_a_matrix_that_missed_one_fails(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "drill", lambda lab, names: (1, _summary("FIX", "normal", "something_else")))
    assert matrix.main(["one-wei"]) == 1


# ---- the committed result


def test_the_table_names_every_fault_also_those_that_were_not_run() -> None:
    row = {"fault": "one-wei", "passed": False, "decision": "READY", "outcome": "normal", "named": [], "together_with": [], "seconds": 60.0}
    text = fault_table.table([row], [_fault(), _fault(name="another")])
    assert "| one-wei | A balance differs. | FIX, `chain.balances` fail | NOT FOUND | READY |" in text
    assert "| another | A balance differs. | FIX, `chain.balances` fail | not run |" in text
    assert "0 of 1 faults found in 1 drills, 1 minutes in all; 0 not run." in text


def test_a_fault_that_was_not_run_is_published_as_not_run(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    fault_table.publish(tmp_path, [], [_fault()])
    [row] = json.loads((tmp_path / fault_table.RESULT).read_text())
    assert (row["fault"], row["passed"]) == ("one-wei", None)
    assert "0 of 0 faults found in 0 drills, 0 minutes in all; 1 not run." in (tmp_path / fault_table.TABLE).read_text()


def test_a_result_of_other_code_is_stale(tmp_path: Path) -> None:
    assert "missing" in (fault_table.stale(tmp_path) or "")
    (tmp_path / "docs").mkdir()
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags/a.py").write_text("a = 1\n")
    (tmp_path / fault_table.RESULT).write_text(json.dumps([{"code": fault_table.code_digest(tmp_path)}]))
    assert fault_table.stale(tmp_path) is None
    (tmp_path / "dags/a.py").write_text("a = 2\n")
    assert "other code" in (fault_table.stale(tmp_path) or "")


def test_the_committed_result_can_be_read_and_misses_no_fault() -> None:
    rows = json.loads((ROOT / fault_table.RESULT).read_text())
    assert {row["fault"] for row in rows} == set(registry.FAULTS), "run `python -m dalp_dr_lab matrix --publish`"
    assert (ROOT / fault_table.TABLE).read_text() == fault_table.table(rows, registry.FAULTS.values())
