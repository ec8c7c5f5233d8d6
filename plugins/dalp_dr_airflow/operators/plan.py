"""The plan stage: checks the request, takes the lease, freezes one recovery point per surface, opens the ledger."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from dalp_dr import planning
from dalp_dr.database import point
from dalp_dr.errors import InputError, RefusedError
from dalp_dr.evidence import canonical, keys, ledger, records
from dalp_dr.model.environment import Route
from dalp_dr.model.plan import DatabasePoint, DrillPlan
from dalp_dr_airflow import fence, provenance
from dalp_dr_airflow.drill import Drill, Gathered, environment_of, masked
from dalp_dr_airflow.hooks.connections import endpoint, signing_key, trusted_keys
from dalp_dr_airflow.operators.archive import read_archive
from dalp_dr_airflow.operators.base import DrillOperator
from dalp_dr_airflow.operators.dry_run import describe

if TYPE_CHECKING:
    from airflow.sdk import Context


class PlanOperator(DrillOperator):
    """Freezes the drill. A rerun adopts the frozen plan: neither target nor clock ever move.

    :param source_lost: the drill does without production: it reads bucket, Git and escrow alone.
    """

    def __init__(self, *, source_lost: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source_lost = source_lost

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Says why in XCom when the drill is refused here: there is no plan, so no bundle will say it."""
        try:
            return super().execute(context)
        except (InputError, RefusedError) as error:
            context["ti"].xcom_push(key="refusal", value=masked(error.diagnostics()))
            raise

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        asked = self.request(context)
        planning.must_suit(drill.environment, asked)
        drill.source_lost = asked.source_lost
        if context["params"].get("dry_run"):
            self.only_describe(drill, context, asked)
        key = signing_key(drill.environment.connections.evidence_signing)
        keys.refuse_stranger(drill.evidence, key, trusted_keys(drill.environment.connections.evidence_signing))
        fence.hold_lease(drill)
        if drill.is_planned():
            plan = drill.plan
            if plan.asked_at != asked.asked:
                raise RefusedError(f"Drill {plan.drill_id} was planned for a run asked for at {plan.asked_at}.", "Use another run id.")
            self.log.info("Adopted the plan of %s as it was frozen.", asked.drill_id)
        else:
            plan = self.freeze(drill, asked)
            drill.evidence.put(drill.key("plan.json"), records.encode_plan(plan))
        digest = canonical.sha256(records.encode_plan(plan))
        ledger.append(
            drill.evidence,
            "opening",
            drill.drill_id,
            {"plan_sha256": digest, "environment": drill.environment.name, "started_by": asked.started_by},
            key,
            at=plan.asked_at,
        )
        yield Gathered("provenance", provenance.facts(plan, asked.reason, digest))

    def only_describe(self, drill: Drill, context: Context, asked: planning.Request) -> None:
        """Logs and pushes what the drill would do, then skips the rest of the run."""
        text = describe(drill, self.freeze(drill, asked))
        for line in text:
            self.log.info("%s", line)
        context["ti"].xcom_push(key="dry_run", value=text)
        raise AirflowSkipException("Dry run: nothing was created.")

    def request(self, context: Context) -> planning.Request:
        """Parameters, person and clock of this run. Raises ParameterError before anything is written."""
        run = context["dag_run"]
        person = getattr(run, "triggering_user_name", None) or f"schedule ({run.run_type})"
        if person.startswith("schedule") and "manual" in str(run.run_type):
            raise InputError(
                "Nobody is named as the one who started this run, so nobody can be told apart from them at the sign-off.",
                "Start it as a user of Airflow.",
            )
        params: dict[str, Any] = dict(context["params"])
        return planning.request(params, run.dag_id, run.run_id, run.run_after, person, str(params.get("reason") or ""), self.source_lost)

    def freeze(self, drill: Drill, asked: planning.Request) -> DrillPlan:
        """Reads the real recoverable window and chooses from it."""
        original = environment_of(drill.environment.name)
        resolved = planning.resolve(original, addresses(drill), endpoint(original.connections.backup_store))
        incident, database = asked.asked, None
        try:
            database, incident = self.database_point(drill, asked)
        except RefusedError as refused:
            self.log.error("No recovery point of the database: %s", refused.diagnostics())
        backups = planning.choose_backups(resolved, drill.backups(), incident)
        commit = drill.configuration.commit_at(incident, original.configuration.branch)
        return planning.freeze(asked, original, resolved, incident, database, backups, commit)

    def database_point(self, drill: Drill, asked: planning.Request) -> tuple[DatabasePoint, str]:
        """The database's recovery point and the incident time it implies."""
        found, last = read_archive(drill, asked.asked)
        chosen = point.choose(asked.policy, asked.value, found, last, asked.seed)
        incident = asked.asked if asked.policy == "latest" else point.simulated_incident(found, chosen, drill.catalog.read)
        self.log.info(
            "Recovery point: %s (LSN %s), base backup %s, %d segments to replay.",
            chosen.target_time,
            chosen.target_lsn or "by time",
            chosen.backup_id,
            chosen.replay_segments,
        )
        return chosen, incident


def addresses(drill: Drill) -> dict[str, Route]:
    """Host and port of everything the sandbox may reach, from the connections; the API server behind its Service."""
    connections = drill.environment.connections
    behind = drill.sandbox.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")
    api = Route(address=behind["endpoints"][0]["addresses"][0], port=behind["ports"][0]["port"])
    return {
        "kubernetes_api": api,
        "backup_store": planning.route(endpoint(connections.backup_store), "backup_store"),
        "object_storage": planning.route(endpoint(connections.sandbox_object_read), "object_storage"),
        "rpc": planning.route(endpoint(connections.rpc_primary), "rpc"),
    }
