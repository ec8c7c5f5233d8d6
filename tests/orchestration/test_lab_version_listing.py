"""The contract of a version listing, on the store it is proven with: a real SeaweedFS; neither root nor cluster.

Whoever proves another store gives it a fixture of its own: the sentences below are what the drill relies on.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest

from dalp_dr.object_storage import shards
from dalp_dr.object_storage.listing import KeyRange
from dalp_dr_airflow.hooks.version_listing import VersionListing
from dalp_dr_lab.lab import BUCKETS, Lab

pytestmark = pytest.mark.lab

BUCKET = BUCKETS["documents"]
STRANGE = ("u/c d+e%41&<>", "u/ä", "u/B")
MANY = 1100  # more than one page


@pytest.fixture(scope="module")
def lab(object_store: Lab) -> Lab:
    return object_store


@pytest.fixture(scope="module")
def listing(lab: Lab) -> VersionListing:
    store = lab.s3("admin")
    for key in ("u/a", *STRANGE, "u/a", "u/b/1", "u/b/2", "u/c/1"):
        store.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    store.delete_object(Bucket=BUCKET, Key="u/b/1")
    for number in range(MANY):
        store.put_object(Bucket=BUCKET, Key=f"many/{number:05d}", Body=b"1")
    return VersionListing(lab.s3("documents-reader"))


def by_boto3(lab: Lab, prefix: str) -> set[tuple[str, str]]:
    """(key, version id) of every version and marker, as boto3 itself reads them."""
    pages = lab.s3("admin").get_paginator("list_object_versions").paginate(Bucket=BUCKET, Prefix=prefix)
    return {(item["Key"], item["VersionId"]) for page in pages for kind in ("Versions", "DeleteMarkers") for item in page.get(kind, [])}


@pytest.mark.parametrize("prefix", ["u/", "many/", "nothing/"])
def test_every_entry_is_listed_once_in_order_of_key(lab: Lab, listing: VersionListing, prefix: str) -> None:
    found = [(e.key, e.version_id) for e in listing.entries(BUCKET, KeyRange(prefix))]
    assert len(found) == len(set(found)) and set(found) == by_boto3(lab, prefix)
    assert [key for key, _ in found] == sorted(key for key, _ in found)


def test_versions_of_a_key_are_newest_first_and_keys_are_as_they_were_written(listing: VersionListing) -> None:
    found = list(listing.entries(BUCKET, KeyRange("u/")))
    assert set(STRANGE) < {e.key for e in found}
    for key in {e.key for e in found}:
        own = [e for e in found if e.key == key]
        assert [e.is_latest for e in own] == [True] + [False] * (len(own) - 1)
        assert [e.second for e in own] == sorted((e.second for e in own), reverse=True)


def test_a_deleted_object_has_its_marker_on_top_and_its_version_below(listing: VersionListing) -> None:
    found = [e for e in listing.entries(BUCKET, KeyRange("u/")) if e.key == "u/b/1"]
    assert [(e.is_delete_marker, e.size_bytes) for e in found] == [(True, 0), (False, len("u/b/1"))]


@pytest.mark.parametrize("folders", [(), ("u/b/",), ("u/b/", "u/c/")])
def test_ranges_side_by_side_are_the_whole(listing: VersionListing, folders: tuple[str, ...]) -> None:
    cuts: list[Any] = ["", *folders, None]
    parts = [KeyRange("u/", after, until) for after, until in pairwise(cuts)]
    found = [e for part in listing.each(BUCKET, parts, lambda part, entries: list(entries)) for e in part]
    assert found == list(listing.entries(BUCKET, KeyRange("u/")))


def test_folders_are_where_a_prefix_may_be_cut(listing: VersionListing) -> None:
    assert listing.folders(BUCKET, "u/", shards.MOST_FOLDERS) == ("u/b/", "u/c/")


def test_last_modified_is_the_stores_clock_in_utc(listing: VersionListing) -> None:
    newest = max(e.second for e in listing.entries(BUCKET, KeyRange("many/")))
    assert abs(time.time() - time.mktime(time.strptime(newest, "%Y-%m-%dT%H:%M:%S")) + time.timezone) < 600
