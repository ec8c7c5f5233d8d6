"""The Restore of one source namespace into its sandbox namespace: manifest, resource policy and resource modifiers.

The order and every rule here were proven on the real controllers; each comment names the trap a rule avoids.
Nothing of production's code starts: pods are held by an init container after Velero's own `restore-wait`.
"""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import yaml

from dalp_dr import naming
from dalp_dr.model.plan import BackupPoint, DrillPlan

_OPERATOR_KINDS = (
    "clusters",
    "backups",
    "scheduledbackups",
    "poolers",
    "databases",
    "publications",
    "subscriptions",
    "databaseroles",
    "imagecatalogs",
    "failoverquorums",
)
CNPG_KINDS = (*(f"{kind}.postgresql.cnpg.io" for kind in _OPERATOR_KINDS), "objectstores.barmancloud.cnpg.io")
# NetworkPolicies add up: production's allow-all would open the sandbox. Jobs and Endpoints act or point at production.
EXCLUDED_KINDS = (
    *CNPG_KINDS,
    "networkpolicies.networking.k8s.io",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "jobs.batch",
    "events",
    "events.events.k8s.io",
    "leases.coordination.k8s.io",
    "rolebindings.rbac.authorization.k8s.io",
    "roles.rbac.authorization.k8s.io",
)
NAMED_KINDS = ("secrets", "services", "configmaps", "serviceaccounts", "persistentvolumeclaims", "pods", "poddisruptionbudgets.policy")
DUMMY = "sealed-by-the-recovery-drill-for-nobody"  # 32 characters and more, since services refuse shorter secrets
Contents = dict[str, dict[str, dict[str, Any]]]  # plural.group -> "namespace/name" -> object, as in the backup


def left_out(plan: DrillPlan, role: str) -> tuple[str, ...]:
    """Name patterns that are not restored: the database's own objects and whatever the environment file names."""
    source = plan.environment.source.namespace(role)
    database = plan.environment.database
    own = (database.cluster, f"{database.cluster}-*", "cnpg-default-monitoring") if source.name == database.namespace else ()
    return (*own, *source.leave_out)


def resource_policy(plan: DrillPlan, role: str) -> dict[str, Any]:
    """The one way to leave objects out by name. Kinds that no entry lists are dropped unless there is a `*` entry."""
    source = plan.environment.source.namespace(role)
    selector = {"matchExpressions": [{"key": "cnpg.io/cluster", "operator": "DoesNotExist"}]}
    names = left_out(plan, role)
    filters: list[dict[str, Any]] = [{"kinds": ["*"], "labelSelector": selector}]
    if names:
        filters.insert(0, {"kinds": list(NAMED_KINDS), "excludedNames": list(names), "labelSelector": selector})
    return {"version": "v1", "namespacedFilterPolicies": [{"namespaces": [source.name], "resourceFilters": filters}]}


