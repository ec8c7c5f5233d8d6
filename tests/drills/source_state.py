"""Production as it is now: what a drill must leave exactly as it found it."""

from __future__ import annotations

import json
from typing import Any

from dalp_dr_lab.lab import BACKUP_PREFIX, BUCKETS, NAMESPACES, Lab

KINDS = ("secrets", "services", "configmaps", "deployments.apps", "statefulsets.apps", "clusters.postgresql.cnpg.io")
STATUS_MOVES = ("Deployment", "StatefulSet", "Cluster")  # their resourceVersion counts what pods and controllers report


def objects(lab: Lab) -> dict[str, tuple[str, ...]]:
    """{kind/namespace/name: uid and what says that somebody wrote it} of every object of production."""
    found: dict[str, tuple[str, ...]] = {}
    for namespace in NAMESPACES:
        for item in json.loads(lab.kubectl("-n", namespace, "get", ",".join(KINDS), "-o", "json"))["items"]:
            found[f"{item['kind']}/{namespace}/{item['metadata']['name']}"] = _written(item)
    return found


def _written(item: dict[str, Any]) -> tuple[str, ...]:
    metadata = item["metadata"]
    if item["kind"] not in STATUS_MOVES:
        return metadata["uid"], metadata["resourceVersion"]
    words = json.dumps([metadata.get("labels"), metadata.get("annotations")], sort_keys=True)
    return metadata["uid"], str(metadata["generation"]), words


def archive(lab: Lab) -> set[str]:
    """Every key in the archive's bucket, old versions too."""
    pages = lab.s3("admin").get_paginator("list_object_versions").paginate(Bucket=BUCKETS["wal"])
    return {item["Key"] for page in pages for item in page.get("Versions", [])}


def foreign(keys: set[str], server: str, timeline: str = "00000001") -> list[str]:
    """Keys that are neither of this server nor, among the WAL, of this timeline."""
    own = f"{BACKUP_PREFIX}/{server}/"
    return sorted(key for key in keys if not key.startswith(own) or (key.startswith(f"{own}wals/") and _timeline(key) != timeline))


def _timeline(key: str) -> str:
    return key.rpartition("/")[2][:8]
