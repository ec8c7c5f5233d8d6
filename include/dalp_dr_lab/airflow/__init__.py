"""The Airflow that runs the drills in the lab: PostgreSQL, four components, users, and connections that lead to the lab.

`up` starts what does not run and restarts what runs with other settings or older code; `down` ends it all.
"""

from dalp_dr_lab.airflow.server import down, env, restart, status, up

__all__ = ["down", "env", "restart", "status", "up"]
