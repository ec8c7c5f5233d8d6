"""Where an object lives in the Kubernetes API: from a manifest to its path, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dalp_dr.errors import InputError

_SEGMENT = re.compile(r"^[A-Za-z0-9]([-A-Za-z0-9._:]*[A-Za-z0-9])?$")
CLUSTER_SCOPED = {
    "v1": {"Namespace": "namespaces", "PersistentVolume": "persistentvolumes", "Node": "nodes"},
    "scheduling.k8s.io/v1": {"PriorityClass": "priorityclasses"},
    "storage.k8s.io/v1": {"StorageClass": "storageclasses"},
    "rbac.authorization.k8s.io/v1": {"ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings"},
    "apiextensions.k8s.io/v1": {"CustomResourceDefinition": "customresourcedefinitions"},
    "admissionregistration.k8s.io/v1": {
        "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
        "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
    },
}
NAMESPACED = {
    "v1": {
        "Pod": "pods",
        "Service": "services",
        "Secret": "secrets",
        "ConfigMap": "configmaps",
        "Event": "events",
        "ServiceAccount": "serviceaccounts",
        "PersistentVolumeClaim": "persistentvolumeclaims",
        "ResourceQuota": "resourcequotas",
        "LimitRange": "limitranges",
        "Endpoints": "endpoints",
    },
    "apps/v1": {
        "Deployment": "deployments",
        "StatefulSet": "statefulsets",
        "ReplicaSet": "replicasets",
        "DaemonSet": "daemonsets",
        "ControllerRevision": "controllerrevisions",
    },
    "batch/v1": {"Job": "jobs", "CronJob": "cronjobs"},
    "networking.k8s.io/v1": {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses"},
    "policy/v1": {"PodDisruptionBudget": "poddisruptionbudgets"},
    "autoscaling/v2": {"HorizontalPodAutoscaler": "horizontalpodautoscalers"},
    "discovery.k8s.io/v1": {"EndpointSlice": "endpointslices"},
    "coordination.k8s.io/v1": {"Lease": "leases"},
    "rbac.authorization.k8s.io/v1": {"Role": "roles", "RoleBinding": "rolebindings"},
    "velero.io/v1": {
        "Backup": "backups",
        "Restore": "restores",
        "Schedule": "schedules",
        "BackupStorageLocation": "backupstoragelocations",
        "BackupRepository": "backuprepositories",
        "PodVolumeBackup": "podvolumebackups",
        "PodVolumeRestore": "podvolumerestores",
        "DownloadRequest": "downloadrequests",
        "ServerStatusRequest": "serverstatusrequests",
        "DeleteBackupRequest": "deletebackuprequests",
    },
    "postgresql.cnpg.io/v1": {
        "Cluster": "clusters",
        "Backup": "backups",
        "ScheduledBackup": "scheduledbackups",
        "Pooler": "poolers",
        "Database": "databases",
    },
    "barmancloud.cnpg.io/v1": {"ObjectStore": "objectstores"},
}


def collection(api_version: str, plural: str, namespace: str | None = None) -> str:
    """The path of a collection, e.g. `/apis/velero.io/v1/namespaces/velero/restores`."""
    root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
    place = f"/namespaces/{segment(namespace)}" if namespace else ""
    return f"{root}{place}/{plural}"


def collection_of(manifest: Mapping[str, Any]) -> str:
    """The collection a manifest belongs to. InputError when the kind is unknown or its namespace is missing."""
    version, kind = str(manifest.get("apiVersion")), str(manifest.get("kind"))
    namespace = manifest.get("metadata", {}).get("namespace")
    if plural := CLUSTER_SCOPED.get(version, {}).get(kind):
        return collection(version, plural)
    if plural := NAMESPACED.get(version, {}).get(kind):
        if not namespace:
            raise InputError(
                f"The manifest of {kind} {manifest.get('metadata', {}).get('name')} names no namespace.",
                "Name it: nothing is ever written to a default namespace.",
            )
        return collection(version, plural, namespace)
    raise InputError(
        f"The drill does not know where objects of kind {kind} in {version} live.",
        "Add the kind to hooks/kubernetes_paths.py.",
    )


def path_of(manifest: Mapping[str, Any]) -> str:
    """The path of one object, e.g. `/api/v1/namespaces/dalp-drill-1-app/configmaps/limits`."""
    return f"{collection_of(manifest)}/{segment(manifest.get('metadata', {}).get('name'))}"


def segment(name: Any) -> str:
    """A name that may stand in a path. InputError on anything that could point elsewhere."""
    if not isinstance(name, str) or not _SEGMENT.match(name) or ".." in name:
        raise InputError(f"{name!r} is not the name of a Kubernetes object.", "Look at the environment file.")
    return name


@dataclass(frozen=True)
class Place:
    """What a path points at. `resource` is `<plural>.<group>`, or the bare plural of the core group."""

    resource: str
    namespace: str | None
    name: str | None
    subresource: str | None

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        named = f" {self.name}" if self.name else ""
        return f"{self.resource}{f'/{self.subresource}' if self.subresource else ''}{named}{where}"


def place_of(path: str) -> Place:
    """Take a path apart. InputError when it is not a path of the Kubernetes resource API."""
    parts = [p for p in path.split("?", 1)[0].split("/") if p]
    if ".." in parts or "%" in path or not parts or parts[0] not in ("api", "apis"):
        raise InputError(f"{path!r} is not a path of the Kubernetes API.", "This is a defect of the drill: report it.")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[3:])
    namespace = None
    if rest[:1] == ["namespaces"] and len(rest) > 2 and rest[2] not in ("finalize", "status"):
        namespace, rest = rest[1], rest[2:]
    if not rest:
        raise InputError(f"{path!r} names no resource.", "This is a defect of the drill: report it.")
    name = rest[1] if len(rest) > 1 else None
    return Place(f"{rest[0]}.{group}" if group else rest[0], namespace, name, "/".join(rest[2:]) or None)
