"""The drills' pages in Airflow's own interface."""
