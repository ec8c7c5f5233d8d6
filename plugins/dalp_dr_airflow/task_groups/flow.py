"""The whole flow of a drill, readable from top to bottom.

    plan -> preflight -> isolate -> restore -> verify -> start -> reconcile -> route_switch -> measure -> seal -> sign_off -> decide
                                                                    (teardown hangs on isolate and runs always)

The annual test has two more before `isolate`: `simulate`, since production's cluster is lost, and `rebuild`.

Reconciliation looks twice: at rest, before any restored service may write, and once more while the services run.

Joins run as soon as everything before them is done and the sandbox was proven closed (LEARN): one finding never hides
another, and a refused drill leaves the later stages upstream_failed and is sealed all the same. `seal` and `decide`
always run; `decide` is the only leaf and green for READY alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from airflow.sdk import BaseOperator, TaskGroup, TriggerRule

from dalp_dr_airflow.assets import EVIDENCE
from dalp_dr_airflow.notifications.outcomes import on_not_ready
from dalp_dr_airflow.operators.archive_after import ArchiveAfterOperator
from dalp_dr_airflow.operators.chain import CatchUpOperator, ChainContinuityOperator, InFlightCensusOperator, ReconciliationOperator
from dalp_dr_airflow.operators.cluster_loss import ClusterLossOperator, EscrowOperator, PlatformOperator
from dalp_dr_airflow.operators.configuration import HelmConfigurationOperator
from dalp_dr_airflow.operators.database import CnpgRecoveryOperator, RecoveryPointProofOperator
from dalp_dr_airflow.operators.database_comparison import SourceComparisonOperator
from dalp_dr_airflow.operators.database_integrity import DatabaseIntegrityOperator
from dalp_dr_airflow.operators.decide import DecideOperator
from dalp_dr_airflow.operators.exposure import BackupExposureOperator, SandboxExposureOperator
from dalp_dr_airflow.operators.isolate import QuarantineProbeOperator, SandboxOperator
from dalp_dr_airflow.operators.measure import ManualChangeOperator, MeasureOperator
from dalp_dr_airflow.operators.objects import BucketVersionCheckOperator, ObjectShardsOperator, ObjectVersionsOperator
from dalp_dr_airflow.operators.plan import PlanOperator
from dalp_dr_airflow.operators.preflight import (
    ArchiveCheckOperator,
    BackupCheckOperator,
    BucketProtectionOperator,
    PreflightGateOperator,
    SafetyCheckOperator,
)
from dalp_dr_airflow.operators.report import ReportOperator
from dalp_dr_airflow.operators.route_switch import RouteSwitchOperator
from dalp_dr_airflow.operators.seal import SealEvidenceOperator
from dalp_dr_airflow.operators.services import ServiceHealthOperator, ServiceStartOperator, TelemetryOperator, UserJourneyOperator
from dalp_dr_airflow.operators.sign_off import SignOffOperator
from dalp_dr_airflow.operators.targets import TargetChangeOperator
from dalp_dr_airflow.operators.teardown import SandboxTeardownOperator
from dalp_dr_airflow.operators.velero import NamespaceInventoryOperator, VeleroRestoreOperator, VolumeContentOperator
from dalp_dr_airflow.task_groups import settings

LEARN = TriggerRule.ALL_DONE_MIN_ONE_SUCCESS
ALWAYS = TriggerRule.ALL_DONE
SIGN_OFF_WITHIN = timedelta(days=7)  # an unanswered question ends as a failed task: FIX, never an approval
Tasks = Sequence[BaseOperator]


def drill(roles: Sequence[str], owners: Sequence[str], surfaces_only: bool = False, source_lost: bool = False) -> None:
    """Builds all stages inside the current DAG. `roles`: roles of the source namespaces; `owners`: who may sign off.

    `source_lost`: production's cluster is lost; everything comes from bucket, Git and escrow.
    """
    frozen = plan(source_lost)
    checked = preflight(frozen)
    ground = [checked, *(rebuild(checked, simulate(checked)) if source_lost else ())]
    sandbox, proven = isolate(ground)
    restored = restore(proven, roles)
    verified = verify(proven, restored)
    started = start(proven, verified)
    reconciled = reconcile(proven, started)
    switched = reconciled if surfaces_only else route_switch(proven, reconciled)
    measured = measure(proven, switched)
    sealed, refused = seal([frozen, *ground, *measured])
    signed = None if surfaces_only else sign_off(sealed, owners)
    signers = [sealed, refused, *([signed] if signed else [])]
    if source_lost:
        signers.append(report(signers))
    decided = decide([*signers, *([targets(signers)] if source_lost else [])], surfaces_only)
    removed = teardown(sandbox, sealed)
    settings.where_the_key_is(frozen, *signers, decided, removed)


def plan(source_lost: bool) -> BaseOperator:
    """Freezes the recovery points; a rerun adopts them."""
    with TaskGroup("plan", tooltip="Freeze the recovery point of every surface, take the lease, open the ledger"):
        return PlanOperator(task_id="freeze", source_lost=source_lost)


def preflight(frozen: BaseOperator) -> BaseOperator:
    """May we start? Every question is asked, then one gate refuses or lets go on."""
    with TaskGroup("preflight", tooltip="May we start? Reads only"):
        asked = [
            SafetyCheckOperator(task_id="safety"),
            BackupCheckOperator(task_id="backups"),
            ArchiveCheckOperator(task_id="wal_archive"),
            BucketProtectionOperator(task_id="buckets"),
            BackupExposureOperator(task_id="exposure"),
        ]
        gate = PreflightGateOperator(task_id="gate", trigger_rule=ALWAYS, retries=0)
        frozen >> asked >> gate
    return gate


def simulate(checked: BaseOperator) -> BaseOperator:
    """Simulate cluster failure: is production gone for this drill? Whatever is still reached is a finding."""
    with TaskGroup("simulate", tooltip="Simulate cluster failure: production's API, objects and database are gone"):
        lost = ClusterLossOperator(task_id="cluster_loss")
        checked >> lost
    return lost


def rebuild(checked: BaseOperator, lost: BaseOperator) -> Tasks:
    """The ground of the full recovery procedure: operators, rendered configuration, Secrets; from Git and escrow alone."""
    with TaskGroup(
        "rebuild", tooltip="Execute the full recovery procedure: operators and APIs, configuration from Git, Secrets from escrow"
    ):
        rebuilt = [
            PlatformOperator(task_id="platform", trigger_rule=LEARN),
            EscrowOperator(task_id="escrow", trigger_rule=LEARN),
        ]
        for task in rebuilt:
            [checked, lost] >> task
    return rebuilt


def isolate(ground: Tasks) -> tuple[BaseOperator, BaseOperator]:
    """A closed sandbox, proven before anything runs in it."""
    with TaskGroup("isolate", tooltip="Make the sandbox and prove that nothing gets out"):
        sandbox = SandboxOperator(task_id="sandbox", trigger_rule=LEARN).as_setup()
        proven = QuarantineProbeOperator(task_id="canaries", when="before")
        ground >> sandbox >> proven
    return sandbox, proven


def restore(proven: BaseOperator, roles: Sequence[str]) -> Tasks:
    """Database and namespaces, in parallel where independent; the database's cluster exists before its namespace is restored."""
    with TaskGroup("restore", tooltip="Database, Kubernetes resources, observability data"):
        database = CnpgRecoveryOperator(task_id="database")
        namespaces = {
            role: VeleroRestoreOperator(task_id=f"kubernetes_{role}", role=role, **({"trigger_rule": LEARN} if role == roles[0] else {}))
            for role in roles
        }
        proven >> [database, *namespaces.values()]
        database >> namespaces[roles[0]]
    return [database, *namespaces.values()]


