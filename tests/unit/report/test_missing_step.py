"""The page that a runbook lacks: from a summary's reasons to a patch that Git takes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from dalp_dr.report import missing_step

FINDING = "Deployment dalp-drill-1-app/dalp-dapi: Update by kubectl-edit at 2026-10-06T06:05:00Z, spec.replicas"


def a_summary(*checks: str, verdict: str = "fail", finding: str = FINDING) -> dict[str, Any]:
    reason = {"verdict": verdict, "observed": "1 foreign", "runbook": "isolation.md#manual-changes", "findings": [finding]}
    reasons = [reason | {"check": check} for check in checks]
    return {"drill_id": "d-20261006-1a2b3c4d", "environment": "lab", "started_at": "2026-10-06T06:00:00Z", "reasons": reasons}


def test_object_field_client_time_and_section_are_on_the_page() -> None:
    step = missing_step.of(a_summary("no_manual_changes", "rto_met"))
    assert step is not None
    assert FINDING in step.text and "isolation.md#manual-changes" in step.text
    assert "rto_met" not in step.text, "a target that was missed is no step that was missing"
    assert step.path == "runbooks/missing-steps/d-20261006-1a2b3c4d.md"


NONE = {
    "nothing was found": a_summary(),
    "another check": a_summary("rto_met"),
    "unknown": a_summary("no_task_marked", verdict="inconclusive"),
}


@pytest.mark.parametrize("summary", NONE.values(), ids=NONE.keys())
def test_without_a_manual_change_nothing_is_proposed(summary: dict[str, Any]) -> None:
    assert missing_step.of(summary) is None


def test_git_takes_the_patch(tmp_path: Path) -> None:
    step = missing_step.of(a_summary("no_task_marked", "reruns_explained"))
    assert step is not None
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "apply", "-"], input=step.patch(), text=True, check=True)
    assert (tmp_path / step.path).read_text() == step.text


@pytest.mark.parametrize("odd", ["two\nlines", "`code`", "\x1b[31mred", "x" * 5000], ids=["lines", "quotes", "escape", "length"])
def test_a_name_of_unknown_origin_breaks_no_line(odd: str) -> None:
    step = missing_step.of(a_summary("no_manual_changes", finding=odd))
    plain = missing_step.of(a_summary("no_manual_changes", finding="plain"))
    assert step is not None and plain is not None
    assert len(step.text.splitlines()) == len(plain.text.splitlines())
    assert "\x1b" not in step.text and max(map(len, step.text.splitlines())) < 400
