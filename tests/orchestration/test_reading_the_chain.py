"""The task that reads the chain: one snapshot for three records, memories that are kept and read, and a missing answer in all three."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from dalp_dr.chain import remembered
from dalp_dr.chain.token import ZERO
from dalp_dr.errors import FactError
from dalp_dr.evidence.store import FolderStore
from dalp_dr.model.plan import DrillPlan
from dalp_dr_airflow.operators.chain import CatchUpOperator, Progress, ReconciliationOperator
from fake_node import ALICE, BOB, TOKEN, Node, digest, index_ranges
from sandbox_sample import PLAN, a_plan

MOVES = [(block, block, ZERO, ALICE if block % 2 else BOB, 5) for block in range(1, 400, 7)]
HELD = {h: 5 * sum(m[3] == h for m in MOVES) for h in (ALICE, BOB)}
ROWS: dict[str, list[dict[str, str]]] = {
    "checkpoint": [{"chain_id": "31337", "block_number": "400", "block_hash": digest(400)}],
    "tokens": [{"address": TOKEN, "symbol": "T", "decimals": "18", "total_supply": str(5 * len(MOVES))}],
    "balances": [{"token": TOKEN, "holder": h, "balance": str(v)} for h, v in HELD.items()],
    "transfer_ranges": index_ranges(MOVES),
    "transfers_net": [{"token": TOKEN, "holder": h, "balance": str(v)} for h, v in HELD.items()],
    "transfers_summary": [{"token": TOKEN, "transfers": str(len(MOVES)), "value": str(5 * len(MOVES))}],
    "holdings": [{"account": h, "token": TOKEN, "amount": str(v)} for h, v in HELD.items()],
    "requests": [],
}


class FakeDrill:
    """A plan, rows, nodes and a store; `sql` is counted."""

    def __init__(self, store: FolderStore, plan: DrillPlan = PLAN, fails: bool = False) -> None:
        self.plan, self.drill_id, self.evidence, self.fails = plan, plan.drill_id, store, fails
        self.asked: list[tuple[str, ...]] = []
        self.node = Node(head=410, transfers=list(MOVES))
        self.nodes = {name: SimpleNamespace(batch=self.node) for name in ("primary", "secondary")}

    def sql(self, *names: str, timeout_seconds: float = 60, numbers: Any = None) -> dict[str, list[dict[str, str]]]:
        self.asked.append(names)
        if self.fails:
            raise FactError("the sandbox database does not answer")
        return {name: ROWS[name] for name in names}


@pytest.fixture
def store(tmp_path: Any) -> FolderStore:
    return FolderStore(tmp_path)


def gathered(drill: Any, operator: type[ReconciliationOperator] = ReconciliationOperator) -> dict[str, Any]:
    return {g.kind: g for g in operator(task_id="t").gather(drill, {})}  # type: ignore[arg-type, typeddict-item]


def test_one_snapshot_gives_three_records_and_a_memory(store: FolderStore) -> None:
    drill = FakeDrill(store)
    found = gathered(drill)
    assert list(found) == ["chain_events", "contracts", "reconciliation"]
    assert all(g.error is None for g in found.values())
    assert len(drill.asked) == 1
    (key,) = store.list("remembered/")
    assert remembered.loads(store.get(key), key).covered_to == 399


def test_the_next_drill_believes_it_and_reads_a_part_anew(store: FolderStore) -> None:
    gathered(FakeDrill(store))
    later = FakeDrill(store, a_plan(drill_id="d-20270106-00000001"))
    facts = gathered(later)["chain_events"].facts
    assert facts.remembered_from == PLAN.drill_id and len(facts.read_anew) == 1
    assert facts.transfers_read < len(MOVES) / 2 and facts.chain_transfers == len(MOVES)


def test_a_drill_does_not_believe_itself(store: FolderStore) -> None:
    gathered(FakeDrill(store))
    assert gathered(FakeDrill(store))["chain_events"].facts.remembered_from is None


def test_a_memory_that_was_changed_is_left_out(store: FolderStore) -> None:
    gathered(FakeDrill(store))
    (key,) = store.list("remembered/")
    (store.root / key).write_bytes(store.get(key).replace(b'"transfers":', b'"transfers":1'))
    assert gathered(FakeDrill(store, a_plan(drill_id="d-20270106-00000001")))["chain_events"].facts.remembered_from is None


def test_a_database_that_does_not_answer_is_an_error_of_every_record(store: FolderStore) -> None:
    found = gathered(FakeDrill(store, fails=True))
    assert [(g.facts, "does not answer" in str(g.error)) for g in found.values()] == [(None, True)] * 3


def test_the_running_index_is_one_record(store: FolderStore) -> None:
    assert list(gathered(FakeDrill(store), CatchUpOperator)) == ["catch_up"]


def test_progress_says_rate_and_time_left(caplog: pytest.LogCaptureFixture) -> None:
    progress = Progress(logging.getLogger("progress"))
    progress._began = progress._said = progress._began - 10
    with caplog.at_level(logging.INFO, "progress"):
        progress(25, 100, 5_000)
        progress(26, 100, 5_100)
    assert [r.getMessage() for r in caplog.records] == ["25 of 100 blocks, 5000 transfers, 500 a second, about 30 s left"]
