"""Is it the right chain, is the index's past the chain's past, and do the nodes agree."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from dalp_dr.chain import finality
from dalp_dr.chain.finality import FinalBlock
from dalp_dr.chain.rpc import Ask, NoAnswer, asked, block, block_hash, block_hashes, quantity, result
from dalp_dr.database.rows import Rows, integer, required
from dalp_dr.errors import FactError
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan

T = TypeVar("T")
ALL_BLOCKS, NEWEST_BLOCKS, SAMPLED_BLOCKS = 2_000, 100, 900


@dataclass(frozen=True)
class Node:
    """One RPC node. None where it did not answer, and then `errors` says why; hashes None where it has no such block."""

    name: str
    chain_id: int | None
    genesis_hash: str | None
    head: int | None
    checkpoint_hash: str | None
    common_hash: str | None
    errors: tuple[str, ...]


@dataclass(frozen=True)
class BlockDifference:
    """A stored block hash that a node does not share."""

    node: str
    number: int
    stored: str
    chain: str


@dataclass(frozen=True)
class Fork:
    """Where a node's chain leaves the stored one. `last_common` is None when no stored block is shared."""

    node: str
    last_common: int | None
    first_different: int


@dataclass(frozen=True)
class ChainFacts:
    """Nodes beside the index's checkpoint and stored blocks. `common_number`: the highest block that every node should have.

    `compared` of `stored` blocks were asked for; where fewer, it is the newest ones and a sample by `seed`.
    """

    checkpoint_chain_id: int
    checkpoint_number: int
    checkpoint_hash: str
    checkpoint_block_hash: str | None
    stored: int
    compared: int
    seed: str
    common_number: int | None
    nodes: tuple[Node, ...]
    differences: tuple[BlockDifference, ...]
    forks: tuple[Fork, ...]
    final: tuple[FinalBlock, ...] = ()


def checkpoint_of(plan: DrillPlan, checkpoint: Rows) -> tuple[int, int, str]:
    """(chain id, number, hash) of the index's checkpoint. Raises FactError when there is none."""
    rows = [r for r in checkpoint if integer(r, "chain_id") == plan.environment.chain.chain_id] or list(checkpoint)
    if len(rows) != 1:
        raise FactError(
            f"The index has {len(rows)} checkpoints; one is needed for chain {plan.environment.chain.chain_id}.",
            "Look at the index's checkpoint table in the restored database.",
        )
    return integer(rows[0], "chain_id"), integer(rows[0], "block_number"), required(rows[0], "block_hash").lower()


def facts_from(plan: DrillPlan, checkpoint: Rows, blocks: Rows, nodes: Mapping[str, Ask]) -> ChainFacts:
    """The facts of kind `chain`; asks each node what is needed. Raises FactError when the index has no checkpoint."""
    chain_id, number, digest = checkpoint_of(plan, checkpoint)
    stored = {integer(b, "number"): required(b, "hash").lower() for b in blocks}
    chosen = _chosen({n for n in stored if n <= number}, plan.random_seed)
    states = {name: _node(name, ask, number) for name, ask in nodes.items()}
    heads = [n.head for n in states.values() if n.head is not None]
    common = min(heads) if len(heads) == len(nodes) and heads else None
    differences, forks, found = [], [], []
    for name, ask in nodes.items():
        hashes = block_hashes(ask, [*chosen, *([common] if common is not None else [])])
        state, errors = states[name], [str(h) for h in hashes.values() if isinstance(h, NoAnswer)]
        common_hash = hashes.get(common) if common is not None else None
        found.append(
            Node(
                state.name,
                state.chain_id,
                state.genesis_hash,
                state.head,
                state.checkpoint_hash,
                common_hash if isinstance(common_hash, str) else None,
                (*state.errors, *sorted(set(errors))),
            )
        )
        unlike = {n: h for n in chosen if isinstance(h := hashes[n], str) and h != stored[n]}
        differences += [BlockDifference(name, n, stored[n], h) for n, h in sorted(unlike.items())]
        if unlike:
            forks.append(_fork(name, ask, stored, [n for n in chosen if hashes[n] == stored[n]], min(unlike)))
    return ChainFacts(
        checkpoint_chain_id=chain_id,
        checkpoint_number=number,
        checkpoint_hash=digest,
        checkpoint_block_hash=stored.get(number),
        stored=len(stored),
        compared=len(chosen),
        seed=plan.random_seed,
        common_number=common,
        nodes=tuple(found),
        differences=tuple(differences),
        forks=tuple(forks),
        final=finality.told_by(plan.environment.chain, nodes),
    )


