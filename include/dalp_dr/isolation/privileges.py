"""Least privilege, asked of the real authorizer: what is needed is allowed, what would touch production is denied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from dalp_dr.isolation.permissions import (
    BARMAN,
    CNPG,
    DRILL_ACCOUNT,
    DRILL_NAMESPACE,
    RBAC,
    READER_ACCOUNT,
    SANDBOX_ROLE,
    VELERO,
    Grant,
    grants,
)
from dalp_dr.model.check import CHECKLIST, CheckResult, expect, inconclusive
from dalp_dr.model.environment import Environment
from dalp_dr.model.plan import DrillPlan

WRITES = ("create", "update", "patch", "delete", "deletecollection")
SOURCE_KINDS = (
    ("", "pods"),
    ("", "secrets"),
    ("", "configmaps"),
    ("", "services"),
    ("", "persistentvolumeclaims"),
    ("apps", "deployments"),
    ("apps", "statefulsets"),
    ("batch", "cronjobs"),
    ("networking.k8s.io", "ingresses"),
    ("networking.k8s.io", "networkpolicies"),
    (CNPG, "clusters"),
    (CNPG, "backups"),
    (BARMAN, "objectstores"),
)
VELERO_KINDS = (
    (VELERO, "backups"),
    (VELERO, "schedules"),
    (VELERO, "backupstoragelocations"),
    (VELERO, "backuprepositories"),
    (VELERO, "deletebackuprequests"),
    (VELERO, "podvolumebackups"),
    ("", "secrets"),
    ("", "pods"),
    ("apps", "deployments"),
    ("apps", "daemonsets"),
)


@dataclass(frozen=True)
class Access:
    """One question to the authorizer. `identity`: who asks ("source-reader" or "drill"); `namespace` "":
    cluster-wide; `name` "": any."""

    identity: str
    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        kind = self.resource + (f"/{self.subresource}" if self.subresource else "") + (f".{self.group}" if self.group else "")
        what = f"{kind} {self.name}" if self.name else kind
        return f"{self.identity}: {self.verb} {what} in {self.namespace or 'the cluster'}"


@dataclass(frozen=True)
class Answer:
    """What the authorizer said; `allowed` is None when it did not answer."""

    access: Access
    allowed: bool | None
    reason: str = ""


@dataclass(frozen=True)
class Forged:
    """A write that must be refused, tried as the drill's identity with dryRun=All."""

    name: str
    manifest: dict[str, Any]


@dataclass(frozen=True)
class ForgedAnswer:
    """HTTP status and message of the API server for one forged write."""

    name: str
    status: int
    message: str


@dataclass(frozen=True)
class StoreAnswer:
    """What a store said to one harmless write with a read key; `status` is None when it said nothing."""

    connection: str
    bucket: str
    operation: str
    status: int | None
    code: str = ""


@dataclass(frozen=True)
class Privileges:
    """All answers. Tables are sorted as asked."""

    answers: tuple[Answer, ...]
    forged: tuple[ForgedAnswer, ...]
    stores: tuple[StoreAnswer, ...]


def needed(environment: Environment, checklist: int = CHECKLIST, source_lost: bool = False) -> tuple[Access, ...]:
    """Every verb the roles grant before a sandbox exists (its rights come with the namespace), by a version of the checklist; of a
    lost source nothing is asked."""
    sides = ("sandbox",) if source_lost else ("source", "sandbox")
    return tuple(a for grant in grants(environment) if grant.bound and grant.side in sides for a in _accesses(grant, checklist))


def needed_in_sandbox(environment: Environment, namespace: str) -> tuple[Access, ...]:
    """Every write verb of the sandbox role in one sandbox namespace, to be asked once the role is bound there."""
    return tuple(
        replace(a, namespace=namespace) for grant in grants(environment) if not grant.bound for a in _accesses(grant) if a.resource != "*"
    )


def _accesses(grant: Grant, checklist: int = CHECKLIST) -> Iterable[Access]:
    for rule in grant.rules:
        if rule.since > checklist:
            continue
        for resource in rule.resources:
            for verb in rule.verbs:
                kind, _, part = resource.partition("/")
                yield Access(
                    grant.account,
                    verb,
                    rule.group,
                    kind,
                    part,
                    grant.namespace or "",
                    rule.names[0] if rule.names else "",
                )


