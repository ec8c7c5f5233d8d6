"""The WAL archive as it was at a moment, read for the plan and again for preflight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dalp_dr.database import archive, wal

if TYPE_CHECKING:
    from dalp_dr_airflow.drill import Drill


def read_archive(drill: Drill, incident: str) -> tuple[archive.Archive, wal.Commit]:
    """The archive as it was at `incident`, and its last commit. Raises FactError where it cannot be read."""
    found = archive_at(drill, incident)
    return found, wal.last_commit(found, drill.catalog.read)


def archive_at(drill: Drill, incident: str) -> archive.Archive:
    """The archive's listing, base backups and histories as they were at `incident`."""
    rows, root = drill.catalog.objects(), archive.root(drill.environment.database)
    contents = {key: drill.catalog.read(key, version) for key, version in archive.to_read(rows, root, incident)}
    return archive.read(rows, root, contents, incident)
