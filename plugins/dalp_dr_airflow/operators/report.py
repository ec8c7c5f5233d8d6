"""Reports the drill to the accountable team; who was told, or why nobody was, is entered into the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowNotFoundException

from dalp_dr import decide
from dalp_dr.errors import DrillError, FactError
from dalp_dr.evidence import bundle, statement
from dalp_dr.report import letter
from dalp_dr_airflow import audit
from dalp_dr_airflow.drill import Drill, masked, now
from dalp_dr_airflow.hooks.mail import send
from dalp_dr_airflow.operators.base import skip_dry_run
from dalp_dr_airflow.operators.decide import signed_answer
from dalp_dr_airflow.operators.seal import newest_bundle, state_after_seal

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReportOperator(BaseOperator):
    """Mails decision, actual times and reasons. Red when nobody was told; no verdict ever depends on it."""

    def execute(self, context: Context) -> dict[str, Any]:
        skip_dry_run(context)
        drill = Drill.open(context)
        sealed = newest_bundle(drill)
        summary = expected_summary(drill, sealed, audit.changed_by(drill))
        told, problem = tell(drill, summary)
        said = statement.report(drill.drill_id, sealed.manifest_sha256, now(), drill.environment.accountable_team, told, problem)
        state_after_seal(drill, "report", said, {"recipients": len(told), "problem": problem})
        if problem:
            raise FactError(f"The accountable team was not told: {problem}")
        return {"recipients": len(told), "decision": summary["decision"]}


def expected_summary(drill: Drill, sealed: bundle.Bundle, cleared_by: tuple[str, ...] | None) -> dict[str, Any]:
    """What the decision will say; it is computed from the same records and the same answer."""
    dossier = sealed.dossier()
    proposal = decide.propose(dossier, sealed.aborted, bundle.missing_captures(dossier, sealed.files))
    final = decide.final(proposal, drill.plan, sealed.manifest_sha256, signed_answer(sealed)[0], cleared_by)
    return decide.summary(dossier, proposal, final.decision, sealed.manifest_sha256, final.sign_off_problem)


def tell(drill: Drill, summary: dict[str, Any]) -> tuple[tuple[str, ...], str | None]:
    """(whom the mail server took the report for, why nobody was told)."""
    connection, team = channel(drill), drill.environment.accountable_team
    if connection is None:
        return (), "the environment names no connection `report`"
    try:
        return send(connection, letter.subject(summary), letter.html(summary, team)), None
    except AirflowNotFoundException:
        return (), f"there is no connection {connection}"
    except DrillError as error:
        return (), masked(error.diagnostics())


def channel(drill: Drill) -> str | None:
    """The connection by which the accountable team is told; None where the environment names none."""
    return drill.environment.connections.report
