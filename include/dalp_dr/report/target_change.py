"""A change of the operating targets, proposed for review where a drill showed that they are impossible or far too loose.

Nobody's target is changed by a drill: whoever approves targets merges the page, or does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dalp_dr.text import visible

FOLDER = "recovery-targets"
MARGIN = 1.25  # of what was achieved, for a target that was missed
LOOSE = 10  # a target of more than so many times what was achieved says nothing
ROOM = 3  # times what was achieved, for a target that is tightened
STEP_SECONDS, LEAST_SECONDS = 60, 300


@dataclass(frozen=True)
class Change:
    """One target in seconds: what it is, what the drill achieved, what is proposed."""

    name: str
    target: int
    achieved: float
    proposed: int

    @property
    def why(self) -> str:
        what = "was missed" if self.achieved > self.target else f"is more than {LOOSE} times what was achieved"
        return f"{self.name}: {self.target} s {what} ({self.achieved:.0f} s); proposed {self.proposed} s"


@dataclass(frozen=True)
class Page:
    """The proposal as a file of the configuration repository."""

    path: str
    text: str
    message: str


def changes(summary: Mapping[str, Any]) -> tuple[Change, ...]:
    """The targets of a summary that its drill showed to be wrong.

    Only times of recovery are tightened: how much data a single moment would have lost says little of the next moment.
    """
    targets = summary["targets"]
    found = [
        *((name, targets[name], summary.get(name), True) for name in ("rto_seconds", "rtt_seconds")),
        *((f"rpo_seconds.{s}", t, (summary.get("rpo_by_surface") or {}).get(s), False) for s, t in sorted(targets["rpo_seconds"].items())),
    ]
    return tuple(c for name, target, achieved, tighten in found if achieved is not None and (c := _change(name, target, achieved, tighten)))


def _change(name: str, target: int, achieved: float, tighten: bool) -> Change | None:
    if achieved > target:
        return Change(name, target, achieved, _rounded(achieved * MARGIN))
    proposed = max(LEAST_SECONDS, _rounded(achieved * ROOM))
    if tighten and achieved * LOOSE < target and proposed < target:
        return Change(name, target, achieved, proposed)
    return None


def _rounded(seconds: float) -> int:
    return math.ceil(seconds / STEP_SECONDS) * STEP_SECONDS


def page(summary: Mapping[str, Any]) -> Page | None:
    """The proposed targets as YAML to be put into the environment file, with each reason; None when every target holds."""
    found = changes(summary)
    if not found:
        return None
    drill, environment = visible(str(summary["drill_id"])), visible(str(summary["environment"]))
    new = {c.name: c.proposed for c in found}
    targets = summary["targets"]
    lines = [
        f"# Proposed by drill {drill} of environment {environment}, bundle {summary['bundle_sha256']}.",
        "# To be approved by whoever approves targets: set approved_by, approved_on and version, then put it into the environment file.",
        *(f"# {change.why}" for change in found),
        "targets:",
        f"  rto_seconds: {new.get('rto_seconds', targets['rto_seconds'])}",
        f"  rtt_seconds: {new.get('rtt_seconds', targets['rtt_seconds'])}",
        "  rpo_seconds:",
        *(f"    {s}: {new.get(f'rpo_seconds.{s}', t)}" for s, t in sorted(targets["rpo_seconds"].items())),
    ]
    return Page(f"{FOLDER}/{environment}.yaml", "\n".join(lines) + "\n", f"targets: what {drill} showed to be impossible or far too loose")
