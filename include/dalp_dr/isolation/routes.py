"""Network policies of a sandbox: nothing at first, then exactly the routes each stage needs.

Policies add up, so a route is opened by a policy of its own and closed by deleting it. The database's routes are the
smallest set with which a CloudNativePG recovery becomes healthy: API server, backup store, and the operator to port
8000.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from dalp_dr import naming
from dalp_dr.errors import EnvironmentFileError
from dalp_dr.model.environment import Route, Service
from dalp_dr.model.plan import DrillPlan

LABEL_COMPONENT = "dalp-dr/component"
LABEL_CLUSTER = "cnpg.io/cluster"
GATEWAY_PORT, POSTGRES_PORT, INSTANCE_PORT = 8545, 5432, 8000
STORE_ROUTE = "database-to-backup-store"
SERVICE_ROUTE = "route-"  # beginning of the name of every policy that `start` opens
DNS_NAMESPACE, DNS_LABELS = "kube-system", {"k8s-app": "kube-dns"}

Manifest = dict[str, Any]


def closed(plan: DrillPlan, role: str) -> list[Manifest]:
    """Default-deny in both directions, then name resolution. Names of production still resolve; nothing connects."""
    name = plan.namespace(role)
    dns = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": DNS_NAMESPACE}},
        "podSelector": {"matchLabels": DNS_LABELS},
    }
    return [
        policy(plan, name, "default-deny", {}, types=["Ingress", "Egress"]),
        policy(plan, name, "names", {}, egress=[{"to": [dns], "ports": [_port(53, "UDP"), _port(53)]}]),
        policy(
            plan,
            name,
            "probe",
            _component("probe"),
            egress=[{"to": [_in_drill(plan, _component("gateway"))], "ports": [_port(GATEWAY_PORT)]}],
        ),
    ]


def database(plan: DrillPlan) -> list[Manifest]:
    """What a recovering instance needs. `STORE_ROUTE` is deleted when the cluster is healthy: only the recovery job
    uses it."""
    name, route = plan.namespace(plan.database_role), plan.environment.sandbox.routes
    pods = {"matchExpressions": [{"key": LABEL_CLUSTER, "operator": "Exists"}]}
    operator = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": route.operator_namespace}},
        "podSelector": {"matchLabels": dict(route.operator_labels)},
    }
    return [
        policy(plan, name, "database-to-kubernetes-api", pods, egress=[_to(route.kubernetes_api)]),
        policy(plan, name, STORE_ROUTE, pods, egress=[_to(route.backup_store)]),
        policy(plan, name, "operator-to-database", pods, ingress=[{"from": [operator], "ports": [_port(INSTANCE_PORT)]}]),
    ]


def gateway(plan: DrillPlan) -> list[Manifest]:
    """The read-only gateway reaches the RPC node; the probe and, later, named services reach the gateway."""
    name = plan.namespace(gateway_role(plan))
    return [
        policy(plan, name, "gateway-to-rpc", _component("gateway"), egress=[_to(plan.environment.sandbox.routes.rpc)]),
        policy(
            plan,
            name,
            "probe-to-gateway",
            _component("gateway"),
            ingress=[{"from": [_in_drill(plan, _component("probe"))], "ports": [_port(GATEWAY_PORT)]}],
        ),
    ]


def gateway_role(plan: DrillPlan) -> str:
    """The role whose namespace holds our gateway: that of DALP's own gateway, else that of the database."""
    own = [s.role for s in plan.environment.services if s.serves == "gateway"]
    return own[0] if own else plan.database_role


def common(plan: DrillPlan) -> list[Manifest]:
    """Opened by `start`: restored pods of this drill among themselves, the database and our own pods left out."""
    restored = {
        "matchExpressions": [
            {"key": LABEL_CLUSTER, "operator": "DoesNotExist"},
            {"key": LABEL_COMPONENT, "operator": "DoesNotExist"},
        ]
    }
    return [
        policy(
            plan,
            plan.namespace(role),
            f"{SERVICE_ROUTE}among-services",
            restored,
            ingress=[{"from": [_in_drill(plan, restored)]}],
            egress=[{"to": [_in_drill(plan, restored)]}],
        )
        for role in plan.roles
    ]


