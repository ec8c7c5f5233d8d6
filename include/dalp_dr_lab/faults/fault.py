"""What a fault is: a named, ordinary damage to the lab, and how it is undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dalp_dr_lab.lab import Lab

Notes = dict[str, Any]
Act = Callable[[Lab, Notes], None]


def nothing(lab: Lab, notes: Notes) -> None:
    """For faults that need no act at that moment."""


@dataclass(frozen=True)
class Fault:
    """One fault.

    `damage` acts before the backups that the fault needs, `afterwards` after them; what they write into the notes is
    what `mend` gets later. `checks` are the check ids that must not pass because of it; `outcome` is what a drill must
    end with: `FIX` or `refused`. `schedules` and `base_backup` say which backups the fault needs; `completes` is False
    when one of these backups is meant to fail. `spoils` is False when recovery points made meanwhile are good ones.
    """

    name: str
    sentence: str
    checks: tuple[str, ...]
    damage: Act
    mend: Act
    afterwards: Act = nothing
    outcome: str = "FIX"
    schedules: tuple[str, ...] = ()
    base_backup: bool = False
    completes: bool = True
    spoils: bool = True
