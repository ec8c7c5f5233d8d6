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


@pytest.mark.parametrize(
    "words", [["--drill", "monthly"], ["--policy", "timestamp"], ["--drill", "surface"], ["--sign-off", "maybe"]]
)
def test_a_wrong_option_is_refused_with_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        options.parse(words)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err


class FakeAirflow:
    """An Airflow that knows one DAG."""

    url = "http://airflow"

    def __init__(
        self, params: dict[str, object] | None, errors: dict[str, str] | None = None, busy: bool = False
    ) -> None:
        self.params, self.errors, self.busy = params, errors or {}, busy
        self.parsed = SINCE - timedelta(seconds=3)
        self.triggered: list[dict[str, object]] = []

    def dag(self, dag_id: str) -> Dag | None:
        self.parsed += timedelta(seconds=1)
        return None if self.params is None else Dag(self.params, self.parsed)

    def import_errors(self, since: datetime) -> dict[str, str]:
        return self.errors

    def unfinished_runs(self, dag_id: str) -> list[DagRun]:
        return [DagRun(dag_id, "manual__1", "running", None)] if self.busy else []  # type: ignore[arg-type]

    def unpause(self, dag_id: str) -> None:
        self.unpaused = dag_id

    def trigger(self, dag_id: str, conf: dict[str, object], note: str) -> DagRun:
        self.triggered.append({**conf, "note": note})
        return DagRun(dag_id, "manual__2", "queued", None)  # type: ignore[arg-type]


def test_the_params_reach_the_run() -> None:
    airflow = FakeAirflow(PARAMS)
    words = ["--policy", "timestamp", "--value", "2026-01-31T08:00:00Z", "--fault", "wal-gap"]
    start.drill(airflow, options.parse(words), SINCE, still)  # type: ignore[arg-type]
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
        ("a drill that runs", FakeAirflow(PARAMS, busy=True), [], "one at a time"),
    ],
)
def test_no_drill_is_started_by(case: str, airflow: FakeAirflow, words: list[str], says: str) -> None:
    with pytest.raises(LabError, match=says):
        start.drill(airflow, options.parse(words), SINCE, still)  # type: ignore[arg-type]
    assert not airflow.triggered
