"""Every page and every row of a server by the integrity plan. Arguments: port, sessions. A new connection for each part, as in a drill."""

from __future__ import annotations

import sys
from types import SimpleNamespace

from postgres_server import drill_on

from dalp_dr.database import integrity
from dalp_dr_airflow.operators.database_integrity import DatabaseIntegrityOperator
from side import Work, report

drill = drill_on(SimpleNamespace(port=sys.argv[1]))  # type: ignore[arg-type]
operator = DatabaseIntegrityOperator(task_id="integrity", sessions=int(sys.argv[2]))
with Work() as work:
    facts: integrity.DatabaseIntegrity = operator.integrity(drill).facts
result = integrity.judge_integrity(facts, drill.plan)
# The server's own count of failed pages grows from run to run.
named = sorted(f for f in result.findings if not f.endswith("page checksum failures"))
report(found={"verdict": result.verdict, "findings": named}, **work.seconds)