def _chosen(numbers: set[int], seed: str) -> list[int]:
    ordered = sorted(numbers)
    if len(ordered) <= ALL_BLOCKS:
        return ordered
    newest = ordered[-NEWEST_BLOCKS:]
    return sorted({*ordered[:1], *newest, *random.Random(seed).sample(ordered[:-NEWEST_BLOCKS], SAMPLED_BLOCKS)})


def _node(name: str, ask: Ask, number: int) -> Node:
    answers = asked(ask, [("eth_chainId", []), block(0), ("eth_blockNumber", []), block(number)])
    errors: list[str] = []

    def told(answer: Mapping[str, Any], read: Callable[[Mapping[str, Any]], T]) -> T | None:
        try:
            return read(answer)
        except NoAnswer as error:
            errors.append(str(error))
            return None

    return Node(
        name,
        told(answers[0], _number),
        told(answers[1], block_hash),
        told(answers[2], _number),
        told(answers[3], block_hash),
        None,
        tuple(errors),
    )


def _number(answer: Mapping[str, Any]) -> int:
    return quantity(result(answer))


def _fork(name: str, ask: Ask, stored: Mapping[int, str], common: list[int], first: int) -> Fork:
    """Bisects the stored blocks between the last one known to be shared and the first one known to differ."""
    low = max((n for n in common if n < first), default=None)
    between = sorted(n for n in stored if (low is None or n > low) and n < first)
    while between:
        middle = between[len(between) // 2]
        digest = block_hashes(ask, [middle])[middle]
        if isinstance(digest, NoAnswer) or digest is None:
            break
        if digest == stored[middle]:
            low, between = middle, [n for n in between if n > middle]
        else:
            first, between = middle, [n for n in between if n < middle]
    return Fork(name, low, first)


def judge_identity(facts: ChainFacts, plan: DrillPlan) -> CheckResult:
    """Chain id and genesis hash are the environment's on every node, and the index was made from that chain."""
    chain = plan.environment.chain
    expected = f"chain {chain.chain_id}, genesis {chain.genesis_hash or 'the same on every node'}"
    wrong = [f"{n.name}: chain id {n.chain_id}" for n in facts.nodes if n.chain_id is not None and n.chain_id != chain.chain_id]
    if facts.checkpoint_chain_id != chain.chain_id:
        wrong.append(f"the index is of chain {facts.checkpoint_chain_id}")
    genesis = {n.name: n.genesis_hash for n in facts.nodes if n.genesis_hash}
    if chain.genesis_hash:
        wrong += [f"{name}: genesis {digest}" for name, digest in genesis.items() if digest != chain.genesis_hash]
    elif len(set(genesis.values())) > 1:
        wrong += [f"{name}: genesis {digest}" for name, digest in genesis.items()]
    if wrong:
        return failed(expected, f"{len(wrong)} differences", wrong)
    silent = [f"{n.name}: {'; '.join(n.errors)}" for n in facts.nodes if n.chain_id is None or n.genesis_hash is None]
    if silent or len(facts.nodes) < 2:
        return inconclusive(expected, "not every node told its chain id and genesis", silent)
    note = "" if chain.genesis_hash else " (not pinned by the environment file: both nodes agree)"
    return expect(True, expected, f"chain {chain.chain_id}, genesis {next(iter(genesis.values()))}{note}")


def judge_continuity(facts: ChainFacts, plan: DrillPlan) -> CheckResult:
    """The block hashes that the index stored are the chain's, up to its checkpoint."""
    expected = f"index checkpoint {facts.checkpoint_number} ({facts.checkpoint_hash}) and its {facts.stored} stored blocks on the chain"
    if facts.checkpoint_block_hash not in (None, facts.checkpoint_hash):
        return failed(
            expected,
            f"the index itself stores {facts.checkpoint_block_hash} for block {facts.checkpoint_number}",
            [f"checkpoint and stored block {facts.checkpoint_number} of the index have different hashes"],
        )
    apart = {d.node for d in facts.differences}
    apart |= {n.name for n in facts.nodes if n.checkpoint_hash and n.checkpoint_hash != facts.checkpoint_hash}
    agreeing = [n.name for n in facts.nodes if n.checkpoint_hash == facts.checkpoint_hash and n.name not in apart]
    told = [_told(f, facts) for f in facts.forks]
    told += [
        f"{n.name}: block {facts.checkpoint_number} is {n.checkpoint_hash}"
        for n in facts.nodes
        if n.name in apart and not any(f.node == n.name for f in facts.forks)
    ]
    if apart and agreeing:
        return inconclusive(expected, f"{', '.join(agreeing)} agrees with the index, {', '.join(sorted(apart))} does not", told)
    line = finality.line_of(facts.final)
    if apart and line is not None and all(f.first_different > line for f in facts.forks) and {f.node for f in facts.forks} == apart:
        return inconclusive(
            expected, f"the index left the chain above the finality line {line}: a reorganisation, which its indexer rolls back", told
        )
    if apart:
        return failed(expected, f"no node shares the index's past: {'; '.join(told)}", told)
    behind = [(n.name, facts.checkpoint_number - n.head) for n in facts.nodes if n.head is not None and n.head < facts.checkpoint_number]
    if not agreeing and len(behind) == len(facts.nodes) and min(by for _, by in behind) > plan.environment.chain.max_lag_blocks:
        return failed(
            expected, "the index is newer than the chain of every node", [f"{name} ends {by} blocks before" for name, by in behind]
        )
    errors = [f"{n.name}: {e}" for n in facts.nodes for e in n.errors]
    if not agreeing or errors or not facts.compared:
        return inconclusive(
            expected,
            f"{len(agreeing)} of {len(facts.nodes)} nodes confirm it",
            [*errors, *(f"{name} is behind the index by {by} blocks" for name, by in behind)],
        )
    return expect(True, expected, f"{facts.compared} stored blocks compared on {len(facts.nodes)} nodes, all equal")


def _told(fork: Fork, facts: ChainFacts) -> str:
    later = [d.number for d in facts.differences if d.node == fork.node]
    common = "no stored block is shared" if fork.last_common is None else f"block {fork.last_common} is the last common one"
    only = (
        f"; only {len(later)} stored hash differs and the checkpoint agrees: the stored row was changed"
        if (len(later) < 3 and facts.checkpoint_number not in later)
        else ""
    )
    return f"{fork.node}: forks at block {fork.first_different}, {common}{only}"


def judge_agreement(facts: ChainFacts, plan: DrillPlan) -> CheckResult:
    """The nodes have the same head within the allowed lag, and the same hash at the highest common block."""
    limit = plan.environment.chain.max_lag_blocks
    expected = f"{len(facts.nodes)} nodes at most {limit} blocks apart, with one history"
    heads = {n.name: n.head for n in facts.nodes if n.head is not None}
    findings = [f"{n.name}: {'; '.join(n.errors) or 'no head'}" for n in facts.nodes if n.head is None]
    top = max(heads.values(), default=0)
    findings += [f"{name} is behind by {top - head} blocks" for name, head in heads.items() if top - head > limit]
    findings += [
        f"{name} is behind the index by {facts.checkpoint_number - head} blocks"
        for name, head in heads.items()
        if head < facts.checkpoint_number
    ]
    hashes = {n.name: n.common_hash for n in facts.nodes}
    if len(set(hashes.values())) > 1:
        findings += [f"{name}: block {facts.common_number} is {digest or 'unknown'}" for name, digest in hashes.items()]
    at_checkpoint = {n.name: n.checkpoint_hash for n in facts.nodes if n.checkpoint_hash}
    if len(set(at_checkpoint.values())) > 1:
        findings += [f"{name}: block {facts.checkpoint_number} is {digest}" for name, digest in at_checkpoint.items()]
    seen = ", ".join(f"{name} at {head}" for name, head in heads.items()) or "no node told its head"
    if findings or len(heads) < 2 or facts.common_number is None:
        return inconclusive(expected, seen, findings)
    return expect(True, expected, seen)


def judge_finality(facts: ChainFacts, plan: DrillPlan) -> CheckResult:
    """Every node tells the same final history, and the index has not left it."""
    expected = f"one final history on {len(facts.final)} nodes ({finality.rule_of(plan.environment.chain)}), and the index on it"
    silent = [f"{f.node}: {f.error or 'no final block'}" for f in facts.final if f.number is None or f.common_hash is None]
    hashes = {f.node: f.common_hash for f in facts.final if f.common_hash}
    line = min((f.number for f in facts.final if f.number is not None), default=None)
    if len(set(hashes.values())) > 1:
        return failed(expected, "the nodes have different final histories", (f"{n}: final block {line} is {h}" for n, h in hashes.items()))
    if silent or len(facts.final) < 2 or line is None:
        return inconclusive(expected, "not every node tells its final block", silent)
    below = [f"{d.node}: block {d.number} is {d.chain}, the index has {d.stored}" for d in facts.differences if d.number <= line]
    if below:
        return failed(expected, f"{len(below)} stored blocks below the line {line} are not the chain's", below)
    above = facts.checkpoint_number - line
    return expect(True, expected, f"line at {line}, checkpoint {'below it' if above <= 0 else f'{above} blocks above it'}")
