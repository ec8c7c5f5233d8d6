"""A listing of a bucket's object versions, as it was at a moment and as a reader finds it today."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dalp_dr.errors import FactError
from dalp_dr.model.plan import utc


@dataclass(frozen=True)
class Version:
    """One version of one key. `last_modified`: clock of the object store; `version_id` is None in a store without versions."""

    key: str
    version_id: str | None
    last_modified: datetime
    size_bytes: int
    etag: str
    is_delete_marker: bool


def version(row: Mapping[str, Any]) -> Version:
    """A row of the listing. Raises FactError when a field is missing."""
    try:
        modified = row["last_modified"]
        moment = modified if isinstance(modified, datetime) else utc(str(modified))
        return Version(
            key=str(row["key"]),
            version_id=row.get("version_id"),
            last_modified=moment.astimezone(UTC),
            size_bytes=int(row.get("size_bytes") or 0),
            etag=str(row.get("etag") or ""),
            is_delete_marker=bool(row.get("is_delete_marker")),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise FactError(f"Listing of the bucket: row {dict(row)!r} cannot be read ({error}).", "Ask the object store again.") from error


def by_key(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Version]]:
    """All versions of each key, newest first; versions of one second keep the listing's order (newest first)."""
    grouped: dict[str, list[Version]] = {}
    for row in rows:
        found = version(row)
        grouped.setdefault(found.key, []).append(found)
    return {key: sorted(versions, key=lambda v: v.last_modified, reverse=True) for key, versions in grouped.items()}


def visible(versions: list[Version], moment: datetime) -> Version | None:
    """The version that existed at the moment and whose key still exists today; None otherwise.

    Recovery reads keys without version ids: what was deleted meanwhile cannot be read by it, whatever the moment.
    """
    if versions[0].is_delete_marker:
        return None
    found = next((v for v in versions if v.last_modified <= moment), None)
    return None if found is None or found.is_delete_marker else found
