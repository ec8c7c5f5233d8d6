"""The committed manifests are what the environment file makes, and they grant no more than the table says."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from dalp_dr.isolation import rbac
from dalp_dr.model import environment_file
from sandbox_sample import LAB_FILE

ENVIRONMENT = environment_file.read(LAB_FILE)
MANIFESTS = rbac.manifests(ENVIRONMENT)


def roles(account: str) -> list[dict[str, Any]]:
    bound = {
        (b["roleRef"]["kind"], b["roleRef"]["name"], b["metadata"].get("namespace"))
        for b in MANIFESTS
        if b["kind"].endswith("Binding") and "subjects" in b and b["subjects"][0]["name"] == account
    }
    return [m for m in MANIFESTS if (m["kind"], m["metadata"]["name"], m["metadata"].get("namespace")) in bound]


def test_the_committed_file_is_what_the_environment_makes() -> None:
    committed = LAB_FILE.parents[1] / "rbac" / "lab.yaml"
    assert committed.read_text() == rbac.render(ENVIRONMENT), (
        "write it again: python -m dalp_dr environment rbac include/environments/lab.yaml"
    )


def test_the_committed_file_of_the_recovery_cluster_is_its_sandbox_side() -> None:
    environment = environment_file.read(LAB_FILE.with_name("lab-annual.yaml"))
    committed = LAB_FILE.parents[1] / "rbac" / "lab-annual.yaml"
    assert committed.read_text() == rbac.render(environment, "sandbox"), (
        "write it again: python -m dalp_dr environment rbac --side sandbox include/environments/lab-annual.yaml"
    )


def test_the_text_is_the_manifests() -> None:
    assert list(yaml.safe_load_all(rbac.render(ENVIRONMENT))) == MANIFESTS


def test_every_rule_has_its_reason_beside_it() -> None:
    lines = rbac.render(ENVIRONMENT).splitlines()
    rules = [i for i, line in enumerate(lines) if line.startswith("- {apiGroups")]
    assert len(rules) == sum(len(m["rules"]) for m in MANIFESTS if m["kind"] in ("Role", "ClusterRole"))
    assert [lines[i] for i in rules if not lines[i - 1].startswith("# ")] == []


def test_every_role_and_policy_says_why() -> None:
    explained = [m for m in MANIFESTS if m["kind"] in ("Role", "ClusterRole", "ValidatingAdmissionPolicy")]
    assert explained
    assert [m["metadata"]["name"] for m in explained if not m["metadata"]["annotations"]["dalp-dr/reason"]] == []


def test_the_reader_only_reads() -> None:
    found = roles("source-reader")
    assert len(found) == 1 + len(ENVIRONMENT.source.namespaces) + 1
    assert {verb for role in found for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list"}
    assert all(rule["resourceNames"] for role in found for rule in role["rules"] if "secrets" in rule["resources"])


def test_the_drill_writes_cluster_wide_only_what_admission_looks_at() -> None:
    cluster = next(m for m in roles("drill") if m["kind"] == "ClusterRole")
    writes = {(rule["resources"][0], verb) for rule in cluster["rules"] for verb in rule["verbs"] if verb not in ("get", "list", "watch")}
    assert writes == {
        ("namespaces", "create"),
        ("namespaces", "delete"),
        ("rolebindings", "create"),
        ("clusterroles", "bind"),
    }


def test_the_sandbox_role_is_bound_by_nobody_at_install_time() -> None:
    assert not [b for b in MANIFESTS if b.get("roleRef", {}).get("name") == "dalp-dr-sandbox"]


@pytest.mark.parametrize(("side", "account", "missing"), [("source", "source-reader", "drill"), ("sandbox", "drill", "source-reader")])
def test_each_cluster_of_two_gets_its_own_identity_only(side: rbac.Sides, account: str, missing: str) -> None:
    accounts = {m["metadata"]["name"] for m in rbac.manifests(ENVIRONMENT, side) if m["kind"] == "ServiceAccount"}
    assert account in accounts
    assert missing not in accounts


def test_policies_follow_the_environment() -> None:
    sandbox = ENVIRONMENT.sandbox.model_copy(update={"namespace_prefix": "rehearsal-"})
    text = rbac.render(ENVIRONMENT.model_copy(update={"sandbox": sandbox}))
    assert "rehearsal-" in text
    assert "dalp-drill-" not in text


def test_every_policy_is_bound_and_denies() -> None:
    names = {m["metadata"]["name"] for m in MANIFESTS if m["kind"] == "ValidatingAdmissionPolicy"}
    bindings = {
        m["spec"]["policyName"]: m["spec"]["validationActions"] for m in MANIFESTS if m["kind"] == "ValidatingAdmissionPolicyBinding"
    }
    assert bindings == {name: ["Deny", "Audit"] for name in names}
    assert {m["spec"]["failurePolicy"] for m in MANIFESTS if m["kind"] == "ValidatingAdmissionPolicy"} == {"Fail"}
