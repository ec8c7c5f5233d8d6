"""The runner behind `make drill`: brings everything up, asks Airflow for a drill, shows it, and says what came of it."""
