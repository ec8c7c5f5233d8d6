"""Reconciles database, index and chain at one pinned block, read by two nodes and one database snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dalp_dr.chain import continuity, in_flight, reconciliation
from dalp_dr.chain.checks import AT_REST
from dalp_dr.model.check import Surface
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.operators.base import DrillOperator, attempt

if TYPE_CHECKING:
    from airflow.sdk import Context


class ChainContinuityOperator(DrillOperator):
    """Right network, and the index's stored block hashes are the chain's, on both nodes."""

    surface = Surface.DATABASE

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("chain", lambda: self.chain(drill))

    @staticmethod
    def chain(drill: Drill) -> Gathered:
        rows = drill.sql("checkpoint", "blocks")
        nodes = {name: hook.batch for name, hook in drill.nodes.items()}
        return Gathered("chain", continuity.facts_from(drill.plan, rows["checkpoint"], rows["blocks"], nodes))


class ReconciliationOperator(DrillOperator):
    """Supply and every balance: chain against index, index against the application's own records.

    :param moment: "at_rest" before any restored service may write, or "running" afterwards.
    """

    def __init__(self, *, moment: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.moment = moment

    def in_scope(self, drill: Drill) -> bool:
        return super().in_scope(drill) and (self.moment == AT_REST or drill.plan.full)

    surface = Surface.DATABASE

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("reconciliation", lambda: self.reconcile(drill), self.moment)

    def reconcile(self, drill: Drill) -> Gathered:
        rows = drill.sql("checkpoint", "tokens", "balances", "transfers_summary", "holdings", "requests")
        nodes = {name: hook.batch for name, hook in drill.nodes.items()}
        return Gathered("reconciliation", reconciliation.facts_from(drill.plan, rows, nodes), self.moment)


class InFlightCensusOperator(DrillOperator):
    """What was under way: landed, never sent, doubtful, orphaned; and whether starting again could send anything twice."""

    surface = Surface.DATABASE

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("in_flight", lambda: self.census(drill))

    @staticmethod
    def census(drill: Drill) -> Gathered:
        rows = drill.sql("requests", "checkpoint", "tokens")
        nodes = {name: hook.batch for name, hook in drill.nodes.items()}
        return Gathered("in_flight", in_flight.facts_from(drill.plan, rows["requests"], rows["checkpoint"], nodes, rows["tokens"]))
