"""The lab's buckets: backups, WAL archive, documents, evidence and escrow."""

from __future__ import annotations

import time

from botocore.exceptions import BotoCoreError, ClientError

from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import BUCKETS, Lab

READY_SECONDS = 40.0
VERSIONED = (BUCKETS["wal"], BUCKETS["documents"], BUCKETS["evidence"], BUCKETS["escrow"])
NONCURRENT_DAYS = 90
EVIDENCE_LOCK_DAYS = 30


def empty(lab: Lab) -> None:
    """Remove every bucket but the evidence, with all versions."""
    s3 = lab.s3("admin")
    for bucket in _existing(lab) - {BUCKETS["evidence"]}:
        s3.delete_bucket(Bucket=bucket)


def ensure(lab: Lab) -> None:
    """Make the buckets that are missing, with versioning, lifecycle and object lock."""
    s3, existing = lab.s3("admin"), _existing(lab)
    for bucket in BUCKETS.values():
        if bucket in existing:
            continue
        s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=bucket == BUCKETS["evidence"])
        if bucket in VERSIONED:
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    keep_noncurrent(lab)
    s3.put_object_lock_configuration(
        Bucket=BUCKETS["evidence"],
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": EVIDENCE_LOCK_DAYS}},
        },
    )


def keep_noncurrent(lab: Lab, days: int = NONCURRENT_DAYS) -> None:
    """Let the documents bucket keep noncurrent versions for so long."""
    rule = {
        "ID": "noncurrent-versions",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "NoncurrentVersionExpiration": {"NoncurrentDays": days},
    }
    lab.s3("admin").put_bucket_lifecycle_configuration(Bucket=BUCKETS["documents"], LifecycleConfiguration={"Rules": [rule]})


def wait_writable(lab: Lab) -> None:
    """Return when an object can be written and read again: listing buckets answers earlier than that."""
    s3, end = lab.s3("admin"), time.monotonic() + READY_SECONDS
    where = {"Bucket": BUCKETS["backups"], "Key": "lab/ready"}
    while True:
        try:
            s3.put_object(**where, Body=b"ready")
            if s3.get_object(**where)["Body"].read() == b"ready":
                s3.delete_object(**where)
                return
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > end:
                raise LabError(
                    f"The object store at {lab.s3_endpoint} takes no writes ({error}); see {lab.folder}/logs/weed.log."
                ) from error
        time.sleep(0.2)


def _existing(lab: Lab) -> set[str]:
    end = time.monotonic() + READY_SECONDS
    while True:
        try:
            return {bucket["Name"] for bucket in lab.s3("admin").list_buckets()["Buckets"]}
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > end:
                raise LabError(f"The object store at {lab.s3_endpoint} does not answer ({error}).") from error
        time.sleep(0.2)
