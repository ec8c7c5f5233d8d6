"""Where a drill comes from: code, versions, people, targets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date

from dalp_dr.model.check import CheckResult, expect
from dalp_dr.model.plan import DrillPlan, utc


@dataclass(frozen=True)
class AttemptFacts:
    """A task was begun once more. What it recorded earlier does not stand for an attempt that ends without a record."""

    task_id: str
    attempt: int


@dataclass(frozen=True)
class ProvenanceFacts:
    """`commit` and `dirty` of this project; versions by name; who asked for the drill and why."""

    commit: str
    dirty: bool
    versions: dict[str, str]
    started_by: str
    reason: str
    targets_version: str
    targets_approved_by: str
    targets_approved_on: str
    plan_sha256: str
    code_sha256: str = ""  # of DAGs, plugins and core, as they were when the plan was made


def judge_targets_precede(facts: ProvenanceFacts, plan: DrillPlan) -> CheckResult:
    """A target written after the run is no target, nor is one that nobody approved."""
    asked_on = utc(plan.asked_at).astimezone(UTC).date()
    try:
        good = date.fromisoformat(facts.targets_approved_on) <= asked_on and bool(facts.targets_approved_by)
    except ValueError:
        good = False
    return expect(
        good,
        f"targets approved on or before {asked_on}",
        f"version {facts.targets_version}, approved by {facts.targets_approved_by} on {facts.targets_approved_on}",
    )
