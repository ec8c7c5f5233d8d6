"""Everything that must exist is back as it was backed up, nothing else is there, and no credential is production's."""

from __future__ import annotations

import copy
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dalp_dr import catalogue, naming
from dalp_dr.kubernetes_resources import inventory
from dalp_dr.kubernetes_resources.inventory import InventoryFacts
from velero_sample import PLAN, REAL, a_workload, an_object, contents, judged, red, restored, said

Live = dict[str, dict[str, Any]]
RENDERED = [
    an_object("ConfigMap", "dalp-config"),
    an_object("Service", "dalp-dapi"),
    an_object("Deployment", "dalp-dapi", "apps/v1"),
    an_object("Job", "migrate", "batch/v1"),
    an_object("Cluster", "dalp-pg", "postgresql.cnpg.io/v1"),
    an_object("Secret", "dalp-archive-write"),
    an_object("ClusterRole", "dalp", "rbac.authorization.k8s.io/v1"),
    an_object("NetworkPolicy", "allow-all", "networking.k8s.io/v1"),
    an_object("Schedule", "dalp-daily", "velero.io/v1"),
]


def facts(
    change: Callable[[Live], object] = lambda live: None, rendered: list[dict[str, Any]] | None = None, **held: dict[str, Any]
) -> InventoryFacts:
    live = copy.deepcopy(restored())
    change(live)
    return inventory.facts_from(PLAN, "app", contents(**held), RENDERED if rendered is None else rendered, live.values())


def add(*objects: dict[str, Any]) -> Callable[[Live], object]:
    return lambda live: live.update({f"{o['kind']}/{o['metadata']['name']}": o for o in objects})


def drop(name: str) -> Callable[[Live], object]:
    return lambda live: live.pop(name)


def put(name: str, *path: Any, value: Any) -> Callable[[Live], object]:
    def change(live: Live) -> None:
        holder: Any = live[name]
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = value

    return change


def test_a_restore_as_declared_passes_everything() -> None:
    good = facts()
    assert red(judged("namespace_inventory", good)) == {}
    assert good.differences == () and good.unexpected == ()
    assert set(good.found) == set(good.from_backup) | set(good.from_git)


def test_what_the_restore_leaves_out_is_listed_and_not_missed() -> None:
    good = facts()
    assert {"Secret/dalp-archive-write", "Secret/dalp-pg-ca", "Service/dalp-pg-rw", "Cluster/dalp-pg"} <= set(good.left_out)
    assert not {*good.left_out} & {*good.from_backup}


def test_the_charts_own_objects_that_a_restore_never_makes_are_not_asked_for() -> None:
    assert facts().from_git == ("ConfigMap/dalp-config", "Deployment/dalp-dapi", "Service/dalp-dapi")


