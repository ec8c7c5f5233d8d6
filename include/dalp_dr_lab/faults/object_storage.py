"""Faults of the documents bucket."""

from __future__ import annotations

from pathlib import Path

from dalp_dr_lab import buckets
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.faults.fault import Fault, Notes
from dalp_dr_lab.faults.recovery_points import delete_versions
from dalp_dr_lab.lab import BUCKETS, Lab
from dalp_dr_lab.miniature import source

SHORT_DAYS = 7
OTHER_BYTES = b"these are not the bytes that the database row describes\n"


def _choose(lab: Lab, notes: Notes, kind: str) -> None:
    """Note a document of a kind and keep a copy of its bytes outside the bucket."""
    statement = f"select id, bucket, object_key, version_id from document where kind = '{kind}' order by id limit 1"
    row = source.sql(lab, statement)
    if not row:
        raise LabError(f"There is no document of kind {kind}. Run `python -m dalp_dr_lab traffic` first.")
    notes["id"], notes["bucket"], notes["key"], notes["version"] = row.split("|")
    place = {"Bucket": notes["bucket"], "Key": notes["key"], "VersionId": notes["version"]}
    _saved(lab, notes).write_bytes(lab.s3("admin").get_object(**place)["Body"].read())


def _saved(lab: Lab, notes: Notes) -> Path:
    return lab.folder / "tmp" / f"document-{notes['id']}"


def _wrong_version(lab: Lab, notes: Notes) -> None:
    _choose(lab, notes, "upload")
    store = lab.s3("admin")
    store.delete_object(Bucket=notes["bucket"], Key=notes["key"], VersionId=notes["version"])
    wrong = store.put_object(Bucket=notes["bucket"], Key=notes["key"], Body=OTHER_BYTES)
    notes["wrong_version"] = wrong["VersionId"]


def _deleted(lab: Lab, notes: Notes) -> None:
    _choose(lab, notes, "export")
    delete_versions(lab, notes["bucket"], notes["key"])


def _put_back(lab: Lab, notes: Notes) -> None:
    """Store the kept bytes again and point the row at the version they got now."""
    if "id" not in notes:
        return
    store, saved = lab.s3("admin"), _saved(lab, notes)
    place = {"Bucket": notes["bucket"], "Key": notes["key"]}
    if "wrong_version" in notes:
        store.delete_object(**place, VersionId=notes["wrong_version"])
    version = store.put_object(**place, Body=saved.read_bytes())["VersionId"]
    source.sql(lab, f"update document set version_id = '{version}' where id = {int(notes['id'])}")
    saved.unlink()


def _set_versioning(lab: Lab, status: str) -> None:
    lab.s3("admin").put_bucket_versioning(Bucket=BUCKETS["documents"], VersioningConfiguration={"Status": status})


FAULTS = (
    Fault(
        "wrong-object-version",
        "The version of an upload that the database names is gone from the bucket; other bytes are current instead.",
        ("object_versions_readable", "documents_resolve"),
        _wrong_version,
        _put_back,
        group="contents-1",
    ),
    Fault(
        "deleted-object",
        "An export that the database names is gone from the bucket with all its versions.",
        ("object_versions_readable", "documents_resolve"),
        _deleted,
        _put_back,
        group="contents-2",
    ),
    Fault(
        "versioning-suspended",
        "Versioning of the documents bucket is suspended: what is overwritten from now on is gone.",
        ("versioning_enabled",),
        lambda lab, notes: _set_versioning(lab, "Suspended"),
        lambda lab, notes: _set_versioning(lab, "Enabled"),
        group="contents-2",
        spoils=False,
    ),
    Fault(
        "short-horizon",
        f"The documents bucket keeps noncurrent versions for {SHORT_DAYS} days only, less than the database's window.",
        ("noncurrent_horizon_covers_window",),
        lambda lab, notes: buckets.keep_noncurrent(lab, SHORT_DAYS),
        lambda lab, notes: buckets.keep_noncurrent(lab),
        group="running",
        spoils=False,
    ),
)
