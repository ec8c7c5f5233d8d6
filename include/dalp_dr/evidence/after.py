"""Statements made after the seal: sign-off, report, decision, teardown. Read, checked and decided anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dalp_dr import decide
from dalp_dr.decide import Decision, SignOff
from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import canonical, dsse, statement, timestamp
from dalp_dr.evidence.bundle import AFTER, Bundle
from dalp_dr.evidence.problem import Problem
from dalp_dr.model.plan import DrillPlan, utc

KINDS = {"sign_off": statement.SIGN_OFF, "report": statement.REPORT, "decision": statement.DECISION, "teardown": statement.TEARDOWN}


@dataclass
class After:
    """What the statements say together. The newest of each kind counts."""

    decision: Decision = Decision.FIX
    decided: bool = False  # a decision was signed, whatever it says
    sign_off: SignOff | None = None
    sign_off_problem: str | None = None
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check(bundle: Bundle, plan: DrillPlan, proposal: decide.Proposal, keys: Iterable[dsse.PublicKey], sealed_at: str) -> After:
    """READY only with a decision statement that says so and agrees with the sign-off and the records."""
    result, ours = After(), tuple(keys)
    digest = canonical.sha256(bundle.files["manifest.json"])
    try:
        owners = owner_keys(plan)
    except EvidenceError as error:
        result.problems.append(Problem("plan.json", f"the public key of an owner is wrong: {error}"))
        owners = {}
    for path in sorted(p for p in bundle.files if p.startswith(AFTER)):
        if path not in {name for kind in (*KINDS, timestamp.KIND) for name, _ in bundle.after(kind)}:
            result.problems.append(Problem(path, "no file of this name belongs into a bundle"))
    said: dict[str, dict[str, Any]] = {}
    for kind, predicate_type in KINDS.items():
        for path, data in bundle.after(kind):
            try:
                trusted = (*ours, *owners.values()) if kind == "sign_off" else ours
                opened = dsse.open_envelope(data, trusted, path)
                subject, content = statement.predicate(opened.statement, predicate_type, path)
                if subject != digest or content.get("bundle_sha256") != digest or content.get("drill_id") != plan.drill_id:
                    raise EvidenceError(f"{path}: speaks of another bundle; it was replayed.")
                if kind == "sign_off":
                    result.sign_off = _signed_by_right_key(statement.read_sign_off(opened.statement, path), opened.key_id, owners, path)
            except EvidenceError as error:
                result.problems.append(Problem(path, str(error).removeprefix(f"{path}: ")))
                continue
            said[kind] = {**content, "path": path, "envelope_sha256": canonical.sha256(data)}
    _decide(result, plan, proposal, digest, said, sealed_at)
    _notes(result, said)
    return result


def owner_keys(plan: DrillPlan) -> dict[str, dsse.PublicKey]:
    """The owners' own public keys by user, as far as the environment names them. Raises EvidenceError for a wrong
    one.
    """
    return {owner.user: dsse.PublicKey.from_pem(owner.public_key) for owner in plan.environment.owners if owner.public_key}


def _signed_by_right_key(answer: SignOff, key_id: str, owners: dict[str, dsse.PublicKey], path: str) -> SignOff:
    own = owners.get(answer.signer)
    if answer.method == "owner_key" and (own is None or own.key_id != key_id):
        raise EvidenceError(f"{path}: says it was signed with {answer.signer}'s own key, but was not.")
    if answer.method != "owner_key" and key_id in {key.key_id for key in owners.values()}:
        raise EvidenceError(f"{path}: an owner's key signed an answer that claims to come from an account.")
    return answer


def _decide(
    result: After,
    plan: DrillPlan,
    proposal: decide.Proposal,
    digest: str,
    said: dict[str, dict[str, Any]],
    sealed_at: str,
) -> None:
    decision = said.get("decision")
    named = (decision or {}).get("cleared_by", ())
    cleared_by = None if named is None else tuple(str(user) for user in named)
    final = decide.final(proposal, plan, digest, result.sign_off, cleared_by)
    result.sign_off_problem = final.sign_off_problem
    if decision is None:
        result.notes.append("no final decision was signed; without one a bundle is not READY")
        return
    result.decided = True
    where = str(decision["path"])
    if decision.get("decision") != final.decision.value:
        result.problems.append(Problem(where, f"states {decision.get('decision')!r}; records and sign-off give {final.decision.value!r}"))
        return
    signed = said.get("sign_off", {})
    if final.decision is Decision.READY and decision.get("sign_off_sha256") != signed.get("envelope_sha256"):
        result.problems.append(Problem(where, "names another sign-off than the one in the bundle"))
        return
    if late := _impossible(sealed_at, result.sign_off.signed_at if result.sign_off else sealed_at, decision.get("decided_at")):
        result.problems.append(Problem(where, late))
        return
    result.decision = final.decision


def _impossible(sealed_at: str, signed_at: str, decided_at: Any) -> str | None:
    try:
        if not utc(sealed_at) <= utc(signed_at) <= utc(str(decided_at)):
            return f"impossible order: sealed {sealed_at}, signed {signed_at}, decided {decided_at}"
    except (ValueError, TypeError):
        return f"a time cannot be read: sealed {sealed_at!r}, signed {signed_at!r}, decided {decided_at!r}"
    return None


def _notes(result: After, said: dict[str, dict[str, Any]]) -> None:
    answer = result.sign_off
    if answer and answer.method != "owner_key":
        result.notes.append(f"signed off by the account {answer.signer}: weaker than a signature with the owner's own key")
    if answer and answer.played_by_lab:
        result.notes.append("the sign-off was played by the lab; it earns no claim")
    report = said.get("report")
    if report is not None:
        who = ", ".join(map(str, report.get("recipients") or ())) or f"nobody: {report.get('problem')}"
        result.notes.append(f"reported to {report.get('team') or 'the accountable team'} ({who})")
    teardown = said.get("teardown")
    if teardown is None:
        result.notes.append("no proof of teardown yet")
    elif teardown.get("remaining"):
        result.notes.append(
            f"the sandbox is not gone: {len(teardown['remaining'])} objects remain, kept until {teardown.get('kept_until')}"
        )
