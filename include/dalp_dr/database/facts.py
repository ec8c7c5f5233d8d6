"""The facts of each record kind of the database, by the kind's name."""

from __future__ import annotations

from dalp_dr.database.recovered import facts_from as database_recovery
from dalp_dr.database.recovery_point import facts_from as recovery_point
from dalp_dr.database.wal_archive import facts_from as wal_archive
from dalp_dr.database.wal_archive import restore_target
from dalp_dr.database.wal_links import facts_from as wal_links

__all__ = ["database_recovery", "recovery_point", "restore_target", "wal_archive", "wal_links"]
