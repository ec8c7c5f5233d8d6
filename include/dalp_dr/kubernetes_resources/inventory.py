"""Restored namespace inventory: what the backup and Git say must exist, against what lives in the sandbox."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from dalp_dr import naming
from dalp_dr.kubernetes_resources.restore import EXCLUDED_KINDS, Contents, drill_host, left_out, sealed_value
from dalp_dr.model.check import CheckResult, expect, failed
from dalp_dr.model.plan import DrillPlan

REQUIRED_KINDS = ("ConfigMap", "Ingress", "PersistentVolumeClaim", "Secret", "Service")
# Made anew by controllers of the sandbox from the objects that own them; their names differ from production's.
DERIVED_KINDS = ("ControllerRevision", "EndpointSlice", "Endpoints", "Event", "Lease", "Pod", "ReplicaSet")
ALWAYS_THERE = ("ConfigMap/kube-root-ca.crt", "ServiceAccount/default")


@dataclass(frozen=True)
class Difference:
    """One object whose content is not what the backup holds after the declared rewrites."""

    object: str
    field: str
    expected: str
    observed: str


@dataclass(frozen=True)
class InventoryFacts:
    """Objects are `Kind/name`. `from_git` are those the charts in Git render; their absence from the backup is a gap."""

    role: str
    source_namespace: str
    sandbox_namespace: str
    backup: str
    from_backup: tuple[str, ...]
    from_git: tuple[str, ...]
    left_out: tuple[str, ...]
    found: tuple[str, ...]
    unexpected: tuple[str, ...]
    differences: tuple[Difference, ...]
    unsealed_secrets: tuple[str, ...]
    database_objects: tuple[str, ...]
    counts_by_kind: dict[str, int]


def _name(item: dict[str, Any]) -> str:
    return f"{item['kind']}/{item['metadata']['name']}"


def digest(value: Any) -> str:
    """First 16 hex of the sha256 of the sorted JSON: enough to compare, nothing to read back."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def excluded(kind_group: str, item: dict[str, Any], plan: DrillPlan, role: str) -> bool:
    """Whether the restore's own rules leave this object of the backup out."""
    if kind_group in EXCLUDED_KINDS or "cnpg.io/cluster" in (item["metadata"].get("labels") or {}):
        return True
    return any(fnmatchcase(item["metadata"]["name"], pattern) for pattern in left_out(plan, role))


def facts_from(
    plan: DrillPlan, role: str, contents: Contents, rendered: Iterable[dict[str, Any]], live: Iterable[dict[str, Any]]
) -> InventoryFacts:
    """`contents`: the backup's objects; `rendered`: the chart's objects from Git; `live`: the sandbox namespace's objects."""
    source = plan.environment.source.namespace(role)
    wanted: dict[str, dict[str, Any]] = {}
    skipped = set()
    for kind_group, objects in contents.items():
        for key, item in objects.items():
            if not key.startswith(f"{source.name}/") or item.get("kind") in DERIVED_KINDS:
                continue
            (skipped.add(_name(item)) if excluded(kind_group, item, plan, role) else wanted.setdefault(_name(item), item))
    git = {_name(o) for o in rendered if _restorable(o, plan, role)}
    there = {_name(o): o for o in live if o.get("kind") not in DERIVED_KINDS}
    ours = {name for name, item in there.items() if _is_ours(item)}
    database = {name for name, item in there.items() if is_database(item, plan, role)}
    unexpected = set(there) - set(wanted) - git - ours - database - set(ALWAYS_THERE)
    return InventoryFacts(
        role=role,
        source_namespace=source.name,
        sandbox_namespace=plan.namespace(role),
        backup=plan.backup(role).backup,
        from_backup=tuple(sorted(wanted)),
        from_git=tuple(sorted(git)),
        left_out=tuple(sorted(skipped)),
        found=tuple(sorted((set(wanted) | git) & set(there))),
        unexpected=tuple(sorted(unexpected)),
        differences=tuple(_differences(plan, role, wanted, there)),
        unsealed_secrets=tuple(
            sorted(
                n
                for n in (*source.seal_secrets, *source.object_read_secrets)
                if not _sealed(plan, role, there.get(f"Secret/{n}"), n in source.object_read_secrets)
            )
        ),
        database_objects=tuple(sorted(database)),
        counts_by_kind=_counts(there),
    )


