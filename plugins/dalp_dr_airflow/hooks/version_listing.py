"""Bulk listing of object versions through boto3's client, with our own parser in place of botocore's.

botocore signs, sends, repeats and reports errors as ever; of a listing's answer it gets an empty one to parse, since its
own parsing is nine tenths of the cost. One page is held at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from dalp_dr.errors import FactError
from dalp_dr.object_storage.listing import Entry, KeyRange, Page, parse
from dalp_dr_airflow.hooks.errors import translate

T = TypeVar("T")
PAGE = "DalpDrPage"
EVENT = "before-parse.*.ListObjectVersions"  # by way of `*`: runs before botocore's own look at the body, which parses it whole
HEAD_BYTES = 512
WORKERS = 16


def _own_parser(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Handler of botocore's event: the page goes into the answer, botocore's parser gets nothing to do.

    An error that S3 sends with status 200 is left to botocore, which tries again.
    """
    if response_dict["status_code"] == 200 and b"<ListVersionsResult" in response_dict["body"][:HEAD_BYTES]:
        customized_response_dict[PAGE] = parse(response_dict["body"])
        response_dict["body"] = b"<ListVersionsResult/>"


class VersionListing:
    """Reads of ListObjectVersions with one boto3 client; the client may be shared by threads."""

    def __init__(self, client: Any) -> None:
        self.client = client
        client.meta.events.register(EVENT, _own_parser, unique_id=PAGE)

    def page(self, bucket: str, prefix: str, after: str = "", version_id: str | None = None) -> Page:
        """The page of entries behind a key, or behind one version of it."""
        markers = {name: value for name, value in (("KeyMarker", after), ("VersionIdMarker", version_id)) if value}
        with translate("list versions of", f"s3://{bucket}/{prefix}"):
            page: Page = self.client.list_object_versions(Bucket=bucket, Prefix=prefix, **markers)[PAGE]
        return page

    def entries(self, bucket: str, part: KeyRange) -> Iterator[Entry]:
        """Every version and delete marker of a range of keys, by key and newest first within a key.

        Raises CallError, and FactError where a page leads back to itself.
        """
        after, version_id = part.after, None
        while True:
            page = self.page(bucket, part.prefix, after, version_id)
            for entry in page.entries:
                if part.until is not None and entry.key > part.until:
                    return
                yield entry
            if page.next_key is None:
                return
            if (page.next_key, page.next_version_id) == (after, version_id):
                raise FactError(f"The listing of s3://{bucket}/{part.prefix} does not get past {after}.", "Look at the object store.")
            after, version_id = page.next_key, page.next_version_id

    def each(self, bucket: str, parts: Sequence[KeyRange], fold: Callable[[KeyRange, Iterable[Entry]], T]) -> list[T]:
        """`fold` of the entries of every range, several at once; answers in the order of `parts`. The first error is raised."""
        with ThreadPoolExecutor(min(WORKERS, len(parts) or 1)) as pool:
            return list(pool.map(lambda part: fold(part, self.entries(bucket, part)), parts))

    def folders(self, bucket: str, prefix: str, most: int) -> tuple[str, ...]:
        """The first `most` common prefixes below a prefix, up to the next `/`, in order of key."""
        found: list[str] = []
        with translate("list", f"s3://{bucket}/{prefix}"):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
            for page in pages:
                found += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
                if len(found) >= most:
                    break
        return tuple(sorted(found[:most]))
