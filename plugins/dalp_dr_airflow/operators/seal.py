"""Seals what was recorded: bundle, signature, ledger entry, report. Always runs, so that no drill can be cherry-picked."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from dalp_dr import decide
from dalp_dr.errors import DrillError, RefusedError
from dalp_dr.evidence import bundle, canonical, ledger, seal
from dalp_dr.evidence.store import FolderStore
from dalp_dr.model.record import encode
from dalp_dr_airflow import audit, fence
from dalp_dr_airflow.drill import Drill, now
from dalp_dr_airflow.hooks.connections import signing_key, timestamp_url
from dalp_dr_airflow.hooks.timestamp import stamp
from dalp_dr_airflow.operators.base import attempt, show, skip_dry_run
from dalp_dr_airflow.web.links import DrillReportLink

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)
PROJECT = Path(__file__).resolve().parents[3]


def home() -> Path:
    """The project's state folder: $DALP_DR_HOME, or .dalp-dr in the project."""
    return Path(os.environ.get("DALP_DR_HOME") or PROJECT / ".dalp-dr")


def bundles(drill: Drill) -> list[int]:
    """Numbers of the bundles this drill has in the evidence store."""
    prefix = f"bundles/{drill.drill_id}/"
    return sorted({int(key.removeprefix(prefix).split("/", 1)[0]) for key in drill.evidence.list(prefix)})


def newest_bundle(drill: Drill) -> bundle.Bundle:
    """The newest bundle with everything said about it after its seal. Raises RefusedError when there is none."""
    numbers = bundles(drill)
    if not numbers:
        raise RefusedError(f"Drill {drill.drill_id} has no bundle.", "Clear the seal task.")
    prefix = f"bundles/{drill.drill_id}/{numbers[-1]:02d}/"
    files = {key.removeprefix(prefix): drill.evidence.get(key) for key in drill.evidence.list(prefix)}
    return bundle.Bundle(files, canonical.sha256(files["manifest.json"]))


def current_bundle(drill: Drill) -> bundle.Bundle:
    """The newest bundle, if it holds every record of the drill. Raises RefusedError when something was recorded after its seal."""
    sealed = newest_bundle(drill)
    younger = bundle.unsealed(sealed, drill.records())
    if younger:
        raise RefusedError(f"{len(younger)} records are younger than the seal: {', '.join(younger[:5])}.", "Clear seal.evidence.")
    return sealed


def keep(drill: Drill, sealed: bundle.Bundle) -> Path:
    """Puts a bundle into the evidence store and into the drill's local folder; an older bundle is set aside there."""
    number = sealed.read_manifest().attempt
    sealed.put(drill.evidence, f"bundles/{drill.drill_id}/{number:02d}")
    folder = home() / "drills" / drill.drill_id / "bundle"
    if folder.is_dir() and canonical.sha256((folder / "manifest.json").read_bytes()) != sealed.manifest_sha256:
        folder.rename(folder.with_name(f"bundle-{number - 1:02d}"))
    sealed.write(folder)
    return folder


def state_after_seal(drill: Drill, kind: str, statement: dict[str, Any], payload: dict[str, Any]) -> bundle.Bundle:
    """Adds one signed statement to the newest bundle and its entry to the ledger."""
    from dalp_dr.evidence import dsse

    key = signing_key(drill.environment.connections.evidence_signing)
    envelope = dsse.sign(statement, key)
    added = newest_bundle(drill).with_after(kind, envelope)
    keep(drill, added)
    ledger.append(
        drill.evidence,
        kind,
        drill.drill_id,
        {"bundle_sha256": added.manifest_sha256, "envelope_sha256": canonical.sha256(envelope), **payload},
        key,
        at=now(),
    )
    ledger.copy(drill.evidence, FolderStore(home()))
    return added


