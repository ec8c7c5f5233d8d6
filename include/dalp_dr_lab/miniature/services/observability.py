"""observability: metrics, logs and traces as lines in files on a volume, taken by POST /ingest and found by query."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import server, settings, volume

KINDS = ("metrics", "logs", "traces")
lock = threading.Lock()


def folder() -> Path:
    """The volume."""
    return Path(settings.required("DATA_FOLDER"))


def append(entries: dict[str, list[dict[str, Any]]]) -> int:
    """Add entries to their files, durably; returns how many."""
    count = 0
    with lock:
        for kind in KINDS:
            if added := entries.get(kind, []):
                with (folder() / f"{kind}.jsonl").open("a") as file:
                    file.writelines(json.dumps(entry, sort_keys=True) + "\n" for entry in added)
                    file.flush()
                    os.fsync(file.fileno())
                count += len(added)
    return count


def find(kind: str, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """All entries of a file that are wanted, oldest first."""
    path = folder() / f"{kind}.jsonl"
    if not path.exists():
        return []
    with path.open() as file:
        return [entry for entry in map(json.loads, file) if wanted(entry)]


def answer(request: server.Request) -> server.Answer:
    """Ingest, or one of the three queries."""
    if request.method == "POST" and request.path == "/ingest":
        return server.Answer({"accepted": append(json.loads(request.body))}, 202)
    queries: dict[str, tuple[str, str, Callable[[dict[str, Any], str], bool]]] = {
        "/metrics/query": ("metrics", "name", lambda e, v: e["name"] == v),
        "/logs/query": ("logs", "contains", lambda e, v: v in e["line"]),
        "/traces/query": ("traces", "id", lambda e, v: e["id"].startswith(v)),
    }
    if request.path not in queries:
        raise server.not_found(request)
    kind, parameter, matches = queries[request.path]
    value = request.query.get(parameter)
    if not value:
        raise server.ApiError(400, "INVALID_QUERY", f"parameter {parameter} is missing")
    return server.Answer({"data": find(kind, lambda entry: matches(entry, value))})


def ready() -> None:
    """Ready when the volume holds what it must."""
    volume.check(folder())


if __name__ == "__main__":
    server.serve(9090, answer, ready, "observability")
