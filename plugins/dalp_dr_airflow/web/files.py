"""What the pages may show: named files of a drill's folder and nothing else."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

from dalp_dr import naming
from dalp_dr.errors import InputError
from dalp_dr_airflow.operators.seal import home

SHOWN = {"report.html": "text/html; charset=utf-8", "report.pdf": "application/pdf", "summary.json": "application/json"}
_DRILL = re.compile(r"d-\d{8}-[0-9a-f]{8}")


def drills() -> list[dict[str, Any]]:
    """Summaries of all drills, newest first; one that cannot be read is named."""
    found = [summary(folder.name) for folder in (home() / "drills").glob("d-*") if _DRILL.fullmatch(folder.name)]
    return sorted(found, key=lambda s: str(s.get("started_at") or ""), reverse=True)


def drill_of(dag_id: str, run_id: str) -> str | None:
    """The drill of a run; None when it left nothing."""
    ending = naming.digest_of_run(dag_id, run_id)
    return next((f.name for f in sorted((home() / "drills").glob(f"d-*-{ending}")) if _DRILL.fullmatch(f.name)), None)


def summary(drill_id: str) -> dict[str, Any]:
    """summary.json of a drill; of one without it only the id."""
    try:
        content = json.loads(path(drill_id, "summary.json").read_bytes())
    except (InputError, OSError, ValueError):
        content = None
    return {**(content if isinstance(content, dict) else {}), "drill_id": drill_id}


def path(drill_id: str, name: str) -> Path:
    """A file of a drill. Raises InputError for any other name, and when it is not there."""
    if not _DRILL.fullmatch(drill_id) or name not in SHOWN:
        raise InputError("There is no such page.", "Start from the list of drills.")
    file = folder(drill_id) / name
    if file.is_symlink() or not file.is_file():
        raise InputError(f"Drill {drill_id} has no {name} here.", "It is written when the drill is sealed.")
    return file


def folder(drill_id: str) -> Path:
    """The folder of a drill in the state folder."""
    return home() / "drills" / drill_id


def archive(drill_id: str) -> bytes:
    """The newest bundle as a tar archive, as `python -m dalp_dr verify` takes it. Raises InputError when there is none."""
    root = folder(drill_id) / "bundle"
    if not _DRILL.fullmatch(drill_id) or root.is_symlink() or not (root / "manifest.json").is_file():
        raise InputError(f"Drill {drill_id} has no bundle here.", "Take it from the evidence store.")
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for file in sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink()):
            entry = tarfile.TarInfo(f"{drill_id}/bundle/{file.relative_to(root).as_posix()}")
            data = file.read_bytes()
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return written.getvalue()


def claims() -> dict[str, Any]:
    """What may be published today, by environment, as the DAG `recovery_claims` last computed it; empty before its first run."""
    try:
        content = json.loads((home() / "claims.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
