"""The command as a whole, with the lab and Airflow played by fakes: order, mending, exit status."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dalp_dr_lab.drill import command
from dalp_dr_lab.drill.rest import DagRun
from dalp_dr_lab.errors import LabError

RUN = DagRun("quarterly_drill", "manual__1", "failed", datetime(2026, 11, 24, tzinfo=UTC))


@dataclass
class World:
    """What the fakes do, and what was asked of them."""

    home: Path
    summary: dict[str, Any] | None = field(default_factory=lambda: {"decision": "READY", "verdict": "pass"})
    verify_status: int = 0
    fails_with: BaseException | None = None
    start_fails_with: BaseException | None = None
    run_state: str = "failed"
    left: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


class FakeWatch:
    """A run that ends at once, or the way the world says."""

    def __init__(self, world: World) -> None:
        self.world, self.run, self.page = world, RUN, "http://airflow/run"
        self.api = SimpleNamespace(url="http://airflow", xcom=lambda run, task, key: world.left.get(key))
        self.drill = world.home / "drills" / "d-1"

    def until_end(self) -> DagRun:
        self.world.asked.append("watch")
        if self.world.fails_with:
            self.run = DagRun(RUN.dag_id, RUN.run_id, "running", RUN.run_after)
            raise self.world.fails_with
        self.run = DagRun(RUN.dag_id, RUN.run_id, self.world.run_state, RUN.run_after)
        (self.drill / "bundle").mkdir(parents=True)
        if self.world.summary is not None:
            (self.drill / "summary.json").write_text(json.dumps(self.world.summary))
        return self.run

    def failed_tasks(self) -> tuple[str, ...]:
        return ("decide.decision",)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path)
    lab = SimpleNamespace(home=tmp_path, folder=tmp_path / "lab", checkout=tmp_path)

    def step(name: str, answer: Any = None) -> Any:
        return lambda *_: (world.asked.append(name), answer)[1]

    def begin(self: command.Command) -> FakeWatch:
        if world.start_fails_with:
            raise world.start_fails_with
        return FakeWatch(world)

    monkeypatch.setattr(command.Lab, "load", lambda: lab)
    for name, answer in (("lab_up", lab), ("refresh_backups", None), ("must_be_free", None), ("clear", None)):
        monkeypatch.setattr(command.preparation, name, step(name, answer))
    monkeypatch.setattr(command.preparation, "beside_airflow", lambda lab: nullcontext(step("airflow_up", lab)))
    monkeypatch.setattr(command.preparation, "break_lab", lambda lab, faults: world.asked.append(f"break {','.join(faults)}"))
    monkeypatch.setattr(command.preparation, "mend_lab", step("mend"))
    monkeypatch.setattr(command.Command, "_api", lambda self, user: None)
    monkeypatch.setattr(command.Command, "_start", begin)
    done = SimpleNamespace(returncode=0, stdout="verified\n", stderr="")
    monkeypatch.setattr(command.subprocess, "run", lambda *_, **__: SimpleNamespace(**{**vars(done), "returncode": world.verify_status}))
    return world


@pytest.mark.parametrize(
    ("case", "changes", "expected"),
    [
        ("ready and verified", {}, 0),
        ("ready, but the bundle does not verify", {"verify_status": 3}, 1),
        ("fix", {"summary": {"decision": "FIX", "verdict": "fail"}}, 1),
        ("no summary", {"summary": None}, 1),
        ("no end in time", {"fails_with": LabError("too late")}, 1),
        ("interrupted", {"fails_with": KeyboardInterrupt()}, 130),
    ],
)
def test_exit_status(case: str, changes: dict[str, Any], expected: int, world: World) -> None:
    for name, value in changes.items():
        setattr(world, name, value)
    assert command.main([]) == expected, case


@pytest.mark.parametrize(
    ("case", "changes", "expected"),
    [
        ("all it asked passed", {}, 0),
        ("a check failed", {"summary": {"decision": "FIX", "verdict": "fail"}}, 1),
        ("a check has no answer", {"summary": {"decision": "FIX", "verdict": "inconclusive"}}, 1),
        ("the bundle is not intact", {"verify_status": 3}, 1),
        ("the run failed", {"run_state": "failed"}, 1),
        ("no summary", {"summary": None}, 1),
    ],
)
def test_a_surface_check_is_done_when_all_it_asked_passed(
    case: str, changes: dict[str, Any], expected: int, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.summary, world.run_state, world.verify_status = {"decision": "FIX", "verdict": "pass"}, "success", 1
    for name, value in changes.items():
        setattr(world, name, value)
    assert command.main(["--drill", "surface", "--surfaces", "database"]) == expected, case
    assert "This is not READY and claims nothing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("case", "left", "run_state", "expected"),
    [
        ("described", {"dry_run": ["Would create: namespaces"]}, "success", 0),
        ("refused", {"refusal": "There is not enough room."}, "failed", 1),
        ("refused, and the run does not show it", {"refusal": "There is not enough room."}, "success", 1),
        ("nothing said", {}, "success", 1),
        ("the run failed afterwards", {"dry_run": ["Would create: namespaces"]}, "failed", 1),
    ],
)
def test_a_dry_run_is_done_when_it_described_the_drill(
    case: str, left: dict[str, Any], run_state: str, expected: int, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.summary, world.left, world.run_state = None, left, run_state
    assert command.main(["--dry-run"]) == expected, case
    said = capsys.readouterr().out
    assert "nothing was created. This is not READY and claims nothing" in said
    assert all(str(text) in said for one in left.values() for text in (one if isinstance(one, list) else [one]))


def test_a_fault_that_does_not_exist_is_refused_before_anything_is_started(world: World) -> None:
    assert command.main(["--fault", "one-wie"]) == 1
    assert world.asked == []


def test_everything_comes_in_order(world: World) -> None:
    command.main(["--fault", "one-wei,empty-volume"])
    expected = "lab_up must_be_free refresh_backups airflow_up clear"
    assert world.asked == [*expected.split(), "break one-wei,empty-volume", "watch", "mend"]


def test_backups_may_be_left_as_they_are(world: World) -> None:
    command.main(["--no-backup"])
    assert "refresh_backups" not in world.asked


@pytest.mark.parametrize(
    ("case", "changes", "words", "mended"),
    [
        ("a red drill", {"summary": {"decision": "FIX"}}, [], True),
        ("a drill that could not be started", {"start_fails_with": LabError("no DAG")}, [], True),
        ("asked not to", {}, ["--no-mend"], False),
        ("a drill that goes on", {"fails_with": LabError("too late")}, [], False),
        ("interrupted while it goes on", {"fails_with": KeyboardInterrupt()}, [], False),
    ],
)
def test_the_lab_is_mended_after(case: str, changes: dict[str, Any], words: list[str], mended: bool, world: World) -> None:
    for name, value in changes.items():
        setattr(world, name, value)
    command.main(["--fault", "wal-gap", *words])
    assert ("mend" in world.asked) is mended, case


def test_an_early_end_says_what_goes_on(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.fails_with = LabError("too late.")
    command.main(["--fault", "wal-gap"])
    said = capsys.readouterr().out
    assert "too late. The drill goes on: http://airflow/run The lab stays broken until" in said


def test_a_lab_that_others_use_or_broke_is_left_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not broken for this drill is not mended after it: another drill may stand on it."""

    def refuse(*_: object) -> None:
        raise LabError("The lab is broken already (one-wei).")

    monkeypatch.setattr(command.preparation, "must_be_free", refuse)
    assert command.main(["--fault", "wal-gap"]) == 1
    assert world.asked == ["lab_up"]


def test_a_lab_without_faults_is_not_mended(world: World) -> None:
    command.main([])
    assert "mend" not in world.asked