def modifiers(plan: DrillPlan, role: str, contents: Contents) -> dict[str, Any]:
    """Rules that seal, rewrite and hold; applied by Velero before any object exists in the sandbox."""
    source = plan.environment.source.namespace(role)
    rules: list[dict[str, Any]] = []

    def rule(resource: str, name: str | None = None, matches: list[dict[str, str]] | None = None, **patch: Any) -> None:
        conditions: dict[str, Any] = {"groupResource": resource, "namespaces": [source.name]}
        if name:
            conditions["resourceNameRegex"] = f"^{name.replace('.', '[.]')}$"
        if matches:
            conditions["matches"] = matches
        rules.append({"conditions": conditions, **patch})

    for name in (*source.seal_secrets, *source.object_read_secrets):
        secret = contents.get("secrets", {}).get(f"{source.name}/{name}", {})
        data = {key: sealed_value(plan, role, name, key) for key in sorted(secret.get("data") or {})}
        rule("secrets", name, mergePatches=[{"patchData": json.dumps({"data": data})}])
    for name, values in sorted(source.configuration.items()):
        rule("configmaps", name, mergePatches=[{"patchData": json.dumps({"data": values})}])
    for key, ingress in sorted(contents.get("ingresses.networking.k8s.io", {}).items()):
        if hosts := _host_patches(ingress, plan):
            rule("ingresses.networking.k8s.io", key.split("/", 1)[1], patches=hosts)
        rule(
            "ingresses.networking.k8s.io",
            key.split("/", 1)[1],
            mergePatches=[
                {"patchData": json.dumps({"metadata": {"annotations": _cleared(ingress)}, "spec": {"ingressClassName": "dalp-dr-drill"}})}
            ],
        )
    for key, service in sorted(contents.get("services", {}).items()):
        if acting := _cleared(service):
            rule("services", key.split("/", 1)[1], mergePatches=[{"patchData": json.dumps({"metadata": {"annotations": acting}})}])
    rule(
        "services",
        matches=[{"path": "/spec/type", "value": "LoadBalancer"}],
        mergePatches=[
            {
                "patchData": json.dumps(
                    {
                        "spec": {
                            "type": "ClusterIP",
                            "loadBalancerIP": None,
                            "loadBalancerClass": None,
                            "allocateLoadBalancerNodePorts": None,
                            "externalTrafficPolicy": None,
                            "healthCheckNodePort": None,
                        }
                    }
                )
            }
        ],
    )
    rule("cronjobs.batch", mergePatches=[{"patchData": '{"spec": {"suspend": true}}'}])
    # strategicPatches put the new init container first; before restore-wait it would be a deadlock, hence the move.
    rule("pods", strategicPatches=[{"patchData": json.dumps(_held_pod(plan))}])
    rule(
        "pods",
        matches=[{"path": "/spec/initContainers/0/name", "value": "restore-wait"}],
        patches=[{"operation": "move", "from": "/spec/initContainers/0", "path": "/spec/initContainers/1"}],
    )
    # Templates are held too: where the backup has no pods, controllers make new ones at once, on empty volumes. A patched
    # Deployment with an unpatched ReplicaSet starts a rollout at once: the same patch for both.
    template = {"metadata": {"labels": _labels(plan)}, "spec": {"priorityClassName": _priority(plan), "initContainers": [_hold(plan)]}}
    for kind in ("deployments.apps", "replicasets.apps", "daemonsets.apps"):
        rule(kind, strategicPatches=[{"patchData": json.dumps({"spec": {"template": template}})}])
    on_delete = {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}
    rule("statefulsets.apps", strategicPatches=[{"patchData": json.dumps({"spec": {"template": template, **on_delete}})}])
    return {"version": "v1", "resourceModifierRules": rules}


def sealed_value(plan: DrillPlan, role: str, secret: str, key: str) -> str:
    """What stands in the sandbox for one value of a sealed Secret, base64 as Kubernetes keeps it."""
    given = plan.environment.source.namespace(role).seal_secrets.get(secret, {})
    return base64.b64encode(given.get(key, DUMMY).encode()).decode()


def _labels(plan: DrillPlan) -> dict[str, str]:
    return {naming.LABEL_DRILL: plan.drill_id}


def _priority(plan: DrillPlan) -> str:
    return plan.environment.sandbox.priority_class


def _hold(plan: DrillPlan) -> dict[str, Any]:
    """The init container that keeps production code from starting until the drill releases the workload."""
    return {
        "name": naming.HOLD,
        "image": plan.environment.sandbox.probe_image,
        "command": ["sh", "-c", "exec sleep infinity"],
        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}, "limits": {"memory": "32Mi"}},
    }


def _held_pod(plan: DrillPlan) -> dict[str, Any]:
    """priority and preemptionPolicy must be null, or admission forbids the pod and its controller makes one on empty volumes."""
    return {
        "metadata": {"labels": _labels(plan)},
        "spec": {
            "priority": None,
            "preemptionPolicy": None,
            "priorityClassName": _priority(plan),
            "terminationGracePeriodSeconds": 1,
            "initContainers": [_hold(plan)],
        },
    }


def drill_host(host: str, plan: DrillPlan) -> str:
    """`dapp.example.com` -> `dapp.example.com.<drill suffix>`."""
    return f"{host}.{plan.environment.sandbox.drill_host_suffix}"


