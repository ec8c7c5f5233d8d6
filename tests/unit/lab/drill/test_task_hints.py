"""The last words of a task out of the log files that Airflow's workers and triggerer write."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from dalp_dr_lab.drill import hints
from dalp_dr_lab.drill.rest import DagRun, TaskInstance

RUN = DagRun("quarterly_drill", "manual__1", "running", datetime(2026, 11, 24, tzinfo=UTC))
TASK = TaskInstance("restore.database", -1, 1, "deferred", None, None)


def write(logs: Path, name: str, *events: tuple[str, str], age_seconds: int = 0) -> None:
    path = logs / "dag_id=quarterly_drill/run_id=manual__1/task_id=restore.database" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"level": level, "event": event}) + "\n" for level, event in events) + "not json\n")
    os.utime(path, (1_000_000 - age_seconds,) * 2)


def test_the_triggers_words_are_newer_than_the_tasks(tmp_path: Path) -> None:
    write(tmp_path, "attempt=1.log", ("info", "Cluster dalp-pg asked for"), age_seconds=60)
    write(tmp_path, "attempt=1.log.trigger.7.log", ("info", "3 of 4 segments replayed"), ("debug", "poll"))
    assert hints.last_words(tmp_path, RUN, TASK) == "3 of 4 segments replayed"


def test_airflows_own_lines_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "attempt=1.log", ("info", "Restore drill-1 asked for"), ("info", "::group::Post Execute"))
    assert hints.last_words(tmp_path, RUN, TASK) == "Restore drill-1 asked for"


def test_no_log_is_no_hint(tmp_path: Path) -> None:
    assert hints.last_words(tmp_path, RUN, TASK) == ""


def test_an_error_is_said_in_its_own_words(tmp_path: Path) -> None:
    write(tmp_path, "attempt=1.log", ("info", "Volumes are read"))
    path = next(tmp_path.rglob("attempt=1.log"))
    failed = {"level": "error", "event": "Task failed with exception", "error_detail": [{"exc_value": "volume is empty\nmore"}]}
    path.write_text(path.read_text() + json.dumps(failed) + "\n" + json.dumps({"level": "info", "event": "Retry policy decision"}))
    assert hints.last_words(tmp_path, RUN, TASK) == "volume is empty"
