"""The annual test's own stages: production is gone, and the ground for a recovery is rebuilt from Git and escrow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import yaml

from dalp_dr.cluster_loss import escrow, loss, platform
from dalp_dr.database.recovery import OPERATOR_SECRETS
from dalp_dr.errors import FactError
from dalp_dr.model.check import Surface
from dalp_dr.model.plan import utc
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.hooks.connections import escrow_key, postgres_answers
from dalp_dr_airflow.hooks.errors import CallError, Missing, NoAnswer, RetryPolicy
from dalp_dr_airflow.hooks.kubernetes_paths import collection
from dalp_dr_airflow.hooks.kubernetes_source import SourceKubernetesHook
from dalp_dr_airflow.hooks.s3 import S3Access
from dalp_dr_airflow.operators.base import DrillOperator, attempt
from dalp_dr_airflow.operators.velero import rendered

if TYPE_CHECKING:
    from airflow.sdk import Context

TRIES = 2  # each may take the whole connection timeout


class ClusterLossOperator(DrillOperator):
    """Asks production for everything a drill could be tempted to use, and what must survive for a sign of life."""

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("cluster_loss", lambda: self.ask(drill))

    @staticmethod
    def ask(drill: Drill) -> Gathered:
        environment, connections = drill.environment, drill.environment.connections
        source = SourceKubernetesHook(connections.source_kubernetes, RetryPolicy(attempts=TRIES))
        questions: dict[str, Callable[[], object]] = {loss.API: source.server_version}
        for namespace in environment.source.namespaces:
            path = f"/api/v1/namespaces/{namespace.name}/pods"
            questions[loss.objects_of(namespace.name)] = lambda p=path: source.list(p)  # type: ignore[misc]
        questions[loss.DATABASE] = lambda: postgres_answers(connections.source_database)
        controls: dict[str, Callable[[], object]] = {
            "recovery cluster": drill.sandbox.server_version,
            "backup store": lambda: drill.backup_store.backups(),
        }
        with ThreadPoolExecutor(len(questions) + len(controls)) as pool:
            said, alive = (list(pool.map(lambda item: answer(*item), part.items())) for part in (questions, controls))
        return Gathered("cluster_loss", loss.ClusterLoss(tuple(said), tuple(alive)))


def answer(what: str, question: Callable[[], object]) -> loss.Asked:
    """What came back: an answer is an answer, also when it is a refusal; only silence and a missing connection are none."""
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        question()
    except AirflowNotFoundException:
        return loss.Asked(what, "no_connection", "the connection does not exist")
    except NoAnswer as error:
        return loss.Asked(what, "no_answer", str(error))
    except CallError as error:
        return loss.Asked(what, "answered" if error.status else "unclear", str(error))
    except Exception as error:
        return loss.Asked(what, "unclear", f"{type(error).__name__}: {error}")
    return loss.Asked(what, "answered", "it works")


class PlatformOperator(DrillOperator):
    """Operators, APIs and rendered releases: what Git records, beside what the recovery cluster has."""

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("platform", lambda: self.platform(drill))
        yield attempt("renderings", lambda: self.renderings(drill))

    @staticmethod
    def platform(drill: Drill) -> Gathered:
        path, commit = drill.plan.environment.configuration.platform, commit_of(drill)
        if path is None:
            raise FactError("The environment names no platform file.", "Set configuration.platform: docs/how-to/annual-test.md.")
        operators, apis = platform.recorded(yaml.safe_load(drill.configuration.read(commit, path)))
        known, system = served(drill, apis), drill.sandbox.get("/api/v1/namespaces/kube-system")["metadata"]
        facts = platform.Platform(
            commit,
            system["uid"],
            system["creationTimestamp"],
            tuple(operator(drill, recorded) for recorded in operators),
            tuple(apis),
            tuple(api for api in apis if api not in known),
        )
        return Gathered("platform", facts)

    @staticmethod
    def renderings(drill: Drill) -> Gathered:
        manifests = {role: rendered(drill, role) for role in drill.plan.roles}
        known = served(drill, {platform.api_of(m) for found in manifests.values() for m in found})
        roles = tuple(platform.rendering(role, found, known) for role, found in manifests.items())
        return Gathered("renderings", platform.Renderings(commit_of(drill), roles))


def operator(drill: Drill, recorded: dict[str, str]) -> platform.Operator:
    """One recorded operator as the recovery cluster has it."""
    kind, _, name = recorded["workload"].partition("/")
    where = f"{recorded['namespace']}/{recorded['workload']}"
    try:
        found = drill.sandbox.get(f"{collection('apps/v1', f'{kind}s', recorded['namespace'])}/{name}")
    except Missing:
        return platform.Operator(recorded["name"], where, recorded["version"], None, 0, 0)
    ready, wanted = platform.replicas({"kind": {"daemonset": "DaemonSet"}.get(kind, "Deployment"), **found})
    return platform.Operator(recorded["name"], where, recorded["version"], platform.version_of(found), ready, wanted)


def served(drill: Drill, apis: Iterable[str]) -> set[str]:
    """Those of `<plural>.<group>/<version>` that the recovery cluster's discovery lists."""
    found = set()
    for group, version in {(api.partition("/")[0].partition(".")[2], api.partition("/")[2]) for api in apis}:
        try:
            listed = drill.sandbox.get(f"/apis/{group}/{version}" if group else f"/api/{version}")["resources"]
        except Missing:
            continue
        found |= {f"{r['name']}{'.' if group else ''}{group}/{version}" for r in listed}
    return found


class EscrowOperator(DrillOperator):
    """Opens the escrow as it was at the incident time; keeps names, keys and counts, never a value."""

    surface = Surface.CONFIGURATION

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("escrow", lambda: self.open(drill))

    @staticmethod
    def open(drill: Drill) -> Gathered:
        plan, connections = drill.plan, drill.environment.connections
        place = plan.environment.escrow
        if place is None:
            raise FactError("The environment names no escrow.", "Set escrow: docs/how-to/annual-test.md.")
        store = S3Access(connections.escrow)
        versions = [v for v in store.versions(place.bucket, place.key) if v["key"] == place.key]
        current = next((v for v in versions if utc(v["last_modified"]) <= utc(plan.incident_time)), None)
        if current is None or current["is_delete_marker"]:
            raise Missing(
                f"The escrow {place.bucket}/{place.key} did not exist at {plan.incident_time}.", "Look at what writes the escrow."
            )
        secrets = escrow.opened(store.read(place.bucket, place.key, current["version_id"]), *escrow_key(connections.escrow_key))
        made = [f"{plan.environment.database.cluster}-{suffix}" for suffix in OPERATOR_SECRETS]
        names = {role: plan.environment.source.namespace(role).name for role in plan.roles}
        needed = tuple(n for role, name in names.items() for n in escrow.needed(name, rendered(drill, role), made))
        kept = [s for b in plan.backups for s in drill.backup_store.backup_contents(b.backup).get("secrets", {}).values()]
        count, differing = escrow.compared(secrets, kept)
        facts = escrow.EscrowFacts(
            place.bucket,
            place.key,
            current["version_id"] or "",
            current["last_modified"],
            current["size_bytes"],
            needed,
            escrow.held(secrets),
            count,
            differing,
        )
        return Gathered("escrow", facts)


def commit_of(drill: Drill) -> str:
    """The configuration commit in use at the incident time. Raises FactError when the plan has none."""
    if drill.plan.configuration is None:
        raise FactError("The plan names no configuration commit.", "Read why in the plan task's log.")
    return drill.plan.configuration.commit
