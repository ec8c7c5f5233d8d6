"""S3's answer to ListObjectVersions, parsed page by page: one page is held at a time, whatever the bucket's size.

No tree is built: regular entries are cut out by a pattern, what remains is walked by expat. Entries keep the answer's order:
by key, newest first within a key, delete markers where they belong between the versions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.parsers import expat

from dalp_dr.errors import FactError

PAGE_BYTES = 64 << 20  # 1000 entries take about half a MB; a key has at most 1 kB
ENTRIES = {"Version": False, "DeleteMarker": True}
UTF8 = (b"<ListVersionsResult", b'<?xml version="1.0" encoding="UTF-8"?>', b'<?xml version="1.0" encoding="utf-8"?>')
ENTRY_END = re.compile(r"</(Version|DeleteMarker)>")
LEAF = re.compile(r"<(\w+)>([^<]*)</")
SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z").fullmatch


class Entry(NamedTuple):
    """A version or a delete marker. `second`: UTC, `YYYY-MM-DDTHH:MM:SS`, clock of the store. The ETag is opaque, without quotes."""

    key: str
    version_id: str | None
    second: str
    size_bytes: int
    etag: str
    is_delete_marker: bool
    is_latest: bool
    checksum_algorithm: str


@dataclass(frozen=True)
class KeyRange:
    """Part of a prefix: keys greater than `after` up to and including `until`; `until` None is the end of the prefix.

    Ranges that follow one another, the first from "" and the last to None, cover every key once.
    """

    prefix: str
    after: str = ""
    until: str | None = None


@dataclass(frozen=True)
class Page:
    """One answer. The markers are those of the next page; both None on the last one."""

    entries: list[Entry]
    next_key: str | None
    next_version_id: str | None


def parse(body: bytes) -> Page:
    """The page of one answer. Raises FactError for what is not a complete ListVersionsResult."""
    if len(body) > PAGE_BYTES:
        raise FactError(f"One page of the listing has more than {PAGE_BYTES} bytes.", "Look who answers at the endpoint.")
    found, rest = regular(body)
    more, head = walk_xml(rest)
    return _page(found + more if found else more, head)


def regular(body: bytes) -> tuple[list[Entry], bytes]:
    """(entries, the answer without them); no entries and the whole answer unless all entries are as regular as stores write them.

    Regular: every element of an entry is a leaf without attributes, but for an Owner, and no key has an XML reference. This is
    twice as fast as the parser of XML, to which everything else is left.
    """
    begin = min((at for tag in (b"<Version>", b"<DeleteMarker>") if (at := body.find(tag)) >= 0), default=-1)
    end = max((at + len(tag) for tag in (b"</Version>", b"</DeleteMarker>") if (at := body.rfind(tag)) >= 0), default=-1)
    if begin < 0 or end < begin or not body.startswith(UTF8):
        return [], body
    try:
        parts = ENTRY_END.split(body[begin:end].decode())
    except UnicodeDecodeError:
        return [], body
    found = []
    for text, kind in zip(parts[0:-1:2], parts[1::2], strict=True):
        leaves = LEAF.findall(text)
        fields = dict(leaves)
        etag = fields.get("ETag", "")
        if "&" in etag:
            fields["ETag"] = etag = etag.replace("&quot;", "").replace("&#34;", "")
        elements = len(leaves) + ("<Owner>" in text)
        odd = text.count("<") != 2 * elements + 1 or not text.lstrip().startswith(f"<{kind}>")
        if odd or "&" in fields.get("Key", "&") or "&" in fields.get("VersionId", "") or "&" in etag:
            return [], body
        found.append(_entry(fields, ENTRIES[kind]))
    return found, body[:begin] + body[end:]


def walk_xml(body: bytes) -> tuple[list[Entry], dict[str, str]]:
    """(entries, elements beside them) of an answer, by expat. Raises FactError."""
    found: list[Entry] = []
    fields: dict[str, str] = {}
    head: dict[str, str] = {}
    text, root = "", ""

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal text, root, fields
        text, root = "", root or name
        if name in ENTRIES:
            fields = {}

    def characters(data: str) -> None:
        nonlocal text
        text += data

    def end(name: str) -> None:
        nonlocal fields
        if name in ENTRIES:
            found.append(_entry(fields, ENTRIES[name]))
            fields = head
        else:
            fields[name] = text

    def doctype(*_: object) -> None:
        raise FactError("The listing declares a document type, which no object store does.", "Look who answers at the endpoint.")

    fields = head
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, characters
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise FactError(f"The listing is not complete XML ({error}).", "Ask the object store again.") from error
    if root != "ListVersionsResult" or head.get("IsTruncated") not in ("true", "false"):
        raise FactError(f"The listing is a {root or 'empty answer'} that does not say whether it is complete.", "Look at the object store.")
    return found, head


def _page(found: list[Entry], head: dict[str, str]) -> Page:
    encoded = head.get("EncodingType") == "url"
    if encoded:
        found = [e._replace(key=unquote_plus(e.key)) if "%" in e.key or "+" in e.key else e for e in found]
    if any(later.key < earlier.key for earlier, later in pairwise(found)):  # SeaweedFS writes the delete markers of a page last
        found.sort(key=lambda e: (e.second, e.is_latest), reverse=True)
        found.sort(key=lambda e: e.key)
    if head["IsTruncated"] == "false":
        return Page(found, None, None)
    key = head.get("NextKeyMarker")
    if not key:
        raise FactError("The listing says it goes on and does not say where.", "Look at the object store's version.")
    return Page(found, unquote_plus(key) if encoded else key, head.get("NextVersionIdMarker") or None)


def _entry(fields: dict[str, str], is_delete_marker: bool) -> Entry:
    modified = fields.get("LastModified", "")
    try:
        if not SECOND(modified):
            raise ValueError(f"LastModified is {modified!r}")
        return Entry(
            fields["Key"],
            fields.get("VersionId"),
            modified[:19],
            0 if is_delete_marker else int(fields["Size"]),
            fields.get("ETag", "").strip('"'),
            is_delete_marker,
            fields.get("IsLatest") == "true",
            fields.get("ChecksumAlgorithm", ""),
        )
    except (KeyError, ValueError) as error:
        raise FactError(f"An entry of the listing cannot be read ({error!r}): {fields!r}"[:500], "Ask the object store again.") from error
