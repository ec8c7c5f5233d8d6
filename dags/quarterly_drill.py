"""### Quarterly recovery drill

Restores the latest backups of a self-hosted DALP into an isolated sandbox, starts DALP on them, reconciles database, index
and chain, measures, seals the evidence, asks an owner to sign, and says READY or FIX. Green means: restored, it ran, it
agreed with the chain, in time. Nothing else turns it green.

The seed's steps: restore from backup to a test environment (`restore`), verify data integrity (`verify`), test application
functionality (`start`, `reconcile`), document recovery time (`measure`, `seal`), update runbooks if needed (`decide`).
"""

from __future__ import annotations

from airflow.sdk import DAG

from dalp_dr_airflow.task_groups import flow, settings

with DAG(
    "quarterly_drill",
    description="Restore, start, reconcile, measure, sign: can this DALP be recovered?",
    schedule=settings.calendar(),  # a slot that has passed never fires
    max_active_runs=1,
    allowed_run_types=["scheduled", "manual"],
    doc_md=__doc__,
    tags=["dalp", "recovery-drill", "quarterly"],
    params=settings.form(),
    deadline=settings.deadlines(),
    default_args=settings.DEFAULTS,
):
    flow.drill(roles=settings.roles(), owners=settings.owners())
