"""What an earlier drill found on the chain below the finality line, so that only new blocks are read again.

A range below the line never changes. A memory is believed only while the node still has the block it ends with, under the
same hash, since a block's hash stands for all blocks before it; and some of its ranges, drawn by a recorded seed, are read anew.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from dalp_dr.chain.ranges import BlockRange
from dalp_dr.errors import FactError

VERIFIED_AGAIN = 0.05  # share of remembered ranges that every drill reads anew
LOOKED_AT = 5  # newest memories that are tried, should the chain have lost the newest's last block


@dataclass(frozen=True)
class TokenShare:
    """One token's part of a range. `value`: decimal string."""

    token: str
    transfers: int
    value: str


@dataclass(frozen=True)
class RememberedRange:
    """A range with the hash of its last block."""

    range: BlockRange
    last_hash: str
    tokens: tuple[TokenShare, ...]


@dataclass(frozen=True)
class Memory:
    """All transfers of these tokens in blocks 0 to `covered_to`. Ranges without transfers are left out.

    `covered_hash`: hash of block `covered_to`; `drill_id`: who read it.
    """

    chain_id: int
    tokens: tuple[str, ...]
    width: int
    covered_to: int
    covered_hash: str
    drill_id: str
    ranges: tuple[RememberedRange, ...]

    def drawn(self, seed: str) -> tuple[RememberedRange, ...]:
        """The ranges that this drill reads anew: a twentieth, one at least."""
        count = min(len(self.ranges), max(1, math.ceil(VERIFIED_AGAIN * len(self.ranges))))
        chosen = random.Random(f"{seed}/ranges").sample(range(len(self.ranges)), count)
        return tuple(self.ranges[i] for i in sorted(chosen))


def prefix(chain_id: int, tokens: Iterable[str], width: int) -> str:
    """Where memories of this chain and these contracts are in the evidence store."""
    contracts = hashlib.sha256(" ".join(sorted(tokens)).encode()).hexdigest()[:16]
    return f"remembered/chain-{chain_id}/{contracts}-{width}/"


def key(memory: Memory) -> str:
    """The name of a memory; names sort by the block they come to."""
    digest = hashlib.sha256(dumps(memory)).hexdigest()[:16]
    return f"{prefix(memory.chain_id, memory.tokens, memory.width)}{memory.covered_to:012d}-{memory.drill_id}-{digest}.json"


def newest(keys: Sequence[str]) -> tuple[str, ...]:
    """The names that are worth reading, the farthest first."""
    return tuple(sorted(keys, reverse=True)[:LOOKED_AT])


def dumps(memory: Memory) -> bytes:
    """A memory as JSON, always the same bytes."""
    return msgspec.json.encode(memory, order="deterministic")


def loads(data: bytes, name: str) -> Memory:
    """Raises FactError when it is no memory, or not the one its name says."""
    try:
        memory = msgspec.json.decode(data, type=Memory)
    except msgspec.DecodeError as error:
        raise FactError(f"{name} is no memory of the chain: {error}", "Remove nothing; the drill reads the chain anew.") from None
    if key(memory) != name:
        raise FactError(f"{name} holds something else than its name says.", "Find out who wrote it; the drill reads the chain anew.")
    return memory


def make(
    chain_id: int,
    tokens: Sequence[str],
    width: int,
    covered: tuple[int, str],
    drill_id: str,
    ranges: Mapping[int, BlockRange],
    shares: Mapping[int, Mapping[str, tuple[int, int]]],
    hashes: Mapping[int, str],
) -> Memory:
    """A memory of the ranges that end at or below `covered` (block, hash). `hashes`: first block -> hash of the range's last block."""
    kept = tuple(
        RememberedRange(
            found,
            hashes[first],
            tuple(TokenShare(token, count, str(value)) for token, (count, value) in sorted(shares[first].items())),
        )
        for first, found in sorted(ranges.items())
        if found.last <= covered[0]
    )
    return Memory(chain_id, tuple(sorted(tokens)), width, covered[0], covered[1], drill_id, kept)
