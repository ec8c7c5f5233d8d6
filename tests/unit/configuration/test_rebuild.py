"""The installed release against Git, and Git's rendering against the sandbox."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dalp_dr.configuration import rebuild
from dalp_dr.model.check import Verdict
from sandbox_sample import PLAN

COMMIT = "a" * 40
NAMESPACES = {r: PLAN.environment.source.namespace(r) for r in PLAN.roles}


def manifest(kind: str, name: str, api: str = "v1", namespace: str | None = None, **body: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **body}


def deployment(image: str = "docker.io/local/dalp:1") -> dict[str, Any]:
    return manifest(
        "Deployment",
        "dalp-dapi",
        "apps/v1",
        spec={"template": {"spec": {"containers": [{"name": "api", "image": image}]}}},
    )


CONFIG = manifest("ConfigMap", "dalp-erpc-config", data={"UPSTREAM_URL": "http://production", "CHAIN_ID": "31337"})
SECRET = manifest("Secret", "dalp-signer", stringData={"SIGNER_PRIVATE_KEY": "k"})
SERVICE = manifest("Service", "dalp-dapi", spec={"ports": [{"port": 3000, "targetPort": "http"}]})
LEFT_OUT = [
    manifest("Cluster", "dalp-pg", "postgresql.cnpg.io/v1"),
    manifest("NetworkPolicy", "dalp-open", "networking.k8s.io/v1"),
    manifest("Schedule", "dalp-daily", "velero.io/v1", "velero"),
    manifest("Secret", "dalp-archive-write"),
    manifest("Role", "r", "rbac.authorization.k8s.io/v1"),
    manifest("ClusterRole", "c", "rbac.authorization.k8s.io/v1"),
    manifest("Job", "migrate", "batch/v1"),
    manifest("ConfigMap", "elsewhere", namespace="other"),
    {**manifest("Pod", "test"), "metadata": {"name": "test", "annotations": {"helm.sh/hook": "test"}}},
]
RENDERED = [deployment(), CONFIG, SECRET, SERVICE, *LEFT_OUT]
LIVE = [
    deployment(),
    {**CONFIG, "data": {"UPSTREAM_URL": "http://dalp-dr-gateway:8545", "CHAIN_ID": "31337"}},
    manifest("Secret", "dalp-signer", data={"SIGNER_PRIVATE_KEY": "c2VhbGVk"}),
    SERVICE,
]
Parts = dict[str, dict[str, Any]]


def parts() -> Parts:
    release = {
        "name": "dalp",
        "version": 3,
        "info": {"status": "deployed"},
        "config": {"replicas": 2},
        "chart": {"metadata": {"name": "dalp", "version": "3.4.0"}},
    }
    other = [manifest("ConfigMap", "c")]
    return {
        "releases": {r: copy.deepcopy(release) for r in PLAN.roles},
        "values": {r: {"replicas": 2} for r in PLAN.roles},
        "charts": {r: {"name": "dalp", "version": "3.4.0"} for r in PLAN.roles},
        "rendered": {"app": copy.deepcopy(RENDERED), "support": other, "observability": other},
        "live": {"app": copy.deepcopy(LIVE), "support": other, "observability": other},
    }


def facts(change: Callable[[Parts], Any] = lambda p: None, commit: str = COMMIT) -> rebuild.Configuration:
    given = parts()
    change(given)
    return rebuild.facts_from(PLAN, commit, **given)


def test_what_a_restore_leaves_out_is_not_expected() -> None:
    assert facts().namespaces[0].rendered == (
        "ConfigMap/dalp-erpc-config",
        "Deployment/dalp-dapi",
        "Secret/dalp-signer",
        "Service/dalp-dapi",
    )


@pytest.mark.parametrize(
    ("change", "verdict", "finding"),
    [
        (lambda p: None, Verdict.PASS, ""),
        (lambda p: p["values"].update(app={"replicas": 3}), Verdict.FAIL, "app: replicas is "),
        (lambda p: p["values"].update(app=None), Verdict.FAIL, "in the release, absent in Git"),
        (lambda p: p["charts"]["app"].update(version="3.5.0"), Verdict.FAIL, "chart 3.4.0 installed, 3.5.0 in Git"),
        (lambda p: p["releases"]["app"]["info"].update(status="failed"), Verdict.FAIL, "release dalp is failed"),
        (lambda p: p["releases"].pop("app"), Verdict.INCONCLUSIVE, "app: release or Git could not be read"),
    ],
)
def test_release(change: Callable[[Parts], Any], verdict: Verdict, finding: str) -> None:
    result = rebuild.release_values_match_git(facts(change), PLAN)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)


BEFORE, AFTER = "2026-10-06T05:00:00.123456789Z", "2026-10-06T06:30:00Z"


def revision(version: int, at: str, status: str = "superseded") -> dict[str, Any]:
    return {**parts()["releases"]["app"], "version": version, "info": {"status": status, "last_deployed": at}}


@pytest.mark.parametrize(
    ("found", "version", "superseded_by"),
    [
        ([revision(3, BEFORE, "deployed")], 3, None),
        ([revision(4, AFTER, "deployed"), revision(3, BEFORE)], 3, 4),
        ([revision(5, AFTER, "deployed"), revision(4, AFTER), revision(3, BEFORE), revision(2, BEFORE)], 3, 5),
        ([revision(4, AFTER, "deployed")], 4, None),
        ([revision(4, "", "deployed")], 4, None),
    ],
)
def test_the_release_of_the_incident_is_chosen(found: list[dict[str, Any]], version: int, superseded_by: int | None) -> None:
    chosen = rebuild.of_moment(found, PLAN.incident_time)
    assert chosen is not None
    assert (chosen["version"], chosen.get("superseded_by")) == (version, superseded_by)


@pytest.mark.parametrize(
    ("found", "verdict", "said"),
    [
        ([revision(3, BEFORE, "deployed")], Verdict.PASS, f"app revision 3 of {BEFORE}"),
        ([revision(4, AFTER, "deployed"), revision(3, BEFORE)], Verdict.PASS, f"app revision 3 of {BEFORE}"),
        ([revision(3, BEFORE)], Verdict.FAIL, "release dalp is superseded"),
        ([revision(4, AFTER, "deployed")], Verdict.INCONCLUSIVE, f"revision 4 was installed at {AFTER}, after the incident"),
    ],
)
def test_the_answer_says_of_which_moment_it_speaks(found: list[dict[str, Any]], verdict: Verdict, said: str) -> None:
    result = rebuild.release_values_match_git(facts(lambda p: p["releases"].update(app=rebuild.of_moment(found, PLAN.incident_time))), PLAN)
    assert result.verdict is verdict
    assert said in "\n".join((result.observed, *result.findings))


def test_another_commit_than_the_planned_one_fails() -> None:
    assert rebuild.release_values_match_git(facts(commit="b" * 40), PLAN).verdict is Verdict.FAIL


def live_without(name: str) -> Callable[[Parts], Any]:
    return lambda p: p["live"].update(app=[o for o in p["live"]["app"] if o["metadata"]["name"] != name])


def set_live(index: int, thing: dict[str, Any]) -> Callable[[Parts], Any]:
    return lambda p: p["live"]["app"].__setitem__(index, thing)


@pytest.mark.parametrize(
    ("change", "verdict", "finding"),
    [
        (lambda p: None, Verdict.PASS, ""),
        (live_without("dalp-signer"), Verdict.FAIL, "app: Secret/dalp-signer is missing"),
        (
            set_live(0, deployment("docker.io/local/dalp:2")),
            Verdict.FAIL,
            "Deployment/dalp-dapi: image.api differs from Git",
        ),
        (
            set_live(1, {**CONFIG, "data": {"UPSTREAM_URL": "x", "CHAIN_ID": "1"}}),
            Verdict.FAIL,
            "ConfigMap/dalp-erpc-config: data.CHAIN_ID",
        ),
        (
            set_live(2, manifest("Secret", "dalp-signer", data={"OTHER": "x"})),
            Verdict.FAIL,
            "Secret/dalp-signer: key.OTHER",
        ),
        (
            set_live(3, manifest("Service", "dalp-dapi", spec={"ports": [{"port": 80}]})),
            Verdict.FAIL,
            "Service/dalp-dapi: port.3000",
        ),
        (lambda p: p["rendered"].update(app=[]), Verdict.INCONCLUSIVE, "Git renders nothing"),
        (lambda p: p["live"].pop("support"), Verdict.INCONCLUSIVE, "support: not rendered or not listed"),
    ],
)
def test_sandbox(change: Callable[[Parts], Any], verdict: Verdict, finding: str) -> None:
    result = rebuild.configuration_rebuilt(facts(change), PLAN)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)


@pytest.mark.parametrize(
    ("kind", "api", "plural"),
    [
        ("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies.networking.k8s.io"),
        ("Ingress", "networking.k8s.io/v1", "ingresses.networking.k8s.io"),
        ("Service", "v1", "services"),
        ("StatefulSet", "apps/v1", "statefulsets.apps"),
    ],
)
def test_kinds_as_velero_writes_them(kind: str, api: str, plural: str) -> None:
    assert rebuild.kind_of({"kind": kind, "apiVersion": api}) == plural


def test_a_lost_release_is_no_reason_not_to_compare_git_with_the_sandbox() -> None:
    given = parts() | {"releases": dict.fromkeys(PLAN.roles)}
    lost = replace(PLAN, source_lost=True)
    facts = rebuild.facts_from(lost, COMMIT, **given)
    assert {(n.revision, n.status, n.release_chart_version, n.release_values_sha256) for n in facts.namespaces} == {(0, "", "", "")}
    assert rebuild.configuration_rebuilt(facts, lost).verdict is Verdict.PASS
    given["live"]["app"] = given["live"]["app"][1:]
    assert rebuild.configuration_rebuilt(rebuild.facts_from(lost, COMMIT, **given), lost).verdict is Verdict.FAIL
