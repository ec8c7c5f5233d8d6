"""Faults of Airflow's connections: they lead to the wrong identity, or to an endpoint whose certificate is not valid."""

from __future__ import annotations

import json
import socket
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from dalp_dr_lab import airflow, processes
from dalp_dr_lab.airflow import overrides
from dalp_dr_lab.faults.fault import Fault, Notes, nothing
from dalp_dr_lab.lab import REGION, Lab
from dalp_dr_lab.miniature import source
from dalp_dr_lab.weather import certificates

SANDBOX, DOCUMENTS = "dalp_sandbox_kubernetes", "dalp_object_storage"
EXPIRED = "expired-tls"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


def _administrator(lab: Lab, notes: Notes) -> None:
    kubeconfig = yaml.safe_load(Path(lab.kubeconfig).read_text())
    _connect(lab, SANDBOX, {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(kubeconfig)}})


def _expired(lab: Lab, notes: Notes) -> None:
    """Put a TLS endpoint with an expired certificate before the object store."""
    folder = lab.folder / "tmp"
    certificate, key = folder / "expired.crt", folder / "expired.key"
    for path, text in zip((certificate, key), certificates.own(lab.address, valid_until=YESTERDAY), strict=True):
        path.write_bytes(text)
    port = lab.port(EXPIRED)
    target = lab.s3_endpoint.removeprefix("http://")
    words = ["-m", "dalp_dr_lab.weather", f"{lab.address}:{port}", target, "--certificate", str(certificate), "--key", str(key)]
    lab.spawn(EXPIRED, [sys.executable, *words], env={"PYTHONPATH": str(lab.checkout / "include")})
    source.wait("the endpoint with the expired certificate", lambda: _listening(lab.address, port), 30)
    reader = lab.identities["documents-reader"]
    extra = {"endpoint_url": f"https://{lab.address}:{port}", "region_name": REGION, "config_kwargs": {"s3": {"addressing_style": "path"}}}
    _connect(lab, DOCUMENTS, {"conn_type": "aws", "login": reader.access_key, "password": reader.secret_key, "extra": extra})


def _listening(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def _connect(lab: Lab, name: str, connection: dict[str, Any] | None) -> None:
    """Let a connection lead elsewhere, or where it led before; Airflow reads its connections when it starts."""
    overrides.put(lab, name, connection)
    if "airflow-scheduler" in processes.alive(lab.folder):
        airflow.up(lab)


def _own_identity(lab: Lab, notes: Notes) -> None:
    _connect(lab, SANDBOX, None)


def _valid(lab: Lab, notes: Notes) -> None:
    _connect(lab, DOCUMENTS, None)
    processes.stop(lab.folder, [EXPIRED])


FAULTS = (
    Fault(
        "wrong-kubeconfig",
        "The sandbox's connection holds the administrator's kubeconfig: with it the drill could write to production.",
        ("source_writes_denied",),
        nothing,
        _own_identity,
        afterwards=_administrator,
        outcome="refused",
        spoils=False,
        group="preflight-2",
    ),
    Fault(
        "expired-certificate",
        "The certificate of the document store's endpoint has expired.",
        ("versioning_enabled", "object_versions_readable"),
        nothing,
        _valid,
        afterwards=_expired,
        verdict="inconclusive",
        spoils=False,
        group="velero-stopped",
    ),
)
