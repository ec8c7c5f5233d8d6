"""What was called and what is granted are compared both ways; what was stored outside of the lease is found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dalp_dr.errors import InputError
from dalp_dr.isolation import audit_log, permissions
from dalp_dr.isolation.permissions import grants
from sandbox_sample import PLAN

ENVIRONMENT = PLAN.environment
SANDBOX = PLAN.namespace("app")


def event(
    who: str, verb: str, resource: str, namespace: str = "", name: str = "", group: str = "", code: int = 200, sub: str = "", uri: str = ""
) -> str:
    place = {"resource": resource, "namespace": namespace, "name": name, "apiGroup": group, "subresource": sub}
    told: dict[str, Any] = {
        "stage": "ResponseComplete",
        "verb": verb,
        "user": {"username": permissions.username(who)},
        "objectRef": {k: v for k, v in place.items() if v},
        "responseStatus": {"code": code},
        "requestURI": uri,
    }
    return json.dumps(told)


def needed() -> list[str]:
    """One call of every permission that every drill needs."""
    lines = []
    for grant, rule in ((g, r) for g in grants(ENVIRONMENT) for r in g.rules if not r.when):
        place, name = SANDBOX if not grant.bound else grant.namespace or "", rule.names[0] if rule.names else ""
        for resource in ("pods",) if rule.resources == ("*",) else rule.resources:
            kind, _, part = resource.partition("/")
            lines += [event(grant.account, verb, kind, place, name, rule.group.strip("*"), sub=part) for verb in rule.verbs]
    return lines


def test_a_drill_that_calls_all_it_is_granted_and_nothing_else_is_in_order() -> None:
    found = audit_log.compare(needed(), ENVIRONMENT)
    assert (found.unnamed, found.uncalled) == ((), ())
    assert found.calls == len(needed())


@pytest.mark.parametrize(
    ("line", "unnamed"),
    [
        (event("drill", "delete", "pods", "dalp", "x"), "drill: delete pods x in dalp"),
        (event("source-reader", "get", "secrets", "dalp", "dalp-signer"), "source-reader: get secrets dalp-signer in dalp"),
        (event("drill", "create", "pods", SANDBOX, sub="eviction"), "drill: create pods/eviction in (a sandbox namespace)"),
        (event("drill", "patch", "namespaces", SANDBOX, SANDBOX), f"drill: patch namespaces {SANDBOX} in the cluster"),
    ],
)
def test_a_call_that_no_rule_names_is_found(line: str, unnamed: str) -> None:
    assert audit_log.compare([*needed(), line], ENVIRONMENT).unnamed == (unnamed,)


@pytest.mark.parametrize(
    "line",
    [
        event("drill", "delete", "pods", "dalp", "x", code=403),
        event("drill", "create", "rolebindings", "dalp", group="rbac.authorization.k8s.io", code=422),
        event("drill", "create", "selfsubjectaccessreviews", group="authorization.k8s.io", code=201),
        event("somebody", "delete", "pods", "dalp", "x"),
        event("drill", "patch", "podvolumerestores", "velero", "drill-x", "velero.io"),
    ],
    ids=["denied", "refused-by-admission", "a-question", "somebody-else", "named-with-its-occasion"],
)
def test_other_lines_say_nothing(line: str) -> None:
    found = audit_log.compare([*needed(), line], ENVIRONMENT)
    assert (found.unnamed, found.uncalled) == ((), ())


def test_a_permission_that_nobody_uses_is_found() -> None:
    lines = [line for line in needed() if '"objectstores"' not in line]
    assert audit_log.compare(lines, ENVIRONMENT).uncalled == ("drill: create objectstores.barmancloud.cnpg.io in (a sandbox namespace)",)


def test_what_was_stored_is_told_from_questions_tries_and_the_lease() -> None:
    lines = [
        event("drill", "create", "selfsubjectaccessreviews", group="authorization.k8s.io", code=201),
        event("drill", "create", "restores", "velero", group="velero.io", code=201, uri="/apis/velero.io/v1/restores?dryRun=All"),
        event("drill", "create", "namespaces", code=422),
        event("drill", "update", "leases", "dalp-dr", "dalp-drill-lab", "coordination.k8s.io"),
        event("drill", "list", "pods", SANDBOX),
    ]
    assert audit_log.written(lines, ENVIRONMENT) == ()
    made = event("drill", "create", "namespaces", SANDBOX, SANDBOX, code=201)
    assert audit_log.written([*lines, made], ENVIRONMENT) == (f"drill: create namespaces {SANDBOX} in the cluster",)


def test_what_is_no_audit_log_is_an_error() -> None:
    with pytest.raises(InputError, match="no event of an audit log"):
        audit_log.compare(["hello"], ENVIRONMENT)
