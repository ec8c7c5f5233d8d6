"""Records and plans as files of a bundle."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import Any

import msgspec
import pydantic

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import canonical
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import SCHEMA_VERSION, Record


def encode(record: Record) -> bytes:
    """Canonical JSON of a record. Facts that JSON cannot say become an error, so that the check is inconclusive."""
    try:
        return canonical.dumps(_plain(record))
    except EvidenceError as error:
        return canonical.dumps(_plain(replace(record, facts=None, error=f"the facts could not be written: {error}")))


def _plain(record: Record) -> dict[str, Any]:
    """Shallow: the facts are not copied, since they may hold very many findings."""
    return {f.name: getattr(record, f.name) for f in fields(record)} | {"captures": [asdict(c) for c in record.captures]}


def decode(data: bytes, what: str = "record") -> Record:
    """Raises EvidenceError when it is not a record, or one of a later schema."""
    content = canonical.loads(data, what)
    if isinstance(content, dict) and isinstance(version := content.get("schema_version"), int) and version > SCHEMA_VERSION:
        raise EvidenceError(
            f"{what}: schema version {version}; this version reads up to {SCHEMA_VERSION}.",
            "Use the version of dalp_dr that wrote it.",
        )
    try:
        return Record.from_dict(content)
    except msgspec.ValidationError as error:
        raise EvidenceError(f"{what}: not a record ({error}).", "Take the file from the evidence store.") from error


def as_read(record: Record) -> Record:
    """The record as a reader of its file sees it; judgement and verification must see the same values."""
    plain = _plain(record)
    return record if canonical.is_simple(plain) else Record.from_dict(canonical.loads(encode(record)))


def encode_plan(plan: DrillPlan) -> bytes:
    return canonical.dumps(plan.to_dict())


def decode_plan(data: bytes, what: str = "plan.json") -> DrillPlan:
    """Raises EvidenceError when it is not a plan of this version."""
    content = canonical.loads(data, what)
    try:
        return DrillPlan.from_dict(content)
    except (KeyError, TypeError, AttributeError, msgspec.ValidationError, pydantic.ValidationError) as error:
        raise EvidenceError(f"{what}: not a drill plan of this version ({error}).", "Use the version of dalp_dr that wrote it.") from error
