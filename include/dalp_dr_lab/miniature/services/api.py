"""dalp-dapi: the platform's API on PostgreSQL, the gateway and the documents bucket. Migrates the database at start."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from . import documents, migration, rpc, server, settings, telemetry
from .accounts import Account, authenticate, open_session
from .database import Database
from .server import Answer, ApiError, Request

database = Database("dalp-dapi")
ADDRESS = re.compile(r"^0x[0-9a-f]{40}$")


def page(items: list[dict[str, Any]]) -> dict[str, Any]:
    """A list as the API answers it."""
    return {"data": items, "meta": {"total": len(items)}}


def display(exact: object, decimals: int) -> str:
    """An amount in whole units: the exact integer with its decimal point set."""
    digits = str(int(str(exact))).rjust(decimals + 1, "0")
    whole, part = (digits[:-decimals], digits[-decimals:].rstrip("0")) if decimals else (digits, "")
    return f"{whole}.{part}" if part else whole


def specification() -> dict[str, Any]:
    """The public description of the API."""
    paths = {re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", pattern): {method.lower(): {}} for method, pattern, _ in ROUTES}
    return {"openapi": "3.1.0", "info": {"title": "DALP", "version": settings.VERSION}, "paths": paths}


def me(account: Account, request: Request) -> Answer:
    """The caller."""
    return Answer({"data": {"id": account.id, "name": account.name, "address": account.address, "scope": account.scope}})


def session(account: Account, request: Request) -> Answer:
    """A session of an hour for the caller, signed with this deployment's own secret."""
    return Answer({"data": open_session(account)}, 201)


def tokens(account: Account, request: Request) -> Answer:
    """All tokens with their indexed supply."""
    rows = database.rows("select address, symbol, decimals, total_supply from idxr_token order by address")
    return Answer(page([_token(*row) for row in rows]))


def _token(address: str, symbol: str, decimals: int, supply: object) -> dict[str, Any]:
    exact = str(int(str(supply)))
    return {
        "id": address,
        "symbol": symbol,
        "decimals": decimals,
        "totalSupply": display(exact, decimals),
        "totalSupplyExact": exact,
    }


def _decimals(token: str) -> int:
    rows = database.rows("select decimals from idxr_token where address = %s", token)
    if not rows:
        raise ApiError(404, "TOKEN_NOT_FOUND", f"no token {token}")
    return int(rows[0][0])


def holders(account: Account, request: Request, token: str) -> Answer:
    """All holders of a token with a balance above zero."""
    decimals = _decimals(token)
    statement = "select holder, balance from idxr_balance where token = %s and balance > 0 order by holder"
    rows = database.rows(statement, token)
    return Answer(page([{"holder": h, "balance": display(b, decimals), "balanceExact": str(int(b))} for h, b in rows]))


def holder_balance(account: Account, request: Request, token: str) -> Answer:
    """One holder's balance and the block that it is from."""
    holder = request.query.get("holderAddress", "").lower()
    if not ADDRESS.match(holder):
        raise ApiError(400, "INVALID_ADDRESS", "holderAddress must be a 0x address of 40 hex digits")
    statement = """select coalesce((select balance from idxr_balance where token = %s and holder = %s), 0), block_number
        from idxr_checkpoint"""
    decimals, rows = _decimals(token), database.rows(statement, token, holder)
    if not rows:
        raise ApiError(503, "NOT_INDEXED", "nothing is indexed yet")
    balance, block = int(rows[0][0]), int(rows[0][1])
    data = {"holderAddress": holder, "balance": display(balance, decimals), "balanceExact": str(balance)}
    return Answer({"data": {**data, "asOfBlockNumber": block}})


def request_mint(account: Account, request: Request, token: str) -> Answer:
    """Queue a mint to an account."""
    return _queue(account, request, token, "mint")


def request_transfer(account: Account, request: Request, token: str) -> Answer:
    """Queue a transfer from one account to another."""
    return _queue(account, request, token, "transfer")


