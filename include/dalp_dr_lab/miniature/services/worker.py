"""dalp-worker: carries requests to the chain. Prepares, signs, journals, sends, confirms, and keeps the holdings.

A request moves QUEUED > PREPARING > SIGNING > BROADCASTING > CONFIRMING > COMPLETED or FAILED. The signed transaction
is in the journal and its hash in the row before it is sent, so that a restart sends the same transaction again, never
another.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from . import delivery, ethereum, heartbeat, rpc, server, settings, volume
from .database import Database
from .journal import Journal

POLL_SECONDS = 0.5
PER_ROUND = 20
GAS = 200_000
MAXIMUM_FEE_WEI = 20 * 10**9

loop_database, probe_database = Database("dalp-worker"), Database("dalp-worker")


@dataclass
class Progress:
    """What the loop did since the start; shown by /status."""

    sent: int = 0
    completed: int = 0
    failed: int = 0
    errors: int = 0
    last_error: str = ""


progress = Progress()


def folder() -> Path:
    """The volume."""
    return Path(settings.required("DATA_FOLDER"))


@cache
def journal() -> Journal:
    """The journal on the volume, read once."""
    return Journal(folder() / "journal")


def signer() -> bytes | None:
    """The signing key; None when signing was taken away on purpose (SIGNER_KIND=sealed); ValueError for a bad key."""
    if settings.required("SIGNER_KIND") == settings.NOT_CONFIGURED:
        return None
    key = bytes.fromhex(settings.required("SIGNER_PRIVATE_KEY").removeprefix("0x"))
    ethereum.address_of(key)
    return key


def gateway() -> str:
    """The gateway's URL."""
    return settings.required("RPC_URL")


def move(request: int, status: str, **facts: object) -> None:
    """Journal a step, then write it to the request's row."""
    columns = {name: value for name, value in facts.items() if name in ("tx_hash", "nonce", "error")}
    journal().write(request, status, **facts)
    sets = "".join(f", {name} = %s" for name in columns)
    statement = f"update transaction_request set status = %s{sets}, updated_at = clock_timestamp() where id = %s returning id"
    loop_database.rows(statement, status, *columns.values(), request)


def start_queued(key: bytes) -> None:
    """Prepare, sign and send what is queued."""
    queued = loop_database.rows(
        """select r.id, r.kind, r.token, r.amount, a.address, b.address from transaction_request r
        join account a on a.id = r.account_id left join account b on b.id = r.recipient_account_id
        where r.status in ('QUEUED', 'PREPARING', 'SIGNING') order by r.id limit %s""",
        PER_ROUND,
    )
    for request, kind, token, amount, owner, recipient in queued:
        move(request, "PREPARING")
        nonce = int(rpc.call(gateway(), "eth_getTransactionCount", ethereum.address_of(key), "pending"), 16)
        if kind == "mint":
            data = ethereum.call_data("mint(address,uint256)", owner, int(amount))
        else:
            data = ethereum.call_data("forcedTransfer(address,address,uint256)", owner, recipient, int(amount))
        move(request, "SIGNING", nonce=nonce)
        raw, tx_hash = ethereum.signed_transaction(
            key, chain_id=settings.number("CHAIN_ID"), nonce=nonce, to=token, data=bytes.fromhex(data[2:]),
            gas=GAS, max_fee_wei=MAXIMUM_FEE_WEI,
        )  # fmt: skip
        move(request, "BROADCASTING", nonce=nonce, tx_hash=tx_hash, raw=raw)
        send(request, raw)


def send(request: int, raw: str) -> None:
    """Send a signed transaction; one that the node knows already is as good as sent."""
    try:
        rpc.call(gateway(), "eth_sendRawTransaction", raw)
        progress.sent += 1
    except rpc.RpcError as error:
        if not any(text in str(error) for text in ("already known", "already imported", "nonce too low")):
            raise
    move(request, "CONFIRMING")


