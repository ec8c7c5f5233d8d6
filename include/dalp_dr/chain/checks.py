"""Record kinds and checks of the chain: identity, continuity, agreement, reconciliation, requests under way.

They belong to the surface `database`, which holds the index and the application's records.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dalp_dr.chain import continuity, contracts, events, in_flight, reconciliation
from dalp_dr.model.check import Check, CheckResult, Stage, Surface
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import RecordKind

KINDS: tuple[RecordKind, ...] = (
    RecordKind("chain", continuity.ChainFacts, "reconcile"),
    RecordKind("chain_events", events.EventFacts, "reconcile"),
    RecordKind("contracts", contracts.ContractFacts, "reconcile"),
    RecordKind("reconciliation", reconciliation.Reconciliation, "reconcile", seed_row="Reconciliation result"),
    RecordKind("catch_up", reconciliation.Reconciliation, "reconcile"),
    RecordKind("in_flight", in_flight.InFlight, "reconcile"),
)


def _check(
    id_: str,
    kind: str,
    question: str,
    judge: Callable[[Any, DrillPlan], CheckResult],
    next_step: str,
    section: str,
    full_only: bool = False,
    since: int = 1,
) -> Check:
    return Check(
        id_, kind, Surface.DATABASE, Stage.RECONCILE, question, judge, next_step, f"chain.md#{section}", full_only=full_only, since=since
    )


CHECKS: tuple[Check, ...] = (
    _check(
        "chain_identity",
        "chain",
        "Is it the right network?",
        continuity.judge_identity,
        "Correct the RPC connections; never start services against another network.",
        "identity",
    ),
    _check(
        "chain_continuity",
        "chain",
        "Is the index's past the chain's past?",
        continuity.judge_continuity,
        "Find out which of them forked at the named block; roll the index back to the last common block and let it catch up.",
        "continuity",
    ),
    _check(
        "rpc_nodes_agree",
        "chain",
        "Do the RPC nodes agree?",
        continuity.judge_agreement,
        "Wait for the lagging node, or replace the node that disagrees, and run the check again.",
        "nodes",
    ),
    _check(
        "chain_finality",
        "chain",
        "Do the nodes agree on what is final, and is the index on it?",
        continuity.judge_finality,
        "Set `chain.finality` to the network's rule; two final histories mean that one node is of another network or damaged.",
        "finality",
        since=2,
    ),
    _check(
        "index_events_match_chain",
        "chain_events",
        "Is every transfer of the index the chain's, every field?",
        events.judge_ranges,
        "Index the named blocks anew from the chain; find out what changed the named rows.",
        "transfers",
        since=2,
    ),
    _check(
        "remembered_ranges_hold",
        "chain_events",
        "Is what earlier drills remembered of the chain still so?",
        events.judge_memory,
        "Compare the named blocks on a third node; a memory that is wrong was changed in the evidence store, or was read from a bad node.",
        "memory",
        since=2,
    ),
    _check(
        "contract_code_expected",
        "contracts",
        "Do the tokens have the code they should have?",
        contracts.judge_code,
        "Find the upgrade or the deployment that explains the code before any service talks to the contract.",
        "contracts",
        since=2,
    ),
    _check(
        "contract_roles_held",
        "contracts",
        "Does the platform still hold the rights it needs?",
        contracts.judge_roles,
        "Name the roles in `chain.roles`; give a lost right back by the owner of the contract, or correct who should hold it.",
        "roles",
        since=2,
    ),
    _check(
        "index_matches_chain",
        "reconciliation",
        "Is the index equal to the chain, to the last unit?",
        reconciliation.judge_index,
        "Index the named tokens anew from the chain; find out what changed the named rows.",
        "index",
    ),
    _check(
        "database_matches_index",
        "reconciliation",
        "Are the application's records equal to the index?",
        reconciliation.judge_database,
        "Find the operations that explain the named differences; correct the records by the runbook.",
        "database",
    ),
    # Of the index alone: it goes on to the head, past operations that the records cannot know, since they came after the
    # recovery point. Those are the census's to count.
    _check(
        "index_caught_up",
        "catch_up",
        "Is the index still equal to the chain after it has gone on?",
        reconciliation.judge_index,
        "Read the indexer's log in the sandbox; a restored index must go on without errors.",
        "catch-up",
        full_only=True,
    ),
    _check(
        "no_unsafe_in_flight",
        "in_flight",
        "Could starting the workers send anything twice?",
        in_flight.judge_unsafe,
        "Settle the named requests by hand (mark as landed or cancelled) before any worker with a signing key starts.",
        "in-flight",
    ),
)