def _restorable(item: dict[str, Any], plan: DrillPlan, role: str) -> bool:
    group = item.get("apiVersion", "").partition("/")[0] if "/" in item.get("apiVersion", "") else ""
    if (
        group.endswith("cnpg.io")
        or group == "velero.io"
        or item.get("kind") in {"NetworkPolicy", "Job", "Role", "RoleBinding", "Namespace", *DERIVED_KINDS}
    ):
        return False
    cluster_scoped = item.get("kind") in {"ClusterRole", "ClusterRoleBinding", "PriorityClass", "StorageClass", "CustomResourceDefinition"}
    return not cluster_scoped and not any(fnmatchcase(item["metadata"]["name"], p) for p in left_out(plan, role))


def _is_ours(item: dict[str, Any]) -> bool:
    return (item["metadata"].get("labels") or {}).get(naming.LABEL_OWNED) == naming.OWNER


def is_database(item: dict[str, Any], plan: DrillPlan, role: str) -> bool:
    """Made by the CloudNativePG operator for the recovered cluster."""
    if role != plan.database_role:
        return False
    cluster = plan.environment.database.cluster
    owners = {o.get("kind") for o in item["metadata"].get("ownerReferences") or []}
    name = item["metadata"]["name"]
    labelled = "cnpg.io/cluster" in (item["metadata"].get("labels") or {})
    return labelled or "Cluster" in owners or name == cluster or name.startswith(f"{cluster}-") or name == "cnpg-default-monitoring"


def _sealed(plan: DrillPlan, role: str, secret: dict[str, Any] | None, released: bool) -> bool:
    """Every value is our dummy; a secret that was given the read-only key again carries our annotation."""
    if secret is None:
        return True  # its absence is the inventory's finding
    if released and (secret["metadata"].get("annotations") or {}).get(naming.LABEL_DRILL) == plan.drill_id:
        return True
    name = secret["metadata"]["name"]
    return all(value == sealed_value(plan, role, name, key) for key, value in (secret.get("data") or {}).items())


