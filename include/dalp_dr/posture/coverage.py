"""What the backups would never hold: objects that no selector chooses, things that pods need, and how each volume is backed up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from dalp_dr.kubernetes_resources.backups import VolumeBackup
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.environment import Environment
from dalp_dr.model.plan import DrillPlan

SNAPSHOTS = {"CSISnapshot", "NativeSnapshot"}
FILES = "PodVolumeBackup"
EVERYWHERE = ("ConfigMap/kube-root-ca.crt", "ServiceAccount/default")  # made by Kubernetes itself
MADE_BY_OTHERS = {"ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "Cluster", "ScheduledBackup"}


@dataclass(frozen=True)
class VolumeMethod:
    """One claim: how the newest backup holds it, and whether a CSI snapshot would be possible."""

    claim: str
    method: str
    storage_class: str
    provisioner: str
    csi: bool


@dataclass(frozen=True)
class Coverage:
    """One namespace as it is now beside the selectors of its schedules and the list of its newest backup.

    `unselected`: "Kind/name" that no schedule's selector chooses; `needed`: "Secret/name (by whom)" that running pods and
    Ingresses name; `needed_missing`: those that the newest backup does not list. `snapshots`: the VolumeSnapshot API is there.
    `file_level_wanted`: the chart says that volumes are backed up file by file.
    """

    role: str
    namespace: str
    backup: str | None
    selectors: tuple[dict[str, str], ...]
    objects: int
    unselected: tuple[str, ...]
    needed: tuple[str, ...]
    needed_missing: tuple[str, ...]
    volumes: tuple[VolumeMethod, ...]
    snapshots: bool
    file_level_wanted: bool | None


def facts_from(
    environment: Environment,
    role: str,
    backup: str | None,
    selectors: Iterable[dict[str, str]],
    live: Iterable[Mapping[str, Any]],
    listed: Mapping[str, Iterable[str]],
    volumes: Iterable[VolumeBackup],
    storage: Mapping[str, Any],
    file_level_wanted: bool | None,
) -> Coverage:
    """The facts of kind `coverage`.

    `live`: objects of the namespace; `listed`: the backup's resource list; `storage`: `classes` (name -> provisioner),
    `drivers` (names of CSI drivers) and `snapshots`.
    """
    source, chosen, items = environment.source.namespace(role), tuple(selectors), list(live)
    excused = (*EVERYWHERE, *environment.posture.not_backed_up, *(f"*/{name}" for name in source.leave_out))
    database = environment.database.cluster if source.name == environment.database.namespace else None
    own = [i for i in items if not _of_database(i, database) and not _excused(_name(i), excused)]
    needed = {n: by for i in own for n, by in _needs(i) if not _excused(n, excused) and not _database_name(n, database)}
    prefix = f"{source.name}/"
    held = {
        f"{gvk.rpartition('/')[2]}/{e.removeprefix(prefix)}" for gvk, entries in listed.items() for e in entries if e.startswith(prefix)
    }
    return Coverage(
        role=role,
        namespace=source.name,
        backup=backup,
        selectors=chosen,
        objects=len(own),
        unselected=tuple(sorted(_name(i) for i in own if not _made_by_others(i) and not any(_selected(i, s) for s in chosen))),
        needed=tuple(sorted(f"{n} ({by})" for n, by in needed.items())),
        needed_missing=tuple(sorted(f"{n} ({by})" for n, by in needed.items() if n not in held)),
        volumes=tuple(_method(v, items, storage) for v in volumes),
        snapshots=bool(storage["snapshots"]),
        file_level_wanted=file_level_wanted,
    )


def _name(item: Mapping[str, Any]) -> str:
    return f"{item['kind']}/{item['metadata']['name']}"


def _excused(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, p) for p in patterns)


def _of_database(item: Mapping[str, Any], cluster: str | None) -> bool:
    """What CloudNativePG makes and recovers by itself."""
    meta = item["metadata"]
    owners = {(o["kind"], o["name"]) for o in meta.get("ownerReferences") or ()}
    return cluster is not None and (
        ("Cluster", cluster) in owners
        or (meta.get("labels") or {}).get("cnpg.io/cluster") == cluster
        or meta["name"] == "cnpg-default-monitoring"
    )


def _database_name(name: str, cluster: str | None) -> bool:
    return cluster is not None and name.partition("/")[2].startswith(f"{cluster}-")


def _made_by_others(item: Mapping[str, Any]) -> bool:
    """Objects that their owner makes anew; a pod is not among them, since its volumes are backed up through it."""
    return item["kind"] != "Pod" and any(o["kind"] in MADE_BY_OTHERS for o in item["metadata"].get("ownerReferences") or ())


def _selected(item: Mapping[str, Any], selector: Mapping[str, str]) -> bool:
    labels = item["metadata"].get("labels") or {}
    return all(labels.get(k) == v for k, v in selector.items())


def _needs(item: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(Kind/name, who needs it) of every Secret, ConfigMap and claim that a pod names, and of an Ingress's certificates."""
    by, spec = _name(item), item.get("spec") or {}
    if item["kind"] == "Ingress":
        yield from ((f"Secret/{t['secretName']}", by) for t in spec.get("tls") or () if t.get("secretName"))
    if item["kind"] != "Pod":
        return
    yield from ((f"Secret/{s['name']}", by) for s in spec.get("imagePullSecrets") or ())
    for volume in spec.get("volumes") or ():
        yield from _volume_needs(volume, by)
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        for source in container.get("envFrom") or ():
            yield from _reference(source, ("secretRef", "configMapRef"), by)
        for variable in container.get("env") or ():
            yield from _reference(variable.get("valueFrom") or {}, ("secretKeyRef", "configMapKeyRef"), by)


