"""Object storage: versions as of the recovery point, and the rows of the restored database that name objects.

object_shards (which ranges of keys) -> object_listing (mapped, one task a shard) -> object_versions (one record a bucket)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dalp_dr.model.check import Surface
from dalp_dr.model.plan import utc
from dalp_dr.object_storage import facts, shards
from dalp_dr.object_storage.versions import point_of
from dalp_dr.object_storage.walk import Walk, Walked
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.operators.base import DrillOperator, attempt

if TYPE_CHECKING:
    from airflow.sdk import Context

TOLD_EVERY_SECONDS = 5.0


class ObjectShardsOperator(DrillOperator):
    """Says which ranges of keys are listed side by side: every prefix whole, cut at its folders."""

    surface = Surface.OBJECT_STORAGE

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        return ()

    def execute(self, context: Context) -> list[dict[str, Any]]:
        drill = Drill.open(context)
        if not self.in_scope(drill):
            return [{}]  # one idle task: what is mapped over nothing is skipped, and all that comes after it too
        found = [s for bucket in drill.plan.environment.object_storage for s in self.of(drill, bucket)]
        for shard in found:
            self.log.info("%s: %s in %d ranges", shard.subject, shard.prefix, len(shard.parts))
        return [asdict(shard) for shard in found]

    @staticmethod
    def of(drill: Drill, bucket: Any) -> tuple[shards.Shard, ...]:
        listing = drill.objects.listing
        return shards.of_bucket(bucket, {p: listing.folders(bucket.name, p, shards.MOST_FOLDERS) for p in bucket.prefixes})


class BucketVersionCheckOperator(DrillOperator):
    """Lists the versions of one shard and answers the rows of the restored database that name them. Mapped over shards.

    :param shard: what `object_shards` returned for it.
    """

    surface = Surface.OBJECT_STORAGE

    def __init__(self, *, shard: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shard = shard

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        shard = shards.shard_from(self.shard)
        return [attempt("object_shard", lambda: self.one(drill, shard), shard.subject)]

    def one(self, drill: Drill, shard: shards.Shard) -> Gathered:
        began, plan = time.monotonic(), drill.plan
        rows = [row for row in facts.rows_of(shard.bucket, drill.sql("documents")["documents"]) if shard.covers(row.key)]
        share, moment = facts.share(len(rows)), utc(point_of(plan))

        def fold(part: Any, entries: Any) -> Walked:
            own = [row for row in rows if row.key > part.after and (part.until is None or row.key <= part.until)]
            progress = self.listed(shard, len(own), began)
            return Walk(moment, f"{plan.random_seed}/{shard.subject}", share, progress).over(entries, own)

        walked = facts.merged(drill.objects.listing.each(shard.bucket, shard.parts, fold), plan.random_seed)
        needed = facts.reads_needed(walked)
        self.log.info("%s: %d keys, %d versions listed, %d to read", shard.subject, walked.keys, walked.versions, len(needed))
        reads = drill.objects.read_all(shard.bucket, needed, self.told(f"{shard.subject}: versions read", len(needed)))
        return Gathered("object_shard", facts.object_shard(plan, shard, walked, reads, time.monotonic() - began), shard.subject)

    def listed(self, shard: shards.Shard, rows: int, began: float) -> Callable[[Walked], None]:
        """Progress of one range of a listing, whose length nobody knows beforehand: rows answered say how far it is."""

        def tell(walked: Walked) -> None:
            count, seconds = walked.versions + walked.delete_markers, time.monotonic() - began
            left = f", about {seconds * (rows - walked.rows) / walked.rows:.0f} s left" if walked.rows else ""
            self.log.info("%s: %d entries, %.0f a second, %d of %d rows%s", shard.subject, count, count / seconds, walked.rows, rows, left)

        return tell

    def told(self, what: str, total: int) -> Callable[[int], None]:
        """Progress of reading, every few seconds."""
        began = last = time.monotonic()

        def tell(done: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= TOLD_EVERY_SECONDS or done == total:
                last = now
                rate = done / max(now - began, 0.001)
                self.log.info("%s: %d of %d, %.1f a second, about %.0f s left", what, done, total, rate, (total - done) / rate)

        return tell


class ObjectVersionsOperator(DrillOperator):
    """Joins the shards of each bucket to its record; a shard without a record leaves a hole that the record names.

    :param shards: what `object_shards` returned.
    """

    surface = Surface.OBJECT_STORAGE
    template_fields = ("shards",)

    def __init__(self, *, shards: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shards = shards

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        return [
            attempt("object_versions", lambda b=bucket: self.one(drill, b), bucket.name)  # type: ignore[misc]
            for bucket in drill.plan.environment.object_storage
        ]

    def one(self, drill: Drill, bucket: Any) -> Gathered:
        planned = [shards.shard_from(sent) for sent in self.shards or () if sent]
        found, errors = facts.usable_shards(drill.records(), bucket.name, planned)
        documents = drill.sql("documents")["documents"]
        alone = facts.left_over(facts.rows_of(bucket.name, documents), [s.shard for s in found])
        wanted = [(row.key, row.version_id) for row in alone if row.version_id][: facts.READS]
        reads = drill.objects.read_all(bucket.name, wanted, lambda done: None)
        return Gathered("object_versions", facts.object_versions(drill.plan, bucket.name, documents, found, errors, reads), bucket.name)
