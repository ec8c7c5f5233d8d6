"""Was production's archive left alone while the copy lived beside it? Compared key by key, before and after.

A second writer is silent: production's archiver notices nothing, and its next point-in-time recovery fails. So the archive is
listed in preflight and again at the end. Whatever was there must still be there unchanged, but for what production's own
retention removed; whatever came must be production's: WAL of its timeline after the newest segment, and base backups that
its Backup objects explain.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dalp_dr.database import archive, listing, lsn
from dalp_dr.model.check import CheckResult, expect, inconclusive
from dalp_dr.model.plan import DrillPlan, utc

FOLDER_SHOWN = 12  # hex digits of a folder's digest that a finding tells
SAME_MOMENT = timedelta(seconds=1)
SIDE_BY_SIDE = 8  # segments that may be uploaded at once
_BACKUP_LABEL = re.compile(r"[0-9A-F]{24}\.[0-9A-F]{8}\.backup")  # PostgreSQL's own note of a base backup, archived like WAL


@dataclass(frozen=True)
class Folder:
    """All versions below one folder of the archive: 256 segments of WAL, or one base backup. `sha256` over key, version, size and
    ETag of each."""

    folder: str
    versions: int
    sha256: str


@dataclass(frozen=True)
class ArchiveBefore:
    """The archive when the drill began, up to `moment`: a second before its newest change, since a store may tell whole seconds and
    more may come in that one; clock of the object store, None when it is empty. A segment may still come that is as old as
    `first_expected`: several are uploaded side by side."""

    root: str
    moment: str | None
    newest_segment: str | None
    first_expected: str | None
    oldest_segment: str | None
    folders: tuple[Folder, ...]


@dataclass(frozen=True)
class ArchiveAfter:
    """The archive at the end, beside what it was. `before` is None where nobody listed it before.

    `changed`: folders whose versions up to the first listing's moment are not the same any more; `retired` those of them that
    lie before the oldest base backup, where production's retention removes. `segments`, `others`: keys that came since, good
    and not explained by WAL that goes on or by a base backup; `rewritten`: keys that got another content since.
    `base_backups`: those that came since; `known_backups`: ids that the source's Backup objects name, None when there was no
    source to ask.
    """

    root: str
    before: ArchiveBefore | None
    listed: int
    changed: tuple[Folder, ...]
    retired: tuple[str, ...]
    segments: tuple[str, ...]
    others: tuple[str, ...]
    rewritten: tuple[str, ...]
    base_backups: tuple[str, ...]
    known_backups: tuple[str, ...] | None
    removed: tuple[str, ...] = ()  # keys deleted since that a recovery could still use
    running_backups: int = 0  # Backup objects of the source that have not ended: their base backup has no id yet


def before(rows: Iterable[Mapping[str, Any]], root: str) -> ArchiveBefore:
    """From the listing of all versions."""
    grouped = _below(rows, root)
    newest = max((v.last_modified for versions in grouped.values() for v in versions), default=None)
    if newest is None:
        return ArchiveBefore(root, None, None, None, None, ())
    moment = newest - SAME_MOMENT
    there = [key for key, versions in grouped.items() if any(v.last_modified <= moment for v in versions)]
    segments = sorted(name for key in there if lsn.is_segment(name := _name(key)))
    return ArchiveBefore(
        root,
        moment.isoformat(),
        segments[-1] if segments else None,
        segments[-SIDE_BY_SIDE:][0] if segments else None,
        segments[0] if segments else None,
        _folders(grouped, root, moment.isoformat()),
    )


def after(
    plan: DrillPlan,
    rows: Iterable[Mapping[str, Any]],
    root: str,
    then: ArchiveBefore | None,
    known: Iterable[str] | None,
    running: int = 0,
) -> ArchiveAfter:
    """From the listing at the end, the facts of the first one, and the source's Backup objects."""
    grouped = _below(rows, root)
    timeline = plan.database.window.timeline if plan.database else 0
    if then is None or then.moment is None:
        return ArchiveAfter(root, then, len(grouped), (), (), (), (), (), (), None if known is None else tuple(sorted(known)))
    moment = utc(then.moment)
    now = {f.folder: f for f in _folders(grouped, root, then.moment)}
    changed = [now.get(f.folder, Folder(f.folder, 0, "")) for f in then.folders if now.get(f.folder) != f]
    changed += [f for name, f in now.items() if name not in {f.folder for f in then.folders}]
    there = [key for key, versions in grouped.items() if not versions[0].is_delete_marker]
    oldest = min((key.split("/base/")[1].split("/")[0] for key in there if "/base/" in key), default="")
    begin = min((name for key in there if lsn.is_segment(name := _name(key))), default="")
    retired = [f.folder for f in changed if _retired(f, then, oldest, begin)]
    came = {key: versions for key, versions in grouped.items() if all(v.last_modified > moment for v in versions)}
    backups = sorted({key.split("/base/")[1].split("/")[0] for key in came if "/base/" in key})
    wal = {key: _name(key) for key in came if "/base/" not in key}
    good = {k: n for k, n in wal.items() if _goes_on(n, timeline, then.first_expected or "")}
    return ArchiveAfter(
        root=root,
        before=then,
        listed=len(grouped),
        changed=tuple(sorted((f for f in changed if f.folder not in retired), key=lambda f: f.folder)),
        retired=tuple(sorted(retired)),
        segments=tuple(sorted(good.values())),
        others=tuple(sorted(set(wal) - set(good))),
        rewritten=tuple(sorted(k for k, versions in grouped.items() if _rewritten(k, versions, then.moment or ""))),
        base_backups=tuple(backups),
        known_backups=None if known is None else tuple(sorted(known)),
        removed=tuple(
            sorted(k for k, v in grouped.items() if v[0].is_delete_marker and v[0].last_modified > moment and _used(k, oldest, begin))
        ),
        running_backups=running,
    )


