"""Is the sandbox really not production? Asked before the first write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dalp_dr import naming
from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.environment import Environment
from dalp_dr.model.plan import DrillPlan

PRODUCTION_MARKS = ("dalp-dr/production", "kots.io/app-slug", "meta.helm.sh/release-name", "app.kubernetes.io/part-of")


@dataclass(frozen=True)
class FoundNamespace:
    """A namespace that exists under a name the sandbox wants."""

    name: str
    uid: str
    phase: str
    labels: dict[str, str]
    annotations: dict[str, str]


@dataclass(frozen=True)
class StorePlace:
    """Where a store keeps its things; `what`: evidence, backups, archive or documents."""

    what: str
    endpoint: str
    bucket: str
    prefix: str = ""


@dataclass(frozen=True)
class Guard:
    """Both clusters by the uid of their namespace kube-system, whatever the addresses say; and what exists already."""

    source_cluster_uid: str
    sandbox_cluster_uid: str
    source_namespaces: tuple[str, ...]
    sandbox_namespaces: tuple[str, ...]
    existing: tuple[FoundNamespace, ...]
    stores: tuple[StorePlace, ...] = ()
    source_namespaces_beside: tuple[str, ...] | None = None


def facts_from(
    plan: DrillPlan,
    source_kube_system: dict[str, Any] | None,
    sandbox_kube_system: dict[str, Any],
    existing: Iterable[dict[str, Any]],
    stores: Iterable[StorePlace] = (),
    source_namespaces_beside: Iterable[str] | None = None,
) -> Guard:
    """From Namespace objects: kube-system of both clusters and those planned namespaces that exist in the sandbox's
    cluster; and where the connections of evidence and of what it speaks of lead. A lost source tells no uid (None): then
    which of production's namespaces the sandbox's cluster has."""
    return Guard(
        source_cluster_uid=source_kube_system["metadata"]["uid"] if source_kube_system else "",
        sandbox_cluster_uid=sandbox_kube_system["metadata"]["uid"],
        source_namespaces=tuple(n.name for n in plan.environment.source.namespaces),
        sandbox_namespaces=tuple(plan.namespace(role) for role in plan.roles),
        existing=tuple(found(n) for n in existing),
        stores=tuple(stores),
        source_namespaces_beside=None if source_namespaces_beside is None else tuple(sorted(source_namespaces_beside)),
    )


def places(environment: Environment, endpoints: dict[str, str]) -> tuple[StorePlace, ...]:
    """Every store of the environment; `endpoints`: URL of each connection."""
    names, source, database = environment.connections, environment.source, environment.database
    return (
        StorePlace("evidence", endpoints[names.evidence_store], environment.evidence_bucket),
        StorePlace("backups", endpoints[names.backup_store], source.backup_bucket, source.backup_prefix),
        StorePlace("archive", endpoints[names.backup_store], database.archive_bucket, database.archive_prefix),
        *(StorePlace("documents", endpoints[names.object_storage], b.name) for b in environment.object_storage),
    )


def found(namespace: dict[str, Any]) -> FoundNamespace:
    """The part of a Namespace object that says whose it is."""
    metadata = namespace["metadata"]
    return FoundNamespace(
        metadata["name"],
        metadata["uid"],
        namespace.get("status", {}).get("phase", ""),
        metadata.get("labels") or {},
        metadata.get("annotations") or {},
    )


def sandbox_is_not_source(facts: Guard, plan: DrillPlan) -> CheckResult:
    """Compares cluster uids and names, and looks for production's marks on what exists.

    A lost source cannot tell its uid: then no namespace of production may exist in the recovery cluster.
    """
    expected = {"same": "one cluster, other namespaces", "separate": "another cluster"}[plan.environment.cluster]
    if not (facts.sandbox_cluster_uid and (facts.source_cluster_uid or plan.source_lost)):
        return inconclusive(expected, "a cluster did not tell its uid")
    if plan.source_lost and facts.source_namespaces_beside is None:
        return inconclusive(expected, "nobody looked for production's namespaces in the sandbox's cluster")
    same = facts.source_cluster_uid == facts.sandbox_cluster_uid
    wrong = [f"the recovery cluster has production's namespace {name}: it is production" for name in facts.source_namespaces_beside or ()]
    if same != (plan.environment.cluster == "same"):
        wrong.append(
            f"environment says cluster: {plan.environment.cluster}, "
            f"but connection {plan.environment.connections.sandbox_kubernetes} "
            f"leads to {'the source cluster' if same else 'another cluster'} (uid {facts.sandbox_cluster_uid})"
        )
    both = sorted(set(facts.source_namespaces) & set(facts.sandbox_namespaces))
    wrong += [f"namespace {name} is source and sandbox at once" for name in both]
    prefix = plan.environment.sandbox.namespace_prefix
    wrong += [f"namespace {name} does not begin with {prefix}" for name in facts.sandbox_namespaces if not name.startswith(prefix)]
    wrong += [
        f"namespace {n.name} carries production's mark {mark}"
        for n in facts.existing
        for mark in PRODUCTION_MARKS
        if mark in n.labels or mark in n.annotations
    ]
    planned = {n.name for n in plan.environment.source.namespaces}, {plan.namespace(role) for role in plan.roles}
    if not wrong and (set(facts.source_namespaces), set(facts.sandbox_namespaces)) != planned:
        return inconclusive(expected, "other namespaces were compared than those of the plan")
    observed = f"source {facts.source_cluster_uid or 'lost'}, sandbox {facts.sandbox_cluster_uid}: {', '.join(facts.sandbox_namespaces)}"
    return expect(not wrong, expected, observed, wrong)


def sandbox_is_ours_or_absent(facts: Guard, plan: DrillPlan) -> CheckResult:
    """A namespace that exists must carry this very drill's labels; anything else is left alone."""
    ours = naming.labels(plan.drill_id, plan.environment.name)
    wrong = [
        f"namespace {n.name} exists and belongs to {n.labels.get(naming.LABEL_DRILL, 'somebody else')}"
        for n in facts.existing
        if any(n.labels.get(k) != v for k, v in ours.items())
    ]
    wrong += [f"namespace {n.name} is being deleted" for n in facts.existing if n.phase == "Terminating"]
    state = ", ".join(n.name for n in facts.existing) or "none exists"
    return expect(not wrong, f"absent, or labelled {plan.drill_id}", state, wrong)


def evidence_apart(facts: Guard, plan: DrillPlan) -> CheckResult:
    """Evidence lies in no bucket that it speaks of: whoever could delete the one could delete the other."""
    expected = "evidence in a bucket of its own, beside backups, archive and documents"
    evidence = [s for s in facts.stores if s.what == "evidence"]
    others = [s for s in facts.stores if s.what != "evidence"]
    if not evidence or not {s.what for s in others} >= {"backups", "archive", "documents"}:
        return inconclusive(expected, "not every store's address is known")
    wrong = [
        f"evidence is kept in bucket {e.bucket} at {e.endpoint}, where {'the archive is' if o.what == 'archive' else f'the {o.what} are'}"
        for e in evidence
        for o in others
        if (_address(e.endpoint), e.bucket) == (_address(o.endpoint), o.bucket)
    ]
    return expect(not wrong, expected, f"{evidence[0].bucket} at {evidence[0].endpoint}", wrong)


def _address(endpoint: str) -> str:
    """Host and port of a URL, so that two spellings of one address are the same."""
    parts = urlsplit(endpoint if "://" in endpoint else f"http://{endpoint}")
    return f"{(parts.hostname or '').lower()}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
