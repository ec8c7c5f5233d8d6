"""Each trap of an isolated restore, and the rule that avoids it, on objects as Velero would patch them."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from dalp_dr import naming
from dalp_dr.kubernetes_resources import restore
from dalp_dr.kubernetes_resources.restore import DUMMY
from dalp_dr.services import start
from velero_sample import PLAN, REAL, SOURCES, a_pod, an_environment, contents, modified, restored, rules_of

POLICY, MODIFIERS, RESTORE = restore.manifests(PLAN, PLAN.backup("app"), contents())
RULES = rules_of(MODIFIERS)["resourceModifierRules"]
LIVE = restored()
TEMPLATED = ("Deployment/dalp-dapi", "ReplicaSet/dalp-dapi-5d59d67564", "StatefulSet/dalp-indexer")


def decoded(secret: dict[str, Any]) -> dict[str, str]:
    return {k: base64.b64decode(v).decode() for k, v in secret["data"].items()}


# ---- the Restore


def test_cluster_resources_stay_unset() -> None:
    assert "includeClusterResources" not in RESTORE["spec"], "false would leave production's volume names in the claims"


def test_it_reads_one_namespace_and_writes_the_sandbox() -> None:
    assert RESTORE["spec"]["includedNamespaces"] == ["dalp"]
    assert RESTORE["spec"]["namespaceMapping"] == {"dalp": PLAN.namespace("app")}
    assert PLAN.namespace("app").startswith("dalp-drill-")


def test_what_exists_is_never_changed_and_volumes_are_restored() -> None:
    assert (RESTORE["spec"]["existingResourcePolicy"], RESTORE["spec"]["restorePVs"]) == ("none", True)


def test_all_three_are_ours_and_the_restore_names_the_other_two() -> None:
    for item in (POLICY, MODIFIERS, RESTORE):
        assert item["metadata"]["labels"] == PLAN.labels
        assert item["metadata"]["namespace"] == "velero"
    assert RESTORE["spec"]["resourcePolicy"] == {"kind": "ConfigMap", "name": POLICY["metadata"]["name"]}
    assert RESTORE["spec"]["resourceModifier"] == {"kind": "ConfigMap", "name": MODIFIERS["metadata"]["name"]}


def test_each_attempt_has_names_of_its_own() -> None:
    made = [restore.manifests(PLAN, PLAN.backup(role), {}, n) for role in SOURCES for n in (1, 2)]
    names = [m["metadata"]["name"] for group in made for m in group]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", ["clusters", "backups", "scheduledbackups", "poolers", "databases"])
def test_nothing_of_cloudnativepg_is_restored(kind: str) -> None:
    assert f"{kind}.postgresql.cnpg.io" in RESTORE["spec"]["excludedResources"], "a restored Cluster archives into production's path"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("objectstores.barmancloud.cnpg.io", "it names production's archive"),
        ("networkpolicies.networking.k8s.io", "policies add up: an allow-all would open the sandbox"),
        ("jobs.batch", "a Job runs at once"),
        ("endpoints", "they point at production's pods"),
        ("endpointslices.discovery.k8s.io", "they point at production's pods"),
        ("rolebindings.rbac.authorization.k8s.io", "rights are not restored"),
    ],
)
def test_kinds_that_act_by_themselves_are_left_out(kind: str, why: str) -> None:
    assert kind in RESTORE["spec"]["excludedResources"], why


def test_velero_never_makes_a_pod_wait_for_longer_than_a_drill() -> None:
    assert RESTORE["metadata"]["annotations"]["velero.io/pod-volume-timeout"] == "20m"


# ---- the policy: objects left out by name


def filters(role: str) -> list[dict[str, Any]]:
    [policy] = restore.resource_policy(PLAN, role)["namespacedFilterPolicies"]
    assert policy["namespaces"] == [SOURCES[role].name]
    found: list[dict[str, Any]] = policy["resourceFilters"]
    return found


def test_productions_write_key_and_the_databases_own_objects_are_left_out_by_name() -> None:
    named, _ = filters("app")
    assert {"dalp-pg", "dalp-pg-*", "cnpg-default-monitoring", "dalp-archive-write"} <= set(named["excludedNames"])
    assert {"secrets", "services", "configmaps", "persistentvolumeclaims", "pods"} <= set(named["kinds"])


def test_every_other_kind_is_still_restored_and_names_stand_nowhere_else() -> None:
    *_, everything = filters("app")
    assert everything["kinds"] == ["*"] and "excludedNames" not in everything


@pytest.mark.parametrize("role", SOURCES)
def test_each_entry_carries_the_selector_since_none_inherits_it(role: str) -> None:
    assert all(f["labelSelector"] == {"matchExpressions": [{"key": "cnpg.io/cluster", "operator": "DoesNotExist"}]} for f in filters(role))


def test_a_namespace_without_a_database_leaves_nothing_out() -> None:
    assert [f["kinds"] for f in filters("support")] == [["*"]]
    assert restore.left_out(PLAN, "support") == ()


# ---- seals and rewrites


@pytest.mark.parametrize("name", ["dalp-signer", "dalp-webhook", "dalp-smtp", "dalp-dapi", "dalp-object-storage"])
def test_no_real_value_of_a_sealed_secret_reaches_the_sandbox(name: str) -> None:
    assert REAL not in LIVE[f"Secret/{name}"]["data"].values()
    assert LIVE[f"Secret/{name}"]["data"].keys() == contents()["secrets"][f"dalp/{name}"]["data"].keys()


def test_a_seal_is_a_dummy_or_the_value_the_environment_gives() -> None:
    assert decoded(LIVE["Secret/dalp-signer"]) == {"SIGNER_KEY": DUMMY, "SIGNER_KIND": "sealed"}
    assert decoded(LIVE["Secret/dalp-smtp"]) == {"SMTP_HOST": DUMMY, "SMTP_PORT": "25"}


def test_a_name_with_a_dot_seals_that_secret_alone() -> None:
    source = SOURCES["app"].model_copy(update={"seal_secrets": {"dalp.signer": {}}, "object_read_secrets": {}})
    environment = an_environment()
    plan = replace(
        PLAN, environment=environment.model_copy(update={"source": environment.source.model_copy(update={"namespaces": (source,)})})
    )
    sealed = {"dalp/dalp.signer": {**contents()["secrets"]["dalp/dalp-signer"]}}
    rules = restore.modifiers(plan, "app", {"secrets": sealed})["resourceModifierRules"]
    other = contents()["secrets"]["dalp/dalp-signer"]
    assert modified(other, "secrets", rules) == other


def test_other_secrets_are_as_they_were() -> None:
    assert LIVE["Secret/dalp-labels"]["data"] == {"theme": REAL}


def test_rewritten_keys_change_and_the_others_stay() -> None:
    config = LIVE["ConfigMap/dalp-config"]["data"]
    assert (config["DB_HOST"], config["TELEMETRY_URL"]) == ("dalp-pg-rw", "")
    assert LIVE["ConfigMap/dalp-erpc-config"]["data"] == {"UPSTREAM_URL": "http://dalp-dr-gateway:8545", "READ_ONLY": "true"}


def test_hosts_become_drill_hosts_and_no_ingress_controller_takes_them() -> None:
    spec = LIVE["Ingress/dalp-dapp"]["spec"]
    assert [r.get("host") for r in spec["rules"]] == ["dapp.example.com.drill.invalid", None]
    assert spec["tls"][0]["hosts"] == ["dapp.example.com.drill.invalid"]
    assert spec["ingressClassName"] == "dalp-dr-drill"


def test_annotations_that_act_outside_are_cleared_and_others_stay() -> None:
    ingress = contents()["ingresses.networking.k8s.io"]["dalp/dalp-dapp"]
    acting = {
        "external-dns.alpha.kubernetes.io/hostname": "x",
        "cert-manager.io/cluster-issuer": "x",
        "kubernetes.io/ingress.class": "x",
    }
    ingress["metadata"]["annotations"] = {**acting, "note": "kept"}
    held = contents(**{"ingresses.networking.k8s.io": {"dalp/dalp-dapp": ingress}})
    assert restored(held=held)["Ingress/dalp-dapp"]["metadata"]["annotations"] == {"note": "kept"}


def test_a_load_balancer_asks_for_no_address_outside() -> None:
    service = contents()["services"]["dalp/dalp-dapi"]
    service["spec"] |= {"type": "LoadBalancer", "loadBalancerIP": "192.0.2.1", "externalTrafficPolicy": "Local"}
    made = modified(service, "services", RULES)["spec"]
    assert made["type"] == "ClusterIP" and not {"loadBalancerIP", "externalTrafficPolicy"} & made.keys()
    assert "type" not in LIVE["Service/dalp-dapi"]["spec"], "other services are not touched"


def test_no_schedule_fires_in_the_sandbox() -> None:
    assert LIVE["CronJob/dalp-rates"]["spec"] == {"schedule": "* * * * *", "suspend": True}


# ---- held pods and templates


def test_a_pod_is_held_after_its_volumes_are_filled_and_before_anything_of_its_own() -> None:
    made = modified(a_pod("restore-wait", "migrate"), "pods", RULES)
    assert [c["name"] for c in made["spec"]["initContainers"]] == ["restore-wait", naming.HOLD, "migrate"]


@pytest.mark.parametrize("own", [(), ("migrate",)])
def test_a_pod_without_volumes_is_held_first(own: tuple[str, ...]) -> None:
    assert [c["name"] for c in modified(a_pod(*own), "pods", RULES)["spec"]["initContainers"]] == [naming.HOLD, *own]


def test_a_pod_gets_the_drills_priority_and_admission_has_no_reason_to_forbid_it() -> None:
    spec = modified(a_pod("restore-wait"), "pods", RULES)["spec"]
    assert spec["priorityClassName"] == "dalp-drill"
    assert "priority" not in spec and "preemptionPolicy" not in spec
    [patch] = [p for r in RULES if r["conditions"]["groupResource"] == "pods" for p in r.get("strategicPatches", ())]
    asked = json.loads(patch["patchData"])["spec"]
    assert (asked["priority"], asked["preemptionPolicy"]) == (None, None), "null, since leaving them out keeps production's"


def test_deployment_and_replica_set_are_patched_alike_or_a_rollout_starts() -> None:
    deployment, replica_set = (LIVE[n]["spec"]["template"] for n in TEMPLATED[:2])
    source = contents()["deployments.apps"]["dalp/dalp-dapi"]["spec"]["template"]
    given = contents()["replicasets.apps"]["dalp/dalp-dapi-5d59d67564"]["spec"]["template"]
    assert deployment != source
    assert {k: v for k, v in deployment["spec"].items() if k != "containers"} == {
        k: v for k, v in replica_set["spec"].items() if k != "containers"
    }
    assert deployment["metadata"]["labels"].keys() == replica_set["metadata"]["labels"].keys()
    assert replica_set["spec"]["containers"] == given["spec"]["containers"]


def test_a_stateful_set_rolls_nothing_out() -> None:
    assert LIVE["StatefulSet/dalp-indexer"]["spec"]["updateStrategy"] == {"type": "OnDelete"}


@pytest.mark.parametrize("name", TEMPLATED)
def test_pods_that_a_controller_makes_anew_are_held_as_well(name: str) -> None:
    spec = LIVE[name]["spec"]["template"]["spec"]
    assert [c["name"] for c in spec["initContainers"]] == [naming.HOLD]
    assert spec["priorityClassName"] == "dalp-drill"


@pytest.mark.parametrize("name", ["Deployment/dalp-dapi", "StatefulSet/dalp-indexer"])
def test_holding_and_releasing_leaves_the_workload_as_it_was_but_for_priority_and_label(name: str) -> None:
    from velero_sample import merged

    source = contents()["deployments.apps" if name.startswith("D") else "statefulsets.apps"]["dalp/" + name.partition("/")[2]]
    held = merged(LIVE[name], start.hold_patch(LIVE[name]))
    assert held["spec"]["replicas"] == 0
    released = merged(held, start.release_patch(held))
    template, wanted = released["spec"]["template"], source["spec"]["template"]
    assert released["spec"]["replicas"] == source["spec"]["replicas"]
    assert template["spec"] == {**wanted["spec"], "priorityClassName": "dalp-drill"}
    assert template["metadata"]["labels"] == {**wanted["metadata"]["labels"], naming.LABEL_DRILL: PLAN.drill_id}


def test_rules_reach_no_other_namespace() -> None:
    assert {n for r in RULES for n in r["conditions"]["namespaces"]} == {"dalp"}
    elsewhere = contents()["secrets"]["dalp/dalp-signer"]
    elsewhere["metadata"]["namespace"] = "other"
    assert modified(elsewhere, "secrets", RULES) == elsewhere


@pytest.mark.parametrize("item", [POLICY, MODIFIERS], ids=["policy", "modifiers"])
def test_velero_reads_exactly_one_key(item: dict[str, Any]) -> None:
    assert len(item["data"]) == 1 and rules_of(item)["version"] == "v1"
