"""DSSE v1 envelopes (Dead Simple Signing Envelope) with ed25519 keys."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import canonical

PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class PublicKey:
    """An ed25519 public key; `key_id` is its OpenSSH fingerprint, as `ssh-keygen -l` prints it.

    The verifiers of the sigstore family derive the same id from a key and pass over a signature that carries any other.
    """

    key: Ed25519PublicKey
    key_id: str

    @classmethod
    def from_pem(cls, pem: bytes | str) -> PublicKey:
        """Raises EvidenceError when `pem` is not an ed25519 public key."""
        data = pem.encode() if isinstance(pem, str) else pem
        try:
            key = serialization.load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise EvidenceError("The public key is not readable PEM.", "Give the file of the environment's public key.") from error
        if not isinstance(key, Ed25519PublicKey):
            raise EvidenceError(f"The public key is {type(key).__name__}, not ed25519.", "Give an ed25519 key.")
        return cls(key, _key_id(key))

    def pem(self) -> bytes:
        return self.key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def private_key(pem: bytes | str) -> Ed25519PrivateKey:
    """The signing key. Raises EvidenceError, which never contains the key's text."""
    data = pem.encode() if isinstance(pem, str) else pem
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise EvidenceError(
            "The signing key is not a readable, unencrypted PEM private key.",
            "Put an ed25519 key (PKCS 8 PEM) into the connection for evidence signing.",
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise EvidenceError(
            f"The signing key is {type(key).__name__}, not ed25519.",
            "Make one with `openssl genpkey -algorithm ed25519`.",
        )
    return key


def public_of(private_pem: bytes | str) -> PublicKey:
    """The public half of a private key."""
    key = private_key(private_pem).public_key()
    return PublicKey(key, _key_id(key))


def _key_id(key: Ed25519PublicKey) -> str:
    wire = base64.b64decode(key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(wire).digest()).decode().rstrip("=")


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed: `DSSEv1 <len type> <type> <len payload> <payload>`."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(statement: Mapping[str, Any], private_key_pem: bytes | str) -> bytes:
    """A signed envelope around a statement, as canonical JSON."""
    key = private_key(private_key_pem)
    payload = canonical.dumps(statement)
    signature = key.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    return canonical.dumps(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": _key_id(key.public_key()), "sig": base64.b64encode(signature).decode()}],
        }
    )


@dataclass(frozen=True)
class Opened:
    """A verified envelope: its statement and the id of the key that signed it."""

    statement: dict[str, Any]
    key_id: str


def open_envelope(data: bytes, keys: Iterable[PublicKey], what: str = "envelope") -> Opened:
    """The statement, if one of `keys` signed exactly these bytes. Raises EvidenceError otherwise."""
    payload, signatures = _parts(data, what)
    known = {key.key_id: key for key in keys}
    signed = pre_authentication_encoding(PAYLOAD_TYPE, payload)
    for key_id, signature in signatures:
        tried = [known[key_id]] if key_id in known else list(known.values())  # an id is a hint, not a proof
        if (key := next((key for key in tried if _fits(key, signature, signed)), None)) is not None:
            return Opened(_statement(payload, what), key.key_id)
        if key_id in known:
            raise EvidenceError(
                f"{what}: the signature of key {key_id} does not fit the content.",
                "It was changed after signing; take the file from the evidence store.",
            )
    raise EvidenceError(
        f"{what}: signed by key {', '.join(i for i, _ in signatures) or 'without id'}, which is not a key you gave.",
        "Give the environment's public key with --key.",
    )


def _fits(key: PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def peek(data: bytes, what: str = "envelope") -> dict[str, Any]:
    """The statement without checking the signature; for reading one's own files, never for trusting them."""
    return _statement(_parts(data, what)[0], what)


def _parts(data: bytes, what: str) -> tuple[bytes, list[tuple[str, bytes]]]:
    envelope = canonical.parse(data, what)
    try:
        if set(envelope) != {"payload", "payloadType", "signatures"} or envelope["payloadType"] != PAYLOAD_TYPE:
            raise EvidenceError(f"{what}: not a DSSE envelope of {PAYLOAD_TYPE}.", "Take the file from the evidence store.")
        signatures = [(str(s["keyid"]), base64.b64decode(s["sig"], validate=True)) for s in envelope["signatures"]]
        if len(signatures) != 1:
            raise EvidenceError(
                f"{what}: {len(signatures)} signatures; exactly one is expected.",
                "Take the file from the evidence store.",
            )
        return base64.b64decode(envelope["payload"], validate=True), signatures
    except (KeyError, TypeError, binascii.Error) as error:
        raise EvidenceError(f"{what}: not a DSSE envelope ({error}).", "Take the file from the evidence store.") from error


def _statement(payload: bytes, what: str) -> dict[str, Any]:
    statement = canonical.loads(payload, what)
    if not isinstance(statement, dict):
        raise EvidenceError(f"{what}: the payload is not an in-toto statement.", "Take the file from the evidence store.")
    return statement
