"""Does the sandbox fit beside what runs? Answered before anything is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dalp_dr.isolation.quantities import millicores, whole_bytes
from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.plan import DrillPlan

RESTORE_WAIT_MILLICORES = 100  # Velero's init container, per pod with a volume to fill
RESTORE_WAIT_BYTES = 128 * 2**20
UNNAMED_MILLICORES, UNNAMED_BYTES = 10, 32 * 2**20  # the sandbox's LimitRange, for containers that request nothing
OWN_PODS = 2  # probe and gateway


@dataclass(frozen=True)
class RoleNeed:
    """What the restored copy of one source namespace asks for while it is restored, which is its peak."""

    role: str
    cpu_millicores: int
    memory_bytes: int
    pods: int
    disk_bytes: int


@dataclass(frozen=True)
class Capacity:
    """What the sandbox's cluster has, what is requested by pods that run, and what a drill needs on top.

    `storage_free_bytes` is None where the storage provider does not publish it: volumes are then made on demand and
    only their making shows whether they fit.
    """

    nodes: int
    allocatable_millicores: int
    allocatable_bytes: int
    allocatable_pods: int
    requested_millicores: int
    requested_bytes: int
    running_pods: int
    storage_free_bytes: int | None
    needs: tuple[RoleNeed, ...]
    quota_millicores: int
    quota_bytes: int
    quota_pods: int


def needs(plan: DrillPlan, source_pods: Iterable[dict[str, Any]], source_claims: Iterable[dict[str, Any]]) -> tuple[RoleNeed, ...]:
    """Per role, from the pods and claims of the source namespaces: a restored namespace has the same ones."""
    pods = [p for p in source_pods if _runs(p)]
    claims = list(source_claims)
    return tuple(
        _need(
            namespace.role,
            [p for p in pods if p["metadata"]["namespace"] == namespace.name],
            [c for c in claims if c["metadata"]["namespace"] == namespace.name],
        )
        for namespace in plan.environment.source.namespaces
    )


def of_database(plan: DrillPlan) -> tuple[dict[str, Any], dict[str, Any]]:
    """(pod, claim) that the recovered database will be: backups hold neither, so a lost source cannot show them."""
    database = plan.environment.database
    metadata = {"namespace": database.namespace, "labels": {"cnpg.io/cluster": database.cluster}}
    return (
        {"metadata": metadata, "spec": {"containers": [{}]}},
        {"metadata": metadata, "spec": {"resources": {"requests": {"storage": database.storage}}}},
    )


def _need(role: str, pods: list[dict[str, Any]], claims: list[dict[str, Any]]) -> RoleNeed:
    cpu = memory = 0
    for pod in pods:
        own_cpu, own_memory = _requests(pod)
        waits = bool(pod["spec"].get("volumes")) and "cnpg.io/cluster" not in (pod["metadata"].get("labels") or {})
        cpu += max(own_cpu, RESTORE_WAIT_MILLICORES if waits else 0)
        memory += max(own_memory, RESTORE_WAIT_BYTES if waits else 0)
    disk = sum(whole_bytes(c["spec"]["resources"]["requests"]["storage"]) for c in claims)
    return RoleNeed(role, cpu + OWN_PODS * UNNAMED_MILLICORES, memory + OWN_PODS * UNNAMED_BYTES, len(pods) + OWN_PODS, disk)


def _requests(pod: dict[str, Any]) -> tuple[int, int]:
    """What the scheduler counts: the sum of the containers, or the largest init container, whichever is more."""
    spec = pod["spec"]
    main = [_container(c) for c in spec.get("containers", ())]
    first = [_container(c) for c in spec.get("initContainers", ())]
    return (
        max(sum(c for c, _ in main), max((c for c, _ in first), default=0)),
        max(sum(m for _, m in main), max((m for _, m in first), default=0)),
    )


def _container(container: dict[str, Any]) -> tuple[int, int]:
    asked = (container.get("resources") or {}).get("requests") or {}
    return (
        millicores(asked["cpu"]) if "cpu" in asked else UNNAMED_MILLICORES,
        whole_bytes(asked["memory"]) if "memory" in asked else UNNAMED_BYTES,
    )


def _runs(pod: dict[str, Any]) -> bool:
    return pod.get("status", {}).get("phase") not in ("Succeeded", "Failed")


def facts_from(
    plan: DrillPlan,
    nodes: Iterable[dict[str, Any]],
    pods: Iterable[dict[str, Any]],
    source_pods: Iterable[dict[str, Any]],
    source_claims: Iterable[dict[str, Any]],
    storage_free_bytes: int | None = None,
) -> Capacity:
    """From Node objects and all pods of the sandbox's cluster, and pods and claims of the source namespaces. This
    drill's own pods are not counted, so that a rerun gets the answer of the first run."""
    usable = [n for n in nodes if not n["spec"].get("unschedulable") and _ready(n)]
    mine = {plan.namespace(role) for role in plan.roles}
    counted = [p for p in pods if _runs(p) and p["metadata"]["namespace"] not in mine]
    requested = [_counted(p) for p in counted]
    quota = plan.environment.sandbox.quota
    return Capacity(
        nodes=len(usable),
        allocatable_millicores=sum(millicores(n["status"]["allocatable"]["cpu"]) for n in usable),
        allocatable_bytes=sum(whole_bytes(n["status"]["allocatable"]["memory"]) for n in usable),
        allocatable_pods=sum(int(n["status"]["allocatable"]["pods"]) for n in usable),
        requested_millicores=sum(c for c, _ in requested),
        requested_bytes=sum(m for _, m in requested),
        running_pods=len(counted),
        storage_free_bytes=storage_free_bytes,
        needs=needs(plan, source_pods, source_claims),
        quota_millicores=millicores(quota.cpu),
        quota_bytes=whole_bytes(quota.memory),
        quota_pods=quota.pods,
    )


