"""Operators and APIs of the recovery cluster are held against what Git records; nothing recorded proves nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dalp_dr.cluster_loss import platform
from dalp_dr.cluster_loss.platform import Operator, Platform, Rendering, Renderings
from dalp_dr.errors import FactError
from dalp_dr.model.check import Verdict
from sandbox_sample import PLAN

LOST = replace(PLAN, source_lost=True)
COMMIT = LOST.configuration.commit if LOST.configuration else ""
VELERO = Operator("Velero", "velero/deployment/velero", "v1.18.3", "v1.18.3", 1, 1)
WHOLE = Platform(COMMIT, "uid", "2026-10-06T05:00:00Z", (VELERO,), ("restores.velero.io/v1",), ())

OPERATORS = {
    "as recorded": (WHOLE, Verdict.PASS),
    "another version": (replace(WHOLE, operators=(replace(VELERO, found="v1.17.0"),)), Verdict.FAIL),
    "not there": (replace(WHOLE, operators=(replace(VELERO, found=None, ready=0, wanted=0),)), Verdict.FAIL),
    "not ready": (replace(WHOLE, operators=(replace(VELERO, ready=0),)), Verdict.FAIL),
    "scaled to nothing": (replace(WHOLE, operators=(replace(VELERO, ready=0, wanted=0),)), Verdict.FAIL),
    "another commit": (replace(WHOLE, commit="b" * 40), Verdict.FAIL),
    "nothing recorded": (replace(WHOLE, operators=()), Verdict.INCONCLUSIVE),
}
APIS = {
    "served": (WHOLE, Verdict.PASS),
    "missing": (replace(WHOLE, missing_apis=WHOLE.apis), Verdict.FAIL),
    "nothing recorded": (replace(WHOLE, apis=()), Verdict.INCONCLUSIVE),
}
RENDERED = Renderings(COMMIT, tuple(Rendering(role, 5, ()) for role in LOST.roles))
RENDERINGS = {
    "all": (RENDERED, Verdict.PASS),
    "a kind is not served": (replace(RENDERED, roles=(*RENDERED.roles[1:], Rendering(LOST.roles[0], 5, ("x.y.z/v1",)))), Verdict.FAIL),
    "one renders nothing": (replace(RENDERED, roles=(*RENDERED.roles[1:], Rendering(LOST.roles[0], 0, ()))), Verdict.INCONCLUSIVE),
    "one is missing": (replace(RENDERED, roles=RENDERED.roles[1:]), Verdict.INCONCLUSIVE),
    "another commit": (replace(RENDERED, commit="b" * 40), Verdict.FAIL),
}


@pytest.mark.parametrize("case", OPERATORS)
def test_operators(case: str) -> None:
    facts, verdict = OPERATORS[case]
    assert platform.operators_rebuilt(facts, LOST).verdict is verdict


@pytest.mark.parametrize("case", APIS)
def test_apis(case: str) -> None:
    facts, verdict = APIS[case]
    assert platform.apis_served(facts, LOST).verdict is verdict


@pytest.mark.parametrize("case", RENDERINGS)
def test_renderings(case: str) -> None:
    facts, verdict = RENDERINGS[case]
    assert platform.configuration_renders(facts, LOST).verdict is verdict


@pytest.mark.parametrize(
    ("workload", "version", "replicas"),
    [
        ({"kind": "Deployment", "image": "docker.io/local/velero:v1.18.3", "status": {"readyReplicas": 1}}, "v1.18.3", (1, 2)),
        ({"kind": "DaemonSet", "image": "r:5000/a/b:2", "status": {"numberReady": 3, "desiredNumberScheduled": 4}}, "2", (3, 4)),
        ({"kind": "Deployment", "image": "a/b:1@sha256:ab", "status": {}}, "sha256:ab", (0, 2)),
    ],
)
def test_a_workload_tells_version_and_replicas(workload: dict[str, Any], version: str, replicas: tuple[int, int]) -> None:
    spec = {"replicas": 2, "template": {"spec": {"containers": [{"image": workload.pop("image")}]}}}
    found = {**workload, "spec": spec}
    assert (platform.version_of(found), platform.replicas(found)) == (version, replicas)


def test_what_a_cluster_does_not_serve_is_named() -> None:
    manifests = [
        {"apiVersion": "v1", "kind": "Service"},
        {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"},
        {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster"},
    ]
    found = platform.rendering("app", manifests, {"services/v1", "ingresses.networking.k8s.io/v1"})
    assert (found.objects, found.unserved) == (3, ("clusters.postgresql.cnpg.io/v1",))


GOOD: dict[str, Any] = {
    "operators": [{"name": "Velero", "namespace": "velero", "workload": "deployment/velero", "version": "v1"}],
    "apis": ["restores.velero.io/v1"],
}
BAD = {
    "not a mapping": "velero",
    "no operators": {"apis": []},
    "an operator without a version": {**GOOD, "operators": [{"name": "x", "namespace": "y", "workload": "deployment/z"}]},
    "a workload of another kind": {**GOOD, "operators": [{**GOOD["operators"][0], "workload": "statefulset/z"}]},
    "an API without a version": {**GOOD, "apis": ["restores.velero.io"]},
    "empty": None,
}


def test_a_platform_file_is_read() -> None:
    operators, apis = platform.recorded(GOOD)
    assert (operators, apis) == (GOOD["operators"], GOOD["apis"])


@pytest.mark.parametrize("case", BAD)
def test_another_platform_file_is_refused(case: str) -> None:
    with pytest.raises(FactError, match="platform file"):
        platform.recorded(BAD[case])
