"""The owner's sign-off of exactly one bundle, by Airflow's human-in-the-loop operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowSkipException

from dalp_dr import decide
from dalp_dr.evidence import statement
from dalp_dr_airflow.drill import Drill
from dalp_dr_airflow.operators.seal import current_bundle, state_after_seal

if TYPE_CHECKING:
    from airflow.sdk import Context

APPROVE, REJECT = "Approve", "Reject"
SUBJECT = "Approve the recovery drill {{ dag_run.run_id }}?"
BODY = """Read the report first. You approve exactly this bundle; repeat its digest in the form:

`{{ ti.xcom_pull(task_ids='seal.evidence')['bundle_sha256'] }}`"""
PLAYED = "Played by the runner of the lab"  # how the lab's runner begins its comment; such a sign-off earns no claim


class SignOffOperator(HITLOperator):
    """Shows the sealed digest with the result in words and records the answer as a signed statement.

    There is no default answer: silence is not approval. Without a proposal of READY there is nothing to sign: skipped.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs["params"] = {
            "bundle_sha256": Param("", type="string", title="Digest of the bundle you approve"),
            "comment": Param("", type=["null", "string"], title="Comment, or why you reject it"),
        }
        super().__init__(subject=SUBJECT, body=BODY, options=[APPROVE, REJECT], **kwargs)

    def execute(self, context: Context) -> Any:
        sealed = current_bundle(Drill.open(context))
        if decide.propose(sealed.dossier()).decision is not decide.Decision.READY:
            raise AirflowSkipException("The drill proposes FIX: there is nothing to sign.")
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        payload = super().execute_complete(context, event)
        drill, person = Drill.open(context), event.get("responded_by_user") or {}
        form, chosen = event.get("params_input") or {}, event["chosen_options"]
        answer = decide.SignOff(
            drill_id=drill.drill_id,
            bundle_sha256=str(form.get("bundle_sha256") or ""),
            signer=str(person.get("id") or ""),
            signer_name=str(person.get("name") or ""),
            approved=chosen == [APPROVE],
            reason=str(form.get("comment") or ""),
            signed_at=event["responded_at"].isoformat(),
            method="airflow_account",
            role="owner",
            answered=bool(person),
            played_by_lab=str(form.get("comment") or "").startswith(PLAYED),
        )
        state_after_seal(drill, "sign_off", statement.sign_off(answer), {"signer": answer.signer, "approved": answer.approved})
        return payload
