"""The dry run: reads what a drill would read, says what it would do and cost, and creates nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dalp_dr import dry_run
from dalp_dr.database import archive
from dalp_dr.isolation import capacity
from dalp_dr.model.check import Verdict
from dalp_dr.model.plan import DrillPlan
from dalp_dr_airflow.errors import DrillRefusedError
from dalp_dr_airflow.operators.preflight import capacity_facts

if TYPE_CHECKING:
    from dalp_dr_airflow.drill import Drill


def describe(drill: Drill, plan: DrillPlan) -> list[str]:
    """What this plan would do. Raises DrillRefusedError when the cluster has too little room for it."""
    facts = capacity_facts(drill, plan)
    text = list(dry_run.lines(plan, facts, base_backup_bytes(drill, plan), volume_bytes(drill, plan)))
    result = capacity.capacity_sufficient(facts, plan)
    if result.verdict is not Verdict.PASS:
        raise DrillRefusedError(f"There is not enough room: {result.observed}. " + "; ".join(result.findings))
    return text


def base_backup_bytes(drill: Drill, plan: DrillPlan) -> int:
    """Bytes of the base backup that the recovery would copy."""
    if plan.database is None:
        return 0
    folder = f"{archive.root(drill.environment.database)}base/{plan.database.backup_id}/"
    return sum(row["size_bytes"] for row in drill.catalog.objects() if row["key"].startswith(folder) and row["is_latest"])


def volume_bytes(drill: Drill, plan: DrillPlan) -> int:
    """Bytes of all volumes in the chosen backups."""
    return sum(
        (entry.get("pvbInfo") or {}).get("size", 0) for b in plan.backups for entry in drill.backup_store.backup_volumeinfo(b.backup)
    )
