"""The isolate stage: a closed, owned, bounded sandbox, and the proof that nothing gets out, before anything runs in it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dalp_dr import naming
from dalp_dr.errors import FactError, RefusedError
from dalp_dr.isolation import probe, quarantine, sandbox
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.hooks.connections import access_key, endpoint
from dalp_dr_airflow.hooks.errors import Missing
from dalp_dr_airflow.hooks.kubernetes_paths import path_of
from dalp_dr_airflow.operators.base import DrillOperator, attempt
from dalp_dr_airflow.operators.breach import end_at_once

if TYPE_CHECKING:
    from airflow.sdk import Context

RIGHTS_SECONDS = 20
PROBE_SECONDS = 90
CANARIES = "isolation.md#canaries"


class SandboxOperator(DrillOperator):
    """Makes the sandbox, or adopts what is there and ours. Everything has a fixed name, so nothing is made twice."""

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        return []

    def execute(self, context: Context) -> list[dict[str, Any]]:
        drill = Drill.open(context)
        drill.must_go_on()
        connections = drill.environment.connections
        for manifest in sandbox.manifests(drill.plan, endpoint(connections.rpc_primary)):
            self.make(drill, manifest)
        self.make(drill, sandbox.archive_secret(drill.plan, *access_key(connections.backup_store)))
        self.log.info("Sandbox: %s", ", ".join(drill.plan.namespace(r) for r in drill.plan.roles))
        return []

    @staticmethod
    def make(drill: Drill, manifest: dict[str, Any]) -> None:
        """Looks first: an object of ours is adopted, a stranger's is left alone and refuses the drill."""
        try:
            found = drill.sandbox.get(path_of(manifest))
        except Missing:
            found, created = drill.sandbox.create(manifest)
            if created:
                if manifest["kind"] == "RoleBinding":
                    wait_for_rights(drill, manifest["metadata"]["namespace"])
                return  # otherwise somebody was quicker: whose is it?
        wanted, labels = manifest["metadata"]["labels"], found["metadata"].get("labels") or {}
        if any(labels.get(name) != wanted.get(name) for name in (naming.LABEL_DRILL, naming.LABEL_TOKEN)):
            raise RefusedError(
                f"{manifest['kind']} {manifest['metadata']['name']} exists and is not this drill's.",
                "Find out who made it; the drill changes nothing that is not its own.",
            )


def wait_for_rights(drill: Drill, namespace: str) -> None:
    """The authorizer learns of a new RoleBinding after some milliseconds. Raises FactError after RIGHTS_SECONDS."""
    deadline = time.monotonic() + RIGHTS_SECONDS
    while not drill.sandbox.can_i("create", "networking.k8s.io", "networkpolicies", namespace):
        if time.monotonic() > deadline:
            raise FactError(
                f"The drill's identity has no rights in {namespace} after {RIGHTS_SECONDS} s.",
                "Compare the ClusterRole dalp-dr-sandbox with `python -m dalp_dr environment rbac`.",
            )
        time.sleep(0.2)


class QuarantineProbeOperator(DrillOperator):
    """Runs the canaries in every sandbox namespace. `when`: "before" any workload starts, and "after" at the end."""

    def __init__(self, *, when: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.when = when

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("isolation", lambda: self.probe(drill), self.when)

    def probe(self, drill: Drill) -> Gathered:
        plan = drill.plan
        names = [plan.namespace(r) for r in plan.roles]
        targets = probe.targets(plan, *(production(drill) if plan.environment.cluster == "same" else ()))
        started = [self.start(drill, role, targets) for role in plan.roles]
        runs = [probe.parse(role, self.when, self.finish(drill, pod)) for role, pod in zip(plan.roles, started, strict=True)]

        def every(kind: str) -> list[dict[str, Any]]:
            return [o for n in names for o in drill.sandbox.list(f"{kind.format(n)}")]

        policies = every("/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies")
        quotas = every("/api/v1/namespaces/{}/resourcequotas")
        namespaces = [drill.sandbox.get(f"/api/v1/namespaces/{n}") for n in names]
        return Gathered("isolation", quarantine.facts_from(plan, namespaces, policies, quotas, runs), self.when)

    def conclude(self, drill: Drill, context: Context, gathered: Iterable[Gathered], began_at: str | None = None) -> list[dict[str, Any]]:
        """A canary that got through ends the drill at once, after its record is stored."""
        seen = list(gathered)
        try:
            return super().conclude(drill, context, seen, began_at)
        finally:
            through = [b for g in seen if g.facts is not None for b in quarantine.breaches(g.facts, drill.plan)]
            if through:
                gone = end_at_once(drill, "A canary got out of the sandbox", through, "See that nothing outside was reached.", CANARIES)
                self.log.error("The sandbox is being deleted: %s", ", ".join(gone))

    def start(self, drill: Drill, role: str, targets: Any) -> dict[str, Any]:
        """The probe's positive control must be there first; a probe left by an earlier attempt is not believed."""
        manifest = probe.pod(drill.plan, role, targets, self.when)
        wait_for_gateway(drill)
        remove(drill, manifest)
        drill.sandbox.create(manifest)
        return manifest

    @staticmethod
    def finish(drill: Drill, manifest: dict[str, Any]) -> str:
        return pod_output(drill, manifest, PROBE_SECONDS)


def production(drill: Drill) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(Services, database pods) of production, whose addresses no sandbox pod of the same cluster may reach."""
    environment = drill.plan.environment
    services = [s for n in environment.source.namespaces for s in drill.source.list(f"/api/v1/namespaces/{n.name}/services")]
    selector = f"cnpg.io/cluster={environment.database.cluster}"
    return services, drill.source.list(f"/api/v1/namespaces/{environment.database.namespace}/pods", selector)


def remove(drill: Drill, manifest: dict[str, Any]) -> None:
    """Removes an object of this drill and waits until it is gone."""
    path = path_of(manifest)
    try:
        found = drill.sandbox.get(path)
    except Missing:
        return
    drill.sandbox.delete(path, found["metadata"]["uid"], grace_seconds=0)
    drill.sandbox.wait(path, lambda o: o is None, 30, f"Removal of {manifest['metadata']['name']}")


def pod_output(drill: Drill, manifest: dict[str, Any], seconds: float) -> str:
    """The log of a pod of ours once it has ended; the pod is removed. Raises FactError when it failed or did not end."""
    path, name, namespace = path_of(manifest), manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    ended = drill.sandbox.wait(
        path, lambda o: (o or {}).get("status", {}).get("phase") in {"Succeeded", "Failed"}, seconds, f"The end of pod {name}"
    )
    text = drill.sandbox.logs(namespace, name, manifest["spec"]["containers"][0]["name"], tail=2000)
    remove(drill, manifest)
    if ended is None or ended["status"]["phase"] == "Failed":
        raise FactError(f"Pod {namespace}/{name} failed: {text[-300:]}", "Read the text; it is the pod's own.")
    return text


def wait_for_gateway(drill: Drill) -> None:
    """The read-only gateway is available: it is what the probes must be able to reach."""
    from dalp_dr.isolation import gateway

    deployment = next(m for m in gateway.manifests(drill.plan) if m["kind"] == "Deployment")
    drill.sandbox.wait(
        path_of(deployment), lambda o: bool((o or {}).get("status", {}).get("availableReplicas")), 60, "The read-only gateway"
    )
