"""What surrounds the backups: values committed in Git, drills held when they were due, claims that do not run out unseen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dalp_dr.configuration.values import Difference, differences
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.environment import Environment
from dalp_dr.model.plan import ConfigurationPoint, DrillPlan, utc
from dalp_dr.posture import calendar

GRACE = timedelta(days=3)  # how long after its slot a drill may begin before it counts as missed


@dataclass(frozen=True)
class Release:
    """One installed Helm release beside its values file in Git; only paths and digests of values are kept."""

    role: str
    release: str
    revision: int
    status: str
    values_path: str
    value_differences: tuple[Difference, ...]


@dataclass(frozen=True)
class ConfigurationHistory:
    """The configuration repository now. `commit` is None where the branch has none."""

    branch: str
    commit: str | None
    committed_at: str | None
    releases: tuple[Release, ...]


@dataclass(frozen=True)
class HeldDrill:
    """One drill in the ledger. `decision` is None while it is under way."""

    drill_id: str
    asked_at: str
    full: bool
    decision: str | None


@dataclass(frozen=True)
class DrillHistory:
    """Full drills of the environment, newest first, and what may be published. `claim_known`: it was ever computed."""

    drills: tuple[HeldDrill, ...]
    last_slot: str
    next_slot: str
    claim_known: bool
    claim_of: str | None
    claim_publishable: bool
    claim_expires_at: str | None
    claim_withdrawn_because: tuple[str, ...]


def configuration(
    environment: Environment,
    point: ConfigurationPoint | None,
    releases: Mapping[str, Mapping[str, Any]],
    values: Mapping[str, Mapping[str, Any]],
) -> ConfigurationHistory:
    """The facts of kind `configuration_history`. `releases`: role -> decoded release; `values`: role -> values file of the commit."""
    paths = environment.configuration.values
    return ConfigurationHistory(
        environment.configuration.branch,
        point.commit if point else None,
        point.committed_at if point else None,
        tuple(
            Release(
                role,
                str(found["name"]),
                int(found["version"]),
                str(found["info"]["status"]),
                paths[role],
                differences(found.get("config") or {}, values[role] or {}),
            )
            for role, found in sorted(releases.items())
            if role in values
        ),
    )


def drills(environment: Environment, held: tuple[HeldDrill, ...], claim: Mapping[str, Any] | None, now: datetime) -> DrillHistory:
    """The facts of kind `drill_history`. `claim`: the newest document of the claims workflow, None where it never ran."""
    found = (claim or {}).get("claim") or {}
    return DrillHistory(
        drills=tuple(sorted((d for d in held if d.full), key=lambda d: d.asked_at, reverse=True)),
        last_slot=calendar.before(environment.calendar, now).isoformat(),
        next_slot=calendar.at_or_after(environment.calendar, now).isoformat(),
        claim_known=claim is not None,
        claim_of=found.get("drill_id"),
        claim_publishable=bool((claim or {}).get("publishable")),
        claim_expires_at=found.get("expires_at"),
        claim_withdrawn_because=tuple((claim or {}).get("withdrawn_because") or ()),
    )


def judge_reachable(facts: ConfigurationHistory, plan: DrillPlan) -> CheckResult:
    expected = f"the configuration repository answers and branch {facts.branch} has a commit"
    if facts.commit is None:
        return failed(expected, "no commit")
    return expect(True, expected, f"{facts.commit[:12]} of {facts.committed_at}")


def judge_committed(facts: ConfigurationHistory, plan: DrillPlan) -> CheckResult:
    """Each committed values update: what is installed is what Git would install."""
    roles = [n.role for n in plan.environment.source.namespaces]
    expected = f"installed values of {', '.join(roles)} equal Git's on {facts.branch}"
    wrong = [f"{r.release}: {d.path} differs from {r.values_path}" for r in facts.releases for d in r.value_differences]
    wrong += [f"{r.release}: revision {r.revision} is {r.status}" for r in facts.releases if r.status != "deployed"]
    seen = f"{len(facts.releases)} of {len(roles)} releases compared at {(facts.commit or 'no commit')[:12]}"
    if wrong:
        return failed(expected, seen, wrong)
    missing = [f"{role}: not compared" for role in roles if role not in {r.role for r in facts.releases}]
    return inconclusive(expected, seen, missing) if missing else expect(True, expected, seen)


def judge_on_schedule(facts: DrillHistory, plan: DrillPlan) -> CheckResult:
    """A full drill was asked for since the last slot, and the newest one is not too old."""
    now, days = utc(plan.incident_time), plan.environment.posture.drill_max_age_days
    expected = f"a full drill since {facts.last_slot[:16]} UTC, at most {days} days old"
    if not facts.drills:
        return failed(expected, "no full drill is on record", ["nothing has shown yet that this deployment can be recovered"])
    newest = utc(facts.drills[0].asked_at)
    seen = f"{facts.drills[0].drill_id} of {facts.drills[0].asked_at[:16]} UTC; next due {facts.next_slot[:16]} UTC"
    findings = []
    if newest < utc(facts.last_slot) and now - utc(facts.last_slot) > GRACE:
        findings.append(f"the drill due {facts.last_slot[:16]} UTC was missed")
    if now - newest > timedelta(days=days):
        findings.append(f"the newest full drill is {(now - newest).days} days old")
    return expect(not findings, expected, seen, findings)


def judge_last_ready(facts: DrillHistory, plan: DrillPlan) -> CheckResult:
    expected = "the newest full drill that was decided is READY"
    decided = next((d for d in facts.drills if d.decision is not None), None)
    if decided is None:
        return failed(expected, "no full drill was decided yet")
    return expect(
        decided.decision == "READY", expected, f"{decided.drill_id}: {decided.decision}", [f"{decided.drill_id} ended {decided.decision}"]
    )


def judge_claim(facts: DrillHistory, plan: DrillPlan) -> CheckResult:
    """A claim that was published is still true, and does not run out unseen. Where none was earned, none can run out."""
    days = plan.environment.posture.claim_warning_days
    expected = f"the published RTO and RPO stand, for at least {days} more days"
    if not facts.claim_known:
        return inconclusive(expected, "the workflow recovery_claims has not run")
    if facts.claim_of is None:
        return expect(True, expected, "no claim was earned, so none may be published and none can run out")
    if not facts.claim_publishable:
        return failed(expected, f"the claim of {facts.claim_of} is withdrawn", facts.claim_withdrawn_because)
    left = utc(facts.claim_expires_at or "") - utc(plan.incident_time)
    seen = f"{facts.claim_of} until {facts.claim_expires_at}"
    if left < timedelta(0):
        return failed(expected, f"{seen}: expired")
    return expect(True, expected, seen) if left >= timedelta(days=days) else inconclusive(expected, f"{seen}: {left.days} days left")
