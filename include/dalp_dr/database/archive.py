"""What a Barman Cloud archive can restore, computed from the bucket alone.

Layout: `<root>base/<id>/backup.info`, `<root>wals/<16 hex>/<24 hex>[.suffix]`, `<root>wals/<timeline>.history`. Neither
CloudNativePG nor its plugin looks for missing segments; this does. Nothing younger than the incident time is seen.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dalp_dr.database import listing, lsn
from dalp_dr.database.instant import rfc3339
from dalp_dr.errors import FactError, RefusedError
from dalp_dr.model.environment import Database
from dalp_dr.model.plan import utc

DEFAULT_SEGMENT_BYTES = 16 * 1024 * 1024
_PLAIN: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".bz2": bz2.decompress, ".xz": lzma.decompress}
_OTHER = (".snappy", ".zst", ".lz4")


@dataclass(frozen=True)
class BaseBackup:
    """One folder below base/, as its backup.info tells. Times UTC, RFC 3339; None where the file has none."""

    id: str
    status: str
    begin_time: str | None
    end_time: str | None
    begin_segment: str | None
    end_segment: str | None
    end_lsn: str | None
    timeline: int
    system_id: str
    data_bytes: int

    @property
    def done(self) -> bool:
        """Complete: finished, with data, and with both ends of its WAL known."""
        return self.status == "DONE" and bool(self.end_time and self.begin_segment and self.end_segment and self.data_bytes)


@dataclass(frozen=True)
class Switch:
    """An ancestor line of a history file: this timeline ended at this WAL position."""

    timeline: int
    lsn: str


@dataclass(frozen=True)
class Gap:
    """Segments that are missing although a later one is there."""

    first: str
    last: str
    segments: int
    resumes_at: str


@dataclass(frozen=True)
class Chain:
    """Consecutive segments from a base backup on. `last` is None when not even its first segment is there."""

    backup: BaseBackup
    last: str | None
    last_uploaded_at: str | None
    before_last_uploaded_at: str | None
    segments: int
    missing_of_backup: int
    gap: Gap | None

    @property
    def usable(self) -> bool:
        """The base backup and all WAL it needs to become consistent are there."""
        return self.backup.done and self.last is not None and not self.missing_of_backup


@dataclass(frozen=True)
class Archive:
    """The archive as it was at the incident time. `segments`: (timeline, number) -> the object."""

    root: str
    incident_time: str
    segment_bytes: int
    backups: tuple[BaseBackup, ...]
    segments: Mapping[tuple[int, int], listing.Version]
    histories: Mapping[int, tuple[Switch, ...]]
    rewritten: tuple[str, ...]
    younger: int

    def chain(self, backup: BaseBackup) -> Chain:
        """The WAL after one base backup, over timeline switches, to its end or its first gap."""
        if not (backup.begin_segment and backup.end_segment):
            return Chain(backup, None, None, None, 0, 0, None)
        begin = lsn.split(backup.begin_segment, self.segment_bytes)[1]
        end = lsn.split(backup.end_segment, self.segment_bytes)[1]
        path = self._path(backup.timeline)
        number, found = begin, []
        while self.segments.get((_timeline(path, number), number)):
            found.append((_timeline(path, number), number))
            number += 1
        missing = sum((_timeline(path, n), n) not in self.segments for n in range(begin, end + 1))
        uploads = [rfc3339(self.segments[at].last_modified) for at in found[-2:]]
        return Chain(
            backup=backup,
            last=self._name(*found[-1]) if found else None,
            last_uploaded_at=uploads[-1] if uploads else None,
            before_last_uploaded_at=uploads[0] if len(uploads) == 2 else None,
            segments=len(found),
            missing_of_backup=missing,
            gap=self._gap(path, number),
        )

    def chains(self) -> tuple[Chain, ...]:
        """Chains of all finished base backups, oldest first."""
        return tuple(self.chain(b) for b in self.backups if b.done)

    def best(self) -> Chain | None:
        """The usable chain that reaches furthest; of several, the one with the newest base backup."""
        usable = [c for c in self.chains() if c.usable]
        return max(usable, key=lambda c: (self._end(c), c.backup.end_time or ""), default=None)

    def reachable(self) -> Chain:
        """`best`, or RefusedError when nothing can be restored."""
        best = self.best()
        if best is None:
            told = "; ".join(f"{b.id}: {b.status}" for b in self.backups) or "none"
            raise RefusedError(
                f"{self.root}: no base backup can be restored as of {self.incident_time} ({told}).",
                "Take a base backup and let its WAL be archived.",
            )
        return best

    def longest(self) -> Chain:
        """Of the usable chains that reach as far as the best one, the one that begins first. Raises RefusedError."""
        last = self.reachable().last
        return max((c for c in self.chains() if c.usable and c.last == last), key=lambda c: c.segments)

    def backwards(self, chain: Chain) -> Iterator[tuple[str, listing.Version]]:
        """(name, object) of the chain's segments, newest first."""
        last, path = self._end(chain), self._path(chain.backup.timeline)
        for number in range(last, last - chain.segments, -1):
            at = (_timeline(path, number), number)
            yield self._name(*at), self.segments[at]

    def _end(self, chain: Chain) -> int:
        return lsn.split(chain.last, self.segment_bytes)[1] if chain.last else -1

    def _gap(self, path: list[tuple[int, int | None]], number: int) -> Gap | None:
        later = min((n for t, n in self.segments if n > number and t == _timeline(path, n)), default=None)
        if later is None:
            return None
        return Gap(
            self._name(_timeline(path, number), number),
            self._name(_timeline(path, later - 1), later - 1),
            later - number,
            self._name(_timeline(path, later), later),
        )

    def _path(self, timeline: int) -> list[tuple[int, int | None]]:
        """(timeline, number of the first segment that the next one has instead) from this timeline to its newest descendant."""
        heirs = [t for t, line in self.histories.items() if any(s.timeline == timeline for s in line)]
        newest = max(heirs, default=timeline)
        line = self.histories.get(newest, ())
        return [(s.timeline, lsn.parse(s.lsn) // self.segment_bytes) for s in line] + [(newest, None)]

    def _name(self, timeline: int, number: int) -> str:
        return lsn.name(timeline, number, self.segment_bytes)


def _timeline(path: list[tuple[int, int | None]], number: int) -> int:
    return next(timeline for timeline, end in path if end is None or number < end)


def root(database: Database) -> str:
    """Prefix of everything this server archived, e.g. `prod/dalp-pg/`."""
    return "/".join(part for part in (database.archive_prefix.strip("/"), database.server_name) if part) + "/"


def to_read(rows: Iterable[Mapping[str, Any]], prefix: str, incident_time: str) -> tuple[tuple[str, str | None], ...]:
    """(key, version id) of the small files that `read` needs the content of."""
    moment, wanted = utc(incident_time), []
    for key, versions in listing.by_key(rows).items():
        name = bare(key.rsplit("/", 1)[-1])
        if key.startswith(prefix) and (name == "backup.info" or name.endswith(".history")) and (v := listing.visible(versions, moment)):
            wanted.append((key, v.version_id))
    return tuple(sorted(wanted))


def read(rows: Iterable[Mapping[str, Any]], prefix: str, contents: Mapping[str, bytes], incident_time: str) -> Archive:
    """The archive. `contents`: key -> bytes of everything `to_read` named. Raises FactError."""
    moment, grouped = utc(incident_time), listing.by_key(r for r in rows if str(r.get("key", "")).startswith(prefix))
    seen = {key: v for key, versions in grouped.items() if (v := listing.visible(versions, moment))}
    infos, histories = {}, {}
    for key in seen:
        name = bare(key.rsplit("/", 1)[-1])
        if name == "backup.info":
            infos[key] = _info(plain(key, _content(contents, key)), key)
        elif name.endswith(".history"):
            histories[int(name[:8], 16)] = history(plain(key, _content(contents, key)).decode("utf-8", "replace"))
    sizes = {int(info["xlog_segment_size"]) for info in infos.values() if info.get("xlog_segment_size", "").isdigit()}
    if len(sizes) > 1:
        raise FactError(f"{prefix}: base backups with different WAL segment sizes {sorted(sizes)}.", "Two servers share this archive.")
    size = sizes.pop() if sizes else DEFAULT_SEGMENT_BYTES
    backups = sorted((_backup(key, info, seen) for key, info in infos.items()), key=lambda b: (b.end_time or b.begin_time or "", b.id))
    found: dict[tuple[int, int], listing.Version] = {}
    twice = set(_rewritten(grouped))
    for key, version in seen.items():
        name = bare(key.rsplit("/", 1)[-1])
        if "/wals/" in f"/{key}" and lsn.is_segment(name):
            at = lsn.split(name, size)
            twice |= {key} if at in found else set()
            found[at] = version
    younger = sum(all(v.last_modified > moment for v in versions) for versions in grouped.values())
    return Archive(prefix, incident_time, size, tuple(backups), found, histories, tuple(sorted(twice)), younger)


def _rewritten(grouped: Mapping[str, list[listing.Version]]) -> Iterator[str]:
    """WAL and history keys that were written more than once with different content: the mark of a second writer."""
    for key, versions in grouped.items():
        contents = {(v.etag, v.size_bytes) for v in versions if not v.is_delete_marker}
        name = bare(key.rsplit("/", 1)[-1])
        if len(contents) > 1 and (lsn.is_segment(name) or name.endswith(".history")):
            yield key


def history(text: str) -> tuple[Switch, ...]:
    """Ancestors of a timeline, oldest first. Raises FactError."""
    switches = []
    for line in text.splitlines():
        fields = line.split("\t")
        if line.strip() and not line.startswith("#"):
            if len(fields) < 2 or not fields[0].strip().isdigit():
                raise FactError(f"History file: line {line!r} is none of PostgreSQL's.", "Look at the file in the archive.")
            switches.append(Switch(int(fields[0]), lsn.show(lsn.parse(fields[1]))))
    return tuple(switches)


def plain(key: str, data: bytes) -> bytes:
    """The object without its compression. Raises FactError, naming the key."""
    suffix = next((s for s in (*_PLAIN, *_OTHER) if key.endswith(s)), "")
    if suffix in _OTHER:
        raise FactError(f"{key}: compression {suffix} cannot be read here.", "Archive WAL with gzip, bzip2 or xz.")
    try:
        return _PLAIN[suffix](data) if suffix else data
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
        raise FactError(f"{key}: cannot be decompressed ({error}).", "The archived object is damaged.") from error


def bare(name: str) -> str:
    """File name without its compression suffix."""
    suffix = next((s for s in (*_PLAIN, *_OTHER) if name.endswith(s)), "")
    return name.removesuffix(suffix)


def _content(contents: Mapping[str, bytes], key: str) -> bytes:
    if key not in contents:
        raise FactError(f"{key}: its content was not read.", "Ask the object store again.")
    return contents[key]


def _info(data: bytes, key: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in data.decode("utf-8", "replace").splitlines())
    info = {name.strip(): value.strip() for name, equals, value in pairs if equals and value.strip() not in {"", "None"}}
    if "status" not in info:
        raise FactError(f"{key}: no `status` in it.", "The base backup is damaged; take a new one.")
    return info


def _backup(key: str, info: Mapping[str, str], seen: Mapping[str, listing.Version]) -> BaseBackup:
    folder = key.rsplit("/", 1)[0] + "/"
    data = sum(v.size_bytes for k, v in seen.items() if k.startswith(folder) and k != key)
    return BaseBackup(
        id=folder.rstrip("/").rsplit("/", 1)[-1],
        status=info["status"],
        begin_time=_time(info.get("begin_time")),
        end_time=_time(info.get("end_time")),
        begin_segment=info.get("begin_wal"),
        end_segment=info.get("end_wal"),
        end_lsn=info.get("end_xlog"),
        timeline=int(info.get("timeline", "0")),
        system_id=info.get("systemid", ""),
        data_bytes=data,
    )


def _time(value: str | None) -> str | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise FactError(f"backup.info: time {value!r} has no zone.", "Use barman 3.12 or newer.")
    return rfc3339(moment)
