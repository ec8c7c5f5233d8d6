"""The namespaces of one drill: owned, expiring, bounded and closed before anything runs in them."""

from __future__ import annotations

from typing import Any

from dalp_dr import naming
from dalp_dr.isolation import gateway, routes
from dalp_dr.isolation.permissions import DRILL_ACCOUNT, DRILL_NAMESPACE, SANDBOX_ROLE
from dalp_dr.model.plan import DrillPlan

LABEL_ROLE = "dalp-dr/role"
ARCHIVE_SECRET = "dalp-dr-archive-read"
QUOTA = "dalp-dr-bounds"


def labels(plan: DrillPlan) -> dict[str, str]:
    """Ownership labels of this drill."""
    return naming.labels(plan.drill_id, plan.environment.name)


def expires_at(plan: DrillPlan) -> str:
    """When the sandbox may be removed by anybody: UTC, RFC 3339."""
    return plan.expires_at


def manifests(plan: DrillPlan, rpc_url: str | None = None) -> list[dict[str, Any]]:
    """Everything of the sandbox, in the order of creation: each namespace is closed before the next object is made.

    `rpc_url`: where the read-only gateway forwards to; without it the address of the environment's RPC route.
    """
    made = [document for role in plan.roles for document in namespace(plan, role)]
    return made + routes.database(plan) + gateway.manifests(plan, rpc_url)


def namespace(plan: DrillPlan, role: str) -> list[dict[str, Any]]:
    """One sandbox namespace with its rights, its closed network and its bounds."""
    name = plan.namespace(role)
    return [
        _namespace(plan, role),
        _role_binding(plan, name),
        *routes.closed(plan, role),
        _quota(plan, name),
        _limits(plan, name),
    ]


def _namespace(plan: DrillPlan, role: str) -> dict[str, Any]:
    security = {f"pod-security.kubernetes.io/{mode}": "baseline" for mode in ("enforce", "warn", "audit")}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": plan.namespace(role),
            "labels": plan.labels | {LABEL_ROLE: role} | security,
            "annotations": {naming.ANNOTATION_EXPIRES: expires_at(plan)},
        },
    }


def _role_binding(plan: DrillPlan, name: str) -> dict[str, Any]:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": SANDBOX_ROLE, "namespace": name, "labels": labels(plan)},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": SANDBOX_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": DRILL_ACCOUNT, "namespace": DRILL_NAMESPACE}],
    }


def _quota(plan: DrillPlan, name: str) -> dict[str, Any]:
    bounds = plan.environment.sandbox.quota
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": QUOTA, "namespace": name, "labels": labels(plan)},
        "spec": {
            "hard": {
                "requests.cpu": bounds.cpu,
                "requests.memory": bounds.memory,
                "pods": str(bounds.pods),
                "services.loadbalancers": "0",
            }
        },
    }


def _limits(plan: DrillPlan, name: str) -> dict[str, Any]:
    """Requests for containers that name none, so that the quota can count them."""
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": QUOTA, "namespace": name, "labels": labels(plan)},
        "spec": {"limits": [{"type": "Container", "defaultRequest": {"cpu": "10m", "memory": "32Mi"}, "default": {"memory": "1Gi"}}]},
    }


def archive_secret(plan: DrillPlan, access_key: str, secret_key: str) -> dict[str, Any]:
    """The read-only key of the backup store, for the recovery of the database only."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "metadata": {"name": ARCHIVE_SECRET, "namespace": plan.namespace(plan.database_role), "labels": labels(plan)},
        "stringData": {"ACCESS_KEY_ID": access_key, "ACCESS_SECRET_KEY": secret_key},
    }
