"""### Surface check

One or two surfaces alone, restored and verified in a sandbox. Green says that these checks passed and no more: it is never
READY and earns no claim. Use it after a change to one surface, and as the first step of a new deployment.
"""

from __future__ import annotations

from airflow.sdk import DAG

from dalp_dr_airflow.task_groups import flow, settings

with DAG(
    "surface_check",
    description="Restore and verify one or two surfaces; never READY",
    schedule=None,
    max_active_runs=1,
    allowed_run_types=["manual"],
    doc_md=__doc__,
    tags=["dalp", "recovery-drill", "surface"],
    params=settings.form(surfaces=True),
    deadline=settings.deadlines(),
    default_args=settings.DEFAULTS,
):
    flow.drill(roles=settings.roles(), owners=settings.owners(), surfaces_only=True)
