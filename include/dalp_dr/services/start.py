"""In which order restored services start, and how a restored workload is held and released."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from dalp_dr.errors import FactError
from dalp_dr.model.environment import Environment, Service
from dalp_dr.naming import ANNOTATION_REPLICAS, HOLD


@dataclass(frozen=True)
class Started:
    """One released service: how long until it was ready, or why the wait ended before."""

    service: str
    order: int
    seconds: float
    error: str | None = None


@dataclass(frozen=True)
class StartFacts:
    """What the release of the held services took, in the order of release."""

    services: tuple[Started, ...]


KINDS = {"deployment": "Deployment", "statefulset": "StatefulSet"}


def groups(environment: Environment) -> tuple[tuple[Service, ...], ...]:
    """Services by `order`; a group starts when the one before it is healthy. Inside a group the order does not
    matter."""
    ranked = sorted(environment.services, key=lambda s: (s.order, s.name))
    return tuple(tuple(group) for _, group in groupby(ranked, key=lambda s: s.order))


def workload_of(service: Service) -> tuple[str, str]:
    """Kind and name of the service's workload, e.g. ("Deployment", "dalp-dapi")."""
    kind, name = service.workload.split("/", 1)
    return KINDS[kind], name


def hold_patch(workload: dict[str, Any]) -> dict[str, Any] | None:
    """A merge patch that scales to zero and remembers from how many; None when the workload is held already.

    Held StatefulSet pods that are not Ready stay: an ordered StatefulSet waits for them, so they are deleted as well.
    """
    remembered = (workload["metadata"].get("annotations") or {}).get(ANNOTATION_REPLICAS)
    replicas = workload["spec"].get("replicas", 1)
    if remembered is not None and replicas == 0:
        return None
    keep = remembered if remembered is not None else str(replicas)
    return {"metadata": {"annotations": {ANNOTATION_REPLICAS: keep}}, "spec": {"replicas": 0}}


def release_patch(workload: dict[str, Any]) -> dict[str, Any]:
    """A merge patch back to the remembered number of replicas, without the holding init container.

    Raises FactError when nobody remembered the number.
    """
    remembered = (workload["metadata"].get("annotations") or {}).get(ANNOTATION_REPLICAS)
    if remembered is None or not remembered.isdigit():
        name = f"{workload['kind']} {workload['metadata']['name']}"
        raise FactError(
            f"{name} has no annotation {ANNOTATION_REPLICAS}, so its replicas are unknown.",
            "Run the task that holds the restored workloads again.",
        )
    inside = workload["spec"]["template"]["spec"].get("initContainers") or []
    kept = [container for container in inside if container["name"] != HOLD]
    return {"spec": {"replicas": int(remembered), "template": {"spec": {"initContainers": kept or None}}}}
