"""### Recovery claims

Which RTO and RPO may be published today? Only what the newest full drill *with a route switch* has proven, with the same backup
location, database restore path, object storage configuration, route-switch procedure, infrastructure, version and staffing,
signed by an owner, and not longer than a year. Every drill is verified anew, with the ledger. A claim is withdrawn when a
fingerprint changes, a later drill fails, or it expires.

Green means that this was found out, not that a claim stands: the answer is in `claims.json`, on the page *Recovery drills*, and
in the exit status of `python -m dalp_dr claims`.
"""

from __future__ import annotations

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable

from dalp_dr_airflow.assets import CLAIMS, EVIDENCE
from dalp_dr_airflow.operators.claims import RecoveryClaimsOperator
from dalp_dr_airflow.task_groups import settings

with DAG(
    "recovery_claims",
    description="Which RTO and RPO may be published today?",
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("30 5 * * *", timezone="UTC"), assets=EVIDENCE),
    max_active_runs=1,
    doc_md=__doc__,
    tags=["dalp", "recovery-drill", "claims"],
    default_args=settings.DEFAULTS,
):
    for name in settings.environments():
        settings.where_the_key_is(RecoveryClaimsOperator(task_id=f"claims_{name}", environment=name, outlets=[CLAIMS]))
