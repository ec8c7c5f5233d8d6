"""The decision: the only leaf of the graph, green for READY alone."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

from dalp_dr import decide
from dalp_dr.errors import DrillError, EvidenceError, RefusedError
from dalp_dr.evidence import bundle, canonical, dsse, ledger, statement
from dalp_dr.model.check import Verdict
from dalp_dr_airflow import audit, fence
from dalp_dr_airflow.drill import Drill, masked, now
from dalp_dr_airflow.errors import NotReadyError
from dalp_dr_airflow.operators.abort import close
from dalp_dr_airflow.operators.seal import SealEvidenceOperator, enter, home, keep, newest_bundle, publish, state_after_seal, write_summary
from dalp_dr_airflow.web.links import DrillReportLink, RunbookLink

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


class DecideOperator(BaseOperator):
    """Reads records and statements, never task states; writes decision, ledger entry, summary and final report.

    :param surfaces_only: a check of single surfaces: green when all its checks pass, and it claims no more than that.
    """

    operator_extra_links = (DrillReportLink(), RunbookLink())
    found_runbook: str | None = None  # section of the first reason

    def __init__(self, *, surfaces_only: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.surfaces_only = surfaces_only

    def execute(self, context: Context) -> dict[str, Any]:
        end_dry_run(context)
        drill = Drill.open(context)
        try:
            sealed = newest_bundle(drill)
        except (RefusedError, EvidenceError) as error:
            self.refused_in_plan(drill, context, str(error))
        sealed = sealed_again(drill, sealed)
        dossier = sealed.dossier()
        proposal = decide.propose(dossier, sealed.aborted, bundle.missing_captures(dossier, sealed.files))
        final = self.state(drill, sealed, proposal, audit.changed_by(drill))
        summary = decide.summary(dossier, proposal, final.decision, sealed.manifest_sha256, final.sign_off_problem)
        self.finish(drill, summary, proposal)
        self.found_runbook = next((r["runbook"] for r in summary["reasons"]), None)
        if not (final.decision is decide.Decision.READY or (self.surfaces_only and proposal.verdict is Verdict.PASS)):
            raise NotReadyError(in_words(summary))
        return {"decision": final.decision.value, "bundle_sha256": sealed.manifest_sha256}

    def state(self, drill: Drill, sealed: bundle.Bundle, proposal: decide.Proposal, cleared_by: tuple[str, ...] | None) -> decide.Final:
        """Takes the decision and adds it to the bundle and the ledger as a signed statement."""
        answer, envelope = signed_answer(sealed)
        final = decide.final(proposal, drill.plan, sealed.manifest_sha256, answer, cleared_by)
        said = statement.decision(
            drill.drill_id,
            sealed.manifest_sha256,
            final.decision,
            now(),
            final.sign_off_problem,
            sign_off_sha256=canonical.sha256(envelope) if envelope else None,
            cleared_by=cleared_by,
        )
        state_after_seal(drill, "decision", said, {"decision": final.decision.value, "verdict": proposal.verdict.value})
        return final

    def finish(self, drill: Drill, summary: dict[str, Any], proposal: decide.Proposal) -> None:
        """Summary and report on disk and in the store, the closing entry of a refused drill, the lease given back."""
        folder = home() / "drills" / drill.drill_id
        if proposal.outcome_kind is not decide.OutcomeKind.NORMAL:
            close(drill, proposal.outcome_kind, summary["bundle_sha256"], in_words(summary))
        summary["ledger_head"] = head = ledger.head(drill.evidence)
        log.info("Ledger head %s: keep it where the drill's operators cannot change it.", head)
        summary |= propose_step(drill, summary)
        write_summary(drill, summary)
        publish(drill, folder / "bundle")
        fence.release(drill)

    def refused_in_plan(self, drill: Drill, context: Context, why: str) -> None:
        """No plan, so no bundle: the run says FIX with the reason the plan task gave, and keeps nothing else."""
        reason = context["ti"].xcom_pull(task_ids="plan.freeze", key="refusal") or why
        run = context["dag_run"]
        summary = {
            "drill_id": drill.drill_id,
            "dag_id": run.dag_id,
            "run_id": run.run_id,
            "decision": "FIX",
            "outcome": "refused",
            "verdict": Verdict.INCONCLUSIVE.value,
            "bundle_sha256": None,
            "started_at": run.run_after.isoformat(),
            "phases": [],
            "rto_seconds": None,
            "rtt_seconds": None,
            "rpo_seconds": None,
            "rpo_by_surface": None,
            "business_rpo": None,
            "reasons": [
                {
                    "check": "plan",
                    "surface": None,
                    "verdict": "inconclusive",
                    "expected": "a plan",
                    "observed": reason,
                    "next_step": "Do what the text says, then start a new drill.",
                    "runbook": "drill.md#refused",
                }
            ],
        }
        write_summary(drill, summary)  # also when the evidence store does not take the closing entry
        close(drill, decide.OutcomeKind.ABORTED, None, reason)
        fence.release(drill)
        summary["ledger_head"] = ledger.head(drill.evidence)
        write_summary(drill, summary)
        raise NotReadyError(f"FIX: {reason}")


def sealed_again(drill: Drill, newest: bundle.Bundle) -> bundle.Bundle:
    """The newest bundle, or a new one where records are younger than it: after a clear of the failed tasks alone nobody else seals.

    An approval of the bundle before does not count for the new one.
    """
    younger = bundle.unsealed(newest, drill.records())
    if not younger:
        return newest
    log.warning("%d records are younger than the seal, so everything is sealed again: %s", len(younger), ", ".join(younger[:5]))
    made = SealEvidenceOperator.seal(drill)
    keep(drill, made)
    enter(drill, made)
    return made


def propose_step(drill: Drill, summary: dict[str, Any]) -> dict[str, Any]:
    """The page that a runbook lacks after a manual change: a patch beside the bundle, and a branch where the connection may push."""
    from dalp_dr.report import missing_step

    step = missing_step.of(summary)
    if step is None:
        return {}
    path = home() / "drills" / drill.drill_id / "missing-step.patch"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(step.patch(), encoding="utf-8")
    branch, plan = f"recovery-drill/{drill.drill_id}", drill.plan
    try:
        pushed = plan.configuration and drill.configuration.propose(plan.configuration.commit, branch, step.path, step.text, step.message)
    except (DrillError, AirflowException) as error:  # a decision does not wait for a repository
        log.error("The missing step was not pushed as branch %s: %s", branch, masked(str(error)))
        pushed = None
    log.error("A step is missing in the runbooks: complete %s%s", path.name, f", branch {branch}" if pushed else "")
    return {"missing_step": {"patch": path.name, "path": step.path, "branch": branch if pushed else None}}


def end_dry_run(context: Context) -> None:
    """A dry run that described the drill ends here, skipped; one that could not is red. Raises NotReadyError then."""
    if not context["params"].get("dry_run"):
        return
    said = {key: context["ti"].xcom_pull(task_ids="plan.freeze", key=key) for key in ("dry_run", "refusal")}
    if said["dry_run"] is None:
        raise NotReadyError(f"Dry run: {said['refusal'] or 'the drill could not be described. Read the log of plan.freeze.'}")
    raise AirflowSkipException("Dry run: the plan task's log says what would be done.")


def signed_answer(sealed: bundle.Bundle) -> tuple[decide.SignOff | None, bytes | None]:
    """The newest sign-off statement of a bundle, if there is one."""
    said = sealed.after("sign_off")
    if not said:
        return None, None
    path, envelope = said[-1]
    return statement.read_sign_off(dsse.peek(envelope, path), path), envelope


def in_words(summary: dict[str, Any]) -> str:
    """Decision and reasons on one line."""
    reasons = "; ".join(
        f"{r['check']}{' (' + str(r['subject']) + ')' if r.get('subject') else ''}: {r['observed']}" for r in summary["reasons"]
    )
    return f"{summary['decision']}: {reasons or 'no reason recorded'}"[:1500]