def forbidden(environment: Environment, source_lost: bool = False) -> tuple[Access, ...]:
    """Writes to production and reads of its Secrets, by either identity; where production is lost, by the drill's alone, in
    namespaces of those names. RoleBindings are proven by `forged`: only admission denies them."""
    places: list[tuple[str, tuple[tuple[str, str], ...]]] = [(n.name, SOURCE_KINDS) for n in environment.source.namespaces]
    places += [
        (environment.source.velero_namespace, VELERO_KINDS),
        (environment.sandbox.routes.operator_namespace, (("", "secrets"), ("", "pods"), ("apps", "deployments"))),
    ]
    both = (DRILL_ACCOUNT,) if source_lost else (READER_ACCOUNT, DRILL_ACCOUNT)
    made = [
        Access(who, verb, group, resource, "", namespace)
        for who in both
        for namespace, kinds in places
        for group, resource in kinds
        for verb in WRITES
    ]
    made += [
        Access(who, "create", "", "pods", part, n.name)
        for who in both
        for n in environment.source.namespaces
        for part in ("exec", "portforward", "eviction")
    ]
    made += [Access(who, "list", "", "secrets", "", namespace) for who in both for namespace, _ in places]
    made += [Access(r, verb, VELERO, "restores", "", environment.source.velero_namespace) for r in both[:-1] for verb in WRITES]
    made += [
        Access(DRILL_ACCOUNT, verb, RBAC, resource)
        for verb in ("create", "patch", "escalate")
        for resource in ("clusterroles", "clusterrolebindings")
    ]
    return tuple(made)


def forged(environment: Environment, plan: DrillPlan) -> tuple[Forged, ...]:
    """Writes that roles cannot forbid and admission policies must. A recovery cluster of its own has no namespace of production: there
    the nearest thing to bind in is Velero's."""
    source = environment.source.namespaces[0].name
    beside = source if environment.cluster == "same" else environment.source.velero_namespace
    sandbox = plan.namespace(plan.roles[0])
    labels = {"dalp-dr/drill-id": plan.drill_id}

    def restore(name: str, **spec: Any) -> Forged:
        body = {
            "backupName": "forged",
            "includedNamespaces": [source],
            "namespaceMapping": {source: sandbox},
            "excludedResources": [],
            "resourceModifier": {"kind": "ConfigMap", "name": "forged"},
            **spec,
        }
        return Forged(
            name,
            {
                "apiVersion": "velero.io/v1",
                "kind": "Restore",
                "spec": body,
                "metadata": {
                    "name": "drill-forged",
                    "namespace": environment.source.velero_namespace,
                    "labels": labels,
                },
            },
        )

    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "drill-forged", "namespace": beside},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": SANDBOX_ROLE},
        "subjects": [{"kind": "ServiceAccount", "name": DRILL_ACCOUNT, "namespace": DRILL_NAMESPACE}],
    }
    plugin = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "data": {},
        "metadata": {
            "name": "drill-forged",
            "namespace": environment.source.velero_namespace,
            "labels": labels | {"velero.io/plugin-config": "", "velero.io/pod-volume-restore": "RestoreItemAction"},
        },
    }
    return (
        restore("restore into production", namespaceMapping={}),
        restore("restore of the database's own objects"),
        restore("restore over existing objects", existingResourcePolicy="update"),
        Forged("sandbox role bound in production", binding),
        Forged("configuration of a Velero plugin", plugin),
        Forged(
            "namespace outside the sandbox",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "forged-by-a-drill", "labels": labels}},
        ),
    )


def stores(environment: Environment) -> tuple[tuple[str, str], ...]:
    """(connection, bucket) of every store that is read and must not be writable with the read key."""
    names = environment.connections
    backups = sorted({environment.source.backup_bucket, environment.database.archive_bucket})
    return (
        *((names.backup_store, bucket) for bucket in backups),
        *(
            (connection, bucket.name)
            for connection in (names.object_storage, names.sandbox_object_read)
            for bucket in environment.object_storage
        ),
    )


