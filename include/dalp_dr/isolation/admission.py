"""Admission policies that hold the drill's identity to its sandbox, where RBAC alone cannot say it.

RBAC has no name patterns and does not look into objects. These ValidatingAdmissionPolicies do; each names the harm it
prevents. They do not look into the ConfigMaps that hold resource modifiers, so nobody but the drill may write those.
"""

from __future__ import annotations

import json
from typing import Any

from dalp_dr.isolation.permissions import DRILL_ACCOUNT, DRILL_NAMESPACE, JANITOR_ACCOUNT, SANDBOX_ROLE, username
from dalp_dr.model.environment import Environment
from dalp_dr.naming import LABEL_DRILL, LABEL_OWNED, LABEL_TOKEN, OWNER

NEVER_RESTORED = (
    "clusters.postgresql.cnpg.io",
    "backups.postgresql.cnpg.io",
    "scheduledbackups.postgresql.cnpg.io",
    "objectstores.barmancloud.cnpg.io",
    "networkpolicies.networking.k8s.io",
)
VELERO_ACCOUNT = "velero"  # ServiceAccount of the Velero server in its namespace
_IT = "request.operation == 'DELETE' ? oldObject : object"


def policies(environment: Environment) -> list[dict[str, Any]]:
    """The policies, each followed by its binding."""
    made = (
        _restores(environment),
        _velero_objects(environment),
        _writes(environment),
        _bindings(),
        _namespaces(environment),
        _janitor(environment),
    )
    return [document for policy in made for document in (policy, _binding(policy))]


def _policy(
    name: str,
    reason: str,
    rules: list[dict[str, Any]],
    who: str,
    variables: dict[str, str],
    validations: list[tuple[str, str]],
    more: dict[str, str] | None = None,
) -> dict[str, Any]:
    conditions = {"identity": f"request.userInfo.username == '{who}'", **(more or {})}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name, "annotations": {"dalp-dr/reason": reason}},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": rules},
            "matchConditions": [{"name": n, "expression": e} for n, e in conditions.items()],
            "variables": [{"name": n, "expression": e} for n, e in variables.items()],
            "validations": [{"expression": e, "message": m} for e, m in validations],
        },
    }


def _binding(policy: dict[str, Any]) -> dict[str, Any]:
    name = policy["metadata"]["name"]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny", "Audit"]},
    }


def _rule(groups: list[str], resources: list[str], operations: list[str]) -> dict[str, Any]:
    return {"apiGroups": groups, "apiVersions": ["*"], "resources": resources, "operations": operations}


def _cel(values: list[str]) -> str:
    return json.dumps(values).replace('"', "'")


def _restores(environment: Environment) -> dict[str, Any]:
    pattern = f"^{environment.sandbox.namespace_prefix}[a-z0-9-]{{1,40}}$"
    included, mapping = "variables.included", "variables.mapping"
    return _policy(
        "dalp-dr-restores",
        "A Restore may only bring named source namespaces into sandbox namespaces, sealed and filtered.",
        [_rule(["velero.io"], ["restores"], ["CREATE", "UPDATE"])],
        username(DRILL_ACCOUNT),
        {
            "sources": _cel([n.name for n in environment.source.namespaces]),
            "included": "has(object.spec.includedNamespaces) ? object.spec.includedNamespaces : []",
            "mapping": "has(object.spec.namespaceMapping) ? object.spec.namespaceMapping : {}",
        },
        [
            (
                f"size({included}) > 0 && {included}.all(n, n in variables.sources)",
                "includedNamespaces must name source namespaces and nothing else",
            ),
            (
                f"size({mapping}) == size({included}) && {included}.all(n, n in {mapping} && {mapping}[n].matches('{pattern}'))",
                "every included namespace must be mapped to a sandbox namespace, and no other",
            ),
            (
                "!has(object.spec.existingResourcePolicy) || object.spec.existingResourcePolicy in ['', 'none']",
                "existing objects must not be updated",
            ),
            (
                "!has(object.spec.includeClusterResources) || object.spec.includeClusterResources == null",
                "includeClusterResources must stay unset",
            ),
            ("!has(object.spec.restoreStatus)", "status must not be restored"),
            (
                "!has(object.spec.hooks) || !has(object.spec.hooks.resources) || size(object.spec.hooks.resources) == 0",
                "restore hooks would run production code",
            ),
            (
                f"has(object.spec.excludedResources) && {_cel(list(NEVER_RESTORED))}.all(r, r in object.spec.excludedResources)",
                "database kinds and network policies must be excluded",
            ),
            (
                "has(object.spec.resourceModifier) && has(object.spec.resourcePolicy)",
                "resource modifiers and a resource policy are required: they seal credentials and leave the database's objects out",
            ),
        ],
    )


