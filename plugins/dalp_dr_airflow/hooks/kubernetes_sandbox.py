"""The sandbox's Kubernetes: the same reads, and writes that cannot leave the sandbox."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from airflow.sdk import BaseHook

from dalp_dr.errors import RefusedError
from dalp_dr_airflow.hooks.errors import Conflict, Missing, NoAnswer, RetryPolicy
from dalp_dr_airflow.hooks.kubernetes_api import HttpAnswer, KubernetesApi, explanation
from dalp_dr_airflow.hooks.kubernetes_guard import WriteScope
from dalp_dr_airflow.hooks.kubernetes_paths import collection, collection_of, path_of, place_of, segment
from dalp_dr_airflow.hooks.kubernetes_reads import KubernetesReads
from dalp_dr_airflow.hooks.pod_exec import run_in_container
from dalp_dr_airflow.hooks.pod_forward import ask_pod, ready_pods

FIELD_MANAGER = "dalp-dr"
PatchKind = Literal["merge", "json", "strategic"]
_PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 5.0
_WORKLOADS = {"deployment": "deployments", "statefulset": "statefulsets", "replicaset": "replicasets"}


class SandboxKubernetesHook(KubernetesReads, BaseHook):
    """Reads everything its identity may read; writes only where WriteScope permits, and says so before anything is
    sent.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "dalp_sandbox_kubernetes"
    conn_type = "kubernetes"
    hook_name = "DALP sandbox Kubernetes"

    def __init__(
        self,
        conn_id: str = default_conn_name,
        namespace_prefix: str = "dalp-drill-",
        velero_namespace: str = "velero",
        lease_namespace: str = "dalp-dr",
        retries: RetryPolicy | None = None,
    ) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.scope = WriteScope(namespace_prefix, velero_namespace, lease_namespace)
        self._api = KubernetesApi(conn_id, retries)

    def apply(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Server-side apply as `dalp-dr`, never by force. Conflict when another manager owns one of the fields."""
        path = path_of(manifest)
        self.scope.permit("PATCH", place_of(path))
        return self._api.call(
            "PATCH",
            path,
            query={"fieldManager": FIELD_MANAGER, "force": "false"},
            body=manifest,
            content_type="application/apply-patch+yaml",
        )

    def create(self, manifest: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
        """`(object, created)`; an object of this name that exists already is returned as it is, with False."""
        path, name = collection_of(manifest), manifest["metadata"].get("name")
        self.scope.permit("POST", place_of(path), segment(name))
        try:
            return self._api.call("POST", path, query={"fieldManager": FIELD_MANAGER}, body=manifest), True
        except Conflict:
            return self.get(path_of(manifest)), False

    def dry_run_create(self, manifest: Mapping[str, Any]) -> tuple[int, str]:
        """`(status, message)` of a create that stores nothing (dryRun=All), wherever it points; 201: it would be
        allowed.
        """
        path, query = collection_of(manifest), {"fieldManager": FIELD_MANAGER, "dryRun": "All"}
        answer = self._api.retries.call(lambda: self._api.request("POST", path, query=query, body=manifest))
        return answer.status, explanation(answer.body) if answer.status >= 300 else "allowed"

    def replace(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """PUT; with a resourceVersion in the manifest the API server refuses (Conflict) what changed meanwhile."""
        path = path_of(manifest)
        self.scope.permit("PUT", place_of(path))
        return self._api.call("PUT", path, query={"fieldManager": FIELD_MANAGER}, body=manifest)

    def patch(self, path: str, body: Any, kind: PatchKind = "merge") -> dict[str, Any]:
        """Patch one object or its subresource, e.g. `.../deployments/dapi/scale`."""
        self.scope.permit("PATCH", place_of(path))
        return self._api.call("PATCH", path, query={"fieldManager": FIELD_MANAGER}, body=body, content_type=_PATCH_TYPES[kind])

    def delete(self, path: str, uid: str, foreground: bool = False, grace_seconds: int | None = None) -> bool:
        """Delete exactly this object; False when it is gone already. RefusedError when the name is now another
        object's.
        """
        self.scope.permit("DELETE", place_of(path))
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Foreground" if foreground else "Background",
        }
        if grace_seconds is not None:
            body["gracePeriodSeconds"] = grace_seconds
        try:
            self._api.call("DELETE", path, body=body)
        except Missing:
            return False
        except Conflict as conflict:
            raise RefusedError(
                f"{place_of(path)} was not deleted: {conflict}",
                "Another object bears the name now. Find out who made it before anything is deleted.",
            ) from None
        return True

    def scale(self, kind: str, namespace: str, name: str, replicas: int) -> dict[str, Any]:
        """Set the replicas of a deployment, statefulset or replicaset through its scale subresource."""
        path = f"{collection('apps/v1', _WORKLOADS[kind.lower()], namespace)}/{segment(name)}/scale"
        return self.patch(path, {"spec": {"replicas": replicas}})

    def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        stdin: str | None = None,
        timeout_seconds: float = 60,
    ) -> str:
        """Standard output of a command in a sandbox pod. CommandError with its stderr on another exit code than 0."""
        self._inside(namespace, f"exec into {pod}")
        return run_in_container(self._api, segment(namespace), segment(pod), segment(container), command, stdin, timeout_seconds)

    def logs(self, namespace: str, pod: str, container: str, tail: int = 200, previous: bool = False) -> str:
        """The last lines a container wrote, as they are: redact them before they are stored."""
        path = f"/api/v1/namespaces/{segment(namespace)}/pods/{segment(pod)}/log"
        return self._api.text(path, query={"container": segment(container), "tailLines": tail, "previous": str(previous).lower()})

    def service_request(
        self,
        namespace: str,
        service: str,
        port: int,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = 5,
    ) -> HttpAnswer:
        """Ask a sandbox Service over HTTP, by a port forward to one of its ready pods, which no network policy hinders.

        Any status is an answer; a Service without a ready pod answers 503, as it does inside the cluster. Missing
        when there is no such Service or port, NoAnswer in silence.
        """
        self._inside(namespace, f"ask service {service}")
        offered = [
            p
            for p in self.get(f"{collection('v1', 'services', namespace)}/{segment(service)}")["spec"].get("ports", [])
            if p["port"] == port
        ]
        if not offered:
            raise Missing(
                f"Service {namespace}/{service} has no port {port}.",
                "Compare it with the environment file.",
                status=404,
            )
        slices = self.list(collection("discovery.k8s.io/v1", "endpointslices", namespace), f"kubernetes.io/service-name={service}")
        ready = ready_pods(slices, offered[0].get("name") or "")
        if not ready:
            return HttpAnswer(503, f"service {service} has no ready pod".encode(), 0.0)
        pod, pod_port = ready[0]
        return ask_pod(self._api, namespace, pod, pod_port, method, path, headers or {}, timeout_seconds)

    def wait(
        self, path: str, predicate: Callable[[dict[str, Any] | None], bool], timeout_seconds: float, what: str
    ) -> dict[str, Any] | None:
        """Poll one object until `predicate(object, or None when it is missing)`; NoAnswer when `what` did not happen
        in time.

        For waits of seconds in the worker; longer ones belong into a trigger.
        """
        deadline, pause = time.monotonic() + timeout_seconds, _FIRST_PAUSE_SECONDS
        while True:
            try:
                found: dict[str, Any] | None = self.get(path)
            except Missing:
                found = None
            if predicate(found):
                return found
            if time.monotonic() + pause > deadline:
                raise NoAnswer(
                    f"{what} did not happen within {timeout_seconds:.0f} s.",
                    f"Look at {place_of(path)}.",
                    transient=True,
                )
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    def _inside(self, namespace: str, what: str) -> None:
        if not self.scope.inside(namespace):
            raise RefusedError(
                f"The drill was about to {what} in {namespace}, which is no sandbox namespace.",
                f"Only namespaces that begin with {self.scope.namespace_prefix} are touched.",
            )
