"""Source and sandbox must differ, and what exists must be ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dalp_dr.isolation import guard
from dalp_dr.model.check import Verdict
from sandbox_sample import PLAN, a_namespace, a_plan, an_environment, ours

APP = PLAN.namespace("app")
ONE, OTHER = a_namespace("kube-system", uid="c-1"), a_namespace("kube-system", uid="c-2")


@pytest.mark.parametrize(
    ("mode", "sandbox", "existing", "verdict", "finding"),
    [
        ("same", ONE, [], Verdict.PASS, ""),
        ("same", ONE, [a_namespace(APP, ours())], Verdict.PASS, ""),
        ("same", OTHER, [], Verdict.FAIL, "leads to another cluster"),
        ("separate", OTHER, [], Verdict.PASS, ""),
        ("separate", ONE, [], Verdict.FAIL, "leads to the source cluster"),
        (
            "same",
            ONE,
            [a_namespace(APP, ours() | {"kots.io/app-slug": "settlemint-dalp"})],
            Verdict.FAIL,
            "production's mark kots.io/app-slug",
        ),
        (
            "same",
            ONE,
            [a_namespace(APP, ours(), {"meta.helm.sh/release-name": "dalp"})],
            Verdict.FAIL,
            "meta.helm.sh/release-name",
        ),
        ("same", a_namespace("kube-system", uid=""), [], Verdict.INCONCLUSIVE, ""),
    ],
)
def test_sandbox_is_not_source(mode: str, sandbox: dict[str, Any], existing: list[dict[str, Any]], verdict: Verdict, finding: str) -> None:
    plan = a_plan(an_environment(cluster=mode))
    result = guard.sandbox_is_not_source(guard.facts_from(plan, ONE, sandbox, existing), plan)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)


def test_the_same_namespace_on_both_sides_is_found_whatever_the_addresses_say() -> None:
    facts = guard.Guard("c-1", "c-1", ("dalp",), ("dalp",), ())
    findings = "\n".join(guard.sandbox_is_not_source(facts, PLAN).findings)
    assert "dalp is source and sandbox at once" in findings
    assert "does not begin with dalp-drill-" in findings


@pytest.mark.parametrize("names", ["source_namespaces", "sandbox_namespaces"])
def test_nothing_is_proven_by_comparing_nothing(names: str) -> None:
    good = guard.Guard("c-1", "c-1", tuple(n.name for n in PLAN.environment.source.namespaces), tuple(map(PLAN.namespace, PLAN.roles)), ())
    assert guard.sandbox_is_not_source(good, PLAN).verdict is Verdict.PASS
    assert guard.sandbox_is_not_source(replace(good, **{names: ()}), PLAN).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("existing", "verdict", "finding"),
    [
        ([], Verdict.PASS, ""),
        ([a_namespace(APP, ours())], Verdict.PASS, ""),
        ([a_namespace(APP)], Verdict.FAIL, "belongs to somebody else"),
        (
            [a_namespace(APP, ours() | {"dalp-dr/drill-id": "d-20260101-00000000"})],
            Verdict.FAIL,
            "belongs to d-20260101-00000000",
        ),
        ([a_namespace(APP, ours() | {"dalp-dr/environment": "other"})], Verdict.FAIL, "exists and belongs"),
        ([a_namespace(APP, ours(), phase="Terminating")], Verdict.FAIL, "is being deleted"),
    ],
)
def test_sandbox_is_ours_or_absent(existing: list[dict[str, Any]], verdict: Verdict, finding: str) -> None:
    result = guard.sandbox_is_ours_or_absent(guard.facts_from(PLAN, ONE, ONE, existing), PLAN)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)


E, NAMES = PLAN.environment, PLAN.environment.connections
APART = {NAMES.evidence_store: "https://evidence.example.com", NAMES.backup_store: "http://s3:8333", NAMES.object_storage: "http://s3:8333"}


def stores(evidence_bucket: str = "dalp-evidence", **endpoints: str) -> tuple[guard.StorePlace, ...]:
    return guard.places(E.model_copy(update={"evidence_bucket": evidence_bucket}), APART | endpoints)


@pytest.mark.parametrize(
    ("places", "verdict", "finding"),
    [
        (stores(), Verdict.PASS, ""),
        (stores("velero"), Verdict.PASS, ""),
        (stores(dalp_evidence_store="http://s3:8333"), Verdict.PASS, ""),
        (stores("velero", dalp_evidence_store="http://s3:8333"), Verdict.FAIL, "where the backups are"),
        (stores("velero", dalp_evidence_store="http://S3:8333/"), Verdict.FAIL, "where the backups are"),
        (stores("dalp-wal", dalp_evidence_store="http://s3:8333"), Verdict.FAIL, "where the archive is"),
        (stores("dalp-documents", dalp_evidence_store="http://s3:8333"), Verdict.FAIL, "where the documents are"),
        (stores()[:1], Verdict.INCONCLUSIVE, ""),
        (stores()[1:], Verdict.INCONCLUSIVE, ""),
        ((), Verdict.INCONCLUSIVE, ""),
    ],
)
def test_evidence_is_kept_apart(places: tuple[guard.StorePlace, ...], verdict: Verdict, finding: str) -> None:
    result = guard.evidence_apart(guard.facts_from(PLAN, ONE, ONE, [], places), PLAN)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)


@pytest.mark.parametrize(
    ("beside", "verdict", "finding"),
    [
        ([], Verdict.PASS, ""),
        (["dalp"], Verdict.FAIL, "production's namespace dalp"),
        (None, Verdict.INCONCLUSIVE, ""),
    ],
    ids=["an empty cluster", "production's own cluster", "nobody looked"],
)
def test_a_lost_source_cannot_tell_its_uid_so_its_namespaces_must_be_absent(beside: Any, verdict: Verdict, finding: str) -> None:
    plan = a_plan(an_environment(cluster="separate"), source_lost=True)
    result = guard.sandbox_is_not_source(guard.facts_from(plan, None, OTHER, [], (), beside), plan)
    assert result.verdict is verdict
    assert finding in " ".join(result.findings)
