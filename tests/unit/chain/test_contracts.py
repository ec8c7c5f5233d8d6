"""Code and rights of the tokens; and the line below which nothing changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dalp_dr.chain import continuity, contracts
from dalp_dr.chain.contracts import ContractFacts
from dalp_dr.chain.token import ZERO
from dalp_dr.model.check import Verdict
from dalp_dr.model.environment import Role
from fake_node import ALICE, SIGNER, TOKEN, Node, digest, tx
from sandbox_sample import PLAN, a_plan, an_environment

MINTED = [(2, 1, ZERO, ALICE, 5)]
SQL = {
    "checkpoint": [{"chain_id": "31337", "block_number": "15", "block_hash": digest(15)}],
    "tokens": [{"address": TOKEN, "symbol": "T", "decimals": "18", "total_supply": "5"}],
    "requests": [{"tx_hash": tx(1)}, {"tx_hash": ""}],
}


def a_node(**changes: Any) -> Node:
    return Node(transfers=list(MINTED), **changes)


def planned(**chain: Any) -> Any:
    return a_plan(an_environment(chain=an_environment().chain.model_copy(update=chain)))


def found(primary: Any = None, secondary: Any = None, plan: Any = PLAN, sql: Any = None) -> ContractFacts:
    return contracts.facts_from(plan, sql or SQL, {"primary": primary or a_node(), "secondary": secondary or a_node()})


def test_code_and_rights_as_expected_pass() -> None:
    facts = found()
    assert facts.signers == (SIGNER,)
    assert contracts.judge_code(facts, PLAN).verdict is Verdict.PASS
    assert contracts.judge_roles(facts, PLAN).verdict is Verdict.PASS


CODE: dict[str, tuple[Any, Any, Any, Verdict, str]] = {
    "no code": (a_node(code="0x"), a_node(code="0x"), PLAN, Verdict.FAIL, "has no code there"),
    "other code on one node": (a_node(code="0x6002"), None, PLAN, Verdict.FAIL, "primary has code"),
    "upgraded behind a proxy on one node": (a_node(implementation=ALICE), None, PLAN, Verdict.FAIL, "behind a proxy"),
    "not the pinned code": (None, None, planned(token_code_sha256=("00" * 32,)), Verdict.FAIL, "not allowed"),
    "no answer": (a_node(errors={"eth_getCode": "pruned"}), None, PLAN, Verdict.INCONCLUSIVE, "pruned"),
    "no storage": (None, a_node(errors={"eth_getStorageAt": "pruned"}), PLAN, Verdict.INCONCLUSIVE, "pruned"),
}


@pytest.mark.parametrize("case", CODE)
def test_code(case: str) -> None:
    primary, secondary, plan, verdict, said = CODE[case]
    result = contracts.judge_code(found(primary, secondary, plan), plan)
    assert result.verdict is verdict
    assert any(said in f for f in result.findings), result.findings


def test_the_pinned_code_is_the_implementations_behind_a_proxy() -> None:
    pinned = planned(token_code_sha256=(contracts._sha256(b"\x60\x01"),))
    behind = found(a_node(implementation=ALICE), a_node(implementation=ALICE), pinned)
    assert {c.implementation for c in behind.codes} == {ALICE}
    assert contracts.judge_code(behind, pinned).verdict is Verdict.PASS


def test_no_token_proves_nothing() -> None:
    facts = found(sql=SQL | {"tokens": []})
    assert contracts.judge_code(facts, PLAN).verdict is Verdict.INCONCLUSIVE
    assert contracts.judge_roles(facts, PLAN).verdict is Verdict.INCONCLUSIVE


BY_ID = planned(roles=(Role(name="supply manager", role="0x" + "ab" * 32, holders=(SIGNER, ALICE)),))
ROLES: dict[str, tuple[Any, Any, Verdict, str]] = {
    "given away": (a_node(operator=ALICE), PLAN, Verdict.FAIL, f"{ALICE}, should be {SIGNER}"),
    "one of two holders lost it": (a_node(roles={SIGNER}), BY_ID, Verdict.FAIL, f"not {ALICE}"),
    "no answer": (a_node(errors={"eth_call": "busy"}), PLAN, Verdict.INCONCLUSIVE, "busy"),
    "no role named": (a_node(), planned(roles=()), Verdict.INCONCLUSIVE, ""),
}


@pytest.mark.parametrize("case", ROLES)
def test_roles(case: str) -> None:
    primary, plan, verdict, said = ROLES[case]
    result = contracts.judge_roles(found(primary, a_node(roles={SIGNER, ALICE}), plan), plan)
    assert result.verdict is verdict
    assert said in " ".join(result.findings)


def test_roles_by_identifier_pass_when_every_holder_has_them() -> None:
    both = {SIGNER, ALICE}
    assert contracts.judge_roles(found(a_node(roles=both), a_node(roles=both), BY_ID), BY_ID).verdict is Verdict.PASS


def test_nobody_known_to_hold_a_right_is_open() -> None:
    assert contracts.judge_roles(found(sql=SQL | {"requests": []}), PLAN).verdict is Verdict.INCONCLUSIVE


def test_a_role_is_asked_for_in_one_way() -> None:
    with pytest.raises(ValueError, match="give either"):
        Role(name="r")


# ---- finality


def chain(primary: Node, secondary: Node | None = None, plan: Any = PLAN, **blocks: str) -> continuity.ChainFacts:
    stored = [{"number": str(n), "hash": blocks.get(f"b{n}", digest(n))} for n in range(16)]
    row = {"chain_id": "31337", "block_number": "15", "block_hash": blocks.get("b15", digest(15))}
    return continuity.facts_from(plan, [row], stored, {"primary": primary, "secondary": secondary or Node()})


SEALED, CONFIRMED = planned(finality="sealed"), planned(finality=12)
FINALITY: dict[str, tuple[Any, Any, Verdict, str]] = {
    "by the tag": (lambda: chain(Node()), PLAN, Verdict.PASS, "line at 18, checkpoint below it"),
    "sealed": (lambda: chain(Node(), plan=SEALED), SEALED, Verdict.PASS, "line at 20"),
    "by confirmations": (lambda: chain(Node(), plan=CONFIRMED), CONFIRMED, Verdict.PASS, "line at 8, checkpoint 7 blocks above it"),
    "no tag": (lambda: chain(Node(errors={"eth_getBlockByNumber": "unknown tag"})), PLAN, Verdict.INCONCLUSIVE, "unknown tag"),
    "two histories": (lambda: chain(Node(branch_from=10)), PLAN, Verdict.FAIL, "primary: final block 18 is"),
    "index left it": (lambda: chain(Node(), b7=digest(99)), PLAN, Verdict.FAIL, "block 7 is"),
}


@pytest.mark.parametrize("case", FINALITY)
def test_finality(case: str) -> None:
    make, plan, verdict, said = FINALITY[case]
    result = continuity.judge_finality(make(), plan)
    assert result.verdict is verdict
    assert said in " ".join([result.observed, *result.findings])


def test_a_record_without_the_line_is_open() -> None:
    assert continuity.judge_finality(replace(chain(Node()), final=()), PLAN).verdict is Verdict.INCONCLUSIVE


def test_a_fork_above_the_line_is_a_reorganisation_and_below_it_a_fault() -> None:
    young = chain(Node(branch_from=12), Node(branch_from=12), CONFIRMED)
    result = continuity.judge_continuity(young, CONFIRMED)
    assert result.verdict is Verdict.INCONCLUSIVE and "reorganisation" in result.observed
    old = chain(Node(branch_from=5), Node(branch_from=5), CONFIRMED)
    assert continuity.judge_continuity(old, CONFIRMED).verdict is Verdict.FAIL
    sealed = chain(Node(branch_from=12), Node(branch_from=12), SEALED)
    assert continuity.judge_continuity(sealed, SEALED).verdict is Verdict.FAIL
