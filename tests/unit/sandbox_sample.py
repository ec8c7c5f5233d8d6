"""A plan with addresses, and Kubernetes objects as the API server gives them, for tests of the sandbox."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dalp_dr import naming, planning
from dalp_dr.model import environment_file
from dalp_dr.model.check import Surface
from dalp_dr.model.environment import Environment, Route
from dalp_dr.model.plan import ConfigurationPoint, DatabasePoint, DrillPlan, Window

LAB_FILE = Path(__file__).parents[2] / "include" / "environments" / "lab.yaml"
ADDRESSES = {
    "kubernetes_api": Route(address="10.0.0.1", port=6443),
    "backup_store": Route(address="10.9.0.1", port=8333),
    "object_storage": Route(address="10.9.0.2", port=8333),
    "rpc": Route(address="10.9.0.3", port=8545),
}
ASKED = datetime(2026, 10, 6, 6, 0, tzinfo=UTC)
SYSTEM_ID = "7000000000000000001"


def an_environment(**changes: Any) -> Environment:
    resolved = planning.resolve(environment_file.read(LAB_FILE), ADDRESSES, "http://10.9.0.1:8333")
    return resolved.model_copy(update=changes)


def a_plan(environment: Environment | None = None, **changes: Any) -> DrillPlan:
    asked = planning.Request("quarterly_drill", "run-1", ASKED, "sam", "quarterly", tuple(Surface), "latest", None, False)
    resolved = environment or an_environment()
    database = DatabasePoint(
        Window("2026-09-06T02:00:00Z", "2026-10-06T05:59:30Z", "0/5000000", 1, SYSTEM_ID, 30, 400),
        "20261006T020000",
        "2026-10-06T02:01:00Z",
        "2026-10-06T05:59:30.000000Z",
        "0/4FFFF00",
        12,
    )
    plan = planning.freeze(
        asked,
        resolved,
        resolved,
        "2026-10-06T06:00:00Z",
        database,
        (),
        ConfigurationPoint("a" * 40, "2026-10-01T12:00:00Z"),
    )
    return replace(plan, **changes)


PLAN = a_plan()


def a_namespace(
    name: str,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    uid: str = "u-1",
    phase: str = "Active",
) -> dict[str, Any]:
    return {
        "kind": "Namespace",
        "metadata": {"name": name, "uid": uid, "labels": labels or {}, "annotations": annotations or {}},
        "status": {"phase": phase},
    }


def ours(plan: DrillPlan = PLAN) -> dict[str, str]:
    return naming.labels(plan.drill_id, plan.environment.name)


def a_pod(
    namespace: str,
    name: str,
    *,
    cpu: str | None = "100m",
    memory: str | None = "128Mi",
    address: str = "10.244.0.9",
    phase: str = "Running",
    labels: dict[str, str] | None = None,
    owner: tuple[str, str] | None = None,
    volumes: tuple[str, ...] = (),
    init: tuple[str, str] | None = None,
) -> dict[str, Any]:
    asked = {k: v for k, v in (("cpu", cpu), ("memory", memory)) if v}
    spec: dict[str, Any] = {
        "containers": [{"name": "main", "image": "i:1", "resources": {"requests": asked}}],
        "volumes": [{"name": v} for v in volumes],
    }
    if init:
        spec["initContainers"] = [{"name": "init", "image": "i:1", "resources": {"requests": {"cpu": init[0], "memory": init[1]}}}]
    return {
        "kind": "Pod",
        "metadata": {
            "namespace": namespace,
            "name": name,
            "labels": labels or {},
            "ownerReferences": [{"kind": owner[0], "name": owner[1]}] if owner else [],
        },
        "spec": spec,
        "status": {"phase": phase, "podIP": address},
    }
