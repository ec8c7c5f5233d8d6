"""Whether the escrow of production's Secrets could be opened after a loss: it is there, of today, and sealed. It is not opened here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dalp_dr.database import listing
from dalp_dr.model.check import CheckResult, expect, failed
from dalp_dr.model.environment import Escrow
from dalp_dr.model.plan import DrillPlan, utc

ENVELOPED = bytes.fromhex("06092a864886f70d010703")  # the object identifier of CMS enveloped data, RFC 5652 section 6.1
HEAD_BYTES = 32


@dataclass(frozen=True)
class EscrowReading:
    """The newest version of the escrow's object; None where there is none. `sealed`: it begins as CMS enveloped data does."""

    bucket: str
    key: str
    version_id: str | None
    written_at: str | None
    size_bytes: int
    sealed: bool


def newest(place: Escrow, rows: Iterable[Mapping[str, Any]]) -> listing.Version | None:
    """The version that is current now; None where there is none, or a delete marker is on top."""
    found = listing.by_key(rows).get(place.key)
    return found[0] if found and not found[0].is_delete_marker else None


def facts_from(place: Escrow, current: listing.Version | None, head: bytes) -> EscrowReading:
    """The facts of kind `escrow_reading`. `head`: the first bytes of the current version."""
    if current is None:
        return EscrowReading(place.bucket, place.key, None, None, 0, False)
    sealed = head[:1] == b"\x30" and ENVELOPED in head[:HEAD_BYTES]
    return EscrowReading(place.bucket, place.key, current.version_id, current.last_modified.isoformat(), current.size_bytes, sealed)


def judge(facts: EscrowReading, plan: DrillPlan) -> CheckResult:
    """What is in the clear is no escrow, and one that nobody writes any more is of another time."""
    hours = plan.environment.posture.escrow_max_age_hours
    expected = f"escrow {facts.bucket}/{facts.key} sealed, at most {hours:g} h old"
    if facts.written_at is None:
        return failed(expected, "there is none")
    age = utc(plan.incident_time) - utc(facts.written_at)
    seen = f"{facts.size_bytes} bytes of {facts.written_at}, {'sealed' if facts.sealed else 'NOT sealed'}"
    findings = [] if facts.sealed else ["it is not CMS enveloped data: Secrets may lie there in the clear"]
    if age > timedelta(hours=hours):
        findings.append(f"it is {age.total_seconds() / 3600:.0f} h old: what writes it?")
    return expect(not findings, expected, seen, findings)
