"""Every transfer of the index against the chain's, range by range, every field; where a range differs, its rows side by side.

The chain's side is read by raw JSON-RPC at the node that shares the pinned block, the index's by SQL in one snapshot. What an
earlier drill read below the finality line is remembered; a part of it is read anew each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from dalp_dr.chain import ranges, remembered, token
from dalp_dr.chain.continuity import checkpoint_of
from dalp_dr.chain.ranges import BlockRange
from dalp_dr.chain.rpc import Ask, NoAnswer, block_hashes
from dalp_dr.database.rows import Rows, integer, required
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan

RANGES_SIDE_BY_SIDE = 10  # differing ranges whose rows are compared; all differing ranges are named
BLOCKS_SIDE_BY_SIDE = 50  # differing blocks of a range that are compared one by one; of more, the whole range
ROWS_AT_ONCE = 50_000
Fetch = Callable[[str, int, int, int], Rows]  # SQL text (`transfer_blocks` or `transfers_between`), first, last, limit -> rows
Told = Callable[[int, int, int], None]  # blocks done, blocks in all, transfers so far


@dataclass(frozen=True)
class RangeDifference:
    """A range whose digest differs; None on the side that has no transfer in it. `agreeing`: other nodes that have the index's digest."""

    first: int
    last: int
    index: BlockRange | None
    chain: BlockRange | None
    agreeing: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowDifference:
    """One transfer. `index`, `chain`: "token tx_hash sender recipient value"; None where that side does not have it."""

    block_number: int
    log_index: int
    index: str | None
    chain: str | None


@dataclass(frozen=True)
class EventFacts:
    """Both sides at the pinned block. `remembered_from`: drill whose memory was believed; `not_believed`: why another was not.

    `covered_to`: last block that was remembered; `read_anew`: first blocks of the remembered ranges that were read again by
    `seed`, `wrong_memory`: those that differ from the chain. `errors`: why the chain's side is not whole.
    """

    pinned_number: int
    pinned_hash: str
    node: str
    node_hash: str | None
    seed: str
    width: int
    index_ranges: int
    chain_ranges: int | None
    index_transfers: int
    chain_transfers: int | None
    different: tuple[RangeDifference, ...]
    rows: tuple[RowDifference, ...]
    not_side_by_side: tuple[str, ...]
    remembered_from: str | None
    covered_to: int | None
    remembered_ranges: int
    not_believed: tuple[str, ...]
    read_anew: tuple[int, ...]
    wrong_memory: tuple[str, ...]
    blocks_read: int
    transfers_read: int
    errors: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """The chain's side: its ranges, what each token's transfers add up to, and what may be remembered.

    `totals`: token -> (transfers, value); None when a range got no answer.
    """

    facts: EventFacts
    totals: Mapping[str, tuple[int, int]] | None
    memory: remembered.Memory | None


def read(
    plan: DrillPlan,
    sql: Mapping[str, Rows],
    nodes: Mapping[str, Ask],
    memories: Callable[[str], Sequence[remembered.Memory]] = lambda prefix: (),
    fetch: Fetch = lambda name, first, last, limit: (),
    final: int | None = None,
    told: Told = lambda done, all_, transfers: None,
) -> Reading:
    """`sql`: checkpoint, tokens, transfer_ranges of one snapshot. `memories`: newest first, of a prefix; `final`: last block that
    cannot change any more, None when that is not known, and then nothing is remembered. Raises FactError.
    """
    chain_id, number, digest = checkpoint_of(plan, sql["checkpoint"])
    hashes = {name: _hash(ask, number) for name, ask in nodes.items()}
    name = next((n for n in nodes if hashes[n] == digest), next(iter(nodes)))
    tokens = sorted(required(t, "address").lower() for t in sql["tokens"])
    width = ranges.width_of(number)
    index = ranges.of_index(sql["transfer_ranges"], width)
    chain = _Chain(nodes[name], tokens, width, number, told, index)
    known, doubts = _believed(memories(remembered.prefix(chain_id, tokens, width)), chain, number)
    wrong: tuple[str, ...] = ()
    drawn = known.drawn(plan.random_seed) if known else ()
    found: dict[int, BlockRange] | None = None
    errors: list[str] = []
    try:
        wrong = tuple(w for r in drawn if (w := chain.differs(r)))
        found = chain.all(None if wrong else known)
    except NoAnswer as error:
        errors.append(str(error))
    facts = EventFacts(
        pinned_number=number,
        pinned_hash=digest,
        node=name,
        node_hash=hashes[name],
        seed=plan.random_seed,
        width=width,
        index_ranges=len(index),
        chain_ranges=None if found is None else len(found),
        index_transfers=sum(r.transfers for r in index.values()),
        chain_transfers=None if found is None else sum(r.transfers for r in found.values()),
        different=(),
        rows=(),
        not_side_by_side=(),
        remembered_from=known.drill_id if known else None,
        covered_to=known.covered_to if known else None,
        remembered_ranges=len(known.ranges) if known else 0,
        not_believed=tuple(doubts),
        read_anew=tuple(r.range.first for r in drawn),
        wrong_memory=wrong,
        blocks_read=chain.blocks_read,
        transfers_read=chain.transfers_read,
        errors=tuple(errors),
    )
    if found is None:
        return Reading(facts, None, None)
    facts = _side_by_side(facts, index, found, chain, nodes, fetch)
    return Reading(
        replace(facts, blocks_read=chain.blocks_read),
        chain.totals(),
        chain.memory(plan, chain_id, found, final, digest, -1 if wrong or known is None else known.covered_to),
    )