def _queue(account: Account, request: Request, token: str, kind: str) -> Answer:
    _decimals(token)
    body = documents.json_body(request)
    try:
        owner, amount = int(body["accountId"]), int(body["amountExact"])
        recipient = int(body["recipientAccountId"]) if kind == "transfer" else None
    except (KeyError, TypeError, ValueError):
        raise ApiError(400, "INVALID_BODY", "accountId, amountExact (and recipientAccountId) must be whole numbers") from None
    if amount <= 0:
        raise ApiError(400, "INVALID_BODY", "amountExact must be positive")
    statement = """insert into transaction_request (account_id, recipient_account_id, kind, token, amount)
        values (%s, %s, %s, %s, %s) returning id"""
    number = database.rows(statement, owner, recipient, kind, token, amount)[0][0]
    telemetry.record("dalp-dapi", f"{kind} queued", {"request": str(number), "token": token})
    return Answer({"data": {"id": number, "status": "QUEUED"}}, 202)


def transaction_request(account: Account, request: Request, number: str) -> Answer:
    """One request's state."""
    statement = "select id, kind, status, tx_hash, nonce, error from transaction_request where id = %s"
    rows = database.rows(statement, int(number))
    if not rows:
        raise ApiError(404, "TRANSACTION_REQUEST_NOT_FOUND", f"no request {number}")
    names = ("id", "kind", "status", "transactionHash", "nonce", "errorMessage")
    return Answer({"data": dict(zip(names, rows[0], strict=True))})


def list_documents(account: Account, request: Request) -> Answer:
    """All documents: where they are, which version, which bytes."""
    return Answer(page(documents.all_of(database)))


def document_content(account: Account, request: Request, number: str) -> Answer:
    """The bytes of one document, by the version that its row names."""
    return documents.content(database, int(number))


def add_document(account: Account, request: Request) -> Answer:
    """Store an upload, or make an export of all balances."""
    return documents.add(database, account, request)


Handler = Callable[..., Answer]
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", r"/api/v2/me", me),
    ("POST", r"/api/v2/sessions", session),
    ("GET", r"/api/v2/tokens", tokens),
    ("GET", r"/api/v2/tokens/(?P<token>0x[0-9a-f]{40})/holders", holders),
    ("GET", r"/api/v2/tokens/(?P<token>0x[0-9a-f]{40})/holder-balances", holder_balance),
    ("POST", r"/api/v2/tokens/(?P<token>0x[0-9a-f]{40})/mints", request_mint),
    ("POST", r"/api/v2/tokens/(?P<token>0x[0-9a-f]{40})/transfers", request_transfer),
    ("GET", r"/api/v2/transaction-requests/(?P<number>\d+)", transaction_request),
    ("GET", r"/api/v2/documents", list_documents),
    ("POST", r"/api/v2/documents", add_document),
    ("GET", r"/api/v2/documents/(?P<number>\d+)/content", document_content),
)


def answer(request: Request) -> Answer:
    """Find the route, then the caller, then answer; a key with read scope may not write."""
    if request.path == "/api/v2/spec.json":
        return Answer(specification())
    for method, pattern, handler in ROUTES:
        match = re.fullmatch(pattern, request.path, re.IGNORECASE)
        if match and method == request.method:
            account = authenticate(database, request)
            if method != "GET" and handler is not session and account.scope != "write":
                raise ApiError(403, "DALP-0035", "API_KEY_READ_ONLY: this key has read scope")
            return handler(account, request, **{name: value.lower() for name, value in match.groupdict().items()})
    raise server.not_found(request)


def ready() -> None:
    """Ready when the database has our schema, the gateway is on our network and our own settings are there."""
    documents.check_settings()
    if len(settings.required("SESSION_SECRET")) < 32:
        raise settings.SettingsError("setting SESSION_SECRET is shorter than 32 characters")
    settings.required("API_HOST")
    database.check()
    rpc.check_chain(settings.required("RPC_URL"), settings.number("CHAIN_ID"))


def migrate() -> None:
    """Bring the schema to this build's version, trying until the database answers."""
    while True:
        try:
            return migration.apply(database)
        except Exception as error:
            server.log(f"migration waits: {type(error).__name__}: {error}".strip())
            time.sleep(1)


if __name__ == "__main__":
    server.background(migrate)
    server.serve(3000, answer, ready, "dalp-dapi")
