"""Helm releases as Helm 3 stores them: a Secret with the gzipped JSON of chart, values and manifest.

Source: Helm's storage driver `secrets` and its `encodeRelease`: base64 of gzip of JSON; a Secret's data adds one more
base64.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

SECRET_TYPE = "helm.sh/release.v1"


@dataclass(frozen=True)
class Release:
    """One revision of one release: what was rendered, from which chart, with which values."""

    name: str
    namespace: str
    version: int
    chart: Path
    values: Mapping[str, Any]
    manifest: str
    deployed_at: datetime


def secret_name(name: str, version: int) -> str:
    """The Secret's name."""
    return f"sh.helm.release.v1.{name}.v{version}"


def encode(document: Mapping[str, Any]) -> str:
    """The text that Helm puts into the key `release`, before Kubernetes' own base64."""
    packed = gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0)
    return base64.b64encode(packed).decode()


def decode(data: str) -> dict[str, Any]:
    """The release document from the Secret's `data.release`, as the API returns it."""
    document: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(data))))
    return document


def document(release: Release) -> dict[str, Any]:
    """The release as Helm's JSON has it; `chart.templates` and `chart.files` carry the chart's own text."""
    at = release.deployed_at.isoformat().replace("+00:00", "Z")
    metadata = yaml.safe_load((release.chart / "Chart.yaml").read_text())
    templates = sorted((release.chart / "templates").rglob("*.*"))
    return {
        "name": release.name,
        "info": {
            "first_deployed": at,
            "last_deployed": at,
            "deleted": "",
            "description": "Install complete" if release.version == 1 else "Upgrade complete",
            "status": "deployed",
        },
        "chart": {
            "metadata": metadata,
            "lock": None,
            "templates": [
                {"name": str(path.relative_to(release.chart)), "data": base64.b64encode(path.read_bytes()).decode()} for path in templates
            ],
            "values": yaml.safe_load((release.chart / "values.yaml").read_text()),
            "schema": None,
            "files": [],
        },
        "config": dict(release.values),
        "manifest": release.manifest,
        "version": release.version,
        "namespace": release.namespace,
    }


def secret(release: Release) -> dict[str, Any]:
    """The Secret object of a new revision; it carries Helm's labels and none of the chart's."""
    return stored(document(release), release.deployed_at)


def superseded(content: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The Secret of the revision before, marked as Helm marks it when a newer one is deployed."""
    return stored({**content, "info": {**content["info"], "status": "superseded"}}, at)


def stored(content: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """The Secret object that keeps a release document."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": SECRET_TYPE,
        "metadata": {
            "name": secret_name(content["name"], content["version"]),
            "namespace": content["namespace"],
            "labels": {
                "modifiedAt": str(int(at.timestamp())),
                "name": content["name"],
                "owner": "helm",
                "status": content["info"]["status"],
                "version": str(content["version"]),
            },
        },
        "data": {"release": base64.b64encode(encode(content).encode()).decode()},
    }
