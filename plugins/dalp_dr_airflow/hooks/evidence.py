"""Evidence in a bucket, under object lock where the store has it, with a copy in the project's state folder."""

from __future__ import annotations

import builtins
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from dalp_dr.errors import EvidenceError
from dalp_dr.evidence.store import FolderStore, is_safe_key
from dalp_dr_airflow.hooks.errors import CallError, Missing, translate
from dalp_dr_airflow.hooks.s3 import S3Access, s3_uri

Lock = Literal["COMPLIANCE", "GOVERNANCE", "NONE"]
_ALREADY_THERE = (409, 412)
_KEPT = re.compile(r"drills/[^/]+/(records|captures)/")


class EvidenceStoreHook(S3Access):
    """An `evidence.store.EvidenceStore` on S3: written once, S3 first, then the mirror.

    `lock` and `retention_days`: object lock of every object put; NONE leaves it to the bucket's own default. The
    bucket is the truth, the mirror a convenience for people and for `dalp_dr verify`. Records and captures that the bucket
    did not take are kept in `unsent/` and sent before the next write; the task fails all the same, so that nothing counts
    before it is stored.
    """

    default_conn_name = "dalp_evidence_store"
    hook_name = "DALP evidence store"

    def __init__(self, conn_id: str, bucket: str, lock: Lock = "NONE", retention_days: int = 0, mirror: Path | None = None) -> None:
        super().__init__(conn_id)
        self.bucket, self.lock, self.retention_days = bucket, lock, retention_days
        self.mirror = FolderStore(mirror or state_folder())
        self.unsent = FolderStore(self.mirror.root / "unsent" / bucket)

    def put(self, key: str, data: bytes) -> None:
        """Store under a key nobody used before. EvidenceError when it holds other bytes; the same bytes again are no
        error.
        """
        if not is_safe_key(key):
            raise EvidenceError(f"{key!r} is not a key of the evidence store.", "Use a relative path without `..`.")
        self._send_kept()
        self._put(key, data)
        self.mirror.put(key, data)

    def _put(self, key: str, data: bytes) -> None:
        try:
            self._put_new(key, data)
        except CallError as error:
            if error.status not in _ALREADY_THERE:
                self._keep(key, data)
                step = error.next_step if self.lock == "NONE" else f"{error.next_step} Object lock asks for s3:PutObjectRetention too."
                raise EvidenceError(f"Evidence {key} could not be stored: {error}", step) from None
            if self.get(key) != data:
                raise EvidenceError(
                    f"{key} exists with other content; evidence is never overwritten.",
                    "Look at both; use a new attempt.",
                ) from None

    def _keep(self, key: str, data: bytes) -> None:
        """Keeps what an attempt found. Not a ledger entry or anything else that is true only in its order."""
        if _KEPT.match(key):
            self.unsent.put(key, data)

    def _send_kept(self) -> None:
        """Sends what the bucket did not take earlier. Raises EvidenceError while it still does not."""
        for key in self.unsent.list("") if self.unsent.root.is_dir() else ():
            data = self.unsent.get(key)
            self._put(key, data)
            self.mirror.put(key, data)
            (self.unsent.root / key).unlink(missing_ok=True)

    def get(self, key: str) -> bytes:
        try:
            return self.read(self.bucket, key)
        except Missing:
            raise EvidenceError(f"{s3_uri(self.bucket, key)} is not in the evidence store.", "Check that it was stored.") from None
        except CallError as error:
            raise EvidenceError(f"Evidence {key} could not be read: {error}", error.next_step) from None

    def list(self, prefix: str) -> tuple[str, ...]:
        try:
            return tuple(sorted(self.keys(self.bucket, prefix)))
        except CallError as error:
            raise EvidenceError(f"Evidence below {prefix} could not be listed: {error}", error.next_step) from None

    def _put_new(self, key: str, data: bytes) -> None:
        """Looks before it writes and asks the store to refuse an existing key, since not every store knows
        `If-None-Match`.
        """
        with translate("store", s3_uri(self.bucket, key)):
            if self._exists(key):
                raise CallError(f"{key} exists.", status=412)
            self.client.put_object(Bucket=self.bucket, Key=key, Body=data, IfNoneMatch="*", **self._retention())

    def _exists(self, key: str) -> bool:
        found: builtins.list[Any] = self.client.list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        return bool(found) and found[0]["Key"] == key

    def _retention(self) -> dict[str, Any]:
        if self.lock == "NONE" or self.retention_days <= 0:
            return {}
        return {
            "ObjectLockMode": self.lock,
            "ObjectLockRetainUntilDate": datetime.now(UTC) + timedelta(days=self.retention_days),
            "ChecksumAlgorithm": "SHA256",
        }


def state_folder() -> Path:
    """`$DALP_DR_HOME`, or `.dalp-dr` in the project."""
    return Path(os.environ.get("DALP_DR_HOME") or Path(__file__).resolve().parents[3] / ".dalp-dr")