def finish_sent(key: bytes | None) -> bool:
    """Finish what is mined; send again what the node has never seen. True when nothing signed is left unsent."""
    rows = loop_database.rows(
        """select id, status, tx_hash, kind, account_id, recipient_account_id, token, amount from transaction_request
        where status in ('BROADCASTING', 'CONFIRMING') order by id limit 100"""
    )
    receipts = rpc.batch(gateway(), [("eth_getTransactionReceipt", (row[2],)) for row in rows])
    unsent = 0
    for (request, status, tx_hash, *rest), receipt in zip(rows, receipts, strict=True):
        if receipt:
            finish(request, tx_hash, int(receipt["status"], 16) == 1, rest)
        elif status == "BROADCASTING" and key and (raw := journal().raw_transaction(tx_hash)):
            send(request, raw)
        elif status == "BROADCASTING":
            unsent += 1
    return not unsent


def finish(request: int, tx_hash: str, succeeded: bool, parts: list[Any]) -> None:
    """Close a request: its status, the holdings it changed and its deliveries in one transaction."""
    kind, account, recipient, token, amount = parts
    status = "COMPLETED" if succeeded else "FAILED"
    journal().write(request, status, tx_hash=tx_hash)
    changes = ((account, amount),) if kind == "mint" else ((account, -amount), (recipient, amount))
    with loop_database.transaction() as cursor:
        cursor.execute(
            "update transaction_request set status = %s, error = %s, updated_at = clock_timestamp() where id = %s",
            (status, None if succeeded else "the transaction was reverted", request),
        )
        for holder, change in changes if succeeded else ():
            cursor.execute(
                """insert into holding (account_id, token, amount) values (%s, %s, %s)
                on conflict (account_id, token) do update set amount = holding.amount + excluded.amount""",
                (holder, token, change),
            )
        channels = ("webhook", "mail") if kind == "mint" else ("webhook",)
        cursor.executemany("insert into delivery (request_id, channel) values (%s, %s)", [(request, c) for c in channels])
    if succeeded:
        progress.completed += 1
    else:
        progress.failed += 1


def run() -> None:
    """Work for ever; an error is counted, shown and tried again."""
    while True:
        try:
            volume.check(folder())
            rpc.check_chain(gateway(), settings.number("CHAIN_ID"))
            key = signer()
            if finish_sent(key) and key:
                start_queued(key)
            progress.last_error = ""
        except Exception as error:
            progress.errors += 1
            progress.last_error = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            server.log(f"work failed: {type(error).__name__}: {progress.last_error}")
        time.sleep(POLL_SECONDS)


def status() -> dict[str, Any]:
    """Requests by status, who signs, how long the journal is."""
    counts = dict(probe_database.rows("select status, count(*) from transaction_request group by status"))
    waiting = probe_database.rows("select count(*) from delivery where delivered_at is null")[0][0]
    key = signer()
    return {
        "requests": counts,
        "undelivered": waiting,
        "signing": ethereum.address_of(key) if key else settings.NOT_CONFIGURED,
        "journalled_requests": len(journal().last),
        **asdict(progress),
    }


def ready() -> None:
    """Ready when volume, database, gateway, signer and delivery settings are right and the loop has no error."""
    volume.check(folder())
    probe_database.check()
    rpc.check_chain(gateway(), settings.number("CHAIN_ID"))
    signer()
    for name in ("WEBHOOK_URL", "WEBHOOK_SECRET", "SMTP_HOST", "SMTP_PORT", "SMTP_FROM", "SMTP_TO"):
        settings.required(name)
    if progress.last_error:
        raise settings.SettingsError(progress.last_error)


def answer(request: server.Request) -> server.Answer:
    """The status."""
    if request.path != "/status":
        raise server.not_found(request)
    return server.Answer(status())


if __name__ == "__main__":
    server.background(run)
    server.background(lambda: heartbeat.run("dalp-worker"))
    server.background(delivery.run)
    server.serve(8080, answer, ready, "dalp-worker")
