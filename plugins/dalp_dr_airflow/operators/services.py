"""Starts DALP on the restored state in dependency order, watches its health, and uses it as a reader would."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dalp_dr import naming
from dalp_dr.dossier import Dossier
from dalp_dr.errors import FactError
from dalp_dr.isolation import routes
from dalp_dr.model.check import Surface, Verdict
from dalp_dr.model.environment import Service
from dalp_dr.observability import telemetry
from dalp_dr.services import health, journey, start
from dalp_dr_airflow.drill import Drill, Gathered, now
from dalp_dr_airflow.errors import DrillRefusedError
from dalp_dr_airflow.hooks.connections import access_key
from dalp_dr_airflow.hooks.errors import CallError
from dalp_dr_airflow.hooks.kubernetes_paths import path_of
from dalp_dr_airflow.operators.base import DrillOperator, attempt
from dalp_dr_airflow.operators.isolate import SandboxOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dalp_dr.model.plan import DrillPlan

GROUP_SECONDS = 180
HEALTH_SECONDS = 120
POLL_SECONDS = 1.0


def workload_path(drill: Drill, service: Service) -> str:
    """API path of a service's workload in the sandbox."""
    kind, name = start.workload_of(service)
    return path_of({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": drill.plan.namespace(service.role)}})


MUST_PASS_BEFORE_START = (
    "canaries_refused",
    "default_deny_in_force",
    "sandbox_owned",
    "secrets_sealed",
    "nothing_ran_before_start",
    "restored_secrets_declared",
    "restored_references_rewritten",
    "database_objects_left_out",
    "no_archiver_in_sandbox",
)


def startable(plan: DrillPlan) -> tuple[str, ...]:
    """Roles whose services may start: those that were restored, the application's only on a restored database."""
    return tuple(r for r in plan.covered_roles if r != plan.database_role or Surface.DATABASE in plan.surfaces)


def check_ground(drill: Drill) -> None:
    """Production code starts only behind a proven wall, without production's credentials, on a database that is there.

    Other findings do not hold it back: what can still be learnt is learnt. Raises DrillRefusedError.
    """
    outcomes = Dossier(drill.plan, tuple(drill.records())).outcomes()
    unsafe = [
        f"{o.check.id} ({o.subject}): {o.result.observed}"
        for o in outcomes
        if o.check.id in MUST_PASS_BEFORE_START and o.result.verdict is not Verdict.PASS and o.subject != "after"
    ]
    if unsafe:
        raise DrillRefusedError("Nothing is started: " + "; ".join(unsafe))
    if Surface.DATABASE in drill.plan.surfaces and drill.facts("database_recovery").healthy_at is None:
        raise DrillRefusedError("Nothing is started: the restored database is not there.")


class ServiceStartOperator(DrillOperator):
    """Opens the allowed routes and releases the held workloads group by group; workers and side effects last."""

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        return []

    def execute(self, context: Context) -> list[dict[str, Any]]:
        drill = Drill.open(context)
        check_ground(drill)
        roles = startable(drill.plan)
        for policy in routes.common(drill.plan):
            SandboxOperator.make(drill, policy)
        give_read_key(drill)
        started: list[start.Started] = []
        for group in start.groups(drill.environment):
            covered = [s for s in group if s.role in roles]
            released = time.monotonic()
            for service in covered:
                self.release(drill, service)
            started += [self.await_ready(drill, service, released) for service in covered]
        return self.conclude(drill, context, [Gathered("service_start", start.StartFacts(tuple(started)))])

    def release(self, drill: Drill, service: Service) -> None:
        workload = drill.sandbox.get(workload_path(drill, service))
        for policy in routes.for_service(drill.plan, service, workload["spec"]["selector"]["matchLabels"]):
            SandboxOperator.make(drill, policy)
        self.log.info("Starting %s", service.name)
        drill.sandbox.patch(workload_path(drill, service), start.release_patch(workload))

    def await_ready(self, drill: Drill, service: Service, released: float) -> start.Started:
        """A group that does not become ready in time is a finding of the health check, not a reason to hide the others."""

        def ready(found: dict[str, Any] | None) -> bool:
            wanted = (found or {}).get("spec", {}).get("replicas") or 0
            return found is not None and ((found.get("status") or {}).get("readyReplicas") or 0) >= wanted

        try:
            drill.sandbox.wait(
                workload_path(drill, service), ready, GROUP_SECONDS if service.order == 1 else 60, f"Readiness of {service.name}"
            )
            error: str | None = None
        except CallError as failure:
            error = failure.diagnostics()
            self.log.error("%s", error)
        return start.Started(service.name, service.order, round(time.monotonic() - released, 3), error)


def give_read_key(drill: Drill) -> None:
    """Secrets that held production's object storage key get the drill's read-only one; an annotation says so."""
    access, secret = access_key(drill.environment.connections.sandbox_object_read)
    given = {"access_key": access, "secret_key": secret}
    for source in drill.environment.source.namespaces:
        if source.role not in drill.plan.covered_roles:
            continue
        for name, keys in source.object_read_secrets.items():
            path = f"/api/v1/namespaces/{drill.plan.namespace(source.role)}/secrets/{name}"
            values = {key: given[which] for key, which in keys.items()}
            annotations = {naming.LABEL_DRILL: drill.drill_id}
            drill.sandbox.patch(path, {"metadata": {"annotations": annotations}, "stringData": values})


class ServiceHealthOperator(DrillOperator):
    """Polls every service until all answered N times in a row, then reads the sessions in the sandbox's database server."""

    def in_scope(self, drill: Drill) -> bool:
        return drill.plan.full

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("application_health", lambda: self.health(drill))

    def health(self, drill: Drill) -> Gathered:
        plan, polls = drill.plan, []
        services = [s for s in plan.environment.services if s.role in plan.covered_roles]
        released = any(drill.sandbox.get(workload_path(drill, s))["spec"].get("replicas") for s in services)
        deadline = time.monotonic() + (HEALTH_SECONDS if released else 0)
        while True:
            polls += [self.poll(drill, service) for service in services]
            if health.settled(plan, polls) or time.monotonic() >= deadline:
                break
            time.sleep(POLL_SECONDS)
        rows = drill.sql("sessions", "recovery")
        pods = [p for role in plan.covered_roles for p in drill.sandbox.list(f"/api/v1/namespaces/{plan.namespace(role)}/pods")]
        return Gathered("application_health", health.facts_from(plan, polls, rows["sessions"], pods, rows["recovery"][0]))

    @staticmethod
    def poll(drill: Drill, service: Service) -> health.Poll:
        try:
            answer = drill.sandbox.service_request(drill.plan.namespace(service.role), service.service, service.port, service.ready_path)
        except CallError as error:
            return health.poll(service.name, now(), None, str(error))
        return health.poll(service.name, now(), answer.status, answer.body.decode(errors="replace")[:500])


class TelemetryOperator(DrillOperator):
    """Asks the restored observability data for a metric, a log line and a trace that are known to be in it."""

    surface = Surface.OBSERVABILITY

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("telemetry", lambda: self.telemetry(drill))

    @staticmethod
    def telemetry(drill: Drill) -> Gathered:
        known, answers = drill.plan.environment.observability, []
        for signal in known.signals:
            answer: dict[str, Any] = {"kind": signal.kind, "path": signal.path, "status": None}
            try:
                seen = drill.sandbox.service_request(drill.plan.namespace(known.role), known.service, known.port, signal.path)
                answer |= {"status": seen.status, "body": seen.body.decode(errors="replace")}
            except CallError as error:
                answer["error"] = str(error)
            answers.append(answer)
        return Gathered("telemetry", telemetry.facts_from(drill.plan, answers))


class UserJourneyOperator(DrillOperator):
    """A read-only user: sign in, token list, a balance, a document; each answer equals the reconciled value."""

    def in_scope(self, drill: Drill) -> bool:
        return drill.plan.full

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("user_journey", lambda: self.journey(drill))

    @staticmethod
    def journey(drill: Drill) -> Gathered:
        from dalp_dr_airflow.hooks.dalp import DalpHook

        plan = drill.plan
        sample = drill.facts("catch_up").sample
        documents = drill.sql("documents")["documents"]
        if sample is None or not documents:
            raise FactError("There is no reconciled token or no document to ask for.", "Look at the reconciliation record.")
        document = documents[0]
        api = next(s for s in plan.environment.services if s.serves == "api")
        hook = DalpHook(drill.environment.connections.api, drill.sandbox, plan.namespace(api.role), api.service, api.port)
        reconciled = journey.Reconciled(
            token=sample.token,
            total_supply=sample.total_supply,
            holder=sample.holder,
            balance=sample.balance,
            document_id=str(document["id"]),
            document_sha256=str(document["sha256"]),
            document_size_bytes=int(document["size_bytes"]),
        )
        answers = {r.name: ask(hook, r.path) for r in journey.requests(sample.token, sample.holder, reconciled.document_id)}
        return Gathered("user_journey", journey.facts_from(plan, answers, reconciled))


def ask(hook: Any, path: str) -> dict[str, Any]:
    """One answer of the restored API: JSON as it is, anything else as digest and size."""
    try:
        answer = hook.request(path)
    except CallError as error:
        return {"status": None, "error": str(error)}
    seen = {
        "status": answer.status,
        "seconds": answer.seconds,
        "body_sha256": hashlib.sha256(answer.body).hexdigest(),
        "size_bytes": len(answer.body),
    }
    try:
        return seen | {"json": json.loads(answer.body)}
    except ValueError:
        return seen
