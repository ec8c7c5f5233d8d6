"""A change of signing keys, entered into the ledger before it takes effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from dalp_dr.errors import InputError
from dalp_dr.evidence import keys, ledger
from dalp_dr.evidence.store import FolderStore
from dalp_dr_airflow.drill import Drill, environment_of, now
from dalp_dr_airflow.hooks.connections import signing_key, trusted_keys
from dalp_dr_airflow.operators.seal import home

if TYPE_CHECKING:
    from airflow.sdk import Context


class SigningKeyOperator(BaseOperator):
    """Adds or revokes the key that the run's form names; refused unless the key in the connection may sign that."""

    def execute(self, context: Context) -> dict[str, Any]:
        params, run = context["params"], context["dag_run"]
        by = getattr(run, "triggering_user_name", None)
        if not by:
            raise InputError("Nobody is named as the one who started this run.", "Start it as a user of Airflow.")
        environment = environment_of(params["environment"])
        store, conn_id = Drill(keys.OWNER, environment, keys.OWNER, 1).evidence, environment.connections.evidence_signing
        change = keys.Change(by, str(params.get("reason") or ""), now(), signing_key(conn_id), trusted_keys(conn_id))
        if params["action"] == "add":
            entry = change.add(store, str(params.get("public_key") or ""))
        else:
            entry = change.revoke(store, str(params.get("key_id") or "").strip())
        ledger.copy(store, FolderStore(home()))
        self.log.info("%s; the ledger's head is %s", entry.key, entry.sha256)
        return {"entry": entry.key, "key_id": entry.payload["key_id"], "ledger_head": entry.sha256}
