"""The seal asks a time-stamping authority where there is one; one that is down keeps no drill from being sealed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dalp_dr.evidence import bundle, canonical, manifest, timestamp
from dalp_dr.evidence.verify import verify
from dalp_dr_airflow.hooks import timestamp as asking
from dalp_dr_airflow.hooks.errors import RetryPolicy
from dalp_dr_airflow.operators.seal import SealEvidenceOperator
from fake_run import FakeRun
from synthetic_drill import KEY, PUBLIC, private_pem
from timestamp_authority import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[tuple[Authority, str]]:
    """A running authority and its URL."""
    stamps = Authority(tmp_path / "authority")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            answer = stamps.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield stamps, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def sealed(run: FakeRun, monkeypatch: pytest.MonkeyPatch, url: str) -> bundle.Bundle:
    connection = {"conn_type": "generic", "password": private_pem(KEY), "extra": {"timestamp_url": url}}
    monkeypatch.setenv("AIRFLOW_CONN_DALP_EVIDENCE_SIGNING", json.dumps(connection))
    key = run.home / "keys" / "evidence.pub"
    key.parent.mkdir(parents=True)
    key.write_bytes(PUBLIC.pem())
    SealEvidenceOperator(task_id="evidence").execute(run.context("seal.evidence"))
    prefix = f"bundles/{run.plan.drill_id}/01/"
    files = {name.removeprefix(prefix): run.store.get(name) for name in run.store.list(prefix)}
    return bundle.Bundle(files, canonical.sha256(files[manifest.NAME]))


def notes(made: bundle.Bundle, root: bytes) -> tuple[str, ...]:
    return verify(made, (PUBLIC,), authorities=timestamp.certificates(root)).notes


def test_the_seal_of_a_drill_is_stamped(good_run: FakeRun, monkeypatch: pytest.MonkeyPatch, authority: tuple[Authority, str]) -> None:
    stamps, url = authority
    made = sealed(good_run, monkeypatch, url)
    attested = timestamp.moment(made.files["after/timestamp-01.tsr"], made.files[bundle.STATEMENT], "it")
    assert abs(datetime.now(UTC) - attested) < timedelta(minutes=1)
    assert any(note.startswith("clock attested") for note in notes(made, stamps.root))


def test_an_authority_that_is_down_keeps_no_drill_from_being_sealed(
    good_run: FakeRun, monkeypatch: pytest.MonkeyPatch, authority: tuple[Authority, str]
) -> None:
    monkeypatch.setattr(asking, "RetryPolicy", lambda attempts: RetryPolicy(attempts=1))
    made = sealed(good_run, monkeypatch, "http://127.0.0.1:9/")
    assert made.is_sealed and not made.after(timestamp.KIND)
    assert any(note.startswith("clock not attested") for note in notes(made, authority[0].root))
