"""The escrow of the Secrets: there, sealed, of today."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

from dalp_dr.model.environment import Escrow
from dalp_dr.posture import escrow, standing
from posture_sample import ENVIRONMENT, PLAN, judged, red, said

PLACE = Escrow(bucket="dalp-escrow", key="prod/secrets.cms")


def a_row(at: str = "2026-10-06T02:00:00+00:00", key: str = PLACE.key, marker: bool = False) -> dict[str, Any]:
    row = {"key": key, "version_id": "v1", "last_modified": at, "size_bytes": 900, "etag": "e", "is_latest": True}
    return {**row, "is_delete_marker": marker}


def sealed() -> bytes:
    """A real envelope."""
    from datetime import UTC, datetime, timedelta

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "custodian")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    envelope = pkcs7.PKCS7EnvelopeBuilder().set_data(b"{}").add_recipient(certificate)
    return envelope.encrypt(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])


SEALED = sealed()


def facts(rows: list[dict[str, Any]], data: bytes = SEALED) -> escrow.EscrowReading:
    return escrow.facts_from(PLACE, escrow.newest(PLACE, rows), data[: escrow.HEAD_BYTES])


def test_a_sealed_escrow_of_today_is_green() -> None:
    assert red(judged("escrow_reading", facts([a_row()]))) == {}


DAMAGE = {
    "none": (facts([]), "there is none"),
    "another object": (facts([a_row(key="prod/secrets.cms.old")]), "there is none"),
    "deleted": (facts([a_row(marker=True)]), "there is none"),
    "old": (facts([a_row("2026-09-01T02:00:00+00:00")]), "h old"),
    "in the clear": (facts([a_row()], b'{"kind": "List", "items": []}'), "in the clear"),
    "empty": (facts([a_row()], b""), "NOT sealed"),
}


@pytest.mark.parametrize(("found", "words"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_red(found: escrow.EscrowReading, words: str) -> None:
    results = judged("escrow_reading", found)
    assert red(results) == {"escrow_readable": "fail"}
    assert words in said(results["escrow_readable"])


def test_it_is_asked_where_the_environment_names_one() -> None:
    assert "escrow_reading" not in standing.subjects(ENVIRONMENT)
    named = replace(PLAN, environment=ENVIRONMENT.model_copy(update={"escrow": PLACE}))
    assert [r.verdict for r in standing.rows((), named) if r.check == "escrow_readable"] == ["inconclusive"]
