"""Fixed-layout calls and events, and ranges that suit the node."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.chain import token
from dalp_dr.chain.rpc import NoAnswer
from dalp_dr.chain.token import TRANSFER, ZERO
from fake_node import ALICE, BOB, TOKEN, Node, word

LOG = {
    "address": TOKEN.upper().replace("0X", "0x"),
    "topics": [TRANSFER, word(ALICE), word(BOB)],
    "data": word(7),
    "blockNumber": "0x5",
    "logIndex": "0x1",
    "transactionHash": word(9),
}


def test_a_transfer_is_decoded() -> None:
    event = token.transfer(LOG)
    assert (event.token, event.sender, event.recipient, event.value, event.block_number, event.log_index) == (TOKEN, ALICE, BOB, 7, 5, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"topics": [TRANSFER, word(ALICE)]},
        {"topics": [word(1), word(ALICE), word(BOB)]},
        {"data": "0x"},
        {"data": word(7) + "00" * 32},
        {"removed": True},
        {"topics": [TRANSFER, word(1 << 200), word(BOB)]},
    ],
)
def test_an_event_of_another_layout_is_an_error(change: dict[str, Any]) -> None:
    with pytest.raises(NoAnswer):
        token.transfer(LOG | change)


def test_call_data() -> None:
    assert token.balance_of(TOKEN, ALICE.upper().replace("0X", "0x"), 16) == (
        "eth_call",
        [{"to": TOKEN, "data": "0x70a08231" + "00" * 12 + "aa" * 20}, "0x10"],
    )
    assert token.total_supply(TOKEN, 16)[1][0]["data"] == "0x18160ddd"


@pytest.mark.parametrize("answer", [{"result": "0x"}, {"result": None}, {"result": "0x5"}, {"error": {"message": "no"}}, {}])
def test_an_answer_that_is_not_one_word_is_never_zero(answer: dict[str, Any]) -> None:
    with pytest.raises(NoAnswer):
        token.uint256(answer)


@pytest.mark.parametrize("largest", [None, 1, 3, 1000])
def test_every_event_is_found_once_whatever_range_the_node_takes(largest: int | None) -> None:
    transfers = [(block, block, ZERO, ALICE, block) for block in range(0, 50, 7)]
    found: list[int] = []
    token.scan(Node(head=60, transfers=transfers, largest_range=largest), [TOKEN], 0, 60, lambda e: found.append(e.block_number))
    assert found == [t[0] for t in transfers]


def test_a_block_that_the_node_refuses_is_an_error_and_not_no_events() -> None:
    with pytest.raises(NoAnswer, match="range too large"):
        token.scan(Node(largest_range=0), [TOKEN], 0, 10, lambda _: None)


def test_events_from_outside_the_range_are_an_error() -> None:
    node = Node(transfers=[(50, 1, ZERO, ALICE, 1)], lying_range=True)
    with pytest.raises(NoAnswer, match="twice or from elsewhere"):
        token.scan(node, [TOKEN], 0, 10, lambda _: None)