def _goes_on(name: str, timeline: int, first: str) -> bool:
    """A complete segment of production's timeline, no older than the upload that was under way, or the note of a base backup."""
    known = lsn.is_segment(name) or _BACKUP_LABEL.fullmatch(name) is not None
    return known and int(name[:8], 16) == timeline and name > first


def _below(rows: Iterable[Mapping[str, Any]], root: str) -> dict[str, list[listing.Version]]:
    return listing.by_key(r for r in rows if str(r.get("key", "")).startswith(root))


def _name(key: str) -> str:
    return archive.bare(key.rsplit("/", 1)[-1])


def _folder(key: str, root: str) -> str:
    """`base/<id>` or `wals/<first 16 digits>`; a key elsewhere is a folder of its own."""
    parts = key.removeprefix(root).split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else key.removeprefix(root)


def _folders(grouped: Mapping[str, list[listing.Version]], root: str, until: str | None) -> tuple[Folder, ...]:
    lines: dict[str, list[str]] = {}
    for key, versions in grouped.items():
        for v in versions:
            if until is None or v.last_modified <= utc(until):
                kind = "deleted" if v.is_delete_marker else "kept"
                lines.setdefault(_folder(key, root), []).append(f"{key} {v.version_id} {v.size_bytes} {v.etag} {kind}")
    return tuple(
        Folder(name, len(found), hashlib.sha256("\n".join(sorted(found)).encode()).hexdigest()) for name, found in sorted(lines.items())
    )


def _used(key: str, oldest: str, begin: str) -> bool:
    """Whether a recovery from a base backup that is still there could read this key."""
    if "/base/" in key:
        return key.split("/base/")[1].split("/")[0] >= oldest
    return not lsn.is_segment(_name(key)) or _name(key) >= begin


def _retired(folder: Folder, then: ArchiveBefore, oldest: str, begin: str) -> bool:
    """Fewer versions than before, in a place that lies before everything a recovery could still use."""
    had = next((f.versions for f in then.folders if f.folder == folder.folder), 0)
    area, _, name = folder.folder.partition("/")
    older = (area == "base" and bool(oldest) and name < oldest) or (
        area == "wals" and begin > (then.oldest_segment or "") and name <= begin[: len(name)]
    )
    return folder.versions < had and older


def _rewritten(key: str, versions: list[listing.Version], since: str) -> bool:
    """Everything is written once, but for the description of a base backup, which its writer writes twice while it runs."""
    if _name(key) == "backup.info" and all(v.last_modified > utc(since) for v in versions):
        return False
    younger = [v for v in versions if v.last_modified > utc(since)]
    return len(versions) > 1 and bool(younger) and len({(v.etag, v.size_bytes) for v in versions if not v.is_delete_marker}) > 1


def judge_untouched(facts: ArchiveAfter, plan: DrillPlan) -> CheckResult:
    """Nothing of what was there has changed, and everything that came is production's own."""
    expected = f"the archive {facts.root} as it was, and nothing new but production's own WAL and base backups"
    if facts.before is None or facts.before.moment is None or not facts.listed:
        return inconclusive(expected, "the archive was not listed before and after, so nothing can be compared")
    findings = [
        f"{facts.root}{f.folder} is not what it was ({f.versions} versions, digest {f.sha256[:FOLDER_SHOWN] or 'none'})"
        for f in facts.changed
    ]
    findings += [f"{key} was deleted, and a recovery could still need it" for key in facts.removed]
    findings += [f"{key} was written again with another content" for key in facts.rewritten]
    findings += [f"{key} came during the drill and is no WAL that goes on from {facts.before.newest_segment}" for key in facts.others]
    unknown = [b for b in facts.base_backups if facts.known_backups is not None and b not in facts.known_backups]
    if len(unknown) > facts.running_backups:
        findings += [f"base backup {b} came during the drill and has no Backup object in the source" for b in unknown]
    seen = f"{len(facts.before.folders)} folders compared, {len(facts.segments)} segments and {len(facts.base_backups)} base backups came"
    if findings:
        return expect(False, expected, f"{seen}; {len(findings)} signs of a second writer", findings)
    if facts.base_backups and facts.known_backups is None:
        return inconclusive(expected, f"{seen}; the source's Backup objects could not be read", facts.base_backups)
    return expect(True, expected, seen + (f"; retention removed of {len(facts.retired)} folders" if facts.retired else ""))
