"""A node that answers raw JSON-RPC from a list of blocks and Transfer events."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dalp_dr.chain.token import TRANSFER, ZERO

TOKEN = "0x" + "11" * 20
SIGNER = "0x" + "99" * 20
ALICE, BOB, CAROL = ("0x" + pair * 20 for pair in ("aa", "bb", "cc"))


def digest(number: int, branch: str = "") -> str:
    return f"0x{f'{branch}{number:x}'.rjust(64, '0')}"


def tx(number: int) -> str:
    return f"0x{number:064x}"


def word(value: int | str) -> str:
    return f"0x{value:064x}" if isinstance(value, int) else "0x" + value.removeprefix("0x").rjust(64, "0")


def index_rows(transfers: Iterable[tuple[int, int, str, str, int]]) -> list[dict[str, str]]:
    """Rows as the SQL text `transfers_between` gives them; the log index is the place in the list."""
    return [
        {
            "token": TOKEN,
            "block_number": str(block),
            "log_index": str(place),
            "tx_hash": tx(number),
            "sender": sender,
            "recipient": recipient,
            "value": str(value),
        }
        for place, (block, number, sender, recipient, value) in enumerate(transfers)
    ]


def index_blocks(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Rows as the SQL text `transfer_blocks` gives them, of rows of `transfers_between`."""
    blocks: dict[str, str] = {}
    for r in rows:
        blocks[r["block_number"]] = blocks.get(r["block_number"], "") + " ".join(r.values()) + "\n"
    return [{"block_number": n, "digest": hashlib.sha256(text.encode()).hexdigest()} for n, text in blocks.items()]


def index_ranges(transfers: Iterable[tuple[int, int, str, str, int]], width: int = 100) -> list[dict[str, str]]:
    """Rows as the SQL text `transfer_ranges` gives them, made in another way than the code under test makes them."""
    rows = index_rows(transfers)
    found = []
    for first in sorted({int(r["block_number"]) // width * width for r in rows}):
        mine = [r for r in rows if first <= int(r["block_number"]) < first + width]
        blocks: dict[int, str] = {}
        for r in mine:
            blocks[int(r["block_number"])] = blocks.get(int(r["block_number"]), "") + " ".join(r.values()) + "\n"
        whole = hashlib.sha256(b"".join(hashlib.sha256(text.encode()).digest() for _, text in sorted(blocks.items()))).hexdigest()
        total = str(sum(int(r["value"]) for r in mine))
        found.append({"first": str(first), "last": str(first + width - 1), "transfers": str(len(mine)), "value": total, "digest": whole})
    return found


@dataclass
class Node:
    """`transfers`: (block, tx number, sender, recipient, value). Blocks come every 2 s from `genesis_seconds` on."""

    head: int = 20
    chain_id: int = 31337
    transfers: list[tuple[int, int, str, str, int]] = field(default_factory=list)
    branch_from: int | None = None
    genesis_seconds: int = 1_790_000_000
    errors: dict[str, str] = field(default_factory=dict)
    largest_range: int | None = None
    reverted: set[int] = field(default_factory=set)
    pending: set[int] = field(default_factory=set)
    changed: dict[tuple[str, int], int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    lying_range: bool = False
    nonce: int = 10
    final_below_head: int = 2
    code: str = "0x6001"
    implementation: str | None = None
    operator: str = SIGNER
    roles: set[str] = field(default_factory=lambda: {SIGNER})
    pruned_below: int = 0

    def __call__(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[dict[str, Any]]:
        return [self._answer(method, list(params)) for method, params in requests]

    def _answer(self, method: str, params: list[Any]) -> dict[str, Any]:
        self.asked.append(method)
        if method in self.errors:
            return {"error": {"code": -32000, "message": self.errors[method]}}
        return getattr(self, "_" + method)(*params)

    def hash(self, number: int) -> str:
        return digest(number, "f" if self.branch_from is not None and number >= self.branch_from else "")

    def _eth_chainId(self) -> dict[str, Any]:
        return {"result": hex(self.chain_id)}

    def _eth_blockNumber(self) -> dict[str, Any]:
        return {"result": hex(self.head)}

    def _eth_getBlockByNumber(self, tag: str, full: bool) -> dict[str, Any]:
        number = self.head if tag == "latest" else self.head - self.final_below_head if tag == "finalized" else int(tag, 16)
        if number > self.head:
            return {"result": None}
        return {"result": {"hash": self.hash(number), "number": hex(number), "timestamp": hex(self.genesis_seconds + 2 * number)}}

    def _eth_call(self, call: dict[str, str], tag: str) -> dict[str, Any]:
        number = int(tag, 16)
        if number > self.head:
            return {"error": {"message": "header not found"}}
        data = call["data"]
        if data == "0x18160ddd":
            value = sum(v for b, _, s, r, v in self.transfers if b <= number and s == ZERO)
            return {"result": word(value + self.changed.get((ZERO, 0), 0))}
        if data == "0x570ca735":
            return {"result": word(self.operator)}
        if data.startswith("0x91d14854"):
            return {"result": word(int("0x" + data[-40:] in self.roles))}
        assert data.startswith("0x70a08231")
        holder = "0x" + data[-40:]
        return {"result": word(self.balance(holder, number) + self.changed.get((holder, 0), 0))}

    def balance(self, holder: str, number: int) -> int:
        return sum(v * ((r == holder) - (s == holder)) for b, _, s, r, v in self.transfers if b <= number)

    def _eth_getCode(self, address: str, tag: str) -> dict[str, Any]:
        return {"result": self.code if address == TOKEN or self.implementation else "0x"}

    def _eth_getStorageAt(self, address: str, slot: str, tag: str) -> dict[str, Any]:
        return {"result": word(self.implementation or 0)}

    def _eth_getLogs(self, asked: dict[str, Any]) -> dict[str, Any]:
        first, last = int(asked["fromBlock"], 16), int(asked["toBlock"], 16)
        if self.largest_range is not None and last - first + 1 > self.largest_range:
            return {"error": {"code": -32602, "message": "range too large"}}
        if first < self.pruned_below:
            return {"error": {"code": -32000, "message": "historical state is pruned"}}
        found = [t for t in self.transfers if (first <= t[0] <= last or self.lying_range)]
        return {"result": [self._log(t, self.transfers.index(t)) for t in found]}

    def _log(self, transfer: tuple[int, int, str, str, int], index: int) -> dict[str, Any]:
        block, number, sender, recipient, value = transfer
        return {
            "address": TOKEN,
            "topics": [TRANSFER, word(sender), word(recipient)],
            "data": word(value),
            "blockNumber": hex(block),
            "logIndex": hex(index),
            "transactionHash": tx(number),
            "blockHash": self.hash(block),
        }

    def _mined(self, digest_: str) -> bool:
        return any(tx(t[1]) == digest_ for t in self.transfers) or int(digest_, 16) in self.reverted

    def _eth_getTransactionReceipt(self, digest_: str) -> dict[str, Any]:
        return {"result": {"status": "0x0" if int(digest_, 16) in self.reverted else "0x1"} if self._mined(digest_) else None}

    def _eth_getTransactionByHash(self, digest_: str) -> dict[str, Any]:
        known = self._mined(digest_) or int(digest_, 16) in self.pending
        return {"result": {"from": SIGNER, "hash": digest_} if known else None}

    def _eth_getTransactionCount(self, address: str, tag: str) -> dict[str, Any]:
        return {"result": hex(self.nonce if address == SIGNER else 0)}
