"""What a fault is: a named, ordinary damage to the lab, and how it is undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dalp_dr_lab.lab import Lab

Notes = dict[str, Any]
Act = Callable[[Lab, Notes], None]
ActInDrill = Callable[[Lab, Notes, str], None]  # with the drill's id


def nothing(lab: Lab, notes: Notes) -> None:
    """For faults that need no act at that moment."""


@dataclass(frozen=True)
class Moment:
    """When something is done during a drill: as soon as a task is in one of these states of Airflow."""

    task_id: str
    states: tuple[str, ...]


@dataclass(frozen=True)
class Fault:
    """One fault.

    `damage` acts before the backups that the fault needs, `afterwards` after them, `during` at `moment` of the drill;
    what they write into the notes is what `mend` gets later. `checks` are the check ids that must not pass because of
    it, with `verdict`; `outcome` is what a drill must end with: `FIX` or `refused`. `asks` are words of the runner's
    command line that belong to the fault. `schedules` and `base_backup` say which backups the fault needs;
    `completes` is False when one of these backups is meant to fail. `spoils` is False when recovery points made
    meanwhile are good ones. Faults of one `group` can be found in one drill; a fault without group needs one of its own.
    """

    name: str
    sentence: str
    checks: tuple[str, ...]
    damage: Act
    mend: Act
    afterwards: Act = nothing
    during: ActInDrill | None = None
    moment: Moment | None = None
    asks: tuple[str, ...] = ()
    outcome: str = "FIX"
    verdict: str = "fail"
    schedules: tuple[str, ...] = ()
    base_backup: bool = False
    completes: bool = True
    spoils: bool = True
    group: str = ""
