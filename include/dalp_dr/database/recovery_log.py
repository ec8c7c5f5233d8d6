"""Reads the two containers' logs of a CloudNativePG recovery: its marks in time, and why it failed.

The cause stands in either container: PostgreSQL's records and CloudNativePG's errors in `full-recovery`, the archive's side in
`plugin-barman-cloud`. CloudNativePG's own last error often says only that a socket is missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FULL_RECOVERY, PLUGIN = "full-recovery", "plugin-barman-cloud"
CONTAINERS = (FULL_RECOVERY, PLUGIN)


@dataclass(frozen=True)
class RecoveryLog:
    """Marks of one recovery; times UTC as the containers wrote them (clock of the node), None where the log does not say.

    `fetch_seconds`: how long redo waited for segments, which PostgreSQL asks for one at a time; `redo_cpu_seconds`: PostgreSQL's own.
    """

    backup_name: str | None = None
    started_at: str | None = None
    base_restored_at: str | None = None
    redo_started_at: str | None = None
    redo_start_lsn: str | None = None
    consistent_at: str | None = None
    stopped_at: str | None = None
    stop: str | None = None
    redo_done_at: str | None = None
    redo_done_lsn: str | None = None
    last_completed: str | None = None
    new_timeline: int | None = None
    promoted_at: str | None = None
    segments_restored: int = 0
    fetch_seconds: float | None = None
    redo_cpu_seconds: float | None = None


@dataclass(frozen=True)
class _Line:
    container: str
    at: str
    message: str
    error: str
    fields: Mapping[str, Any]


def _lines(logs: Mapping[str, str]) -> Iterator[_Line]:
    """Each line of both logs: one JSON object, of which the log's end may have cut a part off."""
    for container, text in logs.items():
        for raw in text.splitlines():
            try:
                fields = json.loads(raw, strict=False)
            except ValueError:
                fields = {}
            yield _line(container, fields) if isinstance(fields, dict) and fields else _cut_line(container, raw)


def _line(container: str, fields: dict[str, Any]) -> _Line:
    at, record = str(fields.get("ts", "")), fields.get("record")
    if isinstance(record, dict):
        message = " ".join(str(record.get(part) or "") for part in ("error_severity", "message", "detail")).strip()
        return _Line(container, at, message, "", fields)
    return _Line(container, at, str(fields.get("msg", "")), str(fields.get("error", "")), fields)


def _cut_line(container: str, raw: str) -> _Line:
    """What is left of a line: its time and, where one begins, PostgreSQL's message."""
    at = re.search(r'"ts":"([^"]+)"', raw)
    message = re.search(r'"message":"((?:[^"\\]|\\.)*)', raw)
    return _Line(container, at[1] if at else "", message[1] if message else raw, "", {})


_MARKS: tuple[tuple[str, str, str | None], ...] = (  # pattern, field of its time, field of its group
    (r"^Recovering from external cluster", "started_at", None),
    (r"^Restore completed", "base_restored_at", None),
    (r"redo starts at (\S+)", "redo_started_at", "redo_start_lsn"),
    (r"consistent recovery state reached", "consistent_at", None),
    (r"recovery stopping (.*)$", "stopped_at", "stop"),
    (r"redo done at (\S+)", "redo_done_at", "redo_done_lsn"),
    (r"archive recovery complete", "promoted_at", None),
)


def read(logs: Mapping[str, str]) -> RecoveryLog:
    """The marks that the logs hold."""
    found: dict[str, Any] = {}
    segments, fetches = set(), []
    for line in _lines(logs):
        fetches += _fetch(line)
        if line.message.startswith("Target backup found"):
            found["backup_name"] = (line.fields.get("backup") or {}).get("backup_name")
        for pattern, at, group in _MARKS:
            if match := re.search(pattern, line.message):
                found[at] = line.at or None
                if group:
                    found[group] = match[1].strip()
        if match := re.search(r"last completed transaction was at log time (.+)$", line.message):
            found["last_completed"] = match[1].strip()
        if match := re.search(r"selected new timeline ID: (\d+)", line.message):
            found["new_timeline"] = int(match[1])
        if match := re.search(r'restored log file "([0-9A-F]{24})" from archive', line.message):
            segments.add(match[1])
        if match := re.search(r"redo done at .* CPU: user: ([\d.]+) s, system: ([\d.]+) s", line.message):
            found["redo_cpu_seconds"] = float(match[1]) + float(match[2])
    return RecoveryLog(**found, segments_restored=len(segments), fetch_seconds=round(sum(fetches), 3) if fetches else None)


