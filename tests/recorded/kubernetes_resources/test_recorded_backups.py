"""Backups as a real Velero wrote them, through all their phases."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dalp_dr.kubernetes_resources import backups, volumes
from dalp_dr.kubernetes_resources.backups import SCHEDULE_LABEL, BackupFacts
from dalp_dr.model.plan import utc
from velero_sample import PLAN, SOURCES, judged, red

DATA = Path(__file__).parents[1] / "data" / "velero" / "backups"
SOURCE = SOURCES["app"]
INCIDENT = utc("2026-11-23T12:00:00Z")


def recorded(case: str, kind: str) -> list[dict[str, Any]]:
    """Every version of the objects of a kind. The recorded backups were made by hand: they get our schedule's label."""
    found = [json.loads(line) for line in (DATA / f"{case}.jsonl").read_text().splitlines()]
    found = [o for o in found if o["kind"] == kind]
    for item in found:
        item["metadata"]["labels"] = {**(item["metadata"].get("labels") or {}), SCHEDULE_LABEL: SOURCE.schedule}
    return found


def file(name: str) -> Any:
    return json.loads((DATA / name).read_text())


def test_it_is_chosen_when_it_is_complete_and_not_a_phase_before() -> None:
    *before, done = recorded("ok", "Backup")
    assert len(before) >= 5
    assert [backups.choose([b], SOURCE, INCIDENT) for b in before] == [None] * len(before)
    point = backups.choose([done], SOURCE, INCIDENT)
    assert point is not None
    assert (point.backup, point.started_at, point.completed_at) == ("dalp-1", "2026-11-23T10:58:01Z", "2026-11-23T10:58:12Z")


def test_a_backup_to_an_unavailable_location_never_starts_and_is_told() -> None:
    *before, refused = recorded("location-unavailable", "Backup")
    assert "startTimestamp" not in refused["status"]
    assert backups.choose([*before, refused], SOURCE, INCIDENT) is None
    assert backups.newer_failed([refused], SOURCE, None, INCIDENT) == ("to-badkey (FailedValidation)",)
    later = backups.choose(recorded("ok", "Backup")[-1:], SOURCE, INCIDENT)
    assert later is not None
    assert backups.newer_failed([refused], SOURCE, later, INCIDENT) == ("to-badkey (FailedValidation)",)
    assert backups.newer_failed([refused], SOURCE, replace(later, started_at="2026-11-23T11:30:00Z"), INCIDENT) == ()


def facts(**changes: Any) -> BackupFacts:
    """Of the recorded backup, a minute after it was made."""
    done, resources = recorded("ok", "Backup")[-1], file("ok.BackupResourceList.json")
    status = done["status"]
    good = BackupFacts(
        role="app",
        namespace="dalp",
        schedule=SOURCE.schedule,
        found=backups.choose([done], SOURCE, INCIDENT),
        phase=status["phase"],
        errors=status.get("errors", 0),
        warnings=status.get("warnings", 0),
        items=status["progress"]["itemsBackedUp"],
        items_listed=sum(map(len, resources.values())),
        newer_failed=(),
        location_phase="Available",
        location_mode="ReadWrite",
        schedule_phase="Enabled",
        schedule_paused=False,
        volumes=backups.volumes(volumes.claims(resources["v1/PersistentVolumeClaim"], "dalp"), file("ok.BackupVolumeInfos.json")),
        server_version="v1.18.3",
        pods=4,
        pods_left_out=(),
    )
    return replace(good, **changes)


AT = replace(PLAN, asked_at="2026-11-23T10:59:00Z", incident_time="2026-11-23T10:59:00Z")


def test_the_recorded_backup_passes() -> None:
    assert red(judged("backup", facts(), AT)) == {}
    assert [(v.claim, v.bytes_, v.result) for v in facts().volumes] == [
        ("app-files", 3000476, "succeeded"),
        ("data-indexer-0", 11, "succeeded"),
    ]


def test_its_retention_of_a_day_is_too_short_for_a_drill_of_the_day_after() -> None:
    tomorrow = replace(AT, asked_at="2026-11-24T10:30:00Z", incident_time="2026-11-24T10:30:00Z")
    assert red(judged("backup", facts(), tomorrow)) == {"backup_outlives_drill": "fail"}


@pytest.mark.parametrize("version", [0, -1])
def test_the_recorded_location_is_not_available(version: int) -> None:
    location = recorded("location-unavailable", "BackupStorageLocation")[version]
    phase = (location.get("status") or {}).get("phase", "")
    assert red(judged("backup", facts(location_phase=phase), AT)) == {"backup_location_available": "fail"}


def test_volumes_that_no_claim_has_are_not_claims() -> None:
    info = file("with-cnpg.BackupVolumeInfos.json")
    found = backups.volumes(volumes.claims(file("with-cnpg.BackupResourceList.json")["v1/PersistentVolumeClaim"], "dalp"), info)
    assert len(info) == 6
    assert [(v.claim, v.bytes_) for v in found] == [("app-files", 3000476), ("dalp-pg-1", 102113281), ("data-indexer-0", 11)]


def test_a_claim_whose_pod_was_not_in_the_backup_is_red() -> None:
    found = backups.volumes(["app-files", "left-behind"], file("ok.BackupVolumeInfos.json"))
    results = judged("backup", facts(volumes=found), AT)
    assert red(results) == {"backup_volumes_have_data": "fail"}
    assert "dalp/left-behind" in results["backup_volumes_have_data"].findings[0]
