"""Reconciles database, index and chain at one pinned block, read by two nodes and one database snapshot."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dalp_dr.chain import continuity, contracts, events, finality, in_flight, reconciliation, remembered
from dalp_dr.errors import DrillError
from dalp_dr.model.check import Surface
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.operators.base import DrillOperator, attempt

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dalp_dr.chain.rpc import Ask
    from dalp_dr.database.rows import Rows

    Ground = tuple[Mapping[str, Rows], Mapping[str, Ask], events.Reading]

SQL = ("checkpoint", "tokens", "balances", "transfer_ranges", "transfers_net", "transfers_summary", "holdings", "requests")
SQL_SECONDS = 300.0
PROGRESS_SECONDS = 5.0


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
    """Every transfer, supply and balance: chain against index, index against the application's own records, at rest."""

    surface = Surface.DATABASE
    kinds = ("chain_events", "contracts", "reconciliation")

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        ground: list[Ground] = []
        events_ = attempt("chain_events", lambda: self.transfers(drill, ground))
        if not ground:
            return [replace(events_, kind=kind) for kind in self.kinds]
        rows, nodes, reading = ground[0]
        found = {
            "chain_events": lambda: events_,
            "contracts": lambda: Gathered("contracts", contracts.facts_from(drill.plan, rows, nodes)),
            "reconciliation": lambda: Gathered("reconciliation", reconciliation.facts_from(drill.plan, rows, nodes, reading)),
            "catch_up": lambda: Gathered("catch_up", reconciliation.facts_from(drill.plan, rows, nodes, reading)),
        }
        return [attempt(kind, found[kind]) for kind in self.kinds]

    def transfers(self, drill: Drill, ground: list[Ground]) -> Gathered:
        """Reads the chain's transfers up to the index's checkpoint; puts everything that was read into `ground`."""
        rows = drill.sql(*SQL, timeout_seconds=SQL_SECONDS)
        nodes = {name: hook.batch for name, hook in drill.nodes.items()}
        line = finality.line_of(finality.told_by(drill.plan.environment.chain, nodes))
        reading = events.read(
            drill.plan,
            rows,
            nodes,
            memories=lambda prefix: self.memories(drill, prefix),
            fetch=lambda name, first, last, limit: drill.sql(
                name, timeout_seconds=SQL_SECONDS, numbers={"first": first, "last": last, "limit": limit}
            )[name],
            final=line,
            told=Progress(self.log),
        )
        if reading.memory is not None:
            drill.evidence.put(remembered.key(reading.memory), remembered.dumps(reading.memory))
        ground.append((rows, nodes, reading))
        return Gathered("chain_events", reading.facts)

    def memories(self, drill: Drill, prefix: str) -> list[remembered.Memory]:
        """The newest of an earlier drill, farthest first; one that cannot be read is left out and told."""
        found = []
        for key in remembered.newest([k for k in drill.evidence.list(prefix) if drill.drill_id not in k]):
            try:
                found.append(remembered.loads(drill.evidence.get(key), key))
            except DrillError as error:
                self.log.error("%s", error.diagnostics())
        return found


class Progress:
    """Says every few seconds how far the reading of the chain is: blocks, transfers, rate, time left."""

    def __init__(self, log: Any) -> None:
        self._log, self._began, self._said = log, time.monotonic(), time.monotonic()

    def __call__(self, done: int, blocks: int, transfers: int) -> None:
        now = time.monotonic()
        if now - self._said < PROGRESS_SECONDS:
            return
        self._said, spent = now, now - self._began
        left = spent / done * (blocks - done) if done else 0.0
        self._log.info("%s of %s blocks, %s transfers, %.0f a second, about %.0f s left", done, blocks, transfers, transfers / spent, left)


class CatchUpOperator(ReconciliationOperator):
    """The index once more, while the restored indexer runs and has gone on from the recovery point."""

    kinds = ("catch_up",)

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
