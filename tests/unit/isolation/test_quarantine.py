"""Judgement on policies as read back and on what the probes saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dalp_dr import naming
from dalp_dr.isolation import probe, quarantine, routes, sandbox
from dalp_dr.isolation.probe import Attempt, ProbeRun
from dalp_dr.model.check import Verdict
from dalp_dr.model.environment import Route
from dalp_dr.model.plan import DrillPlan
from dalp_dr.model.record import RecordKind, encode
from sandbox_sample import PLAN, a_namespace, ours

PRODUCTION = {
    "metadata": {"namespace": "dalp", "name": "dalp-dapi"},
    "spec": {"clusterIP": "10.96.0.7", "ports": [{"port": 3000}]},
}
TARGETS = probe.targets(PLAN, [PRODUCTION])
CANARY = PLAN.environment.sandbox.canaries[0].name
MADE = sandbox.manifests(PLAN)


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [m for m in MADE if m["kind"] == kind]


def a_run(role: str) -> ProbeRun:
    return ProbeRun(
        role,
        "before",
        tuple(Attempt(t.name, t.address, t.port, "timeout", 3.0) for t in TARGETS),
        Attempt("control", "dalp-dr-gateway", 8545, "connected", 0.01),
        "refused",
        "answered",
        True,
    )


def closed() -> quarantine.Quarantine:
    namespaces = [a_namespace(m["metadata"]["name"], m["metadata"]["labels"], m["metadata"]["annotations"]) for m in of_kind("Namespace")]
    return quarantine.facts_from(PLAN, namespaces, of_kind("NetworkPolicy"), of_kind("ResourceQuota"), [a_run(r) for r in PLAN.roles])


GOOD = closed()
Change = Callable[[quarantine.Quarantine], quarantine.Quarantine]


def test_a_closed_sandbox_passes_every_check_also_after_storing() -> None:
    stored = RecordKind("isolation", quarantine.Quarantine, "isolate").decode(encode(GOOD))
    assert stored == GOOD
    for judge in (
        quarantine.default_deny_in_force,
        quarantine.canaries_refused,
        quarantine.canaries_complete,
        quarantine.sandbox_owned,
    ):
        assert judge(stored, PLAN).verdict is Verdict.PASS


def without_policy(name: str) -> Change:
    return lambda facts: replace(facts, policies=tuple(p for p in facts.policies if p.name != name))


def with_policies(*made: dict[str, Any]) -> Change:
    added = tuple(quarantine.FoundPolicy(m["metadata"]["namespace"], m["metadata"]["name"], m["spec"]) for m in made)
    return lambda facts: replace(facts, policies=facts.policies + added)


def changed_policy(name: str, spec: dict[str, Any]) -> Change:
    return lambda facts: replace(facts, policies=tuple(replace(p, spec=spec) if p.name == name else p for p in facts.policies))


DAPI = next(s for s in PLAN.environment.services if s.name == "dalp-dapi")
OPEN = routes.policy(PLAN, PLAN.namespace("app"), "oops", {}, egress=[{}])
FAKE_ROUTE = routes.policy(PLAN, PLAN.namespace("app"), "route-dalp-dapi", {"matchLabels": {"a": "b"}}, egress=[{}])
ALL_PODS = routes.for_service(PLAN, DAPI, {})


@pytest.mark.parametrize(
    ("change", "verdict", "finding"),
    [
        (without_policy("default-deny"), Verdict.FAIL, "default-deny is missing"),
        (without_policy(routes.STORE_ROUTE), Verdict.PASS, ""),
        (without_policy("names"), Verdict.FAIL, "names is missing"),
        (
            changed_policy("default-deny", {"podSelector": {}, "policyTypes": ["Ingress"]}),
            Verdict.FAIL,
            "differs from what the drill made",
        ),
        (with_policies(OPEN), Verdict.FAIL, "oops opens a route nobody planned"),
        (with_policies(*routes.common(PLAN), *routes.for_service(PLAN, DAPI, {"app": "dapi"})), Verdict.PASS, ""),
        (with_policies(FAKE_ROUTE), Verdict.FAIL, "route-dalp-dapi opens a route nobody planned"),
        (with_policies(*ALL_PODS), Verdict.FAIL, "route-dalp-dapi opens a route nobody planned"),
    ],
)
def test_policies(change: Change, verdict: Verdict, finding: str) -> None:
    result = quarantine.default_deny_in_force(change(GOOD), PLAN)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)


def every_run(**changes: Any) -> Change:
    return lambda facts: replace(facts, runs=tuple(replace(r, **changes) for r in facts.runs))


def without_target(name: str, runs: int) -> Change:
    return lambda facts: replace(
        facts,
        runs=tuple(
            replace(r, attempts=tuple(a for a in r.attempts if a.name != name)) if i < runs else r for i, r in enumerate(facts.runs)
        ),
    )


def outcome(name: str, value: str) -> Change:
    return lambda facts: replace(
        facts,
        runs=tuple(replace(r, attempts=tuple(replace(a, outcome=value) if a.name == name else a for a in r.attempts)) for r in facts.runs),
    )


@pytest.mark.parametrize(
    ("change", "verdict", "finding"),
    [
        (outcome("rpc-node", "unreachable"), Verdict.PASS, ""),
        (outcome("rpc-node", "connected"), Verdict.FAIL, "rpc-node (10.9.0.3:8545) connected"),
        (outcome("rpc-node", "reset"), Verdict.INCONCLUSIVE, "ended reset"),
        (outcome(CANARY, "unresolved"), Verdict.INCONCLUSIVE, "ended unresolved"),
        (every_run(control=None), Verdict.INCONCLUSIVE, "silence proves nothing"),
        (every_run(control=Attempt("control", "g", 1, "timeout", 3.0)), Verdict.INCONCLUSIVE, "silence proves nothing"),
        (every_run(chain_send="passed_on"), Verdict.FAIL, "passed a send on"),
        (every_run(chain_send="error"), Verdict.INCONCLUSIVE, "was not refused by the gateway"),
        (every_run(complete=False), Verdict.INCONCLUSIVE, "did not finish"),
        (every_run(attempts=()), Verdict.INCONCLUSIVE, CANARY),
        (lambda facts: replace(facts, runs=facts.runs[:1]), Verdict.INCONCLUSIVE, "no probe ran"),
        (lambda facts: replace(facts, runs=()), Verdict.INCONCLUSIVE, "no probe ran"),
        (without_target("dalp/dalp-dapi", 1), Verdict.INCONCLUSIVE, "dalp/dalp-dapi (10.96.0.7:3000) was not tried"),
        (without_target("dalp/dalp-dapi", 3), Verdict.INCONCLUSIVE, "no address of production itself was tried"),
    ],
)
def test_canaries(change: Change, verdict: Verdict, finding: str) -> None:
    result = quarantine.canaries_refused(change(GOOD), PLAN)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)


def test_one_open_canary_fails_even_where_others_are_unproven() -> None:
    facts = every_run(control=None)(outcome("rpc-node", "connected")(GOOD))
    assert quarantine.canaries_refused(facts, PLAN).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (without_target(CANARY, 1), "custody, webhook (sink.outside.svc.cluster.local:8080) was not tried"),
        (without_target("backup-store", 3), "bucket write (10.9.0.1:8333) was not tried"),
        (without_target("object-storage", 1), "bucket write (10.9.0.2:8333) was not tried"),
        (every_run(chain_send="error"), "no chain send was tried"),
        (lambda facts: replace(facts, runs=()), "bucket write"),
    ],
)
def test_every_way_out_is_tried_from_every_namespace(change: Change, finding: str) -> None:
    result = quarantine.canaries_complete(change(GOOD), PLAN)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert finding in "\n".join(result.findings)


def with_sandbox(cluster: str = "same", **changes: Any) -> DrillPlan:
    environment = PLAN.environment
    return replace(
        PLAN, environment=environment.model_copy(update={"cluster": cluster, "sandbox": environment.sandbox.model_copy(update=changes)})
    )


RANGE = PLAN.environment.sandbox.routes.model_copy(update={"backup_store": Route(address="10.9.0.0/24", port=443)})


@pytest.mark.parametrize(
    ("plan", "finding"),
    [
        (with_sandbox(canaries=PLAN.environment.sandbox.canaries[:1]), "no canary of the environment covers mail"),
        (with_sandbox(canaries=PLAN.environment.sandbox.canaries[1:]), "no canary of the environment covers custody"),
        (with_sandbox("separate"), "no canary of the environment covers production"),
        (with_sandbox(routes=RANGE), "no canary of the environment covers bucket"),
    ],
)
def test_a_way_out_that_no_canary_covers_is_no_proof(plan: DrillPlan, finding: str) -> None:
    result = quarantine.canaries_complete(GOOD, plan)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert finding in "\n".join(result.findings)


def namespaces(labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None) -> Change:
    return lambda facts: replace(
        facts,
        namespaces=tuple(
            replace(
                n,
                labels=n.labels if labels is None else labels,
                annotations=n.annotations if annotations is None else annotations,
            )
            for n in facts.namespaces
        ),
    )


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (namespaces(labels={}), "label dalp-dr/drill-id is None"),
        (namespaces(labels=ours() | {naming.LABEL_DRILL: "d-other"}), "is d-other"),
        (namespaces(annotations={}), "expiry is missing"),
        (namespaces(annotations={naming.ANNOTATION_EXPIRES: "2036-10-07T06:00:00Z"}), "expiry is 2036"),
        (lambda facts: replace(facts, quotas=()), "no quota"),
        (lambda facts: replace(facts, namespaces=()), "does not exist"),
    ],
)
def test_ownership(change: Change, finding: str) -> None:
    result = quarantine.sandbox_owned(change(GOOD), PLAN)
    assert result.verdict is Verdict.FAIL
    assert finding in "\n".join(result.findings)
