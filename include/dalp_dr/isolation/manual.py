"""Manual changes in the sandbox: who, by the API server's own book-keeping, wrote which object during the drill.

Every write leaves its field manager and time in `metadata.managedFields`. Velero restores those of production with
the object; they are older than the object in the sandbox and say nothing about it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dalp_dr.isolation.permissions import FIELD_MANAGER
from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.plan import DrillPlan, utc

KNOWN = frozenset(
    (
        FIELD_MANAGER,
        "velero-server",
        "velero",
        "node-agent",  # the restore
        "manager",  # the database operator, its instances and its plugin: all three programs are called so
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
        "cloud-controller-manager",
    )
)
PROVISIONERS = (
    "csi-",
    "external-provisioner",
    "local-path-provisioner",
    "storage",
)  # beginnings; they write claims and volumes only


FIELDS_SHOWN = 10


@dataclass(frozen=True)
class Write:
    """The last write of one manager to one object. `at`, `object_created_at`: UTC, RFC 3339, whole seconds, clock of
    the API server."""

    kind: str
    namespace: str
    name: str
    uid: str
    manager: str
    operation: str
    subresource: str
    at: str
    object_created_at: str
    fields: tuple[str, ...] = ()  # what the manager owns since, e.g. `spec.replicas`; empty in records of a version that did not look


@dataclass(frozen=True)
class ManualChanges:
    """All writes found on `objects` objects of the sandbox namespaces."""

    objects: int
    unsigned: tuple[str, ...]  # objects without any managedFields: nobody can say who wrote them
    writes: tuple[Write, ...]


def facts_from(objects: Iterable[dict[str, Any]]) -> ManualChanges:
    """From whole objects as the API server lists them (managedFields included)."""
    listed = list(objects)
    unsigned = tuple(_title(o) for o in listed if not o["metadata"].get("managedFields") and not _made_empty(o))
    return ManualChanges(
        len(listed),
        unsigned,
        tuple(
            Write(
                o["kind"],
                o["metadata"].get("namespace", ""),
                o["metadata"]["name"],
                o["metadata"].get("uid", ""),
                entry.get("manager", ""),
                entry.get("operation", ""),
                entry.get("subresource", ""),
                entry.get("time", ""),
                o["metadata"].get("creationTimestamp", ""),
                paths(entry.get("fieldsV1") or {}),
            )
            for o in listed
            for entry in o["metadata"].get("managedFields") or ()
        ),
    )


def paths(fields: dict[str, Any]) -> tuple[str, ...]:
    """The paths in a `fieldsV1`, e.g. `spec.template.spec.containers[name=api].image`; at most FIELDS_SHOWN."""
    return tuple(sorted(_leaves(fields, "")))[:FIELDS_SHOWN]


def _leaves(fields: dict[str, Any], before: str) -> Iterable[str]:
    for name, inner in fields.items():
        if name == ".":
            continue
        kind, _, text = name.partition(":")
        if kind == "k":
            where = before + f"[{', '.join(f'{k}={v}' for k, v in sorted(json.loads(text).items()))}]"
        else:
            where = f"{before}.{text}".lstrip(".") if kind == "f" else f"{before}[{text}]"
        below = list(_leaves(inner, where)) if isinstance(inner, dict) else []
        yield from below or [where]


def _made_empty(thing: dict[str, Any]) -> bool:
    """Kubernetes makes this one in every namespace with no field set, so nobody is on its record until somebody
    changes it."""
    return (thing["kind"], thing["metadata"]["name"]) == ("ServiceAccount", "default")


def _title(thing: dict[str, Any]) -> str:
    return f"{thing['kind']} {thing['metadata'].get('namespace', '')}/{thing['metadata']['name']}"


def foreign(facts: ManualChanges) -> tuple[Write, ...]:
    """Writes since the object exists in the sandbox, by managers that have no part in a drill."""
    return tuple(w for w in facts.writes if not _known(w) and not _from_production(w))


def _from_production(write: Write) -> bool:
    """Older than the object itself: brought along by the restore."""
    return bool(write.at and write.object_created_at) and utc(write.at) < utc(write.object_created_at)


def _known(write: Write) -> bool:
    if write.manager in KNOWN:
        return True
    return write.kind in ("PersistentVolumeClaim", "PersistentVolume") and write.manager.startswith(PROVISIONERS)


def no_manual_changes(facts: ManualChanges, plan: DrillPlan) -> CheckResult:
    """The seed: manual changes that are in no runbook make the drill a failed one."""
    expected = "only the drill, Velero, the database operator and Kubernetes itself wrote to the sandbox"
    if not facts.objects:
        return inconclusive(expected, "no object was listed")
    found = foreign(facts)
    wrong = [
        f"{w.kind} {w.namespace}/{w.name}: {w.operation} by {w.manager or 'an unnamed client'} at {w.at or 'an unknown time'}"
        + (f", {', '.join(w.fields)}" if w.fields else "")
        for w in found
    ]
    if found or not facts.unsigned:
        return expect(not found, expected, f"{len(facts.writes)} writes on {facts.objects} objects, {len(found)} foreign", wrong)
    return inconclusive(expected, f"{len(facts.unsigned)} objects do not tell who wrote them", facts.unsigned)
