"""Crashes are named and have moments that exist; what a drill left is judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dalp_dr_lab.crashes import aftermath, matrix, registry
from dalp_dr_lab.drill import command
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import NAMESPACES

ASKED = "2026-10-06T06:00:00+00:00"


def record(kind: str, subject: str, attempt: int = 1, **facts: Any) -> dict[str, Any]:
    return {"kind": kind, "subject": subject, "attempt": attempt, "facts": facts}


GOOD: list[dict[str, Any]] = [
    *(record("restore_run", name, restore=f"drill-1-{name}-1") for name in NAMESPACES),
    record("database_recovery", "drill", created_at="2026-10-06T06:01:00Z"),
]


def a_drill(root: Path, records: list[dict[str, Any]], **changed: Any) -> Path:
    folder = root / "drills" / "d-1"
    (folder / "bundle/records").mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps({"drill_id": "d-1", "decision": "READY", "started_at": ASKED, "reasons": []} | changed))
    (folder / "bundle/plan.json").write_text(json.dumps({"asked_at": ASKED}))
    for number, one in enumerate(records):
        (folder / f"bundle/records/{number}.json").write_text(json.dumps(one))
    return folder


def ledger(*kinds: str) -> list[Path]:
    return [Path(f"{number:06d}-d-1-{kind}.json") for number, kind in enumerate(kinds, 1)]


CLOSED = ("opening", "seal", "sign_off", "decision", "teardown")
WRONG: dict[str, tuple[list[dict[str, Any]], dict[str, Any], tuple[str, ...], str]] = {
    "not ready": (GOOD, {"decision": "FIX"}, CLOSED, "the decision is FIX"),
    "a second Restore": ([*GOOD, record("restore_run", "app", 2, restore="drill-1-app-2")], {}, CLOSED, "Restores for"),
    "a second database": ([*GOOD, record("database_recovery", "drill", 2, created_at="later")], {}, CLOSED, "2 recovered databases"),
    "doubled evidence": ([*GOOD, GOOD[0]], {}, CLOSED, "evidence is doubled"),
    "the clock moved": (GOOD, {"started_at": "2026-10-06T06:09:00+00:00"}, CLOSED, "the clock moved"),
    "decided twice": (GOOD, {}, (*CLOSED, "decision"), "2 entries of kind decision"),
    "never decided": (GOOD, {}, CLOSED[:2], "not opened and closed"),
}


def test_a_drill_that_ended_as_it_would_have_has_no_complaints(tmp_path: Path) -> None:
    twice = [*GOOD, record("volumes", "app", 1), record("volumes", "app", 2)]
    assert aftermath.complaints(a_drill(tmp_path, twice), ASKED, ledger(*CLOSED)) == ()


@pytest.mark.parametrize("case", WRONG)
def test_what_a_crash_has_changed_is_named(tmp_path: Path, case: str) -> None:
    records, changed, kinds, said = WRONG[case]
    (found,) = aftermath.complaints(a_drill(tmp_path, records, **changed), ASKED, ledger(*kinds))
    assert said in found


def test_a_crash_that_never_happened_is_a_complaint(tmp_path: Path) -> None:
    folder = a_drill(tmp_path, GOOD)
    (folder / "crashes.json").write_text(json.dumps({"asked_at": ASKED, "happened": ["scheduler-killed"]}))
    (tmp_path / "ledger").mkdir()
    for path in ledger(*CLOSED):
        (tmp_path / "ledger" / path.name).touch()

    class FakeLab:
        home = tmp_path

    lab: Any = FakeLab()
    assert matrix.judge(lab, folder, ["scheduler-killed"], 0) == []
    assert matrix.judge(lab, folder, ["scheduler-killed", "worker-frozen"], 0) == ["never happened: worker-frozen"]
    assert matrix.judge(lab, folder, ["scheduler-killed"], 1) == ["exit status 1"]


def test_an_unknown_crash_is_refused_before_anything_is_started(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LabError, match="There is no crash meteor"):
        registry.named(["meteor"])
    assert command.main(["--crash", "meteor"]) == command.NOT_READY
    assert "There is no crash meteor" in capsys.readouterr().out


def test_every_crash_says_what_dies_and_belongs_to_a_drill() -> None:
    assert all(one.sentence and one.group in registry.GROUPS for one in registry.CRASHES.values())
