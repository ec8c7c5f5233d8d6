"""Kubernetes resources: the Velero restore of one namespace, its inventory and its volumes."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dalp_dr import catalogue, naming
from dalp_dr.errors import FactError, RefusedError
from dalp_dr.isolation import load
from dalp_dr.kubernetes_resources import backups, held, inventory, restore, restored, volumes
from dalp_dr.model.check import Surface
from dalp_dr.services import start
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.hooks.errors import CallError
from dalp_dr_airflow.hooks.kubernetes_paths import path_of
from dalp_dr_airflow.hooks.velero import label_value
from dalp_dr_airflow.operators.base import DrillOperator, attempt
from dalp_dr_airflow.operators.isolate import SandboxOperator, pod_output, remove
from dalp_dr_airflow.triggers.restore import RestoreTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

WORKLOADS = ("deployments", "statefulsets")
ATTEMPTS = 5  # a Restore is never run again: each try has a name of its own
VOLUME_SECONDS = 300
CLEAR_SECONDS = 60
IDLE_POLL_SECONDS = 2.0
LISTED = {  # collection template of every kind the inventory looks at in a sandbox namespace
    "v1": ("configmaps", "secrets", "services", "serviceaccounts", "persistentvolumeclaims", "pods"),
    "apps/v1": ("deployments", "statefulsets", "daemonsets", "replicasets"),
    "batch/v1": ("cronjobs", "jobs"),
    "networking.k8s.io/v1": ("ingresses", "networkpolicies"),
    "policy/v1": ("poddisruptionbudgets",),
    "rbac.authorization.k8s.io/v1": ("roles", "rolebindings"),
}


class VeleroRestoreOperator(DrillOperator):
    """Restores one source namespace into its sandbox namespace, held; a rerun finds the Restore by its name.

    A Restore that a restart of Velero ended is tried once more under a new name; both stay in the evidence.

    :param role: role of the source namespace. :param wait_minutes: own deadline of the restore.
    """

    def __init__(self, *, role: str, wait_minutes: int = 60, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.role, self.wait_minutes = role, wait_minutes

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("restore_run", lambda: self.restored(drill, self.newest(drill)[0] or ""), self.role)

    def execute(self, context: Context) -> Any:
        drill = Drill.open(context)
        if self.role not in drill.plan.covered_roles:
            return []
        drill.begin()
        name, reusable = self.newest(drill)
        if not reusable:
            name = self.again(drill, name)
        self.wait_for(drill, str(name), drill.began_at, [])

    def wait_for(self, drill: Drill, name: str, began_at: str, interrupted: list[str]) -> None:
        """Leaves the worker until the Restore has ended, stands still, or its deadline has passed."""
        self.defer(
            trigger=RestoreTrigger(
                conn_id=drill.environment.connections.sandbox_kubernetes,
                namespace=drill.velero.namespace,
                name=name,
                timeout_seconds=self.wait_minutes * 60,
                stall_seconds=drill.environment.restore_stall_seconds,
            ),
            method_name="execute_complete",
            kwargs={"began_at": began_at, "interrupted": interrupted},
            timeout=timedelta(minutes=self.wait_minutes + 5),
        )

    def execute_complete(self, context: Context, event: dict[str, Any], began_at: str, interrupted: list[str] | None = None) -> Any:
        """Records before it touches anything: what a failed restore left is evidence first, then it is ended and held."""
        drill, name, before = Drill.open(context), str(event["name"]), interrupted or []
        self.log.info("Restore %s: %s %s", name, event["status"], event.get("message", ""))
        if event["status"] == "failed" and not before:
            ended = drill.velero.restore(name)
            if restored.ended_by_a_restart(ended):
                drill.velero.end(name)
                self.wait_for(drill, self.again(drill, name), began_at, [f"{name}: Failed: {ended['status']['failureReason']}"])
        gave_up = "" if event["status"] in ("done", "failed") else str(event.get("message") or event["status"])
        try:
            gathered = [
                attempt("restore_run", lambda: self.restored(drill, name, before, gave_up), self.role),
                attempt("held_pods", lambda: self.held(drill), self.role),
            ]
            return self.conclude(drill, context, gathered, began_at)
        finally:
            if event["status"] != "done":
                drill.velero.end(name)  # or the next Restore of anybody waits behind it
            hold(drill, self.role)

    def again(self, drill: Drill, last: str | None) -> str:
        """Name of the next Restore; what the last one made is removed first, since Velero changes nothing that exists."""
        if last is None:
            return self.create(drill, 1)
        clear(drill, self.role, last)
        return self.create(drill, number_of(last) + 1)

    def own(self, drill: Drill) -> dict[str, dict[str, Any]]:
        """This drill's Restores of the namespace, by name, oldest first."""
        prefix = naming.restore_name(drill.drill_id, self.role).rsplit("-", 1)[0] + "-"
        mine = [r for r in drill.velero.restores() if (r["metadata"].get("labels") or {}).get(naming.LABEL_DRILL) == drill.drill_id]
        found = {r["metadata"]["name"]: r for r in mine if r["metadata"]["name"].startswith(prefix)}
        return dict(sorted(found.items(), key=lambda pair: number_of(pair[0])))

    def newest(self, drill: Drill) -> tuple[str | None, bool]:
        """Name of this drill's newest Restore of the namespace, and whether it may be adopted."""
        own = self.own(drill)
        name = next(reversed(own), None)
        bad = {"Failed", "FailedValidation", "PartiallyFailed"}
        return name, name is not None and (own[name].get("status") or {}).get("phase") not in bad

    def create(self, drill: Drill, number: int) -> str:
        """Policy, modifiers, Restore. Raises FactError without a usable backup or after too many tries, RefusedError where a
        stranger's Restore has the name."""
        point = next((b for b in drill.plan.backups if b.role == self.role), None)
        if point is None or number > ATTEMPTS:
            raise FactError(
                f"No usable backup of {self.role}." if point is None else f"{ATTEMPTS} restores of {self.role} failed.",
                "Read the earlier Restores' results; repair the cause; start a new drill.",
            )
        self.check_idle(drill)
        contents = drill.backup_store.backup_contents(point.backup)
        *settings, manifest = restore.manifests(drill.plan, point, contents, number)
        for item in settings:
            SandboxOperator.make(drill, item)
        found, created = drill.velero.create_restore(manifest)
        if (found["metadata"].get("labels") or {}).get(naming.LABEL_DRILL) != drill.drill_id:
            raise RefusedError(
                f"Restore {found['metadata']['name']} exists and is not this drill's.",
                "Find out who made it; the drill changes nothing that is not its own.",
            )
        self.log.info("%s Restore %s", "Created" if created else "Adopted", found["metadata"]["name"])
        return str(found["metadata"]["name"])

    @staticmethod
    def check_idle(drill: Drill) -> None:
        """A Velero that is busy for others is left alone: somebody may be recovering production. Raises RefusedError after the wait."""
        found = await_idle(drill)
        if found.restores:
            raise RefusedError(
                f"Velero is restoring {found.restores[0]}, which is not this drill's, after {found.waited_seconds:.0f} s of waiting.",
                "A real incident goes first. Clear this task when Velero is free.",
            )

    def restored(self, drill: Drill, name: str, interrupted: Iterable[str] = (), gave_up: str = "") -> Gathered:
        """Restore, PodVolumeRestores, results and resource list, as Velero left them; and what the backup says must come."""
        found, pvrs = drill.velero.restore(name), drill.velero.pod_volume_restores(name)
        results, resources, expected = None, {}, None
        try:
            results, resources = drill.backup_store.restore_results(name), drill.backup_store.restore_resource_list(name)
        except CallError as error:
            self.log.error("The restore's results could not be read: %s", error)
        try:
            expected = self.expected(drill, found["spec"]["backupName"])
        except CallError as error:
            self.log.error("The backup's list of volumes could not be read: %s", error)
        earlier = [f"{n}: {(r.get('status') or {}).get('phase')}" for n, r in self.own(drill).items() if number_of(n) < number_of(name)]
        facts = restored.facts_from(self.role, found, pvrs, results, resources, earlier, interrupted, gave_up, expected)
        asked = f"kubernetes: restores.velero.io {drill.velero.namespace}/{name} and its files in the bucket"
        raw = {"spec": found["spec"], "status": found.get("status"), "results": results, "resources": resources}
        return Gathered("restore_run", facts, self.role, captures={"restore": (asked, raw)})

    def expected(self, drill: Drill, backup: str) -> restored.Expected:
        """Claims and volumes of the namespace in the backup's own lists."""
        source = drill.plan.environment.source.namespace(self.role)
        listed = volumes.claims(drill.backup_store.backup_resource_list(backup).get("v1/PersistentVolumeClaim", ()), source.name)
        info = drill.backup_store.backup_volumeinfo(backup)
        return restored.expected_from(source.name, listed, info, restore.left_out(drill.plan, self.role))

    def held(self, drill: Drill) -> Gathered:
        """The restored pods and the kubelet's events, read before anything is scaled: has a container of production run?"""
        root = f"/api/v1/namespaces/{drill.plan.namespace(self.role)}"
        backed_up = drill.backup_store.backup_contents(drill.plan.backup(self.role).backup).get("pods", {})
        mine = [p for p in backed_up.values() if p["metadata"]["namespace"] == drill.plan.backup(self.role).namespace]
        pods, events = drill.sandbox.list(f"{root}/pods"), drill.sandbox.list(f"{root}/events")
        return Gathered("held_pods", held.facts_from(drill.plan, self.role, mine, pods, events, self.seen_before(drill)), self.role)

    def seen_before(self, drill: Drill) -> held.HeldPods | None:
        """What an earlier attempt saw: its pods are gone now, scaled to zero."""
        known = [r for r in drill.records() if (r.kind, r.subject) == ("held_pods", self.role)] if drill.attempt > 1 else []
        newest = max((r for r in known if r.facts is not None), key=lambda r: r.attempt, default=None)
        return catalogue.KINDS["held_pods"].decode(newest.facts) if newest and newest.facts else None


