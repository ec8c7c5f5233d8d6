"""Is Velero free? A restore or backup of somebody else goes first: they may be recovering production."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dalp_dr import naming
from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.plan import DrillPlan

ENDED = frozenset(("Completed", "PartiallyFailed", "Failed", "FailedValidation", "Deleting"))


@dataclass(frozen=True)
class VeleroLoad:
    """What Velero was still doing for others when the wait ended. `waited_seconds` of at most `limit_seconds`."""

    restores: tuple[str, ...]
    backups: tuple[str, ...]
    listed: int
    waited_seconds: float
    limit_seconds: float


def busy(objects: Iterable[dict[str, Any]], drill_id: str) -> tuple[str, ...]:
    """Names of Backups or Restores that are not this drill's and have not ended; one without a phase waits in the queue."""
    return tuple(
        sorted(
            o["metadata"]["name"]
            for o in objects
            if (o.get("status") or {}).get("phase") not in ENDED and (o["metadata"].get("labels") or {}).get(naming.LABEL_DRILL) != drill_id
        )
    )


def velero_idle(facts: VeleroLoad, plan: DrillPlan) -> CheckResult:
    """Nobody else's restore or backup is under way; waited for, then the drill steps back."""
    expected = f"no restore and no backup of others under way within {facts.limit_seconds:.0f} s"
    if not facts.listed:
        return inconclusive(expected, "Velero lists no backup at all, so it cannot be told whether it is busy")
    findings = [f"Restore {name} is under way" for name in facts.restores] + [f"Backup {name} is under way" for name in facts.backups]
    return expect(not findings, expected, f"{len(findings)} under way after {facts.waited_seconds:.0f} s", findings)
