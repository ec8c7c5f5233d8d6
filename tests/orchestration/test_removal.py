"""Removing what a drill made: only what is proven, nothing left over, what holds on is named; and the fence before a drill."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dalp_dr import lease, naming
from dalp_dr.errors import RefusedError
from dalp_dr.evidence import ledger
from dalp_dr.evidence.store import FolderStore
from dalp_dr_airflow import fence, removal
from dalp_dr_airflow.drill import Drill
from dalp_dr_airflow.hooks.backup_store import BackupStoreHook
from dalp_dr_airflow.hooks.errors import Conflict, Missing
from dalp_dr_airflow.hooks.kubernetes_paths import path_of
from dalp_dr_airflow.hooks.kubernetes_sandbox import SandboxKubernetesHook
from dalp_dr_airflow.hooks.velero import VeleroHook
from fake_run import FakeRun
from sandbox_sample import an_environment
from synthetic_drill import KEY, a_plan, private_pem

PLAN = a_plan(environment=an_environment())
HELD = "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"


@dataclass
class FakeCluster:
    """Objects by path, with label selectors, UID preconditions and finalizers as an API server has them."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    stuck: set[str] = field(default_factory=set)

    def put(self, *items: dict[str, Any]) -> None:
        for item in items:
            item["metadata"].setdefault("uid", f"uid-{len(self.objects)}")
            item["metadata"].setdefault("resourceVersion", "1")
            self.objects[path_of(item)] = item

    def get(self, path: str) -> dict[str, Any]:
        if path not in self.objects:
            raise Missing(f"{path} is not there.", "")
        return self.objects[path]

    def list(self, path: str, selector: str | None = None) -> list[dict[str, Any]]:
        name, _, value = (selector or "").partition("=")
        found = [o for p, o in self.objects.items() if p.rpartition("/")[0] == path]
        return [o for o in found if not name or (o["metadata"].get("labels") or {}).get(name) == value]

    def create(self, item: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        if path_of(item) in self.objects:
            return self.objects[path_of(item)], False
        self.put(item)
        return item, True

    def replace(self, item: dict[str, Any]) -> None:
        if self.get(path_of(item))["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
            raise Conflict("the object was changed", "")
        self.objects[path_of(item)] = item | {"metadata": item["metadata"] | {"resourceVersion": "next", "uid": "uid-of-lease"}}

    def delete(self, path: str, uid: str) -> bool:
        item = self.get(path)
        assert item["metadata"]["uid"] == uid, "deleted by UID"
        self.deleted.append(path)
        if path in self.stuck:
            conditions = [{"type": "NamespaceFinalizersRemaining", "status": "True", "message": HELD}]
            item["metadata"]["deletionTimestamp"], item["status"] = "now", {"phase": "Terminating", "conditions": conditions}
        else:
            del self.objects[path]
        return True


@dataclass
class FakeVelero:
    """Transfers by Restore; a cancelled one ends."""

    cluster: FakeCluster
    transfers: dict[str, list[str]] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    namespace: str = "velero"

    def end(self, restore: str) -> list[str]:
        self.cancelled.append(restore)
        return self.transfers.pop(restore, [])

    def pod_volume_restores(self, restore: str) -> list[dict[str, Any]]:
        return [{"metadata": {"name": name}} for name in self.transfers.get(restore, [])]


@dataclass
class FakeStore:
    """What Velero keeps about its Restores in the bucket."""

    files: dict[str, list[str]] = field(default_factory=dict)
    bucket: str = "velero"

    def restore_files(self, restore: str) -> list[str]:
        return self.files.get(restore, [])


def thing(kind: str, name: str, namespace: str | None = "velero", **labels: str) -> dict[str, Any]:
    version = {"Restore": "velero.io/v1"}.get(kind, "v1")
    metadata: dict[str, Any] = {"name": name, "labels": PLAN.labels | labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata | ({"namespace": namespace} if namespace else {})}


def volume(name: str, namespace: str, policy: str = "Delete") -> dict[str, Any]:
    spec = {"claimRef": {"namespace": namespace}, "persistentVolumeReclaimPolicy": policy}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec, "status": {"phase": "Released"}}


RESTORE = naming.restore_name(PLAN.drill_id, "app")


@pytest.fixture
def cluster() -> FakeCluster:
    found = FakeCluster()
    found.put(
        thing("ConfigMap", f"{RESTORE}-policy"),
        thing("ConfigMap", f"{RESTORE}-modifiers"),
        thing("ConfigMap", "drill-orphan-modifiers"),  # its Restore was never made
        thing("Restore", RESTORE),
        *(thing("Namespace", PLAN.namespace(role), None) for role in PLAN.roles),
    )
    return found


def own(cluster: FakeCluster, store: FakeStore | None = None, running: tuple[str, ...] = ()) -> removal.Removal:
    velero: Any = FakeVelero(cluster, {RESTORE: list(running)} if running else {})
    hook: Any = cluster
    files: Any = store or FakeStore()
    return removal.Removal(PLAN, hook, velero, files)


def test_everything_of_the_drill_goes_also_settings_without_a_restore(cluster: FakeCluster) -> None:
    removing = own(cluster, running=("pvr-1",))
    removed = removing.remove()
    assert cluster.objects == {} and removing.wait(0) == ()
    assert removing.velero.cancelled == [RESTORE]  # type: ignore[attr-defined]
    assert {"configmaps/drill-orphan-modifiers", f"restores/{RESTORE}", f"namespaces/{PLAN.namespace('app')}"} <= set(removed)
    assert cluster.deleted[-1].startswith("/api/v1/namespaces/") and "configmaps" in cluster.deleted[0], "settings first"


@pytest.mark.parametrize("label", [naming.LABEL_TOKEN, naming.LABEL_OWNED])
def test_what_only_bears_our_label_is_named_and_left_alone(cluster: FakeCluster, label: str) -> None:
    cluster.put(thing("Namespace", "somebodys", None, **{label: "copied"}))
    removing = own(cluster)
    assert "namespaces/somebodys" not in removing.remove()
    assert list(cluster.objects) == ["/api/v1/namespaces/somebodys"]
    (left,) = removing.wait(0)
    assert left.startswith("namespaces/somebodys (not ours")


def test_what_holds_a_namespace_is_named_and_no_finalizer_is_stripped(cluster: FakeCluster) -> None:
    path = f"/api/v1/namespaces/{PLAN.namespace('app')}"
    cluster.stuck.add(path)
    removing = own(cluster)
    removing.remove()
    (left,) = removing.wait(0)
    assert left == f"namespaces/{PLAN.namespace('app')} (held by {HELD})"
    removing.remove()
    assert cluster.deleted.count(path) == 1, "asked once, then waited for"


LEFT = {
    "a volume": (lambda c: c.put(volume("pv-1", PLAN.namespace("app"))), {}, "persistentvolumes/pv-1"),
    "a volume that is retained": (
        lambda c: c.put(volume("pv-1", PLAN.namespace("app"), "Retain")),
        {},
        "persistentvolumes/pv-1 (its reclaim policy is Retain: restored data stays on it)",
    ),
    "files of a Restore in the bucket": (lambda c: None, {RESTORE: ["x"]}, f"velero:restores/{RESTORE}/"),
}


@pytest.mark.parametrize(("damage", "files", "said"), LEFT.values(), ids=LEFT.keys())
def test_what_is_left_over_is_named(cluster: FakeCluster, damage: Any, files: dict[str, list[str]], said: str) -> None:
    damage(cluster)
    removing = own(cluster, FakeStore(files))
    removing.remove()
    assert removing.wait(0) == (said,)


def test_somebody_elses_volume_is_nobodys_business_here(cluster: FakeCluster) -> None:
    cluster.put(volume("pv-9", "dalp", "Retain"))
    removing = own(cluster)
    removing.remove()
    assert removing.wait(0) == ()


# ---- the fence


@pytest.fixture
def drill(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Drill:
    run = FakeRun(PLAN, FolderStore(tmp_path / "evidence"), tmp_path / "home")
    run.freeze()
    monkeypatch.setattr(Drill, "evidence", run.store)
    monkeypatch.setattr(Drill, "sandbox", FakeCluster())
    return Drill.open(run.context())  # type: ignore[arg-type]


def entry(drill: Drill, payload: dict[str, Any]) -> None:
    ledger.append(drill.evidence, "teardown", drill.drill_id, payload, private_pem(KEY), "2026-10-06T07:00:00Z")


def test_a_stopped_drill_goes_nowhere_and_stays_stopped_as_it_was(drill: Drill) -> None:
    fence.stop(drill, "ina", "a real incident", "2026-10-06T06:10:00Z")
    said = fence.stop(drill, "otto", "something else", "2026-10-06T06:20:00Z")
    assert said["by"] == "ina"
    with pytest.raises(RefusedError, match="ina stopped the drill at 2026-10-06T06:10:00Z: a real incident"):
        drill.begin()


def test_a_drill_whose_sandbox_was_removed_is_not_continued(drill: Drill) -> None:
    entry(drill, {"kept_until": PLAN.expires_at})
    drill.must_go_on()
    entry(drill, {"remaining": []})
    with pytest.raises(RefusedError, match="was removed after its seal"):
        drill.begin()


NOW = datetime.now(UTC)


def held(drill: Drill, holder: str, hours: float) -> None:
    drill.sandbox.put(lease.manifest("dalp-dr", drill.environment.name, holder, NOW, hours))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("holder", "hours"), [("d-20260101-00000000", -1), (PLAN.drill_id, -1), (None, 0)], ids=["another's", "ours", "none"]
)
def test_a_rerun_takes_the_lease_again_when_it_has_run_out(drill: Drill, holder: str | None, hours: float) -> None:
    if holder:
        held(drill, holder, hours)
    drill.begin()
    found = fence.holder(drill)
    assert found is not None and found.drill_id == PLAN.drill_id and not lease.expired(found, NOW + timedelta(minutes=90))


def test_a_lease_of_ours_is_left_as_it_is(drill: Drill) -> None:
    held(drill, PLAN.drill_id, 1)
    before = dict(drill.sandbox.objects)  # type: ignore[attr-defined]
    drill.begin()
    assert drill.sandbox.objects == before  # type: ignore[attr-defined]


@pytest.mark.parametrize(("holder", "said"), [("d-20260101-00000000", "holds this environment"), ("incident INC-7", "right of way")])
def test_a_rerun_is_refused_while_another_holds_the_lease(drill: Drill, holder: str, said: str) -> None:
    held(drill, holder, 1)
    with pytest.raises(RefusedError, match=said):
        drill.begin()


def test_the_lease_is_given_back_by_its_holder_alone(drill: Drill) -> None:
    held(drill, "d-20260101-00000000", 1)
    fence.release(drill)
    assert fence.holder(drill) is not None
    held(drill, PLAN.drill_id, 1)
    fence.release(drill)
    assert fence.holder(drill) is None


def test_the_fakes_do_nothing_that_the_hooks_cannot() -> None:
    """A method that is called otherwise than the hook's own shows here, not in a teardown."""
    for fake, hook in ((FakeVelero, VeleroHook), (FakeStore, BackupStoreHook), (FakeCluster, SandboxKubernetesHook)):
        own = {name for name in vars(fake) if not name.startswith("_") and callable(getattr(fake, name))} - {"put"}
        assert {name for name in own if not hasattr(hook, name)} == set(), hook.__name__
