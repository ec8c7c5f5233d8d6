"""Bytes of a volume are read, not believed: the probe's program itself is run on folders."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dalp_dr import catalogue, naming
from dalp_dr.kubernetes_resources import volumes
from dalp_dr.kubernetes_resources.volumes import Volume, VolumeFacts
from velero_sample import PLAN, judged, red, said

FULL = Volume("journal", 11, 2, 11, "a" * 64, True, 1, ())


def facts(*found: Volume, claims: tuple[str, ...] = ("journal",)) -> VolumeFacts:
    return VolumeFacts("app", "dalp", "b-1", found, claims)


def probed(folder: Path) -> dict[str, Any]:
    """The probe's answer about a folder, by its own program."""
    program = volumes.PROGRAM.replace('"/volume"', repr(str(folder)))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def fill(folder: Path, manifest: str | None = None) -> Path:
    (folder / "deep").mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"block=4711\n")
    (folder / "deep" / "b.bin").write_bytes(b"x" * 5)
    if manifest is not None:
        (folder / volumes.MANIFEST).write_text(manifest)
    return folder


def line(data: bytes, name: str) -> str:
    return f"{hashlib.sha256(data).hexdigest()}  {name}\n"


GOOD_MANIFEST = line(b"block=4711\n", "a.bin") + line(b"xxxxx", "./deep/b.bin")


def test_the_probe_counts_files_and_bytes_and_reads_the_manifest(tmp_path: Path) -> None:
    seen = probed(fill(tmp_path / "v", GOOD_MANIFEST))
    size = 16 + len(GOOD_MANIFEST)
    assert (seen["files"], seen["bytes"], seen["manifest"], seen["listed"], seen["wrong"]) == (3, size, True, 2, [])


def test_the_probe_skips_what_the_restore_itself_left_there(tmp_path: Path) -> None:
    folder = fill(tmp_path / "v")
    plain = probed(folder)
    for own in (".velero", "lost+found"):
        (folder / own).mkdir()
        (folder / own / "x").write_text("x")
    (folder / "link").symlink_to("a.bin")
    assert probed(folder) == plain


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda v: (v / "a.bin").write_bytes(b"block=4712\n"), ["a.bin"]),
        (lambda v: (v / "deep" / "b.bin").unlink(), ["./deep/b.bin"]),
        (lambda v: (v / "a.bin").write_bytes(b""), ["a.bin"]),
    ],
    ids=["a changed byte", "a missing file", "a file cut to nothing"],
)
def test_the_probe_names_each_file_that_is_not_its_manifests(tmp_path: Path, change: Any, wrong: list[str]) -> None:
    folder = fill(tmp_path / "v", GOOD_MANIFEST)
    before = probed(folder)["tree_sha256"]
    change(folder)
    after = probed(folder)
    assert after["wrong"] == wrong and after["tree_sha256"] != before


