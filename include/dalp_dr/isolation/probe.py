"""The canary probe: one pod per sandbox namespace that tries what must be refused, and a control that must connect."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from dalp_dr import naming
from dalp_dr.errors import FactError
from dalp_dr.isolation import gateway, routes
from dalp_dr.model.plan import DrillPlan

TIMEOUT_SECONDS = 3  # a dropped packet shows as silence; the control connects in milliseconds
DEADLINE_SECONDS = 60
When = Literal["before", "after"]


@dataclass(frozen=True)
class Target:
    """An address that must be refused from inside the sandbox."""

    name: str
    address: str
    port: int


@dataclass(frozen=True)
class Attempt:
    """One connection. `outcome`: connected, timeout, unreachable, reset (somebody answered), unresolved or error."""

    name: str
    address: str
    port: int
    outcome: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class ProbeRun:
    """What one probe pod saw. `control` is the connection to the read-only gateway. `complete`: its log has its end
    line.

    `chain_send`: refused, passed_on or error. `chain_read`: answered or error.
    """

    role: str
    when: str
    attempts: tuple[Attempt, ...]
    control: Attempt | None
    chain_send: str
    chain_read: str
    complete: bool
    detail: str = ""


def targets(
    plan: DrillPlan, source_services: Iterable[dict[str, Any]] = (), source_pods: Iterable[dict[str, Any]] = ()
) -> tuple[Target, ...]:
    """The environment's canaries, every route that is not yet open, and production itself: its Services and its
    database pods.

    Services and pods are raw objects of the source namespaces; a separate recovery cluster has other addresses, so
    they are left out there.
    """
    environment = plan.environment
    route = environment.sandbox.routes
    made = [Target(c.name, c.address, c.port) for c in environment.sandbox.canaries]
    made += [
        Target(name, r.address, r.port)
        for name, r in (
            ("kubernetes-api", route.kubernetes_api),
            ("backup-store", route.backup_store),
            ("object-storage", route.object_storage),
            ("rpc-node", route.rpc),
        )
        if "/" not in r.address
    ]
    if environment.cluster == "same":
        made += [
            Target(f"{s['metadata']['namespace']}/{s['metadata']['name']}", s["spec"]["clusterIP"], port["port"])
            for s in source_services
            if s["spec"].get("clusterIP") not in (None, "", "None")
            for port in s["spec"].get("ports", ())
            if port.get("protocol", "TCP") == "TCP"
        ]
        made += [
            Target(f"{p['metadata']['namespace']}/{p['metadata']['name']}", p["status"]["podIP"], routes.POSTGRES_PORT)
            for p in source_pods
            if p.get("status", {}).get("podIP") and routes.LABEL_CLUSTER in (p["metadata"].get("labels") or {})
        ]
    seen: dict[tuple[str, int], Target] = {}
    for target in made:
        seen.setdefault((target.address, target.port), target)
    return tuple(seen.values())


def pod_name(when: When) -> str:
    """The probe pod's name, the same in every sandbox namespace."""
    return f"dalp-dr-probe-{when}"


def pod(plan: DrillPlan, role: str, aims: Iterable[Target], when: When = "before") -> dict[str, Any]:
    """The probe pod in the sandbox namespace of this role; it ends by itself and its log is the answer."""
    host = f"{gateway.GATEWAY}.{plan.namespace(routes.gateway_role(plan))}.svc"
    settings = {
        "targets": [{"name": t.name, "address": t.address, "port": t.port} for t in aims],
        "control": {"address": host, "port": gateway.PORT},
        "rpc_url": f"http://{host}:{gateway.PORT}",
        "timeout_seconds": TIMEOUT_SECONDS,
    }
    container = {
        "name": "probe",
        "image": plan.environment.sandbox.probe_image,
        "command": ["python3", "-c", gateway.program("probe_program")],
        "env": [{"name": "TARGETS", "value": json.dumps(settings, sort_keys=True)}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": gateway.confined(),
    }
    labels = naming.labels(plan.drill_id, plan.environment.name) | {routes.LABEL_COMPONENT: "probe"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod_name(when), "namespace": plan.namespace(role), "labels": labels},
        "spec": gateway.pod_spec(plan, container) | {"restartPolicy": "Never", "activeDeadlineSeconds": DEADLINE_SECONDS},
    }


def parse(role: str, when: When, log: str) -> ProbeRun:
    """The run of one probe pod from its log. A log without its end line is kept as incomplete. Raises FactError on an
    alien log."""
    lines = [_line(text) for text in log.splitlines() if text.strip()]
    attempts = [
        Attempt(e["name"], e["address"], int(e["port"]), e["outcome"], float(e["seconds"]), e.get("detail", ""))
        for e in lines
        if e["event"] == "connect"
    ]
    end = next((e for e in lines if e["event"] == "end"), None)
    said = {e["event"]: e for e in lines}
    control = next((a for a in attempts if a.name == "control"), None)
    return ProbeRun(
        role,
        when,
        tuple(a for a in attempts if a.name != "control"),
        control,
        said.get("chain_send", {}).get("outcome", "error"),
        said.get("chain_read", {}).get("outcome", "error"),
        complete=end is not None and end["attempts"] == len(attempts),
        detail="; ".join(str(said[e]["detail"]) for e in ("chain_send", "chain_read") if e in said),
    )


def _line(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise FactError(
            f"The probe wrote {text[:100]!r}, which is not a result.",
            "Look at the probe image: it must run `python3` as an ordinary user.",
        ) from error
    if not isinstance(value, dict) or "event" not in value:
        raise FactError(f"The probe wrote {text[:100]!r}, which is not a result.", "Look at the probe pod's log.")
    return value