def for_service(plan: DrillPlan, service: Service, match_labels: dict[str, str]) -> list[Manifest]:
    """Opened by `start` right before this service is released: database, read-only gateway and, for the API, the
    object store.

    `match_labels`: the selector of its workload as found in the sandbox.
    """
    pods, here = {"matchLabels": dict(match_labels)}, plan.namespace(service.role)
    database_pods = {"matchExpressions": [{"key": LABEL_CLUSTER, "operator": "Exists"}]}
    egress: list[Manifest] = []
    inward: list[tuple[str, str, Manifest, int]] = []
    if service.database_session:
        egress.append({"to": [_in_drill(plan, database_pods)], "ports": [_port(POSTGRES_PORT)]})
        inward.append((plan.namespace(plan.database_role), "to-database", database_pods, POSTGRES_PORT))
    if service.serves in _asks_chain(plan):
        egress.append({"to": [_in_drill(plan, _component("gateway"))], "ports": [_port(GATEWAY_PORT)]})
        inward.append((plan.namespace(gateway_role(plan)), "to-gateway", _component("gateway"), GATEWAY_PORT))
    if service.serves == "api":
        egress.append(_to(plan.environment.sandbox.routes.object_storage))
    made = [policy(plan, here, f"{SERVICE_ROUTE}{service.name}", pods, egress=egress)] if egress else []
    return made + [
        policy(
            plan,
            there,
            f"{SERVICE_ROUTE}{service.name}-{what}",
            target,
            ingress=[{"from": [_in_drill(plan, pods)], "ports": [_port(port)]}],
        )
        for there, what, target, port in inward
    ]


def _asks_chain(plan: DrillPlan) -> tuple[str, ...]:
    """Who talks to our gateway: DALP's own gateway alone, where there is one."""
    own = any(s.serves == "gateway" for s in plan.environment.services)
    return ("gateway",) if own else ("api", "worker", "indexer")


def policy(
    plan: DrillPlan,
    namespace: str,
    name: str,
    pods: Manifest,
    *,
    ingress: list[Manifest] | None = None,
    egress: list[Manifest] | None = None,
    types: list[str] | None = None,
) -> Manifest:
    """A NetworkPolicy, written out in the form in which the API server gives it back."""
    spec: Manifest = {"podSelector": pods}
    if ingress is not None:
        spec["ingress"] = ingress
    if egress is not None:
        spec["egress"] = egress
    spec["policyTypes"] = types or [t for t, rules in (("Ingress", ingress), ("Egress", egress)) if rules is not None]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": naming.labels(plan.drill_id, plan.environment.name),
        },
        "spec": spec,
    }


def _component(name: str) -> Manifest:
    return {"matchLabels": {LABEL_COMPONENT: name}}


def _in_drill(plan: DrillPlan, pods: Manifest) -> Manifest:
    return {"namespaceSelector": {"matchLabels": {naming.LABEL_DRILL: plan.drill_id}}, "podSelector": pods}


def _port(port: int, protocol: str = "TCP") -> Manifest:
    return {"protocol": protocol, "port": port}


def _to(route: Route) -> Manifest:
    return {"to": [{"ipBlock": {"cidr": cidr(route.address)}}], "ports": [_port(route.port)]}


def cidr(address: str) -> str:
    """An address or address range as a CIDR block. Raises EnvironmentFileError for a name: network policies know
    none."""
    try:
        return str(ipaddress.ip_network(address))
    except ValueError as error:
        raise EnvironmentFileError(
            f"sandbox.routes: {address} is not an address or address range; network policies know no names.",
            "Give the address, or the range, that the name resolves to.",
        ) from error
