"""Velero's objects and files, and the database's archive, as the real ones were recorded."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
from pathlib import Path
from typing import Any

import pytest

from dalp_dr.errors import InputError
from dalp_dr_airflow.hooks.backup_store import BackupStoreHook
from dalp_dr_airflow.hooks.barman_catalog import BarmanCatalogHook
from dalp_dr_airflow.hooks.errors import CallError, Denied, Missing
from dalp_dr_airflow.hooks.velero import VeleroHook, label_value
from fake_s3 import FakeS3

FILES = Path(__file__).parents[1] / "data" / "velero_files"


def recorded(name: str) -> bytes:
    return (FILES / name).read_bytes()


def tarball(objects: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, value in objects.items():
            data = json.dumps(value).encode()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def store(**changed: bytes) -> BackupStoreHook:
    backup, restore = "prod/backups/dalp-1/", "prod/restores/drill-a/"
    hook = BackupStoreHook("unused", "velero", "/prod/")
    hook.client = FakeS3(
        {
            f"{backup}velero-backup.json": json.dumps(
                {"metadata": {"name": "dalp-1", "creationTimestamp": "2026-11-23T10:58:00Z"}}
            ).encode(),
            f"{backup}dalp-1-resource-list.json.gz": gzip.compress(recorded("dalp-1.BackupResourceList.json")),
            f"{backup}dalp-1-results.gz": gzip.compress(recorded("dalp-1.BackupResults.json")),
            f"{backup}dalp-1-volumeinfo.json.gz": gzip.compress(recorded("dalp-1.BackupVolumeInfos.json")),
            f"{backup}dalp-1.tar.gz": tarball(
                {
                    "resources/pods/namespaces/dalp/dapp-1.json": {"kind": "Pod"},
                    "resources/pods/v1-preferredversion/namespaces/dalp/dapp-1.json": {"kind": "Pod"},
                    "resources/deployments.apps/namespaces/dalp/dapp.json": {"kind": "Deployment"},
                    "resources/persistentvolumes/cluster/pv-1.json": {"kind": "PersistentVolume"},
                    "metadata/version": "1.1.0",
                }
            ),
            f"{restore}restore-drill-a-results.gz": gzip.compress(recorded("drill-a.RestoreResults.json")),
            f"{restore}restore-drill-a-resource-list.json.gz": gzip.compress(recorded("drill-a.RestoreResourceList.json")),
            "prod/backups/older/velero-backup.json": json.dumps(
                {"metadata": {"name": "older", "creationTimestamp": "2026-11-22T10:58:00Z"}}
            ).encode(),
            **{key.replace("__", "/"): value for key, value in changed.items()},
        }
    )
    return hook


def test_files_of_a_backup() -> None:
    hook = store()
    assert [b["metadata"]["name"] for b in hook.backups()] == ["older", "dalp-1"]
    assert hook.backup_resource_list("dalp-1") == json.loads(recorded("dalp-1.BackupResourceList.json"))
    assert hook.backup_results("dalp-1") == json.loads(recorded("dalp-1.BackupResults.json"))
    assert {v["backupMethod"] for v in hook.backup_volumeinfo("dalp-1")} == {"PodVolumeBackup"}


def test_files_of_a_restore() -> None:
    assert "warnings" in store().restore_results("drill-a")
    assert any(line.endswith("(created)") for line in store().restore_resource_list("drill-a")["v1/Pod"])


def test_contents_by_resource_without_the_copies_by_version() -> None:
    assert store().backup_contents("dalp-1") == {
        "pods": {"dalp/dapp-1": {"kind": "Pod"}},
        "deployments.apps": {"dalp/dapp": {"kind": "Deployment"}},
        "persistentvolumes": {"pv-1": {"kind": "PersistentVolume"}},
    }


def test_what_some_store_unzipped_on_the_way_is_read_too() -> None:
    hook = store(**{"prod/backups/dalp-1/dalp-1-results.gz": recorded("dalp-1.BackupResults.json")})
    assert hook.backup_results("dalp-1") == json.loads(recorded("dalp-1.BackupResults.json"))


WHOLE = tarball({"resources/pods/namespaces/dalp/a.json": {"kind": "Pod", "data": "x" * 5000}})


@pytest.mark.parametrize(
    "data",
    [WHOLE[:-30], b"", b"\x1f\x8bnonsense", tarball({}), tarball({"resources/pods/namespaces/dalp/a.json": 1})[:40]],
)
def test_a_damaged_or_empty_tarball_is_an_error(data: bytes) -> None:
    with pytest.raises(CallError):
        store(**{"prod/backups/dalp-1/dalp-1.tar.gz": data}).backup_contents("dalp-1")


@pytest.mark.parametrize("data", [gzip.compress(b'{"a": 1}' * 100)[:-10], gzip.compress(b"{nonsense"), b""])
def test_a_damaged_file_is_an_error(data: bytes) -> None:
    with pytest.raises(CallError, match="damaged"):
        store(**{"prod/backups/dalp-1/dalp-1-results.gz": data}).backup_results("dalp-1")


def test_an_absent_file_is_missing_and_a_refused_one_denied() -> None:
    with pytest.raises(Missing):
        store().restore_results("drill-nobackup")
    hook = store()
    hook.client.deny = frozenset({"get_object", "list_objects_v2"})
    with pytest.raises(Denied):
        hook.backup_results("dalp-1")
    with pytest.raises(Denied):
        hook.backups()


def test_label_values_are_cut_as_velero_cuts_them() -> None:
    assert label_value("drill-1a2b3c4d-app-1") == "drill-1a2b3c4d-app-1"
    assert label_value("x" * 63) == "x" * 63
    assert label_value("x" * 64) == "x" * 57 + "7ce100"


class FakeCluster:
    """Lists by plural and keeps what was patched and deleted; its one Restore has a phase."""

    def __init__(self, phase: str | None = "InProgress", **lists: list[dict[str, Any]]) -> None:
        self.lists, self.patched, self.selectors, self.deleted = lists, [], [], []  # type: ignore[var-annotated]
        self.phase = phase

    def get(self, path: str) -> dict[str, Any]:
        if self.phase == "gone":
            raise Missing("no such restore")
        return {"metadata": {"name": path.rsplit("/", 1)[-1], "uid": "u-1"}, "status": {"phase": self.phase} if self.phase else {}}

    def delete(self, path: str, uid: str) -> bool:
        self.deleted.append((path.rsplit("/", 1)[-1], uid))
        return True

    def list(self, path: str, selector: str | None = None) -> Any:
        self.selectors.append(selector)
        return self.lists[path.rsplit("/", 1)[-1]]

    def patch(self, path: str, body: Any) -> None:
        self.patched.append((path.rsplit("/", 1)[-1], body))


def test_only_unfinished_volumes_are_cancelled_also_those_without_a_phase() -> None:
    waiting = json.loads(recorded("waiting-volumes.json"))["items"]
    assert [w["status"].get("phase") for w in waiting] == [None, None]
    done = {"metadata": {"name": "drill-killed-done"}, "status": {"phase": "Completed"}}
    cluster = FakeCluster(podvolumerestores=[*waiting, done])
    assert VeleroHook(None, cluster).end("drill-killed") == ["drill-killed-bm9j4", "drill-killed-ddz5b"]  # type: ignore[arg-type]
    assert cluster.patched == [(name, {"spec": {"cancel": True}}) for name in ("drill-killed-bm9j4", "drill-killed-ddz5b")]
    assert cluster.selectors == ["velero.io/restore-name=drill-killed"]
    assert cluster.deleted == []


def test_a_restore_that_nobody_took_up_is_withdrawn_or_it_would_begin_some_day() -> None:
    cluster = FakeCluster(None)
    assert VeleroHook(None, cluster).end("drill-new") == ["drill-new"]  # type: ignore[arg-type]
    assert cluster.deleted == [("drill-new", "u-1")]


def test_a_restore_that_is_gone_needs_no_end() -> None:
    assert VeleroHook(None, FakeCluster("gone")).end("drill-gone") == []  # type: ignore[arg-type]


def backup(name: str, at: str, *namespaces: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "creationTimestamp": at}, "spec": {"includedNamespaces": list(namespaces)}}


def test_backups_come_from_production_or_when_it_is_gone_from_the_sandbox_cluster() -> None:
    source = FakeCluster(backups=[backup("b", "2026-11-23T11:00:00Z", "dalp"), backup("a", "2026-11-23T10:00:00Z", "other")])
    gone = FakeCluster(backups=[])
    hook = VeleroHook(source, gone)  # type: ignore[arg-type]
    assert [b["metadata"]["name"] for b in hook.backups(schedule="dalp-daily")] == ["a", "b"]
    assert source.selectors == ["velero.io/schedule-name=dalp-daily"]
    assert [b["metadata"]["name"] for b in hook.backups(namespace="dalp")] == ["b"]
    assert VeleroHook(None, gone).backups() == []  # type: ignore[arg-type]
    with pytest.raises(Missing):
        VeleroHook(None, gone).schedules()  # type: ignore[arg-type]


def test_a_restore_with_a_status_is_never_sent() -> None:
    with pytest.raises(InputError):
        VeleroHook(None, FakeCluster()).create_restore({"kind": "Restore", "status": {"phase": "Completed"}})  # type: ignore[arg-type]


SEGMENT = b"WAL" * 1000
NAME = "0000000100000000000000"


def archive() -> BarmanCatalogHook:
    hook = BarmanCatalogHook("unused", "dalp-wal", "/prod/", "dalp-pg")
    wals = "prod/dalp-pg/wals/0000000100000000/"
    hook.client = FakeS3(
        {
            "prod/dalp-pg/base/20261123T105711/backup.info": b"status=DONE",
            "prod/dalp-pg/base/20261123T105711/data.tar.gz": b"x",
            f"{wals}{NAME}0C.gz": gzip.compress(SEGMENT),
            f"{wals}{NAME}0D.bz2": bz2.compress(SEGMENT),
            f"{wals}{NAME}0E.xz": lzma.compress(SEGMENT),
            f"{wals}{NAME}0F": SEGMENT,
            f"{wals}{NAME}10.gz": gzip.compress(SEGMENT)[:-4],
            f"{wals}{NAME}11.snappy": b"?",
            f"{wals}{NAME}0C.00000028.backup.gz": b"x",
            "prod/dalp-pg/wals/00000002.history.gz": gzip.compress(b"1\t0/C\tbefore"),
            "prod/dalp-pg-other/wals/x": b"not ours",
        }
    )
    return hook


@pytest.mark.parametrize("number", ["0C", "0D", "0E", "0F"])
def test_segments_in_every_compression(number: str) -> None:
    assert archive().segment(f"{NAME}{number}") == SEGMENT


@pytest.mark.parametrize(("number", "kind"), [("10", CallError), ("11", Missing), ("12", Missing)])
def test_damaged_unreadable_and_absent_segments(number: str, kind: type[CallError]) -> None:
    with pytest.raises(kind):
        archive().segment(f"{NAME}{number}")


def test_the_catalogue() -> None:
    hook = archive()
    rows = hook.objects()
    assert len(rows) == 10
    assert set(rows[0]) == {
        "key",
        "version_id",
        "last_modified",
        "size_bytes",
        "etag",
        "is_latest",
        "is_delete_marker",
        "checksum_algorithm",
    }
    assert hook.backup_infos() == {"20261123T105711": "status=DONE"}
    assert hook.histories() == {"00000002.history": "1\t0/C\tbefore"}
    assert gzip.decompress(hook.read("prod/dalp-pg/wals/0000000100000000/" + NAME + "0C.gz")) == SEGMENT


def test_an_archive_without_anything_is_missing_and_not_an_empty_one() -> None:
    hook = archive()
    hook.client = FakeS3({"prod/dalp-pg-other/wals/x": b"not ours"})
    with pytest.raises(Missing, match="neither base backups nor WAL"):
        hook.objects()
