"""The facts of each record kind of object storage, by the kind's name."""

from __future__ import annotations

from dalp_dr.object_storage.protection import facts_from as bucket_protection
from dalp_dr.object_storage.versions import facts_from as object_versions
from dalp_dr.object_storage.versions import reads_needed

__all__ = ["bucket_protection", "object_versions", "reads_needed"]
