"""What a restore must show: completed, every message known, every volume filled, nothing of the database."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dalp_dr import catalogue
from dalp_dr.kubernetes_resources import restored, server, status
from dalp_dr.kubernetes_resources.restored import RestoreFacts
from dalp_dr.model.status import Done, Failed, Waiting
from velero_sample import PLAN, judged, red, said

ALWAYS = "could not restore, ConfigMap:kube-root-ca.crt already exists. Warning: the in-cluster version is different"
RESULTS = {"errors": {}, "warnings": {"namespaces": {"sandbox": [ALWAYS]}}}
RESOURCES = {
    "v1/ConfigMap": ["sandbox/dalp-config(created)", "sandbox/kube-root-ca.crt(failed)"],
    "v1/Pod": ["sandbox/dalp-worker-0(created)"],
}


EXPECTED = restored.Expected(("dalp-worker-journal",), ("dalp-worker-0/journal",), snapshots={"dalp-worker-0/journal": "k-1"})


def a_restore(phase: str | None = "Completed", backup: str = PLAN.backup("app").backup, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "drill-1"}, "spec": {"backupName": backup}, "status": {"phase": phase, **more} if phase else None}


def a_transfer(phase: str = "Completed", done: int | None = 11, total: int | None = 11, **more: Any) -> dict[str, Any]:
    progress = {k: v for k, v in (("bytesDone", done), ("totalBytes", total)) if v is not None}
    made: dict[str, Any] = {"phase": phase} if phase else {}
    return {
        "spec": {"pod": {"name": "dalp-worker-0"}, "volume": "journal", "snapshotID": "k-1"},
        "status": made | {"progress": progress, **more},
    }


def found(
    restore: dict[str, Any] | None = None,
    transfers: list[dict[str, Any]] | None = None,
    results: dict[str, Any] | None = RESULTS,
    resources: dict[str, list[str]] | None = None,
    expected: restored.Expected | None = EXPECTED,
    **more: Any,
) -> RestoreFacts:
    listed = ({} if results is None else RESOURCES) if resources is None else resources
    begun = [a_transfer()] if transfers is None else transfers
    return restored.facts_from("app", restore or a_restore(), begun, results, listed, expected=expected, **more)


def with_message(half: str, where: dict[str, Any]) -> dict[str, Any]:
    return {**RESULTS, half: where}


GREEN = {
    "clean": found(),
    "a namespace without claims": found(transfers=[], expected=restored.Expected((), ())),
    "a claim whose data is a snapshot": found(transfers=[], expected=restored.Expected(("a",), (), ("a",))),
    "absent counters are zero": found(a_restore()),
    "a volume of no bytes shows no progress": found(transfers=[a_transfer(done=None, total=None)]),
    "no status of a volume at all but its phase": found(transfers=[{**a_transfer(), "status": {"phase": "Completed"}}]),
    "the account that every namespace has": found(
        results=with_message("warnings", {"namespaces": {"s": ["could not restore, ServiceAccount:default already exists. Warning"]}})
    ),
}


@pytest.mark.parametrize("case", GREEN)
def test_green(case: str) -> None:
    assert red(judged("restore_run", GREEN[case])) == {}


RED: dict[str, tuple[RestoreFacts, dict[str, str], str]] = {
    "partly failed": (found(a_restore("PartiallyFailed")), {"restore_completed": "fail"}, "PartiallyFailed"),
    "never finished": (found(a_restore(None)), {"restore_completed": "fail"}, "no phase"),
    "failed, and it says why": (
        found(a_restore("Failed", failureReason="found a restore in progress")),
        {"restore_completed": "fail"},
        "found a restore in progress",
    ),
    "refused by validation, and it says why": (
        found(a_restore("FailedValidation", validationErrors=["can't find backup velero/b-1"])),
        {"restore_completed": "fail"},
        "can't find backup velero/b-1",
    ),
    "completed, with an error of an object": (
        found(results=with_message("errors", {"namespaces": {"sandbox": ["services dapp is forbidden"]}})),
        {"restore_completed": "fail"},
        "services dapp is forbidden",
    ),
    "completed, with an error of Velero's own": (
        found(results=with_message("errors", {"velero": ["pod volume restore failed"]})),
        {"restore_completed": "fail"},
        "pod volume restore failed",
    ),
    "completed, with an error of the cluster's": (
        found(results=with_message("errors", {"cluster": ["no storage class"]})),
        {"restore_completed": "fail"},
        "no storage class",
    ),
    "it restored another backup than the plan names": (
        found(a_restore(backup="dalp-daily-20261005020000")),
        {"restore_completed": "fail"},
        "restored backup dalp-daily-20261005020000",
    ),
    "it restored nothing": (
        found(resources={"v1/ConfigMap": ["sandbox/dalp-config(skipped)", "sandbox/x(failed)"]}),
        {"restore_completed": "fail"},
        "restored no object at all",
    ),
    "an unknown warning": (
        found(results=with_message("warnings", {"namespaces": {"s": [ALWAYS, "could not restore, Secret:x already exists"]}})),
        {"restore_messages_known": "fail"},
        "Secret:x",
    ),
    "a warning that only looks like a known one": (
        found(results=with_message("warnings", {"namespaces": {"s": ["could not restore, ConfigMap:kube-root-caXcrt already exists."]}})),
        {"restore_messages_known": "fail"},
        "kube-root-caXcrt",
    ),
    "a volume failed": (
        found(transfers=[a_transfer("Failed", message="invalid repository password")]),
        {"pod_volumes_restored": "fail"},
        "invalid repository password",
    ),
    "a volume was cancelled": (found(transfers=[a_transfer("Canceled")]), {"pod_volumes_restored": "fail"}, "Canceled"),
    "a volume was never looked at": (found(transfers=[a_transfer("")]), {"pod_volumes_restored": "fail"}, "no phase"),
    "a volume is short of a byte": (found(transfers=[a_transfer(done=10)]), {"pod_volumes_restored": "fail"}, "10 of 11 bytes"),
    "a volume's bytes are not known": (found(transfers=[a_transfer(done=None)]), {"pod_volumes_restored": "fail"}, "None of 11"),
    "a volume of the backup was never begun": (found(transfers=[]), {"every_volume_transferred": "fail"}, "no PodVolumeRestore"),
    "the backup has bytes of no claim": (
        found(transfers=[], expected=restored.Expected(("a", "b"), ())),
        {"every_volume_transferred": "fail"},
        "none of its 2 claims",
    ),
    "what the backup holds is not known": (
        found(expected=None),
        {"every_volume_transferred": "inconclusive", "volumes_from_own_data": "inconclusive"},
        "not known",
    ),
    "filled from another's data": (
        found(transfers=[{**a_transfer(), "spec": {"pod": {"name": "dalp-worker-0"}, "volume": "journal", "snapshotID": "k-2"}}]),
        {"volumes_from_own_data": "fail"},
        "dalp-worker-0/journal: filled from k-2, its own data is k-1",
    ),
    "Velero restarted in the middle": (
        found(interrupted=["drill-0: Failed: found a restore during the server starting"]),
        {"restore_undisturbed": "fail"},
        "drill-0",
    ),
    "a record from before these questions": (
        replace(found(), interrupted=None, expected=None),
        {"every_volume_transferred": "inconclusive", "restore_undisturbed": "inconclusive", "volumes_from_own_data": "inconclusive"},
        "not known",
    ),
    "it stood still, and its volumes are told": (
        found(a_restore("InProgress"), transfers=[a_transfer("")], gave_up="Nothing moved for 60 s."),
        {"restore_completed": "inconclusive", "pod_volumes_restored": "fail"},
        "dalp-worker-0/journal: no phase",
    ),
    "nobody took it up": (
        found(a_restore(None), transfers=[], results=None, gave_up="Nothing moved for 60 s."),
        {
            "restore_completed": "inconclusive",
            "restore_messages_known": "inconclusive",
            "every_volume_transferred": "fail",
            "database_objects_left_out": "inconclusive",
        },
        "no phase; Nothing moved",
    ),
    "the wait ended late, the restore itself well": (
        found(a_restore("PartiallyFailed"), gave_up="Nothing moved for 60 s."),
        {"restore_completed": "fail"},
        "PartiallyFailed",
    ),
    "a Cluster came along": (
        found(resources={**RESOURCES, "postgresql.cnpg.io/v1/Cluster": ["sandbox/dalp-pg(created)"]}),
        {"database_objects_left_out": "fail"},
        "dalp-pg",
    ),
    "an ObjectStore came along": (
        found(resources={**RESOURCES, "barmancloud.cnpg.io/v1/ObjectStore": ["sandbox/archive(created)"]}),
        {"database_objects_left_out": "fail"},
        "archive",
    ),
    "the restore's files cannot be read: nothing that they tell is known": (
        found(results=None),
        {"restore_completed": "inconclusive", "restore_messages_known": "inconclusive", "database_objects_left_out": "inconclusive"},
        "",
    ),
    "a failed restore without files has failed all the same": (
        found(a_restore("Failed"), results=None),
        {"restore_completed": "fail", "restore_messages_known": "inconclusive", "database_objects_left_out": "inconclusive"},
        "Failed",
    ),
}


@pytest.mark.parametrize("case", RED)
def test_red(case: str) -> None:
    facts, expected, words = RED[case]
    results = judged("restore_run", facts)
    assert red(results) == expected
    assert words in said(results[next(iter(expected))])


def test_every_check_of_a_restore_was_seen_red() -> None:
    seen = {check for _, expected, _ in RED.values() for check, verdict in expected.items() if verdict == "fail"}
    assert seen == {c.id for c in catalogue.checks_of("restore_run")}


def test_all_messages_are_kept_whatever_part_they_stand_in() -> None:
    assert restored.messages({"velero": ["a"], "cluster": ["b"], "namespaces": {"x": ["c"], "y": ["d"]}}) == ("a", "b", "c", "d")
    assert restored.messages({"namespaces": None, "velero": None}) == ()


def test_earlier_attempts_are_told() -> None:
    facts = restored.facts_from("app", a_restore(), [], RESULTS, RESOURCES, ["drill-0"])
    assert replace(facts, earlier_attempts=()) == found(transfers=[], expected=None)
    assert facts.earlier_attempts == ("drill-0",)


STATUS = {
    "not seen yet": (a_restore(None), [], Waiting),
    "running": (a_restore("InProgress", progress={"itemsRestored": 3, "totalItems": 28}), [a_transfer("InProgress")], Waiting),
    "finalizing": (a_restore("Finalizing"), [a_transfer()], Waiting),
    "completed": (a_restore(), [a_transfer()], Done),
    "completed without volumes": (a_restore(), [], Done),
    "partly failed, a volume still running": (a_restore("PartiallyFailed"), [a_transfer("InProgress")], Waiting),
    "partly failed, a volume that nobody took up": (a_restore("PartiallyFailed"), [{**a_transfer(), "status": {"progress": {}}}], Waiting),
    "partly failed, a volume without a status": (a_restore("PartiallyFailed"), [{**a_transfer(), "status": None}], Waiting),
    "partly failed, and all volumes ended": (a_restore("PartiallyFailed"), [a_transfer(), a_transfer("Canceled")], Done),
    "failed": (a_restore("Failed", failureReason="server restart"), [a_transfer("Canceling")], Failed),
    "refused by validation": (a_restore("FailedValidation", validationErrors=["no such backup"]), [], Failed),
}


@pytest.mark.parametrize("case", STATUS)
def test_status(case: str) -> None:
    restore, transfers, expected = STATUS[case]
    assert isinstance(status.restore_status(restore, transfers), expected)


def test_a_restore_in_the_queue_moves_while_the_one_before_it_does() -> None:
    """Velero restores one after the other: a small namespace must not be given up because a large one comes first."""
    mine = {**a_restore(None), "metadata": {"name": "drill-2"}}
    label = {"metadata": {"labels": {"velero.io/restore-name": "drill-1"}}}

    def waits(done: int, *others: dict[str, Any]) -> str:
        seen = status.queued_status(mine, [mine, *others], [a_transfer("InProgress", done=done) | label])
        assert isinstance(seen, Waiting)
        return seen.what

    running = a_restore("InProgress", progress={"itemsRestored": 3, "totalItems": 28})
    assert waits(5, running) != waits(6, running), "its volumes are being filled"
    assert "behind Restore drill-1 InProgress, 3/28 objects" in waits(5, running)
    assert waits(5) == waits(6) == waits(6, a_restore("Completed")) == "Restore drill-2 New, 0/0 objects, 0/0 volumes, 0 bytes"


def test_a_failure_names_its_cause() -> None:
    for phase, more in (("Failed", {"failureReason": "why"}), ("FailedValidation", {"validationErrors": ["why", "and why"]})):
        found_status = status.restore_status(a_restore(phase, **more), [])
        assert isinstance(found_status, Failed) and "why" in found_status.cause


def test_a_wait_tells_how_far_it_is() -> None:
    restore = a_restore("InProgress", progress={"itemsRestored": 27, "totalItems": 28})
    waiting = status.restore_status(restore, [a_transfer(), a_transfer("InProgress", done=5)])
    assert waiting == Waiting("Restore drill-1 InProgress, 27/28 objects, 1/2 volumes, 16 bytes", 1, 2)


ENTRY = {"pvcName": "journal", "pvcNamespace": "dalp", "backupMethod": "PodVolumeBackup", "skipped": False}
POD = {"podName": "dalp-worker-0", "podNamespace": "dalp", "volumeName": "journal"}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param(ENTRY | {"pvbInfo": POD}, (("dalp-worker-0/journal",), ()), id="bytes of a file system backup"),
        pytest.param(ENTRY | {"pvcName": None, "pvbInfo": POD}, (("dalp-worker-0/journal",), ()), id="a volume without a claim"),
        pytest.param(ENTRY | {"pvbInfo": POD, "skipped": True}, ((), ()), id="skipped"),
        pytest.param(ENTRY | {"pvbInfo": POD, "pvcNamespace": "other"}, ((), ()), id="another namespace"),
        pytest.param(ENTRY | {"pvcName": "", "pvbInfo": POD | {"podNamespace": "other"}}, ((), ()), id="a pod of another namespace"),
        pytest.param(ENTRY | {"pvcName": "", "pvbInfo": POD | {"podName": "dalp-pg-1"}}, ((), ()), id="the database's pod"),
        pytest.param(ENTRY | {"pvcName": "dalp-pg-1", "pvbInfo": POD}, ((), ()), id="the database's claim"),
        pytest.param(ENTRY | {"backupMethod": "CSISnapshot"}, ((), ("journal",)), id="a snapshot"),
        pytest.param(ENTRY | {"backupMethod": ""}, ((), ()), id="not backed up at all"),
    ],
)
def test_what_the_backup_says_must_come(entry: dict[str, Any], expected: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    made = restored.expected_from("dalp", ["journal", "dalp-pg-1"], [entry], ["dalp-pg", "dalp-pg-*"])
    assert (made.claims, made.transfers, made.elsewhere) == (("journal",), *expected)


@pytest.mark.parametrize(
    ("deployment", "agents", "verdict"),
    [
        pytest.param(1, (1, 1), "pass", id="all run"),
        pytest.param(0, (1, 1), "fail", id="no server"),
        pytest.param(1, (0, 0), "fail", id="agents that match no node"),
        pytest.param(1, (2, 1), "fail", id="an agent is missing"),
        pytest.param(None, (None, None), "fail", id="absent counters are zero"),
    ],
)
def test_velero_must_run(deployment: int | None, agents: tuple[int | None, int | None], verdict: str) -> None:
    wanted, ready = agents
    status = {} if wanted is None else {"desiredNumberScheduled": wanted, "numberReady": ready}
    facts = server.facts_from({"status": {} if deployment is None else {"availableReplicas": deployment}}, {"status": status})
    assert judged("velero", facts)["velero_ready"].verdict.value == verdict


@pytest.mark.parametrize(
    ("snapshot", "own", "verdict", "words"),
    [
        ("k-1", "k-1", "pass", ""),
        ("k-2", "k-1", "fail", "dalp-worker-0/journal: filled from k-2, its own data is k-1"),
        ("", "k-1", "inconclusive", "data unknown"),
        ("k-1", "", "inconclusive", "no data of it in the backup"),
    ],
)
def test_a_volume_filled_from_anothers_data_is_named(snapshot: str, own: str, verdict: str, words: str) -> None:
    transfer = a_transfer()
    transfer["spec"]["snapshotID"] = snapshot
    result = restored.judge_own_data(
        found(transfers=[transfer], expected=replace(EXPECTED, snapshots={"dalp-worker-0/journal": own})), PLAN
    )
    assert result.verdict == verdict
    assert words in " ".join(result.findings)
