"""The report says what the evidence supports, in words, numbers and pictures, and shows hostile text as text."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dalp_dr import catalogue, report
from dalp_dr.dossier import SEED_ROWS, Dossier
from dalp_dr.errors import EvidenceError
from dalp_dr.evidence.bundle import Bundle
from dalp_dr.evidence.verify import verify
from dalp_dr.model.record import encode
from dalp_dr.report import charts, split
from dalp_dr.report.facts import FIRST, in_words
from dalp_dr.report.page import Bar, Point, critical_path
from dalp_dr.text import moment, seconds, visible
from synthetic_drill import (
    CATALOGUE,
    PUBLIC,
    TIMING,
    CountFacts,
    a_plan,
    a_record,
    an_answer,
    decided,
    good_records,
    sealed,
    with_record,
)

PLAN = a_plan()
HOSTILE = "<script>alert(1)</script><img src=x onerror=y> \u202eexe.gnp \x1b[31m \x00 {{7*7}} #set text(red) $x$ \"'"


def view(bundle: Bundle, **more: Any) -> report.View:
    return report.of(verify(bundle, [PUBLIC], **CATALOGUE), **more)


READY = view(decided(sealed(PLAN)))
BROKEN = with_record(
    with_record(good_records(PLAN), a_record(PLAN, "reconciliation", facts=CountFacts(3, 2, (HOSTILE,)))),
    a_record(PLAN, "object_versions", facts=None, error=HOSTILE),
)
FIX = view(decided(sealed(PLAN, BROKEN)))


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("shown", [READY, FIX], ids=["READY", "FIX"])
def test_the_page_asks_for_nothing_and_runs_nothing(shown: report.View) -> None:
    page = Page(report.render_html(shown))
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "img", "link", "iframe", "object", "form", "base", "audio", "video", "foreignobject"}
    for tag, attributes in page.tags:
        assert not {name for name in attributes if name.startswith("on") or name in ("src", "style", "xlink:href")}, tag
        assert "href" not in attributes or (tag == "a" and str(attributes["href"]).startswith("../runbooks/")), tag
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    style = re.search(r"<style>(.*?)</style>", report.render_html(shown), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in style[1] and "@import" not in style[1]


def test_hostile_text_is_shown_as_text() -> None:
    text = report.render_html(FIX)
    assert "<script>" not in text and "\u202e" not in text and "\x1b" not in text and "\x00" not in text
    shown = " ".join(Page(text).words)
    assert "<script>alert(1)</script>" in shown and "\\u202e" in shown and "\\u001b" in shown and "{{7*7}}" in shown


def test_decision_first() -> None:
    for shown, word in ((READY, "READY"), (FIX, "FIX")):
        words = [w.strip() for w in Page(report.render_html(shown).split("<body>")[1]).words if w.strip()]
        assert words[0] == word


def test_the_seven_rows_in_the_seeds_order() -> None:
    text = report.render_html(READY)
    places = [text.index(f"<td>{title}</td>") for title in SEED_ROWS]
    assert places == sorted(places)
    assert [row.title for row in READY.rows] == list(SEED_ROWS)


def test_a_row_without_facts_is_never_shown_as_pass() -> None:
    row = next(r for r in FIX.rows if r.title == "Object version check")
    assert row.missing and row.verdict != "pass"


def test_every_reason_has_expected_observed_next_step_and_runbook() -> None:
    text = " ".join(Page(report.render_html(FIX)).words)
    for reason in FIX.reasons:
        assert all(part in text for part in (reason.check, reason.expected, reason.next_step, reason.runbook))


HEADLINES = {
    "signed": (decided(sealed(PLAN)), "READY", "signed off by otto"),
    "nobody signed": (sealed(PLAN), "FIX", "no owner signed off"),
    "rejected": (decided(sealed(PLAN), an_answer(sealed(PLAN), approved=False, reason="too slow")), "FIX", "too slow"),
    "failed": (decided(sealed(PLAN, BROKEN)), "FIX", "1 failed, 2 not known"),
    "tampered": (Bundle({**sealed(PLAN).files, "note": b""}, ""), "NOT INTACT", "cannot be believed"),
}


@pytest.mark.parametrize(("bundle", "word", "says"), HEADLINES.values(), ids=HEADLINES.keys())
def test_headline(bundle: Bundle, word: str, says: str) -> None:
    shown = view(bundle)
    assert shown.headline == word and says in shown.sentence and shown.good == (word == "READY")


def test_targets_against_achieved_and_what_was_not_measured_is_not_met() -> None:
    facts = {**encode(TIMING), "rto_seconds": None, "rpo_by_surface": {"database": 9999.0}}
    rows = {t.name: t for t in view(sealed(PLAN, with_record(good_records(PLAN), a_record(PLAN, "timing", facts=facts)))).targets}
    assert rows["RTO: services healthy and reconciled"].met is None
    assert rows["RPO database"].met is False and rows["RPO configuration"].met is None
    assert {t.name: t.met for t in READY.targets}["RTO: services healthy and reconciled"] is True


RECOVERY = {
    "created_at": "2026-10-06T06:01:00Z",
    "healthy_at": "2026-10-06T06:02:20Z",
    "log": {
        "started_at": "2026-10-06T06:01:10Z",
        "base_restored_at": "2026-10-06T06:01:30Z",
        "redo_started_at": "2026-10-06T06:01:35Z",
        "redo_done_at": "2026-10-06T06:02:15Z",
        "segments_restored": 10,
    },
}
ARCHIVE = {"segment_bytes": 16_000_000, "backups": [{"id": "20261006T020000", "data_bytes": 200_000_000}]}


def steps_of(recovery: dict[str, Any]) -> dict[str, Any]:
    timing = a_record(PLAN, "timing", facts=TIMING)
    records = (
        timing,
        a_record(PLAN, "database_recovery", facts=recovery),
        a_record(PLAN, "wal_archive", facts=ARCHIVE),
    )
    return {s.name.partition(" (")[0]: s for s in split.steps(Dossier(PLAN, records, **CATALOGUE))}


def test_the_recovery_time_in_its_parts_with_speeds() -> None:
    found = steps_of(RECOVERY)
    assert (found["Base backup copied"].took, found["Base backup copied"].speed) == ("20 s", "10.0 MB/s")
    assert (found["WAL fetched and replayed"].took, found["WAL fetched and replayed"].speed) == ("40 s", "4.0 MB/s")
    assert found["Promotion until healthy"].took == "5 s"
    assert found["Queue: asked for until the first task began"].took == "1 min"
    assert found["Services started until healthy"].took == "2 min 10 s"


def test_waiting_for_segments_and_redo_are_told_apart_where_the_log_does() -> None:
    found = steps_of({**RECOVERY, "log": {**RECOVERY["log"], "fetch_seconds": 30.0}})
    assert (found["of which waiting for segments"].took, found["of which waiting for segments"].speed) == ("30 s", "3.00 s a segment")
    assert found["of which redo"].took == "10 s"
    assert "of which redo" not in steps_of(RECOVERY)


def test_the_route_switch_is_shown_with_its_times() -> None:
    host = {"host": "dapp.drill.example.com", "switch_seconds": 1.2, "back_seconds": None}
    records = (a_record(PLAN, "timing", facts=TIMING), a_record(PLAN, "route_switch", facts={"hosts": [host]}))
    found = {s.name: s.took for s in split.steps(Dossier(PLAN, records, **CATALOGUE))}
    assert found["Route of dapp.drill.example.com switched to the restored stack"].startswith("1")
    assert "Route of dapp.drill.example.com switched back" not in found


def test_a_part_whose_moments_are_unknown_is_left_out() -> None:
    assert "Base backup copied" not in steps_of({**RECOVERY, "log": None})
    assert "Promotion until healthy" not in steps_of({**RECOVERY, "healthy_at": "2026-10-06T05:00:00Z"})
    assert "Promotion until healthy" not in steps_of({**RECOVERY, "healthy_at": "noon"})


def test_people_are_waited_for_apart_from_the_clock() -> None:
    assert READY.waiting_seconds == pytest.approx(600, abs=1)
    assert "not part of the recovery clock" in charts.timeline(READY.bars)


def test_the_critical_path_goes_back_from_the_end() -> None:
    spans = [("a", 0.0, 10.0), ("b", 10.0, 50.0), ("c", 10.0, 30.0), ("d", 51.0, 60.0)]
    assert [s[0] for s in critical_path(spans)] == ["a", "b", "d"]
    assert critical_path([]) == ()


def test_the_trend_holds_earlier_drills_of_this_environment_only() -> None:
    earlier = [
        {
            "environment": "lab",
            "drill_id": "d-20260707-00000001",
            "rto_seconds": 500,
            "decision": "FIX",
            "started_at": "2026-07-07T06:00:00Z",
        },
        {
            "environment": "other",
            "drill_id": "d-20260707-00000002",
            "rto_seconds": 1,
            "started_at": "2026-07-07T06:00:00Z",
        },
        {
            "environment": "lab",
            "drill_id": "d-20270101-00000003",
            "rto_seconds": 1,
            "started_at": "2027-01-01T06:00:00Z",
        },
        {"environment": "lab", "drill_id": "d-20260707-00000004", "rto_seconds": None},
    ]
    assert [t[0] for t in view(decided(sealed(PLAN)), earlier=earlier).trend] == ["d-20260707-00000001", PLAN.drill_id]


PICTURES = {
    "timeline": charts.timeline([Bar("a<b>", 0, 10, True), Bar("r", 0, 86400 * 3, False, 1), Bar("wait", 0, 9e6, False, 0, True)]),
    "skew": charts.skew([Point("Database", 12.0, 300.0), Point("<x>", None, 86400.0), Point("Objects", 0.0, 1.0)]),
    "trend": charts.trend([("d<1>", 100.0, True), ("d-2", 900.0, False)], 600.0),
    "one instant": charts.timeline([Bar("a", 0, 0, True)]),
}


@pytest.mark.parametrize("svg", PICTURES.values(), ids=PICTURES.keys())
def test_pictures_are_whole_and_named(svg: str) -> None:
    root = ET.fromstring(svg)
    assert root[0].tag.endswith("title") and root.get("role") == "img"
    assert "NaN" not in svg and "inf" not in svg


def test_no_picture_of_nothing() -> None:
    assert charts.timeline(()) == charts.skew(()) == charts.trend([("d", 1.0, True)], 1.0) == ""


def test_the_pdf_of_hostile_evidence_is_the_same_each_time() -> None:
    first = report.render_pdf(FIX)
    assert first.startswith(b"%PDF-") and first == report.render_pdf(FIX)


def test_a_bundle_in_the_state_folder_is_read_with_the_state_folders_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "KINDS", CATALOGUE["kinds"])
    monkeypatch.setattr(catalogue, "CHECKS", CATALOGUE["checks"])
    folder = tmp_path / "drills" / PLAN.drill_id / "bundle"
    decided(sealed(PLAN)).write(folder)
    with pytest.raises(EvidenceError, match="public key"):
        report.view(folder)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "evidence.pub").write_bytes(PUBLIC.pem())
    assert report.view(folder).headline == "READY"
    assert report.view(folder, [PUBLIC]) == report.view(folder)


DURATIONS = {
    None: "not measured",
    0: "0 s",
    0.4: "0.4 s",
    59.6: "1 min",
    65: "1 min 05 s",
    3600: "1 h",
    7500: "2 h 05 min",
    90000: "1 d 01 h",
}


@pytest.mark.parametrize(("value", "words"), DURATIONS.items())
def test_durations_in_words(value: float | None, words: str) -> None:
    assert seconds(value) == words


def test_moments() -> None:
    assert moment("2026-10-06T08:00:00.123+02:00") == "2026-10-06 06:00:00 UTC"
    assert moment("2026-10-06T08:00:00") == "2026-10-06T08:00:00"
    assert moment("soon\x07") == "soon\\u0007"


def test_visible_keeps_ordinary_text_of_any_language() -> None:
    for text in ("naïve 日本 العربية", "a b", ""):
        assert visible(text) == text
    assert visible("a\nb\x07\u200f\U000e0001") == "a ⏎ b\\u0007\\u200f\\U000e0001"


def test_facts_in_words() -> None:
    facts = {
        "backup_name": "app-1",
        "found": {"phase": "Completed", "none": None, "deeper": {"x": 1}},
        "items": [1, 2],
        "ok": True,
        "empty": "",
        "no": None,
    }
    assert in_words("other", facts) == "backup name app-1; phase Completed; items 2; ok yes"
    assert in_words("other", facts, 2) == "backup name app-1; phase Completed; 2 more"
    assert in_words("other", {}) == ""


def test_the_rows_begin_with_what_the_seed_asks_for() -> None:
    facts = {"errors": 0, "found": {"backup": "app-2026", "started_at": "2026-10-06T02:00:00Z"}, "zeal": 1}
    assert in_words("backup", facts) == "backup app-2026; started at 2026-10-06T02:00:00Z; errors 0"


def test_what_was_never_reached_stands_together_and_hides_no_cause() -> None:
    stale = a_record(PLAN, "backup", "app", facts=CountFacts(3, 2))
    early = tuple(r for r in with_record(good_records(PLAN), stale) if r.kind in ("backup", "restore_target"))
    shown = view(sealed(PLAN, early))
    assert "refused before anything was restored" in shown.sentence
    assert shown.reasons[0].check == "backup_complete" and shown.reasons[-1].check == "not run"
    assert "reconciliation_complete (drill)" in shown.reasons[-1].findings
    assert sum(len(checks) for _, checks in shown.checks) == len(Dossier(PLAN, (), **CATALOGUE).outcomes())


def test_every_fact_named_for_a_row_exists() -> None:
    """The names follow the real record kinds; a renamed field shows here and not as an empty row."""
    for kind, names in FIRST.items():
        fields = {f.name for f in dataclasses.fields(catalogue.KINDS[kind].facts)}
        assert {name.partition(".")[0] for name in names} <= fields, kind
