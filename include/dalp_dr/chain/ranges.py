"""Transfers by ranges of blocks: count, value and a digest over every field, the same from events and from SQL.

Digest of a block: sha256 over one line for each transfer in the order of log index. Digest of a range: sha256 over the
digests of its blocks that have transfers. The SQL text `transfer_ranges` says the same in the database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass
class _Open:
    """A range that is being read."""

    transfers: int = 0
    value: int = 0
    tokens: dict[str, tuple[int, int]] = field(default_factory=dict)
    blocks: list[bytes] = field(default_factory=list)


class Collector:
    """Takes transfers in the order of the chain and gives ranges. Holds one block's lines and one digest a block, never all rows."""

    def __init__(self, width: int) -> None:
        self._width, self._number, self._lines = width, -1, []
        self._open: dict[int, _Open] = {}

    _lines: list[str]

    def add(self, event: Transfer) -> None:
        """Count one transfer."""
        if event[4] != self._number:
            self._close()
            self._number = event[4]
        self._lines.append(line(event))
        into = self._open.get(first := event[4] // self._width * self._width)
        if into is None:
            into = self._open[first] = _Open()
        into.transfers += 1
        into.value += event[3]
        count, value = into.tokens.get(event[0], (0, 0))
        into.tokens[event[0]] = (count + 1, value + event[3])

    def _close(self) -> None:
        if self._lines:
            digest = hashlib.sha256("".join(self._lines).encode()).digest()
            self._open[self._number // self._width * self._width].blocks.append(digest)
            self._lines = []

    def ranges(self) -> dict[int, BlockRange]:
        """First block -> range, of those that have transfers."""
        self._close()
        return {
            first: BlockRange(first, first + self._width - 1, o.transfers, str(o.value), hashlib.sha256(b"".join(o.blocks)).hexdigest())
            for first, o in sorted(self._open.items())
        }

    def tokens(self) -> Mapping[int, Mapping[str, tuple[int, int]]]:
        """First block -> token -> (transfers, value)."""
        return {first: o.tokens for first, o in self._open.items()}
