"""Recovery drills in Airflow: hooks, triggers, operators and task groups over the pure core `dalp_dr`."""