def number_of(name: str) -> int:
    """The try that a Restore's name ends with."""
    return int(name.rsplit("-", 1)[-1])


def clear(drill: Drill, role: str, name: str) -> None:
    """Removes what an earlier Restore of this drill made in the sandbox: workloads, then pods, then claims; each by UID."""
    namespace, selector = drill.plan.namespace(role), f"velero.io/restore-name={label_value(name)}"
    for path in (f"/apis/apps/v1/namespaces/{namespace}/{plural}" for plural in WORKLOADS):
        for item in drill.sandbox.list(path, selector):
            drill.sandbox.delete(path_of(item), item["metadata"]["uid"], foreground=True)  # gone only when its ReplicaSets and pods are
            drill.sandbox.wait(path_of(item), lambda o: o is None, CLEAR_SECONDS, f"Removal of {item['metadata']['name']}")
    for plural in ("pods", "persistentvolumeclaims"):
        for item in drill.sandbox.list(f"/api/v1/namespaces/{namespace}/{plural}", selector):
            remove(drill, item)


def await_idle(drill: Drill, with_backups: bool = False) -> load.VeleroLoad:
    """What Velero still does for others when it is idle or the environment's wait is over."""
    limit, begun = drill.plan.environment.source.velero_wait_minutes * 60, time.monotonic()
    while True:
        backups = drill.velero.backups() if with_backups else []
        restoring = load.busy(drill.velero.restores(), drill.drill_id)
        saving, waited = load.busy(backups, drill.drill_id), time.monotonic() - begun
        if not (restoring or saving) or waited >= limit:
            return load.VeleroLoad(restoring, saving, len(backups), round(waited, 1), limit)
        time.sleep(IDLE_POLL_SECONDS)


