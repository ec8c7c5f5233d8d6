"""dalp-indexer: follows the tokens' Transfer logs into PostgreSQL, block by block, and survives a reorganisation.

Each step is one transaction: blocks with their hashes, transfers, balances, supply and the checkpoint move together.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import ethereum, rpc, server, settings, volume
from .database import Database

POLL_SECONDS = 1.0
BLOCKS_PER_STEP = 400
ZERO = "0x" + "0" * 40

loop_database, probe_database = Database("dalp-indexer"), Database("dalp-indexer")


class IndexingError(Exception):
    """The index and the chain cannot be brought together."""


@dataclass
class Progress:
    """What the loop did since the start; shown by /status."""

    steps: int = 0
    reorganisations: int = 0
    handler_errors: int = 0
    last_error: str = ""


progress = Progress()


def gateway() -> str:
    """The gateway's URL."""
    return settings.required("RPC_URL")


def tokens() -> list[str]:
    """The addresses of the tokens to follow, lower case."""
    return [word.strip().lower() for word in settings.required("TOKENS").split(",")]


def head() -> int:
    """The newest block's number."""
    return int(rpc.call(gateway(), "eth_blockNumber"), 16)


def block_hash(number: int) -> str | None:
    """The hash of a block on the chain, None when there is no such block."""
    block = rpc.call(gateway(), "eth_getBlockByNumber", hex(number), False)
    return block["hash"] if block else None


def checkpoint(cursor: Any) -> tuple[int, str] | None:
    """(number, hash) of the last indexed block."""
    cursor.execute("select block_number, block_hash from idxr_checkpoint where chain_id = %s", (settings.number("CHAIN_ID"),))
    return cursor.fetchone()


def step() -> bool:
    """Index the next blocks; True when there may be more. Rolls back first where the chain has another past."""
    with loop_database.transaction() as cursor:
        found = checkpoint(cursor)
        if found and block_hash(found[0]) != found[1]:
            _roll_back(cursor, found[0])
            progress.reorganisations += 1
            return True
        newest, first = head(), found[0] + 1 if found else 0
        if first > newest:
            return False
        last = min(newest, first + BLOCKS_PER_STEP - 1)
        _index(cursor, first, last)
        progress.steps += 1
        return last < newest


def _index(cursor: Any, first: int, last: int) -> None:
    for token in tokens():
        _know(cursor, token)
    filters = {"address": tokens(), "topics": [ethereum.TRANSFER_TOPIC], "fromBlock": hex(first), "toBlock": hex(last)}
    headers = rpc.batch(gateway(), [("eth_getBlockByNumber", (hex(n), False)) for n in range(first, last + 1)])
    logs = rpc.call(gateway(), "eth_getLogs", filters)
    hashes = {int(block["number"], 16): block["hash"] for block in headers}
    if any(hashes.get(int(entry["blockNumber"], 16)) != entry["blockHash"] for entry in logs):
        raise IndexingError("the chain changed while it was read")
    for number, digest in hashes.items():
        cursor.execute("insert into idxr_block (number, hash) values (%s, %s)", (number, digest))
    for entry in logs:
        _transfer(cursor, entry)
    statement = """insert into idxr_checkpoint (chain_id, block_number, block_hash) values (%s, %s, %s)
        on conflict (chain_id) do update set block_number = excluded.block_number, block_hash = excluded.block_hash"""
    cursor.execute(statement, (settings.number("CHAIN_ID"), last, hashes[last]))


def _know(cursor: Any, token: str) -> None:
    cursor.execute("select 1 from idxr_token where address = %s", (token,))
    if not cursor.fetchone():
        calls = [("eth_call", ({"to": token, "data": ethereum.selector(name)}, "latest")) for name in ("symbol()", "decimals()")]
        symbol, decimals = rpc.batch(gateway(), calls)
        if symbol == "0x":
            raise IndexingError(f"there is no token at {token}")
        values = (token, ethereum.text_result(symbol), int(decimals, 16))
        cursor.execute("insert into idxr_token (address, symbol, decimals) values (%s, %s, %s)", values)


