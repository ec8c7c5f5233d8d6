"""Object storage: versions as of the incident time, and the rows of the restored database that name objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dalp_dr.model.check import Surface
from dalp_dr.object_storage import facts
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.hooks.errors import CallError
from dalp_dr_airflow.operators.base import DrillOperator, attempt

if TYPE_CHECKING:
    from airflow.sdk import Context


class BucketVersionCheckOperator(DrillOperator):
    """Every version a row of the restored database names is there, readable and what the row says.

    Mapped over buckets; `bucket` is the name of one of the environment's.
    """

    surface = Surface.OBJECT_STORAGE

    def __init__(self, *, bucket: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        buckets = [b for b in drill.plan.environment.object_storage if self.bucket in (None, b.name)]
        return [attempt("object_versions", lambda b=bucket: self.one(drill, b), bucket.name) for bucket in buckets]  # type: ignore[misc]

    def one(self, drill: Drill, bucket: Any) -> Gathered:
        documents = drill.sql("documents")["documents"]
        rows = [row for prefix in bucket.prefixes for row in drill.objects.versions(bucket.name, prefix)]
        needed = facts.reads_needed(drill.plan, bucket.name, rows, documents)
        self.log.info("%s: %d versions listed, %d to read", bucket.name, len(rows), len(needed))
        reads = [self.read(drill, bucket.name, key, version) for key, version in needed]
        return Gathered("object_versions", facts.object_versions(drill.plan, bucket.name, rows, documents, reads), bucket.name)

    @staticmethod
    def read(drill: Drill, bucket: str, key: str, version_id: str) -> dict[str, Any]:
        """Size and sha256 of one version; a refusal of the store is a fact of its own."""
        try:
            sha256, size = drill.objects.read(bucket, key, version_id)
        except CallError as error:
            return {"key": key, "version_id": version_id, "error": str(error.status or "no answer")}
        return {"key": key, "version_id": version_id, "size_bytes": size, "sha256": sha256}
