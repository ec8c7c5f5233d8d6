"""The line below which a block cannot change any more, by the rule of the network, as each node tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dalp_dr.chain.rpc import Ask, NoAnswer, asked, block, block_hashes, quantity, result
from dalp_dr.model.environment import Chain


@dataclass(frozen=True)
class FinalBlock:
    """A node's last final block; None where it does not tell one, and then `error` says why.

    `common_hash`: its hash of the lowest final block that any node told.
    """

    node: str
    number: int | None
    common_hash: str | None
    error: str | None = None


def rule_of(chain: Chain) -> str:
    """The rule in words."""
    if isinstance(chain.finality, int):
        return f"{chain.finality} blocks below the head"
    return "final when sealed" if chain.finality == "sealed" else "the node's finalized block"


def told_by(chain: Chain, nodes: Mapping[str, Ask]) -> tuple[FinalBlock, ...]:
    """The line as each node tells it."""
    lines: dict[str, int | NoAnswer] = {}
    for name, ask in nodes.items():
        try:
            lines[name] = _line(chain, ask)
        except NoAnswer as error:
            lines[name] = error
    known = [n for n in lines.values() if isinstance(n, int)]
    found = []
    for name, ask in nodes.items():
        line = lines[name]
        if isinstance(line, NoAnswer):
            found.append(FinalBlock(name, None, None, str(line)))
            continue
        digest = block_hashes(ask, [min(known)])[min(known)]
        said = str(digest) if isinstance(digest, NoAnswer) else None if digest else f"it has no block {min(known)}"
        found.append(FinalBlock(name, line, digest if isinstance(digest, str) else None, said))
    return tuple(found)


def _line(chain: Chain, ask: Ask) -> int:
    if chain.finality == "finalized":
        found = result(asked(ask, [block("finalized")])[0])
        if not isinstance(found, Mapping):
            raise NoAnswer("the node knows no finalized block", "Choose `chain.finality` by the network's own rule.")
        return quantity(found.get("number"))
    head = quantity(result(asked(ask, [("eth_blockNumber", [])])[0]))
    return head if chain.finality == "sealed" else max(0, head - chain.finality)


def line_of(told: tuple[FinalBlock, ...]) -> int | None:
    """The last block that is final on every node, None unless all tell one and the same history."""
    numbers = [f.number for f in told if f.number is not None and f.common_hash is not None]
    if not told or len(numbers) < len(told) or len({f.common_hash for f in told}) > 1:
        return None
    return min(numbers)
