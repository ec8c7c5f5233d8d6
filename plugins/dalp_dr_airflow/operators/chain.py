"""Reconciles database, index and chain at one pinned block, read by two nodes and one database snapshot."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dalp_dr.chain import continuity, in_flight, reconciliation
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
    """Supply and every balance: chain against index, index against the application's own records, at rest."""

    surface = Surface.DATABASE
    kind = "reconciliation"

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt(self.kind, lambda: self.reconcile(drill))

    def reconcile(self, drill: Drill) -> Gathered:
        rows = drill.sql("checkpoint", "tokens", "balances", "transfers_summary", "holdings", "requests")
        nodes = {name: hook.batch for name, hook in drill.nodes.items()}
        return Gathered(self.kind, reconciliation.facts_from(drill.plan, rows, nodes))


class CatchUpOperator(ReconciliationOperator):
    """The index once more, while the restored indexer runs and has gone on from the recovery point."""

    kind = "catch_up"

    def in_scope(self, drill: Drill) -> bool:
        return drill.plan.full


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
