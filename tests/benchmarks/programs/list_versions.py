"""Lists and verifies every version: our parser and pass over boto3's own client.

Arguments: address, keys below each prefix, number of prefixes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import boto3
from botocore.config import Config

from dalp_dr.object_storage.join import merged
from dalp_dr.object_storage.listing import Entry, KeyRange
from dalp_dr.object_storage.walk import Walk, Walked
from dalp_dr_airflow.hooks.version_listing import WORKERS, VersionListing
from side import Work, report
from version_pages import POINT, prefixes, rows

address, keys, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
client = boto3.client(
    "s3",
    endpoint_url=address,
    aws_access_key_id="a",
    aws_secret_access_key="b",
    region_name="us-east-1",
    config=Config(max_pool_connections=WORKERS),
)


def fold(part: KeyRange, entries: Iterable[Entry]) -> Walked:
    return Walk(POINT, "seed", share=0.0).over(entries, rows(part.prefix, keys))


with Work() as work:
    walked = merged(VersionListing(client).each("b", [KeyRange(p) for p in prefixes(count)], fold), "seed")
found = sorted(
    f"{a.row.key}: listed {a.listed.size_bytes if a.listed else None} {a.listed.etag if a.listed else None}, current {a.current.version_id}"
    for a in walked.answers
)
report(found=found, items=walked.versions + walked.delete_markers, **work.seconds)
