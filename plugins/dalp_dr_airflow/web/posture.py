"""What the hourly watch last found, in words that are safe to look at."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from dalp_dr.naming import runbook_page
from dalp_dr.text import moment, visible
from dalp_dr_airflow.operators.seal import home

STALE_AFTER = timedelta(hours=3)
WORST_FIRST = {"fail": 0, "inconclusive": 1}


def standings() -> list[dict[str, Any]]:
    """Every environment's posture; none before the first look, or when the file cannot be read."""
    try:
        found = json.loads((home() / "posture.json").read_bytes())["environments"]
        return [_standing(name, said) for name, said in sorted(found.items())]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _standing(name: str, said: dict[str, Any]) -> dict[str, Any]:
    rows = sorted(said["rows"], key=lambda r: (bool(r["accepted"]), WORST_FIRST.get(r["verdict"], 2), r["surface"]))
    age = datetime.now(UTC) - datetime.fromisoformat(str(said["at"]).replace("Z", "+00:00"))
    return {
        "name": visible(name),
        "verdict": visible(said["verdict"]),
        "at": moment(str(said["at"])),
        "stale": age > STALE_AFTER,
        "next_drill": moment(str(said["next_drill"])),
        "rows": [_row(r) for r in rows],
    }


def _row(row: dict[str, Any]) -> dict[str, Any]:
    words = {k: visible(v) if v is not None else None for k, v in row.items() if k != "findings"}
    return {**words, "findings": [visible(f) for f in row["findings"]], "page": runbook_page(str(row["runbook"]))}
