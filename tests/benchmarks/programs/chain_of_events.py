"""Fills a chain with Transfer events, many in a block, and writes what an index of it holds.

`chain_of_events.py URL EVENTS FOLDER`: `rows.json` (the index's rows, five of them changed) and `ranges.json` (its ranges) come to
FOLDER. The contract is a loop of twenty instructions that log as often as they are told.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from dalp_dr.chain import ranges
from dalp_dr.chain.token import TRANSFER, Transfer
from side import report

CONTRACT, SENDER, IN_A_BLOCK, CHANGED = "0x" + "70" * 20, "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266", 50, 5
# n = calldata; while n: memory[0] = n; log(Transfer, caller, n); n -= 1
CODE = f"0x6000355b8015603c578060005280337f{TRANSFER[2:]}60206000a3600190036003565b00"
url, events, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])


def ask(*calls: tuple[str, list[Any]]) -> list[Any]:
    body = [{"jsonrpc": "2.0", "id": n, "method": m, "params": p} for n, (m, p) in enumerate(calls)]
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    answers = sorted(json.load(urllib.request.urlopen(request, timeout=120)), key=lambda a: int(a["id"]))
    assert all("result" in a for a in answers), answers[:3]
    return [a["result"] for a in answers]


ask(("anvil_setCode", [CONTRACT, CODE]))
call = {"from": SENDER, "to": CONTRACT, "data": f"0x{IN_A_BLOCK:064x}", "gas": hex(5_000_000)}
sent = [ask(("eth_sendTransaction", [call]))[0] for _ in range(events // IN_A_BLOCK)]
while int(ask(("eth_getTransactionCount", [SENDER, "latest"]))[0], 16) < len(sent):
    time.sleep(0.5)
head = int(ask(("eth_blockNumber", []))[0], 16)
rows: list[list[Any]] = []
receipts = [r for n in range(0, len(sent), 100) for r in ask(*(("eth_getTransactionReceipt", [tx]) for tx in sent[n : n + 100]))]
for tx, receipt in zip(sent, receipts, strict=True):
    number, first = int(receipt["blockNumber"], 16), int(receipt["logs"][0]["logIndex"], 16)
    rows += [[CONTRACT, SENDER, f"0x{IN_A_BLOCK - n:040x}", str(IN_A_BLOCK - n), number, first + n, tx] for n in range(IN_A_BLOCK)]
assert len(rows) == events, f"{len(rows)} events were made, {events} asked for"


def summed(of: list[list[Any]]) -> list[dict[str, str]]:
    collector = ranges.Collector(ranges.width_of(head))
    for token, sender, recipient, value, number, log, tx in of:
        collector.add(Transfer(token, sender, recipient, int(value), number, log, tx))
    return [
        {"first": str(r.first), "last": str(r.last), "transfers": str(r.transfers), "value": r.value, "digest": r.digest}
        for r in collector.ranges().values()
    ]


for place in range(CHANGED):
    row = rows[len(rows) // CHANGED * place + 17]
    row[3] = str(int(row[3]) + 1)
digest = ask(("eth_getBlockByNumber", [hex(head), False]))[0]["hash"]
common = {
    "checkpoint": [{"chain_id": "31337", "block_number": str(head), "block_hash": digest}],
    "tokens": [{"address": CONTRACT, "symbol": "T", "decimals": "0", "total_supply": "0"}],
}
folder.mkdir(parents=True, exist_ok=True)
(folder / "rows.json").write_text(json.dumps(rows))
(folder / "ranges.json").write_text(json.dumps(common | {"transfer_ranges": summed(rows)}))
report(items=events, head=head)
