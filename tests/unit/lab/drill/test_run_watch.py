"""Following a run to its end against a fake Airflow whose time passes by polls."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dalp_dr_lab.drill.rest import ApiError, DagRun, Question, TaskInstance, _task_instance
from dalp_dr_lab.drill.screen import Screen
from dalp_dr_lab.drill.watch import Watch
from dalp_dr_lab.errors import LabError

RECORDED = json.loads(Path(__file__).with_name("recorded_runs.json").read_text())
DIGEST = "ab" * 32
RUN = DagRun("quarterly_drill", "manual__1", "running", datetime(2026, 11, 24, tzinfo=UTC))
ASKED = Question("sign_off.approve", -1, 1, "Sign off?", f"sha256 {DIGEST}", ("Approve", "Reject"), {}, ("owner",))


class FakeAirflow:
    """Plays recorded lists one after the other; the question stays open until it is answered."""

    url = "http://airflow"

    def __init__(self, script: list[str], last: str, errors: list[int] | None = None) -> None:
        self.script, self.last, self.errors = script, last, errors or []
        self.answers: list[tuple[str, dict[str, Any]]] = []
        self.refuse_with: int | None = None

    def run(self, dag_id: str, run_id: str) -> DagRun:
        if self.errors:
            raise ApiError("away", self.errors.pop(0))
        if len(self.script) > 1 and (self.script[0] != "asking" or self.answers):
            self.script.pop(0)
        ended = self.script[0].startswith("ended")
        return replace(RUN, state=self.last if ended else "running")

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        return [_task_instance(one) for one in RECORDED[self.script[0]]]

    def questions(self, dag_id: str, run_id: str) -> list[Question]:
        return [ASKED]

    def answer(self, dag_id: str, run_id: str, question: Question, option: str, form: dict[str, Any]) -> None:
        self.answers.append((option, form))
        if self.refuse_with:
            raise ApiError("refused", self.refuse_with)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


def watch(airflow: FakeAirflow, tmp_path: Path, *, plays: bool = True, deadline: float = 600) -> tuple[Watch, io.StringIO]:
    stream, clock = io.StringIO(), Clock()
    owner: Any = airflow if plays else None
    api: Any = airflow
    return Watch(api, owner, RUN, Screen(stream), tmp_path, tmp_path, deadline, clock.sleep, clock), stream


def test_a_green_run_is_followed_to_its_end(tmp_path: Path) -> None:
    airflow = FakeAirflow(["asked", "asked", "restoring", "asking", "ended_green"], "success")
    watched, stream = watch(airflow, tmp_path)
    assert watched.until_end().state == "success"
    assert [option for option, _ in airflow.answers] == ["Approve"]
    assert "THE RUNNER PLAYED THE OWNER" in stream.getvalue()
    assert watched.failed_tasks() == ()


def test_a_red_run_ends_the_watch_too(tmp_path: Path) -> None:
    watched, _ = watch(FakeAirflow(["asked", "one_finding", "ended_red"], "failed"), tmp_path)
    assert watched.until_end().state == "failed"
    assert watched.failed_tasks() == ("verify.volumes", "decide.decide")


def test_a_person_is_told_where_to_sign(tmp_path: Path) -> None:
    watched, stream = watch(FakeAirflow(["asking", "asking"], "success"), tmp_path, plays=False, deadline=10)
    with pytest.raises(LabError, match="did not end within"):
        watched.until_end()
    assert stream.getvalue().count("log in as owner at http://airflow/dags/quarterly_drill/runs/manual__1") == 1
    assert "PLAYED" not in stream.getvalue()


def test_a_bundle_with_another_digest_is_not_signed(tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(json.dumps({"bundle_sha256": "cd" * 32}))
    airflow = FakeAirflow(["asking", "ended_green"], "success")
    watched, _ = watch(airflow, tmp_path)
    with pytest.raises(LabError, match="Do not approve"):
        watched.until_end()
    assert airflow.answers == []


def test_the_api_server_may_be_away_for_a_while(tmp_path: Path) -> None:
    watched, _ = watch(FakeAirflow(["restoring", "ended_green"], "success", errors=[0, 0, 503]), tmp_path)
    assert watched.until_end().state == "success"


@pytest.mark.parametrize(("case", "errors"), [("forbidden", [403]), ("away for good", [0] * 200)])
def test_the_watch_gives_up(case: str, errors: list[int], tmp_path: Path) -> None:
    watched, _ = watch(FakeAirflow(["restoring"], "success", errors=errors), tmp_path)
    with pytest.raises(ApiError):
        watched.until_end()


def test_someone_else_may_answer_first(tmp_path: Path) -> None:
    airflow = FakeAirflow(["asking", "ended_green"], "success")
    airflow.refuse_with = 409
    watched, stream = watch(airflow, tmp_path)
    assert watched.until_end().state == "success"
    assert "PLAYED" not in stream.getvalue()


def test_the_deadline_names_what_it_waits_for(tmp_path: Path) -> None:
    watched, _ = watch(FakeAirflow(["restoring"], "success"), tmp_path, deadline=60)
    with pytest.raises(LabError, match=r"within 1 minutes.*restore\.database \(running\)"):
        watched.until_end()