OURS = an_object("Pod", "drill-volume-x", labels={naming.LABEL_OWNED: naming.OWNER})
ALLOWED = {
    "what the drill made": add(an_object("Secret", "drill-archive", labels={naming.LABEL_OWNED: naming.OWNER}), OURS),
    "what the operator made for the recovered cluster": add(
        an_object("Secret", "dalp-pg-app", labels={"cnpg.io/cluster": "dalp-pg"}),
        an_object("Service", "dalp-pg-rw", labels={}),
        an_object("ConfigMap", "cnpg-default-monitoring", labels={}),
    ),
    "what controllers make": add(an_object("ControllerRevision", "x-1", "apps/v1"), an_object("EndpointSlice", "y", "discovery.k8s.io/v1")),
    "what every namespace has": add(an_object("ServiceAccount", "default")),
    "the drill's read-only key in its place": lambda live: live["Secret/dalp-object-storage"].update(
        metadata={**live["Secret/dalp-object-storage"]["metadata"], "annotations": {naming.LABEL_DRILL: PLAN.drill_id}},
        data={"ACCESS_KEY_ID": "cmVhZGVy", "SECRET_ACCESS_KEY": "cmVhZGVy"},
    ),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_green(case: str) -> None:
    assert red(judged("namespace_inventory", facts(ALLOWED[case]))) == {}


COMPLETE, KINDS, UNEXPECTED, SEALED = "inventory_complete", "required_kinds_present", "nothing_unexpected", "secrets_sealed"
RED: dict[str, tuple[InventoryFacts, set[str], str]] = {
    "an object is missing": (
        facts(drop("Deployment/dalp-dapi")),
        {COMPLETE},
        "dalp: Deployment/dalp-dapi is missing (the backup holds it)",
    ),
    "Git renders what the backup does not hold": (
        facts(rendered=[*RENDERED, an_object("ConfigMap", "dalp-new")]),
        {COMPLETE},
        "ConfigMap/dalp-new is missing (Git renders it, the backup does not hold it)",
    ),
    "the last of a kind is missing": (facts(drop("Ingress/dalp-dapp")), {COMPLETE, KINDS}, "Ingress/dalp-dapp is missing"),
    "the only claim is missing": (
        facts(drop("PersistentVolumeClaim/dalp-worker-journal")),
        {COMPLETE, KINDS},
        "PersistentVolumeClaim/dalp-worker-journal",
    ),
    "a claim is not bound": (
        facts(put("PersistentVolumeClaim/dalp-worker-journal", "status", value={"phase": "Pending"})),
        {COMPLETE},
        "status.phase: expected Bound, found Pending",
    ),
    "a claim is smaller": (
        facts(put("PersistentVolumeClaim/dalp-worker-journal", "spec", "resources", "requests", value={"storage": "1Mi"})),
        {COMPLETE},
        "spec.resources",
    ),
    "a setting differs": (
        facts(put("ConfigMap/dalp-config", "data", "DB_HOST", value="elsewhere")),
        {COMPLETE},
        "ConfigMap/dalp-config data",
    ),
    "a rewrite was not made": (
        facts(put("ConfigMap/dalp-erpc-config", "data", "UPSTREAM_URL", value="http://rpc.example.com")),
        {COMPLETE},
        "ConfigMap/dalp-erpc-config data",
    ),
    "a secret that is not sealed differs": (
        facts(put("Secret/dalp-labels", "data", "theme", value="eA==")),
        {COMPLETE},
        "dalp-labels data",
    ),
    "a key of a secret is gone": (facts(put("Secret/dalp-webhook", "data", value={})), {COMPLETE}, "Secret/dalp-webhook data keys"),
    "a port differs": (facts(put("Service/dalp-dapi", "spec", "ports", value=[{"port": 80}])), {COMPLETE}, "Service/dalp-dapi spec.ports"),
    "a service selects others": (facts(put("Service/dalp-dapi", "spec", "selector", value={})), {COMPLETE}, "spec.selector"),
    "a host is production's": (
        facts(put("Ingress/dalp-dapp", "spec", "rules", 0, value={"host": "dapp.example.com"})),
        {COMPLETE},
        "Ingress/dalp-dapp spec.rules.host",
    ),
    "another image runs": (
        facts(put("Deployment/dalp-dapi", "spec", "template", "spec", "containers", 0, "image", value="other:2")),
        {COMPLETE},
        "Deployment/dalp-dapi containers",
    ),
    "another environment variable": (
        facts(put("StatefulSet/dalp-indexer", "spec", "template", "spec", "containers", 0, "env", value=[])),
        {COMPLETE},
        "StatefulSet/dalp-indexer containers",
    ),
    "somebody's object": (facts(add(an_object("ConfigMap", "notes"))), {UNEXPECTED}, "ConfigMap/notes"),
    "production's write key was restored": (
        facts(add(an_object("Secret", "dalp-archive-write", data={"ACCESS_KEY_ID": REAL}))),
        {UNEXPECTED},
        "Secret/dalp-archive-write",
    ),
    "a policy that opens the sandbox was restored": (
        facts(add(an_object("NetworkPolicy", "allow-all", "networking.k8s.io/v1"))),
        {UNEXPECTED},
        "NetworkPolicy/allow-all",
    ),
    "a job was restored": (facts(add(an_object("Job", "migrate", "batch/v1"))), {UNEXPECTED}, "Job/migrate"),
    "a labelled object of somebody else's drill tool": (
        facts(add(an_object("Secret", "x", labels={naming.LABEL_OWNED: "somebody"}))),
        {UNEXPECTED},
        "Secret/x",
    ),
    "a credential is production's": (
        facts(put("Secret/dalp-signer", "data", "SIGNER_KEY", value=REAL)),
        {SEALED},
        "Secret/dalp-signer still holds production's value",
    ),
    "one key of a credential is production's": (
        facts(put("Secret/dalp-object-storage", "data", "ACCESS_KEY_ID", value=REAL)),
        {SEALED},
        "Secret/dalp-object-storage",
    ),
    "an annotation alone does not seal a credential": (
        facts(
            lambda live: live["Secret/dalp-signer"].update(
                metadata={**live["Secret/dalp-signer"]["metadata"], "annotations": {naming.LABEL_DRILL: PLAN.drill_id}},
                data={"SIGNER_KEY": REAL, "SIGNER_KIND": REAL},
            )
        ),
        {SEALED},
        "Secret/dalp-signer",
    ),
    "a name to be sealed exists nowhere, so what it meant may be open": (
        facts(drop("Secret/dalp-smtp"), secrets={k: v for k, v in contents()["secrets"].items() if k != "dalp/dalp-smtp"}),
        {SEALED},
        "Secret/dalp-smtp is to be sealed, but neither the backup nor Git has it",
    ),
}


@pytest.mark.parametrize("case", RED)
def test_red(case: str) -> None:
    found, expected, words = RED[case]
    results = judged("namespace_inventory", found)
    assert red(results) == dict.fromkeys(expected, "fail")
    assert any(words in said(results[check]) for check in expected)


def test_every_check_of_an_inventory_was_seen_red() -> None:
    assert {c for _, expected, _ in RED.values() for c in expected} == {c.id for c in catalogue.checks_of("namespace_inventory")}


def test_an_empty_backup_is_no_complete_inventory() -> None:
    nothing = inventory.facts_from(PLAN, "app", {}, [], [])
    results = judged("namespace_inventory", nothing)
    assert {COMPLETE, KINDS} <= set(red(results))
    assert "lists no object" in said(results[COMPLETE])


def test_the_application_must_have_all_five_kinds_even_if_neither_side_knows_one() -> None:
    without = facts(drop("Ingress/dalp-dapp"), **{"ingresses.networking.k8s.io": {}})
    results = judged("namespace_inventory", without)
    assert red(results) == {KINDS: "fail"}
    assert "no Ingress was restored" in said(results[KINDS])


def test_a_declared_difference_is_no_finding() -> None:
    environment = PLAN.environment
    sources = [
        n.model_copy(update={"optional_differences": ("ConfigMap/dalp-config",)}) if n.role == "app" else n
        for n in environment.source.namespaces
    ]
    allowed = environment.model_copy(update={"source": environment.source.model_copy(update={"namespaces": tuple(sources)})})
    from dataclasses import replace

    plan, live = replace(PLAN, environment=allowed), restored()
    live["ConfigMap/dalp-config"]["data"] = {"any": "thing"}
    found = inventory.facts_from(plan, "app", contents(), RENDERED, live.values())
    assert red(judged("namespace_inventory", found, plan)) == {}


def test_no_value_of_a_secret_is_in_the_facts() -> None:
    changed = facts(put("Secret/dalp-labels", "data", "theme", value="aHVudGVyMg=="), rendered=[])
    assert REAL not in repr(changed) and "aHVudGVyMg" not in repr(changed)


@given(st.dictionaries(st.text(string.ascii_letters, min_size=1), st.text(), max_size=4), st.text(min_size=1))
def test_any_changed_setting_is_found(data: dict[str, str], more: str) -> None:
    held = {"dalp/c": an_object("ConfigMap", "c", data=data)}
    for live, same in ((data, True), ({**data, "_": more}, False)):
        item = an_object("ConfigMap", "c", namespace=PLAN.namespace("app"), data=live)
        found = inventory.facts_from(PLAN, "app", {"configmaps": held}, [], [item])
        assert (found.differences == ()) is same


def test_a_daemon_set_is_compared_like_other_workloads() -> None:
    held = {"dalp/agent": a_workload("DaemonSet", "agent")}
    live = a_workload("DaemonSet", "agent")
    live["spec"]["template"]["spec"]["containers"][0]["args"] = ["--debug"]
    found = inventory.facts_from(PLAN, "app", {"daemonsets.apps": held}, [], [live])
    assert [d.object for d in found.differences] == ["DaemonSet/agent"]
