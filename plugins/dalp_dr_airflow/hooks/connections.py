"""Addresses and keys that live in Airflow connections."""

from __future__ import annotations

import socket
import struct

from airflow.sdk import BaseHook

from dalp_dr.errors import InputError
from dalp_dr.evidence.dsse import PublicKey
from dalp_dr_airflow.hooks.errors import NoAnswer, translate

END = "-----END PUBLIC KEY-----"
REACH_SECONDS = 5.0
SSL_REQUEST = struct.pack("!II", 8, 80877103)  # PostgreSQL, Message Formats: SSLRequest


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


def escrow_key(conn_id: str) -> tuple[str, str]:
    """(certificate, private key) in PEM of the escrow's custodian."""
    connection = BaseHook.get_connection(conn_id)
    certificate, key = str(connection.extra_dejson.get("certificate") or ""), connection.password or ""
    if "CERTIFICATE" not in certificate or "PRIVATE KEY" not in key:
        raise InputError(
            f"Connection {conn_id} lacks the custodian's certificate or key.",
            "Put the private key (PEM) into its password and `certificate` (PEM) into its extra.",
        )
    return certificate, key


def postgres_answers(conn_id: str | None) -> None:
    """Returns when a PostgreSQL answers at a connection's host and port, also if only to refuse. Raises NoAnswer when none does,
    and AirflowNotFoundException when there is no such connection.

    An open port is no sign: proxies accept for what is gone. The server's answer to SSLRequest is one byte, before any login.
    """
    from airflow.sdk.exceptions import AirflowNotFoundException

    if conn_id is None:
        raise AirflowNotFoundException("no connection is named")
    connection = BaseHook.get_connection(conn_id)
    if not connection.host or not connection.port:
        raise InputError(f"Connection {conn_id} has no host and port.", "Give it both.")
    with translate("reach", conn_id), socket.create_connection((connection.host, connection.port), timeout=REACH_SECONDS) as wire:
        wire.sendall(SSL_REQUEST)
        said = wire.recv(1)
    if said not in (b"S", b"N", b"E"):
        raise NoAnswer(f"No PostgreSQL answers at connection {conn_id}.", "This is expected when production is lost.")