def _counted(pod: dict[str, Any]) -> tuple[int, int]:
    """As `_requests`, but a container that asks for nothing counts nothing outside the sandbox."""
    asked = [(c.get("resources") or {}).get("requests") or {} for c in pod["spec"].get("containers", ())]
    return sum(millicores(a.get("cpu", 0)) for a in asked), sum(whole_bytes(a.get("memory", 0)) for a in asked)


def _ready(node: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in node["status"].get("conditions", ()))


def capacity_sufficient(facts: Capacity, plan: DrillPlan) -> CheckResult:
    """CPU, memory and pods of the whole drill fit beside what runs, each role fits its quota, volumes fit where that
    is known."""
    if not facts.nodes or not facts.needs:
        return inconclusive("the sandbox fits", "no ready node" if not facts.nodes else "needs are unknown")
    cpu, memory = sum(n.cpu_millicores for n in facts.needs), sum(n.memory_bytes for n in facts.needs)
    pods, disk = sum(n.pods for n in facts.needs), sum(n.disk_bytes for n in facts.needs)
    wrong = [
        f"{what}: {need} needed, {free} free"
        for what, need, free in (
            ("CPU (millicores)", cpu, facts.allocatable_millicores - facts.requested_millicores),
            ("memory (bytes)", memory, facts.allocatable_bytes - facts.requested_bytes),
            ("pods", pods, facts.allocatable_pods - facts.running_pods),
            ("disk (bytes)", disk, facts.storage_free_bytes if facts.storage_free_bytes is not None else disk),
        )
        if need > free
    ]
    wrong += [
        f"quota of {n.role}, {what}: {need} needed, {limit} allowed"
        for n in facts.needs
        for what, need, limit in (
            ("CPU (millicores)", n.cpu_millicores, facts.quota_millicores),
            ("memory (bytes)", n.memory_bytes, facts.quota_bytes),
            ("pods", n.pods, facts.quota_pods),
        )
        if need > limit
    ]
    known = "" if facts.storage_free_bytes is not None else "; free disk is not published by the storage provider and was not judged"
    return expect(
        not wrong,
        "the sandbox fits beside what runs",
        f"needs {cpu}m CPU, {memory // 2**20} MiB, {pods} pods, {disk // 2**20} MiB of volumes{known}",
        wrong,
    )
