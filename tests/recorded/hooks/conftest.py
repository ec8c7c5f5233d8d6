"""Fixtures of the hook tests: an Airflow home of their own, and fakes of the API server and of S3."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))  # before the first import of airflow

import pytest

from fake_http import KUBERNETES, FakeHttp


@pytest.fixture
def server() -> Iterator[FakeHttp]:
    """An HTTP server on the loopback whose answers a test scripts."""
    with FakeHttp() as running:
        yield running


@pytest.fixture
def kubernetes(server: FakeHttp, monkeypatch: pytest.MonkeyPatch) -> FakeHttp:
    """The same, reached as a Kubernetes cluster by the connection `fake_kubernetes`."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{KUBERNETES.upper()}", server.as_kubernetes_connection())
    return server
