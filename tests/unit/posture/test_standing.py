"""The posture as a whole: missing records, deviations, changes, metrics."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dalp_dr.model.check import Verdict
from dalp_dr.model.record import Record, encode
from dalp_dr.model.watch import Deviation
from dalp_dr.posture import checks, metrics, standing
from dalp_dr.posture.schedules import facts_from
from posture_sample import BACKUP, ENVIRONMENT, LOCATION, NOW, PLAN, RELEASE, SCHEDULE, TIERS, with_posture

DEVIATION = Deviation(
    check="retention_table_kept", subject="app", reason="one daily tier is enough here", approved_by="olga", until="2026-12-31"
)


def a_record(kind: str, subject: str, facts: Any, attempt: int = 1) -> Record:
    return Record(kind, subject, "p-1", "t", attempt, NOW, None if facts is None else encode(facts), None if facts else "no answer")


def backups(*found: Any) -> Any:
    return facts_from(ENVIRONMENT, "app", found, [BACKUP], LOCATION, RELEASE, NOW)


def row(found: tuple[standing.Row, ...], check: str, subject: str) -> standing.Row:
    return next(r for r in found if (r.check, r.subject) == (check, subject))


def test_without_records_nothing_is_green() -> None:
    found = standing.rows((), PLAN)
    assert {r.verdict for r in found} == {"inconclusive"}
    assert {r.check for r in found} == {c.id for c in checks.CHECKS} - {"escrow_readable"}, "no escrow is named here"
    assert standing.verdict(found) is Verdict.INCONCLUSIVE
    assert standing.verdict(()) is Verdict.INCONCLUSIVE


def test_every_kind_has_subjects_and_every_check_a_kind() -> None:
    assert set(standing.subjects(ENVIRONMENT)) == (set(checks.KINDS) | {"backup"}) - {"escrow_reading"}
    assert {c.kind for c in checks.CHECKS} <= set(standing.subjects(ENVIRONMENT)) | {"escrow_reading"}


def test_the_five_surfaces_and_the_drills_are_all_asked_about() -> None:
    surfaces = {"database", "kubernetes_resources", "object_storage", "observability", "configuration", "drill"}
    assert {r.surface for r in standing.rows((), PLAN)} == surfaces


def test_the_newest_attempt_counts() -> None:
    old, new = a_record("resource_backups", "app", None), a_record("resource_backups", "app", backups(*TIERS), 2)
    assert row(standing.rows((new, old), PLAN), "retention_table_kept", "app").verdict == "pass"


@pytest.mark.parametrize(
    ("deviation", "counts"),
    [
        (DEVIATION, "pass"),
        (DEVIATION.model_copy(update={"subject": "*"}), "pass"),
        (DEVIATION.model_copy(update={"subject": "support"}), "fail"),
        (DEVIATION.model_copy(update={"check": "wal_lag"}), "fail"),
        (DEVIATION.model_copy(update={"until": "2026-10-06"}), "pass"),
        (DEVIATION.model_copy(update={"until": "2026-10-05"}), "fail"),
    ],
    ids=["declared", "for all", "of another role", "of another check", "last day", "over"],
)
def test_a_declared_deviation_stays_visible_and_ends(deviation: Deviation, counts: str) -> None:
    plan = with_posture(deviations=(deviation,))
    found = row(standing.rows((a_record("resource_backups", "app", backups(SCHEDULE)),), plan), "retention_table_kept", "app")
    assert (found.verdict, found.counts.value) == ("fail", counts)


def test_a_deviation_covers_a_finding_and_not_a_missing_answer() -> None:
    plan = with_posture(deviations=(DEVIATION,))
    found = row(standing.rows((a_record("resource_backups", "app", None),), plan), "retention_table_kept", "app")
    assert (found.verdict, found.accepted) == ("inconclusive", None)


def test_changes_are_told_once() -> None:
    good = standing.document(standing.rows((a_record("resource_backups", "app", backups(*TIERS)),), with_posture(deviations=())), PLAN)
    bad = standing.document(standing.rows((a_record("resource_backups", "app", backups(SCHEDULE)),), with_posture(deviations=())), PLAN)
    assert [line.partition(":")[0] for line in standing.changes(good, bad)] == ["retention_table_kept (app) is fail, was pass"]
    assert [line.partition(":")[0] for line in standing.changes(bad, good)] == ["retention_table_kept (app) is pass, was fail"]
    assert standing.changes(bad, bad) == ()
    assert len(standing.changes(None, good)) == sum(r["verdict"] != "pass" for r in good["rows"])


SAMPLE = re.compile(r'^[a-z_]+\{([a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+\} -?[0-9.e+]+$')


def test_metrics_are_prometheus_text() -> None:
    records = (a_record("resource_backups", "app", backups(SCHEDULE)),)
    text = metrics.text(standing.rows(records, PLAN), records, PLAN)
    lines = text.splitlines()
    assert [line for line in lines if not line.startswith("# ") and not SAMPLE.match(line)] == []
    assert 'dalp_dr_posture_verdict{environment="lab"} 1' in lines
    assert 'dalp_dr_backup_last_completed_timestamp_seconds{environment="lab",role="app",namespace="dalp"} 1791252040' in lines
    assert (
        'dalp_dr_posture_accepted{environment="lab",check="retention_table_kept",subject="app",surface="kubernetes_resources"} 1' in lines
    )
    assert "dalp_dr_wal_archived_timestamp_seconds" not in text, "what is not known has no sample"
    assert {line.split()[2] for line in lines if line.startswith("# HELP")} <= set(metrics.HELP)


def test_a_name_from_outside_cannot_forge_a_sample() -> None:
    environment = ENVIRONMENT.model_copy(update={"name": 'a"} 0\nup{b="'})
    text = metrics.text((), (), replace(PLAN, environment=environment))
    assert [line for line in text.splitlines() if not line.startswith("# ") and not SAMPLE.match(line)] == []


def test_every_question_of_the_watch_s_own_has_been_seen_red() -> None:
    """Each of its checks stands in a table of damages beside this file; those shared with preflight have theirs there."""
    tables = "".join(f.read_text() for f in Path(__file__).parent.glob("test_*.py") if f != Path(__file__))
    own = [c.id for c in checks.CHECKS if c not in checks.SHARED]
    assert own
    assert [check for check in own if f'"{check}"' not in tables] == []
