"""One unit too much anywhere is found and named; a missing answer is never zero."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from dalp_dr.catalogue import KINDS
from dalp_dr.chain import events, reconciliation
from dalp_dr.chain.token import ZERO
from dalp_dr.model.check import Verdict
from dalp_dr.model.record import encode
from fake_node import ALICE, BOB, CAROL, TOKEN, Node, digest, index_ranges, tx
from sandbox_sample import PLAN, a_plan, an_environment

WEI = 10**30  # far beyond what a float or a 64-bit integer holds
TRANSFERS = [(2, 1, ZERO, ALICE, 5 * WEI), (3, 2, ZERO, BOB, 7), (4, 3, ALICE, CAROL, 2 * WEI + 1), (18, 4, CAROL, BOB, 1)]
CHECKPOINT = 15


def a_node(**changes: Any) -> Node:
    return Node(transfers=list(TRANSFERS), **changes)


def sql(**changed: Any) -> dict[str, list[dict[str, str]]]:
    """The index at block 15, and holdings equal to it."""
    balances: Counter[str] = Counter()
    for block, _, sender, recipient, value in TRANSFERS:
        if block <= CHECKPOINT:
            balances[sender] -= value
            balances[recipient] += value
    held = {h: v for h, v in balances.items() if h != ZERO}
    rows: dict[str, list[dict[str, str]]] = {
        "checkpoint": [{"chain_id": "31337", "block_number": str(CHECKPOINT), "block_hash": digest(CHECKPOINT)}],
        "tokens": [{"address": TOKEN, "symbol": "T", "decimals": "18", "total_supply": str(5 * WEI + 7)}],
        "balances": [{"token": TOKEN, "holder": h, "balance": str(v)} for h, v in held.items()],
        "transfer_ranges": index_ranges(t for t in TRANSFERS if t[0] <= CHECKPOINT),
        "transfers_net": [{"token": TOKEN, "holder": h, "balance": str(v)} for h, v in held.items()],
        "transfers_summary": [{"token": TOKEN, "transfers": "3", "value": str(7 * WEI + 8)}],
        "holdings": [{"account": h, "token": TOKEN, "amount": str(v)} for h, v in held.items()],
        "requests": [],
    }
    return rows | changed


def found(data: Any = None, primary: Any = None, secondary: Any = None, plan: Any = PLAN) -> reconciliation.Reconciliation:
    nodes, rows = {"primary": primary or a_node(), "secondary": secondary or a_node()}, data or sql()
    return reconciliation.facts_from(plan, rows, nodes, events.read(plan, rows, nodes))


def test_equal_sides_pass_and_give_a_sample() -> None:
    facts = found()
    assert reconciliation.judge_index(facts, PLAN).verdict is Verdict.PASS
    assert reconciliation.judge_database(facts, PLAN).verdict is Verdict.PASS
    assert facts.sample == reconciliation.Sample(TOKEN, str(5 * WEI + 7), ALICE, str(3 * WEI - 1))


@pytest.mark.parametrize("holder", [ALICE, BOB, CAROL])
@pytest.mark.parametrize("change", [1, -1])
def test_one_unit_of_a_balance_is_found_and_token_and_holder_named(holder: str, change: int) -> None:
    data = sql()
    row = next(b for b in data["balances"] if b["holder"] == holder)
    right = row["balance"]
    row["balance"] = str(int(right) + change)
    result = reconciliation.judge_index(found(data), PLAN)
    assert result.verdict is Verdict.FAIL
    assert f"token {TOKEN}, holder {holder}: index {row['balance']}, chain {right} ({change:+d})" in result.findings


@pytest.mark.parametrize("change", [1, -1])
def test_one_unit_of_a_holding_is_found_and_token_and_holder_named(change: int) -> None:
    data = sql()
    right = data["holdings"][0]["amount"]
    data["holdings"][0]["amount"] = str(int(right) + change)
    facts = found(data)
    result = reconciliation.judge_database(facts, PLAN)
    assert result.verdict is Verdict.FAIL
    assert result.findings == (f"token {TOKEN}, holder {ALICE}: database {int(right) + change}, index {right}, unexplained {-change:+d}",)
    assert reconciliation.judge_index(facts, PLAN).verdict is Verdict.PASS


def without(rows: list[dict[str, str]], column: str, value: str) -> list[dict[str, str]]:
    return [r for r in rows if r[column] != value]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "holder missing in the index": ({"balances": without(sql()["balances"], "holder", BOB)}, f"holder {BOB}: index 0, chain 7 (-7)"),
    "holder only in the index": (
        {"balances": [*sql()["balances"], {"token": TOKEN, "holder": "0x" + "dd" * 20, "balance": "1"}]},
        "index 1, chain 0 (+1)",
    ),
    "supply": (
        {"tokens": [sql()["tokens"][0] | {"total_supply": str(5 * WEI + 8)}]},
        f"supply in the index {5 * WEI + 8}, by primary {5 * WEI + 7}",
    ),
    "doubled transfer": (
        {"transfers_summary": [{"token": TOKEN, "transfers": "4", "value": str(7 * WEI + 15)}]},
        "4 transfers in the index, 3 on",
    ),
    "changed transfer": (
        {"transfers_summary": [{"token": TOKEN, "transfers": "3", "value": str(7 * WEI + 9)}]},
        "transfers in the index add up to",
    ),
    "lost transfers": ({"transfers_summary": []}, "0 transfers in the index, 3 on the chain"),
}


@pytest.mark.parametrize("case", WRONG)
def test_each_difference_is_named(case: str) -> None:
    change, said = WRONG[case]
    result = reconciliation.judge_index(found(sql(**change)), PLAN)
    assert result.verdict is Verdict.FAIL
    assert any(said in f for f in result.findings), result.findings


def test_a_token_of_the_environment_that_is_not_indexed_fails() -> None:
    chain = an_environment().chain.model_copy(update={"tokens": ("0x" + "EE" * 20,)})
    plan = a_plan(an_environment(chain=chain))
    result = reconciliation.judge_index(found(plan=plan), plan)
    assert result.verdict is Verdict.FAIL


SILENT: dict[str, tuple[Any, Any]] = {
    "calls fail": (a_node(errors={"eth_call": "execution aborted"}), None),
    "logs fail": (a_node(errors={"eth_getLogs": "limit"}), None),
    "secondary's supply fails": (None, a_node(errors={"eth_call": "busy"})),
    "pinned block unknown to one": (None, a_node(head=10)),
    "pinned block is another": (None, a_node(branch_from=15)),
}


@pytest.mark.parametrize("case", SILENT)
def test_a_missing_answer_is_open_and_never_zero(case: str) -> None:
    primary, secondary = SILENT[case]
    result = reconciliation.judge_index(found(primary=primary, secondary=secondary), PLAN)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.findings


def test_a_difference_wins_over_missing_answers() -> None:
    data = sql(transfers_summary=[{"token": TOKEN, "transfers": "9", "value": "1"}])
    assert reconciliation.judge_index(found(data, secondary=a_node(errors={"eth_call": "busy"})), PLAN).verdict is Verdict.FAIL


def test_the_node_that_shares_the_pinned_block_is_asked() -> None:
    assert found(primary=a_node(branch_from=15)).node == "secondary"


def test_an_index_without_tokens_proves_nothing() -> None:
    result = reconciliation.judge_index(found(sql(tokens=[], balances=[], transfers_summary=[])), PLAN)
    assert result.verdict is Verdict.INCONCLUSIVE


def test_holders_beyond_the_budget_are_sampled_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciliation, "HOLDERS_PER_TOKEN", 2)
    facts = found()
    assert (facts.tokens[0].holders, facts.tokens[0].holders_checked, facts.seed) == (3, 2, PLAN.random_seed)


def request(status: str, indexed: bool, kind: str = "mint", amount: int = 7, account: str = BOB, recipient: str = "") -> dict[str, str]:
    return {
        "id": "5",
        "kind": kind,
        "status": status,
        "token": TOKEN,
        "amount": str(amount),
        "account": account,
        "recipient": recipient,
        "tx_hash": tx(2),
        "nonce": "1",
        "updated_at": "2026-10-06T05:59:00Z",
        "indexed": "t" if indexed else "f",
    }


UNDER_WAY: dict[str, tuple[dict[str, str], int, int, bool]] = {  # request, Alice's and Bob's holdings beside the index, explained
    "indexed, not booked yet": (request("CONFIRMING", True), 0, -7, True),
    "booked, not indexed yet": (request("COMPLETED", False), 0, +7, True),
    "transfer indexed, not booked yet": (request("BROADCASTING", True, "transfer", 4, ALICE, BOB), +4, -4, True),
    "booked and indexed": (request("COMPLETED", True), 0, -7, False),
    "neither": (request("QUEUED", False), 0, -7, False),
    "failed": (request("FAILED", False), 0, +7, False),
    "explains another amount": (request("CONFIRMING", True), 0, -8, False),
}


@pytest.mark.parametrize("case", UNDER_WAY)
def test_requests_under_way_explain_exact_differences_only(case: str) -> None:
    row, alice, bob, explained = UNDER_WAY[case]
    data = sql(requests=[row])
    for holding in data["holdings"]:
        holding["amount"] = str(int(holding["amount"]) + {ALICE: alice, BOB: bob}.get(holding["account"], 0))
    result = reconciliation.judge_database(found(data), PLAN)
    assert result.verdict is (Verdict.PASS if explained else Verdict.FAIL), result.findings


def test_holders_without_an_account_are_not_the_applications() -> None:
    data = sql()
    data["holdings"] = [h for h in data["holdings"] if h["account"] != CAROL]
    assert reconciliation.judge_database(found(data), PLAN).verdict is Verdict.PASS


def test_an_account_without_its_holding_is_found() -> None:
    data = sql()
    data["holdings"] = [h if h["account"] != BOB else h | {"token": "", "amount": ""} for h in data["holdings"]]
    assert reconciliation.judge_database(found(data), PLAN).findings == (
        f"token {TOKEN}, holder {BOB}: database 0, index 7, unexplained +7",
    )


def test_the_record_is_read_back_as_it_was_written() -> None:
    read = found(sql(balances=[]))
    assert KINDS["reconciliation"].decode(json.loads(json.dumps(encode(read)))) == read
