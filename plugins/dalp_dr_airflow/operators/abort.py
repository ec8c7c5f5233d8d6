"""How a drill that never reached its seal is closed: what was recorded is sealed as aborted, and its ledger entry is not left open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dalp_dr import decide
from dalp_dr.evidence import bundle, ledger, seal
from dalp_dr.evidence.store import FolderStore
from dalp_dr.model.record import encode
from dalp_dr.timing import audit
from dalp_dr_airflow.audit import changes
from dalp_dr_airflow.drill import Drill, now
from dalp_dr_airflow.hooks.connections import signing_key
from dalp_dr_airflow.operators.lease import release_lease
from dalp_dr_airflow.operators.seal import SealEvidenceOperator, captures, home, keep, publish, record_audit, write_summary

if TYPE_CHECKING:
    from airflow.sdk import Context


def close(drill: Drill, kind: decide.OutcomeKind, bundle_sha256: str | None, reason: str) -> None:
    """The closing entry of a drill without a decision. A drill that was never opened needs none."""
    if not any(entry.kind == "opening" and entry.drill_id == drill.drill_id for entry in ledger.entries(drill.evidence)):
        return
    key = signing_key(drill.environment.connections.evidence_signing)
    payload = {"bundle_sha256": bundle_sha256, "reason": reason}
    ledger.append(drill.evidence, kind.value, drill.drill_id, payload, key, at=now())
    ledger.copy(drill.evidence, FolderStore(home()))


def why_stopped(drill: Drill, context: Context) -> str:
    """Who ended the run, where somebody did."""
    for change in reversed(changes(drill, context) or ()):
        if change.what == audit.MARKED and not change.tasks:
            return f"{change.user} set the run to {change.state} at {change.at}{': ' + change.reason if change.reason else ''}"
    return "the run ended before its seal"


def seal_aborted(drill: Drill, context: Context) -> bundle.Bundle:
    """Seals whatever was recorded, with the reason, as FIX; gives the lease back."""
    why = why_stopped(drill, context)
    record_audit(drill, context)
    key = signing_key(drill.environment.connections.evidence_signing)
    made = bundle.build(drill.plan, drill.records(), captures(drill), encode(drill.facts("provenance")), aborted=why)
    sealed = seal.seal(made, key, now())
    folder = keep(drill, sealed)
    dossier = sealed.dossier()
    proposal = decide.propose(dossier, why, bundle.missing_captures(dossier, sealed.files))
    SealEvidenceOperator.enter(drill, sealed, proposal)
    close(drill, decide.OutcomeKind.ABORTED, sealed.manifest_sha256, why)
    head = ledger.head(drill.evidence)
    write_summary(drill, decide.summary(dossier, proposal, proposal.decision, sealed.manifest_sha256) | {"ledger_head": head})
    publish(drill, folder)
    release_lease(drill)
    return sealed