def _hash(ask: Ask, number: int) -> str | None:
    found = block_hashes(ask, [number])[number]
    return found if isinstance(found, str) else None


def _believed(memories: Sequence[remembered.Memory], chain: _Chain, pinned: int) -> tuple[remembered.Memory | None, list[str]]:
    """The first memory whose last block the node still has, and why those before it were not believed."""
    doubts: list[str] = []
    for memory in memories:
        there = _hash(chain.ask, memory.covered_to) if memory.covered_to <= pinned else None
        if there == memory.covered_hash:
            return memory, doubts
        why = "the index ends before it" if memory.covered_to > pinned else f"the node has {there or 'no such block'} there"
        doubts.append(f"memory of {memory.drill_id} to block {memory.covered_to}: {why}")
    return None, doubts


class _Chain:
    """One node's transfers up to the pinned block."""

    def __init__(self, ask: Ask, tokens: Sequence[str], width: int, pinned: int, told: Told, index: Mapping[int, BlockRange]) -> None:
        self.ask, self.tokens, self._width, self._pinned, self._told, self._index = ask, tokens, width, pinned, told, index
        self.blocks_read = self.transfers_read = 0
        self._shares: dict[int, Mapping[str, tuple[int, int]]] = {}
        self._hashes: dict[int, str] = {}
        self._blocks: dict[int, Mapping[int, str]] = {}

    def between(self, first: int, last: int) -> ranges.Collector:
        """Reads these blocks. Raises NoAnswer."""
        collector, last = ranges.Collector(self._width, self._index), min(last, self._pinned)

        def count(event: token.Transfer) -> None:
            self.transfers_read += 1
            collector.add(event)

        if self.tokens and first <= last:
            blocks = last - first + 1
            token.scan(self.ask, self.tokens, first, last, count, lambda end: self._told(end - first + 1, blocks, self.transfers_read))
            self.blocks_read += last - first + 1
        return collector

    def differs(self, known: remembered.RememberedRange) -> str | None:
        """How a remembered range differs from what the node has now, None when it does not. Raises NoAnswer."""
        now = self.between(known.range.first, known.range.last).ranges().get(known.range.first)
        if now == known.range:
            return None
        seen = f"{now.transfers} transfers, digest {now.digest[:16]}" if now else "no transfer"
        old = known.range
        return f"blocks {old.first} to {old.last}: {old.transfers} transfers, digest {old.digest[:16]} remembered; {seen} now"

    def all(self, known: remembered.Memory | None) -> dict[int, BlockRange]:
        """Every range up to the pinned block, from memory as far as that goes. Raises NoAnswer."""
        found: dict[int, BlockRange] = {}
        for old in known.ranges if known else ():
            found[old.range.first] = old.range
            self._shares[old.range.first] = {s.token: (s.transfers, int(s.value)) for s in old.tokens}
            self._hashes[old.range.first] = old.last_hash
        collector = self.between(known.covered_to + 1 if known else 0, self._pinned)
        found |= collector.ranges()
        self._shares.update(collector.tokens)
        self._blocks.update(collector.blocks)
        return found

    def blocks(self, first: int) -> Mapping[int, str]:
        """Block -> digest in a range that differs from the index; one that was only remembered is read now. Raises NoAnswer."""
        if first not in self._blocks:
            collector = self.between(first, first + self._width - 1)
            collector.ranges()
            self._blocks[first] = collector.blocks.get(first, {})
        return self._blocks[first]

    def totals(self) -> dict[str, tuple[int, int]]:
        """Token -> (transfers, value)."""
        found: dict[str, tuple[int, int]] = {}
        for shares in self._shares.values():
            for address, (count, value) in shares.items():
                before = found.get(address, (0, 0))
                found[address] = (before[0] + count, before[1] + value)
        return found

    def memory(
        self, plan: DrillPlan, chain_id: int, found: Mapping[int, BlockRange], final: int | None, pinned_hash: str, so_far: int
    ) -> remembered.Memory | None:
        """What may be remembered: whole ranges below the finality line, of a node that shares the pinned block; None when that
        is not more than what is remembered `so_far`."""
        covered = (min(self._pinned, -1 if final is None else final) + 1) // self._width * self._width - 1
        if covered <= so_far or not self.tokens or _hash(self.ask, self._pinned) != pinned_hash:
            return None
        unknown = [r for first, r in found.items() if r.last <= covered and first not in self._hashes]
        answers = block_hashes(self.ask, [covered, *(r.last for r in unknown)])
        if not all(isinstance(h, str) for h in answers.values()):
            return None
        self._hashes |= {r.first: str(answers[r.last]) for r in unknown}
        place = (covered, str(answers[covered]))
        return remembered.make(chain_id, self.tokens, self._width, place, plan.drill_id, found, self._shares, self._hashes)


