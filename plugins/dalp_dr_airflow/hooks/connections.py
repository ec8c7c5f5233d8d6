"""Addresses and keys that live in Airflow connections."""

from __future__ import annotations

from airflow.sdk import BaseHook

from dalp_dr.errors import InputError
from dalp_dr.evidence.dsse import PublicKey

END = "-----END PUBLIC KEY-----"


def endpoint(conn_id: str) -> str:
    """URL of a connection: its `endpoint_url` (S3), or its host as a URL (HTTP, RPC)."""
    connection = BaseHook.get_connection(conn_id)
    url = connection.extra_dejson.get("endpoint_url") or connection.host or ""
    if url and "://" not in url:
        url = f"{connection.schema or 'http'}://{url}"
    if connection.port and url.count(":") < 2:
        url = f"{url}:{connection.port}"
    if not url:
        raise InputError(f"Connection {conn_id} has no address.", "Give it `endpoint_url` in its extra, or a host.")
    return url


def access_key(conn_id: str) -> tuple[str, str]:
    """Access key id and secret of an S3 connection."""
    connection = BaseHook.get_connection(conn_id)
    if not connection.login or not connection.password:
        raise InputError(f"Connection {conn_id} has no key.", "Give it an access key id (login) and a secret (password).")
    return connection.login, connection.password


def signing_key(conn_id: str) -> str:
    """The ed25519 private key (PEM) of the evidence-signing connection."""
    connection = BaseHook.get_connection(conn_id)
    pem = connection.extra_dejson.get("private_key") or connection.password or ""
    if "PRIVATE KEY" not in pem:
        raise InputError(f"Connection {conn_id} holds no private key.", "Put an ed25519 private key (PEM) into its password.")
    return str(pem)


def trusted_keys(conn_id: str) -> tuple[PublicKey, ...]:
    """Public keys (PEM, one after the other) that signed evidence before: `trusted_keys` in the connection's extra."""
    pem = str(BaseHook.get_connection(conn_id).extra_dejson.get("trusted_keys") or "")
    parts = [part for part in pem.split(END) if part.strip()]
    return tuple(PublicKey.from_pem(part.strip() + END + "\n") for part in parts)


def timestamp_url(conn_id: str) -> str | None:
    """Where the time-stamping authority answers: `timestamp_url` in the evidence-signing connection's extra; None without one."""
    url = BaseHook.get_connection(conn_id).extra_dejson.get("timestamp_url")
    return str(url) if url else None