def _host_patches(ingress: dict[str, Any], plan: DrillPlan) -> list[dict[str, str]]:
    patches = []
    for i, rule in enumerate(ingress["spec"].get("rules") or []):
        if rule.get("host"):
            patches.append({"operation": "replace", "path": f"/spec/rules/{i}/host", "value": drill_host(rule["host"], plan)})
    for i, tls in enumerate(ingress["spec"].get("tls") or []):
        for j, host in enumerate(tls.get("hosts") or []):
            patches.append({"operation": "replace", "path": f"/spec/tls/{i}/hosts/{j}", "value": drill_host(host, plan)})
    return patches


def acting_annotations(item: dict[str, Any]) -> tuple[str, ...]:
    """Annotations that would act outside: DNS names and certificates."""
    acting = ("external-dns.", "cert-manager.io/", "kubernetes.io/ingress.class", "acme.", "kubernetes.io/tls-acme")
    asked = item.get("metadata", {}).get("annotations") or {}
    return tuple(k for k in asked if any(a in k for a in acting)) if item.get("kind") in ("Ingress", "Service") else ()


def _cleared(item: dict[str, Any]) -> dict[str, None]:
    return dict.fromkeys(acting_annotations(item))


def rewritten(plan: DrillPlan, role: str, item: dict[str, Any]) -> dict[str, Any]:
    """One object of the backup with the values that the modifiers give it: sealed, configured, with drill hosts."""
    source, name, made = plan.environment.source.namespace(role), item["metadata"]["name"], copy.deepcopy(item)
    if item["kind"] == "Secret" and name in (*source.seal_secrets, *source.object_read_secrets):
        made["data"] = {key: sealed_value(plan, role, name, key) for key in item.get("data") or {}}
    elif item["kind"] == "ConfigMap":
        made["data"] = {**(item.get("data") or {}), **source.configuration.get(name, {})}
    elif item["kind"] == "Ingress":
        for rule in made["spec"].get("rules") or []:
            rule |= {"host": drill_host(rule["host"], plan)} if rule.get("host") else {}
        for tls in made["spec"].get("tls") or []:
            tls |= {"hosts": [drill_host(host, plan) for host in tls["hosts"]]} if tls.get("hosts") else {}
    for key in acting_annotations(item):
        del made["metadata"]["annotations"][key]
    return made


def config_map(plan: DrillPlan, name: str, content: dict[str, Any]) -> dict[str, Any]:
    """A ConfigMap in Velero's namespace with exactly one key, as Velero asks for."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": plan.environment.source.velero_namespace,
            "labels": plan.labels,
            "annotations": {naming.ANNOTATION_EXPIRES: plan.expires_at},
        },
        "data": {"rules.yaml": yaml.safe_dump(content, sort_keys=False, width=10**6)},
    }


def manifests(plan: DrillPlan, point: BackupPoint, contents: Contents, attempt: int = 1) -> list[dict[str, Any]]:
    """The two ConfigMaps and the Restore, in the order of creation. `includeClusterResources` stays unset: false would
    leave production's volume names in the claims."""
    name = naming.restore_name(plan.drill_id, point.role, attempt)
    restore = {
        "apiVersion": "velero.io/v1",
        "kind": "Restore",
        "metadata": {
            "name": name,
            "namespace": plan.environment.source.velero_namespace,
            "labels": plan.labels,
            "annotations": {"velero.io/pod-volume-timeout": "20m", naming.ANNOTATION_EXPIRES: plan.expires_at},
        },
        "spec": {
            "backupName": point.backup,
            "includedNamespaces": [point.namespace],
            "namespaceMapping": {point.namespace: plan.namespace(point.role)},
            "excludedResources": list(EXCLUDED_KINDS),
            "existingResourcePolicy": "none",
            "restorePVs": True,
            "preserveNodePorts": False,
            "itemOperationTimeout": "1h0m0s",
            "resourcePolicy": {"kind": "ConfigMap", "name": f"{name}-policy"},
            "resourceModifier": {"kind": "ConfigMap", "name": f"{name}-modifiers"},
        },
    }
    return [
        config_map(plan, f"{name}-policy", resource_policy(plan, point.role)),
        config_map(plan, f"{name}-modifiers", modifiers(plan, point.role, contents)),
        restore,
    ]
