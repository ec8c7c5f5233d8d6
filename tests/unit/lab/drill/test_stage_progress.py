"""Progress lines out of task instances as a real Airflow 3.3.2 listed them (recorded_runs.json)."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path

import pytest

from dalp_dr_lab.drill import progress
from dalp_dr_lab.drill.progress import StageState
from dalp_dr_lab.drill.rest import TaskInstance, _task_instance
from dalp_dr_lab.drill.screen import Screen

RECORDED = json.loads(Path(__file__).with_name("recorded_runs.json").read_text())
NOW = datetime.fromisoformat("2026-11-24T15:23:00+00:00")


def recorded(name: str) -> list[TaskInstance]:
    return [_task_instance(one) for one in RECORDED[name]]


def states(name: str) -> dict[str, str]:
    return {view.name: view.state.value for view in progress.views(recorded(name), NOW)}


def instance(task_id: str, state: str | None, **more: object) -> TaskInstance:
    known = {"map_index": -1, "try_number": 1, "started_at": None, "ended_at": None, **more}
    return TaskInstance(task_id=task_id, state=state, **known)  # type: ignore[arg-type]


def test_stages_come_in_the_order_of_the_graph() -> None:
    order = [view.name for view in progress.views(recorded("asked"), NOW)]
    said = "plan preflight isolate restore verify start reconcile measure seal sign_off decide teardown"
    assert order == said.split()


@pytest.mark.parametrize(
    ("name", "stage", "expected"),
    [
        ("asked", "plan", "waiting"),
        ("restoring", "plan", "passed"),
        ("restoring", "restore", "running"),
        ("restoring", "verify", "waiting"),
        ("one_finding", "verify", "failed"),
        ("one_finding", "start", "not reached"),
        ("one_finding", "reconcile", "running"),
        ("asking", "sign_off", "running"),
        ("ended_red", "decide", "failed"),
        ("ended_red", "teardown", "passed"),
        ("ended_green", "decide", "passed"),
    ],
)
def test_a_stage_stands_where_its_tasks_stand(name: str, stage: str, expected: str) -> None:
    assert states(name)[stage] == expected


@pytest.mark.parametrize(
    ("case", "tasks", "expected"),
    [
        ("one done, one not begun", [("success", True), (None, False)], StageState.RUNNING),
        ("one failed, one will be tried again", [("failed", True), ("up_for_retry", True)], StageState.RUNNING),
        ("one failed, one never reached", [("failed", True), ("upstream_failed", False)], StageState.FAILED),
        ("none reached, one not decided", [("upstream_failed", False), (None, False)], StageState.WAITING),
        ("left out", [("skipped", False)], StageState.SKIPPED),
        ("part left out", [("skipped", False), ("success", True)], StageState.PASSED),
        ("deferred", [("deferred", True)], StageState.RUNNING),
    ],
)
def test_states_combine(case: str, tasks: list[tuple[str | None, bool]], expected: StageState) -> None:
    listed = [instance(f"verify.t{n}", state, started_at=NOW if begun else None) for n, (state, begun) in enumerate(tasks)]
    assert progress.views(listed, NOW)[0].state == expected, case


def test_elapsed_ends_with_the_stage_and_grows_while_it_runs() -> None:
    views = {view.name: view for view in progress.views(recorded("one_finding"), NOW)}
    assert 3 < (views["verify"].elapsed_seconds or 0) < 4
    assert (views["reconcile"].elapsed_seconds or 0) > 20
    assert views["seal"].elapsed_seconds is None


def test_a_line_says_what_the_stage_waits_for() -> None:
    view = next(view for view in progress.views(recorded("restoring"), NOW) if view.name == "restore")
    said = progress.line(view, {"restore.database": "Cluster dalp-pg: 1 of 4 segments"})
    assert said.startswith("▸ restore")
    assert said.endswith("database (Cluster dalp-pg: 1 of 4 segments), application, support")


@pytest.mark.parametrize(
    ("state", "more", "expected"),
    [
        ("queued", {}, "volumes (queued)"),
        ("up_for_retry", {"try_number": 2}, "volumes (will be tried again; try 2)"),
        ("awaiting_input", {}, "volumes (asks a person)"),
        ("running", {"map_index": 3}, "volumes[3]"),
    ],
)
def test_how_a_task_waits(state: str, more: dict[str, object], expected: str) -> None:
    view = progress.views([instance("verify.volumes", state, started_at=NOW, **more)], NOW)[0]
    assert progress.waiting_for(view, {}) == expected


def test_many_tasks_are_counted_not_listed() -> None:
    view = progress.views([instance(f"verify.t{n}", "running", started_at=NOW) for n in range(9)], NOW)[0]
    assert progress.waiting_for(view, {}) == "t0, t1, t2, t3 and 5 more"


@pytest.mark.parametrize(("seconds", "expected"), [(0.9, "0:00"), (61, "1:01"), (3599, "59:59"), (3661, "1:01:01")])
def test_clock(seconds: float, expected: str) -> None:
    assert progress.clock(seconds) == expected


def test_without_a_terminal_each_change_is_said_once() -> None:
    stream = io.StringIO()
    screen = Screen(stream)
    for name in ("asked", "restoring", "restoring", "one_finding", "one_finding", "ended_red"):
        screen.show(progress.views(recorded(name), NOW), {})
    said = stream.getvalue().splitlines()
    assert sum("restore" in one for one in said) == 2
    assert sum("failed: volumes" in one for one in said) == 1
    assert not any("\x1b" in one for one in said)


def test_on_a_terminal_the_block_is_drawn_in_place() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    screen = Screen(stream)
    screen.show(progress.views(recorded("asked"), NOW), {})
    screen.show(progress.views(recorded("restoring"), NOW), {})
    assert stream.getvalue().count("\x1b[12A") == 1
    assert stream.getvalue().count("\n") == 24


def test_a_stage_of_which_a_part_ran_says_what_did_not() -> None:
    found = progress.views(
        [instance("seal.evidence", "upstream_failed"), instance("seal.refusal", "success", started_at=NOW, ended_at=NOW)], NOW
    )
    assert [view.state for view in found] == [StageState.PASSED]
    assert progress.line(found[0], {}).endswith("not reached: evidence")