def verify(proven: BaseOperator, restored: Tasks) -> Tasks:
    """Is what came back what was lost? Before any production code has run."""
    with TaskGroup("verify", tooltip="Recovery point, integrity, inventory, volumes, object versions, configuration"):
        database = [
            RecoveryPointProofOperator(task_id="recovery_point", trigger_rule=LEARN),
            DatabaseIntegrityOperator(task_id="database_integrity", trigger_rule=LEARN),
            SourceComparisonOperator(task_id="source_comparison", trigger_rule=LEARN),
            object_versions(proven, restored[0]),
            # Chain, balances and what was under way are read at rest: a released worker or indexer would change them.
            ChainContinuityOperator(task_id="chain", trigger_rule=LEARN),
            ReconciliationOperator(task_id="balances", trigger_rule=LEARN),
            InFlightCensusOperator(task_id="in_flight", trigger_rule=LEARN),
        ]
        namespaces = [
            NamespaceInventoryOperator(task_id="inventory", trigger_rule=LEARN),
            VolumeContentOperator(task_id="volumes", trigger_rule=LEARN),
            HelmConfigurationOperator(task_id="configuration", trigger_rule=LEARN),
            SandboxExposureOperator(task_id="exposure", trigger_rule=LEARN),
        ]
        [proven, restored[0]] >> database[0]
        for task in (*database[1:], *namespaces):
            [proven, *(restored[:1] if task in database else restored)] >> task
    return [*database, *namespaces]


def object_versions(proven: BaseOperator, database: BaseOperator) -> BaseOperator:
    """The buckets' versions beside the rows of the restored database: a mapped task for each shard, and their join."""
    shards = ObjectShardsOperator(task_id="object_shards", trigger_rule=LEARN)
    listed = BucketVersionCheckOperator.partial(task_id="object_listing", trigger_rule=LEARN).expand(shard=shards.output)
    joined = ObjectVersionsOperator(task_id="object_versions", trigger_rule=LEARN, shards=shards.output)
    [proven, database] >> shards
    proven >> [listed, joined]
    listed >> joined
    return joined


