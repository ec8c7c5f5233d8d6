"""Velero's files in the backup bucket: what it backed up and what it restored, in its own words."""

from __future__ import annotations

import gzip
import json
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

from dalp_dr_airflow.hooks.errors import CallError, Missing, translate
from dalp_dr_airflow.hooks.s3 import CHUNK_BYTES, S3Access, s3_uri

LONGEST_JSON_BYTES = 512 * 1024 * 1024
IN_MEMORY_BYTES = 32 * 1024 * 1024
_GZIP = b"\x1f\x8b"


class BackupStoreHook(S3Access):
    """Read with a key of our own, so that neither DownloadRequests nor Velero's credentials are needed.

    `prefix`: the BackupStorageLocation's prefix. A file that is absent is Missing: nothing is taken for empty.
    """

    hook_name = "DALP backup store"

    def __init__(self, conn_id: str, bucket: str, prefix: str = "") -> None:
        super().__init__(conn_id)
        self.bucket, self.prefix = bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def backups(self) -> list[dict[str, Any]]:
        """The Backup objects of all backups in the bucket, from their `velero-backup.json`; oldest first."""
        root = f"{self.prefix}backups/"
        names = sorted(
            {key.removeprefix(root).partition("/")[0] for key in self.keys(self.bucket, root) if key.endswith("/velero-backup.json")}
        )
        found = [self._json(f"{root}{name}/velero-backup.json") for name in names]
        return sorted(found, key=lambda backup: backup["metadata"].get("creationTimestamp") or "")

    def backup_resource_list(self, backup: str) -> dict[str, list[str]]:
        """`{"apps/v1/Deployment": ["namespace/name", ...]}`."""
        return dict(self._json(self._backup(backup, "-resource-list.json.gz")))

    def backup_results(self, backup: str) -> dict[str, Any]:
        """`{"warnings": {...}, "errors": {...}}`, each with `velero`, `cluster` and `namespaces` if any."""
        return dict(self._json(self._backup(backup, "-results.gz")))

    def backup_volumeinfo(self, backup: str) -> list[dict[str, Any]]:
        """One entry a claim: how its data was backed up, with which result."""
        return list(self._json(self._backup(backup, "-volumeinfo.json.gz")) or [])

    def backup_contents(self, backup: str) -> dict[str, dict[str, dict[str, Any]]]:
        """`{"<plural>.<group>": {"namespace/name": object}}` of the backup's tarball; core kinds have no group
        ("pods"), cluster-scoped objects no namespace.
        """
        key = self._backup(backup, ".tar.gz")
        found: dict[str, dict[str, dict[str, Any]]] = {}
        with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
            self._download(key, file)
            file.seek(0)
            try:
                with tarfile.open(fileobj=file, mode="r:gz") as archive:
                    for resource, name, item in _objects(archive):
                        found.setdefault(resource, {})[name] = item
            except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError) as error:
                raise CallError(
                    f"{s3_uri(self.bucket, key)} cannot be unpacked: {type(error).__name__}: {error}",
                    "The backup is damaged: choose another one and find out what damaged it.",
                ) from None
        if not found:
            raise Missing(f"{s3_uri(self.bucket, key)} holds no object at all.", "The backup is empty: look at its selector.")
        return found

    def restore_results(self, restore: str) -> dict[str, Any]:
        """`{"warnings": {...}, "errors": {...}}` of a restore that ended; Missing after FailedValidation or a server
        restart.
        """
        return dict(self._json(self._restore(restore, f"restore-{restore}-results.gz")))

    def restore_resource_list(self, restore: str) -> dict[str, list[str]]:
        """`{"v1/Pod": ["namespace/name(created)", ...]}`; created, updated, failed or skipped."""
        return dict(self._json(self._restore(restore, f"restore-{restore}-resource-list.json.gz")))

    def restore_files(self, restore: str) -> list[str]:
        """Keys of what Velero keeps about a restore; none once the Restore is deleted."""
        return list(self.keys(self.bucket, f"{self.prefix}restores/{restore}/"))

    def _backup(self, name: str, suffix: str) -> str:
        return f"{self.prefix}backups/{name}/{name}{suffix}"

    def _restore(self, name: str, file: str) -> str:
        return f"{self.prefix}restores/{name}/{file}"

    def _json(self, key: str) -> Any:
        data = self.read(self.bucket, key)
        try:
            return json.loads(unzipped(data))
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise CallError(
                f"{s3_uri(self.bucket, key)} is damaged: {type(error).__name__}: {error}",
                "Find out what damaged it; choose another backup.",
            ) from None

    def _download(self, key: str, file: IO[bytes]) -> None:
        with translate("read", s3_uri(self.bucket, key)):
            for chunk in self.client.get_object(Bucket=self.bucket, Key=key)["Body"].iter_chunks(CHUNK_BYTES):
                file.write(chunk)


def unzipped(data: bytes) -> bytes:
    """The data without gzip, where it has any: some stores undo it on the way. ValueError beyond LONGEST_JSON_BYTES."""
    if not data.startswith(_GZIP):
        return data
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    found = unpacker.decompress(data, LONGEST_JSON_BYTES)
    if unpacker.unconsumed_tail:
        raise ValueError(f"more than {LONGEST_JSON_BYTES} bytes unpacked")
    if not unpacker.eof:
        raise gzip.BadGzipFile("the file ends too early")
    return found


def _objects(archive: tarfile.TarFile) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """`(resource, name, object)` of `resources/<resource>/{namespaces/<namespace>,cluster}/<name>.json`; copies by
    version are left out.
    """
    for member in archive:
        parts = member.name.removeprefix("./").split("/")
        if not member.isfile() or parts[0] != "resources" or not parts[-1].endswith(".json") or len(parts) < 4:
            continue
        data = archive.extractfile(member)
        name = parts[-1].removesuffix(".json")
        if data is None or parts[2] not in ("namespaces", "cluster"):
            continue
        yield parts[1], f"{parts[3]}/{name}" if parts[2] == "namespaces" else name, json.loads(data.read())
