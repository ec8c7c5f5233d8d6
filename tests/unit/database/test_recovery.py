"""What the recovery creates, and the checks on the Cluster it made."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from archive_sample import Bucket
from dalp_dr import naming
from dalp_dr.catalogue import KINDS
from dalp_dr.database import facts, recovered, recovery
from dalp_dr.errors import RefusedError
from dalp_dr.model.check import Verdict
from dalp_dr.model.record import encode
from dalp_dr.model.status import Done, Failed, Waiting
from sandbox_sample import PLAN, a_plan

NAMESPACE = PLAN.namespace("app")


def cluster(**status: Any) -> dict[str, Any]:
    made = recovery.manifests(PLAN)[1]
    made["metadata"] |= {"uid": "u-1", "creationTimestamp": "2026-10-06T06:01:00Z"}
    healthy = {
        "phase": recovery.HEALTHY,
        "readyInstances": 1,
        "timelineID": 2,
        "systemID": "7000000000000000001",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-10-06T06:02:00Z"}],
    }
    return made | {"status": healthy | status}


def test_the_store_is_read_with_the_read_only_key_and_deletes_nothing() -> None:
    store = recovery.manifests(PLAN)[0]
    configuration = store["spec"]["configuration"]
    assert configuration["destinationPath"] == "s3://dalp-wal/prod"
    assert configuration["endpointURL"] == "http://10.9.0.1:8333"
    assert configuration["s3Credentials"]["accessKeyId"] == {"name": "dalp-dr-archive-read", "key": "ACCESS_KEY_ID"}
    assert "retentionPolicy" not in store["spec"]


def test_the_cluster_has_the_sources_name_no_archiver_and_the_plans_point() -> None:
    made = recovery.manifests(PLAN)[1]
    spec = made["spec"]
    assert (made["metadata"]["name"], made["metadata"]["namespace"]) == ("dalp-pg", NAMESPACE)
    assert made["metadata"]["labels"] == naming.labels(PLAN.drill_id, "lab")
    assert "plugins" not in spec and "backup" not in spec
    assert spec["externalClusters"][0]["plugin"]["parameters"] == {"barmanObjectName": recovery.OBJECT_STORE, "serverName": "dalp-pg"}
    assert spec["bootstrap"]["recovery"] == {
        "source": "archive",
        "database": "dalp",
        "owner": "dalp",
        "recoveryTarget": {"targetLSN": "0/4FFFF00", "backupID": "20261006T020000", "targetTLI": "1"},
    }
    assert spec["priorityClassName"] == "dalp-drill"


def test_a_target_time_is_given_with_its_zone() -> None:
    assert PLAN.database is not None
    made = recovery.manifests(a_plan(database=replace(PLAN.database, target_lsn=None)))[1]
    assert made["spec"]["bootstrap"]["recovery"]["recoveryTarget"]["targetTime"] == "2026-10-06T05:59:30.000000Z"


def test_a_plan_without_a_point_creates_nothing() -> None:
    with pytest.raises(RefusedError):
        recovery.manifests(a_plan(database=None))


def pod(name: str, phase: str, job: bool = True, created: str = "2026-10-06T06:01:10Z", **status: Any) -> dict[str, Any]:
    labels = {"cnpg.io/cluster": "dalp-pg"} | ({"cnpg.io/jobRole": "full-recovery"} if job else {})
    return {"metadata": {"name": name, "labels": labels, "creationTimestamp": created}, "status": {"phase": phase, **status}}


STATUSES: dict[str, tuple[dict[str, Any] | None, list[dict[str, Any]], type]] = {
    "no cluster yet": (None, [], Waiting),
    "healthy": (cluster(), [], Done),
    "healthy phase, instance not ready": (cluster(readyInstances=0), [], Waiting),
    "healthy phase, Ready not true": (cluster(conditions=[{"type": "Ready", "status": "False"}]), [], Waiting),
    "no status": (cluster() | {"status": {}}, [], Waiting),
    "failed pod": (cluster(phase="Setting up primary"), [pod("r-1", "Failed")], Failed),
    "unrecoverable": (cluster(phase="Cluster is unrecoverable and needs manual intervention"), [], Failed),
    "plugin missing": (cluster(phase="Cluster cannot proceed to reconciliation due to an unknown plugin being required"), [], Failed),
    "plugin error, transient": (
        cluster(phase="Cluster cannot proceed to reconciliation due to an error while interacting with plugins"),
        [],
        Waiting,
    ),
    "image cannot be pulled": (
        cluster(phase="Setting up primary"),
        [pod("r-1", "Pending", containerStatuses=[{"state": {"waiting": {"reason": "ImagePullBackOff"}}}])],
        Waiting,
    ),
}


@pytest.mark.parametrize("case", STATUSES)
def test_status(case: str) -> None:
    found, pods, kind = STATUSES[case]
    assert isinstance(recovery.status(found, pods), kind)


def test_what_holds_a_pod_up_is_shown() -> None:
    seen = recovery.status(*STATUSES["image cannot be pulled"][:2])
    assert isinstance(seen, Waiting) and "r-1 Pending (ImagePullBackOff)" in seen.what
    unscheduled = pod(
        "r-2", "Pending", conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no cpu"}]
    )
    held = recovery.status(cluster(phase="Setting up primary"), [unscheduled])
    assert isinstance(held, Waiting) and "Unschedulable: no cpu" in held.what


def test_the_first_failed_pod_is_named() -> None:
    pods = [
        pod("r-2", "Failed", created="2026-10-06T06:02:00Z"),
        pod("r-1", "Failed"),
        pod("dalp-pg-1", "Failed", job=False, created="2026-10-06T06:00:00Z"),
    ]
    assert recovery.failed_pod(pods) == "r-1"


def judged(found: dict[str, Any], rows: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    read = facts.database_recovery(PLAN, found, None, rows, **more)
    return {"recovered": recovered.judge_recovered(read, PLAN), "archiver": recovered.judge_no_archiver(read, PLAN)}


def test_a_sound_recovery_passes() -> None:
    results = judged(cluster(), Bucket().segments(range(5)).rows)
    assert {r.verdict for r in results.values()} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"phase": "Setting up primary"}, "phase 'Setting up primary'"),
        ({"readyInstances": 0}, "0 of 1 instances ready"),
        ({"conditions": []}, "Ready=Unknown"),
    ],
)
def test_a_cluster_that_is_not_healthy_fails_with_the_cause(status: dict[str, Any], said: str) -> None:
    result = judged(cluster(**status), [], failure="target too early")["recovered"]
    assert result.verdict is Verdict.FAIL
    assert result.findings[0] == "target too early" and said in result.findings[1]


def test_an_earlier_attempt_that_failed_is_told_but_no_fault() -> None:
    result = judged(cluster(), [], failure="network")["recovered"]
    assert (result.verdict, "an earlier attempt failed: network" in result.observed) == (Verdict.PASS, True)


def test_another_target_or_server_than_planned_fails() -> None:
    found = cluster()
    found["spec"]["bootstrap"]["recovery"]["recoveryTarget"] = {}
    found["spec"]["externalClusters"][0]["plugin"]["parameters"]["serverName"] = "other"
    assert len(judged(found, [])["recovered"].findings) == 2


def test_an_archiver_or_a_key_of_the_copys_timeline_fails() -> None:
    found = cluster()
    found["spec"]["plugins"] = [{"name": "barman-cloud.cloudnative-pg.io", "isWALArchiver": True}]
    found["spec"]["backup"] = {"barmanObjectStore": {}}
    bucket = Bucket().segments(range(5)).segments(range(5, 6), timeline=2, at=60 * 7)
    bucket.put("wals/00000002.history", 60 * 7)
    result = judged(found, bucket.rows)["archiver"]
    assert result.verdict is Verdict.FAIL
    assert len(result.findings) == 4


def test_without_the_archives_listing_it_is_open_whether_the_copy_archives() -> None:
    assert judged(cluster(), None)["archiver"].verdict is Verdict.INCONCLUSIVE


def test_the_record_is_read_back_as_it_was_written() -> None:
    read = facts.database_recovery(
        PLAN, cluster(), {"full-recovery": "", "plugin-barman-cloud": ""}, [], finished_at="2026-10-06T06:02:01Z"
    )
    assert KINDS["database_recovery"].decode(json.loads(json.dumps(encode(read)))) == read
