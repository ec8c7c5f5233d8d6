"""A healthy production as the watch reads it, and judgement by check id."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

from dalp_dr.model.check import CheckResult, Verdict
from dalp_dr.model.environment import Environment
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import encode
from dalp_dr.posture import checks
from sandbox_sample import a_plan, an_environment

NOW = "2026-10-06T06:00:00Z"
ENVIRONMENT = an_environment()
PLAN = a_plan(ENVIRONMENT, incident_time=NOW, database=None)


def with_posture(**changes: Any) -> DrillPlan:
    environment: Environment = ENVIRONMENT.model_copy(update={"posture": ENVIRONMENT.posture.model_copy(update=changes)})
    return replace(PLAN, environment=environment)


def judged(kind: str, facts: Any, plan: DrillPlan = PLAN) -> dict[str, CheckResult]:
    """The answer of every check of the watch to facts that were stored and read again."""
    decoded = checks.KINDS[kind].decode(encode(facts))
    return {check.id: check.judge(decoded, plan) for check in checks.checks_of(kind)}


def red(results: dict[str, CheckResult]) -> dict[str, str]:
    return {name: r.verdict.value for name, r in results.items() if r.verdict is not Verdict.PASS}


def said(result: CheckResult) -> str:
    return "\n".join((result.observed, *result.findings))


def changed(item: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one place set; the value `...` removes it."""
    found = copy.deepcopy(item)
    *parents, last = path.split(".")
    place: Any = found
    for part in parents:
        place = place[int(part)] if part.isdigit() else place.setdefault(part, {})
    if value is ...:
        place.pop(last, None)
    else:
        place[last] = value
    return found


SCHEDULE: dict[str, Any] = {
    "metadata": {"name": "dalp-daily"},
    "spec": {
        "schedule": "0 2 * * *",
        "paused": False,
        "template": {
            "defaultVolumesToFsBackup": True,
            "excludedResources": ["events", "events.events.k8s.io"],
            "includedNamespaces": ["dalp"],
            "labelSelector": {"matchLabels": {"kots.io/app-slug": "settlemint-dalp"}},
            "storageLocation": "default",
            "ttl": "720h0m0s",
        },
    },
    "status": {"phase": "Enabled"},
}
LOCATION: dict[str, Any] = {
    "metadata": {"name": "default"},
    "spec": {"provider": "aws", "objectStorage": {"bucket": "velero", "prefix": "prod"}},
    "status": {"phase": "Available", "lastValidationTime": "2026-10-06T05:59:30Z"},
}
BACKUP: dict[str, Any] = {
    "metadata": {
        "name": "dalp-daily-1",
        "labels": {"velero.io/schedule-name": "dalp-daily"},
        "creationTimestamp": "2026-10-06T02:00:00Z",
    },
    "status": {"phase": "Completed", "startTimestamp": "2026-10-06T02:00:01Z", "completionTimestamp": "2026-10-06T02:00:40Z"},
}
SETTINGS: dict[str, Any] = {
    "enabled": False,
    "storage": {"provider": "s3"},
    "schedule": {"enabled": True, "cron": "0 2 * * *", "paused": False},
    "retention": {"days": 30},
    "includeAllPVCs": True,
    "additionalNamespaces": [],
    "labelSelector": {"matchLabels": {"kots.io/app-slug": "settlemint-dalp"}},
}
RELEASE: dict[str, Any] = {
    "name": "dalp",
    "version": 3,
    "info": {"status": "deployed"},
    "chart": {"metadata": {"name": "dalp", "version": "3.4.0"}, "values": {"backup": SETTINGS}},
    "config": {"backup": {"enabled": True}},
}


def a_schedule(name: str, cron: str, ttl: str) -> dict[str, Any]:
    found = changed(changed(SCHEDULE, "spec.schedule", cron), "spec.template.ttl", ttl)
    return changed(found, "metadata.name", name)


