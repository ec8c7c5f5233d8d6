"""Is the sandbox closed? Judged on its policies as the API server gives them back and on what a pod inside could
reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dalp_dr import naming
from dalp_dr.isolation import probe, routes, sandbox
from dalp_dr.isolation.guard import FoundNamespace, found
from dalp_dr.isolation.probe import ProbeRun
from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.plan import DrillPlan, utc

REFUSED = ("timeout", "unreachable")


@dataclass(frozen=True)
class FoundPolicy:
    """A NetworkPolicy as read back; `spec` as it is."""

    namespace: str
    name: str
    spec: dict[str, Any]


@dataclass(frozen=True)
class FoundQuota:
    """A ResourceQuota as read back."""

    namespace: str
    name: str
    hard: dict[str, str]


@dataclass(frozen=True)
class Quarantine:
    """The sandbox as it is, and what the probes saw."""

    namespaces: tuple[FoundNamespace, ...]
    policies: tuple[FoundPolicy, ...]
    quotas: tuple[FoundQuota, ...]
    runs: tuple[ProbeRun, ...]


def facts_from(
    plan: DrillPlan,
    namespaces: Iterable[dict[str, Any]],
    policies: Iterable[dict[str, Any]],
    quotas: Iterable[dict[str, Any]],
    runs: Iterable[ProbeRun],
) -> Quarantine:
    """From Namespace, NetworkPolicy and ResourceQuota objects of every sandbox namespace of this drill, and the
    probes' runs."""
    mine = {plan.namespace(role) for role in plan.roles}
    return Quarantine(
        tuple(found(n) for n in namespaces if n["metadata"]["name"] in mine),
        tuple(FoundPolicy(p["metadata"]["namespace"], p["metadata"]["name"], p["spec"]) for p in policies),
        tuple(FoundQuota(q["metadata"]["namespace"], q["metadata"]["name"], q["spec"].get("hard", {})) for q in quotas),
        tuple(runs),
    )


def expected_policies(plan: DrillPlan) -> dict[tuple[str, str], dict[str, Any]]:
    """(namespace, name) -> spec of every policy the sandbox has before `start` opens the services' routes."""
    made = [p for role in plan.roles for p in routes.closed(plan, role)] + routes.database(plan) + routes.gateway(plan)
    return {(p["metadata"]["namespace"], p["metadata"]["name"]): p["spec"] for p in made}


def default_deny_in_force(facts: Quarantine, plan: DrillPlan) -> CheckResult:
    """Each namespace denies by default, and no policy opens more than the plan says. The store route may be closed
    already."""
    wanted, have = expected_policies(plan), {(p.namespace, p.name): p.spec for p in facts.policies}
    wrong = [f"{namespace}/{name} is missing" for namespace, name in wanted if (namespace, name) not in have and name != routes.STORE_ROUTE]
    wrong += [
        f"{namespace}/{name} differs from what the drill made"
        for (namespace, name), spec in have.items()
        if (namespace, name) in wanted and spec != wanted[namespace, name]
    ]
    opened = _service_routes(plan)
    wrong += [
        f"{namespace}/{name} opens a route nobody planned"
        for (namespace, name), spec in have.items()
        if (namespace, name) not in wanted
        and not any(_same_route(name, spec, route) for route in opened if route["metadata"]["namespace"] == namespace)
    ]
    return expect(
        not wrong,
        f"{len(wanted)} policies, default-deny in {len(plan.roles)} namespaces",
        f"{len(have)} policies read back",
        wrong,
    )


def _service_routes(plan: DrillPlan) -> list[dict[str, Any]]:
    return routes.common(plan) + [r for s in plan.environment.services for r in routes.for_service(plan, s, {})]


def _same_route(name: str, spec: dict[str, Any], route: dict[str, Any]) -> bool:
    """Whether a policy is a planned route, whatever labels its workload's pods have (they are known only when it is
    opened)."""
    if name != route["metadata"]["name"]:
        return False
    return _without_labels(spec) == _without_labels(route["spec"]) and _selects_some(spec)


def _selects_some(spec: dict[str, Any]) -> bool:
    return any(spec["podSelector"].values())


def _without_labels(value: Any) -> Any:
    """The same without the labels that select one service's pods; the database's, our own and the drill's stay."""
    if isinstance(value, dict):
        return {k: _without_labels(_kept(v) if k == "matchLabels" else v) for k, v in value.items()}
    return [_without_labels(v) for v in value] if isinstance(value, list) else value


def _kept(labels: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in labels.items() if k in (naming.LABEL_DRILL, routes.LABEL_COMPONENT)}


