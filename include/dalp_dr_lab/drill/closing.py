"""The table that ends `make drill`: decision, times against targets, reasons, where everything is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dalp_dr_lab.drill.progress import clock
from dalp_dr_lab.errors import LabError


@dataclass(frozen=True, slots=True)
class Places:
    """What the reader may want to open or stop next."""

    drill: Path  # .dalp-dr/drills/<drill_id>
    url: str
    users: Sequence[str]
    passwords: Path
    seconds: Mapping[str, float] = field(default_factory=dict)  # phases of the command itself


def summary(drill: Path) -> dict[str, Any] | None:
    """The drill's summary.json; None while there is none. LabError when it cannot be read."""
    path = drill / "summary.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LabError(f"{path} cannot be read: {error}. Open the run in Airflow's page.") from error


def table(found: Mapping[str, Any], places: Places) -> list[str]:
    """The closing table of a drill that left a summary."""
    outcome = "" if found.get("outcome") in (None, "normal") else f", {found['outcome']}"
    lines = ["", f"Decision   {found.get('decision', 'none')}   (verdict {found.get('verdict', 'none')}{outcome})"]
    lines.append(f"Drill      {found.get('drill_id')}, run {found.get('run_id')} of {found.get('dag_id')}")
    if found.get("targets"):
        lines += ["", *times(found)]
    if phases := found.get("phases"):
        lines += ["", "Phases     " + ", ".join(f"{one['name']} {_seconds(one.get('seconds'))}" for one in phases)]
    if found.get("reasons"):
        together = grouped(one for one in found["reasons"] if one.get("ran", True))
        lines += ["", f"Reasons    {len(together)}", *(text for one in enumerate(together, 1) for text in reason(*one))]
        lines += never_reached(found["reasons"])
    return [*lines, "", *where(places)]


def times(found: Mapping[str, Any]) -> list[str]:
    """RTO, RTT and RPO, each beside its target and whether it was met."""
    targets, by_surface = found.get("targets") or {}, found.get("rpo_by_surface") or {}
    rpo = targets.get("rpo_seconds") or {}
    rows = [(name.upper(), found.get(f"{name}_seconds"), targets.get(f"{name}_seconds")) for name in ("rto", "rtt")]
    rows += [(f"RPO {one}", by_surface.get(one), rpo.get(one)) for one in {**rpo, **by_surface}]
    lines = [f"{'':<26}{'achieved':>10}{'target':>10}"]
    for name, got, goal in rows:
        lines.append(f"{name:<26}{_seconds(got):>10}{_seconds(goal):>10}  {_met(got, goal)}".rstrip())
    return lines


def grouped(reasons: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The reasons in their order; those that say the same of several checks or subjects are one."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in reasons:
        key = tuple(one.get(name) for name in ("surface", "verdict", "expected", "observed", "runbook"))
        into = found.setdefault(key, {**one, "check": [], "subject": []})
        for name in ("check", "subject"):
            if one.get(name) not in (None, "drill", *into[name]):
                into[name].append(one[name])
    return [{**one, "check": ", ".join(one["check"]), "subject": ", ".join(one["subject"])} for one in found.values()]


def never_reached(reasons: Iterable[Mapping[str, Any]]) -> list[str]:
    """The checks that have no answer because the drill did not get to them; what stopped it stands above them."""
    names = dict.fromkeys(str(one.get("check")) for one in reasons if not one.get("ran", True))
    return [f"  {len(names)} more checks were never reached: {', '.join(names)}"] if names else []


def reason(number: int, found: Mapping[str, Any]) -> list[str]:
    """One reason: the check and its surface, expected against observed, and what to do next."""
    about = ", ".join(str(found[key]) for key in ("surface", "subject") if found.get(key)) or "drill"
    lines = [f"  {number}. {found.get('check')} ({about}): {found.get('verdict')}"]
    for label in ("expected", "observed"):
        if found.get(label):
            lines.append(f"     {label}: {found[label]}")
    runbook = f" (include/runbooks/{found['runbook']})" if found.get("runbook") else ""
    return [*lines, f"     next: {found.get('next_step') or 'read the record'}{runbook}"]


def where(places: Places) -> list[str]:
    """Where evidence, reports and Airflow are, and how to stop it all; only what exists is named."""
    lines = []
    for label, name in (("Bundle", "bundle"), ("Report", "report.html"), ("", "report.pdf")):
        if (places.drill / name).exists():
            lines.append(f"{label:<11}{places.drill / name}")
    lines.append(f"{'Airflow':<11}{places.url}   users {', '.join(places.users)}; passwords in {places.passwords}")
    lines.append(f"{'Stop':<11}make down")
    if places.seconds:
        lines.append(f"{'Took':<11}" + ", ".join(f"{name} {clock(seconds)}" for name, seconds in places.seconds.items()))
    return lines


def without_summary(run_state: str, failed: Iterable[str]) -> list[str]:
    """What can be said of a run that left no summary."""
    named = ", ".join(failed) or "none"
    return ["", f"Decision   none: the run ended with state {run_state} and left no summary. Failed tasks: {named}"]


def _seconds(value: Any) -> str:
    return clock(float(value)) if isinstance(value, int | float) else "unknown"


def _met(got: Any, goal: Any) -> str:
    if goal is None:
        return ""
    if not isinstance(got, int | float):
        return "not proven"
    return "met" if got <= goal else "MISSED"
