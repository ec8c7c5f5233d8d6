"""An S3 client in memory: versions, conditional writes, and refusals as botocore raises them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

from dalp_dr.object_storage.listing import parse
from dalp_dr_airflow.hooks.version_listing import PAGE


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

    @property
    def meta(self) -> Any:
        """Where a handler of botocore's events is registered; `list_object_versions` answers as if it had run."""
        return SimpleNamespace(events=SimpleNamespace(register=lambda *args, **named: None))

    def list_object_versions(self, Bucket: str, Prefix: str, KeyMarker: str = "", VersionIdMarker: str = "") -> dict[str, Any]:
        self._check("list_object_versions")
        entries = [e for k in sorted(self.objects) if k.startswith(Prefix) for e in self._entries(k)]
        rest = [e for e in entries if e[0] > KeyMarker or (VersionIdMarker and e[0] == KeyMarker and e[1] < VersionIdMarker)]
        page, more = rest[: self.page], len(rest) > self.page
        markers = f"<NextKeyMarker>{page[-1][0]}</NextKeyMarker><NextVersionIdMarker>{page[-1][1]}</NextVersionIdMarker>" if more else ""
        text = "".join(e[2] for e in page) + f"<IsTruncated>{str(more).lower()}</IsTruncated>{markers}"
        return {PAGE: parse(f"<ListVersionsResult>{text}</ListVersionsResult>".encode())}

    def _entries(self, key: str) -> list[tuple[str, str, str]]:
        """(key, version id, XML) of a key: its only version, below it a delete marker where the key ends in `.gone`."""
        at = "<LastModified>2026-11-23T11:00:00.000Z</LastModified>"
        etag = hashlib.md5(self.objects[key], usedforsecurity=False).hexdigest()
        size = f"<Size>{len(self.objects[key])}</Size><ETag>&quot;{etag}&quot;</ETag>"
        version = f"<Version><Key>{key}</Key><VersionId>v-{key}</VersionId><IsLatest>false</IsLatest>{at}{size}</Version>"
        marker = f"<DeleteMarker><Key>{key}</Key><VersionId>m-{key}</VersionId><IsLatest>true</IsLatest>{at}</DeleteMarker>"
        return [(key, f"v-{key}", version), *([(key, f"m-{key}", marker)] if key.endswith(".gone") else [])]

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
        return {"Contents": [{"Key": k} for k in keys]} if keys else {}
