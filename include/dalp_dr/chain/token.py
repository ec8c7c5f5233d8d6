"""Calls to and events of an ERC-20 token, in their fixed 32-byte layout."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, NamedTuple

from dalp_dr.chain.rpc import Ask, NoAnswer, Request, asked, quantity, result

TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"  # keccak of Transfer(address,address,uint256)
ZERO = "0x" + "0" * 40
_BALANCE_OF, _TOTAL_SUPPLY = "70a08231", "18160ddd"
_PADDING = "0x" + "0" * 24
_place = itemgetter(4, 5)  # block number and log index of a Transfer
_FIRST_STEP, _LARGEST_STEP, _LOGS_WANTED, _GROWTH = 20, 100_000, 5_000, 4  # the answer's size is bounded, not the number of blocks
_CALM = 8  # ranges after a refusal that do not grow


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


class Transfer(NamedTuple):
    """One Transfer event. Addresses and hash in lower case."""

    token: str
    sender: str
    recipient: str
    value: int
    block_number: int
    log_index: int
    tx_hash: str


def transfer(log: Mapping[str, Any]) -> Transfer:
    """The event of a log entry. Raises NoAnswer when it has another layout or belongs to a removed block.

    Written for many: every field has a fixed place, so nothing is looked up in an interface description.
    """
    try:
        signature, sender, recipient = log["topics"]
        data, number, index, tx_hash = log["data"], log["blockNumber"], log["logIndex"], log["transactionHash"]
        plain = (
            signature == TRANSFER
            and len(data) == len(sender) == len(recipient) == len(tx_hash) == 66
            and sender[:26] == _PADDING
            and recipient[:26] == _PADDING
            and not log.get("removed")
        )
        if plain:
            return Transfer(
                log["address"].lower(),
                "0x" + sender[26:].lower(),
                "0x" + recipient[26:].lower(),
                int(data, 16),
                int(number, 16),
                int(index, 16),
                tx_hash.lower(),
            )
    except (KeyError, TypeError, ValueError, AttributeError):
        pass  # another layout, told below
    raise NoAnswer(
        f"log {log.get('logIndex')} of transaction {log.get('transactionHash')} is no plain Transfer event",
        "Compare the token's contract with ERC-20.",
    )


def scan(
    ask: Ask, tokens: Sequence[str], first: int, last: int, found: Callable[[Transfer], None], done: Callable[[int], None] | None = None
) -> None:
    """Every Transfer of the tokens in these blocks, once each and in order, by ranges that suit the node.

    A range that the node refuses is halved, down to one block; what it refuses then is a NoAnswer, never no events. `done`
    is told the last block after each range.
    """
    start, step, calm, seen = first, _FIRST_STEP, 0, (-1, -1)
    while start <= last:
        end = min(last, start + step - 1)
        try:
            with _no_search_for_cycles():
                events = _logs(ask, tokens, start, end)
                for event in events:
                    place = _place(event)
                    if not start <= event.block_number <= end or place <= seen:
                        said = f"eth_getLogs for blocks {start} to {end} gave log {place} twice or from elsewhere"
                        raise NoAnswer(said, "Ask another node.")
                    seen = place
                    found(event)
        except _Refused as error:
            if end == start:
                raise NoAnswer(str(error), error.next_step) from None
            step, calm = max(1, (end - start + 1) // 2), _CALM
            continue
        if done is not None:
            done(end)
        start = end + 1
        growth = min(1.0 if calm else _GROWTH, _LOGS_WANTED / max(1, len(events)))
        step, calm = min(_LARGEST_STEP, max(1, int(step * growth))), max(0, calm - 1)


class _Refused(NoAnswer):
    """The node did not answer for a range; a smaller one may suit it."""


def _logs(ask: Ask, tokens: Sequence[str], start: int, end: int) -> list[Transfer]:
    """The events of one range in order. Raises _Refused, and NoAnswer for an answer that is no list of Transfers."""
    asked_for = {"address": list(tokens), "topics": [TRANSFER], "fromBlock": hex(start), "toBlock": hex(end)}
    answer = asked(ask, [("eth_getLogs", [asked_for])])[0]
    try:
        logs = result(answer)
    except NoAnswer as error:
        raise _Refused(str(error), error.next_step) from None
    if not isinstance(logs, list):
        raise NoAnswer(f"eth_getLogs answered {logs!r:.60}", "Ask the node's operator.")
    return sorted(map(transfer, logs), key=_place)


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Thousands of small objects at once make Python look for cycles among all that a worker holds; there are none here."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
