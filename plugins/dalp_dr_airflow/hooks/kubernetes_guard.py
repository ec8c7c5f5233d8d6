"""Where the sandbox hook may write: decided in Python, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass

from dalp_dr.errors import RefusedError
from dalp_dr_airflow.hooks.kubernetes_paths import Place

_IN_VELERO = {
    "restores.velero.io": "drill-",
    "configmaps": "drill-",
    "downloadrequests.velero.io": "drill-",
    "serverstatusrequests.velero.io": "drill-",
}


@dataclass(frozen=True)
class WriteScope:
    """The sandbox namespaces (by prefix), and what the drill makes in Velero's namespace and in its own."""

    namespace_prefix: str
    velero_namespace: str = "velero"
    lease_namespace: str = "dalp-dr"

    def permit(self, method: str, place: Place, name: str | None = None) -> None:
        """RefusedError when `place` is not ours to write. `name`: of the object to be created, which the path does
        not have.
        """
        if not self._allows(method, place, place.name or name):
            raise RefusedError(
                f"{method} {place}{f' {name}' if name else ''} was about to be sent: that is outside of the sandbox.",
                f"Only namespaces that begin with {self.namespace_prefix} are ever written, and drill-* objects in "
                f"{self.velero_namespace}. Compare sandbox.namespace_prefix in the environment file with the request.",
            )

    def inside(self, namespace: str | None) -> bool:
        """Whether this is one of the drill's sandbox namespaces."""
        return len(self.namespace_prefix) >= 4 and bool(namespace) and str(namespace).startswith(self.namespace_prefix)

    def _allows(self, method: str, place: Place, name: str | None) -> bool:
        if place.namespace is None:
            return place.resource == "namespaces" and place.subresource is None and self.inside(name)
        if self.inside(place.namespace):
            return True
        if place.namespace == self.velero_namespace:
            if place.resource == "podvolumerestores.velero.io":
                return method == "PATCH" and (name or "").startswith("drill-")
            prefix = _IN_VELERO.get(place.resource)
            return prefix is not None and (name or "").startswith(prefix)
        return place.namespace == self.lease_namespace and place.resource == "leases.coordination.k8s.io"
