"""Time stamps of a seal by a time-stamping authority (RFC 3161): that the signed statement existed at a moment.

The authority sees a digest only. Its answer lies beside the statements made after the seal, `after/timestamp-<nn>.tsr`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from dalp_dr.errors import EvidenceError

KIND = "timestamp"
LATE = timedelta(minutes=10)  # between the seal by the worker's clock and the authority's time
EARLY = timedelta(minutes=1)  # by how much the worker's clock may run ahead


def question(statement: bytes) -> bytes:
    """The request for the digest of a signed statement, DER; asks for the authority's certificate too."""
    return TimestampRequestBuilder().data(statement).hash_algorithm(HashAlgorithm.SHA256).cert_request(cert_request=True).build().as_bytes()


def certificates(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a PEM file. Raises EvidenceError when there is none."""
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise EvidenceError("There is no PEM certificate in it.", "Give the root certificate of the time-stamping authority.") from error


def moment(token: bytes, statement: bytes, what: str) -> datetime:
    """When the authority says it saw exactly this statement; its own signature is not checked. EvidenceError otherwise."""
    found = _read(token, what)
    if found.tst_info.message_imprint.message != hashlib.sha256(statement).digest():
        raise EvidenceError(f"{what}: is the time stamp of something else.", "Take the file from the evidence store.")
    return found.tst_info.gen_time.astimezone(UTC)


def check(token: bytes, statement: bytes, roots: Iterable[x509.Certificate], what: str) -> datetime:
    """The attested moment. Raises EvidenceError unless an authority below one of `roots` signed it for this statement."""
    attested = moment(token, statement, what)
    builder = VerifierBuilder()
    for root in roots:
        builder = builder.add_root_certificate(root)
    try:
        builder.build().verify_message(_read(token, what), statement)
    except (VerificationError, ValueError) as error:
        raise EvidenceError(
            f"{what}: no authority that you trust signed it ({error}).", "Give the authority's root certificate."
        ) from error
    return attested


def implausible(attested: datetime, sealed_at: datetime) -> str | None:
    """Why the worker's clock and the authority's cannot both be right; None when they can."""
    if sealed_at - EARLY <= attested <= sealed_at + LATE:
        return None
    return f"the authority saw the seal at {attested.isoformat()}, the worker says it sealed at {sealed_at.isoformat()}"


def _read(token: bytes, what: str) -> TimeStampResponse:
    try:
        found = decode_timestamp_response(token)
        if not found.tst_info.gen_time:
            raise ValueError("it grants nothing")
    except Exception as error:  # the parser raises what it likes
        raise EvidenceError(f"{what}: is no time stamp ({error}).", "Take the file from the evidence store.") from error
    return found
