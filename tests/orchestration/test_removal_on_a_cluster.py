"""Removal through the real API server, with the janitor's own rights and with the drill's. Root; cluster number 8."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from dalp_dr import naming
from dalp_dr_airflow.hooks.kubernetes_sandbox import SandboxKubernetesHook
from dalp_dr_airflow.hooks.velero import VeleroHook
from dalp_dr_airflow.removal import Removal
from dalp_dr_lab.cluster import node
from dalp_dr_lab.cluster.settings import Cluster
from sandbox_sample import PLAN
from test_removal import FakeStore
from test_rights import cluster

__all__ = ["cluster"]
pytestmark = pytest.mark.lab
VELERO = PLAN.environment.source.velero_namespace
RESTORE = naming.restore_name(PLAN.drill_id, "app")


def kubectl(cluster: Cluster, *words: str, text: str | None = None) -> str:
    return str(node.sh(cluster.kube, "kubectl", f"--kubeconfig={cluster.kubeconfig}", *words, input=text))


def hook(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, account: str) -> SandboxKubernetesHook:
    """The sandbox hook as one of the project's identities."""
    token = kubectl(cluster, "create", "token", account, "-n", "dalp-dr").strip()
    admin = yaml.safe_load(cluster.kubeconfig.read_text())
    own = admin | {"users": [{"name": admin["users"][0]["name"], "user": {"token": token}}]}
    connection = {"conn_type": "kubernetes", "extra": {"kube_config": json.dumps(own)}}
    monkeypatch.setenv("AIRFLOW_CONN_OWN_IDENTITY", json.dumps(connection))
    return SandboxKubernetesHook("own_identity", PLAN.environment.sandbox.namespace_prefix, VELERO)


def a_thing(kind: str, name: str, namespace: str | None = VELERO, version: str = "v1", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": PLAN.labels} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def fill(cluster: Cluster) -> None:
    transfer = a_thing("PodVolumeRestore", "pvr-1", version="velero.io/v1", spec={"pod": {}, "volume": "v", "snapshotID": "s"})
    transfer["metadata"]["labels"] = {"velero.io/restore-name": RESTORE}
    transfer["metadata"]["name"] = "drill-pvr-1"
    things = [
        a_thing("ConfigMap", f"{RESTORE}-policy"),
        a_thing("ConfigMap", "drill-orphan-modifiers"),
        a_thing("Restore", RESTORE, version="velero.io/v1", spec={}, status={"phase": "InProgress"}),
        transfer,
        *(a_thing("Namespace", PLAN.namespace(role), None) for role in PLAN.roles),
    ]
    kubectl(cluster, "apply", "--server-side", "-f", "-", text=yaml.safe_dump_all(things))


@pytest.mark.parametrize("account", ["janitor", "drill"])
def test_everything_goes_by_label_token_and_uid_and_what_holds_on_is_named(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    fill(cluster)
    app = PLAN.namespace("app")
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "namespace": app, "finalizers": ["example.com/hold"]}}
    kubectl(cluster, "apply", "--server-side", "-f", "-", text=yaml.safe_dump(held))
    store: Any = FakeStore()
    own = hook(cluster, monkeypatch, account)
    removal = Removal(PLAN, own, VeleroHook(None, own, VELERO), store)
    removed = removal.remove()
    assert {f"namespaces/{PLAN.namespace(role)}" for role in PLAN.roles} | {"configmaps/drill-orphan-modifiers"} <= set(removed)
    cancelled = json.loads(kubectl(cluster, "get", "podvolumerestores", "drill-pvr-1", "-n", VELERO, "-o", "json"))
    assert cancelled["spec"]["cancel"] is True
    kubectl(cluster, "delete", "podvolumerestores", "drill-pvr-1", "-n", VELERO)  # as Velero's garbage goes with its Restore
    (left,) = removal.wait(12)
    assert left.startswith(f"namespaces/{app} (held by") and "example.com/hold" in left
    kubectl(cluster, "patch", "configmap", "held", "-n", app, "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    assert removal.wait(30) == ()
