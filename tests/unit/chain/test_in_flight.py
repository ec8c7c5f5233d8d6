"""The census of requests under way, and the danger of sending twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dalp_dr.catalogue import KINDS
from dalp_dr.chain import in_flight
from dalp_dr.chain.token import ZERO
from dalp_dr.model.check import Verdict
from dalp_dr.model.plan import utc
from dalp_dr.model.record import encode
from fake_node import ALICE, BOB, TOKEN, Node, digest, tx
from sandbox_sample import PLAN

assert PLAN.database is not None
POINT_BLOCK = 100  # the first block after the recovery point
GENESIS = int(utc(PLAN.database.target_time).timestamp()) - 2 * POINT_BLOCK
KNOWN = (50, 1, ZERO, ALICE, 5)


def request(
    id_: int,
    status: str,
    number: int | None = None,
    nonce: int | None = None,
    kind: str = "mint",
    amount: int = 5,
    account: str = ALICE,
    recipient: str = "",
) -> dict[str, str]:
    return {
        "id": str(id_),
        "kind": kind,
        "status": status,
        "token": TOKEN,
        "amount": str(amount),
        "account": account,
        "recipient": recipient,
        "tx_hash": tx(number) if number is not None else "",
        "nonce": str(nonce) if nonce is not None else "",
        "indexed": "f",
        "updated_at": "2026-10-06T05:59:00Z",
    }


DONE = request(1, "COMPLETED", 1, 0)


def found(
    requests: list[dict[str, str]], *transfers: tuple[int, int, str, str, int], checkpoint: int = 90, secondary: Any = None, **node: Any
) -> in_flight.InFlight:
    row = {"chain_id": "31337", "block_number": str(checkpoint), "block_hash": digest(checkpoint)}
    nodes = [Node(head=200, genesis_seconds=GENESIS, transfers=[KNOWN, *transfers], **node) for _ in range(2)]
    return in_flight.facts_from(PLAN, [DONE, *requests], [row], {"primary": nodes[0], "secondary": secondary or nodes[1]})


def test_nothing_under_way_passes() -> None:
    facts = found([])
    assert in_flight.judge_unsafe(facts, PLAN).verdict is Verdict.PASS
    assert (facts.operations_lost, facts.operations_doubtful, facts.value_lost) == (0, 0, "0")


CLASSES: dict[str, tuple[dict[str, str], tuple[tuple[int, int, str, str, int], ...], dict[str, Any], str]] = {
    "mined": (request(2, "CONFIRMING", 2, 3), ((80, 2, ZERO, BOB, 5),), {}, "landed"),
    "mined and reverted": (request(2, "BROADCASTING", 2, 3), (), {"reverted": {2}}, "landed"),
    "waiting in the pool": (request(2, "BROADCASTING", 2, 12), (), {"pending": {2}}, "doubtful"),
    "signed, known to nobody, nonce free": (request(2, "BROADCASTING", 2, 12), (), {}, "doubtful"),
    "signed, known to nobody, nonce used": (request(2, "BROADCASTING", 2, 3), (), {}, "double_send"),
    "queued": (request(2, "QUEUED"), (), {}, "never_sent"),
    "nonce taken, nothing signed, nonce free": (request(2, "SIGNING", None, 10), (), {}, "never_sent"),
    "nonce taken, nothing signed, nonce used": (request(2, "SIGNING", None, 9), (), {}, "double_send"),
    "queued, but done since": (request(2, "QUEUED", account=BOB), ((150, 7, ZERO, BOB, 5),), {}, "double_send"),
    "transfer queued, but done since": (
        request(2, "QUEUED", None, None, "transfer", 3, ALICE, BOB),
        ((150, 7, ALICE, BOB, 3),),
        {},
        "double_send",
    ),
    "queued, something else done since": (request(2, "QUEUED", account=BOB), ((150, 7, ZERO, BOB, 6),), {}, "never_sent"),
}


@pytest.mark.parametrize("case", CLASSES)
def test_each_request_is_in_its_class(case: str) -> None:
    row, transfers, node, expected = CLASSES[case]
    facts = found([row], *transfers, **node)
    counted = in_flight.census(facts)
    assert {n for n in ("landed", "never_sent", "doubtful", "double_send") if "2" in getattr(counted, n)} == {expected}
    verdict = {"double_send": Verdict.FAIL, "doubtful": Verdict.INCONCLUSIVE}.get(expected, Verdict.PASS)
    assert in_flight.judge_unsafe(facts, PLAN).verdict is verdict


def test_a_request_that_would_be_done_twice_is_named_with_the_transaction_that_did_it() -> None:
    result = in_flight.judge_unsafe(found([request(2, "QUEUED", account=BOB)], (150, 7, ZERO, BOB, 5)), PLAN)
    assert result.findings == (f"request 2 (mint 5 of {TOKEN}, QUEUED): transaction {tx(7)} already did it",)


def test_one_operation_stands_for_one_request_only() -> None:
    facts = found([request(2, "QUEUED", account=BOB), request(3, "QUEUED", account=BOB)], (150, 7, ZERO, BOB, 5))
    assert in_flight.census(facts).double_send == ("2",)
    assert in_flight.census(facts).never_sent == ("3",)


@pytest.mark.parametrize("checkpoint", [90, 200])
def test_operations_since_the_point_are_the_loss_even_when_the_index_has_caught_up(checkpoint: int) -> None:
    facts = found([], (150, 7, ZERO, BOB, 6), (160, 8, ALICE, BOB, 3), checkpoint=checkpoint)
    assert (facts.operations_lost, facts.value_lost) == (2, "9")
    assert [o.tx_hash for o in facts.lost] == [tx(7), tx(8)]
    assert in_flight.judge_unsafe(facts, PLAN).verdict is Verdict.PASS


def test_operations_before_the_point_are_not_lost() -> None:
    assert found([], (60, 7, ZERO, BOB, 6)).operations_lost == 0


@pytest.mark.parametrize(("node", "said"), [({"reverted": {4}}, "was reverted"), ({}, "is on no node")])
def test_a_completed_request_that_the_chain_does_not_confirm_fails(node: dict[str, Any], said: str) -> None:
    result = in_flight.judge_unsafe(found([request(4, "COMPLETED", 4, 2)], **node), PLAN)
    assert result.verdict is Verdict.FAIL
    assert said in result.findings[0]


def test_a_node_that_lags_does_not_make_a_transaction_missing() -> None:
    behind = Node(head=40, genesis_seconds=GENESIS)
    assert in_flight.judge_unsafe(found([], secondary=behind), PLAN).verdict is Verdict.PASS


@pytest.mark.parametrize("method", ["eth_getTransactionReceipt", "eth_blockNumber", "eth_getLogs"])
def test_missing_answers_leave_it_open(method: str) -> None:
    mined = (80, 2, ZERO, BOB, 5)
    assert in_flight.judge_unsafe(found([request(2, "CONFIRMING", 2, 3)], mined), PLAN).verdict is Verdict.PASS
    facts = found([request(2, "CONFIRMING", 2, 3)], mined, errors={method: "down"}, secondary=Node(errors={method: "down"}))
    assert in_flight.judge_unsafe(facts, PLAN).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("head", [40, 120])
def test_a_node_that_lags_hides_no_operation(head: int) -> None:
    lagging = Node(head=head, genesis_seconds=GENESIS, transfers=[KNOWN])
    row = {"chain_id": "31337", "block_number": "90", "block_hash": digest(90)}
    current = Node(head=200, genesis_seconds=GENESIS, transfers=[KNOWN, (150, 7, ZERO, BOB, 6)])
    facts = in_flight.facts_from(PLAN, [DONE], [row], {"primary": lagging, "secondary": current})
    assert facts.operations_lost == 1
    silent = Node(head=200, errors={"eth_getLogs": "down"}, genesis_seconds=GENESIS, transfers=[KNOWN])
    alone = in_flight.facts_from(PLAN, [DONE], [row], {"primary": lagging, "secondary": silent})
    assert in_flight.judge_unsafe(alone, PLAN).verdict is Verdict.INCONCLUSIVE


def test_terminal_requests_without_effect_are_left_out() -> None:
    facts = found([request(5, "FAILED", 5, 4), request(6, "CANCELLED"), request(7, "DEAD_LETTER")])
    assert [r.id for r in facts.requests] == ["1"]


def test_the_record_is_read_back_as_it_was_written() -> None:
    read = found([request(2, "QUEUED", account=BOB)], (150, 7, ZERO, BOB, 5))
    assert KINDS["in_flight"].decode(json.loads(json.dumps(encode(read)))) == read
