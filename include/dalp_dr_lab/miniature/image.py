"""The one image of the miniature DALP: Debian with Python, and the services on top as a small second layer.

Two layers, so that a changed service costs a few kilobytes: the ground layer (Debian trixie, python3, psycopg2, boto3)
is built once and cached by the digest of what it is made of; the services layer is packed at every call. The archive is
an OCI layout in one tar file, as `ctr images import` reads it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from dalp_dr_lab.errors import LabError

IMAGE = "docker.io/local/dalp:1"
PACKAGES = ("python3", "python3-psycopg2", "python3-boto3", "ca-certificates")
SERVICES = Path(__file__).resolve().parent / "services"
USER = "1000:1000"
ENVIRONMENT = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONPATH=/app",
    "PYTHONUNBUFFERED=1",
    "PYTHONDONTWRITEBYTECODE=1",
)
_MEDIA = "application/vnd.oci.image."
_RECIPE_VERSION = 1


def cluster_cache() -> Path:
    """Where the cluster keeps its programs, root file systems and images (shared by every cluster of the machine)."""
    return Path(os.environ.get("CLUSTER_HOME") or Path.home() / ".cache/dalp-cluster").absolute()


def archive_path() -> Path:
    """The image archive; whatever lies in this folder is loaded by each `up` of a cluster."""
    return cluster_cache() / "images" / (IMAGE.replace("/", "_").replace(":", "_") + ".tar")


def build() -> Path:
    """Make the image archive if its content would differ from the one that is there; return its path."""
    ground = ground_layer()
    services = services_layer()
    target = archive_path()
    stamp = target.with_suffix(".digest")
    digest = hashlib.sha256(ground.name.encode() + services).hexdigest()
    if target.exists() and stamp.exists() and stamp.read_text() == digest:
        return target
    _write_archive(target, ground, services)
    stamp.write_text(digest)
    return target


def ground_layer() -> Path:
    """The tar of Debian with Python, named by the digest of its recipe; made of the cluster's Debian by apt."""
    recipe = hashlib.sha256(json.dumps([_RECIPE_VERSION, PACKAGES]).encode()).hexdigest()[:16]
    layer = cluster_cache() / "rootfs" / f"dalp-{recipe}.tar"
    if layer.exists():
        return layer
    base = cluster_cache() / "rootfs/base"
    if not (base / "etc/os-release").exists():
        raise LabError(f"The cluster's Debian root file system {base} is missing. Run `python -m dalp_dr_lab up` first.")
    root = layer.with_suffix(".root")
    shutil.rmtree(root, ignore_errors=True)
    try:
        subprocess.run(["cp", "--archive", "--reflink=auto", base, root], check=True)
        _install(root)
        new = layer.with_suffix(".new")
        _tar(root, new)
        new.rename(layer)
    except subprocess.CalledProcessError as error:
        text = (error.stderr or b"").decode(errors="replace")[-600:]
        raise LabError(f"The ground layer of {IMAGE} could not be built: {text or error}. Check apt's network.") from error
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return layer


def _install(root: Path) -> None:
    """Install the packages inside ROOT by apt, with this machine's own resolver, proxies and certificates."""
    for name in ("etc/resolv.conf", "etc/hosts"):
        shutil.copyfile(Path("/") / name, root / name)
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    if Path("/etc/ssl/certs/ca-certificates.crt").exists():
        shutil.copyfile("/etc/ssl/certs/ca-certificates.crt", bundle)
    borrowed = [c for c in Path("/etc/apt/apt.conf.d").iterdir() if "acquire" in c.read_text(errors="replace").lower()]
    for conf in borrowed:
        shutil.copyfile(conf, root / "etc/apt/apt.conf.d" / conf.name)
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    script = (
        "apt-get update -qq && apt-get install -y -qq --no-install-recommends "
        + " ".join(PACKAGES)
        + " && rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/* /usr/share/doc /usr/share/man"
        + " && python3 -m compileall -q /usr/lib/python3/dist-packages/boto3 /usr/lib/python3/dist-packages/botocore"
    )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    subprocess.run(["chroot", root, "sh", "-c", script], check=True, capture_output=True, env=environment)
    for conf in borrowed:
        (root / "etc/apt/apt.conf.d" / conf.name).unlink()
    _keep_one_api(root / "usr/lib/python3/dist-packages/botocore/data")


def _keep_one_api(data: Path) -> None:
    """Leave botocore only the service it is used for: S3 (and STS, which it loads for credentials)."""
    for folder in data.iterdir():
        if folder.is_dir() and folder.name not in ("s3", "sts"):
            shutil.rmtree(folder)


def _tar(root: Path, target: Path) -> None:
    command = ["tar", "--create", "--file", target, "--numeric-owner", "--one-file-system", "--sort=name", "--mtime=@0"]
    exclude = [f"--exclude=./{name}/*" for name in ("proc", "sys", "dev", "run", "tmp")]
    subprocess.run([*command, *exclude, "--directory", root, "."], check=True, capture_output=True)


def services_layer() -> bytes:
    """The services under /app/services as a tar, the same bytes for the same sources."""
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("app", "app/services", "data"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for path in sorted(p for p in SERVICES.iterdir() if p.suffix in (".py", ".sql", ".json")):
            entry = tarfile.TarInfo(f"app/services/{path.name}")
            entry.size, entry.mode = path.stat().st_size, 0o644
            archive.addfile(entry, BytesIO(path.read_bytes()))
    return out.getvalue()


def _write_archive(target: Path, ground: Path, services: bytes) -> None:
    """Write an OCI layout whose image has the two layers, lowest first."""
    with ground.open("rb") as file:
        ground_digest = hashlib.file_digest(file, "sha256").hexdigest()
    members: dict[str, bytes] = {}

    def blob(kind: str, data: bytes) -> dict[str, object]:
        key = hashlib.sha256(data).hexdigest()
        members[f"blobs/sha256/{key}"] = data
        return {"mediaType": _MEDIA + kind, "digest": f"sha256:{key}", "size": len(data)}

    top = blob("layer.v1.tar", services)
    bottom = {"mediaType": _MEDIA + "layer.v1.tar", "digest": f"sha256:{ground_digest}", "size": ground.stat().st_size}
    settings = {"Env": list(ENVIRONMENT), "Cmd": ["sleep", "infinity"], "User": USER, "WorkingDir": "/"}
    layers = {"type": "layers", "diff_ids": [bottom["digest"], top["digest"]]}
    config = {"architecture": "amd64", "os": "linux", "config": settings, "rootfs": layers}
    manifest = blob(
        "manifest.v1+json",
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": _MEDIA + "manifest.v1+json",
                "config": blob("config.v1+json", json.dumps(config).encode()),
                "layers": [bottom, top],
            }
        ).encode(),
    )
    manifest["annotations"] = {"io.containerd.image.name": IMAGE, "org.opencontainers.image.ref.name": IMAGE}
    members["oci-layout"] = b'{"imageLayoutVersion": "1.0.0"}'
    members["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_suffix(".new")
    with tarfile.open(new, "w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, BytesIO(data))
        archive.add(ground, f"blobs/sha256/{ground_digest}")
    new.rename(target)


def main(argv: Sequence[str]) -> int:
    """`python -m dalp_dr_lab.miniature.image`: build and print the archive's path."""
    argparse.ArgumentParser(prog="image", description="Build the image of the miniature DALP.").parse_args(argv)
    print(build())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
