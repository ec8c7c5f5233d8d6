"""Pages of ListObjectVersions as stores write them, and what is refused."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dalp_dr.errors import FactError
from dalp_dr.object_storage.listing import Entry, parse, regular, walk_xml

AWS = """<?xml version="1.0" encoding="UTF-8"?>
<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>u/</Prefix><KeyMarker>u/0</KeyMarker>
<VersionIdMarker/><NextKeyMarker>u/c+d%26%0A</NextKeyMarker><NextVersionIdMarker>v9</NextVersionIdMarker><MaxKeys>3</MaxKeys>
<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
<DeleteMarker><Key>u/a</Key><VersionId>m1</VersionId><IsLatest>true</IsLatest><LastModified>2026-10-06T05:30:00.000Z</LastModified>
<Owner><ID>o</ID><DisplayName>who</DisplayName></Owner></DeleteMarker>
<Version><Key>u/a</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest><LastModified>2026-10-06T05:00:00.000Z</LastModified>
<ETag>&quot;abc-2&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>5000000000</Size>
<Owner><ID>o</ID></Owner><StorageClass>STANDARD</StorageClass></Version>
<Version><Key>u/c+d%26%0A</Key><VersionId>v9</VersionId><IsLatest>true</IsLatest><LastModified>2026-10-06T05:00:01.000Z</LastModified>
<ETag>&quot;d&quot;</ETag><Size>0</Size></Version></ListVersionsResult>"""
# SeaweedFS 4.48: no encoding although asked for, no fractions of a second.
SEAWEED = """<ListVersionsResult><IsTruncated>false</IsTruncated>
<Version><Key>u/a+b&amp;c%41</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest><ETag>&#34;e&#34;</ETag><Size>1</Size>
<LastModified>2026-11-24T19:35:04Z</LastModified></Version></ListVersionsResult>"""
EXPECTED = [
    Entry("u/a", "m1", "2026-10-06T05:30:00", 0, "", True, True, ""),
    Entry("u/a", "v1", "2026-10-06T05:00:00", 5_000_000_000, "abc-2", False, False, "CRC64NVME"),
    Entry("u/c d&\n", "v9", "2026-10-06T05:00:01", 0, "d", False, True, ""),
]


@pytest.mark.parametrize("text", [AWS, AWS.replace("\n", ""), AWS.replace("&quot;", "&#x22;")], ids=["lines", "one line", "by expat"])
def test_a_page_as_aws_writes_it(text: str) -> None:
    page = parse(text.encode())
    assert page.entries == EXPECTED
    assert (page.next_key, page.next_version_id) == ("u/c d&\n", "v9")


TEXT = some.text(some.characters(exclude_categories=("Cs", "Cc")), max_size=8)


@given(some.lists(some.tuples(TEXT, TEXT, some.booleans(), some.booleans()), max_size=5))
def test_the_quick_way_and_the_parser_of_xml_agree(made: list[tuple[str, str, bool, bool]]) -> None:
    """Whatever is in keys and version ids, `>` and `&lt;/Version>` included."""
    text = ""
    for key, version_id, marker, owner in made:
        kind = "DeleteMarker" if marker else "Version"
        owned = "<Owner><ID>o</ID><DisplayName/></Owner>" if owner else ""
        fields = f"<Key>{escape(key)}</Key><VersionId>{escape(version_id)}</VersionId><Size>1</Size>{owned}"
        text += f"<{kind}>{fields}<LastModified>2026-10-06T05:00:00Z</LastModified></{kind}>"
    body = f"<ListVersionsResult><IsTruncated>false</IsTruncated>{text}</ListVersionsResult>".encode()
    quick, rest = regular(body)
    assert quick + walk_xml(rest)[0] == walk_xml(body)[0]


def test_regular_entries_are_taken_the_quick_way() -> None:
    quick, rest = regular(AWS.replace("\n", "").encode())
    assert len(quick) == 3 and b"Version>" not in rest.replace(b"NextVersion", b"")
    assert regular(SEAWEED.encode())[0] == [], "its key has a reference"


def test_a_store_that_does_not_encode_keys_is_taken_at_its_word() -> None:
    page = parse(SEAWEED.encode())
    assert page.entries == [Entry("u/a+b&c%41", "v2", "2026-11-24T19:35:04", 1, "e", False, True, "")]
    assert (page.next_key, page.next_version_id) == (None, None)


def test_delete_markers_at_the_end_of_a_page_go_where_they_belong() -> None:
    def version(key: str, id_: str, second: int, latest: bool = False) -> str:
        kind = "DeleteMarker" if id_[0] == "m" else "Version"
        at = f"<LastModified>2026-10-06T05:00:{second:02d}Z</LastModified><IsLatest>{str(latest).lower()}</IsLatest><Size>1</Size>"
        return f"<{kind}><Key>{key}</Key><VersionId>{id_}</VersionId>{at}</{kind}>"

    text = version("a", "v2", 2) + version("a", "v1", 1) + version("b", "v3", 3) + version("a", "m3", 2, True) + version("b", "m4", 2)
    page = parse(f"<ListVersionsResult><IsTruncated>false</IsTruncated>{text}</ListVersionsResult>".encode())
    assert [(e.key, e.version_id) for e in page.entries] == [("a", "m3"), ("a", "v2"), ("a", "v1"), ("b", "v3"), ("b", "m4")]


BAD = {
    "cut in the middle": (AWS[:900], "not complete XML"),
    "nothing": ("", "not complete XML"),
    "another answer": ("<Error><Code>SlowDown</Code></Error>", "is a Error that does not say"),
    "does not say whether it is complete": (SEAWEED.replace("<IsTruncated>false</IsTruncated>", ""), "does not say whether"),
    "goes on, but not where": (SEAWEED.replace("false</IsTruncated>", "true</IsTruncated>"), "does not say where"),
    "no size": (SEAWEED.replace("<Size>1</Size>", ""), "cannot be read"),
    "no time": (SEAWEED.replace("2026-11-24T19:35:04Z", "yesterday"), "LastModified is 'yesterday'"),
    "a local time": (SEAWEED.replace("19:35:04Z", "19:35:04+02:00"), "cannot be read"),
    "entities": ('<!DOCTYPE x [<!ENTITY a "aaaa">]>' + SEAWEED, "document type"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_a_listing_is_refused(case: str) -> None:
    text, said = BAD[case]
    with pytest.raises(FactError, match=said):
        parse(text.encode())
