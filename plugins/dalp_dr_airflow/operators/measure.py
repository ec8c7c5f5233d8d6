"""Measures the drill from its records, and looks for changes that nobody declared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dalp_dr.isolation import manual
from dalp_dr.services import software
from dalp_dr.timing.measure import measure
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.operators.base import DrillOperator, attempt
from dalp_dr_airflow.operators.velero import live_objects

if TYPE_CHECKING:
    from airflow.sdk import Context


class MeasureOperator(DrillOperator):
    """RTO, RTT, RPO of every surface, phases and marks."""

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("timing", lambda: self.timing(drill))

    @staticmethod
    def timing(drill: Drill) -> Gathered:
        return Gathered("timing", measure(drill.plan, drill.records()))


class ManualChangeOperator(DrillOperator):
    """Field managers in the sandbox that are neither ours nor a controller's: a manual change is a failed drill. And which images ran."""

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("manual_changes", lambda: self.look(drill))
        yield attempt("software", lambda: self.software(drill))

    @staticmethod
    def look(drill: Drill) -> Gathered:
        objects = [o for role in drill.plan.roles for o in live_objects(drill, role)]
        return Gathered("manual_changes", manual.facts_from(objects))

    @staticmethod
    def software(drill: Drill) -> Gathered:
        pods = [p for role in drill.plan.roles for p in drill.sandbox.list(f"/api/v1/namespaces/{drill.plan.namespace(role)}/pods")]
        return Gathered("software", software.facts_from(pods))
