"""The database's archive as Barman wrote it: base backups and WAL, from the bucket alone."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from typing import Any

from dalp_dr_airflow.hooks.errors import CallError, Missing
from dalp_dr_airflow.hooks.s3 import S3Access, s3_uri

DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    "": bytes,
}
_FAULTS = (OSError, EOFError, ValueError, lzma.LZMAError)


class BarmanCatalogHook(S3Access):
    """`<prefix>/<server_name>/base/...` and `.../wals/...`, with every version the store keeps of them."""

    hook_name = "DALP database archive"

    def __init__(self, conn_id: str, bucket: str, prefix: str, server_name: str) -> None:
        super().__init__(conn_id)
        self.bucket = bucket
        self.root = "/".join(part for part in (prefix.strip("/"), server_name) if part) + "/"

    def objects(self) -> list[dict[str, Any]]:
        """Every version of every object of base/ and wals/; see `S3Access.versions`. Missing when the archive has
        none at all.
        """
        found = [row for folder in ("base/", "wals/") for row in self.versions(self.bucket, self.root + folder)]
        if not found:
            raise Missing(
                f"{s3_uri(self.bucket, self.root)} holds neither base backups nor WAL.",
                "Compare archive_bucket, archive_prefix and server_name with production's ObjectStore.",
            )
        return found

    def read(self, key: str, version_id: str | None = None) -> bytes:  # type: ignore[override]
        """One object of the archive as it is stored, compression included."""
        return super().read(self.bucket, key, version_id)

    def backup_infos(self) -> dict[str, str]:
        """`{backup id: text of its backup.info}`, newest version each."""
        root = f"{self.root}base/"
        return {
            key.removeprefix(root).partition("/")[0]: self.read(key).decode()
            for key in self.keys(self.bucket, root)
            if key.endswith("/backup.info")
        }

    def segment(self, name: str) -> bytes:
        """A WAL segment by its 24 hex digits, decompressed. Missing when the archive does not hold it."""
        return self._unpacked(f"{self.root}wals/{name[:16]}/{name}")

    def histories(self) -> dict[str, str]:
        """`{file name without compression suffix: text}` of the timeline history files; empty on timeline 1."""
        root = f"{self.root}wals/0"
        names = {key.partition(".history")[0] + ".history" for key in self.keys(self.bucket, root) if ".history" in key}
        return {path.rpartition("/")[2]: self._unpacked(path).decode() for path in sorted(names)}

    def _unpacked(self, path: str) -> bytes:
        stored = [key for key in self.keys(self.bucket, path) if key.removeprefix(path) in DECOMPRESS]
        if not stored:
            raise Missing(
                f"{s3_uri(self.bucket, path)} is not in the archive, plain or as gz, bz2 or xz.",
                "Other compressions (snappy, lz4, zstd) cannot be read by the drill: choose gzip in the ObjectStore.",
            )
        try:
            return DECOMPRESS[stored[0].removeprefix(path)](self.read(stored[0]))
        except _FAULTS as error:
            raise CallError(
                f"{s3_uri(self.bucket, stored[0])} is damaged: {type(error).__name__}: {error}",
                "The archive is broken at this segment: take a new base backup.",
            ) from None
