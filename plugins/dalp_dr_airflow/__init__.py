"""Everything of the drill that knows Airflow: hooks, operators, triggers, task groups, pages."""
