"""Record kinds and checks of object storage: how buckets keep versions, and whether the restored rows find theirs."""

from __future__ import annotations

from dalp_dr.model.check import Check, Stage, Surface
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import RecordKind
from dalp_dr.object_storage import protection, versions


def buckets(plan: DrillPlan) -> tuple[str, ...]:
    """Every bucket of the environment has a record of its own."""
    return tuple(b.name for b in plan.environment.object_storage)


KINDS: tuple[RecordKind, ...] = (
    RecordKind("bucket_protection", protection.BucketProtection, "preflight", buckets),
    RecordKind("object_shard", versions.ShardFacts, "verify", lambda plan: ()),  # demanded by way of the bucket's record
    RecordKind("object_versions", versions.ObjectVersions, "verify", buckets, "Object version check"),
)

CHECKS: tuple[Check, ...] = (
    Check(
        "versioning_enabled",
        "bucket_protection",
        Surface.OBJECT_STORAGE,
        Stage.PREFLIGHT,
        "Does the bucket keep old versions?",
        protection.judge_versioning,
        "Switch versioning on; objects written before have no older versions.",
        "object-storage.md#versioning-off",
    ),
    Check(
        "noncurrent_horizon_covers_window",
        "bucket_protection",
        Surface.OBJECT_STORAGE,
        Stage.PREFLIGHT,
        "Are old versions kept as long as the database can go back?",
        protection.judge_horizon,
        "Raise NoncurrentDays of the named rule.",
        "object-storage.md#short-horizon",
    ),
    Check(
        "object_versions_readable",
        "object_versions",
        Surface.OBJECT_STORAGE,
        Stage.VERIFY,
        "Can objects be read as they were at the recovery point?",
        versions.judge_readable,
        "Ask the object store why the named version cannot be read.",
        "object-storage.md#unreadable-version",
    ),
    Check(
        "documents_resolve",
        "object_versions",
        Surface.OBJECT_STORAGE,
        Stage.VERIFY,
        "Does every row of the restored database find its object?",
        versions.judge_documents,
        "Restore the named versions, or correct the rows; find out who removed or overwrote them.",
        "object-storage.md#wrong-version",
    ),
    Check(
        "listing_complete",
        "object_versions",
        Surface.OBJECT_STORAGE,
        Stage.VERIFY,
        "Was every part of the bucket looked at?",
        versions.judge_listed,
        "Clear the listing task that failed; every shard must have been listed to its end.",
        "object-storage.md#incomplete-listing",
        since=2,
    ),
    Check(
        "noncurrent_version_read",
        "object_versions",
        Surface.OBJECT_STORAGE,
        Stage.VERIFY,
        "Did an older version really come back?",
        versions.judge_noncurrent,
        "Read why in the findings; where no object was ever written twice, write a canary object daily.",
        "object-storage.md#no-older-version",
        since=2,
    ),
)
