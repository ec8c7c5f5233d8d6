"""Which RTO and RPO may be published: only what the newest full drill with a route switch has proven, and only so long.

The seed page: no RTO or RPO is an external commitment until the same target has passed a drill with the target backup
location, database restore path, object storage configuration and route-switch procedure. Each of these is a fingerprint
here, with infrastructure, version of this project and staffing as declared; a change of any withdraws the claim.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from dalp_dr.decide import Decision
from dalp_dr.dossier import Dossier
from dalp_dr.evidence import canonical
from dalp_dr.evidence.verify import Verification
from dalp_dr.model.check import Verdict
from dalp_dr.model.environment import Environment
from dalp_dr.model.plan import utc
from dalp_dr.services.route_switch import procedure_sha256

VALID_DAYS = 366  # the full test is yearly
ROUTE_SWITCH = "route_switch"  # record kind


@dataclass(frozen=True)
class Claim:
    """A publishable statement. Times UTC, RFC 3339; targets and achieved in seconds."""

    environment: str
    drill_id: str
    bundle_sha256: str
    scope: tuple[str, ...]
    targets: dict[str, Any]
    achieved: dict[str, Any]
    fingerprints: dict[str, str | None]
    signed_by: str
    earned_at: str
    expires_at: str


@dataclass(frozen=True)
class OpenReason:
    """A check that did not pass and has not passed since."""

    check: str
    subject: str
    verdict: str
    since_drill: str
    next_step: str
    runbook: str


@dataclass(frozen=True)
class Standing:
    """What may be said today. `claim` is the last one earned; it may be published only while `withdrawn_because`
    is empty.
    """

    claim: Claim | None
    withdrawn_because: tuple[str, ...]
    not_earned_because: tuple[str, ...]
    open_reasons: tuple[OpenReason, ...]
    unknown: tuple[str, ...] = ()  # what could not be compared with today

    @property
    def publishable(self) -> bool:
        return self.claim is not None and not self.withdrawn_because


def standing(
    history: Iterable[Verification], now: datetime, environment: Environment | None = None, version: str | None = None
) -> Standing:
    """What the verified drills of one environment allow today, oldest to newest by the time they were asked for.

    `environment` and `version` are today's; without them a change since the drill cannot be seen, and that is said.
    """
    drills = sorted((v for v in history if v.dossier is not None), key=lambda v: utc(v.dossier.plan.asked_at))  # type: ignore[union-attr]
    claim: Claim | None = None
    withdrawn: list[str] = []
    refusal: tuple[str, ...] = ("no drill is on record",)
    for drill in drills:
        refusal = not_earned(drill)
        if not refusal:
            claim, withdrawn = _claim(drill), []
        elif claim is not None and _counts_against(drill):
            withdrawn.append(f"the later drill {drill.drill_id} ended {drill.decision.value}")
    if claim is not None:
        if now > utc(claim.expires_at):
            withdrawn.append(f"it expired on {claim.expires_at[:10]}")
        withdrawn += _changes(claim, environment, version)
    unknown = [
        f"today's {what} was not given: a change since the drill cannot be seen"
        for what, given in (("environment file", environment), ("version", version))
        if claim is not None and given is None
    ]
    return Standing(claim, tuple(withdrawn), refusal, open_reasons(drills), tuple(unknown))


def document(result: Standing) -> dict[str, Any]:
    """The standing of one environment as plain JSON values."""
    return {"publishable": result.publishable, **asdict(result)}


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[str, ...]:
    """What changed between two documents of one environment, one sentence each; `before` is None the first time."""
    if before is None:
        return ("computed for the first time",)
    found = []
    if before.get("publishable") != after.get("publishable"):
        found.append("may be published now" if after.get("publishable") else "may not be published any more")
    old, new = (((d.get("claim") or {}).get("drill_id")) for d in (before, after))
    if old != new:
        found.append(f"the claim is of {new or 'no drill'} now; it was of {old or 'no drill'}")
    for name, said in (("withdrawn_because", "withdrawn"), ("not_earned_because", "not earned")):
        found += [f"{said}: {why}" for why in after.get(name) or () if why not in (before.get(name) or ())]
    was, now = ({(r["check"], r["subject"]): r for r in d.get("open_reasons") or ()} for d in (before, after))
    found += [f"open: {check} ({subject})" for check, subject in now if (check, subject) not in was]
    found += [f"closed: {check} ({subject})" for check, subject in was if (check, subject) not in now]
    return tuple(found)


def not_earned(drill: Verification) -> tuple[str, ...]:
    """Why this drill earns no claim; empty when it does."""
    found = []
    if drill.problems:
        found.append(f"the evidence of {drill.drill_id} is not intact")
    if drill.decision is not Decision.READY:
        found.append(f"{drill.drill_id} is not READY")
    if drill.sign_off is not None and drill.sign_off.played_by_lab:
        found.append("its sign-off was played by the lab")
    switch = drill.dossier.record(ROUTE_SWITCH) if drill.dossier else None
    planned = drill.dossier is not None and drill.dossier.plan.route_switch
    if not planned or switch is None or switch.facts is None:
        found.append(f"{drill.drill_id} included no route switch; a drill includes it when it is asked to")
    return tuple(found)


def _counts_against(drill: Verification) -> bool:
    """A full drill that was not READY withdraws a claim. A check of single surfaces says nothing about it, nor does a drill that
    passed and waits for its owner."""
    plan = drill.dossier.plan if drill.dossier else None
    if plan is None or not plan.full or drill.decision is Decision.READY:
        return False
    waits = not drill.problems and not drill.decided and drill.proposal is not None and drill.proposal.decision is Decision.READY
    return not waits


def _claim(drill: Verification) -> Claim:
    dossier = drill.dossier
    if dossier is None or drill.sign_off is None:
        raise ValueError("a claim needs a verified, signed drill")
    timing = dossier.record("timing")
    facts: Mapping[str, Any] = (timing.facts or {}) if timing else {}
    earned = drill.sign_off.signed_at
    return Claim(
        environment=dossier.plan.environment.name,
        drill_id=dossier.plan.drill_id,
        bundle_sha256=drill.bundle_sha256,
        scope=tuple(s.value for s in dossier.plan.surfaces),
        targets=dossier.plan.environment.targets.model_dump(mode="json"),
        achieved={name: facts.get(name) for name in ("rto_seconds", "rtt_seconds", "rpo_seconds", "rpo_by_surface")},
        fingerprints=fingerprints(dossier),
        signed_by=drill.sign_off.signer,
        earned_at=earned,
        expires_at=(utc(earned) + timedelta(days=VALID_DAYS)).isoformat().replace("+00:00", "Z"),
    )


def fingerprints(dossier: Dossier) -> dict[str, str | None]:
    """Digest of everything a claim depends on; None where the drill recorded nothing of it."""
    provenance = dossier.record("provenance")
    facts: Mapping[str, Any] = (provenance.facts or {}) if provenance else {}
    return {
        **of_environment(dossier.plan.environment),
        "version": str(facts.get("code_sha256") or facts.get("commit") or "") or None,
    }


def of_environment(environment: Environment) -> dict[str, str | None]:
    """The fingerprints that the environment document alone decides."""
    whole = environment.model_dump(mode="json")
    database, source = whole["database"], whole["source"]
    parts: dict[str, Any] = {
        "backup_location": [
            source["backup_location"],
            source["backup_bucket"],
            source["backup_prefix"],
            [[n["name"], n["schedule"]] for n in source["namespaces"]],
        ],
        "database_restore_path": [database[k] for k in ("cluster", "archive_bucket", "archive_prefix", "server_name", "image")],
        "object_storage": whole["object_storage"],
        "infrastructure": [
            whole["cluster"],
            whole["profile"],
            whole["chain"]["chain_id"],
            [[s["name"], s["workload"]] for s in whole["services"]],
        ],
        "staffing": [whole["accountable_team"], sorted(o["user"] for o in whole["owners"])],
        "targets": whole["targets"],
    }
    digests: dict[str, str | None] = {name: canonical.sha256(canonical.dumps(part)) for name, part in parts.items()}
    return digests | {"route_switch_procedure": procedure_sha256(environment)}


def _changes(claim: Claim, environment: Environment | None, version: str | None) -> list[str]:
    today: dict[str, str | None] = dict(of_environment(environment)) if environment else {}
    if version is not None:
        today["version"] = version
    return [
        f"{name.replace('_', ' ')} changed since {claim.drill_id}: {str(claim.fingerprints.get(name))[:12]} then, {str(digest)[:12]} today"
        for name, digest in today.items()
        if claim.fingerprints.get(name) != digest
    ]


def open_reasons(drills: Iterable[Verification]) -> tuple[OpenReason, ...]:
    """Every check whose last answer was not pass, from the drill on that first failed it; `drills` oldest first.

    Evidence that is not intact closes nothing.
    """
    found: dict[tuple[str, str], OpenReason] = {}
    for drill in drills:
        if drill.dossier is None:
            continue
        for outcome in drill.dossier.outcomes():
            key = (outcome.check.id, outcome.subject)
            if outcome.result.verdict is Verdict.PASS:
                if not drill.problems:
                    found.pop(key, None)
            elif outcome.ran or key not in found:
                first = found[key].since_drill if key in found else str(drill.drill_id)
                found[key] = OpenReason(*key, outcome.result.verdict.value, first, outcome.check.next_step, outcome.check.runbook)
    return tuple(found.values())
