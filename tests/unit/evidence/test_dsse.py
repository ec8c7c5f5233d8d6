"""Envelopes: made here, read by an unrelated library, and the other way round."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import canonical, dsse
from synthetic_drill import KEY, OTHER_KEY, PUBLIC, private_pem, public_pem, sealed

STATEMENT = {
    "_type": "https://in-toto.io/Statement/v1",
    "subject": [],
    "predicate": {"text": "é"},
    "predicateType": "x",
}


def their_key() -> SSlibKey:
    return SSlibKey.from_crypto(KEY.public_key(), PUBLIC.key_id)


def their_envelope(data: bytes) -> Envelope:
    return Envelope.from_dict(json.loads(data))


def test_securesystemslib_accepts_a_sealed_bundle() -> None:
    bundle = sealed()
    envelope = their_envelope(bundle.files["statement.dsse.json"])
    assert set(envelope.verify([their_key()], 1)) == {PUBLIC.key_id}
    statement = json.loads(envelope.payload)
    assert statement["subject"] == [{"name": "manifest.json", "digest": {"sha256": bundle.manifest_sha256}}]
    assert statement["_type"] == "https://in-toto.io/Statement/v1"


def test_securesystemslib_refuses_a_changed_one() -> None:
    envelope = their_envelope(dsse.sign(STATEMENT, private_pem(KEY)))
    envelope.payload = envelope.payload.replace("é".encode(), b"e")
    with pytest.raises(VerificationError):
        envelope.verify([their_key()], 1)


def test_an_envelope_of_securesystemslib_is_read_here() -> None:
    envelope = Envelope(canonical.dumps(STATEMENT), dsse.PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(KEY, their_key()))
    opened = dsse.open_envelope(json.dumps(envelope.to_dict()).encode(), [PUBLIC])
    assert opened.statement == STATEMENT and opened.key_id == PUBLIC.key_id


def test_the_encoding_that_is_signed() -> None:
    assert dsse.pre_authentication_encoding("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )  # the example of the DSSE specification


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(dsse.sign(STATEMENT, private_pem(KEY))), **fields}).encode()


SIGNATURE = json.loads(dsse.sign(STATEMENT, private_pem(KEY)))["signatures"][0]
REFUSED = {
    "another payload": changed(payload=base64.b64encode(canonical.dumps({**STATEMENT, "predicate": {}})).decode()),
    "another payload type": changed(payloadType="application/json"),
    "another key": dsse.sign(STATEMENT, private_pem(OTHER_KEY)),
    "another key under our key's id": changed(
        signatures=[{**json.loads(dsse.sign(STATEMENT, private_pem(OTHER_KEY)))["signatures"][0], "keyid": PUBLIC.key_id}]
    ),
    "no signature": changed(signatures=[]),
    "two signatures": changed(signatures=[SIGNATURE, SIGNATURE]),
    "an empty signature": changed(signatures=[{**SIGNATURE, "sig": ""}]),
    "not base64": changed(payload="%%%"),
    "an additional field": changed(note="x"),
    "a list": b"[]",
    "nothing": b"",
    "a signature without key id": changed(signatures=[{"sig": ""}]),
    "a key given twice": b'{"payload":"","payload":"","payloadType":"","signatures":[]}',
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED.keys())
def test_refuses(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        dsse.open_envelope(data, [PUBLIC])


def pem(key: object) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined,no-any-return]


WRONG_KEYS = {
    "empty": b"",
    "not PEM": b"secret-canary",
    "RSA": pem(rsa.generate_private_key(65537, 2048)),
    "elliptic curve": pem(ec.generate_private_key(ec.SECP256R1())),
    "a public key": public_pem(KEY).encode(),
    "encrypted": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret-canary")),
}


@pytest.mark.parametrize("key", WRONG_KEYS.values(), ids=WRONG_KEYS.keys())
def test_a_wrong_signing_key_is_refused_before_the_start_without_showing_it(key: bytes) -> None:
    with pytest.raises(EvidenceError) as raised:
        dsse.public_of(key)
    assert "secret-canary" not in str(raised.value) and raised.value.next_step


def test_only_ed25519_public_keys() -> None:
    other = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for data in (other, b"nothing"):
        with pytest.raises(EvidenceError):
            dsse.PublicKey.from_pem(data)
    assert dsse.PublicKey.from_pem(PUBLIC.pem()).key_id == dsse.public_of(private_pem(KEY)).key_id


def test_the_key_id_is_the_fingerprint_that_ssh_keygen_prints() -> None:
    assert PUBLIC.key_id == "SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8"  # ssh-keygen -lf, OpenSSH 9.2


def test_a_signature_under_another_id_is_still_a_signature_of_the_key() -> None:
    """The key id is a hint (DSSE, section on verification): an envelope may leave it empty, as cosign does."""
    opened = dsse.open_envelope(changed(signatures=[{**SIGNATURE, "keyid": ""}]), [PUBLIC])
    assert opened.key_id == PUBLIC.key_id
