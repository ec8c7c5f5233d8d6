"""What may be asked of the runner, and what reaches the DAG."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dalp_dr_lab.drill import options, start
from dalp_dr_lab.drill.rest import Dag, DagRun
from dalp_dr_lab.errors import LabError

PARAMS = {
    "environment": "lab",
    "target_policy": "latest",
    "target_value": None,
    "keep_sandbox": False,
    "dry_run": False,
}


SINCE = datetime(2026, 11, 24, tzinfo=UTC)


def still(seconds: float) -> None:
    """A sleep in which no time passes."""


def test_defaults() -> None:
    found = options.parse([])
    assert (found.dag_id, found.faults, found.plays_owner, found.mend, found.deadline_minutes) == (
        "quarterly_drill", (), True, True, 60,
    )  # fmt: skip


def test_faults_combine_and_a_person_has_half_a_day() -> None:
    found = options.parse(["--fault", "one-wei, empty-volume", "--sign-off", "manual"])
    assert found.faults == ("one-wei", "empty-volume")
    assert (found.plays_owner, found.deadline_minutes) == (False, 720)


@pytest.mark.parametrize("words", [["--drill", "monthly"], ["--policy", "timestamp"], ["--drill", "surface"], ["--sign-off", "maybe"]])
def test_a_wrong_option_is_refused_with_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options.parse(words)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


class FakeAirflow:
    """An Airflow that knows one DAG."""

    url = "http://airflow"

    def __init__(self, params: dict[str, object] | None, errors: dict[str, str] | None = None, busy: timedelta | None = None) -> None:
        self.params, self.errors, self.busy = params, errors or {}, busy
        self.parsed = SINCE - timedelta(seconds=3)
        self.ended: list[str] = []
        self.triggered: list[dict[str, object]] = []

    def dag(self, dag_id: str) -> Dag | None:
        self.parsed += timedelta(seconds=1)
        return None if self.params is None else Dag(self.params, self.parsed)

    def import_errors(self, since: datetime) -> dict[str, str]:
        return self.errors

    def runs(self, dag_id: str) -> list[DagRun]:
        asked_at = SINCE + self.busy if self.busy else SINCE
        return [DagRun(dag_id, "manual__1", "running" if self.busy else "success", asked_at)]

    def end(self, run: DagRun, note: str) -> None:
        self.ended.append(run.run_id)

    def unpause(self, dag_id: str) -> None:
        self.unpaused = dag_id

    def trigger(self, dag_id: str, conf: dict[str, object], note: str) -> DagRun:
        self.triggered.append({**conf, "note": note})
        return DagRun(dag_id, "manual__2", "queued", SINCE)


def test_the_params_reach_the_run() -> None:
    airflow = FakeAirflow(PARAMS)
    words = ["--policy", "timestamp", "--value", "2026-01-31T08:00:00Z", "--fault", "wal-gap"]
    start.drill(airflow, options.parse(words), parsed_since=SINCE, lab_since=SINCE, sleep=still)  # type: ignore[arg-type]
    (conf,) = airflow.triggered
    assert (conf["target_policy"], conf["target_value"]) == ("timestamp", "2026-01-31T08:00:00Z")
    assert "wal-gap" in str(conf["note"])
    assert airflow.unpaused == "quarterly_drill"
    assert airflow.parsed >= SINCE  # an older reading of the DAG was not enough


@pytest.mark.parametrize(
    ("case", "airflow", "words", "says"),
    [
        ("a param the DAG lacks", FakeAirflow({"environment": "lab"}), ["--keep-sandbox"], "has no param keep_sandbox"),
        ("a DAG that cannot be read", FakeAirflow(None, {"/d/quarterly_drill.py": "E: no"}), [], "cannot read .*E: no"),
        ("a drill that runs", FakeAirflow(PARAMS, busy=timedelta(minutes=5)), [], "one at a time"),
    ],
)
def test_no_drill_is_started_by(case: str, airflow: FakeAirflow, words: list[str], says: str) -> None:
    with pytest.raises(LabError, match=says):
        start.drill(airflow, options.parse(words), parsed_since=SINCE, lab_since=SINCE, sleep=still)  # type: ignore[arg-type]
    assert not airflow.triggered


def test_a_run_of_a_lab_that_is_gone_is_ended() -> None:
    airflow = FakeAirflow(PARAMS, busy=timedelta(minutes=-5))
    start.drill(airflow, options.parse([]), parsed_since=SINCE, lab_since=SINCE, sleep=still)  # type: ignore[arg-type]
    assert airflow.ended == ["manual__1"]
    assert len(airflow.triggered) == 1


@pytest.mark.parametrize(("words", "asked"), [([], False), (["--route-switch"], True), (["--drill", "annual"], True)])
def test_the_annual_test_always_switches_the_route(words: list[str], asked: bool) -> None:
    assert options.conf(options.parse(words))["route_switch"] is asked