def _side_by_side(
    facts: EventFacts,
    index: Mapping[int, BlockRange],
    found: Mapping[int, BlockRange],
    chain: _Chain,
    nodes: Mapping[str, Ask],
    fetch: Fetch,
) -> EventFacts:
    """The facts with every differing range, and the rows of the first of them: range, then block, then row."""
    different: list[RangeDifference] = []
    rows: list[RowDifference] = []
    left_out: list[str] = []
    for first in sorted(f for f in {*index, *found} if index.get(f) != found.get(f)):
        last = first + facts.width - 1
        agreeing: list[str] = []
        if len(different) < RANGES_SIDE_BY_SIDE:
            try:
                others = {n: ask for n, ask in nodes.items() if n != facts.node}
                agreeing = [n for n, ask in others.items() if _one(ask, chain, facts, first) == index.get(first)]
                for begin, end in _spans(chain.blocks(first), fetch("transfer_blocks", first, last, facts.width), first, last):
                    rows += _rows(chain, begin, end, facts.pinned_number, fetch)
            except NoAnswer as error:
                left_out.append(f"blocks {first} to {last}: {error}")
        else:
            left_out.append(f"blocks {first} to {last}: more than {RANGES_SIDE_BY_SIDE} ranges differ")
        different.append(RangeDifference(first, last, index.get(first), found.get(first), tuple(agreeing)))
    return replace(facts, different=tuple(different), rows=tuple(rows), not_side_by_side=tuple(left_out))


def _one(ask: Ask, chain: _Chain, facts: EventFacts, first: int) -> BlockRange | None:
    """The same range as another node has it. Raises NoAnswer."""
    other = _Chain(ask, chain.tokens, facts.width, facts.pinned_number, lambda done, all_, transfers: None, {})
    return other.between(first, first + facts.width - 1).ranges().get(first)


def _spans(chain: Mapping[int, str], stored: Rows, first: int, last: int) -> list[tuple[int, int]]:
    """The blocks that differ, neighbours together; the whole range where they are many."""
    index = {integer(row, "block_number"): required(row, "digest").lower() for row in stored}
    differing = sorted(n for n in {*chain, *index} if chain.get(n) != index.get(n))
    if len(differing) > BLOCKS_SIDE_BY_SIDE or not differing:
        return [(first, last)]
    spans: list[tuple[int, int]] = []
    for number in differing:
        if spans and spans[-1][1] == number - 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return spans


