"""Where the recovery time went, step by step, with the speed of each transfer and the setting that would shorten it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dalp_dr.dossier import Dossier
from dalp_dr.model.check import Stage
from dalp_dr.model.plan import utc
from dalp_dr.text import seconds, visible

DEFAULT_SEGMENT_BYTES = 16 * 1024**2  # PostgreSQL's own default
CHECKING = (Stage.VERIFY, Stage.RECONCILE)


@dataclass(frozen=True)
class Step:
    """One part of the recovery time; `speed` and `setting` are empty where there is none."""

    name: str
    took: str
    speed: str
    setting: str


def steps(dossier: Dossier) -> tuple[Step, ...]:
    """Queue, database recovery in its parts, Velero restores, start, checks; what has no known moments is left out."""
    return tuple(Step(name, seconds(took), speed, setting) for name, took, speed, setting in _steps(dossier) if took is not None)


def _steps(dossier: Dossier) -> Iterator[tuple[str, float | None, str, str]]:
    timing, recovery = _facts(dossier, "timing"), _facts(dossier, "database_recovery")
    phases = {str(p.get("name")): p for p in timing.get("phases") or ()}
    first = min((str(p["started_at"]) for p in phases.values()), key=utc, default=None)
    yield (
        "Queue: asked for until the first task began",
        _between(dossier.plan.asked_at, first),
        "",
        "free a worker slot",
    )
    log: Mapping[str, Any] = recovery.get("log") or {}
    archive = _facts(dossier, "wal_archive")
    base = _between(log.get("started_at"), log.get("base_restored_at"))
    replay = _between(log.get("redo_started_at"), log.get("redo_done_at"))
    segments, each = int(log.get("segments_restored") or 0), int(archive.get("segment_bytes") or DEFAULT_SEGMENT_BYTES)
    yield (
        "Recovery pod scheduled and started",
        _between(recovery.get("created_at"), log.get("started_at")),
        "",
        "have the database image on the node; a higher priority class",
    )
    yield (
        "Base backup copied",
        base,
        _speed(_base_bytes(dossier, archive), base),
        "bandwidth to the backup store; compression",
    )
    yield (
        f"WAL fetched and replayed ({segments} segments)",
        replay,
        _speed(segments * each, replay),
        "CPU of the recovery pod and wal.maxParallel; take base backups more often",
    )
    yield from _wal(log, replay, segments)
    yield "Promotion until healthy", _between(log.get("redo_done_at"), recovery.get("healthy_at")), "", ""
    marks = {str(m.get("name")): str(m.get("at")) for m in timing.get("marks") or ()}
    for name, begun in marks.items():
        if name.startswith("restore_started:"):
            role = name.partition(":")[2]
            took = _between(begun, marks.get(f"restore_completed:{role}"))
            yield f"Velero restore of {visible(role)}", took, "", "node-agent concurrency and bandwidth"
    yield "Services started until healthy", _phase(phases, Stage.START), "", "start order and readiness intervals"
    for stage in CHECKING:
        yield f"Checks of the {stage.value} stage", _phase(phases, stage), "", ""
    for host in _facts(dossier, "route_switch").get("hosts") or ():
        name, setting = visible(str(host.get("host"))), "how often the entrance reads its mapping; time to live of names"
        yield f"Route of {name} switched to the restored stack", _number(host.get("switch_seconds")), "", setting
        yield f"Route of {name} switched back", _number(host.get("back_seconds")), "", setting


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _wal(log: Mapping[str, Any], replay: float | None, segments: int) -> Iterator[tuple[str, float | None, str, str]]:
    """The two halves of fetch and replay, where the log tells them apart: redo stands still while it waits for a segment."""
    fetch = log.get("fetch_seconds")
    if replay is None or fetch is None:
        return
    each = f"{fetch / segments:.2f} s a segment" if segments else ""
    yield "of which waiting for segments", min(float(fetch), replay), each, "CPU of the recovery pod; wal.maxParallel"
    yield "of which redo", max(0.0, replay - float(fetch)), "", "faster disk; base backups more often"


def _facts(dossier: Dossier, kind: str) -> Mapping[str, Any]:
    record = dossier.record(kind)
    return (record.facts or {}) if record else {}


def _base_bytes(dossier: Dossier, archive: Mapping[str, Any]) -> int:
    chosen = dossier.plan.database.backup_id if dossier.plan.database else None
    return next((int(b.get("data_bytes") or 0) for b in archive.get("backups") or () if b.get("id") == chosen), 0)


def _phase(phases: Mapping[str, Mapping[str, Any]], stage: Stage) -> float | None:
    return float(phases[stage.value]["seconds"]) if stage.value in phases else None


def _between(begun: Any, ended: Any) -> float | None:
    """Seconds between two times; None where one is missing, unreadable or they are in the wrong order."""
    try:
        took = (utc(begun) - utc(ended)).total_seconds() * -1
    except (AttributeError, TypeError, ValueError):
        return None
    return took if took >= 0 else None


def _speed(size_bytes: int, took: float | None) -> str:
    return f"{size_bytes / took / 1e6:.1f} MB/s" if size_bytes and took else ""
