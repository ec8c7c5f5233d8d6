"""The audit of a run: who cleared and marked what, how often tasks ran, and whether code or environment file changed."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace

from dalp_dr.errors import DrillError
from dalp_dr.model.environment_file import digest
from dalp_dr.timing import audit
from dalp_dr_airflow.drill import INCLUDE, Drill, Gathered, environment_of, masked

PROJECT = INCLUDE.parent
log = logging.getLogger(__name__)
CODE = ("dags", "plugins", "include/dalp_dr", "include/sql")


def code_digest() -> str:
    """sha256 over every source file that a drill runs by, whatever it was installed from."""
    found = hashlib.sha256()
    for folder in CODE:
        for file in sorted((PROJECT / folder).rglob("*")):
            if file.suffix in (".py", ".sql", ".j2", ".css", ".typ"):
                found.update(f"{file.relative_to(PROJECT).as_posix()}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def look(drill: Drill) -> Gathered:
    """The facts for the record. Raises DrillError when Airflow's API cannot be asked: then nobody knows who cleared what."""
    plan = drill.plan
    instances = drill.airflow.task_instances(plan.dag_id, plan.run_id)
    facts = audit.RunAudit(
        read_as=drill.airflow.user(),
        changes=read(drill),
        attempts=tuple(replace(a, note=masked(a.note)) for a in audit.attempts(instances)),
        silent=audit.silent(instances, drill.airflow.successes(plan.dag_id, plan.run_id)),
        code_then=code_then(drill),
        code_now=code_digest(),
        environment_then=plan.environment_digest,
        environment_now=digest(environment_of(drill.environment.name)),
    )
    return Gathered("run_audit", facts)


def code_then(drill: Drill) -> str:
    """Digest of the code when the plan was first made; empty when no plan task recorded it."""
    found = [r for r in drill.records() if r.kind == "provenance" and r.facts is not None]
    return str((min(found, key=lambda r: r.attempt).facts or {}).get("code_sha256") or "") if found else ""


def read(drill: Drill) -> tuple[audit.Change, ...]:
    """What people changed up to now; their notes without anything that looks like a secret."""
    plan = drill.plan
    found = audit.changes(plan.dag_id, plan.run_id, drill.airflow.changes(plan.asked_at))
    return tuple(replace(change, reason=masked(change.reason)) for change in found)


def changes(drill: Drill) -> tuple[audit.Change, ...] | None:
    """What people changed up to now; None where that cannot be read."""
    try:
        return read(drill)
    except DrillError as error:
        log.error("%s", error.diagnostics())
        return None


def changed_by(drill: Drill) -> tuple[str, ...] | None:
    """Who cleared or marked anything; asked again at the decision, since tasks may be cleared after the seal."""
    found = changes(drill)
    return None if found is None else audit.changed_by(found)