class SealEvidenceOperator(BaseOperator):
    """Closes the bundle of facts with its computed verdict and proposed decision. XCom: digest, verdict, proposal, uri."""

    operator_extra_links = (DrillReportLink(),)

    def execute(self, context: Context) -> dict[str, Any]:
        skip_dry_run(context)
        drill = Drill.open(context)
        sealed = self.seal(drill)
        folder = keep(drill, sealed)
        proposal = enter(drill, sealed)
        publish(drill, folder)
        self.log.info("Bundle %s: %s, proposed %s", sealed.manifest_sha256, proposal.verdict.value, proposal.decision.value)
        return {
            "uri": str(folder),
            "bundle_sha256": sealed.manifest_sha256,
            "verdict": proposal.verdict.value,
            "proposed": proposal.decision.value,
            "outcome": proposal.outcome_kind.value,
            "reasons": len(proposal.reasons),
        }

    @staticmethod
    def seal(drill: Drill) -> bundle.Bundle:
        """Everything recorded so far. A drill that was stopped stays what its stop made it."""
        said = fence.stopped(drill)
        if said and bundles(drill) and (newest := newest_bundle(drill)).aborted is not None:
            return newest
        record_audit(drill)
        return seal_records(drill, fence.in_words(said) if said else None)


def seal_records(drill: Drill, aborted: str | None) -> bundle.Bundle:
    """A signed bundle of every record so far; a later attempt names the bundle before it. `aborted`: why the run was given up."""
    numbers = bundles(drill)
    previous = newest_bundle(drill).manifest_sha256 if numbers else None
    number = (numbers[-1] if numbers else 0) + 1
    made = bundle.build(drill.plan, drill.records(), captures(drill), encode(drill.facts("provenance")), previous, number, aborted)
    return stamped(drill, seal.seal(made, signing_key(drill.environment.connections.evidence_signing), now()))


def stamped(drill: Drill, sealed: bundle.Bundle) -> bundle.Bundle:
    """With the time stamp of the authority in the connection's extra (`timestamp_url`), when it answers.

    An authority that is down never keeps a drill from being sealed: the clock is then not attested, and `verify` says so.
    """
    url = timestamp_url(drill.environment.connections.evidence_signing)
    if url is None:
        return sealed
    try:
        return sealed.with_timestamp(stamp(url, sealed.files[bundle.STATEMENT]))
    except DrillError as error:
        log.error("The clock of this seal is not attested: %s", error.diagnostics())
        return sealed


def enter(drill: Drill, sealed: bundle.Bundle) -> decide.Proposal:
    """The seal's entry in the ledger with what the bundle proposes, and the ledger's local copy."""
    dossier, listing = sealed.dossier(), sealed.read_manifest()
    proposal = decide.propose(dossier, sealed.aborted, bundle.missing_captures(dossier, sealed.files))
    key = signing_key(drill.environment.connections.evidence_signing)
    payload = {
        "bundle_sha256": sealed.manifest_sha256,
        "attempt": listing.attempt,
        "previous": listing.previous,
        "verdict": proposal.verdict.value,
        "decision": proposal.decision.value,
    }
    ledger.append(drill.evidence, "seal", drill.drill_id, payload, key, at=now())
    ledger.copy(drill.evidence, FolderStore(home()))
    return proposal


def record_audit(drill: Drill) -> None:
    """Records what people did to the run up to the seal; each seal looks again."""
    if not drill.is_planned():
        return  # nothing is sealed either
    number = 1 + sum(r.kind == "run_audit" for r in drill.records())
    own = Drill(drill.drill_id, drill.environment, drill.task_id, number, drill.ending)
    for judged in own.conclude([attempt("run_audit", lambda: audit.look(drill))]):
        show(judged)


def captures(drill: Drill) -> dict[str, bytes]:
    """Every redacted raw answer of the drill, by digest."""
    prefix = drill.key("captures") + "/"
    return {key.removeprefix(prefix): drill.evidence.get(key) for key in drill.evidence.list(prefix)}


def write_summary(drill: Drill, summary: dict[str, Any]) -> None:
    """summary.json of the drill; a rerun replaces it, the bundles stay."""
    path = home() / "drills" / drill.drill_id / "summary.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(summary, indent=1, ensure_ascii=False), encoding="utf-8")
    unfinished.replace(path)


def publish(drill: Drill, folder: Path) -> None:
    """Writes the reports beside the bundle and points `drills/latest` at this drill."""
    from dalp_dr import report

    view = report.view(folder)
    (folder.parent / "report.html").write_text(report.render_html(view), encoding="utf-8")
    (folder.parent / "report.pdf").write_bytes(report.render_pdf(view))
    report.publish_runbooks(folder.parents[1] / "runbooks")
    latest = folder.parent.parent / "latest"
    fresh = latest.with_name(f".latest-{os.getpid()}")
    fresh.symlink_to(folder.parent.name)
    fresh.replace(latest)