def _transfer(cursor: Any, entry: dict[str, Any]) -> None:
    token, value = entry["address"].lower(), int(entry["data"], 16)
    sender, recipient = (ethereum.topic_address(topic) for topic in entry["topics"][1:3])
    place = (int(entry["blockNumber"], 16), int(entry["logIndex"], 16))
    cursor.execute(
        """insert into idxr_transfer (token, block_number, log_index, tx_hash, sender, recipient, value)
        values (%s, %s, %s, %s, %s, %s, %s)""",
        (token, *place, entry["transactionHash"], sender, recipient, value),
    )
    for holder, change in ((sender, -value), (recipient, value)):
        if holder == ZERO:
            cursor.execute("update idxr_token set total_supply = total_supply - %s where address = %s", (change, token))
        else:
            cursor.execute(
                """insert into idxr_balance (token, holder, balance) values (%s, %s, %s)
                on conflict (token, holder) do update set balance = idxr_balance.balance + excluded.balance""",
                (token, holder, change),
            )


def _roll_back(cursor: Any, newest: int) -> None:
    """Go back to the newest indexed block that the chain still has, and make balances and supply anew from there."""
    cursor.execute("select number, hash from idxr_block where number <= %s order by number desc", (newest,))
    for number, digest in cursor.fetchall():
        if block_hash(number) == digest:
            break
    else:
        raise IndexingError("the chain shares no block with the index: it is another chain")
    cursor.execute("delete from idxr_transfer where block_number > %s", (number,))
    cursor.execute("delete from idxr_block where number > %s", (number,))
    cursor.execute("delete from idxr_balance")
    cursor.execute("insert into idxr_balance (token, holder, balance) " + SUMS, (ZERO,))
    cursor.execute("update idxr_token set total_supply = " + SUPPLY, (ZERO, ZERO))
    statement = "update idxr_checkpoint set block_number = %s, block_hash = %s where chain_id = %s"
    cursor.execute(statement, (number, digest, settings.number("CHAIN_ID")))


SUMS = """select token, holder, sum(change) from (
    select token, recipient as holder, value as change from idxr_transfer
    union all select token, sender, -value from idxr_transfer) moves where holder <> %s group by token, holder"""
SUPPLY = """coalesce((select sum(case when sender = %s then value when recipient = %s then -value else 0 end)
    from idxr_transfer where token = idxr_token.address), 0)"""


def run() -> None:
    """Index for ever; an error is counted, shown and tried again."""
    while True:
        more = False
        try:
            rpc.check_chain(gateway(), settings.number("CHAIN_ID"))
            more = step()
            progress.last_error = ""
            _remember()
        except Exception as error:
            progress.handler_errors += 1
            progress.last_error = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            server.log(f"indexing failed: {type(error).__name__}: {progress.last_error}")
        if not more:
            time.sleep(POLL_SECONDS)


def _remember() -> None:
    """Keep the progress in the volume's cache, which may be lost."""
    cache = Path(settings.required("DATA_FOLDER")) / "cache"
    cache.mkdir(exist_ok=True)
    (cache / "progress.json").write_text(json.dumps(asdict(progress)))


def status() -> dict[str, Any]:
    """Checkpoint, head, lag in blocks and what went wrong."""
    with probe_database.transaction() as cursor:
        found = checkpoint(cursor)
    newest = head()
    indexed = {"block": found[0], "hash": found[1]} if found else None
    lag = newest - found[0] if found else None
    return {"checkpoint": indexed, "head": newest, "lag": lag, **asdict(progress)}


def ready() -> None:
    """Ready when volume, database and gateway are right, the checkpoint is on the chain and the lag is small."""
    volume.check(Path(settings.required("DATA_FOLDER")))
    probe_database.check()
    rpc.check_chain(gateway(), settings.number("CHAIN_ID"))
    now = status()
    if now["checkpoint"] is None:
        raise IndexingError(f"nothing is indexed yet {progress.last_error}".strip())
    if now["lag"] < 0:
        raise IndexingError(f"indexed up to {now['checkpoint']['block']}, the chain ends at {now['head']}")
    if block_hash(now["checkpoint"]["block"]) != now["checkpoint"]["hash"]:
        raise IndexingError(f"block {now['checkpoint']['block']} has another hash on the chain")
    if now["lag"] > settings.number("MAXIMUM_LAG_BLOCKS"):
        raise IndexingError(f"{now['lag']} blocks behind the chain")
    if progress.last_error:
        raise IndexingError(progress.last_error)


def answer(request: server.Request) -> server.Answer:
    """The status."""
    if request.path != "/status":
        raise server.not_found(request)
    return server.Answer(status())


if __name__ == "__main__":
    server.background(run)
    server.serve(8080, answer, ready, "dalp-indexer")
