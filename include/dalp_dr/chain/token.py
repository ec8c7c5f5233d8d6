"""Calls to and events of an ERC-20 token, in their fixed 32-byte layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dalp_dr.chain.rpc import Ask, NoAnswer, Request, asked, quantity, result

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"  # keccak of Transfer(address,address,uint256)
ZERO = "0x" + "0" * 40
_BALANCE_OF, _TOTAL_SUPPLY = "70a08231", "18160ddd"
_FIRST_STEP, _LARGEST_STEP, _FEW_LOGS, _MANY_LOGS = 2_000, 100_000, 1_000, 10_000


def balance_of(token: str, holder: str, number: int) -> Request:
    """The request for a holder's balance at a block."""
    return "eth_call", [{"to": token, "data": f"0x{_BALANCE_OF}{holder.lower().removeprefix('0x').rjust(64, '0')}"}, hex(number)]


def total_supply(token: str, number: int) -> Request:
    """The request for the supply at a block."""
    return "eth_call", [{"to": token, "data": f"0x{_TOTAL_SUPPLY}"}, hex(number)]


def uint256(answer: Mapping[str, Any]) -> int:
    """The number a call returned. Raises NoAnswer for `0x` (no contract there) and anything that is not one word."""
    value = result(answer)
    if not isinstance(value, str) or len(value) != 66:
        raise NoAnswer(
            f"the call returned {value!r}, not one 32-byte word (is there a token at this address and block?)",
            "Compare the token's address with the chain.",
        )
    return quantity(value)


@dataclass(frozen=True)
class Transfer:
    """One Transfer event."""

    token: str
    sender: str
    recipient: str
    value: int
    block_number: int
    log_index: int
    tx_hash: str


def transfer(log: Mapping[str, Any]) -> Transfer:
    """The event of a log entry. Raises NoAnswer when it has another layout or belongs to a removed block."""
    topics, data = log.get("topics") or [], str(log.get("data", ""))
    if log.get("removed") or len(topics) != 3 or str(topics[0]).lower() != TRANSFER or len(data) != 66:
        raise NoAnswer(
            f"log {log.get('logIndex')} of transaction {log.get('transactionHash')} is no plain Transfer event",
            "Compare the token's contract with ERC-20.",
        )
    return Transfer(
        token=str(log["address"]).lower(),
        sender=_address(topics[1]),
        recipient=_address(topics[2]),
        value=quantity(data),
        block_number=quantity(log["blockNumber"]),
        log_index=quantity(log["logIndex"]),
        tx_hash=str(log["transactionHash"]).lower(),
    )


def _address(topic: str) -> str:
    if len(topic) != 66 or int(topic[2:26], 16):
        raise NoAnswer(f"topic {topic} is not an address", "Compare the token's contract with ERC-20.")
    return "0x" + topic[-40:].lower()


@dataclass
class Totals:
    """What the Transfer events of one token add up to."""

    transfers: int = 0
    value: int = 0
    net: dict[str, int] = field(default_factory=dict)

    def add(self, event: Transfer) -> None:
        """Count one event and move its value."""
        self.transfers += 1
        self.value += event.value
        for holder, change in ((event.sender, -event.value), (event.recipient, event.value)):
            if holder != ZERO:
                self.net[holder] = self.net.get(holder, 0) + change


def scan(ask: Ask, tokens: Sequence[str], first: int, last: int, found: Callable[[Transfer], None]) -> None:
    """Every Transfer of the tokens in these blocks, once each and in order, by ranges that suit the node.

    A range that the node refuses is halved, down to one block; what it refuses then is a NoAnswer, never no events.
    """
    start, step, seen = first, _FIRST_STEP, (-1, -1)
    while start <= last:
        end = min(last, start + step - 1)
        asked_for = {"address": list(tokens), "topics": [TRANSFER], "fromBlock": hex(start), "toBlock": hex(end)}
        try:
            logs = result(asked(ask, [("eth_getLogs", [asked_for])])[0])
        except NoAnswer:
            if end == start:
                raise
            step = max(1, (end - start + 1) // 2)
            continue
        if not isinstance(logs, list):
            raise NoAnswer(f"eth_getLogs answered {logs!r:.60}", "Ask the node's operator.")
        for event in sorted((transfer(entry) for entry in logs), key=lambda e: (e.block_number, e.log_index)):
            place = (event.block_number, event.log_index)
            if not start <= event.block_number <= end or place <= seen:
                raise NoAnswer(f"eth_getLogs for blocks {start} to {end} gave log {place} twice or from elsewhere", "Ask another node.")
            seen = place
            found(event)
        start = end + 1
        step = min(step * 2, _LARGEST_STEP) if len(logs) < _FEW_LOGS else max(1, step // 2) if len(logs) > _MANY_LOGS else step
