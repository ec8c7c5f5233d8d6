"""The Airflow that runs the drills in the lab: PostgreSQL, four components, users and connections.

`up` starts what does not run, and restarts what runs with other settings or older code; `down` ends it all.
"""

from dalp_dr_lab.airflow.server import down, env, parsing_since, restart, status, up, worker_variables

__all__ = ["down", "env", "parsing_since", "restart", "status", "up", "worker_variables"]
