"""Which backup is chosen, and every way in which it may not be used."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalp_dr import catalogue
from dalp_dr.kubernetes_resources import backups
from dalp_dr.kubernetes_resources.backups import BackupFacts, VolumeBackup
from dalp_dr.model.plan import utc
from velero_sample import PLAN, SOURCES, a_point, an_environment, judged, red, said

SOURCE = SOURCES["app"]
INCIDENT = utc("2026-10-06T06:00:00Z")


def a_backup(name: str, started: str, phase: str = "Completed", schedule: str | None = SOURCE.schedule, **status: Any) -> dict[str, Any]:
    """Times are hours and minutes of 6 October; a Completed backup took a minute."""
    began = f"2026-10-06T{started}:00Z"
    done = {"completionTimestamp": f"2026-10-06T{started}:59Z", "expiration": "2026-11-05T02:00:00Z"} if phase == "Completed" else {}
    labels = {"velero.io/schedule-name": schedule} if schedule else {}
    return {
        "metadata": {"name": name, "labels": labels, "creationTimestamp": began},
        "status": {"phase": phase, "startTimestamp": began, **done, **status},
    }


CHOICES = {
    "the newest": ([a_backup("a", "01:00"), a_backup("b", "05:00"), a_backup("c", "03:00")], "b"),
    "not one that was made after the incident": ([a_backup("a", "01:00"), a_backup("b", "06:01")], "a"),
    "not one that was still running at the incident": ([a_backup("a", "01:00"), a_backup("b", "06:00")], "a"),
    "one that completed at that very moment": ([a_backup("a", "05:00", completionTimestamp="2026-10-06T06:00:00Z")], "a"),
    "not a partly failed one": ([a_backup("a", "01:00"), a_backup("b", "05:00", "PartiallyFailed")], "a"),
    "not one that is being deleted": (
        [a_backup("a", "01:00"), a_backup("b", "05:00", "Deleting", completionTimestamp="2026-10-06T05:01:00Z")],
        "a",
    ),
    "not one of another schedule": ([a_backup("a", "01:00"), a_backup("b", "05:00", schedule="dalp-support-4h")], "a"),
    "not one that a person made": ([a_backup("a", "01:00"), a_backup("b", "05:00", schedule=None)], "a"),
    "none without a status": ([{"metadata": {"name": "a", "labels": {"velero.io/schedule-name": SOURCE.schedule}}}], None),
    "none at all": ([], None),
}


@pytest.mark.parametrize("case", CHOICES)
def test_choice(case: str) -> None:
    found, expected = CHOICES[case]
    point = backups.choose(found, SOURCE, INCIDENT)
    assert (point.backup if point else None) == expected


def test_the_point_carries_what_the_plan_needs() -> None:
    point = backups.choose([a_backup("a", "02:00")], SOURCE, INCIDENT)
    assert point == a_point(
        backup="a", started_at="2026-10-06T02:00:00Z", completed_at="2026-10-06T02:00:59Z", expires_at="2026-11-05T02:00:00Z"
    )


@given(st.lists(st.tuples(st.integers(0, 23), st.sampled_from(["Completed", "Failed", "InProgress", "Deleting"])), max_size=12))
def test_no_choice_is_younger_than_the_incident_or_older_than_another_usable_one(made: list[tuple[int, str]]) -> None:
    found = [a_backup(f"b{i}", f"{hour:02d}:00", phase) for i, (hour, phase) in enumerate(made)]
    usable = [b for b, (hour, phase) in zip(found, made, strict=True) if phase == "Completed" and hour < INCIDENT.hour]
    point = backups.choose(found, SOURCE, INCIDENT)
    assert (point.started_at if point else None) == max((b["status"]["startTimestamp"] for b in usable), default=None)


FAILURES = {
    "a newer failed one": ([a_backup("b", "05:00", "Failed")], ("b (Failed)",)),
    "a newer partly failed one": ([a_backup("b", "05:00", "PartiallyFailed")], ("b (PartiallyFailed)",)),
    "an older one is history": ([a_backup("b", "01:00", "Failed")], ()),
    "another schedule's is another's": ([a_backup("b", "05:00", "Failed", schedule="dalp-support-4h")], ()),
    "one after the incident is not known yet": ([a_backup("b", "06:30", "Failed")], ()),
    "one that runs has not failed": ([a_backup("b", "05:00", "InProgress")], ()),
}


@pytest.mark.parametrize("case", FAILURES)
def test_newer_failed(case: str) -> None:
    found, expected = FAILURES[case]
    assert backups.newer_failed(found, SOURCE, a_point(), INCIDENT) == expected


@pytest.mark.parametrize(("created", "expected"), [("05:00", ("b (FailedValidation)",)), ("01:00", ())])
def test_one_that_failed_validation_never_started_so_its_creation_counts(created: str, expected: tuple[str, ...]) -> None:
    found = a_backup("b", created, "FailedValidation")
    del found["status"]["startTimestamp"]
    assert backups.newer_failed([found], SOURCE, a_point(), INCIDENT) == expected


def test_without_a_usable_backup_every_failure_is_told() -> None:
    assert backups.newer_failed([a_backup("b", "01:00", "Failed")], SOURCE, None, INCIDENT) == ("b (Failed)",)


def an_entry(claim: str = "data", **changes: Any) -> dict[str, Any]:
    entry = {"pvcName": claim, "backupMethod": "PodVolumeBackup", "skipped": False, "result": "succeeded"}
    return entry | {"pvbInfo": {"size": 11}, "pvInfo": {"reclaimPolicy": "Delete"}} | changes


VOLUMES = {
    "backed up": ([an_entry()], VolumeBackup("data", "PodVolumeBackup", 11, "Delete", "succeeded")),
    "an empty volume has no size": ([an_entry(pvbInfo={})], VolumeBackup("data", "PodVolumeBackup", 0, "Delete", "succeeded")),
    "skipped": (
        [an_entry(skipped=True, skippedReason="not opted in", result="", pvbInfo=None)],
        VolumeBackup("data", "none", None, "Delete", "", "not opted in"),
    ),
    "listed, and nothing is known of it": ([], VolumeBackup("data", "none", None, "", "", "no running pod of this backup mounts it")),
    "an emptyDir has no claim": (
        [{"backupMethod": "PodVolumeBackup", "pvbInfo": {"size": 5}}, an_entry()],
        VolumeBackup("data", "PodVolumeBackup", 11, "Delete", "succeeded"),
    ),
}


@pytest.mark.parametrize("case", VOLUMES)
def test_volumes_of_a_backup(case: str) -> None:
    info, expected = VOLUMES[case]
    assert backups.volumes(["data"], info) == (expected,)


GOOD = BackupFacts(
    role="app",
    namespace="dalp",
    schedule="dalp-daily",
    found=a_point(),
    phase="Completed",
    errors=0,
    warnings=0,
    items=102,
    items_listed=35,
    newer_failed=(),
    location_phase="Available",
    location_mode="ReadWrite",
    schedule_phase="Enabled",
    schedule_paused=False,
    volumes=(VolumeBackup("dalp-worker-journal", "PodVolumeBackup", 11, "Delete", "succeeded"),),
    server_version="v1.18.3",
    pods=7,
    pods_left_out=(),
)
SKIPPED = VolumeBackup("dalp-worker-journal", "none", None, "Delete", "", "not opted in")

FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "it ended badly": ({"phase": "PartiallyFailed", "errors": 2}, "backup_complete", "PartiallyFailed, 2 errors"),
    "errors in a completed one": ({"errors": 1}, "backup_complete", "Completed, 1 errors"),
    "its resource list is empty": ({"items_listed": 0}, "backup_complete", "resource list is empty"),
    "a newer one failed": ({"newer_failed": ("b (Failed)",)}, "backup_complete", r"b (Failed)"),
    "stale": ({"found": a_point(started_at="2026-10-05T03:59:00Z")}, "backup_fresh", "26.0 h old"),
    "expires before the drill can end": ({"found": a_point(expires_at="2026-10-06T07:00:00Z")}, "backup_outlives_drill", "T07:00:00Z"),
    "nobody knows when it expires": ({"found": a_point(expires_at="")}, "backup_outlives_drill", "no expiration"),
    "location unavailable": ({"location_phase": "Unavailable"}, "backup_location_available", "Unavailable"),
    "location never looked at": ({"location_phase": ""}, "backup_location_available", "no phase"),
    "location read-only where Velero must write": ({"location_mode": "ReadOnly"}, "backup_location_available", "ReadOnly"),
    "a pod that the selector misses": ({"pods_left_out": ("dalp-erpc-1",)}, "every_pod_selected", "Pod/dalp-erpc-1"),
    "no schedule": ({"schedule_phase": None}, "backup_schedule_active", "no such schedule"),
    "schedule paused": ({"schedule_paused": True}, "backup_schedule_active", "paused"),
    "schedule invalid": ({"schedule_phase": "FailedValidation"}, "backup_schedule_active", "FailedValidation"),
    "a claim without data": ({"volumes": (SKIPPED,)}, "backup_volumes_have_data", "would come back empty (not opted in)"),
    "a claim that keeps its volume": (
        {"volumes": (replace(SKIPPED, reclaim_policy="Retain"),)},
        "backup_volumes_have_data",
        "would mount production's volume",
    ),
    "a copy that failed": (
        {"volumes": (replace(GOOD.volumes[0], result="failed"),)},
        "backup_volumes_have_data",
        "dalp/dalp-worker-journal: PodVolumeBackup failed",
    ),
}


def test_a_good_backup_passes_everything() -> None:
    assert red(judged("backup", GOOD)) == {}


@pytest.mark.parametrize("case", FAULTS)
def test_one_fault_turns_one_check_red(case: str) -> None:
    changes, check, words = FAULTS[case]
    results = judged("backup", replace(GOOD, **changes))
    assert red(results) == {check: "fail"}
    assert words in said(results[check])


def test_every_check_of_a_backup_was_seen_red() -> None:
    assert {check for _, check, _ in FAULTS.values()} == {c.id for c in catalogue.checks_of("backup")}


def test_without_a_backup_nothing_that_speaks_of_it_passes() -> None:
    results = judged("backup", replace(GOOD, found=None, phase=None, items_listed=0, volumes=(), newer_failed=("b (Failed)",)))
    assert red(results) == dict.fromkeys(("backup_complete", "backup_fresh", "backup_outlives_drill", "backup_volumes_have_data"), "fail")
    assert "b (Failed)" in said(results["backup_complete"]), "why there is none is told"


def test_just_young_enough_and_just_long_enough() -> None:
    edge = a_point(started_at="2026-10-05T04:00:00Z", expires_at="2026-10-06T07:00:01Z")
    assert red(judged("backup", replace(GOOD, found=edge))) == {}


def test_a_recovery_cluster_of_its_own_reads_only() -> None:
    apart = replace(PLAN, environment=an_environment(cluster="separate"))
    assert set(red(judged("backup", GOOD, apart))) == {"backup_location_available"}
    assert red(judged("backup", replace(GOOD, location_mode="ReadOnly"), apart)) == {}


def test_what_refuses_the_start_is_what_makes_the_backup_useless() -> None:
    refusing = {c.id for c in catalogue.checks_of("backup") if c.refuses}
    assert refusing == {"backup_complete", "backup_fresh", "backup_outlives_drill", "backup_location_available"}


def test_the_age_counts_from_the_incident_not_from_now() -> None:
    earlier = replace(PLAN, incident_time=(INCIDENT - timedelta(hours=3)).isoformat())
    old = replace(GOOD, found=a_point(started_at="2026-10-05T01:30:00Z"))
    assert red(judged("backup", old, earlier)) == {}
    assert red(judged("backup", old)) == {"backup_fresh": "fail"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pods": None, "pods_left_out": None}, "were not read"),
        ({"pods_left_out": None}, "were not read"),
        ({"pods": 0}, "no pod runs there"),
    ],
)
def test_pods_that_nobody_saw_are_not_chosen(changes: dict[str, Any], words: str) -> None:
    results = judged("backup", replace(GOOD, **changes))
    assert red(results) == {"every_pod_selected": "inconclusive"}
    assert words in said(results["every_pod_selected"])


def a_pod(name: str, labels: dict[str, str] | None = None, phase: str = "Running", owner: str = "ReplicaSet") -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels, "ownerReferences": [{"kind": owner}]}, "status": {"phase": phase}}


def test_pods_that_nobody_is_to_bring_back_are_not_asked_for() -> None:
    pods = [
        a_pod("worker"),
        a_pod("done", phase="Succeeded"),
        a_pod("rates", owner="Job"),
        a_pod("dalp-pg-1", {"cnpg.io/cluster": "dalp-pg"}, owner="Cluster"),
    ]
    assert [p["metadata"]["name"] for p in backups.living_pods(pods, "dalp-pg")] == ["worker"]
    assert len(backups.living_pods(pods, None)) == 2


APP = {"app": "dalp"}
SELECTORS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "no selector chooses everything": ({}, ()),
    "by labels": ({"labelSelector": {"matchLabels": APP}}, ("bare", "other")),
    "one of several": ({"orLabelSelectors": [{"matchLabels": APP}, {"matchLabels": {"app": "other"}}]}, ("bare",)),
    "by an expression": (
        {"labelSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["dalp", "other"]}]}},
        ("bare",),
    ),
    "by what it must not have": ({"labelSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}, ("good", "other")),
    "pods are left out as a kind": ({"excludedResources": ["events", "pods"]}, ("bare", "good", "other")),
    "only other kinds are chosen": ({"includedResources": ["configmaps"]}, ("bare", "good", "other")),
    "by any value": ({"labelSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}, ("bare",)),
    "by no such value": ({"labelSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["other"]}]}}, ("other",)),
}


@pytest.mark.parametrize(("template", "missed"), SELECTORS.values(), ids=SELECTORS.keys())
def test_pods_that_a_schedule_does_not_choose(template: dict[str, Any], missed: tuple[str, ...]) -> None:
    pods = [a_pod("good", APP), a_pod("other", {"app": "other"}), a_pod("bare")]
    assert backups.left_out(pods, {"spec": {"template": template}}) == missed


def test_a_pod_that_is_marked_to_be_left_out_is_left_out() -> None:
    pods = [a_pod("marked", {**APP, "velero.io/exclude-from-backup": "true"})]
    assert backups.left_out(pods, {"spec": {"template": {"labelSelector": {"matchLabels": APP}}}}) == ("marked",)
