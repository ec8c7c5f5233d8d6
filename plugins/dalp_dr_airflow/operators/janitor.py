"""The janitor: removes what dead drills left in the sandbox's cluster, closes their ledger entries, and touches no living drill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from dalp_dr import decide, lease, naming
from dalp_dr.errors import DrillError
from dalp_dr.evidence import ledger
from dalp_dr.isolation import ownership
from dalp_dr_airflow import fence
from dalp_dr_airflow.drill import LEASE_NAMESPACE, Drill, environment_of
from dalp_dr_airflow.errors import LeftBehindError
from dalp_dr_airflow.hooks.kubernetes_paths import collection
from dalp_dr_airflow.operators.abort import close, seal_aborted
from dalp_dr_airflow.operators.seal import bundles, newest_bundle
from dalp_dr_airflow.operators.teardown import remove, say

if TYPE_CHECKING:
    from airflow.sdk import Context

    from dalp_dr.model.environment import Environment

LEASE_HOURS = 0.25
ENDED = ("success", "failed")


@dataclass
class Sweep:
    """What one round found: by drill what was removed, or why nothing was; `problems` is what a person must look at."""

    removed: dict[str, list[str]] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class SandboxJanitorOperator(BaseOperator):
    """One round over an environment; red when something is left that a person must look at.

    :param environment: name of the environment file.
    """

    def __init__(self, *, environment: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.environment = environment

    def execute(self, context: Context) -> dict[str, Any]:
        found = Janitor(environment_of(self.environment)).sweep(datetime.now(UTC))
        for drill_id, why in found.kept.items():
            self.log.info("%s: left alone: %s", drill_id, why)
        for drill_id, items in found.removed.items():
            self.log.info("%s: removed %s", drill_id, ", ".join(items) or "nothing: there was nothing of it")
        if found.problems:
            raise LeftBehindError("; ".join(found.problems)[:1500])
        return {"removed": sorted(found.removed), "closed": found.closed, "kept": sorted(found.kept)}


class Janitor:
    """Looks with its own identity, which may delete what is proven to be a drill's and nothing else."""

    def __init__(self, environment: Environment) -> None:
        names = environment.connections
        own = names.model_copy(update={"sandbox_kubernetes": names.janitor_kubernetes})
        self.environment = environment.model_copy(update={"connections": own})
        self.probe = self.drill(lease.JANITOR)

    def drill(self, drill_id: str) -> Drill:
        return Drill(drill_id, self.environment, lease.JANITOR, 1, ending=True)

    def sweep(self, now: datetime) -> Sweep:
        """One round. What goes wrong with one drill does not keep it from the others."""
        found, items = Sweep(), self.items()
        for drill_id in sorted({*items, *self.open, *self.holder()}):
            try:
                self.visit(self.drill(drill_id), drill_id in items, now, found)
            except DrillError as error:
                found.problems.append(f"{drill_id}: {error.diagnostics()}")
        return found

    def visit(self, drill: Drill, has_objects: bool, now: datetime, found: Sweep) -> None:
        """One drill: left alone with the reason, or ended, removed and proven gone."""
        standing = self.standing(drill)
        said = ownership.ruling(standing, now)
        if not said.remove:
            found.kept[drill.drill_id] = said.why
            if standing.plan is None and has_objects:
                found.problems.append(f"{drill.drill_id}: {said.why}; runbook drill.md#janitor")
            return
        with self.lease(drill, now):
            self.end(drill, said.why, found)
            if has_objects:
                removed, remaining = remove(drill)
                say(drill, removed, remaining, None)
                found.removed[drill.drill_id] = list(removed)
                found.problems += [f"{drill.drill_id}: still there: {name}" for name in remaining]

    def end(self, drill: Drill, why: str, found: Sweep) -> None:
        """Seals what was recorded of a drill that has no bundle, and closes its entry in the ledger."""
        reason = f"the janitor ended it: {why}"
        if not bundles(drill):
            seal_aborted(drill, reason)
        elif drill.drill_id in self.open:
            close(drill, decide.OutcomeKind.ABORTED, newest_bundle(drill).manifest_sha256, reason)
        else:
            return
        found.closed.append(drill.drill_id)

    def items(self) -> set[str]:
        """Ids of the drills of this environment that have objects outside of their sandbox, or a sandbox."""
        place, selector = self.environment.source.velero_namespace, f"{naming.LABEL_OWNED}={naming.OWNER}"
        kinds = (collection("v1", "configmaps", place), collection("velero.io/v1", "restores", place), "/api/v1/namespaces")
        listed = [item for path in kinds for item in self.probe.sandbox.list(path, selector)]
        ours = [i for i in listed if i["metadata"]["labels"].get(naming.LABEL_ENVIRONMENT) == self.environment.name]
        return {ownership.drill_of(item) for item in ours} - {""}

    @cached_property
    def open(self) -> set[str]:
        """Drills of this environment that the ledger has opened and not closed."""
        entries = ledger.entries(self.probe.evidence)
        closed = {e.drill_id for e in entries if e.kind in ledger.CLOSING}
        opened = {e.drill_id for e in entries if e.kind == "opening" and e.payload.get("environment") == self.environment.name}
        return opened - closed

    def holder(self) -> set[str]:
        """The drill that holds the lease, valid or not."""
        held = fence.holder(self.probe)
        return {held.drill_id} if held and held.drill_id.startswith("d-") else set()

    def standing(self, drill: Drill) -> ownership.Standing:
        """What is known about one drill."""
        plan = drill.plan if drill.is_planned() else None
        said = fence.last_teardown(drill) or {}
        run = ownership.UNKNOWN if plan is None else self.run(drill, plan.dag_id, plan.run_id)
        stopped = fence.stopped(drill) is not None
        return ownership.Standing(drill.drill_id, plan, run, fence.holder(drill), said.get("kept_until"), stopped)

    @staticmethod
    def run(drill: Drill, dag_id: str, run_id: str) -> str:
        """What Airflow says about the run."""
        try:
            state = drill.airflow.run_state(dag_id, run_id)
        except DrillError:
            return ownership.UNKNOWN
        return ownership.GONE if state is None else ownership.ENDED if state in ENDED else ownership.UNDER_WAY

    @contextmanager
    def lease(self, drill: Drill, now: datetime) -> Iterator[None]:
        """Holds the lease, so that no rerun of this drill begins meanwhile; another's valid lease already keeps it from that."""
        held = fence.holder(drill)
        if held and held.drill_id != drill.drill_id and not lease.expired(held, now):
            yield
            return
        fence.take(
            drill, lease.manifest(LEASE_NAMESPACE, self.environment.name, lease.JANITOR, now, LEASE_HOURS), now, by_force=held is not None
        )
        try:
            yield
        finally:
            fence.release(self.probe)
