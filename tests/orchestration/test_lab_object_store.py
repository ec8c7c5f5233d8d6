"""The lab's object store gives each identity what it needs and no more. A real SeaweedFS; neither root nor cluster."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from dalp_dr_lab import buckets
from dalp_dr_lab.lab import BUCKETS, Lab

pytestmark = pytest.mark.lab

WRITERS = {"velero": "backups", "archive": "wal", "documents": "documents", "evidence": "evidence"}
READERS = {"backup-reader": ("backups", "wal"), "documents-reader": ("documents",)}
READABLE = {**{name: (kind,) for name, kind in WRITERS.items()}, **READERS}


@pytest.fixture(scope="module")
def lab(object_store: Lab) -> Lab:
    return object_store


def _code(call: object, **words: object) -> str:
    with pytest.raises(ClientError) as raised:
        call(**words)  # type: ignore[operator]
    return str(raised.value.response["Error"]["Code"])


@pytest.mark.parametrize(("identity", "kind"), WRITERS.items())
def test_a_writer_writes_its_own_bucket(lab: Lab, identity: str, kind: str) -> None:
    lab.s3(identity).put_object(Bucket=BUCKETS[kind], Key=f"{identity}/own", Body=b"1")
    assert lab.s3(identity).get_object(Bucket=BUCKETS[kind], Key=f"{identity}/own")["Body"].read() == b"1"


@pytest.mark.parametrize(
    ("identity", "kind"),
    [(name, kind) for name in READABLE for kind in BUCKETS if WRITERS.get(name) != kind],
)
def test_nobody_writes_or_deletes_elsewhere(lab: Lab, identity: str, kind: str) -> None:
    where = {"Bucket": BUCKETS[kind], "Key": "kept"}
    lab.s3("admin").put_object(**where, Body=b"1")
    assert _code(lab.s3(identity).put_object, **where, Body=b"2") == "AccessDenied"
    assert _code(lab.s3(identity).delete_object, **where) == "AccessDenied"
    assert lab.s3("admin").get_object(**where)["Body"].read() == b"1"


@pytest.mark.parametrize(("identity", "kind"), [(name, kind) for name, kinds in READABLE.items() for kind in BUCKETS if kind not in kinds])
def test_nobody_reads_or_lists_elsewhere(lab: Lab, identity: str, kind: str) -> None:
    lab.s3("admin").put_object(Bucket=BUCKETS[kind], Key="kept", Body=b"1")
    assert _code(lab.s3(identity).get_object, Bucket=BUCKETS[kind], Key="kept") == "AccessDenied"
    assert _code(lab.s3(identity).list_objects_v2, Bucket=BUCKETS[kind]) == "AccessDenied"


def test_the_documents_reader_reads_old_versions_by_id(lab: Lab) -> None:
    bucket, s3 = BUCKETS["documents"], lab.s3("documents")
    first = s3.put_object(Bucket=bucket, Key="uploads/a", Body=b"first")["VersionId"]
    s3.put_object(Bucket=bucket, Key="uploads/a", Body=b"second")
    s3.delete_object(Bucket=bucket, Key="uploads/a")
    reader = lab.s3("documents-reader")
    found = reader.list_object_versions(Bucket=bucket, Prefix="uploads/a")
    assert len(found["Versions"]) == 2
    assert len(found["DeleteMarkers"]) == 1
    assert reader.get_object(Bucket=bucket, Key="uploads/a", VersionId=first)["Body"].read() == b"first"
    assert _code(reader.delete_object, Bucket=bucket, Key="uploads/a", VersionId=first) == "AccessDenied"


def test_evidence_cannot_be_deleted_while_it_is_locked(lab: Lab) -> None:
    bucket, s3 = BUCKETS["evidence"], lab.s3("evidence")
    version = s3.put_object(Bucket=bucket, Key="ledger/1", Body=b"kept")["VersionId"]
    assert _code(s3.delete_object, Bucket=bucket, Key="ledger/1", VersionId=version) == "AccessDenied"
    assert s3.get_object(Bucket=bucket, Key="ledger/1", VersionId=version)["Body"].read() == b"kept"


def test_old_document_versions_expire_after_ninety_days(lab: Lab) -> None:
    (rule,) = lab.s3("admin").get_bucket_lifecycle_configuration(Bucket=BUCKETS["documents"])["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}


def test_emptying_keeps_the_evidence_and_nothing_else(lab: Lab) -> None:
    s3 = lab.s3("admin")
    for bucket in BUCKETS.values():
        s3.put_object(Bucket=bucket, Key="before", Body=b"1")
    buckets.empty(lab)
    buckets.ensure(lab)
    left = {bucket: "Versions" in s3.list_object_versions(Bucket=bucket) for bucket in BUCKETS.values()}
    assert left == {bucket: bucket == BUCKETS["evidence"] for bucket in BUCKETS.values()}
