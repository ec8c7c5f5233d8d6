"""What the backups would never hold."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.kubernetes_resources.backups import VolumeBackup
from dalp_dr.posture import coverage
from posture_sample import ENVIRONMENT, LABELS, LISTED, LIVE, an_object, judged, red, said

FOLDERS = {"classes": {"standard": "cluster.local/folder"}, "drivers": set(), "snapshots": False}
SNAPSHOTS = {"classes": {"standard": "ebs.csi.aws.com"}, "drivers": {"ebs.csi.aws.com"}, "snapshots": True}
FILES = (VolumeBackup("dalp-worker-journal", "PodVolumeBackup", 10, "Delete", "succeeded"),)


def facts(
    live: list[Any] = LIVE,
    listed: dict[str, list[str]] = LISTED,
    volumes: tuple[VolumeBackup, ...] = FILES,
    storage: dict[str, Any] = FOLDERS,
    files_wanted: bool | None = True,
    selectors: tuple[dict[str, str], ...] = (LABELS,),
    backup: str | None = "dalp-daily-1",
) -> coverage.Coverage:
    return coverage.facts_from(ENVIRONMENT, "app", backup, selectors, live, listed, volumes, storage, files_wanted)


def test_a_labelled_namespace_is_green_and_the_database_is_left_to_its_own_recovery() -> None:
    found = facts()
    assert red(judged("coverage", found)) == {}
    assert found.unselected == ()
    assert [n.partition(" ")[0] for n in found.needed] == [
        "ConfigMap/dalp-config",
        "PersistentVolumeClaim/dalp-worker-journal",
        *(f"Secret/{n}" for n in ("dalp-dapi", "dalp-signer", "dalp-smtp", "dalp-webhook", "pull")),
    ]


def without(kind: str, name: str) -> dict[str, list[str]]:
    return {k: [e for e in v if not (k == kind and e == f"dalp/{name}")] for k, v in LISTED.items()}


def unlabelled(kind: str, name: str) -> list[Any]:
    return [*LIVE, an_object(kind, name, {"app": "x"}, spec={})]


DAMAGE = {
    "unlabelled pod": (
        facts([an_object("Pod", "dalp-worker-1", {}, "ReplicaSet/x", spec={}), *LIVE[1:]]),
        "labels_cover",
        "Pod/dalp-worker-1",
    ),
    "unlabelled service": (facts(unlabelled("Service", "dalp-new")), "labels_cover", "Service/dalp-new"),
    "unlabelled config map": (facts(unlabelled("ConfigMap", "besu-genesis")), "labels_cover", "ConfigMap/besu-genesis"),
    "nothing chooses": (facts(selectors=()), "labels_cover", "no schedule chooses anything"),
    "Secret not backed up": (
        facts(listed=without("v1/Secret", "dalp-dapi")),
        "needed_objects_backed_up",
        "Secret/dalp-dapi (Pod/dalp-worker-1)",
    ),
    "pull Secret not backed up": (facts(listed=without("v1/Secret", "pull")), "needed_objects_backed_up", "Secret/pull"),
    "claim not backed up": (
        facts(listed=without("v1/PersistentVolumeClaim", "dalp-worker-journal")),
        "needed_objects_backed_up",
        "journal",
    ),
    "Secret of another namespace": (
        facts(listed={**LISTED, "v1/Secret": ["dalp/other"]}),
        "needed_objects_backed_up",
        "Secret/dalp-signer",
    ),
    "no backup": (facts(backup=None), "needed_objects_backed_up", "no backup"),
    "certificate of an Ingress": (
        facts([*LIVE, an_object("Ingress", "new", spec={"tls": [{"secretName": "other-tls"}]})]),
        "needed_objects_backed_up",
        "Secret/other-tls",
    ),
    "volume without data": (
        facts(volumes=(VolumeBackup("dalp-worker-journal", "none", None, "", ""),)),
        "volume_method",
        "dalp-worker-journal: none",
    ),
    "files where snapshots are possible": (facts(storage=SNAPSHOTS, files_wanted=False), "volume_method", "can take snapshots"),
}


@pytest.mark.parametrize(("found", "check", "words"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_red(found: coverage.Coverage, check: str, words: str) -> None:
    results = judged("coverage", found)
    assert red(results).get(check) == "fail"
    assert words in said(results[check])


@pytest.mark.parametrize(
    "found",
    [
        facts(storage=SNAPSHOTS),  # the chart asks for files
        facts(storage=SNAPSHOTS, files_wanted=False, volumes=(VolumeBackup("dalp-worker-journal", "CSISnapshot", 1, "", ""),)),
        facts(storage={**SNAPSHOTS, "snapshots": False}, files_wanted=False),  # no VolumeSnapshot API
        facts(storage={**SNAPSHOTS, "drivers": set()}, files_wanted=False),
    ],
    ids=["files by the chart", "snapshot", "no API", "no driver"],
)
def test_methods_that_fit(found: coverage.Coverage) -> None:
    assert "volume_method" not in red(judged("coverage", found))


def test_an_empty_namespace_is_not_green() -> None:
    results = red(judged("coverage", facts(live=[], listed={})))
    assert (results["labels_cover"], results["needed_objects_backed_up"]) == ("inconclusive", "inconclusive")


def test_the_role_s_own_namespace_is_looked_at() -> None:
    """A backup of several namespaces lists Secrets of the same name elsewhere."""
    elsewhere = {k: [e.replace("dalp/", "other/") for e in v] for k, v in LISTED.items()}
    assert red(judged("coverage", facts(listed=elsewhere)))["needed_objects_backed_up"] == "fail"
