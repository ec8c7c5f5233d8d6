"""Shards cover a bucket: every key once, whatever the folders; and a hole is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dalp_dr.model.environment import Bucket
from dalp_dr.object_storage import shards

BUCKET = Bucket(name="b", prefixes=("exports/", "uploads/"))
NAMES = some.text("abc/-0", min_size=1, max_size=4)


@given(folders=some.sets(NAMES, max_size=60), key=NAMES)
def test_every_key_belongs_to_one_range(folders: set[str], key: str) -> None:
    found = shards.of_bucket(BUCKET, {"uploads/": [f"uploads/{f}/" for f in sorted(folders)]})
    assert shards.holes([BUCKET], found) == ()
    whole = f"uploads/{key}"
    owners = [s for s in found if s.covers(whole)]
    assert len(owners) == 1
    assert sum(whole > p.after and (p.until is None or whole <= p.until) for p in owners[0].parts) == 1
    assert len({s.subject for s in found}) == len(found)


MANY = shards.of_bucket(BUCKET, {"uploads/": [f"uploads/{n:03d}/" for n in range(200)]})


def test_a_prefix_with_many_folders_is_cut_within_bounds() -> None:
    uploads = [s for s in MANY if s.prefix == "uploads/"]
    assert len(uploads) == shards.SHARDS and all(len(s.parts) <= shards.PARTS for s in uploads)


@pytest.mark.parametrize("lost", range(len(MANY)))
def test_a_missing_shard_is_a_hole(lost: int) -> None:
    assert len(shards.holes([BUCKET], [s for s in MANY if s.number != lost])) == 1


def test_a_range_listed_twice_or_cut_short_is_no_cover() -> None:
    assert shards.holes([BUCKET], [*MANY, MANY[1]])
    short = replace(MANY[-1], parts=(*MANY[-1].parts[:-1], replace(MANY[-1].parts[-1], until="uploads/199/5")))
    assert shards.holes([BUCKET], [*MANY[:-1], short])
    assert shards.holes([BUCKET], []) == ("b/exports/: listed was nothing", "b/uploads/: listed was nothing")
