"""`python -m dalp_dr_lab posture`: one look of the hourly watch, now, and what it found."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dalp_dr_lab import airflow
from dalp_dr_lab.drill.rest import AirflowApi, DagRun
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.progress import say

DAG_ID, CLAIMS_ID = "backup_posture", "recovery_claims"
KNOWN_WITHIN_SECONDS, ENDS_WITHIN_SECONDS, POLL_SECONDS = 120, 300, 1.0


def main(words: Sequence[str]) -> int:
    """0 when every question passed or is a declared deviation, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="posture", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print posture.json of the lab")
    chosen = parser.parse_args(words)
    lab = Lab.load()
    run = look(lab)
    found = json.loads((lab.home / "posture.json").read_text())["environments"]["lab"]
    if datetime.fromisoformat(found["at"]) < run.run_after:
        raise LabError("The watch ended without an answer. Read the log of its task `lab.posture` in Airflow.")
    if chosen.json:
        print(json.dumps(found, indent=1))
    else:
        for line in table(found):
            say(line)
    return 0 if found["verdict"] == "pass" else 1


def look(lab: Lab) -> DagRun:
    """Ask for one run of the claims workflow and then of the watch, as `starter`, and wait. LabError when an end does not come."""
    found = airflow.env(lab)
    users = dict(pair.split(":", 1) for pair in found["AIRFLOW_USERS"].split(","))
    api = AirflowApi(found["AIRFLOW_URL"], "starter", users["starter"])
    _run(api, CLAIMS_ID)  # in life it runs daily and after every drill
    return _run(api, DAG_ID)


def _run(api: AirflowApi, dag_id: str) -> DagRun:
    _until(lambda: api.dag(dag_id), KNOWN_WITHIN_SECONDS, f"Airflow to know {dag_id}")
    api.unpause(dag_id)
    asked = api.trigger(dag_id, {}, "a look at the lab")
    ended: DagRun = _until(lambda: run if (run := api.run(dag_id, asked.run_id)).ended else None, ENDS_WITHIN_SECONDS, f"{dag_id} to end")
    return ended


def _until(ask: Any, seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := ask():
            return found
        time.sleep(POLL_SECONDS)
    raise LabError(f"Waited {seconds:.0f} s for {what}. Look at Airflow's page.")


def table(found: dict[str, Any]) -> list[str]:
    """One line a question, findings below those that did not pass."""
    lines = []
    for row in found["rows"]:
        mark = "accepted" if row["accepted"] else row["verdict"]
        lines.append(f"  {mark:<12} {row['check']} ({row['subject']}): {row['observed']}")
        if row["verdict"] != "pass":
            lines += [f"               {text}" for text in row["findings"] or [row["expected"]]]
    return [*lines, f"\nPosture of {found['environment']}: {found['verdict']}. This claims nothing: only a drill proves recovery."]