def _fetch(line: _Line) -> list[float]:
    """Seconds of one ended request for a segment or a history file; the plugin says them in one of two fields."""
    if "walName" not in line.fields:
        return []
    took = line.fields.get("totalTime", line.fields.get("elapsedWalTime"))
    return [float(took)] if isinstance(took, int | float) else []


_CAUSES: tuple[tuple[str, str], ...] = (
    (
        r"Expected empty archive",
        "the recovering cluster would archive into a path that is not empty: it has an archiver, which a drill must never have",
    ),
    (r'(?:secret|secrets) "?([-a-z0-9.]+)"? not found', "Secret {0} is missing in the sandbox namespace"),
    (r"record with incorrect prev-link (\S+)", "poisoned archive: WAL of two servers is mixed in it (record with incorrect prev-link {0})"),
    (r"no backup found with ID (\S+)", "base backup {0} is not in the archive: wrong bucket or server name, or it was deleted"),
    (r"NoSuchBucket|bucket .{0,80}does not exist", "wrong bucket: the archive's bucket does not exist"),
    (r"AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|\(403\)", "the archive refused the read-only key"),
    (r"requested timeline (\d+) is not a child", "the target timeline {0} does not descend from the base backup's"),
    (
        r"requested recovery stop point is before consistent recovery point",
        "target too early: it lies before the end of the chosen base backup",
    ),
    (
        r"recovery aborted because of insufficient parameter settings",
        "parameters of the recovered cluster are lower than the source's (max_connections and others)",
    ),
    (r"No space left on device", "the recovery volume is full"),
    (
        r"recovery ended before configured recovery target was reached",
        "target beyond the archive: WAL ended before it, the last archived transaction was at {last}",
    ),
    (
        r"dial tcp .*(?:i/o timeout|connection refused)|Could not connect to the endpoint|Max retries exceeded|exit status 4\b",
        "the backup store or the API server could not be reached from the recovery pod",
    ),
)


def cause_of_failure(logs: Mapping[str, str]) -> str:
    """One sentence: why this recovery failed. Where no known cause is found, the last error is quoted."""
    lines = list(_lines(logs))
    texts = [f"{line.message} {line.error}" for line in lines]
    if any("no target backup found" in text for text in texts):
        return _no_backup(lines)
    for pattern, sentence in _CAUSES:
        for text in texts:
            if match := re.search(pattern, text, re.IGNORECASE):
                last = read(logs).last_completed or "an unknown time"
                return sentence.format(*(match.groups() or ()), last=last)
    errors = [line.error or line.message for line in lines if line.error or line.message.startswith(("FATAL", "PANIC"))]
    return f"unknown cause; last error: {errors[-1][:300] if errors else 'none in either log'}"


def _no_backup(lines: list[_Line]) -> str:
    """CloudNativePG's one text for two causes; the catalogue that the plugin downloaded tells them apart."""
    asked = next((line.fields for line in lines if line.message == "Recovering from external cluster"), {})
    server = asked.get("serverName", "?")
    catalogue = next((line.fields.get("backupCatalog") for line in lines if line.message == "Downloaded backup catalog"), None)
    ends = sorted(str(b.get("endTime")) for b in catalogue or () if not str(b.get("endTime", "0001")).startswith("0001"))
    if ends:
        return f"target too early: the first base backup of server {server} ended {ends[0]}"
    return f"wrong server name or bucket: no finished base backup of server {server} in the archive"


def may_pass(cause: str) -> bool:
    """True where CloudNativePG's next attempt may succeed without anybody's help (its network or rights were not there yet)."""
    return cause.startswith(("the backup store or the API server", "unknown cause"))
