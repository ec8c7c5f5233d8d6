"""What a sandbox is made of, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr import naming
from dalp_dr.errors import EnvironmentFileError
from dalp_dr.isolation import gateway, routes, sandbox
from dalp_dr.model.environment import Environment
from sandbox_sample import PLAN, a_plan, an_environment, ours

MANIFESTS = sandbox.manifests(PLAN)
APP = PLAN.namespace("app")


def named(kind: str, name: str, namespace: str | None = APP) -> dict[str, Any]:
    return next(m for m in MANIFESTS if m["kind"] == kind and m["metadata"]["name"] == name and m["metadata"].get("namespace") == namespace)


def policy(name: str, namespace: str = APP) -> dict[str, Any]:
    spec: dict[str, Any] = named("NetworkPolicy", name, namespace)["spec"]
    return spec


def test_the_same_plan_gives_the_same_manifests() -> None:
    assert sandbox.manifests(a_plan()) == MANIFESTS


def test_every_object_carries_owner_labels() -> None:
    assert [m["metadata"]["name"] for m in MANIFESTS if not ours().items() <= m["metadata"]["labels"].items()] == []


@pytest.mark.parametrize("role", PLAN.roles)
def test_a_namespace_is_closed_and_bounded_before_anything_else_is_made_in_it(role: str) -> None:
    name = PLAN.namespace(role)
    kinds = [
        m["kind"] if m["kind"] != "NetworkPolicy" else m["metadata"]["name"]
        for m in MANIFESTS
        if name in (m["metadata"].get("namespace"), m["metadata"]["name"])
    ]
    assert kinds[:7] == ["Namespace", "RoleBinding", "default-deny", "names", "probe", "ResourceQuota", "LimitRange"]


def test_default_deny_denies_both_directions_for_every_pod() -> None:
    assert policy("default-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_a_namespace_expires_after_the_hours_of_the_environment() -> None:
    metadata = named("Namespace", APP, None)["metadata"]
    assert metadata["annotations"] == {naming.ANNOTATION_EXPIRES: "2026-10-07T06:00:00Z"}
    assert metadata["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"


def test_the_drill_binds_only_its_sandbox_role_and_only_itself() -> None:
    binding = named("RoleBinding", "dalp-dr-sandbox")
    assert binding["roleRef"]["name"] == "dalp-dr-sandbox"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "drill", "namespace": "dalp-dr"}]


@pytest.mark.parametrize(
    ("name", "direction", "port"),
    [
        ("database-to-kubernetes-api", "egress", 6443),
        ("database-to-backup-store", "egress", 8333),
        ("operator-to-database", "ingress", 8000),
    ],
)
def test_the_database_has_exactly_the_routes_a_recovery_needs(name: str, direction: str, port: int) -> None:
    spec = policy(name)
    assert spec["podSelector"] == {"matchExpressions": [{"key": "cnpg.io/cluster", "operator": "Exists"}]}
    assert [p["port"] for p in spec[direction][0]["ports"]] == [port]
    assert spec["policyTypes"] == [direction.capitalize()]


def test_nothing_but_the_database_gateway_and_names_has_a_route_before_start() -> None:
    assert sorted({m["metadata"]["name"] for m in MANIFESTS if m["kind"] == "NetworkPolicy"}) == [
        "database-to-backup-store",
        "database-to-kubernetes-api",
        "default-deny",
        "gateway-to-rpc",
        "names",
        "operator-to-database",
        "probe",
        "probe-to-gateway",
    ]


@pytest.mark.parametrize(
    ("service", "ports", "outside"),
    [
        ("dalp-erpc", [8545], []),
        ("dalp-indexer", [5432], []),
        ("dalp-dapi", [5432, 8333], ["10.9.0.2/32"]),
        ("dalp-dapp", [], []),
        ("dalp-worker", [5432], []),
    ],
)
def test_each_service_gets_its_own_routes_and_no_more(service: str, ports: list[int], outside: list[str]) -> None:
    found = next(s for s in PLAN.environment.services if s.name == service)
    opened = routes.for_service(PLAN, found, {"app.kubernetes.io/name": service})
    egress = [rule for p in opened for rule in p["spec"].get("egress", ())]
    assert [p["port"] for rule in egress for p in rule["ports"]] == ports
    assert [to["ipBlock"]["cidr"] for rule in egress for to in rule["to"] if "ipBlock" in to] == outside
    assert all(p["spec"]["podSelector"] for p in opened)


def test_without_a_gateway_of_its_own_dalp_asks_ours_directly() -> None:
    services = tuple(s for s in PLAN.environment.services if s.serves != "gateway")
    plan = a_plan(an_environment(services=services))
    worker = next(s for s in services if s.serves == "worker")
    names = [p["metadata"]["name"] for p in routes.for_service(plan, worker, {"a": "b"})]
    assert names == ["route-dalp-worker", "route-dalp-worker-to-database", "route-dalp-worker-to-gateway"]


def test_restored_pods_reach_only_pods_of_this_drill() -> None:
    for opened in routes.common(PLAN):
        peers = [to for rule in opened["spec"]["egress"] for to in rule["to"]]
        assert [p["namespaceSelector"]["matchLabels"] for p in peers] == [{naming.LABEL_DRILL: PLAN.drill_id}]
        assert {"key": "cnpg.io/cluster", "operator": "DoesNotExist"} in opened["spec"]["podSelector"]["matchExpressions"]


def with_rpc(address: str) -> Environment:
    base = an_environment()
    changed = base.sandbox.routes.model_copy(update={"rpc": base.sandbox.routes.rpc.model_copy(update={"address": address})})
    return base.model_copy(update={"sandbox": base.sandbox.model_copy(update={"routes": changed})})


@pytest.mark.parametrize(("address", "cidr"), [("10.1.2.3", "10.1.2.3/32"), ("10.1.2.0/24", "10.1.2.0/24"), ("fd00::1", "fd00::1/128")])
def test_addresses_and_ranges_become_cidr_blocks(address: str, cidr: str) -> None:
    assert routes.gateway(a_plan(with_rpc(address)))[0]["spec"]["egress"][0]["to"] == [{"ipBlock": {"cidr": cidr}}]


def test_a_name_in_a_route_is_refused_with_what_to_do() -> None:
    with pytest.raises(EnvironmentFileError, match=r"rpc\.example\.com is not an address") as caught:
        routes.gateway(a_plan(with_rpc("rpc.example.com")))
    assert "resolves to" in caught.value.next_step


def test_the_gateway_runs_our_program_without_token_root_or_priority() -> None:
    pod = named("Deployment", gateway.GATEWAY)["spec"]["template"]["spec"]
    assert (pod["automountServiceAccountToken"], pod["securityContext"]["runAsNonRoot"], pod["priorityClassName"]) == (
        False,
        True,
        "dalp-drill",
    )
    assert "eth_sendRawTransaction" not in named("ConfigMap", gateway.GATEWAY)["data"]["readonly_gateway.py"]


def test_the_rpc_url_is_kept_in_a_secret() -> None:
    made = sandbox.manifests(PLAN, "https://rpc.example.com/v2/key-123")
    holding = [m["kind"] for m in made if "key-123" in str(m)]
    assert holding == ["Secret"]


def test_the_archive_key_goes_to_the_database_namespace_only() -> None:
    secret = sandbox.archive_secret(PLAN, "AK", "SK")
    assert secret["metadata"]["namespace"] == PLAN.namespace("app")
    assert secret["stringData"] == {"ACCESS_KEY_ID": "AK", "ACCESS_SECRET_KEY": "SK"}


def test_the_quota_is_the_environments_and_forbids_load_balancers() -> None:
    assert named("ResourceQuota", sandbox.QUOTA)["spec"]["hard"] == {
        "requests.cpu": "4",
        "requests.memory": "6Gi",
        "pods": "40",
        "services.loadbalancers": "0",
    }
