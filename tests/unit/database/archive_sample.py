"""A small archive, built segment by segment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dalp_dr.database import archive
from dalp_dr.database.archive import Archive

ROOT = "prod/dalp-pg/"
START = datetime(2026, 10, 6, 0, 0, tzinfo=UTC)
SEGMENT_BYTES = 16 * 1024 * 1024
SYSTEM = "7000000000000000001"


def minute(minutes: float) -> str:
    return (START + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Bucket:
    """One segment a minute from minute 0 on; base backups where asked for."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.contents: dict[str, bytes] = {}

    def put(self, key: str, minutes: float, content: bytes = b"x", etag: str = "", marker: bool = False) -> None:
        self.rows.append(
            {
                "key": ROOT + key,
                "version_id": f"v{len(self.rows)}",
                "last_modified": minute(minutes),
                "size_bytes": 0 if marker else len(content),
                "etag": etag or key,
                "is_delete_marker": marker,
            }
        )
        self.contents[ROOT + key] = content

    def segments(self, numbers: range, timeline: int = 1, at: float | None = None) -> Bucket:
        for number in numbers:
            self.put(f"wals/{timeline:08X}00000000/{timeline:08X}00000000{number:08X}.gz", number if at is None else at)
        return self

    def base(
        self,
        minutes: float,
        segment: int,
        timeline: int = 1,
        status: str = "DONE",
        data: bool = True,
        system: str = SYSTEM,
        last: int | None = None,
    ) -> str:
        id_ = (START + timedelta(minutes=minutes)).strftime("%Y%m%dT%H%M%S")
        last = segment if last is None else last
        info = {
            "status": status,
            "systemid": system,
            "timeline": timeline,
            "begin_time": minute(minutes - 0.4).replace("T", " ").replace("Z", "+00:00"),
            "xlog_segment_size": SEGMENT_BYTES,
            "begin_wal": f"{timeline:08X}00000000{segment:08X}",
        }
        if status == "DONE":
            info |= {
                "end_time": minute(minutes).replace("T", " ").replace("Z", "+00:00"),
                "end_wal": f"{timeline:08X}00000000{last:08X}",
                "end_xlog": f"0/{last * SEGMENT_BYTES + 0x100:X}",
            }
        self.put(f"base/{id_}/backup.info", minutes, "\n".join(f"{k}={v}" for k, v in info.items()).encode())
        if data:
            self.put(f"base/{id_}/data.tar", minutes, b"data")
        return id_

    def remove(self, key: str, minutes: float) -> None:
        self.put(key, minutes, marker=True)

    def read(self, minutes: float = 600) -> Archive:
        return archive.read(self.rows, ROOT, self.contents, minute(minutes))


def name(number: int, timeline: int = 1) -> str:
    return f"{timeline:08X}00000000{number:08X}"


def key(number: int, timeline: int = 1) -> str:
    return f"wals/{timeline:08X}00000000/{name(number, timeline)}.gz"
