"""The reached point: what history file, commits and heartbeat say against the target."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dalp_dr.catalogue import KINDS
from dalp_dr.database import facts, recovery_point
from dalp_dr.errors import FactError
from dalp_dr.model.check import Verdict
from dalp_dr.model.record import encode
from sandbox_sample import PLAN, SYSTEM_ID, a_plan

assert PLAN.database is not None
TARGET = "2026-10-06T05:59:30.000000Z"
BY_TIME = a_plan(database=replace(PLAN.database, target_lsn=None))
CLUSTER = {"metadata": {"creationTimestamp": "2026-10-06T06:01:00Z"}}
RECOVERY = {
    "in_recovery": "f",
    "timeline": "2",
    "checkpoint_lsn": "0/6000028",
    "next_xid": "0:901",
    "system_id": SYSTEM_ID,
    "history": "1\t0/4FFFF28\tafter LSN 0/4FFFF00\n\n",
}
COMMITS = [("910", "2026-10-06T06:01:30.000000Z"), ("900", TARGET), ("899", "2026-10-06T05:59:28.000000Z")]
HEARTBEAT = ("77", "2026-10-06T05:59:29.900000Z")


def found(plan: Any = PLAN, commits: Any = COMMITS, heartbeat: Any = HEARTBEAT, **recovery: Any) -> recovery_point.RecoveryPoint:
    return facts.recovery_point(
        plan,
        recovery=[RECOVERY | recovery],
        heartbeat=None if heartbeat is None else [{"id": heartbeat[0], "at": heartbeat[1], "lsn": "0/1"}] if heartbeat else [],
        last_commit=None if commits is None else [{"xid": x, "committed_at": at} for x, at in commits],
        settings=[{"track_commit_timestamp": "on", "server_version": "17", "data_checksums": "on", "checksum_failures": "0"}],
        cluster=CLUSTER,
    )


def test_the_exact_commit_is_reached_and_not_passed() -> None:
    read = found()
    for judge in (
        recovery_point.judge_reached,
        recovery_point.judge_not_passed,
        recovery_point.judge_same_system,
        recovery_point.judge_heartbeat,
    ):
        assert judge(read, PLAN).verdict is Verdict.PASS
    assert read.newest_commit == TARGET  # the copy's own commit of 06:01:30 is younger than the copy


REACHED: dict[str, tuple[dict[str, Any], str]] = {
    "still recovering": ({"in_recovery": "t"}, "still in recovery"),
    "no history file": ({"history": ""}, "never left the source's timeline"),
    "same timeline": ({"timeline": "1"}, "timeline 1 from parent 1"),
    "other parent": ({"history": "3\t0/4FFFF28\tafter LSN 0/4FFFF00\n"}, "timeline 2 from parent 3"),
    "end of WAL": ({"history": "1\t0/4000028\tno recovery target specified\n"}, "recovery stopped 'no recovery target specified'"),
    "other position": ({"history": "1\t0/4F00028\tafter LSN 0/4F00000\n"}, "not after LSN 0/4FFFF00"),
    "far behind": ({"history": "1\t0/6FFFF28\tafter LSN 0/4FFFF00\n"}, "not just after 0/4FFFF00"),
    "commits missing": ({"commits": COMMITS[2:]}, "newest commit is 2026-10-06T05:59:28.000000Z"),
}


@pytest.mark.parametrize("case", REACHED)
def test_a_point_that_was_not_reached_fails(case: str) -> None:
    change, said = REACHED[case]
    result = recovery_point.judge_reached(found(**change), PLAN)
    assert result.verdict is Verdict.FAIL
    assert any(said in f for f in result.findings), result.findings


@pytest.mark.parametrize(
    ("reason", "verdict"),
    [
        ("before 2026-10-06 05:59:31.439654+00", Verdict.PASS),
        ("before 2026-10-06 07:59:31.439654+02", Verdict.PASS),
        ("before 2026-10-06 05:59:29.1+00", Verdict.FAIL),
        ("no recovery target specified", Verdict.FAIL),
        ("after LSN 0/4FFFF00", Verdict.FAIL),
    ],
)
def test_a_stop_by_time_is_before_the_first_commit_after_the_target(reason: str, verdict: Verdict) -> None:
    read = found(plan=BY_TIME, history=f"1\t0/4FFFF28\t{reason}\n")
    assert recovery_point.judge_reached(read, BY_TIME).verdict is verdict


def test_commits_and_heartbeats_after_the_target_fail() -> None:
    read = found(commits=[("905", "2026-10-06T06:00:10.000000Z"), *COMMITS], heartbeat=("80", "2026-10-06T06:00:11.000000Z"))
    result = recovery_point.judge_not_passed(read, PLAN)
    assert result.verdict is Verdict.FAIL
    assert result.findings == ("transaction 905 committed 2026-10-06T06:00:10.000000Z", "heartbeat 80 is from 2026-10-06T06:00:11.000000Z")


def test_without_a_heartbeat_the_precision_is_told() -> None:
    result = recovery_point.judge_heartbeat(found(heartbeat=()), PLAN)
    assert result.verdict is Verdict.PASS
    assert "no heartbeat: known by commit timestamp and WAL position" in result.observed


@pytest.mark.parametrize("commits", [None, COMMITS[:1]])
def test_without_any_time_the_point_is_open(commits: Any) -> None:
    read = found(commits=commits, heartbeat=None)
    for judge in (recovery_point.judge_reached, recovery_point.judge_not_passed, recovery_point.judge_heartbeat):
        assert judge(read, PLAN).verdict is Verdict.INCONCLUSIVE


def test_an_old_heartbeat_fails() -> None:
    assert recovery_point.judge_heartbeat(found(heartbeat=("7", "2026-10-06T05:50:00.000000Z")), PLAN).verdict is Verdict.FAIL


def test_another_system_fails() -> None:
    assert recovery_point.judge_same_system(found(system_id="7111"), PLAN).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"timeline": ""}, "'timeline' is empty"),
        ({"timeline": "two"}, "not a whole number"),
        ({"in_recovery": "maybe"}, "not true or false"),
    ],
)
def test_an_answer_that_cannot_be_read_is_an_error(change: dict[str, Any], said: str) -> None:
    with pytest.raises(FactError, match=said):
        found(**change)


def test_the_record_is_read_back_as_it_was_written() -> None:
    read = found()
    assert KINDS["database_recovery_point"].decode(json.loads(json.dumps(encode(read)))) == read