def _counts(there: dict[str, dict[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in there:
        kind = name.partition("/")[0]
        counts[kind] = counts.get(kind, 0) + 1
    return dict(sorted(counts.items()))


def _differences(plan: DrillPlan, role: str, wanted: dict[str, dict[str, Any]], there: dict[str, dict[str, Any]]) -> Iterable[Difference]:
    source = plan.environment.source.namespace(role)
    for name, item in sorted(wanted.items()):
        live = there.get(name)
        if live is None or name in ALWAYS_THERE or name in source.optional_differences:
            continue
        for field, expected, observed in _compared(plan, role, item, live):
            if expected != observed:
                yield Difference(name, field, str(expected)[:200], str(observed)[:200])


def _compared(plan: DrillPlan, role: str, item: dict[str, Any], live: dict[str, Any]) -> Iterable[tuple[str, Any, Any]]:
    """(field, expected after our declared rewrites, observed) of the fields a rewrite may not change otherwise."""
    source, kind, name = plan.environment.source.namespace(role), item["kind"], item["metadata"]["name"]
    if kind == "ConfigMap":
        data = {**(item.get("data") or {}), **source.configuration.get(name, {})}
        yield "data", digest(data), digest(live.get("data") or {})
    elif kind == "Secret":
        yield "data keys", sorted(item.get("data") or {}), sorted(live.get("data") or {})
        if name not in (*source.seal_secrets, *source.object_read_secrets):
            yield "data", digest(item.get("data") or {}), digest(live.get("data") or {})
    elif kind == "Service":
        ports = [(p.get("name"), p["port"], str(p.get("targetPort"))) for p in item["spec"].get("ports") or []]
        yield "spec.ports", ports, [(p.get("name"), p["port"], str(p.get("targetPort"))) for p in live["spec"].get("ports") or []]
        yield "spec.selector", item["spec"].get("selector"), live["spec"].get("selector")
    elif kind == "Ingress":
        hosts = [drill_host(r["host"], plan) if r.get("host") else None for r in item["spec"].get("rules") or []]
        yield "spec.rules.host", hosts, [r.get("host") for r in live["spec"].get("rules") or []]
    elif kind == "PersistentVolumeClaim":
        yield "spec.resources", item["spec"].get("resources"), live["spec"].get("resources")
        yield "status.phase", "Bound", (live.get("status") or {}).get("phase")
    elif kind in {"Deployment", "StatefulSet", "DaemonSet"}:
        yield "containers", _images(item), _images(live)


def _images(item: dict[str, Any]) -> list[tuple[str, str, str]]:
    containers = item["spec"]["template"]["spec"]["containers"]
    return [(c["name"], c["image"], digest([c.get("env"), c.get("envFrom"), c.get("command"), c.get("args")])) for c in containers]


def judge_complete(facts: InventoryFacts, plan: DrillPlan) -> CheckResult:
    wanted = set(facts.from_backup) | set(facts.from_git)
    expected = f"{len(wanted)} objects of {facts.source_namespace} ({facts.backup} and the charts in Git), as they were backed up"
    if not facts.from_backup:
        return failed(expected, f"backup {facts.backup} lists no object of {facts.source_namespace}")
    missing = sorted(wanted - set(facts.found))
    findings = [f"{facts.source_namespace}: {m} is missing{_why(m, facts)}" for m in missing]
    findings += [f"{facts.source_namespace}: {d.object} {d.field}: expected {d.expected}, found {d.observed}" for d in facts.differences]
    return expect(not findings, expected, f"{len(facts.found)} found, {len(facts.differences)} differ", findings)


def _why(name: str, facts: InventoryFacts) -> str:
    return " (Git renders it, the backup does not hold it)" if name not in facts.from_backup else " (the backup holds it)"


def judge_required_kinds(facts: InventoryFacts, plan: DrillPlan) -> CheckResult:
    """The kinds the seed names; a kind is asked for where the charts or the backup have it, all five in the application."""
    have = {n.partition("/")[0] for n in (*facts.from_backup, *facts.from_git)}
    application = facts.source_namespace == plan.environment.database.namespace
    wanted = [k for k in REQUIRED_KINDS if application or k in have]
    there = {n.partition("/")[0] for n in facts.found}
    missing = [f"{facts.sandbox_namespace}: no {k} was restored" for k in wanted if k not in there]
    return expect(
        bool(wanted) and not missing,
        f"restored: {', '.join(wanted) or 'at least one required kind'}",
        ", ".join(k for k in wanted if k in there) or "none",
        missing,
    )


def judge_unexpected(facts: InventoryFacts, plan: DrillPlan) -> CheckResult:
    return expect(
        not facts.unexpected,
        "nothing beside what was restored, recovered or made by this drill",
        f"{len(facts.unexpected)} other objects",
        (f"{facts.sandbox_namespace}: {u}" for u in facts.unexpected),
    )


def judge_sealed(facts: InventoryFacts, plan: DrillPlan) -> CheckResult:
    source = plan.environment.source.namespace(facts.role)
    names = (*source.seal_secrets, *source.object_read_secrets)
    known = {*facts.from_backup, *facts.from_git}
    findings = [f"{facts.sandbox_namespace}: Secret/{s} still holds production's value" for s in facts.unsealed_secrets]
    unknown = [n for n in names if f"Secret/{n}" not in known]  # a misspelt name would leave the credential it meant unsealed
    findings += [f"{facts.source_namespace}: Secret/{n} is to be sealed, but neither the backup nor Git has it" for n in unknown]
    return expect(not findings, f"{len(names)} credentials replaced by dummies", f"{len(names) - len(findings)} replaced", findings)
