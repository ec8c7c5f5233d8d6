"""The archive that a restored clone had written into, from the bucket's own listing."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from dalp_dr.database import archive, wal_archive
from dalp_dr.database.archive import Archive
from dalp_dr.model.check import Verdict

DATA = Path(__file__).parents[1] / "data" / "cnpg"
ROOT, DAY, SEGMENT = "prod/dalp-pg/", "2026-11-23", 1024 * 1024
OWN = ("20261123T105711", "20261123T110358")
PLAN: Any = SimpleNamespace(database=None, environment=SimpleNamespace(cluster="same"))


def listing() -> list[dict[str, Any]]:
    """Keys with one version from the layout, those with several from the damage report."""
    several = {}
    for line in (DATA / "archive-damage.txt").read_text().splitlines():
        if match := re.match(r"(prod/\S+) (\[.*\])$", line):
            several[match[1]] = ast.literal_eval(match[2])
    rows = []
    for line in (DATA / "archive-layout.txt").read_text().splitlines():
        at, size, uri = line.split()
        key = uri.removeprefix("s3://dalp-pg/")
        if key not in several:
            rows.append({"key": key, "version_id": "v1", "last_modified": at, "size_bytes": int(size), "etag": key})
    for key, versions in several.items():
        rows += [
            {"key": key, "version_id": f"v{n}", "last_modified": f"{DAY}T{at}Z", "size_bytes": size, "etag": etag}
            for n, (at, size, etag) in enumerate(versions)
        ]
    return rows


def contents(rows: list[dict[str, Any]], incident: str) -> dict[str, bytes]:
    """backup.info texts, from the fields that the damage report kept."""
    known = {}
    for line in (DATA / "archive-damage.txt").read_text().splitlines():
        if match := re.match(r"(\d{8}T\d{6}) (\{.*\})$", line):
            info = {**ast.literal_eval(match[2]), "xlog_segment_size": str(SEGMENT)}
            known[f"{ROOT}base/{match[1]}/backup.info"] = "\n".join(f"{k}={v}" for k, v in info.items()).encode()
    return {key: known[key] for key, _ in archive.to_read(rows, ROOT, incident)}


def at(incident: str) -> Archive:
    rows = listing()
    return archive.read(rows, ROOT, contents(rows, incident), incident)


def test_the_second_writer_is_found_in_every_way() -> None:
    facts = wal_archive.facts_from(at(f"{DAY}T11:30:00Z"), OWN, 1)
    result = wal_archive.judge_one_writer(facts, PLAN)
    assert result.verdict is Verdict.FAIL
    told = "\n".join(result.findings)
    assert told.count("was written more than once") == 7
    assert "000000010000000000000048.gz" in told and "00000001000000000000004E.gz" in told
    assert "base backups of 5 different systems" in told
    assert told.count("never finished") == 4
    assert "base backup 20261123T111730" in told and "base backup 20261123T111741" in told
    assert not [f for f in result.findings if any(own in f for own in OWN)]


def test_backup_info_is_written_twice_by_every_backup_and_is_no_sign_of_a_second_writer() -> None:
    assert not [key for key in at(f"{DAY}T11:30:00Z").rewritten if key.endswith("backup.info")]


def test_what_is_younger_than_the_incident_is_not_seen() -> None:
    early = at(f"{DAY}T10:59:00Z")
    assert [b.id for b in early.backups] == ["20261123T105711"]
    assert max(number for _, number in early.segments) == 0x11
    assert early.younger > 0


def test_the_chain_of_the_first_backup() -> None:
    chain = at(f"{DAY}T11:02:00Z").chains()[0]
    assert (chain.usable, chain.last, chain.segments, chain.gap) == (True, "00000001000000000000001A", 15, None)
