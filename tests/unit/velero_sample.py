"""A source namespace as a backup holds it, Velero's modifiers as Velero applies them, and judgement by check id."""

from __future__ import annotations

import base64
import copy
import json
import re
from typing import Any

import yaml

from dalp_dr import catalogue
from dalp_dr.kubernetes_resources import restore
from dalp_dr.kubernetes_resources.restore import Contents
from dalp_dr.model.check import CheckResult, Verdict
from dalp_dr.model.plan import BackupPoint, DrillPlan
from dalp_dr.model.record import encode
from sandbox_sample import a_plan, an_environment

SOURCES = {n.role: n for n in an_environment().source.namespaces}
REAL = base64.b64encode(b"production's own").decode()


def a_point(role: str = "app", **changes: str) -> BackupPoint:
    source = SOURCES[role]
    values = {
        "role": role,
        "namespace": source.name,
        "backup": f"{source.schedule}-20261006020000",
        "schedule": source.schedule,
        "started_at": "2026-10-06T02:00:01Z",
        "completed_at": "2026-10-06T02:00:40Z",
        "expires_at": "2026-11-05T02:00:01Z",
    }
    return BackupPoint(**(values | changes))


PLAN = a_plan(backups=tuple(a_point(role) for role in SOURCES))


def judged(kind: str, facts: Any, plan: DrillPlan = PLAN) -> dict[str, CheckResult]:
    """The answer of every check of a kind to facts that were stored and read again, by check id."""
    decoded = catalogue.KINDS[kind].decode(encode(facts))
    return {check.id: check.judge(decoded, plan) for check in catalogue.checks_of(kind)}


def red(results: dict[str, CheckResult]) -> dict[str, str]:
    """The checks that did not pass, with their verdict."""
    return {name: result.verdict.value for name, result in results.items() if result.verdict is not Verdict.PASS}


def said(result: CheckResult) -> str:
    return "\n".join((result.observed, *result.findings))


def an_object(kind: str, name: str, version: str = "v1", namespace: str = "dalp", **more: Any) -> dict[str, Any]:
    labels = more.pop("labels", {"kots.io/app-slug": "settlemint-dalp"})
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace, "labels": labels}, **more}


def a_template(name: str, **more: Any) -> dict[str, Any]:
    container = {"name": name, "image": "docker.io/local/dalp:1", "env": [{"name": "SERVICE", "value": name}]}
    return {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], **more}}