def test_an_empty_volume_is_no_error_of_the_probe(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    seen = probed(tmp_path / "v")
    assert (seen["files"], seen["bytes"], seen["manifest"]) == (0, 0, False)


ANSWER = '{"files": 2, "bytes": 11, "tree_sha256": "%s", "manifest": true, "listed": 1, "wrong": []}' % ("a" * 64)
ANSWERS: dict[str, tuple[str | None, str | None, Volume]] = {
    "one line": (ANSWER, None, FULL),
    "the last line counts": (f"a warning\n{ANSWER}\n", None, FULL),
    "none, and why": (None, "the pod never ran", replace(Volume("journal", 11, None, None, None, False, 0, ()), error="the pod never ran")),
    "nothing at all": ("\n", None, replace(Volume("journal", 11, None, None, None, False, 0, ()), error="the probe gave no answer")),
    "not what the probe writes": (
        "Traceback: MemoryError",
        None,
        replace(Volume("journal", 11, None, None, None, False, 0, ()), error="the probe's answer is not JSON"),
    ),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_the_probes_answer(case: str) -> None:
    output, error, expected = ANSWERS[case]
    assert volumes.volume_from("journal", 11, output, error) == expected


UNREAD = volumes.volume_from("journal", 11, None, "the pod never ran")
RED = {
    "empty, and nothing was backed up": (facts(replace(FULL, expected_bytes=None, files=0, bytes_=0)), "empty volume"),
    "empty, though bytes were backed up": (facts(replace(FULL, files=0, bytes_=0)), "0 bytes, 11 backed up"),
    "partial": (facts(replace(FULL, bytes_=10)), "10 bytes, 11 backed up"),
    "more than was backed up": (facts(replace(FULL, bytes_=12)), "12 bytes, 11 backed up"),
    "files differ from the manifest": (facts(replace(FULL, wrong_files=("a.bin",))), "1 files differ from its SHA256SUMS: a.bin"),
    "one wrong, another unread": (
        facts(replace(FULL, bytes_=10), replace(UNREAD, claim="files"), claims=("files", "journal")),
        "dalp/files: could not be read",
    ),
    "not restored": (facts(), "dalp/journal: the claim was not restored"),
    "one of two is not restored": (facts(FULL, claims=("files", "journal")), "dalp/files: the claim was not restored"),
    "none in the backup either: nothing was proven": (facts(claims=()), "no claim in b-1"),
}


def test_the_bytes_of_the_backup_pass() -> None:
    assert red(judged("volumes", facts(FULL))) == {}


def test_a_volume_that_was_backed_up_empty_comes_back_empty() -> None:
    assert red(judged("volumes", facts(replace(FULL, expected_bytes=0, files=0, bytes_=0)))) == {}


@pytest.mark.parametrize("case", RED)
def test_red(case: str) -> None:
    found, words = RED[case]
    results = judged("volumes", found)
    assert red(results) == {c.id: "fail" for c in catalogue.checks_of("volumes")}
    assert words in said(results["volumes_hold_data"])


def test_a_volume_that_nobody_could_read_is_neither_good_nor_bad() -> None:
    results = judged("volumes", facts(replace(FULL, claim="files"), UNREAD, claims=("files", "journal")))
    assert red(results) == {"volumes_hold_data": "inconclusive"}
    assert "could not be read: the pod never ran" in said(results["volumes_hold_data"])


def test_the_probe_reads_only_and_is_ours() -> None:
    pod = volumes.probe_pod(PLAN, "app", "journal")
    [container] = pod["spec"]["containers"]
    assert container["volumeMounts"] == [{"name": "volume", "mountPath": "/volume", "readOnly": True}]
    assert pod["metadata"]["labels"] == naming.labels(PLAN.drill_id, "lab")
    assert pod["metadata"]["namespace"] == PLAN.namespace("app")
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert len(volumes.probe_pod(PLAN, "app", "c" * 80)["metadata"]["name"]) <= 63


def test_claims_of_one_namespace() -> None:
    assert volumes.claims(["dalp/b", "other/c", "dalp/a", "dalp-support/d"], "dalp") == ("a", "b")


SNAPSHOT = replace(FULL, expected_bytes=None, method="CSISnapshot")


@pytest.mark.parametrize(
    ("volume", "verdict", "words"),
    [
        pytest.param(SNAPSHOT, "pass", "", id="files, each as the volume's own manifest says"),
        pytest.param(replace(SNAPSHOT, manifest=False, manifest_files=0), "inconclusive", "no SHA256SUMS", id="nothing to compare with"),
        pytest.param(replace(SNAPSHOT, manifest_files=0), "inconclusive", "no SHA256SUMS", id="a manifest that lists nothing"),
        pytest.param(replace(SNAPSHOT, files=0, bytes_=0, manifest=False, manifest_files=0), "fail", "no file restored", id="empty"),
        pytest.param(replace(SNAPSHOT, wrong_files=("a.bin",)), "fail", "differ", id="a file differs"),
    ],
)
def test_a_snapshot_counts_no_bytes_and_is_judged_by_what_the_volume_says_itself(volume: Volume, verdict: str, words: str) -> None:
    result = judged("volumes", facts(volume))["volumes_hold_data"]
    assert result.verdict.value == verdict
    assert words in said(result)


def test_what_a_backup_holds_of_each_claim() -> None:
    entries = [
        {"pvcName": "a", "backupMethod": "PodVolumeBackup", "pvbInfo": {"size": 7}},
        {"pvcName": "b", "backupMethod": "PodVolumeBackup", "pvbInfo": {}},
        {"pvcName": "c", "backupMethod": "CSISnapshot", "csiSnapshotInfo": {"size": 1 << 30}},
        {"pvcName": "d", "backupMethod": "PodVolumeBackup", "skipped": True},
        {"pvcName": "e", "backupMethod": ""},
        {"backupMethod": "PodVolumeBackup", "pvbInfo": {"size": 3}},
    ]
    assert volumes.held(entries) == {"a": (7, "PodVolumeBackup"), "b": (0, "PodVolumeBackup"), "c": (None, "CSISnapshot")}
