"""What of production would reach the sandbox: asked of the backups in preflight, and of the sandbox before services start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dalp_dr.errors import FactError
from dalp_dr.kubernetes_resources import exposure
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.operators.base import DrillOperator, attempt
from dalp_dr_airflow.operators.velero import live_objects

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dalp_dr.kubernetes_resources.restore import Contents


class BackupExposureOperator(DrillOperator):
    """Secrets in clear and references to production in what the restore would bring; nothing is made yet."""

    def in_scope(self, drill: Drill) -> bool:
        return bool(drill.plan.covered_roles)

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        held = Held(drill)
        return [attempt("exposure", lambda r=role: self.one(held, r), role) for role in drill.plan.covered_roles]  # type: ignore[misc]

    @staticmethod
    def one(held: Held, role: str) -> Gathered:
        plan = held.drill.plan
        objects = exposure.predicted(plan, role, held.contents(role))
        facts = exposure.facts_from(plan, role, plan.backup(role).backup, objects, held.production())
        return Gathered("exposure", facts, role)


class SandboxExposureOperator(DrillOperator):
    """The same of what is really there, before any restored service starts."""

    def in_scope(self, drill: Drill) -> bool:
        return bool(drill.plan.covered_roles)

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        held = Held(drill)
        return [attempt("exposure_restored", lambda r=role: self.one(held, r), role) for role in drill.plan.covered_roles]  # type: ignore[misc]

    @staticmethod
    def one(held: Held, role: str) -> Gathered:
        objects = live_objects(held.drill, role)
        facts = exposure.facts_from(held.drill.plan, role, "sandbox", objects, held.production())
        return Gathered("exposure_restored", facts, role)


class Held:
    """The planned backups of all covered namespaces, each read once."""

    def __init__(self, drill: Drill) -> None:
        self.drill = drill
        self._read: dict[str, Contents] = {}

    def contents(self, role: str) -> Contents:
        """Objects of a role's backup. Raises FactError without a planned backup."""
        if role not in self._read:
            point = next((b for b in self.drill.plan.backups if b.role == role), None)
            if point is None:
                raise FactError(f"The plan has no backup of {role}.", "Read why in the plan task's log.")
            self._read[role] = self.drill.backup_store.backup_contents(point.backup)
        return self._read[role]

    def production(self) -> exposure.Production:
        """Names and addresses of production, from all these backups."""
        return exposure.production(self.drill.plan, [self.contents(role) for role in self.drill.plan.covered_roles])
