"""Where a drill comes from: code, versions, people, targets."""

from __future__ import annotations

from dataclasses import dataclass

from dalp_dr.model.check import CheckResult, expect
from dalp_dr.model.plan import DrillPlan


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


def judge_targets_precede(facts: ProvenanceFacts, plan: DrillPlan) -> CheckResult:
    """A target written after the run is no target."""
    return expect(
        facts.targets_approved_on <= plan.asked_at[:10],
        f"targets approved on or before {plan.asked_at[:10]}",
        f"version {facts.targets_version}, approved by {facts.targets_approved_by} on {facts.targets_approved_on}",
    )