def _velero_objects(environment: Environment) -> dict[str, Any]:
    kinds = ["restores", "podvolumerestores", "downloadrequests"]
    own = "request.resource.resource == 'podvolumerestores'"
    return _policy(
        "dalp-dr-velero-objects",
        "In Velero's namespace a drill touches only its own objects and configures nothing.",
        [
            _rule(["velero.io"], kinds, ["CREATE", "UPDATE", "DELETE"]),
            _rule([""], ["configmaps"], ["CREATE", "UPDATE", "DELETE"]),
        ],
        username(DRILL_ACCOUNT),
        {"it": _IT},
        [
            (
                f"{own} || variables.it.metadata.name.startsWith('drill-')",
                "names of a drill's objects start with drill-",
            ),
            (
                f"{own} || (has(variables.it.metadata.labels) && '{LABEL_DRILL}' in variables.it.metadata.labels)",
                f"a drill's objects carry the label {LABEL_DRILL}",
            ),
            (
                (
                    "request.resource.resource != 'configmaps' || !has(variables.it.metadata.labels) || "
                    "!variables.it.metadata.labels.exists(k, k.startsWith('velero.io/'))"
                ),
                "a ConfigMap with a velero.io label would configure Velero's plugins",
            ),
            (
                (
                    f"!({own}) || (request.operation == 'UPDATE' && "
                    "has(object.spec.cancel) && object.spec.cancel == true && "
                    "object.spec.pod == oldObject.spec.pod && object.spec.volume == oldObject.spec.volume && "
                    "object.spec.snapshotID == oldObject.spec.snapshotID)"
                ),
                "a PodVolumeRestore may only be cancelled",
            ),
        ],
        {"namespace": f"request.namespace == '{environment.source.velero_namespace}'"},
    )


def _writes(environment: Environment) -> dict[str, Any]:
    prefix = environment.sandbox.namespace_prefix
    velero = (
        "request.resource.group == 'velero.io' && request.resource.resource in ['restores', 'podvolumerestores', "
        "'downloadrequests', 'serverstatusrequests'] || "
        "request.resource.group == '' && request.resource.resource == 'configmaps'"
    )
    return _policy(
        "dalp-dr-writes",
        "A drill writes in its sandbox and at the few other places named here, whatever roles are bound to it.",
        [_rule(["*"], ["*/*"], ["CREATE", "UPDATE", "DELETE", "CONNECT"])],
        username(DRILL_ACCOUNT),
        {"where": "request.?namespace.orValue('')"},
        [
            (
                (
                    f"variables.where.startsWith('{prefix}') || "
                    f"(variables.where == '{environment.source.velero_namespace}' && ({velero})) || "
                    f"(variables.where == '{DRILL_NAMESPACE}' && request.resource.resource == 'leases')"
                ),
                f"a drill may write only in namespaces {prefix}*, its own objects in Velero's namespace and its lease",
            )
        ],
        {
            "not-a-question": "!(request.resource.group in ['authorization.k8s.io', 'authentication.k8s.io'])",
            "not-a-namespace": "request.resource.resource != 'namespaces'",
        },
    )


