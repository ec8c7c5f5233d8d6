"""How a drill that never reached its seal is closed: what was recorded is sealed as aborted, and its ledger entry is not left open."""

from __future__ import annotations

from dalp_dr import decide
from dalp_dr.evidence import bundle, ledger
from dalp_dr.evidence.store import FolderStore
from dalp_dr.timing import audit
from dalp_dr_airflow import fence
from dalp_dr_airflow.audit import changes
from dalp_dr_airflow.drill import Drill, now
from dalp_dr_airflow.hooks.connections import signing_key
from dalp_dr_airflow.operators.seal import bundles, enter, home, keep, newest_bundle, publish, record_audit, seal_records, write_summary


def close(drill: Drill, kind: decide.OutcomeKind, bundle_sha256: str | None, reason: str) -> None:
    """The closing entry of a drill without a decision. A drill that was never opened needs none."""
    if not any(entry.kind == "opening" and entry.drill_id == drill.drill_id for entry in ledger.entries(drill.evidence)):
        return
    key = signing_key(drill.environment.connections.evidence_signing)
    payload = {"bundle_sha256": bundle_sha256, "reason": reason}
    ledger.append(drill.evidence, kind.value, drill.drill_id, payload, key, at=now())
    ledger.copy(drill.evidence, FolderStore(home()))


def close_without_plan(drill: Drill, why: str) -> None:
    """The closing entry of a drill that was stopped before its plan was frozen."""
    close(drill, decide.OutcomeKind.ABORTED, None, why)


def why_stopped(drill: Drill) -> str | None:
    """Who ended the run, with `stop` or in Airflow; None when nobody is known to have done so."""
    if said := fence.stopped(drill):
        return fence.in_words(said)
    for change in reversed(changes(drill) or ()):
        if change.what == audit.MARKED and not change.tasks:
            return f"{change.user} set the run to {change.state} at {change.at}{': ' + change.reason if change.reason else ''}"
    return None


def seal_aborted(drill: Drill, why: str) -> bundle.Bundle:
    """Seals whatever was recorded, with the reason, as FIX. One that was sealed as aborted already stays as it is."""
    if bundles(drill) and (newest := newest_bundle(drill)).aborted is not None:
        return newest
    record_audit(drill)
    sealed = seal_records(drill, why)
    folder = keep(drill, sealed)
    proposal = enter(drill, sealed)
    close(drill, decide.OutcomeKind.ABORTED, sealed.manifest_sha256, why)
    summary = decide.summary(sealed.dossier(), proposal, proposal.decision, sealed.manifest_sha256)
    write_summary(drill, summary | {"ledger_head": ledger.head(drill.evidence)})
    publish(drill, folder)
    return sealed
