"""### Evidence keys

Enters a change of the signing key into the ledger. To change keys: *add* the new public key while the old one is in the
connection; put the new private key into the connection, and the old public key into `trusted_keys` of its extra; then *revoke*
the old one by its id. A drill that finds a key in the connection which the ledger does not know, or revoked, is refused.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from dalp_dr_airflow.operators.keys import SigningKeyOperator
from dalp_dr_airflow.task_groups import settings

with DAG(
    "evidence_keys",
    description="Add or revoke a signing key",
    schedule=None,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["dalp", "recovery-drill", "evidence"],
    default_args={**settings.DEFAULTS, "retries": 0},
    params={
        "environment": settings.form()["environment"],
        "action": Param("add", enum=["add", "revoke"], title="What to do"),
        "public_key": Param(None, type=["null", "string"], format="multiline", title="New public key (PEM), to add"),
        "key_id": Param(None, type=["null", "string"], title="Key id as `verify` prints it, to revoke"),
        "reason": Param("", type="string", title="Why"),
    },
):
    settings.where_the_key_is(SigningKeyOperator(task_id="change"))