def _rows(chain: _Chain, first: int, last: int, pinned: int, fetch: Fetch) -> list[RowDifference]:
    """Rows of these blocks that only one side has, or that differ. Raises NoAnswer when there are more than can be held."""
    stored = fetch("transfers_between", first, last, ROWS_AT_ONCE + 1)
    if len(stored) > ROWS_AT_ONCE:
        raise NoAnswer(f"the index has more than {ROWS_AT_ONCE} rows in it", "Compare this range by hand.")
    ours: dict[tuple[int, int, str], str] = {}
    for row in stored:
        place = (integer(row, "block_number"), integer(row, "log_index"), required(row, "token").lower())
        ours[place] = _row(place[2], required(row, "tx_hash"), required(row, "sender"), required(row, "recipient"), integer(row, "value"))
    theirs: dict[tuple[int, int, str], str] = {}

    def keep(e: token.Transfer) -> None:
        theirs[(e.block_number, e.log_index, e.token)] = _row(e.token, e.tx_hash, e.sender, e.recipient, e.value)

    if chain.tokens and first <= pinned:
        token.scan(chain.ask, chain.tokens, first, min(last, pinned), keep)
    places = sorted(p for p in {*ours, *theirs} if ours.get(p) != theirs.get(p))
    return [RowDifference(p[0], p[1], ours.get(p), theirs.get(p)) for p in places]


def _row(address: str, tx_hash: str, sender: str, recipient: str, value: int) -> str:
    return f"{address} {tx_hash.lower()} {sender.lower()} {recipient.lower()} {value}"


def judge_ranges(facts: EventFacts, plan: DrillPlan) -> CheckResult:
    """Every range of blocks has the same transfers in the index and on the chain, every field."""
    expected = f"every transfer of the index equal to the chain's, every field, up to block {facts.pinned_number}"
    seen = (
        f"{facts.index_transfers} transfers in {facts.index_ranges} ranges of {facts.width} blocks against {facts.chain_transfers} "
        f"on {facts.node}; {facts.transfers_read} read now"
    )
    wrong = [_said(r) for r in facts.rows] if facts.rows else []
    wrong += [_said_of(d) for d in facts.different if not d.agreeing and not any(d.first <= r.block_number <= d.last for r in facts.rows)]
    doubt = [
        f"{', '.join(d.agreeing)} agrees with the index in blocks {d.first} to {d.last}, {facts.node} does not"
        for d in facts.different
        if d.agreeing
    ]
    if wrong and not doubt:
        return failed(expected, f"{seen}; {len(facts.different)} ranges differ", [*wrong, *facts.not_side_by_side])
    unsure = [*doubt, *facts.errors]
    if facts.node_hash != facts.pinned_hash:
        unsure.append(f"{facts.node}: block {facts.pinned_number} is {facts.node_hash or 'unknown'}, the index has {facts.pinned_hash}")
    if not facts.different and facts.index_transfers != facts.chain_transfers:
        unsure.append(f"{facts.index_transfers} transfers against {facts.chain_transfers}, and no range differs: not all was compared")
    if not facts.index_transfers and not facts.chain_transfers:
        unsure.append("there is no transfer on either side")
    return inconclusive(expected, seen, [*unsure, *wrong]) if unsure else expect(not facts.different, expected, seen)


def _said(row: RowDifference) -> str:
    place = f"block {row.block_number}, log {row.log_index}"
    if row.index is None:
        return f"{place}: missing in the index; the chain has {row.chain}"
    return f"{place}: only in the index: {row.index}" if row.chain is None else f"{place}: index {row.index}, chain {row.chain}"


def _said_of(difference: RangeDifference) -> str:
    ours, theirs = (f"{r.transfers} transfers of {r.value}, {r.digest[:16]}" if r else "none" for r in (difference.index, difference.chain))
    return f"blocks {difference.first} to {difference.last}: index {ours}; chain {theirs}"


def judge_memory(facts: EventFacts, plan: DrillPlan) -> CheckResult:
    """What earlier drills remembered of final blocks is still what the chain has, in the ranges that were read anew."""
    expected = "remembered ranges equal to the chain where they are read anew"
    if facts.wrong_memory:
        seen = f"{len(facts.wrong_memory)} of {len(facts.read_anew)} differ; everything was read from the chain"
        return failed(expected, seen, facts.wrong_memory)
    if facts.remembered_from is None:
        why = f" ({'; '.join(facts.not_believed)})" if facts.not_believed else ""
        if facts.chain_transfers is None:
            return inconclusive(expected, f"nothing is remembered, and the chain could not be read{why}", facts.errors)
        return expect(True, expected, f"nothing is remembered, the chain was read from the first block on{why}")
    if facts.errors or (facts.remembered_ranges and not facts.read_anew):
        return inconclusive(expected, "the remembered ranges could not be read anew", facts.errors)
    seen = f"{len(facts.read_anew)} of {facts.remembered_ranges} ranges to block {facts.covered_to} read anew by seed {facts.seed}"
    return expect(True, expected, f"{seen}, remembered by {facts.remembered_from}")