def hold(drill: Drill, role: str) -> None:
    """Scales every restored workload to zero and removes the pods the init container holds, so that volumes can be read.

    A StatefulSet with several pods that are not Ready does not scale down by itself: the pods are deleted explicitly.
    """
    namespace = drill.plan.namespace(role)
    for plural in WORKLOADS:
        for workload in drill.sandbox.list(f"/apis/apps/v1/namespaces/{namespace}/{plural}"):
            if ours(workload) or "cnpg.io/cluster" in (workload["metadata"].get("labels") or {}):
                continue
            patch = start.hold_patch(workload)
            if patch:
                drill.sandbox.patch(path_of(workload), patch)
    for pod in drill.sandbox.list(f"/api/v1/namespaces/{namespace}/pods"):
        if any(c["name"] == naming.HOLD for c in pod["spec"].get("initContainers") or []):
            remove(drill, pod)


def ours(item: dict[str, Any]) -> bool:
    """Made by the drill itself, not restored."""
    return (item["metadata"].get("labels") or {}).get(naming.LABEL_OWNED) == naming.OWNER


def live_objects(drill: Drill, role: str) -> list[dict[str, Any]]:
    """Every object of the kinds the inventory looks at, in the sandbox namespace of a role."""
    namespace = drill.plan.namespace(role)
    found = []
    for version, plurals in LISTED.items():
        root = f"/api/{version}" if version == "v1" else f"/apis/{version}"
        for plural in plurals:
            found += drill.sandbox.list(f"{root}/namespaces/{namespace}/{plural}")
    return found


