"""What a real Velero wrote, from its first word to its last: how it is waited for, read and judged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dalp_dr.kubernetes_resources import restored
from dalp_dr.kubernetes_resources.restored import RestoreFacts
from dalp_dr.kubernetes_resources.status import restore_status
from dalp_dr.model.status import Done, Failed, Status, Waiting
from velero_sample import PLAN, a_point, judged, red, said

DATA = Path(__file__).parents[1] / "data" / "velero"
CASES = sorted(folder.name for folder in DATA.iterdir() if (folder / "history.jsonl").exists())


def history(case: str) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The Restore and its PodVolumeRestores after each event, as a watcher saw them."""
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for line in (DATA / case / "history.jsonl").read_text().splitlines():
        item = json.loads(line)
        seen[item["kind"], item["metadata"]["name"]] = item
        [restore] = [o for (kind, _), o in seen.items() if kind == "Restore"]
        yield restore, [o for (kind, _), o in seen.items() if kind == "PodVolumeRestore"]


def last(case: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    return list(history(case))[-1]


def file(case: str, name: str) -> Any:
    path = DATA / case / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def facts(case: str) -> RestoreFacts:
    results = file(case, "RestoreResults")
    resources = file(case, "RestoreResourceList")
    read = results is not None and resources is not None
    return restored.facts_from("app", *last(case), results if read else None, resources if read else {}, expected=held(case))


def held(case: str) -> restored.Expected:
    """What the backup that a case restored says of its volumes."""
    name = "with-cnpg" if case == "with-cnpg" else "ok"
    info = json.loads((DATA / f"backups/{name}.BackupVolumeInfos.json").read_text())
    return restored.expected_from("dalp", ("app-files", "data-indexer-0"), info, ())


def judge(case: str) -> dict[str, Any]:
    found = facts(case)
    return judged("restore_run", found, replace(PLAN, backups=(a_point(backup=found.backup),)))


ENDS: dict[str, type[Status]] = {
    "ok": Done,
    "with-cnpg": Done,
    "conflict": Done,
    "admission": Done,
    "wrong-repo-password": Done,
    "missing-backup": Failed,
    "server-restart": Failed,
    "no-node-agent-quick": Waiting,
}


def test_every_recording_is_looked_at() -> None:
    assert set(CASES) == set(ENDS)


@pytest.mark.parametrize("case", ENDS)
def test_it_is_waited_for_until_its_last_word(case: str) -> None:
    seen = [restore_status(*moment) for moment in history(case)]
    assert isinstance(seen[-1], ENDS[case]), seen[-1]
    ended = next((i for i, s in enumerate(seen) if not isinstance(s, Waiting)), len(seen))
    assert all(type(s) is type(seen[-1]) for s in seen[ended:]), "once ended, it stays ended"
    phases = [(restore.get("status") or {}).get("phase") for restore, _ in history(case)]
    assert ended == len(seen) or phases[ended] in {"Completed", "PartiallyFailed", "Failed", "FailedValidation"}


def test_a_restore_is_not_over_before_its_volumes_are() -> None:
    restore, transfers = last("no-node-agent-quick")
    assert restore["status"]["phase"] == "PartiallyFailed"
    assert [t["status"].get("phase") for t in transfers] == [None, None], "an absent phase: nobody took it up yet"
    assert isinstance(restore_status(restore, transfers), Waiting)
    later = [{**t, "status": {"phase": "Completed"}} for t in transfers]  # the node agent came back and did its work
    assert restore_status(restore, later) == Done({"phase": "PartiallyFailed", "volumes": 2})


def test_causes_are_velero_own_words() -> None:
    missing, restarted = restore_status(*last("missing-backup")), restore_status(*last("server-restart"))
    assert isinstance(missing, Failed) and 'Backup.velero.io "no-such-backup" not found' in missing.cause
    assert isinstance(restarted, Failed) and "during the server starting" in restarted.cause


UNREAD = {"restore_messages_known": "inconclusive", "database_objects_left_out": "inconclusive"}
VERDICTS: dict[str, tuple[dict[str, str], str, str]] = {
    "ok": (
        {"database_objects_left_out": "fail"},
        "database_objects_left_out",
        "postgresql.cnpg.io/v1/Cluster dalp-drill-a/dalp-pg(created)",
    ),
    "with-cnpg": (
        {"database_objects_left_out": "fail"},
        "database_objects_left_out",
        "postgresql.cnpg.io/v1/Backup dalp-drill-b/base-2(created)",
    ),
    "conflict": (
        {"restore_messages_known": "fail", "every_volume_transferred": "fail", "database_objects_left_out": "fail"},
        "restore_messages_known",
        "Secret:dalp-pg-server already exists",
    ),
    "admission": (
        {"restore_completed": "fail", "every_volume_transferred": "fail", "database_objects_left_out": "fail"},
        "restore_completed",
        'services "dapp" is forbidden: exceeded quota',
    ),
    "wrong-repo-password": (
        {"restore_completed": "fail", "pod_volumes_restored": "fail", "database_objects_left_out": "fail"},
        "pod_volumes_restored",
        "invalid repository password",
    ),
    "missing-backup": ({"restore_completed": "fail", "every_volume_transferred": "fail", **UNREAD}, "restore_completed", "no-such-backup"),
    "server-restart": (
        {"restore_completed": "fail", "pod_volumes_restored": "fail", **UNREAD},
        "pod_volumes_restored",
        "Canceled PVR is in status",
    ),
    "no-node-agent-quick": (
        {"restore_completed": "fail", "pod_volumes_restored": "fail", **UNREAD},
        "pod_volumes_restored",
        "indexer-0/data: no phase",
    ),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_verdicts(case: str) -> None:
    expected, check, words = VERDICTS[case]
    results = judge(case)
    assert red(results) == expected
    assert words in said(results[check])


def test_a_clean_restore_passes_once_the_database_stays_out() -> None:
    resources = {k: v for k, v in file("ok", "RestoreResourceList").items() if "cnpg.io/" not in k}
    found = restored.facts_from("app", *last("ok"), file("ok", "RestoreResults"), resources, expected=held("ok"))
    assert red(judged("restore_run", found, replace(PLAN, backups=(a_point(backup="dalp-1"),)))) == {}
    assert (found.started_at, found.completed_at) == ("2026-11-23T11:14:53Z", "2026-11-23T11:15:04Z")
    assert sorted(v.bytes_done or 0 for v in found.volumes) == [11, 3000476]


def test_completed_and_healthy_by_its_phase_with_the_database_in_it() -> None:
    found = facts("with-cnpg")
    assert (found.phase, found.errors, len(found.volumes)) == ("Completed", (), 6)
    assert [v.bytes_done for v in found.volumes].count(None) == 1, "a volume of no bytes shows no progress"
    assert {o.split("/")[0] for o in found.database_objects} == {"postgresql.cnpg.io", "barmancloud.cnpg.io"}
    assert len(found.database_objects) == 7


def test_the_one_warning_of_every_restore_is_known() -> None:
    for case in CASES:
        warnings = restored.messages((file(case, "RestoreResults") or {}).get("warnings") or {})
        known = [w for w in warnings if any(k.search(w) for k in restored.KNOWN_WARNINGS)]
        assert len(known) == (1 if warnings else 0), case


def test_errors_of_velero_and_of_the_namespace_are_both_read() -> None:
    assert len(facts("wrong-repo-password").errors) == 2
    assert len(facts("admission").errors) == 2


def test_a_restore_that_found_its_pods_already_there_filled_no_volume() -> None:
    """Velero calls it Completed and names no PodVolumeRestore: only the backup's own list shows what is missing."""
    found = facts("conflict")
    assert (found.phase, found.volumes) == ("Completed", ())
    result = judge("conflict")["every_volume_transferred"]
    assert result.findings == ("dapp-76bf9745b5-r96k4/files: no PodVolumeRestore", "indexer-0/data: no PodVolumeRestore")


@pytest.mark.parametrize("case", CASES)
def test_only_a_restart_of_velero_is_worth_another_try(case: str) -> None:
    assert restored.ended_by_a_restart(last(case)[0]) is (case == "server-restart")


def test_velero_fills_each_volume_from_its_own_data() -> None:
    found = facts("ok")
    assert len(found.volumes) == 2
    assert restored.judge_own_data(found, PLAN).verdict == "pass"
    first, second = found.volumes
    swapped = replace(found, volumes=(replace(first, snapshot=second.snapshot), replace(second, snapshot=first.snapshot)))
    assert restored.judge_own_data(swapped, PLAN).verdict == "fail"
