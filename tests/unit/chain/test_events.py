"""Every transfer, every field, range by range; what is remembered is believed only with reason."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from dalp_dr.catalogue import KINDS
from dalp_dr.chain import events, ranges, remembered
from dalp_dr.chain.token import ZERO, Transfer
from dalp_dr.errors import FactError
from dalp_dr.model.check import Verdict
from dalp_dr.model.record import encode
from fake_node import ALICE, BOB, CAROL, TOKEN, Node, digest, index_blocks, index_ranges, index_rows
from sandbox_sample import PLAN

HEAD, CHECKPOINT = 1_010, 1_000
Moves = list[tuple[int, int, str, str, int]]


def moves(count: int = 60) -> Moves:
    """Transfers spread over eleven ranges of a hundred blocks, in blocks that hold one to three."""
    found: Moves = []
    for place in range(count):
        block = 1 + place * 16
        for more in range(1 + place % 3):
            found.append((block, 10 * place + more, ZERO if not more else ALICE, ALICE if not more else BOB, 10**24 + place))
    return [m for m in found if m[0] <= CHECKPOINT]


def a_node(transfers: Moves | None = None, **changes: Any) -> Node:
    return Node(head=HEAD, transfers=moves() if transfers is None else transfers, **changes)


def sql(transfers: Moves, checkpoint: int = CHECKPOINT) -> dict[str, list[dict[str, str]]]:
    return {
        "checkpoint": [{"chain_id": "31337", "block_number": str(checkpoint), "block_hash": digest(checkpoint)}],
        "tokens": [{"address": TOKEN, "symbol": "T", "decimals": "18", "total_supply": "0"}],
        "transfer_ranges": index_ranges(transfers),
    }


def read(
    index: Moves | None = None,
    primary: Any = None,
    secondary: Any = None,
    memories: Sequence[remembered.Memory] = (),
    plan: Any = PLAN,
    **more: Any,
) -> events.Reading:
    rows = moves() if index is None else index
    nodes = {"primary": primary or a_node(), "secondary": secondary or a_node()}

    def fetch(name: str, first: int, last: int, limit: int) -> list[dict[str, str]]:
        found = [r for r in index_rows(rows) if first <= int(r["block_number"]) <= last]
        return (index_blocks(found) if name == "transfer_blocks" else found)[:limit]

    return events.read(plan, sql(rows), nodes, lambda prefix: memories, fetch, more.pop("final", HEAD - 2), **more)


def test_equal_sides_pass_and_every_field_is_in_the_digest() -> None:
    reading = read()
    result = events.judge_ranges(reading.facts, PLAN)
    assert result.verdict is Verdict.PASS
    assert reading.facts.index_transfers == reading.facts.chain_transfers == len(moves())
    assert reading.facts.index_ranges == reading.facts.chain_ranges == 10
    assert reading.totals == {TOKEN: (len(moves()), sum(m[4] for m in moves()))}


def changed(place: int, **fields: Any) -> Moves:
    rows = moves()
    names = ("block", "tx", "sender", "recipient", "value")
    rows[place] = tuple(fields.get(n, v) for n, v in zip(names, rows[place], strict=True))  # type: ignore[assignment]
    return rows


PLANTED: dict[str, tuple[Moves, str]] = {
    "value one unit more": (changed(40, value=moves()[40][4] + 1), f"{BOB} {moves()[40][4] + 1}"),
    "another recipient": (changed(40, recipient=CAROL), CAROL),
    "another sender": (changed(40, sender=CAROL), CAROL),
    "another transaction": (changed(40, tx=7_777), f"{7_777:x}"),
}


@pytest.mark.parametrize("case", PLANTED)
def test_one_field_of_one_row_is_found_and_both_sides_are_named(case: str) -> None:
    rows, said = PLANTED[case]
    facts = read(rows).facts
    result = events.judge_ranges(facts, PLAN)
    assert result.verdict is Verdict.FAIL
    assert len(facts.different) == len(facts.rows) == 1
    assert result.findings[0].startswith(f"block {moves()[40][0]}, log 40: index ")
    assert said in result.findings[0]


def test_two_rows_that_swap_their_values_are_found_though_count_and_sum_agree() -> None:
    rows = moves()
    a, b = rows[0], rows[3]
    rows[0], rows[3] = (*a[:4], b[4]), (*b[:4], a[4])
    reading = read(rows)
    assert reading.facts.different[0].index is not None and reading.facts.different[0].chain is not None
    assert reading.facts.different[0].index.value == reading.facts.different[0].chain.value
    assert len(reading.facts.rows) == 2


def test_only_the_blocks_that_differ_are_read_side_by_side() -> None:
    quiet, node = a_node(), a_node()
    read(primary=quiet)
    read(changed(40, value=1), primary=node)
    assert node.asked.count("eth_getLogs") == quiet.asked.count("eth_getLogs") + 1
    many = [m if not 100 <= m[0] < 200 else (*m[:4], m[4] + 1) for m in moves()]
    assert len(read(many).facts.rows) == len([m for m in moves() if 100 <= m[0] < 200])


def test_many_differing_blocks_of_a_range_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BLOCKS_SIDE_BY_SIDE", 2)
    many = [m if not 100 <= m[0] < 200 else (*m[:4], m[4] + 1) for m in moves()]
    assert len(read(many).facts.rows) == len([m for m in moves() if 100 <= m[0] < 200])


def test_a_lost_row_and_an_invented_row_are_told_apart() -> None:
    more = a_node([*moves(), (990, 5, ZERO, CAROL, 4)])
    lost = events.judge_ranges(read(primary=more, secondary=more).facts, PLAN)
    assert any("missing in the index" in f for f in lost.findings)
    invented = events.judge_ranges(read([*moves(), (999, 9, ZERO, CAROL, 1)]).facts, PLAN)
    assert [f for f in invented.findings if "only in the index" in f and CAROL in f]
    assert lost.verdict is invented.verdict is Verdict.FAIL


def test_a_row_above_the_checkpoint_is_only_in_the_index() -> None:
    facts = read([*moves(), (1_005, 9, ZERO, CAROL, 1)]).facts
    assert events.judge_ranges(facts, PLAN).verdict is Verdict.FAIL
    assert [(r.block_number, r.chain) for r in facts.rows] == [(1_005, None)]


@pytest.mark.parametrize("seed", range(5))
def test_a_seeded_mismatch_is_named_exactly(seed: int) -> None:
    """Both sides are read by different code; wherever one row is changed, that row and no other is named."""
    drawn = random.Random(seed)
    place = drawn.randrange(len(moves()))
    rows = changed(place, value=drawn.randrange(1, 10**30))
    assert [(r.block_number, r.log_index) for r in read(rows).facts.rows] == [(moves()[place][0], place)]


def test_a_node_that_agrees_with_the_index_makes_it_a_question_and_not_a_fault() -> None:
    bad = moves()[:-1]
    facts = read(primary=a_node(bad)).facts
    result = events.judge_ranges(facts, PLAN)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "secondary agrees with the index" in result.findings[0]


SILENT: dict[str, Any] = {
    "pruned": a_node(pruned_below=500),
    "every range too large": a_node(largest_range=0),
    "error": a_node(errors={"eth_getLogs": "internal error"}),
}


@pytest.mark.parametrize("case", SILENT)
def test_a_range_without_an_answer_is_never_zero_transfers(case: str) -> None:
    reading = read(primary=SILENT[case], secondary=SILENT[case])
    assert reading.facts.chain_transfers is None and reading.totals is None and reading.memory is None
    result = events.judge_ranges(reading.facts, PLAN)
    assert result.verdict is Verdict.INCONCLUSIVE and result.findings


def test_an_index_without_transfers_proves_nothing() -> None:
    assert events.judge_ranges(read([], a_node([]), a_node([])).facts, PLAN).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("changed", [{"chain_transfers": 0}, {"chain_transfers": None}, {"index_transfers": 0}], ids=str)
def test_counts_that_differ_while_no_range_does_prove_nothing(changed: dict[str, Any]) -> None:
    facts = read().facts
    assert events.judge_ranges(facts, PLAN).verdict is Verdict.PASS
    assert events.judge_ranges(replace(facts, **changed), PLAN).verdict is Verdict.INCONCLUSIVE


def test_another_block_at_the_checkpoint_is_no_pass() -> None:
    facts = read(primary=a_node(branch_from=1_000), secondary=a_node(branch_from=1_000)).facts
    assert events.judge_ranges(facts, PLAN).verdict is Verdict.INCONCLUSIVE


def test_ranges_of_another_width_are_a_defect_of_the_sql_text() -> None:
    with pytest.raises(FactError, match="ranges have 100 blocks"):
        events.read(PLAN, sql(moves()) | {"transfer_ranges": index_ranges(moves(), 10)}, {"primary": a_node(), "secondary": a_node()})


def test_the_width_grows_with_the_chain() -> None:
    cases = [(0, 100), (200_000, 100), (200_001, 1_000), (2_000_000, 1_000), (2_000_001, 10_000), (19_000_000, 10_000)]
    assert [ranges.width_of(number) for number, _ in cases] == [width for _, width in cases]


# ---- memory


def a_memory(**changes: Any) -> remembered.Memory:
    made = read().memory
    assert made is not None
    return replace(made, **changes)


def test_final_whole_ranges_are_remembered_and_only_new_blocks_are_read() -> None:
    memory = a_memory()
    assert (memory.covered_to, memory.covered_hash) == (999, digest(999))
    assert all(r.last_hash == digest(r.range.last) for r in memory.ranges)
    node = a_node()
    reading = read(primary=node, memories=[memory])
    assert reading.facts.remembered_from == memory.drill_id
    assert reading.facts.read_anew and len(reading.facts.read_anew) == 1
    assert reading.facts.transfers_read < len(moves()) / 5
    assert reading.facts.chain_transfers == len(moves())
    assert reading.totals == read().totals
    for judge in (events.judge_ranges, events.judge_memory):
        assert judge(reading.facts, PLAN).verdict is Verdict.PASS


def test_which_ranges_are_read_anew_follows_from_the_seed() -> None:
    memory = a_memory()
    drawn = {seed: [r.range.first for r in memory.drawn(seed)] for seed in map(str, range(40))}
    assert drawn == {seed: [r.range.first for r in memory.drawn(seed)] for seed in drawn}
    assert {first for chosen in drawn.values() for first in chosen} == {r.range.first for r in memory.ranges}


def test_nothing_above_the_finality_line_is_remembered() -> None:
    assert a_memory(covered_to=0) and read(final=850).memory is not None
    made = read(final=850).memory
    assert made is not None and made.covered_to == 799 and max(r.range.last for r in made.ranges) == 799
    assert read(final=98).memory is None
    assert read(final=None).memory is None


def test_a_tampered_row_in_a_remembered_range_is_found() -> None:
    facts = read(changed(10, value=1), memories=[a_memory()]).facts
    assert events.judge_ranges(facts, PLAN).verdict is Verdict.FAIL
    assert [r.log_index for r in facts.rows] == [10]


def test_a_memory_that_is_wrong_fails_and_the_chain_is_read_anew() -> None:
    memory = a_memory()
    wrong = replace(memory, ranges=tuple(replace(r, range=replace(r.range, digest="00" * 32)) for r in memory.ranges))
    reading = read(memories=[wrong])
    assert events.judge_memory(reading.facts, PLAN).verdict is Verdict.FAIL
    assert events.judge_ranges(reading.facts, PLAN).verdict is Verdict.PASS
    assert reading.facts.transfers_read > len(moves())


def test_a_memory_of_a_chain_that_was_left_is_not_believed() -> None:
    lost = a_memory(covered_hash=digest(999, "f"), drill_id="d-20260101-aaaaaaaa")
    facts = read(memories=[lost, a_memory()]).facts
    assert facts.remembered_from == a_memory().drill_id
    assert "memory of d-20260101-aaaaaaaa" in facts.not_believed[0]
    alone = read(memories=[lost]).facts
    assert alone.remembered_from is None and alone.chain_transfers == len(moves())


def test_a_memory_beyond_the_restored_index_is_not_believed() -> None:
    facts = read(memories=[a_memory(covered_to=1_099)]).facts
    assert facts.remembered_from is None and "the index ends before it" in facts.not_believed[0]


def test_a_remembered_range_that_cannot_be_read_anew_is_open() -> None:
    broken = a_node(errors={"eth_getLogs": "busy"})
    facts = read(primary=broken, secondary=broken, memories=[a_memory()]).facts
    assert events.judge_memory(facts, PLAN).verdict is Verdict.INCONCLUSIVE
    assert events.judge_ranges(facts, PLAN).verdict is Verdict.INCONCLUSIVE


def test_a_memory_is_read_back_only_under_its_own_name() -> None:
    memory = a_memory()
    data, name = remembered.dumps(memory), remembered.key(memory)
    assert remembered.loads(data, name) == memory
    assert name.startswith(remembered.prefix(31337, [TOKEN], 100)) and memory.drill_id in name
    for other_data, other_name in ((data.replace(b'"width":100', b'"width":10'), name), (data, name.replace("999", "998")), (b"{", name)):
        with pytest.raises(FactError):
            remembered.loads(other_data, other_name)


def test_the_farthest_memories_are_tried_first() -> None:
    keys = [remembered.key(a_memory(covered_to=to)) for to in (99, 999, 499)]
    assert remembered.newest(keys) == (keys[1], keys[2], keys[0])


def test_the_record_is_read_back_as_it_was_written() -> None:
    facts = read(changed(3, value=9), memories=[a_memory()]).facts
    assert KINDS["chain_events"].decode(json.loads(json.dumps(encode(facts)))) == facts


def test_the_collector_holds_no_rows() -> None:
    collector = ranges.Collector(100)
    for number in range(1, 1_000):
        collector.add(Transfer(TOKEN, ALICE, BOB, 1, number, 0, "0x" + "00" * 32))
    assert len(collector._lines) == 1
