"""Installing a chart as Helm 3 does: render, apply, and keep the release as a Secret of its namespace."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import yaml

from dalp_dr_lab.errors import LabError
from dalp_dr_lab.lab import Lab
from dalp_dr_lab.miniature import configuration, release

RELEASES = {"dalp": "dalp", "support": "dalp-support", "observability": "dalp-observability"}
FIELD_MANAGER = "helm"


@dataclass(frozen=True)
class Stored:
    """The newest stored revision of a release."""

    version: int
    document: Mapping[str, Any]


def render(lab: Lab, name: str) -> str:
    """The manifest of a release, rendered from the configuration repository's working copy by the pinned helm."""
    copy = configuration.working_copy(lab)
    command = [str(lab.tools / "helm"), "template", name, str(copy / "charts" / name), "--namespace", RELEASES[name]]
    try:
        values = ("--values", str(copy / "values" / f"{name}.yaml"))
        done = subprocess.run([*command, *values], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LabError("helm is missing. Run `make setup`.") from None
    if done.returncode:
        raise LabError(f"helm cannot render {name}: {done.stderr.strip()}. Correct the values or the chart.")
    return done.stdout


def apply(lab: Lab, objects: list[dict[str, Any]], manager: str = FIELD_MANAGER) -> None:
    """Server-side apply of objects that name their namespaces."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    lab.kubectl("apply", "--server-side", "--force-conflicts", f"--field-manager={manager}", "--filename=-", input=text)


def install(lab: Lab, name: str) -> int:
    """Apply a release from the working copy and store it; returns its revision, the old one when nothing changed."""
    manifest, namespace = render(lab, name), RELEASES[name]
    objects = [found for found in yaml.safe_load_all(manifest) if found]
    for found in objects:
        found["metadata"].setdefault("namespace", namespace)
    apply(lab, objects)
    values, before = configuration.read_values(lab, name), newest(lab, name)
    if before and before.document["manifest"] == manifest and before.document["config"] == values:
        return before.version
    new = release.Release(
        name=name,
        namespace=namespace,
        version=before.version + 1 if before else 1,
        chart=configuration.working_copy(lab) / "charts" / name,
        values=values,
        manifest=manifest,
        deployed_at=datetime.now(UTC),
    )
    secrets = [release.secret(new)]
    if before:
        _remove_dropped(lab, before, objects, namespace)
        secrets.append(release.superseded(before.document, new.deployed_at))
    apply(lab, secrets)
    return new.version


def newest(lab: Lab, name: str) -> Stored | None:
    """The newest stored revision; None when the release was never installed."""
    selector = f"owner=helm,name={name}"
    found = json.loads(lab.kubectl("-n", RELEASES[name], "get", "secrets", "-l", selector, "-o", "json"))["items"]
    if not found:
        return None
    last = max(found, key=lambda item: int(item["metadata"]["labels"]["version"]))
    return Stored(int(last["metadata"]["labels"]["version"]), release.decode(last["data"]["release"]))


def _remove_dropped(lab: Lab, before: Stored, objects: list[dict[str, Any]], namespace: str) -> None:
    """Delete what the revision before had and the new one has not, as an upgrade does."""
    kept = {(item["kind"], item["metadata"]["name"]) for item in objects}
    for item in filter(None, yaml.safe_load_all(before.document["manifest"])):
        if (item["kind"], item["metadata"]["name"]) not in kept:
            place = item["metadata"].get("namespace", namespace)
            group = item["apiVersion"].partition("/")[0] if "/" in item["apiVersion"] else ""
            kind = f"{item['kind']}.{group}" if group else item["kind"]
            lab.kubectl("-n", place, "delete", kind, item["metadata"]["name"], "--ignore-not-found")
