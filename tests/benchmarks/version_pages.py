"""A bucket of any size as ListObjectVersions pages, the rows that name its objects, and the damage planted between them.

A function of its size alone: both sides of a benchmark and the server that answers them know the same bucket.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from dalp_dr.object_storage.walk import Row

POINT = datetime(2026, 10, 6, 5, 59, 30, tzinfo=UTC)
BEFORE, MIDDLE, AFTER = "2026-10-05T12:00:00", "2026-10-06T05:30:00", "2026-10-06T06:10:00"
PER_PAGE = 1000
FAULTS = ("purged", "other version", "delete marker on top", "other size", "overwritten", "younger than the point", "other etag")
Listed = tuple[str, str, str, int, str, bool]  # key, version id, second, bytes, etag, delete marker


def prefixes(count: int) -> tuple[str, ...]:
    return tuple(f"documents/{n:02x}/" for n in range(count))


def faults(keys: int) -> dict[int, str]:
    """Number of a key -> what is wrong with it; spread over the bucket, each at a key that has an older version."""
    return {(2 * n + 1) * keys // (2 * len(FAULTS)) // 4 * 4: name for n, name in enumerate(FAULTS)}


def key_of(prefix: str, number: int) -> str:
    return f"{prefix}2026/10/{number:09d}.pdf"


def listed(prefix: str, keys: int) -> Iterator[Listed]:
    """Every entry below a prefix. Each fourth key has an older version."""
    planted = faults(keys)
    for n in range(keys):
        key, fault = key_of(prefix, n), planted.get(n)
        version, size, etag = f"3sL4kqtJlcpXroDTDmJ+rmSpXd3dIb{n:09d}", 1000 + n % 977, f"70ee1738b6b21e2c8a43f3a5{n:08x}"
        if fault == "purged":
            continue
        if fault == "delete marker on top":
            yield key, f"m{n}", MIDDLE, 0, "", True
        if fault == "overwritten":
            yield key, f"w{n}", MIDDLE, 7, "other", False
        at = AFTER if fault == "younger than the point" else BEFORE
        yield (
            key,
            f"x{n}" if fault == "other version" else version,
            at,
            size + (fault == "other size"),
            "other" if fault == "other etag" else etag,
            False,
        )
        if n % 4 == 0:
            yield key, f"old{n}", "2026-09-01T00:00:00", size, etag, False


def rows(prefix: str, keys: int) -> Iterator[Row]:
    """A row for each key, in order of key."""
    for n in range(keys):
        version, size, etag = f"3sL4kqtJlcpXroDTDmJ+rmSpXd3dIb{n:09d}", 1000 + n % 977, f"70ee1738b6b21e2c8a43f3a5{n:08x}"
        yield Row(str(n), "upload", key_of(prefix, n), version, size, "00", etag)


def entries(keys: int) -> int:
    """How many entries a prefix has."""
    return sum(1 for _ in listed("", keys))


def pages(prefix: str, keys: int) -> dict[str, bytes]:
    """Every page by its marker."""
    return dict(bodies(prefix, keys))


def bodies(prefix: str, keys: int) -> Iterator[tuple[str, bytes]]:
    """(marker, body) of each page, as AWS writes it. The marker is key NUL version id, "" for the first page."""
    marker, batch = "", list[Listed]()
    for entry in listed(prefix, keys):
        if len(batch) == PER_PAGE:
            yield marker, _body(prefix, batch, True)
            marker, batch = f"{batch[-1][0]}\0{batch[-1][1]}", []
        batch.append(entry)
    yield marker, _body(prefix, batch, False)


def _body(prefix: str, batch: list[Listed], more: bool) -> bytes:
    markers = f"<NextKeyMarker>{batch[-1][0]}</NextKeyMarker><NextVersionIdMarker>{batch[-1][1]}</NextVersionIdMarker>" if more else ""
    head = f"<Name>b</Name><Prefix>{prefix}</Prefix>{markers}<MaxKeys>{PER_PAGE}</MaxKeys><EncodingType>url</EncodingType>"
    text = "".join(map(_entry, batch))
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    whole = f'<ListVersionsResult xmlns="{namespace}">{head}<IsTruncated>{str(more).lower()}</IsTruncated>{text}</ListVersionsResult>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{whole}'.encode()


def _entry(entry: Listed) -> str:
    key, version, second, size, etag, marker = entry
    owner = "<Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner>"
    common = f"<Key>{key}</Key><VersionId>{version}</VersionId><IsLatest>false</IsLatest><LastModified>{second}.000Z</LastModified>"
    if marker:
        return f"<DeleteMarker>{common}{owner}</DeleteMarker>"
    rest = f"<ETag>&quot;{etag}&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><Size>{size}</Size>"
    return f"<Version>{common}{rest}{owner}<StorageClass>STANDARD</StorageClass></Version>"
