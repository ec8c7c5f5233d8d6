"""S3 with the credentials of an Airflow connection: bounded waits, errors that name the missing right."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from airflow.sdk import BaseHook

from dalp_dr.errors import InputError
from dalp_dr.isolation.privileges import StoreAnswer
from dalp_dr.object_storage.listing import KeyRange
from dalp_dr_airflow.hooks.errors import CallError, translate
from dalp_dr_airflow.hooks.version_listing import WORKERS, VersionListing

CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS, ATTEMPTS = 5, 60, 6
CHUNK_BYTES = 1 << 20
# Stores without the S3 API, by Airflow's connection types: refused by name, before boto3 answers them with a riddle.
OTHER_STORES = {
    "wasb": "Azure Blob Storage",
    "adls": "Azure Data Lake Storage",
    "azure_data_lake": "Azure Data Lake Storage",
    "azure_fileshare": "Azure Files",
    "google_cloud_platform": "Google Cloud Storage",
}


class S3Access(BaseHook):
    """A boto3 client made by Airflow's S3Hook, and the few reads all S3 hooks share.

    botocore itself repeats 429, 503 and cut connections, at most ATTEMPTS times. A connection that does not exist is
    refused: S3Hook would go on with whatever credentials the worker happens to have.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "dalp_backup_store"
    conn_type = "aws"
    hook_name = "DALP object storage"

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    @cached_property
    def client(self) -> Any:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook
        from airflow.sdk.exceptions import AirflowNotFoundException
        from botocore.config import Config

        try:
            connection = self.get_connection(self.conn_id)
        except AirflowNotFoundException:
            raise InputError(
                f"There is no connection {self.conn_id}.",
                "Create it, or correct `connections` in the environment file.",
            ) from None
        if connection.conn_type in OTHER_STORES:
            raise InputError(
                f"Connection {self.conn_id} is {OTHER_STORES[connection.conn_type]}, whose versions this project cannot read.",
                "Use a store with the S3 API: SeaweedFS is proven, AWS S3 is called alike. Or prove another: docs/how-to/object-stores.md.",
            )
        ours = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            max_pool_connections=WORKERS,
            retries={"mode": "standard", "max_attempts": ATTEMPTS},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        theirs = S3Hook(aws_conn_id=self.conn_id).conn_config.botocore_config
        with translate("open", f"connection {self.conn_id}"):
            return S3Hook(aws_conn_id=self.conn_id, config=theirs.merge(ours) if theirs else ours).get_conn()

    def read(self, bucket: str, key: str, version_id: str | None = None) -> bytes:
        """The bytes of one object, or of one version of it."""
        with translate("read", f"{s3_uri(bucket, key)}{f' version {version_id}' if version_id else ''}"):
            return bytes(self.client.get_object(Bucket=bucket, Key=key, **_version(version_id))["Body"].read())

    @staticmethod
    def drained(answer: dict[str, Any], bucket: str, key: str) -> tuple[str, int]:
        """`(sha256, size in bytes)` of an answer's body, read in pieces and never held whole. CallError when it ends early."""
        sha256, size = hashlib.sha256(), 0
        for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
            sha256.update(chunk)
            size += len(chunk)
        if size != answer["ContentLength"]:
            raise CallError(
                f"{s3_uri(bucket, key)} ended after {size} of {answer['ContentLength']} bytes.",
                "Try again.",
                transient=True,
            )
        return sha256.hexdigest(), size

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """Every key below a prefix, page by page."""
        with translate("list", s3_uri(bucket, prefix)):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                yield from (item["Key"] for item in page.get("Contents", []))

    @cached_property
    def listing(self) -> VersionListing:
        """Versions in bulk."""
        return VersionListing(self.client)

    def versions(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        """Every version and delete marker below a prefix, page by page, newest first within a key.

        `{key, version_id, last_modified, size_bytes, etag, is_latest, is_delete_marker}`; last_modified is UTC, RFC
        3339, whole seconds of the store's clock; version_id is None in a bucket that never had versioning.
        """
        for entry in self.listing.entries(bucket, KeyRange(prefix)):
            row = entry._asdict()
            row["last_modified"] = f"{row.pop('second')}+00:00"
            yield row


def write_attempt(conn_id: str, bucket: str, prefix: str = "") -> StoreAnswer:
    """What the store says to a write with this key; status 403 is a denial, None no answer.

    The write is a part of a multipart upload that does not exist: S3 asks for the same permission (s3:PutObject) as
    for an object, and no store can keep a part of nothing, whatever it thinks of conditional headers. A key that may
    write is answered 404.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    access, status, code = S3Access(conn_id), 200, ""
    try:
        access.client.upload_part(
            Bucket=bucket,
            Key=f"{prefix.strip('/')}/dalp-dr-write-attempt".lstrip("/"),
            PartNumber=1,
            UploadId=uuid.uuid4().hex,
            Body=b"",
        )
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = str(error.response.get("Error", {}).get("Code", ""))
    except BotoCoreError as error:
        return StoreAnswer(conn_id, bucket, "UploadPart", None, type(error).__name__)
    return StoreAnswer(conn_id, bucket, "UploadPart", status, code)


def s3_uri(bucket: str, key: str = "") -> str:
    return f"s3://{bucket}/{key}"


def _version(version_id: str | None) -> dict[str, str]:
    return {"VersionId": version_id} if version_id else {}
