"""A draft environment file from what a cluster shows; it is valid in form and refused while a question is open."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from dalp_dr.cli.command import main
from dalp_dr.discovery import draft, found
from dalp_dr.model import environment_file
from dalp_dr.model.environment import Environment

VELERO: dict[str, list[dict[str, Any]]] = {
    "schedules.velero.io": [
        {"metadata": {"name": "dalp-daily"}, "spec": {"template": {"includedNamespaces": ["dalp"]}}},
        {"metadata": {"name": "obs-daily"}, "spec": {"template": {"includedNamespaces": ["dalp-observability"]}}},
    ],
    "backupstoragelocations.velero.io": [
        {"metadata": {"name": "other"}, "spec": {"objectStorage": {"bucket": "else"}}},
        {"metadata": {"name": "main"}, "spec": {"default": True, "objectStorage": {"bucket": "velero", "prefix": "prod"}}},
    ],
}


def a_workload(kind: str, name: str) -> dict[str, Any]:
    meta = {"name": name, "annotations": {"meta.helm.sh/release-name": "dalp"}}
    return {"kind": kind, "metadata": meta, "spec": {"template": {"metadata": {"labels": {"app": name, "tier": "x"}}}}}


def a_service(name: str, port: int) -> dict[str, Any]:
    return {"kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": name}, "ports": [{"port": port}]}}


def a_pod(name: str, labels: dict[str, str], *secrets: str) -> dict[str, Any]:
    container = {"name": "c", "envFrom": [{"secretRef": {"name": s}} for s in secrets]}
    return {"kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": {"containers": [container]}}


APPLICATION = [
    *(a_workload("Deployment", n) for n in ("dalp-dapi", "dalp-dapp", "dalp-worker")),
    a_workload("StatefulSet", "dalp-indexer"),
    *(a_service(n, p) for n, p in (("dalp-dapi", 3000), ("dalp-dapp", 3001), ("dalp-worker", 8080), ("dalp-indexer", 8081))),
    a_pod("p", {"app": "dalp-dapi"}, "dalp-signer", "dalp-pg-app"),
    a_pod("pg", {"cnpg.io/cluster": "dalp-pg"}, "dalp-archive-write"),
    {"kind": "Ingress", "metadata": {"name": "i"}, "spec": {"rules": [{"host": "dapp.example.com"}, {}]}},
    {
        "kind": "Cluster",
        "metadata": {"name": "dalp-pg"},
        "spec": {
            "imageName": "postgres:17",
            "storage": {"size": "5Gi"},
            "bootstrap": {"initdb": {"database": "dalp", "owner": "dalp"}},
            "plugins": [{"name": "barman", "isWALArchiver": True, "parameters": {"barmanObjectName": "a", "serverName": "pg-main"}}],
        },
    },
    {"kind": "ObjectStore", "metadata": {"name": "a"}, "spec": {"configuration": {"destinationPath": "s3://wal/prod/"}}},
]
OBSERVABILITY = [a_workload("StatefulSet", "observability"), a_service("observability", 9090)]
OBJECTS = {"dalp": APPLICATION, "dalp-observability": OBSERVABILITY}


def drafted(objects: dict[str, list[dict[str, Any]]] = OBJECTS, velero: dict[str, list[dict[str, Any]]] = VELERO) -> str:
    places = velero["backupstoragelocations.velero.io"]
    return draft.render(found.read(velero["schedules.velero.io"], places, objects), "mine")


def parsed(text: str) -> Environment:
    return environment_file.parse(text.encode(), "mine.yaml")


def test_what_the_cluster_shows_is_in_the_draft() -> None:
    environment = parsed(drafted())
    app = environment.source.namespace("app")
    assert (app.name, app.schedule, app.release, set(app.seal_secrets)) == ("dalp", "dalp-daily", "dalp", {"dalp-signer"})
    assert (environment.source.backup_location, environment.source.backup_bucket, environment.source.backup_prefix) == (
        "main",
        "velero",
        "prod",
    )
    database = environment.database
    assert (database.cluster, database.archive_bucket, database.archive_prefix, database.server_name) == (
        "dalp-pg",
        "wal",
        "prod",
        "pg-main",
    )
    assert {s.name: s.serves for s in environment.services} == {
        "dalp-dapi": "api",
        "dalp-dapp": "dapp",
        "dalp-worker": "worker",
        "dalp-indexer": "indexer",
        "observability": "other",
    }
    assert [s.name for s in environment.services][-1] == "dalp-worker", "workers start last"
    assert environment.observability.role == "observability"


def test_choices_of_people_stay_open() -> None:
    told = " ".join(question for _, question in draft.open_questions(drafted()))
    assert all(word in told for word in ("evidence", "canaries", "approved") if word != "canaries")
    assert "signs off" in told and "write key" in told


MISSING = {
    "no location": (OBJECTS, {**VELERO, "backupstoragelocations.velero.io": []}, "no BackupStorageLocation"),
    "no schedule": (OBJECTS, {**VELERO, "schedules.velero.io": []}, "no schedule backs this namespace up"),
    "no database": ({**OBJECTS, "dalp": [i for i in APPLICATION if i["kind"] != "Cluster"]}, VELERO, "no CloudNativePG cluster"),
    "no indexer": (
        {**OBJECTS, "dalp": [i for i in APPLICATION if i["metadata"]["name"] != "dalp-indexer"]},
        VELERO,
        "which service is the indexer",
    ),
    "no archive": ({**OBJECTS, "dalp": [i for i in APPLICATION if i["kind"] != "ObjectStore"]}, VELERO, "archives nowhere"),
}


@pytest.mark.parametrize(("objects", "velero", "question"), MISSING.values(), ids=MISSING)
def test_what_is_not_there_is_asked(objects: Any, velero: Any, question: str) -> None:
    assert question in drafted(objects, velero)


def test_a_name_from_the_cluster_cannot_break_the_file() -> None:
    hostile = [{"kind": "Ingress", "metadata": {"name": "i"}, "spec": {"rules": [{"host": "a.example.com"}]}}, *APPLICATION]
    hostile += [a_pod("q", {}, 'x": {}}\nversion: 2')]
    assert 'x": {}}\nversion: 2' in parsed(drafted({**OBJECTS, "dalp": hostile})).source.namespace("app").seal_secrets


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `kubectl` that answers from files and writes down what it was asked."""
    answers = tmp_path / "answers"
    answers.mkdir()
    for kind, items in VELERO.items():
        (answers / f"{kind}.velero").write_text(json.dumps({"items": items}))
    for namespace, items in OBJECTS.items():
        (answers / f"pods.{namespace}").write_text(json.dumps({"items": items}))
    program = tmp_path / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nf={answers}/$2.$4\nif [ -f "$f" ]; then cat "$f"; '
        'elif [ "$2" = ingresses.networking.k8s.io ]; then echo Forbidden >&2; exit 1; else echo \'{"items": []}\'; fi\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_discover_writes_a_draft_and_only_reads(cluster: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = cluster / "mine.yaml"
    assert main(["environment", "discover", "--name", "mine", "--output", str(file), "--context", "prod"]) == 0
    assert parsed(file.read_text()).database.cluster == "dalp-pg"
    asked = (cluster / "asked").read_text().splitlines()
    assert {line.split()[0] for line in asked} == {"get"}
    assert not [line for line in asked if "secret" in line]
    assert all("--context=prod" in line for line in asked)
    assert "not seen: ingresses.networking.k8s.io in dalp (Forbidden)" in file.read_text()
    assert "open questions" in capsys.readouterr().err


def test_a_draft_is_never_written_over_a_file(cluster: Path) -> None:
    file = cluster / "mine.yaml"
    file.write_text("answered")
    assert main(["environment", "discover", "--name", "mine", "--output", str(file)]) == 2
    assert file.read_text() == "answered"


def test_a_draft_with_open_questions_is_refused_with_their_lines(cluster: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = cluster / "mine.yaml"
    main(["environment", "discover", "--name", "mine", "--output", str(file)])
    capsys.readouterr()
    assert main(["environment", "check", str(file)]) == 2
    told = capsys.readouterr().err
    assert "questions are open" in told and "mine.yaml:" in told
    file.write_text("\n".join(line for line in file.read_text().splitlines() if draft.MARK not in line))
    assert main(["environment", "check", str(file)]) == 0


def test_no_kubectl_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["environment", "discover", "--name", "mine"]) == 2
    assert "no kubectl" in capsys.readouterr().err
