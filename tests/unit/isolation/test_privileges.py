"""What is asked of the authorizer, and how its answers are judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dalp_dr.isolation import privileges
from dalp_dr.isolation.permissions import RELEASE_REVISIONS, release_secrets
from dalp_dr.isolation.privileges import Access, Privileges, StoreAnswer
from dalp_dr.model.check import CheckResult, Verdict
from dalp_dr.model.record import RecordKind, encode
from sandbox_sample import PLAN

ENVIRONMENT = PLAN.environment
NEEDED, FORBIDDEN = privileges.needed(ENVIRONMENT), privileges.forbidden(ENVIRONMENT)


def good() -> Privileges:
    return privileges.facts_from(
        [*((a, {"allowed": True}) for a in NEEDED), *((a, {"allowed": False}) for a in FORBIDDEN)],
        [(f.name, 422, "denied") for f in privileges.forged(ENVIRONMENT, PLAN)],
        [StoreAnswer(c, b, "CreateMultipartUpload", 403, "AccessDenied") for c, b in privileges.stores(ENVIRONMENT)],
    )


GOOD = good()


def test_good_answers_pass_also_after_storing() -> None:
    stored = RecordKind("privileges", Privileges, "preflight").decode(encode(GOOD))
    assert stored == GOOD
    for judge in (privileges.needed_verbs_allowed, privileges.source_writes_denied, privileges.read_keys_cannot_write):
        assert judge(stored, PLAN).verdict is Verdict.PASS


def test_nothing_that_is_needed_is_forbidden() -> None:
    assert set(NEEDED) & set(FORBIDDEN) == set()


def test_the_reader_needs_no_write_and_no_secret_but_releases() -> None:
    reader = [a for a in NEEDED if a.identity == "source-reader"]
    assert {a.verb for a in reader} <= {"get", "list", "watch"}
    assert {a.name.rsplit(".", 1)[0] for a in reader if a.resource == "secrets"} == {
        f"sh.helm.release.v1.{n.release}" for n in ENVIRONMENT.source.namespaces
    }


def test_the_drill_needs_nothing_in_a_source_namespace() -> None:
    names = {n.name for n in ENVIRONMENT.source.namespaces}
    assert [a for a in NEEDED if a.identity == "drill" and a.namespace in names] == []


@pytest.mark.parametrize(
    "access",
    [
        Access("drill", "create", "", "pods", "exec", "dalp"),
        Access("source-reader", "delete", "postgresql.cnpg.io", "clusters", "", "dalp"),
        Access("drill", "patch", "velero.io", "backups", "", "velero"),
        Access("source-reader", "create", "velero.io", "restores", "", "velero"),
        Access("drill", "list", "", "secrets", "", "dalp-support"),
        Access("drill", "delete", "velero.io", "backupstoragelocations", "", "velero"),
        Access("drill", "create", "velero.io", "deletebackuprequests", "", "velero"),
    ],
)
def test_writes_that_would_hurt_are_asked(access: Access) -> None:
    assert access in FORBIDDEN


def test_release_secrets_are_tried_newest_first() -> None:
    names = release_secrets("dalp")
    assert (names[0], names[-1], len(names)) == (
        f"sh.helm.release.v1.dalp.v{RELEASE_REVISIONS}",
        "sh.helm.release.v1.dalp.v1",
        RELEASE_REVISIONS,
    )


def answered(wanted: bool, allowed: bool | None) -> Callable[[Privileges], Privileges]:
    def change(facts: Privileges) -> Privileges:
        index = next(i for i, a in enumerate(facts.answers) if a.access == (NEEDED if wanted else FORBIDDEN)[0])
        return replace(
            facts,
            answers=(
                *facts.answers[:index],
                replace(facts.answers[index], allowed=allowed),
                *facts.answers[index + 1 :],
            ),
        )

    return change


def without(wanted: bool) -> Callable[[Privileges], Privileges]:
    lost = set(NEEDED if wanted else FORBIDDEN)
    return lambda facts: replace(facts, answers=tuple(a for a in facts.answers if a.access not in lost))


def forged(status: int) -> Callable[[Privileges], Privileges]:
    return lambda facts: replace(facts, forged=tuple(replace(f, status=status) for f in facts.forged))


def stores(status: int | None) -> Callable[[Privileges], Privileges]:
    return lambda facts: replace(facts, stores=tuple(replace(s, status=status) for s in facts.stores))


def no_such_upload(facts: Privileges) -> Privileges:
    return replace(facts, stores=tuple(replace(s, status=404, code="NoSuchUpload", operation="UploadPart") for s in facts.stores))


Judge = Callable[[Privileges, object], CheckResult]


@pytest.mark.parametrize(
    ("judge", "change", "verdict", "finding"),
    [
        (privileges.needed_verbs_allowed, answered(True, False), Verdict.FAIL, "source-reader: get namespaces"),
        (privileges.needed_verbs_allowed, answered(True, None), Verdict.INCONCLUSIVE, "source-reader: get namespaces"),
        (privileges.needed_verbs_allowed, without(True), Verdict.INCONCLUSIVE, "drill: create"),
        (privileges.source_writes_denied, answered(False, True), Verdict.FAIL, "is allowed"),
        (
            privileges.source_writes_denied,
            answered(False, None),
            Verdict.INCONCLUSIVE,
            "source-reader: create pods in dalp",
        ),
        (privileges.source_writes_denied, without(False), Verdict.INCONCLUSIVE, "drill"),
        (privileges.source_writes_denied, forged(201), Verdict.FAIL, "forged: restore into production was admitted"),
        (privileges.source_writes_denied, forged(500), Verdict.INCONCLUSIVE, "forged: restore into production"),
        (privileges.source_writes_denied, forged(403), Verdict.PASS, ""),
        (privileges.source_writes_denied, lambda f: replace(f, forged=()), Verdict.INCONCLUSIVE, "forged"),
        (privileges.read_keys_cannot_write, stores(200), Verdict.FAIL, "may write to bucket velero"),
        (privileges.read_keys_cannot_write, stores(503), Verdict.INCONCLUSIVE, "status 503"),
        (privileges.read_keys_cannot_write, stores(None), Verdict.INCONCLUSIVE, "status None"),
        (privileges.read_keys_cannot_write, stores(404), Verdict.INCONCLUSIVE, "status 404"),
        (privileges.read_keys_cannot_write, no_such_upload, Verdict.FAIL, "UploadPart: 404 NoSuchUpload"),
        (
            privileges.read_keys_cannot_write,
            lambda f: replace(f, stores=f.stores[1:]),
            Verdict.INCONCLUSIVE,
            "not asked",
        ),
    ],
)
def test_judgement(judge: Judge, change: Callable[[Privileges], Privileges], verdict: Verdict, finding: str) -> None:
    result = judge(change(GOOD), PLAN)
    assert result.verdict is verdict
    assert finding in "\n".join(result.findings)


def test_an_evaluation_error_of_the_authorizer_is_no_answer() -> None:
    facts = privileges.facts_from([(NEEDED[0], {"allowed": False, "evaluationError": "no role"})], [], [])
    assert facts.answers[0].allowed is None


def test_answers_of_stores_may_be_plain_dicts() -> None:
    said = {"connection": "c", "bucket": "b", "operation": "UploadPart", "status": 403, "code": "AccessDenied"}
    assert privileges.facts_from([], [], [said]).stores == (StoreAnswer("c", "b", "UploadPart", 403, "AccessDenied"),)


def test_of_a_lost_source_nothing_is_asked() -> None:
    needed, forbidden = privileges.needed(ENVIRONMENT, source_lost=True), privileges.forbidden(ENVIRONMENT, True)
    assert {a.identity for a in (*needed, *forbidden)} == {"drill"}
    assert set(needed) < set(NEEDED) and set(forbidden) < set(FORBIDDEN)
    assert {a.namespace for a in forbidden} >= {n.name for n in ENVIRONMENT.source.namespaces}, "names of production stay closed"