def _volume_needs(volume: Mapping[str, Any], by: str) -> Iterator[tuple[str, str]]:
    if name := (volume.get("secret") or {}).get("secretName"):
        yield f"Secret/{name}", by
    if name := (volume.get("configMap") or {}).get("name"):
        yield f"ConfigMap/{name}", by
    if name := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
        yield f"PersistentVolumeClaim/{name}", by
    for part in (volume.get("projected") or {}).get("sources") or ():
        for field, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
            if name := (part.get(field) or {}).get("name"):
                yield f"{kind}/{name}", by


def _reference(source: Mapping[str, Any], fields: tuple[str, str], by: str) -> Iterator[tuple[str, str]]:
    for field, kind in zip(fields, ("Secret", "ConfigMap"), strict=True):
        found = source.get(field) or {}
        if found.get("name") and not found.get("optional"):
            yield f"{kind}/{found['name']}", by


def _method(volume: VolumeBackup, items: Iterable[Mapping[str, Any]], storage: Mapping[str, Any]) -> VolumeMethod:
    claim = next((i for i in items if _name(i) == f"PersistentVolumeClaim/{volume.claim}"), None)
    name = str(((claim or {}).get("spec") or {}).get("storageClassName") or "")
    provisioner = str(storage["classes"].get(name, ""))
    return VolumeMethod(volume.claim, volume.method, name, provisioner, provisioner in storage["drivers"])


def judge_labels(facts: Coverage, plan: DrillPlan) -> CheckResult:
    """A label selector leaves out what carries no label; nobody notices before the restore."""
    chosen = " or ".join(",".join(f"{k}={v}" for k, v in s.items()) or "everything" for s in facts.selectors)
    expected = f"every object of {facts.namespace} is chosen by a schedule ({chosen or 'no selector'})"
    if not facts.selectors:
        return failed(expected, "no schedule chooses anything")
    if not facts.objects:
        return inconclusive(expected, "the namespace has no objects")
    seen = f"{facts.objects - len(facts.unselected)} of {facts.objects} objects"
    return expect(not facts.unselected, expected, seen, [f"{name}: no schedule chooses it" for name in facts.unselected])


def judge_needed(facts: Coverage, plan: DrillPlan) -> CheckResult:
    """What running pods name is in the newest backup; Secrets are compared by name, their contents are never read."""
    expected = f"the newest backup of {facts.namespace} lists every Secret, ConfigMap and claim that its pods name"
    if facts.backup is None:
        return failed(expected, "no backup")
    if not facts.needed:
        return inconclusive(expected, "no running pod names any")
    seen = f"{len(facts.needed) - len(facts.needed_missing)} of {len(facts.needed)} are in {facts.backup}"
    return expect(not facts.needed_missing, expected, seen, [f"{name}: not in {facts.backup}" for name in facts.needed_missing])


def judge_volume_method(facts: Coverage, plan: DrillPlan) -> CheckResult:
    """By snapshot where a CSI driver and the VolumeSnapshot API are there, file by file otherwise or where the chart says so."""
    expected = f"each volume of {facts.namespace} by CSI snapshot where possible, else file by file"
    if facts.backup is None:
        return failed(expected, "no backup")
    wrong = []
    for v in facts.volumes:
        possible = v.csi and facts.snapshots
        if v.method not in {*SNAPSHOTS, FILES}:
            wrong.append(f"{v.claim}: {v.method}")
        elif v.method == FILES and possible and facts.file_level_wanted is False:
            wrong.append(f"{v.claim}: file by file, although {v.provisioner} can take snapshots and the chart does not ask for files")
    seen = ", ".join(f"{v.claim}: {v.method}" for v in facts.volumes) or "no volumes"
    return expect(not wrong, expected, seen, wrong)
