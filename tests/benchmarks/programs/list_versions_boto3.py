"""The peer of list_versions.py: boto3's paginator, versions by key in a dictionary, then the rows one by one.

Arguments: address, keys below each prefix, number of prefixes. Several prefixes are listed by a thread each.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config

from side import Work, report
from version_pages import POINT, prefixes, rows

address, keys, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
client = boto3.client(
    "s3",
    endpoint_url=address,
    aws_access_key_id="a",
    aws_secret_access_key="b",
    region_name="us-east-1",
    config=Config(max_pool_connections=16),
)


def check(prefix: str) -> tuple[int, list[str]]:
    by_key: dict[str, list[dict[str, Any]]] = {}
    entries = 0
    for page in client.get_paginator("list_object_versions").paginate(Bucket="b", Prefix=prefix):
        for item in [*page.get("DeleteMarkers", []), *page.get("Versions", [])]:
            by_key.setdefault(item["Key"], []).append(item)
            entries += 1
    wrong = []
    for row in rows(prefix, keys):
        there = by_key.get(row.key, [])
        past = sorted((v for v in there if v["LastModified"] <= POINT), key=lambda v: v["LastModified"], reverse=True)
        current = past[0]["VersionId"] if past else None
        listed = next((v for v in there if v["VersionId"] == row.version_id and "ETag" in v), None)
        size, etag = (listed["Size"], listed["ETag"].strip('"')) if listed else (None, None)
        if (size, etag) != (row.size_bytes, row.etag) or current not in (None, row.version_id):
            wrong.append(f"{row.key}: listed {size} {etag}, current {current}")
    return entries, wrong


with Work() as work, ThreadPoolExecutor(16) as pool:
    checked = list(pool.map(check, prefixes(count)))
report(found=sorted(w for _, wrong in checked for w in wrong), items=sum(entries for entries, _ in checked), **work.seconds)