def _bindings() -> dict[str, Any]:
    return _policy(
        "dalp-dr-bindings",
        "The drill may bind its sandbox role to itself only.",
        [_rule(["rbac.authorization.k8s.io"], ["rolebindings"], ["CREATE", "UPDATE"])],
        username(DRILL_ACCOUNT),
        {},
        [
            (
                f"object.roleRef.kind == 'ClusterRole' && object.roleRef.name == '{SANDBOX_ROLE}'",
                f"only ClusterRole {SANDBOX_ROLE} may be bound",
            ),
            (
                (
                    "has(object.subjects) && object.subjects.all(s, s.kind == 'ServiceAccount' && "
                    f"s.name == '{DRILL_ACCOUNT}' && s.namespace == '{DRILL_NAMESPACE}')"
                ),
                "only the drill itself may be bound",
            ),
        ],
    )


def _namespaces(environment: Environment) -> dict[str, Any]:
    prefix = environment.sandbox.namespace_prefix
    velero = f"system:serviceaccount:{environment.source.velero_namespace}:{VELERO_ACCOUNT}"
    drill = username(DRILL_ACCOUNT)
    labelled = f"has(variables.it.metadata.labels) && '{LABEL_DRILL}' in variables.it.metadata.labels"
    policy = _policy(
        "dalp-dr-namespaces",
        "Sandbox namespaces are made by the drill, with its policies, never by Velero, which would make them open; "
        "and the drill makes and removes no other namespace.",
        [_rule([""], ["namespaces"], ["CREATE", "UPDATE", "DELETE"])],
        drill,
        {"it": _IT},
        [
            (
                f"request.userInfo.username != '{drill}' || (variables.it.metadata.name.startsWith('{prefix}') && {labelled})",
                f"the drill's namespaces are named {prefix}* and carry the label {LABEL_DRILL}",
            ),
            (
                (
                    f"request.userInfo.username != '{velero}' || request.operation != 'CREATE' || "
                    f"!variables.it.metadata.name.startsWith('{prefix}')"
                ),
                "Velero must not make a sandbox namespace",
            ),
        ],
    )
    policy["spec"]["matchConditions"] = [{"name": "identity", "expression": f"request.userInfo.username in ['{drill}', '{velero}']"}]
    return policy


def _janitor(environment: Environment) -> dict[str, Any]:
    kind, prefix = "request.resource.resource", environment.sandbox.namespace_prefix
    owned = " && ".join(f"'{name}' in variables.it.metadata.labels" for name in (LABEL_DRILL, LABEL_TOKEN))
    return _policy(
        "dalp-dr-janitor",
        "The janitor deletes what carries every ownership label of a drill, cancels transfers, and changes nothing else.",
        [
            _rule([""], ["namespaces", "configmaps"], ["CREATE", "UPDATE", "DELETE"]),
            _rule(["velero.io"], ["restores", "podvolumerestores"], ["CREATE", "UPDATE", "DELETE"]),
        ],
        username(JANITOR_ACCOUNT),
        {"it": _IT},
        [
            (
                f"request.operation == 'DELETE' || {kind} == 'podvolumerestores'",
                "the janitor makes and changes nothing",
            ),
            (
                (
                    f"{kind} == 'podvolumerestores' || (has(variables.it.metadata.labels) && {owned} && "
                    f"'{LABEL_OWNED}' in variables.it.metadata.labels && variables.it.metadata.labels['{LABEL_OWNED}'] == '{OWNER}')"
                ),
                "what the janitor deletes carries every ownership label of a drill",
            ),
            (
                f"{kind} != 'namespaces' || variables.it.metadata.name.startsWith('{prefix}')",
                f"the janitor deletes no namespace but {prefix}*",
            ),
            (
                f"!({kind} in ['configmaps', 'restores']) || variables.it.metadata.name.startsWith('drill-')",
                "in Velero's namespace the janitor deletes nothing but drill-*",
            ),
            (
                (
                    f"{kind} != 'podvolumerestores' || (request.operation == 'UPDATE' && has(object.spec.cancel) && "
                    "object.spec.cancel == true && object.spec.pod == oldObject.spec.pod && object.spec.volume == oldObject.spec.volume && "
                    "object.spec.snapshotID == oldObject.spec.snapshotID)"
                ),
                "a PodVolumeRestore may only be cancelled",
            ),
        ],
    )
