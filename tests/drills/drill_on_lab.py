"""One drill through the runner's own command, and what it left: status, folder, summary, records, seconds."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dalp_dr.naming import LABEL_DRILL
from dalp_dr_lab import airflow
from dalp_dr_lab.drill import options
from dalp_dr_lab.drill.command import Command
from dalp_dr_lab.drill.rest import AirflowApi, DagRun
from dalp_dr_lab.drill.screen import Screen
from dalp_dr_lab.drill.stopwatch import Stopwatch
from dalp_dr_lab.lab import Lab


@dataclass(frozen=True)
class Ended:
    """A drill that has ended. `summary` is empty when it left none, as a dry run does."""

    status: int
    run: DagRun
    folder: Path
    summary: dict[str, Any]
    seconds: float

    @property
    def drill_id(self) -> str:
        """Name of the drill."""
        return self.folder.name

    @property
    def failed_checks(self) -> set[str]:
        """Checks that were asked, got an answer, and did not pass because of it."""
        return {one["check"] for one in self.summary["reasons"] if one["verdict"] == "fail"}

    @property
    def told(self) -> str:
        """Everything that the reasons say was seen."""
        return json.dumps([[one["observed"], one["findings"]] for one in self.summary["reasons"]])

    def records(self, kind: str) -> dict[str, dict[str, Any]]:
        """The sealed records of a kind by subject, as {attempt: record}, newest attempt last."""
        found = [json.loads(path.read_text()) for path in sorted((self.folder / "bundle" / "records").glob(f"{kind}--*.json"))]
        return {one["subject"]: one for one in found}


def run_drill(*words: str) -> Ended:
    """Run one drill as `python -m dalp_dr_lab drill WORDS` does."""
    began = time.monotonic()
    screen = Screen(sys.stdout)
    command = Command(options.parse(words), screen, Stopwatch(screen.say), Lab.load())
    status = command.run()
    assert command.watch is not None
    return ended(status, command.watch.run, command.watch.drill, time.monotonic() - began)


def ended(status: int, run: DagRun, folder: Path, seconds: float) -> Ended:
    """The drill with the summary it has now."""
    path = folder / "summary.json"
    return Ended(status, run, folder, json.loads(path.read_text()) if path.exists() else {}, seconds)


def airflow_api(lab: Lab, user: str) -> AirflowApi:
    """Airflow's REST API as one of the lab's users."""
    found = airflow.env(lab)
    users = dict(pair.split(":", 1) for pair in found["AIRFLOW_USERS"].split(","))
    return AirflowApi(found["AIRFLOW_URL"], user, users[user])


def sandboxes(lab: Lab, drill_id: str | None = None) -> dict[str, dict[str, Any]]:
    """Namespaces of one drill, or of any, by name."""
    label = LABEL_DRILL if drill_id is None else f"{LABEL_DRILL}={drill_id}"
    found = json.loads(lab.kubectl("get", "namespaces", "-l", label, "-o", "json"))["items"]
    return {item["metadata"]["name"]: item for item in found}


def restores(lab: Lab) -> set[str]:
    """Names of all Restores of Velero, whoever made them."""
    found = json.loads(lab.kubectl("-n", "velero", "get", "restores.velero.io", "-o", "json"))["items"]
    return {item["metadata"]["name"] for item in found}
