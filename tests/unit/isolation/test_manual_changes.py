"""Who wrote to the sandbox, by the API server's book-keeping."""

from __future__ import annotations

from typing import Any

import pytest

from dalp_dr.isolation import manual
from dalp_dr.model.check import Verdict
from sandbox_sample import PLAN

CREATED, DURING, BEFORE = "2026-10-06T06:02:00Z", "2026-10-06T06:05:00Z", "2026-10-06T06:01:59Z"


def an_object(manager: str, at: str = DURING, kind: str = "ConfigMap", name: str = "dalp-config", **entry: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {
            "namespace": PLAN.namespace("app"),
            "name": name,
            "uid": "u",
            "creationTimestamp": CREATED,
            "managedFields": [{"manager": manager, "operation": "Update", "time": at, **entry}],
        },
    }


def unsigned(kind: str, name: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"namespace": PLAN.namespace("app"), "name": name}}


@pytest.mark.parametrize(
    ("objects", "verdict", "finding"),
    [
        (
            [an_object("dalp-dr"), an_object("velero-server"), an_object("kubelet"), an_object("manager")],
            Verdict.PASS,
            "",
        ),
        ([an_object("kubectl-edit")], Verdict.FAIL, "Update by kubectl-edit at 2026-10-06T06:05:00Z"),
        ([an_object("kubectl-create", CREATED)], Verdict.FAIL, "kubectl-create"),
        ([an_object("helm", BEFORE), an_object("external-secrets", BEFORE)], Verdict.PASS, ""),
        ([an_object("helm", DURING)], Verdict.FAIL, "Update by helm"),
        ([an_object("", DURING)], Verdict.FAIL, "an unnamed client"),
        ([an_object("kubectl", "")], Verdict.FAIL, "an unknown time"),
        ([an_object("csi-provisioner", kind="PersistentVolumeClaim")], Verdict.PASS, ""),
        ([an_object("csi-provisioner")], Verdict.FAIL, "csi-provisioner"),
        ([an_object("dalp-dr"), unsigned("ServiceAccount", "default")], Verdict.PASS, ""),
        ([an_object("dalp-dr"), unsigned("Secret", "s")], Verdict.INCONCLUSIVE, "Secret"),
        ([an_object("kubectl-edit"), unsigned("Secret", "s")], Verdict.FAIL, "kubectl-edit"),
        ([], Verdict.INCONCLUSIVE, ""),
    ],
)
def test_judgement(objects: list[dict[str, Any]], verdict: Verdict, finding: str) -> None:
    result = manual.no_manual_changes(manual.facts_from(objects), PLAN)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)


SCALED = {
    "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {'k:{"name":"api"}': {".": {}, "f:image": {}}}}}},
    "f:metadata": {"f:finalizers": {'v:"example.com/hold"': {}}},
}


def test_a_finding_names_object_field_client_and_time() -> None:
    changed = an_object("kubectl-edit")
    changed["metadata"]["managedFields"][0]["fieldsV1"] = SCALED
    result = manual.no_manual_changes(manual.facts_from([changed]), PLAN)
    (finding,) = result.findings
    assert finding == (
        f"ConfigMap {PLAN.namespace('app')}/dalp-config: Update by kubectl-edit at {DURING}, "
        'metadata.finalizers["example.com/hold"], spec.replicas, spec.template.spec.containers[name=api].image'
    )


def test_fields_are_shown_up_to_a_limit() -> None:
    assert len(manual.paths({"f:data": {f"f:key-{number:02d}": {} for number in range(50)}})) == manual.FIELDS_SHOWN


def test_a_record_of_a_version_that_did_not_look_says_what_it_said() -> None:
    write = manual.Write("ConfigMap", "n", "c", "u", "kubectl", "Update", "", DURING, CREATED)
    (finding,) = manual.no_manual_changes(manual.ManualChanges(1, (), (write,)), PLAN).findings
    assert finding == f"ConfigMap n/c: Update by kubectl at {DURING}"
