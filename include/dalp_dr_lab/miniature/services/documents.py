"""Documents in the versioned bucket: the database row names bucket, key, version and digest."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import Any

import boto3
import botocore.exceptions
from botocore.config import Config

from . import settings
from .accounts import Account
from .database import Database
from .server import Answer, ApiError, Request

PREFIXES = {"upload": "uploads/", "export": "exports/"}
COLUMNS = ("id", "kind", "bucket", "objectKey", "versionId", "sizeBytes", "sha256")
SELECT = "select id, kind, bucket, object_key, version_id, size_bytes, sha256 from document"


def check_settings() -> None:
    """Raise unless everything that reaches the bucket is set."""
    for name in ("S3_ENDPOINT", "S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"):
        settings.required(name)


@cache
def store() -> Any:
    """The client of the object store, made when first needed."""
    return boto3.client(
        "s3",
        endpoint_url=settings.required("S3_ENDPOINT"),
        region_name="us-east-1",
        aws_access_key_id=settings.required("S3_ACCESS_KEY_ID"),
        aws_secret_access_key=settings.required("S3_SECRET_ACCESS_KEY"),
        config=Config(s3={"addressing_style": "path"}, connect_timeout=3, read_timeout=10, retries={"max_attempts": 2}),
    )


def json_body(request: Request) -> dict[str, Any]:
    """The request's body as a JSON object; 400 when it is none."""
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ApiError(400, "INVALID_BODY", "the body must be a JSON object")
    return body


def all_of(database: Database) -> list[dict[str, Any]]:
    """All documents in the order of their ids."""
    return [dict(zip(COLUMNS, row, strict=True)) for row in database.rows(SELECT + " order by id")]


def content(database: Database, number: int) -> Answer:
    """The bytes of a document, exactly the version of its row; 502 when the bucket no longer has them."""
    rows = database.rows(SELECT + " where id = %s", number)
    if not rows:
        raise ApiError(404, "DOCUMENT_NOT_FOUND", f"no document {number}")
    row = dict(zip(COLUMNS, rows[0], strict=True))
    try:
        reply = store().get_object(Bucket=row["bucket"], Key=row["objectKey"], VersionId=row["versionId"])
        data = reply["Body"].read()
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        raise ApiError(502, "DOCUMENT_UNAVAILABLE", f"{row['objectKey']} version {row['versionId']}: {error}") from error
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise ApiError(502, "DOCUMENT_CHANGED", f"{row['objectKey']} has other bytes than its record")
    return Answer(data, media_type="application/octet-stream", headers={"X-Version-Id": str(row["versionId"])})


def add(database: Database, account: Account, request: Request) -> Answer:
    """Store bytes under a name: the body for an upload, all balances as CSV for an export."""
    kind, name = request.query.get("kind", ""), request.query.get("name", "")
    if kind not in PREFIXES or not name or "/" in name:
        raise ApiError(400, "INVALID_QUERY", "kind must be upload or export, name a file name")
    data = request.body if kind == "upload" else balances_csv(database)
    bucket, key = settings.required("S3_BUCKET"), PREFIXES[kind] + name
    version = store().put_object(Bucket=bucket, Key=key, Body=data)["VersionId"]
    digest = hashlib.sha256(data).hexdigest()
    statement = """insert into document (account_id, kind, bucket, object_key, version_id, size_bytes, sha256)
        values (%s, %s, %s, %s, %s, %s, %s) returning id"""
    number = database.rows(statement, account.id, kind, bucket, key, version, len(data), digest)[0][0]
    return Answer({"data": dict(zip(COLUMNS, (number, kind, bucket, key, version, len(data), digest), strict=True))}, 201)


def balances_csv(database: Database) -> bytes:
    """All indexed balances, one line each."""
    rows = database.rows("select token, holder, balance from idxr_balance order by token, holder")
    return ("token,holder,balance\n" + "".join(f"{t},{h},{int(b)}\n" for t, h, b in rows)).encode()
