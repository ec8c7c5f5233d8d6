"""The peer: web3's contract.events by ranges of blocks, and a dictionary of the index's rows. `events_by_web3.py URL RANGES ROWS`"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from web3 import HTTPProvider, Web3

from side import Work, report

BLOCKS_A_CALL = 100  # 5,000 events
ABI = [
    {
        "type": "event",
        "name": "Transfer",
        "anonymous": False,
        "inputs": [
            {"name": "sender", "type": "address", "indexed": True},
            {"name": "receiver", "type": "address", "indexed": True},
            {"name": "value", "type": "uint256", "indexed": False},
        ],
    }
]
url, given, rows = sys.argv[1], json.loads(Path(sys.argv[2]).read_text()), json.loads(Path(sys.argv[3]).read_text())
head = int(given["checkpoint"][0]["block_number"])
chain = Web3(HTTPProvider(url, request_kwargs={"timeout": 120}))
contract = chain.eth.contract(address=Web3.to_checksum_address(given["tokens"][0]["address"]), abi=ABI)
assert chain.eth.chain_id == 31337
with Work() as work:
    index = {(r[4], r[5]): (r[1], r[2], int(r[3]), r[6]) for r in rows}
    found = []
    for start in range(0, head + 1, BLOCKS_A_CALL):
        for event in contract.events.Transfer().get_logs(from_block=start, to_block=min(head, start + BLOCKS_A_CALL - 1)):
            place, said = (event["blockNumber"], event["logIndex"]), event["args"]
            seen = (said["sender"].lower(), said["receiver"].lower(), said["value"], event["transactionHash"].to_0x_hex())
            if index.pop(place, None) != seen:
                found.append(list(place))
    found += [list(place) for place in index]
report(items=len(rows), found=sorted(found), **work.seconds)
