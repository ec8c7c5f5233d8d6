"""Status, cause of failure and marks, on what CloudNativePG 1.30 and its Barman Cloud plugin wrote."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dalp_dr.database import recovered, recovery, recovery_log
from dalp_dr.model.check import Verdict
from dalp_dr.model.plan import utc
from dalp_dr.model.status import Done, Failed, Waiting
from dalp_dr_airflow.operators.database import CnpgRecoveryOperator
from sandbox_sample import PLAN

DATA = Path(__file__).parents[1] / "data" / "cnpg"
CAUSES = {
    "archive-poisoning": "it has an archiver, which a drill must never have",
    "before-first-backup": "target too early: the first base backup of server dalp-pg ended 2026-11-23T10:57:12.106527Z",
    "beyond-archive": "target beyond the archive: WAL ended before it, the last archived transaction was at 2026-11-23 11:16:15.439231+00",
    "from-poisoned-archive": "poisoned archive: WAL of two servers is mixed in it (record with incorrect prev-link 0/4E00FC8)",
    "missing-secret": "Secret no-such-secret is missing in the sandbox namespace",
    "wrong-server": "wrong server name or bucket: no finished base backup of server no-such-server in the archive",
}


def logs(case: str) -> dict[str, str]:
    return {container: (DATA / case / f"{container}.log").read_text() for container in recovery_log.CONTAINERS}


@pytest.mark.parametrize("case", CAUSES)
def test_the_cause_is_named_from_both_logs(case: str) -> None:
    cause = recovery_log.cause_of_failure(logs(case))
    assert CAUSES[case] in cause
    assert not recovery_log.may_pass(cause)


@pytest.mark.parametrize("case", ["archive-poisoning", "wrong-server", "before-first-backup"])
def test_one_log_alone_is_not_enough(case: str) -> None:
    alone = {recovery_log.FULL_RECOVERY: logs(case)[recovery_log.FULL_RECOVERY]}
    assert CAUSES[case] not in recovery_log.cause_of_failure(alone)


def test_nothing_known_quotes_the_last_error_and_lets_the_operator_try_again() -> None:
    line = json.dumps({"level": "error", "ts": "2026-11-23T11:00:00Z", "msg": "restore error", "error": "something new"})
    cause = recovery_log.cause_of_failure({recovery_log.FULL_RECOVERY: line})
    assert cause == "unknown cause; last error: something new"
    assert recovery_log.may_pass(cause)


@pytest.mark.parametrize(
    ("case", "field", "value"),
    [
        ("beyond-archive", "redo_done_lsn", "0/4900FC8"),
        ("beyond-archive", "last_completed", "2026-11-23 11:16:15.439231+00"),
        ("beyond-archive", "started_at", "2026-11-23T11:15:57.515456374Z"),
        ("ok", "base_restored_at", "2026-11-23T11:15:10.61510589Z"),
        ("beyond-archive", "fetch_seconds", 3.554),
        ("beyond-archive", "redo_cpu_seconds", 0.02),
    ],
)
def test_marks_of_the_logs(case: str, field: str, value: str) -> None:
    assert getattr(recovery_log.read(logs(case)), field) == value


def test_marks_of_a_stop_at_a_position() -> None:
    """Messages of PostgreSQL 15, recovering to an LSN inclusive."""
    messages = [
        "redo starts at 0/6000028",
        'recovery stopping after WAL location (LSN) "0/70074E8"',
        "redo done at 0/70074E8 system usage",
        "last completed transaction was at log time 2026-11-24 15:29:32.820656+00",
        "selected new timeline ID: 2",
        "archive recovery complete",
        'restored log file "000000010000000000000006" from archive',
    ]
    lines = [
        json.dumps({"ts": "2026-11-24T15:29:48Z", "logger": "postgres", "msg": "record", "record": {"error_severity": "LOG", "message": m}})
        for m in messages
    ]
    found = recovery_log.read({recovery_log.FULL_RECOVERY: "\n".join(lines)})
    assert (found.redo_start_lsn, found.redo_done_lsn, found.new_timeline, found.segments_restored) == ("0/6000028", "0/70074E8", 2, 1)
    assert found.stop == 'after WAL location (LSN) "0/70074E8"'
    assert found.promoted_at == "2026-11-24T15:29:48Z"


def replay(case: str) -> list[tuple[str, Any]]:
    """(observed, status) after each recorded change."""
    cluster, pods, seen = None, {}, []
    for line in (DATA / case / "history.jsonl").read_text().splitlines():
        change = json.loads(line)
        found = change["object"]
        if found["kind"] == "Cluster":
            cluster = found
        elif change["event"] == "DELETED":
            pods.pop(found["metadata"]["name"], None)
        else:
            pods[found["metadata"]["name"]] = found
        seen.append((change["observed"], recovery.status(cluster, list(pods.values()))))
    return seen


def test_a_recovery_that_succeeds_waits_through_transient_errors_until_it_is_healthy() -> None:
    seen = replay("ok")
    assert not [s for _, s in seen if isinstance(s, Failed)]
    first_done = next(i for i, (_, s) in enumerate(seen) if isinstance(s, Done))
    assert all(isinstance(s, Waiting) for _, s in seen[:first_done])
    assert seen[first_done][1].summary["timeline"] == 2
    steps = [s.done for _, s in seen[:first_done]]
    assert steps == sorted(steps) and steps[-1] == 3


def test_a_recovery_that_cannot_succeed_is_called_minutes_before_the_operator_gives_up() -> None:
    seen = replay("wrong-server")
    called = next((at, s) for at, s in seen if isinstance(s, Failed))
    assert "recovery pod pitr-server-1-full-recovery" in called[1].cause
    assert utc(seen[-1][0]) - utc(called[0]) > timedelta(minutes=10)
    assert "unrecoverable" in seen[-1][1].cause


CLUSTER = next(
    json.loads(line)["object"]
    for line in reversed((DATA / "wrong-server" / "history.jsonl").read_text().splitlines())
    if json.loads(line)["object"]["kind"] == "Cluster"
)


def drill(failed_pods: list[dict[str, Any]]) -> Any:
    cnpg = SimpleNamespace(cluster=lambda *_: CLUSTER, failed_recovery_pods=lambda *_: failed_pods)
    return SimpleNamespace(plan=PLAN, cnpg=cnpg, catalog=SimpleNamespace(objects=list))


@pytest.mark.parametrize("case", CAUSES)
@pytest.mark.parametrize("kept", ["by the pod", "by the wait"])
def test_the_cause_is_in_the_record_and_in_the_verdict(case: str, kept: str) -> None:
    failed = [{"name": "p-1", "created_at": "2026-11-23T11:00:00Z", "logs": logs(case)}] if kept == "by the pod" else []
    event = {"status": "failed", "logs": logs(case)} if kept == "by the wait" else None
    facts = CnpgRecoveryOperator.recovered(drill(failed), event).facts
    assert CAUSES[case] in facts.failure
    result = recovered.judge_recovered(facts, PLAN)
    assert result.verdict is Verdict.FAIL
    assert CAUSES[case] in result.findings[0]


def test_a_recovery_whose_logs_nobody_kept_has_no_invented_cause() -> None:
    facts = CnpgRecoveryOperator.recovered(drill([]), {"status": "failed", "logs": {}}).facts
    assert (facts.failure, recovered.judge_recovered(facts, PLAN).verdict) == (None, Verdict.FAIL)
