"""What a task said last, read from its log file: the lab's Airflow writes them on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dalp_dr_lab.drill.rest import DagRun, TaskInstance

_TAIL_BYTES = 8192
_LENGTH = 70
# What Airflow itself writes about every task.
_NOISE = (
    "::",
    "DAG bundles loaded",
    "Filling up the DagBag",
    "Task instance",
    "Pausing task",
    "trigger ",
    "Deferring",
    "Done. Returned",
    "Worker startup",
    "AWS Connection",
    "Skipping masking",
    "Pushing xcom",
    "Retry policy",
)


def last_words(logs: Path, run: DagRun, instance: TaskInstance) -> str:
    """The newest line that the task or its trigger wrote in its newest try; empty when there is none."""
    folder = logs / f"dag_id={run.dag_id}" / f"run_id={run.run_id}" / f"task_id={instance.task_id}"
    if instance.map_index >= 0:
        folder = folder / f"map_index={instance.map_index}"
    try:
        found = sorted(folder.glob(f"attempt={instance.try_number}.log*"), key=lambda path: path.stat().st_mtime)
        return next((said for path in reversed(found) if (said := _last(_tail(path)))), "")
    except OSError:
        return ""


def _tail(path: Path) -> list[str]:
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace").splitlines()


def _error(entry: Mapping[str, Any]) -> str:
    """What an exception said: the one that failed the task comes first, its causes after it."""
    details = entry.get("error_detail") or [{}]
    return str(details[0].get("exc_value", "")).strip()


def _last(lines: list[str]) -> str:
    for text in reversed(lines):
        try:
            entry = json.loads(text)
        except ValueError:
            continue
        said = _error(entry) or str(entry.get("event", ""))
        if entry.get("level") in ("info", "warning", "error") and said and not said.startswith(_NOISE):
            return said.splitlines()[0][:_LENGTH]
    return ""
