"""What a bundle holds, and that the sealed part never changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence import bundle, canonical, manifest, records, seal
from dalp_dr.evidence.store import FolderStore
from synthetic_drill import (
    CAPTURED,
    CAPTURES,
    CATALOGUE,
    KEY,
    PROVENANCE,
    SEALED_AT,
    a_plan,
    a_record,
    decided,
    good_records,
    private_pem,
    sealed,
    with_record,
)

PLAN = a_plan()


def test_the_layout() -> None:
    files = set(sealed().files)
    assert {
        "plan.json",
        "manifest.json",
        "statement.dsse.json",
        "verdict.json",
        "provenance.json",
        "records/backup--app--01.json",
        f"captures/{canonical.sha256(CAPTURED)}",
    } <= files
    assert not any(path.startswith("after/") for path in files)


def test_the_same_evidence_is_the_same_bundle() -> None:
    assert sealed().manifest_sha256 == sealed().manifest_sha256


def test_only_cited_captures_are_kept() -> None:
    built = bundle.build(PLAN, good_records(PLAN), {**CAPTURES, "ab" * 32: b"nobody cites this"}, {}, **CATALOGUE)
    assert [p for p in built.files if p.startswith("captures/")] == [f"captures/{canonical.sha256(CAPTURED)}"]


@pytest.mark.parametrize("captures", [{}, {canonical.sha256(CAPTURED): b"something else"}], ids=["absent", "of another digest"])
def test_a_capture_that_was_not_kept_is_said_and_is_not_ready(captures: dict[str, bytes]) -> None:
    built = bundle.build(PLAN, good_records(PLAN), captures, {}, **CATALOGUE)
    verdict = canonical.loads(built.files["verdict.json"])
    assert verdict["decision"] == "FIX"
    assert [r["check"] for r in verdict["reasons"]] == ["captures_kept"]


def test_every_attempt_is_in_it() -> None:
    found = (*good_records(PLAN), a_record(PLAN, "telemetry", attempt=2))
    assert {"records/telemetry--drill--01.json", "records/telemetry--drill--02.json"} <= set(sealed(PLAN, found).files)


def test_two_records_of_one_name_are_refused() -> None:
    with pytest.raises(EvidenceError, match="exists twice"):
        bundle.build(PLAN, (*good_records(PLAN), a_record(PLAN, "telemetry")), CAPTURES, {}, **CATALOGUE)


def test_a_subject_that_leads_elsewhere_is_refused() -> None:
    with pytest.raises(EvidenceError, match="no file name"):
        bundle.build(PLAN, (*good_records(PLAN), a_record(PLAN, "telemetry", subject="../../x")), CAPTURES, {}, **CATALOGUE)


def test_facts_that_json_cannot_say_become_an_error() -> None:
    for facts in ({"ratio": float("nan")}, {"count": 2**60}, {"name": "\ud800"}):
        read = records.decode(records.encode(a_record(PLAN, "telemetry", facts=facts)))
        assert read.facts is None and "could not be written" in str(read.error)


def test_a_record_of_a_later_schema_is_refused() -> None:
    data = canonical.dumps({**canonical.loads(records.encode(a_record(PLAN, "telemetry"))), "schema_version": 99})
    with pytest.raises(EvidenceError, match="schema version 99"):
        records.decode(data)


def test_a_sealed_bundle_is_not_sealed_again() -> None:
    with pytest.raises(EvidenceError, match="sealed already"):
        seal.seal(sealed(), private_pem(KEY), SEALED_AT)


def test_statements_after_the_seal_leave_it_alone() -> None:
    before = sealed()
    after = decided(before)
    assert after.manifest_sha256 == before.manifest_sha256
    assert {p: after.files[p] for p in before.files} == dict(before.files)
    assert after.after("decision")[0][0] == "after/decision-01.dsse.json"
    envelope = after.after("decision")[0][1]
    assert after.with_after("decision", envelope) is after  # a rerun adds nothing


def test_write_and_read_back_and_write_again(tmp_path: Path) -> None:
    whole = decided(sealed())
    folder = tmp_path / "d-20261006-00000000" / "bundle"
    whole.write(folder)
    assert bundle.read(folder).files == whole.files
    whole.write(folder)
    other = bundle.build(
        PLAN,
        with_record(good_records(PLAN), a_record(PLAN, "telemetry", facts=None)),
        CAPTURES,
        PROVENANCE,
        **CATALOGUE,
    )
    with pytest.raises(EvidenceError, match="never overwritten"):
        other.write(folder)


def test_the_signed_statement_is_stored_after_what_it_speaks_of() -> None:
    order: list[str] = []

    class Order(FolderStore):
        def put(self, key: str, data: bytes) -> None:
            order.append(key)

    decided(sealed()).put(Order(Path("nowhere")), "bundles/d/01")
    statement = order.index("bundles/d/01/statement.dsse.json")
    assert all("/after/" in key for key in order[statement + 1 :])
    assert order.index("bundles/d/01/manifest.json") < statement


def test_a_second_attempt_names_the_first() -> None:
    first = sealed()
    second = sealed(previous=first.manifest_sha256, attempt=2)
    assert second.read_manifest().previous == first.manifest_sha256
    assert second.manifest_sha256 != first.manifest_sha256


def test_a_manifest_of_a_later_schema_is_refused() -> None:
    data = canonical.dumps({**canonical.loads(sealed().files["manifest.json"]), "schema_version": 2})
    with pytest.raises(EvidenceError, match="schema version 2"):
        manifest.decode(data)
