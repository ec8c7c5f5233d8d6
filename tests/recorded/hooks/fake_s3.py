"""An S3 client in memory: versions, conditional writes, and refusals as botocore raises them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody


def client_error(status: int, code: str, operation: str = "GetObject") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}}},
        operation,
    )


@dataclass
class FakeS3:
    """`deny`: names of operations that answer 403. `page` is the size of a listing's page."""

    objects: dict[str, bytes] = field(default_factory=dict)
    deny: frozenset[str] = frozenset()
    page: int = 2
    puts: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def _check(self, operation: str) -> None:
        if operation in self.deny:
            raise client_error(403, "AccessDenied", operation)

    def get_object(self, Bucket: str, Key: str, VersionId: str | None = None) -> dict[str, Any]:
        self._check("get_object")
        if Key not in self.objects:
            raise client_error(404, "NoSuchKey")
        data = self.objects[Key]
        return {"Body": StreamingBody(io.BytesIO(data), len(data)), "ContentLength": len(data)}

    def put_object(self, **sent: Any) -> dict[str, Any]:
        self._check("put_object")
        if sent.get("IfNoneMatch") == "*" and sent["Key"] in self.objects:
            raise client_error(412, "PreconditionFailed", "PutObject")
        self.puts.append(sent)
        self.objects[sent["Key"]] = sent["Body"]
        return {}

    def upload_part(self, **sent: Any) -> dict[str, Any]:
        self._check("upload_part")
        raise client_error(404, "NoSuchUpload", "UploadPart")

    def list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int = 1000) -> dict[str, Any]:
        self._check("list_objects_v2")
        return {"Contents": [{"Key": k} for k in sorted(self.objects) if k.startswith(Prefix)][:MaxKeys]}

    def get_bucket_versioning(self, Bucket: str) -> dict[str, Any]:
        self._check("get_bucket_versioning")
        return {"ResponseMetadata": {}, **self.settings.get("versioning", {})}

    def get_bucket_lifecycle_configuration(self, Bucket: str) -> dict[str, Any]:
        self._check("get_bucket_lifecycle_configuration")
        if "lifecycle" not in self.settings:
            raise client_error(404, "NoSuchLifecycleConfiguration", "GetBucketLifecycleConfiguration")
        return {"ResponseMetadata": {}, **self.settings["lifecycle"]}

    def get_paginator(self, operation: str) -> Any:
        fake = self

        class Pages:
            def paginate(self, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
                fake._check(operation)
                keys = [k for k in sorted(fake.objects) if k.startswith(Prefix)]
                for start in range(0, max(len(keys), 1), fake.page):
                    yield fake.listed(operation, keys[start : start + fake.page])

        return Pages()

    def listed(self, operation: str, keys: list[str]) -> dict[str, Any]:
        if operation == "list_objects_v2":
            return {"Contents": [{"Key": k} for k in keys]} if keys else {}
        at = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
        return {
            "Versions": [
                {
                    "Key": k,
                    "VersionId": f"v-{k}",
                    "LastModified": at,
                    "Size": len(self.objects[k]),
                    "IsLatest": False,
                    "ETag": f'"{hashlib.md5(self.objects[k], usedforsecurity=False).hexdigest()}"',
                }
                for k in keys
            ],
            "DeleteMarkers": [{"Key": k, "VersionId": f"m-{k}", "LastModified": at, "IsLatest": True} for k in keys if k.endswith(".gone")],
        }
