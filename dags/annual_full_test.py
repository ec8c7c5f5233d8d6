"""### Annual full test

Production's cluster is lost. Everything comes back on a second, empty cluster from what survives such a loss: the backup
bucket, Git and the escrow of Secrets. Then the same stages as in the quarterly drill, and the same rule: green means
restored, it ran, it agreed with the chain, in time.

The seed's steps: simulate cluster failure (`simulate`), execute the full recovery procedure (`rebuild`, `isolate`, `restore`,
`verify`, `start`, `reconcile`), measure actual RTO and RPO against the targets (`measure`), report to the accountable
operating team (`report`), update the SLA or operating target if needed (`targets`: a proposal for review).
"""

from __future__ import annotations

from airflow.sdk import DAG

from dalp_dr_airflow.task_groups import flow, settings

with DAG(
    "annual_full_test",
    description="The cluster is lost: recover all of it from bucket, Git and escrow",
    schedule=None,  # somebody must first take production away from the drill, and give it a recovery cluster
    max_active_runs=1,
    allowed_run_types=["manual"],
    doc_md=__doc__,
    tags=["dalp", "recovery-drill", "annual"],
    params=settings.form(separate=True),
    deadline=settings.deadlines(),
    default_args=settings.DEFAULTS,
):
    flow.drill(roles=settings.roles(), owners=settings.owners(), source_lost=True)