def canaries_refused(facts: Quarantine, plan: DrillPlan) -> CheckResult:
    """Silence counts as a refusal only beside a control that connected; one canary that gets through fails the drill.

    Each namespace must have tried the environment's canaries, the closed routes, and whatever any other namespace
    tried; on one cluster with production also production's own addresses.
    """
    known = {(t.address, t.port): t.name for t in probe.targets(plan)}
    tried = {(a.address, a.port): a.name for r in facts.runs for a in r.attempts}
    expected = f"{len(known | tried)} addresses and a chain send refused from {len(plan.roles)} namespaces, control connected"
    through = breaches(facts, plan)
    ran = {r.role for r in facts.runs}
    unknown = [f"{plan.namespace(role)}: no probe ran" for role in plan.roles if role not in ran]
    if plan.environment.cluster == "same" and not tried.keys() - known.keys():
        unknown.append("no address of production itself was tried")
    for run in facts.runs:
        unknown += _unproven(run, plan, known | tried)
    if through or not unknown:
        return expect(not through, expected, f"{len(through)} got through", through)
    return inconclusive(expected, f"{len(unknown)} not proven", unknown)


def breaches(facts: Quarantine, plan: DrillPlan) -> list[str]:
    """Every canary that got through; one is enough to end the drill at once."""
    through = [
        f"{_where(r, plan)}: {a.name} ({a.address}:{a.port}) connected" for r in facts.runs for a in r.attempts if a.outcome == "connected"
    ]
    return through + [f"{_where(r, plan)}: the gateway passed a send on to the chain" for r in facts.runs if r.chain_send == "passed_on"]


def canaries_complete(facts: Quarantine, plan: DrillPlan) -> CheckResult:
    """Each way in which a second DALP acts outside has a canary, and it was tried from every namespace: the chain, custody,
    webhooks, mail, the buckets, and production itself."""
    declared = {(c.address, c.port): c.covers for c in plan.environment.sandbox.canaries}
    route = plan.environment.sandbox.routes
    stores = {(r.address, r.port): "bucket write" for r in (route.backup_store, route.object_storage) if "/" not in r.address}
    wanted = ["custody", "webhook", "mail", *([] if len(stores) == len({route.backup_store, route.object_storage}) else ["bucket"])]
    wanted += ["production"] if plan.environment.cluster == "separate" and not plan.source_lost else []
    expected = f"chain send, bucket write, production and {', '.join(wanted)} tried from each namespace"
    missing = [f"no canary of the environment covers {what}" for what in wanted if not any(what in c for c in declared.values())]
    must = stores | {at: ", ".join(covers) for at, covers in declared.items() if covers}
    for role in plan.roles:
        runs = [r for r in facts.runs if r.role == role]
        tried = {(a.address, a.port) for r in runs for a in r.attempts}
        missing += [f"{plan.namespace(role)}: {what} ({at[0]}:{at[1]}) was not tried" for at, what in must.items() if at not in tried]
        missing += [] if any(r.chain_send != "error" for r in runs) else [f"{plan.namespace(role)}: no chain send was tried"]
    return (
        inconclusive(expected, f"{len(missing)} not tried", missing) if missing else expect(True, expected, f"{len(must) + 1} ways tried")
    )


def _where(run: ProbeRun, plan: DrillPlan) -> str:
    return plan.namespace(run.role)


def _unproven(run: ProbeRun, plan: DrillPlan, must: dict[tuple[str, int], str]) -> list[str]:
    tried, here = {(a.address, a.port) for a in run.attempts}, _where(run, plan)
    said = [] if run.complete else [f"{here}: the probe did not finish"]
    if run.control is None or run.control.outcome != "connected":
        said.append(f"{here}: the control did not connect, so silence proves nothing")
    if run.chain_send != "refused":
        said.append(f"{here}: sending to the chain was not refused by the gateway ({run.detail})")
    said += [f"{here}: {name} ({address}:{port}) was not tried" for (address, port), name in must.items() if (address, port) not in tried]
    return said + [
        f"{here}: {a.name} ({a.address}:{a.port}) ended {a.outcome}, which is no refusal by the network"
        for a in run.attempts
        if a.outcome not in (*REFUSED, "connected")
    ]


def sandbox_owned(facts: Quarantine, plan: DrillPlan) -> CheckResult:
    """Every namespace carries this drill's labels, its expiry and its quota, so that it can be removed and cannot
    grow."""
    ours, expiry, have = sandbox.labels(plan), sandbox.expires_at(plan), {n.name: n for n in facts.namespaces}
    quotas = {q.namespace for q in facts.quotas if q.name == sandbox.QUOTA and q.hard}
    wrong = []
    for name in (plan.namespace(role) for role in plan.roles):
        if name not in have:
            wrong.append(f"{name} does not exist")
            continue
        wrong += [f"{name}: label {k} is {have[name].labels.get(k)}" for k, v in ours.items() if have[name].labels.get(k) != v]
        told = have[name].annotations.get(naming.ANNOTATION_EXPIRES, "")
        wrong += [] if told and utc(told) == utc(expiry) else [f"{name}: expiry is {told or 'missing'}"]
        wrong += [] if name in quotas else [f"{name}: no quota"]
    return expect(
        not wrong,
        f"{len(plan.roles)} namespaces labelled {plan.drill_id}, expiring {expiry}, with quota",
        f"{len(have)} namespaces",
        wrong,
    )