def a_workload(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return an_object(kind, name, "apps/v1", spec={"replicas": 1, "template": a_template(name), **spec})


def secret(name: str, *keys: str) -> dict[str, Any]:
    return an_object("Secret", name, data=dict.fromkeys(keys, REAL))


def contents(**changes: dict[str, Any]) -> Contents:
    """The backup of namespace `dalp`: one object of every kind that matters, and what belongs to the database."""
    listed: dict[str, list[dict[str, Any]]] = {
        "secrets": [
            secret("dalp-signer", "SIGNER_KEY", "SIGNER_KIND"),
            secret("dalp-webhook", "URL"),
            secret("dalp-smtp", "SMTP_HOST", "SMTP_PORT"),
            secret("dalp-dapi", "SESSION_SECRET"),
            secret("dalp-object-storage", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"),
            secret("dalp-labels", "theme"),
            secret("dalp-archive-write", "ACCESS_KEY_ID"),
            secret("dalp-pg-ca", "ca.crt"),
        ],
        "configmaps": [
            an_object("ConfigMap", "dalp-config", data={"DB_HOST": "dalp-pg-rw", "TELEMETRY_URL": "http://telemetry"}),
            an_object("ConfigMap", "dalp-erpc-config", data={"UPSTREAM_URL": "http://rpc.example.com"}),
            an_object("ConfigMap", "kube-root-ca.crt", data={"ca.crt": "source"}),
        ],
        "services": [
            an_object("Service", "dalp-dapi", spec={"ports": [{"port": 3000, "targetPort": 3000}], "selector": {"app": "dalp-dapi"}}),
            an_object("Service", "dalp-pg-rw", labels={"cnpg.io/cluster": "dalp-pg"}, spec={"ports": [{"port": 5432}]}),
        ],
        "ingresses.networking.k8s.io": [
            an_object(
                "Ingress",
                "dalp-dapp",
                "networking.k8s.io/v1",
                spec={
                    "ingressClassName": "nginx",
                    "rules": [{"host": "dapp.example.com"}, {"http": {}}],
                    "tls": [{"hosts": ["dapp.example.com"], "secretName": "tls"}],
                },
            )
        ],
        "persistentvolumeclaims": [
            an_object("PersistentVolumeClaim", "dalp-worker-journal", spec={"resources": {"requests": {"storage": "1Gi"}}})
        ],
        "deployments.apps": [a_workload("Deployment", "dalp-dapi")],
        "statefulsets.apps": [a_workload("StatefulSet", "dalp-indexer", updateStrategy={"type": "RollingUpdate", "rollingUpdate": {}})],
        "replicasets.apps": [a_workload("ReplicaSet", "dalp-dapi-5d59d67564")],
        "cronjobs.batch": [an_object("CronJob", "dalp-rates", "batch/v1", spec={"schedule": "* * * * *", "suspend": False})],
        "clusters.postgresql.cnpg.io": [an_object("Cluster", "dalp-pg", "postgresql.cnpg.io/v1", spec={})],
        "networkpolicies.networking.k8s.io": [an_object("NetworkPolicy", "allow-all", "networking.k8s.io/v1", spec={})],
    }
    found = {kind: {f"dalp/{o['metadata']['name']}": o for o in objects} for kind, objects in listed.items()}
    return copy.deepcopy(found | changes)


def a_pod(*init: str) -> dict[str, Any]:
    """A pod of the backup as Velero creates it: its own init container, which fills the volumes, comes first."""
    spec = {
        "priority": 0,
        "preemptionPolicy": "PreemptLowerPriority",
        "priorityClassName": "production",
        "initContainers": [{"name": name} for name in init],
        "containers": [{"name": "worker"}],
    }
    return an_object("Pod", "dalp-worker-0", spec=spec)


def rules_of(config_map: dict[str, Any]) -> Any:
    """The one document of a ConfigMap of policies or modifiers, as Velero reads it."""
    [text] = config_map["data"].values()
    return yaml.safe_load(text)


def modified(item: dict[str, Any], resource: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    """`item` after the rules; conditions look at the object as it was before the first rule ran, as in Velero."""
    made = copy.deepcopy(item)
    for rule in rules:
        if _applies(rule["conditions"], item, resource):
            for patch in rule.get("mergePatches", ()):
                made = merged(made, json.loads(patch["patchData"]))
            for patch in rule.get("strategicPatches", ()):
                made = merged(made, json.loads(patch["patchData"]), named_lists=True)
            for step in rule.get("patches", ()):
                _step(made, step)
    return made


def _applies(conditions: dict[str, Any], item: dict[str, Any], resource: str) -> bool:
    wanted = conditions["groupResource"] == resource and item["metadata"]["namespace"] in conditions["namespaces"]
    named = re.search(conditions.get("resourceNameRegex", ""), item["metadata"]["name"])
    return wanted and bool(named) and all(_at(item, m["path"]) == m["value"] for m in conditions.get("matches", ()))


def _at(item: Any, path: str) -> Any:
    for part in path.strip("/").split("/"):
        try:
            item = item[int(part)] if isinstance(item, list) else item[part]
        except (KeyError, IndexError):
            return None
    return item


def _step(item: Any, step: dict[str, str]) -> None:
    """`replace` and `move` of JSON Patch."""
    parent, _, last = step["path"].rpartition("/")
    holder = _at(item, parent)
    if step["operation"] == "replace":
        holder[int(last) if isinstance(holder, list) else last] = step["value"]
    else:
        from_parent, _, from_last = step["from"].rpartition("/")
        moved = _at(item, from_parent).pop(int(from_last))
        holder.insert(int(last), moved)


def merged(target: Any, patch: Any, named_lists: bool = False) -> Any:
    """JSON Merge Patch; with `named_lists` as a strategic merge patch does it, which puts new containers before the old."""
    if not isinstance(patch, dict):
        return patch
    made = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            made.pop(key, None)
        elif named_lists and key == "initContainers":
            names = {c["name"] for c in value}
            made[key] = [*value, *(c for c in made.get(key) or [] if c["name"] not in names)]
        else:
            made[key] = merged(made.get(key), value, named_lists)
    return made


def restored(plan: DrillPlan = PLAN, role: str = "app", held: Contents | None = None) -> dict[str, dict[str, Any]]:
    """What lives in the sandbox after the restore of `held`, by `Kind/name`; claims are bound."""
    held = held or contents()
    _, modifiers, manifest = restore.manifests(plan, plan.backup(role), held)
    names = restore.left_out(plan, role)
    live = {}
    for resource, objects in held.items():
        for item in objects.values():
            name = item["metadata"]["name"]
            out = resource in manifest["spec"]["excludedResources"] or "cnpg.io/cluster" in item["metadata"]["labels"]
            if out or any(re.fullmatch(p.replace("*", ".*"), name) for p in names):
                continue
            made = modified(item, resource, rules_of(modifiers)["resourceModifierRules"])
            made["metadata"]["namespace"] = plan.namespace(role)
            if item["kind"] == "PersistentVolumeClaim":
                made["status"] = {"phase": "Bound"}
            live[f"{item['kind']}/{name}"] = made
    return live
