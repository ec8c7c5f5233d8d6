"""The manifests of the read-only gateway to the chain: our program in the probe image, mounted from a ConfigMap."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from dalp_dr import naming
from dalp_dr.isolation import routes
from dalp_dr.model.plan import DrillPlan

GATEWAY = "dalp-dr-gateway"
PORT = routes.GATEWAY_PORT
_PLAIN_USER = 65532


def manifests(plan: DrillPlan, rpc_url: str | None = None) -> list[dict[str, Any]]:
    """ConfigMap, Secret (an RPC URL often holds a key), policies, Deployment and Service, in this order."""
    route = plan.environment.sandbox.routes.rpc
    url = rpc_url or f"http://{route.address}:{route.port}"
    metadata = {
        "name": GATEWAY,
        "namespace": plan.namespace(routes.gateway_role(plan)),
        "labels": naming.labels(plan.drill_id, plan.environment.name),
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": {"readonly_gateway.py": program("readonly_gateway")},
        },
        {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "stringData": {"upstream": url}},
        *routes.gateway(plan),
        _deployment(plan, metadata),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {
                "selector": {routes.LABEL_COMPONENT: "gateway"},
                "ports": [{"name": "rpc", "port": PORT, "protocol": "TCP", "targetPort": PORT}],
            },
        },
    ]


def _deployment(plan: DrillPlan, metadata: dict[str, Any]) -> dict[str, Any]:
    container = {
        "name": "gateway",
        "image": plan.environment.sandbox.probe_image,
        "command": ["python3", "-u", "/program/readonly_gateway.py"],
        "env": [
            {"name": "UPSTREAM_URL", "valueFrom": {"secretKeyRef": {"name": GATEWAY, "key": "upstream"}}},
            {"name": "PORT", "value": str(PORT)},
        ],
        "ports": [{"name": "rpc", "containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": PORT}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": confined(),
        "volumeMounts": [{"name": "program", "mountPath": "/program", "readOnly": True}],
    }
    own = {routes.LABEL_COMPONENT: "gateway"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": own},
            "template": {
                "metadata": {"labels": metadata["labels"] | own},
                "spec": pod_spec(plan, container) | {"volumes": [{"name": "program", "configMap": {"name": GATEWAY}}]},
            },
        },
    }


def pod_spec(plan: DrillPlan, container: dict[str, Any]) -> dict[str, Any]:
    """What every pod of ours in a sandbox has: low priority, no token, no root, a quick end."""
    return {
        "priorityClassName": plan.environment.sandbox.priority_class,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _PLAIN_USER,
            "runAsGroup": _PLAIN_USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }


def confined() -> dict[str, Any]:
    """The security context of a container of ours."""
    return {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


@cache
def program(name: str) -> str:
    """The source of a program of this package that runs in the probe image; it imports the standard library only."""
    return (Path(__file__).parent / f"{name}.py").read_text()
