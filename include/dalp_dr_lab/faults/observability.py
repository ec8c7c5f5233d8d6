"""Faults of the telemetry that people would look at after a recovery."""

from __future__ import annotations

from dalp_dr_lab.faults.fault import Fault, Notes
from dalp_dr_lab.lab import Lab

POD = "observability-0"
SCHEDULE = "dalp-observability-daily"
SET_ASIDE = 'cd "$DATA_FOLDER" && test -s traces.jsonl && mv traces.jsonl traces.aside && : > traces.jsonl'
PUT_BACK = 'cd "$DATA_FOLDER" && if [ -e traces.aside ]; then cat traces.jsonl >> traces.aside && mv traces.aside traces.jsonl; fi'


def _shell(lab: Lab, script: str) -> None:
    lab.kubectl("-n", "dalp-observability", "exec", POD, "--", "sh", "-c", script)


def _lose_traces(lab: Lab, notes: Notes) -> None:
    _shell(lab, SET_ASIDE)


def _find_traces(lab: Lab, notes: Notes) -> None:
    _shell(lab, PUT_BACK)


FAULTS = (
    Fault(
        "lost-telemetry",
        "The volume of the telemetry store has no traces any more when it is backed up.",
        ("telemetry_queryable",),
        _lose_traces,
        _find_traces,
        schedules=(SCHEDULE,),
        group="running",
    ),
)
