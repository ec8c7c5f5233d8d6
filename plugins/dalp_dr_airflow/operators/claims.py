"""Which RTO and RPO may be published today, from the bundles and the ledger in the evidence store."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from dalp_dr import claims
from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import bundle, canonical, dsse, ledger, ledger_verification, manifest
from dalp_dr.evidence.verify import Verification, verify
from dalp_dr_airflow.audit import code_digest
from dalp_dr_airflow.drill import Drill, environment_of
from dalp_dr_airflow.hooks.connections import signing_key, trusted_keys
from dalp_dr_airflow.operators.seal import home

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dalp_dr.evidence.store import EvidenceStore

NAME = "claims.json"


class RecoveryClaimsOperator(BaseOperator):
    """Verifies every drill of an environment anew and writes what may be said; red only when that cannot be found out.

    :param environment: name of the environment file.
    """

    def __init__(self, *, environment: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.environment = environment

    def execute(self, context: Context) -> dict[str, Any]:
        environment, at = environment_of(self.environment), datetime.now(UTC)
        store = Drill("claims", environment, "claims", 1).evidence
        conn_id = environment.connections.evidence_signing
        history = drills(store, (dsse.public_of(signing_key(conn_id)), *trusted_keys(conn_id)), environment.name)
        result = claims.standing(history, at, environment, code_digest())
        said = {**claims.document(result), "drills": len(history), "ledger_head": ledger.head(store)}
        before = written(self.environment)
        changed = claims.changes(before, said)
        for line in [*changed, *(f"not earned: {why}" for why in result.not_earned_because)]:
            self.log.info("%s: %s", self.environment, line)
        if changed:
            stamp = at.strftime("%Y%m%dT%H%M%S.%fZ")
            store.put(f"claims/{environment.name}/{stamp}.json", canonical.dumps({**said, "changes": list(changed), "at": at.isoformat()}))
        write(self.environment, {**said, "at": at.isoformat()}, changed)
        return {"publishable": result.publishable, "changes": len(changed), "open_reasons": len(result.open_reasons)}


def drills(store: EvidenceStore, keys: Iterable[dsse.PublicKey], environment: str) -> list[Verification]:
    """The newest bundle of each drill of an environment, checked alone and against the ledger."""
    entries = {name: store.get(name) for name in store.list(ledger.PREFIX)}
    known = ledger_verification.check(entries, keys)
    newest: dict[str, str] = {}
    for name in store.list("bundles/"):
        drill_id, number, path = name.removeprefix("bundles/").split("/", 2)
        if path == manifest.NAME:
            newest[drill_id] = max(number, newest.get(drill_id, ""))
    found = []
    for drill_id, number in sorted(newest.items()):
        prefix = f"bundles/{drill_id}/{number}/"
        files = {name.removeprefix(prefix): store.get(name) for name in store.list(prefix)}
        whole = bundle.Bundle(files, canonical.sha256(files[manifest.NAME]))
        result = verify(whole, known.keys.values(), drill_id)
        if result.dossier is not None and result.dossier.plan.environment.name == environment:
            found.append(result.with_more(place(known, whole, result.key_id)))
    return found


def place(known: ledger_verification.Ledger, whole: bundle.Bundle, key_id: str | None) -> list[Any]:
    """What is wrong with a bundle's place in the ledger, or with the ledger itself."""
    try:
        return [*known.problems, *ledger_verification.bundle_problems(known, whole, key_id)]
    except EvidenceError:
        return list(known.problems)  # a manifest that cannot be read is told by the check of the bundle


def written(environment: str) -> dict[str, Any] | None:
    """What was said about an environment the last time; None when nothing was, or it cannot be read."""
    try:
        found = json.loads((home() / NAME).read_bytes())["environments"][environment]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def write(environment: str, said: dict[str, Any], changed: tuple[str, ...]) -> None:
    """claims.json in the state folder: every environment's standing; `changes` are kept until the next ones."""
    path = home() / NAME
    try:
        whole = json.loads(path.read_bytes())
    except (OSError, ValueError):
        whole = {}
    known = whole.get("environments") if isinstance(whole, dict) else None
    before = (known or {}).get(environment) or {}
    kept = list(changed) or before.get("changes") or []
    document = {"schema_version": 1, "environments": {**(known or {}), environment: {**said, "changes": kept}}}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(document, indent=1, sort_keys=True), encoding="utf-8")
    unfinished.replace(path)
