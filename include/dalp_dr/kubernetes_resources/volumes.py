"""Volume content: bytes and files that came back, read by a pod of ours before any production code has run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dalp_dr import naming
from dalp_dr.model.check import CheckResult, expect, failed, inconclusive
from dalp_dr.model.plan import DrillPlan

MANIFEST = "SHA256SUMS"
SNAPSHOTS = frozenset({"CSISnapshot", "NativeSnapshot"})  # Velero's methods that count no bytes
# Walks a mounted volume read-only: counts, sums, a digest over (path, sha256), and the volume's own manifest if it has one.
PROGRAM = """
import hashlib, json, os
root, files, total, tree, sums = "/volume", 0, 0, hashlib.sha256(), {}
for folder, names, found in os.walk(root):
    names[:] = sorted(n for n in names if not (folder == root and n in (".velero", "lost+found")))
    for name in sorted(found):
        path = os.path.join(folder, name)
        if os.path.islink(path) or not os.path.isfile(path):
            continue
        digest = hashlib.sha256()
        with open(path, "rb") as data:
            for block in iter(lambda: data.read(1 << 20), b""):
                digest.update(block)
        short = os.path.relpath(path, root)
        sums[short] = digest.hexdigest()
        files, total = files + 1, total + os.path.getsize(path)
        tree.update(f"{short} {digest.hexdigest()}".encode() + bytes([10]))
wrong, listed = [], 0
if "SHA256SUMS" in sums:
    for line in open(os.path.join(root, "SHA256SUMS")):
        want, _, name = line.strip().partition("  ")
        if name:
            listed += 1
            if sums.get(name.removeprefix("./")) != want:
                wrong.append(name)
print(json.dumps({"files": files, "bytes": total, "tree_sha256": tree.hexdigest(), "manifest": "SHA256SUMS" in sums,
                  "listed": listed, "wrong": wrong}))
"""


@dataclass(frozen=True)
class Volume:
    """One claim of the sandbox. `expected_bytes` is what Velero backed up, None where it backed up nothing, or, as `method`
    then says, a snapshot: that tells the capacity of the volume and not how much it holds."""

    claim: str
    expected_bytes: int | None
    files: int | None
    bytes_: int | None
    tree_sha256: str | None
    manifest: bool
    manifest_files: int
    wrong_files: tuple[str, ...]
    error: str | None = None
    method: str = ""  # Velero's backupMethod; "" in older records


@dataclass(frozen=True)
class VolumeFacts:
    role: str
    namespace: str
    backup: str
    volumes: tuple[Volume, ...]
    claims_in_backup: tuple[str, ...]


def probe_pod(plan: DrillPlan, role: str, claim: str) -> dict[str, Any]:
    """A pod that mounts one claim read-only and prints what it holds as one JSON line."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"drill-volume-{claim}"[:63],
            "namespace": plan.namespace(role),
            "labels": naming.labels(plan.drill_id, plan.environment.name),
        },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "priorityClassName": plan.environment.sandbox.priority_class,
            "containers": [
                {
                    "name": "probe",
                    "image": plan.environment.sandbox.probe_image,
                    "command": ["python3", "-c", PROGRAM],
                    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
                    "volumeMounts": [{"name": "volume", "mountPath": "/volume", "readOnly": True}],
                }
            ],
            "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": claim}}],
        },
    }


def held(volumeinfo: Iterable[Mapping[str, Any]]) -> dict[str, tuple[int | None, str]]:
    """`{claim: (bytes, method)}` of every claim that a backup has data of; bytes are None where nobody counted them."""
    return {
        entry["pvcName"]: ((entry.get("pvbInfo") or {}).get("size", 0) if method not in SNAPSHOTS else None, method)
        for entry in volumeinfo
        if entry.get("pvcName") and not entry.get("skipped") and (method := entry.get("backupMethod") or "")
    }


def volume_from(claim: str, expected_bytes: int | None, output: str | None, error: str | None = None, method: str = "") -> Volume:
    """`output`: the probe's line, None when it could not run; then `error` says why."""

    def unread(why: str) -> Volume:
        return Volume(claim, expected_bytes, None, None, None, False, 0, (), why, method)

    if output is None or not output.strip():
        return unread(error or "the probe gave no answer")
    try:
        seen = json.loads(output.strip().splitlines()[-1])
    except ValueError:
        return unread("the probe's answer is not JSON")
    counts = (seen["files"], seen["bytes"], seen["tree_sha256"], seen["manifest"], seen["listed"], tuple(seen["wrong"]))
    return Volume(claim, expected_bytes, *counts, method=method)


def judge(facts: VolumeFacts, plan: DrillPlan) -> CheckResult:
    """Bytes equal the backup's, no file differs from the volume's own manifest, and no claim is missing or empty."""
    expected = f"{len(facts.claims_in_backup)} volumes of {facts.namespace} with the bytes of {facts.backup}"
    read = {v.claim: v for v in facts.volumes}
    bad = [f"{facts.namespace}/{c}: the claim was not restored" for c in facts.claims_in_backup if c not in read]
    bad += [f"{facts.namespace}/{v.claim}: {problem}" for v in facts.volumes if (problem := _problem(v))]
    seen = f"{sum(v.bytes_ is not None for v in facts.volumes)} read, {sum(v.bytes_ or 0 for v in facts.volumes)} bytes"
    if not facts.claims_in_backup and not facts.volumes:
        return failed("at least one volume", "none: nothing was proven", (f"{facts.namespace}: no claim in {facts.backup}",))
    unread = [f"{facts.namespace}/{v.claim}: could not be read: {v.error}" for v in facts.volumes if v.bytes_ is None]
    unread += [f"{facts.namespace}/{v.claim}: nothing to compare its bytes with, and no {MANIFEST}" for v in facts.volumes if _uncounted(v)]
    if unread and not bad:
        return inconclusive(expected, f"{seen}, {len(unread)} unread", unread)
    return expect(not bad, expected, seen, [*bad, *unread])


def _problem(volume: Volume) -> str | None:
    if volume.bytes_ is None:
        return None
    if volume.method in SNAPSHOTS and not volume.files:
        return f"empty volume: {volume.method} in the backup, no file restored"
    if volume.expected_bytes is None and volume.method not in SNAPSHOTS:
        return f"empty volume: the backup holds no data of it ({volume.files} files found)"
    if volume.wrong_files:
        return f"{len(volume.wrong_files)} files differ from its {MANIFEST}: {', '.join(volume.wrong_files[:5])}"
    if volume.expected_bytes is not None and volume.bytes_ != volume.expected_bytes:
        return f"{volume.bytes_} bytes, {volume.expected_bytes} backed up"
    return None


def _uncounted(volume: Volume) -> bool:
    """A volume of a snapshot that has files and no manifest of its own: nobody can say whether it is whole."""
    return volume.method in SNAPSHOTS and bool(volume.files) and not volume.manifest_files


def claims(contents: Iterable[str], namespace: str) -> tuple[str, ...]:
    """Claim names of `namespace` from "namespace/name" keys."""
    return tuple(sorted(k.split("/", 1)[1] for k in contents if k.startswith(f"{namespace}/")))
