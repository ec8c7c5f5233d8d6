"""The facts of each record kind of object storage, by the kind's name."""

from __future__ import annotations

from dalp_dr.object_storage.join import READS, left_over, merged, reads_needed, rows_of, share, usable_shards
from dalp_dr.object_storage.join import bucket_facts as object_versions
from dalp_dr.object_storage.join import shard_facts as object_shard
from dalp_dr.object_storage.protection import facts_from as bucket_protection

__all__ = [
    "READS",
    "bucket_protection",
    "left_over",
    "merged",
    "object_shard",
    "object_versions",
    "reads_needed",
    "rows_of",
    "share",
    "usable_shards",
]
