"""The project's way: raw JSON-RPC, fixed layout, digests of ranges; rows side by side only where a range differs.

`events_by_ranges.py URL RANGES ROWS`
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from dalp_dr.chain import events, ranges
from dalp_dr.chain.token import Transfer
from side import Work, report

url, given, rows = sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), json.loads(Path(sys.argv[3]).read_text())
os.environ["AIRFLOW_CONN_BENCH"] = json.dumps({"conn_type": "http", "host": url})
from dalp_dr_airflow.hooks.evm import EvmHook  # noqa: E402  the connection is read when asked for
from sandbox_sample import PLAN  # noqa: E402

node = EvmHook("bench")
node.batch([("eth_chainId", [])])
columns = ("token", "sender", "recipient", "value", "block_number", "log_index", "tx_hash")


def fetch(name: str, first: int, last: int, limit: int) -> list[dict[str, str]]:
    """The index's rows, or the digests of its blocks as the database makes them."""
    mine = [r for number in range(first, last + 1) for r in OF_BLOCK.get(number, ())]
    if name == "transfers_between":
        return [dict(zip(columns, map(str, r), strict=True)) for r in mine][:limit]
    lines: dict[int, str] = {}
    for token, sender, recipient, value, number, log, tx in mine:
        lines[number] = lines.get(number, "") + ranges.line(Transfer(token, sender, recipient, value, number, log, tx))
    return [{"block_number": str(n), "digest": hashlib.sha256(text.encode()).hexdigest()} for n, text in lines.items()]


OF_BLOCK: dict[int, list[list[Any]]] = {}  # as the database's index on the block number finds them
for row in rows:
    OF_BLOCK.setdefault(row[4], []).append(row)
head = int(given["checkpoint"][0]["block_number"])
with Work() as work:
    reading = events.read(PLAN, given, {"primary": node.batch}, lambda prefix: (), fetch, head)
facts = reading.facts
assert not facts.errors and not facts.not_side_by_side, facts
report(
    items=facts.index_transfers,
    found=[[r.block_number, r.log_index] for r in facts.rows],
    **work.seconds,
)
