"""The mapping of a public host as an HTTPRoute or an Ingress has it. Unless told otherwise, the API server only tries a change."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from airflow.sdk import BaseHook

from dalp_dr.errors import InputError
from dalp_dr.services.route_switch import Backend
from dalp_dr_airflow.hooks.errors import Conflict, Missing
from dalp_dr_airflow.hooks.kubernetes_api import KubernetesApi

PATHS = {
    "http_route": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes/{}",
    "ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses/{}",
}
JSON_PATCH = "application/json-patch+json"


class RouteObjectHook(BaseHook):
    """One HTTPRoute or Ingress that holds the drill's public hosts; the connection's identity needs `get` and `patch` on it alone.

    A backend's name is `namespace/service`; only an HTTPRoute can name a service of another namespace, or share by weight.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "dalp_route_control"
    conn_type = "kubernetes"
    hook_name = "DALP public entrance (Kubernetes object)"

    def __init__(self, conn_id: str, kind: str, namespace: str, name: str) -> None:
        super().__init__()
        self.conn_id, self.kind, self.namespace, self._path = conn_id, kind, namespace, PATHS[kind].format(namespace, name)

    def read(self, host: str) -> tuple[tuple[Backend, ...], str]:
        """(where the host is mapped to, the object's version). Missing when the object does not hold the host."""
        found = self._api.call("GET", self._path)
        return tuple(map(self._backend, self._at(found, host)[1])), str(found["metadata"]["resourceVersion"])

    def write(self, host: str, backends: Sequence[Backend], version: str, dry_run: bool = True) -> None:
        """Maps the host anew, or with `dry_run` has the API server try it and keep nothing. Conflict when the object changed meanwhile."""
        found = self._api.call("GET", self._path)
        if found["metadata"]["resourceVersion"] != version:
            raise Conflict(f"{self._path} was changed since it was read.", "Find out by whom; nothing was changed.")
        place, _ = self._at(found, host)
        value = [self._reference(b) for b in backends]
        patch = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": place, "value": value if self.kind == "http_route" else value[0]},
        ]
        self._api.call("PATCH", self._path, query={"dryRun": "All"} if dry_run else None, body=patch, content_type=JSON_PATCH)

    def _at(self, found: dict[str, Any], host: str) -> tuple[str, list[dict[str, Any]]]:
        """(JSON pointer to the backends of the host, the backends)."""
        if self.kind == "http_route":
            rules = found["spec"].get("rules") or []
            if host in (found["spec"].get("hostnames") or []) and len(rules) == 1:
                return "/spec/rules/0/backendRefs", list(rules[0].get("backendRefs") or [])
            raise Missing(f"{self._path} is no HTTPRoute of {host} with one rule.", "Give the drill's hosts a route of their own.")
        for number, rule in enumerate(found["spec"].get("rules") or []):
            paths = (rule.get("http") or {}).get("paths") or []
            if rule.get("host") == host and len(paths) == 1:
                return f"/spec/rules/{number}/http/paths/0/backend", [paths[0]["backend"]]
        raise Missing(f"{self._path} has no rule of {host} with one path.", "Give the drill's hosts an Ingress of their own.")

    def _backend(self, reference: dict[str, Any]) -> Backend:
        if self.kind == "http_route":
            namespace = reference.get("namespace") or self.namespace
            return Backend(
                f"{namespace}/{reference['name']}", f"{reference['name']}.{namespace}:{reference['port']}", reference.get("weight", 1)
            )
        service = reference["service"]
        port = service["port"].get("number") or service["port"]["name"]
        return Backend(f"{self.namespace}/{service['name']}", f"{service['name']}.{self.namespace}:{port}")

    def _reference(self, backend: Backend) -> dict[str, Any]:
        namespace, _, service = backend.name.partition("/")
        port = backend.address.rpartition(":")[2]
        number: int | str = int(port) if port.isdigit() else port
        if self.kind == "http_route":
            return {"name": service, "namespace": namespace, "port": number, "weight": backend.weight}
        if namespace != self.namespace:
            raise InputError(
                f"An Ingress in {self.namespace} cannot name a service in {namespace}.",
                "Use an HTTPRoute, or an entrance of kind proxy.",
            )
        return {"service": {"name": service, "port": {"number": number} if isinstance(number, int) else {"name": number}}}

    @cached_property
    def _api(self) -> KubernetesApi:
        return KubernetesApi(self.conn_id)