TIERS = [SCHEDULE, a_schedule("dalp-hourly", "0 * * * *", "48h0m0s"), a_schedule("dalp-weekly", "0 4 * * 0", "720h0m0s")]
CLUSTER: dict[str, Any] = {
    "metadata": {"name": "dalp-pg", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {
        "plugins": [
            {
                "name": "barman-cloud.cloudnative-pg.io",
                "isWALArchiver": True,
                "parameters": {"barmanObjectName": "dalp-archive", "serverName": "dalp-pg"},
            }
        ]
    },
    "status": {
        "conditions": [
            {"type": "ContinuousArchiving", "status": "True", "message": "Continuous archiving is working"},
            {"type": "LastBackupSucceeded", "status": "True", "message": "Backup was successful"},
        ]
    },
}
SCHEDULED: dict[str, Any] = {
    "metadata": {"name": "dalp-pg-daily"},
    "spec": {"cluster": {"name": "dalp-pg"}, "schedule": "0 0 2 * * *"},
    "status": {"lastScheduleTime": "2026-10-06T02:00:00Z"},
}
STORE: dict[str, Any] = {
    "metadata": {"name": "dalp-archive"},
    "spec": {"retentionPolicy": "30d", "configuration": {"destinationPath": "s3://dalp-wal/prod"}},
}
LABELS = {"kots.io/app-slug": "settlemint-dalp"}


def an_object(kind: str, name: str, labels: dict[str, str] | None = None, owner: str | None = None, **more: Any) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": name, "labels": LABELS if labels is None else labels}
    if owner:
        kind_of, _, name_of = owner.partition("/")
        meta["ownerReferences"] = [{"kind": kind_of, "name": name_of}]
    return {"kind": kind, "metadata": meta, **more}


POD_SPEC: dict[str, Any] = {
    "imagePullSecrets": [{"name": "pull"}],
    "volumes": [
        {"name": "a", "secret": {"secretName": "dalp-signer"}},
        {"name": "b", "configMap": {"name": "dalp-config"}},
        {"name": "c", "persistentVolumeClaim": {"claimName": "dalp-worker-journal"}},
        {"name": "d", "projected": {"sources": [{"secret": {"name": "dalp-webhook"}}, {"serviceAccountToken": {}}]}},
        {"name": "e", "emptyDir": {}},
    ],
    "containers": [
        {
            "name": "worker",
            "envFrom": [{"secretRef": {"name": "dalp-smtp"}}, {"secretRef": {"name": "not-needed", "optional": True}}],
            "env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "dalp-dapi", "key": "x"}}}, {"name": "Y", "value": "y"}],
        }
    ],
}
LIVE = [
    an_object("Pod", "dalp-worker-1", owner="ReplicaSet/dalp-worker", spec=POD_SPEC),
    an_object("Deployment", "dalp-worker"),
    an_object("PersistentVolumeClaim", "dalp-worker-journal", spec={"storageClassName": "standard"}),
    an_object("ConfigMap", "dalp-config"),
    an_object("ConfigMap", "kube-root-ca.crt", {}),
    an_object("ServiceAccount", "default", {}),
    an_object("Pod", "dalp-pg-1", {}, "Cluster/dalp-pg", spec={"volumes": [{"name": "s", "secret": {"secretName": "dalp-archive-write"}}]}),
    an_object("Job", "dalp-rates-1", {}, "CronJob/dalp-rates"),
    an_object("Ingress", "dalp-dapp", spec={"tls": [{"secretName": "dalp-tls"}]}),
]
LISTED = {
    "v1/Secret": [f"dalp/{n}" for n in ("pull", "dalp-signer", "dalp-webhook", "dalp-smtp", "dalp-dapi")],
    "v1/ConfigMap": ["dalp/dalp-config"],
    "v1/PersistentVolumeClaim": ["dalp/dalp-worker-journal"],
    "apps/v1/Deployment": ["dalp/dalp-worker"],
}
