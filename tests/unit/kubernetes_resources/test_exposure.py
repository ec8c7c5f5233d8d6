"""A Secret that nobody declared and a value that leads to production are found in the backup and in the sandbox."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from dalp_dr.kubernetes_resources import exposure
from dalp_dr.kubernetes_resources.restore import Contents
from dalp_dr.model.check import CheckResult, Verdict
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import encode
from sandbox_sample import a_plan, an_environment
from velero_sample import SOURCES, a_point, a_template, an_object, contents, judged, restored, said, secret


def a_drill(**app: Any) -> DrillPlan:
    """A plan whose application's namespace is declared as given; the sample's one harmless Secret is declared."""
    environment = an_environment()
    declared = {"keep_secrets": {"dalp-labels": "a colour"}, **app}
    first = environment.source.namespaces[0].model_copy(update=declared)
    source = environment.source.model_copy(update={"namespaces": (first, *environment.source.namespaces[1:])})
    return a_plan(environment.model_copy(update={"source": source}), backups=tuple(a_point(role) for role in SOURCES))


DRILL = a_drill()


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def add(held: Contents, resource: str, item: dict[str, Any]) -> Contents:
    held.setdefault(resource, {})[f"dalp/{item['metadata']['name']}"] = item
    return held


def of_backup(held: Contents, plan: DrillPlan = DRILL) -> exposure.Exposure:
    return exposure.facts_from(plan, "app", "backup-1", exposure.predicted(plan, "app", held), exposure.production(plan, [held]))


def answers(facts: exposure.Exposure, kind: str = "exposure", plan: DrillPlan = DRILL) -> dict[str, CheckResult]:
    return judged(kind, facts, plan)


def test_a_backup_as_declared_brings_nothing() -> None:
    found = of_backup(contents())
    assert {c: r.verdict for c, r in answers(found).items()} == {"secrets_declared": Verdict.PASS, "references_rewritten": Verdict.PASS}
    assert (found.secrets, found.kept) == (6, {"dalp-labels": "a colour"})


def test_what_velero_makes_of_it_brings_nothing_either() -> None:
    held = contents()
    found = exposure.facts_from(DRILL, "app", "sandbox", restored(DRILL, held=held).values(), exposure.production(DRILL, [held]))
    assert {r.verdict for r in answers(found, "exposure_restored").values()} == {Verdict.PASS}


SECRETS = [
    (secret("dalp-fireblocks", "API_KEY", "PRIVATE_KEY"), "Secret/dalp-fireblocks (no type; keys API_KEY, PRIVATE_KEY) comes in clear"),
    ({**secret("sh.helm.release.v1.dalp.v4", "release"), "type": "helm.sh/release.v1"}, "helm.sh/release.v1"),
    ({**secret("deployer-token", "token"), "type": "kubernetes.io/service-account-token"}, "deployer-token"),
]


@pytest.mark.parametrize(("item", "finding"), SECRETS, ids=[s["metadata"]["name"] for s, _ in SECRETS])
def test_a_secret_that_nobody_declared_is_named_with_its_keys_and_without_a_value(item: dict[str, Any], finding: str) -> None:
    found = of_backup(add(contents(), "secrets", item))
    result = answers(found)["secrets_declared"]
    assert result.verdict is Verdict.FAIL
    assert finding in said(result)
    assert next(iter(item["data"].values())) not in str(encode(found))


def test_a_sealed_secret_that_has_a_real_value_in_the_sandbox_is_found() -> None:
    live = restored(DRILL)
    live["Secret/dalp-signer"]["data"]["SIGNER_KEY"] = b64("the real one")
    found = exposure.facts_from(DRILL, "app", "sandbox", live.values(), exposure.production(DRILL, [contents()]))
    result = answers(found, "exposure_restored")["restored_secrets_declared"]
    assert "Secret/dalp-signer" in said(result)


def test_a_secret_without_data_opens_nothing() -> None:
    assert of_backup(add(contents(), "secrets", an_object("Secret", "empty"))).clear == ()


CONFIG = [
    ("postgres://dalp@dalp-pg-rw.dalp:5432/dalp", "dalp-pg-rw.dalp", "source namespace dalp"),
    ("http://OBSERVABILITY.dalp-observability.svc:9090", "observability.dalp-observability.svc", "source namespace dalp-observability"),
    ("tcp://indexer-0.indexer.dalp.svc.cluster.local.", "indexer-0.indexer.dalp.svc.cluster.local", "source namespace dalp"),
    ("https://dapp.example.com/hook", "dapp.example.com", "host of production"),
    ("https://eu.dapp.example.com", "eu.dapp.example.com", "host of production"),
    ("a,10.96.7.7:8080", "10.96.7.7", "address of a Service of production"),
    ("vault.corp.example", "vault.corp.example", "host of production"),
]
HARMLESS = [
    "http://dalp-dapi:3000",
    "dapp.example.com.drill.invalid",
    "10.96.7.70",
    "dalp.example.com",
    "mail@dalp.example.org",
    "a.dalp.example",
]


def with_service() -> Contents:
    held = contents()
    held["services"]["dalp/dalp-dapi"]["spec"]["clusterIP"] = "10.96.7.7"
    return held


def with_hosts(*hosts: str) -> DrillPlan:
    plan = a_drill()
    source = plan.environment.source.model_copy(update={"production_hosts": hosts})
    changed = plan.environment.model_copy(update={"source": source})
    return a_plan(changed, backups=plan.backups)


@pytest.mark.parametrize(("text", "host", "why"), CONFIG, ids=[host for _, host, _ in CONFIG])
def test_a_setting_that_leads_to_production_is_found(text: str, host: str, why: str) -> None:
    held = add(with_service(), "configmaps", an_object("ConfigMap", "more", data={"URL": text}))
    plan = with_hosts("vault.corp.example")
    assert of_backup(held, plan).references == (exposure.Reference("ConfigMap/more", "data.URL", host, why),)


@pytest.mark.parametrize("text", HARMLESS)
def test_other_names_are_left_alone(text: str) -> None:
    held = add(with_service(), "configmaps", an_object("ConfigMap", "more", data={"URL": text}))
    assert of_backup(held).references == ()


def workload(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return an_object(kind, "more", spec=spec)


DSN = "postgres://dalp-pg-rw.dalp/dalp"
TEMPLATE = a_template("more")
TEMPLATE["spec"]["containers"][0] |= {"env": [{"name": "DSN", "value": DSN}], "image": "registry.dalp/more:1"}
PLACES = [
    ("deployments.apps", workload("Deployment", {"template": TEMPLATE}), "template.containers[more].env[DSN].value"),
    ("statefulsets.apps", workload("StatefulSet", {"template": TEMPLATE}), "template.containers[more].env[DSN].value"),
    ("cronjobs.batch", workload("CronJob", {"jobTemplate": {"spec": {"template": TEMPLATE}}}), "template.containers[more].env[DSN].value"),
    ("pods", workload("Pod", {"containers": [{"name": "more", "args": [DSN]}]}), "spec.containers[more].args[0]"),
    ("services", workload("Service", {"externalName": "dalp-pg-rw.dalp.svc.cluster.local"}), "spec.externalName"),
    ("configmaps", an_object("ConfigMap", "more", binaryData={"file": b64(DSN)}), "binaryData.file"),
]


@pytest.mark.parametrize(("resource", "item", "field"), PLACES, ids=[i["kind"] + f for _, i, f in PLACES])
def test_every_place_that_a_service_reads_is_looked_at(resource: str, item: dict[str, Any], field: str) -> None:
    result = answers(of_backup(add(contents(), resource, item)))["references_rewritten"]
    assert f"{item['kind']}/more {field} names dalp-pg-rw.dalp" in said(result)
    assert result.verdict is Verdict.FAIL


def test_of_a_secret_the_key_is_named_and_nothing_of_its_value() -> None:
    item = {**secret("dsn", "URL"), "data": {"URL": b64("postgres://u:hunter2@dalp-pg-rw.dalp/dalp")}}
    found = of_backup(add(contents(), "secrets", item))
    assert found.references == (exposure.Reference("Secret/dsn", "data.URL", "a host", "source namespace dalp"),)


def test_an_annotation_that_is_not_removed_is_found_and_one_that_is_removed_is_not() -> None:
    held = contents()
    held["services"]["dalp/dalp-dapi"]["metadata"]["annotations"] = {"external-dns.alpha.kubernetes.io/hostname": "api.corp.example"}
    assert of_backup(held).annotations == ()
    live = restored(DRILL, held=held)
    assert not live["Service/dalp-dapi"]["metadata"].get("annotations"), "the modifiers remove it"
    live["Service/dalp-dapi"]["metadata"]["annotations"] = {"external-dns.alpha.kubernetes.io/hostname": "api.corp.example"}
    found = exposure.facts_from(DRILL, "app", "sandbox", live.values(), exposure.production(DRILL, [held]))
    assert "acts outside" in said(answers(found, "exposure_restored")["restored_references_rewritten"])


def test_a_declared_reference_is_kept_with_its_reason() -> None:
    plan = a_drill(keep_references={"ConfigMap/more": "shown to people only"})
    found = of_backup(add(contents(), "configmaps", an_object("ConfigMap", "more", data={"URL": DSN})), plan)
    assert (found.references, found.kept_references) == ((), {"ConfigMap/more data.URL": "shown to people only"})


def test_nothing_looked_at_proves_nothing() -> None:
    found = exposure.facts_from(DRILL, "app", "sandbox", [], exposure.production(DRILL, []))
    assert {r.verdict for r in answers(found).values()} == {Verdict.INCONCLUSIVE}
