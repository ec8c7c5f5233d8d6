"""Who calls the API: by key, or by a session that was opened with a key."""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass

from . import settings
from .database import Database
from .server import ApiError, Request

SESSION_SECONDS = 3600


@dataclass(frozen=True)
class Account:
    """One account of the platform."""

    id: int
    name: str
    address: str
    scope: str


def authenticate(database: Database, request: Request) -> Account:
    """The caller; 401 DALP-0001 without credentials, 401 DALP-0002 with wrong ones."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    if token := headers.get("authorization", "").removeprefix("Bearer "):
        return _find(database, "id", _session_account(token))
    if key := headers.get("x-api-key"):
        return _find(database, "api_key_sha256", hashlib.sha256(key.encode()).hexdigest())
    raise ApiError(401, "DALP-0001", "credentials are missing")


def _find(database: Database, column: str, value: object) -> Account:
    rows = database.rows(f"select id, name, address, scope from account where {column} = %s", value)
    if not rows:
        raise ApiError(401, "DALP-0002", "credentials are not valid")
    return Account(*rows[0])


def _signature(payload: str) -> str:
    return hmac.new(settings.required("SESSION_SECRET").encode(), payload.encode(), hashlib.sha256).hexdigest()


def open_session(account: Account) -> dict[str, object]:
    """A session token: account, end and signature."""
    end = int(time.time()) + SESSION_SECONDS
    payload = f"{account.id}.{end}"
    return {"token": f"{payload}.{_signature(payload)}", "expiresAt": end}


def _session_account(token: str) -> int:
    payload, _, signature = token.rpartition(".")
    number, _, end = payload.partition(".")
    if not hmac.compare_digest(signature, _signature(payload)) or not end.isdigit() or int(end) < time.time():
        raise ApiError(401, "DALP-0002", "the session is not valid")
    return int(number)
