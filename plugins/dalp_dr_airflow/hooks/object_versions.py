"""Versions of a bucket's objects, and how the bucket protects them."""

from __future__ import annotations

from typing import Any

from dalp_dr_airflow.hooks.errors import translate
from dalp_dr_airflow.hooks.s3 import S3Access, s3_uri

# What S3 says where a bucket has no such setting at all; anything else is an error.
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

    def read(self, bucket: str, key: str, version_id: str | None = None) -> tuple[str, int]:  # type: ignore[override]
        """`(sha256, size in bytes)` of one version. CallError with S3's code in its text."""
        return self.digest(bucket, key, version_id)

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