class NamespaceInventoryOperator(DrillOperator):
    """What is there, against what the backup and the charts in Git say must be there."""

    surface = Surface.KUBERNETES_RESOURCES

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        return [
            attempt("namespace_inventory", lambda r=role: self.one(drill, r), role)  # type: ignore[misc]
            for role in drill.plan.covered_roles
        ]

    @staticmethod
    def one(drill: Drill, role: str) -> Gathered:
        contents = drill.backup_store.backup_contents(drill.plan.backup(role).backup)
        facts = inventory.facts_from(drill.plan, role, contents, rendered(drill, role), live_objects(drill, role))
        return Gathered("namespace_inventory", facts, role)


def rendered(drill: Drill, role: str) -> list[dict[str, Any]]:
    """The chart of a role as Git has it at the commit in use."""
    plan = drill.plan
    if plan.configuration is None:
        raise FactError("The plan names no configuration commit.", "Read why in the plan task's log.")
    source, configuration = plan.environment.source.namespace(role), plan.environment.configuration
    return drill.configuration.render(
        plan.configuration.commit, configuration.charts[role], configuration.values[role], source.release, source.name
    )


class VolumeContentOperator(DrillOperator):
    """Bytes and files of every restored claim, read by a pod of ours before any production code has run."""

    surface = Surface.KUBERNETES_RESOURCES

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        return [attempt("volumes", lambda r=role: self.one(drill, r), role) for role in drill.plan.covered_roles]  # type: ignore[misc]

    def one(self, drill: Drill, role: str) -> Gathered:
        plan, source = drill.plan, drill.plan.environment.source.namespace(role)
        backup = plan.backup(role).backup
        listed = volumes.claims(drill.backup_store.backup_resource_list(backup).get("v1/PersistentVolumeClaim", ()), source.name)
        info = backups.of_namespace(drill.backup_store.backup_volumeinfo(backup), source.name)
        held = volumes.held(info)
        live = [c["metadata"]["name"] for c in drill.sandbox.list(f"/api/v1/namespaces/{plan.namespace(role)}/persistentvolumeclaims")]
        own = f"{plan.environment.database.cluster}-" if role == plan.database_role else None
        mine = [c for c in live if own is None or not c.startswith(own)]
        pods = {claim: volumes.probe_pod(plan, role, claim) for claim in mine}
        for pod in pods.values():
            remove(drill, pod)
            drill.sandbox.create(pod)
        read = tuple(self.read(drill, claim, *held.get(claim, (None, "")), pod) for claim, pod in sorted(pods.items()))
        wanted = tuple(c for c in listed if own is None or not c.startswith(own))
        return Gathered("volumes", volumes.VolumeFacts(role, source.name, backup, read, wanted), role)

    @staticmethod
    def read(drill: Drill, claim: str, expected_bytes: int | None, method: str, pod: dict[str, Any]) -> volumes.Volume:
        try:
            return volumes.volume_from(claim, expected_bytes, pod_output(drill, pod, VOLUME_SECONDS), method=method)
        except FactError as error:
            return volumes.volume_from(claim, expected_bytes, None, error.diagnostics(), method)
