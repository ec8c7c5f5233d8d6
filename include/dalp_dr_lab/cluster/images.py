"""Image archives (OCI layouts in a tar file) from plain folders and files, and their way into containerd."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dalp_dr_lab.cluster.settings import Cluster
from dalp_dr_lab.errors import LabError

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MEDIA = "application/vnd.oci.image."
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
NOT_IN_IMAGES = ("./proc/*", "./sys/*", "./dev/*", "./run/*")


@dataclass(frozen=True, slots=True)
class Image:
    """A name and how a container of it starts."""

    name: str
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    environment: Sequence[str] = ()
    user: str = ""
    working_folder: str = "/"


@dataclass(frozen=True, slots=True)
class Files:
    """A layer of single files, all owned by root: programs (mode 0755), texts, links and world-writable folders."""

    programs: Mapping[str, Path] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    open_folders: Sequence[str] = ()


def archive_name(name: str) -> str:
    """The file name of image `name`'s archive."""
    return name.replace("/", "_").replace(":", "_") + ".tar"


def write(target: Path, layers: Sequence[Path | Files], images: Sequence[Image]) -> Path:
    """Write `target`: one archive in which all `images` share the uncompressed `layers` (folders and single files).

    Names need a registry and a tag that is not `latest`, else kubelet tries to pull them.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    tars = [target.with_suffix(f".layer{number}") for number in range(len(layers))]
    try:
        for tar, layer in zip(tars, layers, strict=True):
            _pack_files(tar, layer) if isinstance(layer, Files) else _pack_folder(tar, layer)
        digests = [_digest(tar) for tar in tars]
        _assemble(target, tars, digests, images)
    finally:
        for tar in tars:
            tar.unlink(missing_ok=True)
    return target


def _pack_folder(tar: Path, folder: Path) -> None:
    words = ["tar", "--create", "--file", str(tar), "--numeric-owner", "--one-file-system", "--sort=name", "--xattrs"]
    subprocess.run([*words, *(f"--exclude={path}" for path in NOT_IN_IMAGES), "--directory", str(folder), "."], check=True)


def _pack_files(tar: Path, files: Files) -> None:
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in files.open_folders:
            archive.addfile(_entry(path, type=tarfile.DIRTYPE, mode=0o1777))
        for path, source in files.programs.items():
            with source.open("rb") as program:
                archive.addfile(_entry(path, mode=0o755, size=source.stat().st_size), program)
        for path, link in files.links.items():
            archive.addfile(_entry(path, type=tarfile.SYMTYPE, linkname=link))
        for path, text in files.texts.items():
            archive.addfile(_entry(path, mode=0o644, size=len(text.encode())), io.BytesIO(text.encode()))


def _entry(path: str, **fields: Any) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path.lstrip("/"))
    for name, value in fields.items():
        setattr(entry, name, value)
    return entry


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _assemble(target: Path, tars: Sequence[Path], digests: Sequence[str], images: Sequence[Image]) -> None:
    members: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}

    def blob(kind: str, value: object) -> dict[str, Any]:
        data = json.dumps(value, sort_keys=True).encode()
        key = hashlib.sha256(data).hexdigest()
        members[f"blobs/sha256/{key}"] = data
        return {"mediaType": MEDIA + kind, "digest": f"sha256:{key}", "size": len(data)}

    layers = [
        {"mediaType": MEDIA + "layer.v1.tar", "digest": f"sha256:{digest}", "size": tar.stat().st_size}
        for tar, digest in zip(tars, digests, strict=True)
    ]
    manifests = []
    for image in images:
        config = blob(
            "config.v1+json",
            {
                "architecture": ARCHITECTURE,
                "os": "linux",
                "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
                "config": {
                    "Env": [
                        *([] if any(e.startswith("PATH=") for e in image.environment) else [PATH]),
                        *image.environment,
                    ],
                    "Entrypoint": list(image.entrypoint),
                    "Cmd": list(image.command) or ([] if image.entrypoint else ["/bin/sh"]),
                    "User": image.user,
                    "WorkingDir": image.working_folder,
                },
            },
        )
        manifest = blob(
            "manifest.v1+json",
            {"schemaVersion": 2, "mediaType": MEDIA + "manifest.v1+json", "config": config, "layers": layers},
        )
        name = {"io.containerd.image.name": image.name, "org.opencontainers.image.ref.name": image.name}
        manifests.append({**manifest, "annotations": name})
    members["index.json"] = json.dumps({"schemaVersion": 2, "manifests": manifests}).encode()
    new = target.with_suffix(".new")
    with tarfile.open(new, "w") as archive:
        for path, data in members.items():
            archive.addfile(_entry(path, size=len(data)), io.BytesIO(data))
        for tar, digest in zip(tars, digests, strict=True):
            archive.add(tar, f"blobs/sha256/{digest}")
    new.rename(target)


def load(cluster: Cluster, archives: Iterable[Path]) -> list[str]:
    """Import archives into a running cluster; those of the images folder only when they changed. Returns their names."""
    note = cluster.store / "loaded.json"
    loaded = json.loads(note.read_text()) if note.exists() else {}
    imported = []
    for archive in archives:
        stamp = archive.stat().st_mtime_ns
        if archive.parent == cluster.images and loaded.get(archive.name) == stamp:
            continue
        words = ["ctr", "--address", str(cluster.socket), "--namespace", "k8s.io", "images", "import", str(archive)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"containerd cannot import {archive.name}: {done.stderr.strip()}. Delete it and run `make setup` again.")
        loaded[archive.name] = stamp
        imported.append(archive.name)
        note.write_text(json.dumps(loaded))
    return imported
