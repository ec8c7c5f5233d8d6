"""The manifests of the drill's identities, and the same as YAML with a reason beside each permission.

Applied once by an administrator: `python -m dalp_dr environment rbac FILE | kubectl apply -f -`. A drill never
changes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import yaml

from dalp_dr.isolation import admission, janitor
from dalp_dr.isolation.permissions import (
    DRILL_ACCOUNT,
    DRILL_NAMESPACE,
    JANITOR_ACCOUNT,
    READER_ACCOUNT,
    Grant,
    Rule,
    grants,
)
from dalp_dr.model.environment import Environment

Sides = Literal["both", "source", "sandbox"]
_GROUP = "rbac.authorization.k8s.io"
PRIORITY = -1000  # below every workload that names no class


def manifests(environment: Environment, side: Sides = "both") -> list[dict[str, Any]]:
    """Every object to install, in order. `side`: what belongs on the source's or on the sandbox's cluster only."""
    return [document for document, _ in _documents(environment, side)]


def render(environment: Environment, side: Sides = "both") -> str:
    """The manifests as YAML; each rule of a role has its reason as a comment above it."""
    head = (
        f"# Identities and permissions of recovery drills in environment {environment.name}.\n"
        "# Written by `python -m dalp_dr environment rbac`; change the environment file, not this one.\n"
        "# An administrator applies it once; no drill changes it.\n"
    )
    return head + "".join(f"---\n{_text(document, rules)}" for document, rules in _documents(environment, side))


def _documents(environment: Environment, side: Sides) -> Iterable[tuple[dict[str, Any], tuple[Rule, ...]]]:
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": DRILL_NAMESPACE}}, ()
    for account, where in ((READER_ACCOUNT, "source"), (DRILL_ACCOUNT, "sandbox"), (JANITOR_ACCOUNT, "sandbox")):
        if side in ("both", where):
            yield (
                {
                    "apiVersion": "v1",
                    "kind": "ServiceAccount",
                    "metadata": {"name": account, "namespace": DRILL_NAMESPACE},
                },
                (),
            )
    if side in ("both", "sandbox"):
        yield _priority(environment), ()
    for grant in (*grants(environment), *janitor.grants(environment)):
        if side in ("both", grant.side):
            yield _role(grant), grant.rules
            if grant.bound:
                yield _binding(grant), ()
    if side in ("both", "sandbox"):
        for policy in admission.policies(environment):
            yield policy, ()


def _priority(environment: Environment) -> dict[str, Any]:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": environment.sandbox.priority_class},
        "value": PRIORITY,
        "preemptionPolicy": "Never",
        "globalDefault": False,
        "description": "Pods of recovery drills: they yield to everything and displace nothing.",
    }


def _role(grant: Grant) -> dict[str, Any]:
    metadata = {"name": grant.role, "annotations": {"dalp-dr/reason": grant.reason}}
    if grant.namespace:
        metadata["namespace"] = grant.namespace
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": "Role" if grant.namespace else "ClusterRole",
        "metadata": metadata,
        "rules": [_rule(rule) for rule in grant.rules],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    plain: dict[str, Any] = {"apiGroups": [rule.group], "resources": list(rule.resources), "verbs": list(rule.verbs)}
    return plain | ({"resourceNames": list(rule.names)} if rule.names else {})


def _binding(grant: Grant) -> dict[str, Any]:
    kind = "Role" if grant.namespace else "ClusterRole"
    metadata = {"name": grant.role} | ({"namespace": grant.namespace} if grant.namespace else {})
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _GROUP, "kind": kind, "name": grant.role},
        "subjects": [{"kind": "ServiceAccount", "name": grant.account, "namespace": DRILL_NAMESPACE}],
    }


def _text(document: dict[str, Any], rules: tuple[Rule, ...]) -> str:
    body = {k: v for k, v in document.items() if k != "rules"}
    text = yaml.safe_dump(body, sort_keys=False, width=130, allow_unicode=True)
    if rules:
        text += "rules:\n" + "".join(f"# {_why(rule)}\n- {_flow(_rule(rule))}\n" for rule in rules)
    return text


def _why(rule: Rule) -> str:
    return f"{rule.reason} Called only for this: {rule.when}." if rule.when else rule.reason


def _flow(value: dict[str, Any]) -> str:
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6).strip()
