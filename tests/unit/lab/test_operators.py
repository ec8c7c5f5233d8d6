"""Upstream's manifests are changed only where the lab's images need it."""

from __future__ import annotations

from typing import Any

from dalp_dr_lab import operators


def _workload(kind: str) -> dict[str, Any]:
    mounts = [{"name": "plugins", "mountPath": "/plugins"}, {"name": "scratch", "mountPath": "/scratch"}]
    pod = {
        "initContainers": [{"name": "aws"}],
        "containers": [{"args": ["server"], "volumeMounts": mounts}],
        "volumes": [{"name": "plugins"}, {"name": "scratch"}],
    }
    return {"kind": kind, "spec": {"template": {"spec": pod}}}


def test_the_server_takes_its_plugin_from_its_own_image() -> None:
    document = _workload("Deployment")
    operators._adapt_velero(document)
    pod = document["spec"]["template"]["spec"]
    assert "initContainers" not in pod
    assert [volume["name"] for volume in pod["volumes"]] == ["scratch"]
    assert [mount["name"] for mount in pod["containers"][0]["volumeMounts"]] == ["scratch"]
    assert "--fs-backup-timeout=6m" in pod["containers"][0]["args"]


def test_the_node_agent_reads_its_settings() -> None:
    document = _workload("DaemonSet")
    operators._adapt_velero(document)
    pod = document["spec"]["template"]["spec"]
    assert "--node-agent-configmap=node-agent-config" in pod["containers"][0]["args"]
    assert pod["initContainers"] == [{"name": "aws"}]


def test_a_lost_store_is_noticed_within_seconds() -> None:
    document: dict[str, Any] = {"kind": "BackupStorageLocation", "spec": {"provider": "aws"}}
    operators._adapt_velero(document)
    assert document["spec"] == {"provider": "aws", "validationFrequency": "15s", "backupSyncPeriod": "1m0s"}


def test_other_documents_stay_as_they_are() -> None:
    document = {"kind": "CustomResourceDefinition", "spec": {"group": "velero.io"}}
    operators._adapt_velero(document)
    assert document == {"kind": "CustomResourceDefinition", "spec": {"group": "velero.io"}}
