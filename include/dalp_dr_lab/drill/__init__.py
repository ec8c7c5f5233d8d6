"""The runner behind `make drill`: brings everything up, asks Airflow for a drill, shows it, says what came of it."""

from dalp_dr_lab.drill.command import main

__all__ = ["main"]
