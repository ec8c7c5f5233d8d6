"""### Sandbox janitor

Removes what dead drills left in the sandbox's cluster: sandboxes beyond their expiry, and those of runs that ended without a teardown.
Each object must carry every ownership label of its drill with the values its plan gives them; it is deleted by UID, and looked for again
until it is gone: namespaces, volumes, Velero Restores with their files in the bucket, their settings. Ledger entries of runs that died are
closed as aborted. A drill that holds its lease, or is kept for on-call, is left alone. Nothing is forced: what holds a namespace is named.

Green means that nothing is left that should be gone. Red names what is, and whose it seems to be.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable

from dalp_dr_airflow.operators.janitor import SandboxJanitorOperator
from dalp_dr_airflow.task_groups import settings

with DAG(
    "sandbox_janitor",
    description="Remove what dead drills left, after proof of ownership",
    schedule=CronTriggerTimetable("20 * * * *", timezone="UTC"),
    max_active_runs=1,
    doc_md=__doc__,
    tags=["dalp", "recovery-drill", "janitor"],
    default_args=settings.DEFAULTS,
):
    for name in settings.environments():
        SandboxJanitorOperator(task_id=f"janitor_{name}", environment=name)
