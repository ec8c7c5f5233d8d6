"""Versions of a bucket's objects, and how the bucket protects them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dalp_dr_airflow.hooks.errors import CallError, translate
from dalp_dr_airflow.hooks.s3 import S3Access, s3_uri

# What S3 says where a bucket has no such setting at all; anything else is an error.
READERS = 4
_NOT_SET = {"NoSuchLifecycleConfiguration"}


class ObjectVersionHook(S3Access):
    """Reads of a versioned bucket; `versions` streams, so a bucket of any size fits."""

    default_conn_name = "dalp_object_storage"
    hook_name = "DALP object versions"

    def protection(self, bucket: str) -> dict[str, Any]:
        """`{versioning, lifecycle}` as S3 gives them; lifecycle is None where the bucket has no rules at all.

        versioning has no `Status` when it was never switched on.
        """
        with translate("read the versioning of", s3_uri(bucket)):
            versioning = self.client.get_bucket_versioning(Bucket=bucket)
        return {
            "versioning": _plain(versioning),
            "lifecycle": self._optional("get_bucket_lifecycle_configuration", bucket),
        }

    def read(self, bucket: str, key: str, version_id: str | None = None) -> dict[str, Any]:  # type: ignore[override]
        """`{key, version_id, size_bytes, sha256, etag, encryption}` of one version, read to its end; or `error`: the store's
        status where it refused, since that is a fact of its own.

        encryption is the algorithm the store says it used, None where it says nothing.
        """
        asked = {"key": key, "version_id": version_id}
        try:
            with translate("read", f"{s3_uri(bucket, key)} version {version_id}"):
                answer = self.client.get_object(Bucket=bucket, Key=key, **({"VersionId": version_id} if version_id else {}))
                sha256, size = self.drained(answer, bucket, key)
        except CallError as error:
            return {**asked, "error": str(error.status or "no answer")}
        told = {"etag": str(answer.get("ETag", "")).strip('"'), "encryption": answer.get("ServerSideEncryption")}
        return {**asked, "size_bytes": size, "sha256": sha256, **told}

    def read_all(self, bucket: str, wanted: Sequence[tuple[str, str | None]], told: Callable[[int], None]) -> list[dict[str, Any]]:
        """`read` of each (key, version id), several at once; `told` is called with the number done."""
        found: list[dict[str, Any]] = []
        with ThreadPoolExecutor(READERS) as pool:
            for answer in pool.map(lambda one: self.read(bucket, *one), wanted):
                found.append(answer)
                told(len(found))
        return found

    def _optional(self, operation: str, bucket: str) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        with translate(operation.replace("_", " "), s3_uri(bucket)):
            try:
                return _plain(getattr(self.client, operation)(Bucket=bucket))
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in _NOT_SET:
                    return None
                raise


def _plain(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}
