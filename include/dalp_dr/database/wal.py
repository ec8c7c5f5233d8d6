"""Reads commit records out of WAL segments, to know the last transaction an archive can bring back.

Formats: PostgreSQL's access/xlog_internal.h, xlogrecord.h and xact.h, versions 13 to 18, little endian. Whatever does not
look exactly as these say is a FactError: a recovery point is never guessed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dalp_dr.database import crc32c, lsn
from dalp_dr.database.archive import Archive, plain
from dalp_dr.database.instant import rfc3339
from dalp_dr.errors import FactError, RefusedError

Fetch = Callable[[str, str | None], bytes]  # (key, version id) -> the object's bytes as stored

VERSIONS = {0xD106: 13, 0xD10D: 14, 0xD110: 15, 0xD113: 16, 0xD116: 17, 0xD118: 18}
_PAGE = struct.Struct("<HHIQI4x")
_LONG = struct.Struct("<QII")
_RECORD = struct.Struct("<IIQBB2xI")
_CONTINUED, _LONG_HEADER, _OVERWRITE = 0x01, 0x02, 0x08
_RM_XLOG, _RM_XACT = 0, 1
_XLOG_SWITCH = 0x40
_XACT_OPERATION, _COMMIT, _COMMIT_PREPARED = 0x70, 0x00, 0x30
_SHORT, _LONG_DATA, _ORIGIN, _TOPLEVEL_XID = 255, 254, 253, 252
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_LARGEST_RECORD = 1 << 30


@dataclass(frozen=True)
class Commit:
    """A commit record: where it begins and ends, and when the transaction committed (UTC, microseconds, RFC 3339).

    `xid` is None for a prepared transaction, whose commit record is written by another one.
    """

    lsn: str
    end_lsn: str
    xid: int | None
    time: str


@dataclass(frozen=True)
class Scan:
    """Commits of one or more consecutive segments in order, and the end of the last complete record."""

    commits: tuple[Commit, ...]
    end_lsn: str
    system_id: str
    version: int


def read(data: bytes, first: int) -> Scan:
    """Commits in `data`: complete, consecutive segments of which the first begins at WAL position `first`.

    A record that the end of the data cuts off is left out: an archive that ends there cannot replay it. Raises FactError.
    """
    pages = _Pages(data, first)
    commits, end = [], first
    for start, stop, record in pages.records():
        end = stop
        _, xid, _, info, manager, crc = _RECORD.unpack_from(record)
        if manager == _RM_XACT and info & _XACT_OPERATION in (_COMMIT, _COMMIT_PREPARED):
            commits.append(Commit(lsn.show(start), lsn.show(stop), xid or None, _commit_time(record, crc, start)))
    return Scan(tuple(commits), lsn.show(end), str(pages.system_id), pages.version)


@dataclass(frozen=True)
class Links:
    """Records of one segment: how many are whole, what the first names as the one before it, and where the last begins, cut off or not.

    `first_link` is None where no whole record begins, or where a server that crashed gave up the record before.
    """

    records: int
    first_link: int | None
    last: int | None


def links(data: bytes, first: int) -> Links:
    """Follows the links inside one segment. Raises FactError where one is broken or a page is from elsewhere."""
    pages = _Pages(data, first)
    count, first_link = 0, None
    for _, _, record in pages.records():
        if count == 0:
            first_link = _RECORD.unpack_from(record)[2]
        count += 1
    return Links(count, None if pages.begins_anew else first_link, pages.last_begun)


def _commit_time(record: bytes, crc: int, start: int) -> str:
    if crc32c.value(record[_RECORD.size :], record[:20]) != crc:
        raise FactError(f"WAL record at {lsn.show(start)}: its checksum is wrong.", "The archived segment is damaged.")
    position = _RECORD.size
    while record[position] in (_ORIGIN, _TOPLEVEL_XID):
        position += 3 if record[position] == _ORIGIN else 5
    if record[position] not in (_SHORT, _LONG_DATA):
        raise FactError(f"Commit record at {lsn.show(start)} has an unknown layout.", "Report this PostgreSQL version.")
    position += 2 if record[position] == _SHORT else 5
    microseconds = struct.unpack_from("<q", record, position)[0]
    return rfc3339(_EPOCH + timedelta(microseconds=microseconds))


def last_commit(archive: Archive, fetch: Fetch) -> Commit:
    """The last commit that the archive can replay: read from its newest consecutive segments, going back until one has a commit.

    Raises RefusedError when there is nothing to restore, FactError when a segment cannot be read.
    """
    longest = archive.longest()
    later = b""
    for name, version in archive.backwards(longest):
        data = segment(archive, name, plain(version.key, fetch(version.key, version.version_id)))
        start = lsn.split(name, archive.segment_bytes)[1] * archive.segment_bytes
        found = read(data + later, start).commits
        if found:
            return found[-1]
        later = data
    raise RefusedError(
        f"No transaction was committed in the {longest.segments} archived segments up to {longest.last}.",
        "Wait for the next transaction to be archived, or restore another database.",
    )


def segment(archive: Archive, name: str, data: bytes) -> bytes:
    """The decompressed segment, after checking its size."""
    if len(data) != archive.segment_bytes:
        raise FactError(f"{name}: {len(data)} bytes, not {archive.segment_bytes}.", "The archived segment is cut off.")
    return data


class _Pages:
    """Walks the records of consecutive segments over page borders."""

    def __init__(self, data: bytes, first: int) -> None:
        if len(data) < _PAGE.size + _LONG.size:
            raise FactError(f"WAL segment at {lsn.show(first)}: only {len(data)} bytes.", "The archived segment is cut off.")
        magic, info, *_ = _PAGE.unpack_from(data)
        if magic not in VERSIONS or not info & _LONG_HEADER:
            raise FactError(
                f"WAL segment at {lsn.show(first)}: page magic {magic:04X} is none of PostgreSQL 13 to 18.",
                "Name the recovery point by policy `timestamp`, or update this project.",
            )
        self.version = VERSIONS[magic]
        self.system_id, self.segment_bytes, self.page_bytes = _LONG.unpack_from(data, _PAGE.size)
        if not self.segment_bytes or len(data) % self.segment_bytes or first % self.segment_bytes:
            raise FactError(
                f"WAL at {lsn.show(first)}: {len(data)} bytes are not whole segments of {self.segment_bytes}.",
                "The archived segment is cut off.",
            )
        self._data, self._first, self._magic = data, first, magic
        self.last_begun: int | None = None  # where the newest record begins that `records` has met, whole or cut off

    @property
    def begins_anew(self) -> bool:
        """Whether the record that the segment before had begun was given up by the server."""
        return bool(self._header(0)[1] & _OVERWRITE)

    def records(self) -> Iterator[tuple[int, int, bytes]]:
        """(begin, end, bytes) of every complete record. The end is aligned, as PostgreSQL counts it."""
        offset, previous = self._after_continuation(), None
        while offset < len(self._data):
            start = offset if offset % self.page_bytes else offset + self._header(offset)[0]
            length = int.from_bytes(self._data[start : start + 4], "little")
            where = lsn.show(self._first + start)
            if not _RECORD.size <= length <= _LARGEST_RECORD:
                raise FactError(f"WAL at {where}: no record follows, though the segment is complete.", "The archived segment is damaged.")
            taken = self._take(start, length)
            self.last_begun = self._first + start
            if taken is None:
                return
            record, offset, overwritten = taken
            if overwritten:
                previous = None
                continue
            link = _RECORD.unpack_from(record)[2]
            if previous is not None and link != previous:
                raise FactError(
                    f"WAL at {where}: record with incorrect prev-link {lsn.show(link)}, expected {lsn.show(previous)}.",
                    "Two servers have written into this archive.",
                )
            previous = self._first + start
            if record[17] == _RM_XLOG and record[16] & 0xF0 == _XLOG_SWITCH:
                offset = -(-offset // self.segment_bytes) * self.segment_bytes
            yield previous, self._first + offset, record

    def _after_continuation(self) -> int:
        """Offset behind what the segment before this one had begun."""
        header, info, remaining = self._header(0)
        if not info & _CONTINUED:
            return 0
        taken = self._take(header, remaining)
        return len(self._data) if taken is None else taken[1]

    def _take(self, start: int, length: int) -> tuple[bytes, int, bool] | None:
        """(bytes, aligned offset behind them, given up by the server); None when the data ends before."""
        parts, offset = [], start
        while length:
            if offset >= len(self._data):
                return None
            if not offset % self.page_bytes:
                header, info, remaining = self._header(offset)
                if info & _OVERWRITE:
                    return b"", offset, True
                if not info & _CONTINUED or remaining != length:
                    raise FactError(
                        f"WAL at {lsn.show(self._first + offset)}: the record before it is not continued.",
                        "The archived segment is damaged.",
                    )
                offset += header
            piece = min(length, self.page_bytes - offset % self.page_bytes)
            parts.append(self._data[offset : offset + piece])
            offset, length = offset + piece, length - piece
        return b"".join(parts), -(-offset // 8) * 8, False

    def _header(self, offset: int) -> tuple[int, int, int]:
        """(header bytes, flags, bytes continued from the page before), after checking that the page is the right one."""
        magic, info, _, address, remaining = _PAGE.unpack_from(self._data, offset)
        if magic != self._magic or address != self._first + offset:
            raise FactError(
                f"WAL at {lsn.show(self._first + offset)}: the page is not from there (magic {magic:04X}, address {lsn.show(address)}).",
                "The archived segment is damaged.",
            )
        return _PAGE.size + (_LONG.size if info & _LONG_HEADER else 0), info, remaining
