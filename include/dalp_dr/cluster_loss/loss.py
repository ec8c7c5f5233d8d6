"""Is production really gone for the drill's identity? Whatever is still reached is a finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.plan import DrillPlan

API, DATABASE = "API server", "database"
Outcome = Literal["no_connection", "no_answer", "answered", "unclear"]


@dataclass(frozen=True)
class Asked:
    """One thing that was asked for. `no_connection`: the drill's Airflow names no way to it; `no_answer`: nobody answered;
    `answered`: somebody did, also when it was a refusal; `unclear`: the question itself failed.
    """

    what: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True)
class ClusterLoss:
    """What was asked of production, and of what must have survived (`controls`): a worker without a network would reach
    nothing either, and prove nothing.
    """

    asked: tuple[Asked, ...]
    controls: tuple[Asked, ...]


def objects_of(namespace: str) -> str:
    """How the question for the live objects of a source namespace is named."""
    return f"objects of {namespace}"


def source_cluster_gone(facts: ClusterLoss, plan: DrillPlan) -> CheckResult:
    """API server and live objects of every source namespace were asked for, and nothing answered."""
    return _gone(facts, (API, *(objects_of(n.name) for n in plan.environment.source.namespaces)))


def source_database_gone(facts: ClusterLoss, plan: DrillPlan) -> CheckResult:
    """Production's database was asked for, and nothing answered."""
    return _gone(facts, (DATABASE,))


def _gone(facts: ClusterLoss, wanted: tuple[str, ...]) -> CheckResult:
    expected = f"{len(wanted)} questions to production without an answer, and an answer from what survives"
    asked = {a.what: a for a in facts.asked}
    reached = [f"{a.what} answered: {a.detail}" for name in wanted if (a := asked.get(name)) and a.outcome == "answered"]
    unknown = [f"{name} was not asked for" for name in wanted if name not in asked]
    unknown += [f"{a.what}: {a.detail}" for name in wanted if (a := asked.get(name)) and a.outcome == "unclear"]
    unknown += [
        f"{c.what} did not answer either ({c.detail}), so silence proves nothing" for c in facts.controls if c.outcome != "answered"
    ]
    unknown += [] if facts.controls else ["nothing that survives was asked, so silence proves nothing"]
    if reached or not unknown:
        return expect(not reached, expected, f"{len(reached)} of {len(wanted)} reached", reached)
    return inconclusive(expected, f"{len(unknown)} not proven", unknown)
