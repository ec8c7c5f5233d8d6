"""A real Kubernetes API server with Velero's kinds and exactly the rights that an environment needs. Root."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from dalp_dr.isolation import rbac
from dalp_dr.model.environment import Environment
from dalp_dr_lab.cluster import lifecycle, node
from dalp_dr_lab.cluster.settings import Cluster

KINDS = {"velero.io": {"Restore": "restores", "Backup": "backups", "PodVolumeRestore": "podvolumerestores"}}


def definition(group: str, kind: str, plural: str) -> dict[str, Any]:
    """A custom resource as loose as can be: these tests are about who may write it, not about its schema."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }


@contextmanager
def running(number: int, folder: Path, environment: Environment) -> Iterator[Cluster]:
    """A cluster with the namespaces and identities of the environment, while the block runs."""
    found = Cluster(number, folder)
    found.bin.symlink_to(Cluster.of(0).bin)
    try:
        lifecycle.up(found)
        namespaces = [n.name for n in environment.source.namespaces]
        namespaces += [environment.source.velero_namespace, environment.sandbox.routes.operator_namespace]
        made = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "velero"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": "velero", "namespace": environment.source.velero_namespace}],
        }
        ground = [made, *(definition(g, k, p) for g, kinds in KINDS.items() for k, p in kinds.items())]
        ground += [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in namespaces]
        apply(found, yaml.safe_dump_all(ground))
        apply(found, rbac.render(environment))
        yield found
    finally:
        lifecycle.down(found)


def kubectl(cluster: Cluster, *words: str, **how: Any) -> str:
    """kubectl as the administrator."""
    return str(node.sh(cluster.kube, "kubectl", f"--kubeconfig={cluster.kubeconfig}", *words, **how))


def apply(cluster: Cluster, text: str) -> None:
    """kubectl apply of these manifests."""
    kubectl(cluster, "apply", "--server-side", "-f", "-", input=text)
