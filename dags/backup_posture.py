"""### Backup posture

Between drills, every hour: would the backups still allow a recovery? Every row of the recovery page's table is held against
reality, each surface on its own: method, frequency and retention; the chart's backup settings against the live objects; what no
schedule would ever back up; WAL lag, base backups, second writers, the window that can be recovered now; object versions; values
in Git; drills that are due and claims that run out.

Production is only read. Green means that nothing was found; it is no proof of recovery and neither earns nor extends a claim:
only a drill does that. The answer is on the page *Recovery drills*, in `posture.json`, and in Prometheus.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable

from dalp_dr_airflow.task_groups import posture

with DAG(
    "backup_posture",
    description="Would the backups still allow a recovery?",
    schedule=CronTriggerTimetable("17 * * * *", timezone="UTC"),  # no start_date: nothing fires on unpausing
    max_active_runs=1,
    dagrun_timeout=posture.LASTS_AT_MOST,
    doc_md=__doc__,
    tags=["dalp", "recovery-drill", "posture"],
    default_args=posture.DEFAULTS,
):
    for name in posture.watched():
        posture.watch(name)
