"""Configuration: Helm values in Git against the live release, and the deployment rendered from Git against the sandbox."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import yaml

from dalp_dr.configuration import rebuild
from dalp_dr.errors import FactError
from dalp_dr.isolation.permissions import release_secrets
from dalp_dr.model.check import Surface
from dalp_dr.model.plan import utc
from dalp_dr_airflow.drill import Drill, Gathered
from dalp_dr_airflow.hooks.errors import Denied, Missing
from dalp_dr_airflow.operators.base import DrillOperator, attempt
from dalp_dr_airflow.operators.velero import live_objects, rendered

if TYPE_CHECKING:
    from airflow.sdk import Context


class HelmConfigurationOperator(DrillOperator):
    """Rebuilds the deployment's shape from Git at the commit in use and compares it with what was restored."""

    surface = Surface.CONFIGURATION

    def gather(self, drill: Drill, context: Context) -> Iterable[Gathered]:
        yield attempt("configuration", lambda: self.rebuild(drill))

    @staticmethod
    def rebuild(drill: Drill) -> Gathered:
        plan, settings = drill.plan, drill.plan.environment.configuration
        if plan.configuration is None:
            raise FactError("The plan names no configuration commit.", "Read why in the plan task's log.")
        commit, roles = plan.configuration.commit, plan.covered_roles

        def read(path: str) -> Any:
            return yaml.safe_load(drill.configuration.read(commit, path))

        facts = rebuild.facts_from(
            plan,
            releases={r: None if plan.source_lost else release(drill, r) for r in roles},
            values={r: read(settings.values[r]) for r in roles},
            charts={r: read(f"{settings.charts[r]}/Chart.yaml") for r in roles},
            rendered={r: rendered(drill, r) for r in roles},
            live={r: live_objects(drill, r) for r in roles},
            commit=commit,
        )
        return Gathered("configuration", facts)


def release(drill: Drill, role: str) -> dict[str, Any]:
    """The Helm release of a source namespace as it was at the incident time; the only Secret of production that is read."""
    from dalp_dr_airflow.hooks.configuration import decode_release

    source, found = drill.plan.environment.source.namespace(role), []
    for name in release_secrets(source.release):
        try:
            found.append(decode_release(drill.source.get(f"/api/v1/namespaces/{source.name}/secrets/{name}")))
        except (Missing, Denied):
            continue
        at = rebuild.deployed_at(found[-1])
        if not at or utc(at) <= utc(drill.plan.incident_time):
            break
    chosen = rebuild.of_moment(found, drill.plan.incident_time)
    if chosen is not None:
        return chosen
    raise FactError(
        f"No release Secret of {source.release} can be read in {source.name}.",
        "Give the source reader `get` on it: `python -m dalp_dr environment rbac`.",
    )