def start(proven: BaseOperator, verified: Tasks) -> Tasks:
    """Services in dependency order on the restored state, workers last."""
    with TaskGroup("start", tooltip="Open the allowed routes, release the held services, watch their health"):
        services = ServiceStartOperator(task_id="services", trigger_rule=LEARN)
        health = ServiceHealthOperator(task_id="health", trigger_rule=LEARN)
        telemetry = TelemetryOperator(task_id="telemetry", trigger_rule=LEARN)
        [proven, *verified] >> services
        [proven, services] >> health
        [proven, services] >> telemetry
    return [health, telemetry]


def reconcile(proven: BaseOperator, started: Tasks) -> Tasks:
    """The index once more while the services run; then the same values as a user sees them."""
    with TaskGroup("reconcile", tooltip="The index after it has gone on; a reader's journey"):
        running = CatchUpOperator(task_id="catch_up", trigger_rule=LEARN)
        journey = UserJourneyOperator(task_id="user_journey", trigger_rule=LEARN)
        [proven, *started] >> running
        [proven, running] >> journey
    return [running, journey]


def route_switch(proven: BaseOperator, reconciled: Tasks) -> Tasks:
    """The public hosts moved to the restored stack and back, where the drill includes it and everything before has passed."""
    with TaskGroup("route_switch", tooltip="Clients of the drill's public hosts reach the restored stack; timed, and moved back"):
        switched = RouteSwitchOperator(task_id="rehearse", trigger_rule=LEARN)
        [proven, *reconciled] >> switched
    return [*reconciled, switched]


def measure(proven: BaseOperator, reconciled: Tasks) -> Tasks:
    """Figures from marks; and whether the sandbox is still closed and untouched."""
    with TaskGroup("measure", tooltip="RTO, RPO of every surface, RTT; canaries again; manual changes"):
        timing = MeasureOperator(task_id="timing", trigger_rule=LEARN, retries=0)
        closing = [
            QuarantineProbeOperator(task_id="canaries_again", when="after", trigger_rule=LEARN),
            ManualChangeOperator(task_id="manual_changes", trigger_rule=LEARN),
            ArchiveAfterOperator(task_id="archive", trigger_rule=LEARN),
        ]
        for task in (timing, *closing):
            [proven, *reconciled] >> task
    return [timing, *closing]


def seal(before: Tasks) -> tuple[BaseOperator, BaseOperator]:
    """The bundle of everything recorded so far, signed; also that of a drill that never got its sandbox.

    Airflow runs no task between a setup and its teardown when the setup did not succeed, whatever the trigger rule. What
    seals a refused drill therefore does not stand before the teardown.
    """
    with TaskGroup("seal", tooltip="Bundle, signature, ledger, report"):
        sealed = SealEvidenceOperator(task_id="evidence", trigger_rule=ALWAYS, outlets=[EVIDENCE])
        refused = SealEvidenceOperator(task_id="refusal", trigger_rule=TriggerRule.ALL_FAILED)
        before >> sealed >> refused
    return sealed, refused


def sign_off(sealed: BaseOperator, owners: Sequence[str]) -> BaseOperator:
    """An owner approves this digest; silence is not approval."""
    with TaskGroup("sign_off", tooltip="The owner's approval of the sealed bundle"):
        signed = SignOffOperator(
            task_id="owner",
            assigned_users=[{"id": o, "name": o} for o in owners],
            retry_policy=None,
            execution_timeout=None,
            response_timeout=SIGN_OFF_WITHIN,
        )
        sealed >> signed
    return signed


def report(said: Tasks) -> BaseOperator:
    """Report to the accountable operating team; before the decision, which is the only leaf, and without a say in it."""
    with TaskGroup("report", tooltip="Report to the accountable operating team"):
        told = ReportOperator(task_id="accountable_team", trigger_rule=ALWAYS, retries=1)
        said >> told
    return told


def targets(said: Tasks) -> BaseOperator:
    """Update SLA or operating target if needed: a proposal for review, never a change."""
    with TaskGroup("targets", tooltip="Update the SLA or operating target if needed: a proposal for review"):
        changed = TargetChangeOperator(task_id="proposal", trigger_rule=ALWAYS, retries=1)
        said >> changed
    return changed


def decide(said: Tasks, surfaces_only: bool) -> BaseOperator:
    """READY or FIX. The only leaf."""
    with TaskGroup("decide", tooltip="READY, or FIX with its reasons"):
        decided = DecideOperator(
            task_id="decision",
            surfaces_only=surfaces_only,
            trigger_rule=ALWAYS,
            retries=0,
            outlets=[EVIDENCE],
            on_failure_callback=on_not_ready,
        )
        said >> decided
    return decided


def teardown(sandbox: BaseOperator, sealed: BaseOperator) -> BaseOperator:
    """Removes the sandbox, or keeps it for on-call and says until when."""
    with TaskGroup("teardown", tooltip="Remove what is ours, prove it gone"):
        removed = SandboxTeardownOperator(task_id="sandbox", retries=0)
        sealed >> removed.as_teardown(setups=sandbox, on_failure_fail_dagrun=False)
    return removed
