"""From manifests to paths and back; names that point elsewhere are refused."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.errors import InputError, RefusedError
from dalp_dr_airflow.hooks.kubernetes_guard import WriteScope
from dalp_dr_airflow.hooks.kubernetes_paths import Place, path_of, place_of


def manifest(version: str, kind: str, name: Any, namespace: str | None = None) -> dict[str, Any]:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
    }


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (manifest("v1", "Namespace", "a"), "/api/v1/namespaces/a"),
        (manifest("v1", "Secret", "s", "n"), "/api/v1/namespaces/n/secrets/s"),
        (manifest("apps/v1", "StatefulSet", "s", "n"), "/apis/apps/v1/namespaces/n/statefulsets/s"),
        (
            manifest("networking.k8s.io/v1", "NetworkPolicy", "p", "n"),
            "/apis/networking.k8s.io/v1/namespaces/n/networkpolicies/p",
        ),
        (manifest("velero.io/v1", "Restore", "r", "velero"), "/apis/velero.io/v1/namespaces/velero/restores/r"),
        (manifest("postgresql.cnpg.io/v1", "Cluster", "c", "n"), "/apis/postgresql.cnpg.io/v1/namespaces/n/clusters/c"),
        (manifest("postgresql.cnpg.io/v1", "Backup", "b", "n"), "/apis/postgresql.cnpg.io/v1/namespaces/n/backups/b"),
        (
            manifest("barmancloud.cnpg.io/v1", "ObjectStore", "o", "n"),
            "/apis/barmancloud.cnpg.io/v1/namespaces/n/objectstores/o",
        ),
        (manifest("scheduling.k8s.io/v1", "PriorityClass", "p"), "/apis/scheduling.k8s.io/v1/priorityclasses/p"),
    ],
)
def test_path_of(given: dict[str, Any], path: str) -> None:
    assert path_of(given) == path


@pytest.mark.parametrize(
    "given",
    [
        manifest("v1", "Secret", "s"),
        manifest("v1", "Unknown", "s", "n"),
        manifest("v1", "Secret", "../../dalp/secrets/x", "n"),
        manifest("v1", "Secret", "a/b", "n"),
        manifest("v1", "Secret", "a..b", "n"),
        manifest("v1", "Secret", None, "n"),
        manifest("v1", "Secret", "s", "n/../dalp"),
        manifest("v1", "Secret", "s?x=1", "n"),
        manifest("v1", "Secret", "a%2fb", "n"),
    ],
)
def test_no_path_for_a_doubtful_manifest(given: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        path_of(given)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/api/v1/namespaces/a", Place("namespaces", None, "a", None)),
        ("/api/v1/namespaces", Place("namespaces", None, None, None)),
        ("/api/v1/namespaces/a/pods/p/log", Place("pods", "a", "p", "log")),
        ("/api/v1/namespaces/a/finalize", Place("namespaces", None, "a", "finalize")),
        ("/apis/apps/v1/namespaces/a/deployments/d/scale?x=1", Place("deployments.apps", "a", "d", "scale")),
        ("/apis/velero.io/v1/namespaces/velero/restores", Place("restores.velero.io", "velero", None, None)),
        ("/api/v1/nodes", Place("nodes", None, None, None)),
    ],
)
def test_place_of(path: str, place: Place) -> None:
    assert place_of(path) == place


@pytest.mark.parametrize(
    "path",
    ["", "/", "/healthz", "/api/v1", "/api/v1/namespaces/a/../dalp/pods", "/api/v1/namespaces/a%2f..%2fdalp/pods"],
)
def test_no_place_for_a_doubtful_path(path: str) -> None:
    with pytest.raises(InputError):
        place_of(path)


SCOPE = WriteScope("dalp-drill-")
BOX = "/api/v1/namespaces/dalp-drill-1-app"
VELERO = "/namespaces/velero"


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", f"{BOX}/secrets", "s"),
        ("DELETE", f"{BOX}/pods/p", None),
        ("PATCH", "/api/v1/namespaces/dalp-drill-1-app", None),
        ("POST", "/api/v1/namespaces", "dalp-drill-1-app"),
        ("DELETE", "/api/v1/namespaces/dalp-drill-1-app", None),
        ("POST", f"/apis/velero.io/v1{VELERO}/restores", "drill-1-app-1"),
        ("DELETE", f"/apis/velero.io/v1{VELERO}/restores/drill-1-app-1", None),
        ("POST", f"/api/v1{VELERO}/configmaps", "drill-1-modifiers"),
        ("PATCH", f"/apis/velero.io/v1{VELERO}/podvolumerestores/drill-1-x", None),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/dalp-dr/leases/lab", None),
    ],
)
def test_the_sandbox_may_be_written(method: str, path: str, name: str | None) -> None:
    SCOPE.permit(method, place_of(path), name)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/api/v1/namespaces/dalp/secrets", "s"),
        ("DELETE", "/api/v1/namespaces/dalp", None),
        ("POST", "/api/v1/namespaces", "dalp"),
        ("POST", "/api/v1/namespaces", None),
        ("DELETE", "/api/v1/nodes/n", None),
        ("PATCH", "/api/v1/namespaces/my-dalp-drill-1/pods/p", None),
        ("PATCH", "/api/v1/namespaces/dalp-drill-1-app/finalize", None),
        ("POST", f"/apis/velero.io/v1{VELERO}/restores", "dalp-1"),
        ("DELETE", f"/apis/velero.io/v1{VELERO}/backups/drill-1", None),
        ("DELETE", f"/api/v1{VELERO}/configmaps/change-storage-class", None),
        ("POST", f"/api/v1{VELERO}/secrets", "drill-1"),
        ("DELETE", f"/apis/velero.io/v1{VELERO}/podvolumerestores/drill-1-x", None),
        ("POST", "/api/v1/namespaces/dalp-dr/secrets", "s"),
        ("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "dalp-drill-1"),
    ],
)
def test_nothing_else_may(method: str, path: str, name: str | None) -> None:
    with pytest.raises(RefusedError):
        SCOPE.permit(method, place_of(path), name)


@pytest.mark.parametrize("prefix", ["", "d", "da-"])
def test_a_prefix_that_says_nothing_protects_nothing_and_permits_nothing(prefix: str) -> None:
    with pytest.raises(RefusedError):
        WriteScope(prefix).permit("DELETE", place_of("/api/v1/namespaces/dalp/pods/p"))
