"""A drill's run as its tasks see it, without Airflow's database: context, XComs, and evidence in a folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dalp_dr.errors import DrillError
from dalp_dr.evidence import records
from dalp_dr.evidence.store import FolderStore
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import Record
from synthetic_drill import ASKED, CAPTURES


class FakeTaskInstance:
    """What operators use of a task instance."""

    def __init__(self, task_id: str, try_number: int, pulled: dict[tuple[str, str], Any], map_index: int = -1) -> None:
        self.task_id, self.try_number, self.map_index, self.pulled = task_id, try_number, map_index, pulled
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        return self.pulled.get((task_ids, key))


@dataclass
class FakeAirflow:
    """Airflow's API: rows of its audit log, or an error instead of an answer."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    error: DrillError | None = None

    def user(self) -> str:
        return "vera"

    def run_state(self, dag_id: str, run_id: str) -> str | None:
        return "running"

    def changes(self, since: str) -> list[dict[str, Any]]:
        if self.error:
            raise self.error
        return self.rows

    def successes(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return [{"event": "success", "task_id": "plan.freeze", "try_number": 1}]

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return [{"task_id": "plan.freeze", "try_number": 1, "state": "success", "note": None}]


@dataclass
class FakeRun:
    """One run of a drill as its tasks see it; its evidence is the folder `store`."""

    plan: DrillPlan
    store: FolderStore
    home: Path
    params: dict[str, Any] = field(default_factory=lambda: {"environment": "lab", "dry_run": False})
    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    airflow: FakeAirflow = field(default_factory=FakeAirflow)

    def context(self, task_id: str = "verify.count", try_number: int = 1, map_index: int = -1) -> dict[str, Any]:
        run = SimpleNamespace(dag_id=self.plan.dag_id, run_id=self.plan.run_id, run_after=ASKED, run_type="manual")
        return {"dag_run": run, "ti": FakeTaskInstance(task_id, try_number, self.xcoms, map_index), "params": self.params}

    def freeze(self) -> None:
        """As after the plan stage."""
        self.store.put(f"drills/{self.plan.drill_id}/plan.json", records.encode_plan(self.plan))

    def record(self, *found: Record) -> None:
        """As after tasks that recorded these."""
        for one in found:
            self.store.put(f"drills/{self.plan.drill_id}/records/{one.name}", records.encode(one))
        for digest, data in CAPTURES.items():
            self.store.put(f"drills/{self.plan.drill_id}/captures/{digest}", data)

    def summary(self) -> dict[str, Any]:
        text = (self.home / "drills" / self.plan.drill_id / "summary.json").read_text()
        found: dict[str, Any] = json.loads(text)
        return found
