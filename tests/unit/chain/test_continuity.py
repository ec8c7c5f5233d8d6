"""Identity, continuity and agreement of the nodes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dalp_dr.catalogue import KINDS
from dalp_dr.chain import continuity
from dalp_dr.errors import FactError
from dalp_dr.model.check import Verdict
from dalp_dr.model.record import encode
from fake_node import Node, digest
from sandbox_sample import PLAN, a_plan, an_environment


def blocks(last: int = 15, **changed: str) -> list[dict[str, str]]:
    return [{"number": str(n), "hash": changed.get(f"b{n}", digest(n))} for n in range(last + 1)]


def found(
    primary: Node | None = None, secondary: Node | None = None, stored: Any = None, plan: Any = PLAN, **checkpoint: str
) -> continuity.ChainFacts:
    row = {"chain_id": "31337", "block_number": "15", "block_hash": digest(15)} | checkpoint
    nodes = {"primary": primary or Node(), "secondary": secondary or Node()}
    return continuity.facts_from(plan, [row], blocks() if stored is None else stored, nodes)


def test_two_nodes_that_share_the_indexs_past_pass() -> None:
    facts = found()
    for judge in (continuity.judge_identity, continuity.judge_continuity, continuity.judge_agreement):
        assert judge(facts, PLAN).verdict is Verdict.PASS


GENESIS = an_environment().chain.model_copy(update={"genesis_hash": digest(0)})
IDENTITY: dict[str, tuple[Any, Verdict, str]] = {
    "wrong chain id": (lambda: found(secondary=Node(chain_id=1)), Verdict.FAIL, "secondary: chain id 1"),
    "index of another chain": (lambda: found(chain_id="1"), Verdict.FAIL, "the index is of chain 1"),
    "two geneses": (lambda: found(secondary=Node(branch_from=0)), Verdict.FAIL, "secondary: genesis"),
    "no answer": (lambda: found(secondary=Node(errors={"eth_chainId": "busy"})), Verdict.INCONCLUSIVE, "busy"),
    "no genesis": (lambda: found(secondary=Node(errors={"eth_getBlockByNumber": "pruned"})), Verdict.INCONCLUSIVE, "pruned"),
}


@pytest.mark.parametrize("case", IDENTITY)
def test_identity(case: str) -> None:
    make, verdict, said = IDENTITY[case]
    result = continuity.judge_identity(make(), PLAN)
    assert result.verdict is verdict
    assert any(said in f for f in result.findings), result.findings


def test_a_pinned_genesis_is_compared() -> None:
    right = a_plan(an_environment(chain=GENESIS))
    assert continuity.judge_identity(found(), right).verdict is Verdict.PASS
    wrong = a_plan(an_environment(chain=GENESIS.model_copy(update={"genesis_hash": digest(9)})))
    assert continuity.judge_identity(found(), wrong).verdict is Verdict.FAIL


@pytest.mark.parametrize("fork", [0, 1, 7, 15])
def test_a_fork_of_both_nodes_fails_at_the_exact_block(fork: int) -> None:
    facts = found(Node(branch_from=fork), Node(branch_from=fork))
    result = continuity.judge_continuity(facts, PLAN)
    assert result.verdict is Verdict.FAIL
    common = "no stored block is shared" if fork == 0 else f"block {fork - 1} is the last common one"
    assert result.findings[0].startswith(f"primary: forks at block {fork}, {common}")


def test_the_fork_is_bisected_where_not_every_block_was_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuity, "ALL_BLOCKS", 10)
    monkeypatch.setattr(continuity, "NEWEST_BLOCKS", 3)
    monkeypatch.setattr(continuity, "SAMPLED_BLOCKS", 2)
    facts = found(Node(head=900, branch_from=333), Node(head=900, branch_from=333), blocks(800), block_number="800", block_hash=digest(800))
    assert facts.compared <= 6
    assert {(f.last_common, f.first_different) for f in facts.forks} == {(332, 333)}


def test_a_fork_of_one_node_is_open_and_both_are_named() -> None:
    facts = found(secondary=Node(branch_from=12))
    continuity_result, agreement = continuity.judge_continuity(facts, PLAN), continuity.judge_agreement(facts, PLAN)
    assert continuity_result.verdict is agreement.verdict is Verdict.INCONCLUSIVE
    assert continuity_result.findings[0].startswith("secondary: forks at block 12")
    assert f"secondary: block 15 is {digest(15, 'f')}" in agreement.findings


def test_one_changed_stored_hash_fails_and_is_told_from_a_fork() -> None:
    result = continuity.judge_continuity(found(stored=blocks(b7=digest(70))), PLAN)
    assert result.verdict is Verdict.FAIL
    assert "the stored row was changed" in result.findings[0]


def test_a_checkpoint_that_the_index_itself_contradicts_fails() -> None:
    assert continuity.judge_continuity(found(block_hash=digest(99)), PLAN).verdict is Verdict.FAIL


LAG: dict[str, tuple[int, int, Verdict, Verdict]] = {
    "both at the head": (40, 40, Verdict.PASS, Verdict.PASS),
    "one within the limit": (40, 20, Verdict.PASS, Verdict.PASS),
    "one beyond the limit": (41, 20, Verdict.PASS, Verdict.INCONCLUSIVE),
    "one behind the index": (20, 10, Verdict.PASS, Verdict.INCONCLUSIVE),
    "both behind the index": (10, 10, Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
}


@pytest.mark.parametrize("case", LAG)
def test_lag(case: str) -> None:
    primary, secondary, past, agreement = LAG[case]
    facts = found(Node(head=primary), Node(head=secondary))
    assert continuity.judge_continuity(facts, PLAN).verdict is past
    assert continuity.judge_agreement(facts, PLAN).verdict is agreement


def test_a_node_that_lags_is_told_by_how_much() -> None:
    findings = continuity.judge_agreement(found(Node(head=60), Node(head=10)), PLAN).findings
    assert "secondary is behind by 50 blocks" in findings
    assert "secondary is behind the index by 5 blocks" in findings


def test_an_index_far_ahead_of_every_node_fails() -> None:
    facts = found(Node(head=5), Node(head=5), blocks(100), block_number="100", block_hash=digest(100))
    assert continuity.judge_continuity(facts, PLAN).verdict is Verdict.FAIL


def test_silent_nodes_prove_nothing() -> None:
    silent = Node(errors={m: "down" for m in ("eth_chainId", "eth_blockNumber", "eth_getBlockByNumber")})
    facts = found(silent, silent)
    for judge in (continuity.judge_identity, continuity.judge_continuity, continuity.judge_agreement):
        assert judge(facts, PLAN).verdict is Verdict.INCONCLUSIVE


def test_fewer_answers_than_questions_are_errors() -> None:
    facts = found(secondary=lambda requests: [])  # type: ignore[arg-type]
    assert continuity.judge_agreement(facts, PLAN).verdict is Verdict.INCONCLUSIVE


def test_an_index_without_a_checkpoint_is_an_error() -> None:
    with pytest.raises(FactError, match="0 checkpoints"):
        continuity.facts_from(PLAN, [], [], {"primary": Node()})


def test_the_record_is_read_back_as_it_was_written() -> None:
    read = found(Node(branch_from=3))
    assert KINDS["chain"].decode(json.loads(json.dumps(encode(read)))) == read
