"""Everything outside that the tasks of a drill touch, as fakes that remember what was done to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dalp_dr import naming
from dalp_dr.evidence import records
from dalp_dr.evidence.store import FolderStore
from dalp_dr.model.check import CHECKLIST
from dalp_dr.model.record import Record
from dalp_dr_airflow.drill import Drill
from dalp_dr_airflow.hooks.errors import Missing
from dalp_dr_airflow.hooks.kubernetes_paths import path_of
from fake_run import FakeRun
from sandbox_sample import an_environment
from synthetic_drill import a_plan
from velero_sample import contents

RESULTS = {"errors": {}, "warnings": {}}
RESOURCES = {"v1/Secret": ["sandbox/dalp-signer(created)"]}
VOLUME = {
    "pvcName": "dalp-worker-journal",
    "pvcNamespace": "dalp",
    "backupMethod": "PodVolumeBackup",
    "pvbInfo": {"podName": "dalp-worker-0", "podNamespace": "dalp", "volumeName": "journal", "snapshotHandle": "k1"},
}
TRANSFER = {
    "spec": {"pod": {"name": "dalp-worker-0"}, "volume": "journal", "snapshotID": "k1"},
    "status": {"phase": "Completed"},
}
RESTARTED = 'found a restore with status "InProgress" during the server starting, mark it as "Failed"'


@dataclass
class FakeSandbox:
    """An API server that holds objects by path and remembers what was done to it, in order."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    done: list[tuple[str, str]] = field(default_factory=list)

    def put(self, *items: dict[str, Any]) -> None:
        self.objects |= {path_of(i): i for i in items}

    def get(self, path: str) -> dict[str, Any]:
        if path not in self.objects:
            raise Missing(f"{path} is not there.", "")
        return self.objects[path]

    def list(self, path: str, selector: str | None = None) -> list[dict[str, Any]]:
        return [o for p, o in self.objects.items() if p.rpartition("/")[0] == path]

    def create(self, item: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        self.done.append(("create", path_of(item)))
        self.put(item)
        return item, True

    def patch(self, path: str, patch: dict[str, Any]) -> None:
        self.done.append(("patch", path))

    def delete(self, path: str, uid: str, foreground: bool = False, grace_seconds: int | None = None) -> bool:
        self.done.append(("delete", path))
        return self.objects.pop(path, None) is not None

    def can_i(self, *question: str) -> bool:
        return True

    def wait(self, path: str, ready: Callable[[Any], bool], seconds: float, what: str) -> None:
        self.done.append(("wait", path))


@dataclass
class FakeVelero:
    """Restores by name; what was made and what was cancelled."""

    found: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    namespace: str = "velero"

    def restores(self) -> list[dict[str, Any]]:
        return list(self.found.values())

    def restore(self, name: str) -> dict[str, Any]:
        return self.found[name]

    def pod_volume_restores(self, name: str) -> list[dict[str, Any]]:
        return [TRANSFER]

    def create_restore(self, manifest: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        name = manifest["metadata"]["name"]
        if name in self.found:
            return self.found[name], False
        self.made.append(name)
        self.found[name] = manifest
        return manifest, True

    def end(self, name: str) -> list[str]:
        self.cancelled.append(name)
        return [name]


@dataclass
class Outside:
    """The run and everything outside that its tasks touch."""

    run: FakeRun
    sandbox: FakeSandbox
    velero: FakeVelero
    store: SimpleNamespace

    def name(self, number: int, role: str = "app") -> str:
        return naming.restore_name(self.run.plan.drill_id, role, number)

    def add_restore(self, number: int, phase: str | None, labels: dict[str, str] | None = None, role: str = "app") -> None:
        name = self.name(number, role)
        own = naming.labels(self.run.plan.drill_id, "lab")
        self.velero.found[name] = {
            "metadata": {"name": name, "labels": own if labels is None else labels},
            "spec": {"backupName": self.run.plan.backup(role).backup},
            "status": {"phase": phase} if phase else {},
        }

    def records(self) -> list[Record]:
        keys = self.run.store.list(f"drills/{self.run.plan.drill_id}/records/")
        return [records.decode(self.run.store.get(key), key) for key in keys]


def an_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outside:
    """A drill with the whole catalogue, evidence in a folder, and fakes of everything else."""
    store = FolderStore(tmp_path / "evidence")
    impatient = an_environment().source.model_copy(update={"velero_wait_minutes": 0})
    run = FakeRun(a_plan(environment=an_environment(source=impatient), checklist=CHECKLIST), store, tmp_path / "home")
    run.freeze()
    files = SimpleNamespace(
        backup_contents=lambda name: contents(),
        restore_results=lambda name: RESULTS,
        restore_resource_list=lambda name: RESOURCES,
        backup_resource_list=lambda name: {"v1/PersistentVolumeClaim": ["dalp/dalp-worker-journal"]},
        backup_volumeinfo=lambda name: [VOLUME],
    )
    made = Outside(run, FakeSandbox(), FakeVelero(), files)
    for hook, fake in (("evidence", store), ("sandbox", made.sandbox), ("velero", made.velero), ("backup_store", files)):
        monkeypatch.setattr(Drill, hook, fake)
    for name in ("BACKUP_STORE", "SANDBOX_OBJECT_READ"):
        connection = {"conn_type": "aws", "login": "reader", "password": "reads", "extra": {"endpoint_url": "http://10.9.0.1:8333"}}
        monkeypatch.setenv(f"AIRFLOW_CONN_DALP_{name}", json.dumps(connection))
    monkeypatch.setenv("AIRFLOW_CONN_DALP_RPC_PRIMARY", json.dumps({"conn_type": "http", "host": "http://10.9.0.3:8545"}))
    return made
