"""The pages in Airflow's interface: for people who are logged in, files of drills and runbooks, nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from dalp_dr.evidence import archive
from dalp_dr.evidence.verify import verify
from dalp_dr_airflow.web.links import DrillReportLink, RunbookLink
from synthetic_drill import CATALOGUE, PUBLIC, decided, sealed

WHOLE = decided(sealed())
PLAN = WHOLE.dossier(**CATALOGUE).plan
DRILL = PLAN.drill_id
HOSTILE = "<script>alert(1)</script>\u202egpj"
SUMMARY = {
    "drill_id": DRILL,
    "dag_id": PLAN.dag_id,
    "run_id": PLAN.run_id,
    "environment": HOSTILE,
    "decision": "FIX",
    "outcome": "normal",
    "started_at": PLAN.asked_at,
    "rto_seconds": 412.5,
    "bundle_sha256": WHOLE.manifest_sha256,
    "ledger_head": "a" * 64,
    "reasons": [
        {
            "check": "rto_met",
            "subject": "drill",
            "verdict": "fail",
            "expected": "at most 900 s",
            "observed": HOSTILE,
            "next_step": "Look.",
            "runbook": "timing.md#rto",
            "findings": [],
        }
    ],
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with one drill, beside something secret."""
    monkeypatch.setenv("DALP_DR_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "drills" / DRILL
    folder.mkdir(parents=True)
    WHOLE.write(folder / "bundle")
    (folder / "summary.json").write_text(json.dumps(SUMMARY))
    (folder / "report.html").write_text("<!DOCTYPE html><p>the report</p>")
    (folder / "report.pdf").write_bytes(b"%PDF-1.7")
    (tmp_path / "home" / "keys").mkdir()
    (tmp_path / "home" / "keys" / "evidence.pem").write_text("top secret")
    return tmp_path / "home"


@pytest.fixture
def client(home: Path, dagbag: Any) -> TestClient:
    """Somebody who is logged in."""
    from airflow.api_fastapi.core_api.security import get_user

    from dalp_dr_airflow.web.app import make

    app = make()
    app.dependency_overrides[get_user] = lambda: "vera"
    return TestClient(app)


GOOD = {
    "the list": ("/", f'<a href="{DRILL}/">'),
    "a drill": (f"/{DRILL}/", "../runbooks/timing.html#rto"),
    "its report": (f"/{DRILL}/report.html", "the report"),
    "its PDF": (f"/{DRILL}/report.pdf", "%PDF"),
    "its summary": (f"/{DRILL}/summary.json", WHOLE.manifest_sha256),
    "a runbook, with its sections": ("/runbooks/timing.html", '<h2 id="rto">'),
    "the drill of a run": (f"/run?dag_id={PLAN.dag_id}&run_id={PLAN.run_id}", WHOLE.manifest_sha256),
}


@pytest.mark.parametrize(("path", "words"), GOOD.values(), ids=GOOD.keys())
def test_is_shown(client: TestClient, path: str, words: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert words in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


REFUSED = [
    "/../keys/evidence.pem",
    "/%2e%2e/keys/evidence.pem",
    f"/{DRILL}/..%2f..%2fkeys%2fevidence.pem",
    f"/{DRILL}/%2e%2e/%2e%2e/keys/evidence.pem",
    f"/{DRILL}/bundle",
    f"/{DRILL}/plan.json",
    "/d-20261006-00000000/report.html",
    "/latest/summary.json",
    "/runbooks/..%2fenvironments%2flab.html",
    "/runbooks/nothing.html",
    "/run?dag_id=quarterly_drill&run_id=none",
    "/run?dag_id=../../etc&run_id=/passwd",
    "/openapi.json",
    "/docs",
]


@pytest.mark.parametrize("path", REFUSED)
def test_is_not_there(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in (404, 405, 422)
    assert "secret" not in answer.text


def test_a_link_out_of_the_folder_is_not_followed(client: TestClient, home: Path) -> None:
    file = home / "drills" / DRILL / "report.pdf"
    file.unlink()
    file.symlink_to(home / "keys" / "evidence.pem")
    assert client.get(f"/{DRILL}/report.pdf").status_code == 404


@pytest.mark.parametrize("path", [path for path, _ in GOOD.values()] + [f"/{DRILL}/bundle.tar"])
def test_nobody_sees_anything_without_logging_in(home: Path, dagbag: Any, path: str) -> None:
    from dalp_dr_airflow.web.app import make

    assert TestClient(make()).get(path, follow_redirects=False).status_code == 401


def test_the_bundle_can_be_taken_away_and_checked(client: TestClient, tmp_path: Path) -> None:
    answer = client.get(f"/{DRILL}/bundle.tar")
    file = tmp_path / "taken.tar"
    file.write_bytes(answer.content)
    assert verify(archive.read_bundle(file), [PUBLIC], **CATALOGUE).exit_code == 0


@pytest.mark.parametrize("path", ["/", f"/{DRILL}/"])
def test_hostile_names_are_text(client: TestClient, path: str) -> None:
    page = client.get(path).text
    assert "<script>alert" not in page and "\u202e" not in page
    assert "&lt;script&gt;" in page


def test_pages_ask_nobody_else_for_anything(client: TestClient) -> None:
    for path in ("/", f"/{DRILL}/", "/runbooks/timing.html"):
        page = client.get(path).text
        assert "default-src 'none'" in page
        assert "src=" not in page.replace("default-src", "").replace("style-src", "")


def test_a_task_links_to_its_drill_and_to_the_section_of_what_it_found() -> None:
    key = SimpleNamespace(dag_id=PLAN.dag_id, run_id="manual__2026-10-06T06:00:00+00:00", task_id="verify.volumes")
    report = DrillReportLink().get_link(SimpleNamespace(), ti_key=key)  # type: ignore[arg-type]
    assert report.endswith("/drills/run?dag_id=quarterly_drill&run_id=manual__2026-10-06T06%3A00%3A00%2B00%3A00")
    found = SimpleNamespace(found_runbook="timing.md#rto")
    assert RunbookLink().get_link(found, ti_key=key).endswith("/drills/runbooks/timing.html#rto")  # type: ignore[arg-type]
    assert RunbookLink().get_link(SimpleNamespace(found_runbook=None), ti_key=key) == ""  # type: ignore[arg-type]


def test_airflow_knows_pages_and_buttons(dagbag: Any) -> None:
    from airflow import plugins_manager

    apps, _ = plugins_manager.get_fastapi_plugins()
    assert "/drills" in {app["url_prefix"] for app in apps}
    task = dagbag.dags["quarterly_drill"].get_task("verify.volumes")
    assert {link.name for link in task.operator_extra_links} == {"Drill report", "Runbook"}


def a_posture(at: str) -> dict[str, Any]:
    row = {
        "check": "wal_lag",
        "subject": "dalp-pg",
        "surface": "database",
        "question": "Does WAL arrive?",
        "verdict": "fail",
        "expected": "at most 900 s",
        "observed": HOSTILE,
        "findings": [HOSTILE],
        "next_step": "Look.",
        "runbook": "posture.md#wal-lag",
        "accepted": None,
    }
    accepted = {**row, "check": "retention_table_kept", "accepted": "one tier is enough (olga, until 2027-01-01)"}
    said = {"verdict": "fail", "at": at, "next_drill": "2027-01-05T06:00:00+00:00", "rows": [accepted, row]}
    return {"schema_version": 1, "environments": {"lab": said}}


def test_the_watch_has_a_page_worst_first_and_says_that_it_claims_nothing(home: Path, client: TestClient) -> None:
    (home / "posture.json").write_text(json.dumps(a_posture("2020-01-01T00:00:00+00:00")))
    text = client.get("/posture").text
    assert text.index("wal_lag") < text.index("retention_table_kept")
    assert "runbooks/posture.html#wal-lag" in text
    assert "no proof of recovery" in text and "too long ago" in text
    assert "<script>" not in text and "\u202e" not in text
    assert "Declared deviation: one tier is enough" in text
    assert "looked at 2020-01-01" in client.get("/").text


def test_before_the_first_look_the_page_says_what_to_do(home: Path, client: TestClient) -> None:
    assert "backup_posture" in client.get("/posture").text
    (home / "posture.json").write_text("{")
    assert client.get("/").status_code == 200