def facts_from(
    answers: Iterable[tuple[Access, dict[str, Any] | None]],
    forgeries: Iterable[tuple[str, int, str]],
    said: Iterable[StoreAnswer | dict[str, Any]],
) -> Privileges:
    """From `status` of each SelfSubjectAccessReview (None: no answer), (name, HTTP status, message) of each forged
    write, and the stores' answers, as StoreAnswer or as a dict of its fields."""
    return Privileges(
        tuple(_answer(access, status) for access, status in answers),
        tuple(ForgedAnswer(name, status, message[:300]) for name, status, message in forgeries),
        tuple(s if isinstance(s, StoreAnswer) else StoreAnswer(**s) for s in said),
    )


def _answer(access: Access, status: dict[str, Any] | None) -> Answer:
    if status is None or status.get("evaluationError"):
        return Answer(access, None, (status or {}).get("evaluationError", "no answer"))
    return Answer(access, bool(status.get("allowed", False)), status.get("reason", ""))


def needed_verbs_allowed(facts: Privileges, plan: DrillPlan) -> CheckResult:
    """Every needed verb was asked and allowed."""
    questions, said = needed(plan.environment, plan.checklist, plan.source_lost), {a.access: a.allowed for a in facts.answers}
    denied = [str(a) for a in questions if said.get(a) is False]
    unknown = [str(a) for a in questions if said.get(a) is None]
    expected = f"{len(questions)} permissions allowed"
    if denied or not unknown:
        return expect(not denied, expected, f"{len(denied)} denied", denied)
    return inconclusive(expected, f"{len(unknown)} not answered", unknown)


def source_writes_denied(facts: Privileges, plan: DrillPlan) -> CheckResult:
    """Every write to production was asked and denied, by the authorizer or, for forged objects, by admission (403 or
    422)."""
    questions, said = forbidden(plan.environment, plan.source_lost), {a.access: a.allowed for a in facts.answers}
    forgeries, tried = forged(plan.environment, plan), {f.name: f for f in facts.forged}
    expected = f"{len(questions)} writes and {len(forgeries)} forged objects denied"
    allowed = [f"{a} is allowed" for a in questions if said.get(a)]
    allowed += [f"forged: {f.name} was admitted" for f in facts.forged if 200 <= f.status < 300]
    unknown = [str(a) for a in questions if said.get(a) is None]
    unknown += [f"forged: {f.name}" for f in forgeries if f.name not in tried or not _decided(tried[f.name])]
    if allowed or not unknown:
        return expect(not allowed, expected, f"{len(allowed)} allowed", allowed)
    return inconclusive(expected, f"{len(unknown)} not answered", unknown)


def _decided(answer: ForgedAnswer) -> bool:
    """Admitted, or refused by somebody's rule; 422 alone may mean no more than a malformed manifest."""
    return answer.status in (*range(200, 300), 403) or (answer.status == 422 and "denied" in answer.message)


def read_keys_cannot_write(facts: Privileges, plan: DrillPlan) -> CheckResult:
    """Each store denied (403) a write with the key that is for reading. "No such upload" means that it might have
    written."""
    wanted = stores(plan.environment)
    said = {(s.connection, s.bucket): s for s in facts.stores}
    writable = [
        f"{s.connection} may write to bucket {s.bucket} ({s.operation}: {s.status} {s.code})" for s in facts.stores if _may_write(s)
    ]
    unknown = [f"{c} on bucket {b}: {_said(said.get((c, b)))}" for c, b in wanted if (c, b) not in said or said[c, b].status != 403]
    expected = f"403 from {len(wanted)} buckets"
    if writable or not unknown:
        return expect(not writable, expected, f"{len(writable)} writable", writable)
    return inconclusive(expected, f"{len(unknown)} not answered with 403", unknown)


def _may_write(answer: StoreAnswer) -> bool:
    return answer.code == "NoSuchUpload" or (answer.status is not None and 200 <= answer.status < 300)


def _said(answer: StoreAnswer | None) -> str:
    return f"status {answer.status} {answer.code}".strip() if answer else "not asked"
