"""Transfers by ranges of blocks: count, value and a digest over every field, the same from events and from SQL.

Digest of a block: sha256 over one line for each transfer in the order of log index. Digest of a range: sha256 over the
digests of its blocks that have transfers. The SQL text `transfer_ranges` says the same in the database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from dalp_dr.chain.token import Transfer
from dalp_dr.database.rows import Rows, integer, required
from dalp_dr.errors import FactError

SMALLEST_WIDTH, WIDEST_COUNT = 100, 2_000


@dataclass(frozen=True)
class BlockRange:
    """Transfers in blocks `first` to `last`. `value`: decimal string; `digest`: hex."""

    first: int
    last: int
    transfers: int
    value: str
    digest: str


def width_of(number: int) -> int:
    """Blocks in a range when the index has come to this block: 100, and ten times more for each power of ten over 200,000."""
    width = SMALLEST_WIDTH
    while number > width * WIDEST_COUNT:
        width *= 10
    return width


def of_index(rows: Rows, width: int) -> dict[int, BlockRange]:
    """First block -> range, from the SQL text `transfer_ranges`. Raises FactError when its ranges are not ours."""
    found = {}
    for row in rows:
        first, last = integer(row, "first"), integer(row, "last")
        if first % width or last - first + 1 != width:
            raise FactError(
                f"SQL answered the range {first} to {last}; ranges have {width} blocks.", "Correct the SQL text of this profile."
            )
        found[first] = BlockRange(first, last, integer(row, "transfers"), str(integer(row, "value")), required(row, "digest").lower())
    return found


def line(event: Transfer) -> str:
    """A transfer as the digest sees it."""
    token, sender, recipient, value, number, index, tx_hash = event
    return f"{token} {number} {index} {tx_hash} {sender} {recipient} {value}\n"


class Collector:
    """Takes transfers in the order of the chain and gives ranges. Holds one block's lines and one range's digests, never all rows.

    `expected`: first block -> what the other side has; of a range that differs from it the blocks' digests are kept.
    """

    def __init__(self, width: int, expected: Mapping[int, BlockRange] | None = None) -> None:
        self._width, self._expected = width, expected or {}
        self._number, self._first, self._end = -1, -1, 0
        self._lines: list[str] = []
        self._digests: dict[int, bytes] = {}
        self._shares: dict[str, tuple[int, int]] = {}
        self._ranges: dict[int, BlockRange] = {}
        self.tokens: dict[int, Mapping[str, tuple[int, int]]] = {}  # first block -> token -> (transfers, value)
        self.blocks: dict[int, Mapping[int, str]] = {}  # first block of a range that differs -> block -> digest

    def add(self, event: Transfer) -> None:
        """Count one transfer."""
        address, number, value = event[0], event[4], event[3]
        if number != self._number:
            self._close_block()
            if number >= self._end:
                self._close_range()
                self._first = number // self._width * self._width
                self._end = self._first + self._width
            self._number = number
        self._lines.append(line(event))
        known = self._shares.get(address, (0, 0))
        self._shares[address] = (known[0] + 1, known[1] + value)

    def _close_block(self) -> None:
        if self._lines:
            self._digests[self._number] = hashlib.sha256("".join(self._lines).encode()).digest()
            self._lines = []

    def _close_range(self) -> None:
        if not self._digests:
            return
        first, shares = self._first, self._shares.values()
        digest = hashlib.sha256(b"".join(self._digests.values())).hexdigest()
        found = BlockRange(first, self._end - 1, sum(s[0] for s in shares), str(sum(s[1] for s in shares)), digest)
        if found != self._expected.get(first):
            self.blocks[first] = {number: d.hex() for number, d in self._digests.items()}
        self._ranges[first], self.tokens[first] = found, self._shares
        self._digests, self._shares = {}, {}

    def ranges(self) -> dict[int, BlockRange]:
        """First block -> range, of those that have transfers. Nothing is added after it."""
        self._close_block()
        self._close_range()
        return self._ranges
