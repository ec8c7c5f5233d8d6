"""What drills leave behind, as assets that other DAGs wait for."""

from __future__ import annotations

from airflow.sdk import Asset

EVIDENCE = Asset("recovery_drill_evidence", "dalp-dr://evidence")  # a bundle was sealed, or a drill was decided
CLAIMS = Asset("recovery_claims", "dalp-dr://claims")
POSTURE = Asset("backup_posture", "dalp-dr://posture")
