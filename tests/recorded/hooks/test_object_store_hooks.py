"""Versions, digests, protection, write attempts, and evidence that is written once."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from dalp_dr.errors import EvidenceError, FactError, InputError
from dalp_dr.object_storage.listing import KeyRange
from dalp_dr_airflow.hooks import s3
from dalp_dr_airflow.hooks.errors import Denied, Missing
from dalp_dr_airflow.hooks.evidence import EvidenceStoreHook
from dalp_dr_airflow.hooks.object_versions import ObjectVersionHook
from dalp_dr_airflow.hooks.version_listing import VersionListing
from fake_http import FakeHttp
from fake_s3 import FakeS3


def bucket(fake: FakeS3) -> ObjectVersionHook:
    hook = ObjectVersionHook("unused")
    hook.client = fake
    return hook


def test_versions_and_delete_markers_of_every_page() -> None:
    fake = FakeS3({f"uploads/{n}": b"x" * n for n in range(1, 5)} | {"uploads/5.gone": b"y", "exports/1": b"z"})
    rows = list(bucket(fake).versions("b", "uploads/"))
    assert [(r["key"], r["is_delete_marker"]) for r in rows] == [
        ("uploads/1", False),
        ("uploads/2", False),
        ("uploads/3", False),
        ("uploads/4", False),
        ("uploads/5.gone", False),
        ("uploads/5.gone", True),
    ]
    assert rows[2] == {
        "key": "uploads/3",
        "version_id": "v-uploads/3",
        "last_modified": "2026-11-23T11:00:00+00:00",
        "size_bytes": 3,
        "etag": hashlib.md5(b"xxx").hexdigest(),
        "is_latest": False,
        "is_delete_marker": False,
        "checksum_algorithm": "",
    }


def test_a_reading_is_of_the_bytes() -> None:
    data = bytes(range(256)) * 10_000
    read = bucket(FakeS3({"k": data})).read("b", "k", "v")
    assert read == {
        "key": "k",
        "version_id": "v",
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "etag": "",
        "encryption": None,
    }


def test_a_body_that_ends_early_is_not_a_reading() -> None:
    class Short(FakeS3):
        def get_object(self, **asked: str) -> dict[str, object]:  # type: ignore[override]
            return {**super().get_object(**asked), "ContentLength": 99}

    assert bucket(Short({"k": b"1234"})).read("b", "k") == {"key": "k", "version_id": None, "error": "no answer"}


@pytest.mark.parametrize(("fake", "status"), [(FakeS3(), "404"), (FakeS3({"k": b""}, frozenset({"get_object"})), "403")])
def test_a_refusal_of_the_store_is_a_fact(fake: FakeS3, status: str) -> None:
    assert bucket(fake).read("b", "k", "v") == {"key": "k", "version_id": "v", "error": status}


def test_readings_keep_the_order_and_tell_how_many_are_done() -> None:
    told: list[int] = []
    wanted = [(f"k{n}", "v") for n in range(20)]
    found = bucket(FakeS3({f"k{n}": b"x" * n for n in range(20)})).read_all("b", wanted, told.append)
    assert [r["size_bytes"] for r in found] == list(range(20)) and told == list(range(1, 21))


def test_absent_and_refused_objects() -> None:
    with pytest.raises(Missing):
        s3.S3Access.read(bucket(FakeS3()), "b", "k")
    with pytest.raises(Denied, match="may not read s3://b/k"):
        s3.S3Access.read(bucket(FakeS3({"k": b""}, frozenset({"get_object"}))), "b", "k")


def test_protection_as_the_store_gives_it() -> None:
    rules = {"Rules": [{"ID": "r"}]}
    fake = FakeS3(settings={"versioning": {"Status": "Enabled"}, "lifecycle": rules})
    assert bucket(fake).protection("b") == {"versioning": {"Status": "Enabled"}, "lifecycle": rules}
    assert bucket(FakeS3()).protection("b") == {"versioning": {}, "lifecycle": None}


@pytest.mark.parametrize("operation", ["get_bucket_versioning", "get_bucket_lifecycle_configuration"])
def test_protection_that_may_not_be_read_is_not_taken_for_none(operation: str) -> None:
    with pytest.raises(Denied):
        bucket(FakeS3(deny=frozenset({operation}))).protection("b")


@pytest.mark.parametrize(
    ("deny", "status", "code"), [(frozenset({"upload_part"}), 403, "AccessDenied"), (frozenset(), 404, "NoSuchUpload")]
)
def test_a_write_attempt_tells_denied_from_allowed_and_writes_nothing(
    deny: frozenset[str], status: int, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeS3(deny=deny)
    monkeypatch.setattr(s3.S3Access, "client", fake)
    said = s3.write_attempt("reader", "velero", "prod")
    assert (said.status, said.code, said.bucket, said.operation) == (status, code, "velero", "UploadPart")
    assert fake.objects == {}


def test_a_connection_that_does_not_exist_is_not_replaced_by_the_workers_own_credentials() -> None:
    with pytest.raises(InputError, match="no connection nobody_made_this"):
        _ = s3.S3Access("nobody_made_this").client


@pytest.mark.parametrize(("kind", "name"), [("wasb", "Azure Blob Storage"), ("google_cloud_platform", "Google Cloud Storage")])
def test_a_store_without_the_s3_api_is_refused_by_name(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ELSEWHERE", json.dumps({"conn_type": kind, "login": "account", "password": "key"}))
    with pytest.raises(InputError, match=f"elsewhere is {name}"):
        _ = s3.S3Access("elsewhere").client


def evidence(tmp_path: Path, fake: FakeS3, **settings: object) -> EvidenceStoreHook:
    hook = EvidenceStoreHook("unused", "dalp-evidence", mirror=tmp_path, **settings)  # type: ignore[arg-type]
    hook.client = fake
    return hook


def test_evidence_goes_to_the_bucket_and_its_mirror(tmp_path: Path) -> None:
    hook = evidence(tmp_path, FakeS3())
    hook.put("drills/d-1/plan.json", b"{}")
    assert hook.get("drills/d-1/plan.json") == b"{}" == (tmp_path / "drills/d-1/plan.json").read_bytes()
    assert hook.list("drills/") == ("drills/d-1/plan.json",)


def test_the_same_bytes_again_are_no_second_write(tmp_path: Path) -> None:
    fake = FakeS3()
    hook = evidence(tmp_path, fake)
    hook.put("k", b"1")
    hook.put("k", b"1")
    assert len(fake.puts) == 1


def test_other_bytes_under_a_used_key_are_refused(tmp_path: Path) -> None:
    hook = evidence(tmp_path, FakeS3({"k": b"1", "k2": b""}))
    with pytest.raises(EvidenceError, match="never overwritten"):
        hook.put("k", b"2")
    assert hook.get("k") == b"1"
    assert not (tmp_path / "k").exists()


def test_a_race_lost_to_another_writer_is_refused_too(tmp_path: Path) -> None:
    class Late(FakeS3):
        def list_objects_v2(self, **asked: object) -> dict[str, object]:  # type: ignore[override]
            return {}

    with pytest.raises(EvidenceError, match="never overwritten"):
        evidence(tmp_path, Late({"k": b"theirs"})).put("k", b"ours")


def test_what_the_store_refused_is_not_mirrored(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="could not be stored"):
        evidence(tmp_path, FakeS3(deny=frozenset({"put_object"}))).put("k", b"1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", ["../k", "/k", "a//b", ""])
def test_keys_stay_below_the_store(key: str, tmp_path: Path) -> None:
    with pytest.raises(EvidenceError):
        evidence(tmp_path, FakeS3()).put(key, b"1")


def test_absent_and_unreadable_evidence(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="not in the evidence store"):
        evidence(tmp_path, FakeS3()).get("k")
    denied = evidence(tmp_path, FakeS3({"k": b""}, frozenset({"get_object", "list_objects_v2"})))
    with pytest.raises(EvidenceError, match="could not be read"):
        denied.get("k")
    with pytest.raises(EvidenceError, match="could not be listed"):
        denied.list("")


def test_retention_is_asked_for_on_every_object(tmp_path: Path) -> None:
    fake = FakeS3()
    evidence(tmp_path, fake, lock="GOVERNANCE", retention_days=30).put("k", b"1")
    evidence(tmp_path, fake).put("k2", b"1")
    assert fake.puts[0]["ObjectLockMode"] == "GOVERNANCE"
    assert "ObjectLockRetainUntilDate" in fake.puts[0]
    assert fake.puts[0]["IfNoneMatch"] == "*"
    assert "ObjectLockMode" not in fake.puts[1]


BODY = """<?xml version="1.0" encoding="UTF-8"?>
<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><EncodingType>url</EncodingType><IsTruncated>{more}</IsTruncated>{marker}
<Version><Key>u/{key}</Key><VersionId>v</VersionId><IsLatest>true</IsLatest><LastModified>2026-10-06T05:00:00.000Z</LastModified>
<ETag>&quot;e&quot;</ETag><Size>1</Size></Version></ListVersionsResult>"""
FIRST = BODY.format(more="true", marker="<NextKeyMarker>u/a</NextKeyMarker><NextVersionIdMarker>v</NextVersionIdMarker>", key="a")
LAST = BODY.format(more="false", marker="", key="b%20c")
BUSY = "<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeHttp, VersionListing]]:
    """A scripted server, and a real client of boto3 in front of it."""
    with FakeHttp() as server:
        client = boto3.client("s3", endpoint_url=server.url, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")
        yield server, VersionListing(client)


def script(server: FakeHttp, *answers: tuple[int, str]) -> None:
    server.script["GET", "/b"] = deque((status, {"Content-Type": "application/xml"}, text.encode()) for status, text in answers)


def test_pages_through_a_real_client(answering: tuple[FakeHttp, VersionListing]) -> None:
    server, listing = answering
    script(server, (200, FIRST), (200, LAST))
    assert [e.key for e in listing.entries("b", KeyRange("u/"))] == ["u/a", "u/b c"]
    assert [a.query.get("key-marker") for a in server.asked] == [None, "u/a"]
    assert all(a.query["encoding-type"] == "url" and "Authorization" in a.headers for a in server.asked)


@pytest.mark.parametrize("status", [200, 503], ids=["an error sent as a success", "busy"])
def test_an_error_of_the_store_is_tried_again_by_the_client(answering: tuple[FakeHttp, VersionListing], status: int) -> None:
    server, listing = answering
    script(server, (status, BUSY), (200, LAST))
    assert [e.key for e in listing.entries("b", KeyRange("u/"))] == ["u/b c"]


def test_a_page_that_leads_back_to_itself_ends_the_listing(answering: tuple[FakeHttp, VersionListing]) -> None:
    server, listing = answering
    script(server, (200, FIRST))
    with pytest.raises(FactError, match="does not get past u/a"):
        list(listing.entries("b", KeyRange("u/")))


def test_a_refused_listing_names_the_missing_right(answering: tuple[FakeHttp, VersionListing]) -> None:
    server, listing = answering
    script(server, (403, "<Error><Code>AccessDenied</Code></Error>"))
    with pytest.raises(Denied, match="may not list versions of s3://b/u/"):
        list(listing.entries("b", KeyRange("u/")))
