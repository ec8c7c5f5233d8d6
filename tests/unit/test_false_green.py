"""Ways in which a drill once could have been green for a wrong reason. Each stays closed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import fake_node
import sandbox_sample
import synthetic_drill
from dalp_dr import decide
from dalp_dr.chain import in_flight, reconciliation
from dalp_dr.cli import verify
from dalp_dr.configuration import rebuild
from dalp_dr.configuration.values import Difference
from dalp_dr.database import recovered
from dalp_dr.dossier import Dossier
from dalp_dr.evidence import bundle
from dalp_dr.evidence.verify import NOT_INTACT, READY
from dalp_dr.isolation import privileges
from dalp_dr.kubernetes_resources import backups, restored
from dalp_dr.model.check import Verdict
from dalp_dr.model.environment import Environment
from dalp_dr.model.plan import utc
from dalp_dr.model.record import Record
from dalp_dr.object_storage import join, versions
from dalp_dr.object_storage.listing import Entry, KeyRange
from dalp_dr.object_storage.shards import Shard
from dalp_dr.object_storage.walk import Walk
from dalp_dr.services import health
from dalp_dr.succession import outdated
from dalp_dr.timing.measure import TimingFacts, measure

PLAN = synthetic_drill.a_plan()
GOOD = synthetic_drill.good_records(PLAN)


# ---- an older answer stays in force


def test_figures_of_before_a_rerun_are_not_believed() -> None:
    again = synthetic_drill.a_record(PLAN, "reconciliation", attempt=2)
    proposal = decide.propose(Dossier(PLAN, (*GOOD, again), **synthetic_drill.CATALOGUE))
    assert proposal.decision is decide.Decision.FIX
    assert [r.check for r in proposal.reasons] == ["records_current"]
    assert proposal.reasons[0].findings == ("timing--drill--01.json was begun before reconciliation--drill--02.json was written",)


def test_a_rerun_of_everything_after_it_is_current() -> None:
    again = [synthetic_drill.a_record(PLAN, kind, attempt=2) for kind in ("reconciliation", "configuration")]
    timing = synthetic_drill.a_record(PLAN, "timing", facts=synthetic_drill.TIMING, attempt=2)
    dossier = Dossier(PLAN, (*GOOD, *again, timing), **synthetic_drill.CATALOGUE)
    assert decide.propose(dossier).decision is decide.Decision.READY


OLDER = {
    "a restore was made again after its inventory": ("restore_run", "app", "namespace_inventory", "app", True),
    "a restore of another namespace was made again": ("restore_run", "support", "namespace_inventory", "app", False),
    "the database was recovered again after it was reconciled": ("database_recovery", "drill", "reconciliation", "drill", True),
    "the database was recovered again after the services were healthy": ("database_recovery", "drill", "application_health", "drill", True),
    "a check was repeated that nothing stands on": ("capacity", "drill", "reconciliation", "drill", False),
}


@pytest.mark.parametrize(("ground", "of", "kind", "subject", "is_outdated"), OLDER.values(), ids=OLDER.keys())
def test_a_record_older_than_what_it_looked_at_proves_nothing(ground: str, of: str, kind: str, subject: str, is_outdated: bool) -> None:
    looked = synthetic_drill.a_record(PLAN, kind, subject)
    made = [synthetic_drill.a_record(PLAN, ground, of, attempt=n, recorded_at=f"2026-10-06T06:0{n}:30Z") for n in (1, 4)]
    assert bool(outdated(Dossier(PLAN, (looked, *made)))) is is_outdated


RERUNS = {
    "at rest as the graph makes it": ("06:02", "06:04", "06:01", False),
    "cleared when the services were running": ("06:05", "06:04", "06:01", True),
    "cleared together with the database": ("06:08", "06:04", "06:06", False),
}


@pytest.mark.parametrize(("at_rest", "healthy", "created", "is_late"), RERUNS.values(), ids=RERUNS.keys())
def test_a_database_that_services_have_written_to_is_not_at_rest(at_rest: str, healthy: str, created: str, is_late: bool) -> None:
    def record(kind: str, subject: str, at: str, facts: dict[str, Any]) -> Record:
        return replace(synthetic_drill.a_record(PLAN, kind, subject, recorded_at=f"2026-10-06T{at}:00Z"), facts=facts)

    records = (
        record("database_recovery", "drill", created, {"created_at": f"2026-10-06T{created}:00Z"}),
        record("reconciliation", "drill", at_rest, {}),
        record("application_health", "drill", healthy, {"pods": [{"service": "dalp-worker"}]}),
    )
    assert any("reconciliation" in sentence for sentence in outdated(Dossier(PLAN, records))) is is_late


def test_records_written_after_the_seal_are_named() -> None:
    sealed = synthetic_drill.sealed(PLAN, GOOD)
    failing = synthetic_drill.a_record(PLAN, "reconciliation", facts=synthetic_drill.CountFacts(3, 2), attempt=2)
    assert bundle.unsealed(sealed, GOOD) == ()
    assert bundle.unsealed(sealed, (*GOOD, failing)) == ("reconciliation--drill--02.json",)


# ---- the starter signs


def test_the_starter_cannot_sign_under_the_number_of_the_account() -> None:
    environment = PLAN.environment.model_copy(update={"owners": (synthetic_drill.Owner(user="7", name="Alice"),)})
    plan = replace(PLAN, environment=environment, started_by="alice")
    at = "2026-10-06T06:20:00Z"
    answer = decide.SignOff(plan.drill_id, "ab" * 32, "7", True, "", at, "airflow_account", "owner", signer_name="alice")
    assert "started the drill" in str(decide.sign_off_problem(plan, "ab" * 32, answer))
    assert "cleared" in str(decide.sign_off_problem(replace(plan, started_by="sam"), "ab" * 32, answer, ("alice",)))


# ---- a database that never became ready


def a_cluster(ready: str) -> dict[str, Any]:
    return {
        "metadata": {"name": "dalp-pg", "namespace": "dalp-drill-1-app", "creationTimestamp": "2026-10-06T06:01:00Z"},
        "status": {"conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": "2026-10-06T06:02:00Z"}]},
    }


@pytest.mark.parametrize(("ready", "at"), [("True", "2026-10-06T06:02:00Z"), ("False", None), ("Unknown", None)])
def test_only_a_ready_database_has_a_moment_at_which_it_was_ready(ready: str, at: str | None) -> None:
    assert recovered.facts_from(sandbox_sample.PLAN, a_cluster(ready), None, None).healthy_at == at


# ---- subjects that drop out of every check


def environment_with(**changes: Any) -> dict[str, Any]:
    return synthetic_drill.ENVIRONMENT.model_dump(mode="json") | changes


def left_out(pattern: str) -> dict[str, Any]:
    document = environment_with()
    document["source"]["namespaces"][0]["leave_out"] = [pattern]
    return document


DROPS = {
    "the database cluster's name begins every name": (
        environment_with(database=environment_with()["database"] | {"cluster": "dalp"}),
        "database.cluster",
    ),
    "everything is left out": (left_out("*"), "leave_out: * would leave out"),
    "the signer is left out": (left_out("dalp-s?gner"), "dalp-signer"),
    "one RPC node confirms itself": (
        environment_with(connections={"rpc_primary": "dalp_rpc", "rpc_secondary": "dalp_rpc"}),
        "one node cannot confirm itself",
    ),
}


@pytest.mark.parametrize(("document", "says"), DROPS.values(), ids=DROPS.keys())
def test_an_environment_that_takes_something_out_of_all_checks_is_refused(document: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        Environment.model_validate(document)


def test_rows_that_name_a_bucket_nobody_declared_are_told() -> None:
    row = {"id": "1", "kind": "export", "object_key": "exports/a", "version_id": "v1", "size_bytes": "1", "sha256": "aa"}
    rows = [row | {"bucket": "dalp-documents"}, row | {"id": "2", "bucket": "dalp-exports"}]
    listed = Entry("exports/a", "v1", "2026-10-06T05:00:00", 1, "e", False, True, "")
    read = [{"key": "exports/a", "version_id": "v1", "size_bytes": 1, "sha256": "aa"}]
    plan = sandbox_sample.PLAN
    shard = Shard("dalp-documents", "exports/", 0, (KeyRange("exports/"),))

    def verdict(documents: list[dict[str, Any]]) -> Verdict:
        walked = Walk(utc(versions.point_of(plan)), "seed").over([listed], join.rows_of("dalp-documents", documents))
        found = join.bucket_facts(plan, "dalp-documents", documents, [join.shard_facts(plan, shard, walked, read, 0.1)])
        return versions.judge_documents(found, plan).verdict

    assert (verdict(rows[:1]), verdict(rows)) == (Verdict.PASS, Verdict.INCONCLUSIVE)


def test_a_restore_of_another_backup_is_no_restore_of_this_drill() -> None:
    def verdict(backup: str) -> Verdict:
        facts = restored.RestoreFacts(
            "app", "drill-1-app-1", backup, "Completed", "2026-10-06T06:01:00Z", "2026-10-06T06:02:00Z", 9, (), (), True, (), 9, (), ""
        )
        return restored.judge_completed(facts, PLAN).verdict

    assert (verdict("app-20261006"), verdict("app-20260706")) == (Verdict.PASS, Verdict.FAIL)


# ---- nothing was looked at, and it passed


def test_sessions_that_nobody_looks_for_prove_nothing() -> None:
    silent = tuple(s.model_copy(update={"database_session": None}) for s in sandbox_sample.PLAN.environment.services)
    plan = replace(sandbox_sample.PLAN, environment=sandbox_sample.an_environment(services=silent))
    facts = health.ApplicationHealth((), (), (health.SandboxPod("n", "p", "10.0.0.1", "", True),), sandbox_sample.SYSTEM_ID)
    assert health.sessions_on_restored_database(facts, plan).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("holders", "verdict"), [(1, Verdict.PASS), (0, Verdict.INCONCLUSIVE)])
def test_tokens_that_nobody_holds_reconcile_nothing(holders: int, verdict: Verdict) -> None:
    hashes = {"primary": "0xaa", "secondary": "0xaa"}
    supplies = {"primary": "0", "secondary": "0"}
    token = reconciliation.TokenComparison("0x01", "GLD", "0", supplies, "0", holders, holders, 0, "0", 0, "0", ())
    facts = reconciliation.Reconciliation(9, "0xaa", hashes, "primary", "s", (token,), (), (), (), 0, (), None)
    assert reconciliation.judge_index(facts, PLAN).verdict is verdict


def test_a_malformed_forgery_is_not_a_refused_one() -> None:
    def verdict(status: int, message: str) -> Verdict:
        environment = sandbox_sample.PLAN.environment
        facts = privileges.facts_from(
            [(a, {"allowed": False}) for a in privileges.forbidden(environment)],
            [(f.name, status, message) for f in privileges.forged(environment, sandbox_sample.PLAN)],
            [],
        )
        return privileges.source_writes_denied(facts, sandbox_sample.PLAN).verdict

    assert verdict(422, "forbidden: ValidatingAdmissionPolicy 'dalp-dr-restores' denied request: no") is Verdict.PASS
    assert verdict(422, "Restore is invalid: spec.hooks: Required value") is Verdict.INCONCLUSIVE


# ---- figures that were zero by construction


def a_release(installed: str) -> rebuild.Configuration:
    differing = () if installed == "same" else (Difference("replicas", "aa", "bb"),)
    return rebuild.Configuration(
        "a" * 40,
        tuple(
            rebuild.Rebuilt(role, role, 1, "deployed", role, "1", "1", "aa", "aa", differing, ("Service/a",), (), ()) for role in PLAN.roles
        ),
    )


def measured(**facts: Any) -> TimingFacts:
    plan = sandbox_sample.PLAN
    found = [
        synthetic_drill.a_record(plan, kind, "dalp-documents" if kind == "object_versions" else "drill", value, captures=())
        for kind, value in facts.items()
    ]
    return measure(plan, found)


def test_objects_are_as_old_as_the_rows_they_were_compared_with() -> None:
    listing = join.bucket_facts(sandbox_sample.PLAN, "dalp-documents", [], [])
    assert measured(object_versions=listing).rpo_by_surface["object_storage"] == 30.0


@pytest.mark.parametrize(("installed", "rpo"), [("same", 0.0), ("other", None)])
def test_configuration_that_git_does_not_have_is_not_recovered_without_loss(installed: str, rpo: float | None) -> None:
    assert measured(configuration=a_release(installed)).rpo_by_surface["configuration"] == rpo


def test_reconciled_is_when_the_last_comparison_with_the_chain_was_done() -> None:
    hashes = {"primary": "0xaa", "secondary": "0xaa"}
    token = reconciliation.TokenComparison("0x01", "GLD", "5", hashes.fromkeys(hashes, "5"), "5", 1, 1, 1, "5", 1, "5", ())
    facts = reconciliation.Reconciliation(9, "0xaa", hashes, "primary", "s", (token,), (), (), (), 1, (), None)
    plan = sandbox_sample.PLAN
    records = [
        synthetic_drill.a_record(plan, "reconciliation", facts=facts, recorded_at="2026-10-06T06:04:00Z"),
        synthetic_drill.a_record(plan, "catch_up", facts=facts, recorded_at="2026-10-06T06:05:00Z"),
        synthetic_drill.a_record(plan, "chain", recorded_at="2026-10-06T06:07:00Z"),
    ]
    assert [m.at for m in measure(plan, records).marks if m.name == "reconciled"] == ["2026-10-06T06:07:00Z"]


def test_an_attempt_that_a_later_one_replaced_is_not_ready_any_more(tmp_path: Path) -> None:
    folder = tmp_path / PLAN.drill_id
    first = synthetic_drill.decided(synthetic_drill.sealed(PLAN, GOOD))
    first.write(folder / "bundle")
    assert verify.check(folder / "bundle", (synthetic_drill.PUBLIC,), **synthetic_drill.CATALOGUE).exit_code == READY
    (folder / "bundle").rename(folder / "bundle-01")
    failing = synthetic_drill.a_record(PLAN, "reconciliation", facts=synthetic_drill.CountFacts(3, 2), attempt=2)
    synthetic_drill.sealed(PLAN, (*GOOD, failing), previous=first.manifest_sha256, attempt=2).write(folder / "bundle")
    again = verify.check(folder / "bundle-01", (synthetic_drill.PUBLIC,), **synthetic_drill.CATALOGUE)
    assert again.exit_code == NOT_INTACT and "later attempt" in again.problems[0].what


def test_the_data_of_a_namesake_in_another_namespace_is_not_this_claims() -> None:
    entry = {"pvcName": "data-0", "pvcNamespace": "other", "backupMethod": "PodVolumeBackup", "pvbInfo": {"size": 5}, "result": "succeeded"}
    assert [(v.method, v.bytes_) for v in backups.volumes(["data-0"], [entry], "dalp")] == [("none", None)]
    assert [(v.method, v.bytes_) for v in backups.volumes(["data-0"], [entry], "other")] == [("PodVolumeBackup", 5)]


def test_a_transfer_of_a_token_that_no_request_names_is_lost_too() -> None:
    at = int(utc("2026-10-06T05:59:30Z").timestamp()) - 2 * 100
    node = fake_node.Node(head=200, genesis_seconds=at, transfers=[(150, 1, fake_node.ZERO, fake_node.ALICE, 7)])
    checkpoint = [{"chain_id": "31337", "block_number": "90", "block_hash": fake_node.digest(90)}]
    nodes = {"primary": node, "secondary": node}
    assert in_flight.facts_from(sandbox_sample.PLAN, [], checkpoint, nodes).operations_lost == 0
    assert in_flight.facts_from(sandbox_sample.PLAN, [], checkpoint, nodes, [{"address": fake_node.TOKEN}]).operations_lost == 1


# ---- a real green bundle, damaged in every place

EXAMPLE = bundle.read(Path(__file__).resolve().parents[2] / "docs/example/bundle").dossier()
TOLD_ONLY = {"software"}  # kinds that no check asks for


def decided(records: list[Record]) -> decide.Decision:
    return decide.propose(Dossier(EXAMPLE.plan, tuple(records))).decision


@pytest.mark.parametrize("name", [r.name for r in EXAMPLE.records if r.kind not in TOLD_ONLY])
def test_a_record_that_is_lost_or_without_facts_is_not_ready(name: str) -> None:
    rest = [r for r in EXAMPLE.records if r.name != name]
    record = next(r for r in EXAMPLE.records if r.name == name)
    assert decided([*rest, record]) is decide.Decision.READY
    assert decided(rest) is decide.Decision.FIX
    assert decided([*rest, replace(record, facts=None, error="no answer")]) is decide.Decision.FIX


FIGURES = {
    "rto_seconds": 0.0,
    "rtt_seconds": 0.0,
    "rpo_seconds": 0.0,
    "rpo_by_surface": {},
    "services_healthy_seconds": 1.0,
    "business_rpo": None,
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_that_the_other_records_do_not_give_is_not_believed(name: str) -> None:
    """RTO and RPO are what claims publish; a record that states better ones makes nothing ready."""
    timing = next(r for r in EXAMPLE.records if r.kind == "timing")
    better = replace(timing, facts={**(timing.facts or {}), name: FIGURES[name]})
    proposal = decide.propose(Dossier(EXAMPLE.plan, tuple(better if r is timing else r for r in EXAMPLE.records)))
    assert proposal.decision is decide.Decision.FIX
    assert {r.verdict for r in proposal.reasons if r.check == "rto_met"} == {Verdict.FAIL}
    assert any(name in finding for r in proposal.reasons for finding in r.findings)


def test_figures_that_cannot_be_computed_are_not_believed() -> None:
    """The record they come from has facts of another shape."""
    broken = [replace(r, facts={**(r.facts or {}), "polls": "many"}) if r.kind == "application_health" else r for r in EXAMPLE.records]
    proposal = decide.propose(Dossier(EXAMPLE.plan, tuple(broken)))
    assert any("cannot be computed" in finding for r in proposal.reasons if r.check == "rto_met" for finding in r.findings)
