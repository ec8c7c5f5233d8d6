"""On-call is told reason, link and next step; a notification that fails changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dalp_dr import naming
from dalp_dr.errors import FactError
from dalp_dr_airflow.hooks.pager import PagerHook
from dalp_dr_airflow.notifications.deadlines import on_deadline_missed
from dalp_dr_airflow.notifications.outcomes import on_not_ready, posture_turned_red
from fake_run import FakeRun
from synthetic_drill import ASKED

REASON = {
    "check": "rto_met",
    "subject": "drill",
    "verdict": "fail",
    "observed": "1200 s",
    "next_step": "Find the slow stage.",
    "runbook": "timing.md#rto",
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(PagerHook, "send", lambda self, document: found.append(document))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/")
    return found


def context(run: FakeRun) -> dict[str, Any]:
    found = run.context("decide.decision")
    return {**found, "exception": ValueError("no plan")}


def drill_of(run: FakeRun) -> str:
    return naming.drill_id(run.plan.dag_id, run.plan.run_id, ASKED)


def test_a_fix_is_told_with_its_reasons_and_the_drill_s_page(run: FakeRun, sent: list[dict[str, Any]]) -> None:
    folder = run.home / "drills" / drill_of(run)
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps({"decision": "FIX", "reasons": [REASON]}))
    on_not_ready(context(run))
    [told] = sent
    assert told["findings"] == ["rto_met (drill): 1200 s"]
    assert (told["next_step"], told["runbook"], told["environment"]) == ("Find the slow stage.", "timing.md#rto", "lab")
    assert told["link"] == f"https://airflow.example.com/drills/{drill_of(run)}/"
    assert told["summary"].endswith("ended FIX")


def test_a_drill_without_a_summary_says_what_stopped_it(run: FakeRun, sent: list[dict[str, Any]]) -> None:
    on_not_ready(context(run))
    [told] = sent
    assert told["findings"] == ["no plan"]
    assert told["next_step"]


def test_a_deadline_is_told_with_its_level_and_link(sent: list[dict[str, Any]]) -> None:
    missed = {"dag_run": {"dag_id": "quarterly_drill", "run_id": "r1"}, "deadline": {"deadline_time": "2026-10-06T06:15:00Z"}}
    on_deadline_missed(missed, "rto-warning")
    on_deadline_missed(missed, "rto-breach")
    assert [told["severity"] for told in sent] == ["warning", "critical"]
    assert {told["link"] for told in sent} == {"https://airflow.example.com/drills/run?dag_id=quarterly_drill&run_id=r1"}


@pytest.mark.parametrize(
    "tell",
    [
        lambda run: on_not_ready(context(run)),
        lambda run: on_not_ready({}),
        lambda run: on_deadline_missed({}, "rto-breach"),
        lambda run: posture_turned_red("lab", "p-1", []),
        lambda run: posture_turned_red("lab", "p-1", [{**REASON}]),
    ],
    ids=["a decision", "a broken context", "a deadline", "no rows", "a posture"],
)
@pytest.mark.parametrize("error", [FactError("nobody answers", ""), OSError("no route")], ids=["refused", "crashed"])
def test_a_failed_notification_raises_nothing(
    run: FakeRun, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tell: Any, error: Exception
) -> None:
    def fail(self: Any, document: dict[str, Any]) -> None:
        raise error

    monkeypatch.setattr(PagerHook, "send", fail)
    assert tell(run) is None


def test_the_decision_tells_on_call(dagbag: Any) -> None:
    for dag in ("quarterly_drill", "surface_check"):
        task = dagbag.dags[dag].get_task("decide.decision")
        assert [getattr(c, "__name__", c) for c in task.on_failure_callback or ()] == ["on_not_ready"]


def test_what_went_red_is_told_once() -> None:
    from dalp_dr.posture import standing

    def said(verdict: str, accepted: str | None = None) -> dict[str, Any]:
        return {"rows": [{**REASON, "verdict": verdict, "accepted": accepted}]}

    assert len(standing.newly_red(said("pass"), said("fail"))) == 1
    assert len(standing.newly_red(None, said("fail"))) == 1
    assert standing.newly_red(said("fail"), said("fail")) == []
    assert standing.newly_red(said("pass"), said("fail", "declared")) == []
    assert len(standing.newly_red(said("fail", "declared"), said("fail"))) == 1
